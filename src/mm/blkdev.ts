// SPDX-License-Identifier: GPL-2.0-only
/*
 * Block devices with contents, in place of block/, drivers/block/brd.c and fs/block_dev.c.
 *
 *	BLKDEV_RAM	brd: ->rw_page() is synchronous; a page of the device is a page of the
 *			machine's own RAM, allocated with GFP_NOIO when it is first written
 *	BLKDEV_PMEM	->rw_page() is synchronous; the contents cost the machine nothing
 *	BLKDEV_DISK	no ->rw_page(): bios queue, and complete in order when time passes
 *
 * All sectors here are page-sized.
 */
import { carve, copy_words, DISK_BYTES_MAX } from '../lib/arena.ts';
import { BUG, BUG_ON } from '../lib/bug.ts';
import { ENOMEM, EOPNOTSUPP } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add_tail, list_del, list_empty } from '../lib/list.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc, list, list_heads, s32, struct, to, u8,
	use_rows, type ptr } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { clear_frame, FRAME_WORDS, FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { end_buffer_async_read, end_buffer_read_sync } from './buffer.ts';
import { __read_end_io, ext4_end_bio } from './ext4.ts';
import { page_endio } from './filemap.ts';
import { VM_READAHEAD_PAGES } from './fs.ts';
import { __GFP_HIGHMEM, __GFP_ZERO, GFP_NOIO } from './gfp.ts';
import { alloc_page } from './page_alloc.ts';
import { end_swap_bio_read, end_swap_bio_write } from './page_io.ts';
import { pages, type page } from './mm_types.ts';
import { end_page_writeback, unlock_page } from './pagemap.ts';
import { set_page_writeback, type writeback_control } from './page-writeback.ts';
import type { block_device } from './swap_types.ts';
import { count_vm_events, PGPGIN, PGPGOUT } from './vmstat.ts';

export type { block_device } from './swap_types.ts';
export type bio = ptr<'bio'>;

export const BLKDEV_RAM = 1, BLKDEV_PMEM = 2, BLKDEV_DISK = 3;

/** Contents of all devices together, in pages. */
export const DISK_PAGES_MAX = DISK_BYTES_MAX / PAGE_SIZE;

export const bdevs = struct<block_device>()('block_device', 64, {
	/* BLKDEV_* */
	kind: s32,
	/* in pages */
	size: s32,
	/* QUEUE_FLAG_NONROT */
	nonrot: u8,
	/* bd_disk->node_id; -1 NUMA_NO_NODE */
	node_id: s32,
	/* where its pages start in block_map */
	map_base: s32,
	/* 1 while it holds swap or a file system: FMODE_EXCL */
	claimed: u8,
	/* pages given out to files */
	fs_used: s32,
	/* disk->first_minor: /dev/ramN */
	minor: s32,
	/* bdi->ra_pages: how far a file that is opened now is read ahead; bdi->io_pages stays */
	ra_pages: s32,
	/* what the I/O of a BLKDEV_DISK fails with, 0 or -errno: a broken device */
	error: s32,
});

export const REQ_OP_READ = 0, REQ_OP_WRITE = 1;

/* bio->bi_end_io */
export const END_SWAP_BIO_WRITE = 1, END_SWAP_BIO_READ = 2, EXT4_MPAGE_END_IO = 3,
	EXT4_END_BIO = 4, BH_END_READ_SYNC = 5, BH_END_READ_ASYNC = 6;
export const bios = struct<bio>()('bio', 1 << 16, {
	bi_bdev: to<block_device>(),
	/* in pages */
	bi_sector: s32,
	bi_page: to<page>(),
	bi_op: u8,
	bi_end_io: u8,
	/* 0 or -errno */
	bi_status: s32,
	queuelist: list,
});
/* What vm events count: 512 bytes each. */
const SECTORS_OF_PAGE = PAGE_SIZE / 512;
type blk_queue = ptr<'blk_queue'>;
const blk_queues = struct<blk_queue>()('blk_queue', 2, { head: list, nr: s32 });
const QUEUE = 1 as blk_queue;
const queue = blk_queues.head(QUEUE);

/** Elements of block_map in use; blocks of the pool in use, block 0 among them. */
const block_map_used = global_s32('blkdev.block_map_used');
const blocks_used = global_s32('blkdev.blocks_used');
/* What holds each page of each device: a pfn for BLKDEV_RAM, else a block; 0: zeros. */
const block_map = carve('blkdev.block_map', Int32Array, DISK_PAGES_MAX, () => block_map_used.v);
const blocks = carve('blkdev.blocks', Int32Array, DISK_PAGES_MAX << FRAME_WORDS_SHIFT,
	() => blocks_used.v << FRAME_WORDS_SHIFT, FRAME_WORDS);

/** Boot: no device, nothing queued. @custom */
export function blkdev_init(): void {
	use_rows(blk_queues, 2);
	INIT_LIST_HEAD(queue);
	blocks_used.v = 1;
}

/**
 * Add a block device.
 * @custom
 * @param kind BLKDEV_*
 * @param nr_pages its size; all zeros at first
 * @param nonrot seeks are cheap; always so but for BLKDEV_DISK
 * @param node_id NUMA node it is attached to, -1 for none
 * @returns NULL where not so much is left
 */
export function blkdev_add(
	kind: number, nr_pages: number, nonrot = true, node_id = -1,
): block_device {
	if (block_map_used.v + nr_pages > DISK_PAGES_MAX)
		return 0 as block_device;
	const bdev = kmem_cache_zalloc(bdevs);
	if (!bdev)
		return bdev;
	bdevs.kind[bdev] = kind;
	bdevs.size[bdev] = nr_pages;
	bdevs.nonrot[bdev] = kind !== BLKDEV_DISK || nonrot ? 1 : 0;
	bdevs.node_id[bdev] = node_id;
	bdevs.map_base[bdev] = block_map_used.v;
	bdevs.minor[bdev] = bdev - 1;
	bdevs.ra_pages[bdev] = VM_READAHEAD_PAGES;
	block_map_used.v += nr_pages;
	return bdev;
}

/** @custom block/blk-settings.h:blk_queue_nonrot() of a device */
export function bdev_nonrot(bdev: block_device): boolean {
	return bdevs.nonrot[bdev] !== 0;
}

/** @custom whether bdev->bd_disk->fops->rw_page is there */
export function bdev_has_rw_page(bdev: block_device): boolean {
	return bdevs.kind[bdev] !== BLKDEV_DISK;
}

/**
 * Where the words of a page of the device are in its array; -1 for zeros never written.
 * @custom the place of brd_lookup_page()
 */
function contents_at(bdev: block_device, sector: number): number {
	if (sector < 0 || sector >= bdevs.size[bdev])
		BUG(`page ${sector} lies beyond block device ${bdev}`);
	const block = block_map[bdevs.map_base[bdev] + sector]!;

	return block === 0 ? -1 : block << FRAME_WORDS_SHIFT;
}

/**
 * Something to hold the page. 0 or -ENOMEM.
 * @custom brd_insert_page() for a ram disk, a block of the pool for others
 */
function insert_page(bdev: block_device, sector: number): number {
	const at = bdevs.map_base[bdev] + sector;

	if (block_map[at])
		return 0;
	if (bdevs.kind[bdev] === BLKDEV_RAM) {
		const page = alloc_page(GFP_NOIO | __GFP_ZERO | __GFP_HIGHMEM);

		if (!page)
			return -ENOMEM;
		pages.index[page] = sector;
		block_map[at] = page;
		return 0;
	}
	block_map[at] = blocks_used.v++;
	return 0;
}

/** Copy a page of RAM to the device; 0 or -errno. @custom */
export function blkdev_write(bdev: block_device, sector: number, page: page): number {
	contents_at(bdev, sector);
	const err = bdevs.error[bdev] || insert_page(bdev, sector);

	if (err)
		return err;
	const at = contents_at(bdev, sector), from = page << FRAME_WORDS_SHIFT;
	if (bdevs.kind[bdev] === BLKDEV_RAM)
		ram.copyWithin(at, from, from + FRAME_WORDS);
	else
		copy_words(blocks, at, ram, from, FRAME_WORDS);
	return 0;
}

/** Copy a page of the device to a page of RAM; 0 or -errno. @custom */
export function blkdev_read(bdev: block_device, sector: number, page: page): number {
	const at = contents_at(bdev, sector), to = page << FRAME_WORDS_SHIFT;

	if (bdevs.error[bdev])
		return bdevs.error[bdev];
	if (at < 0)
		clear_frame(page);
	else if (bdevs.kind[bdev] === BLKDEV_RAM)
		ram.copyWithin(to, at, at + FRAME_WORDS);
	else
		copy_words(ram, to, blocks, at, FRAME_WORDS);
	return 0;
}

/**
 * Write words straight into a page of the device, as a user with the device open would: the header
 * that mkswap writes, or a file's contents before the machine runs. 0 or -errno.
 * @custom
 * @param first first word within the page
 */
export function blkdev_poke(
	bdev: block_device, sector: number, first: number, words: ArrayLike<number>,
): number {
	const err = insert_page(bdev, sector);

	if (err)
		return err;
	const to = bdevs.kind[bdev] === BLKDEV_RAM ? ram : blocks;
	to.set(words, contents_at(bdev, sector) + first);
	return 0;
}

/** Clear a page of the device from byte `from` on. @custom */
export function blkdev_clear(bdev: block_device, sector: number, from: number): void {
	const at = contents_at(bdev, sector);

	if (at < 0)
		return;
	const { buffer, byteOffset } = bdevs.kind[bdev] === BLKDEV_RAM ? ram : blocks;
	new Uint8Array(buffer, byteOffset + at * 4 + from, PAGE_SIZE - from).fill(0);
}

/** One word of a page of the device. @custom */
export function blkdev_peek(bdev: block_device, sector: number, word: number): number {
	const at = contents_at(bdev, sector);

	if (at < 0)
		return 0;
	return (bdevs.kind[bdev] === BLKDEV_RAM ? ram : blocks)[at + word]!;
}

/** Pages of the machine's RAM that a BLKDEV_RAM has taken. @custom */
export function blkdev_ram_pages(bdev: block_device): number {
	const base = bdevs.map_base[bdev];
	let nr = 0;

	for (let i = 0; i < bdevs.size[bdev]; i++)
		if (block_map[base + i])
			nr++;
	return bdevs.kind[bdev] === BLKDEV_RAM ? nr : 0;
}

/** @custom drivers/block/brd.c:brd_rw_page(), for all devices that have it */
function rw_page(bdev: block_device, sector: number, page: page, op: number): number {
	const err = op === REQ_OP_WRITE ? blkdev_write(bdev, sector, page)
		: blkdev_read(bdev, sector, page);

	page_endio(page, op === REQ_OP_WRITE, err);
	return err;
}

/**
 * The page is locked; once read, or when that failed, it is unlocked.
 * @ported v5.10 fs/block_dev.c:bdev_read_page()
 */
export function bdev_read_page(bdev: block_device, sector: number, page: page): number {
	if (!bdev_has_rw_page(bdev))
		return -EOPNOTSUPP;
	return rw_page(bdev, sector, page, REQ_OP_READ);
}

/**
 * The page is locked and clean; once written it is unlocked, and its writeback has ended.
 * @ported v5.10 fs/block_dev.c:bdev_write_page()
 */
export function bdev_write_page(
	bdev: block_device, sector: number, page: page, _wbc: writeback_control,
): number {
	if (!bdev_has_rw_page(bdev))
		return -EOPNOTSUPP;
	set_page_writeback(page);
	const result = rw_page(bdev, sector, page, REQ_OP_WRITE);
	if (result)
		end_page_writeback(page);
	else
		unlock_page(page);
	return result;
}

/** A bio of one page; NULL where none is left. @custom block/bio.c:bio_alloc() */
export function bio_alloc_page(
	bdev: block_device, sector: number, page: page, op: number, end_io: number,
): bio {
	const bio = kmem_cache_zalloc(bios);

	if (!bio)
		return bio;
	bios.bi_bdev[bio] = bdev;
	bios.bi_sector[bio] = sector;
	bios.bi_page[bio] = page;
	bios.bi_op[bio] = op;
	bios.bi_end_io[bio] = end_io;
	return bio;
}

/**
 * Hand a bio to its device. A synchronous device completes it at once.
 * @custom block/blk-core.c:submit_bio()
 */
export function submit_bio(bio: bio): void {
	count_vm_events(bios.bi_op[bio] === REQ_OP_WRITE ? PGPGOUT : PGPGIN, SECTORS_OF_PAGE);
	blk_queues.nr[QUEUE]++;
	list_add_tail(bios.queuelist(bio), queue);
	if (bdev_has_rw_page(bios.bi_bdev[bio]))
		complete(bio);
}

/** @custom the device's interrupt, and bio_endio() */
function complete(bio: bio): void {
	const { bi_bdev, bi_sector, bi_page, bi_op, bi_status, bi_end_io } = bios;

	list_del(bios.queuelist(bio));
	blk_queues.nr[QUEUE]--;
	bi_status[bio] = bi_op[bio] === REQ_OP_WRITE
		? blkdev_write(bi_bdev[bio], bi_sector[bio], bi_page[bio])
		: blkdev_read(bi_bdev[bio], bi_sector[bio], bi_page[bio]);
	switch (bi_end_io[bio]) {
	case END_SWAP_BIO_WRITE:
		end_swap_bio_write(bio);
		break;
	case END_SWAP_BIO_READ:
		end_swap_bio_read(bio);
		break;
	case EXT4_MPAGE_END_IO:
		__read_end_io(bi_page[bio], bi_status[bio]);
		break;
	case EXT4_END_BIO:
		ext4_end_bio(bi_page[bio], bi_status[bio]);
		break;
	case BH_END_READ_SYNC:
		end_buffer_read_sync(bi_page[bio], bi_status[bio] === 0);
		break;
	default:
		BUG_ON(bi_end_io[bio] !== BH_END_READ_ASYNC, `bio ${bio} has no bi_end_io`);
		end_buffer_async_read(bi_page[bio], bi_status[bio] === 0);
	}
	kmem_cache_free(bios, bio);
}

/** Bios that no device has completed yet. @custom */
export function blk_pending(): number {
	return blk_queues.nr[QUEUE];
}

/**
 * Let the devices complete up to n bios, the oldest first.
 * @custom
 * @returns how many they completed
 */
export function blk_complete(n: number): number {
	let done = 0;

	while (done < n && !list_empty(queue)) {
		complete(bios.queuelist.container_of(list_heads.next[queue]));
		done++;
	}
	return done;
}

/**
 * Who waits for a bit of page->flags to clear lets the devices work until it does.
 * @custom
 * @returns whether it did
 */
export function blk_wait_page_bit(page: page, bit: number): boolean {
	while ((pages.flags[page] & (1 << bit)) !== 0)
		if (blk_complete(1) === 0)
			return false;
	return true;
}
