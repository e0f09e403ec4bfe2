// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/gfp.h, v5.10, with the allocation scopes of sched/mm.h
 * Left out: __GFP_NOLOCKDEP (0 without lockdep), alloc_pages_exact() and page_frag, which nobody
 *	here calls. The allocating functions are in page_alloc.ts.
 */
import { VM_BUG_ON } from '../lib/bug.ts';
import { global_s32 } from '../lib/struct.ts';
import { current } from './current.ts';
import { PF_MEMALLOC, PF_MEMALLOC_NOFS, PF_MEMALLOC_NOIO, tasks }
	from './mm_types.ts';
import { MIGRATE_UNMOVABLE, NODE_DATA, pgdats, ZONE_DMA, ZONE_DMA32, ZONE_MOVABLE, ZONE_NORMAL,
	ZONELIST_FALLBACK, ZONELIST_NOFALLBACK, type zonelist } from './mmzone.ts';

/** Flags of an allocation, 23 bits. */
export type gfp_t = number;

export const ___GFP_DMA = 0x01, ___GFP_HIGHMEM = 0x02, ___GFP_DMA32 = 0x04, ___GFP_MOVABLE = 0x08,
	___GFP_RECLAIMABLE = 0x10, ___GFP_HIGH = 0x20, ___GFP_IO = 0x40, ___GFP_FS = 0x80,
	___GFP_ZERO = 0x100, ___GFP_ATOMIC = 0x200, ___GFP_DIRECT_RECLAIM = 0x400,
	___GFP_KSWAPD_RECLAIM = 0x800, ___GFP_WRITE = 0x1000, ___GFP_NOWARN = 0x2000,
	___GFP_RETRY_MAYFAIL = 0x4000, ___GFP_NOFAIL = 0x8000, ___GFP_NORETRY = 0x10000,
	___GFP_MEMALLOC = 0x20000, ___GFP_COMP = 0x40000, ___GFP_NOMEMALLOC = 0x80000,
	___GFP_HARDWALL = 0x100000, ___GFP_THISNODE = 0x200000, ___GFP_ACCOUNT = 0x400000;
export const __GFP_DMA = ___GFP_DMA, __GFP_HIGHMEM = ___GFP_HIGHMEM, __GFP_DMA32 = ___GFP_DMA32,
	__GFP_MOVABLE = ___GFP_MOVABLE, __GFP_RECLAIMABLE = ___GFP_RECLAIMABLE,
	__GFP_HIGH = ___GFP_HIGH, __GFP_IO = ___GFP_IO, __GFP_FS = ___GFP_FS,
	__GFP_ZERO = ___GFP_ZERO, __GFP_ATOMIC = ___GFP_ATOMIC,
	__GFP_DIRECT_RECLAIM = ___GFP_DIRECT_RECLAIM, __GFP_KSWAPD_RECLAIM = ___GFP_KSWAPD_RECLAIM,
	__GFP_RECLAIM = ___GFP_DIRECT_RECLAIM | ___GFP_KSWAPD_RECLAIM, __GFP_WRITE = ___GFP_WRITE,
	__GFP_NOWARN = ___GFP_NOWARN, __GFP_RETRY_MAYFAIL = ___GFP_RETRY_MAYFAIL,
	__GFP_NOFAIL = ___GFP_NOFAIL, __GFP_NORETRY = ___GFP_NORETRY,
	__GFP_MEMALLOC = ___GFP_MEMALLOC, __GFP_COMP = ___GFP_COMP,
	__GFP_NOMEMALLOC = ___GFP_NOMEMALLOC, __GFP_HARDWALL = ___GFP_HARDWALL,
	__GFP_THISNODE = ___GFP_THISNODE, __GFP_ACCOUNT = ___GFP_ACCOUNT;
