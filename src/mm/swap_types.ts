// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/swap.h, swap_slots.h, v5.10: the structs of swap.
 * Left out: swap files (swap is on block devices, so there is one extent and no SWP_FS_OPS),
 * frontswap, discard, hibernation.
 */
import { carve } from '../lib/arena.ts';
import { INIT_LIST_HEAD } from '../lib/list.ts';
import { array, global_f64, global_s32, list, lists, s32, struct, to, u8, use_rows,
	type list_head, type ptr } from '../lib/struct.ts';
import { MAX_NUMNODES, NR_CPUS } from './mmzone.ts';
import { SWAP_SLOTS_MAX } from './memcontrol_types.ts';
import type { address_space, swp_entry_t } from './mm_types.ts';

/** Its row is its type + 1. */
export type swap_info_struct = ptr<'swap_info_struct'>;
/** Row cpu + 1. */
export type swap_slots_cache = ptr<'swap_slots_cache'>;
export type block_device = ptr<'block_device'>;
/** Index in cluster_info. */
export type swap_cluster_info = number;

export const SWAP_FLAG_PREFER = 0x8000, SWAP_FLAG_PRIO_MASK = 0x7fff, SWAP_FLAG_PRIO_SHIFT = 0,
	SWAP_FLAG_DISCARD = 0x10000, SWAP_FLAG_DISCARD_ONCE = 0x20000,
	SWAP_FLAG_DISCARD_PAGES = 0x40000;
export const SWAP_FLAGS_VALID = SWAP_FLAG_PRIO_MASK | SWAP_FLAG_PREFER | SWAP_FLAG_DISCARD |
	SWAP_FLAG_DISCARD_ONCE | SWAP_FLAG_DISCARD_PAGES;
export const SWAP_BATCH = 64;

export const MAX_SWAPFILES_SHIFT = 5, SWP_DEVICE_NUM = 2, SWP_MIGRATION_NUM = 2,
	SWP_HWPOISON_NUM = 1;
export const MAX_SWAPFILES =
	(1 << MAX_SWAPFILES_SHIFT) - SWP_DEVICE_NUM - SWP_MIGRATION_NUM - SWP_HWPOISON_NUM;

/* swap_info_struct.flags */
export const SWP_USED = 1 << 0, SWP_WRITEOK = 1 << 1, SWP_DISCARDABLE = 1 << 2,
	SWP_DISCARDING = 1 << 3, SWP_SOLIDSTATE = 1 << 4, SWP_CONTINUED = 1 << 5,
	SWP_BLKDEV = 1 << 6, SWP_ACTIVATED = 1 << 7, SWP_FS_OPS = 1 << 8, SWP_AREA_DISCARD = 1 << 9,
	SWP_PAGE_DISCARD = 1 << 10, SWP_STABLE_WRITES = 1 << 11, SWP_SYNCHRONOUS_IO = 1 << 12,
	SWP_VALID = 1 << 13, SWP_SCANNING = 1 << 14;

export const SWAP_CLUSTER_MAX = 32;

/* a byte of swap_map */
export const SWAP_HAS_CACHE = 0x40, COUNT_CONTINUED = 0x80, SWAP_MAP_MAX = 0x3e,
	SWAP_MAP_BAD = 0x3f, SWAP_MAP_SHMEM = 0xbf, SWAP_CONT_MAX = 0x7f;

/* swap_cluster_info.flags */
export const CLUSTER_FLAG_FREE = 1, CLUSTER_FLAG_NEXT_NULL = 2, CLUSTER_FLAG_HUGE = 4;

/** One swapper address_space for so many slots. */
export const SWAP_ADDRESS_SPACE_SHIFT = 14, SWAP_ADDRESS_SPACE_PAGES = 1 << 14;

export const SWAP_RA_ORDER_CEILING = 5;

/** Slots of a cluster: HPAGE_PMD_NR, as with CONFIG_THP_SWAP. */
export const SWAPFILE_CLUSTER = 512;

export const swap_infos = struct<swap_info_struct>()('swap_info_struct', MAX_SWAPFILES + 1, {
	/* swap_lock and lock: SWP_* */
	flags: s32,
	prio: s32,
	/* its place in swap_active_head; list_prio and avail_prio are plist_node.prio */
	list: list,
	list_prio: s32,
	type: s32,
	/* extent of the swap_map, in slots; the header is slot 0 */
	max: s32,
	/*
	 * where its slots start in swap_map and swap_cgroup_ids, and, / SWAPFILE_CLUSTER, in
	 * cluster_info
	 */
	slot_base: s32,
	/* 1 for a device with clusters (SWP_SOLIDSTATE) */
	cluster_info: u8,
	/* swap_cluster_list free_clusters: head and tail, each data and flags */
	free_clusters_head: s32,
	free_clusters_head_flags: u8,
	free_clusters_tail: s32,
	free_clusters_tail_flags: u8,
	lowest_bit: s32,
	highest_bit: s32,
	pages: s32,
	inuse_pages: s32,
	cluster_next: s32,
	cluster_nr: s32,
	/* [cpu] */
	cluster_next_cpu: array(s32, NR_CPUS),
	percpu_cluster_index: array(s32, NR_CPUS),
	percpu_cluster_index_flags: array(u8, NR_CPUS),
	percpu_cluster_next: array(s32, NR_CPUS),
	bdev: to<block_device>(),
	/* its place in swap_avail_heads[nid] */
	avail_lists: lists(MAX_NUMNODES),
	avail_prio: array(s32, MAX_NUMNODES),
});

