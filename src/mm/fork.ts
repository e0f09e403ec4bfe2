// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel/fork.c and kernel/exit.c, as far as address spaces go, include/linux/sched/mm.h and
 * kernel/sched/core.c:context_switch(), v5.10
 * Left out: everything of a task that memory management does not look at (signals but SIGKILL,
 * namespaces, credentials: every task is root), threads' groups, exec.
 * Lock order modelled: parent's mmap_lock > child's mmap_lock > i_mmap_rwsem.
 */
import { PAGE_SIZE, TASK_SIZE } from '../arch/page.ts';
import { destroy_context, enter_lazy_tlb, flush_tlb_mm, init_new_context, switch_mm_irqs_off }
	from '../arch/tlb.ts';
import { BUG_ON, VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import { EAGAIN, ECHILD, EINTR, ENOMEM } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_add_tail, list_del, list_del_init, list_empty, list_move_tail }
	from '../lib/list.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc, list_heads, nr_rows, struct, to,
	use_rows, type ptr, type rb_node } from '../lib/struct.ts';
import { cgroup_exit, cgroup_fork, cgroup_post_fork } from './cgroup.ts';
import { current, nr_cpu_ids, set_current, set_smp_processor_id, smp_processor_id }
	from './current.ts';
import { fput, get_file, mapping_allow_writable } from './fs.ts';
import { vma_interval_tree_insert_after } from './interval_tree.ts';
import { ROOT_MEM_CGROUP } from './memcontrol_types.ts';
import { copy_page_range, sync_mm_rss } from './memory.ts';
import { MMF_INIT_MASK, get_mm_rss, mm_pgtables_bytes_init, mmap_init_lock, mmap_read_lock,
	mmap_read_unlock, mmap_write_lock, mmap_write_lock_killable, mmap_write_unlock,
	vma_pages } from './mm.ts';
import { COMM_LEN, EXIT_ZOMBIE, NR_MM_COUNTERS, PF_EXITING, PF_KTHREAD, PF_MEMALLOC, TASK_FILES,
	VM_ACCOUNT, VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_NOHUGEPAGE, VM_SHARED,
	VM_WIPEONFORK, files, mms, tasks, vmas, type anon_vma, type file, type mm_struct,
	type task_struct, type vm_area_struct } from './mm_types.ts';
import { __vma_link_rb, arch_pick_mmap_layout, exit_mmap, MAP_ANONYMOUS, MAP_FIXED, MAP_GROWSDOWN,
	MAP_PRIVATE, PROT_READ, PROT_WRITE, vm_stat_account } from './mmap.ts';
import { mmu_notifier_subscriptions_destroy, mmu_notifier_subscriptions_init }
	from './mmu_notifier.ts';
import { NR_CPUS } from './mmzone.ts';
import { exit_oom_victim } from './oom_kill.ts';
import { pgd_alloc, pgd_free } from './pgtable.ts';
import { anon_vma_fork } from './rmap.ts';
import { i_mmap_lock_write, i_mmap_unlock_write } from './rmap_types.ts';
import { __vm_enough_memory, vm_mmap_pgoff, vm_unacct_memory } from './util.ts';
import { vm_operations } from './vm_ops.ts';

export const CLONE_VM = 0x100, CLONE_FILES = 0x400, CLONE_PARENT = 0x8000;
export const CAP_IPC_LOCK = 14, CAP_SYS_ADMIN = 21;
const VM_INIT_DEF_MASK = VM_NOHUGEPAGE;
/* MLOCK_LIMIT: the soft limit that a task is born with where nobody has raised it. */
const MLOCK_LIMIT = 64 * 1024;
const PF_IDLE = 0x2;
/* Where the heap starts: above a program that is not position-independent. */
const START_BRK = 0x602000;

/** The PID of the newest task. */
const last_pid = global_s32('last_pid');
/** Row of the task with PID 1. */
const init_task_row = global_s32('init_task');

