// SPDX-License-Identifier: GPL-2.0-only
/* Page faults. What is expected is worked out beside each test from what the kernel documents. */
import { beforeEach, describe, expect, test } from 'vitest';
import { pmd_offset, pte_dirty, pte_offset_map, pte_present, pte_special, pte_write, pte_young,
	ptep_test_and_clear_young, pud_offset } from '../../src/arch/pgtable.ts';
import { ram } from '../../src/arch/ram.ts';
import { pte_to_swp_entry, swp_entry } from '../../src/arch/swap.ts';
import { flush_tlb_mm } from '../../src/arch/tlb.ts';
import { MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED,
	MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY, applyCommits }
	from '../../src/lib/commits.ts';
import { list_add } from '../../src/lib/list.ts';
import { list_head_enter, list_head_leave } from '../../src/lib/stack.ts';
import { BLKDEV_DISK, BLKDEV_RAM, blk_complete, blk_pending, blkdev_add }
	from '../../src/mm/blkdev.ts';
import { current } from '../../src/mm/current.ts';
import { FAULT_SIGBUS, FAULT_SIGSEGV, FAULT_WOULD_BLOCK } from '../../src/mm/fault.ts';
import { unlock_page } from '../../src/mm/filemap.ts';
import { fault_around_bytes, fault_around_bytes_set, follow_pte, is_zero_pfn, sync_mm_rss,
	zap_page_range, zero_pfn } from '../../src/mm/memory.ts';
import { get_mm_counter, get_page, page_count, page_mapcount, put_page } from '../../src/mm/mm.ts';
import { memfd_create } from '../../src/mm/memfd.ts';
import { MM_ANONPAGES, MM_SHMEMPAGES, MM_SWAPENTS, files, mms, pages, tasks, type file,
	type mm_struct, type page } from '../../src/mm/mm_types.ts';
import { MAP_PRIVATE, PROT_NONE, PROT_READ, find_vma, sys_munmap } from '../../src/mm/mmap.ts';
import { sys_mprotect } from '../../src/mm/mprotect.ts';
import { MREMAP_FIXED, MREMAP_MAYMOVE, sys_mremap } from '../../src/mm/mremap.ts';
import { ClearPageReferenced, PageAnon, PageDirty, PageLRU, PageLocked, PageSwapBacked,
	PageSwapCache, PageUptodate } from '../../src/mm/page_flags.ts';
import { lock_page } from '../../src/mm/pagemap.ts';
import { pgd_offset } from '../../src/mm/pgtable.ts';
import { shmem_setattr } from '../../src/mm/shmem.ts';
import { lru_add_drain } from '../../src/mm/swap.ts';
import { __swap_count, mkswap, swapon } from '../../src/mm/swapfile.ts';
import { CLEAR_REFS_SOFT_DIRTY, clear_refs_write } from '../../src/mm/task_mmu.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { isolate_lru_page, reclaim_pages } from '../../src/mm/vmscan.ts';
import { PGFAULT, PGMAJFAULT, PGREUSE, vm_event } from '../../src/mm/vmstat.ts';
import { boot, exitAndWait, fork, frameAt, freePages, mappingRows, mmapAnon, PAGE, pteAt, read32,
	refused, run, strip, write32 } from './task_machine.ts';

/* Both words of the entry at an address, present or not. */
function rawPte(of: mm_struct, addr: number): [number, number] {
	const pmd = pmd_offset(pud_offset(pgd_offset(of, addr), addr), addr);
	const at = pte_offset_map(pmd, addr);
	return [ram[at]!, ram[at + 1]!];
}

beforeEach(() => boot());
const mm = (): mm_struct => tasks.mm[current()];
const anon = (): number => {
	sync_mm_rss(mm());
	return get_mm_counter(mm(), MM_ANONPAGES);
};

