// SPDX-License-Identifier: GPL-2.0-only
/*
 * anon_vmas, the order of rmap walks, page_referenced(), try_to_unmap(). Expectations are derived
 * beside each test from mm/rmap.c of v5.10 (and 2555283eb40d where its guard is on), never taken
 * from a run of the port.
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { ram } from '../../src/arch/ram.ts';
import { swp_offset, swp_type } from '../../src/arch/swap.ts';
import { mm_contexts, tlb_ubcs } from '../../src/arch/tlb.ts';
import { PAGE_SIZE } from '../../src/arch/page.ts';
import { KernelBug, WouldBlock } from '../../src/lib/bug.ts';
import { MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS,
	MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY } from '../../src/lib/commits.ts';
import { list_empty } from '../../src/lib/list.ts';
import { armPoint, disarmPoint, point, pointHandler } from '../../src/lib/points.ts';
import { list_heads, nr_live, type out } from '../../src/lib/struct.ts';
import { BLKDEV_PMEM, blkdev_add } from '../../src/mm/blkdev.ts';
import { cgroup_e_css, cgroup_mkdir, cgroup_subtree_control_write }
	from '../../src/mm/cgroup.ts';
import { ROOT_MEM_CGROUP, type cgroup, type mem_cgroup } from '../../src/mm/memcontrol_types.ts';
import { current } from '../../src/mm/current.ts';
import { anon_vmas, avcs, mms, MM_ANONPAGES, MM_FILEPAGES, MM_SWAPENTS, NR_MM_COUNTERS, NULL,
	pages, tasks, vmas, VM_EXEC, VM_LOCKED, VM_SEQ_READ, type anon_vma, type mm_struct,
	type page, type vm_area_struct } from '../../src/mm/mm_types.ts';
import { anon_vma_pointer, ClearPageDirty, ClearPageSwapBacked, PageDirty, PageMlocked,
	PageSwapBacked, __ClearPageLocked, __SetPageLocked } from '../../src/mm/page_flags.ts';
import { anon_vma_clone, flush_tlb_batched_pending, page_address_in_vma,
	page_lock_anon_vma_read, page_mkclean, page_move_anon_rmap, page_referenced,
	page_remove_rmap, page_unlock_anon_vma_read, put_anon_vma, page_get_anon_vma, try_to_unmap,
	try_to_unmap_flush, try_to_unmap_flush_dirty, __anon_vma_prepare, mm_find_pmd }
	from '../../src/mm/rmap.ts';
import { anon_vma_lock_write, anon_vma_unlock_write, down_read, down_write, TTU_BATCH_FLUSH,
	TTU_IGNORE_ACCESS,
	TTU_IGNORE_MLOCK, up_read, up_write } from '../../src/mm/rmap_types.ts';
import { add_to_swap } from '../../src/mm/swap_state.ts';
import { mkswap, swapon, __swap_count } from '../../src/mm/swapfile.ts';
import { ACCESSED, anonOrder, BASE, boot, DIRTY, fileOrder, forkArea, mapFilePage, mappersOf,
	newAnonPage, newArea, newFile, newFileArea, newFilePage, newMm, OLD, PRESENT, pte, ptepOf,
	RW, setPte, setYoung, unlinkArea, YOUNG } from './rmap_machine.ts';

const vm_flags: out<number> = { v: 0 };
/* The counts that decide who reuses an anon_vma, together and apart. */
const KERNELS: [string, number[]][] = [
	['v5.10.0', []], ['with 2555283eb40d', [MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY]],
];
const { anon_vma: av } = vmas;
const { degree, num_children, num_active_vmas, refcount, root, rwsem } = anon_vmas;

beforeEach(() => boot());

/* Take away an area's entry: zap_pte_range() for one. */
function unmap(vma: vm_area_struct, i = 0): void {
	const page = pte(vma, i) >>> 12 as page;

	ram[ptepOf(vmas.vm_mm[vma], vmas.vm_start[vma] + i * PAGE_SIZE)] = 0;
	page_remove_rmap(page, false);
	pages._refcount[page]--;
}

/* An area's exit: its entries, then its rmap. */
function exitArea(vma: vm_area_struct): void {
	for (let i = 0; i < (vmas.vm_end[vma] - vmas.vm_start[vma]) / PAGE_SIZE; i++)
		if (pte(vma, i) & PRESENT)
			unmap(vma, i);
	unlinkArea(vma);
}

const fork = (vma: vm_area_struct): vm_area_struct => forkArea(vma, newMm());

