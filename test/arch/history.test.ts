// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random histories of tables, accesses and flushes: whatever a TLB has cached, or gives as an
 * answer, is what the tables said at some time since the last flush that covers it. The model reads
 * the tables on its own and knows of the TLB only which flush covers what.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as mmu from '../../src/arch/mmu.ts';
import { ram, use_frame } from '../../src/arch/ram.ts';
import { resetArena } from '../../src/lib/arena.ts';

const BASE = 0x1234_4000_0000;
const MiB2 = 2 ** 21;
/* The first four pages of each of two regions of 2 MiB, each a table or a large page. */
const PAGES = [0, 1, 2, 3].flatMap((n) => [BASE + n * 4096, BASE + MiB2 + n * 4096]);
/* Two address spaces; each with its own tables for both regions. */
const SPACES = [0, 1].map((n) => ({
	top: 16 + 8 * n, pud: 17 + 8 * n, pmd: 18 + 8 * n, ptes: [19 + 8 * n, 20 + 8 * n] as const,
}));
type Space = typeof SPACES[number];
const PCIDS = 3;

const wordOf = (pfn: number, index: number) => pfn * 1024 + index * 2;
const pmdWord = (s: Space, region: number) => wordOf(s.pmd, region);
const pteWord = (s: Space, page: number) => wordOf(s.ptes[page & 1]!, page >> 1);

function build(pcid: boolean): void {
	resetArena();
	mmu.mmu_init(1, pcid);
	use_frame(64);
	for (const s of SPACES) {
		ram[wordOf(s.top, Math.floor(BASE / 2 ** 39) % 512)] = s.pud << 12 | 0x27;
		ram[wordOf(s.pud, Math.floor(BASE / 2 ** 30) % 512)] = s.pmd << 12 | 0x27;
		for (const region of [0, 1])
			ram[pmdWord(s, region)] = s.ptes[region]! << 12 | 0x27;
		for (let p = 0; p < PAGES.length; p++)
			ram[pteWord(s, p)] = 0x1000 * (s.top + p) << 12 | 7;
	}
	mmu.write_cr3(0, SPACES[0]!.top * 4096);
}

/** What the tables say of a page, as the SDM reads them; undefined unless it may be cached. */
interface Translation { text: string; global: boolean }
function says(s: Space, page: number, pge: boolean): Translation | undefined {
	const region = page & 1;
	const pde = ram[pmdWord(s, region)]!, pdeHigh = ram[pmdWord(s, region) + 1]!;
	const large = (pde & 0x80) !== 0;
	const leaf = large ? pde : ram[pteWord(s, page)]!;
	const high = large ? pdeHigh : ram[pteWord(s, page) + 1]!;
	/* P and A of both. */
	if ((pde & leaf & 0x21) !== 0x21)
		return undefined;
	const rights = [
		(pde & leaf & 2) !== 0, (pde & leaf & 4) !== 0, pdeHigh >= 0 && high >= 0,
		(leaf & 0x40) !== 0,
	];
	const pfn = large ? leaf >>> 21 << 9 : leaf >>> 12;
	return {
		text: `${large ? MiB2 : 4096} ${pfn} ${rights.join()}`,
		global: pge && (leaf & 0x100) !== 0,
	};
}

const page = fc.nat(PAGES.length - 1), space = fc.nat(1);
const mostly = fc.nat(7).map((n) => n > 0);
const flags = fc.record({ w: mostly, u: mostly, nx: fc.boolean(), g: fc.boolean(),
	a: fc.boolean(), d: fc.boolean(), p: mostly });
const low = (f: { w: boolean; u: boolean; g: boolean; a: boolean; d: boolean; p: boolean }) =>
	+f.p | +f.w << 1 | +f.u << 2 | +f.a << 5 | +f.d << 6 | +f.g << 8;
