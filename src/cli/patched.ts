// SPDX-License-Identifier: GPL-2.0-only
/* The process that runs a patched kernel: a job on stdin,
	a line of JSON for each cell on stdout. */
import { readFileSync, writeSync } from 'node:fs';
import { runJob, type Job } from './job.ts';

const STDIN = 0, STDOUT = 1;

const job = JSON.parse(readFileSync(STDIN, 'utf8')) as Job;
for (const program of job.programs)
	for (const kernel of job.kernels)
		for (const cell of runJob({ programs: [program], kernels: [kernel] }))
			writeSync(STDOUT, `${JSON.stringify({ cell })}\n`);
