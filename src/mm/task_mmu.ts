// SPDX-License-Identifier: GPL-2.0-only
/*
 * fs/proc/task_mmu.c, v5.10: what /proc/PID/clear_refs, pagemap and smaps do with page tables. The
 * text of these files is made elsewhere.
 * Left out: huge pages, hugetlb, maps, numa_maps.
 */
import { PAGE_SIZE, TASK_SIZE } from '../arch/page.ts';
import { pte_clear_soft_dirty, pte_dirty, pte_offset_map, pte_pfn, pte_present, pte_soft_dirty,
	pte_write, pte_wrprotect, pte_young, ptep_get_and_clear, ptep_test_and_clear_young,
	set_pte_at } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { is_migration_entry, is_swap_pte, migration_entry_to_pfn, non_swap_entry,
	pte_swp_clear_soft_dirty, pte_swp_soft_dirty, pte_to_swp_entry, swp_offset, swp_type }
	from '../arch/swap.ts';
import { flush_tlb_mm } from '../arch/tlb.ts';
import { MM_DONT_PLAY_GAMES_WITH_PINNED_PAGES_IN_CLEAR_PAGE_REFS,
	MM_FIX_CLEAR_REFS_WRITE_LOCKING, MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY,
	applied } from '../lib/commits.ts';
import { EINTR, EINVAL } from '../lib/errno.ts';
import { xa_is_value, xa_load } from '../lib/xarray.ts';
import { get_task_mm, mmput } from './fork.ts';
import { is_cow_mapping } from './internal.ts';
import { vm_normal_page } from './memory.ts';
import { mmap_read_lock, mmap_read_lock_killable, mmap_read_unlock, mmap_write_downgrade,
	mmap_write_lock_killable, mmap_write_unlock, page_count, page_mapcount,
	page_maybe_dma_pinned, reset_mm_hiwater_rss } from './mm.ts';
import { VM_LOCKED, VM_PFNMAP, VM_SHARED, VM_SOFTDIRTY, VM_WRITE, files, mms, vmas,
	type mm_struct, type page, type pte_t, type ptep, type task_struct, type vm_area_struct }
	from './mm_types.ts';
import { find_vma, vma_set_page_prot } from './mmap.ts';
import { ULONG_MAX, dec_tlb_flush_pending, inc_tlb_flush_pending, tlb_finish_mmu, tlb_gather_mmu,
	type mmu_gather } from './mmu_gather.ts';
import { MMU_NOTIFY_SOFT_DIRTY, mmu_notifier_invalidate_range_end,
	mmu_notifier_invalidate_range_start, mmu_notifier_range, mmu_notifier_range_init }
	from './mmu_notifier.ts';
import { ClearPageReferenced, PageAnon, PageDirty, PageReferenced, PageSwapBacked, page_is_young,
	test_and_clear_page_young } from './page_flags.ts';
import { linear_page_index } from './pagemap.ts';
import { ptl_wait } from './ptlock.ts';
import { walk_page_range, walk_page_vma, type mm_walk, type mm_walk_ops } from './pagewalk.ts';
import { shmem_mapping, shmem_partial_swap_usage, shmem_swap_usage } from './shmem.ts';
import { MAX_SWAPFILES_SHIFT } from './swap_types.ts';
import { swp_swapcount } from './swapfile.ts';

/** enum clear_refs_types: what is written to /proc/PID/clear_refs. */
export const CLEAR_REFS_ALL = 1, CLEAR_REFS_ANON = 2, CLEAR_REFS_MAPPED = 3,
	CLEAR_REFS_SOFT_DIRTY = 4, CLEAR_REFS_MM_HIWATER_RSS = 5, CLEAR_REFS_LAST = 6;
/** Fraction bits of the pss values. */
export const PSS_SHIFT = 12;

/** struct mem_size_stats: bytes; pss values in bytes << PSS_SHIFT. */
export class mem_size_stats {
	resident = 0;
	shared_clean = 0;
	shared_dirty = 0;
	private_clean = 0;
	private_dirty = 0;
	referenced = 0;
	anonymous = 0;
	lazyfree = 0;
	swap = 0;
	pss = 0;
	pss_anon = 0;
	pss_file = 0;
	pss_shmem = 0;
	pss_locked = 0;
	swap_pss = 0;
	check_shmem_swap = false;
}