describe('anonymous memory', () => {
	test('a first write gets a zeroed page of its own', () => {
		const at = mmapAnon(4);
		const faults = vm_event(PGFAULT);

		write32(at + 8, 0x1234);
		const page = frameAt(mm(), at);
		expect(read32(at + 8)).toBe(0x1234);
		expect(read32(at + 12)).toBe(0);
		expect([PageAnon(page), PageSwapBacked(page), PageUptodate(page), PageLocked(page)])
			.toEqual([true, true, true, false]);
		/* One reference is a pagevec's. */
		expect([page_count(page), page_mapcount(page)]).toEqual([2, 1]);
		lru_add_drain();
		expect([page_count(page), PageLRU(page)]).toEqual([1, true]);
		const pte = pteAt(mm(), at);
		expect([pte_write(pte), pte_dirty(pte), pte_young(pte)])
			.toEqual([true, true, true]);
		expect(anon()).toBe(1);
		expect(vm_event(PGFAULT) - faults).toBe(1);
		expect(tasks.min_flt[current()]).toBe(1);
		/* a PUD, a PMD and a PTE table; the top one is not counted */
		expect(mms.pgtables_bytes[mm()]).toBe(3 * PAGE);
	});

	test('a read maps the zero page, which a write then replaces', () => {
		const at = mmapAnon(2);

		expect(read32(at)).toBe(0);
		expect(is_zero_pfn(frameAt(mm(), at))).toBe(true);
		expect(pte_special(pteAt(mm(), at))).toBe(true);
		expect(pte_write(pteAt(mm(), at))).toBe(false);
		expect(anon()).toBe(0);
		write32(at, 7);
		expect(is_zero_pfn(frameAt(mm(), at))).toBe(false);
		expect(anon()).toBe(1);
		expect(read32(at)).toBe(7);
		expect(read32(at + PAGE)).toBe(0);
		expect(frameAt(mm(), at + PAGE)).toBe(zero_pfn.v);
	});

	test('rss is kept in the task for up to 64 faults', () => {
		/* check_sync_rss_stat(): the fault whose count was above 64 before it syncs. */
		const at = mmapAnon(70);
		const seen: number[] = [];

		for (let i = 0; i < 70; i++) {
			write32(at + i * PAGE, i);
			seen.push(get_mm_counter(mm(), MM_ANONPAGES));
		}
		expect(seen[64]).toBe(0);
		expect(seen[65]).toBe(65);
		expect(anon()).toBe(70);
	});

	test('addresses that are not mapped, or not so, are refused', () => {
		const at = mmapAnon(1, 0, PROT_READ);
		const none = mmapAnon(1, 0x20000000, PROT_NONE);

		expect(refused(0x1000, 'read')).toBe(FAULT_SIGSEGV);
		expect(refused(at, 'write')).toBe(FAULT_SIGSEGV);
		expect(refused(at, 'read')).toBe(0);
		expect(refused(at, 'fetch')).toBe(FAULT_SIGSEGV);
		expect(refused(none, 'read')).toBe(FAULT_SIGSEGV);
		expect(refused(at - 0x7ff000000000, 'read')).toBe(FAULT_SIGSEGV);
		expect(mms.mmap_lock[mm()]).toBe(0);
	});

	test('munmap and exit give everything back', () => {
		const before = freePages();
		const rows = mappingRows();
		const child = fork();

		run(child);
		const at = mmapAnon(1000);
		for (let i = 0; i < 1000; i++)
			write32(at + i * PAGE, i);
		const far = mmapAnon(3, 0x10000000);
		write32(far, 1);
		sys_munmap(at + 100 * PAGE, 800 * PAGE);
		expect(anon()).toBe(201);
		expect(mms.total_vm[mm()]).toBe(203);
		run(tasks.parent[child]);
		exitAndWait(child);
		expect(mappingRows()).toEqual(rows);
		expect(freePages()).toBe(before);
	});

	test('zap_page_range() drops pages but keeps the mapping', () => {
		const at = mmapAnon(4);

		for (let i = 0; i < 4; i++)
			write32(at + i * PAGE, 9);
		zap_page_range(find_vma(mm(), at), at + PAGE, 2 * PAGE);
		expect(anon()).toBe(2);
		expect([0, 1, 2, 3].map((i) => read32(at + i * PAGE))).toEqual([9, 0, 0, 9]);
	});
});

