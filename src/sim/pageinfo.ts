// SPDX-License-Identifier: GPL-2.0-only
/* Words of /proc/PID/pagemap, kpageflags, kpagecount and kpagecgroup. */
import { PAGE_SIZE } from '../arch/page.ts';
import { pte_young } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { page_cgroup_ino } from '../mm/memcontrol.ts';
import { follow_pte, is_zero_pfn } from '../mm/memory.ts';
import { page_count, page_mapcount, page_mapped } from '../mm/mm.ts';
import { pages, tasks, type page, type task_struct } from '../mm/mm_types.ts';
import { MAX_ORDER } from '../mm/mmzone.ts';
import { PG_active, PG_arch_1, PG_arch_2, PG_dirty, PG_error, PG_hwpoison, PG_locked, PG_lru,
	PG_mappedtodisk, PG_mlocked, PG_owner_priv_1, PG_private, PG_private_2, PG_reclaim,
	PG_referenced, PG_reserved, PG_slab, PG_swapbacked, PG_uncached, PG_unevictable,
	PG_uptodate, PG_writeback, PageAnon, PageBuddy, PageSlab, PageSwapCache, PageTable,
	page_has_type, page_is_idle } from '../mm/page_flags.ts';
import { max_pfn } from '../mm/page_alloc.ts';
import { PM_FILE, PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SOFT_DIRTY, PM_SWAP, pagemap_read, pagemapread }
	from '../mm/task_mmu.ts';
import { KPF, KPAGEFLAGS_ENTRY_BYTES, PAGEMAP_ENTRY_BYTES, encodeKpageflags, encodePagemap }
	from './formats.ts';

const TWO32 = 0x100000000;
/* SECTION_SIZE_BITS 27 */
const PAGES_PER_SECTION = 1 << 15;

/* Flags that kpageflags copies, in KPF's numbers. */
const COPIED: readonly (readonly [kpf: number, pg: number])[] = [
	[KPF.LOCKED, PG_locked], [KPF.SLAB, PG_slab], [KPF.ERROR, PG_error], [KPF.DIRTY, PG_dirty],
	[KPF.UPTODATE, PG_uptodate], [KPF.WRITEBACK, PG_writeback], [KPF.LRU, PG_lru],
	[KPF.REFERENCED, PG_referenced], [KPF.ACTIVE, PG_active], [KPF.RECLAIM, PG_reclaim],
	[KPF.SWAPBACKED, PG_swapbacked], [KPF.UNEVICTABLE, PG_unevictable],
	[KPF.MLOCKED, PG_mlocked], [KPF.HWPOISON, PG_hwpoison], [KPF.UNCACHED, PG_uncached],
	[KPF.RESERVED, PG_reserved], [KPF.MAPPEDTODISK, PG_mappedtodisk],
	[KPF.PRIVATE, PG_private], [KPF.PRIVATE_2, PG_private_2],
	[KPF.OWNER_PRIVATE, PG_owner_priv_1], [KPF.ARCH, PG_arch_1], [KPF.ARCH_2, PG_arch_2],
];

/* mm/page_alloc.c:is_free_buddy_page() */
function isFreeBuddyPage(pfn: number): boolean {
	for (let order = 0; order < MAX_ORDER; order++) {
		const head = (pfn & ~((1 << order) - 1)) as page;
		if (PageBuddy(head) && pages.private[head] >= order)
			return true;
	}
	return false;
}

/** A word of /proc/kpageflags, in halves: fs/proc/page.c:stable_page_flags(). */
export function kpageflags(page: page): { low: number; high: number } {
	let low = 0, high = 0;

	if (page >= max_pfn.v)
		return { low: 1 << KPF.NOPAGE, high: 0 };
	if (!PageSlab(page) && page_mapped(page))
		low |= 1 << KPF.MMAP;
	if (PageAnon(page))
		low |= 1 << KPF.ANON;
	if (is_zero_pfn(page))
		low |= 1 << KPF.ZERO_PAGE;
	if (PageBuddy(page) || (page_count(page) === 0 && isFreeBuddyPage(page)))
		low |= 1 << KPF.BUDDY;
	if (PageTable(page))
		low |= 1 << KPF.PGTABLE;
	if (page_is_idle(page))
		low |= 1 << KPF.IDLE;
	if (PageSwapCache(page))
		low |= 1 << KPF.SWAPCACHE;
	for (const [kpf, pg] of COPIED) {
		const bit = (pages.flags[page] >>> pg) & 1;
		if (kpf < 32)
			low |= bit << kpf;
		else
			high |= bit << (kpf - 32);
	}
	return { low, high };
}