/** @ported v5.10 static */
function smaps_page_accumulate(
	mss: mem_size_stats, page: page, size: number, pss: number, dirty: boolean,
	locked: boolean, private_: boolean,
): void {
	mss.pss += pss;
	if (PageAnon(page))
		mss.pss_anon += pss;
	else if (PageSwapBacked(page))
		mss.pss_shmem += pss;
	else
		mss.pss_file += pss;
	if (locked)
		mss.pss_locked += pss;

	if (dirty || PageDirty(page)) {
		if (private_)
			mss.private_dirty += size;
		else
			mss.shared_dirty += size;
	} else {
		if (private_)
			mss.private_clean += size;
		else
			mss.shared_clean += size;
	}
}

/** @reduced of a single page, mapped by an entry or on its way to one (migration) */
function smaps_account(
	mss: mem_size_stats, page: page, young: boolean, dirty: boolean, locked: boolean,
	migration: boolean,
): void {
	if (PageAnon(page)) {
		mss.anonymous += PAGE_SIZE;
		if (!PageSwapBacked(page) && !dirty && !PageDirty(page))
			mss.lazyfree += PAGE_SIZE;
	}
	mss.resident += PAGE_SIZE;
	if (young || page_is_young(page) || PageReferenced(page))
		mss.referenced += PAGE_SIZE;

	/* With one reference it is mapped once; under migration the count means nothing. */
	let pss = PAGE_SIZE * 2 ** PSS_SHIFT;
	if (page_count(page) === 1 || migration) {
		smaps_page_accumulate(mss, page, PAGE_SIZE, pss, dirty, locked, true);
		return;
	}
	const mapcount = page_mapcount(page);
	if (mapcount >= 2)
		pss = Math.floor(pss / mapcount);
	smaps_page_accumulate(mss, page, PAGE_SIZE, pss, dirty, locked, mapcount < 2);
}

/** @ported v5.10 static; which takes addresses for indices in the file, so finds nothing there */
function smaps_pte_hole(addr: number, end: number, walk: mm_walk<mem_size_stats>): number {
	walk.private.swap += shmem_partial_swap_usage(
		files.f_mapping[vmas.vm_file[walk.vma]], addr, end);
	return 0;
}

/** @ported v5.10 static */
function smaps_pte_entry(pte: ptep, addr: number, walk: mm_walk<mem_size_stats>): void {
	const mss = walk.private;
	const vma = walk.vma;
	const locked = (vmas.vm_flags[vma] & VM_LOCKED) !== 0;
	const ptent = ram[pte]!;
	let page = 0 as page;
	let migration = false, young = false, dirty = false;

	if (pte_present(ptent)) {
		page = vm_normal_page(vma, addr, ptent);
		young = pte_young(ptent);
		dirty = pte_dirty(ptent);
	} else if (is_swap_pte(ptent)) {
		const swpent = pte_to_swp_entry(ptent, ram[pte + 1]!);

		if (!non_swap_entry(swpent)) {
			let pss_delta = PAGE_SIZE * 2 ** PSS_SHIFT;

			mss.swap += PAGE_SIZE;
			const mapcount = swp_swapcount(swpent);
			if (mapcount >= 2)
				pss_delta = Math.floor(pss_delta / mapcount);
			mss.swap_pss += pss_delta;
		} else if (is_migration_entry(swpent)) {
			migration = true;
			page = migration_entry_to_pfn(swpent) as page;
		}
	} else if (mss.check_shmem_swap) {
		const mapping = files.f_mapping[vmas.vm_file[vma]];
		const entry = xa_load(mapping, linear_page_index(vma, addr));

		if (xa_is_value(entry))
			mss.swap += PAGE_SIZE;
		return;
	}
	if (!page)
		return;
	smaps_account(mss, page, young, dirty, locked, migration);
}

/** @ported v5.10 static */
function smaps_pte_range(
	pmd: number, addr: number, end: number, walk: mm_walk<mem_size_stats>,
): number {
	for (let pte = pte_offset_map(pmd, addr); addr !== end; pte += 2, addr += PAGE_SIZE)
		smaps_pte_entry(pte, addr, walk);
	return 0;
}

