// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/pgtable-generic.c, v5.10
 * Left out: what x86 has of its own (ptep_set_access_flags(), ptep_clear_flush_young(),
 *	pmdp_set_access_flags(), pmdp_clear_flush_young()): see arch/pgtable.ts; p?d_clear_bad(),
 *	see mm/pgtable.ts; pgtable_trans_huge_deposit() and _withdraw(), pmdp_collapse_flush() and
 *	everything about PUDs, which come with huge pages.
 * Lock order modelled: none; the page-table lock is held by the callers.
 */
import { PMD_SIZE } from '../arch/page.ts';
import { pmd_mkinvalid, pmd_present, pmd_trans_huge, pmdp_establish, pmdp_huge_get_and_clear,
	pte_accessible, ptep_get_and_clear } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { flush_tlb_page, flush_tlb_range } from '../arch/tlb.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { vmas, type pte_t, type ptep, type vm_area_struct } from './mm_types.ts';

const { vm_mm } = vmas;

/**
 * Take an entry away and flush it from all TLBs, if any can have it. Returns its low word.
 * @ported v5.10
 */
export function ptep_clear_flush(vma: vm_area_struct, address: number, ptep: ptep): pte_t {
	const mm = vm_mm[vma];
	const pte = ptep_get_and_clear(mm, address, ptep);

	if (pte_accessible(mm, pte))
		flush_tlb_page(mm, address);
	return pte;
}

/**
 * ptep_clear_flush() of an entry that maps a huge page.
 * @ported v5.10
 */
export function pmdp_huge_clear_flush(vma: vm_area_struct, address: number, pmdp: ptep): pte_t {
	VM_BUG_ON(address % PMD_SIZE !== 0, 'a huge page is not aligned');
	VM_BUG_ON(pmd_present(ram[pmdp]!) && !pmd_trans_huge(ram[pmdp]!),
		'a table is taken for a huge page');
	const pmd = pmdp_huge_get_and_clear(vm_mm[vma], address, pmdp);

	flush_tlb_range(vm_mm[vma], address, address + PMD_SIZE);
	return pmd;
}

/**
 * Make an entry that maps a huge page not present, and flush it. Returns its old low word.
 * @ported v5.10
 */
export function pmdp_invalidate(vma: vm_area_struct, address: number, pmdp: ptep): pte_t {
	const old = pmdp_establish(vma, address, pmdp, pmd_mkinvalid(ram[pmdp]!));

	flush_tlb_range(vm_mm[vma], address, address + PMD_SIZE);
	return old;
}
