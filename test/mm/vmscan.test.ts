// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { MM_AVOID_DIVIDE_BY_ZERO_IN_MEMORY_LOW as NO_DIVIDE_BY_ZERO,
	MM_FIX_OOMS_DUE_TO_PROPORTIONAL_MEMORY_LOW as LOW_IS_RETRIED }
	from '../../src/lib/commits.ts';
import type { out } from '../../src/lib/struct.ts';
import { CSS_ONLINE, memcgs, page_counters } from '../../src/mm/memcontrol_types.ts';
import { update_lru_size } from '../../src/mm/mm_inline.ts';
import { pages, VM_EXEC, VM_LOCKED, type mem_cgroup, type page } from '../../src/mm/mm_types.ts';
import { DEF_PRIORITY, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, lruvecs, MAX_NR_ZONES, NR_ACTIVE_ANON,
	NR_INACTIVE_ANON, NR_LRU_LISTS, ZONE_DMA32, type lruvec } from '../../src/mm/mmzone.ts';
import { PageReferenced, PG_referenced, PG_swapbacked } from '../../src/mm/page_flags.ts';
import { page_referenced } from '../../src/mm/rmap.ts';
import { lru_note_cost } from '../../src/mm/swap.ts';
import { nr_swap_pages } from '../../src/mm/swap_types.ts';
import { get_scan_count, inactive_is_low, page_check_references, PAGEREF_ACTIVATE, PAGEREF_KEEP,
	PAGEREF_RECLAIM, PAGEREF_RECLAIM_CLEAN, scan_control } from '../../src/mm/vmscan.ts';
import { lruvecOf, makeCgroup, makeMachine, makePage, memcgOf, setLruvecState }
	from './vmscan_machine.ts';

vi.mock('../../src/mm/rmap.ts', async (original) => ({
	...await original<object>(),
	page_referenced: vi.fn<typeof page_referenced>(),
}));

let memcg: mem_cgroup;
let vec: lruvec;
function boot(...commits: number[]): void {
	makeMachine(commits);
	memcg = memcgOf(makeCgroup('A'));
	vec = lruvecOf(memcg);
}
beforeEach(() => boot());

/*
 * page_check_references(): n VMAs with a reference, P the PG_referenced of before, and what the
 * page is. From the code, and from the history of its rules: use-once (645747462435), more than one
 * mapping (34dbc67a644f), executables (c909e99364c8), anon like file (b518154e59aa).
 */
describe('page_check_references', () => {
	const FILE = 0, SWAPPED = 1 << PG_swapbacked;

	test.each([
		/* flags, vm_flags, n, P, result, PG_referenced afterwards */
		['mlocked, file', FILE, VM_LOCKED, 0, 0, PAGEREF_RECLAIM, false],
		['mlocked, referenced by many', FILE, VM_LOCKED, 3, 1, PAGEREF_RECLAIM, false],
		['mlocked, anon', SWAPPED, VM_LOCKED | VM_EXEC, 1, 1, PAGEREF_RECLAIM, false],
		['two mappings, file', FILE, 0, 2, 0, PAGEREF_ACTIVATE, true],
		['two mappings, anon', SWAPPED, 0, 2, 0, PAGEREF_ACTIVATE, true],
		['two mappings, marked', FILE, 0, 2, 1, PAGEREF_ACTIVATE, true],
		['one, marked, file', FILE, 0, 1, 1, PAGEREF_ACTIVATE, true],
		['one, marked, anon', SWAPPED, 0, 1, 1, PAGEREF_ACTIVATE, true],
		['one, not marked, executable file', FILE, VM_EXEC, 1, 0, PAGEREF_ACTIVATE, true],
		['one, not marked, executable anon', SWAPPED, VM_EXEC, 1, 0, PAGEREF_KEEP, true],
		['one, not marked, file', FILE, 0, 1, 0, PAGEREF_KEEP, true],
		['one, not marked, anon', SWAPPED, 0, 1, 0, PAGEREF_KEEP, true],
		['none, marked, file', FILE, 0, 0, 1, PAGEREF_RECLAIM_CLEAN, false],
		['none, marked, anon', SWAPPED, 0, 0, 1, PAGEREF_RECLAIM, false],
		['none, not marked, file', FILE, VM_EXEC, 0, 0, PAGEREF_RECLAIM, false],
		['none, not marked, anon', SWAPPED, 0, 0, 0, PAGEREF_RECLAIM, false],
	])('%s', (_name, flags, vm_flags, n, marked, result, marked_after) => {
		const page = makePage(0, memcg, flags | (marked ? 1 << PG_referenced : 0));
		const sc = new scan_control();

		sc.target_mem_cgroup = memcg;
		vi.mocked(page_referenced).mockImplementation(
			(of: page, is_locked, target, out: out<number>) => {
				expect([of, Number(is_locked), target]).toEqual([page, 1, memcg]);
				out.v = vm_flags;
				return n;
			});
		expect(page_check_references(page, sc)).toBe(result);
		expect(PageReferenced(page)).toBe(marked_after);
		expect(pages.flags[page] & ~(1 << PG_referenced)).toBe(flags);
	});
});