type swap_heads = ptr<'swap_heads'>;
const heads = struct<swap_heads>()('swap_heads', 2, {
	active: list,
	avail: lists(MAX_NUMNODES),
	mmlist: list,
	shmem_swaplist: list,
});
const HEADS = 1 as swap_heads;
/** Boot: all these lists are empty. @custom */
export function swap_heads_init(): void {
	use_rows(heads, 2);
	use_rows(swap_infos, MAX_SWAPFILES + 1);
	use_rows(swp_slots, NR_CPUS + 1);
	INIT_LIST_HEAD(swap_active_head);
	INIT_LIST_HEAD(init_mm_mmlist);
	INIT_LIST_HEAD(shmem_swaplist);
	for (let nid = 0; nid < MAX_NUMNODES; nid++)
		INIT_LIST_HEAD(swap_avail_heads(nid));
}
/** plist of the swap devices in use, highest priority first */
export const swap_active_head: list_head = heads.active(HEADS);
/** plist of those with free slots, as node nid prefers them. @custom an array of lists */
export function swap_avail_heads(nid: number): list_head {
	return heads.avail(HEADS, nid);
}

/** init_mm.mmlist: the mms that may have swap entries in their page tables */
export const init_mm_mmlist: list_head = heads.mmlist(HEADS);
/** the shmem inodes that may have swap entries in their page cache */
export const shmem_swaplist: list_head = heads.shmem_swaplist(HEADS);

/** Slots below this were part of a swap device once. */
export const swap_map_slots = global_s32('swap_map_slots');
/** Usage counts of the slots of all devices, by slot_base + offset. */
export const swap_map = carve('swap_map', Uint8Array, SWAP_SLOTS_MAX, () => swap_map_slots.v);
/** struct swap_cluster_info of all devices: data << 8 | flags; by slot_base / SWAPFILE_CLUSTER. */
export const cluster_info = carve('swap_cluster_info', Uint32Array,
	SWAP_SLOTS_MAX / SWAPFILE_CLUSTER + 1,
	() => Math.ceil(swap_map_slots.v / SWAPFILE_CLUSTER));

/** Swapper address_spaces of a type, at most. */
const SPACES = SWAP_SLOTS_MAX >>> SWAP_ADDRESS_SPACE_SHIFT;
/** [type * SPACES + (offset >> SWAP_ADDRESS_SPACE_SHIFT)]: row of the address_space */
export const swapper_spaces = carve('swapper_spaces', Int32Array, MAX_SWAPFILES * SPACES,
	() => nr_swapfiles.v * SPACES);
/** Index of a type's first element in swapper_spaces. @custom the arrays are one column */
export function swapper_spaces_of(type: number): number {
	return type * SPACES;
}
/** @ported v5.10 the macro of this name */
export function swap_address_space(entry: swp_entry_t): address_space {
	return swapper_spaces[(entry >>> 26) * SPACES +
		((entry & 0x3ffffff) >>> SWAP_ADDRESS_SPACE_SHIFT)] as address_space;
}

/** Row of a type's swap_info_struct, in use or not. @custom swap_info[type] as a row */
export function swap_info(type: number): swap_info_struct {
	return type + 1 as swap_info_struct;
}
/** Index of a slot in swap_map and swap_cgroup_ids. @custom the maps are one column */
export function swap_slot(entry: number): number {
	return swap_infos.slot_base[(entry >>> 26) + 1 as swap_info_struct] + (entry & 0x3ffffff);
}

export const SWAP_SLOTS_CACHE_SIZE = SWAP_BATCH;
export const THRESHOLD_ACTIVATE_SWAP_SLOTS_CACHE = 5 * SWAP_SLOTS_CACHE_SIZE;
export const THRESHOLD_DEACTIVATE_SWAP_SLOTS_CACHE = 2 * SWAP_SLOTS_CACHE_SIZE;
export const swp_slots = struct<swap_slots_cache>()('swap_slots_cache', NR_CPUS + 1, {
	/* 1 once the arrays are allocated */
	allocated: u8,
	/* alloc_lock */
	slots: array(s32, SWAP_SLOTS_CACHE_SIZE),
	nr: s32,
	cur: s32,
	/* free_lock */
	slots_ret: array(s32, SWAP_SLOTS_CACHE_SIZE),
	n_ret: s32,
});

/** Free slots of all devices, and all that there are; in pages. */
export const nr_swap_pages = global_f64('nr_swap_pages');
export const total_swap_pages = global_f64('total_swap_pages');
/** Swap devices on rotating disks. */
export const nr_rotate_swap = global_s32('nr_rotate_swap');
/** Types ever used. */
export const nr_swapfiles = global_s32('nr_swapfiles');

/** Swap more than half full. @ported v5.10 */
export function vm_swap_full(): boolean {
	return nr_swap_pages.v * 2 < total_swap_pages.v;
}
/** @ported v5.10 */
export function get_nr_swap_pages(): number {
	return nr_swap_pages.v;
}
