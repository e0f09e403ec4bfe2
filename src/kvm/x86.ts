// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/kvm/x86.c and x86.h, with what vmx/vmx.c and svm/svm.c do about paging; v5.10
 * Left out: everything of a guest but its memory. Its program is one that touches pages in a row:
 *	the instruction that loads or stores a byte, at `guest_addr`, `guest_count` times, and then
 *	HLT. It runs in supervisor mode, in long mode with tables of its own or without paging.
 * Lock order modelled: srcu > mmap_lock > mmu_lock.
 */
import { MMU_FETCH, MMU_WRITE } from '../arch/mmu.ts';
import { EPT_VIOLATION_ACC_INSTR, EPT_VIOLATION_ACC_READ, EPT_VIOLATION_ACC_WRITE,
	EPT_VIOLATION_EXECUTABLE, EPT_VIOLATION_GVA_TRANSLATED, EPT_VIOLATION_READABLE,
	EPT_VIOLATION_WRITABLE, EXIT_EPT_MISCONFIG, EXIT_EPT_VIOLATION, EXIT_NPF, EXIT_PF,
	NESTED_EPT, NESTED_EPT_AD, NESTED_NONE, NPF_GUEST_FINAL, NPF_GUEST_PAGE,
	VMX_EPT_ACCESS_BIT, VMX_EPT_DIRTY_BIT, VMX_EPT_EXECUTABLE_MASK, VMX_EPT_READABLE_MASK,
	VMX_EPT_RWX_MASK, guest_cpus, guest_translate, load_nested_root, nested_flush_all,
	nested_flush_asid, nested_flush_root } from '../arch/nested.ts';
import { BUG } from '../lib/bug.ts';
import { EINTR, ENOMEM } from '../lib/errno.ts';
import { f64, global_s32, s32, struct } from '../lib/struct.ts';
import { current, smp_processor_id } from '../mm/current.ts';
import { mem_cgroup_handle_over_high } from '../mm/memcontrol.ts';
import { tasks } from '../mm/mm_types.ts';
import { INVALID_PAGE, KVM_EXIT_HLT, KVM_EXIT_INTERNAL_ERROR, KVM_EXIT_INTR, KVM_EXIT_MMIO,
	KVM_EXIT_SHUTDOWN, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY,
	KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS, KVM_MR_CREATE, KVM_MR_FLAGS_ONLY, KVM_MR_MOVE,
	KVM_REQ_LOAD_MMU_PGD, KVM_REQ_MMU_RELOAD, KVM_REQ_MMU_SYNC, KVM_REQ_TLB_FLUSH,
	KVM_REQ_TLB_FLUSH_CURRENT, KVM_REQ_TRIPLE_FAULT, PG_LEVEL_4K, gfn_to_index,
	kvm_check_request, kvm_make_request, kvm_memory_slots, kvm_vcpus, kvm_vcalloc, kvm_vfree,
	kvms, search_memslots, type gfn_t, type kvm, type kvm_memory_slot, type kvm_vcpu }
	from './kvm_host.ts';
import { kvm_is_visible_memslot, kvm_vcpu_read_guest, kvm_vcpu_write_guest }
	from './kvm_main.ts';
import { PFERR_FETCH_MASK, PFERR_PRESENT_MASK, PFERR_RSVD_MASK, PFERR_USER_MASK,
	PFERR_WRITE_MASK, kvm_mmu_calculate_default_mmu_pages, kvm_mmu_change_mmu_pages,
	kvm_mmu_invalidate_mmio_sptes, kvm_mmu_page_fault, kvm_mmu_reload,
	kvm_mmu_slot_remove_write_access, kvm_mmu_sync_roots, kvm_mmu_unload, kvm_mmu_zap_all }
	from './mmu.ts';
