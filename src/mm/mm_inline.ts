// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/mm_inline.h, v5.10
 * Lock order modelled: every function here runs under the lruvec's lru_lock in the kernel.
 */
import { list_add, list_add_tail, list_del } from '../lib/list.ts';
import { __mod_lruvec_state, mem_cgroup_update_lru_size } from './memcontrol.ts';
import { page_zonenum } from './mm.ts';
import { pages, VM_RAND_READ, VM_SEQ_READ, vmas, type page, type vm_area_struct }
	from './mm_types.ts';
import { LRU_ACTIVE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, LRU_UNEVICTABLE, lruvec_pgdat, lruvecs,
	NR_LRU_BASE, NR_ZONE_LRU_BASE, pgdats, type lruvec, type zone } from './mmzone.ts';
import { ClearPageActive, ClearPageUnevictable, PageActive, PageSwapBacked, PageUnevictable,
	thp_nr_pages } from './page_flags.ts';
import { __mod_zone_page_state } from './vmstat.ts';

const { lru: page_lru_node } = pages;
const { lists } = lruvecs;

/**
 * 1 for page cache of a file system and for lazily freed anonymous pages, 0 for what is swapped:
 * anonymous memory and shmem.
 * @ported v5.10
 */
export function page_is_file_lru(page: page): number {
	return PageSwapBacked(page) ? 0 : 1;
}

/**
 * Whether it says something about the future that an area was accessed.
 * @reduced v6.3; nobody opens a file with POSIX_FADV_NOREUSE
 */
export function vma_has_recency(vma: vm_area_struct): boolean {
	return !(vmas.vm_flags[vma] & (VM_SEQ_READ | VM_RAND_READ));
}

/** @ported v5.10 */
function __update_lru_size(lruvec: lruvec, lru: number, zid: number, nr_pages: number): void {
	const pgdat = lruvec_pgdat(lruvec);

	__mod_lruvec_state(lruvec, NR_LRU_BASE + lru, nr_pages);
	__mod_zone_page_state(
		pgdats.node_zones[pgdat] + zid as zone, NR_ZONE_LRU_BASE + lru, nr_pages);
}

/** @ported v5.10 */
export function update_lru_size(lruvec: lruvec, lru: number, zid: number, nr_pages: number): void {
	__update_lru_size(lruvec, lru, zid, nr_pages);
	mem_cgroup_update_lru_size(lruvec, lru, zid, nr_pages);
}

/** @ported v5.10 */
export function add_page_to_lru_list(page: page, lruvec: lruvec, lru: number): void {
	update_lru_size(lruvec, lru, page_zonenum(page), thp_nr_pages(page));
	list_add(page_lru_node(page), lists(lruvec, lru));
}

/** @ported v5.10 */
export function add_page_to_lru_list_tail(page: page, lruvec: lruvec, lru: number): void {
	update_lru_size(lruvec, lru, page_zonenum(page), thp_nr_pages(page));
	list_add_tail(page_lru_node(page), lists(lruvec, lru));
}

/** @ported v5.10 */
export function del_page_from_lru_list(page: page, lruvec: lruvec, lru: number): void {
	list_del(page_lru_node(page));
	update_lru_size(lruvec, lru, page_zonenum(page), -thp_nr_pages(page));
}

/** @ported v5.10 */
export function page_lru_base_type(page: page): number {
	if (page_is_file_lru(page))
		return LRU_INACTIVE_FILE;
	return LRU_INACTIVE_ANON;
}

/**
 * The list that the page was on. It is about to be freed, so the flag that says so is cleared.
 * @ported v5.10
 */
export function page_off_lru(page: page): number {
	let lru: number;

	if (PageUnevictable(page)) {
		ClearPageUnevictable(page);
		lru = LRU_UNEVICTABLE;
	} else {
		lru = page_lru_base_type(page);
		if (PageActive(page)) {
			ClearPageActive(page);
			lru += LRU_ACTIVE;
		}
	}
	return lru;
}

/** @ported v5.10 */
export function page_lru(page: page): number {
	let lru: number;

	if (PageUnevictable(page)) {
		lru = LRU_UNEVICTABLE;
	} else {
		lru = page_lru_base_type(page);
		if (PageActive(page))
			lru += LRU_ACTIVE;
	}
	return lru;
}
