// SPDX-License-Identifier: GPL-2.0-only
/* vmmu fuzz: random programs, and what is found with them as litmus files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fuzzCampaign, type Campaign, type Finding } from '../oracle/campaign.ts';
import { emulatedJudge, type Judge } from '../oracle/judge.ts';
import { writeWhole } from '../oracle/recording.ts';
import { parseKernel, type Kernel } from '../sim/kernels.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { JUDGE_OPTIONS, findJudge } from './judges.ts';
import { print } from './output.ts';
import { DEFAULT_KERNEL, EX_FAILED, EX_OK, kernelsOf } from './programs.ts';
import { withProgress } from './progress.ts';
import { json } from './report.ts';
import { wrap } from './table.ts';
import { shellWord } from './text.ts';

const OPTIONS = { ...JUDGE_OPTIONS, seed: 'value', count: 'value', statements: 'value',
	kernel: 'values', dir: 'value', limit: 'value', vms: 'flag', files: 'flag',
	json: 'flag' } as const;
const SEED_MAX = 2 ** 31 - 1, COUNT_MAX = 1e6, STATEMENTS_MAX = 1000;
const SEED = 1, COUNT = 100, STATEMENTS = 60, LIMIT = 10;
const WIDTH = 100;

function numberOf(
	name: string, text: string | undefined, usual: number, least: number, most: number,
): number {
	const n = text === undefined ? usual : /^\d{1,10}$/.test(text) ? Number(text) : NaN;

	if (!(n >= least && n <= most))
		throw new UsageError(
			`fuzz: --${name} ${text}: expected a number from ${least} to ${most}`);
	return n;
}

/* `60`, or `5..200`: from so many to so many. */
function lengths(text: string): [number, number] {
	const [least = '', most = least, ...more] = text.split('..');
	const number = (one: string): number => numberOf('statements', one, STATEMENTS, 1,
		STATEMENTS_MAX);

	if (more.length || number(least) > number(most))
		throw new UsageError(
			`fuzz: --statements ${text}: expected a number, or two as in 5..200`);
	return [number(least), number(most)];
}

/* Whom to hold which kernels against: a real kernel, the first of several, or nobody. */
async function sides(
	options: Parameters<typeof findJudge>[1] & { readonly kernel: readonly string[] },
): Promise<{ judge: Judge | undefined; kernels: Kernel[] }> {
	const { on, bzimage, modules, append, kernel } = options;
	const kernels = kernelsOf(kernel);

	if (on === undefined && bzimage === undefined) {
		if (modules !== undefined || append !== undefined)
			throw new UsageError(
				'fuzz: --modules and --append go with a real kernel: ' +
				'--on or --bzimage');
		const [first, ...others] = kernels as [Kernel, ...Kernel[]];
		return others.length ? { judge: emulatedJudge(first), kernels: others }
			: { judge: undefined, kernels };
	}
	const judge = await findJudge('fuzz', options);
	return { judge, kernels: kernel.length ? kernels
		: [judge.emulated ?? parseKernel(DEFAULT_KERNEL)] };
}

const valueText = (value: unknown): string => value === undefined ? 'nothing' : String(value);

/* What each showed, as lines. */
function outcomes({ theirs, ours, first, undetermined }: Finding): string[] {
	const both = undetermined
		? [['first', undetermined.theirs], ['then', undetermined.ours]] as const
		: [...(theirs ? [[theirs.kernel, first.theirs] as const] : []),
			[ours.kernel, first.ours] as const];
	const width = Math.max(...both.map(([kernel]) => kernel.length)) + 2;

	return [`${(undetermined ?? first).field}:`, ...both.flatMap(([kernel, value]) =>
		wrap(valueText(value), WIDTH - width - 8).map((line, i) =>
			`  ${(i ? '' : kernel).padEnd(width)}${line}`))];
}

/* A finding as a litmus program: what differs stands below the statement that shows it. */
function litmusOf(finding: Finding, again: string): string {
	const { source, program, first } = finding;
	const lines = source.replace(/\n$/, '').split('\n');
	const { line } = program.statements[first.place]!.span;
	const comment = (text: string) => `# ${text}`.trimEnd();

	return `${[...wrap(again, WIDTH - 2).map(comment), '', ...lines.slice(0, line),
		...outcomes(finding).map(comment), ...lines.slice(line)].join('\n')}\n`;
}

