// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/list.h: circular doubly linked lists. A list_head is a node number of the shared
 * pool (struct.ts); 0 is no node.
 * What reclaim calls for every page are functions in constants. Of a declared function the compiler
 * must look up at each call whether it is still the same, even where it is made part of its caller.
 */
import { BUG } from './bug.ts';
import { list_heads, type list_head } from './struct.ts';

const { next, prev } = list_heads;

export function INIT_LIST_HEAD(head: list_head): void {
	next[head] = head;
	prev[head] = head;
}

const __list_add = (entry: list_head, before: list_head, after: list_head): void => {
	prev[after] = entry;
	next[entry] = after;
	prev[entry] = before;
	next[before] = entry;
};

/** Insert after `head`: the first of the list. */
export const list_add = (entry: list_head, head: list_head): void => {
	__list_add(entry, head, next[head]);
};

/** Insert before `head`: the last of the list. */
export const list_add_tail = (entry: list_head, head: list_head): void => {
	__list_add(entry, prev[head], head);
};

const __list_del_entry = (entry: list_head): void => {
	const after = next[entry], before = prev[entry];

	if (prev[after] !== entry || next[before] !== entry)
		BUG('list: entry is on no list');
	prev[after] = before;
	next[before] = after;
};

/** Unlink; the entry's pointers are cleared, where the kernel poisons them. */
export const list_del = (entry: list_head): void => {
	__list_del_entry(entry);
	next[entry] = 0 as list_head;
	prev[entry] = 0 as list_head;
};

export function list_del_init(entry: list_head): void {
	__list_del_entry(entry);
	INIT_LIST_HEAD(entry);
}

export const list_move = (entry: list_head, head: list_head): void => {
	__list_del_entry(entry);
	list_add(entry, head);
};

export const list_move_tail = (entry: list_head, head: list_head): void => {
	__list_del_entry(entry);
	list_add_tail(entry, head);
};

export const list_empty = (head: list_head): boolean => next[head] === head;

export function list_is_singular(head: list_head): boolean {
	return !list_empty(head) && next[head] === prev[head];
}

export function list_is_last(entry: list_head, head: list_head): boolean {
	return next[entry] === head;
}

export function list_is_first(entry: list_head, head: list_head): boolean {
	return prev[entry] === head;
}

function __list_splice(from: list_head, before: list_head, after: list_head): void {
	const first = next[from], last = prev[from];

	prev[first] = before;
	next[before] = first;
	next[last] = after;
	prev[after] = last;
}

/** Join `from` in at the front of `head`; `from` is left stale. */
export function list_splice(from: list_head, head: list_head): void {
	if (!list_empty(from))
		__list_splice(from, head, next[head]);
}

export function list_splice_init(from: list_head, head: list_head): void {
	if (list_empty(from))
		return;
	__list_splice(from, head, next[head]);
	INIT_LIST_HEAD(from);
}

export function list_splice_tail(from: list_head, head: list_head): void {
	if (!list_empty(from))
		__list_splice(from, prev[head], head);
}

export function list_splice_tail_init(from: list_head, head: list_head): void {
	if (list_empty(from))
		return;
	__list_splice(from, prev[head], head);
	INIT_LIST_HEAD(from);
}

/** Put `entry` in the place of `old`, which is left stale. */
export function list_replace(old: list_head, entry: list_head): void {
	next[entry] = next[old];
	prev[next[entry]] = entry;
	prev[entry] = prev[old];
	next[prev[entry]] = entry;
}

/** Make `head` the last-but-head rotation: its first entry becomes its last. */
export function list_rotate_left(head: list_head): void {
	if (!list_empty(head))
		list_move_tail(next[head], head);
}

/** Move the entries up to and with `entry` from `head` to the empty `to`. */
export function list_cut_position(to: list_head, head: list_head, entry: list_head): void {
	if (list_empty(head))
		return;
	if (head === entry) {
		INIT_LIST_HEAD(to);
		return;
	}
	const first = next[entry];
	next[to] = next[head];
	prev[next[to]] = to;
	prev[to] = entry;
	next[entry] = to;
	next[head] = first;
	prev[first] = head;
}
