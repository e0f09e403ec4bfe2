// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/memory.c, v5.10
 * Left out: huge and device pages, hugetlb, userfaultfd, NUMA balancing, KSM, hardware poison,
 * insertion of pages and pfns by drivers, access by ptrace beyond what mm/gup.ts does. The machine
 * has none of these.
 * Lock order modelled: mmap_lock > page lock > i_mmap_rwsem > anon_vma rwsem. Page table locks are
 * not: what runs between two scheduling points is one step.
 */
import { PAGE_SIZE, PGDIR_SIZE, PMD_SIZE, PTRS_PER_PTE, PUD_SIZE, addr_end, align_down,
	page_align_down, pte_index } from '../arch/page.ts';
import { NX_HI, mk_pte, pgd_none, pgd_populate, pmd_none, pmd_offset, pmd_populate, pmd_present,
	pte_clear, pte_dirty, pte_mkclean, pte_mkdirty, pte_mkold, pte_mksoft_dirty,
	pte_mkspecial, pte_mkwrite, pte_mkyoung, pte_none, pte_offset_map, pte_pfn, pte_present,
	pte_special, pte_write, pte_wrprotect, pte_young, ptep_get_and_clear,
	ptep_set_access_flags, ptep_set_wrprotect, pud_none, pud_offset, pud_populate,
	set_pte_at } from '../arch/pgtable.ts';
import { copy_frame, ram } from '../arch/ram.ts';
import { is_migration_entry, is_write_migration_entry, make_migration_entry,
	migration_entry_to_pfn, non_swap_entry, pte_swp_mksoft_dirty, pte_swp_soft_dirty,
	pte_to_swp_entry, swp_entry_to_pte_hi, swp_entry_to_pte_lo } from '../arch/swap.ts';
import { ilog2 } from '../lib/bitops.ts';
import { BUG, BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE, WouldBlock } from '../lib/bug.ts';
import { EAGAIN, EINVAL, ENOMEM } from '../lib/errno.ts';
import { list_add, list_empty } from '../lib/list.ts';
import { applied, MM_ADD_VMA_HAS_RECENCY, MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED,
	MM_MMU_NOTIFIER_AVOID_CALL_TO_INVALIDATE_RANGE_IN_RANGE_END,
	MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU } from '../lib/commits.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { global_f64, global_s32, type out } from '../lib/struct.ts';
import { current } from './current.ts';
import { maybe_unlock_mmap_for_io } from './filemap.ts';
import { fput } from './fs.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, __GFP_FS, __GFP_IO, __GFP_ZERO } from './gfp.ts';
import { is_cow_mapping } from './internal.ts';
import { vma_interval_tree_iter_first, vma_interval_tree_iter_next } from './interval_tree.ts';
import { count_memcg_event_mm, count_memcg_events_mm, mem_cgroup_charge,
	mem_cgroup_enter_user_fault, mem_cgroup_exit_user_fault, mem_cgroup_oom_synchronize,
	mem_cgroup_swap_full, task_in_memcg_oom } from './memcontrol.ts';
import { munlock_vma_page } from './mlock.ts';
import { MMF_UNSTABLE, add_mm_counter, get_page, maybe_mkwrite, mm_counter, mm_counter_file,
	mm_dec_nr_pmds, mm_dec_nr_ptes, mm_dec_nr_puds, mm_inc_nr_pmds, mm_inc_nr_ptes,
	mm_inc_nr_puds, page_count, page_mapcount, page_maybe_dma_pinned, page_private,
	page_rmapping, put_page, set_page_private, update_hiwater_rss, vma_is_anonymous,
	vma_pages, zap_details } from './mm.ts';
import { FAULT_FLAG_MKWRITE, FAULT_FLAG_TRIED, FAULT_FLAG_USER, FAULT_FLAG_WRITE, MM_ANONPAGES,
	MM_SWAPENTS, NR_MM_COUNTERS, VM_FAULT_DONE_COW, VM_FAULT_ERROR, VM_FAULT_LOCKED,
	VM_FAULT_MAJOR, VM_FAULT_NOPAGE, VM_FAULT_OOM, VM_FAULT_RETRY, VM_FAULT_SIGBUS,
	VM_FAULT_WRITE, VM_HUGETLB, VM_LOCKED, VM_MIXEDMAP, VM_PFNMAP, VM_SEQ_READ, VM_SHARED,
	VM_WRITE, address_spaces, files, mms, pages, tasks, vmas, type address_space, type file,
	type mm_struct, type page, type pte_t, type ptep, type swp_entry_t, type task_struct,
	type vm_area_struct } from './mm_types.ts';
import { unlink_file_vma } from './mmap.ts';
import { __tlb_remove_page, pmd_free_tlb, pte_free_tlb, pud_free_tlb, tlb_finish_mmu,
	tlb_flush_mmu, tlb_flush_mmu_tlbonly, tlb_gather_mm, tlb_gather_mmu, tlb_remove_tlb_entry,
	type mmu_gather } from './mmu_gather.ts';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_PAGE, MMU_NOTIFY_UNMAP,
	mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_only_end,
	mmu_notifier_invalidate_range_start, mmu_notifier_range, mmu_notifier_range_init,
	ptep_clear_flush_notify, set_pte_at_notify } from './mmu_notifier.ts';
import { balance_dirty_pages_ratelimited, set_page_dirty } from './page-writeback.ts';
import { vma_has_recency } from './mm_inline.ts';
import { alloc_page_vma, alloc_pages } from './page_alloc.ts';
import { ClearPageSwapCache, PageAnon, PageKsm, PageLocked, PageMlocked, PageSwapCache,
	PageUptodate, SetPageReserved, SetPageSwapBacked, SetPageSwapCache, SetPageUptodate,
	__SetPageLocked } from './page_flags.ts';
import { swap_readpage } from './page_io.ts';
import { linear_page_index, lock_page, lock_page_or_retry, mapping_gfp_mask, trylock_page,
	unlock_page } from './pagemap.ts';
import { ptl_wait } from './ptlock.ts';
import { pgd_none_or_clear_bad, pgd_offset, pmd_alloc_one, pmd_free, pmd_none_or_clear_bad,
	pte_alloc_one, pte_free, pud_alloc_one, pud_free, pud_none_or_clear_bad,
	table_entry_clear, table_of_entry } from './pgtable.ts';
import { anon_vma_prepare, do_page_add_anon_rmap, flush_tlb_batched_pending, page_add_file_rmap,
	page_add_new_anon_rmap, page_dup_rmap, page_remove_rmap, unlink_anon_vmas }
	from './rmap.ts';
import { RMAP_EXCLUSIVE, i_mmap_lock_write, i_mmap_unlock_write } from './rmap_types.ts';
import { activate_page, lru_add_drain, lru_cache_add, lru_cache_add_inactive_or_unevictable,
	mark_page_accessed }
	from './swap.ts';
import { get_shadow_from_swap_cache, lookup_swap_cache, swapin_readahead } from './swap_state.ts';
import { SWP_SYNCHRONOUS_IO, swap_infos } from './swap_types.ts';
import { __swap_count, add_swap_count_continuation, free_swap_and_cache, reuse_swap_page,
	swap_duplicate, swap_free, swp_swap_info, try_to_free_swap } from './swapfile.ts';
import { vm_operations, type vm_fault } from './vm_ops.ts';
import { PGFAULT, PGMAJFAULT, PGREUSE, count_vm_event, count_vm_events } from './vmstat.ts';
import { workingset_refault } from './workingset.ts';

/* The pages that a vma's table entries name through a special entry and that are no struct page. */
export const zero_pfn = global_s32('zero_pfn');
/* Bytes around a read fault that are mapped if they are cached; a power of two. */
export const fault_around_bytes = global_f64('fault_around_bytes');
const fault_depth = global_s32('fault_depth');

const POINT_HANDLE_PTE_FAULT = point('handle_pte_fault');
const POINT_SWAP_PAGE_FOUND = point('do_swap_page.page_found');
const POINT_COPIED = point('wp_page_copy.copied');

const { vm_flags, vm_start, vm_end, vm_next, vm_mm, vm_page_prot, vm_page_prot_nx, vm_ops, vm_pgoff,
	vm_file } = vmas;

/**
 * The zero page and the sysctls, at boot.
 * @reduced the page is taken from the allocator, where the kernel's lies in its image
 */
export function init_zero_pfn(): void {
	const page = alloc_pages(GFP_KERNEL | __GFP_ZERO, 0);

	BUG_ON(!page, 'no page for the zero page');
	SetPageReserved(page);
	zero_pfn.v = page;
	fault_around_bytes.v = 65536;
}

