// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { list_heads } from '../../src/lib/struct.ts';
import { set_smp_processor_id } from '../../src/mm/current.ts';
import { lruvec_page_state_local } from '../../src/mm/memcontrol.ts';
import { pages, type mem_cgroup, type page } from '../../src/mm/mm_types.ts';
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, LRU_UNEVICTABLE,
	lruvecs, NR_INACTIVE_ANON, NR_LRU_BASE, PAGEVEC_SIZE, type lruvec }
	from '../../src/mm/mmzone.ts';
import { PageActive, PageLRU, PageReferenced, PG_active, PG_dirty, PG_lru, PG_mlocked,
	PG_referenced, PG_swapbacked, PG_unevictable, SetPageMlocked, SetPageReferenced }
	from '../../src/mm/page_flags.ts';
import { deactivate_file_page, deactivate_page, lru_add_drain, lru_add_drain_all, lru_cache_add,
	lru_note_cost, mark_page_accessed, mark_page_lazyfree, pagevec_add, pagevec_count,
	pagevec_enter, pagevec_leave, pagevec_reinit, rotate_reclaimable_page }
	from '../../src/mm/swap.ts';
import { isolate_lru_page } from '../../src/mm/vmscan.ts';
import { PGACTIVATE, PGDEACTIVATE, PGLAZYFREE, PGROTATED, UNEVICTABLE_PGCULLED, vm_event }
	from '../../src/mm/vmstat.ts';
import { lruvecOf, makeCgroup, makeMachine, makePage, memcgOf, setLruvecState }
	from './vmscan_machine.ts';

const ANON = 1 << PG_swapbacked, FILE = 0;
let memcg: mem_cgroup;
let vec: lruvec;
beforeEach(() => {
	makeMachine();
	memcg = memcgOf(makeCgroup('A'));
	vec = lruvecOf(memcg);
});

/** The pages of a list, its head first. */
function listed(lru: number): page[] {
	const head = lruvecs.lists(vec, lru);
	const found: page[] = [];

	for (let entry = list_heads.next[head]; entry !== head; entry = list_heads.next[entry])
		found.push(pages.lru.container_of(entry));
	return found;
}

/** A page on the list that its flags say. */
function onLru(i: number, flags: number): page {
	const page = makePage(i, memcg, flags);

	lru_cache_add(page);
	lru_add_drain();
	return page;
}

const state = (page: page) => [PageActive(page), PageReferenced(page)];
const age = () => lruvecs.nonresident_age[vec];

describe('the pagevec of a CPU', () => {
	test('is worked off when 15 pages are in it', () => {
		const added = [...Array(PAGEVEC_SIZE).keys()].map((i) => makePage(i, memcg, ANON));

		expect(PAGEVEC_SIZE).toBe(15);
		for (const page of added.slice(0, 14))
			lru_cache_add(page);
		expect(listed(LRU_INACTIVE_ANON)).toEqual([]);
		expect(added.map((page) => pages._refcount[page]))
			.toEqual([...Array(14).fill(2), 1]);

		lru_cache_add(added[14]!);
		/* each goes to the head, so the first is the last, which reclaim takes first */
		expect(listed(LRU_INACTIVE_ANON)).toEqual(added.toReversed());
		expect(added.map((page) => pages._refcount[page])).toEqual(Array(15).fill(1));
		expect(lruvec_page_state_local(vec, NR_LRU_BASE + LRU_INACTIVE_ANON)).toBe(15);
	});

	test('is drained with all others by lru_add_drain_all()', () => {
		const here = makePage(0, memcg, ANON), there = makePage(1, memcg, ANON);

		lru_cache_add(here);
		set_smp_processor_id(1);
		lru_cache_add(there);
		lru_add_drain();
		expect([PageLRU(here), PageLRU(there)]).toEqual([false, true]);
		lru_add_drain_all();
		expect([PageLRU(here), PageLRU(there)]).toEqual([true, true]);
	});

	test('sorts pages by their flags', () => {
		const file = onLru(0, FILE), active = onLru(1, FILE | 1 << PG_active);
		const hot = onLru(2, ANON | 1 << PG_active);
		const mlocked = makePage(3, memcg, ANON | 1 << PG_active);

		SetPageMlocked(mlocked);
		lru_cache_add(mlocked);
		lru_add_drain();
		expect(listed(LRU_INACTIVE_FILE)).toEqual([file]);
		expect(listed(LRU_ACTIVE_FILE)).toEqual([active]);
		expect(listed(LRU_ACTIVE_ANON)).toEqual([hot]);
		expect(listed(LRU_UNEVICTABLE)).toEqual([mlocked]);
		expect(pages.flags[mlocked]).toBe(
			ANON | 1 << PG_lru | 1 << PG_mlocked | 1 << PG_unevictable);
		expect(vm_event(UNEVICTABLE_PGCULLED)).toBe(1);
	});
});

/*
 * The table above mark_page_accessed() in mm/swap.c:
 *	inactive, unreferenced -> inactive, referenced -> active, unreferenced -> active, referenced
 */