type rq = ptr<'rq'>;
/* struct rq; row cpu + 1 */
const rqs = struct<rq>()('rq', NR_CPUS + 1, {
	curr: to<task_struct>(),
	idle: to<task_struct>(),
	prev_mm: to<mm_struct>(),
});

/** Every task is root. @custom there are no credentials */
export function capable(_cap: number): boolean {
	return true;
}

/** The first process, PID 1. @custom kernel/fork.c has init_task, which is PID 0 */
export function init_task(): task_struct {
	return init_task_row.v as task_struct;
}

/** The idle task of a CPU. @ported v5.10 kernel/sched/core.c:idle_task() */
export function idle_task(cpu: number): task_struct {
	return rqs.idle[cpu + 1 as rq];
}

/** What runs on the CPU. @ported v5.10 kernel/sched/sched.h:cpu_curr() */
export function cpu_curr(cpu: number): task_struct {
	return rqs.curr[cpu + 1 as rq];
}

/** A new vma of the mm, not linked anywhere; 0 for no memory. @ported v5.10 */
export function vm_area_alloc(mm: mm_struct): vm_area_struct {
	const vma = kmem_cache_zalloc(vmas);

	if (vma)
		vma_init(vma, mm);
	return vma;
}

/** @ported v5.10 include/linux/mm.h:vma_init() */
function vma_init(vma: vm_area_struct, mm: mm_struct): void {
	vmas.vm_mm[vma] = mm;
	INIT_LIST_HEAD(vmas.anon_vma_chain(vma));
}

/** A copy that is on no list and in no tree. @ported v5.10 */
export function vm_area_dup(orig: vm_area_struct): vm_area_struct {
	const new_ = kmem_cache_zalloc(vmas);

	if (new_) {
		vmas.vm_start[new_] = vmas.vm_start[orig];
		vmas.vm_end[new_] = vmas.vm_end[orig];
		vmas.vm_mm[new_] = vmas.vm_mm[orig];
		vmas.vm_page_prot[new_] = vmas.vm_page_prot[orig];
		vmas.vm_page_prot_nx[new_] = vmas.vm_page_prot_nx[orig];
		vmas.vm_flags[new_] = vmas.vm_flags[orig];
		vmas.anon_vma[new_] = vmas.anon_vma[orig];
		vmas.vm_ops[new_] = vmas.vm_ops[orig];
		vmas.vm_pgoff[new_] = vmas.vm_pgoff[orig];
		vmas.vm_file[new_] = vmas.vm_file[orig];
		vmas.vm_private_data[new_] = vmas.vm_private_data[orig];
		vmas.swap_readahead_info[new_] = vmas.swap_readahead_info[orig];
		INIT_LIST_HEAD(vmas.anon_vma_chain(new_));
	}
	return new_;
}

/** @ported v5.10 */
export function vm_area_free(vma: vm_area_struct): void {
	kmem_cache_free(vmas, vma);
}

/** @reduced a task's frame of the kernel stack takes no page here; children's limits are copied */
function dup_task_struct(orig: task_struct): task_struct {
	const tsk = kmem_cache_zalloc(tasks);

	if (!tsk)
		return tsk;
	for (let i = 0; i < COMM_LEN; i++)
		tasks.comm[tsk * COMM_LEN + i] = tasks.comm[orig * COMM_LEN + i]!;
	tasks.flags[tsk] = tasks.flags[orig] & ~PF_KTHREAD & ~PF_EXITING & ~PF_MEMALLOC & ~PF_IDLE;
	tasks.oom_score_adj[tsk] = tasks.oom_score_adj[orig];
	tasks.rlimit_memlock[tsk] = tasks.rlimit_memlock[orig];
	tasks.cpu[tsk] = tasks.cpu[orig];
	return tsk;
}

