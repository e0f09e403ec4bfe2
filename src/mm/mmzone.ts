// SPDX-License-Identifier: GPL-2.0-only
/* include/linux/mmzone.h, vm_event_item.h: nodes, zones, LRU vectors and their counters. */
import { carve } from '../lib/arena.ts';
import { array, f64, global_s32, lists, s32, struct, to, u8, type ptr }
	from '../lib/struct.ts';
import { smp_processor_id } from './current.ts';
import type { page, task_struct } from './mm_types.ts';

export type zone = ptr<'zone'>;
/** A pglist_data pointer is its node number + 1. */
export type pglist_data = ptr<'pglist_data'>;
export type lruvec = ptr<'lruvec'>;
/** A zonelist is a row of `zonelists`, a zoneref an index of its _zonerefs column. */
export type zonelist = ptr<'zonelist'>;
export type zoneref = number;
/** A set of nodes, bit n for node n; 0 is NULL: all nodes. */
export type nodemask_t = number;

export const MAX_NUMNODES = 8;
/** Rows of per-CPU state; a machine has up to this many CPUs. */
export const NR_CPUS = 32;

export const ZONE_DMA = 0, ZONE_DMA32 = 1, ZONE_NORMAL = 2, ZONE_MOVABLE = 3, ZONE_DEVICE = 4,
	MAX_NR_ZONES = 5;
export const zone_names = ['DMA', 'DMA32', 'Normal', 'Movable', 'Device'] as const;
export const MAX_ORDER = 11, MAX_ORDER_NR_PAGES = 1024;
export const MIGRATE_UNMOVABLE = 0, MIGRATE_MOVABLE = 1, MIGRATE_RECLAIMABLE = 2,
	MIGRATE_PCPTYPES = 3, MIGRATE_HIGHATOMIC = 3, MIGRATE_TYPES = 4;
/** Pages of a pageblock. */
export const pageblock_nr_pages = 512;

export const LRU_INACTIVE_ANON = 0, LRU_ACTIVE_ANON = 1, LRU_INACTIVE_FILE = 2,
	LRU_ACTIVE_FILE = 3, LRU_UNEVICTABLE = 4, NR_LRU_LISTS = 5;
export const LRU_BASE = 0, LRU_ACTIVE = 1, LRU_FILE = 2;
export const lru_names = [
	'inactive_anon', 'active_anon', 'inactive_file', 'active_file', 'unevictable',
] as const;

/* enum zone_stat_item */
export const NR_FREE_PAGES = 0, NR_ZONE_LRU_BASE = 1, NR_ZONE_INACTIVE_ANON = 1,
	NR_ZONE_ACTIVE_ANON = 2, NR_ZONE_INACTIVE_FILE = 3, NR_ZONE_ACTIVE_FILE = 4,
	NR_ZONE_UNEVICTABLE = 5, NR_ZONE_WRITE_PENDING = 6, NR_MLOCK = 7, NR_PAGETABLE = 8,
	NR_BOUNCE = 9, NR_ZSPAGES = 10, NR_FREE_CMA_PAGES = 11, NR_VM_ZONE_STAT_ITEMS = 12;
/* enum numa_stat_item */
export const NUMA_HIT = 0, NUMA_MISS = 1, NUMA_FOREIGN = 2, NUMA_INTERLEAVE_HIT = 3,
	NUMA_LOCAL = 4, NUMA_OTHER = 5, NR_VM_NUMA_STAT_ITEMS = 6;
/* enum node_stat_item */
export const NR_LRU_BASE = 0, NR_INACTIVE_ANON = 0, NR_ACTIVE_ANON = 1, NR_INACTIVE_FILE = 2,
	NR_ACTIVE_FILE = 3, NR_UNEVICTABLE = 4, NR_SLAB_RECLAIMABLE_B = 5,
	NR_SLAB_UNRECLAIMABLE_B = 6, NR_ISOLATED_ANON = 7, NR_ISOLATED_FILE = 8,
	WORKINGSET_NODES = 9, WORKINGSET_REFAULT_BASE = 10, WORKINGSET_REFAULT_ANON = 10,
	WORKINGSET_REFAULT_FILE = 11, WORKINGSET_ACTIVATE_BASE = 12, WORKINGSET_ACTIVATE_ANON = 12,
	WORKINGSET_ACTIVATE_FILE = 13, WORKINGSET_RESTORE_BASE = 14, WORKINGSET_RESTORE_ANON = 14,
	WORKINGSET_RESTORE_FILE = 15, WORKINGSET_NODERECLAIM = 16, NR_ANON_MAPPED = 17,
	NR_FILE_MAPPED = 18, NR_FILE_PAGES = 19, NR_FILE_DIRTY = 20, NR_WRITEBACK = 21,
	NR_WRITEBACK_TEMP = 22, NR_SHMEM = 23, NR_SHMEM_THPS = 24, NR_SHMEM_PMDMAPPED = 25,
	NR_FILE_THPS = 26, NR_FILE_PMDMAPPED = 27, NR_ANON_THPS = 28, NR_VMSCAN_WRITE = 29,
	NR_VMSCAN_IMMEDIATE = 30, NR_DIRTIED = 31, NR_WRITTEN = 32,
	NR_KERNEL_MISC_RECLAIMABLE = 33, NR_FOLL_PIN_ACQUIRED = 34, NR_FOLL_PIN_RELEASED = 35,
	NR_KERNEL_STACK_KB = 36, NR_VM_NODE_STAT_ITEMS = 37;

