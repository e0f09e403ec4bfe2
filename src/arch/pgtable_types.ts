// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/include/asm/pgtable_types.h, v5.10: the bits of a page-table entry
 * Left out: protection keys, memory encryption, cache modes but write-back, device-mapped pages.
 * Lock order modelled: none.
 *
 * An entry is two words of `ram`: a pointer to it is the index of the low one. An entry by value is
 * its low word, which has all of a present entry but NX, since no frame lies above 4 GiB.
 *
 *	 63  62   59 58  52 51              32 31              12 11 10 9 8 7 6 5 4 3 2 1 0
 *	+--+-------+------+------------------+------------------+--+--+--+-+-+-+-+-+-+-+-+-+
 *	|XD| pkey  | soft | frame, above     | frame            |SD|UW|SP|G|S|D|A|C|T|U|W|P|
 *	|  |       |      | 4 GiB: none here |                  |  |  |  | | | | | | | | | |
 *	+--+-------+------+------------------+------------------+--+--+--+-+-+-+-+-+-+-+-+-+
 *	high word                            low word
 *
 *	P present, W writable, U user, T write-through, C cache-disable, A accessed, D dirty,
 *	S a leaf above the lowest level (there PAT, and PAT is bit 12), G global,
 *	SP special, UW userfaultfd write-protection, SD soft dirty: the kernel's own, XD no execute
 *
 * Of an entry that is not present the kernel uses G for PROT_NONE, and inverts the frame number
 * (both words), so that no such entry names memory that a processor could read ahead of the fault
 * (L1TF). Swap entries are in swap.ts.
 */

/** Low word of an entry of any level, by value. */
export type pte_t = number;
/** Index in `ram` of the low word of an entry of any level. */
export type ptep = number;

export const _PAGE_PRESENT = 0x1, _PAGE_RW = 0x2, _PAGE_USER = 0x4, _PAGE_PWT = 0x8,
	_PAGE_PCD = 0x10, _PAGE_ACCESSED = 0x20, _PAGE_DIRTY = 0x40, _PAGE_PSE = 0x80,
	_PAGE_PAT = 0x80, _PAGE_GLOBAL = 0x100, _PAGE_SOFTW1 = 0x200, _PAGE_SOFTW2 = 0x400,
	_PAGE_SOFTW3 = 0x800, _PAGE_PAT_LARGE = 0x1000;
export const _PAGE_SPECIAL = _PAGE_SOFTW1, _PAGE_UFFD_WP = _PAGE_SOFTW2,
	_PAGE_SOFT_DIRTY = _PAGE_SOFTW3, _PAGE_PROTNONE = _PAGE_GLOBAL;
/** Of a swap entry, where the bits of a present one mean other things. */
export const _PAGE_SWP_SOFT_DIRTY = _PAGE_RW, _PAGE_SWP_UFFD_WP = _PAGE_USER;
/** _PAGE_NX, which lies in the high word. */
export const NX_HI = 0x80000000 | 0;
/** What of the high word is frame number: bits 51:32. */
export const PFN_HI_MASK = 0x000fffff;

export const PTE_PFN_MASK = ~0xfff;
export const PTE_FLAGS_MASK = 0xfff;
export const PHYSICAL_PMD_PAGE_MASK = ~0x1fffff;
export const PHYSICAL_PUD_PAGE_MASK = ~0x3fffffff;

const _COMMON_PAGE_CHG_MASK = PTE_PFN_MASK | _PAGE_PCD | _PAGE_PWT | _PAGE_SPECIAL |
	_PAGE_ACCESSED | _PAGE_DIRTY | _PAGE_SOFT_DIRTY | _PAGE_UFFD_WP;
/** What pte_modify() leaves as it is. */
export const _PAGE_CHG_MASK = _COMMON_PAGE_CHG_MASK | _PAGE_PAT;
export const _HPAGE_CHG_MASK = _COMMON_PAGE_CHG_MASK | _PAGE_PSE | _PAGE_PAT_LARGE;
export const _PAGE_KNL_ERRATUM_MASK = _PAGE_DIRTY | _PAGE_ACCESSED;

/* Low words; which have NX, protection_map_nx says. */
export const PAGE_NONE = _PAGE_ACCESSED | _PAGE_PROTNONE;
export const PAGE_SHARED = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED;
export const PAGE_SHARED_EXEC = PAGE_SHARED;
export const PAGE_COPY = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED;
export const PAGE_COPY_NOEXEC = PAGE_COPY, PAGE_COPY_EXEC = PAGE_COPY;
export const PAGE_READONLY = PAGE_COPY, PAGE_READONLY_EXEC = PAGE_COPY;
export const _KERNPG_TABLE = _PAGE_PRESENT | _PAGE_RW | _PAGE_ACCESSED | _PAGE_DIRTY;
export const _PAGE_TABLE = _KERNPG_TABLE | _PAGE_USER;
