// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/kvm/mmu/paging_tmpl.h, v5.10, for PTTYPE 64: FNAME(x) is paging64_x
 * Left out: 32-bit tables and EPT as tables of a guest, PAE, protection keys, large entries of KVM.
 * Lock order modelled: mmap_lock > mmu_lock.
 *
 * A guest's entry is two words, as everywhere; those of a walk are kept in the walker.
 */
import { entry_reserved, EFER_NX, MMU_READ, MMU_WRITE } from '../arch/mmu.ts';
import { guest_cpus } from '../arch/nested.ts';
import { NX_HI, PFN_HI_MASK } from '../arch/pgtable_types.ts';
import { ram } from '../arch/ram.ts';
import { BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { EFAULT } from '../lib/errno.ts';
import { point, scheduling_point } from '../lib/points.ts';
import type { out } from '../lib/struct.ts';
import { INVALID_PAGE, KVM_PAGES_PER_HPAGE, PG_LEVEL_4K, ROLE_ACCESS, ROLE_ACCESS_SHIFT,
	ROLE_DIRECT, is_error_pfn, is_noslot_pfn, kvm_is_error_hva, kvm_mmu_pages,
	kvm_shadow_walk_iterator, kvm_vcpus, kvms, is_page_fault_stale, mmu_lock, mmu_unlock,
	type gfn_t, type kvm_mmu_page, type kvm_pfn_t, type kvm_vcpu, type sptep }
	from './kvm_host.ts';
import { guest_word, kvm_flush_remote_tlbs, kvm_release_faultin_page, kvm_vcpu_gfn_to_hva_prot,
	kvm_vcpu_mark_page_dirty, kvm_vcpu_read_guest_atomic, user_access } from './kvm_main.ts';
import { PFERR_FETCH_MASK, PFERR_PRESENT_MASK, PFERR_RSVD_MASK, PFERR_USER_MASK,
	PFERR_WRITE_MASK, PTE_PREFETCH_NUM, RET_PF_EMULATE, RET_PF_RETRY, RET_PF_SPURIOUS, hva_of,
	__direct_pte_prefetch, abnormal_ret, clear_sp_write_flooding_count, drop_spte,
	handle_abnormal_pfn, kvm_mmu_get_page, kvm_mmu_page_get_gfn,
	link_shadow_page, make_mmu_pages_available, map_writable, may_be_going, mmu_set_spte,
	mmu_topup_memory_caches, page_fault_handle_page_track, pte_prefetch_gfn_to_pfn, set_spte,
	shadow_page_table_clear_flood, shadow_walk_init, shadow_walk_next, shadow_walk_okay,
	sp_level, spt_of, spte_index, sptep_to_sp, sync_mmio_spte, try_async_pf,
	validate_direct_spte, wait_for_invalidation } from './mmu.ts';
import { ACC_EXEC_MASK, ACC_USER_MASK, ACC_WRITE_MASK, PT_ACCESSED_MASK, PT_DIRTY_MASK,
	PT_PAGE_SIZE_MASK, PT_PRESENT_MASK, SET_SPTE_NEED_REMOTE_TLB_FLUSH, SPTE_HOST_WRITEABLE,
	is_shadow_present_pte, spte_to_pfn } from './spte.ts';
import { kvm_inject_emulated_page_fault } from './x86.ts';

const POINT_SEQ = point('paging64_page_fault.mmu_seq');
const POINT_PFN = point('paging64_page_fault.pfn');

const { role: sp_role, gfn: sp_gfn } = kvm_mmu_pages;

/** struct guest_walker; arrays by level - 1 */
class guest_walker {
	level = 0;
	max_level = 0;
	readonly table_gfn = [0, 0, 0, 0];
	readonly ptes = [0, 0, 0, 0];
	readonly ptes_hi = [0, 0, 0, 0];
	readonly prefetch_ptes = new Array<number>(2 * PTE_PREFETCH_NUM).fill(0);
	readonly pte_gpa = [0, 0, 0, 0];
	readonly ptep_user = [0, 0, 0, 0];
	readonly pte_writable = [0, 0, 0, 0];
	readonly pt_access = [0, 0, 0, 0];
	pte_access = 0;
	gfn = 0;
	/* struct x86_exception */
	error_code = 0;
}

/** @ported v5.10 static */
function gpte_to_gfn_lvl(lo: number, hi: number, lvl: number): gfn_t {
	const gpa = (lo & ~0xfff) >>> 0;

	return Math.floor((gpa - gpa % (4096 * KVM_PAGES_PER_HPAGE(lvl))) / 4096) +
		(hi & 0xfffff) * 2 ** 20;
}

/** Without D a guest's entry is not written through. @ported v5.10 static */
function paging64_protect_clean_gpte(access: number, lo: number): number {
	return access & (~ACC_WRITE_MASK | (lo & PT_DIRTY_MASK ? ACC_WRITE_MASK : 0));
}

/** @ported v5.10 static */
function paging64_is_rsvd_bits_set(lo: number, hi: number, level: number): boolean {
	return entry_reserved(level, lo, hi, PFN_HI_MASK);
}

/** The guest's entry is changed if it is still what it was: 0, 1 if not, -EFAULT. */
/** @ported v5.10 static */
function paging64_cmpxchg_gpte(
	ptep_user: number, orig_lo: number, orig_hi: number, lo: number,
): number {
	const at = user_access(ptep_user, MMU_WRITE);

	if (at < 0)
		return -EFAULT;
	const word = at / 4;
	if (ram[word] !== orig_lo || ram[word + 1] !== orig_hi)
		return 1;
	ram[word] = lo;
	return 0;
}

/** ACC_* of an entry whose NX bit was inverted. @ported v5.10 static */
function paging64_gpte_access(lo: number, nx: boolean): number {
	return (lo & (ACC_WRITE_MASK | ACC_USER_MASK | ACC_EXEC_MASK)) ^ (nx ? ACC_EXEC_MASK : 0);
}

/** True: what there was is dropped, and nothing is to be mapped ahead. @ported v5.10 static */
function paging64_prefetch_invalid_gpte(
	vcpu: kvm_vcpu, spte: sptep, lo: number, hi: number,
): boolean {
	if ((lo & PT_PRESENT_MASK) && (lo & PT_ACCESSED_MASK) &&
	    !paging64_is_rsvd_bits_set(lo, hi, PG_LEVEL_4K))
		return false;
	drop_spte(kvm_vcpus.kvm[vcpu], spte);
	return true;
}

/** A in all the guest's entries that the walk used, D in the last: 0, 1 to walk again, -errno. */
/** @ported v5.10 static */
function paging64_update_accessed_dirty_bits(
	vcpu: kvm_vcpu, walker: guest_walker, write_fault: boolean,
): number {
	for (let level = walker.max_level; level >= walker.level; level--) {
		const orig = walker.ptes[level - 1]!;
		let pte = orig | PT_ACCESSED_MASK;

		if (level === walker.level && write_fault)
			pte |= PT_DIRTY_MASK;
		if (pte === orig)
			continue;
		/* In a read-only slot they are left as they are. */
		if (!walker.pte_writable[level - 1])
			continue;
		const ret = paging64_cmpxchg_gpte(walker.ptep_user[level - 1]!, orig,
			walker.ptes_hi[level - 1]!, pte);
		if (ret)
			return ret;
		kvm_vcpu_mark_page_dirty(vcpu, walker.table_gfn[level - 1]!);
		walker.ptes[level - 1] = pte;
	}
	return 0;
}

/** @reduced arch/x86/kvm/mmu.h: without SMEP, SMAP and keys, with CR0.WP */
function permission_fault(vcpu: kvm_vcpu, pte_access: number, pfec: number): number {
	const nx = (guest_cpus.efer[vcpu] & EFER_NX) !== 0;

	if ((pfec & PFERR_USER_MASK && !(pte_access & ACC_USER_MASK)) ||
	    (pfec & PFERR_WRITE_MASK && !(pte_access & ACC_WRITE_MASK)) ||
	    (pfec & PFERR_FETCH_MASK && nx && !(pte_access & ACC_EXEC_MASK)))
		return PFERR_PRESENT_MASK;
	return 0;
}

/** Walk the guest's tables in guest memory. False: a fault for the guest. */
/** @ported v5.10 static */
function paging64_walk_addr(
	walker: guest_walker, vcpu: kvm_vcpu, addr: number, access: number,
): boolean {
	const write_fault = (access & PFERR_WRITE_MASK) !== 0;
	let errcode = 0;

	error: {
		retry_walk: for (;;) {
			let pte = 0, pte_hi = 0, pte_access = ~0, nx = false, accessed_dirty = true;

			walker.level = kvm_vcpus.root_level[vcpu];
			walker.max_level = walker.level;
			let table_gfn = Math.floor(guest_cpus.cr3[vcpu] / 4096);
			walker.level++;
			do {
				const pt_access: number = pte_access, pt_nx: boolean = nx;
				walker.level--;
				const index = Math.floor(addr /
					(4096 * KVM_PAGES_PER_HPAGE(walker.level)));
				const offset = ((index % 512 + 512) % 512) * 8;
				const l = walker.level - 1;
				if (walker.level < walker.max_level)
					table_gfn = gpte_to_gfn_lvl(pte, pte_hi, PG_LEVEL_4K);
				walker.table_gfn[l] = table_gfn;
				walker.pte_gpa[l] = table_gfn * 4096 + offset;

				const host_addr = kvm_vcpu_gfn_to_hva_prot(vcpu, table_gfn);
				walker.pte_writable[l] = map_writable.v ? 1 : 0;
				if (kvm_is_error_hva(host_addr))
					break error;
				const at = user_access(host_addr + offset, MMU_READ);
				if (at < 0)
					break error;
				pte = ram[at / 4]!;
				pte_hi = ram[at / 4 + 1]!;
				walker.ptep_user[l] = host_addr + offset;

				pte_access = pt_access & pte;
				nx = pt_nx || (pte_hi & NX_HI) !== 0;
				if (!(pte & PT_PRESENT_MASK))
					break error;
				if (paging64_is_rsvd_bits_set(pte, pte_hi, walker.level)) {
					errcode = PFERR_RSVD_MASK | PFERR_PRESENT_MASK;
					break error;
				}
				walker.ptes[l] = pte;
				walker.ptes_hi[l] = pte_hi;
				/* of the tables above */
				walker.pt_access[l] = paging64_gpte_access(pt_access, pt_nx);
			} while (walker.level > PG_LEVEL_4K && !(pte & PT_PAGE_SIZE_MASK));

			accessed_dirty = (pte_access & PT_ACCESSED_MASK) !== 0;
			walker.pte_access = paging64_gpte_access(pte_access, nx);
			errcode = permission_fault(vcpu, walker.pte_access, access);
			if (errcode)
				break error;

			walker.gfn = gpte_to_gfn_lvl(pte, pte_hi, walker.level) +
				Math.floor(addr / 4096) % KVM_PAGES_PER_HPAGE(walker.level);
			if (!write_fault)
				walker.pte_access =
					paging64_protect_clean_gpte(walker.pte_access, pte);
			else
				accessed_dirty &&= (pte & PT_DIRTY_MASK) !== 0;
			if (!accessed_dirty) {
				const ret = paging64_update_accessed_dirty_bits(vcpu, walker,
					write_fault);
				if (ret < 0)
					break error;
				if (ret)
					continue retry_walk;
			}
			return true;
		}
	}
	errcode |= access & (PFERR_WRITE_MASK | PFERR_USER_MASK);
	if (access & PFERR_FETCH_MASK && guest_cpus.efer[vcpu] & EFER_NX)
		errcode |= PFERR_FETCH_MASK;
	walker.error_code = errcode;
	return false;
}

/** @ported v5.10 static */
function paging64_prefetch_gpte(
	vcpu: kvm_vcpu, sp: kvm_mmu_page, spte: sptep, lo: number, hi: number,
	no_dirty_log: boolean,
): boolean {
	if (paging64_prefetch_invalid_gpte(vcpu, spte, lo, hi))
		return false;
	const gfn = gpte_to_gfn_lvl(lo, hi, PG_LEVEL_4K);
	let pte_access = (sp_role[sp] & ROLE_ACCESS) >>> ROLE_ACCESS_SHIFT &
		paging64_gpte_access(lo, (hi & NX_HI) !== 0);
	pte_access = paging64_protect_clean_gpte(pte_access, lo);
	const pfn = pte_prefetch_gfn_to_pfn(vcpu, gfn,
		no_dirty_log && (pte_access & ACC_WRITE_MASK) !== 0);
	if (is_error_pfn(pfn))
		return false;
	mmu_set_spte(vcpu, spte, pte_access, false, gfn, pfn, true, true);
	/* only pages that the host may write are mapped ahead */
	kvm_release_faultin_page(pfn, false, true);
	return true;
}

/** Whether the guest has changed an entry since the walk. @ported v5.10 static */
function paging64_gpte_changed(vcpu: kvm_vcpu, gw: guest_walker, level: number): boolean {
	const pte_gpa = gw.pte_gpa[level - 1]!;

	if (level === PG_LEVEL_4K) {
		const base_gpa = pte_gpa - pte_gpa % (8 * PTE_PREFETCH_NUM);
		for (let i = 0; i < PTE_PREFETCH_NUM; i++) {
			if (kvm_vcpu_read_guest_atomic(vcpu, base_gpa + 8 * i))
				return true;
			gw.prefetch_ptes[2 * i] = guest_word.lo;
			gw.prefetch_ptes[2 * i + 1] = guest_word.hi;
		}
		const index = (pte_gpa - base_gpa) / 4;
		return gw.prefetch_ptes[index] !== gw.ptes[0] ||
			gw.prefetch_ptes[index + 1] !== gw.ptes_hi[0];
	}
	if (kvm_vcpu_read_guest_atomic(vcpu, pte_gpa))
		return true;
	return guest_word.lo !== gw.ptes[level - 1] || guest_word.hi !== gw.ptes_hi[level - 1];
}

/** @ported v5.10 static */
function paging64_pte_prefetch(vcpu: kvm_vcpu, gw: guest_walker, sptep: sptep): void {
	const sp = sptep_to_sp(sptep);

	if (sp_level(sp) > PG_LEVEL_4K)
		return;
	if (may_be_going(kvm_vcpus.kvm[vcpu]))
		return;
	if (sp_role[sp] & ROLE_DIRECT) {
		__direct_pte_prefetch(vcpu, sp, sptep);
		return;
	}
	const first = spte_index(sptep) & ~(PTE_PREFETCH_NUM - 1);
	let spte = spt_of(sp) + 2 * first;
	for (let i = 0; i < PTE_PREFETCH_NUM; i++, spte += 2) {
		if (spte === sptep || is_shadow_present_pte(ram[spte]!, ram[spte + 1]!))
			continue;
		if (!paging64_prefetch_gpte(vcpu, sp, spte, gw.prefetch_ptes[2 * i]!,
			gw.prefetch_ptes[2 * i + 1]!, true))
			break;
	}
}

const fetch_walk = new kvm_shadow_walk_iterator();

/** Make the shadow entries of an address that the guest maps. RET_PF_* */
/** @ported v5.10 static; of the lowest level of KVM's own */
function paging64_fetch(
	vcpu: kvm_vcpu, addr: number, gw: guest_walker, error_code: number, pfn: kvm_pfn_t,
	writable: boolean, prefault: boolean,
): number {
	const it = fetch_walk, write_fault = (error_code & PFERR_WRITE_MASK) !== 0;
	const direct_access = gw.pte_access;
	let base_gfn = gw.gfn;

	/* The top entry may have changed: of a root that is no root any more. */
	if (paging64_gpte_changed(vcpu, gw, kvm_vcpus.root_level[vcpu]))
		return RET_PF_RETRY;
	if (WARN_ON_ONCE(kvm_vcpus.root_hpa[vcpu] === INVALID_PAGE, 'a fault without a root'))
		return RET_PF_RETRY;

	for (shadow_walk_init(it, vcpu, addr); shadow_walk_okay(it) && it.level > gw.level;
		shadow_walk_next(it)) {
		clear_sp_write_flooding_count(it.sptep);
		let sp = 0 as kvm_mmu_page;
		if (!is_shadow_present_pte(ram[it.sptep]!, ram[it.sptep + 1]!))
			sp = kvm_mmu_get_page(vcpu, gw.table_gfn[it.level - 2]!, it.level - 1,
				false,
				gw.pt_access[it.level - 2]!);
		/* The guest's table is write-protected now: is the entry still there? */
		if (paging64_gpte_changed(vcpu, gw, it.level - 1))
			return RET_PF_RETRY;
		if (sp)
			link_shadow_page(vcpu, it.sptep, sp);
	}

	for (; shadow_walk_okay(it); shadow_walk_next(it)) {
		clear_sp_write_flooding_count(it.sptep);
		base_gfn = gw.gfn - gw.gfn % KVM_PAGES_PER_HPAGE(it.level);
		if (it.level === PG_LEVEL_4K)
			break;
		validate_direct_spte(vcpu, it.sptep, direct_access);
		if (!is_shadow_present_pte(ram[it.sptep]!, ram[it.sptep + 1]!)) {
			const sp = kvm_mmu_get_page(vcpu, base_gfn, it.level - 1, true,
				direct_access);
			link_shadow_page(vcpu, it.sptep, sp);
		}
	}

	const { sptep } = it;
	const ret = mmu_set_spte(vcpu, sptep, gw.pte_access, write_fault, base_gfn, pfn, prefault,
		writable);
	if (ret === RET_PF_SPURIOUS)
		return ret;
	paging64_pte_prefetch(vcpu, gw, sptep);
	return ret;
}

/** Whether the page is one of the tables that lead to it. @ported v5.10 static */
function paging64_is_self_change_mapping(vcpu: kvm_vcpu, walker: guest_walker): void {
	kvm_vcpus.write_fault_to_shadow_pgtable[vcpu] = 0;
	if (!(walker.pte_access & ACC_WRITE_MASK))
		return;
	for (let level = walker.level; level <= walker.max_level; level++)
		if (walker.gfn === walker.table_gfn[level - 1])
			kvm_vcpus.write_fault_to_shadow_pgtable[vcpu] = 1;
}

/** RET_PF_*, or -errno. @reduced CR0.WP is always set; async page faults, large pages */
export function paging64_page_fault(
	vcpu: kvm_vcpu, addr: number, error_code: number, prefault: boolean,
): number {
	/* Others can fault while this one waits. */
	const kvm = kvm_vcpus.kvm[vcpu], walker = new guest_walker();
	const write_fault = (error_code & PFERR_WRITE_MASK) !== 0;

	/* A fault by what KVM put there; the guest has no such bits set. */
	error_code &= ~PFERR_RSVD_MASK;
	if (!paging64_walk_addr(walker, vcpu, addr, error_code)) {
		if (!prefault)
			kvm_inject_emulated_page_fault(vcpu, addr, walker.error_code);
		return RET_PF_RETRY;
	}
	if (page_fault_handle_page_track(vcpu, error_code, walker.gfn)) {
		shadow_page_table_clear_flood(vcpu, addr);
		return RET_PF_EMULATE;
	}
	let r = mmu_topup_memory_caches(vcpu, true);
	if (r)
		return r;
	paging64_is_self_change_mapping(vcpu, walker);

	const { gfn } = walker;
	const mmu_seq = kvms.mmu_notifier_seq[kvm];
	scheduling_point(POINT_SEQ, 0, hva_of(kvm, gfn));
	const pfn = try_async_pf(vcpu, gfn, write_fault);
	const writable = map_writable.v;
	if (handle_abnormal_pfn(vcpu, addr, gfn, pfn, walker.pte_access))
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
		r = paging64_fetch(vcpu, addr, walker, error_code, pfn, writable, prefault);
	}
	mmu_unlock(kvm);
	kvm_release_faultin_page(pfn, r === RET_PF_RETRY, writable);
	wait_for_invalidation(kvm, r, gfn);
	return r;
}

