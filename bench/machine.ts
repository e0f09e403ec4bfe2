// SPDX-License-Identifier: GPL-2.0-only
/* Boot, a whole program, the command from a cold start, and memory. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync }
	from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/* Runs after which the compiler has done its work, on a busy machine too. */
const WARM_UP = 1000;

function medianMs(rounds: number, work: () => void): number {
	const times: number[] = [];

	for (let i = -WARM_UP; i < rounds; i++) {
		const start = performance.now();
		work();
		if (i >= 0)
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

interface Command {
	readonly words: readonly string[];
	/** Where it runs; the project's folder if not given. */
	readonly folder?: string;
}

/* Wall times of each command in ms, round by round; they take turns. */
function coldStarts(commands: readonly Command[], rounds: number): number[][] {
	const times = commands.map((): number[] => []);

	for (let round = 0; round <= rounds; round++)
		commands.forEach(({ words: [command, ...args], folder = file('.') }, i) => {
			const start = performance.now();
			const { status, stderr } = spawnSync(command!, args,
				{ cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
			if (status !== 0)
				throw new Error(`${command} ${args.join(' ')}: exit status ` +
					`${status}\n${stderr}`);
			if (round > 0)
				times[i]!.push(performance.now() - start);
		});
	return times;
}

/*
 * A folder with a package that is this one to npx, but for its command: that does nothing. What npx
 * takes for it is npm's own, whatever is run.
 */
function packageThatDoesNothing(): string {
	const folder = mkdtempSync(join(tmpdir(), 'vmmu-bench-'));
	const { scripts: _, ...rest } =
		JSON.parse(readFileSync(file('package.json'), 'utf8')) as Record<string, unknown>;

	mkdirSync(join(folder, 'dist'));
	writeFileSync(join(folder, 'package.json'), JSON.stringify(rest));
	for (const name of ['.npmrc', 'package-lock.json', 'node_modules'])
		symlinkSync(file(name), join(folder, name));
	writeFileSync(join(folder, 'dist/vmmu.cjs'), '#!/usr/bin/env node\n', { mode: 0o755 });
	return folder;
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
	const run = ['run', PROGRAM], folder = packageThatDoesNothing();
	const [bare, command, npx, nothing] = coldStarts([
		{ words: [process.execPath, '-e', '0'] },
		{ words: [process.execPath, 'dist/vmmu.cjs', ...run] },
		{ words: ['npx', 'vmmu', ...run] },
		{ words: ['npx', 'vmmu', ...run], folder },
	], 15) as [number[], number[], number[], number[]];
	rmSync(folder, { recursive: true });
	/* Of npx what is not npm's own: both sides without what it takes to run nothing. */
	const ours = npx.map((ms, i) => ms - nothing[i]! + bare[i]!);
	const ms = (times: readonly number[]) => median(times).toFixed(0);
	const times = (over: readonly number[]) => median(over.map((value, i) => value / bare[i]!));
	const boot4GiB =
		"const { boot } = await import('./dist/index.js'); boot({ ram: 4 * 2 ** 30 })";
	const above = median([0, 1, 2].map(() => residentMB(boot4GiB) - residentMB('')));

	return [
		{ name: 'the command from a cold start', unit: 'times node -e 0', bound: 3,
			value: times(command), note: `${ms(command)} ms against ${ms(bare)}` },
		{ name: 'under npx, less npm itself', unit: 'times node -e 0', bound: 3,
			value: times(ours),
			note: `npx ${ms(npx)} ms, of which ${ms(nothing)} for a command ` +
				'that does nothing' },
		{ name: 'memory of a booted 4 GiB machine', unit: 'MB above bare node', bound: 150,
			value: above },
	];
}
