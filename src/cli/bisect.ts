// SPDX-License-Identifier: GPL-2.0-only
/* vmmu bisect: which commits turn a program's outcome. */
import { COMMITS } from '../lib/commits.ts';
import { bisect as search } from '../sim/bisect.ts';
import { kernelHas, parseKernel } from '../sim/kernels.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { changesBetween, shownBy } from './job.ts';
import { print } from './output.ts';
import { EX_FAILED, EX_OK, readProgram } from './programs.ts';
import { json } from './report.ts';
import { wrap } from './table.ts';
import { shellWord } from './text.ts';

const WIDTH = 100, INDENT = 14;

export function bisect(words: readonly string[]): number {
	const { operands, options } = parseArguments('bisect',
		{ good: 'value', bad: 'value', json: 'flag', help: 'flag' } as const, words);
	const [file, ...more] = operands;

	if (file === undefined || more.length)
		throw new UsageError(
			'bisect: expected one litmus program; vmmu help bisect has examples');
	if (options.good === undefined || options.bad === undefined)
		throw new UsageError('bisect: expected two kernels: --good KERNEL --bad KERNEL');
	const good = parseKernel(options.good), bad = parseKernel(options.bad);
	const program = readProgram(file);
	const found = search(program, good, bad);

	if (!found) {
		if (options.json)
			print(json({ command: 'bisect', file, good: good.name, bad: bad.name,
				commits: [] }));
		else
			print(`${file} shows the same on ${good.name} and ${bad.name}\n`);
		return EX_FAILED;
	}
	const { commits, before, after, seen, runs } = found;
	const [one, other] = seen.map((observations) => shownBy(program, observations));
	const shown = changesBetween(one!, other!);

	if (options.json) {
		print(json({ command: 'bisect', file, good: good.name, bad: bad.name,
			commits: commits.map((nr) => ({ ...COMMITS[nr],
				added: !kernelHas(bad, nr) })),
			before: before.name, after: after.name, runs,
			shown: shown.map(({ text, ...change }) =>
				({ ...change, statement: text })) }));
		return EX_OK;
	}
	const lines = commits.flatMap((nr) => {
		const { id, release, subject, changes } = COMMITS[nr]!;
		return [`${kernelHas(bad, nr) ? '-' : '+'}${id} ${subject} (${release})`,
			...wrap(changes, WIDTH - INDENT).map((line) => ' '.repeat(INDENT) + line)];
	});
	print(`${file}: from ${bad.name} to ${good.name}, ` +
		`${commits.length === 1 ? 'this commit' : 'these commits together'} ` +
		`${commits.length === 1 ? 'turns' : 'turn'} the outcome:\n\n` +
		lines.map((line) => `${line}\n`).join('') +
		`\n${shown.flatMap(({ line, text, before: was, after: is }) => [
			`line ${line}: ${text}`, ...beside('before', was, is), ...beside('after',
				is, was),
		]).map((line) => `${line}\n`).join('')}` +
		`\n${runs} kernels were run; to see it: vmmu run ${shellWord(file)} ` +
		`--kernel ${before.name} --kernel ${after.name}\n`);
	return EX_OK;
}

/* What a statement showed; of many lines how many, and the first that the other side has not. */
function beside(label: string, text: string, other: string): string[] {
	const lines = text.split('\n'), others = other.split('\n');
	const odd = lines.find((line, i) => line !== others[i]);
	const shown = lines.length === 1 ? text || 'nothing'
		: `${lines.length} lines${odd === undefined ? '' : `; ${odd}`}`;

	return wrap(shown, WIDTH - INDENT).map((line, i) =>
		(i === 0 ? `  ${label}:`.padEnd(INDENT) : ' '.repeat(INDENT)) + line);
}
