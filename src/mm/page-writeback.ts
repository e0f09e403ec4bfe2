// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page-writeback.c and include/linux/writeback.h, v5.10
 * Left out: bandwidth estimation and the throttling of who dirties pages (balance_dirty_pages()
 * puts a task to sleep so that disks keep up; here the disks' speed is whatever the program says,
 * and nobody runs meanwhile), per-memcg writeback domains. The flusher threads are
 * one function, which writes everything that is dirty when the sim lets it run.
 */
import { BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE } from '../lib/bug.ts';
import { global_f64, global_s32, nr_rows, type out } from '../lib/struct.ts';
import { xa_clear_mark, xa_find, XA_INDEX_MAX, xa_marked, xa_set_mark } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { a_ops_set_page_dirty, a_ops_writepage, a_ops_writepages, DISKFS_AOPS, has_writepage }
	from './a_ops.ts';
import { current, nr_cpu_ids, smp_processor_id } from './current.ts';
import { context_switch, kthread_create } from './fork.ts';
import { PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_TOWRITE, PAGECACHE_TAG_WRITEBACK, filemap_check_errors,
	find_get_pages_range_tag } from './filemap.ts';
import { totalreserve_pages } from './page_alloc.ts';
import { dec_lruvec_page_state, dec_lruvec_state, __inc_lruvec_page_state,
	inc_lruvec_page_state, lock_page_memcg, mem_cgroup_page_lruvec, unlock_page_memcg,
	__unlock_page_memcg } from './memcontrol.ts';
import { get_page, page_index, page_mapping, page_pgdat, put_page } from './mm.ts';
import { address_spaces, type address_space, type page, type task_struct } from './mm_types.ts';
import { MAX_NR_ZONES, NR_ACTIVE_FILE, NR_DIRTIED, NR_FILE_DIRTY, NR_FREE_PAGES, NR_INACTIVE_FILE,
	NR_WRITEBACK, NR_WRITTEN, NR_ZONE_WRITE_PENDING, pgdats, populated_zone, type pglist_data,
	type zone } from './mmzone.ts';
import { ClearPageDirty, ClearPageReclaim, compound_head, PageDirty, PageLocked, PagePrivate,
	PageReclaim, PageUptodate, PageWriteback, PG_writeback, TestClearPageDirty,
	TestClearPageWritebackFlag, TestSetPageDirty, TestSetPageWritebackFlag }
	from './page_flags.ts';
import { lock_page, mapping_set_error, mapping_use_writeback_tags, unlock_page,
	wait_on_page_bit } from './pagemap.ts';
import { page_mkclean } from './rmap.ts';
import { pagevec_count, pagevec_enter, pagevec_leave, pagevec_release } from './swap.ts';
import { pagevec_page } from './mmzone.ts';
import { dec_node_page_state, dec_zone_page_state,
	global_node_page_state, global_zone_page_state, __inc_node_page_state,
	__inc_zone_page_state, inc_node_page_state, inc_zone_page_state, node_page_state,
	zone_page_state } from './vmstat.ts';

/* enum writeback_sync_modes */
export const WB_SYNC_NONE = 0, WB_SYNC_ALL = 1;
/* enum positive_aop_returns: what ->writepage() and others return besides 0 and -errno */
export const AOP_WRITEPAGE_ACTIVATE = 0x80000, AOP_TRUNCATED_PAGE = 0x80001;

/** How and what to write; a temporary of one call. */
export class writeback_control {
	/** Write that many pages; counted down. */
	nr_to_write = Number.MAX_SAFE_INTEGER;
	/** Pages that were not written. */
	pages_skipped = 0;
	/** Bytes; the last one is written too. */
	range_start = 0;
	range_end = Number.MAX_SAFE_INTEGER;
	/** WB_SYNC_* */
	sync_mode = WB_SYNC_NONE;
	tagged_writepages = false;
	for_reclaim = false;
	range_cyclic = false;
}

/** sysctls, in percent or bytes; bytes, when not 0, stand in place of the ratio */
export const dirty_background_ratio = global_s32('dirty_background_ratio');
export const dirty_background_bytes = global_f64('dirty_background_bytes');
export const vm_dirty_ratio = global_s32('vm_dirty_ratio');
export const vm_dirty_bytes = global_f64('vm_dirty_bytes');
export const laptop_mode = global_s32('laptop_mode');
/** The flusher threads are to run: somebody woke them. */
export const flusher_wanted = global_s32('flusher_wanted');
/* Pages dirtied since the dirty limits were looked at, as bdp_ratelimits of the CPU. */
const bdp_ratelimits = global_s32('bdp_ratelimits');
const ratelimit_pages = global_s32('ratelimit_pages');

