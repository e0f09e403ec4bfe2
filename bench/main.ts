// SPDX-License-Identifier: GPL-2.0-only
/*
 * npm run bench [-- --json]: a table of what is claimed about speed and memory, with its bound.
 * Exit status 1 if a bound is not met.
 */
import { BATCH, addArchTasks, archBounds } from './arch.ts';
import { KVM_BATCH, addKvmTasks, kvmBounds, kvmRows } from './kvm.ts';
import { LRU_BATCH, addLruTasks, lruBounds } from './lru.ts';
import { processRows, machineRows } from './machine.ts';
import { measurePairs, type Quantity, type Row } from './pairs.ts';
import { reclaimRows } from './reclaim.ts';

const pairs: Row[] = [
	...await measurePairs(addArchTasks, archBounds, BATCH),
	...await measurePairs(addLruTasks, lruBounds, LRU_BATCH),
	...await measurePairs(addKvmTasks, kvmBounds, KVM_BATCH),
];
const machine: Quantity[] = [...machineRows(), ...processRows(), ...kvmRows()];
/* Last, as it leaves the process with gigabytes. */
const reclaim = reclaimRows();
const ratios = [...pairs, ...reclaim.ratios];
const quantities = [...machine, ...reclaim.quantities];
const { skipped } = reclaim;
const met = ratios.every((r) => r.ratio <= r.bound) && quantities.every((q) => q.value <= q.bound);

if (process.argv.includes('--json')) {
	console.log(JSON.stringify({ schema: 1, node: process.version, ratios, quantities, skipped,
		met }));
} else {
	const verdict = (ok: boolean) => ok ? 'met' : 'NOT MET';
	const number = (n: number) => n.toFixed(n < 10 ? 2 : 1).padStart(9);
	console.log(`node ${process.version}\n`);
	console.log(`${'ratio'.padEnd(34)}       ns  against    ratio    bound`);
	for (const { name, nsTask, nsBase, ratio, bound } of ratios)
		console.log(name.padEnd(34) + number(nsTask) + number(nsBase) + number(ratio) +
			number(bound) + `  ${verdict(ratio <= bound)}`);
	console.log(`\n${'quantity'.padEnd(44)}    value    bound`);
	for (const { name, value, unit, bound, note } of quantities)
		console.log(`${name}, ${unit}`.padEnd(44) + number(value) + number(bound) +
			`  ${verdict(value <= bound)}${note ? `  (${note})` : ''}`);
	for (const line of skipped)
		console.log(`\nnot measured: ${line}`);
}
process.exitCode = met ? 0 : 1;
