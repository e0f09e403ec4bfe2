// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a TLB keeps and when it lets go: Intel SDM, volume 3A, 4.10.2 to 4.10.4, and the entries of
 * MOV to control registers, INVLPG and INVPCID in volume 2.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import * as mmu from '../../src/arch/mmu.ts';
import { ram } from '../../src/arch/ram.ts';
import { allRegions, resetArena } from '../../src/lib/arena.ts';
import { Frames, map } from './tables.ts';

const READ = mmu.MMU_READ | mmu.MMU_USER, WRITE = mmu.MMU_WRITE | mmu.MMU_USER,
	FETCH = mmu.MMU_FETCH | mmu.MMU_USER;
const P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100;
const ADDR = 0x7f00_0000_0000, MiB2 = 2 ** 21, GiB = 2 ** 30;
const PGE = 0x80, PCIDE = 0x20000, SMEP = 0x100000, SMAP = 0x200000, LA57 = 0x1000;

let frames: Frames, top: number, other: number;
function start(pcid = false): void {
	resetArena();
	mmu.mmu_init(1, pcid);
	frames = new Frames(16);
	top = frames.take();
	other = frames.take();
	mmu.write_cr3(0, top * 4096);
}
beforeEach(() => start());

const at = (addr: number, access = READ) => mmu.mmu_translate(0, addr, access);
/** Reads the frame, 0 where it faults. */
const frame = (addr: number, access = READ) => {
	const where = at(addr, access);
	return where < 0 ? 0 : Math.floor(where / 4096);
};
const count = (name: mmu.MmuEvent) => mmu.mmu_event(0, name);
const cr4 = (change: number) => mmu.write_cr4(0, mmu.mmu_cpus.cr4[0] ^ change);

