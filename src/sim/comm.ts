// SPDX-License-Identifier: GPL-2.0-only
/* Names of tasks, as /proc/PID/comm has them. */
import { COMM_LEN, tasks, type task_struct } from '../mm/mm_types.ts';
import { find_task_by_vpid } from '../mm/fork.ts';

/** A task's name. */
export function task_comm(task: task_struct): string {
	let name = '';

	for (let i = 0; i < COMM_LEN; i++) {
		const byte = tasks.comm[task * COMM_LEN + i]!;
		if (byte === 0)
			break;
		name += String.fromCharCode(byte);
	}
	return name;
}

/** The name of the task with a PID; as ftrace has it, `<idle>` for 0 and `<...>` for none. */
export function comm_of(pid: number): string {
	if (pid === 0)
		return '<idle>';
	const task = find_task_by_vpid(pid);
	return task ? task_comm(task) : '<...>';
}
