// SPDX-License-Identifier: GPL-2.0-only
/*
 * The buddy allocator. Expected numbers are worked out beside each from the kernel's formulas
 * (Documentation/admin-guide/sysctl/vm.rst, the comments of mm/page_alloc.c, dmesg of PCs).
 */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { FRAME_WORDS_SHIFT, frame_was_used, ram } from '../../src/arch/ram.ts';
import { list_heads, type array_column, type list_head } from '../../src/lib/struct.ts';
import { set_smp_processor_id } from '../../src/mm/current.ts';
import { __GFP_ATOMIC, __GFP_BITS_MASK, __GFP_DMA, __GFP_DMA32, __GFP_HIGHMEM,
	__GFP_MEMALLOC, __GFP_MOVABLE, __GFP_RECLAIMABLE, __GFP_THISNODE, __GFP_ZERO, GFP_ATOMIC,
	gfp_allowed_mask, GFP_HIGHUSER_MOVABLE, GFP_KERNEL, gfp_migratetype, GFP_NOWAIT, gfp_zone }
	from '../../src/mm/gfp.ts';
import { ALLOC_HARDER, ALLOC_HIGH, ALLOC_OOM } from '../../src/mm/internal.ts';
import { get_page, page_count, page_is_pfmemalloc, page_to_nid, page_zone, put_page_testzero }
	from '../../src/mm/mm.ts';
import { NULL, pages, type page } from '../../src/mm/mm_types.ts';
import { mm_core_init } from '../../src/mm/mm_init.ts';
import { first_zone, high_wmark_pages, low_wmark_pages, MAX_NR_ZONES, MAX_ORDER,
	MIGRATE_HIGHATOMIC, MIGRATE_MOVABLE, MIGRATE_RECLAIMABLE, MIGRATE_TYPES, MIGRATE_UNMOVABLE,
	min_wmark_pages, next_zone, NODE_DATA, NR_CPUS, NR_FREE_PAGES, pgdats, populated_zone,
	ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NORMAL, zonelist_zone, zonelist_zonerefs, zones,
	zone_idx, zone_to_nid, type zone, type zonelist } from '../../src/mm/mmzone.ts';
import { __alloc_pages, __alloc_pages_nodemask, __free_page, __free_pages,
	__zone_watermark_ok, alloc_page, alloc_pages, drain_all_pages, free_unref_page_list,
	get_pageblock_migratetype, init_per_zone_wmark_min, min_free_kbytes,
	min_free_kbytes_sysctl_handler, nr_free_buffer_pages,
	percpu_pagelist_fraction_sysctl_handler, split_page, totalreserve_pages,
	watermark_scale_factor_sysctl_handler, zone_watermark_ok }
	from '../../src/mm/page_alloc.ts';
import { PageBuddy, SetPageLRU } from '../../src/mm/page_flags.ts';
import { vm_event, vmstat_refresh, zone_page_state, zone_page_state_snapshot, PGALLOC_DMA32,
	PGFREE } from '../../src/mm/vmstat.ts';
import { list_head_enter, list_head_leave } from '../../src/lib/stack.ts';
import { list_add_tail, list_empty } from '../../src/lib/list.ts';

const MiB = 1024 * 1024;
const DMA = 1 as zone, DMA32 = 2 as zone;
/* Pages of the first MiB, which firmware has. */
const LOW = 256;

function boot(ramBytes: number, options: { nodes?: number; cpus?: number } = {}): void {
	mm_core_init({ ramBytes, ...options });
	gfp_allowed_mask.v = __GFP_BITS_MASK;
	init_per_zone_wmark_min();
}

/** Stop at a finding in a loop over many pages, where expect() would be slow. */
function fail(finding: string): never {
	throw new Error(finding);
}

/** The elements of an array column, to compare. */
function values(column: array_column): number[] {
	return Array.from(column as unknown as ArrayLike<number>);
}

function entries(head: list_head): page[] {
	const found: page[] = [];

	for (let at = list_heads.next[head]; at !== head; at = list_heads.next[at]) {
		if (list_heads.prev[list_heads.next[at]] !== at)
			fail(`list node ${at}: neighbours disagree`);
		found.push(pages.lru.container_of(at));
	}
	return found;
}

/** Every free block of a zone as [pfn, order, migratetype], in list order. */
function free_blocks(zone: zone): [number, number, number][] {
	const blocks: [number, number, number][] = [];

	for (let order = 0; order < MAX_ORDER; order++) {
		for (let mt = 0; mt < MIGRATE_TYPES; mt++) {
			const list = zones.free_list(zone, order * MIGRATE_TYPES + mt);
			for (const page of entries(list))
				blocks.push([page, order, mt]);
		}
	}
	return blocks;
}

