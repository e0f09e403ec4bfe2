// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guards cost: one reclaim, in a bundle as it is shipped and in one whose guards are
 * constants, those of one kernel. Both run in one process, in turn; the least of each counts.
 * Exit status 1 if the guards cost more than the bound.
 */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = `${root}dist/bench/`;
const KERNEL = 'v5.10.223', ROUNDS = 30, BOUND = 1.03;

/** @param {string} source @param {string} output @param {import('esbuild').Plugin[]} plugins */
const bundle = async (source, output, plugins = []) => {
	await build({ absWorkingDir: root, entryPoints: [source], outfile: folder + output,
		bundle: true, platform: 'node', format: 'esm', target: 'node20.19', plugins,
		logLevel: 'warning' });
	return import(pathToFileURL(folder + output).href);
};

const { parseKernel } = await bundle('src/sim/kernels.ts', 'kernels.mjs');
const commits = await bundle('src/lib/commits.ts', 'commits.mjs');
const has = new Set(parseKernel(KERNEL).commits);
let folded = 0;
/** @type {import('esbuild').Plugin} */
const fold = { name: 'fold', setup({ onLoad }) {
	onLoad({ filter: /src\/mm\/[^/]+\.ts$/ }, ({ path }) => ({ loader: 'ts',
		contents: readFileSync(path, 'utf8').replaceAll(
			/\bapplied\(\s*([A-Z][A-Z0-9_]+)\s*(?:\/\*[^*]*\*\/)?\s*\)/g,
			(_, name) => {
				folded++;
				return String(has.has(commits[name]));
			}) }));
} };

const asked = await bundle('bench/guards.ts', 'asked.mjs');
const constant = await bundle('bench/guards.ts', 'constant.mjs', [fold]);
let leastAsked = Infinity, leastConstant = Infinity;
for (let round = 0; round < ROUNDS; round++) {
	/* each goes first as often as the other */
	for (const first of [round % 2 === 0, round % 2 !== 0]) {
		if (first)
			leastAsked = Math.min(leastAsked, asked.reclaimMs(KERNEL));
		else
			leastConstant = Math.min(leastConstant, constant.reclaimMs(KERNEL));
	}
}
const ratio = leastAsked / leastConstant;
console.log(`${folded} guards: ${leastAsked.toFixed(2)} ms, ` +
	`folded ${leastConstant.toFixed(2)} ms, ratio ${ratio.toFixed(3)}, ` +
	`bound ${BOUND}: ${ratio <= BOUND ? 'met' : 'NOT MET'}`);
process.exitCode = ratio <= BOUND ? 0 : 1;
