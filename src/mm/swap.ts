// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/swap.c and include/linux/pagevec.h, v5.10
 * Left out: pagevec_lookup*() (callers fill a pagevec by find_get_*() of filemap.ts themselves),
 * get_kernel_page(s), put_devmap_managed_page() and the zone-device branches (no device memory),
 * compound pages' freeing and lru_add_page_tail() (no huge pages yet); lru_lock is not dropped and
 * taken again between pages, since nothing runs in between.
 * Lock order modelled: none; the kernel's is local_lock (lru_pvecs, lru_rotate) > lru_lock.
 *
 * A page in a pagevec holds a reference of the pagevec's, and one in lru_add is not PageLRU yet:
 * isolation misses it, and only the CPU that put it there can still make it active.
 */
import { BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { applied, MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE,
	MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING,
	MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL,
	MM_VMSCAN_DETERMINE_ANON_FILE_PRESSURE_BALANCE_AT_THE_RECLAIM_ROOT,
	MM_VMSCAN_MAKE_ROTATIONS_A_SECONDARY_FACTOR,
	MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU } from '../lib/commits.ts';
import { list_add, list_del, list_empty } from '../lib/list.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import { global_s32, list_heads, use_rows, type list_head, type out } from '../lib/struct.ts';
import { nr_cpu_ids, set_smp_processor_id, smp_processor_id } from './current.ts';
import { page_evictable } from './internal.ts';
import { __count_memcg_events, lruvec_memcg, lruvec_page_state, mem_cgroup_page_lruvec,
	mem_cgroup_uncharge, mem_cgroup_uncharge_list, parent_lruvec } from './memcontrol.ts';
import { get_page, get_page_unless_zero, page_mapped, page_pgdat, page_zone, put_page,
	put_page_testzero, totalram_pages } from './mm.ts';
import { add_page_to_lru_list, add_page_to_lru_list_tail, del_page_from_lru_list, page_is_file_lru,
	page_lru, page_lru_base_type, page_off_lru } from './mm_inline.ts';
import { lru_to_page, pages, vmas, VM_LOCKED, VM_SPECIAL, type page, type vm_area_struct }
	from './mm_types.ts';
import { CPU_PAGEVECS, LRU_ACTIVE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, LRU_UNEVICTABLE, lruvecs,
	NR_ACTIVE_ANON, NR_ACTIVE_FILE, NR_CPUS, NR_INACTIVE_ANON, NR_INACTIVE_FILE, NR_MLOCK,
	PAGEVEC_SIZE, pagevec_page, pagevecs, STACK_PAGEVECS, type lruvec, type pagevec, type zone }
	from './mmzone.ts';
import { drain_local_pages, free_unref_page, free_unref_page_list } from './page_alloc.ts';
import { ClearPageActive, ClearPageLRU, clear_page_idle, ClearPageReferenced, ClearPageSwapBacked,
	ClearPageWaiters, compound_head, PageActive, PageAnon, PageCompound, PageDirty,
	page_is_idle, PageLocked, PageLRU, PageReferenced, PageSwapBacked, PageSwapCache,
	PageUnevictable, PageWriteback, SetPageActive, SetPageLRU, SetPageReclaim,
	SetPageReferenced, SetPageUnevictable, TestClearPageUnevictable, TestSetPageMlocked,
	thp_nr_pages }
	from './page_flags.ts';
import { SWAP_CLUSTER_MAX } from './swap_types.ts';
import { trace_mm_lru_activate, trace_mm_lru_insertion } from './trace_vmscan.ts';
import { __count_vm_events, __mod_zone_page_state, count_vm_events, PGACTIVATE, PGDEACTIVATE,
	PGLAZYFREE, PGROTATED, UNEVICTABLE_PGCULLED, UNEVICTABLE_PGMLOCKED, UNEVICTABLE_PGRESCUED }
	from './vmstat.ts';
import { workingset_activation } from './workingset.ts';

const { lru: page_lru_node } = pages;
const { prev } = list_heads;
const { nr: pvec_nr, percpu_pvec_drained } = pagevecs;
const pvec_pages = pagevecs.pages;
const { anon_cost, file_cost, recent_rotated, recent_scanned } = lruvecs;

/** log2 of how many pages swap reads at once: vm.page-cluster */
export const page_cluster = global_s32('page_cluster');

/* struct lru_pvecs and lru_rotate: which of a CPU's pagevecs */
const LRU_ADD = 0, LRU_DEACTIVATE_FILE = 1, LRU_DEACTIVATE = 2, LRU_LAZYFREE = 3,
	ACTIVATE_PAGE = 4, LRU_ROTATE = 5;
const FIRST_STACK_PAGEVEC = 1 + NR_CPUS * CPU_PAGEVECS;
const stack_depth = global_s32('stack_pagevecs.depth');

/** @custom per_cpu(lru_pvecs.NAME, cpu) as a row */
function per_cpu_pvec(name: number, cpu: number): pagevec {
	return 1 + cpu * CPU_PAGEVECS + name as pagevec;
}

/** @custom this_cpu_ptr(&lru_pvecs.NAME) */
function this_cpu_pvec(name: number): pagevec {
	return per_cpu_pvec(name, smp_processor_id());
}

/** @custom a struct pagevec on the C stack, initialised; give it back with pagevec_leave() */
export function pagevec_enter(): pagevec {
	const at = stack_depth.v++;

	BUG_ON(at >= STACK_PAGEVECS, 'stack overflow: too many pagevecs on the stack');
	const pvec = FIRST_STACK_PAGEVEC + at as pagevec;
	use_rows(pagevecs, pvec + 1);
	pagevec_init(pvec);
	return pvec;
}

/** @custom leave the function that took `pvec`, which must be empty */
export function pagevec_leave(pvec: pagevec): void {
	VM_BUG_ON(pvec !== FIRST_STACK_PAGEVEC + stack_depth.v - 1, 'pagevecs left out of order');
	VM_BUG_ON(pagevec_count(pvec) !== 0, 'a pagevec on the stack is left with pages in it');
	stack_depth.v--;
}

/** @ported v5.10 include/linux/pagevec.h:pagevec_init() */
export function pagevec_init(pvec: pagevec): void {
	pvec_nr[pvec] = 0;
	percpu_pvec_drained[pvec] = 0;
}

/** @ported v5.10 include/linux/pagevec.h:pagevec_reinit() */
export function pagevec_reinit(pvec: pagevec): void {
	pvec_nr[pvec] = 0;
}

/** @ported v5.10 include/linux/pagevec.h:pagevec_count() */
export function pagevec_count(pvec: pagevec): number {
	return pvec_nr[pvec];
}

/** @ported v5.10 include/linux/pagevec.h:pagevec_space() */
export function pagevec_space(pvec: pagevec): number {
	return PAGEVEC_SIZE - pvec_nr[pvec];
}

/**
 * Returns how many more fit: 0 says that the pagevec must be worked off now.
 * @ported v5.10 include/linux/pagevec.h:pagevec_add()
 */
export function pagevec_add(pvec: pagevec, page: page): number {
	pvec_pages[pvec * PAGEVEC_SIZE + pvec_nr[pvec]++] = page;
	return pagevec_space(pvec);
}

/** @ported v5.10 include/linux/pagevec.h:pagevec_release() */
export function pagevec_release(pvec: pagevec): void {
	if (pagevec_count(pvec))
		__pagevec_release(pvec);
}

/** @ported v5.10 */
function __page_cache_release(page: page): void {
	if (PageLRU(page)) {
		const pgdat = page_pgdat(page);
		const lruvec = mem_cgroup_page_lruvec(page, pgdat);

		VM_BUG_ON_PAGE(!PageLRU(page), page, 'left the LRU under lru_lock');
		ClearPageLRU(page);
		del_page_from_lru_list(page, lruvec, page_off_lru(page));
	}
	ClearPageWaiters(page);
}

/** @ported v5.10 */
function __put_single_page(page: page): void {
	__page_cache_release(page);
	mem_cgroup_uncharge(page);
	free_unref_page(page);
}

/** @reduced no device pages, and no compound ones until huge pages are modelled */
export function __put_page(page: page): void {
	VM_BUG_ON_PAGE(PageCompound(page), page, 'is compound, which is not modelled');
	__put_single_page(page);
}

/** @ported v5.10 */
export function put_pages_list(pages: list_head): void {
	while (!list_empty(pages)) {
		const victim = lru_to_page(prev[pages]);

		list_del(page_lru_node(victim));
		put_page(victim);
	}
}

type move_fn = (page: page, lruvec: lruvec, arg: out<number> | null) => void;

/** @ported v5.10 */
function pagevec_lru_move_fn(pvec: pagevec, move_fn: move_fn, arg: out<number> | null): void {
	for (let i = 0; i < pagevec_count(pvec); i++) {
		const page = pagevec_page(pvec, i);
		const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));

		move_fn(page, lruvec, arg);
	}
	release_pages(pvec_pages, pvec_nr[pvec], pvec * PAGEVEC_SIZE);
	pagevec_reinit(pvec);
}