/* lruvec->flags, pgdat->flags, zone->flags (bit numbers) */
export const LRUVEC_CONGESTED = 0;
export const PGDAT_DIRTY = 0, PGDAT_WRITEBACK = 1, PGDAT_RECLAIM_LOCKED = 2;
export const ZONE_BOOSTED_WATERMARK = 0;
export const WMARK_MIN = 0, WMARK_LOW = 1, WMARK_HIGH = 2, NR_WMARK = 3;
export const DEF_PRIORITY = 12;

/** Row of a memcg's lruvec is the row of its mem_cgroup_per_node. */
export const LRUVECS = 8192;
export const lruvecs = struct<lruvec>()('lruvec', LRUVECS, {
	/* lru_lock */
	lists: lists(NR_LRU_LISTS),
	/* reclaim cost of each type, see lru_note_cost() */
	anon_cost: f64,
	file_cost: f64,
	nonresident_age: f64,
	refaults: array(f64, 2),
	/* struct zone_reclaim_stat of v5.7, by type: see get_scan_count() */
	recent_rotated: array(f64, 2),
	recent_scanned: array(f64, 2),
	flags: s32,
	pgdat: to<pglist_data>(),
});

export const pgdats = struct<pglist_data>()('pglist_data', MAX_NUMNODES + 1, {
	node_id: s32,
	node_start_pfn: s32,
	node_present_pages: s32,
	node_spanned_pages: s32,
	/* first of the MAX_NR_ZONES rows in `zones` */
	node_zones: to<zone>(),
	/* one more than the index of the highest zone with memory */
	nr_zones: s32,
	/* first of the MAX_ZONELISTS rows in `zonelists` */
	node_zonelists: to<zonelist>(),
	totalreserve_pages: s32,
	flags: s32,
	kswapd: to<task_struct>(),
	kswapd_order: s32,
	kswapd_highest_zoneidx: s32,
	kswapd_failures: s32,
	/* 0 kswapd sleeps, 1 it was woken and has not run since, 2 it runs */
	kswapd_wanted: u8,
	/* tasks that sleep on it */
	pfmemalloc_wait: s32,
	vm_stat: array(f64, NR_VM_NODE_STAT_ITEMS),
	/* per_cpu_nodestats: [cpu * NR_VM_NODE_STAT_ITEMS + item] */
	vm_node_stat_diff: array(s32, NR_CPUS * NR_VM_NODE_STAT_ITEMS),
	stat_threshold: s32,
});

/** The rows of node n's zones start at 1 + n * MAX_NR_ZONES. */
export const zones = struct<zone>()('zone', 1 + MAX_NUMNODES * MAX_NR_ZONES, {
	zone_pgdat: to<pglist_data>(),
	zone_idx: s32,
	zone_start_pfn: s32,
	managed_pages: s32,
	spanned_pages: s32,
	present_pages: s32,
	_watermark: array(s32, NR_WMARK),
	watermark_boost: s32,
	nr_reserved_highatomic: s32,
	lowmem_reserve: array(s32, MAX_NR_ZONES),
	flags: s32,
	/* zone->lock: [order * MIGRATE_TYPES + migratetype] */
	free_list: lists(MAX_ORDER * MIGRATE_TYPES),
	nr_free: array(s32, MAX_ORDER),
	vm_stat: array(f64, NR_VM_ZONE_STAT_ITEMS),
	/* per_cpu_pageset: [cpu * NR_VM_ZONE_STAT_ITEMS + item] */
	vm_stat_diff: array(s32, NR_CPUS * NR_VM_ZONE_STAT_ITEMS),
	stat_threshold: s32,
	vm_numa_stat: array(f64, NR_VM_NUMA_STAT_ITEMS),
	/* [cpu * NR_VM_NUMA_STAT_ITEMS + item] */
	vm_numa_stat_diff: array(s32, NR_CPUS * NR_VM_NUMA_STAT_ITEMS),
	/* seconds until a CPU of another node gives its pcp pages of this zone back */
	expire: array(u8, NR_CPUS),
	/* [cpu * MIGRATE_PCPTYPES + migratetype] */
	pcp_list: lists(NR_CPUS * MIGRATE_PCPTYPES),
	pcp_count: array(s32, NR_CPUS),
	pcp_high: s32,
	pcp_batch: s32,
	percpu_drift_mark: s32,
});

