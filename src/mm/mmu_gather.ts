// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mmu_gather.c, include/asm-generic/tlb.h and arch/x86/include/asm/tlb.h, v5.10
 * Left out: the separate batch of page tables (MMU_GATHER_RCU_TABLE_FREE): on bare metal pv_ops
 * frees tables with the pages, through tlb_remove_page().
 *
 * A batch is a real page, as in the kernel, taken with GFP_NOWAIT while the gather runs: words of
 * its frame are 0 next batch, 2 nr, then the pages, two words each.
 */
import { PAGE_SHIFT, PAGE_SIZE, PGDIR_SHIFT, PMD_SHIFT, PUD_SHIFT, TASK_SIZE }
	from '../arch/page.ts';
import { mmHooks } from '../arch/pgtable.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { TLB_FLUSH_ALL, flush_tlb_mm_range } from '../arch/tlb.ts';
import { VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { applied, MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS }
	from '../lib/commits.ts';
import { array, f64, kmem_cache_free, kmem_cache_zalloc, s32, struct, to, u8, type ptr }
	from '../lib/struct.ts';
import { GFP_NOWAIT, __GFP_NOWARN } from './gfp.ts';
import { mms, vmas, type mm_struct, type page, type vm_area_struct } from './mm_types.ts';
import { mmu_notifier_invalidate_range } from './mmu_notifier.ts';
import { __free_pages, alloc_pages } from './page_alloc.ts';
import { ___pmd_free_tlb, ___pte_free_tlb, ___pud_free_tlb } from './pgtable.ts';
import { free_pages_and_swap_cache } from './swap_state.ts';

/** ~0UL as an end of a range: every user address is below it. Rounded, like any such number. */
export const ULONG_MAX = 2 ** 64;

const MMU_GATHER_BUNDLE = 8;
const MAX_GATHER_BATCH = 510;
const MAX_GATHER_BATCH_COUNT = 19;

export type mmu_gather = ptr<'mmu_gather'>;
const mmu_gathers = struct<mmu_gather>()('mmu_gather', 64, {
	mm: to<mm_struct>(),
	start: f64,
	end: f64,
	fullmm: u8,
	need_flush_all: u8,
	freed_tables: u8,
	cleared_ptes: u8,
	cleared_pmds: u8,
	cleared_puds: u8,
	cleared_p4ds: u8,
	batch_count: s32,
	/* the batch being filled and the first one that is a page; 0 is the local bundle */
	active: to<page>(),
	next: to<page>(),
	nr: s32,
	__pages: array(s32, MMU_GATHER_BUNDLE),
});
const { mm: tlb_mm, start, end, fullmm, need_flush_all, freed_tables, cleared_ptes, cleared_pmds,
	cleared_puds, cleared_p4ds, batch_count, active, next, nr, __pages } = mmu_gathers;

const BATCH_NEXT = 0, BATCH_NR = 2, BATCH_PAGES = 4;
/** The mm that a gather works on: tlb->mm. @custom a field of another file's struct */
export function tlb_gather_mm(tlb: mmu_gather): mm_struct {
	return tlb_mm[tlb];
}

/* include/linux/mm_types.h: gathers and mprotect()s of an mm under way */

/** @ported v5.10 include/linux/mm_types.h */
export function inc_tlb_flush_pending(mm: mm_struct): void {
	mms.tlb_flush_pending[mm]++;
}

/** @ported v5.10 include/linux/mm_types.h */
export function dec_tlb_flush_pending(mm: mm_struct): void {
	mms.tlb_flush_pending[mm]--;
}

/** @ported v5.10 include/linux/mm_types.h */
export function mm_tlb_flush_pending(mm: mm_struct): boolean {
	return mms.tlb_flush_pending[mm] !== 0;
}

/* What arch/pgtable.ts asks about an mm and a vma. */
mmHooks.mm_tlb_flush_pending = (mm) => mm_tlb_flush_pending(mm as mm_struct);
mmHooks.vm_mm = (vma) => vmas.vm_mm[vma as vm_area_struct];

/** More than one is under way. @ported v5.10 include/linux/mm_types.h */
export function mm_tlb_flush_nested(mm: mm_struct): boolean {
	return mms.tlb_flush_pending[mm] > 1;
}

/** @ported v5.10 static */
function tlb_next_batch(tlb: mmu_gather): boolean {
	const old = active[tlb];
	const following = (old ? ram[(old << FRAME_WORDS_SHIFT) + BATCH_NEXT]! : next[tlb]) as page;

	if (following) {
		active[tlb] = following;
		return true;
	}
	if (batch_count[tlb] === MAX_GATHER_BATCH_COUNT)
		return false;
	const batch = alloc_pages(GFP_NOWAIT | __GFP_NOWARN, 0);
	if (!batch)
		return false;
	batch_count[tlb]++;
	const at = batch << FRAME_WORDS_SHIFT;
	ram[at + BATCH_NEXT] = 0;
	ram[at + BATCH_NR] = 0;
	if (old)
		ram[(old << FRAME_WORDS_SHIFT) + BATCH_NEXT] = batch;
	else
		next[tlb] = batch;
	active[tlb] = batch;
	return true;
}

/** @ported v5.10 static */
function tlb_batch_pages_flush(tlb: mmu_gather): void {
	const count = nr[tlb];

	if (count) {
		nr[tlb] = 0;
		batch_pages.length = count;
		for (let i = 0; i < count; i++)
			batch_pages[i] = __pages[tlb * MMU_GATHER_BUNDLE + i]! as page;
		free_pages_and_swap_cache(batch_pages, count);
	}
	for (let batch = next[tlb]; batch;) {
		const at = batch << FRAME_WORDS_SHIFT;
		const n = ram[at + BATCH_NR]!;

		if (!n)
			break;
		batch_pages.length = n;
		for (let i = 0; i < n; i++)
			batch_pages[i] = ram[at + BATCH_PAGES + 2 * i]! as page;
		free_pages_and_swap_cache(batch_pages, n);
		ram[at + BATCH_NR] = 0;
		batch = ram[at + BATCH_NEXT]! as page;
	}
	active[tlb] = 0 as page;
}
/* The argument of free_pages_and_swap_cache(), dead when it returns. */
const batch_pages: page[] = [];

/** @ported v5.10 static */
function tlb_batch_list_free(tlb: mmu_gather): void {
	for (let batch = next[tlb]; batch;) {
		const following = ram[(batch << FRAME_WORDS_SHIFT) + BATCH_NEXT]! as page;

		__free_pages(batch, 0);
		batch = following;
	}
	next[tlb] = 0 as page;
}

/** @ported v5.10 mm/mmu_gather.c:__tlb_remove_page_size(); true: flush before the next one */
export function __tlb_remove_page(tlb: mmu_gather, page: page): boolean {
	VM_BUG_ON(!end[tlb], 'mmu_gather: a page is removed but no range is to be flushed');
	const batch = active[tlb];
	if (!batch) {
		__pages[tlb * MMU_GATHER_BUNDLE + nr[tlb]] = page;
		if (++nr[tlb] === MMU_GATHER_BUNDLE)
			return !tlb_next_batch(tlb);
		return false;
	}
	const at = batch << FRAME_WORDS_SHIFT;
	const i = ram[at + BATCH_NR]!;
	VM_BUG_ON_PAGE(i >= MAX_GATHER_BATCH, page, 'mmu_gather: the batch is full');
	ram[at + BATCH_PAGES + 2 * i] = page;
	ram[at + BATCH_NR] = i + 1;
	if (i + 1 === MAX_GATHER_BATCH)
		return !tlb_next_batch(tlb);
	return false;
}

/** @ported v5.10 include/asm-generic/tlb.h:tlb_remove_page() */
export function tlb_remove_page(tlb: mmu_gather, page: page): void {
	if (__tlb_remove_page(tlb, page))
		tlb_flush_mmu(tlb);
}

/** @ported v5.10 include/asm-generic/tlb.h:tlb_get_unmap_shift() */
function tlb_get_unmap_shift(tlb: mmu_gather): number {
	if (cleared_ptes[tlb])
		return PAGE_SHIFT;
	if (cleared_pmds[tlb])
		return PMD_SHIFT;
	if (cleared_puds[tlb])
		return PUD_SHIFT;
	if (cleared_p4ds[tlb])
		return PGDIR_SHIFT;
	return PAGE_SHIFT;
}

/** @ported v5.10 arch/x86/include/asm/tlb.h:tlb_flush() */
function tlb_flush(tlb: mmu_gather): void {
	let from = 0, to_end = TLB_FLUSH_ALL;

	if (!fullmm[tlb] && !need_flush_all[tlb]) {
		from = start[tlb];
		to_end = end[tlb];
	}
	flush_tlb_mm_range(tlb_mm[tlb], from, to_end, tlb_get_unmap_shift(tlb),
		freed_tables[tlb] !== 0);
}

/** @ported v5.10 include/asm-generic/tlb.h:__tlb_reset_range() */
function __tlb_reset_range(tlb: mmu_gather): void {
	if (fullmm[tlb]) {
		start[tlb] = ULONG_MAX;
		end[tlb] = ULONG_MAX;
	} else {
		start[tlb] = TASK_SIZE;
		end[tlb] = 0;
	}
	freed_tables[tlb] = 0;
	cleared_ptes[tlb] = 0;
	cleared_pmds[tlb] = 0;
	cleared_puds[tlb] = 0;
	cleared_p4ds[tlb] = 0;
}

/** @ported v5.10 include/asm-generic/tlb.h:tlb_flush_mmu_tlbonly() */
export function tlb_flush_mmu_tlbonly(tlb: mmu_gather): void {
	if (!(freed_tables[tlb] | cleared_ptes[tlb] | cleared_pmds[tlb] | cleared_puds[tlb] |
	      cleared_p4ds[tlb]))
		return;

	tlb_flush(tlb);
	/* Since then flush_tlb_mm_range() sees to devices. */
	if (!applied(MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS
		/* 6bbd42e2df8f, v6.6 */))
		mmu_notifier_invalidate_range(tlb_mm[tlb], start[tlb], end[tlb]);
	__tlb_reset_range(tlb);
}

/** @ported v5.10 static */
function tlb_flush_mmu_free(tlb: mmu_gather): void {
	tlb_batch_pages_flush(tlb);
}

/** @ported v5.10 */
export function tlb_flush_mmu(tlb: mmu_gather): void {
	tlb_flush_mmu_tlbonly(tlb);
	tlb_flush_mmu_free(tlb);
}

/** @ported v5.10 include/asm-generic/tlb.h:__tlb_adjust_range() */
function __tlb_adjust_range(tlb: mmu_gather, address: number, range_size: number): void {
	if (address < start[tlb])
		start[tlb] = address;
	if (address + range_size > end[tlb])
		end[tlb] = address + range_size;
}

/** @ported v5.10 include/asm-generic/tlb.h:tlb_remove_tlb_entry() */
export function tlb_remove_tlb_entry(tlb: mmu_gather, address: number): void {
	__tlb_adjust_range(tlb, address, PAGE_SIZE);
	cleared_ptes[tlb] = 1;
}

/** @ported v5.10 include/asm-generic/tlb.h:pte_free_tlb() */
export function pte_free_tlb(tlb: mmu_gather, pte: page, address: number): void {
	__tlb_adjust_range(tlb, address, PAGE_SIZE);
	cleared_pmds[tlb] = 1;
	freed_tables[tlb] = 1;
	___pte_free_tlb(tlb, pte);
}

/** @ported v5.10 include/asm-generic/tlb.h:pmd_free_tlb() */
export function pmd_free_tlb(tlb: mmu_gather, pmd: page, address: number): void {
	__tlb_adjust_range(tlb, address, PAGE_SIZE);
	cleared_puds[tlb] = 1;
	freed_tables[tlb] = 1;
	___pmd_free_tlb(tlb, pmd);
}

/** @ported v5.10 include/asm-generic/tlb.h:pud_free_tlb() */
export function pud_free_tlb(tlb: mmu_gather, pud: page, address: number): void {
	__tlb_adjust_range(tlb, address, PAGE_SIZE);
	cleared_p4ds[tlb] = 1;
	freed_tables[tlb] = 1;
	___pud_free_tlb(tlb, pud);
}

/** @ported v5.10; struct mmu_gather comes from the arena, tlb_finish_mmu() gives it back */
export function tlb_gather_mmu(mm: mm_struct, from: number, to_end: number): mmu_gather {
	const tlb = kmem_cache_zalloc(mmu_gathers);

	VM_BUG_ON(!tlb, 'more struct mmu_gather on the stack than the arena has');
	tlb_mm[tlb] = mm;
	fullmm[tlb] = from === 0 && to_end === ULONG_MAX ? 1 : 0;
	__tlb_reset_range(tlb);
	inc_tlb_flush_pending(mm);
	return tlb;
}

/** @ported v5.10 */
export function tlb_finish_mmu(tlb: mmu_gather, _from: number, _to_end: number): void {
	const mm = tlb_mm[tlb];

	/* Another gather of the same mm is under way: its cleared entries may still be cached. */
	if (mm_tlb_flush_nested(mm)) {
		fullmm[tlb] = 1;
		__tlb_reset_range(tlb);
		freed_tables[tlb] = 1;
	}
	tlb_flush_mmu(tlb);
	tlb_batch_list_free(tlb);
	dec_tlb_flush_pending(mm);
	kmem_cache_free(mmu_gathers, tlb);
}

/** tlb->fullmm @custom a read of a field of the gather, for ptep_get_and_clear_full() */
export function tlb_fullmm(tlb: mmu_gather): boolean {
	return fullmm[tlb] !== 0;
}
