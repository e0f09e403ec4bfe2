// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/swapfile.c, v5.10
 * Left out: swap files and their extents (swap is on whole block devices, so slot n is page n of
 * the device), discard (no device here can), frontswap, hibernation, /proc/swaps, KSM, huge pages
 * but for the cluster flags that they need.
 * Lock order in the kernel: mmap_lock > page lock > swap_lock > swap_info_struct.lock >
 * cluster lock; none of these but the page lock is ever tried, so no other is modelled.
 */
import { BUG, BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { EBUSY, EEXIST, EINTR, EINVAL, ENOENT, ENOMEM, EPERM } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add_tail, list_del, list_del_init, list_empty } from '../lib/list.ts';
import { randomBelow } from '../lib/rng.ts';
import { global_s32, list, list_heads, struct, u8, use_rows, type list_head, type out, type ptr }
	from '../lib/struct.ts';
import { addr_end, PAGE_SIZE, PGDIR_SIZE, PMD_SIZE, PUD_SIZE } from '../arch/page.ts';
import { mk_pte, NX_HI, pgd_none, pgd_offset_pgd, pmd_bad, pmd_none, pmd_offset, pte_mkold,
	pte_offset_map, pud_none, pud_offset, set_pte_at } from '../arch/pgtable.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { is_swap_pte, non_swap_entry, pte_to_swp_entry, swp_entry, swp_offset, swp_type }
	from '../arch/swap.ts';
import { bdev_has_rw_page, bdev_nonrot, bdevs, blkdev_peek, blkdev_poke } from './blkdev.ts';
import { current, nr_cpu_ids, smp_processor_id } from './current.ts';
import { mmget_not_zero, mmput } from './fork.ts';
import { __GFP_HIGHMEM, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE, type gfp_t } from './gfp.ts';
import { mem_cgroup_swap_full, mem_cgroup_uncharge_swap } from './memcontrol.ts';
import { SWAP_SLOTS_MAX } from './memcontrol_types.ts';
import { dec_mm_counter, get_page, inc_mm_counter, mmap_read_lock, mmap_read_unlock,
	page_mapped, page_trans_huge_mapcount, put_page } from './mm.ts';
import { MM_ANONPAGES, MM_SWAPENTS, mms, NULL, PF_OOM_ORIGIN, pages, tasks, vmas,
	type address_space,
	type mm_struct, type page, type swp_entry_t, type vm_area_struct } from './mm_types.ts';
import { MAX_NUMNODES, NR_CPUS, numa_node_id } from './mmzone.ts';
import { alloc_page, __free_page } from './page_alloc.ts';
import { compound_head, PageKsm, PageLocked, PageSwapCache, PageTransCompound, PageWriteback,
	SetPageDirty, thp_nr_pages } from './page_flags.ts';
import { find_get_page, lock_page_or_put, trylock_page, unlock_page, wait_on_page_writeback }
	from './pagemap.ts';
import { page_add_anon_rmap } from './rmap.ts';
import { shmem_unuse } from './shmem.ts';
import { swap_cgroup_swapoff, swap_cgroup_swapon } from './swap_cgroup.ts';
import { disable_swap_slots_cache_lock, enable_swap_slots_cache, free_swap_slot,
	reenable_swap_slots_cache_unlock } from './swap_slots.ts';
import { clear_shadow_from_swap_cache, delete_from_swap_cache, exit_swap_address_space,
	init_swap_address_space, lookup_swap_cache, swapin_readahead } from './swap_state.ts';
import { CLUSTER_FLAG_FREE, CLUSTER_FLAG_HUGE, CLUSTER_FLAG_NEXT_NULL, cluster_info,
	COUNT_CONTINUED, get_nr_swap_pages, init_mm_mmlist, MAX_SWAPFILES, nr_rotate_swap,
	nr_swap_pages, nr_swapfiles, SWAP_ADDRESS_SPACE_PAGES, SWAP_ADDRESS_SPACE_SHIFT, SWAP_BATCH,
	SWAP_CONT_MAX, SWAP_FLAG_PREFER, SWAP_FLAG_PRIO_MASK, SWAP_FLAGS_VALID, SWAP_HAS_CACHE,
	swap_active_head, swap_address_space, swap_avail_heads, swap_heads_init, swap_info,
	swap_infos, swap_map, SWAP_MAP_BAD, SWAP_MAP_MAX, SWAP_MAP_SHMEM, swap_map_slots,
	SWAPFILE_CLUSTER, SWP_BLKDEV, SWP_CONTINUED, SWP_SCANNING, SWP_SOLIDSTATE,
	SWP_STABLE_WRITES, SWP_SYNCHRONOUS_IO, SWP_USED, SWP_VALID, SWP_WRITEOK, total_swap_pages,
	vm_swap_full, type block_device, type swap_cluster_info, type swap_info_struct }
	from './swap_types.ts';
import type { vm_fault } from './vm_ops.ts';

export { nr_swap_pages, total_swap_pages, nr_rotate_swap, vm_swap_full, get_nr_swap_pages };

const { flags: si_flags, slot_base, lowest_bit, highest_bit, inuse_pages, cluster_next: next_slot,
	cluster_nr, cluster_next_cpu, percpu_cluster_index, percpu_cluster_index_flags,
	percpu_cluster_next, free_clusters_head, free_clusters_head_flags, free_clusters_tail,
	free_clusters_tail_flags, max: si_max, pages: si_pages, type: si_type, prio: si_prio,
	list_prio, avail_prio, cluster_info: has_clusters } = swap_infos;
const { next: list_next } = list_heads;
const page_private = pages.private;
const NO_SI = 0 as swap_info_struct;

/* Priority of the last device that was given none. */
const least_priority = global_s32('least_priority');

/* What hangs on each page of a swap_map: the list of its continuation pages. */
type swap_map_page = ptr<'swap_map_page'>;
const swap_map_pages = struct<swap_map_page>()('swap_map_page', SWAP_SLOTS_MAX / PAGE_SIZE + 1, {
	/* 1 once there was one: page_private(head) == SWP_CONTINUED */
	continued: u8,
	lru: list,
});
/* A device's slots start at a multiple of this, so that a page of the map has slots of one. */
const SLOT_BASE_ALIGN = PAGE_SIZE;
const ram_bytes = new Uint8Array(ram.buffer, ram.byteOffset, ram.byteLength);

/** @custom lib/plist.c:plist_add(): `prio` is the column and index of each node's priority */
function plist_add(
	node: list_head, head: list_head, prio: (node: list_head) => number,
): void {
	let before = list_next[head];

	while (before !== head && prio(before) <= prio(node))
		before = list_next[before];
	list_add_tail(node, before);
}
/** @custom plist_node.prio of a node of swap_active_head */
function active_prio(node: list_head): number {
	return list_prio[swap_infos.list.container_of(node)];
}
const first_avail = swap_infos.avail_lists(NO_SI, 0);
/** @custom plist_node.prio of a node of swap_avail_heads */
function avail_list_prio(node: list_head): number {
	return avail_prio[node - first_avail]!;
}

/** @ported v5.10 */
function swap_type_to_swap_info(type: number): swap_info_struct {
	return type < nr_swapfiles.v ? swap_info(type) : NO_SI;
}

/** @ported v5.10 */
export function swap_count(ent: number): number {
	return ent & ~SWAP_HAS_CACHE;
}

const TTRS_ANYWAY = 0x1, TTRS_UNMAPPED = 0x2, TTRS_FULL = 0x4;

/** 1 when the entry was freed. @ported v5.10 */
function __try_to_reclaim_swap(si: swap_info_struct, offset: number, flags: number): number {
	const entry = swp_entry(si_type[si], offset);
	let ret = 0;

	const page = find_get_page(swap_address_space(entry), offset);
	if (!page)
		return 0;
	/* Who scans the map may hold a page lock himself: never wait for one here. */
	if (trylock_page(page)) {
		if ((flags & TTRS_ANYWAY) ||
		    ((flags & TTRS_UNMAPPED) && !page_mapped(page)) ||
		    ((flags & TTRS_FULL) && mem_cgroup_swap_full(page)))
			ret = try_to_free_swap(page);
		unlock_page(page);
	}
	put_page(page);
	return ret;
}

/** @reduced one extent: the device's page is the offset; in pages, not sectors */
export function swap_page_sector(page: page): number {
	return __page_file_index(page);
}

const LATENCY_LIMIT = 256;

/** @ported v5.10 */
function cluster_set_flag(info: swap_cluster_info, flag: number): void {
	cluster_info[info] = (cluster_info[info]! & ~0xff) | flag;
}

/** @ported v5.10 */
function cluster_count(info: swap_cluster_info): number {
	return cluster_info[info]! >>> 8;
}

/** @ported v5.10 */
function cluster_set_count(info: swap_cluster_info, c: number): void {
	cluster_info[info] = (cluster_info[info]! & 0xff) | c << 8;
}

