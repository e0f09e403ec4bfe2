// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/include/asm/pgtable_types.h, pgtable.h, pgtable_64.h, pgtable-invert.h, the helpers of
 * arch/x86/mm/pgtable.c, and protection_map[] of mm/mmap.c; v5.10
 * Left out: five levels (p4d is folded into pgd), paravirt, page-table isolation, memory
 *	encryption, protection keys, cache modes but write-back, device-mapped pages, PUD leaves as
 *	anything but what the hardware walk reads.
 * Lock order modelled: none; the page-table lock is held by the callers.
 */
import { VM_BUG_ON } from '../lib/bug.ts';
import { PMD_SIZE, pgd_index, pmd_index, pte_index, pud_index } from './page.ts';
import { ram } from './ram.ts';
import { NX_HI, PAGE_COPY, PAGE_COPY_EXEC, PAGE_NONE, PAGE_READONLY, PAGE_READONLY_EXEC,
	PAGE_SHARED, PAGE_SHARED_EXEC, PFN_HI_MASK, PHYSICAL_PMD_PAGE_MASK,
	PHYSICAL_PUD_PAGE_MASK, PTE_FLAGS_MASK, PTE_PFN_MASK, _HPAGE_CHG_MASK, _KERNPG_TABLE,
	_PAGE_ACCESSED, _PAGE_CHG_MASK, _PAGE_DIRTY, _PAGE_GLOBAL, _PAGE_KNL_ERRATUM_MASK,
	_PAGE_PRESENT, _PAGE_PROTNONE, _PAGE_PSE, _PAGE_RW, _PAGE_SOFT_DIRTY, _PAGE_SPECIAL,
	_PAGE_TABLE, _PAGE_UFFD_WP, _PAGE_USER, type pte_t, type ptep } from './pgtable_types.ts';
import { flush_tlb_range } from './tlb.ts';

export { NX_HI, PAGE_COPY, PAGE_COPY_EXEC, PAGE_COPY_NOEXEC, PAGE_NONE, PAGE_READONLY,
	PAGE_READONLY_EXEC, PAGE_SHARED, PAGE_SHARED_EXEC, PFN_HI_MASK, PHYSICAL_PMD_PAGE_MASK,
	PHYSICAL_PUD_PAGE_MASK, PTE_FLAGS_MASK, PTE_PFN_MASK, _HPAGE_CHG_MASK, _KERNPG_TABLE,
	_PAGE_ACCESSED, _PAGE_CHG_MASK, _PAGE_DIRTY, _PAGE_GLOBAL, _PAGE_KNL_ERRATUM_MASK,
	_PAGE_PAT, _PAGE_PAT_LARGE, _PAGE_PCD, _PAGE_PRESENT, _PAGE_PROTNONE, _PAGE_PSE,
	_PAGE_PWT, _PAGE_RW, _PAGE_SOFTW1, _PAGE_SOFTW2, _PAGE_SOFTW3, _PAGE_SOFT_DIRTY,
	_PAGE_SPECIAL, _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, _PAGE_TABLE, _PAGE_UFFD_WP,
	_PAGE_USER, type pte_t, type ptep } from './pgtable_types.ts';

/* By VM_READ 1, VM_WRITE 2, VM_EXEC 4, VM_SHARED 8: __P000 to __P111, __S000 to __S111. */
export const protection_map: readonly number[] = [
	PAGE_NONE, PAGE_READONLY, PAGE_COPY, PAGE_COPY,
	PAGE_READONLY_EXEC, PAGE_READONLY_EXEC, PAGE_COPY_EXEC, PAGE_COPY_EXEC,
	PAGE_NONE, PAGE_READONLY, PAGE_SHARED, PAGE_SHARED,
	PAGE_READONLY_EXEC, PAGE_READONLY_EXEC, PAGE_SHARED_EXEC, PAGE_SHARED_EXEC,
];
/* PAGE_NONE has no NX: nothing of it is present. */
const protection_map_nx: readonly (0 | 1)[] = [
	0, 1, 1, 1, 0, 0, 0, 0,
	0, 1, 1, 1, 0, 0, 0, 0,
];

