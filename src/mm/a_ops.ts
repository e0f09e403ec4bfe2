// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/fs.h: struct address_space_operations, v5.10. address_spaces.a_ops is one of the
 * numbers below; a call through the table is a call of the function of the operation's name here.
 */
import { BUG } from '../lib/bug.ts';
import { try_to_free_buffers } from './buffer.ts';
import { diskfs_may_write } from './diskfs.ts';
import { ext4_invalidatepage, ext4_readpage, ext4_releasepage, ext4_set_page_dirty,
	ext4_write_begin, ext4_write_end, ext4_writepage, ext4_writepages } from './ext4.ts';
import { address_spaces, type address_space, type file, type page } from './mm_types.ts';
import { swap_set_page_dirty, swap_writepage } from './page_io.ts';
import { __set_page_dirty_no_writeback, generic_writepages, type writeback_control }
	from './page-writeback.ts';
import { shmem_write_begin, shmem_write_end, shmem_writepage } from './shmem.ts';

/** 0 is a mapping without an owner. */
export const SWAP_AOPS = 1, SHMEM_AOPS = 2, DISKFS_AOPS = 3;

/** ->writepage() of a mapping is not NULL. @custom */
export function has_writepage(mapping: address_space): boolean {
	return address_spaces.a_ops[mapping] !== 0;
}

/** mapping->a_ops->writepage(). @custom */
export function a_ops_writepage(
	mapping: address_space, page: page, wbc: writeback_control,
): number {
	switch (address_spaces.a_ops[mapping]) {
	case SWAP_AOPS:
		return swap_writepage(page, wbc);
	case SHMEM_AOPS:
		return shmem_writepage(page, wbc);
	case DISKFS_AOPS:
		return ext4_writepage(page, wbc);
	default:
		return BUG('->writepage() of a mapping that has none');
	}
}

/** mapping->a_ops->writepages(). @custom generic_writepages() for those that have none */
export function a_ops_writepages(mapping: address_space, wbc: writeback_control): number {
	return address_spaces.a_ops[mapping] === DISKFS_AOPS ? ext4_writepages(mapping, wbc)
		: generic_writepages(mapping, wbc);
}

/** mapping->a_ops->set_page_dirty(). @custom */
export function a_ops_set_page_dirty(mapping: address_space, page: page): number {
	switch (address_spaces.a_ops[mapping]) {
	case SWAP_AOPS:
		return swap_set_page_dirty(page);
	case DISKFS_AOPS:
		return ext4_set_page_dirty(page);
	default:
		return __set_page_dirty_no_writeback(page);
	}
}

/** ->readpage() of a mapping is not NULL. @custom */
export function has_readpage(mapping: address_space): boolean {
	return address_spaces.a_ops[mapping] === DISKFS_AOPS;
}

/** mapping->a_ops->readpage(): start reading; the page is unlocked when that ends. @custom */
export function a_ops_readpage(_file: file, page: page, mapping: address_space): number {
	if (address_spaces.a_ops[mapping] === DISKFS_AOPS)
		return ext4_readpage(page);
	return BUG('->readpage() of a mapping that has none');
}

/** mapping->a_ops->write_begin(): the page, locked and referenced, or -errno. @custom */
export function a_ops_write_begin(
	mapping: address_space, pos: number, len: number, flags: number,
): number {
	if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
		return shmem_write_begin(mapping, pos, len, flags);
	const err = diskfs_may_write(mapping, pos, len);
	return err || ext4_write_begin(mapping, pos, len);
}

/** mapping->a_ops->write_end(): bytes written, or -errno. @custom */
export function a_ops_write_end(
	mapping: address_space, pos: number, len: number, copied: number, page: page,
): number {
	if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
		return shmem_write_end(mapping, pos, len, copied, page);
	return ext4_write_end(mapping, pos, len, copied, page);
}

/** mapping->a_ops->invalidatepage(). @custom no other mapping has pages with private data */
export function a_ops_invalidatepage(page: page, offset: number, length: number): void {
	ext4_invalidatepage(page, offset, length);
}

/** mapping->a_ops->releasepage(). @custom try_to_free_buffers() for those that have none */
export function a_ops_releasepage(mapping: address_space, page: page): boolean {
	return address_spaces.a_ops[mapping] === DISKFS_AOPS ? ext4_releasepage(page)
		: try_to_free_buffers(page);
}

/** ->freepage() of a mapping is not NULL: in v5.10 only network file systems have one. @custom */
export function has_freepage(_mapping: address_space): boolean {
	return false;
}

/** mapping->a_ops->freepage(). @custom */
export function a_ops_freepage(_mapping: address_space, _page: page): void {
	BUG('->freepage() of a mapping that has none');
}

/** ->is_dirty_writeback() of a mapping is not NULL: ext4's is. @custom */
export function has_is_dirty_writeback(_mapping: address_space): boolean {
	return false;
}

/** mapping->a_ops->is_dirty_writeback(). @custom */
export function a_ops_is_dirty_writeback(
	_mapping: address_space, _page: page, _state: number,
): number {
	return BUG('->is_dirty_writeback() of a mapping that has none');
}

/** ->migratepage() of a mapping is not NULL: swap, shmem and our files have one. @custom */
export function has_migratepage(mapping: address_space): boolean {
	return address_spaces.a_ops[mapping] !== 0;
}
