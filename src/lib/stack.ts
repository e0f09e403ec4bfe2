// SPDX-License-Identifier: GPL-2.0-only
/*
 * LIST_HEAD() on a C stack. Nodes come from the arena and go back in the reverse order, so a
 * function that takes one must give it back on every way out.
 */
import { BUG, VM_BUG_ON } from './bug.ts';
import { INIT_LIST_HEAD, list_empty } from './list.ts';
import { global_s32, list, struct, use_rows, type list_head, type ptr } from './struct.ts';

type stack_list = ptr<'stack_list'>;
const STACK_LISTS = 4096;
const stack_lists = struct<stack_list>()('stack_list', STACK_LISTS, { head: list });
const depth = global_s32('stack_lists.depth');

/** An initialised list head; give it back with list_head_leave(). */
export function list_head_enter(): list_head {
	const row = ++depth.v as stack_list;

	if (row >= STACK_LISTS)
		BUG('stack overflow: too many list heads on the stack');
	use_rows(stack_lists, row + 1);
	const head = stack_lists.head(row);
	INIT_LIST_HEAD(head);
	return head;
}

/** Leave the function that took `head`; its list must be empty, or its entries would be lost. */
export function list_head_leave(head: list_head): void {
	VM_BUG_ON(stack_lists.head(depth.v as stack_list) !== head, 'list heads left out of order');
	VM_BUG_ON(!list_empty(head), 'a list on the stack is left with entries on it');
	depth.v--;
}

/** List heads on the stack now; 0 between two statements. */
export function list_heads_entered(): number {
	return depth.v;
}