/** @ported v5.10 */
function cluster_set_count_flag(info: swap_cluster_info, c: number, f: number): void {
	cluster_info[info] = c << 8 | f;
}

/** @ported v5.10 */
function cluster_next(info: swap_cluster_info): number {
	return cluster_info[info]! >>> 8;
}

/** @ported v5.10 */
function cluster_set_next(info: swap_cluster_info, n: number): void {
	cluster_info[info] = (cluster_info[info]! & 0xff) | n << 8;
}

/** @ported v5.10 */
function cluster_is_free(info: swap_cluster_info): boolean {
	return (cluster_info[info]! & CLUSTER_FLAG_FREE) !== 0;
}

/** @ported v5.10 */
function cluster_is_huge(info: swap_cluster_info): boolean {
	return (cluster_info[info]! & CLUSTER_FLAG_HUGE) !== 0;
}

/** @ported v5.10 */
function cluster_clear_huge(info: swap_cluster_info): void {
	cluster_info[info]! &= ~CLUSTER_FLAG_HUGE;
}

/** @custom si->cluster_info + idx; -1 where the device has no clusters */
function clusters_of(si: swap_info_struct): swap_cluster_info {
	return has_clusters[si] ? slot_base[si] / SWAPFILE_CLUSTER : -1;
}

/** @reduced takes no lock: there is one order of events. -1 for none */
function lock_cluster(si: swap_info_struct, offset: number): swap_cluster_info {
	const ci = clusters_of(si);

	return ci < 0 ? ci : ci + Math.trunc(offset / SWAPFILE_CLUSTER);
}

/** @ported v5.10 of si->free_clusters, the only list of clusters without discard */
function cluster_list_empty(si: swap_info_struct): boolean {
	return (free_clusters_head_flags[si] & CLUSTER_FLAG_NEXT_NULL) !== 0;
}

/** @ported v5.10 */
function cluster_list_first(si: swap_info_struct): number {
	return free_clusters_head[si];
}

/** @ported v5.10 */
function cluster_list_init(si: swap_info_struct): void {
	free_clusters_head[si] = 0;
	free_clusters_head_flags[si] = CLUSTER_FLAG_NEXT_NULL;
	free_clusters_tail[si] = 0;
	free_clusters_tail_flags[si] = CLUSTER_FLAG_NEXT_NULL;
}

/** @ported v5.10 */
function cluster_list_add_tail(si: swap_info_struct, ci: swap_cluster_info, idx: number): void {
	if (cluster_list_empty(si)) {
		free_clusters_head[si] = idx;
		free_clusters_head_flags[si] = 0;
	} else {
		cluster_set_next(ci + free_clusters_tail[si], idx);
	}
	free_clusters_tail[si] = idx;
	free_clusters_tail_flags[si] = 0;
}

/** @ported v5.10 */
function cluster_list_del_first(si: swap_info_struct, ci: swap_cluster_info): number {
	const idx = free_clusters_head[si];

	if (free_clusters_tail[si] === idx) {
		cluster_list_init(si);
	} else {
		free_clusters_head[si] = cluster_next(ci + idx);
		free_clusters_head_flags[si] = 0;
	}
	return idx;
}

/** @ported v5.10 */
function __free_cluster(si: swap_info_struct, idx: number): void {
	const ci = clusters_of(si);

	cluster_set_flag(ci + idx, CLUSTER_FLAG_FREE);
	cluster_list_add_tail(si, ci, idx);
}

/** @ported v5.10 */
function alloc_cluster(si: swap_info_struct, idx: number): void {
	const ci = clusters_of(si);

	VM_BUG_ON(cluster_list_first(si) !== idx, 'a cluster is taken that is not the first free');
	cluster_list_del_first(si, ci);
	cluster_set_count_flag(ci + idx, 0, 0);
}

/** @reduced no discard: a cluster is free at once */
function free_cluster(si: swap_info_struct, idx: number): void {
	VM_BUG_ON(cluster_count(clusters_of(si) + idx) !== 0, 'a cluster in use is freed');
	__free_cluster(si, idx);
}

/** @ported v5.10 */
function inc_cluster_info_page(
	p: swap_info_struct, info: swap_cluster_info, page_nr: number,
): void {
	const idx = Math.trunc(page_nr / SWAPFILE_CLUSTER);

	if (info < 0)
		return;
	if (cluster_is_free(info + idx))
		alloc_cluster(p, idx);

	VM_BUG_ON(cluster_count(info + idx) >= SWAPFILE_CLUSTER, 'a full cluster is used more');
	cluster_set_count(info + idx, cluster_count(info + idx) + 1);
}

/** @ported v5.10 */
function dec_cluster_info_page(
	p: swap_info_struct, info: swap_cluster_info, page_nr: number,
): void {
	const idx = Math.trunc(page_nr / SWAPFILE_CLUSTER);

	if (info < 0)
		return;
	VM_BUG_ON(cluster_count(info + idx) === 0, 'a slot of an unused cluster is freed');
	cluster_set_count(info + idx, cluster_count(info + idx) - 1);

	if (cluster_count(info + idx) === 0)
		free_cluster(p, idx);
}

/** @custom cluster_set_null(&this_cpu_ptr(si->percpu_cluster)->index) */
function percpu_cluster_set_null(si: swap_info_struct, cpu: number): void {
	percpu_cluster_index_flags[si * NR_CPUS + cpu] = CLUSTER_FLAG_NEXT_NULL;
	percpu_cluster_index[si * NR_CPUS + cpu] = 0;
}

/** @ported v5.10 */
function scan_swap_map_ssd_cluster_conflict(si: swap_info_struct, offset: number): boolean {
	offset = Math.trunc(offset / SWAPFILE_CLUSTER);
	const conflict = !cluster_list_empty(si) && offset !== cluster_list_first(si) &&
		cluster_is_free(clusters_of(si) + offset);

	if (!conflict)
		return false;

	percpu_cluster_set_null(si, smp_processor_id());
	return true;
}

/* scan_swap_map_slots(): its offset and scan_base, which this function moves */
const scan_offset: out<number> = { v: 0 };
const scan_base: out<number> = { v: 0 };

/** @reduced no discarded clusters to wait for */
function scan_swap_map_try_ssd_cluster(
	si: swap_info_struct, offset: out<number>, scan_base: out<number>,
): boolean {
	const map = slot_base[si];
	const cluster = si * NR_CPUS + smp_processor_id();

	new_cluster: for (;;) {
		if (percpu_cluster_index_flags[cluster]! & CLUSTER_FLAG_NEXT_NULL) {
			if (!cluster_list_empty(si)) {
				percpu_cluster_index[cluster] = free_clusters_head[si];
				percpu_cluster_index_flags[cluster] = free_clusters_head_flags[si];
				percpu_cluster_next[cluster] =
					percpu_cluster_index[cluster]! * SWAPFILE_CLUSTER;
			} else {
				return false;
			}
		}

		/* Others may have used the cluster too: what is left of it? */
		let tmp = percpu_cluster_next[cluster]!;
		const end = (percpu_cluster_index[cluster]! + 1) * SWAPFILE_CLUSTER;
		const max = si_max[si] < end ? si_max[si] : end;
		while (tmp < max) {
			if (!swap_map[map + tmp])
				break;
			tmp++;
		}
		if (tmp >= max) {
			percpu_cluster_set_null(si, smp_processor_id());
			continue new_cluster;
		}
		percpu_cluster_next[cluster] = tmp + 1;
		offset.v = tmp;
		scan_base.v = tmp;
		return true;
	}
}

/** @ported v5.10 */
function __del_from_avail_list(p: swap_info_struct): void {
	for (let nid = 0; nid < MAX_NUMNODES; nid++) {
		const node = swap_infos.avail_lists(p, nid);

		if (!list_empty(node))
			list_del_init(node);
	}
}

/** @ported v5.10 */
function del_from_avail_list(p: swap_info_struct): void {
	__del_from_avail_list(p);
}

/** @ported v5.10 */
function swap_range_alloc(si: swap_info_struct, offset: number, nr_entries: number): void {
	const end = offset + nr_entries - 1;

	if (offset === lowest_bit[si])
		lowest_bit[si] += nr_entries;
	if (end === highest_bit[si])
		highest_bit[si] -= nr_entries;
	inuse_pages[si] += nr_entries;
	if (inuse_pages[si] === si_pages[si]) {
		lowest_bit[si] = si_max[si];
		highest_bit[si] = 0;
		del_from_avail_list(si);
	}
}

/** @ported v5.10 */
function add_to_avail_list(p: swap_info_struct): void {
	for (let nid = 0; nid < MAX_NUMNODES; nid++) {
		const node = swap_infos.avail_lists(p, nid);

		WARN_ON_ONCE(!list_empty(node), 'a swap device is available twice');
		plist_add(node, swap_avail_heads(nid), avail_list_prio);
	}
}

