// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/xarray.c, as much as the page cache and the swap cache stand on: sparse arrays indexed by
 * page offset, with marks, value entries and counts a node. The tree grows, shrinks and frees its
 * nodes where the kernel's does, since nodes of shadow entries are counted.
 *
 * An entry is a JS number whose low two bits say what it is, as in the kernel: 0 a pointer
 * (row * 4), 1 a value (v * 4 + 1, v < 2^50), 2 a node (internal). 0 is no entry.
 * The xarray of an address_space has the address_space's row.
 */
import { BUG } from './bug.ts';
import { INIT_LIST_HEAD } from './list.ts';
import { array, f64, kmem_cache_free, kmem_cache_zalloc, list, nr_rows, s32, struct, to, u8,
	use_rows, type ptr } from './struct.ts';

export type xarray = ptr<'xarray'>;
export type xa_node = ptr<'xa_node'>;
type entry = number;

export const XA_CHUNK_SHIFT = 6, XA_CHUNK_SIZE = 64;
const XA_CHUNK_MASK = 63;
/** Largest index: 16 TiB of pages. */
export const XA_INDEX_MAX = 0xffffffff;
export const XA_MARKS = 3;
const MARK_WORDS = 2;

/** Row of an address_space's xarray is its own row. */
export const XARRAYS = 1 << 15;
export const xarrays = struct<xarray>()('xarray', XARRAYS, {
	xa_head: f64,
	/* marks of an entry that lies in the head itself, bit a mark */
	xa_marks: s32,
});

export const xa_nodes = struct<xa_node>()('xa_node', 1 << 18, {
	shift: u8,
	offset: u8,
	count: s32,
	nr_values: s32,
	parent: to<xa_node>(),
	array: to<xarray>(),
	private_list: list,
	slots: array(f64, XA_CHUNK_SIZE),
	/* [node * 6 + mark * 2 + word] */
	marks: array(s32, XA_MARKS * MARK_WORDS),
});
const { xa_head, xa_marks } = xarrays;
const { shift: node_shift, offset: node_offset, count, nr_values, parent, slots, marks } = xa_nodes;

/** xas_set_update(): called for a node whose counts changed; count 0 just before it is freed. */
export type XaUpdate = (node: xa_node) => void;
/** What xa_store() returns when no node is left. */
export const XA_ENOMEM = -1;

export function xa_mk_value(v: number): entry {
	return v * 4 + 1;
}
export function xa_to_value(e: entry): number {
	return (e - 1) / 4;
}
export function xa_is_value(e: entry): boolean {
	return (e & 3) === 1;
}
/** The entry of a pointer: a row of some struct. */
export function xa_mk_pointer(row: number): entry {
	return row * 4;
}
export function xa_to_pointer(e: entry): number {
	return e / 4;
}
function xa_is_node(e: entry): boolean {
	return (e & 3) === 2;
}
function xa_to_node(e: entry): xa_node {
	return (e >>> 2) as xa_node;
}
function xa_mk_node(node: xa_node): entry {
	return node * 4 + 2;
}

function get_offset(index: number, node: xa_node): number {
	return (index >>> node_shift[node]) & XA_CHUNK_MASK;
}

/* Largest index below a head entry. */
function max_index(head: entry): number {
	if (!xa_is_node(head))
		return 0;
	const shift = node_shift[xa_to_node(head)] + XA_CHUNK_SHIFT;
	return shift >= 32 ? XA_INDEX_MAX : 2 ** shift - 1;
}
/* is_beyond(index, head), without the power: it is asked at each look-up */
function is_beyond(index: number, head: entry): boolean {
	if (!xa_is_node(head))
		return index > 0;
	return index >>> node_shift[xa_to_node(head)] > XA_CHUNK_MASK;
}

/** xa_load(): the entry at `index`, 0 for none. */
export function xa_load(xa: number, index: number): entry {
	let e = xa_head[xa as xarray];

	if (is_beyond(index, e))
		return 0;
	while (xa_is_node(e)) {
		const node = xa_to_node(e);
		e = slots[node * XA_CHUNK_SIZE + get_offset(index, node)]!;
	}
	return e;
}

/** The leaf node that has the slot of `index`, 0 where that is the head or nothing yet. */
export function xa_node_of(xa: number, index: number): xa_node {
	let e = xa_head[xa as xarray];

	if (is_beyond(index, e))
		return 0 as xa_node;
	while (xa_is_node(e)) {
		const node = xa_to_node(e);
		if (node_shift[node] === 0)
			return node;
		e = slots[node * XA_CHUNK_SIZE + get_offset(index, node)]!;
	}
	return 0 as xa_node;
}

function node_alloc(xa: xarray, up: xa_node, offset: number, shift: number): xa_node {
	const node = kmem_cache_zalloc(xa_nodes);

	if (!node)
		return node;
	parent[node] = up;
	node_offset[node] = offset;
	node_shift[node] = shift;
	xa_nodes.array[node] = xa;
	INIT_LIST_HEAD(xa_nodes.private_list(node));
	return node;
}

