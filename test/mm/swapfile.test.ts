// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { EBUSY, EINVAL } from '../../src/lib/errno.ts';
import { swp_entry, swp_offset, swp_type } from '../../src/arch/swap.ts';
import { FRAME_WORDS_SHIFT, ram } from '../../src/arch/ram.ts';
import { bdevs, BLKDEV_DISK, BLKDEV_PMEM, BLKDEV_RAM, blkdev_add, blkdev_ram_pages, blkdev_read,
	blkdev_write } from '../../src/mm/blkdev.ts';
import { set_smp_processor_id } from '../../src/mm/current.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import type { page, swp_entry_t } from '../../src/mm/mm_types.ts';
import { alloc_page } from '../../src/mm/page_alloc.ts';
import { get_swap_page, swap_slot_cache_enabled } from '../../src/mm/swap_slots.ts';
import { nr_swap_pages, SWAP_FLAG_PREFER, swap_info, swap_infos, swap_map, swap_slot,
	SWP_SOLIDSTATE, SWP_SYNCHRONOUS_IO, swp_slots, total_swap_pages, type block_device,
	type swap_slots_cache } from '../../src/mm/swap_types.ts';
import { __swp_swapcount, get_swap_pages, mkswap, put_swap_page, swap_duplicate, swap_free,
	swap_shmem_alloc, swapcache_free_entries, swapcache_prepare, swapoff, swapon,
	swp_swapcount } from '../../src/mm/swapfile.ts';
import { swap_use_up } from './swap_machine.ts';
import { boot } from './task_machine.ts';

const HAS_CACHE = 0x40, CONTINUED = 0x80, MAP_MAX = 62;
const MiB_PAGES = 256;

function device(mib = 64, kind = BLKDEV_PMEM, nonrot = true): block_device {
	const bdev = blkdev_add(kind, mib * MiB_PAGES, nonrot);

	expect(mkswap(bdev)).toBe(0);
	return bdev;
}
function device_on(mib = 64, flags = 0, kind = BLKDEV_PMEM, nonrot = true): block_device {
	const bdev = device(mib, kind, nonrot);

	expect(swapon(bdev, flags)).toBe(0);
	return bdev;
}
function take(n: number): swp_entry_t[] {
	const entries = new Array<swp_entry_t>(n);

	return entries.slice(0, get_swap_pages(n, entries, 1));
}
/** Offsets of n slots, taken one by one. */
function take_offsets(n: number): number[] {
	return Array.from({ length: n }, () => swp_offset(take(1)[0]!));
}
const map_of = (entry: swp_entry_t): number => swap_map[swap_slot(entry)]!;
/** Slots that nobody but the swap cache (or a CPU's batch) has. */
function give_back(entries: swp_entry_t[]): void {
	swapcache_free_entries(entries, 0, entries.length);
}

beforeEach(() => boot());

describe('block devices', () => {
	test.each([['ram', BLKDEV_RAM], ['pmem', BLKDEV_PMEM], ['disk', BLKDEV_DISK]])(
		'%s: every word survives, in any order of writing', (_name, kind) => {
			const bdev = blkdev_add(kind, 64), page = alloc_page(GFP_KERNEL);
			const at = page << FRAME_WORDS_SHIFT;

			for (const sector of [63, 0, 17]) {
				for (let i = 0; i < 1024; i++)
					ram[at + i] = Math.imul(sector + 1, 0x9e3779b1) ^ i;
				expect(blkdev_write(bdev, sector, page)).toBe(0);
			}
			for (const sector of [0, 17, 63]) {
				expect(blkdev_read(bdev, sector, page)).toBe(0);
				for (let i = 0; i < 1024; i++)
					expect(ram[at + i]).toBe(Math.imul(sector + 1,
						0x9e3779b1) ^ i);
			}
			expect(blkdev_read(bdev, 1, page)).toBe(0);
			expect(ram.subarray(at, at + 1024).every((word) => word === 0)).toBe(true);
		});

	test('only a ram disk is made of the memory of the machine, a page for each it has', () => {
		const page = alloc_page(GFP_KERNEL);
		const brd = blkdev_add(BLKDEV_RAM, 64), pmem = blkdev_add(BLKDEV_PMEM, 64);

		for (const bdev of [brd, pmem])
			for (const sector of [5, 6, 5])
				blkdev_write(bdev, sector, page);
		expect(blkdev_ram_pages(brd)).toBe(2);
		expect(blkdev_ram_pages(pmem)).toBe(0);
	});
});

