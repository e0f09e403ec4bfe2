// SPDX-License-Identifier: GPL-2.0-only
/* What can go wrong around a real kernel, and what is undone when it does. */

/**
 * What went wrong is outside of the emulator:
 *	usage	the command line, or a file that the user named
 *	missing	a tool or a kernel is not there; the message says how to get it
 *	failed	something was tried and did not succeed
 */
export type FaultKind = 'usage' | 'missing' | 'failed';

/** Something around a real kernel went wrong: which, what was kept, what to do. */
export class OracleError extends Error {
	readonly kind: FaultKind;

	constructor(kind: FaultKind, message: string, options?: ErrorOptions) {
		super(message, options);
		this.name = 'OracleError';
		this.kind = kind;
	}
}

/** The code of a failed system call (`ENOSPC`), or ''. */
export const codeOf = (error: unknown): string =>
	(error as NodeJS.ErrnoException | undefined)?.code ?? '';

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string =>
	error instanceof Error ? error.message : String(error);

/* -- What is undone at the end ---------------------------------------------------------------- */

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const pending = new Set<() => void>();

function undoAll(): void {
	/* What was done last is undone first. */
	for (const undo of [...pending].toReversed()) {
		pending.delete(undo);
		try {
			undo();
		} catch {
			/* The others still have their turn. */
		}
	}
}

/* The default action of the signal then ends the process. */
function onSignal(signal: NodeJS.Signals): void {
	undoAll();
	stopListening();
	process.kill(process.pid, signal);
}

function stopListening(): void {
	process.off('exit', undoAll);
	for (const signal of SIGNALS)
		process.off(signal, onSignal);
}

/**
 * Have something undone should the process end before it is done: by its end, an exception that
 * nobody catches, Ctrl-C, SIGTERM or SIGHUP.
 * @param undo synchronous
 * @returns call it when there is nothing to undo any more
 */
export function undoAtExit(undo: () => void): () => void {
	if (pending.size === 0) {
		process.on('exit', undoAll);
		for (const signal of SIGNALS)
			process.on(signal, onSignal);
	}
	pending.add(undo);
	return () => {
		if (pending.delete(undo) && pending.size === 0)
			stopListening();
	};
}
