// SPDX-License-Identifier: GPL-2.0-only
/*
 * Formats of entries that are not present, against 64-bit arithmetic written from the comments of
 * arch/x86/include/asm/pgtable_64.h and pgtable-invert.h.
 */
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { decodePte, decodeSwapPte, describeEntry, encodePte, entryKind }
	from '../../src/arch/formats.ts';
import { mk_pte, NX_HI, PAGE_NONE, PAGE_SHARED, pmd_mkinvalid, pmd_pfn, pmd_present, pte_modify,
	pte_none, pte_pfn, pte_present, set_pte, vm_get_page_prot, vm_get_page_prot_nx }
	from '../../src/arch/pgtable.ts';
import { ram, use_frame } from '../../src/arch/ram.ts';
import * as swap from '../../src/arch/swap.ts';
import { resetArena } from '../../src/lib/arena.ts';

const MASK64 = (1n << 64n) - 1n;
const join = (lo: number, hi: number) =>
	BigInt.asUintN(32, BigInt(hi)) << 32n | BigInt.asUintN(32, BigInt(lo));
/* | TYPE (59-63) | ~OFFSET (9-58) |0|0|X|X|X|X|F|SD|0| */
const swapWord = (type: number, offset: number) => {
	const inverted = ~BigInt(offset) & ((1n << 50n) - 1n);
	return BigInt(type) << 59n | inverted << 9n;
};
const anyType = fc.nat(31), anyOffset = fc.nat(8_000_000), anyPfn = fc.nat(0xfffff);
const AT = 16 * 1024;

beforeAll(() => {
	resetArena();
	use_frame(20);
});

test('a swap entry has the kernel\'s 64 bits, and comes back from them', () => {
	const any = [anyType, anyOffset, fc.boolean(), fc.boolean()] as const;
	fc.assert(fc.property(...any, (type, offset, sd, wp) => {
		const entry = swap.swp_entry(type, offset);
		let lo = swap.swp_entry_to_pte_lo(entry);
		const hi = swap.swp_entry_to_pte_hi(entry);

		expect(join(lo, hi)).toBe(swapWord(type, offset));
		if (sd)
			lo = swap.pte_swp_mksoft_dirty(lo);
		if (wp)
			lo = swap.pte_swp_mkuffd_wp(lo);
		expect(join(lo, hi)).toBe(swapWord(type, offset) | (sd ? 2n : 0n) | (wp ? 4n : 0n));
		expect([swap.pte_swp_soft_dirty(lo), swap.pte_swp_uffd_wp(lo)]).toEqual([sd, wp]);
		expect(swap.pte_to_swp_entry(lo, hi)).toBe(entry);
		expect([swap.swp_type(entry), swap.swp_offset(entry)]).toEqual([type, offset]);
		expect([pte_none(lo), pte_present(lo)]).toEqual([false, false]);
		expect(swap.is_swap_pte(lo)).toBe(true);
		expect(decodeSwapPte(lo, hi)).toEqual({ type, offset, softDirty: sd, uffdWp: wp });
		expect(entryKind(lo, hi)).toBe('swap');
		expect(swap.pte_swp_clear_flags(lo)).toBe(swap.swp_entry_to_pte_lo(entry));
	}), { numRuns: 2000 });
});

test('what hardware could read of a swap entry lies above all memory', () => {
	/* The frame number that a processor sees while it waits for the fault (L1TF). */
	fc.assert(fc.property(anyType, fc.nat(0xffffff >> 1), (type, offset) => {
		const entry = swap.swp_entry(type, Math.min(offset, 8_000_000));
		const pte = join(swap.swp_entry_to_pte_lo(entry), swap.swp_entry_to_pte_hi(entry));
		expect(pte >> 12n & ((1n << 40n) - 1n)).toBeGreaterThanOrEqual(1n << 20n);
	}));
});

test('an offset whose entry would have an empty low word is refused', () => {
	expect(() => swap.swp_entry_to_pte_lo(swap.swp_entry(0, 0x7fffff))).toThrow('kernel BUG');
});

test('the types: swap areas, then hwpoison, migration read and write, two of devices', () => {
	/* include/linux/swap.h with CONFIG_DEVICE_PRIVATE, MIGRATION and MEMORY_FAILURE */
	expect(swap.MAX_SWAPFILES).toBe(32 - 2 - 2 - 1);
	for (let type = 0; type < 32; type++) {
		const entry = swap.swp_entry(type, 77);
		expect(swap.non_swap_entry(entry)).toBe(type >= 27);
		expect(swap.is_hwpoison_entry(entry)).toBe(type === 27);
		expect(swap.is_migration_entry(entry)).toBe(type === 28 || type === 29);
		expect(swap.is_write_migration_entry(entry)).toBe(type === 29);
	}
	const write = swap.make_migration_entry(0x12345, true);
	expect(swap.swp_type(write)).toBe(29);
	const read = swap.make_migration_entry(0x12345, false);
	expect(swap.make_migration_entry_read(write)).toBe(read);
	expect(swap.migration_entry_to_pfn(write)).toBe(0x12345);
});

