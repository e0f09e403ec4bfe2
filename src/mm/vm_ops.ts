// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/mm.h: struct vm_fault and vm_operations_struct, v5.10. A vma's vm_ops is an index
 * of the table below, which is code: its entries are set once, when the modules load.
 */
import { BUG_ON } from '../lib/bug.ts';
import type { page, pte_t, ptep, vm_area_struct } from './mm_types.ts';

/**
 * struct vm_fault. One for each nesting depth of faults, reused: nothing may keep it beyond the
 * fault. Pointers to table entries are word indices in `ram`, pte values low words; 0 is NULL.
 */
export interface vm_fault {
	vma: vm_area_struct;
	/** FAULT_FLAG_* */
	flags: number;
	gfp_mask: number;
	/** page offset in the file (or of the anonymous address) */
	pgoff: number;
	/** page-aligned */
	address: number;
	pmd: number;
	pud: number;
	orig_pte: pte_t;
	/** high word of orig_pte: swap offsets and NX lie there */
	orig_pte_hi: number;
	cow_page: page;
	/** what ->fault() found; locked if it says VM_FAULT_LOCKED */
	page: page;
	pte: ptep;
	/** a page-table page allocated beforehand */
	prealloc_pte: page;
}

export interface vm_operations_struct {
	readonly name: string;
	readonly fault?: (vmf: vm_fault) => number;
	/**
	 * Map the pages of the cache that are there, from start_pgoff to end_pgoff, starting at
	 * vmf->address; leaves vmf->pte and vmf->address at the last one, as filemap_map_pages()
	 * does through alloc_set_pte().
	 */
	readonly map_pages?: (vmf: vm_fault, start_pgoff: number, end_pgoff: number) => void;
	readonly page_mkwrite?: (vmf: vm_fault) => number;
	readonly open?: (vma: vm_area_struct) => void;
	readonly close?: (vma: vm_area_struct) => void;
	/** The mapping may be split there; 0 or -errno. */
	readonly may_split?: (vma: vm_area_struct, addr: number) => number;
}

/** Indices of the table; 0 is NULL: anonymous memory. */
export const SHMEM_VM_OPS = 1, GENERIC_FILE_VM_OPS = 2, TEST_VM_OPS = 3,
	EXT4_FILE_VM_OPS = 4;
const VM_OPS = 5;

const none: vm_operations_struct = { name: 'NULL' };
const table: vm_operations_struct[] = Array.from({ length: VM_OPS }, () => none);

/** Set an entry of the table; called once for each, at load. @custom a struct literal in C */
export function register_vm_ops(index: number, ops: vm_operations_struct): void {
	BUG_ON(index <= 0 || index >= VM_OPS, `no vm_ops index ${index}`);
	table[index] = ops;
}

/** The operations of an index, none for 0. @custom vma->vm_ops is a pointer in C */
export function vm_operations(index: number): vm_operations_struct {
	return table[index]!;
}
