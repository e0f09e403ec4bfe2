// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file system of ours, on block devices: each file is one run of pages of the device, reserved
 * when it is made; it has no directories and writes nothing but the files' pages. In place of
 * ext2 with fs/mpage.c, v5.10, whose way with pages it has, save that no page ever has buffers.
 */
import { EINVAL, ENOMEM, ENOSPC } from '../lib/errno.ts';
import { kmem_cache_free, kmem_cache_zalloc, s32, struct, to, type ptr } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { clear_frame } from '../arch/ram.ts';
import { DISKFS_AOPS } from './a_ops.ts';
import { bdev_read_page, bdev_write_page, bdevs, bio_alloc_page, blkdev_clear, MPAGE_END_IO,
	REQ_OP_READ, REQ_OP_WRITE, submit_bio, type block_device } from './blkdev.ts';
import { grab_cache_page_write_begin } from './filemap.ts';
import { alloc_file, clear_nlink, DISKFS_SB, i_size_read, i_size_write, ihold, iput, new_inode,
	O_RDWR, S_IFREG, zero_user_segment } from './fs.ts';
import { page_mapping, put_page } from './mm.ts';
import { address_spaces, inodes, NULL, pages, type address_space, type file, type inode, type page }
	from './mm_types.ts';
import { PageLocked, PageUptodate, SetPageUptodate } from './page_flags.ts';
import { unlock_page, wait_on_page_locked } from './pagemap.ts';
import { set_page_dirty, set_page_writeback, type writeback_control } from './page-writeback.ts';
import { truncate_inode_pages_final, truncate_setsize } from './truncate.ts';

type extent = ptr<'diskfs_extent'>;
const extents = struct<extent>()('diskfs_extent', 1 << 14, {
	bdev: to<block_device>(),
	/* in pages of the device */
	start: s32,
	nr_pages: s32,
});

/**
 * Make a file of `size` bytes, all zeros.
 * @custom
 * @param max_size how large it may grow, in bytes
 * @returns NULL where the device has no room or no inode is left; its one link is a reference
 */
export function diskfs_create(bdev: block_device, size: number, max_size = size): inode {
	const nr_pages = Math.ceil(max_size / PAGE_SIZE);

	if (bdevs.fs_used[bdev] + nr_pages > bdevs.size[bdev])
		return NULL;
	const inode = new_inode(DISKFS_SB);
	if (!inode)
		return inode;
	const extent = kmem_cache_zalloc(extents);
	if (!extent) {
		clear_nlink(inode);
		iput(inode);
		return NULL;
	}
	extents.bdev[extent] = bdev;
	extents.start[extent] = bdevs.fs_used[bdev];
	extents.nr_pages[extent] = nr_pages;
	bdevs.fs_used[bdev] += nr_pages;
	bdevs.claimed[bdev] = 1;
	inodes.i_private[inode] = extent;
	inodes.i_mode[inode] = S_IFREG | 0o644;
	inodes.i_size[inode] = size;
	address_spaces.a_ops[inodes.i_mapping[inode]] = DISKFS_AOPS;
	return inode;
}

/** Open it; NULL for none left. @custom */
export function diskfs_open(inode: inode, flags = O_RDWR): file {
	ihold(inode);
	const file = alloc_file(inode, flags);
	if (!file)
		iput(inode);
	return file;
}

/** Remove its link: it goes when the last one closes it. Its room is not used again. @custom */
export function diskfs_unlink(inode: inode): void {
	clear_nlink(inode);
	iput(inode);
}

/** @custom in place of fs/ext2/inode.c:ext2_evict_inode() */
export function diskfs_evict_inode(inode: inode): void {
	truncate_inode_pages_final(inodes.i_mapping[inode]);
	if (inodes.i_private[inode])
		kmem_cache_free(extents, inodes.i_private[inode] as extent);
	inodes.i_private[inode] = 0;
}

/** Set the size, in bytes. 0 or -errno. @custom fs/ext2/inode.c:ext2_setsize() */
export function diskfs_setsize(inode: inode, newsize: number): number {
	const extent = inodes.i_private[inode] as extent;

	if (newsize > extents.nr_pages[extent] * PAGE_SIZE)
		return -ENOSPC;
	const oldsize = i_size_read(inode);
	truncate_setsize(inode, newsize);
	/* What lay beyond the end must not come back when the file grows again. */
	for (let pos = newsize; pos < oldsize; pos += PAGE_SIZE - pos % PAGE_SIZE)
		blkdev_clear(extents.bdev[extent],
			extents.start[extent] + Math.floor(pos / PAGE_SIZE), pos % PAGE_SIZE);
	return 0;
}