describe('fork trees', () => {
	/*
	 * A process forks up to 3 children, 5 levels deep; in between each writes some of its
	 * pages, which gives it new or copied ones, and some exit. A model keeps who maps which
	 * page. At any time a walk must find each page in exactly the areas that map it: that is
	 * what rmap is for.
	 */
	const NR = 3;
	const step = fc.record({
		who: fc.nat(200),
		what: fc.constantFrom('fork', 'fork', 'fork', 'write', 'write', 'exit'),
		page: fc.nat(NR - 1),
	});
	interface Process { vma: vm_area_struct; level: number; children: number; pages: page[] }

	type Step = { who: number; what: string; page: number };
	function run(steps: Step[], commits: number[]): void {
		boot(commits);
		const first: Process = { vma: newArea(newMm(), NR), level: 1, children: 0,
			pages: [] };
		const alive = [first];
		const seen = new Set<page>();

		first.pages[0] = newAnonPage(first.vma, 0);
		seen.add(first.pages[0]);
		for (const { who, what, page: i } of steps) {
			const p = alive[who % alive.length];
			if (!p)
				break;
			if (what === 'fork' && p.level < 5 && p.children < 3) {
				p.children++;
				alive.push({ vma: fork(p.vma), level: p.level + 1, children: 0,
					pages: [...p.pages] });
			} else if (what === 'write') {
				if (p.pages[i])
					unmap(p.vma, i);
				p.pages[i] = newAnonPage(p.vma, i);
				seen.add(p.pages[i]);
			} else if (what === 'exit' && alive.length > 1) {
				exitArea(p.vma);
				alive.splice(alive.indexOf(p), 1);
			}
			for (const page of seen) {
				const expected = alive.filter((q) => q.pages.includes(page))
					.map((q) => q.vma);
				expect(pages._mapcount[page] + 1).toBe(expected.length);
				if (!expected.length)
					continue;
				expect(mappersOf(page).sort()).toEqual(expected.sort());
			}
		}
		for (const p of alive)
			exitArea(p.vma);
		expect(nr_live(anon_vmas)).toBe(0);
		expect(nr_live(avcs)).toBe(0);
	}

	test.each(KERNELS)(
		'every mapping is found, and all is freed: %s', (_name, commits) => {
			fc.assert(fc.property(fc.array(step, { minLength: 10, maxLength: 60 }),
				(steps) => run(steps, commits)), { numRuns: 40, seed: 20201104 });
		});

	test('five levels of three children each: 121 areas of one page', () => {
		let level = [newArea(newMm(), 1)];
		const page = newAnonPage(level[0]!);
		const all = [...level];

		for (let n = 2; n <= 5; n++) {
			level = level.flatMap((vma) => [fork(vma), fork(vma), fork(vma)]);
			all.push(...level);
		}
		/* 1 + 3 + 9 + 27 + 81 */
		expect(all.length).toBe(121);
		expect(mappersOf(page).sort((a, b) => a - b)).toEqual(all);
		/*
		 * Each area is linked to its own anon_vma and those of its ancestors: level n has n
		 * links. 1*1 + 3*2 + 9*3 + 27*4 + 81*5
		 */
		expect(nr_live(avcs)).toBe(547);
		expect(nr_live(anon_vmas)).toBe(121);
	});

	test('an area has its links from newest to oldest, so that the root is freed last', () => {
		/* anon_vma_clone() goes over the parent's from the oldest, and list_add()s each */
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const c = fork(p), d = fork(c);
		const chain: anon_vma[] = [];
		const head = vmas.anon_vma_chain(d);

		for (let l = list_heads.next[head]; l !== head; l = list_heads.next[l])
			chain.push(avcs.anon_vma[avcs.same_vma.container_of(l)]);
		expect(chain).toEqual([av[d], av[c], av[p]]);
	});

	test("a child's new page is searched in its own subtree only", () => {
		const parent = newArea(newMm(), 2);
		newAnonPage(parent, 0);
		const child = fork(parent), sibling = fork(parent);
		const grandchild = fork(child);
		const page = newAnonPage(child, 1);

		expect(anonOrder(anon_vma_pointer(page))).toEqual([child, grandchild]);
		expect(anonOrder(av[parent])).toEqual([parent, child, sibling, grandchild]);
	});
});

