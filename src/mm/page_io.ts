// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page_io.c, v5.10
 * Left out: swap files (generic_swapfile_activate, SWP_FS_OPS), frontswap, memory stall
 * accounting, block cgroups.
 */
import { VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { ENOMEM } from '../lib/errno.ts';
import { bdev_read_page, bdev_write_page, bio_alloc_page, bios, blk_wait_page_bit,
	END_SWAP_BIO_READ, END_SWAP_BIO_WRITE, REQ_OP_READ, REQ_OP_WRITE, submit_bio, type bio }
	from './blkdev.ts';
import type { page } from './mm_types.ts';
import { ClearPageReclaim, ClearPageUptodate, PageLocked, PageSwapCache, PageUptodate, PG_locked,
	SetPageError, SetPageUptodate, thp_nr_pages } from './page_flags.ts';
import { end_page_writeback, unlock_page } from './pagemap.ts';
import { __set_page_dirty_no_writeback, set_page_dirty, set_page_writeback,
	type writeback_control } from './page-writeback.ts';
import { SWP_SYNCHRONOUS_IO, swap_infos } from './swap_types.ts';
import { page_swap_info, swap_page_sector, try_to_free_swap } from './swapfile.ts';
import { count_vm_event, count_vm_events, PSWPIN, PSWPOUT } from './vmstat.ts';

/** @ported v5.10 */
export function end_swap_bio_write(bio: bio): void {
	const page = bios.bi_page[bio];

	if (bios.bi_status[bio]) {
		SetPageError(page);
		/* It must not be reclaimed: its contents are nowhere else. */
		set_page_dirty(page);
		ClearPageReclaim(page);
	}
	end_page_writeback(page);
}

/** @reduced nobody is woken: who waits for a page lets the devices work until he has it */
export function end_swap_bio_read(bio: bio): void {
	const page = bios.bi_page[bio];

	if (bios.bi_status[bio]) {
		SetPageError(page);
		ClearPageUptodate(page);
	} else {
		SetPageUptodate(page);
	}
	unlock_page(page);
}

/**
 * Write a locked page of the swap cache out; it is unlocked. 0 or -errno.
 * @reduced no frontswap, no architecture hook
 */
export function swap_writepage(page: page, wbc: writeback_control): number {
	/* Nobody refers to the slot any more: not worth a write. */
	if (try_to_free_swap(page)) {
		unlock_page(page);
		return 0;
	}
	return __swap_writepage(page, wbc);
}

/** @reduced no huge pages to count */
function count_swpout_vm_event(page: page): void {
	count_vm_events(PSWPOUT, thp_nr_pages(page));
}

/** @reduced a block device only, and end_swap_bio_write() as the only end */
export function __swap_writepage(page: page, wbc: writeback_control): number {
	const sis = page_swap_info(page);
	const bdev = swap_infos.bdev[sis];

	VM_BUG_ON_PAGE(!PageSwapCache(page), page, 'is written to swap but is not cached there');

	const ret = bdev_write_page(bdev, swap_page_sector(page), page, wbc);
	if (!ret) {
		count_swpout_vm_event(page);
		return 0;
	}

	const bio = bio_alloc_page(
		bdev, swap_page_sector(page), page, REQ_OP_WRITE, END_SWAP_BIO_WRITE);
	if (!bio) {
		set_page_dirty(page);
		unlock_page(page);
		return -ENOMEM;
	}
	count_swpout_vm_event(page);
	set_page_writeback(page);
	unlock_page(page);
	submit_bio(bio);
	return 0;
}

/**
 * Read a locked page from swap; it is unlocked when that is done.
 * @param synchronous come back only when it is done
 * @reduced a block device only, no frontswap
 */
export function swap_readpage(page: page, synchronous: boolean): number {
	const sis = page_swap_info(page);
	const bdev = swap_infos.bdev[sis];

	VM_BUG_ON_PAGE(!PageSwapCache(page) && !synchronous, page, 'is read ahead but not cached');
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is read but not locked');
	VM_BUG_ON_PAGE(PageUptodate(page), page, 'is read but has its contents');

	if (swap_infos.flags[sis] & SWP_SYNCHRONOUS_IO) {
		const ret = bdev_read_page(bdev, swap_page_sector(page), page);

		if (!ret) {
			count_vm_event(PSWPIN);
			return ret;
		}
	}

	const bio = bio_alloc_page(
		bdev, swap_page_sector(page), page, REQ_OP_READ, END_SWAP_BIO_READ);
	if (!bio) {
		unlock_page(page);
		return -ENOMEM;
	}
	count_vm_event(PSWPIN);
	submit_bio(bio);
	if (synchronous)
		blk_wait_page_bit(page, PG_locked);
	return 0;
}

/** @reduced a block device only */
export function swap_set_page_dirty(page: page): number {
	return __set_page_dirty_no_writeback(page);
}
