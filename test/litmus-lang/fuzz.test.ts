// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever text is given, the parser says what is wrong and where, or gives a program; and whatever
 * program is given, a run comes to its end. Inputs are random bytes, and the programs of
 * test/litmus with lines, words and characters changed. One seed: the same inputs every time.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { POINTS } from '../../src/lib/points.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import type { Program } from '../../src/sim/litmus/ast.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { runProgram } from '../../src/sim/litmus/runner.ts';
import { LitmusError } from '../../src/sim/litmus/source.ts';

const SEED = 20201105;
const INPUTS = 100_000;
const RUNS = 250;
const MiB = 1024 * 1024;

/* mulberry32 */
function random(seed: number): (n: number) => number {
	let state = seed;

	return (n) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

const folder = new URL('../litmus/', import.meta.url);
const EXTRA = `machine ram=16M swap=2M cpus=2
cgroup A
cgroup A/B
A/B/memory.max = 256K
vm.swappiness = 100
memfd f 16
task a cgroup=A/B
a: m = mmap anon 128 rw private
a: s = mmap f 16 rw shared
at shrink_page_list.page_locked m[3]: a: write m[3] 5
at try_to_unmap_one.pte_cleared: a: read s
a: write m
a: write s 3
a: fork b
b: write b.m[0..7] 2
at handle_pte_fault b.m[2]: a: madvise m pageout
b: mprotect s r
b: write s
expect errno SIGSEGV
a: mlock m[0..3]
a: munlock m
a: mremap m 140
a: madvise s dontneed
A/B/memory.high = 100K
a: write m[31..0] m[32]
reclaim A 12
reclaim / 5
expect value a.m[0] = 1
stat A/B
trace
cat /proc/vmstat
close f
a: exit
rmdir A/B
`;
const bases = [EXTRA, ...readdirSync(folder).filter((name) => name.endsWith('.litmus'))
	.map((name) => readFileSync(new URL(name, folder), 'utf8'))];
const words = [...new Set(bases.join(' ').split(/\s+/)), ...POINTS, '', ':', '=', '#', '\\', '[',
	'0',
	'-1', '4294967296', '1e9', 'm[0..', '\u00e4', '\u0000', '/', 'all', 'init', 'anon'];

function mutate(text: string, below: (n: number) => number): string {
	const lines = text.split('\n');
	const at = () => below(lines.length);

	for (let i = below(4); i >= 0; i--) {
		const line = at();
		switch (below(8)) {
		case 0: lines.splice(line, 1); break;
		case 1: lines.splice(at(), 0, lines[line] ?? ''); break;
		case 2: [lines[line], lines[0]] = [lines[0] ?? '', lines[line] ?? '']; break;
		case 3: case 4: case 5: {
			const parts = (lines[line] ?? '').split(' ');
			parts[below(parts.length)] = words[below(words.length)]!;
			lines[line] = parts.join(' ');
			break;
		}
		case 6: {
			const one = lines[line] ?? '';
			const cut = below(one.length + 1);
			lines[line] = one.slice(0, cut) + String.fromCharCode(below(256)) +
				one.slice(cut + below(2));
			break;
		}
		default: lines[line] = (lines[line] ?? '').replace(/\d+/, () => String(below(200)));
		}
	}
	return lines.join('\n');
}

function bytes(below: (n: number) => number): Uint8Array {
	return Uint8Array.from(
		{ length: below(200) }, () => below(4) ? below(96) + 32 : below(256));
}

test(`${INPUTS} inputs: a message with its place, or a program`, () => {
	const below = random(SEED);
	const programs: Program[] = [];
	let right = 0;

	for (let i = 0; i < INPUTS; i++) {
		const input = i % 4 === 0 ? bytes(below)
			: mutate(bases[below(bases.length)]!, below);
		try {
			const program = parseLitmus(input, 'f');
			right++;
			if (programs.length < RUNS && program.statements.length > 10)
				programs.push(program);
		} catch (error) {
			if (!(error instanceof LitmusError))
				throw new Error(
					`input ${i}: ${JSON.stringify(String(input))}`,
					{ cause: error });
			const count = (
				typeof input === 'string' ? input : new TextDecoder().decode(input))
				.split('\n').length;
			if (!/expected/.test(error.message) || error.span.line > count)
				throw new Error(`input ${i}: ${error.message}`, { cause: error });
		}
	}
	expect(right).toBeGreaterThan(INPUTS / 10);
	expect(programs.length).toBe(RUNS);
	/* Where 100,000 take this long, some of them nearly hang. */
}, 60_000);

test('right ones run to their end on both sides of a commit, and leave a sound machine', () => {
	const below = random(SEED + 1);
	const kernels = [parseKernel('v5.10.223'), parseKernel('v5.10')];
	let ran = 0;

	for (let tries = 0; ran < RUNS && tries < 20 * RUNS; tries++) {
		const text = mutate(bases[below(2) ? 0 : below(bases.length)]!, below);
		let program: Program;
		try {
			program = parseLitmus(text, 'f');
		} catch {
			continue;
		}
		const small = { ...program, machine: { ...program.machine, ram: 16 * MiB } };
		try {
			const { observations, machine } =
				runProgram(small, kernels[ran % 2]!, { stepBudget: 20_000 });
			expect(observations.length).toBeGreaterThan(0);
			if (observations.every(({ outcome }) => outcome.kind !== 'endless'))
				machine.checkInvariants();
		} catch (error) {
			throw new Error(
				`run ${ran} of\n${text}\n${(error as Error).message}`,
				{ cause: error });
		}
		ran++;
	}
	expect(ran).toBe(RUNS);
}, 60_000);
