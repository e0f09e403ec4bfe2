// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/filemap.c, v5.10
 * Left out: wait queues (see pagemap.ts), direct and asynchronous I/O, DAX, hugetlb, huge pages
 * beyond one entry a page, cleancache, error injection and trace events. Lookups need no retry:
 * nobody changes the tree meanwhile.
 * Lock order modelled: mmap_lock > page lock > i_mmap_rwsem
 */
import { BUG, BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { EEXIST, EFAULT, EINTR, EIO, ENOEXEC, ENOMEM, ENOSPC } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { XA_ENOMEM, xa_find, XA_INDEX_MAX, xa_init_marks, xa_is_value, xa_load, xa_marked,
	xa_mk_pointer, xa_store, type XaUpdate } from '../lib/xarray.ts';
import { PAGE_SHIFT, PAGE_SIZE } from '../arch/page.ts';
import { a_ops_readpage, a_ops_releasepage, a_ops_write_begin, a_ops_write_end, has_readpage }
	from './a_ops.ts';
import { blk_wait_page_bit } from './blkdev.ts';
import { try_to_free_buffers } from './buffer.ts';
import { current } from './current.ts';
import { file_inode, fput, get_file, i_size_read, inode_to_bdi } from './fs.ts';
import { __GFP_FS, __GFP_WRITE, GFP_KERNEL, type gfp_t } from './gfp.ts';
import { __dec_lruvec_page_state, __inc_lruvec_page_state, __mod_lruvec_page_state,
	count_memcg_event_mm, mem_cgroup_charge, mem_cgroup_migrate, mem_cgroup_uncharge }
	from './memcontrol.ts';
import { alloc_set_pte } from './memory.ts';
import { get_page, mmap_read_unlock, page_mapped, page_mapping, put_page } from './mm.ts';
import { address_spaces, FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_KILLABLE, FAULT_FLAG_RETRY_NOWAIT,
	FAULT_FLAG_TRIED, files, inodes, NULL, pages, tasks, VM_FAULT_LOCKED, VM_FAULT_MAJOR,
	VM_FAULT_NOPAGE, VM_FAULT_OOM, VM_FAULT_RETRY, VM_FAULT_SIGBUS, VM_RAND_READ, VM_SEQ_READ,
	vmas, type address_space, type file, type mm_struct, type page, type vm_area_struct }
	from './mm_types.ts';
import { NR_FILE_PAGES, NR_SHMEM, PAGEVEC_SIZE, pagevec_page, type pagevec } from './mmzone.ts';
import { alloc_pages } from './page_alloc.ts';
import { __ClearPageLocked, __SetPageLocked, ClearPageError, ClearPageReclaim,
	ClearPageUptodate, clear_page_idle, compound_head, compound_nr, mapping_pointer,
	page_is_idle, PageActive, PageDirty, PageHuge, PageLocked, PageReadahead, PageReclaim,
	PageSwapBacked, PageUptodate, PageWriteback, PG_locked, SetPageError, SetPageReferenced,
	SetPageUptodate, set_page_mapping, thp_nr_pages } from './page_flags.ts';
import { AS_EIO, AS_ENOSPC, FGP_ACCESSED, FGP_CREAT, FGP_FOR_MMAP, FGP_HEAD, FGP_LOCK, FGP_NOFS,
	FGP_NOWAIT, FGP_WRITE, find_get_page, find_subpage, lock_page, lock_page_killable,
	lock_page_or_put, mapping_gfp_constraint, mapping_set_error, page_cache_alloc,
	page_cache_get_speculative, page_to_pgoff, thp_contains, trylock_page, wait_on_page_locked,
	wait_on_page_locked_killable } from './pagemap.ts';
import { account_page_cleaned, AOP_TRUNCATED_PAGE, balance_dirty_pages_ratelimited, do_writepages,
	mapping_can_writeback, set_page_dirty, test_clear_page_writeback, wait_for_stable_page,
	wait_on_page_writeback, WB_SYNC_ALL, WB_SYNC_NONE, writeback_control }
	from './page-writeback.ts';
import { do_page_cache_ra, page_cache_async_ra, page_cache_sync_ra, readahead_control }
	from './readahead.ts';
import { shmem_mapping } from './shmem.ts';
import { lru_cache_add, mark_page_accessed, pagevec_add, pagevec_count, pagevec_enter,
	pagevec_leave, pagevec_release, rotate_reclaimable_page } from './swap.ts';
import { GENERIC_FILE_VM_OPS, register_vm_ops, type vm_fault } from './vm_ops.ts';
import { count_vm_event, PGMAJFAULT } from './vmstat.ts';
import { workingset_refault, workingset_update_node } from './workingset.ts';

export { wait_for_stable_page, wait_on_page_writeback };

export const PAGECACHE_TAG_DIRTY = 0, PAGECACHE_TAG_WRITEBACK = 1, PAGECACHE_TAG_TOWRITE = 2;

const { nrpages, nrexceptional, host } = address_spaces;
const { index: page_index_ } = pages;
const { ra_pages, ra_mmap_miss, ra_prev_pos } = files;

/** @custom the page of an entry that is no value */
export function xa_to_page(entry: number): page {
	return entry / 4 as page;
}

/** @ported v5.10 include/linux/swap.h:mapping_set_update(): who keeps count of shadow nodes */
export function mapping_set_update(mapping: address_space): XaUpdate | undefined {
	return shmem_mapping(mapping) ? undefined : workingset_update_node as XaUpdate;
}

/** @ported v5.10 */
function page_cache_delete(mapping: address_space, page: page, shadow: number): void {
	const nr = PageHuge(page) ? 1 : compound_nr(page);
	const index = page_index_[page];

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'leaves the page cache but is not locked');
	VM_BUG_ON_PAGE(nr !== 1 && shadow !== 0, page, 'is huge and leaves a shadow');

	xa_store(mapping, index, shadow, mapping_set_update(mapping));
	if (shadow)
		xa_init_marks(mapping, index);

	set_page_mapping(page, NULL);
	/* page->index stays for who met the page before */

	if (shadow)
		nrexceptional[mapping] += nr;
	nrpages[mapping] -= nr;
}

