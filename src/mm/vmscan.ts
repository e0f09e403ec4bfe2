// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/vmscan.c, v5.10
 * Left out: shrinkers and shrink_slab() (slab is not modelled, and frees no LRU page), the soft
 * limit (cgroup v1), hibernation, node reclaim (vm.zone_reclaim_mode is 0), page isolation for CMA,
 * vmpressure (cgroup v2 has it throttle sockets only), PSI, huge pages. absent.ts answers for
 * buffer heads, congested devices, cpusets, the freezer, kcompactd.
 * Lock order modelled: page lock > what rmap.c takes; lru_lock, irqs and RCU vanish.
 */
import { BUG, BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE } from '../lib/bug.ts';
import { int_sqrt } from '../lib/bitops.ts';
import { applied, MEMCG_INFRASTRUCTURE_TO_FLUSH_MEMCG_STATS,
	MM_AVOID_DIVIDE_BY_ZERO_IN_MEMORY_LOW,
	MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING,
	MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL,
	MM_CONSIDER_ALL_SWAPPED_BACK_PAGES_IN_USED_ONCE_LOGIC,
	MM_DONT_PUT_PINNED_PAGES_INTO_THE_SWAP_CACHE, MM_FIX_OOMS_DUE_TO_PROPORTIONAL_MEMORY_LOW,
	MM_MADVISE_PAGEOUT_IGNORE_REFERENCES, MM_MEMCG_COUNT_PTE_REFERENCES_FROM_EVERY_MEMBER,
	MM_SWAP_IMPLEMENT_WORKINGSET_DETECTION_FOR_ANONYMOUS_LRU,
	MM_THP_SHRINK_PAGE_LIST_AVOID_SPLITTING_VM_LOCKED,
	MM_VMSCAN_CONVERT_GLOBAL_RECLAIM_TO_PER_MEMCG_LRU_LISTS,
	MM_VMSCAN_DETECT_FILE_THRASHING_AT_THE_RECLAIM_ROOT,
	MM_VMSCAN_DETERMINE_ANON_FILE_PRESSURE_BALANCE_AT_THE_RECLAIM_ROOT,
	MM_VMSCAN_DO_NOT_SHARE_CGROUP_ITERATION_BETWEEN_RECLAIMERS,
	MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT,
	MM_VMSCAN_FIX_EXTREME_OVERRECLAIM, MM_VMSCAN_LIMIT_THE_RANGE_OF_LRU_TYPE_BALANCING,
	MM_VMSCAN_MAKE_ROTATIONS_A_SECONDARY_FACTOR,
	MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU,
	MM_VMSCAN_RECLAIM_WRITEPAGE_IS_IO_COST, MM_VMSCAN_RESTORE_INCREMENTAL_CGROUP_ITERATION,
	VMSCAN_ACTIVATE_EXECUTABLE_PAGES_AFTER_FIRST_USAGE,
	VMSCAN_DETECT_MAPPED_FILE_PAGES_USED_ONLY_ONCE, VMSCAN_FACTOR_OUT_PAGE_REFERENCE_CHECKS,
	VMSCAN_MAKE_MAPPED_EXECUTABLE_PAGES_THE_FIRST_CLASS_CITIZEN,
	VMSCAN_PROMOTE_SHARED_FILE_MAPPED_PAGES } from '../lib/commits.ts';
import { EBUSY, EINVAL } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add, list_add_tail, list_del, list_empty, list_move, list_splice }
	from '../lib/list.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import { global_s32, list_heads, type list_head, type out } from '../lib/struct.ts';
import { clock_ns } from '../lib/trace.ts';
import { bdi_write_congested, buffer_heads_over_limit, cgroup_subsys_on_dfl, cpuset_zone_allowed,
	dax_mapping, inode_write_congested, kthread_should_stop, try_to_freeze, wakeup_kcompactd }
	from './absent.ts';
import { a_ops_freepage, a_ops_is_dirty_writeback, a_ops_writepage, has_freepage,
	has_is_dirty_writeback, has_migratepage, has_writepage } from './a_ops.ts';
import { blk_complete, blk_pending } from './blkdev.ts';
import { try_to_free_buffers } from './buffer.ts';
import { current, smp_processor_id } from './current.ts';
import { context_switch, kthread_create } from './fork.ts';
import { inode_to_bdi } from './fs.ts';
import { current_gfp_context, gfp_zone, memalloc_noreclaim_restore, memalloc_noreclaim_save,
	node_zonelist, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, __GFP_DIRECT_RECLAIM, __GFP_FS,
	__GFP_HARDWALL, __GFP_HIGHMEM, __GFP_IO, type gfp_t } from './gfp.ts';
import { GFP_RECLAIM_MASK, MAX_RECLAIM_RETRIES, PAGE_ALLOC_COSTLY_ORDER, page_evictable }
	from './internal.ts';
import { try_to_release_page, __delete_from_page_cache } from './filemap.ts';
import { __count_memcg_events, count_memcg_page_event, lruvec_memcg, lruvec_page_state,
	lruvec_page_state_local,
	mem_cgroup_below_low, mem_cgroup_below_min, mem_cgroup_calculate_protection,
	mem_cgroup_flush_stats,
	mem_cgroup_get_nr_swap_pages, mem_cgroup_get_zone_lru_size, mem_cgroup_iter,
	mem_cgroup_iter_break,
	mem_cgroup_lruvec, mem_cgroup_online, mem_cgroup_page_lruvec, mem_cgroup_protection,
	mem_cgroup_size, mem_cgroup_swap_full, mem_cgroup_swapout, mem_cgroup_swappiness,
	mem_cgroup_uncharge_list, memcg_memory_event } from './memcontrol.ts';
import { MEMCG_LOW } from './memcontrol_types.ts';
import { mapping_mapped } from './fs.ts';
import { get_page, get_page_unless_zero, page_count, page_mapped, page_mapping,
	page_maybe_dma_pinned, page_memcg, page_pgdat, page_private, page_ref_freeze,
	page_ref_unfreeze,
	page_to_nid, page_zonenum, put_page, put_page_testzero } from './mm.ts';
import { add_page_to_lru_list, del_page_from_lru_list, page_is_file_lru, page_lru,
	page_lru_base_type, update_lru_size } from './mm_inline.ts';
import { address_spaces, lru_to_page, pages, PF_KSWAPD, PF_KTHREAD, PF_LOCAL_THROTTLE, PF_MEMALLOC,
	PF_SWAPWRITE, tasks, VM_EXEC, VM_LOCKED, type address_space, type inode, type mem_cgroup,
	type page, type task_struct } from './mm_types.ts';
import { DEF_PRIORITY, first_zones_zonelist, high_wmark_pages, is_active_lru, is_file_lru,
	ISOLATE_ASYNC_MIGRATE, ISOLATE_UNEVICTABLE, ISOLATE_UNMAPPED, low_wmark_pages, LRU_ACTIVE,
	LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_BASE, LRU_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE,
	LRU_UNEVICTABLE, LRUVEC_CONGESTED, lruvec_pgdat, lruvecs, managed_zone, MAX_NR_ZONES,
	min_wmark_pages, next_zones_zonelist, NODE_DATA, NR_ACTIVE_FILE, NR_FREE_PAGES,
	NR_INACTIVE_ANON, NR_INACTIVE_FILE, NR_ISOLATED_ANON, NR_ISOLATED_FILE, NR_LRU_BASE,
	NR_LRU_LISTS, NR_VMSCAN_IMMEDIATE, NR_VMSCAN_WRITE, NR_ZONE_ACTIVE_ANON,
	NR_ZONE_ACTIVE_FILE, NR_ZONE_INACTIVE_ANON, NR_ZONE_INACTIVE_FILE, nr_online_nodes,
	numa_node_id, NUMA_NO_NODE, pagevec_page, pagevecs, PGDAT_DIRTY, PGDAT_WRITEBACK, pgdats,
	WORKINGSET_ACTIVATE_ANON, WORKINGSET_ACTIVATE_FILE, zone_idx, ZONE_NORMAL, zones,
	zonelist_zone, type lruvec, type pagevec, type pglist_data, type zone, type zonelist }
	from './mmzone.ts';
import { let_victims_run } from './oom_kill.ts';
import { AOP_WRITEPAGE_ACTIVATE, clear_page_dirty_for_io, laptop_mode, WB_SYNC_NONE,
	wait_on_page_writeback, wakeup_flusher_threads, type writeback_control }
	from './page-writeback.ts';
import { free_unref_page_list, pageblock_order, zone_watermark_ok, zone_watermark_ok_safe }
	from './page_alloc.ts';
import { ClearPageActive, ClearPageDirty, ClearPageLRU, ClearPageReclaim, ClearPageUnevictable,
	compound_nr, page_has_private, PageActive, PageAnon, PageCompound, PageDirty, PageLocked,
	PageLRU, PageMlocked, PageReclaim, PageSwapBacked, PageSwapCache, PageTransHuge,
	PageUnevictable, PageWriteback, SetPageActive, SetPageLRU, SetPageReclaim,
	SetPageReferenced, SetPageWorkingset, TestClearPageReferenced, thp_nr_pages }
	from './page_flags.ts';
import { lock_page, mapping_exiting, mapping_set_error, trylock_page, unlock_page }
	from './pagemap.ts';
import { page_referenced, try_to_unmap, try_to_unmap_flush, try_to_unmap_flush_dirty }
	from './rmap.ts';
import { TTU_BATCH_FLUSH } from './rmap_types.ts';
import { lru_add_drain, lru_cache_add, lru_note_cost, swap_setup } from './swap.ts';
import { __delete_from_swap_cache, add_to_swap } from './swap_state.ts';
import { get_nr_swap_pages, SWAP_CLUSTER_MAX, total_swap_pages } from './swap_types.ts';
import { put_swap_page, try_to_free_swap } from './swapfile.ts';
import { trace_mm_vmscan_direct_reclaim_begin, trace_mm_vmscan_direct_reclaim_end,
	trace_mm_vmscan_kswapd_sleep, trace_mm_vmscan_kswapd_wake, trace_mm_vmscan_lru_isolate,
	trace_mm_vmscan_lru_shrink_active, trace_mm_vmscan_lru_shrink_inactive,
	trace_mm_vmscan_memcg_reclaim_begin, trace_mm_vmscan_memcg_reclaim_end,
	trace_mm_vmscan_wakeup_kswapd, trace_mm_vmscan_writepage } from './trace_vmscan.ts';
import { __count_vm_events, __count_zid_vm_events, __mod_node_page_state, ALLOCSTALL_NORMAL,
	calculate_normal_threshold, calculate_pressure_threshold, count_vm_event, count_vm_events,
	inc_node_page_state, KSWAPD_HIGH_WMARK_HIT_QUICKLY, node_page_state, PAGEOUTRUN, PGACTIVATE,
	PGDEACTIVATE, PGLAZYFREED, PGREFILL, PGSCAN_ANON, PGSCAN_DIRECT, PGSCAN_DIRECT_THROTTLE,
	PGSCAN_KSWAPD, PGSCAN_SKIP_NORMAL, PGSTEAL_ANON, PGSTEAL_DIRECT, PGSTEAL_KSWAPD,
	set_pgdat_percpu_threshold, sum_zone_node_page_state, UNEVICTABLE_PGRESCUED,
	UNEVICTABLE_PGSCANNED, zone_page_state, zone_page_state_snapshot } from './vmstat.ts';
import { workingset_age_nonresident, workingset_eviction } from './workingset.ts';

const { lru: page_lru_node } = pages;
const { prev } = list_heads;
const { lists, anon_cost, file_cost, refaults, recent_rotated, recent_scanned,
	flags: lruvec_flags } = lruvecs;
const { node_id, node_zones, flags: pgdat_flags, kswapd_failures, kswapd_order,
	kswapd_highest_zoneidx: highest_zoneidx_wanted, kswapd_wanted, pfmemalloc_wait,
	kswapd: kswapd_task } = pgdats;
const { zone_pgdat, watermark_boost } = zones;
const { flags: task_flags, reclaim_state, reclaimed_slab } = tasks;

const POINT_CHECK_REFERENCES = point('page_check_references.return');
const POINT_PAGE_LOCKED = point('shrink_page_list.page_locked');
const POINT_ADD_TO_SWAP = point('shrink_page_list.add_to_swap.return');
const POINT_TRY_TO_UNMAP = point('shrink_page_list.try_to_unmap.return');
const POINT_PAGEOUT = point('shrink_page_list.pageout.return');
const POINT_UNLOCK = point('shrink_page_list.unlock');
const POINT_INACTIVE_PUTBACK = point('shrink_inactive_list.putback');
const POINT_ACTIVE_PUTBACK = point('shrink_active_list.putback');
const POINT_ISOLATE = point('isolate_lru_pages.return');
const POINT_REMOVE_MAPPING = point('__remove_mapping');

/* pgdats.kswapd_wanted */
const KSWAPD_SLEEPS = 0, KSWAPD_WOKEN = 1, KSWAPD_RUNS = 2;

/* Type: which of anon (0) and file (1). */
const ANON_AND_FILE = 2;
const HZ = 250, NSEC_PER_MSEC = 1e6;
const MEMORY_GB_SHIFT = 18;