/** A child's vma comes just after its parent's in i_mmap. @ported v5.10 static */
function dup_mmap(mm: mm_struct, oldmm: mm_struct): number {
	let prev = 0 as vm_area_struct;
	let parent = 0 as rb_node;
	let retval = 0;
	let charge = 0;

	if (mmap_write_lock_killable(oldmm))
		return -EINTR;
	mmap_write_lock(mm);

	mms.total_vm[mm] = mms.total_vm[oldmm];
	mms.data_vm[mm] = mms.data_vm[oldmm];
	mms.exec_vm[mm] = mms.exec_vm[oldmm];
	mms.stack_vm[mm] = mms.stack_vm[oldmm];

	out: {
		for (let mpnt = mms.mmap[oldmm]; mpnt; mpnt = vmas.vm_next[mpnt]) {
			if (vmas.vm_flags[mpnt] & VM_DONTCOPY) {
				vm_stat_account(mm, vmas.vm_flags[mpnt], -vma_pages(mpnt));
				continue;
			}
			charge = 0;
			/* A killed parent makes no child. */
			if (tasks.sigkill[current()]) {
				retval = -EINTR;
				break out;
			}
			fail_nomem: {
				if (vmas.vm_flags[mpnt] & VM_ACCOUNT) {
					const len = vma_pages(mpnt);
					if (__vm_enough_memory(oldmm, len, true))
						break fail_nomem;
					charge = len;
				}
				const tmp = vm_area_dup(mpnt);
				if (!tmp)
					break fail_nomem;
				vmas.vm_mm[tmp] = mm;
				if (vmas.vm_flags[tmp] & VM_WIPEONFORK) {
					/* The child starts with an empty mapping. */
					vmas.anon_vma[tmp] = 0 as anon_vma;
				} else if (anon_vma_fork(tmp, mpnt)) {
					vm_area_free(tmp);
					break fail_nomem;
				}
				vmas.vm_flags[tmp] &= ~(VM_LOCKED | VM_LOCKONFAULT);
				const file = vmas.vm_file[tmp];
				if (file) {
					const mapping = files.f_mapping[file];

					get_file(file);
					i_mmap_lock_write(mapping);
					if (vmas.vm_flags[tmp] & VM_SHARED)
						mapping_allow_writable(mapping);
					/* rmap meets the parent first, then the child. */
					vma_interval_tree_insert_after(tmp, mpnt, mapping);
					i_mmap_unlock_write(mapping);
				}

				if (prev)
					vmas.vm_next[prev] = tmp;
				else
					mms.mmap[mm] = tmp;
				vmas.vm_prev[tmp] = prev;
				prev = tmp;

				__vma_link_rb(mm, tmp, 1, parent);
				parent = vmas.vm_rb(tmp);
				/*
				 * The tree is rebalanced at each insertion, yet the last node has
				 * no right child then either, so the next one goes there.
				 */
				mms.map_count[mm]++;
				if (!(vmas.vm_flags[tmp] & VM_WIPEONFORK))
					retval = copy_page_range(tmp, mpnt);

				vm_operations(vmas.vm_ops[tmp]).open?.(tmp);
				if (retval)
					break out;
				continue;
			}
			retval = -ENOMEM;
			vm_unacct_memory(charge);
			break out;
		}
	}
	mmap_write_unlock(mm);
	flush_tlb_mm(oldmm);
	mmap_write_unlock(oldmm);
	return retval;
}

/** @ported v5.10 static */
function mm_alloc_pgd(mm: mm_struct): number {
	mms.pgd[mm] = pgd_alloc(mm);
	return mms.pgd[mm] ? 0 : -ENOMEM;
}

/** @ported v5.10 static */
function mm_free_pgd(mm: mm_struct): void {
	pgd_free(mm, mms.pgd[mm]);
}

