// SPDX-License-Identifier: GPL-2.0-only
/*
 * Small states for the tests of rmap: tasks, areas and pages are put together from the functions
 * under test and from columns, without system calls and faults. Entries are written as numbers of
 * the x86 manual (volume 3, table 4-19), not by the helpers of src/arch.
 */
import { pgd_none, pgd_offset_pgd, pgd_populate, pmd_none, pmd_offset, pmd_populate,
	pte_offset_map, pud_none, pud_offset, pud_populate } from '../../src/arch/pgtable.ts';
import { PAGE_SIZE } from '../../src/arch/page.ts';
import { clear_frame, ram } from '../../src/arch/ram.ts';
import { INIT_LIST_HEAD } from '../../src/lib/list.ts';
import { kmem_cache_zalloc, type out } from '../../src/lib/struct.ts';
import { mm_alloc } from '../../src/mm/fork.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import { anon_vma_interval_tree_iter_first, anon_vma_interval_tree_iter_next,
	vma_interval_tree_insert, vma_interval_tree_insert_after, vma_interval_tree_iter_first,
	vma_interval_tree_iter_next } from '../../src/mm/interval_tree.ts';
import { ROOT_MEM_CGROUP } from '../../src/mm/memcontrol_types.ts';
import { mm_boot } from '../../src/mm/mm_init.ts';
import { address_spaces, avcs, files, mms, pages, tasks, vmas, VM_READ, VM_SHARED, VM_WRITE,
	type address_space, type anon_vma, type file, type mm_struct, type page, type ptep,
	type task_struct, type vm_area_struct } from '../../src/mm/mm_types.ts';
import { SetPageUptodate, set_page_mapping, __SetPageLocked } from '../../src/mm/page_flags.ts';
import { alloc_page } from '../../src/mm/page_alloc.ts';
import { anon_vma_fork, page_add_file_rmap, page_add_new_anon_rmap, page_dup_rmap, rmap_walk,
	unlink_anon_vmas, __anon_vma_prepare } from '../../src/mm/rmap.ts';
import { page_vma_mapped_walk as walk_t, page_vma_mapped_walk_init, rmap_walk_control }
	from '../../src/mm/rmap_types.ts';
import { page_vma_mapped_walk } from '../../src/mm/page_vma_mapped.ts';

export const PRESENT = 0x1, RW = 0x2, USER = 0x4, ACCESSED = 0x20, DIRTY = 0x40;
export const OLD = PRESENT | RW | USER;
export const YOUNG = OLD | ACCESSED;
/** Where the areas of the tests begin. */
export const BASE = 0x7f0000000000;

/** A machine of 32 MiB with a kernel of these commits; init runs on CPU 0. */
export function boot(commits: Iterable<number> = [], cpus = 2): void {
	mm_boot({ ramBytes: 32 * 1024 * 1024, cpus, commits });
}

/** A task with an address space of its own, in the root cgroup. */
export function newTask(): task_struct {
	const task = kmem_cache_zalloc(tasks);
	const mm = mm_alloc();

	tasks.pid[task] = 1000 + task;
	tasks.memcg[task] = ROOT_MEM_CGROUP;
	tasks.mm[task] = mm;
	tasks.active_mm[task] = mm;
	mms.owner[mm] = task;
	return task;
}

export function newMm(): mm_struct {
	return tasks.mm[newTask()];
}

function newTable(): page {
	const table = alloc_page(GFP_KERNEL);

	clear_frame(table);
	return table;
}

/** An anonymous private area of `nr` pages. */
export function newArea(mm: mm_struct, nr: number, start = BASE): vm_area_struct {
	const vma = kmem_cache_zalloc(vmas);

	vmas.vm_mm[vma] = mm;
	vmas.vm_start[vma] = start;
	vmas.vm_end[vma] = start + nr * PAGE_SIZE;
	vmas.vm_pgoff[vma] = start / PAGE_SIZE;
	vmas.vm_flags[vma] = VM_READ | VM_WRITE;
	INIT_LIST_HEAD(vmas.anon_vma_chain(vma));
	return vma;
}

/** The same area in another mm: what dup_mmap() does for one area. */
export function forkArea(parent: vm_area_struct, mm: mm_struct): vm_area_struct {
	const vma = kmem_cache_zalloc(vmas);

	for (const { array } of vmas.table.columns)
		array[vma] = array[parent]!;
	vmas.vm_mm[vma] = mm;
	vmas.vm_next[vma] = 0 as vm_area_struct;
	vmas.vm_prev[vma] = 0 as vm_area_struct;
	INIT_LIST_HEAD(vmas.anon_vma_chain(vma));
	if (anon_vma_fork(vma, parent))
		throw new Error('no memory for anon_vma_fork()');
	const file = vmas.vm_file[vma];
	if (file)
		vma_interval_tree_insert_after(vma, parent, files.f_mapping[file]);
	/* copy_pte_range() of a machine whose pages all stay where they are */
	for (let addr = vmas.vm_start[vma]; addr < vmas.vm_end[vma]; addr += PAGE_SIZE) {
		const pte = ram[ptepOf(vmas.vm_mm[parent], addr)]!;
		if (!(pte & PRESENT))
			continue;
		const page = pte >>> 12 as page;
		ram[ptepOf(mm, addr)] = pte & ~ACCESSED;
		pages._refcount[page]++;
		page_dup_rmap(page, false);
	}
	return vma;
}