/** @reduced no driver here wants ->swap_slot_free_notify(), no architecture hook, no frontswap */
function swap_range_free(si: swap_info_struct, offset: number, nr_entries: number): void {
	const begin = offset;
	const end = offset + nr_entries - 1;

	if (offset < lowest_bit[si])
		lowest_bit[si] = offset;
	if (end > highest_bit[si]) {
		const was_full = !highest_bit[si];

		highest_bit[si] = end;
		if (was_full && (si_flags[si] & SWP_WRITEOK))
			add_to_avail_list(si);
	}
	nr_swap_pages.v += nr_entries;
	inuse_pages[si] -= nr_entries;
	clear_shadow_from_swap_cache(si_type[si], begin, end);
}

/** @ported v5.10 */
function set_cluster_next(si: swap_info_struct, next: number): void {
	if (!(si_flags[si] & SWP_SOLIDSTATE)) {
		next_slot[si] = next;
		return;
	}

	const cpu = si * NR_CPUS + smp_processor_id();
	const prev = cluster_next_cpu[cpu]!;
	/* Into another swapper address_space: into any, so that CPUs do not meet in one. */
	if (prev >> SWAP_ADDRESS_SPACE_SHIFT !== next >> SWAP_ADDRESS_SPACE_SHIFT) {
		if (highest_bit[si] <= lowest_bit[si])
			return;
		next = lowest_bit[si] + randomBelow(highest_bit[si] - lowest_bit[si] + 1);
		next -= next % SWAP_ADDRESS_SPACE_PAGES;
		if (next < lowest_bit[si])
			next = lowest_bit[si];
	}
	cluster_next_cpu[cpu] = next;
}

/* The labels of scan_swap_map_slots() */
const TO_CHECKS = 0, TO_SCAN = 1, TO_DONE = 2, TO_NO_PAGE = 3;

/**
 * Find up to nr free slots and give each `usage`.
 * @returns how many; the entries are in slots[0..]
 * @ported v5.10
 */
function scan_swap_map_slots(
	si: swap_info_struct, usage: number, nr: number, slots: { [index: number]: swp_entry_t },
): number {
	const map = slot_base[si];
	const offset = scan_offset;
	const info = clusters_of(si);
	let last_in_cluster = 0;
	let latency_ration = LATENCY_LIMIT;
	let n_ret = 0;
	let scanned_many = false;
	let label = TO_CHECKS;

	si_flags[si] += SWP_SCANNING;
	/* Each CPU has its own place on a device without seeks. */
	scan_base.v = si_flags[si] & SWP_SOLIDSTATE
		? cluster_next_cpu[si * NR_CPUS + smp_processor_id()]! : next_slot[si];
	offset.v = scan_base.v;

	if (info >= 0) {
		if (!scan_swap_map_try_ssd_cluster(si, offset, scan_base))
			label = TO_SCAN;
	} else if (!cluster_nr[si]--) {
		find_empty: {
			if (si_pages[si] - inuse_pages[si] < SWAPFILE_CLUSTER) {
				cluster_nr[si] = SWAPFILE_CLUSTER - 1;
				break find_empty;
			}
			/* Seeks are dear: search from the start, to keep the span small. */
			scan_base.v = offset.v = lowest_bit[si];
			last_in_cluster = offset.v + SWAPFILE_CLUSTER - 1;

			for (; last_in_cluster <= highest_bit[si]; offset.v++) {
				if (swap_map[map + offset.v]) {
					last_in_cluster = offset.v + SWAPFILE_CLUSTER;
				} else if (offset.v === last_in_cluster) {
					offset.v -= SWAPFILE_CLUSTER - 1;
					next_slot[si] = offset.v;
					cluster_nr[si] = SWAPFILE_CLUSTER - 1;
					break find_empty;
				}
				if (--latency_ration < 0)
					latency_ration = LATENCY_LIMIT;
			}

			offset.v = scan_base.v;
			cluster_nr[si] = SWAPFILE_CLUSTER - 1;
		}
	}

	scanning: for (;;) {
		checks: while (label === TO_CHECKS) {
			if (info >= 0) {
				while (scan_swap_map_ssd_cluster_conflict(si, offset.v)) {
					/* Some slots are better than a search for more. */
					if (n_ret) {
						label = TO_DONE;
						break checks;
					}
					if (!scan_swap_map_try_ssd_cluster(si, offset, scan_base)) {
						label = TO_SCAN;
						break checks;
					}
				}
			}
			if (!(si_flags[si] & SWP_WRITEOK) || !highest_bit[si]) {
				label = TO_NO_PAGE;
				break checks;
			}
			if (offset.v > highest_bit[si])
				scan_base.v = offset.v = lowest_bit[si];

			/* Swap is short: slots that only the swap cache uses are taken back. */
			if (vm_swap_full() && swap_map[map + offset.v] === SWAP_HAS_CACHE) {
				if (__try_to_reclaim_swap(si, offset.v, TTRS_ANYWAY))
					continue checks;
				label = TO_SCAN;
				break checks;
			}

			if (swap_map[map + offset.v]) {
				label = n_ret ? TO_DONE : TO_SCAN;
				break checks;
			}
			swap_map[map + offset.v] = usage;
			inc_cluster_info_page(si, info, offset.v);

			swap_range_alloc(si, offset.v, 1);
			slots[n_ret++] = swp_entry(si_type[si], offset.v);

			if (n_ret === nr || offset.v >= highest_bit[si]) {
				label = TO_DONE;
				break checks;
			}

			if (--latency_ration < 0) {
				if (n_ret) {
					label = TO_DONE;
					break checks;
				}
				latency_ration = LATENCY_LIMIT;
			}

			if (info >= 0) {
				if (scan_swap_map_try_ssd_cluster(si, offset, scan_base))
					continue checks;
			} else if (cluster_nr[si] && !swap_map[map + ++offset.v]) {
				--cluster_nr[si];
				continue checks;
			}

			/* No free cluster is left: a quick look nearby, unless there were many. */
			if (!scanned_many) {
				const scan_limit =
					offset.v < scan_base.v ? scan_base.v : highest_bit[si];
				for (; offset.v <= scan_limit && --latency_ration > 0; offset.v++)
					if (!swap_map[map + offset.v])
						continue checks;
			}
			label = TO_DONE;
		}

		if (label === TO_DONE) {
			set_cluster_next(si, offset.v + 1);
			break scanning;
		}
		if (label === TO_NO_PAGE)
			break scanning;

		/* scan: */
		while (++offset.v <= highest_bit[si]) {
			const ent = swap_map[map + offset.v];

			if (!ent || (vm_swap_full() && ent === SWAP_HAS_CACHE)) {
				label = TO_CHECKS;
				continue scanning;
			}
			if (--latency_ration < 0) {
				latency_ration = LATENCY_LIMIT;
				scanned_many = true;
			}
		}
		offset.v = lowest_bit[si];
		while (offset.v < scan_base.v) {
			const ent = swap_map[map + offset.v];

			if (!ent || (vm_swap_full() && ent === SWAP_HAS_CACHE)) {
				label = TO_CHECKS;
				continue scanning;
			}
			if (--latency_ration < 0) {
				latency_ration = LATENCY_LIMIT;
				scanned_many = true;
			}
			offset.v++;
		}
		break scanning;
	}

	si_flags[si] -= SWP_SCANNING;
	return n_ret;
}

/** A whole cluster for a huge page. @ported v5.10 */
function swap_alloc_cluster(
	si: swap_info_struct, slot: { [index: number]: swp_entry_t },
): number {
	/* Without clusters the list is all zeros, which is not empty. */
	if (!has_clusters[si] || cluster_list_empty(si))
		return 0;

	const idx = cluster_list_first(si);
	const offset = idx * SWAPFILE_CLUSTER;
	const ci = lock_cluster(si, offset);
	alloc_cluster(si, idx);
	cluster_set_count_flag(ci, SWAPFILE_CLUSTER, CLUSTER_FLAG_HUGE);

	const map = slot_base[si] + offset;
	swap_map.fill(SWAP_HAS_CACHE, map, map + SWAPFILE_CLUSTER);
	swap_range_alloc(si, offset, SWAPFILE_CLUSTER);
	slot[0] = swp_entry(si_type[si], offset);
	return 1;
}

/** @ported v5.10 */
function swap_free_cluster(si: swap_info_struct, idx: number): void {
	const offset = idx * SWAPFILE_CLUSTER;
	const ci = lock_cluster(si, offset);
	const map = slot_base[si] + offset;

	swap_map.fill(0, map, map + SWAPFILE_CLUSTER);
	cluster_set_count_flag(ci, 0, 0);
	free_cluster(si, idx);
	swap_range_free(si, offset, SWAPFILE_CLUSTER);
}

/**
 * Up to n_goal slots, each with SWAP_HAS_CACHE, from the available device of highest priority.
 * @returns how many; the entries are in swap_entries[0..]
 * @ported v5.10
 */
