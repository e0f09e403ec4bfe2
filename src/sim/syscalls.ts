// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls of the running task that are not a ported function themselves: those on file
 * descriptors and on tasks. Each returns a result or -errno, as the kernel's do.
 */
import { PAGE_SIZE } from '../arch/page.ts';
import { EBADF, EFBIG, EINVAL, EMFILE, ENOENT, ENOSPC } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { current } from '../mm/current.ts';
import { CLONE_PARENT, CLONE_VM, find_task_by_vpid, kernel_clone,
	set_task_comm } from '../mm/fork.ts';
import { diskfs_create, diskfs_open, diskfs_setsize } from '../mm/diskfs.ts';
import { vfs_fadvise } from '../mm/fadvise.ts';
import { filemap_write_and_wait, generic_file_read_iter, generic_file_write_iter, type iov_iter }
	from '../mm/filemap.ts';
import { alloc_file, DISKFS_SB, file_inode, fput, get_file, ihold, iput, O_RDWR, page_address,
	ram_bytes } from '../mm/fs.ts';
import { TASK_FILES, files, inodes, tasks, type file, type inode, type page, type task_struct }
	from '../mm/mm_types.ts';
import { MAP_ANONYMOUS } from '../mm/mmap.ts';
import { memfd_create } from '../mm/memfd.ts';
import { do_pages_move } from '../mm/migrate.ts';
import { put_page } from '../mm/mm.ts';
import { PageUptodate } from '../mm/page_flags.ts';
import { find_get_page } from '../mm/pagemap.ts';
import { flush_dirty_pages, WB_SYNC_ALL } from '../mm/page-writeback.ts';
import { shmem_setattr } from '../mm/shmem.ts';
import { vm_mmap } from '../mm/util.ts';
import { idlestCpu } from './actors.ts';
import { filesDisk } from './disks.ts';

export { sys_madvise } from '../mm/madvise.ts';
export { sys_mlock, sys_mlock2, sys_mlockall, sys_munlock, sys_munlockall } from '../mm/mlock.ts';
export { sys_munmap } from '../mm/mmap.ts';
export { sys_mprotect } from '../mm/mprotect.ts';
export { sys_mremap } from '../mm/mremap.ts';

/** The open file of a descriptor of a task; 0 for none. */
export function fget(task: task_struct, fd: number): file {
	return (fd >= 0 && fd < TASK_FILES ? tasks.files[task * TASK_FILES + fd]! : 0) as file;
}

/* Install a file at the lowest free descriptor; it is put where there is none. */
export function fdInstall(file: file): number {
	const task = current();

	for (let fd = 0; fd < TASK_FILES; fd++) {
		if (tasks.files[task * TASK_FILES + fd])
			continue;
		tasks.files[task * TASK_FILES + fd] = file;
		return fd;
	}
	fput(file);
	return -EMFILE;
}

/** memfd_create(2): a descriptor. */
export function sys_memfd_create(flags: number): number {
	const file = memfd_create(flags);

	return file < 0 ? file : fdInstall(file as file);
}

/** Whether a file lies on a disk: the others are memfds. */
export function isDiskFile(file: file): boolean {
	return inodes.i_sb[file_inode(file)] === DISKFS_SB;
}

/** A descriptor of the running task for a file of the same inode, not that open file; or -1. */
export function fdOfInode(other: file): number {
	for (let fd = 0; fd < TASK_FILES; fd++) {
		const file = fget(current(), fd);
		if (file && file !== other && file_inode(file) === file_inode(other))
			return fd;
	}
	return -1;
}

/** Pages first to last of a task's file that are in memory: mm/mincore.c:mincore_page(). */
export function cachedPages(task: task_struct, fd: number, first: number, last: number): number {
	const file = fget(task, fd);
	let count = 0;

	for (let index = first; file && index <= last; index++) {
		const page = find_get_page(files.f_mapping[file], index);
		if (!page)
			continue;
		count += PageUptodate(page) ? 1 : 0;
		put_page(page);
	}
	return count;
}

/**
 * open(2) with O_CREAT of a new, empty file on the disk, for reading and writing: a descriptor.
 * @param bytesMax how large it may grow
 */
export function sys_creat(bytesMax: number): number {
	const bdev = filesDisk();
	const inode = bdev ? diskfs_create(bdev, 0, bytesMax) : 0 as inode;

	if (!inode)
		return -ENOSPC;
	const file = diskfs_open(inode);
	return file ? fdInstall(file) : -EMFILE;
}

/* Bytes go to and come from memory of the caller that needs no fault: `fill` is what is written. */
class user_buffer implements iov_iter {
	count: number;
	readonly #fill: (pgoff: number) => number;
	#pos: number;

