// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page_alloc.c, v5.10, with the policy-free part of mm/mempolicy.c
 * Left out:
 *	compaction and what only it calls: an allocation of order > 0 goes from reclaim straight
 *		to its failure or to the OOM killer, as with CONFIG_COMPACTION off;
 *	compound pages, CMA, page isolation and hotplug, cpusets, memory policies other than the
 *		default (the local node first), kmem accounting (cgroup.memory=nokmem), poisoning,
 *		KASAN, page_owner, fault injection, hwpoison, deferred struct page init;
 *	messages to the log and the kmem trace events.
 * As CONFIG_DEBUG_VM does, a page is checked when it is freed and again when it is handed out; a
 * bad one is a BUG.
 * Lock order modelled: none, zone->lock is never held across another's work.
 */
import { clear_frame, frame_was_used, use_frame } from '../arch/ram.ts';
import { int_sqrt } from '../lib/bitops.ts';
import { BUG, VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { EINVAL } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add, list_add_tail, list_del, list_empty, list_move_tail }
	from '../lib/list.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import { carve } from '../lib/arena.ts';
import { global_f64, global_s32, list_heads, type list_head, type out } from '../lib/struct.ts';
import { current, nr_cpu_ids, set_smp_processor_id, smp_processor_id } from './current.ts';
import { __GFP_ATOMIC, __GFP_DIRECT_RECLAIM, __GFP_HARDWALL, __GFP_HIGH, __GFP_KSWAPD_RECLAIM,
	__GFP_MEMALLOC, __GFP_NOFAIL, __GFP_NOMEMALLOC, __GFP_NORETRY, __GFP_RETRY_MAYFAIL,
	__GFP_THISNODE, __GFP_WRITE, __GFP_ZERO, current_gfp_context, gfp_allowed_mask,
	gfp_migratetype, gfp_zone, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_USER,
	memalloc_noreclaim_restore, memalloc_noreclaim_save, node_zonelist,
	page_group_by_mobility_disabled, type gfp_t } from './gfp.ts';
import { __find_buddy_pfn, ALLOC_CPUSET, ALLOC_HARDER, ALLOC_HIGH, ALLOC_KSWAPD,
	ALLOC_NO_WATERMARKS, ALLOC_NOFRAGMENT, ALLOC_OOM, ALLOC_WMARK_HIGH, ALLOC_WMARK_LOW,
	ALLOC_WMARK_MASK, ALLOC_WMARK_MIN, buddy_order, is_migrate_highatomic, MAX_RECLAIM_RETRIES,
	PAGE_ALLOC_COSTLY_ORDER, set_page_refcounted } from './internal.ts';
import { clear_page_pfmemalloc, page_zone, page_zone_id, page_zonenum, put_page_testzero,
	set_page_count, set_page_pfmemalloc, set_page_private, totalram_pages,
	totalram_pages_add } from './mm.ts';
import { NULL, PAGE_MAPPING_FLAGS, pages, PF_MEMALLOC, tasks } from './mm_types.ts';
import type { page, task_struct, vm_area_struct } from './mm_types.ts';
import { first_online_pgdat, first_zone, first_zones_zonelist, high_wmark_pages, LRU_ACTIVE_FILE,
	LRU_INACTIVE_FILE, low_wmark_pages, MAX_NR_ZONES, MAX_NUMNODES, MAX_ORDER,
	MIGRATE_HIGHATOMIC, MIGRATE_MOVABLE, MIGRATE_PCPTYPES,
	MIGRATE_RECLAIMABLE, MIGRATE_TYPES, MIGRATE_UNMOVABLE, min_wmark_pages,
	next_online_pgdat, next_zone, next_zones_zonelist, NODE_DATA, node_distance,
	NR_CPUS, NR_FREE_PAGES, NR_KERNEL_MISC_RECLAIMABLE, NR_LRU_BASE, nr_online_nodes, NR_SHMEM,
	NR_SLAB_RECLAIMABLE_B, NR_WMARK, NR_ZONE_WRITE_PENDING, NUMA_FOREIGN, NUMA_HIT, NUMA_LOCAL,
	NUMA_MISS, NUMA_NO_NODE, numa_mem_id, numa_node_id, NUMA_OTHER, pageblock_nr_pages, pgdats,
	populated_zone, wmark_pages, WMARK_HIGH, WMARK_LOW, WMARK_MIN, ZONE_BOOSTED_WATERMARK,
	ZONE_DMA, ZONE_DMA32, zone_end_pfn, zone_idx, zone_managed_pages, ZONE_NORMAL,
	zone_spans_pfn, zone_to_nid, ZONELIST_FALLBACK, ZONELIST_NOFALLBACK, zonelist_zone,
	zonelist_zonerefs, zonelists, zones, cpu_to_node, type nodemask_t, type pglist_data,
	type zone, type zonelist, type zoneref } from './mmzone.ts';
import { oom_control, out_of_memory, tsk_is_oom_victim } from './oom_kill.ts';
import { __ClearPageBuddy, __SetPageBuddy, PAGE_FLAGS_CHECK_AT_FREE, PAGE_FLAGS_CHECK_AT_PREP,
	PageBuddy, PageLRU, __PageMovable, PG_reserved } from './page_flags.ts';
import { pageflag_names } from './page_flags_names.ts';
import { node_dirty_ok } from './page-writeback.ts';
import { congestion_wait, try_to_free_pages, wakeup_kswapd, zone_reclaimable_pages }
	from './vmscan.ts';
import { __count_vm_event, __count_vm_events, __count_zid_vm_events, __inc_numa_state,
	__mod_zone_freepage_state, __mod_zone_page_state, global_node_page_state,
	global_node_page_state_pages, global_zone_page_state, node_page_state, PGALLOC_NORMAL,
	PGFREE, refresh_zone_stat_thresholds, sum_zone_node_page_state, zone_page_state,
	zone_page_state_snapshot } from './vmstat.ts';

const { next } = list_heads;
const { _mapcount, _refcount, flags, index, lru, mapping, mem_cgroup, pageblock_mt, zone_node }
	= pages;
const { nr_free, pcp_count, pcp_high, pcp_batch } = zones;
export const pageblock_order = 9;
/* CONFIG_HZ of the distribution's kernel */
const HZ = 250;

type fpi_t = number;
const FPI_NONE = 0, FPI_TO_TAIL = 2;

/** Pages that dirty throttling and mmap accounting must not count on. */
export const totalreserve_pages = global_f64('totalreserve_pages');
/** vm.percpu_pagelist_fraction: 0, or the part of a zone that a pcp list may hold is 1/this. */
export const percpu_pagelist_fraction = global_s32('percpu_pagelist_fraction');
const MIN_PERCPU_PAGELIST_FRACTION = 8;
/** vm.min_free_kbytes; and the value that a user has set, -1 for none. */
export const min_free_kbytes = global_s32('min_free_kbytes');
export const user_min_free_kbytes = global_s32('user_min_free_kbytes');
/** vm.watermark_boost_factor, in 1/10000 of the high watermark. */
export const watermark_boost_factor = global_s32('watermark_boost_factor');
/** vm.watermark_scale_factor, in 1/10000 of the zone. */
export const watermark_scale_factor = global_s32('watermark_scale_factor');
/** vm.lowmem_reserve_ratio by zone. */
export const sysctl_lowmem_reserve_ratio = carve(
	'sysctl_lowmem_reserve_ratio', Int32Array, MAX_NR_ZONES, () => MAX_NR_ZONES);

/* Highest pfn plus 1: pfn_valid(). */
export const max_pfn = global_s32('max_pfn');

/** mm/internal.h: what one allocation passes down. */
class alloc_context {
	zonelist: zonelist = NULL;
	/** 0: all nodes */
	nodemask: nodemask_t = 0;
	preferred_zoneref: zoneref = 0;
	migratetype = 0;
	highest_zoneidx = 0;
	spread_dirty_pages = false;
}

/** @custom row of a free list: &zone->free_area[order].free_list[migratetype] */
function free_area(zone: zone, order: number, migratetype: number): list_head {
	return zones.free_list(zone, order * MIGRATE_TYPES + migratetype);
}

/** @custom &per_cpu_ptr(zone->pageset, cpu)->pcp.lists[migratetype] */
function pcp_lists(zone: zone, cpu: number, migratetype: number): list_head {
	return zones.pcp_list(zone, cpu * MIGRATE_PCPTYPES + migratetype);
}

/** First page of a free list, NULL where it is empty. @ported v5.10 */
function get_page_from_free_area(zone: zone, order: number, migratetype: number): page {
	const head = free_area(zone, order, migratetype);

	if (list_empty(head))
		return NULL;
	return lru.container_of(next[head]);
}

/** @ported v5.10 */
function free_area_empty(zone: zone, order: number, migratetype: number): boolean {
	return list_empty(free_area(zone, order, migratetype));
}

/** @ported v5.10 */
function get_pcppage_migratetype(page: page): number {
	return index[page];
}

/** @ported v5.10 */
function set_pcppage_migratetype(page: page, migratetype: number): void {
	index[page] = migratetype;
}

/** MIGRATE_* of the pageblock that a page is in. @ported v5.10 */
export function get_pfnblock_migratetype(_page: page, pfn: number): number {
	return pageblock_mt[(pfn & ~(pageblock_nr_pages - 1)) as page];
}

/** @ported v5.10 */
export function get_pageblock_migratetype(page: page): number {
	return pageblock_mt[(page & ~(pageblock_nr_pages - 1)) as page];
}

/** @ported v5.10 */
export function set_pageblock_migratetype(page: page, migratetype: number): void {
	if (page_group_by_mobility_disabled.v && migratetype < MIGRATE_PCPTYPES)
		migratetype = MIGRATE_UNMOVABLE;
	pageblock_mt[(page & ~(pageblock_nr_pages - 1)) as page] = migratetype;
}

/** @ported v5.10 */
function page_outside_zone_boundaries(zone: zone, page: page): boolean {
	return !zone_spans_pfn(zone, page);
}