/** @ported v5.10 static; a counter that is not 0 is a bug */
function check_mm(mm: mm_struct): void {
	for (let i = 0; i < NR_MM_COUNTERS; i++) {
		const x = mms.rss_stat[mm * NR_MM_COUNTERS + i]!;
		BUG_ON(x !== 0, `mm ${mm} is freed with rss counter ${i} at ${x}`);
	}
	BUG_ON(mms.pgtables_bytes[mm] !== 0,
		`mm ${mm} is freed with ${mms.pgtables_bytes[mm]} bytes of page tables`);
}

/** Free an mm that nobody refers to. @ported v5.10 */
export function __mmdrop(mm: mm_struct): void {
	VM_BUG_ON(mm === tasks.mm[current()] || mm === tasks.active_mm[current()],
		'the running address space is freed');
	mm_free_pgd(mm);
	destroy_context(mm);
	mmu_notifier_subscriptions_destroy(mm);
	check_mm(mm);
	kmem_cache_free(mms, mm);
}

/** @ported v5.10 include/linux/sched/mm.h */
export function mmgrab(mm: mm_struct): void {
	mms.mm_count[mm]++;
}

/** @ported v5.10 include/linux/sched/mm.h */
export function mmdrop(mm: mm_struct): void {
	VM_BUG_ON(mms.mm_count[mm] <= 0, 'mmdrop: no reference is left');
	if (--mms.mm_count[mm] === 0)
		__mmdrop(mm);
}

/** @ported v5.10 include/linux/sched/mm.h */
export function mmget(mm: mm_struct): void {
	mms.mm_users[mm]++;
}

/** @ported v5.10 include/linux/sched/mm.h */
export function mmget_not_zero(mm: mm_struct): boolean {
	if (mms.mm_users[mm] === 0)
		return false;
	mms.mm_users[mm]++;
	return true;
}

/** @ported v5.10 static; returns the mm, or 0 with the row freed */
function mm_init(mm: mm_struct, p: task_struct): mm_struct {
	const task = current();
	const old = task ? tasks.mm[task] : 0 as mm_struct;

	mms.mmap[mm] = 0 as vm_area_struct;
	mms.mm_rb[mm] = 0;
	mms.mm_users[mm] = 1;
	mms.mm_count[mm] = 1;
	mmap_init_lock(mm);
	INIT_LIST_HEAD(mms.mmlist(mm));
	mm_pgtables_bytes_init(mm);
	mms.map_count[mm] = 0;
	mms.locked_vm[mm] = 0;
	mms.has_pinned[mm] = 0;
	for (let i = 0; i < NR_MM_COUNTERS; i++)
		mms.rss_stat[mm * NR_MM_COUNTERS + i] = 0;
	mms.owner[mm] = p;
	mmu_notifier_subscriptions_init(mm);
	mms.tlb_flush_pending[mm] = 0;
	if (old) {
		mms.flags[mm] = mms.flags[old] & MMF_INIT_MASK;
		mms.def_flags[mm] = mms.def_flags[old] & VM_INIT_DEF_MASK;
	} else {
		mms.flags[mm] = 0;
		mms.def_flags[mm] = 0;
	}
	if (mm_alloc_pgd(mm)) {
		kmem_cache_free(mms, mm);
		return 0 as mm_struct;
	}
	init_new_context(mm, mms.pgd[mm]);
	return mm;
}

/** A new, empty address space with one user, or 0. @ported v5.10 */
export function mm_alloc(): mm_struct {
	const mm = kmem_cache_zalloc(mms);

	if (!mm)
		return mm;
	return mm_init(mm, current());
}

/** @ported v5.10 static */
function __mmput(mm: mm_struct): void {
	VM_BUG_ON(mms.mm_users[mm] !== 0, '__mmput: still in use');
	exit_mmap(mm);
	if (!list_empty(mms.mmlist(mm)))
		list_del(mms.mmlist(mm));
	mmdrop(mm);
}

