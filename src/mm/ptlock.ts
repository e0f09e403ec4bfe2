// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table locks (include/linux/mm.h: pte_lockptr()), v5.10
 * Left out: all but what a scheduling point under such a lock needs. Everywhere else a lock is
 * taken and dropped with nobody between.
 */
import { WouldBlock } from '../lib/bug.ts';
import { global_f64, global_s32 } from '../lib/struct.ts';
import { PMD_SIZE, align_down } from '../arch/page.ts';
import type { mm_struct } from './mm_types.ts';

/* The table of PTEs locked across a scheduling point: its mm, 0 for none, and what it maps. */
const held_mm = global_s32('ptl.held_mm');
const held_block = global_f64('ptl.held_block');

/** The mm that has a locked table, 0 for none. @custom who must wait asks */
export function ptl_held_mm(): mm_struct {
	return held_mm.v as mm_struct;
}

/** Whether the table that maps an address is locked. @custom as spin_trylock() would say */
export function ptl_is_held(mm: mm_struct, address: number): boolean {
	return held_mm.v === mm && align_down(address, PMD_SIZE) === held_block.v;
}

/**
 * As spin_lock(), of the table that maps an address.
 * @custom who would spin is what runs in the middle, so he comes again
 * @throws WouldBlock if it is locked
 */
export function ptl_wait(mm: mm_struct, address: number): void {
	if (ptl_is_held(mm, address))
		throw new WouldBlock('a page-table lock');
}

/** Lock the table that maps an address. @custom spin_lock(pte_lockptr()) */
export function ptl_hold(mm: mm_struct, address: number): void {
	held_mm.v = mm;
	held_block.v = align_down(address, PMD_SIZE);
}

/** @custom spin_unlock(): back to what was locked outside, if anything */
export function ptl_release(outer_mm: mm_struct, outer_address: number): void {
	held_mm.v = outer_mm;
	held_block.v = outer_address;
}

/** What is locked now, for ptl_release() after a nested one. @custom see ptl_release() */
export function ptl_held_address(): number {
	return held_block.v;
}
