// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/gup.c, v5.10
 * Left out: huge pages, device pages, hugetlb, the gate area, long-term pins (FOLL_LONGTERM moves
 * pages of CMA and DAX only), get_user_pages_fast() beyond a single page.
 */
import { PAGE_SIZE, offset_in_page, page_align_down } from '../arch/page.ts';
import { pmd_offset, pte_dirty, pte_none, pte_offset_map, pte_pfn, pte_present, pte_special,
	pte_write, pud_offset } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { BUG, BUG_ON, VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import { EBUSY, EEXIST, EFAULT, EHWPOISON, EINTR, EINVAL, ENOENT, ENOMEM } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { blk_complete } from './blkdev.ts';
import { current } from './current.ts';
import { is_cow_mapping } from './internal.ts';
import { follow_pte, handle_mm_fault, is_zero_pfn, vm_normal_page } from './memory.ts';
import { mlock_vma_page } from './mlock.ts';
import { FOLL_ANON, FOLL_COW, FOLL_DUMP, FOLL_FORCE, FOLL_GET, FOLL_HWPOISON, FOLL_MLOCK,
	FOLL_NOWAIT, FOLL_PIN, FOLL_POPULATE, FOLL_REMOTE, FOLL_TOUCH, FOLL_TRIED, FOLL_WRITE,
	GUP_PIN_COUNTING_BIAS, mmap_assert_locked, mmap_read_lock, mmap_read_unlock, page_pgdat,
	page_ref_add, page_ref_sub_and_test, try_get_page, vma_is_accessible, vma_is_anonymous }
	from './mm.ts';
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_KILLABLE, FAULT_FLAG_REMOTE, FAULT_FLAG_RETRY_NOWAIT,
	FAULT_FLAG_TRIED, FAULT_FLAG_WRITE, VM_FAULT_ERROR, VM_FAULT_HWPOISON, VM_FAULT_OOM,
	VM_FAULT_RETRY, VM_FAULT_SIGBUS, VM_FAULT_SIGSEGV, VM_FAULT_WRITE, VM_IO, VM_LOCKED,
	VM_LOCKONFAULT, VM_MAYREAD, VM_PFNMAP, VM_READ, VM_SHARED, VM_WRITE, mms, pages, tasks,
	vmas, type mm_struct, type page, type pte_t, type vm_area_struct } from './mm_types.ts';
import { find_extend_vma, find_vma } from './mmap.ts';
import { NR_FOLL_PIN_ACQUIRED, NR_FOLL_PIN_RELEASED } from './mmzone.ts';
import { set_page_dirty, set_page_dirty_lock } from './page-writeback.ts';
import { PageDirty, SetPageReferenced, compound_head } from './page_flags.ts';
import { trylock_page, unlock_page } from './pagemap.ts';
import { pgd_none_or_clear_bad, pgd_offset, pmd_none_or_clear_bad, pud_none_or_clear_bad }
	from './pgtable.ts';
import { __put_page, lru_add_drain, mark_page_accessed } from './swap.ts';
import { vm_operations } from './vm_ops.ts';
import { mod_node_page_state } from './vmstat.ts';

const { vm_start, vm_end, vm_next, vm_mm, vm_flags } = vmas;

/** Pages found, by pfn; an array of the caller. */
export type page_array = { [index: number]: page };

/**
 * Take what FOLL_GET or FOLL_PIN asks for; false if the page has too many references.
 * @ported v5.10
 */
export function try_grab_page(page: page, flags: number): boolean {
	VM_BUG_ON((flags & (FOLL_GET | FOLL_PIN)) === (FOLL_GET | FOLL_PIN),
		'try_grab_page: a pin is a reference already');
	if (flags & FOLL_GET)
		return try_get_page(page);
	if (flags & FOLL_PIN) {
		page = compound_head(page);
		page_ref_add(page, GUP_PIN_COUNTING_BIAS);
		mod_node_page_state(page_pgdat(page), NR_FOLL_PIN_ACQUIRED, 1);
	}
	return true;
}