/** @ported v5.10 include/linux/pgtable.h:is_zero_pfn() */
export function is_zero_pfn(pfn: number): boolean {
	return pfn === zero_pfn.v;
}

/** @ported v5.10 include/linux/pgtable.h:my_zero_pfn() */
export function my_zero_pfn(_addr: number): number {
	return zero_pfn.v;
}

/** @ported v5.10 */
export function sync_mm_rss(mm: mm_struct): void {
	const at = current() * NR_MM_COUNTERS;

	for (let i = 0; i < NR_MM_COUNTERS; i++) {
		if (tasks.rss_stat[at + i]) {
			add_mm_counter(mm, i, tasks.rss_stat[at + i]!);
			tasks.rss_stat[at + i] = 0;
		}
	}
	tasks.rss_stat_events[current()] = 0;
}

/** @ported v5.10 static */
function add_mm_counter_fast(mm: mm_struct, member: number, val: number): void {
	const task = current();

	if (tasks.mm[task] === mm)
		tasks.rss_stat[task * NR_MM_COUNTERS + member]! += val;
	else
		add_mm_counter(mm, member, val);
}
/** @ported v5.10 static */
function inc_mm_counter_fast(mm: mm_struct, member: number): void {
	add_mm_counter_fast(mm, member, 1);
}
/** @ported v5.10 static */
function dec_mm_counter_fast(mm: mm_struct, member: number): void {
	add_mm_counter_fast(mm, member, -1);
}

const TASK_RSS_EVENTS_THRESH = 64;

/** @ported v5.10 static */
function check_sync_rss_stat(task: task_struct): void {
	if (task !== current())
		return;
	if (tasks.rss_stat_events[task]++ > TASK_RSS_EVENTS_THRESH)
		sync_mm_rss(tasks.mm[task]);
}

/** @ported v5.10 static */
function free_pte_range(tlb: mmu_gather, pmd: number, addr: number): void {
	const token = table_of_entry(pmd);

	table_entry_clear(pmd);
	pte_free_tlb(tlb, token, addr);
	mm_dec_nr_ptes(tlb_gather_mm(tlb));
}

/** @ported v5.10 static */
function free_pmd_range(
	tlb: mmu_gather, pud: number, addr: number, end: number, floor: number, ceiling: number,
): void {
	let start = addr;
	let next: number;
	let pmd = pmd_offset(pud, addr);

	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (!pmd_none_or_clear_bad(pmd))
			free_pte_range(tlb, pmd, addr);
		pmd += 2;
		addr = next;
	} while (addr !== end);

	start = align_down(start, PUD_SIZE);
	if (start < floor)
		return;
	if (ceiling) {
		ceiling = align_down(ceiling, PUD_SIZE);
		if (!ceiling)
			return;
		if (end > ceiling)
			return;
	}

	const table = table_of_entry(pud);
	table_entry_clear(pud);
	pmd_free_tlb(tlb, table, start);
	mm_dec_nr_pmds(tlb_gather_mm(tlb));
}

/** @ported v5.10 static; free_p4d_range() with it, as that level is folded */
function free_pud_range(
	tlb: mmu_gather, p4d: number, addr: number, end: number, floor: number, ceiling: number,
): void {
	let start = addr;
	let next: number;
	let pud = pud_offset(p4d, addr);

	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (!pud_none_or_clear_bad(pud))
			free_pmd_range(tlb, pud, addr, next, floor, ceiling);
		pud += 2;
		addr = next;
	} while (addr !== end);

	start = align_down(start, PGDIR_SIZE);
	if (start < floor)
		return;
	if (ceiling) {
		ceiling = align_down(ceiling, PGDIR_SIZE);
		if (!ceiling)
			return;
		if (end > ceiling)
			return;
	}

	const table = table_of_entry(p4d);
	table_entry_clear(p4d);
	pud_free_tlb(tlb, table, start);
	mm_dec_nr_puds(tlb_gather_mm(tlb));
}

/**
 * Free the page tables of [addr, end) that no mapping from floor to ceiling needs; ceiling 0 is the
 * top of the address space.
 * @ported v5.10
 */
export function free_pgd_range(
	tlb: mmu_gather, addr: number, end: number, floor: number, ceiling: number,
): void {
	let next: number;

	addr = align_down(addr, PMD_SIZE);
	if (addr < floor)
		addr += PMD_SIZE;
	if (ceiling) {
		ceiling = align_down(ceiling, PMD_SIZE);
		if (!ceiling)
			return;
		if (end > ceiling)
			end -= PMD_SIZE;
	}
	if (addr >= end)
		return;
	let pgd = pgd_offset(tlb_gather_mm(tlb), addr);
	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (!pgd_none_or_clear_bad(pgd))
			free_pud_range(tlb, pgd, addr, next, floor, ceiling);
		pgd += 2;
		addr = next;
	} while (addr !== end);
}

/** @ported v5.10 */
export function free_pgtables(
	tlb: mmu_gather, vma: vm_area_struct, floor: number, ceiling: number,
): void {
	while (vma) {
		let next = vm_next[vma];
		const addr = vm_start[vma];

		unlink_anon_vmas(vma);
		unlink_file_vma(vma);
		while (next && vm_start[next] <= vm_end[vma] + PMD_SIZE) {
			vma = next;
			next = vm_next[vma];
			unlink_anon_vmas(vma);
			unlink_file_vma(vma);
		}
		free_pgd_range(tlb, addr, vm_end[vma], floor, next ? vm_start[next] : ceiling);
		vma = next;
	}
}

/** @ported v5.10 */
export function __pte_alloc(mm: mm_struct, pmd: number): number {
	const table = pte_alloc_one(mm);

	if (!table)
		return -ENOMEM;
	/* The allocation may have run others, who may have filled the entry. */
	if (pmd_none(ram[pmd]!)) {
		mm_inc_nr_ptes(mm);
		pmd_populate(pmd, table);
	} else {
		pte_free(mm, table);
	}
	return 0;
}

/** 0 or -ENOMEM. @ported v5.10 include/linux/mm.h:pte_alloc() */
export function pte_alloc(mm: mm_struct, pmd: number): number {
	return pmd_none(ram[pmd]!) ? __pte_alloc(mm, pmd) : 0;
}

/**
 * The entry of an address in a table that is allocated if need be, or 0.
 * @ported v5.10 include/linux/mm.h:pte_alloc_map()
 */
export function pte_alloc_map(mm: mm_struct, pmd: number, address: number): ptep {
	return pte_alloc(mm, pmd) ? 0 : pte_offset_map(pmd, address);
}

/** @ported v5.10 include/linux/mm.h:pud_alloc(); 0 for no memory */
export function pud_alloc(mm: mm_struct, p4d: number, address: number): number {
	return pgd_none(ram[p4d]!) && __pud_alloc(mm, p4d, address) ? 0 : pud_offset(p4d, address);
}

/** @ported v5.10 include/linux/mm.h:pmd_alloc(); 0 for no memory */
export function pmd_alloc(mm: mm_struct, pud: number, address: number): number {
	return pud_none(ram[pud]!) && __pmd_alloc(mm, pud, address) ? 0 : pmd_offset(pud, address);
}

/* Dead when the function that fills it returns; none of its users calls another. */
const rss_vec = new Int32Array(NR_MM_COUNTERS);

/** @ported v5.10 static */
function init_rss_vec(rss: Int32Array): void {
	rss.fill(0);
}

/** @ported v5.10 static */
function add_mm_rss_vec(mm: mm_struct, rss: Int32Array): void {
	if (tasks.mm[current()] === mm)
		sync_mm_rss(mm);
	for (let i = 0; i < NR_MM_COUNTERS; i++)
		if (rss[i])
			add_mm_counter(mm, i, rss[i]!);
}

/** @custom stops the machine, where the kernel prints and goes on */
function print_bad_pte(vma: vm_area_struct, addr: number, pte: pte_t, page: page): never {
	BUG(`bad page map: vma ${vma} at 0x${addr.toString(16)}, pte ` +
		`0x${(pte >>> 0).toString(16)}, page ${page}`);
}

/**
 * The page of an entry, 0 for one that has no struct page of its own to count: the zero page.
 * @reduced VM_PFNMAP and VM_MIXEDMAP mappings without special entries do not exist on x86-64
 */
