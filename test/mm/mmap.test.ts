// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: merging, splitting, finding room. A strip shows one character a page; the numbered
 * cases are those of the comment above vma_merge() in mm/mmap.c.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { ENOMEM } from '../../src/lib/errno.ts';
import { current } from '../../src/mm/current.ts';
import { sync_mm_rss } from '../../src/mm/memory.ts';
import { get_mm_counter, page_mapcount } from '../../src/mm/mm.ts';
import { MM_ANONPAGES, mms, tasks, VM_GROWSDOWN, vmas, type mm_struct, type file }
	from '../../src/mm/mm_types.ts';
import { expand_stack, find_vma, get_unmapped_area, MAP_ANONYMOUS, MAP_FIXED_NOREPLACE,
	MAP_GROWSDOWN, MAP_PRIVATE, PROT_EXEC, PROT_READ, sys_brk, sys_munmap, validate_mm }
	from '../../src/mm/mmap.ts';
import { sys_mprotect } from '../../src/mm/mprotect.ts';
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, sys_mremap } from '../../src/mm/mremap.ts';
import { vm_committed_as, vm_mmap_pgoff } from '../../src/mm/util.ts';
import { boot, exitAndWait, fork, frameAt, freePages, mappingRows, mmapAnon, PAGE, read32, run, RW,
	strip, write32 } from './task_machine.ts';

const BASE = 0x10000000;
const RX = PROT_READ | PROT_EXEC;
const at = (page: number): number => BASE + page * PAGE;
const mm = (): mm_struct => tasks.mm[current()];

beforeEach(() => boot());

/** Map 4 pages at each place of the strip that has a protection, in this order. */
function layout(protections: (number | null)[], touch: boolean): void {
	protections.forEach((prot, i) => {
		if (prot === null)
			return;
		expect(mmapAnon(4, at(4 * i), RW)).toBe(at(4 * i));
		if (touch)
			for (let k = 0; k < 4; k++)
				write32(at(4 * i + k), 4 * i + k + 1);
		if (prot !== RW)
			expect(sys_mprotect(at(4 * i), 4 * PAGE, prot)).toBe(0);
	});
}

/** Every page written by layout() is still there, and mapped once. */
function contents(pages: number[]): void {
	for (const i of pages) {
		expect([i, read32(at(i))]).toEqual([i, i + 1]);
		expect(page_mapcount(frameAt(mm(), at(i)))).toBe(1);
	}
}

