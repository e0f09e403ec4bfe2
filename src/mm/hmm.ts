// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/hmm.c, v5.10
 * Left out: huge pages, hugetlb, device memory and entries that are private to a device, DMA
 * mapping.
 * Lock order modelled: mmap_lock.
 *
 * An element of hmm_pfns is a pfn with flags above it, where the kernel has them from bit 63 down.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../arch/page.ts';
import { pte_none, pte_offset_map, pte_pfn, pte_present, pte_special, pte_write }
	from '../arch/pgtable.ts';
import { pte_to_swp_entry, non_swap_entry } from '../arch/swap.ts';
import { ram } from '../arch/ram.ts';
import { EBUSY, EFAULT, EPERM } from '../lib/errno.ts';
import { handle_mm_fault, is_zero_pfn } from './memory.ts';
import { mmap_assert_locked } from './mm.ts';
import { FAULT_FLAG_REMOTE, FAULT_FLAG_WRITE, VM_FAULT_ERROR, VM_IO, VM_MIXEDMAP, VM_PFNMAP,
	VM_READ, VM_WRITE, vmas, type mm_struct } from './mm_types.ts';
import { mmu_interval_check_retry, mmu_interval_notifiers, type mmu_interval_notifier }
	from './mmu_notifier.ts';
import { walk_page_range, type mm_walk, type mm_walk_ops } from './pagewalk.ts';

/** Of what is found: there, writable, no memory. */
export const HMM_PFN_VALID = 1 << 28, HMM_PFN_WRITE = 1 << 29, HMM_PFN_ERROR = 1 << 30;
/** Of what is asked for: it must be there, and writable. */
export const HMM_PFN_REQ_FAULT = HMM_PFN_VALID, HMM_PFN_REQ_WRITE = HMM_PFN_WRITE;
export const HMM_PFN_MASK = HMM_PFN_VALID - 1;
const HMM_NEED_FAULT = 1, HMM_NEED_WRITE_FAULT = 2;

/** struct hmm_range */
export interface hmm_range {
	readonly notifier: mmu_interval_notifier;
	/** of mmu_interval_read_begin() */
	notifier_seq: number;
	readonly start: number;
	readonly end: number;
	/** one a page: what is asked for, then what was found */
	readonly hmm_pfns: number[];
	readonly default_flags: number;
	readonly pfn_flags_mask: number;
}

/** struct hmm_vma_walk */
interface hmm_vma_walk {
	readonly range: hmm_range;
	last: number;
}

/** @ported v5.10 static */
function hmm_pfns_fill(addr: number, end: number, range: hmm_range, cpu_flags: number): number {
	for (let i = (addr - range.start) / PAGE_SIZE; addr < end; addr += PAGE_SIZE, i++)
		range.hmm_pfns[i] = cpu_flags;
	return 0;
}

/** Fault pages in: -EBUSY for who is to look again, or an error. @ported v5.10 static */
function hmm_vma_fault(
	addr: number, end: number, required_fault: number, walk: mm_walk<hmm_vma_walk>,
): number {
	const { vma } = walk;
	let fault_flags = FAULT_FLAG_REMOTE;

	walk.private.last = addr;
	if (required_fault & HMM_NEED_WRITE_FAULT) {
		if (!(vmas.vm_flags[vma] & VM_WRITE))
			return -EPERM;
		fault_flags |= FAULT_FLAG_WRITE;
	}
	for (; addr < end; addr += PAGE_SIZE)
		if (handle_mm_fault(vma, addr, fault_flags) & VM_FAULT_ERROR)
			return -EFAULT;
	return -EBUSY;
}

/** @ported v5.10 static */
function hmm_pte_need_fault(
	{ range }: hmm_vma_walk, pfn_req_flags: number, cpu_flags: number,
): number {
	pfn_req_flags &= range.pfn_flags_mask;
	pfn_req_flags |= range.default_flags;
	if (!(pfn_req_flags & HMM_PFN_REQ_FAULT))
		return 0;
	if (pfn_req_flags & HMM_PFN_REQ_WRITE && !(cpu_flags & HMM_PFN_WRITE))
		return HMM_NEED_FAULT | HMM_NEED_WRITE_FAULT;
	if (!(cpu_flags & HMM_PFN_VALID))
		return HMM_NEED_FAULT;
	return 0;
}

/** @ported v5.10 static */
function hmm_range_need_fault(
	hmm_vma_walk: hmm_vma_walk, first: number, npages: number, cpu_flags: number,
): number {
	const { range } = hmm_vma_walk;
	let required_fault = 0;

	if (!((range.default_flags | range.pfn_flags_mask) & HMM_PFN_REQ_FAULT))
		return 0;
	for (let i = 0; i < npages; i++) {
		required_fault |= hmm_pte_need_fault(
			hmm_vma_walk, range.hmm_pfns[first + i]!, cpu_flags);
		if (required_fault === (HMM_NEED_FAULT | HMM_NEED_WRITE_FAULT))
			return required_fault;
	}
	return required_fault;
}

