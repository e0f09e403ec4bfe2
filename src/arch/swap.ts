// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/swapops.h, and the formats of arch/x86/include/asm/pgtable_64.h; v5.10
 * Left out: device-private entries, hardware-poisoned pages but for their type number, migration
 *	entries of huge pages, swap areas of more than 32 GiB (of which the low word of an entry
 *	could be zero).
 * Lock order modelled: none.
 *
 * A swp_entry_t is type << 26 | offset. In a page-table entry:
 *
 *	 63    59 58                              32 31               9  8 7 6 5 4 3 2  1  0
 *	+--------+----------------------------------+------------------+---+-+-+-+-+-+-+--+-+
 *	| type   | ~offset, bits 49:23              | ~offset, 22:0    | 0 |0|x|x|x|x|F|SD|0|
 *	+--------+----------------------------------+------------------+---+-+-+-+-+-+-+--+-+
 *	high word                                   low word
 *
 *	F userfaultfd write-protection, SD soft dirty. Bits 8 and 7 are 0, else it were present
 *	(PROT_NONE). The offset is inverted so that the entry names no cacheable memory (L1TF).
 */
import { BUG } from '../lib/bug.ts';
import { pte_none, pte_present } from './pgtable.ts';
import { _PAGE_SWP_SOFT_DIRTY, _PAGE_SWP_UFFD_WP, type pte_t } from './pgtable_types.ts';

/** type << 26 | offset; 0 is no entry (offset 0 of a device is its header). */
export type swp_entry_t = number;

export const MAX_SWAPFILES_SHIFT = 5;
export const SWP_DEVICE_NUM = 2, SWP_MIGRATION_NUM = 2, SWP_HWPOISON_NUM = 1;
/** Swap areas that there can be: the types that are left over. */
export const MAX_SWAPFILES =
	(1 << MAX_SWAPFILES_SHIFT) - SWP_DEVICE_NUM - SWP_MIGRATION_NUM - SWP_HWPOISON_NUM;
export const SWP_HWPOISON = MAX_SWAPFILES;
export const SWP_MIGRATION_READ = MAX_SWAPFILES + SWP_HWPOISON_NUM;
export const SWP_MIGRATION_WRITE = SWP_MIGRATION_READ + 1;

export const SWP_TYPE_SHIFT = 26;
export const SWP_OFFSET_MASK = (1 << SWP_TYPE_SHIFT) - 1;
/* pgtable_64.h */
const SWP_OFFSET_FIRST_BIT = 9;
const SWP_TYPE_BITS = 5;
/* Bits of the offset that lie in the low word, and the bits of the high word below the type. */
const OFFSET_LO_BITS = 32 - SWP_OFFSET_FIRST_BIT;
const TYPE_HI_SHIFT = 32 - SWP_TYPE_BITS;
const OFFSET_HI_MASK = (1 << TYPE_HI_SHIFT) - 1;
const LARGEST_OFFSET = (1 << OFFSET_LO_BITS) - 2;

/** @ported v5.10 include/linux/swapops.h:swp_entry() */
export function swp_entry(type: number, offset: number): swp_entry_t {
	return type << SWP_TYPE_SHIFT | offset & SWP_OFFSET_MASK;
}
/** @ported v5.10 include/linux/swapops.h:swp_type() */
export function swp_type(entry: swp_entry_t): number {
	return entry >>> SWP_TYPE_SHIFT;
}
/** @ported v5.10 include/linux/swapops.h:swp_offset() */
export function swp_offset(entry: swp_entry_t): number {
	return entry & SWP_OFFSET_MASK;
}
/** @ported v5.10 include/linux/swapops.h:is_swap_pte() */
export function is_swap_pte(lo: pte_t): boolean {
	return !pte_none(lo) && !pte_present(lo);
}
/**
 * The entry in a page-table entry of which is_swap_pte() holds, whatever its flags.
 * @ported v5.10 include/linux/swapops.h:pte_to_swp_entry()
 */
