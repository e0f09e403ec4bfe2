// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mlock.c, v5.10
 * Left out: hugetlb, DAX and gate areas, shared-memory segments (user_shm_lock()): none of these
 *	exists here. Huge pages, but for the places where their numbers of pages count.
 * Lock order modelled: mmap_lock > page lock. The lru_lock, under which a batch of pages is taken
 *	off the LRU, is the order of events.
 *
 * A page with PG_mlocked is unevictable: it is on the unevictable list, or on its way there. The
 * mark is kept lazily. Reclaim that meets a page of a VM_LOCKED area without it sets it (rmap.ts);
 * munlock takes it away and then looks whether another area wants it back.
 */
import { pte_offset_map, pte_present } from '../arch/pgtable.ts';
import { PAGE_ALIGN, PAGE_SIZE, PMD_SIZE, TASK_SIZE, addr_end, offset_in_page, page_align_down }
	from '../arch/page.ts';
import { ram } from '../arch/ram.ts';
import { BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { applied, MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE, MM_MUNLOCK_RMAP_CALL_MLOCK_VMA_PAGE }
	from '../lib/commits.ts';
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, EPERM } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { current } from './current.ts';
import { CAP_IPC_LOCK, capable } from './fork.ts';
import { __mm_populate, follow_page, mm_populate } from './gup.ts';
import { page_evictable } from './internal.ts';
import { mem_cgroup_page_lruvec } from './memcontrol.ts';
import { vm_normal_page } from './memory.ts';
import { FOLL_DUMP, FOLL_GET, get_page, mmap_write_lock_killable, mmap_write_unlock, page_mapcount,
	page_pgdat, page_zone, put_page } from './mm.ts';
import { del_page_from_lru_list, page_lru } from './mm_inline.ts';
import { mms, NULL, tasks, VM_LOCKED, VM_LOCKED_CLEAR_MASK, VM_LOCKONFAULT, VM_SPECIAL, vmas,
	type mm_struct, type page, type vm_area_struct } from './mm_types.ts';
import { find_vma, split_vma, vma_merge } from './mmap.ts';
import { NR_MLOCK, PAGEVEC_SIZE, pagevec_page, pagevecs, type pagevec, type zone }
	from './mmzone.ts';
import { ClearPageLRU, PageCompound, PageLocked, PageLRU, PageMlocked, PageTail, PageTransCompound,
	PageTransHuge, PageUnevictable, TestClearPageMlocked, TestClearPageUnevictable,
	TestSetPageMlocked, thp_nr_pages } from './page_flags.ts';
import { lock_page, unlock_page, wait_on_page_locked } from './pagemap.ts';
import { mm_find_pmd, try_to_munlock } from './rmap.ts';
import { __pagevec_lru_add, pagevec_add, pagevec_count, pagevec_enter, pagevec_leave,
	pagevec_reinit, pagevec_release } from './swap.ts';
import { isolate_lru_page, putback_lru_page } from './vmscan.ts';
import { __count_vm_events, __mod_zone_page_state, count_vm_events, mod_zone_page_state,
	UNEVICTABLE_PGCLEARED, UNEVICTABLE_PGMLOCKED, UNEVICTABLE_PGMUNLOCKED,
	UNEVICTABLE_PGRESCUED, UNEVICTABLE_PGSTRANDED } from './vmstat.ts';

const { vm_start, vm_end, vm_next, vm_prev, vm_mm, vm_flags, vm_pgoff, vm_file, anon_vma } = vmas;
const { locked_vm, def_flags, total_vm, mmap: mm_mmap } = mms;

/* include/uapi: flags of mlock2() and mlockall() */
export const MLOCK_ONFAULT = 1;
export const MCL_CURRENT = 1, MCL_FUTURE = 2, MCL_ONFAULT = 4;
/** @ported v5.10 include/linux/sched/signal.h:rlimit(RLIMIT_MEMLOCK), in bytes */
function rlimit_memlock(): number {
	return tasks.rlimit_memlock[current()];
}