/** Free a forked area's rmap, its entries being gone already. */
export function unlinkArea(vma: vm_area_struct): void {
	unlink_anon_vmas(vma);
	INIT_LIST_HEAD(vmas.anon_vma_chain(vma));
}

/** The entry of an address; tables are made. */
export function ptepOf(mm: mm_struct, addr: number): ptep {
	const pgd = pgd_offset_pgd(mms.pgd[mm], addr);
	if (pgd_none(ram[pgd]!))
		pgd_populate(pgd, newTable());
	const pud = pud_offset(pgd, addr);
	if (pud_none(ram[pud]!))
		pud_populate(pud, newTable());
	const pmd = pmd_offset(pud, addr);
	if (pmd_none(ram[pmd]!))
		pmd_populate(pmd, newTable());
	return pte_offset_map(pmd, addr);
}

/** The entry by which an area maps page `i` of it. */
export function pte(vma: vm_area_struct, i = 0): number {
	return ram[ptepOf(vmas.vm_mm[vma], vmas.vm_start[vma] + i * PAGE_SIZE)]!;
}

export function setPte(vma: vm_area_struct, i: number, page: page, bits: number): void {
	const ptep = ptepOf(vmas.vm_mm[vma], vmas.vm_start[vma] + i * PAGE_SIZE);

	ram[ptep] = page << 12 | bits;
	ram[ptep + 1] = 0;
}

/** Set or clear the accessed bit: what a CPU, or clear_refs, does. */
export function setYoung(vma: vm_area_struct, i: number, young: boolean): void {
	const ptep = ptepOf(vmas.vm_mm[vma], vmas.vm_start[vma] + i * PAGE_SIZE);

	if (young)
		ram[ptep]! |= ACCESSED;
	else
		ram[ptep]! &= ~ACCESSED;
}

/** A new anonymous page as page `i` of an area, with one reference besides the mapping's. */
export function newAnonPage(vma: vm_area_struct, i = 0, bits = OLD): page {
	const page = alloc_page(GFP_KERNEL);

	if (!vmas.anon_vma[vma] && __anon_vma_prepare(vma))
		throw new Error('no memory for __anon_vma_prepare()');
	pages._refcount[page]++;
	SetPageUptodate(page);
	page_add_new_anon_rmap(page, vma, vmas.vm_start[vma] + i * PAGE_SIZE, false);
	setPte(vma, i, page, bits);
	return page;
}

/** A file of no file system. */
export function newFile(): file {
	const file = kmem_cache_zalloc(files);

	files.f_count[file] = 1;
	files.f_mapping[file] = kmem_cache_zalloc(address_spaces);
	return file;
}

export function mappingOf(file: file): address_space {
	return files.f_mapping[file];
}

/** A shared area of a file, from its page 0. */
export function newFileArea(
	mm: mm_struct, file: file, nr: number, start = BASE, pgoff = 0,
): vm_area_struct {
	const vma = newArea(mm, nr, start);

	vmas.vm_file[vma] = file;
	vmas.vm_pgoff[vma] = pgoff;
	vmas.vm_flags[vma] |= VM_SHARED;
	vma_interval_tree_insert(vma, files.f_mapping[file]);
	return vma;
}

/** A page of a file, in no cache, with one reference, locked. */
export function newFilePage(file: file, index = 0): page {
	const page = alloc_page(GFP_KERNEL);

	set_page_mapping(page, files.f_mapping[file]);
	pages.index[page] = index;
	SetPageUptodate(page);
	__SetPageLocked(page);
	return page;
}

/** Map a file page as page `i` of an area. */
export function mapFilePage(vma: vm_area_struct, i: number, page: page, bits = OLD): void {
	pages._refcount[page]++;
	page_add_file_rmap(page, false);
	setPte(vma, i, page, bits);
}

/** Areas in the order in which a walk over page 0 of a file meets them. */
export function fileOrder(file: file, index = 0): vm_area_struct[] {
	const order: vm_area_struct[] = [];
	const mapping = files.f_mapping[file];

	for (let vma = vma_interval_tree_iter_first(mapping, index, index); vma;
	     vma = vma_interval_tree_iter_next(vma, index, index))
		order.push(vma);
	return order;
}

/** Areas in the order in which a walk over a page of an anon_vma meets them. */
export function anonOrder(anon_vma: anon_vma, pgoff = BASE / PAGE_SIZE): vm_area_struct[] {
	const order: vm_area_struct[] = [];

	for (let avc = anon_vma_interval_tree_iter_first(anon_vma, pgoff, pgoff); avc;
	     avc = anon_vma_interval_tree_iter_next(avc, pgoff, pgoff))
		order.push(avcs.vma[avc]);
	return order;
}

const pvmw = new walk_t();
const found: out<vm_area_struct[]> = { v: [] };
const collect = new rmap_walk_control<out<vm_area_struct[]>>(found, (page, vma, addr, arg) => {
	page_vma_mapped_walk_init(pvmw, page, vma, addr, 0);
	while (page_vma_mapped_walk(pvmw))
		arg.v.push(vma);
	return true;
});

/** The areas by which an rmap walk finds a page mapped, in its order. */
export function mappersOf(page: page): vm_area_struct[] {
	found.v = [];
	rmap_walk(page, collect);
	return found.v;
}
