// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/oom_kill.c, include/linux/oom.h, v5.10
 * Left out: threads (a task is a process), cpusets and mempolicies, vfork, core dumps, the freezer,
 * sysrq, disabling, the OOM notifiers, the text in the kernel log, the trace events.
 * In the kernel a victim dies, or is reaped, while the killer tries its allocation again. Here
 * a victim other than the running task dies before out_of_memory() returns; one that cannot,
 * because it waits in the middle of a statement, is reaped when the next killer finds it.
 * Lock order modelled: mmap_lock, by trylock, in the OOM reaper.
 */
import { panic } from '../lib/bug.ts';
import { applied, MM_OOM_DO_NOT_TRIGGER_OUT_OF_MEMORY_FROM_THE_PF,
	MM_PAGEFAULT_OOM_DONT_FORCE_GLOBAL_OOM_FOR_DYING_TASKS, OOM_KILL_DELAY_THE_OOM_REAPER }
	from '../lib/commits.ts';
import { global_s32, nr_rows } from '../lib/struct.ts';
import { clock_ns } from '../lib/trace.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { current } from './current.ts';
import { mmdrop, mmgrab } from './fork.ts';
import { __GFP_FS, type gfp_t } from './gfp.ts';
import { can_madv_lru_vma } from './internal.ts';
import { mem_cgroup_get_max, mem_cgroup_get_oom_group, mem_cgroup_put, mem_cgroup_scan_tasks,
	memcg_memory_event_mm } from './memcontrol.ts';
import { MEMCG_OOM_KILL, type mem_cgroup } from './memcontrol_types.ts';
import { get_mm_counter, get_mm_rss, mm_pgtables_bytes, MMF_OOM_REAP_QUEUED, MMF_OOM_SKIP,
	MMF_OOM_VICTIM, MMF_UNSTABLE, mmap_read_trylock, mmap_read_unlock, totalram_pages,
	vma_is_anonymous } from './mm.ts';
import { EXIT_ZOMBIE, MM_SWAPENTS, mms, PF_EXITING, PF_KTHREAD, PF_OOM_ORIGIN, tasks,
	VM_SHARED, vmas, type mm_struct, type task_struct } from './mm_types.ts';
import { mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start_nonblock,
	mmu_notifier_range, mmu_notifier_range_init, MMU_NOTIFY_UNMAP } from './mmu_notifier.ts';
import { tlb_finish_mmu, tlb_gather_mmu } from './mmu_gather.ts';
import { unmap_page_range } from './memory.ts';
import type { zonelist } from './mmzone.ts';
import { total_swap_pages } from './swap_types.ts';
import { count_vm_event, OOM_KILL } from './vmstat.ts';

export const OOM_SCORE_ADJ_MIN = -1000, OOM_SCORE_ADJ_MAX = 1000;
/** LONG_MIN: a task that must not be killed. */
export const OOM_UNKILLABLE = -Infinity;

/** vm.panic_on_oom: 0 kill, 1 panic unless the shortage is a group's, 2 always panic. */
export const sysctl_panic_on_oom = global_s32('sysctl_panic_on_oom');
/** vm.oom_kill_allocating_task */
export const sysctl_oom_kill_allocating_task = global_s32('sysctl_oom_kill_allocating_task');

const NO_TASK = 0 as task_struct;
/* (void *)-1UL: a victim of an earlier kill is still dying. */
const ABORTED = -1 as task_struct;

/** What the killer is to look at and what it finds; a temporary of one kill. */
export class oom_control {
	/** 0: the shortage is not of an allocation */
	zonelist = 0 as zonelist;
	/** nodes that the allocation may use, 0 for all */
	nodemask = 0;
	/** 0: the system is out of memory */
	memcg = 0 as mem_cgroup;
	gfp_mask: gfp_t = 0;
	order = 0;
	totalpages = 0;
	/** 0: none; ABORTED: none, for one is dying already */
	chosen = NO_TASK;
	chosen_points = OOM_UNKILLABLE;
}

/**
 * How a victim dies: the sim registers at load. It returns false for a task that cannot run now,
 * since it is in the middle of a statement.
 */
export const oomHandler: { victim_runs: (victim: task_struct) => boolean } = {
	victim_runs: () => false,
};