/** @ported v5.10 */
function bad_range(zone: zone, page: page): boolean {
	return page_outside_zone_boundaries(zone, page) || page_zone(page) !== zone;
}

/** @reduced the page is not leaked and forgotten: it is a defect, so all stops, naming it */
function bad_page(page: page, reason: string): never {
	const set = pageflag_names.filter((_, bit) => flags[page] & (1 << bit)).join('|');

	BUG(`bad page state: pfn ${page}: ${reason} (refcount ${_refcount[page]} ` +
		`mapcount ${_mapcount[page] + 1} mapping ${mapping[page]} ` +
		`memcg ${mem_cgroup[page]} flags ${set})`);
}

/** @ported v5.10 */
function set_buddy_order(page: page, order: number): void {
	set_page_private(page, order);
	__SetPageBuddy(page);
}

/** @ported v5.10 */
function page_is_buddy(page: page, buddy: page, order: number): boolean {
	if (!PageBuddy(buddy))
		return false;
	if (buddy_order(buddy) !== order)
		return false;
	if (page_zone_id(page) !== page_zone_id(buddy))
		return false;
	VM_BUG_ON_PAGE(_refcount[buddy] !== 0, buddy, 'is free but has references');
	return true;
}

/** @ported v5.10 */
function add_to_free_list(page: page, zone: zone, order: number, migratetype: number): void {
	list_add(lru(page), free_area(zone, order, migratetype));
	nr_free[zone * MAX_ORDER + order]!++;
}

/** @ported v5.10 */
function add_to_free_list_tail(page: page, zone: zone, order: number, migratetype: number): void {
	list_add_tail(lru(page), free_area(zone, order, migratetype));
	nr_free[zone * MAX_ORDER + order]!++;
}

/** @ported v5.10 */
function move_to_free_list(page: page, zone: zone, order: number, migratetype: number): void {
	list_move_tail(lru(page), free_area(zone, order, migratetype));
}

/** @ported v5.10 */
function del_page_from_free_list(page: page, zone: zone, order: number): void {
	list_del(lru(page));
	__ClearPageBuddy(page);
	set_page_private(page, 0);
	nr_free[zone * MAX_ORDER + order]!--;
}

/** Whether the block that the page is in may soon be whole. @ported v5.10 */
function buddy_merge_likely(pfn: number, buddy_pfn: number, _page: page, order: number): boolean {
	if (order >= MAX_ORDER - 2)
		return false;
	const combined_pfn = buddy_pfn & pfn;
	const higher_buddy = __find_buddy_pfn(combined_pfn, order + 1);

	return pfn_valid(higher_buddy) &&
		page_is_buddy(combined_pfn as page, higher_buddy as page, order + 1);
}

/** @ported v5.10 include/linux/mmzone.h:pfn_valid() */
export function pfn_valid(pfn: number): boolean {
	return pfn < max_pfn.v;
}

/** @reduced no compaction that captures the page, no isolated pageblocks, no guard pages */
function __free_one_page(
	page: page, pfn: number, zone: zone, order: number, migratetype: number, fpi_flags: fpi_t,
): void {
	let buddy_pfn = 0;

	VM_BUG_ON_PAGE((flags[page] & PAGE_FLAGS_CHECK_AT_PREP) !== 0, page, 'is freed with flags');
	__mod_zone_freepage_state(zone, 1 << order, migratetype);
	VM_BUG_ON_PAGE((pfn & ((1 << order) - 1)) !== 0, page, 'is freed with an order it has not');
	VM_BUG_ON_PAGE(bad_range(zone, page), page, 'is freed to a zone that it is not of');

	while (order < MAX_ORDER - 1) {
		buddy_pfn = __find_buddy_pfn(pfn, order);
		const buddy = buddy_pfn as page;

		if (!pfn_valid(buddy_pfn))
			break;
		if (!page_is_buddy(page, buddy, order))
			break;
		del_page_from_free_list(buddy, zone, order);
		pfn = buddy_pfn & pfn;
		page = pfn as page;
		order++;
	}
	set_buddy_order(page, order);

	let to_tail: boolean;
	if (fpi_flags & FPI_TO_TAIL)
		to_tail = true;
	else
		to_tail = buddy_merge_likely(pfn, buddy_pfn, page, order);

	if (to_tail)
		add_to_free_list_tail(page, zone, order, migratetype);
	else
		add_to_free_list(page, zone, order, migratetype);
}

/** @ported v5.10 */
function page_expected_state(page: page, check_flags: number): boolean {
	if (_mapcount[page] !== -1)
		return false;
	return (mapping[page] | _refcount[page] | mem_cgroup[page] |
		flags[page] & check_flags) === 0;
}

/** @custom the flags that should be clear are named, each */
function page_bad_reason(page: page, check_flags: number): string {
	if (mem_cgroup[page])
		return 'page still charged to cgroup';
	const wrong = flags[page] & check_flags;
	if (wrong) {
		const set = pageflag_names.filter((_, bit) => wrong & (1 << bit));
		return `flags that must be clear are set: PG_${set.join(', PG_')}`;
	}
	if (_refcount[page])
		return 'nonzero _refcount';
	if (mapping[page])
		return 'non-NULL mapping';
	return 'nonzero mapcount';
}

/** @ported v5.10 */
function check_free_page_bad(page: page): void {
	bad_page(page, page_bad_reason(page, PAGE_FLAGS_CHECK_AT_FREE));
}

/** @ported v5.10 */
function check_free_page(page: page): void {
	if (!page_expected_state(page, PAGE_FLAGS_CHECK_AT_FREE))
		check_free_page_bad(page);
}

/** @reduced no compound pages, poisoning, or kmem charge; frames keep their contents until reuse */
function free_pages_prepare(page: page, order: number, check_free: boolean): boolean {
	for (let i = 1; i < 1 << order; i++) {
		const tail = (page + i) as page;
		check_free_page(tail);
		flags[tail] &= ~PAGE_FLAGS_CHECK_AT_PREP;
	}
	if (mapping[page] & PAGE_MAPPING_FLAGS)
		mapping[page] = 0;
	if (check_free)
		check_free_page(page);
	flags[page] &= ~PAGE_FLAGS_CHECK_AT_PREP;
	return true;
}

/** @ported v5.10 */
function free_pcp_prepare(page: page): boolean {
	return free_pages_prepare(page, 0, true);
}

/** @reduced pages are checked when they enter the pcp lists, see the head of this file */
function free_pcppages_bulk(zone: zone, count: number, cpu: number): void {
	const pcp = zone * NR_CPUS + cpu;
	let migratetype = 0;
	let batch_free = 0;
	const head = list_head_enter();

	count = Math.min(pcp_count[pcp]!, count);
	while (count) {
		let list: list_head;

		/* Round robin, with longer turns on the lists that are left. */
		do {
			batch_free++;
			if (++migratetype === MIGRATE_PCPTYPES)
				migratetype = 0;
			list = pcp_lists(zone, cpu, migratetype);
		} while (list_empty(list));

		if (batch_free === MIGRATE_PCPTYPES)
			batch_free = count;

		do {
			const entry = list_heads.prev[list];
			list_del(entry);
			pcp_count[pcp]!--;
			list_add_tail(entry, head);
		} while (--count && --batch_free && !list_empty(list));
	}

	while (!list_empty(head)) {
		const page = lru.container_of(next[head]);
		const mt = get_pcppage_migratetype(page);

		list_del(lru(page));
		__free_one_page(page, page, zone, 0, mt, FPI_NONE);
	}
	list_head_leave(head);
}

/** @ported v5.10 */
function free_one_page(
	zone: zone, page: page, pfn: number, order: number, migratetype: number, fpi_flags: fpi_t,
): void {
	__free_one_page(page, pfn, zone, order, migratetype, fpi_flags);
}

/** @ported v5.10 */
function __free_pages_ok(page: page, order: number, fpi_flags: fpi_t): void {
	const pfn = page;

	if (!free_pages_prepare(page, order, true))
		return;
	const migratetype = get_pfnblock_migratetype(page, pfn);
	__count_vm_events(PGFREE, 1 << order);
	free_one_page(page_zone(page), page, pfn, order, migratetype, fpi_flags);
}

/**
 * Give a block of fresh memory to the buddy allocator, at the tail of its list.
 * @reduced struct pages are zero but for _mapcount and the zone: nothing is to be undone or checked
 */
export function __free_pages_core(page: page, order: number): void {
	const zone = page_zone(page);

	zones.managed_pages[zone] += 1 << order;
	__count_vm_events(PGFREE, 1 << order);
	free_one_page(zone, page, page, order, get_pfnblock_migratetype(page, page), FPI_TO_TAIL);
}

/** @ported v5.10 */
export function memblock_free_pages(page: page, _pfn: number, order: number): void {
	__free_pages_core(page, order);
}

/** Split a block of order `high` down to `low`; the upper halves stay free. @ported v5.10 */
function expand(zone: zone, page: page, low: number, high: number, migratetype: number): void {
	let size = 1 << high;

	while (high > low) {
		high--;
		size >>= 1;
		const upper = (page + size) as page;
		VM_BUG_ON_PAGE(bad_range(zone, upper), upper, 'is split off in another zone');
		add_to_free_list(upper, zone, high, migratetype);
		set_buddy_order(upper, high);
	}
}

/** @ported v5.10 */
function check_new_page_bad(page: page): void {
	bad_page(page, page_bad_reason(page, PAGE_FLAGS_CHECK_AT_PREP));
}

/** @ported v5.10 */
function check_new_page(page: page): void {
	if (!page_expected_state(page, PAGE_FLAGS_CHECK_AT_PREP))
		check_new_page_bad(page);
}

/** @ported v5.10 */
function check_new_pages(page: page, order: number): void {
	for (let i = 0; i < 1 << order; i++)
		check_new_page((page + i) as page);
}