/** @reduced there is no cleancache, and a mapped page is a bug at once */
function unaccount_page_cache_page(mapping: address_space, page: page): void {
	VM_BUG_ON_PAGE(page_mapped(page), page, 'leaves the page cache but is mapped');

	if (PageHuge(page))
		return;

	const nr = thp_nr_pages(page);

	__mod_lruvec_page_state(page, NR_FILE_PAGES, -nr);
	if (PageSwapBacked(page))
		__mod_lruvec_page_state(page, NR_SHMEM, -nr);

	/* A dirty page here would be data lost. */
	if (WARN_ON_ONCE(PageDirty(page) && mapping_can_writeback(mapping),
		`page ${page} leaves the page cache dirty`))
		account_page_cleaned(page, mapping);
}

/** @param shadow what takes the page's place, 0 for nothing. @ported v5.10 */
export function __delete_from_page_cache(page: page, shadow: number): void {
	const mapping = mapping_pointer(page);

	unaccount_page_cache_page(mapping, page);
	page_cache_delete(mapping, page, shadow);
}

/** @reduced no ->freepage() */
function page_cache_free_page(page: page): void {
	put_page(page);
}

/** @ported v5.10 */
export function delete_from_page_cache(page: page): void {
	BUG_ON(!PageLocked(page), 'an unlocked page leaves the page cache');
	__delete_from_page_cache(page, 0);

	page_cache_free_page(page);
}

/** @ported v5.10 */
function page_cache_delete_batch(mapping: address_space, pvec: pagevec): void {
	const update = mapping_set_update(mapping);
	let total_pages = 0;

	for (let i = 0; i < pagevec_count(pvec); i++) {
		const page = pagevec_page(pvec, i);

		WARN_ON_ONCE(!PageLocked(page), `page ${page} leaves the page cache unlocked`);
		set_page_mapping(page, NULL);
		xa_store(mapping, page_index_[page], 0, update);
		total_pages += compound_nr(page);
	}
	nrpages[mapping] -= total_pages;
}

/** @ported v5.10 */
export function delete_from_page_cache_batch(mapping: address_space, pvec: pagevec): void {
	if (!pagevec_count(pvec))
		return;

	for (let i = 0; i < pagevec_count(pvec); i++)
		unaccount_page_cache_page(mapping, pagevec_page(pvec, i));
	page_cache_delete_batch(mapping, pvec);

	for (let i = 0; i < pagevec_count(pvec); i++)
		page_cache_free_page(pagevec_page(pvec, i));
}

/** @ported v5.10 */
export function filemap_check_errors(mapping: address_space): number {
	let ret = 0;

	if (address_spaces.flags[mapping] & (1 << AS_ENOSPC)) {
		address_spaces.flags[mapping] &= ~(1 << AS_ENOSPC);
		ret = -ENOSPC;
	}
	if (address_spaces.flags[mapping] & (1 << AS_EIO)) {
		address_spaces.flags[mapping] &= ~(1 << AS_EIO);
		ret = -EIO;
	}
	return ret;
}

/** @param end last byte. @ported v5.10 */
export function __filemap_fdatawrite_range(
	mapping: address_space, start: number, end: number, sync_mode: number,
): number {
	if (!mapping_can_writeback(mapping) || !xa_marked(mapping, PAGECACHE_TAG_DIRTY))
		return 0;

	const wbc = new writeback_control();
	wbc.sync_mode = sync_mode;
	wbc.range_start = start;
	wbc.range_end = end;
	return do_writepages(mapping, wbc);
}

/** @ported v5.10 */
export function filemap_fdatawrite(mapping: address_space): number {
	return __filemap_fdatawrite_range(mapping, 0, Number.MAX_SAFE_INTEGER, WB_SYNC_ALL);
}

/** @ported v5.10 */
export function filemap_flush(mapping: address_space): number {
	return __filemap_fdatawrite_range(mapping, 0, Number.MAX_SAFE_INTEGER, WB_SYNC_NONE);
}

const next_index: out<number> = { v: 0 };

/** @ported v5.10 */
function __filemap_fdatawait_range(
	mapping: address_space, start_byte: number, end_byte: number,
): void {
	const end = Math.min(Math.floor(end_byte / PAGE_SIZE), XA_INDEX_MAX);
	let index = Math.floor(start_byte / PAGE_SIZE);

	if (end_byte < start_byte)
		return;

	const pvec = pagevec_enter();
	try {
		while (index <= end) {
			next_index.v = index;
			const nr_pages = find_get_pages_range_tag(
				mapping, next_index, end, PAGECACHE_TAG_WRITEBACK, pvec);
			index = next_index.v;
			if (!nr_pages)
				break;

			for (let i = 0; i < nr_pages; i++) {
				wait_on_page_writeback(pagevec_page(pvec, i));
				ClearPageError(pagevec_page(pvec, i));
			}
			pagevec_release(pvec);
		}
	} finally {
		pagevec_release(pvec);
		pagevec_leave(pvec);
	}
}

