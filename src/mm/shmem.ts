// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/shmem.c, v5.10
 * Left out: the file system tree of tmpfs and its mount options (memfds and shared anonymous
 * memory are on the kernel's own mount, which has no limits), huge pages, memory policies,
 * userfaultfd, extended attributes. Entries of swap in the page cache are values: the swp_entry_t.
 * The end of a range is Infinity where the kernel's is -1.
 * Lock order modelled: mmap_lock > page lock > i_mmap_rwsem
 */
import { BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { EEXIST, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENFILE, ENOENT, ENOMEM, ENOSPC,
	EOPNOTSUPP, EPERM } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add, list_del_init, list_empty } from '../lib/list.ts';
import { kmem_cache_free, kmem_cache_zalloc, list_heads, s32, struct, u8, type out, type ptr }
	from '../lib/struct.ts';
import { XA_ENOMEM, xa_find, XA_INDEX_MAX, xa_is_value, xa_load, xa_mk_pointer, xa_mk_value,
	xa_store, xa_to_value } from '../lib/xarray.ts';
import { PAGE_ALIGN, PAGE_SHIFT, PAGE_SIZE } from '../arch/page.ts';
import { clear_frame, copy_frame } from '../arch/ram.ts';
import { swp_offset, swp_type } from '../arch/swap.ts';
import { SHMEM_AOPS } from './a_ops.ts';
import { current } from './current.ts';
import { delete_from_page_cache, filemap_map_pages, find_lock_entry,
	pagevec_entries, xa_to_page, type iov_iter } from './filemap.ts';
import { alloc_file, clear_nlink, file_inode, fput, i_size_read, i_size_write, iput,
	new_inode, O_RDWR, S_IFREG, S_IRWXUGO,
	SHMEM_SB, zero_user_segment } from './fs.ts';
import { __GFP_HIGH, __GFP_NOMEMALLOC, __GFP_NOWARN, gfp_zone, type gfp_t } from './gfp.ts';
import { GFP_CONSTRAINT_MASK, GFP_RECLAIM_MASK } from './internal.ts';
import { __dec_lruvec_page_state, __inc_lruvec_page_state, __mod_lruvec_page_state,
	count_memcg_event_mm, mem_cgroup_charge, mem_cgroup_migrate } from './memcontrol.ts';
import { my_zero_pfn, unmap_mapping_range } from './memory.ts';
import { get_page, page_mapped, page_mapping, page_private, page_ref_add, page_ref_sub,
	page_zonenum, put_page, set_page_private } from './mm.ts';
import { address_spaces, files, inodes, NULL, pages, tasks, VM_FAULT_LOCKED, VM_FAULT_MAJOR,
	VM_FAULT_OOM, VM_FAULT_SIGBUS, VM_LOCKED, VM_MAYWRITE,
	VM_NORESERVE, VM_SHARED, VM_WRITE, vmas, type address_space, type file, type inode,
	type mm_struct, type page, type swp_entry_t, type vm_area_struct } from './mm_types.ts';
import { NR_FILE_PAGES, NR_SHMEM, PAGEVEC_SIZE } from './mmzone.ts';
import { alloc_page_vma } from './page_alloc.ts';
import { ClearPageDirty, ClearPageSwapCache, compound_nr, compound_order, mapping_pointer,
	PageCompound, PageLocked, PageSwapBacked, PageSwapCache,
	PageUptodate, PageWriteback, SetPageReferenced, SetPageSwapBacked, SetPageSwapCache,
	SetPageUptodate, set_page_mapping, __SetPageLocked } from './page_flags.ts';
import { swap_writepage } from './page_io.ts';
import { linear_page_index, lock_page, lock_page_or_put, mapping_clear_unevictable,
	mapping_gfp_mask, mapping_set_unevictable, mapping_unevictable, page_to_pgoff, trylock_page,
	unlock_page } from './pagemap.ts';
import { AOP_WRITEPAGE_ACTIVATE, set_page_dirty, wait_on_page_writeback,
	type writeback_control } from './page-writeback.ts';
import { lru_cache_add, mark_page_accessed, pagevec_add } from './swap.ts';
import { get_swap_page } from './swap_slots.ts';
import { add_to_swap_cache, delete_from_swap_cache, lookup_swap_cache, swap_cluster_readahead }
	from './swap_state.ts';
import { shmem_swaplist, total_swap_pages } from './swap_types.ts';
import { cgroup_throttle_swaprate, free_swap_and_cache, put_swap_page, swap_free,
	swap_shmem_alloc } from './swapfile.ts';
import { truncate_inode_page } from './truncate.ts';
import { __vm_enough_memory, vm_unacct_memory } from './util.ts';
import { register_vm_ops, SHMEM_VM_OPS, type vm_fault } from './vm_ops.ts';
import { check_move_unevictable_pages } from './vmscan.ts';
import { count_vm_event, PGMAJFAULT } from './vmstat.ts';

const BLOCKS_PER_PAGE = PAGE_SIZE / 512;
const MAX_LFS_FILESIZE = Number.MAX_SAFE_INTEGER;

/* enum sgp_type: what a page is wanted for */
export const SGP_READ = 0, SGP_CACHE = 1, SGP_NOHUGE = 2, SGP_HUGE = 3, SGP_WRITE = 4,
	SGP_FALLOC = 5;
export const F_SEAL_SEAL = 0x1, F_SEAL_SHRINK = 0x2, F_SEAL_GROW = 0x4, F_SEAL_WRITE = 0x8,
	F_SEAL_FUTURE_WRITE = 0x10;
export const FALLOC_FL_KEEP_SIZE = 0x1, FALLOC_FL_PUNCH_HOLE = 0x2;

/** An fallocate(2) under way; inodes.i_private of a shmem inode. */
type shmem_falloc = ptr<'shmem_falloc'>;
const shmem_fallocs = struct<shmem_falloc>()('shmem_falloc', 256, {
	/* 1: a hole is being punched, and faults into it wait */
	waitq: u8,
	/* in pages; next is the one to be allocated next */
	start: s32,
	next: s32,
	nr_falloced: s32,
	nr_unswapped: s32,
});

const { i_mapping, i_size, i_blocks, alloced, swapped, seals, shmem_flags, swaplist,
	stop_eviction, i_private } = inodes;
const { nrpages, host } = address_spaces;
const page_index_ = pages.index;

/** @ported v5.10 include/linux/swapops.h:swp_to_radix_entry() */
export function swp_to_radix_entry(entry: swp_entry_t): number {
	return xa_mk_value(entry);
}

/** @ported v5.10 include/linux/swapops.h:radix_to_swp_entry() */
export function radix_to_swp_entry(arg: number): swp_entry_t {
	return xa_to_value(arg);
}

/** @custom current->mm; 0 while booting */
function current_mm(): mm_struct {
	return current() ? tasks.mm[current()] : NULL;
}

/** @ported v5.10 the macro of this name */
function VM_ACCT(size: number): number {
	return PAGE_ALIGN(size) / PAGE_SIZE;
}

/** What shmem_getpage_gfp() found; NULL for a hole. */
const found: out<page> = { v: NULL };

/** 0 with the page in pagep.v, locked and with a reference, or -errno. @ported v5.10 */
export function shmem_getpage(
	inode: inode, index: number, pagep: out<page>, sgp: number,
): number {
	return shmem_getpage_gfp(inode, index, pagep, sgp, mapping_gfp_mask(i_mapping[inode]), NULL,
		null, null);
}

/** @ported v5.10 */
function shmem_acct_size(flags: number, size: number): number {
	return flags & VM_NORESERVE ? 0 : __vm_enough_memory(current_mm(), VM_ACCT(size), true);
}

/** @ported v5.10 */
function shmem_unacct_size(flags: number, size: number): void {
	if (!(flags & VM_NORESERVE))
		vm_unacct_memory(VM_ACCT(size));
}

/** @ported v5.10 */
function shmem_reacct_size(flags: number, oldsize: number, newsize: number): number {
	if (!(flags & VM_NORESERVE)) {
		if (VM_ACCT(newsize) > VM_ACCT(oldsize))
			return __vm_enough_memory(
				current_mm(), VM_ACCT(newsize) - VM_ACCT(oldsize), true);
		if (VM_ACCT(newsize) < VM_ACCT(oldsize))
			vm_unacct_memory(VM_ACCT(oldsize) - VM_ACCT(newsize));
	}
	return 0;
}

/** @ported v5.10 */
function shmem_acct_block(flags: number, pages: number): number {
	if (!(flags & VM_NORESERVE))
		return 0;
	return __vm_enough_memory(current_mm(), pages * VM_ACCT(PAGE_SIZE), true);
}

/** @ported v5.10 */
function shmem_unacct_blocks(flags: number, pages: number): void {
	if (flags & VM_NORESERVE)
		vm_unacct_memory(pages * VM_ACCT(PAGE_SIZE));
}

/** @reduced the kernel's own mount has no limit of blocks */
function shmem_inode_acct_block(inode: inode, pages: number): boolean {
	return !shmem_acct_block(shmem_flags[inode], pages);
}

/** @reduced the kernel's own mount has no limit of blocks */
function shmem_inode_unacct_blocks(inode: inode, pages: number): void {
	shmem_unacct_blocks(shmem_flags[inode], pages);
}

/** @ported v5.10 */
export function vma_is_shmem(vma: vm_area_struct): boolean {
	return vmas.vm_ops[vma] === SHMEM_VM_OPS;
}

/** Reclaim may have freed pages that are still charged to the inode. @ported v5.10 */
function shmem_recalc_inode(inode: inode): void {
	const freed = alloced[inode] - swapped[inode] - nrpages[i_mapping[inode]];

	if (freed > 0) {
		alloced[inode] -= freed;
		i_blocks[inode] -= freed * BLOCKS_PER_PAGE;
		shmem_inode_unacct_blocks(inode, freed);
	}
}

/** @ported v5.10 */
function shmem_replace_entry(
	mapping: address_space, index: number, expected: number, replacement: number,
): number {
	VM_BUG_ON(!expected || !replacement, 'shmem_replace_entry() of nothing');
	const item = xa_load(mapping, index);
	if (item !== expected)
		return -ENOENT;
	xa_store(mapping, index, replacement);
	return 0;
}

/** @ported v5.10 */
function shmem_confirm_swap(mapping: address_space, index: number, swap: swp_entry_t): boolean {
	return xa_load(mapping, index) === swp_to_radix_entry(swap);
}

/**
 * Put a locked page in the place of `expected`, a swap value or 0. 0 or -errno.
 * @reduced one entry a page
 */
function shmem_add_to_page_cache(
	page: page, mapping: address_space, index: number, expected: number, gfp: gfp_t,
	charge_mm: mm_struct,
): number {
	const nr = compound_nr(page);

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'joins shmem but is not locked');
	VM_BUG_ON_PAGE(!PageSwapBacked(page), page, 'joins shmem but is not swap-backed');

	page_ref_add(page, nr);
	set_page_mapping(page, mapping);
	page_index_[page] = index;

	let error: number;
	error: {
		if (!PageSwapCache(page)) {
			error = mem_cgroup_charge(page, charge_mm, gfp);
			if (error)
				break error;
		}
		cgroup_throttle_swaprate(page, gfp);

		if (xa_load(mapping, index) !== expected) {
			error = -EEXIST;
			break error;
		}
		if (xa_store(mapping, index, xa_mk_pointer(page)) === XA_ENOMEM) {
			error = -ENOMEM;
			break error;
		}
		nrpages[mapping] += nr;
		__mod_lruvec_page_state(page, NR_FILE_PAGES, nr);
		__mod_lruvec_page_state(page, NR_SHMEM, nr);
		return 0;
	}
	set_page_mapping(page, NULL);
	page_ref_sub(page, nr);
	return error;
}