/** What shrink_page_list() did with its pages, in base pages; include/linux/vmstat.h. */
export class reclaim_stat {
	nr_dirty = 0;
	nr_unqueued_dirty = 0;
	nr_congested = 0;
	nr_writeback = 0;
	nr_immediate = 0;
	nr_pageout = 0;
	readonly nr_activate = new Int32Array(ANON_AND_FILE);
	nr_ref_keep = 0;
	nr_unmap_fail = 0;
	nr_lazyfree_fail = 0;
}

const DEACTIVATE_ANON = 1, DEACTIVATE_FILE = 2;

/** What shrink_node() sums up over the lists of a node, in pages. */
class scan_counts {
	dirty = 0;
	unqueued_dirty = 0;
	congested = 0;
	writeback = 0;
	immediate = 0;
	file_taken = 0;
	taken = 0;
}

/** One call of reclaim. Nested ones (a statement at a scheduling point) have their own. */
export class scan_control {
	/** pages wanted */
	nr_to_reclaim = 0;
	/** bit a node; 0: all */
	nodemask = 0;
	/** whose limit made this reclaim necessary; 0 in global reclaim */
	target_mem_cgroup = 0 as mem_cgroup;
	/** of the target's lruvec */
	anon_cost = 0;
	file_cost = 0;
	/** DEACTIVATE_*: which active lists may be shrunk */
	may_deactivate = 0;
	force_deactivate = false;
	skipped_deactivate = false;
	may_writepage = false;
	may_unmap = false;
	may_swap = false;
	/** second round: groups below memory.low too */
	memcg_low_reclaim = false;
	/** something was spared because of memory.low */
	memcg_low_skipped = false;
	/** no walk over a part of the groups any more: the first one got nothing */
	memcg_full_walk = false;
	compaction_ready = false;
	/** the node has so many idle file pages that only these are taken */
	cache_trim_mode = false;
	/** so few file pages are left on the node that they would thrash */
	file_is_tiny = false;
	order = 0;
	/** scan size >> priority of each list, 12 to 0 */
	priority = 0;
	/** highest zone that pages are taken from */
	reclaim_idx = 0;
	gfp_mask: gfp_t = 0;
	/** inactive pages that were looked at */
	nr_scanned = 0;
	nr_reclaimed = 0;
	readonly nr = new scan_counts();

	/* Locals of functions that C has on its stack, one set a reclaim. */
	readonly stat = new reclaim_stat();
	readonly vm_flags: out<number> = { v: 0 };
	readonly nr_to_scan: number[] = new Array<number>(NR_LRU_LISTS).fill(0);
	readonly targets: number[] = new Array<number>(NR_LRU_LISTS).fill(0);
}

/* A reclaim within a reclaim happens when another actor runs at a scheduling point of the first. */
const RECLAIMS_MAX = 64;
const scan_controls: readonly scan_control[] =
	Array.from({ length: RECLAIMS_MAX }, () => new scan_control());
const reclaims = global_s32('reclaims');

/** @custom begin a reclaim, all zero; scan_control_leave() ends it. C has it on its stack */
function scan_control_enter(): scan_control {
	BUG_ON(reclaims.v >= RECLAIMS_MAX, 'scheduling points nest too deep: no scan_control');
	const sc = scan_controls[reclaims.v++]!;

	sc.nr_to_reclaim = sc.nodemask = sc.anon_cost = sc.file_cost = sc.may_deactivate = 0;
	sc.target_mem_cgroup = 0 as mem_cgroup;
	sc.force_deactivate = sc.skipped_deactivate = false;
	sc.may_writepage = sc.may_unmap = sc.may_swap = false;
	sc.memcg_low_reclaim = sc.memcg_low_skipped = sc.memcg_full_walk = false;
	sc.compaction_ready = sc.cache_trim_mode = sc.file_is_tiny = false;
	sc.order = sc.priority = sc.reclaim_idx = sc.gfp_mask = sc.nr_scanned = 0;
	sc.nr_reclaimed = 0;
	return sc;
}

/** @custom the innermost reclaim ends; C pops its stack */
function scan_control_leave(): void {
	reclaims.v--;
}

/** vm.swappiness: 0 to 200, more is more anonymous memory */
export const vm_swappiness = global_s32('vm_swappiness');

/** @ported v5.10 include/linux/swap.h:current_is_kswapd() */
export function current_is_kswapd(): boolean {
	return (task_flags[current()] & PF_KSWAPD) !== 0;
}

/** @ported v5.10 include/linux/sched/signal.h:fatal_signal_pending() */
function fatal_signal_pending(task: task_struct): boolean {
	return tasks.sigkill[task] !== 0;
}

/** @custom kernel/time/timer.c:msleep(): no other task runs meanwhile, but devices do their work */
function msleep(msecs: number): void {
	clock_ns.v += msecs * NSEC_PER_MSEC;
	blk_complete(blk_pending());
}

/**
 * @custom mm/backing-dev.c:congestion_wait(): no device reports the end of congestion, so it is
 * the whole timeout
 */
export function congestion_wait(jiffies: number): void {
	msleep(jiffies * 1000 / HZ);
}

/**
 * @param rs whether `task` is in reclaim from now on: the kernel's pointer to its reclaim_state
 * @ported v5.10
 */
function set_task_reclaim_state(task: task_struct, rs: boolean): void {
	WARN_ON_ONCE(rs && reclaim_state[task] !== 0, 'a task in reclaim enters reclaim');
	WARN_ON_ONCE(!rs && reclaim_state[task] === 0, 'a task leaves reclaim that is not in it');

	reclaim_state[task] = rs ? 1 : 0;
	reclaimed_slab[task] = 0;
}

/** @ported v5.10 */
function cgroup_reclaim(sc: scan_control): boolean {
	return sc.target_mem_cgroup !== 0;
}

/** @ported v5.10 */
function writeback_throttling_sane(sc: scan_control): boolean {
	if (!cgroup_reclaim(sc))
		return true;

	/* cgroup v1 has no writeback of its own: reclaim itself waits */
	return cgroup_subsys_on_dfl();
}

/** @custom pgdat->node_zones + i */
function node_zone(pgdat: pglist_data, i: number): zone {
	return node_zones[pgdat] + i as zone;
}

/** @ported v5.10 */
export function zone_reclaimable_pages(zone: zone): number {
	let nr = zone_page_state_snapshot(zone, NR_ZONE_INACTIVE_FILE) +
		zone_page_state_snapshot(zone, NR_ZONE_ACTIVE_FILE);

	if (get_nr_swap_pages() > 0)
		nr += zone_page_state_snapshot(zone, NR_ZONE_INACTIVE_ANON) +
			zone_page_state_snapshot(zone, NR_ZONE_ACTIVE_ANON);

	return nr;
}

/** @ported v5.10 */
export function lruvec_lru_size(lruvec: lruvec, lru: number, zone_idx: number): number {
	const pgdat = lruvec_pgdat(lruvec);
	let size = 0;

	for (let zid = 0; zid <= zone_idx && zid < MAX_NR_ZONES; zid++) {
		if (!managed_zone(node_zone(pgdat, zid)))
			continue;
		size += mem_cgroup_get_zone_lru_size(lruvec, lru, zid);
	}
	return size;
}

/** @ported v5.10 */
function is_page_cache_freeable(page: page): boolean {
	/* besides these, there is the isolation's */
	const page_cache_pins = thp_nr_pages(page);

	return page_count(page) - page_has_private(page) === 1 + page_cache_pins;
}

/** @ported v5.10 */
function may_write_to_inode(inode: inode): boolean {
	if (task_flags[current()] & PF_SWAPWRITE)
		return true;
	if (!inode_write_congested(inode))
		return true;
	if (inode_to_bdi(inode) === tasks.backing_dev_info[current()])
		return true;
	return false;
}

/** @ported v5.10 */
function handle_write_error(mapping: address_space, page: page, error: number): void {
	lock_page(page);
	if (page_mapping(page) === mapping)
		mapping_set_error(mapping, error);
	unlock_page(page);
}

/* pageout_t: not written; to be activated; sent to the device, and unlocked; clean */
const PAGE_KEEP = 0, PAGE_ACTIVATE = 1, PAGE_SUCCESS = 2, PAGE_CLEAN = 3;

/* A local of pageout(), which is done with it before anything else can run. */
const wbc: writeback_control = {
	nr_to_write: 0, pages_skipped: 0, range_start: 0, range_end: Number.MAX_SAFE_INTEGER,
	sync_mode: 0, tagged_writepages: false, for_reclaim: true, range_cyclic: false,
};

/** @ported v5.10 */
function pageout(page: page, mapping: address_space): number {
	if (!is_page_cache_freeable(page))
		return PAGE_KEEP;
	if (!mapping) {
		/* an orphan of a data journal may have no mapping, and clean buffers */
		if (page_has_private(page) && try_to_free_buffers(page)) {
			ClearPageDirty(page);
			return PAGE_CLEAN;
		}
		return PAGE_KEEP;
	}
	if (!has_writepage(mapping))
		return PAGE_ACTIVATE;
	if (!may_write_to_inode(address_spaces.host[mapping]))
		return PAGE_KEEP;

	if (clear_page_dirty_for_io(page)) {
		wbc.sync_mode = WB_SYNC_NONE;
		wbc.nr_to_write = SWAP_CLUSTER_MAX;
		wbc.pages_skipped = 0;

		SetPageReclaim(page);
		const res = a_ops_writepage(mapping, page, wbc);
		if (res < 0)
			handle_write_error(mapping, page, res);
		if (res === AOP_WRITEPAGE_ACTIVATE) {
			ClearPageReclaim(page);
			return PAGE_ACTIVATE;
		}

		/* a synchronous write is over already */
		if (!PageWriteback(page))
			ClearPageReclaim(page);
		trace_mm_vmscan_writepage(page);
		inc_node_page_state(page, NR_VMSCAN_WRITE);
		return PAGE_SUCCESS;
	}

	return PAGE_CLEAN;
}

/**
 * As remove_mapping(), but a page that was taken out has no reference left.
 * @param reclaimed whether a shadow entry is to stay in its place
 * @ported v5.10
 */
function __remove_mapping(
	mapping: address_space, page: page, reclaimed: boolean, target_memcg: mem_cgroup,
): boolean {
	let shadow = 0;

	scheduling_point(POINT_REMOVE_MAPPING, page, -1);
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'leaves its mapping without its lock');
	VM_BUG_ON_PAGE(mapping !== page_mapping(page), page, 'leaves a mapping that is not its');

	/* references first, then dirty: see the kernel's comment */
	const refcount = 1 + compound_nr(page);
	if (!page_ref_freeze(page, refcount))
		return false;
	if (PageDirty(page)) {
		page_ref_unfreeze(page, refcount);
		return false;
	}

	if (PageSwapCache(page)) {
		const swap = page_private(page);

		mem_cgroup_swapout(page, swap);
		if (reclaimed && !mapping_exiting(mapping) &&
		    applied(MM_SWAP_IMPLEMENT_WORKINGSET_DETECTION_FOR_ANONYMOUS_LRU
		    /* aae466b0052e, v5.9 */))
			shadow = workingset_eviction(page, target_memcg);
		__delete_from_swap_cache(page, swap, shadow);
		put_swap_page(page, swap);
	} else {
		if (reclaimed && page_is_file_lru(page) && !mapping_exiting(mapping) &&
		    !dax_mapping(mapping))
			shadow = workingset_eviction(page, target_memcg);
		__delete_from_page_cache(page, shadow);

		if (has_freepage(mapping))
			a_ops_freepage(mapping, page);
	}

	return true;
}

/** @ported v5.10 */
export function remove_mapping(mapping: address_space, page: page): boolean {
	if (__remove_mapping(mapping, page, false, 0 as mem_cgroup)) {
		/* 1, not 2: the page cache's reference goes with it */
		page_ref_unfreeze(page, 1);
		return true;
	}
	return false;
}

/** @ported v5.10 */
export function putback_lru_page(page: page): void {
	lru_cache_add(page);
	put_page(page);
}

/** enum page_references */
export const PAGEREF_RECLAIM = 0, PAGEREF_RECLAIM_CLEAN = 1, PAGEREF_KEEP = 2, PAGEREF_ACTIVATE = 3;

/**
 * What the callers of page_referenced() give it: the group whose and whose descendants' references
 * count, 0 for all. Until c3ac9a8ade65 that was the group whose list is scanned.
 * @custom an argument
 */
function referenced_memcg(page: page, sc: scan_control): mem_cgroup {
	if (applied(MM_MEMCG_COUNT_PTE_REFERENCES_FROM_EVERY_MEMBER /* c3ac9a8ade65, v3.5 */))
		return sc.target_mem_cgroup;
	return cgroup_reclaim(sc) || applied(MM_VMSCAN_CONVERT_GLOBAL_RECLAIM_TO_PER_MEMCG_LRU_LISTS
		/* b95a2f2d486d, v3.3 */) ? page_memcg(page) : 0 as mem_cgroup;
}

/**
 * Whether a page is used or can be mapped again any time.
 * @ported v2.6.33 static
 */
function page_mapping_inuse(page: page): boolean {
	if (page_mapped(page))
		return true;

	if (PageSwapCache(page))
		return true;

	const mapping = page_mapping(page);
	return mapping !== 0 && mapping_mapped(mapping);
}