/** Give back what FOLL_PIN took. @ported v5.10 */
export function unpin_user_page(page: page): void {
	page = compound_head(page);
	mod_node_page_state(page_pgdat(page), NR_FOLL_PIN_RELEASED, 1);
	if (page_ref_sub_and_test(page, GUP_PIN_COUNTING_BIAS))
		__put_page(page);
}

/** The same, of pages that a device may have written. @ported v5.10 */
export function unpin_user_pages_dirty_lock(
	pages_: page_array, npages: number, make_dirty: boolean,
): void {
	for (let index = 0; index < npages; index++) {
		const page = compound_head(pages_[index]!);

		if (make_dirty && !PageDirty(page))
			set_page_dirty_lock(page);
		unpin_user_page(page);
	}
}

/** @ported v5.10 static */
function no_page_table(vma: vm_area_struct, flags: number): number {
	/* A hole in a core dump is left out of it. */
	if ((flags & FOLL_DUMP) &&
	    (vma_is_anonymous(vma) || !vm_operations(vmas.vm_ops[vma]).fault))
		return -EFAULT;
	return 0;
}

/** @ported v5.10 static */
function can_follow_write_pte(pte: pte_t, flags: number): boolean {
	return pte_write(pte) ||
		((flags & FOLL_FORCE) !== 0 && (flags & FOLL_COW) !== 0 && pte_dirty(pte));
}

/** @ported v5.10 static; a page, 0 for none, or -errno */
function follow_page_pte(
	vma: vm_area_struct, address: number, pmd: number, flags: number,
): number {
	const ptep = pte_offset_map(pmd, address);
	const pte = ram[ptep]!;

	if (!pte_present(pte)) {
		if (pte_none(pte))
			return no_page_table(vma, flags);
		return 0;
	}
	if ((flags & FOLL_WRITE) && !can_follow_write_pte(pte, flags))
		return 0;

	let page = vm_normal_page(vma, address, pte);
	if (!page) {
		/* a dump leaves the zero page out */
		if (flags & FOLL_DUMP)
			return -EFAULT;
		BUG_ON(!is_zero_pfn(pte_pfn(pte)), 'a special entry that is not the zero page');
		page = pte_pfn(pte) as page;
	}

	if (!try_grab_page(page, flags))
		return -ENOMEM;

	if (flags & FOLL_TOUCH) {
		if ((flags & FOLL_WRITE) && !pte_dirty(pte) && !PageDirty(page))
			set_page_dirty(page);
		/* The page is marked, not the entry: its accessed bit tells who used it. */
		mark_page_accessed(page);
	}
	if ((flags & FOLL_MLOCK) && (vm_flags[vma] & VM_LOCKED)) {
		/*
		 * A page without a mapping is on its way out. If it is locked, someone else works
		 * on it: the scan will move it to the unevictable list when it meets it.
		 */
		if (pages.mapping[page] && trylock_page(page)) {
			lru_add_drain();
			mlock_vma_page(page);
			unlock_page(page);
		}
	}
	return page;
}

/** @ported v5.10 static; follow_page_mask(), and the levels below it */
function follow_page_mask(vma: vm_area_struct, address: number, flags: number): number {
	const pgd = pgd_offset(vm_mm[vma], address);

	if (pgd_none_or_clear_bad(pgd))
		return no_page_table(vma, flags);
	const pud = pud_offset(pgd, address);
	if (pud_none_or_clear_bad(pud))
		return no_page_table(vma, flags);
	const pmd = pmd_offset(pud, address);
	if (pmd_none_or_clear_bad(pmd))
		return no_page_table(vma, flags);
	return follow_page_pte(vma, address, pmd, flags);
}