export function get_swap_pages(
	n_goal: number, swap_entries: { [index: number]: swp_entry_t }, entry_size: number,
): number {
	const size = entry_size;
	let n_ret = 0;

	WARN_ON_ONCE(n_goal > 1 && size === SWAPFILE_CLUSTER, 'more than one cluster is asked for');

	const avail_pgs = Math.trunc(nr_swap_pages.v / size);
	if (avail_pgs <= 0)
		return n_ret;

	if (n_goal > SWAP_BATCH)
		n_goal = SWAP_BATCH;
	if (n_goal > avail_pgs)
		n_goal = avail_pgs;

	nr_swap_pages.v -= n_goal * size;

	check_out: {
		start_over: for (;;) {
			const node = numa_node_id();
			const head = swap_avail_heads(node);

			for (let n = list_next[head], next; n !== head; n = next) {
				const si = swap_infos.avail_lists.row_of(n) as swap_info_struct;

				next = list_next[n];
				/* plist_requeue(): behind its equals */
				list_del_init(n);
				plist_add(n, head, avail_list_prio);
				nextsi: {
					if (!highest_bit[si] || !(si_flags[si] & SWP_WRITEOK)) {
						if (list_empty(n))
							break nextsi;
						BUG('an available device is full or off');
					}
					if (size === SWAPFILE_CLUSTER) {
						if (si_flags[si] & SWP_BLKDEV)
							n_ret = swap_alloc_cluster(si,
								swap_entries);
					} else {
						n_ret = scan_swap_map_slots(
							si, SWAP_HAS_CACHE, n_goal, swap_entries);
					}
					if (n_ret || size === SWAPFILE_CLUSTER)
						break check_out;
				}
				/* The list may have changed under the scan. */
				if (list_empty(next))
					continue start_over;
			}
			break;
		}
	}

	if (n_ret < n_goal)
		nr_swap_pages.v += (n_goal - n_ret) * size;
	return n_ret;
}

/** @ported v5.10 */
function __swap_info_get(entry: swp_entry_t): swap_info_struct {
	if (!entry)
		return NO_SI;
	const p = swp_swap_info(entry);
	if (!p)
		BUG(`swap_info_get: bad swap file entry ${entry}`);
	if (!(si_flags[p] & SWP_USED))
		BUG(`swap_info_get: unused swap file entry ${entry}`);
	if (swp_offset(entry) >= si_max[p])
		BUG(`swap_info_get: bad swap offset entry ${entry}`);
	return p;
}

/** @ported v5.10 */
function _swap_info_get(entry: swp_entry_t): swap_info_struct {
	const p = __swap_info_get(entry);

	if (!p)
		return p;
	if (!swap_map[slot_base[p] + swp_offset(entry)])
		BUG(`swap_info_get: unused swap offset entry ${entry}`);
	return p;
}

/** @ported v5.10 */
function __swap_entry_free_locked(p: swap_info_struct, offset: number, usage: number): number {
	const at = slot_base[p] + offset;
	let count = swap_map[at]!;
	let has_cache = count & SWAP_HAS_CACHE;

	count &= ~SWAP_HAS_CACHE;

	if (usage === SWAP_HAS_CACHE) {
		if (!has_cache)
			BUG(`swap slot ${offset} loses a cache reference it has not`);
		has_cache = 0;
	} else if (count === SWAP_MAP_SHMEM) {
		count = 0;
	} else if ((count & ~COUNT_CONTINUED) <= SWAP_MAP_MAX) {
		if (count === COUNT_CONTINUED) {
			if (swap_count_continued(p, offset, count))
				count = SWAP_MAP_MAX | COUNT_CONTINUED;
			else
				count = SWAP_MAP_MAX;
		} else {
			if (count === 0)
				BUG(`swap slot ${offset} is freed once too often`);
			count--;
		}
	}

	usage = count | has_cache;
	/* Nobody may allocate it before swap_entry_free(). */
	swap_map[at] = usage || SWAP_HAS_CACHE;
	return usage;
}

/**
 * The device of an entry; NULL when it is no entry of a device in use.
 * @ported v5.10
 */
export function get_swap_device(entry: swp_entry_t): swap_info_struct {
	if (!entry)
		return NO_SI;
	const si = swp_swap_info(entry);
	if (!si)
		BUG(`get_swap_device: bad swap file entry ${entry}`);
	if (!(si_flags[si] & SWP_VALID))
		return NO_SI;
	if (swp_offset(entry) >= si_max[si])
		return NO_SI;
	return si;
}

/** @ported v5.10 include/linux/swap.h:put_swap_device() */
export function put_swap_device(_si: swap_info_struct): void {
}

/** @ported v5.10 */
function __swap_entry_free(p: swap_info_struct, entry: swp_entry_t): number {
	const usage = __swap_entry_free_locked(p, swp_offset(entry), 1);

	if (!usage)
		free_swap_slot(entry);
	return usage;
}

/** @ported v5.10 */
function swap_entry_free(p: swap_info_struct, entry: swp_entry_t): void {
	const offset = swp_offset(entry);
	const at = slot_base[p] + offset;

	if (swap_map[at] !== SWAP_HAS_CACHE)
		BUG(`swap slot ${offset} is freed while in use`);
	swap_map[at] = 0;
	dec_cluster_info_page(p, clusters_of(p), offset);

	mem_cgroup_uncharge_swap(entry, 1);
	swap_range_free(p, offset, 1);
}

/** One reference to the slot less. @ported v5.10 */
export function swap_free(entry: swp_entry_t): void {
	const p = _swap_info_get(entry);

	if (p)
		__swap_entry_free(p, entry);
}

/** The page has left the swap cache: drop SWAP_HAS_CACHE. @ported v5.10 */
export function put_swap_page(page: page, entry: swp_entry_t): void {
	const offset = swp_offset(entry);
	const idx = Math.trunc(offset / SWAPFILE_CLUSTER);
	const size = thp_nr_pages(page);

	const si = _swap_info_get(entry);
	if (!si)
		return;

	if (size === SWAPFILE_CLUSTER) {
		const ci = lock_cluster(si, offset), map = slot_base[si] + offset;
		let free_entries = 0;

		VM_BUG_ON(!cluster_is_huge(ci), 'a huge page has no cluster of its own');
		for (let i = 0; i < SWAPFILE_CLUSTER; i++) {
			const val = swap_map[map + i]!;

			VM_BUG_ON(!(val & SWAP_HAS_CACHE),
				'a cached cluster has a slot that is not');
			if (val === SWAP_HAS_CACHE)
				free_entries++;
		}
		cluster_clear_huge(ci);
		if (free_entries === SWAPFILE_CLUSTER) {
			mem_cgroup_uncharge_swap(entry, SWAPFILE_CLUSTER);
			swap_free_cluster(si, idx);
			return;
		}
	}
	for (let i = 0; i < size; i++, entry++)
		if (!__swap_entry_free_locked(si, offset + i, SWAP_HAS_CACHE))
			free_swap_slot(entry);
}

/** Give slots whose last user is gone back to their devices. @ported v5.10 */
export function swapcache_free_entries(
	entries: { [index: number]: swp_entry_t }, first: number, n: number,
): void {
	if (n <= 0)
		return;

	/* By device, as the kernel sorts them; entries of one keep their order. */
	if (nr_swapfiles.v > 1)
		sort_by_type(entries, first, n);
	for (let i = first; i < first + n; ++i) {
		const p = _swap_info_get(entries[i]!);

		if (p)
			swap_entry_free(p, entries[i]!);
	}
}

/**
 * @reduced lib/sort.c:sort() of entries by type: heapsort in the kernel, which shuffles the
 * entries of one device; their order among themselves decides nothing but the order in which
 * clusters that this call empties come onto the free list
 */
function sort_by_type(
	entries: { [index: number]: swp_entry_t }, first: number, n: number,
): void {
	for (let i = first + 1; i < first + n; i++) {
		const entry = entries[i]!;
		let j = i;

		for (; j > first && swp_type(entries[j - 1]!) > swp_type(entry); j--)
			entries[j] = entries[j - 1]!;
		entries[j] = entry;
	}
}

/** Page-table entries and such that refer to a cached page's slot. @ported v5.10 */
export function page_swapcount(page: page): number {
	const entry = page_private[page];
	const p = _swap_info_get(entry);

	if (p)
		return swap_count(swap_map[slot_base[p] + swp_offset(entry)]!);
	return 0;
}

/** @ported v5.10 */
export function __swap_count(entry: swp_entry_t): number {
	const si = get_swap_device(entry);

	if (si)
		return swap_count(swap_map[slot_base[si] + swp_offset(entry)]!);
	return 0;
}

/** @ported v5.10 */
function swap_swapcount(si: swap_info_struct, entry: swp_entry_t): number {
	return swap_count(swap_map[slot_base[si] + swp_offset(entry)]!);
}

/** @ported v5.10 */
export function __swp_swapcount(entry: swp_entry_t): number {
	const si = get_swap_device(entry);

	if (si)
		return swap_swapcount(si, entry);
	return 0;
}