const smaps_walk_ops: mm_walk_ops<mem_size_stats> = { pmd_entry: smaps_pte_range };
const smaps_shmem_walk_ops: mm_walk_ops<mem_size_stats> = {
	pmd_entry: smaps_pte_range,
	pte_hole: smaps_pte_hole,
};

/**
 * Add what a vma has to `mss`; the mmap lock is held.
 * @ported v5.10 static
 */
export function smap_gather_stats(vma: vm_area_struct, mss: mem_size_stats): void {
	let ops = smaps_walk_ops;

	mss.check_shmem_swap = false;
	if (vmas.vm_file[vma] && shmem_mapping(files.f_mapping[vmas.vm_file[vma]])) {
		const shmem_swapped = shmem_swap_usage(vma);

		/* Where no private copy can hide a swapped page of the file, its count will do. */
		if (!shmem_swapped || (vmas.vm_flags[vma] & VM_SHARED) ||
		    !(vmas.vm_flags[vma] & VM_WRITE)) {
			mss.swap += shmem_swapped;
		} else {
			mss.check_shmem_swap = true;
			ops = smaps_shmem_walk_ops;
		}
	}
	walk_page_vma(vma, ops, mss);
}

interface clear_refs_private {
	/** CLEAR_REFS_* */
	readonly type: number;
}

/**
 * Write-protecting a page that a device may write would make the next write copy it.
 * @ported v5.10 static
 */
function pte_is_pinned(vma: vm_area_struct, addr: number, pte: pte_t): boolean {
	if (!pte_write(pte))
		return false;
	if (!is_cow_mapping(vmas.vm_flags[vma]))
		return false;
	if (!mms.has_pinned[vmas.vm_mm[vma]])
		return false;
	const page = vm_normal_page(vma, addr, pte);
	if (!page)
		return false;
	return page_maybe_dma_pinned(page);
}

/** @ported v5.10 static */
function clear_soft_dirty(vma: vm_area_struct, addr: number, pte: ptep): void {
	const mm = vmas.vm_mm[vma];
	let ptent = ram[pte]!;
	const hi = ram[pte + 1]!;

	if (pte_present(ptent)) {
		if (applied(MM_DONT_PLAY_GAMES_WITH_PINNED_PAGES_IN_CLEAR_PAGE_REFS
		    /* 9348b73c2e1b, v5.11 */) && pte_is_pinned(vma, addr, ptent))
			return;
		ptent = pte_wrprotect(ptep_get_and_clear(mm, addr, pte));
		set_pte_at(mm, addr, pte, pte_clear_soft_dirty(ptent), hi);
	} else if (is_swap_pte(ptent)) {
		set_pte_at(mm, addr, pte, pte_swp_clear_soft_dirty(ptent), hi);
	}
}

/** @ported v5.10 static; the TLB is not flushed for the accessed bits */
function clear_refs_pte_range(
	pmd: number, addr: number, end: number, walk: mm_walk<clear_refs_private>,
): number {
	const { vma, private: cp } = walk;

	ptl_wait(walk.mm, addr);
	for (let pte = pte_offset_map(pmd, addr); addr !== end; pte += 2, addr += PAGE_SIZE) {
		const ptent = ram[pte]!;

		if (cp.type === CLEAR_REFS_SOFT_DIRTY) {
			clear_soft_dirty(vma, addr, pte);
			continue;
		}
		if (!pte_present(ptent))
			continue;
		const page = vm_normal_page(vma, addr, ptent);
		if (!page)
			continue;

		ptep_test_and_clear_young(vma, addr, pte);
		test_and_clear_page_young(page);
		ClearPageReferenced(page);
	}
	return 0;
}

/** @ported v5.10 static */
function clear_refs_test_walk(
	_start: number, _end: number, walk: mm_walk<clear_refs_private>,
): number {
	const { vma, private: cp } = walk;

	if (vmas.vm_flags[vma] & VM_PFNMAP)
		return 1;
	/* 2 is for anonymous pages, 3 for mapped files. */
	if (cp.type === CLEAR_REFS_ANON && vmas.vm_file[vma])
		return 1;
	if (cp.type === CLEAR_REFS_MAPPED && !vmas.vm_file[vma])
		return 1;
	return 0;
}

