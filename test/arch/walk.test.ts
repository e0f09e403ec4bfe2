// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk against the manual. The expectation is a table of rules written from the Intel SDM,
 * volume 3A (sections 4.5, 4.6.1, 4.7, 4.8), on 64-bit BigInt entries; it shares nothing with the
 * emulator, whose constants are not used either.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { invpcid, mmu_cpus, mmu_init, mmu_translate, mmu_walk, write_cr0, write_cr3, write_cr4,
	write_efer, stac, clac } from '../../src/arch/mmu.ts';
import { ram, use_frame } from '../../src/arch/ram.ts';
import { resetArena } from '../../src/lib/arena.ts';

/* Table 4-15 to 4-20: bit positions. */
const BIT = { P: 0n, RW: 1n, US: 2n, A: 5n, D: 6n, PS: 7n, PAT: 12n, XD: 63n };
const has = (entry: bigint, bit: bigint) => (entry >> bit & 1n) === 1n;
const bit = (n: bigint) => 1n << n;

interface Mode { WP: boolean; SMEP: boolean; SMAP: boolean; AC: boolean; NXE: boolean }
interface Access { kind: 'read' | 'write' | 'fetch'; user: boolean; implicit?: boolean }
/** Entries from the top; [PML4E, PDPTE, PDE, PTE]. */
type Entries = readonly bigint[];
interface Outcome {
	/** The error code of #PF, or undefined where the access goes through. */
	fault: number | undefined;
	/** Physical address. */
	physical: bigint | undefined;
	/** The entries afterwards. */
	entries: bigint[];
}

/* The processor has 32 physical-address bits. */
const MAXPHYADDR = 32n;
const range = (high: bigint, low: bigint) => (bit(high - low + 1n) - 1n) << low;

/** 4.5: reserved bits by the level of the entry, and whether it maps a page. */
const RESERVED: readonly {
	level: number; leaf?: boolean; when?: (m: Mode) => boolean; bits: bigint;
}[] = [
	...[4, 3, 2, 1].map((level) => ({ level, bits: range(51n, MAXPHYADDR) })),
	...[4, 3, 2, 1].map((level) => ({ level, when: (m: Mode) => !m.NXE, bits: bit(BIT.XD) })),
	{ level: 4, bits: bit(BIT.PS) },
	{ level: 3, leaf: true, bits: range(29n, 13n) },
	{ level: 2, leaf: true, bits: range(20n, 13n) },
];

/** 4.6.1: access rights; the first rule whose `of` fits decides. */
const RIGHTS: readonly {
	of: (a: Access, page: Page, m: Mode) => boolean;
	allowed: (page: Page, m: Mode) => boolean;
}[] = [
	/* supervisor-mode accesses to a user-mode address */
	{ of: (a, p) => isSupervisor(a) && p.user && a.kind === 'fetch',
		allowed: (p, m) => !m.SMEP && !(m.NXE && p.xd) },
	{ of: (a, p) => isSupervisor(a) && p.user && a.implicit === true && a.kind === 'read',
		allowed: (_, m) => !m.SMAP },
	{ of: (a, p) => isSupervisor(a) && p.user && a.implicit === true && a.kind === 'write',
		allowed: (p, m) => !m.SMAP && (!m.WP || p.rw) },
	{ of: (a, p) => isSupervisor(a) && p.user && a.kind === 'read',
		allowed: (_, m) => !m.SMAP || m.AC },
	{ of: (a, p) => isSupervisor(a) && p.user && a.kind === 'write',
		allowed: (p, m) => (!m.SMAP || m.AC) && (!m.WP || p.rw) },
	/* supervisor-mode accesses to a supervisor-mode address */
	{ of: (a) => isSupervisor(a) && a.kind === 'read', allowed: () => true },
	{ of: (a) => isSupervisor(a) && a.kind === 'write', allowed: (p, m) => !m.WP || p.rw },
	{ of: (a) => isSupervisor(a) && a.kind === 'fetch', allowed: (p, m) => !(m.NXE && p.xd) },
	/* user-mode accesses */
	{ of: (a) => a.kind === 'read', allowed: (p) => p.user },
	{ of: (a) => a.kind === 'write', allowed: (p) => p.user && p.rw },
	{ of: (a) => a.kind === 'fetch', allowed: (p, m) => p.user && !(m.NXE && p.xd) },
];
interface Page { user: boolean; rw: boolean; xd: boolean }
const isSupervisor = (a: Access) => !a.user || a.implicit === true;

