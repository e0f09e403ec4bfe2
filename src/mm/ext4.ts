// SPDX-License-Identifier: GPL-2.0-only
/*
 * fs/ext4: readpage.c, page-io.c, inode.c and file.c, v5.10: what ext4 does with the pages of a
 * file, of a file system without a journal, with blocks of a page, mounted with nodelalloc. Where
 * the blocks lie is diskfs.ts's.
 * Left out: delayed allocation (a block is allocated when it is written to), unwritten extents,
 * inline data, encryption, verity, DAX, quotas, time stamps, and all metadata: they have pages of
 * their own, that no file's user is charged for. A bio here has one page, so a run of pages is
 * several bios, which are submitted together.
 * Lock order modelled: page lock > buffer lock
 */
import { BUG_ON } from '../lib/bug.ts';
import { EIO, ENOMEM } from '../lib/errno.ts';
import { xa_marked, XA_INDEX_MAX } from '../lib/xarray.ts';
import type { out } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { clear_frame } from '../arch/ram.ts';
import { bio_alloc_page, bios, EXT4_END_BIO, EXT4_MPAGE_END_IO, REQ_OP_READ, REQ_OP_WRITE,
	submit_bio, type bio } from './blkdev.ts';
import { __block_write_begin, __set_page_dirty_buffers, block_invalidatepage, block_page_mkwrite,
	block_page_mkwrite_return, block_read_full_page, block_write_end, buffer_dirty,
	buffer_locked, buffer_mapped, clear_buffer_async_write, clear_buffer_dirty,
	clear_buffer_new, create_empty_buffers, page_buffers, page_has_buffers,
	set_buffer_async_write, set_buffer_mapped, set_buffer_new, set_buffer_uptodate,
	try_to_free_buffers, type buffer_head } from './buffer.ts';
import { diskfs_allocate, diskfs_bdev, diskfs_block, diskfs_is_allocated } from './diskfs.ts';
import { end_page_writeback, filemap_fault, filemap_map_pages, find_get_pages_range_tag,
	grab_cache_page_write_begin, PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE }
	from './filemap.ts';
import { file_inode, i_size_read, i_size_write, zero_user_segment } from './fs.ts';
import { page_mapping, put_page } from './mm.ts';
import { address_spaces, inodes, pages, VM_FAULT_LOCKED, VM_FAULT_NOPAGE, vmas,
	type address_space, type file, type inode, type page, type vm_area_struct }
	from './mm_types.ts';
import { pagevec_page } from './mmzone.ts';
import { ClearPageDirty, ClearPageError, ClearPageUptodate, mapping_pointer, PageDirty, PageError,
	PageLocked, PageWriteback, SetPageError, SetPageMappedToDisk, SetPageUptodate }
	from './page_flags.ts';
import { lock_page, mapping_set_error, unlock_page } from './pagemap.ts';
import { clear_page_dirty_for_io, redirty_page_for_writepage, set_page_writeback,
	tag_pages_for_writeback, wait_for_stable_page, wait_on_page_writeback, WB_SYNC_ALL,
	WB_SYNC_NONE, type writeback_control } from './page-writeback.ts';
import { pagevec_count, pagevec_enter, pagevec_leave, pagevec_release } from './swap.ts';
import { EXT4_FILE_VM_OPS, register_vm_ops, type vm_fault } from './vm_ops.ts';

/* -- readpage.c ------------------------------------------------------------------------------- */

/** Pages of a bio were read, or not. @ported v5.10 */
export function __read_end_io(page: page, bi_status: number): void {
	if (bi_status || PageError(page)) {
		ClearPageUptodate(page);
		/* It is read again later. */
		ClearPageError(page);
	} else {
		SetPageUptodate(page);
	}
	unlock_page(page);
}

/**
 * Start reading a locked page; it is unlocked when that ends.
 * @reduced one page of the run that the kernel's reads, and a block is a page
 */
export function ext4_mpage_readpages(inode: inode, page: page): number {
	const index = pages.index[page];

	if (page_has_buffers(page))
		return block_read_full_page(page);
	if (index >= Math.ceil(i_size_read(inode) / PAGE_SIZE) ||
	    !diskfs_is_allocated(inode, index)) {
		clear_frame(page);
		SetPageUptodate(page);
		unlock_page(page);
		return 0;
	}
	SetPageMappedToDisk(page);
	const bio = bio_alloc_page(diskfs_bdev(inode), diskfs_block(inode, index), page,
		REQ_OP_READ, EXT4_MPAGE_END_IO);
	if (!bio) {
		SetPageError(page);
		unlock_page(page);
		return -ENOMEM;
	}
	submit_bio(bio);
	return 0;
}

