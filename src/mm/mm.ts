// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/mm.h, v5.10, with page_ref.h, mmap_lock.h, sched/coredump.h and the page helpers of
 * mm/util.c
 * Left out: compound pages beyond what page_flags.ts says of them, page_ref tracepoints, device
 *	memory, page-table locks (one order of events stands for them), CONFIG_NUMA_BALANCING.
 * Lock order modelled: mmap_lock, whose trylocks can fail.
 */
import { pte_mkwrite } from '../arch/pgtable.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { VM_BUG_ON, VM_BUG_ON_PAGE, WouldBlock } from '../lib/bug.ts';
import { global_f64, type out } from '../lib/struct.ts';
import { current } from './current.ts';
import { find_vma, stack_guard_gap } from './mmap.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, mms, NR_MM_COUNTERS, NULL, PAGE_MAPPING_ANON,
	PAGE_MAPPING_FLAGS, PAGE_MAPPING_SHIFT, pages, tasks, VM_ACCESS_FLAGS, VM_GROWSDOWN,
	VM_RAND_READ, VM_SEQ_READ, VM_WRITE, vmas } from './mm_types.ts';
import type { address_space, anon_vma, mem_cgroup, mm_struct, page, pte_t, vm_area_struct }
	from './mm_types.ts';
import { count_kmem_page } from './memcontrol.ts';
import { MAX_NR_ZONES, NR_PAGETABLE, ZONE_DEVICE, type pglist_data, type zone }
	from './mmzone.ts';
import { __ClearPageTable, __SetPageTable, anon_vma_pointer, compound_head, compound_order,
	mapping_pointer, PageAnon, PageCompound, PageDirty, PageSlab, PageSwapBacked,
	PageSwapCache } from './page_flags.ts';
import { __cancel_dirty_page } from './page-writeback.ts';
import { __put_page } from './swap.ts';
import { swap_address_space } from './swap_types.ts';
import { __page_file_index, __page_file_mapping } from './swapfile.ts';
import { dec_zone_page_state, inc_zone_page_state } from './vmstat.ts';

const { _mapcount, _refcount, index, mapping, mem_cgroup: page_mem_cgroup,
	private: page_private_, zone_node } = pages;
const { rss_stat, mmap_lock } = mms;

export const VM_STACK_INCOMPLETE_SETUP = VM_RAND_READ | VM_SEQ_READ;

/* gup.c: what get_user_pages() is to do */
export const FOLL_WRITE = 0x01, FOLL_TOUCH = 0x02, FOLL_GET = 0x04, FOLL_DUMP = 0x08,
	FOLL_FORCE = 0x10, FOLL_NOWAIT = 0x20, FOLL_POPULATE = 0x40, FOLL_SPLIT = 0x80,
	FOLL_HWPOISON = 0x100, FOLL_NUMA = 0x200, FOLL_MIGRATION = 0x400, FOLL_TRIED = 0x800,
	FOLL_MLOCK = 0x1000, FOLL_REMOTE = 0x2000, FOLL_COW = 0x4000, FOLL_ANON = 0x8000,
	FOLL_LONGTERM = 0x10000, FOLL_SPLIT_PMD = 0x20000, FOLL_PIN = 0x40000,
	FOLL_FAST_ONLY = 0x80000;
/* change_protection() */
export const MM_CP_DIRTY_ACCT = 1 << 0, MM_CP_PROT_NUMA = 1 << 1, MM_CP_UFFD_WP = 1 << 2,
	MM_CP_UFFD_WP_RESOLVE = 1 << 3,
	MM_CP_UFFD_WP_ALL = MM_CP_UFFD_WP | MM_CP_UFFD_WP_RESOLVE;
/* sched/coredump.h: bit numbers of mm->flags */
export const MMF_VM_MERGEABLE = 16, MMF_VM_HUGEPAGE = 17, MMF_HAS_UPROBES = 19,
	MMF_RECALC_UPROBES = 20, MMF_OOM_SKIP = 21, MMF_UNSTABLE = 22, MMF_HUGE_ZERO_PAGE = 23,
	MMF_DISABLE_THP = 24, MMF_OOM_VICTIM = 25, MMF_OOM_REAP_QUEUED = 26, MMF_MULTIPROCESS = 27;