/** @reduced no debug_pagealloc, KASAN, poisoning, page_owner */
export function post_alloc_hook(page: page, _order: number, _gfp_flags: gfp_t): void {
	set_page_private(page, 0);
	set_page_refcounted(page);
}

/** @reduced frames that were never used are zero already; no compound pages */
function prep_new_page(page: page, order: number, gfp_flags: gfp_t, alloc_flags: number): void {
	post_alloc_hook(page, order, gfp_flags);
	for (let i = 0; i < 1 << order; i++) {
		if (gfp_flags & __GFP_ZERO && frame_was_used(page + i))
			clear_frame(page + i);
		use_frame(page + i);
	}
	if (alloc_flags & ALLOC_NO_WATERMARKS)
		set_page_pfmemalloc(page);
	else
		clear_page_pfmemalloc(page);
}

/** @ported v5.10 */
function __rmqueue_smallest(zone: zone, order: number, migratetype: number): page {
	for (let current_order = order; current_order < MAX_ORDER; ++current_order) {
		const page = get_page_from_free_area(zone, current_order, migratetype);
		if (!page)
			continue;
		del_page_from_free_list(page, zone, current_order);
		expand(zone, page, order, current_order, migratetype);
		set_pcppage_migratetype(page, migratetype);
		return page;
	}
	return NULL;
}

/* Whose free lists a migratetype takes from when its own are empty; MIGRATE_TYPES ends a row. */
const fallbacks: readonly (readonly number[])[] = [
	[MIGRATE_RECLAIMABLE, MIGRATE_MOVABLE, MIGRATE_TYPES],
	[MIGRATE_RECLAIMABLE, MIGRATE_UNMOVABLE, MIGRATE_TYPES],
	[MIGRATE_UNMOVABLE, MIGRATE_MOVABLE, MIGRATE_TYPES],
];

/** @ported v5.10 */
function move_freepages(
	zone: zone, start_page: page, end_page: page, migratetype: number, num_movable: out<number>,
): number {
	let pages_moved = 0;

	for (let page = start_page; page <= end_page;) {
		if (!PageBuddy(page)) {
			if (PageLRU(page) || __PageMovable(page))
				num_movable.v++;
			page = (page + 1) as page;
			continue;
		}
		VM_BUG_ON_PAGE(page_zone(page) !== zone, page, 'is moved to another zone');
		const order = buddy_order(page);
		move_to_free_list(page, zone, order, migratetype);
		page = (page + (1 << order)) as page;
		pages_moved += 1 << order;
	}
	return pages_moved;
}

/** @ported v5.10 */
function move_freepages_block(
	zone: zone, page: page, migratetype: number, num_movable: out<number>,
): number {
	const start_pfn = page & ~(pageblock_nr_pages - 1);
	const end_pfn = start_pfn + pageblock_nr_pages - 1;
	let start_page = start_pfn as page;

	num_movable.v = 0;
	if (!zone_spans_pfn(zone, start_pfn))
		start_page = page;
	if (!zone_spans_pfn(zone, end_pfn))
		return 0;
	return move_freepages(zone, start_page, end_pfn as page, migratetype, num_movable);
}

/** @ported v5.10 */
function change_pageblock_range(page: page, start_order: number, migratetype: number): void {
	let nr_pageblocks = 1 << (start_order - pageblock_order);

	while (nr_pageblocks--) {
		set_pageblock_migratetype(page, migratetype);
		page = (page + pageblock_nr_pages) as page;
	}
}

/** @ported v5.10 */
function can_steal_fallback(order: number, start_mt: number): boolean {
	if (order >= pageblock_order)
		return true;
	return order >= pageblock_order / 2 >> 0 || start_mt === MIGRATE_RECLAIMABLE ||
		start_mt === MIGRATE_UNMOVABLE || page_group_by_mobility_disabled.v !== 0;
}

/** @ported v5.10 */
function boost_watermark(zone: zone): boolean {
	if (!watermark_boost_factor.v)
		return false;
	if (pageblock_nr_pages * 4 > zone_managed_pages(zone))
		return false;
	let max_boost = mult_frac(zones._watermark[zone * NR_WMARK + WMARK_HIGH]!,
		watermark_boost_factor.v, 10000);
	if (!max_boost)
		return false;
	max_boost = Math.max(pageblock_nr_pages, max_boost);
	zones.watermark_boost[zone] =
		Math.min(zones.watermark_boost[zone] + pageblock_nr_pages, max_boost);
	return true;
}

/** @ported v5.10 include/linux/math64.h:mult_frac() */
function mult_frac(x: number, numer: number, denom: number): number {
	return Math.floor(x * numer / denom);
}

/** @ported v5.10 */
function steal_suitable_fallback(
	zone: zone, page: page, alloc_flags: number, start_type: number, whole_block: boolean,
): void {
	const current_order = buddy_order(page);
	const old_block_type = get_pageblock_migratetype(page);

single_page: {
		if (is_migrate_highatomic(old_block_type))
			break single_page;

		if (current_order >= pageblock_order) {
			change_pageblock_range(page, current_order, start_type);
			break single_page;
		}

		/* Reclaim harder now, so that falling back is needed less often. */
		if (boost_watermark(zone) && (alloc_flags & ALLOC_KSWAPD))
			zones.flags[zone] |= 1 << ZONE_BOOSTED_WATERMARK;

		if (!whole_block)
			break single_page;

		const movable_pages: out<number> = { v: 0 };
		const free_pages = move_freepages_block(zone, page, start_type, movable_pages);
		let alike_pages: number;
		if (start_type === MIGRATE_MOVABLE)
			alike_pages = movable_pages.v;
		else if (old_block_type === MIGRATE_MOVABLE)
			alike_pages = pageblock_nr_pages - (free_pages + movable_pages.v);
		else
			alike_pages = 0;

		if (!free_pages)
			break single_page;

		if (free_pages + alike_pages >= 1 << (pageblock_order - 1) ||
		    page_group_by_mobility_disabled.v)
			set_pageblock_migratetype(page, start_type);
		return;
	}
	move_to_free_list(page, zone, current_order, start_type);
}

/** The migratetype to take from, -1 for none. @ported v5.10 */
export function find_suitable_fallback(
	zone: zone, order: number, migratetype: number, only_stealable: boolean,
	can_steal: out<boolean>,
): number {
	if (!nr_free[zone * MAX_ORDER + order])
		return -1;

	can_steal.v = false;
	for (let i = 0; ; i++) {
		const fallback_mt = fallbacks[migratetype]![i]!;
		if (fallback_mt === MIGRATE_TYPES)
			break;
		if (free_area_empty(zone, order, fallback_mt))
			continue;
		if (can_steal_fallback(order, migratetype))
			can_steal.v = true;
		if (!only_stealable)
			return fallback_mt;
		if (can_steal.v)
			return fallback_mt;
	}
	return -1;
}

/** @ported v5.10 */
function reserve_highatomic_pageblock(page: page, zone: zone, _alloc_order: number): void {
	const max_managed = Math.floor(zone_managed_pages(zone) / 100) + pageblock_nr_pages;

	if (zones.nr_reserved_highatomic[zone] >= max_managed)
		return;
	if (!is_migrate_highatomic(get_pageblock_migratetype(page))) {
		zones.nr_reserved_highatomic[zone] += pageblock_nr_pages;
		set_pageblock_migratetype(page, MIGRATE_HIGHATOMIC);
		move_freepages_block(zone, page, MIGRATE_HIGHATOMIC, { v: 0 });
	}
}

/** @ported v5.10 */
function unreserve_highatomic_pageblock(ac: alloc_context, force: boolean): boolean {
	for (let z = first_zones_zonelist(ac.zonelist, ac.highest_zoneidx, ac.nodemask);
	     zonelist_zone(z); z = next_zones_zonelist(z + 1, ac.highest_zoneidx, ac.nodemask)) {
		const zone = zonelist_zone(z);

		if (!force && zones.nr_reserved_highatomic[zone] <= pageblock_nr_pages)
			continue;

		for (let order = 0; order < MAX_ORDER; order++) {
			const page = get_page_from_free_area(zone, order, MIGRATE_HIGHATOMIC);
			if (!page)
				continue;
			if (is_migrate_highatomic(get_pageblock_migratetype(page)))
				zones.nr_reserved_highatomic[zone] -= Math.min(pageblock_nr_pages,
					zones.nr_reserved_highatomic[zone]);
			set_pageblock_migratetype(page, ac.migratetype);
			if (move_freepages_block(zone, page, ac.migratetype, { v: 0 }))
				return true;
		}
	}
	return false;
}

/** @ported v5.10 */
function __rmqueue_fallback(
	zone: zone, order: number, start_migratetype: number, alloc_flags: number,
): boolean {
	const can_steal: out<boolean> = { v: false };
	let current_order: number;
	let min_order = order;
	let fallback_mt = -1;

	if (alloc_flags & ALLOC_NOFRAGMENT)
		min_order = pageblock_order;

do_steal: {
find_smallest: {
		for (current_order = MAX_ORDER - 1; current_order >= min_order; --current_order) {
			fallback_mt = find_suitable_fallback(zone, current_order,
				start_migratetype, false, can_steal);
			if (fallback_mt === -1)
				continue;
			if (!can_steal.v && start_migratetype === MIGRATE_MOVABLE &&
			    current_order > order)
				break find_smallest;
			break do_steal;
		}
		return false;
	}
		for (current_order = order; current_order < MAX_ORDER; current_order++) {
			fallback_mt = find_suitable_fallback(zone, current_order,
				start_migratetype, false, can_steal);
			if (fallback_mt !== -1)
				break;
		}
		VM_BUG_ON(current_order === MAX_ORDER, 'a fallback that was found is gone');
	}
	const page = get_page_from_free_area(zone, current_order, fallback_mt);
	steal_suitable_fallback(zone, page, alloc_flags, start_migratetype, can_steal.v);
	return true;
}

