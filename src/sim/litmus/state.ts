// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a running litmus program knows: the place in it, and what its names stand for. It lies in
 * the arena, so a snapshot and the program's text are all that is needed to go on.
 */
import { VM_BUG_ON } from '../../lib/bug.ts';
import { f64, global_f64, global_s32, s32, struct, use_rows, u8, type ptr }
	from '../../lib/struct.ts';
import { SLOTS_MAX } from './ast.ts';

/** A slot number of the parser is the row less one. */
type litmus_task = ptr<'litmus_task'>;
type litmus_mapping = ptr<'litmus_mapping'>;
type litmus_memfd = ptr<'litmus_memfd'>;
type litmus_hook = ptr<'litmus_hook'>;

const ROWS = SLOTS_MAX + 1;

const litmus_tasks = struct<litmus_task>()('litmus_task', ROWS, { pid: s32 });
const litmus_mappings = struct<litmus_mapping>()('litmus_mapping', ROWS, {
	pid: s32, start: f64, pages: f64 });
const litmus_memfds = struct<litmus_memfd>()('litmus_memfd', ROWS, {
	/* descriptor of init, plus 1 */
	fd: s32,
});
const litmus_hooks = struct<litmus_hook>()('litmus_hook', ROWS, {
	/* place of its `at` statement, plus 1 */
	statement: s32,
	/* 1 armed, 2 met and waiting for the end of the statement that it interrupted */
	state: u8,
	/* pages of its body's range that were accessed before it had to wait */
	done: s32,
});
/** Hooks that wait, in the order in which they were met; element 0 is how many. */
const litmus_waiting = struct<ptr<'litmus_waiting'>>()('litmus_waiting', ROWS + 1, { hook: s32 });

/** The next statement to run. */
export const nextStatement = global_s32('litmus.next_statement');
/** Hash of the program that runs, so that a snapshot is not resumed with another; 0: none. */
export const programHash = global_f64('litmus.program_hash');
/** Expectations that did not hold so far, and refusals that nobody expected. */
export const failed = global_s32('litmus.failed');
/** Trace records written when `trace` last asked. */
export const traceAsked = global_f64('litmus.trace_asked');
/** Trace records written before the last statement that wrote any. */
export const traceBegan = global_f64('litmus.trace_began');
/** Pages that were looked at so far by `show` and `expect`. */
export const observedPages = global_f64('litmus.observed_pages');
/** How the last statement ended: 0, an errno, or 1000 + a signal. */
export const lastErrno = global_s32('litmus.last_errno');

export const HOOK_IDLE = 0, HOOK_ARMED = 1, HOOK_WAITING = 2;

/** Room for the slots of a program; once, before its first statement. */
export function useSlots(
	slots: { tasks: number; mappings: number; memfds: number; hooks: number },
): void {
	use_rows(litmus_tasks, slots.tasks + 1);
	use_rows(litmus_mappings, slots.mappings + 1);
	use_rows(litmus_memfds, slots.memfds + 1);
	use_rows(litmus_hooks, slots.hooks + 1);
	use_rows(litmus_waiting, slots.hooks + 2);
}

/** PID of a task, 0 while it is not started or after it is gone. */
export function taskPid(slot: number): number {
	return litmus_tasks.pid[slot + 1 as litmus_task];
}
export function setTaskPid(slot: number, pid: number): void {
	litmus_tasks.pid[slot + 1 as litmus_task] = pid;
}

export interface MappingState {
	readonly pid: number;
	readonly start: number;
	readonly pages: number;
}
export function mapping(slot: number): MappingState {
	const row = slot + 1 as litmus_mapping;
	const { pid, start, pages } = litmus_mappings;

	return { pid: pid[row], start: start[row], pages: pages[row] };
}
export function setMapping(slot: number, { pid, start, pages }: MappingState): void {
	const row = slot + 1 as litmus_mapping;

	litmus_mappings.pid[row] = pid;
	litmus_mappings.start[row] = start;
	litmus_mappings.pages[row] = pages;
}

/** File descriptor of a memfd in init, plus 1; 0 while it is not open. */
export function memfdFd(slot: number): number {
	return litmus_memfds.fd[slot + 1 as litmus_memfd];
}
export function setMemfdFd(slot: number, fd: number): void {
	litmus_memfds.fd[slot + 1 as litmus_memfd] = fd;
}

/** Arm a hook whose `at` is statement number `statement`. */
export function armHook(slot: number, statement: number): void {
	const row = slot + 1 as litmus_hook;

	litmus_hooks.statement[row] = statement + 1;
	litmus_hooks.state[row] = HOOK_ARMED;
}
export function hookState(slot: number): number {
	return litmus_hooks.state[slot + 1 as litmus_hook];
}
/**
 * The hook was met: it runs now, or waits in line.
 * @param done pages of its range that it has accessed already
 */
export function disarmHook(slot: number, waits: boolean, done: number): void {
	const row = slot + 1 as litmus_hook;

	litmus_hooks.state[row] = waits ? HOOK_WAITING : HOOK_IDLE;
	litmus_hooks.done[row] = done;
	if (!waits)
		return;
	const line = litmus_waiting.hook;
	const place = ++line[0 as ptr<'litmus_waiting'>];
	line[place as ptr<'litmus_waiting'>] = slot;
}
/** Take the hook that waits longest out of the line. */
export function nextWaiting(): { slot: number; done: number } | undefined {
	const line = litmus_waiting.hook;
	const row = (n: number) => n as ptr<'litmus_waiting'>;
	const count = line[row(0)];

	if (!count)
		return undefined;
	const slot = line[row(1)];
	for (let i = 1; i < count; i++)
		line[row(i)] = line[row(i + 1)];
	line[row(count)] = 0;
	line[row(0)] = count - 1;
	VM_BUG_ON(hookState(slot) !== HOOK_WAITING, 'a hook waits in line but is not waiting');
	const hook = slot + 1 as litmus_hook;
	const done = litmus_hooks.done[hook];
	litmus_hooks.state[hook] = HOOK_IDLE;
	litmus_hooks.done[hook] = 0;
	return { slot, done };
}
