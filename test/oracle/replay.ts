// SPDX-License-Identifier: GPL-2.0-only
/* The emulator held against recordings of real kernels. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compare, type Comparison } from '../../src/oracle/compare.ts';
import { runOurs } from '../../src/oracle/ours.ts';
import { readRecording, type ReadRecording } from '../../src/oracle/recording.ts';

/** The recordings in a folder, by their paths below it. */
export const recordingsIn = (folder: string): string[] =>
	readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.json')).toSorted();

export interface Replayed extends Comparison {
	readonly file: string;
	readonly recording: ReadRecording;
}

/** Run what was recorded on the emulator, with its invariants held after each statement or not. */
export function replay(folder: string, file: string, invariants: boolean): Replayed {
	const recording = readRecording(join(folder, file));
	const { program, ours, run } = recording;

	return { file, recording,
		...compare(program, run, runOurs(program, ours, { invariants })) };
}