/** What a forked mm keeps of its parent's flags: dumpable, dump filter, MMF_DISABLE_THP. */
export const MMF_INIT_MASK = 0x3 | 0x1ff << 2 | 1 << MMF_DISABLE_THP;

const _totalram_pages = global_f64('_totalram_pages');

/** @ported v5.10 */
export function totalram_pages(): number {
	return _totalram_pages.v;
}

/** @ported v5.10 */
export function totalram_pages_inc(): void {
	_totalram_pages.v++;
}

/** @ported v5.10 */
export function totalram_pages_dec(): void {
	_totalram_pages.v--;
}

/** @ported v5.10 */
export function totalram_pages_add(count: number): void {
	_totalram_pages.v += count;
}

/* include/linux/mmap_lock.h */

/** @ported v5.10 */
export function mmap_init_lock(mm: mm_struct): void {
	mmap_lock[mm] = 0;
}

/** @ported v5.10 */
export function mmap_write_lock(mm: mm_struct): void {
	if (!mmap_write_trylock(mm))
		throw new WouldBlock('mmap_lock, for writing');
}

/** @reduced no signal can arrive while it waits, so it always gets the lock */
export function mmap_write_lock_killable(mm: mm_struct): number {
	mmap_write_lock(mm);
	return 0;
}

/** @ported v5.10 */
export function mmap_write_trylock(mm: mm_struct): boolean {
	if (mmap_lock[mm] !== 0)
		return false;
	mmap_lock[mm] = -1;
	return true;
}

/** @ported v5.10 */
export function mmap_write_unlock(mm: mm_struct): void {
	VM_BUG_ON(mmap_lock[mm] !== -1, 'mmap_lock is released by a writer that does not hold it');
	mmap_lock[mm] = 0;
}

/** @ported v5.10 */
export function mmap_write_downgrade(mm: mm_struct): void {
	VM_BUG_ON(mmap_lock[mm] !== -1, 'mmap_lock is downgraded by one who does not hold it');
	mmap_lock[mm] = 1;
}

/** @ported v5.10 */
export function mmap_read_lock(mm: mm_struct): void {
	if (!mmap_read_trylock(mm))
		throw new WouldBlock('mmap_lock, for reading');
}

/** @reduced no signal can arrive while it waits, so it always gets the lock */
export function mmap_read_lock_killable(mm: mm_struct): number {
	mmap_read_lock(mm);
	return 0;
}

/** @ported v5.10 */
export function mmap_read_trylock(mm: mm_struct): boolean {
	if (mmap_lock[mm] < 0)
		return false;
	mmap_lock[mm]++;
	return true;
}

/** @ported v5.10 */
export function mmap_read_unlock(mm: mm_struct): void {
	VM_BUG_ON(mmap_lock[mm] <= 0, 'mmap_lock is released by a reader that does not hold it');
	mmap_lock[mm]--;
}

/** @ported v5.10 */
export function mmap_assert_locked(mm: mm_struct): void {
	VM_BUG_ON(mmap_lock[mm] === 0, 'mmap_lock is not held');
}

/** @ported v5.10 */
export function mmap_assert_write_locked(mm: mm_struct): void {
	VM_BUG_ON(mmap_lock[mm] !== -1, 'mmap_lock is not held for writing');
}

/* include/linux/page_ref.h */

/** @ported v5.10 */
export function page_ref_count(page: page): number {
	return _refcount[page];
}

/** @ported v5.10 */
export function page_count(page: page): number {
	return _refcount[compound_head(page)];
}

/** @ported v5.10 */
export function set_page_count(page: page, v: number): void {
	_refcount[page] = v;
}

/** @ported v5.10 */
export function init_page_count(page: page): void {
	set_page_count(page, 1);
}

/** @ported v5.10 */
export function page_ref_add(page: page, nr: number): void {
	_refcount[page] += nr;
}

/** @ported v5.10 */
export function page_ref_sub(page: page, nr: number): void {
	_refcount[page] -= nr;
}