describe('swapon and swapoff', () => {
	test('a device without a header, or one in use, is refused', () => {
		const blank = blkdev_add(BLKDEV_PMEM, 256), bdev = device_on();

		expect(swapon(blank, 0)).toBe(-EINVAL);
		expect(swapon(bdev, 0)).toBe(-EBUSY);
		expect(swapoff(blank)).toBe(-EINVAL);
		expect(bdevs.claimed[blank]).toBe(0);
	});

	/* The header's page is no slot. rw_page and QUEUE_FLAG_NONROT as brd_alloc() sets them. */
	test('counts and flags', () => {
		const brd = device_on(64, 0, BLKDEV_RAM), disk = device_on(32, 0, BLKDEV_DISK,
			false);

		expect(total_swap_pages.v).toBe(64 * 256 - 1 + 32 * 256 - 1);
		expect(nr_swap_pages.v).toBe(total_swap_pages.v);
		const flags = swap_infos.flags;
		expect(flags[swap_info(0)] & (SWP_SOLIDSTATE | SWP_SYNCHRONOUS_IO))
			.toBe(SWP_SOLIDSTATE | SWP_SYNCHRONOUS_IO);
		expect(flags[swap_info(1)] & (SWP_SOLIDSTATE | SWP_SYNCHRONOUS_IO)).toBe(0);
		expect(swapoff(brd)).toBe(0);
		expect(swapoff(disk)).toBe(0);
		expect([total_swap_pages.v, nr_swap_pages.v]).toEqual([0, 0]);
		expect(swap_slot_cache_enabled.v).toBe(0);
	});

	/* swapon(2), setup_swap_info(): each gets one less than the last, from -2. */
	test('without a priority the first device is best; its end moves the others up', () => {
		const a = device_on(1), b = device_on(1), c = device_on(1);
		const prio = (type: number) => swap_infos.prio[swap_info(type)];

		expect([prio(0), prio(1), prio(2)]).toEqual([-2, -3, -4]);
		expect(swapoff(a)).toBe(0);
		expect([prio(1), prio(2)]).toEqual([-2, -3]);
		const d = device_on(1);
		expect(prio(0)).toBe(-4);
		for (const bdev of [b, c, d])
			expect(swapoff(bdev)).toBe(0);
	});

	test('bad pages of the header are never given out', () => {
		const bdev = blkdev_add(BLKDEV_PMEM, 256);

		expect(mkswap(bdev, 256, [1, 3, 255])).toBe(0);
		expect(swapon(bdev, 0)).toBe(0);
		expect(total_swap_pages.v).toBe(252);
		const got = take_offsets(252);
		expect(got.toSorted((x, y) => x - y)).toEqual(
			Array.from({ length: 256 }, (_, i) => i).filter((i) => ![0, 1, 3,
				255].includes(i)));
		expect(take(1)).toEqual([]);
	});
});

