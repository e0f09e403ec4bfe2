// SPDX-License-Identifier: GPL-2.0-only
/* vmmu matrix: programs by kernels, and by patches of one's own. */
import { UsageError, parseArguments } from './arguments.ts';
import { changesBetween, runJob, type Cell, type Job } from './job.ts';
import { print, readInput } from './output.ts';
import { preparePatch, runPatched, type ReadyPatch } from './patch.ts';
import { DEFAULT_KERNEL, EX_FAILED, EX_OK, kernelsOf, readProgram, styleOf } from './programs.ts';
import { json } from './report.ts';
import { wrap, type Style } from './table.ts';

const OPTIONS = { kernel: 'values', patch: 'values', timeout: 'value', json: 'flag', ktap: 'flag',
	junit: 'flag', help: 'flag' } as const;
const WIDTH = 100;
const TIMEOUT_DEFAULT_S = 10, TIMEOUT_MAX_S = 3600;

/* A column: a kernel, as it is or with a patch. */
interface Column {
	readonly kernel: string;
	readonly patch: string | undefined;
	readonly cells: readonly Cell[];
}

const columnName = ({ kernel, patch }: Column): string => patch ? `${kernel} + ${patch}` : kernel;

/** Whether a cell did what its program expects. */
const passed = ({ failed, broken }: Cell): boolean => failed === 0 && broken === undefined;

/* What one cell says of itself, in a word or two. */
function verdict(cell: Cell, first: Cell): string {
	const checks = cell.held + cell.failed;

	if (cell.broken !== undefined)
		return 'BROKEN';
	const same = cell.outcome === first.outcome || first.broken !== undefined;
	if (cell.failed)
		return `FAIL ${cell.failed} of ${checks}`;
	return `${checks ? `ok (${checks})` : 'ran'}${cell !== first && !same ? ' !' : ''}`;
}

/* Lines that a statement showed otherwise than under the first column. */
function changes(cell: Cell, first: Cell): string[] {
	return changesBetween(first.shown, cell.shown)
		.map(({ line, text, before, after }) =>
			`line ${line}: ${text}: ${inAWord(after)}; was ${inAWord(before)}`);
}
const inAWord = (got: string): string =>
	got.includes('\n') ? `${got.split('\n').length} lines` : got || 'nothing';

export async function matrix(words: readonly string[]): Promise<number> {
	const { operands: files, options } = parseArguments('matrix', OPTIONS, words);

	if (files.length === 0)
		throw new UsageError(
			'matrix: expected litmus programs; vmmu help matrix has examples');
	if (Number(options.json) + Number(options.ktap) + Number(options.junit) > 1)
		throw new UsageError('matrix: --json, --ktap and --junit exclude each other');
	const seconds = Number(options.timeout ?? TIMEOUT_DEFAULT_S);
	if (!(seconds > 0 && seconds <= TIMEOUT_MAX_S))
		throw new UsageError(`matrix: --timeout ${options.timeout}: expected seconds, ` +
			`up to ${TIMEOUT_MAX_S}`);
	const twice = options.patch.find((patch, i) => options.patch.indexOf(patch) !== i);
	if (twice !== undefined)
		throw new UsageError(`matrix: --patch ${twice} is given twice`);
	/* All that can be wrong is found before anything runs. */
	const kernels = kernelsOf(options.kernel.length ? options.kernel : [DEFAULT_KERNEL]);
	files.forEach(readProgram);
	const patches = options.patch.map(preparePatch);
	const job: Job = { kernels: kernels.map(({ name }) => name), programs: files.map((file) =>
		({ file, text: new TextDecoder().decode(readInput(file)) })) };

	let refused = false;
	const patched = patches.map((patch) => runPatched(patch, job, seconds * 1000)
		.catch((error: unknown) => {
			refused = true;
			throw error;
		}));
	const done = Promise.allSettled(patched);
	const plain = await runMeanwhile(job, () => refused);
	const cells = (await done).map((one) => {
		if (one.status === 'rejected')
			throw one.reason;
		return one.value;
	});
	const columns = columnsOf(job, plain, patches, cells);

	if (options.json)
		print(matrixJson(columns));
	else if (options.ktap)
		print(matrixKtap(columns));
	else if (options.junit)
		print(matrixJunit(columns));
	else
		print(matrixText(files, columns, await styleOf()));
	return columns.every(({ cells }) => cells.every(passed)) ? EX_OK : EX_FAILED;
}

/* Run a job a program at a time, with time between them for what others have to say. */
async function runMeanwhile({ programs, kernels }: Job, stop: () => boolean): Promise<Cell[]> {
	const cells: Cell[] = [];

	for (const program of programs) {
		await new Promise(setImmediate);
		if (stop())
			break;
		cells.push(...runJob({ programs: [program], kernels }));
	}
	return cells;
}

/* A column for each kernel, after it one for each patch. */
function columnsOf(
	{ kernels, programs }: Job, plain: readonly Cell[], patches: readonly ReadyPatch[],
	patched: readonly (readonly Cell[])[],
): Column[] {
	const column = (cells: readonly Cell[], k: number): Cell[] =>
		programs.map((_, p) => cells[p * kernels.length + k]!);

	return kernels.flatMap((kernel, k) => [
		{ kernel, patch: undefined, cells: column(plain, k) },
		...patches.map(({ file }, n) =>
			({ kernel, patch: file, cells: column(patched[n]!, k) }))]);
}

