// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mprotect.c, v5.10
 * Left out: NUMA hinting, userfaultfd write protection, huge pages, hugetlb, protection keys,
 * device-private entries. The machine has none of these.
 */
import { PAGE_ALIGN, PAGE_SIZE, PGDIR_SIZE, PMD_SIZE, PUD_SIZE, addr_end, offset_in_page }
	from '../arch/page.ts';
import { pmd_offset, pte_dirty, pte_mkwrite, pte_modify, pte_offset_map, pte_present,
	pte_soft_dirty, ptep_get_and_clear, pud_offset, set_pte_at } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { is_swap_pte, is_write_migration_entry, make_migration_entry, migration_entry_to_pfn,
	pte_swp_mksoft_dirty, pte_swp_soft_dirty, pte_to_swp_entry, swp_entry_to_pte_hi,
	swp_entry_to_pte_lo } from '../arch/swap.ts';
import { flush_tlb_range } from '../arch/tlb.ts';
import { BUG_ON, VM_BUG_ON } from '../lib/bug.ts';
import { EACCES, EINTR, EINVAL, ENOMEM } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { current } from './current.ts';
import { populate_vma_page_range } from './gup.ts';
import { pte_prot_hi } from './memory.ts';
import { MM_CP_DIRTY_ACCT, mmap_write_lock_killable, mmap_write_unlock } from './mm.ts';
import { VM_ACCESS_FLAGS, VM_ACCOUNT, VM_EXEC, VM_GROWSDOWN, VM_HUGETLB, VM_LOCKED, VM_NORESERVE,
	VM_READ, VM_SHARED, VM_SOFTDIRTY, VM_WRITE, tasks, vmas, type vm_area_struct }
	from './mm_types.ts';
import { PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_WRITE, find_vma, may_expand_vm,
	split_vma, vm_stat_account, vma_merge, vma_set_page_prot, vma_wants_writenotify }
	from './mmap.ts';
import { dec_tlb_flush_pending, inc_tlb_flush_pending } from './mmu_gather.ts';
import { MMU_NOTIFY_PROTECTION_VMA, mmu_notifier_invalidate_range_end,
	mmu_notifier_invalidate_range_start, mmu_notifier_range, mmu_notifier_range_init }
	from './mmu_notifier.ts';
import { pgd_none_or_clear_bad, pgd_offset, pmd_none_or_clear_bad, pud_none_or_clear_bad }
	from './pgtable.ts';
import { flush_tlb_batched_pending } from './rmap.ts';
import { __vm_enough_memory, vm_unacct_memory } from './util.ts';

const { vm_start, vm_end, vm_next, vm_mm, vm_flags } = vmas;

/** @reduced no NUMA hinting, no userfaultfd */
function change_pte_range(
	vma: vm_area_struct, pmd: number, addr: number, end: number, newprot: number,
	newprot_hi: number, cp_flags: number,
): number {
	const mm = vm_mm[vma];
	const dirty_accountable = (cp_flags & MM_CP_DIRTY_ACCT) !== 0;
	let changed = 0;
	let pte = pte_offset_map(pmd, addr);

	flush_tlb_batched_pending(mm);
	do {
		let oldpte = ram[pte]!;
		const oldpte_hi = ram[pte + 1]!;

		if (pte_present(oldpte)) {
			oldpte = ptep_get_and_clear(mm, addr, pte);
			let ptent = pte_modify(oldpte, newprot);

			/* A page that is dirty already needs no fault to say so. */
			if (dirty_accountable && pte_dirty(ptent) &&
			    (pte_soft_dirty(ptent) || !(vm_flags[vma] & VM_SOFTDIRTY)))
				ptent = pte_mkwrite(ptent);
			set_pte_at(mm, addr, pte, ptent, newprot_hi);
			changed++;
		} else if (is_swap_pte(oldpte)) {
			const entry = pte_to_swp_entry(oldpte, oldpte_hi);

			if (is_write_migration_entry(entry)) {
				/* A page under migration comes back without write permission. */
				const readable = make_migration_entry(
					migration_entry_to_pfn(entry), false);
				let newpte = swp_entry_to_pte_lo(readable);
				if (pte_swp_soft_dirty(oldpte))
					newpte = pte_swp_mksoft_dirty(newpte);
				set_pte_at(mm, addr, pte, newpte, swp_entry_to_pte_hi(readable));
				changed++;
			}
		}
		pte += 2;
		addr += PAGE_SIZE;
	} while (addr !== end);
	return changed;
}

