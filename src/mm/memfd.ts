// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/memfd.c, v5.10
 * Left out: names, descriptors (they are the system calls' business), hugetlb.
 */
import { EINVAL, EPERM } from '../lib/errno.ts';
import { file_inode, FMODE_WRITE, mapping_deny_writable } from './fs.ts';
import { files, inodes, VM_NORESERVE, type file } from './mm_types.ts';
import { F_SEAL_FUTURE_WRITE, F_SEAL_GROW, F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_WRITE,
	shmem_file_setup, shmem_mapping } from './shmem.ts';

const F_ALL_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
	F_SEAL_FUTURE_WRITE;
export const MFD_CLOEXEC = 0x1, MFD_ALLOW_SEALING = 0x2;
const MFD_ALL_FLAGS = MFD_CLOEXEC | MFD_ALLOW_SEALING;

/**
 * memfd_create(2) without its descriptor: an empty file, or -errno.
 * @reduced files have no names here, and there is no hugetlb
 */
export function memfd_create(flags: number): number {
	if (flags & ~MFD_ALL_FLAGS)
		return -EINVAL;

	const file = shmem_file_setup(0, VM_NORESERVE);
	if (file < 0)
		return file;
	if (flags & MFD_ALLOW_SEALING)
		inodes.seals[file_inode(file as file)] &= ~F_SEAL_SEAL;
	return file;
}

/** fcntl(F_ADD_SEALS). 0 or -errno. @reduced no page is pinned but for the length of a call */
export function memfd_add_seals(file: file, new_seals: number): number {
	const inode = file_inode(file);

	if (!(files.f_mode[file] & FMODE_WRITE))
		return -EPERM;
	if (new_seals & ~F_ALL_SEALS)
		return -EINVAL;
	if (!shmem_mapping(files.f_mapping[file]))
		return -EINVAL;
	if (inodes.seals[inode] & F_SEAL_SEAL)
		return -EPERM;
	if ((new_seals & F_SEAL_WRITE) && !(inodes.seals[inode] & F_SEAL_WRITE)) {
		const error = mapping_deny_writable(files.f_mapping[file]);

		if (error)
			return error;
	}
	inodes.seals[inode] |= new_seals;
	return 0;
}

/** fcntl(F_GET_SEALS). @ported v5.10 */
export function memfd_get_seals(file: file): number {
	return shmem_mapping(files.f_mapping[file]) ? inodes.seals[file_inode(file)] : -EINVAL;
}
