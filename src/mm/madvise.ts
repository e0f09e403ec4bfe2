// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/madvise.c, v5.10
 * Left out: huge pages and KSM (their advice is refused, as by a kernel built without), memory
 * errors, process_madvise(), userfaultfd.
 * Lock order modelled: mmap_lock > page lock.
 */
import { PAGE_ALIGN, PAGE_SHIFT, PAGE_SIZE, offset_in_page } from '../arch/page.ts';
import { pte_dirty, pte_mkclean, pte_mkold, pte_clear_not_present_full, pte_none, pte_offset_map,
	pte_present, pte_young, ptep_get_and_clear_full, set_pte_at } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { non_swap_entry, pte_to_swp_entry } from '../arch/swap.ts';
import { applied, MM_MADVISE_PAGEOUT_IGNORE_REFERENCES } from '../lib/commits.ts';
import { EACCES, EAGAIN, EINTR, EINVAL, ENOMEM } from '../lib/errno.ts';
import { list_add } from '../lib/list.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import type { out } from '../lib/struct.ts';
import { xa_find, xa_is_value, xa_load } from '../lib/xarray.ts';
import { current } from './current.ts';
import { POSIX_FADV_WILLNEED, vfs_fadvise } from './fadvise.ts';
import { diskfs_punch_hole } from './diskfs.ts';
import { DISKFS_SB, fput, get_file } from './fs.ts';
import { GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { can_madv_lru_vma } from './internal.ts';
import { sync_mm_rss, vm_normal_page, zap_page_range } from './memory.ts';
import { add_mm_counter, mmap_read_lock, mmap_read_unlock, mmap_write_lock_killable,
	mmap_write_unlock, page_mapcount, put_page, update_hiwater_rss, vma_is_anonymous }
	from './mm.ts';
import { MM_SWAPENTS, VM_DONTCOPY, VM_DONTDUMP, VM_IO, VM_LOCKED, VM_RAND_READ, VM_SEQ_READ,
	VM_SHARED, VM_SPECIAL, VM_WIPEONFORK, VM_WRITE, files, inodes, mms, pages, tasks, vmas,
	type address_space, type file, type mm_struct, type page, type vm_area_struct }
	from './mm_types.ts';
import { __split_vma, find_vma, find_vma_prev, sysctl_max_map_count, vma_merge } from './mmap.ts';
import { tlb_finish_mmu, tlb_gather_mmu, tlb_remove_tlb_entry, type mmu_gather }
	from './mmu_gather.ts';
import { MMU_NOTIFY_CLEAR, mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start,
	mmu_notifier_range, mmu_notifier_range_init } from './mmu_notifier.ts';
import { ClearPageDirty, ClearPageReferenced, PageDirty, PageLRU, PageSwapCache, PageUnevictable,
	test_and_clear_page_young } from './page_flags.ts';
import { linear_page_index, trylock_page } from './pagemap.ts';
import { unlock_page } from './filemap.ts';
import { walk_page_range, type mm_walk, type mm_walk_ops } from './pagewalk.ts';
import { flush_tlb_batched_pending } from './rmap.ts';
import { FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, radix_to_swp_entry, shmem_fallocate,
	shmem_mapping } from './shmem.ts';
import { deactivate_page, lru_add_drain, mark_page_lazyfree } from './swap.ts';
import { read_swap_cache_async } from './swap_state.ts';
import { free_swap_and_cache, try_to_free_swap } from './swapfile.ts';
import { isolate_lru_page, putback_lru_page, reclaim_pages } from './vmscan.ts';

/* include/uapi/asm-generic/mman-common.h */
export const MADV_NORMAL = 0, MADV_RANDOM = 1, MADV_SEQUENTIAL = 2, MADV_WILLNEED = 3,
	MADV_DONTNEED = 4, MADV_FREE = 8, MADV_REMOVE = 9, MADV_DONTFORK = 10, MADV_DOFORK = 11,
	MADV_DONTDUMP = 16, MADV_DODUMP = 17, MADV_WIPEONFORK = 18, MADV_KEEPONFORK = 19,
	MADV_COLD = 20, MADV_PAGEOUT = 21;

interface madvise_walk_private {
	readonly tlb: mmu_gather;
	readonly pageout: boolean;
}

/** Advice that changes no vma needs the mmap lock for reading only. @ported v5.10 static */
function madvise_need_mmap_write(behavior: number): boolean {
	switch (behavior) {
	case MADV_REMOVE:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_FREE:
		return false;
	default:
		/* the lock of those that may split or merge areas serves for any advice */
		return true;
	}
}

/**
 * Change the flags of a part of a vma, which is split or merged for it.
 * @reduced huge pages and KSM, whose advice madvise_behavior_valid() refuses
 */
function madvise_behavior(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
	behavior: number,
): number {
	const mm = vmas.vm_mm[vma];
	let error = 0;
	let new_flags = vmas.vm_flags[vma];

	switch (behavior) {
	case MADV_NORMAL:
		new_flags = new_flags & ~VM_RAND_READ & ~VM_SEQ_READ;
		break;
	case MADV_SEQUENTIAL:
		new_flags = (new_flags & ~VM_RAND_READ) | VM_SEQ_READ;
		break;
	case MADV_RANDOM:
		new_flags = (new_flags & ~VM_SEQ_READ) | VM_RAND_READ;
		break;
	case MADV_DONTFORK:
		new_flags |= VM_DONTCOPY;
		break;
	case MADV_DOFORK:
		if (vmas.vm_flags[vma] & VM_IO)
			return -EINVAL;
		new_flags &= ~VM_DONTCOPY;
		break;
	case MADV_WIPEONFORK:
		if (vmas.vm_file[vma] || vmas.vm_flags[vma] & VM_SHARED)
			return -EINVAL;
		new_flags |= VM_WIPEONFORK;
		break;
	case MADV_KEEPONFORK:
		new_flags &= ~VM_WIPEONFORK;
		break;
	case MADV_DONTDUMP:
		new_flags |= VM_DONTDUMP;
		break;
	case MADV_DODUMP:
		if (new_flags & VM_SPECIAL)
			return -EINVAL;
		new_flags &= ~VM_DONTDUMP;
		break;
	}

	if (new_flags === vmas.vm_flags[vma]) {
		prev.v = vma;
		return 0;
	}

	const pgoff = vmas.vm_pgoff[vma] + (start - vmas.vm_start[vma]) / 2 ** PAGE_SHIFT;
	out_convert_errno: {
		success: {
			prev.v = vma_merge(mm, prev.v, start, end, new_flags, vmas.anon_vma[vma],
				vmas.vm_file[vma], pgoff);
			if (prev.v) {
				vma = prev.v;
				break success;
			}

			prev.v = vma;

			if (start !== vmas.vm_start[vma]) {
				if (mms.map_count[mm] >= sysctl_max_map_count.v)
					return -ENOMEM;
				error = __split_vma(mm, vma, start, true);
				if (error)
					break out_convert_errno;
			}

			if (end !== vmas.vm_end[vma]) {
				if (mms.map_count[mm] >= sysctl_max_map_count.v)
					return -ENOMEM;
				error = __split_vma(mm, vma, end, false);
				if (error)
					break out_convert_errno;
			}
		}
		vmas.vm_flags[vma] = new_flags;
	}
	/* No slab for a new vma: it may be there next time. */
	return error === -ENOMEM ? -EAGAIN : error;
}

/** @ported v5.10 static */
function swapin_walk_pmd_entry(
	pmd: number, start: number, end: number, walk: mm_walk<vm_area_struct>,
): number {
	const vma = walk.private;
	const orig_pte = pte_offset_map(pmd, start);

	for (let index = start; index !== end; index += PAGE_SIZE) {
		const ptep = orig_pte + (index - start) / PAGE_SIZE * 2;
		const pte = ram[ptep]!;

		if (pte_present(pte) || pte_none(pte))
			continue;
		const entry = pte_to_swp_entry(pte, ram[ptep + 1]!);
		if (non_swap_entry(entry))
			continue;

		const page = read_swap_cache_async(entry, GFP_HIGHUSER_MOVABLE, vma, index, false);
		if (page)
			put_page(page);
	}
	return 0;
}

const swapin_walk_ops: mm_walk_ops<vm_area_struct> = { pmd_entry: swapin_walk_pmd_entry };

/** @ported v5.10 static */
function force_shm_swapin_readahead(
	vma: vm_area_struct, start: number, end: number, mapping: address_space,
): void {
	const end_index = linear_page_index(vma, end + PAGE_SIZE - 1);

	for (let index = xa_find(mapping, linear_page_index(vma, start), end_index, -1);
	     index !== -1; index = xa_find(mapping, index + 1, end_index, -1)) {
		const entry = xa_load(mapping, index);

		if (!xa_is_value(entry))
			continue;
		const page = read_swap_cache_async(radix_to_swp_entry(entry), GFP_HIGHUSER_MOVABLE,
			0 as vm_area_struct, 0, false);
		if (page)
			put_page(page);
	}
	/* Reclaim cannot find what is in a pagevec. */
	lru_add_drain();
}

/** Read what is not in memory. @reduced DAX is not modelled */
function madvise_willneed(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
): number {
	const mm = vmas.vm_mm[vma];
	const file = vmas.vm_file[vma];

	prev.v = vma;
	if (!file) {
		walk_page_range(mm, start, end, swapin_walk_ops, vma);
		/* Reclaim cannot find what is in a pagevec. */
		lru_add_drain();
		return 0;
	}
	if (shmem_mapping(files.f_mapping[file])) {
		force_shm_swapin_readahead(vma, start, end, files.f_mapping[file]);
		return 0;
	}

	/* The mmap lock is dropped for the file system. */
	prev.v = 0 as vm_area_struct;
	get_file(file);
	const offset = linear_page_index(vma, start) * PAGE_SIZE;
	mmap_read_unlock(mm);
	vfs_fadvise(file, offset, end - start, POSIX_FADV_WILLNEED);
	fput(file);
	mmap_read_lock(mm);
	return 0;
}

/** @reduced of base pages */
function madvise_cold_or_pageout_pte_range(
	pmd: number, addr: number, end: number, walk: mm_walk<madvise_walk_private>,
): number {
	const { tlb, pageout } = walk.private;
	const { vma, mm } = walk;

	if (tasks.sigkill[current()])
		return -EINTR;

	const page_list = list_head_enter();
	flush_tlb_batched_pending(mm);
	for (let pte = pte_offset_map(pmd, addr); addr < end; pte += 2, addr += PAGE_SIZE) {
		let ptent = ram[pte]!;
		const hi = ram[pte + 1]!;

		if (pte_none(ptent))
			continue;
		if (!pte_present(ptent))
			continue;
		const page = vm_normal_page(vma, addr, ptent);
		if (!page)
			continue;

		/* Others that map it may want it; who isolated it has it in hand. */
		if (!PageLRU(page) || page_mapcount(page) !== 1)
			continue;

		/* What goes anyway need not look unused. */
		const keeps_young = pageout &&
			applied(MM_MADVISE_PAGEOUT_IGNORE_REFERENCES /* 2864f3d0f583, v6.10 */);
		if (pte_young(ptent) && !keeps_young) {
			ptent = pte_mkold(ptep_get_and_clear_full(mm, addr, pte, false));
			set_pte_at(mm, addr, pte, ptent, hi);
			tlb_remove_tlb_entry(tlb, addr);
		}

		/* A page that counts as referenced could not be reclaimed. */
		ClearPageReferenced(page);
		test_and_clear_page_young(page);
		if (pageout)
			isolate_for_pageout(page, page_list);
		else
			deactivate_page(page);
	}
	if (pageout)
		reclaim_pages(page_list);
	list_head_leave(page_list);
	return 0;
}

/** @custom a branch of madvise_cold_or_pageout_pte_range() */
function isolate_for_pageout(page: page, page_list: ReturnType<typeof list_head_enter>): void {
	if (isolate_lru_page(page))
		return;
	if (PageUnevictable(page))
		putback_lru_page(page);
	else
		list_add(pages.lru(page), page_list);
}

const cold_walk_ops: mm_walk_ops<madvise_walk_private> = {
	pmd_entry: madvise_cold_or_pageout_pte_range,
};

/** @ported v5.10 static */
function madvise_cold_page_range(
	tlb: mmu_gather, vma: vm_area_struct, addr: number, end: number,
): void {
	walk_page_range(vmas.vm_mm[vma], addr, end, cold_walk_ops, { tlb, pageout: false });
}

/** @ported v5.10 static */
function madvise_cold(
	vma: vm_area_struct, prev: out<vm_area_struct>, start_addr: number, end_addr: number,
): number {
	prev.v = vma;
	if (!can_madv_lru_vma(vma))
		return -EINVAL;

	lru_add_drain();
	const tlb = tlb_gather_mmu(vmas.vm_mm[vma], start_addr, end_addr);
	madvise_cold_page_range(tlb, vma, start_addr, end_addr);
	tlb_finish_mmu(tlb, start_addr, end_addr);
	return 0;
}

/** @ported v5.10 static */
function madvise_pageout_page_range(
	tlb: mmu_gather, vma: vm_area_struct, addr: number, end: number,
): void {
	walk_page_range(vmas.vm_mm[vma], addr, end, cold_walk_ops, { tlb, pageout: true });
}

/** @reduced every task is root, so it could open any file for writing */
function can_do_pageout(vma: vm_area_struct): boolean {
	return vma_is_anonymous(vma) || vmas.vm_file[vma] !== 0;
}

/** @ported v5.10 static */
function madvise_pageout(
	vma: vm_area_struct, prev: out<vm_area_struct>, start_addr: number, end_addr: number,
): number {
	prev.v = vma;
	if (!can_madv_lru_vma(vma))
		return -EINVAL;
	if (!can_do_pageout(vma))
		return 0;

	lru_add_drain();
	const tlb = tlb_gather_mmu(vmas.vm_mm[vma], start_addr, end_addr);
	madvise_pageout_page_range(tlb, vma, start_addr, end_addr);
	tlb_finish_mmu(tlb, start_addr, end_addr);
	return 0;
}

/** @reduced of base pages */
function madvise_free_pte_range(
	pmd: number, addr: number, end: number, walk: mm_walk<mmu_gather>,
): number {
	const tlb = walk.private;
	const { vma, mm } = walk;
	let nr_swap = 0;

	flush_tlb_batched_pending(mm);
	for (let pte = pte_offset_map(pmd, addr); addr !== end; pte += 2, addr += PAGE_SIZE) {
		let ptent = ram[pte]!;
		const hi = ram[pte + 1]!;

		if (pte_none(ptent))
			continue;
		/* A new page of zeros is cheaper than the old one from swap. */
		if (!pte_present(ptent)) {
			const entry = pte_to_swp_entry(ptent, hi);

			if (non_swap_entry(entry))
				continue;
			nr_swap--;
			free_swap_and_cache(entry);
			pte_clear_not_present_full(mm, addr, pte, false);
			continue;
		}

		const page = vm_normal_page(vma, addr, ptent);
		if (!page)
			continue;

		if (PageSwapCache(page) || PageDirty(page)) {
			if (!trylock_page(page))
				continue;
			/* Whoever shares it may need what was written. */
			if (page_mapcount(page) !== 1) {
				unlock_page(page);
				continue;
			}
			if (PageSwapCache(page) && !try_to_free_swap(page)) {
				unlock_page(page);
				continue;
			}
			ClearPageDirty(page);
			unlock_page(page);
		}

		if (pte_young(ptent) || pte_dirty(ptent)) {
			ptent = ptep_get_and_clear_full(mm, addr, pte, false);
			ptent = pte_mkclean(pte_mkold(ptent));
			set_pte_at(mm, addr, pte, ptent, hi);
			tlb_remove_tlb_entry(tlb, addr);
		}
		mark_page_lazyfree(page);
	}
	if (nr_swap) {
		if (tasks.mm[current()] === mm)
			sync_mm_rss(mm);
		add_mm_counter(mm, MM_SWAPENTS, nr_swap);
	}
	return 0;
}

const madvise_free_walk_ops: mm_walk_ops<mmu_gather> = { pmd_entry: madvise_free_pte_range };

/** @ported v5.10 static */
function madvise_free_single_vma(
	vma: vm_area_struct, start_addr: number, end_addr: number,
): number {
	const mm = vmas.vm_mm[vma];
	const range = new mmu_notifier_range();

	if (!vma_is_anonymous(vma))
		return -EINVAL;

	const start = Math.max(vmas.vm_start[vma], start_addr);
	if (start >= vmas.vm_end[vma])
		return -EINVAL;
	const end = Math.min(vmas.vm_end[vma], end_addr);
	if (end <= vmas.vm_start[vma])
		return -EINVAL;
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, vma, mm, start, end);

	lru_add_drain();
	const tlb = tlb_gather_mmu(mm, start, end);
	update_hiwater_rss(mm);

	mmu_notifier_invalidate_range_start(range);
	walk_page_range(mm, start, end, madvise_free_walk_ops, tlb);
	mmu_notifier_invalidate_range_end(range);
	tlb_finish_mmu(tlb, start, end);
	return 0;
}