/** What must hold of a zone's free lists at any time; returns the pages on them. */
function check_zone(zone: zone): number {
	const seen = new Map<number, number>();
	const counts = new Array<number>(MAX_ORDER).fill(0);
	let free = 0;

	for (const [pfn, order] of free_blocks(zone)) {
		if (!PageBuddy(pfn as page) || pages.private[pfn as page] !== order ||
		    pfn % (1 << order))
			fail(`pfn ${pfn} is no free block of order ${order}`);
		for (let i = 0; i < 1 << order; i++) {
			const page = (pfn + i) as page;
			if (seen.has(page) || page_zone(page) !== zone || page_count(page))
				fail(`pfn ${page} is free twice, elsewhere or in use`);
			seen.set(page, pfn);
		}
		counts[order]!++;
		free += 1 << order;
	}
	/* Two buddies are never free apart. */
	for (const [pfn, order] of free_blocks(zone)) {
		const buddy = pfn ^ (1 << order);
		if (order < MAX_ORDER - 1 && seen.get(buddy) === buddy &&
		    pages.private[buddy as page] === order)
			fail(`buddies ${pfn} and ${buddy} are free apart`);
	}
	for (let order = 0; order < MAX_ORDER; order++)
		expect(zones.nr_free[zone * MAX_ORDER + order]).toBe(counts[order]);
	expect(zone_page_state_snapshot(zone, NR_FREE_PAGES)).toBe(free);
	return free;
}

function pcp_pages(zone: zone): number {
	let sum = 0;

	for (let cpu = 0; cpu < NR_CPUS; cpu++)
		sum += zones.pcp_count[zone * NR_CPUS + cpu]!;
	return sum;
}

/** The zones of a node's zonelist, as node:zone index. */
function order_of(nid: number, which: number): string[] {
	const list = (pgdats.node_zonelists[NODE_DATA(nid)] + which) as zonelist;
	const found: string[] = [];

	for (let z = zonelist_zonerefs(list); zonelist_zone(z); z++) {
		const zone = zonelist_zone(z);
		found.push(`${zone_to_nid(zone)}:${zone_idx(zone)}`);
	}
	return found;
}

/** The nodes of a node's zonelist, by their DMA32 zones. */
function nodes_of(nid: number): number[] {
	return order_of(nid, 0).filter((zone) => zone.endsWith(':1'))
		.map((zone) => parseInt(zone, 10));
}

function watermarks(zone: zone): number[] {
	return [min_wmark_pages(zone), low_wmark_pages(zone), high_wmark_pages(zone)];
}

function reserve(zone: zone): number[] {
	return values(zones.lowmem_reserve).slice(zone * MAX_NR_ZONES, (zone + 1) * MAX_NR_ZONES);
}

/** Whether an allocation with such flags may be had from DMA32 above a mark of 700. */
function ok(free: number, alloc_flags: number): boolean {
	return __zone_watermark_ok(DMA32, 0, 700, ZONE_NORMAL, alloc_flags, free);
}

describe('gfp', () => {
	test('bits are those of include/linux/gfp.h of v5.10', () => {
		/* Documentation/trace/events-kmem and crash tools print these. */
		expect(GFP_KERNEL).toBe(0xcc0);
		expect(GFP_HIGHUSER_MOVABLE).toBe(0x100cca);
		expect(GFP_ATOMIC).toBe(0xa20);
		expect(__GFP_ZERO).toBe(0x100);
	});
	test('zone of each modifier', () => {
		expect(gfp_zone(GFP_KERNEL)).toBe(ZONE_NORMAL);
		expect(gfp_zone(__GFP_DMA)).toBe(ZONE_DMA);
		expect(gfp_zone(__GFP_DMA32)).toBe(ZONE_DMA32);
		expect(gfp_zone(__GFP_HIGHMEM)).toBe(ZONE_NORMAL);
		expect(gfp_zone(__GFP_MOVABLE)).toBe(ZONE_NORMAL);
		expect(gfp_zone(__GFP_MOVABLE | __GFP_DMA)).toBe(ZONE_DMA);
		expect(gfp_zone(GFP_HIGHUSER_MOVABLE)).toBe(ZONE_MOVABLE);
		expect(gfp_zone(__GFP_MOVABLE | __GFP_DMA32)).toBe(ZONE_DMA32);
		expect(() => gfp_zone(__GFP_DMA | __GFP_DMA32)).toThrow('two zones');
	});
	test('migratetype of an allocation', () => {
		boot(64 * MiB);
		expect(gfp_migratetype(GFP_KERNEL)).toBe(MIGRATE_UNMOVABLE);
		expect(gfp_migratetype(GFP_HIGHUSER_MOVABLE)).toBe(MIGRATE_MOVABLE);
		expect(gfp_migratetype(GFP_KERNEL | __GFP_RECLAIMABLE)).toBe(MIGRATE_RECLAIMABLE);
	});
});