/** @ported v5.10 */
export function can_do_mlock(): boolean {
	if (rlimit_memlock() !== 0)
		return true;
	if (capable(CAP_IPC_LOCK))
		return true;
	return false;
}

/** Take the mlocked mark off a page that is mapped no more, or leaves its file. @ported v5.10 */
export function clear_page_mlock(page: page): void {
	if (!TestClearPageMlocked(page))
		return;

	const nr_pages = thp_nr_pages(page);
	mod_zone_page_state(page_zone(page), NR_MLOCK, -nr_pages);
	count_vm_events(UNEVICTABLE_PGCLEARED, nr_pages);
	if (!isolate_lru_page(page)) {
		putback_lru_page(page);
	} else {
		/* Somebody else has it isolated, and may put it back as it was. */
		if (PageUnevictable(page))
			count_vm_events(UNEVICTABLE_PGSTRANDED, nr_pages);
	}
}

/**
 * Mark a page, which is locked, as mlocked, and move it to the unevictable list if it is on the
 * LRU.
 * @ported v5.10
 */
export function mlock_vma_page(page: page): void {
	/* page_referenced() calls it without the lock, of a page that it has isolated */
	BUG_ON(!PageLocked(page) &&
		!applied(MM_MUNLOCK_RMAP_CALL_MLOCK_VMA_PAGE /* cea86fe246b6, v5.18 */),
		'a page is mlocked without its lock');
	if (!applied(MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE /* b291f000393f, v2.6.28 */))
		return;

	VM_BUG_ON_PAGE(PageTail(page), page, 'is mlocked and is a tail page');
	VM_BUG_ON_PAGE(PageCompound(page), page, 'is mlocked and is compound');

	if (!TestSetPageMlocked(page)) {
		const nr_pages = thp_nr_pages(page);

		mod_zone_page_state(page_zone(page), NR_MLOCK, nr_pages);
		count_vm_events(UNEVICTABLE_PGMLOCKED, nr_pages);
		if (!isolate_lru_page(page))
			putback_lru_page(page);
	}
}

/**
 * Take a page, which is pinned, off the LRU if it is there.
 * @param getpage take a reference for it
 * @ported v5.10 static
 */
function __munlock_isolate_lru_page(page: page, getpage: boolean): boolean {
	if (PageLRU(page)) {
		const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));

		if (getpage)
			get_page(page);
		ClearPageLRU(page);
		del_page_from_lru_list(page, lruvec, page_lru(page));
		return true;
	}

	return false;
}

/** Finish the munlock of a page that is isolated and locked. @ported v5.10 static */
function __munlock_isolated_page(page: page): void {
	/* A single mapping is the caller's: nobody else can want it. */
	if (page_mapcount(page) > 1)
		try_to_munlock(page);

	/* else try_to_munlock() has set it again, for another area */
	if (!PageMlocked(page))
		count_vm_events(UNEVICTABLE_PGMUNLOCKED, thp_nr_pages(page));

	putback_lru_page(page);
}

/**
 * Somebody else has taken the page off the LRU: he will put it back where it belongs.
 * @ported v5.10 static
 */
function __munlock_isolation_failed(page: page): void {
	const nr_pages = thp_nr_pages(page);

	if (PageUnevictable(page))
		__count_vm_events(UNEVICTABLE_PGSTRANDED, nr_pages);
	else
		__count_vm_events(UNEVICTABLE_PGMUNLOCKED, nr_pages);
}

/**
 * Munlock a page, which is locked. If it cannot be taken off the LRU, no other area is asked: the
 * mark is gone, and reclaim will find out.
 * @returns base pages of it less one, as a mask: 0 for a normal page
 * @ported v5.10
 */
