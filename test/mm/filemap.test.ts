// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { EIO, ENOSPC } from '../../src/lib/errno.ts';
import type { out } from '../../src/lib/struct.ts';
import { xa_is_value, xa_load, xa_marked } from '../../src/lib/xarray.ts';
import { bdevs, BLKDEV_DISK, BLKDEV_PMEM, BLKDEV_RAM, blk_complete, blk_pending, blkdev_add,
	blkdev_peek, type block_device } from '../../src/mm/blkdev.ts';
import { diskfs_create, diskfs_open, diskfs_setsize, diskfs_unlink } from '../../src/mm/diskfs.ts';
import { filemap_write_and_wait, generic_file_read_iter, generic_perform_write,
	PAGECACHE_TAG_DIRTY, PAGECACHE_TAG_WRITEBACK } from '../../src/mm/filemap.ts';
import { fput } from '../../src/mm/fs.ts';
import { put_page } from '../../src/mm/mm.ts';
import { address_spaces, files, inodes, type address_space, type file as file_t,
	type inode as inode_t }
	from '../../src/mm/mm_types.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ, sys_munmap } from '../../src/mm/mmap.ts';
import { NR_FILE_DIRTY, NR_FILE_PAGES, NR_WRITEBACK, NR_WRITTEN } from '../../src/mm/mmzone.ts';
import { PageActive, PageDirty, PageReadahead, PageReferenced, PageWriteback }
	from '../../src/mm/page_flags.ts';
import { find_get_page } from '../../src/mm/pagemap.ts';
import { flush_dirty_pages, flusher_wanted, global_dirty_limits, node_dirty_ok, vm_dirty_bytes,
	WB_SYNC_ALL, WB_SYNC_NONE } from '../../src/mm/page-writeback.ts';
import { get_init_ra_size } from '../../src/mm/readahead.ts';
import { lru_add_drain_all } from '../../src/mm/swap.ts';
import { drop_pagecache, invalidate_inode_pages2, invalidate_mapping_pages, truncate_setsize }
	from '../../src/mm/truncate.ts';
import { NODE_DATA } from '../../src/mm/mmzone.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { PGMAJFAULT, PGPGIN, vm_event } from '../../src/mm/vmstat.ts';
import { buffer_iter, node_state, pattern, same } from './swap_machine.ts';
import { boot, PAGE, read32, RW, write32 } from './task_machine.ts';

let bdev: block_device, inode: inode_t, mapping: address_space, file: file_t;
function create(nr_pages: number, kind = BLKDEV_PMEM): void {
	bdev = blkdev_add(kind, 4096);
	inode = diskfs_create(bdev, nr_pages * PAGE, 256 * PAGE);
	mapping = inodes.i_mapping[inode];
	file = diskfs_open(inode);
}
const write = (bytes: Uint8Array, pos = 0): number =>
	generic_perform_write(file, buffer_iter(bytes), pos);
function read(bytes: number, pos = 0): Uint8Array {
	const buffer = new Uint8Array(bytes), ppos: out<number> = { v: pos };
	const nr = generic_file_read_iter(file, ppos, buffer_iter(buffer));

	expect(nr).toBeGreaterThanOrEqual(0);
	expect(ppos.v).toBe(pos + nr);
	return buffer.subarray(0, nr);
}
const cached = (): number => address_spaces.nrpages[mapping];
/** Everything is on the device, and nothing in the cache. */
function forget(): void {
	expect(filemap_write_and_wait(mapping)).toBe(0);
	lru_add_drain_all();
	drop_pagecache();
	expect(cached()).toBe(0);
}

beforeEach(() => {
	boot();
	create(64);
});

