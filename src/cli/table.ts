// SPDX-License-Identifier: GPL-2.0-only
/*
 * The form of output for people: one row for each statement that showed something, one column for
 * each kernel, what differs from the first kernel marked with a `!`. ASCII, 100 columns.
 */
import { failureLines, outcomeLines, outcomeText, tally, type Run } from './text.ts';
import { align } from './lcs.ts';
import { isAsking, type Observation } from '../sim/litmus/runner.ts';

const WIDTH = 100;
const NUMBER_WIDTH = 5;
/* Of what is left, how much the statement takes, by how many columns of kernels. */
const TEXT_WIDTH = [0, 46, 34, 25];
const GAP = 2;
/** More kernels than this have no room beside each other. */
const COLUMNS_MAX = 3;

/** How text is set off on a terminal. */
export interface Style {
	bold(text: string): string;
	dim(text: string): string;
	red(text: string): string;
	green(text: string): string;
	yellow(text: string): string;
}
const same = (text: string): string => text;
export const PLAIN: Style = { bold: same, dim: same, red: same, green: same, yellow: same };

/** Break text at blanks into lines of at most `width`; a longer word is broken where it must. */
export function wrap(text: string, width: number): string[] {
	const lines: string[] = [];
	let line = '';

	for (const word of text.split(' ')) {
		if (line && line.length + 1 + word.length > width) {
			lines.push(line);
			line = '';
		}
		line = line ? `${line} ${word}` : word;
		for (; line.length > width; line = line.slice(width))
			lines.push(line.slice(0, width));
	}
	lines.push(line);
	return lines;
}

/* The number of a line, in its place. */
const numbered = (number: string): string =>
	number.padStart(NUMBER_WIDTH - 2).padEnd(NUMBER_WIDTH);

/* What a statement showed under each kernel. */
interface Row {
	readonly number: number;
	readonly text: string;
	readonly seen: readonly (Observation | undefined)[];
}

const isWorthARow = (observation: Observation): boolean => {
	const { statement, outcome, killed, during } = observation;

	return isAsking(statement) || outcome.kind === 'lines' || outcome.kind === 'refused' ||
		outcome.kind === 'endless' ||
		during !== undefined || killed !== undefined;
};

function rowsOf(runs: readonly Run[]): Row[] {
	const { statements } = runs[0]!;
	const byPlace = runs.map(({ observations }) => {
		const places = new Map<number, Observation>();
		for (const observation of observations)
			places.set(observation.place, observation);
		return places;
	});

	return statements.flatMap((statement, place): Row[] => {
		const seen = byPlace.map((places) => places.get(place));
		return seen.some((one) => one && isWorthARow(one))
			? [{ number: statement.span.line, text: statement.text, seen }] : [];
	});
}

/* Whose something is that differs. */
const label = (kernels: readonly number[]): string => `! [${kernels.join(',')}]`;

interface Group { readonly lines: readonly string[]; readonly kernels: number[] }

/* The kernels that agree, together. */
function groups(cells: readonly (readonly string[])[]): Group[] {
	const found: Group[] = [];

	cells.forEach((lines, i) => {
		const group = found.find((one) => one.lines.length === lines.length &&
			one.lines.every((line, n) => line === lines[n]));
		if (group)
			group.kernels.push(i + 1);
		else
			found.push({ lines, kernels: [i + 1] });
	});
	return found;
}

/** Sets runs of one program beside each other. */
export class Table {
	readonly #runs: readonly Run[];
	readonly #style: Style;
	readonly #beside: boolean;
	readonly #textWidth: number;
	readonly #cellWidth: number;
	#out = '';

	/** @param runs of one program, one for each kernel */
	constructor(runs: readonly Run[], style: Style) {
		this.#runs = runs;
		this.#style = style;
		this.#beside = runs.length <= COLUMNS_MAX;
		const columns = this.#beside ? runs.length : 1;
		this.#textWidth = TEXT_WIDTH[columns]!;
		this.#cellWidth = Math.floor(
			(WIDTH - NUMBER_WIDTH - this.#textWidth) / columns) - GAP;
	}

	text(): string {
		const [{ file }] = this.#runs as [Run];
		const rows = rowsOf(this.#runs);

		this.#line(this.#style.bold(file));
		this.#heading();
		for (const row of rows)
			this.#row(row);
		if (!this.#runs.some(({ observations }) =>
			observations.some(({ statement }) => isAsking(statement))))
			this.#line(`${numbered('')}${this.#runs[0]!.statements.length} ` +
				'statements ran; none asked for anything (show, stat, expect ...)');
		this.#sums();
		for (const run of this.#runs) {
			const failures = failureLines(run);
			if (failures.length === 0)
				continue;
			this.#line('');
			for (const failure of failures)
				this.#line(this.#style.red(`FAIL ${failure}`));
			this.#line(`run it again: ${run.reproduce}`);
		}
		return this.#out;
	}

