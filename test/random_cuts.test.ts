// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs cut anywhere: from a snapshot taken after any statement the rest is the same.
 */
import { describe, expect, test } from 'vitest';
import { hash } from '../src/lib/snapshot.ts';
import { parseKernel } from '../src/sim/kernels.ts';
import { parseLitmus } from '../src/sim/litmus/parser.ts';
import { Runner, runProgram } from '../src/sim/litmus/runner.ts';
import { randomProgram } from '../src/oracle/fuzz.ts';

const KERNELS = ['v5.10', 'v5.10.4', 'v5.10.223', 'v5.10.223-013339df116c'];

describe('random programs', () => {
	test('go on the same from 1,000 random cuts', () => {
		let cuts = 0;

		for (let seed = 1000; cuts < 1000; seed++) {
			const program = parseLitmus(randomProgram(seed, 20), `seed ${seed}`);
			const kernel = parseKernel(KERNELS[seed % KERNELS.length]!);
			const images: Uint8Array[] = [], marks: number[] = [];
			const onStatement = ({ machine }: Runner, place: number): void => {
				if (place % 3 !== seed % 3)
					return;
				images.push(machine.snapshot());
				marks.push(machine.traceMark());
			};
			const whole = runProgram(program, kernel, { onStatement });
			const end = hash();
			const rests = marks.map((mark) => whole.machine.traceLines(mark));
			images.forEach((from, i) => {
				const resumed = new Runner(program, undefined, { from });
				while (!resumed.done)
					resumed.step();
				const lines = resumed.machine.traceLines(resumed.traceFrom);
				expect(lines, `seed ${seed}`).toEqual(rests[i]);
				expect(hash(), `seed ${seed}, cut ${i}`).toBe(end);
				cuts++;
			});
		}
		expect(cuts).toBeGreaterThanOrEqual(1000);
	}, 170_000);
});