describe('vma_merge()', () => {
	/* AAAA....BBBB, and ~~~~ is mapped between them */
	test.each([
		['1: AAAAAAAAAAAA', RW, RW, 'AAAAAAAAAAAA'],
		['2: AAAAAAAABBBB', RW, PROT_READ, 'AAAAAAAABBBB'],
		['3: AAAABBBBBBBB', PROT_READ, RW, 'AAAABBBBBBBB'],
		['none: AAAABBBBCCCC', PROT_READ, PROT_READ, 'AAAABBBBCCCC'],
	])('mmap into a hole, case %s', (_name, before, after, expected) => {
		layout([before, null, after], false);
		expect(strip(BASE, 12)).toBe('AAAA....BBBB');
		mmapAnon(4, at(4));
		expect(strip(BASE, 12)).toBe(expected);
	});

	test('mappings whose anon_vmas differ are not joined', () => {
		/* Touched before they are neighbours, each has its own anon_vma. */
		layout([RW, null, RW], true);
		mmapAnon(4, at(4));
		expect(strip(BASE, 12)).toBe('AAAAAAAABBBB');
		contents([0, 3, 8, 11]);
	});

	describe.each([
		['untouched', false],
		['with pages', true],
	])('mprotect, %s', (_name, touch) => {
		const all = touch ? [0, 1, 2, 3, 4, 5, 6, 7] : [];

		/*   AAAABBBB  ->  AABBBBBB: BB of A takes the rights of B */
		test('case 4: the end of one goes to the next', () => {
			layout([RW, PROT_READ], touch);
			expect(sys_mprotect(at(2), 2 * PAGE, PROT_READ)).toBe(0);
			expect(strip(BASE, 8)).toBe('AABBBBBB');
			expect(vmas.vm_pgoff[find_vma(mm(), at(2))]).toBe(at(2) / PAGE);
			contents(all);
		});

		/*   AAAABBBB  ->  AAAAAABB */
		test('case 5: the start of one goes to the one before', () => {
			layout([RW, PROT_READ], touch);
			expect(sys_mprotect(at(4), 2 * PAGE, RW)).toBe(0);
			expect(strip(BASE, 8)).toBe('AAAAAABB');
			contents(all);
		});

		/*   AAAABBBBCCCC, all of B changes */
		test.each([
			['6', RW, RW, 'AAAAAAAAAAAA'],
			['7', RW, RX, 'AAAAAAAABBBB'],
			['8', RX, RW, 'AAAABBBBBBBB'],
			['none', RX, RX, 'AAAABBBBCCCC'],
		])('case %s: a whole mapping joins', (_no, first, last, expected) => {
			layout([first, PROT_READ, last], touch);
			expect(strip(BASE, 12)).toBe('AAAABBBBCCCC');
			expect(sys_mprotect(at(4), 4 * PAGE, RW)).toBe(0);
			expect(strip(BASE, 12)).toBe(expected);
			contents([...all, ...(touch ? [8, 9, 10, 11] : [])]);
		});

		/*   AAAAAAAA  ->  AABBBBCC  ->  AAAAAAAA */
		test('the middle is split off and joined again', () => {
			layout([RW, RW], touch);
			expect(strip(BASE, 8)).toBe('AAAAAAAA');
			expect(sys_mprotect(at(2), 4 * PAGE, PROT_READ)).toBe(0);
			expect(strip(BASE, 8)).toBe('AABBBBCC');
			contents(all);
			expect(sys_mprotect(at(2), 4 * PAGE, RW)).toBe(0);
			expect(strip(BASE, 8)).toBe('AAAAAAAA');
			contents(all);
		});

		/*   AAAABBBBCCCC: one call over several mappings */
		test('several mappings at once', () => {
			layout([RW, PROT_READ, RX], touch);
			expect(sys_mprotect(at(2), 8 * PAGE, PROT_READ)).toBe(0);
			expect(strip(BASE, 12)).toBe('AABBBBBBBBCC');
			contents(all);
		});
	});

	test('a hole ends mprotect with ENOMEM, and what is before it has changed', () => {
		layout([RW, null, RW], false);
		expect(sys_mprotect(at(2), 8 * PAGE, PROT_READ)).toBe(-ENOMEM);
		expect(strip(BASE, 12)).toBe('AABB....CCCC');
	});
});

describe('munmap', () => {
	/*   AAAABBBB  ->  AA....BB */
	test('cuts, with the pages of the rest kept', () => {
		layout([RW, PROT_READ], true);
		expect(sys_munmap(at(2), 4 * PAGE)).toBe(0);
		expect(strip(BASE, 8)).toBe('AA....BB');
		contents([0, 1, 6, 7]);
		sync_mm_rss(mm());
		expect(get_mm_counter(mm(), MM_ANONPAGES)).toBe(4);
		expect(mms.total_vm[mm()]).toBe(4);
	});

	test('of the middle splits in two', () => {
		layout([RW, RW], true);
		expect(sys_munmap(at(3), PAGE)).toBe(0);
		expect(strip(BASE, 8)).toBe('AAA.BBBB');
		contents([0, 1, 2, 4, 5, 6, 7]);
		expect(sys_munmap(at(1), 0)).toBe(-22);
		expect(sys_munmap(at(1) + 1, PAGE)).toBe(-22);
	});

	test('gives the promise of memory back', () => {
		const committed = vm_committed_as.v;

		mmapAnon(100, BASE);
		expect(vm_committed_as.v - committed).toBe(100);
		sys_munmap(at(10), 20 * PAGE);
		expect(vm_committed_as.v - committed).toBe(80);
		sys_munmap(BASE, 100 * PAGE);
		expect(vm_committed_as.v).toBe(committed);
	});
});

