// SPDX-License-Identifier: GPL-2.0-only
/* Boot, a whole program, the command from a cold start, and memory. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allRegions } from '../src/lib/arena.ts';
import { boot } from '../src/sim/machine.ts';
import { parseKernel } from '../src/sim/kernels.ts';
import { parseLitmus } from '../src/sim/litmus/parser.ts';
import { runProgram } from '../src/sim/litmus/runner.ts';
import { median, type Quantity } from './pairs.ts';

const MiB = 1024 * 1024;
/* The bundle runs in dist/bench. */
const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const PROGRAM = 'test/litmus/foreign-half.litmus';

function medianMs(rounds: number, work: () => void): number {
	const times: number[] = [];

	for (let i = 0; i < rounds * 2; i++) {
		const start = performance.now();
		work();
		/* The first half warms up. */
		if (i >= rounds)
			times.push(performance.now() - start);
	}
	return median(times);
}

/* Bytes a row of struct page, its list nodes and its allocation columns with it. */
function metadataBytesPerPage(): number {
	let bytes = 0;

	for (const { name, array, width } of allRegions())
		if (name.startsWith('page.'))
			bytes += width * array.BYTES_PER_ELEMENT;
	return bytes;
}

export function machineRows(): Quantity[] {
	const program = parseLitmus(readFileSync(file(PROGRAM), 'utf8'), PROGRAM);
	const kernel = parseKernel('v5.10.223');
	const bootMs = medianMs(50, () => void boot({ ram: 64 * MiB }));
	const runMs = medianMs(200, () => void runProgram(program, kernel));

	return [
		{ name: 'boot of a 64 MiB machine', unit: 'ms', bound: 5, value: bootMs },
		{ name: 'foreign-half, whole run, warm', unit: 'ms', bound: 2, value: runMs },
		{ name: 'metadata', unit: 'bytes a page', bound: 96,
			value: metadataBytesPerPage() },
	];
}

/* Median wall time of each command in ms; they take turns. */
function coldStarts(commands: readonly (readonly string[])[], rounds: number): number[] {
	const times = commands.map((): number[] => []);

	for (let round = 0; round <= rounds; round++)
		commands.forEach(([command, ...args], i) => {
			const start = performance.now();
			const { status } = spawnSync(command!, args,
				{ cwd: file('.'), stdio: 'ignore' });
			if (status !== 0)
				throw new Error(
					`${command} ${args.join(' ')}: exit status ${status}`);
			if (round > 0)
				times[i]!.push(performance.now() - start);
		});
	return times.map(median);
}

/* Resident memory of a node that has run some code, in MB. */
function residentMB(code: string): number {
	const print = 'process.stdout.write(String(process.memoryUsage.rss()))';
	const { stdout, status, stderr } = spawnSync(
		process.execPath, ['--input-type=module', '-e', `${code}; ${print}`],
		{ cwd: file('.') });

	if (status !== 0)
		throw new Error(String(stderr));
	return Number(stdout) / 1e6;
}

export function processRows(): Quantity[] {
	const run = ['run', PROGRAM];
	const [bare, command, npx] = coldStarts([
		[process.execPath, '-e', '0'],
		[process.execPath, 'dist/vmmu.js', ...run],
		['npx', 'vmmu', ...run],
	], 11) as [number, number, number];
	const boot4GiB =
		"const { boot } = await import('./dist/index.js'); boot({ ram: 4 * 2 ** 30 })";
	const above = median([0, 1, 2].map(() => residentMB(boot4GiB) - residentMB('')));

	return [
		{ name: 'the command from a cold start', unit: 'times node -e 0', bound: 3,
			value: command / bare,
			note: `${command.toFixed(0)} ms against ${bare.toFixed(0)}` },
		{ name: 'npx vmmu from a cold start', unit: 'times node -e 0', bound: 3,
			value: npx / bare, note: `npm itself ${(npx - command).toFixed(0)} ms` },
		{ name: 'memory of a booted 4 GiB machine', unit: 'MB above bare node', bound: 150,
			value: above },
	];
}
