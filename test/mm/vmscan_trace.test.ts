// SPDX-License-Identifier: GPL-2.0-only
/* Each trace line that real kernels printed must come out of its own numbers again. */
import { readdirSync, readFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import { RECORD_HEADER_WORDS, trace_event_on, trace_record, trace_ring, trace_written }
	from '../../src/lib/trace.ts';
import { GFP_HIGHUSER_MOVABLE, GFP_KERNEL, GFP_TRANSHUGE, GFP_USER, __GFP_HIGHMEM, __GFP_ZERO }
	from '../../src/mm/gfp.ts';
import { pages, type page } from '../../src/mm/mm_types.ts';
import { lru_names } from '../../src/mm/mmzone.ts';
import { PG_mappedtodisk, PG_owner_priv_1, PG_private, PG_swapbacked }
	from '../../src/mm/page_flags.ts';
import * as events from '../../src/mm/trace_vmscan.ts';
import { reclaim_stat } from '../../src/mm/vmscan.ts';

const RECORDINGS = new URL('../oracle/recordings/', import.meta.url);
const recorded = new Set<string>();
for (const file of readdirSync(RECORDINGS)) {
	if (!/\.5\.10(-prepatch)?\.txt$/.test(file))
		continue;
	for (const line of readFileSync(new URL(file, RECORDINGS), 'utf8').split('\n')) {
		if (line.startsWith('trace '))
			recorded.add(line.slice('trace '.length));
	}
}

/** `name: text` of the last record. */
function lastLine(): string {
	const at = trace_record(trace_written.v - 1);
	const event = trace_ring[at]!;

	return `${events.TRACE_EVENTS[event]!.name}: ` +
		events.trace_event_text(event, at + RECORD_HEADER_WORDS);
}

/** Record the event that a line tells of, by the tracepoint's own function. */
function replay(line: string): void {
	const name = line.slice(0, line.indexOf(':'));
	const value = (field: string) => new RegExp(` ${field}=([^ ]+)`).exec(line)![1]!;
	const n = (field: string) => Number(value(field));
	const file = /RECLAIM_WB_FILE/.test(line) ? 1 : 0;

	switch (name) {
	case 'mm_vmscan_memcg_reclaim_begin':
		events.trace_mm_vmscan_memcg_reclaim_begin(n('order'), GFP_HIGHUSER_MOVABLE);
		break;
	case 'mm_vmscan_memcg_reclaim_end':
		events.trace_mm_vmscan_memcg_reclaim_end(n('nr_reclaimed'));
		break;
	case 'mm_vmscan_lru_isolate':
		events.trace_mm_vmscan_lru_isolate(n('classzone'), n('order'), n('nr_requested'),
			n('nr_scanned'), n('nr_skipped'), n('nr_taken'), n('isolate_mode'),
			lru_names.findIndex((lru) => lru === value('lru')));
		break;
	case 'mm_vmscan_lru_shrink_inactive': {
		const stat = new reclaim_stat();
		stat.nr_dirty = n('nr_dirty');
		stat.nr_writeback = n('nr_writeback');
		stat.nr_congested = n('nr_congested');
		stat.nr_immediate = n('nr_immediate');
		stat.nr_activate.set([n('nr_activate_anon'), n('nr_activate_file')]);
		stat.nr_ref_keep = n('nr_ref_keep');
		stat.nr_unmap_fail = n('nr_unmap_fail');
		events.trace_mm_vmscan_lru_shrink_inactive(n('nid'), n('nr_scanned'),
			n('nr_reclaimed'), stat, n('priority'), file);
		break;
	}
	case 'mm_vmscan_lru_shrink_active':
		events.trace_mm_vmscan_lru_shrink_active(n('nid'), n('nr_taken'), n('nr_active'),
			n('nr_deactivated'), n('nr_referenced'), n('priority'), file);
		break;
	default:
		throw new Error(`no replay of ${name}`);
	}
}

beforeEach(() => {
	resetArena();
	trace_event_on.fill(1);
});

test('the recordings have all that they are here for', () => {
	const names = new Set([...recorded].map((line) => line.slice(0, line.indexOf(':'))));

	expect([...names].toSorted()).toEqual(['mm_vmscan_lru_isolate',
		'mm_vmscan_lru_shrink_active', 'mm_vmscan_lru_shrink_inactive',
		'mm_vmscan_memcg_reclaim_begin', 'mm_vmscan_memcg_reclaim_end']);
});

test.each([...recorded])('%s', (line) => {
	replay(line);
	expect(lastLine()).toBe(line);
});

test('an event that is off leaves no record', () => {
	trace_event_on.fill(0);
	for (const line of recorded)
		replay(line);
	expect(trace_written.v).toBe(0);
});

test('the table has each event at its number', () => {
	expect(events.TRACE_EVENTS).toHaveLength(events.TRACE_EVENTS_MM_END);
	for (const [name, number] of Object.entries(events)) {
		if (!/^MM_(VMSCAN|LRU)_/.test(name))
			continue;
		expect(events.TRACE_EVENTS[number as number]!.name).toBe(name.toLowerCase());
	}
});

/*
 * include/trace/events/mmflags.h: composite masks first, most bits first, each taken out whole, so
 * GFP_USER never reads GFP_KERNEL|__GFP_HARDWALL; lib: what is left over is printed in hex.
 */
test.each([
	[0, 'none'],
	[GFP_USER, 'GFP_USER'],
	[GFP_KERNEL | __GFP_ZERO, 'GFP_KERNEL|__GFP_ZERO'],
	[GFP_HIGHUSER_MOVABLE, 'GFP_HIGHUSER_MOVABLE'],
	[GFP_TRANSHUGE, 'GFP_TRANSHUGE'],
	[__GFP_HIGHMEM | 1 << 30, '__GFP_HIGHMEM|0x40000000'],
])('gfp flags %i read %s', (flags, text) => {
	expect(events.trace_field_text(flags, 'gfp')).toBe(text);
});

test('mm_lru_insertion tells of the page in the letters of page-types', () => {
	const page = 0x1234 as page;

	pages._mapcount[page] = -1;
	pages.flags[page] = 1 << PG_swapbacked | 1 << PG_owner_priv_1;
	events.trace_mm_lru_insertion(page, 0);
	/* not mapped, a file's, in the swap cache, swap-backed, not on disk, no buffers */
	expect(lastLine()).toMatch(/ pfn=4660 lru=0 flags= fsb {2}$/);

	pages._mapcount[page] = 0;
	pages.mapping[page] = 1;
	pages.flags[page] = 1 << PG_private | 1 << PG_mappedtodisk;
	events.trace_mm_lru_insertion(page, 3);
	expect(lastLine()).toMatch(/ pfn=4660 lru=3 flags=Ma {2}dB$/);
});

test('kswapd_wake and wakeup_kswapd do not print the zone they record', () => {
	events.trace_mm_vmscan_kswapd_wake(1, 2, 3);
	expect(lastLine()).toBe('mm_vmscan_kswapd_wake: nid=1 order=3');
	events.trace_mm_vmscan_wakeup_kswapd(0, 2, 0, GFP_KERNEL);
	expect(lastLine()).toBe('mm_vmscan_wakeup_kswapd: nid=0 order=0 gfp_flags=GFP_KERNEL');
});

test('writepage names the page by its frame number in decimal', () => {
	pages.flags[0x2000 as page] = 1 << PG_swapbacked;
	events.trace_mm_vmscan_writepage(0x2000 as page);
	/* 64 bytes a struct page: 0x2000 * 64 = 0x80000 */
	expect(lastLine()).toBe('mm_vmscan_writepage: page=ffffea0000080000 pfn=8192 ' +
		'flags=RECLAIM_WB_ANON|RECLAIM_WB_ASYNC');
});
