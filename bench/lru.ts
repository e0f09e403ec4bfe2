// SPDX-License-Identifier: GPL-2.0-only
/*
 * LRU lists through list.h and struct page against the same lists written out by hand over two
 * Int32Arrays: rotation of the tail to the head, and moves of random pages.
 */
import { resetArena } from '../src/lib/arena.ts';
import { INIT_LIST_HEAD, list_add, list_move } from '../src/lib/list.ts';
import { list_heads, use_rows, type list_head } from '../src/lib/struct.ts';
import { pages, lru_to_page, type page } from '../src/mm/mm_types.ts';
import { lruvecs, LRU_INACTIVE_ANON, type lruvec } from '../src/mm/mmzone.ts';
import type { Tasks } from './pairs.ts';

export const LRU_BATCH = 4096;
const PAGES = 4096;
const LRUVEC = 1 as lruvec;
const { prev } = list_heads;

/* A fixed order that visits every page once. */
const order = Int32Array.from({ length: PAGES }, (_, i) => i * 2053 % PAGES + 1);

const handNext = new Int32Array(PAGES + 2), handPrev = new Int32Array(PAGES + 2);
const HEAD = PAGES + 1;

function handMove(entry: number): void {
	const after = handNext[entry]!, before = handPrev[entry]!;
	handPrev[after] = before;
	handNext[before] = after;
	const first = handNext[HEAD]!;
	handPrev[first] = entry;
	handNext[entry] = first;
	handPrev[entry] = HEAD;
	handNext[HEAD] = entry;
}

export function addLruTasks(bench: Tasks): void {
	resetArena();
	use_rows(pages, PAGES + 1);
	use_rows(lruvecs, 2);
	const head: list_head = lruvecs.lists(LRUVEC, LRU_INACTIVE_ANON);

	INIT_LIST_HEAD(head);
	handNext[HEAD] = HEAD;
	handPrev[HEAD] = HEAD;
	for (let p = 1; p <= PAGES; p++) {
		list_add(pages.lru(p as page), head);
		handNext[p] = handPrev[p] = p;
		handMove(p);
	}
	bench.add('LRU rotate', () => {
		for (let i = 0; i < LRU_BATCH; i++)
			list_move(pages.lru(lru_to_page(prev[head])), head);
		return LRU_BATCH;
	});
	bench.add('LRU rotate by hand', () => {
		for (let i = 0; i < LRU_BATCH; i++)
			handMove(handPrev[HEAD]!);
		return LRU_BATCH;
	});
	bench.add('LRU move random', () => {
		for (let i = 0; i < LRU_BATCH; i++)
			list_move(pages.lru(order[i]! as page), head);
		return LRU_BATCH;
	});
	bench.add('LRU move random by hand', () => {
		for (let i = 0; i < LRU_BATCH; i++)
			handMove(order[i]!);
		return LRU_BATCH;
	});
}

export const lruBounds = [
	['LRU rotate', 'LRU rotate by hand', 1.3],
	['LRU move random', 'LRU move random by hand', 1.3],
] as const;
