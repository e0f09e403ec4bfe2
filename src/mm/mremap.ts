// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mremap.c, v5.10
 * Left out: huge pages, hugetlb, userfaultfd, KSM, ->mremap() of a mapping (only AIO and the vdso
 * have one).
 * Lock order modelled: mmap_lock > i_mmap_rwsem > anon_vma rwsem, both write-held while entries
 * move against the order in which rmap walks.
 */
import { PAGE_ALIGN, PAGE_SIZE, PMD_SIZE, TASK_SIZE, addr_end, align_down, offset_in_page }
	from '../arch/page.ts';
import { pmd_none, pmd_offset, pte_mksoft_dirty, pte_none, pte_offset_map, pte_present,
	ptep_get_and_clear, pud_offset, set_pte_at } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { is_swap_pte, pte_swp_mksoft_dirty } from '../arch/swap.ts';
import { flush_tlb_range } from '../arch/tlb.ts';
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM } from '../lib/errno.ts';
import type { out } from '../lib/struct.ts';
import { current } from './current.ts';
import { CAP_IPC_LOCK, capable } from './fork.ts';
import { mm_populate } from './gup.ts';
import { pmd_alloc, pte_alloc, pud_alloc } from './memory.ts';
import { mmap_read_unlock, mmap_write_lock_killable, mmap_write_unlock, vma_is_anonymous }
	from './mm.ts';
import { VM_ACCOUNT, VM_DONTEXPAND, VM_LOCKED, VM_LOCKED_CLEAR_MASK, VM_MAYSHARE, VM_PFNMAP,
	VM_SHARED, files, mms, tasks, vmas, type file, type mm_struct, type pte_t,
	type vm_area_struct } from './mm_types.ts';
import { MAP_FIXED, MAP_SHARED, __do_munmap, copy_vma, do_munmap, find_vma, get_unmapped_area,
	may_expand_vm, sysctl_max_map_count, vm_stat_account, vma_adjust } from './mmap.ts';
import { MMU_NOTIFY_UNMAP, mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start,
	mmu_notifier_range, mmu_notifier_range_init } from './mmu_notifier.ts';
import { pgd_none_or_clear_bad, pgd_offset, pud_none_or_clear_bad, table_entry_clear }
	from './pgtable.ts';
import { flush_tlb_batched_pending } from './rmap.ts';
import { anon_vma_lock_write, anon_vma_unlock_write, i_mmap_lock_write, i_mmap_unlock_write }
	from './rmap_types.ts';
import { __vm_enough_memory, vm_acct_memory, vm_unacct_memory } from './util.ts';

export const MREMAP_MAYMOVE = 1, MREMAP_FIXED = 2, MREMAP_DONTUNMAP = 4;

const { vm_start, vm_end, vm_next, vm_mm, vm_flags, vm_file } = vmas;

/** The entry of the table of old_addr, 0 if there is no such table. @ported v5.10 static */
function get_old_pmd(mm: mm_struct, addr: number): number {
	const pgd = pgd_offset(mm, addr);
	if (pgd_none_or_clear_bad(pgd))
		return 0;
	const pud = pud_offset(pgd, addr);
	if (pud_none_or_clear_bad(pud))
		return 0;
	const pmd = pmd_offset(pud, addr);
	if (pmd_none(ram[pmd]!))
		return 0;
	return pmd;
}

/** @ported v5.10 static */
function alloc_new_pmd(mm: mm_struct, _vma: vm_area_struct, addr: number): number {
	const pud = pud_alloc(mm, pgd_offset(mm, addr), addr);

	if (!pud)
		return 0;
	return pmd_alloc(mm, pud, addr);
}

/** @ported v5.10 static */
function take_rmap_locks(vma: vm_area_struct): void {
	if (vm_file[vma])
		i_mmap_lock_write(files.f_mapping[vm_file[vma]]);
	if (vmas.anon_vma[vma])
		anon_vma_lock_write(vmas.anon_vma[vma]);
}

/** @ported v5.10 static */
function drop_rmap_locks(vma: vm_area_struct): void {
	if (vmas.anon_vma[vma])
		anon_vma_unlock_write(vmas.anon_vma[vma]);
	if (vm_file[vma])
		i_mmap_unlock_write(files.f_mapping[vm_file[vma]]);
}

/** A moved entry is dirty, so that userspace notices. @ported v5.10 static */
function move_soft_dirty_pte(pte: pte_t): pte_t {
	if (pte_present(pte))
		return pte_mksoft_dirty(pte);
	if (is_swap_pte(pte))
		return pte_swp_mksoft_dirty(pte);
	return pte;
}