/** The page at an address, without faulting it in: 0 for none, or -errno. @ported v5.10 */
export function follow_page(vma: vm_area_struct, address: number, foll_flags: number): number {
	return follow_page_mask(vma, address, foll_flags);
}

/** @ported v5.10 include/linux/mm.h:vm_fault_to_errno() */
function vm_fault_to_errno(vm_fault: number, foll_flags: number): number {
	if (vm_fault & VM_FAULT_OOM)
		return -ENOMEM;
	if (vm_fault & VM_FAULT_HWPOISON)
		return foll_flags & FOLL_HWPOISON ? -EHWPOISON : -EFAULT;
	if (vm_fault & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV))
		return -EFAULT;
	return 0;
}

/** @ported v5.10 static */
function faultin_page(
	vma: vm_area_struct, address: number, flags: out<number>, locked: out<number> | null,
): number {
	let fault_flags = 0;

	/* MLOCK_ONFAULT: only what is there */
	if ((flags.v & (FOLL_POPULATE | FOLL_MLOCK)) === FOLL_MLOCK)
		return -ENOENT;
	if (flags.v & FOLL_WRITE)
		fault_flags |= FAULT_FLAG_WRITE;
	if (flags.v & FOLL_REMOTE)
		fault_flags |= FAULT_FLAG_REMOTE;
	if (locked)
		fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;
	if (flags.v & FOLL_NOWAIT)
		fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_RETRY_NOWAIT;
	if (flags.v & FOLL_TRIED)
		fault_flags |= FAULT_FLAG_TRIED;

	const ret = handle_mm_fault(vma, address, fault_flags);
	if (ret & VM_FAULT_ERROR) {
		const err = vm_fault_to_errno(ret, flags.v);
		if (err)
			return err;
		BUG('faultin_page: what error?');
	}

	if (ret & VM_FAULT_RETRY) {
		/* The fault has waited for the page, or for I/O, and dropped the mmap lock. */
		if (locked && !(fault_flags & FAULT_FLAG_RETRY_NOWAIT))
			locked.v = 0;
		return -EBUSY;
	}

	/* The write was forced on a read-only mapping: the copy may be read from now on. */
	if ((ret & VM_FAULT_WRITE) && !(vm_flags[vma] & VM_WRITE))
		flags.v |= FOLL_COW;
	return 0;
}

/** @ported v5.10 static */
function check_vma_flags(vma: vm_area_struct, gup_flags: number): number {
	const flags = vm_flags[vma];

	if (flags & (VM_IO | VM_PFNMAP))
		return -EFAULT;
	if ((gup_flags & FOLL_ANON) && !vma_is_anonymous(vma))
		return -EFAULT;

	if (gup_flags & FOLL_WRITE) {
		if (!(flags & VM_WRITE)) {
			if (!(gup_flags & FOLL_FORCE))
				return -EFAULT;
			/* Only a private mapping can be written by force: it gets a copy. */
			if (!is_cow_mapping(flags))
				return -EFAULT;
		}
	} else if (!(flags & VM_READ)) {
		if (!(gup_flags & FOLL_FORCE))
			return -EFAULT;
		if (!(flags & VM_MAYREAD))
			return -EFAULT;
	}
	return 0;
}