/** How often a slot is referred to, continuations counted. @ported v5.10 */
export function swp_swapcount(entry: swp_entry_t): number {
	const p = _swap_info_get(entry);

	if (!p)
		return 0;

	let offset = swp_offset(entry);
	let count = swap_count(swap_map[slot_base[p] + offset]!);
	if (!(count & COUNT_CONTINUED))
		return count;

	count &= ~COUNT_CONTINUED;
	let n = SWAP_MAP_MAX + 1;

	const head = swap_map_head(p, offset);
	offset &= PAGE_SIZE - 1;
	VM_BUG_ON(!swap_map_pages.continued[head], 'a continued slot has no continuation');
	let node = swap_map_pages.lru(head), tmp_count: number;
	do {
		node = list_next[node];
		tmp_count = ram_bytes[cont_map(node) + offset]!;

		count += (tmp_count & ~COUNT_CONTINUED) * n;
		n *= SWAP_CONT_MAX + 1;
	} while (tmp_count & COUNT_CONTINUED);
	return count;
}

/** @ported v5.10 */
function swap_page_trans_huge_swapped(si: swap_info_struct, entry: swp_entry_t): boolean {
	const map = slot_base[si];
	const roffset = swp_offset(entry);
	const offset = roffset - roffset % SWAPFILE_CLUSTER;
	const ci = lock_cluster(si, offset);

	if (ci < 0 || !cluster_is_huge(ci))
		return swap_count(swap_map[map + roffset]!) !== 0;
	for (let i = 0; i < SWAPFILE_CLUSTER; i++)
		if (swap_count(swap_map[map + offset + i]!))
			return true;
	return false;
}

/** @ported v5.10 */
function page_swapped(page: page): boolean {
	if (!PageTransCompound(page))
		return page_swapcount(page) !== 0;

	page = compound_head(page);
	const entry = page_private[page];
	const si = _swap_info_get(entry);
	if (si)
		return swap_page_trans_huge_swapped(si, entry);
	return false;
}

/** @reduced pages that are not huge: the sum of a page's mappings and its swap entries */
function page_trans_huge_map_swapcount(
	page: page, total_mapcount: out<number> | undefined, total_swapcount: out<number>,
): number {
	let swapcount = 0;

	const mapcount = page_trans_huge_mapcount(page, total_mapcount);
	if (PageSwapCache(page))
		swapcount = page_swapcount(page);
	total_swapcount.v = swapcount;
	return mapcount + swapcount;
}

const total_mapcount: out<number> = { v: 0 };
const total_swapcount: out<number> = { v: 0 };

/**
 * A locked anonymous page can be written to without a copy: nobody else has it. Its swap is freed
 * then, since it will not be read again.
 * @ported v5.10
 */
export function reuse_swap_page(page: page, total_map_swapcount?: out<number>): boolean {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is to be reused but is not locked');
	if (PageKsm(page))
		return false;
	const count = page_trans_huge_map_swapcount(page, total_mapcount, total_swapcount);
	if (total_map_swapcount)
		total_map_swapcount.v = total_mapcount.v + total_swapcount.v;
	if (count === 1 && PageSwapCache(page) &&
	    (!PageTransCompound(page) || total_swapcount.v === page_swapcount(page))) {
		if (!PageWriteback(page)) {
			page = compound_head(page);
			delete_from_swap_cache(page);
			SetPageDirty(page);
		} else {
			const p = _swap_info_get(page_private[page]);

			if (si_flags[p] & SWP_STABLE_WRITES)
				return false;
		}
	}
	return count <= 1;
}

/**
 * Take a locked page out of the swap cache if nothing refers to its slot. 1 when it is out.
 * @ported v5.10
 */
export function try_to_free_swap(page: page): number {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is to leave swap but is not locked');

	if (!PageSwapCache(page))
		return 0;
	if (PageWriteback(page))
		return 0;
	if (page_swapped(page))
		return 0;

	page = compound_head(page);
	delete_from_swap_cache(page);
	SetPageDirty(page);
	return 1;
}

/**
 * As swap_free(), and free the cached page too if that was its last user. False when the entry's
 * device is gone.
 * @ported v5.10
 */
export function free_swap_and_cache(entry: swp_entry_t): boolean {
	if (non_swap_entry(entry))
		return true;

	const p = get_swap_device(entry);
	if (p) {
		if (WARN_ON_ONCE(!swap_map[slot_base[p] + swp_offset(entry)],
			`swap slot ${swp_offset(entry)} is freed but not in use`))
			return false;

		const count = __swap_entry_free(p, entry);
		if (count === SWAP_HAS_CACHE && !swap_page_trans_huge_swapped(p, entry))
			__try_to_reclaim_swap(p, swp_offset(entry), TTRS_UNMAPPED | TTRS_FULL);
	}
	return p !== 0;
}

/** @custom pte_same_as_swp(): soft-dirty of a swap pte does not count */
function pte_same_as_swp(pte: number, entry: swp_entry_t): boolean {
	return is_swap_pte(ram[pte]!) && pte_to_swp_entry(ram[pte]!, ram[pte + 1]!) === entry;
}

/** 1 when the entry was there. @reduced no KSM copy */
function unuse_pte(
	vma: vm_area_struct, pmd: number, addr: number, entry: swp_entry_t, page: page,
): number {
	const mm = vmas.vm_mm[vma];
	const pte = pte_offset_map(pmd, addr);

	if (!pte_same_as_swp(pte, entry))
		return 0;

	dec_mm_counter(mm, MM_SWAPENTS);
	inc_mm_counter(mm, MM_ANONPAGES);
	get_page(page);
	set_pte_at(mm, addr, pte, pte_mkold(mk_pte(page, vmas.vm_page_prot[vma])),
		vmas.vm_page_prot_nx[vma] ? NX_HI : 0);
	page_add_anon_rmap(page, vma, addr, false);
	swap_free(entry);
	return 1;
}

/* A vm_fault of no fault: what swap readahead does not read of one. */
const unuse_fault: Readonly<vm_fault> = { vma: NULL, flags: 0, gfp_mask: 0, pgoff: 0, address: 0,
	pmd: 0, pud: 0, orig_pte: 0, orig_pte_hi: 0, cow_page: NULL, page: NULL, pte: 0,
	prealloc_pte: NULL };

/** @ported v5.10 */
function unuse_pte_range(
	vma: vm_area_struct, pmd: number, addr: number, end: number, type: number,
): number {
	const si = swap_info(type);

	do {
		const pte = pte_offset_map(pmd, addr);

		if (!is_swap_pte(ram[pte]!))
			continue;

		const entry = pte_to_swp_entry(ram[pte]!, ram[pte + 1]!);
		if (swp_type(entry) !== type)
			continue;

		let page = lookup_swap_cache(entry, vma, addr);
		if (!page) {
			const vmf = { ...unuse_fault, vma, address: addr, pmd };

			page = swapin_readahead(entry, GFP_HIGHUSER_MOVABLE, vmf);
		}
		if (!page) {
			const count = swap_map[slot_base[si] + swp_offset(entry)];

			if (count === 0 || count === SWAP_MAP_BAD)
				continue;
			return -ENOMEM;
		}

		lock_page_or_put(page);
		wait_on_page_writeback(page);
		unuse_pte(vma, pmd, addr, entry, page);
		try_to_free_swap(page);
		unlock_page(page);
		put_page(page);
	} while (addr += PAGE_SIZE, addr !== end);
	return 0;
}

/** @ported v5.10 */
function unuse_pmd_range(
	vma: vm_area_struct, pud: number, addr: number, end: number, type: number,
): number {
	let pmd = pmd_offset(pud, addr), next: number;

	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (pmd_none(ram[pmd]!) || pmd_bad(ram[pmd]!))
			continue;
		const ret = unuse_pte_range(vma, pmd, addr, next, type);
		if (ret)
			return ret;
	} while (pmd += 2, addr = next, addr !== end);
	return 0;
}

/** @ported v5.10 */
function unuse_pud_range(
	vma: vm_area_struct, p4d: number, addr: number, end: number, type: number,
): number {
	let pud = pud_offset(p4d, addr), next: number;

	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (pud_none(ram[pud]!))
			continue;
		const ret = unuse_pmd_range(vma, pud, addr, next, type);
		if (ret)
			return ret;
	} while (pud += 2, addr = next, addr !== end);
	return 0;
}

/** @ported v5.10 unuse_p4d_range() is folded in: four levels */
function unuse_vma(vma: vm_area_struct, type: number): number {
	const end = vmas.vm_end[vma];
	let addr = vmas.vm_start[vma], next: number;
	let pgd = pgd_offset_pgd(mms.pgd[vmas.vm_mm[vma]], addr);

	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (pgd_none(ram[pgd]!))
			continue;
		const ret = unuse_pud_range(vma, pgd, addr, next, type);
		if (ret)
			return ret;
	} while (pgd += 2, addr = next, addr !== end);
	return 0;
}