/** @ported v5.10 */
function pagevec_move_tail_fn(page: page, lruvec: lruvec, pgmoved: out<number> | null): void {
	if (PageLRU(page) && !PageUnevictable(page)) {
		del_page_from_lru_list(page, lruvec, page_lru(page));
		ClearPageActive(page);
		add_page_to_lru_list_tail(page, lruvec, page_lru(page));
		pgmoved!.v += thp_nr_pages(page);
	}
}

const pgmoved: out<number> = { v: 0 };

/** @ported v5.10 */
function pagevec_move_tail(pvec: pagevec): void {
	pgmoved.v = 0;
	pagevec_lru_move_fn(pvec, pagevec_move_tail_fn, pgmoved);
	__count_vm_events(PGROTATED, pgmoved.v);
}

/**
 * Writeback of a page with PG_reclaim has ended. Unless somebody came to use it meanwhile, it is
 * moved where reclaim looks first: to the tail of its inactive list.
 * @ported v5.10
 */
export function rotate_reclaimable_page(page: page): void {
	if (!PageLocked(page) && !PageDirty(page) && !PageUnevictable(page) && PageLRU(page)) {
		get_page(page);
		const pvec = this_cpu_pvec(LRU_ROTATE);
		if (!pagevec_add(pvec, page) || PageCompound(page))
			pagevec_move_tail(pvec);
	}
}