/** @ported v5.10 static; pages handled, or -errno if there was none */
function __get_user_pages(
	mm: mm_struct, start: number, nr_pages: number, gup_flags: number,
	pages_: page_array | null, at: number, locked: out<number> | null,
): number {
	let ret = 0, i = 0;
	let vma = 0 as vm_area_struct;
	const foll_flags: out<number> = { v: 0 };

	if (!nr_pages)
		return 0;
	VM_BUG_ON((pages_ !== null) !== ((gup_flags & (FOLL_GET | FOLL_PIN)) !== 0),
		'__get_user_pages: pages are returned exactly with references');

	out: do {
		foll_flags.v = gup_flags;

		if (!vma || start >= vm_end[vma]) {
			vma = find_extend_vma(mm, start);
			if (!vma || check_vma_flags(vma, gup_flags)) {
				ret = -EFAULT;
				break out;
			}
		}
		next_page: for (;;) {
			if (tasks.sigkill[current()]) {
				ret = -EINTR;
				break out;
			}
			const page = follow_page_mask(vma, start, foll_flags.v);
			if (!page) {
				ret = faultin_page(vma, start, foll_flags, locked);
				if (ret === 0)
					continue;
				if (ret === -ENOENT)
					break next_page;
				if (ret === -EBUSY)
					ret = 0;
				break out;
			} else if (page === -EEXIST) {
				/* of a frame that is not counted: only its address could be told */
				break next_page;
			} else if (page < 0) {
				ret = page;
				break out;
			}
			if (pages_)
				pages_[at + i] = page as page;
			break;
		}
		i++;
		start = page_align_down(start) + PAGE_SIZE;
		nr_pages--;
	} while (nr_pages);
	return i ? i : ret;
}

/** @ported v5.10 static */
function vma_permits_fault(vma: vm_area_struct, fault_flags: number): boolean {
	return (vm_flags[vma] & (fault_flags & FAULT_FLAG_WRITE ? VM_WRITE : VM_READ)) !== 0;
}

/**
 * Resolve a fault by hand, as KVM does for what it cannot get a page of: 0 or -errno.
 * @param unlocked set to 1 if the mmap lock was dropped and taken again; null: do not
 * @ported v5.10
 */
export function fixup_user_fault(
	mm: mm_struct, address: number, fault_flags: number, unlocked: out<number> | null,
): number {
	if (unlocked)
		fault_flags |= FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE;

	for (;;) {
		const vma = find_extend_vma(mm, address);
		if (!vma || address < vm_start[vma])
			return -EFAULT;
		if (!vma_permits_fault(vma, fault_flags))
			return -EFAULT;
		if ((fault_flags & FAULT_FLAG_KILLABLE) && tasks.sigkill[current()])
			return -EINTR;

		const ret = handle_mm_fault(vma, address, fault_flags);
		if (ret & VM_FAULT_ERROR) {
			const err = vm_fault_to_errno(ret, 0);
			if (err)
				return err;
			BUG('fixup_user_fault: what error?');
		}
		if (!(ret & VM_FAULT_RETRY))
			return 0;
		mmap_read_lock(mm);
		unlocked!.v = 1;
		fault_flags |= FAULT_FLAG_TRIED;
	}
}

/** @ported v5.10 static */
function __get_user_pages_locked(
	mm: mm_struct, start: number, nr_pages: number, pages_: page_array | null,
	locked: out<number> | null, flags: number,
): number {
	let pages_done = 0, at = 0;
	let lock_dropped = false;

	if (locked)
		BUG_ON(locked.v !== 1, 'get_user_pages: the mmap lock is not held');
	if (flags & FOLL_PIN)
		mms.has_pinned[mm] = 1;

	/* Callers that want pages get references, unless they want pins. */
	if (pages_ && !(flags & FOLL_PIN))
		flags |= FOLL_GET;

	for (;;) {
		let ret = __get_user_pages(mm, start, nr_pages, flags, pages_, at, locked);
		if (!locked)
			return ret;

		if (!locked.v)
			BUG_ON(ret < 0 || ret >= nr_pages, 'get_user_pages: an error with a retry');

		if (ret > 0) {
			nr_pages -= ret;
			pages_done += ret;
			if (!nr_pages)
				break;
		}
		if (locked.v) {
			/* done, or as far as it goes */
			if (!pages_done)
				pages_done = ret;
			break;
		}
		/* The fault dropped the lock and waited for the page: that page alone again. */
		at += ret;
		start += ret * PAGE_SIZE;
		lock_dropped = true;

		do {
			if (tasks.sigkill[current()]) {
				if (!pages_done)
					pages_done = -EINTR;
				return pages_done;
			}
			mmap_read_lock(mm);
			locked.v = 1;
			ret = __get_user_pages(
				mm, start, 1, flags | FOLL_TRIED, pages_, at, locked);
		} while (!locked.v);
		if (ret !== 1) {
			if (!pages_done)
				pages_done = ret;
			break;
		}
		nr_pages--;
		pages_done++;
		if (!nr_pages)
			break;
		at++;
		start += PAGE_SIZE;
	}
	if (lock_dropped && locked!.v) {
		/*
		 * What the caller looked up before is void: dropped for good, so that it sees that.
		 */
		mmap_read_unlock(mm);
		locked!.v = 0;
	}
	return pages_done;
}

