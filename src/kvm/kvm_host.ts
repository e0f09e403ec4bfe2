// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/kvm_host.h and arch/x86/include/asm/kvm_host.h, v5.10: the structs of KVM
 * Left out: everything that is not about memory (interrupts, timers, registers but those that
 *	paging needs, devices, I/O buses); the second address space (SMM); async page faults.
 *
 * struct kvm_memslots is not copied and swapped by RCU: it is changed in place, when no reader is
 * within kvm->srcu, which is a count; who would have to wait for readers throws WouldBlock.
 * mmu_lock is a flag: that it is free is asserted, so no other actor can run within it.
 *
 * Arrays of any length (rmap heads, dirty bitmaps, page tracking) are runs of one region of words.
 */
import type { guest_cpu } from '../arch/nested.ts';
import { carve } from '../lib/arena.ts';
import { BUG_ON, VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import { applied, KVM_CONSIDER_THE_HVA_IN_MMU_NOTIFIER_RETRY, KVM_USE_GFN_FOR_MMU_NOTIFIER_RETRY }
	from '../lib/commits.ts';
import { array, f64, kmem_cache_free, kmem_cache_zalloc, list, nr_rows, s32, struct, to, u8,
	use_rows, type ptr } from '../lib/struct.ts';
import type { mm_struct, page, task_struct } from '../mm/mm_types.ts';
import type { mmu_notifier } from '../mm/mmu_notifier.ts';

export type kvm = ptr<'kvm'>;
/** The row is also that of the vCPU's guest_cpu. */
export type kvm_vcpu = guest_cpu;
export type kvm_memory_slot = ptr<'kvm_memory_slot'>;
export type kvm_mmu_page = ptr<'kvm_mmu_page'>;
export type pte_list_desc = ptr<'pte_list_desc'>;
/** Guest frame number; a guest-physical address is a JS number. */
export type gfn_t = number;
export type kvm_pfn_t = number;
/** Index in `ram` of a shadow entry's low word. */
export type sptep = number;
/**
 * Index in kvm_words of the head of a list of SPTEs: 0 none, an sptep (which is even), or
 * row << 1 | 1 of a pte_list_desc.
 */
export type kvm_rmap_head = number;

export const KVM_USER_MEM_SLOTS = 509, KVM_PRIVATE_MEM_SLOTS = 3;
export const KVM_MEM_SLOTS_NUM = KVM_USER_MEM_SLOTS + KVM_PRIVATE_MEM_SLOTS;
export const KVM_ADDRESS_SPACE_NUM = 2;
export const KVM_MEM_MAX_NR_PAGES = 2 ** 31 - 1;
export const KVM_MAX_VCPUS = 288;
export const KVM_NR_PAGE_SIZES = 3, KVM_MAX_HUGEPAGE_LEVEL = 3;
export const PG_LEVEL_4K = 1, PG_LEVEL_2M = 2;
export const KVM_MMU_HASH_SHIFT = 12, KVM_NUM_MMU_PAGES = 1 << KVM_MMU_HASH_SHIFT;
export const KVM_MIN_ALLOC_MMU_PAGES = 64, KVM_PERMILLE_MMU_PAGES = 20;
export const KVM_MIN_FREE_MMU_PAGES = 5, KVM_REFILL_PAGES = 25;
export const KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE = 40;

/* kvm_userspace_memory_region.flags, and slot->flags */
export const KVM_MEM_LOG_DIRTY_PAGES = 1, KVM_MEM_READONLY = 2;
export const KVM_MEMSLOT_INVALID = 1 << 16;
/** Bit 63 of the generation in the kernel. */
export const KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS = 2 ** 52;

/* enum kvm_mr_change */
export const KVM_MR_CREATE = 0, KVM_MR_DELETE = 1, KVM_MR_MOVE = 2, KVM_MR_FLAGS_ONLY = 3;

/* kvm_run.exit_reason */
export const KVM_EXIT_UNKNOWN = 0, KVM_EXIT_HLT = 5, KVM_EXIT_MMIO = 6, KVM_EXIT_SHUTDOWN = 8,
	KVM_EXIT_INTR = 10, KVM_EXIT_INTERNAL_ERROR = 17;

/* Errors in place of a pfn; all are above any pfn. */
export const KVM_PFN_ERR_FAULT = 2 ** 40, KVM_PFN_ERR_HWPOISON = 2 ** 40 + 1,
	KVM_PFN_ERR_RO_FAULT = 2 ** 40 + 2, KVM_PFN_NOSLOT = 2 ** 41;
/* Errors in place of a user address; they lie in the kernel's half. */
export const KVM_HVA_ERR_BAD = -1, KVM_HVA_ERR_RO_BAD = -2;

/* vcpu->requests */
export const KVM_REQ_TLB_FLUSH = 1, KVM_REQ_MMU_RELOAD = 2, KVM_REQ_MMU_SYNC = 4,
	KVM_REQ_LOAD_MMU_PGD = 8, KVM_REQ_TLB_FLUSH_CURRENT = 16, KVM_REQ_TRIPLE_FAULT = 32,
	KVM_REQ_APIC_PAGE_RELOAD = 64;

/** No page. */
export const INVALID_PAGE = -1;
export const PT64_ROOT_4LEVEL = 4, PT32E_ROOT_LEVEL = 3;

/* union kvm_mmu_page_role, as a word of bits: */
export const ROLE_LEVEL = 0xf, ROLE_GPTE_IS_8_BYTES = 1 << 4, ROLE_DIRECT = 1 << 7,
	ROLE_ACCESS_SHIFT = 8, ROLE_ACCESS = 7 << ROLE_ACCESS_SHIFT, ROLE_INVALID = 1 << 11,
	ROLE_NXE = 1 << 12, ROLE_CR0_WP = 1 << 13, ROLE_AD_DISABLED = 1 << 16;

const VMS = 65, VCPUS = 1024, SLOTS = 4096, SPS = 1 << 17, DESCS = 1 << 18;

export const kvms = struct<kvm>()('kvm', VMS, {
	mm: to<mm_struct>(),
	users_count: s32,
	created_vcpus: s32,
	/* KVM_GET_DIRTY_LOG clears nothing: KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	mmu_notifier: to<mmu_notifier>(),
	/* rows of kvm_vcpus, by vcpu_id */
	vcpus: array(s32, KVM_MAX_VCPUS),
	/* srcu: readers now */
	srcu: s32,

	/* slots_lock, srcu. memslots: rows of kvm_memory_slots, by falling base_gfn */
	memslots: array(s32, KVM_MEM_SLOTS_NUM),
	used_slots: s32,
	lru_slot: s32,
	generation: f64,

	/* mmu_lock, which this says is held */
	mmu_lock: u8,
	mmu_notifier_seq: f64,
	mmu_notifier_count: s32,
	/* what the invalidations under way are about: user addresses, or gfns since 8569992d64b8 */
	mmu_notifier_range_start: f64,
	mmu_notifier_range_end: f64,
	tlbs_dirty: s32,
	/* mn_invalidate_lock */
	mn_active_invalidate_count: s32,

	/* kvm_arch; mmu_lock */
	n_used_mmu_pages: s32,
	n_requested_mmu_pages: s32,
	n_max_mmu_pages: s32,
	mmu_valid_gen: u8,
	indirect_shadow_pages: s32,
	active_mmu_pages: list,
	zapped_obsolete_pages: list,
	/* first kvm_mmu_page of each chain */
	mmu_page_hash: array(s32, KVM_NUM_MMU_PAGES),
});

export const kvm_vcpus = struct<kvm_vcpu>()('kvm_vcpu', VCPUS, {
	kvm: to<kvm>(),
	vcpu_id: s32,
	/* the CPU it ran on last, -1 none */
	cpu: s32,
	requests: s32,
	/* the thread whose KVM_RUN runs it */
	task: to<task_struct>(),
	/* vcpu->run: exit_reason, and of KVM_EXIT_MMIO the address and direction */
	exit_reason: s32,
	mmio_phys_addr: f64,
	mmio_is_write: u8,

	/* vcpu->arch.root_mmu: frame of the root, or INVALID_PAGE */
	root_hpa: s32,
	/* levels of the guest's tables, 0 where it does not page */
	root_level: s32,
	shadow_root_level: s32,
	direct_map: u8,
	/* base of the role of pages made for it */
	mmu_role: s32,
	root_pgd: f64,
	/* page of the four entries of PAE paging, 0 none */
	pae_root: to<page>(),
	write_fault_to_shadow_pgtable: u8,

	/* the last MMIO access: gva (page), gfn, and the generation of the slots then; -1 none */
	mmio_gva: f64,
	mmio_gfn: f64,
	mmio_access: s32,
	mmio_gen: f64,

	/* memory caches; of pages their rows, of rows only how many */
	mmu_pte_list_desc_cache: s32,
	mmu_page_header_cache: s32,
	nr_shadow_page_cache: s32,
	mmu_shadow_page_cache: array(s32, KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE),
	nr_gfn_array_cache: s32,
	mmu_gfn_array_cache: array(s32, KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE),
});

export const kvm_memory_slots = struct<kvm_memory_slot>()('kvm_memory_slot', SLOTS, {
	kvm: to<kvm>(),
	base_gfn: f64,
	npages: f64,
	userspace_addr: f64,
	flags: s32,
	id: s32,
	/* indices in kvm_words, 0 none: a bit a page, twice; heads by level; counts a page */
	dirty_bitmap: s32,
	rmap_4k: s32,
	rmap_2m: s32,
	rmap_1g: s32,
	gfn_track: s32,
});

/** The list of parent entries of a page has its head at kvm_words[row]. */
export const kvm_mmu_pages = struct<kvm_mmu_page>()('kvm_mmu_page', SPS, {
	kvm: to<kvm>(),
	link: list,
	hash_next: to<kvm_mmu_page>(),
	unsync: u8,
	mmu_valid_gen: u8,
	role: s32,
	gfn: f64,
	/* page of the entries */
	spt: to<page>(),
	/* page of the gfns of the entries' pages, for pages that are not direct */
	gfns: to<page>(),
	root_count: s32,
	unsync_children: s32,
	unsync_child_bitmap: array(s32, 16),
	write_flooding_count: s32,
});

export const PTE_LIST_EXT = 3;
export const pte_list_descs = struct<pte_list_desc>()('pte_list_desc', DESCS, {
	sptes: array(s32, PTE_LIST_EXT),
	more: to<pte_list_desc>(),
});

/* Runs of kvm_words in use, by their start; 0 ends. */
type kvm_run = ptr<'kvm_words_run'>;
const runs = struct<kvm_run>()('kvm_words_run', 5 * SLOTS, { start: s32, length: s32,
	next: to<kvm_run>() });
const WORDS = 1 << 24;
/* The first run is that of the heads of parent entries; row 1 is the end of the list. */
const FIRST = SPS;

/** @custom the end of what was ever used */
function words_used(): number {
	let end = Math.min(nr_rows(kvm_mmu_pages), FIRST);

	for (let run = runs.next[0 as kvm_run]; run; run = runs.next[run])
		end = runs.start[run] + runs.length[run];
	return end;
}
/** Arrays of words; those not in use are zero. */
export const kvm_words = carve('kvm_words', Int32Array, WORDS, words_used);

/** @custom __vcalloc(): the index of so many words, zeroed; 0 for none left */
export function kvm_vcalloc(length: number): number {
	use_rows(runs, 1);
	let before = 0 as kvm_run, start = FIRST;

	for (let run = runs.next[before]; run; before = run, run = runs.next[run]) {
		if (runs.start[run] - start >= length)
			break;
		start = runs.start[run] + runs.length[run];
	}
	if (!(length > 0) || start + length > WORDS)
		return 0;
	const row = kmem_cache_zalloc(runs);
	if (!row)
		return 0;
	runs.start[row] = start;
	runs.length[row] = length;
	runs.next[row] = runs.next[before];
	runs.next[before] = row;
	return start;
}

/** @custom kvfree() of kvm_vcalloc() */
export function kvm_vfree(start: number): void {
	if (!start)
		return;
	let before = 0 as kvm_run;
	for (let run = runs.next[before]; run; before = run, run = runs.next[run]) {
		if (runs.start[run] !== start)
			continue;
		kvm_words.fill(0, start, start + runs.length[run]);
		runs.next[before] = runs.next[run];
		kmem_cache_free(runs, run);
		return;
	}
	VM_BUG_ON(true, `kvm_words[${start}] is freed but not in use`);
}

/** @custom spin_lock(&kvm->mmu_lock), which is always free */
export function mmu_lock(kvm: kvm): void {
	BUG_ON(kvms.mmu_lock[kvm] !== 0, 'kvm->mmu_lock is taken twice');
	kvms.mmu_lock[kvm] = 1;
}

/** @custom spin_unlock(&kvm->mmu_lock) */
export function mmu_unlock(kvm: kvm): void {
	BUG_ON(kvms.mmu_lock[kvm] === 0, 'kvm->mmu_lock is given back but not held');
	kvms.mmu_lock[kvm] = 0;
}

/** @custom synchronize_srcu(&kvm->srcu) @throws WouldBlock while a vCPU is in the middle */
export function synchronize_kvm_srcu(kvm: kvm): void {
	if (kvms.srcu[kvm] !== 0)
		throw new WouldBlock('a virtual CPU that is in the middle of an exit');
}

/** @ported v5.10 */
export function kvm_get_vcpu(kvm: kvm, i: number): kvm_vcpu {
	return kvms.vcpus[kvm * KVM_MAX_VCPUS + i]! as kvm_vcpu;
}

/** @ported v5.10 */
export function is_error_pfn(pfn: kvm_pfn_t): boolean {
	return pfn >= KVM_PFN_ERR_FAULT && pfn < KVM_PFN_NOSLOT;
}

/** @ported v5.10 */
export function is_error_noslot_pfn(pfn: kvm_pfn_t): boolean {
	return pfn >= KVM_PFN_ERR_FAULT;
}

/** @ported v5.10 */
export function is_noslot_pfn(pfn: kvm_pfn_t): boolean {
	return pfn === KVM_PFN_NOSLOT;
}

/** @ported v5.10 */
export function kvm_is_error_hva(addr: number): boolean {
	return addr < 0;
}

/** @ported v5.10 */
export function kvm_make_request(req: number, vcpu: kvm_vcpu): void {
	kvm_vcpus.requests[vcpu] |= req;
}

/** @ported v5.10 */
export function kvm_check_request(req: number, vcpu: kvm_vcpu): boolean {
	if (!(kvm_vcpus.requests[vcpu] & req))
		return false;
	kvm_vcpus.requests[vcpu] &= ~req;
	return true;
}

/** The slot of an index in memslots. @custom slots->memslots[i] */
export function memslot_at(kvm: kvm, i: number): kvm_memory_slot {
	return kvms.memslots[kvm * KVM_MEM_SLOTS_NUM + i]! as kvm_memory_slot;
}

/** @ported v5.10; 0 for none */
export function search_memslots(kvm: kvm, gfn: gfn_t): kvm_memory_slot {
	const { base_gfn, npages } = kvm_memory_slots;
	const used_slots = kvms.used_slots[kvm];
	let start = 0, end = used_slots;

	if (!used_slots)
		return 0 as kvm_memory_slot;

	let memslot = memslot_at(kvm, kvms.lru_slot[kvm]);
	if (gfn >= base_gfn[memslot] && gfn < base_gfn[memslot] + npages[memslot])
		return memslot;

	while (start < end) {
		const slot = start + (end - start >> 1);

		if (gfn >= base_gfn[memslot_at(kvm, slot)])
			end = slot;
		else
			start = slot + 1;
	}
	if (start < used_slots) {
		memslot = memslot_at(kvm, start);
		if (gfn >= base_gfn[memslot] && gfn < base_gfn[memslot] + npages[memslot]) {
			kvms.lru_slot[kvm] = start;
			return memslot;
		}
	}
	return 0 as kvm_memory_slot;
}

/** The slot of a gfn, for who only looks: what was found last stays. @custom search_memslots() */
export function peek_memslot(kvm: kvm, gfn: gfn_t): kvm_memory_slot {
	const last = kvms.lru_slot[kvm], slot = search_memslots(kvm, gfn);

	kvms.lru_slot[kvm] = last;
	return slot;
}

/** @ported v5.10 */
export function __gfn_to_hva_memslot(slot: kvm_memory_slot, gfn: gfn_t): number {
	return kvm_memory_slots.userspace_addr[slot] +
		(gfn - kvm_memory_slots.base_gfn[slot]) * 4096;
}

/** @ported v5.10 */
export function hva_to_gfn_memslot(hva: number, slot: kvm_memory_slot): gfn_t {
	return kvm_memory_slots.base_gfn[slot] +
		Math.floor((hva - kvm_memory_slots.userspace_addr[slot]) / 4096);
}

/** Pages that an entry of a level maps. @ported v5.10 arch/x86/include/asm/kvm_host.h */
export function KVM_PAGES_PER_HPAGE(level: number): number {
	return 1 << 9 * (level - 1);
}

/** @ported v5.10 arch/x86/include/asm/kvm_host.h */
export function gfn_to_index(gfn: gfn_t, base_gfn: gfn_t, level: number): number {
	if (level === PG_LEVEL_4K)
		return gfn - base_gfn;
	const pages_of = KVM_PAGES_PER_HPAGE(level);

	return Math.floor(gfn / pages_of) - Math.floor(base_gfn / pages_of);
}

/** @ported v5.10; 1 if a page found before mmu_lock may be one that is going */
export function mmu_notifier_retry(kvm: kvm, mmu_seq: number): boolean {
	if (kvms.mmu_notifier_count[kvm])
		return true;
	return kvms.mmu_notifier_seq[kvm] !== mmu_seq;
}

/** @ported v6.1 mmu_invalidate_retry_hva(); of a gfn, mmu_invalidate_retry_gfn() of v6.12 */
function mmu_notifier_retry_hva(kvm: kvm, mmu_seq: number, at: number): boolean {
	/* All that is being invalidated is in the range, and what lies between. */
	if (kvms.mmu_notifier_count[kvm] && at >= kvms.mmu_notifier_range_start[kvm] &&
	    at < kvms.mmu_notifier_range_end[kvm])
		return true;
	return kvms.mmu_notifier_seq[kvm] !== mmu_seq;
}

/** Whether a fault must begin anew. @ported v6.1 mmu.c static, for what notifiers say */
export function is_page_fault_stale(
	kvm: kvm, mmu_seq: number, gfn: gfn_t, hva: number,
): boolean {
	if (!applied(KVM_CONSIDER_THE_HVA_IN_MMU_NOTIFIER_RETRY /* 4a42d848db95, v5.12 */))
		return mmu_notifier_retry(kvm, mmu_seq);
	return mmu_notifier_retry_hva(kvm, mmu_seq,
		applied(KVM_USE_GFN_FOR_MMU_NOTIFIER_RETRY /* 8569992d64b8, v6.8 */) ? gfn : hva);
}

/** struct kvm_shadow_walk_iterator of mmu.c */
export class kvm_shadow_walk_iterator {
	addr = 0;
	/** page of the table of the level */
	shadow_addr = 0;
	sptep: sptep = 0;
	level = 0;
	index = 0;
}