describe('layout after boot', () => {
	test('a PC of 512 MiB', () => {
		boot(512 * MiB);
		/* dmesg of such a machine: "DMA zone: 3998 pages, LIFO batch:0", */
		expect(zones.present_pages[DMA]).toBe(3998);
		expect(zones.zone_start_pfn[DMA]).toBe(1);
		expect(zones.spanned_pages[DMA]).toBe(4095);
		expect(zones.managed_pages[DMA]).toBe(4096 - LOW);
		expect([zones.pcp_high[DMA], zones.pcp_batch[DMA]]).toEqual([0, 1]);
		/* "DMA32 zone: 126976 pages, LIFO batch:31". */
		expect(zones.zone_start_pfn[DMA32]).toBe(4096);
		expect(zones.managed_pages[DMA32]).toBe(126976);
		expect([zones.pcp_high[DMA32], zones.pcp_batch[DMA32]]).toEqual([6 * 31, 31]);
		expect(pgdats.nr_zones[NODE_DATA(0)]).toBe(2);
		for (const zone of [DMA, DMA32])
			expect(check_zone(zone)).toBe(zones.managed_pages[zone]);
	});
	test('a PC of 4 GiB: batch is at most a quarter of a MiB, as 2^n - 1', () => {
		boot(4096 * MiB);
		expect([zones.pcp_high[DMA32], zones.pcp_batch[DMA32]]).toEqual([6 * 63, 63]);
		expect(zones.nr_free[DMA32 * MAX_ORDER + 10]).toBe((1048576 - 4096) / 1024);
	});
	test('RAM that is no multiple of the largest block is used to the last page', () => {
		boot(64 * MiB + 37 * 4096);
		expect(check_zone(DMA) + check_zone(DMA32)).toBe(64 * 256 + 37 - LOW);
		/* 37 = 32 + 4 + 1 */
		const tail = free_blocks(DMA32).filter(([pfn]) => pfn >= 64 * 256);
		expect(tail.map(([pfn, order]) => [pfn - 64 * 256, order])).toEqual(
			[[36, 0], [32, 2], [0, 5]]);
	});
	test('the first pages handed out are the lowest of the preferred zone', () => {
		boot(64 * MiB);
		expect([alloc_page(GFP_HIGHUSER_MOVABLE), alloc_page(GFP_HIGHUSER_MOVABLE)])
			.toEqual([4096, 4097]);
		expect([4095, 4096, 4097, 4098].map(frame_was_used))
			.toEqual([false, true, true, false]);
	});
	test('nothing of the machine before is left after a boot', () => {
		boot(128 * MiB, { nodes: 2, cpus: 4 });
		for (let i = 0; i < 1000; i++)
			alloc_page(GFP_KERNEL);
		boot(64 * MiB);
		expect(check_zone(DMA) + check_zone(DMA32)).toBe(64 * 256 - LOW);
		expect(pages._mapcount[(64 * 256) as page]).toBe(0);
	});
	test.each([[64, 1], [512, 4], [4096, 8]])('%d MiB on %d nodes: all pages have one zone',
		(mib, nodes) => {
			boot(mib * MiB, { nodes, cpus: nodes });
			let managed = 0;
			for (let zone = first_zone(); zone; zone = next_zone(zone))
				managed += zones.managed_pages[zone];
			expect(managed).toBe(mib * 256 - LOW);
			for (let nid = 0; nid < nodes; nid++) {
				const pfn = pgdats.node_start_pfn[NODE_DATA(nid)];
				expect(page_to_nid(pfn as page)).toBe(nid);
			}
		});
});