describe('mark_page_accessed', () => {
	test.each([['anon', ANON], ['file', FILE]])('%s page on the LRU', (_type, flags) => {
		const page = onLru(0, flags);

		mark_page_accessed(page);
		expect(state(page)).toEqual([false, true]);
		expect(age()).toBe(0);

		/* its activation waits in a pagevec, which holds a reference; the age does not */
		mark_page_accessed(page);
		expect(state(page)).toEqual([false, false]);
		expect(pages._refcount[page]).toBe(2);
		expect(age()).toBe(1);
		lru_add_drain();
		expect(state(page)).toEqual([true, false]);
		expect(pages._refcount[page]).toBe(1);
		expect(vm_event(PGACTIVATE)).toBe(1);

		mark_page_accessed(page);
		expect(state(page)).toEqual([true, true]);
		mark_page_accessed(page);
		expect(state(page)).toEqual([true, true]);
		expect(age()).toBe(1);
	});

	test('activations wait until 15 are there', () => {
		const made = [...Array(15).keys()].map((i) => onLru(i, FILE | 1 << PG_referenced));

		for (const page of made.slice(0, 14))
			mark_page_accessed(page);
		expect(listed(LRU_ACTIVE_FILE)).toEqual([]);
		mark_page_accessed(made[14]!);
		expect(listed(LRU_ACTIVE_FILE)).toEqual(made.toReversed());
	});

	test('page in the lru_add pagevec of this CPU', () => {
		const page = makePage(0, memcg, FILE | 1 << PG_referenced);

		lru_cache_add(page);
		mark_page_accessed(page);
		expect(state(page)).toEqual([true, false]);
		expect(age()).toBe(1);
		lru_add_drain();
		expect(listed(LRU_ACTIVE_FILE)).toEqual([page]);
	});

	test('page in the lru_add pagevec of another CPU', () => {
		const page = makePage(0, memcg, FILE | 1 << PG_referenced);

		set_smp_processor_id(1);
		lru_cache_add(page);
		set_smp_processor_id(0);
		mark_page_accessed(page);
		/* the mark is lost */
		expect(state(page)).toEqual([false, false]);
		expect(age()).toBe(1);
	});

	test('isolated page', () => {
		const page = onLru(0, ANON);

		expect(isolate_lru_page(page)).toBe(0);
		mark_page_accessed(page);
		expect(state(page)).toEqual([false, true]);
		mark_page_accessed(page);
		expect(state(page)).toEqual([false, false]);
		expect(age()).toBe(1);
	});

	test('unevictable page', () => {
		const page = onLru(0, ANON | 1 << PG_mlocked);

		mark_page_accessed(page);
		mark_page_accessed(page);
		expect(state(page)).toEqual([false, true]);
		expect(age()).toBe(0);
	});
});

test('deactivate_page() moves an active page to the inactive head', () => {
	const page = onLru(0, ANON | 1 << PG_active | 1 << PG_referenced), other = onLru(1, ANON);

	deactivate_page(page);
	deactivate_page(other);
	lru_add_drain();
	expect(listed(LRU_INACTIVE_ANON)).toEqual([page, other]);
	expect(PageReferenced(page)).toBe(false);
	expect(vm_event(PGDEACTIVATE)).toBe(1);
});

test('deactivate_file_page() puts a clean page last and a dirty one first', () => {
	const clean = onLru(0, FILE | 1 << PG_active), other = onLru(1, FILE);
	const dirty = onLru(2, FILE | 1 << PG_active | 1 << PG_dirty);

	deactivate_file_page(clean);
	deactivate_file_page(dirty);
	lru_add_drain();
	expect(listed(LRU_INACTIVE_FILE)).toEqual([dirty, other, clean]);
	expect(vm_event(PGROTATED)).toBe(1);
});

test('mark_page_lazyfree() makes an anonymous page look like cache', () => {
	const page = onLru(0, ANON | 1 << PG_active);

	pages.mapping[page] = 1;
	SetPageReferenced(page);
	mark_page_lazyfree(page);
	lru_add_drain();
	expect(listed(LRU_INACTIVE_FILE)).toEqual([page]);
	expect(pages.flags[page]).toBe(1 << PG_lru);
	expect(vm_event(PGLAZYFREE)).toBe(1);
});

test('rotate_reclaimable_page() moves a written page to the tail', () => {
	const page = onLru(0, FILE), younger = onLru(1, FILE);

	rotate_reclaimable_page(younger);
	lru_add_drain();
	expect(listed(LRU_INACTIVE_FILE)).toEqual([page, younger]);
	expect(vm_event(PGROTATED)).toBe(1);
});

/* Both costs halve when their sum exceeds a quarter of the lists, here 100 / 4. */
test('lru_note_cost() decays, and charges the ancestors', () => {
	const root = lruvecOf(0 as mem_cgroup);

	setLruvecState(vec, NR_INACTIVE_ANON, 100);
	setLruvecState(root, NR_INACTIVE_ANON, 1000);
	lru_note_cost(vec, false, 15, 0);
	lru_note_cost(vec, true, 10, 0);
	expect([lruvecs.anon_cost[vec], lruvecs.file_cost[vec]]).toEqual([15, 10]);
	lru_note_cost(vec, true, 1, 0);
	expect([lruvecs.anon_cost[vec], lruvecs.file_cost[vec]]).toEqual([7, 5]);
	expect([lruvecs.anon_cost[root], lruvecs.file_cost[root]]).toEqual([15, 11]);
});

test('a pagevec on the stack must be empty when its function is left', () => {
	const pvec = pagevec_enter();

	expect(pagevec_add(pvec, makePage(0, memcg))).toBe(14);
	expect(pagevec_count(pvec)).toBe(1);
	expect(() => pagevec_leave(pvec)).toThrow('left with pages');
	pagevec_reinit(pvec);
	pagevec_leave(pvec);
});
