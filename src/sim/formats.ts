// SPDX-License-Identifier: GPL-2.0-only
/*
 * The binary formats that user space reads: /proc/PID/pagemap (Documentation/admin-guide/mm/
 * pagemap.rst), /proc/kpageflags (include/uapi/linux/kernel-page-flags.h) and the record of the
 * trace ring. Words of 64 bits are two of 32.
 */
import { Structure, bits, s32, u32, type Layout } from 'buffer-layout';

/* The same bytes as the Buffer that buffer-layout reads and writes. */
const asBuffer = (image: Uint8Array): Buffer =>
	Buffer.from(image.buffer, image.byteOffset, image.byteLength);

/** One word of /proc/PID/pagemap. */
export interface PagemapEntry {
	/** Low 32 bits of bits 0-54: the pfn if present; if swapped, bits 0-4 type, 5-54 offset. */
	pfnLow: number;
	pfnHigh: number;
	softDirty: boolean;
	exclusive: boolean;
	uffdWp: boolean;
	filePageOrShared: boolean;
	swapped: boolean;
	present: boolean;
}

interface PagemapWords {
	low: number;
	high: Omit<PagemapEntry, 'pfnLow'> & { reserved: number };
}
const high = bits<PagemapWords['high']>(u32(), false, 'high');
high.addField(23, 'pfnHigh');
high.addBoolean('softDirty');
high.addBoolean('exclusive');
high.addBoolean('uffdWp');
high.addField(3, 'reserved');
high.addBoolean('filePageOrShared');
high.addBoolean('swapped');
high.addBoolean('present');
const pagemapLayout: Layout<PagemapWords> = new Structure<PagemapWords>(
	[u32('low'), high], 'pagemap_entry');
export const PAGEMAP_ENTRY_BYTES = pagemapLayout.span;

/* Bits 63 to 55 and 61 of a word, in its high half: what the layout above says. */
const PM_PRESENT_HI = 1 << 31, PM_SWAP_HI = 1 << 30, PM_FILE_HI = 1 << 29, PM_UFFD_WP_HI = 1 << 25,
	PM_EXCLUSIVE_HI = 1 << 24, PM_SOFT_DIRTY_HI = 1 << 23;

/** Write entry `index` of a pagemap. */
export function encodePagemap(entry: PagemapEntry, into: DataView, index: number): void {
	const upper = entry.pfnHigh | (entry.present ? PM_PRESENT_HI : 0) |
		(entry.swapped ? PM_SWAP_HI : 0) | (entry.filePageOrShared ? PM_FILE_HI : 0) |
		(entry.uffdWp ? PM_UFFD_WP_HI : 0) | (entry.exclusive ? PM_EXCLUSIVE_HI : 0) |
		(entry.softDirty ? PM_SOFT_DIRTY_HI : 0);

	into.setUint32(index * PAGEMAP_ENTRY_BYTES, entry.pfnLow, true);
	into.setInt32(index * PAGEMAP_ENTRY_BYTES + 4, upper, true);
}

/** Of entry `index` only whether it is there, swapped, and its frame (0 if it is not there). */
export function pagemapFrame(
	from: DataView, index: number,
): { present: boolean; swapped: boolean; pfn: number } {
	const upper = from.getInt32(index * PAGEMAP_ENTRY_BYTES + 4, true);
	const present = (upper & PM_PRESENT_HI) !== 0;

	return { present, swapped: (upper & PM_SWAP_HI) !== 0,
		pfn: present ? from.getUint32(index * PAGEMAP_ENTRY_BYTES, true) : 0 };
}

/** Read entry `index` of a pagemap. */
export function decodePagemap(from: Uint8Array, index: number): PagemapEntry {
	const { low, high: { reserved: _, ...rest } } =
		pagemapLayout.decode(asBuffer(from), index * PAGEMAP_ENTRY_BYTES);

	return { pfnLow: low, ...rest };
}

/** KPF_*: bit numbers of a /proc/kpageflags word. */
export const KPF = {
	LOCKED: 0, ERROR: 1, REFERENCED: 2, UPTODATE: 3, DIRTY: 4, LRU: 5, ACTIVE: 6, SLAB: 7,
	WRITEBACK: 8, RECLAIM: 9, BUDDY: 10, MMAP: 11, ANON: 12, SWAPCACHE: 13, SWAPBACKED: 14,
	COMPOUND_HEAD: 15, COMPOUND_TAIL: 16, HUGE: 17, UNEVICTABLE: 18, HWPOISON: 19, NOPAGE: 20,
	KSM: 21, THP: 22, OFFLINE: 23, ZERO_PAGE: 24, IDLE: 25, PGTABLE: 26,
	/* for kernel hacking only: not in the ABI */
	RESERVED: 32, MLOCKED: 33, MAPPEDTODISK: 34, PRIVATE: 35, PRIVATE_2: 36, OWNER_PRIVATE: 37,
	ARCH: 38, UNCACHED: 39, SOFTDIRTY: 40, ARCH_2: 41,
} as const;
export type KpfName = keyof typeof KPF;
export const KPAGEFLAGS_ENTRY_BYTES = 8;

const kpfLow = bits<Record<string, boolean>>(u32(), false, 'low');
const kpfHigh = bits<Record<string, boolean>>(u32(), false, 'high');
for (let bit = 0; bit < 64; bit++) {
	const name = Object.entries(KPF).find(([, n]) => n === bit)?.[0] ?? `bit${bit}`;
	(bit < 32 ? kpfLow : kpfHigh).addBoolean(name);
}
const kpageflagsLayout = new Structure<{
	low: Record<string, boolean>; high: Record<string, boolean>;
}>([kpfLow, kpfHigh], 'kpageflags');

/** The names of the flags set in word `index` of a kpageflags image. */
export function decodeKpageflags(from: Uint8Array, index: number): KpfName[] {
	const { low, high: upper } =
		kpageflagsLayout.decode(asBuffer(from), index * KPAGEFLAGS_ENTRY_BYTES);
	const all = { ...low, ...upper };

	return (Object.keys(KPF) as KpfName[]).filter((name) => all[name]);
}

/** Write word `index`: the low and high 32 bits. */
export function encodeKpageflags(
	low: number, upper: number, into: Uint8Array, index: number,
): void {
	const view = new DataView(into.buffer, into.byteOffset, into.byteLength);

	view.setUint32(index * KPAGEFLAGS_ENTRY_BYTES, low >>> 0, true);
	view.setUint32(index * KPAGEFLAGS_ENTRY_BYTES + 4, upper >>> 0, true);
}

/** The head of a record of the trace ring; its arguments follow. */
export interface TraceRecordHeader {
	event: number;
	cpu: number;
	pid: number;
	timeLow: number;
	timeHigh: number;
}
const traceRecordHeader: Layout<TraceRecordHeader> = new Structure<TraceRecordHeader>(
	[s32('event'), s32('cpu'), s32('pid'), u32('timeLow'), u32('timeHigh')], 'trace_record');

/** Read the head of a record of the trace ring. */
export function decodeTraceRecord(from: Uint8Array): TraceRecordHeader {
	return traceRecordHeader.decode(asBuffer(from));
}