/* The ratios of the table above inactive_list_is_low() in mm/vmscan.c: 1, 3, 10, 31. */
test.each([
	['200 pages', 100, 1],
	['just below 1 GiB', 131_071, 1],
	['1 GiB', 65_536, 3],
	['10 GiB', 240_000, 10],
	['100 GiB', 820_000, 31],
])('inactive_is_low at %s: active may be %i times %i', (_size, inactive, ratio) => {
	setLruvecState(vec, NR_INACTIVE_ANON, inactive);
	setLruvecState(vec, NR_ACTIVE_ANON, inactive * ratio);
	expect(inactive_is_low(vec, LRU_INACTIVE_ANON)).toBe(false);
	setLruvecState(vec, NR_ACTIVE_ANON, inactive * ratio + 1);
	expect(inactive_is_low(vec, LRU_INACTIVE_ANON)).toBe(true);
});

function scan(priority: number, target = memcg, low_reclaim = false): scan_control {
	const sc = new scan_control();

	sc.target_mem_cgroup = target;
	sc.may_swap = true;
	sc.reclaim_idx = MAX_NR_ZONES - 1;
	sc.priority = priority;
	sc.memcg_low_reclaim = low_reclaim;
	sc.anon_cost = lruvecs.anon_cost[vec];
	sc.file_cost = lruvecs.file_cost[vec];
	get_scan_count(vec, sc, sc.nr_to_scan);
	return sc;
}

function addPages(lru: number, n: number): void {
	for (let i = 0; i < n; i++)
		update_lru_size(vec, lru, ZONE_DMA32, 1);
}

/*
 * One memory.high round over inactive anonymous pages, each batch reclaimed whole: the
 * requests by priority. Costs rise by the pages written out. After the LAST batch of a
 * priority the next one is asked for.
 */
function round(): string[] {
	const requested: string[] = [];

	for (let priority = DEF_PRIORITY; priority >= 0; priority--) {
		const sc = scan(priority);
		let nr = sc.nr_to_scan[LRU_INACTIVE_ANON]!;

		expect(sc.nr_to_scan[LRU_INACTIVE_FILE]).toBe(0);
		while (nr > 0) {
			const batch = Math.min(nr, 32);
			nr -= batch;
			requested.push(`p${priority}:${batch}`);
			update_lru_size(vec, LRU_INACTIVE_ANON, ZONE_DMA32, -batch);
			lru_note_cost(vec, false, batch, 0);
		}
	}
	return requested;
}

const protect = (usage: number, min: number, low: number) => {
	const counter = memcgs.memory[memcg];
	page_counters.usage[counter] = usage;
	page_counters.emin[counter] = min;
	page_counters.elow[counter] = low;
};
const asked = (sc: scan_control) => sc.nr_to_scan[LRU_INACTIVE_FILE];