const clear_refs_walk_ops: mm_walk_ops<clear_refs_private> = {
	pmd_entry: clear_refs_pte_range,
	test_walk: clear_refs_test_walk,
};

/**
 * Write CLEAR_REFS_* to /proc/PID/clear_refs of the task; 0 or -errno.
 * @ported v5.10 static
 */
export function clear_refs_write(task: task_struct, type: number): number {
	if (type < CLEAR_REFS_ALL || type >= CLEAR_REFS_LAST)
		return -EINVAL;
	const mm = get_task_mm(task);
	if (!mm)
		return 0;

	try {
		if (type === CLEAR_REFS_MM_HIWATER_RSS) {
			if (mmap_write_lock_killable(mm))
				return -EINTR;
			reset_mm_hiwater_rss(mm);
			mmap_write_unlock(mm);
			return 0;
		}
		if (applied(MM_FIX_CLEAR_REFS_WRITE_LOCKING /* 29a951dfb3c3, v5.11 */)) {
			if (mmap_write_lock_killable(mm))
				return -EINTR;
			try {
				clear_refs_locked(mm, type);
			} finally {
				mmap_write_unlock(mm);
			}
			return 0;
		}
		/* Only as long as mappings change is it the write lock. */
		if (type === CLEAR_REFS_SOFT_DIRTY && has_softdirty_vma(mm)) {
			if (mmap_write_lock_killable(mm))
				return -EINTR;
			clear_vma_softdirty(mm);
			mmap_write_downgrade(mm);
		} else if (mmap_read_lock_killable(mm)) {
			return -EINTR;
		}
		try {
			clear_refs_locked(mm, type);
		} finally {
			mmap_read_unlock(mm);
		}
	} finally {
		mmput(mm);
	}
	return 0;
}

/** @custom the search of clear_refs_write() for what takes the write lock */
function has_softdirty_vma(mm: mm_struct): boolean {
	for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma])
		if (vmas.vm_flags[vma] & VM_SOFTDIRTY)
			return true;
	return false;
}

/** @custom the loop of clear_refs_write() over the vmas */
function clear_vma_softdirty(mm: mm_struct): void {
	for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma]) {
		if (!(vmas.vm_flags[vma] & VM_SOFTDIRTY))
			continue;
		vmas.vm_flags[vma] &= ~VM_SOFTDIRTY;
		vma_set_page_prot(vma);
	}
}

/** @custom clear_refs_write() between lock and unlock */
function clear_refs_locked(mm: mm_struct, type: number): void {
	const range = new mmu_notifier_range();
	const flushes = applied(MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY
		/* 912efa17e512, v5.12 */);
	/* A gather that gathers nothing, so flushes only if another one is under way. */
	const tlb = flushes ? 0 as mmu_gather : tlb_gather_mmu(mm, 0, ULONG_MAX);

	if (type === CLEAR_REFS_SOFT_DIRTY) {
		clear_vma_softdirty(mm);
		if (flushes)
			inc_tlb_flush_pending(mm);
		mmu_notifier_range_init(range, MMU_NOTIFY_SOFT_DIRTY, 0, 0 as vm_area_struct, mm,
			0, ULONG_MAX);
		mmu_notifier_invalidate_range_start(range);
	}
	if (mms.highest_vm_end[mm])
		walk_page_range(mm, 0, mms.highest_vm_end[mm], clear_refs_walk_ops, { type });
	if (type === CLEAR_REFS_SOFT_DIRTY) {
		mmu_notifier_invalidate_range_end(range);
		if (flushes) {
			flush_tlb_mm(mm);
			dec_tlb_flush_pending(mm);
		}
	}
	if (!flushes)
		tlb_finish_mmu(tlb, 0, ULONG_MAX);
}

/** Flags of a pagemap entry: bits 55 and up of the file's 64-bit words, shifted down by 55. */
export const PM_SOFT_DIRTY = 1 << 0, PM_MMAP_EXCLUSIVE = 1 << 1, PM_FILE = 1 << 6,
	PM_SWAP = 1 << 7, PM_PRESENT = 1 << 8;
const PM_END_OF_BUFFER = 1;

