// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/swap_state.c, v5.10
 * Left out: huge pages beyond one entry a page, plugging, congestion, sysfs. Nodes of shadow
 * entries in the swap cache are not counted, as in v5.10: only page caches have xas_set_update().
 */
import { VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { EEXIST, ENOMEM } from '../lib/errno.ts';
import { global_f64, global_s32, kmem_cache_free, kmem_cache_zalloc, type out }
	from '../lib/struct.ts';
import { xa_find, xa_is_value, xa_mk_pointer, xa_load, XA_ENOMEM,
	xa_store } from '../lib/xarray.ts';
import { clock_ns } from '../lib/trace.ts';
import { align_down, PAGE_SIZE, PMD_SIZE } from '../arch/page.ts';
import { pte_offset_map, pte_none, pte_present } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { non_swap_entry, pte_to_swp_entry, swp_entry, swp_offset, swp_type }
	from '../arch/swap.ts';
import { SWAP_AOPS } from './a_ops.ts';
import { find_get_entry } from './filemap.ts';
import { __GFP_HIGH, __GFP_NOMEMALLOC, __GFP_NOWARN, type gfp_t } from './gfp.ts';
import { GFP_RECLAIM_MASK } from './internal.ts';
import { mem_cgroup_charge } from './memcontrol.ts';
import { page_mapped, page_pgdat, page_ref_add, page_ref_sub, put_page } from './mm.ts';
import { address_spaces, NULL, pages, vmas, type address_space, type page, type swp_entry_t,
	type vm_area_struct } from './mm_types.ts';
import { NR_FILE_PAGES } from './mmzone.ts';
import { alloc_page_vma } from './page_alloc.ts';
import { ClearPageSwapCache, PageLocked, PageSwapBacked, PageSwapCache, PageTransCompound,
	PageUptodate, PageWriteback, SetPageReadahead, SetPageSwapBacked, SetPageSwapCache,
	SetPageWorkingset, TestClearPageReadahead, thp_nr_pages, __SetPageLocked }
	from './page_flags.ts';
import { swap_readpage } from './page_io.ts';
import { find_get_page, find_subpage, mapping_set_no_writeback_tags, trylock_page, unlock_page }
	from './pagemap.ts';
import { set_page_dirty } from './page-writeback.ts';
import { radix_to_swp_entry, shmem_mapping } from './shmem.ts';
import { lru_add_drain, lru_cache_add, page_cluster, release_pages } from './swap.ts';
import { get_swap_page, swap_slot_cache_enabled } from './swap_slots.ts';
import { MAX_SWAPFILES, nr_rotate_swap, SWAP_ADDRESS_SPACE_PAGES, SWAP_ADDRESS_SPACE_SHIFT,
	swap_address_space, swap_infos, SWAP_RA_ORDER_CEILING, swapper_spaces, swapper_spaces_of }
	from './swap_types.ts';
import { __swp_swapcount, get_swap_device, put_swap_page, swapcache_prepare, swp_swap_info,
	try_to_free_swap } from './swapfile.ts';
import type { vm_fault } from './vm_ops.ts';
import { __mod_node_page_state, count_vm_event, SWAP_RA, SWAP_RA_HIT } from './vmstat.ts';
import { workingset_refault } from './workingset.ts';

const { nrpages, nrexceptional } = address_spaces;
const page_private = pages.private;

/* nr_swapper_spaces[type] is how many elements of swapper_spaces are not 0 */
const enable_vma_readahead = global_s32('enable_vma_readahead');
export { enable_vma_readahead };

const SWAP_RA_WIN_SHIFT = 6, SWAP_RA_HITS_MASK = 63, SWAP_RA_HITS_MAX = SWAP_RA_HITS_MASK,
	SWAP_RA_WIN_MASK = 4095 & ~SWAP_RA_HITS_MASK;

/** @ported v5.10 the macro of this name */
function SWAP_RA_HITS(v: number): number {
	return v & SWAP_RA_HITS_MASK;
}
/** @ported v5.10 the macro of this name */
function SWAP_RA_WIN(v: number): number {
	return (v & SWAP_RA_WIN_MASK) >> SWAP_RA_WIN_SHIFT;
}
/** @ported v5.10 the macro of this name */
function SWAP_RA_ADDR(v: number): number {
	return align_down(v, PAGE_SIZE);
}
/** @ported v5.10 the macro of this name */
function SWAP_RA_VAL(addr: number, win: number, hits: number): number {
	return align_down(addr, PAGE_SIZE) +
		(((win << SWAP_RA_WIN_SHIFT) & SWAP_RA_WIN_MASK) | (hits & SWAP_RA_HITS_MASK));
}
/** @ported v5.10 the macro of this name: 4 hits to start with a small window */
function GET_SWAP_RA_VAL(vma: vm_area_struct): number {
	return vmas.swap_readahead_info[vma] || 4;
}

/** swap_cache_info: pages that came, that went, lookups that hit, lookups */
export const swap_cache_info_add_total = global_f64('swap_cache_info.add_total');
export const swap_cache_info_del_total = global_f64('swap_cache_info.del_total');
export const swap_cache_info_find_success = global_f64('swap_cache_info.find_success');
export const swap_cache_info_find_total = global_f64('swap_cache_info.find_total');

/** @custom nr_swapper_spaces[type], from the size of the device */
function nr_swapper_spaces(type: number): number {
	const si = swp_swap_info(swp_entry(type, 1));

	return si ? Math.ceil(swap_infos.max[si] / SWAP_ADDRESS_SPACE_PAGES) : 0;
}

/** Pages in the swap cache. @ported v5.10 */
export function total_swapcache_pages(): number {
	let ret = 0;

	for (let i = 0; i < MAX_SWAPFILES; i++) {
		if (!swp_swap_info(swp_entry(i, 1)) || !get_swap_device(swp_entry(i, 1)))
			continue;
		const spaces = swapper_spaces_of(i), nr = nr_swapper_spaces(i);
		for (let j = 0; j < nr; j++)
			ret += nrpages[swapper_spaces[spaces + j] as address_space];
	}
	return ret;
}

const swapin_readahead_hits = global_s32('swapin_readahead_hits');
/* static in swapin_nr_pages() */
const prev_offset = global_f64('swapin_nr_pages.prev_offset');
const last_readahead_pages = global_s32('swapin_nr_pages.last_readahead_pages');

/** Boot: what is not zero at first. @custom */
export function swap_state_init(): void {
	enable_vma_readahead.v = 1;
	swapin_readahead_hits.v = 4;
}

/** The shadow of what was in a slot's place in the cache, 0 for none. @ported v5.10 */
export function get_shadow_from_swap_cache(entry: swp_entry_t): number {
	const page = find_get_entry(swap_address_space(entry), swp_offset(entry));

	if (xa_is_value(page))
		return page;
	if (page)
		put_page((page / 4) as page);
	return 0;
}

/**
 * @ported v5.10
 * @param shadowp where the shadow goes that was there; 0 in it for none
 * @returns 0 or -ENOMEM
 */
export function add_to_swap_cache(
	page: page, entry: swp_entry_t, _gfp: gfp_t, shadowp: out<number> | null,
): number {
	const address_space = swap_address_space(entry);
	const idx = swp_offset(entry);
	const nr = thp_nr_pages(page);

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'joins the swap cache but is not locked');
	VM_BUG_ON_PAGE(PageSwapCache(page), page, 'joins the swap cache but is in it');
	VM_BUG_ON_PAGE(!PageSwapBacked(page), page, 'joins the swap cache but is no swap page');

	page_ref_add(page, nr);
	SetPageSwapCache(page);

	let nr_shadows = 0;
	for (let i = 0; i < nr; i++) {
		const old = xa_store(address_space, idx + i, xa_mk_pointer(page));

		if (old === XA_ENOMEM) {
			ClearPageSwapCache(page);
			page_ref_sub(page, nr);
			return -ENOMEM;
		}
		if (xa_is_value(old)) {
			nr_shadows++;
			if (shadowp)
				shadowp.v = old;
		}
		page_private[page + i as page] = entry + i;
	}
	nrexceptional[address_space] -= nr_shadows;
	nrpages[address_space] += nr;
	__mod_node_page_state(page_pgdat(page), NR_FILE_PAGES, nr);
	swap_cache_info_add_total.v += nr;
	return 0;
}

