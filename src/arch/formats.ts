// SPDX-License-Identifier: GPL-2.0-only
/*
 * Page-table entries and swap entries as plain objects, for dumps and tests: the words declared
 * field by field, from the lowest bit (Intel SDM, volume 3A, tables 4-15 to 4-20; pgtable_64.h).
 */
import { bits, Structure, u32, type Layout } from 'buffer-layout';
import { ram } from './ram.ts';

/** Which table an entry is of, 4 the top. */
export type Level = 1 | 2 | 3 | 4;

/** A present entry. */
export interface PageTableEntry {
	present: boolean;
	writable: boolean;
	user: boolean;
	writeThrough: boolean;
	cacheDisable: boolean;
	accessed: boolean;
	/** Of a leaf; ignored in an entry that points to a table. */
	dirty: boolean;
	/** Bit 7: a leaf above the lowest level; in the lowest, PAT. */
	pageSize: boolean;
	/** Of a leaf. */
	global: boolean;
	/** The kernel's bits 9 to 11, of a leaf. */
	special: boolean;
	uffdWp: boolean;
	softDirty: boolean;
	/** Bits 31:12. */
	pfnLow: number;
	/** Bits 51:32: reserved, above the physical addresses there are. */
	pfnHigh: number;
	software: number;
	/** Bits 62:59. */
	protectionKey: number;
	noExecute: boolean;
}

/** A swap or migration entry: not present, not empty. */
export interface SwapEntryWord {
	softDirty: boolean;
	uffdWp: boolean;
	type: number;
	/** Low 32 bits of the offset, of which a swap area here has at most 23. */
	offset: number;
}

/** What an entry is. */
export type EntryKind = 'none' | 'present' | 'protnone' | 'swap';

type Words<L, H> = { low: L; high: H };
type PteLow = Omit<PageTableEntry, 'pfnHigh' | 'software' | 'protectionKey' | 'noExecute'>;
type PteHigh = Pick<PageTableEntry, 'pfnHigh' | 'software' | 'protectionKey' | 'noExecute'>;

const pteLow = bits<PteLow>(u32(), false, 'low');
for (const name of ['present', 'writable', 'user', 'writeThrough', 'cacheDisable', 'accessed',
	'dirty', 'pageSize', 'global', 'special', 'uffdWp', 'softDirty'])
	pteLow.addBoolean(name);
pteLow.addField(20, 'pfnLow');
const pteHigh = bits<PteHigh>(u32(), false, 'high');
pteHigh.addField(20, 'pfnHigh');
pteHigh.addField(7, 'software');
pteHigh.addField(4, 'protectionKey');
pteHigh.addBoolean('noExecute');
const pteLayout: Layout<Words<PteLow, PteHigh>> =
	new Structure<Words<PteLow, PteHigh>>([pteLow, pteHigh], 'pte');

interface SwapLow {
	present: boolean; softDirty: boolean; uffdWp: boolean; unused: number; leaf: boolean;
	protnone: boolean; offsetInverted: number;
}
interface SwapHigh { offsetInverted: number; type: number }
const swapLow = bits<SwapLow>(u32(), false, 'low');
swapLow.addBoolean('present');
swapLow.addBoolean('softDirty');
swapLow.addBoolean('uffdWp');
swapLow.addField(4, 'unused');
swapLow.addBoolean('leaf');
swapLow.addBoolean('protnone');
swapLow.addField(23, 'offsetInverted');
const swapHigh = bits<SwapHigh>(u32(), false, 'high');
swapHigh.addField(27, 'offsetInverted');
swapHigh.addField(5, 'type');
const swapLayout: Layout<Words<SwapLow, SwapHigh>> =
	new Structure<Words<SwapLow, SwapHigh>>([swapLow, swapHigh], 'swap_pte');

export const ENTRY_BYTES = pteLayout.span;

function bytesOf(lo: number, hi: number): Buffer {
	const bytes = Buffer.alloc(ENTRY_BYTES);

	bytes.writeInt32LE(lo, 0);
	bytes.writeInt32LE(hi, 4);
	return bytes;
}

/** The two words of an entry of any level, field by field. */
export function decodePte(lo: number, hi: number): PageTableEntry {
	const { low, high } = pteLayout.decode(bytesOf(lo, hi));

	return { ...low, ...high };
}

/** The words of an entry; what is left out is 0. */
export function encodePte(entry: Partial<PageTableEntry>): { lo: number; hi: number } {
	const bytes = Buffer.alloc(ENTRY_BYTES);
	const all = { ...decodePte(0, 0), ...entry };

	pteLayout.encode({ low: all, high: all }, bytes);
	return { lo: bytes.readInt32LE(0), hi: bytes.readInt32LE(4) };
}

/** A swap entry's words, as they lie in a table. */
export function decodeSwapPte(lo: number, hi: number): SwapEntryWord {
	const { low, high } = swapLayout.decode(bytesOf(lo, hi));
	const { softDirty, uffdWp } = low;

	return {
		softDirty, uffdWp, type: high.type,
		offset: (~low.offsetInverted & 0x7fffff | ~high.offsetInverted << 23) >>> 0,
	};
}

/** What the kernel takes an entry of the lowest level for. */
export function entryKind(lo: number, hi: number): EntryKind {
	const { present, accessed: _a, dirty: _d, global, ...rest } = decodePte(lo, hi);

	if (present)
		return 'present';
	if (global)
		return 'protnone';
	return Object.values(rest).every((value) => !value) ? 'none' : 'swap';
}

const FLAG_LETTERS = [['writable', 'W'], ['user', 'U'], ['writeThrough', 'T'],
	['cacheDisable', 'C'], ['accessed', 'A'], ['dirty', 'D'], ['global', 'G'],
	['special', 'special'], ['uffdWp', 'uffd-wp'], ['softDirty', 'soft-dirty'],
	['noExecute', 'NX']] as const;

/** An entry in memory as a line of text: frame and flags, or what else it is. */
export function describeEntry(ptep: number, level: Level): string {
	const lo = ram[ptep]!, hi = ram[ptep + 1]!, kind = entryKind(lo, hi);

	if (kind === 'none')
		return 'none';
	if (kind === 'swap') {
		const { type, offset, softDirty, uffdWp } = decodeSwapPte(lo, hi);
		return `swap type ${type} offset ${offset}${softDirty ? ' soft-dirty' : ''}` +
			(uffdWp ? ' uffd-wp' : '');
	}
	const entry = decodePte(lo, hi);
	const pfn = kind === 'protnone' ? ~entry.pfnLow & 0xfffff : entry.pfnLow;
	const flags = FLAG_LETTERS.filter(([name]) => entry[name] &&
		!(name === 'global' && kind === 'protnone')).map(([, letter]) => letter);
	const what = level === 1 ? 'page' : entry.pageSize ? 'large page' : 'table';
	return [kind === 'protnone' ? 'protnone page' : what, pfn, ...flags].join(' ');
}