/** @ported v5.10 static */
function move_ptes(
	vma: vm_area_struct, old_pmd: number, old_addr: number, old_end: number,
	_new_vma: vm_area_struct, new_pmd: number, new_addr: number, need_rmap_locks: boolean,
): void {
	const mm = vm_mm[vma];
	const len = old_end - old_addr;
	let force_flush = false;

	/*
	 * Without the locks rmap could look at the new place before the entry arrives and at the
	 * old one after it has left. It cannot where it meets the old place first.
	 */
	if (need_rmap_locks)
		take_rmap_locks(vma);

	let old_pte = pte_offset_map(old_pmd, old_addr);
	let new_pte = pte_offset_map(new_pmd, new_addr);
	flush_tlb_batched_pending(mm);

	for (; old_addr < old_end; old_pte += 2, old_addr += PAGE_SIZE, new_pte += 2,
	     new_addr += PAGE_SIZE) {
		if (pte_none(ram[old_pte]!))
			continue;

		const hi = ram[old_pte + 1]!;
		const pte = ptep_get_and_clear(mm, old_addr, old_pte);
		/*
		 * The flush must be before the page can be unmapped at its new place: an access
		 * through the old translation would be one to a freed page.
		 */
		if (pte_present(pte))
			force_flush = true;
		set_pte_at(mm, new_addr, new_pte, move_soft_dirty_pte(pte), hi);
	}

	if (force_flush)
		flush_tlb_range(mm, old_end - len, old_end);
	if (need_rmap_locks)
		drop_rmap_locks(vma);
}

/** Move a whole table. @ported v5.10 static */
function move_normal_pmd(
	vma: vm_area_struct, old_addr: number, _new_addr: number, old_pmd: number, new_pmd: number,
): boolean {
	/* The destination was unmapped before, so it has no table. */
	if (!pmd_none(ram[new_pmd]!))
		return false;

	const pmd = ram[old_pmd]!, hi = ram[old_pmd + 1]!;
	table_entry_clear(old_pmd);
	ram[new_pmd] = pmd;
	ram[new_pmd + 1] = hi;
	flush_tlb_range(vm_mm[vma], old_addr, old_addr + PMD_SIZE);
	return true;
}

/** Bytes that were moved; less than len where a table could not be allocated. @ported v5.10 */
export function move_page_tables(
	vma: vm_area_struct, old_addr: number, new_vma: vm_area_struct, new_addr: number,
	len: number, need_rmap_locks: boolean,
): number {
	let extent: number;

	if (!len)
		return 0;
	const mm = vm_mm[vma];
	const old_end = old_addr + len;
	const range = new mmu_notifier_range();
	mmu_notifier_range_init(range, MMU_NOTIFY_UNMAP, 0, vma, mm, old_addr, old_end);
	mmu_notifier_invalidate_range_start(range);

	for (; old_addr < old_end; old_addr += extent, new_addr += extent) {
		extent = addr_end(old_addr, old_end, PMD_SIZE) - old_addr;
		extent = Math.min(extent, align_down(new_addr, PMD_SIZE) + PMD_SIZE - new_addr);

		const old_pmd = get_old_pmd(mm, old_addr);
		if (!old_pmd)
			continue;
		const new_pmd = alloc_new_pmd(mm, vma, new_addr);
		if (!new_pmd)
			break;
		if (extent === PMD_SIZE) {
			/* If the extent is a whole table, move that. */
			if (need_rmap_locks)
				take_rmap_locks(vma);
			const moved = move_normal_pmd(vma, old_addr, new_addr, old_pmd, new_pmd);
			if (need_rmap_locks)
				drop_rmap_locks(vma);
			if (moved)
				continue;
		}
		if (pte_alloc(mm, new_pmd))
			break;
		move_ptes(vma, old_pmd, old_addr, old_addr + extent, new_vma, new_pmd, new_addr,
			need_rmap_locks);
	}

	mmu_notifier_invalidate_range_end(range);
	return len + old_addr - old_end;
}