/** A page goes out to swap: its swap entry stays in its place. @ported v5.10 */
function shmem_delete_from_page_cache(page: page, radswap: number): void {
	const mapping = mapping_pointer(page);

	VM_BUG_ON_PAGE(PageCompound(page), page, 'leaves shmem but is compound');

	const error = shmem_replace_entry(
		mapping, page_index_[page], xa_mk_pointer(page), radswap);
	set_page_mapping(page, NULL);
	nrpages[mapping]--;
	__dec_lruvec_page_state(page, NR_FILE_PAGES);
	__dec_lruvec_page_state(page, NR_SHMEM);
	put_page(page);
	BUG_ON(error !== 0, `page ${page} is not where shmem has it`);
}

/** 0, or -ENOENT when something else is there. @ported v5.10 */
function shmem_free_swap(mapping: address_space, index: number, radswap: number): number {
	if (xa_load(mapping, index) !== radswap)
		return -ENOENT;
	xa_store(mapping, index, 0);
	free_swap_and_cache(radix_to_swp_entry(radswap));
	return 0;
}

/** Bytes of a range of pages that are in swap. @ported v5.10 */
export function shmem_partial_swap_usage(
	mapping: address_space, start: number, end: number,
): number {
	let swapped = 0;

	for (let i = xa_find(mapping, start, end - 1, -1); i >= 0;
	     i = i < end - 1 ? xa_find(mapping, i + 1, end - 1, -1) : -1)
		if (xa_is_value(xa_load(mapping, i)))
			swapped++;
	return swapped * PAGE_SIZE;
}