export function munlock_vma_page(page: page): number {
	BUG_ON(!PageLocked(page), 'a page is munlocked without its lock');

	VM_BUG_ON_PAGE(PageTail(page), page, 'is munlocked and is a tail page');

	if (!TestClearPageMlocked(page)) {
		/* Of a huge page, the other base pages may be mapped one by one: no skipping. */
		return 0;
	}

	const nr_pages = thp_nr_pages(page);
	__mod_zone_page_state(page_zone(page), NR_MLOCK, -nr_pages);

	if (__munlock_isolate_lru_page(page, true))
		__munlock_isolated_page(page);
	else
		__munlock_isolation_failed(page);

	return nr_pages - 1;
}

/** The error of get_user_pages() as POSIX wants it of mlock(). @ported v5.10 static */
function __mlock_posix_error_return(retval: number): number {
	if (retval === -EFAULT)
		retval = -ENOMEM;
	else if (retval === -ENOMEM)
		retval = -EAGAIN;
	return retval;
}

/**
 * An evictable page with a single mapping can skip the CPU's pagevec: add it to `pvec` and unlock
 * it. Returns false for others.
 * @param pgrescued counts up if the page was on the unevictable list
 * @ported v5.10 static
 */
function __putback_lru_fast_prepare(page: page, pvec: pagevec, pgrescued: out<number>): boolean {
	VM_BUG_ON_PAGE(PageLRU(page), page, 'is put back and is on the LRU');
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is put back without its lock');

	if (page_mapcount(page) <= 1 && page_evictable(page)) {
		pagevec_add(pvec, page);
		if (TestClearPageUnevictable(page))
			pgrescued.v++;
		unlock_page(page);
		return true;
	}

	return false;
}

/** Put a batch of evictable pages back. @ported v5.10 static */
function __putback_lru_fast(pvec: pagevec, pgrescued: number): void {
	count_vm_events(UNEVICTABLE_PGMUNLOCKED, pagevec_count(pvec));
	/* It calls release_pages(), which puts the pages. */
	__pagevec_lru_add(pvec);
	count_vm_events(UNEVICTABLE_PGRESCUED, pgrescued);
}

/**
 * Munlock the pages of a pagevec, all of one zone, and put them. First the marks are taken off and
 * the pages are isolated, at once; then those that could be are finished one by one.
 * @ported v5.10 static
 */
function __munlock_pagevec(pvec: pagevec, zone: zone): void {
	const nr = pagevec_count(pvec);
	let delta_munlocked = -nr;
	const pvec_putback = pagevec_enter();
	const pgrescued: out<number> = { v: 0 };

	for (let i = 0; i < nr; i++) {
		const page = pagevec_page(pvec, i);

		if (TestClearPageMlocked(page)) {
			/* The pin of follow_page() stands for that of the isolation. */
			if (__munlock_isolate_lru_page(page, false))
				continue;
			else
				__munlock_isolation_failed(page);
		} else {
			delta_munlocked++;
		}

		/* Nothing to finish, but the caller has pinned it. */
		pagevec_add(pvec_putback, page);
		pagevecs.pages[pvec * PAGEVEC_SIZE + i] = 0;
	}
	__mod_zone_page_state(zone, NR_MLOCK, delta_munlocked);

	pagevec_release(pvec_putback);

	for (let i = 0; i < nr; i++) {
		const page = pagevec_page(pvec, i);

		if (page) {
			lock_page(page);
			if (!__putback_lru_fast_prepare(page, pvec_putback, pgrescued)) {
				/* The page has to live until unlock_page(). */
				get_page(page); /* for who puts it back */
				__munlock_isolated_page(page);
				unlock_page(page);
				put_page(page); /* the caller's pin */
			}
		}
	}

	if (pagevec_count(pvec_putback))
		__putback_lru_fast(pvec_putback, pgrescued.v);
	pagevec_leave(pvec_putback);
}

/**
 * Fill a pagevec that has the page at `start` with those after it: as long as they are present, of
 * the same page table and of the same zone. Returns the address after the last one.
 * @reduced get_locked_pte() would allocate tables: there are all, since start is mapped
 */
