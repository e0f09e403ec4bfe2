// SPDX-License-Identifier: GPL-2.0-only
/* vmmu oracle run, diff and record: programs on a real kernel, and the emulator held against it. */
import { basename } from 'node:path';
import { compare, failures, seenAt, type Divergence } from '../oracle/compare.ts';
import { hold, type Held, type Judge } from '../oracle/judge.ts';
import { runOurs } from '../oracle/ours.ts';
import { recordingName, writeRecording } from '../oracle/recording.ts';
import type { Incomparable, SeenRun } from '../oracle/types.ts';
import { parseKernel, type Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { parseLitmus } from '../sim/litmus/parser.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { JUDGE_OPTIONS, findJudge, withRealOptions } from './judges.ts';
import { align } from './lcs.ts';
import { complain, print, readInput } from './output.ts';
import { EX_FAILED, EX_OK, readProgram, styleOf } from './programs.ts';
import { json, runsJson } from './report.ts';
import { PLAIN, Table, wrap, type Style } from './table.ts';
import { commitIds, failureLines, shellWord, shortTrace, traceText, type Run } from './text.ts';

/** Where a statement stands, with its text; of a program as a whole its file. */
function placeText({ file, statements }: Program, place: number): string {
	const statement = statements[place];

	return statement ? `${file}:${statement.span.line}:${statement.span.column}: ` +
		`${statement.text}` : file;
}

const lineText = ({ statements }: Program, place: number): string =>
	`line ${statements[place]!.span.line}: ${statements[place]!.text}`;

function expectFiles(command: string, files: readonly string[]): void {
	if (files.length === 0)
		throw new UsageError(
			`${command}: expected a litmus program; vmmu help oracle has examples`);
}

/* -- run -------------------------------------------------------------------------------------- */

/* What a judge's run showed, as a run of the emulator's. */
function runOf(program: Program, seen: SeenRun, judge: Judge, reproduce: string): Run {
	const { file, statements } = program;

	return {
		file, kernel: seen.kernel, commits: judge.emulated?.commits ?? [], statements,
		observations: seen.statements.map(({ trace: _, ...one }) => {
			const statement = statements[one.place]!;
			return { ...one, statement: statement.kind === 'at' ? statement.body
				: statement };
		}),
		failed: failures(seen), reproduce, hash: '', traceLost: 0,
		traceLines: seen.statements.flatMap(({ trace = [] }) => trace),
	};
}

/* Why a run did not come to its end, as a message. */
function endText(program: Program, { kernel, ended }: SeenRun): string | undefined {
	return ended === 'whole' ? undefined
		: `${placeText(program, ended.atPlace)}: the run on ${kernel} ended here: ` +
			ended.reason;
}

/** vmmu oracle run */
export async function oracleRun(words: readonly string[]): Promise<number> {
	const command = 'oracle run';
	const { operands: files, options } = parseArguments(command,
		{ ...JUDGE_OPTIONS, trace: 'flag', json: 'flag' } as const, words);
	const { trace } = options;
	expectFiles(command, files);
	const programs = files.map(readProgram);
	const judge = await findJudge(command, options);
	const style = options.json || trace ? PLAIN : await styleOf();

	/* All is refused before anything runs. */
	for (const program of programs)
		for (const { place, reason } of judge.incomparable(program))
			throw new UsageError(
				`${placeText(program, place)}: cannot run on ${judge.name}: ` +
				`${reason}`);
	const { runs: seen } = await withRealOptions(options,
		(given) => judge.run(programs, given));
	const runs = programs.map((program, i) => runOf(program, seen[i]!, judge,
		`vmmu oracle run ${shellWord(files[i]!)} ${judgeWords(options)}`));
	if (options.json)
		print(runsJson(runs, trace));
	else if (trace)
		print(traceText(runs, files.length > 1));
	else
		print(runs.map((one) => new Table([one], style).text()).join('\n'));
	if (trace && !options.json)
		runs.flatMap(failureLines).forEach((line) => complain(line));
	programs.forEach((program, i) => {
		const text = endText(program, seen[i]!);
		if (text !== undefined)
			complain(`vmmu: ${text}`);
	});
	return runs.some(({ failed }) => failed > 0) ? EX_FAILED : EX_OK;
}

type Given = Parameters<typeof findJudge>[1];

/* The options that name the judge, as words for a shell. */
const judgeWords = (options: Given): string =>
	(['on', 'bzimage', 'modules', 'append'] as const).flatMap((name) =>
		options[name] === undefined ? [] : [`--${name} ${shellWord(options[name])}`])
		.join(' ');

/* -- diff ------------------------------------------------------------------------------------- */

/* The kernel of ours to hold against a judge. */
function ourKernel(command: string, judge: Judge, name: string | undefined): Kernel {
	if (name !== undefined)
		return parseKernel(name);
	if (!judge.emulated)
		throw new UsageError(`${command}: no kernel of the emulator is known to be the ` +
			`same as ${judge.name}; expected one: --kernel v5.10.223`);
	return judge.emulated;
}

type State = 'equal' | 'different' | 'not comparable';
const stateOf = (held: Held): State => held.incomparable ? 'not comparable'
	: held.comparison.different ? 'different' : 'equal';

const STATE_WIDTH = 'not comparable'.length + 2;
const INDENT = 4;
const WIDTH = 100;

const valueText = (value: Divergence['theirs']): string =>
	value === undefined ? 'nothing' : String(value);

/* The lines that show what differs first: what each showed, and the trace around it. */
function divergenceLines(held: Extract<Held, { comparison: unknown }>): string[] {
	const { program, theirs, ours, comparison: { first } } = held;
	const { place, field, theirs: a, ours: b } = first!;
	const width = Math.max(theirs.kernel.length, ours.kernel.length) + 2;
	const side = (name: string, value: Divergence['theirs']): string[] => {
		const [head, ...rest] = wrap(valueText(value), WIDTH - 2 * INDENT - width);
		return [`    ${name.padEnd(width)}${head}`,
			...rest.map((line) => ' '.repeat(INDENT + width) + line)];
	};

	return [...wrap(`${lineText(program, place)}: ${field}`, WIDTH - INDENT),
		...side(theirs.kernel, a), ...side(ours.kernel, b), ...traceAround(held, place)];
}

/* The trace of the statement, or of the last one before it that left any. */
function traceAround(
	{ program, theirs, ours }: Extract<Held, { comparison: unknown }>, place: number,
): string[] {
	for (let at = place; at >= 0; at--) {
		const [a, b] = [theirs, ours].map((run) =>
			shortTrace(seenAt(run, at)?.trace ?? []));
		if (a!.length + b!.length === 0)
			continue;
		return [...wrap(`trace of ${lineText(program, at)}`, WIDTH - INDENT),
			...align(a!, b!).map(({ side, line }) =>
				`    ${['-', ' ', '+'][side + 1]} ${line}`)];
	}
	return [];
}

const reasonText = (program: Program, { place, reason }: Incomparable): string =>
	place < 0 ? reason : `${lineText(program, place)}: ${reason}`;

function diffText(all: readonly Held[], style: Style): string {
	const width = Math.max(...all.map(({ program }) => program.file.length)) + 2;
	const colour = { 'equal': style.green, 'different': style.red,
		'not comparable': style.yellow };
	const count = (state: State) => all.filter((held) => stateOf(held) === state).length;

	const lines = all.flatMap((held) => {
		const state = stateOf(held);
		const head = held.program.file.padEnd(width) +
			colour[state](state) + ' '.repeat(STATE_WIDTH - state.length);
		if (held.incomparable)
			return [head.trimEnd(), ...held.incomparable.flatMap((one) =>
				wrap(reasonText(held.program, one), WIDTH - INDENT))
				.map((line) => `    ${line}`)];
		const { fields, different } = held.comparison;
		return different ? [`${head}${different} of ${fields} fields`,
			...divergenceLines(held).map((line) => `    ${line}`)]
			: [`${head}${fields} fields`];
	});
	return `${lines.join('\n')}\n${all.length} program${all.length === 1 ? '' : 's'}: ` +
		`${count('equal')} equal, ${count('different')} different, ` +
		`${count('not comparable')} not comparable\n`;
}

function heldJson(held: Held): object {
	const { program } = held;
	const line = (place: number) => program.statements[place]?.span.line;

	if (held.incomparable)
		return { file: program.file, state: stateOf(held),
			reasons: held.incomparable.map(({ place, reason }) =>
				({ line: line(place), reason })) };
	const { theirs, ours, comparison: { fields, different, first } } = held;
	const side = (run: SeenRun, value: Divergence['theirs']) => ({
		kernel: run.kernel, value,
		...(first ? { trace: seenAt(run, first.place)?.trace ?? [] } : {}) });
	return { file: program.file, state: stateOf(held), fields, different,
		...(first ? { first: { line: line(first.place),
			text: program.statements[first.place]!.text, field: first.field,
			theirs: side(theirs, first.theirs), ours: side(ours, first.ours) } }
		: { theirs: { kernel: theirs.kernel }, ours: { kernel: ours.kernel } }) };
}

/** vmmu oracle diff */
export async function oracleDiff(words: readonly string[]): Promise<number> {
	const command = 'oracle diff';
	const { operands: files, options } = parseArguments(command,
		{ ...JUDGE_OPTIONS, kernel: 'value', json: 'flag' } as const, words);
	expectFiles(command, files);
	const programs = files.map(readProgram);
	const judge = await findJudge(command, options);
	const kernel = ourKernel(command, judge, options.kernel);
	const style = options.json ? PLAIN : await styleOf();

	const all = await withRealOptions(options,
		(given) => hold(programs, judge, kernel, given));
	const equal = all.every((held) => stateOf(held) !== 'different');
	print(options.json
		? json({ command, passed: equal, on: judge.name, kernel: kernel.name,
			commits: commitIds(kernel), programs: all.map(heldJson) })
		: diffText(all, style));
	return equal ? EX_OK : EX_FAILED;
}

/* -- record ----------------------------------------------------------------------------------- */

const DIR = 'test/oracle/recordings';

/** vmmu oracle record */
export async function oracleRecord(words: readonly string[]): Promise<number> {
	const command = 'oracle record';
	const { operands: files, options } = parseArguments(command,
		{ ...JUDGE_OPTIONS, kernel: 'value', dir: 'value' } as const, words);
	const sources = files.map((file) => file === '-' ? new Uint8Array() : readInput(file));
	const twice = files.find((file, i) =>
		files.findIndex((other) => recordingName(other) === recordingName(file)) !== i);
	if (twice !== undefined || files.includes('-'))
		throw new UsageError(twice === undefined
			? `${command}: -: expected a file, whose name the recording gets`
			: `${command}: two programs are called ${recordingName(twice)}; ` +
				'expected one');
	expectFiles(command, files);
	const programs = sources.map((source, i) => parseLitmus(source, files[i]!));
	const judge = await findJudge(command, options);
	if (!judge.real)
		throw new UsageError(`${command}: --on ${judge.name} is the emulator; ` +
			'expected a real kernel');
	const kernel = ourKernel(command, judge, options.kernel);

	const left = new Map(programs.flatMap((program) => {
		const reasons = judge.incomparable(program);
		return reasons.length ? [[program, reasons] as const] : [];
	}));
	const chosen = programs.filter((program) => !left.has(program));
	const { runs, commandLine, tools } = chosen.length
		? await withRealOptions(options, (given) => judge.run(chosen, given))
		: { runs: [], commandLine: [], tools: {} };
	let failed = 0;
	for (const [program, reasons] of left)
		print(`${program.file}: not recorded: ` +
			`${reasons.map((one) => reasonText(program, one)).join('; ')}\n`);
	chosen.forEach((program, i) => {
		const run = runs[i]!, end = endText(program, run);
		if (end !== undefined) {
			complain(`vmmu: ${end}; not recorded`);
			failed++;
			return;
		}
		const path = writeRecording(options.dir ?? DIR, {
			name: recordingName(program.file), on: basename(judge.name),
			emulated: kernel.name, commandLine, tools, run,
			source: Buffer.from(sources[programs.indexOf(program)]!).toString() });
		const { fields, different } = compare(program, run, runOurs(program, kernel));
		print(`${path}: ${different ? `${kernel.name} differs in ${different} of`
			: `${kernel.name} is equal in`} ${fields} fields\n`);
	});
	return failed ? EX_FAILED : EX_OK;
}
