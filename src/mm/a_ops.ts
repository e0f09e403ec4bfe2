// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/fs.h: struct address_space_operations, v5.10. address_spaces.a_ops is one of the
 * numbers below; a call through the table is a call of the function of the operation's name here.
 */
import { BUG } from '../lib/bug.ts';
import { diskfs_readpage, diskfs_write_begin, diskfs_write_end, diskfs_writepage }
	from './diskfs.ts';
import { address_spaces, type address_space, type file, type page } from './mm_types.ts';
import { swap_set_page_dirty, swap_writepage } from './page_io.ts';
import { __set_page_dirty_no_writeback, __set_page_dirty_nobuffers, type writeback_control }
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
		return diskfs_writepage(page, wbc);
	default:
		return BUG('->writepage() of a mapping that has none');
	}
}

/** mapping->a_ops->set_page_dirty(). @custom */
export function a_ops_set_page_dirty(mapping: address_space, page: page): number {
	switch (address_spaces.a_ops[mapping]) {
	case SWAP_AOPS:
		return swap_set_page_dirty(page);
	case DISKFS_AOPS:
		return __set_page_dirty_nobuffers(page);
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
		return diskfs_readpage(page);
	return BUG('->readpage() of a mapping that has none');
}

/** mapping->a_ops->write_begin(): the page, locked and referenced, or -errno. @custom */
export function a_ops_write_begin(
	mapping: address_space, pos: number, len: number, flags: number,
): number {
	if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
		return shmem_write_begin(mapping, pos, len, flags);
	return diskfs_write_begin(mapping, pos, len, flags);
}

/** mapping->a_ops->write_end(): bytes written, or -errno. @custom */
export function a_ops_write_end(
	mapping: address_space, pos: number, len: number, copied: number, page: page,
): number {
	if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
		return shmem_write_end(mapping, pos, len, copied, page);
	return diskfs_write_end(mapping, pos, len, copied, page);
}

/** ->freepage() of a mapping is not NULL: in v5.10 only network file systems have one. @custom */
export function has_freepage(_mapping: address_space): boolean {
	return false;
}

/** mapping->a_ops->freepage(). @custom */
export function a_ops_freepage(_mapping: address_space, _page: page): void {
	BUG('->freepage() of a mapping that has none');
}

/** ->is_dirty_writeback() of a mapping is not NULL: for those with buffers alone. @custom */
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
