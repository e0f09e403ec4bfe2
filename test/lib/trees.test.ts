// SPDX-License-Identifier: GPL-2.0-only
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import { INTERVAL_TREE } from '../../src/lib/interval_tree.ts';
import * as t from '../../src/lib/rbtree.ts';
import { f64, kmem_cache_free, kmem_cache_zalloc, nr_live, rb, rb_nodes, s32, struct, type ptr,
	type rb_node } from '../../src/lib/struct.ts';
import * as xa from '../../src/lib/xarray.ts';

type span = ptr<'test_span'>;
const spans = struct<span>()('test_span', 4096, {
	node: rb, start: f64, last: f64, subtree_last: f64, id: s32 });
const tree = INTERVAL_TREE<span>({
	rb: spans.node, container_of: spans.node.container_of, subtree_last: spans.subtree_last,
	start: (s) => spans.start[s], last: (s) => spans.last[s],
});
const NIL = 0 as rb_node;

/* Red-black rules, and each node's subtree_last; returns the black height. */
function check(node: rb_node, up: rb_node): number {
	if (!node)
		return 1;
	const { parent, left, right, color } = rb_nodes;
	expect(parent[node]).toBe(up);
	if (color[node] === 0)
		for (const child of [left[node], right[node]])
			expect(child === 0 || color[child] === 1).toBe(true);
	const row = spans.node.container_of(node);
	const below = [left[node], right[node]].filter((n) => n)
		.map((n) => spans.subtree_last[spans.node.container_of(n)]);
	expect(spans.subtree_last[row]).toBe(Math.max(spans.last[row], ...below));
	const l = check(left[node], node), r = check(right[node], node);
	expect(l).toBe(r);
	return l + color[node];
}

beforeEach(() => resetArena());

describe('interval tree against a sorted array', () => {
	const op = fc.oneof(
		{ weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const),
			start: fc.nat(60), length: fc.nat(20) }) },
		{ weight: 1, arbitrary: fc.record({ kind: fc.constant('after' as const),
			at: fc.nat(), length: fc.nat(20) }) },
		{ weight: 2, arbitrary: fc.record({ kind: fc.constant('remove' as const),
			at: fc.nat() }) },
		{ weight: 2, arbitrary: fc.record({ kind: fc.constant('find' as const),
			start: fc.nat(80), length: fc.nat(10) }) },
	);
	test('same order, same hits, balanced after every step', () => {
		fc.assert(fc.property(fc.array(op, { maxLength: 120 }), (ops) => {
			resetArena();
			let root = NIL;
			/* In order of start; equal starts as they were inserted. */
			const model: span[] = [];
			for (const o of ops) {
				if (o.kind === 'insert' || (o.kind === 'after' && model.length)) {
					const prev = o.kind === 'after'
						? model[o.at % model.length]! : 0 as span;
					const row = kmem_cache_zalloc(spans);
					spans.start[row] = o.kind === 'insert'
						? o.start : spans.start[prev];
					spans.last[row] = spans.start[row] + o.length;
					if (o.kind === 'insert') {
						root = tree.insert(row, root);
						let i = model.findIndex(
							(s) => spans.start[s] > o.start);
						if (i < 0)
							i = model.length;
						model.splice(i, 0, row);
					} else {
						root = tree.insert_after(row, prev, root);
						model.splice(model.indexOf(prev) + 1, 0, row);
					}
				} else if (o.kind === 'remove' && model.length) {
					const [row] = model.splice(o.at % model.length, 1);
					root = tree.remove(row!, root);
					kmem_cache_free(spans, row!);
				} else if (o.kind === 'find') {
					const last = o.start + o.length;
					const hits: span[] = [];
					for (let s = tree.iter_first(root, o.start, last); s;
					     s = tree.iter_next(s, o.start, last))
						hits.push(s);
					expect(hits).toEqual(model.filter((s) =>
						spans.start[s] <= last &&
						spans.last[s] >= o.start));
				}
				check(root, NIL);
				const order: span[] = [], back: span[] = [];
				for (let n = t.rb_first(root); n; n = t.rb_next(n))
					order.push(spans.node.container_of(n));
				for (let n = t.rb_last(root); n; n = t.rb_prev(n))
					back.unshift(spans.node.container_of(n));
				expect(order).toEqual(model);
				expect(back).toEqual(model);
			}
		}), { numRuns: 150 });
	});
});

describe('xarray against a map', () => {
	const index = fc.oneof(fc.nat(3), fc.nat(200), fc.nat(20000),
		fc.integer({ min: 0, max: 0xffffffff }));
	const op = fc.record({
		kind: fc.constantFrom('store', 'store', 'value', 'erase', 'mark', 'unmark'),
		index, value: fc.integer({ min: 1, max: 1000 }), mark: fc.nat(2) });
	test('loads, finds, marks and counts agree, and no node is left', () => {
		fc.assert(fc.property(fc.array(op, { maxLength: 80 }), (ops) => {
			resetArena();
			const X = 5;
			const model = new Map<number, { entry: number; marks: Set<number> }>();
			for (const o of ops) {
				const was = model.get(o.index);
				if (o.kind === 'mark') {
					xa.xa_set_mark(X, o.index, o.mark);
					was?.marks.add(o.mark);
				} else if (o.kind === 'unmark') {
					xa.xa_clear_mark(X, o.index, o.mark);
					was?.marks.delete(o.mark);
				} else {
					const e = o.kind === 'erase' ? 0 : o.kind === 'value'
						? xa.xa_mk_value(o.value * 2 ** 38)
						: xa.xa_mk_pointer(o.value);
					expect(xa.xa_store(X, o.index, e)).toBe(was?.entry ?? 0);
					if (e)
						model.set(o.index, { entry: e,
							marks: was?.marks ?? new Set() });
					else
						model.delete(o.index);
				}
				const keys = [...model.keys()].sort((p, q) => p - q);
				for (const key of [o.index, ...keys])
					expect(xa.xa_load(X, key)).toBe(model.get(key)?.entry ?? 0);
				for (const mark of [-1, 0, 1, 2]) {
					const found: number[] = [];
					for (let i = 0; i >= 0 && i <= xa.XA_INDEX_MAX;) {
						i = xa.xa_find(X, i, xa.XA_INDEX_MAX, mark);
						if (i < 0)
							break;
						found.push(i++);
					}
					expect(found).toEqual(keys.filter((k) =>
						mark < 0 || model.get(k)!.marks.has(mark)));
				}
				expect(xa.xa_marked(X, 1)).toBe(
					[...model.values()].some((v) => v.marks.has(1)));
			}
			for (const key of model.keys())
				xa.xa_store(X, key, 0);
			expect([nr_live(xa.xa_nodes), xa.xa_empty(X)]).toEqual([0, true]);
		}), { numRuns: 200 });
	});
	test('a node reports its counts, and 0 before it is freed', () => {
		const seen: [number, number][] = [];
		const update = (n: xa.xa_node) => {
			seen.push([xa.xa_nodes.count[n], xa.xa_nodes.nr_values[n]]);
		};
		xa.xa_store(1, 3, xa.xa_mk_pointer(8), update);
		xa.xa_store(1, 4, xa.xa_mk_value(1), update);
		xa.xa_store(1, 3, xa.xa_mk_value(2), update);
		xa.xa_store(1, 3, 0, update);
		xa.xa_store(1, 4, 0, update);
		expect(seen).toEqual([[1, 0], [2, 1], [2, 2], [1, 1], [0, 0]]);
	});
});
