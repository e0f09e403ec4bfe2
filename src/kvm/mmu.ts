// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/kvm/mmu/mmu.c, v5.10, the MMU with rmap
 * Left out: the TDP MMU (off by default); large pages, since no page is compound; guests within
 *	guests, 32-bit paging of guests, SMM; memory encryption; async page faults; hwpoison; the
 *	shrinker; roots of earlier CR3 values. The guests here keep one CR3.
 * Lock order modelled: slots_lock > srcu > mmu_lock. mmu_lock is asserted, never waited for.
 *
 * A mapped SPTE holds no reference to its page: mmu notifiers see to it that it is gone before the
 * page is. sptep is the index in `ram` of an entry's low word; its page's kvm_mmu_page is in
 * page->private.
 */
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { X86_CR0_PG, entry_reserved } from '../arch/mmu.ts';
import { NESTED_EPT, NESTED_EPT_AD, ept_misconfigured, guest_cpus } from '../arch/nested.ts';
import { BUG, BUG_ON, VM_BUG_ON, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { applied, KVM_CONSIDER_THE_HVA_IN_MMU_NOTIFIER_RETRY,
	KVM_DONT_MARK_STRUCT_PAGE_ACCESSED_WHEN_ZAPPING,
	KVM_DONT_SET_ACCESSED_DIRTY_BITS_FOR_ZERO_PAGE, KVM_ENABLE_TDP_MMU_BY_DEFAULT,
	KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE,
	KVM_PUT_DIRECT_PREFETCHED_PAGES_VIA_RELEASE_PAGE_CLEAN } from '../lib/commits.ts';
import { EFAULT, EINVAL, EIO, ENOMEM, ENOSPC } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add, list_del, list_empty, list_move } from '../lib/list.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import { kmem_cache_free, kmem_cache_zalloc, list_heads, type list_head, type out }
	from '../lib/struct.ts';
import { pte_pfn, pte_write } from '../arch/pgtable.ts';
import { PFN_HI_MASK } from '../arch/pgtable_types.ts';
import { __GFP_ZERO, GFP_KERNEL_ACCOUNT } from '../mm/gfp.ts';
import { put_page } from '../mm/mm.ts';
import { pages, type page, type pte_t } from '../mm/mm_types.ts';
import { alloc_page, __free_page, pfn_valid } from '../mm/page_alloc.ts';
import { PageReserved, SetPageDirty } from '../mm/page_flags.ts';
import { mark_page_accessed } from '../mm/swap.ts';
import { __gfn_to_hva_memslot, INVALID_PAGE, KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE,
	KVM_MAX_HUGEPAGE_LEVEL, KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS, KVM_MEMSLOT_INVALID,
	KVM_MIN_ALLOC_MMU_PAGES, KVM_MIN_FREE_MMU_PAGES, KVM_NUM_MMU_PAGES, KVM_PERMILLE_MMU_PAGES,
	KVM_PAGES_PER_HPAGE, KVM_PFN_ERR_FAULT, KVM_PFN_ERR_RO_FAULT, KVM_REFILL_PAGES,
	KVM_REQ_MMU_SYNC, KVM_REQ_TLB_FLUSH_CURRENT, KVM_REQ_TRIPLE_FAULT, PG_LEVEL_2M,
	PG_LEVEL_4K, PT32E_ROOT_LEVEL, PT64_ROOT_4LEVEL, PTE_LIST_EXT, ROLE_ACCESS,
	ROLE_ACCESS_SHIFT, ROLE_AD_DISABLED, ROLE_CR0_WP, ROLE_DIRECT, ROLE_GPTE_IS_8_BYTES,
	ROLE_INVALID, ROLE_LEVEL, ROLE_NXE, gfn_to_index, hva_to_gfn_memslot, is_error_pfn,
	is_noslot_pfn, kvm_make_request, kvm_memory_slots, kvm_mmu_pages, kvm_shadow_walk_iterator,
	kvm_vcpus, kvm_words, kvms, is_page_fault_stale, memslot_at, mmu_lock, mmu_unlock,
	pte_list_descs, search_memslots, type gfn_t, type kvm, type kvm_memory_slot,
	type kvm_mmu_page, type kvm_pfn_t, type kvm_rmap_head, type kvm_vcpu, type pte_list_desc,
	type sptep } from './kvm_host.ts';
import { __gfn_to_pfn_memslot, gfn_to_pfn_memslot_atomic, gfn_to_page_many_atomic,
	kvm_flush_remote_tlbs, kvm_is_reserved_pfn, kvm_is_visible_memslot,
	kvm_release_faultin_page, kvm_release_pfn_clean, kvm_reload_remote_mmus,
	kvm_vcpu_mark_page_dirty } from './kvm_main.ts';
import { kvm_page_track_is_active, kvm_slot_page_track_add_page,
	kvm_slot_page_track_remove_page } from './page_track.ts';
import { paging64_page_fault, paging64_sync_page } from './paging_tmpl.ts';
import { ACC_ALL, ACC_WRITE_MASK, MMIO_SPTE_GEN_MASK, PT64_BASE_ADDR_MASK, PT_PRESENT_MASK,
	PT_WRITABLE_MASK, SET_SPTE_NEED_REMOTE_TLB_FLUSH, SET_SPTE_SPURIOUS,
	SET_SPTE_WRITE_PROTECTED_PT, SHADOW_ACC_TRACK_SAVED_BITS_MASK,
	SHADOW_ACC_TRACK_SAVED_BITS_SHIFT, SPTE_MMU_WRITEABLE, get_mmio_spte_generation,
	is_access_track_spte, is_accessed_spte, is_dirty_spte, is_executable_pte, is_large_pte,
	is_last_spte, is_mmio_spte, is_shadow_present_pte, is_writable_pte,
	kvm_mmu_changed_pte_notifier_make_spte, make_mmio_spte, make_nonleaf_spte, make_spte,
	make_spte_ret, mark_spte_for_access_track, shadow_acc_track_mask, shadow_accessed_mask,
	shadow_dirty_mask, shadow_mmio_access_mask, shadow_nx_mask, shadow_user_mask,
	shadow_x_mask, sp_ad_disabled, spte_ad_enabled, spte_can_locklessly_be_made_writable,
	spte_hi, spte_to_pfn, tdp_enabled } from './spte.ts';
import { trace_fast_page_fault, trace_handle_mmio_page_fault, trace_kvm_age_page,
	trace_kvm_mmu_set_spte, trace_kvm_mmu_zap_all_fast, trace_mark_mmio_spte }
	from './trace_kvm.ts';
import { kvm_x86_tlb_flush_current, kvm_x86_load_mmu_pgd,
	x86_emulate_instruction, vcpu_cache_mmio_info, vcpu_clear_mmio_info, vcpu_match_mmio_gpa,
	vcpu_match_mmio_gva } from './x86.ts';

export const PFERR_PRESENT_MASK = 1, PFERR_WRITE_MASK = 2, PFERR_USER_MASK = 4,
	PFERR_RSVD_MASK = 8, PFERR_FETCH_MASK = 16;

/* enum of mmu_internal.h */
export const RET_PF_RETRY = 0, RET_PF_EMULATE = 1, RET_PF_INVALID = 2, RET_PF_FIXED = 3,
	RET_PF_SPURIOUS = 4;

export const PTE_PREFETCH_NUM = 8;
const PT64_ENT_PER_PAGE = 512, PT64_ROOT_MAX_LEVEL = 5;
const RMAP_RECYCLE_THRESHOLD = 1000;

const POINT_SEQ = point('direct_page_fault.mmu_seq');
const POINT_PFN = point('direct_page_fault.pfn');
const POINT_FAST = point('fast_page_fault.cmpxchg');

const { role: sp_role, gfn: sp_gfn, spt, gfns: sp_gfns, link, hash_next, root_count, unsync,
	unsync_children, unsync_child_bitmap, mmu_valid_gen: sp_valid_gen, kvm: sp_kvm,
	write_flooding_count } = kvm_mmu_pages;
const { sptes, more } = pte_list_descs;
const { next: list_next, prev: list_prev } = list_heads;
const { base_gfn, npages, userspace_addr, flags: slot_flags } = kvm_memory_slots;
const { kvm: vcpu_kvm } = kvm_vcpus;
const private_ = pages.private;

/** The level of an entry's table: 1 the lowest. @custom sp->role.level */
export const sp_level = (sp: kvm_mmu_page): number => sp_role[sp] & ROLE_LEVEL;
/** Index of the first entry of a page. @custom sp->spt by its page */
export const spt_of = (sp: kvm_mmu_page): sptep => spt[sp] << FRAME_WORDS_SHIFT;

/** @ported v5.10 arch/x86/kvm/mmu/mmu_internal.h; of the page of an entry by value */
export function to_shadow_page(lo: number): kvm_mmu_page {
	return private_[lo >>> 12 as page] as kvm_mmu_page;
}

/** @ported v5.10 arch/x86/kvm/mmu/mmu_internal.h */
export function sptep_to_sp(sptep: sptep): kvm_mmu_page {
	return private_[sptep >>> FRAME_WORDS_SHIFT as page] as kvm_mmu_page;
}

/** Which entry of its page. @custom sptep - sp->spt */
export function spte_index(sptep: sptep): number {
	return sptep >>> 1 & PT64_ENT_PER_PAGE - 1;
}

/** Without Hyper-V, a flush of a range is one of everything. @ported v5.10 */
export function kvm_flush_remote_tlbs_with_address(
	kvm: kvm, _start_gfn: gfn_t, _pages: number,
): void {
	kvm_flush_remote_tlbs(kvm);
}

/** @ported v5.10 static */
function mark_mmio_spte(vcpu: kvm_vcpu, sptep: sptep, gfn: gfn_t, access: number): void {
	const lo = make_mmio_spte(vcpu, gfn, access), hi = spte_hi.v;

	trace_mark_mmio_spte(sptep, gfn, lo, hi);
	mmu_spte_set(sptep, lo, hi);
}

/** @ported v5.10 static */
function get_mmio_spte_gfn(lo: number): gfn_t {
	return lo >>> 12;
}

/** @ported v5.10 static */
function get_mmio_spte_access(lo: number): number {
	return lo & shadow_mmio_access_mask.v;
}

/** @ported v5.10 static */
function set_mmio_spte(
	vcpu: kvm_vcpu, sptep: sptep, gfn: gfn_t, pfn: kvm_pfn_t, access: number,
): boolean {
	if (is_noslot_pfn(pfn)) {
		mark_mmio_spte(vcpu, sptep, gfn, access);
		return true;
	}
	return false;
}

/** @ported v5.10 static */
function check_mmio_spte(vcpu: kvm_vcpu, lo: number, hi: number): boolean {
	const gen = kvms.generation[vcpu_kvm[vcpu]];

	if (gen >= KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS)
		return false;
	return gen % (MMIO_SPTE_GEN_MASK + 1) === get_mmio_spte_generation(lo, hi);
}

/** @ported v5.10 static */
function __set_spte(sptep: sptep, lo: number, hi: number): void {
	ram[sptep] = lo;
	ram[sptep + 1] = hi;
}

/** Whether an entry can change without mmu_lock. @ported v5.10 static */
export function spte_has_volatile_bits(lo: number, hi: number): boolean {
	if (!is_shadow_present_pte(lo, hi))
		return false;
	if (spte_can_locklessly_be_made_writable(lo) || is_access_track_spte(lo, hi))
		return true;
	if (spte_ad_enabled(hi)) {
		if ((lo & shadow_accessed_mask.v) === 0 ||
		    (is_writable_pte(lo) && (lo & shadow_dirty_mask.v) === 0))
			return true;
	}
	return false;
}

/** From not present to present. @ported v5.10 static */
function mmu_spte_set(sptep: sptep, lo: number, hi: number): void {
	WARN_ON_ONCE(is_shadow_present_pte(ram[sptep]!, ram[sptep + 1]!),
		'an SPTE is set that is present');
	__set_spte(sptep, lo, hi);
}

/* The entry that mmu_spte_update_no_track() replaced. */
const old_spte = { lo: 0, hi: 0 };

/**
 * Update an entry but for its pfn; what it was is left in old_spte.
 * @ported v5.10 static; one order of events makes the fast and the slow way one
 */
function mmu_spte_update_no_track(sptep: sptep, lo: number, hi: number): void {
	const old_lo = ram[sptep]!, old_hi = ram[sptep + 1]!;

	old_spte.lo = old_lo;
	old_spte.hi = old_hi;
	WARN_ON_ONCE(!is_shadow_present_pte(lo, hi), 'an SPTE is updated to one not present');
	if (!is_shadow_present_pte(old_lo, old_hi)) {
		mmu_spte_set(sptep, lo, hi);
		return;
	}
	__set_spte(sptep, lo, hi);
	WARN_ON_ONCE(spte_to_pfn(old_lo) !== spte_to_pfn(lo),
		'an update of an SPTE changes its pfn');
}

