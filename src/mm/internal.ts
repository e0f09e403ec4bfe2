// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/internal.h, v5.10
 * Left out: compact_control (compaction is not modelled), memory hotplug and hwpoison.
 */
import { VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { __GFP_ATOMIC, __GFP_BITS_MASK, __GFP_FS, __GFP_HARDWALL, __GFP_HIGH, __GFP_IO,
	__GFP_MEMALLOC, __GFP_NOFAIL, __GFP_NOMEMALLOC, __GFP_NORETRY, __GFP_NOWARN, __GFP_RECLAIM,
	__GFP_RETRY_MAYFAIL, __GFP_THISNODE } from './gfp.ts';
import { munlock_vma_pages_range } from './mlock.ts';
import { page_mapping, page_zone } from './mm.ts';
import { pages, VM_EXEC, VM_GROWSDOWN, VM_HUGETLB, VM_LOCKED, VM_MAYWRITE, VM_PFNMAP,
	VM_SHARED, VM_WRITE, vmas } from './mm_types.ts';
import type { page, vm_area_struct } from './mm_types.ts';
import { MIGRATE_HIGHATOMIC, NR_MLOCK, WMARK_HIGH, WMARK_LOW, WMARK_MIN } from './mmzone.ts';
import { PageMlocked, SetPageMlocked, TestClearPageMlocked, thp_nr_pages, thp_size }
	from './page_flags.ts';
import { mapping_unevictable, page_to_pgoff } from './pagemap.ts';
import { __mod_zone_page_state } from './vmstat.ts';

export const GFP_RECLAIM_MASK = __GFP_RECLAIM | __GFP_HIGH | __GFP_IO | __GFP_FS | __GFP_NOWARN |
	__GFP_RETRY_MAYFAIL | __GFP_NOFAIL | __GFP_NORETRY | __GFP_MEMALLOC | __GFP_NOMEMALLOC |
	__GFP_ATOMIC;
/** What allocations may ask for early in boot. */
export const GFP_BOOT_MASK = __GFP_BITS_MASK & ~(__GFP_RECLAIM | __GFP_IO | __GFP_FS);
export const GFP_CONSTRAINT_MASK = __GFP_HARDWALL | __GFP_THISNODE;

/** How often in a row reclaim may get nothing before somebody is killed. */
export const MAX_RECLAIM_RETRIES = 16;
/** Allocations of a higher order may fail rather than kill. */
export const PAGE_ALLOC_COSTLY_ORDER = 3;

/* alloc_flags: the low two bits are a WMARK_* */
export const ALLOC_WMARK_MIN = WMARK_MIN, ALLOC_WMARK_LOW = WMARK_LOW,
	ALLOC_WMARK_HIGH = WMARK_HIGH, ALLOC_NO_WATERMARKS = 0x04, ALLOC_WMARK_MASK = 0x03,
	ALLOC_OOM = 0x08, ALLOC_HARDER = 0x10, ALLOC_HIGH = 0x20, ALLOC_CPUSET = 0x40,
	ALLOC_CMA = 0x80, ALLOC_NOFRAGMENT = 0x100, ALLOC_KSWAPD = 0x800;

export const NODE_RECLAIM_NOSCAN = -2, NODE_RECLAIM_FULL = -1, NODE_RECLAIM_SOME = 0,
	NODE_RECLAIM_SUCCESS = 1;

/** @ported v5.10 */
export function can_madv_lru_vma(vma: vm_area_struct): boolean {
	return !(vmas.vm_flags[vma] & (VM_LOCKED | VM_HUGETLB | VM_PFNMAP));
}

/** @ported v5.10 */
export function page_evictable(page: page): boolean {
	return !mapping_unevictable(page_mapping(page)) && !PageMlocked(page);
}

/** @ported v5.10 */
export function set_page_refcounted(page: page): void {
	VM_BUG_ON_PAGE(pages._refcount[page] !== 0, page, 'is handed out but has references');
	pages._refcount[page] = 1;
}

/** @ported v5.10 */
export function __find_buddy_pfn(page_pfn: number, order: number): number {
	return page_pfn ^ (1 << order);
}

/** Order of a page that is PageBuddy. @ported v5.10 */
export function buddy_order(page: page): number {
	return pages.private[page];
}

/** @ported v5.10 */
export function is_cow_mapping(flags: number): boolean {
	return (flags & (VM_SHARED | VM_MAYWRITE)) === VM_MAYWRITE;
}

const VM_STACK = VM_GROWSDOWN;

/** @ported v5.10 */
export function is_exec_mapping(flags: number): boolean {
	return (flags & (VM_EXEC | VM_WRITE | VM_STACK)) === VM_EXEC;
}

/** @ported v5.10 */
export function is_stack_mapping(flags: number): boolean {
	return (flags & VM_STACK) === VM_STACK;
}

/** @ported v5.10 */
export function is_data_mapping(flags: number): boolean {
	return (flags & (VM_WRITE | VM_SHARED | VM_STACK)) === VM_WRITE;
}

/** @ported v5.10 */
export function munlock_vma_pages_all(vma: vm_area_struct): void {
	munlock_vma_pages_range(vma, vmas.vm_start[vma], vmas.vm_end[vma]);
}

/** @ported v5.10 */
export function mlock_migrate_page(newpage: page, page: page): void {
	if (TestClearPageMlocked(page)) {
		const nr_pages = thp_nr_pages(page);

		__mod_zone_page_state(page_zone(page), NR_MLOCK, -nr_pages);
		SetPageMlocked(newpage);
		__mod_zone_page_state(page_zone(newpage), NR_MLOCK, nr_pages);
	}
}

/** Where a vma would map the page, be it inside the vma or not. @ported v5.10 */
export function __vma_address(page: page, vma: vm_area_struct): number {
	return vmas.vm_start[vma] + (page_to_pgoff(page) - vmas.vm_pgoff[vma]) * PAGE_SIZE;
}

/** The user address at which a vma maps the page. @ported v5.10 */
export function vma_address(page: page, vma: vm_area_struct): number {
	const start = __vma_address(page, vma);
	const end = start + thp_size(page) - PAGE_SIZE;

	VM_BUG_ON(end < vmas.vm_start[vma] || start >= vmas.vm_end[vma],
		'a page is looked for in a vma that does not cover it');
	return Math.max(start, vmas.vm_start[vma]);
}

/** @ported v5.10 */
export function is_migrate_highatomic(migratetype: number): boolean {
	return migratetype === MIGRATE_HIGHATOMIC;
}