/** @ported v5.10 include/linux/oom.h:tsk_is_oom_victim() */
export function tsk_is_oom_victim(tsk: task_struct): boolean {
	return tasks.oom_mm[tsk] !== 0;
}

/** @ported v5.10 include/linux/oom.h:mm_is_oom_victim() */
export function mm_is_oom_victim(mm: mm_struct): boolean {
	return test_mm_bit(MMF_OOM_VICTIM, mm);
}

/** @ported v5.10 include/linux/oom.h:oom_task_origin() */
export function oom_task_origin(p: task_struct): boolean {
	return (tasks.flags[p] & PF_OOM_ORIGIN) !== 0;
}

/** @ported v5.10 static */
export function is_memcg_oom(oc: oom_control): boolean {
	return oc.memcg !== 0;
}

/** @ported v5.10 include/linux/sched.h:is_global_init() */
function is_global_init(p: task_struct): boolean {
	return tasks.pid[p] === 1;
}

/**
 * The next process after pos (0: the first), in the order of rows; 0 after the last.
 * @custom the macro for_each_process(), which goes by age; a row is older unless used before
 */
export function next_process(pos: task_struct): task_struct {
	const rows = nr_rows(tasks);

	for (let p = pos + 1; p < rows; p++) {
		if (tasks.table.live[p])
			return p as task_struct;
	}
	return NO_TASK;
}

/** @reduced to the task itself, which has no threads; 0 when its mm is gone */
export function find_lock_task_mm(p: task_struct): task_struct {
	return tasks.mm[p] ? p : NO_TASK;
}

/** @ported v5.10 static */
export function oom_unkillable_task(p: task_struct): boolean {
	return is_global_init(p) || (tasks.flags[p] & PF_KTHREAD) !== 0;
}

/** @custom test_bit() of mm->flags */
function test_mm_bit(bit: number, mm: mm_struct): boolean {
	return (mms.flags[mm] & 1 << bit) !== 0;
}

/** @custom set_bit() of mm->flags */
function set_mm_bit(bit: number, mm: mm_struct): void {
	mms.flags[mm] |= 1 << bit;
}

/**
 * How much would be gained by killing a task, in pages; OOM_UNKILLABLE for never.
 * @reduced no task here is in vfork()
 */
export function oom_badness(p: task_struct, totalpages: number): number {
	if (oom_unkillable_task(p))
		return OOM_UNKILLABLE;
	p = find_lock_task_mm(p);
	if (!p)
		return OOM_UNKILLABLE;
	const mm = tasks.mm[p], adj = tasks.oom_score_adj[p];
	if (adj === OOM_SCORE_ADJ_MIN || test_mm_bit(MMF_OOM_SKIP, mm))
		return OOM_UNKILLABLE;
	/* What its exit would free. */
	const points = get_mm_rss(mm) + get_mm_counter(mm, MM_SWAPENTS) +
		Math.floor(mm_pgtables_bytes(mm) / PAGE_SIZE);
	/* an adj of 1000 counts as much as all memory */
	return points + adj * Math.floor(totalpages / 1000);
}

/* enum oom_constraint */
export const CONSTRAINT_NONE = 0, CONSTRAINT_CPUSET = 1, CONSTRAINT_MEMORY_POLICY = 2,
	CONSTRAINT_MEMCG = 3;

/** @reduced cpusets and mempolicies */
export function constrained_alloc(oc: oom_control): number {
	if (is_memcg_oom(oc)) {
		oc.totalpages = mem_cgroup_get_max(oc.memcg) || 1;
		return CONSTRAINT_MEMCG;
	}
	oc.totalpages = totalram_pages() + total_swap_pages.v;
	return CONSTRAINT_NONE;
}

/**
 * @returns 1 to end the scan: a victim is dying
 * @reduced cpusets and mempolicies
 */
export function oom_evaluate_task(task: task_struct, oc: oom_control): number {
	if (oom_unkillable_task(task))
		return 0;
	/* An earlier victim has memory to give still, and the reserves are not for two. */
	if (tsk_is_oom_victim(task)) {
		if (test_mm_bit(MMF_OOM_SKIP, tasks.oom_mm[task]))
			return 0;
		oc.chosen = ABORTED;
		return 1;
	}
	let points = Infinity;
	if (!oom_task_origin(task)) {
		points = oom_badness(task, oc.totalpages);
		if (points === OOM_UNKILLABLE || points < oc.chosen_points)
			return 0;
	}
	oc.chosen = task;
	oc.chosen_points = points;
	return 0;
}