/** @ported v5.10 */
export function filemap_fdatawait_range(
	mapping: address_space, start_byte: number, end_byte: number,
): number {
	__filemap_fdatawait_range(mapping, start_byte, end_byte);
	return filemap_check_errors(mapping);
}

/** Write a range of a file out, in bytes, and wait until it is. @ported v5.10 */
export function filemap_write_and_wait_range(
	mapping: address_space, lstart: number, lend: number,
): number {
	let err = 0;

	if (nrpages[mapping]) {
		err = __filemap_fdatawrite_range(mapping, lstart, lend, WB_SYNC_ALL);
		if (err !== -EIO) {
			const err2 = filemap_fdatawait_range(mapping, lstart, lend);

			if (!err)
				err = err2;
		} else {
			filemap_check_errors(mapping);
		}
	} else {
		err = filemap_check_errors(mapping);
	}
	return err;
}

/** Write a file out and wait until it is: what fsync(2) does. @ported v5.10 */
export function filemap_write_and_wait(mapping: address_space): number {
	return filemap_write_and_wait_range(mapping, 0, Number.MAX_SAFE_INTEGER);
}

/** Put `new_` in the place of `old`; both are locked. @ported v5.10 */
export function replace_page_cache_page(old: page, new_: page, _gfp_mask: gfp_t): number {
	const mapping = mapping_pointer(old);
	const offset = page_index_[old];

	VM_BUG_ON_PAGE(!PageLocked(old), old, 'is replaced but is not locked');
	VM_BUG_ON_PAGE(!PageLocked(new_), new_, 'replaces another but is not locked');
	VM_BUG_ON_PAGE(pages.mapping[new_] !== 0, new_, 'replaces another but has a mapping');

	get_page(new_);
	set_page_mapping(new_, mapping);
	page_index_[new_] = offset;

	mem_cgroup_migrate(old, new_);

	xa_store(mapping, offset, xa_mk_pointer(new_), mapping_set_update(mapping));

	set_page_mapping(old, NULL);
	__dec_lruvec_page_state(old, NR_FILE_PAGES);
	__inc_lruvec_page_state(new_, NR_FILE_PAGES);
	if (PageSwapBacked(old))
		__dec_lruvec_page_state(old, NR_SHMEM);
	if (PageSwapBacked(new_))
		__inc_lruvec_page_state(new_, NR_SHMEM);
	put_page(old);
	return 0;
}

/**
 * @ported v5.10
 * @param shadowp where a shadow goes that was there
 */
export function __add_to_page_cache_locked(
	page: page, mapping: address_space, offset: number, gfp: gfp_t,
	shadowp: out<number> | null,
): number {
	const task = current();

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'joins the page cache but is not locked');
	VM_BUG_ON_PAGE(PageSwapBacked(page), page, 'is swap-backed but joins as a file page');

	get_page(page);
	set_page_mapping(page, mapping);
	page_index_[page] = offset;

	let error: number;
	error: {
		error = mem_cgroup_charge(page, task ? tasks.mm[task] : NULL, gfp);
		if (error)
			break error;

		/* The charge may have slept, and another have been faster. */
		const old = xa_load(mapping, offset);
		if (old && !xa_is_value(old)) {
			error = -EEXIST;
			mem_cgroup_uncharge(page);
			break error;
		}
		if (old && shadowp)
			shadowp.v = old;
		if (xa_store(mapping, offset, xa_mk_pointer(page), mapping_set_update(mapping)) ===
		    XA_ENOMEM) {
			error = -ENOMEM;
			mem_cgroup_uncharge(page);
			break error;
		}

		if (old)
			nrexceptional[mapping]--;
		nrpages[mapping]++;
		__inc_lruvec_page_state(page, NR_FILE_PAGES);
		return 0;
	}
	set_page_mapping(page, NULL);
	put_page(page);
	return error;
}

/** @ported v5.10 */
export function add_to_page_cache_locked(
	page: page, mapping: address_space, offset: number, gfp_mask: gfp_t,
): number {
	return __add_to_page_cache_locked(page, mapping, offset, gfp_mask, null);
}

const shadow: out<number> = { v: 0 };

/** @ported v5.10 */
export function add_to_page_cache_lru(
	page: page, mapping: address_space, offset: number, gfp_mask: gfp_t,
): number {
	shadow.v = 0;
	__SetPageLocked(page);
	const ret = __add_to_page_cache_locked(page, mapping, offset, gfp_mask, shadow);
	if (ret) {
		__ClearPageLocked(page);
	} else {
		/* Gone only recently? Unless it is there to be overwritten. */
		WARN_ON_ONCE(PageActive(page), `page ${page} is new but active`);
		if (!(gfp_mask & __GFP_WRITE) && shadow.v)
			workingset_refault(page, shadow.v);
		lru_cache_add(page);
	}
	return ret;
}

/** @reduced there are no cpusets to spread pages by */
export function __page_cache_alloc(gfp: gfp_t): page {
	return alloc_pages(gfp, 0);
}

/**
 * Sleep until a bit of page->flags is clear.
 * @custom the devices work meanwhile; who else could clear it is asleep himself
 * @throws WouldBlock when that does not clear it
 */
export function wait_on_page_bit(page: page, bit_nr: number): void {
	if (!blk_wait_page_bit(page, bit_nr))
		throw new WouldBlock(bit_nr === PG_locked ? `the lock of page ${page}`
			: `the writeback of page ${page}`);
}