/** 4.7: the error code. */
function errorCode(a: Access, m: Mode, cause: { present: boolean; reserved: boolean }): number {
	const flags = {
		1: cause.present,
		2: a.kind === 'write',
		4: !isSupervisor(a),
		8: cause.reserved,
		16: a.kind === 'fetch' && (m.NXE || m.SMEP),
	};
	return Object.entries(flags)
		.reduce((sum, [value, isSet]) => sum + (isSet ? Number(value) : 0), 0);
}

/** 4.5 and 4.8: from the top to the page. */
function manual(before: Entries, address: bigint, a: Access, m: Mode): Outcome {
	const used: number[] = [];
	const fail = (present: boolean, reserved: boolean): Outcome => ({
		fault: errorCode(a, m, { present, reserved }), physical: undefined,
		entries: [...before],
	});

	for (const [index, entry] of before.entries()) {
		const level = 4 - index;
		const leaf = level === 1 || (level < 4 && has(entry, BIT.PS));
		if (!has(entry, BIT.P))
			return fail(false, false);
		const broken = RESERVED.some((rule) => rule.level === level &&
			(rule.leaf === undefined || rule.leaf === leaf) &&
			(rule.when === undefined || rule.when(m)) && (entry & rule.bits) !== 0n);
		if (broken)
			return fail(true, true);
		used.push(index);
		if (!leaf)
			continue;

		const page: Page = {
			user: used.every((i) => has(before[i]!, BIT.US)),
			rw: used.every((i) => has(before[i]!, BIT.RW)),
			xd: used.some((i) => has(before[i]!, BIT.XD)),
		};
		if (!RIGHTS.find((rule) => rule.of(a, page, m))!.allowed(page, m))
			return fail(true, false);
		const entries = before.map((e, i) => used.includes(i) ? e | bit(BIT.A) : e);
		if (a.kind === 'write')
			entries[index]! |= bit(BIT.D);
		const offsetBits = 12n + 9n * BigInt(level - 1);
		const physical = (entry & range(51n, offsetBits)) |
			(address & range(offsetBits - 1n, 0n));
		return { fault: undefined, physical, entries };
	}
	throw new Error('no leaf');
}

/* Where the tables lie; the page of each level is aligned to its size. */
const FRAME = [16, 17, 18, 19];
const LEAF_4K = 0x40n << 12n, LEAF_2M = 0x800n << 12n, LEAF_1G = 0x40000n << 12n;
const ADDRESS = 0x7f12_3456_789an;
const index = (level: number) => Number(ADDRESS >> BigInt(12 + 9 * (level - 1)) & 511n);
const place = (level: number) => FRAME[4 - level]! * 1024 + index(level) * 2;

function put(entries: Entries): void {
	for (const [i, entry] of entries.entries()) {
		ram[place(4 - i)] = Number(BigInt.asIntN(32, entry));
		ram[place(4 - i) + 1] = Number(BigInt.asIntN(32, entry >> 32n));
	}
}
const word = (at: number) => BigInt.asUintN(32, BigInt(ram[at]!));
const get = () => [4, 3, 2, 1].map((level) => word(place(level) + 1) << 32n | word(place(level)));

const KINDS = { read: 0, write: 1, fetch: 2 };
const code = (a: Access) => KINDS[a.kind] + (a.user ? 4 : 0) + (a.implicit ? 8 : 0);

let mode: Mode | undefined;
function set(m: Mode): void {
	if (mode === m)
		return;
	mode = m;
	const ok = [
		write_cr0(0, (0x80000001 | (m.WP ? 0x10000 : 0)) | 0),
		write_cr4(0, 0xa0 | (m.SMEP ? 1 << 20 : 0) | (m.SMAP ? 1 << 21 : 0)),
		write_efer(0, 0x101 | (m.NXE ? 0x800 : 0)),
	];
	(m.AC ? stac : clac)(0);
	if (ok.includes(false))
		throw new Error('a register was refused');
}