function __munlock_pagevec_fill(
	pvec: pagevec, vma: vm_area_struct, zone: zone, start: number, end: number,
): number {
	let pte = pte_offset_map(mm_find_pmd(vm_mm[vma], start), start);

	/* The nearest boundary is that of a lowest table. */
	end = addr_end(start, end, PMD_SIZE);

	start += PAGE_SIZE;
	while (start < end) {
		let page: page = NULL;

		pte += 2;
		if (pte_present(ram[pte]!))
			page = vm_normal_page(vma, start, ram[pte]!);
		/* A batch is of one zone. */
		if (!page || page_zone(page) !== zone)
			break;

		/* The caller goes over these in steps of base pages. */
		if (PageTransCompound(page))
			break;

		get_page(page);
		/* Before the break: the page is added in any case. */
		start += PAGE_SIZE;
		if (pagevec_add(pvec, page) === 0)
			break;
	}
	return start;
}

/**
 * Whether munlock_vma_pages_range() would sleep for a page lock, by when much has changed already.
 * @throws WouldBlock if so
 * @custom there are no stacks to come back to
 */
export function munlock_would_wait(vma: vm_area_struct, start: number, end: number): void {
	for (; start < end; start += PAGE_SIZE) {
		const page = follow_page(vma, start, FOLL_DUMP) as page;

		/* One that is not on a list has its lock not taken. */
		if (page > 0 && PageMlocked(page) && PageLRU(page))
			wait_on_page_locked(page);
	}
}

/**
 * Munlock all pages of a range of a VM_LOCKED area, which is not that any more when this returns.
 * munlock() and whatever unmaps use it. The caller holds mmap_lock for writing.
 *
 * Reclaim may meet a page meanwhile and mlock it again; it is freed mlocked then.
 * @ported v5.10
 */
export function munlock_vma_pages_range(vma: vm_area_struct, start: number, end: number): void {
	vm_flags[vma] &= VM_LOCKED_CLEAR_MASK;

	while (start < end) {
		let page_mask = 0;

		/* FOLL_DUMP makes the zero page an error: there is no pin to take off it. */
		const page = follow_page(vma, start, FOLL_GET | FOLL_DUMP) as page;

		if (page > 0) {
			if (PageTransHuge(page)) {
				lock_page(page);
				page_mask = munlock_vma_page(page);
				unlock_page(page);
				put_page(page); /* follow_page_mask() */
			} else {
				const pvec = pagevec_enter();
				const zone = page_zone(page);

				pagevec_add(pvec, page);
				start = __munlock_pagevec_fill(pvec, vma, zone, start, end);
				__munlock_pagevec(pvec, zone);
				pagevec_reinit(pvec);
				pagevec_leave(pvec);
				continue;
			}
		}
		start += (1 + page_mask) * PAGE_SIZE;
	}
}

/**
 * Give a range of one area new lock flags, splitting it or merging it with its neighbours. Special
 * areas are never locked. 0 or -errno.
 * @param prev in: the area before; out: the area that the range is in now
 * @reduced static; hugetlb, gate and DAX areas are not modelled
 */
function mlock_fixup(
	vma: vm_area_struct, prev: out<vm_area_struct>, start: number, end: number,
	newflags: number,
): number {
	const mm = vm_mm[vma];
	const lock = (newflags & VM_LOCKED) !== 0;
	const old_flags = vm_flags[vma];
	let ret = 0;

	out: {
		if (newflags === vm_flags[vma] || (vm_flags[vma] & VM_SPECIAL) !== 0)
			break out;
		if (!lock)
			munlock_would_wait(vma, start, end);

		const pgoff = vm_pgoff[vma] + (start - vm_start[vma]) / PAGE_SIZE;
		success: {
			prev.v = vma_merge(mm, prev.v, start, end, newflags, anon_vma[vma],
				vm_file[vma], pgoff);
			if (prev.v) {
				vma = prev.v;
				break success;
			}

			if (start !== vm_start[vma]) {
				ret = split_vma(mm, vma, start, true);
				if (ret)
					break out;
			}

			if (end !== vm_end[vma]) {
				ret = split_vma(mm, vma, end, false);
				if (ret)
					break out;
			}
		}

		/* for the limit, and /proc */
		let nr_pages = (end - start) / PAGE_SIZE;
		if (!lock)
			nr_pages = -nr_pages;
		else if (old_flags & VM_LOCKED)
			nr_pages = 0;
		locked_vm[mm] += nr_pages;

		/* A page that reclaim unmaps just now is brought back by populate. */
		if (lock)
			vm_flags[vma] = newflags;
		else
			munlock_vma_pages_range(vma, start, end);
	}
	prev.v = vma;
	return ret;
}