/* -- For people ------------------------------------------------------------------------------- */

function matrixText(files: readonly string[], columns: readonly Column[], style: Style): string {
	const nameWidth = Math.max(...files.map((file) => file.length)) + 2;
	const cellWidth = 14;
	const perBlock = Math.max(1, Math.floor((WIDTH - nameWidth) / cellWidth));
	let out = columns.map((column, i) => `[${i + 1}] ${columnName(column)}\n`).join('') + '\n';

	for (let from = 0; from < columns.length; from += perBlock) {
		const block = columns.slice(from, from + perBlock);
		out += `${' '.repeat(nameWidth)}${block.map((_, i) =>
			`[${from + i + 1}]`.padEnd(cellWidth)).join('').trimEnd()}\n`;
		files.forEach((file, p) => {
			const cells = block.map(({ cells }) => {
				const text = verdict(cells[p]!, columns[0]!.cells[p]!);
				const padded = text.padEnd(cellWidth);
				return text.startsWith('ok') || text === 'ran' ? style.green(padded)
					: style.red(padded);
			});
			out += `${file.padEnd(nameWidth)}${cells.join('').trimEnd()}\n`;
		});
	}
	for (const [i, column] of columns.entries())
		out += notes(column, columns[0]!, i);
	return out;
}

/* What failed in a column, and what changed against the first. */
function notes(column: Column, first: Column, i: number): string {
	const lines = column.cells.flatMap((cell, p) => [
		...cell.broken === undefined ? [] : [`BROKEN ${cell.file}: ${cell.broken}`],
		...cell.failures.map((failure) => `FAIL ${failure}`),
		...column === first || cell.outcome === first.cells[p]!.outcome ||
			cell.broken !== undefined || first.cells[p]!.broken !== undefined ? []
			: changes(cell, first.cells[p]!).map((line) => `! ${cell.file}: ${line}`),
	]);

	if (lines.length === 0)
		return '';
	const wrapped = lines.flatMap((line) => wrap(line, WIDTH - 2)
		.map((part, n) => n === 0 ? part : `  ${part}`));
	return `\n[${i + 1}] ${columnName(column)}\n${wrapped.map((line) => `${line}\n`).join('')}`;
}

/* -- For programs ----------------------------------------------------------------------------- */

function matrixJson(columns: readonly Column[]): string {
	return json({
		command: 'matrix',
		passed: columns.every(({ cells }) => cells.every(passed)),
		columns: columns.map(({ kernel, patch, cells }) => ({ kernel,
			...patch ? { patch } : {},
			programs: cells.map((cell, p) => ({ file: cell.file, passed: passed(cell),
				held: cell.held, failed: cell.failed, skipped: cell.skipped,
				failures: cell.failures,
				...cell.broken === undefined ? {} : { broken: cell.broken },
				differs: cell.outcome !== columns[0]!.cells[p]!.outcome,
				shown: cell.shown })) })),
	});
}

const ktapWord = (text: string): string => text.replaceAll('#', '\\#').replaceAll('\n', ' ');

function matrixKtap(columns: readonly Column[]): string {
	const lines = ['KTAP version 1', `1..${columns.length}`];

	columns.forEach((column, i) => {
		lines.push('    KTAP version 1', `    1..${column.cells.length}`);
		column.cells.forEach((cell, p) => {
			for (const failure of [...cell.failures,
				...cell.broken ? [cell.broken] : []])
				lines.push(`    # ${ktapWord(failure)}`);
			lines.push(`    ${passed(cell) ? 'ok' : 'not ok'} ${p + 1} ` +
				ktapWord(cell.file));
		});
		lines.push(`${column.cells.every(passed) ? 'ok' : 'not ok'} ${i + 1} ` +
			ktapWord(columnName(column)));
	});
	return `${lines.join('\n')}\n`;
}

/* XML has no control characters. */
const xml = (text: string): string => [...text].map((letter) =>
	letter < ' ' && !'\t\n\r'.includes(letter) ? '?'
	: ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[letter] ?? letter).join('');

function matrixJunit(columns: readonly Column[]): string {
	const suites = columns.map((column) => {
		const failures = column.cells.filter((cell) => !passed(cell)).length;
		const cases = column.cells.map((cell) => {
			const open = `\t\t<testcase classname="${xml(columnName(column))}" ` +
				`name="${xml(cell.file)}"`;
			if (passed(cell))
				return `${open}/>`;
			const reasons = [...cell.failures, ...cell.broken ? [cell.broken] : []];
			const [first = 'failed'] = reasons;
			return `${open}>\n\t\t\t<failure message="${xml(first)}">` +
				`${xml(reasons.join('\n'))}</failure>\n\t\t</testcase>`;
		});
		return `\t<testsuite name="${xml(columnName(column))}" ` +
			`tests="${column.cells.length}" ` +
			`failures="${failures}">\n${cases.join('\n')}\n\t</testsuite>`;
	});

	return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="vmmu">\n` +
		`${suites.join('\n')}\n</testsuites>\n`;
}
