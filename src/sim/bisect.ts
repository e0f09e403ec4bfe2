// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which commits make the difference between two kernels. A kernel is a set of commits, so this is
 * a search over sets: the chronology is tried first, as git bisect would, then sets of commits.
 */
import { COMMITS, unwatchCommits, watchCommits } from '../lib/commits.ts';
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

/** What a program showed on a kernel, and on every other that answers alike what it asked. */
interface Run {
	readonly outcome: string;
	readonly observations: readonly Observation[];
	/** The commits that the run depends on, and whether its kernel had them. */
	readonly asked: readonly (readonly [nr: number, has: boolean])[];
}

/**
 * The runs of a program. A run is a function of the answers that its guards got, so one that was
 * made stands for all kernels that would give the same.
 */
export class Runs {
	readonly #program: Program;
	readonly #made: Run[] = [];
	/* what the program itself asks for: which statements there are */
	readonly #guards: readonly number[];

	constructor(program: Program) {
		this.#program = program;
		this.#guards = program.statements.flatMap(({ guards }) =>
			guards.map(({ commit }) => commit));
	}

	/** How many were made. */
	get count(): number {
		return this.#made.length;
	}

	/** @throws StatementBug */
	on(kernel: Kernel): Run {
		const commits = new Set(kernel.commits);

		return this.#made.find(({ asked }) => asked.every(([nr, has]) =>
			commits.has(nr) === has)) ?? this.#make(kernel, commits);
	}

	#make(kernel: Kernel, commits: ReadonlySet<number>): Run {
		let observations: readonly Observation[], asked: number[];

		watchCommits();
		try {
			({ observations } = runProgram(this.#program, kernel));
		} finally {
			asked = unwatchCommits();
		}
		const run = { outcome: outcomeOf(observations), observations,
			asked: [...new Set([...asked, ...this.#guards])]
				.map((nr) => [nr, commits.has(nr)] as const) };
		this.#made.push(run);
		return run;
	}
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
	/** What the program showed on them. */
	readonly seen: readonly [before: readonly Observation[], after: readonly Observation[]];
	/** How often the program was run. */
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
	const runs = new Runs(program);
	const outcome = (kernel: Kernel): string => runs.on(kernel).outcome;
	const wanted = outcome(good), unwanted = outcome(bad);
	if (wanted === unwanted)
		return undefined;
	const all = differences(bad, good);
	/* Adding goes forward in time, taking out backward: each step is then a kernel. */
	const order = orderOf(all, bad);
	const found = alongHistory(order, bad, outcome, wanted, unwanted) ??
		aSet(order, bad, (kernel) => outcome(kernel) === wanted);
	const seen = [runs.on(found.before).observations, runs.on(found.after).observations] as
		const;

	return { ...found, seen, runs: runs.count };
}

const isKernel = ({ commits }: Kernel): boolean => unmetNeeds(new Set(commits)).length === 0;

/* Commits to take out, the newest first; then those to add, the oldest first. */
function orderOf(commits: readonly number[], bad: Kernel): number[] {
	const out = commits.filter((nr) => kernelHas(bad, nr));

	return [...out.toReversed(), ...commits.filter((nr) => !kernelHas(bad, nr))];
}

type Found = Pick<Bisection, 'commits' | 'before' | 'after'>;

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

/*
 * A minimal set. The order's shortest beginning that works ends with a commit that is needed; with
 * that one kept, a shorter beginning works, and so on: a few runs for each commit of the set.
 */
function aSet(
	order: readonly number[], bad: Kernel, turns: (kernel: Kernel) => boolean,
): Found {
	const works = (set: readonly number[]): boolean => {
		const kernel = toggled(bad, set);
		return isKernel(kernel) && turns(kernel);
	};
	let set: number[] = [];

	for (let end = order.length; !works(set);) {
		let not = -1, does = end;
		while (does - not > 1) {
			const middle = (not + does) >> 1;
			if (works([...order.slice(0, middle), ...set]))
				does = middle;
			else
				not = middle;
		}
		end = does - 1;
		set = [order[end]!, ...set];
	}
	/* where commits undo one another, one may be in it for nothing */
	for (let at = 0; at < set.length;) {
		const without = set.toSpliced(at, 1);
		if (works(without)) {
			set = without;
			at = 0;
		} else {
			at++;
		}
	}
	return { commits: [...set].sort((a, b) => a - b), before: bad, after: toggled(bad, set) };
}
