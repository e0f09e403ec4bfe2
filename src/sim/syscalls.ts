// SPDX-License-Identifier: GPL-2.0-only
/*
 * System calls of the running task that are not a ported function themselves: those on file
 * descriptors and on tasks. Each returns a result or -errno, as the kernel's do.
 */
import { PAGE_SIZE } from '../arch/page.ts';
import { EBADF, EINVAL, EMFILE, ENOENT } from '../lib/errno.ts';
import { current } from '../mm/current.ts';
import { CLONE_PARENT, CLONE_VM, find_task_by_vpid, kernel_clone,
	set_task_comm } from '../mm/fork.ts';
import { alloc_file, file_inode, fput, get_file, ihold, iput, O_RDWR } from '../mm/fs.ts';
import { TASK_FILES, tasks, type file, type task_struct } from '../mm/mm_types.ts';
import { MAP_ANONYMOUS } from '../mm/mmap.ts';
import { memfd_create } from '../mm/memfd.ts';
import { shmem_setattr } from '../mm/shmem.ts';
import { vm_mmap } from '../mm/util.ts';
import { idlestCpu } from './actors.ts';

export { sys_madvise } from '../mm/madvise.ts';
export { sys_mlock, sys_mlock2, sys_munlock } from '../mm/mlock.ts';
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

/** ftruncate(2) of a memfd, to a length in bytes. */
export function sys_ftruncate(fd: number, length: number): number {
	const file = fget(current(), fd);

	if (!file)
		return -EBADF;
	if (length < 0)
		return -EINVAL;
	return shmem_setattr(file_inode(file), length);
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

/** fork(2), and the child names itself (prctl PR_SET_NAME): its row, or -errno. */
export function sys_fork(comm: string): number {
	const child = kernel_clone(0);

	if (child < 0)
		return child;
	tasks.cpu[child as task_struct] = idlestCpu();
	set_task_comm(child as task_struct, comm);
	return child;
}
