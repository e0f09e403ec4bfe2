// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every commit that a program shows: the program's outcome changes with exactly that switch, its
 * expectations hold on both sides, and bisect names the commit between the releases around it.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMITS } from '../../src/lib/commits.ts';
import { Runs, bisect, outcomeOf, outcomeOn, toggled } from '../../src/sim/bisect.ts';
import { RELEASES, kernelHas, parseKernel, unmetNeeds, type Kernel }
	from '../../src/sim/kernels.ts';
import type { Program } from '../../src/sim/litmus/ast.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { isFailure, runProgram } from '../../src/sim/litmus/runner.ts';

const folder = new URL('../litmus/', import.meta.url);
const load = (name: string): Program =>
	parseLitmus(readFileSync(new URL(`${name}.litmus`, folder)), `${name}.litmus`);
const commitOf = (id: string): number => COMMITS.findIndex((commit) => commit.id === id);

/* The kernel of that time: all commits up to one of the table, with or without it. */
const upTo = (count: number): Kernel =>
	({ name: `the first ${count}`, release: 'v0', commits: [...COMMITS.keys()].slice(0,
		count) });

const files = readdirSync(new URL('history/', folder)).map((name) => name.replace('.litmus', ''));
const mainline = RELEASES.map(({ name }) => name).filter((name) => !name.startsWith('v5.10.'));

/*
 * Programs whose commit is hidden between two named releases, since another commit that came
 * between them decides on the same page: which one bisect names instead.
 */
const HIDDEN: Readonly<Record<string, readonly string[]>> = {
	/* what counts as a reference is activated at once by e48982734ea0 */
	'c3ac9a8ade65-reference-from-a-sibling': ['c3ac9a8ade65', 'e48982734ea0'],
};

/* Commits that no program shows: a new one needs a program, or a place here. */
const WITHOUT: readonly string[] = [
	/* what secondary MMUs are told, and when */
	'c2655835fd8c',
	/* who holds mmap_lock for how long */
	'29a951dfb3c3',
	/* what memory.low spares in part */
	'f56ce412a59d', '32d4f4b782bb',
	/* out of memory */
	'0b28179a6138', '60e2793d440a', 'a4ebf1b6ca1e', 'e4a38402c36e',
	/* locks of rmap, and a task that exits, at the same time as reclaim */
	'6d4675e60135', 'c495b97624d0',
	/* areas of an anon_vma that is used twice */
	'2555283eb40d',
	/* two types of pages of which one is left when there is enough */
	'f53af4285d77',
];

test('each commit has a program, but for some', () => {
	expect(COMMITS.flatMap(({ id, programs }) => programs?.length ? [] : [id]).toSorted())
		.toEqual(WITHOUT.toSorted());
});

test('the table names each program, and each program its commit', () => {
	const named = COMMITS.flatMap(({ id, programs = [] }) =>
		programs.filter((name) => name.startsWith('history/')).map((name) => {
			expect(name).toContain(`history/${id}-`);
			return name.slice('history/'.length);
		}));
	expect(named.toSorted()).toEqual(files.toSorted());
	for (const { programs = [] } of COMMITS)
		for (const name of programs)
			expect(load(name).statements.length).toBeGreaterThan(0);
});

describe.each(files)('%s', (name) => {
	const program = load(`history/${name}`);
	const nr = commitOf(name.slice(0, 12));

	test('shows its commit, and no invariant breaks', () => {
		const outcomes = [nr, nr + 1].map((count) => {
			const { observations } = runProgram(program, upTo(count), {
				onStatement: ({ machine }) => machine.checkInvariants() });
			expect(observations.filter(({ outcome }) => isFailure(outcome))
				.map(({ statement, outcome }) => [statement.text,
					outcome])).toEqual([]);
			return outcomeOf(observations);
		});
		expect(outcomes[1]).not.toBe(outcomes[0]);
	});

	test('bisect names it between the releases around it', () => {
		const after = mainline.findIndex((one) => kernelHas(parseKernel(one), nr));
		const good = parseKernel(mainline[after]!), bad = parseKernel(mainline[after - 1]!);
		const found = bisect(program, good, bad)!;
		expect(found.commits.map((one) => COMMITS[one]!.id))
			.toEqual(HIDDEN[name] ?? [COMMITS[nr]!.id]);
		expect(outcomeOn(program, found.after)).toBe(outcomeOn(program, good));
		expect(outcomeOn(program, found.before)).toBe(outcomeOn(program, bad));
		/* its names are names */
		expect(parseKernel(found.after.name).commits).toEqual(found.after.commits);
	});
});

describe('bisect', () => {
	const window = load('window'), half = load('foreign-half');

	test('names 013339df116c between v5.11 and v5.9, both ways', () => {
		const [v59, v511] = ['v5.9', 'v5.11'].map(parseKernel) as [Kernel, Kernel];
		for (const program of [half, window])
			for (const [good, bad] of [[v511, v59], [v59, v511]] as const)
				expect(bisect(program, good, bad)!.commits)
					.toEqual([commitOf('013339df116c')]);
	});
	test('a run stands only for kernels that show the same', () => {
		const v510 = parseKernel('v5.10'), runs = new Runs(window);
		for (let nr = 0; nr < COMMITS.length; nr++) {
			const kernel = toggled(v510, [nr]);
			expect([nr, runs.on(kernel).outcome]).toEqual([nr, outcomeOn(window,
				kernel)]);
		}
		expect(runs.count).toBeLessThan(COMMITS.length / 2);
	});
	test('says nothing where both show the same', () => {
		expect(bisect(window, parseKernel('v5.10.4'), parseKernel(
			'v5.10.223'))).toBeUndefined();
	});
	test('finds a set where no commit alone does it, and none of it is too much', () => {
		const program = load('history/c3ac9a8ade65-reference-from-a-sibling');
		const good = parseKernel('v3.5'), bad = parseKernel('v2.6.34');
		const { commits } = bisect(program, good, bad)!;
		expect(commits.length).toBeGreaterThan(1);
		for (const commit of commits) {
			const less = toggled(bad, commits.filter((one) => one !== commit));
			if (unmetNeeds(new Set(less.commits)).length === 0)
				expect(outcomeOn(program, less)).not.toBe(outcomeOn(program, good));
		}
	});
	test('a toggled kernel has a name that says what it is', () => {
		const base = parseKernel('v5.10.223-013339df116c');
		const nr = commitOf('013339df116c'), other = commitOf('feb889fb40fa');
		expect(toggled(base, [nr]).name).toBe('v5.10.223');
		expect(toggled(base, [other]).name).toBe('v5.10.223-013339df116c-feb889fb40fa');
		expect(toggled(base, [other]).commits).not.toContain(other);
	});
});
