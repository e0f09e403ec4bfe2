// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { EINVAL, EPERM } from '../../src/lib/errno.ts';
import { xa_is_value, xa_load } from '../../src/lib/xarray.ts';
import { BLKDEV_DISK, BLKDEV_PMEM, BLKDEV_RAM, blk_complete, blk_pending }
	from '../../src/mm/blkdev.ts';
import { generic_perform_write } from '../../src/mm/filemap.ts';
import { fput } from '../../src/mm/fs.ts';
import { memfd_add_seals, memfd_create, MFD_ALLOW_SEALING } from '../../src/mm/memfd.ts';
import { address_spaces, files, inodes, pages, type address_space, type file as file_t,
	type inode as inode_t }
	from '../../src/mm/mm_types.ts';
import { MAP_SHARED, sys_munmap } from '../../src/mm/mmap.ts';
import { NR_FILE_PAGES, NR_SHMEM } from '../../src/mm/mmzone.ts';
import { PageDirty, PageReadahead, PageSwapCache, PageWriteback, PageWorkingset }
	from '../../src/mm/page_flags.ts';
import { find_get_page, find_lock_page, unlock_page } from '../../src/mm/pagemap.ts';
import { put_page } from '../../src/mm/mm.ts';
import { FALLOC_FL_PUNCH_HOLE, F_SEAL_GROW, F_SEAL_SHRINK, F_SEAL_WRITE, radix_to_swp_entry,
	shmem_fallocate, shmem_file_read_iter, shmem_setattr } from '../../src/mm/shmem.ts';
import { total_swapcache_pages } from '../../src/mm/swap_state.ts';
import { shmem_swaplist, swap_address_space, swap_map } from '../../src/mm/swap_types.ts';
import { __swp_swapcount, swapoff } from '../../src/mm/swapfile.ts';
import { list_empty } from '../../src/lib/list.ts';
import { swp_offset } from '../../src/arch/swap.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { PSWPIN, PSWPOUT, SWAP_RA, vm_event } from '../../src/mm/vmstat.ts';
import { buffer_iter, node_state, pattern, same, shmem_pageout, shmem_swap_out, swap_device,
	swap_slots_referenced } from './swap_machine.ts';
import { boot, mmapAnon, PAGE, read32, RW, write32 } from './task_machine.ts';

let file: file_t, inode: inode_t, mapping: address_space;
function memfd(nr_pages: number): void {
	file = memfd_create(MFD_ALLOW_SEALING) as file_t;
	inode = files.f_inode[file];
	mapping = inodes.i_mapping[inode];
	expect(shmem_setattr(inode, nr_pages * PAGE)).toBe(0);
}
function write(bytes: Uint8Array, pos = 0): number {
	return generic_perform_write(file, buffer_iter(bytes), pos);
}
function read(bytes: number, pos = 0): Uint8Array {
	const buffer = new Uint8Array(bytes);
	const nr = shmem_file_read_iter(file, { v: pos }, buffer_iter(buffer));

	expect(nr).toBeGreaterThanOrEqual(0);
	return buffer.subarray(0, nr);
}
/** Swapped out pages, i_blocks / 8 and pages that are there. */
const account = () => [inodes.swapped[inode], inodes.i_blocks[inode] / 8,
	address_spaces.nrpages[mapping]];

beforeEach(() => {
	boot();
	memfd(16);
});