describe('copy on write', () => {
	test('after fork both keep their own contents', () => {
		const parent = current(), pmm = mm();
		const at = mmapAnon(3);

		write32(at, 1);
		write32(at + PAGE, 2);
		const page = frameAt(pmm, at);
		const child = fork();
		expect(pte_write(pteAt(pmm, at))).toBe(false);
		expect(page_mapcount(page)).toBe(2);
		/* The child's copy of an entry is old. */
		expect(pte_young(pteAt(tasks.mm[child], at))).toBe(false);

		run(child);
		expect(read32(at)).toBe(1);
		write32(at, 100);
		write32(at + 2 * PAGE, 300);
		expect(frameAt(tasks.mm[child], at)).not.toBe(page);
		expect(page_mapcount(page)).toBe(1);
		run(parent);
		expect([read32(at), read32(at + PAGE), read32(at + 2 * PAGE)]).toEqual([1, 2, 0]);
		run(child);
		expect([0, 1, 2].map((i) => read32(at + i * PAGE))).toEqual([100, 2, 300]);
		run(parent);
		exitAndWait(child);
		expect([read32(at), read32(at + PAGE)]).toEqual([1, 2]);
	});

	test('the last one to hold a page writes to it in place', () => {
		const at = mmapAnon(1);

		write32(at, 1);
		const page = frameAt(mm(), at);
		lru_add_drain();
		const child = fork();
		exitAndWait(child);
		expect(pte_write(pteAt(mm(), at))).toBe(false);
		const reused = vm_event(PGREUSE);
		write32(at, 2);
		expect(frameAt(mm(), at)).toBe(page);
		expect(vm_event(PGREUSE) - reused).toBe(1);
	});

	/* v5.9 to v5.18: one reference more, whose ever, and the page is copied (09854ba94c6a). */
	test('a page that is referenced is copied though nobody else maps it', () => {
		const at = mmapAnon(1);

		write32(at, 5);
		lru_add_drain();
		const page = frameAt(mm(), at);
		exitAndWait(fork());
		get_page(page);
		write32(at + 4, 6);
		expect(frameAt(mm(), at)).not.toBe(page);
		expect([read32(at), read32(at + 4)]).toEqual([5, 6]);
		expect(page_count(page)).toBe(1);
		put_page(page);
	});

	test('mprotect takes and gives the right to write', () => {
		const at = mmapAnon(2);

		write32(at, 3);
		expect(sys_mprotect(at, PAGE, PROT_READ)).toBe(0);
		expect(strip(at, 2)).toBe('AB');
		expect(refused(at, 'write')).toBe(FAULT_SIGSEGV);
		expect(read32(at)).toBe(3);
		expect(sys_mprotect(at, PAGE, PROT_NONE)).toBe(0);
		expect(refused(at, 'read')).toBe(FAULT_SIGSEGV);
		expect(sys_mprotect(at, PAGE, PROT_READ | 2)).toBe(0);
		expect(strip(at, 2)).toBe('AA');
		write32(at, 4);
		expect(read32(at)).toBe(4);
	});
});

