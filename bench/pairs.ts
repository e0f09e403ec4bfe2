// SPDX-License-Identifier: GPL-2.0-only
/*
 * Claims about speed are ratios within one run: a task and what it is measured against, in turn,
 * several times over; the median of the rounds' ratios is what counts.
 */
import { Bench } from 'tinybench';

export interface Row {
	readonly name: string;
	/** Median time of one operation of the task and of what it is measured against, in ns. */
	readonly nsTask: number;
	readonly nsBase: number;
	readonly ratio: number;
	readonly bound: number;
}

/** A quantity that is bounded by itself. */
export interface Quantity {
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	readonly bound: number;
	/** What it was measured against, where the bound is a ratio. */
	readonly note?: string;
}

/**
 * Where tasks are put by name. A task returns what it computed, so that no work is idle: the two of
 * a pair must have the same. It writes nothing else: what comes behind a loop the compiler has not
 * seen run when it compiles the loop, and leaves the code each time it gets there.
 */
export interface Tasks {
	add(name: string, task: () => number): unknown;
}

/*
 * Short rounds, many of them, so that what else runs on the machine meets both sides of a pair; the
 * first, in which the compiler works, do not count.
 */
const ROUNDS = 60, WARM_UP = 20;
const MS_ROUND = 10;

export function median(values: readonly number[]): number {
	const sorted = [...values].sort((a, b) => a - b);
	const half = sorted.length >> 1;

	return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Measure tasks pair by pair.
 * @param add adds the tasks; they are run again for every pair
 * @param bounds task, what it is measured against, the largest ratio allowed
 * @param operations how many of them one call of a task does
 */
export async function measurePairs(
	add: (tasks: Tasks) => void, bounds: readonly (readonly [string, string, number])[],
	operations: number,
): Promise<Row[]> {
	const all = new Map<string, () => number>();
	const rows: Row[] = [];

	add({ add: (name, task) => all.set(name, task) });
	for (const [name, base, bound] of bounds) {
		const times: { task: number; base: number }[] = [];
		for (let round = -WARM_UP; round < ROUNDS; round++) {
			const ns = (task: string) => timeOf(all.get(task)!);
			const one = await ns(name), other = await ns(base);
			if (one.result !== other.result)
				throw new Error(`${name}: ${one.result}, ` +
					`but ${base}: ${other.result}`);
			const measured = { task: one.ns, base: other.ns };
			if (round >= 0)
				times.push(measured);
		}
		rows.push({
			name, bound,
			nsTask: median(times.map((t) => t.task)) / operations,
			nsBase: median(times.map((t) => t.base)) / operations,
			ratio: median(times.map((t) => t.task / t.base)),
		});
	}
	return rows;
}

/* What a task computes, and the median time of a call of it. */
async function timeOf(task: () => number): Promise<{ result: number; ns: number }> {
	const one = new Bench({ time: MS_ROUND, warmup: false });
	let value = 0;

	one.add('task', () => {
		value = task();
	});
	await one.run();
	const { result } = one.tasks[0]!;
	if (!('latency' in result))
		throw new Error('a task did not run');
	return { result: value, ns: result.latency.p50 * 1e6 };
}