/** One user less; the last one takes the mappings along. @ported v5.10 */
export function mmput(mm: mm_struct): void {
	VM_BUG_ON(mms.mm_users[mm] <= 0, 'mmput: no user is left');
	if (--mms.mm_users[mm] === 0)
		__mmput(mm);
}

/** @reduced there are no work queues: it is done at once */
export function mmput_async(mm: mm_struct): void {
	mmput(mm);
}

/** The task's mm with a user more, or 0 if it has none. @ported v5.10 */
export function get_task_mm(task: task_struct): mm_struct {
	const mm = tasks.mm[task];

	if (mm) {
		if (tasks.flags[task] & PF_KTHREAD)
			return 0 as mm_struct;
		mmget(mm);
	}
	return mm;
}

/** @ported v5.10 static */
function dup_mm(tsk: task_struct, oldmm: mm_struct): mm_struct {
	let mm = kmem_cache_zalloc(mms);

	if (!mm)
		return mm;
	/* memcpy(mm, oldmm, sizeof(*mm)), of what mm_init() does not set */
	mms.mmap_base[mm] = mms.mmap_base[oldmm];
	mms.highest_vm_end[mm] = mms.highest_vm_end[oldmm];
	mms.start_brk[mm] = mms.start_brk[oldmm];
	mms.brk[mm] = mms.brk[oldmm];
	mms.tlb_flush_batched[mm] = mms.tlb_flush_batched[oldmm];
	mm = mm_init(mm, tsk);
	if (!mm)
		return mm;
	if (dup_mmap(mm, oldmm)) {
		mms.owner[mm] = 0 as task_struct;
		mmput(mm);
		return 0 as mm_struct;
	}
	mms.hiwater_rss[mm] = get_mm_rss(mm);
	mms.hiwater_vm[mm] = mms.total_vm[mm];
	return mm;
}

/** @ported v5.10 static */
function copy_mm(clone_flags: number, tsk: task_struct): number {
	const oldmm = tasks.mm[current()];
	let mm: mm_struct;

	tasks.min_flt[tsk] = 0;
	tasks.maj_flt[tsk] = 0;
	tasks.mm[tsk] = 0 as mm_struct;
	tasks.active_mm[tsk] = 0 as mm_struct;
	/* a kernel thread forks another */
	if (!oldmm)
		return 0;

	if (clone_flags & CLONE_VM) {
		mmget(oldmm);
		mm = oldmm;
	} else {
		mm = dup_mm(tsk, oldmm);
		if (!mm)
			return -ENOMEM;
	}
	tasks.mm[tsk] = mm;
	tasks.active_mm[tsk] = mm;
	return 0;
}

/** @reduced the table of files is part of the task: it is copied where it could be shared */
function copy_files(tsk: task_struct): void {
	for (let fd = 0; fd < TASK_FILES; fd++) {
		const file = tasks.files[current() * TASK_FILES + fd]! as file;
		if (!file)
			continue;
		get_file(file);
		tasks.files[tsk * TASK_FILES + fd] = file;
	}
}

/** @reduced what a new task shares with memory management; see the head of this file */
function copy_process(clone_flags: number): number {
	const p = dup_task_struct(current());

	if (!p)
		return -ENOMEM;
	INIT_LIST_HEAD(tasks.children(p));
	INIT_LIST_HEAD(tasks.sibling(p));
	INIT_LIST_HEAD(tasks.thread_node(p));
	cgroup_fork(p);
	copy_files(p);
	const retval = copy_mm(clone_flags, p);
	if (retval) {
		exit_files(p);
		kmem_cache_free(tasks, p);
		return retval;
	}
	tasks.pid[p] = alloc_pid();
	tasks.parent[p] = clone_flags & CLONE_PARENT ? tasks.parent[current()] : current();
	list_add_tail(tasks.sibling(p), tasks.children(tasks.parent[p]));
	cgroup_post_fork(p);
	return p;
}

/**
 * A child of the running task, with a copy of its address space or with CLONE_VM the same one.
 * @returns the task, or -errno
 * @ported v5.10
 */