/**
 * Low word of the protection bits of a vma with these flags.
 * @ported v5.10 mm/mmap.c:vm_get_page_prot()
 */
export function vm_get_page_prot(vm_flags: number): number {
	return protection_map[vm_flags & 15]!;
}
/** Whether they have NX. @ported v5.10 mm/mmap.c:vm_get_page_prot(), bit 63 */
export function vm_get_page_prot_nx(vm_flags: number): 0 | 1 {
	return protection_map_nx[vm_flags & 15]!;
}

/**
 * What of an mm or vma is asked here; mm registers it when it loads. The only ways from here
 * to the structs of mm.
 */
export const mmHooks = {
	/** vma->vm_mm */
	vm_mm: (_vma: number): number => 0,
	/** mm_tlb_flush_pending() */
	mm_tlb_flush_pending: (_mm: number): boolean => false,
};

/* pgtable-invert.h */

/** @ported v5.10 arch/x86/include/asm/pgtable-invert.h:__pte_needs_invert() */
function __pte_needs_invert(val: number): boolean {
	return val !== 0 && (val & _PAGE_PRESENT) === 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable-invert.h:protnone_mask() */
function protnone_mask(val: number): number {
	return __pte_needs_invert(val) ? -1 : 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable-invert.h:flip_protnone_guard() */
function flip_protnone_guard(oldval: number, val: number, mask: number): number {
	if (__pte_needs_invert(oldval) !== __pte_needs_invert(val))
		val = (val & ~mask) | (~val & mask);
	return val;
}
/**
 * The high word that belongs to a low one: an entry whose frame number is inverted has bits 51:32
 * set, a present one has them clear, and a swap entry (neither PROT_NONE nor leaf) says all itself.
 * @custom half of what pfn_pte(), pte_modify() and flip_protnone_guard() do to 64 bits
 */
function canonical_hi(lo: number, hi: number): number {
	if (lo & _PAGE_PRESENT)
		return hi & ~PFN_HI_MASK;
	if (lo & (_PAGE_PROTNONE | _PAGE_PSE))
		return hi | PFN_HI_MASK;
	return hi;
}

/* Entries by value. */

/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_dirty() */
export function pte_dirty(pte: pte_t): boolean {
	return (pte & _PAGE_DIRTY) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_young() */
export function pte_young(pte: pte_t): boolean {
	return (pte & _PAGE_ACCESSED) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_dirty() */
export function pmd_dirty(pmd: pte_t): boolean {
	return (pmd & _PAGE_DIRTY) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_young() */
export function pmd_young(pmd: pte_t): boolean {
	return (pmd & _PAGE_ACCESSED) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_write() */
export function pte_write(pte: pte_t): boolean {
	return (pte & _PAGE_RW) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_huge() */
export function pte_huge(pte: pte_t): boolean {
	return (pte & _PAGE_PSE) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_global() */
export function pte_global(pte: pte_t): boolean {
	return (pte & _PAGE_GLOBAL) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_exec(); of the high word */
export function pte_exec(hi: number): boolean {
	return (hi & NX_HI) === 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_special() */
export function pte_special(pte: pte_t): boolean {
	return (pte & _PAGE_SPECIAL) !== 0;
}
/** Bits 11:0. @ported v5.10 arch/x86/include/asm/pgtable_types.h:pte_flags() but for NX */
export function pte_flags(pte: pte_t): number {
	return pte & PTE_FLAGS_MASK;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_pfn() */
export function pte_pfn(pte: pte_t): number {
	return (pte ^ protnone_mask(pte)) >>> 12;
}
/** @ported v5.10 arch/x86/include/asm/pgtable_types.h:pmd_pfn_mask() */
function pmd_pfn_mask(pmd: pte_t): number {
	return pmd & _PAGE_PSE ? PHYSICAL_PMD_PAGE_MASK : PTE_PFN_MASK;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_pfn() */
export function pmd_pfn(pmd: pte_t): number {
	return ((pmd ^ protnone_mask(pmd)) & pmd_pfn_mask(pmd)) >>> 12;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_pfn() */
export function pud_pfn(pud: pte_t): number {
	const mask = pud & _PAGE_PSE ? PHYSICAL_PUD_PAGE_MASK : PTE_PFN_MASK;

	return ((pud ^ protnone_mask(pud)) & mask) >>> 12;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pgd_pfn() */
export function pgd_pfn(pgd: pte_t): number {
	return pgd >>> 12;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_page() */
export function pte_page(pte: pte_t): number {
	return pte_pfn(pte);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_large() */
export function pmd_leaf(pmd: pte_t): boolean {
	return (pmd & _PAGE_PSE) !== 0;
}
export const pmd_large = pmd_leaf;
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_trans_huge(); nothing is device-mapped */
export function pmd_trans_huge(pmd: pte_t): boolean {
	return (pmd & _PAGE_PSE) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_devmap(); nothing is */
export function pmd_devmap(_pmd: pte_t): boolean {
	return false;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_devmap(); nothing is */
export function pte_devmap(_pte: pte_t): boolean {
	return false;
}

/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_uffd_wp() */
export function pte_uffd_wp(pte: pte_t): boolean {
	return (pte & _PAGE_UFFD_WP) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkuffd_wp() */
export function pte_mkuffd_wp(pte: pte_t): pte_t {
	return pte | _PAGE_UFFD_WP;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_clear_uffd_wp() */
export function pte_clear_uffd_wp(pte: pte_t): pte_t {
	return pte & ~_PAGE_UFFD_WP;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkclean() */
export function pte_mkclean(pte: pte_t): pte_t {
	return pte & ~_PAGE_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkold() */
export function pte_mkold(pte: pte_t): pte_t {
	return pte & ~_PAGE_ACCESSED;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_wrprotect() */
export function pte_wrprotect(pte: pte_t): pte_t {
	return pte & ~_PAGE_RW;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkdirty() */
export function pte_mkdirty(pte: pte_t): pte_t {
	return pte | _PAGE_DIRTY | _PAGE_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkyoung() */
export function pte_mkyoung(pte: pte_t): pte_t {
	return pte | _PAGE_ACCESSED;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkwrite() */
export function pte_mkwrite(pte: pte_t): pte_t {
	return pte | _PAGE_RW;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkhuge() */
export function pte_mkhuge(pte: pte_t): pte_t {
	return pte | _PAGE_PSE;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_clrhuge() */
export function pte_clrhuge(pte: pte_t): pte_t {
	return pte & ~_PAGE_PSE;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkglobal() */
export function pte_mkglobal(pte: pte_t): pte_t {
	return pte | _PAGE_GLOBAL;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mkspecial() */
export function pte_mkspecial(pte: pte_t): pte_t {
	return pte | _PAGE_SPECIAL;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkold() */
export function pmd_mkold(pmd: pte_t): pte_t {
	return pmd & ~_PAGE_ACCESSED;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkclean() */
export function pmd_mkclean(pmd: pte_t): pte_t {
	return pmd & ~_PAGE_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_wrprotect() */
export function pmd_wrprotect(pmd: pte_t): pte_t {
	return pmd & ~_PAGE_RW;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkdirty() */
export function pmd_mkdirty(pmd: pte_t): pte_t {
	return pmd | _PAGE_DIRTY | _PAGE_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkhuge() */
export function pmd_mkhuge(pmd: pte_t): pte_t {
	return pmd | _PAGE_PSE;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkyoung() */
export function pmd_mkyoung(pmd: pte_t): pte_t {
	return pmd | _PAGE_ACCESSED;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkwrite() */
export function pmd_mkwrite(pmd: pte_t): pte_t {
	return pmd | _PAGE_RW;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_soft_dirty() */
export function pte_soft_dirty(pte: pte_t): boolean {
	return (pte & _PAGE_SOFT_DIRTY) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_soft_dirty() */
export function pmd_soft_dirty(pmd: pte_t): boolean {
	return (pmd & _PAGE_SOFT_DIRTY) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_mksoft_dirty() */
export function pte_mksoft_dirty(pte: pte_t): pte_t {
	return pte | _PAGE_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mksoft_dirty() */
export function pmd_mksoft_dirty(pmd: pte_t): pte_t {
	return pmd | _PAGE_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_clear_soft_dirty() */
export function pte_clear_soft_dirty(pte: pte_t): pte_t {
	return pte & ~_PAGE_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_clear_soft_dirty() */
export function pmd_clear_soft_dirty(pmd: pte_t): pte_t {
	return pmd & ~_PAGE_SOFT_DIRTY;
}

/** Low word of an entry for a frame. @ported v5.10 arch/x86/include/asm/pgtable.h:pfn_pte() */
export function pfn_pte(page_nr: number, pgprot: number): pte_t {
	return (((page_nr << 12) ^ protnone_mask(pgprot)) & PTE_PFN_MASK) | pgprot;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pfn_pmd() */
export function pfn_pmd(page_nr: number, pgprot: number): pte_t {
	return (((page_nr << 12) ^ protnone_mask(pgprot)) & PHYSICAL_PMD_PAGE_MASK) | pgprot;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:mk_pte() */
export function mk_pte(page: number, pgprot: number): pte_t {
	return pfn_pte(page, pgprot);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:mk_pmd() */
export function mk_pmd(page: number, pgprot: number): pte_t {
	return pfn_pmd(page, pgprot);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_mkinvalid() */
export function pmd_mkinvalid(pmd: pte_t): pte_t {
	const flags = pmd & ~pmd_pfn_mask(pmd);

	return pfn_pmd(pmd_pfn(pmd), flags & ~(_PAGE_PRESENT | _PAGE_PROTNONE));
}
/**
 * Other protection, same frame and history; NX goes with the high word that the caller sets.
 * @ported v5.10 arch/x86/include/asm/pgtable.h:pte_modify()
 */
export function pte_modify(pte: pte_t, newprot: number): pte_t {
	const val = (pte & _PAGE_CHG_MASK) | (newprot & ~_PAGE_CHG_MASK);

	return flip_protnone_guard(pte, val, PTE_PFN_MASK);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_modify() */
export function pmd_modify(pmd: pte_t, newprot: number): pte_t {
	const val = (pmd & _HPAGE_CHG_MASK) | (newprot & ~_HPAGE_CHG_MASK);

	return flip_protnone_guard(pmd, val, PHYSICAL_PMD_PAGE_MASK);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pgprot_modify() */
export function pgprot_modify(oldprot: number, newprot: number): number {
	return (oldprot & _PAGE_CHG_MASK) | (newprot & ~_PAGE_CHG_MASK);
}

/**
 * Nothing there, or nothing but A and D that an errant processor has set.
 * @reduced the low word only: no swap area is so large that a swap entry's low word could be zero
 */
export function pte_none(pte: pte_t): boolean {
	return (pte & ~_PAGE_KNL_ERRATUM_MASK) === 0;
}
/** @reduced low words: callers whose entries can differ in the high one compare that too */
export function pte_same(a: pte_t, b: pte_t): boolean {
	return a === b;
}
export const pmd_same = pte_same;
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_present() */
export function pte_present(pte: pte_t): boolean {
	return (pte & (_PAGE_PRESENT | _PAGE_PROTNONE)) !== 0;
}
/** Whether a TLB can have it. @ported v5.10 arch/x86/include/asm/pgtable.h:pte_accessible() */
export function pte_accessible(mm: number, pte: pte_t): boolean {
	if (pte & _PAGE_PRESENT)
		return true;
	return (pte & _PAGE_PROTNONE) !== 0 && mmHooks.mm_tlb_flush_pending(mm);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_present() */
export function pmd_present(pmd: pte_t): boolean {
	return (pmd & (_PAGE_PRESENT | _PAGE_PROTNONE | _PAGE_PSE)) !== 0;
}
/** @reduced no NUMA balancing, without which the kernel has no such entries to tell apart */
export function pte_protnone(_pte: pte_t): boolean {
	return false;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_none() */
export function pmd_none(pmd: pte_t): boolean {
	return (pmd & ~_PAGE_KNL_ERRATUM_MASK) === 0;
}
/** Frame of the table or huge page. @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_page() */
export function pmd_page(pmd: pte_t): number {
	return pmd_pfn(pmd);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_bad() */
export function pmd_bad(pmd: pte_t): boolean {
	return (pmd & ~pmd_pfn_mask(pmd) & ~_PAGE_USER) !== _KERNPG_TABLE;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_none() */
export function pud_none(pud: pte_t): boolean {
	return (pud & ~_PAGE_KNL_ERRATUM_MASK) === 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_present() */
export function pud_present(pud: pte_t): boolean {
	return (pud & _PAGE_PRESENT) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_page() */
export function pud_page(pud: pte_t): number {
	return pud_pfn(pud);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_large() */
export function pud_leaf(pud: pte_t): boolean {
	return (pud & (_PAGE_PSE | _PAGE_PRESENT)) === (_PAGE_PSE | _PAGE_PRESENT);
}
export const pud_large = pud_leaf;
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_trans_huge() */
export function pud_trans_huge(pud: pte_t): boolean {
	return (pud & _PAGE_PSE) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_bad() */
export function pud_bad(pud: pte_t): boolean {
	const mask = pud & _PAGE_PSE ? PHYSICAL_PUD_PAGE_MASK : PTE_PFN_MASK;

	return (pud & ~mask & ~(_KERNPG_TABLE | _PAGE_USER)) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:p4d_none(), folded */
export function pgd_none(pgd: pte_t): boolean {
	return (pgd & ~_PAGE_KNL_ERRATUM_MASK) === 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:p4d_present(), folded */
export function pgd_present(pgd: pte_t): boolean {
	return (pgd & _PAGE_PRESENT) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:p4d_bad(), folded, without table isolation */
export function pgd_bad(pgd: pte_t): boolean {
	return (pgd & PTE_FLAGS_MASK & ~(_KERNPG_TABLE | _PAGE_USER)) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:p4d_page(), folded */
export function pgd_page(pgd: pte_t): number {
	return pgd_pfn(pgd);
}

/* Walking tables, as the kernel does. */

/** Word index of the table that an entry points to. @custom its virtual address in the kernel */
function table_words(entry: pte_t): number {
	return (entry & PTE_PFN_MASK) >>> 2;
}
/** @ported v5.10 include/linux/pgtable.h:pgd_offset_pgd(); of the frame of the top table */
export function pgd_offset_pgd(pgd_pfn: number, addr: number): ptep {
	return (pgd_pfn << 10) + (pgd_index(addr) << 1);
}
/** @ported v5.10 include/linux/pgtable.h:pud_offset() */
export function pud_offset(pgdp: ptep, addr: number): ptep {
	return table_words(ram[pgdp]!) + (pud_index(addr) << 1);
}
/** @ported v5.10 include/linux/pgtable.h:pmd_offset() */
export function pmd_offset(pudp: ptep, addr: number): ptep {
	return table_words(ram[pudp]!) + (pmd_index(addr) << 1);
}
/** @ported v5.10 include/linux/pgtable.h:pte_offset_kernel() */
export function pte_offset_map(pmdp: ptep, addr: number): ptep {
	return table_words(ram[pmdp]!) + (pte_index(addr) << 1);
}
export const pte_offset_kernel = pte_offset_map;
/** @ported v5.10 arch/x86/include/asm/pgalloc.h:p4d_populate(), folded */
export function pgd_populate(pgdp: ptep, pud_pfn: number): void {
	set_pte(pgdp, (pud_pfn << 12) | _PAGE_TABLE, 0);
}
/** @ported v5.10 arch/x86/include/asm/pgalloc.h:pud_populate() */
export function pud_populate(pudp: ptep, pmd_pfn: number): void {
	set_pte(pudp, (pmd_pfn << 12) | _PAGE_TABLE, 0);
}
/** @ported v5.10 arch/x86/include/asm/pgalloc.h:pmd_populate() */
export function pmd_populate(pmdp: ptep, pte_pfn: number): void {
	set_pte(pmdp, (pte_pfn << 12) | _PAGE_TABLE, 0);
}

/* Entries in memory. */

/** High word of an entry. @custom entries by value are low words */
export function pte_hi(ptep: ptep): number {
	return ram[ptep + 1]!;
}
/** @ported v5.10 include/linux/pgtable.h:ptep_get() */
export function ptep_get(ptep: ptep): pte_t {
	return ram[ptep]!;
}
/**
 * `hi`: NX_HI or 0, or a swap entry's.
 * @ported v5.10 arch/x86/include/asm/pgtable_64.h:native_set_pte()
 */
export function set_pte(ptep: ptep, lo: pte_t, hi: number): void {
	ram[ptep] = lo;
	ram[ptep + 1] = canonical_hi(lo, hi);
}
/** @ported v5.10 arch/x86/include/asm/pgtable_64.h:native_set_pmd() */
export const set_pmd = set_pte;
/** @ported v5.10 arch/x86/include/asm/pgtable.h:set_pte_at() */
export function set_pte_at(_mm: number, _addr: number, ptep: ptep, lo: pte_t, hi: number): void {
	set_pte(ptep, lo, hi);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:set_pmd_at() */
export function set_pmd_at(_mm: number, _addr: number, pmdp: ptep, lo: pte_t, hi: number): void {
	set_pte(pmdp, lo, hi);
}
/** @ported v5.10 arch/x86/include/asm/pgtable_64.h:native_pte_clear() */
export function pte_clear(_mm: number, _addr: number, ptep: ptep): void {
	ram[ptep] = 0;
	ram[ptep + 1] = 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable_64.h:native_pmd_clear() */
export function pmd_clear(pmdp: ptep): void {
	ram[pmdp] = 0;
	ram[pmdp + 1] = 0;
}
export const pud_clear = pmd_clear;
export const pgd_clear = pmd_clear;

/**
 * Take an entry away. Returns its low word; read the high one before, where it matters.
 * @ported v5.10 arch/x86/include/asm/pgtable.h:ptep_get_and_clear()
 */
export function ptep_get_and_clear(_mm: number, _addr: number, ptep: ptep): pte_t {
	const pte = ram[ptep]!;

	ram[ptep] = 0;
	ram[ptep + 1] = 0;
	return pte;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:ptep_get_and_clear_full() */
export function ptep_get_and_clear_full(
	mm: number, addr: number, ptep: ptep, _full: number | boolean,
): pte_t {
	return ptep_get_and_clear(mm, addr, ptep);
}
/** @ported v5.10 include/linux/pgtable.h:pte_clear_not_present_full() */
export function pte_clear_not_present_full(
	mm: number, addr: number, ptep: ptep, _full: number | boolean,
): void {
	pte_clear(mm, addr, ptep);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmdp_huge_get_and_clear() */
export function pmdp_huge_get_and_clear(_mm: number, _addr: number, pmdp: ptep): pte_t {
	return ptep_get_and_clear(0, 0, pmdp);
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:ptep_set_wrprotect() */
export function ptep_set_wrprotect(_mm: number, _addr: number, ptep: ptep): void {
	ram[ptep]! &= ~_PAGE_RW;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmdp_set_wrprotect() */
export function pmdp_set_wrprotect(_mm: number, _addr: number, pmdp: ptep): void {
	ram[pmdp]! &= ~_PAGE_RW;
}
/**
 * Exchange an entry; the high word keeps NX. Returns the old low word.
 * @ported v5.10 arch/x86/include/asm/pgtable.h:pmdp_establish()
 */
export function pmdp_establish(_vma: number, _addr: number, pmdp: ptep, pmd: pte_t): pte_t {
	const old = ram[pmdp]!;

	set_pte(pmdp, pmd, ram[pmdp + 1]!);
	return old;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_write() */
export function pmd_write(pmd: pte_t): boolean {
	return (pmd & _PAGE_RW) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pud_write() */
export function pud_write(pud: pte_t): boolean {
	return (pud & _PAGE_RW) !== 0;
}
/**
 * The tables are all that the hardware reads.
 * @ported v5.10 arch/x86/include/asm/pgtable.h:update_mmu_cache()
 */
export function update_mmu_cache(_vma: number, _addr: number, _ptep: ptep): void {
}
/**
 * A #PF has dropped the translation already.
 * @ported v5.10 arch/x86/include/asm/pgtable.h:flush_tlb_fix_spurious_fault()
 */
export function flush_tlb_fix_spurious_fault(_vma: number, _addr: number): void {
}

/* arch/x86/mm/pgtable.c */

/**
 * A more permissive entry over an older one; written only if `dirty`, since A and D are the
 * hardware's. Returns whether the two differ.
 * @ported v5.10 arch/x86/mm/pgtable.c:ptep_set_access_flags()
 */
export function ptep_set_access_flags(
	_mm: number, _addr: number, ptep: ptep, lo: pte_t, hi: number, dirty: number | boolean,
): boolean {
	const changed = ram[ptep] !== lo || ram[ptep + 1] !== canonical_hi(lo, hi);

	if (changed && dirty)
		set_pte(ptep, lo, hi);
	return changed;
}
/** @ported v5.10 arch/x86/mm/pgtable.c:pmdp_set_access_flags() */
export function pmdp_set_access_flags(
	mm: number, addr: number, pmdp: ptep, lo: pte_t, hi: number, dirty: number | boolean,
): boolean {
	VM_BUG_ON(addr % PMD_SIZE !== 0, 'a huge page is not aligned');
	return ptep_set_access_flags(mm, addr, pmdp, lo, hi, dirty);
}
/** @ported v5.10 arch/x86/mm/pgtable.c:ptep_test_and_clear_young() */
export function ptep_test_and_clear_young(_vma: number, _addr: number, ptep: ptep): boolean {
	const pte = ram[ptep]!;

	if (!(pte & _PAGE_ACCESSED))
		return false;
	ram[ptep] = pte & ~_PAGE_ACCESSED;
	return true;
}
/** @ported v5.10 arch/x86/mm/pgtable.c:pmdp_test_and_clear_young() */
export function pmdp_test_and_clear_young(vma: number, addr: number, pmdp: ptep): boolean {
	return ptep_test_and_clear_young(vma, addr, pmdp);
}
/**
 * No flush, in spite of the name: a stale A only makes a page look idle that is not.
 * @ported v5.10 arch/x86/mm/pgtable.c:ptep_clear_flush_young()
 */
export function ptep_clear_flush_young(vma: number, address: number, ptep: ptep): boolean {
	return ptep_test_and_clear_young(vma, address, ptep);
}
/** @ported v5.10 arch/x86/mm/pgtable.c:pmdp_clear_flush_young() */
export function pmdp_clear_flush_young(vma: number, address: number, pmdp: ptep): boolean {
	VM_BUG_ON(address % PMD_SIZE !== 0, 'a huge page is not aligned');
	const young = pmdp_test_and_clear_young(vma, address, pmdp);

	if (young)
		flush_tlb_range(mmHooks.vm_mm(vma), address, address + PMD_SIZE);
	return young;
}
