// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import * as l from '../../src/lib/list.ts';
import { kmem_cache_free, kmem_cache_zalloc, list, list_heads, lists, nodeName, nr_live, s32,
	struct, type list_head, type ptr } from '../../src/lib/struct.ts';
import { list_head_enter, list_head_leave } from '../../src/lib/stack.ts';

type item = ptr<'test_item'>;
const items = struct<item>()('test_item', 100, { value: s32, node: list });
type heads = ptr<'test_heads'>;
const heads = struct<heads>()('test_heads', 4, { list: lists(3) });

/* Read a list forwards and backwards; both must agree. */
function read(head: list_head): number[] {
	const forward: number[] = [], backward: number[] = [];

	for (let n = list_heads.next[head]; n !== head; n = list_heads.next[n])
		forward.push(items.value[items.node.container_of(n)]);
	for (let n = list_heads.prev[head]; n !== head; n = list_heads.prev[n])
		backward.unshift(items.value[items.node.container_of(n)]);
	expect(backward).toEqual(forward);
	return forward;
}

let a: list_head, b: list_head;
function add(value: number, head: list_head, tail = true): item {
	const row = kmem_cache_zalloc(items);

	items.value[row] = value;
	(tail ? l.list_add_tail : l.list_add)(items.node(row), head);
	return row;
}

beforeEach(() => {
	resetArena();
	const row = kmem_cache_zalloc(heads);
	a = heads.list(row, 0);
	b = heads.list(row, 1);
	l.INIT_LIST_HEAD(a);
	l.INIT_LIST_HEAD(b);
});

describe('list.h', () => {
	test('adds at the front and at the tail, deletes, moves', () => {
		const two = add(2, a), three = add(3, a);
		add(1, a, false);
		expect(read(a)).toEqual([1, 2, 3]);
		l.list_move(items.node(three), a);
		expect(read(a)).toEqual([3, 1, 2]);
		l.list_move_tail(items.node(three), b);
		l.list_del(items.node(two));
		expect([read(a), read(b)]).toEqual([[1], [3]]);
		expect(l.list_is_singular(a)).toBe(true);
	});
	test('splices keep the order: in front, behind, and empty ones change nothing', () => {
		add(1, a);
		add(2, a);
		add(3, b);
		add(4, b);
		l.list_splice_init(a, b);
		expect([read(a), read(b)]).toEqual([[], [1, 2, 3, 4]]);
		l.list_splice_tail_init(a, b);
		expect(read(b)).toEqual([1, 2, 3, 4]);
		add(0, a);
		l.list_splice_tail_init(b, a);
		expect(read(a)).toEqual([0, 1, 2, 3, 4]);
	});
	test('cuts at an entry, rotates, replaces', () => {
		const one = add(1, a), two = add(2, a);
		add(3, a);
		l.list_cut_position(b, a, items.node(two));
		expect([read(b), read(a)]).toEqual([[1, 2], [3]]);
		l.list_rotate_left(b);
		expect(read(b)).toEqual([2, 1]);
		const other = kmem_cache_zalloc(items);
		items.value[other] = 9;
		l.list_replace(items.node(one), items.node(other));
		expect(read(b)).toEqual([2, 9]);
	});
	test('an entry that is on no list cannot be deleted', () => {
		const one = add(1, a);
		l.list_del(items.node(one));
		expect(() => l.list_del(items.node(one))).toThrow(/on no list/);
	});
	test('nodes have names', () => {
		const one = add(1, a);
		expect(nodeName('list', items.node(one))).toBe(`test_item[${one}].node`);
		expect(nodeName('list', a)).toBe('test_heads[1].list[0]');
	});
});

describe('rows', () => {
	test('are zero, reused last freed first, and 0 when all are in use', () => {
		const rows = Array.from({ length: 99 }, () => kmem_cache_zalloc(items));
		expect(rows.every((r) => r > 0)).toBe(true);
		expect(kmem_cache_zalloc(items)).toBe(0);
		items.value[rows[5]!] = 7;
		kmem_cache_free(items, rows[5]!);
		expect(nr_live(items)).toBe(98);
		expect(() => kmem_cache_free(items, rows[5]!)).toThrow(/not in use/);
		const again = kmem_cache_zalloc(items);
		expect([again, items.value[again]]).toEqual([rows[5], 0]);
	});
	test('lists on the stack are left in order and empty', () => {
		const one = list_head_enter(), two = list_head_enter();
		expect(() => list_head_leave(one)).toThrow(/out of order/);
		add(1, two);
		expect(() => list_head_leave(two)).toThrow(/entries/);
	});
});
