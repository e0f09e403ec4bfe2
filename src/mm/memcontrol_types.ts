// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/memcontrol.h, page_counter.h, cgroup-defs.h, v5.10: the structs of the memory
 * controller. A css is embedded in its mem_cgroup, so a css pointer is a mem_cgroup pointer.
 * Left out: cgroup v1, kernel memory, sockets, vmpressure, per-memcg writeback domains.
 */
import { carve, DISK_BYTES_MAX } from '../lib/arena.ts';
import { array, f64, global_s32, list, s32, struct, to, u8, type ptr } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { LRUVECS, MAX_NR_ZONES, MAX_NUMNODES, NR_CPUS, NR_LRU_LISTS, NR_VM_NODE_STAT_ITEMS,
	type pglist_data } from './mmzone.ts';
import type { mem_cgroup } from './mm_types.ts';

export type { mem_cgroup } from './mm_types.ts';
export type page_counter = ptr<'page_counter'>;
/** Its row is the row of its lruvec. */
export type mem_cgroup_per_node = ptr<'mem_cgroup_per_node'>;
/** Row cpu + 1. */
export type memcg_stock_pcp = ptr<'memcg_stock_pcp'>;
export type cgroup = ptr<'cgroup'>;

/** Rows of memory cgroups, those offline with charges left among them. */
export const MEM_CGROUPS = 4096;

/** LONG_MAX / PAGE_SIZE: "max" of a limit, in pages. */
export const PAGE_COUNTER_MAX = 2 ** 51 - 1;

export const page_counters = struct<page_counter>()('page_counter', 2 * MEM_CGROUPS + 64, {
	/* all in pages */
	usage: f64,
	min: f64,
	low: f64,
	high: f64,
	max: f64,
	parent: to<page_counter>(),
	/* the mem_cgroup that it is a member of; 0 for none */
	container: to<mem_cgroup>(),
	/* how much memory.min protects here, and of what children use how much it could */
	emin: f64,
	min_usage: f64,
	children_min_usage: f64,
	/* the same for memory.low */
	elow: f64,
	low_usage: f64,
	children_low_usage: f64,
	watermark: f64,
	failcnt: f64,
});

/* enum memcg_stat_item, on top of enum node_stat_item */
export const MEMCG_SWAP = NR_VM_NODE_STAT_ITEMS, MEMCG_SOCK = MEMCG_SWAP + 1,
	MEMCG_PERCPU_B = MEMCG_SWAP + 2, MEMCG_NR_STAT = MEMCG_SWAP + 3;
/* enum memcg_memory_event */
export const MEMCG_LOW = 0, MEMCG_HIGH = 1, MEMCG_MAX = 2, MEMCG_OOM = 3, MEMCG_OOM_KILL = 4,
	MEMCG_SWAP_HIGH = 5, MEMCG_SWAP_MAX = 6, MEMCG_SWAP_FAIL = 7, MEMCG_NR_MEMORY_EVENTS = 8;

/** Changes of a counter that a CPU keeps to itself at most, in pages or events. */
export const MEMCG_CHARGE_BATCH = 32;
export const MEM_CGROUP_ID_SHIFT = 16, MEM_CGROUP_ID_MAX = 65535;
/** Columns of event counters a memcg; not below NR_VM_EVENT_ITEMS. */
export const MEMCG_EVENTS = 128;

/* cgroup_subsys_state.flags */
export const CSS_NO_REF = 1, CSS_ONLINE = 2, CSS_RELEASED = 4, CSS_VISIBLE = 8, CSS_DYING = 16;

export const memcgs = struct<mem_cgroup>()('mem_cgroup', MEM_CGROUPS, {
	/* cgroup_mutex; css.refcnt counts the base reference of a css that is not killed */
	css_refcnt: s32,
	css_flags: s32,
	cgroup: to<cgroup>(),
	parent: to<mem_cgroup>(),
	children: list,
	sibling: list,
	/* of itself and its online children */
	online_cnt: s32,
	/* how deep below the root, which is 0 */
	level: s32,
	/* mem_cgroup_id: outlives the cgroup while swap entries have it; 0 when given back */
	id_id: s32,
	id_ref: s32,
	memory: to<page_counter>(),
	swap: to<page_counter>(),
	oom_group: u8,
	/* [item], subtree totals as far as they are flushed */
	vmstats: array(f64, MEMCG_NR_STAT),
	vmevents: array(f64, MEMCG_EVENTS),
	memory_events: array(f64, MEMCG_NR_MEMORY_EVENTS),
	memory_events_local: array(f64, MEMCG_NR_MEMORY_EVENTS),
	/* vmstats_local, of which only the sum over CPUs is ever read */
	vmstats_local_stat: array(f64, MEMCG_NR_STAT),
	vmstats_local_events: array(f64, MEMCG_EVENTS),
	/*
	 * vmstats_percpu, not flushed yet: [cpu * MEMCG_NR_STAT + item],
	 * [cpu * MEMCG_EVENTS + item]
	 */
	vmstats_percpu_stat: array(s32, NR_CPUS * MEMCG_NR_STAT),
	vmstats_percpu_events: array(u8, NR_CPUS * MEMCG_EVENTS),
	/* [nid]: row of its mem_cgroup_per_node, 0 for a node that the machine has not */
	nodeinfo: array(s32, MAX_NUMNODES),
});