describe('a file in memory', () => {
	test('holds what was written, byte for byte, and zeros elsewhere', () => {
		const data = pattern(3 * PAGE, 1);

		expect(write(data, PAGE + 100)).toBe(data.length);
		expect(read(PAGE + 100).every((byte) => byte === 0)).toBe(true);
		expect(same(read(data.length, PAGE + 100), data)).toBe(true);
		expect(read(99, 4 * PAGE + 100).every((byte) => byte === 0)).toBe(true);
		expect(account()).toEqual([0, 4, 4]);
	});

	test('grows with a write beyond its end, and reads stop there', () => {
		expect(write(pattern(10, 2), 16 * PAGE)).toBe(10);
		expect(inodes.i_size[inode]).toBe(16 * PAGE + 10);
		expect(same(read(PAGE, 16 * PAGE), pattern(10, 2))).toBe(true);
		expect(read(1, 16 * PAGE + 10).length).toBe(0);
	});

	test('counts as file pages and as shared memory', () => {
		const before = [node_state(NR_FILE_PAGES), node_state(NR_SHMEM)];

		write(pattern(5 * PAGE, 3));
		fput(file);
		memfd(16);
		write(pattern(7 * PAGE, 3));
		expect([node_state(NR_FILE_PAGES), node_state(NR_SHMEM)])
			.toEqual(before.map((n) => n + 7));
	});

	test('is gone with its last reference, pages and all', () => {
		const rows = address_spaces.host[mapping];
		write(pattern(16 * PAGE, 4));
		fput(file);
		expect(rows).toBe(inode);
		expect(address_spaces.host[mapping]).toBe(0);
		expect(node_state(NR_SHMEM)).toBe(0);
	});

	test('mapped and written through page tables, it is the same file', () => {
		const addr = vm_mmap_pgoff(file, 0, 16 * PAGE, RW, MAP_SHARED, 0);

		write32(addr + 3 * PAGE + 8, 0x12345678);
		expect(read(12, 3 * PAGE)).toEqual(
			Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0x78, 0x56, 0x34, 0x12]));
		write(Uint8Array.from([1, 0, 0, 0x80]), 3 * PAGE);
		expect(read32(addr + 3 * PAGE)).toBe(0x80000001 | 0);
		fput(file);
		expect(read32(addr + 3 * PAGE + 8)).toBe(0x12345678);
		sys_munmap(addr, 16 * PAGE);
		expect(node_state(NR_SHMEM)).toBe(0);
	});

	/* memfd_create(2), fcntl(2): what each seal forbids */
	test('seals', () => {
		expect(memfd_add_seals(file, F_SEAL_GROW)).toBe(0);
		expect(shmem_setattr(inode, 17 * PAGE)).toBe(-EPERM);
		expect(write(pattern(1, 1), 16 * PAGE)).toBe(-EPERM);
		expect(write(pattern(1, 1), 15 * PAGE)).toBe(1);
		expect(memfd_add_seals(file, F_SEAL_SHRINK)).toBe(0);
		expect(shmem_setattr(inode, PAGE)).toBe(-EPERM);
		expect(memfd_add_seals(file, F_SEAL_WRITE)).toBe(0);
		expect(write(pattern(1, 1))).toBe(-EPERM);
		expect(memfd_create(0x4000)).toBe(-EINVAL);
	});
});

describe('fallocate', () => {
	test('makes pages that read as zeros', () => {
		expect(shmem_fallocate(file, 0, 2 * PAGE, 20 * PAGE)).toBe(0);
		expect(inodes.i_size[inode]).toBe(22 * PAGE);
		expect(account()).toEqual([0, 20, 20]);
		expect(read(22 * PAGE).every((byte) => byte === 0)).toBe(true);
	});

	test('punches a hole: whole pages go, parts become zeros', () => {
		const data = pattern(16 * PAGE, 5);

		write(data);
		expect(shmem_fallocate(file, FALLOC_FL_PUNCH_HOLE | 1, PAGE + 10,
			3 * PAGE)).toBe(0);
		data.fill(0, PAGE + 10, 4 * PAGE + 10);
		expect(account()).toEqual([0, 14, 14]);
		expect(same(read(16 * PAGE), data)).toBe(true);
	});

	test('a hole within one page', () => {
		const data = pattern(PAGE, 6);

		write(data);
		expect(shmem_fallocate(file, FALLOC_FL_PUNCH_HOLE | 1, 100, 50)).toBe(0);
		data.fill(0, 100, 150);
		expect(same(read(PAGE), data)).toBe(true);
	});
});