/** @ported v5.10 */
export function page_ref_sub_return(page: page, nr: number): number {
	return _refcount[page] -= nr;
}

/** @ported v5.10 */
export function page_ref_inc(page: page): void {
	_refcount[page]++;
}

/** @ported v5.10 */
export function page_ref_dec(page: page): void {
	_refcount[page]--;
}

/** @ported v5.10 */
export function page_ref_sub_and_test(page: page, nr: number): boolean {
	return (_refcount[page] -= nr) === 0;
}

/** @ported v5.10 */
export function page_ref_inc_return(page: page): number {
	return ++_refcount[page];
}

/** @ported v5.10 */
export function page_ref_dec_and_test(page: page): boolean {
	return --_refcount[page] === 0;
}

/** @ported v5.10 */
export function page_ref_dec_return(page: page): number {
	return --_refcount[page];
}

/** @ported v5.10 */
export function page_ref_add_unless(page: page, nr: number, u: number): boolean {
	if (_refcount[page] === u)
		return false;
	_refcount[page] += nr;
	return true;
}

/** @ported v5.10 */
export function page_ref_freeze(page: page, count: number): boolean {
	if (_refcount[page] !== count)
		return false;
	_refcount[page] = 0;
	return true;
}

/** @ported v5.10 */
export function page_ref_unfreeze(page: page, count: number): void {
	VM_BUG_ON_PAGE(page_count(page) !== 0, page, 'is unfrozen but has references');
	VM_BUG_ON_PAGE(count === 0, page, 'is unfrozen to no references');
	_refcount[page] = count;
}

/* include/linux/mm.h */

/** @ported v5.10 */
export function vma_set_anonymous(vma: vm_area_struct): void {
	vmas.vm_ops[vma] = 0;
}

/** @ported v5.10 */
export function vma_is_anonymous(vma: vm_area_struct): boolean {
	return vmas.vm_ops[vma] === 0;
}

/** @ported v5.10 */
export function vma_is_temporary_stack(vma: vm_area_struct): boolean {
	const maybe_stack = vmas.vm_flags[vma] & VM_GROWSDOWN;

	if (!maybe_stack)
		return false;
	return (vmas.vm_flags[vma] & VM_STACK_INCOMPLETE_SETUP) === VM_STACK_INCOMPLETE_SETUP;
}

/** @ported v5.10 */
export function vma_is_foreign(vma: vm_area_struct): boolean {
	const mm = tasks.mm[current()];

	return !mm || mm !== vmas.vm_mm[vma];
}

/** @ported v5.10 */
export function vma_is_accessible(vma: vm_area_struct): boolean {
	return (vmas.vm_flags[vma] & VM_ACCESS_FLAGS) !== 0;
}

/** @ported v5.10 */
export function put_page_testzero(page: page): boolean {
	VM_BUG_ON_PAGE(_refcount[page] === 0, page, 'loses a reference but has none');
	return --_refcount[page] === 0;
}

/** @ported v5.10 */
export function get_page_unless_zero(page: page): boolean {
	return page_ref_add_unless(page, 1, 0);
}

/** @ported v5.10 */
export function page_mapcount_reset(page: page): void {
	_mapcount[page] = -1;
}

/** @reduced compound pages are not modelled, see page_flags.ts */
export function page_mapcount(page: page): number {
	VM_BUG_ON_PAGE(PageCompound(page), page, 'is compound');
	return _mapcount[page] + 1;
}

/** @reduced compound pages are not modelled, see page_flags.ts */
export function total_mapcount(page: page): number {
	return page_mapcount(page);
}

/** @reduced compound pages are not modelled, see page_flags.ts */
export function page_trans_huge_mapcount(page: page, total_mapcount?: out<number>): number {
	const mapcount = page_mapcount(page);

	if (total_mapcount)
		total_mapcount.v = mapcount;
	return mapcount;
}

/** Bytes of a page. @ported v5.10 */
export function page_size(page: page): number {
	return PAGE_SIZE << compound_order(page);
}

