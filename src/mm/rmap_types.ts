// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/rmap.h and the i_mmap lock helpers of include/linux/fs.h, v5.10
 *
 * What other files need while they load. The inlines of rmap.h that call mm/rmap.c
 * (put_anon_vma(), anon_vma_prepare(), anon_vma_merge(), page_dup_rmap()) are in rmap.ts.
 *
 * Left out: struct anon_vma and anon_vma_chain (mm_types.ts); pvmw->ptl, since one order of events
 * stands for the page-table locks; PVMW and TTU bits that came after v5.10.0 (TTU_SYNC).
 */
import { VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import type { column } from '../lib/struct.ts';
import { address_spaces, anon_vmas, type address_space, type anon_vma, type mm_struct, type page,
	type ptep, type vm_area_struct } from './mm_types.ts';

/* enum ttu_flags, v5.10.0 */
/** migration entries take the place of the present ones */
export const TTU_MIGRATION = 0x1;
/** unmap nothing, look for areas that hold the page mlocked */
export const TTU_MUNLOCK = 0x2;
/** a huge mapping is made one of small entries first */
export const TTU_SPLIT_HUGE_PMD = 0x4;
/** unmap even from VM_LOCKED areas */
export const TTU_IGNORE_MLOCK = 0x8;
/** do not ask how young the entry is; gone with 013339df116c, which makes it so for all */
export const TTU_IGNORE_ACCESS = 0x10;
/** a poisoned page is treated as a sound one */
export const TTU_IGNORE_HWPOISON = 0x20;
/** the caller flushes TLBs at the end */
export const TTU_BATCH_FLUSH = 0x40;
/** take no rmap lock: it is held already */
export const TTU_RMAP_LOCKED = 0x80;
/** migration entries stand in while a huge page is split */
export const TTU_SPLIT_FREEZE = 0x100;

/** Flags of do_page_add_anon_rmap(). */
export const RMAP_EXCLUSIVE = 0x01, RMAP_COMPOUND = 0x02;

/** Look at entries under their lock only. */
export const PVMW_SYNC = 1 << 0;
/** The walk is for migration entries; present ones do not count. */
export const PVMW_MIGRATION = 1 << 1;

/** Where a walk over the mappings of one page in one area has come to. */
export class page_vma_mapped_walk {
	page = 0 as page;
	vma = 0 as vm_area_struct;
	/** In: where the page should be; out: where an entry maps it. */
	address = 0;
	/** Word index of the PMD entry, 0 while none was reached. */
	pmd = 0 as ptep;
	/** Word index of the PTE, 0 if the page is mapped by the PMD itself. */
	pte = 0 as ptep;
	/** PVMW_* */
	flags = 0;
}

/**
 * Set up for page_vma_mapped_walk(), which C does by an initialiser.
 * @custom a preallocated object is used again and again
 */
export function page_vma_mapped_walk_init(
	pvmw: page_vma_mapped_walk, page: page, vma: vm_area_struct, address: number, flags: number,
): void {
	pvmw.page = page;
	pvmw.vma = vma;
	pvmw.address = address;
	pvmw.pmd = 0;
	pvmw.pte = 0;
	pvmw.flags = flags;
}

/** @reduced include/linux/rmap.h: unmaps and unlocks the table, of which neither exists here */
export function page_vma_mapped_walk_done(_pvmw: page_vma_mapped_walk): void {
}

/** How rmap_walk() goes over the mappings of a page. */
export class rmap_walk_control<A> {
	/** What rmap_one() and invalid_vma() are given. */
	arg: A;
	/** Called for each area that can map the page; false stops the walk. */
	rmap_one: (page: page, vma: vm_area_struct, addr: number, arg: A) => boolean;
	/** Asked after each area: nonzero ends the walk. */
	done: ((page: page) => boolean) | null = null;
	/** Takes the anon_vma lock in a way of its own; 0 if the page has no anon_vma any more. */
	anon_lock: ((page: page, rwc: { try_lock: boolean; contended: boolean }) => anon_vma) |
		null = null;
	/** Do not wait for the rmap lock ... */
	try_lock = false;
	/** ... but say so, if it was held. */
	contended = false;
	/** Areas of which it says true are skipped. */
	invalid_vma: ((vma: vm_area_struct, arg: A) => boolean) | null = null;

	constructor(
		arg: A,
		rmap_one: (page: page, vma: vm_area_struct, addr: number, arg: A) => boolean,
	) {
		this.arg = arg;
		this.rmap_one = rmap_one;
	}
}

/** struct mmu_notifier_range; mmu_notifier.ts exports it as its own. */
export class mmu_notifier_range {
	/** 0 if the range is not about one area */
	vma = 0 as vm_area_struct;
	mm = 0 as mm_struct;
	/** user addresses, [start, end) */
	start = 0;
	end = 0;
	/** MMU_NOTIFIER_RANGE_* */
	flags = 0;
	/** MMU_NOTIFY_* */
	event = 0;
	/** who migrates device-private pages; 0 for none */
	migrate_pgmap_owner = 0;
}

/*
 * rw_semaphore: a column holding 0 free, > 0 readers, -1 a writer. Sleeping for one is the end of
 * what the running actor can do.
 */

/**
 * @reduced kernel/locking/rwsem.c:down_read(): no queue, and a sleep is an exception
 * @throws WouldBlock if a writer holds it
 */
export function down_read<P extends number>(sem: column<P>, row: P): void {
	if (sem[row] < 0)
		throw new WouldBlock('an rw_semaphore that is held for writing');
	sem[row]++;
}

/** @reduced kernel/locking/rwsem.c:down_read_trylock(): nobody queues for it */
export function down_read_trylock<P extends number>(sem: column<P>, row: P): boolean {
	if (sem[row] < 0)
		return false;
	sem[row]++;
	return true;
}

/** @reduced kernel/locking/rwsem.c:up_read(): nobody queues for it, to be woken */
export function up_read<P extends number>(sem: column<P>, row: P): void {
	VM_BUG_ON(sem[row] <= 0, 'rwsem: up_read() without a reader');
	sem[row]--;
}

/**
 * @reduced kernel/locking/rwsem.c:down_write(): no queue, and a sleep is an exception
 * @throws WouldBlock if anyone holds it
 */
export function down_write<P extends number>(sem: column<P>, row: P): void {
	if (sem[row] !== 0)
		throw new WouldBlock('an rw_semaphore that is held');
	sem[row] = -1;
}

/** @reduced kernel/locking/rwsem.c:down_write_trylock(): nobody queues for it */
export function down_write_trylock<P extends number>(sem: column<P>, row: P): boolean {
	if (sem[row] !== 0)
		return false;
	sem[row] = -1;
	return true;
}

/** @reduced kernel/locking/rwsem.c:up_write(): nobody queues for it, to be woken */
export function up_write<P extends number>(sem: column<P>, row: P): void {
	VM_BUG_ON(sem[row] !== -1, 'rwsem: up_write() without the writer');
	sem[row] = 0;
}

/** @ported v5.10 include/linux/rwsem.h:rwsem_is_locked() */
export function rwsem_is_locked<P extends number>(sem: column<P>, row: P): boolean {
	return sem[row] !== 0;
}

/** @ported v5.10 include/linux/rmap.h:get_anon_vma() */
export function get_anon_vma(anon_vma: anon_vma): void {
	anon_vmas.refcount[anon_vma]++;
}

/** @ported v5.10 include/linux/rmap.h:anon_vma_lock_write() */
export function anon_vma_lock_write(anon_vma: anon_vma): void {
	down_write(anon_vmas.rwsem, anon_vmas.root[anon_vma]);
}

/** @ported v5.10 include/linux/rmap.h:anon_vma_unlock_write() */
export function anon_vma_unlock_write(anon_vma: anon_vma): void {
	up_write(anon_vmas.rwsem, anon_vmas.root[anon_vma]);
}

/** @ported v5.10 include/linux/rmap.h:anon_vma_lock_read() */
export function anon_vma_lock_read(anon_vma: anon_vma): void {
	down_read(anon_vmas.rwsem, anon_vmas.root[anon_vma]);
}

/** @ported v5.10 include/linux/rmap.h:anon_vma_unlock_read() */
export function anon_vma_unlock_read(anon_vma: anon_vma): void {
	up_read(anon_vmas.rwsem, anon_vmas.root[anon_vma]);
}

/** @ported v5.10 include/linux/fs.h:i_mmap_lock_write() */
export function i_mmap_lock_write(mapping: address_space): void {
	down_write(address_spaces.i_mmap_rwsem, mapping);
}

/** @ported v5.10 include/linux/fs.h:i_mmap_unlock_write() */
export function i_mmap_unlock_write(mapping: address_space): void {
	up_write(address_spaces.i_mmap_rwsem, mapping);
}

/** @ported v5.10 include/linux/fs.h:i_mmap_lock_read() */
export function i_mmap_lock_read(mapping: address_space): void {
	down_read(address_spaces.i_mmap_rwsem, mapping);
}

/** @ported v5.19 include/linux/fs.h:i_mmap_trylock_read() */
export function i_mmap_trylock_read(mapping: address_space): boolean {
	return down_read_trylock(address_spaces.i_mmap_rwsem, mapping);
}

/** @ported v5.10 include/linux/fs.h:i_mmap_unlock_read() */
export function i_mmap_unlock_read(mapping: address_space): void {
	up_read(address_spaces.i_mmap_rwsem, mapping);
}