describe.each([['ram disk', BLKDEV_RAM], ['pmem', BLKDEV_PMEM], ['disk', BLKDEV_DISK]])(
	'swapped out to a %s', (_name, kind) => {
		const data = pattern(16 * PAGE, 7);
		const swap_entry = (index: number) => radix_to_swp_entry(xa_load(mapping, index));
		beforeEach(() => {
			swap_device(16, kind);
			write(data);
		});

		test('leaves its swap entry, once, and comes back as it was', () => {
			for (let i = 0; i < 16; i++)
				shmem_swap_out(mapping, i);
			expect(account()).toEqual([16, 16, 0]);
			for (let i = 0; i < 16; i++) {
				expect(xa_is_value(xa_load(mapping, i))).toBe(true);
				expect(__swp_swapcount(swap_entry(i))).toBe(0xbf);
			}
			expect(swap_slots_referenced()).toBe(16);
			expect(vm_event(PSWPOUT)).toBe(16);
			expect(same(read(16 * PAGE), data)).toBe(true);
			expect(account()).toEqual([0, 16, 16]);
			expect(swap_slots_referenced()).toBe(0);
			expect(vm_event(PSWPIN)).toBe(16);
			expect(total_swapcache_pages()).toBe(0);
		});

		test('in the swap cache it is found without reading', () => {
			const page = shmem_pageout(mapping, 3);

			expect(PageSwapCache(page)).toBe(true);
			expect(PageWriteback(page)).toBe(kind === BLKDEV_DISK);
			expect(account()).toEqual([1, 16, 15]);
			expect(same(read(PAGE, 3 * PAGE), data.subarray(3 * PAGE,
				4 * PAGE))).toBe(true);
			expect(xa_load(mapping, 3)).toBe(page * 4);
			expect([PageSwapCache(page), PageWriteback(page), PageDirty(page)])
				.toEqual([false, false, true]);
			expect(vm_event(PSWPIN)).toBe(0);
			expect(account()).toEqual([0, 16, 16]);
		});

		test('a write to a part of it keeps the rest', () => {
			shmem_swap_out(mapping, 5);
			const patch = pattern(100, 8), expected = data.slice();

			expect(write(patch, 5 * PAGE + 50)).toBe(100);
			expected.set(patch, 5 * PAGE + 50);
			expect(same(read(16 * PAGE), expected)).toBe(true);
		});

		test('truncation frees the slots', () => {
			for (const i of [0, 3, 4, 15])
				shmem_swap_out(mapping, i);
			expect(swap_slots_referenced()).toBe(4);
			expect(shmem_setattr(inode, 4 * PAGE + 7)).toBe(0);
			expect(swap_slots_referenced()).toBe(2);
			expect(account()).toEqual([2, 5, 3]);
			expect(shmem_setattr(inode, 16 * PAGE)).toBe(0);
			const expected = data.slice();
			expected.fill(0, 4 * PAGE + 7);
			expect(same(read(16 * PAGE), expected)).toBe(true);
			expect(shmem_setattr(inode, 0)).toBe(0);
			expect(swap_slots_referenced()).toBe(0);
			expect(account()).toEqual([0, 0, 0]);
		});

		test('punching frees slots in the hole only', () => {
			for (let i = 0; i < 16; i++)
				shmem_swap_out(mapping, i);
			expect(shmem_fallocate(file, FALLOC_FL_PUNCH_HOLE | 1, 4 * PAGE,
				8 * PAGE)).toBe(0);
			expect(swap_slots_referenced()).toBe(8);
			expect(account()).toEqual([8, 8, 0]);
			const expected = data.slice();
			expected.fill(0, 4 * PAGE, 12 * PAGE);
			expect(same(read(16 * PAGE), expected)).toBe(true);
		});

		test('the last close frees them all', () => {
			for (let i = 0; i < 8; i++)
				shmem_swap_out(mapping, i);
			expect(list_empty(shmem_swaplist)).toBe(false);
			fput(file);
			expect(swap_slots_referenced()).toBe(0);
			expect(list_empty(shmem_swaplist)).toBe(true);
			expect(node_state(NR_SHMEM)).toBe(0);
		});

		test('swapoff brings all back', () => {
			const bdev = 1 as Parameters<typeof swapoff>[0];
			const addr = mmapAnon(1, 0, RW, true);

			write32(addr, 42);
			for (let i = 0; i < 16; i += 2)
				shmem_swap_out(mapping, i);
			shmem_pageout(mapping, 1);
			expect(swapoff(bdev)).toBe(0);
			expect(account()).toEqual([0, 16, 16]);
			expect(swap_map.subarray(0, 4096).every((count) => count === 0)).toBe(true);
			expect(list_empty(shmem_swaplist)).toBe(true);
			expect(same(read(16 * PAGE), data)).toBe(true);
			expect(read32(addr)).toBe(42);
		});
	});

