// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/vmstat.c, v5.10, with include/linux/vmstat.h and vm_event_item.h
 * Left out: CPU hotplug, vm.numa_stat (always on), the fragmentation index (compaction is not
 *	modelled) and the text of /proc/zoneinfo, pagetypeinfo and buddyinfo.
 * A CPU's thresholds are those of its zone and node, since they never differ between CPUs.
 */
import { carve } from '../lib/arena.ts';
import { fls } from '../lib/bitops.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { EINVAL } from '../lib/errno.ts';
import { global_s32, type out } from '../lib/struct.ts';
import { nr_cpu_ids, set_smp_processor_id, smp_processor_id } from './current.ts';
import { page_pgdat, page_zone } from './mm.ts';
import type { page } from './mm_types.ts';
import { first_online_pgdat, first_zone, high_wmark_pages, low_wmark_pages, MAX_NR_ZONES,
	min_wmark_pages, next_online_pgdat, next_zone, NODE_DATA, NR_CPUS, NR_FREE_PAGES,
	NR_VM_NODE_STAT_ITEMS, NR_VM_NUMA_STAT_ITEMS, NR_VM_ZONE_STAT_ITEMS, numa_node_id, pgdats,
	populated_zone, vmstat_item_in_bytes, ZONE_NORMAL, zone_managed_pages, zone_to_nid, zones,
	type pglist_data, type zone } from './mmzone.ts';
import { drain_zone_pages } from './page_alloc.ts';
import { global_dirty_limits } from './page-writeback.ts';

/* enum vm_event_item */
export const PGPGIN = 0, PGPGOUT = 1, PSWPIN = 2, PSWPOUT = 3, PGALLOC_DMA = 4,
	PGALLOC_DMA32 = 5, PGALLOC_NORMAL = 6, PGALLOC_MOVABLE = 7, ALLOCSTALL_DMA = 8,
	ALLOCSTALL_DMA32 = 9, ALLOCSTALL_NORMAL = 10, ALLOCSTALL_MOVABLE = 11,
	PGSCAN_SKIP_DMA = 12, PGSCAN_SKIP_DMA32 = 13, PGSCAN_SKIP_NORMAL = 14,
	PGSCAN_SKIP_MOVABLE = 15, PGFREE = 16, PGACTIVATE = 17, PGDEACTIVATE = 18,
	PGLAZYFREE = 19, PGFAULT = 20, PGMAJFAULT = 21, PGLAZYFREED = 22, PGREFILL = 23,
	PGREUSE = 24, PGSTEAL_KSWAPD = 25, PGSTEAL_DIRECT = 26, PGSCAN_KSWAPD = 27,
	PGSCAN_DIRECT = 28, PGSCAN_DIRECT_THROTTLE = 29, PGSCAN_ANON = 30, PGSCAN_FILE = 31,
	PGSTEAL_ANON = 32, PGSTEAL_FILE = 33, PGSCAN_ZONE_RECLAIM_FAILED = 34,
	PGINODESTEAL = 35, SLABS_SCANNED = 36, KSWAPD_INODESTEAL = 37,
	KSWAPD_LOW_WMARK_HIT_QUICKLY = 38, KSWAPD_HIGH_WMARK_HIT_QUICKLY = 39, PAGEOUTRUN = 40,
	PGROTATED = 41, DROP_PAGECACHE = 42, DROP_SLAB = 43, OOM_KILL = 44,
	NUMA_PTE_UPDATES = 45, NUMA_HUGE_PTE_UPDATES = 46, NUMA_HINT_FAULTS = 47,
	NUMA_HINT_FAULTS_LOCAL = 48, NUMA_PAGE_MIGRATE = 49, PGMIGRATE_SUCCESS = 50,
	PGMIGRATE_FAIL = 51, THP_MIGRATION_SUCCESS = 52, THP_MIGRATION_FAIL = 53,
	THP_MIGRATION_SPLIT = 54, COMPACTMIGRATE_SCANNED = 55, COMPACTFREE_SCANNED = 56,
	COMPACTISOLATED = 57, COMPACTSTALL = 58, COMPACTFAIL = 59, COMPACTSUCCESS = 60,
	KCOMPACTD_WAKE = 61, KCOMPACTD_MIGRATE_SCANNED = 62, KCOMPACTD_FREE_SCANNED = 63,
	HTLB_BUDDY_PGALLOC = 64, HTLB_BUDDY_PGALLOC_FAIL = 65, UNEVICTABLE_PGCULLED = 66,
	UNEVICTABLE_PGSCANNED = 67, UNEVICTABLE_PGRESCUED = 68, UNEVICTABLE_PGMLOCKED = 69,
	UNEVICTABLE_PGMUNLOCKED = 70, UNEVICTABLE_PGCLEARED = 71, UNEVICTABLE_PGSTRANDED = 72,
	THP_FAULT_ALLOC = 73, THP_FAULT_FALLBACK = 74, THP_FAULT_FALLBACK_CHARGE = 75,
	THP_COLLAPSE_ALLOC = 76, THP_COLLAPSE_ALLOC_FAILED = 77, THP_FILE_ALLOC = 78,
	THP_FILE_FALLBACK = 79, THP_FILE_FALLBACK_CHARGE = 80, THP_FILE_MAPPED = 81,
	THP_SPLIT_PAGE = 82, THP_SPLIT_PAGE_FAILED = 83, THP_DEFERRED_SPLIT_PAGE = 84,
	THP_SPLIT_PMD = 85, THP_SPLIT_PUD = 86, THP_ZERO_PAGE_ALLOC = 87,
	THP_ZERO_PAGE_ALLOC_FAILED = 88, THP_SWPOUT = 89, THP_SWPOUT_FALLBACK = 90,
	BALLOON_INFLATE = 91, BALLOON_DEFLATE = 92, BALLOON_MIGRATE = 93, SWAP_RA = 94,
	SWAP_RA_HIT = 95, NR_VM_EVENT_ITEMS = 96;