/** @param shadow what takes the page's place, 0 for nothing. @ported v5.10 */
export function __delete_from_swap_cache(page: page, entry: swp_entry_t, shadow: number): void {
	const address_space = swap_address_space(entry);
	const nr = thp_nr_pages(page);
	const idx = swp_offset(entry);

	VM_BUG_ON_PAGE(!PageLocked(page), page, 'leaves the swap cache but is not locked');
	VM_BUG_ON_PAGE(!PageSwapCache(page), page, 'leaves the swap cache but is not in it');
	VM_BUG_ON_PAGE(PageWriteback(page), page, 'leaves the swap cache while it is written');

	for (let i = 0; i < nr; i++) {
		const old = xa_store(address_space, idx + i, shadow);

		VM_BUG_ON_PAGE(old !== xa_mk_pointer(page), page,
			'is not what its swap slot caches');
		page_private[page + i as page] = 0;
	}
	ClearPageSwapCache(page);
	if (shadow)
		nrexceptional[address_space] += nr;
	nrpages[address_space] -= nr;
	__mod_node_page_state(page_pgdat(page), NR_FILE_PAGES, -nr);
	swap_cache_info_del_total.v += nr;
}

/**
 * Give a locked page a slot and put it into the swap cache. 1, or 0 when swap is full.
 * @ported v5.10
 */
