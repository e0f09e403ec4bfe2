// SPDX-License-Identifier: GPL-2.0-only
/* More than RAM holds: what real reclaim swaps out must come back word for word. */
import { describe, expect, test } from 'vitest';
import { list_empty } from '../../src/lib/list.ts';
import { BLKDEV_DISK, BLKDEV_PMEM } from '../../src/mm/blkdev.ts';
import { current } from '../../src/mm/current.ts';
import { get_mm_counter } from '../../src/mm/mm.ts';
import { MM_ANONPAGES, MM_SHMEMPAGES, MM_SWAPENTS, tasks } from '../../src/mm/mm_types.ts';
import { sys_munmap } from '../../src/mm/mmap.ts';
import { total_swapcache_pages } from '../../src/mm/swap_state.ts';
import { init_mm_mmlist, swap_info, swap_infos, swap_map } from '../../src/mm/swap_types.ts';
import { swapoff } from '../../src/mm/swapfile.ts';
import { PSWPIN, PSWPOUT, vm_event } from '../../src/mm/vmstat.ts';
import { swap_device, swap_slots_referenced } from './swap_machine.ts';
import { boot, exitAndWait, fork, mmapAnon, PAGE, read32, run, RW,
	write32 } from './task_machine.ts';

const MiB = 1024 * 1024, RAM = 8 * MiB;
const value = (page: number, seed: number): number => Math.imul(page + 1, 0x9e3779b1) ^ seed;
/* Two words of each page: the first and one that differs by page. */
function fill(addr: number, nr: number, seed: number): void {
	for (let i = 0; i < nr; i++) {
		write32(addr + i * PAGE, value(i, seed));
		write32(addr + i * PAGE + 4 + (i % 1000) * 4, value(i, ~seed));
	}
}
function wrong(addr: number, nr: number, seed: number): number {
	let bad = 0;

	for (let i = 0; i < nr; i++)
		if (read32(addr + i * PAGE) !== value(i, seed) ||
		    read32(addr + i * PAGE + 4 + (i % 1000) * 4) !== value(i, ~seed))
			bad++;
	return bad;
}
const mm = () => tasks.mm[current()];

describe.each([
	['pmem', BLKDEV_PMEM, true], ['a solid-state disk', BLKDEV_DISK, true],
	['a rotating disk', BLKDEV_DISK, false],
])('swap on %s', (_name, kind, nonrot) => {
	const KEPT = 750, NR = 2500;

	test.each([['private', false], ['shared', true]])('%s memory', (_name, shared) => {
		boot({ ramBytes: RAM });
		const bdev = swap_device(16, kind, nonrot);
		const addr = mmapAnon(KEPT, 0, RW, shared), rest = mmapAnon(NR - KEPT, 0, RW,
			shared);

		fill(addr, KEPT, 1);
		fill(rest, NR - KEPT, 2);
		expect(vm_event(PSWPOUT)).toBeGreaterThan(NR - RAM / PAGE);
		expect(wrong(addr, KEPT, 1)).toBe(0);
		expect(wrong(rest, NR - KEPT, 2)).toBe(0);
		expect(vm_event(PSWPIN)).toBeGreaterThan(NR - RAM / PAGE);
		/* every second page anew, some while their old contents are in swap */
		for (let i = 0; i < KEPT; i += 2)
			write32(addr + i * PAGE, value(i, 1) ^ 7);
		expect(wrong(rest, NR - KEPT, 2)).toBe(0);
		expect(wrong(addr, KEPT, 1)).toBe(KEPT / 2);
		for (let i = 0; i < KEPT; i += 2)
			write32(addr + i * PAGE, read32(addr + i * PAGE) ^ 7);
		expect(wrong(addr, KEPT, 1)).toBe(0);
		if (!shared)
			expect(get_mm_counter(mm(), MM_ANONPAGES) + get_mm_counter(mm(),
				MM_SWAPENTS))
				.toBe(NR);

		/* what is left fits into RAM */
		sys_munmap(rest, (NR - KEPT) * PAGE);
		expect(swap_slots_referenced()).toBeLessThanOrEqual(KEPT);
		expect(swapoff(bdev)).toBe(0);
		expect(wrong(addr, KEPT, 1)).toBe(0);
		const rss = get_mm_counter(mm(), shared ? MM_SHMEMPAGES : MM_ANONPAGES);
		expect(rss).toBe(KEPT);
		expect(get_mm_counter(mm(), MM_SWAPENTS)).toBe(0);
		expect(total_swapcache_pages()).toBe(0);
		expect(list_empty(init_mm_mmlist)).toBe(true);
		expect(swap_map.subarray(0, 16 * MiB / PAGE).every((count) => count === 0))
			.toBe(true);
	});
});

test('a fork shares what is in swap, and each changes its own', () => {
	boot({ ramBytes: RAM });
	swap_device(32);
	const NR = 1500, OTHER = 1000, addr = mmapAnon(NR);

	fill(addr, NR, 2);
	const other = mmapAnon(OTHER);
	fill(other, OTHER, 3);
	expect(get_mm_counter(mm(), MM_SWAPENTS)).toBeGreaterThan(0);

	const parent = current(), child = fork();
	run(child);
	expect(wrong(addr, NR, 2)).toBe(0);
	for (let i = 0; i < NR; i += 3)
		write32(addr + i * PAGE, i);
	run(parent);
	expect(wrong(addr, NR, 2)).toBe(0);
	run(child);
	for (let i = 0; i < NR; i++)
		expect(read32(addr + i * PAGE)).toBe(i % 3 ? value(i, 2) : i);
	run(parent);
	exitAndWait(child);
	expect(wrong(addr, NR, 2)).toBe(0);
	expect(wrong(other, OTHER, 3)).toBe(0);
	sys_munmap(addr, NR * PAGE);
	sys_munmap(other, OTHER * PAGE);
	expect(swap_slots_referenced()).toBe(0);
});

/* what is swapped out of a file without links goes with its mapping */
test('slots are all free when their users are gone', () => {
	boot({ ramBytes: RAM });
	const bdev = swap_device(16), NR = 2250;

	for (const shared of [false, true, false]) {
		const addr = mmapAnon(NR, 0, RW, shared);
		fill(addr, NR, 4);
		expect(swap_slots_referenced()).toBeGreaterThan(0);
		sys_munmap(addr, NR * PAGE);
		expect(swap_slots_referenced()).toBe(0);
	}
	expect(swapoff(bdev)).toBe(0);
	expect(swap_infos.max[swap_info(0)]).toBe(0);
});