/* pgtable-invert.h: bits 51:12 of an entry that is neither empty nor present. */
const PFN_MASK = ((1n << 52n) - 1n) & ~0xfffn;
const inverted = (pfn: number, flags: bigint) => (~(BigInt(pfn) << 12n) & PFN_MASK) | flags;

test('PROT_NONE inverts the frame in memory, and pte_modify() both ways', () => {
	fc.assert(fc.property(anyPfn, fc.boolean(), fc.boolean(), (pfn, dirty, nx) => {
		const none = mk_pte(pfn, PAGE_NONE);
		set_pte(AT, none, 0);
		expect(join(ram[AT]!, ram[AT + 1]!)).toBe(inverted(pfn, 0x120n));
		expect([pte_pfn(none), pte_present(none)]).toEqual([pfn, true]);
		expect(swap.is_swap_pte(none)).toBe(false);
		expect(entryKind(ram[AT]!, ram[AT + 1]!)).toBe('protnone');

		/* Readable again, with the high word that a caller has from its vma. */
		const shared = pte_modify(none | (dirty ? 0x40 : 0), PAGE_SHARED);
		set_pte(AT, shared, (nx ? NX_HI : 0) | ram[AT + 1]!);
		const flags = 0x27n | (dirty ? 0x40n : 0n) | (nx ? 1n << 63n : 0n);
		expect(join(ram[AT]!, ram[AT + 1]!)).toBe(BigInt(pfn) << 12n | flags);

		const back = pte_modify(shared, PAGE_NONE);
		set_pte(AT, back, 0);
		const kept = 0x120n | (dirty ? 0x40n : 0n);
		expect(join(ram[AT]!, ram[AT + 1]!)).toBe(inverted(pfn, kept));
		expect(pte_pfn(back)).toBe(pfn);
	}), { numRuns: 500 });
});

test('pmd_mkinvalid() keeps frame and flags, inverted, and present to the kernel alone', () => {
	fc.assert(fc.property(fc.nat(0x7ff), (n) => {
		const pfn = n * 512, pmd = pfn << 12 | 0xe7, invalid = pmd_mkinvalid(pmd);
		set_pte(AT, invalid, 0);
		const mask = PFN_MASK & ~0x1fffffn;
		const wanted = ~(BigInt(pfn) << 12n) & mask & MASK64;
		expect(join(ram[AT]!, ram[AT + 1]!) & mask).toBe(wanted);
		expect([pmd_pfn(invalid), pmd_present(invalid)]).toEqual([pfn, true]);
		expect(invalid & 0xfff).toBe(0xe6);
	}));
});

test('protection_map: pgtable_types.h, by VM_READ, VM_WRITE, VM_EXEC, VM_SHARED', () => {
	const NONE = [0x120, 0], RO = [0x25, 1], RX = [0x25, 0], RW = [0x27, 1], RWX = [0x27, 0];
	const map = [NONE, RO, RO, RO, RX, RX, RX, RX, NONE, RO, RW, RW, RX, RX, RWX, RWX];
	const ours = map.map((_, i) => [vm_get_page_prot(i | 0x70), vm_get_page_prot_nx(i | 0x70)]);
	expect(ours).toEqual(map);
});

test('the declared layout gives every word back', () => {
	fc.assert(fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
		fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (lo, hi) => {
			expect(encodePte(decodePte(lo, hi))).toEqual({ lo, hi });
		}));
	expect(decodePte(0x12345 << 12 | 0x867, NX_HI)).toMatchObject({
		present: true, writable: true, user: true, accessed: true, dirty: true,
		softDirty: true, global: false, pfnLow: 0x12345, pfnHigh: 0, noExecute: true });
	set_pte(AT, 0x12345 << 12 | 0x867, NX_HI);
	expect(describeEntry(AT, 1)).toBe('page 74565 W U A D soft-dirty NX');
	set_pte(AT, mk_pte(5, PAGE_NONE), 0);
	expect(describeEntry(AT, 1)).toBe('protnone page 5 A');
	set_pte(AT, swap.swp_entry_to_pte_lo(9), swap.swp_entry_to_pte_hi(9));
	expect(describeEntry(AT, 1)).toBe('swap type 0 offset 9');
	set_pte(AT, 0, 0);
	expect(describeEntry(AT, 1)).toBe('none');
});
