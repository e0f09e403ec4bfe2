// SPDX-License-Identifier: GPL-2.0-only
/*
 * virt/kvm/kvm_main.c, v5.10
 * Left out: what is not about memory (interrupts, devices, halts, statistics); the second address
 *	space; mapping of guest pages into the kernel; device memory; async page faults.
 * Lock order modelled: slots_lock > srcu > mmap_lock > mmu_lock. The slots are changed in place,
 *	when no vCPU is within srcu; who would wait for that throws WouldBlock before it changes
 *	anything.
 */
import { MMU_READ, MMU_USER, MMU_WRITE, mmu_access } from '../arch/mmu.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { ram } from '../arch/ram.ts';
import { guest_cpus, use_guest_cpu } from '../arch/nested.ts';
import { BUG_ON, VM_BUG_ON, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { applied, KVM_AVOID_PFN_TO_PAGE_WHEN_RELEASING_PAGES,
	KVM_DELETE_CHANGE_PTE_MMU_NOTIFIER_CALLBACK,
	KVM_DONT_EMIT_TLB_FLUSHES_WHEN_AGING_SPTES, KVM_DONT_MARK_UNUSED_FAULTIN_PAGES_AS_ACCESSED,
	KVM_DONT_TAKE_MMU_LOCK_FOR_RANGE_INVALIDATION, KVM_FIX_APIC_PAGE_INVALIDATION_RACE,
	KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE, KVM_USE_GFN_FOR_MMU_NOTIFIER_RETRY,
	KVM_USE_STANDARD_HOOKS_FOR_APIC_ACCESS_PAGE } from '../lib/commits.ts';
import { EEXIST, EFAULT, EHWPOISON, EINVAL, EIO, ENOENT, ENOMEM } from '../lib/errno.ts';
import { kmem_cache_free, kmem_cache_zalloc, use_rows, type out } from '../lib/struct.ts';
import { current, smp_processor_id } from '../mm/current.ts';
import { FAULT_OOM, FAULT_WOULD_BLOCK, fault_result } from '../mm/fault.ts';
import { mmdrop, mmgrab } from '../mm/fork.ts';
import { get_user_page_fast_only, get_user_pages, get_user_pages_unlocked } from '../mm/gup.ts';
import { FOLL_HWPOISON, FOLL_WRITE, mmap_read_lock, mmap_read_unlock, put_page } from '../mm/mm.ts';
import { tasks, type mm_struct, type page, type pte_t } from '../mm/mm_types.ts';
import { follow_pte, is_zero_pfn } from '../mm/memory.ts';
import { mmu_notifiers, mmu_notifier_register, mmu_notifier_unregister,
	register_mmu_notifier_ops, type mmu_notifier } from '../mm/mmu_notifier.ts';
import { pfn_valid } from '../mm/page_alloc.ts';
import { PageReserved } from '../mm/page_flags.ts';
import type { mmu_notifier_range } from '../mm/rmap_types.ts';
import { __gfn_to_hva_memslot, KVM_ADDRESS_SPACE_NUM, KVM_HVA_ERR_BAD, KVM_HVA_ERR_RO_BAD,
	KVM_MAX_VCPUS, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_MAX_NR_PAGES, KVM_MEM_READONLY,
	KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS, KVM_MEMSLOT_INVALID, KVM_MEM_SLOTS_NUM, KVM_MR_CREATE,
	KVM_MR_DELETE, KVM_MR_FLAGS_ONLY, KVM_MR_MOVE, KVM_PFN_ERR_FAULT, KVM_PFN_ERR_HWPOISON,
	KVM_PFN_ERR_RO_FAULT, KVM_PFN_NOSLOT, KVM_REQ_MMU_RELOAD, KVM_REQ_TLB_FLUSH,
	KVM_USER_MEM_SLOTS, hva_to_gfn_memslot, is_error_noslot_pfn, kvm_get_vcpu,
	kvm_is_error_hva, kvm_make_request,
	kvm_memory_slots, kvm_vcalloc, kvm_vcpus, kvm_vfree, kvm_words, kvms, memslot_at, mmu_lock,
	mmu_unlock, search_memslots, synchronize_kvm_srcu, type gfn_t, type kvm,
	type kvm_memory_slot, type kvm_pfn_t, type kvm_vcpu } from './kvm_host.ts';
import { kvm_age_hva, kvm_arch_mmu_enable_log_dirty_pt_masked, kvm_mmu_create, kvm_mmu_destroy,
	kvm_mmu_init_vm, kvm_mmu_reset_context, kvm_mmu_unload, kvm_set_pfn_accessed,
	kvm_set_pfn_dirty, kvm_set_spte_hva, kvm_test_age_hva, kvm_unmap_hva_range, map_writable }
	from './mmu.ts';
import { logged } from './notifier_log.ts';
import { clear_arch, guest_programs, kvm_arch_commit_memory_region, kvm_arch_flush_shadow_all,
	kvm_arch_flush_shadow_memslot, kvm_arch_free_memslot, kvm_arch_memslots_updated,
	kvm_arch_prepare_memory_region, kvm_arch_vcpu_ioctl_run, type guest_instruction }
	from './x86.ts';

const { mm: kvm_mm, memslots, used_slots, lru_slot, generation, mmu_notifier_seq,
	mmu_notifier_count, mmu_notifier_range_start, mmu_notifier_range_end, tlbs_dirty,
	mn_active_invalidate_count } = kvms;
const { base_gfn, npages, userspace_addr, flags: slot_flags, id: slot_id, dirty_bitmap } =
	kvm_memory_slots;
const NO_SLOT = 0 as kvm_memory_slot;
/* TASK_SIZE_MAX with four levels */
const USER_END = 2 ** 47 - 4096;

/** @reduced no device memory */
export function kvm_is_reserved_pfn(pfn: kvm_pfn_t): boolean {
	if (pfn_valid(pfn))
		return PageReserved(pfn as page) && !is_zero_pfn(pfn);
	return true;
}

/** @reduced a vCPU is in guest mode only while nobody else runs, so nobody is kicked out of it */
function kvm_make_all_cpus_request(kvm: kvm, req: number): void {
	for (let i = 0; i < kvms.created_vcpus[kvm]; i++)
		kvm_make_request(req, kvm_get_vcpu(kvm, i));
}

/** Before a vCPU enters its guest again, its TLB is flushed. @ported v5.10 */
export function kvm_flush_remote_tlbs(kvm: kvm): void {
	kvm_make_all_cpus_request(kvm, KVM_REQ_TLB_FLUSH);
	tlbs_dirty[kvm] = 0;
}

/** @ported v5.10 */
export function kvm_reload_remote_mmus(kvm: kvm): void {
	kvm_make_all_cpus_request(kvm, KVM_REQ_MMU_RELOAD);
}

/** @ported v5.10 static */
function kvm_flush_shadow_all(kvm: kvm): void {
	kvm_arch_flush_shadow_all(kvm);
}

/** @ported v5.10 */
function kvm_vcpu_destroy(vcpu: kvm_vcpu): void {
	kvm_mmu_destroy(vcpu);
	kmem_cache_free(kvm_vcpus, vcpu);
}

/** @ported v5.10 static */
function mmu_notifier_to_kvm(mn: mmu_notifier): kvm {
	return mmu_notifiers.container[mn] as kvm;
}

/** @reduced x86 reloads the page of its APIC where the range has it; no guest has an APIC */
function kvm_mmu_notifier_invalidate_range(
	_mn: mmu_notifier, _mm: mm_struct, _start: number, _end: number,
): void {}

/** @ported v5.10 static */
function kvm_mmu_notifier_change_pte(
	mn: mmu_notifier, _mm: mm_struct, address: number, pte: pte_t, _pte_hi: number,
): void {
	const kvm = mmu_notifier_to_kvm(mn);

	mmu_lock(kvm);
	mmu_notifier_seq[kvm]++;
	if (kvm_set_spte_hva(kvm, address, pte))
		kvm_flush_remote_tlbs(kvm);
	mmu_unlock(kvm);
}

/** Whether a range meets a slot. @custom what __kvm_handle_hva_range() of v5.15 looks for */
function hva_range_has_slot(kvm: kvm, start: number, end: number): boolean {
	for (let i = 0; i < used_slots[kvm]; i++) {
		const slot = memslot_at(kvm, i);

		if (start < userspace_addr[slot] + npages[slot] * PAGE_SIZE &&
		    end > userspace_addr[slot])
			return true;
	}
	return false;
}

/** @ported v6.1; kvm_mmu_invalidate_range_add() of v6.12 for gfns */
function kvm_mmu_invalidate_range_add(kvm: kvm, first: boolean, start: number, end: number): void {
	/* Of several at once, the range from the lowest to the highest. */
	mmu_notifier_range_start[kvm] = first ? start
		: Math.min(mmu_notifier_range_start[kvm], start);
	mmu_notifier_range_end[kvm] = first ? end : Math.max(mmu_notifier_range_end[kvm], end);
}

/** @ported v6.1; by gfns in kvm_mmu_unmap_gfn_range() of v6.12 */
function kvm_mmu_invalidate_begin(kvm: kvm, start: number, end: number): void {
	let first = ++mmu_notifier_count[kvm] === 1;

	if (!applied(KVM_USE_GFN_FOR_MMU_NOTIFIER_RETRY /* 8569992d64b8, v6.8 */)) {
		kvm_mmu_invalidate_range_add(kvm, first, start, end);
		return;
	}
	for (let i = 0; i < used_slots[kvm]; i++) {
		const slot = memslot_at(kvm, i);
		const hva_start = Math.max(start, userspace_addr[slot]);
		const hva_end = Math.min(end, userspace_addr[slot] + npages[slot] * PAGE_SIZE);

		if (hva_start >= hva_end)
			continue;
		kvm_mmu_invalidate_range_add(kvm, first, hva_to_gfn_memslot(hva_start, slot),
			hva_to_gfn_memslot(hva_end + PAGE_SIZE - 1, slot));
		first = false;
	}
}

/** Always 0: it never sleeps. @ported v5.10 static */
function kvm_mmu_notifier_invalidate_range_start(
	mn: mmu_notifier, range: mmu_notifier_range,
): number {
	const kvm = mmu_notifier_to_kvm(mn);

	/* Until the end no slot comes or goes, so that the end finds what the start found. */
	mn_active_invalidate_count[kvm]++;
	if (applied(KVM_DONT_TAKE_MMU_LOCK_FOR_RANGE_INVALIDATION /* 071064f14d87, v5.15 */) &&
	    !hva_range_has_slot(kvm, range.start, range.end))
		return 0;
	mmu_lock(kvm);
	/* Raised before the lock is dropped: no SPTE is made from now on. */
	kvm_mmu_invalidate_begin(kvm, range.start, range.end);
	const need_tlb_flush = kvm_unmap_hva_range(kvm, range.start, range.end);
	if (need_tlb_flush || tlbs_dirty[kvm])
		kvm_flush_remote_tlbs(kvm);
	mmu_unlock(kvm);
	return 0;
}

/** @ported v5.10 static */
function kvm_mmu_notifier_invalidate_range_end(
	mn: mmu_notifier, range: mmu_notifier_range,
): void {
	const kvm = mmu_notifier_to_kvm(mn);

	mn_active_invalidate_count[kvm]--;
	if (applied(KVM_DONT_TAKE_MMU_LOCK_FOR_RANGE_INVALIDATION /* 071064f14d87, v5.15 */) &&
	    !hva_range_has_slot(kvm, range.start, range.end))
		return;
	mmu_lock(kvm);
	/* Whoever has looked up a page before now must do so again. */
	mmu_notifier_seq[kvm]++;
	mmu_notifier_count[kvm]--;
	mmu_unlock(kvm);
	BUG_ON(mmu_notifier_count[kvm] < 0, 'more invalidations end than began');
}

/**
 * What kernels before 369ea8242c0f tell of a page that try_to_unmap_one() has unmapped: there is no
 * count then, so the seq alone turns a fault back. @ported v4.12 static
 */
function kvm_mmu_notifier_invalidate_page(
	mn: mmu_notifier, _mm: mm_struct, address: number,
): void {
	const kvm = mmu_notifier_to_kvm(mn);

	mmu_lock(kvm);
	mmu_notifier_seq[kvm]++;
	const need_tlb_flush = kvm_unmap_hva_range(kvm, address, address + PAGE_SIZE);
	if (need_tlb_flush || tlbs_dirty[kvm])
		kvm_flush_remote_tlbs(kvm);
	mmu_unlock(kvm);
}

/** @ported v5.10 static */
function kvm_mmu_notifier_clear_flush_young(
	mn: mmu_notifier, _mm: mm_struct, start: number, end: number,
): number {
	const kvm = mmu_notifier_to_kvm(mn);

	mmu_lock(kvm);
	const young = kvm_age_hva(kvm, start, end);
	if (young && !applied(KVM_DONT_EMIT_TLB_FLUSHES_WHEN_AGING_SPTES
		/* b9883ee40d7e, v6.13 */))
		kvm_flush_remote_tlbs(kvm);
	mmu_unlock(kvm);
	return young;
}

/** Without a flush: an access by a cached translation is not seen. @ported v5.10 static */
function kvm_mmu_notifier_clear_young(
	mn: mmu_notifier, _mm: mm_struct, start: number, end: number,
): number {
	const kvm = mmu_notifier_to_kvm(mn);

	mmu_lock(kvm);
	const young = kvm_age_hva(kvm, start, end);
	mmu_unlock(kvm);
	return young;
}

/** @ported v5.10 static */
function kvm_mmu_notifier_test_young(
	mn: mmu_notifier, _mm: mm_struct, address: number,
): number {
	const kvm = mmu_notifier_to_kvm(mn);

	mmu_lock(kvm);
	const young = kvm_test_age_hva(kvm, address);
	mmu_unlock(kvm);
	return young;
}

/** @ported v5.10 static */
function kvm_mmu_notifier_release(mn: mmu_notifier, _mm: mm_struct): void {
	kvm_flush_shadow_all(mmu_notifier_to_kvm(mn));
}

/** With one, both or none of the two callbacks that came and went. @custom constant in C */
const with_ops = (invalidate_range: boolean, change_pte: boolean): number =>
	register_mmu_notifier_ops(logged({
		name: 'kvm',
		...(invalidate_range ? { invalidate_range: kvm_mmu_notifier_invalidate_range }
			: {}),
		invalidate_range_start: kvm_mmu_notifier_invalidate_range_start,
		invalidate_range_end: kvm_mmu_notifier_invalidate_range_end,
		invalidate_page: kvm_mmu_notifier_invalidate_page,
		clear_flush_young: kvm_mmu_notifier_clear_flush_young,
		clear_young: kvm_mmu_notifier_clear_young,
		test_young: kvm_mmu_notifier_test_young,
		...(change_pte ? { change_pte: kvm_mmu_notifier_change_pte } : {}),
		release: kvm_mmu_notifier_release,
	}));
/* Indices, by which of the two there are. */
const kvm_mmu_notifier_ops = [with_ops(false, false), with_ops(false, true),
	with_ops(true, false), with_ops(true, true)] as const;

/** @ported v5.10 static */
function kvm_init_mmu_notifier(kvm: kvm): number {
	const mn = kmem_cache_zalloc(mmu_notifiers);
	const invalidate_range =
		applied(KVM_FIX_APIC_PAGE_INVALIDATION_RACE /* e649b3f0188f, v5.8 */) &&
		!applied(KVM_USE_STANDARD_HOOKS_FOR_APIC_ACCESS_PAGE /* 0a8a5f2c8c26, v6.5 */);
	const change_pte =
		!applied(KVM_DELETE_CHANGE_PTE_MMU_NOTIFIER_CALLBACK /* f3b65bbaed7c, v6.10 */);

	if (!mn)
		return -ENOMEM;
	mmu_notifiers.ops[mn] =
		kvm_mmu_notifier_ops[(invalidate_range ? 2 : 0) + (change_pte ? 1 : 0)]!;
	mmu_notifiers.container[mn] = kvm;
	kvms.mmu_notifier[kvm] = mn;
	const r = mmu_notifier_register(mn, tasks.mm[current()]);
	/* In C it is part of the VM. */
	if (r)
		kmem_cache_free(mmu_notifiers, mn);
	return r;
}

/** @ported v5.10 static */
function kvm_destroy_dirty_bitmap(memslot: kvm_memory_slot): void {
	kvm_vfree(dirty_bitmap[memslot]);
	dirty_bitmap[memslot] = 0;
}

/** @ported v5.10 static; the slot's row is freed with it */
function kvm_free_memslot(kvm: kvm, slot: kvm_memory_slot): void {
	kvm_destroy_dirty_bitmap(slot);
	kvm_arch_free_memslot(kvm, slot);
	kmem_cache_free(kvm_memory_slots, slot);
}

/** KVM_CREATE_VM of the running task: the VM, or -ENOMEM. @reduced to what is about memory */
export function kvm_create_vm(): number {
	const kvm = kmem_cache_zalloc(kvms);

	if (!kvm)
		return -ENOMEM;
	mmgrab(tasks.mm[current()]);
	kvm_mm[kvm] = tasks.mm[current()];
	kvms.users_count[kvm] = 1;
	kvm_mmu_init_vm(kvm);
	const r = kvm_init_mmu_notifier(kvm);
	if (r) {
		mmdrop(kvm_mm[kvm]);
		kmem_cache_free(kvms, kvm);
		return r;
	}
	return kvm;
}

/** @ported v5.10 static */
function kvm_destroy_vm(kvm: kvm): void {
	const mm = kvm_mm[kvm];

	mmu_notifier_unregister(kvms.mmu_notifier[kvm], mm);
	kmem_cache_free(mmu_notifiers, kvms.mmu_notifier[kvm]);
	/* kvm_arch_destroy_vm(): kvm_free_vcpus() */
	for (let i = 0; i < kvms.created_vcpus[kvm]; i++)
		kvm_mmu_unload(kvm_get_vcpu(kvm, i));
	for (let i = 0; i < kvms.created_vcpus[kvm]; i++)
		kvm_vcpu_destroy(kvm_get_vcpu(kvm, i));
	for (let i = 0; i < used_slots[kvm]; i++)
		kvm_free_memslot(kvm, memslot_at(kvm, i));
	VM_BUG_ON(kvms.n_used_mmu_pages[kvm] !== 0, 'a VM goes and leaves shadow pages');
	kmem_cache_free(kvms, kvm);
	mmdrop(mm);
}

/** @ported v5.10 */
export function kvm_get_kvm(kvm: kvm): void {
	kvms.users_count[kvm]++;
}

/** @ported v5.10 */
export function kvm_put_kvm(kvm: kvm): void {
	if (--kvms.users_count[kvm] === 0)
		kvm_destroy_vm(kvm);
}

/* Two bitmaps, the second for who reads the first. */
/** @ported v5.10 static; words of 32 pages */
function kvm_alloc_dirty_bitmap(memslot: kvm_memory_slot): number {
	dirty_bitmap[memslot] = kvm_vcalloc(2 * dirty_bitmap_words(memslot));
	return dirty_bitmap[memslot] ? 0 : -ENOMEM;
}

/** @ported v5.10 include/linux/kvm_host.h:kvm_dirty_bitmap_bytes(), in words */
export function dirty_bitmap_words(memslot: kvm_memory_slot): number {
	return Math.ceil(npages[memslot] / 64) * 2;
}

/** The index of a slot in memslots, -1 for none. @custom slots->id_to_index[id] */
function id_to_index(kvm: kvm, id: number): number {
	for (let i = 0; i < used_slots[kvm]; i++)
		if (slot_id[memslot_at(kvm, i)] === id)
			return i;
	return -1;
}

/** The slot of a number, 0 for none. @ported v5.10 include/linux/kvm_host.h */
export function id_to_memslot(kvm: kvm, id: number): kvm_memory_slot {
	const i = id_to_index(kvm, id);

	return i < 0 ? NO_SLOT : memslot_at(kvm, i);
}

/** @custom slots->memslots[i] = slot */
function set_memslot_at(kvm: kvm, i: number, slot: kvm_memory_slot): void {
	memslots[kvm * KVM_MEM_SLOTS_NUM + i] = slot;
}

/** @ported v5.10 static */
function kvm_memslot_delete(kvm: kvm, id: number): void {
	let i = id_to_index(kvm, id);

	if (WARN_ON_ONCE(i < 0, 'a slot is deleted that is not there'))
		return;
	used_slots[kvm]--;
	if (lru_slot[kvm] >= used_slots[kvm])
		lru_slot[kvm] = 0;
	for (; i < used_slots[kvm]; i++)
		set_memslot_at(kvm, i, memslot_at(kvm, i + 1));
	set_memslot_at(kvm, i, NO_SLOT);
}

/** @ported v5.10 static */
function kvm_memslot_insert_back(kvm: kvm): number {
	return used_slots[kvm]++;
}

/** @ported v5.10 static */
function kvm_memslot_move_backward(kvm: kvm, memslot: kvm_memory_slot): number {
	let i = id_to_index(kvm, slot_id[memslot]);

	for (; i < used_slots[kvm] - 1; i++) {
		const next = memslot_at(kvm, i + 1);

		if (base_gfn[memslot] > base_gfn[next])
			break;
		WARN_ON_ONCE(base_gfn[memslot] === base_gfn[next], 'two slots at one gfn');
		set_memslot_at(kvm, i, next);
	}
	return i;
}

/** @ported v5.10 static */
function kvm_memslot_move_forward(kvm: kvm, memslot: kvm_memory_slot, start: number): number {
	let i = start;

	for (; i > 0; i--) {
		const before = memslot_at(kvm, i - 1);

		if (base_gfn[memslot] < base_gfn[before])
			break;
		WARN_ON_ONCE(base_gfn[memslot] === base_gfn[before], 'two slots at one gfn');
		set_memslot_at(kvm, i, before);
	}
	return i;
}

/** Slots are sorted by falling gfn. @ported v5.10 static */
function update_memslots(kvm: kvm, memslot: kvm_memory_slot, change: number): void {
	if (change === KVM_MR_DELETE) {
		kvm_memslot_delete(kvm, slot_id[memslot]);
		return;
	}
	let i = change === KVM_MR_CREATE ? kvm_memslot_insert_back(kvm)
		: kvm_memslot_move_backward(kvm, memslot);
	i = kvm_memslot_move_forward(kvm, memslot, i);
	set_memslot_at(kvm, i, memslot);
}

/** @ported v5.10 static */
function check_memory_region_flags(flags: number): number {
	return flags & ~(KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY) ? -EINVAL : 0;
}

/** @ported v5.10 static; the slots are in place already */
function install_new_memslots(kvm: kvm): void {
	WARN_ON_ONCE(generation[kvm] >= KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS,
		'slots are changed while they are changed');
	generation[kvm] += KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS;
	synchronize_kvm_srcu(kvm);
	generation[kvm] -= KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS;
	const gen = generation[kvm] + KVM_ADDRESS_SPACE_NUM;
	kvm_arch_memslots_updated(kvm, gen);
	generation[kvm] = gen;
}

/** @ported v5.10 static; the slots are changed in place */
function kvm_set_memslot(
	kvm: kvm, old: kvm_memory_slot, memslot: kvm_memory_slot, change: number,
): number {
	/* Who would have to wait for a vCPU does so before anything is changed. */
	synchronize_kvm_srcu(kvm);
	if (applied(KVM_DONT_TAKE_MMU_LOCK_FOR_RANGE_INVALIDATION /* 071064f14d87, v5.15 */) &&
	    mn_active_invalidate_count[kvm])
		throw new WouldBlock('an invalidation that is under way');
	if (change === KVM_MR_DELETE || change === KVM_MR_MOVE) {
		slot_flags[old] |= KVM_MEMSLOT_INVALID;
		install_new_memslots(kvm);
		/* No page of the slot is mapped from now on. */
		kvm_arch_flush_shadow_memslot(kvm, old);
	}

	const r = kvm_arch_prepare_memory_region(kvm, memslot, npages[memslot], change);
	if (r) {
		if (change === KVM_MR_DELETE || change === KVM_MR_MOVE) {
			slot_flags[old] &= ~KVM_MEMSLOT_INVALID;
			install_new_memslots(kvm);
		}
		return r;
	}
	update_memslots(kvm, memslot, change);
	install_new_memslots(kvm);
	kvm_arch_commit_memory_region(kvm, memslot, change);
	return 0;
}

/** @ported v5.10 static */
function kvm_delete_memslot(kvm: kvm, old: kvm_memory_slot): number {
	if (!old)
		return -EINVAL;
	const r = kvm_set_memslot(kvm, old, old, KVM_MR_DELETE);
	if (r)
		return r;
	kvm_free_memslot(kvm, old);
	return 0;
}

/** struct kvm_userspace_memory_region */
export interface kvm_userspace_memory_region {
	/** Its number; from 512 on they are the kernel's. */
	readonly slot: number;
	/** KVM_MEM_* */
	readonly flags: number;
	/** bytes */
	readonly guest_phys_addr: number;
	/** bytes; 0 deletes the slot */
	readonly memory_size: number;
	readonly userspace_addr: number;
}

/** 0 or -errno. @ported v5.10; numbers of 2^53 bytes and more are none */
export function __kvm_set_memory_region(kvm: kvm, mem: kvm_userspace_memory_region): number {
	let r = check_memory_region_flags(mem.flags);
	if (r)
		return r;
	const id = mem.slot % 0x10000;

	if (mem.memory_size % 4096 !== 0)
		return -EINVAL;
	if (mem.guest_phys_addr % 4096 !== 0)
		return -EINVAL;
	if (mem.userspace_addr % 4096 !== 0 || mem.userspace_addr < 0 ||
	    mem.userspace_addr + mem.memory_size > USER_END)
		return -EINVAL;
	if (mem.slot >= 0x10000 || id >= KVM_MEM_SLOTS_NUM)
		return -EINVAL;

	const old = id_to_memslot(kvm, id);
	if (!mem.memory_size)
		return kvm_delete_memslot(kvm, old);

	const gfn = mem.guest_phys_addr / 4096, nr = mem.memory_size / 4096;
	if (nr > KVM_MEM_MAX_NR_PAGES)
		return -EINVAL;

	let change: number;
	if (!old) {
		change = KVM_MR_CREATE;
	} else {
		if (mem.userspace_addr !== userspace_addr[old] || nr !== npages[old] ||
		    (mem.flags ^ slot_flags[old]) & KVM_MEM_READONLY)
			return -EINVAL;
		if (gfn !== base_gfn[old])
			change = KVM_MR_MOVE;
		else if (mem.flags !== slot_flags[old])
			change = KVM_MR_FLAGS_ONLY;
		else
			return 0;
	}

	if (change === KVM_MR_CREATE || change === KVM_MR_MOVE) {
		for (let i = 0; i < used_slots[kvm]; i++) {
			const tmp = memslot_at(kvm, i);

			if (tmp === old)
				continue;
			if (!(gfn + nr <= base_gfn[tmp] || gfn >= base_gfn[tmp] + npages[tmp]))
				return -EEXIST;
		}
	}

	const memslot = kmem_cache_zalloc(kvm_memory_slots);
	if (!memslot)
		return -ENOMEM;
	kvm_memory_slots.kvm[memslot] = kvm;
	slot_id[memslot] = id;
	base_gfn[memslot] = gfn;
	npages[memslot] = nr;
	slot_flags[memslot] = mem.flags;
	userspace_addr[memslot] = mem.userspace_addr;
	if (old) {
		dirty_bitmap[memslot] = dirty_bitmap[old];
		if (change === KVM_MR_FLAGS_ONLY)
			copy_arch(memslot, old);
	}
	const had = dirty_bitmap[memslot];
	if (!(mem.flags & KVM_MEM_LOG_DIRTY_PAGES)) {
		dirty_bitmap[memslot] = 0;
	} else if (!had) {
		r = kvm_alloc_dirty_bitmap(memslot);
	}
	try {
		r ||= kvm_set_memslot(kvm, old, memslot, change);
	} catch (error) {
		drop_new(kvm, memslot, had, change);
		throw error;
	}
	if (r) {
		drop_new(kvm, memslot, had, change);
		return r;
	}
	if (!old)
		return 0;

	/* What the new slot has taken over is not freed with the old one. */
	if (dirty_bitmap[memslot])
		dirty_bitmap[old] = 0;
	if (change === KVM_MR_FLAGS_ONLY)
		clear_arch(old);
	kvm_free_memslot(kvm, old);
	return 0;
}

/** @custom memcpy(&new.arch, &old.arch) */
function copy_arch(to: kvm_memory_slot, from: kvm_memory_slot): void {
	kvm_memory_slots.rmap_4k[to] = kvm_memory_slots.rmap_4k[from];
	kvm_memory_slots.rmap_2m[to] = kvm_memory_slots.rmap_2m[from];
	kvm_memory_slots.rmap_1g[to] = kvm_memory_slots.rmap_1g[from];
	kvm_memory_slots.gfn_track[to] = kvm_memory_slots.gfn_track[from];
}

/** A slot that was not installed goes, with what is its own. @custom out_bitmap */
function drop_new(kvm: kvm, memslot: kvm_memory_slot, had: number, change: number): void {
	if (dirty_bitmap[memslot] === had)
		dirty_bitmap[memslot] = 0;
	if (change === KVM_MR_FLAGS_ONLY)
		clear_arch(memslot);
	kvm_free_memslot(kvm, memslot);
}

/** KVM_SET_USER_MEMORY_REGION: 0 or -errno. @ported v5.10 static */
export function kvm_vm_ioctl_set_memory_region(
	kvm: kvm, mem: kvm_userspace_memory_region,
): number {
	if (mem.slot % 0x10000 >= KVM_USER_MEM_SLOTS)
		return -EINVAL;
	return __kvm_set_memory_region(kvm, mem);
}

/**
 * KVM_GET_DIRTY_LOG: pages of a slot that the guest has written since the last time, by their
 * bits; they are write-protected again. 0 or -errno.
 * @ported v5.10; words of 32 pages
 */
export function kvm_vm_ioctl_get_dirty_log(kvm: kvm, slot: number, log: number[]): number {
	const memslot = id_to_memslot(kvm, slot);

	if (slot >= KVM_USER_MEM_SLOTS)
		return -EINVAL;
	if (!memslot || !dirty_bitmap[memslot])
		return -ENOENT;
	const bitmap = dirty_bitmap[memslot], n = dirty_bitmap_words(memslot), buffer = bitmap + n;
	let flush = false;

	kvm_words.fill(0, buffer, buffer + n);
	mmu_lock(kvm);
	for (let i = 0; i < n; i++) {
		const mask = kvm_words[bitmap + i]!;

		if (!mask)
			continue;
		flush = true;
		kvm_words[bitmap + i] = 0;
		kvm_words[buffer + i] = mask;
		kvm_arch_mmu_enable_log_dirty_pt_masked(kvm, memslot, i * 32, mask);
	}
	mmu_unlock(kvm);
	if (flush)
		kvm_flush_remote_tlbs(kvm);
	for (let i = 0; i < n; i++)
		log.push(kvm_words[buffer + i]!);
	return 0;
}

/** @ported v5.10 include/linux/kvm_host.h */
export function kvm_is_visible_memslot(memslot: kvm_memory_slot): boolean {
	return memslot !== 0 && slot_id[memslot] < KVM_USER_MEM_SLOTS &&
		!(slot_flags[memslot] & KVM_MEMSLOT_INVALID);
}

/** @ported v5.10 static */
function memslot_is_readonly(slot: kvm_memory_slot): boolean {
	return (slot_flags[slot] & KVM_MEM_READONLY) !== 0;
}

/** The user address of a gfn, or KVM_HVA_ERR_*. @ported v5.10 static */
function __gfn_to_hva_many(slot: kvm_memory_slot, gfn: gfn_t, write: boolean): number {
	if (!slot || slot_flags[slot] & KVM_MEMSLOT_INVALID)
		return KVM_HVA_ERR_BAD;
	if (memslot_is_readonly(slot) && write)
		return KVM_HVA_ERR_RO_BAD;
	return __gfn_to_hva_memslot(slot, gfn);
}

/** Whether it may be written is left in map_writable. @ported v5.10 */
export function kvm_vcpu_gfn_to_hva_prot(vcpu: kvm_vcpu, gfn: gfn_t): number {
	const slot = search_memslots(kvm_vcpus.kvm[vcpu], gfn);
	const hva = __gfn_to_hva_many(slot, gfn, false);

	map_writable.v = !kvm_is_error_hva(hva) && !memslot_is_readonly(slot);
	return hva;
}

/** @ported v5.10 static */
function check_user_page_hwpoison(addr: number): boolean {
	return get_user_pages(addr, 1, FOLL_HWPOISON | FOLL_WRITE, null) === -EHWPOISON;
}

/** A page that may be written, without waiting; 0 for none. @ported v5.10 static */
function hva_to_pfn_fast(
	addr: number, write_fault: boolean, writable: out<boolean> | null,
): kvm_pfn_t {
	/* Only if it is to be written, or may be. */
	if (!(write_fault || writable))
		return 0;
	const page = get_user_page_fast_only(addr, FOLL_WRITE);
	if (page && writable)
		writable.v = true;
	return page;
}

/* The page that hva_to_pfn_slow() found. */
const slow_page: out<page> = { v: 0 as page };

/** 1 with the page in slow_page, or -errno. @reduced async page faults: never FOLL_NOWAIT */
function hva_to_pfn_slow(
	addr: number, write_fault: boolean, writable: out<boolean> | null,
): number {
	let flags = FOLL_HWPOISON;

	if (writable)
		writable.v = write_fault;
	if (write_fault)
		flags |= FOLL_WRITE;
	const found: page[] = [0 as page];
	const nr = get_user_pages_unlocked(addr, 1, found, flags);
	if (nr !== 1)
		return nr;
	let page = found[0]!;
	/* A read fault is mapped writable where that is possible. */
	if (!write_fault && writable) {
		const wpage = get_user_page_fast_only(addr, FOLL_WRITE);

		if (wpage) {
			writable.v = true;
			put_page(page);
			page = wpage;
		}
	}
	slow_page.v = page;
	return nr;
}

/** The pfn of a user address, with a reference to its page; or KVM_PFN_ERR_*. */
/** @reduced areas of VM_IO and VM_PFNMAP, of which there are none */
function hva_to_pfn(
	addr: number, atomic: boolean, write_fault: boolean, writable: out<boolean> | null,
): kvm_pfn_t {
	const pfn = hva_to_pfn_fast(addr, write_fault, writable);
	if (pfn)
		return pfn;
	if (atomic)
		return KVM_PFN_ERR_FAULT;
	const nr = hva_to_pfn_slow(addr, write_fault, writable);
	if (nr === 1)
		return slow_page.v;

	const mm = tasks.mm[current()];
	mmap_read_lock(mm);
	const poisoned = nr === -EHWPOISON || check_user_page_hwpoison(addr);
	mmap_read_unlock(mm);
	return poisoned ? KVM_PFN_ERR_HWPOISON : KVM_PFN_ERR_FAULT;
}

/** @ported v5.10; null: do not map writable what is only read */
export function __gfn_to_pfn_memslot(
	slot: kvm_memory_slot, gfn: gfn_t, atomic: boolean, write_fault: boolean,
	writable: out<boolean> | null,
): kvm_pfn_t {
	const addr = __gfn_to_hva_many(slot, gfn, write_fault);

	if (addr === KVM_HVA_ERR_RO_BAD) {
		if (writable)
			writable.v = false;
		return KVM_PFN_ERR_RO_FAULT;
	}
	if (kvm_is_error_hva(addr)) {
		if (writable)
			writable.v = false;
		return KVM_PFN_NOSLOT;
	}
	if (writable && memslot_is_readonly(slot)) {
		writable.v = false;
		writable = null;
	}
	return hva_to_pfn(addr, atomic, write_fault, writable);
}

/** @ported v5.10 */
export function gfn_to_pfn_memslot_atomic(slot: kvm_memory_slot, gfn: gfn_t): kvm_pfn_t {
	return __gfn_to_pfn_memslot(slot, gfn, true, true, null);
}

/** Pages from gfn on that are there and writable: how many; 0 beyond the slot. @ported v5.10 */
export function gfn_to_page_many_atomic(
	slot: kvm_memory_slot, gfn: gfn_t, pages: page[], nr_pages: number,
): number {
	const addr = __gfn_to_hva_many(slot, gfn, true);

	if (kvm_is_error_hva(addr))
		return -1;
	if (npages[slot] - (gfn - base_gfn[slot]) < nr_pages)
		return 0;
	return get_user_pages_fast_only(addr, nr_pages, pages);
}

/** @reduced mm/gup.c: of pages to be written, one by one */
function get_user_pages_fast_only(addr: number, nr_pages: number, pages: page[]): number {
	for (let i = 0; i < nr_pages; i++) {
		const page = get_user_page_fast_only(addr + i * 4096, FOLL_WRITE);

		if (!page)
			return i;
		pages[i] = page;
	}
	return nr_pages;
}

/** @ported v5.10 */
export function kvm_release_pfn_clean(pfn: kvm_pfn_t): void {
	if (is_error_noslot_pfn(pfn) || kvm_is_reserved_pfn(pfn))
		return;
	if (applied(KVM_AVOID_PFN_TO_PAGE_WHEN_RELEASING_PAGES /* 8e1c69149f27, v6.0 */))
		kvm_set_pfn_accessed(pfn);
	put_page(pfn as page);
}

/**
 * The end of a fault: what it looked up is given back.
 * @param unused no SPTE was made of it
 * @param dirty the host's own entry is writable
 * @ported v7.2 include/linux/kvm_host.h; kvm_release_pfn_clean() before v6.13
 */
export function kvm_release_faultin_page(pfn: kvm_pfn_t, unused: boolean, dirty: boolean): void {
	if (is_error_noslot_pfn(pfn) || kvm_is_reserved_pfn(pfn))
		return;
	if (unused && applied(KVM_DONT_MARK_UNUSED_FAULTIN_PAGES_AS_ACCESSED
		/* 8eaa98004b23, v6.13 */)) {
		put_page(pfn as page);
		return;
	}
	if (!unused && dirty &&
	    applied(KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE /* aa85986e7150, v6.13 */))
		kvm_set_pfn_dirty(pfn);
	kvm_release_pfn_clean(pfn);
}

/**
 * An access of the kernel to memory of the running task: its physical address, or -1 for -EFAULT.
 * @throws WouldBlock
 * @custom __get_user(), __put_user() and their likes
 */
export function user_access(addr: number, kind: number): number {
	for (;;) {
		const at = mmu_access(smp_processor_id(), addr, kind | MMU_USER);

		if (at >= 0)
			return at;
		if (fault_result.v === FAULT_WOULD_BLOCK)
			throw new WouldBlock('memory of the VM');
		if (fault_result.v !== FAULT_OOM)
			return -1;
	}
}

/* The 8 bytes that kvm_vcpu_read_guest_atomic() has read. */
export const guest_word = { lo: 0, hi: 0 };

/** 8 bytes of guest memory that need no fault: 0 or -EFAULT. @ported v5.10 */
export function kvm_vcpu_read_guest_atomic(vcpu: kvm_vcpu, gpa: number): number {
	const gfn = Math.floor(gpa / 4096);
	const hva = kvm_vcpu_gfn_to_hva_prot(vcpu, gfn);

	if (kvm_is_error_hva(hva))
		return -EFAULT;
	const ptep = follow_pte(tasks.mm[current()], hva);
	if (!ptep)
		return -EFAULT;
	/* The read itself sets the accessed bit, as any. */
	const at = mmu_access(smp_processor_id(), hva + gpa % 4096, MMU_READ | MMU_USER);
	VM_BUG_ON(at < 0, 'a mapped page cannot be read');
	guest_word.lo = ram[at / 4]!;
	guest_word.hi = ram[at / 4 + 1]!;
	return 0;
}

/** @reduced to a byte, which the instruction takes */
export function kvm_vcpu_read_guest(
	vcpu: kvm_vcpu, gpa: number, instruction: guest_instruction,
): number {
	const hva = kvm_vcpu_gfn_to_hva_prot(vcpu, Math.floor(gpa / 4096));

	if (kvm_is_error_hva(hva))
		return -EFAULT;
	const at = user_access(hva + gpa % 4096, MMU_READ);
	if (at < 0)
		return -EFAULT;
	instruction(at);
	return 0;
}

/** @reduced to a byte, which the instruction gives */
export function kvm_vcpu_write_guest(
	vcpu: kvm_vcpu, gpa: number, instruction: guest_instruction,
): number {
	const gfn = Math.floor(gpa / 4096);
	const hva = __gfn_to_hva_many(search_memslots(kvm_vcpus.kvm[vcpu], gfn), gfn, true);

	if (kvm_is_error_hva(hva))
		return -EFAULT;
	const at = user_access(hva + gpa % 4096, MMU_WRITE);
	if (at < 0)
		return -EFAULT;
	instruction(at);
	kvm_vcpu_mark_page_dirty(vcpu, gfn);
	return 0;
}

/** @ported v5.10 static */
function mark_page_dirty_in_slot(memslot: kvm_memory_slot, gfn: gfn_t): void {
	if (memslot && dirty_bitmap[memslot]) {
		const rel_gfn = gfn - base_gfn[memslot];

		kvm_words[dirty_bitmap[memslot] + (rel_gfn >>> 5)]! |= 1 << (rel_gfn & 31);
	}
}

/** @ported v5.10 */
export function kvm_vcpu_mark_page_dirty(vcpu: kvm_vcpu, gfn: gfn_t): void {
	mark_page_dirty_in_slot(search_memslots(kvm_vcpus.kvm[vcpu], gfn), gfn);
}

/**
 * KVM_CREATE_VCPU: the vCPU, or -errno. It has paging off until its registers are set.
 * @reduced to what is about memory
 */
export function kvm_vm_ioctl_create_vcpu(kvm: kvm, id: number): number {
	if (id < 0 || id >= KVM_MAX_VCPUS)
		return -EINVAL;
	if (kvms.created_vcpus[kvm] !== id)
		return -EEXIST;
	const vcpu = kmem_cache_zalloc(kvm_vcpus);
	if (!vcpu)
		return -ENOMEM;
	use_guest_cpu(vcpu);
	use_rows(guest_programs, vcpu + 1);
	kvm_vcpus.kvm[vcpu] = kvm;
	kvm_vcpus.vcpu_id[vcpu] = id;
	kvm_vcpus.cpu[vcpu] = -1;
	guest_programs.guest_count[vcpu] = 0;
	const r = kvm_mmu_create(vcpu);
	if (r) {
		kmem_cache_free(kvm_vcpus, vcpu);
		return r;
	}
	kvms.vcpus[kvm * KVM_MAX_VCPUS + id] = vcpu;
	kvms.created_vcpus[kvm]++;
	return vcpu;
}

/** KVM_SET_SREGS, of what paging needs. @reduced to what is about memory */
export function kvm_vcpu_ioctl_set_sregs(
	vcpu: kvm_vcpu, cr0: number, cr3: number, cr4: number, efer: number,
): number {
	if (kvm_mm[kvm_vcpus.kvm[vcpu]] !== tasks.mm[current()])
		return -EIO;
	guest_cpus.cr0[vcpu] = cr0;
	guest_cpus.cr3[vcpu] = cr3;
	guest_cpus.cr4[vcpu] = cr4;
	guest_cpus.efer[vcpu] = efer;
	kvm_mmu_reset_context(vcpu);
	return 0;
}

/** KVM_RUN: 0 with exit_reason, or -errno. @reduced to what is about memory */
export function kvm_vcpu_ioctl_run(vcpu: kvm_vcpu, instruction: guest_instruction): number {
	if (kvm_mm[kvm_vcpus.kvm[vcpu]] !== tasks.mm[current()])
		return -EIO;
	return kvm_arch_vcpu_ioctl_run(vcpu, instruction);
}