/** @ported v5.10 static */
function change_pmd_range(
	vma: vm_area_struct, pud: number, addr: number, end: number, newprot: number,
	newprot_hi: number, cp_flags: number,
): number {
	let changed = 0;
	let next: number;
	let range: mmu_notifier_range | null = null;
	let pmd = pmd_offset(pud, addr);

	do {
		next = addr_end(addr, end, PMD_SIZE);
		if (!pmd_none_or_clear_bad(pmd)) {
			/* Secondary MMUs are told only if there is a table at all. */
			if (!range) {
				range = new mmu_notifier_range();
				mmu_notifier_range_init(range, MMU_NOTIFY_PROTECTION_VMA, 0, vma,
					vm_mm[vma], addr, end);
				mmu_notifier_invalidate_range_start(range);
			}
			changed += change_pte_range(vma, pmd, addr, next, newprot, newprot_hi,
				cp_flags);
		}
		pmd += 2;
		addr = next;
	} while (addr !== end);

	if (range)
		mmu_notifier_invalidate_range_end(range);
	return changed;
}

/** @ported v5.10 static; change_p4d_range() with it, as that level is folded */
function change_pud_range(
	vma: vm_area_struct, p4d: number, addr: number, end: number, newprot: number,
	newprot_hi: number, cp_flags: number,
): number {
	let changed = 0;
	let next: number;
	let pud = pud_offset(p4d, addr);

	do {
		next = addr_end(addr, end, PUD_SIZE);
		if (!pud_none_or_clear_bad(pud))
			changed += change_pmd_range(vma, pud, addr, next, newprot, newprot_hi,
				cp_flags);
		pud += 2;
		addr = next;
	} while (addr !== end);
	return changed;
}

/** @ported v5.10 static */
function change_protection_range(
	vma: vm_area_struct, addr: number, end: number, newprot: number, newprot_hi: number,
	cp_flags: number,
): number {
	const mm = vm_mm[vma];
	const start = addr;
	let changed = 0;
	let next: number;

	BUG_ON(addr >= end, 'change_protection: an empty range');
	let pgd = pgd_offset(mm, addr);
	inc_tlb_flush_pending(mm);
	do {
		next = addr_end(addr, end, PGDIR_SIZE);
		if (!pgd_none_or_clear_bad(pgd))
			changed += change_pud_range(vma, pgd, addr, next, newprot, newprot_hi,
				cp_flags);
		pgd += 2;
		addr = next;
	} while (addr !== end);

	if (changed)
		flush_tlb_range(mm, start, end);
	dec_tlb_flush_pending(mm);
	return changed;
}

/**
 * Set the protection bits of the entries in [start, end); returns how many changed.
 * @param newprot low word, newprot_hi high word of the bits
 * @param cp_flags MM_CP_*
 * @ported v5.10
 */
export function change_protection(
	vma: vm_area_struct, start: number, end: number, newprot: number, newprot_hi: number,
	cp_flags: number,
): number {
	return change_protection_range(vma, start, end, newprot, newprot_hi, cp_flags);
}

/**
 * Give [start, end) of a vma other flags, splitting and merging; `pprev` becomes the vma that has
 * them.
 * @returns 0 or -errno
 * @reduced no architecture restricts PROT_NONE of bare pfns here
 */
