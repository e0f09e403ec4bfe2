// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the files and address spaces of a machine hold, the first byte of each page: seen from
 * outside, wherever the page is (mapped, cached, in swap), and changing nothing.
 */
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { pte_offset_map, pte_pfn, pte_present } from '../arch/pgtable.ts';
import { non_swap_entry, pte_to_swp_entry, swp_offset, swp_type } from '../arch/swap.ts';
import { live } from '../lib/struct.ts';
import { xa_is_value, xa_load, xa_to_pointer } from '../lib/xarray.ts';
import { DISKFS_AOPS, SHMEM_AOPS } from '../mm/a_ops.ts';
import { blkdev_peek } from '../mm/blkdev.ts';
import { diskfs_bdev, diskfs_block, diskfs_is_allocated } from '../mm/diskfs.ts';
import { find_task_by_vpid } from '../mm/fork.ts';
import { NULL, VM_SHARED, address_spaces, files, inodes, mms, tasks, vmas,
	type address_space, type page, type vm_area_struct } from '../mm/mm_types.ts';
import { PageUptodate } from '../mm/page_flags.ts';
import { mm_find_pmd } from '../mm/rmap.ts';
import { radix_to_swp_entry } from '../mm/shmem.ts';
import { swap_address_space, swap_info, swap_infos } from '../mm/swap_types.ts';
import { InvariantError } from './invariants.ts';

/** A page of a file (negative), or of what a task has for itself. */
export type PageKey = number;

const PAGES_MAX = 2 ** 36, INDEX_MAX = 2 ** 24;

/** Of a task's own page. @param pid its process */
export function ownKey(pid: number, address: number): PageKey {
	return pid * PAGES_MAX + address / PAGE_SIZE;
}

function fileKey(mapping: address_space, index: number): PageKey {
	return -(mapping * INDEX_MAX + index);
}

const frameByte = (pfn: number): number => ram[pfn << FRAME_WORDS_SHIFT]! & 0xff;

/* In the swap cache, or on the device. */
function swapByte(entry: number): number {
	const cached = xa_load(swap_address_space(entry), swp_offset(entry));

	return cached && !xa_is_value(cached) ? frameByte(xa_to_pointer(cached))
		: blkdev_peek(swap_infos.bdev[swap_info(swp_type(entry))], swp_offset(entry), 0) &
			0xff;
}

/** The contents of a machine between two statements. */
export class Contents {
	/** Of the pages of all files, and of those that tasks have for themselves. */
	readonly bytes = new Map<PageKey, number>();
	/** By ownKey(), what a task sees of a file: shared memory, and private not written to. */
	readonly ofFile = new Map<PageKey, PageKey>();
	/** Of those, which are private. */
	readonly unwritten = new Set<PageKey>();

	/**
	 * @param pids whose address spaces; those of processes that are gone count for nothing
	 * @throws InvariantError where a task maps another page than its file has there
	 */
	constructor(pids: readonly number[]) {
		for (const mapping of live(address_spaces)) {
			const byteOf = BYTE_OF[address_spaces.a_ops[mapping]];
			if (!byteOf)
				continue;
			const pages = Math.ceil(inodes.i_size[address_spaces.host[mapping]] /
				PAGE_SIZE);
			for (let index = 0; index < pages; index++)
				this.bytes.set(fileKey(mapping, index), byteOf(mapping, index));
		}
		for (const pid of pids) {
			const task = find_task_by_vpid(pid), mm = task ? tasks.mm[task] : NULL;
			for (let vma = mm ? mms.mmap[mm] : NULL; vma; vma = vmas.vm_next[vma])
				this.#area(pid, vma);
		}
	}

	#area(pid: number, vma: vm_area_struct): void {
		const { vm_start, vm_end, vm_file, vm_flags, vm_pgoff, vm_mm } = vmas;
		const mapping = vm_file[vma] ? files.f_mapping[vm_file[vma]] : 0 as address_space;

		for (let at = vm_start[vma]; at < vm_end[vma]; at += PAGE_SIZE) {
			const key = ownKey(pid, at), pmd = mm_find_pmd(vm_mm[vma], at);
			const ptep = pmd ? pte_offset_map(pmd, at) : 0;
			const lo = ptep ? ram[ptep]! : 0, hi = ptep ? ram[ptep + 1]! : 0;
			const index = vm_pgoff[vma] + (at - vm_start[vma]) / PAGE_SIZE;
			const cached = mapping ? xa_load(mapping, index) : 0;
			const shared = (vm_flags[vma] & VM_SHARED) !== 0;

			if (mapping && (shared || (!lo && !hi) || (pte_present(lo) &&
				isPage(cached, pte_pfn(lo))))) {
				if (pte_present(lo) && !isPage(cached, pte_pfn(lo)))
					throw new InvariantError('bytes', `process ${pid} has ` +
						`at 0x${at.toString(16)} page ${pte_pfn(lo)}, ` +
						'which its file has not');
				this.ofFile.set(key, fileKey(mapping, index));
				if (!shared)
					this.unwritten.add(key);
			} else {
				this.bytes.set(key, ownByte(lo, hi));
			}
		}
	}

	/** What a task would read at an address; undefined: nothing is mapped there. */
	at(pid: number, address: number): number | undefined {
		const key = ownKey(pid, address);

		return this.bytes.get(this.ofFile.get(key) ?? key);
	}
}

function isPage(entry: number, pfn: number): boolean {
	return entry !== 0 && !xa_is_value(entry) && xa_to_pointer(entry) === pfn;
}

function shmemByte(mapping: address_space, index: number): number {
	const entry = xa_load(mapping, index);

	return !entry ? 0 : xa_is_value(entry) ? swapByte(radix_to_swp_entry(entry))
		: frameByte(xa_to_pointer(entry));
}

function diskByte(mapping: address_space, index: number): number {
	const page = xa_load(mapping, index), inode = address_spaces.host[mapping];

	if (page && !xa_is_value(page) && PageUptodate(xa_to_pointer(page) as page))
		return frameByte(xa_to_pointer(page));
	return diskfs_is_allocated(inode, index)
		? blkdev_peek(diskfs_bdev(inode), diskfs_block(inode, index), 0) & 0xff : 0;
}

const BYTE_OF: Readonly<Record<number, (mapping: address_space, index: number) => number>> =
	{ [SHMEM_AOPS]: shmemByte, [DISKFS_AOPS]: diskByte };

function ownByte(lo: number, hi: number): number {
	if (pte_present(lo))
		return frameByte(pte_pfn(lo));
	if (!lo && !hi)
		return 0;
	const entry = pte_to_swp_entry(lo, hi);
	if (non_swap_entry(entry))
		throw new InvariantError('bytes', 'a migration entry stays between two statements');
	return swapByte(entry);
}