describe('zonelists', () => {
	test('nearest node first, the next node before the ones below, turns taken', () => {
		boot(128 * MiB, { nodes: 4, cpus: 4 });
		/*
		 * find_next_best_node(): distance 20 to all; one more for nodes below; on a tie the
		 * node that is nobody's first neighbour yet (node_load), then the lower number.
		 * Node 0 takes 1, node 1 takes 2, node 2 takes 3 and then prefers 0 to 1 (loaded),
		 * node 3 takes 0, then 1 and 2 (as loaded as each other).
		 */
		expect(order_of(0, 0)).toEqual(['0:1', '0:0', '1:1', '2:1', '3:1']);
		expect(order_of(1, 0)).toEqual(['1:1', '2:1', '3:1', '0:1', '0:0']);
		expect(order_of(2, 0)).toEqual(['2:1', '3:1', '0:1', '0:0', '1:1']);
		expect(order_of(3, 0)).toEqual(['3:1', '0:1', '0:0', '1:1', '2:1']);
		expect(order_of(2, 1)).toEqual(['2:1']);
	});
	test('nodes without CPUs come before those with', () => {
		/* CPU 0 is on node 0, CPU 1 on node 2: those cost one more, too. */
		boot(128 * MiB, { nodes: 4, cpus: 2 });
		expect([0, 1, 2, 3].map(nodes_of)).toEqual(
			[[0, 1, 3, 2], [1, 3, 2, 0], [2, 3, 1, 0], [3, 1, 0, 2]]);
	});
	test('memory comes from the node of the CPU, then from the others', () => {
		boot(128 * MiB, { nodes: 4, cpus: 4 });
		set_smp_processor_id(2);
		expect(page_to_nid(alloc_page(GFP_HIGHUSER_MOVABLE))).toBe(2);
		const seen = new Set<number>();
		const order: number[] = [];
		for (;;) {
			/* GFP_NOWAIT without kswapd: stops at the low watermark of every zone. */
			const page = __alloc_pages(0, 0, 2);
			if (!page)
				break;
			if (!seen.has(page_to_nid(page)))
				order.push(page_to_nid(page));
			seen.add(page_to_nid(page));
		}
		expect(order).toEqual([2, 3, 0, 1]);
		expect(__alloc_pages(__GFP_THISNODE, 0, 1)).toBe(NULL);
	});
	test('a nodemask keeps to its nodes', () => {
		boot(128 * MiB, { nodes: 4, cpus: 4 });
		expect(page_to_nid(__alloc_pages_nodemask(GFP_NOWAIT, 0, 0, 1 << 3))).toBe(3);
	});
});

describe('watermarks', () => {
	/*
	 * 512 MiB: 130816 managed pages. min_free_kbytes = sqrt(523264 * 16) = 2893 (the kernel's
	 * table says 2896 for 512 MiB of lowmem), 723 pages, shared by size: 3840 of them in DMA,
	 * 126976 in DMA32.
	 */
	beforeEach(() => boot(512 * MiB));

	test('min_free_kbytes is the root of 16 times the KiB of lowmem', () => {
		expect(min_free_kbytes.v).toBe(2893);
	});
	test.each([[16, 495], [64, 1015], [4096, 8190]])('%d MiB: %d KiB', (mib, kib) => {
		/* floor(sqrt((mib - 1) * 1024 * 16)) */
		boot(mib * MiB);
		expect(min_free_kbytes.v).toBe(kib);
	});
	test('min, low and high of each zone', () => {
		/* 723 * 126976 / 130816 = 701; a quarter, 175, is more than 0.1 % of the zone */
		expect(watermarks(DMA32)).toEqual([701, 701 + 175, 701 + 350]);
		/* 723 * 3840 / 130816 = 21; 21 / 4 = 5 */
		expect(watermarks(DMA)).toEqual([21, 26, 31]);
	});
	test('lower zones keep 1/256 of what is above them from those who could use that', () => {
		expect(reserve(DMA)).toEqual([0, 496, 496, 496, 496]);
		expect(reserve(DMA32)).toEqual([0, 0, 0, 0, 0]);
		/* reserve or none, and the high watermark: 496 + 31 + 1051 */
		expect(totalreserve_pages.v).toBe(496 + 31 + 1051);
	});
	test('watermark_scale_factor widens the gaps', () => {
		expect(watermark_scale_factor_sysctl_handler(100)).toBe(0);
		/* 1 % of 126976 */
		expect(low_wmark_pages(DMA32) - min_wmark_pages(DMA32)).toBe(1269);
		expect(watermark_scale_factor_sysctl_handler(1001)).toBe(-22);
	});
	test('a value set by a user is kept', () => {
		min_free_kbytes_sysctl_handler(8000);
		expect(min_wmark_pages(DMA32)).toBe(Math.floor(2000 * 126976 / 130816));
		init_per_zone_wmark_min();
		expect(min_free_kbytes.v).toBe(8000);
	});
	test('nr_free_buffer_pages() leaves the high watermarks out', () => {
		expect(nr_free_buffer_pages()).toBe(130816 - 31 - 1051);
	});
	test('who may go how deep', () => {
		expect([ok(700, 0), ok(701, 0)]).toEqual([false, true]);
		/* __GFP_HIGH: half; then ALLOC_HARDER a quarter less, ALLOC_OOM half less */
		expect([ok(350, ALLOC_HIGH), ok(351, ALLOC_HIGH)]).toEqual([false, true]);
		expect([ok(263, ALLOC_HIGH | ALLOC_HARDER), ok(264, ALLOC_HIGH | ALLOC_HARDER)])
			.toEqual([false, true]);
		expect([ok(350, ALLOC_OOM), ok(351, ALLOC_OOM)]).toEqual([false, true]);
		expect(__zone_watermark_ok(DMA, 0, 21, ZONE_DMA32, 0, 21 + 496)).toBe(false);
		expect(__zone_watermark_ok(DMA, 0, 21, ZONE_DMA32, 0, 21 + 497)).toBe(true);
	});
	test('a block of the order must be free, too', () => {
		expect(zone_watermark_ok(DMA32, 10, 700, ZONE_NORMAL, 0)).toBe(true);
		const taken: page[] = [];
		for (let page; (page = alloc_pages(GFP_NOWAIT, 10));)
			taken.push(page);
		expect(zone_watermark_ok(DMA32, 10, 0, ZONE_NORMAL, 0)).toBe(
			zones.nr_free[DMA32 * MAX_ORDER + 10] !== 0);
		for (const page of taken)
			__free_pages(page, 10);
		expect(check_zone(DMA32)).toBe(126976);
	});
});