/** Bytes of /proc/kpageflags and its like: to the end of the last section. */
export function pageFileBytes(): number {
	const sections = Math.ceil(max_pfn.v / PAGES_PER_SECTION);

	return sections * PAGES_PER_SECTION * KPAGEFLAGS_ENTRY_BYTES;
}

/* pfns that the files tell about from a byte offset on: they end at a whole section. */
function pfnsAt(offset: number, length: number): { pfn: number; count: number } {
	const end = pageFileBytes() / KPAGEFLAGS_ENTRY_BYTES;
	const pfn = offset / KPAGEFLAGS_ENTRY_BYTES;

	return { pfn, count: Math.max(0, Math.min(length / KPAGEFLAGS_ENTRY_BYTES, end - pfn)) };
}

/** Bytes of /proc/kpageflags; offset and length are multiples of 8. */
export function kpageflagsBytes(offset: number, length: number): Uint8Array {
	const { pfn, count } = pfnsAt(offset, length);
	const bytes = new Uint8Array(count * KPAGEFLAGS_ENTRY_BYTES);

	for (let i = 0; i < count; i++) {
		const { low, high } = kpageflags(pfn + i as page);
		encodeKpageflags(low, high, bytes, i);
	}
	return bytes;
}

function countBytes(offset: number, length: number, value: (page: page) => number): Uint8Array {
	const { pfn, count } = pfnsAt(offset, length);
	const bytes = new Uint8Array(count * KPAGEFLAGS_ENTRY_BYTES);

	for (let i = 0; i < count; i++) {
		const n = pfn + i < max_pfn.v ? value(pfn + i as page) : 0;
		encodeKpageflags(n % TWO32, Math.floor(n / TWO32), bytes, i);
	}
	return bytes;
}

/** Bytes of /proc/kpagecount: how often each page is mapped. */
export function kpagecountBytes(offset: number, length: number): Uint8Array {
	return countBytes(offset, length, (page) =>
		PageSlab(page) || page_has_type(page) ? 0 : page_mapcount(page));
}

/** Bytes of /proc/kpagecgroup: the inode of the cgroup that each page is charged to. */
export function kpagecgroupBytes(offset: number, length: number): Uint8Array {
	return countBytes(offset, length, page_cgroup_ino);
}

/** Words of /proc/PID/pagemap for so many pages from an address on. */
export function pagemapWords(task: task_struct, start: number, nrPages: number): Uint8Array {
	const pm = new pagemapread(nrPages);

	pagemap_read(task, start, pm);
	const bytes = new Uint8Array(pm.pos * PAGEMAP_ENTRY_BYTES);
	const view = new DataView(bytes.buffer);

	for (let i = 0; i < pm.pos; i++) {
		const flags = pm.flags[i]!, frame = pm.frame[i]!;
		encodePagemap({
			pfnLow: frame % TWO32,
			pfnHigh: Math.floor(frame / TWO32),
			softDirty: (flags & PM_SOFT_DIRTY) !== 0,
			exclusive: (flags & PM_MMAP_EXCLUSIVE) !== 0,
			uffdWp: false,
			filePageOrShared: (flags & PM_FILE) !== 0,
			swapped: (flags & PM_SWAP) !== 0,
			present: (flags & PM_PRESENT) !== 0,
		}, view, i);
	}
	return bytes;
}

/** Bytes of /proc/PID/pagemap from an offset on; both numbers are multiples of 8. */
export function pagemapBytes(task: task_struct, offset: number, length: number): Uint8Array {
	return pagemapWords(task, offset / PAGEMAP_ENTRY_BYTES * PAGE_SIZE,
		length / PAGEMAP_ENTRY_BYTES);
}

/** Whether the page-table entry of an address is present with the accessed bit set. */
export function pteYoung(task: task_struct, address: number): boolean {
	const ptep = follow_pte(tasks.mm[task], address);

	return ptep !== 0 && pte_young(ram[ptep]!);
}
