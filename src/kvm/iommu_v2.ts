// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/iommu/amd/iommu_v2.c, v5.10: a device that uses a task's own page tables
 * Left out: PASIDs and their states, the queue of faults, everything of PCI. A fault is handled at
 *	once by the device's worker.
 * Lock order modelled: mmap_lock.
 *
 * The IOMMU walks the CPU's tables and sets A and D in them; its TLB is flushed by
 * invalidate_range(), and by that alone; since 6bbd42e2df8f with the CPUs' TLBs, by the same
 * function as arch_invalidate_secondary_tlbs().
 */
import { pmd_offset, pte_offset_map, pud_offset } from '../arch/pgtable.ts';
import { _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_RW, _PAGE_USER }
	from '../arch/pgtable_types.ts';
import { ram } from '../arch/ram.ts';
import { EFAULT } from '../lib/errno.ts';
import { handle_mm_fault } from '../mm/memory.ts';
import { mmap_read_lock, mmap_read_unlock } from '../mm/mm.ts';
import { FAULT_FLAG_REMOTE, FAULT_FLAG_USER, FAULT_FLAG_WRITE, VM_EXEC, VM_FAULT_ERROR, VM_READ,
	VM_WRITE, vmas, type mm_struct, type vm_area_struct } from '../mm/mm_types.ts';
import { find_extend_vma } from '../mm/mmap.ts';
import { register_mmu_notifier_ops, type mmu_notifier } from '../mm/mmu_notifier.ts';
import { pgd_none_or_clear_bad, pgd_offset, pmd_none_or_clear_bad, pud_none_or_clear_bad }
	from '../mm/pgtable.ts';
import { device_misses, deviceLookUp, deviceMap, deviceOfNotifier, devices, deviceUnmap, EVERYTHING,
	releaseDevice, subscribeDevice, type device } from './device_pt.ts';
import { logged } from './notifier_log.ts';

const IOTLB_ENTRIES = 64;

/** A range of one page, or all. @ported v5.10 static */
function mn_invalidate_range(
	mn: mmu_notifier, _mm: mm_struct, start: number, end: number,
): void {
	const device = deviceOfNotifier(mn);

	if (Math.floor(start / 4096) === Math.floor((end - 1) / 4096))
		deviceUnmap(device, start, end);
	else
		deviceUnmap(device, 0, EVERYTHING);
}

/** Kernels before 369ea8242c0f have no invalidate_range() here. @ported v4.12 static */
function mn_invalidate_page(mn: mmu_notifier, _mm: mm_struct, address: number): void {
	deviceUnmap(deviceOfNotifier(mn), address, address + 4096);
}

/** @ported v5.10 static */
function mn_release(mn: mmu_notifier, _mm: mm_struct): void {
	releaseDevice(deviceOfNotifier(mn));
}

const iommu_mn = register_mmu_notifier_ops(logged({
	name: 'iommu_v2', release: mn_release, invalidate_range: mn_invalidate_range,
	arch_invalidate_secondary_tlbs: mn_invalidate_range,
	invalidate_page: mn_invalidate_page }));

/** Bind a device to an address space; 0 for no memory. @reduced without PASIDs and PCI */
export function amd_iommu_bind_pasid(mm: mm_struct): device {
	return subscribeDevice(IOTLB_ENTRIES, mm, iommu_mn);
}

/** @ported v5.10 static; true if the area forbids it */
function access_error(vma: vm_area_struct, write: boolean): boolean {
	const requested = write ? VM_WRITE : VM_READ;

	return (requested & ~vmas.vm_flags[vma] & (VM_READ | VM_WRITE | VM_EXEC)) !== 0;
}

/** 0 or -EFAULT. @ported v5.10 static */
function do_fault(device: device, address: number, write: boolean): number {
	const mm = devices.mm[device];
	const flags = FAULT_FLAG_USER | FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0);

	mmap_read_lock(mm);
	try {
		const vma = find_extend_vma(mm, address);

		if (!vma || address < vmas.vm_start[vma] || access_error(vma, write))
			return -EFAULT;
		return handle_mm_fault(vma, address, flags) & VM_FAULT_ERROR ? -EFAULT : 0;
	} finally {
		mmap_read_unlock(mm);
	}
}

/** The entry's index, 0 where it faults. @custom the hardware's walk of the CPU's tables */
function iommu_walk(mm: mm_struct, address: number, write: boolean): number {
	const need = _PAGE_PRESENT | _PAGE_USER | (write ? _PAGE_RW : 0);
	const pgd = pgd_offset(mm, address);

	if (pgd_none_or_clear_bad(pgd))
		return 0;
	const pud = pud_offset(pgd, address);
	if (pud_none_or_clear_bad(pud))
		return 0;
	const pmd = pmd_offset(pud, address);
	if (pmd_none_or_clear_bad(pmd))
		return 0;
	const pte = pte_offset_map(pmd, address);
	if ((ram[pte]! & need) !== need)
		return 0;
	for (const table of [pgd, pud, pmd])
		ram[table]! |= _PAGE_ACCESSED;
	ram[pte]! |= _PAGE_ACCESSED | (write ? _PAGE_DIRTY : 0);
	return pte;
}

/**
 * An access of the device: the physical address, or -EFAULT.
 * @throws WouldBlock
 * @custom hardware, with the driver's part where it faults
 */
export function iommu_access(device: device, address: number, write: boolean): number {
	for (;;) {
		if (devices.released[device])
			return -EFAULT;
		const page = deviceLookUp(device, address, write);
		if (page)
			return page * 4096 + address % 4096;
		device_misses.v++;
		const pte = iommu_walk(devices.mm[device], address, write);
		if (pte)
			/* Writable only once D is set, so that a first write sets it. */
			deviceMap(device, address, ram[pte]! >>> 12,
				(ram[pte]! & (_PAGE_RW | _PAGE_DIRTY)) === (_PAGE_RW |
					_PAGE_DIRTY));
		else if (do_fault(device, address, write))
			return -EFAULT;
	}
}
