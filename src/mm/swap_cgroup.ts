// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/swap_cgroup.c, v5.10
 * The ID of the memcg that each swap slot is charged to: one array over the slots of all devices,
 * where a device's start at its slot_base.
 * Left out: the pages that hold the kernel's map of each device.
 */
import { VM_BUG_ON } from '../lib/bug.ts';
import { swap_cgroup_ids, swap_cgroup_slots } from './memcontrol_types.ts';
import type { swp_entry_t } from './mm_types.ts';
import { swap_info, swap_infos, swap_slot } from './swap_types.ts';

/**
 * Replace the ID of a slot if it is `old`.
 * @returns old, or 0 where the slot has another
 * @ported v5.10
 */
export function swap_cgroup_cmpxchg(ent: swp_entry_t, old: number, id: number): number {
	const slot = swap_slot(ent);

	if (swap_cgroup_ids[slot] !== old)
		return 0;
	swap_cgroup_ids[slot] = id;
	return old;
}

/**
 * Record an ID for a run of slots that all have the same one until now.
 * @returns the ID before, 0 for none
 * @ported v5.10
 */
export function swap_cgroup_record(ent: swp_entry_t, id: number, nr_ents: number): number {
	const slot = swap_slot(ent);
	const old = swap_cgroup_ids[slot]!;

	for (let i = slot; i < slot + nr_ents; i++) {
		VM_BUG_ON(swap_cgroup_ids[i] !== old, 'swap_cgroup_record: slots of two memcgs');
		swap_cgroup_ids[i] = id;
	}
	return old;
}

/**
 * ID of the memcg that a slot is charged to, 0 for none.
 * @ported v5.10
 */
export function lookup_swap_cgroup_id(ent: swp_entry_t): number {
	return swap_cgroup_ids[swap_slot(ent)]!;
}

/**
 * A device comes into use; its slot_base is set.
 * @returns 0
 * @reduced allocates nothing, so it cannot fail
 */
export function swap_cgroup_swapon(type: number, max_pages: number): number {
	const base = swap_infos.slot_base[swap_info(type)];

	if (base + max_pages > swap_cgroup_slots.v)
		swap_cgroup_slots.v = base + max_pages;
	swap_cgroup_ids.fill(0, base, base + max_pages);
	return 0;
}

/**
 * A device goes out of use.
 * @reduced to nothing: all its slots are free by now, which makes their IDs 0
 */
export function swap_cgroup_swapoff(_type: number): void {}