describe('anon_vma counts and reuse', () => {
	test('a root counts its area and itself, a child its area', () => {
		/* alloc: 1; __anon_vma_prepare() of a new root: + 1. fork: child 1, parent + 1. */
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		expect(degree[av[p]]).toBe(2);
		expect([num_children[av[p]], num_active_vmas[av[p]]]).toEqual([1, 1]);
		const c = fork(p);
		expect(degree[av[p]]).toBe(3);
		expect(degree[av[c]]).toBe(1);
		expect([num_children[av[p]], num_active_vmas[av[p]]]).toEqual([2, 1]);
		expect([num_children[av[c]], num_active_vmas[av[c]]]).toEqual([0, 1]);
		expect(root[av[c]]).toBe(av[p]);
		/* the reference of its own and that of the child */
		expect(refcount[av[p]]).toBe(2);
	});

	test('fork of an area without anon_vma makes none', () => {
		const c = fork(newArea(newMm(), 1));

		expect(av[c]).toBe(NULL);
		expect(list_empty(vmas.anon_vma_chain(c))).toBe(true);
	});

	test('the first child never takes the anon_vma of its parent, nor anyone the root', () => {
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const c = fork(p), r = av[p];
		expect(av[c]).not.toBe(r);
		exitArea(p);
		/* self 1 + child c 1 */
		expect(degree[r]).toBe(2);
		const d = fork(c);
		expect([r, av[c]]).not.toContain(av[d]);
	});

	/*
	 * p(R), c(A1), d(A2): c forked d, then exits. A1 has d's link and one child, no area. d's
	 * child may have A1; another child while A1 is taken gets a new one.
	 */
	test.each(KERNELS)(
		'an anon_vma without area and with one child is reused: %s', (_name, commits) => {
			boot(commits);
			const p = newArea(newMm(), 1);
			newAnonPage(p);
			const c = fork(p);
			const a1 = av[c];
			const d = fork(c);
			exitArea(c);
			expect(degree[a1]).toBe(1);
			const before = nr_live(anon_vmas);
			const e = fork(d);
			expect(av[e]).toBe(a1);
			expect(nr_live(anon_vmas)).toBe(before);
			const f = fork(d);
			expect([a1, av[d], av[p]]).not.toContain(av[f]);
			exitArea(e);
			expect(av[fork(d)]).toBe(a1);
		});

	/*
	 * A task that forks and exits for ever. Generation 3 reuses A1 (no area, one child), 4
	 * reuses A2 (its area gone, no child), 5 reuses A1 again: R, A1, A2 are all there ever is,
	 * and an area has three links.
	 */
	test.each(KERNELS)(
		'a chain of forks and exits does not grow: %s', (_name, commits) => {
			boot(commits);
			let vma = newArea(newMm(), 1);
			newAnonPage(vma);
			for (let generation = 1; generation <= 50; generation++) {
				const child = fork(vma);
				exitArea(vma);
				vma = child;
			}
			expect(nr_live(anon_vmas)).toBe(3);
			expect(nr_live(avcs)).toBe(3);
		});

	/*
	 * 2555283eb40d: g3 has reused A1, so that A2, whose area g2 still lives, got no child by
	 * it. When g3 forks, A2 is not g3's own, and its count is 1, because of g2's area: v5.10.0
	 * takes it for an ancestor with one child and gives it to g4 too. With the commit g4 gets
	 * a new one.
	 */
	test.each([
		['v5.10.0', [], true],
		['with 2555283eb40d', [MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY], false],
	])('an anon_vma whose area lives is reused by mistake: %s', (_name, commits, mistaken) => {
		boot(commits);
		const g0 = newArea(newMm(), 2);
		newAnonPage(g0, 0);
		const g1 = fork(g0), a1 = av[g1];
		const g2 = fork(g1), a2 = av[g2];
		exitArea(g1);
		const g3 = fork(g2);
		expect(av[g3]).toBe(a1);
		const g4 = fork(g3);
		expect(av[g4] === a2).toBe(mistaken);
		/* So g4's new page is looked for in g2 and g3 too, or in g4 alone. */
		const page = newAnonPage(g4, 1);
		expect(anonOrder(anon_vma_pointer(page))).toEqual(mistaken ? [g2, g3, g4] : [g4]);
		expect(mappersOf(page)).toEqual([g4]);
	});

	test('a clone for a split has the same anon_vmas and the same own one', () => {
		const p = newArea(newMm(), 2);
		newAnonPage(p, 0);
		const c = fork(p);
		/* __split_vma(): a copy of the struct, then anon_vma_clone() */
		const half = newArea(vmas.vm_mm[c], 1, BASE + PAGE_SIZE);
		av[half] = av[c];
		const before = degree[av[c]];
		expect(anon_vma_clone(half, c)).toBe(0);
		expect(av[half]).toBe(av[c]);
		expect(degree[av[c]]).toBe(before + 1);
		expect(anonOrder(av[p], BASE / PAGE_SIZE + 1)).toEqual([p, c, half]);
	});

	test('a mapped page holds its anon_vma: references and lock', () => {
		const p = newArea(newMm(), 1);
		const page = newAnonPage(p);
		const a = page_get_anon_vma(page);

		expect(a).toBe(av[p]);
		expect(refcount[a]).toBe(2);
		exitArea(p);
		/* unmapped: nobody gets it any more, but it stays for who has it */
		expect(page_get_anon_vma(page)).toBe(NULL);
		expect(page_lock_anon_vma_read(page)).toBe(NULL);
		expect(nr_live(anon_vmas)).toBe(1);
		put_anon_vma(a);
		expect(nr_live(anon_vmas)).toBe(0);
	});

	test('the root stays as long as a child of it', () => {
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const c = fork(p);
		const own = page_get_anon_vma(newAnonPage(c));
		exitArea(p);
		exitArea(c);
		/* c's anon_vma is held, and it holds the root, in which its lock lies */
		expect(nr_live(anon_vmas)).toBe(2);
		put_anon_vma(own);
		expect(nr_live(anon_vmas)).toBe(0);
	});

	test('a page that became exclusive is found in its area only', () => {
		const p = newArea(newMm(), 1);
		const page = newAnonPage(p);
		const c = fork(p);
		unmap(p);
		expect(anonOrder(anon_vma_pointer(page))).toEqual([p, c]);
		__SetPageLocked(page);
		page_move_anon_rmap(page, c);
		expect(anonOrder(anon_vma_pointer(page))).toEqual([c]);
		expect(mappersOf(page)).toEqual([c]);
	});
});

