// SPDX-License-Identifier: GPL-2.0-only
/* The command: exit statuses, what stands on stdout and what on stderr, and each form of output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, root, type Command } from './command.ts';

let vmmu: Command;
beforeAll(async () => {
	vmmu = await command();
});
afterAll(() => rmSync(vmmu.folder, { recursive: true }));

const HALF = 'test/litmus/foreign-half.litmus';
const WINDOW = 'test/litmus/window.litmus';
const BEFORE = 'v5.10.223-013339df116c';

function file(name: string, text: string): string {
	const path = join(vmmu.folder, name);

	writeFileSync(path, text);
	return path;
}
const widest = (text: string) => Math.max(...text.split('\n').map((line) => line.length));

describe('run', () => {
	test('sets kernels side by side', () => {
		const { status, stdout, stderr } = vmmu(
			['run', HALF, '--kernel', 'v5.10.223', '--kernel', BEFORE]);
		const row = (text: string) =>
			stdout.split('\n').find((line) => line.includes(text))!;

		expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
		expect(row('v5.10.223')).toMatch(
			/\[1\] v5\.10\.223 +\[2\] v5\.10\.223-013339df116c$/);
		expect(row('show b.m[0..31]'))
			.toMatch(
			/^ *\d+ +show b\.m\[0\.\.31\] +present=11 +! present=32 active=32$/);
		expect(row('show a.m[0..31]')).toMatch(/ present=11 +! present=0$/);
		expect(row('! [2] lru_shrink_inactive')).toContain(
			'nr_activate_anon=14 nr_unmap_fail=14');
		expect(widest(stdout)).toBeLessThanOrEqual(100);
		expect(stdout).toMatch(/^[\n -~]*$/);
	});

	test('groups more kernels than have room', () => {
		const names = ['v5.10', 'v5.10.3', 'v5.10.4', 'v5.10.223'];
		const { status, stdout } = vmmu(
			['run', HALF, ...names.flatMap((name) => ['--kernel', name])]);

		expect(status).toBe(0);
		expect(stdout).toMatch(/show b\.m\[0\.\.31\] +\[1,2\] present=32 active=32\n/);
		expect(stdout).toMatch(/active=32\n +! \[3,4\] present=11\n/);
		expect(widest(stdout)).toBeLessThanOrEqual(100);
	});

	test('an expectation that fails: status 1, and a line that runs it again', () => {
		const path = file('wrong here.litmus',
			'task a\na: m = mmap anon 2 rw private\na: write m\nexpect m present=1\n');
		const { status, stdout, stderr } = vmmu(['run', path]);

		expect({ status, stderr }).toEqual({ status: 1, stderr: '' });
		expect(stdout).toContain(`FAIL ${path}:4:1: expect m present=1: got present=2\n`);
		const again = /run it again: vmmu (.*)\n/.exec(stdout)![1]!;
		expect(again).toBe(`run '${path}' --kernel v5.10.223`);
		expect(vmmu(['run', path, '--kernel', 'v5.10.223']).status).toBe(1);
	});

	test('a refusal that nobody expected: status 1', () => {
		const path = file('refused.litmus', 'vm.swappiness = 201\n');
		const { status, stdout } = vmmu(['run', path]);

		expect(status).toBe(1);
		expect(stdout).toMatch(
			/vm\.swappiness = 201 +FAIL EINVAL \(\/proc\/sys\/vm\/swappiness\)/);
	});

	test('a program that asks for nothing is told to have run', () => {
		const { status, stdout } = vmmu(['run', '-'], 'drain\ndrain\n');

		expect(status).toBe(0);
		expect(stdout).toContain('<stdin>\n');
		expect(stdout).toContain('2 statements ran; none asked for anything');
	});

	test('--trace prints the lines of the trace and nothing else', () => {
		const one = vmmu(['run', WINDOW, '--trace']);
		const form = /^ {10,}init-1 {7}\[000\] \.{4} +\d+\.\d{6}: mm_vmscan_\w+: \w+=/;

		expect(one.status).toBe(0);
		const lines = one.stdout.trimEnd().split('\n');
		expect(lines.length).toBeGreaterThan(3);
		for (const line of lines)
			expect(line).toMatch(form);
		expect(lines.at(-1)).toMatch(/mm_vmscan_memcg_reclaim_end: nr_reclaimed=1$/);

		const two = vmmu(
			['run', WINDOW, '--trace', '--kernel', 'v5.10.223', '--kernel', BEFORE]);
		expect(two.stdout.match(/^#.*$/gm)).toEqual(['# v5.10.223', `# ${BEFORE}`]);
		expect(two.stdout.startsWith(`# v5.10.223\n${one.stdout}# `)).toBe(true);
		const three = vmmu(['run', WINDOW, HALF, '--trace']);
		expect(three.stdout.match(/^#.*$/gm)).toEqual(
			[`# ${WINDOW} v5.10.223`, `# ${HALF} v5.10.223`]);
	});

	test('--trace says on stderr what failed', () => {
		const { status, stdout, stderr } = vmmu(
			['run', '-', '--trace'], 'vm.swappiness = 999\n');
		expect({ status, stdout, stderr }).toEqual({ status: 1, stdout: '',
			stderr: '<stdin>:1:1: vm.swappiness = 999: EINVAL ' +
			'(/proc/sys/vm/swappiness)\n' });
	});

	test('--events chooses what is traced', () => {
		const { status, stdout } = vmmu(
			['run', WINDOW, '--trace', '--events', 'pagemap,mm_vmscan_writepage']);
		const names = new Set(
			stdout.trimEnd().split('\n').map((line) => /: (mm_\w+):/.exec(line)![1]));

		expect(status).toBe(0);
		expect(names).toEqual(new Set(['mm_lru_insertion', 'mm_vmscan_writepage']));
		expect(vmmu(['run', WINDOW, '--events', 'vmscam'])).toMatchObject(
			{ status: 64, stdout: '' });
		expect(vmmu(['run', WINDOW, '--events', 'vmscam']).stderr).toMatch(
			/did you mean 'vmscan'\?/);
	});

	test('--json', () => {
		const { status, stdout } = vmmu(
			['run', WINDOW, HALF, '--json', '--kernel', BEFORE]);
		const json = JSON.parse(stdout);

		expect(status).toBe(0);
		expect(json).toMatchObject({ schema: 1, command: 'run', passed: true,
			runs: [{ file: WINDOW }, { file: HALF }] });
		expect(Object.keys(json.runs[0])).toEqual(['file', 'kernel', 'commits', 'passed',
			'expectations', 'reproduce', 'hash', 'statements']);
		expect(json.runs[0]).toMatchObject({ kernel: BEFORE, passed: true,
			expectations: { held: 1, failed: 0, skipped: 1 },
			reproduce: `vmmu run ${WINDOW} --kernel ${BEFORE}` });
		expect(json.runs[0].hash).toMatch(/^[0-9a-f]{16}$/);
		expect(json.runs[0].commits).not.toContain('013339df116c');
		const asked = json.runs[1].statements.find(({ text }: { text: string }) =>
			text === 'show b.m[0..31]');
		expect(asked).toMatchObject({ kind: 'show', column: 1,
			outcome: { kind: 'show', pages: 32,
			counts: { present: 32, active: 32, swapped: 0 } } });
		const hook =
			json.runs[0].statements.find(({ metInLine }: { metInLine?: number }) =>
			metInLine);
		expect(hook).toMatchObject(
			{ text: 'a: read m', task: 'a', outcome: { kind: 'done' } });
		const traced = JSON.parse(vmmu(['run', WINDOW, '--json', '--trace']).stdout);
		expect(traced.runs[0].trace.join('\n')).toContain(
			'mm_vmscan_memcg_reclaim_begin: order=0');
	});

	test('--ktap', () => {
		const path = file(
			'k.litmus', 'task a\na: m = mmap anon 2 rw private # one\na: write m\n' +
			'expect m present=2\nexpect [-013339df116c] m present=2\nexpect m ' +
			'present=1\n');
		const { status, stdout } = vmmu(['run', path, '--ktap']);

		expect(status).toBe(1);
		expect(stdout).toBe(['KTAP version 1', '1..1', '    KTAP version 1', '    1..3',
			'    ok 1 line 4: expect m present=2',
			'    ok 2 line 5: expect [-013339df116c] m present=2 # SKIP not for this ' +
			'kernel',
			'    # got present=2',
			'    not ok 3 line 6: expect m present=1',
			`# vmmu run ${path} --kernel v5.10.223`,
			`not ok 1 ${path} v5.10.223`, ''].join('\n'));
	});
});

describe('wrong usage: status 64, one message, nothing on stdout', () => {
	const cases: [words: string[], says: RegExp][] = [
		[[], /^vmmu: expected a command: run, show/],
		[['rnu'], /^vmmu: rnu is no command; .*did you mean 'run'\?/],
		[['--verison'], /^vmmu: --verison is no option here/],
		[['run'], /^vmmu: run: expected a litmus program/],
		[['run', WINDOW, '--kernal', 'v5.10'],
		/--kernal is no option; .*did you mean '--kernel'\?/],
		[['run', WINDOW, '--kernel'], /--kernel needs a value/],
		[['run', WINDOW, '--kernel', 'v4.19'],
		/^vmmu: 'v4\.19' is no kernel that is modelled/],
		[['run', WINDOW, '--kernel', '5.10'], /did you mean v5\.10\?/],
		[['run', WINDOW, '--kernel', 'v5.10-013339df116c'], /does not have 013339df116c/],
		[['run', WINDOW, '--kernel', 'v5.10', '--kernel', 'v5.10'], /given twice/],
		[['run', WINDOW, '--json=1'], /--json takes no value/],
		[['run', WINDOW, '--json', '--ktap'], /exclude each other/],
		[['run', WINDOW, '--trace', '--ktap'], /exclude each other/],
		[['run', 'gone.litmus'], /^vmmu: gone\.litmus: no such file/],
		[['run', 'test'], /^vmmu: test: is a directory/],
		[['run', WINDOW, '--resume', 'gone'], /^vmmu: gone: no such file/],
		[['run', WINDOW, '--resume', 'package.json'], /^vmmu: snapshot: /],
		[['run', WINDOW, '--resume', 'x', '--kernel', 'v5.10'], /without --kernel/],
		[['show'], /^vmmu: show: expected a litmus program/],
		[['show', WINDOW, '--at', 'end'], /expected the number of a line/],
		[['cat', WINDOW], /^vmmu: cat: expected a litmus program and a path/],
		[['cat', WINDOW, '/proc/nothing'], /^vmmu: cat: .*ENOENT/],
		[['diff', 'package.json'],
			/^vmmu: diff: expected two kernels: .*; or two snapshots/],
		[['diff', 'package.json', 'package.json'], /^vmmu: snapshot: /],
		[['help', 'rnu'], /did you mean 'run'\?/],
	];
	test.each(cases)('vmmu %j', (words, says) => {
		const { status, stdout, stderr } = vmmu(words);

		expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
		expect(stderr).toMatch(says);
		expect(stderr).not.toMatch(/\n +at /);
		expect(stderr.endsWith('\n')).toBe(true);
	});

	test('a wrong program runs not at all, nor do those before it', () => {
		const path = file('bad.litmus', 'task a\na: raed m\n');
		const { status, stdout, stderr } = vmmu(['run', WINDOW, path]);

		expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
		expect(stderr).toMatch(
			new RegExp(`^${path}:2:4: 'raed' is no statement of a task; .*'read'`));
	});

	test('bytes that are no text', () => {
		const path = join(vmmu.folder, 'bytes.litmus');
		writeFileSync(path, Uint8Array.of(0x23, 0x20, 0xc3, 0x28, 0x0a));
		const { status, stdout, stderr } = vmmu(['run', path]);
		expect({ status, stdout }).toEqual({ status: 64, stdout: '' });
		expect(stderr).toMatch(/bytes\.litmus:1:3: a byte that is no UTF-8/);
	});
});

describe('show, hash, diff, cat', () => {
	test('show says what the machine is after a line', () => {
		const { status, stdout } = vmmu(['show', WINDOW, '--at', '10']);

		expect(status).toBe(0);
		expect(stdout).toMatch(
			/^test\/litmus\/window\.litmus, after line 10, v5\.10\.223, 512 MiB, 1 C/);
		expect(stdout).toMatch(/\n +3 a +\/ +anon=/);
		expect(stdout).toMatch(/1 page rw-p anon a\.m\n +\[0\] +present young/);
		expect(stdout).toMatch(/LRU lists .*\n +\/ inactive_anon: a\.m\[0\]\n/);
		expect(widest(stdout)).toBeLessThanOrEqual(100);
		expect(vmmu(['show', WINDOW, '--at', '1']).stdout).toContain(', booted, ');
		const json = JSON.parse(vmmu(['show', WINDOW, '--at', '10', '--json']).stdout);
		expect(json).toMatchObject({ schema: 1, command: 'show', file: WINDOW, line: 10,
			lru: [{ cgroup: '/', list: 'inactive_anon', pages: ['a.m[0]'] }] });
	});

	test('a snapshot goes on as the run that it was taken of', () => {
		const snap = join(vmmu.folder, 'half.snap'), end = join(vmmu.folder, 'end.snap');
		const [line] = readFileSync(join(root, HALF), 'utf8').split('\n')
			.flatMap((text, i) => text.startsWith('reclaim A') ? [i] : []);
		const whole = JSON.parse(
			vmmu(['run', HALF, '--json', '--kernel', BEFORE]).stdout).runs[0];
		expect(vmmu(
			['show', HALF, '--at', String(line), '--kernel', BEFORE, '--save',
			snap]).status)
			.toBe(0);
		const rest = JSON.parse(
			vmmu(['run', HALF, '--json', '--resume', snap]).stdout).runs[0];

		expect(rest).toMatchObject({ hash: whole.hash, kernel: BEFORE, passed: true,
			reproduce: `vmmu run ${HALF} --resume ${snap}` });
		expect(rest.statements).toEqual(whole.statements.slice(-rest.statements.length));
		expect(rest.statements[0].text).toBe('reclaim A 32');

		expect(vmmu(['hash', snap]).stdout)
			.toBe(vmmu(
			['hash', HALF, '--at', String(line), '--kernel', BEFORE]).stdout);
		expect(vmmu(['hash', HALF, '--kernel', BEFORE]).stdout).toBe(`${whole.hash}\n`);
		expect(vmmu(['run', WINDOW, '--resume', snap])).toMatchObject(
			{ status: 64, stdout: '',
			stderr: 'vmmu: the snapshot was taken by another program\n' });

		expect(vmmu(['diff', snap, snap])).toMatchObject({ status: 0, stdout: '' });
		vmmu(['show', HALF, '--kernel', BEFORE, '--save', end]);
		const differences = vmmu(['diff', snap, end]);
		expect(differences.status).toBe(1);
		expect(differences.stdout).toMatch(/^\S+: \S.* -> \S/m);

		const damaged = readFileSync(snap);
		damaged[damaged.length >> 1]! ^= 1;
		writeFileSync(snap, damaged);
		expect(vmmu(['hash', snap])).toMatchObject({ status: 64, stdout: '' });
		expect(vmmu(['hash', snap]).stderr).toMatch(/^vmmu: snapshot: damaged/);
	});

	test('cat prints a file of the machine', () => {
		const { status, stdout } = vmmu(['cat', HALF, 'A/memory.stat', '--at', '10']);
		expect(status).toBe(0);
		expect(stdout).toMatch(/^anon 0\nfile 0\n/);
		expect(vmmu(['cat', HALF, '/proc/vmstat']).stdout).toMatch(/^nr_free_pages \d+\n/);
		expect(vmmu(['cat', HALF, 'vm.swappiness']).stdout).toBe('60\n');
	});
});

describe('about itself', () => {
	test('--version, --help, help COMMAND, COMMAND --help', () => {
		const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
		expect(vmmu(['--version'])).toEqual(
			{ status: 0, stdout: `vmmu ${version}\n`, stderr: '' });
		for (const words of [['--help'], ['help']])
			expect(vmmu(words)).toMatchObject({ status: 0, stderr: '',
				stdout: expect.stringMatching(/^vmmu: .*\n\nusage: /) });
		for (const name of ['run', 'show', 'cat', 'hash', 'diff', 'kernels', 'fuzz']) {
			const { status, stdout } = vmmu(['help', name]);
			expect(status).toBe(0);
			expect(stdout.startsWith(`usage: vmmu ${name} `)).toBe(true);
			expect(vmmu([name, '--help']).stdout).toBe(stdout);
			expect(widest(stdout)).toBeLessThanOrEqual(100);
		}
	});

	test('every example of the help runs', () => {
		const texts = ['run', 'show', 'cat', 'hash', 'diff'].flatMap((name) =>
			vmmu(['help', name]).stdout.match(/^ {2}vmmu .*$/gm) ?? []);
		expect(texts.length).toBeGreaterThan(10);
		for (const text of texts) {
			const words = text.trim().split(' ').slice(
				1).flatMap((word) => word.includes('*')
				? [HALF, WINDOW] : /\.snap$|^[ab]$/.test(word)
				? [join(vmmu.folder, word)] : [word]);
			const { status, stderr } = vmmu(words);
			expect({ text, status, stderr })
				.toEqual({ text, status: words[0] === 'diff' ? 1 : 0, stderr: '' });
		}
	}, 60_000);

	test('kernels says how far each can be trusted', () => {
		const { status, stdout } = vmmu(['kernels']);
		expect(status).toBe(0);
		expect(stdout).toMatch(/^v5\.10\.223 +recorded$/m);
		expect(stdout).toMatch(/^v2\.6\.24 +partial +left out: LRU lists/m);
		expect(widest(stdout)).toBeLessThanOrEqual(100);
		expect(JSON.parse(vmmu(['kernels', '--json']).stdout)).toMatchObject({ schema: 1 });
	});
});

describe('output', () => {
	test('no colour off a terminal, whatever the environment', () => {
		const words = ['run', WINDOW];
		const plain = vmmu(words).stdout;
		for (const env of [{ CI: '1' }, { TERM: 'xterm-256color' },
			{ COLORTERM: 'truecolor' }])
			expect(vmmu(words, '', env).stdout).toBe(plain);
		expect(plain).not.toContain('\u001b');
		const coloured = vmmu(words, '', { FORCE_COLOR: '1' }).stdout;
		expect(coloured).toContain('\u001b[');
		// eslint-disable-next-line no-control-regex
		expect(coloured.replace(/\u001b\[\d+m/g, '')).toBe(plain);
		expect(vmmu(words, '', { FORCE_COLOR: '1', NO_COLOR: '1' }).stdout).toBe(plain);
	});

	test('a reader who has gone is no error', async () => {
		const child = spawn(process.execPath, [vmmu.path, 'run', HALF, '--json', '--trace'],
			{ cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
		let stderr = '';
		child.stderr.on('data', (data: Buffer) => { stderr += data; });
		child.stdout.destroy();
		const [status] = await once(child, 'close') as [number];
		expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
	});
});