describe('staleness', () => {
	test('a translation outlives its entry until it is flushed', () => {
		const pte = map(frames, top, ADDR, 0x100, P | W | U);
		expect(frame(ADDR)).toBe(0x100);
		ram[pte] = 0;
		expect(frame(ADDR)).toBe(0x100);
		mmu.invlpg(0, ADDR + 5);
		expect(frame(ADDR)).toBe(0);
	});
	test('A and D cleared in memory stay clear while the TLB serves the access', () => {
		const pte = map(frames, top, ADDR, 0x100, P | W | U);
		at(ADDR, WRITE);
		expect(ram[pte]! & (A | D)).toBe(A | D);
		ram[pte]! &= ~(A | D);
		at(ADDR, WRITE);
		at(ADDR);
		expect(ram[pte]! & (A | D)).toBe(0);
		mmu.write_cr3(0, top * 4096);
		at(ADDR);
		expect(ram[pte]! & (A | D)).toBe(A);
	});
	test('a write through an entry cached clean walks again and sets D, once', () => {
		const pte = map(frames, top, ADDR, 0x100, P | W | U);
		at(ADDR);
		expect(ram[pte]! & (A | D)).toBe(A);
		at(ADDR, WRITE);
		expect(ram[pte]! & (A | D)).toBe(A | D);
		expect(count('dtlb_store_misses.walk_completed')).toBe(1);
		at(ADDR, WRITE);
		expect(count('dtlb_store_misses.walk_completed')).toBe(1);
		/* That walk saw the tables of the moment. */
		map(frames, top, ADDR + 4096, 0x101, P | W | U);
		at(ADDR + 4096);
		map(frames, top, ADDR + 4096, 0x102, P | W | U);
		expect(frame(ADDR + 4096)).toBe(0x101);
		expect(frame(ADDR + 4096, WRITE)).toBe(0x102);
		expect(frame(ADDR + 4096)).toBe(0x102);
	});
	test('rights taken away in memory go on; rights given are found without a fault', () => {
		const pte = map(frames, top, ADDR, 0x100, P | W | U);
		at(ADDR, WRITE);
		ram[pte]! &= ~W;
		expect(frame(ADDR, WRITE)).toBe(0x100);
		mmu.invlpg(0, ADDR);
		expect(frame(ADDR, WRITE)).toBe(0);
		expect(frame(ADDR)).toBe(0x100);
		ram[pte]! |= W;
		expect(frame(ADDR, WRITE)).toBe(0x100);
		expect(count('page-faults')).toBe(1);
	});
	test('a fault drops what was cached for its page', () => {
		const pte = map(frames, top, ADDR, 0x100, P | U);
		at(ADDR);
		ram[pte] = 0x200 << 12 | P | U;
		expect(frame(ADDR)).toBe(0x100);
		expect(frame(ADDR, WRITE)).toBe(0);
		expect(mmu.mmu_cpus.fault_code[0]).toBe(7);
		expect(frame(ADDR)).toBe(0x200);
	});
	test('current registers rule what is cached: WP, SMAP with AC, SMEP, NXE', () => {
		map(frames, top, ADDR, 0x100, P | U);
		map(frames, top, ADDR + 4096, 0x101, P | D);
		at(ADDR);
		at(ADDR + 4096, mmu.MMU_READ);
		expect(at(ADDR, mmu.MMU_READ)).toBe(-1);
		mmu.stac(0);
		expect(frame(ADDR, mmu.MMU_READ)).toBe(0x100);
		expect(frame(ADDR, mmu.MMU_READ | mmu.MMU_IMPLICIT)).toBe(0);
		mmu.clac(0);
		expect(frame(ADDR, mmu.MMU_READ)).toBe(0);
		expect(frame(ADDR, mmu.MMU_FETCH)).toBe(0);
		cr4(SMEP);
		expect(frame(ADDR, mmu.MMU_FETCH)).toBe(0x100);
		expect(frame(ADDR + 4096, mmu.MMU_WRITE)).toBe(0);
		mmu.write_cr0(0, mmu.X86_CR0_PG | mmu.X86_CR0_PE);
		expect(frame(ADDR + 4096, mmu.MMU_WRITE)).toBe(0x101);
	});
	test('replacement is round robin in the set, and free ways come first', () => {
		mmu.mmu_configure_tlb(0, 2, 2);
		const pages = [0, 2, 4].map((n) => ADDR + n * 4096);
		pages.forEach((addr, i) => map(frames, top, addr, 0x100 + i, P | U));
		const cached = () => mmu.tlb_entries(0).map((e) => e.pfn);
		at(pages[0]!);
		at(pages[1]!);
		expect(cached()).toEqual([0x100, 0x101]);
		at(pages[0]!);
		at(pages[2]!);
		expect(cached()).toEqual([0x102, 0x101]);
		at(pages[0]!);
		expect(cached()).toEqual([0x102, 0x100]);
		mmu.invlpg(0, pages[0]!);
		at(pages[1]!);
		expect(cached()).toEqual([0x102, 0x101]);
		expect(count('dTLB-load-misses')).toBe(5);
		expect(count('dTLB-loads')).toBe(6);
	});
	test('a flush leaves no trace but the counts: equal machines hash alike', () => {
		const words = allRegions().find((region) => region.name === 'tlb.word')!.array;
		const before = words.slice(0, 4096);
		for (let i = 0; i < 2000; i++)
			at(map(frames, top, ADDR + i * 4096, 0x1000 + i, P | U) && ADDR + i * 4096);
		expect(words.slice(0, 4096)).not.toEqual(before);
		mmu.write_cr3(0, top * 4096);
		expect(words.slice(0, 4096)).toEqual(before);
	});
	test('counts: loads, stores and fetches, misses, walks, faults', () => {
		map(frames, top, ADDR, 0x100, P | W | U);
		at(ADDR);
		at(ADDR);
		at(ADDR, WRITE);
		at(ADDR, FETCH);
		at(ADDR + 4096);
		const names = ['dTLB-loads', 'dTLB-load-misses', 'dTLB-stores', 'dTLB-store-misses',
			'iTLB-loads', 'iTLB-load-misses', 'dtlb_load_misses.walk_completed',
			'page-faults'] as const;
		expect(names.map(count)).toEqual([3, 2, 1, 0, 1, 0, 2, 1]);
	});
});