describe('locks', () => {
	test('a reader of a child locks the root, and a writer must wait', () => {
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const c = fork(p);
		const page = newAnonPage(c);
		const a = page_lock_anon_vma_read(page);

		expect(a).toBe(av[c]);
		expect(rwsem[av[p]]).toBe(1);
		expect(rwsem[av[c]]).toBe(0);
		expect(() => anon_vma_lock_write(av[p])).toThrow(WouldBlock);
		/* fork and exit take it for writing, as their first step */
		expect(() => fork(c)).toThrow(WouldBlock);
		page_unlock_anon_vma_read(a);
		expect(rwsem[av[p]]).toBe(0);
	});

	test('a walk waits for a writer and leaves nothing behind', () => {
		const p = newArea(newMm(), 1);
		const page = newAnonPage(p);
		anon_vma_lock_write(av[p]);

		expect(() => page_lock_anon_vma_read(page)).toThrow(WouldBlock);
		expect(refcount[av[p]]).toBe(1);
		anon_vma_unlock_write(av[p]);
		expect(page_referenced(page, 0, NULL, vm_flags)).toBe(0);
		expect(rwsem[av[p]]).toBe(0);
	});

	test('rwsem: readers share, a writer is alone, misuse is a bug', () => {
		const row = 1 as anon_vma;
		down_read(rwsem, row);
		down_read(rwsem, row);
		expect(() => down_write(rwsem, row)).toThrow(WouldBlock);
		up_read(rwsem, row);
		up_read(rwsem, row);
		expect(() => up_read(rwsem, row)).toThrow(KernelBug);
		down_write(rwsem, row);
		expect(() => down_read(rwsem, row)).toThrow(WouldBlock);
		up_write(rwsem, row);
		expect(() => up_write(rwsem, row)).toThrow(KernelBug);
	});
});

describe('order of walks', () => {
	test('fork puts the area of a file just after its parent: later children first', () => {
		/* vma_interval_tree_insert_after(): right after the parent's, each time */
		const file = newFile();
		const a = newFileArea(newMm(), file, 1), b = newFileArea(newMm(), file, 1);
		const a1 = fork(a), a2 = fork(a), b1 = fork(b), a11 = fork(a1);

		expect(fileOrder(file)).toEqual([a, a2, a1, a11, b, b1]);
	});

	test('an area that starts earlier in the file comes first, whoever mapped first', () => {
		const file = newFile();
		const late = newFileArea(newMm(), file, 2, BASE, 3);
		const early = newFileArea(newMm(), file, 8, BASE, 0);

		expect(fileOrder(file, 3)).toEqual([early, late]);
		expect(fileOrder(file, 5)).toEqual([early]);
		expect(fileOrder(file, 8)).toEqual([]);
	});

	test('anonymous areas come in the order of their forks', () => {
		/* anon_vma_interval_tree_insert(): after all that start at the same offset */
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const c1 = fork(p), c2 = fork(p), c11 = fork(c1);

		expect(anonOrder(av[p])).toEqual([p, c1, c2, c11]);
	});

	test('a walk of many areas visits each once, in order', () => {
		const file = newFile();
		const areas = Array.from({ length: 300 }, (_, i) =>
			newFileArea(newMm(), file, 1 + i % 7, BASE, i % 11));
		const offset = (vma: vm_area_struct): number => vmas.vm_pgoff[vma];
		const pages_of = (vma: vm_area_struct): number =>
			(vmas.vm_end[vma] - vmas.vm_start[vma]) / PAGE_SIZE;

		for (let index = 0; index < 20; index++) {
			/* a stable sort by offset is the order of insertion among equals */
			const expected = areas
				.filter((vma) => offset(vma) <= index &&
					index < offset(vma) + pages_of(vma))
				.sort((x, y) => offset(x) - offset(y));
			expect(fileOrder(file, index)).toEqual(expected);
		}
	});
});

