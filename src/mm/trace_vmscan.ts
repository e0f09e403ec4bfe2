// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/trace/events/vmscan.h, pagemap.h and mmflags.h, v5.10
 * Left out: mm_shrink_slab_start and _end, since slab is not modelled. Of the events of node
 * reclaim, of cgroup v1's soft limit and of mm_vmscan_inactive_list_is_low there is the format but
 * no recording function: the first two have no caller here, the third has none in the kernel.
 *
 * An event is recorded as the words of its TP_STRUCT__entry, in that order; TRACE_EVENTS says how
 * its TP_printk() makes the text from them.
 */
import { trace_event_on, trace_reserve, trace_ring } from '../lib/trace.ts';
import { GFP_ATOMIC, GFP_DMA, GFP_DMA32, GFP_HIGHUSER, GFP_HIGHUSER_MOVABLE, GFP_KERNEL,
	GFP_KERNEL_ACCOUNT, GFP_NOFS, GFP_NOIO, GFP_NOWAIT, GFP_TRANSHUGE, GFP_TRANSHUGE_LIGHT,
	GFP_USER, __GFP_ACCOUNT, __GFP_ATOMIC, __GFP_COMP, __GFP_DIRECT_RECLAIM, __GFP_FS,
	__GFP_HARDWALL, __GFP_HIGH, __GFP_HIGHMEM, __GFP_IO, __GFP_KSWAPD_RECLAIM, __GFP_MEMALLOC,
	__GFP_MOVABLE, __GFP_NOFAIL, __GFP_NOMEMALLOC, __GFP_NORETRY, __GFP_NOWARN, __GFP_RECLAIM,
	__GFP_RECLAIMABLE, __GFP_RETRY_MAYFAIL, __GFP_THISNODE, __GFP_WRITE, __GFP_ZERO }
	from './gfp.ts';
import { page_mapped } from './mm.ts';
import { page_is_file_lru } from './mm_inline.ts';
import type { page } from './mm_types.ts';
import { lru_names } from './mmzone.ts';
import { PageAnon, page_has_private, PageMappedToDisk, PageSwapBacked, PageSwapCache }
	from './page_flags.ts';
import type { reclaim_stat } from './vmscan.ts';

/* Event numbers: 0 is none; those of other subsystems start at TRACE_EVENTS_MM_END. */
export const MM_VMSCAN_KSWAPD_SLEEP = 1, MM_VMSCAN_KSWAPD_WAKE = 2, MM_VMSCAN_WAKEUP_KSWAPD = 3,
	MM_VMSCAN_DIRECT_RECLAIM_BEGIN = 4, MM_VMSCAN_MEMCG_RECLAIM_BEGIN = 5,
	MM_VMSCAN_MEMCG_SOFTLIMIT_RECLAIM_BEGIN = 6, MM_VMSCAN_DIRECT_RECLAIM_END = 7,
	MM_VMSCAN_MEMCG_RECLAIM_END = 8, MM_VMSCAN_MEMCG_SOFTLIMIT_RECLAIM_END = 9,
	MM_VMSCAN_LRU_ISOLATE = 10, MM_VMSCAN_WRITEPAGE = 11, MM_VMSCAN_LRU_SHRINK_INACTIVE = 12,
	MM_VMSCAN_LRU_SHRINK_ACTIVE = 13, MM_VMSCAN_INACTIVE_LIST_IS_LOW = 14,
	MM_VMSCAN_NODE_RECLAIM_BEGIN = 15, MM_VMSCAN_NODE_RECLAIM_END = 16, MM_LRU_INSERTION = 17,
	MM_LRU_ACTIVATE = 18, TRACE_EVENTS_MM_END = 19;

export const RECLAIM_WB_ANON = 0x1, RECLAIM_WB_FILE = 0x2, RECLAIM_WB_MIXED = 0x10,
	RECLAIM_WB_SYNC = 0x4, RECLAIM_WB_ASYNC = 0x8;
export const PAGEMAP_MAPPED = 0x1, PAGEMAP_ANONYMOUS = 0x2, PAGEMAP_FILE = 0x4,
	PAGEMAP_SWAPCACHE = 0x8, PAGEMAP_SWAPBACKED = 0x10, PAGEMAP_MAPPEDDISK = 0x20,
	PAGEMAP_BUFFERS = 0x40;

/** A table of __print_flags(): the first mask that fits whole is named and taken out. */
export type FlagNames = readonly (readonly [mask: number, name: string])[];