export function mprotect_fixup(
	vma: vm_area_struct, pprev: out<vm_area_struct>, start: number, end: number,
	newflags: number,
): number {
	const mm = vm_mm[vma];
	const oldflags = vm_flags[vma];
	const nrpages = (end - start) / PAGE_SIZE;
	let charged = 0;
	let error: number;

	if (newflags === oldflags) {
		pprev.v = vma;
		return 0;
	}

	/* A private writable mapping is accounted, once. */
	if (newflags & VM_WRITE) {
		if (!may_expand_vm(mm, newflags, nrpages) && may_expand_vm(mm, oldflags, nrpages))
			return -ENOMEM;
		if (!(oldflags & (VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE))) {
			charged = nrpages;
			if (__vm_enough_memory(mm, charged, true))
				return -ENOMEM;
			newflags |= VM_ACCOUNT;
		}
	}

	fail: {
		const pgoff = vmas.vm_pgoff[vma] + (start - vm_start[vma]) / PAGE_SIZE;
		pprev.v = vma_merge(mm, pprev.v, start, end, newflags, vmas.anon_vma[vma],
			vmas.vm_file[vma], pgoff);
		if (pprev.v) {
			vma = pprev.v;
			VM_BUG_ON(((vm_flags[vma] ^ newflags) & ~VM_SOFTDIRTY) !== 0,
				'mprotect: merged with other flags');
		} else {
			pprev.v = vma;
			if (start !== vm_start[vma]) {
				error = split_vma(mm, vma, start, true);
				if (error)
					break fail;
			}
			if (end !== vm_end[vma]) {
				error = split_vma(mm, vma, end, false);
				if (error)
					break fail;
			}
		}

		vm_flags[vma] = newflags;
		const dirty_accountable = vma_wants_writenotify(
			vma, vmas.vm_page_prot[vma], vmas.vm_page_prot_nx[vma]);
		vma_set_page_prot(vma);
		change_protection(vma, start, end, vmas.vm_page_prot[vma], pte_prot_hi(vma),
			dirty_accountable ? MM_CP_DIRTY_ACCT : 0);

		/* A private locked area that becomes writable breaks copy-on-write at once. */
		if ((oldflags & (VM_WRITE | VM_SHARED | VM_LOCKED)) === VM_LOCKED &&
		    (newflags & VM_WRITE))
			populate_vma_page_range(vma, start, end, null);

		vm_stat_account(mm, oldflags, -nrpages);
		vm_stat_account(mm, newflags, nrpages);
		return 0;
	}
	vm_unacct_memory(charged);
	return error;
}

/** @reduced no protection keys, no READ_IMPLIES_EXEC personality */
function do_mprotect_pkey(start: number, len: number, prot: number): number {
	const mm = tasks.mm[current()];
	const grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

	prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
	if (grows === (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	if (offset_in_page(start))
		return -EINVAL;
	if (!len)
		return 0;
	len = PAGE_ALIGN(len);
	let end = start + len;
	if (end <= start)
		return -ENOMEM;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM))
		return -EINVAL;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	try {
		let vma = find_vma(mm, start);
		if (!vma)
			return -ENOMEM;
		const prev: out<vm_area_struct> = { v: vmas.vm_prev[vma] };
		if (grows & PROT_GROWSDOWN) {
			if (vm_start[vma] >= end)
				return -ENOMEM;
			start = vm_start[vma];
			if (!(vm_flags[vma] & VM_GROWSDOWN))
				return -EINVAL;
		} else {
			if (vm_start[vma] > start)
				return -ENOMEM;
			/* No mapping grows up on x86. */
			if (grows & PROT_GROWSUP)
				return -EINVAL;
		}
		if (start > vm_start[vma])
			prev.v = vma;

		for (let nstart = start; ;) {
			const mask_off_old_flags = VM_READ | VM_WRITE | VM_EXEC;
			const newflags = (prot & mask_off_old_flags) |
				(vm_flags[vma] & ~mask_off_old_flags);

			/* Each right asked for needs its VM_MAY bit, four places up. */
			if ((newflags & ~(newflags >> 4)) & VM_ACCESS_FLAGS)
				return -EACCES;

			const tmp = Math.min(vm_end[vma], end);
			const error = mprotect_fixup(vma, prev, nstart, tmp, newflags);
			if (error)
				return error;
			nstart = Math.max(tmp, vm_end[prev.v]);
			if (nstart >= end)
				return 0;

			vma = vm_next[prev.v];
			if (!vma || vm_start[vma] !== nstart)
				return -ENOMEM;
		}
	} finally {
		mmap_write_unlock(mm);
	}
}
const PROT_SEM = 0x8;

/**
 * mprotect(2) of the running task; 0 or -errno.
 * @ported v5.10 mm/mprotect.c:SYSCALL_DEFINE3(mprotect)
 */
export function sys_mprotect(start: number, len: number, prot: number): number {
	return do_mprotect_pkey(start, len, prot);
}
