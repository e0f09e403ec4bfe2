// SPDX-License-Identifier: GPL-2.0-only
/*
 * fs/buffer.c and include/linux/buffer_head.h, v5.10, as far as pages of files go
 * A block is a page, so a page has one buffer at most, and a loop over the buffers of a page is
 * gone: a buffer_head is the row of its page, and its state lies there (pages.b_state).
 * Left out: the cache of a device's own blocks, the buffers of an inode that are written with it,
 * references to buffers (nobody keeps one), the charge of a buffer_head (kernel memory is not
 * modelled), so also buffer_heads_over_limit.
 * Lock order modelled: page lock > buffer lock
 */
import { BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { EFAULT, EIO } from '../lib/errno.ts';
import { xa_set_mark } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { BH_END_READ_ASYNC, BH_END_READ_SYNC, bio_alloc_page, blk_complete, REQ_OP_READ,
	submit_bio } from './blkdev.ts';
import { diskfs_bdev, diskfs_block } from './diskfs.ts';
import { ext4_get_block } from './ext4.ts';
import { PAGECACHE_TAG_DIRTY, try_to_release_page } from './filemap.ts';
import { file_inode, i_size_read, zero_user_segment } from './fs.ts';
import { lock_page_memcg, unlock_page_memcg } from './memcontrol.ts';
import { cancel_dirty_page, page_index, page_mapping } from './mm.ts';
import { address_spaces, inodes, pages, VM_FAULT_LOCKED, VM_FAULT_NOPAGE, VM_FAULT_SIGBUS, vmas,
	type address_space, type inode, type page, type vm_area_struct } from './mm_types.ts';
import { mapping_pointer, PageDirty, PageLocked, PagePrivate, PageUptodate, PageWriteback,
	SetPageMappedToDisk, SetPageUptodate, TestSetPageDirty } from './page_flags.ts';
import { attach_page_private, detach_page_private, lock_page, unlock_page } from './pagemap.ts';
import { account_page_dirtied, set_page_dirty, wait_for_stable_page } from './page-writeback.ts';
import type { vm_fault } from './vm_ops.ts';

/** A page's one buffer: the page's own row. */
export type buffer_head = page;

const { b_state } = pages;

/* enum bh_state_bits */
const BH_Uptodate = 0, BH_Dirty = 1, BH_Lock = 2, BH_Mapped = 4, BH_New = 5, BH_Async_Write = 7;

/** Test, set and clear a bit. @custom BUFFER_FNS() */
const BUFFER_FNS = (bit: number, mask = 1 << bit) => ({
	test: (bh: buffer_head): boolean => (b_state[bh] & mask) !== 0,
	set: (bh: buffer_head): void => {
		b_state[bh] |= mask;
	},
	clear: (bh: buffer_head): void => {
		b_state[bh] &= ~mask;
	},
});
export const { test: buffer_uptodate, set: set_buffer_uptodate } = BUFFER_FNS(BH_Uptodate);
export const { test: buffer_dirty, set: set_buffer_dirty, clear: clear_buffer_dirty } =
	BUFFER_FNS(BH_Dirty);
export const { test: buffer_locked, set: lock_buffer, clear: unlock_buffer } = BUFFER_FNS(BH_Lock);
export const { test: buffer_mapped, set: set_buffer_mapped } = BUFFER_FNS(BH_Mapped);
export const { test: buffer_new, set: set_buffer_new, clear: clear_buffer_new } =
	BUFFER_FNS(BH_New);
export const { test: buffer_async_write, set: set_buffer_async_write,
	clear: clear_buffer_async_write } = BUFFER_FNS(BH_Async_Write);

/** @ported v5.10 include/linux/buffer_head.h */
export function page_has_buffers(page: page): boolean {
	return PagePrivate(page);
}

/** @custom include/linux/buffer_head.h: the one of the page */
export function page_buffers(page: page): buffer_head {
	BUG_ON(!PagePrivate(page), `page ${page} has no buffers`);
	return page;
}

/** @ported v5.10; nobody has a reference to put */
export function end_buffer_read_sync(bh: buffer_head, uptodate: boolean): void {
	if (uptodate)
		set_buffer_uptodate(bh);
	unlock_buffer(bh);
}

/** @reduced one buffer a page; wakes nobody */
export function end_buffer_async_read(bh: buffer_head, uptodate: boolean): void {
	if (uptodate) {
		set_buffer_uptodate(bh);
		SetPageUptodate(bh);
	}
	unlock_buffer(bh);
	unlock_page(bh);
}

/** @reduced marks the page in its mapping; the inode is on no list of dirty ones */
function __set_page_dirty(page: page, mapping: address_space, warn: boolean): void {
	if (!page_mapping(page))
		return;
	WARN_ON_ONCE(warn && !PageUptodate(page),
		`page ${page} is dirtied before it was read`);
	account_page_dirtied(page, mapping);
	xa_set_mark(mapping, page_index(page), PAGECACHE_TAG_DIRTY);
}

/** 1 when the page was clean. @reduced the inode is on no list of dirty ones */
export function __set_page_dirty_buffers(page: page): number {
	const mapping = page_mapping(page);

	if (!mapping)
		return TestSetPageDirty(page) ? 0 : 1;

	if (page_has_buffers(page))
		set_buffer_dirty(page_buffers(page));
	lock_page_memcg(page);
	const newly_dirty = !TestSetPageDirty(page);

	if (newly_dirty)
		__set_page_dirty(page, mapping, true);

	unlock_page_memcg(page);
	return newly_dirty ? 1 : 0;
}

/** @reduced the inode is on no list of dirty ones */
export function mark_buffer_dirty(bh: buffer_head): void {
	WARN_ON_ONCE(!buffer_uptodate(bh),
		`the buffer of page ${bh} is dirtied before it was read`);

	if (buffer_dirty(bh))
		return;
	set_buffer_dirty(bh);
	lock_page_memcg(bh);
	if (!TestSetPageDirty(bh)) {
		const mapping = page_mapping(bh);

		if (mapping)
			__set_page_dirty(bh, mapping, false);
	}
	unlock_page_memcg(bh);
}

/** @ported v5.10: nothing of the device's is known any more */
function discard_buffer(bh: buffer_head): void {
	b_state[bh] &= 1 << BH_Uptodate;
}

/** @reduced a block is a page: it goes only with all of it */
export function block_invalidatepage(page: page, offset: number, length: number): void {
	BUG_ON(!PageLocked(page), `page ${page} is invalidated but is not locked`);
	if (!page_has_buffers(page))
		return;
	BUG_ON(offset + length > PAGE_SIZE, `page ${page} is invalidated beyond its end`);

	if (length < PAGE_SIZE)
		return;
	discard_buffer(page_buffers(page));
	try_to_release_page(page, 0);
}

/** @reduced one buffer a page, which needs no memory of its own */
export function create_empty_buffers(page: page): void {
	b_state[page] = (PageDirty(page) ? 1 << BH_Dirty : 0) |
		(PageUptodate(page) ? 1 << BH_Uptodate : 0);
	attach_page_private(page, page);
}

/** Clear what a write did not fill of a new block. @reduced one buffer a page */
function page_zero_new_buffers(page: page, from: number, to: number): void {
	const bh = page_buffers(page);

	if (!buffer_new(bh) || from >= PAGE_SIZE || to <= 0)
		return;
	if (!PageUptodate(page)) {
		zero_user_segment(page, Math.max(from, 0), Math.min(to, PAGE_SIZE));
		set_buffer_uptodate(bh);
	}
	clear_buffer_new(bh);
	mark_buffer_dirty(bh);
}

/**
 * The buffer of a locked page is made ready for a write to bytes pos to pos + len - 1.
 * @reduced one buffer a page, and one get_block()
 */
export function __block_write_begin(page: page, pos: number, len: number): number {
	const from = pos % PAGE_SIZE, to = from + len;
	const inode = address_spaces.host[page_mapping(page)];
	let err = 0;

	BUG_ON(!PageLocked(page), `page ${page} is to be written to but is not locked`);
	if (!page_has_buffers(page))
		create_empty_buffers(page);
	const bh = page_buffers(page);

	clear_buffer_new(bh);
	if (!buffer_mapped(bh)) {
		err = ext4_get_block(inode, pages.index[page], bh, true);
		if (!err && buffer_new(bh)) {
			if (PageUptodate(page)) {
				clear_buffer_new(bh);
				set_buffer_uptodate(bh);
				mark_buffer_dirty(bh);
			} else {
				zero_user_segment(page, 0, from);
				zero_user_segment(page, to, PAGE_SIZE);
			}
			return 0;
		}
	}
	if (!err && PageUptodate(page)) {
		set_buffer_uptodate(bh);
		return 0;
	}
	/* Only a part is to be written: the rest must be read. */
	if (!err && !buffer_uptodate(bh) && (from > 0 || to < PAGE_SIZE))
		err = read_buffer(inode, bh);
	if (err)
		page_zero_new_buffers(page, from, to);
	return err;
}

/** Read a buffer of a page that stays locked. @custom ll_rw_block() and wait_on_buffer() */
function read_buffer(inode: inode, bh: buffer_head): number {
	const bio = bio_alloc_page(diskfs_bdev(inode), diskfs_block(inode, pages.index[bh]), bh,
		REQ_OP_READ, BH_END_READ_SYNC);

	if (!bio)
		return -EIO;
	lock_buffer(bh);
	submit_bio(bio);
	while (buffer_locked(bh))
		BUG_ON(blk_complete(1) === 0, `no device reads the buffer of page ${bh}`);
	return buffer_uptodate(bh) ? 0 : -EIO;
}

/** @reduced one buffer a page */
function __block_commit_write(page: page, from: number, to: number): void {
	const bh = page_buffers(page);

	if (from < to) {
		set_buffer_uptodate(bh);
		mark_buffer_dirty(bh);
	}
	clear_buffer_new(bh);
	if (buffer_uptodate(bh))
		SetPageUptodate(page);
}

/** Bytes written. @ported v5.10 */
export function block_write_end(pos: number, len: number, copied: number, page: page): number {
	const start = pos % PAGE_SIZE;

	if (copied < len) {
		/* A page that is not whole is not made to look as if it were: all of it again. */
		if (!PageUptodate(page))
			copied = 0;
		page_zero_new_buffers(page, start + copied, start + len);
	}
	__block_commit_write(page, start, start + copied);
	return copied;
}

/** Read a locked page through its buffer. @reduced one buffer a page */
export function block_read_full_page(page: page): number {
	const inode = address_spaces.host[page_mapping(page)];

	if (!page_has_buffers(page))
		create_empty_buffers(page);
	const bh = page_buffers(page);

	if (!buffer_uptodate(bh) && !buffer_mapped(bh)) {
		if (pages.index[page] < Math.ceil(i_size_read(inode) / PAGE_SIZE))
			ext4_get_block(inode, pages.index[page], bh, false);
		if (!buffer_mapped(bh)) {
			zero_user_segment(page, 0, PAGE_SIZE);
			set_buffer_uptodate(bh);
		}
	}
	if (buffer_mapped(bh))
		SetPageMappedToDisk(page);
	if (buffer_uptodate(bh)) {
		SetPageUptodate(page);
		unlock_page(page);
		return 0;
	}
	const bio = bio_alloc_page(diskfs_bdev(inode), diskfs_block(inode, pages.index[page]), page,
		REQ_OP_READ, BH_END_READ_ASYNC);
	if (!bio) {
		unlock_page(page);
		return -EIO;
	}
	lock_buffer(bh);
	submit_bio(bio);
	return 0;
}

/** Make a page ready to be written to through a mapping; it stays locked. @ported v5.10 */
export function block_page_mkwrite(vma: vm_area_struct, vmf: vm_fault): number {
	const { page } = vmf;
	const inode = file_inode(vmas.vm_file[vma]);

	lock_page(page);
	const size = i_size_read(inode);
	if (mapping_pointer(page) !== inodes.i_mapping[inode] ||
	    pages.index[page] * PAGE_SIZE > size) {
		unlock_page(page);
		return -EFAULT;
	}

	const end = (pages.index[page] + 1) * PAGE_SIZE > size ? size % PAGE_SIZE : PAGE_SIZE;
	const ret = __block_write_begin(page, 0, end);
	if (ret < 0) {
		unlock_page(page);
		return ret;
	}
	__block_commit_write(page, 0, end);
	set_page_dirty(page);
	wait_for_stable_page(page);
	return 0;
}

/** @reduced include/linux/buffer_head.h: no memory runs out and no file system is frozen */
export function block_page_mkwrite_return(err: number): number {
	if (err === 0)
		return VM_FAULT_LOCKED;
	return err === -EFAULT ? VM_FAULT_NOPAGE : VM_FAULT_SIGBUS;
}

/** @ported v5.10; nobody keeps a reference */
function buffer_busy(bh: buffer_head): boolean {
	return (b_state[bh] & (1 << BH_Dirty | 1 << BH_Lock)) !== 0;
}

/** @reduced one buffer a page */
function drop_buffers(page: page): boolean {
	if (buffer_busy(page_buffers(page)))
		return false;
	detach_page_private(page);
	b_state[page] = 0;
	return true;
}

/** Whether a locked page has no buffers any more. @ported v5.10 */
export function try_to_free_buffers(page: page): boolean {
	BUG_ON(!PageLocked(page), `page ${page} is to lose its buffers but is not locked`);
	if (PageWriteback(page))
		return false;
	if (!mapping_pointer(page))
		return drop_buffers(page);
	const ret = drop_buffers(page);

	/* Clean buffers, but a dirty page: the file system wrote them itself, or threw them out. */
	if (ret)
		cancel_dirty_page(page);
	return ret;
}