/** show_gfp_flags(): the composite masks come first, those of most bits before the others. */
export const gfpflag_names: FlagNames = [
	[GFP_TRANSHUGE, 'GFP_TRANSHUGE'],
	[GFP_TRANSHUGE_LIGHT, 'GFP_TRANSHUGE_LIGHT'],
	[GFP_HIGHUSER_MOVABLE, 'GFP_HIGHUSER_MOVABLE'],
	[GFP_HIGHUSER, 'GFP_HIGHUSER'],
	[GFP_USER, 'GFP_USER'],
	[GFP_KERNEL_ACCOUNT, 'GFP_KERNEL_ACCOUNT'],
	[GFP_KERNEL, 'GFP_KERNEL'],
	[GFP_NOFS, 'GFP_NOFS'],
	[GFP_ATOMIC, 'GFP_ATOMIC'],
	[GFP_NOIO, 'GFP_NOIO'],
	[GFP_NOWAIT, 'GFP_NOWAIT'],
	[GFP_DMA, 'GFP_DMA'],
	[__GFP_HIGHMEM, '__GFP_HIGHMEM'],
	[GFP_DMA32, 'GFP_DMA32'],
	[__GFP_HIGH, '__GFP_HIGH'],
	[__GFP_ATOMIC, '__GFP_ATOMIC'],
	[__GFP_IO, '__GFP_IO'],
	[__GFP_FS, '__GFP_FS'],
	[__GFP_NOWARN, '__GFP_NOWARN'],
	[__GFP_RETRY_MAYFAIL, '__GFP_RETRY_MAYFAIL'],
	[__GFP_NOFAIL, '__GFP_NOFAIL'],
	[__GFP_NORETRY, '__GFP_NORETRY'],
	[__GFP_COMP, '__GFP_COMP'],
	[__GFP_ZERO, '__GFP_ZERO'],
	[__GFP_NOMEMALLOC, '__GFP_NOMEMALLOC'],
	[__GFP_MEMALLOC, '__GFP_MEMALLOC'],
	[__GFP_HARDWALL, '__GFP_HARDWALL'],
	[__GFP_THISNODE, '__GFP_THISNODE'],
	[__GFP_RECLAIMABLE, '__GFP_RECLAIMABLE'],
	[__GFP_MOVABLE, '__GFP_MOVABLE'],
	[__GFP_ACCOUNT, '__GFP_ACCOUNT'],
	[__GFP_WRITE, '__GFP_WRITE'],
	[__GFP_RECLAIM, '__GFP_RECLAIM'],
	[__GFP_DIRECT_RECLAIM, '__GFP_DIRECT_RECLAIM'],
	[__GFP_KSWAPD_RECLAIM, '__GFP_KSWAPD_RECLAIM'],
];
/** show_reclaim_flags() */
export const reclaim_flag_names: FlagNames = [
	[RECLAIM_WB_ANON, 'RECLAIM_WB_ANON'],
	[RECLAIM_WB_FILE, 'RECLAIM_WB_FILE'],
	[RECLAIM_WB_MIXED, 'RECLAIM_WB_MIXED'],
	[RECLAIM_WB_SYNC, 'RECLAIM_WB_SYNC'],
	[RECLAIM_WB_ASYNC, 'RECLAIM_WB_ASYNC'],
];

/**
 * How a word becomes text: `d` signed, `u` unsigned, `lru` by lru_names, `gfp` and `reclaim_flags`
 * by their tables ("none" and "RECLAIM_WB_NONE" for 0), `pagemap_flags` six letters or blanks,
 * `page` the address of the pfn's struct page (a hash of it in v5.10, so nothing to rely on).
 */
export type TraceFormat =
	'd' | 'u' | 'lru' | 'gfp' | 'reclaim_flags' | 'pagemap_flags' | 'page';
export interface TraceField {
	readonly name: string;
	/** Index of the word in the record's arguments. */
	readonly word: number;
	readonly format: TraceFormat;
}
export interface TraceEvent {
	/** TRACE_SYSTEM: its directory below /sys/kernel/tracing/events. */
	readonly system: string;
	readonly name: string;
	/** What TP_printk() prints, in its order: `name=text` with one blank between. */
	readonly fields: readonly TraceField[];
}

/** @custom a field of the table below */
const field = (name: string, word: number, format: TraceFormat): TraceField =>
	({ name, word, format });
/** @custom an event of the table below */
const vmscan = (name: string, ...fields: TraceField[]): TraceEvent =>
	({ system: 'vmscan', name: `mm_vmscan_${name}`, fields });
const reclaimBegin = [field('order', 0, 'd'), field('gfp_flags', 1, 'gfp')];
const reclaimEnd = field('nr_reclaimed', 0, 'u');