/** @ported v5.10 */
export function maybe_mkwrite(pte: pte_t, vma: vm_area_struct): pte_t {
	if (vmas.vm_flags[vma] & VM_WRITE)
		pte = pte_mkwrite(pte);
	return pte;
}

/** Zone index of a page, ZONE_*. @ported v5.10 */
export function page_zonenum(page: page): number {
	return zone_node[page] & 15;
}

/** @ported v5.10 */
export function is_zone_device_page(page: page): boolean {
	return page_zonenum(page) === ZONE_DEVICE;
}

/** @ported v5.10 */
export function get_page(page: page): void {
	page = compound_head(page);
	VM_BUG_ON_PAGE(((_refcount[page] + 127) >>> 0) <= 127, page,
		'gets a reference but has none, or too many');
	_refcount[page]++;
}

/** @ported v5.10 */
export function try_get_page(page: page): boolean {
	page = compound_head(page);
	if (_refcount[page] <= 0)
		return false;
	_refcount[page]++;
	return true;
}

/** @reduced device-managed pages are not modelled */
export function put_page(page: page): void {
	page = compound_head(page);
	if (put_page_testzero(page))
		__put_page(page);
}

export const GUP_PIN_COUNTING_BIAS = 1 << 10;

/** @reduced compound pages, which count their pins apart, are not modelled */
export function page_maybe_dma_pinned(page: page): boolean {
	return (_refcount[compound_head(page)] >>> 0) >= GUP_PIN_COUNTING_BIAS;
}

/** Equal for two pages that may be buddies. @ported v5.10 */
export function page_zone_id(page: page): number {
	return zone_node[page];
}

/** @ported v5.10 */
export function page_to_nid(page: page): number {
	return zone_node[page] >>> 4;
}

/** @ported v5.10 */
export function page_zone(page: page): zone {
	const zone_id = zone_node[page];

	return (1 + (zone_id >>> 4) * MAX_NR_ZONES + (zone_id & 15)) as zone;
}

/** @ported v5.10 */
export function page_pgdat(page: page): pglist_data {
	return ((zone_node[page] >>> 4) + 1) as pglist_data;
}

/** @ported v5.10 */
export function set_page_zone(page: page, zone: number): void {
	zone_node[page] = (zone_node[page] & ~15) | zone;
}

/** @ported v5.10 */
export function set_page_node(page: page, node: number): void {
	zone_node[page] = (zone_node[page] & 15) | node << 4;
}

/** @ported v5.10 */
export function set_page_links(page: page, zone: number, node: number, _pfn: number): void {
	set_page_zone(page, zone);
	set_page_node(page, node);
}

/** @ported v5.10 */
export function page_memcg(page: page): mem_cgroup {
	return page_mem_cgroup[page];
}

/** @ported v5.10 */
export function page_memcg_rcu(page: page): mem_cgroup {
	return page_mem_cgroup[page];
}

/** @ported v5.10 */
export function page_private(page: page): number {
	return page_private_[page];
}

/** @ported v5.10 */
export function set_page_private(page: page, private_: number): void {
	page_private_[page] = private_;
}

/** @ported v5.10 */
export function page_file_mapping(page: page): address_space {
	if (PageSwapCache(page))
		return __page_file_mapping(page);
	return mapping_pointer(page);
}

/** Offset in the file, or in the swap device while in the swap cache; in pages. @ported v5.10 */
export function page_index(page: page): number {
	if (PageSwapCache(page))
		return __page_file_index(page);
	return index[page];
}

/** @ported v5.10 */
export function page_is_pfmemalloc(page: page): boolean {
	return index[page] === -1;
}

/** @ported v5.10 */
export function set_page_pfmemalloc(page: page): void {
	index[page] = -1;
}

/** @ported v5.10 */
export function clear_page_pfmemalloc(page: page): void {
	index[page] = 0;
}

/** Which pages zap_pte_range() may take; NULL_DETAILS in its place means all. */
export class zap_details {
	/** 0: pages of any mapping */
	check_mapping: address_space = NULL;
	/** First and last page->index, in pages. */
	first_index = 0;
	last_index = 0;
	/** 0, or the locked page that is to be unmapped */
	single_page: page = NULL;
}