import { kvm_page_track_flush_slot, kvm_page_track_write } from './page_track.ts';
import { paging64_gva_to_gpa } from './paging_tmpl.ts';
import { ACC_USER_MASK, ACC_WRITE_MASK, EPT_MT_MASK, PT64_NX_MASK, PT_ACCESSED_MASK,
	PT_DIRTY_MASK, PT_PRESENT_MASK, PT_USER_MASK, kvm_mmu_set_mask_ptes,
	kvm_mmu_set_mmio_spte_mask, shadow_mt_mask, tdp_enabled } from './spte.ts';
import { trace_kvm_page_fault } from './trace_kvm.ts';

/** Which module is loaded, and with what parameters: NESTED_* plus 1; 0 none yet. */
export const kvm_module = global_s32('kvm_module');

/** The program of each vCPU's guest; the row is the vCPU's. */
export const guest_programs = struct<kvm_vcpu>()('guest_program', 1024, {
	/* where its instruction lies, -1: nobody looks, it is always there */
	guest_code: f64,
	/* the next page to touch, and how many are left; linear */
	guest_addr: f64,
	guest_count: s32,
	/* MMU_READ or MMU_WRITE */
	guest_access: s32,
});
const { guest_code, guest_addr, guest_count, guest_access } = guest_programs;
const { exit_reason, mmio_phys_addr, mmio_is_write, requests, root_hpa, mmio_gva, mmio_gfn,
	mmio_access, mmio_gen, kvm: vcpu_kvm } = kvm_vcpus;

/** What the instruction does with the byte that it has reached, by its physical address. */
export type guest_instruction = (at: number) => void;

/* arch/x86/kvm/x86.h */

/** @ported v5.10 arch/x86/kvm/x86.h */
export function vcpu_cache_mmio_info(
	vcpu: kvm_vcpu, gva: number, gfn: gfn_t, access: number,
): void {
	const gen = kvms.generation[vcpu_kvm[vcpu]];

	if (gen >= KVM_MEMSLOT_GEN_UPDATE_IN_PROGRESS)
		return;
	mmio_gva[vcpu] = gva - gva % 4096;
	mmio_access[vcpu] = access;
	mmio_gfn[vcpu] = gfn;
	mmio_gen[vcpu] = gen;
}

/** @ported v5.10 arch/x86/kvm/x86.h; gva -1: MMIO_GVA_ANY */
export function vcpu_clear_mmio_info(vcpu: kvm_vcpu, gva: number): void {
	if (gva !== -1 && mmio_gva[vcpu] !== gva - gva % 4096)
		return;
	mmio_gva[vcpu] = 0;
}

/** @ported v5.10 arch/x86/kvm/x86.h */
export function vcpu_match_mmio_gva(vcpu: kvm_vcpu, gva: number): boolean {
	return mmio_gen[vcpu] === kvms.generation[vcpu_kvm[vcpu]] && mmio_gva[vcpu] !== 0 &&
		mmio_gva[vcpu] === gva - gva % 4096;
}

/** @ported v5.10 arch/x86/kvm/x86.h */
export function vcpu_match_mmio_gpa(vcpu: kvm_vcpu, gpa: number): boolean {
	return mmio_gen[vcpu] === kvms.generation[vcpu_kvm[vcpu]] && mmio_gfn[vcpu] !== 0 &&
		mmio_gfn[vcpu] === Math.floor(gpa / 4096);
}

/* vmx/vmx.c:hardware_setup(), vmx_enable_tdp(); svm/svm.c:svm_hardware_setup() */

/**
 * Load kvm_intel or kvm_amd, with the parameters that say how guest memory is mapped.
 * @param format NESTED_NPT (kvm_amd), NESTED_EPT_AD, NESTED_EPT (kvm_intel eptad=0), NESTED_NONE
 *	(kvm_amd npt=0)
 * @custom modprobe
 */
