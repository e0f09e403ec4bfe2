// SPDX-License-Identifier: GPL-2.0-only
/* Who the emulator is held against: a real kernel, or the emulator itself as another kernel. */
import type { Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { compare, type Comparison } from './compare.ts';
import { runOurs, type OwnRunOptions } from './ours.ts';
import type { Incomparable, RealRunOptions, RealRuns, SeenRun } from './types.ts';

export interface Judge {
	/** As the user calls it: `5.10`, the path of an image, `v5.10.4`. */
	readonly name: string;
	/** The kernel of ours that is to be the same; undefined: none is known to be. */
	readonly emulated: Kernel | undefined;
	/** Whether it is a real kernel. */
	readonly real: boolean;
	/** What keeps a program from being run, or compared; empty: nothing does. */
	incomparable(program: Program): readonly Incomparable[];
	/**
	 * Run programs, each for itself.
	 * Preconditions: nothing keeps any of them from it.
	 */
	run(programs: readonly Program[], options?: RealRunOptions): Promise<RealRuns>;
}

/** The emulator as a judge: what another kernel of ours does. */
export function emulatedJudge(kernel: Kernel, options: OwnRunOptions = {}): Judge {
	return {
		name: kernel.name, emulated: kernel, real: false,
		incomparable: () => [],
		async run(programs, { onProgress } = {}) {
			const runs = programs.map((program, i) => {
				const run = runOurs(program, kernel, options);
				onProgress?.(i + 1, programs.length);
				return run;
			});
			return { runs, commandLine: [], tools: {} };
		},
	};
}

/** One program, run by both or by neither. */
export type Held =
	| { readonly program: Program; readonly incomparable: readonly Incomparable[] }
	| { readonly program: Program; readonly incomparable?: undefined;
	    readonly theirs: SeenRun; readonly ours: SeenRun; readonly comparison: Comparison };

/**
 * Hold the emulator, as a kernel, against a judge.
 * @returns one for each program, in the order given
 */
export async function hold(
	programs: readonly Program[], judge: Judge, kernel: Kernel, options: RealRunOptions = {},
): Promise<Held[]> {
	const reasons = programs.map((program) => judge.incomparable(program));
	const comparable = programs.filter((_, i) => reasons[i]!.length === 0);
	const { runs } = comparable.length ? await judge.run(comparable, options) : { runs: [] };
	const theirs = new Map(comparable.map((program, i) => [program, runs[i]!]));

	return programs.map((program, i) => {
		const run = theirs.get(program);
		if (!run)
			return { program, incomparable: reasons[i]! };
		const ours = runOurs(program, kernel);
		return { program, theirs: run, ours, comparison: compare(program, run, ours) };
	});
}