describe('where mmap goes', () => {
	/* mmap_base(): the stack's 8 MiB and its gap are less than the 128 MiB kept free. */
	const TOP = 0x7ffffffff000 - 128 * 1024 * 1024;

	test('down from mmap_base', () => {
		expect(mms.mmap_base[mm()]).toBe(TOP);
		const a = mmapAnon(1, 0, RW), b = mmapAnon(2, 0, PROT_READ), c = mmapAnon(1, 0, RX);
		expect([a, b, c]).toEqual([TOP - PAGE, TOP - 3 * PAGE, TOP - 4 * PAGE]);
		/* The highest hole that is large enough. */
		sys_munmap(b, 2 * PAGE);
		expect(mmapAnon(3, 0, PROT_READ)).toBe(TOP - 7 * PAGE);
		expect(mmapAnon(1, 0, PROT_READ)).toBe(TOP - 2 * PAGE);
		expect(mmapAnon(1, 0, PROT_READ)).toBe(TOP - 3 * PAGE);
	});

	test('a hint is taken where it is free, MAP_FIXED_NOREPLACE fails where it is not', () => {
		const flags = MAP_ANONYMOUS | MAP_PRIVATE;
		const map = (addr: number, more = 0): number =>
			vm_mmap_pgoff(0 as file, addr, PAGE, RW, flags | more, 0);

		expect(map(at(0) + 5)).toBe(at(0));
		expect(map(at(0))).toBe(TOP - PAGE);
		expect(map(at(0), MAP_FIXED_NOREPLACE)).toBe(-17);
		expect(map(at(5), MAP_FIXED_NOREPLACE)).toBe(at(5));
	});

	test('the tree finds what a search through the list finds', () => {
		/* A linear congruential generator, so that a failure can be run again. */
		let seed = 12345;
		const random = (n: number): number => {
			seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
			return (seed >>> 8) % n;
		};
		const highestHole = (len: number): number => {
			let end = TOP;
			const list: [number, number][] = [];
			for (let vma = mms.mmap[mm()]; vma; vma = vmas.vm_next[vma])
				list.unshift([vmas.vm_start[vma], vmas.vm_end[vma]]);
			for (const [start, stop] of list) {
				if (end - stop >= len)
					return end - len;
				end = start;
			}
			return end - len;
		};
		for (let i = 0; i < 600; i++) {
			const len = (1 + random(6)) * PAGE;
			if (random(3)) {
				const expected = highestHole(len);
				const prot = [RW, PROT_READ, RX][random(3)]!;
				const got = mmapAnon(len / PAGE, 0, prot);
				expect([i, got]).toEqual([i, expected]);
			} else {
				const first = TOP - (1 + random(400)) * PAGE;
				sys_munmap(first, Math.min(len, TOP - first));
			}
			validate_mm(mm());
		}
	});

	test('a stack grows down to its limit and leaves its gap', () => {
		const flags = MAP_ANONYMOUS | MAP_PRIVATE | MAP_GROWSDOWN;
		const stack = vm_mmap_pgoff(0 as file, 0x40000000, PAGE, RW, flags, 0);

		expect(vmas.vm_flags[find_vma(mm(), stack)]! & VM_GROWSDOWN).toBe(VM_GROWSDOWN);
		write32(stack - 10 * PAGE, 1);
		expect(vmas.vm_start[find_vma(mm(), stack)]).toBe(stack - 10 * PAGE);
		/* Nothing is mapped within 256 pages of it. */
		const near = stack - 20 * PAGE;
		expect(get_unmapped_area(0 as file, near, PAGE, 0, 0)).toBe(TOP - PAGE);
		/* RLIMIT_STACK, 8 MiB */
		expect(expand_stack(find_vma(mm(), stack), stack + PAGE - 8 * 1024 * 1024 - PAGE))
			.toBe(-ENOMEM);
		validate_mm(mm());
	});
});

describe('brk', () => {
	test('grows, shrinks, refuses to go below its start', () => {
		const start = sys_brk(0);

		expect(sys_brk(start + 5 * PAGE)).toBe(start + 5 * PAGE);
		expect(strip(start, 6)).toBe('AAAAA.');
		write32(start + 4 * PAGE, 44);
		expect(sys_brk(start + 8 * PAGE + 1)).toBe(start + 8 * PAGE + 1);
		expect(strip(start, 10)).toBe('AAAAAAAAA.');
		expect(read32(start + 4 * PAGE)).toBe(44);
		expect(sys_brk(start + PAGE)).toBe(start + PAGE);
		expect(strip(start, 10)).toBe('A.........');
		expect(sys_brk(start - 1)).toBe(start + PAGE);
	});
});