/* -- page-io.c -------------------------------------------------------------------------------- */

/** struct ext4_io_submit: bios of pages that follow one another, not yet at the device. */
class ext4_io_submit_t {
	readonly bios: bio[] = [];
	/** The block after the last one. */
	io_next_block = -1;
}

/** @reduced one buffer a page */
function ext4_finish_bio(page: page, bi_status: number): void {
	if (bi_status) {
		SetPageError(page);
		mapping_set_error(page_mapping(page), -EIO);
	}
	clear_buffer_async_write(page_buffers(page));
	end_page_writeback(page);
}

/** @reduced no extent is unwritten, so it is finished at once */
export function ext4_end_bio(page: page, bi_status: number): void {
	ext4_finish_bio(page, bi_status);
}

/** @custom the bios that the kernel has as one */
function ext4_io_submit(io: ext4_io_submit_t): void {
	for (const bio of io.bios)
		submit_bio(bio);
	io.bios.length = 0;
}

/** @reduced -ENOMEM in place of waiting for a bio */
function io_submit_add_bh(io: ext4_io_submit_t, inode: inode, bh: buffer_head): number {
	const block = diskfs_block(inode, pages.index[bh]);

	if (io.bios.length && block !== io.io_next_block)
		ext4_io_submit(io);
	const bio = bio_alloc_page(diskfs_bdev(inode), block, bh, REQ_OP_WRITE, EXT4_END_BIO);
	if (!bio)
		return -ENOMEM;
	io.bios.push(bio);
	io.io_next_block = bios.bi_sector[bio] + 1;
	return 0;
}

/** A locked page is unlocked, and on its way to its device. @reduced one buffer a page */
function ext4_bio_write_page(
	io: ext4_io_submit_t, page: page, len: number, wbc: writeback_control,
): number {
	const inode = address_spaces.host[page_mapping(page)];
	let nr_submitted = 0, ret = 0;

	BUG_ON(!PageLocked(page), `page ${page} is to be written but is not locked`);
	BUG_ON(PageWriteback(page), `page ${page} is to be written while it is`);

	set_page_writeback(page);
	ClearPageError(page);

	/* What is mapped beyond the end of the file is not to come back. */
	if (len < PAGE_SIZE)
		zero_user_segment(page, len, PAGE_SIZE);

	const bh = page_buffers(page);
	if (len <= 0) {
		clear_buffer_dirty(bh);
		set_buffer_uptodate(bh);
	} else if (!buffer_dirty(bh) || !buffer_mapped(bh)) {
		/* a hole */
		if (!buffer_mapped(bh))
			clear_buffer_dirty(bh);
		ext4_io_submit(io);
	} else {
		clear_buffer_new(bh);
		set_buffer_async_write(bh);
		ret = io_submit_add_bh(io, inode, bh);
		if (ret) {
			redirty_page_for_writepage(wbc, page);
			clear_buffer_async_write(bh);
		} else {
			nr_submitted++;
			clear_buffer_dirty(bh);
		}
	}
	unlock_page(page);
	if (!nr_submitted)
		end_page_writeback(page);
	return ret;
}

/* -- inode.c ---------------------------------------------------------------------------------- */

/**
 * Where a block of a file is; with `create` one is allocated for a hole.
 * @custom the buffer is mapped if there is one; 0 or -errno
 */
export function ext4_get_block(
	inode: inode, iblock: number, bh: buffer_head, create: boolean,
): number {
	if (!diskfs_is_allocated(inode, iblock)) {
		if (!create)
			return 0;
		diskfs_allocate(inode, iblock);
		set_buffer_new(bh);
	}
	set_buffer_mapped(bh);
	return 0;
}

/** The page to write to, locked, with a reference; or -errno. @reduced no journal */
export function ext4_write_begin(mapping: address_space, pos: number, len: number): number {
	const index = Math.floor(pos / PAGE_SIZE);

	for (;;) {
		const page = grab_cache_page_write_begin(mapping, index);

		if (!page)
			return -ENOMEM;
		if (!page_has_buffers(page))
			create_empty_buffers(page);

		unlock_page(page);

		lock_page(page);
		if (mapping_pointer(page) !== mapping) {
			unlock_page(page);
			put_page(page);
			continue;
		}
		wait_for_stable_page(page);

		const ret = __block_write_begin(page, pos, len);
		if (ret) {
			unlock_page(page);
			put_page(page);
			return ret;
		}
		return page;
	}
}