describe('pcp lists', () => {
	beforeEach(() => boot(512 * MiB, { cpus: 2 }));

	test('an empty list takes a batch, a full one gives a batch', () => {
		const { pcp_count } = zones;
		const at = DMA32 * NR_CPUS;
		const taken = [alloc_page(GFP_HIGHUSER_MOVABLE)];

		expect(pcp_count[at]).toBe(30);
		for (let i = 0; i < 30; i++)
			taken.push(alloc_page(GFP_HIGHUSER_MOVABLE));
		expect(pcp_count[at]).toBe(0);
		while (taken.length < 217)
			taken.push(alloc_page(GFP_HIGHUSER_MOVABLE));
		expect(pcp_count[at]).toBe(0);
		for (let i = 0; i < 185; i++)
			__free_page(taken.pop()!);
		expect(pcp_count[at]).toBe(185);
		/* The 186th reaches high: a batch of 31 goes. */
		__free_page(taken.pop()!);
		expect(pcp_count[at]).toBe(155);
	});
	test('the page freed last is handed out first', () => {
		const a = alloc_page(GFP_HIGHUSER_MOVABLE), b = alloc_page(GFP_HIGHUSER_MOVABLE);
		__free_page(a);
		__free_page(b);
		expect(alloc_page(GFP_HIGHUSER_MOVABLE)).toBe(b);
		expect(alloc_page(GFP_HIGHUSER_MOVABLE)).toBe(a);
	});
	test('each CPU has its own; a drain takes all back', () => {
		set_smp_processor_id(1);
		const page = alloc_page(GFP_HIGHUSER_MOVABLE);
		set_smp_processor_id(0);
		expect(alloc_page(GFP_HIGHUSER_MOVABLE)).not.toBe(page + 1);
		expect(pcp_pages(DMA32)).toBe(60);
		drain_all_pages(NULL);
		expect(pcp_pages(DMA32)).toBe(0);
		expect(check_zone(DMA32)).toBe(126976 - 2);
	});
	test('percpu_pagelist_fraction', () => {
		expect(percpu_pagelist_fraction_sysctl_handler(7)).toBe(-22);
		expect(percpu_pagelist_fraction_sysctl_handler(1000)).toBe(0);
		/* 126976 / 1000 = 126; a quarter is 31 */
		expect([zones.pcp_high[DMA32], zones.pcp_batch[DMA32]]).toEqual([126, 31]);
		percpu_pagelist_fraction_sysctl_handler(8);
		/* 15872; a quarter is capped at PAGE_SHIFT * 8 */
		expect([zones.pcp_high[DMA32], zones.pcp_batch[DMA32]]).toEqual([15872, 96]);
	});
	test('free_unref_page_list() frees in list order and leaves the list empty', () => {
		const taken = [0, 1, 2].map(() => alloc_page(GFP_HIGHUSER_MOVABLE));
		const head = list_head_enter();
		for (const page of taken) {
			put_page_testzero(page);
			list_add_tail(pages.lru(page), head);
		}
		const before = vm_event(PGFREE);
		free_unref_page_list(head);
		expect(list_empty(head)).toBe(true);
		list_head_leave(head);
		expect(vm_event(PGFREE) - before).toBe(3);
		expect(alloc_page(GFP_HIGHUSER_MOVABLE)).toBe(taken[2]);
	});
});