describe.each([['ram disk', BLKDEV_RAM], ['pmem', BLKDEV_PMEM], ['disk', BLKDEV_DISK]])(
	'a file on a %s', (_name, kind) => {
		beforeEach(() => create(64, kind));

		test('comes back from the device byte for byte', () => {
			const data = pattern(64 * PAGE, 1);

			expect(write(data)).toBe(data.length);
			expect(node_state(NR_FILE_DIRTY)).toBe(64);
			expect(xa_marked(mapping, PAGECACHE_TAG_DIRTY)).toBe(true);
			expect(same(read(64 * PAGE), data)).toBe(true);
			forget();
			expect([node_state(NR_FILE_DIRTY), node_state(NR_WRITEBACK)]).toEqual([0,
				0]);
			expect(node_state(NR_WRITTEN)).toBe(64);
			expect(same(read(64 * PAGE), data)).toBe(true);
			expect(same(read(5000, 4 * PAGE + 123),
				data.subarray(4 * PAGE + 123).slice(0, 5000))).toBe(true);
		});

		test('a write of a part of a page keeps the rest', () => {
			const data = pattern(64 * PAGE, 2), patch = pattern(3 * PAGE, 3);

			write(data);
			forget();
			expect(write(patch, 10 * PAGE + 1000)).toBe(patch.length);
			data.set(patch, 10 * PAGE + 1000);
			forget();
			expect(same(read(64 * PAGE), data)).toBe(true);
		});

		test('cut and grown again it has zeros behind the cut', () => {
			const data = pattern(64 * PAGE, 4);

			write(data);
			forget();
			expect(diskfs_setsize(inode, 7 * PAGE + 5)).toBe(0);
			expect(read(64 * PAGE).length).toBe(7 * PAGE + 5);
			forget();
			expect(diskfs_setsize(inode, 64 * PAGE)).toBe(0);
			data.fill(0, 7 * PAGE + 5);
			expect(same(read(64 * PAGE), data)).toBe(true);
		});

		test('mapped shared, written through page tables and written back', () => {
			const addr = vm_mmap_pgoff(file, 0, 64 * PAGE, RW, MAP_SHARED, 0);

			for (let i = 0; i < 64; i += 3)
				write32(addr + i * PAGE + 4 * i, i + 1);
			expect(node_state(NR_FILE_DIRTY)).toBe(22);
			expect(filemap_write_and_wait(mapping)).toBe(0);
			for (let i = 0; i < 64; i++)
				expect(blkdev_peek(bdev, i, i)).toBe(i % 3 ? 0 : i + 1);
			/* page_mkclean(): the next write must be noticed too */
			expect(node_state(NR_FILE_DIRTY)).toBe(0);
			write32(addr + 12, 99);
			expect(node_state(NR_FILE_DIRTY)).toBe(1);
			sys_munmap(addr, 64 * PAGE);
			forget();
			expect(new Int32Array(read(16).slice().buffer)[3]).toBe(99);
		});

		test('mapped private, nobody else sees the writes', () => {
			const data = pattern(64 * PAGE, 5);
			write(data);
			forget();
			const addr = vm_mmap_pgoff(file, 0, 64 * PAGE, RW, MAP_PRIVATE, 0);

			write32(addr + 3 * PAGE, 1);
			expect(read32(addr + 3 * PAGE)).toBe(1);
			expect(read32(addr + 3 * PAGE + 4)).toBe(
				new DataView(data.buffer).getInt32(3 * PAGE + 4, true));
			expect(same(read(64 * PAGE), data)).toBe(true);
			expect(node_state(NR_FILE_DIRTY)).toBe(0);
		});

		test('is gone when the last one closes the unlinked file', () => {
			write(pattern(10 * PAGE, 6));
			filemap_write_and_wait(mapping);
			read(PAGE);
			diskfs_unlink(inode);
			expect(read(PAGE).length).toBe(PAGE);
			fput(file);
			expect(inodes.i_mapping[inode]).toBe(0);
			expect(node_state(NR_FILE_PAGES)).toBe(0);
		});
	});

test('a file does not outgrow its room', () => {
	expect(write(pattern(10, 1), 256 * PAGE - 5)).toBe(5);
	expect(write(pattern(10, 1), 256 * PAGE)).toBe(-ENOSPC);
	expect(diskfs_setsize(inode, 257 * PAGE)).toBe(-ENOSPC);
	expect(write(pattern(10, 1), 256 * PAGE - 10)).toBe(10);
});