/** True if TLBs must be flushed. @ported v5.10 static */
function mmu_spte_update(sptep: sptep, lo: number, hi: number): boolean {
	let flush = false;

	mmu_spte_update_no_track(sptep, lo, hi);
	const { lo: old_lo, hi: old_hi } = old_spte;
	if (!is_shadow_present_pte(old_lo, old_hi))
		return false;

	if (spte_can_locklessly_be_made_writable(old_lo) && !is_writable_pte(lo))
		flush = true;
	if (is_accessed_spte(old_lo, old_hi) && !is_accessed_spte(lo, hi)) {
		flush = true;
		spte_was_accessed(spte_to_pfn(old_lo));
	}
	if (is_dirty_spte(old_lo, old_hi) && !is_dirty_spte(lo, hi)) {
		flush = true;
		spte_was_dirty(spte_to_pfn(old_lo));
	}
	return flush;
}

/** @reduced no device memory; since a1040b0d42ac the zero page is not marked */
function kvm_is_ad_tracked_pfn(pfn: kvm_pfn_t): boolean {
	if (!applied(KVM_DONT_SET_ACCESSED_DIRTY_BITS_FOR_ZERO_PAGE /* a1040b0d42ac, v6.0 */))
		return !kvm_is_reserved_pfn(pfn);
	return pfn_valid(pfn) && !PageReserved(pfn as page);
}

/** @ported v5.10 virt/kvm/kvm_main.c */
export function kvm_set_pfn_dirty(pfn: kvm_pfn_t): void {
	if (kvm_is_ad_tracked_pfn(pfn))
		SetPageDirty(pfn as page);
}

/** @ported v5.10 virt/kvm/kvm_main.c */
export function kvm_set_pfn_accessed(pfn: kvm_pfn_t): void {
	if (kvm_is_ad_tracked_pfn(pfn))
		mark_page_accessed(pfn as page);
}

/** What a guest did through an entry that goes, or loses its accessed bit. @custom */
function spte_was_accessed(pfn: kvm_pfn_t): void {
	if (!applied(KVM_DONT_MARK_STRUCT_PAGE_ACCESSED_WHEN_ZAPPING /* 66bc627e7fee, v6.13 */))
		kvm_set_pfn_accessed(pfn);
}

/** The same of its dirty bit, which since aa85986e7150 the fault has seen to. @custom */
function spte_was_dirty(pfn: kvm_pfn_t): void {
	if (!applied(KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE /* aa85986e7150, v6.13 */))
		kvm_set_pfn_dirty(pfn);
}

/**
 * From present to not present, of a leaf; what the guest did goes into the page. True if it was
 * present.
 * @ported v5.10 static
 */
function mmu_spte_clear_track_bits(sptep: sptep): boolean {
	const lo = ram[sptep]!, hi = ram[sptep + 1]!;

	__set_spte(sptep, 0, 0);
	if (!is_shadow_present_pte(lo, hi))
		return false;

	const pfn = spte_to_pfn(lo);
	WARN_ON_ONCE(!kvm_is_reserved_pfn(pfn) && pages._refcount[pfn as page] === 0,
		`an SPTE maps page ${pfn}, which is free`);
	if (is_accessed_spte(lo, hi))
		spte_was_accessed(pfn);
	if (is_dirty_spte(lo, hi))
		spte_was_dirty(pfn);
	return true;
}

/** Of upper levels. @ported v5.10 static */
function mmu_spte_clear_no_track(sptep: sptep): void {
	__set_spte(sptep, 0, 0);
}

/** The low word; the high one is left in spte_hi. @ported v5.10 static */
function restore_acc_track_spte(lo: number, hi: number): number {
	const saved_bits = hi >>> SHADOW_ACC_TRACK_SAVED_BITS_SHIFT &
		SHADOW_ACC_TRACK_SAVED_BITS_MASK;

	WARN_ON_ONCE(spte_ad_enabled(hi), 'an SPTE with A/D bits has saved bits');
	WARN_ON_ONCE(!is_access_track_spte(lo, hi), 'an SPTE that is not tracked is restored');
	spte_hi.v = hi & ~(SHADOW_ACC_TRACK_SAVED_BITS_MASK << SHADOW_ACC_TRACK_SAVED_BITS_SHIFT);
	return lo & ~shadow_acc_track_mask.v | saved_bits;
}

/** Whether the guest has used the page; no longer afterwards. @ported v5.10 static */
function mmu_spte_age(sptep: sptep): boolean {
	const lo = ram[sptep]!, hi = ram[sptep + 1]!;

	if (!is_accessed_spte(lo, hi))
		return false;
	if (spte_ad_enabled(hi)) {
		ram[sptep] = lo & ~shadow_accessed_mask.v;
	} else {
		/* That it is dirty would be lost with the write permission. */
		if (is_writable_pte(lo))
			spte_was_dirty(spte_to_pfn(lo));
		const tracked = mark_spte_for_access_track(lo, hi);
		mmu_spte_update_no_track(sptep, tracked, spte_hi.v);
	}
	return true;
}

/** @ported v5.10 virt/kvm/kvm_main.c:kvm_mmu_topup_memory_cache(), of pages */
function topup_pages(
	vcpu: kvm_vcpu, objects: { [index: number]: number }, nobjs: number, min: number,
): number {
	const at = vcpu * KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE;

	if (nobjs >= min)
		return nobjs;
	while (nobjs < KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE) {
		const page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
		if (!page)
			break;
		objects[at + nobjs++] = page;
	}
	return nobjs;
}

/** @reduced virt/kvm/kvm_main.c: of rows, which are never short before pages are */
function topup_rows(nobjs: number, min: number): number {
	return nobjs >= min ? nobjs : KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE;
}

/** 0 or -ENOMEM. @ported v5.10 static */
export function mmu_topup_memory_caches(vcpu: kvm_vcpu, maybe_indirect: boolean): number {
	const { mmu_pte_list_desc_cache, mmu_page_header_cache, nr_shadow_page_cache,
		nr_gfn_array_cache, mmu_shadow_page_cache, mmu_gfn_array_cache } = kvm_vcpus;

	/* 1 rmap, 1 parent entry a level, and the rmaps of what is prefetched */
	mmu_pte_list_desc_cache[vcpu] = topup_rows(mmu_pte_list_desc_cache[vcpu],
		1 + PT64_ROOT_MAX_LEVEL + PTE_PREFETCH_NUM);
	nr_shadow_page_cache[vcpu] = topup_pages(vcpu, mmu_shadow_page_cache,
		nr_shadow_page_cache[vcpu], PT64_ROOT_MAX_LEVEL);
	if (nr_shadow_page_cache[vcpu] < PT64_ROOT_MAX_LEVEL)
		return -ENOMEM;
	if (maybe_indirect) {
		nr_gfn_array_cache[vcpu] = topup_pages(vcpu, mmu_gfn_array_cache,
			nr_gfn_array_cache[vcpu], PT64_ROOT_MAX_LEVEL);
		if (nr_gfn_array_cache[vcpu] < PT64_ROOT_MAX_LEVEL)
			return -ENOMEM;
	}
	mmu_page_header_cache[vcpu] = topup_rows(mmu_page_header_cache[vcpu], PT64_ROOT_MAX_LEVEL);
	return 0;
}

/** @ported v5.10 static */
function mmu_free_memory_caches(vcpu: kvm_vcpu): void {
	const { nr_shadow_page_cache, nr_gfn_array_cache, mmu_shadow_page_cache,
		mmu_gfn_array_cache } = kvm_vcpus;
	const at = vcpu * KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE;

	kvm_vcpus.mmu_pte_list_desc_cache[vcpu] = 0;
	while (nr_shadow_page_cache[vcpu])
		__free_page(mmu_shadow_page_cache[at + --nr_shadow_page_cache[vcpu]]! as page);
	while (nr_gfn_array_cache[vcpu])
		__free_page(mmu_gfn_array_cache[at + --nr_gfn_array_cache[vcpu]]! as page);
	kvm_vcpus.mmu_page_header_cache[vcpu] = 0;
}

/** @ported v5.10 static */
function mmu_alloc_pte_list_desc(vcpu: kvm_vcpu): pte_list_desc {
	BUG_ON(kvm_vcpus.mmu_pte_list_desc_cache[vcpu] <= 0, 'the cache of list entries is empty');
	kvm_vcpus.mmu_pte_list_desc_cache[vcpu]--;
	const desc = kmem_cache_zalloc(pte_list_descs);
	BUG_ON(!desc, 'no pte_list_desc left');
	return desc;
}

/** @ported v5.10 static */
function mmu_free_pte_list_desc(pte_list_desc: pte_list_desc): void {
	kmem_cache_free(pte_list_descs, pte_list_desc);
}

/** @ported v5.10 static; two words a gfn in the page of gfns */
export function kvm_mmu_page_get_gfn(sp: kvm_mmu_page, index: number): gfn_t {
	if (!(sp_role[sp] & ROLE_DIRECT)) {
		const at = (sp_gfns[sp] << FRAME_WORDS_SHIFT) + 2 * index;

		return (ram[at]! >>> 0) + ram[at + 1]! * 2 ** 32;
	}
	return sp_gfn[sp] + index * KVM_PAGES_PER_HPAGE(sp_level(sp));
}

/** @ported v5.10 static */
function kvm_mmu_page_set_gfn(sp: kvm_mmu_page, index: number, gfn: gfn_t): void {
	if (!(sp_role[sp] & ROLE_DIRECT)) {
		const at = (sp_gfns[sp] << FRAME_WORDS_SHIFT) + 2 * index;

		ram[at] = gfn | 0;
		ram[at + 1] = Math.floor(gfn / 2 ** 32);
		return;
	}
	WARN_ON_ONCE(gfn !== kvm_mmu_page_get_gfn(sp, index), 'gfn mismatch under a direct page');
}

/** @reduced large pages are never made, so what forbids them is not counted */
function account_shadowed(kvm: kvm, sp: kvm_mmu_page): void {
	const gfn = sp_gfn[sp];

	kvms.indirect_shadow_pages[kvm]++;
	const slot = search_memslots(kvm, gfn);
	/* Pages above the lowest level stay read-only for the guest. */
	if (sp_level(sp) > PG_LEVEL_4K)
		kvm_slot_page_track_add_page(kvm, slot, gfn);
}

/** @reduced what forbids large pages, as in account_shadowed() */
function unaccount_shadowed(kvm: kvm, sp: kvm_mmu_page): void {
	const gfn = sp_gfn[sp];

	kvms.indirect_shadow_pages[kvm]--;
	const slot = search_memslots(kvm, gfn);
	if (sp_level(sp) > PG_LEVEL_4K)
		kvm_slot_page_track_remove_page(kvm, slot, gfn);
}

/** 0 for none. @ported v5.10 static */
function gfn_to_memslot_dirty_bitmap(
	vcpu: kvm_vcpu, gfn: gfn_t, no_dirty_log: boolean,
): kvm_memory_slot {
	const slot = search_memslots(vcpu_kvm[vcpu], gfn);

	if (!slot || slot_flags[slot] & KVM_MEMSLOT_INVALID)
		return 0 as kvm_memory_slot;
	if (no_dirty_log && kvm_memory_slots.dirty_bitmap[slot])
		return 0 as kvm_memory_slot;
	return slot;
}

/** How many there were, but for the first. @ported v5.10 static */
function pte_list_add(vcpu: kvm_vcpu, spte: sptep, rmap_head: kvm_rmap_head): number {
	const val = kvm_words[rmap_head]!;
	let count = 0;

	if (!val) {
		kvm_words[rmap_head] = spte;
	} else if (!(val & 1)) {
		const desc = mmu_alloc_pte_list_desc(vcpu);

		sptes[desc * PTE_LIST_EXT] = val;
		sptes[desc * PTE_LIST_EXT + 1] = spte;
		kvm_words[rmap_head] = desc << 1 | 1;
		count++;
	} else {
		let desc = val >>> 1 as pte_list_desc;

		while (sptes[desc * PTE_LIST_EXT + PTE_LIST_EXT - 1]) {
			count += PTE_LIST_EXT;
			if (!more[desc]) {
				more[desc] = mmu_alloc_pte_list_desc(vcpu);
				desc = more[desc];
				break;
			}
			desc = more[desc];
		}
		let i = 0;
		for (; sptes[desc * PTE_LIST_EXT + i]; i++)
			count++;
		sptes[desc * PTE_LIST_EXT + i] = spte;
	}
	return count;
}

/** @ported v5.10 static */
function pte_list_desc_remove_entry(
	rmap_head: kvm_rmap_head, desc: pte_list_desc, i: number, prev_desc: pte_list_desc,
): void {
	const at = desc * PTE_LIST_EXT;
	let j = PTE_LIST_EXT - 1;

	while (!sptes[at + j] && j > i)
		j--;
	sptes[at + i] = sptes[at + j]!;
	sptes[at + j] = 0;
	if (j !== 0)
		return;
	if (!prev_desc && !more[desc])
		kvm_words[rmap_head] = 0;
	else if (prev_desc)
		more[prev_desc] = more[desc];
	else
		kvm_words[rmap_head] = more[desc] << 1 | 1;
	mmu_free_pte_list_desc(desc);
}