export function add_to_swap(page: page): number {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is to be swapped but is not locked');
	VM_BUG_ON_PAGE(!PageUptodate(page), page, 'is to be swapped but has no contents');

	const entry = get_swap_page(page);
	if (!entry)
		return 0;

	const err = add_to_swap_cache(page, entry,
		__GFP_HIGH | __GFP_NOMEMALLOC | __GFP_NOWARN, null);
	if (err) {
		put_swap_page(page, entry);
		return 0;
	}
	/*
	 * Unmapping will not always find a dirty pte: MADV_FREE cleans them. Without a write what
	 * came in since would be lost.
	 */
	set_page_dirty(page);
	return 1;
}

/** @ported v5.10 */
export function delete_from_swap_cache(page: page): void {
	const entry = page_private[page];

	__delete_from_swap_cache(page, entry, 0);

	put_swap_page(page, entry);
	page_ref_sub(page, thp_nr_pages(page));
}

/** Forget the shadows of slots begin to end. @ported v5.10 */
export function clear_shadow_from_swap_cache(type: number, begin: number, end: number): void {
	let curr = begin;

	for (;;) {
		const address_space = swap_address_space(swp_entry(type, curr));
		let nr_shadows = 0;

		for (let i = xa_find(address_space, curr, end, -1); i >= 0;
		     i = i < end ? xa_find(address_space, i + 1, end, -1) : -1) {
			if (!xa_is_value(xa_load(address_space, i)))
				continue;
			xa_store(address_space, i, 0);
			nr_shadows++;
		}
		nrexceptional[address_space] -= nr_shadows;

		curr >>= SWAP_ADDRESS_SPACE_SHIFT;
		curr++;
		curr <<= SWAP_ADDRESS_SPACE_SHIFT;
		if (curr > end)
			break;
	}
}

/** @ported v5.10 */
function free_swap_cache(page: page): void {
	if (PageSwapCache(page) && !page_mapped(page) && trylock_page(page)) {
		try_to_free_swap(page);
		unlock_page(page);
	}
}

/** put_page(), and out of the swap cache too if that was its last user. @ported v5.10 */
export function free_page_and_swap_cache(page: page): void {
	free_swap_cache(page);
	put_page(page);
}

/** @ported v5.10 */
export function free_pages_and_swap_cache(
	pages: { readonly [index: number]: number }, nr: number, first = 0,
): void {
	lru_add_drain();
	for (let i = 0; i < nr; i++)
		free_swap_cache(pages[first + i] as page);
	release_pages(pages, nr, first);
}

/** @ported v5.10 */
function swap_use_vma_readahead(): boolean {
	return enable_vma_readahead.v !== 0 && nr_rotate_swap.v === 0;
}

/**
 * The cached page of a slot, with a reference; NULL for none.
 * @ported v5.10
 * @param vma 0, or whose readahead it may be a hit of
 */
