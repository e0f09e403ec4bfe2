// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/mm/fault.c, v5.10
 * Left out: faults at kernel addresses, vsyscalls, protection keys, async page faults, errata, the
 * contents of signals.
 */
import { X86_PF_INSTR, X86_PF_PROT, X86_PF_RSVD, X86_PF_WRITE, faultHandler } from '../arch/mmu.ts';
import { TASK_SIZE } from '../arch/page.ts';
import { BUG, VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import { global_s32 } from '../lib/struct.ts';
import { current } from './current.ts';
import { mem_cgroup_handle_over_high } from './memcontrol.ts';
import { handle_mm_fault } from './memory.ts';
import { mmap_read_lock, mmap_read_trylock, mmap_read_unlock, vma_is_accessible } from './mm.ts';
import { FAULT_FLAG_ALLOW_RETRY, FAULT_FLAG_INSTRUCTION, FAULT_FLAG_INTERRUPTIBLE,
	FAULT_FLAG_KILLABLE, FAULT_FLAG_TRIED, FAULT_FLAG_USER, FAULT_FLAG_WRITE, VM_FAULT_ERROR,
	VM_FAULT_HWPOISON, VM_FAULT_OOM, VM_FAULT_RETRY, VM_FAULT_SIGBUS, VM_FAULT_SIGSEGV,
	VM_GROWSDOWN, VM_WRITE, mms, tasks, vmas, type mm_struct, type vm_area_struct }
	from './mm_types.ts';
import { expand_stack, find_vma } from './mmap.ts';
import { let_victims_run, pagefault_out_of_memory } from './oom_kill.ts';
import { ptl_is_held } from './ptlock.ts';

/** What page_fault() says: run the access again, or why not. Signals are their numbers. */
export const FAULT_RETRY_ACCESS = 0, FAULT_SIGBUS = 7, FAULT_SIGKILL = 9, FAULT_SIGSEGV = 11,
	FAULT_WOULD_BLOCK = 64, FAULT_OOM = 65;

/**
 * Why the last access that was refused was refused: FAULT_SIG* is a signal for the task;
 * FAULT_WOULD_BLOCK: a lock is held by what the access interrupts, so run it again when that is
 * done; FAULT_OOM: the OOM killer has chosen someone else, run it again when that one has exited.
 */
export const fault_result = global_s32('fault_result');

/** @ported v5.10 static; the signal */
function bad_area(mm: mm_struct): number {
	mmap_read_unlock(mm);
	return FAULT_SIGSEGV;
}

/** @ported v5.10 static; the mmap lock is dropped already */
function mm_fault_error(fault: number): number {
	if (fault & VM_FAULT_OOM) {
		/* Chosen itself, it dies on its way back to user mode; else it tries again. */
		pagefault_out_of_memory();
		return tasks.sigkill[current()] ? FAULT_SIGKILL : FAULT_OOM;
	}
	if (fault & (VM_FAULT_SIGBUS | VM_FAULT_HWPOISON))
		return FAULT_SIGBUS;
	if (fault & VM_FAULT_SIGSEGV)
		return FAULT_SIGSEGV;
	return BUG(`page fault: what error is 0x${fault.toString(16)}?`);
}

/** Whether the vma forbids the access. @reduced no protection keys */
function access_error(error_code: number, vma: vm_area_struct): boolean {
	if (error_code & X86_PF_WRITE) {
		return !(vmas.vm_flags[vma] & VM_WRITE);
	}
	/* The entry is there and yet the read failed. */
	if (error_code & X86_PF_PROT)
		return true;
	return !vma_is_accessible(vma);
}

/** @ported v5.10 */
export function fault_in_kernel_space(address: number): boolean {
	return address < 0 || address >= TASK_SIZE;
}

/**
 * A WouldBlock comes out of a fault: what it held is given back but for the mmap lock.
 * @throws error if it is anything else
 * @custom the kernel's task sleeps in the middle
 */
function leave_blocked(
	error: unknown, mm: mm_struct, readers: number, address: number, flags: number,
): number {
	if (!(error instanceof WouldBlock))
		throw error;
	mms.mmap_lock[mm] = readers;
	if (flags & FAULT_FLAG_TRIED)
		tasks.fault_tried[current()] = address + 1;
	return FAULT_WOULD_BLOCK;
}

/** @ported v5.10 static; all accesses are user mode's */
function do_user_addr_fault(hw_error_code: number, address: number): number {
	const tsk = current();
	const mm = tasks.mm[tsk];
	let flags = FAULT_FLAG_ALLOW_RETRY | FAULT_FLAG_KILLABLE | FAULT_FLAG_INTERRUPTIBLE;

	VM_BUG_ON((hw_error_code & X86_PF_RSVD) !== 0, 'a page table entry with reserved bits');
	if (!mm)
		return FAULT_SIGSEGV;
	flags |= FAULT_FLAG_USER;
	if (hw_error_code & X86_PF_WRITE)
		flags |= FAULT_FLAG_WRITE;
	if (hw_error_code & X86_PF_INSTR)
		flags |= FAULT_FLAG_INSTRUCTION;

	const readers = mms.mmap_lock[mm];
	if (!mmap_read_trylock(mm))
		return FAULT_WOULD_BLOCK;
	/* It waited in its second try when it was left: there it goes on. */
	if (tasks.fault_tried[tsk] === address + 1)
		flags |= FAULT_FLAG_TRIED;
	tasks.fault_tried[tsk] = 0;
	for (;;) {
		const vma = find_vma(mm, address);
		if (!vma)
			return bad_area(mm);
		if (vmas.vm_start[vma] > address) {
			if (!(vmas.vm_flags[vma] & VM_GROWSDOWN))
				return bad_area(mm);
			try {
				if (expand_stack(vma, address))
					return bad_area(mm);
			} catch (error) {
				return leave_blocked(error, mm, readers, address, flags);
			}
		}

		if (access_error(hw_error_code, vma))
			return bad_area(mm);
		if (ptl_is_held(mm, address)) {
			mms.mmap_lock[mm] = readers;
			return FAULT_WOULD_BLOCK;
		}

		let fault: number;
		try {
			fault = handle_mm_fault(vma, address, flags);
		} catch (error) {
			return leave_blocked(error, mm, readers, address, flags);
		}

		/* Killed while it waited. */
		if ((fault & VM_FAULT_RETRY) && tasks.sigkill[tsk]) {
			VM_BUG_ON(mms.mmap_lock[mm] !== readers,
				'VM_FAULT_RETRY with the mmap lock held');
			return FAULT_SIGKILL;
		}

		/* The lock is gone with VM_FAULT_RETRY: once more, and then wait with it held. */
		if (fault & VM_FAULT_RETRY) {
			VM_BUG_ON(mms.mmap_lock[mm] !== readers,
				'VM_FAULT_RETRY with the mmap lock held');
			flags |= FAULT_FLAG_TRIED;
			mmap_read_lock(mm);
			continue;
		}

		mmap_read_unlock(mm);
		if (fault & VM_FAULT_ERROR)
			return mm_fault_error(fault);
		return FAULT_RETRY_ACCESS;
	}
}

/** @reduced a kernel address is an error: nothing is mapped there */
function handle_page_fault(error_code: number, address: number): number {
	if (fault_in_kernel_space(address))
		return FAULT_SIGSEGV;
	return do_user_addr_fault(error_code, address);
}

/**
 * The page fault exception of a CPU, taken in user mode.
 * @returns 0: run the access again; else why not, which fault_result has too
 * @reduced of the way back to user mode, what can reclaim or kill
 */
export function exc_page_fault(_cpu: number, address: number, error_code: number): number {
	let ret = handle_page_fault(error_code, address);

	if (ret === FAULT_RETRY_ACCESS) {
		/* exit_to_user_mode_loop(): others, memory.high, signals */
		let_victims_run();
		if (tasks.memcg_nr_pages_over_high[current()])
			mem_cgroup_handle_over_high();
		if (tasks.sigkill[current()])
			ret = FAULT_SIGKILL;
	}
	if (ret !== FAULT_RETRY_ACCESS)
		fault_result.v = ret;
	return ret;
}

faultHandler.page_fault = exc_page_fault;
