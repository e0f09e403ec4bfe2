// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/trace/events/kvm.h, arch/x86/kvm/trace.h and mmu/mmutrace.h, v5.10
 * Left out: events of what is not memory (entries, exits, interrupts, registers), and of shadow
 *	pages by their struct. There is no event of an unmapping on x86: zaps are seen by
 *	kvm_mmu_prepare_zap_page, which prints pointers, and by the reclaim that called.
 *
 * A record is the words of the event; the text is made by its function, from the index of the first
 * of them in the ring.
 */
import { ram } from '../arch/ram.ts';
import { trace_event_on, trace_reserve, trace_ring } from '../lib/trace.ts';
import { TRACE_EVENTS_MM_END } from '../mm/trace_vmscan.ts';
import { kvm_memory_slots, kvm_vcpus, kvms, type gfn_t, type kvm, type kvm_memory_slot,
	type kvm_vcpu, type sptep } from './kvm_host.ts';
import { get_mmio_spte_generation, is_executable_pte, shadow_present_mask, shadow_user_mask }
	from './spte.ts';

export interface KvmTraceEvent {
	readonly system: string;
	readonly name: string;
	/** What TP_printk() prints. */
	readonly text: (at: number) => string;
}

/* Event numbers: they go on where those of mm end. */
export const KVM_AGE_PAGE = TRACE_EVENTS_MM_END, KVM_PAGE_FAULT = TRACE_EVENTS_MM_END + 1,
	FAST_PAGE_FAULT = TRACE_EVENTS_MM_END + 2, KVM_MMU_SET_SPTE = TRACE_EVENTS_MM_END + 3,
	MARK_MMIO_SPTE = TRACE_EVENTS_MM_END + 4, HANDLE_MMIO_PAGE_FAULT = TRACE_EVENTS_MM_END + 5,
	KVM_MMU_ZAP_ALL_FAST = TRACE_EVENTS_MM_END + 6;

/** @custom a word as %x */
const hex = (at: number): string => (trace_ring[at]! >>> 0).toString(16);
/** @custom two words, low one first, as %llx */
const hex64 = (at: number): string => {
	const hi = trace_ring[at + 1]! >>> 0, lo = trace_ring[at]! >>> 0;

	return hi ? hi.toString(16) + lo.toString(16).padStart(8, '0') : lo.toString(16);
};
/** @custom __print_flags() of kvm_mmu_trace_pferr_flags */
const pferr = (flags: number): string => {
	const names = [[1, 'P'], [2, 'W'], [4, 'U'], [8, 'RSVD'], [16, 'F']] as const;
	const found = names.filter(([bit]) => flags & bit).map(([, name]) => name);

	return found.length ? found.join('|') : '';
};

/** Events of KVM, in the order of their numbers. */
export const KVM_TRACE_EVENTS: readonly KvmTraceEvent[] = [
	{ system: 'kvm', name: 'kvm_age_page', text: (at) =>
		`hva ${hex64(at)} gfn ${hex64(at + 2)} level ${trace_ring[at + 4]!} ` +
		(trace_ring[at + 5] ? 'YOUNG' : 'OLD') },
	{ system: 'kvm', name: 'kvm_page_fault', text: (at) =>
		`address ${hex64(at)} error_code ${hex(at + 2)}` },
	{ system: 'kvmmmu', name: 'fast_page_fault', text: (at) =>
		`vcpu ${trace_ring[at]!} gva ${hex64(at + 1)} error_code ` +
		`${pferr(trace_ring[at + 3]!)} sptep ${hex64(at + 4)} old 0x${hex64(at + 6)} ` +
		`new ${hex64(at + 8)} spurious ${trace_ring[at + 10]!} ` +
		`fixed ${trace_ring[at + 11]!}` },
	{ system: 'kvmmmu', name: 'kvm_mmu_set_spte', text: (at) => {
		const flags = trace_ring[at + 7]!, u = flags >> 3;
		return `gfn ${hex64(at)} spte ${hex64(at + 2)} (${flags & 1 ? 'r' : '-'}` +
			`${trace_ring[at + 2]! & 2 ? 'w' : '-'}${flags & 2 ? 'x' : '-'}` +
			`${u < 0 ? '' : u ? 'u' : '-'}) level ${trace_ring[at + 6]!} at ` +
			hex64(at + 4);
	} },
	{ system: 'kvmmmu', name: 'mark_mmio_spte', text: (at) =>
		`sptep:${hex64(at)} gfn ${hex64(at + 2)} access ${hex(at + 4)} ` +
		`gen ${hex(at + 5)}` },
	{ system: 'kvmmmu', name: 'handle_mmio_page_fault', text: (at) =>
		`addr:${hex64(at)} gfn ${hex64(at + 2)} access ${hex(at + 4)}` },
	{ system: 'kvmmmu', name: 'kvm_mmu_zap_all_fast', text: (at) =>
		`kvm-mmu-valid-gen ${trace_ring[at]!} used_pages ${hex(at + 1)}` },
];

