// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import { EBUSY, EINVAL } from '../../src/lib/errno.ts';
import { kmem_cache_zalloc } from '../../src/lib/struct.ts';
import { PAGE_COUNTER_MAX, page_counters, type page_counter }
	from '../../src/mm/memcontrol_types.ts';
import * as pc from '../../src/mm/page_counter.ts';

let root: page_counter, parent: page_counter, child: page_counter;
const fail = { v: 0 as page_counter };

beforeEach(() => {
	resetArena();
	[root, parent, child] = [0, 0, 0].map(() => kmem_cache_zalloc(page_counters)) as
		[page_counter, page_counter, page_counter];
	pc.page_counter_init(root, 0 as page_counter);
	pc.page_counter_init(parent, root);
	pc.page_counter_init(child, parent);
});

const usages = () => [root, parent, child].map((c) => pc.page_counter_read(c));

describe('charges', () => {
	test('go up to the root and come back', () => {
		pc.page_counter_charge(child, 10);
		pc.page_counter_charge(parent, 5);
		expect(usages()).toEqual([15, 15, 10]);
		pc.page_counter_uncharge(child, 10);
		expect(usages()).toEqual([5, 5, 0]);
		expect(page_counters.watermark[root]).toBe(15);
		pc.page_counter_reset_watermark(root);
		expect(page_counters.watermark[root]).toBe(5);
	});
	test('that hit the limit of an ancestor leave nothing behind', () => {
		expect(pc.page_counter_set_max(parent, 32)).toBe(0);
		expect(pc.page_counter_try_charge(child, 32, fail)).toBe(true);
		expect(pc.page_counter_try_charge(child, 1, fail)).toBe(false);
		expect(fail.v).toBe(parent);
		expect(usages()).toEqual([32, 32, 32]);
		expect(page_counters.failcnt[parent]).toBe(1);
		expect(page_counters.failcnt[child]).toBe(0);
	});
	test('may exceed the limit when forced', () => {
		pc.page_counter_set_max(parent, 4);
		pc.page_counter_charge(child, 5);
		expect(usages()).toEqual([5, 5, 5]);
		expect(pc.page_counter_set_max(parent, 4)).toBe(-EBUSY);
		expect(pc.page_counter_set_max(parent, 5)).toBe(0);
	});
	test('cannot be taken back twice', () => {
		pc.page_counter_charge(child, 1);
		pc.page_counter_uncharge(child, 1);
		expect(() => pc.page_counter_uncharge(child, 1)).toThrow('more uncharges');
	});
});

describe('protected usage', () => {
	test('is the smaller of usage and setting, summed in the parent', () => {
		const sibling = kmem_cache_zalloc(page_counters);
		pc.page_counter_init(sibling, parent);
		pc.page_counter_set_min(child, 10);
		pc.page_counter_set_low(sibling, 3);
		pc.page_counter_charge(child, 4);
		pc.page_counter_charge(sibling, 7);
		expect(page_counters.children_min_usage[parent]).toBe(4);
		expect(page_counters.children_low_usage[parent]).toBe(3);
		pc.page_counter_charge(child, 40);
		expect(page_counters.children_min_usage[parent]).toBe(10);
		pc.page_counter_uncharge(child, 42);
		expect(page_counters.children_min_usage[parent]).toBe(2);
		pc.page_counter_set_min(child, 0);
		pc.page_counter_set_low(sibling, 100);
		expect(page_counters.children_min_usage[parent]).toBe(0);
		expect(page_counters.children_low_usage[parent]).toBe(7);
	});
	/*
	 * v5.10 propagates the usage that includes the failed charge: 10 + 5 of 20 wanted, though
	 * only 10 stay. The next charge or uncharge of the counter mends it.
	 */
	test('counts a charge that failed until the next one', () => {
		pc.page_counter_set_min(child, 20);
		pc.page_counter_set_max(child, 10);
		pc.page_counter_charge(child, 10);
		expect(pc.page_counter_try_charge(child, 5, fail)).toBe(false);
		expect(page_counters.children_min_usage[parent]).toBe(15);
		pc.page_counter_uncharge(child, 1);
		expect(page_counters.children_min_usage[parent]).toBe(9);
	});
});

const parse = (text: string, most = 'max'): number => {
	const nr_pages = { v: -1 };
	const err = pc.page_counter_memparse(text, most, nr_pages);
	return err || nr_pages.v;
};

describe('page_counter_memparse()', () => {
	test.each([
		['0', 0], ['4095', 0], ['4096', 1], ['4k', 1], ['1M', 256], ['1g', 262144],
		['0x1000', 1], ['010k', 2], ['max', PAGE_COUNTER_MAX],
		/* no digits are 0, as memparse() has it */
		['', 0], ['k', 0],
		/* 2^64 - 1 bytes are more than the most; 2^64 bytes are none */
		['18446744073709551615', PAGE_COUNTER_MAX], ['16E', 0],
	])('takes %j', (text, pages) => {
		expect(parse(text)).toBe(pages);
	});
	test.each(['1.5M', '12q', '-1', 'maximum', '4 k', '0xg', '4kb'])('refuses %j', (text) => {
		expect(parse(text)).toBe(-EINVAL);
	});
	test('knows the word for no limit that the caller gives', () => {
		expect(parse('', '')).toBe(PAGE_COUNTER_MAX);
		expect(parse('max', '')).toBe(-EINVAL);
	});
});
