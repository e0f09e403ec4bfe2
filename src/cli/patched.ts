// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that runs a patched kernel: a job on stdin, a line of JSON for each cell on stdout. A
 * second thread watches the time: code that does not come to its end is stopped by the debugger,
 * which tells where it is.
 */
import { readFileSync, writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { runJob, type Job } from './job.ts';

const STDIN = 0, STDOUT = 1;

/** A frame of a stack, in the 0-based places of the bundle. */
export interface Frame {
	readonly name: string;
	readonly line: number;
	readonly column: number;
}

const WATCHDOG = `
	const { Session } = require('node:inspector');
	const { writeSync } = require('node:fs');
	const { workerData } = require('node:worker_threads');
	setTimeout(() => {
		const session = new Session();
		session.connectToMainThread();
		session.on('Debugger.paused', ({ params }) => {
			const endless = params.callFrames.map(({ functionName, location }) => ({
				name: functionName, line: location.lineNumber,
				column: location.columnNumber ?? 0 }));
			writeSync(1, JSON.stringify({ endless }) + '\\n');
			process.kill(process.pid, 'SIGKILL');
		});
		session.post('Debugger.enable', () => session.post('Debugger.pause'));
	}, workerData);
`;

const { job, timeoutMs } = JSON.parse(readFileSync(STDIN, 'utf8')) as
	{ job: Job; timeoutMs: number };
const watchdog = new Worker(WATCHDOG, { eval: true, workerData: timeoutMs });
watchdog.unref();
for (const program of job.programs)
	for (const kernel of job.kernels)
		for (const cell of runJob({ programs: [program], kernels: [kernel] }))
			writeSync(STDOUT, `${JSON.stringify({ cell })}\n`);
process.exit();