describe('exhaustion', () => {
	test('who may ignore watermarks takes every page; the counters end at zero', () => {
		boot(20 * MiB);
		const taken: page[] = [];
		for (let page; (page = alloc_page(__GFP_MEMALLOC | __GFP_MOVABLE));)
			taken.push(page);
		expect(taken.length).toBe(20 * 256 - LOW);
		expect(check_zone(DMA) + check_zone(DMA32)).toBe(0);
		expect(vmstat_refresh()).toBe(0);
		expect(zone_page_state(DMA32, NR_FREE_PAGES)).toBe(0);
		/* The page that dipped into the reserves says so. */
		expect(page_is_pfmemalloc(taken[0]!)).toBe(false);
		expect(page_is_pfmemalloc(taken.at(-1)!)).toBe(true);
		for (const page of taken)
			__free_page(page);
		drain_all_pages(NULL);
		expect(check_zone(DMA) + check_zone(DMA32)).toBe(20 * 256 - LOW);
	});
});

describe('frames', () => {
	beforeEach(() => boot(64 * MiB));

	test('__GFP_ZERO clears a used frame, others keep what they had', () => {
		const page = alloc_page(GFP_KERNEL);
		ram[page << FRAME_WORDS_SHIFT] = 42;
		__free_page(page);
		expect(alloc_page(GFP_KERNEL)).toBe(page);
		expect(ram[page << FRAME_WORDS_SHIFT]).toBe(42);
		__free_page(page);
		expect(alloc_page(GFP_KERNEL | __GFP_ZERO)).toBe(page);
		expect(ram[page << FRAME_WORDS_SHIFT]).toBe(0);
	});
});

describe('checks', () => {
	beforeEach(() => boot(64 * MiB));

	test('a page freed with a flag that must be clear is named', () => {
		const page = alloc_page(GFP_KERNEL);
		SetPageLRU(page);
		expect(() => __free_page(page)).toThrow(/PG_lru/);
	});
	test('a page freed while it is mapped is named', () => {
		const page = alloc_page(GFP_KERNEL);
		pages._mapcount[page] = 0;
		expect(() => __free_page(page)).toThrow(/nonzero mapcount/);
	});
	test('a page freed twice is named', () => {
		const page = alloc_page(GFP_KERNEL);
		__free_page(page);
		expect(() => __free_page(page)).toThrow(/loses a reference but has none/);
	});
	test('somebody else holds the head of a freed block: the rest is freed', () => {
		drain_all_pages(NULL);
		const before = check_zone(DMA32);
		const page = alloc_pages(GFP_KERNEL, 3);
		get_page(page);
		__free_pages(page, 3);
		expect(page_count(page)).toBe(1);
		drain_all_pages(NULL);
		expect(check_zone(DMA32)).toBe(before - 1);
		__free_page(page);
		drain_all_pages(NULL);
		expect(check_zone(DMA32)).toBe(before);
	});
	test('the parts of a split allocation are freed one by one', () => {
		const page = alloc_pages(GFP_KERNEL, 2);
		split_page(page, 2);
		for (let i = 0; i < 4; i++)
			__free_page((page + i) as page);
		drain_all_pages(NULL);
		expect(check_zone(DMA) + check_zone(DMA32)).toBe(64 * 256 - LOW);
	});
});