export function lookup_swap_cache(entry: swp_entry_t, vma: vm_area_struct, addr: number): page {
	if (!get_swap_device(entry))
		return NULL;
	const page = find_get_page(swap_address_space(entry), swp_offset(entry));

	swap_cache_info_find_total.v++;
	if (page) {
		const vma_ra = swap_use_vma_readahead();

		swap_cache_info_find_success.v++;
		if (PageTransCompound(page))
			return page;

		const readahead = TestClearPageReadahead(page);
		if (vma && vma_ra) {
			const ra_val = GET_SWAP_RA_VAL(vma);
			const win = SWAP_RA_WIN(ra_val);
			let hits = SWAP_RA_HITS(ra_val);

			if (readahead)
				hits = Math.min(hits + 1, SWAP_RA_HITS_MAX);
			vmas.swap_readahead_info[vma] = SWAP_RA_VAL(addr, win, hits);
		}

		if (readahead) {
			count_vm_event(SWAP_RA_HIT);
			if (!vma || !vma_ra)
				swapin_readahead_hits.v++;
		}
	}
	return page;
}

/** The page of a file, be it swapped out and cached; for mincore(). @ported v5.10 */
export function find_get_incore_page(mapping: address_space, index: number): page {
	const entry = find_get_entry(mapping, index);

	if (!entry)
		return NULL;
	if (!xa_is_value(entry))
		return find_subpage((entry / 4) as page, index);
	if (!shmem_mapping(mapping))
		return NULL;

	const swp = radix_to_swp_entry(entry);
	if (!get_swap_device(swp))
		return NULL;
	return find_get_page(swap_address_space(swp), swp_offset(swp));
}

/* __read_swap_cache_async(): the shadow that the page replaced */
const shadow: out<number> = { v: 0 };
/* and what its callers want to know */
const page_allocated: out<boolean> = { v: false };
/* a jiffy of HZ=250, in ns */
const JIFFY_NS = 4e6;

/**
 * The cached page of a slot, or a new one, which is locked and yet to be read.
 * @ported v5.10
 * @param new_page_allocated whether it is new
 * @returns NULL when the slot is not in use, or there is no memory
 */
export function __read_swap_cache_async(
	entry: swp_entry_t, gfp_mask: gfp_t, vma: vm_area_struct, addr: number,
	new_page_allocated: out<boolean>,
): page {
	let page: page;

	new_page_allocated.v = false;

	for (;;) {
		if (!get_swap_device(entry))
			return NULL;
		page = find_get_page(swap_address_space(entry), swp_offset(entry));
		if (page)
			return page;

		/* Nothing in the slot; while swapoff drains the CPUs' slots it looks anyway. */
		if (!__swp_swapcount(entry) && swap_slot_cache_enabled.v)
			return NULL;

		page = alloc_page_vma(gfp_mask, vma, addr);
		/* Who ran in the middle of the allocation may have set it. */
		new_page_allocated.v = false;
		if (!page)
			return NULL;

		const err = swapcache_prepare(entry);
		if (!err)
			break;

		put_page(page);
		if (err !== -EEXIST)
			return NULL;

		/* Somebody has the slot between the map and the cache: only while he runs. */
		clock_ns.v += JIFFY_NS;
		VM_BUG_ON_PAGE(!xa_load(swap_address_space(entry), swp_offset(entry)), page,
			`swap entry ${entry} is marked as cached, but is not`);
	}

	__SetPageLocked(page);
	SetPageSwapBacked(page);

	shadow.v = 0;
	if (add_to_swap_cache(page, entry, gfp_mask & GFP_RECLAIM_MASK, shadow)) {
		put_swap_page(page, entry);
		unlock_page(page);
		put_page(page);
		return NULL;
	}
	const old = shadow.v;

	if (mem_cgroup_charge(page, NULL, gfp_mask)) {
		new_page_allocated.v = false;
		delete_from_swap_cache(page);
		unlock_page(page);
		put_page(page);
		return NULL;
	}

	if (old)
		workingset_refault(page, old);

	SetPageWorkingset(page);
	lru_cache_add(page);
	new_page_allocated.v = true;
	return page;
}

/**
 * The page of a slot, cached or being read into the cache, with a reference.
 * @ported v5.10
 */
export function read_swap_cache_async(
	entry: swp_entry_t, gfp_mask: gfp_t, vma: vm_area_struct, addr: number, do_poll: boolean,
): page {
	const retpage = __read_swap_cache_async(entry, gfp_mask, vma, addr, page_allocated);

	if (page_allocated.v)
		swap_readpage(retpage, do_poll);
	return retpage;
}