export function pte_to_swp_entry(lo: pte_t, hi: number): swp_entry_t {
	const offset = ~lo >>> SWP_OFFSET_FIRST_BIT | ~hi << OFFSET_LO_BITS;

	return swp_entry(hi >>> TYPE_HI_SHIFT, offset);
}
/** Low word of its page-table entry. @ported v5.10 include/linux/swapops.h:swp_entry_to_pte() */
export function swp_entry_to_pte_lo(entry: swp_entry_t): pte_t {
	const offset = swp_offset(entry);

	if (offset > LARGEST_OFFSET)
		BUG(`swap offset ${offset}: its entry would look empty`);
	return ~offset << SWP_OFFSET_FIRST_BIT;
}
/** High word of it. @ported v5.10 include/linux/swapops.h:swp_entry_to_pte() */
export function swp_entry_to_pte_hi(entry: swp_entry_t): number {
	return swp_type(entry) << TYPE_HI_SHIFT |
		~(swp_offset(entry) >>> OFFSET_LO_BITS) & OFFSET_HI_MASK;
}

/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_mksoft_dirty() */
export function pte_swp_mksoft_dirty(lo: pte_t): pte_t {
	return lo | _PAGE_SWP_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_soft_dirty() */
export function pte_swp_soft_dirty(lo: pte_t): boolean {
	return (lo & _PAGE_SWP_SOFT_DIRTY) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_clear_soft_dirty() */
export function pte_swp_clear_soft_dirty(lo: pte_t): pte_t {
	return lo & ~_PAGE_SWP_SOFT_DIRTY;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_mkuffd_wp() */
export function pte_swp_mkuffd_wp(lo: pte_t): pte_t {
	return lo | _PAGE_SWP_UFFD_WP;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_uffd_wp() */
export function pte_swp_uffd_wp(lo: pte_t): boolean {
	return (lo & _PAGE_SWP_UFFD_WP) !== 0;
}
/** @ported v5.10 arch/x86/include/asm/pgtable.h:pte_swp_clear_uffd_wp() */
export function pte_swp_clear_uffd_wp(lo: pte_t): pte_t {
	return lo & ~_PAGE_SWP_UFFD_WP;
}
/** @ported v5.10 include/linux/swapops.h:pte_swp_clear_flags() */
export function pte_swp_clear_flags(lo: pte_t): pte_t {
	return lo & ~(_PAGE_SWP_SOFT_DIRTY | _PAGE_SWP_UFFD_WP);
}

/**
 * The entry that stands for a page while it moves. The page is locked, which the caller sees to.
 * @ported v5.10 include/linux/swapops.h:make_migration_entry()
 */
export function make_migration_entry(pfn: number, write: boolean | number): swp_entry_t {
	return swp_entry(write ? SWP_MIGRATION_WRITE : SWP_MIGRATION_READ, pfn);
}
/** @ported v5.10 include/linux/swapops.h:is_migration_entry() */
export function is_migration_entry(entry: swp_entry_t): boolean {
	const type = swp_type(entry);

	return type === SWP_MIGRATION_READ || type === SWP_MIGRATION_WRITE;
}
/** @ported v5.10 include/linux/swapops.h:is_write_migration_entry() */
export function is_write_migration_entry(entry: swp_entry_t): boolean {
	return swp_type(entry) === SWP_MIGRATION_WRITE;
}
/** @ported v5.10 include/linux/swapops.h:migration_entry_to_pfn() */
export function migration_entry_to_pfn(entry: swp_entry_t): number {
	return swp_offset(entry);
}
/** The same for reading only. @ported v5.10 include/linux/swapops.h:make_migration_entry_read() */
export function make_migration_entry_read(entry: swp_entry_t): swp_entry_t {
	return swp_entry(SWP_MIGRATION_READ, swp_offset(entry));
}
/** @ported v5.10 include/linux/swapops.h:is_device_private_entry(); there are none */
export function is_device_private_entry(_entry: swp_entry_t): boolean {
	return false;
}
/** @ported v5.10 include/linux/swapops.h:is_hwpoison_entry() */
export function is_hwpoison_entry(entry: swp_entry_t): boolean {
	return swp_type(entry) === SWP_HWPOISON;
}
/** Whether it is none of a swap area. @ported v5.10 include/linux/swapops.h:non_swap_entry() */
export function non_swap_entry(entry: swp_entry_t): boolean {
	return swp_type(entry) >= MAX_SWAPFILES;
}