/**
 * Charge the cost of bringing pages back (or writing them) to a type, at the lruvec and all its
 * ancestors. Both costs halve when they outgrow a quarter of the lists.
 * @ported v5.10
 */
export function lru_note_cost(
	lruvec: lruvec, file: boolean, nr_io: number, nr_rotated: number,
): void {
	/* not a comparison: so many vain looks are about as bad as one read */
	const cost = applied(MM_VMSCAN_MAKE_ROTATIONS_A_SECONDARY_FACTOR /* 0538a82c39e9, v6.4 */)
		? nr_io * SWAP_CLUSTER_MAX + nr_rotated : nr_io;

	if (!applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */))
		return;
	do {
		if (file)
			file_cost[lruvec] += cost;
		else
			anon_cost[lruvec] += cost;

		const lrusize = lruvec_page_state(lruvec, NR_INACTIVE_ANON) +
			lruvec_page_state(lruvec, NR_ACTIVE_ANON) +
			lruvec_page_state(lruvec, NR_INACTIVE_FILE) +
			lruvec_page_state(lruvec, NR_ACTIVE_FILE);

		if (file_cost[lruvec] + anon_cost[lruvec] > Math.trunc(lrusize / 4)) {
			file_cost[lruvec] = Math.trunc(file_cost[lruvec] / 2);
			anon_cost[lruvec] = Math.trunc(anon_cost[lruvec] / 2);
		}
	} while (applied(MM_VMSCAN_DETERMINE_ANON_FILE_PRESSURE_BALANCE_AT_THE_RECLAIM_ROOT
		/* 7cf111bc39f6, v5.8 */) && (lruvec = parent_lruvec(lruvec)));
}

/**
 * What the cost model replaced: pages that were put on a list without a scan count as scanned and,
 * if they are in use, as rotated.
 * @ported v5.7 static
 */
function update_page_reclaim_stat(lruvec: lruvec, file: number, rotated: boolean): void {
	recent_scanned[lruvec * 2 + file]!++;
	if (rotated)
		recent_rotated[lruvec * 2 + file]!++;
}

/** @ported v5.10 */
export function lru_note_cost_page(page: page): void {
	if (!applied(MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING /* 314b57fb0460, v5.8 */))
		return;
	lru_note_cost(mem_cgroup_page_lruvec(page, page_pgdat(page)),
		page_is_file_lru(page) !== 0, thp_nr_pages(page), 0);
}

/** @ported v5.10 */
function __activate_page(page: page, lruvec: lruvec): void {
	if (PageLRU(page) && !PageActive(page) && !PageUnevictable(page)) {
		const nr_pages = thp_nr_pages(page);
		let lru = page_lru_base_type(page);

		del_page_from_lru_list(page, lruvec, lru);
		SetPageActive(page);
		lru += LRU_ACTIVE;
		add_page_to_lru_list(page, lruvec, lru);
		trace_mm_lru_activate(page);
		if (!applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL
		    /* 1431d4d11abb, v5.8 */))
			update_page_reclaim_stat(lruvec, page_is_file_lru(page), true);

		__count_vm_events(PGACTIVATE, nr_pages);
		__count_memcg_events(lruvec_memcg(lruvec), PGACTIVATE, nr_pages);
	}
}