/** @ported v5.10 static */
function __pte_list_remove(spte: sptep, rmap_head: kvm_rmap_head): void {
	const val = kvm_words[rmap_head]!;

	if (!(val & 1)) {
		BUG_ON(val !== spte, 'an SPTE is taken from a list that has it not');
		kvm_words[rmap_head] = 0;
		return;
	}
	let prev_desc = 0 as pte_list_desc;
	for (let desc = val >>> 1 as pte_list_desc; desc; prev_desc = desc, desc = more[desc]) {
		for (let i = 0; i < PTE_LIST_EXT && sptes[desc * PTE_LIST_EXT + i]; i++) {
			if (sptes[desc * PTE_LIST_EXT + i] === spte) {
				pte_list_desc_remove_entry(rmap_head, desc, i, prev_desc);
				return;
			}
		}
	}
	BUG('an SPTE is taken from a list that has it not');
}

/** @ported v5.10 static */
function pte_list_remove(rmap_head: kvm_rmap_head, sptep: sptep): void {
	mmu_spte_clear_track_bits(sptep);
	__pte_list_remove(sptep, rmap_head);
}

/** @ported v5.10 static */
export function __gfn_to_rmap(gfn: gfn_t, level: number, slot: kvm_memory_slot): kvm_rmap_head {
	const rmap = level === PG_LEVEL_4K ? kvm_memory_slots.rmap_4k[slot]
		: level === PG_LEVEL_2M ? kvm_memory_slots.rmap_2m[slot]
		: kvm_memory_slots.rmap_1g[slot];

	return rmap + gfn_to_index(gfn, base_gfn[slot], level);
}

/** @ported v5.10 static */
function gfn_to_rmap(kvm: kvm, gfn: gfn_t, sp: kvm_mmu_page): kvm_rmap_head {
	return __gfn_to_rmap(gfn, sp_level(sp), search_memslots(kvm, gfn));
}

/** @ported v5.10 static */
function rmap_add(vcpu: kvm_vcpu, spte: sptep, gfn: gfn_t): number {
	const sp = sptep_to_sp(spte);

	kvm_mmu_page_set_gfn(sp, spte_index(spte), gfn);
	return pte_list_add(vcpu, spte, gfn_to_rmap(vcpu_kvm[vcpu], gfn, sp));
}

/** @ported v5.10 static */
function rmap_remove(kvm: kvm, spte: sptep): void {
	const sp = sptep_to_sp(spte);
	const gfn = kvm_mmu_page_get_gfn(sp, spte_index(spte));

	__pte_list_remove(spte, gfn_to_rmap(kvm, gfn, sp));
}

/**
 * The first SPTE of a list, 0 for none.
 * @ported v5.10 static; the iterator is the SPTE itself
 */
export function rmap_get_first(rmap_head: kvm_rmap_head): sptep {
	const val = kvm_words[rmap_head]!;
	const sptep = val & 1 ? sptes[(val >>> 1) * PTE_LIST_EXT]! : val;

	BUG_ON(sptep !== 0 && !is_shadow_present_pte(ram[sptep]!, ram[sptep + 1]!),
		'a list has an SPTE that is not present');
	return sptep;
}

/*
 * An iteration over a list:
 *	for (let at = rmap_begin(head), sptep; (sptep = rmap_at(head, at)) !== 0;
 *		at = rmap_next(at))
 * Its place is an index of `sptes`, -1 where the list is an SPTE alone, 0 behind its end. Nothing
 * may be taken from the list meanwhile.
 */
/** @custom the iterator of rmap_get_first() */
export function rmap_begin(rmap_head: kvm_rmap_head): number {
	const val = kvm_words[rmap_head]!;

	return val & 1 ? (val >>> 1) * PTE_LIST_EXT : -1;
}

/** @custom what rmap_get_first() and rmap_get_next() return: 0 behind the last */
export function rmap_at(rmap_head: kvm_rmap_head, at: number): sptep {
	return at < 0 ? kvm_words[rmap_head]! : sptes[at]!;
}

/** @custom the iterator after rmap_get_next() */
export function rmap_next(at: number): number {
	if (at < 0)
		return 0;
	if ((at + 1) % PTE_LIST_EXT !== 0)
		return at + 1;
	return more[(at + 1) / PTE_LIST_EXT - 1 as pte_list_desc] * PTE_LIST_EXT;
}

/** @ported v5.10 static */
export function drop_spte(kvm: kvm, sptep: sptep): void {
	if (mmu_spte_clear_track_bits(sptep))
		rmap_remove(kvm, sptep);
}

/** True if TLBs must be flushed. @ported v5.10 static */
function spte_write_protect(sptep: sptep, pt_protect: boolean): boolean {
	let lo = ram[sptep]!;

	if (!is_writable_pte(lo) && !(pt_protect && spte_can_locklessly_be_made_writable(lo)))
		return false;
	if (pt_protect)
		lo &= ~SPTE_MMU_WRITEABLE;
	lo &= ~PT_WRITABLE_MASK;
	return mmu_spte_update(sptep, lo, ram[sptep + 1]!);
}

/** @ported v5.10 static */
function __rmap_write_protect(rmap_head: kvm_rmap_head, pt_protect: boolean): boolean {
	let flush = false;

	for (let at = rmap_begin(rmap_head), sptep; (sptep = rmap_at(rmap_head, at)) !== 0;
		at = rmap_next(at))
		flush = spte_write_protect(sptep, pt_protect) || flush;
	return flush;
}

/**
 * Write-protect the pages of a word of a dirty bitmap.
 * @param mask 32 pages, from gfn_offset of the slot on
 * @ported v5.10 static; 32 where the kernel has 64
 */
function kvm_mmu_write_protect_pt_masked(
	slot: kvm_memory_slot, gfn_offset: gfn_t, mask: number,
): void {
	for (let i = 0; mask; i++, mask >>>= 1) {
		if (mask & 1)
			__rmap_write_protect(__gfn_to_rmap(base_gfn[slot] + gfn_offset + i,
				PG_LEVEL_4K, slot), false);
	}
}

/** No page-modification log: by write protection. @ported v5.10 */
export function kvm_arch_mmu_enable_log_dirty_pt_masked(
	_kvm: kvm, slot: kvm_memory_slot, gfn_offset: gfn_t, mask: number,
): void {
	kvm_mmu_write_protect_pt_masked(slot, gfn_offset, mask);
}

/** @ported v5.10 */
export function kvm_mmu_slot_gfn_write_protect(
	_kvm: kvm, slot: kvm_memory_slot, gfn: gfn_t,
): boolean {
	let write_protected = false;

	for (let i = PG_LEVEL_4K; i <= KVM_MAX_HUGEPAGE_LEVEL; i++)
		write_protected = __rmap_write_protect(__gfn_to_rmap(gfn, i, slot), true) ||
			write_protected;
	return write_protected;
}

/** @ported v5.10 static */
function rmap_write_protect(vcpu: kvm_vcpu, gfn: gfn_t): boolean {
	const slot = search_memslots(vcpu_kvm[vcpu], gfn);

	return kvm_mmu_slot_gfn_write_protect(vcpu_kvm[vcpu], slot, gfn);
}

/** @ported v5.10 static */
function kvm_zap_rmapp(_kvm: kvm, rmap_head: kvm_rmap_head): number {
	let flush = 0;

	for (let sptep; (sptep = rmap_get_first(rmap_head)) !== 0;) {
		pte_list_remove(rmap_head, sptep);
		flush = 1;
	}
	return flush;
}

/** @ported v5.10 static */
function kvm_unmap_rmapp(kvm: kvm, rmap_head: kvm_rmap_head): number {
	return kvm_zap_rmapp(kvm, rmap_head);
}

/** @ported v5.10 static; data is the new entry's low word */
function kvm_set_pte_rmapp(
	_kvm: kvm, rmap_head: kvm_rmap_head, _slot: kvm_memory_slot, _gfn: gfn_t, _level: number,
	data: number,
): number {
	let need_flush = 0;
	const new_pfn = pte_pfn(data);

	for (let at = rmap_begin(rmap_head), sptep; (sptep = rmap_at(rmap_head, at)) !== 0;) {
		need_flush = 1;
		if (pte_write(data)) {
			pte_list_remove(rmap_head, sptep);
			at = rmap_begin(rmap_head);
			continue;
		}
		const lo = kvm_mmu_changed_pte_notifier_make_spte(
			ram[sptep]!, ram[sptep + 1]!, new_pfn), hi = spte_hi.v;
		mmu_spte_clear_track_bits(sptep);
		mmu_spte_set(sptep, lo, hi);
		at = rmap_next(at);
	}
	return need_flush;
}

type hva_handler = (kvm: kvm, rmap_head: kvm_rmap_head, slot: kvm_memory_slot, gfn: gfn_t,
	level: number, data: number) => number;

/** The OR of what the handler says, for each list of the range. @ported v5.10 static */
function kvm_handle_hva_range(
	kvm: kvm, start: number, end: number, data: number, handler: hva_handler,
): number {
	let ret = 0;

	for (let i = 0; i < kvms.used_slots[kvm]; i++) {
		const memslot = memslot_at(kvm, i);
		const hva_start = Math.max(start, userspace_addr[memslot]);
		const hva_end = Math.min(end, userspace_addr[memslot] + npages[memslot] * 4096);

		if (hva_start >= hva_end)
			continue;
		/* Every page that the range touches. */
		const gfn_start = hva_to_gfn_memslot(hva_start, memslot);
		const gfn_end = hva_to_gfn_memslot(hva_end + 4096 - 1, memslot);
		for (let level = PG_LEVEL_4K; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
			const end_rmap = __gfn_to_rmap(gfn_end - 1, level, memslot);
			const step = KVM_PAGES_PER_HPAGE(level);
			let gfn = gfn_start;

			for (let rmap = __gfn_to_rmap(gfn_start, level, memslot);
				rmap <= end_rmap; rmap++, gfn += step)
				ret |= handler(kvm, rmap, memslot, gfn, level, data);
		}
	}
	return ret;
}

/** @ported v5.10 static */
function kvm_handle_hva(kvm: kvm, hva: number, data: number, handler: hva_handler): number {
	return kvm_handle_hva_range(kvm, hva, hva + 1, data, handler);
}

/** Nonzero: something was mapped. @ported v5.10 */
export function kvm_unmap_hva_range(kvm: kvm, start: number, end: number): number {
	return kvm_handle_hva_range(kvm, start, end, 0, kvm_unmap_rmapp);
}

/** @ported v5.10 */
export function kvm_set_spte_hva(kvm: kvm, hva: number, pte: pte_t): number {
	return kvm_handle_hva(kvm, hva, pte, kvm_set_pte_rmapp);
}

/** @ported v5.10 static */
function kvm_age_rmapp(
	_kvm: kvm, rmap_head: kvm_rmap_head, slot: kvm_memory_slot, gfn: gfn_t, level: number,
): number {
	let young = 0;

	for (let at = rmap_begin(rmap_head), sptep; (sptep = rmap_at(rmap_head, at)) !== 0;
		at = rmap_next(at))
		young |= mmu_spte_age(sptep) ? 1 : 0;
	trace_kvm_age_page(gfn, level, slot, young !== 0);
	return young;
}

/** @ported v5.10 static */
function kvm_test_age_rmapp(_kvm: kvm, rmap_head: kvm_rmap_head): number {
	for (let at = rmap_begin(rmap_head), sptep; (sptep = rmap_at(rmap_head, at)) !== 0;
		at = rmap_next(at))
		if (is_accessed_spte(ram[sptep]!, ram[sptep + 1]!))
			return 1;
	return 0;
}

/** @ported v5.10 static */
function rmap_recycle(vcpu: kvm_vcpu, spte: sptep, gfn: gfn_t): void {
	const sp = sptep_to_sp(spte), kvm = vcpu_kvm[vcpu];

	kvm_unmap_rmapp(kvm, gfn_to_rmap(kvm, gfn, sp));
	kvm_flush_remote_tlbs_with_address(kvm, sp_gfn[sp], 1);
}

/** @ported v5.10 */
export function kvm_age_hva(kvm: kvm, start: number, end: number): number {
	return kvm_handle_hva_range(kvm, start, end, 0, kvm_age_rmapp);
}

/** @ported v5.10 */
export function kvm_test_age_hva(kvm: kvm, hva: number): number {
	return kvm_handle_hva(kvm, hva, 0, kvm_test_age_rmapp);
}

/** @reduced there is no shrinker that would want the sum of all VMs */
function kvm_mod_used_mmu_pages(kvm: kvm, nr: number): void {
	kvms.n_used_mmu_pages[kvm] += nr;
}

/** @ported v5.10 static */
function kvm_mmu_free_page(sp: kvm_mmu_page): void {
	hash_del(sp);
	list_del(link(sp));
	private_[spt[sp]] = 0;
	__free_page(spt[sp]);
	if (!(sp_role[sp] & ROLE_DIRECT))
		__free_page(sp_gfns[sp]);
	VM_BUG_ON(kvm_words[sp] !== 0, 'a shadow page is freed that has parents');
	kmem_cache_free(kvm_mmu_pages, sp);
}

/** @reduced hash_64() of the kernel spreads more evenly, which shows nowhere */
function kvm_page_table_hashfn(gfn: gfn_t): number {
	return gfn % KVM_NUM_MMU_PAGES;
}

/** @custom hlist_add_head(&sp->hash_link, sp_list) */
function hash_add(sp: kvm_mmu_page): void {
	const at = sp_kvm[sp] * KVM_NUM_MMU_PAGES + kvm_page_table_hashfn(sp_gfn[sp]);

	hash_next[sp] = kvms.mmu_page_hash[at]! as kvm_mmu_page;
	kvms.mmu_page_hash[at] = sp;
}