/** @ported v5.10 static */
export function select_bad_process(oc: oom_control): void {
	oc.chosen_points = OOM_UNKILLABLE;
	if (is_memcg_oom(oc)) {
		mem_cgroup_scan_tasks(oc.memcg, oom_evaluate_task, oc);
		return;
	}
	for (let p = next_process(NO_TASK); p; p = next_process(p)) {
		if (oom_evaluate_task(p, oc))
			break;
	}
}

/** @reduced to the task itself */
export function process_shares_mm(p: task_struct, mm: mm_struct): boolean {
	return tasks.mm[p] === mm;
}

/* The victims that the OOM reaper is to look at, last one first. */
const oom_reaper_list = global_s32('oom_reaper_list');

/**
 * Unmap the private memory of an mm.
 * @returns false where a notifier would have to sleep
 * @ported v5.10
 */
export function __oom_reap_task_mm(mm: mm_struct): boolean {
	let ret = true;

	/* Whoever reads this memory from now on may find zeros. */
	set_mm_bit(MMF_UNSTABLE, mm);
	for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma]) {
		if (!can_madv_lru_vma(vma))
			continue;
		/* File pages that can go have gone; shared memory is not the victim's alone. */
		if (vma_is_anonymous(vma) || (vmas.vm_flags[vma] & VM_SHARED) === 0) {
			const start = vmas.vm_start[vma], end = vmas.vm_end[vma];
			const range = new mmu_notifier_range();
			mmu_notifier_range_init(range, MMU_NOTIFY_UNMAP, 0, vma, mm, start, end);
			const tlb = tlb_gather_mmu(mm, start, end);
			if (mmu_notifier_invalidate_range_start_nonblock(range)) {
				tlb_finish_mmu(tlb, start, end);
				ret = false;
				continue;
			}
			unmap_page_range(tlb, vma, start, end, null);
			mmu_notifier_invalidate_range_end(range);
			tlb_finish_mmu(tlb, start, end);
		}
	}
	return ret;
}

/**
 * @returns whether there is nothing left to do for this mm
 * @ported v5.10 static
 */
export function oom_reap_task_mm(_tsk: task_struct, mm: mm_struct): boolean {
	let ret = true;

	if (!mmap_read_trylock(mm))
		return false;
	/* exit_mmap() sets it when it is at work itself. */
	if (!test_mm_bit(MMF_OOM_SKIP, mm))
		ret = __oom_reap_task_mm(mm);
	mmap_read_unlock(mm);
	return ret;
}

const HZ = 250;
const JIFFY_NS = 1e9 / HZ;
const MAX_OOM_REAP_RETRIES = 10;

/**
 * Reap one victim, and hide its mm from further kills. Between two tries the clock goes on.
 * @ported v5.10 static
 */
export function oom_reap_task(tsk: task_struct): void {
	const mm = tasks.oom_mm[tsk];
	let attempts = 0;

	while (attempts++ < MAX_OOM_REAP_RETRIES && !oom_reap_task_mm(tsk, mm))
		clock_ns.v += Math.trunc(HZ / 10) * JIFFY_NS;
	set_mm_bit(MMF_OOM_SKIP, mm);
}

/**
 * The reaper's turn: all victims on its list. With the delay of e4a38402c36e their time is come
 * when the clock has gone on to it.
 * @custom the loop of the kernel thread, run when somebody would wait for it
 */
export function oom_reaper(): void {
	while (oom_reaper_list.v) {
		const tsk = oom_reaper_list.v as task_struct;
		oom_reaper_list.v = tasks.oom_reaper_list[tsk];
		tasks.oom_reaper_list[tsk] = NO_TASK;
		if (tasks.oom_reaper_timer[tsk] > clock_ns.v)
			clock_ns.v = tasks.oom_reaper_timer[tsk];
		tasks.oom_reaper_timer[tsk] = 0;
		oom_reap_task(tsk);
	}
}

const OOM_REAPER_DELAY = 2 * HZ;

