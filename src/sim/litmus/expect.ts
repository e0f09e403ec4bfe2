// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether what was seen is what a statement expects: of the emulator's own runs and of runs on real
 * kernels alike.
 */
import type { PageCounts } from '../machine.ts';
import type { Expectation, SpteCount } from './ast.ts';

type Of<K extends Expectation['of']> = Extract<Expectation, { readonly of: K }>;

export interface Verdict {
	readonly held: boolean;
	/** What was found of what was expected, in the same words. */
	readonly got: string;
}

function all(checks: readonly (readonly [held: boolean, got: string])[]): Verdict {
	return { held: checks.every(([held]) => held),
		got: checks.map(([, got]) => got).join(' ') };
}

/** Of page counts, or of properties that all pages have or none. */
export function checkPages(expectation: Of<'counts'> | Of<'flags'>, counts: PageCounts): Verdict {
	if (expectation.of === 'counts')
		return all(expectation.counts.map(({ key, value }) =>
			[counts[key] === value, `${key}=${counts[key]}`]));
	const { first, last } = expectation.range, pages = last - first + 1;

	return all(expectation.flags.map(({ key, set }) => pages === 1
		? [(counts[key] === 1) === set, `${counts[key] ? '' : '!'}${key}`]
		: [counts[key] === (set ? pages : 0), `${key}=${counts[key]}`]));
}

/** Of the first byte of each page. */
export function checkValue({ range, value }: Of<'value'>, bytes: ArrayLike<number>): Verdict {
	let odd = 0;

	while (odd < bytes.length && bytes[odd] === value)
		odd++;
	const held = odd === bytes.length;
	const page = held ? 0 : odd;
	return { held, got: `${range.name}[${range.first + page}] = ${bytes[page]}` };
}

/** Of how many pages of a file are in memory. */
export function checkCached({ value }: Of<'cached'>, cached: number): Verdict {
	return { held: cached === value, got: `cached=${cached}` };
}

/** Of what KVM has mapped of a guest's pages. */
export function checkSptes(
	{ counts }: Of<'spte'>, found: Readonly<Record<SpteCount, number>>,
): Verdict {
	return all(counts.map(({ key, value }) => [found[key] === value, `${key}=${found[key]}`]));
}

/** Of lines of memory.stat. */
export function checkStat(
	{ keys }: Of<'stat'>, values: ReadonlyMap<string, number>,
): Verdict {
	return all(keys.map(({ key, value }) =>
		[values.get(key) === value, `${key}=${values.get(key) ?? 'none'}`]));
}

/** Of sums over trace lines; `sum` gives one, or the number of an event's lines. */
export function checkTrace(
	{ sums }: Of<'trace'>, sum: (event: string, key: string) => number,
): Verdict {
	return all(sums.map(({ event, key, value }) => {
		const got = sum(event, key);
		return [got === value, `${key}=${got}`];
	}));
}

/** Of the callbacks that a secondary MMU received. */
export function checkNotifiers(
	{ order, counts }: Of<'notifiers'>, told: readonly string[],
): Verdict {
	if (order)
		return { held: told.join(' ') === order.join(' '), got: told.join(' ') || 'none' };
	return all(counts.map(({ key, value }) => {
		const got = told.filter((callback) => callback === key).length;
		return [got === value, `${key}=${got}`];
	}));
}

/** Of how the last statement that did something ended. */
export function checkErrno({ name }: Of<'errno'>, got: string): Verdict {
	return { held: got === name, got };
}