/**
 * What shrink_page_list() did itself, before there was page_check_references(): one reference, of
 * either kind, is enough.
 * @custom the part of v2.6.33's shrink_page_list() that is before its add_to_swap()
 */
function check_references_once(page: page, referenced: number, vm_flags: number): number {
	if (!referenced && !(vm_flags & VM_LOCKED))
		return PAGEREF_RECLAIM;

	/* to try_to_unmap(), which culls it; but what was referenced and is dirty stayed */
	if (vm_flags & VM_LOCKED)
		return !referenced || applied(VMSCAN_FACTOR_OUT_PAGE_REFERENCE_CHECKS
			/* dfc8d636cdb9, v2.6.34 */) ? PAGEREF_RECLAIM : PAGEREF_RECLAIM_CLEAN;

	return page_mapping_inuse(page) ? PAGEREF_ACTIVATE : PAGEREF_RECLAIM_CLEAN;
}

/** @ported v5.10 static; folio_check_references() from v5.18 */
export function page_check_references(page: page, sc: scan_control): number {
	const vm_flags = sc.vm_flags;
	const referenced_ptes = page_referenced(page, 1, referenced_memcg(page, sc), vm_flags);

	if (!applied(VMSCAN_DETECT_MAPPED_FILE_PAGES_USED_ONLY_ONCE /* 645747462435, v2.6.34 */))
		return check_references_once(page, referenced_ptes, vm_flags.v);

	const referenced_page = TestClearPageReferenced(page);

	/* mlock() missed it while it was isolated: try_to_unmap() makes up for that */
	if (vm_flags.v & VM_LOCKED)
		return applied(MM_THP_SHRINK_PAGE_LIST_AVOID_SPLITTING_VM_LOCKED
			/* 47d4f3ee4dfc, v5.18 */) ? PAGEREF_ACTIVATE : PAGEREF_RECLAIM;

	/* nobody knows: 6d4675e60135 */
	if (referenced_ptes === -1)
		return PAGEREF_KEEP;

	if (referenced_ptes) {
		const looked_at_twice = applied(MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU
			/* b518154e59aa, v5.9 */);

		if (!looked_at_twice &&
		    (applied(MM_CONSIDER_ALL_SWAPPED_BACK_PAGES_IN_USED_ONCE_LOGIC
		    /* e48982734ea0, v3.5 */) ? PageSwapBacked(page) : PageAnon(page)))
			return PAGEREF_ACTIVATE;

		/*
		 * The fault itself leaves a young entry, so one round says little: PG_referenced
		 * carries what it saw to the next, and past a stay on the active list too.
		 */
		SetPageReferenced(page);

		if (referenced_page || (referenced_ptes > 1 &&
		    applied(VMSCAN_PROMOTE_SHARED_FILE_MAPPED_PAGES /* 34dbc67a644f, v3.3 */)))
			return PAGEREF_ACTIVATE;

		if ((vm_flags.v & VM_EXEC) && (!looked_at_twice || !PageSwapBacked(page)) &&
		    applied(VMSCAN_ACTIVATE_EXECUTABLE_PAGES_AFTER_FIRST_USAGE
		    /* c909e99364c8, v3.3 */))
			return PAGEREF_ACTIVATE;

		return PAGEREF_KEEP;
	}

	/* clean ones only; dirty ones wait for the flusher */
	if (referenced_page && !PageSwapBacked(page))
		return PAGEREF_RECLAIM_CLEAN;

	return PAGEREF_RECLAIM;
}

/* page_check_dirty_writeback()'s out parameters */
const DIRTY = 1, WRITEBACK = 2;

/** DIRTY and WRITEBACK, as far as flushers are to know. @ported v5.10 */
function page_check_dirty_writeback(page: page): number {
	/* no flusher works on these: a stall would wait for nobody */
	if (!page_is_file_lru(page) || (PageAnon(page) && !PageSwapBacked(page)))
		return 0;

	const state = (PageDirty(page) ? DIRTY : 0) | (PageWriteback(page) ? WRITEBACK : 0);

	/* a file system that hangs its own data on pages may know better */
	if (!page_has_private(page))
		return state;

	const mapping = page_mapping(page);
	return mapping && has_is_dirty_writeback(mapping)
		? a_ops_is_dirty_writeback(mapping, page, state) : state;
}

/**
 * Reclaim what can be of `page_list`, whose pages are isolated; the others stay on it.
 * @param ttu_flags TTU_* for try_to_unmap(), besides its own
 * @returns base pages freed
 * @ported v5.10; but for huge pages
 */
function shrink_page_list(
	page_list: list_head, pgdat: pglist_data, sc: scan_control, ttu_flags: number,
	stat: reclaim_stat, ignore_references: boolean,
): number {
	const ret_pages = list_head_enter();
	const free_pages = list_head_enter();
	let nr_reclaimed = 0;

	stat.nr_dirty = stat.nr_unqueued_dirty = stat.nr_congested = stat.nr_writeback = 0;
	stat.nr_immediate = stat.nr_pageout = stat.nr_ref_keep = stat.nr_unmap_fail = 0;
	stat.nr_lazyfree_fail = stat.nr_activate[0] = stat.nr_activate[1] = 0;

	while (!list_empty(page_list)) {
		let references = PAGEREF_RECLAIM;
		let nr_pages = 0;
		const page = lru_to_page(prev[page_list]);

		list_del(page_lru_node(page));

		keep: {
			keep_locked: {
				activate_locked: {
					activate_locked_split: {
	if (!trylock_page(page))
		break keep;

	scheduling_point(POINT_PAGE_LOCKED, page, -1);
	VM_BUG_ON_PAGE(PageActive(page), page, 'is active and on its way to reclaim');
	VM_BUG_ON_PAGE(PageTransHuge(page), page, 'is huge, which is not modelled');

	nr_pages = compound_nr(page);

	sc.nr_scanned += nr_pages;

	if (!page_evictable(page))
		break activate_locked;

	if (!sc.may_unmap && page_mapped(page))
		break keep_locked;

	let may_enter_fs = (sc.gfp_mask & __GFP_FS) !== 0 ||
		(PageSwapCache(page) && (sc.gfp_mask & __GFP_IO) !== 0);

	/* shrink_node() marks the node by these counts */
	const state = page_check_dirty_writeback(page);
	if (state)
		stat.nr_dirty++;

	if (state === DIRTY)
		stat.nr_unqueued_dirty++;

	/* it has its mark of the last round still: the device is slower than reclaim */
	let mapping = page_mapping(page);
	if ((state && mapping && inode_write_congested(address_spaces.host[mapping])) ||
	    ((state & WRITEBACK) && PageReclaim(page)))
		stat.nr_congested++;

	/*
	 * It cannot go now, and on the active list it is in nobody's way. With a mark of the last
	 * round it is counted for a stall: kswapd is faster than the device. Else the mark makes
	 * rotate_reclaimable_page() bring it back. Only cgroup v1 waits for it here, if it may.
	 */
	if (PageWriteback(page)) {
		if (current_is_kswapd() && PageReclaim(page) &&
		    (pgdat_flags[pgdat] & 1 << PGDAT_WRITEBACK)) {
			stat.nr_immediate++;
			break activate_locked;
		} else if (writeback_throttling_sane(sc) || !PageReclaim(page) || !may_enter_fs) {
			SetPageReclaim(page);
			stat.nr_writeback++;
			break activate_locked;
		} else {
			unlock_page(page);
			wait_on_page_writeback(page);
			list_add_tail(page_lru_node(page), page_list);
			continue;
		}
	}

	if (!ignore_references) {
		references = page_check_references(page, sc);
		scheduling_point(POINT_CHECK_REFERENCES, page, -1);
	}

	switch (references) {
	case PAGEREF_ACTIVATE:
		break activate_locked;
	case PAGEREF_KEEP:
		stat.nr_ref_keep += nr_pages;
		break keep_locked;
	}

	/* an anonymous page needs a place in swap, but for a lazily freed one */
	if (PageAnon(page) && PageSwapBacked(page)) {
		if (!PageSwapCache(page)) {
			if (!(sc.gfp_mask & __GFP_IO))
				break keep_locked;
			if (page_maybe_dma_pinned(page) && applied(
			    MM_DONT_PUT_PINNED_PAGES_INTO_THE_SWAP_CACHE /* feb889fb40fa, v5.11 */))
				break keep_locked;
			if (!add_to_swap(page))
				break activate_locked_split;
			scheduling_point(POINT_ADD_TO_SWAP, page, -1);

			may_enter_fs = true;

			mapping = page_mapping(page);
		}
	}

	if (page_mapped(page)) {
		const was_swapbacked = PageSwapBacked(page);
		const unmapped = try_to_unmap(page, ttu_flags | TTU_BATCH_FLUSH);

		scheduling_point(POINT_TRY_TO_UNMAP, page, -1);
		if (!unmapped) {
			stat.nr_unmap_fail += nr_pages;
			if (!was_swapbacked && PageSwapBacked(page))
				stat.nr_lazyfree_fail += nr_pages;
			break activate_locked;
		}
	}

	if (PageDirty(page)) {
		/*
		 * File pages are left to the flushers. Only kswapd writes them, and only when it
		 * meets the same dirty page again on a node that is full of them.
		 */
		if (page_is_file_lru(page) && (!current_is_kswapd() || !PageReclaim(page) ||
		    !(pgdat_flags[pgdat] & 1 << PGDAT_DIRTY))) {
			inc_node_page_state(page, NR_VMSCAN_IMMEDIATE);
			SetPageReclaim(page);

			break activate_locked;
		}

		if (references === PAGEREF_RECLAIM_CLEAN)
			break keep_locked;
		if (!may_enter_fs)
			break keep_locked;
		if (!sc.may_writepage)
			break keep_locked;

		/* no CPU may write through a stale TLB entry once the I/O started */
		try_to_unmap_flush_dirty();
		const result = pageout(page, mapping);
		scheduling_point(POINT_PAGEOUT, page, -1);
		switch (result) {
		case PAGE_KEEP:
			break keep_locked;
		case PAGE_ACTIVATE:
			break activate_locked;
		case PAGE_SUCCESS:
			stat.nr_pageout += thp_nr_pages(page);

			if (PageWriteback(page))
				break keep;
			if (PageDirty(page))
				break keep;

			/* ->writepage() has done all its work: it may go at once */
			if (!trylock_page(page))
				break keep;
			if (PageDirty(page) || PageWriteback(page))
				break keep_locked;
			mapping = page_mapping(page);
		}
	}

	/* buffers pin their page; those of a truncated page go with it */
	if (page_has_private(page)) {
		if (!try_to_release_page(page, sc.gfp_mask))
			break activate_locked;
		if (!mapping && page_count(page) === 1) {
			unlock_page(page);
			if (put_page_testzero(page))
				list_add(page_lru_node(page), free_pages);
			/* else: who has the last reference frees it */
			nr_reclaimed++;
			continue;
		}
	}

	if (PageAnon(page) && !PageSwapBacked(page)) {
		if (!page_ref_freeze(page, 1))
			break keep_locked;
		if (PageDirty(page)) {
			page_ref_unfreeze(page, 1);
			break keep_locked;
		}

		count_vm_event(PGLAZYFREED);
		count_memcg_page_event(page, PGLAZYFREED);
	} else if (!mapping || !__remove_mapping(mapping, page, true, sc.target_mem_cgroup)) {
		break keep_locked;
	}

	scheduling_point(POINT_UNLOCK, page, -1);
	unlock_page(page);
						/* free_it: */
						nr_reclaimed += nr_pages;
						list_add(page_lru_node(page), free_pages);
						continue;
					}
					/* activate_locked_split: its tails were counted */
					if (nr_pages > 1) {
						sc.nr_scanned -= nr_pages - 1;
						nr_pages = 1;
					}
				}
				/* activate_locked: back in use, so others may need its slot more */
				if (PageSwapCache(page) &&
				    (mem_cgroup_swap_full(page) || PageMlocked(page)))
					try_to_free_swap(page);
				VM_BUG_ON_PAGE(PageActive(page), page, 'is active already');
				if (!PageMlocked(page)) {
					SetPageActive(page);
					stat.nr_activate[page_is_file_lru(page)]! += nr_pages;
					count_memcg_page_event(page, PGACTIVATE);
				}
			}
			/* keep_locked: */
			scheduling_point(POINT_UNLOCK, page, -1);
			unlock_page(page);
		}
		/* keep: */
		list_add(page_lru_node(page), ret_pages);
		VM_BUG_ON_PAGE(PageLRU(page) || PageUnevictable(page), page,
			'is on the LRU while it is isolated');
	}

	const pgactivate = stat.nr_activate[0]! + stat.nr_activate[1]!;

	mem_cgroup_uncharge_list(free_pages);
	try_to_unmap_flush();
	free_unref_page_list(free_pages);

	list_splice(ret_pages, page_list);
	INIT_LIST_HEAD(ret_pages);
	count_vm_events(PGACTIVATE, pgactivate);

	list_head_leave(free_pages);
	list_head_leave(ret_pages);
	return nr_reclaimed;
}

/**
 * Take a page off the LRU for someone who holds lru_lock.
 * @param mode ISOLATE_*
 * @returns 0; -EINVAL if it is not on the LRU or not to be taken; -EBUSY if it is being freed or
 * `mode` does not want it
 * @ported v5.10
 */