/** Give all areas of a range new lock flags; -ENOMEM at a hole. @ported v5.10 static */
function apply_vma_lock_flags(start: number, len: number, flags: number): number {
	const prev: out<vm_area_struct> = { v: NULL };
	let error: number;

	VM_BUG_ON(offset_in_page(start) !== 0, 'mlock of a start that is not aligned');
	VM_BUG_ON(len !== PAGE_ALIGN(len), 'mlock of a length that is not aligned');
	const end = start + len;
	if (end >= 2 ** 64)
		return -EINVAL;
	if (end === start)
		return 0;
	let vma = find_vma(tasks.mm[current()], start);
	if (!vma || vm_start[vma] > start)
		return -ENOMEM;

	prev.v = vm_prev[vma];
	if (start > vm_start[vma])
		prev.v = vma;

	for (let nstart = start; ;) {
		const newflags = (vm_flags[vma] & VM_LOCKED_CLEAR_MASK) | flags;

		let tmp = vm_end[vma];
		if (tmp > end)
			tmp = end;
		error = mlock_fixup(vma, prev, nstart, tmp, newflags);
		if (error)
			break;
		nstart = tmp;
		if (nstart < vm_end[prev.v])
			nstart = vm_end[prev.v];
		if (nstart >= end)
			break;

		vma = vm_next[prev.v];
		if (!vma || vm_start[vma] !== nstart) {
			error = -ENOMEM;
			break;
		}
	}
	return error;
}

/** Pages of the range that are in areas that are locked already. @ported v5.10 static */
function count_mm_mlocked_page_nr(mm: mm_struct, start: number, len: number): number {
	let count = 0;

	let vma = find_vma(mm, start);
	if (vma === NULL)
		vma = mm_mmap[mm];

	for (; vma; vma = vm_next[vma]) {
		if (start >= vm_end[vma])
			continue;
		if (start + len <= vm_start[vma])
			break;
		if (vm_flags[vma] & VM_LOCKED) {
			if (start > vm_start[vma])
				count -= start - vm_start[vma];
			if (start + len < vm_end[vma]) {
				count += start + len - vm_start[vma];
				break;
			}
			count += vm_end[vma] - vm_start[vma];
		}
	}

	return count / PAGE_SIZE;
}

/** Lock a range of the running task's memory and fault it in. 0 or -errno. @ported v5.10 static */
function do_mlock(start: number, len: number, flags: number): number {
	const mm = tasks.mm[current()];
	let error = -ENOMEM;

	if (!can_do_mlock())
		return -EPERM;

	len = PAGE_ALIGN(len + offset_in_page(start));
	start = page_align_down(start);

	const lock_limit = Math.floor(rlimit_memlock() / PAGE_SIZE);
	let locked = len / PAGE_SIZE;

	if (mmap_write_lock_killable(mm))
		return -EINTR;

	locked += locked_vm[mm];
	if (locked > lock_limit && !capable(CAP_IPC_LOCK)) {
		/* What of the range is locked already must not be counted again. */
		locked -= count_mm_mlocked_page_nr(mm, start, len);
	}

	if (locked <= lock_limit || capable(CAP_IPC_LOCK))
		error = apply_vma_lock_flags(start, len, flags);

	mmap_write_unlock(mm);
	if (error)
		return error;

	error = __mm_populate(start, len, false);
	if (error)
		return __mlock_posix_error_return(error);
	return 0;
}

