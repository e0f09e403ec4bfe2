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

/* kvm_run.exit_reason that a guest can end with. */
const KVM_EXITS: Readonly<Record<number, string>> = { 6: 'KVM_EXIT_MMIO', 8: 'KVM_EXIT_SHUTDOWN',
	10: 'KVM_EXIT_INTR', 17: 'KVM_EXIT_INTERNAL_ERROR' };

/** A guest that came back to user space before its program's end. */
export class GuestExit extends MachineError {
	/** kvm_run.exit_reason */
	readonly exit: number;
	constructor(where: string, exit: number) {
		super(where, 0, 0);
		this.message = `${where}: ${KVM_EXITS[exit] ?? `exit ${exit}`}`;
		this.name = 'GuestExit';
		this.exit = exit;
	}
}

const SIGNAL = 1000, GUEST_EXIT = 2000;

/** How a statement ended as a number: an errno, 1000 and a signal, 2000 and an exit reason. */
export function outcomeCode(error: MachineError): number {
	if (error instanceof GuestExit)
		return GUEST_EXIT + error.exit;
	return error.signal ? SIGNAL + error.signal : error.errno;
}

/** The name of an outcomeCode(); of 0, OK. */
export function outcomeName(code: number): string {
	if (code === 0)
		return 'OK';
	if (code >= GUEST_EXIT)
		return KVM_EXITS[code - GUEST_EXIT] ?? `exit ${code - GUEST_EXIT}`;
	return code >= SIGNAL ? SIGNALS[code - SIGNAL] ?? `signal ${code - SIGNAL}`
		: errno_name(code);
}

/**
 * A statement at a scheduling point waits for what the interrupted one holds (a page lock, the
 * mmap lock, the task itself), so it did nothing, or only the pages before `done`. Run the rest
 * again when the outer statement has ended.
 */
export class BlockedError extends Error {
	/** Pages of the range that were accessed before; the others were not. */
	readonly done: number;
	readonly #what: string;
	constructor(what: string, done = 0) {
		super(`waits for ${what}`);
		this.name = 'BlockedError';
		this.done = done;
		this.#what = what;
	}

	/** The same of an access that has done so many pages. */
	after(done: number): BlockedError {
		return new BlockedError(this.#what, done);
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