export const GFP_ZONEMASK = __GFP_DMA | __GFP_HIGHMEM | __GFP_DMA32 | __GFP_MOVABLE;
export const __GFP_BITS_SHIFT = 23, __GFP_BITS_MASK = (1 << __GFP_BITS_SHIFT) - 1;

export const GFP_ATOMIC = __GFP_HIGH | __GFP_ATOMIC | __GFP_KSWAPD_RECLAIM;
export const GFP_KERNEL = __GFP_RECLAIM | __GFP_IO | __GFP_FS;
export const GFP_KERNEL_ACCOUNT = GFP_KERNEL | __GFP_ACCOUNT;
export const GFP_NOWAIT = __GFP_KSWAPD_RECLAIM;
export const GFP_NOIO = __GFP_RECLAIM;
export const GFP_NOFS = __GFP_RECLAIM | __GFP_IO;
export const GFP_USER = __GFP_RECLAIM | __GFP_IO | __GFP_FS | __GFP_HARDWALL;
export const GFP_DMA = __GFP_DMA;
export const GFP_DMA32 = __GFP_DMA32;
export const GFP_HIGHUSER = GFP_USER | __GFP_HIGHMEM;
export const GFP_HIGHUSER_MOVABLE = GFP_HIGHUSER | __GFP_MOVABLE;
export const GFP_TRANSHUGE_LIGHT = (GFP_HIGHUSER_MOVABLE | __GFP_COMP | __GFP_NOMEMALLOC |
	__GFP_NOWARN) & ~__GFP_RECLAIM;
export const GFP_TRANSHUGE = GFP_TRANSHUGE_LIGHT | __GFP_DIRECT_RECLAIM;

const GFP_MOVABLE_MASK = __GFP_RECLAIMABLE | __GFP_MOVABLE;
const GFP_MOVABLE_SHIFT = 3;

/** Flags that allocations may use now: fewer while booting. */
export const gfp_allowed_mask = global_s32('gfp_allowed_mask');
/** 1 on machines too small to keep pageblocks of each migratetype. */
export const page_group_by_mobility_disabled = global_s32('page_group_by_mobility_disabled');

/** MIGRATE_* of an allocation. @ported v5.10 */
export function gfp_migratetype(gfp_flags: gfp_t): number {
	VM_BUG_ON((gfp_flags & GFP_MOVABLE_MASK) === GFP_MOVABLE_MASK,
		'an allocation is both movable and reclaimable');
	if (page_group_by_mobility_disabled.v)
		return MIGRATE_UNMOVABLE;
	return (gfp_flags & GFP_MOVABLE_MASK) >> GFP_MOVABLE_SHIFT;
}

/** @ported v5.10 */
export function gfpflags_allow_blocking(gfp_flags: gfp_t): boolean {
	return (gfp_flags & __GFP_DIRECT_RECLAIM) !== 0;
}

/** @ported v5.10 */
export function gfpflags_normal_context(gfp_flags: gfp_t): boolean {
	return (gfp_flags & (__GFP_DIRECT_RECLAIM | __GFP_MEMALLOC)) === __GFP_DIRECT_RECLAIM;
}

const GFP_ZONES_SHIFT = 2;
/* Zone of each combination of the low four flags, two bits each; ZONE_NORMAL also of HIGHMEM. */
const GFP_ZONE_TABLE =
	ZONE_NORMAL << 0 * GFP_ZONES_SHIFT |
	ZONE_DMA << ___GFP_DMA * GFP_ZONES_SHIFT |
	ZONE_NORMAL << ___GFP_HIGHMEM * GFP_ZONES_SHIFT |
	ZONE_DMA32 << ___GFP_DMA32 * GFP_ZONES_SHIFT |
	ZONE_NORMAL << ___GFP_MOVABLE * GFP_ZONES_SHIFT |
	ZONE_DMA << (___GFP_MOVABLE | ___GFP_DMA) * GFP_ZONES_SHIFT |
	ZONE_MOVABLE << (___GFP_MOVABLE | ___GFP_HIGHMEM) * GFP_ZONES_SHIFT |
	ZONE_DMA32 << (___GFP_MOVABLE | ___GFP_DMA32) * GFP_ZONES_SHIFT;