/** @custom hlist_del(&sp->hash_link) */
function hash_del(sp: kvm_mmu_page): void {
	const at = sp_kvm[sp] * KVM_NUM_MMU_PAGES + kvm_page_table_hashfn(sp_gfn[sp]);
	let before = 0 as kvm_mmu_page;

	for (let s = kvms.mmu_page_hash[at]! as kvm_mmu_page; s; before = s, s = hash_next[s]) {
		if (s !== sp)
			continue;
		if (before)
			hash_next[before] = hash_next[sp];
		else
			kvms.mmu_page_hash[at] = hash_next[sp];
		return;
	}
	BUG('a shadow page is not in the hash');
}

/** The first shadow page that may be of a gfn; the others follow by hash_next. @custom */
function hash_first(kvm: kvm, gfn: gfn_t): kvm_mmu_page {
	return kvms.mmu_page_hash[kvm * KVM_NUM_MMU_PAGES + kvm_page_table_hashfn(gfn)]! as
		kvm_mmu_page;
}

/** @custom the condition of for_each_gfn_indirect_valid_sp() */
function is_gfn_indirect_valid_sp(kvm: kvm, sp: kvm_mmu_page, gfn: gfn_t): boolean {
	return !is_obsolete_sp(kvm, sp) && sp_gfn[sp] === gfn && !(sp_role[sp] & ROLE_DIRECT);
}

/** @ported v5.10 static */
function mmu_page_add_parent_pte(vcpu: kvm_vcpu, sp: kvm_mmu_page, parent_pte: sptep): void {
	if (!parent_pte)
		return;
	pte_list_add(vcpu, parent_pte, sp);
}

/** @ported v5.10 static */
function drop_parent_pte(sp: kvm_mmu_page, parent_pte: sptep): void {
	__pte_list_remove(parent_pte, sp);
	mmu_spte_clear_no_track(parent_pte);
}

/** @ported v5.10 static */
function kvm_mmu_alloc_page(vcpu: kvm_vcpu, direct: boolean): kvm_mmu_page {
	const kvm = vcpu_kvm[vcpu], at = vcpu * KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE;
	const { nr_shadow_page_cache, nr_gfn_array_cache } = kvm_vcpus;
	const sp = kmem_cache_zalloc(kvm_mmu_pages);

	BUG_ON(!sp || nr_shadow_page_cache[vcpu] <= 0, 'the cache of shadow pages is empty');
	kvm_vcpus.mmu_page_header_cache[vcpu]--;
	spt[sp] = kvm_vcpus.mmu_shadow_page_cache[at + --nr_shadow_page_cache[vcpu]]! as page;
	if (!direct) {
		BUG_ON(nr_gfn_array_cache[vcpu] <= 0, 'the cache of gfn arrays is empty');
		sp_gfns[sp] = kvm_vcpus.mmu_gfn_array_cache[at +
			--nr_gfn_array_cache[vcpu]]! as page;
	}
	private_[spt[sp]] = sp;
	sp_kvm[sp] = kvm;
	sp_valid_gen[sp] = kvms.mmu_valid_gen[kvm];
	/* At the front: kvm_zap_obsolete_pages() relies on the order. */
	list_add(link(sp), kvms.active_mmu_pages(kvm));
	kvm_mod_used_mmu_pages(kvm, 1);
	return sp;
}

/** @ported v5.10 static */
function kvm_mmu_mark_parents_unsync(sp: kvm_mmu_page): void {
	for (let at = rmap_begin(sp), sptep; (sptep = rmap_at(sp, at)) !== 0; at = rmap_next(at))
		mark_unsync(sptep);
}

/** @ported v5.10 static */
function mark_unsync(spte: sptep): void {
	const sp = sptep_to_sp(spte), index = spte_index(spte);
	const word = sp * 16 + (index >>> 5), bit = 1 << (index & 31);

	if (unsync_child_bitmap[word]! & bit)
		return;
	unsync_child_bitmap[word]! |= bit;
	if (unsync_children[sp]++)
		return;
	kvm_mmu_mark_parents_unsync(sp);
}

const KVM_PAGE_ARRAY_NR = 16;
/** struct kvm_mmu_pages: pages that are out of sync, and which entry leads to each. */
interface pages_vec { readonly sp: kvm_mmu_page[]; readonly idx: number[] }
/** struct mmu_page_path */
interface page_path { readonly parent: kvm_mmu_page[]; readonly idx: number[] }

/** @ported v5.10 static */
function mmu_pages_add(pvec: pages_vec, sp: kvm_mmu_page, idx: number): boolean {
	if (unsync[sp] && pvec.sp.includes(sp))
		return false;
	pvec.sp.push(sp);
	pvec.idx.push(idx);
	return pvec.sp.length === KVM_PAGE_ARRAY_NR;
}

/** @ported v5.10 static */
function clear_unsync_child_bit(sp: kvm_mmu_page, idx: number): void {
	unsync_children[sp]--;
	WARN_ON_ONCE(unsync_children[sp] < 0, 'fewer than no children out of sync');
	unsync_child_bitmap[sp * 16 + (idx >>> 5)]! &= ~(1 << (idx & 31));
}

/** @ported v5.10 static */
function __mmu_unsync_walk(sp: kvm_mmu_page, pvec: pages_vec): number {
	let nr_unsync_leaf = 0;

	for (let i = 0; i < PT64_ENT_PER_PAGE; i++) {
		if (!(unsync_child_bitmap[sp * 16 + (i >>> 5)]! >>> (i & 31) & 1))
			continue;
		const at = spt_of(sp) + 2 * i, lo = ram[at]!;
		if (!is_shadow_present_pte(lo, ram[at + 1]!) || is_large_pte(lo)) {
			clear_unsync_child_bit(sp, i);
			continue;
		}
		const child = to_shadow_page(lo);
		if (unsync_children[child]) {
			if (mmu_pages_add(pvec, child, i))
				return -ENOSPC;
			const ret = __mmu_unsync_walk(child, pvec);
			if (!ret)
				clear_unsync_child_bit(sp, i);
			else if (ret > 0)
				nr_unsync_leaf += ret;
			else
				return ret;
		} else if (unsync[child]) {
			nr_unsync_leaf++;
			if (mmu_pages_add(pvec, child, i))
				return -ENOSPC;
		} else {
			clear_unsync_child_bit(sp, i);
		}
	}
	return nr_unsync_leaf;
}

const INVALID_INDEX = -1;

/** @ported v5.10 static */
function mmu_unsync_walk(sp: kvm_mmu_page, pvec: pages_vec): number {
	pvec.sp.length = 0;
	pvec.idx.length = 0;
	if (!unsync_children[sp])
		return 0;
	mmu_pages_add(pvec, sp, INVALID_INDEX);
	return __mmu_unsync_walk(sp, pvec);
}

/** @ported v5.10 static */
function kvm_unlink_unsync_page(_kvm: kvm, sp: kvm_mmu_page): void {
	WARN_ON_ONCE(!unsync[sp], 'a page in sync is synced');
	unsync[sp] = 0;
}

/** The guest's table is write-protected by the caller. @reduced all guests use 8-byte entries */
function __kvm_sync_page(
	vcpu: kvm_vcpu, sp: kvm_mmu_page, invalid_list: list_head,
): boolean {
	if (paging64_sync_page(vcpu, sp) === 0) {
		kvm_mmu_prepare_zap_page(vcpu_kvm[vcpu], sp, invalid_list);
		return false;
	}
	return true;
}

/** @ported v5.10 static */
function kvm_mmu_remote_flush_or_zap(
	kvm: kvm, invalid_list: list_head, remote_flush: boolean,
): boolean {
	if (!remote_flush && list_empty(invalid_list))
		return false;
	if (!list_empty(invalid_list))
		kvm_mmu_commit_zap_page(kvm, invalid_list);
	else
		kvm_flush_remote_tlbs(kvm);
	return true;
}

/** @ported v5.10 static */
function kvm_mmu_flush_or_zap(
	vcpu: kvm_vcpu, invalid_list: list_head, remote_flush: boolean, local_flush: boolean,
): void {
	if (kvm_mmu_remote_flush_or_zap(vcpu_kvm[vcpu], invalid_list, remote_flush))
		return;
	if (local_flush)
		kvm_make_request(KVM_REQ_TLB_FLUSH_CURRENT, vcpu);
}

/** @ported v5.10 static */
function is_obsolete_sp(kvm: kvm, sp: kvm_mmu_page): boolean {
	return (sp_role[sp] & ROLE_INVALID) !== 0 || sp_valid_gen[sp] !== kvms.mmu_valid_gen[kvm];
}

/** @ported v5.10 static */
function kvm_sync_page(vcpu: kvm_vcpu, sp: kvm_mmu_page, invalid_list: list_head): boolean {
	kvm_unlink_unsync_page(vcpu_kvm[vcpu], sp);
	return __kvm_sync_page(vcpu, sp, invalid_list);
}

/** @ported v5.10 static */
function kvm_sync_pages(vcpu: kvm_vcpu, gfn: gfn_t, invalid_list: list_head): boolean {
	const kvm = vcpu_kvm[vcpu];
	let ret = false;

	for (let s = hash_first(kvm, gfn), next; s; s = next) {
		next = hash_next[s];
		if (!is_gfn_indirect_valid_sp(kvm, s, gfn) || !unsync[s])
			continue;
		WARN_ON_ONCE(sp_level(s) !== PG_LEVEL_4K,
			'a page above the lowest level is unsync');
		ret = kvm_sync_page(vcpu, s, invalid_list) || ret;
	}
	return ret;
}

/** @ported v5.10 static */
function mmu_pages_next(pvec: pages_vec, parents: page_path, i: number): number {
	let n = i + 1;

	for (; n < pvec.sp.length; n++) {
		const sp = pvec.sp[n]!, level = sp_level(sp);

		parents.idx[level - 1] = pvec.idx[n]!;
		if (level === PG_LEVEL_4K)
			break;
		parents.parent[level - 2] = sp;
	}
	return n;
}

/** @ported v5.10 static */
function mmu_pages_first(pvec: pages_vec, parents: page_path): number {
	if (pvec.sp.length === 0)
		return 0;
	WARN_ON_ONCE(pvec.idx[0] !== INVALID_INDEX, 'the first page is not the top');
	const sp = pvec.sp[0]!, level = sp_level(sp);

	parents.parent[level - 2] = sp;
	/* The end: all others are below sp, so it stays. */
	parents.parent[level - 1] = 0 as kvm_mmu_page;
	return mmu_pages_next(pvec, parents, 0);
}

/** @ported v5.10 static */
function mmu_pages_clear_parents(parents: page_path): void {
	let sp: kvm_mmu_page, level = 0;

	do {
		const idx = parents.idx[level]!;
		sp = parents.parent[level] ?? 0 as kvm_mmu_page;
		if (!sp)
			return;
		clear_unsync_child_bit(sp, idx);
		level++;
	} while (!unsync_children[sp]);
}

/** @ported v5.10 static; the lock is never broken for others */
function mmu_sync_children(vcpu: kvm_vcpu, parent: kvm_mmu_page): void {
	const pvec: pages_vec = { sp: [], idx: [] }, parents: page_path = { parent: [], idx: [] };
	const invalid_list = list_head_enter();
	let flush = false;

	while (mmu_unsync_walk(parent, pvec)) {
		let is_protected = false;

		for (let i = mmu_pages_first(pvec, parents); i < pvec.sp.length;
			i = mmu_pages_next(pvec, parents, i))
			is_protected = rmap_write_protect(vcpu, sp_gfn[pvec.sp[i]!]) ||
				is_protected;
		if (is_protected) {
			kvm_flush_remote_tlbs(vcpu_kvm[vcpu]);
			flush = false;
		}
		for (let i = mmu_pages_first(pvec, parents); i < pvec.sp.length;
			i = mmu_pages_next(pvec, parents, i)) {
			flush = kvm_sync_page(vcpu, pvec.sp[i]!, invalid_list) || flush;
			mmu_pages_clear_parents(parents);
		}
	}
	kvm_mmu_flush_or_zap(vcpu, invalid_list, false, flush);
	list_head_leave(invalid_list);
}

/** @ported v5.10 static */
export function clear_sp_write_flooding_count(spte: sptep): void {
	write_flooding_count[sptep_to_sp(spte)] = 0;
}

/**
 * The shadow page of a gfn and role, as it is or new.
 * @reduced no guest has 4-byte entries, whose pages come in quadrants
 */
