// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/interval_tree.c, v5.10
 * Left out: anon_vma_interval_tree_verify() (CONFIG_DEBUG_VM_RB).
 * Lock order modelled: none here; i_mmap_rwsem and the anon_vma's root rwsem are the callers'.
 *
 * Two trees of intervals of page offsets: an address_space's areas, by vma->shared, and an
 * anon_vma's chain links, by avc->rb. Offsets that start alike stay in the order of insertion,
 * but for fork, which puts a child's area just after its parent's. That order is the order in
 * which rmap meets the mappings.
 *
 * A root is a column of its owner: the node number of the root, 0 when the tree is empty.
 */
import { PAGE_SIZE } from '../arch/page.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { INTERVAL_TREE } from '../lib/interval_tree.ts';
import type { rb_node } from '../lib/struct.ts';
import { address_spaces, anon_vmas, avcs, vmas, type address_space, type anon_vma,
	type anon_vma_chain, type vm_area_struct } from './mm_types.ts';

const { vm_start, vm_end, vm_pgoff } = vmas;
const { vma: avc_vma } = avcs;
const { i_mmap } = address_spaces;
const { rb_root } = anon_vmas;

/** @ported v5.10 static */
export function vma_start_pgoff(v: vm_area_struct): number {
	return vm_pgoff[v];
}

/** @ported v5.10 static */
export function vma_last_pgoff(v: vm_area_struct): number {
	return vm_pgoff[v] + (vm_end[v] - vm_start[v]) / PAGE_SIZE - 1;
}

const vma_interval_tree = INTERVAL_TREE<vm_area_struct>({
	rb: vmas.shared,
	container_of: vmas.shared.container_of,
	subtree_last: vmas.shared_subtree_last,
	start: vma_start_pgoff,
	last: vma_last_pgoff,
});

/** @ported v5.10 made by INTERVAL_TREE_DEFINE(); into mapping->i_mmap */
export function vma_interval_tree_insert(node: vm_area_struct, mapping: address_space): void {
	i_mmap[mapping] = vma_interval_tree.insert(node, i_mmap[mapping] as rb_node);
}

/** @ported v5.10 made by INTERVAL_TREE_DEFINE(); from mapping->i_mmap */
export function vma_interval_tree_remove(node: vm_area_struct, mapping: address_space): void {
	i_mmap[mapping] = vma_interval_tree.remove(node, i_mmap[mapping] as rb_node);
}

/**
 * The first area, in order, that has one of the pages [start, last]; 0 for none.
 * @ported v5.10 made by INTERVAL_TREE_DEFINE()
 */
export function vma_interval_tree_iter_first(
	mapping: address_space, start: number, last: number,
): vm_area_struct {
	return vma_interval_tree.iter_first(i_mmap[mapping] as rb_node, start, last);
}

/**
 * The next one after `node`; 0 at the end.
 * @ported v5.10 made by INTERVAL_TREE_DEFINE()
 */
export function vma_interval_tree_iter_next(
	node: vm_area_struct, start: number, last: number,
): vm_area_struct {
	return vma_interval_tree.iter_next(node, start, last);
}

/** Insert a copy of prev's area, so that walks meet it next after prev. @ported v5.10 */
export function vma_interval_tree_insert_after(
	node: vm_area_struct, prev: vm_area_struct, mapping: address_space,
): void {
	VM_BUG_ON(vma_start_pgoff(node) !== vma_start_pgoff(prev),
		'a forked area starts elsewhere in the file than its parent');
	i_mmap[mapping] = vma_interval_tree.insert_after(node, prev, i_mmap[mapping] as rb_node);
}

/** @ported v5.10 static */
export function avc_start_pgoff(avc: anon_vma_chain): number {
	return vma_start_pgoff(avc_vma[avc]);
}

/** @ported v5.10 static */
export function avc_last_pgoff(avc: anon_vma_chain): number {
	return vma_last_pgoff(avc_vma[avc]);
}

const __anon_vma_interval_tree = INTERVAL_TREE<anon_vma_chain>({
	rb: avcs.rb,
	container_of: avcs.rb.container_of,
	subtree_last: avcs.rb_subtree_last,
	start: avc_start_pgoff,
	last: avc_last_pgoff,
});

/** @ported v5.10 into anon_vma->rb_root */
export function anon_vma_interval_tree_insert(node: anon_vma_chain, anon_vma: anon_vma): void {
	rb_root[anon_vma] = __anon_vma_interval_tree.insert(node, rb_root[anon_vma] as rb_node);
}

/** @ported v5.10 from anon_vma->rb_root */
export function anon_vma_interval_tree_remove(node: anon_vma_chain, anon_vma: anon_vma): void {
	rb_root[anon_vma] = __anon_vma_interval_tree.remove(node, rb_root[anon_vma] as rb_node);
}

/**
 * The first link, in order, whose area has one of the pages [first, last]; 0 for none.
 * @ported v5.10
 */
export function anon_vma_interval_tree_iter_first(
	anon_vma: anon_vma, first: number, last: number,
): anon_vma_chain {
	return __anon_vma_interval_tree.iter_first(rb_root[anon_vma] as rb_node, first, last);
}

/** The next one after `node`; 0 at the end. @ported v5.10 */
export function anon_vma_interval_tree_iter_next(
	node: anon_vma_chain, first: number, last: number,
): anon_vma_chain {
	return __anon_vma_interval_tree.iter_next(node, first, last);
}