/**
 * Fault in the pages of [start, end) of a vma, and mlock them if it is VM_LOCKED; pages done, or
 * -errno. Reads break no copy-on-write, writes do where the mapping is writable.
 * @param locked null: the fault may not drop the mmap lock
 * @ported v5.10
 */
export function populate_vma_page_range(
	vma: vm_area_struct, start: number, end: number, locked: out<number> | null,
): number {
	const mm = vm_mm[vma];
	const nr_pages = (end - start) / PAGE_SIZE;

	VM_BUG_ON(offset_in_page(start) !== 0 || offset_in_page(end) !== 0, 'populate: alignment');
	VM_BUG_ON(start < vm_start[vma] || end > vm_end[vma], 'populate: outside of the vma');
	mmap_assert_locked(mm);

	let gup_flags = FOLL_TOUCH | FOLL_POPULATE | FOLL_MLOCK;
	if (vm_flags[vma] & VM_LOCKONFAULT)
		gup_flags &= ~FOLL_POPULATE;
	/* Break copy-on-write now, but do not dirty shared pages. */
	if ((vm_flags[vma] & (VM_WRITE | VM_SHARED)) === VM_WRITE)
		gup_flags |= FOLL_WRITE;
	/* Write-only and exec-only areas can be populated too. */
	if (vma_is_accessible(vma))
		gup_flags |= FOLL_FORCE;
	return __get_user_pages(mm, start, nr_pages, gup_flags, null, 0, locked);
}

/* Rounds in a row that a fault of a page under I/O can take. */
const RETRIES_MAX = 3;

/**
 * Fault in [start, start + len) of the running task, whatever vmas there are.
 * @param ignore_errors go on with the next vma
 * @returns 0 or -errno
 * @ported v5.10
 */
export function __mm_populate(start: number, len: number, ignore_errors: boolean): number {
	const mm = tasks.mm[current()];
	const end = start + len;
	const locked: out<number> = { v: 0 };
	let vma = 0 as vm_area_struct;
	let ret = 0;
	let nend: number;
	let retries = 0;

	try {
		for (let nstart = start; nstart < end; nstart = nend) {
			if (!locked.v) {
				locked.v = 1;
				mmap_read_lock(mm);
				vma = find_vma(mm, nstart);
			} else if (nstart >= vm_end[vma]) {
				vma = vm_next[vma];
			}
			if (!vma || vm_start[vma] >= end)
				break;
			nend = Math.min(end, vm_end[vma]);
			if (vm_flags[vma] & (VM_IO | VM_PFNMAP))
				continue;
			if (nstart < vm_start[vma])
				nstart = vm_start[vma];
			ret = populate_vma_page_range(vma, nstart, nend, locked);
			/*
			 * To read it, then to wait for it; a page that is written is tried again
			 * and again until that ends. Else whoever holds it is asleep.
			 */
			retries = ret === 0 && !locked.v ? retries + 1 : 0;
			if (retries > RETRIES_MAX && !blk_complete(1))
				throw new WouldBlock('the lock of a page');
			if (ret < 0) {
				if (ignore_errors) {
					ret = 0;
					continue;
				}
				break;
			}
			nend = nstart + ret * PAGE_SIZE;
			ret = 0;
		}
	} finally {
		if (locked.v && mms.mmap_lock[mm] > 0)
			mmap_read_unlock(mm);
	}
	return ret;
}

