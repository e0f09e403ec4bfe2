// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every program of test/litmus, under every kernel that its guards tell apart: its expectations
 * hold, the machine's invariants hold after each statement, to look changes nothing, and a
 * snapshot taken after any statement goes on in the same way, here and in another process.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMITS } from '../src/lib/commits.ts';
import { diff } from '../src/lib/snapshot.ts';
import { kernelHas, parseKernel, type Kernel } from '../src/sim/kernels.ts';
import type { Program, Statement } from '../src/sim/litmus/ast.ts';
import { parseLitmus } from '../src/sim/litmus/parser.ts';
import { Runner, isAsking, isFailure, runProgram, type Observation, type Outcome }
	from '../src/sim/litmus/runner.ts';

const folder = fileURLToPath(new URL('litmus/', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'vmmu-litmus-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const DEFAULT = parseKernel('v5.10.223');
/* Those of history/ and eras/ are for kernels of their time: the tests of test/history run them. */
const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
	.filter((name) => name.endsWith('.litmus') && !/^(?:history|eras)\//.test(name));

/* The default kernel, and for each commit that a guard names the one that differs in it. */
function kernelsOf({ statements }: Program): Kernel[] {
	const commits = new Set(
		statements.flatMap(({ guards }) => guards.map(({ commit }) => commit)));

	return [DEFAULT, ...[...commits].map((commit) => parseKernel(
		`${DEFAULT.name}${kernelHas(DEFAULT, commit) ? '-' : '+'}${COMMITS[commit]!.id}`))];
}

const programs = files.map((file) =>
	parseLitmus(readFileSync(join(folder, file)), `test/litmus/${file}`));
const runs = programs.flatMap((program) => kernelsOf(program).map((kernel) =>
	({ name: `${program.file} on ${kernel.name}`, program, kernel })));

/*
 * What is asked of the state at each statement is asked of the programs of no topic and of those
 * with hooks, which have the most to remember; another process takes its time, so of the former
 * alone.
 */
const ofNoTopic = ({ program }: { program: Program }) =>
	!program.file.replace('test/litmus/', '').includes('/');
const hasHooks = ({ program }: { program: Program }) =>
	program.statements.some(({ kind }) => kind === 'at');
const closely = runs.filter((run) => ofNoTopic(run) || hasHooks(run));

/* vitest shortens a $name. */
const named = (some: typeof runs) => some.map((run) => [run.name, run] as const);

const failures = ({ observations }: Runner) => observations
	.filter(({ outcome }) => isFailure(outcome))
	.map(({ statement, outcome }) => ({ line: statement.span.line, outcome }));

/* What a rest of a run shows: what it saw, its trace, and the state at its end. */
interface Rest { observations: readonly Observation[]; trace: string[]; hash: string }
const restOf = (runner: Runner, mark: number): Rest => ({
	observations: runner.observations, trace: runner.machine.traceLines(mark),
	hash: runner.machine.hash() });

test('there are programs', () => {
	expect(programs.length).toBeGreaterThan(2);
	expect(runs.length).toBeGreaterThan(programs.length);
});

test('docs/coverage.md names each program, and no other', () => {
	const text = readFileSync(join(folder, '../../docs/coverage.md'), 'utf8');
	const named = [...text.matchAll(/^ *- `(.+)`$/gm)].map(([, name]) => `${name}.litmus`);

	expect([...new Set(named)].sort()).toEqual(files);
});

/* The outcomes of each run, by its name. */
const shown = new Map<string, Outcome[]>();

describe.each(named(runs))('%s', (_name, { name, program, kernel }) => {
	test('its expectations hold, and the invariants after each statement', () => {
		const runner = runProgram(program, kernel, {
			onStatement: ({ machine }, place) => {
				try {
					machine.checkInvariants();
				} catch (error) {
					throw new Error(`after line ` +
						`${program.statements[place]!.span.line}: ` +
						`${(error as Error).message}`, { cause: error });
				}
			},
		});
		shown.set(name, runner.observations.map(({ outcome }) => outcome));
		expect(failures(runner)).toEqual([]);
		expect(runner.failed).toBe(0);
		expect(runner.done).toBe(true);
	});
});

test('every guard of a program tells two of its runs apart', () => {
	expect(shown.size).toBe(runs.length);
	for (const program of programs) {
		const [first, ...others] = runs.filter((run) => run.program === program)
			.map(({ name }) => shown.get(name));
		for (const other of others)
			expect({ file: program.file, other })
				.not.toEqual({ file: program.file, other: first });
	}
});

describe.each(named(closely))('%s', (_name, { program, kernel }) => {
	test('to look changes nothing but what the program knows', () => {
		const runner = new Runner(program, kernel);
		const looks = (one: Statement) => isAsking(one) && one.kind !== 'at' &&
			!(one.kind === 'expect' && one.expectation.of === 'value');
		const changes: string[] = [];
		while (!runner.done) {
			const statement = program.statements[runner.place]!;
			const before = looks(statement) ? runner.machine.snapshot() : undefined;
			runner.step();
			if (!before)
				continue;
			for (const { where } of diff(before, runner.machine.snapshot()))
				if (!where.startsWith('global[0].litmus'))
					changes.push(`${statement.text}: ${where}`);
		}
		expect(changes).toEqual([]);
	});

	test('a snapshot after any statement has the same rest', () => {
		const snapshots: { bytes: Uint8Array; seen: number; mark: number }[] = [];
		const whole = runProgram(
			program, kernel, { onStatement: (runner) => snapshots.push({
			bytes: runner.machine.snapshot(), seen: runner.observations.length,
			mark: runner.machine.traceMark() }) });
		const all = restOf(whole, 0);

		expect(snapshots).toHaveLength(program.statements.length);
		for (const { bytes, seen, mark } of snapshots) {
			const { observations } = all;
			const trace = all.trace.slice(mark);
			expect(restOf(runProgram(program, undefined, { from: bytes }), mark))
				.toEqual(
				{ observations: observations.slice(seen), trace, hash: all.hash });
		}
	});
});

test('and in another process', () => {
	const source = join(scratch, 'rest.ts'), script = join(scratch, 'rest.mjs');
	const module = (name: string) =>
		JSON.stringify(
		fileURLToPath(new URL(`../src/sim/litmus/${name}.ts`, import.meta.url)));
	/* The layout of the state is that of the modules in their order: one script for both. */
	writeFileSync(source, `
		import { readFileSync, writeFileSync } from 'node:fs';
		import { parseKernel } from '../src/sim/kernels.ts';
		import { parseLitmus } from ${module('parser')};
		import { runProgram } from ${module('runner')};
		const [file, kernel, snapshot] = process.argv.slice(2);
		const program = parseLitmus(readFileSync(file), file);
		const every = Math.ceil(program.statements.length / 3);
		const marks = [];
		const { observations, machine } = runProgram(program,
			snapshot ? undefined : parseKernel(kernel),
			snapshot ? { from: readFileSync(snapshot) } : { onStatement(runner, place) {
				if (place % every !== every - 1)
					return;
				const path = \`\${process.env.SCRATCH}/\${marks.length}.snap\`;
				writeFileSync(path, runner.machine.snapshot());
				marks.push({ path, seen: runner.observations.length,
					mark: runner.machine.traceMark() });
			} });
		process.stdout.write(JSON.stringify({ marks, observations, hash: machine.hash(),
			trace: machine.traceLines(0) }));`
		.replace("'../src/sim/kernels.ts'", module('../kernels')));
	execFileSync(fileURLToPath(new URL('../node_modules/.bin/esbuild', import.meta.url)),
		[source, '--bundle', '--platform=node', '--format=esm', `--outfile=${script}`,
			'--log-level=error']);
	const child = (...words: string[]) => JSON.parse(execFileSync(process.execPath,
		[script, ...words], { encoding: 'utf8', env: { SCRATCH: scratch } })) as
		Rest & { marks: { path: string; seen: number }[] };

	for (const { program, kernel } of runs.filter(ofNoTopic)) {
		const file = fileURLToPath(new URL(`../${program.file}`, import.meta.url));
		const whole = child(file, kernel.name);
		expect(whole.marks.length).toBeGreaterThan(1);
		for (const { path, seen } of whole.marks) {
			const { observations, hash, trace } = child(file, kernel.name, path);
			expect({ hash, trace }).toEqual({ hash: whole.hash, trace: whole.trace });
			expect(observations).toEqual(whole.observations.slice(seen));
		}
	}
});