/** @ported v5.10 */
function activate_page_drain(cpu: number): void {
	const pvec = per_cpu_pvec(ACTIVATE_PAGE, cpu);

	if (pagevec_count(pvec))
		pagevec_lru_move_fn(pvec, __activate_page, null);
}

/** @ported v5.10 */
function need_activate_page_drain(cpu: number): boolean {
	return pagevec_count(per_cpu_pvec(ACTIVATE_PAGE, cpu)) !== 0;
}

/** @ported v5.10 */
export function activate_page(page: page): void {
	page = compound_head(page);
	if (PageLRU(page) && !PageActive(page) && !PageUnevictable(page)) {
		const pvec = this_cpu_pvec(ACTIVATE_PAGE);

		get_page(page);
		if (!pagevec_add(pvec, page) || PageCompound(page))
			pagevec_lru_move_fn(pvec, __activate_page, null);
	}
}

/**
 * A page that is in no pagevec of this CPU is left alone: somebody may have isolated it.
 * @ported v5.10
 */
function __lru_cache_activate_page(page: page): void {
	const pvec = this_cpu_pvec(LRU_ADD);

	for (let i = pagevec_count(pvec) - 1; i >= 0; i--) {
		if (pagevec_page(pvec, i) === page) {
			SetPageActive(page);
			break;
		}
	}
}

/**
 * One step up: an inactive page gets PG_referenced first, and when it has that is made active
 * without it; an active page gets it again, and that is the top.
 * @ported v5.10
 */
export function mark_page_accessed(page: page): void {
	page = compound_head(page);

	if (!PageReferenced(page)) {
		SetPageReferenced(page);
	} else if (PageUnevictable(page)) {
		/* the unevictable list has no order that this could change */
	} else if (!PageActive(page)) {
		if (PageLRU(page))
			activate_page(page);
		else
			__lru_cache_activate_page(page);
		ClearPageReferenced(page);
		workingset_activation(page);
	}
	if (page_is_idle(page))
		clear_page_idle(page);
}

/** @ported v5.10 */
export function lru_cache_add(page: page): void {
	VM_BUG_ON_PAGE(PageActive(page) && PageUnevictable(page), page,
		'is both active and unevictable');
	VM_BUG_ON_PAGE(PageLRU(page), page, 'is on the LRU already');

	get_page(page);
	const pvec = this_cpu_pvec(LRU_ADD);
	if (!pagevec_add(pvec, page) || PageCompound(page))
		__pagevec_lru_add(pvec);
}

/** @ported v5.10 */
export function lru_cache_add_inactive_or_unevictable(page: page, vma: vm_area_struct): void {
	VM_BUG_ON_PAGE(PageLRU(page), page, 'is on the LRU already');

	const unevictable = (vmas.vm_flags[vma] & (VM_LOCKED | VM_SPECIAL)) === VM_LOCKED &&
		applied(MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE /* b291f000393f, v2.6.28 */);
	/* its name then: lru_cache_add_active_or_unevictable() */
	if (!unevictable && !applied(MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU
	    /* b518154e59aa, v5.9 */))
		SetPageActive(page);
	if (unevictable && !TestSetPageMlocked(page)) {
		const nr_pages = thp_nr_pages(page);

		__mod_zone_page_state(page_zone(page), NR_MLOCK, nr_pages);
		count_vm_events(UNEVICTABLE_PGMLOCKED, nr_pages);
	}
	lru_cache_add(page);
}

/**
 * Off to the inactive list with it: a clean page to its tail, one that must be written first to its
 * head, with PG_reclaim. A page that is mapped, unevictable or isolated stays where it is.
 * @ported v5.10
 */
function lru_deactivate_file_fn(page: page, lruvec: lruvec): void {
	const nr_pages = thp_nr_pages(page);

	if (!PageLRU(page))
		return;
	if (PageUnevictable(page))
		return;
	if (page_mapped(page))
		return;

	const active = PageActive(page);
	const lru = page_lru_base_type(page);

	del_page_from_lru_list(page, lruvec, lru + (active ? LRU_ACTIVE : 0));
	ClearPageActive(page);
	ClearPageReferenced(page);

	if (PageWriteback(page) || PageDirty(page)) {
		add_page_to_lru_list(page, lruvec, lru);
		SetPageReclaim(page);
	} else {
		add_page_to_lru_list_tail(page, lruvec, lru);
		__count_vm_events(PGROTATED, nr_pages);
	}

	if (active) {
		__count_vm_events(PGDEACTIVATE, nr_pages);
		__count_memcg_events(lruvec_memcg(lruvec), PGDEACTIVATE, nr_pages);
	}
}