/** @ported v5.10 include/linux/mm.h:mm_populate() */
export function mm_populate(addr: number, len: number): void {
	__mm_populate(addr, len, true);
}

/** @reduced FOLL_LONGTERM, see the head of this file */
function is_valid_gup_flags(gup_flags: number): boolean {
	VM_BUG_ON((gup_flags & FOLL_PIN) !== 0, 'FOLL_PIN is pin_user_pages()\'s');
	return true;
}

/**
 * Pages of another address space, with a reference each, faulted in as needed; the mmap lock is
 * held.
 * @param locked 1; 0 afterwards if the lock was dropped. null: it may not be
 * @returns pages, or -errno
 * @ported v5.10
 */
export function get_user_pages_remote(
	mm: mm_struct, start: number, nr_pages: number, gup_flags: number,
	pages_: page_array | null, locked: out<number> | null,
): number {
	if (!is_valid_gup_flags(gup_flags))
		return -EINVAL;
	return __get_user_pages_locked(mm, start, nr_pages, pages_, locked,
		gup_flags | FOLL_TOUCH | FOLL_REMOTE);
}

/** The same of the running task. @ported v5.10 */
export function get_user_pages(
	start: number, nr_pages: number, gup_flags: number, pages_: page_array | null,
): number {
	if (!is_valid_gup_flags(gup_flags))
		return -EINVAL;
	return __get_user_pages_locked(tasks.mm[current()], start, nr_pages, pages_, null,
		gup_flags | FOLL_TOUCH);
}

/** The same, taking the mmap lock itself. @ported v5.10 */
export function get_user_pages_unlocked(
	start: number, nr_pages: number, pages_: page_array | null, gup_flags: number,
): number {
	const mm = tasks.mm[current()];
	const locked: out<number> = { v: 1 };

	mmap_read_lock(mm);
	try {
		return __get_user_pages_locked(mm, start, nr_pages, pages_, locked,
			gup_flags | FOLL_TOUCH);
	} finally {
		if (locked.v && mms.mmap_lock[mm] > 0)
			mmap_read_unlock(mm);
	}
}

/**
 * A page that is there and may be accessed so, without any lock: 0 if that needs a fault.
 * @reduced mm/gup.c:get_user_pages_fast_only() for one page of the running task
 */
export function get_user_page_fast_only(addr: number, gup_flags: number): page {
	const ptep = follow_pte(tasks.mm[current()], addr);

	if (!ptep)
		return 0 as page;
	/* gup_pte_range() */
	const pte = ram[ptep]!;
	if (((gup_flags & FOLL_WRITE) && !pte_write(pte)) || pte_special(pte))
		return 0 as page;
	const page = pte_pfn(pte) as page;
	if (!try_grab_page(page, (gup_flags & FOLL_PIN) ? gup_flags : gup_flags | FOLL_GET))
		return 0 as page;
	SetPageReferenced(page);
	return page;
}

/** get_user_pages_remote() with pins for DMA. @ported v5.10 */
export function pin_user_pages_remote(
	mm: mm_struct, start: number, nr_pages: number, gup_flags: number, pages_: page_array,
	locked: out<number> | null,
): number {
	return __get_user_pages_locked(mm, start, nr_pages, pages_, locked,
		gup_flags | FOLL_PIN | FOLL_TOUCH | FOLL_REMOTE);
}

/** get_user_pages() with pins for DMA. @ported v5.10 */
export function pin_user_pages(
	start: number, nr_pages: number, gup_flags: number, pages_: page_array,
): number {
	return __get_user_pages_locked(tasks.mm[current()], start, nr_pages, pages_, null,
		gup_flags | FOLL_PIN | FOLL_TOUCH);
}