/** @ported v5.10 */
function unuse_mm(mm: mm_struct, type: number): number {
	let ret = 0;

	mmap_read_lock(mm);
	try {
		for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma]) {
			if (vmas.anon_vma[vma]) {
				ret = unuse_vma(vma, type);
				if (ret)
					break;
			}
		}
	} finally {
		mmap_read_unlock(mm);
	}
	return ret;
}

/** The next slot in use after prev, 0 for none. @ported v5.10 */
function find_next_to_unuse(si: swap_info_struct, prev: number): number {
	for (let i = prev + 1; i < si_max[si]; i++) {
		const count = swap_map[slot_base[si] + i]!;

		if (count && swap_count(count) !== SWAP_MAP_BAD)
			return i;
	}
	return 0;
}

/** @custom include/linux/sched/signal.h:signal_pending() of the only signal there is */
function signal_pending(): boolean {
	return current() !== 0 && tasks.sigkill[current()] !== 0;
}

/**
 * Bring everything on a device back. 0 or -errno.
 * @ported v5.10
 * @throws WouldBlock when what is left is held by somebody who is in the middle of something
 */
export function try_to_unuse(type: number): number {
	const si = swap_info(type);

	if (!inuse_pages[si])
		return 0;

	retry: for (;;) {
		const inuse_before = inuse_pages[si];
		let retval = shmem_unuse(type);
		if (retval)
			return retval;

		let prev_mm = 0 as mm_struct;
		let p = init_mm_mmlist;
		while (inuse_pages[si] && !signal_pending() &&
		       (p = list_next[p]) !== init_mm_mmlist) {
			const mm = mms.mmlist.container_of(p);

			if (!mmget_not_zero(mm))
				continue;
			if (prev_mm)
				mmput(prev_mm);
			prev_mm = mm;
			try {
				retval = unuse_mm(mm, type);
			} catch (error) {
				mmput(prev_mm);
				throw error;
			}
			if (retval) {
				mmput(prev_mm);
				return retval;
			}
		}
		if (prev_mm)
			mmput(prev_mm);

		let i = 0;
		while (inuse_pages[si] && !signal_pending() &&
		       (i = find_next_to_unuse(si, i)) !== 0) {
			const entry = swp_entry(type, i);
			const page = find_get_page(swap_address_space(entry), i);

			if (!page)
				continue;
			lock_page_or_put(page);
			wait_on_page_writeback(page);
			try_to_free_swap(page);
			unlock_page(page);
			put_page(page);
		}

		/* More may have come meanwhile, or an exiting mm be about to free its own. */
		if (inuse_pages[si]) {
			if (signal_pending())
				return -EINTR;
			if (inuse_pages[si] === inuse_before)
				throw new WouldBlock(
					`${inuse_before} slots of swap device ${type}`);
			continue retry;
		}
		return 0;
	}
}

/** @ported v5.10 */
function drain_mmlist(): void {
	for (let type = 0; type < nr_swapfiles.v; type++)
		if (inuse_pages[swap_info(type)])
			return;
	for (let p = list_next[init_mm_mmlist], next; p !== init_mm_mmlist; p = next) {
		next = list_next[p];
		list_del_init(p);
	}
}

/** @ported v5.10 */
function swap_node(p: swap_info_struct): number {
	return bdevs.node_id[swap_infos.bdev[p]];
}

/** @ported v5.10 */
function setup_swap_info(p: swap_info_struct, prio: number): void {
	if (prio >= 0)
		si_prio[p] = prio;
	else
		si_prio[p] = --least_priority.v;
	/* a plist begins with its lowest, swap with its highest */
	list_prio[p] = -si_prio[p];
	for (let i = 0; i < MAX_NUMNODES; i++) {
		const at = p * MAX_NUMNODES + i;

		if (si_prio[p] >= 0)
			avail_prio[at] = -si_prio[p];
		else if (swap_node(p) === i)
			avail_prio[at] = 1;
		else
			avail_prio[at] = -si_prio[p];
	}
}

/** @ported v5.10 */
function _enable_swap_info(p: swap_info_struct): void {
	si_flags[p] |= SWP_WRITEOK | SWP_VALID;
	nr_swap_pages.v += si_pages[p];
	total_swap_pages.v += si_pages[p];

	plist_add(swap_infos.list(p), swap_active_head, active_prio);
	add_to_avail_list(p);
}

/** @ported v5.10 */
function enable_swap_info(p: swap_info_struct, prio: number): void {
	setup_swap_info(p, prio);
	_enable_swap_info(p);
}

/** @ported v5.10 */
function reinsert_swap_info(p: swap_info_struct): void {
	setup_swap_info(p, si_prio[p]);
	_enable_swap_info(p);
}

/** @ported v5.10 */
export function has_usable_swap(): boolean {
	return !list_empty(swap_active_head);
}

/**
 * The system call, of a device. 0 or -errno.
 * @reduced no overcommit check: the default mode refuses only more than all memory and swap;
 * no name, no file
 */
export function swapoff(bdev: block_device): number {
	let p = NO_SI;

	for (let n = list_next[swap_active_head]; n !== swap_active_head; n = list_next[n]) {
		const si = swap_infos.list.container_of(n);

		if ((si_flags[si] & SWP_WRITEOK) && swap_infos.bdev[si] === bdev) {
			p = si;
			break;
		}
	}
	if (!p)
		return -EINVAL;

	del_from_avail_list(p);
	if (si_prio[p] < 0) {
		for (let n = list_next[swap_infos.list(p)]; n !== swap_active_head;
		     n = list_next[n]) {
			const si = swap_infos.list.container_of(n);

			si_prio[si]++;
			list_prio[si]--;
			for (let nid = 0; nid < MAX_NUMNODES; nid++)
				if (avail_prio[si * MAX_NUMNODES + nid] !== 1)
					avail_prio[si * MAX_NUMNODES + nid]!--;
		}
		least_priority.v++;
	}
	list_del_init(swap_infos.list(p));
	nr_swap_pages.v -= si_pages[p];
	total_swap_pages.v -= si_pages[p];
	si_flags[p] &= ~SWP_WRITEOK;

	disable_swap_slots_cache_lock();

	const task = current();
	let err: number;
	if (task)
		tasks.flags[task] |= PF_OOM_ORIGIN;
	try {
		err = try_to_unuse(si_type[p]);
	} catch (error) {
		reinsert_swap_info(p);
		reenable_swap_slots_cache_unlock();
		throw error;
	} finally {
		if (task)
			tasks.flags[task] &= ~PF_OOM_ORIGIN;
	}

	if (err) {
		reinsert_swap_info(p);
		reenable_swap_slots_cache_unlock();
		return err;
	}

	reenable_swap_slots_cache_unlock();

	si_flags[p] &= ~SWP_VALID;

	if (si_flags[p] & SWP_CONTINUED)
		free_swap_count_continuations(p);

	if (!bdev_nonrot(swap_infos.bdev[p]))
		nr_rotate_swap.v--;

	drain_mmlist();

	VM_BUG_ON(si_flags[p] >= SWP_SCANNING, 'a swap device goes away under a scan');
	swap_cgroup_swapoff(si_type[p]);
	exit_swap_address_space(si_type[p]);
	swap_map.fill(0, slot_base[p], slot_base[p] + si_max[p]);
	clear_clusters(p);
	highest_bit[p] = 0;
	si_max[p] = 0;
	has_clusters[p] = 0;
	bdevs.claimed[bdev] = 0;
	swap_infos.bdev[p] = 0 as block_device;
	si_flags[p] = 0;
	return 0;
}

/** @custom kvfree() of si->cluster_info, whose elements the next device there expects zero */
function clear_clusters(p: swap_info_struct): void {
	const first = slot_base[p] / SWAPFILE_CLUSTER;

	cluster_info.fill(0, first, first + Math.ceil(si_max[p] / SWAPFILE_CLUSTER));
}

/** NULL where all types are in use. @ported v5.10 */
function alloc_swap_info(): swap_info_struct {
	let type = 0;

	for (; type < nr_swapfiles.v; type++)
		if (!(si_flags[swap_info(type)] & SWP_USED))
			break;
	if (type >= MAX_SWAPFILES)
		return NO_SI;
	const p = swap_info(type);
	if (type >= nr_swapfiles.v) {
		si_type[p] = type;
		nr_swapfiles.v++;
	}
	INIT_LIST_HEAD(swap_infos.list(p));
	for (let i = 0; i < MAX_NUMNODES; i++)
		INIT_LIST_HEAD(swap_infos.avail_lists(p, i));
	si_flags[p] = SWP_USED;
	return p;
}

/** @ported v5.10 of a block device */
function claim_swapfile(p: swap_info_struct, bdev: block_device): number {
	if (bdevs.claimed[bdev])
		return -EBUSY;
	bdevs.claimed[bdev] = 1;
	swap_infos.bdev[p] = bdev;
	si_flags[p] |= SWP_BLKDEV;
	return 0;
}

