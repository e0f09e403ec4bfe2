// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { xa_is_value, xa_nodes, xa_store, xa_mk_value, xa_to_value } from '../../src/lib/xarray.ts';
import { kmem_cache_zalloc } from '../../src/lib/struct.ts';
import { lruvec_page_state_local } from '../../src/mm/memcontrol.ts';
import { mem_cgroup_idr, memcgs, type cgroup } from '../../src/mm/memcontrol_types.ts';
import { address_spaces, pages, type mem_cgroup, type page } from '../../src/mm/mm_types.ts';
import { lruvecs, NR_ACTIVE_ANON, NR_ACTIVE_FILE, NR_INACTIVE_ANON, NR_INACTIVE_FILE,
	WORKINGSET_ACTIVATE_BASE, WORKINGSET_NODES, WORKINGSET_REFAULT_BASE,
	WORKINGSET_RESTORE_BASE, type lruvec } from '../../src/mm/mmzone.ts';
import { PageActive, PageWorkingset, PG_locked, PG_swapbacked, PG_workingset }
	from '../../src/mm/page_flags.ts';
import { nr_swap_pages } from '../../src/mm/swap_types.ts';
import { node_page_state } from '../../src/mm/vmstat.ts';
import { workingset_activation, workingset_age_nonresident, workingset_eviction,
	workingset_refault, workingset_update_node } from '../../src/mm/workingset.ts';
import { lruvecOf, makeCgroup, makeMachine, makePage, memcgOf, NODE, setLruvecState }
	from './vmscan_machine.ts';

const ANON = 1 << PG_swapbacked, FILE = 0;
let group: cgroup;
let memcg: mem_cgroup;
let vec: lruvec;
beforeEach(() => {
	makeMachine();
	group = makeCgroup('A');
	memcg = memcgOf(group);
	vec = lruvecOf(memcg);
});

/** Evict a page as reclaim of `target` does: frozen and locked. */
function evict(flags: number, target = memcg): number {
	const page = makePage(0, memcg, flags | 1 << PG_locked);

	pages._refcount[page] = 0;
	return workingset_eviction(page, target);
}

/** A page comes back where `shadow` was. */
function refault(flags: number, shadow: number): page {
	const page = makePage(1, memcg, flags);

	workingset_refault(page, shadow);
	return page;
}

describe('a page that comes back', () => {
	beforeEach(() => {
		setLruvecState(vec, NR_ACTIVE_FILE, 10);
		setLruvecState(vec, NR_INACTIVE_FILE, 200);
		setLruvecState(vec, NR_ACTIVE_ANON, 3000);
		setLruvecState(vec, NR_INACTIVE_ANON, 40000);
	});

	/*
	 * The size that it is measured by: the active list that it could have been on, and with
	 * swap the other type's lists, since those pages could have gone instead.
	 */
	test.each([
		['file, no swap', FILE, false, 10],
		['file, swap', FILE, true, 10 + 3000 + 40000],
		['anon, no swap', ANON, false, 10 + 200],
		['anon, swap', ANON, true, 10 + 200 + 3000],
	])('%s: is active if no more than the working set was evicted since', (
		_name, flags, swap, size,
	) => {
		nr_swap_pages.v = swap ? 16384 : 0;
		const file = flags === FILE ? 1 : 0;
		const near = evict(flags);
		workingset_age_nonresident(vec, size);
		expect(PageActive(refault(flags, near))).toBe(true);
		/* the activation of the page itself ages, too */
		expect(lruvecs.nonresident_age[vec]).toBe(1 + size + 1);

		const far = evict(flags);
		workingset_age_nonresident(vec, size + 1);
		expect(PageActive(refault(flags, far))).toBe(false);

		expect(lruvec_page_state_local(vec, WORKINGSET_REFAULT_BASE + file)).toBe(2);
		expect(lruvec_page_state_local(vec, WORKINGSET_ACTIVATE_BASE + file)).toBe(1);
		expect(lruvec_page_state_local(vec, WORKINGSET_RESTORE_BASE + file)).toBe(0);
		expect(lruvecs.file_cost[vec] + lruvecs.anon_cost[vec]).toBe(0);
	});

	test('was part of the working set: that is restored, at a cost', () => {
		const page = refault(FILE, evict(FILE | 1 << PG_workingset));

		expect([PageActive(page), PageWorkingset(page)]).toEqual([true, true]);
		expect(lruvec_page_state_local(vec, WORKINGSET_RESTORE_BASE + 1)).toBe(1);
		expect(lruvecs.file_cost[vec]).toBe(1);
	});

	test('is judged where it was evicted, and counted where it is', () => {
		/* evicted by reclaim of the root, whose lists are empty */
		const root = lruvecOf(0 as mem_cgroup);
		const shadow = evict(FILE, 0 as mem_cgroup);

		expect(lruvecs.nonresident_age[root]).toBe(1);
		expect(lruvecs.nonresident_age[vec]).toBe(0);
		workingset_age_nonresident(root, 1);
		expect(PageActive(refault(FILE, shadow))).toBe(false);
		expect(lruvec_page_state_local(vec, WORKINGSET_REFAULT_BASE + 1)).toBe(1);
	});

	test('of a cgroup that is gone is like any other', () => {
		const shadow = evict(FILE);

		mem_cgroup_idr[memcgs.id_id[memcg]] = 0;
		expect(PageActive(refault(FILE, shadow))).toBe(false);
		expect(lruvec_page_state_local(vec, WORKINGSET_REFAULT_BASE + 1)).toBe(0);
	});

	test('is not fooled by the counter\'s wrap', () => {
		nr_swap_pages.v = 0;
		lruvecs.nonresident_age[vec] = 2 ** 34 - 3;
		const shadow = evict(FILE);
		expect(xa_is_value(shadow)).toBe(true);
		expect(xa_to_value(shadow)).toBeLessThan(2 ** 50);

		workingset_age_nonresident(vec, 10);
		expect(lruvecs.nonresident_age[vec]).toBe(2 ** 34 + 8);
		expect(PageActive(refault(FILE, shadow))).toBe(true);
	});
});

test('aging reaches every ancestor', () => {
	const child = lruvecOf(memcgOf(makeCgroup('B', group)));

	workingset_age_nonresident(child, 5);
	expect([child, vec, lruvecOf(0 as mem_cgroup)].map((l) => lruvecs.nonresident_age[l]))
		.toEqual([5, 5, 5]);
});

test('an activation ages, unless nobody is charged for the page', () => {
	workingset_activation(makePage(0, memcg));
	workingset_activation(makePage(1, 0 as mem_cgroup));
	expect(lruvecs.nonresident_age[vec]).toBe(1);
	expect(lruvecs.nonresident_age[lruvecOf(0 as mem_cgroup)]).toBe(1);
});

test('tree nodes with nothing but shadows are counted', () => {
	const mapping = kmem_cache_zalloc(address_spaces);
	const store = (index: number, entry: number) =>
		xa_store(mapping, index, entry, workingset_update_node);

	store(0, 4);
	store(1, xa_mk_value(7));
	expect(node_page_state(NODE, WORKINGSET_NODES)).toBe(0);
	store(0, xa_mk_value(8));
	expect(xa_nodes.nr_values[1 as never]).toBe(2);
	expect(node_page_state(NODE, WORKINGSET_NODES)).toBe(1);
	store(1, 4);
	expect(node_page_state(NODE, WORKINGSET_NODES)).toBe(0);
});
