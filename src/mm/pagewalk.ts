// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/pagewalk.c, v5.10
 * Left out: entries of the upper levels, single entries (pte_entry), hugetlb, walks without vmas
 * and of kernel tables. Nothing here uses them.
 */
import { PGDIR_SIZE, PMD_SIZE, PUD_SIZE, addr_end } from '../arch/page.ts';
import { pmd_none, pmd_offset, pud_offset } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { EINVAL } from '../lib/errno.ts';
import { mmap_assert_locked } from './mm.ts';
import { VM_PFNMAP, vmas, type mm_struct, type vm_area_struct } from './mm_types.ts';
import { find_vma } from './mmap.ts';
import { pgd_none_or_clear_bad, pgd_offset, pud_none_or_clear_bad } from './pgtable.ts';

/** What to do on the way; a result other than 0 ends the walk and is returned. */
export interface mm_walk_ops<T> {
	/** for each lowest-level table, pmd being the entry that points to it */
	readonly pmd_entry: (pmd: number, addr: number, next: number, walk: mm_walk<T>) => number;
	/** where there is no table, or no vma */
	readonly pte_hole?: (addr: number, next: number, walk: mm_walk<T>) => number;
	/** 0: walk this vma, 1: pass it by, negative: an error */
	readonly test_walk?: (addr: number, next: number, walk: mm_walk<T>) => number;
}
export interface mm_walk<T> {
	readonly ops: mm_walk_ops<T>;
	readonly mm: mm_struct;
	/** 0 outside of all */
	vma: vm_area_struct;
	readonly private: T;
}

/** @ported v5.10 static */
function walk_pmd_range<T>(pud: number, addr: number, end: number, walk: mm_walk<T>): number {
	const { ops } = walk;
	let next: number, err = 0;
	let pmd = pmd_offset(pud, addr);

	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (pmd_none(ram[pmd]!) || !walk.vma) {
			if (ops.pte_hole)
				err = ops.pte_hole(addr, next, walk);
		} else {
			err = ops.pmd_entry(pmd, addr, next, walk);
		}
		if (err)
			break;
		pmd += 2;
		addr = next;
	} while (addr !== end);
	return err;
}

/** @ported v5.10 static */
function walk_pud_range<T>(p4d: number, addr: number, end: number, walk: mm_walk<T>): number {
	const { ops } = walk;
	let next: number, err = 0;
	let pud = pud_offset(p4d, addr);

	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (pud_none_or_clear_bad(pud) || !walk.vma) {
			if (ops.pte_hole)
				err = ops.pte_hole(addr, next, walk);
		} else {
			err = walk_pmd_range(pud, addr, next, walk);
		}
		if (err)
			break;
		pud += 2;
		addr = next;
	} while (addr !== end);
	return err;
}

/** @ported v5.10 static; walk_p4d_range() with it, as that level is folded */
function walk_pgd_range<T>(addr: number, end: number, walk: mm_walk<T>): number {
	const { ops } = walk;
	let next: number, err = 0;
	let pgd = pgd_offset(walk.mm, addr);

	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (pgd_none_or_clear_bad(pgd)) {
			if (ops.pte_hole)
				err = ops.pte_hole(addr, next, walk);
		} else {
			err = walk_pud_range(pgd, addr, next, walk);
		}
		if (err)
			break;
		pgd += 2;
		addr = next;
	} while (addr !== end);
	return err;
}

/** @ported v5.10 static */
function walk_page_test<T>(start: number, end: number, walk: mm_walk<T>): number {
	const { ops, vma } = walk;

	if (ops.test_walk)
		return ops.test_walk(start, end, walk);
	/* Entries of bare pfns mean nothing to most; say that there is a hole. */
	if (vmas.vm_flags[vma] & VM_PFNMAP) {
		const err = ops.pte_hole ? ops.pte_hole(start, end, walk) : 1;
		return err ? err : 1;
	}
	return 0;
}

/**
 * Walk the tables of [start, end); the mmap lock is held.
 * @ported v5.10
 */
export function walk_page_range<T>(
	mm: mm_struct, start: number, end: number, ops: mm_walk_ops<T>, private_: T,
): number {
	const walk: mm_walk<T> = { ops, mm, vma: 0 as vm_area_struct, private: private_ };
	let err = 0;
	let next: number;

	if (start >= end)
		return -EINVAL;
	mmap_assert_locked(mm);

	let vma = find_vma(mm, start);
	do {
		if (!vma) {				/* nothing but a hole is left */
			walk.vma = 0 as vm_area_struct;
			next = end;
		} else if (start < vmas.vm_start[vma]) {	/* outside vma */
			walk.vma = 0 as vm_area_struct;
			next = Math.min(end, vmas.vm_start[vma]);
		} else {				/* inside vma */
			walk.vma = vma;
			next = Math.min(end, vmas.vm_end[vma]);
			vma = vmas.vm_next[vma];
			err = walk_page_test(start, next, walk);
			if (err > 0) {
				err = 0;
				start = next;
				continue;
			}
			if (err < 0)
				break;
		}
		if (walk.vma || ops.pte_hole)
			err = walk_pgd_range(start, next, walk);
		if (err)
			break;
		start = next;
	} while (start < end);
	return err;
}

/** The same for one vma. @ported v5.10 */
export function walk_page_vma<T>(vma: vm_area_struct, ops: mm_walk_ops<T>, private_: T): number {
	const walk: mm_walk<T> = { ops, mm: vmas.vm_mm[vma], vma, private: private_ };

	mmap_assert_locked(walk.mm);
	const err = walk_page_test(vmas.vm_start[vma], vmas.vm_end[vma], walk);
	if (err > 0)
		return 0;
	if (err < 0)
		return err;
	return walk_pgd_range(vmas.vm_start[vma], vmas.vm_end[vma], walk);
}
