// SPDX-License-Identifier: GPL-2.0-only
/*
 * What parts of the kernel that are not here answer to those that ask them: each what it answers
 * where nobody uses that part. So a caller has the kernel's own control flow.
 */
import type { gfp_t } from './gfp.ts';
import type { address_space, inode, task_struct } from './mm_types.ts';
import type { pglist_data, zone } from './mmzone.ts';

/** @custom fs/buffer.c: a buffer head costs no memory here, so they are never over their limit */
export const buffer_heads_over_limit = false;

/**
 * @custom include/linux/backing-dev.h:inode_write_congested(): in v5.10 only network file systems,
 * FUSE and packet writing say so of a device
 */
export function inode_write_congested(_inode: inode): boolean {
	return false;
}

/** @custom include/linux/backing-dev.h:bdi_write_congested(), as inode_write_congested() */
export function bdi_write_congested(_bdi: number): boolean {
	return false;
}

/** @custom include/linux/dax.h:dax_mapping(): no device is memory itself */
export function dax_mapping(_mapping: address_space): boolean {
	return false;
}

/** @custom include/linux/cpuset.h:cpuset_zone_allowed(): no cpuset keeps a task from a node */
export function cpuset_zone_allowed(_zone: zone, _gfp_mask: gfp_t): boolean {
	return true;
}

/** @custom include/linux/cgroup.h:cgroup_subsys_on_dfl(): memory is a controller of cgroup v2 */
export function cgroup_subsys_on_dfl(): boolean {
	return true;
}

/** @custom include/linux/freezer.h:try_to_freeze(): the machine is never suspended */
export function try_to_freeze(): boolean {
	return false;
}

/** @custom kernel/kthread.c:kthread_should_stop(): a node never goes offline */
export function kthread_should_stop(_task: task_struct): boolean {
	return false;
}

/**
 * @custom mm/compaction.c:wakeup_kcompactd(): it compacts for orders above 0, which no task asks
 * for
 */
export function wakeup_kcompactd(
	_pgdat: pglist_data, _order: number, _highest_zoneidx: number,
): void {
}