describe('page_referenced()', () => {
	/* Three processes with one page of a file, in the order a, c, b. */
	function shared(bits: [number, number, number]): {
		page: page; a: vm_area_struct; b: vm_area_struct; c: vm_area_struct } {
		const file = newFile();
		const a = newFileArea(newMm(), file, 1), b = newFileArea(newMm(), file, 1);
		const c = forkArea(a, newMm());
		const page = newFilePage(file);

		mapFilePage(a, 0, page, bits[0]);
		mapFilePage(c, 0, page, bits[1]);
		mapFilePage(b, 0, page, bits[2]);
		return { page, a, b, c };
	}

	test('counts the areas that referenced the page, and clears their bits', () => {
		const { page, a, b, c } = shared([YOUNG, OLD, YOUNG]);

		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(2);
		expect([pte(a), pte(b), pte(c)].map((e) => e & ACCESSED)).toEqual([0, 0, 0]);
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(0);
		expect(vm_flags.v).toBe(0);
	});

	test('vm_flags are those of the areas that referenced it, no others', () => {
		const { page, a, b } = shared([YOUNG, OLD, OLD]);

		vmas.vm_flags[b] |= VM_EXEC;
		page_referenced(page, 1, NULL, vm_flags);
		expect(vm_flags.v).toBe(vmas.vm_flags[a]);
		setYoung(b, 0, true);
		page_referenced(page, 1, NULL, vm_flags);
		expect(vm_flags.v & VM_EXEC).toBe(VM_EXEC);
	});

	test('one process that maps the page twice counts twice', () => {
		const file = newFile(), mm = newMm();
		const x = newFileArea(mm, file, 1), y = newFileArea(mm, file, 1, BASE + 0x100000);
		const page = newFilePage(file);

		mapFilePage(x, 0, page, YOUNG);
		mapFilePage(y, 0, page, YOUNG);
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(2);
	});

	test('a mapping that is read in sequence does not count, but is cleared', () => {
		const { page, a } = shared([YOUNG, OLD, OLD]);

		vmas.vm_flags[a] |= VM_SEQ_READ;
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(0);
		expect(pte(a) & ACCESSED).toBe(0);
		expect(vm_flags.v).toBe(0);
	});

	test('the walk ends with the last mapping that was counted at the start', () => {
		/*
		 * A count of 1 for two entries: what the kernel sees when the second is added after
		 * total_mapcount(). The first in order takes it to 0, and the second keeps its bit.
		 */
		const { page, a, c } = shared([YOUNG, YOUNG, OLD]);

		pages._mapcount[page] = 0;
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(1);
		expect(pte(a) & ACCESSED).toBe(0);
		expect(pte(c) & ACCESSED).toBe(ACCESSED);
	});

	test('VM_LOCKED ends the walk: what came before counts, the rest is untouched', () => {
		const { page, a, b, c } = shared([YOUNG, YOUNG, YOUNG]);

		vmas.vm_flags[c] |= VM_LOCKED;
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(1);
		expect(vm_flags.v & VM_LOCKED).toBe(VM_LOCKED);
		expect([pte(a), pte(c), pte(b)].map((e) => e & ACCESSED)).toEqual(
			[0, ACCESSED, ACCESSED]);
	});

	test('not mapped is not referenced, locked by another is', () => {
		const file = newFile();
		const a = newFileArea(newMm(), file, 1);
		const page = newFilePage(file);

		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(0);
		mapFilePage(a, 0, page, YOUNG);
		/* is_locked 0: trylock fails, since the page is locked; nothing is looked at */
		expect(page_referenced(page, 0, NULL, vm_flags)).toBe(1);
		expect(vm_flags.v).toBe(0);
		expect(pte(a) & ACCESSED).toBe(ACCESSED);
		__ClearPageLocked(page);
		expect(page_referenced(page, 0, NULL, vm_flags)).toBe(1);
		expect(pte(a) & ACCESSED).toBe(0);
		expect(pages.flags[page] & 1).toBe(0);
	});

	test('a high virtual address and a high half of an entry are no matter', () => {
		const vma = newArea(newMm(), 1, 0x7fffffffe000);
		const page = newAnonPage(vma, 0, YOUNG);
		const ptep = ptepOf(vmas.vm_mm[vma], 0x7fffffffe000);

		ram[ptep + 1] = 0x80000000 | 0;
		expect(page_referenced(page, 1, NULL, vm_flags)).toBe(1);
		expect(ram[ptep + 1]).toBe(0x80000000 | 0);
	});

	describe('for a cgroup', () => {
		function mkdir(parent: cgroup, name: string): cgroup {
			const cgrp: out<cgroup> = { v: NULL };

			expect(cgroup_subtree_control_write(parent, '+memory'))
				.toBeGreaterThanOrEqual(0);
			expect(cgroup_mkdir(parent, name, cgrp)).toBe(0);
			return cgrp.v;
		}
		const join = (mm: mm_struct, memcg: mem_cgroup): void => {
			tasks.memcg[mms.owner[mm]] = memcg;
		};

		test('areas outside of its subtree are neither read nor cleared', () => {
			/* A / AA, and B: a in AA, c in B, b in A; order a, c, b */
			const top = 1 as cgroup;
			const ga = mkdir(top, 'A'), gaa = mkdir(ga, 'AA'), gb = mkdir(top, 'B');
			const [A, AA, B] = [ga, gaa, gb].map(cgroup_e_css) as
				[mem_cgroup, mem_cgroup, mem_cgroup];
			const { page, a, b, c } = shared([YOUNG, YOUNG, YOUNG]);
			join(vmas.vm_mm[a], AA);
			join(vmas.vm_mm[c], B);
			join(vmas.vm_mm[b], A);

			expect(page_referenced(page, 1, A, vm_flags)).toBe(2);
			expect([pte(a), pte(c), pte(b)].map((e) => e & ACCESSED)).toEqual(
				[0, ACCESSED, 0]);
			expect(page_referenced(page, 1, AA, vm_flags)).toBe(0);
			expect(page_referenced(page, 1, ROOT_MEM_CGROUP, vm_flags)).toBe(1);
		});

		test('an mm without owner is no one of its', () => {
			const { page, a } = shared([YOUNG, OLD, OLD]);

			mms.owner[vmas.vm_mm[a]] = NULL;
			expect(page_referenced(page, 1, ROOT_MEM_CGROUP, vm_flags)).toBe(0);
			expect(page_referenced(page, 1, NULL, vm_flags)).toBe(1);
		});
	});
});