/** The pages go at once, and with them what was in them. @ported v5.10 static */
function madvise_dontneed_single_vma(vma: vm_area_struct, start: number, end: number): number {
	zap_page_range(vma, start, end - start);
	return 0;
}

/** @reduced no userfaultfd, which nobody here can open */
function madvise_dontneed_free(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
	behavior: number,
): number {
	prev.v = vma;
	if (!can_madv_lru_vma(vma))
		return -EINVAL;

	if (behavior === MADV_DONTNEED)
		return madvise_dontneed_single_vma(vma, start, end);
	return madvise_free_single_vma(vma, start, end);
}

/** Punch a hole into the file. @reduced userfaultfd; of files, those of shmem can have holes */
function madvise_remove(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
): number {
	const mm = vmas.vm_mm[vma];

	/* The mmap lock is dropped below. */
	prev.v = 0 as vm_area_struct;

	if (vmas.vm_flags[vma] & VM_LOCKED)
		return -EINVAL;
	const f = vmas.vm_file[vma];
	if (!f)
		return -EINVAL;
	if ((vmas.vm_flags[vma] & (VM_SHARED | VM_WRITE)) !== (VM_SHARED | VM_WRITE))
		return -EACCES;

	const offset = linear_page_index(vma, start) * PAGE_SIZE;
	get_file(f);
	mmap_read_unlock(mm);
	const error = vfs_fallocate(
		f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, end - start);
	fput(f);
	mmap_read_lock(mm);
	return error;
}

