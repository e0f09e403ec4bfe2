// SPDX-License-Identifier: GPL-2.0-only
/* Recordings: written whole or not at all, read back as they were, refused where they are not. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync }
	from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runOurs } from '../../src/oracle/ours.ts';
import { RecordingError, parseRecording, readRecording, recordingName, recordingText,
	writeRecording,
	writeWhole, type Recording } from '../../src/oracle/recording.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';

const folder = mkdtempSync(join(tmpdir(), 'vmmu-recording-'));
afterAll(() => rmSync(folder, { recursive: true }));

const source = `# a comment
cgroup A
task a cgroup=A
a: m = mmap anon 8 rw private
a: write m
drain
[-013339df116c] drain
reclaim A 4
show m
show m[7]
stat A
trace
cat A/memory.events
a: munmap m[0]
a: write m[0]
expect errno SIGSEGV
`;
const run = runOurs(parseLitmus(source, 'x'), parseKernel('v5.10.223'));
const recording: Recording = { name: 'x/y', on: '5.10', emulated: 'v5.10.223', source,
	commandLine: ['qemu-system-x86_64', '-m', '512'], tools: { qemu: '7.2', gcc: '12.2' },
	run: { ...run, kernel: '5.10.0-32-cloud-amd64' } };
const text = recordingText(recording);
const json = JSON.parse(text);

test('what is read is what was written', () => {
	const path = writeRecording(folder, recording);

	expect(path).toBe(join(folder, 'x/y.5.10.json'));
	const { program, ours, ...rest } = readRecording(path);
	expect(rest).toEqual(recording);
	expect(program.statements).toHaveLength(15);
	expect(ours.name).toBe('v5.10.223');
	expect(recordingText(rest)).toBe(text);
});

test('a statement is a line, and a trace line is', () => {
	const lines = text.split('\n');

	expect(lines.filter((line) => line.startsWith('\t\t{"place":'))).toHaveLength(15);
	const traced = run.statements.flatMap(({ trace = [] }) => trace);
	expect(lines.filter((line) => /^\t{3}"mm_/.test(line))).toHaveLength(2 * traced.length);
	expect(text.endsWith('}\n')).toBe(true);
});

test.each([
	['test/litmus/foreign-half.litmus', 'foreign-half'], ['x.litmus', 'x'],
	['/a/litmus/b/litmus/c/d.litmus', 'c/d'], ['other/x', 'x'],
])('%s is recorded as %s', (file, name) => {
	expect(recordingName(file)).toBe(name);
});

test('a run that did not come to its end is not recorded', () => {
	const cut = { ...recording, name: 'cut',
		run: { ...run, ended: { atPlace: 3, reason: 'the kernel panicked' } } };

	expect(() => writeRecording(folder, cut)).toThrow(
		/cut\.5\.10\.json: .*the kernel panicked/);
	expect(readdirSync(folder)).not.toContain('cut.5.10.json');
});

test('a write that fails leaves what was there, and nothing else', () => {
	const place = join(folder, 'held');
	mkdirSync(place);
	writeFileSync(join(place, 'a.json'), 'before');
	/* A folder of that name: the rename fails, after the writing. */
	mkdirSync(join(place, 'b.json'));

	expect(() => writeWhole(join(place, 'b.json'), 'x')).toThrow(RecordingError);
	expect(() => writeWhole(join(place, 'b.json'), 'x')).toThrow(/b\.json: not written/);
	expect(() => writeWhole(join(place, 'none/c.json'), 'x')).toThrow(/not written/);
	writeWhole(join(place, 'a.json'), 'after');
	expect(readdirSync(place).toSorted()).toEqual(['a.json', 'b.json']);
	expect(readFileSync(join(place, 'a.json'), 'utf8')).toBe('after');
	chmodSync(place, 0o700);
});

describe('what is no recording is refused, and where', () => {
	const statement = (i: number, change: object) => ({ ...json,
		statements: json.statements.with(i, { ...json.statements[i], ...change }) });

	test.each<[string, RegExp, unknown]>([
		['no JSON', /f: no JSON: .*; expected a recording/, 'x'],
		['cut off', /f: no JSON/, text.slice(0, -20)],
		['another schema', /f: schema 2; expected 1: record it again/,
			{ ...json, schema: 2 }],
		['no object', /recording is \[\]; expected an object/, []],
		['a field is missing', /recording\.kernel is missing; expected a string/,
			{ ...json, kernel: undefined }],
		['a field is too much', /recording\.pfn is not known; expected schema, name/,
			{ ...json, pfn: 1 }],
		['a list is none', /recording\.tools is \[\]; expected an object/,
			{ ...json, tools: [] }],
		['a kernel is none', /'v4\.9' is no kernel/, { ...json, emulated: 'v4.9' }],
		['the program is wrong', /program:1:1: 'walk' is no statement/,
			{ ...json, program: ['walk'] }],
		['a statement is missing', /14 statements were recorded; expected 15/,
			{ ...json, statements: json.statements.slice(1) }],
		['places are mixed',
			/statements\[0\] says done of statement 1; expected statement 0/,
			statement(0, { place: 1 })],
		['an outcome of another kind', /statements\[0\] says cat of statement 0/,
			statement(0, { outcome: { kind: 'cat', text: '' } })],
		['an outcome of no kind',
			/statements\[0\]\.outcome is .*; expected one of a kind of done/,
			statement(0, { outcome: { kind: 'odd' } })],
		['a count is none',
			/statements\[7\]\.outcome\.counts\[0\] is "8"; expected a number/,
			statement(7, { outcome: { ...json.statements[7].outcome,
				counts: { present: '8' } } })],
		['a trace line is none', /statements\[6\]\.trace\[0\] is 1; expected a string/,
			statement(6, { trace: [1] })],
		['a trace has no lines', /statements\[10\] \(trace\) has no lines/,
			statement(10, { lines: undefined })],
	])('%s', (_, message, what) => {
		const said = typeof what === 'string' ? what : JSON.stringify(what);
		expect(() => parseRecording(said, 'f'))
			.toThrow(message);
	});

	test('no file', () => {
		expect(() => readRecording(join(folder,
			'none.json'))).toThrow(/none\.json: ENOENT/);
	});
});
