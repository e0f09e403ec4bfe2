// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page_vma_mapped.c, v5.10
 * Left out: hugetlb pages; device-private entries, so that a swap entry never maps a page but for
 *	migration; pvmw->ptl, since one order of events stands for the page-table locks.
 * PVMW_SYNC makes the entry be read under its lock, without a look before: here that is the same
 *	look. The rewrite that came with v5.10.47 differs for huge pages only.
 * Lock order modelled: none; the rmap lock is held by the callers.
 */
import { PAGE_SIZE, PMD_SIZE } from '../arch/page.ts';
import { pgd_none, pgd_offset_pgd, pmd_offset, pmd_page, pmd_present, pmd_trans_huge, pte_none,
	pte_offset_map, pte_pfn, pte_present, pud_none, pud_offset } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { is_migration_entry, is_swap_pte, migration_entry_to_pfn, pte_to_swp_entry }
	from '../arch/swap.ts';
import { __vma_address, vma_address } from './internal.ts';
import { mms, vmas, type page, type vm_area_struct } from './mm_types.ts';
import { PageHuge, PageTransCompound, PageTransHuge, thp_nr_pages, thp_size }
	from './page_flags.ts';
import { PVMW_MIGRATION, PVMW_SYNC, page_vma_mapped_walk as pvmw_t, page_vma_mapped_walk_done,
	page_vma_mapped_walk_init } from './rmap_types.ts';

const { pgd: mm_pgd } = mms;
const { vm_mm, vm_end } = vmas;

/** @ported v5.10 static */
export function not_found(pvmw: pvmw_t): boolean {
	page_vma_mapped_walk_done(pvmw);
	return false;
}

/** @reduced static; device-private entries, see the head of the file; no lock to take */
export function map_pte(pvmw: pvmw_t): boolean {
	pvmw.pte = pte_offset_map(pvmw.pmd, pvmw.address);
	if (!(pvmw.flags & PVMW_SYNC)) {
		const pte = ram[pvmw.pte]!;

		if (pvmw.flags & PVMW_MIGRATION) {
			if (!is_swap_pte(pte))
				return false;
		} else if (!pte_present(pte)) {
			return false;
		}
	}
	return true;
}

/** @ported v5.10 static */
export function pfn_is_match(page: page, pfn: number): boolean {
	if (!PageTransCompound(page) || PageHuge(page))
		return page === pfn;

	/* any base page of a huge one will do */
	return pfn >= page && pfn - page < thp_nr_pages(page);
}

/**
 * Whether the entry that the walk is at maps its page.
 * @reduced static; device-private entries, see the head of the file
 */
export function check_pte(pvmw: pvmw_t): boolean {
	const pte = ram[pvmw.pte]!;
	let pfn: number;

	if (pvmw.flags & PVMW_MIGRATION) {
		if (!is_swap_pte(pte))
			return false;
		const entry = pte_to_swp_entry(pte, ram[pvmw.pte + 1]!);

		if (!is_migration_entry(entry))
			return false;
		pfn = migration_entry_to_pfn(entry);
	} else {
		if (!pte_present(pte))
			return false;
		pfn = pte_pfn(pte);
	}
	return pfn_is_match(pvmw.page, pfn);
}

/**
 * Look for the next entry that maps pvmw->page in pvmw->vma, at or after pvmw->address. True: it
 * is pvmw->pte, or pvmw->pmd with a pte of 0 for a huge mapping, and pvmw->address is what it maps.
 * False: there is none, and the walk is over. Who stops before calls page_vma_mapped_walk_done().
 * @reduced hugetlb pages, migration entries of huge pages: neither exists here
 */
export function page_vma_mapped_walk(pvmw: pvmw_t): boolean {
	const mm = vm_mm[pvmw.vma];
	const page = pvmw.page;
	/* Where C jumps to: into the loop over the entries of one table, or before it. */
	let at_next_pte = false;

	/* Stopped at a huge mapping: an area has no second one of the page. */
	if (pvmw.pmd && !pvmw.pte)
		return not_found(pvmw);

	if (pvmw.pte)
		at_next_pte = true;

	restart: for (;;) {
		if (!at_next_pte) {
			const pgd = pgd_offset_pgd(mm_pgd[mm], pvmw.address);
			if (pgd_none(ram[pgd]!))
				return false;
			const pud = pud_offset(pgd, pvmw.address);
			if (pud_none(ram[pud]!))
				return false;
			pvmw.pmd = pmd_offset(pud, pvmw.address);
			const pmde = ram[pvmw.pmd]!;
			if (pmd_trans_huge(pmde)) {
				if (pvmw.flags & PVMW_MIGRATION)
					return not_found(pvmw);
				if (pmd_page(pmde) !== page)
					return not_found(pvmw);
				return true;
			} else if (!pmd_present(pmde)) {
				return false;
			}
			if (!map_pte(pvmw))
				at_next_pte = true;
		}
		for (;;) {
			if (!at_next_pte && check_pte(pvmw))
				return true;
			/* next_pte */
			at_next_pte = false;
			/* a small page is in an area once */
			if (!PageTransHuge(page) || PageHuge(page))
				return not_found(pvmw);
			do {
				pvmw.address += PAGE_SIZE;
				if (pvmw.address >= vm_end[pvmw.vma] ||
				    pvmw.address >= __vma_address(page, pvmw.vma) + thp_size(page))
					return not_found(pvmw);
				/* the next table may not be there */
				if (pvmw.address % PMD_SIZE === 0) {
					pvmw.pte = 0;
					continue restart;
				}
				pvmw.pte += 2;
			} while (pte_none(ram[pvmw.pte]!));
		}
	}
}

/* Only memory failure asks, so never while another walk of it runs. */
const mapped_walk = new pvmw_t();

/**
 * 1 if an entry of the area maps the page, else 0. The area is of a file or anonymous.
 * @ported v5.10
 */
export function page_mapped_in_vma(page: page, vma: vm_area_struct): number {
	const start = __vma_address(page, vma);

	if (start + thp_size(page) - PAGE_SIZE < vmas.vm_start[vma] || start >= vm_end[vma])
		return 0;
	page_vma_mapped_walk_init(mapped_walk, page, vma, vma_address(page, vma), PVMW_SYNC);
	if (!page_vma_mapped_walk(mapped_walk))
		return 0;
	page_vma_mapped_walk_done(mapped_walk);
	return 1;
}