/* enum writeback_stat_item */
export const NR_DIRTY_THRESHOLD = 0, NR_DIRTY_BG_THRESHOLD = 1, NR_VM_WRITEBACK_STAT_ITEMS = 2;

const NUMA_STATS_THRESHOLD = 0xffff - 2;

/** vm_event_states of each CPU: [cpu * NR_VM_EVENT_ITEMS + item]. */
const vm_event_states = carve('vm_event_states', Float64Array, NR_CPUS * NR_VM_EVENT_ITEMS,
	() => nr_cpu_ids.v * NR_VM_EVENT_ITEMS, NR_VM_EVENT_ITEMS);
const vm_zone_stat = carve('vm_zone_stat', Float64Array, NR_VM_ZONE_STAT_ITEMS,
	() => NR_VM_ZONE_STAT_ITEMS);
const vm_numa_stat = carve('vm_numa_stat', Float64Array, NR_VM_NUMA_STAT_ITEMS,
	() => NR_VM_NUMA_STAT_ITEMS);
const vm_node_stat = carve('vm_node_stat', Float64Array, NR_VM_NODE_STAT_ITEMS,
	() => NR_VM_NODE_STAT_ITEMS);
/** vmstat_work of each CPU: 1 while it is queued. */
const vmstat_work = carve('vmstat_work', Uint8Array, NR_CPUS, () => NR_CPUS);
/** 1 once SYSTEM_RUNNING: before, quiet_vmstat() leaves the counters alone. */
const vmstat_running = global_s32('vmstat_running');

const { vm_stat: zone_vm_stat, vm_stat_diff, stat_threshold: zone_threshold,
	vm_numa_stat: zone_vm_numa_stat, vm_numa_stat_diff } = zones;
const { vm_stat: node_vm_stat, vm_node_stat_diff, stat_threshold: node_threshold } = pgdats;

/* include/linux/vmstat.h */

/** @ported v5.10 */
export function __count_vm_event(item: number): void {
	vm_event_states[smp_processor_id() * NR_VM_EVENT_ITEMS + item]!++;
}

/** @ported v5.10 */
export function count_vm_event(item: number): void {
	vm_event_states[smp_processor_id() * NR_VM_EVENT_ITEMS + item]!++;
}

/** @ported v5.10 */
export function __count_vm_events(item: number, delta: number): void {
	vm_event_states[smp_processor_id() * NR_VM_EVENT_ITEMS + item]! += delta;
}

/** @ported v5.10 */
export function count_vm_events(item: number, delta: number): void {
	vm_event_states[smp_processor_id() * NR_VM_EVENT_ITEMS + item]! += delta;
}

/**
 * Count an event that has an item for each zone.
 * @param item_normal the item of ZONE_NORMAL, such as PGALLOC_NORMAL
 * @param zid ZONE_*
 * @ported v5.10
 */
export function __count_zid_vm_events(item_normal: number, zid: number, delta: number): void {
	__count_vm_events(item_normal - ZONE_NORMAL + zid, delta);
}

