// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files on block devices: each is one run of pages of the device, reserved when it is made, of
 * which the blocks that are allocated are known; there are no directories, and nothing but the
 * files' pages is written. In place of where ext4 keeps blocks and inodes; what ext4 does with
 * pages is in ext4.ts.
 */
import { carve, DISK_BYTES_MAX } from '../lib/arena.ts';
import { EINVAL, ENOSPC } from '../lib/errno.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc, s32, struct, to, type ptr }
	from '../lib/struct.ts';
import { xa_marked } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { DISKFS_AOPS } from './a_ops.ts';
import { bdevs, blkdev_clear, type block_device } from './blkdev.ts';
import { filemap_write_and_wait_range, PAGECACHE_TAG_DIRTY } from './filemap.ts';
import { alloc_file, clear_nlink, DISKFS_SB, i_size_read, ihold, iput, new_inode, O_RDWR, S_IFREG }
	from './fs.ts';
import { address_spaces, inodes, NULL, type address_space, type file, type inode }
	from './mm_types.ts';
import { truncate_inode_pages_final, truncate_pagecache_range, truncate_setsize }
	from './truncate.ts';

/* By the place of its page in the map of all devices: 1 for a block of a file. */
const allocated_used = global_s32('diskfs.allocated_used');
const allocated = carve(
	'diskfs.allocated', Uint8Array, DISK_BYTES_MAX / PAGE_SIZE, () => allocated_used.v);

type extent = ptr<'diskfs_extent'>;
const extents = struct<extent>()('diskfs_extent', 1 << 14, {
	bdev: to<block_device>(),
	/* in pages of the device */
	start: s32,
	nr_pages: s32,
});

/**
 * Make a file of `size` bytes, all zeros, in blocks of its own.
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
	for (let index = 0; index < Math.ceil(size / PAGE_SIZE); index++)
		diskfs_allocate(inode, index);
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

/** @custom in place of fs/ext4/inode.c:ext4_evict_inode() */
export function diskfs_evict_inode(inode: inode): void {
	truncate_inode_pages_final(inodes.i_mapping[inode]);
	if (inodes.i_private[inode])
		kmem_cache_free(extents, inodes.i_private[inode] as extent);
	inodes.i_private[inode] = 0;
}

/** Set the size, in bytes. 0 or -errno. @custom the part of fs/ext4/inode.c:ext4_setattr() */
export function diskfs_setsize(inode: inode, newsize: number): number {
	const extent = inodes.i_private[inode] as extent;

	if (newsize > extents.nr_pages[extent] * PAGE_SIZE)
		return -ENOSPC;
	const oldsize = i_size_read(inode);
	truncate_setsize(inode, newsize);
	/* What lay beyond the end must not come back when the file grows again. */
	free_blocks(inode, Math.ceil(newsize / PAGE_SIZE), Math.ceil(oldsize / PAGE_SIZE));
	if (newsize % PAGE_SIZE && newsize < oldsize)
		blkdev_clear(extents.bdev[extent],
			extents.start[extent] + Math.floor(newsize / PAGE_SIZE),
			newsize % PAGE_SIZE);
	return 0;
}

/** Where a page of a file is on its device, allocated or not. @custom one run of pages a file */
export function diskfs_block(inode: inode, index: number): number {
	return extents.start[inodes.i_private[inode] as extent] + index;
}

/** @custom inode->i_sb->s_bdev */
export function diskfs_bdev(inode: inode): block_device {
	return extents.bdev[inodes.i_private[inode] as extent];
}

/** @custom of a block in the bitmap */
function bit_of(inode: inode, index: number): number {
	return bdevs.map_base[diskfs_bdev(inode)] + diskfs_block(inode, index);
}

/** Whether a page of a file has a block on the device: else it is a hole. @custom */
export function diskfs_is_allocated(inode: inode, index: number): boolean {
	return allocated[bit_of(inode, index)] !== 0;
}

/** Give a page of a file a block, which nobody has written to yet. @custom */
export function diskfs_allocate(inode: inode, index: number): void {
	const bit = bit_of(inode, index);

	allocated[bit] = 1;
	allocated_used.v = Math.max(allocated_used.v, bit + 1);
}

/** 0, or -EINVAL or -ENOSPC where a file cannot be written to. @custom */
export function diskfs_may_write(mapping: address_space, pos: number, len: number): number {
	const extent = inodes.i_private[address_spaces.host[mapping]] as extent;

	if (pos < 0)
		return -EINVAL;
	return pos + len > extents.nr_pages[extent] * PAGE_SIZE ? -ENOSPC : 0;
}

/**
 * Make a hole of a range of bytes, of whole pages; the size stays. 0 or -errno.
 * @reduced fs/ext4/inode.c:ext4_punch_hole() of whole blocks
 */
export function diskfs_punch_hole(inode: inode, offset: number, length: number): number {
	const mapping = inodes.i_mapping[inode];
	const pages = Math.ceil(i_size_read(inode) / PAGE_SIZE);
	const end = Math.min(offset + length, pages * PAGE_SIZE);

	/* Before it is known how much of it is a hole: what is dirty is written out. */
	if (xa_marked(mapping, PAGECACHE_TAG_DIRTY)) {
		const err = filemap_write_and_wait_range(mapping, offset, offset + length - 1);

		if (err)
			return err;
	}
	/* No need to punch beyond the end. */
	if (offset >= i_size_read(inode))
		return 0;
	if (end > offset) {
		truncate_pagecache_range(inode, offset, end - 1);
		free_blocks(inode, offset / PAGE_SIZE, end / PAGE_SIZE);
	}
	return 0;
}

/** Blocks first to end - 1 become a hole. @custom */
function free_blocks(inode: inode, first: number, end: number): void {
	if (end > first)
		allocated.fill(0, bit_of(inode, first), bit_of(inode, first) + end - first);
}