function mark_test(node: xa_node, offset: number, mark: number): boolean {
	const word = marks[(node * XA_MARKS + mark) * MARK_WORDS + (offset >>> 5)]!;

	return (word & (1 << (offset & 31))) !== 0;
}
function mark_any(node: xa_node, mark: number): boolean {
	const at = (node * XA_MARKS + mark) * MARK_WORDS;

	return (marks[at]! | marks[at + 1]!) !== 0;
}
function mark_put(node: xa_node, offset: number, mark: number, on: boolean): void {
	const at = (node * XA_MARKS + mark) * MARK_WORDS + (offset >>> 5);

	if (on)
		marks[at]! |= 1 << (offset & 31);
	else
		marks[at]! &= ~(1 << (offset & 31));
}

/* xas_expand(): add levels above the head until `index` fits. */
function expand(xa: xarray, index: number): boolean {
	let head = xa_head[xa];

	while (is_beyond(index, head)) {
		let shift = xa_is_node(head) ? node_shift[xa_to_node(head)] + XA_CHUNK_SHIFT : 0;

		/* An empty array gets its top node at once. */
		if (!head)
			while (index >= 2 ** (shift + XA_CHUNK_SHIFT))
				shift += XA_CHUNK_SHIFT;
		const node = node_alloc(xa, 0 as xa_node, 0, shift);

		if (!node)
			return false;
		count[node] = head ? 1 : 0;
		if (xa_is_value(head))
			nr_values[node] = 1;
		slots[node * XA_CHUNK_SIZE] = head;
		for (let mark = 0; mark < XA_MARKS; mark++) {
			const set = xa_is_node(head)
				? mark_any(xa_to_node(head), mark)
				: (xa_marks[xa] & (1 << mark)) !== 0;
			if (set)
				mark_put(node, 0, mark, true);
		}
		if (xa_is_node(head)) {
			parent[xa_to_node(head)] = node;
			node_offset[xa_to_node(head)] = 0;
		}
		head = xa_mk_node(node);
		xa_head[xa] = head;
		xa_marks[xa] = 0;
	}
	return true;
}

/* xas_shrink(): drop levels that hold nothing but their first slot. */
function shrink(xa: xarray, update: XaUpdate | undefined): void {
	for (;;) {
		const head = xa_head[xa];

		if (!xa_is_node(head))
			return;
		const node = xa_to_node(head);
		if (count[node] !== 1)
			return;
		const e = slots[node * XA_CHUNK_SIZE]!;
		if (!e || (!xa_is_node(e) && node_shift[node]))
			return;
		let kept = 0;
		for (let mark = 0; mark < XA_MARKS; mark++)
			if (mark_test(node, 0, mark))
				kept |= 1 << mark;
		xa_head[xa] = e;
		xa_marks[xa] = xa_is_node(e) ? 0 : kept;
		count[node] = 0;
		nr_values[node] = 0;
		update?.(node);
		kmem_cache_free(xa_nodes, node);
		if (!xa_is_node(e))
			return;
		parent[xa_to_node(e)] = 0 as xa_node;
	}
}

/* xas_delete_node(): free empty nodes upwards. */
function delete_node(xa: xarray, node: xa_node, update: XaUpdate | undefined): void {
	while (!count[node]) {
		const up = parent[node], offset = node_offset[node];

		kmem_cache_free(xa_nodes, node);
		if (!up) {
			xa_head[xa] = 0;
			return;
		}
		slots[up * XA_CHUNK_SIZE + offset] = 0;
		count[up]--;
		node = up;
		update?.(node);
	}
	if (!parent[node])
		shrink(xa, update);
}

/**
 * Store an entry; 0 erases. Marks of the slot stay unless it becomes empty.
 * @returns the entry that was there, or XA_ENOMEM, with nothing changed but spare nodes
 */