describe('readahead', () => {
	/*
	 * ra_pages 32 (128 KiB). Of one page at 0, get_init_ra_size(1, 32): 1 <= 32 / 32, so 4, of
	 * which 3 are ahead: the mark is on page 1. There 4..11 are read (get_next_ra_size: 2 * 4),
	 * with the mark on 4, then 12..27, then 28..59 and so on, at most 32.
	 */
	test('doubles its window as a sequential read goes on', () => {
		const seen: number[] = [];

		for (let i = 0; i < 64; i++) {
			read(PAGE, i * PAGE);
			seen.push(cached());
		}
		const expected = Array.from({ length: 64 }, (_, i) =>
			i < 1 ? 4 : i < 4 ? 12 : i < 12 ? 28 : i < 28 ? 60 : 64);
		expect(seen).toEqual(expected);
	});

	test('get_init_ra_size', () => {
		/* [size, max, first window] by the function's three cases */
		for (const [size, max, window] of [[1, 32, 4], [2, 32, 4], [3, 32, 8], [4, 32, 8],
			[8, 32, 16], [9, 32, 32], [32, 32, 32], [1, 16, 2]] as const)
			expect(get_init_ra_size(size, max)).toBe(window);
	});

	test('a random read reads no more than it must', () => {
		read(PAGE, 40 * PAGE);
		expect(cached()).toBe(1);
		read(PAGE, 20 * PAGE);
		expect(cached()).toBe(2);
	});

	/* do_sync_mmap_readahead(): ra_pages around the fault; nothing near it is a miss then */
	test('a fault reads around', () => {
		const addr = vm_mmap_pgoff(file, 0, 64 * PAGE, PROT_READ, MAP_SHARED, 0);

		read32(addr + 40 * PAGE);
		expect(vm_event(PGMAJFAULT)).toBe(1);
		expect(cached()).toBe(32);
		expect([23, 24, 55, 56].map((i) => xa_load(mapping, i) !== 0))
			.toEqual([false, true, true, false]);
		for (let i = 24; i < 56; i++)
			read32(addr + i * PAGE);
		expect(vm_event(PGMAJFAULT)).toBe(1);
	});

	test('reads no page twice', () => {
		create(64, BLKDEV_DISK);
		for (let i = 0; i < 64; i++)
			read(PAGE, i * PAGE);
		read(64 * PAGE);
		expect(vm_event(PGPGIN)).toBe(64 * 8);
	});
});

describe('a disk that takes its time', () => {
	beforeEach(() => create(64, BLKDEV_DISK));

	test('pages are under writeback until it is done', () => {
		const data = pattern(8 * PAGE, 7);
		write(data);
		expect(flush_dirty_pages(WB_SYNC_NONE)).toBe(0);
		expect(blk_pending()).toBe(8);
		expect([node_state(NR_FILE_DIRTY), node_state(NR_WRITEBACK)]).toEqual([0, 8]);
		expect(xa_marked(mapping, PAGECACHE_TAG_WRITEBACK)).toBe(true);
		expect(blk_complete(3)).toBe(3);
		expect(node_state(NR_WRITEBACK)).toBe(5);
		const [third, fourth] = [2, 3].map((i) => find_get_page(mapping, i));
		expect([PageWriteback(third!), PageWriteback(fourth!)]).toEqual([false, true]);
		put_page(third!);
		put_page(fourth!);
		/* dirtied again while it is written: written once more */
		write(pattern(PAGE, 8), 5 * PAGE);
		data.set(pattern(PAGE, 8), 5 * PAGE);
		expect(node_state(NR_FILE_DIRTY)).toBe(1);
		expect(flush_dirty_pages(WB_SYNC_ALL)).toBe(0);
		expect(blk_pending()).toBe(0);
		expect(xa_marked(mapping, PAGECACHE_TAG_WRITEBACK)).toBe(false);
		forget();
		expect(same(read(8 * PAGE), data)).toBe(true);
	});

	test('truncation waits for it', () => {
		write(pattern(8 * PAGE, 9));
		flush_dirty_pages(WB_SYNC_NONE);
		truncate_setsize(inode, 0);
		expect(blk_pending()).toBe(0);
		expect([cached(), node_state(NR_WRITEBACK)]).toEqual([0, 0]);
	});

	test('an error is told once by fsync, and on reading', () => {
		write(pattern(4 * PAGE, 10));
		bdevs.error[bdev] = -EIO;
		expect(filemap_write_and_wait(mapping)).toBe(-EIO);
		expect(filemap_write_and_wait(mapping)).toBe(0);
		invalidate_mapping_pages(mapping, 0, 10);
		expect(generic_file_read_iter(file, { v: 20 * PAGE },
			buffer_iter(new Uint8Array(10))))
			.toBe(-EIO);
		bdevs.error[bdev] = 0;
		expect(read(10, 20 * PAGE).length).toBe(10);
	});
});

