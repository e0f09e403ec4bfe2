// SPDX-License-Identifier: GPL-2.0-only
/*
 * The mlock family of system calls, and what becomes of the pages. Expectations: mlock(2),
 * Documentation/vm/unevictable-lru.rst and mm/mlock.c of v5.10, derived beside each test.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE, PMD_SIZE } from '../../src/arch/page.ts';
import { ram } from '../../src/arch/ram.ts';
import { current } from '../../src/mm/current.ts';
import { clear_page_mlock, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, mlock_vma_page,
	munlock_vma_page, munlock_vma_pages_range, sys_mlock, sys_mlock2, sys_mlockall, sys_munlock,
	sys_munlockall } from '../../src/mm/mlock.ts';
import { find_vma, MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PROT_READ, PROT_WRITE, sys_munmap }
	from '../../src/mm/mmap.ts';
import { mms, NR_MM_COUNTERS, pages, tasks, VM_LOCKED, VM_LOCKONFAULT, vmas, type mm_struct,
	type page, type vm_area_struct } from '../../src/mm/mm_types.ts';
import { NR_MLOCK, NR_UNEVICTABLE } from '../../src/mm/mmzone.ts';
import { PageActive, PageLRU, PageMlocked, PageUnevictable, __ClearPageLocked, __SetPageLocked }
	from '../../src/mm/page_flags.ts';
import { lru_add_drain, lru_cache_add } from '../../src/mm/swap.ts';
import { mm_find_pmd } from '../../src/mm/rmap.ts';
import { isolate_lru_page, putback_lru_page } from '../../src/mm/vmscan.ts';
import { vm_mmap } from '../../src/mm/util.ts';
import { global_node_page_state, global_zone_page_state, UNEVICTABLE_PGCLEARED,
	UNEVICTABLE_PGMLOCKED, UNEVICTABLE_PGMUNLOCKED, UNEVICTABLE_PGRESCUED,
	UNEVICTABLE_PGSTRANDED, vm_event, vmstat_refresh } from '../../src/mm/vmstat.ts';
import { BASE, boot, mapFilePage, newFile, newFileArea, newFilePage, newMm, OLD, PRESENT, ptepOf }
	from './rmap_machine.ts';

let mm: mm_struct;
beforeEach(() => {
	boot();
	mm = tasks.mm[current()];
});

const K = PAGE_SIZE;
function mmap(nr: number, addr = BASE): number {
	expect(vm_mmap(0 as never, addr, nr * K, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, 0)).toBe(addr);
	return addr;
}
/* The page mapped at page i of BASE, 0 for none. */
function at(i: number): page {
	const pte = ram[ptepOf(mm, BASE + i * K)]!;

	return (pte & PRESENT ? pte >>> 12 : 0) as page;
}
/* Areas of the running task from BASE on: first page, pages, lock flags. */
function areas(): [number, number, number][] {
	const list: [number, number, number][] = [];

	for (let vma = find_vma(mm, BASE); vma; vma = vmas.vm_next[vma])
		list.push([(vmas.vm_start[vma] - BASE) / K,
			(vmas.vm_end[vma] - vmas.vm_start[vma]) / K,
			vmas.vm_flags[vma] & (VM_LOCKED | VM_LOCKONFAULT)]);
	return list;
}
/* Zone and node counters with what CPUs have not folded in yet. */
function zoneStat(item: number): number {
	vmstat_refresh();
	return global_zone_page_state(item);
}
function nodeStat(item: number): number {
	vmstat_refresh();
	return global_node_page_state(item);
}