/** @ported v5.10 */
function node_dirtyable_memory(pgdat: pglist_data): number {
	let nr_pages = 0;

	for (let z = 0; z < MAX_NR_ZONES; z++) {
		const zone = pgdats.node_zones[pgdat] + z as zone;

		if (!populated_zone(zone))
			continue;

		nr_pages += zone_page_state(zone, NR_FREE_PAGES);
	}

	nr_pages -= Math.min(nr_pages, pgdats.totalreserve_pages[pgdat]);

	nr_pages += node_page_state(pgdat, NR_INACTIVE_FILE);
	nr_pages += node_page_state(pgdat, NR_ACTIVE_FILE);
	return nr_pages;
}

/** @reduced no high memory */
function global_dirtyable_memory(): number {
	let x = global_zone_page_state(NR_FREE_PAGES);

	x -= Math.min(x, totalreserve_pages.v);

	x += global_node_page_state(NR_INACTIVE_FILE);
	x += global_node_page_state(NR_ACTIVE_FILE);
	return x + 1;
}

/**
 * @ported v5.10 the global domain of domain_dirty_limits()
 * @param pbackground pages from which the flusher runs
 * @param pdirty pages from which writers are throttled
 */
export function global_dirty_limits(pbackground: out<number>, pdirty: out<number>): void {
	const available_memory = global_dirtyable_memory();
	const bytes = vm_dirty_bytes.v;
	const bg_bytes = dirty_background_bytes.v;
	const ratio = Math.trunc(vm_dirty_ratio.v * PAGE_SIZE / 100);
	const bg_ratio = Math.trunc(dirty_background_ratio.v * PAGE_SIZE / 100);

	const thresh = bytes ? Math.ceil(bytes / PAGE_SIZE)
		: Math.trunc(ratio * available_memory / PAGE_SIZE);
	let bg_thresh = bg_bytes ? Math.ceil(bg_bytes / PAGE_SIZE)
		: Math.trunc(bg_ratio * available_memory / PAGE_SIZE);
	if (bg_thresh >= thresh)
		bg_thresh = Math.trunc(thresh / 2);
	pbackground.v = bg_thresh;
	pdirty.v = thresh;
}

/** @reduced no realtime tasks */
function node_dirty_limit(pgdat: pglist_data): number {
	const node_memory = node_dirtyable_memory(pgdat);

	if (vm_dirty_bytes.v)
		return Math.trunc(Math.ceil(vm_dirty_bytes.v / PAGE_SIZE) * node_memory /
			global_dirtyable_memory());
	return Math.trunc(vm_dirty_ratio.v * node_memory / 100);
}

/** @ported v5.10 */
export function node_dirty_ok(pgdat: pglist_data): boolean {
	const limit = node_dirty_limit(pgdat);
	let nr_pages = 0;

	nr_pages += node_page_state(pgdat, NR_FILE_DIRTY);
	nr_pages += node_page_state(pgdat, NR_WRITEBACK);
	return nr_pages <= limit;
}

const background_thresh: out<number> = { v: 0 };
const dirty_thresh: out<number> = { v: 0 };

/** Somebody dirtied a page. @reduced wakes the flusher beyond its limit, throttles nobody */
export function balance_dirty_pages_ratelimited(mapping: address_space): void {
	if (!mapping_can_writeback(mapping))
		return;
	if (++bdp_ratelimits.v < ratelimit_pages.v)
		return;
	bdp_ratelimits.v = 0;
	global_dirty_limits(background_thresh, dirty_thresh);
	if (global_node_page_state(NR_FILE_DIRTY) > background_thresh.v)
		flusher_wanted.v = 1;
}

/** @reduced one CPU's worth for all CPUs; no domain to tell */
export function writeback_set_ratelimit(): void {
	global_dirty_limits(background_thresh, dirty_thresh);
	ratelimit_pages.v = Math.trunc(dirty_thresh.v / (nr_cpu_ids.v * 32));
	if (ratelimit_pages.v < 16)
		ratelimit_pages.v = 16;
}

/** Boot. @reduced the sysctls' defaults and the rate limit; no CPU comes or goes */
export function page_writeback_init(): void {
	dirty_background_ratio.v = 10;
	vm_dirty_ratio.v = 20;
	writeback_set_ratelimit();
}