/** 0, or -EINTR with a fatal signal pending. @custom as wait_on_page_bit() */
export function wait_on_page_bit_killable(page: page, bit_nr: number): number {
	if (blk_wait_page_bit(page, bit_nr))
		return 0;
	if (fatal_signal_pending())
		return -EINTR;
	wait_on_page_bit(page, bit_nr);
	return 0;
}

/** @custom fatal_signal_pending() of the running task, which may be none at boot */
function fatal_signal_pending(): boolean {
	return current() !== 0 && tasks.sigkill[current()] !== 0;
}

/** @custom wait_on_page_locked(), which drops the caller's reference where it throws */
function wait_or_put(page: page): void {
	if (blk_wait_page_bit(page, PG_locked) || fatal_signal_pending())
		return;
	put_page(page);
	throw new WouldBlock(`the lock of page ${page}`);
}

/** @ported v5.10 */
export function put_and_wait_on_page_locked(page: page): void {
	page = compound_head(page);
	put_page(page);
	wait_on_page_bit(page, PG_locked);
}

/** @reduced nobody sleeps on a queue of the page */
export function unlock_page(page: page): void {
	page = compound_head(page);
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is unlocked but is not locked');
	__ClearPageLocked(page);
}

/** @ported v5.10 */
export function end_page_writeback(page: page): void {
	if (PageReclaim(page)) {
		ClearPageReclaim(page);
		rotate_reclaimable_page(page);
	}

	/* Truncation may free it as soon as the flag is off. */
	get_page(page);
	if (!test_clear_page_writeback(page))
		BUG(`writeback of page ${page} ends but never began`);
	put_page(page);
}

/** @ported v5.10 */
export function page_endio(page: page, is_write: boolean, err: number): void {
	if (!is_write) {
		if (!err) {
			SetPageUptodate(page);
		} else {
			ClearPageUptodate(page);
			SetPageError(page);
		}
		unlock_page(page);
	} else {
		if (err) {
			SetPageError(page);
			const mapping = page_mapping(page);
			if (mapping)
				mapping_set_error(mapping, err);
		}
		end_page_writeback(page);
	}
}

/** @ported v5.10 */
export function __lock_page(page: page): void {
	page = compound_head(page);
	wait_on_page_bit(page, PG_locked);
	__SetPageLocked(page);
}

/** @ported v5.10 */
export function __lock_page_killable(page: page): number {
	page = compound_head(page);
	const ret = wait_on_page_bit_killable(page, PG_locked);
	if (!ret)
		__SetPageLocked(page);
	return ret;
}

/** @ported v5.10 include/linux/mm.h:fault_flag_allow_retry_first() */
export function fault_flag_allow_retry_first(flags: number): boolean {
	return (flags & FAULT_FLAG_ALLOW_RETRY) !== 0 && !(flags & FAULT_FLAG_TRIED);
}

/**
 * True with the page locked and mmap_lock held.
 * @throws WouldBlock, the caller's reference dropped
 * @reduced where the lock is not released by the I/O under way, the retry comes at once: the
 * fault handler waits by wait_page_unlocked(), with nothing held
 */
export function __lock_page_or_retry(page: page, mm: mm_struct, flags: number): boolean {
	if (fault_flag_allow_retry_first(flags)) {
		if (flags & FAULT_FLAG_RETRY_NOWAIT)
			return false;

		mmap_read_unlock(mm);
		blk_wait_page_bit(page, PG_locked);
		return false;
	}
	if (flags & FAULT_FLAG_KILLABLE) {
		wait_or_put(page);
		if (__lock_page_killable(page)) {
			mmap_read_unlock(mm);
			return false;
		}
	} else {
		lock_page_or_put(page);
	}
	return true;
}

/**
 * The first index from `index` without a page; the last one looked at when there is none.
 * @ported v5.10
 */
export function page_cache_next_miss(
	mapping: address_space, index: number, max_scan: number,
): number {
	for (let scanned = 1; scanned <= max_scan; scanned++) {
		const entry = xa_load(mapping, index);

		if (!entry || xa_is_value(entry) || scanned === max_scan)
			break;
		index++;
	}
	return index;
}

/** The same downwards; -1 beyond index 0. @ported v5.10 */
export function page_cache_prev_miss(
	mapping: address_space, index: number, max_scan: number,
): number {
	for (let scanned = 1; scanned <= max_scan && index >= 0; scanned++) {
		const entry = xa_load(mapping, index);

		if (!entry || xa_is_value(entry) || scanned === max_scan)
			break;
		index--;
	}
	return index;
}

/**
 * The entry at an index: a page (xa_to_page()) with a reference, a shadow or swap value, or 0.
 * @ported v5.10
 */
export function find_get_entry(mapping: address_space, index: number): number {
	const entry = xa_load(mapping, index);

	if (!entry || xa_is_value(entry))
		return entry;
	if (!page_cache_get_speculative(xa_to_page(entry)))
		BUG(`the page cache has a page at ${index} that is free`);
	return entry;
}

/** As find_get_entry(), a page is locked. @ported v5.10 */
export function find_lock_entry(mapping: address_space, index: number): number {
	repeat: for (;;) {
		const entry = find_get_entry(mapping, index);

		if (entry && !xa_is_value(entry)) {
			const page = xa_to_page(entry);

			lock_page_or_put(page);
			if (page_mapping(page) !== mapping) {
				unlock_page(page);
				put_page(page);
				continue repeat;
			}
			VM_BUG_ON_PAGE(!thp_contains(page, index), page, 'is at a wrong index');
		}
		return entry;
	}
}

/**
 * The page at an index, with a reference; NULL for none.
 * @ported v5.10
 * @param fgp_flags FGP_*
 * @param gfp_mask of a page that FGP_CREAT makes
 */