describe('shared memory', () => {
	test('parent and child see one page', () => {
		const parent = current();
		const at = mmapAnon(4, 0, 3, true);

		write32(at, 11);
		const page = frameAt(mm(), at);
		expect([PageAnon(page), PageSwapBacked(page), PageDirty(page)])
			.toEqual([false, true, true]);
		sync_mm_rss(mm());
		expect(get_mm_counter(mm(), MM_SHMEMPAGES)).toBe(1);

		const child = fork();
		/* Nothing is copied at fork that a fault can find again. */
		expect(frameAt(tasks.mm[child], at)).toBe(0);
		run(child);
		expect(read32(at)).toBe(11);
		write32(at + PAGE, 12);
		run(parent);
		expect(read32(at + PAGE)).toBe(12);
		expect(frameAt(tasks.mm[child], at + PAGE)).toBe(frameAt(mm(), at + PAGE));
		expect(page_mapcount(page)).toBe(2);
	});

	test('a read fault maps the cached pages around it', () => {
		const parent = current();
		const at = mmapAnon(64, 0, 3, true);

		for (let i = 0; i < 64; i++)
			write32(at + i * PAGE, i);
		const child = fork();
		run(child);
		expect(read32(at + 20 * PAGE)).toBe(20);
		/* do_fault_around(): the 16 pages, aligned, that hold the address. */
		const block = Math.floor((at / PAGE + 20) / 16) * 16;
		for (let i = 0; i < 64; i++) {
			const inside = Math.floor((at / PAGE + i) / 16) * 16 === block;
			expect([i, pte_present(pteAt(mm(), at + i * PAGE))]).toEqual([i, inside]);
		}
		run(parent);
		exitAndWait(child);
	});

	test('fault_around_bytes is rounded down to a power of two, and limited', () => {
		expect(fault_around_bytes.v).toBe(65536);
		expect(fault_around_bytes_set(3 * PAGE)).toBe(0);
		expect(fault_around_bytes.v).toBe(2 * PAGE);
		expect(fault_around_bytes_set(0)).toBe(0);
		expect(fault_around_bytes.v).toBe(PAGE);
		expect(fault_around_bytes_set(513 * PAGE)).toBe(-22);
	});

	test('beyond the end of its file it is SIGBUS', () => {
		const at = mmapAnon(4, 0x30000000, 3, true);

		/* mremap grows the mapping, not the object of 4 pages. */
		expect(sys_mremap(at, 4 * PAGE, 6 * PAGE, 0, 0)).toBe(at);
		expect(strip(at, 7)).toBe('AAAAAA.');
		write32(at + 3 * PAGE, 1);
		expect(refused(at + 4 * PAGE, 'read')).toBe(FAULT_SIGBUS);
		expect(refused(at + 4 * PAGE, 'write')).toBe(FAULT_SIGBUS);
		expect(refused(at + 6 * PAGE, 'read')).toBe(FAULT_SIGSEGV);
		expect(mms.mmap_lock[mm()]).toBe(0);
	});

	/* fault_dirty_shared_page() drops the mmap lock: the fault comes again, as a major one. */
	test('a page that is dirtied by a first write takes two faults', () => {
		const at = mmapAnon(2, 0, 3, true);
		const count = (): number[] => [vm_event(PGFAULT), tasks.maj_flt[current()],
			tasks.min_flt[current()], vm_event(PGMAJFAULT)];
		const taken = (what: () => void): number[] => {
			const before = count();
			what();
			return count().map((n, i) => n - before[i]!);
		};

		expect(taken(() => write32(at, 1))).toEqual([2, 1, 0, 0]);
		expect(taken(() => write32(at, 2))).toEqual([0, 0, 0, 0]);
		expect(taken(() => read32(at + PAGE))).toEqual([1, 0, 1, 0]);
		expect(mms.mmap_lock[mm()]).toBe(0);
	});

	test('an access that would sleep for a page lock changes nothing', () => {
		const at = mmapAnon(1, 0, 3, true);

		write32(at, 1);
		lru_add_drain();
		const page = frameAt(mm(), at);
		/* Soft-dirty tracking takes the write bit away, and flushes. */
		applyCommits([MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY]);
		clear_refs_write(current(), CLEAR_REFS_SOFT_DIRTY);
		const pte = pteAt(mm(), at), count = page_count(page);
		expect(pte_write(pte)).toBe(false);
		lock_page(page);
		expect(refused(at, 'write')).toBe(FAULT_WOULD_BLOCK);
		expect([pteAt(mm(), at), page_count(page)]).toEqual([pte, count]);
		expect(mms.mmap_lock[mm()]).toBe(0);
		unlock_page(page);
		write32(at, 2);
		expect(read32(at)).toBe(2);
	});
});