describe('swap_map', () => {
	let entry: swp_entry_t, page: page;
	beforeEach(() => {
		device_on();
		page = alloc_page(GFP_KERNEL);
		[entry] = take(1) as [swp_entry_t];
	});

	test('a slot is cached first, counts its users, and is free when both are gone', () => {
		expect(map_of(entry)).toBe(HAS_CACHE);
		expect(swap_duplicate(entry)).toBe(0);
		expect(swap_duplicate(entry)).toBe(0);
		expect(map_of(entry)).toBe(HAS_CACHE | 2);
		expect(swapcache_prepare(entry)).toBeLessThan(0);
		put_swap_page(page, entry);
		expect(map_of(entry)).toBe(2);
		expect(swapcache_prepare(entry)).toBe(0);
		expect(map_of(entry)).toBe(HAS_CACHE | 2);
		swap_free(entry);
		swap_free(entry);
		expect(map_of(entry)).toBe(HAS_CACHE);
		expect(nr_swap_pages.v).toBe(total_swap_pages.v - 1);
		put_swap_page(page, entry);
		expect(map_of(entry)).toBe(0);
		expect(nr_swap_pages.v).toBe(total_swap_pages.v);
	});

	test('a slot of shmem is not counted', () => {
		swap_shmem_alloc(entry);
		expect(map_of(entry)).toBe(HAS_CACHE | 0xbf);
		put_swap_page(page, entry);
		expect(map_of(entry)).toBe(0xbf);
		swap_free(entry);
		expect(map_of(entry)).toBe(0);
	});

	/*
	 * The byte counts to 62; then digits of base 128 follow in continuation pages: 63 is 0
	 * with a carry of 1, and the carry of 127 overflows into a second page at 63 * 128 = 8064.
	 */
	test('counts beyond 62 go on in continuation pages, exactly', () => {
		for (let n = 1; n <= 8200; n++) {
			expect(swap_duplicate(entry)).toBe(0);
			if (n === MAP_MAX)
				expect(map_of(entry)).toBe(HAS_CACHE | MAP_MAX);
			if (n === MAP_MAX + 1)
				expect(map_of(entry)).toBe(HAS_CACHE | CONTINUED);
			if (n === 2 * MAP_MAX + 1)
				expect(map_of(entry)).toBe(HAS_CACHE | CONTINUED | MAP_MAX);
			if (n % 61 === 0 || n > 8050)
				expect(swp_swapcount(entry)).toBe(n);
		}
		for (let n = 8200; n > 0; n--) {
			if (n % 61 === 0 || n > 8050 || n < 130)
				expect(swp_swapcount(entry)).toBe(n);
			swap_free(entry);
		}
		expect(map_of(entry)).toBe(HAS_CACHE);
		expect(__swp_swapcount(entry)).toBe(0);
	});

	test('a neighbour uses the same continuation page', () => {
		const [other] = take(1) as [swp_entry_t];

		for (let n = 0; n < 100; n++) {
			swap_duplicate(entry);
			if (n % 2)
				swap_duplicate(other);
		}
		for (let n = 0; n < 100; n++)
			swap_duplicate(other);
		expect([swp_swapcount(entry), swp_swapcount(other)]).toEqual([100, 150]);
	});
});

describe('slots of a solid-state device', () => {
	/*
	 * setup_swap_map_and_extents(): 64 MiB are 16384 slots, 32 clusters of 512.
	 * SWAP_CLUSTER_COLS is 16384 / 512 = 32, so the list has one row: 0 is not free, since the
	 * header is in it; then 1, 2, ... 31. scan_swap_map_try_ssd_cluster() takes the first and
	 * goes through it slot by slot.
	 */
	test('a fresh 64 MiB device is used from its second cluster on', () => {
		device_on();
		expect(take(64).map(swp_offset)).toEqual(Array.from({ length: 64 }, (_,
			i) => 512 + i));
		expect(take_offsets(3)).toEqual([576, 577, 578]);
	});

	/* 128 MiB: two rows of 32 columns; column by column: (0), 32, 1, 33, 2, 34, ... */
	test('neighbours on the list of clusters are in different swapper spaces', () => {
		device_on(128);
		const clusters: number[] = [];
		for (let n = 0; n < 8; n++) {
			const got = swap_use_up(512);
			clusters.push(got[0]! / 512);
			expect(got).toEqual(Array.from({ length: 512 }, (_, i) => got[0]! + i));
		}
		expect(clusters).toEqual([32, 1, 33, 2, 34, 3, 35, 4]);
	});

	test('an empty cluster comes back at the end of the list', () => {
		/* clusters 1, 2, 3 are free */
		device_on(8);
		const first = swap_use_up(512).map((offset) => swp_entry(0, offset));
		expect(swp_offset(first[0]!)).toBe(512);
		give_back(first);
		const starts = [0, 0, 0].map(() => swap_use_up(512)[0]! / 512);
		expect(starts).toEqual([2, 3, 1]);
	});

	test('each CPU has a cluster of its own', () => {
		boot({ cpus: 2 });
		device_on();
		expect(take_offsets(2)).toEqual([512, 513]);
		set_smp_processor_id(1);
		expect(take_offsets(2)).toEqual([1024, 1025]);
		set_smp_processor_id(0);
		expect(take_offsets(1)).toEqual([514]);
	});

	test('every slot is given out once, and one given back is found again', () => {
		device_on();
		const got = swap_use_up(16384);

		expect(got.length).toBe(16383);
		expect(new Set(got).size).toBe(16383);
		expect(Math.min(...got)).toBe(1);
		expect(Math.max(...got)).toBe(16383);
		expect(nr_swap_pages.v).toBe(0);
		expect(take(1)).toEqual([]);
		for (const offset of [7000, 1, 16383]) {
			give_back([swp_entry(0, offset)]);
			expect(nr_swap_pages.v).toBe(1);
			expect(take_offsets(1)).toEqual([offset]);
			expect(take(1)).toEqual([]);
		}
	});
});