/** The events by number; element 0 is unused. */
export const TRACE_EVENTS: readonly (TraceEvent | undefined)[] = [
	undefined,
	vmscan('kswapd_sleep', field('nid', 0, 'd')),
	vmscan('kswapd_wake', field('nid', 0, 'd'), field('order', 2, 'd')),
	vmscan('wakeup_kswapd', field('nid', 0, 'd'), field('order', 2, 'd'),
		field('gfp_flags', 3, 'gfp')),
	vmscan('direct_reclaim_begin', ...reclaimBegin),
	vmscan('memcg_reclaim_begin', ...reclaimBegin),
	vmscan('memcg_softlimit_reclaim_begin', ...reclaimBegin),
	vmscan('direct_reclaim_end', reclaimEnd),
	vmscan('memcg_reclaim_end', reclaimEnd),
	vmscan('memcg_softlimit_reclaim_end', reclaimEnd),
	vmscan('lru_isolate', field('isolate_mode', 6, 'd'), field('classzone', 0, 'd'),
		field('order', 1, 'd'), field('nr_requested', 2, 'u'), field('nr_scanned', 3, 'u'),
		field('nr_skipped', 4, 'u'), field('nr_taken', 5, 'u'), field('lru', 7, 'lru')),
	vmscan('writepage', field('page', 0, 'page'), field('pfn', 0, 'u'),
		field('flags', 1, 'reclaim_flags')),
	vmscan('lru_shrink_inactive', field('nid', 0, 'd'), field('nr_scanned', 1, 'd'),
		field('nr_reclaimed', 2, 'd'), field('nr_dirty', 3, 'd'),
		field('nr_writeback', 4, 'd'),
		field('nr_congested', 5, 'd'), field('nr_immediate', 6, 'd'),
		field('nr_activate_anon', 7, 'd'), field('nr_activate_file', 8, 'd'),
		field('nr_ref_keep', 9, 'd'), field('nr_unmap_fail', 10, 'd'),
		field('priority', 11, 'd'), field('flags', 12, 'reclaim_flags')),
	vmscan('lru_shrink_active', field('nid', 0, 'd'), field('nr_taken', 1, 'd'),
		field('nr_active', 2, 'd'), field('nr_deactivated', 3, 'd'),
		field('nr_referenced', 4, 'd'), field('priority', 5, 'd'),
		field('flags', 6, 'reclaim_flags')),
	vmscan('inactive_list_is_low', field('nid', 0, 'd'), field('reclaim_idx', 1, 'd'),
		field('total_inactive', 2, 'd'), field('inactive', 3, 'd'),
		field('total_active', 4, 'd'), field('active', 5, 'd'), field('ratio', 6, 'd'),
		field('flags', 7, 'reclaim_flags')),
	vmscan('node_reclaim_begin', field('nid', 0, 'd'), field('order', 1, 'd'),
		field('gfp_flags', 2, 'gfp')),
	vmscan('node_reclaim_end', reclaimEnd),
	{ system: 'pagemap', name: 'mm_lru_insertion', fields: [field('page', 0, 'page'),
		field('pfn', 0, 'u'), field('lru', 1, 'd'), field('flags', 2, 'pagemap_flags')] },
	{ system: 'pagemap', name: 'mm_lru_activate',
		fields: [field('page', 0, 'page'), field('pfn', 0, 'u')] },
];

/**
 * With the delimiter `|`: what no mask names comes last, in hex.
 * @ported v5.10 kernel/trace/trace_output.c:trace_print_flags_seq()
 */
export function print_flags(flags: number, names: FlagNames): string {
	const parts: string[] = [];

	for (const [mask, name] of names) {
		if (flags === 0)
			break;
		if ((flags & mask) !== mask)
			continue;
		parts.push(name);
		flags &= ~mask;
	}
	if (flags !== 0)
		parts.push(`0x${(flags >>> 0).toString(16)}`);
	return parts.join('|');
}

const VMEMMAP = 'ffffea00';
/** @ported v5.10 include/trace/events/pagemap.h:mm_lru_insertion, its TP_printk() */
const pagemapLetters = (flags: number): string =>
	(flags & PAGEMAP_MAPPED ? 'M' : ' ') + (flags & PAGEMAP_ANONYMOUS ? 'a' : 'f') +
	(flags & PAGEMAP_SWAPCACHE ? 's' : ' ') + (flags & PAGEMAP_SWAPBACKED ? 'b' : ' ') +
	(flags & PAGEMAP_MAPPEDDISK ? 'd' : ' ') + (flags & PAGEMAP_BUFFERS ? 'B' : ' ');