describe('swap', () => {
	/* What MADV_PAGEOUT does to pages that are on the LRU. */
	function reclaim(found: page[]): void {
		const list = list_head_enter();

		for (const page of found) {
			expect(isolate_lru_page(page)).toBe(0);
			ClearPageReferenced(page);
			list_add(pages.lru(page), list);
		}
		reclaim_pages(list);
		list_head_leave(list);
	}
	/*
	 * Swap out the pages of the running task at these addresses. On a disk the write takes its
	 * time, and it takes a second reclaim to free the page.
	 */
	function pageOut(addrs: number[]): void {
		const found = addrs.map((addr) => frameAt(mm(), addr));

		lru_add_drain();
		for (const addr of addrs)
			ptep_test_and_clear_young(
				find_vma(mm(), addr), addr, follow_pte(mm(), addr));
		reclaim(found);
		blk_complete(blk_pending());
		lru_add_drain();
		reclaim(found.filter((page) => PageSwapCache(page) && page_count(page) > 0));
		flush_tlb_mm(mm());
	}
	/* Entries that somebody uses; free ones may be in the slots cache of a CPU. */
	const slotsUsed = (): number => {
		let used = 0;
		for (let offset = 1; offset < 4096; offset++)
			used += __swap_count(swp_entry(0, offset)) ? 1 : 0;
		return used;
	};
	function swapOn(kind: number): void {
		const bdev = blkdev_add(kind, 4096);
		mkswap(bdev);
		expect(swapon(bdev, 0)).toBe(0);
	}
	const swapped = (of = mm()): number => {
		sync_mm_rss(mm());
		return get_mm_counter(of, MM_SWAPENTS);
	};

	describe.each([
		['a RAM disk, past the swap cache', BLKDEV_RAM],
		['a disk, through the swap cache', BLKDEV_DISK],
	])('on %s', (_name, kind) => {
		beforeEach(() => swapOn(kind));

		test('contents come back, and the fault is a major one', () => {
			const at = mmapAnon(8);

			for (let i = 0; i < 8; i++)
				write32(at + i * PAGE + 4 * i, 100 + i);
			pageOut([0, 1, 2, 3].map((i) => at + i * PAGE));
			expect([swapped(), slotsUsed()]).toEqual([4, 4]);
			expect(frameAt(mm(), at)).toBe(0);
			const major = tasks.maj_flt[current()], events = vm_event(PGMAJFAULT);
			expect(read32(at + PAGE + 4)).toBe(101);
			expect(tasks.maj_flt[current()] - major).toBe(1);
			expect(vm_event(PGMAJFAULT) - events).toBe(1);
			for (let i = 0; i < 8; i++)
				expect(read32(at + i * PAGE + 4 * i)).toBe(100 + i);
			expect(swapped()).toBe(0);
			expect(anon()).toBe(8);
		});

		test('fork copies entries; each side gets its own page when it writes', () => {
			const parent = current(), at = mmapAnon(2);

			write32(at, 1);
			write32(at + PAGE, 2);
			pageOut([at, at + PAGE]);
			const child = fork();
			expect(swapped(tasks.mm[child])).toBe(2);
			const entry = pte_to_swp_entry(...rawPte(mm(), at));
			expect(__swap_count(entry)).toBe(2);

			run(child);
			write32(at, 10);
			expect(read32(at + PAGE)).toBe(2);
			expect(__swap_count(entry)).toBe(1);
			run(parent);
			expect([read32(at), read32(at + PAGE)]).toEqual([1, 2]);
			write32(at + PAGE, 20);
			run(child);
			expect([read32(at), read32(at + PAGE)]).toEqual([10, 2]);
			run(parent);
			exitAndWait(child);
			sys_munmap(at, 2 * PAGE);
			expect(slotsUsed()).toBe(0);
		});

		test('exit and munmap free swap entries', () => {
			const rows = mappingRows();
			const child = fork();

			run(child);
			const at = mmapAnon(40);
			for (let i = 0; i < 40; i++)
				write32(at + i * PAGE, i);
			pageOut(Array.from({ length: 40 }, (_, i) => at + i * PAGE));
			expect(swapped()).toBe(40);
			sys_munmap(at, 10 * PAGE);
			expect(swapped()).toBe(30);
			run(tasks.parent[child]);
			exitAndWait(child);
			expect(slotsUsed()).toBe(0);
			expect(mappingRows()).toEqual(rows);
		});

		/* 5abfd71d936a: they were left, and data behind the end of the file came back. */
		test.each([false, true])('truncation and swapped copies; fixed: %s', (fixed) => {
			if (fixed)
				applyCommits([
					MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED]);
			const memfd = memfd_create(0) as file, inode = files.f_inode[memfd];
			shmem_setattr(inode, 2 * PAGE);
			const at = vm_mmap_pgoff(memfd, 0, 2 * PAGE, 3, MAP_PRIVATE, 0);
			write32(at, 1);
			write32(at + PAGE, 2);
			pageOut([at, at + PAGE]);
			expect([swapped(), slotsUsed()]).toEqual([2, 2]);
			shmem_setattr(inode, PAGE);
			expect([swapped(), slotsUsed()]).toEqual(fixed ? [1, 1] : [2, 2]);
			if (fixed)
				expect(refused(at + PAGE, 'read')).toBe(FAULT_SIGBUS);
			else
				expect(read32(at + PAGE)).toBe(2);
			expect(read32(at)).toBe(1);
		});

		test('mremap moves entries, mprotect leaves them', () => {
			const at = mmapAnon(2), to = 0x20000000;

			write32(at, 77);
			pageOut([at]);
			expect(sys_mprotect(at, 2 * PAGE, PROT_READ)).toBe(0);
			const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
			expect(sys_mremap(at, 2 * PAGE, 2 * PAGE, flags, to)).toBe(to);
			expect(swapped()).toBe(1);
			expect(read32(to)).toBe(77);
			expect(refused(to, 'write')).toBe(FAULT_SIGSEGV);
		});
	});
});
