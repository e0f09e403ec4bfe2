// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/mm/pgtable.c and include/asm-generic/pgalloc.h, v5.10
 * Left out: the kernel half of the top table (no kernel mappings are emulated), page table
 * isolation, paravirt hooks, PAE, huge-page deposits.
 */
import { pgd_bad, pgd_none, pgd_offset_pgd, pmd_bad, pmd_none, pud_bad, pud_none }
	from '../arch/pgtable.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { BUG } from '../lib/bug.ts';
import { ___GFP_ACCOUNT, ___GFP_DIRECT_RECLAIM, ___GFP_FS, ___GFP_IO, ___GFP_KSWAPD_RECLAIM,
	___GFP_ZERO } from './gfp.ts';
import { pgtable_pmd_page_ctor, pgtable_pmd_page_dtor, pgtable_pte_page_ctor,
	pgtable_pte_page_dtor } from './mm.ts';
import { mms, type mm_struct, type page } from './mm_types.ts';
import { tlb_remove_page, type mmu_gather } from './mmu_gather.ts';
import { __free_pages, alloc_pages } from './page_alloc.ts';

/** include/asm-generic/pgalloc.h: page tables are zeroed, and accounted where kmem is. */
export const GFP_PGTABLE_USER = ___GFP_DIRECT_RECLAIM | ___GFP_KSWAPD_RECLAIM | ___GFP_IO |
	___GFP_FS | ___GFP_ZERO | ___GFP_ACCOUNT;

/** @ported v5.10 include/asm-generic/pgalloc.h:__pte_alloc_one() */
function __pte_alloc_one(_mm: mm_struct, gfp: number): page {
	const pte = alloc_pages(gfp, 0);

	if (!pte)
		return pte;
	pgtable_pte_page_ctor(pte);
	return pte;
}

/** @ported v5.10 include/asm-generic/pgalloc.h:pte_free() */
export function pte_free(_mm: mm_struct, pte_page: page): void {
	pgtable_pte_page_dtor(pte_page);
	__free_pages(pte_page, 0);
}

/** @ported v5.10 include/asm-generic/pgalloc.h:pmd_alloc_one() */
export function pmd_alloc_one(_mm: mm_struct, _addr: number): page {
	const page = alloc_pages(GFP_PGTABLE_USER, 0);

	if (!page)
		return page;
	pgtable_pmd_page_ctor(page);
	return page;
}

/** @ported v5.10 include/asm-generic/pgalloc.h:pmd_free() */
export function pmd_free(_mm: mm_struct, pmd: page): void {
	pgtable_pmd_page_dtor(pmd);
	__free_pages(pmd, 0);
}

/** @ported v5.10 include/asm-generic/pgalloc.h:pud_alloc_one() */
export function pud_alloc_one(_mm: mm_struct, _addr: number): page {
	return alloc_pages(GFP_PGTABLE_USER, 0);
}

/** @ported v5.10 include/asm-generic/pgalloc.h:pud_free() */
export function pud_free(_mm: mm_struct, pud: page): void {
	__free_pages(pud, 0);
}

/** A page for the lowest level of tables, or 0. @ported v5.10 */
export function pte_alloc_one(mm: mm_struct): page {
	return __pte_alloc_one(mm, GFP_PGTABLE_USER);
}

/** @ported v5.10 */
export function ___pte_free_tlb(tlb: mmu_gather, pte: page): void {
	pgtable_pte_page_dtor(pte);
	tlb_remove_page(tlb, pte);
}

/** @ported v5.10 */
export function ___pmd_free_tlb(tlb: mmu_gather, pmd: page): void {
	pgtable_pmd_page_dtor(pmd);
	tlb_remove_page(tlb, pmd);
}

/** @ported v5.10 */
export function ___pud_free_tlb(tlb: mmu_gather, pud: page): void {
	tlb_remove_page(tlb, pud);
}

/**
 * The frame of a new top table, or 0.
 * @reduced the kernel half stays empty, since kernel addresses are not translated
 */
export function pgd_alloc(mm: mm_struct): page {
	const pgd = alloc_pages(GFP_PGTABLE_USER, 0);

	if (pgd)
		mms.pgd[mm] = pgd;
	return pgd;
}

/** @reduced no preallocated tables to mop up: that is PAE's */
export function pgd_free(_mm: mm_struct, pgd: page): void {
	__free_pages(pgd, 0);
}

/** @ported v5.10 include/linux/pgtable.h:pgd_offset() */
export function pgd_offset(mm: mm_struct, addr: number): number {
	return pgd_offset_pgd(mms.pgd[mm], addr);
}

/** @ported v5.10 include/linux/pgtable.h:pgd_none_or_clear_bad(); of a bad entry, a bug */
export function pgd_none_or_clear_bad(pgd: number): boolean {
	if (pgd_none(ram[pgd]!))
		return true;
	if (pgd_bad(ram[pgd]!))
		BUG(`bad pgd ${(ram[pgd]! >>> 0).toString(16)}`);
	return false;
}

/** @ported v5.10 include/linux/pgtable.h:pud_none_or_clear_bad(); of a bad entry, a bug */
export function pud_none_or_clear_bad(pud: number): boolean {
	if (pud_none(ram[pud]!))
		return true;
	if (pud_bad(ram[pud]!))
		BUG(`bad pud ${(ram[pud]! >>> 0).toString(16)}`);
	return false;
}

/** @ported v5.10 include/linux/pgtable.h:pmd_none_or_clear_bad(); of a bad entry, a bug */
export function pmd_none_or_clear_bad(pmd: number): boolean {
	if (pmd_none(ram[pmd]!))
		return true;
	if (pmd_bad(ram[pmd]!))
		BUG(`bad pmd ${(ram[pmd]! >>> 0).toString(16)}`);
	return false;
}

/** @ported v5.10 arch/x86/include/asm/pgtable.h:pmd_clear() and its likes: any level's entry */
export function table_entry_clear(entryp: number): void {
	ram[entryp] = 0;
	ram[entryp + 1] = 0;
}

/** Frame of the table that an entry of any level points to. @custom by word index of the entry */
export function table_of_entry(entryp: number): page {
	return ram[entryp]! >>> FRAME_SHIFT as page;
}
const FRAME_SHIFT = FRAME_WORDS_SHIFT + 2;