/** The text of one word of a record. @custom what the format of a TP_printk() makes of it */
export function trace_field_text(word: number, format: TraceFormat): string {
	switch (format) {
	case 'd': return String(word);
	case 'u': return String(word >>> 0);
	case 'lru': return lru_names[word] ?? `0x${word.toString(16)}`;
	case 'gfp': return word === 0 ? 'none' : print_flags(word, gfpflag_names);
	case 'reclaim_flags':
		return word === 0 ? 'RECLAIM_WB_NONE' : print_flags(word, reclaim_flag_names);
	case 'pagemap_flags': return pagemapLetters(word);
	/* 64 bytes a struct page, vmemmap at its address without KASLR */
	case 'page': return VMEMMAP + ((word >>> 0) * 64).toString(16).padStart(8, '0');
	}
}

/**
 * What TP_printk() of an event in TRACE_EVENTS prints.
 * @custom TP_printk() of all events, from the table
 * @param at index in `trace_ring` of the record's arguments
 */
export function trace_event_text(event: number, at: number): string {
	return TRACE_EVENTS[event]!.fields
		.map(({ name, word, format }) =>
			`${name}=${trace_field_text(trace_ring[at + word]!, format)}`)
		.join(' ');
}

/** @ported v5.10 include/trace/events/vmscan.h:trace_reclaim_flags() */
function trace_reclaim_flags(file: number): number {
	return (file ? RECLAIM_WB_FILE : RECLAIM_WB_ANON) | RECLAIM_WB_ASYNC;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_kswapd_sleep */
export function trace_mm_vmscan_kswapd_sleep(nid: number): void {
	if (!trace_event_on[MM_VMSCAN_KSWAPD_SLEEP])
		return;
	const at = trace_reserve(MM_VMSCAN_KSWAPD_SLEEP);
	trace_ring[at] = nid;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_kswapd_wake */
export function trace_mm_vmscan_kswapd_wake(nid: number, zid: number, order: number): void {
	if (!trace_event_on[MM_VMSCAN_KSWAPD_WAKE])
		return;
	const at = trace_reserve(MM_VMSCAN_KSWAPD_WAKE);
	trace_ring[at] = nid;
	trace_ring[at + 1] = zid;
	trace_ring[at + 2] = order;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_wakeup_kswapd */
export function trace_mm_vmscan_wakeup_kswapd(
	nid: number, zid: number, order: number, gfp_flags: number,
): void {
	if (!trace_event_on[MM_VMSCAN_WAKEUP_KSWAPD])
		return;
	const at = trace_reserve(MM_VMSCAN_WAKEUP_KSWAPD);
	trace_ring[at] = nid;
	trace_ring[at + 1] = zid;
	trace_ring[at + 2] = order;
	trace_ring[at + 3] = gfp_flags;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_direct_reclaim_begin_template */
function reclaim_begin(event: number, order: number, gfp_flags: number): void {
	if (!trace_event_on[event])
		return;
	const at = trace_reserve(event);
	trace_ring[at] = order;
	trace_ring[at + 1] = gfp_flags;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_direct_reclaim_begin */
export function trace_mm_vmscan_direct_reclaim_begin(order: number, gfp_flags: number): void {
	reclaim_begin(MM_VMSCAN_DIRECT_RECLAIM_BEGIN, order, gfp_flags);
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_memcg_reclaim_begin */
export function trace_mm_vmscan_memcg_reclaim_begin(order: number, gfp_flags: number): void {
	reclaim_begin(MM_VMSCAN_MEMCG_RECLAIM_BEGIN, order, gfp_flags);
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_direct_reclaim_end_template */
function reclaim_end(event: number, nr_reclaimed: number): void {
	if (!trace_event_on[event])
		return;
	const at = trace_reserve(event);
	trace_ring[at] = nr_reclaimed;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_direct_reclaim_end */
export function trace_mm_vmscan_direct_reclaim_end(nr_reclaimed: number): void {
	reclaim_end(MM_VMSCAN_DIRECT_RECLAIM_END, nr_reclaimed);
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_memcg_reclaim_end */
export function trace_mm_vmscan_memcg_reclaim_end(nr_reclaimed: number): void {
	reclaim_end(MM_VMSCAN_MEMCG_RECLAIM_END, nr_reclaimed);
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_lru_isolate */
export function trace_mm_vmscan_lru_isolate(
	highest_zoneidx: number, order: number, nr_requested: number, nr_scanned: number,
	nr_skipped: number, nr_taken: number, isolate_mode: number, lru: number,
): void {
	if (!trace_event_on[MM_VMSCAN_LRU_ISOLATE])
		return;
	const at = trace_reserve(MM_VMSCAN_LRU_ISOLATE);
	trace_ring[at] = highest_zoneidx;
	trace_ring[at + 1] = order;
	trace_ring[at + 2] = nr_requested;
	trace_ring[at + 3] = nr_scanned;
	trace_ring[at + 4] = nr_skipped;
	trace_ring[at + 5] = nr_taken;
	trace_ring[at + 6] = isolate_mode;
	trace_ring[at + 7] = lru;
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_writepage */
export function trace_mm_vmscan_writepage(page: page): void {
	if (!trace_event_on[MM_VMSCAN_WRITEPAGE])
		return;
	const at = trace_reserve(MM_VMSCAN_WRITEPAGE);
	trace_ring[at] = page;
	trace_ring[at + 1] = trace_reclaim_flags(page_is_file_lru(page));
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_lru_shrink_inactive */
export function trace_mm_vmscan_lru_shrink_inactive(
	nid: number, nr_scanned: number, nr_reclaimed: number, stat: reclaim_stat,
	priority: number, file: number,
): void {
	if (!trace_event_on[MM_VMSCAN_LRU_SHRINK_INACTIVE])
		return;
	const at = trace_reserve(MM_VMSCAN_LRU_SHRINK_INACTIVE);
	trace_ring[at] = nid;
	trace_ring[at + 1] = nr_scanned;
	trace_ring[at + 2] = nr_reclaimed;
	trace_ring[at + 3] = stat.nr_dirty;
	trace_ring[at + 4] = stat.nr_writeback;
	trace_ring[at + 5] = stat.nr_congested;
	trace_ring[at + 6] = stat.nr_immediate;
	trace_ring[at + 7] = stat.nr_activate[0]!;
	trace_ring[at + 8] = stat.nr_activate[1]!;
	trace_ring[at + 9] = stat.nr_ref_keep;
	trace_ring[at + 10] = stat.nr_unmap_fail;
	trace_ring[at + 11] = priority;
	trace_ring[at + 12] = trace_reclaim_flags(file);
}

/** @ported v5.10 include/trace/events/vmscan.h:mm_vmscan_lru_shrink_active */
export function trace_mm_vmscan_lru_shrink_active(
	nid: number, nr_taken: number, nr_active: number, nr_deactivated: number,
	nr_referenced: number, priority: number, file: number,
): void {
	if (!trace_event_on[MM_VMSCAN_LRU_SHRINK_ACTIVE])
		return;
	const at = trace_reserve(MM_VMSCAN_LRU_SHRINK_ACTIVE);
	trace_ring[at] = nid;
	trace_ring[at + 1] = nr_taken;
	trace_ring[at + 2] = nr_active;
	trace_ring[at + 3] = nr_deactivated;
	trace_ring[at + 4] = nr_referenced;
	trace_ring[at + 5] = priority;
	trace_ring[at + 6] = trace_reclaim_flags(file);
}

/** @ported v5.10 include/trace/events/pagemap.h:trace_pagemap_flags() */
function trace_pagemap_flags(page: page): number {
	return (PageAnon(page) ? PAGEMAP_ANONYMOUS : PAGEMAP_FILE) |
		(page_mapped(page) ? PAGEMAP_MAPPED : 0) |
		(PageSwapCache(page) ? PAGEMAP_SWAPCACHE : 0) |
		(PageSwapBacked(page) ? PAGEMAP_SWAPBACKED : 0) |
		(PageMappedToDisk(page) ? PAGEMAP_MAPPEDDISK : 0) |
		(page_has_private(page) ? PAGEMAP_BUFFERS : 0);
}

/** @ported v5.10 include/trace/events/pagemap.h:mm_lru_insertion */
export function trace_mm_lru_insertion(page: page, lru: number): void {
	if (!trace_event_on[MM_LRU_INSERTION])
		return;
	const at = trace_reserve(MM_LRU_INSERTION);
	trace_ring[at] = page;
	trace_ring[at + 1] = lru;
	trace_ring[at + 2] = trace_pagemap_flags(page);
}

/** @ported v5.10 include/trace/events/pagemap.h:mm_lru_activate */
export function trace_mm_lru_activate(page: page): void {
	if (!trace_event_on[MM_LRU_ACTIVATE])
		return;
	const at = trace_reserve(MM_LRU_ACTIVATE);
	trace_ring[at] = page;
}