export function __isolate_lru_page(page: page, mode: number): number {
	if (!PageLRU(page))
		return -EINVAL;

	if (PageUnevictable(page) && !(mode & ISOLATE_UNEVICTABLE))
		return -EINVAL;

	/* only what can be migrated without waiting */
	if (mode & ISOLATE_ASYNC_MIGRATE) {
		if (PageWriteback(page))
			return -EBUSY;

		if (PageDirty(page)) {
			if (!trylock_page(page))
				return -EBUSY;

			/* without ->migratepage() it would have to be written first */
			const mapping = page_mapping(page);
			const migrate_dirty = !mapping || has_migratepage(mapping);
			unlock_page(page);
			if (!migrate_dirty)
				return -EBUSY;
		}
	}

	if ((mode & ISOLATE_UNMAPPED) && page_mapped(page))
		return -EBUSY;

	if (get_page_unless_zero(page)) {
		ClearPageLRU(page);
		return 0;
	}

	return -EBUSY;
}

/** @ported v5.10 */
function update_lru_sizes(lruvec: lruvec, lru: number, nr_zone_taken: Int32Array): void {
	for (let zid = 0; zid < MAX_NR_ZONES; zid++) {
		if (!nr_zone_taken[zid])
			continue;

		update_lru_size(lruvec, lru, zid, -nr_zone_taken[zid]!);
	}
}

/* Locals of isolate_lru_pages(), within which nothing else runs. */
const nr_zone_taken = new Int32Array(MAX_NR_ZONES);
const zone_skipped = new Int32Array(MAX_NR_ZONES);
/* Its out parameter, to be read before anything else can run. */
const isolate_scanned: out<number> = { v: 0 };

/**
 * Move pages from the tail of a list to `dst`.
 * @param nr_scanned out: pages looked at, those of too high zones with them
 * @returns base pages moved
 * @ported v5.10
 */
function isolate_lru_pages(
	nr_to_scan: number, lruvec: lruvec, dst: list_head, nr_scanned: out<number>,
	sc: scan_control, lru: number,
): number {
	const src = lists(lruvec, lru);
	let nr_taken = 0;
	let skipped = 0;
	const pages_skipped = list_head_enter();
	const mode = sc.may_unmap ? 0 : ISOLATE_UNMAPPED;

	nr_zone_taken.fill(0);
	zone_skipped.fill(0);

	let total_scan = 0;
	let scan = 0;
	while (scan < nr_to_scan && !list_empty(src)) {
		const page = lru_to_page(prev[src]);

		VM_BUG_ON_PAGE(!PageLRU(page), page, 'lies on an LRU list without PG_lru');

		const nr_pages = compound_nr(page);
		total_scan += nr_pages;

		if (page_zonenum(page) > sc.reclaim_idx) {
			list_move(page_lru_node(page), pages_skipped);
			zone_skipped[page_zonenum(page)]! += nr_pages;
			continue;
		}

		/* those of too high zones do not count: many of them must not use up the scan */
		scan += nr_pages;
		switch (__isolate_lru_page(page, mode)) {
		case 0:
			nr_taken += nr_pages;
			nr_zone_taken[page_zonenum(page)]! += nr_pages;
			list_move(page_lru_node(page), dst);
			break;

		case -EBUSY:
			/* who frees it takes it off the list */
			list_move(page_lru_node(page), src);
			continue;

		default:
			BUG(`page ${page} on an LRU list cannot be isolated`);
		}
	}

	/* to the head: at the tail, the next round would meet them again at once */
	if (!list_empty(pages_skipped)) {
		list_splice(pages_skipped, src);
		INIT_LIST_HEAD(pages_skipped);
		for (let zid = 0; zid < MAX_NR_ZONES; zid++) {
			if (!zone_skipped[zid])
				continue;

			__count_zid_vm_events(PGSCAN_SKIP_NORMAL, zid, zone_skipped[zid]!);
			skipped += zone_skipped[zid]!;
		}
	}
	nr_scanned.v = total_scan;
	trace_mm_vmscan_lru_isolate(
		sc.reclaim_idx, sc.order, nr_to_scan, total_scan, skipped, nr_taken, mode, lru);
	update_lru_sizes(lruvec, lru, nr_zone_taken);
	list_head_leave(pages_skipped);
	return nr_taken;
}

/**
 * Take a page that the caller has a reference of off the LRU.
 * @returns 0, or -EBUSY if it was not on the LRU
 * @ported v5.10
 */
export function isolate_lru_page(page: page): number {
	let ret = -EBUSY;

	VM_BUG_ON_PAGE(!page_count(page), page, 'is isolated without a reference');

	if (PageLRU(page)) {
		const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));
		const lru = page_lru(page);

		get_page(page);
		ClearPageLRU(page);
		del_page_from_lru_list(page, lruvec, lru);
		ret = 0;
	}
	return ret;
}

/** @ported v5.10 */
function too_many_isolated(pgdat: pglist_data, file: number, sc: scan_control): boolean {
	let inactive, isolated;

	if (current_is_kswapd())
		return false;

	if (!writeback_throttling_sane(sc))
		return false;

	if (file) {
		inactive = node_page_state(pgdat, NR_INACTIVE_FILE);
		isolated = node_page_state(pgdat, NR_ISOLATED_FILE);
	} else {
		inactive = node_page_state(pgdat, NR_INACTIVE_ANON);
		isolated = node_page_state(pgdat, NR_ISOLATED_ANON);
	}

	/* they may hold what those without I/O would wait for: these get a higher limit */
	if ((sc.gfp_mask & (__GFP_IO | __GFP_FS)) === (__GFP_IO | __GFP_FS))
		inactive = Math.trunc(inactive / 8);

	return isolated > inactive;
}

/**
 * Put isolated pages back where their flags say; those that nobody else holds are left on `list`.
 * @returns base pages put back
 * @ported v5.10
 */
function move_pages_to_lru(lruvec: lruvec, list: list_head): number {
	const pgdat = lruvec_pgdat(lruvec);
	const pages_to_free = list_head_enter();
	let nr_moved = 0;

	while (!list_empty(list)) {
		const page = lru_to_page(prev[list]);

		VM_BUG_ON_PAGE(PageLRU(page), page, 'is on the LRU while it is isolated');
		if (!page_evictable(page)) {
			list_del(page_lru_node(page));
			putback_lru_page(page);
			continue;
		}
		lruvec = mem_cgroup_page_lruvec(page, pgdat);

		SetPageLRU(page);
		const lru = page_lru(page);

		const nr_pages = thp_nr_pages(page);
		update_lru_size(lruvec, lru, page_zonenum(page), nr_pages);
		list_move(page_lru_node(page), lists(lruvec, lru));

		if (put_page_testzero(page)) {
			ClearPageLRU(page);
			ClearPageActive(page);
			del_page_from_lru_list(page, lruvec, lru);

			VM_BUG_ON_PAGE(PageCompound(page), page,
				'is compound, which is not modelled');
			list_add(page_lru_node(page), pages_to_free);
		} else {
			nr_moved += nr_pages;
			if (PageActive(page))
				workingset_age_nonresident(lruvec, nr_pages);
		}
	}

	list_splice(pages_to_free, list);
	INIT_LIST_HEAD(pages_to_free);
	list_head_leave(pages_to_free);

	return nr_moved;
}

/** @ported v5.10 */
function current_may_throttle(): boolean {
	const bdi = tasks.backing_dev_info[current()];

	return !(task_flags[current()] & PF_LOCAL_THROTTLE) || bdi === 0 ||
		bdi_write_congested(bdi);
}

/** @ported v5.10 */
function shrink_inactive_list(
	nr_to_scan: number, lruvec: lruvec, sc: scan_control, lru: number,
): number {
	const stat = sc.stat;
	const file = is_file_lru(lru) ? 1 : 0;
	const pgdat = lruvec_pgdat(lruvec);
	let stalled = false;

	while (too_many_isolated(pgdat, file, sc)) {
		if (stalled)
			return 0;

		msleep(100);
		stalled = true;

		/* its exit will free more than this */
		if (fatal_signal_pending(current()))
			return SWAP_CLUSTER_MAX;
	}

	const page_list = list_head_enter();

	lru_add_drain();

	const nr_taken = isolate_lru_pages(nr_to_scan, lruvec, page_list, isolate_scanned, sc, lru);
	const nr_scanned = isolate_scanned.v;

	__mod_node_page_state(pgdat, NR_ISOLATED_ANON + file, nr_taken);
	if (!applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */))
		recent_scanned[lruvec * 2 + file]! += nr_taken;
	let item = current_is_kswapd() ? PGSCAN_KSWAPD : PGSCAN_DIRECT;
	if (!cgroup_reclaim(sc))
		__count_vm_events(item, nr_scanned);
	__count_memcg_events(lruvec_memcg(lruvec), item, nr_scanned);
	__count_vm_events(PGSCAN_ANON + file, nr_scanned);

	scheduling_point(POINT_ISOLATE, 0, -1);

	if (nr_taken === 0) {
		list_head_leave(page_list);
		return 0;
	}

	const nr_reclaimed = shrink_page_list(page_list, pgdat, sc, 0, stat, false);

	scheduling_point(POINT_INACTIVE_PUTBACK, 0, -1);
	move_pages_to_lru(lruvec, page_list);

	__mod_node_page_state(pgdat, NR_ISOLATED_ANON + file, -nr_taken);
	if (!applied(MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING /* 314b57fb0460, v5.8 */))
		note_rotated(lruvec, stat.nr_activate[0]!, stat.nr_activate[1]!);
	else if (applied(MM_VMSCAN_RECLAIM_WRITEPAGE_IS_IO_COST /* 96f8bf4fb1dd, v5.8 */))
		lru_note_cost(lruvec, file !== 0, stat.nr_pageout, nr_scanned - nr_reclaimed);
	item = current_is_kswapd() ? PGSTEAL_KSWAPD : PGSTEAL_DIRECT;
	if (!cgroup_reclaim(sc))
		__count_vm_events(item, nr_reclaimed);
	__count_memcg_events(lruvec_memcg(lruvec), item, nr_reclaimed);
	__count_vm_events(PGSTEAL_ANON + file, nr_reclaimed);

	mem_cgroup_uncharge_list(page_list);
	free_unref_page_list(page_list);

	/* nothing but dirty pages that nobody writes: the flushers are late */
	if (stat.nr_unqueued_dirty === nr_taken)
		wakeup_flusher_threads();

	sc.nr.dirty += stat.nr_dirty;
	sc.nr.congested += stat.nr_congested;
	sc.nr.unqueued_dirty += stat.nr_unqueued_dirty;
	sc.nr.writeback += stat.nr_writeback;
	sc.nr.immediate += stat.nr_immediate;
	sc.nr.taken += nr_taken;
	if (file)
		sc.nr.file_taken += nr_taken;

	trace_mm_vmscan_lru_shrink_inactive(
		node_id[pgdat], nr_scanned, nr_reclaimed, stat, sc.priority, file);
	list_head_leave(page_list);
	return nr_reclaimed;
}

/**
 * Pages that go back to the active lists: v5.7's and older kernels' measure of a list, and for a
 * few commits what the cost model counted.
 * @custom a line of the callers
 */
function note_rotated(lruvec: lruvec, nr_anon: number, nr_file: number): void {
	if (applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */)) {
		lru_note_cost(lruvec, false, nr_anon, 0);
		lru_note_cost(lruvec, true, nr_file, 0);
		return;
	}
	recent_rotated[lruvec * 2]! += nr_anon;
	recent_rotated[lruvec * 2 + 1]! += nr_file;
}