/** Bytes of a mapping that are in swap. @ported v5.10 */
export function shmem_swap_usage(vma: vm_area_struct): number {
	const inode = file_inode(vmas.vm_file[vma]);
	const nr = swapped[inode];

	if (!nr)
		return 0;

	if (!vmas.vm_pgoff[vma] && vmas.vm_end[vma] - vmas.vm_start[vma] >= i_size[inode])
		return nr * PAGE_SIZE;

	return shmem_partial_swap_usage(i_mapping[inode],
		linear_page_index(vma, vmas.vm_start[vma]), linear_page_index(vma,
			vmas.vm_end[vma]));
}

/** SHM_UNLOCK: its pages may be reclaimed again. @ported v5.10 */
export function shmem_unlock_mapping(mapping: address_space): void {
	const pvec = new pagevec_entries();
	let index = 0;

	while (!mapping_unevictable(mapping)) {
		const nr = pvec.lookup(mapping, index, PAGEVEC_SIZE);

		if (!nr)
			break;
		index = pvec.indices[nr - 1]! + 1;
		for (let i = 0; i < nr; i++)
			if (!xa_is_value(pvec.entries[i]!))
				pagevec_add(pvec.pvec, xa_to_page(pvec.entries[i]!));
		pvec.nr = 0;
		check_move_unevictable_pages(pvec.pvec);
		pvec.release();
	}
	pvec.leave();
}

/**
 * Throw out a range of bytes, pages and swap.
 * @param lend last byte, Infinity for all
 * @param unfalloc only what a failed fallocate() brought in
 * @reduced no huge pages to split
 */
function shmem_undo_range(
	inode: inode, lstart: number, lend: number, unfalloc: boolean,
): void {
	const mapping = i_mapping[inode];
	const whole = lend === Infinity;
	const start = Math.ceil(lstart / PAGE_SIZE);
	const end = whole ? XA_INDEX_MAX : Math.floor((lend + 1) / PAGE_SIZE);
	const partial_start = lstart % PAGE_SIZE;
	let partial_end = whole ? 0 : (lend + 1) % PAGE_SIZE;
	let nr_swaps_freed = 0;

	const pvec = new pagevec_entries();
	try {
		let index = start;
		while (index < end) {
			if (!pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE)))
				break;
			for (let i = 0; i < pvec.nr; i++) {
				const entry = pvec.entries[i]!;

				index = pvec.indices[i]!;
				if (index >= end)
					break;

				if (xa_is_value(entry)) {
					if (unfalloc)
						continue;
					if (!shmem_free_swap(mapping, index, entry))
						nr_swaps_freed++;
					continue;
				}

				const page = xa_to_page(entry);
				VM_BUG_ON_PAGE(page_to_pgoff(page) !== index, page,
					'is at a wrong index');

				if (!trylock_page(page))
					continue;

				if ((!unfalloc || !PageUptodate(page)) &&
					page_mapping(page) === mapping) {
					VM_BUG_ON_PAGE(PageWriteback(page), page,
						'of shmem is written');
					truncate_inode_page(mapping, page);
				}
				unlock_page(page);
			}
			pvec.release();
			index++;
		}

		if (partial_start) {
			shmem_getpage(inode, start - 1, found, SGP_READ);
			const page = found.v;
			if (page) {
				let top = PAGE_SIZE;

				if (start > end) {
					top = partial_end;
					partial_end = 0;
				}
				zero_user_segment(page, partial_start, top);
				set_page_dirty(page);
				unlock_page(page);
				put_page(page);
			}
		}
		if (partial_end) {
			shmem_getpage(inode, end, found, SGP_READ);
			const page = found.v;
			if (page) {
				zero_user_segment(page, 0, partial_end);
				set_page_dirty(page);
				unlock_page(page);
				put_page(page);
			}
		}
		if (start >= end)
			return;

		index = start;
		while (index < end) {
			if (!pvec.lookup(mapping, index, Math.min(end - index, PAGEVEC_SIZE))) {
				/* Truncation makes sure that all is gone. */
				if (index === start || !whole)
					break;
				index = start;
				continue;
			}
			for (let i = 0; i < pvec.nr; i++) {
				const entry = pvec.entries[i]!;

				index = pvec.indices[i]!;
				if (index >= end)
					break;

				if (xa_is_value(entry)) {
					if (unfalloc)
						continue;
					if (shmem_free_swap(mapping, index, entry)) {
						/* a page by now: again */
						index--;
						break;
					}
					nr_swaps_freed++;
					continue;
				}

				const page = xa_to_page(entry);
				lock_page(page);

				if (!unfalloc || !PageUptodate(page)) {
					if (page_mapping(page) !== mapping) {
						/* swap by now: again */
						unlock_page(page);
						index--;
						break;
					}
					VM_BUG_ON_PAGE(PageWriteback(page), page,
						'of shmem is written');
					truncate_inode_page(mapping, page);
				}
				unlock_page(page);
			}
			pvec.release();
			index++;
		}
	} finally {
		pvec.leave();
		swapped[inode] -= nr_swaps_freed;
		shmem_recalc_inode(inode);
	}
}