let cases = 0, gone = 0;
/* Seen, so that no part of the enumeration is idle. */
const seen = new Map<string, number>();
function check(entries: Entries, a: Access, m: Mode): void {
	const wanted = manual(entries, ADDRESS, a, m);

	set(m);
	put(entries);
	invpcid(0, 2, 0, 0);
	/* The walk alone, and the translation through an empty TLB, in turn. */
	const address = Number(ADDRESS);
	let physical: bigint | undefined;
	if ((cases + (cases >> 3)) % 2) {
		const found = mmu_walk(0, address, code(a));
		if (found) {
			const offset = found & 0x80 ? 30n : found & 0x40 ? 21n : 12n;
			physical = BigInt((found & ~0xfff) >>> 0) |
				(ADDRESS & range(offset - 1n, 0n));
		}
	} else {
		const at = mmu_translate(0, address, code(a));
		physical = at < 0 ? undefined : BigInt(at);
	}
	const fault = physical === undefined ? mmu_cpus.fault_code[0] : undefined;
	const after = get();
	const same = fault === wanted.fault && physical === wanted.physical &&
		after.every((entry, i) => entry === wanted.entries[i]) &&
		(fault === undefined || mmu_cpus.cr2[0] === address);
	if (!same) {
		const hex = (list: Entries) => list.map((e) => e.toString(16));
		const given = { before: hex(entries), a, m };
		expect({ ...given, fault, physical, entries: hex(after) })
			.toEqual({ ...given, ...wanted, entries: hex(wanted.entries) });
		throw new Error('CR2 is not the address');
	}
	cases++;
	if (fault === undefined)
		gone++;
	const key = fault === undefined ? 'through' : String(fault);
	seen.set(key, (seen.get(key) ?? 0) + 1);
}

const bools = [false, true];
const MODES: Mode[] = bools.flatMap((WP) => bools.flatMap((SMEP) => bools.flatMap((SMAP) =>
	bools.flatMap((AC) => bools.map((NXE) => ({ WP, SMEP, SMAP, AC, NXE }))))));
const ACCESSES: Access[] = [
	...(['read', 'write', 'fetch'] as const)
		.flatMap((kind) => bools.map((user) => ({ kind, user }))),
	{ kind: 'read', user: false, implicit: true },
	{ kind: 'write', user: false, implicit: true },
];
const table = (level: number) => BigInt(FRAME[5 - level]!) << 12n;
/** What an entry of a level points to, by whether it maps a page. */
const target = (level: number, leaf: boolean) => level === 1 ? LEAF_4K :
	leaf && level === 2 ? LEAF_2M : leaf && level === 3 ? LEAF_1G : table(level);
/** A well-formed entry with the bits of `flags` set. */
const entryOf = (level: number, flags: bigint) =>
	target(level, level < 4 && has(flags, BIT.PS)) | flags;
const FULL = bit(BIT.P) | bit(BIT.RW) | bit(BIT.US);
const PAIRS = [[4, 3], [4, 2], [4, 1], [3, 2], [3, 1], [2, 1]] as const;
/** All combinations of some bits. */
const combinations = (...bits: bigint[]) =>
	bits.reduce<bigint[]>((sums, b) => sums.flatMap((s) => [s, s | bit(b)]), [0n]);

const LOWER = combinations(BIT.RW, BIT.US, BIT.XD, BIT.PS);

beforeAll(() => {
	resetArena();
	mmu_init(1, false);
	use_frame(0x1000);
	write_cr3(0, FRAME[0]! * 4096);
});