export function kernel_clone(clone_flags: number): number {
	return copy_process(clone_flags);
}

/** A kernel thread: no address space. @reduced it has no function: callers run its work */
export function kthread_create(comm: string): task_struct {
	const p = new_task(comm, PF_KTHREAD);

	tasks.pid[p] = alloc_pid();
	/* Those made before there is a root cgroup join it when init does. */
	if (init_task_row.v)
		cgroup_post_fork(p);
	return p;
}

/** @reduced PIDs only grow; 1 is init's even where kernel threads are made before it */
function alloc_pid(): number {
	last_pid.v = Math.max(last_pid.v, 1) + 1;
	return last_pid.v;
}

/** @custom what new tasks have in common that no parent gives them */
function new_task(comm: string, flags: number): task_struct {
	const p = kmem_cache_zalloc(tasks);

	BUG_ON(!p, 'no task left at boot');
	set_task_comm(p, comm);
	tasks.flags[p] = flags;
	tasks.rlimit_memlock[p] = MLOCK_LIMIT;
	INIT_LIST_HEAD(tasks.children(p));
	INIT_LIST_HEAD(tasks.sibling(p));
	INIT_LIST_HEAD(tasks.thread_node(p));
	cgroup_fork(p);
	return p;
}

/** Name a task; at most 15 bytes are kept. @ported v5.10 fs/exec.c:__set_task_comm() */
export function set_task_comm(tsk: task_struct, comm: string): void {
	for (let i = 0; i < COMM_LEN; i++)
		tasks.comm[tsk * COMM_LEN + i] =
			i < COMM_LEN - 1 && i < comm.length ? comm.charCodeAt(i) & 0xff : 0;
}

/**
 * The idle tasks and PID 1, `init`, in the root cgroup with an empty address space; init runs on
 * CPU 0 afterwards.
 * @custom stands for start_kernel() and rest_init()
 */
export function init_task_setup(): void {
	BUG_ON(init_task_row.v !== 0, 'init is started twice');
	use_rows(rqs, NR_CPUS + 1);
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		const idle = new_task(`swapper/${cpu}`, PF_KTHREAD | PF_IDLE);
		tasks.cpu[idle] = cpu;
		tasks.memcg[idle] = ROOT_MEM_CGROUP;
		rqs.idle[cpu + 1 as rq] = idle;
		rqs.curr[cpu + 1 as rq] = idle;
	}
	set_smp_processor_id(0);
	set_current(idle_task(0));

	const init = new_task('init', 0);
	tasks.pid[init] = 1;
	init_task_row.v = init;
	/* Kernel threads may be older than the root cgroup: they join it now, as init does. */
	for (let p = 1; p < nr_rows(tasks); p++)
		if (tasks.table.live[p] && !tasks.cgroup[p as task_struct] &&
		    !(tasks.flags[p as task_struct] & PF_IDLE))
			cgroup_post_fork(p as task_struct);
	const mm = mm_alloc();
	BUG_ON(!mm, 'no memory for the address space of init');
	mms.owner[mm] = init;
	arch_pick_mmap_layout(mm);
	mms.start_brk[mm] = START_BRK;
	mms.brk[mm] = START_BRK;
	tasks.mm[init] = mm;
	tasks.active_mm[init] = mm;
	context_switch(0, init);
}

const STACK_PAGES = 33;

/**
 * init maps its stack. No page of it is ever touched, but with it every address space has a vma, as
 * a real one has.
 * @custom stands for the exec of /sbin/init, whose image is not modelled
 */
export function exec_init(): void {
	const bytes = STACK_PAGES * PAGE_SIZE;
	const at = vm_mmap_pgoff(0 as file, TASK_SIZE - bytes, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, 0);

	BUG_ON(at < 0, 'no memory for the stack of init');
}