export function vm_normal_page(vma: vm_area_struct, addr: number, pte: pte_t): page {
	const pfn = pte_pfn(pte);

	if (pte_special(pte)) {
		if (vm_flags[vma] & (VM_PFNMAP | VM_MIXEDMAP))
			return 0 as page;
		if (is_zero_pfn(pfn))
			return 0 as page;
		print_bad_pte(vma, addr, pte, 0 as page);
	}
	return pfn as page;
}

/** @ported v5.10 static; returns the entry that needs a continuation of its count, or 0 */
function copy_nonpresent_pte(
	dst_mm: mm_struct, src_mm: mm_struct, dst_pte: ptep, src_pte: ptep,
	dst_vma: vm_area_struct, _src_vma: vm_area_struct, addr: number, rss: Int32Array,
): swp_entry_t {
	let pte = ram[src_pte]!, hi = ram[src_pte + 1]!;
	const entry = pte_to_swp_entry(pte, hi);

	if (!non_swap_entry(entry)) {
		if (swap_duplicate(entry) < 0)
			return entry;

		/* swapoff finds the mms that hold entries through this list. */
		if (list_empty(mms.mmlist(dst_mm)))
			list_add(mms.mmlist(dst_mm), mms.mmlist(src_mm));
		rss[MM_SWAPENTS]!++;
	} else if (is_migration_entry(entry)) {
		const page = migration_entry_to_pfn(entry) as page;

		rss[mm_counter(page)]!++;
		if (is_write_migration_entry(entry) && is_cow_mapping(vm_flags[dst_vma])) {
			/* Copy-on-write wants both without write permission. */
			const readable = make_migration_entry(page, false);
			const soft_dirty = pte_swp_soft_dirty(pte);
			pte = swp_entry_to_pte_lo(readable);
			hi = swp_entry_to_pte_hi(readable);
			if (soft_dirty)
				pte = pte_swp_mksoft_dirty(pte);
			set_pte_at(src_mm, addr, src_pte, pte, hi);
		}
	}
	set_pte_at(dst_mm, addr, dst_pte, pte, hi);
	return 0;
}

/* struct page **prealloc of copy_pte_range() and below; 0 outside of it. */
const prealloc: out<page> = { v: 0 as page };

/**
 * Copy a page that may be pinned for DMA. 0 done, 1 share it instead, -EAGAIN: allocate first.
 * @ported v5.10 static; with v5.10.153's check for a page of a file, where older ones stop at a BUG
 */
function copy_present_page(
	dst_vma: vm_area_struct, src_vma: vm_area_struct, dst_pte: ptep, _src_pte: ptep,
	addr: number, rss: Int32Array, page: page,
): number {
	const src_mm = vm_mm[src_vma];

	if (!is_cow_mapping(vm_flags[src_vma]))
		return 1;
	if (!mms.has_pinned[src_mm])
		return 1;
	if (!page_maybe_dma_pinned(page))
		return 1;
	/* The child's vma has no anon_vma where the parent's has no anonymous page. */
	if (!PageAnon(page))
		return 1;

	const new_page = prealloc.v;
	if (!new_page)
		return -EAGAIN;
	prealloc.v = 0 as page;
	copy_frame(new_page, page);
	SetPageUptodate(new_page);
	page_add_new_anon_rmap(new_page, dst_vma, addr, false);
	lru_cache_add_inactive_or_unevictable(new_page, dst_vma);
	rss[mm_counter(new_page)]!++;

	let pte = mk_pte(new_page, vm_page_prot[dst_vma]);
	pte = maybe_mkwrite(pte_mkdirty(pte), dst_vma);
	set_pte_at(vm_mm[dst_vma], addr, dst_pte, pte, pte_prot_hi(dst_vma));
	return 0;
}

/** @ported v5.10 static; 0 or -EAGAIN */
function copy_present_pte(
	dst_vma: vm_area_struct, src_vma: vm_area_struct, dst_pte: ptep, src_pte: ptep,
	addr: number, rss: Int32Array,
): number {
	const src_mm = vm_mm[src_vma];
	const flags = vm_flags[src_vma];
	let pte = ram[src_pte]!;
	const page = vm_normal_page(src_vma, addr, pte);

	if (page) {
		const retval = copy_present_page(
			dst_vma, src_vma, dst_pte, src_pte, addr, rss, page);
		if (retval <= 0)
			return retval;

		get_page(page);
		page_dup_rmap(page, false);
		rss[mm_counter(page)]!++;
	}

	if (is_cow_mapping(flags) && pte_write(pte)) {
		ptep_set_wrprotect(src_mm, addr, src_pte);
		pte = pte_wrprotect(pte);
	}
	/* A shared mapping's dirty bit stays with the parent. */
	if (flags & VM_SHARED)
		pte = pte_mkclean(pte);
	pte = pte_mkold(pte);
	set_pte_at(vm_mm[dst_vma], addr, dst_pte, pte, ram[src_pte + 1]!);
	return 0;
}

/** @ported v5.10 static */
function page_copy_prealloc(src_mm: mm_struct, vma: vm_area_struct, addr: number): page {
	const new_page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, addr);

	if (!new_page)
		return new_page;
	if (mem_cgroup_charge(new_page, src_mm, GFP_KERNEL)) {
		put_page(new_page);
		return 0 as page;
	}
	return new_page;
}

/** @ported v5.10 static; nobody else wants the CPU, so the batch of 32 is not cut */
function copy_pte_range(
	dst_vma: vm_area_struct, src_vma: vm_area_struct, dst_pmd: number, src_pmd: number,
	addr: number, end: number,
): number {
	const dst_mm = vm_mm[dst_vma], src_mm = vm_mm[src_vma];
	const rss = rss_vec;
	let ret = 0;

	ptl_wait(src_mm, addr);
	prealloc.v = 0 as page;
	again: for (;;) {
		let entry: swp_entry_t = 0;

		let dst_pte = pte_alloc_map(dst_mm, dst_pmd, addr);
		if (!dst_pte) {
			ret = -ENOMEM;
			break again;
		}
		/* Not before: the allocation may have run others, who use it too. */
		init_rss_vec(rss);
		let src_pte = pte_offset_map(src_pmd, addr);
		do {
			const pte = ram[src_pte]!;

			if (pte_none(pte)) {
				/* nothing there */
			} else if (!pte_present(pte)) {
				entry = copy_nonpresent_pte(dst_mm, src_mm, dst_pte, src_pte,
					dst_vma, src_vma, addr, rss);
				if (entry)
					break;
			} else {
				ret = copy_present_pte(
					dst_vma, src_vma, dst_pte, src_pte, addr, rss);
				if (ret === -EAGAIN)
					break;
				if (prealloc.v) {
					/* Allocated for a pin that was gone when it was there. */
					put_page(prealloc.v);
					prealloc.v = 0 as page;
				}
			}
			dst_pte += 2;
			src_pte += 2;
			addr += PAGE_SIZE;
		} while (addr !== end);

		add_mm_rss_vec(dst_mm, rss);
		if (entry) {
			if (add_swap_count_continuation(entry, GFP_KERNEL) < 0) {
				ret = -ENOMEM;
				break again;
			}
		} else if (ret) {
			prealloc.v = page_copy_prealloc(src_mm, src_vma, addr);
			if (!prealloc.v)
				return -ENOMEM;
			ret = 0;
		}
		if (addr === end)
			break;
	}
	if (prealloc.v) {
		put_page(prealloc.v);
		prealloc.v = 0 as page;
	}
	return ret;
}

/** @ported v5.10 static */
function copy_pmd_range(
	dst_vma: vm_area_struct, src_vma: vm_area_struct, dst_pud: number, src_pud: number,
	addr: number, end: number,
): number {
	let next: number;
	let dst_pmd = pmd_alloc(vm_mm[dst_vma], dst_pud, addr);

	if (!dst_pmd)
		return -ENOMEM;
	let src_pmd = pmd_offset(src_pud, addr);
	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (!pmd_none_or_clear_bad(src_pmd) &&
		    copy_pte_range(dst_vma, src_vma, dst_pmd, src_pmd, addr, next))
			return -ENOMEM;
		dst_pmd += 2;
		src_pmd += 2;
		addr = next;
	} while (addr !== end);
	return 0;
}

/** @ported v5.10 static; copy_p4d_range() with it, as that level is folded */
function copy_pud_range(
	dst_vma: vm_area_struct, src_vma: vm_area_struct, dst_p4d: number, src_p4d: number,
	addr: number, end: number,
): number {
	let next: number;
	let dst_pud = pud_alloc(vm_mm[dst_vma], dst_p4d, addr);

	if (!dst_pud)
		return -ENOMEM;
	let src_pud = pud_offset(src_p4d, addr);
	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (!pud_none_or_clear_bad(src_pud) &&
		    copy_pmd_range(dst_vma, src_vma, dst_pud, src_pud, addr, next))
			return -ENOMEM;
		dst_pud += 2;
		src_pud += 2;
		addr = next;
	} while (addr !== end);
	return 0;
}