/** The guest-physical address of a linear one, -1 where the guest has none. @ported v5.10 static */
export function paging64_gva_to_gpa(vcpu: kvm_vcpu, addr: number, access: number): number {
	const walker = new guest_walker();

	if (!paging64_walk_addr(walker, vcpu, addr, access))
		return -1;
	return walker.gfn * 4096 + addr % 4096;
}

const nr_present: out<number> = { v: 0 };

/** Bring a page in line with the guest's table: how many entries are mapped; 0 if it must go. */
/** @ported v5.10 static */
export function paging64_sync_page(vcpu: kvm_vcpu, sp: kvm_mmu_page): number {
	const kvm = kvm_vcpus.kvm[vcpu];
	let set_spte_ret = 0;

	nr_present.v = 0;
	BUG_ON((sp_role[sp] & ROLE_DIRECT) !== 0, 'a direct page is out of sync');
	for (let i = 0; i < 512; i++) {
		const spte = spt_of(sp) + 2 * i;

		if (!ram[spte] && !ram[spte + 1])
			continue;
		if (kvm_vcpu_read_guest_atomic(vcpu, sp_gfn[sp] * 4096 + i * 8))
			return 0;
		const { lo, hi } = guest_word;
		if (paging64_prefetch_invalid_gpte(vcpu, spte, lo, hi)) {
			kvms.tlbs_dirty[kvm]++;
			continue;
		}
		const gfn = gpte_to_gfn_lvl(lo, hi, PG_LEVEL_4K);
		let pte_access = (sp_role[sp] & ROLE_ACCESS) >>> ROLE_ACCESS_SHIFT;
		pte_access &= paging64_gpte_access(lo, (hi & NX_HI) !== 0);
		pte_access = paging64_protect_clean_gpte(pte_access, lo);
		if (sync_mmio_spte(vcpu, spte, gfn, pte_access, nr_present))
			continue;
		if (gfn !== kvm_mmu_page_get_gfn(sp, i)) {
			drop_spte(kvm, spte);
			kvms.tlbs_dirty[kvm]++;
			continue;
		}
		nr_present.v++;
		const host_writable = (ram[spte]! & SPTE_HOST_WRITEABLE) !== 0;
		set_spte_ret |= set_spte(vcpu, spte, pte_access, gfn, spte_to_pfn(ram[spte]!), true,
			false, host_writable);
	}
	if (set_spte_ret & SET_SPTE_NEED_REMOTE_TLB_FLUSH)
		kvm_flush_remote_tlbs(kvm);
	return nr_present.v;
}