/** The task of a PID, 0 if there is none. @ported v5.10 kernel/pid.c:find_task_by_vpid() */
export function find_task_by_vpid(pid: number): task_struct {
	for (let p = 1; p < nr_rows(tasks); p++)
		if (tasks.table.live[p] && tasks.pid[p as task_struct] === pid && pid !== 0)
			return p as task_struct;
	return 0 as task_struct;
}

/**
 * Let `next` run on `cpu`; a task that runs elsewhere leaves that CPU to its idle task first.
 * @reduced kernel/sched/core.c:context_switch(): registers and run queues are not emulated
 */
export function context_switch(cpu: number, next: task_struct): void {
	const rq = cpu + 1 as rq;
	const prev = rqs.curr[rq];
	const old_cpu = tasks.cpu[next];

	VM_BUG_ON(tasks.state[next] === EXIT_ZOMBIE, 'a dead task is to run');
	if (old_cpu !== cpu && cpu_curr(old_cpu) === next)
		context_switch(old_cpu, idle_task(old_cpu));
	set_smp_processor_id(cpu);
	if (prev !== next) {
		if (!tasks.mm[next]) {			/* to kernel */
			if (tasks.active_mm[prev])
				enter_lazy_tlb(tasks.active_mm[prev], cpu);
			tasks.active_mm[next] = tasks.active_mm[prev];
			if (tasks.mm[prev])		/* from user */
				mmgrab(tasks.active_mm[prev]);
			else
				tasks.active_mm[prev] = 0 as mm_struct;
		} else {				/* to user */
			switch_mm_irqs_off(tasks.active_mm[prev], tasks.mm[next], cpu);
			if (!tasks.mm[prev]) {		/* from kernel */
				rqs.prev_mm[rq] = tasks.active_mm[prev];
				tasks.active_mm[prev] = 0 as mm_struct;
			}
		}
		rqs.curr[rq] = next;
		tasks.cpu[next] = cpu;
	}
	set_current(next);
	finish_task_switch(rq);
}

/** @reduced what it does about the address space that was borrowed */
function finish_task_switch(rq: rq): void {
	const mm = rqs.prev_mm[rq];

	rqs.prev_mm[rq] = 0 as mm_struct;
	if (mm)
		mmdrop(mm);
}

/* kernel/exit.c */

/** @ported v5.10 static kernel/exit.c */
function exit_files(tsk: task_struct): void {
	for (let fd = 0; fd < TASK_FILES; fd++) {
		const file = tasks.files[tsk * TASK_FILES + fd]! as file;
		if (!file)
			continue;
		tasks.files[tsk * TASK_FILES + fd] = 0;
		fput(file);
	}
}

/**
 * The owner of an mm, by whose cgroup it is judged, exits: find another user of it.
 * @ported v5.10 kernel/exit.c
 */
export function mm_update_next_owner(mm: mm_struct): void {
	const p = current();
	let c = 0 as task_struct;

	if (mms.owner[mm] !== p)
		return;
	/* nobody else is left */
	if (mms.mm_users[mm] <= 1) {
		mms.owner[mm] = 0 as task_struct;
		return;
	}

	assign_new_owner: {
		/* children first */
		c = child_with_mm(p, mm);
		if (c)
			break assign_new_owner;
		/* then siblings */
		if (tasks.parent[p]) {
			c = child_with_mm(tasks.parent[p], mm);
			if (c)
				break assign_new_owner;
		}
		/* then all processes */
		for (let g = 1; g < nr_rows(tasks); g++) {
			c = g as task_struct;
			if (!tasks.table.live[c] || (tasks.flags[c] & PF_KTHREAD))
				continue;
			if (tasks.mm[c] === mm)
				break assign_new_owner;
		}
		/* The other users only look at it. */
		mms.owner[mm] = 0 as task_struct;
		return;
	}
	BUG_ON(c === p, 'mm_update_next_owner: finds the one that leaves');
	mms.owner[mm] = c;
}