/** @ported v5.10 */
export function cancel_dirty_page(page: page): void {
	if (PageDirty(page))
		__cancel_dirty_page(page);
}

/** Pages that mm has of a kind, MM_FILEPAGES and so on. @ported v5.10 */
export function get_mm_counter(mm: mm_struct, member: number): number {
	const val = rss_stat[mm * NR_MM_COUNTERS + member]!;

	return val < 0 ? 0 : val;
}

/** @reduced the rss_stat tracepoint is not recorded */
export function add_mm_counter(mm: mm_struct, member: number, value: number): void {
	rss_stat[mm * NR_MM_COUNTERS + member]! += value;
}

/** @reduced the rss_stat tracepoint is not recorded */
export function inc_mm_counter(mm: mm_struct, member: number): void {
	rss_stat[mm * NR_MM_COUNTERS + member]!++;
}

/** @reduced the rss_stat tracepoint is not recorded */
export function dec_mm_counter(mm: mm_struct, member: number): void {
	rss_stat[mm * NR_MM_COUNTERS + member]!--;
}

/** @ported v5.10 */
export function mm_counter_file(page: page): number {
	if (PageSwapBacked(page))
		return MM_SHMEMPAGES;
	return MM_FILEPAGES;
}

/** @ported v5.10 */
export function mm_counter(page: page): number {
	if (PageAnon(page))
		return MM_ANONPAGES;
	return mm_counter_file(page);
}

/** @ported v5.10 */
export function get_mm_rss(mm: mm_struct): number {
	return get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_ANONPAGES) +
		get_mm_counter(mm, MM_SHMEMPAGES);
}

/** @ported v5.10 */
export function get_mm_hiwater_rss(mm: mm_struct): number {
	return Math.max(mms.hiwater_rss[mm], get_mm_rss(mm));
}

/** @ported v5.10 */
export function get_mm_hiwater_vm(mm: mm_struct): number {
	return Math.max(mms.hiwater_vm[mm], mms.total_vm[mm]);
}

/** @ported v5.10 */
export function update_hiwater_rss(mm: mm_struct): void {
	const _rss = get_mm_rss(mm);

	if (mms.hiwater_rss[mm] < _rss)
		mms.hiwater_rss[mm] = _rss;
}

/** @ported v5.10 */
export function update_hiwater_vm(mm: mm_struct): void {
	if (mms.hiwater_vm[mm] < mms.total_vm[mm])
		mms.hiwater_vm[mm] = mms.total_vm[mm];
}

/** @ported v5.10 */
export function reset_mm_hiwater_rss(mm: mm_struct): void {
	mms.hiwater_rss[mm] = get_mm_rss(mm);
}

/** @ported v5.10 */
export function mm_inc_nr_puds(mm: mm_struct): void {
	mms.pgtables_bytes[mm] += PAGE_SIZE;
}

/** @ported v5.10 */
export function mm_dec_nr_puds(mm: mm_struct): void {
	mms.pgtables_bytes[mm] -= PAGE_SIZE;
}

/** @ported v5.10 */
export function mm_inc_nr_pmds(mm: mm_struct): void {
	mms.pgtables_bytes[mm] += PAGE_SIZE;
}

/** @ported v5.10 */
export function mm_dec_nr_pmds(mm: mm_struct): void {
	mms.pgtables_bytes[mm] -= PAGE_SIZE;
}

/** @ported v5.10 */
export function mm_pgtables_bytes_init(mm: mm_struct): void {
	mms.pgtables_bytes[mm] = 0;
}

/** @ported v5.10 */
export function mm_pgtables_bytes(mm: mm_struct): number {
	return mms.pgtables_bytes[mm];
}

/** @ported v5.10 */
export function mm_inc_nr_ptes(mm: mm_struct): void {
	mms.pgtables_bytes[mm] += PAGE_SIZE;
}

/** @ported v5.10 */
export function mm_dec_nr_ptes(mm: mm_struct): void {
	mms.pgtables_bytes[mm] -= PAGE_SIZE;
}