/* The combinations that name two zones. */
const GFP_ZONE_BAD =
	1 << (___GFP_DMA | ___GFP_HIGHMEM) |
	1 << (___GFP_DMA | ___GFP_DMA32) |
	1 << (___GFP_DMA32 | ___GFP_HIGHMEM) |
	1 << (___GFP_DMA | ___GFP_DMA32 | ___GFP_HIGHMEM) |
	1 << (___GFP_MOVABLE | ___GFP_HIGHMEM | ___GFP_DMA) |
	1 << (___GFP_MOVABLE | ___GFP_DMA32 | ___GFP_DMA) |
	1 << (___GFP_MOVABLE | ___GFP_DMA32 | ___GFP_HIGHMEM) |
	1 << (___GFP_MOVABLE | ___GFP_DMA32 | ___GFP_DMA | ___GFP_HIGHMEM);

/** Highest zone that an allocation may use, ZONE_*. @ported v5.10 */
export function gfp_zone(flags: gfp_t): number {
	const bit = flags & GFP_ZONEMASK;

	VM_BUG_ON(((GFP_ZONE_BAD >> bit) & 1) !== 0, 'an allocation names two zones');
	return (GFP_ZONE_TABLE >>> (bit * GFP_ZONES_SHIFT)) & ((1 << GFP_ZONES_SHIFT) - 1);
}

/** @ported v5.10 */
export function gfp_zonelist(flags: gfp_t): number {
	if (flags & __GFP_THISNODE)
		return ZONELIST_NOFALLBACK;
	return ZONELIST_FALLBACK;
}

/** @ported v5.10 */
export function node_zonelist(nid: number, flags: gfp_t): zonelist {
	return (pgdats.node_zonelists[NODE_DATA(nid)] + gfp_zonelist(flags)) as zonelist;
}

/* include/linux/sched/mm.h */

/** @ported v5.10 */
export function current_gfp_context(flags: gfp_t): gfp_t {
	const pflags = tasks.flags[current()];

	if (pflags & (PF_MEMALLOC_NOIO | PF_MEMALLOC_NOFS)) {
		if (pflags & PF_MEMALLOC_NOIO)
			flags &= ~(__GFP_IO | __GFP_FS);
		else if (pflags & PF_MEMALLOC_NOFS)
			flags &= ~__GFP_FS;
	}
	return flags;
}

/** @custom what memalloc_*_save() have in common: set a bit of current->flags, return its old */
function save(bit: number): number {
	const task = current();
	const flags = tasks.flags[task] & bit;

	tasks.flags[task] |= bit;
	return flags;
}

/** @custom what memalloc_*_restore() have in common */
function restore(bit: number, flags: number): void {
	const task = current();

	VM_BUG_ON((flags & ~bit) !== 0, 'memalloc scope ends with flags of another');
	tasks.flags[task] = (tasks.flags[task] & ~bit) | flags;
}

/** @ported v5.10 */
export function memalloc_noio_save(): number {
	return save(PF_MEMALLOC_NOIO);
}

/** @ported v5.10 */
export function memalloc_noio_restore(flags: number): void {
	restore(PF_MEMALLOC_NOIO, flags);
}

/** @ported v5.10 */
export function memalloc_nofs_save(): number {
	return save(PF_MEMALLOC_NOFS);
}

/** @ported v5.10 */
export function memalloc_nofs_restore(flags: number): void {
	restore(PF_MEMALLOC_NOFS, flags);
}

/** @ported v5.10 */
export function memalloc_noreclaim_save(): number {
	return save(PF_MEMALLOC);
}

/** @ported v5.10 */
export function memalloc_noreclaim_restore(flags: number): void {
	restore(PF_MEMALLOC, flags);
}