describe('migratetypes', () => {
	beforeEach(() => boot(64 * MiB));

	test('the first unmovable page takes a whole block of the largest order', () => {
		const page = alloc_page(GFP_KERNEL);
		expect(page).toBe(4096);
		expect(get_pageblock_migratetype(4096 as page)).toBe(MIGRATE_UNMOVABLE);
		expect(get_pageblock_migratetype(4608 as page)).toBe(MIGRATE_UNMOVABLE);
		expect(get_pageblock_migratetype(5120 as page)).toBe(MIGRATE_MOVABLE);
		/* Movable pages keep out of it. */
		expect(alloc_page(GFP_HIGHUSER_MOVABLE)).toBe(5120);
		/* Reclaimable ones prefer unmovable blocks, but the size counts first. */
		expect(alloc_page(GFP_KERNEL | __GFP_RECLAIMABLE)).toBe(6144);
		expect(get_pageblock_migratetype(6144 as page)).toBe(MIGRATE_RECLAIMABLE);
	});
	test('a machine of 7 MiB does not group', () => {
		/* build_all_zonelists(): less than 4 pageblocks of pages */
		boot(7 * MiB);
		const page = alloc_page(GFP_HIGHUSER_MOVABLE);
		expect(gfp_migratetype(GFP_HIGHUSER_MOVABLE)).toBe(MIGRATE_UNMOVABLE);
		__free_page(page);
	});
	test('movable pages take the smallest block of another type that does', () => {
		/* No movable memory is left but what unmovable pages split up. */
		const first = alloc_pages(GFP_KERNEL, 0);
		const movable: page[] = [];
		for (;;) {
			const page = __alloc_pages(__GFP_MOVABLE | __GFP_DMA32, 10, 0);
			if (!page)
				break;
			movable.push(page);
		}
		expect(get_pageblock_migratetype(first)).toBe(MIGRATE_UNMOVABLE);
		drain_all_pages(NULL);
		const sizes = free_blocks(DMA32).filter(([, , mt]) => mt === MIGRATE_UNMOVABLE)
			.map(([, order]) => order);
		/* One page of 1024 is in use: a block of each order but the last. */
		expect(sizes).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
	});
	test('an atomic allocation of high order under pressure reserves its block', () => {
		/*
		 * 15000 pages to keep: min of DMA32 is 11428 and low 14285, more than the zone
		 * has. An atomic allocation may go down to 3/8 of min; others fail.
		 */
		min_free_kbytes_sysctl_handler(60000);
		expect(min_wmark_pages(DMA32)).toBe(11428);
		for (let i = 0; i < 2; i++) {
			const page = alloc_pages(GFP_ATOMIC, 3);
			expect(page_zone(page)).toBe(DMA32);
			expect(get_pageblock_migratetype(page)).toBe(MIGRATE_HIGHATOMIC);
			/* The second comes from the block that the first reserved. */
			expect(zones.nr_reserved_highatomic[DMA32]).toBe(512);
		}
		expect(check_zone(DMA32)).toBe(12288 - 16);
		/* Others do not count what is reserved as free. */
		expect(__zone_watermark_ok(DMA32, 0, 0, ZONE_NORMAL, 0, 512)).toBe(false);
		expect(__zone_watermark_ok(DMA32, 0, 0, ZONE_NORMAL, ALLOC_HARDER, 512)).toBe(true);
	});
});

/*
 * A buddy allocator by the book, with arrays: the first of the smallest blocks that are large
 * enough is halved, the upper half goes to the front; two free halves join; a freed block goes to
 * the end if its next larger buddy is free, else to the front.
 */
class Book {
	readonly free: number[][];
	constructor(free: number[][]) {
		this.free = free.map((list) => [...list]);
	}
	allocate(order: number): number {
		for (let o = order; o < MAX_ORDER; o++) {
			const pfn = this.free[o]!.shift();
			if (pfn === undefined)
				continue;
			while (o > order) {
				o--;
				this.free[o]!.unshift(pfn + 2 ** o);
			}
			return pfn;
		}
		return 0;
	}
	has(pfn: number, order: number): boolean {
		return this.free[order]!.includes(pfn);
	}
	release(pfn: number, order: number): void {
		while (order < MAX_ORDER - 1 && this.has(pfn ^ 2 ** order, order)) {
			const buddy = pfn ^ 2 ** order;
			this.free[order]!.splice(this.free[order]!.indexOf(buddy), 1);
			pfn = Math.min(pfn, buddy);
			order++;
		}
		const parent = pfn - pfn % 2 ** (order + 1);
		if (order < MAX_ORDER - 2 && this.has(parent ^ 2 ** (order + 1), order + 1))
			this.free[order]!.push(pfn);
		else
			this.free[order]!.unshift(pfn);
	}
}

const cpu = fc.integer({ min: 0, max: 3 });
const operation = fc.oneof(
	fc.record({
		kind: fc.constant('alloc' as const), cpu,
		order: fc.constantFrom(1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 9, 9, 10),
	}),
	fc.record({ kind: fc.constant('free' as const), cpu, which: fc.nat() }),
);