/**
 * Copy the table entries of a mapping at fork; 0 or -ENOMEM.
 * @ported v5.10
 */
export function copy_page_range(dst_vma: vm_area_struct, src_vma: vm_area_struct): number {
	let addr = vm_start[src_vma];
	const end = vm_end[src_vma];
	const dst_mm = vm_mm[dst_vma], src_mm = vm_mm[src_vma];
	let next: number;

	/* The child's own faults find all of it in the file. */
	if (!(vm_flags[src_vma] & (VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP)) &&
	    !vmas.anon_vma[src_vma])
		return 0;

	const is_cow = is_cow_mapping(vm_flags[src_vma]);
	const range = is_cow ? new mmu_notifier_range() : null;
	if (range) {
		mmu_notifier_range_init(range, MMU_NOTIFY_PROTECTION_PAGE, 0, src_vma, src_mm,
			addr, end);
		mmu_notifier_invalidate_range_start(range);
	}

	let ret = 0;
	let dst_pgd = pgd_offset(dst_mm, addr);
	let src_pgd = pgd_offset(src_mm, addr);
	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (!pgd_none_or_clear_bad(src_pgd) &&
		    copy_pud_range(dst_vma, src_vma, dst_pgd, src_pgd, addr, next)) {
			ret = -ENOMEM;
			break;
		}
		dst_pgd += 2;
		src_pgd += 2;
		addr = next;
	} while (addr !== end);

	if (range)
		mmu_notifier_invalidate_range_end(range);
	return ret;
}

/** Private copies too. @ported v5.10 static */
function should_zap_cows(details: zap_details | null): boolean {
	if (!details)
		return true;
	if (!applied(MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED
	    /* 5abfd71d936a, v5.18 */))
		return false;
	return !details.check_mapping;
}

/** @ported v5.10 static; need_resched() is never set */
function zap_pte_range(
	tlb: mmu_gather, vma: vm_area_struct, pmd: number, addr: number, end: number,
	details: zap_details | null,
): number {
	const mm = tlb_gather_mm(tlb);
	const rss = rss_vec;

	ptl_wait(mm, addr);
	for (;;) {
		let force_flush = false;

		init_rss_vec(rss);
		let pte = pte_offset_map(pmd, addr);
		flush_tlb_batched_pending(mm);
		do {
			let ptent = ram[pte]!;
			const hi = ram[pte + 1]!;

			if (pte_none(ptent)) {
				/* nothing there */
			} else if (pte_present(ptent)) {
				const page = vm_normal_page(vma, addr, ptent);

				/* A row of anon_vmas can have the number of one of mappings. */
				if (details && page && details.check_mapping &&
				    (PageAnon(page) ||
				    details.check_mapping !== page_rmapping(page))) {
					/* a private copy: it stays */
				} else {
					ptent = ptep_get_and_clear(mm, addr, pte);
					tlb_remove_tlb_entry(tlb, addr);
					if (page) {
						if (!PageAnon(page)) {
							if (pte_dirty(ptent)) {
								force_flush = true;
								set_page_dirty(page);
							}
							if (pte_young(ptent) &&
							    (applied(MM_ADD_VMA_HAS_RECENCY
							    /* 8788f6781486, v6.3 */)
							    ? vma_has_recency(vma)
							    : !(vm_flags[vma] & VM_SEQ_READ)))
								mark_page_accessed(page);
						}
						rss[mm_counter(page)]!--;
						page_remove_rmap(page, false);
						if (page_mapcount(page) < 0)
							print_bad_pte(vma, addr, ptent, page);
						if (__tlb_remove_page(tlb, page)) {
							force_flush = true;
							addr += PAGE_SIZE;
							break;
						}
					}
				}
			} else if (should_zap_cows(details)) {
				const entry = pte_to_swp_entry(ptent, hi);

				if (!non_swap_entry(entry)) {
					rss[MM_SWAPENTS]!--;
				} else if (is_migration_entry(entry)) {
					const page = migration_entry_to_pfn(entry) as page;
					rss[mm_counter(page)]!--;
				}
				if (!free_swap_and_cache(entry))
					print_bad_pte(vma, addr, ptent, 0 as page);
				pte_clear(mm, addr, pte);
			}
			pte += 2;
			addr += PAGE_SIZE;
		} while (addr !== end);

		add_mm_rss_vec(mm, rss);

		/* The flush is before the page table lock is dropped, the freeing after. */
		if (force_flush) {
			tlb_flush_mmu_tlbonly(tlb);
			tlb_flush_mmu(tlb);
		}
		if (addr === end)
			return addr;
	}
}

/** @ported v5.10 static */
function zap_pmd_range(
	tlb: mmu_gather, vma: vm_area_struct, pud: number, addr: number, end: number,
	details: zap_details | null,
): number {
	let pmd = pmd_offset(pud, addr);
	let next: number;

	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (!pmd_none_or_clear_bad(pmd))
			next = zap_pte_range(tlb, vma, pmd, addr, next, details);
		pmd += 2;
		addr = next;
	} while (addr !== end);
	return addr;
}

/** @ported v5.10 static; zap_p4d_range() with it, as that level is folded */
function zap_pud_range(
	tlb: mmu_gather, vma: vm_area_struct, p4d: number, addr: number, end: number,
	details: zap_details | null,
): number {
	let pud = pud_offset(p4d, addr);
	let next: number;

	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (!pud_none_or_clear_bad(pud))
			next = zap_pmd_range(tlb, vma, pud, addr, next, details);
		pud += 2;
		addr = next;
	} while (addr !== end);
	return addr;
}

/** @ported v5.10 */
export function unmap_page_range(
	tlb: mmu_gather, vma: vm_area_struct, addr: number, end: number,
	details: zap_details | null,
): void {
	let next: number;

	BUG_ON(addr >= end, 'unmap_page_range: an empty range');
	let pgd = pgd_offset(vm_mm[vma], addr);
	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (!pgd_none_or_clear_bad(pgd))
			next = zap_pud_range(tlb, vma, pgd, addr, next, details);
		pgd += 2;
		addr = next;
	} while (addr !== end);
}

/** @ported v5.10 static */
function unmap_single_vma(
	tlb: mmu_gather, vma: vm_area_struct, start_addr: number, end_addr: number,
	details: zap_details | null,
): void {
	const start = Math.max(vm_start[vma], start_addr);

	if (start >= vm_end[vma])
		return;
	const end = Math.min(vm_end[vma], end_addr);
	if (end <= vm_start[vma])
		return;
	if (start !== end)
		unmap_page_range(tlb, vma, start, end, details);
}

/** @ported v5.10 */
export function unmap_vmas(
	tlb: mmu_gather, vma: vm_area_struct, start_addr: number, end_addr: number,
): void {
	const range = new mmu_notifier_range();

	mmu_notifier_range_init(range, MMU_NOTIFY_UNMAP, 0, vma, vm_mm[vma], start_addr, end_addr);
	mmu_notifier_invalidate_range_start(range);
	for (; vma && vm_start[vma] < end_addr; vma = vm_next[vma])
		unmap_single_vma(tlb, vma, start_addr, end_addr, null);
	mmu_notifier_invalidate_range_end(range);
}

/**
 * Remove the pages of [start, start + size) from the mappings there: MADV_DONTNEED.
 * @ported v5.10
 */
export function zap_page_range(vma: vm_area_struct, start: number, size: number): void {
	const range = new mmu_notifier_range();
	const mm = vm_mm[vma];

	lru_add_drain();
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, start + size);
	const tlb = tlb_gather_mmu(mm, start, range.end);
	update_hiwater_rss(mm);
	mmu_notifier_invalidate_range_start(range);
	for (; vma && vm_start[vma] < range.end; vma = vm_next[vma])
		unmap_single_vma(tlb, vma, start, range.end, null);
	mmu_notifier_invalidate_range_end(range);
	tlb_finish_mmu(tlb, start, range.end);
}