/** mlock(2) of the running task: 0 or -errno. @ported v5.10 mm/mlock.c:SYSCALL_DEFINE2(mlock) */
export function sys_mlock(start: number, len: number): number {
	return do_mlock(start, len, VM_LOCKED);
}

/**
 * mlock2(2) of the running task: 0 or -errno.
 * @param flags 0 or MLOCK_ONFAULT
 * @ported v5.10 mm/mlock.c:SYSCALL_DEFINE3(mlock2)
 */
export function sys_mlock2(start: number, len: number, flags: number): number {
	let vm_flags = VM_LOCKED;

	if (flags & ~MLOCK_ONFAULT)
		return -EINVAL;

	if (flags & MLOCK_ONFAULT)
		vm_flags |= VM_LOCKONFAULT;

	return do_mlock(start, len, vm_flags);
}

/**
 * munlock(2) of the running task: 0 or -errno.
 * @ported v5.10 mm/mlock.c:SYSCALL_DEFINE2(munlock)
 */
export function sys_munlock(start: number, len: number): number {
	const mm = tasks.mm[current()];

	len = PAGE_ALIGN(len + offset_in_page(start));
	start = page_align_down(start);

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	const ret = apply_vma_lock_flags(start, len, 0);
	mmap_write_unlock(mm);

	return ret;
}

/**
 * The MCL_* flags of mlockall(), 0 for munlockall(), to the areas to come and, or, those there are.
 * @ported v5.10 static
 */
function apply_mlockall_flags(flags: number): number {
	const mm = tasks.mm[current()];
	const prev: out<vm_area_struct> = { v: NULL };
	let to_add = 0;

	def_flags[mm] &= VM_LOCKED_CLEAR_MASK;
	if (flags & MCL_FUTURE) {
		def_flags[mm] |= VM_LOCKED;

		if (flags & MCL_ONFAULT)
			def_flags[mm] |= VM_LOCKONFAULT;

		if (!(flags & MCL_CURRENT))
			return 0;
	}

	if (flags & MCL_CURRENT) {
		to_add |= VM_LOCKED;
		if (flags & MCL_ONFAULT)
			to_add |= VM_LOCKONFAULT;
	}

	for (let vma = mm_mmap[mm]; vma; vma = vm_next[prev.v]) {
		const newflags = (vm_flags[vma] & VM_LOCKED_CLEAR_MASK) | to_add;

		/* what cannot be locked is passed over */
		mlock_fixup(vma, prev, vm_start[vma], vm_end[vma], newflags);
	}
	return 0;
}

/**
 * mlockall(2) of the running task: 0 or -errno.
 * @param flags MCL_*
 * @ported v5.10 mm/mlock.c:SYSCALL_DEFINE1(mlockall)
 */
export function sys_mlockall(flags: number): number {
	const mm = tasks.mm[current()];

	if (!flags || (flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) || flags === MCL_ONFAULT)
		return -EINVAL;

	if (!can_do_mlock())
		return -EPERM;

	const lock_limit = Math.floor(rlimit_memlock() / PAGE_SIZE);

	if (mmap_write_lock_killable(mm))
		return -EINTR;

	let ret = -ENOMEM;
	if (!(flags & MCL_CURRENT) || total_vm[mm] <= lock_limit || capable(CAP_IPC_LOCK))
		ret = apply_mlockall_flags(flags);
	mmap_write_unlock(mm);
	if (!ret && (flags & MCL_CURRENT))
		mm_populate(0, TASK_SIZE);

	return ret;
}

/** munlockall(2) of the running task. @ported v5.10 mm/mlock.c:SYSCALL_DEFINE0(munlockall) */
export function sys_munlockall(): number {
	const mm = tasks.mm[current()];

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	const ret = apply_mlockall_flags(0);
	mmap_write_unlock(mm);
	return ret;
}