	constructor(pos: number, count: number, fill: (pgoff: number) => number = () => 0) {
		this.#pos = pos;
		this.count = count;
		this.#fill = fill;
	}
	copy_page_to_iter(_page: page, _offset: number, nr: number): number {
		return nr;
	}
	copy_from_iter(page: page, offset: number, nr: number): number {
		const at = page_address(page) + offset;

		ram_bytes.fill(this.#fill(Math.floor(this.#pos / PAGE_SIZE)), at, at + nr);
		this.#pos += nr;
		return nr;
	}
}

/** pread(2) of a file on the disk: bytes read, or -errno. */
export function sys_pread(fd: number, count: number, pos: number): number {
	const file = fget(current(), fd);
	const ppos: out<number> = { v: pos };

	if (!file || !isDiskFile(file))
		return -EBADF;
	return generic_file_read_iter(file, ppos, new user_buffer(pos, count));
}

/**
 * pwrite(2) of a file on the disk: bytes written, or -errno.
 * @param fill the bytes of each page of the file, by its number
 */
export function sys_pwrite(
	fd: number, count: number, pos: number, fill: (pgoff: number) => number,
): number {
	const file = fget(current(), fd);
	const ppos: out<number> = { v: pos };

	if (!file || !isDiskFile(file))
		return -EBADF;
	return generic_file_write_iter(file, ppos, new user_buffer(pos, count, fill));
}

/** posix_fadvise(2), of a range in bytes. */
export function sys_fadvise(fd: number, offset: number, len: number, advice: number): number {
	const file = fget(current(), fd);

	return file ? vfs_fadvise(file, offset, len, advice) : -EBADF;
}

/** fsync(2) */
export function sys_fsync(fd: number): number {
	const file = fget(current(), fd);

	if (!file)
		return -EBADF;
	/* shmem has noop_fsync() */
	return isDiskFile(file) ? filemap_write_and_wait(files.f_mapping[file]) : 0;
}

/** sync(2): it tells of no error. */
export function sys_sync(): number {
	flush_dirty_pages(WB_SYNC_ALL);
	return 0;
}

/** ftruncate(2), to a length in bytes. */
export function sys_ftruncate(fd: number, length: number): number {
	const file = fget(current(), fd);

	if (!file)
		return -EBADF;
	if (length < 0)
		return -EINVAL;
	if (!isDiskFile(file))
		return shmem_setattr(file_inode(file), length);
	const err = diskfs_setsize(file_inode(file), length);
	return err === -ENOSPC ? -EFBIG : err;
}

/** close(2) */
export function sys_close(fd: number): number {
	const file = fget(current(), fd);

	if (!file)
		return -EBADF;
	tasks.files[current() * TASK_FILES + fd] = 0;
	fput(file);
	return 0;
}

/** open(2) of /proc/PID/fd/FD, for reading and writing: another open file of the same inode. */
export function sys_open_proc_fd(pid: number, fd: number): number {
	const task = find_task_by_vpid(pid);
	const file = task ? fget(task, fd) : 0 as file;

	if (!file)
		return -ENOENT;
	const inode = file_inode(file);
	ihold(inode);
	const opened = alloc_file(inode, O_RDWR);
	if (!opened) {
		iput(inode);
		return -EMFILE;
	}
	return fdInstall(opened);
}

/** mmap(2); the offset in bytes. */
export function sys_mmap(
	addr: number, len: number, prot: number, flags: number, fd: number, offset: number,
): number {
	if (offset % PAGE_SIZE !== 0)
		return -EINVAL;
	if (flags & MAP_ANONYMOUS)
		return vm_mmap(0 as file, addr, len, prot, flags, offset);
	const file = fget(current(), fd);
	if (!file)
		return -EBADF;
	get_file(file);
	try {
		return vm_mmap(file, addr, len, prot, flags, offset);
	} finally {
		fput(file);
	}
}

/** clone(2) of a thread, which names itself: its row, or -errno. */
export function sys_clone_thread(comm: string): number {
	const thread = kernel_clone(CLONE_VM | CLONE_PARENT);

	if (thread < 0)
		return thread;
	tasks.group_leader[thread as task_struct] = current();
	tasks.cpu[thread as task_struct] = idlestCpu();
	set_task_comm(thread as task_struct, comm);
	return thread;
}
/**
 * move_pages(2) of pages of the running task, one after another, to a node: 0, how many were not
 * moved, or -errno. What became of each page the caller could read from `status`.
 */
export function sys_move_pages(
	start: number, nrPages: number, node: number, flags: number,
	status = new Int32Array(nrPages),
): number {
	if (flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
		return -EINVAL;
	const addrs = Array.from({ length: nrPages }, (_, i) => start + i * PAGE_SIZE);
	return do_pages_move(tasks.mm[current()], addrs, addrs.map(() => node), status,
		(flags & MPOL_MF_MOVE_ALL) !== 0);
}
export const MPOL_MF_MOVE = 2, MPOL_MF_MOVE_ALL = 4;

/** fork(2), and the child names itself (prctl PR_SET_NAME): its row, or -errno. */
export function sys_fork(comm: string): number {
	const child = kernel_clone(0);

	if (child < 0)
		return child;
	tasks.cpu[child as task_struct] = idlestCpu();
	set_task_comm(child as task_struct, comm);
	return child;
}
