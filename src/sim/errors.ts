// SPDX-License-Identifier: GPL-2.0-only
/* How a statement can fail. Bad input is a MachineError; a defect of the emulator a KernelBug. */
import { errno_name } from '../lib/errno.ts';

/* Numbers of the signals that an access can end with. */
const SIGNALS: Readonly<Record<number, string>> = { 7: 'SIGBUS', 9: 'SIGKILL', 11: 'SIGSEGV' };

/** The kernel refused a system call, or a task died of a signal. */
export class MachineError extends Error {
	/** Positive errno; 0 for a signal. */
	readonly errno: number;
	/** Number of the signal that ended the task; 0 for none. */
	readonly signal: number;
	/** The system call or the file, as in `mmap` or `/proc/sys/vm/swappiness`. */
	readonly where: string;
	constructor(where: string, errno: number, signal = 0) {
		const how = signal ? SIGNALS[signal] ?? `signal ${signal}` : errno_name(errno);

		super(`${where}: ${how}`);
		this.name = 'MachineError';
		this.errno = Math.abs(errno);
		this.signal = signal;
		this.where = where;
	}
}

/**
 * A statement at a scheduling point waits for what the interrupted one holds (a page lock, the
 * mmap lock, the task itself), so it did nothing, or only the pages before `done`. Run the rest
 * again when the outer statement has ended.
 */
export class BlockedError extends Error {
	/** Pages of the range that were accessed before; the others were not. */
	readonly done: number;
	constructor(what: string, done = 0) {
		super(`waits for ${what}`);
		this.name = 'BlockedError';
		this.done = done;
	}
}

/** A statement never ends: more steps than MachineOptions.stepBudget, or a livelock. */
export class StepBudgetError extends Error {
	/** @param what a number of steps, or what goes on for ever */
	constructor(what: number | string) {
		super(typeof what === 'number'
			? `more than ${what} steps: a statement does not come to its end` : what);
		this.name = 'StepBudgetError';
	}
}

/** The kernel panicked: the machine does nothing any more. */
export class PanicError extends StepBudgetError {
	constructor(message: string) {
		super(`Kernel panic - not syncing: ${message}`);
		this.name = 'PanicError';
	}
}
