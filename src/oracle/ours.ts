// SPDX-License-Identifier: GPL-2.0-only
/* The emulator's own run of a program, in the form that runs on real kernels have. */
import { hash } from '../lib/snapshot.ts';
import { eventPart } from '../sim/ftrace.ts';
import { InvariantError } from '../sim/invariants.ts';
import type { Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { Runner, StatementBug, isAsking, runProgram, type Observation }
	from '../sim/litmus/runner.ts';
import { Bytes } from './bytes.ts';
import type { SeenEnd, SeenRun, SeenStatement } from './types.ts';

export interface OwnRunOptions {
	/**
	 * Hold the machine's invariants after every statement but those that only look, and that no
	 * byte is lost; at the end read all back, and run again, to the same state.
	 */
	readonly invariants?: boolean;
	/** Statements and page accesses until the run is given up, as MachineOptions has it. */
	readonly stepBudget?: number;
}

const seen = (
	{ place, outcome, during, killed }: Observation, trace: readonly string[],
): SeenStatement => ({
	place, outcome, ...(during === undefined ? {} : { during }), ...(killed ? { killed } : {}),
	...(trace.length ? { trace } : {}),
});

/* Run the next statement: what was seen, the trace with the statement itself. */
function step(runner: Runner): SeenStatement[] {
	const { place, machine, observations } = runner;
	const mark = machine.traceMark(), before = observations.length;

	runner.step();
	const trace = machine.traceLines(mark).map(eventPart);
	return observations.slice(before).map((one) =>
		seen(one, one.place === place && one.during === undefined ? trace : []));
}

/**
 * Run a program on the emulator. A defect of it (an assertion of a port, an invariant that does not
 * hold) ends the run, with what is wrong as the reason.
 */
export function runOurs(program: Program, kernel: Kernel, options: OwnRunOptions = {}): SeenRun {
	const { invariants = false, stepBudget } = options;
	const runner = new Runner(program, kernel, stepBudget === undefined ? {} : { stepBudget });
	const bytes = invariants ? new Bytes(runner) : undefined;
	const statements: SeenStatement[] = [];
	let ended: SeenEnd = 'whole';

	while (!runner.done && ended === 'whole') {
		const { place } = runner, before = runner.observations.length;
		try {
			statements.push(...step(runner));
			if (invariants && !isAsking(program.statements[place]!))
				runner.machine.checkInvariants();
			bytes?.check(runner.observations.slice(before));
			if (bytes && runner.done)
				endOf(program, kernel, options, bytes);
		} catch (error) {
			ended = { atPlace: place, reason: defect(error) };
		}
	}
	const last = statements.at(-1)?.outcome;
	if (last?.kind === 'endless')
		ended = { atPlace: statements.at(-1)!.place, reason: last.message };
	return { kernel: kernel.name, statements, ended };
}

/* Read all back; then run the program once more. */
function endOf(
	program: Program, kernel: Kernel, { stepBudget }: OwnRunOptions, bytes: Bytes,
): void {
	const first = hash();

	bytes.readBack();
	runProgram(program, kernel, stepBudget === undefined ? {} : { stepBudget });
	if (hash() !== first)
		throw new InvariantError('determinism', 'a second run ends in another state');
}

function defect(error: unknown): string {
	const { name, message } = error as Error;

	return `defect of vmmu: ${error instanceof StatementBug ? '' : `${name}: `}${message}`;
}