/*
 * swap_cluster_readahead(): page_cluster 3, but with hits of 4 at first: __swapin_nr_pages() makes
 * 4 + 2 a window of 8. Aligned, so slots 512..519 with the first, which is the first of a cluster.
 */
test('a fault reads the slots around it', () => {
	const data = pattern(16 * PAGE, 9);

	swap_device(64);
	write(data);
	for (let i = 0; i < 16; i++)
		shmem_swap_out(mapping, i);
	const swap = Array.from({ length: 16 }, (_, i) => radix_to_swp_entry(xa_load(mapping, i)));
	expect(swap.map(swp_offset)).toEqual(Array.from({ length: 16 }, (_, i) => 512 + i));
	expect(same(read(PAGE, 2 * PAGE), data.subarray(2 * PAGE, 3 * PAGE))).toBe(true);
	expect(vm_event(PSWPIN)).toBe(8);
	expect(vm_event(SWAP_RA)).toBe(7);
	expect(address_spaces.nrpages[mapping]).toBe(1);
	const cached = swap.map((entry, i) => {
		const page = i === 2 ? 0 : find_get_page(swap_address_space(entry),
			swp_offset(entry));
		if (!page)
			return false;
		expect([PageReadahead(page), PageWorkingset(page)]).toEqual([true, true]);
		put_page(page);
		return true;
	});
	expect(cached).toEqual(swap.map((_, i) => i < 8 && i !== 2));
	/* the next 7 are hits: 7 + 2 is rounded up to 16 and cut down to 8 */
	expect(same(read(8 * PAGE), data.subarray(0, 8 * PAGE))).toBe(true);
	expect(vm_event(PSWPIN)).toBe(8);
	expect(same(read(PAGE, 8 * PAGE), data.subarray(8 * PAGE, 9 * PAGE))).toBe(true);
	expect(vm_event(PSWPIN)).toBe(16);
});

test('a page that is being written to a slow disk is waited for', () => {
	const data = pattern(16 * PAGE, 10);

	swap_device(16, BLKDEV_DISK);
	write(data);
	for (let i = 0; i < 4; i++)
		shmem_pageout(mapping, i);
	expect(blk_pending()).toBe(4);
	expect(blk_complete(1)).toBe(1);
	expect(same(read(PAGE, 2 * PAGE), data.subarray(2 * PAGE, 3 * PAGE))).toBe(true);
	expect(blk_pending()).toBe(1);
	expect(same(read(16 * PAGE), data)).toBe(true);
	expect(blk_pending()).toBe(0);
});

test('a page that somebody has locked is waited for, and nothing is held meanwhile', () => {
	write(pattern(PAGE, 11));
	const page = find_lock_page(mapping, 0), refs = pages._refcount[page];

	expect(() => read(PAGE)).toThrow(/lock of page/);
	expect(pages._refcount[page]).toBe(refs);
	unlock_page(page);
	put_page(page);
	expect(same(read(PAGE), pattern(PAGE, 11))).toBe(true);
});