/** How many pages to read for one that is wanted. @ported v5.10 */
export function __swapin_nr_pages(
	prev_offset: number, offset: number, hits: number, max_pages: number, prev_win: number,
): number {
	let pages = hits + 2;

	if (pages === 2) {
		/* No hit to judge by: is it next to the last one? */
		if (offset !== prev_offset + 1 && offset !== prev_offset - 1)
			pages = 1;
	} else {
		let roundup = 4;

		while (roundup < pages)
			roundup <<= 1;
		pages = roundup;
	}

	if (pages > max_pages)
		pages = max_pages;

	/* The window shrinks by halves only. */
	const last_ra = prev_win >> 1;
	if (pages < last_ra)
		pages = last_ra;
	return pages;
}

/** @ported v5.10 */
function swapin_nr_pages(offset: number): number {
	const max_pages = 1 << page_cluster.v;

	if (max_pages <= 1)
		return 1;

	const hits = swapin_readahead_hits.v;
	swapin_readahead_hits.v = 0;
	const pages = __swapin_nr_pages(
		prev_offset.v, offset, hits, max_pages, last_readahead_pages.v);
	if (!hits)
		prev_offset.v = offset;
	last_readahead_pages.v = pages;
	return pages;
}

/**
 * Swap in a page, and the aligned block of slots around it.
 * @reduced no device is ever congested
 */
export function swap_cluster_readahead(
	entry: swp_entry_t, gfp_mask: gfp_t, vmf: vm_fault,
): page {
	const entry_offset = swp_offset(entry);
	const si = swp_swap_info(entry);
	const { vma, address: addr } = vmf;
	let do_poll = true;

	const mask = swapin_nr_pages(entry_offset) - 1;
	skip: {
		if (!mask)
			break skip;

		do_poll = false;
		let start_offset = entry_offset & ~mask;
		let end_offset = entry_offset | mask;
		if (!start_offset)
			start_offset++;
		if (end_offset >= swap_infos.max[si])
			end_offset = swap_infos.max[si] - 1;

		for (let offset = start_offset; offset <= end_offset; offset++) {
			const page = __read_swap_cache_async(
				swp_entry(swp_type(entry), offset), gfp_mask, vma, addr,
				page_allocated);

			if (!page)
				continue;
			if (page_allocated.v) {
				swap_readpage(page, false);
				if (offset !== entry_offset) {
					SetPageReadahead(page);
					count_vm_event(SWAP_RA);
				}
			}
			put_page(page);
		}
		lru_add_drain();
	}
	return read_swap_cache_async(entry, gfp_mask, vma, addr, do_poll);
}

/** Make the swapper address_spaces of a device; 0 or -ENOMEM. @ported v5.10 */
export function init_swap_address_space(type: number, nr_pages: number): number {
	const nr = Math.ceil(nr_pages / SWAP_ADDRESS_SPACE_PAGES);
	const spaces = swapper_spaces_of(type);

	for (let i = 0; i < nr; i++) {
		const space = kmem_cache_zalloc(address_spaces);

		if (!space) {
			while (--i >= 0) {
				kmem_cache_free(
					address_spaces,
						swapper_spaces[spaces + i] as address_space);
				swapper_spaces[spaces + i] = 0;
			}
			return -ENOMEM;
		}
		address_spaces.a_ops[space] = SWAP_AOPS;
		mapping_set_no_writeback_tags(space);
		swapper_spaces[spaces + i] = space;
	}
	return 0;
}

/** The device's swap_info_struct still has its size. @ported v5.10 */
export function exit_swap_address_space(type: number): void {
	const spaces = swapper_spaces_of(type), nr = nr_swapper_spaces(type);

	for (let i = 0; i < nr; i++) {
		kmem_cache_free(address_spaces, swapper_spaces[spaces + i] as address_space);
		swapper_spaces[spaces + i] = 0;
	}
}

/** struct vma_swap_readahead; a temporary. pte is the word index of the first entry. */
interface vma_swap_readahead {
	win: number;
	offset: number;
	nr_pte: number;
	ptes: number;
}
const start: out<number> = { v: 0 }, end: out<number> = { v: 0 };