export function kvm_module_load(format: number): void {
	if (kvm_module.v)
		BUG('a KVM module is loaded twice');
	kvm_module.v = format + 1;
	tdp_enabled.v = format === NESTED_NONE ? 0 : 1;
	shadow_mt_mask.v = 0;
	if (format === NESTED_EPT || format === NESTED_EPT_AD) {
		const ad = format === NESTED_EPT_AD;

		/* no execute-only entries, so what is present can be read */
		kvm_mmu_set_mask_ptes(VMX_EPT_READABLE_MASK, ad ? VMX_EPT_ACCESS_BIT : 0,
			ad ? VMX_EPT_DIRTY_BIT : 0, 0, VMX_EPT_EXECUTABLE_MASK,
			VMX_EPT_READABLE_MASK, VMX_EPT_RWX_MASK);
		/* writable and not readable: a misconfiguration */
		kvm_mmu_set_mmio_spte_mask(6, 0, 0);
		shadow_mt_mask.v = EPT_MT_MASK;
		return;
	}
	kvm_mmu_set_mask_ptes(PT_USER_MASK, PT_ACCESSED_MASK, PT_DIRTY_MASK, PT64_NX_MASK, 0,
		PT_PRESENT_MASK, 0);
	/* bit 51, which is reserved */
	kvm_mmu_set_mmio_spte_mask(PT_PRESENT_MASK, 1 << 51 - 32, ACC_WRITE_MASK | ACC_USER_MASK);
}

/** The VPID or ASID of a vCPU: each has its own. @reduced svm/svm.c gives them out by CPU */
function vpid_of(vcpu: kvm_vcpu): number {
	return vcpu;
}

/** @ported v5.10 vmx_load_mmu_pgd(), svm_load_mmu_pgd() */
export function kvm_x86_load_mmu_pgd(vcpu: kvm_vcpu): void {
	load_nested_root(vcpu, root_hpa[vcpu], vpid_of(vcpu));
}

/** @ported v5.10 vmx_flush_tlb_all(), svm_flush_tlb() */
function kvm_vcpu_flush_tlb_all(vcpu: kvm_vcpu): void {
	const cpu = smp_processor_id(), format = kvm_module.v - 1;

	if (format === NESTED_EPT || format === NESTED_EPT_AD)
		nested_flush_all(cpu);
	else
		nested_flush_asid(cpu, vpid_of(vcpu));
}

/** @ported v5.10 vmx_flush_tlb_current(), svm_flush_tlb() */
export function kvm_x86_tlb_flush_current(vcpu: kvm_vcpu): void {
	const cpu = smp_processor_id(), format = kvm_module.v - 1;

	if (root_hpa[vcpu] === INVALID_PAGE)
		return;
	if (format === NESTED_EPT || format === NESTED_EPT_AD)
		nested_flush_root(cpu, root_hpa[vcpu]);
	else
		nested_flush_asid(cpu, vpid_of(vcpu));
}

/** @ported v5.10 vmx/vmx.c static */
function handle_ept_violation(vcpu: kvm_vcpu, gpa: number, exit_qualification: number): number {
	trace_kvm_page_fault(gpa, exit_qualification);
	let error_code = exit_qualification & EPT_VIOLATION_ACC_READ ? PFERR_USER_MASK : 0;
	error_code |= exit_qualification & EPT_VIOLATION_ACC_WRITE ? PFERR_WRITE_MASK : 0;
	error_code |= exit_qualification & EPT_VIOLATION_ACC_INSTR ? PFERR_FETCH_MASK : 0;
	error_code |= exit_qualification & (EPT_VIOLATION_READABLE | EPT_VIOLATION_WRITABLE |
		EPT_VIOLATION_EXECUTABLE) ? PFERR_PRESENT_MASK : 0;
	return kvm_mmu_page_fault(vcpu, gpa, error_code +
		(exit_qualification & EPT_VIOLATION_GVA_TRANSLATED ? NPF_GUEST_FINAL
			: NPF_GUEST_PAGE));
}

