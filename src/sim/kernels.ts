// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernels by name: a release, and commits added to it (+ID) or taken out of it (-ID). A kernel is
 * the set of those commits of src/lib/commits.ts that it has, over a machine that has none.
 */
import { COMMITS, isInBase } from '../lib/commits.ts';
import { didYouMean, oneOf } from './litmus/source.ts';

export interface Kernel {
	/** As it was written: `v5.10.223-013339df116c`. */
	readonly name: string;
	/** `v5.10.223` */
	readonly release: string;
	/** Places in COMMITS of the commits it has, ascending. */
	readonly commits: readonly number[];
}

/** A name that is no kernel; the message says what was expected. */
export class KernelNameError extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'KernelNameError';
	}
}

/** The last v5.10.y whose backports the table was checked against. */
export const STABLE_MAX = 223;

/**
 * How far a release can be trusted.
 * - recorded: programs of test/litmus give what a real kernel printed (test/oracle/recordings)
 * - derived: every commit of the table up to it was read in the kernel's sources; none was run
 * - partial: derived, and the release differs from v5.10 in ways that no commit of the table stands
 *   for; `missing` says which
 */
export interface Release {
	readonly name: string;
	readonly trust: 'recorded' | 'derived' | 'partial';
	readonly missing?: string;
}

const OLD = 'cgroup v2, shadow entries, counters and trace lines are those of v5.10';
const ONE_LIST = 'LRU lists of anonymous and file pages together';
const MGLRU = 'with /sys/kernel/mm/lru_gen/enabled at 0; folios of several pages, per-VMA locks ' +
	'and the counters of its memory.stat are left out';

/** The releases that are modelled, the oldest first; v5.10.1 and on stand for all v5.10.y. */
export const RELEASES: readonly Release[] = [
	{ name: 'v2.6.24', trust: 'partial', missing: `${ONE_LIST}; ${OLD}` },
	{ name: 'v2.6.25', trust: 'partial', missing: `${ONE_LIST}; ${OLD}` },
	{ name: 'v2.6.28', trust: 'partial', missing: OLD },
	{ name: 'v2.6.34', trust: 'partial', missing: OLD },
	{ name: 'v3.3', trust: 'partial', missing: OLD },
	{ name: 'v3.5', trust: 'partial', missing: OLD },
	{ name: 'v3.10', trust: 'partial', missing: OLD },
	{ name: 'v4.12', trust: 'partial', missing: OLD },
	{ name: 'v4.13', trust: 'partial', missing: OLD },
	{ name: 'v4.15', trust: 'partial', missing: OLD },
	{ name: 'v5.4', trust: 'partial', missing: OLD },
	{ name: 'v5.7', trust: 'partial', missing: OLD },
	{ name: 'v5.8', trust: 'derived' },
	{ name: 'v5.9', trust: 'derived' },
	{ name: 'v5.10', trust: 'derived' },
	{ name: 'v5.10.4', trust: 'derived' },
	{ name: `v5.10.${STABLE_MAX}`, trust: 'recorded' },
	{ name: 'v5.11', trust: 'derived' },
	{ name: 'v5.15', trust: 'derived' },
	{ name: 'v5.18', trust: 'derived' },
	{ name: 'v6.1', trust: 'recorded' },
	{ name: 'v6.12', trust: 'partial', missing: MGLRU },
	{ name: 'v7.2', trust: 'partial', missing: MGLRU },
];

/** How far a kernel's release can be trusted. */
export function trustOf({ release }: Kernel): Release {
	return RELEASES.find(({ name }) => name === release) ?? { name: release, trust: 'derived' };
}

/* [5, 10, 4] for v5.10.4 */
function numbers(release: string): number[] {
	return release.slice(1).split('.').map(Number);
}

/* a is b or later */
function atLeast(a: string, b: string): boolean {
	const x = numbers(a), y = numbers(b);

	for (let i = 0; i < Math.max(x.length, y.length); i++)
		if ((x[i] ?? 0) !== (y[i] ?? 0))
			return (x[i] ?? 0) > (y[i] ?? 0);
	return true;
}

const isStable510 = (release: string): boolean => /^v5\.10(?:\.\d+)?$/.test(release);

function releaseCommits(release: string): number[] {
	return COMMITS.flatMap((commit, nr) => {
		if (isStable510(release) && !isInBase(commit))
			return commit.stable && atLeast(release, commit.stable) ? [nr] : [];
		return atLeast(release, commit.release) ? [nr] : [];
	});
}

