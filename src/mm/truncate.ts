// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/truncate.c, v5.10
 * Left out: DAX, cleancache, ->launder_page(), blocks smaller than a page. The end of a range is
 * Infinity where the kernel's is -1: the end of the file, whatever it is.
 * Lock order modelled: page lock > i_mmap_rwsem
 */
import { BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { EBUSY, EIO } from '../lib/errno.ts';
import { nr_rows, type out } from '../lib/struct.ts';
import { XA_INDEX_MAX, xa_is_value, xa_load, xa_store } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { __delete_from_page_cache, delete_from_page_cache, delete_from_page_cache_batch,
	mapping_set_update, pagevec_entries, try_to_release_page, xa_to_page } from './filemap.ts';
import { a_ops_invalidatepage } from './a_ops.ts';
import { i_size_write, zero_user_segment } from './fs.ts';
import { GFP_KERNEL } from './gfp.ts';
import { unmap_mapping_pages, unmap_mapping_range } from './memory.ts';
import { cancel_dirty_page, page_mapped, page_mapping, put_page } from './mm.ts';
import { address_spaces, inodes, pages, type address_space, type inode, type page }
	from './mm_types.ts';
import { PAGEVEC_SIZE, pagevec_page } from './mmzone.ts';
import { ClearPageMappedToDisk, page_has_private, PageDirty, PageWriteback, thp_nr_pages }
	from './page_flags.ts';
import { find_lock_page, lock_page, mapping_set_exiting, page_to_index, trylock_page,
	unlock_page } from './pagemap.ts';
import { wait_on_page_writeback } from './page-writeback.ts';
import { shmem_mapping } from './shmem.ts';
import { deactivate_file_page, lru_add_drain, pagevec_add, pagevec_count, pagevec_enter,
	pagevec_leave, pagevec_reinit } from './swap.ts';
import { remove_mapping } from './vmscan.ts';

const { nrpages, nrexceptional } = address_spaces;

/** @ported v5.10 */
function __clear_shadow_entry(mapping: address_space, index: number, entry: number): void {
	if (xa_load(mapping, index) !== entry)
		return;
	xa_store(mapping, index, 0, mapping_set_update(mapping));
	nrexceptional[mapping]--;
}

/** @ported v5.10 */
function clear_shadow_entry(mapping: address_space, index: number, entry: number): void {
	__clear_shadow_entry(mapping, index, entry);
}

/** @reduced no DAX; the entries stay in the batch, whose release passes over them */
function truncate_exceptional_pvec_entries(
	mapping: address_space, pvec: pagevec_entries, end: number,
): void {
	/* shmem's are swap entries, and its own business */
	if (shmem_mapping(mapping))
		return;

	for (let i = 0; i < pvec.nr; i++) {
		if (!xa_is_value(pvec.entries[i]!))
			continue;
		if (pvec.indices[i]! >= end)
			continue;
		__clear_shadow_entry(mapping, pvec.indices[i]!, pvec.entries[i]!);
	}
}

/** @ported v5.10 */
function invalidate_exceptional_entry(
	mapping: address_space, index: number, entry: number,
): void {
	if (shmem_mapping(mapping))
		return;
	clear_shadow_entry(mapping, index, entry);
}

/** @ported v5.10 */
export function do_invalidatepage(page: page, offset: number, length: number): void {
	a_ops_invalidatepage(page, offset, length);
}

/** @ported v5.10 */
function truncate_cleanup_page(mapping: address_space, page: page): void {
	if (page_mapped(page))
		unmap_mapping_pages(mapping, pages.index[page], thp_nr_pages(page), false);

	if (page_has_private(page))
		do_invalidatepage(page, 0, thp_nr_pages(page) * PAGE_SIZE);

	/* The page is on its way out: its dirt with it. */
	cancel_dirty_page(page);
	ClearPageMappedToDisk(page);
}

/** 1 when it is gone. @ported v5.10 */
function invalidate_complete_page(mapping: address_space, page: page): number {
	if (page_mapping(page) !== mapping)
		return 0;

	if (page_has_private(page) && !try_to_release_page(page, 0))
		return 0;

	return remove_mapping(mapping, page) ? 1 : 0;
}

/** Throw a locked page out of a mapping. 0, or -EIO when it is not in it. @ported v5.10 */
export function truncate_inode_page(mapping: address_space, page: page): number {
	if (page_mapping(page) !== mapping)
		return -EIO;

	truncate_cleanup_page(mapping, page);
	delete_from_page_cache(page);
	return 0;
}

/** 1 when a locked page that nobody needs is gone from its mapping. @ported v5.10 */
export function invalidate_inode_page(page: page): number {
	const mapping = page_mapping(page);

	if (!mapping)
		return 0;
	if (PageDirty(page) || PageWriteback(page))
		return 0;
	if (page_mapped(page))
		return 0;
	return invalidate_complete_page(mapping, page);
}

/**
 * Throw out the pages of a range of bytes; those only partly in it are cleared there.
 * @ported v5.10
 * @param lend last byte, Infinity for all
 */
export function truncate_inode_pages_range(
	mapping: address_space, lstart: number, lend: number,
): void {
	if (nrpages[mapping] === 0 && nrexceptional[mapping] === 0)
		return;

	const whole = lend === Infinity;
	const partial_start = lstart % PAGE_SIZE;
	let partial_end = whole ? 0 : (lend + 1) % PAGE_SIZE;
	const start = Math.ceil(lstart / PAGE_SIZE);
	const end = whole ? XA_INDEX_MAX : Math.floor((lend + 1) / PAGE_SIZE);

	const pvec = new pagevec_entries();
	try {
		let index = start;
		while (index < end &&
		       pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE))) {
			const locked_pvec = pagevec_enter();

			for (let i = 0; i < pvec.nr; i++) {
				const entry = pvec.entries[i]!;

				index = pvec.indices[i]!;
				if (index >= end)
					break;

				if (xa_is_value(entry))
					continue;

				const page = xa_to_page(entry);
				if (!trylock_page(page))
					continue;
				WARN_ON_ONCE(page_to_index(page) !== index,
					`page ${page}: wrong index`);
				if (PageWriteback(page) || page_mapping(page) !== mapping) {
					unlock_page(page);
					continue;
				}
				pagevec_add(locked_pvec, page);
			}
			for (let i = 0; i < pagevec_count(locked_pvec); i++)
				truncate_cleanup_page(mapping, pagevec_page(locked_pvec, i));
			delete_from_page_cache_batch(mapping, locked_pvec);
			for (let i = 0; i < pagevec_count(locked_pvec); i++)
				unlock_page(pagevec_page(locked_pvec, i));
			pagevec_reinit(locked_pvec);
			pagevec_leave(locked_pvec);
			truncate_exceptional_pvec_entries(mapping, pvec, end);
			pvec.release();
			index++;
		}
		if (partial_start) {
			const page = find_lock_page(mapping, start - 1);

			if (page) {
				let top = PAGE_SIZE;

				if (start > end) {
					/* the range begins and ends in this page */
					top = partial_end;
					partial_end = 0;
				}
				wait_on_page_writeback(page);
				zero_user_segment(page, partial_start, top);
				if (page_has_private(page))
					do_invalidatepage(page, partial_start,
						top - partial_start);
				unlock_page(page);
				put_page(page);
			}
		}
		if (partial_end) {
			const page = find_lock_page(mapping, end);

			if (page) {
				wait_on_page_writeback(page);
				zero_user_segment(page, 0, partial_end);
				if (page_has_private(page))
					do_invalidatepage(page, 0, partial_end);
				unlock_page(page);
				put_page(page);
			}
		}
		if (start >= end)
			return;

		index = start;
		for (;;) {
			if (!pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE))) {
				if (index === start)
					break;
				/* Once more, to be sure that all is gone. */
				index = start;
				continue;
			}
			if (index === start && pvec.indices[0]! >= end) {
				pvec.release();
				break;
			}

			for (let i = 0; i < pvec.nr; i++) {
				const entry = pvec.entries[i]!;

				index = pvec.indices[i]!;
				if (index >= end) {
					index = start - 1;
					break;
				}

				if (xa_is_value(entry))
					continue;

				const page = xa_to_page(entry);
				lock_page(page);
				WARN_ON_ONCE(page_to_index(page) !== index,
					`page ${page}: wrong index`);
				wait_on_page_writeback(page);
				truncate_inode_page(mapping, page);
				unlock_page(page);
			}
			truncate_exceptional_pvec_entries(mapping, pvec, end);
			pvec.release();
			index++;
		}
	} finally {
		pvec.leave();
	}
}