describe('invalidation', () => {
	test('takes clean pages that nobody maps, and clears shadows', () => {
		read(64 * PAGE);
		write(pattern(PAGE, 11), 7 * PAGE);
		const addr = vm_mmap_pgoff(file, 0, PAGE, PROT_READ, MAP_SHARED, 0);
		read32(addr);
		sys_munmap(addr, PAGE);
		const mapped = vm_mmap_pgoff(file, 0, PAGE, PROT_READ, MAP_SHARED, 9);
		read32(mapped);
		lru_add_drain_all();
		/* the fault mapped what is around it in the vma: one page */
		expect(invalidate_mapping_pages(mapping, 0, 63)).toBe(62);
		expect([7, 9, 10].map((i) => xa_load(mapping, i) !== 0)).toEqual([true, true,
			false]);
		expect(cached()).toBe(2);
		for (let i = 0; i < 64; i++)
			expect(xa_is_value(xa_load(mapping, i))).toBe(false);
		filemap_write_and_wait(mapping);
		expect(invalidate_inode_pages2(mapping)).toBe(0);
		expect(cached()).toBe(0);
		expect(read32(mapped)).toBe(0);
	});

	test('truncation takes all, dirty or mapped, and makes the rest of a page zeros', () => {
		const data = pattern(64 * PAGE, 12);
		write(data);
		const addr = vm_mmap_pgoff(file, 0, 64 * PAGE, PROT_READ, MAP_SHARED, 0);
		for (let i = 0; i < 64; i++)
			read32(addr + i * PAGE);
		truncate_setsize(inode, 20 * PAGE + 8);
		expect(cached()).toBe(21);
		expect(node_state(NR_FILE_DIRTY)).toBe(21);
		expect(() => read32(addr + 21 * PAGE)).toThrow(/fault/);
		expect(read32(addr + 20 * PAGE + 8)).toBe(0);
		expect(read32(addr + 20 * PAGE + 4)).toBe(
			new DataView(data.buffer).getInt32(20 * PAGE + 4, true));
	});
});

describe('accesses', () => {
	const flags = (index: number) => {
		const page = find_get_page(mapping, index);
		put_page(page);
		return [PageReferenced(page), PageActive(page)];
	};

	/* mark_page_accessed(): once referenced, twice active; small reads of one page are one */
	test('a page read twice is active', () => {
		read(PAGE, 0);
		lru_add_drain_all();
		expect(flags(0)).toEqual([true, false]);
		expect(flags(2)).toEqual([false, false]);
		/* at the same place as the last read began: still the same access */
		read(100, 0);
		expect(flags(0)).toEqual([true, false]);
		read(100, 8 * PAGE);
		read(100, 0);
		lru_add_drain_all();
		expect(flags(0)).toEqual([false, true]);
	});

	test('small reads in sequence are one access', () => {
		for (let pos = 0; pos < PAGE; pos += 512)
			read(512, pos);
		lru_add_drain_all();
		expect(flags(0)).toEqual([true, false]);
	});

	test('a page that was read ahead is marked where the next window starts', () => {
		read(PAGE, 0);
		const page = find_get_page(mapping, 1);
		expect(PageReadahead(page)).toBe(true);
		put_page(page);
	});
});

describe('dirty limits', () => {
	/* 10 and 20 percent of what is free or file pages, in 4096ths */
	test('are parts of the memory that can be dirty', () => {
		const background: out<number> = { v: 0 }, dirty: out<number> = { v: 0 };

		global_dirty_limits(background, dirty);
		expect(background.v / dirty.v).toBeCloseTo(409 / 819, 2);
		vm_dirty_bytes.v = 40 * PAGE + 1;
		global_dirty_limits(background, dirty);
		expect(dirty.v).toBe(41);
		expect(background.v).toBe(20);
	});

	test('beyond them a node is full, and the flusher is wanted', () => {
		write(pattern(40 * PAGE, 13));
		node_state(NR_FILE_DIRTY);
		expect([node_dirty_ok(NODE_DATA(0)), flusher_wanted.v]).toEqual([true, 0]);
		vm_dirty_bytes.v = 16 * PAGE;
		write(pattern(64 * PAGE, 14));
		write(pattern(64 * PAGE, 14), 64 * PAGE);
		expect([node_dirty_ok(NODE_DATA(0)), flusher_wanted.v]).toEqual([false, 1]);
		flush_dirty_pages(WB_SYNC_NONE);
		node_state(NR_FILE_DIRTY);
		expect([node_dirty_ok(NODE_DATA(0)), flusher_wanted.v]).toEqual([true, 0]);
		const page = find_get_page(mapping, 0);
		expect(PageDirty(page)).toBe(false);
		put_page(page);
		expect(files.f_count[file]).toBe(1);
	});
});