describe('every access is as the manual says', () => {
	test('each level alone: all of P, R/W, U/S, A, D, PS, XD; all modes and accesses', () => {
		for (const m of MODES) {
			for (const level of [4, 3, 2, 1]) {
				for (const flags of combinations(
					BIT.P, BIT.RW, BIT.US, BIT.A, BIT.D, BIT.PS, BIT.XD)) {
					const entries = [4, 3, 2, 1].map((l) =>
						entryOf(l, l === level ? flags : FULL));
					for (const a of ACCESSES)
						check(entries, a, m);
				}
			}
		}
		expect(cases).toBe(32 * 4 * 128 * 8);
	});
	test('two levels at once: P, R/W, U/S, XD and PS of each', () => {
		const before = cases;
		for (const m of MODES) {
			for (const [upper, lower] of PAIRS) {
				for (const one of combinations(BIT.RW, BIT.US, BIT.XD, BIT.P)) {
					for (const two of LOWER) {
						const flags = (l: number) => l === upper ? one :
							l === lower ? two | bit(BIT.P) : FULL;
						const entries = [4, 3, 2, 1]
							.map((l) => entryOf(l, flags(l)));
						for (const a of ACCESSES)
							check(entries, a, m);
					}
				}
			}
		}
		expect(cases - before).toBe(32 * 6 * 16 * 16 * 8);
	});
	/* Bits 7 and up, but those that would choose another frame. */
	test.each([
		{ level: 4, leaf: false, frame: 12n }, { level: 3, leaf: false, frame: 12n },
		{ level: 3, leaf: true, frame: 30n }, { level: 2, leaf: false, frame: 12n },
		{ level: 2, leaf: true, frame: 21n }, { level: 1, leaf: true, frame: 12n },
	])('every bit that is reserved or ignored: level $level, leaf $leaf', (what) => {
		const { level, leaf, frame } = what;
		const size = leaf && level > 1 ? bit(BIT.PS) : 0n;
		for (let n = 7n; n < 64n; n++) {
			if (n >= frame && n < MAXPHYADDR)
				continue;
			/* As a flag, since PS decides where the entry points. */
			const one = n === BIT.PS ? entryOf(level, FULL | bit(n))
				: entryOf(level, FULL | size) | bit(n);
			const entries = [4, 3, 2, 1]
				.map((l) => l === level ? one : entryOf(l, FULL));
			for (const m of MODES)
				for (const a of ACCESSES)
					check(entries, a, m);
		}
	});
	test('bad entries at several levels: the uppermost decides', () => {
		const states = [0n, FULL, FULL | bit(40n), FULL & ~bit(BIT.US), FULL & ~bit(BIT.RW),
			FULL | bit(BIT.XD)];
		const m = MODES.at(-1)!;
		const all = [4, 3, 2, 1].reduce<bigint[][]>((lists, level) => lists.flatMap((l) =>
			states.map((state) => [...l, entryOf(level, state)])), [[]]);
		for (const entries of all)
			for (const a of ACCESSES)
				check(entries, a, m);
		expect(all).toHaveLength(6 ** 4);
	});
	test('at least 100,000 cases, through and with every error code that there is', () => {
		expect(cases).toBeGreaterThan(100_000);
		expect(gone).toBeGreaterThan(cases / 20);
		/* P W U RSVD I as 4.7 allows them: no W with I; RSVD only with P. */
		const codes = [0, 1, 9].flatMap((cause) => [0, 2, 16].flatMap((kind) =>
			[0, 4].map((user) => String(cause + kind + user))));
		/* A fetch without NXE and SMEP has the code of a read. */
		expect([...seen.keys()].sort()).toEqual([...codes, 'through'].sort());
	});
});

describe('addresses that are not canonical', () => {
	const NOT = [2 ** 47, 2 ** 48, -(2 ** 47) - 4096, 2 ** 52];
	test.each(NOT)('#GP for %d, and CR2 is left', (addr) => {
		set(MODES[0]!);
		mmu_cpus.cr2[0] = 1;
		expect(mmu_translate(0, addr, 0)).toBe(-1);
		expect([mmu_cpus.fault_vector[0], mmu_cpus.cr2[0]]).toEqual([13, 1]);
	});
	test('the last and first canonical addresses are walked', () => {
		for (const addr of [2 ** 47 - 1, -(2 ** 47)]) {
			expect(mmu_translate(0, addr, 0)).toBe(-1);
			expect([mmu_cpus.fault_vector[0], mmu_cpus.cr2[0]]).toEqual([14, addr]);
		}
	});
});