/** @ported v5.10 vmx/vmx.c static */
function handle_ept_misconfig(vcpu: kvm_vcpu, gpa: number): number {
	return kvm_mmu_page_fault(vcpu, gpa, PFERR_RSVD_MASK);
}

/** @ported v5.10 svm/svm.c static */
function npf_interception(vcpu: kvm_vcpu, fault_address: number, error_code: number): number {
	trace_kvm_page_fault(fault_address, error_code);
	return kvm_mmu_page_fault(vcpu, fault_address, error_code);
}

/** @reduced no async page faults */
function kvm_handle_page_fault(
	vcpu: kvm_vcpu, fault_address: number, error_code: number,
): number {
	trace_kvm_page_fault(fault_address, error_code);
	return kvm_mmu_page_fault(vcpu, fault_address, error_code);
}

/** 1: back to the guest; 0: to user space; -errno. @reduced exits that are about memory */
function handle_exit(vcpu: kvm_vcpu): number {
	const address = guest_cpus.exit_address[vcpu], code = guest_cpus.exit_code[vcpu];

	switch (guest_cpus.exit_reason[vcpu]) {
	case EXIT_NPF: return npf_interception(vcpu, address, code);
	case EXIT_EPT_VIOLATION: return handle_ept_violation(vcpu, address, code);
	case EXIT_EPT_MISCONFIG: return handle_ept_misconfig(vcpu, address);
	case EXIT_PF:
		/* With nested tables the guest's faults are its own: it has nobody for them. */
		if (tdp_enabled.v) {
			kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
			return 1;
		}
		return kvm_handle_page_fault(vcpu, address, code);
	default: return BUG(`exit for no reason ${guest_cpus.exit_reason[vcpu]}`);
	}
}

/**
 * A fault that the guest's tables make; the guest has no handler, and is shut down.
 * @reduced exceptions of the guest
 */
export function kvm_inject_emulated_page_fault(
	vcpu: kvm_vcpu, _addr: number, _error_code: number,
): void {
	kvm_make_request(KVM_REQ_TRIPLE_FAULT, vcpu);
}

/* What the running instruction does; of emulation, which has no other way to it. */
const running: { instruction: guest_instruction } = { instruction: () => {} };

/** The instruction is done. @custom */
function next_instruction(vcpu: kvm_vcpu): void {
	guest_addr[vcpu] += 4096;
	guest_count[vcpu]--;
}

/**
 * Do by software what the processor could not: 1 done or to be run again, 0 user space must do it.
 * @reduced to the one instruction of the guest's program
 */
export function x86_emulate_instruction(vcpu: kvm_vcpu, cr2_or_gpa: number): number {
	const write = guest_access[vcpu] === MMU_WRITE, addr = guest_addr[vcpu];
	const direct = kvm_vcpus.direct_map[vcpu] !== 0;
	const page = Math.floor(cr2_or_gpa / 4096);
	let gpa = addr;

	/* Not at the data: the code or a table of the guest is where there is no memory. */
	if (page !== Math.floor(addr / 4096) || !guest_count[vcpu]) {
		exit_reason[vcpu] = KVM_EXIT_INTERNAL_ERROR;
		return 0;
	}
	if (!direct) {
		gpa = paging64_gva_to_gpa(vcpu, addr, write ? PFERR_WRITE_MASK : 0);
		if (gpa < 0)
			return 1;
	}
	const slot = search_memslots(vcpu_kvm[vcpu], Math.floor(gpa / 4096));
	if (kvm_is_visible_memslot(slot) && !(write &&
	    kvm_memory_slots.flags[slot] & KVM_MEM_READONLY)) {
		const r = write ? kvm_vcpu_write_guest(vcpu, gpa, running.instruction)
			: kvm_vcpu_read_guest(vcpu, gpa, running.instruction);
		if (r === 0) {
			if (write)
				kvm_page_track_write(vcpu, gpa, 1);
			next_instruction(vcpu);
			return 1;
		}
	}
	exit_reason[vcpu] = KVM_EXIT_MMIO;
	mmio_phys_addr[vcpu] = gpa;
	mmio_is_write[vcpu] = write ? 1 : 0;
	return 0;
}