/** @ported v5.10 */
function __rmqueue(zone: zone, order: number, migratetype: number, alloc_flags: number): page {
retry:
	for (;;) {
		const page = __rmqueue_smallest(zone, order, migratetype);
		if (!page && __rmqueue_fallback(zone, order, migratetype, alloc_flags))
			continue retry;
		return page;
	}
}

/** @ported v5.10 */
function rmqueue_bulk(
	zone: zone, order: number, count: number, list: list_head, migratetype: number,
	alloc_flags: number,
): number {
	let i: number;

	for (i = 0; i < count; ++i) {
		const page = __rmqueue(zone, order, migratetype, alloc_flags);
		if (!page)
			break;
		list_add_tail(lru(page), list);
	}
	__mod_zone_page_state(zone, NR_FREE_PAGES, -(i << order));
	return i;
}

/** @ported v5.10 */
export function drain_zone_pages(zone: zone, cpu: number): void {
	const to_drain = Math.min(pcp_count[zone * NR_CPUS + cpu]!, pcp_batch[zone]);

	if (to_drain > 0)
		free_pcppages_bulk(zone, to_drain, cpu);
}

/** @ported v5.10 */
function drain_pages_zone(cpu: number, zone: zone): void {
	const count = pcp_count[zone * NR_CPUS + cpu]!;

	if (count)
		free_pcppages_bulk(zone, count, cpu);
}

/** @ported v5.10 */
function drain_pages(cpu: number): void {
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (populated_zone(zone))
			drain_pages_zone(cpu, zone);
	}
}

/** The running CPU's pcp pages of a zone, NULL for all, go back. @ported v5.10 */
export function drain_local_pages(zone: zone): void {
	const cpu = smp_processor_id();

	if (zone)
		drain_pages_zone(cpu, zone);
	else
		drain_pages(cpu);
}

/** drain_local_pages() on every CPU that has any. @ported v5.10 */
export function drain_all_pages(zone: zone): void {
	const here = smp_processor_id();

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		let has_pcps = false;

		if (zone) {
			has_pcps = pcp_count[zone * NR_CPUS + cpu]! !== 0;
		} else {
			for (let z = first_zone(); z && !has_pcps; z = next_zone(z))
				has_pcps = pcp_count[z * NR_CPUS + cpu]! !== 0;
		}
		if (!has_pcps)
			continue;
		set_smp_processor_id(cpu);
		drain_local_pages(zone);
	}
	set_smp_processor_id(here);
}

/** @ported v5.10 */
function free_unref_page_prepare(page: page, pfn: number): boolean {
	if (!free_pcp_prepare(page))
		return false;
	set_pcppage_migratetype(page, get_pfnblock_migratetype(page, pfn));
	return true;
}

/** @ported v5.10 */
function free_unref_page_commit(page: page, _pfn: number): void {
	const zone = page_zone(page);
	const cpu = smp_processor_id();
	const pcp = zone * NR_CPUS + cpu;
	let migratetype = get_pcppage_migratetype(page);

	__count_vm_event(PGFREE);
	/* HIGHATOMIC pages too, so that their blocks can be got back. */
	if (migratetype >= MIGRATE_PCPTYPES)
		migratetype = MIGRATE_MOVABLE;

	list_add(lru(page), pcp_lists(zone, cpu, migratetype));
	pcp_count[pcp]!++;
	if (pcp_count[pcp]! >= pcp_high[zone])
		free_pcppages_bulk(zone, pcp_batch[zone], cpu);
}

/** Free a page that has no references. @ported v5.10 */
export function free_unref_page(page: page): void {
	const pfn = page;

	if (!free_unref_page_prepare(page, pfn))
		return;
	free_unref_page_commit(page, pfn);
}

/**
 * Free pages that have no references; `list` is left empty, where the kernel leaves it stale.
 * @ported v5.10
 */
export function free_unref_page_list(list: list_head): void {
	for (let entry = next[list]; entry !== list; entry = next[entry]) {
		const page = lru.container_of(entry);
		free_unref_page_prepare(page, page);
	}
	for (let entry = next[list], after = next[entry]; entry !== list;
	     entry = after, after = next[entry]) {
		const page = lru.container_of(entry);
		set_page_private(page, 0);
		free_unref_page_commit(page, page);
	}
	INIT_LIST_HEAD(list);
}

/** Make an allocation of order n into 2^n pages, each to be freed alone. @ported v5.10 */
export function split_page(page: page, order: number): void {
	VM_BUG_ON_PAGE(_refcount[page] === 0, page, 'is split but free');
	for (let i = 1; i < 1 << order; i++)
		set_page_refcounted((page + i) as page);
}

/** @ported v5.10 */
function zone_statistics(preferred_zone: zone, z: zone): void {
	let local_stat = NUMA_LOCAL;

	if (zone_to_nid(z) !== numa_node_id())
		local_stat = NUMA_OTHER;
	if (zone_to_nid(z) === zone_to_nid(preferred_zone)) {
		__inc_numa_state(z, NUMA_HIT);
	} else {
		__inc_numa_state(z, NUMA_MISS);
		__inc_numa_state(preferred_zone, NUMA_FOREIGN);
	}
	__inc_numa_state(z, local_stat);
}

/** @ported v5.10 */
function __rmqueue_pcplist(
	zone: zone, migratetype: number, alloc_flags: number, pcp: number, list: list_head,
): page {
	if (list_empty(list)) {
		pcp_count[pcp]! +=
			rmqueue_bulk(zone, 0, pcp_batch[zone], list, migratetype, alloc_flags);
		if (list_empty(list))
			return NULL;
	}
	const page = lru.container_of(next[list]);
	list_del(lru(page));
	pcp_count[pcp]!--;
	check_new_page(page);
	return page;
}

/** @ported v5.10 */
function rmqueue_pcplist(
	preferred_zone: zone, zone: zone, _gfp_flags: gfp_t, migratetype: number,
	alloc_flags: number,
): page {
	const cpu = smp_processor_id();
	const page = __rmqueue_pcplist(zone, migratetype, alloc_flags, zone * NR_CPUS + cpu,
		pcp_lists(zone, cpu, migratetype));

	if (page) {
		__count_zid_vm_events(PGALLOC_NORMAL, page_zonenum(page), 1);
		zone_statistics(preferred_zone, zone);
	}
	return page;
}

/** @ported v5.10 */
function rmqueue(
	preferred_zone: zone, zone: zone, order: number, gfp_flags: gfp_t, alloc_flags: number,
	migratetype: number,
): page {
	let page: page = NULL;

	if (order === 0) {
		page = rmqueue_pcplist(preferred_zone, zone, gfp_flags, migratetype, alloc_flags);
	} else {
		VM_BUG_ON((gfp_flags & __GFP_NOFAIL) !== 0 && order > 1,
			'an allocation that cannot fail is of high order');
		if (alloc_flags & ALLOC_HARDER)
			page = __rmqueue_smallest(zone, order, MIGRATE_HIGHATOMIC);
		if (!page)
			page = __rmqueue(zone, order, migratetype, alloc_flags);
		if (!page)
			return NULL;
		check_new_pages(page, order);
		__mod_zone_freepage_state(zone, -(1 << order), get_pcppage_migratetype(page));
		__count_zid_vm_events(PGALLOC_NORMAL, page_zonenum(page), 1 << order);
		zone_statistics(preferred_zone, zone);
	}
	if (zones.flags[zone] & 1 << ZONE_BOOSTED_WATERMARK) {
		zones.flags[zone] &= ~(1 << ZONE_BOOSTED_WATERMARK);
		wakeup_kswapd(zone, 0, 0, zone_idx(zone));
	}
	VM_BUG_ON_PAGE(page !== NULL && bad_range(zone, page), page, 'comes from another zone');
	return page;
}

/** @reduced CMA is not configured */
function __zone_watermark_unusable_free(z: zone, order: number, alloc_flags: number): number {
	let unusable_free = (1 << order) - 1;

	if (!(alloc_flags & (ALLOC_HARDER | ALLOC_OOM)))
		unusable_free += zones.nr_reserved_highatomic[z];
	return unusable_free;
}

/**
 * Whether a zone with so many free pages may give a block of 2^order and stay above `mark`, in
 * pages. @ported v5.10
 */
export function __zone_watermark_ok(
	z: zone, order: number, mark: number, highest_zoneidx: number, alloc_flags: number,
	free_pages: number,
): boolean {
	const alloc_harder = (alloc_flags & (ALLOC_HARDER | ALLOC_OOM)) !== 0;
	let min = mark;

	free_pages -= __zone_watermark_unusable_free(z, order, alloc_flags);

	if (alloc_flags & ALLOC_HIGH)
		min -= Math.trunc(min / 2);
	if (alloc_harder) {
		if (alloc_flags & ALLOC_OOM)
			min -= Math.trunc(min / 2);
		else
			min -= Math.trunc(min / 4);
	}
	if (free_pages <= min + zones.lowmem_reserve[z * MAX_NR_ZONES + highest_zoneidx]!)
		return false;
	if (!order)
		return true;

	for (let o = order; o < MAX_ORDER; o++) {
		if (!nr_free[z * MAX_ORDER + o])
			continue;
		for (let mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
			if (!free_area_empty(z, o, mt))
				return true;
		}
		if (alloc_harder && !free_area_empty(z, o, MIGRATE_HIGHATOMIC))
			return true;
	}
	return false;
}

/** @ported v5.10 */
export function zone_watermark_ok(
	z: zone, order: number, mark: number, highest_zoneidx: number, alloc_flags: number,
): boolean {
	return __zone_watermark_ok(z, order, mark, highest_zoneidx, alloc_flags,
		zone_page_state(z, NR_FREE_PAGES));
}