/** The new address, or -errno. @reduced KSM, userfaultfd and ->mremap() */
function move_vma(
	vma: vm_area_struct, old_addr: number, old_len: number, new_len: number, new_addr: number,
	locked: out<boolean>, flags: number,
): number {
	const mm = vm_mm[vma];
	const old_flags = vm_flags[vma];
	let excess = 0;
	let split = false;
	let err = 0;

	/* A move can split one mapping in three and add one. */
	if (mms.map_count[mm] >= sysctl_max_map_count.v - 3)
		return -ENOMEM;

	const new_pgoff = vmas.vm_pgoff[vma] + (old_addr - vm_start[vma]) / PAGE_SIZE;
	const need_rmap_locks: out<boolean> = { v: false };
	const vmap: out<vm_area_struct> = { v: vma };
	let new_vma = copy_vma(vmap, new_addr, new_len, new_pgoff, need_rmap_locks);
	vma = vmap.v;
	if (!new_vma)
		return -ENOMEM;

	const moved_len = move_page_tables(
		vma, old_addr, new_vma, new_addr, old_len, need_rmap_locks.v);
	if (moved_len < old_len) {
		/* Back again: that way rmap could miss an entry, so with the locks. */
		err = -ENOMEM;
		move_page_tables(new_vma, new_addr, vma, old_addr, moved_len, true);
		vma = new_vma;
		old_len = new_len;
		old_addr = new_addr;
		new_addr = err;
	}

	/* The promise of memory moves along: do_munmap() must not take it back. */
	if (old_flags & VM_ACCOUNT) {
		vm_flags[vma] &= ~VM_ACCOUNT;
		excess = vm_end[vma] - vm_start[vma] - old_len;
		if (old_addr > vm_start[vma] && old_addr + old_len < vm_end[vma])
			split = true;
	}

	/* The peak of total_vm while both exist is not the task's doing. */
	const hiwater_vm = mms.hiwater_vm[mm];
	vm_stat_account(mm, vm_flags[vma], new_len / PAGE_SIZE);

	out: {
		if (!err && (flags & MREMAP_DONTUNMAP)) {
			if (old_flags & VM_ACCOUNT) {
				/* Both mappings stay, so both are promised. */
				vm_flags[vma] |= VM_ACCOUNT;
				vm_acct_memory(new_len / PAGE_SIZE);
			}
			if (split && new_vma === vma)
				split = false;
			/* What is left is empty, and not locked. */
			vm_flags[vma] &= VM_LOCKED_CLEAR_MASK;
			break out;
		}

		if (do_munmap(mm, old_addr, old_len) < 0) {
			/* Nothing could be unmapped: only the promise is corrected. */
			vm_unacct_memory(excess / PAGE_SIZE);
			excess = 0;
		}

		if (old_flags & VM_LOCKED) {
			mms.locked_vm[mm] += new_len / PAGE_SIZE;
			locked.v = true;
		}
	}
	mms.hiwater_vm[mm] = hiwater_vm;

	/* Parts of the old mapping that stay are accounted again. */
	if (excess) {
		vm_flags[vma] |= VM_ACCOUNT;
		if (split)
			vm_flags[vm_next[vma]] |= VM_ACCOUNT;
	}
	return new_addr;
}

/* unsigned long *p of vma_to_resize(): pages charged */
const charged: out<number> = { v: 0 };

/** The vma at addr if it may be resized, or -errno. @ported v5.10 static */
function vma_to_resize(addr: number, old_len: number, new_len: number, flags: number): number {
	const mm = tasks.mm[current()];
	const vma = find_vma(mm, addr);

	if (!vma || vm_start[vma] > addr)
		return -EFAULT;
	/* A private mapping cannot be duplicated by an old_len of 0. */
	if (!old_len && !(vm_flags[vma] & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) &&
	    (!vma_is_anonymous(vma) || (vm_flags[vma] & VM_SHARED)))
		return -EINVAL;

	if (old_len > vm_end[vma] - addr)
		return -EFAULT;
	if (new_len === old_len)
		return vma;
	if (vm_flags[vma] & (VM_DONTEXPAND | VM_PFNMAP))
		return -EFAULT;

	if (vm_flags[vma] & VM_LOCKED) {
		const locked = mms.locked_vm[mm] * PAGE_SIZE + new_len - old_len;
		if (locked > tasks.rlimit_memlock[current()] && !capable(CAP_IPC_LOCK))
			return -EAGAIN;
	}
	if (!may_expand_vm(mm, vm_flags[vma], (new_len - old_len) / PAGE_SIZE))
		return -ENOMEM;
	if (vm_flags[vma] & VM_ACCOUNT) {
		const pages_more = (new_len - old_len) / PAGE_SIZE;
		if (__vm_enough_memory(mm, pages_more, true))
			return -ENOMEM;
		charged.v = pages_more;
	}
	return vma;
}