/** @ported v5.10 */
function shrink_active_list(
	nr_to_scan: number, lruvec: lruvec, sc: scan_control, lru: number,
): void {
	const vm_flags = sc.vm_flags;
	const l_hold = list_head_enter();
	const l_active = list_head_enter();
	const l_inactive = list_head_enter();
	let nr_rotated = 0;
	const file = is_file_lru(lru) ? 1 : 0;
	const pgdat = lruvec_pgdat(lruvec);

	lru_add_drain();

	const nr_taken = isolate_lru_pages(nr_to_scan, lruvec, l_hold, isolate_scanned, sc, lru);
	const nr_scanned = isolate_scanned.v;

	__mod_node_page_state(pgdat, NR_ISOLATED_ANON + file, nr_taken);
	const by_rotation = !applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL
		/* 1431d4d11abb, v5.8 */);
	if (by_rotation)
		recent_scanned[lruvec * 2 + file]! += nr_taken;

	if (!cgroup_reclaim(sc))
		__count_vm_events(PGREFILL, nr_scanned);
	__count_memcg_events(lruvec_memcg(lruvec), PGREFILL, nr_scanned);

	scheduling_point(POINT_ISOLATE, 0, -1);

	while (!list_empty(l_hold)) {
		const page = lru_to_page(prev[l_hold]);

		list_del(page_lru_node(page));

		if (!page_evictable(page)) {
			putback_lru_page(page);
			continue;
		}

		if (buffer_heads_over_limit) {
			if (page_has_private(page) && trylock_page(page)) {
				if (page_has_private(page))
					try_to_release_page(page, 0);
				unlock_page(page);
			}
		}

		if (page_referenced(page, 0, referenced_memcg(page, sc), vm_flags)) {
			/* in v5.7 what is deactivated all the same counts too */
			if (by_rotation)
				nr_rotated += thp_nr_pages(page);
			/* a stream of file data must not push out the code that runs */
			if ((vm_flags.v & VM_EXEC) && page_is_file_lru(page) &&
			    applied(VMSCAN_MAKE_MAPPED_EXECUTABLE_PAGES_THE_FIRST_CLASS_CITIZEN
			    /* 8cab4754d24a, v2.6.31 */)) {
				if (!by_rotation)
					nr_rotated += thp_nr_pages(page);
				list_add(page_lru_node(page), l_active);
				continue;
			}
		}

		ClearPageActive(page);
		SetPageWorkingset(page);
		list_add(page_lru_node(page), l_inactive);
	}

	scheduling_point(POINT_ACTIVE_PUTBACK, 0, -1);
	const nr_activate = move_pages_to_lru(lruvec, l_active);
	const nr_deactivate = move_pages_to_lru(lruvec, l_inactive);
	/* what is to be freed, all on one list */
	list_splice(l_inactive, l_active);
	INIT_LIST_HEAD(l_inactive);

	__count_vm_events(PGDEACTIVATE, nr_deactivate);
	__count_memcg_events(lruvec_memcg(lruvec), PGDEACTIVATE, nr_deactivate);

	__mod_node_page_state(pgdat, NR_ISOLATED_ANON + file, -nr_taken);
	if (!applied(MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING /* 314b57fb0460, v5.8 */))
		note_rotated(lruvec, file ? 0 : nr_rotated, file ? nr_rotated : 0);
	else if (nr_rotated &&
	    applied(MM_VMSCAN_MAKE_ROTATIONS_A_SECONDARY_FACTOR /* 0538a82c39e9, v6.4 */))
		lru_note_cost(lruvec, file !== 0, 0, nr_rotated);

	mem_cgroup_uncharge_list(l_active);
	free_unref_page_list(l_active);
	trace_mm_vmscan_lru_shrink_active(node_id[pgdat], nr_taken, nr_activate, nr_deactivate,
		nr_rotated, sc.priority, file);
	list_head_leave(l_inactive);
	list_head_leave(l_active);
	list_head_leave(l_hold);
}

/**
 * Reclaim isolated pages, as MADV_PAGEOUT does.
 * @param page_list pages; empty afterwards
 * @returns base pages freed
 * @ported v5.10
 */
export function reclaim_pages(page_list: list_head): number {
	let nid = NUMA_NO_NODE;
	let nr_reclaimed = 0;
	const node_page_list = list_head_enter();
	const sc = scan_control_enter();

	sc.gfp_mask = GFP_KERNEL;
	sc.priority = DEF_PRIORITY;
	sc.may_writepage = true;
	sc.may_unmap = true;
	sc.may_swap = true;

	while (!list_empty(page_list)) {
		const page = lru_to_page(prev[page_list]);

		if (nid === NUMA_NO_NODE) {
			nid = page_to_nid(page);
			INIT_LIST_HEAD(node_page_list);
		}

		if (nid === page_to_nid(page)) {
			ClearPageActive(page);
			list_move(page_lru_node(page), node_page_list);
			continue;
		}

		nr_reclaimed += reclaim_page_list(node_page_list, NODE_DATA(nid), sc);
		nid = NUMA_NO_NODE;
	}

	if (!list_empty(node_page_list))
		nr_reclaimed += reclaim_page_list(node_page_list, NODE_DATA(nid), sc);

	scan_control_leave();
	list_head_leave(node_page_list);
	return nr_reclaimed;
}

/** @ported v5.10 part of reclaim_pages(), which has it twice */
function reclaim_page_list(
	node_page_list: list_head, pgdat: pglist_data, sc: scan_control,
): number {
	const nr_reclaimed = shrink_page_list(node_page_list, pgdat, sc, 0, sc.stat,
		applied(MM_MADVISE_PAGEOUT_IGNORE_REFERENCES /* 2864f3d0f583, v6.10 */));

	while (!list_empty(node_page_list)) {
		const page = lru_to_page(prev[node_page_list]);

		list_del(page_lru_node(page));
		putback_lru_page(page);
	}
	return nr_reclaimed;
}

/** @ported v5.10 */
function shrink_list(lru: number, nr_to_scan: number, lruvec: lruvec, sc: scan_control): number {
	if (is_active_lru(lru)) {
		if (!applied(MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT
		    /* b91ac374346b, v5.5 */)) {
			if (inactive_list_is_low(lruvec, is_file_lru(lru), sc))
				shrink_active_list(nr_to_scan, lruvec, sc, lru);
			return 0;
		}
		if (sc.may_deactivate & (is_file_lru(lru) ? DEACTIVATE_FILE : DEACTIVATE_ANON))
			shrink_active_list(nr_to_scan, lruvec, sc, lru);
		else
			sc.skipped_deactivate = true;
		return 0;
	}

	return shrink_inactive_list(nr_to_scan, lruvec, sc, lru);
}

/**
 * Whether there are fewer inactive pages than 1 / (1 + ratio) of all: a ratio of 1 below 1 GiB, 3
 * at 1 GiB, 10 at 10 GiB, 31 at 100 GiB.
 * @ported v5.10 static
 */
export function inactive_is_low(lruvec: lruvec, inactive_lru: number): boolean {
	const active_lru = inactive_lru + LRU_ACTIVE;

	const inactive = lruvec_page_state(lruvec, NR_LRU_BASE + inactive_lru);
	const active = lruvec_page_state(lruvec, NR_LRU_BASE + active_lru);

	const gb = Math.trunc((inactive + active) / 2 ** MEMORY_GB_SHIFT);
	const inactive_ratio = gb ? int_sqrt(10 * gb) : 1;

	return inactive * inactive_ratio < active;
}

/**
 * As inactive_is_low(), of the pages that this reclaim can take; with file pages that thrash, there
 * are never enough inactive ones.
 * @ported v5.4 static
 */
function inactive_list_is_low(lruvec: lruvec, file: boolean, sc: scan_control): boolean {
	const inactive_lru = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;

	if (!file && !total_swap_pages.v)
		return false;

	const inactive = lruvec_lru_size(lruvec, inactive_lru, sc.reclaim_idx);
	const active = lruvec_lru_size(lruvec, inactive_lru + LRU_ACTIVE, sc.reclaim_idx);

	let inactive_ratio = 0;
	if (!file || !file_thrashes(lruvec, sc)) {
		const gb = Math.trunc((inactive + active) / 2 ** MEMORY_GB_SHIFT);
		inactive_ratio = gb ? int_sqrt(10 * gb) : 1;
	}

	return inactive * inactive_ratio < active;
}

/** @custom the part of inactive_list_is_low() that compares refaults; b910718a948a moved it */
function file_thrashes(lruvec: lruvec, sc: scan_control): boolean {
	if (applied(MM_VMSCAN_DETECT_FILE_THRASHING_AT_THE_RECLAIM_ROOT /* b910718a948a, v5.5 */)) {
		const target = mem_cgroup_lruvec(sc.target_mem_cgroup, lruvec_pgdat(lruvec));
		return lruvec_page_state(target, WORKINGSET_ACTIVATE_FILE) !==
			refaults[target * 2 + 1];
	}
	return lruvec_page_state_local(lruvec, WORKINGSET_ACTIVATE_FILE) !==
		refaults[lruvec * 2 + 1];
}

/* enum scan_balance */
const SCAN_EQUAL = 0, SCAN_FRACT = 1, SCAN_ANON = 2, SCAN_FILE = 3;

/* Locals of get_scan_count(), within which nothing else runs. */
const fraction = new Float64Array(ANON_AND_FILE);
const protection_min: out<number> = { v: 0 }, protection_low: out<number> = { v: 0 };

/** @custom the part of get_scan_count() that decides on the balance; sets `fraction` */
function scan_balance_of(lruvec: lruvec, memcg: mem_cgroup, sc: scan_control): number {
	const swappiness = mem_cgroup_swappiness(memcg);

	/* no swap space, no anonymous pages */
	if (!sc.may_swap || mem_cgroup_get_nr_swap_pages(memcg) <= 0)
		return SCAN_FILE;

	/* a cgroup can be kept from swapping so; the system will swap rather than run out */
	if (cgroup_reclaim(sc) && !swappiness)
		return SCAN_FILE;

	/* the last round: whatever there is */
	if (!sc.priority && swappiness)
		return SCAN_EQUAL;

	if (!applied(MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT
	    /* b91ac374346b, v5.5 */)) {
		/* both as in shrink_node(), but of this group's lists */
		if (sc.file_is_tiny && !inactive_list_is_low(lruvec, false, sc) &&
		    Math.trunc(lruvec_lru_size(lruvec, LRU_INACTIVE_ANON, sc.reclaim_idx) /
		    2 ** sc.priority) !== 0)
			return SCAN_ANON;
		if (!inactive_list_is_low(lruvec, true, sc) &&
		    Math.trunc(lruvec_lru_size(lruvec, LRU_INACTIVE_FILE, sc.reclaim_idx) /
		    2 ** sc.priority) !== 0)
			return SCAN_FILE;
	} else {
		if (sc.file_is_tiny)
			return SCAN_ANON;

		if (sc.cache_trim_mode)
			return SCAN_FILE;
	}

	if (!applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */)) {
		fraction_by_rotation(lruvec, swappiness, sc);
		return SCAN_FRACT;
	}

	const of_root = applied(MM_VMSCAN_DETERMINE_ANON_FILE_PRESSURE_BALANCE_AT_THE_RECLAIM_ROOT
		/* 7cf111bc39f6, v5.8 */);
	let anon = of_root ? sc.anon_cost : anon_cost[lruvec];
	let file = of_root ? sc.file_cost : file_cost[lruvec];
	let total_cost = anon + file;

	/* The costlier type is spared, but never below a third; swappiness then shifts both. */
	if (applied(MM_VMSCAN_LIMIT_THE_RANGE_OF_LRU_TYPE_BALANCING /* d483a5dd009a, v5.8 */)) {
		anon += total_cost;
		file += total_cost;
		total_cost = anon + file;
	}

	fraction[0] = Math.trunc(swappiness * (total_cost + 1) / (anon + 1));
	fraction[1] = Math.trunc((200 - swappiness) * (total_cost + 1) / (file + 1));
	return SCAN_FRACT;
}

/**
 * The less of the pages scanned had to be rotated, the more a list is worth a scan; old numbers
 * count less and less.
 * @custom the part of v5.7's get_scan_count() that sets `fraction`
 */
function fraction_by_rotation(lruvec: lruvec, swappiness: number, sc: scan_control): void {
	for (let file = 0; file < ANON_AND_FILE; file++) {
		const lru = file ? LRU_INACTIVE_FILE : LRU_INACTIVE_ANON;
		const size = lruvec_lru_size(lruvec, lru, sc.reclaim_idx) +
			lruvec_lru_size(lruvec, lru + LRU_ACTIVE, sc.reclaim_idx);
		const at = lruvec * 2 + file;

		if (recent_scanned[at]! > Math.trunc(size / 4)) {
			recent_scanned[at] = Math.trunc(recent_scanned[at]! / 2);
			recent_rotated[at] = Math.trunc(recent_rotated[at]! / 2);
		}
		fraction[file] = Math.trunc((file ? 200 - swappiness : swappiness) *
			(recent_scanned[at]! + 1) / (recent_rotated[at]! + 1));
	}
}

/** @custom the part of get_scan_count() that memory.min and memory.low act on: pages to scan */
function unprotected_size(lruvec_size: number, memcg: mem_cgroup, sc: scan_control): number {
	mem_cgroup_protection(sc.target_mem_cgroup, memcg, protection_min, protection_low);
	const min = protection_min.v, low = protection_low.v;
	let protection;

	if (applied(MM_FIX_OOMS_DUE_TO_PROPORTIONAL_MEMORY_LOW /* f56ce412a59d, v5.14 */)) {
		if (!min && !low)
			return lruvec_size;
		/* what memory.low spares is noted, so that reclaim comes back before it gives up */
		if (!sc.memcg_low_reclaim && low > min) {
			protection = low;
			sc.memcg_low_skipped = true;
		} else {
			protection = min;
		}
	} else {
		protection = sc.memcg_low_reclaim ? min : Math.max(min, low);
		if (!protection)
			return lruvec_size;
	}

	let cgroup_size = Math.max(mem_cgroup_size(memcg), protection);
	if (applied(MM_AVOID_DIVIDE_BY_ZERO_IN_MEMORY_LOW /* 32d4f4b782bb, v5.14 */))
		cgroup_size++;
	VM_BUG_ON(cgroup_size === 0, 'divide error in get_scan_count()');

	const scan = lruvec_size - Math.trunc(lruvec_size * protection / cgroup_size);

	/* not less than a batch: else the priority would rise for nothing */
	return Math.max(scan, SWAP_CLUSTER_MAX);
}

/**
 * How many pages of each list to scan.
 * @param nr out: by LRU_*
 * @ported v5.10 static
 */