/** @reduced the timer: when it is due is kept, and it fires when somebody waits for the reaper */
export function queue_oom_reaper(tsk: task_struct): void {
	const mm = tasks.oom_mm[tsk];

	if (test_mm_bit(MMF_OOM_REAP_QUEUED, mm))
		return;
	set_mm_bit(MMF_OOM_REAP_QUEUED, mm);
	if (applied(OOM_KILL_DELAY_THE_OOM_REAPER /* e4a38402c36e, v5.18 */))
		tasks.oom_reaper_timer[tsk] = clock_ns.v + OOM_REAPER_DELAY * JIFFY_NS;
	tasks.oom_reaper_list[tsk] = oom_reaper_list.v as task_struct;
	oom_reaper_list.v = tsk;
}

/** Victims that have not exited. */
export const oom_victims = global_s32('oom_victims');

/**
 * Let a task with an mm use the reserves to exit.
 * @ported v5.10 static
 */
export function mark_oom_victim(tsk: task_struct): void {
	const mm = tasks.mm[tsk];

	/* chosen for its cgroup's shortage before */
	if (tasks.memdie[tsk])
		return;
	tasks.memdie[tsk] = 1;
	if (!tasks.oom_mm[tsk]) {
		tasks.oom_mm[tsk] = mm;
		mmgrab(mm);
		set_mm_bit(MMF_OOM_VICTIM, mm);
	}
	oom_victims.v++;
}

/**
 * The running task, a victim, has let go of its mm. exit_mm() calls it when memdie is set.
 * @reduced the release of oom_mm comes here, where the kernel waits for that of the signal_struct:
 * nobody looks at a victim that has exited
 */
export function exit_oom_victim(): void {
	const tsk = current();
	const mm = tasks.oom_mm[tsk];

	tasks.memdie[tsk] = 0;
	oom_victims.v--;
	oom_reaper_forget(tsk);
	tasks.oom_mm[tsk] = 0 as mm_struct;
	mmdrop(mm);
}

/** @custom in the kernel a victim on the list is pinned, and its mm found skipped */
function oom_reaper_forget(tsk: task_struct): void {
	if (oom_reaper_list.v === tsk) {
		oom_reaper_list.v = tasks.oom_reaper_list[tsk];
	} else {
		let at = oom_reaper_list.v as task_struct;
		while (at && tasks.oom_reaper_list[at] !== tsk)
			at = tasks.oom_reaper_list[at];
		if (at)
			tasks.oom_reaper_list[at] = tasks.oom_reaper_list[tsk];
	}
	tasks.oom_reaper_list[tsk] = NO_TASK;
	tasks.oom_reaper_timer[tsk] = 0;
}

/** @reduced threads and core dumps; SIGNAL_GROUP_EXIT is a pending SIGKILL */
export function __task_will_free_mem(task: task_struct): boolean {
	return tasks.sigkill[task] !== 0 || (tasks.flags[task] & PF_EXITING) !== 0;
}

/** @ported v5.10 static */
export function task_will_free_mem(task: task_struct): boolean {
	const mm = tasks.mm[task];

	if (!mm)
		return false;
	if (!__task_will_free_mem(task))
		return false;
	/* Drained by the reaper already, so little will come. */
	if (test_mm_bit(MMF_OOM_SKIP, mm))
		return false;
	if (mms.mm_users[mm] <= 1)
		return true;
	/* All who share the mm have to be dying too. */
	for (let p = next_process(NO_TASK); p; p = next_process(p)) {
		if (p !== task && process_shares_mm(p, mm) && !__task_will_free_mem(p))
			return false;
	}
	return true;
}

/** @reduced do_send_sig_info(SIGKILL): the sim acts on it when the task returns to user mode */
function send_sigkill(p: task_struct): void {
	if (tasks.state[p] !== EXIT_ZOMBIE)
		tasks.sigkill[p] = 1;
}

/** @ported v5.10 static */
export function __oom_kill_process(victim: task_struct): void {
	let can_oom_reap = true;

	/* Is exiting already? */
	if (!find_lock_task_mm(victim))
		return;
	const mm = tasks.mm[victim];

	/* Counted first: who waits for the task's end finds it counted. */
	count_vm_event(OOM_KILL);
	memcg_memory_event_mm(mm, MEMCG_OOM_KILL);
	send_sigkill(victim);
	mark_oom_victim(victim);

	/* Who shares the mm goes too, or nothing would come free. */
	for (let p = next_process(NO_TASK); p; p = next_process(p)) {
		if (p === victim || !process_shares_mm(p, mm))
			continue;
		if (is_global_init(p)) {
			can_oom_reap = false;
			set_mm_bit(MMF_OOM_SKIP, mm);
			continue;
		}
		if ((tasks.flags[p] & PF_KTHREAD) !== 0)
			continue;
		send_sigkill(p);
	}
	if (can_oom_reap)
		queue_oom_reaper(victim);
}