/** struct pagemapread: the entries read, at most `len`. */
export class pagemapread {
	/** entries that are there */
	pos = 0;
	readonly len: number;
	/** pfn of a present page; type | offset << 5 of a swapped one; else 0 */
	readonly frame: Float64Array;
	/** PM_* */
	readonly flags: Int32Array;
	constructor(len: number) {
		this.len = len;
		this.frame = new Float64Array(len);
		this.flags = new Int32Array(len);
	}
}

/** @ported v5.10 static */
function add_to_pagemap(frame: number, flags: number, pm: pagemapread): number {
	pm.frame[pm.pos] = frame;
	pm.flags[pm.pos] = flags;
	return ++pm.pos >= pm.len ? PM_END_OF_BUFFER : 0;
}

/** @ported v5.10 static */
function pagemap_pte_hole(addr: number, end: number, walk: mm_walk<pagemapread>): number {
	const pm = walk.private;

	while (addr < end) {
		const vma = find_vma(walk.mm, addr);
		const hole_end = vma ? Math.min(end, vmas.vm_start[vma]) : end;

		for (; addr < hole_end; addr += PAGE_SIZE) {
			const err = add_to_pagemap(0, 0, pm);
			if (err)
				return err;
		}
		if (!vma)
			break;

		const flags = vmas.vm_flags[vma] & VM_SOFTDIRTY ? PM_SOFT_DIRTY : 0;
		for (; addr < Math.min(end, vmas.vm_end[vma]); addr += PAGE_SIZE) {
			const err = add_to_pagemap(0, flags, pm);
			if (err)
				return err;
		}
	}
	return 0;
}

/** @ported v5.10 static; adds the entry too */
function pte_to_pagemap_entry(
	pm: pagemapread, vma: vm_area_struct, addr: number, pte: pte_t, hi: number,
): number {
	let frame = 0, flags = 0;
	let page = 0 as page;
	let migration = false;

	if (pte_present(pte)) {
		frame = pte_pfn(pte);
		flags |= PM_PRESENT;
		page = vm_normal_page(vma, addr, pte);
		if (pte_soft_dirty(pte))
			flags |= PM_SOFT_DIRTY;
	} else if (is_swap_pte(pte)) {
		if (pte_swp_soft_dirty(pte))
			flags |= PM_SOFT_DIRTY;
		const entry = pte_to_swp_entry(pte, hi);
		frame = swp_type(entry) + swp_offset(entry) * 2 ** MAX_SWAPFILES_SHIFT;
		flags |= PM_SWAP;
		if (is_migration_entry(entry)) {
			migration = true;
			page = migration_entry_to_pfn(entry) as page;
		}
	}

	if (page && !PageAnon(page))
		flags |= PM_FILE;
	if (page && !migration && page_mapcount(page) === 1)
		flags |= PM_MMAP_EXCLUSIVE;
	if (vmas.vm_flags[vma] & VM_SOFTDIRTY)
		flags |= PM_SOFT_DIRTY;
	return add_to_pagemap(frame, flags, pm);
}

/** @ported v5.10 static */
function pagemap_pmd_range(
	pmd: number, addr: number, end: number, walk: mm_walk<pagemapread>,
): number {
	for (let pte = pte_offset_map(pmd, addr); addr < end; pte += 2, addr += PAGE_SIZE) {
		const err = pte_to_pagemap_entry(
			walk.private, walk.vma, addr, ram[pte]!, ram[pte + 1]!);
		if (err)
			return err;
	}
	return 0;
}

const pagemap_ops: mm_walk_ops<pagemapread> = {
	pmd_entry: pagemap_pmd_range,
	pte_hole: pagemap_pte_hole,
};

/**
 * Read /proc/PID/pagemap from an address on: fills `pm` as far as it or user space goes.
 * @returns 0 or -errno
 * @reduced the reader is root, so it sees frame numbers
 */
export function pagemap_read(task: task_struct, start_vaddr: number, pm: pagemapread): number {
	const mm = get_task_mm(task);

	pm.pos = 0;
	if (!mm)
		return 0;
	try {
		const end = Math.min(start_vaddr + pm.len * PAGE_SIZE, TASK_SIZE);
		if (start_vaddr >= end)
			return 0;
		mmap_read_lock(mm);
		try {
			walk_page_range(mm, start_vaddr, end, pagemap_ops, pm);
		} finally {
			mmap_read_unlock(mm);
		}
	} finally {
		mmput(mm);
	}
	return 0;
}