describe('try_to_unmap()', () => {
	/* Three processes with one page, in the order a, b, c; b's entry is young. */
	function shared(): { page: page; a: vm_area_struct; b: vm_area_struct; c: vm_area_struct } {
		const file = newFile();
		const a = newFileArea(newMm(), file, 1), b = newFileArea(newMm(), file, 1);
		const c = newFileArea(newMm(), file, 1);
		const page = newFilePage(file);

		mapFilePage(a, 0, page, OLD);
		mapFilePage(b, 0, page, YOUNG);
		mapFilePage(c, 0, page, OLD);
		for (const vma of [a, b, c])
			mms.rss_stat[vmas.vm_mm[vma] * NR_MM_COUNTERS + MM_FILEPAGES] = 1;
		return { page, a, b, c };
	}
	const present = (...areas: vm_area_struct[]): number[] =>
		areas.map((vma) => pte(vma) & PRESENT);

	test('v5.10.0: a young entry saves the page; those before it in order are gone', () => {
		const { page, a, b, c } = shared();

		expect(try_to_unmap(page, 0)).toBe(false);
		expect(present(a, b, c)).toEqual([0, 1, 1]);
		expect(pte(b) & ACCESSED).toBe(0);
		/* idle once: the next time nothing saves it */
		expect(try_to_unmap(page, 0)).toBe(true);
		expect(present(a, b, c)).toEqual([0, 0, 0]);
	});

	test('TTU_IGNORE_ACCESS: nothing saves it', () => {
		const { page, a, b, c } = shared();

		expect(try_to_unmap(page, TTU_IGNORE_ACCESS)).toBe(true);
		expect(present(a, b, c)).toEqual([0, 0, 0]);
	});

	test('013339df116c: nothing saves it, whoever asks', () => {
		boot([MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS]);
		const { page, a, b, c } = shared();

		expect(try_to_unmap(page, 0)).toBe(true);
		expect(present(a, b, c)).toEqual([0, 0, 0]);
		expect(pages._mapcount[page]).toBe(-1);
		/* the reference that newFilePage() has */
		expect(pages._refcount[page]).toBe(1);
		for (const vma of [a, b, c]) {
			const counter = vmas.vm_mm[vma] * NR_MM_COUNTERS + MM_FILEPAGES;
			expect(mms.rss_stat[counter]).toBe(0);
		}
	});

	test('VM_LOCKED: the page is mlocked and stays in it and after it', () => {
		const { page, a, b, c } = shared();

		vmas.vm_flags[b] |= VM_LOCKED;
		expect(try_to_unmap(page, TTU_IGNORE_ACCESS)).toBe(false);
		expect(present(a, b, c)).toEqual([0, 1, 1]);
		expect(PageMlocked(page)).toBe(true);
		expect(try_to_unmap(page, TTU_IGNORE_ACCESS | TTU_IGNORE_MLOCK)).toBe(true);
		/* the last mapping takes the mark with it: clear_page_mlock() */
		expect(PageMlocked(page)).toBe(false);
	});

	/*
	 * A lazily freed page (clean, not swap-backed), with a reference of I/O besides isolation's
	 * and the mapping's. v5.10.0 looks at the dirty bits only.
	 */
	test.each([
		['v5.10.0', [MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS], 1, true],
		['v5.10.0, nobody else', [MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS], 0, true],
		['6c8e2a256915', [MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS,
			MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO], 1, false],
		['6c8e2a256915, nobody else', [MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS,
			MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO], 0, true],
	])('lazyfree under I/O: %s', (_name, commits, references, discarded) => {
		boot(commits);
		const vma = newArea(newMm(), 1);
		const page = newAnonPage(vma, 0, YOUNG);
		const counter = vmas.vm_mm[vma] * NR_MM_COUNTERS + MM_ANONPAGES;

		mms.rss_stat[counter] = 1;
		ClearPageSwapBacked(page);
		__SetPageLocked(page);
		pages._refcount[page] += references;
		expect(try_to_unmap(page, 0)).toBe(discarded);
		expect(pte(vma) !== 0).toBe(!discarded);
		expect(PageSwapBacked(page)).toBe(!discarded);
		expect(mms.rss_stat[counter]).toBe(discarded ? 0 : 1);
		if (!discarded)
			expect(pte(vma)).toBe(page << 12 | YOUNG);
	});

	/*
	 * arch/x86/include/asm/pgtable_64.h, "Encode and de-code a swap entry": the type in bits
	 * 59 to 63, the offset inverted in 9 to 58, soft-dirty in bit 1. The accessed bit has no
	 * place.
	 */
	test('swap: the entries of all areas become swap entries, and the counts follow', () => {
		boot([MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS]);
		const bdev = blkdev_add(BLKDEV_PMEM, 4096);
		expect(mkswap(bdev)).toBe(0);
		expect(swapon(bdev, 0)).toBe(0);
		const SOFT_DIRTY = 0x800, SWP_SOFT_DIRTY = 0x2;
		const p = newArea(newMm(), 1);
		const page = newAnonPage(p, 0, YOUNG | DIRTY | SOFT_DIRTY);
		const c = fork(p);
		setPte(c, 0, page, YOUNG);
		for (const vma of [p, c])
			mms.rss_stat[vmas.vm_mm[vma] * NR_MM_COUNTERS + MM_ANONPAGES] = 1;
		__SetPageLocked(page);
		expect(add_to_swap(page)).toBe(1);
		ClearPageDirty(page);
		const entry = pages.private[page];

		expect(try_to_unmap(page, 0)).toBe(true);
		const bits = BigInt.asUintN(50, ~BigInt(swp_offset(entry))) << 9n |
			BigInt(swp_type(entry)) << 59n;
		const whole = (vma: vm_area_struct): bigint => {
			const at = ptepOf(vmas.vm_mm[vma], BASE);
			return BigInt(ram[at + 1]! >>> 0) << 32n | BigInt(ram[at]! >>> 0);
		};
		expect(whole(p)).toBe(bits | BigInt(SWP_SOFT_DIRTY));
		expect(whole(c)).toBe(bits);
		for (const vma of [p, c]) {
			const mm = vmas.vm_mm[vma];
			expect(mms.rss_stat[mm * NR_MM_COUNTERS + MM_ANONPAGES]).toBe(0);
			expect(mms.rss_stat[mm * NR_MM_COUNTERS + MM_SWAPENTS]).toBe(1);
			expect(mms.hiwater_rss[mm]).toBe(1);
			expect(list_empty(mms.mmlist(mm))).toBe(false);
		}
		expect(__swap_count(entry)).toBe(2);
		/* p's dirty bit; its reference and the cache's are left, and no mapping */
		expect(PageDirty(page)).toBe(true);
		expect(pages._refcount[page]).toBe(2);
		expect(pages._mapcount[page]).toBe(-1);
	});

	describe('TLB batches', () => {
		/* CPU 0 unmaps; the mm was seen by the CPUs of `mask`. */
		function unmapped(mask: number, bits: number): mm_struct {
			boot([MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS]);
			const file = newFile();
			const vma = newFileArea(newMm(), file, 1), mm = vmas.vm_mm[vma];
			const page = newFilePage(file);

			mapFilePage(vma, 0, page, bits);
			mms.rss_stat[mm * NR_MM_COUNTERS + MM_FILEPAGES] = 1;
			mm_contexts.cpumask[mm] = mask;
			expect(try_to_unmap(page, TTU_BATCH_FLUSH)).toBe(true);
			return mm;
		}

		test('no other CPU has the mm: nothing is put off', () => {
			const mm = unmapped(1, YOUNG);

			expect(tlb_ubcs.flush_required[current()]).toBe(0);
			expect(mms.tlb_flush_batched[mm]).toBe(0);
		});

		test('another CPU has it: one flush at the end, sooner if a write can race', () => {
			const mm = unmapped(2, YOUNG);

			expect(tlb_ubcs.flush_required[current()]).toBe(1);
			expect(tlb_ubcs.writable[current()]).toBe(0);
			expect(mms.tlb_flush_batched[mm]).toBe(1);
			try_to_unmap_flush_dirty();
			expect(tlb_ubcs.flush_required[current()]).toBe(1);
			try_to_unmap_flush();
			expect(tlb_ubcs.flush_required[current()]).toBe(0);
			expect(tlb_ubcs.cpumask[current()]).toBe(0);
			/* who changes its tables later pays one more flush */
			const before = mm_contexts.tlb_gen[mm]!;
			flush_tlb_batched_pending(mm);
			expect(mm_contexts.tlb_gen[mm]).toBe(before + 1);
			expect(mms.tlb_flush_batched[mm]).toBe(0);
			flush_tlb_batched_pending(mm);
			expect(mm_contexts.tlb_gen[mm]).toBe(before + 1);
		});
	});

	test('another actor after range_start: its walk has a frame of its own', () => {
		/* page_referenced() of the same page clears b's bit, so nothing is saved */
		const { page, a, b, c } = shared();
		const id = point('try_to_unmap_one.range_start.return');
		let hits = 0;

		pointHandler.hit = (_point, hit_page) => {
			disarmPoint(id);
			hits++;
			expect(hit_page).toBe(page);
			expect(page_referenced(page, 1, NULL, vm_flags)).toBe(1);
		};
		armPoint(id);
		expect(try_to_unmap(page, 0)).toBe(true);
		expect(hits).toBe(1);
		expect(present(a, b, c)).toEqual([0, 0, 0]);
	});

	test('another one unmaps another page with other flags: each keeps its own', () => {
		const { page, a, b, c } = shared();
		const other = shared();
		const id = point('try_to_unmap_one.range_start.return');

		vmas.vm_flags[b] |= VM_LOCKED;
		vmas.vm_flags[other.b] |= VM_LOCKED;
		pointHandler.hit = () => {
			disarmPoint(id);
			expect(try_to_unmap(other.page, TTU_IGNORE_ACCESS | TTU_IGNORE_MLOCK))
				.toBe(true);
		};
		armPoint(id);
		expect(try_to_unmap(page, TTU_IGNORE_ACCESS)).toBe(false);
		expect(present(other.a, other.b, other.c)).toEqual([0, 0, 0]);
		expect(present(a, b, c)).toEqual([0, 1, 1]);
		expect(PageMlocked(page)).toBe(true);
	});
});

