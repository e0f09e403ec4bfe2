// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's block devices as user space names them: /dev/ram0 for swap from boot on, /dev/ram1
 * with the file system that programs' files lie on, and further ones with swap. Each is there from
 * the moment on that somebody uses it: before that nobody can tell.
 */
import { EINVAL, ENODEV, ENOSPC } from '../lib/errno.ts';
import { global_s32, nr_rows } from '../lib/struct.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { BLKDEV_DISK, BLKDEV_RAM, bdevs, blk_complete, blk_pending, blkdev_add,
	type block_device } from '../mm/blkdev.ts';
import { VM_READAHEAD_PAGES } from '../mm/fs.ts';
import { mkswap, swapoff, swapon } from '../mm/swapfile.ts';
import type { VirtualFile } from './files.ts';

/** Bytes of /dev/ram0 unless a machine is told otherwise. */
export const SWAP_BYTES_DEFAULT = 64 * 1024 * 1024;
/** Pages of the device with the file system. */
export const FILES_PAGES = 64 * 1024 * 1024 / PAGE_SIZE;
/** /dev/ramN with the file system; the first further swap device is the next. */
export const FILES_MINOR = 1;

/* How devices do I/O: 0 at once, as a RAM disk; 1 later, when somebody waits or lets them. */
const io_later = global_s32('sim.io_later');
/* The device with the file system, 0 before its first use. */
const files_bdev = global_s32('sim.files_bdev');

/** Boot. */
export function disksInit(ioLater: boolean): void {
	io_later.v = ioLater ? 1 : 0;
}

/** A device of its own; 0 where there is no room for so much. */
function addDisk(nrPages: number, minor: number): block_device {
	const bdev = blkdev_add(io_later.v ? BLKDEV_DISK : BLKDEV_RAM, nrPages);

	if (bdev)
		bdevs.minor[bdev] = minor;
	return bdev;
}

/** The device of the file system; 0 where there is no room for it. */
export function filesDisk(): block_device {
	if (!files_bdev.v)
		files_bdev.v = addDisk(FILES_PAGES, FILES_MINOR);
	return files_bdev.v as block_device;
}

/** Make /dev/ramN with a swap header on it: 0 or -errno. */
export function addSwapDisk(nrPages: number, minor: number): number {
	const bdev = addDisk(nrPages, minor);

	if (!bdev)
		return -ENOSPC;
	return mkswap(bdev);
}

function diskOf(minor: number): block_device {
	for (let row = 1; row < nr_rows(bdevs); row++)
		if (bdevs.table.live[row] && bdevs.minor[row as block_device] === minor)
			return row as block_device;
	return 0 as block_device;
}

const SWAP_FLAG_PREFER = 0x8000, SWAP_PRIO_MAX = 0x7fff;

/** swapon(2) of /dev/ramN; the priority 0 to 32767, -1 for one below those there are. */
export function sys_swapon(minor: number, prio = -1): number {
	const bdev = diskOf(minor);

	if (!bdev)
		return -ENODEV;
	if (prio > SWAP_PRIO_MAX)
		return -EINVAL;
	return swapon(bdev, prio < 0 ? 0 : SWAP_FLAG_PREFER | prio);
}

/** swapoff(2) of /dev/ramN */
export function sys_swapoff(minor: number): number {
	const bdev = diskOf(minor);

	return bdev ? swapoff(bdev) : -ENODEV;
}

/** The devices complete up to n requests, the oldest first: how many. */
export function completeIo(n: number): number {
	return blk_complete(Math.min(n, blk_pending()));
}

const UINT_MAX = 0xffffffff;
const KB_PER_PAGE = PAGE_SIZE / 1024;
const READ_AHEAD = /^\/sys\/block\/ram(\d+)\/queue\/read_ahead_kb$/;

/** Files below /sys/block; undefined for another path. block/blk-sysfs.c:queue_ra_store() */
export function blockFile(path: string): VirtualFile | undefined {
	const minor = READ_AHEAD.exec(path)?.[1];
	const bdev = minor === undefined ? 0 as block_device : diskOf(Number(minor));

	if (minor === undefined || (!bdev && Number(minor) !== FILES_MINOR))
		return undefined;
	return {
		read: () => `${(bdev ? bdevs.ra_pages[bdev] : VM_READAHEAD_PAGES) * KB_PER_PAGE}\n`,
		write: (text) => {
			const digits = /^\+?(\d{1,15})\n?$/.exec(text);
			if (!digits || Number(digits[1]) > UINT_MAX)
				return -EINVAL;
			const target = bdev || filesDisk();
			if (!target)
				return -ENODEV;
			bdevs.ra_pages[target] = Math.floor(Number(digits[1]) / KB_PER_PAGE);
			return 0;
		},
	};
}