	#line(text: string): void {
		this.#out += `${text.trimEnd()}\n`;
	}

	#heading(): void {
		const names = this.#runs.map(({ kernel }) => kernel);
		/* A long name goes on before a commit. */
		const heading = (name: string, i: number): string[] =>
			wrap((names.length > 1 ? `[${i + 1}] ` : '') +
				name.replace(/(?=[+-])/g, ' '), this.#cellWidth)
				.map((part) => part.replace(/ (?=[+-])/g, ''));

		if (this.#beside)
			this.#cells('', '', names.map(heading), this.#style.bold, false);
		else
			names.forEach((name, i) => this.#line(
				`${`[${i + 1}]`.padStart(NUMBER_WIDTH - 1)} ` +
				`${this.#style.bold(name)}`));
	}

	/* One row of the table: a number, a text, and a cell of lines for each column. */
	#cells(
		number: string, text: string, cells: readonly (readonly string[])[],
		style: (text: string) => string, mark = true,
	): void {
		const left = wrap(text, this.#textWidth - GAP);
		const first = cells.find((lines) => lines[0] !== '-');
		/* A guard is no difference in what happened. */
		const differs = cells.map((lines) => mark && lines[0] !== '-' &&
			lines.join('\n') !== first?.join('\n'));
		const height = Math.max(left.length, ...cells.map((lines) => lines.length));

		for (let i = 0; i < height; i++) {
			const head = numbered(i === 0 ? number : '') +
				(i === 0 ? left[0]! : `  ${left[i] ?? ''}`).padEnd(this.#textWidth);
			this.#line(cells.reduce((line, lines, k) => {
				const part = lines[i] ?? '';
				const marker = differs[k] && i === 0 ? this.#style.yellow('! ')
					: '  ';
				return line + marker + (part && this.#coloured(part, style)) +
					' '.repeat(this.#cellWidth - part.length);
			}, head));
		}
	}

	#coloured(part: string, style: (text: string) => string): string {
		if (part.startsWith('FAIL'))
			return this.#style.red(part);
		if (part === 'ok')
			return this.#style.green(part);
		return part === '-' ? this.#style.dim(part) : style(part);
	}

	#row({ number, text, seen }: Row): void {
		const lineOf = (place: number) => this.#runs[0]!.statements[place]!.span.line;
		const short = seen.map((one) => one ? outcomeText(one, lineOf) : '');

		if (short.includes(undefined)) {
			this.#long(number, text, seen, short);
			return;
		}
		const cells = short.map((one) => one!);
		if (this.#beside) {
			this.#cells(
				String(number), text,
				cells.map((one) => wrap(one, this.#cellWidth)), same);
			return;
		}
		const found = groups(cells.map((one) => [one]));
		const lines = found.flatMap(({ lines: [one], kernels }, i) => wrap(
			found.length === 1 ? one! : `${i ? '! ' : ''}[${kernels.join(',')}] ${one}`,
			this.#cellWidth));
		this.#cells(String(number), text, [lines], same, false);
	}

	/* What showed several lines is set below; a number in brackets says whose a line is. */
	#long(
		number: number, text: string, seen: readonly (Observation | undefined)[],
		short: readonly (string | undefined)[],
	): void {
		const cells = seen.map((one, i) => short[i] === undefined
			? outcomeLines(one!.outcome)
			: [short[i]!]);
		const found = groups(cells);
		const several = found.length > 1;
		const width = several
			? Math.max(...found.map(({ kernels }) => label(kernels).length)) + 1 : GAP;

		this.#line(numbered(String(number)) + text +
			(found.every(({ lines }) => lines.length === 0) ? ': nothing' : ''));
		if (found.length === 2) {
			const [a, b] = found as [Group, Group];
			for (const { side, line } of align(a.lines, b.lines))
				this.#entry([a.kernels, [], b.kernels][side + 1]!, line, width);
			return;
		}
		for (const { lines, kernels } of found)
			for (const line of lines)
				this.#entry(several ? kernels : [], line, width);
	}

	#entry(kernels: readonly number[], line: string, width: number): void {
		const indent = NUMBER_WIDTH + width;
		const [first, ...rest] = wrap(line, WIDTH - indent - GAP);

		this.#line(numbered('') +
			(kernels.length ? this.#style.yellow(label(kernels).padEnd(width))
				: ' '.repeat(width)) + first!);
		for (const part of rest)
			this.#line(' '.repeat(indent + GAP) + part);
	}

	#sums(): void {
		const sums = this.#runs.map((run) => {
			const { held, failed } = tally(run);
			const checks = held + failed;
			if (checks === 0)
				return '';
			return failed ? `FAIL ${failed} of ${checks}` : `ok (${checks})`;
		});

		if (sums.every((sum) => sum === ''))
			return;
		if (this.#beside)
			this.#cells('', 'result', sums.map((sum) => [sum]), same, false);
		else
			sums.forEach((sum, i) => this.#line(
				`${`[${i + 1}]`.padStart(NUMBER_WIDTH - 1)} ` +
				`${this.#coloured(sum, same)}`));
	}
}
