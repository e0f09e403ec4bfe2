// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk and the TLB against the least that could do the same job: a hand-unrolled walk over the
 * same tables, and a set-associative look-up without rights, counts or address check. Each task is
 * BATCH accesses over 64 pages (walk) or 512 (TLB).
 */
import { mmu_init, mmu_translate, mmu_walk, MMU_READ, MMU_USER, MMU_WRITE, write_cr3 }
	from '../src/arch/mmu.ts';
import { _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_TABLE, NX_HI, PAGE_SHARED }
	from '../src/arch/pgtable_types.ts';
import { ram, use_frame } from '../src/arch/ram.ts';
import { resetArena } from '../src/lib/arena.ts';
import type { Tasks } from './pairs.ts';

export const BATCH = 4096;
const PAGES = 512;
const BASE = 0x7f1234400000;
const [TOP, PUD, PMD, PTE, FIRST] = [16, 17, 18, 19, 32];

/** A machine with PAGES pages mapped from BASE. */
function prepare(): void {
	resetArena();
	mmu_init(1, false);
	use_frame(FIRST + PAGES);
	const tables = [[TOP, PUD, 2 ** 39], [PUD, PMD, 2 ** 30], [PMD, PTE, 2 ** 21]] as const;
	for (const [table, next, size] of tables)
		ram[table * 1024 + Math.floor(BASE / size) % 512 * 2] = next << 12 | _PAGE_TABLE;
	for (let i = 0; i < PAGES; i++) {
		ram[PTE * 1024 + i * 2] = FIRST + i << 12 | PAGE_SHARED;
		ram[PTE * 1024 + i * 2 + 1] = NX_HI;
	}
	write_cr3(0, TOP * 4096);
}

/*
 * Written out by hand for a write of user mode alone: index, test P, W, U, size and reserved bits,
 * set A and D.
 */
function handWalk(top: number, addr: number): number {
	const lo = addr | 0, hi = Math.floor(addr / 0x100000000) | 0;
	const p4 = top + (hi >>> 6 & 0x3fe), e4 = ram[p4]!, h4 = ram[p4 + 1]!;
	if ((e4 & 0x87) !== 7 || (h4 & 0xfffff) !== 0)
		return 0;
	if (!(e4 & _PAGE_ACCESSED))
		ram[p4] = e4 | _PAGE_ACCESSED;
	const p3 = ((e4 & ~0xfff) >>> 2) + ((hi << 3 | lo >>> 29) & 0x3fe), e3 = ram[p3]!;
	const h3 = ram[p3 + 1]!;
	if ((e3 & 0x87) !== 7 || (h3 & 0xfffff) !== 0)
		return 0;
	if (!(e3 & _PAGE_ACCESSED))
		ram[p3] = e3 | _PAGE_ACCESSED;
	const p2 = ((e3 & ~0xfff) >>> 2) + (lo >>> 20 & 0x3fe), e2 = ram[p2]!;
	const h2 = ram[p2 + 1]!;
	if ((e2 & 0x87) !== 7 || (h2 & 0xfffff) !== 0)
		return 0;
	if (!(e2 & _PAGE_ACCESSED))
		ram[p2] = e2 | _PAGE_ACCESSED;
	const p1 = ((e2 & ~0xfff) >>> 2) + (lo >>> 11 & 0x3fe), e1 = ram[p1]!;
	const h1 = ram[p1 + 1]!;
	if ((e1 & 7) !== 7 || (h1 & 0xfffff) !== 0)
		return 0;
	const want = _PAGE_ACCESSED | _PAGE_DIRTY;
	if ((e1 & want) !== want)
		ram[p1] = e1 | want;
	return e1 & ~0xfff | (h4 | h3 | h2 | h1) >>> 31 << 2 | 1;
}

