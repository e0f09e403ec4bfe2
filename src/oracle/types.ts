// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a run of a program showed, on the emulator or on a real kernel, in one form: plain JSON, so
 * that the two can be compared, recorded and read back.
 */
import type { Outcome } from '../sim/litmus/runner.ts';

/** What one statement showed. */
export interface SeenStatement {
	/** Its place in Program.statements; of a hook's body, the place of its `at`. */
	readonly place: number;
	readonly outcome: Outcome;
	/** Of a hook's body: the place of the statement in whose middle it ran, or after which. */
	readonly during?: number;
	/** Names of the program's tasks that the OOM killer killed meanwhile; never empty. */
	readonly killed?: readonly string[];
	/** Lines that came to the trace while it ran, from the event's name on; never empty. */
	readonly trace?: readonly string[];
}

/** How far a run came. */
export type SeenEnd =
	/** To the last statement. */
	| 'whole'
	/** The statement with this place did not come to its end, or what it showed is lost. */
	| { readonly atPlace: number; readonly reason: string };

/** What a run showed: an entry for each statement that ran, in order. */
export interface SeenRun {
	/** `v5.10.223` of ours; of a real kernel what `uname -r` says. */
	readonly kernel: string;
	readonly statements: readonly SeenStatement[];
	readonly ended: SeenEnd;
}

/** How a real kernel is run. */
export interface RealRunOptions {
	/** More words for the kernel's command line. */
	readonly append?: string;
	/** CPUs of the machine, 1 to 32; with more than 1 a run is not determined. Default 1. */
	readonly cpus?: number;
	/** Milliseconds until a boot that has not ended is given up. */
	readonly timeoutMs?: number;
	/** Called as programs are done, with how many of them are. */
	readonly onProgress?: (done: number, all: number) => void;
}

/** What programs showed on a real kernel. */
export interface RealRuns {
	/** One for each program, in the order given. */
	readonly runs: readonly SeenRun[];
	/** QEMU's command line; files by name, without their folders. */
	readonly commandLine: readonly string[];
	/** Versions of the tools by name: qemu, gcc. */
	readonly tools: Readonly<Record<string, string>>;
}

/** Why a program cannot run, or not be compared, on a real kernel. */
export interface Incomparable {
	/** Place of the statement that has no meaning there; -1: of the program as a whole. */
	readonly place: number;
	/** `at is the emulator's alone` */
	readonly reason: string;
}