/** @reduced fs/open.c:vfs_fallocate(): holes are all that ext4 is asked for */
function vfs_fallocate(f: file, mode: number, offset: number, len: number): number {
	if (inodes.i_sb[files.f_inode[f]] === DISKFS_SB)
		return diskfs_punch_hole(files.f_inode[f], offset, len);
	return shmem_fallocate(f, mode, offset, len);
}

/** @ported v5.10 static */
function madvise_vma(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
	behavior: number,
): number {
	switch (behavior) {
	case MADV_REMOVE:
		return madvise_remove(vma, prev, start, end);
	case MADV_WILLNEED:
		return madvise_willneed(vma, prev, start, end);
	case MADV_COLD:
		return madvise_cold(vma, prev, start, end);
	case MADV_PAGEOUT:
		return madvise_pageout(vma, prev, start, end);
	case MADV_FREE:
	case MADV_DONTNEED:
		return madvise_dontneed_free(vma, prev, start, end, behavior);
	default:
		return madvise_behavior(vma, prev, start, end, behavior);
	}
}

/** @reduced as of a kernel without KSM, huge pages and memory failures */
function madvise_behavior_valid(behavior: number): boolean {
	switch (behavior) {
	case MADV_DOFORK:
	case MADV_DONTFORK:
	case MADV_NORMAL:
	case MADV_SEQUENTIAL:
	case MADV_RANDOM:
	case MADV_REMOVE:
	case MADV_WILLNEED:
	case MADV_DONTNEED:
	case MADV_FREE:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
		return true;
	default:
		return false;
	}
}

