// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random programs with virtual machines, mirrors and pins among tasks: the invariants hold after
 * every statement, and a run ends the same twice.
 */
import { expect, test } from 'vitest';
import { hash } from '../../src/lib/snapshot.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { runProgram } from '../../src/sim/litmus/runner.ts';
import { randomVmProgram } from '../../src/oracle/fuzz_vms.ts';

const KERNELS = ['v5.10', 'v5.10.4', 'v5.10.223', 'v5.10.223-013339df116c'];

test('keep all invariants, after every statement, and run the same twice', () => {
	for (let seed = 1; seed <= 10; seed++) {
		const source = randomVmProgram(seed, 30);
		const program = parseLitmus(source, `seed ${seed}`);
		const kernel = parseKernel(KERNELS[seed % KERNELS.length]!);
		try {
			runProgram(program, kernel, {
				onStatement: ({ machine }) => machine.checkInvariants() });
			const first = hash();
			runProgram(program, kernel);
			expect(hash()).toBe(first);
		} catch (error) {
			const of = `seed ${seed}, ${kernel.name}:\n${source}`;
			throw new Error(of, { cause: error });
		}
	}
});
