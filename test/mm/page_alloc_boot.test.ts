// SPDX-License-Identifier: GPL-2.0-only
/* A whole boot, and what the page allocator does when memory runs out after it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { EINVAL, ENXIO } from '../../src/lib/errno.ts';
import { hash } from '../../src/lib/snapshot.ts';
import { list_heads_entered } from '../../src/lib/stack.ts';
import { current } from '../../src/mm/current.ts';
import { __GFP_MOVABLE, __GFP_NORETRY, __GFP_RETRY_MAYFAIL, GFP_ATOMIC, GFP_HIGHUSER_MOVABLE,
	GFP_NOWAIT } from '../../src/mm/gfp.ts';
import { page_count } from '../../src/mm/mm.ts';
import { mm_boot } from '../../src/mm/mm_init.ts';
import { tasks, type page } from '../../src/mm/mm_types.ts';
import { min_wmark_pages, next_zone, first_zone, NR_FREE_PAGES, pgdats, populated_zone, NODE_DATA,
	zones, type zone } from '../../src/mm/mmzone.ts';
import { __free_page, alloc_page, drain_all_pages, watermark_boost_factor }
	from '../../src/mm/page_alloc.ts';
import { page_is_idle } from '../../src/mm/page_flags.ts';
import { page_idle_bitmap_read, page_idle_bitmap_write } from '../../src/mm/page_idle.ts';
import { lru_add_drain, lru_cache_add } from '../../src/mm/swap.ts';
import { zone_page_state_snapshot } from '../../src/mm/vmstat.ts';

const MiB = 1024 * 1024;
const DMA32 = 2 as zone;

function free_pages(): number {
	let sum = 0;

	drain_all_pages(0 as zone);
	for (let zone = first_zone(); zone; zone = next_zone(zone))
		sum += zone_page_state_snapshot(zone, NR_FREE_PAGES);
	return sum;
}

function take_all(gfp: number): page[] {
	const taken: page[] = [];

	for (let page; (page = alloc_page(gfp));)
		taken.push(page);
	return taken;
}

test('the same machine boots to the same state, whatever ran before', () => {
	mm_boot({ ramBytes: 64 * MiB, cpus: 2 });
	const first = hash();
	mm_boot({ ramBytes: 256 * MiB, nodes: 4, cpus: 8, pcid: true });
	take_all(GFP_NOWAIT);
	expect(hash()).not.toBe(first);
	mm_boot({ ramBytes: 64 * MiB, cpus: 2 });
	expect(hash()).toBe(first);
});

test('init runs, and each node has a kswapd', () => {
	mm_boot({ ramBytes: 256 * MiB, nodes: 4, cpus: 4 });
	expect(tasks.pid[current()]).toBe(1);
	const kswapds = new Set([0, 1, 2, 3].map((nid) => pgdats.kswapd[NODE_DATA(nid)]));
	expect(kswapds.size).toBe(4);
	expect(kswapds.has(0 as never)).toBe(false);
	expect(list_heads_entered()).toBe(0);
});

describe('the reserves', () => {
	beforeEach(() => mm_boot({ ramBytes: 64 * MiB }));

	test('an allocation that may not reclaim stops at min; atomic ones go on', () => {
		/* vm.watermark_boost_factor=0: see the next test */
		watermark_boost_factor.v = 0;
		const before = free_pages();
		const taken = take_all(GFP_NOWAIT | __GFP_MOVABLE);
		/* pcp lists hold what was taken in batches, so min may be missed by a few. */
		for (let zone = first_zone(); zone; zone = next_zone(zone)) {
			const reserve = zones.lowmem_reserve[zone * 5 + 2]!;
			const free = zone_page_state_snapshot(zone, NR_FREE_PAGES);
			if (populated_zone(zone))
				expect(Math.abs(free - min_wmark_pages(zone) - reserve))
					.toBeLessThan(16);
		}
		expect(pgdats.kswapd_wanted[NODE_DATA(0)]).not.toBe(0);
		const more = take_all(GFP_ATOMIC);
		/* Half of min, less a quarter: down to 3/8 of it. */
		const left = zone_page_state_snapshot(DMA32, NR_FREE_PAGES);
		expect(Math.abs(left - min_wmark_pages(DMA32) * 3 / 8)).toBeLessThan(16);
		expect(more.length).toBeGreaterThan(50);
		for (const page of [...taken, ...more])
			__free_page(page);
		expect(free_pages()).toBe(before);
	});
	test('movable pages that must go into blocks of other types raise the watermarks', () => {
		/*
		 * By one pageblock, at most 1.5 times the high watermark: 1.5 * (192 + 96) is less.
		 * What is left by then, in unmovable blocks, is below that: nobody gets it.
		 */
		take_all(GFP_NOWAIT | __GFP_MOVABLE);
		expect(zones.watermark_boost[DMA32]).toBe(512);
		expect(min_wmark_pages(DMA32)).toBe(192 + 512);
		const left = zone_page_state_snapshot(DMA32, NR_FREE_PAGES);
		expect(left).toBeLessThan(192 + 512);
		expect(left).toBeGreaterThan(192 + 16);
	});
	test.each([['__GFP_NORETRY', __GFP_NORETRY], ['__GFP_RETRY_MAYFAIL', __GFP_RETRY_MAYFAIL]])(
		'with nothing to reclaim, %s fails and kills nobody', (_name, flag) => {
			const before = free_pages();
			const taken = take_all(GFP_HIGHUSER_MOVABLE | flag);
			expect(taken.length).toBeGreaterThan(before / 2);
			expect(list_heads_entered()).toBe(0);
			expect(tasks.sigkill[current()]).toBe(0);
			for (const page of taken)
				__free_page(page);
			expect(free_pages()).toBe(before);
		});
});

describe('page_idle/bitmap', () => {
	beforeEach(() => mm_boot({ ramBytes: 64 * MiB }));

	test('pages on the LRU can be marked idle, others stay as they are', () => {
		const page = alloc_page(GFP_HIGHUSER_MOVABLE);
		const other = alloc_page(GFP_HIGHUSER_MOVABLE);
		const word = Math.floor(page / 64) * 8;
		const mask = new Uint8Array(8).fill(0xff), seen = new Uint8Array(8);

		expect(page_count(page)).toBe(1);
		lru_cache_add(page);
		lru_add_drain();
		expect(page_idle_bitmap_write(mask, word)).toBe(8);
		expect([page_is_idle(page), page_is_idle(other)]).toEqual([true, false]);
		expect(page_idle_bitmap_read(seen, word)).toBe(8);
		const wanted = new Uint8Array(8);
		wanted[(page % 64) >> 3] = 1 << (page & 7);
		expect(seen).toEqual(wanted);
		/* Looking takes no reference for good. */
		expect(page_count(page)).toBe(1);
		/* Zero bits change nothing. */
		page_idle_bitmap_write(new Uint8Array(8), word);
		expect(page_is_idle(page)).toBe(true);
	});
	test('whole words within memory only', () => {
		expect(page_idle_bitmap_write(new Uint8Array(4), 0)).toBe(-EINVAL);
		expect(page_idle_bitmap_read(new Uint8Array(8), 4)).toBe(-EINVAL);
		/* 64 MiB are 16384 pages, 2048 bytes. */
		expect(page_idle_bitmap_write(new Uint8Array(8), 2048)).toBe(-ENXIO);
		expect(page_idle_bitmap_read(new Uint8Array(8), 2048)).toBe(0);
		expect(page_idle_bitmap_read(new Uint8Array(16), 2040)).toBe(8);
	});
});