/** @reduced what a VM entry is asked for, as far as paging goes; then the guest until it exits */
function vcpu_enter_guest(vcpu: kvm_vcpu): number {
	const cpu = smp_processor_id();

	if (requests[vcpu]) {
		if (kvm_check_request(KVM_REQ_MMU_RELOAD, vcpu))
			kvm_mmu_unload(vcpu);
		if (kvm_check_request(KVM_REQ_MMU_SYNC, vcpu))
			kvm_mmu_sync_roots(vcpu);
		if (kvm_check_request(KVM_REQ_LOAD_MMU_PGD, vcpu))
			kvm_x86_load_mmu_pgd(vcpu);
		if (kvm_check_request(KVM_REQ_TLB_FLUSH, vcpu)) {
			kvm_vcpu_flush_tlb_all(vcpu);
			kvm_check_request(KVM_REQ_TLB_FLUSH_CURRENT, vcpu);
		}
		if (kvm_check_request(KVM_REQ_TLB_FLUSH_CURRENT, vcpu))
			kvm_x86_tlb_flush_current(vcpu);
		if (kvm_check_request(KVM_REQ_TRIPLE_FAULT, vcpu)) {
			exit_reason[vcpu] = KVM_EXIT_SHUTDOWN;
			return 0;
		}
	}
	const r = kvm_mmu_reload(vcpu);
	/* 1: the guest has no tables; the request for its shutdown stands. */
	if (r)
		return r;
	/* What was asked for meanwhile comes first. */
	if (requests[vcpu])
		return 1;
	kvm_x86_load_mmu_pgd(vcpu);

	while (guest_count[vcpu]) {
		if (guest_code[vcpu] >= 0 &&
		    guest_translate(cpu, vcpu, guest_code[vcpu], MMU_FETCH) < 0)
			return handle_exit(vcpu);
		const at = guest_translate(cpu, vcpu, guest_addr[vcpu], guest_access[vcpu]);
		if (at < 0)
			return handle_exit(vcpu);
		running.instruction(at);
		next_instruction(vcpu);
	}
	exit_reason[vcpu] = KVM_EXIT_HLT;
	return 0;
}

/** @ported v5.10 static */
function vcpu_run(vcpu: kvm_vcpu): number {
	const kvm = vcpu_kvm[vcpu], task = current();

	kvms.srcu[kvm]++;
	try {
		for (;;) {
			const r = vcpu_enter_guest(vcpu);

			if (r <= 0)
				return r;
			/* xfer_to_guest_mode_handle_work() */
			if (tasks.sigkill[task]) {
				exit_reason[vcpu] = KVM_EXIT_INTR;
				return -EINTR;
			}
			if (tasks.memcg_nr_pages_over_high[task])
				mem_cgroup_handle_over_high();
		}
	} finally {
		kvms.srcu[kvm]--;
	}
}

/** The vCPU is on this CPU now. @ported v5.10, and vmx_vcpu_load(), svm_vcpu_load() */
function kvm_arch_vcpu_load(vcpu: kvm_vcpu, cpu: number): void {
	if (kvm_vcpus.cpu[vcpu] !== cpu) {
		/* What it left there before may be stale. */
		kvm_make_request(KVM_REQ_TLB_FLUSH, vcpu);
		kvm_vcpus.cpu[vcpu] = cpu;
	}
}

/**
 * KVM_RUN: 0 with exit_reason, or -errno.
 * @param instruction what the guest's instruction does with each byte it reaches
 * @reduced to what a guest without devices can do
 */
export function kvm_arch_vcpu_ioctl_run(
	vcpu: kvm_vcpu, instruction: guest_instruction,
): number {
	const before = running.instruction;

	kvm_arch_vcpu_load(vcpu, smp_processor_id());
	running.instruction = instruction;
	try {
		return vcpu_run(vcpu);
	} finally {
		running.instruction = before;
	}
}

