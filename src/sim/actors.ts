// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who runs when. A statement makes its task the running one, does its system call, and returns to
 * user mode, where what was put off until then is done: reclaim to memory.high, a pending SIGKILL,
 * kswapd if it was woken. A statement at a scheduling point runs in the middle of another one.
 */
import { KernelPanic, VM_BUG_ON, WouldBlock } from '../lib/bug.ts';
import { keep, letGo, undo } from '../lib/snapshot.ts';
import { global_f64, global_s32, nr_rows, struct, to, use_rows, type ptr } from '../lib/struct.ts';
import { current, nr_cpu_ids, smp_processor_id } from '../mm/current.ts';
import { context_switch, do_exit, release_task } from '../mm/fork.ts';
import { mem_cgroup_handle_over_high } from '../mm/memcontrol.ts';
import { EXIT_ZOMBIE, PF_KTHREAD, tasks, type task_struct } from '../mm/mm_types.ts';
import { first_online_pgdat, next_online_pgdat, pgdats } from '../mm/mmzone.ts';
import { let_victims_run, oomHandler } from '../mm/oom_kill.ts';
import { wb_workfn } from '../mm/page-writeback.ts';
import { kswapd } from '../mm/vmscan.ts';
import { BlockedError, MachineError, PanicError, StepBudgetError } from './errors.ts';

/* The tasks that are in the middle of a statement, the outermost one in row 1. */
const FRAMES = 256;
type sim_frame = ptr<'sim_frame'>;
const frames = struct<sim_frame>()('sim_frame', FRAMES, { task: to<task_struct>() });
const depth = global_s32('sim.depth');

/** Steps (statements and user accesses) since boot, and how many may be; 0 for no end. */
const steps = global_f64('sim.steps');
const step_budget = global_f64('sim.step_budget');

/* 1 once the kernel has panicked: nothing runs any more. */
const panicked = global_s32('sim.panicked');

const SIGKILL = 9;

/** Boot: nobody is in the middle of anything. */
export function actorsInit(stepBudget: number): void {
	use_rows(frames, FRAMES);
	step_budget.v = stepBudget;
}

/** Statements that are in the middle of being run: 0 between two of them. */
export function statementDepth(): number {
	return depth.v;
}

/** Count a step. @throws StepBudgetError after the last one allowed */
export function step(): void {
	steps.v++;
	if (step_budget.v && steps.v > step_budget.v)
		throw new StepBudgetError(step_budget.v);
}

function inMiddle(task: task_struct): boolean {
	for (let row = 1; row <= depth.v; row++)
		if (frames.task[row as sim_frame] === task)
			return true;
	return false;
}

/* A CPU on which somebody is in the middle of a statement. */
function isBusy(cpu: number): boolean {
	for (let row = 1; row <= depth.v; row++)
		if (tasks.cpu[frames.task[row as sim_frame]] === cpu)
			return true;
	return false;
}

/*
 * A task stays on its CPU. Where that one is in the middle of another's statement it moves to one
 * that is not, as load balancing would see to; if there is none, it preempts.
 */
function cpuFor(task: task_struct): number {
	const own = tasks.cpu[task];

	if (!isBusy(own))
		return own;
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		if (!isBusy(cpu))
			return cpu;
	return own;
}

/** The CPU with the fewest tasks, where a new one starts: the lowest number of several. */
export function idlestCpu(): number {
	const load = new Array<number>(nr_cpu_ids.v).fill(0);

	for (let row = 1; row < nr_rows(tasks); row++) {
		const task = row as task_struct;
		if (tasks.table.live[task] && tasks.mm[task] && !(tasks.flags[task] & PF_KTHREAD))
			load[tasks.cpu[task]]!++;
	}
	return load.indexOf(Math.min(...load));
}

/* The other threads of a process exit before its first does. */
function exitThreads(leader: task_struct, code: number): void {
	const cpu = smp_processor_id();

	for (let row = 1; row < nr_rows(tasks); row++) {
		const thread = row as task_struct;
		if (!tasks.table.live[thread] || tasks.group_leader[thread] !== leader)
			continue;
		if (inMiddle(thread))
			throw new WouldBlock('a thread that is in the middle of a statement');
		context_switch(cpuFor(thread), thread);
		do_exit(code);
		release_task(thread);
		resume(leader, cpu);
	}
}