export function kvm_mmu_get_page(
	vcpu: kvm_vcpu, gfn: gfn_t, level: number, direct: boolean, access: number,
): kvm_mmu_page {
	const kvm = vcpu_kvm[vcpu], direct_mmu = kvm_vcpus.direct_map[vcpu] !== 0;
	let role = kvm_vcpus.mmu_role[vcpu], need_sync = false, flush = false;
	const invalid_list = list_head_enter();

	role = role & ~(ROLE_LEVEL | ROLE_DIRECT | ROLE_ACCESS) | level |
		(direct ? ROLE_DIRECT | ROLE_GPTE_IS_8_BYTES : 0) | access << ROLE_ACCESS_SHIFT;

	for (let sp = hash_first(kvm, gfn); sp; sp = hash_next[sp]) {
		if (is_obsolete_sp(kvm, sp) || sp_gfn[sp] !== gfn)
			continue;
		if (!need_sync && unsync[sp])
			need_sync = true;
		if (sp_role[sp] !== role)
			continue;
		if (!direct_mmu) {
			if (unsync[sp]) {
				/* If syncing finds it bad, it is made anew. */
				if (!__kvm_sync_page(vcpu, sp, invalid_list))
					break;
				kvm_make_request(KVM_REQ_TLB_FLUSH_CURRENT, vcpu);
			}
			if (unsync_children[sp])
				kvm_make_request(KVM_REQ_MMU_SYNC, vcpu);
			write_flooding_count[sp] = 0;
		}
		list_head_leave(invalid_list);
		return sp;
	}

	const sp = kvm_mmu_alloc_page(vcpu, direct);
	sp_gfn[sp] = gfn;
	sp_role[sp] = role;
	hash_add(sp);
	if (!direct) {
		/* Before it is filled, so that the guest cannot change what is read. */
		account_shadowed(kvm, sp);
		if (level === PG_LEVEL_4K && rmap_write_protect(vcpu, gfn))
			kvm_flush_remote_tlbs_with_address(kvm, gfn, 1);
		if (level > PG_LEVEL_4K && need_sync)
			flush = kvm_sync_pages(vcpu, gfn, invalid_list) || flush;
	}
	kvm_mmu_flush_or_zap(vcpu, invalid_list, false, flush);
	list_head_leave(invalid_list);
	return sp;
}

/** @ported v5.10 static */
function shadow_walk_init_using_root(
	iterator: kvm_shadow_walk_iterator, vcpu: kvm_vcpu, root: number, addr: number,
): void {
	iterator.addr = addr;
	iterator.shadow_addr = root;
	iterator.level = kvm_vcpus.shadow_root_level[vcpu];

	if (iterator.level === PT32E_ROOT_LEVEL) {
		BUG_ON(root !== kvm_vcpus.root_hpa[vcpu], 'a PAE root that is not the active one');
		const entry = ram[(root << FRAME_WORDS_SHIFT) +
			2 * (Math.floor(addr / 2 ** 30) & 3)]!;
		iterator.shadow_addr = entry >>> 12;
		iterator.level--;
		if (!iterator.shadow_addr)
			iterator.level = 0;
	}
}

/** @ported v5.10 static */
export function shadow_walk_init(
	iterator: kvm_shadow_walk_iterator, vcpu: kvm_vcpu, addr: number,
): void {
	shadow_walk_init_using_root(iterator, vcpu, kvm_vcpus.root_hpa[vcpu], addr);
}

/** @ported v5.10 static */
export function shadow_walk_okay(iterator: kvm_shadow_walk_iterator): boolean {
	if (iterator.level < PG_LEVEL_4K)
		return false;
	const index = Math.floor(iterator.addr /
		(4096 * KVM_PAGES_PER_HPAGE(iterator.level)));

	iterator.index = ((index % 512) + 512) % 512;
	iterator.sptep = (iterator.shadow_addr << FRAME_WORDS_SHIFT) + 2 * iterator.index;
	return true;
}

/** @ported v5.10 static */
export function __shadow_walk_next(iterator: kvm_shadow_walk_iterator, lo: number): void {
	if (is_last_spte(lo, iterator.level)) {
		iterator.level = 0;
		return;
	}
	iterator.shadow_addr = lo >>> 12;
	iterator.level--;
}

/** @ported v5.10 static */
export function shadow_walk_next(iterator: kvm_shadow_walk_iterator): void {
	__shadow_walk_next(iterator, ram[iterator.sptep]!);
}

/** @ported v5.10 static */
export function link_shadow_page(vcpu: kvm_vcpu, sptep: sptep, sp: kvm_mmu_page): void {
	const lo = make_nonleaf_spte(spt[sp], sp_ad_disabled(sp));

	mmu_spte_set(sptep, lo, spte_hi.v);
	mmu_page_add_parent_pte(vcpu, sp, sptep);
	if (unsync_children[sp] || unsync[sp])
		mark_unsync(sptep);
}

/** @ported v5.10 static */
export function validate_direct_spte(
	vcpu: kvm_vcpu, sptep: sptep, direct_access: number,
): void {
	const lo = ram[sptep]!;

	if (is_shadow_present_pte(lo, ram[sptep + 1]!) && !is_large_pte(lo)) {
		/* A guest entry that became dirty gives its direct page more access. */
		const child = to_shadow_page(lo);
		if ((sp_role[child] & ROLE_ACCESS) >>> ROLE_ACCESS_SHIFT === direct_access)
			return;
		drop_parent_pte(child, sptep);
		kvm_flush_remote_tlbs_with_address(vcpu_kvm[vcpu], sp_gfn[child], 1);
	}
}

/** @reduced without guests in guests no child is zapped with its parent: always 0 */
function mmu_page_zap_pte(kvm: kvm, sp: kvm_mmu_page, spte: sptep): number {
	const lo = ram[spte]!, hi = ram[spte + 1]!;

	if (is_shadow_present_pte(lo, hi)) {
		if (is_last_spte(lo, sp_level(sp)))
			drop_spte(kvm, spte);
		else
			drop_parent_pte(to_shadow_page(lo), spte);
	} else if (is_mmio_spte(hi)) {
		mmu_spte_clear_no_track(spte);
	}
	return 0;
}

/** @ported v5.10 static */
function kvm_mmu_page_unlink_children(kvm: kvm, sp: kvm_mmu_page): number {
	let zapped = 0;

	for (let i = 0; i < PT64_ENT_PER_PAGE; i++)
		zapped += mmu_page_zap_pte(kvm, sp, spt_of(sp) + 2 * i);
	return zapped;
}

/** @ported v5.10 static */
function kvm_mmu_unlink_parents(_kvm: kvm, sp: kvm_mmu_page): void {
	for (let sptep; (sptep = rmap_get_first(sp)) !== 0;)
		drop_parent_pte(sp, sptep);
}

/** @ported v5.10 static */
function mmu_zap_unsync_children(
	kvm: kvm, parent: kvm_mmu_page, invalid_list: list_head,
): number {
	const pvec: pages_vec = { sp: [], idx: [] }, parents: page_path = { parent: [], idx: [] };
	let zapped = 0;

	if (sp_level(parent) === PG_LEVEL_4K)
		return 0;
	while (mmu_unsync_walk(parent, pvec)) {
		for (let i = mmu_pages_first(pvec, parents); i < pvec.sp.length;
			i = mmu_pages_next(pvec, parents, i)) {
			kvm_mmu_prepare_zap_page(kvm, pvec.sp[i]!, invalid_list);
			mmu_pages_clear_parents(parents);
			zapped++;
		}
	}
	return zapped;
}

const nr_zapped: out<number> = { v: 0 };

/** Whether the list of pages is no longer what it was; how many went is in nr_zapped. */
/** @ported v5.10 static */
function __kvm_mmu_prepare_zap_page(
	kvm: kvm, sp: kvm_mmu_page, invalid_list: list_head,
): boolean {
	let zapped = mmu_zap_unsync_children(kvm, sp, invalid_list);

	zapped += kvm_mmu_page_unlink_children(kvm, sp);
	kvm_mmu_unlink_parents(kvm, sp);
	const list_unstable = zapped !== 0;

	if (!(sp_role[sp] & (ROLE_INVALID | ROLE_DIRECT)))
		unaccount_shadowed(kvm, sp);
	if (unsync[sp])
		kvm_unlink_unsync_page(kvm, sp);
	if (!root_count[sp]) {
		zapped++;
		/* Pages invalid before were roots, and are on no list. */
		if (sp_role[sp] & ROLE_INVALID)
			list_add(link(sp), invalid_list);
		else
			list_move(link(sp), invalid_list);
		kvm_mod_used_mmu_pages(kvm, -1);
	} else {
		/* An active root is freed when it is no root any more. */
		list_del(link(sp));
		if (!is_obsolete_sp(kvm, sp))
			kvm_reload_remote_mmus(kvm);
	}
	sp_role[sp] |= ROLE_INVALID;
	nr_zapped.v = zapped;
	return list_unstable;
}

/** @ported v5.10 static */
function kvm_mmu_prepare_zap_page(kvm: kvm, sp: kvm_mmu_page, invalid_list: list_head): number {
	__kvm_mmu_prepare_zap_page(kvm, sp, invalid_list);
	return nr_zapped.v;
}

/** @ported v5.10 static */
function kvm_mmu_commit_zap_page(kvm: kvm, invalid_list: list_head): void {
	if (list_empty(invalid_list))
		return;
	kvm_flush_remote_tlbs(kvm);
	for (let l = list_next[invalid_list]; l !== invalid_list; l = list_next[invalid_list]) {
		const sp = link.container_of(l);

		WARN_ON_ONCE(!(sp_role[sp] & ROLE_INVALID) || root_count[sp] !== 0,
			'a valid shadow page or root is freed');
		kvm_mmu_free_page(sp);
	}
}

/** @ported v5.10 static */
function kvm_mmu_zap_oldest_mmu_pages(kvm: kvm, nr_to_zap: number): number {
	const head = kvms.active_mmu_pages(kvm);
	let total_zapped = 0;

	if (list_empty(head))
		return 0;
	const invalid_list = list_head_enter();
	restart: for (;;) {
		for (let l = list_prev[head], before; l !== head; l = before) {
			before = list_prev[l];
			const sp = link.container_of(l);
			/* Active roots cannot be freed, and would only be made again. */
			if (root_count[sp])
				continue;
			const unstable = __kvm_mmu_prepare_zap_page(kvm, sp, invalid_list);
			total_zapped += nr_zapped.v;
			if (total_zapped >= nr_to_zap)
				break;
			if (unstable)
				continue restart;
		}
		break;
	}
	kvm_mmu_commit_zap_page(kvm, invalid_list);
	list_head_leave(invalid_list);
	return total_zapped;
}

/** @ported v5.10 static */
function kvm_mmu_available_pages(kvm: kvm): number {
	return Math.max(kvms.n_max_mmu_pages[kvm] - kvms.n_used_mmu_pages[kvm], 0);
}

/** @ported v5.10 static */
export function make_mmu_pages_available(vcpu: kvm_vcpu): number {
	const kvm = vcpu_kvm[vcpu], avail = kvm_mmu_available_pages(kvm);

	if (avail >= KVM_MIN_FREE_MMU_PAGES)
		return 0;
	kvm_mmu_zap_oldest_mmu_pages(kvm, KVM_REFILL_PAGES - avail);
	if (!kvm_mmu_available_pages(kvm))
		return -ENOSPC;
	return 0;
}

/** @ported v5.10 */
export function kvm_mmu_change_mmu_pages(kvm: kvm, goal_nr_mmu_pages: number): void {
	mmu_lock(kvm);
	if (kvms.n_used_mmu_pages[kvm] > goal_nr_mmu_pages) {
		kvm_mmu_zap_oldest_mmu_pages(kvm, kvms.n_used_mmu_pages[kvm] - goal_nr_mmu_pages);
		goal_nr_mmu_pages = kvms.n_used_mmu_pages[kvm];
	}
	kvms.n_max_mmu_pages[kvm] = goal_nr_mmu_pages;
	mmu_unlock(kvm);
}

/** Shadow pages of a gfn go, so that it can be written. @ported v5.10 */
export function kvm_mmu_unprotect_page(kvm: kvm, gfn: gfn_t): boolean {
	const invalid_list = list_head_enter();
	let r = false;

	mmu_lock(kvm);
	for (let sp = hash_first(kvm, gfn); sp; sp = hash_next[sp]) {
		if (!is_gfn_indirect_valid_sp(kvm, sp, gfn))
			continue;
		r = true;
		kvm_mmu_prepare_zap_page(kvm, sp, invalid_list);
	}
	kvm_mmu_commit_zap_page(kvm, invalid_list);
	mmu_unlock(kvm);
	list_head_leave(invalid_list);
	return r;
}

/** @ported v5.10 static */
function kvm_unsync_page(_vcpu: kvm_vcpu, sp: kvm_mmu_page): void {
	unsync[sp] = 1;
	kvm_mmu_mark_parents_unsync(sp);
}

/** @ported v5.10 */
export function mmu_need_write_protect(
	vcpu: kvm_vcpu, gfn: gfn_t, can_unsync: boolean,
): boolean {
	const kvm = vcpu_kvm[vcpu];

	if (kvm_page_track_is_active(vcpu, gfn))
		return true;
	for (let sp = hash_first(kvm, gfn); sp; sp = hash_next[sp]) {
		if (!is_gfn_indirect_valid_sp(kvm, sp, gfn))
			continue;
		if (!can_unsync)
			return true;
		if (unsync[sp])
			continue;
		WARN_ON_ONCE(sp_level(sp) !== PG_LEVEL_4K,
			'a page above the lowest level is unsync');
		kvm_unsync_page(vcpu, sp);
	}
	return false;
}