export function pagecache_get_page(
	mapping: address_space, index: number, fgp_flags: number, gfp_mask: gfp_t,
): page {
	repeat: for (;;) {
		const entry = find_get_entry(mapping, index);
		let page: page = !entry || xa_is_value(entry) ? NULL : xa_to_page(entry);

		if (page) {
			if (fgp_flags & FGP_LOCK) {
				if (fgp_flags & FGP_NOWAIT) {
					if (!trylock_page(page)) {
						put_page(page);
						return NULL;
					}
				} else {
					lock_page_or_put(page);
				}

				if (page_mapping(page) !== mapping) {
					unlock_page(page);
					put_page(page);
					continue repeat;
				}
				VM_BUG_ON_PAGE(!thp_contains(page, index), page,
					'is at a wrong index');
			}

			if (fgp_flags & FGP_ACCESSED) {
				mark_page_accessed(page);
			} else if (fgp_flags & FGP_WRITE) {
				if (page_is_idle(page))
					clear_page_idle(page);
			}
			if (!(fgp_flags & FGP_HEAD))
				page = find_subpage(page, index);
		}

		if (!page && (fgp_flags & FGP_CREAT)) {
			if ((fgp_flags & FGP_WRITE) && mapping_can_writeback(mapping))
				gfp_mask |= __GFP_WRITE;
			if (fgp_flags & FGP_NOFS)
				gfp_mask &= ~__GFP_FS;

			page = __page_cache_alloc(gfp_mask);
			if (!page)
				return NULL;

			if (WARN_ON_ONCE(!(fgp_flags & (FGP_LOCK | FGP_FOR_MMAP)),
				'FGP_CREAT alone'))
				fgp_flags |= FGP_LOCK;

			/* once more is what activates it */
			if (fgp_flags & FGP_ACCESSED)
				SetPageReferenced(page);

			const err = add_to_page_cache_lru(page, mapping, index, gfp_mask);
			if (err) {
				put_page(page);
				page = NULL;
				if (err === -EEXIST)
					continue repeat;
			}

			if (page && (fgp_flags & FGP_FOR_MMAP))
				unlock_page(page);
		}
		return page;
	}
}

/**
 * What find_get_entries() fills: the pages, which it holds references to, and values of a piece of
 * a mapping, with a pagevec to release the pages through.
 */
export class pagevec_entries {
	readonly pvec = pagevec_enter();
	/** entries[i] is at indices[i], i < nr */
	readonly entries = new Float64Array(PAGEVEC_SIZE);
	readonly indices = new Float64Array(PAGEVEC_SIZE);
	nr = 0;

	/** @ported v5.10 mm/swap.c:pagevec_lookup_entries() */
	lookup(mapping: address_space, start: number, nr_entries: number): number {
		this.nr = find_get_entries(mapping, start, nr_entries, this.entries, this.indices);
		return this.nr;
	}

	/** @ported v5.10 mm/swap.c:pagevec_remove_exceptionals() and pagevec_release() */
	release(): void {
		for (let i = 0; i < this.nr; i++)
			if (!xa_is_value(this.entries[i]!))
				pagevec_add(this.pvec, xa_to_page(this.entries[i]!));
		this.nr = 0;
		pagevec_release(this.pvec);
	}

	/** The function that made this returns. */
	leave(): void {
		this.release();
		pagevec_leave(this.pvec);
	}
}

/** Up to nr_entries entries from `start` on, pages with a reference. @ported v5.10 */
export function find_get_entries(
	mapping: address_space, start: number, nr_entries: number,
	entries: { [index: number]: number }, indices: { [index: number]: number },
): number {
	let ret = 0;

	if (nr_entries <= 0)
		return 0;
	for (let i = xa_find(mapping, start, XA_INDEX_MAX, -1); i >= 0;
	     i = i < XA_INDEX_MAX ? xa_find(mapping, i + 1, XA_INDEX_MAX, -1) : -1) {
		indices[ret] = i;
		entries[ret] = find_get_entry(mapping, i);
		if (++ret === nr_entries)
			break;
	}
	return ret;
}

/**
 * Up to PAGEVEC_SIZE pages with a mark, into an empty pagevec, with references.
 * @ported v5.10 with the pagevec of its callers
 * @param index where to start; then where to go on
 */
export function find_get_pages_range_tag(
	mapping: address_space, index: out<number>, end: number, tag: number, pvec: pagevec,
): number {
	for (let i = xa_find(mapping, index.v, end, tag); i >= 0;
	     i = i < end ? xa_find(mapping, i + 1, end, tag) : -1) {
		const entry = xa_load(mapping, i);

		if (xa_is_value(entry))
			continue;
		get_page(xa_to_page(entry));
		pagevec_add(pvec, find_subpage(xa_to_page(entry), i));
		if (pagevec_count(pvec) === PAGEVEC_SIZE) {
			index.v = i + 1;
			return PAGEVEC_SIZE;
		}
	}
	index.v = end + 1;
	return pagevec_count(pvec);
}

/** @ported v5.10 */
function shrink_readahead_size_eio(ra: file): void {
	ra_pages[ra] = Math.trunc(ra_pages[ra] / 4);
}

/** struct iov_iter: where data of a read goes to, or those of a write come from. */
export interface iov_iter {
	/** Bytes to go. */
	count: number;
	/** Take bytes of a page; how many were taken, less than nr where memory faults. */
	copy_page_to_iter(page: page, offset: number, nr: number): number;
	/** Put bytes into a page; how many were put. */
	copy_from_iter(page: page, offset: number, nr: number): number;
}

