// SPDX-License-Identifier: GPL-2.0-only
/* What a run showed, as words: used by every form of output. */
import { COMMITS } from '../lib/commits.ts';
import type { PageCounts } from '../sim/machine.ts';
import type { Statement } from '../sim/litmus/ast.ts';
import { isFailure, type Observation, type Outcome } from '../sim/litmus/runner.ts';

/** One program run on one kernel. */
export interface Run {
	readonly file: string;
	readonly kernel: string;
	readonly commits: readonly number[];
	readonly statements: readonly Statement[];
	readonly observations: readonly Observation[];
	readonly failed: number;
	/** Full ftrace lines, where they were asked for. */
	readonly traceLines: readonly string[];
	/** How many records fell out of the ring before they could be read. */
	readonly traceLost: number;
	/** Of the state at the end; empty where nobody asked for it. */
	readonly hash: string;
	/** The line that runs it again. */
	readonly reproduce: string;
}

/** Ids of the commits of a run's kernel. */
export function commitIds({ commits }: Pick<Run, 'commits'>): string[] {
	return commits.map((nr) => COMMITS[nr]!.id);
}

/**
 * Counts as key=number: what is there, and what else is not 0. On the LRU is where a page is
 * expected, so `lru` is given only where it is not so.
 */
export function countsText(counts: PageCounts): string {
	const { present, lru, ...rest } = counts;
	const shown = ['swapped', 'active', 'referenced', 'unevictable', 'mlocked', 'swapcache',
		'writeback', 'idle'] as const;

	return [`present=${present}`, ...(lru === present ? [] : [`lru=${lru}`]),
		...shown.flatMap((key) => rest[key] === 0 ? [] : [`${key}=${rest[key]}`])]
		.join(' ');
}

/** key=value of what is not 0; all of it if it was asked for by name. */
export function statText(
	values: readonly (readonly [string, number])[], all: boolean,
): string {
	const shown = values.filter(([, value]) => all || value !== 0);

	return shown.length ? shown.map(([key, value]) => `${key}=${value}`).join(' ') : 'all 0';
}

/* What says nothing, or not the same on another machine: zeros, addresses, writeback's flags. */
const DULL = / (?:\w+=0|page=\w+|pfn=\d+|flags=RECLAIM_WB_[A-Z_|]+)(?= |$)/g;

/**
 * Trace lines for people, without what is dull in them; of equal ones in a row the first, and how
 * many.
 */
export function shortTrace(lines: readonly string[]): string[] {
	const shown: { line: string; count: number }[] = [];

	for (const whole of lines) {
		const line = whole.replace(/^mm_(?:vmscan_)?(\w+):/, '$1').replace(DULL, '');
		const last = shown.at(-1);
		if (last?.line === line)
			last.count++;
		else
			shown.push({ line, count: 1 });
	}
	return shown.map(({ line, count }) => count > 1 ? `${line} (${count} times)` : line);
}

/** What a statement showed in one line; undefined where it is several (a trace, a file). */
export function outcomeText({ statement, outcome, during, killed }: Observation,
	lineOf: (place: number) => number): string | undefined {
	const met = during === undefined ? '' : `met in line ${lineOf(during)}`;
	const dead = killed ? `OOM-killed: ${killed.join(', ')}` : '';
	const text = plainText(statement, outcome);

	if (text === undefined)
		return undefined;
	return [met, text, dead].filter((part) => part).join(met && text ? ': ' : ' ');
}

function plainText(statement: Statement, outcome: Outcome): string | undefined {
	switch (outcome.kind) {
	case 'done': return '';
	case 'skipped': return '-';
	case 'refused': return `${outcome.asked ? '' : 'FAIL '}${outcome.error}` +
		(outcome.asked ? '' : ` (${outcome.where})`);
	case 'endless': return `FAIL ${outcome.message}`;
	case 'show': return outcome.flags?.length
		? `present: ${outcome.flags.join(' ')}` : countsText(outcome.counts);
	case 'cached': return `cached=${outcome.cached}`;
	case 'stat': return statText(outcome.values,
		statement.kind === 'stat' && statement.keys.length > 0);
	case 'expect': return outcome.held ? 'ok' : `FAIL ${outcome.got}`;
	case 'never met': return 'never met';
	case 'lines': return outcome.lines.length === 1 ? outcome.lines[0] : undefined;
	case 'trace': case 'notifiers': case 'cat': return undefined;
	}
}

/** The lines of what showed several. */
export function outcomeLines(outcome: Outcome): readonly string[] {
	switch (outcome.kind) {
	case 'trace': return shortTrace(outcome.lines);
	case 'notifiers': case 'lines': return outcome.lines;
	case 'cat': return outcome.text.replace(/\n$/, '').split('\n');
	default: return [];
	}
}

/** Expectations of a run: how many held, failed, and were not for this kernel. */
export function tally(run: Run): { held: number; failed: number; skipped: number } {
	let held = 0, failed = 0, skipped = 0;

	for (const { statement, outcome } of run.observations) {
		if (isFailure(outcome))
			failed++;
		else if (outcome.kind === 'expect')
			held++;
		else if (outcome.kind === 'skipped' && statement.kind === 'expect')
			skipped++;
	}
	return { held, failed, skipped };
}

const SAFE = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** A word for a shell. */
export function shellWord(word: string): string {
	return SAFE.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** `file:line:column` of an observation. */
export function placeOf(file: string, { statement }: Observation): string {
	return `${file}:${statement.span.line}:${statement.span.column}`;
}

/** What a failure showed instead. */
export function gotText(seen: Observation, lineOf: (place: number) => number): string {
	return (outcomeText(seen, lineOf) ?? '')
		.replace('FAIL ', seen.outcome.kind === 'expect' ? 'got ' : '');
}

/** One line for each failure of a run. */
export function failureLines(run: Run): string[] {
	const lineOf = (place: number) => run.statements[place]!.span.line;

	return run.observations.filter(({ outcome }) => isFailure(outcome)).map((seen) =>
		`${placeOf(run.file, seen)}: ${seen.statement.text}: ` +
		`${gotText(seen, lineOf)}`);
}

/** The trace lines of runs, each kernel's below a comment if there are several. */
export function traceText(runs: readonly Run[], withFile: boolean): string {
	return runs.map(({ file, kernel, traceLines }) =>
		(runs.length > 1 ? `# ${withFile ? `${file} ` : ''}${kernel}\n` : '') +
		traceLines.map((line) => `${line}\n`).join('')).join('');
}