/** Changes of counters since the last flush that each CPU has not told; in pages or events. */
export const stats_updates = carve('stats_updates', Int32Array, NR_CPUS, () => NR_CPUS);
/** Batches of changes since the last flush, of all CPUs. */
export const stats_flush_threshold = global_s32('stats_flush_threshold');

/** The first css of a boot. */
export const ROOT_MEM_CGROUP = 1 as mem_cgroup;
export const root_mem_cgroup = ROOT_MEM_CGROUP;

export const mem_cgroup_per_nodes = struct<mem_cgroup_per_node>()('mem_cgroup_per_node', LRUVECS, {
	memcg: to<mem_cgroup>(),
	/* lru_lock; in pages: [zone index * NR_LRU_LISTS + lru] */
	lru_zone_size: array(s32, MAX_NR_ZONES * NR_LRU_LISTS),
	/* [item], of the subtree on this node as far as it is flushed */
	lruvec_stat: array(f64, NR_VM_NODE_STAT_ITEMS),
	/* lruvec_stat_local, of which only the sum over CPUs is ever read; exact */
	lruvec_stat_local: array(f64, NR_VM_NODE_STAT_ITEMS),
	/* not flushed yet: [cpu * NR_VM_NODE_STAT_ITEMS + item] */
	lruvec_stat_cpu: array(s32, NR_CPUS * NR_VM_NODE_STAT_ITEMS),
	/* mem_cgroup_reclaim_iter */
	iter_position: to<mem_cgroup>(),
	iter_generation: s32,
});

/** Charges that a CPU has in reserve for one memcg; row cpu + 1. */
export const memcg_stocks = struct<memcg_stock_pcp>()('memcg_stock_pcp', 1 + NR_CPUS, {
	/* never the root; holds a css reference */
	cached: to<mem_cgroup>(),
	nr_pages: s32,
});

/** Which memcg has each ID: element id, 0 for none. */
export const mem_cgroup_idr_max = global_s32('mem_cgroup_idr_max');
export const mem_cgroup_idr = carve('mem_cgroup_idr', Int32Array, MEM_CGROUP_ID_MAX + 1,
	() => mem_cgroup_idr_max.v + 1);

/** Swap slots of all devices together. */
export const SWAP_SLOTS_MAX = DISK_BYTES_MAX / PAGE_SIZE;
/** Slots below this were part of a swap device once. */
export const swap_cgroup_slots = global_s32('swap_cgroup_slots');
/** The memcg ID of each swap slot, by the slot_base of its device + its offset; 0 for none. */
export const swap_cgroup_ids = carve('swap_cgroup_ids', Uint16Array, SWAP_SLOTS_MAX,
	() => swap_cgroup_slots.v);

/** Longest name of a cgroup, in bytes. */
export const CGROUP_NAME_LEN = 63;
export const cgroups = struct<cgroup>()('cgroup', MEM_CGROUPS, {
	/* UTF-8, NUL-padded; empty for the root */
	name: array(u8, CGROUP_NAME_LEN + 1),
	parent: to<cgroup>(),
	level: s32,
	children: list,
	sibling: list,
	/* its own css, 0 where the parent's subtree_control has no memory */
	memcg: to<mem_cgroup>(),
	/* 1 when cgroup.subtree_control has +memory */
	subtree_control: u8,
	/* 1 from rmdir on; the row lives until the last reference to a css of it is gone */
	dead: u8,
	/* its csses that are not freed, and itself while it is not dead */
	refcnt: s32,
	/* css_set_lock: tasks.cg_list, in the order of their coming */
	tasks: list,
	nr_tasks: s32,
	/* serial number, as the inode number that the kernel shows; the root's is 1 */
	ino: s32,
});

/** Which walk of mem_cgroup_iter() a reclaimer shares; a temporary of one reclaim. */
export interface mem_cgroup_reclaim_cookie {
	pgdat: pglist_data;
	generation: number;
}