/** @ported v5.10 */
function zone_watermark_fast(
	z: zone, order: number, mark: number, highest_zoneidx: number, alloc_flags: number,
	gfp_mask: gfp_t,
): boolean {
	const free_pages = zone_page_state(z, NR_FREE_PAGES);

	if (!order) {
		const reserved = __zone_watermark_unusable_free(z, 0, alloc_flags);
		const usable_free = free_pages - Math.min(free_pages, reserved);
		if (usable_free > mark + zones.lowmem_reserve[z * MAX_NR_ZONES + highest_zoneidx]!)
			return true;
	}
	if (__zone_watermark_ok(z, order, mark, highest_zoneidx, alloc_flags, free_pages))
		return true;
	if (!order && (gfp_mask & __GFP_ATOMIC) && zones.watermark_boost[z] &&
	    (alloc_flags & ALLOC_WMARK_MASK) === WMARK_MIN) {
		mark = zones._watermark[z * NR_WMARK + WMARK_MIN]!;
		return __zone_watermark_ok(z, order, mark, highest_zoneidx, alloc_flags,
			free_pages);
	}
	return false;
}

/** zone_watermark_ok() that reads all CPUs' counters where drift could mislead. @ported v5.10 */
export function zone_watermark_ok_safe(
	z: zone, order: number, mark: number, highest_zoneidx: number,
): boolean {
	let free_pages = zone_page_state(z, NR_FREE_PAGES);

	if (zones.percpu_drift_mark[z] && free_pages < zones.percpu_drift_mark[z])
		free_pages = zone_page_state_snapshot(z, NR_FREE_PAGES);
	return __zone_watermark_ok(z, order, mark, highest_zoneidx, 0, free_pages);
}

/** @ported v5.10 */
function alloc_flags_nofragment(zone: zone, gfp_mask: gfp_t): number {
	const alloc_flags = gfp_mask & __GFP_KSWAPD_RECLAIM;

	if (!zone)
		return alloc_flags;
	if (zone_idx(zone) !== ZONE_NORMAL)
		return alloc_flags;
	if (nr_online_nodes.v > 1 && !populated_zone((zone - 1) as zone))
		return alloc_flags;
	return alloc_flags | ALLOC_NOFRAGMENT;
}

/** @reduced no cpusets; vm.zone_reclaim_mode is 0, so node_reclaim() is never tried */
function get_page_from_freelist(
	gfp_mask: gfp_t, order: number, alloc_flags: number, ac: alloc_context,
): page {
	const preferred_zone = zonelist_zone(ac.preferred_zoneref);
	let last_pgdat_dirty_limit: pglist_data = NULL;

retry:
	for (;;) {
		const no_fallback = (alloc_flags & ALLOC_NOFRAGMENT) !== 0;

		for (let z = next_zones_zonelist(
			ac.preferred_zoneref, ac.highest_zoneidx, ac.nodemask);
		     zonelist_zone(z);
		     z = next_zones_zonelist(z + 1, ac.highest_zoneidx, ac.nodemask)) {
			const zone = zonelist_zone(z);

			if (ac.spread_dirty_pages) {
				const pgdat = zones.zone_pgdat[zone];
				if (last_pgdat_dirty_limit === pgdat)
					continue;
				if (!node_dirty_ok(pgdat)) {
					last_pgdat_dirty_limit = pgdat;
					continue;
				}
			}

			/* A remote node is worse than mixing kinds of pages in a block. */
			if (no_fallback && nr_online_nodes.v > 1 && zone !== preferred_zone &&
			    zone_to_nid(zone) !== zone_to_nid(preferred_zone)) {
				alloc_flags &= ~ALLOC_NOFRAGMENT;
				continue retry;
			}

			const mark = wmark_pages(zone, alloc_flags & ALLOC_WMARK_MASK);
			if (!(alloc_flags & ALLOC_NO_WATERMARKS) &&
			    !zone_watermark_fast(zone, order, mark, ac.highest_zoneidx, alloc_flags,
				gfp_mask))
				continue;

			const page = rmqueue(preferred_zone, zone, order, gfp_mask, alloc_flags,
				ac.migratetype);
			if (page) {
				prep_new_page(page, order, gfp_mask, alloc_flags);
				if (order && (alloc_flags & ALLOC_HARDER))
					reserve_highatomic_pageblock(page, zone, order);
				return page;
			}
		}

		if (!no_fallback)
			return NULL;
		alloc_flags &= ~ALLOC_NOFRAGMENT;
	}
}

/** @reduced no cpusets to fall back from */
function __alloc_pages_cpuset_fallback(
	gfp_mask: gfp_t, order: number, alloc_flags: number, ac: alloc_context,
): page {
	return get_page_from_freelist(gfp_mask, order, alloc_flags, ac);
}

/** @reduced oom_lock is free: nobody else is in the OOM killer, nobody dumps core or suspends */
function __alloc_pages_may_oom(
	gfp_mask: gfp_t, order: number, ac: alloc_context, did_some_progress: out<number>,
): page {
	did_some_progress.v = 0;

	let page = get_page_from_freelist((gfp_mask | __GFP_HARDWALL) & ~__GFP_DIRECT_RECLAIM,
		order, ALLOC_WMARK_HIGH | ALLOC_CPUSET, ac);
	if (page)
		return page;
	if (order > PAGE_ALLOC_COSTLY_ORDER)
		return NULL;
	if (gfp_mask & (__GFP_RETRY_MAYFAIL | __GFP_THISNODE))
		return NULL;
	if (ac.highest_zoneidx < ZONE_NORMAL)
		return NULL;

	const oc = new oom_control();
	oc.zonelist = ac.zonelist;
	oc.nodemask = ac.nodemask;
	oc.memcg = NULL;
	oc.gfp_mask = gfp_mask;
	oc.order = order;
	if (out_of_memory(oc) || gfp_mask & __GFP_NOFAIL) {
		did_some_progress.v = 1;
		if (gfp_mask & __GFP_NOFAIL)
			page = __alloc_pages_cpuset_fallback(
				gfp_mask, order, ALLOC_NO_WATERMARKS, ac);
	}
	return page;
}

/** @ported v5.10 */
function __perform_reclaim(gfp_mask: gfp_t, order: number, ac: alloc_context): number {
	const noreclaim_flag = memalloc_noreclaim_save();
	const progress = try_to_free_pages(ac.zonelist, order, gfp_mask, ac.nodemask);

	memalloc_noreclaim_restore(noreclaim_flag);
	return progress;
}

/** @ported v5.10 */
function __alloc_pages_direct_reclaim(
	gfp_mask: gfp_t, order: number, alloc_flags: number, ac: alloc_context,
	did_some_progress: out<number>,
): page {
	let drained = false;

	did_some_progress.v = __perform_reclaim(gfp_mask, order, ac);
	if (!did_some_progress.v)
		return NULL;

	for (;;) {
		const page = get_page_from_freelist(gfp_mask, order, alloc_flags, ac);

		/* What came free may be where this allocation cannot get at it. */
		if (page || drained)
			return page;
		unreserve_highatomic_pageblock(ac, false);
		drain_all_pages(NULL);
		drained = true;
	}
}

/** @ported v5.10 */
function wake_all_kswapds(order: number, gfp_mask: gfp_t, ac: alloc_context): void {
	const { highest_zoneidx } = ac;
	let last_pgdat: pglist_data = NULL;

	for (let z = first_zones_zonelist(ac.zonelist, highest_zoneidx, ac.nodemask);
	     zonelist_zone(z); z = next_zones_zonelist(z + 1, highest_zoneidx, ac.nodemask)) {
		const zone = zonelist_zone(z);

		if (last_pgdat !== zones.zone_pgdat[zone])
			wakeup_kswapd(zone, gfp_mask, order, highest_zoneidx);
		last_pgdat = zones.zone_pgdat[zone];
	}
}

/** @reduced no task has a realtime policy */
function gfp_to_alloc_flags(gfp_mask: gfp_t): number {
	let alloc_flags = ALLOC_WMARK_MIN | ALLOC_CPUSET;

	alloc_flags |= gfp_mask & (__GFP_HIGH | __GFP_KSWAPD_RECLAIM);
	if (gfp_mask & __GFP_ATOMIC) {
		if (!(gfp_mask & __GFP_NOMEMALLOC))
			alloc_flags |= ALLOC_HARDER;
		alloc_flags &= ~ALLOC_CPUSET;
	}
	return alloc_flags;
}

/** @ported v5.10 */
function oom_reserves_allowed(tsk: task_struct): boolean {
	return tsk_is_oom_victim(tsk);
}

/** @reduced nothing runs in interrupts */
function __gfp_pfmemalloc_flags(gfp_mask: gfp_t): number {
	if (gfp_mask & __GFP_NOMEMALLOC)
		return 0;
	if (gfp_mask & __GFP_MEMALLOC)
		return ALLOC_NO_WATERMARKS;
	const task = current();
	if (!task)
		return 0;
	if (tasks.flags[task] & PF_MEMALLOC)
		return ALLOC_NO_WATERMARKS;
	if (oom_reserves_allowed(task))
		return ALLOC_OOM;
	return 0;
}

/** @ported v5.10 */
export function gfp_pfmemalloc_allowed(gfp_mask: gfp_t): boolean {
	return __gfp_pfmemalloc_flags(gfp_mask) !== 0;
}

/** @ported v5.10 */
function should_reclaim_retry(
	_gfp_mask: gfp_t, order: number, ac: alloc_context, alloc_flags: number,
	did_some_progress: boolean, no_progress_loops: out<number>,
): boolean {
	if (did_some_progress && order <= PAGE_ALLOC_COSTLY_ORDER)
		no_progress_loops.v = 0;
	else
		no_progress_loops.v++;

	if (no_progress_loops.v > MAX_RECLAIM_RETRIES)
		return unreserve_highatomic_pageblock(ac, true);

	for (let z = first_zones_zonelist(ac.zonelist, ac.highest_zoneidx, ac.nodemask);
	     zonelist_zone(z); z = next_zones_zonelist(z + 1, ac.highest_zoneidx, ac.nodemask)) {
		const zone = zonelist_zone(z);
		const min_wmark = min_wmark_pages(zone);
		const reclaimable = zone_reclaimable_pages(zone);
		const available = reclaimable + zone_page_state_snapshot(zone, NR_FREE_PAGES);

		if (!__zone_watermark_ok(zone, order, min_wmark, ac.highest_zoneidx, alloc_flags,
			available))
			continue;
		if (!did_some_progress) {
			const write_pending = zone_page_state_snapshot(zone, NR_ZONE_WRITE_PENDING);

			/* Wait for writes rather than kill because they are slow. */
			if (2 * write_pending > reclaimable) {
				congestion_wait(HZ / 10);
				return true;
			}
		}
		return true;
	}
	return false;
}