/** @ported v5.10 */
export function zone_numa_state_add(x: number, zone: zone, item: number): void {
	zone_vm_numa_stat[zone * NR_VM_NUMA_STAT_ITEMS + item]! += x;
	vm_numa_stat[item]! += x;
}

/** @ported v5.10 */
export function global_numa_state(item: number): number {
	return vm_numa_stat[item]!;
}

/** @ported v5.10 */
export function zone_numa_state_snapshot(zone: zone, item: number): number {
	let x = zone_vm_numa_stat[zone * NR_VM_NUMA_STAT_ITEMS + item]!;

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		x += vm_numa_stat_diff[numa_diff(zone, cpu, item)]!;
	return x;
}

/** @ported v5.10 */
export function zone_page_state_add(x: number, zone: zone, item: number): void {
	zone_vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + item]! += x;
	vm_zone_stat[item]! += x;
}

/** @ported v5.10 */
export function node_page_state_add(x: number, pgdat: pglist_data, item: number): void {
	node_vm_stat[pgdat * NR_VM_NODE_STAT_ITEMS + item]! += x;
	vm_node_stat[item]! += x;
}

/** A counter of all zones, without what CPUs have not folded yet; in pages. @ported v5.10 */
export function global_zone_page_state(item: number): number {
	const x = vm_zone_stat[item]!;

	return x < 0 ? 0 : x;
}

/** @ported v5.10 */
export function global_node_page_state_pages(item: number): number {
	const x = vm_node_stat[item]!;

	return x < 0 ? 0 : x;
}

/** A counter of all nodes, without what CPUs have not folded yet; in pages. @ported v5.10 */
export function global_node_page_state(item: number): number {
	VM_BUG_ON(vmstat_item_in_bytes(item), 'a counter of bytes is read as one of pages');
	return global_node_page_state_pages(item);
}

/** @ported v5.10 */
export function zone_page_state(zone: zone, item: number): number {
	const x = zone_vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + item]!;

	return x < 0 ? 0 : x;
}

/** zone_page_state() with what CPUs have not folded yet. @ported v5.10 */
export function zone_page_state_snapshot(zone: zone, item: number): number {
	let x = zone_vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + item]!;

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		x += vm_stat_diff[zone_diff(zone, cpu, item)]!;
	return x < 0 ? 0 : x;
}

/** @reduced CMA is not configured */
export function __mod_zone_freepage_state(
	zone: zone, nr_pages: number, _migratetype: number,
): void {
	__mod_zone_page_state(zone, NR_FREE_PAGES, nr_pages);
}

/** @custom index of a per-CPU difference: &per_cpu_ptr(zone->pageset, cpu)->vm_stat_diff[item] */
function zone_diff(zone: zone, cpu: number, item: number): number {
	return (zone * NR_CPUS + cpu) * NR_VM_ZONE_STAT_ITEMS + item;
}

/** @custom index of a per-CPU difference of the NUMA counters of a zone */
function numa_diff(zone: zone, cpu: number, item: number): number {
	return (zone * NR_CPUS + cpu) * NR_VM_NUMA_STAT_ITEMS + item;
}

/** @custom index of a per-CPU difference: pgdat->per_cpu_nodestats */
function node_diff(pgdat: pglist_data, cpu: number, item: number): number {
	return (pgdat * NR_CPUS + cpu) * NR_VM_NODE_STAT_ITEMS + item;
}

/* mm/vmstat.c */

/** @ported v5.10 */
function sum_vm_events(ret: Float64Array): void {
	ret.fill(0, 0, NR_VM_EVENT_ITEMS);
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		for (let i = 0; i < NR_VM_EVENT_ITEMS; i++)
			ret[i]! += vm_event_states[cpu * NR_VM_EVENT_ITEMS + i]!;
	}
}

/** Sum the events of all CPUs into `ret`, NR_VM_EVENT_ITEMS long. @ported v5.10 */
export function all_vm_events(ret: Float64Array): void {
	sum_vm_events(ret);
}

/** @custom one item of all_vm_events(): where only one is asked for, as tests do */
export function vm_event(item: number): number {
	let sum = 0;

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		sum += vm_event_states[cpu * NR_VM_EVENT_ITEMS + item]!;
	return sum;
}

/** @ported v5.10 */
export function calculate_pressure_threshold(zone: zone): number {
	const watermark_distance = low_wmark_pages(zone) - min_wmark_pages(zone);
	const threshold = Math.max(1, Math.trunc(watermark_distance / nr_cpu_ids.v));

	return Math.min(125, threshold);
}

