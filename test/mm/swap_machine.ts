// SPDX-License-Identifier: GPL-2.0-only
/* What the tests of swap and files do to a booted machine. */
import { swp_offset } from '../../src/arch/swap.ts';
import { blkdev_add, BLKDEV_PMEM } from '../../src/mm/blkdev.ts';
import { find_lock_page, lock_page, unlock_page } from '../../src/mm/pagemap.ts';
import { clear_page_dirty_for_io, wait_on_page_writeback, writeback_control }
	from '../../src/mm/page-writeback.ts';
import { page_address, ram_bytes } from '../../src/mm/fs.ts';
import type { iov_iter } from '../../src/mm/filemap.ts';
import { page_mapping, put_page } from '../../src/mm/mm.ts';
import { nr_swapfiles, swap_info, swap_infos, swap_map, type block_device }
	from '../../src/mm/swap_types.ts';
import { get_swap_pages, mkswap, swap_count, swapon } from '../../src/mm/swapfile.ts';
import { shmem_writepage } from '../../src/mm/shmem.ts';
import { lru_add_drain_all } from '../../src/mm/swap.ts';
import { isolate_lru_page, remove_mapping } from '../../src/mm/vmscan.ts';
import { global_node_page_state, vmstat_refresh } from '../../src/mm/vmstat.ts';
import type { address_space, page, swp_entry_t } from '../../src/mm/mm_types.ts';

/** Take up to n slots, 64 at most a time; their offsets. */
export function swap_use_up(n: number): number[] {
	const entries: swp_entry_t[] = [], offsets: number[] = [];

	while (offsets.length < n) {
		const got = get_swap_pages(Math.min(64, n - offsets.length), entries, 1);
		if (!got)
			break;
		for (let i = 0; i < got; i++)
			offsets.push(swp_offset(entries[i]!));
	}
	return offsets;
}

/** Swap on, on a new device. */
export function swap_device(mib: number, kind = BLKDEV_PMEM, nonrot = true): block_device {
	const bdev = blkdev_add(kind, mib * 256, nonrot);

	if (!bdev || mkswap(bdev) || swapon(bdev, 0))
		throw new Error('no swap');
	return bdev;
}

/** Slots that somebody refers to, the swap cache not counted, of all devices. */
export function swap_slots_referenced(): number {
	let nr = 0;

	for (let type = 0; type < nr_swapfiles.v; type++) {
		const si = swap_info(type), base = swap_infos.slot_base[si];
		for (let i = 1; i < swap_infos.max[si]; i++)
			if (swap_count(swap_map[base + i]!))
				nr++;
	}
	return nr;
}

/** What pageout() does to a page of shmem that nobody maps; it stays in the swap cache. */
export function shmem_pageout(mapping: address_space, index: number): page {
	const wbc = new writeback_control(), page = find_lock_page(mapping, index);

	wbc.for_reclaim = true;
	if (!clear_page_dirty_for_io(page) || shmem_writepage(page, wbc))
		throw new Error(`page ${index} was not swapped out`);
	put_page(page);
	return page;
}

/** And out of the swap cache too, so that it must be read from the device. */
export function shmem_swap_out(mapping: address_space, index: number): void {
	const wbc = new writeback_control();

	lru_add_drain_all();
	const page = find_lock_page(mapping, index);
	if (isolate_lru_page(page))
		throw new Error(`page ${index} is on no LRU list`);
	put_page(page);
	wbc.for_reclaim = true;
	if (!clear_page_dirty_for_io(page) || shmem_writepage(page, wbc))
		throw new Error(`page ${index} was not swapped out`);
	wait_on_page_writeback(page);
	lock_page(page);
	if (!remove_mapping(page_mapping(page), page))
		throw new Error(`page ${index} is in use`);
	unlock_page(page);
	put_page(page);
}

/** A node counter of the whole machine, with what the CPUs keep to themselves. */
export function node_state(item: number): number {
	vmstat_refresh();
	return global_node_page_state(item);
}

/** Bytes that a file's contents are compared with: each differs from its neighbours'. */
export function pattern(bytes: number, seed: number): Uint8Array {
	return Uint8Array.from({ length: bytes }, (_, i) =>
		Math.imul(i + 1 + seed * 7919, 0x9e3779b1) >>> 23);
}

/** Byte for byte; much faster than toEqual(). */
export function same(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.compare(a, b) === 0;
}

/** An iov_iter over a buffer. */
export function buffer_iter(buffer: Uint8Array): iov_iter {
	let at = 0;

	return {
		count: buffer.length,
		copy_page_to_iter(page: page, offset: number, nr: number): number {
			const from = page_address(page) + offset;
			buffer.set(ram_bytes.subarray(from, from + nr), at);
			at += nr;
			return nr;
		},
		copy_from_iter(page: page, offset: number, nr: number): number {
			ram_bytes.set(buffer.subarray(at, at + nr), page_address(page) + offset);
			at += nr;
			return nr;
		},
	};
}