describe('large pages', () => {
	test.each([
		[2, MiB2, 0x200], [3, GiB, 0x40000],
	] as const)('level %d', (level, bytes, pfn) => {
		const addr = Math.floor(ADDR / bytes) * bytes;
		const entry = map(frames, top, addr, pfn, P | W | U | PS, level);
		expect(at(addr + bytes - 1)).toBe(pfn * 4096 + bytes - 1);
		expect(mmu.tlb_entries(0))
			.toMatchObject([{ address: addr, bytes, pfn, dirty: false }]);
		/* One entry serves the whole page. */
		expect(frame(addr + 4096 * 7)).toBe(pfn + 7);
		expect(count('dtlb_load_misses.walk_completed')).toBe(1);
		at(addr, WRITE);
		expect(ram[entry]! & (A | D)).toBe(A | D);
		ram[entry] = 0;
		expect(frame(addr + 4096)).toBe(pfn + 1);
		/* INVLPG of any address in it. */
		mmu.invlpg(0, addr + bytes / 2);
		expect(frame(addr)).toBe(0);
	});
	test('a table in place of a large page is found after a flush', () => {
		const pmd = map(frames, top, ADDR, 0x200, P | W | U | PS, 2);
		at(ADDR);
		ram[pmd] = 0;
		map(frames, top, ADDR, 0x100, P | W | U);
		expect(frame(ADDR)).toBe(0x200);
		mmu.invlpg(0, ADDR);
		expect(frame(ADDR)).toBe(0x100);
		expect(mmu.tlb_entries(0)).toHaveLength(1);
	});
	test('a walk for D finds the table in its place, which hides the old', () => {
		const pmd = map(frames, top, ADDR, 0x200, P | W | U | PS, 2);
		at(ADDR);
		ram[pmd] = 0;
		map(frames, top, ADDR, 0x100, P | W | U);
		const found = [frame(ADDR), frame(ADDR, WRITE), frame(ADDR)];
		expect(found).toEqual([0x200, 0x100, 0x100]);
		expect(mmu.tlb_entries(0)).toHaveLength(1);
	});
	test('they are flushed by CR3 too', () => {
		map(frames, top, ADDR, 0x200, P | U | PS, 2);
		at(ADDR);
		mmu.write_cr3(0, other * 4096);
		expect(frame(ADDR)).toBe(0);
	});
});

/* Fills: own page (not global), a global one, and returns whose translations are left. */
function left(change: () => unknown): string[] {
	map(frames, top, ADDR, 0x100, P | U);
	map(frames, top, ADDR + 4096, 0x101, P | U | G);
	at(ADDR);
	at(ADDR + 4096);
	expect(mmu.tlb_entries(0)).toHaveLength(2);
	change();
	return mmu.tlb_entries(0).map((e) => e.pcid === -1 ? 'global' : 'own').sort();
}