/** @reduced no compaction; no cpuset or zonelist changes while it runs */
function __alloc_pages_slowpath(gfp_mask: gfp_t, order: number, ac: alloc_context): page {
	const can_direct_reclaim = (gfp_mask & __GFP_DIRECT_RECLAIM) !== 0;
	const costly_order = order > PAGE_ALLOC_COSTLY_ORDER;
	const did_some_progress: out<number> = { v: 0 }, no_progress_loops: out<number> = { v: 0 };
	let page: page;

	VM_BUG_ON((gfp_mask & (__GFP_ATOMIC | __GFP_DIRECT_RECLAIM)) ===
		(__GFP_ATOMIC | __GFP_DIRECT_RECLAIM),
		'an atomic allocation says that it may sleep');

	let alloc_flags = gfp_to_alloc_flags(gfp_mask);
	ac.preferred_zoneref = first_zones_zonelist(ac.zonelist, ac.highest_zoneidx, ac.nodemask);

	let retry = zonelist_zone(ac.preferred_zoneref) !== NULL;
	if (retry) {
		if (alloc_flags & ALLOC_KSWAPD)
			wake_all_kswapds(order, gfp_mask, ac);
		page = get_page_from_freelist(gfp_mask, order, alloc_flags, ac);
		if (page)
			return page;
	}

	for (;;) {
nopage: {
			if (!retry)
				break nopage;
			if (alloc_flags & ALLOC_KSWAPD)
				wake_all_kswapds(order, gfp_mask, ac);

			const reserve_flags = __gfp_pfmemalloc_flags(gfp_mask);
			if (reserve_flags)
				alloc_flags = reserve_flags;

			if (!(alloc_flags & ALLOC_CPUSET) || reserve_flags) {
				ac.nodemask = 0;
				ac.preferred_zoneref = first_zones_zonelist(ac.zonelist,
					ac.highest_zoneidx, ac.nodemask);
			}

			page = get_page_from_freelist(gfp_mask, order, alloc_flags, ac);
			if (page)
				return page;

			if (!can_direct_reclaim)
				break nopage;
			if (tasks.flags[current()] & PF_MEMALLOC)
				break nopage;

			page = __alloc_pages_direct_reclaim(gfp_mask, order, alloc_flags, ac,
				did_some_progress);
			if (page)
				return page;

			if (gfp_mask & __GFP_NORETRY)
				break nopage;
			if (costly_order)
				break nopage;

			if (should_reclaim_retry(gfp_mask, order, ac, alloc_flags,
				did_some_progress.v > 0, no_progress_loops))
				continue;

			page = __alloc_pages_may_oom(gfp_mask, order, ac, did_some_progress);
			if (page)
				return page;

			if (tsk_is_oom_victim(current()) &&
			    (alloc_flags & ALLOC_OOM || gfp_mask & __GFP_NOMEMALLOC))
				break nopage;

			if (did_some_progress.v) {
				no_progress_loops.v = 0;
				continue;
			}
		}

		if (!(gfp_mask & __GFP_NOFAIL))
			return NULL;
		VM_BUG_ON(!can_direct_reclaim, 'an allocation that cannot fail must not sleep');
		page = __alloc_pages_cpuset_fallback(gfp_mask, order, ALLOC_HARDER, ac);
		if (page)
			return page;
		retry = true;
	}
}

/** @reduced no cpusets, no fault injection */
function prepare_alloc_pages(
	gfp_mask: gfp_t, _order: number, preferred_nid: number, nodemask: nodemask_t,
	ac: alloc_context,
): void {
	ac.highest_zoneidx = gfp_zone(gfp_mask);
	ac.zonelist = node_zonelist(preferred_nid, gfp_mask);
	ac.nodemask = nodemask;
	ac.migratetype = gfp_migratetype(gfp_mask);
	/* the slow path takes what there is */
	ac.spread_dirty_pages = (gfp_mask & __GFP_WRITE) !== 0;
	ac.preferred_zoneref = first_zones_zonelist(ac.zonelist, ac.highest_zoneidx, ac.nodemask);
}

/* Of the fast path, which nothing re-enters: it is filled and read by one call. */
const fast_path: alloc_context = new alloc_context();

/**
 * Allocate 2^order pages.
 * @param preferred_nid node whose zonelist is used
 * @param nodemask 0, or the nodes that may be used
 * @returns the first page, NULL where none could be had
 * @reduced kmem is not accounted
 */
export function __alloc_pages_nodemask(
	gfp_mask: gfp_t, order: number, preferred_nid: number, nodemask: nodemask_t,
): page {
	let ac = fast_path;

	VM_BUG_ON(order >= MAX_ORDER, 'an allocation is of an order that no block has');
	gfp_mask &= gfp_allowed_mask.v;
	prepare_alloc_pages(gfp_mask, order, preferred_nid, nodemask, ac);

	const alloc_flags = ALLOC_WMARK_LOW |
		alloc_flags_nofragment(zonelist_zone(ac.preferred_zoneref), gfp_mask);
	const page = get_page_from_freelist(gfp_mask, order, alloc_flags, ac);
	if (page)
		return page;

	/* Reclaim may allocate in turn. */
	ac = new alloc_context();
	const alloc_mask = current() ? current_gfp_context(gfp_mask) : gfp_mask;
	prepare_alloc_pages(gfp_mask, order, preferred_nid, nodemask, ac);
	ac.spread_dirty_pages = false;
	return __alloc_pages_slowpath(alloc_mask, order, ac);
}

/** @ported v5.10 include/linux/gfp.h:__alloc_pages() */
export function __alloc_pages(gfp_mask: gfp_t, order: number, preferred_nid: number): page {
	return __alloc_pages_nodemask(gfp_mask, order, preferred_nid, 0);
}

/** @ported v5.10 include/linux/gfp.h:__alloc_pages_node() */
export function __alloc_pages_node(nid: number, gfp_mask: gfp_t, order: number): page {
	VM_BUG_ON(nid < 0 || nid >= nr_online_nodes.v, `there is no node ${nid}`);
	return __alloc_pages_nodemask(gfp_mask, order, nid, 0);
}

/** @ported v5.10 include/linux/gfp.h:alloc_pages_node() */
export function alloc_pages_node(nid: number, gfp_mask: gfp_t, order: number): page {
	if (nid === NUMA_NO_NODE)
		nid = numa_mem_id();
	return __alloc_pages_node(nid, gfp_mask, order);
}

/** @reduced mm/mempolicy.c: the policy is the default one, the local node first */
export function alloc_pages_vma(
	gfp: gfp_t, order: number, _vma: vm_area_struct, _addr: number, node: number,
): page {
	return __alloc_pages_nodemask(gfp, order, node, 0);
}

/** @ported v5.10 include/linux/gfp.h:alloc_page_vma() */
export function alloc_page_vma(gfp: gfp_t, vma: vm_area_struct, addr: number): page {
	return alloc_pages_vma(gfp, 0, vma, addr, numa_node_id());
}

/** @reduced mm/mempolicy.c:alloc_pages_current(): the policy is the default one */
export function alloc_pages(gfp: gfp_t, order: number): page {
	return __alloc_pages_nodemask(gfp, order, numa_node_id(), 0);
}

/** @ported v5.10 include/linux/gfp.h:alloc_page() */
export function alloc_page(gfp: gfp_t): page {
	return __alloc_pages_nodemask(gfp, 0, numa_node_id(), 0);
}

/** @ported v5.10 */
function free_the_page(page: page, order: number): void {
	if (order === 0)
		free_unref_page(page);
	else
		__free_pages_ok(page, order, FPI_NONE);
}

/** Drop a reference to an allocation; free it if that was the last. @ported v5.10 */
export function __free_pages(page: page, order: number): void {
	if (put_page_testzero(page)) {
		free_the_page(page, order);
		return;
	}
	/* Somebody else holds the first page: the others are freed without it. */
	while (order-- > 0)
		free_the_page((page + (1 << order)) as page, order);
}

/** @ported v5.10 include/linux/gfp.h:__free_page() */
export function __free_page(page: page): void {
	__free_pages(page, 0);
}

/** @ported v5.10 */
function nr_free_zone_pages(offset: number): number {
	const zonelist = node_zonelist(numa_node_id(), GFP_KERNEL);
	let sum = 0;

	for (let z = first_zones_zonelist(zonelist, offset, 0); zonelist_zone(z);
	     z = next_zones_zonelist(z + 1, offset, 0)) {
		const size = zone_managed_pages(zonelist_zone(z));
		const high = high_wmark_pages(zonelist_zone(z));
		if (size > high)
			sum += size - high;
	}
	return sum;
}

/** Pages beyond the high watermarks. @ported v5.10 */
export function nr_free_buffer_pages(): number {
	return nr_free_zone_pages(gfp_zone(GFP_USER));
}

/** MemAvailable: pages that could be had without swapping, by estimate. @ported v5.10 */
export function si_mem_available(): number {
	let wmark_low = 0;

	for (let zone = first_zone(); zone; zone = next_zone(zone))
		wmark_low += low_wmark_pages(zone);

	let available = global_zone_page_state(NR_FREE_PAGES) - totalreserve_pages.v;
	let pagecache = global_node_page_state(NR_LRU_BASE + LRU_ACTIVE_FILE) +
		global_node_page_state(NR_LRU_BASE + LRU_INACTIVE_FILE);
	pagecache -= Math.min(Math.floor(pagecache / 2), wmark_low);
	available += pagecache;

	const reclaimable = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B) +
		global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE);
	available += reclaimable - Math.min(Math.floor(reclaimable / 2), wmark_low);
	return Math.max(0, available);
}