/* The least walk that sets A and D: of rights it tests only that entries are present. */
function leastWalk(top: number, addr: number): number {
	const lo = addr | 0, hi = Math.floor(addr / 0x100000000) | 0;
	const p4 = top + (hi >>> 6 & 0x3fe), e4 = ram[p4]!;
	if (!(e4 & _PAGE_PRESENT))
		return 0;
	if (!(e4 & _PAGE_ACCESSED))
		ram[p4] = e4 | _PAGE_ACCESSED;
	const p3 = ((e4 & ~0xfff) >>> 2) + ((hi << 3 | lo >>> 29) & 0x3fe), e3 = ram[p3]!;
	if (!(e3 & _PAGE_PRESENT))
		return 0;
	if (!(e3 & _PAGE_ACCESSED))
		ram[p3] = e3 | _PAGE_ACCESSED;
	const p2 = ((e3 & ~0xfff) >>> 2) + (lo >>> 20 & 0x3fe), e2 = ram[p2]!;
	if (!(e2 & _PAGE_PRESENT))
		return 0;
	if (!(e2 & _PAGE_ACCESSED))
		ram[p2] = e2 | _PAGE_ACCESSED;
	const p1 = ((e2 & ~0xfff) >>> 2) + (lo >>> 11 & 0x3fe), e1 = ram[p1]!;
	if (!(e1 & _PAGE_PRESENT))
		return 0;
	const want = _PAGE_ACCESSED | _PAGE_DIRTY;
	if ((e1 & want) !== want)
		ram[p1] = e1 | want;
	return e1 & ~0xfff | 1;
}

/* A table of the TLB's shape, with nothing in it but page numbers and frames. */
const SETS = 128, WAYS = 8;
const bareShape = new Int32Array([SETS - 1, WAYS]);
const bareTags = new Float64Array(SETS * WAYS), bareFrames = new Int32Array(SETS * WAYS);
function bareLookup(addr: number): number {
	const lo = addr | 0, page = Math.floor(addr * 2 ** -12);
	const ways = bareShape[1]!;
	let slot = (lo >>> 12 & bareShape[0]!) * ways;

	for (const end = slot + ways; slot < end; slot++) {
		if (bareTags[slot] === page)
			return (bareFrames[slot]! & ~0xfff | lo & 0xfff) >>> 0;
	}
	return -1;
}

const WALK_PAGES = 64;
/* The aging of reclaim: what a walk then sets again. */
function age(): void {
	for (let i = 0; i < WALK_PAGES; i++)
		ram[PTE * 1024 + i * 2]! &= ~(_PAGE_ACCESSED | _PAGE_DIRTY);
}

/** Add the tasks: pairs `X` and `X bare`. */
export function addArchTasks(tasks: Tasks): void {
	prepare();
	for (let i = 0; i < PAGES; i++) {
		mmu_translate(0, BASE + i * 4096, MMU_READ | MMU_USER);
		const page = Math.floor((BASE + i * 4096) / 4096), set = (page % SETS) * WAYS;
		let slot = set;
		while (bareTags[slot] !== 0)
			slot++;
		bareTags[slot] = page;
		bareFrames[slot] = FIRST + i << 12;
	}
	const top = TOP * 1024;

	/*
	 * Each is a function written out, made once: what one closure of several captures, the
	 * compiler does not take for constant.
	 */
	tasks.add('walk bare', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++)
			sum += handWalk(top, BASE + (i & WALK_PAGES - 1) * 4096) >>> 12;
		return sum;
	});
	tasks.add('walk', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++)
			sum += mmu_walk(0, BASE + (i & WALK_PAGES - 1) * 4096,
				MMU_WRITE | MMU_USER) >>> 12;
		return sum;
	});
	tasks.add('walk setting A and D bare', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++) {
			if (i % WALK_PAGES === 0)
				age();
			sum += handWalk(top, BASE + (i & WALK_PAGES - 1) * 4096) >>> 12;
		}
		return sum;
	});
	tasks.add('walk setting A and D', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++) {
			if (i % WALK_PAGES === 0)
				age();
			sum += mmu_walk(0, BASE + (i & WALK_PAGES - 1) * 4096,
				MMU_WRITE | MMU_USER) >>> 12;
		}
		return sum;
	});
	tasks.add('walk testing P alone', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++) {
			if (i % WALK_PAGES === 0)
				age();
			sum += leastWalk(top, BASE + (i & WALK_PAGES - 1) * 4096) >>> 12;
		}
		return sum;
	});
	tasks.add('tlb hit bare', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++)
			sum += bareLookup(BASE + (i & PAGES - 1) * 4096 + 8);
		return sum;
	});
	tasks.add('tlb hit', () => {
		let sum = 0;
		for (let i = 0; i < BATCH; i++)
			sum += mmu_translate(0, BASE + (i & PAGES - 1) * 4096 + 8,
				MMU_READ | MMU_USER);
		return sum;
	});
}

/** Pairs of a task and what it is measured against, with the largest ratio of their times. */
export const archBounds = [
	['walk', 'walk bare', 1.3],
	['walk setting A and D', 'walk setting A and D bare', 1.3],
	['walk setting A and D', 'walk testing P alone', 1.3],
	['tlb hit', 'tlb hit bare', 1.5],
] as const;