describe('get_scan_count', () => {
	/*
	 * test/oracle/recordings/foreign-reference.5.10.txt, nr_requested of both rounds. By hand,
	 * with swappiness 60, ap = 60 (T'+1) / (A+1), fp = 140 (T'+1) / (F+1), all rounded down,
	 * where A = 2 anon_cost, F = anon_cost, T' = A + F:
	 *	round 0	p4	64 >> 4 =  4	cost 0	ap 60	fp 140	 4 *  60 / 200 = 1
	 *		p3	63 >> 3 =  7	cost 1	ap 80	fp 280	 7 *  80 / 360 = 1
	 *		p2	62 >> 2 = 15	cost 2	ap 84	fp 326	15 *  84 / 410 = 3
	 *		p1	59 >> 1 = 29	cost 5	ap 87	fp 373	29 *  87 / 460 = 5
	 *		p0	equal: 54 = 32 + 22
	 * The lists' size that the cost decays by is the flushed part of the counter: 64 pages are
	 * 33 (batches of more than 32), a quarter of it is 8. So the cost of 10 becomes 5, then
	 * (5 + 32) / 2 = 18, then, with the lists empty, (18 + 22) / 2 = 20.
	 *	round 1	p4	64 >> 4 =  4	cost 20	ap 89	fp 406	 4 *  89 / 495 = 0
	 *		p3	64 >> 3 =  8			 8 *  89 / 495 = 1
	 *		p2	63 >> 2 = 15	cost 10	ap 88	fp 394	15 *  88 / 482 = 2
	 *		p1	61 >> 1 = 30	cost 6	ap 87	fp 380	30 *  87 / 467 = 5
	 *		p0	equal: 56 = 32 + 24
	 */
	test('asks for what the recorded kernel asked for', () => {
		addPages(LRU_INACTIVE_ANON, 64);
		expect(round()).toEqual(['p4:1', 'p3:1', 'p2:3', 'p1:5', 'p0:32', 'p0:22']);
		expect(lruvecs.anon_cost[vec]).toBe(20);

		addPages(LRU_INACTIVE_ANON, 64);
		expect(round()).toEqual(['p3:1', 'p2:2', 'p1:5', 'p0:32', 'p0:24']);
	});

	test('leaves anonymous pages alone without swap, or when it may not swap', () => {
		addPages(LRU_INACTIVE_ANON, 64);
		addPages(LRU_INACTIVE_FILE, 64);
		nr_swap_pages.v = 0;
		expect(scan(0).nr_to_scan.slice(0, 4)).toEqual([0, 0, 64, 0]);
	});

	test('scrapes the last page out of a cgroup that is gone', () => {
		addPages(LRU_INACTIVE_ANON, 1);
		expect(scan(DEF_PRIORITY).nr_to_scan[LRU_INACTIVE_ANON]).toBe(0);
		memcgs.css_flags[memcg] &= ~CSS_ONLINE;
		/* min(1, 32) pages, of which 60 of 200 parts, rounded up */
		expect(scan(DEF_PRIORITY).nr_to_scan[LRU_INACTIVE_ANON]).toBe(1);
	});

	/*
	 * 1000 pages charged, all of them inactive file. Without swap all is scanned at priority 0
	 * but for the protected part of it: size - size * protection / usage, or usage + 1 since
	 * 32d4f4b782bb. The root is the target, since a target is not protected from itself.
	 */
	describe.each([
		['v5.10.0', []],
		['f56ce412a59d', [LOW_IS_RETRIED]],
		['32d4f4b782bb', [LOW_IS_RETRIED, NO_DIVIDE_BY_ZERO]],
	] as [string, number[]][])('memory.low in %s', (_name, commits) => {
		const retried = commits.includes(LOW_IS_RETRIED);
		const plus = commits.includes(NO_DIVIDE_BY_ZERO) ? 1 : 0;
		const root = 0 as mem_cgroup;

		beforeEach(() => {
			boot(...commits);
			nr_swap_pages.v = 0;
		});

		test('first the larger of the two counts', () => {
			addPages(LRU_INACTIVE_FILE, 1000);
			protect(1000, 100, 500);
			const sc = scan(0, root);
			/* 500; 1000 - 499.5 */
			expect(asked(sc)).toBe(500 + plus);
			/* so that reclaim comes again before it gives up */
			expect(sc.memcg_low_skipped).toBe(retried);
		});

		test('then memory.min alone', () => {
			addPages(LRU_INACTIVE_FILE, 1000);
			protect(1000, 100, 500);
			const sc = scan(0, root, true);
			/* 900; 1000 - 99.9 */
			expect(asked(sc)).toBe(900 + plus);
			expect(sc.memcg_low_skipped).toBe(false);
		});

		test('a batch at least, where anything is protected', () => {
			addPages(LRU_INACTIVE_FILE, 40);
			protect(1000, 0, 900);
			/* 40 - 36 = 4, so 32 */
			expect(asked(scan(0, root))).toBe(32);
			/* f56ce412a59d asks whether anything is protected in any round */
			update_lru_size(vec, LRU_INACTIVE_FILE, ZONE_DMA32, -30);
			expect(asked(scan(0, root, true))).toBe(retried ? 32 : 10);
		});

		test('not at all from the target itself', () => {
			addPages(LRU_INACTIVE_FILE, 1000);
			protect(1000, 100, 500);
			expect(asked(scan(0, memcg))).toBe(1000);
		});
	});

	test('counts only zones that it may take pages from', () => {
		addPages(LRU_INACTIVE_FILE, 64);
		nr_swap_pages.v = 0;
		const sc = new scan_control();
		sc.may_swap = true;
		sc.reclaim_idx = ZONE_DMA32 - 1;
		get_scan_count(vec, sc, sc.nr_to_scan);
		expect(sc.nr_to_scan).toEqual(new Array(NR_LRU_LISTS).fill(0));
	});
});
