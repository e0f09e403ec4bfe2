// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/rbtree.h: red-black trees of nodes embedded in structs. A tree is the number of
 * its root node, 0 when empty; what can change the root returns the new one. Rotations are those
 * of a textbook, not of lib/rbtree.c: the order of nodes is the same, the shape may differ, and no
 * result depends on it.
 */
import { rb_nodes, type rb_node } from './struct.ts';

const { parent, left, right, color } = rb_nodes;
const NIL = 0 as rb_node;
const RED = 0, BLACK = 1;

/** What an augmented tree keeps up to date: include/linux/rbtree_augmented.h. */
export interface Augment {
	/** Compute the node's value from its children; true if it changed. */
	readonly compute: (node: rb_node) => boolean;
}

/** Recompute upwards from `node` until nothing changes or `stop` is reached. */
export function rb_propagate(node: rb_node, stop: rb_node, augment: Augment): void {
	while (node !== stop && augment.compute(node))
		node = parent[node];
}

/**
 * Hang `node` under `under` as its left (dir 0) or right (dir 1) child, or as the root when
 * `under` is 0. The link is not yet balanced: rb_insert_color() follows.
 */
export function rb_link_node(node: rb_node, under: rb_node, dir: number): void {
	parent[node] = under;
	left[node] = NIL;
	right[node] = NIL;
	color[node] = RED;
	if (!under)
		return;
	if (dir === 0)
		left[under] = node;
	else
		right[under] = node;
}

function change_child(old: rb_node, node: rb_node, up: rb_node, root: rb_node): rb_node {
	if (!up)
		return node;
	if (left[up] === old)
		left[up] = node;
	else
		right[up] = node;
	return root;
}

function rotate_left(x: rb_node, root: rb_node, augment: Augment | null): rb_node {
	const y = right[x], up = parent[x];

	right[x] = left[y];
	if (left[y])
		parent[left[y]] = x;
	parent[y] = up;
	root = change_child(x, y, up, root);
	left[y] = x;
	parent[x] = y;
	if (augment) {
		augment.compute(x);
		augment.compute(y);
	}
	return root;
}

function rotate_right(x: rb_node, root: rb_node, augment: Augment | null): rb_node {
	const y = left[x], up = parent[x];

	left[x] = right[y];
	if (right[y])
		parent[right[y]] = x;
	parent[y] = up;
	root = change_child(x, y, up, root);
	right[y] = x;
	parent[x] = y;
	if (augment) {
		augment.compute(x);
		augment.compute(y);
	}
	return root;
}

function insert(node: rb_node, root: rb_node, augment: Augment | null): rb_node {
	if (!parent[node])
		root = node;
	if (augment)
		rb_propagate(node, NIL, augment);
	for (;;) {
		let up = parent[node];

		if (!up || color[up] === BLACK)
			break;
		/* A red parent is not the root, so there is a grandparent. */
		const grand = parent[up];
		const onLeft = up === left[grand];
		const uncle = onLeft ? right[grand] : left[grand];
		if (uncle && color[uncle] === RED) {
			color[uncle] = BLACK;
			color[up] = BLACK;
			color[grand] = RED;
			node = grand;
			continue;
		}
		if (onLeft) {
			if (node === right[up]) {
				root = rotate_left(up, root, augment);
				up = node;
			}
			root = rotate_right(grand, root, augment);
		} else {
			if (node === left[up]) {
				root = rotate_right(up, root, augment);
				up = node;
			}
			root = rotate_left(grand, root, augment);
		}
		color[up] = BLACK;
		color[grand] = RED;
		break;
	}
	color[root] = BLACK;
	return root;
}

/** Balance after rb_link_node(). */
export function rb_insert_color(node: rb_node, root: rb_node): rb_node {
	return insert(node, root, null);
}

/** rb_insert_color() of an augmented tree; the node's own value is computed too. */
export function rb_insert_augmented(node: rb_node, root: rb_node, augment: Augment): rb_node {
	return insert(node, root, augment);
}

function erase(node: rb_node, root: rb_node, augment: Augment | null): rb_node {
	let child: rb_node, up: rb_node, removed: number;

	if (left[node] && right[node]) {
		/* The successor, which has no left child, takes the node's place. */
		let next = right[node];
		while (left[next])
			next = left[next];
		removed = color[next];
		child = right[next];
		if (parent[next] === node) {
			up = next;
		} else {
			up = parent[next];
			left[up] = child;
			if (child)
				parent[child] = up;
			right[next] = right[node];
			parent[right[next]] = next;
		}
		left[next] = left[node];
		parent[left[next]] = next;
		parent[next] = parent[node];
		color[next] = color[node];
		root = change_child(node, next, parent[node], root);
	} else {
		child = left[node] || right[node];
		up = parent[node];
		removed = color[node];
		if (child)
			parent[child] = up;
		root = change_child(node, child, up, root);
	}
	parent[node] = NIL;
	left[node] = NIL;
	right[node] = NIL;
	if (augment)
		for (let n = up; n; n = parent[n])
			augment.compute(n);
	if (removed === BLACK)
		root = erase_color(child, up, root, augment);
	return root;
}

/* The path through `node`, maybe 0, under `up` lacks one black node. */
function erase_color(
	node: rb_node, up: rb_node, root: rb_node, augment: Augment | null,
): rb_node {
	while (node !== root && (!node || color[node] === BLACK)) {
		const onLeft = node === left[up];
		let sibling = onLeft ? right[up] : left[up];

		if (color[sibling] === RED) {
			color[sibling] = BLACK;
			color[up] = RED;
			root = onLeft ? rotate_left(up, root, augment)
				: rotate_right(up, root, augment);
			sibling = onLeft ? right[up] : left[up];
		}
		const near = onLeft ? left[sibling] : right[sibling];
		const far = onLeft ? right[sibling] : left[sibling];
		const farBlack = !far || color[far] === BLACK;
		if ((!near || color[near] === BLACK) && farBlack) {
			color[sibling] = RED;
			node = up;
			up = parent[node];
			continue;
		}
		if (farBlack) {
			color[near] = BLACK;
			color[sibling] = RED;
			root = onLeft
				? rotate_right(sibling, root, augment)
				: rotate_left(sibling, root, augment);
			sibling = onLeft ? right[up] : left[up];
		}
		color[sibling] = color[up];
		color[up] = BLACK;
		color[onLeft ? right[sibling] : left[sibling]] = BLACK;
		root = onLeft ? rotate_left(up, root, augment) : rotate_right(up, root, augment);
		node = root;
		break;
	}
	if (node)
		color[node] = BLACK;
	return root;
}

export function rb_erase(node: rb_node, root: rb_node): rb_node {
	return erase(node, root, null);
}

export function rb_erase_augmented(node: rb_node, root: rb_node, augment: Augment): rb_node {
	return erase(node, root, augment);
}

export function rb_first(root: rb_node): rb_node {
	if (!root)
		return NIL;
	while (left[root])
		root = left[root];
	return root;
}

export function rb_last(root: rb_node): rb_node {
	if (!root)
		return NIL;
	while (right[root])
		root = right[root];
	return root;
}

/** The node after, in order; 0 at the end. */
export function rb_next(node: rb_node): rb_node {
	if (right[node])
		return rb_first(right[node]);
	let up = parent[node];
	while (up && node === right[up]) {
		node = up;
		up = parent[node];
	}
	return up;
}

export function rb_prev(node: rb_node): rb_node {
	if (left[node])
		return rb_last(left[node]);
	let up = parent[node];
	while (up && node === left[up]) {
		node = up;
		up = parent[node];
	}
	return up;
}
