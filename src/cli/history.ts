// SPDX-License-Identifier: GPL-2.0-only
/* vmmu history: the commits that are modelled, as git log would show them. */
import { COMMITS, isInBase, type Commit } from '../lib/commits.ts';
import { RELEASES, findCommit, kernelHas, parseKernel, type Kernel } from '../sim/kernels.ts';
import { didYouMean } from '../sim/litmus/source.ts';
import { differences } from '../sim/bisect.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { print } from './output.ts';
import { EX_OK } from './programs.ts';
import { json } from './report.ts';
import { wrap } from './table.ts';

const WIDTH = 100, INDENT = 4;

/* `mm/rmap.c:try_to_unmap_one` */
const fileOf = (place: string): string => place.slice(0, place.indexOf(':'));
const functionOf = (place: string): string => place.slice(place.indexOf(':') + 1);

/* Commits in which two kernels differ, with the sign of the way from the first to the second. */
function between(range: string): { nr: number; sign: string }[] {
	const [from, to, ...more] = range.split('..');

	if (!from || !to || more.length)
		throw new UsageError(`history: ${range}: expected KERNEL..KERNEL`);
	const a: Kernel = parseKernel(from), b: Kernel = parseKernel(to);
	return differences(a, b).map((nr) => ({ nr, sign: kernelHas(b, nr) ? '+' : '-' }));
}

/* Commits that changed a file (by its path or base name) or a function. */
function touching(word: string): { nr: number; sign: string }[] {
	const name = word.replace(/^src\//, '').replace(/\.ts$/, '.c');
	const found = COMMITS.flatMap(({ where }, nr) => where.some((place) =>
		fileOf(place) === name || fileOf(place).endsWith(`/${name}`) ||
		functionOf(place) === word.replace(/\(\)$/, '')) ? [{ nr, sign: '' }] : []);

	if (found.length)
		return found;
	const known = COMMITS.flatMap(({ where }) =>
		where.flatMap((place) => [fileOf(place), functionOf(place)]));
	throw new UsageError(`history: no commit that is modelled changes ${word}` +
		`${didYouMean(word, known)}; expected a file, a function or KERNEL..KERNEL`);
}

function row({ id, release, stable, date, subject }: Commit, sign: string): string {
	const when = `${release}${stable ? `, ${stable}` : ''}`;
	const head = `${sign}${id}  ${(date ?? '').padEnd(12)}${when.padEnd(20)}`;

	return `${head}${wrap(subject, WIDTH - head.length).join(`\n${' '.repeat(
		head.length)}`)}\n`;
}

function showOne(commit: Commit): string {
	const { id, subject, date, release, stable, where, changes, needs = [], programs } = commit;
	const indented = (text: string): string =>
		wrap(text, WIDTH - INDENT).map((line) => `${' '.repeat(INDENT)}${line}\n`).join('');

	return `commit ${id}\n` +
		`Date:     ${date ?? 'not known'}\n` +
		`Release:  ${release}${stable ? `, and ${stable} of the stable series` : ''}` +
		`${isInBase(commit) ? ' (unmarked code has it)' : ''}\n\n` +
		`${indented(subject)}\n${indented(changes)}\n` +
		where.map((place) => `  ${fileOf(place)}: ${functionOf(place)}()\n`).join('') +
		(needs.length ? `\n${needs.map((need) => indented(
			`cannot be without ${need.id}: ${need.because}`)).join('')}` : '') +
		(programs?.length ? `\n${programs.map((name) =>
			`  vmmu run test/litmus/${name}.litmus\n`).join('')}` : '');
}

export function history(words: readonly string[]): number {
	const { operands, options } = parseArguments('history',
		{ json: 'flag', help: 'flag' } as const, words);
	const [first, second, ...more] = operands;

	if (first === 'show') {
		if (second === undefined || more.length)
			throw new UsageError('history show: expected the id of a commit');
		const commit = COMMITS[findCommit(second)]!;
		print(options.json ? json({ command: 'history', commits: [commit] })
			: showOne(commit));
		return EX_OK;
	}
	if (second !== undefined)
		throw new UsageError(`history: ${second} is too much`);
	const rows = first === undefined ? COMMITS.map((_, nr) => ({ nr, sign: '' }))
		: first.includes('..') ? between(first) : touching(first);
	if (options.json)
		print(json({ command: 'history', releases: RELEASES, commits: rows.map(
			({ nr, sign }) => ({ ...COMMITS[nr], ...sign ? { sign } : {} })) }));
	else
		print(rows.map(({ nr, sign }) => row(COMMITS[nr]!, sign)).join(''));
	return EX_OK;
}
