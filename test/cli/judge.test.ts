// SPDX-License-Identifier: GPL-2.0-only
/* vmmu oracle run, diff, record and vmmu fuzz, held against the emulator as another kernel. */
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, type Command } from './command.ts';

let vmmu: Command;
beforeAll(async () => {
	vmmu = await command();
});
afterAll(() => rmSync(vmmu.folder, { recursive: true }));

const HALF = 'test/litmus/foreign-half.litmus', WINDOW = 'test/litmus/window.litmus';
const BEFORE = 'v5.10.223-013339df116c';
const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));
const cut = (text: string) => text.replace(/\nrun it again.*/g, '');

describe('oracle run', () => {
	test('shows what vmmu run shows', () => {
		const { status, stdout } = vmmu(['oracle', 'run', HALF, '--on', BEFORE]);

		expect({ status, stdout: cut(stdout) }).toEqual(
			{ status: 0, stdout: cut(vmmu(['run', HALF, '--kernel', BEFORE]).stdout) });
	});

	test('as JSON and as a trace too', () => {
		const json = (words: string[]) => JSON.parse(vmmu(words).stdout).runs[0].statements;
		expect(json(['oracle', 'run', HALF, '--on', BEFORE, '--json']))
			.toEqual(json(['run', HALF, '--kernel', BEFORE, '--json']));

		const { stdout } = vmmu(['oracle', 'run', HALF, '--on', BEFORE, '--trace']);
		expect(stdout).toBe(vmmu(['run', HALF, '--kernel', BEFORE, '--trace']).stdout
			.replace(/^.*?: (?=mm_)/gm, ''));
	});
});

describe('oracle diff', () => {
	test('equal: status 0', () => {
		const { status, stdout } = vmmu(['oracle', 'diff', HALF, WINDOW, '--on', 'v5.10']);

		expect(status).toBe(0);
		expect(stdout).toMatch(/^test\/litmus\/foreign-half\.litmus +equal +\d+ fields$/m);
		expect(stdout).toMatch(/^2 programs: 2 equal, 0 different, 0 not comparable\n$/m);
	});

	test('different: status 1, what differs first, and the trace around it', () => {
		const words = ['oracle', 'diff', HALF, '--on', 'v5.10', '--kernel', 'v5.10.223'];
		const { status, stdout } = vmmu(words);

		expect(status).toBe(1);
		expect(stdout).toMatch(/foreign-half\.litmus +different +\d+ of \d+ fields\n/);
		expect(stdout).toMatch(
			/^ {4}line 33: reclaim A 32: trace\[\d+\]\n {8}v5\.10 .*mm_vmscan/m);
		expect(stdout).toMatch(/^ {8}- .*nr_unmap_fail=14$/m);
		expect(stdout).toMatch(/^ {8}\+ memcg_reclaim_end nr_reclaimed=42$/m);
		expect(widest(stdout)).toBeLessThanOrEqual(100);

		const { passed, programs: [program] } = JSON.parse(vmmu([...words,
			'--json']).stdout);
		expect(passed).toBe(false);
		expect(program).toMatchObject({ state: 'different', first: { line: 33,
			theirs: { kernel: 'v5.10' }, ours: { kernel: 'v5.10.223' } } });
	});
});

describe('fuzz', () => {
	test('the invariants hold; the same seed, the same programs', () => {
		const words = ['fuzz', '--seed', '5', '--count', '3', '--statements', '15'];
		const { status, stdout } = vmmu(words);

		expect(status).toBe(0);
		expect(stdout).toMatch(/^3 programs, \d+ statements, 0 divergent\n$/);
		expect(vmmu(words).stdout).toBe(stdout);
	});

	test('a divergence is written as a program with both outcomes', () => {
		const { status, stdout } = vmmu(['fuzz', '--seed', '149', '--count', '1',
			'--kernel', 'v5.10', '--kernel', 'v5.10.4',
			'--dir', vmmu.folder, '--limit', '1',
			'--statements', '40']);
		const names = readdirSync(vmmu.folder).filter((name) => name.startsWith('fuzz-'));

		expect(status).toBe(1);
		expect(names).toEqual(['fuzz-149.litmus']);
		expect(stdout).toContain(join(vmmu.folder, names[0]!));
		const text = readFileSync(join(vmmu.folder, names[0]!), 'utf8');
		expect(text).toMatch(
			/^# vmmu fuzz --seed 149 --count 1 --statements 40 --kernel v5\.10 /);
		expect(text).toMatch(/^# {3}v5\.10 +\S/m);
		expect(text).toMatch(/^# {3}v5\.10\.4 +\S/m);
		const diff = vmmu(['oracle', 'diff', join(vmmu.folder, names[0]!),
			'--on', 'v5.10', '--kernel', 'v5.10.4']);
		expect(diff.status).toBe(1);
	});
});

describe('a wrong command line: status 64, one message, nothing done', () => {
	test.each<[string[], RegExp]>([
		[['oracle', 'diff', HALF], /oracle diff: expected a real kernel: --on 5\.10/],
		[['oracle', 'run', '--on', 'v5.10'], /oracle run: expected a litmus program/],
		[['oracle', 'run', HALF, '--on', 'v5.10', '--bzimage', 'x'], /exclude each other/],
		[['oracle', 'diff', HALF, '--on', 'v4.9'], /'v4\.9' is no kernel/],
		[['oracle', 'diff', HALF, '--on', '4.9'], /4\.9 is no kernel of the oracle/],
		[['oracle', 'run', 'none.litmus', '--on', 'v5.10'], /none\.litmus: no such file/],
		[['oracle', 'record', HALF, '--on', 'v5.10'],
			/is the emulator; expected a real kernel/],
		[['oracle', 'record', HALF, HALF, '--on', '5.10'],
			/two programs are called foreign-half/],
		[['fuzz', '--count', 'many'], /--count many: expected a number from 1 to/],
		[['fuzz', 'x'], /x is too much/],
		[['fuzz', '--dir', '/none'], /--dir \/none: no such folder/],
		[['fuzz', '--append', 'x'], /go with a real kernel/],
	])('%j', (words, message) => {
		const { status, stdout, stderr } = vmmu(words);

		expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
		expect(stderr).toMatch(message);
		expect(stderr.trimEnd().split('\n')).toHaveLength(1);
	});

	test('no recording is left of it', () => {
		writeFileSync(join(vmmu.folder, 'a.litmus'), 'cgroup A\n');
		vmmu(['oracle', 'record', join(vmmu.folder, 'a.litmus'), '--on', 'v5.10', '--dir',
			join(vmmu.folder, 'recordings')]);
		expect(existsSync(join(vmmu.folder, 'recordings'))).toBe(false);
	});
});