/**
 * How far a CPU's difference may grow before it is folded: by CPUs and by memory in units of
 * 128 MiB. @ported v5.10
 */
export function calculate_normal_threshold(zone: zone): number {
	const mem = zone_managed_pages(zone) >> (27 - 12);
	const threshold = 2 * fls(nr_cpu_ids.v) * (1 + fls(mem));

	return Math.min(125, threshold);
}

/** @ported v5.10 */
export function refresh_zone_stat_thresholds(): void {
	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat))
		node_threshold[pgdat] = 0;

	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (!populated_zone(zone))
			continue;
		const pgdat = zones.zone_pgdat[zone];
		const threshold = calculate_normal_threshold(zone);

		zone_threshold[zone] = threshold;
		node_threshold[pgdat] = Math.max(threshold, node_threshold[pgdat]);

		/* Only where the drift could hide that the min watermark is crossed. */
		const tolerate_drift = low_wmark_pages(zone) - min_wmark_pages(zone);
		const max_drift = nr_cpu_ids.v * threshold;
		if (max_drift > tolerate_drift)
			zones.percpu_drift_mark[zone] = high_wmark_pages(zone) + max_drift;
	}
}

/** @ported v5.10 */
export function set_pgdat_percpu_threshold(
	pgdat: pglist_data, calculate_pressure: (zone: zone) => number,
): void {
	for (let i = 0; i < pgdats.nr_zones[pgdat]; i++) {
		const zone = (pgdats.node_zones[pgdat] + i) as zone;
		if (!zones.percpu_drift_mark[zone])
			continue;
		zone_threshold[zone] = calculate_pressure(zone);
	}
}

/** @ported v5.10 */
export function __mod_zone_page_state(zone: zone, item: number, delta: number): void {
	const p = (zone * NR_CPUS + smp_processor_id()) * NR_VM_ZONE_STAT_ITEMS + item;
	const t = zone_threshold[zone];
	let x = delta + vm_stat_diff[p]!;

	if (x > t || x < -t) {
		zone_page_state_add(x, zone, item);
		x = 0;
	}
	vm_stat_diff[p] = x;
}

/** @ported v5.10 */
export function __mod_node_page_state(pgdat: pglist_data, item: number, delta: number): void {
	const p = (pgdat * NR_CPUS + smp_processor_id()) * NR_VM_NODE_STAT_ITEMS + item;
	const t = node_threshold[pgdat];

	if (vmstat_item_in_bytes(item))
		delta = bytes_to_pages(delta);
	let x = delta + vm_node_stat_diff[p]!;

	if (x > t || x < -t) {
		node_page_state_add(x, pgdat, item);
		x = 0;
	}
	vm_node_stat_diff[p] = x;
}

/** @custom what both __mod_node_page_state() and mod_node_state() do to items in bytes */
function bytes_to_pages(delta: number): number {
	VM_BUG_ON((delta & 4095) !== 0, 'a counter of bytes changes by part of a page');
	return delta / 4096;
}

/** @ported v5.10 */
export function __inc_zone_state(zone: zone, item: number): void {
	const p = (zone * NR_CPUS + smp_processor_id()) * NR_VM_ZONE_STAT_ITEMS + item;
	const t = zone_threshold[zone];
	const v = vm_stat_diff[p]! + 1;

	vm_stat_diff[p] = v;
	if (v > t) {
		const overstep = t >> 1;

		zone_page_state_add(v + overstep, zone, item);
		vm_stat_diff[p] = -overstep;
	}
}

/** @ported v5.10 */
export function __inc_node_state(pgdat: pglist_data, item: number): void {
	const p = (pgdat * NR_CPUS + smp_processor_id()) * NR_VM_NODE_STAT_ITEMS + item;
	const t = node_threshold[pgdat];
	const v = vm_node_stat_diff[p]! + 1;

	VM_BUG_ON(vmstat_item_in_bytes(item), 'a counter of bytes changes by one');
	vm_node_stat_diff[p] = v;
	if (v > t) {
		const overstep = t >> 1;

		node_page_state_add(v + overstep, pgdat, item);
		vm_node_stat_diff[p] = -overstep;
	}
}

/** @ported v5.10 */
export function __inc_zone_page_state(page: page, item: number): void {
	__inc_zone_state(page_zone(page), item);
}