/** @ported v5.10 */
export function tag_pages_for_writeback(
	mapping: address_space, start: number, end: number,
): void {
	for (let i = xa_find(mapping, start, end, PAGECACHE_TAG_DIRTY); i >= 0;
	     i = i < end ? xa_find(mapping, i + 1, end, PAGECACHE_TAG_DIRTY) : -1)
		xa_set_mark(mapping, i, PAGECACHE_TAG_TOWRITE);
}

const next_index: out<number> = { v: 0 };

/**
 * Write the dirty pages of a range of a file, or those that are to be written.
 * @ported v5.10 with the mapping's own ->writepage()
 */
export function write_cache_pages(mapping: address_space, wbc: writeback_control): number {
	const pvec = pagevec_enter();
	let ret = 0;
	let done = false;
	let range_whole = false;
	let index: number, end: number;

	if (wbc.range_cyclic) {
		index = address_spaces.writeback_index[mapping];
		end = XA_INDEX_MAX;
	} else {
		index = Math.floor(wbc.range_start / PAGE_SIZE);
		end = Math.min(Math.floor(wbc.range_end / PAGE_SIZE), XA_INDEX_MAX);
		if (wbc.range_start === 0 && wbc.range_end === Number.MAX_SAFE_INTEGER)
			range_whole = true;
	}
	let tag = PAGECACHE_TAG_DIRTY;
	if (wbc.sync_mode === WB_SYNC_ALL || wbc.tagged_writepages) {
		tag_pages_for_writeback(mapping, index, end);
		tag = PAGECACHE_TAG_TOWRITE;
	}
	let done_index = index;
	try {
		while (!done && index <= end) {
			next_index.v = index;
			const nr_pages = find_get_pages_range_tag(mapping, next_index, end, tag,
				pvec);
			index = next_index.v;
			if (nr_pages === 0)
				break;

			for (let i = 0; i < nr_pages; i++) {
				const page = pagevec_page(pvec, i);

				done_index = page_index(page);
				lock_page(page);
				continue_unlock: {
					/* Truncated, or cleaned by somebody else, meanwhile? */
					if (page_mapping(page) !== mapping || !PageDirty(page))
						break continue_unlock;

					if (PageWriteback(page)) {
						if (wbc.sync_mode === WB_SYNC_NONE)
							break continue_unlock;
						wait_on_page_writeback(page);
					}

					BUG_ON(PageWriteback(page),
						'a page is written that is being written');
					if (!clear_page_dirty_for_io(page))
						break continue_unlock;

					let error = __writepage(mapping, page, wbc);
					if (error) {
						if (error === AOP_WRITEPAGE_ACTIVATE) {
							unlock_page(page);
							error = 0;
						} else if (wbc.sync_mode !== WB_SYNC_ALL) {
							ret = error;
							done_index = page_index(page) + 1;
							done = true;
							break;
						}
						if (!ret)
							ret = error;
					}

					if (--wbc.nr_to_write <= 0 &&
						wbc.sync_mode === WB_SYNC_NONE) {
						done = true;
						break;
					}
					continue;
				}
				unlock_page(page);
			}
			pagevec_release(pvec);
		}
	} finally {
		if (pagevec_count(pvec))
			pagevec_release(pvec);
		pagevec_leave(pvec);
	}

	if (wbc.range_cyclic && !done)
		done_index = 0;
	if (wbc.range_cyclic || (range_whole && wbc.nr_to_write > 0))
		address_spaces.writeback_index[mapping] = done_index;
	return ret;
}

/** @ported v5.10 */
function __writepage(mapping: address_space, page: page, wbc: writeback_control): number {
	const ret = a_ops_writepage(mapping, page, wbc);

	mapping_set_error(mapping, ret < 0 ? ret : 0);
	return ret;
}

/** @ported v5.10 */
export function generic_writepages(mapping: address_space, wbc: writeback_control): number {
	if (!has_writepage(mapping))
		return 0;
	return write_cache_pages(mapping, wbc);
}

/** @reduced -ENOMEM is not tried again */
export function do_writepages(mapping: address_space, wbc: writeback_control): number {
	if (wbc.nr_to_write <= 0)
		return 0;
	return a_ops_writepages(mapping, wbc);
}

/** @ported v5.10 */
export function write_one_page(page: page, mapping: address_space): number {
	const wbc = new writeback_control();
	let ret = 0;

	wbc.sync_mode = WB_SYNC_ALL;
	wbc.nr_to_write = 1;
	BUG_ON(!PageLocked(page), 'an unlocked page is to be written');

	wait_on_page_writeback(page);

	if (clear_page_dirty_for_io(page)) {
		get_page(page);
		ret = a_ops_writepage(mapping, page, wbc);
		if (ret === 0)
			wait_on_page_writeback(page);
		put_page(page);
	} else {
		unlock_page(page);
	}

	if (!ret)
		ret = filemap_check_errors(mapping);
	return ret;
}

