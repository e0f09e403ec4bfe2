// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each secondary MMU was told: every callback that it received, in order, with its range,
 * event and result, whatever it did about it. A ring of records in the arena. Callbacks are noted
 * by the row of their subscription, when they return.
 */
import { carve } from '../lib/arena.ts';
import { global_f64 } from '../lib/struct.ts';
import type { mmu_interval_notifier_ops, mmu_notifier_ops } from '../mm/mmu_notifier.ts';

/** Callbacks, by their number in a record. */
export const CALLBACKS = ['', 'release', 'clear_flush_young', 'clear_young', 'test_young',
	'change_pte', 'invalidate_range_start', 'invalidate_range_end', 'invalidate_range',
	'invalidate', 'invalidate_page', 'arch_invalidate_secondary_tlbs'] as const;
const RELEASE = 1, CLEAR_FLUSH_YOUNG = 2, CLEAR_YOUNG = 3, TEST_YOUNG = 4, CHANGE_PTE = 5,
	RANGE_START = 6, RANGE_END = 7, INVALIDATE_RANGE = 8, INVALIDATE = 9,
	INVALIDATE_PAGE = 10, SECONDARY_TLBS = 11;
/** MMU_NOTIFY_*, by number. */
export const EVENT_NAMES = ['UNMAP', 'CLEAR', 'PROTECTION_VMA', 'PROTECTION_PAGE', 'SOFT_DIRTY',
	'RELEASE', 'MIGRATE'] as const;

const RECORDS = 1 << 16, WORDS = 6;
/** Callbacks ever noted; the ring holds the last of them. */
export const notifier_log_written = global_f64('notifier_log.written');
const used = (): number => Math.min(notifier_log_written.v, RECORDS) * WORDS;
const ring = carve('notifier_log', Float64Array, RECORDS * WORDS, used, WORDS);

export interface NotifierRecord {
	/** Row of the subscription; negative: of an interval notifier. */
	readonly subscription: number;
	readonly callback: typeof CALLBACKS[number];
	readonly start: number;
	/** -1: none. */
	readonly end: number;
	/** Index in EVENT_NAMES, -1: none. */
	readonly event: number;
	/** What it returned, 0 if nothing. */
	readonly result: number;
}

function note(
	subscription: number, callback: number, start: number, end: number, event: number,
	result: number,
): void {
	const at = (notifier_log_written.v++ % RECORDS) * WORDS;

	ring[at] = subscription;
	ring[at + 1] = callback;
	ring[at + 2] = start;
	ring[at + 3] = end;
	ring[at + 4] = event;
	ring[at + 5] = result;
}

/** The records of the ring from number `since` on, oldest first. */
export function notifier_records(since: number): NotifierRecord[] {
	const found: NotifierRecord[] = [];

	for (let n = Math.max(since, notifier_log_written.v - RECORDS);
		n < notifier_log_written.v; n++) {
		const at = n % RECORDS * WORDS;
		found.push({ subscription: ring[at]!, callback: CALLBACKS[ring[at + 1]!]!,
			start: ring[at + 2]!, end: ring[at + 3]!, event: ring[at + 4]!,
			result: ring[at + 5]! });
	}
	return found;
}

type Ops = Partial<mmu_notifier_ops> & { readonly name: string };

/**
 * The same operations, each of which is noted. What a subscriber does not have it is not told, and
 * nothing is noted.
 */
export function logged(ops: Ops): Ops {
	const { release, clear_flush_young, clear_young, test_young, change_pte,
		invalidate_range_start, invalidate_range_end, invalidate_range,
		arch_invalidate_secondary_tlbs, invalidate_page } = ops;

	return {
		...ops,
		...(release ? { release: (mn, mm) => {
			note(mn, RELEASE, 0, -1, -1, 0);
			release(mn, mm);
		} } : {}),
		...(clear_flush_young ? { clear_flush_young: (mn, mm, start, end) => {
			const young = clear_flush_young(mn, mm, start, end);
			note(mn, CLEAR_FLUSH_YOUNG, start, end, -1, young);
			return young;
		} } : {}),
		...(clear_young ? { clear_young: (mn, mm, start, end) => {
			const young = clear_young(mn, mm, start, end);
			note(mn, CLEAR_YOUNG, start, end, -1, young);
			return young;
		} } : {}),
		...(test_young ? { test_young: (mn, mm, address) => {
			const young = test_young(mn, mm, address);
			note(mn, TEST_YOUNG, address, address + 4096, -1, young);
			return young;
		} } : {}),
		...(change_pte ? { change_pte: (mn, mm, address, pte, hi) => {
			change_pte(mn, mm, address, pte, hi);
			note(mn, CHANGE_PTE, address, address + 4096, -1, 0);
		} } : {}),
		...(invalidate_range_start ? { invalidate_range_start: (mn, range) => {
			const ret = invalidate_range_start(mn, range);
			note(mn, RANGE_START, range.start, range.end, range.event, ret);
			return ret;
		} } : {}),
		...(invalidate_range_end ? { invalidate_range_end: (mn, range) => {
			invalidate_range_end(mn, range);
			note(mn, RANGE_END, range.start, range.end, range.event, 0);
		} } : {}),
		...(invalidate_range ? { invalidate_range: (mn, mm, start, end) => {
			invalidate_range(mn, mm, start, end);
			note(mn, INVALIDATE_RANGE, start, end, -1, 0);
		} } : {}),
		...(arch_invalidate_secondary_tlbs ? {
			arch_invalidate_secondary_tlbs: (mn, mm, start, end) => {
				arch_invalidate_secondary_tlbs(mn, mm, start, end);
				note(mn, SECONDARY_TLBS, start, end, -1, 0);
			} } : {}),
		...(invalidate_page ? { invalidate_page: (mn, mm, address) => {
			invalidate_page(mn, mm, address);
			note(mn, INVALIDATE_PAGE, address, address + 4096, -1, 0);
		} } : {}),
	};
}

/** The same of interval notifiers. */
export function logged_interval(ops: mmu_interval_notifier_ops): mmu_interval_notifier_ops {
	return {
		...ops,
		invalidate: (sub, range, seq) => {
			const ret = ops.invalidate(sub, range, seq);
			note(-sub, INVALIDATE, range.start, range.end, range.event, ret ? 1 : 0);
			return ret;
		},
	};
}