/** @ported v5.10 static */
function zap_page_range_single(
	vma: vm_area_struct, address: number, size: number, details: zap_details | null,
): void {
	const range = new mmu_notifier_range();
	const mm = vm_mm[vma];

	lru_add_drain();
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, vma, mm, address, address + size);
	const tlb = tlb_gather_mmu(mm, address, range.end);
	update_hiwater_rss(mm);
	mmu_notifier_invalidate_range_start(range);
	unmap_single_vma(tlb, vma, address, range.end, details);
	mmu_notifier_invalidate_range_end(range);
	tlb_finish_mmu(tlb, address, range.end);
}

/** @ported v5.10 arch/x86/include/asm/page.h:alloc_zeroed_user_highpage_movable() */
export function alloc_zeroed_user_highpage_movable(vma: vm_area_struct, vaddr: number): page {
	return alloc_page_vma(GFP_HIGHUSER_MOVABLE | __GFP_ZERO, vma, vaddr);
}

/** The OOM reaper has emptied the mm: what was there is lost. @ported v5.10 static */
export function check_stable_address_space(mm: mm_struct): number {
	return mms.flags[mm] & (1 << MMF_UNSTABLE) ? VM_FAULT_SIGBUS : 0;
}

/** High word of a new entry of the vma: NX. @custom an entry is two words here */
export function pte_prot_hi(vma: vm_area_struct): number {
	return vm_page_prot_nx[vma] ? NX_HI : 0;
}

/** pte_same(*vmf->pte, vmf->orig_pte) of both words. @custom an entry is two words here */
function pte_same_orig(vmf: vm_fault): boolean {
	/* The hardware may have set the accessed or dirty bit meanwhile: then they differ too. */
	return ram[vmf.pte] === vmf.orig_pte && ram[vmf.pte + 1] === vmf.orig_pte_hi;
}

/** @reduced a page without a struct page is never the source: nothing maps bare pfns */
function cow_user_page(dst: page, src: page, _vmf: vm_fault): boolean {
	BUG_ON(!src, 'cow_user_page: nothing to copy from');
	copy_frame(dst, src);
	return true;
}

/** @ported v5.10 static */
function __get_fault_gfp_mask(vma: vm_area_struct): number {
	const file = vm_file[vma];

	if (file)
		return mapping_gfp_mask(files.f_mapping[file]) | __GFP_FS | __GFP_IO;
	return GFP_KERNEL;
}

/** @ported v5.10 static */
function do_page_mkwrite(vmf: vm_fault): number {
	const page = vmf.page;
	const old_flags = vmf.flags;

	vmf.flags = FAULT_FLAG_WRITE | FAULT_FLAG_MKWRITE;
	let ret = vm_operations(vm_ops[vmf.vma]).page_mkwrite!(vmf);
	vmf.flags = old_flags;
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))
		return ret;
	if (!(ret & VM_FAULT_LOCKED)) {
		lock_page(page);
		if (!pages.mapping[page]) {
			unlock_page(page);
			return 0;	/* truncated: try again */
		}
		ret |= VM_FAULT_LOCKED;
	} else {
		VM_BUG_ON_PAGE(!PageLocked(page), page, 'page_mkwrite said that it is locked');
	}
	return ret;
}

/** @reduced no file time */
function fault_dirty_shared_page(vmf: vm_fault): number {
	const vma = vmf.vma;
	const page = vmf.page;
	const page_mkwrite = vm_ops[vma] !== 0 &&
		vm_operations(vm_ops[vma]).page_mkwrite !== undefined;

	const dirtied = set_page_dirty(page);
	VM_BUG_ON_PAGE(PageAnon(page), page, 'an anonymous page is dirtied as a shared one');
	const mapping = page_rmapping(page) as number as address_space;
	unlock_page(page);
	if ((dirtied || page_mkwrite) && mapping) {
		/* It may wait for I/O: without the mmap lock if it can be dropped. */
		const fpin = maybe_unlock_mmap_for_io(vmf, 0 as file);

		balance_dirty_pages_ratelimited(mapping);
		if (fpin) {
			fput(fpin);
			return VM_FAULT_RETRY;
		}
	}
	return 0;
}

/** @ported v5.10 static */
function wp_page_reuse(vmf: vm_fault): void {
	const vma = vmf.vma;

	let entry = pte_mkyoung(vmf.orig_pte);
	entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	ptep_set_access_flags(vm_mm[vma], vmf.address, vmf.pte, entry, vmf.orig_pte_hi, 1);
	count_vm_event(PGREUSE);
}

/** @ported v5.10 static; mmu_notifier_range of the fault, at its depth */
function wp_page_copy(vmf: vm_fault): number {
	const vma = vmf.vma;
	const mm = vm_mm[vma];
	const old_page = vmf.page;
	let new_page = 0 as page;
	let page_copied = false;

	oom: {
		try {
			if (anon_vma_prepare(vma))
				break oom;
		} catch (error) {
			if (old_page && error instanceof WouldBlock)
				put_page(old_page);
			throw error;
		}

		if (is_zero_pfn(pte_pfn(vmf.orig_pte))) {
			new_page = alloc_zeroed_user_highpage_movable(vma, vmf.address);
			if (!new_page)
				break oom;
		} else {
			new_page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, vmf.address);
			if (!new_page)
				break oom;
			cow_user_page(new_page, old_page, vmf);
		}

		if (mem_cgroup_charge(new_page, mm, GFP_KERNEL)) {
			put_page(new_page);
			break oom;
		}
		SetPageUptodate(new_page);
		scheduling_point(POINT_COPIED, new_page, vmf.address);

		const range = new mmu_notifier_range();
		mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, vma, mm,
			vmf.address, vmf.address + PAGE_SIZE);
		mmu_notifier_invalidate_range_start(range);

		vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
		if (pte_same_orig(vmf)) {
			if (old_page) {
				if (!PageAnon(old_page)) {
					dec_mm_counter_fast(mm, mm_counter_file(old_page));
					inc_mm_counter_fast(mm, MM_ANONPAGES);
				}
			} else {
				inc_mm_counter_fast(mm, MM_ANONPAGES);
			}
			let entry = mk_pte(new_page, vm_page_prot[vma]);
			entry = maybe_mkwrite(pte_mkdirty(entry), vma);

			/*
			 * The old translation is gone everywhere before the new one can be
			 * seen, so no two CPUs use different pages.
			 */
			ptep_clear_flush_notify(vma, vmf.address, vmf.pte);
			page_add_new_anon_rmap(new_page, vma, vmf.address, false);
			lru_cache_add_inactive_or_unevictable(new_page, vma);
			/* Secondary MMUs may take the new page at once. */
			set_pte_at_notify(mm, vmf.address, vmf.pte, entry, pte_prot_hi(vma));
			if (old_page)
				page_remove_rmap(old_page, false);

			new_page = old_page;
			page_copied = true;
		}

		if (new_page)
			put_page(new_page);

		/* invalidate_range() was part of ptep_clear_flush_notify() */
		if (applied(MM_MMU_NOTIFIER_AVOID_CALL_TO_INVALIDATE_RANGE_IN_RANGE_END
			/* 4645b9fe84bf, v4.15 */))
			mmu_notifier_invalidate_range_only_end(range);
		else
			mmu_notifier_invalidate_range_end(range);
		if (old_page) {
			if (page_copied && (vm_flags[vma] & VM_LOCKED)) {
				lock_page(old_page);
				if (PageMlocked(old_page))
					munlock_vma_page(old_page);
				unlock_page(old_page);
			}
			put_page(old_page);
		}
		return page_copied ? VM_FAULT_WRITE : 0;
	}
	if (old_page)
		put_page(old_page);
	return VM_FAULT_OOM;
}

/** @ported v5.10 */
export function finish_mkwrite_fault(vmf: vm_fault): number {
	VM_BUG_ON(!(vm_flags[vmf.vma] & VM_SHARED), 'finish_mkwrite_fault: not shared');
	vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
	if (!pte_same_orig(vmf))
		return VM_FAULT_NOPAGE;
	wp_page_reuse(vmf);
	return 0;
}

/** @ported v5.10 static */
function wp_page_shared(vmf: vm_fault): number {
	const vma = vmf.vma;
	let ret = VM_FAULT_WRITE;

	would_wait_for_lock(vmf.page);
	get_page(vmf.page);
	if (vm_ops[vma] && vm_operations(vm_ops[vma]).page_mkwrite) {
		let tmp = do_page_mkwrite(vmf);
		if (!tmp || (tmp & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))) {
			put_page(vmf.page);
			return tmp;
		}
		tmp = finish_mkwrite_fault(vmf);
		if (tmp & (VM_FAULT_ERROR | VM_FAULT_NOPAGE)) {
			unlock_page(vmf.page);
			put_page(vmf.page);
			return tmp;
		}
	} else {
		wp_page_reuse(vmf);
		lock_page(vmf.page);
	}
	ret |= fault_dirty_shared_page(vmf);
	put_page(vmf.page);
	return ret;
}