export function get_scan_count(lruvec: lruvec, sc: scan_control, nr: number[]): void {
	const memcg = lruvec_memcg(lruvec);
	const scan_balance = scan_balance_of(lruvec, memcg, sc);
	const denominator = fraction[0]! + fraction[1]! +
		(applied(MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL /* 1431d4d11abb, v5.8 */)
			? 0 : 1);

	for (let lru = LRU_BASE; lru <= LRU_ACTIVE_FILE; lru++) {
		const file = is_file_lru(lru) ? 1 : 0;
		const lruvec_size = lruvec_lru_size(lruvec, lru, sc.reclaim_idx);
		let scan = unprotected_size(lruvec_size, memcg, sc);

		scan = Math.trunc(scan / 2 ** sc.priority);

		/* the last pages of a removed cgroup */
		if (!scan && !mem_cgroup_online(memcg))
			scan = Math.min(lruvec_size, SWAP_CLUSTER_MAX);

		switch (scan_balance) {
		case SCAN_EQUAL:
			break;
		case SCAN_FRACT:
			scan = scan * fraction[file]! / denominator;
			scan = mem_cgroup_online(memcg) ? Math.floor(scan) : Math.ceil(scan);
			break;
		case SCAN_FILE:
		case SCAN_ANON:
			if ((scan_balance === SCAN_FILE) !== (file !== 0))
				scan = 0;
			break;
		default:
			BUG('no such balance of anon and file');
		}

		nr[lru] = scan;
	}
}

/** @ported v5.10 */
function shrink_lruvec(lruvec: lruvec, sc: scan_control): void {
	const nr = sc.nr_to_scan, targets = sc.targets;
	const nr_to_reclaim = sc.nr_to_reclaim;
	let nr_reclaimed = 0;

	get_scan_count(lruvec, sc, nr);

	for (let lru = 0; lru < NR_LRU_LISTS; lru++)
		targets[lru] = nr[lru]!;

	/*
	 * Direct reclaim of the whole system at the lowest pressure does its batch to the end: that
	 * it is needed says that kswapd does not keep up. Others stop when they have enough; before
	 * f53af4285d77 not any more once the targets were adjusted.
	 */
	let scan_adjusted =
		!cgroup_reclaim(sc) && !current_is_kswapd() && sc.priority === DEF_PRIORITY;

	while (nr[LRU_INACTIVE_ANON] || nr[LRU_ACTIVE_FILE] || nr[LRU_INACTIVE_FILE]) {
		let lru;

		for (lru = LRU_BASE; lru <= LRU_ACTIVE_FILE; lru++) {
			if (nr[lru]) {
				const nr_to_scan = Math.min(nr[lru]!, SWAP_CLUSTER_MAX);
				nr[lru]! -= nr_to_scan;

				nr_reclaimed += shrink_list(lru, nr_to_scan, lruvec, sc);
			}
		}

		if (nr_reclaimed < nr_to_reclaim || scan_adjusted)
			continue;

		const nr_file = nr[LRU_INACTIVE_FILE]! + nr[LRU_ACTIVE_FILE]!;
		const nr_anon = nr[LRU_INACTIVE_ANON]! + nr[LRU_ACTIVE_ANON]!;

		/* no going on with the one type when the other is done */
		if (!nr_file || !nr_anon)
			break;

		let percentage;
		if (nr_file > nr_anon) {
			const scan_target =
				targets[LRU_INACTIVE_ANON]! + targets[LRU_ACTIVE_ANON]! + 1;
			lru = LRU_BASE;
			percentage = Math.trunc(nr_anon * 100 / scan_target);
		} else {
			const scan_target =
				targets[LRU_INACTIVE_FILE]! + targets[LRU_ACTIVE_FILE]! + 1;
			lru = LRU_FILE;
			percentage = Math.trunc(nr_file * 100 / scan_target);
		}

		/* stop with the type that has less left */
		nr[lru] = 0;
		nr[lru + LRU_ACTIVE] = 0;

		/* and let the other come as far as that one did, in its own measure */
		lru = lru === LRU_FILE ? LRU_BASE : LRU_FILE;
		let nr_scanned = targets[lru]! - nr[lru]!;
		nr[lru] = Math.trunc(targets[lru]! * (100 - percentage) / 100);
		nr[lru]! -= Math.min(nr[lru]!, nr_scanned);

		lru += LRU_ACTIVE;
		nr_scanned = targets[lru]! - nr[lru]!;
		nr[lru] = Math.trunc(targets[lru]! * (100 - percentage) / 100);
		nr[lru]! -= Math.min(nr[lru]!, nr_scanned);

		if (!applied(MM_VMSCAN_FIX_EXTREME_OVERRECLAIM /* f53af4285d77, v6.1 */))
			scan_adjusted = true;
	}
	sc.nr_reclaimed += nr_reclaimed;

	/* also without a scan of them: there must be candidates when their turn comes */
	if (applied(MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT
	    /* b91ac374346b, v5.5 */)
		? total_swap_pages.v && inactive_is_low(lruvec, LRU_INACTIVE_ANON)
		: inactive_list_is_low(lruvec, false, sc))
		shrink_active_list(SWAP_CLUSTER_MAX, lruvec, sc, LRU_ACTIVE_ANON);
}

/** @ported v5.10 */
function in_reclaim_compaction(sc: scan_control): boolean {
	if (sc.order && (sc.order > PAGE_ALLOC_COSTLY_ORDER || sc.priority < DEF_PRIORITY - 2))
		return true;

	return false;
}

/* enum compact_result */
const COMPACT_SKIPPED = 1, COMPACT_CONTINUE = 4, COMPACT_SUCCESS = 8;

/** @ported v5.10 include/linux/compaction.h:compact_gap() */
function compact_gap(order: number): number {
	return 2 << order;
}

/**
 * @reduced mm/compaction.c:compaction_suitable() without the fragmentation index, which speaks of
 * costly orders alone
 */
function compaction_suitable(zone: zone, order: number, highest_zoneidx: number): number {
	if (zone_watermark_ok(zone, order, min_wmark_pages(zone), highest_zoneidx, 0))
		return COMPACT_SUCCESS;

	const watermark =
		order > PAGE_ALLOC_COSTLY_ORDER ? low_wmark_pages(zone) : min_wmark_pages(zone);
	if (!zone_watermark_ok(zone, 0, watermark + compact_gap(order), highest_zoneidx, 0))
		return COMPACT_SKIPPED;

	return COMPACT_CONTINUE;
}

/** @ported v5.10 */
function should_continue_reclaim(
	pgdat: pglist_data, nr_reclaimed: number, sc: scan_control,
): boolean {
	if (!in_reclaim_compaction(sc))
		return false;

	if (!nr_reclaimed)
		return false;

	for (let z = 0; z <= sc.reclaim_idx; z++) {
		const zone = node_zone(pgdat, z);

		if (!managed_zone(zone))
			continue;

		switch (compaction_suitable(zone, sc.order, sc.reclaim_idx)) {
		case COMPACT_SUCCESS:
		case COMPACT_CONTINUE:
			return false;
		}
	}

	const pages_for_compaction = compact_gap(sc.order);
	let inactive_lru_pages = node_page_state(pgdat, NR_INACTIVE_FILE);
	if (get_nr_swap_pages() > 0)
		inactive_lru_pages += node_page_state(pgdat, NR_INACTIVE_ANON);

	return inactive_lru_pages > pages_for_compaction;
}

/** @ported v5.10; but for shrinkers and vmpressure */
function shrink_node_memcgs(pgdat: pglist_data, sc: scan_control): void {
	const target_memcg = sc.target_mem_cgroup;
	const partial = walks_in_part(sc) ? { pgdat, generation: 0 } : null;
	let memcg = mem_cgroup_iter(target_memcg, 0 as mem_cgroup, partial);

	do {
		const lruvec = mem_cgroup_lruvec(memcg, pgdat);

		let_victims_run();	/* cond_resched() */
		mem_cgroup_calculate_protection(target_memcg, memcg);

		/* memory.min holds in all rounds */
		if (mem_cgroup_below_min(target_memcg, memcg))
			continue;
		/* memory.low does not in the second */
		if (mem_cgroup_below_low(target_memcg, memcg)) {
			if (!sc.memcg_low_reclaim) {
				sc.memcg_low_skipped = true;
				continue;
			}
			memcg_memory_event(memcg, MEMCG_LOW);
		}

		shrink_lruvec(lruvec, sc);

		/* enough: the next reclaim goes on after this group */
		if (partial && sc.nr_reclaimed >= sc.nr_to_reclaim) {
			mem_cgroup_iter_break(target_memcg, memcg);
			break;
		}
	} while ((memcg = mem_cgroup_iter(target_memcg, memcg, partial)));
}

/** @custom whether shrink_node_memcgs() stops when it has enough, with a walk that all share */
function walks_in_part(sc: scan_control): boolean {
	if (current_is_kswapd())
		return false;
	if (applied(MM_VMSCAN_RESTORE_INCREMENTAL_CGROUP_ITERATION /* b82b530740b9, v6.11 */))
		return !sc.memcg_full_walk;
	return !applied(MM_VMSCAN_DO_NOT_SHARE_CGROUP_ITERATION_BETWEEN_RECLAIMERS
		/* 1ba6fc9af35b, v5.4 */);
}

/** @ported v5.10; but for vmpressure and hibernation */
function shrink_node(pgdat: pglist_data, sc: scan_control): void {
	const target_lruvec = mem_cgroup_lruvec(sc.target_mem_cgroup, pgdat);
	const task = current();
	let nr_reclaimed;
	let reclaimable = false;

	do {
		const nr = sc.nr;

		nr.dirty = nr.unqueued_dirty = nr.congested = nr.writeback = nr.immediate = 0;
		nr.file_taken = nr.taken = 0;

		nr_reclaimed = sc.nr_reclaimed;

		/* what follows reads counters */
		if (applied(MEMCG_INFRASTRUCTURE_TO_FLUSH_MEMCG_STATS /* aa48e47e3906, v5.15 */))
			mem_cgroup_flush_stats();

		sc.anon_cost = anon_cost[target_lruvec];
		sc.file_cost = file_cost[target_lruvec];

		/*
		 * Active pages are aged when the inactive list is too short, or when pages that
		 * came back were activated since the last reclaim: then those on the active list
		 * may be yesterday's.
		 */
		if (!sc.force_deactivate) {
			let activated = lruvec_page_state(target_lruvec, WORKINGSET_ACTIVATE_ANON);
			if (activated !== refaults[target_lruvec * 2] ||
			    inactive_is_low(target_lruvec, LRU_INACTIVE_ANON))
				sc.may_deactivate |= DEACTIVATE_ANON;
			else
				sc.may_deactivate &= ~DEACTIVATE_ANON;

			activated = lruvec_page_state(target_lruvec, WORKINGSET_ACTIVATE_FILE);
			if (activated !== refaults[target_lruvec * 2 + 1] ||
			    inactive_is_low(target_lruvec, LRU_INACTIVE_FILE))
				sc.may_deactivate |= DEACTIVATE_FILE;
			else
				sc.may_deactivate &= ~DEACTIVATE_FILE;
		} else {
			sc.may_deactivate = DEACTIVATE_ANON | DEACTIVATE_FILE;
		}

		/* while idle cache is to be had without refaults, anonymous pages are left alone */
		let file = lruvec_page_state(target_lruvec, NR_INACTIVE_FILE);
		sc.cache_trim_mode = Math.trunc(file / 2 ** sc.priority) !== 0 &&
			!(sc.may_deactivate & DEACTIVATE_FILE);

		/*
		 * A small cache that thrashes draws all pressure to itself and gets smaller still;
		 * unless there is little else, turn to anonymous memory then.
		 */
		if (!cgroup_reclaim(sc)) {
			const free = sum_zone_node_page_state(node_id[pgdat], NR_FREE_PAGES);
			let total_high_wmark = 0;

			file = node_page_state(pgdat, NR_ACTIVE_FILE) +
				node_page_state(pgdat, NR_INACTIVE_FILE);

			for (let z = 0; z < MAX_NR_ZONES; z++) {
				const zone = node_zone(pgdat, z);

				if (!managed_zone(zone))
					continue;

				total_high_wmark += high_wmark_pages(zone);
			}

			const anon = node_page_state(pgdat, NR_INACTIVE_ANON);

			sc.file_is_tiny = file + free <= total_high_wmark;
			/* else each group looks at its own anonymous pages */
			if (applied(MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT
			    /* b91ac374346b, v5.5 */))
				sc.file_is_tiny &&= !(sc.may_deactivate & DEACTIVATE_ANON) &&
					Math.trunc(anon / 2 ** sc.priority) !== 0;
		}

		shrink_node_memcgs(pgdat, sc);

		if (reclaim_state[task]) {
			sc.nr_reclaimed += reclaimed_slab[task];
			reclaimed_slab[task] = 0;
		}

		if (sc.nr_reclaimed - nr_reclaimed)
			reclaimable = true;

		if (current_is_kswapd()) {
			/* all that was taken is under writeback: memory is dirtied too fast */
			if (nr.writeback && nr.writeback === nr.taken)
				pgdat_flags[pgdat] |= 1 << PGDAT_WRITEBACK;

			/* all file pages are dirty and not queued: let kswapd write */
			if (nr.unqueued_dirty === nr.file_taken)
				pgdat_flags[pgdat] |= 1 << PGDAT_DIRTY;

			if (nr.immediate)
				congestion_wait(HZ / 10);
		}

		if ((current_is_kswapd() ||
		     (cgroup_reclaim(sc) && writeback_throttling_sane(sc))) &&
		    nr.dirty && nr.dirty === nr.congested)
			lruvec_flags[target_lruvec] |= 1 << LRUVEC_CONGESTED;

		if (!current_is_kswapd() && current_may_throttle() &&
		    (lruvec_flags[target_lruvec] & 1 << LRUVEC_CONGESTED))
			wait_iff_congested();
	} while (should_continue_reclaim(pgdat, sc.nr_reclaimed - nr_reclaimed, sc));

	/* kswapd, too, can get something here */
	if (reclaimable)
		kswapd_failures[pgdat] = 0;
}

