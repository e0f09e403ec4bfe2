// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernels by name: a release, and commits added to it (+ID) or taken out of it (-ID). A release is
 * the set of those commits of src/lib/commits.ts that it has over v5.10.
 */
import { COMMITS } from '../lib/commits.ts';

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

/* [5, 10, 4] for v5.10.4 */
function numbers(release: string): number[] {
	return release.slice(1).split('.').map(Number);
}

/* a is b or later */
function atLeast(a: string, b: string): boolean {
	const x = numbers(a), y = numbers(b);

	for (let i = 0; i < 3; i++)
		if ((x[i] ?? 0) !== (y[i] ?? 0))
			return (x[i] ?? 0) > (y[i] ?? 0);
	return true;
}

function releaseCommits(release: string): number[] {
	return COMMITS.flatMap(({ stable }, nr) =>
		stable && atLeast(release, stable) ? [nr] : []);
}

function isKnown(release: string): boolean {
	const stable = /^v5\.10(?:\.([1-9]\d{0,3}))?$/.exec(release);

	return stable !== null && Number(stable[1] ?? 0) <= STABLE_MAX;
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
		throw new KernelNameError(`commit ${id} is not modelled; expected one of:\n` +
			COMMITS.map((c) => `  ${c.id} ${c.subject}`).join('\n'));
	return fitting[0]!;
}

/**
 * `v5.10`, `v5.10.4`, `v5.10.223-013339df116c`, `v5.10+013339df116c`.
 * @throws KernelNameError
 */
export function parseKernel(name: string): Kernel {
	const parts = /^([^+-]*)((?:[+-][^+-]*)*)$/.exec(name)!;
	const release = parts[1]!;
	const expected = `expected v5.10, v5.10.1 to v5.10.${STABLE_MAX}, ` +
		'with +ID or -ID for commits added or taken out';

	if (!isKnown(release)) {
		const near = isKnown(`v${release}`) ? `; did you mean v${name}?` : '';
		throw new KernelNameError(
			`'${name}' is no kernel that is modelled${near}; ${expected}`);
	}
	const commits = new Set(releaseCommits(release));
	for (const [, sign, id] of parts[2]!.matchAll(/([+-])([^+-]*)/g)) {
		const nr = findCommit(id!);
		if (sign === '+' ? commits.has(nr) : !commits.has(nr))
			throw new KernelNameError(`${name}: ${release} ${sign === '+'
				? 'already has' : 'does not have'} ${COMMITS[nr]!.id}`);
		if (sign === '+')
			commits.add(nr);
		else
			commits.delete(nr);
	}
	return { name, release, commits: [...commits].sort((a, b) => a - b) };
}

/** Whether a kernel has a commit. */
export function kernelHas(kernel: Kernel, commit: number): boolean {
	return kernel.commits.includes(commit);
}
