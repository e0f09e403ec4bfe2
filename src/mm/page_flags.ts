// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/page-flags.h, v5.10
 * Left out: compound pages' redirection (PF_HEAD and its likes), since every page is its own head
 * until huge pages are modelled; each helper is the one place where it will come in.
 */
import { VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { PAGE_MAPPING_ANON, PAGE_MAPPING_FLAGS, PAGE_MAPPING_MOVABLE, PAGE_MAPPING_SHIFT, pages }
	from './mm_types.ts';
import type { address_space, anon_vma, page } from './mm_types.ts';

export const PG_locked = 0, PG_referenced = 1, PG_uptodate = 2, PG_dirty = 3, PG_lru = 4,
	PG_active = 5, PG_workingset = 6, PG_waiters = 7, PG_error = 8, PG_slab = 9,
	PG_owner_priv_1 = 10, PG_arch_1 = 11, PG_reserved = 12, PG_private = 13, PG_private_2 = 14,
	PG_writeback = 15, PG_head = 16, PG_mappedtodisk = 17, PG_reclaim = 18, PG_swapbacked = 19,
	PG_unevictable = 20, PG_mlocked = 21, PG_uncached = 22, PG_hwpoison = 23, PG_young = 24,
	PG_idle = 25, PG_arch_2 = 26;
export const PG_checked = PG_owner_priv_1, PG_swapcache = PG_owner_priv_1,
	PG_readahead = PG_reclaim;

/** Flags that must be clear when a page is freed. */
export const PAGE_FLAGS_CHECK_AT_FREE = 1 << PG_lru | 1 << PG_locked | 1 << PG_private |
	1 << PG_private_2 | 1 << PG_writeback | 1 << PG_reserved | 1 << PG_slab | 1 << PG_active |
	1 << PG_unevictable | 1 << PG_mlocked;
/** Flags that are cleared when a page is freed or handed out. */
export const PAGE_FLAGS_CHECK_AT_PREP = ((1 << 27) - 1) & ~(1 << PG_hwpoison);

interface Flag {
	readonly test: (page: page) => boolean;
	readonly set: (page: page) => void;
	readonly clear: (page: page) => void;
	readonly test_set: (page: page) => boolean;
	readonly test_clear: (page: page) => boolean;
}
/** @custom the macros of this name, which make a function for each verb */
const PAGEFLAG = (bit: number, { flags } = pages, mask = 1 << bit): Flag => ({
	test: (page) => (flags[page] & mask) !== 0,
	set: (page) => { flags[page] |= mask; },
	clear: (page) => { flags[page] &= ~mask; },
	test_set: (page) => {
		const old = flags[page];
		flags[page] = old | mask;
		return (old & mask) !== 0;
	},
	test_clear: (page) => {
		const old = flags[page];
		flags[page] = old & ~mask;
		return (old & mask) !== 0;
	},
});

export const { test: PageLocked, set: __SetPageLocked, clear: __ClearPageLocked,
	test_set: TestSetPageLocked } = PAGEFLAG(PG_locked);
export const { test: PageWaiters, set: SetPageWaiters, clear: ClearPageWaiters } =
	PAGEFLAG(PG_waiters);
export const { test: PageError, set: SetPageError, clear: ClearPageError,
	test_clear: TestClearPageError } = PAGEFLAG(PG_error);
export const { test: PageReferenced, set: SetPageReferenced, clear: ClearPageReferenced,
	test_clear: TestClearPageReferenced } = PAGEFLAG(PG_referenced);
export const { test: PageUptodate, set: SetPageUptodate, clear: ClearPageUptodate } =
	PAGEFLAG(PG_uptodate);
export const { test: PageDirty, set: SetPageDirty, clear: ClearPageDirty,
	test_set: TestSetPageDirty, test_clear: TestClearPageDirty } = PAGEFLAG(PG_dirty);
export const { test: PageLRU, set: SetPageLRU, clear: ClearPageLRU,
	test_clear: TestClearPageLRU } = PAGEFLAG(PG_lru);
export const { test: PageActive, set: SetPageActive, clear: ClearPageActive,
	test_clear: TestClearPageActive } = PAGEFLAG(PG_active);
export const { test: PageWorkingset, set: SetPageWorkingset, clear: ClearPageWorkingset,
	test_clear: TestClearPageWorkingset } = PAGEFLAG(PG_workingset);
export const { test: PageSlab, set: __SetPageSlab, clear: __ClearPageSlab } = PAGEFLAG(PG_slab);
export const { test: PageReserved, set: SetPageReserved, clear: ClearPageReserved } =
	PAGEFLAG(PG_reserved);
export const { test: PagePrivate, set: SetPagePrivate, clear: ClearPagePrivate } =
	PAGEFLAG(PG_private);
export const { test: PagePrivate2, set: SetPagePrivate2, test_clear: TestClearPagePrivate2 } =
	PAGEFLAG(PG_private_2);
export const { test: PageWriteback, set: SetPageWriteback, clear: ClearPageWriteback,
	test_set: TestSetPageWritebackFlag, test_clear: TestClearPageWritebackFlag } =
	PAGEFLAG(PG_writeback);
export const { test: PageMappedToDisk, set: SetPageMappedToDisk,
	clear: ClearPageMappedToDisk } = PAGEFLAG(PG_mappedtodisk);
export const { test: PageReclaim, set: SetPageReclaim, clear: ClearPageReclaim,
	test_clear: TestClearPageReclaim } = PAGEFLAG(PG_reclaim);
export const { test: PageReadahead, set: SetPageReadahead, clear: ClearPageReadahead,
	test_clear: TestClearPageReadahead } = PAGEFLAG(PG_readahead);
export const { test: PageSwapBacked, set: SetPageSwapBacked, clear: ClearPageSwapBacked } =
	PAGEFLAG(PG_swapbacked);
export const { test: PageUnevictable, set: SetPageUnevictable, clear: ClearPageUnevictable,
	test_clear: TestClearPageUnevictable } = PAGEFLAG(PG_unevictable);
export const { test: PageMlocked, set: SetPageMlocked, clear: ClearPageMlocked,
	test_set: TestSetPageMlocked, test_clear: TestClearPageMlocked } = PAGEFLAG(PG_mlocked);
export const { set: SetPageSwapCacheFlag, clear: ClearPageSwapCache } = PAGEFLAG(PG_swapcache);
export const { test: page_is_young, set: set_page_young, clear: clear_page_young,
	test_clear: test_and_clear_page_young } = PAGEFLAG(PG_young);
export const { test: page_is_idle, set: set_page_idle, clear: clear_page_idle } =
	PAGEFLAG(PG_idle);

/** 1 if the page has buffers or what else a file system hangs on it. @ported v5.10 */
export function page_has_private(page: page): number {
	return (pages.flags[page] & (1 << PG_private | 1 << PG_private_2)) !== 0 ? 1 : 0;
}

/** @ported v5.10 */
export function SetPageSwapCache(page: page): void {
	SetPageSwapCacheFlag(page);
}

/** PG_swapcache shares its bit with others: only swap-backed pages mean it. @ported v5.10 */
export function PageSwapCache(page: page): boolean {
	const both = 1 << PG_swapcache | 1 << PG_swapbacked;

	return (pages.flags[page] & both) === both;
}

/** @ported v5.10 */
export function PageAnon(page: page): boolean {
	return (pages.mapping[page] & PAGE_MAPPING_ANON) !== 0;
}

/** @ported v5.10 */
export function __PageMovable(page: page): boolean {
	return (pages.mapping[page] & PAGE_MAPPING_FLAGS) === PAGE_MAPPING_MOVABLE;
}

/** @reduced KSM is not modelled: no page is ever shared by content */
export function PageKsm(_page: page): boolean {
	return false;
}

/* These are where huge pages come in. */

/** @reduced huge pages are not modelled */
export function PageTransHuge(_page: page): boolean {
	return false;
}
/** @reduced huge pages are not modelled */
export function PageTransCompound(_page: page): boolean {
	return false;
}
/** @reduced huge pages are not modelled */
export function PageCompound(_page: page): boolean {
	return false;
}
/** @reduced mm/hugetlb.c:PageHuge() hugetlb pages are not modelled */
export function PageHuge(_page: page): boolean {
	return false;
}
/** @reduced huge pages are not modelled */
export function PageTail(_page: page): boolean {
	return false;
}
/** @reduced huge pages are not modelled: each page is its own head */
export function compound_head(page: page): page {
	return page;
}
/**
 * Base pages of a page.
 * @reduced include/linux/huge_mm.h:thp_nr_pages() huge pages are not modelled
 */
export function thp_nr_pages(_page: page): number {
	return 1;
}
/** @reduced include/linux/mm.h:compound_nr() huge pages are not modelled */
export function compound_nr(_page: page): number {
	return 1;
}
/** @reduced include/linux/mm.h:compound_order() huge pages are not modelled */
export function compound_order(_page: page): number {
	return 0;
}
/** In bytes. @ported v5.10 include/linux/huge_mm.h:thp_size() */
export function thp_size(page: page): number {
	return thp_nr_pages(page) * 4096;
}

/* page_type: a page that is not mapped can say what else it is, in _mapcount */
const PAGE_TYPE_BASE = 0xf0000000 | 0;
const PG_buddy = 0x80, PG_table = 0x400;
export const PAGE_MAPCOUNT_RESERVE = -128;

/** @ported v5.10 */
function PageType(page: page, flag: number): boolean {
	return (pages._mapcount[page] & (PAGE_TYPE_BASE | flag)) === PAGE_TYPE_BASE;
}
/** @ported v5.10 */
export function page_has_type(page: page): boolean {
	return pages._mapcount[page] < PAGE_MAPCOUNT_RESERVE;
}
/** @ported v5.10 */
export function PageBuddy(page: page): boolean {
	return PageType(page, PG_buddy);
}
/** @ported v5.10 */
export function __SetPageBuddy(page: page): void {
	VM_BUG_ON_PAGE(!PageType(page, 0), page, 'becomes free while it is mapped or typed');
	pages._mapcount[page] &= ~PG_buddy;
}
/** @ported v5.10 */
export function __ClearPageBuddy(page: page): void {
	VM_BUG_ON_PAGE(!PageBuddy(page), page, 'is taken from the free lists but is not free');
	pages._mapcount[page] |= PG_buddy;
}
/** @ported v5.10 */
export function PageTable(page: page): boolean {
	return PageType(page, PG_table);
}
/** @ported v5.10 */
export function __SetPageTable(page: page): void {
	VM_BUG_ON_PAGE(!PageType(page, 0), page, 'becomes a table while it is mapped or typed');
	pages._mapcount[page] &= ~PG_table;
}
/** @ported v5.10 */
export function __ClearPageTable(page: page): void {
	VM_BUG_ON_PAGE(!PageTable(page), page, 'is freed as a page table but is none');
	pages._mapcount[page] |= PG_table;
}

/**
 * page->mapping as an address_space pointer, whatever its bits: for pages that are not anon.
 * @custom a cast of the pointer, without its low bits
 */
export function mapping_pointer(page: page): address_space {
	return (pages.mapping[page] >>> PAGE_MAPPING_SHIFT) as address_space;
}
/**
 * page->mapping as an anon_vma pointer, for anon pages.
 * @custom a cast of the pointer, without its low bits
 */
export function anon_vma_pointer(page: page): anon_vma {
	return (pages.mapping[page] >>> PAGE_MAPPING_SHIFT) as anon_vma;
}
/** @custom page->mapping = mapping */
export function set_page_mapping(page: page, mapping: address_space): void {
	pages.mapping[page] = mapping << PAGE_MAPPING_SHIFT;
}
/** @custom page->mapping = anon_vma + PAGE_MAPPING_ANON */
export function set_page_anon_vma(page: page, anon_vma: anon_vma): void {
	pages.mapping[page] = anon_vma << PAGE_MAPPING_SHIFT | PAGE_MAPPING_ANON;
}