/** @ported v5.10 */
export function truncate_inode_pages(mapping: address_space, lstart: number): void {
	truncate_inode_pages_range(mapping, lstart, Infinity);
}

/** @ported v5.10 */
export function truncate_inode_pages_final(mapping: address_space): void {
	/* Reclaim leaves no shadow from here on. */
	mapping_set_exiting(mapping);
	truncate_inode_pages(mapping, 0);
}

/** @ported v5.10 */
function __invalidate_mapping_pages(
	mapping: address_space, start: number, end: number, nr_pagevec: out<number> | null,
): number {
	const pvec = new pagevec_entries();
	let index = start;
	let count = 0;

	while (index <= end &&
	       pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE - 1) + 1)) {
		for (let i = 0; i < pvec.nr; i++) {
			const entry = pvec.entries[i]!;

			index = pvec.indices[i]!;
			if (index > end)
				break;

			if (xa_is_value(entry)) {
				invalidate_exceptional_entry(mapping, index, entry);
				continue;
			}

			const page = xa_to_page(entry);
			if (!trylock_page(page))
				continue;

			WARN_ON_ONCE(page_to_index(page) !== index, `page ${page}: wrong index`);

			const ret = invalidate_inode_page(page);
			unlock_page(page);
			/* Not wanted any more, so at least let reclaim find it soon. */
			if (!ret) {
				deactivate_file_page(page);
				if (nr_pagevec)
					nr_pagevec.v++;
			}
			count += ret;
		}
		pvec.release();
		index++;
	}
	pvec.leave();
	return count;
}

