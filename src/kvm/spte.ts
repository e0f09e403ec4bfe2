// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/kvm/mmu/spte.c and spte.h, v5.10
 * Left out: memory encryption, large entries (no page is compound), the guard against L1TF in
 *	entries for MMIO (the processor has no such bug), guests within guests.
 * Lock order modelled: mmu_lock.
 *
 * An entry is two words of `ram`, as in arch/pgtable_types.ts, passed by value as lo and hi. Where
 * C returns one, the low word is returned and the high one is left in spte_hi. Of the masks the
 * accessed, dirty, present, user and executable ones are low words, shadow_nx_mask is a high one.
 *
 *	 63  62     54 53 52 51        32 31      12 11 10 9               0
 *	+--+----------+-----+-----------+-----------+--+--+-----------------+
 *	|NX| X.R saved| kind| 0         | frame     |MW|HW| as the hardware |
 *	+--+----------+-----+-----------+-----------+--+--+-----------------+
 *	kind: 0 A/D bits, 1 none (access tracking), 2 for dirty logging by W only, 3 MMIO
 *	HW the host's mapping is writable, MW KVM may make it writable
 */
import { MTRR_TYPE_WRBACK, VMX_EPT_IPAT_BIT, VMX_EPT_MT_EPTE_SHIFT } from '../arch/nested.ts';
import { NX_HI } from '../arch/pgtable_types.ts';
import { FRAME_WORDS_SHIFT } from '../arch/ram.ts';
import { BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { global_s32 } from '../lib/struct.ts';
import type { page } from '../mm/mm_types.ts';
import { kvm_mmu_pages, kvms, kvm_vcpus, PG_LEVEL_4K, ROLE_AD_DISABLED, type gfn_t,
	type kvm_mmu_page, type kvm_pfn_t, type kvm_vcpu } from './kvm_host.ts';
import { mmu_need_write_protect } from './mmu.ts';

export const PT_PRESENT_MASK = 0x1, PT_WRITABLE_MASK = 0x2, PT_USER_MASK = 0x4,
	PT_ACCESSED_MASK = 0x20, PT_DIRTY_MASK = 0x40, PT_PAGE_SIZE_MASK = 0x80;
/** High word. */
export const PT64_NX_MASK = NX_HI;
export const PT64_BASE_ADDR_MASK = ~0xfff;

export const ACC_EXEC_MASK = 1, ACC_WRITE_MASK = PT_WRITABLE_MASK, ACC_USER_MASK = PT_USER_MASK;
export const ACC_ALL = ACC_EXEC_MASK | ACC_WRITE_MASK | ACC_USER_MASK;

/* High words. */
export const SPTE_SPECIAL_MASK = 3 << 20, SPTE_AD_ENABLED_MASK = 0,
	SPTE_AD_DISABLED_MASK = 1 << 20, SPTE_AD_WRPROT_ONLY_MASK = 2 << 20,
	SPTE_MMIO_MASK = 3 << 20;
/* Low words. */
export const SPTE_HOST_WRITEABLE = 1 << 10, SPTE_MMU_WRITEABLE = 1 << 11;

/** Low word: R and X of EPT. They are kept in the high word, from bit 54 on. */
export const SHADOW_ACC_TRACK_SAVED_BITS_MASK = 5;
/** Within the high word. */
export const SHADOW_ACC_TRACK_SAVED_BITS_SHIFT = 54 - 32;

const MMIO_SPTE_GEN_LOW_SHIFT = 3, MMIO_SPTE_GEN_LOW_BITS = 9;
const MMIO_SPTE_GEN_LOW_MASK = 0x1ff << MMIO_SPTE_GEN_LOW_SHIFT;
const MMIO_SPTE_GEN_HIGH_SHIFT = 54 - 32, MMIO_SPTE_GEN_HIGH_MASK = 0x1ff << 22;
export const MMIO_SPTE_GEN_MASK = (1 << 18) - 1;

export const shadow_nx_mask = global_s32('shadow_nx_mask');
export const shadow_x_mask = global_s32('shadow_x_mask');
export const shadow_user_mask = global_s32('shadow_user_mask');
export const shadow_accessed_mask = global_s32('shadow_accessed_mask');
export const shadow_dirty_mask = global_s32('shadow_dirty_mask');
export const shadow_mmio_value = global_s32('shadow_mmio_value');
export const shadow_mmio_value_hi = global_s32('shadow_mmio_value_hi');
export const shadow_mmio_access_mask = global_s32('shadow_mmio_access_mask');
export const shadow_present_mask = global_s32('shadow_present_mask');
export const shadow_acc_track_mask = global_s32('shadow_acc_track_mask');
/** Whether KVM uses nested tables. */
export const tdp_enabled = global_s32('tdp_enabled');
/** Memory type of an EPT entry: the processor has it for nested tables of Intel only. */
export const shadow_mt_mask = global_s32('shadow_mt_mask');

/* Bits which may be returned by set_spte() */
export const SET_SPTE_WRITE_PROTECTED_PT = 1, SET_SPTE_NEED_REMOTE_TLB_FLUSH = 2,
	SET_SPTE_SPURIOUS = 4;

/** The high word of the entry that was returned last. */
export const spte_hi: { v: number } = { v: 0 };

/** @ported v5.10 */
export function is_mmio_spte(hi: number): boolean {
	return (hi & SPTE_SPECIAL_MASK) === SPTE_MMIO_MASK;
}

/** @ported v5.10 */
export function sp_ad_disabled(sp: kvm_mmu_page): boolean {
	return (kvm_mmu_pages.role[sp] & ROLE_AD_DISABLED) !== 0;
}

/** @ported v5.10 */
export function spte_ad_enabled(hi: number): boolean {
	return (hi & SPTE_SPECIAL_MASK) !== SPTE_AD_DISABLED_MASK;
}

/** @ported v5.10 */
export function spte_ad_need_write_protect(hi: number): boolean {
	return (hi & SPTE_SPECIAL_MASK) !== SPTE_AD_ENABLED_MASK;
}

/** @ported v5.10 */
export function spte_shadow_accessed_mask(hi: number): number {
	return spte_ad_enabled(hi) ? shadow_accessed_mask.v : 0;
}

/** @ported v5.10 */
export function spte_shadow_dirty_mask(hi: number): number {
	return spte_ad_enabled(hi) ? shadow_dirty_mask.v : 0;
}

/** @ported v5.10 */
export function is_access_track_spte(lo: number, hi: number): boolean {
	return !spte_ad_enabled(hi) && (lo & shadow_acc_track_mask.v) === 0;
}

/** @ported v5.10 */
export function is_shadow_present_pte(lo: number, hi: number): boolean {
	return (lo | hi) !== 0 && (hi & SPTE_SPECIAL_MASK) !== SPTE_MMIO_MASK;
}

/** @ported v5.10 */
export function is_large_pte(lo: number): boolean {
	return (lo & PT_PAGE_SIZE_MASK) !== 0;
}

/** @ported v5.10 */
export function is_last_spte(lo: number, level: number): boolean {
	return level === PG_LEVEL_4K || is_large_pte(lo);
}

/** @ported v5.10 */
export function is_executable_pte(lo: number, hi: number): boolean {
	return (lo & shadow_x_mask.v) === shadow_x_mask.v && (hi & shadow_nx_mask.v) === 0;
}

/** @ported v5.10 */
export function spte_to_pfn(lo: number): kvm_pfn_t {
	return lo >>> 12;
}

/** @ported v5.10 */
export function is_accessed_spte(lo: number, hi: number): boolean {
	const accessed_mask = spte_shadow_accessed_mask(hi);

	return accessed_mask ? (lo & accessed_mask) !== 0 : !is_access_track_spte(lo, hi);
}

/** @ported v5.10 */
export function is_dirty_spte(lo: number, hi: number): boolean {
	const dirty_mask = spte_shadow_dirty_mask(hi);

	return dirty_mask ? (lo & dirty_mask) !== 0 : (lo & PT_WRITABLE_MASK) !== 0;
}

/** @ported v5.10 arch/x86/kvm/mmu.h */
export function is_writable_pte(lo: number): boolean {
	return (lo & PT_WRITABLE_MASK) !== 0;
}

/** @ported v5.10 */
export function spte_can_locklessly_be_made_writable(lo: number): boolean {
	return (lo & (SPTE_HOST_WRITEABLE | SPTE_MMU_WRITEABLE)) ===
		(SPTE_HOST_WRITEABLE | SPTE_MMU_WRITEABLE);
}

/** @ported v5.10 */
export function get_mmio_spte_generation(lo: number, hi: number): number {
	return (lo & MMIO_SPTE_GEN_LOW_MASK) >> MMIO_SPTE_GEN_LOW_SHIFT |
		(hi & MMIO_SPTE_GEN_HIGH_MASK) >>> MMIO_SPTE_GEN_HIGH_SHIFT <<
			MMIO_SPTE_GEN_LOW_BITS;
}

/** @ported v5.10 */
export function make_mmio_spte(vcpu: kvm_vcpu, gfn: gfn_t, access: number): number {
	const gen = kvms.generation[kvm_vcpus.kvm[vcpu]] % (MMIO_SPTE_GEN_MASK + 1);

	access &= shadow_mmio_access_mask.v;
	spte_hi.v = shadow_mmio_value_hi.v |
		gen >>> MMIO_SPTE_GEN_LOW_BITS << MMIO_SPTE_GEN_HIGH_SHIFT;
	return gfn << 12 | shadow_mmio_value.v | access |
		gen << MMIO_SPTE_GEN_LOW_SHIFT & MMIO_SPTE_GEN_LOW_MASK;
}

/** @reduced vmx_get_mt_mask() and svm's: no device has non-coherent DMA, and no pfn is MMIO */
function get_mt_mask(): number {
	return shadow_mt_mask.v;
}

/** The masks of EPT's memory type, write-back whatever the guest says. @custom */
export const EPT_MT_MASK = MTRR_TYPE_WRBACK << VMX_EPT_MT_EPTE_SHIFT | VMX_EPT_IPAT_BIT;

/* The bits of SET_SPTE_* that make_spte() has to say. */
export const make_spte_ret: { v: number } = { v: 0 };

/**
 * An entry for a page; what C returns is left in make_spte_ret.
 * @reduced level is always PG_LEVEL_4K, and every pfn is RAM; see the head of the file
 */
export function make_spte(
	vcpu: kvm_vcpu, pte_access: number, gfn: gfn_t, pfn: kvm_pfn_t, old_lo: number,
	speculative: boolean, can_unsync: boolean, host_writable: boolean, ad_disabled: boolean,
): number {
	const hi_kind = ad_disabled ? SPTE_AD_DISABLED_MASK : 0;
	let hi = hi_kind, lo = shadow_present_mask.v;

	make_spte_ret.v = 0;
	if (!speculative)
		lo |= spte_shadow_accessed_mask(hi);
	if (pte_access & ACC_EXEC_MASK)
		lo |= shadow_x_mask.v;
	else
		hi |= shadow_nx_mask.v;
	if (pte_access & ACC_USER_MASK)
		lo |= shadow_user_mask.v;
	if (tdp_enabled.v)
		lo |= get_mt_mask();
	if (host_writable)
		lo |= SPTE_HOST_WRITEABLE;
	else
		pte_access &= ~ACC_WRITE_MASK;
	lo |= pfn << 12;

	out: {
		if (pte_access & ACC_WRITE_MASK) {
			lo |= PT_WRITABLE_MASK | SPTE_MMU_WRITEABLE;

			/* What was writable needs no look for pages that shadow it. */
			if (!can_unsync && is_writable_pte(old_lo))
				break out;
			if (mmu_need_write_protect(vcpu, gfn, can_unsync)) {
				make_spte_ret.v |= SET_SPTE_WRITE_PROTECTED_PT;
				pte_access &= ~ACC_WRITE_MASK;
				lo &= ~(PT_WRITABLE_MASK | SPTE_MMU_WRITEABLE);
			}
		}
		if (pte_access & ACC_WRITE_MASK)
			lo |= spte_shadow_dirty_mask(hi_kind);
		if (speculative) {
			lo = mark_spte_for_access_track(lo, hi);
			hi = spte_hi.v;
		}
	}
	spte_hi.v = hi;
	return lo;
}

/** @ported v5.10 */
export function make_nonleaf_spte(child: page, ad_disabled: boolean): number {
	spte_hi.v = ad_disabled ? SPTE_AD_DISABLED_MASK : 0;
	return child << FRAME_WORDS_SHIFT + 2 | shadow_present_mask.v | PT_WRITABLE_MASK |
		shadow_user_mask.v | shadow_x_mask.v | (ad_disabled ? 0 : shadow_accessed_mask.v);
}

/** @ported v5.10 */
export function kvm_mmu_changed_pte_notifier_make_spte(
	old_lo: number, old_hi: number, new_pfn: kvm_pfn_t,
): number {
	let lo = old_lo & ~PT64_BASE_ADDR_MASK;

	lo |= new_pfn << 12;
	lo &= ~PT_WRITABLE_MASK;
	lo &= ~SPTE_HOST_WRITEABLE;
	return mark_spte_for_access_track(lo, old_hi);
}

/** @ported v5.10 */
export function mark_spte_for_access_track(lo: number, hi: number): number {
	spte_hi.v = hi;
	if (spte_ad_enabled(hi))
		return lo & ~shadow_accessed_mask.v;
	if (is_access_track_spte(lo, hi))
		return lo;

	WARN_ON_ONCE((lo & PT_WRITABLE_MASK) !== 0 && !spte_can_locklessly_be_made_writable(lo),
		'a writable SPTE is not locklessly dirty-trackable');
	WARN_ON_ONCE((hi & SHADOW_ACC_TRACK_SAVED_BITS_MASK << SHADOW_ACC_TRACK_SAVED_BITS_SHIFT)
		!== 0, 'the places of saved bits are not zero');
	spte_hi.v = hi | (lo & SHADOW_ACC_TRACK_SAVED_BITS_MASK) <<
		SHADOW_ACC_TRACK_SAVED_BITS_SHIFT;
	return lo & ~shadow_acc_track_mask.v;
}

/** @ported v5.10 */
export function kvm_mmu_set_mmio_spte_mask(
	mmio_value: number, mmio_value_hi: number, access_mask: number,
): void {
	shadow_mmio_value.v = mmio_value;
	shadow_mmio_value_hi.v = mmio_value_hi | SPTE_MMIO_MASK;
	shadow_mmio_access_mask.v = access_mask;
}

/** @ported v5.10; nx_mask is a high word */
export function kvm_mmu_set_mask_ptes(
	user_mask: number, accessed_mask: number, dirty_mask: number, nx_mask: number,
	x_mask: number, p_mask: number, acc_track_mask: number,
): void {
	BUG_ON(!dirty_mask !== !accessed_mask, 'an MMU with one of A and D');
	BUG_ON(!accessed_mask && !acc_track_mask, 'an MMU that cannot tell what was accessed');

	shadow_user_mask.v = user_mask;
	shadow_accessed_mask.v = accessed_mask;
	shadow_dirty_mask.v = dirty_mask;
	shadow_nx_mask.v = nx_mask;
	shadow_x_mask.v = x_mask;
	shadow_present_mask.v = p_mask;
	shadow_acc_track_mask.v = acc_track_mask;
}