/** Where a page of a file is on its device. @custom one run of pages a file */
function get_block(mapping: address_space, index: number): number {
	return extents.start[inodes.i_private[address_spaces.host[mapping]] as extent] + index;
}
/** @custom inode->i_sb->s_bdev */
export function diskfs_bdev(inode: inode): block_device {
	return extents.bdev[inodes.i_private[inode] as extent];
}
/** @custom mapping->host->i_sb->s_bdev */
function bdev_of(mapping: address_space): block_device {
	return diskfs_bdev(address_spaces.host[mapping]);
}

/**
 * Start reading a locked page; it is unlocked when that ends.
 * @custom fs/mpage.c:mpage_readpage()
 */
export function diskfs_readpage(page: page): number {
	const mapping = page_mapping(page), index = pages.index[page];

	if (index * PAGE_SIZE >= i_size_read(address_spaces.host[mapping])) {
		clear_frame(page);
		SetPageUptodate(page);
		unlock_page(page);
		return 0;
	}
	const bdev = bdev_of(mapping), block = get_block(mapping, index);
	if (!bdev_read_page(bdev, block, page))
		return 0;
	const bio = bio_alloc_page(bdev, block, page, REQ_OP_READ, MPAGE_END_IO);
	if (!bio) {
		unlock_page(page);
		return -ENOMEM;
	}
	submit_bio(bio);
	return 0;
}

/** Start writing a locked page; it is unlocked. @custom fs/mpage.c:mpage_writepage() */
export function diskfs_writepage(page: page, wbc: writeback_control): number {
	const mapping = page_mapping(page), index = pages.index[page];
	const i_size = i_size_read(address_spaces.host[mapping]);
	const end_index = Math.floor(i_size / PAGE_SIZE);

	if (index >= end_index) {
		const offset = i_size % PAGE_SIZE;

		/* Beyond the end: truncated, and about to go. */
		if (index > end_index || !offset) {
			unlock_page(page);
			return 0;
		}
		zero_user_segment(page, offset, PAGE_SIZE);
	}
	const bdev = bdev_of(mapping), block = get_block(mapping, index);
	if (!bdev_write_page(bdev, block, page, wbc))
		return 0;
	const bio = bio_alloc_page(bdev, block, page, REQ_OP_WRITE, MPAGE_END_IO);
	if (!bio) {
		set_page_dirty(page);
		unlock_page(page);
		return -ENOMEM;
	}
	set_page_writeback(page);
	unlock_page(page);
	submit_bio(bio);
	return 0;
}

/**
 * The page to write to, locked, with a reference; or -errno.
 * @custom fs/libfs.c:simple_write_begin()
 */
export function diskfs_write_begin(
	mapping: address_space, pos: number, len: number, _flags: number,
): number {
	const extent = inodes.i_private[address_spaces.host[mapping]] as extent;

	if (pos < 0)
		return -EINVAL;
	if (pos + len > extents.nr_pages[extent] * PAGE_SIZE)
		return -ENOSPC;

	for (;;) {
		const page = grab_cache_page_write_begin(mapping, Math.floor(pos / PAGE_SIZE));

		if (!page)
			return -ENOMEM;
		if (PageUptodate(page) || len === PAGE_SIZE)
			return page;
		/* Only a part is to be written: the rest must be read. */
		const err = diskfs_readpage(page);
		if (PageLocked(page))
			wait_on_page_locked(page);
		const uptodate = PageUptodate(page);
		put_page(page);
		if (err || !uptodate)
			return err || -EINVAL;
	}
}

/** Bytes written. @custom in place of fs/libfs.c:simple_write_end() */
export function diskfs_write_end(
	mapping: address_space, pos: number, len: number, copied: number, page: page,
): number {
	const inode = address_spaces.host[mapping];

	if (!PageUptodate(page)) {
		if (copied < len)
			zero_user_segment(page, pos % PAGE_SIZE + copied, pos % PAGE_SIZE + len);
		SetPageUptodate(page);
	}
	if (pos + copied > i_size_read(inode))
		i_size_write(inode, pos + copied);
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
	return copied;
}