/** @param lend last byte, Infinity for all. @ported v5.10 */
export function shmem_truncate_range(inode: inode, lstart: number, lend: number): void {
	shmem_undo_range(inode, lstart, lend, false);
}

/** Blocks of 512 bytes, for stat(2). @ported v5.10 shmem_getattr() */
export function shmem_getattr_blocks(inode: inode): number {
	if (alloced[inode] - swapped[inode] !== nrpages[i_mapping[inode]])
		shmem_recalc_inode(inode);
	return i_blocks[inode];
}

/** ftruncate(2) to `newsize` bytes. 0 or -errno. @reduced of the size only */
export function shmem_setattr(inode: inode, newsize: number): number {
	const oldsize = i_size[inode];

	if ((newsize < oldsize && (seals[inode] & F_SEAL_SHRINK)) ||
	    (newsize > oldsize && (seals[inode] & F_SEAL_GROW)))
		return -EPERM;

	if (newsize !== oldsize) {
		const error = shmem_reacct_size(shmem_flags[inode], oldsize, newsize);

		if (error)
			return error;
		i_size_write(inode, newsize);
	}
	if (newsize <= oldsize) {
		const holebegin = Math.ceil(newsize / PAGE_SIZE) * PAGE_SIZE;

		if (oldsize > holebegin)
			unmap_mapping_range(i_mapping[inode], holebegin, 0, true);
		if (alloced[inode])
			shmem_truncate_range(inode, newsize, Infinity);
		/* again, for private copies that were made meanwhile */
		if (oldsize > holebegin)
			unmap_mapping_range(i_mapping[inode], holebegin, 0, true);
	}
	return 0;
}

/** @reduced waits for no shmem_unuse(): that one holds no inode when it is left */
export function shmem_evict_inode(inode: inode): void {
	shmem_unacct_size(shmem_flags[inode], i_size[inode]);
	i_size[inode] = 0;
	shmem_truncate_range(inode, 0, Infinity);
	if (!list_empty(swaplist(inode))) {
		if (stop_eviction[inode])
			throw new WouldBlock('swapoff, which looks for swap of this inode');
		list_del_init(swaplist(inode));
	}
	WARN_ON_ONCE(i_blocks[inode] !== 0, `inode ${inode} goes with ${i_blocks[inode]} blocks`);
}

/** Swap entries of a device in a mapping, up to a batch from `start`; how many. @ported v5.10 */
function shmem_find_swap_entries(
	mapping: address_space, start: number, nr_entries: number, entries: Float64Array,
	indices: Float64Array, type: number,
): number {
	let ret = 0;

	for (let i = xa_find(mapping, start, XA_INDEX_MAX, -1); i >= 0;
	     i = i < XA_INDEX_MAX ? xa_find(mapping, i + 1, XA_INDEX_MAX, -1) : -1) {
		const entry = xa_load(mapping, i);

		if (!xa_is_value(entry))
			continue;
		if (swp_type(radix_to_swp_entry(entry)) !== type)
			continue;

		indices[ret] = i;
		entries[ret] = entry;
		if (++ret === nr_entries)
			break;
	}
	return ret;
}

/** How many were brought in, or -ENOMEM. @ported v5.10 */
function shmem_unuse_swap_entries(
	inode: inode, nr: number, entries: Float64Array, indices: Float64Array,
): number {
	const mapping = i_mapping[inode];
	let ret = 0;
	let error = 0;

	for (let i = 0; i < nr; i++) {
		error = shmem_swapin_page(inode, indices[i]!, entries[i]!, found, SGP_CACHE,
			mapping_gfp_mask(mapping), NULL, null);
		if (error === 0) {
			unlock_page(found.v);
			put_page(found.v);
			ret++;
		}
		if (error === -ENOMEM)
			break;
		error = 0;
	}
	return error ? error : ret;
}

/** Bring all swap of a device in an inode back. 0 or -errno. @ported v5.10 */
function shmem_unuse_inode(inode: inode, type: number): number {
	const entries = new Float64Array(PAGEVEC_SIZE), indices = new Float64Array(PAGEVEC_SIZE);
	let start = 0;

	for (;;) {
		const nr = shmem_find_swap_entries(
			i_mapping[inode], start, PAGEVEC_SIZE, entries, indices, type);
		if (nr === 0)
			return 0;

		const ret = shmem_unuse_swap_entries(inode, nr, entries, indices);
		if (ret < 0)
			return ret;

		start = indices[nr - 1]!;
	}
}