/** @ported v5.10 static */
function hmm_vma_walk_hole(
	addr: number, end: number, walk: mm_walk<hmm_vma_walk>,
): number {
	const { range } = walk.private;
	const required_fault = hmm_range_need_fault(walk.private,
		(addr - range.start) / PAGE_SIZE, (end - addr) / PAGE_SIZE, 0);

	if (!walk.vma) {
		if (required_fault)
			return -EFAULT;
		return hmm_pfns_fill(addr, end, range, HMM_PFN_ERROR);
	}
	if (required_fault)
		return hmm_vma_fault(addr, end, required_fault, walk);
	return hmm_pfns_fill(addr, end, range, 0);
}

/** @ported v5.10 static */
function pte_to_hmm_pfn_flags(pte: number): number {
	if (pte_none(pte) || !pte_present(pte))
		return 0;
	return pte_write(pte) ? HMM_PFN_VALID | HMM_PFN_WRITE : HMM_PFN_VALID;
}

/** @reduced entries of device memory, and of pages that migrate, which one order never shows */
function hmm_vma_handle_pte(
	addr: number, end: number, ptep: number, i: number, walk: mm_walk<hmm_vma_walk>,
): number {
	const { range } = walk.private, pte = ram[ptep]!, req = range.hmm_pfns[i]!;

	if (pte_none(pte) || !pte_present(pte)) {
		const required_fault = hmm_pte_need_fault(walk.private, req, 0);

		if (!required_fault) {
			range.hmm_pfns[i] = 0;
			return 0;
		}
		if (!pte_none(pte) && non_swap_entry(pte_to_swp_entry(pte, ram[ptep + 1]!))) {
			range.hmm_pfns[i] = HMM_PFN_ERROR;
			return -EFAULT;
		}
		return hmm_vma_fault(addr, end, required_fault, walk);
	}
	const cpu_flags = pte_to_hmm_pfn_flags(pte);
	const required_fault = hmm_pte_need_fault(walk.private, req, cpu_flags);
	if (required_fault)
		return hmm_vma_fault(addr, end, required_fault, walk);
	if (pte_special(pte) && !is_zero_pfn(pte_pfn(pte))) {
		if (hmm_pte_need_fault(walk.private, req, 0))
			return -EFAULT;
		range.hmm_pfns[i] = HMM_PFN_ERROR;
		return 0;
	}
	range.hmm_pfns[i] = pte_pfn(pte) | cpu_flags;
	return 0;
}

/** @reduced no huge entries */
function hmm_vma_walk_pmd(
	pmd: number, start: number, end: number, walk: mm_walk<hmm_vma_walk>,
): number {
	const { range } = walk.private;

	for (let addr = start; addr < end; addr += PAGE_SIZE) {
		const i = (addr - range.start) / 2 ** PAGE_SHIFT;
		const r = hmm_vma_handle_pte(addr, addr + PAGE_SIZE, pte_offset_map(pmd, addr),
			i, walk);

		if (r)
			return r;
	}
	return 0;
}

/** @ported v5.10 static */
function hmm_vma_walk_test(start: number, end: number, walk: mm_walk<hmm_vma_walk>): number {
	const { range } = walk.private, flags = vmas.vm_flags[walk.vma];

	if (!(flags & (VM_IO | VM_PFNMAP | VM_MIXEDMAP)) && flags & VM_READ)
		return 0;
	/* No memory that can be mirrored: an error only if it must be there. */
	if (hmm_range_need_fault(walk.private, (start - range.start) / PAGE_SIZE,
		(end - start) / PAGE_SIZE, 0))
		return -EFAULT;
	hmm_pfns_fill(start, end, range, HMM_PFN_ERROR);
	return 1;
}

const hmm_walk_ops: mm_walk_ops<hmm_vma_walk> = {
	pmd_entry: hmm_vma_walk_pmd, pte_hole: hmm_vma_walk_hole, test_walk: hmm_vma_walk_test,
};

/**
 * Find, or fault in as asked, the pages of a range; the mmap lock is held for reading. 0, or -EBUSY
 * if it was invalidated meanwhile, -EFAULT, -EPERM.
 * @ported v5.10
 */
export function hmm_range_fault(range: hmm_range): number {
	const mm: mm_struct = mmu_interval_notifiers.mm[range.notifier];
	const walk: hmm_vma_walk = { range, last: range.start };
	let ret: number;

	mmap_assert_locked(mm);
	do {
		if (mmu_interval_check_retry(range.notifier, range.notifier_seq))
			return -EBUSY;
		ret = walk_page_range(mm, walk.last, range.end, hmm_walk_ops, walk);
		/* Faults were made: look again from there. */
	} while (ret === -EBUSY);
	return ret;
}