/** SET_SPTE_* @ported v5.10 static */
export function set_spte(
	vcpu: kvm_vcpu, sptep: sptep, pte_access: number, gfn: gfn_t, pfn: kvm_pfn_t,
	speculative: boolean, can_unsync: boolean, host_writable: boolean,
): number {
	if (set_mmio_spte(vcpu, sptep, gfn, pfn, pte_access))
		return 0;
	const sp = sptep_to_sp(sptep);
	const lo = make_spte(vcpu, pte_access, gfn, pfn, ram[sptep]!, speculative, can_unsync,
		host_writable, sp_ad_disabled(sp)), hi = spte_hi.v;
	let ret = make_spte_ret.v;

	if (lo & PT_WRITABLE_MASK)
		kvm_vcpu_mark_page_dirty(vcpu, gfn);
	if (ram[sptep] === lo && ram[sptep + 1] === hi)
		ret |= SET_SPTE_SPURIOUS;
	else if (mmu_spte_update(sptep, lo, hi))
		ret |= SET_SPTE_NEED_REMOTE_TLB_FLUSH;
	return ret;
}

/** RET_PF_* @reduced of the lowest level, as all entries that map pages */
export function mmu_set_spte(
	vcpu: kvm_vcpu, sptep: sptep, pte_access: number, write_fault: boolean, gfn: gfn_t,
	pfn: kvm_pfn_t, speculative: boolean, host_writable: boolean,
): number {
	const kvm = vcpu_kvm[vcpu];
	let was_rmapped = false, ret = RET_PF_FIXED, flush = false;

	if (is_shadow_present_pte(ram[sptep]!, ram[sptep + 1]!)) {
		if (pfn !== spte_to_pfn(ram[sptep]!)) {
			drop_spte(kvm, sptep);
			flush = true;
		} else {
			was_rmapped = true;
		}
	}

	const set_spte_ret = set_spte(vcpu, sptep, pte_access, gfn, pfn, speculative, true,
		host_writable);
	if (set_spte_ret & SET_SPTE_WRITE_PROTECTED_PT) {
		if (write_fault)
			ret = RET_PF_EMULATE;
		kvm_make_request(KVM_REQ_TLB_FLUSH_CURRENT, vcpu);
	}
	if (set_spte_ret & SET_SPTE_NEED_REMOTE_TLB_FLUSH || flush)
		kvm_flush_remote_tlbs_with_address(kvm, gfn, 1);
	if (is_mmio_spte(ram[sptep + 1]!))
		ret = RET_PF_EMULATE;
	if (set_spte_ret & SET_SPTE_SPURIOUS && ret === RET_PF_FIXED) {
		WARN_ON_ONCE(!was_rmapped, 'an SPTE is as it was, and was not mapped');
		return RET_PF_SPURIOUS;
	}

	trace_kvm_mmu_set_spte(PG_LEVEL_4K, gfn, sptep);
	if (is_shadow_present_pte(ram[sptep]!, ram[sptep + 1]!) && !was_rmapped) {
		const rmap_count = rmap_add(vcpu, sptep, gfn);
		if (rmap_count > RMAP_RECYCLE_THRESHOLD)
			rmap_recycle(vcpu, sptep, gfn);
	}
	return ret;
}

/** @ported v5.10 static */
export function pte_prefetch_gfn_to_pfn(
	vcpu: kvm_vcpu, gfn: gfn_t, no_dirty_log: boolean,
): kvm_pfn_t {
	const slot = gfn_to_memslot_dirty_bitmap(vcpu, gfn, no_dirty_log);

	if (!slot)
		return KVM_PFN_ERR_FAULT;
	return gfn_to_pfn_memslot_atomic(slot, gfn);
}

/* Pages that are mapped ahead at once. */
const prefetched: page[] = new Array<page>(PTE_PREFETCH_NUM).fill(0 as page);

/** @ported v5.10 static */
function direct_pte_prefetch_many(
	vcpu: kvm_vcpu, sp: kvm_mmu_page, start: sptep, end: sptep,
): number {
	const access = (sp_role[sp] & ROLE_ACCESS) >>> ROLE_ACCESS_SHIFT;
	let gfn = kvm_mmu_page_get_gfn(sp, spte_index(start));

	const slot = gfn_to_memslot_dirty_bitmap(vcpu, gfn, (access & ACC_WRITE_MASK) !== 0);
	if (!slot)
		return -1;
	const ret = gfn_to_page_many_atomic(slot, gfn, prefetched, (end - start) / 2);
	if (ret <= 0)
		return -1;
	for (let i = 0; i < ret; i++, gfn++, start += 2) {
		mmu_set_spte(vcpu, start, access, false, gfn, prefetched[i]!, true, true);
		if (applied(KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE /* aa85986e7150, v6.13 */))
			kvm_set_pfn_dirty(prefetched[i]!);
		if (applied(KVM_PUT_DIRECT_PREFETCHED_PAGES_VIA_RELEASE_PAGE_CLEAN
			/* 64d5cd99f78e, v6.13 */))
			kvm_release_pfn_clean(prefetched[i]!);
		else
			put_page(prefetched[i]!);
	}
	return 0;
}

/** @ported v5.10 static */
export function __direct_pte_prefetch(vcpu: kvm_vcpu, sp: kvm_mmu_page, sptep: sptep): void {
	let start = 0;

	WARN_ON_ONCE(!(sp_role[sp] & ROLE_DIRECT), 'a page that is not direct');
	let spte = spt_of(sp) + 2 * (spte_index(sptep) & ~(PTE_PREFETCH_NUM - 1));
	for (let i = 0; i < PTE_PREFETCH_NUM; i++, spte += 2) {
		if (is_shadow_present_pte(ram[spte]!, ram[spte + 1]!) || spte === sptep) {
			if (!start)
				continue;
			if (direct_pte_prefetch_many(vcpu, sp, start, spte) < 0)
				break;
			start = 0;
		} else if (!start) {
			start = spte;
		}
	}
}

/**
 * The fault itself is not about what is being invalidated, but its neighbours may be.
 * @custom a condition of direct_pte_prefetch() and FNAME(pte_prefetch)() since v5.12
 */
export function may_be_going(kvm: kvm): boolean {
	return applied(KVM_CONSIDER_THE_HVA_IN_MMU_NOTIFIER_RETRY /* 4a42d848db95, v5.12 */) &&
		kvms.mmu_notifier_count[kvm] !== 0;
}

/**
 * Neighbours are mapped with the page, as not accessed; without accessed bits nobody could tell
 * them from those that were.
 * @ported v5.10 static
 */
function direct_pte_prefetch(vcpu: kvm_vcpu, sptep: sptep): void {
	const sp = sptep_to_sp(sptep);

	/* kvm_tdp_mmu_map() maps the one page. */
	if (tdp_enabled.v && applied(KVM_ENABLE_TDP_MMU_BY_DEFAULT /* 71ba3f3189c7, v5.15 */))
		return;
	if (sp_ad_disabled(sp))
		return;
	if (sp_level(sp) > PG_LEVEL_4K)
		return;
	if (may_be_going(vcpu_kvm[vcpu]))
		return;
	__direct_pte_prefetch(vcpu, sp, sptep);
}

const direct_walk = new kvm_shadow_walk_iterator();

/** RET_PF_* @reduced of the lowest level; no large page is taken apart */
function __direct_map(
	vcpu: kvm_vcpu, gpa: number, error_code: number, map_writable: boolean, pfn: kvm_pfn_t,
	prefault: boolean,
): number {
	const write = (error_code & PFERR_WRITE_MASK) !== 0;
	const gfn = Math.floor(gpa / 4096), it = direct_walk;
	let base_gfn = gfn;

	if (WARN_ON_ONCE(kvm_vcpus.root_hpa[vcpu] === INVALID_PAGE, 'a fault without a root'))
		return RET_PF_RETRY;
	for (shadow_walk_init(it, vcpu, gpa); shadow_walk_okay(it); shadow_walk_next(it)) {
		const pages_of = KVM_PAGES_PER_HPAGE(it.level);

		base_gfn = gfn - gfn % pages_of;
		if (it.level === PG_LEVEL_4K)
			break;
		if (!is_shadow_present_pte(ram[it.sptep]!, ram[it.sptep + 1]!)) {
			const sp = kvm_mmu_get_page(vcpu, base_gfn, it.level - 1, true, ACC_ALL);
			link_shadow_page(vcpu, it.sptep, sp);
		}
	}
	const { sptep } = it;
	const ret = mmu_set_spte(vcpu, sptep, ACC_ALL, write, base_gfn, pfn, prefault,
		map_writable);
	if (ret === RET_PF_SPURIOUS)
		return ret;
	direct_pte_prefetch(vcpu, sptep);
	return ret;
}

/** @reduced no page is poisoned */
function kvm_handle_bad_page(_vcpu: kvm_vcpu, _gfn: gfn_t, pfn: kvm_pfn_t): number {
	/* Not remembered as MMIO: a read of a read-only gfn is none. */
	if (pfn === KVM_PFN_ERR_RO_FAULT)
		return RET_PF_EMULATE;
	return -EFAULT;
}

/* What handle_abnormal_pfn() says that the fault ends with. */
export const abnormal_ret: out<number> = { v: 0 };

/** @ported v5.10 static */
export function handle_abnormal_pfn(
	vcpu: kvm_vcpu, gva: number, gfn: gfn_t, pfn: kvm_pfn_t, access: number,
): boolean {
	if (is_error_pfn(pfn)) {
		abnormal_ret.v = kvm_handle_bad_page(vcpu, gfn, pfn);
		return true;
	}
	if (is_noslot_pfn(pfn))
		vcpu_cache_mmio_info(vcpu, gva, gfn, access & shadow_mmio_access_mask.v);
	return false;
}

/** @ported v5.10 static */
function page_fault_can_be_fast(error_code: number): boolean {
	if (error_code & PFERR_RSVD_MASK)
		return false;
	if ((error_code & (PFERR_FETCH_MASK | PFERR_PRESENT_MASK)) ===
	    (PFERR_FETCH_MASK | PFERR_PRESENT_MASK))
		return false;
	/*
	 * An entry that is not there may be one whose accesses are tracked; one that is there may
	 * be write-protected for dirty logging.
	 */
	return shadow_acc_track_mask.v !== 0 ||
		(error_code & (PFERR_WRITE_MASK | PFERR_PRESENT_MASK)) ===
			(PFERR_WRITE_MASK | PFERR_PRESENT_MASK);
}

/** False if somebody else has changed the entry. @ported v5.10 static */
function fast_pf_fix_direct_spte(
	vcpu: kvm_vcpu, sp: kvm_mmu_page, sptep: sptep, old_lo: number, old_hi: number, lo: number,
	hi: number,
): boolean {
	WARN_ON_ONCE(!(sp_role[sp] & ROLE_DIRECT), 'a page that is not direct');
	scheduling_point(POINT_FAST, spte_to_pfn(old_lo), -1);
	if (ram[sptep] !== old_lo || ram[sptep + 1] !== old_hi)
		return false;
	__set_spte(sptep, lo, hi);
	if (is_writable_pte(lo) && !is_writable_pte(old_lo))
		kvm_vcpu_mark_page_dirty(vcpu, kvm_mmu_page_get_gfn(sp, spte_index(sptep)));
	return true;
}

/** @ported v5.10 static */
function is_access_allowed(fault_err_code: number, lo: number, hi: number): boolean {
	if (fault_err_code & PFERR_FETCH_MASK)
		return is_executable_pte(lo, hi);
	if (fault_err_code & PFERR_WRITE_MASK)
		return is_writable_pte(lo);
	return (lo & PT_PRESENT_MASK) !== 0;
}

const fast_walk = new kvm_shadow_walk_iterator();

/**
 * Without mmu_lock: RET_PF_INVALID, _FIXED or _SPURIOUS.
 * @ported v5.10 static
 */
function fast_page_fault(vcpu: kvm_vcpu, cr2_or_gpa: number, error_code: number): number {
	const it = fast_walk;
	let ret = RET_PF_INVALID, retry_count = 0, lo = 0, hi = 0, sptep = 0;

	if (!page_fault_can_be_fast(error_code))
		return ret;
	for (;;) {
		for (shadow_walk_init(it, vcpu, cr2_or_gpa); shadow_walk_okay(it);
			__shadow_walk_next(it, lo)) {
			lo = ram[it.sptep]!;
			hi = ram[it.sptep + 1]!;
			if (!is_shadow_present_pte(lo, hi))
				break;
		}
		sptep = it.sptep;
		const sp = sptep_to_sp(sptep);
		if (!is_last_spte(lo, sp_level(sp)))
			break;
		/* A TLB that was flushed late, or another CPU has mended it meanwhile. */
		if (is_access_allowed(error_code, lo, hi)) {
			ret = RET_PF_SPURIOUS;
			break;
		}
		let new_lo = lo, new_hi = hi;
		if (is_access_track_spte(lo, hi)) {
			new_lo = restore_acc_track_spte(lo, hi);
			new_hi = spte_hi.v;
		}
		if (error_code & PFERR_WRITE_MASK && spte_can_locklessly_be_made_writable(lo))
			new_lo |= PT_WRITABLE_MASK;
		if ((new_lo === lo && new_hi === hi) ||
		    !is_access_allowed(error_code, new_lo, new_hi))
			break;
		if (fast_pf_fix_direct_spte(vcpu, sp, sptep, lo, hi, new_lo, new_hi)) {
			ret = RET_PF_FIXED;
			break;
		}
		if (++retry_count > 4)
			break;
	}
	trace_fast_page_fault(vcpu, cr2_or_gpa, error_code, sptep, lo, hi,
		ret === RET_PF_SPURIOUS, ret === RET_PF_FIXED);
	return ret;
}