/**
 * struct pagevec: a batch of PAGEVEC_SIZE pages. The rows are the per-CPU ones, then those on C
 * stacks (swap.ts: pagevec_enter()).
 */
export const PAGEVEC_SIZE = 15;
export type pagevec = ptr<'pagevec'>;
export const CPU_PAGEVECS = 8, STACK_PAGEVECS = 64;
export const pagevecs = struct<pagevec>()('pagevec', 1 + NR_CPUS * CPU_PAGEVECS + STACK_PAGEVECS, {
	nr: s32,
	percpu_pvec_drained: u8,
	/* [pvec * PAGEVEC_SIZE + i] */
	pages: array(s32, PAGEVEC_SIZE),
});

/** Element i of a pagevec. @custom an element of pagevec.pages */
export function pagevec_page(pvec: pagevec, i: number): page {
	return pagevecs.pages[pvec * PAGEVEC_SIZE + i]! as page;
}

/* isolate_mode_t */
export const ISOLATE_UNMAPPED = 0x2, ISOLATE_ASYNC_MIGRATE = 0x4, ISOLATE_UNEVICTABLE = 0x8;

/** @ported v5.10 */
export function is_file_lru(lru: number): boolean {
	return lru === LRU_INACTIVE_FILE || lru === LRU_ACTIVE_FILE;
}
/** @ported v5.10 */
export function is_active_lru(lru: number): boolean {
	return lru === LRU_ACTIVE_ANON || lru === LRU_ACTIVE_FILE;
}
/** @ported v5.10 */
export function lruvec_pgdat(lruvec: lruvec): pglist_data {
	return lruvecs.pgdat[lruvec];
}

export const ZONELIST_FALLBACK = 0, ZONELIST_NOFALLBACK = 1, MAX_ZONELISTS = 2;
export const MAX_ZONES_PER_ZONELIST = MAX_NUMNODES * MAX_NR_ZONES;
const ZONEREFS = MAX_ZONES_PER_ZONELIST + 1;
export const zonelists = struct<zonelist>()('zonelist', 1 + MAX_NUMNODES * MAX_ZONELISTS, {
	/* zone rows in the order of preference, 0 after the last */
	_zonerefs: array(s32, ZONEREFS),
});
const zonerefs = zonelists._zonerefs;

/** Nodes of the machine, 0 to this less one; all are online and have memory. */
export const nr_online_nodes = global_s32('nr_online_nodes');
const x86_cpu_to_node_map = carve('x86_cpu_to_node_map', Uint8Array, NR_CPUS, () => NR_CPUS);

/** @custom which node a CPU is on is told by the machine options */
export function set_cpu_to_node(cpu: number, nid: number): void {
	x86_cpu_to_node_map[cpu] = nid;
}
/** @ported v5.10 */
export function cpu_to_node(cpu: number): number {
	return x86_cpu_to_node_map[cpu]!;
}
/** @ported v5.10 */
export function numa_node_id(): number {
	return x86_cpu_to_node_map[smp_processor_id()]!;
}
/** The nearest node that has memory. @reduced every node has memory */
export function numa_mem_id(): number {
	return numa_node_id();
}
export const NUMA_NO_NODE = -1;
export const LOCAL_DISTANCE = 10, REMOTE_DISTANCE = 20;
/**
 * How far apart two nodes are; firmware without a table of its own says 10 or 20.
 * @reduced no table of distances from firmware: 10 or 20
 */
export function node_distance(from: number, to: number): number {
	return from === to ? LOCAL_DISTANCE : REMOTE_DISTANCE;
}
/** @ported v5.10 */
export function NODE_DATA(nid: number): pglist_data {
	return (nid + 1) as pglist_data;
}
/** @ported v5.10 */
export function first_online_pgdat(): pglist_data {
	return NODE_DATA(0);
}
/** The next node; NULL after the last. @ported v5.10 */
export function next_online_pgdat(pgdat: pglist_data): pglist_data {
	return (pgdat < nr_online_nodes.v ? pgdat + 1 : 0) as pglist_data;
}
/**
 * for_each_zone(): zones of all nodes from `first_online_pgdat()->node_zones`, NULL at the end.
 * @ported v5.10
 */