/** @ported v5.10 static */
export function oom_kill_memcg_member(task: task_struct, _message: null): number {
	if (tasks.oom_score_adj[task] !== OOM_SCORE_ADJ_MIN && !is_global_init(task))
		__oom_kill_process(task);
	return 0;
}

/** @ported v5.10 static */
export function oom_kill_process(oc: oom_control): void {
	const victim = oc.chosen;

	/* It needs no signal, only memory to exit with. */
	if (task_will_free_mem(victim)) {
		mark_oom_victim(victim);
		queue_oom_reaper(victim);
	} else {
		/* Asked first, for the victim may leave its group when it dies. */
		const oom_group = mem_cgroup_get_oom_group(victim, oc.memcg);
		__oom_kill_process(victim);
		if (oom_group) {
			mem_cgroup_scan_tasks(oom_group, oom_kill_memcg_member, null);
			mem_cgroup_put(oom_group);
		}
	}
}

/**
 * The running task lets others run, where need_resched() is set: whoever has been killed dies
 * now. A kill wakes its victim, which preempts the killer where that next may sleep or leaves the
 * kernel.
 * @custom cond_resched() and schedule()
 */
export function let_victims_run(): void {
	const self = current();

	if (!oom_victims.v)
		return;
	for (let p = next_process(NO_TASK); p; p = next_process(p)) {
		if (p !== self && tasks.sigkill[p] && tasks.state[p] !== EXIT_ZOMBIE)
			oomHandler.victim_runs(p);
	}
}

/** @reduced the text in the log; a panic is an end of the machine */
export function check_panic_on_oom(constraint: number): void {
	if (!sysctl_panic_on_oom.v)
		return;
	if (sysctl_panic_on_oom.v !== 2 && constraint !== CONSTRAINT_NONE)
		return;
	const kind = sysctl_panic_on_oom.v === 2 ? 'compulsory' : 'system-wide';
	panic(`Out of memory: ${kind} panic_on_oom is enabled`);
}

/**
 * Kill a process, or let one that is dying get on with it.
 * @returns false when there is none to kill; then nothing was done
 * @throws KernelPanic
 * @reduced no OOM notifiers: their users are drivers that are not modelled
 */
export function out_of_memory(oc: oom_control): boolean {
	const self = current();

	/* It wants memory only to exit. */
	if (task_will_free_mem(self)) {
		mark_oom_victim(self);
		queue_oom_reaper(self);
		return true;
	}
	/* Reclaim that may not write to file systems has not tried all. */
	if (oc.gfp_mask && (oc.gfp_mask & __GFP_FS) === 0 && !is_memcg_oom(oc))
		return true;

	check_panic_on_oom(constrained_alloc(oc));
	if (!is_memcg_oom(oc) && sysctl_oom_kill_allocating_task.v && tasks.mm[self] &&
		!oom_unkillable_task(self) && tasks.oom_score_adj[self] !== OOM_SCORE_ADJ_MIN) {
		oc.chosen = self;
		oom_kill_process(oc);
		return true;
	}

	select_bad_process(oc);
	if (!oc.chosen) {
		if (!is_memcg_oom(oc))
			panic('System is deadlocked on memory');
		return false;
	}
	if (oc.chosen === ABORTED)
		oom_reaper();
	else
		oom_kill_process(oc);
	return true;
}

/**
 * A page fault ended with VM_FAULT_OOM.
 * @reduced the OOM handling of cgroup v1
 */
export function pagefault_out_of_memory(): void {
	if (applied(MM_PAGEFAULT_OOM_DONT_FORCE_GLOBAL_OOM_FOR_DYING_TASKS
		/* 0b28179a6138, v5.16 */) && tasks.sigkill[current()])
		return;
	if (!applied(MM_OOM_DO_NOT_TRIGGER_OUT_OF_MEMORY_FROM_THE_PF
		/* 60e2793d440a, v5.16 */))
		out_of_memory(new oom_control());
}