/** @ported v5.10 static */
function mmu_free_root_page(kvm: kvm, root: number, invalid_list: list_head): void {
	if (root === INVALID_PAGE)
		return;
	const sp = private_[root as page] as kvm_mmu_page;

	if (--root_count[sp] === 0 && sp_role[sp] & ROLE_INVALID)
		kvm_mmu_prepare_zap_page(kvm, sp, invalid_list);
}

/** @reduced no earlier roots are kept */
function kvm_mmu_free_roots(vcpu: kvm_vcpu): void {
	const kvm = vcpu_kvm[vcpu], { root_hpa, pae_root, shadow_root_level } = kvm_vcpus;

	if (root_hpa[vcpu] === INVALID_PAGE)
		return;
	const invalid_list = list_head_enter();
	mmu_lock(kvm);
	if (shadow_root_level[vcpu] >= PT64_ROOT_4LEVEL) {
		mmu_free_root_page(kvm, root_hpa[vcpu], invalid_list);
	} else {
		const at = pae_root[vcpu] << FRAME_WORDS_SHIFT;
		for (let i = 0; i < 4; i++) {
			if (!ram[at + 2 * i])
				continue;
			mmu_free_root_page(kvm, ram[at + 2 * i]! >>> 12, invalid_list);
			ram[at + 2 * i] = 0;
		}
	}
	root_hpa[vcpu] = INVALID_PAGE;
	kvm_vcpus.root_pgd[vcpu] = 0;
	kvm_mmu_commit_zap_page(kvm, invalid_list);
	mmu_unlock(kvm);
	list_head_leave(invalid_list);
}

/** @ported v5.10 static */
function mmu_check_root(vcpu: kvm_vcpu, root_gfn: gfn_t): boolean {
	if (!kvm_is_visible_memslot(search_memslots(vcpu_kvm[vcpu], root_gfn))) {
		kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
		return true;
	}
	return false;
}

/** The page of a new root, or INVALID_PAGE. @ported v5.10 static */
function mmu_alloc_root(vcpu: kvm_vcpu, gfn: gfn_t, level: number, direct: boolean): number {
	const kvm = vcpu_kvm[vcpu];

	mmu_lock(kvm);
	if (make_mmu_pages_available(vcpu)) {
		mmu_unlock(kvm);
		return INVALID_PAGE;
	}
	const sp = kvm_mmu_get_page(vcpu, gfn, level, direct, ACC_ALL);
	root_count[sp]++;
	mmu_unlock(kvm);
	return spt[sp];
}

/** @ported v5.10 static */
function mmu_alloc_direct_roots(vcpu: kvm_vcpu): number {
	const level = kvm_vcpus.shadow_root_level[vcpu];

	if (level >= PT64_ROOT_4LEVEL) {
		const root = mmu_alloc_root(vcpu, 0, level, true);

		if (root === INVALID_PAGE)
			return -ENOSPC;
		kvm_vcpus.root_hpa[vcpu] = root;
	} else {
		const at = kvm_vcpus.pae_root[vcpu] << FRAME_WORDS_SHIFT;

		for (let i = 0; i < 4; i++) {
			const root = mmu_alloc_root(vcpu, i << 18, 2, true);
			if (root === INVALID_PAGE)
				return -ENOSPC;
			ram[at + 2 * i] = root << 12 | PT_PRESENT_MASK;
			ram[at + 2 * i + 1] = 0;
		}
		kvm_vcpus.root_hpa[vcpu] = kvm_vcpus.pae_root[vcpu];
	}
	kvm_vcpus.root_pgd[vcpu] = 0;
	return 0;
}

/** 1: the guest has no tables, and is shut down. @reduced of long mode only */
function mmu_alloc_shadow_roots(vcpu: kvm_vcpu): number {
	const root_pgd = guest_cpus.cr3[vcpu];
	const root_gfn = Math.floor(root_pgd / 4096);

	if (mmu_check_root(vcpu, root_gfn))
		return 1;
	const root = mmu_alloc_root(vcpu, root_gfn, kvm_vcpus.shadow_root_level[vcpu], false);
	if (root === INVALID_PAGE)
		return -ENOSPC;
	kvm_vcpus.root_hpa[vcpu] = root;
	kvm_vcpus.root_pgd[vcpu] = root_pgd;
	return 0;
}

/** @ported v5.10 static */
function mmu_alloc_roots(vcpu: kvm_vcpu): number {
	return kvm_vcpus.direct_map[vcpu] ? mmu_alloc_direct_roots(vcpu)
		: mmu_alloc_shadow_roots(vcpu);
}

/** @reduced of long mode only */
export function kvm_mmu_sync_roots(vcpu: kvm_vcpu): void {
	if (kvm_vcpus.direct_map[vcpu] || kvm_vcpus.root_hpa[vcpu] === INVALID_PAGE)
		return;
	vcpu_clear_mmio_info(vcpu, -1);
	const sp = private_[kvm_vcpus.root_hpa[vcpu] as page] as kvm_mmu_page;
	if (!unsync[sp] && !unsync_children[sp])
		return;
	mmu_lock(vcpu_kvm[vcpu]);
	mmu_sync_children(vcpu, sp);
	mmu_unlock(vcpu_kvm[vcpu]);
}

/** @ported v5.10 static */
function mmio_info_in_cache(vcpu: kvm_vcpu, addr: number, direct: boolean): boolean {
	return direct ? vcpu_match_mmio_gpa(vcpu, addr) : vcpu_match_mmio_gva(vcpu, addr);
}

const mmio_walk = new kvm_shadow_walk_iterator();

/** @custom __is_bad_mt_xwr() and __is_rsvd_bits_set() of mmu->shadow_zero_check */
function is_reserved_spte(vcpu: kvm_vcpu, lo: number, hi: number, level: number): boolean {
	const format = guest_cpus.format[vcpu];

	return format === NESTED_EPT || format === NESTED_EPT_AD ? ept_misconfigured(level, lo, hi)
		: entry_reserved(level, lo, hi, PFN_HI_MASK);
}

/** @reduced without a warning: entries that are reserved the invariants find */
function handle_mmio_page_fault(vcpu: kvm_vcpu, addr: number, direct: boolean): number {
	let lo = 0, hi = 0;
	const it = mmio_walk;

	if (mmio_info_in_cache(vcpu, addr, direct))
		return RET_PF_EMULATE;
	for (shadow_walk_init(it, vcpu, addr); shadow_walk_okay(it); __shadow_walk_next(it, lo)) {
		lo = ram[it.sptep]!;
		hi = ram[it.sptep + 1]!;
		if (!is_shadow_present_pte(lo, hi))
			break;
		if (is_reserved_spte(vcpu, lo, hi, it.level))
			return -EINVAL;
	}
	if (is_mmio_spte(hi)) {
		const gfn = get_mmio_spte_gfn(lo), access = get_mmio_spte_access(lo);

		if (!check_mmio_spte(vcpu, lo, hi))
			return RET_PF_INVALID;
		if (direct)
			addr = 0;
		trace_handle_mmio_page_fault(addr, gfn, access);
		vcpu_cache_mmio_info(vcpu, addr, gfn, access);
		return RET_PF_EMULATE;
	}
	/* Zapped by somebody: the guest may fault again. */
	return RET_PF_RETRY;
}

/** @ported v5.10 static */
export function page_fault_handle_page_track(
	vcpu: kvm_vcpu, error_code: number, gfn: gfn_t,
): boolean {
	if (error_code & PFERR_RSVD_MASK)
		return false;
	if (!(error_code & PFERR_PRESENT_MASK) || !(error_code & PFERR_WRITE_MASK))
		return false;
	return kvm_page_track_is_active(vcpu, gfn);
}

const flood_walk = new kvm_shadow_walk_iterator();

/** @ported v5.10 static */
export function shadow_page_table_clear_flood(vcpu: kvm_vcpu, addr: number): void {
	const it = flood_walk;
	let lo = 0;

	for (shadow_walk_init(it, vcpu, addr); shadow_walk_okay(it); __shadow_walk_next(it, lo)) {
		lo = ram[it.sptep]!;
		clear_sp_write_flooding_count(it.sptep);
		if (!is_shadow_present_pte(lo, ram[it.sptep + 1]!))
			break;
	}
}

/* Whether the page that was found may be mapped writable. */
export const map_writable: { v: boolean } = { v: false };

/**
 * The pfn of a gfn, or an error in its place.
 * @reduced async page faults: the vCPU waits for its page
 */
export function try_async_pf(vcpu: kvm_vcpu, gfn: gfn_t, write: boolean): kvm_pfn_t {
	const slot = search_memslots(vcpu_kvm[vcpu], gfn);
	/* Its own: another vCPU may fault while this one waits for its page. */
	const writable: out<boolean> = { v: false };

	const pfn = __gfn_to_pfn_memslot(slot, gfn, false, write, writable);
	map_writable.v = writable.v;
	return pfn;
}

/** The user address of a gfn, -1 for none: what a scheduling point is about. @custom */
export function hva_of(kvm: kvm, gfn: gfn_t): number {
	const slot = search_memslots(kvm, gfn);

	return slot ? __gfn_to_hva_memslot(slot, gfn) : -1;
}

/**
 * The guest would fault again until the invalidation has ended, which only what is interrupted can
 * do.
 * @throws WouldBlock
 * @custom the vCPU spins
 */
export function wait_for_invalidation(kvm: kvm, r: number, gfn: gfn_t): void {
	if (r === RET_PF_RETRY && kvms.mmu_notifier_count[kvm] &&
	    is_page_fault_stale(kvm, kvms.mmu_notifier_seq[kvm], gfn, hva_of(kvm, gfn)))
		throw new WouldBlock('an invalidation that is under way');
}

/** RET_PF_*, or -errno. @reduced async page faults, large pages */
function direct_page_fault(
	vcpu: kvm_vcpu, gpa: number, error_code: number, prefault: boolean, is_tdp: boolean,
): number {
	const kvm = vcpu_kvm[vcpu], write = (error_code & PFERR_WRITE_MASK) !== 0;
	const gfn = Math.floor(gpa / 4096);

	if (page_fault_handle_page_track(vcpu, error_code, gfn))
		return RET_PF_EMULATE;
	let r = fast_page_fault(vcpu, gpa, error_code);
	if (r !== RET_PF_INVALID)
		return r;
	r = mmu_topup_memory_caches(vcpu, false);
	if (r)
		return r;

	const mmu_seq = kvms.mmu_notifier_seq[kvm];
	scheduling_point(POINT_SEQ, 0, hva_of(kvm, gfn));
	const pfn = try_async_pf(vcpu, gfn, write);
	const writable = map_writable.v;
	if (handle_abnormal_pfn(vcpu, is_tdp ? 0 : gpa, gfn, pfn, ACC_ALL))
		return abnormal_ret.v;
	scheduling_point(POINT_PFN, is_noslot_pfn(pfn) ? 0 : pfn, hva_of(kvm, gfn));

	r = RET_PF_RETRY;
	mmu_lock(kvm);
	out_unlock: {
		if (is_page_fault_stale(kvm, mmu_seq, gfn, hva_of(kvm, gfn)))
			break out_unlock;
		r = make_mmu_pages_available(vcpu);
		if (r)
			break out_unlock;
		r = __direct_map(vcpu, gpa, error_code, writable, pfn, prefault);
	}
	mmu_unlock(kvm);
	kvm_release_faultin_page(pfn, r === RET_PF_RETRY, writable);
	wait_for_invalidation(kvm, r, gfn);
	return r;
}

/** @ported v5.10 static */
function nonpaging_page_fault(
	vcpu: kvm_vcpu, gpa: number, error_code: number, prefault: boolean,
): number {
	return direct_page_fault(vcpu, gpa - gpa % 4096, error_code, prefault, false);
}

/** @reduced large pages: memory types of ranges forbid nothing */
function kvm_tdp_page_fault(
	vcpu: kvm_vcpu, gpa: number, error_code: number, prefault: boolean,
): number {
	return direct_page_fault(vcpu, gpa, error_code, prefault, true);
}

/** @ported v5.10 static */
export function sync_mmio_spte(
	vcpu: kvm_vcpu, sptep: sptep, gfn: gfn_t, access: number, nr_present: out<number>,
): boolean {
	if (is_mmio_spte(ram[sptep + 1]!)) {
		if (gfn !== get_mmio_spte_gfn(ram[sptep]!)) {
			mmu_spte_clear_no_track(sptep);
			return true;
		}
		nr_present.v++;
		mark_mmio_spte(vcpu, sptep, gfn, access);
		return true;
	}
	return false;
}

/* The contexts: which tables the guest has, and which KVM makes. */