describe('mlock() and munlock()', () => {
	/*
	 * 40 pages: two pagevecs of 15 and one of 10 in munlock_vma_pages_range(). Across a page
	 * table: the pte walk stops there and starts again.
	 */
	test.each([['in one page table', BASE], ['over two', BASE + PMD_SIZE - 7 * K]])(
		'40 pages %s are there and unevictable, then evictable again', (_name, start) => {
			mmap(40, start);
			expect(sys_mlock(start, 40 * K)).toBe(0);
			const first = (start - BASE) / K;
			const all = Array.from({ length: 40 }, (_, i) => at(first + i));
			expect(all.every((page) => page !== 0 && PageMlocked(page) &&
				PageUnevictable(page) && PageLRU(page))).toBe(true);
			expect(zoneStat(NR_MLOCK)).toBe(40);
			expect(nodeStat(NR_UNEVICTABLE)).toBe(40);
			expect(vm_event(UNEVICTABLE_PGMLOCKED)).toBe(40);
			expect(mms.locked_vm[mm]).toBe(40);

			expect(sys_munlock(start, 40 * K)).toBe(0);
			expect(all.every((page) => !PageMlocked(page) && !PageUnevictable(page) &&
				PageLRU(page))).toBe(true);
			expect(zoneStat(NR_MLOCK)).toBe(0);
			expect(nodeStat(NR_UNEVICTABLE)).toBe(0);
			expect(vm_event(UNEVICTABLE_PGMUNLOCKED)).toBe(40);
			expect(vm_event(UNEVICTABLE_PGRESCUED)).toBe(40);
			expect(mms.locked_vm[mm]).toBe(0);
			/* only the mapping's reference is left of each */
			expect(all.every((page) => pages._refcount[page] === 1)).toBe(true);
		});

	test('what lies behind a page table is not an entry', () => {
		/* The frame after the table gets a word that looks like one: of the first page. */
		const start = BASE + PMD_SIZE - 3 * K;
		mmap(6, start);
		/* The upper table first, so that it is not the frame behind the lower one. */
		expect(sys_mlock(start + 3 * K, 3 * K)).toBe(0);
		expect(sys_mlock(start, 6 * K)).toBe(0);
		expect(areas().map(([, nr]) => nr)).toEqual([6]);
		const first = (start - BASE) / K;
		const table = (addr: number): number => ram[mm_find_pmd(mm, addr)]! >>> 12;
		const behind = table(start) + 1 << 10;
		const was = ram[behind]!;
		expect(table(start) + 1).not.toBe(table(start + 3 * K));
		ram[behind] = at(first) << 12 | OLD;
		expect(sys_munlock(start, 6 * K)).toBe(0);
		ram[behind] = was;
		for (let i = 0; i < 6; i++) {
			expect(PageMlocked(at(first + i))).toBe(false);
			expect(pages._refcount[at(first + i)]).toBe(1);
		}
	});

	test('a page of the batch that has lost its mark is not counted', () => {
		mmap(5);
		expect(sys_mlock(BASE, 5 * K)).toBe(0);
		clear_page_mlock(at(2));
		lru_add_drain();
		expect(zoneStat(NR_MLOCK)).toBe(4);
		expect(sys_munlock(BASE, 5 * K)).toBe(0);
		expect(zoneStat(NR_MLOCK)).toBe(0);
		expect(vm_event(UNEVICTABLE_PGMUNLOCKED)).toBe(4);
		expect(pages._refcount[at(2)]).toBe(1);
	});

	test('addresses are rounded to pages: the start down, the end up', () => {
		mmap(4);
		expect(sys_mlock(BASE + K + 100, K)).toBe(0);
		expect(areas()).toEqual([[0, 1, 0], [1, 2, VM_LOCKED], [3, 1, 0]]);
	});

	test('a part of an area is split off, and merges back where it may', () => {
		mmap(10);
		expect(sys_mlock(BASE + 3 * K, 4 * K)).toBe(0);
		expect(areas()).toEqual([[0, 3, 0], [3, 4, VM_LOCKED], [7, 3, 0]]);
		expect([2, 3, 6, 7].map((i) => at(i) !== 0)).toEqual([false, true, true, false]);
		expect(mms.locked_vm[mm]).toBe(4);
		/* locked already: not counted again */
		expect(sys_mlock(BASE, 7 * K)).toBe(0);
		expect(mms.locked_vm[mm]).toBe(7);
		expect(areas()).toEqual([[0, 7, VM_LOCKED], [7, 3, 0]]);
		/*
		 * [7, 10) was never touched: it has no anon_vma. It merges into an area before it
		 * that has one, but not the other way round: is_mergeable_anon_vma() wants the list
		 * of links of the area that stays to be of one.
		 */
		expect(sys_munlock(BASE, 10 * K)).toBe(0);
		expect(areas()).toEqual([[0, 7, 0], [7, 3, 0]]);
		expect(mms.locked_vm[mm]).toBe(0);
		expect(sys_mlock(BASE, 7 * K)).toBe(0);
		expect(sys_mlock(BASE, 10 * K)).toBe(0);
		expect(areas()).toEqual([[0, 10, VM_LOCKED]]);
		expect(mms.locked_vm[mm]).toBe(10);
		expect(sys_munlock(BASE, 10 * K)).toBe(0);
		expect(areas()).toEqual([[0, 10, 0]]);
		expect(mms.locked_vm[mm]).toBe(0);
	});

	test('a hole: -ENOMEM, with what is before it locked', () => {
		/*
		 * mlock(2): ENOMEM, "some of the specified address range does not correspond to
		 * mapped pages"; apply_vma_lock_flags() stops there
		 */
		mmap(2);
		mmap(2, BASE + 4 * K);
		expect(sys_mlock(BASE, 6 * K)).toBe(-12);
		expect(areas()).toEqual([[0, 2, VM_LOCKED], [4, 2, 0]]);
		expect(sys_mlock(BASE + 2 * K, K)).toBe(-12);
		expect(sys_mlock(BASE, 0)).toBe(0);
	});

	test('munmap() munlocks', () => {
		mmap(20);
		sys_mlock(BASE, 20 * K);
		expect(sys_munmap(BASE, 20 * K)).toBe(0);
		expect(zoneStat(NR_MLOCK)).toBe(0);
		expect(nodeStat(NR_UNEVICTABLE)).toBe(0);
		expect(mms.locked_vm[mm]).toBe(0);
	});

	test('mlock2() with MLOCK_ONFAULT locks what is there, and brings in nothing', () => {
		/* populate_vma_page_range() of a VM_LOCKONFAULT area does not FOLL_POPULATE */
		mmap(4);
		expect(sys_mlock(BASE, K)).toBe(0);
		expect(sys_munlock(BASE, K)).toBe(0);
		expect(PageMlocked(at(0))).toBe(false);
		expect(sys_mlock2(BASE, 4 * K, MLOCK_ONFAULT)).toBe(0);
		expect(areas()).toEqual([[0, 4, VM_LOCKED | VM_LOCKONFAULT]]);
		expect([0, 1, 2, 3].map((i) => at(i) !== 0)).toEqual([true, false, false, false]);
		expect(PageMlocked(at(0))).toBe(true);
		expect(sys_mlock2(BASE, 4 * K, 2)).toBe(-22);
		expect(mms.locked_vm[mm]).toBe(4);
		/* mlock() takes the flag away and brings them in */
		expect(sys_mlock(BASE, 4 * K)).toBe(0);
		expect(areas()).toEqual([[0, 4, VM_LOCKED]]);
		expect([0, 1, 2, 3].map((i) => at(i) !== 0)).toEqual([true, true, true, true]);
		expect(mms.locked_vm[mm]).toBe(4);
	});

	test('mlockall(): now, later, on fault; munlockall() undoes all', () => {
		mmap(3);
		for (const flags of [0, MCL_ONFAULT, 8])
			expect(sys_mlockall(flags)).toBe(-22);
		expect(sys_mlockall(MCL_CURRENT)).toBe(0);
		expect(areas()).toEqual([[0, 3, VM_LOCKED]]);
		expect(at(2)).not.toBe(0);
		expect(mms.def_flags[mm] & VM_LOCKED).toBe(0);

		/* FUTURE alone leaves what is there as it is */
		expect(sys_munlockall()).toBe(0);
		expect(sys_mlockall(MCL_FUTURE)).toBe(0);
		expect(areas()).toEqual([[0, 3, 0]]);
		mmap(2, BASE + 10 * K);
		expect(areas()).toEqual([[0, 3, 0], [10, 2, VM_LOCKED]]);
		expect(at(11)).not.toBe(0);
		expect(sys_mlockall(MCL_FUTURE | MCL_ONFAULT)).toBe(0);
		mmap(2, BASE + 20 * K);
		expect(at(20)).toBe(0);
		expect(areas()[2]).toEqual([20, 2, VM_LOCKED | VM_LOCKONFAULT]);
		expect(sys_munlockall()).toBe(0);
		expect(areas().map(([, , flags]) => flags)).toEqual([0, 0, 0]);
		expect(mms.def_flags[mm] & (VM_LOCKED | VM_LOCKONFAULT)).toBe(0);
		expect(mms.locked_vm[mm]).toBe(0);
	});
});