/**
 * The kernel would sleep for the page lock in the middle of what follows. The holder is what this
 * access interrupts, so it would sleep forever: stop before anything is changed, and run again.
 * @custom there are no stacks to come back to
 */
function would_wait_for_lock(page: page): void {
	if (PageLocked(page))
		throw new WouldBlock(`the lock of page ${page}`);
}

/** @ported v5.10 static */
function do_wp_page(vmf: vm_fault): number {
	const vma = vmf.vma;

	vmf.page = vm_normal_page(vma, vmf.address, vmf.orig_pte);
	if (!vmf.page) {
		BUG_ON((vm_flags[vma] & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED),
			'a shared mapping without struct pages');
		return wp_page_copy(vmf);
	}

	copy: {
		if (PageAnon(vmf.page)) {
			const page = vmf.page;

			/* A page with any other reference, even the swap cache's, is copied. */
			if (PageKsm(page) || page_count(page) !== 1)
				break copy;
			if (!trylock_page(page))
				break copy;
			if (PageKsm(page) || page_mapcount(page) !== 1 || page_count(page) !== 1) {
				unlock_page(page);
				break copy;
			}
			unlock_page(page);
			wp_page_reuse(vmf);
			return VM_FAULT_WRITE;
		} else if ((vm_flags[vma] & (VM_WRITE | VM_SHARED)) === (VM_WRITE | VM_SHARED)) {
			return wp_page_shared(vmf);
		}
	}
	if (vm_flags[vma] & VM_LOCKED)
		would_wait_for_lock(vmf.page);
	get_page(vmf.page);
	return wp_page_copy(vmf);
}

/** @ported v5.10 static */
function unmap_mapping_range_vma(
	vma: vm_area_struct, start_addr: number, end_addr: number, details: zap_details,
): void {
	zap_page_range_single(vma, start_addr, end_addr - start_addr, details);
}

/** @ported v5.10 static */
function unmap_mapping_range_tree(mapping: address_space, details: zap_details): void {
	const { first_index, last_index } = details;

	for (let vma = vma_interval_tree_iter_first(mapping, first_index, last_index); vma;
	     vma = vma_interval_tree_iter_next(vma, first_index, last_index)) {
		const vba = vm_pgoff[vma];
		const vea = vba + vma_pages(vma) - 1;
		const zba = Math.max(details.first_index, vba);
		const zea = Math.min(details.last_index, vea);

		unmap_mapping_range_vma(vma, (zba - vba) * PAGE_SIZE + vm_start[vma],
			(zea - vba + 1) * PAGE_SIZE + vm_start[vma], details);
	}
}

/**
 * Unmap pages [start, start + nr) of a file from every mapping.
 * @param even_cows also private copies
 * @ported v5.10
 */
export function unmap_mapping_pages(
	mapping: address_space, start: number, nr: number, even_cows: boolean,
): void {
	const details = new zap_details();

	details.check_mapping = even_cows ? 0 as address_space : mapping;
	details.first_index = start;
	details.last_index = start + nr - 1;

	i_mmap_lock_write(mapping);
	if (address_spaces.i_mmap[mapping])
		unmap_mapping_range_tree(mapping, details);
	i_mmap_unlock_write(mapping);
}

/**
 * The same by bytes; holelen 0 is up to the end of the file.
 * @ported v5.10
 */
export function unmap_mapping_range(
	mapping: address_space, holebegin: number, holelen: number, even_cows: boolean,
): void {
	const hba = Math.floor(holebegin / PAGE_SIZE);
	const hlen = Math.ceil(holelen / PAGE_SIZE);

	unmap_mapping_pages(mapping, hba, hlen || 2 ** 52, even_cows);
}

/** @ported v5.10 */
export function do_swap_page(vmf: vm_fault): number {
	const vma = vmf.vma;
	const mm = vm_mm[vma];
	let exclusive = 0;
	let ret = 0;

	const entry = pte_to_swp_entry(vmf.orig_pte, vmf.orig_pte_hi);
	if (non_swap_entry(entry)) {
		if (is_migration_entry(entry)) {
			/* migration_entry_wait(): until the migration has ended */
			throw new WouldBlock('the migration of a page');
		}
		print_bad_pte(vma, vmf.address, vmf.orig_pte, 0 as page);
	}

	let page = lookup_swap_cache(entry, vma, vmf.address);
	let swapcache = page;

	out_release: { out_page: {
		if (!page) {
			const si = swp_swap_info(entry);

			if ((swap_infos.flags[si] & SWP_SYNCHRONOUS_IO) &&
			    __swap_count(entry) === 1) {
				/* Nobody else has it: past the swap cache. */
				page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, vmf.address);
				if (page) {
					__SetPageLocked(page);
					SetPageSwapBacked(page);
					set_page_private(page, entry);

					/* Charge by the entry's owner. */
					SetPageSwapCache(page);
					const err = mem_cgroup_charge(page, mm, GFP_KERNEL);
					ClearPageSwapCache(page);
					if (err) {
						ret = VM_FAULT_OOM;
						break out_page;
					}
					const shadow = get_shadow_from_swap_cache(entry);
					if (shadow)
						workingset_refault(page, shadow);
					lru_cache_add(page);
					swap_readpage(page, true);
				}
			} else {
				page = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, vmf);
				swapcache = page;
			}

			if (!page) {
				vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
				if (pte_same_orig(vmf))
					ret = VM_FAULT_OOM;
				return ret;
			}

			ret = VM_FAULT_MAJOR;
			count_vm_event(PGMAJFAULT);
			count_memcg_event_mm(mm, PGMAJFAULT);
		}

		scheduling_point(POINT_SWAP_PAGE_FOUND, page, vmf.address);
		if (!lock_page_or_retry(page, mm, vmf.flags)) {
			ret |= VM_FAULT_RETRY;
			break out_release;
		}

		/* The page may have left the swap cache before it was locked. */
		if ((!PageSwapCache(page) || page_private(page) !== entry) && swapcache)
			break out_page;

		vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
		if (!pte_same_orig(vmf))
			break out_page;

		if (!PageUptodate(page)) {
			ret = VM_FAULT_SIGBUS;
			break out_page;
		}

		inc_mm_counter_fast(mm, MM_ANONPAGES);
		dec_mm_counter_fast(mm, MM_SWAPENTS);
		let pte = mk_pte(page, vm_page_prot[vma]);
		if ((vmf.flags & FAULT_FLAG_WRITE) && reuse_swap_page(page)) {
			pte = maybe_mkwrite(pte_mkdirty(pte), vma);
			vmf.flags &= ~FAULT_FLAG_WRITE;
			ret |= VM_FAULT_WRITE;
			exclusive = RMAP_EXCLUSIVE;
		}
		if (pte_swp_soft_dirty(vmf.orig_pte))
			pte = pte_mksoft_dirty(pte);
		set_pte_at(mm, vmf.address, vmf.pte, pte, pte_prot_hi(vma));
		vmf.orig_pte = pte;
		vmf.orig_pte_hi = pte_prot_hi(vma);

		/* Without KSM the page is never a copy of the cached one. */
		do_page_add_anon_rmap(page, vma, vmf.address, exclusive);
		if (!applied(MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU
		    /* b518154e59aa, v5.9 */))
			activate_page(page);

		swap_free(entry);
		if (mem_cgroup_swap_full(page) ||
		    (vm_flags[vma] & VM_LOCKED) || PageMlocked(page))
			try_to_free_swap(page);
		unlock_page(page);

		if (vmf.flags & FAULT_FLAG_WRITE) {
			ret |= do_wp_page(vmf);
			if (ret & VM_FAULT_ERROR)
				ret &= VM_FAULT_ERROR;
		}
		return ret;
	}
	/* out_nomap and out_page: */
	unlock_page(page);
	}
	/* out_release: */
	put_page(page);
	return ret;
}

