// SPDX-License-Identifier: GPL-2.0-only
/*
 * patched.cjs FOLDER: the process that runs a patched kernel. Its modules are those of FOLDER, and
 * where there is none, what the build has made. A job comes on stdin; a line of JSON for each cell
 * goes to a pipe of its own, so that a patch can print. A thread runs it: SIGUSR2 stops that, and
 * the last line says where it was.
 */
import { existsSync, readFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { Worker, isMainThread } from 'node:worker_threads';
import type * as Jobs from './job.ts';
import { lookAfterThread } from './stuck.ts';

type Exports = Record<string, unknown>;
type Body = (exports: Exports, require: (name: string) => unknown) => void;

const STDIN = 0, CELLS = 3;

const built = fileURLToPath(new URL('patch', import.meta.url));
const [, , folder = built] = process.argv;
const elsewhere = createRequire(import.meta.url);
const modules = new Map<string, Exports>();

/* A module by its path from src; modules may import each other in a circle. */
function load(path: string): Exports {
	const known = modules.get(path);

	if (known)
		return known;
	const exports: Exports = {}, patched = join(folder, path);
	modules.set(path, exports);
	const filename = existsSync(patched) ? patched : join(built, path);
	const body = compileFunction(readFileSync(filename, 'utf8'), ['exports', 'require'],
		{ filename }) as unknown as Body;
	body(exports, (name) => name.startsWith('.')
		? load(posix.join(posix.dirname(path), name)) : elsewhere(name) as unknown);
	return exports;
}

function work(): void {
	const { runJob } = load('cli/job.js') as unknown as typeof Jobs;
	const job = JSON.parse(readFileSync(STDIN, 'utf8')) as Jobs.Job;

	for (const program of job.programs)
		for (const kernel of job.kernels)
			for (const cell of runJob({ programs: [program], kernels: [kernel] }))
				writeSync(CELLS, `${JSON.stringify({ cell })}\n`);
}

function lookAfter(): void {
	const whereIsIt = lookAfterThread();
	const thread = new Worker(fileURLToPath(import.meta.url), { argv: [folder] });

	thread.on('error', (error) => { throw error; });
	process.on('SIGUSR2', () => whereIsIt((stuck) =>
		writeSync(CELLS, `${JSON.stringify({ stuck })}\n`)));
}

if (isMainThread)
	lookAfter();
else
	work();