/** @reduced a page-table lock needs no room: one order of events stands for it */
export function pgtable_pte_page_ctor(page: page): boolean {
	__SetPageTable(page);
	inc_zone_page_state(page, NR_PAGETABLE);
	count_kmem_page();
	return true;
}

/** @reduced a page-table lock needs no room: one order of events stands for it */
export function pgtable_pte_page_dtor(page: page): void {
	__ClearPageTable(page);
	dec_zone_page_state(page, NR_PAGETABLE);
	count_kmem_page();
}

/** @reduced a page-table lock needs no room: one order of events stands for it */
export function pgtable_pmd_page_ctor(page: page): boolean {
	__SetPageTable(page);
	inc_zone_page_state(page, NR_PAGETABLE);
	count_kmem_page();
	return true;
}

/** @reduced a page-table lock needs no room: one order of events stands for it */
export function pgtable_pmd_page_dtor(page: page): void {
	__ClearPageTable(page);
	dec_zone_page_state(page, NR_PAGETABLE);
	count_kmem_page();
}

/** @ported v5.10 */
export function find_vma_intersection(
	mm: mm_struct, start_addr: number, end_addr: number,
): vm_area_struct {
	const vma = find_vma(mm, start_addr);

	if (vma && end_addr <= vmas.vm_start[vma])
		return NULL;
	return vma;
}

/** Lowest address that a mapping below the vma must leave free, in bytes. @ported v5.10 */
export function vm_start_gap(vma: vm_area_struct): number {
	let vm_start = vmas.vm_start[vma];

	if (vmas.vm_flags[vma] & VM_GROWSDOWN)
		vm_start = Math.max(0, vm_start - stack_guard_gap.v);
	return vm_start;
}

/** @reduced no stack grows up on x86 */
export function vm_end_gap(vma: vm_area_struct): number {
	return vmas.vm_end[vma];
}

/** Pages of address space that a vma covers. @ported v5.10 */
export function vma_pages(vma: vm_area_struct): number {
	return (vmas.vm_end[vma] - vmas.vm_start[vma]) / PAGE_SIZE;
}

/** @ported v5.10 */
export function find_exact_vma(
	mm: mm_struct, vm_start: number, vm_end: number,
): vm_area_struct {
	const vma = find_vma(mm, vm_start);

	if (vma && (vmas.vm_start[vma] !== vm_start || vmas.vm_end[vma] !== vm_end))
		return NULL;
	return vma;
}

/** @ported v5.10 */
export function range_in_vma(vma: vm_area_struct, start: number, end: number): boolean {
	return vma !== NULL && vmas.vm_start[vma] <= start && end <= vmas.vm_end[vma];
}

/* mm/util.c */

/** page->mapping without its bits: a row of anon_vmas or address_spaces. @ported v5.10 */
export function page_rmapping(page: page): number {
	return mapping[compound_head(page)] >>> PAGE_MAPPING_SHIFT;
}

/** @reduced compound pages are not modelled, see page_flags.ts */
export function page_mapped(page: page): boolean {
	return _mapcount[page] >= 0;
}

/** The anon_vma of an anonymous page; NULL for others. @ported v5.10 */
export function page_anon_vma(page: page): anon_vma {
	page = compound_head(page);
	if ((mapping[page] & PAGE_MAPPING_FLAGS) !== PAGE_MAPPING_ANON)
		return NULL;
	return anon_vma_pointer(page);
}

/**
 * The mapping of a page: its file, the swap cache while it is in there; NULL for other anonymous
 * pages. @ported v5.10
 */
export function page_mapping(page: page): address_space {
	page = compound_head(page);
	if (PageSlab(page))
		return NULL;
	if (PageSwapCache(page))
		return swap_address_space(page_private(page));
	if (mapping[page] & PAGE_MAPPING_ANON)
		return NULL;
	return mapping_pointer(page);
}

/** page_mapping() of pages that have a file; NULL in the swap cache. @ported v5.10 */
export function page_mapping_file(page: page): address_space {
	if (PageSwapCache(page))
		return NULL;
	return page_mapping(page);
}