/**
 * Read a file through the page cache.
 * @ported v5.10
 * @param ppos where to start, in bytes; then where it ended
 * @returns bytes read, or -errno
 */
export function generic_file_buffered_read(
	filp: file, ppos: out<number>, iter: iov_iter,
): number {
	const mapping = files.f_mapping[filp];
	const inode = host[mapping];
	let index = Math.floor(ppos.v / PAGE_SIZE);
	let prev_index = Math.floor(ra_prev_pos[filp] / PAGE_SIZE);
	let prev_offset = ra_prev_pos[filp] - prev_index * PAGE_SIZE;
	const last_index = Math.floor((ppos.v + iter.count + PAGE_SIZE - 1) / PAGE_SIZE);
	let offset = ppos.v % PAGE_SIZE;
	let written = 0, error = 0;

	out: for (;;) {
		let page: page;

		find_page: for (;;) {
			if (fatal_signal_pending()) {
				error = -EINTR;
				break out;
			}
			page = find_get_page(mapping, index);
			if (!page) {
				page_cache_sync_ra(new readahead_control(filp, mapping, index),
					filp,
					last_index - index);
				page = find_get_page(mapping, index);
			}
			let readpage = false;
			if (!page) {
				page = page_cache_alloc(mapping);
				if (!page) {
					error = -ENOMEM;
					break out;
				}
				error = add_to_page_cache_lru(page, mapping, index,
					mapping_gfp_constraint(mapping, GFP_KERNEL));
				if (error) {
					put_page(page);
					if (error === -EEXIST) {
						error = 0;
						continue find_page;
					}
					break out;
				}
				readpage = true;
			} else if (PageReadahead(page)) {
				page_cache_async_ra(new readahead_control(filp, mapping, index),
					filp, page,
					last_index - index);
			}
			if (!readpage && !PageUptodate(page)) {
				wait_or_put(page);
				error = wait_on_page_locked_killable(page);
				if (!error && !PageUptodate(page)) {
					error = lock_page_killable(page);
					if (!error) {
						if (!page_mapping(page)) {
							unlock_page(page);
							put_page(page);
							continue out;
						}
						if (PageUptodate(page))
							unlock_page(page);
						else
							readpage = true;
					}
				}
				if (error) {
					put_page(page);
					break out;
				}
			}
			if (readpage) {
				/* Maybe it works this time; that is said by what it sets. */
				ClearPageError(page);
				error = a_ops_readpage(filp, page, mapping);
				if (error) {
					put_page(page);
					if (error === AOP_TRUNCATED_PAGE) {
						error = 0;
						continue find_page;
					}
					break out;
				}
				if (!PageUptodate(page)) {
					wait_or_put(page);
					error = lock_page_killable(page);
					if (error) {
						put_page(page);
						break out;
					}
					const uptodate = PageUptodate(page);
					unlock_page(page);
					if (!uptodate) {
						if (!page_mapping(page)) {
							put_page(page);
							continue find_page;
						}
						shrink_readahead_size_eio(filp);
						error = -EIO;
						put_page(page);
						break out;
					}
				}
			}
			break;
		}

		/* page_ok: i_size only now that the page is known to have its contents */
		const isize = i_size_read(inode);
		const end_index = Math.floor((isize - 1) / PAGE_SIZE);
		if (!isize || index > end_index) {
			put_page(page);
			break out;
		}

		let nr = PAGE_SIZE;
		if (index === end_index) {
			nr = (isize - 1) % PAGE_SIZE + 1;
			if (nr <= offset) {
				put_page(page);
				break out;
			}
		}
		nr -= offset;

		/* Several small reads of a page are one access. */
		if (prev_index !== index || offset !== prev_offset)
			mark_page_accessed(page);
		prev_index = index;

		const ret = iter.copy_page_to_iter(page, offset, Math.min(nr, iter.count));
		iter.count -= ret;
		offset += ret;
		index += offset >> PAGE_SHIFT;
		offset &= PAGE_SIZE - 1;
		prev_offset = offset;

		put_page(page);
		written += ret;
		if (!iter.count)
			break out;
		if (ret < nr) {
			error = -EFAULT;
			break out;
		}
	}

	ra_prev_pos[filp] = prev_index * PAGE_SIZE + prev_offset;
	ppos.v = index * PAGE_SIZE + offset;
	return written || error;
}

/** @reduced no direct I/O */
export function generic_file_read_iter(filp: file, ppos: out<number>, iter: iov_iter): number {
	if (!iter.count)
		return 0;
	return generic_file_buffered_read(filp, ppos, iter);
}

const MMAP_LOTSAMISS = 100;

/** @ported v5.10 mm/internal.h:maybe_unlock_mmap_for_io(). NULL: mmap_lock is still held */
export function maybe_unlock_mmap_for_io(vmf: vm_fault, fpin: file): file {
	const { flags, vma } = vmf;

	if (fpin)
		return fpin;
	if (fault_flag_allow_retry_first(flags) && !(flags & FAULT_FLAG_RETRY_NOWAIT)) {
		fpin = get_file(vmas.vm_file[vma]);
		mmap_read_unlock(vmas.vm_mm[vma]);
	}
	return fpin;
}

