// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/swap_slots.c, v5.10: each CPU takes and returns slots in batches.
 * Left out: CPU hotplug, so the caches of all CPUs are made with the first swapon and stay.
 */
import { nr_cpu_ids, smp_processor_id } from './current.ts';
import { global_s32 } from '../lib/struct.ts';
import { mem_cgroup_try_charge_swap } from './memcontrol.ts';
import type { page, swp_entry_t } from './mm_types.ts';
import { PageTransHuge, thp_nr_pages } from './page_flags.ts';
import { get_nr_swap_pages, SWAP_SLOTS_CACHE_SIZE, swp_slots,
	THRESHOLD_ACTIVATE_SWAP_SLOTS_CACHE, THRESHOLD_DEACTIVATE_SWAP_SLOTS_CACHE,
	type swap_slots_cache } from './swap_types.ts';
import { get_swap_pages, has_usable_swap, put_swap_page, swapcache_free_entries }
	from './swapfile.ts';

const swap_slot_cache_active = global_s32('swap_slot_cache_active');
export const swap_slot_cache_enabled = global_s32('swap_slot_cache_enabled');
const swap_slot_cache_initialized = global_s32('swap_slot_cache_initialized');

const { allocated, slots, nr, cur, slots_ret, n_ret } = swp_slots;
/* entries on their way into a cache; dead when they are there */
const batch: swp_entry_t[] = new Array<swp_entry_t>(SWAP_SLOTS_CACHE_SIZE).fill(0);

/* what get_swap_pages() writes to on the C stack; dead when it has been read */
const one: swp_entry_t[] = [0];

const SLOTS_CACHE = 0x1, SLOTS_CACHE_RET = 0x2;

/** @custom per_cpu(swp_slots, cpu) as a row */
function per_cpu_slots(cpu: number): swap_slots_cache {
	return cpu + 1 as swap_slots_cache;
}

/** @ported v5.10 the macro of this name */
function use_swap_slot_cache(): boolean {
	return swap_slot_cache_active.v !== 0 && swap_slot_cache_enabled.v !== 0;
}

/** @ported v5.10 */
function deactivate_swap_slots_cache(): void {
	swap_slot_cache_active.v = 0;
	__drain_swap_slots_cache(SLOTS_CACHE | SLOTS_CACHE_RET);
}

/** @ported v5.10 */
function reactivate_swap_slots_cache(): void {
	swap_slot_cache_active.v = 1;
}

/** @ported v5.10 */
export function disable_swap_slots_cache_lock(): void {
	swap_slot_cache_enabled.v = 0;
	if (swap_slot_cache_initialized.v)
		__drain_swap_slots_cache(SLOTS_CACHE | SLOTS_CACHE_RET);
}

/** @ported v5.10 */
function __reenable_swap_slots_cache(): void {
	swap_slot_cache_enabled.v = has_usable_swap() ? 1 : 0;
}

/** @ported v5.10 */
export function reenable_swap_slots_cache_unlock(): void {
	__reenable_swap_slots_cache();
}

/** @ported v5.10 */
function check_cache_active(): boolean {
	if (!swap_slot_cache_enabled.v)
		return false;

	const pages = get_nr_swap_pages();
	if (!swap_slot_cache_active.v) {
		if (pages > nr_cpu_ids.v * THRESHOLD_ACTIVATE_SWAP_SLOTS_CACHE)
			reactivate_swap_slots_cache();
		return swap_slot_cache_active.v !== 0;
	}

	/* Too little left for every CPU to keep some back. */
	if (pages < nr_cpu_ids.v * THRESHOLD_DEACTIVATE_SWAP_SLOTS_CACHE)
		deactivate_swap_slots_cache();
	return swap_slot_cache_active.v !== 0;
}

/** @reduced cannot fail: the arrays are columns */
function alloc_swap_slot_cache(cpu: number): void {
	const cache = per_cpu_slots(cpu);

	if (allocated[cache])
		return;
	nr[cache] = 0;
	cur[cache] = 0;
	n_ret[cache] = 0;
	allocated[cache] = 1;
}

/** @reduced no CPU goes offline, so the arrays are never freed */
function drain_slots_cache_cpu(cpu: number, type: number): void {
	const cache = per_cpu_slots(cpu);
	const first = cache * SWAP_SLOTS_CACHE_SIZE;

	if ((type & SLOTS_CACHE) && allocated[cache]) {
		swapcache_free_entries(slots, first + cur[cache], nr[cache]);
		cur[cache] = 0;
		nr[cache] = 0;
	}
	if ((type & SLOTS_CACHE_RET) && allocated[cache]) {
		swapcache_free_entries(slots_ret, first, n_ret[cache]);
		n_ret[cache] = 0;
	}
}

/** @ported v5.10 */
function __drain_swap_slots_cache(type: number): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		drain_slots_cache_cpu(cpu, type);
}

/** @ported v5.10 */
export function enable_swap_slots_cache(): void {
	if (!swap_slot_cache_initialized.v) {
		for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
			alloc_swap_slot_cache(cpu);
		swap_slot_cache_initialized.v = 1;
	}
	__reenable_swap_slots_cache();
}

/** @ported v5.10 */
function refill_swap_slots_cache(cache: swap_slots_cache): number {
	if (!use_swap_slot_cache() || nr[cache])
		return 0;

	cur[cache] = 0;
	if (swap_slot_cache_active.v) {
		const first = cache * SWAP_SLOTS_CACHE_SIZE;

		nr[cache] = get_swap_pages(SWAP_SLOTS_CACHE_SIZE, batch, 1);
		for (let i = 0; i < nr[cache]; i++)
			slots[first + i] = batch[i]!;
	}
	return nr[cache];
}

/** A slot whose last user is gone; it keeps SWAP_HAS_CACHE until it is given back. @ported v5.10 */
export function free_swap_slot(entry: swp_entry_t): void {
	const cache = per_cpu_slots(smp_processor_id());

	if (use_swap_slot_cache() && allocated[cache]) {
		const first = cache * SWAP_SLOTS_CACHE_SIZE;

		if (n_ret[cache] >= SWAP_SLOTS_CACHE_SIZE) {
			/* All at once, which leaves fewer holes. */
			swapcache_free_entries(slots_ret, first, n_ret[cache]);
			n_ret[cache] = 0;
		}
		slots_ret[first + n_ret[cache]++] = entry;
	} else {
		one[0] = entry;
		swapcache_free_entries(one, 0, 1);
	}
}

/**
 * A slot, or a cluster of them for a huge page, charged to the page's memcg; 0 for none.
 * @ported v5.10
 */
export function get_swap_page(page: page): swp_entry_t {
	let entry = 0;

	out: {
		if (PageTransHuge(page)) {
			if (get_swap_pages(1, one, thp_nr_pages(page)))
				entry = one[0]!;
			break out;
		}

		const cache = per_cpu_slots(smp_processor_id());
		if (check_cache_active() && allocated[cache]) {
			repeat: for (;;) {
				if (nr[cache]) {
					const at = cache * SWAP_SLOTS_CACHE_SIZE + cur[cache]++;

					entry = slots[at]!;
					slots[at] = 0;
					nr[cache]--;
				} else if (refill_swap_slots_cache(cache)) {
					continue repeat;
				}
				break;
			}
			if (entry)
				break out;
		}

		if (get_swap_pages(1, one, 1))
			entry = one[0]!;
	}
	if (mem_cgroup_try_charge_swap(page, entry)) {
		put_swap_page(page, entry);
		entry = 0;
	}
	return entry;
}