/** @custom mm/backing-dev.c:wait_iff_congested(): no device is, so it returns at once */
function wait_iff_congested(): void {
}

/** @ported v5.10 */
function compaction_ready(zone: zone, sc: scan_control): boolean {
	const suitable = compaction_suitable(zone, sc.order, sc.reclaim_idx);

	if (suitable === COMPACT_SUCCESS)
		return true;
	if (suitable === COMPACT_SKIPPED)
		return false;

	const watermark = high_wmark_pages(zone) + compact_gap(sc.order);

	return zone_watermark_ok_safe(zone, 0, watermark, sc.reclaim_idx);
}

/** @ported v5.10; but for the soft limit */
function shrink_zones(zonelist: zonelist, sc: scan_control): void {
	const orig_mask = sc.gfp_mask;
	let last_pgdat = 0 as pglist_data;

	/* they pin low memory, though their pages lie in high memory */
	if (buffer_heads_over_limit) {
		sc.gfp_mask |= __GFP_HIGHMEM;
		sc.reclaim_idx = gfp_zone(sc.gfp_mask);
	}

	let z = first_zones_zonelist(zonelist, sc.reclaim_idx, sc.nodemask);
	for (let zone; (zone = zonelist_zone(z));
	     z = next_zones_zonelist(z + 1, sc.reclaim_idx, sc.nodemask)) {
		if (!cgroup_reclaim(sc)) {
			if (!cpuset_zone_allowed(zone, GFP_KERNEL | __GFP_HARDWALL))
				continue;

			/* enough is free for compaction: no more */
			if (sc.order > PAGE_ALLOC_COSTLY_ORDER && compaction_ready(zone, sc)) {
				sc.compaction_ready = true;
				continue;
			}
		}

		/* each node once */
		if (zone_pgdat[zone] === last_pgdat)
			continue;
		last_pgdat = zone_pgdat[zone];
		shrink_node(last_pgdat, sc);
	}

	sc.gfp_mask = orig_mask;
}

/** @ported v5.10 */
function snapshot_refaults(target_memcg: mem_cgroup, pgdat: pglist_data): void {
	const target_lruvec = mem_cgroup_lruvec(target_memcg, pgdat);

	if (!applied(MM_VMSCAN_DETECT_FILE_THRASHING_AT_THE_RECLAIM_ROOT
	    /* b910718a948a, v5.5 */)) {
		let memcg = mem_cgroup_iter(target_memcg, 0 as mem_cgroup, null);
		do {
			const lruvec = mem_cgroup_lruvec(memcg, pgdat);
			refaults[lruvec * 2 + 1] =
				lruvec_page_state_local(lruvec, WORKINGSET_ACTIVATE_FILE);
		} while ((memcg = mem_cgroup_iter(target_memcg, memcg, null)));
		return;
	}

	refaults[target_lruvec * 2] =
		lruvec_page_state(target_lruvec, WORKINGSET_ACTIVATE_ANON);
	refaults[target_lruvec * 2 + 1] =
		lruvec_page_state(target_lruvec, WORKINGSET_ACTIVATE_FILE);
}

/**
 * Direct reclaim, at rising priority, until there is enough.
 * @returns pages reclaimed; 0 says out of memory
 * @ported v5.10; but for vmpressure
 */
function do_try_to_free_pages(zonelist: zonelist, sc: scan_control): number {
	const initial_priority = sc.priority;

	for (;;) {
		if (!cgroup_reclaim(sc))
			__count_zid_vm_events(ALLOCSTALL_NORMAL, sc.reclaim_idx, 1);

		do {
			sc.nr_scanned = 0;
			shrink_zones(zonelist, sc);

			if (sc.nr_reclaimed >= sc.nr_to_reclaim)
				break;

			if (sc.compaction_ready)
				break;

			/* at this priority the disk is not spared any more */
			if (sc.priority < DEF_PRIORITY - 2)
				sc.may_writepage = true;
		} while (--sc.priority >= 0);

		let last_pgdat = 0 as pglist_data;
		let z = first_zones_zonelist(zonelist, sc.reclaim_idx, sc.nodemask);
		for (let zone; (zone = zonelist_zone(z));
		     z = next_zones_zonelist(z + 1, sc.reclaim_idx, sc.nodemask)) {
			if (zone_pgdat[zone] === last_pgdat)
				continue;
			last_pgdat = zone_pgdat[zone];

			snapshot_refaults(sc.target_mem_cgroup, last_pgdat);

			if (cgroup_reclaim(sc)) {
				const lruvec = mem_cgroup_lruvec(sc.target_mem_cgroup, last_pgdat);

				lruvec_flags[lruvec] &= ~(1 << LRUVEC_CONGESTED);
			}
		}

		if (sc.nr_reclaimed)
			return sc.nr_reclaimed;

		/* compaction may have room enough now: not out of memory */
		if (sc.compaction_ready)
			return 1;

		/* Others may have moved the shared walk on: go all the way before giving up. */
		if (!sc.memcg_full_walk && applied(MM_VMSCAN_RESTORE_INCREMENTAL_CGROUP_ITERATION
		    /* b82b530740b9, v6.11 */)) {
			sc.priority = initial_priority;
			sc.memcg_full_walk = true;
			continue;
		}

		/*
		 * Whether active pages are aged is decided for the whole node; where that was wrong
		 * for those who could be reclaimed, age them all.
		 */
		if (sc.skipped_deactivate) {
			sc.priority = initial_priority;
			sc.force_deactivate = true;
			sc.skipped_deactivate = false;
			continue;
		}

		/* what memory.low has spared so far */
		if (sc.memcg_low_skipped) {
			sc.priority = initial_priority;
			sc.force_deactivate = false;
			sc.memcg_low_reclaim = true;
			sc.memcg_low_skipped = false;
			continue;
		}

		return 0;
	}
}

/** @custom waitqueue_active(&pgdat->kswapd_wait): it was started, and sleeps */
function kswapd_sleeps(pgdat: pglist_data): boolean {
	return kswapd_task[pgdat] !== 0 && kswapd_wanted[pgdat] === KSWAPD_SLEEPS;
}

/** @ported v5.10 */
function allow_direct_reclaim(pgdat: pglist_data): boolean {
	let pfmemalloc_reserve = 0;
	let free_pages = 0;

	if (kswapd_failures[pgdat] >= MAX_RECLAIM_RETRIES)
		return true;

	for (let i = 0; i <= ZONE_NORMAL; i++) {
		const zone = node_zone(pgdat, i);

		if (!managed_zone(zone))
			continue;

		if (!zone_reclaimable_pages(zone))
			continue;

		pfmemalloc_reserve += min_wmark_pages(zone);
		free_pages += zone_page_state(zone, NR_FREE_PAGES);
	}

	/* no reserves, no throttling */
	if (!pfmemalloc_reserve)
		return true;

	const wmark_ok = free_pages > Math.trunc(pfmemalloc_reserve / 2);

	/* only kswapd can let the throttled go */
	if (!wmark_ok && kswapd_sleeps(pgdat)) {
		if (highest_zoneidx_wanted[pgdat] > ZONE_NORMAL)
			highest_zoneidx_wanted[pgdat] = ZONE_NORMAL;

		kswapd_wanted[pgdat] = KSWAPD_WOKEN;
	}

	return wmark_ok;
}

/**
 * Stall while the reserves for the memory that reclaim itself needs are half gone.
 * @returns whether a fatal signal came meanwhile, so that nobody is to be killed for memory
 * @ported v5.10
 */
function throttle_direct_reclaim(gfp_mask: gfp_t, zonelist: zonelist, nodemask: number): boolean {
	const task = current();
	let pgdat = 0 as pglist_data;

	if (task_flags[task] & PF_KTHREAD)
		return false;

	if (fatal_signal_pending(task))
		return false;

	/* the nearest node that can hold kernel data stands for all */
	let z = first_zones_zonelist(zonelist, gfp_zone(gfp_mask), nodemask);
	for (let zone; (zone = zonelist_zone(z));
	     z = next_zones_zonelist(z + 1, gfp_zone(gfp_mask), nodemask)) {
		if (zone_idx(zone) > ZONE_NORMAL)
			continue;

		pgdat = zone_pgdat[zone];
		if (allow_direct_reclaim(pgdat))
			return false;
		break;
	}

	if (!pgdat)
		return false;

	count_vm_event(PGSCAN_DIRECT_THROTTLE);

	/* who may not enter a file system can hold what kswapd waits for: a second, no more */
	wait_on_pfmemalloc(pgdat, (gfp_mask & __GFP_FS) ? 0 : HZ);

	return fatal_signal_pending(task);
}

/**
 * @custom wait_event_killable() and wait_event_interruptible_timeout() of pgdat->pfmemalloc_wait,
 * for allow_direct_reclaim(): who sleeps lets kswapd run, which ends with the node balanced or
 * given up, in no time that a timeout could measure
 * @param _timeout in jiffies; 0 for none
 */
function wait_on_pfmemalloc(pgdat: pglist_data, _timeout: number): void {
	pfmemalloc_wait[pgdat]++;
	while (!allow_direct_reclaim(pgdat) && kswapd_wanted[pgdat] === KSWAPD_WOKEN)
		kswapd(pgdat);
	pfmemalloc_wait[pgdat]--;
}

/** @custom wake_up_all(&pgdat->pfmemalloc_wait): they look again when kswapd is done */
function wake_up_pfmemalloc(_pgdat: pglist_data): void {
}

/**
 * Direct reclaim for an allocation.
 * @returns pages reclaimed; 0 says out of memory
 * @ported v5.10
 */
export function try_to_free_pages(
	zonelist: zonelist, order: number, gfp_mask: gfp_t, nodemask: number,
): number {
	const sc = scan_control_enter();

	sc.nr_to_reclaim = SWAP_CLUSTER_MAX;
	sc.gfp_mask = current_gfp_context(gfp_mask);
	sc.reclaim_idx = gfp_zone(gfp_mask);
	sc.order = order;
	sc.nodemask = nodemask;
	sc.priority = DEF_PRIORITY;
	sc.may_writepage = !laptop_mode.v;
	sc.may_unmap = true;
	sc.may_swap = true;

	/* as if there were progress: nobody else needs to be killed for a task that exits */
	if (throttle_direct_reclaim(sc.gfp_mask, zonelist, nodemask)) {
		scan_control_leave();
		return 1;
	}

	set_task_reclaim_state(current(), true);
	trace_mm_vmscan_direct_reclaim_begin(order, sc.gfp_mask);

	const nr_reclaimed = do_try_to_free_pages(zonelist, sc);

	trace_mm_vmscan_direct_reclaim_end(nr_reclaimed);
	set_task_reclaim_state(current(), false);
	scan_control_leave();

	return nr_reclaimed;
}

/**
 * Reclaim `nr_pages` or a batch of 32 from a cgroup and those below it.
 * @returns pages reclaimed
 * @ported v5.10
 */
export function try_to_free_mem_cgroup_pages(
	memcg: mem_cgroup, nr_pages: number, gfp_mask: gfp_t, may_swap: boolean,
): number {
	const sc = scan_control_enter();

	sc.nr_to_reclaim = Math.max(nr_pages, SWAP_CLUSTER_MAX);
	sc.gfp_mask = (current_gfp_context(gfp_mask) & GFP_RECLAIM_MASK) |
		(GFP_HIGHUSER_MOVABLE & ~GFP_RECLAIM_MASK);
	sc.reclaim_idx = MAX_NR_ZONES - 1;
	sc.target_mem_cgroup = memcg;
	sc.priority = DEF_PRIORITY;
	sc.may_writepage = !laptop_mode.v;
	sc.may_unmap = true;
	sc.may_swap = may_swap;

	/* from the nearest node on, but the same pressure on all */
	const zonelist = node_zonelist(numa_node_id(), sc.gfp_mask);

	set_task_reclaim_state(current(), true);
	trace_mm_vmscan_memcg_reclaim_begin(0, sc.gfp_mask);
	const noreclaim_flag = memalloc_noreclaim_save();

	const nr_reclaimed = do_try_to_free_pages(zonelist, sc);

	memalloc_noreclaim_restore(noreclaim_flag);
	trace_mm_vmscan_memcg_reclaim_end(nr_reclaimed);
	set_task_reclaim_state(current(), false);
	scan_control_leave();

	return nr_reclaimed;
}

/** @ported v5.10 */
function age_active_anon(pgdat: pglist_data, sc: scan_control): void {
	if (!total_swap_pages.v)
		return;

	let lruvec = mem_cgroup_lruvec(0 as mem_cgroup, pgdat);
	if (!inactive_is_low(lruvec, LRU_INACTIVE_ANON))
		return;

	let memcg = mem_cgroup_iter(0 as mem_cgroup, 0 as mem_cgroup, null);
	do {
		lruvec = mem_cgroup_lruvec(memcg, pgdat);
		shrink_active_list(SWAP_CLUSTER_MAX, lruvec, sc, LRU_ACTIVE_ANON);
		memcg = mem_cgroup_iter(0 as mem_cgroup, memcg, null);
	} while (memcg);
}