/* union swap_header: words of the first page */
const HEADER_VERSION = 256, HEADER_LAST_PAGE = 257, HEADER_NR_BADPAGES = 258,
	HEADER_BADPAGES = 384, MAGIC_WORD = 1021;
/* the bytes "SWAPSPACE2" at PAGE_SIZE - 10, in words; the first has two other bytes below */
const MAGIC = [0x57530000 | 0, 0x50535041, 0x32454341] as const;
const MAX_SWAP_BADPAGES = (4086 - HEADER_BADPAGES * 4) / 4 | 0;

/**
 * Write a swap header to a device, as mkswap does.
 * @custom
 * @param nr_pages size of the area with its header, at most that of the device
 * @param badpages pages that must not be used
 */
export function mkswap(
	bdev: block_device, nr_pages = bdevs.size[bdev], badpages: readonly number[] = [],
): number {
	const words = new Int32Array(PAGE_SIZE / 4);

	BUG_ON(badpages.length > MAX_SWAP_BADPAGES, 'too many bad pages for a swap header');
	words[HEADER_VERSION] = 1;
	words[HEADER_LAST_PAGE] = nr_pages - 1;
	words[HEADER_NR_BADPAGES] = badpages.length;
	words.set(badpages, HEADER_BADPAGES);
	words.set(MAGIC, MAGIC_WORD);
	return blkdev_poke(bdev, 0, 0, words);
}

/** Pages of the area with its header, 0 for a bad header. @reduced of this machine's endianness */
function read_swap_header(p: swap_info_struct, bdev: block_device): number {
	if ((blkdev_peek(bdev, 0, MAGIC_WORD) & ~0xffff) !== MAGIC[0] ||
	    blkdev_peek(bdev, 0, MAGIC_WORD + 1) !== MAGIC[1] ||
	    blkdev_peek(bdev, 0, MAGIC_WORD + 2) !== MAGIC[2])
		return 0;
	if (blkdev_peek(bdev, 0, HEADER_VERSION) !== 1)
		return 0;

	lowest_bit[p] = 1;
	next_slot[p] = 1;
	cluster_nr[p] = 0;

	const last_page = blkdev_peek(bdev, 0, HEADER_LAST_PAGE) >>> 0;
	if (!last_page)
		return 0;
	const maxpages = last_page + 1;
	highest_bit[p] = maxpages - 1;

	if (maxpages > bdevs.size[bdev])
		return 0;
	if (blkdev_peek(bdev, 0, HEADER_NR_BADPAGES) >>> 0 > MAX_SWAP_BADPAGES)
		return 0;
	return maxpages;
}

const L1_CACHE_BYTES = 64, SIZEOF_SWAP_CLUSTER_INFO = 8;
const SWAP_CLUSTER_INFO_COLS = Math.ceil(L1_CACHE_BYTES / SIZEOF_SWAP_CLUSTER_INFO);
const SWAP_CLUSTER_SPACE_COLS = Math.ceil(SWAP_ADDRESS_SPACE_PAGES / SWAPFILE_CLUSTER);
const SWAP_CLUSTER_COLS = Math.max(SWAP_CLUSTER_INFO_COLS, SWAP_CLUSTER_SPACE_COLS);

/** @ported v5.10 */
function setup_swap_map_and_extents(
	p: swap_info_struct, bdev: block_device, info: swap_cluster_info, maxpages: number,
): number {
	const map = slot_base[p];
	const nr_clusters = Math.ceil(maxpages / SWAPFILE_CLUSTER);
	const col = Math.trunc(next_slot[p] / SWAPFILE_CLUSTER) % SWAP_CLUSTER_COLS;
	let nr_good_pages = maxpages - 1;

	cluster_list_init(p);

	for (let i = 0; i < blkdev_peek(bdev, 0, HEADER_NR_BADPAGES); i++) {
		const page_nr = blkdev_peek(bdev, 0, HEADER_BADPAGES + i) >>> 0;

		if (page_nr === 0 || page_nr > blkdev_peek(bdev, 0, HEADER_LAST_PAGE) >>> 0)
			return -EINVAL;
		if (page_nr < maxpages) {
			swap_map[map + page_nr] = SWAP_MAP_BAD;
			nr_good_pages--;
			inc_cluster_info_page(p, info, page_nr);
		}
	}

	for (let i = maxpages; i < nr_clusters * SWAPFILE_CLUSTER; i++)
		inc_cluster_info_page(p, info, i);

	if (nr_good_pages) {
		swap_map[map] = SWAP_MAP_BAD;
		inc_cluster_info_page(p, info, 0);
		si_max[p] = maxpages;
		si_pages[p] = nr_good_pages;
	} else {
		return -EINVAL;
	}

	if (info < 0)
		return 1;

	/* Neighbours on the free list lie in different address_spaces. */
	for (let k = 0; k < SWAP_CLUSTER_COLS; k++) {
		const j = (k + col) % SWAP_CLUSTER_COLS;

		for (let i = 0; i < Math.ceil(nr_clusters / SWAP_CLUSTER_COLS); i++) {
			const idx = i * SWAP_CLUSTER_COLS + j;

			if (idx >= nr_clusters)
				continue;
			if (cluster_count(info + idx))
				continue;
			cluster_set_flag(info + idx, CLUSTER_FLAG_FREE);
			cluster_list_add_tail(p, info, idx);
		}
	}
	return 1;
}

/**
 * Where nr slots are free in swap_map for a device: the lowest such place, -1 for none.
 * @custom vzalloc() of si->swap_map
 */
function alloc_slots(nr: number): number {
	let base = 0;

	for (let again = true; again;) {
		again = false;
		for (let type = 0; type < nr_swapfiles.v; type++) {
			const si = swap_info(type), end = slot_base[si] + si_max[si];

			if (!(si_flags[si] & SWP_VALID) || base >= end ||
				base + nr <= slot_base[si])
				continue;
			base = Math.ceil(end / SLOT_BASE_ALIGN) * SLOT_BASE_ALIGN;
			again = true;
		}
	}
	return base + nr <= SWAP_SLOTS_MAX ? base : -1;
}

/**
 * The system call, of a device with a swap header. 0 or -errno.
 * @param swap_flags SWAP_FLAG_*
 * @reduced the header is not read through the page cache, whose page reclaim would soon find; no
 * discard
 */
export function swapon(bdev: block_device, swap_flags: number): number {
	if (swap_flags & ~SWAP_FLAGS_VALID)
		return -EINVAL;

	const p = alloc_swap_info();
	if (!p)
		return -EPERM;

	let inced_nr_rotate_swap = false, placed = false;
	let maxpages = 0;
	let error = claim_swapfile(p, bdev);
	if (error) {
		si_flags[p] = 0;
		return error;
	}

	bad_swap: {
		maxpages = read_swap_header(p, bdev);
		if (!maxpages) {
			error = -EINVAL;
			break bad_swap;
		}

		const base = alloc_slots(maxpages);
		if (base < 0) {
			error = -ENOMEM;
			break bad_swap;
		}
		slot_base[p] = base;
		placed = true;
		const end = base + Math.ceil(maxpages / SWAPFILE_CLUSTER) * SWAPFILE_CLUSTER;
		if (end > swap_map_slots.v)
			swap_map_slots.v = end < SWAP_SLOTS_MAX ? end : SWAP_SLOTS_MAX;

		if (bdev_has_rw_page(bdev))
			si_flags[p] |= SWP_SYNCHRONOUS_IO;

		if (bdev_nonrot(bdev)) {
			si_flags[p] |= SWP_SOLIDSTATE;
			for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
				cluster_next_cpu[p * NR_CPUS + cpu] = 1 + randomBelow(
					highest_bit[p]);
				percpu_cluster_set_null(p, cpu);
			}
			has_clusters[p] = 1;
		} else {
			nr_rotate_swap.v++;
			inced_nr_rotate_swap = true;
		}

		error = swap_cgroup_swapon(si_type[p], maxpages);
		if (error)
			break bad_swap;

		const nr_extents = setup_swap_map_and_extents(p, bdev, clusters_of(p), maxpages);
		if (nr_extents < 0) {
			error = nr_extents;
			break bad_swap;
		}

		error = init_swap_address_space(si_type[p], maxpages);
		if (error)
			break bad_swap;

		let prio = -1;
		if (swap_flags & SWAP_FLAG_PREFER)
			prio = swap_flags & SWAP_FLAG_PRIO_MASK;
		enable_swap_info(p, prio);
		enable_swap_slots_cache();
		return 0;
	}

	if (placed) {
		si_max[p] = maxpages;
		swap_map.fill(0, slot_base[p], slot_base[p] + maxpages);
		clear_clusters(p);
	}
	si_max[p] = 0;
	has_clusters[p] = 0;
	bdevs.claimed[bdev] = 0;
	swap_infos.bdev[p] = 0 as block_device;
	si_flags[p] = 0;
	if (inced_nr_rotate_swap)
		nr_rotate_swap.v--;
	return error;
}