export function xa_store(xa: number, index: number, e: entry, update?: XaUpdate): entry {
	const x = xa as xarray;

	if (index < 0 || index > XA_INDEX_MAX)
		BUG(`xarray index ${index} out of range`);
	if (x >= nr_rows(xarrays))
		use_rows(xarrays, x + 1);
	const head = xa_head[x];
	if (!e && is_beyond(index, head))
		return 0;
	if (!xa_is_node(head) && index === 0) {
		/* The one entry of an array without nodes. */
		xa_head[x] = e;
		if (!e)
			xa_marks[x] = 0;
		return head;
	}
	if (!expand(x, index))
		return XA_ENOMEM;

	let node = xa_to_node(xa_head[x]);
	while (node_shift[node]) {
		const offset = get_offset(index, node);
		const below = slots[node * XA_CHUNK_SIZE + offset]!;

		if (below) {
			node = xa_to_node(below);
			continue;
		}
		if (!e)
			return 0;
		const child = node_alloc(x, node, offset, node_shift[node] - XA_CHUNK_SHIFT);
		if (!child)
			return XA_ENOMEM;
		slots[node * XA_CHUNK_SIZE + offset] = xa_mk_node(child);
		count[node]++;
		update?.(node);
		node = child;
	}
	const offset = index & XA_CHUNK_MASK;
	const at = node * XA_CHUNK_SIZE + offset;
	const old = slots[at]!;
	if (old === e)
		return old;
	slots[at] = e;
	const counts = (e ? 1 : 0) - (old ? 1 : 0);
	const values = (xa_is_value(e) ? 1 : 0) - (xa_is_value(old) ? 1 : 0);
	if (!e)
		for (let mark = 0; mark < XA_MARKS; mark++)
			clear_up(node, offset, mark);
	if (counts || values) {
		count[node] += counts;
		nr_values[node] += values;
		update?.(node);
		if (counts < 0)
			delete_node(x, node, update);
	}
	return old;
}

function clear_up(node: xa_node, offset: number, mark: number): void {
	while (node) {
		if (!mark_test(node, offset, mark))
			return;
		mark_put(node, offset, mark, false);
		if (mark_any(node, mark))
			return;
		offset = node_offset[node];
		node = parent[node];
	}
}

/** Mark the entry at `index`, if there is one. */
export function xa_set_mark(xa: number, index: number, mark: number): void {
	if (!xa_load(xa, index))
		return;
	let node = xa_node_of(xa, index), offset = index & XA_CHUNK_MASK;
	if (!node) {
		xa_marks[xa as xarray] |= 1 << mark;
		return;
	}
	while (node) {
		mark_put(node, offset, mark, true);
		offset = node_offset[node];
		node = parent[node];
	}
}

export function xa_clear_mark(xa: number, index: number, mark: number): void {
	const node = xa_node_of(xa, index);

	if (node)
		clear_up(node, index & XA_CHUNK_MASK, mark);
	else if (index === 0 && !xa_is_node(xa_head[xa as xarray]))
		xa_marks[xa as xarray] &= ~(1 << mark);
}

/** xas_init_marks(): the entry at `index` has no mark any more. */
export function xa_init_marks(xa: number, index: number): void {
	const node = xa_node_of(xa, index);

	if (node)
		for (let mark = 0; mark < XA_MARKS; mark++)
			clear_up(node, index & XA_CHUNK_MASK, mark);
	else if (index === 0 && !xa_is_node(xa_head[xa as xarray]))
		xa_marks[xa as xarray] = 0;
}

export function xa_get_mark(xa: number, index: number, mark: number): boolean {
	const node = xa_node_of(xa, index);

	if (node)
		return mark_test(node, index & XA_CHUNK_MASK, mark);
	return index === 0 && !xa_is_node(xa_head[xa as xarray]) &&
		(xa_marks[xa as xarray] & (1 << mark)) !== 0;
}

/** Whether any entry carries the mark: mapping_tagged(). */
export function xa_marked(xa: number, mark: number): boolean {
	const head = xa_head[xa as xarray];

	if (xa_is_node(head))
		return mark_any(xa_to_node(head), mark);
	return (xa_marks[xa as xarray] & (1 << mark)) !== 0;
}

/**
 * The first index from `index` to `max` with an entry (`mark` -1) or with a marked one.
 * @returns the index, -1 for none
 */
export function xa_find(xa: number, index: number, max: number, mark: number): number {
	const head = xa_head[xa as xarray];

	if (!head)
		return -1;
	if (!xa_is_node(head)) {
		const there = index === 0 && (mark < 0 || (xa_marks[xa as xarray] & (1 << mark)));
		return there ? 0 : -1;
	}
	const top = max_index(head);
	const end = max < top ? max : top;
	let node = xa_to_node(head);
	while (index <= end) {
		let offset = get_offset(index, node);

		while (offset < XA_CHUNK_SIZE && !(mark < 0
			? slots[node * XA_CHUNK_SIZE + offset]
			: mark_test(node, offset, mark)))
			offset++;
		const span = 1 << node_shift[node];
		const base = Math.floor(index / (span * XA_CHUNK_SIZE)) * span * XA_CHUNK_SIZE;
		if (offset > get_offset(index, node))
			index = base + offset * span;
		if (index > end)
			return -1;
		if (offset === XA_CHUNK_SIZE) {
			/* Nothing more below this node: on in the next slot of one above. */
			while (node_offset[node] === XA_CHUNK_MASK && parent[node])
				node = parent[node];
			node = parent[node];
			if (!node)
				return -1;
			continue;
		}
		const e = slots[node * XA_CHUNK_SIZE + offset]!;
		if (!xa_is_node(e))
			return index;
		node = xa_to_node(e);
	}
	return -1;
}

/** No entry at all. */
export function xa_empty(xa: number): boolean {
	return xa_head[xa as xarray] === 0;
}