describe('what is flushed, without PCIDs', () => {
	test.each([
		['MOV to CR3', () => mmu.write_cr3(0, other * 4096), ['global']],
		['INVLPG of the page', () => mmu.invlpg(0, ADDR), ['global']],
		['INVLPG of a global page', () => mmu.invlpg(0, ADDR + 4096), ['own']],
		['CR4.PGE off', () => cr4(PGE), []],
		['CR4.SMEP off', () => cr4(SMEP), ['global', 'own']],
		['CR4.SMEP off and on', () => { cr4(SMEP); cr4(SMEP); }, ['global']],
		['CR4.SMAP', () => { cr4(SMAP); cr4(SMAP); }, ['global', 'own']],
		['CR0.PG off', () => mmu.write_cr0(0, 1), []],
		['CR0.WP', () => mmu.write_cr0(0, mmu.X86_CR0_PG | 1), ['global', 'own']],
		['INVPCID all', () => mmu.invpcid(0, 2, 0, 0), []],
		['INVPCID all but global', () => mmu.invpcid(0, 3, 0, 0), ['global']],
		['INVPCID of PCID 0', () => mmu.invpcid(0, 1, 0, 0), ['global']],
		['INVPCID of an address', () => mmu.invpcid(0, 0, 0, ADDR), ['global']],
		['INVPCID of a global page', () => mmu.invpcid(0, 0, 0, ADDR + 4096),
			['global', 'own']],
	] as const)('%s', (_, change, wanted) => {
		expect(left(change)).toEqual(wanted);
	});
	test('a global page serves every address space, and none with CR4.PGE off', () => {
		left(() => mmu.write_cr3(0, other * 4096));
		expect([frame(ADDR), frame(ADDR + 4096)]).toEqual([0, 0x101]);
		cr4(PGE);
		expect(frame(ADDR + 4096)).toBe(0);
		mmu.write_cr3(0, top * 4096);
		at(ADDR + 4096);
		expect(mmu.tlb_entries(0)).toMatchObject([{ pcid: 0 }]);
	});
});

describe('PCIDs', () => {
	const load = (table: number, pcid: number, noflush = false) =>
		mmu.write_cr3(0, table * 4096 + pcid, noflush);
	beforeEach(() => {
		start(true);
		map(frames, top, ADDR, 0x100, P | U);
		map(frames, other, ADDR, 0x200, P | U);
		load(top, 1);
		at(ADDR);
		load(other, 2);
		at(ADDR);
	});
	const pcids = () => mmu.tlb_entries(0).map((e) => e.pcid).sort();

	test('translations of several at once, and each its own', () => {
		expect(pcids()).toEqual([1, 2]);
		expect(frame(ADDR)).toBe(0x200);
		load(top, 1, true);
		expect(frame(ADDR)).toBe(0x100);
		expect(count('dtlb_load_misses.walk_completed')).toBe(2);
	});
	test('MOV to CR3 flushes the new PCID, and with bit 63 nothing', () => {
		load(top, 1, true);
		expect(pcids()).toEqual([1, 2]);
		load(other, 2);
		expect(pcids()).toEqual([1]);
	});
	test('with bit 63, another table under an old PCID meets the old translations', () => {
		load(top, 2, true);
		expect(frame(ADDR)).toBe(0x200);
	});
	test('INVLPG: the current one alone', () => {
		mmu.invlpg(0, ADDR);
		expect(pcids()).toEqual([1]);
	});
	test('INVPCID: address of another, all of another, all', () => {
		expect(mmu.invpcid(0, 0, 1, ADDR + 4096)).toBe(true);
		expect(pcids()).toEqual([1, 2]);
		expect(mmu.invpcid(0, 0, 1, ADDR)).toBe(true);
		expect(pcids()).toEqual([2]);
		expect(mmu.invpcid(0, 1, 2, 0)).toBe(true);
		expect(pcids()).toEqual([]);
	});
	test('a global page is of all of them', () => {
		map(frames, other, ADDR + 4096, 0x300, P | U | G);
		at(ADDR + 4096);
		load(top, 1, true);
		expect(frame(ADDR + 4096)).toBe(0x300);
		mmu.invpcid(0, 1, 1, 0);
		mmu.invpcid(0, 0, 1, ADDR + 4096);
		expect(frame(ADDR + 4096)).toBe(0x300);
		mmu.invpcid(0, 3, 0, 0);
		expect(pcids()).toEqual([-1]);
		mmu.invpcid(0, 2, 0, 0);
		expect(pcids()).toEqual([]);
	});
	test('CR4.PCIDE off empties all; SMEP on, the current PCID', () => {
		cr4(SMEP);
		cr4(SMEP);
		expect(pcids()).toEqual([1]);
		cr4(PCIDE);
		expect(pcids()).toEqual([]);
		/* On again only from PCID 0. */
		expect(cr4(PCIDE)).toBe(false);
		mmu.write_cr3(0, other * 4096);
		expect(cr4(PCIDE)).toBe(true);
	});
});

