// SPDX-License-Identifier: GPL-2.0-only
/* /proc/sys/vm: kernel/sysctl.c's vm_table, with the range checks of its handlers. */
import { EACCES, EINVAL, ENOENT } from '../lib/errno.ts';
import { global_s32, type Global } from '../lib/struct.ts';
import { sysctl_max_map_count } from '../mm/mmap.ts';
import { sysctl_oom_kill_allocating_task, sysctl_panic_on_oom } from '../mm/oom_kill.ts';
import { dirty_background_bytes, dirty_background_ratio, laptop_mode, vm_dirty_bytes,
	vm_dirty_ratio, writeback_set_ratelimit } from '../mm/page-writeback.ts';
import { lowmem_reserve_ratio_sysctl_handler, min_free_kbytes, min_free_kbytes_sysctl_handler,
	percpu_pagelist_fraction, percpu_pagelist_fraction_sysctl_handler,
	sysctl_lowmem_reserve_ratio, watermark_boost_factor, watermark_scale_factor,
	watermark_scale_factor_sysctl_handler } from '../mm/page_alloc.ts';
import { lru_add_drain_all, page_cluster } from '../mm/swap.ts';
import { drop_pagecache } from '../mm/truncate.ts';
import { sysctl_admin_reserve_kbytes, sysctl_overcommit_memory, sysctl_overcommit_ratio,
	sysctl_user_reserve_kbytes } from '../mm/util.ts';
import { vm_swappiness } from '../mm/vmscan.ts';
import { vmstat_refresh } from '../mm/vmstat.ts';
import type { VirtualFile } from './files.ts';

const INT_MAX = 0x7fffffff;
/* The last value written, as the kernel's variables of the same name. */
const sysctl_drop_caches = global_s32('sysctl_drop_caches');

/*
 * _kstrtoul() as proc_get_long() uses it: a C number; white space around. Several fields are
 * possible where the variable is a vector.
 */
function parseNumbers(text: string): number[] | undefined {
	const fields = text.replaceAll('\0', '').trim().split(/[ \t\n]+/);
	const numbers = fields.map((field) => {
		const match = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(field);
		if (!match)
			return Number.NaN;
		const digits = match[2]!;
		const value = Number(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
		return match[1] ? -value : value;
	});

	return numbers.some(Number.isNaN) ? undefined : numbers;
}

/* One integer from least to most; what else a change brings with it is done by `set`. */
function integer(
	variable: Global, least: number, most: number,
	set: (value: number) => number = (value) => {
		variable.v = value;
		return 0;
	},
): VirtualFile {
	return {
		read: () => `${variable.v}\n`,
		write: (text) => {
			const [value] = parseNumbers(text) ?? [];
			if (value === undefined || value < least || value > most)
				return -EINVAL;
			return set(value);
		},
	};
}

/* Of the ratio and the bytes of a dirty limit the one written last counts, the other is 0. */
function dirtyLimit(variable: Global, other: Global, least: number, most: number): VirtualFile {
	return integer(variable, least, most, (value) => {
		if (value !== variable.v) {
			variable.v = value;
			other.v = 0;
			writeback_set_ratelimit();
		}
		return 0;
	});
}

const DIRTY_BYTES_MIN = 2 * 4096;

const vm_table: Readonly<Record<string, VirtualFile>> = {
	swappiness: integer(vm_swappiness, 0, 200),
	'page-cluster': integer(page_cluster, 0, INT_MAX),
	overcommit_memory: integer(sysctl_overcommit_memory, 0, 2),
	overcommit_ratio: integer(sysctl_overcommit_ratio, -INT_MAX - 1, INT_MAX),
	panic_on_oom: integer(sysctl_panic_on_oom, 0, 2),
	oom_kill_allocating_task: integer(sysctl_oom_kill_allocating_task, -INT_MAX - 1, INT_MAX),
	dirty_background_ratio: dirtyLimit(dirty_background_ratio, dirty_background_bytes, 0, 100),
	dirty_background_bytes: dirtyLimit(
		dirty_background_bytes, dirty_background_ratio, 1, Number.MAX_SAFE_INTEGER),
	dirty_ratio: dirtyLimit(vm_dirty_ratio, vm_dirty_bytes, 0, 100),
	dirty_bytes: dirtyLimit(
		vm_dirty_bytes, vm_dirty_ratio, DIRTY_BYTES_MIN, Number.MAX_SAFE_INTEGER),
	laptop_mode: integer(laptop_mode, 0, INT_MAX),
	max_map_count: integer(sysctl_max_map_count, 0, INT_MAX),
	min_free_kbytes: integer(min_free_kbytes, 0, INT_MAX, min_free_kbytes_sysctl_handler),
	watermark_boost_factor: integer(watermark_boost_factor, 0, INT_MAX),
	watermark_scale_factor: integer(
		watermark_scale_factor, 1, 1000, watermark_scale_factor_sysctl_handler),
	percpu_pagelist_fraction: integer(
		percpu_pagelist_fraction, 0, INT_MAX, percpu_pagelist_fraction_sysctl_handler),
	lowmem_reserve_ratio: {
		read: () => `${sysctl_lowmem_reserve_ratio.join('\t')}\n`,
		write: (text) => {
			const values = parseNumbers(text);
			return values ? lowmem_reserve_ratio_sysctl_handler(values) : -EINVAL;
		},
	},
	user_reserve_kbytes: integer(sysctl_user_reserve_kbytes, 0, Number.MAX_SAFE_INTEGER),
	admin_reserve_kbytes: integer(sysctl_admin_reserve_kbytes, 0, Number.MAX_SAFE_INTEGER),
	/* fs/drop_caches.c: bit 0 the page cache, bit 1 slab, bit 2 no message from now on */
	drop_caches: integer(sysctl_drop_caches, 1, 4, (value) => {
		sysctl_drop_caches.v = value;
		if (value & 1)
			drop_pagecache();
		return 0;
	}),
	/* mm/compaction.c: drains the LRU batches, and migrates nothing here */
	compact_memory: {
		read: () => -EACCES,
		write: () => {
			lru_add_drain_all();
			return 0;
		},
	},
	stat_refresh: {
		read: () => {
			const err = vmstat_refresh();
			return err || '';
		},
		write: () => vmstat_refresh(),
	},
};

/** A file of /proc/sys/vm by its name, or -ENOENT. */
export function vmSysctl(name: string): VirtualFile | number {
	return Object.hasOwn(vm_table, name) ? vm_table[name]! : -ENOENT;
}

/** Names of the files of /proc/sys/vm. */
export const VM_SYSCTLS: readonly string[] = Object.keys(vm_table);