/** @ported v5.10 */
function lock_page_maybe_drop_mmap(vmf: vm_fault, page: page, fpin: out<file>): boolean {
	if (trylock_page(page))
		return true;

	/* VM_FAULT_RETRY then, with mmap_lock held, as FAULT_FLAG_RETRY_NOWAIT has it */
	if (vmf.flags & FAULT_FLAG_RETRY_NOWAIT)
		return false;

	fpin.v = maybe_unlock_mmap_for_io(vmf, fpin.v);
	/* With mmap_lock dropped the retry waits, with nothing held. */
	if (fpin.v && !blk_wait_page_bit(page, PG_locked))
		return false;
	if ((vmf.flags & FAULT_FLAG_KILLABLE) && fatal_signal_pending()) {
		if (!fpin.v)
			mmap_read_unlock(vmas.vm_mm[vmf.vma]);
		return false;
	}
	lock_page_or_put(page);
	return true;
}

/** @ported v5.10 */
function do_sync_mmap_readahead(vmf: vm_fault): file {
	const file = vmas.vm_file[vmf.vma];
	const vm_flags = vmas.vm_flags[vmf.vma];
	const ractl = new readahead_control(file, files.f_mapping[file], vmf.pgoff);
	let fpin: file = NULL;

	if (vm_flags & VM_RAND_READ)
		return fpin;
	if (!ra_pages[file])
		return fpin;

	if (vm_flags & VM_SEQ_READ) {
		fpin = maybe_unlock_mmap_for_io(vmf, fpin);
		page_cache_sync_ra(ractl, file, ra_pages[file]);
		return fpin;
	}

	if (ra_mmap_miss[file] < MMAP_LOTSAMISS * 10)
		ra_mmap_miss[file]++;

	/* Many more misses than hits: reading ahead only hurts. */
	if (ra_mmap_miss[file] > MMAP_LOTSAMISS)
		return fpin;

	/* read around */
	fpin = maybe_unlock_mmap_for_io(vmf, fpin);
	files.ra_start[file] = Math.max(0, vmf.pgoff - (ra_pages[file] >> 1));
	files.ra_size[file] = ra_pages[file];
	files.ra_async_size[file] = ra_pages[file] >> 2;
	ractl._index = files.ra_start[file];
	do_page_cache_ra(ractl, files.ra_size[file], files.ra_async_size[file]);
	return fpin;
}

/** @ported v5.10 */
function do_async_mmap_readahead(vmf: vm_fault, page: page): file {
	const file = vmas.vm_file[vmf.vma];
	let fpin: file = NULL;

	if ((vmas.vm_flags[vmf.vma] & VM_RAND_READ) || !ra_pages[file])
		return fpin;
	if (ra_mmap_miss[file])
		ra_mmap_miss[file]--;
	if (PageReadahead(page)) {
		fpin = maybe_unlock_mmap_for_io(vmf, fpin);
		page_cache_async_ra(
			new readahead_control(file, files.f_mapping[file], vmf.pgoff), file, page,
			ra_pages[file]);
	}
	return fpin;
}

/** @ported v5.10 */
export function filemap_fault(vmf: vm_fault): number {
	const file = vmas.vm_file[vmf.vma];
	const mapping = files.f_mapping[file];
	const inode = host[mapping];
	const offset = vmf.pgoff;
	const fpin: out<file> = { v: NULL };
	let ret = 0;

	let max_off = Math.ceil(i_size_read(inode) / PAGE_SIZE);
	if (offset >= max_off)
		return VM_FAULT_SIGBUS;

	let page = find_get_page(mapping, offset);
	let found = page !== 0;
	if (page && !(vmf.flags & FAULT_FLAG_TRIED)) {
		fpin.v = do_async_mmap_readahead(vmf, page);
	} else if (!page) {
		count_vm_event(PGMAJFAULT);
		count_memcg_event_mm(vmas.vm_mm[vmf.vma], PGMAJFAULT);
		ret = VM_FAULT_MAJOR;
		fpin.v = do_sync_mmap_readahead(vmf);
	}

	out_retry: {
		retry_find: for (;;) {
			if (!found) {
				page = pagecache_get_page(
					mapping, offset, FGP_CREAT | FGP_FOR_MMAP, vmf.gfp_mask);
				if (!page) {
					if (fpin.v)
						break out_retry;
					return VM_FAULT_OOM;
				}
			}
			found = false;

			if (!lock_page_maybe_drop_mmap(vmf, page, fpin))
				break out_retry;

			if (page_mapping(compound_head(page)) !== mapping) {
				unlock_page(page);
				put_page(page);
				continue retry_find;
			}
			VM_BUG_ON_PAGE(page_to_pgoff(page) !== offset, page, 'is at a wrong index');

			if (!PageUptodate(page)) {
				/* An error, probably; once more, and here. */
				ClearPageError(page);
				fpin.v = maybe_unlock_mmap_for_io(vmf, fpin.v);
				let error = a_ops_readpage(file, page, mapping);
				if (!error) {
					wait_on_page_locked(page);
					if (!PageUptodate(page))
						error = -EIO;
				}
				if (fpin.v)
					break out_retry;
				put_page(page);

				if (!error || error === AOP_TRUNCATED_PAGE)
					continue retry_find;

				shrink_readahead_size_eio(file);
				return VM_FAULT_SIGBUS;
			}

			/* mmap_lock was dropped: the vma may be another by now. */
			if (fpin.v) {
				unlock_page(page);
				break out_retry;
			}

			max_off = Math.ceil(i_size_read(inode) / PAGE_SIZE);
			if (offset >= max_off) {
				unlock_page(page);
				put_page(page);
				return VM_FAULT_SIGBUS;
			}

			vmf.page = page;
			return ret | VM_FAULT_LOCKED;
		}
	}
	if (page)
		put_page(page);
	if (fpin.v)
		fput(fpin.v);
	return ret | VM_FAULT_RETRY;
}

