// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commits make the difference between two kernels. A kernel is a set of commits, so this is
 * a search over sets: the chronology is tried first, as git bisect would, then delta debugging.
 */
import { COMMITS } from '../lib/commits.ts';
import { kernelHas, unmetNeeds, type Kernel } from './kernels.ts';
import type { Program } from './litmus/ast.ts';
import { isAsking, runProgram, type Observation } from './litmus/runner.ts';

/**
 * What a program showed, without what its guards pick by kernel: two kernels with the same text
 * did the same as far as the program asks.
 */
export function outcomeOf(observations: readonly Observation[]): string {
	return JSON.stringify(observations.flatMap(({ statement, place, outcome, during,
		killed }) =>
		statement.guards.length && isAsking(statement) || outcome.kind === 'done' ||
		outcome.kind === 'skipped' ? [] : [[place, outcome, during, killed]]));
}

/** Run a program for its outcome. @throws StatementBug */
export function outcomeOn(program: Program, kernel: Kernel): string {
	return outcomeOf(runProgram(program, kernel).observations);
}

/** A kernel that differs from another by some commits, with a name that can be parsed again. */
export function toggled(base: Kernel, toggles: Iterable<number>): Kernel {
	const commits = new Set(base.commits);
	const signs = new Map<string, string>();

	for (const [, sign, id] of base.name.slice(base.release.length)
		.matchAll(/([+-])([0-9a-f]+)/g)) {
		const commit = COMMITS.find((one) => one.id.startsWith(id!) || id!.startsWith(
			one.id));
		signs.set(commit!.id, sign!);
	}
	for (const nr of toggles) {
		const { id } = COMMITS[nr]!;
		const sign = commits.has(nr) ? '-' : '+';
		if (sign === '-')
			commits.delete(nr);
		else
			commits.add(nr);
		if (signs.has(id))
			signs.delete(id);
		else
			signs.set(id, sign);
	}
	return {
		name: base.release + [...signs].map(([id, sign]) => sign + id).join(''),
		release: base.release, commits: [...commits].sort((a, b) => a - b),
	};
}

/** The commits in which two kernels differ, the oldest first. */
export function differences(a: Kernel, b: Kernel): number[] {
	return COMMITS.flatMap((_, nr) => kernelHas(a, nr) === kernelHas(b, nr) ? [] : [nr]);
}

export interface Bisection {
	/** The smallest set found: places in COMMITS. */
	readonly commits: readonly number[];
	/** A kernel that still shows bad's outcome, and the one with the set added or taken out. */
	readonly before: Kernel;
	readonly after: Kernel;
	/** How many different kernels were run. */
	readonly runs: number;
}

/**
 * The smallest set of commits that turns the outcome of `bad` into that of `good`. One commit is
 * looked for first; then a set that is minimal: with any of its commits less, the outcome is
 * another.
 * @returns undefined if both show the same
 * @throws StatementBug
 */
export function bisect(program: Program, good: Kernel, bad: Kernel): Bisection | undefined {
	const outcomes = new Map<string, string>();
	const outcome = (kernel: Kernel): string => {
		const key = kernel.commits.join();
		const known = outcomes.get(key) ?? outcomeOn(program, kernel);

		outcomes.set(key, known);
		return known;
	};
	const wanted = outcome(good), unwanted = outcome(bad);
	if (wanted === unwanted)
		return undefined;
	const all = differences(bad, good);
	/* Adding goes forward in time, taking out backward: each step is then a kernel. */
	const order = orderOf(all, bad);
	const found = alongHistory(order, bad, (kernel) => outcome(kernel), wanted, unwanted) ??
		aSet(order, bad, (kernel) => outcome(kernel) === wanted);

	return { ...found, runs: outcomes.size };
}

const isKernel = ({ commits }: Kernel): boolean => unmetNeeds(new Set(commits)).length === 0;

/* Commits to take out, the newest first; then those to add, the oldest first. */
function orderOf(commits: readonly number[], bad: Kernel): number[] {
	const out = commits.filter((nr) => kernelHas(bad, nr));

	return [...out.toReversed(), ...commits.filter((nr) => !kernelHas(bad, nr))];
}

type Found = Omit<Bisection, 'runs'>;

/* One commit at which the outcome goes from bad's to good's, with all before it applied. */
function alongHistory(
	order: readonly number[], bad: Kernel, outcome: (kernel: Kernel) => string,
	wanted: string, unwanted: string,
): Found | undefined {
	const at = (count: number): Kernel => toggled(bad, order.slice(0, count));
	let before = 0, after = order.length;

	while (after - before > 1) {
		const middle = (before + after) >> 1;
		if (outcome(at(middle)) === unwanted)
			before = middle;
		else
			after = middle;
	}
	if (outcome(at(after)) !== wanted)
		return undefined;
	/* with nothing of the others, if it can be alone */
	const commit = order[before]!, alone = toggled(bad, [commit]);
	return isKernel(alone) && outcome(alone) === wanted
		? { commits: [commit], before: bad, after: alone }
		: { commits: [commit], before: at(before), after: at(after) };
}

/* Delta debugging over sets that are kernels (Zeller and Hildebrandt's ddmin). */
function aSet(
	order: readonly number[], bad: Kernel, turns: (kernel: Kernel) => boolean,
): Found {
	const works = (set: readonly number[]): boolean => {
		const kernel = toggled(bad, set);
		return isKernel(kernel) && turns(kernel);
	};
	let set = order;

	for (let parts = 2; set.length > 1;) {
		const size = Math.ceil(set.length / parts);
		const chunks = Array.from({ length: Math.ceil(set.length / size) }, (_, i) =>
			set.slice(i * size, (i + 1) * size));
		const smaller = chunks.find(works) ??
			chunks.map((chunk) => set.filter((nr) => !chunk.includes(nr))).find(works);
		if (smaller) {
			set = smaller;
			parts = Math.max(2, Math.min(parts - 1, set.length));
		} else if (size > 1) {
			parts = Math.min(parts * 2, set.length);
		} else {
			break;
		}
	}
	return { commits: [...set].sort((a, b) => a - b), before: bad, after: toggled(bad, set) };
}