/**
 * madvise(2) on an address space.
 * @returns 0 or -errno; -ENOMEM also after all was done, if parts of the range are not mapped
 * @ported v5.10
 */
export function do_madvise(
	mm: mm_struct, start: number, len_in: number, behavior: number,
): number {
	const prev: out<vm_area_struct> = { v: 0 as vm_area_struct };
	let unmapped_error = 0;
	let error = -EINVAL;

	if (!madvise_behavior_valid(behavior))
		return error;
	if (offset_in_page(start))
		return error;
	const len = PAGE_ALIGN(len_in);
	/* so large that it wrapped when it was aligned */
	if (len_in && !len)
		return error;
	const end = start + len;
	if (end < start)
		return error;
	error = 0;
	if (end === start)
		return error;

	const write = madvise_need_mmap_write(behavior);
	if (write) {
		if (mmap_write_lock_killable(mm))
			return -EINTR;
	} else {
		mmap_read_lock(mm);
	}

	/* Unmapped parts are passed over, and reported at the end. */
	let vma = find_vma_prev(mm, start, prev);
	if (vma && start > vmas.vm_start[vma])
		prev.v = vma;

	out: {
		for (;;) {
			error = -ENOMEM;
			if (!vma)
				break out;

			if (start < vmas.vm_start[vma]) {
				unmapped_error = -ENOMEM;
				start = vmas.vm_start[vma];
				if (start >= end)
					break out;
			}

			const tmp = Math.min(end, vmas.vm_end[vma]);
			error = madvise_vma(vma, prev, start, tmp, behavior);
			if (error)
				break out;
			start = tmp;
			if (prev.v && start < vmas.vm_end[prev.v])
				start = vmas.vm_end[prev.v];
			error = unmapped_error;
			if (start >= end)
				break out;
			if (prev.v)
				vma = vmas.vm_next[prev.v];
			else	/* the mmap lock was dropped */
				vma = find_vma(mm, start);
		}
	}
	if (write)
		mmap_write_unlock(mm);
	else
		mmap_read_unlock(mm);
	return error;
}

/**
 * madvise(2) of the running task; 0 or -errno.
 * @ported v5.10 mm/madvise.c:SYSCALL_DEFINE3(madvise)
 */
export function sys_madvise(start: number, len_in: number, behavior: number): number {
	return do_madvise(tasks.mm[current()], start, len_in, behavior);
}