/** Bring all swap of a device in shmem back. 0 or -errno. @ported v5.10 */
export function shmem_unuse(type: number): number {
	const { next: list_next } = list_heads;
	let error = 0;

	for (let n = list_next[shmem_swaplist], next; n !== shmem_swaplist; n = next) {
		const inode = swaplist.container_of(n);

		next = list_next[n];
		if (!swapped[inode]) {
			list_del_init(n);
			continue;
		}
		stop_eviction[inode]++;
		try {
			error = shmem_unuse_inode(inode, type);
		} finally {
			stop_eviction[inode]--;
		}
		next = list_next[n];
		if (!swapped[inode])
			list_del_init(n);
		if (error)
			break;
	}
	return error;
}

/**
 * Give a locked page a swap slot in place of the one in its file, and write it out. 0 with the page
 * unlocked, or AOP_WRITEPAGE_ACTIVATE with it locked.
 * @ported v5.10
 */
export function shmem_writepage(page: page, wbc: writeback_control): number {
	VM_BUG_ON_PAGE(PageCompound(page), page, 'of shmem is to be written, but is compound');
	BUG_ON(!PageLocked(page), 'an unlocked page of shmem is to be written');
	const mapping = mapping_pointer(page);
	const index = page_index_[page];
	const inode = host[mapping];

	redirty: {
		if (shmem_flags[inode] & VM_LOCKED)
			break redirty;
		if (!total_swap_pages.v)
			break redirty;

		/* Only memory pressure is a reason to swap. */
		if (!wbc.for_reclaim) {
			WARN_ON_ONCE(true, 'shmem_writepage() of no reclaim');
			break redirty;
		}

		/* fallocate() leaves pages that nobody has written to as they are, until now. */
		if (!PageUptodate(page)) {
			const falloc = i_private[inode] as shmem_falloc;

			if (falloc && !shmem_fallocs.waitq[falloc] &&
			    index >= shmem_fallocs.start[falloc] &&
				index < shmem_fallocs.next[falloc]) {
				shmem_fallocs.nr_unswapped[falloc]++;
				break redirty;
			}
			clear_frame(page);
			SetPageUptodate(page);
		}

		const swap = get_swap_page(page);
		if (!swap)
			break redirty;

		/*
		 * First of all: the inode could go as soon as the locked page is no longer in its
		 * file.
		 */
		if (list_empty(swaplist(inode)))
			list_add(swaplist(inode), shmem_swaplist);

		if (add_to_swap_cache(page, swap, __GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN,
			null) ===
		    0) {
			shmem_recalc_inode(inode);
			swapped[inode]++;

			swap_shmem_alloc(swap);
			shmem_delete_from_page_cache(page, swp_to_radix_entry(swap));

			BUG_ON(page_mapped(page), `page ${page} is swapped out but mapped`);
			swap_writepage(page, wbc);
			return 0;
		}

		put_swap_page(page, swap);
	}
	set_page_dirty(page);
	if (wbc.for_reclaim)
		return AOP_WRITEPAGE_ACTIVATE;
	unlock_page(page);
	return 0;
}

/* A fault with no vma: no memory policy, and no readahead by addresses. */
const swapin_fault: Readonly<vm_fault> = { vma: NULL, flags: 0, gfp_mask: 0, pgoff: 0,
	address: 0, pmd: 0, pud: 0, orig_pte: 0, orig_pte_hi: 0, cow_page: NULL, page: NULL, pte: 0,
	prealloc_pte: NULL };

/** @reduced no memory policy, so no vma to carry it */
function shmem_swapin(swap: swp_entry_t, gfp: gfp_t): page {
	return swap_cluster_readahead(swap, gfp, swapin_fault);
}

/** @reduced no memory policy, so no vma to carry it */
function shmem_alloc_page(gfp: gfp_t): page {
	return alloc_page_vma(gfp, NULL, 0);
}

/** A page, locked; or -errno. @reduced no huge pages */
function shmem_alloc_and_acct_page(gfp: gfp_t, inode: inode): number {
	if (!shmem_inode_acct_block(inode, 1))
		return -ENOSPC;

	const page = shmem_alloc_page(gfp);
	if (page) {
		__SetPageLocked(page);
		SetPageSwapBacked(page);
		return page;
	}

	shmem_inode_unacct_blocks(inode, 1);
	return -ENOMEM;
}

/** Swap-in knows nothing of zones that a file's user needs. @ported v5.10 */
function shmem_should_replace_page(page: page, gfp: gfp_t): boolean {
	return page_zonenum(page) > gfp_zone(gfp);
}

/** Put a page of a better zone in its place in the swap cache. @ported v5.10 */
function shmem_replace_page(pagep: out<page>, gfp: gfp_t): number {
	let oldpage = pagep.v;
	const entry = page_private(oldpage);
	const swap_index = swp_offset(entry);
	const swap_mapping = page_mapping(oldpage);

	gfp &= ~GFP_CONSTRAINT_MASK;
	const newpage = shmem_alloc_page(gfp);
	if (!newpage)
		return -ENOMEM;

	get_page(newpage);
	copy_frame(newpage, oldpage);

	__SetPageLocked(newpage);
	SetPageSwapBacked(newpage);
	SetPageUptodate(newpage);
	set_page_private(newpage, entry);
	SetPageSwapCache(newpage);

	const error = shmem_replace_entry(
		swap_mapping, swap_index, xa_mk_pointer(oldpage), xa_mk_pointer(newpage));
	if (!error) {
		mem_cgroup_migrate(oldpage, newpage);
		__inc_lruvec_page_state(newpage, NR_FILE_PAGES);
		__dec_lruvec_page_state(oldpage, NR_FILE_PAGES);
	}

	if (error) {
		oldpage = newpage;
	} else {
		lru_cache_add(newpage);
		pagep.v = newpage;
	}

	ClearPageSwapCache(oldpage);
	set_page_private(oldpage, 0);

	unlock_page(oldpage);
	put_page(oldpage);
	put_page(oldpage);
	return error;
}