/** @ported v5.10 */
export function __inc_node_page_state(page: page, item: number): void {
	__inc_node_state(page_pgdat(page), item);
}

/** @ported v5.10 */
export function __dec_zone_state(zone: zone, item: number): void {
	const p = (zone * NR_CPUS + smp_processor_id()) * NR_VM_ZONE_STAT_ITEMS + item;
	const t = zone_threshold[zone];
	const v = vm_stat_diff[p]! - 1;

	vm_stat_diff[p] = v;
	if (v < -t) {
		const overstep = t >> 1;

		zone_page_state_add(v - overstep, zone, item);
		vm_stat_diff[p] = overstep;
	}
}

/** @ported v5.10 */
export function __dec_node_state(pgdat: pglist_data, item: number): void {
	const p = (pgdat * NR_CPUS + smp_processor_id()) * NR_VM_NODE_STAT_ITEMS + item;
	const t = node_threshold[pgdat];
	const v = vm_node_stat_diff[p]! - 1;

	VM_BUG_ON(vmstat_item_in_bytes(item), 'a counter of bytes changes by one');
	vm_node_stat_diff[p] = v;
	if (v < -t) {
		const overstep = t >> 1;

		node_page_state_add(v - overstep, pgdat, item);
		vm_node_stat_diff[p] = overstep;
	}
}

/** @ported v5.10 */
export function __dec_zone_page_state(page: page, item: number): void {
	__dec_zone_state(page_zone(page), item);
}

/** @ported v5.10 */
export function __dec_node_page_state(page: page, item: number): void {
	__dec_node_state(page_pgdat(page), item);
}

/** @ported v5.10 */
function mod_zone_state(zone: zone, item: number, delta: number, overstep_mode: number): void {
	const p = (zone * NR_CPUS + smp_processor_id()) * NR_VM_ZONE_STAT_ITEMS + item;
	const t = zone_threshold[zone];
	let n = delta + vm_stat_diff[p]!;
	let z = 0;

	if (n > t || n < -t) {
		const os = overstep_mode * (t >> 1);

		z = n + os;
		n = -os;
	}
	vm_stat_diff[p] = n;
	if (z)
		zone_page_state_add(z, zone, item);
}

/** @ported v5.10 */
export function mod_zone_page_state(zone: zone, item: number, delta: number): void {
	mod_zone_state(zone, item, delta, 0);
}

/** @ported v5.10 */
export function inc_zone_page_state(page: page, item: number): void {
	mod_zone_state(page_zone(page), item, 1, 1);
}

/** @ported v5.10 */
export function dec_zone_page_state(page: page, item: number): void {
	mod_zone_state(page_zone(page), item, -1, -1);
}

/** @ported v5.10 */
function mod_node_state(
	pgdat: pglist_data, item: number, delta: number, overstep_mode: number,
): void {
	const p = (pgdat * NR_CPUS + smp_processor_id()) * NR_VM_NODE_STAT_ITEMS + item;
	const t = node_threshold[pgdat];

	if (vmstat_item_in_bytes(item))
		delta = bytes_to_pages(delta);
	let n = delta + vm_node_stat_diff[p]!;
	let z = 0;

	if (n > t || n < -t) {
		const os = overstep_mode * (t >> 1);

		z = n + os;
		n = -os;
	}
	vm_node_stat_diff[p] = n;
	if (z)
		node_page_state_add(z, pgdat, item);
}

/** @ported v5.10 */
export function mod_node_page_state(pgdat: pglist_data, item: number, delta: number): void {
	mod_node_state(pgdat, item, delta, 0);
}

/** @ported v5.10 */
export function inc_node_state(pgdat: pglist_data, item: number): void {
	mod_node_state(pgdat, item, 1, 1);
}

/** @ported v5.10 */
export function inc_node_page_state(page: page, item: number): void {
	mod_node_state(page_pgdat(page), item, 1, 1);
}

/** @ported v5.10 */
export function dec_node_page_state(page: page, item: number): void {
	mod_node_state(page_pgdat(page), item, -1, -1);
}

/** Add what one CPU had not folded to the global counters; counters changed. @ported v5.10 */
function fold_diff(zone_diff: Int32Array, numa_diff: Int32Array, node_diff: Int32Array): number {
	let changes = 0;

	for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++) {
		if (zone_diff[i]) {
			vm_zone_stat[i]! += zone_diff[i]!;
			changes++;
		}
	}
	for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++) {
		if (numa_diff[i]) {
			vm_numa_stat[i]! += numa_diff[i]!;
			changes++;
		}
	}
	for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++) {
		if (node_diff[i]) {
			vm_node_stat[i]! += node_diff[i]!;
			changes++;
		}
	}
	return changes;
}