/** @custom list_for_each_entry() of mm_update_next_owner() */
function child_with_mm(parent: task_struct, mm: mm_struct): task_struct {
	const head = tasks.children(parent);

	for (let l = list_heads.next[head]; l !== head; l = list_heads.next[l]) {
		const c = tasks.sibling.container_of(l);
		if (tasks.mm[c] === mm)
			return c;
	}
	return 0 as task_struct;
}

/** The running task gives up its address space. @reduced no core dumps */
export function exit_mm(): void {
	const task = current();
	const mm = tasks.mm[task];

	if (!mm)
		return;
	sync_mm_rss(mm);
	mmap_read_lock(mm);
	mmgrab(mm);
	BUG_ON(mm !== tasks.active_mm[task], 'exit_mm: runs on another address space');
	tasks.mm[task] = 0 as mm_struct;
	mmap_read_unlock(mm);
	enter_lazy_tlb(mm, smp_processor_id());
	mm_update_next_owner(mm);
	mmput(mm);
	if (tasks.memdie[task])
		exit_oom_victim();
}

/** Children of the dead go to init. @reduced no thread groups, no subreapers */
function forget_original_parent(father: task_struct): void {
	const head = tasks.children(father);
	const reaper = init_task();

	for (let l = list_heads.next[head]; l !== head; l = list_heads.next[head]) {
		const p = tasks.sibling.container_of(l);

		tasks.parent[p] = reaper;
		list_move_tail(l, tasks.children(reaper));
		/* init waits for nobody in particular: the dead are reaped at once. */
		if (tasks.state[p] === EXIT_ZOMBIE)
			release_task(p);
	}
}

/**
 * The running task exits; the CPU goes to its idle task. It stays a zombie until release_task().
 * @param code exit code
 * @reduced what has nothing to do with memory
 * @throws WouldBlock with nothing changed while another holds the mmap lock for writing
 */
export function do_exit(code: number): void {
	const tsk = current();

	BUG_ON(tsk === init_task(), 'attempted to kill init!');
	BUG_ON((tasks.flags[tsk] & PF_IDLE) !== 0, 'attempted to kill the idle task!');
	const mm = tasks.mm[tsk];
	if (mm && mms.mmap_lock[mm] < 0)
		throw new WouldBlock('mmap_lock, to exit');
	tasks.flags[tsk] |= PF_EXITING;
	if (mm)
		sync_mm_rss(mm);
	tasks.exit_code[tsk] = code;
	exit_mm();
	exit_files(tsk);
	cgroup_exit(tsk);
	forget_original_parent(tsk);
	tasks.state[tsk] = EXIT_ZOMBIE;
	schedule_away(tsk);
}

/** The idle task takes over. @reduced kernel/sched/core.c:do_task_dead(): no run queue to leave */
function schedule_away(tsk: task_struct): void {
	const cpu = smp_processor_id();

	VM_BUG_ON(cpu_curr(cpu) !== tsk, 'a task exits that does not run');
	context_switch(cpu, idle_task(cpu));
}

/** Reap a zombie: its row is free afterwards. @reduced a zombie here has nothing else left */
export function release_task(p: task_struct): void {
	BUG_ON(tasks.state[p] !== EXIT_ZOMBIE, 'a living task is reaped');
	BUG_ON(!list_empty(tasks.children(p)), 'a task with children is reaped');
	list_del_init(tasks.sibling(p));
	kmem_cache_free(tasks, p);
}

/**
 * wait4(2) for one child that has exited: its exit code, or -ECHILD or -EAGAIN.
 * @reduced one child at a time, and never sleeping
 */
export function kernel_wait4(p: task_struct): number {
	if (!p || tasks.parent[p] !== current())
		return -ECHILD;
	if (tasks.state[p] !== EXIT_ZOMBIE)
		return -EAGAIN;
	const code = tasks.exit_code[p];
	release_task(p);
	return code;
}