describe('a page of several areas', () => {
	/* A page of a file that areas of two tasks map, both VM_LOCKED, on the unevictable list. */
	function shared(): { a: vm_area_struct; b: vm_area_struct; page: page } {
		const file = newFile();
		const a = newFileArea(mm, file, 1), b = newFileArea(newMm(), file, 1);
		const page = newFilePage(file);

		mapFilePage(a, 0, page, OLD);
		mapFilePage(b, 0, page, OLD);
		for (const vma of [a, b]) {
			vmas.vm_flags[vma] |= VM_LOCKED;
			mms.rss_stat[vmas.vm_mm[vma] * NR_MM_COUNTERS]++;
		}
		lru_cache_add(page);
		lru_add_drain();
		mlock_vma_page(page);
		__ClearPageLocked(page);
		lru_add_drain();
		expect(PageUnevictable(page)).toBe(true);
		return { a, b, page };
	}

	test('munlock of one leaves it mlocked for the other', () => {
		const { a, b, page } = shared();

		munlock_vma_pages_range(a, BASE, BASE + K);
		lru_add_drain();
		expect(vmas.vm_flags[a] & VM_LOCKED).toBe(0);
		expect(PageMlocked(page)).toBe(true);
		expect(PageUnevictable(page)).toBe(true);
		/* try_to_munlock() found b and mlocked it: PGMLOCKED again, no PGMUNLOCKED */
		expect(vm_event(UNEVICTABLE_PGMLOCKED)).toBe(2);
		expect(vm_event(UNEVICTABLE_PGMUNLOCKED)).toBe(0);
		expect(zoneStat(NR_MLOCK)).toBe(1);

		munlock_vma_pages_range(b, BASE, BASE + K);
		lru_add_drain();
		expect(PageMlocked(page)).toBe(false);
		expect(PageUnevictable(page)).toBe(false);
		expect(PageLRU(page)).toBe(true);
		expect(vm_event(UNEVICTABLE_PGMUNLOCKED)).toBe(1);
		expect(zoneStat(NR_MLOCK)).toBe(0);
		/* its two mappings and the one that newFilePage() has */
		expect(pages._refcount[page]).toBe(3);
	});

	test('munlock of a page that someone has isolated: he puts it where it belongs', () => {
		/* __munlock_isolation_failed(): isolation leaves PG_unevictable: stranded */
		const { page } = shared();

		expect(isolate_lru_page(page)).toBe(0);
		__SetPageLocked(page);
		expect(munlock_vma_page(page)).toBe(0);
		__ClearPageLocked(page);
		expect(PageMlocked(page)).toBe(false);
		expect(vm_event(UNEVICTABLE_PGMUNLOCKED)).toBe(0);
		expect(vm_event(UNEVICTABLE_PGSTRANDED)).toBe(1);
		putback_lru_page(page);
		lru_add_drain();
		expect(PageUnevictable(page)).toBe(false);
		expect(PageActive(page)).toBe(false);
	});

	test('clear_page_mlock(): the mark goes, the page is evictable', () => {
		const { page } = shared();

		clear_page_mlock(page);
		lru_add_drain();
		expect(PageMlocked(page)).toBe(false);
		expect(PageUnevictable(page)).toBe(false);
		expect(vm_event(UNEVICTABLE_PGCLEARED)).toBe(1);
		expect(zoneStat(NR_MLOCK)).toBe(0);
		/* again: nothing */
		clear_page_mlock(page);
		expect(vm_event(UNEVICTABLE_PGCLEARED)).toBe(1);
	});
});