/** Bytes written. @reduced no journal, and a block is a page */
export function ext4_write_end(
	mapping: address_space, pos: number, len: number, copied: number, page: page,
): number {
	const inode = address_spaces.host[mapping];

	copied = block_write_end(pos, len, copied, page);
	if (pos + copied > i_size_read(inode))
		i_size_write(inode, pos + copied);
	unlock_page(page);
	put_page(page);
	return copied;
}

/* Bytes of a page that lie within its file. */
function len_of(inode: inode, page: page): number {
	const size = i_size_read(inode);

	return pages.index[page] === Math.floor(size / PAGE_SIZE) ? size % PAGE_SIZE : PAGE_SIZE;
}

/** Start writing a locked page; it is unlocked. @reduced no block is delayed or unwritten */
export function ext4_writepage(page: page, wbc: writeback_control): number {
	const inode = address_spaces.host[page_mapping(page)];

	if (!page_has_buffers(page)) {
		ClearPageDirty(page);
		unlock_page(page);
		return 0;
	}
	const io_submit = new ext4_io_submit_t();
	const ret = ext4_bio_write_page(io_submit, page, len_of(inode, page), wbc);
	ext4_io_submit(io_submit);
	return ret;
}

/** struct mpage_da_data: what one call of ext4_writepages() is at; a temporary of it. */
class mpage_da_data {
	readonly inode: inode;
	readonly wbc: writeback_control;
	readonly io_submit = new ext4_io_submit_t();
	first_page = 0;
	last_page = 0;
	scanned_until_end = false;
	constructor(inode: inode, wbc: writeback_control) {
		this.inode = inode;
		this.wbc = wbc;
	}
}

/** @ported v5.10 */
function mpage_submit_page(mpd: mpage_da_data, page: page): number {
	BUG_ON(pages.index[page] !== mpd.first_page, `page ${page} is not the one to be written`);
	clear_page_dirty_for_io(page);
	const err = ext4_bio_write_page(mpd.io_submit, page, len_of(mpd.inode, page), mpd.wbc);
	if (!err)
		mpd.wbc.nr_to_write--;
	mpd.first_page++;
	return err;
}

/** 1 to go on with the next page, 0 to stop, or -errno. @reduced no block needs mapping */
function mpage_process_page_bufs(mpd: mpage_da_data, page: page): number {
	const blocks = Math.ceil(i_size_read(mpd.inode) / PAGE_SIZE);

	BUG_ON(buffer_locked(page_buffers(page)), `the buffer of page ${page} is locked`);
	const err = mpage_submit_page(mpd, page);
	if (err < 0)
		return err;
	if (pages.index[page] + 1 >= blocks) {
		mpd.scanned_until_end = true;
		return 0;
	}
	return 1;
}

const next_index: out<number> = { v: 0 };

/** @reduced no block needs mapping, so each page is submitted as it is met */
function mpage_prepare_extent_to_map(mpd: mpage_da_data): number {
	const mapping = inodes.i_mapping[mpd.inode];
	const { wbc } = mpd;
	const tag = wbc.sync_mode === WB_SYNC_ALL || wbc.tagged_writepages
		? PAGECACHE_TAG_TOWRITE : PAGECACHE_TAG_DIRTY;
	const end = mpd.last_page;
	const pvec = pagevec_enter();
	let left = wbc.nr_to_write, err = 0;

	try {
		for (let index = mpd.first_page; index <= end;) {
			next_index.v = index;
			const nr_pages = find_get_pages_range_tag(mapping, next_index, end, tag,
				pvec);
			index = next_index.v;
			if (nr_pages === 0)
				break;

			for (let i = 0; i < nr_pages; i++) {
				const page = pagevec_page(pvec, i);

				if (wbc.sync_mode === WB_SYNC_NONE && left <= 0)
					return err;

				lock_page(page);
				if (!PageDirty(page) ||
				    (PageWriteback(page) && wbc.sync_mode === WB_SYNC_NONE) ||
				    page_mapping(page) !== mapping) {
					unlock_page(page);
					continue;
				}

				wait_on_page_writeback(page);

				if (!page_has_buffers(page)) {
					ClearPageDirty(page);
					unlock_page(page);
					continue;
				}

				mpd.first_page = pages.index[page];
				err = mpage_process_page_bufs(mpd, page);
				if (err <= 0)
					return err;
				err = 0;
				left--;
			}
			pagevec_release(pvec);
		}
		mpd.scanned_until_end = true;
		return 0;
	} finally {
		if (pagevec_count(pvec))
			pagevec_release(pvec);
		pagevec_leave(pvec);
	}
}