/** @ported v5.10 static */
function mremap_to(
	addr: number, old_len: number, new_addr: number, new_len: number, locked: out<boolean>,
	flags: number,
): number {
	const mm = tasks.mm[current()];
	let map_flags = 0;
	let ret: number;

	if (offset_in_page(new_addr))
		return -EINVAL;
	if (new_len > TASK_SIZE || new_addr < 0 || new_addr > TASK_SIZE - new_len)
		return -EINVAL;
	if (addr + old_len > new_addr && new_addr + new_len > addr)
		return -EINVAL;
	/* Two unmaps may split, and the move needs three more. */
	if (mms.map_count[mm] + 2 >= sysctl_max_map_count.v - 3)
		return -ENOMEM;

	if (flags & MREMAP_FIXED) {
		ret = do_munmap(mm, new_addr, new_len);
		if (ret)
			return ret;
	}
	if (old_len >= new_len) {
		ret = do_munmap(mm, addr + new_len, old_len - new_len);
		if (ret && old_len !== new_len)
			return ret;
		old_len = new_len;
	}

	const found = vma_to_resize(addr, old_len, new_len, flags);
	if (found < 0)
		return found;
	const vma = found as vm_area_struct;

	/* One mapping more, of the same length. */
	if ((flags & MREMAP_DONTUNMAP) && !may_expand_vm(mm, vm_flags[vma], old_len / PAGE_SIZE))
		return -ENOMEM;

	if (flags & MREMAP_FIXED)
		map_flags |= MAP_FIXED;
	if (vm_flags[vma] & VM_MAYSHARE)
		map_flags |= MAP_SHARED;
	ret = get_unmapped_area(vm_file[vma], new_addr, new_len,
		vmas.vm_pgoff[vma] + (addr - vm_start[vma]) / PAGE_SIZE, map_flags);
	if (ret >= 0) {
		if (!(flags & MREMAP_FIXED))
			new_addr = ret;
		ret = move_vma(vma, addr, old_len, new_len, new_addr, locked, flags);
		if (ret >= 0)
			return ret;
	}
	vm_unacct_memory(charged.v);
	charged.v = 0;
	return ret;
}

/** @ported v5.10 static */
function vma_expandable(vma: vm_area_struct, delta: number): boolean {
	const end = vm_end[vma] + delta;

	if (vm_next[vma] && vm_start[vm_next[vma]] < end)	/* intersection */
		return false;
	if (get_unmapped_area(0 as file, vm_start[vma], end - vm_start[vma], 0, MAP_FIXED) < 0)
		return false;
	return true;
}

/**
 * mremap(2) of the running task.
 * @returns the new address, or -errno
 * @ported v5.10 mm/mremap.c:SYSCALL_DEFINE5(mremap)
 */
export function sys_mremap(
	addr: number, old_len: number, new_len: number, flags: number, new_addr: number,
): number {
	const mm = tasks.mm[current()];
	const locked: out<boolean> = { v: false };
	let ret: number;

	if (flags & ~(MREMAP_FIXED | MREMAP_MAYMOVE | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & MREMAP_FIXED) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	/* MREMAP_DONTUNMAP always moves and does not change the size. */
	if ((flags & MREMAP_DONTUNMAP) && (!(flags & MREMAP_MAYMOVE) || old_len !== new_len))
		return -EINVAL;
	if (offset_in_page(addr))
		return -EINVAL;
	old_len = PAGE_ALIGN(old_len);
	new_len = PAGE_ALIGN(new_len);
	if (!new_len)
		return -EINVAL;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	charged.v = 0;
	try {
		ret = mremap_locked();
		if (ret < 0) {
			vm_unacct_memory(charged.v);
			locked.v = false;
		}
	} finally {
		if (mms.mmap_lock[mm] > 0)
			mmap_read_unlock(mm);
		else
			mmap_write_unlock(mm);
	}
	if (locked.v && new_len > old_len)
		mm_populate(new_addr + old_len, new_len - old_len);
	return ret;

	/* What goes on between lock and unlock; a part of the system call, with its variables. */
	function mremap_locked(): number {
		if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))
			return mremap_to(addr, old_len, new_addr, new_len, locked, flags);

		/* to shrink is to unmap the end */
		if (old_len >= new_len) {
			const retval = __do_munmap(mm, addr + new_len, old_len - new_len, true);
			if (retval < 0 && old_len !== new_len)
				return retval;
			return addr;
		}

		const found = vma_to_resize(addr, old_len, new_len, flags);
		if (found < 0)
			return found;
		const vma = found as vm_area_struct;

		if (old_len === vm_end[vma] - addr) {
			/* in place, if the room above is free */
			if (vma_expandable(vma, new_len - old_len)) {
				const pages_more = (new_len - old_len) / PAGE_SIZE;

				if (vma_adjust(vma, vm_start[vma], addr + new_len,
				    vmas.vm_pgoff[vma], 0 as vm_area_struct))
					return -ENOMEM;
				vm_stat_account(mm, vm_flags[vma], pages_more);
				if (vm_flags[vma] & VM_LOCKED) {
					mms.locked_vm[mm] += pages_more;
					locked.v = true;
					new_addr = addr;
				}
				return addr;
			}
		}

		if (!(flags & MREMAP_MAYMOVE))
			return -ENOMEM;
		const map_flags = vm_flags[vma] & VM_MAYSHARE ? MAP_SHARED : 0;
		new_addr = get_unmapped_area(vm_file[vma], 0, new_len,
			vmas.vm_pgoff[vma] + (addr - vm_start[vma]) / PAGE_SIZE, map_flags);
		if (new_addr < 0)
			return new_addr;
		return move_vma(vma, addr, old_len, new_len, new_addr, locked, flags);
	}
}