const swapin_pagep: out<page> = { v: NULL };

/**
 * Bring a page back from swap into the page cache. 0 with it in pagep.v, locked and with a
 * reference, or -errno; -EEXIST: the entry is not there any more.
 * @ported v5.10
 * @param radswap the value that is in its place
 */
function shmem_swapin_page(
	inode: inode, index: number, radswap: number, pagep: out<page>, sgp: number, gfp: gfp_t,
	vma: vm_area_struct, fault_type: out<number> | null,
): number {
	const mapping = i_mapping[inode];
	const charge_mm = vma ? vmas.vm_mm[vma] : current_mm();
	const swap = radix_to_swp_entry(radswap);
	let error: number;

	pagep.v = NULL;

	unlock: {
		let page = lookup_swap_cache(swap, NULL, 0);
		failed: {
			if (!page) {
				if (fault_type) {
					fault_type.v |= VM_FAULT_MAJOR;
					count_vm_event(PGMAJFAULT);
					count_memcg_event_mm(charge_mm, PGMAJFAULT);
				}
				page = shmem_swapin(swap, gfp);
				if (!page) {
					error = -ENOMEM;
					break failed;
				}
			}

			lock_page_or_put(page);
			if (!PageSwapCache(page) || page_private(page) !== swap ||
			    !shmem_confirm_swap(mapping, index, swap)) {
				error = -EEXIST;
				unlock_page(page);
				put_page(page);
				break unlock;
			}
			if (!PageUptodate(page)) {
				error = -EIO;
				break failed;
			}
			wait_on_page_writeback(page);

			if (shmem_should_replace_page(page, gfp)) {
				swapin_pagep.v = page;
				error = shmem_replace_page(swapin_pagep, gfp);
				page = swapin_pagep.v;
				if (error)
					break failed;
			}

			error = shmem_add_to_page_cache(
				page, mapping, index, swp_to_radix_entry(swap), gfp, charge_mm);
			if (error)
				break failed;

			swapped[inode]--;
			shmem_recalc_inode(inode);

			if (sgp === SGP_WRITE)
				mark_page_accessed(page);

			delete_from_swap_cache(page);
			set_page_dirty(page);
			swap_free(swap);

			pagep.v = page;
			return 0;
		}
		if (!shmem_confirm_swap(mapping, index, swap))
			error = -EEXIST;
		if (page) {
			unlock_page(page);
			put_page(page);
		}
	}
	/* Who ran in the middle may have used it too. */
	pagep.v = NULL;
	return error;
}

/**
 * Find or make a page. 0 with it in pagep.v, locked and with a reference (NULL: a hole, with
 * SGP_READ), or -errno.
 * @reduced no huge pages, no userfaultfd
 * @param vma that faults, NULL for none
 * @param fault_type VM_FAULT_* are added to it
 */
function shmem_getpage_gfp(
	inode: inode, index: number, pagep: out<page>, sgp: number, gfp: gfp_t,
	vma: vm_area_struct, _vmf: vm_fault | null, fault_type: out<number> | null,
): number {
	const mapping = i_mapping[inode];
	let once = 0;

	pagep.v = NULL;
	if (index > MAX_LFS_FILESIZE / PAGE_SIZE || index > XA_INDEX_MAX)
		return -EFBIG;
	if (sgp === SGP_NOHUGE || sgp === SGP_HUGE)
		sgp = SGP_CACHE;

	repeat: for (;;) {
		let allocated = false;
		let error: number;

		if (sgp <= SGP_CACHE && index * PAGE_SIZE >= i_size_read(inode))
			return -EINVAL;

		const charge_mm = vma ? vmas.vm_mm[vma] : current_mm();
		const entry = find_lock_entry(mapping, index);
		if (xa_is_value(entry)) {
			error = shmem_swapin_page(inode, index, entry, pagep, sgp, gfp, vma,
				fault_type);
			if (error === -EEXIST)
				continue repeat;
			return error;
		}

		let page: page = entry ? xa_to_page(entry) : NULL;
		if (page && sgp === SGP_WRITE)
			mark_page_accessed(page);

		unlock: {
			clear: {
				/* from fallocate()? */
				if (page && !PageUptodate(page)) {
					if (sgp !== SGP_READ)
						break clear;
					unlock_page(page);
					put_page(page);
					page = NULL;
				}
				if (page || sgp === SGP_READ) {
					pagep.v = page;
					return 0;
				}

				const new_page = shmem_alloc_and_acct_page(gfp, inode);
				if (new_page < 0) {
					error = new_page;
					break unlock;
				}
				page = new_page as page;

				/* once more is what activates it */
				if (sgp === SGP_WRITE)
					SetPageReferenced(page);

				error = shmem_add_to_page_cache(
					page, mapping, index, 0, gfp & GFP_RECLAIM_MASK, charge_mm);
				if (error) {
					shmem_inode_unacct_blocks(inode, compound_nr(page));
					break unlock;
				}
				lru_cache_add(page);

				alloced[inode] += compound_nr(page);
				i_blocks[inode] += BLOCKS_PER_PAGE << compound_order(page);
				shmem_recalc_inode(inode);
				allocated = true;

				/* A new page need not be cleared for fallocate() yet. */
				if (sgp === SGP_FALLOC)
					sgp = SGP_WRITE;
			}

			/* Who writes clears what he leaves. */
			if (sgp !== SGP_WRITE && !PageUptodate(page)) {
				clear_frame(page);
				SetPageUptodate(page);
			}

			/* truncated meanwhile? */
			if (sgp <= SGP_CACHE && index * PAGE_SIZE >= i_size_read(inode)) {
				if (allocated) {
					ClearPageDirty(page);
					delete_from_page_cache(page);
					shmem_recalc_inode(inode);
				}
				error = -EINVAL;
				break unlock;
			}
			pagep.v = page;
			return 0;
		}
		if (page) {
			unlock_page(page);
			put_page(page);
		}
		if (error === -ENOSPC && !once++) {
			shmem_recalc_inode(inode);
			continue repeat;
		}
		if (error === -EEXIST)
			continue repeat;
		pagep.v = NULL;
		return error;
	}
}