/** @ported v5.10 static */
function do_anonymous_page(vmf: vm_fault): number {
	const vma = vmf.vma;
	const mm = vm_mm[vma];
	let ret = 0;
	let entry: pte_t, hi: number;

	if (vm_flags[vma] & VM_SHARED)
		return VM_FAULT_SIGBUS;

	if (pte_alloc(mm, vmf.pmd))
		return VM_FAULT_OOM;

	setpte: {
		if (!(vmf.flags & FAULT_FLAG_WRITE)) {
			entry = pte_mkspecial(mk_pte(my_zero_pfn(vmf.address) as page,
				vm_page_prot[vma]));
			vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
			if (!pte_none(ram[vmf.pte]!))
				return ret;
			ret = check_stable_address_space(mm);
			if (ret)
				return ret;
			break setpte;
		}

		if (anon_vma_prepare(vma))
			return VM_FAULT_OOM;
		const page = alloc_zeroed_user_highpage_movable(vma, vmf.address);
		if (!page)
			return VM_FAULT_OOM;
		if (mem_cgroup_charge(page, mm, GFP_KERNEL)) {
			put_page(page);
			return VM_FAULT_OOM;
		}
		SetPageUptodate(page);

		entry = mk_pte(page, vm_page_prot[vma]);
		if (vm_flags[vma] & VM_WRITE)
			entry = pte_mkwrite(pte_mkdirty(entry));

		vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
		if (!pte_none(ram[vmf.pte]!)) {
			put_page(page);
			return ret;
		}
		ret = check_stable_address_space(mm);
		if (ret) {
			put_page(page);
			return ret;
		}

		inc_mm_counter_fast(mm, MM_ANONPAGES);
		page_add_new_anon_rmap(page, vma, vmf.address, false);
		lru_cache_add_inactive_or_unevictable(page, vma);
	}
	hi = pte_prot_hi(vma);
	set_pte_at(mm, vmf.address, vmf.pte, entry, hi);
	return ret;
}

/** @ported v5.10 static */
function __do_fault(vmf: vm_fault): number {
	const vma = vmf.vma;

	/* The table is allocated before the page is locked: reclaim may need that lock. */
	if (pmd_none(ram[vmf.pmd]!) && !vmf.prealloc_pte) {
		vmf.prealloc_pte = pte_alloc_one(vm_mm[vma]);
		if (!vmf.prealloc_pte)
			return VM_FAULT_OOM;
	}

	const ret = vm_operations(vm_ops[vma]).fault!(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY | VM_FAULT_DONE_COW))
		return ret;

	if (!(ret & VM_FAULT_LOCKED))
		lock_page(vmf.page);
	else
		VM_BUG_ON_PAGE(!PageLocked(vmf.page), vmf.page, '->fault() said that it is locked');
	return ret;
}

/** @ported v5.10 static */
function pte_alloc_one_map(vmf: vm_fault): number {
	const mm = vm_mm[vmf.vma];

	if (pmd_none(ram[vmf.pmd]!)) {
		if (vmf.prealloc_pte) {
			mm_inc_nr_ptes(mm);
			pmd_populate(vmf.pmd, vmf.prealloc_pte);
			vmf.prealloc_pte = 0 as page;
		} else if (pte_alloc(mm, vmf.pmd)) {
			return VM_FAULT_OOM;
		}
	}
	vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
	return 0;
}

/**
 * Map `page` at vmf->address; vmf->pte is looked up if it is 0.
 * @ported v5.10
 */
export function alloc_set_pte(vmf: vm_fault, page: page): number {
	const vma = vmf.vma;
	const mm = vm_mm[vma];
	const write = (vmf.flags & FAULT_FLAG_WRITE) !== 0;

	if (!vmf.pte) {
		const ret = pte_alloc_one_map(vmf);
		if (ret)
			return ret;
	}

	if (!pte_none(ram[vmf.pte]!))
		return VM_FAULT_NOPAGE;

	let entry = mk_pte(page, vm_page_prot[vma]);
	if (write)
		entry = maybe_mkwrite(pte_mkdirty(entry), vma);
	if (write && !(vm_flags[vma] & VM_SHARED)) {
		inc_mm_counter_fast(mm, MM_ANONPAGES);
		page_add_new_anon_rmap(page, vma, vmf.address, false);
		lru_cache_add_inactive_or_unevictable(page, vma);
	} else {
		inc_mm_counter_fast(mm, mm_counter_file(page));
		page_add_file_rmap(page, false);
	}
	set_pte_at(mm, vmf.address, vmf.pte, entry, pte_prot_hi(vma));
	return 0;
}

/** @ported v5.10 */
export function finish_fault(vmf: vm_fault): number {
	const shared = (vm_flags[vmf.vma] & VM_SHARED) !== 0;
	const page = (vmf.flags & FAULT_FLAG_WRITE) && !shared ? vmf.cow_page : vmf.page;
	let ret = 0;

	/* The OOM reaper may have emptied a private mapping. */
	if (!shared)
		ret = check_stable_address_space(vm_mm[vmf.vma]);
	if (!ret)
		ret = alloc_set_pte(vmf, page);
	return ret;
}

/**
 * Write the debugfs file fault_around_bytes; 0 or -EINVAL.
 * @ported v5.10 static
 */
export function fault_around_bytes_set(val: number): number {
	if (val / PAGE_SIZE > PTRS_PER_PTE)
		return -EINVAL;
	fault_around_bytes.v = val > PAGE_SIZE ? 2 ** ilog2(val) : PAGE_SIZE;
	return 0;
}

/** @ported v5.10 static */
function do_fault_around(vmf: vm_fault): number {
	const vma = vmf.vma;
	const address = vmf.address;
	const nr_pages = fault_around_bytes.v / PAGE_SIZE;
	let start_pgoff = vmf.pgoff;
	let ret = 0;

	vmf.address = Math.max(align_down(address, nr_pages * PAGE_SIZE), vm_start[vma]);
	const off = ((address - vmf.address) / PAGE_SIZE) & (PTRS_PER_PTE - 1);
	start_pgoff -= off;

	/* What comes first: the table's last entry, the vma's last page, nr_pages. */
	const end_pgoff = Math.min(start_pgoff - pte_index(vmf.address) + PTRS_PER_PTE - 1,
		vma_pages(vma) + vm_pgoff[vma] - 1, start_pgoff + nr_pages - 1);

	out: {
		if (pmd_none(ram[vmf.pmd]!)) {
			vmf.prealloc_pte = pte_alloc_one(vm_mm[vma]);
			if (!vmf.prealloc_pte)
				break out;
		}

		vm_operations(vm_ops[vma]).map_pages!(vmf, start_pgoff, end_pgoff);

		/* No entry was looked at. */
		if (!vmf.pte)
			break out;

		/* ->map_pages() left the entry and the address at the last page that it met. */
		vmf.pte -= 2 * ((vmf.address - address) / PAGE_SIZE);
		if (!pte_none(ram[vmf.pte]!))
			ret = VM_FAULT_NOPAGE;
	}
	vmf.address = address;
	vmf.pte = 0;
	return ret;
}

/** @ported v5.10 static */
function do_read_fault(vmf: vm_fault): number {
	let ret = 0;

	if (vm_operations(vm_ops[vmf.vma]).map_pages && fault_around_bytes.v > PAGE_SIZE) {
		ret = do_fault_around(vmf);
		if (ret)
			return ret;
	}

	ret = __do_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		return ret;

	ret |= finish_fault(vmf);
	unlock_page(vmf.page);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		put_page(vmf.page);
	return ret;
}

/** @ported v5.10 static */
function do_cow_fault(vmf: vm_fault): number {
	const vma = vmf.vma;

	if (anon_vma_prepare(vma))
		return VM_FAULT_OOM;

	vmf.cow_page = alloc_page_vma(GFP_HIGHUSER_MOVABLE, vma, vmf.address);
	if (!vmf.cow_page)
		return VM_FAULT_OOM;
	if (mem_cgroup_charge(vmf.cow_page, vm_mm[vma], GFP_KERNEL)) {
		put_page(vmf.cow_page);
		return VM_FAULT_OOM;
	}

	let ret: number;
	try {
		ret = __do_fault(vmf);
	} catch (error) {
		if (error instanceof WouldBlock)
			put_page(vmf.cow_page);
		throw error;
	}
	uncharge_out: {
		if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
			break uncharge_out;
		if (ret & VM_FAULT_DONE_COW)
			return ret;

		copy_frame(vmf.cow_page, vmf.page);
		SetPageUptodate(vmf.cow_page);

		ret |= finish_fault(vmf);
		unlock_page(vmf.page);
		put_page(vmf.page);
		if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
			break uncharge_out;
		return ret;
	}
	put_page(vmf.cow_page);
	return ret;
}

