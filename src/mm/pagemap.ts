// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/pagemap.h, v5.10
 * Left out: hugetlb and huge-page arithmetic beyond thp_nr_pages(), wait queues. Who would sleep
 * for a page first lets the block devices get on with their I/O, and throws WouldBlock if that is
 * not what it waits for.
 */
import { ENOSPC } from '../lib/errno.ts';
import { WouldBlock } from '../lib/bug.ts';
import { PAGE_SHIFT, PAGE_SIZE } from '../arch/page.ts';
import { blk_wait_page_bit } from './blkdev.ts';
import { __lock_page, __lock_page_killable, __lock_page_or_retry, __page_cache_alloc,
	add_to_page_cache_locked, pagecache_get_page, wait_on_page_bit, wait_on_page_bit_killable }
	from './filemap.ts';
import { __GFP_NORETRY, __GFP_NOWARN } from './gfp.ts';
import { get_page, page_index, page_ref_add_unless, put_page } from './mm.ts';
import { address_spaces, pages, vmas, type address_space, type mm_struct, type page,
	type vm_area_struct } from './mm_types.ts';
import { ClearPagePrivate, PageLocked, PagePrivate, PG_locked, SetPagePrivate, TestSetPageLocked,
	__ClearPageLocked, __SetPageLocked, compound_head, thp_nr_pages } from './page_flags.ts';

export { unlock_page, wait_on_page_writeback, end_page_writeback, wait_for_stable_page,
	add_to_page_cache_locked, add_to_page_cache_lru, delete_from_page_cache,
	__delete_from_page_cache, replace_page_cache_page, __page_cache_alloc, pagecache_get_page,
	put_and_wait_on_page_locked, wait_on_page_bit } from './filemap.ts';

const { flags, gfp_mask } = address_spaces;
const { vm_start, vm_pgoff } = vmas;
const page_flags = pages.flags;
const { index } = pages;

/* enum mapping_flags: bit numbers of address_space.flags */
export const AS_EIO = 0, AS_ENOSPC = 1, AS_MM_ALL_LOCKS = 2, AS_UNEVICTABLE = 3, AS_EXITING = 4,
	AS_NO_WRITEBACK_TAGS = 5, AS_THP_SUPPORT = 6;

/** @reduced no errseq_t: nobody calls fsync() twice to be told once; the flags tell */
export function mapping_set_error(mapping: address_space, error: number): void {
	if (!error)
		return;
	address_spaces.wb_err[mapping] = error;
	if (error === -ENOSPC)
		flags[mapping] |= 1 << AS_ENOSPC;
	else
		flags[mapping] |= 1 << AS_EIO;
}

/** @ported v5.10 */
export function mapping_set_unevictable(mapping: address_space): void {
	flags[mapping] |= 1 << AS_UNEVICTABLE;
}

/** @ported v5.10 */
export function mapping_clear_unevictable(mapping: address_space): void {
	flags[mapping] &= ~(1 << AS_UNEVICTABLE);
}

/** @ported v5.10 */
export function mapping_unevictable(mapping: address_space): boolean {
	return mapping !== 0 && (flags[mapping] & (1 << AS_UNEVICTABLE)) !== 0;
}

/** @ported v5.10 */
export function mapping_set_exiting(mapping: address_space): void {
	flags[mapping] |= 1 << AS_EXITING;
}

/** @ported v5.10 */
export function mapping_exiting(mapping: address_space): boolean {
	return (flags[mapping] & (1 << AS_EXITING)) !== 0;
}

/** @ported v5.10 */
export function mapping_set_no_writeback_tags(mapping: address_space): void {
	flags[mapping] |= 1 << AS_NO_WRITEBACK_TAGS;
}

/** @ported v5.10 */
export function mapping_use_writeback_tags(mapping: address_space): boolean {
	return (flags[mapping] & (1 << AS_NO_WRITEBACK_TAGS)) === 0;
}

/** @ported v5.10 */
export function mapping_gfp_mask(mapping: address_space): number {
	return gfp_mask[mapping];
}

/** @ported v5.10 */
export function mapping_gfp_constraint(mapping: address_space, mask: number): number {
	return mapping_gfp_mask(mapping) & mask;
}

/** @ported v5.10 */
export function mapping_set_gfp_mask(m: address_space, mask: number): void {
	gfp_mask[m] = mask;
}

/** @reduced no file system here has huge pages */
export function mapping_thp_support(_mapping: address_space): boolean {
	return false;
}

/** @ported v5.10 */
export function page_cache_get_speculative(page: page): boolean {
	return page_cache_add_speculative(page, 1);
}

/** @ported v5.10 include/linux/pagemap.h:__page_cache_add_speculative() */
export function page_cache_add_speculative(page: page, count: number): boolean {
	return page_ref_add_unless(page, count, 0);
}

/** @ported v5.10 */
export function attach_page_private(page: page, data: number): void {
	get_page(page);
	pages.private[page] = data;
	SetPagePrivate(page);
}

/** @ported v5.10 */
export function detach_page_private(page: page): number {
	const data = pages.private[page];

	if (!PagePrivate(page))
		return 0;
	ClearPagePrivate(page);
	pages.private[page] = 0;
	put_page(page);
	return data;
}

/** @ported v5.10 */
export function page_cache_alloc(x: address_space): page {
	return __page_cache_alloc(mapping_gfp_mask(x));
}