/** @ported v5.10 */
function refresh_cpu_vm_stats(do_pagesets: boolean): number {
	const cpu = smp_processor_id();
	const global_zone_diff = new Int32Array(NR_VM_ZONE_STAT_ITEMS);
	const global_numa_diff = new Int32Array(NR_VM_NUMA_STAT_ITEMS);
	const global_node_diff = new Int32Array(NR_VM_NODE_STAT_ITEMS);
	let changes = 0;

	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (!populated_zone(zone))
			continue;
		const p = zone * NR_CPUS + cpu;

		for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++) {
			const v = vm_stat_diff[zone_diff(zone, cpu, i)]!;
			if (v) {
				vm_stat_diff[zone_diff(zone, cpu, i)] = 0;
				zone_vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + i]! += v;
				global_zone_diff[i]! += v;
				zones.expire[p] = 3;
			}
		}
		for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++) {
			const v = vm_numa_stat_diff[numa_diff(zone, cpu, i)]!;
			if (v) {
				vm_numa_stat_diff[numa_diff(zone, cpu, i)] = 0;
				zone_vm_numa_stat[zone * NR_VM_NUMA_STAT_ITEMS + i]! += v;
				global_numa_diff[i]! += v;
				zones.expire[p] = 3;
			}
		}
		if (!do_pagesets)
			continue;
		/* Pages of another node that this CPU has kept unused for three seconds go back. */
		if (!zones.expire[p] || !zones.pcp_count[p])
			continue;
		if (zone_to_nid(zone) === numa_node_id()) {
			zones.expire[p] = 0;
			continue;
		}
		if (--zones.expire[p]!)
			continue;
		drain_zone_pages(zone, cpu);
		changes++;
	}

	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat)) {
		for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++) {
			const v = vm_node_stat_diff[node_diff(pgdat, cpu, i)]!;
			if (v) {
				vm_node_stat_diff[node_diff(pgdat, cpu, i)] = 0;
				node_vm_stat[pgdat * NR_VM_NODE_STAT_ITEMS + i]! += v;
				global_node_diff[i]! += v;
			}
		}
	}

	changes += fold_diff(global_zone_diff, global_numa_diff, global_node_diff);
	return changes;
}

/** @ported v5.10 */
export function __inc_numa_state(zone: zone, item: number): void {
	const p = (zone * NR_CPUS + smp_processor_id()) * NR_VM_NUMA_STAT_ITEMS + item;
	const v = vm_numa_stat_diff[p]! + 1;

	vm_numa_stat_diff[p] = v;
	if (v > NUMA_STATS_THRESHOLD) {
		zone_numa_state_add(v, zone, item);
		vm_numa_stat_diff[p] = 0;
	}
}

/** @ported v5.10 */
export function sum_zone_node_page_state(node: number, item: number): number {
	const first = pgdats.node_zones[NODE_DATA(node)];
	let count = 0;

	for (let i = 0; i < MAX_NR_ZONES; i++)
		count += zone_page_state((first + i) as zone, item);
	return count;
}

/** @ported v5.10 */
export function sum_zone_numa_state(node: number, item: number): number {
	const first = pgdats.node_zones[NODE_DATA(node)];
	let count = 0;

	for (let i = 0; i < MAX_NR_ZONES; i++)
		count += zone_numa_state_snapshot((first + i) as zone, item);
	return count;
}

/** @ported v5.10 */
export function node_page_state_pages(pgdat: pglist_data, item: number): number {
	const x = node_vm_stat[pgdat * NR_VM_NODE_STAT_ITEMS + item]!;

	return x < 0 ? 0 : x;
}

/** @ported v5.10 */
export function node_page_state(pgdat: pglist_data, item: number): number {
	VM_BUG_ON(vmstat_item_in_bytes(item), 'a counter of bytes is read as one of pages');
	return node_page_state_pages(pgdat, item);
}