describe('properties', () => {
	test('blocks are split and joined as by the book, page for page', () => {
		const run = fc.array(operation, { minLength: 50, maxLength: 300 });
		fc.assert(fc.property(run, (operations) => {
			boot(32 * MiB, { cpus: 4 });
			const lists: number[][] = Array.from({ length: MAX_ORDER }, () => []);
			for (const [pfn, order, mt] of free_blocks(DMA32)) {
				expect(mt).toBe(MIGRATE_MOVABLE);
				lists[order]!.push(pfn);
			}
			const book = new Book(lists);
			const live: [page, number][] = [];
			for (const op of operations) {
				set_smp_processor_id(op.cpu);
				if (op.kind === 'alloc') {
					if (zone_page_state(DMA32, NR_FREE_PAGES) <
					    high_wmark_pages(DMA32) + 200 + (1 << op.order))
						continue;
					const gfp = __GFP_MOVABLE | __GFP_DMA32 | __GFP_THISNODE;
					const at = DMA32 * MAX_ORDER;
					const larger = values(zones.nr_free)
						.slice(at + op.order, at + MAX_ORDER);
					const page = __alloc_pages(gfp, op.order, 0);
					if (page_zone(page) !== DMA32 || !page) {
						if (larger.some(Boolean))
							fail(`order ${op.order} is there`);
						if (page)
							__free_pages(page, op.order);
						continue;
					}
					const wanted = book.allocate(op.order);
					if (page !== wanted)
						fail(`pfn ${page}, the book has ${wanted}`);
					live.push([page, op.order]);
				} else if (live.length) {
					const at = op.which % live.length;
					const [page, order] = live.splice(at, 1)[0]!;
					__free_pages(page, order);
					book.release(page, order);
				}
			}
			check_zone(DMA32);
			const now: number[][] = Array.from({ length: MAX_ORDER }, () => []);
			for (const [pfn, order] of free_blocks(DMA32))
				now[order]!.push(pfn);
			expect(now).toEqual(book.free);
		}), { numRuns: 100 });
	});

	test('whatever is allocated and freed in any order, all comes back', () => {
		const step = fc.record({
			order: fc.constantFrom(0, 0, 0, 0, 0, 1, 2, 3, 5, 9),
			mobility: fc.constantFrom(0, __GFP_MOVABLE, __GFP_RECLAIMABLE),
			zone: fc.constantFrom(0, __GFP_DMA, __GFP_DMA32),
			cpu,
			count: fc.integer({ min: 1, max: 200 }),
			free: fc.boolean(),
			which: fc.nat(),
		});
		fc.assert(fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(1, 2, 4),
			(steps, nodes) => {
				boot(64 * MiB, { nodes, cpus: 4 });
				const managed = new Map<zone, number>();
				for (let zone = first_zone(); zone; zone = next_zone(zone))
					managed.set(zone, zones.managed_pages[zone]);
				const whole = values(zones.nr_free);
				const live: [page, number][] = [];
				for (const step of steps) {
					const { order, mobility, zone, free, which } = step;
					set_smp_processor_id(step.cpu);
					for (let i = 0; i < step.count; i++) {
						if (free) {
							if (!live.length)
								break;
							const at = which % live.length;
							const [page, old] = live.splice(at, 1)[0]!;
							__free_pages(page, old);
							continue;
						}
						const page = alloc_pages(mobility | zone, order);
						if (!page)
							break;
						live.push([page, order]);
					}
				}
				const owned = new Set<number>();
				for (const [page, order] of live) {
					for (let i = 0; i < 1 << order; i++) {
						if (owned.has(page + i))
							fail(`two own pfn ${page + i}`);
						owned.add(page + i);
					}
				}
				let free = 0;
				for (let zone = first_zone(); zone; zone = next_zone(zone)) {
					if (populated_zone(zone))
						free += check_zone(zone) + pcp_pages(zone);
				}
				expect(free + owned.size).toBe(64 * 256 - LOW);

				for (const [page, order] of live)
					__free_pages(page, order);
				drain_all_pages(NULL);
				expect(vmstat_refresh()).toBe(0);
				for (let zone = first_zone(); zone; zone = next_zone(zone)) {
					const all = managed.get(zone);
					expect(check_zone(zone)).toBe(all);
					expect(zone_page_state(zone, NR_FREE_PAGES)).toBe(all);
				}
				expect(values(zones.nr_free)).toEqual(whole);
			}), { numRuns: 40 });
	});
});

test('events count pages', () => {
	boot(64 * MiB);
	const before = vm_event(PGALLOC_DMA32);
	const page = alloc_pages(GFP_KERNEL, 4);
	alloc_page(GFP_KERNEL);
	expect(vm_event(PGALLOC_DMA32) - before).toBe(17);
	const freed = vm_event(PGFREE);
	__free_pages(page, 4);
	expect(vm_event(PGFREE) - freed).toBe(16);
});