/** @ported v5.10 */
export function kvm_arch_free_memslot(_kvm: kvm, slot: kvm_memory_slot): void {
	kvm_vfree(kvm_memory_slots.rmap_4k[slot]);
	kvm_vfree(kvm_memory_slots.rmap_2m[slot]);
	kvm_vfree(kvm_memory_slots.rmap_1g[slot]);
	kvm_vfree(kvm_memory_slots.gfn_track[slot]);
	clear_arch(slot);
}

/** @custom memset(&slot->arch, 0) */
export function clear_arch(slot: kvm_memory_slot): void {
	kvm_memory_slots.rmap_4k[slot] = 0;
	kvm_memory_slots.rmap_2m[slot] = 0;
	kvm_memory_slots.rmap_1g[slot] = 0;
	kvm_memory_slots.gfn_track[slot] = 0;
}

/** 0 or -ENOMEM. @reduced what forbids large pages is not kept */
export function kvm_alloc_memslot_metadata(slot: kvm_memory_slot, npages: number): number {
	const base_gfn = kvm_memory_slots.base_gfn[slot];
	const heads = (level: number): number =>
		gfn_to_index(base_gfn + npages - 1, base_gfn, level) + 1;

	kvm_memory_slots.rmap_4k[slot] = kvm_vcalloc(heads(1));
	kvm_memory_slots.rmap_2m[slot] = kvm_vcalloc(heads(2));
	kvm_memory_slots.rmap_1g[slot] = kvm_vcalloc(heads(3));
	kvm_memory_slots.gfn_track[slot] = kvm_vcalloc(npages);
	if (kvm_memory_slots.rmap_4k[slot] && kvm_memory_slots.rmap_2m[slot] &&
	    kvm_memory_slots.rmap_1g[slot] && kvm_memory_slots.gfn_track[slot])
		return 0;
	return -ENOMEM;
}

/** @ported v5.10 */
export function kvm_arch_memslots_updated(kvm: kvm, gen: number): void {
	kvm_mmu_invalidate_mmio_sptes(kvm, gen);
}

/** @ported v5.10 */
export function kvm_arch_prepare_memory_region(
	_kvm: kvm, memslot: kvm_memory_slot, npages: number, change: number,
): number {
	if (change === KVM_MR_CREATE || change === KVM_MR_MOVE)
		return kvm_alloc_memslot_metadata(memslot, npages);
	return 0;
}

/** @reduced no large pages to make again when logging ends; no log that hardware writes */
function kvm_mmu_slot_apply_flags(kvm: kvm, memslot: kvm_memory_slot, change: number): void {
	const flags = kvm_memory_slots.flags[memslot];

	if (change !== KVM_MR_FLAGS_ONLY || flags & KVM_MEM_READONLY)
		return;
	if (flags & KVM_MEM_LOG_DIRTY_PAGES)
		kvm_mmu_slot_remove_write_access(kvm, memslot, PG_LEVEL_4K);
}

/** @ported v5.10 */
export function kvm_arch_commit_memory_region(
	kvm: kvm, memslot: kvm_memory_slot, change: number,
): void {
	if (!kvms.n_requested_mmu_pages[kvm])
		kvm_mmu_change_mmu_pages(kvm, kvm_mmu_calculate_default_mmu_pages(kvm));
	kvm_mmu_slot_apply_flags(kvm, memslot, change);
}

/** @ported v5.10 */
export function kvm_arch_flush_shadow_all(kvm: kvm): void {
	kvm_mmu_zap_all(kvm);
}

/** @ported v5.10 */
export function kvm_arch_flush_shadow_memslot(kvm: kvm, slot: kvm_memory_slot): void {
	kvm_page_track_flush_slot(kvm, slot);
}