/** Names of the lines of /proc/vmstat, in order. */
export const vmstat_text = [
	/* enum zone_stat_item */
	'nr_free_pages', 'nr_zone_inactive_anon', 'nr_zone_active_anon',
	'nr_zone_inactive_file', 'nr_zone_active_file', 'nr_zone_unevictable',
	'nr_zone_write_pending', 'nr_mlock', 'nr_page_table_pages', 'nr_bounce', 'nr_zspages',
	'nr_free_cma',
	/* enum numa_stat_item */
	'numa_hit', 'numa_miss', 'numa_foreign', 'numa_interleave', 'numa_local', 'numa_other',
	/* enum node_stat_item */
	'nr_inactive_anon', 'nr_active_anon', 'nr_inactive_file', 'nr_active_file',
	'nr_unevictable', 'nr_slab_reclaimable', 'nr_slab_unreclaimable', 'nr_isolated_anon',
	'nr_isolated_file', 'workingset_nodes', 'workingset_refault_anon',
	'workingset_refault_file', 'workingset_activate_anon', 'workingset_activate_file',
	'workingset_restore_anon', 'workingset_restore_file', 'workingset_nodereclaim',
	'nr_anon_pages', 'nr_mapped', 'nr_file_pages', 'nr_dirty', 'nr_writeback',
	'nr_writeback_temp', 'nr_shmem', 'nr_shmem_hugepages', 'nr_shmem_pmdmapped',
	'nr_file_hugepages', 'nr_file_pmdmapped', 'nr_anon_transparent_hugepages',
	'nr_vmscan_write', 'nr_vmscan_immediate_reclaim', 'nr_dirtied', 'nr_written',
	'nr_kernel_misc_reclaimable', 'nr_foll_pin_acquired', 'nr_foll_pin_released',
	'nr_kernel_stack',
	/* enum writeback_stat_item */
	'nr_dirty_threshold', 'nr_dirty_background_threshold',
	/* enum vm_event_item */
	'pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgalloc_dma', 'pgalloc_dma32',
	'pgalloc_normal', 'pgalloc_movable', 'allocstall_dma', 'allocstall_dma32',
	'allocstall_normal', 'allocstall_movable', 'pgskip_dma', 'pgskip_dma32',
	'pgskip_normal', 'pgskip_movable', 'pgfree', 'pgactivate', 'pgdeactivate', 'pglazyfree',
	'pgfault', 'pgmajfault', 'pglazyfreed', 'pgrefill', 'pgreuse', 'pgsteal_kswapd',
	'pgsteal_direct', 'pgscan_kswapd', 'pgscan_direct', 'pgscan_direct_throttle',
	'pgscan_anon', 'pgscan_file', 'pgsteal_anon', 'pgsteal_file', 'zone_reclaim_failed',
	'pginodesteal', 'slabs_scanned', 'kswapd_inodesteal', 'kswapd_low_wmark_hit_quickly',
	'kswapd_high_wmark_hit_quickly', 'pageoutrun', 'pgrotated', 'drop_pagecache',
	'drop_slab', 'oom_kill', 'numa_pte_updates', 'numa_huge_pte_updates',
	'numa_hint_faults', 'numa_hint_faults_local', 'numa_pages_migrated',
	'pgmigrate_success', 'pgmigrate_fail', 'thp_migration_success', 'thp_migration_fail',
	'thp_migration_split', 'compact_migrate_scanned', 'compact_free_scanned',
	'compact_isolated', 'compact_stall', 'compact_fail', 'compact_success',
	'compact_daemon_wake', 'compact_daemon_migrate_scanned', 'compact_daemon_free_scanned',
	'htlb_buddy_alloc_success', 'htlb_buddy_alloc_fail', 'unevictable_pgs_culled',
	'unevictable_pgs_scanned', 'unevictable_pgs_rescued', 'unevictable_pgs_mlocked',
	'unevictable_pgs_munlocked', 'unevictable_pgs_cleared', 'unevictable_pgs_stranded',
	'thp_fault_alloc', 'thp_fault_fallback', 'thp_fault_fallback_charge',
	'thp_collapse_alloc', 'thp_collapse_alloc_failed', 'thp_file_alloc',
	'thp_file_fallback', 'thp_file_fallback_charge', 'thp_file_mapped', 'thp_split_page',
	'thp_split_page_failed', 'thp_deferred_split_page', 'thp_split_pmd', 'thp_split_pud',
	'thp_zero_page_alloc', 'thp_zero_page_alloc_failed', 'thp_swpout',
	'thp_swpout_fallback', 'balloon_inflate', 'balloon_deflate', 'balloon_migrate',
	'swap_ra', 'swap_ra_hit',
] as const;

export const NR_VMSTAT_ITEMS = NR_VM_ZONE_STAT_ITEMS + NR_VM_NUMA_STAT_ITEMS +
	NR_VM_NODE_STAT_ITEMS + NR_VM_WRITEBACK_STAT_ITEMS + NR_VM_EVENT_ITEMS;

