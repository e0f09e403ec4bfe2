// SPDX-License-Identifier: GPL-2.0-only
/* Files below /proc and /sys, by path: Linux's own names and formats. */
import { EACCES, EINVAL, ENOENT, ESRCH } from '../lib/errno.ts';
import { find_task_by_vpid } from '../mm/fork.ts';
import { fault_around_bytes, fault_around_bytes_set } from '../mm/memory.ts';
import type { task_struct } from '../mm/mm_types.ts';
import { page_idle_bitmap_read, page_idle_bitmap_write } from '../mm/page_idle.ts';
import { cgroupFile } from './cgroupfs.ts';
import { blockFile } from './disks.ts';
import { MachineError } from './errors.ts';
import { kpagecgroupBytes, kpagecountBytes, kpageflagsBytes, pageFileBytes } from './pageinfo.ts';
import { PID_FILES, PROC_FILES } from './procfs.ts';
import { vmSysctl } from './sysctl.ts';
import { traceFile } from './tracefs.ts';

/** A file that a path names. Operations that it lacks are refused with EACCES. */
export interface VirtualFile {
	/** Its whole text, or -errno. */
	readonly read?: () => string | number;
	/** Bytes of a binary file; fewer at its end. */
	readonly bytes?: (offset: number, length: number) => Uint8Array;
	/** Length of a binary file. */
	readonly size?: () => number;
	/** Bytes to a binary file: 0 or -errno. */
	readonly writeBytes?: (offset: number, bytes: Uint8Array) => number;
	/** 0 or -errno. */
	readonly write?: (text: string) => number;
}

/** mm/page_idle.c: a bit for each page */
export const PAGE_IDLE_BITMAP = '/sys/kernel/mm/page_idle/bitmap';

const faultAroundBytes: VirtualFile = {
	read: () => `${fault_around_bytes.v}\n`,
	write: (text) => {
		const digits = /^\s*(0x[0-9a-f]+|\d+)\s*$/i.exec(text);
		return digits ? fault_around_bytes_set(Number(digits[1])) : -EINVAL;
	},
};

const ofPages = (bytes: (offset: number, length: number) => Uint8Array): VirtualFile =>
	({ bytes, size: () => pageFileBytes() });

/* To look at its words changes the machine: it takes the accessed bits of pages that are idle. */
const pageIdleBitmap: VirtualFile = {
	bytes: (offset, length) => {
		const buf = new Uint8Array(length);
		return buf.subarray(0, Math.max(0, page_idle_bitmap_read(buf, offset)));
	},
	writeBytes: (offset, bytes) => Math.min(0, page_idle_bitmap_write(bytes, offset)),
};

const BINARY: Readonly<Record<string, VirtualFile>> = {
	'/proc/kpageflags': ofPages(kpageflagsBytes),
	'/proc/kpagecount': ofPages(kpagecountBytes),
	'/proc/kpagecgroup': ofPages(kpagecgroupBytes),
	[PAGE_IDLE_BITMAP]: pageIdleBitmap,
};

const CGROUP = '/sys/fs/cgroup/';
const TRACING = /^\/sys\/kernel\/(?:debug\/)?tracing\//;

/* What a path names, or -errno. */
function lookUp(path: string, reader: task_struct): VirtualFile | number {
	if (path.startsWith(CGROUP))
		return cgroupFile(path.slice(CGROUP.length));
	if (path.startsWith('/proc/sys/vm/'))
		return vmSysctl(path.slice('/proc/sys/vm/'.length));
	if (TRACING.test(path))
		return traceFile(path.replace(TRACING, ''));
	if (path === '/sys/kernel/debug/fault_around_bytes')
		return faultAroundBytes;
	if (path.startsWith('/sys/block/'))
		return blockFile(path) ?? -ENOENT;
	if (Object.hasOwn(BINARY, path))
		return BINARY[path]!;
	if (Object.hasOwn(PROC_FILES, path))
		return PROC_FILES[path]!;
	const ofTask = /^\/proc\/(\d+|self)\/([a-z_]+)$/.exec(path);
	if (!ofTask || !Object.hasOwn(PID_FILES, ofTask[2]!))
		return -ENOENT;
	const task = ofTask[1] === 'self' ? reader : find_task_by_vpid(Number(ofTask[1]));
	return task ? PID_FILES[ofTask[2]!]!(task) : -ESRCH;
}

function open(path: string, reader: task_struct): VirtualFile {
	const file = lookUp(path, reader);

	if (typeof file === 'number')
		throw new MachineError(path, -file);
	return file;
}

export function hasFile(path: string): boolean {
	return typeof lookUp(path, 0 as task_struct) !== 'number';
}

/** The text of a file. @throws MachineError */
export function readText(path: string, reader: task_struct): string {
	const text = open(path, reader).read?.() ?? -EACCES;

	if (typeof text === 'number')
		throw new MachineError(path, -text);
	return text;
}

const WORD = 8;

/**
 * Bytes of a file from an offset on; fewer at its end.
 * @throws MachineError EINVAL for a binary file if offset and length are not multiples of 8
 */
export function readBytes(
	path: string, reader: task_struct, offset: number, length: number,
): Uint8Array {
	const file = open(path, reader);

	if (!file.bytes)
		return new TextEncoder().encode(readText(path, reader))
			.subarray(offset, offset + length);
	if (!Number.isInteger(offset / WORD) || !Number.isInteger(length / WORD) || offset < 0)
		throw new MachineError(path, EINVAL);
	return file.bytes(offset, length);
}

/**
 * A file whole, one of words as its bytes.
 * @throws MachineError; EINVAL for one whose size nobody knows
 */
export function readWhole(path: string, reader: task_struct): string | Uint8Array {
	const { bytes, size } = open(path, reader);

	if (!bytes)
		return readText(path, reader);
	if (!size)
		throw new MachineError(path, EINVAL);
	return bytes(0, size());
}

/** Write words to a binary file; 0 or -errno. */
export function writeBytes(
	path: string, writer: task_struct, offset: number, bytes: Uint8Array,
): number {
	const file = lookUp(path, writer);

	return typeof file === 'number' ? file : file.writeBytes?.(offset, bytes) ?? -EACCES;
}

/** Write a file; 0 or -errno. */
export function writeText(path: string, writer: task_struct, text: string): number {
	const file = lookUp(path, writer);

	if (typeof file === 'number')
		return file;
	return file.write?.(text) ?? -EACCES;
}
