// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/interval_tree_generic.h: trees of closed intervals [start, last], ordered by
 * start, equal starts in the order of insertion. The order decides in which sequence rmap meets
 * the mappings of a page.
 */
import { rb_erase_augmented, rb_insert_augmented, rb_link_node, type Augment } from './rbtree.ts';
import { rb_nodes, type column, type rb_node } from './struct.ts';

const { parent, left, right } = rb_nodes;

interface Definition<P extends number> {
	readonly rb: (row: P) => rb_node;
	readonly container_of: (node: rb_node) => P;
	/** Largest `last` of the row's subtree. */
	readonly subtree_last: column<P>;
	readonly start: (row: P) => number;
	readonly last: (row: P) => number;
}

export interface IntervalTree<P extends number> {
	/** Insert; returns the new root. */
	insert(row: P, root: rb_node): rb_node;
	/** Insert just after `prev`, whose start must be the same. */
	insert_after(row: P, prev: P, root: rb_node): rb_node;
	remove(row: P, root: rb_node): rb_node;
	/** First interval that meets [start, last], in order; 0 for none. */
	iter_first(root: rb_node, start: number, last: number): P;
	/** The next one after `row` that meets [start, last]. */
	iter_next(row: P, start: number, last: number): P;
}

/** Make the operations of one kind of interval tree: INTERVAL_TREE_DEFINE(). */
export function INTERVAL_TREE<P extends number>(
	{ rb, container_of, subtree_last, start: START, last: LAST }: Definition<P>,
): IntervalTree<P> {
	const none = 0 as P;
	const augment: Augment = {
		compute(node) {
			const row = container_of(node);
			let max = LAST(row);
			const l = left[node], r = right[node];

			if (l) {
				const m = subtree_last[container_of(l)];
				if (m > max)
					max = m;
			}
			if (r) {
				const m = subtree_last[container_of(r)];
				if (m > max)
					max = m;
			}
			if (subtree_last[row] === max)
				return false;
			subtree_last[row] = max;
			return true;
		},
	};

	/* A new node has no value yet: make sure that it differs, so that it propagates. */
	function link(row: P, under: rb_node, dir: number, root: rb_node): rb_node {
		const node = rb(row);

		subtree_last[row] = -1;
		rb_link_node(node, under, dir);
		return rb_insert_augmented(node, root, augment);
	}

	/* Preconditions: start <= last, and the subtree of `node` reaches start. */
	function subtree_search(node: P, start: number, last: number): P {
		for (;;) {
			const l = left[rb(node)];

			if (l) {
				const lrow = container_of(l);
				if (start <= subtree_last[lrow]) {
					node = lrow;
					continue;
				}
			}
			if (START(node) <= last) {
				if (start <= LAST(node))
					return node;
				const r = right[rb(node)];
				if (r) {
					node = container_of(r);
					if (start <= subtree_last[node])
						continue;
				}
			}
			return none;
		}
	}

	return {
		insert(row, root) {
			const start = START(row);
			let under = 0 as rb_node, dir = 0;

			for (let n = root; n;) {
				under = n;
				if (start < START(container_of(n))) {
					dir = 0;
					n = left[n];
				} else {
					dir = 1;
					n = right[n];
				}
			}
			return link(row, under, dir, root);
		},

		insert_after(row, prev, root) {
			const before = rb(prev);

			if (!right[before])
				return link(row, before, 1, root);
			let under = right[before];
			while (left[under])
				under = left[under];
			return link(row, under, 0, root);
		},

		remove(row, root) {
			return rb_erase_augmented(rb(row), root, augment);
		},

		iter_first(root, start, last) {
			if (!root)
				return none;
			const row = container_of(root);
			if (subtree_last[row] < start)
				return none;
			return subtree_search(row, start, last);
		},

		iter_next(row, start, last) {
			let node = rb(row);
			let r = right[node];

			for (;;) {
				if (r) {
					const rrow = container_of(r);
					if (start <= subtree_last[rrow])
						return subtree_search(rrow, start, last);
				}
				/* Up until it is a left child: its parent is next in order. */
				let came: rb_node;
				do {
					const up = parent[node];
					if (!up)
						return none;
					came = node;
					node = up;
					r = right[node];
				} while (came === r);
				const next = container_of(node);
				if (last < START(next))
					return none;
				if (start <= LAST(next))
					return next;
			}
		},
	};
}