export function next_zone(zone: zone): zone {
	return (zone < nr_online_nodes.v * MAX_NR_ZONES ? zone + 1 : 0) as zone;
}
/** @custom the first zone that for_each_zone() visits */
export function first_zone(): zone {
	return 1 as zone;
}
/** @ported v5.10 */
export function zone_idx(zone: zone): number {
	return zones.zone_idx[zone];
}
/** @ported v5.10 */
export function zone_to_nid(zone: zone): number {
	return zones.zone_pgdat[zone] - 1;
}
/** @ported v5.10 */
export function zone_name(zone: zone): string {
	return zone_names[zones.zone_idx[zone]]!;
}
/** @ported v5.10 */
export function zone_managed_pages(zone: zone): number {
	return zones.managed_pages[zone];
}
/** Whether the buddy allocator has been given anything of the zone. @ported v5.10 */
export function managed_zone(zone: zone): boolean {
	return zones.managed_pages[zone] !== 0;
}
/** @ported v5.10 */
export function populated_zone(zone: zone): boolean {
	return zones.present_pages[zone] !== 0;
}
/** @ported v5.10 */
export function zone_end_pfn(zone: zone): number {
	return zones.zone_start_pfn[zone] + zones.spanned_pages[zone];
}
/** @ported v5.10 */
export function zone_spans_pfn(zone: zone, pfn: number): boolean {
	return zones.zone_start_pfn[zone] <= pfn && pfn < zone_end_pfn(zone);
}
/** @ported v5.10 */
export function pgdat_end_pfn(pgdat: pglist_data): number {
	return pgdats.node_start_pfn[pgdat] + pgdats.node_spanned_pages[pgdat];
}
/** A watermark in pages, with what was added for fragmentation. @ported v5.10 */
export function wmark_pages(zone: zone, i: number): number {
	return zones._watermark[zone * NR_WMARK + i]! + zones.watermark_boost[zone];
}
/** @ported v5.10 */
export function min_wmark_pages(zone: zone): number {
	return wmark_pages(zone, WMARK_MIN);
}
/** @ported v5.10 */
export function low_wmark_pages(zone: zone): number {
	return wmark_pages(zone, WMARK_LOW);
}
/** @ported v5.10 */
export function high_wmark_pages(zone: zone): number {
	return wmark_pages(zone, WMARK_HIGH);
}
/** @ported v5.10 */
export function zonelist_zone(zoneref: zoneref): zone {
	return zonerefs[zoneref]! as zone;
}
/** @ported v5.10 */
export function zonelist_zone_idx(zoneref: zoneref): number {
	return zones.zone_idx[zonerefs[zoneref]! as zone];
}
/** @ported v5.10 */
export function zonelist_node_idx(zoneref: zoneref): number {
	return zone_to_nid(zonerefs[zoneref]! as zone);
}
/** The first zoneref of a list, of whatever zone. @custom the array in a zonelist */
export function zonelist_zonerefs(zonelist: zonelist): zoneref {
	return zonelist * ZONEREFS;
}
/**
 * The zoneref itself or the first one after it of a zone that may be used; at the end, NULL's.
 * @ported v5.10
 */
export function next_zones_zonelist(
	z: zoneref, highest_zoneidx: number, nodes: nodemask_t,
): zoneref {
	for (;; z++) {
		const zone = zonerefs[z]! as zone;
		if (!zone)
			return z;
		if (zones.zone_idx[zone] > highest_zoneidx)
			continue;
		if (nodes === 0 || nodes & 1 << (zones.zone_pgdat[zone] - 1))
			return z;
	}
}
/**
 * for_each_zone_zonelist_nodemask() starts here and goes on with next_zones_zonelist(z + 1, ...)
 * while zonelist_zone(z) is not NULL.
 * @ported v5.10
 */
export function first_zones_zonelist(
	zonelist: zonelist, highest_zoneidx: number, nodes: nodemask_t,
): zoneref {
	return next_zones_zonelist(zonelist * ZONEREFS, highest_zoneidx, nodes);
}
/** Values of these items are bytes in the interface, pages inside. @ported v5.10 */
export function vmstat_item_in_bytes(idx: number): boolean {
	return idx === NR_SLAB_RECLAIMABLE_B || idx === NR_SLAB_UNRECLAIMABLE_B;
}