/** @ported v5.10 */
function lru_deactivate_fn(page: page, lruvec: lruvec): void {
	if (PageLRU(page) && PageActive(page) && !PageUnevictable(page)) {
		const lru = page_lru_base_type(page);
		const nr_pages = thp_nr_pages(page);

		del_page_from_lru_list(page, lruvec, lru + LRU_ACTIVE);
		ClearPageActive(page);
		ClearPageReferenced(page);
		add_page_to_lru_list(page, lruvec, lru);

		__count_vm_events(PGDEACTIVATE, nr_pages);
		__count_memcg_events(lruvec_memcg(lruvec), PGDEACTIVATE, nr_pages);
	}
}

/** @ported v5.10 */
function lru_lazyfree_fn(page: page, lruvec: lruvec): void {
	if (PageLRU(page) && PageAnon(page) && PageSwapBacked(page) &&
	    !PageSwapCache(page) && !PageUnevictable(page)) {
		const active = PageActive(page);
		const nr_pages = thp_nr_pages(page);

		del_page_from_lru_list(page, lruvec, LRU_INACTIVE_ANON + (active ? LRU_ACTIVE : 0));
		ClearPageActive(page);
		ClearPageReferenced(page);
		/* an anonymous page without PG_swapbacked is a lazily freed one */
		ClearPageSwapBacked(page);
		add_page_to_lru_list(page, lruvec, LRU_INACTIVE_FILE);

		__count_vm_events(PGLAZYFREE, nr_pages);
		__count_memcg_events(lruvec_memcg(lruvec), PGLAZYFREE, nr_pages);
	}
}

/** @ported v5.10 */
export function lru_add_drain_cpu(cpu: number): void {
	let pvec = per_cpu_pvec(LRU_ADD, cpu);

	if (pagevec_count(pvec))
		__pagevec_lru_add(pvec);

	pvec = per_cpu_pvec(LRU_ROTATE, cpu);
	if (pagevec_count(pvec))
		pagevec_move_tail(pvec);

	pvec = per_cpu_pvec(LRU_DEACTIVATE_FILE, cpu);
	if (pagevec_count(pvec))
		pagevec_lru_move_fn(pvec, lru_deactivate_file_fn, null);

	pvec = per_cpu_pvec(LRU_DEACTIVATE, cpu);
	if (pagevec_count(pvec))
		pagevec_lru_move_fn(pvec, lru_deactivate_fn, null);

	pvec = per_cpu_pvec(LRU_LAZYFREE, cpu);
	if (pagevec_count(pvec))
		pagevec_lru_move_fn(pvec, lru_lazyfree_fn, null);

	activate_page_drain(cpu);
}

/**
 * The page could not be invalidated: make its reclaim come soon.
 * @ported v5.10
 */
export function deactivate_file_page(page: page): void {
	if (PageUnevictable(page))
		return;

	if (get_page_unless_zero(page)) {
		const pvec = this_cpu_pvec(LRU_DEACTIVATE_FILE);

		if (!pagevec_add(pvec, page) || PageCompound(page))
			pagevec_lru_move_fn(pvec, lru_deactivate_file_fn, null);
	}
}

/** @ported v5.10 */
export function deactivate_page(page: page): void {
	if (PageLRU(page) && PageActive(page) && !PageUnevictable(page)) {
		const pvec = this_cpu_pvec(LRU_DEACTIVATE);

		get_page(page);
		if (!pagevec_add(pvec, page) || PageCompound(page))
			pagevec_lru_move_fn(pvec, lru_deactivate_fn, null);
	}
}

/** @ported v5.10 */
export function mark_page_lazyfree(page: page): void {
	if (PageLRU(page) && PageAnon(page) && PageSwapBacked(page) &&
	    !PageSwapCache(page) && !PageUnevictable(page)) {
		const pvec = this_cpu_pvec(LRU_LAZYFREE);

		get_page(page);
		if (!pagevec_add(pvec, page) || PageCompound(page))
			pagevec_lru_move_fn(pvec, lru_lazyfree_fn, null);
	}
}

