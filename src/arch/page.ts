// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/include/asm/page_types.h and the address split of pgtable_64_types.h.
 *
 *	 63        48 47     39 38     30 29     21 20     12 11          0
 *	+------------+---------+---------+---------+---------+-------------+
 *	| sign       | PGD     | PUD     | PMD     | PTE     | offset      |
 *	+------------+---------+---------+---------+---------+-------------+
 *
 * A virtual address is a JS number: the 64-bit address as a signed integer, so the kernel half is
 * negative. Exact for every canonical address and for many that are not.
 */

export const PAGE_SHIFT = 12;
export const PAGE_SIZE = 4096;
export const PMD_SHIFT = 21;
export const PMD_SIZE = 2 ** 21;
export const PUD_SHIFT = 30;
export const PUD_SIZE = 2 ** 30;
export const PGDIR_SHIFT = 39;
export const PGDIR_SIZE = 2 ** 39;
export const PTRS_PER_PTE = 512;
/** First address above user space with four-level tables: one guard page below 2^47. */
export const TASK_SIZE = 2 ** 47 - PAGE_SIZE;

const TWO32 = 0x100000000;

/** Bits 63:32 of an address, as an int32. */
export function addr_hi(addr: number): number {
	return Math.floor(addr / TWO32) | 0;
}
/** Bits 31:0 of an address, as an int32. */
export function addr_lo(addr: number): number {
	return addr | 0;
}
export function pgd_index(addr: number): number {
	return (addr_hi(addr) >>> 7) & 511;
}
export function pud_index(addr: number): number {
	return ((addr_hi(addr) << 2) | (addr_lo(addr) >>> 30)) & 511;
}
export function pmd_index(addr: number): number {
	return (addr_lo(addr) >>> 21) & 511;
}
export function pte_index(addr: number): number {
	return (addr_lo(addr) >>> 12) & 511;
}
/** addr & ~PAGE_MASK */
export function offset_in_page(addr: number): number {
	return addr & 4095;
}
/** addr & PAGE_MASK */
export function page_align_down(addr: number): number {
	return addr - (addr & 4095);
}
/** PAGE_ALIGN(addr) */
export function PAGE_ALIGN(addr: number): number {
	return page_align_down(addr + 4095);
}
/** Round down to a multiple of `size`, a power of two of any magnitude. */
export function align_down(addr: number, size: number): number {
	return Math.floor(addr / size) * size;
}
/** pmd_addr_end() and its likes: the next boundary of `size` after addr, or end. */
export function addr_end(addr: number, end: number, size: number): number {
	const boundary = align_down(addr, size) + size;

	return boundary < end ? boundary : end;
}
/** Neither sign nor 2^47 is crossed: the address has the form that an access may have. */
export function is_canonical(addr: number): boolean {
	return addr >= -(2 ** 47) && addr < 2 ** 47;
}
