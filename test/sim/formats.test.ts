// SPDX-License-Identifier: GPL-2.0-only
/* Words written bit by bit against the layouts that declare them. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RECORD_HEADER_WORDS, trace_reserve, trace_ring } from '../../src/lib/trace.ts';
import { decodeKpageflags, decodePagemap, decodeTraceRecord, encodeKpageflags, encodePagemap,
	KPF, pagemapFrame } from '../../src/sim/formats.ts';

describe('formats that user space reads', () => {
	test('a pagemap word is what its layout says', () => {
		const flag = fc.boolean();
		const entries = fc.record({ pfnLow: fc.nat(0xffffffff), pfnHigh: fc.nat(0x7fffff),
			softDirty: flag, exclusive: flag, uffdWp: flag, filePageOrShared: flag,
			swapped: flag, present: flag });
		fc.assert(fc.property(entries, (entry) => {
			const bytes = new Uint8Array(24), view = new DataView(bytes.buffer);
			encodePagemap(entry, view, 1);
			expect(decodePagemap(bytes, 1)).toEqual(entry);
			expect(pagemapFrame(view, 1)).toEqual({ present: entry.present,
				swapped: entry.swapped, pfn: entry.present ? entry.pfnLow : 0 });
			expect([bytes.slice(0, 8), bytes.slice(16)].every((part) =>
				part.every((byte) => byte === 0))).toBe(true);
		}));
	});
	/* Documentation/admin-guide/mm/pagemap.rst: 63 present, 55 soft-dirty, 54-0 the pfn. */
	test('bits of a pagemap word lie where the documentation has them', () => {
		const view = new DataView(new ArrayBuffer(8));
		encodePagemap({ pfnLow: 0x12345678, pfnHigh: 1, softDirty: true,
			exclusive: false, uffdWp: false, filePageOrShared: false, swapped: false,
			present: true }, view, 0);
		expect(view.getBigUint64(0, true)).toBe(
			(1n << 63n) | (1n << 55n) | (1n << 32n) | 0x12345678n);
	});
	test('a trace record begins as the ring has it', () => {
		const at = trace_reserve(7) - RECORD_HEADER_WORDS;
		const bytes = new Uint8Array(trace_ring.buffer, trace_ring.byteOffset + at * 4, 20);
		expect(decodeTraceRecord(bytes)).toEqual({ event: 7, cpu: trace_ring[at + 1],
			pid: trace_ring[at + 2], timeLow: trace_ring[at + 3],
			timeHigh: trace_ring[at + 4] });
	});
	test('kpageflags have the bits of kernel-page-flags.h', () => {
		const bytes = new Uint8Array(8);
		encodeKpageflags(1 << KPF.LRU | 1 << KPF.ACTIVE, 1 << (KPF.MLOCKED - 32), bytes, 0);
		expect(decodeKpageflags(bytes, 0)).toEqual(['LRU', 'ACTIVE', 'MLOCKED']);
		expect([KPF.REFERENCED, KPF.LRU, KPF.ACTIVE, KPF.UNEVICTABLE])
			.toEqual([2, 5, 6, 18]);
	});
});
