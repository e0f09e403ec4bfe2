// SPDX-License-Identifier: GPL-2.0-only
/*
 * The head of an empty ext4 file system of one block group, with blocks of a page: what a guest
 * writes to a disk to mount it. No journal, so that writing a file's pages is all that happens to
 * them; with extents, so that the map of a file of one run lies in its inode, and no page of the
 * file's user is ever charged for it. fs/ext4/ext4.h, v5.10.
 */
import { PAGE_SIZE } from '../arch/page.ts';

/** Blocks of the file system, each a page: all that a group's bitmap has room for. */
export const EXT4_BLOCKS = PAGE_SIZE * 8;
const INODES = 1024, INODE_BYTES = 256;
const LOG_BLOCK = 2, FIRST_INO = 11, ROOT_INO = 2;

/* Where things lie, in blocks. */
const DESCRIPTORS = 1, BLOCK_BITMAP = 2, INODE_BITMAP = 3, INODE_TABLE = 4;
const ROOT_BLOCK = INODE_TABLE + INODES * INODE_BYTES / PAGE_SIZE;
/** Blocks in use: those of the head. */
export const EXT4_HEAD_BLOCKS = ROOT_BLOCK + 1;

const SUPER_BLOCK = 1024, EXT4_SUPER_MAGIC = 0xef53, EXT4_EXT_MAGIC = 0xf30a;
const FEATURE_INCOMPAT_FILETYPE = 0x2, FEATURE_INCOMPAT_EXTENTS = 0x40,
	FEATURE_RO_COMPAT_SPARSE_SUPER = 0x1, FEATURE_RO_COMPAT_EXTRA_ISIZE = 0x40;
const EXT4_EXTENTS_FL = 0x80000, S_IFDIR = 0o40000, EXT4_FT_DIR = 2;
const EXTRA_ISIZE = 32;

function superBlock(to: DataView): void {
	const u32 = (at: number, value: number): void => to.setUint32(at, value, true);
	const u16 = (at: number, value: number): void => to.setUint16(at, value, true);

	u32(0x00, INODES);
	u32(0x04, EXT4_BLOCKS);
	/* free: blocks, inodes */
	u32(0x0c, EXT4_BLOCKS - EXT4_HEAD_BLOCKS);
	u32(0x10, INODES - (FIRST_INO - 1));
	/* sizes of a block and a cluster, as a shift beyond 1 KiB */
	u32(0x18, LOG_BLOCK);
	u32(0x1c, LOG_BLOCK);
	/* of a group: blocks, clusters, inodes */
	u32(0x20, EXT4_BLOCKS);
	u32(0x24, EXT4_BLOCKS);
	u32(0x28, INODES);
	/* no number of mounts after which it wants to be checked */
	u16(0x36, 0xffff);
	u16(0x38, EXT4_SUPER_MAGIC);
	/* unmounted cleanly; errors: go on */
	u16(0x3a, 1);
	u16(0x3c, 1);
	/* EXT4_DYNAMIC_REV */
	u32(0x4c, 1);
	u32(0x54, FIRST_INO);
	u16(0x58, INODE_BYTES);
	u32(0x60, FEATURE_INCOMPAT_FILETYPE | FEATURE_INCOMPAT_EXTENTS);
	u32(0x64, FEATURE_RO_COMPAT_SPARSE_SUPER | FEATURE_RO_COMPAT_EXTRA_ISIZE);
	/* min_extra_isize, want_extra_isize */
	u16(0x15c, EXTRA_ISIZE);
	u16(0x15e, EXTRA_ISIZE);
}

function groupDescriptor(to: DataView): void {
	to.setUint32(0x00, BLOCK_BITMAP, true);
	to.setUint32(0x04, INODE_BITMAP, true);
	to.setUint32(0x08, INODE_TABLE, true);
	to.setUint16(0x0c, EXT4_BLOCKS - EXT4_HEAD_BLOCKS, true);
	to.setUint16(0x0e, INODES - (FIRST_INO - 1), true);
	/* directories */
	to.setUint16(0x10, 1, true);
}

/* Bits `from` to `to` - 1. */
function setBits(bitmap: Uint8Array, from: number, to: number): void {
	for (let bit = from; bit < to; bit++)
		bitmap[bit >> 3]! |= 1 << (bit & 7);
}

function rootInode(to: DataView): void {
	to.setUint16(0x00, S_IFDIR | 0o755, true);
	to.setUint32(0x04, PAGE_SIZE, true);
	/* links: its own and that of its parent, which it is */
	to.setUint16(0x1a, 2, true);
	/* in sectors of 512 bytes */
	to.setUint32(0x1c, PAGE_SIZE / 512, true);
	to.setUint32(0x20, EXT4_EXTENTS_FL, true);
	/* i_block: a header, one extent of at most four, in the inode itself */
	to.setUint16(0x28, EXT4_EXT_MAGIC, true);
	to.setUint16(0x2a, 1, true);
	to.setUint16(0x2c, 4, true);
	/* the extent: first block, length, where */
	to.setUint32(0x34, 0, true);
	to.setUint16(0x38, 1, true);
	to.setUint32(0x3c, ROOT_BLOCK, true);
	to.setUint16(0x80, EXTRA_ISIZE, true);
}

/* An entry of a directory; returns where the next one is. */
function directoryEntry(to: DataView, at: number, name: string, length: number): number {
	to.setUint32(at, ROOT_INO, true);
	to.setUint16(at + 4, length, true);
	to.setUint8(at + 6, name.length);
	to.setUint8(at + 7, EXT4_FT_DIR);
	[...name].forEach((letter, i) => to.setUint8(at + 8 + i, letter.charCodeAt(0)));
	return at + length;
}

/** The first EXT4_HEAD_BLOCKS blocks of an empty file system; all others are free. */
export function ext4Head(): Uint8Array {
	const bytes = new Uint8Array(EXT4_HEAD_BLOCKS * PAGE_SIZE);
	const at = (block: number, offset = 0, length = PAGE_SIZE - offset): DataView =>
		new DataView(bytes.buffer, block * PAGE_SIZE + offset, length);
	const bitmap = (block: number): Uint8Array =>
		bytes.subarray(block * PAGE_SIZE, (block + 1) * PAGE_SIZE);

	superBlock(at(0, SUPER_BLOCK));
	groupDescriptor(at(DESCRIPTORS));
	setBits(bitmap(BLOCK_BITMAP), 0, EXT4_HEAD_BLOCKS);
	/* those before the first one that a file can have; and what is no inode */
	setBits(bitmap(INODE_BITMAP), 0, FIRST_INO - 1);
	setBits(bitmap(INODE_BITMAP), INODES, EXT4_BLOCKS);
	rootInode(at(INODE_TABLE, (ROOT_INO - 1) * INODE_BYTES, INODE_BYTES));
	const root = at(ROOT_BLOCK), dot = 12;
	directoryEntry(root, directoryEntry(root, 0, '.', dot), '..', PAGE_SIZE - dot);
	return bytes;
}