describe('mremap', () => {
	test('grows where there is room, else moves with its pages', () => {
		layout([RW], true);
		expect(sys_mremap(BASE, 4 * PAGE, 6 * PAGE, 0, 0)).toBe(BASE);
		expect(strip(BASE, 8)).toBe('AAAAAA..');
		mmapAnon(1, at(6), PROT_READ);
		expect(sys_mremap(BASE, 6 * PAGE, 8 * PAGE, 0, 0)).toBe(-ENOMEM);
		const frame = frameAt(mm(), at(2));
		const moved = sys_mremap(BASE, 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE, 0);
		expect(moved).toBeGreaterThan(BASE);
		expect(strip(BASE, 8)).toBe('......A.');
		expect(frameAt(mm(), moved + 2 * PAGE)).toBe(frame);
		expect([0, 1, 2, 3, 4].map((i) => read32(moved + i * PAGE)))
			.toEqual([1, 2, 3, 4, 0]);
		validate_mm(mm());
		sync_mm_rss(mm());
		expect(get_mm_counter(mm(), MM_ANONPAGES)).toBe(4);
	});

	test('shrinks', () => {
		layout([RW, RW], true);
		expect(sys_mremap(BASE, 8 * PAGE, 3 * PAGE, 0, 0)).toBe(BASE);
		expect(strip(BASE, 8)).toBe('AAA.....');
		contents([0, 1, 2]);
	});

	test('MREMAP_FIXED replaces, MREMAP_DONTUNMAP leaves an empty mapping', () => {
		const to = 0x20000000, fixed = MREMAP_MAYMOVE | MREMAP_FIXED;

		layout([RW], true);
		mmapAnon(4, to);
		write32(to, 99);
		expect(sys_mremap(BASE, 4 * PAGE, 4 * PAGE, fixed, to)).toBe(to);
		expect(strip(BASE, 4)).toBe('....');
		expect(read32(to)).toBe(1);
		const flags = fixed | MREMAP_DONTUNMAP;
		expect(sys_mremap(to, 4 * PAGE, 4 * PAGE, flags, BASE)).toBe(BASE);
		contents([0, 1, 2, 3]);
		expect(read32(to)).toBe(0);
	});

	test('moves a whole page table at once', () => {
		/* 2 MiB, aligned on both sides: move_normal_pmd() */
		const from = 0x40000000, to = 0x50000000, n = 512;
		const before = freePages();

		mmapAnon(n, from);
		for (let i = 0; i < n; i += 100)
			write32(from + i * PAGE, i + 1);
		const flags = MREMAP_MAYMOVE | MREMAP_FIXED;
		expect(sys_mremap(from, n * PAGE, n * PAGE, flags, to)).toBe(to);
		for (let i = 0; i < n; i++)
			expect(read32(to + i * PAGE)).toBe(i % 100 ? 0 : i + 1);
		sys_munmap(to, n * PAGE);
		expect(freePages()).toBe(before);
	});

	test('everything is given back after moves, splits and merges', () => {
		const rows = mappingRows(), before = freePages();
		const child = fork();

		run(child);
		layout([RW, PROT_READ, RW], true);
		sys_mprotect(at(2), 6 * PAGE, RX);
		const grandchild = fork();
		run(grandchild);
		sys_mprotect(BASE, 12 * PAGE, RW);
		for (let i = 0; i < 12; i += 2)
			write32(at(i), 100 + i);
		sys_mremap(at(3), 5 * PAGE, 9 * PAGE, MREMAP_MAYMOVE, 0);
		validate_mm(mm());
		run(child);
		for (let i = 0; i < 12; i++)
			expect(read32(at(i))).toBe(i + 1);
		exitAndWait(grandchild);
		run(tasks.parent[child]);
		exitAndWait(child);
		expect(mappingRows()).toEqual(rows);
		expect(freePages()).toBe(before);
	});
});
