// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/kvm/mmu/page_track.c, v5.10
 * Left out: other modes than write tracking, and other users than KVM's own shadow paging, so the
 *	list of notifiers is one call.
 * Lock order modelled: mmu_lock.
 */
import { WARN_ON_ONCE } from '../lib/bug.ts';
import { PG_LEVEL_4K, gfn_to_index, kvm_memory_slots, kvm_vcpus, kvm_words, search_memslots,
	type gfn_t, type kvm, type kvm_memory_slot, type kvm_vcpu } from './kvm_host.ts';
import { kvm_flush_remote_tlbs } from './kvm_main.ts';
import { kvm_mmu_invalidate_zap_pages_in_memslot, kvm_mmu_pte_write,
	kvm_mmu_slot_gfn_write_protect } from './mmu.ts';

const { base_gfn, gfn_track } = kvm_memory_slots;

/** @ported v5.10 static */
function update_gfn_track(slot: kvm_memory_slot, gfn: gfn_t, count: number): void {
	const at = gfn_track[slot] + gfn_to_index(gfn, base_gfn[slot], PG_LEVEL_4K);

	WARN_ON_ONCE(kvm_words[at]! + count < 0, 'a page is tracked less than never');
	kvm_words[at]! += count;
}

/** @reduced large pages are never made, so what forbids them is not counted */
export function kvm_slot_page_track_add_page(kvm: kvm, slot: kvm_memory_slot, gfn: gfn_t): void {
	update_gfn_track(slot, gfn, 1);
	if (kvm_mmu_slot_gfn_write_protect(kvm, slot, gfn))
		kvm_flush_remote_tlbs(kvm);
}

/** @reduced what forbids large pages is not counted */
export function kvm_slot_page_track_remove_page(
	_kvm: kvm, slot: kvm_memory_slot, gfn: gfn_t,
): void {
	update_gfn_track(slot, gfn, -1);
}

/** @ported v5.10 */
export function kvm_page_track_is_active(vcpu: kvm_vcpu, gfn: gfn_t): boolean {
	const slot = search_memslots(kvm_vcpus.kvm[vcpu], gfn);

	if (!slot)
		return false;
	return kvm_words[gfn_track[slot] + gfn_to_index(gfn, base_gfn[slot], PG_LEVEL_4K)] !== 0;
}

/** @ported v5.10; the only node is the MMU's */
export function kvm_page_track_write(vcpu: kvm_vcpu, gpa: number, bytes: number): void {
	kvm_mmu_pte_write(vcpu, gpa, bytes);
}

/** @ported v5.10; the only node is the MMU's */
export function kvm_page_track_flush_slot(kvm: kvm, _slot: kvm_memory_slot): void {
	kvm_mmu_invalidate_zap_pages_in_memslot(kvm);
}