/** @ported v5.10 include/linux/mm.h:vmf_error() */
function vmf_error(err: number): number {
	if (err === -ENOMEM)
		return VM_FAULT_OOM;
	return VM_FAULT_SIGBUS;
}

/** @ported v5.10 */
export function shmem_fault(vmf: vm_fault): number {
	const { vma } = vmf;
	const inode = file_inode(vmas.vm_file[vma]);
	const gfp = mapping_gfp_mask(i_mapping[inode]);
	const falloc = i_private[inode] as shmem_falloc;
	const ret: out<number> = { v: VM_FAULT_LOCKED };

	/* Into a hole that is being punched: wait, or the punching might never end. */
	if (falloc && shmem_fallocs.waitq[falloc] && vmf.pgoff >= shmem_fallocs.start[falloc] &&
	    vmf.pgoff < shmem_fallocs.next[falloc]) {
		throw new WouldBlock('a hole that is being punched');
	}

	const pagep: out<page> = { v: NULL };
	const err = shmem_getpage_gfp(inode, vmf.pgoff, pagep, SGP_CACHE, gfp, vma, vmf, ret);
	vmf.page = pagep.v;
	if (err)
		return vmf_error(err);
	return ret.v;
}

/** SHM_LOCK and SHM_UNLOCK. @reduced no limit a user */
export function shmem_lock(file: file, lock: boolean): number {
	const inode = file_inode(file);

	if (lock && !(shmem_flags[inode] & VM_LOCKED)) {
		shmem_flags[inode] |= VM_LOCKED;
		mapping_set_unevictable(files.f_mapping[file]);
	}
	if (!lock && (shmem_flags[inode] & VM_LOCKED)) {
		shmem_flags[inode] &= ~VM_LOCKED;
		mapping_clear_unevictable(files.f_mapping[file]);
	}
	return 0;
}

/** @ported v5.10 */
export function shmem_mmap(file: file, vma: vm_area_struct): number {
	/* seal_check_future_write() */
	if (seals[file_inode(file)] & F_SEAL_FUTURE_WRITE) {
		if ((vmas.vm_flags[vma] & VM_SHARED) && (vmas.vm_flags[vma] & VM_WRITE))
			return -EPERM;
		if (vmas.vm_flags[vma] & VM_SHARED)
			vmas.vm_flags[vma] &= ~VM_MAYWRITE;
	}

	vmas.vm_ops[vma] = SHMEM_VM_OPS;
	return 0;
}

/** @reduced regular files only */
function shmem_get_inode(mode: number, flags: number): inode {
	const inode = new_inode(SHMEM_SB);

	if (inode) {
		inodes.i_mode[inode] = mode;
		i_blocks[inode] = 0;
		stop_eviction[inode] = 0;
		seals[inode] = F_SEAL_SEAL;
		shmem_flags[inode] = flags & VM_NORESERVE;
		INIT_LIST_HEAD(swaplist(inode));
		address_spaces.a_ops[i_mapping[inode]] = SHMEM_AOPS;
	}
	return inode;
}

/** @ported v5.10 */
export function shmem_mapping(mapping: address_space): boolean {
	return address_spaces.a_ops[mapping] === SHMEM_AOPS;
}