const step = fc.oneof(
	{ weight: 8, arbitrary: fc.record({ do: fc.constant('access' as const), page,
		kind: fc.nat(2), user: fc.boolean() }) },
	{ weight: 4, arbitrary: fc.record({ do: fc.constant('pte' as const), space, page,
		pfn: fc.nat(63), flags }) },
	fc.record({ do: fc.constant('pmd' as const), space, page, large: fc.boolean(),
		pfn: fc.nat(7), flags }),
	{ weight: 2, arbitrary: fc.record({ do: fc.constant('age' as const), space, page }) },
	fc.record({ do: fc.constant('invlpg' as const), page }),
	{ weight: 2, arbitrary: fc.record({ do: fc.constant('cr3' as const), space,
		pcid: fc.nat(PCIDS - 1), noflush: fc.boolean() }) },
	fc.record({ do: fc.constant('pge' as const) }),
	fc.record({ do: fc.constant('invpcid' as const), type: fc.nat(3), pcid: fc.nat(PCIDS - 1),
		page }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let stale = 0, answers = 0;
const PGE = 0x80;

class Model {
	readonly pcide: boolean;
	pcid = 0;
	space = SPACES[0]!;
	pge = true;
	/** By `PCID page` or `global page`: what may be cached. */
	readonly history = new Map<string, Set<string>>();
	constructor(pcide: boolean) {
		this.pcide = pcide;
	}
	/** The tables say something now. */
	observe(): void {
		for (let p = 0; p < PAGES.length; p++) {
			const now = says(this.space, p, this.pge);
			if (!now)
				continue;
			const key = `${now.global ? 'global' : this.pcid} ${p}`;
			const texts = this.history.get(key) ?? new Set();
			this.history.set(key, texts.add(now.text));
		}
	}
	/** A flush of translations: of whom, of which pages. */
	forget(covers: (who: string, p: number) => boolean): void {
		for (const key of this.history.keys()) {
			const [who, p] = key.split(' ') as [string, string];
			if (covers(who, Number(p)))
				this.history.delete(key);
		}
	}
	/* A large page is one translation: a flush of any address in it drops it for all. */
	forgetPage(who: readonly string[], at: number): void {
		for (const key of this.history.keys()) {
			const [whose, p] = key.split(' ') as [string, string];
			if (!who.includes(whose) || (Number(p) & 1) !== (at & 1))
				continue;
			const texts = this.history.get(key)!;
			for (const text of texts)
				if (Number(p) === at || text.startsWith(`${MiB2} `))
					texts.delete(text);
		}
	}
	may(p: number): Set<string> {
		return new Set([...this.history.get(`${this.pcid} ${p}`) ?? [],
			...this.history.get(`global ${p}`) ?? []]);
	}
}

function apply(m: Model, s: Step): void {
	switch (s.do) {
	case 'access': {
		const access = s.kind | (s.user ? 4 : 0);
		const at = mmu.mmu_translate(0, PAGES[s.page]! + 0x123, access);
		m.observe();
		if (at < 0)
			break;
		answers++;
		/* The answer is one of them, with the right that was needed. */
		const now = says(m.space, s.page, m.pge)?.text;
		const fits = [...m.may(s.page)].filter((text) => {
			const [bytes, pfn, rights] = text.split(' ') as [string, string, string];
			const [w, u, x, d] = rights.split(',').map((r) => r === 'true');
			const offset = (PAGES[s.page]! + 0x123) % Number(bytes);
			return Number(pfn) * 4096 + offset === at && (s.user ? u : true) &&
				(s.kind !== 1 || (w && d)) && (s.kind !== 2 || x);
		});
		expect(fits, `${at}: ${[...m.may(s.page)].join('; ')}`).not.toEqual([]);
		if (!fits.includes(now!))
			stale++;
		break;
	}
	case 'pte': {
		const word = pteWord(SPACES[s.space]!, s.page);
		ram[word] = 0x10000 + s.pfn << 12 | low(s.flags);
		ram[word + 1] = s.flags.nx ? 0x80000000 : 0;
		break;
	}
	case 'pmd': {
		const of = SPACES[s.space]!, word = pmdWord(of, s.page & 1);
		ram[word] = s.large ? 0x20000 + s.pfn * 512 << 12 | 0x80 | low(s.flags)
			: of.ptes[s.page & 1]! << 12 | low({ ...s.flags, g: false, d: false });
		ram[word + 1] = s.flags.nx ? 0x80000000 : 0;
		break;
	}
	case 'age':
		ram[pteWord(SPACES[s.space]!, s.page)]! &= ~0x60;
		break;
	case 'invlpg':
		mmu.invlpg(0, PAGES[s.page]! + 7);
		m.forgetPage([String(m.pcid), 'global'], s.page);
		break;
	case 'cr3': {
		m.space = SPACES[s.space]!;
		m.pcid = m.pcide ? s.pcid : 0;
		const noflush = m.pcide && s.noflush;
		expect(mmu.write_cr3(0, m.space.top * 4096 + m.pcid, noflush)).toBe(true);
		if (!noflush)
			m.forget((who) => who === String(m.pcid));
		break;
	}
	case 'pge':
		m.pge = !m.pge;
		mmu.write_cr4(0, mmu.mmu_cpus.cr4[0] ^ PGE);
		m.forget(() => true);
		break;
	case 'invpcid': {
		const pcid = m.pcide ? s.pcid : 0;
		expect(mmu.invpcid(0, s.type, pcid, PAGES[s.page]!)).toBe(true);
		if (s.type === 0)
			m.forgetPage([String(pcid)], s.page);
		else
			m.forget((who) => s.type === 1 ? who === String(pcid)
				: s.type === 2 || who !== 'global');
		break;
	}
	}
	m.observe();
	for (const e of mmu.tlb_entries(0)) {
		const at = PAGES.findIndex((p) => p >= e.address && p < e.address + e.bytes);
		const rights = [e.writable, e.user, e.executable, e.dirty];
		const text = `${e.bytes} ${e.pfn} ${rights.join()}`;
		const key = `${e.pcid === -1 ? 'global' : e.pcid} ${at}`;
		const said = [...m.history.get(key) ?? []];
		expect(said, `${key} after ${JSON.stringify(s)}`).toContain(text);
	}
}

const ARRAY = { minLength: 50, maxLength: 200, size: 'max' } as const;

test.each([
	['one PCID', false, [128, 8]], ['PCIDs', true, [128, 8]],
	['PCIDs, a TLB of four', true, [2, 2]],
] as const)('what is cached was true since the last flush: %s', (_, pcide, [sets, ways]) => {
	stale = answers = 0;
	fc.assert(fc.property(fc.array(step, ARRAY), (steps) => {
		build(pcide);
		mmu.mmu_configure_tlb(0, sets, ways);
		/* Supervisor accesses to user pages are to go through. */
		mmu.write_cr4(0, mmu.mmu_cpus.cr4[0] & ~0x300000);
		const m = new Model(pcide);
		m.observe();
		for (const s of steps)
			apply(m, s);
	}), { numRuns: 150, seed: 5 });
	/* The histories do meet stale translations, or nothing would be shown. */
	expect(answers).toBeGreaterThan(2000);
	expect(stale).toBeGreaterThan(100);
});