/**
 * Throw out the pages start to end of a file that are clean, not mapped and not in use.
 * @ported v5.10
 * @returns how many are gone
 */
export function invalidate_mapping_pages(
	mapping: address_space, start: number, end: number,
): number {
	return __invalidate_mapping_pages(mapping, start, end, null);
}

/** @param nr_pagevec counts those that stay. @ported v5.10 */
export function invalidate_mapping_pagevec(
	mapping: address_space, start: number, end: number, nr_pagevec: out<number>,
): void {
	__invalidate_mapping_pages(mapping, start, end, nr_pagevec);
}

/** @reduced no ->freepage() */
function invalidate_complete_page2(mapping: address_space, page: page): boolean {
	if (page_mapping(page) !== mapping)
		return false;

	if (page_has_private(page) && !try_to_release_page(page, GFP_KERNEL))
		return false;

	if (PageDirty(page))
		return false;

	__delete_from_page_cache(page, 0);
	put_page(page);
	return true;
}

/**
 * Throw out also what is mapped. 0, or -EBUSY where something stays.
 * @reduced no DAX, no ->launder_page()
 */
export function invalidate_inode_pages2_range(
	mapping: address_space, start: number, end: number,
): number {
	let ret = 0;
	let did_range_unmap = false;

	if (nrpages[mapping] === 0 && nrexceptional[mapping] === 0)
		return ret;

	const pvec = new pagevec_entries();
	try {
		let index = start;
		while (index <= end &&
		       pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE - 1) + 1)) {
			for (let i = 0; i < pvec.nr; i++) {
				const entry = pvec.entries[i]!;

				index = pvec.indices[i]!;
				if (index > end)
					break;

				if (xa_is_value(entry)) {
					invalidate_exceptional_entry(mapping, index, entry);
					continue;
				}

				const page = xa_to_page(entry);
				if (!did_range_unmap && page_mapped(page)) {
					unmap_mapping_pages(mapping, index, 1 + end - index, false);
					did_range_unmap = true;
				}

				lock_page(page);
				if (page_mapping(page) !== mapping) {
					unlock_page(page);
					continue;
				}
				wait_on_page_writeback(page);

				if (page_mapped(page))
					unmap_mapping_pages(mapping, index, thp_nr_pages(page),
						false);
				BUG_ON(page_mapped(page), `page ${page} is mapped and unmapped`);

				if (!invalidate_complete_page2(mapping, page))
					ret = -EBUSY;
				unlock_page(page);
			}
			pvec.release();
			index++;
		}
	} finally {
		pvec.leave();
	}
	return ret;
}

/** @ported v5.10 */
export function invalidate_inode_pages2(mapping: address_space): number {
	return invalidate_inode_pages2_range(mapping, 0, XA_INDEX_MAX);
}

/** @ported v5.10 */
export function truncate_pagecache(inode: inode, newsize: number): void {
	const mapping = inodes.i_mapping[inode];
	const holebegin = Math.ceil(newsize / PAGE_SIZE) * PAGE_SIZE;

	/* Twice: a private copy may be made between. */
	unmap_mapping_range(mapping, holebegin, 0, true);
	truncate_inode_pages(mapping, newsize);
	unmap_mapping_range(mapping, holebegin, 0, true);
}

/** @reduced a block is a page, so pagecache_isize_extended() has nothing to do */
export function truncate_setsize(inode: inode, newsize: number): void {
	i_size_write(inode, newsize);
	truncate_pagecache(inode, newsize);
}

/** @param lend last byte, Infinity for all. @ported v5.10 */
export function truncate_pagecache_range(inode: inode, lstart: number, lend: number): void {
	const mapping = inodes.i_mapping[inode];
	const unmap_start = Math.ceil(lstart / PAGE_SIZE) * PAGE_SIZE;
	const unmap_end = Math.floor((1 + lend) / PAGE_SIZE) * PAGE_SIZE - 1;

	if (unmap_end > unmap_start)
		unmap_mapping_range(mapping, unmap_start,
			unmap_end === Infinity ? 0 : 1 + unmap_end - unmap_start, false);
	truncate_inode_pages_range(mapping, lstart, lend);
}

/**
 * echo 1 > /proc/sys/vm/drop_caches; how many pages are gone.
 * @custom in place of fs/drop_caches.c, which walks inodes by super block
 */
export function drop_pagecache(): number {
	let nr = 0;

	/* Files that are not modelled come first: to let go of their pages drains the batches. */
	lru_add_drain();
	for (let row = 1; row < nr_rows(inodes); row++) {
		const mapping = inodes.i_mapping[row as inode];

		if (mapping && nrpages[mapping])
			nr += invalidate_mapping_pages(mapping, 0, XA_INDEX_MAX);
	}
	return nr;
}