/** The page to write to, locked, with a reference; or -errno. @ported v5.10 */
export function shmem_write_begin(
	mapping: address_space, pos: number, len: number, _flags: number,
): number {
	const inode = host[mapping];

	if (seals[inode] & (F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) {
		if (seals[inode] & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		if ((seals[inode] & F_SEAL_GROW) && pos + len > i_size[inode])
			return -EPERM;
	}

	const error = shmem_getpage(inode, Math.floor(pos / PAGE_SIZE), found, SGP_WRITE);
	return error || found.v;
}

/** Bytes written. @reduced no huge pages */
export function shmem_write_end(
	mapping: address_space, pos: number, _len: number, copied: number, page: page,
): number {
	const inode = host[mapping];

	if (pos + copied > i_size[inode])
		i_size_write(inode, pos + copied);

	if (!PageUptodate(page)) {
		if (copied < PAGE_SIZE) {
			const from = pos % PAGE_SIZE;

			zero_user_segment(page, 0, from);
			zero_user_segment(page, from + copied, PAGE_SIZE);
		}
		SetPageUptodate(page);
	}
	set_page_dirty(page);
	unlock_page(page);
	put_page(page);
	return copied;
}

/**
 * Read from a file. Bytes read, or -errno.
 * @ported v5.10
 * @param ppos where to start, in bytes; then where it ended
 */
export function shmem_file_read_iter(file: file, ppos: out<number>, to: iov_iter): number {
	const inode = file_inode(file);
	let index = Math.floor(ppos.v / PAGE_SIZE);
	let offset = ppos.v % PAGE_SIZE;
	let retval = 0, error = 0;

	for (;;) {
		let end_index = Math.floor(i_size_read(inode) / PAGE_SIZE);
		let nr: number;

		if (index > end_index)
			break;
		if (index === end_index) {
			nr = i_size_read(inode) % PAGE_SIZE;
			if (nr <= offset)
				break;
		}

		error = shmem_getpage(inode, index, found, SGP_READ);
		if (error) {
			if (error === -EINVAL)
				error = 0;
			break;
		}
		let page = found.v;
		if (page)
			unlock_page(page);

		nr = PAGE_SIZE;
		end_index = Math.floor(i_size_read(inode) / PAGE_SIZE);
		if (index === end_index) {
			nr = i_size_read(inode) % PAGE_SIZE;
			if (nr <= offset) {
				if (page)
					put_page(page);
				break;
			}
		}
		nr -= offset;

		if (page) {
			/* Several small reads of a page are one access. */
			if (!offset)
				mark_page_accessed(page);
		} else {
			page = my_zero_pfn(0) as page;
			get_page(page);
		}

		const ret = to.copy_page_to_iter(page, offset, Math.min(nr, to.count));
		to.count -= ret;
		retval += ret;
		offset += ret;
		index += offset >> PAGE_SHIFT;
		offset &= PAGE_SIZE - 1;

		put_page(page);
		if (!to.count)
			break;
		if (ret < nr) {
			error = -EFAULT;
			break;
		}
	}

	ppos.v = index * PAGE_SIZE + offset;
	return retval || error;
}

/** fallocate(2) of bytes. 0 or -errno. @ported v5.10 */
export function shmem_fallocate(file: file, mode: number, offset: number, len: number): number {
	const inode = file_inode(file);
	const mapping = files.f_mapping[file];

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;

	if (mode & FALLOC_FL_PUNCH_HOLE) {
		const unmap_start = Math.ceil(offset / PAGE_SIZE) * PAGE_SIZE;
		const unmap_end = Math.floor((offset + len) / PAGE_SIZE) * PAGE_SIZE - 1;

		if (seals[inode] & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;

		const falloc = kmem_cache_zalloc(shmem_fallocs);
		BUG_ON(!falloc, 'too many fallocate() at once');
		shmem_fallocs.waitq[falloc] = 1;
		shmem_fallocs.start[falloc] = unmap_start / PAGE_SIZE;
		shmem_fallocs.next[falloc] = (unmap_end + 1) / PAGE_SIZE;
		i_private[inode] = falloc;
		try {
			if (unmap_end > unmap_start)
				unmap_mapping_range(
					mapping, unmap_start, 1 + unmap_end - unmap_start, false);
			shmem_truncate_range(inode, offset, offset + len - 1);
		} finally {
			i_private[inode] = 0;
			kmem_cache_free(shmem_fallocs, falloc);
		}
		return 0;
	}

	if ((seals[inode] & F_SEAL_GROW) && offset + len > i_size[inode])
		return -EPERM;

	const { nr_unswapped, nr_falloced } = shmem_fallocs;
	const start = Math.floor(offset / PAGE_SIZE);
	const end = Math.ceil((offset + len) / PAGE_SIZE);
	const falloc = kmem_cache_zalloc(shmem_fallocs);
	let error = 0;

	BUG_ON(!falloc, 'too many fallocate() at once');
	shmem_fallocs.start[falloc] = start;
	shmem_fallocs.next[falloc] = start;
	i_private[inode] = falloc;

	try {
		for (let index = start; index < end; index++) {
			if (current() && tasks.sigkill[current()])
				error = -EINTR;
			else if (nr_unswapped[falloc] > nr_falloced[falloc])
				error = -ENOMEM;
			else
				error = shmem_getpage(inode, index, found, SGP_FALLOC);
			if (error) {
				if (index > start)
					shmem_undo_range(
						inode, start * PAGE_SIZE, index * PAGE_SIZE - 1,
							true);
				return error;
			}
			const page = found.v;

			shmem_fallocs.next[falloc]++;
			if (!PageUptodate(page))
				shmem_fallocs.nr_falloced[falloc]++;

			/* Dirty, so that reclaim swaps what it would otherwise free. */
			set_page_dirty(page);
			unlock_page(page);
			put_page(page);
		}

		if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + len > i_size[inode])
			i_size_write(inode, offset + len);
	} finally {
		i_private[inode] = 0;
		kmem_cache_free(shmem_fallocs, falloc);
	}
	return error;
}

/** @reduced page flags and memory policies have nothing to set up */
export function shmem_init(): void {
}

register_vm_ops(SHMEM_VM_OPS, {
	name: 'shmem_vm_ops',
	fault: (vmf) => shmem_fault(vmf),
	map_pages: (vmf, start, end) => filemap_map_pages(vmf, start, end),
});

/** A file, or -errno. @ported v5.10 */
function __shmem_file_setup(size: number, flags: number): number {
	if (size < 0 || size > MAX_LFS_FILESIZE)
		return -EINVAL;

	if (shmem_acct_size(flags, size))
		return -ENOMEM;

	const inode = shmem_get_inode(S_IFREG | S_IRWXUGO, flags);
	if (!inode) {
		shmem_unacct_size(flags, size);
		return -ENOSPC;
	}
	inodes.i_size[inode] = size;
	clear_nlink(inode);
	const res = alloc_file(inode, O_RDWR);
	if (!res) {
		iput(inode);
		return -ENFILE;
	}
	return res;
}

/**
 * An unlinked file of `size` bytes. The file, or -errno.
 * @param flags VM_NORESERVE: pages are accounted one by one
 * @reduced the file has no name
 */
export function shmem_file_setup(size: number, flags: number): number {
	return __shmem_file_setup(size, flags);
}

/** @reduced the file has no name, and nobody is kept from it */
export function shmem_kernel_file_setup(size: number, flags: number): number {
	return __shmem_file_setup(size, flags);
}

/** Shared anonymous memory: a file for the vma. 0 or -errno. @reduced no huge pages */
export function shmem_zero_setup(vma: vm_area_struct): number {
	const size = vmas.vm_end[vma] - vmas.vm_start[vma];
	const file = shmem_kernel_file_setup(size, vmas.vm_flags[vma]);

	if (file < 0)
		return file;

	if (vmas.vm_file[vma])
		fput(vmas.vm_file[vma]);
	vmas.vm_file[vma] = file as file;
	vmas.vm_ops[vma] = SHMEM_VM_OPS;
	return 0;
}