/** @custom a number as two words */
function put64(at: number, value: number): void {
	trace_ring[at] = value | 0;
	trace_ring[at + 1] = Math.floor(value / 2 ** 32);
}

/** @ported v5.10 include/trace/events/kvm.h */
export function trace_kvm_age_page(
	gfn: gfn_t, level: number, slot: kvm_memory_slot, ref: boolean,
): void {
	if (!trace_event_on[KVM_AGE_PAGE])
		return;
	const at = trace_reserve(KVM_AGE_PAGE);

	put64(at, (gfn - kvm_memory_slots.base_gfn[slot]) * 4096 +
		kvm_memory_slots.userspace_addr[slot]);
	put64(at + 2, gfn);
	trace_ring[at + 4] = level;
	trace_ring[at + 5] = ref ? 1 : 0;
}

/** The error code is cut to 32 bits. @ported v5.10 arch/x86/kvm/trace.h */
export function trace_kvm_page_fault(fault_address: number, error_code: number): void {
	if (!trace_event_on[KVM_PAGE_FAULT])
		return;
	const at = trace_reserve(KVM_PAGE_FAULT);

	put64(at, fault_address);
	trace_ring[at + 2] = error_code % 2 ** 32;
}

/** @ported v5.10 arch/x86/kvm/mmu/mmutrace.h */
export function trace_fast_page_fault(
	vcpu: kvm_vcpu, cr2_or_gpa: number, error_code: number, sptep: sptep, old_lo: number,
	old_hi: number, spurious: boolean, fixed: boolean,
): void {
	if (!trace_event_on[FAST_PAGE_FAULT])
		return;
	const at = trace_reserve(FAST_PAGE_FAULT);

	trace_ring[at] = kvm_vcpus.vcpu_id[vcpu];
	put64(at + 1, cr2_or_gpa);
	trace_ring[at + 3] = error_code;
	put64(at + 4, sptep * 4);
	trace_ring[at + 6] = old_lo;
	trace_ring[at + 7] = old_hi;
	trace_ring[at + 8] = ram[sptep]!;
	trace_ring[at + 9] = ram[sptep + 1]!;
	trace_ring[at + 10] = spurious ? 1 : 0;
	trace_ring[at + 11] = fixed ? 1 : 0;
}

/** @ported v5.10 arch/x86/kvm/mmu/mmutrace.h */
export function trace_kvm_mmu_set_spte(level: number, gfn: gfn_t, sptep: sptep): void {
	if (!trace_event_on[KVM_MMU_SET_SPTE])
		return;
	const at = trace_reserve(KVM_MMU_SET_SPTE), lo = ram[sptep]!, hi = ram[sptep + 1]!;
	const u = shadow_user_mask.v ? (lo & shadow_user_mask.v ? 1 : 0) : -1;

	put64(at, gfn);
	trace_ring[at + 2] = lo;
	trace_ring[at + 3] = hi;
	put64(at + 4, sptep * 4);
	trace_ring[at + 6] = level;
	trace_ring[at + 7] = (shadow_present_mask.v || lo & 1 ? 1 : 0) |
		(is_executable_pte(lo, hi) ? 2 : 0) | u << 3;
}

/** @ported v5.10 arch/x86/kvm/mmu/mmutrace.h */
export function trace_mark_mmio_spte(sptep: sptep, gfn: gfn_t, lo: number, hi: number): void {
	if (!trace_event_on[MARK_MMIO_SPTE])
		return;
	const at = trace_reserve(MARK_MMIO_SPTE);

	put64(at, sptep * 4);
	put64(at + 2, gfn);
	trace_ring[at + 4] = lo & 7;
	trace_ring[at + 5] = get_mmio_spte_generation(lo, hi);
}

/** @ported v5.10 arch/x86/kvm/mmu/mmutrace.h */
export function trace_handle_mmio_page_fault(addr: number, gfn: gfn_t, access: number): void {
	if (!trace_event_on[HANDLE_MMIO_PAGE_FAULT])
		return;
	const at = trace_reserve(HANDLE_MMIO_PAGE_FAULT);

	put64(at, addr);
	put64(at + 2, gfn);
	trace_ring[at + 4] = access;
}

/** @ported v5.10 arch/x86/kvm/mmu/mmutrace.h */
export function trace_kvm_mmu_zap_all_fast(kvm: kvm): void {
	if (!trace_event_on[KVM_MMU_ZAP_ALL_FAST])
		return;
	const at = trace_reserve(KVM_MMU_ZAP_ALL_FAST);

	trace_ring[at] = kvms.mmu_valid_gen[kvm];
	trace_ring[at + 1] = kvms.n_used_mmu_pages[kvm];
}
