// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guards cost: one reclaim, in a bundle as it is shipped and in one whose guards are
 * constants, those of one kernel. Processes of each take turns; the least of each counts.
 * Exit status 1 if the guards cost more than the bound.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bundle, root } from './bundle.mjs';

const KERNEL = 'v5.10.223', PROCESSES = 6, ROUNDS = 8, BOUND = 1.03;

/** @param {string} output @returns {string} */
const url = (output) => pathToFileURL(join(root, output)).href;

const [, , measured] = process.argv;
if (measured) {
	const { reclaimMs } = await import(url(measured));
	let least = Infinity;
	for (let round = 0; round < ROUNDS; round++)
		least = Math.min(least, reclaimMs(KERNEL));
	console.log(least);
	process.exit();
}

/**
 * @param {string} source @param {string} output
 * @param {import('rolldown').Plugin[]} [plugins]
 */
const make = (source, output, plugins = []) => bundle({ source, output }, { plugins });

const kernels = 'dist/bench/kernels.mjs', commits = 'dist/bench/commits.mjs';
const asked = 'dist/bench/asked.mjs', constant = 'dist/bench/constant.mjs';
await make('src/sim/kernels.ts', kernels);
await make('src/lib/commits.ts', commits);
const { parseKernel } = await import(url(kernels));
const numbers = await import(url(commits));
const has = new Set(parseKernel(KERNEL).commits);
let folded = 0;
/** @type {import('rolldown').Plugin} */
const fold = {
	name: 'fold',
	transform: {
		filter: { id: /src\/(?:mm|kvm|arch)\/[^/]+\.ts$/ },
		handler: (code) => ({ map: null, code: code.replaceAll(
			/\bapplied\(\s*([A-Z][A-Z0-9_]+)\s*(?:\/\*[^*]*\*\/)?\s*\)/g,
			(_, name) => {
				folded++;
				return String(has.has(numbers[name]));
			}) }),
	},
};
await make('bench/guards.ts', asked);
await make('bench/guards.ts', constant, [fold]);

/** @param {string} output @returns {number} milliseconds */
const measure = (output) => Number(execFileSync(process.execPath,
	[fileURLToPath(import.meta.url), output], { encoding: 'utf8' }));
let leastAsked = Infinity, leastConstant = Infinity;
for (let round = 0; round < PROCESSES; round++) {
	leastAsked = Math.min(leastAsked, measure(asked));
	leastConstant = Math.min(leastConstant, measure(constant));
}
const ratio = leastAsked / leastConstant;
console.log(`${folded} guards: ${leastAsked.toFixed(2)} ms, ` +
	`folded ${leastConstant.toFixed(2)} ms, ratio ${ratio.toFixed(3)}, ` +
	`bound ${BOUND}: ${ratio <= BOUND ? 'met' : 'NOT MET'}`);
process.exitCode = ratio <= BOUND ? 0 : 1;
