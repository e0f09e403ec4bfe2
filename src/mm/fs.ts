// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inodes and open files, in place of fs/inode.c, fs/file_table.c and include/linux/fs.h, v5.10.
 * There are no directories: an inode with links is a file on a disk that somebody can open, one
 * without goes with its last reference.
 */
import { VM_BUG_ON } from '../lib/bug.ts';
import { EBUSY, EPERM } from '../lib/errno.ts';
import { INIT_LIST_HEAD } from '../lib/list.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc } from '../lib/struct.ts';
import { xa_empty } from '../lib/xarray.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { DISKFS_AOPS, SHMEM_AOPS } from './a_ops.ts';
import { bdevs } from './blkdev.ts';
import { diskfs_bdev, diskfs_evict_inode } from './diskfs.ts';
import { GFP_HIGHUSER_MOVABLE } from './gfp.ts';
import { address_spaces, files, inodes, NULL, type address_space, type file, type inode, type page }
	from './mm_types.ts';
import { shmem_evict_inode } from './shmem.ts';

export const S_IFREG = 0o100000, S_IRWXUGO = 0o777;
/* file->f_mode */
export const FMODE_READ = 0x1, FMODE_WRITE = 0x2, FMODE_RANDOM = 0x1000;
/* file->f_flags */
export const O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2;
/** Pages that a disk is read ahead at most: 128 KiB. */
export const VM_READAHEAD_PAGES = 128 * 1024 / PAGE_SIZE;
/**
 * bdi->io_pages: pages of the largest request of a device that says nothing of it, as brd: 255
 * sectors (BLK_SAFE_MAX_SECTORS); a forced readahead is of so many at most.
 */
export const BDI_IO_PAGES = Math.floor(255 / (PAGE_SIZE / 512));
/* inodes.i_sb */
export const SHMEM_SB = 1, DISKFS_SB = 2;

const { i_mmap_writable } = address_spaces;
const last_ino = global_s32('last_ino');
/** Physical memory by bytes; a page starts at pfn * 4096. */
export const ram_bytes = new Uint8Array(ram.buffer, ram.byteOffset, ram.byteLength);

/** @custom first byte of a page in ram_bytes: page_address() */
export function page_address(page: page): number {
	return (page << FRAME_WORDS_SHIFT >>> 0) * 4;
}

/** Clear bytes start to end - 1 of a page. @ported v5.10 include/linux/highmem.h */
export function zero_user_segment(page: page, start: number, end: number): void {
	const at = page_address(page);

	ram_bytes.fill(0, at + start, at + end);
}

/** A new inode with a mapping of its own, one reference; NULL for none left. @custom */
export function new_inode(i_sb: number): inode {
	const inode = kmem_cache_zalloc(inodes);

	if (!inode)
		return inode;
	const mapping = kmem_cache_zalloc(address_spaces);
	if (!mapping) {
		kmem_cache_free(inodes, inode);
		return NULL;
	}
	inodes.i_ino[inode] = ++last_ino.v;
	inodes.i_count[inode] = 1;
	inodes.i_nlink[inode] = 1;
	inodes.i_sb[inode] = i_sb;
	inodes.i_mapping[inode] = mapping;
	INIT_LIST_HEAD(inodes.swaplist(inode));
	address_spaces.host[mapping] = inode;
	address_spaces.gfp_mask[mapping] = GFP_HIGHUSER_MOVABLE;
	return inode;
}

/** @ported v5.10 fs/inode.c:ihold() */
export function ihold(inode: inode): void {
	inodes.i_count[inode]++;
}

/** One reference less; the last one of a file without links frees it. @custom fs/inode.c:iput() */
export function iput(inode: inode): void {
	if (!inode)
		return;
	VM_BUG_ON(inodes.i_count[inode] <= 0, `inode ${inode} is put once too often`);
	if (inodes.i_count[inode] > 1 || inodes.i_nlink[inode]) {
		inodes.i_count[inode]--;
		return;
	}
	const mapping = inodes.i_mapping[inode];

	if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
		shmem_evict_inode(inode);
	else if (address_spaces.a_ops[mapping] === DISKFS_AOPS)
		diskfs_evict_inode(inode);
	inodes.i_count[inode] = 0;
	clear_inode(inode, mapping);
}

/** @ported v5.10 fs/inode.c:clear_inode(), and the inode is freed */
function clear_inode(inode: inode, mapping: address_space): void {
	VM_BUG_ON(address_spaces.nrpages[mapping] !== 0, `inode ${inode} goes with pages left`);
	VM_BUG_ON(address_spaces.nrexceptional[mapping] !== 0, `inode ${inode} goes with shadows`);
	VM_BUG_ON(!xa_empty(mapping), `inode ${inode} goes with entries left`);
	VM_BUG_ON(address_spaces.i_mmap[mapping] !== 0, `inode ${inode} goes while mapped`);
	kmem_cache_free(address_spaces, mapping);
	kmem_cache_free(inodes, inode);
}

