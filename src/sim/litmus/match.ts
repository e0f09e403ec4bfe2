// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether a scheduling point is about a page of a range. A page is known by where it belongs, not
 * by what maps it now: at some points its page-table entry is gone already.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../../arch/page.ts';
import { pte_none, pte_offset_map, pte_pfn, pte_present } from '../../arch/pgtable.ts';
import { is_migration_entry, is_swap_pte, migration_entry_to_pfn, pte_to_swp_entry }
	from '../../arch/swap.ts';
import { ram } from '../../arch/ram.ts';
import { xa_is_value, xa_load, xa_to_value } from '../../lib/xarray.ts';
import { current } from '../../mm/current.ts';
import { page_anon_vma, page_count, page_private } from '../../mm/mm.ts';
import { anon_vmas, files, pages, tasks, vmas, type address_space, type page, type task_struct,
	type vm_area_struct } from '../../mm/mm_types.ts';
import { find_vma } from '../../mm/mmap.ts';
import { PageAnon, PageSwapCache, mapping_pointer } from '../../mm/page_flags.ts';
import { linear_page_index } from '../../mm/pagemap.ts';
import { mm_find_pmd } from '../../mm/rmap.ts';

/* The file of a vma, 0 for anonymous memory. */
function vmaMapping(vma: vm_area_struct): address_space {
	const file = vmas.vm_file[vma];

	return (file ? files.f_mapping[file] : 0) as address_space;
}

/*
 * The page-table entry decides where there is one; a process whose entry is empty has the page if
 * it would find it there.
 */
function entryAllows(vma: vm_area_struct, address: number, page: page): boolean {
	const pmd = mm_find_pmd(vmas.vm_mm[vma], address);

	if (!pmd)
		return true;
	const ptep = pte_offset_map(pmd, address);
	const pte = ram[ptep]!;
	if (pte_none(pte))
		return true;
	if (pte_present(pte))
		return pte_pfn(pte) === page;
	if (!is_swap_pte(pte))
		return false;
	const entry = pte_to_swp_entry(pte, ram[ptep + 1]!);
	if (is_migration_entry(entry))
		return migration_entry_to_pfn(entry) === page;
	/* frozen: it has just left the swap cache, for good */
	return page_count(page) === 0 ||
		(PageSwapCache(page) && entry === page_private(page));
}

/* A page of shmem in the swap cache has left its file, which has the swap entry in its place. */
function hasShmemEntry(vma: vm_area_struct, start: number, end: number, page: page): boolean {
	const mapping = vmaMapping(vma);

	if (!mapping)
		return false;
	for (let address = start; address < end; address += PAGE_SIZE) {
		const entry = xa_load(mapping, linear_page_index(vma, address));
		if (xa_is_value(entry) && xa_to_value(entry) === page_private(page))
			return true;
	}
	return false;
}

function vmaHas(vma: vm_area_struct, start: number, end: number, page: page): boolean {
	const owner = PageAnon(page)
		? anon_vmas.root[page_anon_vma(page)] === anon_vmas.root[vmas.anon_vma[vma]]
		: pages.mapping[page] !== 0 && mapping_pointer(page) === vmaMapping(vma);

	if (owner) {
		const address = vmas.vm_start[vma] +
			(pages.index[page] - vmas.vm_pgoff[vma]) * 2 ** PAGE_SHIFT;
		return address >= start && address < end && entryAllows(vma, address, page);
	}
	return PageSwapCache(page) && !PageAnon(page) && hasShmemEntry(vma, start, end, page);
}

/**
 * Whether a point is about a page of a task's memory.
 * @param page pfn that the point has, 0 for none
 * @param address that the point has, -1 for none: of the running task, where the page is none yet
 */
export function isInRange(
	task: task_struct, start: number, end: number, page: number, address: number,
): boolean {
	const mm = tasks.mm[task];

	if (!mm)
		return false;
	/* A page that belongs nowhere yet was just made for the fault of the running task. */
	if (!page || pages.mapping[page as page] === 0 && !PageSwapCache(page as page))
		return address >= start && address < end && tasks.mm[current()] === mm;
	for (let vma = find_vma(mm, start); vma &&
		vmas.vm_start[vma] < end; vma = vmas.vm_next[vma])
		if (vmaHas(
			vma, Math.max(start, vmas.vm_start[vma]), Math.min(end, vmas.vm_end[vma]),
			page as page))
			return true;
	return PageSwapCache(page as page) && pages.mapping[page as page] === 0 &&
		address >= start && address < end && tasks.mm[current()] === mm;
}