/** 1 when the page was clean. @ported v5.10 */
export function __set_page_dirty_no_writeback(page: page): number {
	if (!PageDirty(page))
		return TestSetPageDirty(page) ? 0 : 1;
	return 0;
}

/** @custom include/linux/backing-dev.h:mapping_can_writeback(): a file on a disk */
export function mapping_can_writeback(mapping: address_space): boolean {
	return address_spaces.a_ops[mapping] === DISKFS_AOPS;
}

/** @reduced no per-device and per-task statistics */
export function account_page_dirtied(page: page, mapping: address_space): void {
	if (mapping_can_writeback(mapping)) {
		__inc_lruvec_page_state(page, NR_FILE_DIRTY);
		__inc_zone_page_state(page, NR_ZONE_WRITE_PENDING);
		__inc_node_page_state(page, NR_DIRTIED);
	}
}

/** @reduced no per-device and per-task statistics */
export function account_page_cleaned(page: page, mapping: address_space): void {
	if (mapping_can_writeback(mapping)) {
		dec_lruvec_page_state(page, NR_FILE_DIRTY);
		dec_zone_page_state(page, NR_ZONE_WRITE_PENDING);
	}
}

/** @reduced the inode is on no list of dirty ones: the flusher finds it by its tagged pages */
export function __set_page_dirty_nobuffers(page: page): number {
	lock_page_memcg(page);
	if (!TestSetPageDirty(page)) {
		const mapping = page_mapping(page);

		if (!mapping) {
			unlock_page_memcg(page);
			return 1;
		}

		WARN_ON_ONCE(!PagePrivate(page) && !PageUptodate(page),
			`page ${page} is dirtied before it was read`);
		account_page_dirtied(page, mapping);
		xa_set_mark(mapping, page_index(page), PAGECACHE_TAG_DIRTY);
		unlock_page_memcg(page);
		return 1;
	}
	unlock_page_memcg(page);
	return 0;
}

/** @reduced no per-device and per-task statistics */
export function account_page_redirty(page: page): void {
	const mapping = page_mapping(page);

	if (mapping && mapping_can_writeback(mapping))
		dec_node_page_state(page, NR_DIRTIED);
}

/** @ported v5.10 */
export function redirty_page_for_writepage(wbc: writeback_control, page: page): number {
	wbc.pages_skipped++;
	const ret = __set_page_dirty_nobuffers(page);
	account_page_redirty(page);
	return ret;
}

/** 1 when the page was clean. @ported v5.10 */
export function set_page_dirty(page: page): number {
	const mapping = page_mapping(page);

	page = compound_head(page);
	if (mapping) {
		if (PageReclaim(page))
			ClearPageReclaim(page);
		return a_ops_set_page_dirty(mapping, page);
	}
	if (!PageDirty(page)) {
		if (!TestSetPageDirty(page))
			return 1;
	}
	return 0;
}

/** @ported v5.10 */
export function set_page_dirty_lock(page: page): number {
	lock_page(page);
	const ret = set_page_dirty(page);
	unlock_page(page);
	return ret;
}

/** @ported v5.10 */
export function __cancel_dirty_page(page: page): void {
	const mapping = page_mapping(page);

	if (mapping_can_writeback(mapping)) {
		lock_page_memcg(page);
		if (TestClearPageDirty(page))
			account_page_cleaned(page, mapping);
		unlock_page_memcg(page);
	} else {
		ClearPageDirty(page);
	}
}

/** Whether the page was dirty, in itself or in a page table. @ported v5.10 */
export function clear_page_dirty_for_io(page: page): boolean {
	const mapping = page_mapping(page);

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is to be written but is not locked');

	if (mapping && mapping_can_writeback(mapping)) {
		/* A write through a page table is told to the file system first. */
		if (page_mkclean(page))
			set_page_dirty(page);
		if (TestClearPageDirty(page)) {
			dec_lruvec_page_state(page, NR_FILE_DIRTY);
			dec_zone_page_state(page, NR_ZONE_WRITE_PENDING);
			return true;
		}
		return false;
	}
	return TestClearPageDirty(page);
}