/** @ported v5.10 */
function pgdat_watermark_boosted(pgdat: pglist_data, highest_zoneidx: number): boolean {
	for (let i = highest_zoneidx; i >= 0; i--) {
		const zone = node_zone(pgdat, i);

		if (!managed_zone(zone))
			continue;

		if (watermark_boost[zone])
			return true;
	}

	return false;
}

/** @ported v5.10 */
function pgdat_balanced(pgdat: pglist_data, order: number, highest_zoneidx: number): boolean {
	let mark = -1;

	for (let i = 0; i <= highest_zoneidx; i++) {
		const zone = node_zone(pgdat, i);

		if (!managed_zone(zone))
			continue;

		mark = high_wmark_pages(zone);
		if (zone_watermark_ok_safe(zone, order, mark, highest_zoneidx))
			return true;
	}

	/* a node without such a zone needs no balance */
	return mark === -1;
}

/** @ported v5.10 */
function clear_pgdat_congested(pgdat: pglist_data): void {
	const lruvec = mem_cgroup_lruvec(0 as mem_cgroup, pgdat);

	lruvec_flags[lruvec] &= ~(1 << LRUVEC_CONGESTED);
	pgdat_flags[pgdat] &= ~(1 << PGDAT_DIRTY | 1 << PGDAT_WRITEBACK);
}

/** @ported v5.10 */
function prepare_kswapd_sleep(
	pgdat: pglist_data, order: number, highest_zoneidx: number,
): boolean {
	/* else they would wait for a kswapd that sleeps */
	if (pfmemalloc_wait[pgdat])
		wake_up_pfmemalloc(pgdat);

	/* too many failures: who needs memory reclaims it himself */
	if (kswapd_failures[pgdat] >= MAX_RECLAIM_RETRIES)
		return true;

	if (pgdat_balanced(pgdat, order, highest_zoneidx)) {
		clear_pgdat_congested(pgdat);
		return true;
	}

	return false;
}

/**
 * @returns whether enough was scanned, so that the priority need not rise
 * @ported v5.10
 */
function kswapd_shrink_node(pgdat: pglist_data, sc: scan_control): boolean {
	sc.nr_to_reclaim = 0;
	for (let z = 0; z <= sc.reclaim_idx; z++) {
		const zone = node_zone(pgdat, z);

		if (!managed_zone(zone))
			continue;

		sc.nr_to_reclaim += Math.max(high_wmark_pages(zone), SWAP_CLUSTER_MAX);
	}

	shrink_node(pgdat, sc);

	/* twice the order did not make a block of it: more would not either */
	if (sc.order && sc.nr_reclaimed >= compact_gap(sc.order))
		sc.order = 0;

	return sc.nr_scanned >= sc.nr_to_reclaim;
}

/**
 * kswapd's work: reclaim until a zone up to highest_zoneidx is balanced.
 * @returns the order that it stopped at
 * @ported v5.10; but for the soft limit
 */
function balance_pgdat(pgdat: pglist_data, order: number, highest_zoneidx: number): number {
	const task = current();
	const zone_boosts = new Int32Array(MAX_NR_ZONES);
	const sc = scan_control_enter();

	sc.gfp_mask = GFP_KERNEL;
	sc.order = order;
	sc.may_unmap = true;

	set_task_reclaim_state(task, true);

	count_vm_event(PAGEOUTRUN);

	/* a boost stays until the end, so that others near the watermark are slowed down too */
	let nr_boost_reclaim = 0;
	for (let i = 0; i <= highest_zoneidx; i++) {
		const zone = node_zone(pgdat, i);

		if (!managed_zone(zone))
			continue;

		nr_boost_reclaim += watermark_boost[zone];
		zone_boosts[i] = watermark_boost[zone];
	}
	const boosted = nr_boost_reclaim !== 0;

	out: {
		sc.priority = DEF_PRIORITY;
		do {
			let nr_reclaimed = sc.nr_reclaimed;
			let raise_priority = true;

			sc.reclaim_idx = highest_zoneidx;

			/* the highest zone, where the pages of buffers lie */
			if (buffer_heads_over_limit) {
				for (let i = MAX_NR_ZONES - 1; i >= 0; i--) {
					if (!managed_zone(node_zone(pgdat, i)))
						continue;

					sc.reclaim_idx = i;
					break;
				}
			}

			/* memory itself is short: the boost can wait */
			const balanced = pgdat_balanced(pgdat, sc.order, highest_zoneidx);
			if (!balanced && nr_boost_reclaim) {
				nr_boost_reclaim = 0;
				sc.priority = DEF_PRIORITY;
				continue;
			}

			if (!nr_boost_reclaim && balanced)
				break out;

			/* for a boost, not so far that pages would be written */
			if (nr_boost_reclaim && sc.priority === DEF_PRIORITY - 2)
				raise_priority = false;

			sc.may_writepage = !laptop_mode.v && !nr_boost_reclaim;
			sc.may_swap = !nr_boost_reclaim;

			/* in all zones, and early: accessed bits need time to be set */
			age_active_anon(pgdat, sc);

			/* at this priority the disk is not spared any more */
			if (sc.priority < DEF_PRIORITY - 2)
				sc.may_writepage = true;

			sc.nr_scanned = 0;

			if (kswapd_shrink_node(pgdat, sc))
				raise_priority = false;

			if (pfmemalloc_wait[pgdat] && allow_direct_reclaim(pgdat))
				wake_up_pfmemalloc(pgdat);

			if (try_to_freeze() || kthread_should_stop(task))
				break;

			nr_reclaimed = sc.nr_reclaimed - nr_reclaimed;
			nr_boost_reclaim -= Math.min(nr_boost_reclaim, nr_reclaimed);

			/* nothing for the boost without I/O, which it may not do */
			if (nr_boost_reclaim && !nr_reclaimed)
				break;

			if (raise_priority || !nr_reclaimed)
				sc.priority--;
		} while (sc.priority >= 1);

		if (!sc.nr_reclaimed)
			kswapd_failures[pgdat]++;
	}
	/* out: the boosts that there were are dealt with */
	if (boosted) {
		for (let i = 0; i <= highest_zoneidx; i++) {
			if (!zone_boosts[i])
				continue;

			const zone = node_zone(pgdat, i);
			watermark_boost[zone] -= Math.min(watermark_boost[zone], zone_boosts[i]!);
		}

		/* a boost says that blocks were mixed: compaction may undo that */
		wakeup_kcompactd(pgdat, pageblock_order, highest_zoneidx);
	}

	snapshot_refaults(0 as mem_cgroup, pgdat);
	set_task_reclaim_state(task, false);
	scan_control_leave();

	return sc.order;
}

/** @ported v5.10 */
function kswapd_highest_zoneidx(pgdat: pglist_data, prev_highest_zoneidx: number): number {
	const curr_idx = highest_zoneidx_wanted[pgdat];

	return curr_idx === MAX_NR_ZONES ? prev_highest_zoneidx : curr_idx;
}

/**
 * @returns whether kswapd sleeps now until it is woken
 * @reduced nobody can cut the first, short sleep off, and there is no kcompactd to wake before it
 */
function kswapd_try_to_sleep(
	pgdat: pglist_data, reclaim_order: number, highest_zoneidx: number,
): boolean {
	if (prepare_kswapd_sleep(pgdat, reclaim_order, highest_zoneidx)) {
		trace_mm_vmscan_kswapd_sleep(node_id[pgdat]);

		/* counters may drift further while nobody looks at the watermarks closely */
		set_pgdat_percpu_threshold(pgdat, calculate_normal_threshold);
		return true;
	}
	count_vm_event(KSWAPD_HIGH_WMARK_HIT_QUICKLY);
	return false;
}

/**
 * Run a kswapd that was woken until it sleeps again, in the place of its thread's loop; call it
 * where wakeup_kswapd() left pgdats.kswapd_wanted at 1.
 * @reduced as kswapd_try_to_sleep(); it runs at once and to the end
 */
export function kswapd(pgdat: pglist_data): void {
	const cpu = smp_processor_id();
	const waker = current();
	let highest_zoneidx = MAX_NR_ZONES - 1;

	VM_BUG_ON(kswapd_wanted[pgdat] === KSWAPD_RUNS, 'kswapd runs twice');
	kswapd_wanted[pgdat] = KSWAPD_RUNS;
	context_switch(cpu, kswapd_task[pgdat]);
	set_pgdat_percpu_threshold(pgdat, calculate_pressure_threshold);

	for (;;) {
		let alloc_order = kswapd_order[pgdat];

		highest_zoneidx = kswapd_highest_zoneidx(pgdat, highest_zoneidx);
		kswapd_order[pgdat] = 0;
		highest_zoneidx_wanted[pgdat] = MAX_NR_ZONES;

		trace_mm_vmscan_kswapd_wake(node_id[pgdat], highest_zoneidx, alloc_order);
		let reclaim_order = balance_pgdat(pgdat, alloc_order, highest_zoneidx);
		if (reclaim_order >= alloc_order) {
			alloc_order = reclaim_order = kswapd_order[pgdat];
			highest_zoneidx = kswapd_highest_zoneidx(pgdat, highest_zoneidx);
		}

		if (kswapd_try_to_sleep(pgdat, reclaim_order, highest_zoneidx))
			break;
	}

	context_switch(cpu, waker);
	kswapd_wanted[pgdat] = KSWAPD_SLEEPS;
}

/** @ported v5.10 */
export function wakeup_kswapd(
	zone: zone, gfp_flags: gfp_t, order: number, highest_zoneidx: number,
): void {
	if (!managed_zone(zone))
		return;

	if (!cpuset_zone_allowed(zone, gfp_flags))
		return;

	const pgdat = zone_pgdat[zone];
	const curr_idx = highest_zoneidx_wanted[pgdat];

	if (curr_idx === MAX_NR_ZONES || curr_idx < highest_zoneidx)
		highest_zoneidx_wanted[pgdat] = highest_zoneidx;

	if (kswapd_order[pgdat] < order)
		kswapd_order[pgdat] = order;

	if (!kswapd_sleeps(pgdat))
		return;

	/* given up, or balanced */
	if (kswapd_failures[pgdat] >= MAX_RECLAIM_RETRIES ||
	    (pgdat_balanced(pgdat, order, highest_zoneidx) &&
	     !pgdat_watermark_boosted(pgdat, highest_zoneidx))) {
		/* enough is free, so it is fragmented: a caller that can compact does so itself */
		if (!(gfp_flags & __GFP_DIRECT_RECLAIM))
			wakeup_kcompactd(pgdat, order, highest_zoneidx);
		return;
	}

	trace_mm_vmscan_wakeup_kswapd(node_id[pgdat], highest_zoneidx, order, gfp_flags);
	kswapd_wanted[pgdat] = KSWAPD_WOKEN;
}

/**
 * Start the node's kswapd, asleep; it runs in kswapd(). kthread_create() has a task for it: nobody
 * else runs yet.
 * @returns 0
 * @ported v5.10
 */
export function kswapd_run(nid: number): number {
	const pgdat = NODE_DATA(nid);

	if (kswapd_task[pgdat])
		return 0;

	const tsk = kthread_create(`kswapd${nid}`);
	/* what kswapd() itself does first */
	task_flags[tsk] |= PF_MEMALLOC | PF_SWAPWRITE | PF_KSWAPD;
	kswapd_order[pgdat] = 0;
	highest_zoneidx_wanted[pgdat] = MAX_NR_ZONES;
	kswapd_task[pgdat] = tsk;
	return 0;
}

/** Start kswapd on every node; init runs already. @ported v5.10 */
export function kswapd_init(): void {
	swap_setup();
	for (let nid = 0; nid < nr_online_nodes.v; nid++)
		kswapd_run(nid);
}

/** @custom what the kernel's image has in its variables */
export function vmscan_init(): void {
	vm_swappiness.v = 60;
}

/**
 * Pages of a pagevec that became evictable leave the unevictable list.
 * @ported v5.10
 */
export function check_move_unevictable_pages(pvec: pagevec): void {
	let pgdat = 0 as pglist_data;
	let pgscanned = 0;
	let pgrescued = 0;

	for (let i = 0; i < pagevecs.nr[pvec]; i++) {
		const page = pagevec_page(pvec, i);
		const nr_pages = thp_nr_pages(page);

		pgscanned += nr_pages;

		pgdat = page_pgdat(page);
		const lruvec = mem_cgroup_page_lruvec(page, pgdat);

		if (!PageLRU(page) || !PageUnevictable(page))
			continue;

		if (page_evictable(page)) {
			const lru = page_lru_base_type(page);

			VM_BUG_ON_PAGE(PageActive(page), page, 'is both active and unevictable');
			ClearPageUnevictable(page);
			del_page_from_lru_list(page, lruvec, LRU_UNEVICTABLE);
			add_page_to_lru_list(page, lruvec, lru);
			pgrescued += nr_pages;
		}
	}

	if (pgdat) {
		__count_vm_events(UNEVICTABLE_PGRESCUED, pgrescued);
		__count_vm_events(UNEVICTABLE_PGSCANNED, pgscanned);
	}
}