/** @ported v5.10 */
export function filemap_map_pages(vmf: vm_fault, start_pgoff: number, end_pgoff: number): void {
	const file = vmas.vm_file[vmf.vma];
	const mapping = files.f_mapping[file];
	let last_pgoff = start_pgoff;
	let mmap_miss = ra_mmap_miss[file];

	for (let i = xa_find(mapping, start_pgoff, end_pgoff, -1); i >= 0;
	     i = i < end_pgoff ? xa_find(mapping, i + 1, end_pgoff, -1) : -1) {
		const entry = xa_load(mapping, i);

		if (xa_is_value(entry))
			continue;
		const head = xa_to_page(entry);
		if (PageLocked(head))
			continue;
		if (!page_cache_get_speculative(head))
			continue;
		const page = find_subpage(head, i);

		skip: {
			if (!PageUptodate(head) || PageReadahead(page))
				break skip;
			if (!trylock_page(head))
				break skip;

			unlock: {
				if (page_mapping(head) !== mapping || !PageUptodate(head))
					break unlock;

				const max_idx = Math.ceil(i_size_read(host[mapping]) / PAGE_SIZE);
				if (i >= max_idx)
					break unlock;

				if (mmap_miss > 0)
					mmap_miss--;

				vmf.address += (i - last_pgoff) * PAGE_SIZE;
				if (vmf.pte)
					vmf.pte += (i - last_pgoff) * 2;
				last_pgoff = i;
				if (alloc_set_pte(vmf, page))
					break unlock;
				unlock_page(head);
				continue;
			}
			unlock_page(head);
		}
		put_page(head);
	}
	ra_mmap_miss[file] = mmap_miss;
}

/** @reduced no freezing, no time stamps */
export function filemap_page_mkwrite(vmf: vm_fault): number {
	const { page } = vmf;
	const inode = file_inode(vmas.vm_file[vmf.vma]);

	lock_page(page);
	if (page_mapping(page) !== inodes.i_mapping[inode]) {
		unlock_page(page);
		return VM_FAULT_NOPAGE;
	}
	set_page_dirty(page);
	wait_for_stable_page(page);
	return VM_FAULT_LOCKED;
}

register_vm_ops(GENERIC_FILE_VM_OPS, {
	name: 'generic_file_vm_ops',
	fault: (vmf) => filemap_fault(vmf),
	map_pages: (vmf, start, end) => filemap_map_pages(vmf, start, end),
	page_mkwrite: (vmf) => filemap_page_mkwrite(vmf),
});

/** @ported v5.10 */
export function generic_file_mmap(file: file, vma: vm_area_struct): number {
	const mapping = files.f_mapping[file];

	if (!has_readpage(mapping))
		return -ENOEXEC;
	vmas.vm_ops[vma] = GENERIC_FILE_VM_OPS;
	return 0;
}

/** @ported v5.10 */
export function grab_cache_page_write_begin(mapping: address_space, index: number): page {
	const page = pagecache_get_page(mapping, index, FGP_LOCK | FGP_WRITE | FGP_CREAT,
		address_spaces.gfp_mask[mapping]);
	if (page)
		wait_for_stable_page(page);
	return page;
}

/**
 * Write to a file through the page cache.
 * @ported v5.10
 * @param pos where to start, in bytes
 * @returns bytes written, or -errno
 */
export function generic_perform_write(file: file, i: iov_iter, pos: number): number {
	const mapping = files.f_mapping[file];
	let status = 0;
	let written = 0;

	do {
		const offset = pos % PAGE_SIZE;
		const bytes = Math.min(PAGE_SIZE - offset, i.count);

		if (fatal_signal_pending()) {
			status = -EINTR;
			break;
		}

		status = a_ops_write_begin(mapping, pos, bytes, 0);
		if (status < 0)
			break;
		const page = status as page;

		let copied = i.copy_from_iter(page, offset, bytes);
		status = a_ops_write_end(mapping, pos, bytes, copied, page);
		if (status < 0)
			break;
		copied = status;
		if (copied === 0) {
			status = -EFAULT;
			break;
		}
		i.count -= copied;
		pos += copied;
		written += copied;

		balance_dirty_pages_ratelimited(mapping);
	} while (i.count);

	return written || status;
}

/**
 * Write to a file that the caller has locked.
 * @reduced no direct I/O, no set-user-ID bit to clear, no time stamps
 * @param pos where to start, in bytes
 * @returns bytes written, or -errno
 */
export function __generic_file_write_iter(file: file, from: iov_iter, pos: number): number {
	const task = current();

	/* reclaim by this task may write to the device that it fills */
	tasks.backing_dev_info[task] = inode_to_bdi(file_inode(file));
	const written = generic_perform_write(file, from, pos);
	tasks.backing_dev_info[task] = 0;
	return written;
}

/**
 * write(2) of an ordinary file.
 * @reduced no O_APPEND or O_SYNC; the inode's lock is wanted by nobody else meanwhile
 * @param ppos where to start, in bytes; then where it ended
 */
export function generic_file_write_iter(file: file, ppos: out<number>, from: iov_iter): number {
	if (!from.count)
		return 0;
	const ret = __generic_file_write_iter(file, from, ppos.v);

	if (ret > 0)
		ppos.v += ret;
	return ret;
}

/** Whether a locked page has no private data any more. @ported v5.10 */
export function try_to_release_page(page: page, _gfp_mask: gfp_t): boolean {
	const mapping = mapping_pointer(page);

	BUG_ON(!PageLocked(page), `page ${page} is to be released but is not locked`);
	if (PageWriteback(page))
		return false;

	return mapping ? a_ops_releasepage(mapping, page) : try_to_free_buffers(page);
}