/** @ported v5.10 */
export function lru_add_drain(): void {
	lru_add_drain_cpu(smp_processor_id());
}

/** @ported v5.10 */
export function lru_add_drain_cpu_zone(zone: zone): void {
	lru_add_drain_cpu(smp_processor_id());
	drain_local_pages(zone);
}

/**
 * @reduced each CPU's work runs here and now instead of in a kworker that is then waited for; the
 * generation that spares concurrent callers the work has nobody to spare
 */
export function lru_add_drain_all(): void {
	const this_cpu = smp_processor_id();

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		if (pagevec_count(per_cpu_pvec(LRU_ADD, cpu)) ||
		    pagevec_count(per_cpu_pvec(LRU_ROTATE, cpu)) ||
		    pagevec_count(per_cpu_pvec(LRU_DEACTIVATE_FILE, cpu)) ||
		    pagevec_count(per_cpu_pvec(LRU_DEACTIVATE, cpu)) ||
		    pagevec_count(per_cpu_pvec(LRU_LAZYFREE, cpu)) ||
		    need_activate_page_drain(cpu)) {
			/* counters that are kept by CPU change on that CPU */
			set_smp_processor_id(cpu);
			lru_add_drain();
			set_smp_processor_id(this_cpu);
		}
	}
}

/**
 * put_page() of a batch: what comes to 0 leaves the LRU and is freed.
 * @param pages page numbers
 * @param nr how many of them
 * @param first index of the first in `pages`
 * @reduced no device pages, and no compound ones until huge pages are modelled
 */
export function release_pages(
	pages: { readonly [index: number]: number }, nr: number, first = 0,
): void {
	const pages_to_free = list_head_enter();

	for (let i = 0; i < nr; i++) {
		const page = compound_head(pages[first + i] as page);

		if (!put_page_testzero(page))
			continue;

		VM_BUG_ON_PAGE(PageCompound(page), page, 'is compound, which is not modelled');

		if (PageLRU(page)) {
			const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));

			VM_BUG_ON_PAGE(!PageLRU(page), page, 'left the LRU under lru_lock');
			ClearPageLRU(page);
			del_page_from_lru_list(page, lruvec, page_off_lru(page));
		}

		ClearPageWaiters(page);

		list_add(page_lru_node(page), pages_to_free);
	}

	mem_cgroup_uncharge_list(pages_to_free);
	free_unref_page_list(pages_to_free);
	list_head_leave(pages_to_free);
}

/** @ported v5.10 */
export function __pagevec_release(pvec: pagevec): void {
	if (!percpu_pvec_drained[pvec]) {
		lru_add_drain();
		percpu_pvec_drained[pvec] = 1;
	}
	release_pages(pvec_pages, pagevec_count(pvec), pvec * PAGEVEC_SIZE);
	pagevec_reinit(pvec);
}

/** @ported v5.10 */
function __pagevec_lru_add_fn(page: page, lruvec: lruvec): void {
	const was_unevictable = TestClearPageUnevictable(page);
	const nr_pages = thp_nr_pages(page);
	let lru: number;

	VM_BUG_ON_PAGE(PageLRU(page), page, 'is on the LRU already');

	SetPageLRU(page);

	if (page_evictable(page)) {
		lru = page_lru(page);
		if (was_unevictable)
			__count_vm_events(UNEVICTABLE_PGRESCUED, nr_pages);
	} else {
		lru = LRU_UNEVICTABLE;
		ClearPageActive(page);
		SetPageUnevictable(page);
		if (!was_unevictable)
			__count_vm_events(UNEVICTABLE_PGCULLED, nr_pages);
	}

	if (lru !== LRU_UNEVICTABLE &&
	    !applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */))
		update_page_reclaim_stat(lruvec, page_is_file_lru(page), PageActive(page));
	add_page_to_lru_list(page, lruvec, lru);
	trace_mm_lru_insertion(page, lru);
}

/** @ported v5.10 */
export function __pagevec_lru_add(pvec: pagevec): void {
	pagevec_lru_move_fn(pvec, __pagevec_lru_add_fn, null);
}

/** @ported v5.10 */
export function swap_setup(): void {
	const megs = totalram_pages() >>> 8;

	if (megs < 16)
		page_cluster.v = 2;
	else
		page_cluster.v = 3;
}

/** @custom the per-CPU pagevecs, which the kernel has from its image on */
export function lru_pvecs_init(): void {
	use_rows(pagevecs, FIRST_STACK_PAGEVEC);
}