describe('slots of a device with seeks', () => {
	/* scan_swap_map_slots(): the first empty run of 512 from lowest_bit, which is 1 */
	test('are given out from the start on, in order', () => {
		device_on(64, 0, BLKDEV_DISK, false);
		expect(take_offsets(5)).toEqual([1, 2, 3, 4, 5]);
		give_back([swp_entry(0, 2), swp_entry(0, 3)]);
		expect(take_offsets(2)).toEqual([6, 7]);
	});

	test('holes are found when there is nothing else', () => {
		device_on(1, 0, BLKDEV_DISK, false);
		expect(new Set(swap_use_up(300)).size).toBe(255);
		give_back([100, 17].map((offset) => swp_entry(0, offset)));
		expect(take_offsets(2).toSorted((a, b) => a - b)).toEqual([17, 100]);
	});
});

describe('several devices', () => {
	const types = (n: number) => Array.from({ length: n }, () => swp_type(take(1)[0]!));

	test('the highest priority is used up first', () => {
		device_on(1, SWAP_FLAG_PREFER | 3);
		device_on(1, SWAP_FLAG_PREFER | 10);
		const got = types(256);
		expect(got.slice(0, 255).every((type) => type === 1)).toBe(true);
		expect(got[255]).toBe(0);
	});

	test('equal priorities take turns', () => {
		device_on(1, SWAP_FLAG_PREFER | 5);
		device_on(1, SWAP_FLAG_PREFER | 5);
		device_on(1, SWAP_FLAG_PREFER | 4);
		expect(types(6)).toEqual([0, 1, 0, 1, 0, 1]);
	});

	/* setup_swap_info(): avail_lists[nid].prio is 1 for the node that the device is at */
	test('a device of the same node is nearer than one that came first', () => {
		boot({ nodes: 2, cpus: 2 });
		for (const node of [-1, 0]) {
			const bdev = blkdev_add(BLKDEV_PMEM, 256, true, node);
			mkswap(bdev);
			expect(swapon(bdev, 0)).toBe(0);
		}
		expect(types(2)).toEqual([1, 1]);
	});
});

describe('slots of a CPU', () => {
	const cache = 1 as swap_slots_cache;

	/* THRESHOLD_ACTIVATE_SWAP_SLOTS_CACHE is 5 * 64 free slots a CPU */
	test('are kept only while there are many', () => {
		const page = alloc_page(GFP_KERNEL);
		device_on(1);
		get_swap_page(page);
		expect(swp_slots.nr[cache]).toBe(0);
		expect(swap_infos.inuse_pages[swap_info(0)]).toBe(1);
		device_on(2);
		get_swap_page(page);
		expect(swp_slots.nr[cache]).toBe(63);
	});

	test('are taken 64 at once and given back 64 at once', () => {
		const page = alloc_page(GFP_KERNEL);
		device_on();
		const si = swap_info(0);
		const got = Array.from({ length: 65 }, () => get_swap_page(page));
		expect(got.map(swp_offset)).toEqual(Array.from({ length: 65 }, (_, i) => 512 + i));
		expect(swap_infos.inuse_pages[si]).toBe(128);
		for (const entry of got.slice(0, 64))
			put_swap_page(page, entry);
		expect(swap_infos.inuse_pages[si]).toBe(128);
		expect(map_of(got[0]!)).toBe(HAS_CACHE);
		put_swap_page(page, got[64]!);
		expect(swap_infos.inuse_pages[si]).toBe(64);
		expect(map_of(got[0]!)).toBe(0);
		expect(map_of(got[64]!)).toBe(HAS_CACHE);
	});

	test('go back to the device when it is switched off', () => {
		const bdev = device_on();
		put_swap_page(alloc_page(GFP_KERNEL), get_swap_page(alloc_page(GFP_KERNEL)));
		expect(swapoff(bdev)).toBe(0);
		expect([swp_slots.nr[cache], swp_slots.n_ret[cache]]).toEqual([0, 0]);
		expect(swap_map.subarray(0, 16384).every((count) => count === 0)).toBe(true);
	});
});