/** @ported v5.10 */
function swap_ra_clamp_pfn(
	vma: vm_area_struct, faddr: number, lpfn: number, rpfn: number,
	start: out<number>, end: out<number>,
): void {
	const pmd_start = align_down(faddr, PMD_SIZE);

	start.v = Math.max(lpfn, vmas.vm_start[vma] / PAGE_SIZE, pmd_start / PAGE_SIZE);
	end.v = Math.min(rpfn, vmas.vm_end[vma] / PAGE_SIZE, (pmd_start + PMD_SIZE) / PAGE_SIZE);
}

/** @ported v5.10 */
function swap_ra_info(vmf: vm_fault, ra_info: vma_swap_readahead): void {
	const { vma, address: faddr } = vmf;

	const max_win = 1 << Math.min(page_cluster.v, SWAP_RA_ORDER_CEILING);
	if (max_win === 1) {
		ra_info.win = 1;
		return;
	}

	const pte = pte_offset_map(vmf.pmd, faddr);
	if (non_swap_entry(pte_to_swp_entry(ram[pte]!, ram[pte + 1]!)))
		return;

	const fpfn = Math.floor(faddr / PAGE_SIZE);
	const ra_val = GET_SWAP_RA_VAL(vma);
	const pfn = SWAP_RA_ADDR(ra_val) / PAGE_SIZE;
	const prev_win = SWAP_RA_WIN(ra_val);
	const hits = SWAP_RA_HITS(ra_val);
	const win = __swapin_nr_pages(pfn, fpfn, hits, max_win, prev_win);
	ra_info.win = win;
	vmas.swap_readahead_info[vma] = SWAP_RA_VAL(faddr, win, 0);

	if (win === 1)
		return;

	if (fpfn === pfn + 1) {
		swap_ra_clamp_pfn(vma, faddr, fpfn, fpfn + win, start, end);
	} else if (pfn === fpfn + 1) {
		swap_ra_clamp_pfn(vma, faddr, fpfn - win + 1, fpfn + 1, start, end);
	} else {
		const left = (win - 1) >> 1;

		swap_ra_clamp_pfn(vma, faddr, fpfn - left, fpfn + win - left, start, end);
	}
	ra_info.nr_pte = end.v - start.v;
	ra_info.offset = fpfn - start.v;
	ra_info.ptes = pte - ra_info.offset * 2;
}

/**
 * Swap in a page, and those mapped next to it.
 * @ported v5.10
 */
function swap_vma_readahead(fentry: swp_entry_t, gfp_mask: gfp_t, vmf: vm_fault): page {
	const { vma } = vmf;
	const ra_info: vma_swap_readahead = { win: 0, offset: 0, nr_pte: 0, ptes: 0 };

	swap_ra_info(vmf, ra_info);
	skip: {
		if (ra_info.win === 1)
			break skip;

		for (let i = 0, pte = ra_info.ptes; i < ra_info.nr_pte; i++, pte += 2) {
			const pentry = ram[pte]!;

			if (pte_none(pentry) && ram[pte + 1] === 0)
				continue;
			if (pte_present(pentry))
				continue;
			const entry = pte_to_swp_entry(pentry, ram[pte + 1]!);
			if (non_swap_entry(entry))
				continue;
			const page = __read_swap_cache_async(
				entry, gfp_mask, vma, vmf.address, page_allocated);
			if (!page)
				continue;
			if (page_allocated.v) {
				swap_readpage(page, false);
				if (i !== ra_info.offset) {
					SetPageReadahead(page);
					count_vm_event(SWAP_RA);
				}
			}
			put_page(page);
		}
		lru_add_drain();
	}
	return read_swap_cache_async(fentry, gfp_mask, vma, vmf.address, ra_info.win === 1);
}

/**
 * Swap in a page and some of its neighbours: in the address space, or on the device where one has
 * seeks. With a reference; it may still be being read.
 * @ported v5.10
 */
export function swapin_readahead(entry: swp_entry_t, gfp_mask: gfp_t, vmf: vm_fault): page {
	return swap_use_vma_readahead()
		? swap_vma_readahead(entry, gfp_mask, vmf)
		: swap_cluster_readahead(entry, gfp_mask, vmf);
}