/** Write the dirty pages of a range of a file. @reduced no block needs mapping */
export function ext4_writepages(mapping: address_space, wbc: writeback_control): number {
	const inode = address_spaces.host[mapping];
	const mpd = new mpage_da_data(inode, wbc);
	let writeback_index = 0, range_whole = false, cycled = true, ret = 0;

	if (!address_spaces.nrpages[mapping] || !xa_marked(mapping, PAGECACHE_TAG_DIRTY))
		return 0;

	if (wbc.range_start === 0 && wbc.range_end === Number.MAX_SAFE_INTEGER)
		range_whole = true;
	if (wbc.range_cyclic) {
		writeback_index = address_spaces.writeback_index[mapping];
		if (writeback_index)
			cycled = false;
		mpd.first_page = writeback_index;
		mpd.last_page = XA_INDEX_MAX;
	} else {
		mpd.first_page = Math.floor(wbc.range_start / PAGE_SIZE);
		mpd.last_page = Math.min(Math.floor(wbc.range_end / PAGE_SIZE), XA_INDEX_MAX);
	}
	for (;;) {
		if (wbc.sync_mode === WB_SYNC_ALL || wbc.tagged_writepages)
			tag_pages_for_writeback(mapping, mpd.first_page, mpd.last_page);
		mpd.scanned_until_end = false;
		do {
			ret = mpage_prepare_extent_to_map(mpd);
			ext4_io_submit(mpd.io_submit);
		} while (!ret && !mpd.scanned_until_end && wbc.nr_to_write > 0);
		if (ret || cycled || wbc.nr_to_write <= 0)
			break;
		cycled = true;
		mpd.last_page = writeback_index - 1;
		mpd.first_page = 0;
	}
	if (wbc.range_cyclic || (range_whole && wbc.nr_to_write > 0))
		address_spaces.writeback_index[mapping] = mpd.first_page;
	return ret;
}

/** @ported v5.10 but for inline data */
export function ext4_readpage(page: page): number {
	return ext4_mpage_readpages(address_spaces.host[page_mapping(page)], page);
}

/** @ported v5.10 */
export function ext4_invalidatepage(page: page, offset: number, length: number): void {
	block_invalidatepage(page, offset, length);
}

/** @reduced no journal has the page's data */
export function ext4_releasepage(page: page): boolean {
	return try_to_free_buffers(page);
}

/** @ported v5.10 */
export function ext4_set_page_dirty(page: page): number {
	return __set_page_dirty_buffers(page);
}

/** A page is about to become writable in a table. @reduced neither journal nor delayed blocks */
export function ext4_page_mkwrite(vmf: vm_fault): number {
	const { vma, page } = vmf;
	const inode = file_inode(vmas.vm_file[vma]);

	lock_page(page);
	const size = i_size_read(inode);
	if (mapping_pointer(page) !== inodes.i_mapping[inode] ||
	    pages.index[page] * PAGE_SIZE > size) {
		unlock_page(page);
		return VM_FAULT_NOPAGE;
	}

	/* All blocks are there: nothing to allocate. */
	if (page_has_buffers(page) && buffer_mapped(page_buffers(page))) {
		wait_for_stable_page(page);
		return VM_FAULT_LOCKED;
	}
	unlock_page(page);
	return block_page_mkwrite_return(block_page_mkwrite(vma, vmf));
}

/* -- file.c ----------------------------------------------------------------------------------- */

/** @reduced no DAX, no access time */
export function ext4_file_mmap(_file: file, vma: vm_area_struct): number {
	vmas.vm_ops[vma] = EXT4_FILE_VM_OPS;
	return 0;
}

register_vm_ops(EXT4_FILE_VM_OPS, {
	name: 'ext4_file_vm_ops',
	fault: (vmf) => filemap_fault(vmf),
	map_pages: (vmf, start, end) => filemap_map_pages(vmf, start, end),
	page_mkwrite: (vmf) => ext4_page_mkwrite(vmf),
});
