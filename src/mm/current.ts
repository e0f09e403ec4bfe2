// SPDX-License-Identifier: GPL-2.0-only
/* include/asm/current.h, smp.h: the running task and CPU. */
import { global_s32 } from '../lib/struct.ts';
import { trace_cpu, trace_pid } from '../lib/trace.ts';
import { tasks, type task_struct } from './mm_types.ts';

const current_row = global_s32('current');
/** CPUs of the machine, 1..NR_CPUS; all online. */
export const nr_cpu_ids = global_s32('nr_cpu_ids');

/** The running task; NULL (0) only while booting. @ported v5.10 include/asm/current.h */
export function current(): task_struct {
	return current_row.v as task_struct;
}

/**
 * Make `task` the running one. Its address space is switched by context_switch().
 * @custom the write of current_task in __switch_to()
 */
export function set_current(task: task_struct): void {
	current_row.v = task;
	trace_pid.v = tasks.pid[task];
}

/** @ported v5.10 include/linux/smp.h */
export function smp_processor_id(): number {
	return trace_cpu.v;
}

/** @custom which CPU goes on is decided by the sim, there are no threads */
export function set_smp_processor_id(cpu: number): void {
	trace_cpu.v = cpu;
}
