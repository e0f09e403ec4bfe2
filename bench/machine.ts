// SPDX-License-Identifier: GPL-2.0-only
/* Boot, a whole program, the command from a cold start, and memory. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allRegions, RAM_BYTES_MAX } from '../src/lib/arena.ts';
import { boot } from '../src/sim/machine.ts';
import { parseKernel } from '../src/sim/kernels.ts';
import { parseLitmus } from '../src/sim/litmus/parser.ts';
import { runProgram } from '../src/sim/litmus/runner.ts';
import { median } from './pairs.ts';
import type { Quantity } from './main.ts';

const MiB = 1024 * 1024;
const PAGE_BYTES = 4096;
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

/** Bytes of columns that have a row for every page. */
function metadataBytesPerPage(): number {
	const pages = RAM_BYTES_MAX / PAGE_BYTES;

	return allRegions()
		.filter(({ name }) => name.startsWith('page.'))
		.reduce((sum, { array, width }) => sum + width * array.BYTES_PER_ELEMENT, 0) +
		allRegions().filter(({ name, array }) => !name.startsWith('page.') && name !== 'ram' &&
			array.length === pages).reduce((sum, { array }) => sum + array.BYTES_PER_ELEMENT, 0);
}

export function machineRows(): Quantity[] {
	const program = parseLitmus(readFileSync(file(PROGRAM), 'utf8'), PROGRAM);
	const kernel = parseKernel('v5.10.223');

	return [
		{ name: 'boot of a 64 MiB machine', unit: 'ms', bound: 5,
			value: medianMs(50, () => void boot({ ram: 64 * MiB })) },
		{ name: 'foreign-half, whole run, warm', unit: 'ms', bound: 2,
			value: medianMs(200, () => void runProgram(program, kernel)) },
		{ name: 'metadata', unit: 'bytes a page', bound: 96, value: metadataBytesPerPage() },
	];
}

/* Wall time of commands, run in turn: their medians in ms. */
function coldStarts(commands: readonly (readonly string[])[], rounds: number): number[] {
	const times = commands.map((): number[] => []);

	for (let round = 0; round <= rounds; round++)
		commands.forEach(([command, ...args], i) => {
			const start = performance.now();
			const { status } = spawnSync(command!, args, { cwd: file('.'), stdio: 'ignore' });
			if (status !== 0)
				throw new Error(`${command} ${args.join(' ')}: exit status ${status}`);
			if (round > 0)
				times[i]!.push(performance.now() - start);
		});
	return times.map(median);
}

/* Resident memory of a node that has run a module, in MB. */
function residentMB(code: string): number {
	const { stdout, status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e',
		`${code}; process.stdout.write(String(process.memoryUsage.rss()))`], { cwd: file('.') });

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
	const bareMB = median([0, 1, 2].map(() => residentMB('')));
	const bootedMB = median([0, 1, 2].map(() => residentMB(
		"const { boot } = await import('./dist/index.js'); boot({ ram: 4 * 2 ** 30 })")));

	return [
		{ name: 'command, cold, against node -e 0', unit: 'times', bound: 3, value: command / bare,
			note: `${command.toFixed(0)} against ${bare.toFixed(0)} ms` },
		{ name: 'npx vmmu, cold, against node -e 0', unit: 'times', bound: 3, value: npx / bare,
			note: `${npx.toFixed(0)} ms, of which npm takes ${(npx - command).toFixed(0)}` },
		{ name: 'memory, 4 GiB machine booted', unit: 'MB above bare node', bound: 150,
			value: bootedMB - bareMB },
	];
}
