// SPDX-License-Identifier: GPL-2.0-only
/* Programs by kernels: what a matrix is made of. Plain values, which can go to another process. */
import { parseKernel } from '../sim/kernels.ts';
import { outcomeOf } from '../sim/bisect.ts';
import { parseLitmus } from '../sim/litmus/parser.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { isFailure, runProgram, type Observation } from '../sim/litmus/runner.ts';
import { failureLines, outcomeLines, outcomeText, tally, type Run } from './text.ts';

export interface Job {
	readonly programs: readonly { readonly file: string; readonly text: string }[];
	readonly kernels: readonly string[];
}

/** A program on a kernel. */
export interface Cell {
	readonly file: string;
	readonly kernel: string;
	/** Expectations that held, failed, and were not for this kernel. */
	readonly held: number;
	readonly failed: number;
	readonly skipped: number;
	readonly failures: readonly string[];
	/** What it showed: equal texts, equal outcomes. */
	readonly outcome: string;
	/** What each statement without a guard showed, by its line: for saying what changed. */
	readonly shown: readonly { readonly line: number; readonly text: string;
		readonly got: string }[];
	/** It did not come to its end: an exception, with where. */
	readonly broken?: string;
	/** Stack of the exception, in the places of the bundle. */
	readonly stack?: string;
}

/** What statements without a guard showed, and which refused or failed, by their lines. */
export function shownBy({ statements }: Program, observations: readonly Observation[]):
	Cell['shown'] {
	const lineOf = (place: number) => statements[place]!.span.line;

	return observations.flatMap((seen) => {
		const { statement, outcome, place } = seen;
		if (statement.guards.length || outcome.kind === 'done' ||
		    outcome.kind === 'expect' && !isFailure(outcome))
			return [];
		const got = outcomeText(seen, lineOf) ?? outcomeLines(outcome).join('\n');
		return [{ line: lineOf(place), text: statement.text, got }];
	});
}

/** A statement that showed something else, in one line or with how many lines it had. */
export interface Change {
	readonly line: number;
	readonly text: string;
	readonly before: string;
	readonly after: string;
}

/** Where two runs of a program showed something else. */
export function changesBetween(before: Cell['shown'], after: Cell['shown']): Change[] {
	/* a statement in a hook can be met again: its line, and the how manieth */
	const keyed = (shown: Cell['shown']): Map<string, Cell['shown'][number]> => {
		const seen = new Map<number, number>();
		return new Map(shown.map((one) => {
			const nr = seen.get(one.line) ?? 0;
			seen.set(one.line, nr + 1);
			return [`${one.line} ${nr}`, one];
		}));
	};
	const one = keyed(before), other = keyed(after);

	return [...new Set([...one.keys(), ...other.keys()])].flatMap((key): Change[] => {
		const { line, text } = (one.get(key) ?? other.get(key))!;
		/* what acts shows something only where it fails */
		const [was, is] = [one.get(key)?.got ?? NO_ERROR, other.get(key)?.got ?? NO_ERROR];
		return was === is ? [] : [{ line, text, before: was, after: is }];
	}).sort((a, b) => a.line - b.line);
}
const NO_ERROR = 'no error';

function runCell(file: string, text: string, kernelName: string): Cell {
	const program = parseLitmus(new TextEncoder().encode(text), file);
	const kernel = parseKernel(kernelName);
	const none = { file, kernel: kernelName, held: 0, failed: 1, skipped: 0, failures: [],
		outcome: '', shown: [] };

	try {
		const { observations, failed } = runProgram(program, kernel);
		const run: Run = { file, kernel: kernelName, commits: kernel.commits,
			statements: program.statements, observations, failed,
			reproduce: '', traceLines: [], traceLost: 0, hash: '' };
		const { held, skipped } = tally(run);
		return { file, kernel: kernelName, held, failed, skipped,
			failures: failureLines(run), outcome: outcomeOf(observations),
			shown: shownBy(program, observations) };
	} catch (error) {
		const cause = (error as Error).cause as Error | undefined;
		return { ...none, broken: (error as Error).message,
			stack: cause?.stack ?? (error as Error).stack ?? '' };
	}
}

/** Run all programs on all kernels, the kernels of a program together. */
export function runJob({ programs, kernels }: Job): Cell[] {
	return programs.flatMap(({ file, text }) =>
		kernels.map((kernel) => runCell(file, text, kernel)));
}