/* Whether the running task could die; the machine is unchanged if it would have to wait. */
function dies(code: number): boolean {
	const task = current();
	/* Its own statement, exit(2), holds nothing. */
	const own = frames.task[depth.v as sim_frame] === task ? 1 : 0;
	const before = depth.v > own ? keep() : undefined;

	try {
		exitThreads(task, code);
		do_exit(code);
	} catch (error) {
		if (!before || !(error instanceof WouldBlock))
			throw error;
		undo(before);
		return false;
	} finally {
		if (before)
			letGo(before);
	}
	release_task(task);
	return true;
}

/**
 * The running task dies, of a signal or by exit(2), and is reaped: every parent ignores SIGCHLD.
 * Its CPU is left to the idle task.
 * @throws BlockedError with the machine unchanged if it waits for a statement that it interrupts
 */
export function exitTask(code: number): void {
	if (!dies(code))
		throw new BlockedError('what the interrupted statement holds, to exit');
}

/** kswapd of every node that was woken runs until it sleeps again, then the flusher. */
export function runKthreads(): void {
	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat))
		if (pgdats.kswapd_wanted[pgdat] === 1)
			kswapd(pgdat);
	wb_workfn();
}

/*
 * exit_to_user_mode_loop() of the running task. A kswapd that was woken preempts it there, since
 * it has slept longer. Says whether the task goes on.
 */
export function returnToUser(): boolean {
	const task = current();

	let_victims_run();
	if (tasks.memcg_nr_pages_over_high[task])
		mem_cgroup_handle_over_high();
	if (depth.v <= 1)
		runKthreads();
	return tasks.sigkill[task] === 0;
}

function preempt(task: task_struct): void {
	VM_BUG_ON(depth.v + 1 >= FRAMES, 'too many statements within statements');
	const cpu = cpuFor(task);
	if (current() !== task || smp_processor_id() !== cpu)
		context_switch(cpu, task);
	frames.task[++depth.v as sim_frame] = task;
}

/* The interrupted statement's task goes on where it was. */
function resume(task: task_struct, cpu: number): void {
	if (current() !== task || smp_processor_id() !== cpu)
		context_switch(cpu, task);
}

/**
 * Let a task do something in kernel or user mode, and return to user mode.
 * @param restartable the body leaves nothing behind when it throws WouldBlock
 * @throws BlockedError with the machine unchanged if it waits for the statement that it interrupts
 * @throws MachineError with SIGKILL if it was killed while it ran; PanicError
 */
export function runStatement<T>(
	task: task_struct, what: string, body: () => T, restartable = false,
): T {
	const nested = depth.v > 0;
	const outer = current(), outerCpu = smp_processor_id();

	if (panicked.v)
		throw new PanicError('it has panicked before');
	if (nested && inMiddle(task))
		throw new BlockedError('itself, in the middle of a statement');
	/*
	 * What it cannot finish, it must not have begun: the kernel's task would sleep with locks
	 * held, ours comes again later.
	 */
	const before = nested && !restartable ? keep() : undefined;
	step();
	try {
		const { result, alive } = inFrame(task, body);
		if (!alive) {
			exitTask(SIGKILL);
			throw new MachineError(what, 0, SIGKILL);
		}
		return result;
	} catch (error) {
		if (error instanceof KernelPanic) {
			panicked.v = 1;
			throw new PanicError(error.message);
		}
		if (!(error instanceof WouldBlock))
			throw error;
		if (before)
			undo(before);
		throw new BlockedError(error.message.replace(/^would sleep for /, ''));
	} finally {
		if (before)
			letGo(before);
		if (nested)
			resume(outer, outerCpu);
		else
			runKthreads();
	}
}

function inFrame<T>(task: task_struct, body: () => T): { result: T; alive: boolean } {
	preempt(task);
	try {
		const result = body();
		return { result, alive: current() !== task || returnToUser() };
	} finally {
		VM_BUG_ON(frames.task[depth.v as sim_frame] !== task,
			'statements end out of order');
		frames.task[depth.v as sim_frame] = 0 as task_struct;
		depth.v--;
	}
}

/* A victim of the OOM killer dies at once, unless it is in the middle of a statement itself. */
function victimRuns(victim: task_struct): boolean {
	const task = current(), cpu = smp_processor_id();

	if (inMiddle(victim) || tasks.state[victim] === EXIT_ZOMBIE)
		return false;
	context_switch(cpuFor(victim), victim);
	const dead = dies(SIGKILL);
	resume(task, cpu);
	return dead;
}
oomHandler.victim_runs = victimRuns;