/** struct sysinfo, the memory part, in pages. */
export interface sysinfo {
	totalram: number;
	sharedram: number;
	freeram: number;
}

/** @reduced block devices have no page cache of their own here, so bufferram is 0 */
export function si_meminfo(val: sysinfo): void {
	val.totalram = totalram_pages();
	val.sharedram = global_node_page_state(NR_SHMEM);
	val.freeram = global_zone_page_state(NR_FREE_PAGES);
}

/** @ported v5.10 */
export function si_meminfo_node(val: sysinfo, nid: number): void {
	const pgdat = NODE_DATA(nid);
	let managed_pages = 0;

	for (let zone_type = 0; zone_type < MAX_NR_ZONES; zone_type++)
		managed_pages += zone_managed_pages((pgdats.node_zones[pgdat] + zone_type) as zone);
	val.totalram = managed_pages;
	val.sharedram = node_page_state(pgdat, NR_SHMEM);
	val.freeram = sum_zone_node_page_state(nid, NR_FREE_PAGES);
}

/** @ported v5.10 */
function build_zonerefs_node(pgdat: pglist_data, zonerefs: number): number {
	let nr_zones = 0;

	for (let zone_type = MAX_NR_ZONES - 1; zone_type >= 0; zone_type--) {
		const zone = pgdats.node_zones[pgdat] + zone_type;
		if (populated_zone(zone as zone))
			zonelists._zonerefs[zonerefs + nr_zones++] = zone;
	}
	return nr_zones;
}

const PENALTY_FOR_NODE_WITH_CPUS = 1;

/** The nearest node not in used_node_mask, which gets it; -1 for none left. @ported v5.10 */
function find_next_best_node(
	node: number, used_node_mask: out<nodemask_t>, node_load: Int32Array,
): number {
	let min_val = Infinity;
	let best_node = NUMA_NO_NODE;

	if (!(used_node_mask.v & 1 << node)) {
		used_node_mask.v |= 1 << node;
		return node;
	}
	for (let n = 0; n < nr_online_nodes.v; n++) {
		if (used_node_mask.v & 1 << n)
			continue;
		let val = node_distance(node, n);
		if (n < node)
			val += 1;
		if (node_has_cpus(n))
			val += PENALTY_FOR_NODE_WITH_CPUS;
		val *= nr_online_nodes.v * MAX_NUMNODES;
		val += node_load[n]!;
		if (val < min_val) {
			min_val = val;
			best_node = n;
		}
	}
	if (best_node >= 0)
		used_node_mask.v |= 1 << best_node;
	return best_node;
}

/** @custom stands for a test of cpumask_of_node(), which is not kept */
function node_has_cpus(nid: number): boolean {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		if (cpu_to_node(cpu) === nid)
			return true;
	}
	return false;
}

/** @ported v5.10 */
function build_zonelists_in_node_order(
	pgdat: pglist_data, node_order: Int32Array, nr_nodes: number,
): void {
	const zonelist = pgdats.node_zonelists[pgdat] + ZONELIST_FALLBACK;
	let zonerefs = zonelist_zonerefs(zonelist as zonelist);

	for (let i = 0; i < nr_nodes; i++)
		zonerefs += build_zonerefs_node(NODE_DATA(node_order[i]!), zonerefs);
	zonelists._zonerefs[zonerefs] = 0;
}

/** @ported v5.10 */
function build_thisnode_zonelists(pgdat: pglist_data): void {
	const zonelist = pgdats.node_zonelists[pgdat] + ZONELIST_NOFALLBACK;
	let zonerefs = zonelist_zonerefs(zonelist as zonelist);

	zonerefs += build_zonerefs_node(pgdat, zonerefs);
	zonelists._zonerefs[zonerefs] = 0;
}

/** @ported v5.10 */
function build_zonelists(pgdat: pglist_data, node_load: Int32Array): void {
	const node_order = new Int32Array(MAX_NUMNODES);
	const used_mask: out<nodemask_t> = { v: 0 };
	const local_node = pgdats.node_id[pgdat];
	let load = nr_online_nodes.v, nr_nodes = 0, prev_node = local_node;

	for (;;) {
		const node = find_next_best_node(local_node, used_mask, node_load);
		if (node < 0)
			break;
		/* Round robin among the first nodes of a distance. */
		if (node_distance(local_node, node) !== node_distance(local_node, prev_node))
			node_load[node] = load;
		node_order[nr_nodes++] = node;
		prev_node = node;
		load--;
	}
	build_zonelists_in_node_order(pgdat, node_order, nr_nodes);
	build_thisnode_zonelists(pgdat);
}

/** @ported v5.10 */
function __build_all_zonelists(): void {
	const node_load = new Int32Array(MAX_NUMNODES);

	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat))
		build_zonelists(pgdat, node_load);
}

/** @ported v5.10 */
export function build_all_zonelists(): void {
	__build_all_zonelists();
	const vm_total_pages = nr_free_zone_pages(gfp_zone(GFP_HIGHUSER_MOVABLE));
	page_group_by_mobility_disabled.v =
		vm_total_pages < pageblock_nr_pages * MIGRATE_TYPES ? 1 : 0;
}

/** @ported v5.10 */
function zone_init_free_lists(zone: zone): void {
	for (let order = 0; order < MAX_ORDER; order++) {
		for (let t = 0; t < MIGRATE_TYPES; t++)
			INIT_LIST_HEAD(free_area(zone, order, t));
		nr_free[zone * MAX_ORDER + order] = 0;
	}
}

/** Pages that a pcp list takes or gives at once. @ported v5.10 */
function zone_batchsize(zone: zone): number {
	let batch = Math.floor(zone_managed_pages(zone) / 1024);

	if (batch * 4096 > 1024 * 1024)
		batch = 1024 * 1024 / 4096;
	batch = Math.floor(batch / 4);
	if (batch < 1)
		batch = 1;
	return rounddown_pow_of_two(batch + (batch >> 1)) - 1;
}

/** @ported v5.10 include/linux/log2.h:rounddown_pow_of_two() */
function rounddown_pow_of_two(n: number): number {
	return 1 << (31 - Math.clz32(n));
}

/** @ported v5.10 */
function pageset_update(zone: zone, high: number, batch: number): void {
	pcp_high[zone] = high;
	pcp_batch[zone] = batch;
}

/** @ported v5.10 */
function pageset_set_batch(zone: zone, batch: number): void {
	pageset_update(zone, 6 * batch, Math.max(1, batch));
}

/** @ported v5.10 */
function pageset_init(zone: zone, cpu: number): void {
	for (let migratetype = 0; migratetype < MIGRATE_PCPTYPES; migratetype++)
		INIT_LIST_HEAD(pcp_lists(zone, cpu, migratetype));
	pcp_count[zone * NR_CPUS + cpu] = 0;
}

/** @ported v5.10 */
function pageset_set_high(zone: zone, high: number): void {
	let batch = Math.max(1, Math.floor(high / 4));

	if (Math.floor(high / 4) > 12 * 8)
		batch = 12 * 8;
	pageset_update(zone, high, batch);
}

/** @ported v5.10 */
function pageset_set_high_and_batch(zone: zone): void {
	if (percpu_pagelist_fraction.v)
		pageset_set_high(
			zone, Math.floor(zone_managed_pages(zone) / percpu_pagelist_fraction.v));
	else
		pageset_set_batch(zone, zone_batchsize(zone));
}

/** @ported v5.10 */
export function setup_zone_pageset(zone: zone): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		pageset_init(zone, cpu);
	pageset_set_high_and_batch(zone);
}

/** @ported v5.10 */
export function setup_per_cpu_pageset(): void {
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (populated_zone(zone))
			setup_zone_pageset(zone);
	}
}

/** @ported v5.10 */
function zone_pcp_init(zone: zone): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		pageset_init(zone, cpu);
	pageset_set_batch(zone, 0);
}

/* Memory as a PC's firmware describes it: none at pfn 0, a hole from 636 KiB to 1 MiB. */
const E820_LOW_START = 1, E820_LOW_END = 159, E820_HIGH_START = 256;

/** @custom pages of RAM in a range: __absent_pages_in_range() the other way round */
function present_pages_in_range(start: number, end: number): number {
	const clip = (from: number, to: number) =>
		Math.max(0, Math.min(end, to) - Math.max(start, from));

	return clip(E820_LOW_START, E820_LOW_END) + clip(E820_HIGH_START, Infinity);
}

/* First pfn above each zone; movable and device zones have no memory. */
const arch_zone_highest_possible_pfn = [4096, 1 << 20, Infinity, 0, 0];

/** @reduced no kernelcore= or movablecore=, so ZONE_MOVABLE is empty */
function calculate_node_totalpages(
	pgdat: pglist_data, node_start_pfn: number, node_end_pfn: number,
): void {
	let realtotalpages = 0, totalpages = 0, lowest = E820_LOW_START;

	for (let i = 0; i < MAX_NR_ZONES; i++) {
		const zone = (pgdats.node_zones[pgdat] + i) as zone;
		const highest = arch_zone_highest_possible_pfn[i]!;
		const start = Math.max(lowest, node_start_pfn);
		const end = Math.min(highest, node_end_pfn);
		const size = Math.max(0, end - start);

		zones.zone_start_pfn[zone] = size ? start : 0;
		zones.spanned_pages[zone] = size;
		zones.present_pages[zone] = size ? present_pages_in_range(start, end) : 0;
		if (size && i > pgdats.nr_zones[pgdat] - 1)
			pgdats.nr_zones[pgdat] = i + 1;
		totalpages += size;
		realtotalpages += zones.present_pages[zone];
		lowest = Math.max(lowest, highest);
	}
	pgdats.node_spanned_pages[pgdat] = totalpages;
	pgdats.node_present_pages[pgdat] = realtotalpages;
}