/** @ported v5.10 */
export function zone_stat_name(item: number): string {
	return vmstat_text[item]!;
}

/** @ported v5.10 */
export function numa_stat_name(item: number): string {
	return vmstat_text[NR_VM_ZONE_STAT_ITEMS + item]!;
}

/** @ported v5.10 */
export function node_stat_name(item: number): string {
	return vmstat_text[NR_VM_ZONE_STAT_ITEMS + NR_VM_NUMA_STAT_ITEMS + item]!;
}

/** @ported v5.10 */
export function vm_event_name(item: number): string {
	return vmstat_text[NR_VMSTAT_ITEMS - NR_VM_EVENT_ITEMS + item]!;
}

/**
 * The values of /proc/vmstat, in the order of vmstat_text: pages, events; PGPGIN and PGPGOUT in
 * KiB. The file ends with a line for `nr_unstable`, always 0.
 * @param v NR_VMSTAT_ITEMS values are stored here
 * @ported v5.10
 */
export function vmstat_start(v: Float64Array): void {
	const pbackground: out<number> = { v: 0 }, pdirty: out<number> = { v: 0 };
	let at = 0;

	for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
		v[at++] = global_zone_page_state(i);
	for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++)
		v[at++] = global_numa_state(i);
	for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
		v[at++] = global_node_page_state_pages(i);

	global_dirty_limits(pbackground, pdirty);
	v[at + NR_DIRTY_THRESHOLD] = pdirty.v;
	v[at + NR_DIRTY_BG_THRESHOLD] = pbackground.v;
	at += NR_VM_WRITEBACK_STAT_ITEMS;

	all_vm_events(v.subarray(at));
	v[at + PGPGIN] = Math.floor(v[at + PGPGIN]! / 2);
	v[at + PGPGOUT] = Math.floor(v[at + PGPGOUT]! / 2);
}

/** @custom run `work` as if on each CPU in turn: schedule_on_each_cpu() */
function on_each_cpu(work: (cpu: number) => void): void {
	const here = smp_processor_id();

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		set_smp_processor_id(cpu);
		work(cpu);
	}
	set_smp_processor_id(here);
}

/** @ported v5.10 */
function refresh_vm_stats(): void {
	refresh_cpu_vm_stats(true);
}

/**
 * A write to /proc/sys/vm/stat_refresh: fold the counters of all CPUs.
 * @returns 0, or -EINVAL where a counter is below 0, which is a defect
 * @ported v5.10
 */
export function vmstat_refresh(): number {
	on_each_cpu(refresh_vm_stats);
	for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++) {
		if (vm_zone_stat[i]! < 0)
			return -EINVAL;
	}
	for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++) {
		if (vm_numa_stat[i]! < 0)
			return -EINVAL;
	}
	return 0;
}

/** @ported v5.10 */
function vmstat_update(): void {
	vmstat_work[smp_processor_id()] = refresh_cpu_vm_stats(true) ? 1 : 0;
}

/** @ported v5.10 */
function need_update(cpu: number): boolean {
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		if (!populated_zone(zone))
			continue;
		for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++) {
			if (vm_stat_diff[zone_diff(zone, cpu, i)])
				return true;
		}
		for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++) {
			if (vm_numa_stat_diff[numa_diff(zone, cpu, i)])
				return true;
		}
	}
	return false;
}

/** The CPU goes idle with its tick stopped: fold its counters. @ported v5.10 */
export function quiet_vmstat(): void {
	if (!vmstat_running.v)
		return;
	if (!vmstat_work[smp_processor_id()])
		return;
	if (!need_update(smp_processor_id()))
		return;
	refresh_cpu_vm_stats(false);
}

/**
 * One sysctl_stat_interval, a second, has passed: first the CPUs whose work was queued run it, then
 * the shepherd finds others with something to fold, whose work runs at once.
 * @reduced all CPUs' timers are taken to expire together, as round_jiffies_relative() makes them
 */
export function vmstat_shepherd(): void {
	on_each_cpu((cpu) => {
		if (vmstat_work[cpu])
			vmstat_update();
	});
	on_each_cpu((cpu) => {
		if (!vmstat_work[cpu] && need_update(cpu))
			vmstat_update();
	});
}

/** @reduced no CPU comes or goes, and /proc is the sim's; see start_shepherd_timer() */
export function init_mm_internals(): void {
	vmstat_running.v = 1;
}
