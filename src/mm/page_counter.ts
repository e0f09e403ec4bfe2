// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page_counter.c, include/linux/page_counter.h, v5.10
 * Left out: nothing.
 * Lock order modelled: none; one order of events makes each atomic step whole.
 */
import { PAGE_SIZE } from '../arch/page.ts';
import { WARN_ON_ONCE } from '../lib/bug.ts';
import { EBUSY, EINVAL } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { PAGE_COUNTER_MAX, page_counters, type page_counter } from './memcontrol_types.ts';

const { usage, min, low, high, max, parent, min_usage, children_min_usage, low_usage,
	children_low_usage, watermark, failcnt } = page_counters;

/** @ported v5.10 include/linux/page_counter.h:page_counter_init() */
export function page_counter_init(counter: page_counter, parent_counter: page_counter): void {
	usage[counter] = 0;
	max[counter] = PAGE_COUNTER_MAX;
	parent[counter] = parent_counter;
}

/**
 * Pages charged now.
 * @ported v5.10 include/linux/page_counter.h:page_counter_read()
 */
export function page_counter_read(counter: page_counter): number {
	return usage[counter];
}

/** @ported v5.10 static */
export function propagate_protected_usage(c: page_counter, new_usage: number): void {
	const up = parent[c];

	if (!up)
		return;

	const c_min = min[c];
	if (c_min !== 0 || min_usage[c] !== 0) {
		const protected_pages = new_usage < c_min ? new_usage : c_min;
		const delta = protected_pages - min_usage[c];
		min_usage[c] = protected_pages;
		if (delta !== 0)
			children_min_usage[up] += delta;
	}

	const c_low = low[c];
	if (c_low !== 0 || low_usage[c] !== 0) {
		const protected_pages = new_usage < c_low ? new_usage : c_low;
		const delta = protected_pages - low_usage[c];
		low_usage[c] = protected_pages;
		if (delta !== 0)
			children_low_usage[up] += delta;
	}
}

/**
 * Take pages out of this counter alone.
 * @ported v5.10
 */
export function page_counter_cancel(counter: page_counter, nr_pages: number): void {
	const left = usage[counter] - nr_pages;

	usage[counter] = left;
	propagate_protected_usage(counter, left);
	WARN_ON_ONCE(left < 0, 'page_counter: more uncharges than charges');
}

/**
 * Charge the counter and its ancestors, whatever their limits.
 * @ported v5.10
 */
export function page_counter_charge(counter: page_counter, nr_pages: number): void {
	for (let c = counter; c; c = parent[c]) {
		const charged = usage[c] + nr_pages;

		usage[c] = charged;
		propagate_protected_usage(c, charged);
		if (charged > watermark[c])
			watermark[c] = charged;
	}
}

/**
 * Charge the counter and its ancestors, or none of them.
 * @param fail the first counter that is at its limit, when false is returned
 * @ported v5.10
 */
export function page_counter_try_charge(
	counter: page_counter, nr_pages: number, fail: out<page_counter>,
): boolean {
	failed: {
		for (let c = counter; c; c = parent[c]) {
			const charged = usage[c] + nr_pages;

			if (charged > max[c]) {
				/* The kernel shows the usage that it has just taken back. */
				propagate_protected_usage(c, charged);
				failcnt[c]++;
				fail.v = c;
				break failed;
			}
			usage[c] = charged;
			propagate_protected_usage(c, charged);
			if (charged > watermark[c])
				watermark[c] = charged;
		}
		return true;
	}
	for (let c = counter; c !== fail.v; c = parent[c])
		page_counter_cancel(c, nr_pages);
	return false;
}

/** @ported v5.10 */
export function page_counter_uncharge(counter: page_counter, nr_pages: number): void {
	for (let c = counter; c; c = parent[c])
		page_counter_cancel(c, nr_pages);
}

/** @ported v5.10 include/linux/page_counter.h:page_counter_set_high() */
export function page_counter_set_high(counter: page_counter, nr_pages: number): void {
	high[counter] = nr_pages;
}

/**
 * @returns 0, or -EBUSY when more is charged already
 * @reduced the retry after a charge on another CPU: nothing comes between the read and the swap
 */
export function page_counter_set_max(counter: page_counter, nr_pages: number): number {
	if (usage[counter] > nr_pages)
		return -EBUSY;
	max[counter] = nr_pages;
	return 0;
}

/** @ported v5.10 */
export function page_counter_set_min(counter: page_counter, nr_pages: number): void {
	min[counter] = nr_pages;
	for (let c = counter; c; c = parent[c])
		propagate_protected_usage(c, usage[c]);
}

/** @ported v5.10 */
export function page_counter_set_low(counter: page_counter, nr_pages: number): void {
	low[counter] = nr_pages;
	for (let c = counter; c; c = parent[c])
		propagate_protected_usage(c, usage[c]);
}

/** @ported v5.10 include/linux/page_counter.h:page_counter_reset_watermark() */
export function page_counter_reset_watermark(counter: page_counter): void {
	watermark[counter] = page_counter_read(counter);
}

const SUFFIX_SHIFT: Readonly<Record<string, number>> =
	{ k: 10, m: 20, g: 30, t: 40, p: 50, e: 60 };

/**
 * A number in C notation (0x, leading 0 for octal) and at most one suffix of KMGTPE, modulo 2^64.
 * @param end how many characters were taken, 0 where the text starts with no digit
 * @ported v5.10 lib/cmdline.c:memparse()
 */
export function memparse(text: string, end: out<number>): bigint {
	const digits = /^(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(text)?.[0] ?? '';
	const octal = /^0[0-7]/.test(digits);
	let value = digits === '' ? 0n : BigInt(octal ? `0o${digits.slice(1)}` : digits);
	const shift = SUFFIX_SHIFT[text.charAt(digits.length).toLowerCase()];

	end.v = digits.length;
	if (shift !== undefined) {
		value <<= BigInt(shift);
		end.v++;
	}
	return BigInt.asUintN(64, value);
}

/**
 * Parse a limit in bytes.
 * @param most the text that means PAGE_COUNTER_MAX
 * @param nr_pages the limit in pages, rounded down, at most PAGE_COUNTER_MAX
 * @returns 0 or -EINVAL
 * @ported v5.10
 */
export function page_counter_memparse(text: string, most: string, nr_pages: out<number>): number {
	if (text === most) {
		nr_pages.v = PAGE_COUNTER_MAX;
		return 0;
	}
	const end = { v: 0 };
	const bytes = memparse(text, end);
	if (end.v !== text.length)
		return -EINVAL;
	const pages = bytes / BigInt(PAGE_SIZE);
	nr_pages.v = pages > BigInt(PAGE_COUNTER_MAX) ? PAGE_COUNTER_MAX : Number(pages);
	return 0;
}
