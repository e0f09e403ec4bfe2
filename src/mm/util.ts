// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/util.c, v5.10
 * Left out: string and kernel-memory helpers, /proc/PID/cmdline. page_mapping() and its likes are
 * in mm.ts.
 */
import { PAGE_ALIGN, PAGE_SIZE, offset_in_page } from '../arch/page.ts';
import { EINTR, EINVAL, ENOMEM } from '../lib/errno.ts';
import { global_f64, global_s32, type out } from '../lib/struct.ts';
import { current } from './current.ts';
import { mm_populate } from './gup.ts';
import { mmap_write_lock_killable, mmap_write_unlock, totalram_pages } from './mm.ts';
import { mms, tasks, vmas, type file, type mm_struct, type vm_area_struct } from './mm_types.ts';
import { do_mmap } from './mmap.ts';
import { NR_FREE_PAGES } from './mmzone.ts';
import { total_swap_pages } from './swap_types.ts';
import { global_zone_page_state } from './vmstat.ts';

export const OVERCOMMIT_GUESS = 0, OVERCOMMIT_ALWAYS = 1, OVERCOMMIT_NEVER = 2;
export const sysctl_overcommit_memory = global_s32('sysctl_overcommit_memory');
/* Per cent of RAM that counts towards the commit limit. */
export const sysctl_overcommit_ratio = global_s32('sysctl_overcommit_ratio');
/* KiB kept for root, and for a user to recover with, under OVERCOMMIT_NEVER. */
export const sysctl_user_reserve_kbytes = global_f64('sysctl_user_reserve_kbytes');
export const sysctl_admin_reserve_kbytes = global_f64('sysctl_admin_reserve_kbytes');
/* Pages promised to all mappings with VM_ACCOUNT. */
export const vm_committed_as = global_f64('vm_committed_as');

/** @custom boot values; with mm/mmap.c:init_user_reserve() and init_admin_reserve() */
export function util_init(): void {
	const free_kbytes = global_zone_page_state(NR_FREE_PAGES) * (PAGE_SIZE / 1024);

	sysctl_overcommit_memory.v = OVERCOMMIT_GUESS;
	sysctl_overcommit_ratio.v = 50;
	sysctl_user_reserve_kbytes.v = Math.min(Math.floor(free_kbytes / 32), 1 << 17);
	sysctl_admin_reserve_kbytes.v = Math.min(Math.floor(free_kbytes / 32), 1 << 13);
}

/** @ported v5.10 */
export function __vma_link_list(
	mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct,
): void {
	let next: vm_area_struct;

	vmas.vm_prev[vma] = prev;
	if (prev) {
		next = vmas.vm_next[prev];
		vmas.vm_next[prev] = vma;
	} else {
		next = mms.mmap[mm];
		mms.mmap[mm] = vma;
	}
	vmas.vm_next[vma] = next;
	if (next)
		vmas.vm_prev[next] = vma;
}

/** @ported v5.10 */
export function __vma_unlink_list(mm: mm_struct, vma: vm_area_struct): void {
	const next = vmas.vm_next[vma], prev = vmas.vm_prev[vma];

	if (prev)
		vmas.vm_next[prev] = next;
	else
		mms.mmap[mm] = next;
	if (next)
		vmas.vm_prev[next] = prev;
}

/* unsigned long *populate of do_mmap(), used up at once */
const populate: out<number> = { v: 0 };

/**
 * mmap(2) of the running task.
 * @param file 0 for anonymous memory
 * @param pgoff page offset in the file
 * @returns the address, or -errno
 * @ported v5.10
 */
export function vm_mmap_pgoff(
	file: file, addr: number, len: number, prot: number, flag: number, pgoff: number,
): number {
	const mm = tasks.mm[current()];
	let ret: number;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	try {
		ret = do_mmap(file, addr, len, prot, flag, pgoff, populate);
	} finally {
		mmap_write_unlock(mm);
	}
	if (populate.v)
		mm_populate(ret, populate.v);
	return ret;
}

/** The same with an offset in bytes. @ported v5.10 */
export function vm_mmap(
	file: file, addr: number, len: number, prot: number, flag: number, offset: number,
): number {
	if (offset + PAGE_ALIGN(len) < offset)
		return -EINVAL;
	if (offset_in_page(offset))
		return -EINVAL;
	return vm_mmap_pgoff(file, addr, len, prot, flag, offset / PAGE_SIZE);
}

/** @ported v5.10 include/linux/mman.h:vm_acct_memory() */
export function vm_acct_memory(pages: number): void {
	vm_committed_as.v += pages;
}

/** @ported v5.10 include/linux/mman.h:vm_unacct_memory() */
export function vm_unacct_memory(pages: number): void {
	vm_acct_memory(-pages);
}

/** Pages that may be promised under OVERCOMMIT_NEVER. @reduced no hugetlb, no overcommit_kbytes */
export function vm_commit_limit(): number {
	return Math.floor(totalram_pages() * sysctl_overcommit_ratio.v / 100) + total_swap_pages.v;
}

/** @ported v5.10 */
export function vm_memory_committed(): number {
	return Math.max(0, vm_committed_as.v);
}

/**
 * Promise `pages` more: 0, or -ENOMEM where the overcommit policy forbids it.
 * @ported v5.10
 */
export function __vm_enough_memory(
	mm: mm_struct, pages: number, cap_sys_admin: boolean,
): number {
	vm_acct_memory(pages);

	if (sysctl_overcommit_memory.v === OVERCOMMIT_ALWAYS)
		return 0;

	error: {
		if (sysctl_overcommit_memory.v === OVERCOMMIT_GUESS) {
			if (pages > totalram_pages() + total_swap_pages.v)
				break error;
			return 0;
		}

		let allowed = vm_commit_limit();
		/* root can still log in */
		if (!cap_sys_admin)
			allowed -= Math.floor(sysctl_admin_reserve_kbytes.v / 4);
		/* and for the user to kill what has grown too big */
		if (mm) {
			const reserve = Math.floor(sysctl_user_reserve_kbytes.v / 4);
			allowed -= Math.min(Math.floor(mms.total_vm[mm] / 32), reserve);
		}
		if (vm_committed_as.v < allowed)
			return 0;
	}
	vm_unacct_memory(pages);
	return -ENOMEM;
}