/** @ported v5.10 static */
function do_shared_fault(vmf: vm_fault): number {
	let ret = __do_fault(vmf);

	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY))
		return ret;

	/* The file system may refuse the write, or change the page. */
	if (vm_operations(vm_ops[vmf.vma]).page_mkwrite) {
		unlock_page(vmf.page);
		const tmp = do_page_mkwrite(vmf);
		if (!tmp || (tmp & (VM_FAULT_ERROR | VM_FAULT_NOPAGE))) {
			put_page(vmf.page);
			return tmp;
		}
	}

	ret |= finish_fault(vmf);
	if (ret & (VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY)) {
		unlock_page(vmf.page);
		put_page(vmf.page);
		return ret;
	}

	ret |= fault_dirty_shared_page(vmf);
	return ret;
}

/** @ported v5.10 static */
function do_fault(vmf: vm_fault): number {
	const vma = vmf.vma;
	/* The vma may be gone afterwards, if the mmap lock was dropped. */
	const mm = vm_mm[vma];

	try {
		if (!vm_operations(vm_ops[vma]).fault) {
			if (!pmd_present(ram[vmf.pmd]!))
				return VM_FAULT_SIGBUS;
			vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
			return pte_none(ram[vmf.pte]!) ? VM_FAULT_SIGBUS : VM_FAULT_NOPAGE;
		}
		if (!(vmf.flags & FAULT_FLAG_WRITE))
			return do_read_fault(vmf);
		if (!(vm_flags[vma] & VM_SHARED))
			return do_cow_fault(vmf);
		return do_shared_fault(vmf);
	} finally {
		if (vmf.prealloc_pte) {
			pte_free(mm, vmf.prealloc_pte);
			vmf.prealloc_pte = 0 as page;
		}
	}
}

/** @ported v5.10 static */
function handle_pte_fault(vmf: vm_fault): number {
	const vma = vmf.vma;

	ptl_wait(vm_mm[vma], vmf.address);
	if (pmd_none(ram[vmf.pmd]!)) {
		vmf.pte = 0;
	} else {
		vmf.pte = pte_offset_map(vmf.pmd, vmf.address);
		vmf.orig_pte = ram[vmf.pte]!;
		vmf.orig_pte_hi = ram[vmf.pte + 1]!;
		if (pte_none(vmf.orig_pte))
			vmf.pte = 0;
	}
	scheduling_point(POINT_HANDLE_PTE_FAULT,
		(vmf.pte && pte_present(vmf.orig_pte) ? pte_pfn(vmf.orig_pte) : 0), vmf.address);

	if (!vmf.pte)
		return vma_is_anonymous(vma) ? do_anonymous_page(vmf) : do_fault(vmf);

	if (!pte_present(vmf.orig_pte))
		return do_swap_page(vmf);

	let entry = vmf.orig_pte;
	if (!pte_same_orig(vmf))
		return 0;
	if (vmf.flags & FAULT_FLAG_WRITE) {
		if (!pte_write(entry))
			return do_wp_page(vmf);
		entry = pte_mkdirty(entry);
	}
	entry = pte_mkyoung(entry);
	if (!ptep_set_access_flags(vm_mm[vma], vmf.address, vmf.pte, entry, vmf.orig_pte_hi,
				   vmf.flags & FAULT_FLAG_WRITE ? 1 : 0)) {
		/* Only the TLB was behind; x86 has dropped that entry when it faulted. */
		if (vmf.flags & FAULT_FLAG_TRIED)
			return 0;
	}
	return 0;
}

const FAULTS_NESTED_MAX = 16;
/* One for each depth of faults within faults, which only scheduling points cause. */
const vmfs: readonly vm_fault[] = Array.from({ length: FAULTS_NESTED_MAX }, (): vm_fault => ({
	vma: 0 as vm_area_struct, flags: 0, gfp_mask: 0, pgoff: 0, address: 0, pmd: 0, pud: 0,
	orig_pte: 0, orig_pte_hi: 0, cow_page: 0 as page, page: 0 as page, pte: 0,
	prealloc_pte: 0 as page,
}));

/** @reduced huge pages and their entries, which nothing makes */
function __handle_mm_fault(vma: vm_area_struct, address: number, flags: number): number {
	const mm = vm_mm[vma];
	const vmf = vmfs[fault_depth.v++]!;

	vmf.vma = vma;
	vmf.address = page_align_down(address);
	vmf.flags = flags;
	vmf.pgoff = linear_page_index(vma, address);
	vmf.gfp_mask = __get_fault_gfp_mask(vma);
	vmf.pte = 0;
	vmf.orig_pte = 0;
	vmf.orig_pte_hi = 0;
	vmf.page = 0 as page;
	vmf.cow_page = 0 as page;
	vmf.prealloc_pte = 0 as page;

	const pgd = pgd_offset(mm, address);
	vmf.pud = pud_alloc(mm, pgd, address);
	if (!vmf.pud)
		return VM_FAULT_OOM;
	vmf.pmd = pmd_alloc(mm, vmf.pud, address);
	if (!vmf.pmd)
		return VM_FAULT_OOM;
	return handle_pte_fault(vmf);
}

/** @reduced without the perf events, which nobody reads */
function mm_account_fault(flags: number, ret: number): void {
	/* A fault that fails or is to be tried again is not counted. */
	if (ret & (VM_FAULT_ERROR | VM_FAULT_RETRY))
		return;

	if ((ret & VM_FAULT_MAJOR) || (flags & FAULT_FLAG_TRIED))
		tasks.maj_flt[current()]++;
	else
		tasks.min_flt[current()]++;
}

/**
 * Handle a fault of a mapping; VM_FAULT_* bits, 0 for a minor one that is done. The mmap lock is
 * held, and is still held afterwards unless VM_FAULT_RETRY says otherwise.
 * @throws WouldBlock when a page is locked by what this access interrupts; nothing has changed then
 * @ported v5.10
 */
export function handle_mm_fault(vma: vm_area_struct, address: number, flags: number): number {
	let ret: number;

	count_vm_event(PGFAULT);
	count_memcg_event_mm(vm_mm[vma], PGFAULT);

	check_sync_rss_stat(current());

	/* A fault from user mode may enter the memcg's OOM killer. */
	if (flags & FAULT_FLAG_USER)
		mem_cgroup_enter_user_fault();

	const depth = fault_depth.v;
	VM_BUG_ON(depth >= FAULTS_NESTED_MAX, 'faults are nested too deeply');
	try {
		ret = __handle_mm_fault(vma, address, flags);
	} catch (error) {
		/* It is the same fault when it is run again. */
		if (error instanceof WouldBlock) {
			count_vm_events(PGFAULT, -1);
			count_memcg_events_mm(vm_mm[vma], PGFAULT, -1);
			if (tasks.rss_stat_events[current()])
				tasks.rss_stat_events[current()]--;
		}
		throw error;
	} finally {
		fault_depth.v = depth;
		if (flags & FAULT_FLAG_USER)
			mem_cgroup_exit_user_fault();
	}

	if (flags & FAULT_FLAG_USER) {
		/* The OOM was cleared up below: no need to wait for it. */
		if (task_in_memcg_oom(current()) && !(ret & VM_FAULT_OOM))
			mem_cgroup_oom_synchronize(false);
	}

	mm_account_fault(flags, ret);
	return ret;
}

/** @ported v5.10 */
export function __pud_alloc(mm: mm_struct, p4d: number, address: number): number {
	const table = pud_alloc_one(mm, address);

	if (!table)
		return -ENOMEM;
	if (pgd_none(ram[p4d]!)) {
		mm_inc_nr_puds(mm);
		pgd_populate(p4d, table);
	} else {
		pud_free(mm, table);
	}
	return 0;
}

/** @ported v5.10 */
export function __pmd_alloc(mm: mm_struct, pud: number, address: number): number {
	const table = pmd_alloc_one(mm, address);

	if (!table)
		return -ENOMEM;
	if (pud_none(ram[pud]!)) {
		mm_inc_nr_pmds(mm);
		pud_populate(pud, table);
	} else {
		pmd_free(mm, table);
	}
	return 0;
}

/**
 * The entry of a present page of the address, 0 if there is none.
 * @reduced without a notifier range or huge pages: nobody asks for those
 */
export function follow_pte(mm: mm_struct, address: number): ptep {
	const pgd = pgd_offset(mm, address);
	if (pgd_none_or_clear_bad(pgd))
		return 0;
	const pud = pud_offset(pgd, address);
	if (pud_none_or_clear_bad(pud))
		return 0;
	const pmd = pmd_offset(pud, address);
	if (pmd_none_or_clear_bad(pmd))
		return 0;
	const pte = pte_offset_map(pmd, address);
	return pte_present(ram[pte]!) ? pte : 0;
}
