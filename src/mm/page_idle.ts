// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/page_idle.c, v5.10
 * The file of sysfs is /sys/kernel/mm/page_idle/bitmap: a bit a pfn, in little-endian words of
 * BITMAP_CHUNK_SIZE bytes.
 * Lock order modelled: page lock > rmap locks, as rmap.c.
 */
import { VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { EINVAL, ENXIO } from '../lib/errno.ts';
import { get_page_unless_zero, page_mapped, page_rmapping, put_page } from './mm.ts';
import { NULL, type page, type vm_area_struct } from './mm_types.ts';
import { pmdp_clear_young_notify, ptep_clear_young_notify } from './mmu_notifier.ts';
import { max_pfn } from './page_alloc.ts';
import { clear_page_idle, page_is_idle, PageAnon, PageKsm, PageLRU, set_page_idle, set_page_young }
	from './page_flags.ts';
import { page_vma_mapped_walk } from './page_vma_mapped.ts';
import { trylock_page } from './pagemap.ts';
import { unlock_page } from './filemap.ts';
import { page_lock_anon_vma_read, rmap_walk } from './rmap.ts';
import { page_vma_mapped_walk as pvmw_t, rmap_walk_control } from './rmap_types.ts';

/** Positions and counts are multiples of this, in bytes. */
export const BITMAP_CHUNK_SIZE = 8;

/** @ported v5.10 */
export function page_idle_get_page(pfn: number): page {
	const page = pfn as page;

	if (!page || !PageLRU(page) || !get_page_unless_zero(page))
		return NULL;
	VM_BUG_ON_PAGE(!PageLRU(page), page, 'left the LRU while nobody else ran');
	return page;
}

/** @ported v5.10 */
export function page_idle_clear_pte_refs_one(
	page: page, vma: vm_area_struct, addr: number, _arg: number,
): boolean {
	const pvmw = new pvmw_t();
	let referenced = false;

	pvmw.page = page;
	pvmw.vma = vma;
	pvmw.address = addr;
	while (page_vma_mapped_walk(pvmw)) {
		addr = pvmw.address;
		if (pvmw.pte) {
			if (ptep_clear_young_notify(vma, addr, pvmw.pte))
				referenced = true;
		} else if (pmdp_clear_young_notify(vma, addr, pvmw.pmd)) {
			referenced = true;
		}
	}
	if (referenced) {
		clear_page_idle(page);
		/* page_referenced() must not miss the reference that this took away. */
		set_page_young(page);
	}
	return true;
}

/** @ported v5.10 */
export function page_idle_clear_pte_refs(page: page): void {
	if (!page_mapped(page) || !page_rmapping(page))
		return;

	const need_lock = !PageAnon(page) || PageKsm(page);
	if (need_lock && !trylock_page(page))
		return;

	const rwc = new rmap_walk_control(0, page_idle_clear_pte_refs_one);
	rwc.anon_lock = page_lock_anon_vma_read;
	rmap_walk(page, rwc);

	if (need_lock)
		unlock_page(page);
}

/**
 * Which pages are idle: read `buf.length` bytes of the file from byte `pos`.
 * @returns bytes read, 0 beyond the end of memory; -EINVAL if not in whole words
 * @ported v5.10
 */
export function page_idle_bitmap_read(buf: Uint8Array, pos: number): number {
	if (pos % BITMAP_CHUNK_SIZE || buf.length % BITMAP_CHUNK_SIZE)
		return -EINVAL;

	const start_pfn = pos * 8;
	if (start_pfn >= max_pfn.v)
		return 0;
	const end_pfn = Math.min(start_pfn + buf.length * 8, max_pfn.v);

	let done = 0;
	for (let pfn = start_pfn; pfn < end_pfn; pfn++) {
		const byte = (pfn - start_pfn) >> 3;
		if (!(pfn & 7))
			buf[byte] = 0;
		const page = page_idle_get_page(pfn);
		if (page) {
			if (page_is_idle(page)) {
				page_idle_clear_pte_refs(page);
				if (page_is_idle(page))
					buf[byte]! |= 1 << (pfn & 7);
			}
			put_page(page);
		}
		if ((pfn & 63) === 63)
			done += BITMAP_CHUNK_SIZE;
	}
	return done;
}

/**
 * Mark pages idle: write `buf` to the file at byte `pos`; bits that are 0 change nothing.
 * @returns bytes written; -ENXIO beyond the end of memory; -EINVAL if not in whole words
 * @ported v5.10
 */
export function page_idle_bitmap_write(buf: Uint8Array, pos: number): number {
	if (pos % BITMAP_CHUNK_SIZE || buf.length % BITMAP_CHUNK_SIZE)
		return -EINVAL;

	const start_pfn = pos * 8;
	if (start_pfn >= max_pfn.v)
		return -ENXIO;
	const end_pfn = Math.min(start_pfn + buf.length * 8, max_pfn.v);

	let done = 0;
	for (let pfn = start_pfn; pfn < end_pfn; pfn++) {
		if (buf[(pfn - start_pfn) >> 3]! >> (pfn & 7) & 1) {
			const page = page_idle_get_page(pfn);
			if (page) {
				page_idle_clear_pte_refs(page);
				set_page_idle(page);
				put_page(page);
			}
		}
		if ((pfn & 63) === 63)
			done += BITMAP_CHUNK_SIZE;
	}
	return done;
}