/** @reduced no per-device statistics */
export function test_clear_page_writeback(page: page): boolean {
	const mapping = page_mapping(page);
	const memcg = lock_page_memcg(page);
	const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));
	let ret: boolean;

	if (mapping && mapping_use_writeback_tags(mapping)) {
		ret = TestClearPageWritebackFlag(page);
		if (ret)
			xa_clear_mark(mapping, page_index(page), PAGECACHE_TAG_WRITEBACK);
	} else {
		ret = TestClearPageWritebackFlag(page);
	}
	if (ret) {
		dec_lruvec_state(lruvec, NR_WRITEBACK);
		dec_zone_page_state(page, NR_ZONE_WRITE_PENDING);
		inc_node_page_state(page, NR_WRITTEN);
	}
	__unlock_page_memcg(memcg);
	return ret;
}

/** Whether it was being written already. @reduced no per-device statistics */
export function __test_set_page_writeback(page: page, keep_write: boolean): boolean {
	const mapping = page_mapping(page);
	let ret: boolean;

	lock_page_memcg(page);
	if (mapping && mapping_use_writeback_tags(mapping)) {
		const index = page_index(page);

		ret = TestSetPageWritebackFlag(page);
		if (!ret)
			xa_set_mark(mapping, index, PAGECACHE_TAG_WRITEBACK);
		if (!PageDirty(page))
			xa_clear_mark(mapping, index, PAGECACHE_TAG_DIRTY);
		if (!keep_write)
			xa_clear_mark(mapping, index, PAGECACHE_TAG_TOWRITE);
	} else {
		ret = TestSetPageWritebackFlag(page);
	}
	if (!ret) {
		inc_lruvec_page_state(page, NR_WRITEBACK);
		inc_zone_page_state(page, NR_ZONE_WRITE_PENDING);
	}
	unlock_page_memcg(page);
	return ret;
}

/** @ported v5.10 include/linux/page-flags.h:set_page_writeback() */
export function set_page_writeback(page: page): void {
	__test_set_page_writeback(page, false);
}

/** @ported v5.10 */
export function wait_on_page_writeback(page: page): void {
	while (PageWriteback(page))
		wait_on_page_bit(page, PG_writeback);
}

/** @reduced no device here needs pages to keep still while they are written */
export function wait_for_stable_page(_page: page): void {
}

/** @custom fs/fs-writeback.c:wakeup_flusher_threads(): they run when the sim lets them */
export function wakeup_flusher_threads(): void {
	flusher_wanted.v = 1;
}

/** The thread that writes back, made when it first runs. */
const flusher_task = global_s32('flusher_task');

/**
 * The flusher's thread runs, if somebody woke it, until all that was dirty is with its devices.
 * @custom fs/fs-writeback.c:wb_workfn(): it runs at once, to the end, in the place of its thread
 */
export function wb_workfn(): void {
	if (!flusher_wanted.v)
		return;
	const cpu = smp_processor_id(), waker = current();

	if (!flusher_task.v)
		flusher_task.v = kthread_create('kworker/flush');
	context_switch(cpu, flusher_task.v as task_struct);
	flush_dirty_pages(WB_SYNC_NONE);
	context_switch(cpu, waker);
}

/**
 * The flusher threads run: every dirty page of every file is handed to its device.
 * @custom fs/fs-writeback.c:wb_do_writeback()
 * @param sync_mode WB_SYNC_ALL: as sync(2), wait until all is written
 * @returns 0 or the first error, -errno
 */
export function flush_dirty_pages(sync_mode: number): number {
	let ret = 0;

	flusher_wanted.v = 0;
	for (let row = 1; row < nr_rows(address_spaces); row++) {
		const mapping = row as address_space;

		if (!mapping_can_writeback(mapping) || !xa_marked(mapping, PAGECACHE_TAG_DIRTY))
			continue;
		const wbc = new writeback_control();
		wbc.sync_mode = sync_mode;
		wbc.range_cyclic = sync_mode === WB_SYNC_NONE;
		const error = do_writepages(mapping, wbc);
		if (!ret)
			ret = error;
	}
	if (sync_mode === WB_SYNC_ALL)
		for (let row = 1; row < nr_rows(address_spaces); row++)
			wait_mapping_writeback(row as address_space);
	return ret;
}

/** @custom filemap_fdatawait() of a whole file */
function wait_mapping_writeback(mapping: address_space): void {
	if (!mapping_can_writeback(mapping))
		return;
	const pvec = pagevec_enter();
	for (;;) {
		next_index.v = 0;
		if (!find_get_pages_range_tag(
			mapping, next_index, XA_INDEX_MAX, PAGECACHE_TAG_WRITEBACK, pvec))
			break;
		for (let i = 0; i < pagevec_count(pvec); i++)
			wait_on_page_writeback(pagevec_page(pvec, i));
		pagevec_release(pvec);
	}
	pagevec_leave(pvec);
}