describe('registers: what is #GP changes nothing', () => {
	test.each([
		['five levels', () => cr4(LA57)],
		['protection keys', () => cr4(mmu.X86_CR4_PKE)],
		['PAE off while paging', () => cr4(mmu.X86_CR4_PAE)],
		['PCIDE with a PCID in CR3', () => {
			mmu.write_cr3(0, top * 4096 + 0x18);
			return cr4(PCIDE);
		}],
		['bit 63 of CR3 without PCIDs', () => mmu.write_cr3(0, top * 4096, true)],
		['CR3 above the physical addresses', () => mmu.write_cr3(0, 2 ** 32)],
		['PG without PE', () => mmu.write_cr0(0, mmu.X86_CR0_PG)],
		['LME while paging', () => mmu.write_efer(0, 0)],
		['an unknown bit of EFER', () => mmu.write_efer(0, 0xd01 | 0x10000)],
		['INVPCID of a PCID without PCIDs', () => mmu.invpcid(0, 1, 1, 0)],
		['INVPCID of type 4', () => mmu.invpcid(0, 4, 0, 0)],
		['INVPCID of no canonical address', () => mmu.invpcid(0, 0, 0, 2 ** 50)],
	])('%s', (_, change) => {
		const { cr0, cr4: four, efer } = mmu.mmu_cpus;
		const before = [cr0[0], four[0], efer[0]];
		expect(change()).toBe(false);
		expect([cr0[0], four[0], efer[0]]).toEqual(before);
	});
	test('paging off while PCIDE is on', () => {
		start(true);
		expect(mmu.write_cr0(0, 1)).toBe(false);
	});
	test('without paging, addresses are physical; with it again, tables rule', () => {
		map(frames, top, ADDR, 0x100, P | U);
		mmu.write_cr0(0, 1);
		expect(mmu.mmu_cpus.efer[0] & mmu.EFER_LMA).toBe(0);
		expect(at(0x12345678)).toBe(0x12345678);
		expect(mmu.write_efer(0, 0)).toBe(true);
		expect(mmu.write_cr0(0, mmu.X86_CR0_PG | 1)).toBe(false);
		mmu.write_efer(0, mmu.EFER_LME);
		expect(mmu.write_cr0(0, mmu.X86_CR0_PG | 1)).toBe(true);
		expect(frame(ADDR)).toBe(0x100);
	});
});

describe('mmu_access()', () => {
	test('asks the handler until the access goes through, with address and error code', () => {
		const asked: number[][] = [];
		mmu.faultHandler.page_fault = (cpu, addr, code) => {
			asked.push([cpu, addr, code]);
			if (asked.length === 2)
				map(frames, top, ADDR, 0x100, P | U | W);
			return 0;
		};
		expect(mmu.mmu_access(0, ADDR + 9, WRITE)).toBe(0x100 * 4096 + 9);
		expect(asked).toEqual([[0, ADDR + 9, 6], [0, ADDR + 9, 6]]);
	});
	test('gives up when the handler refuses, and for addresses that are not canonical', () => {
		const asked: number[] = [];
		mmu.faultHandler.page_fault = (_, addr) => asked.push(addr);
		expect(mmu.mmu_access(0, ADDR, READ)).toBe(-1);
		expect(mmu.mmu_access(0, 2 ** 47, READ)).toBe(-1);
		expect(asked).toEqual([ADDR]);
	});
	test('a handler without progress is a bug, not an endless loop', () => {
		mmu.faultHandler.page_fault = () => 0;
		expect(() => mmu.mmu_access(0, ADDR, READ)).toThrow('faults for ever');
	});
});