/** @ported v5.10 */
export function readahead_gfp_mask(x: address_space): number {
	return mapping_gfp_mask(x) | __GFP_NORETRY | __GFP_NOWARN;
}

export const FGP_ACCESSED = 0x1, FGP_LOCK = 0x2, FGP_CREAT = 0x4, FGP_WRITE = 0x8, FGP_NOFS = 0x10,
	FGP_NOWAIT = 0x20, FGP_FOR_MMAP = 0x40, FGP_HEAD = 0x80;

/** @ported v5.10 */
export function find_get_page(mapping: address_space, offset: number): page {
	return pagecache_get_page(mapping, offset, 0, 0);
}

/** @ported v5.10 */
export function find_get_page_flags(
	mapping: address_space, offset: number, fgp_flags: number,
): page {
	return pagecache_get_page(mapping, offset, fgp_flags, 0);
}

/** @ported v5.10 */
export function find_lock_page(mapping: address_space, index: number): page {
	return pagecache_get_page(mapping, index, FGP_LOCK, 0);
}

/** @ported v5.10 */
export function find_lock_head(mapping: address_space, index: number): page {
	return pagecache_get_page(mapping, index, FGP_LOCK | FGP_HEAD, 0);
}

/** @ported v5.10 */
export function find_or_create_page(mapping: address_space, index: number, mask: number): page {
	return pagecache_get_page(mapping, index, FGP_LOCK | FGP_ACCESSED | FGP_CREAT, mask);
}

/** @ported v5.10 */
export function grab_cache_page_nowait(mapping: address_space, index: number): page {
	return pagecache_get_page(mapping, index, FGP_LOCK | FGP_CREAT | FGP_NOFS | FGP_NOWAIT,
		mapping_gfp_mask(mapping));
}

/** @ported v5.10 */
export function thp_contains(head: page, at: number): boolean {
	return page_index(head) === at - at % thp_nr_pages(head);
}

/** @ported v5.10 */
export function find_subpage(head: page, at: number): page {
	return head + at % thp_nr_pages(head) as page;
}

/** @ported v5.10 */
export function page_to_index(page: page): number {
	const head = compound_head(page);

	return index[head] + (page - head);
}

/** @reduced no hugetlb, which counts in huge pages */
export function page_to_pgoff(page: page): number {
	return page_to_index(page);
}

/** Byte offset in the file. @ported v5.10 */
export function page_offset(page: page): number {
	return index[page] * PAGE_SIZE;
}

/** @ported v5.10 */
export function page_file_offset(page: page): number {
	return page_index(page) * PAGE_SIZE;
}

/** @reduced no hugetlb, which counts in huge pages */
export function linear_page_index(vma: vm_area_struct, address: number): number {
	return Math.floor((address - vm_start[vma]) / 2 ** PAGE_SHIFT) + vm_pgoff[vma];
}

/** @ported v5.10 */
export function trylock_page(page: page): boolean {
	return !TestSetPageLocked(compound_head(page));
}

/**
 * @ported v5.10
 * @throws WouldBlock when somebody holds the lock and no I/O under way will release it
 */
export function lock_page(page: page): void {
	if (!trylock_page(page))
		__lock_page(page);
}

/**
 * As lock_page(), of a page that the caller holds a reference to: where that throws, the reference
 * is dropped first, since the caller will start anew.
 * @custom
 */
export function lock_page_or_put(page: page): void {
	if (trylock_page(page))
		return;
	if (!blk_wait_page_bit(page, PG_locked)) {
		put_page(page);
		throw new WouldBlock(`the lock of page ${page}`);
	}
	__SetPageLocked(page);
}

/** As lock_page(). 0, or -EINTR when a fatal signal is pending. @ported v5.10 */
export function lock_page_killable(page: page): number {
	if (!trylock_page(page))
		return __lock_page_killable(page);
	return 0;
}

/**
 * True with the page locked. False: the fault is to be retried, and mmap_lock was dropped unless
 * FAULT_FLAG_RETRY_NOWAIT is given.
 * @ported v5.10
 */
export function lock_page_or_retry(page: page, mm: mm_struct, fault_flags: number): boolean {
	return trylock_page(page) || __lock_page_or_retry(page, mm, fault_flags);
}

/** @ported v5.10 */
export function wait_on_page_locked(page: page): void {
	if (PageLocked(page))
		wait_on_page_bit(compound_head(page), PG_locked);
}

/** @ported v5.10 */
export function wait_on_page_locked_killable(page: page): number {
	if (!PageLocked(page))
		return 0;
	return wait_on_page_bit_killable(compound_head(page), PG_locked);
}

/**
 * The page was just allocated, so nobody else can have it locked.
 * @ported v5.10
 */
export function add_to_page_cache(
	page: page, mapping: address_space, offset: number, mask: number,
): number {
	__SetPageLocked(page);
	const error = add_to_page_cache_locked(page, mapping, offset, mask);
	if (error)
		__ClearPageLocked(page);
	return error;
}

/**
 * What a fault that VM_FAULT_RETRY sent back does before it comes again: the kernel slept for the
 * page inside __lock_page_or_retry(), here the statement is left with nothing held.
 * @custom
 * @throws WouldBlock while the page is still locked
 */
export function wait_page_unlocked(page: page): void {
	if (page !== 0 && (page_flags[page] & (1 << PG_locked)) !== 0)
		throw new WouldBlock(`the lock of page ${page}`);
}