/** Pages that the struct pages of a zone would take: 64 bytes each. @ported v5.10 */
function calc_memmap_size(_spanned_pages: number, present_pages: number): number {
	return Math.ceil(present_pages * 64 / 4096);
}

/** @ported v5.10 */
function zone_init_internals(
	zone: zone, idx: number, nid: number, remaining_pages: number,
): void {
	zones.managed_pages[zone] = remaining_pages;
	zones.zone_idx[zone] = idx;
	zones.zone_pgdat[zone] = NODE_DATA(nid);
	zone_pcp_init(zone);
	zone_init_free_lists(zone);
}

/** @reduced struct pages are not initialised here but in one sweep by memmap_init() */
function free_area_init_core(pgdat: pglist_data): void {
	const nid = pgdats.node_id[pgdat];

	for (let j = 0; j < MAX_NR_ZONES; j++) {
		const zone = (pgdats.node_zones[pgdat] + j) as zone;
		const freesize = zones.present_pages[zone];
		const memmap_pages = calc_memmap_size(zones.spanned_pages[zone], freesize);

		zone_init_internals(zone, j, nid, Math.max(0, freesize - memmap_pages));
	}
}

/** @ported v5.10 */
function free_area_init_node(nid: number, start_pfn: number, end_pfn: number): void {
	const pgdat = NODE_DATA(nid);

	pgdats.node_id[pgdat] = nid;
	pgdats.node_start_pfn[pgdat] = Math.max(E820_LOW_START, start_pfn);
	pgdats.node_zones[pgdat] = (1 + nid * MAX_NR_ZONES) as zone;
	pgdats.node_zonelists[pgdat] = (1 + nid * 2) as zonelist;
	calculate_node_totalpages(pgdat, start_pfn, end_pfn);
	free_area_init_core(pgdat);
}

/** @custom memmap_init_zone() of all zones, a column at a time */
function memmap_init(end_pfn: number): void {
	(_mapcount as unknown as Int32Array).fill(-1, 0, end_pfn);
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		const start = zones.zone_start_pfn[zone];
		const id = zone_to_nid(zone) << 4 | zone_idx(zone);
		(zone_node as unknown as Uint8Array).fill(id, start, zone_end_pfn(zone));
	}
	for (let pfn = 0; pfn < end_pfn; pfn += pageblock_nr_pages)
		pageblock_mt[pfn as page] = MIGRATE_MOVABLE;
}

/**
 * Lay out nodes and zones.
 * @param start_pfns first pfn of each node, and the end of the last
 * @reduced memory is one range a node, given here instead of by memblock
 */
export function free_area_init(start_pfns: readonly number[]): void {
	const nodes = start_pfns.length - 1;

	max_pfn.v = start_pfns[nodes]!;
	for (let nid = 0; nid < nodes; nid++)
		free_area_init_node(nid, start_pfns[nid]!, start_pfns[nid + 1]!);
	memmap_init(max_pfn.v);
}

/**
 * mm/memblock.c:memblock_free_all(): the buddy allocator gets all RAM that is not reserved.
 * @returns pages handed over
 * @ported v5.10
 */
export function memblock_free_all(): number {
	let count = 0;

	for (let zone = first_zone(); zone; zone = next_zone(zone))
		zones.managed_pages[zone] = 0;
	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat)) {
		const end = pgdats.node_start_pfn[pgdat] + pgdats.node_spanned_pages[pgdat];
		const start = Math.max(E820_HIGH_START, pgdats.node_start_pfn[pgdat]);
		count += __free_memory_core(start, end);
	}
	totalram_pages_add(count);
	return count;
}

/** mm/memblock.c:__free_memory_core(), with __free_pages_memory(). @ported v5.10 */
function __free_memory_core(start: number, end: number): number {
	const first = start;

	while (start < end) {
		let order = Math.min(MAX_ORDER - 1, 31 - Math.clz32(start & -start));
		while (start + (1 << order) > end)
			order--;
		memblock_free_pages(start as page, start, order);
		start += 1 << order;
	}
	return Math.max(0, end - first);
}

/** @custom reserve_bootmem_region() of the pages below 1 MiB, which firmware owns */
export function reserve_low_memory(): void {
	for (let pfn = 0; pfn < Math.min(E820_HIGH_START, max_pfn.v); pfn++) {
		flags[pfn as page] = 1 << PG_reserved;
		set_page_count(pfn as page, 1);
	}
}

/** @custom the values that page_alloc.c's variables are defined with */
export function page_alloc_init(): void {
	user_min_free_kbytes.v = -1;
	min_free_kbytes.v = 1024;
	watermark_boost_factor.v = 15000;
	watermark_scale_factor.v = 10;
	sysctl_lowmem_reserve_ratio.fill(0);
	sysctl_lowmem_reserve_ratio[ZONE_DMA] = 256;
	sysctl_lowmem_reserve_ratio[ZONE_DMA32] = 256;
	sysctl_lowmem_reserve_ratio[ZONE_NORMAL] = 32;
}

/** @ported v5.10 */
function calculate_totalreserve_pages(): void {
	let reserve_pages = 0;

	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat)) {
		pgdats.totalreserve_pages[pgdat] = 0;
		for (let i = 0; i < MAX_NR_ZONES; i++) {
			const zone = (pgdats.node_zones[pgdat] + i) as zone;
			let max = 0;

			for (let j = i; j < MAX_NR_ZONES; j++)
				max = Math.max(max, zones.lowmem_reserve[zone * MAX_NR_ZONES + j]!);
			/* kswapd keeps that much free */
			max = Math.min(max + high_wmark_pages(zone), zone_managed_pages(zone));
			pgdats.totalreserve_pages[pgdat] += max;
			reserve_pages += max;
		}
	}
	totalreserve_pages.v = reserve_pages;
}

/** @ported v5.10 */
export function setup_per_zone_lowmem_reserve(): void {
	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat)) {
		for (let i = 0; i < MAX_NR_ZONES - 1; i++) {
			const zone = (pgdats.node_zones[pgdat] + i) as zone;
			const ratio = sysctl_lowmem_reserve_ratio[i]!;
			const clear = !ratio || !zone_managed_pages(zone);
			let managed_pages = 0;

			for (let j = i + 1; j < MAX_NR_ZONES; j++) {
				managed_pages +=
					zone_managed_pages((pgdats.node_zones[pgdat] + j) as zone);
				zones.lowmem_reserve[zone * MAX_NR_ZONES + j] =
					clear ? 0 : Math.floor(managed_pages / ratio);
			}
		}
	}
	calculate_totalreserve_pages();
}

/** @ported v5.10 */
function __setup_per_zone_wmarks(): void {
	const pages_min = min_free_kbytes.v >> (12 - 10);
	let lowmem_pages = 0;

	for (let zone = first_zone(); zone; zone = next_zone(zone))
		lowmem_pages += zone_managed_pages(zone);

	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		const at = zone * NR_WMARK;
		let tmp = Math.floor(pages_min * zone_managed_pages(zone) / lowmem_pages);

		zones._watermark[at + WMARK_MIN] = tmp;
		tmp = Math.max(tmp >> 2,
			mult_frac(zone_managed_pages(zone), watermark_scale_factor.v, 10000));
		zones.watermark_boost[zone] = 0;
		zones._watermark[at + WMARK_LOW] = min_wmark_pages(zone) + tmp;
		zones._watermark[at + WMARK_HIGH] = min_wmark_pages(zone) + tmp * 2;
	}
	calculate_totalreserve_pages();
}

/** Watermarks of all zones from vm.min_free_kbytes and watermark_scale_factor. @ported v5.10 */
export function setup_per_zone_wmarks(): void {
	__setup_per_zone_wmarks();
}

/** @reduced khugepaged, which would want more free memory, never runs; no node_reclaim ratios */
export function init_per_zone_wmark_min(): number {
	const lowmem_kbytes = nr_free_buffer_pages() * (4096 >> 10);
	const new_min_free_kbytes = int_sqrt(lowmem_kbytes * 16);

	if (new_min_free_kbytes > user_min_free_kbytes.v) {
		min_free_kbytes.v = new_min_free_kbytes;
		if (min_free_kbytes.v < 128)
			min_free_kbytes.v = 128;
		if (min_free_kbytes.v > 262144)
			min_free_kbytes.v = 262144;
	}
	setup_per_zone_wmarks();
	refresh_zone_stat_thresholds();
	setup_per_zone_lowmem_reserve();
	return 0;
}

/** A write to vm.min_free_kbytes, in KiB, at least 0. @ported v5.10 */
export function min_free_kbytes_sysctl_handler(value: number): number {
	if (value < 0)
		return -EINVAL;
	min_free_kbytes.v = value;
	user_min_free_kbytes.v = value;
	setup_per_zone_wmarks();
	return 0;
}

/** A write to vm.watermark_scale_factor, 1 to 1000. @ported v5.10 */
export function watermark_scale_factor_sysctl_handler(value: number): number {
	if (value < 1 || value > 1000)
		return -EINVAL;
	watermark_scale_factor.v = value;
	setup_per_zone_wmarks();
	return 0;
}

/** A write to vm.lowmem_reserve_ratio: a value a zone. @ported v5.10 */
export function lowmem_reserve_ratio_sysctl_handler(values: readonly number[]): number {
	for (let i = 0; i < MAX_NR_ZONES && i < values.length; i++)
		sysctl_lowmem_reserve_ratio[i] = values[i]! < 1 ? 0 : values[i]!;
	setup_per_zone_lowmem_reserve();
	return 0;
}

/** A write to vm.percpu_pagelist_fraction: 0, or at least 8. @ported v5.10 */
export function percpu_pagelist_fraction_sysctl_handler(value: number): number {
	if (value < 0 || (value && value < MIN_PERCPU_PAGELIST_FRACTION))
		return -EINVAL;
	if (value === percpu_pagelist_fraction.v)
		return 0;
	percpu_pagelist_fraction.v = value;
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (populated_zone(zone))
			pageset_set_high_and_batch(zone);
	}
	return 0;
}
