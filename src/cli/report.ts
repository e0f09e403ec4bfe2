// SPDX-License-Identifier: GPL-2.0-only
/* The forms of output for programs: JSON and KTAP (Documentation/dev-tools/ktap.rst). */
import { isFailure, type Observation } from '../sim/litmus/runner.ts';
import { commitIds, failureLines, gotText, tally, type Run } from './text.ts';

/** Version of the JSON; it grows when a reader of the old one could go wrong. */
const JSON_SCHEMA = 1;

/** What a command says, as JSON. */
export function json(said: object): string {
	return `${JSON.stringify({ schema: JSON_SCHEMA, ...said }, undefined, '\t')}\n`;
}

/* A statement and what it showed. */
function statementJson(
	run: Run, { statement, outcome, during, killed, place }: Observation,
): object {
	const at = run.statements[place]!.span;

	return {
		line: at.line, column: statement.span.column, text: statement.text,
		kind: statement.kind,
		...(statement.task === undefined ? {} : { task: statement.task }),
		outcome,
		...(during === undefined ? {} : { metInLine: run.statements[during]!.span.line }),
		...(killed ? { killed } : {}),
	};
}

/** The runs as JSON. */
export function runsJson(runs: readonly Run[], withTrace: boolean): string {
	return json({
		command: 'run',
		passed: runs.every(({ failed }) => failed === 0),
		runs: runs.map((run) => ({
			file: run.file, kernel: run.kernel, commits: commitIds(run),
			passed: run.failed === 0, expectations: tally(run),
			reproduce: run.reproduce,
			hash: run.hash,
			statements: run.observations.map((seen) => statementJson(run, seen)),
			...(withTrace ? { trace: run.traceLines, traceLost: run.traceLost } : {}),
		})),
	});
}

/* `#` begins a directive. */
const description = (text: string): string => text.replaceAll('#', '\\#');

function ktapRun(run: Run, number: number): string {
	const lineOf = (place: number) => run.statements[place]!.span.line;
	const checks = run.observations.filter(({ statement, outcome }) =>
		isFailure(outcome) || statement.kind === 'expect');
	const failures = failureLines(run);
	const lines = ['    KTAP version 1', `    1..${checks.length}`];

	checks.forEach((seen, i) => {
		const { statement, outcome } = seen;
		const failed = isFailure(outcome);
		const skip = outcome.kind === 'skipped' ? ' # SKIP not for this kernel' : '';
		if (failed)
			lines.push(`    # ${description(gotText(seen, lineOf))}`);
		lines.push(`    ${failed ? 'not ok' : 'ok'} ${i + 1} line ${lineOf(seen.place)}: ` +
			`${description(statement.text)}${skip}`);
	});
	if (failures.length)
		lines.push(`# ${run.reproduce}`);
	/* A plan of no tests would be an error. */
	const shown = checks.length ? lines : lines.slice(2);
	return [...shown, `${run.failed ? 'not ok' : 'ok'} ${number} ` +
		`${description(`${run.file} ${run.kernel}`)}`].join('\n');
}

/** The runs as KTAP: a test for each program and kernel, its expectations below it. */
export function runsKtap(runs: readonly Run[]): string {
	return ['KTAP version 1', `1..${runs.length}`,
		...runs.map((run, i) => ktapRun(run, i + 1)), ''].join('\n');
}