/** vmmu fuzz */
export async function fuzz(words: readonly string[]): Promise<number> {
	const { operands, options } = parseArguments('fuzz', OPTIONS, words);
	const seed = numberOf('seed', options.seed, SEED, 0, SEED_MAX);
	const count = numberOf('count', options.count, COUNT, 1, COUNT_MAX);
	const statements = lengths(options.statements ?? `${STATEMENTS}`);
	const limit = numberOf('limit', options.limit, LIMIT, 0, COUNT_MAX);
	const folder = options.dir ?? '.';

	if (operands.length)
		throw new UsageError(
			`fuzz: ${operands[0]} is too much; vmmu help fuzz has examples`);
	if (!existsSync(folder))
		throw new UsageError(`fuzz: --dir ${folder}: no such folder`);
	const { judge, kernels } = await sides(options);
	const vms = options.vms ?? false;
	/* Another run makes the same program, whatever it was shrunk to. */
	const again = (one: number): string => [`vmmu fuzz --seed ${one} --count 1`,
		`--statements ${[...new Set(statements)].join('..')}`, ...(vms ? ['--vms'] : []),
		...(options.files ? ['--files'] : []),
		...(['on', 'bzimage', 'modules', 'append'] as const).flatMap((name) =>
			options[name] === undefined ? []
				: [`--${name} ${shellWord(options[name])}`]),
		...options.kernel.map((name) => `--kernel ${name}`)].join(' ');
	const files = new Map<number, string>();
	const lines: string[] = [];

	const found = await withProgress((onProgress) => fuzzCampaign({
		seed, count, statements, vms, files: options.files, judge,
		kernels, limit, onProgress,
		real: options.append === undefined ? {} : { append: options.append },
		onFinding(finding) {
			const { program, first, shrunk, undetermined } = finding;
			const { span, text } = program.statements[(undetermined ?? first).place]!;
			lines.push(`seed ${finding.seed}, line ${span.line}: ${text}` +
				(undetermined ? `: undetermined, two runs on ` +
					`${finding.theirs!.kernel} differ` : ''),
				...outcomes(finding).map((line) => `    ${line}`));
			if (undetermined || !shrunk && limit === 0)
				return;
			const path = join(folder, `fuzz-${finding.seed}.litmus`);
			writeWhole(path, litmusOf(finding, again(finding.seed)));
			files.set(finding.seed, path);
			lines.push(`    ${shrunk ? '' : 'not shrunk: '}${path}`);
		},
	}));
	const divergent = found.findings.filter(({ undetermined }) => !undetermined).length;
	print(options.json
		? json({ command: 'fuzz', passed: divergent === 0, seed, count,
			on: judge?.name ?? null, kernels: kernels.map(({ name }) => name),
			programs: found.programs, statements: found.statements,
			incomparable: found.incomparable, divergent,
			undetermined: found.findings.length - divergent,
			findings: found.findings.map((one) => findingJson(one, files)) })
		: `${[...lines, summary(found, divergent)].join('\n')}\n`);
	return divergent ? EX_FAILED : EX_OK;
}

function summary(
	{ programs, statements, incomparable, findings }: Campaign, divergent: number,
): string {
	const undetermined = findings.length - divergent;

	return `${programs} programs, ${statements} statements, ${divergent} divergent` +
		(undetermined ? `, ${undetermined} undetermined` : '') +
		(incomparable ? `, ${incomparable} not comparable` : '');
}

function findingJson(
	{ seed, undetermined, shrunk, program, source, first, theirs, ours }: Finding,
	files: ReadonlyMap<number, string>,
): object {
	const { span, text } = program.statements[first.place]!;

	return { seed, undetermined: undetermined !== undefined, shrunk,
		file: files.get(seed) ?? null, line: span.line, text,
		field: first.field, theirs: theirs
			? { kernel: theirs.kernel, value: first.theirs ?? null } : null,
		ours: { kernel: ours.kernel, value: first.ours ?? null }, source };
}
