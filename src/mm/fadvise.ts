// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/fadvise.c, v5.10
 * Left out: pipes, DAX, a file system's own ->fadvise(); the system call is the sim's.
 */
import { EINVAL } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { inode_write_congested } from './absent.ts';
import { bdevs, type block_device } from './blkdev.ts';
import { __filemap_fdatawrite_range } from './filemap.ts';
import { file_inode, FMODE_RANDOM, inode_to_bdi } from './fs.ts';
import { address_spaces, files, inodes, type file } from './mm_types.ts';
import { WB_SYNC_NONE } from './page-writeback.ts';
import { force_page_cache_readahead } from './readahead.ts';
import { lru_add_drain, lru_add_drain_all } from './swap.ts';
import { invalidate_mapping_pages, invalidate_mapping_pagevec } from './truncate.ts';

export const POSIX_FADV_NORMAL = 0, POSIX_FADV_RANDOM = 1, POSIX_FADV_SEQUENTIAL = 2,
	POSIX_FADV_WILLNEED = 3, POSIX_FADV_DONTNEED = 4, POSIX_FADV_NOREUSE = 5;

/**
 * Advice about a part of a file, in bytes.
 * @param len 0: to the end
 * @returns 0, or -EINVAL
 * @reduced no pipes, no DAX
 */
export function generic_fadvise(file: file, offset: number, len: number, advice: number): number {
	const inode = file_inode(file);
	const mapping = files.f_mapping[file];

	if (!mapping || len < 0)
		return -EINVAL;

	const bdi = inode_to_bdi(address_spaces.host[mapping]) as block_device;

	/* without a disk below it, as shmem: taken, and of no effect */
	if (bdi === 0)
		return advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE ? -EINVAL : 0;

	const endbyte = len ? offset + len - 1 : Number.MAX_SAFE_INTEGER;

	switch (advice) {
	case POSIX_FADV_NORMAL:
		files.ra_pages[file] = bdevs.ra_pages[bdi];
		files.f_mode[file] &= ~FMODE_RANDOM;
		break;
	case POSIX_FADV_RANDOM:
		files.f_mode[file] |= FMODE_RANDOM;
		break;
	case POSIX_FADV_SEQUENTIAL:
		files.ra_pages[file] = bdevs.ra_pages[bdi] * 2;
		files.f_mode[file] &= ~FMODE_RANDOM;
		break;
	case POSIX_FADV_WILLNEED: {
		/* partial pages at both ends with the others */
		const start_index = Math.floor(offset / PAGE_SIZE);
		const end_index = Math.floor(endbyte / PAGE_SIZE);

		force_page_cache_readahead(mapping, file, start_index, end_index - start_index + 1);
		break;
	}
	case POSIX_FADV_NOREUSE:
		break;
	case POSIX_FADV_DONTNEED: {
		if (!inode_write_congested(address_spaces.host[mapping]))
			__filemap_fdatawrite_range(mapping, offset, endbyte, WB_SYNC_NONE);

		/* whole pages only; at the end of the file a part is the whole */
		const start_index = Math.ceil(offset / PAGE_SIZE);
		let end_index = Math.floor(endbyte / PAGE_SIZE);
		if (endbyte % PAGE_SIZE !== PAGE_SIZE - 1 && endbyte !== inodes.i_size[inode] - 1) {
			if (end_index === 0)
				break;

			end_index--;
		}

		if (end_index >= start_index) {
			const nr_pagevec: out<number> = { v: 0 };

			/* advice given right after the read finds the pages in this CPU's batch */
			lru_add_drain();

			invalidate_mapping_pagevec(mapping, start_index, end_index, nr_pagevec);

			/* those that stayed may be in a batch of another CPU */
			if (nr_pagevec.v) {
				lru_add_drain_all();
				invalidate_mapping_pages(mapping, start_index, end_index);
			}
		}
		break;
	}
	default:
		return -EINVAL;
	}
	return 0;
}

/** @reduced no file system has its own ->fadvise() */
export function vfs_fadvise(file: file, offset: number, len: number, advice: number): number {
	return generic_fadvise(file, offset, len, advice);
}
