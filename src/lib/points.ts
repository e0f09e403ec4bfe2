// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scheduling points: places in the ports where another actor can run in the kernel and where that
 * matters. A point costs a load and a branch while nobody waits at any.
 */
import { carve } from './arena.ts';

/** Where a point is: KERNEL_FUNCTION.PLACE. */
export const POINTS = [
	'page_referenced.return',
	'page_check_references.return',
	'shrink_page_list.page_locked',
	'shrink_page_list.add_to_swap.return',
	'shrink_page_list.try_to_unmap.return',
	'shrink_page_list.pageout.return',
	'shrink_page_list.unlock',
	'shrink_inactive_list.putback',
	'shrink_active_list.putback',
	'rmap_walk.locked',
	'try_to_unmap_one.range_start.return',
	'try_to_unmap_one.pte_locked',
	'try_to_unmap_one.pte_cleared',
	'try_to_unmap_one.invalidate_page.return',
	'try_to_unmap_one.range_end',
	'try_to_unmap_flush',
	'isolate_lru_pages.return',
	'__remove_mapping',
	'do_swap_page.page_found',
	'wp_page_copy.copied',
	'handle_pte_fault',
	'__unmap_and_move.unmapped',
	'invalidate_range_start.return',
	'invalidate_range_end',
	'direct_page_fault.mmu_seq',
	'direct_page_fault.pfn',
	'fast_page_fault.cmpxchg',
	'paging64_page_fault.mmu_seq',
	'paging64_page_fault.pfn',
	'dmirror_range_fault.seq',
	'dmirror_range_fault.walked',
	'zapper_fault.page',
] as const;
export type PointName = typeof POINTS[number];

const POINTS_MAX = 256;
/* Statements waiting at each point; element POINTS_MAX - 1 is their sum. */
const armed = carve('points.armed', Int32Array, POINTS_MAX, () => POINTS_MAX);
const SUM = POINTS_MAX - 1;

/** What runs when a point with somebody waiting is reached; the sim registers it at load. */
export const pointHandler: { hit: (point: number, page: number, address: number) => void } = {
	hit: () => {},
};

/** The number of a point, for scheduling_point(); resolved when a port loads. */
export function point(name: PointName): number {
	return POINTS.indexOf(name);
}

/**
 * Others may run here.
 * @param page pfn that the point is about, 0 for none
 * @param address user address it is about, -1 for none
 */
export function scheduling_point(id: number, page: number, address: number): void {
	if (armed[SUM] !== 0 && armed[id] !== 0)
		pointHandler.hit(id, page, address);
}

export function armPoint(id: number): void {
	armed[id]!++;
	armed[SUM]!++;
}

export function disarmPoint(id: number): void {
	armed[id]!--;
	armed[SUM]!--;
}