/** The file of a path that no longer exists. @ported v5.10 include/linux/fs.h */
export function clear_nlink(inode: inode): void {
	inodes.i_nlink[inode] = 0;
}

/** An open file; takes the caller's reference to the inode. NULL for none left. @custom */
export function alloc_file(inode: inode, flags: number): file {
	const file = kmem_cache_zalloc(files);

	if (!file)
		return file;
	files.f_count[file] = 1;
	files.f_flags[file] = flags;
	files.f_mode[file] = flags === O_RDWR ? FMODE_READ | FMODE_WRITE
		: flags === O_WRONLY ? FMODE_WRITE : FMODE_READ;
	files.f_inode[file] = inode;
	files.f_mapping[file] = inodes.i_mapping[inode];
	files.ra_pages[file] = inodes.i_sb[inode] === DISKFS_SB
		? bdevs.ra_pages[diskfs_bdev(inode)] : 0;
	files.ra_prev_pos[file] = -1;
	return file;
}

/** struct file_operations of files that have no inode: devices. */
export interface file_operations {
	/** The last reference is gone. */
	readonly release: (file: file) => void;
}
const file_ops: file_operations[] = [{ release: () => {} }];

/** Make operations known, when the module that has them loads. @custom C has pointers to code */
export function register_file_operations(ops: file_operations): number {
	return file_ops.push(ops) - 1;
}

/** A file without an inode, as anon_inode_getfile() makes. NULL for none left. @custom */
export function anon_file(f_op: number, private_data: number): file {
	const file = kmem_cache_zalloc(files);

	if (!file)
		return file;
	files.f_count[file] = 1;
	files.f_flags[file] = O_RDWR;
	files.f_op[file] = f_op;
	files.private_data[file] = private_data;
	return file;
}

/** @ported v5.10 include/linux/fs.h */
export function get_file(f: file): file {
	files.f_count[f]++;
	return f;
}

/** @custom fs/file_table.c:fput(): the last reference closes at once, not when the task returns */
export function fput(file: file): void {
	VM_BUG_ON(files.f_count[file] <= 0, `file ${file} is put once too often`);
	if (--files.f_count[file])
		return;
	const inode = files.f_inode[file], f_op = files.f_op[file];

	if (f_op)
		file_ops[f_op]!.release(file);
	kmem_cache_free(files, file);
	iput(inode);
}

/** @ported v5.10 include/linux/fs.h */
export function file_inode(f: file): inode {
	return files.f_inode[f];
}

/**
 * The device that a file is written back to, as a number; 0 for noop_backing_dev_info.
 * @custom include/linux/backing-dev.h:inode_to_bdi(): by the device itself
 */
export function inode_to_bdi(inode: inode): number {
	return inodes.i_sb[inode] === DISKFS_SB ? diskfs_bdev(inode) : 0;
}

/** Bytes. @ported v5.10 include/linux/fs.h */
export function i_size_read(inode: inode): number {
	return inodes.i_size[inode];
}

/** @ported v5.10 include/linux/fs.h */
export function i_size_write(inode: inode, i_size: number): void {
	inodes.i_size[inode] = i_size;
}

/** @ported v5.10 include/linux/fs.h */
export function mapping_mapped(mapping: address_space): boolean {
	return address_spaces.i_mmap[mapping] !== 0;
}

/** @ported v5.10 include/linux/fs.h */
export function mapping_writably_mapped(mapping: address_space): boolean {
	return i_mmap_writable[mapping] > 0;
}

/** 0, or -EPERM where a seal forbids it. @ported v5.10 include/linux/fs.h */
export function mapping_map_writable(mapping: address_space): number {
	if (i_mmap_writable[mapping] < 0)
		return -EPERM;
	i_mmap_writable[mapping]++;
	return 0;
}

/** @ported v5.10 include/linux/fs.h */
export function mapping_unmap_writable(mapping: address_space): void {
	i_mmap_writable[mapping]--;
}

/** 0, or -EBUSY while somebody can write. @ported v5.10 include/linux/fs.h */
export function mapping_deny_writable(mapping: address_space): number {
	if (i_mmap_writable[mapping] > 0)
		return -EBUSY;
	i_mmap_writable[mapping]--;
	return 0;
}

/** @ported v5.10 include/linux/fs.h */
export function mapping_allow_writable(mapping: address_space): void {
	i_mmap_writable[mapping]++;
}