describe('page_mkclean()', () => {
	test('writable and dirty entries become clean and read-only; the rest stays', () => {
		const file = newFile();
		const dirty = newFileArea(newMm(), file, 1), ro = newFileArea(newMm(), file, 1);
		const priv = newFileArea(newMm(), file, 1);
		const page = newFilePage(file);

		/* a private mapping of the page is read-only anyway, and is not visited */
		vmas.vm_flags[priv] &= ~8;
		mapFilePage(dirty, 0, page, YOUNG | DIRTY);
		mapFilePage(ro, 0, page, YOUNG & ~RW);
		mapFilePage(priv, 0, page, YOUNG | DIRTY);
		expect(page_mkclean(page)).toBe(1);
		expect(pte(dirty)).toBe(page << 12 | YOUNG & ~RW);
		expect(pte(ro)).toBe(page << 12 | YOUNG & ~RW);
		expect(pte(priv)).toBe(page << 12 | YOUNG | DIRTY);
		expect(page_mkclean(page)).toBe(0);
	});
});

describe('where a page would be', () => {
	test('page_address_in_vma() wants the same file or the same anon_vma tree', () => {
		const file = newFile();
		const f = newFileArea(newMm(), file, 2, BASE, 4);
		const other = newFileArea(newMm(), newFile(), 2, BASE, 4);
		const page = newFilePage(file, 5);

		expect(page_address_in_vma(page, f)).toBe(BASE + PAGE_SIZE);
		expect(page_address_in_vma(page, other)).toBe(-14);
		pages.index[page] = 6;
		expect(page_address_in_vma(page, f)).toBe(-14);

		const p = newArea(newMm(), 1), stranger = newArea(newMm(), 1);
		const anon = newAnonPage(p);
		newAnonPage(stranger);
		expect(page_address_in_vma(anon, p)).toBe(BASE);
		expect(page_address_in_vma(anon, fork(p))).toBe(BASE);
		expect(page_address_in_vma(anon, stranger)).toBe(-14);
	});

	test('mm_find_pmd() finds tables only', () => {
		const p = newArea(newMm(), 1);
		const mm = vmas.vm_mm[p];

		expect(mm_find_pmd(mm, BASE)).toBe(0);
		newAnonPage(p);
		expect(mm_find_pmd(mm, BASE)).not.toBe(0);
		expect(mm_find_pmd(mm, BASE + 2 ** 21)).toBe(0);
		expect(mm_find_pmd(mm, 0x1000)).toBe(0);
	});

	test('an area that has an anon_vma keeps it', () => {
		const p = newArea(newMm(), 1);
		newAnonPage(p);
		const a = av[p];
		const before = nr_live(avcs);
		expect(__anon_vma_prepare(p)).toBe(0);
		expect(av[p]).toBe(a);
		expect(nr_live(avcs)).toBe(before);
		expect(refcount[a]).toBe(1);
	});
});
