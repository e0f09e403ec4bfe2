// SPDX-License-Identifier: GPL-2.0-only
/* include/linux/page-flags.h: enum pageflags of a 64-bit SMP kernel, in order. */

export const pageflag_names = [
	'locked', 'referenced', 'uptodate', 'dirty', 'lru', 'active', 'workingset', 'waiters',
	'error', 'slab', 'owner_priv_1', 'arch_1', 'reserved', 'private', 'private_2', 'writeback',
	'head', 'mappedtodisk', 'reclaim', 'swapbacked', 'unevictable', 'mlocked', 'uncached',
	'hwpoison', 'young', 'idle', 'arch_2',
] as const;