/** The base of the role of a vCPU's pages. @reduced SMM, SMEP and SMAP of guests */
function kvm_calc_mmu_role(vcpu: kvm_vcpu, direct: boolean): number {
	const { cr0 } = guest_cpus;

	return ROLE_GPTE_IS_8_BYTES | (direct ? ROLE_DIRECT : 0) |
		(guest_cpus.efer[vcpu] & 0x800 ? ROLE_NXE : 0) |
		(cr0[vcpu] & 0x10000 ? ROLE_CR0_WP : 0) |
		(direct && tdp_enabled.v && shadow_accessed_mask.v === 0 ? ROLE_AD_DISABLED : 0);
}

/** @reduced guests page in long mode or not at all */
function init_kvm_tdp_mmu(vcpu: kvm_vcpu): void {
	kvm_vcpus.mmu_role[vcpu] = kvm_calc_mmu_role(vcpu, true);
	kvm_vcpus.shadow_root_level[vcpu] = PT64_ROOT_4LEVEL;
	kvm_vcpus.direct_map[vcpu] = 1;
	kvm_vcpus.root_level[vcpu] = guest_cpus.cr0[vcpu] & X86_CR0_PG ? PT64_ROOT_4LEVEL : 0;
}

/** @reduced guests page in long mode or not at all */
function init_kvm_softmmu(vcpu: kvm_vcpu): void {
	const paging = (guest_cpus.cr0[vcpu] & X86_CR0_PG) !== 0;

	kvm_vcpus.mmu_role[vcpu] = kvm_calc_mmu_role(vcpu, !paging);
	kvm_vcpus.shadow_root_level[vcpu] = paging ? PT64_ROOT_4LEVEL : PT32E_ROOT_LEVEL;
	kvm_vcpus.direct_map[vcpu] = paging ? 0 : 1;
	kvm_vcpus.root_level[vcpu] = paging ? PT64_ROOT_4LEVEL : 0;
}

/** @ported v5.10 */
function kvm_init_mmu(vcpu: kvm_vcpu): void {
	kvm_vcpus.root_hpa[vcpu] = INVALID_PAGE;
	if (tdp_enabled.v)
		init_kvm_tdp_mmu(vcpu);
	else
		init_kvm_softmmu(vcpu);
}

/** The guest's registers have changed. @ported v5.10 */
export function kvm_mmu_reset_context(vcpu: kvm_vcpu): void {
	kvm_mmu_unload(vcpu);
	kvm_init_mmu(vcpu);
}

/** @ported v5.10 arch/x86/kvm/mmu.h */
export function kvm_mmu_reload(vcpu: kvm_vcpu): number {
	if (kvm_vcpus.root_hpa[vcpu] !== INVALID_PAGE)
		return 0;
	return kvm_mmu_load(vcpu);
}

/** @ported v5.10 */
function kvm_mmu_load(vcpu: kvm_vcpu): number {
	let r = mmu_topup_memory_caches(vcpu, !kvm_vcpus.direct_map[vcpu]);

	if (r)
		return r;
	r = mmu_alloc_roots(vcpu);
	kvm_mmu_sync_roots(vcpu);
	if (r)
		return r;
	kvm_x86_load_mmu_pgd(vcpu);
	kvm_x86_tlb_flush_current(vcpu);
	return r;
}

/** @ported v5.10 */
export function kvm_mmu_unload(vcpu: kvm_vcpu): void {
	kvm_mmu_free_roots(vcpu);
}

/** @ported v5.10 static */
function need_remote_flush(old_lo: number, old_hi: number, lo: number, hi: number): boolean {
	if (!is_shadow_present_pte(old_lo, old_hi))
		return false;
	if (!is_shadow_present_pte(lo, hi))
		return true;
	if ((old_lo ^ lo) & PT64_BASE_ADDR_MASK)
		return true;
	old_hi ^= shadow_nx_mask.v;
	hi ^= shadow_nx_mask.v;
	return (old_lo & ~lo & (PT_PRESENT_MASK | PT_WRITABLE_MASK | shadow_user_mask.v |
		shadow_x_mask.v)) !== 0 || (old_hi & ~hi & shadow_nx_mask.v) !== 0;
}

/** @ported v5.10 static */
function detect_write_flooding(sp: kvm_mmu_page): boolean {
	/* A page of the lowest level can become unsync, and is not write-protected then. */
	if (sp_level(sp) === PG_LEVEL_4K)
		return false;
	return ++write_flooding_count[sp] >= 3;
}

/** @reduced entries have 8 bytes */
function detect_write_misaligned(gpa: number, bytes: number): boolean {
	const offset = gpa % 4096;

	/* Some only write the last byte, to update flags. */
	if (!(offset & 7) && bytes === 1)
		return false;
	return ((offset ^ (offset + bytes - 1)) & ~7) !== 0 || bytes < 4;
}

/** The guest has written to a page of its tables. @reduced entries have 8 bytes */
export function kvm_mmu_pte_write(vcpu: kvm_vcpu, gpa: number, bytes: number): void {
	const kvm = vcpu_kvm[vcpu], gfn = Math.floor(gpa / 4096);
	let remote_flush = false, local_flush = false;

	if (!kvms.indirect_shadow_pages[kvm])
		return;
	mmu_topup_memory_caches(vcpu, true);
	const invalid_list = list_head_enter();
	mmu_lock(kvm);
	for (let sp = hash_first(kvm, gfn); sp; sp = hash_next[sp]) {
		if (!is_gfn_indirect_valid_sp(kvm, sp, gfn))
			continue;
		if (detect_write_misaligned(gpa, bytes) || detect_write_flooding(sp)) {
			kvm_mmu_prepare_zap_page(kvm, sp, invalid_list);
			continue;
		}
		const spte = spt_of(sp) + 2 * Math.floor(gpa % 4096 / 8);
		local_flush = true;
		const lo = ram[spte]!, hi = ram[spte + 1]!;
		mmu_page_zap_pte(kvm, sp, spte);
		if (need_remote_flush(lo, hi, ram[spte]!, ram[spte + 1]!))
			remote_flush = true;
	}
	kvm_mmu_flush_or_zap(vcpu, invalid_list, remote_flush, local_flush);
	mmu_unlock(kvm);
	list_head_leave(invalid_list);
}

/** @ported v5.10 arch/x86/kvm/mmu.h */
function kvm_mmu_do_page_fault(
	vcpu: kvm_vcpu, cr2_or_gpa: number, err: number, prefault: boolean,
): number {
	if (tdp_enabled.v)
		return kvm_tdp_page_fault(vcpu, cr2_or_gpa, err, prefault);
	return kvm_vcpus.direct_map[vcpu]
		? nonpaging_page_fault(vcpu, cr2_or_gpa, err, prefault)
		: paging64_page_fault(vcpu, cr2_or_gpa, err, prefault);
}

/**
 * A fault of the guest that KVM handles: 1 the guest goes on, 0 user space is to look, -errno.
 * @param error_code with PFERR_* of bits 32 up
 * @reduced guests in guests
 */
export function kvm_mmu_page_fault(
	vcpu: kvm_vcpu, cr2_or_gpa: number, error_code: number,
): number {
	const direct = kvm_vcpus.direct_map[vcpu] !== 0;
	const err = error_code % 2 ** 32;
	let r = RET_PF_INVALID;

	if (WARN_ON_ONCE(kvm_vcpus.root_hpa[vcpu] === INVALID_PAGE, 'a fault without a root'))
		return RET_PF_RETRY;
	if (err & PFERR_RSVD_MASK) {
		r = handle_mmio_page_fault(vcpu, cr2_or_gpa, direct);
		if (r === RET_PF_EMULATE)
			return x86_emulate_instruction(vcpu, cr2_or_gpa);
	}
	if (r === RET_PF_INVALID) {
		r = kvm_mmu_do_page_fault(vcpu, cr2_or_gpa, err, false);
		if (WARN_ON_ONCE(r === RET_PF_INVALID, 'a fault with no outcome'))
			return -EIO;
	}
	if (r < 0)
		return r;
	if (r !== RET_PF_EMULATE)
		return 1;
	return x86_emulate_instruction(vcpu, cr2_or_gpa);
}

type slot_level_handler = (kvm: kvm, rmap_head: kvm_rmap_head) => number;

/** Nonzero if TLBs must be flushed. @ported v5.10 static */
function slot_handle_level(
	kvm: kvm, memslot: kvm_memory_slot, fn: slot_level_handler, start_level: number,
): number {
	let flush = 0;

	for (let level = start_level; level <= KVM_MAX_HUGEPAGE_LEVEL; level++) {
		const first = __gfn_to_rmap(base_gfn[memslot], level, memslot);
		const last = __gfn_to_rmap(base_gfn[memslot] + npages[memslot] - 1, level, memslot);
		for (let rmap = first; rmap <= last; rmap++)
			flush |= fn(kvm, rmap);
	}
	return flush;
}

/** -ENOMEM where there is no page for the roots of PAE. @ported v5.10 */
export function kvm_mmu_create(vcpu: kvm_vcpu): number {
	kvm_vcpus.root_hpa[vcpu] = INVALID_PAGE;
	if (tdp_enabled.v)
		return 0;
	const page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!page)
		return -ENOMEM;
	kvm_vcpus.pae_root[vcpu] = page;
	return 0;
}

/** @ported v5.10 static; the lock is never broken for others */
function kvm_zap_obsolete_pages(kvm: kvm): void {
	const head = kvms.active_mmu_pages(kvm), zapped = kvms.zapped_obsolete_pages(kvm);

	restart: for (;;) {
		for (let l = list_prev[head], before; l !== head; l = before) {
			before = list_prev[l];
			const sp = link.container_of(l);
			/* None is older than a new one: the list is a queue. */
			if (!is_obsolete_sp(kvm, sp))
				break;
			if (WARN_ON_ONCE((sp_role[sp] & ROLE_INVALID) !== 0,
				'an invalid page is on the list of active ones'))
				continue;
			if (__kvm_mmu_prepare_zap_page(kvm, sp, zapped))
				continue restart;
		}
		break;
	}
	kvm_mmu_commit_zap_page(kvm, zapped);
}

/** All pages become obsolete at once, and go. @ported v5.10 static */
function kvm_mmu_zap_all_fast(kvm: kvm): void {
	mmu_lock(kvm);
	trace_kvm_mmu_zap_all_fast(kvm);
	kvms.mmu_valid_gen[kvm] = kvms.mmu_valid_gen[kvm] ? 0 : 1;
	kvm_reload_remote_mmus(kvm);
	kvm_zap_obsolete_pages(kvm);
	mmu_unlock(kvm);
}

/** A slot goes or moves. @ported v5.10 static */
export function kvm_mmu_invalidate_zap_pages_in_memslot(kvm: kvm): void {
	kvm_mmu_zap_all_fast(kvm);
}

/** @ported v5.10 */
export function kvm_mmu_init_vm(kvm: kvm): void {
	INIT_LIST_HEAD(kvms.active_mmu_pages(kvm));
	INIT_LIST_HEAD(kvms.zapped_obsolete_pages(kvm));
}

/** @ported v5.10 static */
function slot_rmap_write_protect(_kvm: kvm, rmap_head: kvm_rmap_head): number {
	return __rmap_write_protect(rmap_head, false) ? 1 : 0;
}

/** @ported v5.10 */
export function kvm_mmu_slot_remove_write_access(
	kvm: kvm, memslot: kvm_memory_slot, start_level: number,
): void {
	mmu_lock(kvm);
	const flush = slot_handle_level(kvm, memslot, slot_rmap_write_protect, start_level);
	mmu_unlock(kvm);
	/* Out of the lock: what was made read-only can only be made writable again. */
	if (flush)
		kvm_flush_remote_tlbs(kvm);
}

/** @ported v5.10 */
export function kvm_mmu_zap_all(kvm: kvm): void {
	const head = kvms.active_mmu_pages(kvm);
	const invalid_list = list_head_enter();

	mmu_lock(kvm);
	restart: for (;;) {
		for (let l = list_next[head], next; l !== head; l = next) {
			next = list_next[l];
			if (__kvm_mmu_prepare_zap_page(kvm, link.container_of(l), invalid_list))
				continue restart;
		}
		break;
	}
	kvm_mmu_commit_zap_page(kvm, invalid_list);
	mmu_unlock(kvm);
	list_head_leave(invalid_list);
}

/** @ported v5.10 */
export function kvm_mmu_invalidate_mmio_sptes(kvm: kvm, gen: number): void {
	gen %= MMIO_SPTE_GEN_MASK + 1;
	gen -= gen % 2;
	/* Generations have come round: old entries would look new. */
	if (gen === 0)
		kvm_mmu_zap_all_fast(kvm);
}

/** @ported v5.10 */
export function kvm_mmu_calculate_default_mmu_pages(kvm: kvm): number {
	let nr_pages = 0;

	for (let i = 0; i < kvms.used_slots[kvm]; i++)
		nr_pages += npages[memslot_at(kvm, i)];
	return Math.max(Math.floor(nr_pages * KVM_PERMILLE_MMU_PAGES / 1000),
		KVM_MIN_ALLOC_MMU_PAGES);
}

/** @ported v5.10 */
export function kvm_mmu_destroy(vcpu: kvm_vcpu): void {
	kvm_mmu_unload(vcpu);
	if (kvm_vcpus.pae_root[vcpu])
		__free_page(kvm_vcpus.pae_root[vcpu]);
	kvm_vcpus.pae_root[vcpu] = 0 as page;
	mmu_free_memory_caches(vcpu);
}