/** struct sysinfo, as much of it as swap fills in; in pages. */
export interface sysinfo {
	freeswap: number;
	totalswap: number;
}

/** @ported v5.10 */
export function si_swapinfo(val: sysinfo): void {
	let nr_to_be_unused = 0;

	for (let type = 0; type < nr_swapfiles.v; type++) {
		const si = swap_info(type);

		if ((si_flags[si] & SWP_USED) && !(si_flags[si] & SWP_WRITEOK))
			nr_to_be_unused += inuse_pages[si];
	}
	val.freeswap = nr_swap_pages.v + nr_to_be_unused;
	val.totalswap = total_swap_pages.v + nr_to_be_unused;
}

/**
 * One more reference to a slot, or SWAP_HAS_CACHE. 0, or -EINVAL no such slot, -ENOENT not in
 * use, -EEXIST cached already, -ENOMEM a continuation is needed.
 * @ported v5.10
 */
function __swap_duplicate(entry: swp_entry_t, usage: number): number {
	const p = get_swap_device(entry);

	if (!p)
		return -EINVAL;

	const offset = swp_offset(entry);
	const at = slot_base[p] + offset;
	let count = swap_map[at]!;
	let err = 0;

	/* Readahead asks for slots without knowing whose they are. */
	if (swap_count(count) === SWAP_MAP_BAD)
		return -ENOENT;

	let has_cache = count & SWAP_HAS_CACHE;
	count &= ~SWAP_HAS_CACHE;

	if (usage === SWAP_HAS_CACHE) {
		if (!has_cache && count)
			has_cache = SWAP_HAS_CACHE;
		else if (has_cache)
			err = -EEXIST;
		else
			err = -ENOENT;
	} else if (count || has_cache) {
		if ((count & ~COUNT_CONTINUED) < SWAP_MAP_MAX)
			count += usage;
		else if ((count & ~COUNT_CONTINUED) > SWAP_MAP_MAX)
			err = -EINVAL;
		else if (swap_count_continued(p, offset, count))
			count = COUNT_CONTINUED;
		else
			err = -ENOMEM;
	} else {
		err = -ENOENT;
	}

	swap_map[at] = count | has_cache;
	return err;
}

/** @ported v5.10 */
export function swap_shmem_alloc(entry: swp_entry_t): void {
	__swap_duplicate(entry, SWAP_MAP_SHMEM);
}

/** 0, or -ENOMEM for want of a continuation page. @ported v5.10 */
export function swap_duplicate(entry: swp_entry_t): number {
	let err = 0;

	while (!err && __swap_duplicate(entry, 1) === -ENOMEM)
		err = add_swap_count_continuation(entry, GFP_ATOMIC);
	return err;
}

/** 0; -EEXIST: the slot is cached; -ENOENT: it is not in use. @ported v5.10 */
export function swapcache_prepare(entry: swp_entry_t): number {
	return __swap_duplicate(entry, SWAP_HAS_CACHE);
}

/** @ported v5.10 */
export function swp_swap_info(entry: swp_entry_t): swap_info_struct {
	return swap_type_to_swap_info(swp_type(entry));
}

/** @ported v5.10 */
export function page_swap_info(page: page): swap_info_struct {
	return swp_swap_info(page_private[page]);
}

/** @reduced a block device's own mapping is not modelled; only swap files' callers ask */
export function __page_file_mapping(page: page): address_space {
	return BUG(`page ${page} of the swap cache is asked for its swap file`);
}

/** @ported v5.10 */
export function __page_file_index(page: page): number {
	return swp_offset(page_private[page]);
}

/** @custom vmalloc_to_page(si->swap_map + offset) */
function swap_map_head(si: swap_info_struct, offset: number): swap_map_page {
	const head = 1 + Math.trunc((slot_base[si] + offset) / PAGE_SIZE) as swap_map_page;

	use_rows(swap_map_pages, head + 1);
	return head;
}

/** @custom kmap_atomic() of the continuation page whose lru is `node` */
function cont_map(node: list_head): number {
	return pages.lru.container_of(node) << FRAME_WORDS_SHIFT << 2 >>> 0;
}

/**
 * Have a page hung on the map that the counts of a slot and its neighbours can carry into. 0 or
 * -ENOMEM.
 * @ported v5.10
 */
export function add_swap_count_continuation(entry: swp_entry_t, gfp_mask: gfp_t): number {
	let ret = 0;
	let page = alloc_page(gfp_mask | __GFP_HIGHMEM);
	const si = get_swap_device(entry);

	outer: {
		if (!si)
			break outer;

		let offset = swp_offset(entry);
		let count = swap_map[slot_base[si] + offset]! & ~SWAP_HAS_CACHE;

		if ((count & ~COUNT_CONTINUED) !== SWAP_MAP_MAX)
			break outer;

		if (!page) {
			ret = -ENOMEM;
			break outer;
		}

		const head = swap_map_head(si, offset);
		const lru = swap_map_pages.lru(head);
		offset &= PAGE_SIZE - 1;

		if (!swap_map_pages.continued[head]) {
			BUG_ON((count & COUNT_CONTINUED) !== 0, 'a count goes on where nothing is');
			INIT_LIST_HEAD(lru);
			swap_map_pages.continued[head] = 1;
			si_flags[si] |= SWP_CONTINUED;
		}

		for (let node = list_next[lru]; node !== lru; node = list_next[node]) {
			/* There is one already, of a neighbour. */
			if (!(count & COUNT_CONTINUED))
				break outer;

			count = ram_bytes[cont_map(node) + offset]!;
			if ((count & ~COUNT_CONTINUED) !== SWAP_CONT_MAX)
				break outer;
		}

		list_add_tail(pages.lru(page), lru);
		page = 0 as page;
	}
	if (page)
		__free_page(page);
	return ret;
}

/**
 * Carry into a slot's continuation, or borrow from it: counting on in base 128.
 * @returns incremented: whether there was room; decremented: whether there is more
 * @ported v5.10
 */
function swap_count_continued(si: swap_info_struct, offset: number, count: number): boolean {
	const head = swap_map_head(si, offset);

	if (!swap_map_pages.continued[head]) {
		BUG_ON((count & COUNT_CONTINUED) !== 0, 'a count goes on where nothing is');
		return false;
	}

	const first = swap_map_pages.lru(head);
	const { prev: list_prev } = list_heads;
	offset &= PAGE_SIZE - 1;
	let page = list_next[first];
	let map = cont_map(page) + offset;

	if (count === SWAP_MAP_MAX || count === (SWAP_MAP_MAX | COUNT_CONTINUED)) {
		let init_map = count === SWAP_MAP_MAX;

		if (!init_map) {
			/* a carry goes through all that are full */
			while (ram_bytes[map] === (SWAP_CONT_MAX | COUNT_CONTINUED)) {
				page = list_next[page];
				BUG_ON(page === first,
					'a count goes on behind the last continuation');
				map = cont_map(page) + offset;
			}
			if (ram_bytes[map] === SWAP_CONT_MAX) {
				page = list_next[page];
				if (page === first)
					return false;
				map = cont_map(page) + offset;
				init_map = true;
			}
		}
		if (init_map)
			ram_bytes[map] = 0;
		ram_bytes[map]! += 1;
		while ((page = list_prev[page]) !== first)
			ram_bytes[cont_map(page) + offset] = COUNT_CONTINUED;
		return true;
	}

	/* a borrow goes through all that are empty */
	BUG_ON(count !== COUNT_CONTINUED, 'a count that is not zero borrows');
	while (ram_bytes[map] === COUNT_CONTINUED) {
		page = list_next[page];
		BUG_ON(page === first, 'a count goes on behind the last continuation');
		map = cont_map(page) + offset;
	}
	BUG_ON(ram_bytes[map] === 0, 'a count borrows from nothing');
	ram_bytes[map]! -= 1;
	if (ram_bytes[map] === 0)
		count = 0;
	while ((page = list_prev[page]) !== first) {
		ram_bytes[cont_map(page) + offset] = SWAP_CONT_MAX | count;
		count = COUNT_CONTINUED;
	}
	return count === COUNT_CONTINUED;
}

/** @ported v5.10 */
function free_swap_count_continuations(si: swap_info_struct): void {
	for (let offset = 0; offset < si_max[si]; offset += PAGE_SIZE) {
		const head = swap_map_head(si, offset);

		if (!swap_map_pages.continued[head])
			continue;
		const lru = swap_map_pages.lru(head);
		for (let node = list_next[lru], next; node !== lru; node = next) {
			next = list_next[node];
			list_del(node);
			__free_page(pages.lru.container_of(node));
		}
		swap_map_pages.continued[head] = 0;
	}
}

/** @reduced no block cgroup is ever congested, so nobody is throttled */
export function cgroup_throttle_swaprate(_page: page, _gfp_mask: gfp_t): void {
}

/** Boot. @ported v5.10 */
export function swapfile_init(): void {
	swap_heads_init();
	least_priority.v = -1;
}