function isKnown(release: string): boolean {
	const stable = /^v5\.10\.([1-9]\d{0,3})$/.exec(release);

	return stable !== null ? Number(stable[1]) <= STABLE_MAX
		: RELEASES.some(({ name }) => name === release);
}

const ID_DIGITS_MIN = 7;

/**
 * The place in COMMITS of a commit, by its id or the start of it.
 * @param id at least 7 hexadecimal digits
 * @throws KernelNameError if none or several fit
 */
export function findCommit(id: string): number {
	const fitting = COMMITS.flatMap((commit, nr) =>
		commit.id.startsWith(id) || id.startsWith(commit.id) ? [nr] : []);

	if (!/^[0-9a-f]{7,40}$/.test(id))
		throw new KernelNameError(`'${id}' is no commit id; ` +
			`expected ${ID_DIGITS_MIN} to 40 hexadecimal digits`);
	if (fitting.length > 1)
		throw new KernelNameError(`commit id ${id} is ambiguous: ` +
			fitting.map((nr) => COMMITS[nr]!.id).join(', '));
	if (fitting.length === 0)
		throw new KernelNameError(`commit ${id} is not modelled` +
			`${didYouMean(id, COMMITS.map((c) => c.id.slice(0, id.length)))}; ` +
			'expected one that vmmu history lists');
	return fitting[0]!;
}

/** Of a set, the commits that cannot be without one that is not in it, and that one. */
export function unmetNeeds(
	commits: ReadonlySet<number>,
): readonly (readonly [number, number])[] {
	return COMMITS.flatMap(({ needs = [] }, nr) => commits.has(nr)
		? needs.flatMap(({ id }) => {
			const needed = COMMITS.findIndex((one) => one.id === id);
			return commits.has(needed) ? [] : [[nr, needed] as const];
		}) : []);
}

/* Why two commits of a kernel's name cannot be apart, and what would be a kernel. */
function apart(name: string, release: string, wanted: ReadonlySet<number>): string {
	const [[nr, needed]] = unmetNeeds(wanted) as [readonly [number, number]];
	const { id, needs = [] } = COMMITS[nr]!, other = COMMITS[needed]!;
	const { because } = needs.find((need) => need.id === other.id)!;
	const added = !releaseCommits(release).includes(nr);

	return `${name}: ${id} cannot be without ${other.id}: ${because}; ` +
		(added ? `add +${other.id} too` : `take -${id} out too`);
}

/**
 * `v5.10`, `v5.10.4`, `v6.1`, `v5.10.223-013339df116c`, `v5.10+013339df116c`.
 * @throws KernelNameError
 */
export function parseKernel(name: string): Kernel {
	const parts = /^([^+-]*)((?:[+-][^+-]*)*)$/.exec(name)!;
	const release = parts[1]!;
	const names = RELEASES.map((one) => one.name);

	if (!isKnown(release)) {
		const near = isKnown(`v${release}`) ? `; did you mean v${name}?`
			: didYouMean(release, names);
		throw new KernelNameError(
			`'${name}' is no kernel that is modelled${near}; expected ` +
			`${oneOf(names)}, v5.10.1 to v5.10.${STABLE_MAX}, ` +
			'with +ID or -ID for commits added or taken out');
	}
	const commits = new Set(releaseCommits(release));
	const named = new Set<number>();
	for (const [, sign, id] of parts[2]!.matchAll(/([+-])([^+-]*)/g)) {
		const nr = findCommit(id!);
		if (named.has(nr))
			throw new KernelNameError(`${name}: ${COMMITS[nr]!.id} is named twice`);
		if (sign === '+' ? commits.has(nr) : !commits.has(nr))
			throw new KernelNameError(`${name}: ${release} ${sign === '+'
				? 'already has' : 'does not have'} ${COMMITS[nr]!.id}`);
		named.add(nr);
		if (sign === '+')
			commits.add(nr);
		else
			commits.delete(nr);
	}
	if (unmetNeeds(commits).length)
		throw new KernelNameError(apart(name, release, commits));
	return { name, release, commits: [...commits].sort((a, b) => a - b) };
}

/** Whether a kernel has a commit. */
export function kernelHas(kernel: Kernel, commit: number): boolean {
	return kernel.commits.includes(commit);
}

/** The commits in which a kernel differs from v5.10: mm_boot()'s `commits`. */
export function kernelChanges({ commits }: Kernel): number[] {
	const has = new Set(commits);

	return COMMITS.flatMap((commit, nr) => has.has(nr) === isInBase(commit) ? [] : [nr]);
}
