// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs. Nothing is expected of their outcome but what must hold for any program: the
 * invariants after every statement, and the same run twice.
 */
import { describe, expect, test } from 'vitest';
import { hash } from '../src/lib/snapshot.ts';
import { parseKernel } from '../src/sim/kernels.ts';
import { parseLitmus } from '../src/sim/litmus/parser.ts';
import { runProgram } from '../src/sim/litmus/runner.ts';
import { randomProgram } from '../src/oracle/fuzz.ts';

const KERNELS = ['v5.10', 'v5.10.4', 'v5.10.223', 'v5.10.223-013339df116c'];

describe('random programs', () => {
	test('keep all invariants, after every statement, and run the same twice', () => {
		for (let seed = 1; seed <= 80; seed++) {
			const source = randomProgram(seed, 40);
			const program = parseLitmus(source, `seed ${seed}`);
			const kernel = parseKernel(KERNELS[seed % KERNELS.length]!);
			const at = (): string => `seed ${seed}, ${kernel.name}:\n${source}`;
			try {
				runProgram(program, kernel, {
					onStatement: ({ machine }) => machine.checkInvariants() });
				const first = hash();
				runProgram(program, kernel);
				expect(hash()).toBe(first);
			} catch (error) {
				throw new Error(at(), { cause: error });
			}
		}
	});
});
