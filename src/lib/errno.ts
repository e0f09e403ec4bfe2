// SPDX-License-Identifier: GPL-2.0-only
/* include/uapi/asm-generic/errno*.h: the numbers that ports return, negated. */
export const EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EIO = 5, ENXIO = 6, E2BIG = 7,
	ENOEXEC = 8, EBADF = 9, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EFAULT = 14,
	EBUSY = 16, EEXIST = 17, ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23,
	EMFILE = 24, EFBIG = 27, ENOSPC = 28, EROFS = 30, ERANGE = 34, ENAMETOOLONG = 36,
	ENOSYS = 38, EOVERFLOW = 75, EOPNOTSUPP = 95, EHWPOISON = 133;

const NAMES: Readonly<Record<number, string>> = {
	[EPERM]: 'EPERM', [ENOENT]: 'ENOENT', [ESRCH]: 'ESRCH', [EINTR]: 'EINTR', [EIO]: 'EIO',
	[ENXIO]: 'ENXIO', [E2BIG]: 'E2BIG', [ENOEXEC]: 'ENOEXEC',
	[EBADF]: 'EBADF', [ECHILD]: 'ECHILD',
	[EAGAIN]: 'EAGAIN', [ENOMEM]: 'ENOMEM', [EACCES]: 'EACCES', [EFAULT]: 'EFAULT',
	[EBUSY]: 'EBUSY', [EEXIST]: 'EEXIST', [ENODEV]: 'ENODEV', [ENOTDIR]: 'ENOTDIR',
	[EISDIR]: 'EISDIR', [EINVAL]: 'EINVAL', [ENFILE]: 'ENFILE', [EMFILE]: 'EMFILE',
	[EFBIG]: 'EFBIG', [ENOSPC]: 'ENOSPC', [EROFS]: 'EROFS', [ERANGE]: 'ERANGE',
	[ENAMETOOLONG]: 'ENAMETOOLONG', [ENOSYS]: 'ENOSYS', [EOVERFLOW]: 'EOVERFLOW',
	[EOPNOTSUPP]: 'EOPNOTSUPP', [EHWPOISON]: 'EHWPOISON',
};

/** `ENOMEM` for 12 or -12; the number itself where it has no name here. */
export function errno_name(errno: number): string {
	return NAMES[Math.abs(errno)] ?? `errno ${Math.abs(errno)}`;
}
