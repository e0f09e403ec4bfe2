// SPDX-License-Identifier: GPL-2.0-only
/* What is compared of two runs, and what is not. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { NOT_COMPARED, compare, comparableTrace, notComparedTable }
	from '../../src/oracle/compare.ts';
import { runOurs } from '../../src/oracle/ours.ts';
import type { SeenRun, SeenStatement } from '../../src/oracle/types.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import type { Outcome } from '../../src/sim/litmus/runner.ts';

const KERNEL = parseKernel('v5.10.223');
const program = parseLitmus(`cgroup A
task a cgroup=A
a: m = mmap anon 40 rw private
a: write m
a: clear_refs
reclaim A 40
show m
show m[3]
stat A all
cat A/memory.events
cat /proc/vmstat
trace
a: munmap m[0..1]
a: write m[0]
expect m present=2
cat /proc/vmstat
expect m young=0
`, 'all.litmus');
const run = runOurs(program, KERNEL);
const placeOf = (text: string) => program.statements.findIndex((one) => one.text === text);
const at = (text: string): SeenStatement =>
	run.statements.find(({ place }) => place === placeOf(text))!;

/* The run with one statement seen otherwise. */
const but = (text: string, change: (seen: SeenStatement) => SeenStatement): SeenRun => ({ ...run,
	statements: run.statements.map((seen) =>
		seen.place === placeOf(text) ? change(seen) : seen) });
/* Whatever an outcome of any kind has. */
interface AnyOutcome {
	readonly counts: Readonly<Record<'active', number>>;
	readonly flags: readonly string[];
	readonly values: readonly (readonly [string, number])[];
	readonly text: string;
	readonly lines: readonly string[];
	readonly held: boolean;
}
const outcome = (text: string, change: (outcome: AnyOutcome) => object): SeenRun =>
	but(text, (seen) => ({ ...seen,
		outcome: change(seen.outcome as unknown as AnyOutcome) as Outcome }));
/* More pages swapped out, by every `cat /proc/vmstat`, or the one with a place. */
const swappedOut = (more: number, place?: number): SeenRun => ({ ...run,
	statements: run.statements.map((seen) => {
		const { text } = program.statements[seen.place]!;
		if (text !== 'cat /proc/vmstat' || (place ?? seen.place) !== seen.place)
			return seen;
		const { text: before } = seen.outcome as unknown as AnyOutcome;
		return { ...seen, outcome: { kind: 'cat', text: before.replace(/pswpout (\d+)/,
			(_, n) => `pswpout ${Number(n) + more}`) } };
	}) });
const differs = (other: SeenRun) => compare(program, other, run).first?.field;

test('the run itself has everything', () => {
	expect(run.ended).toBe('whole');
	expect(at('reclaim A 40').trace!.length).toBeGreaterThan(3);
	expect(at('a: write m[0]').outcome).toMatchObject({ kind: 'refused', error: 'SIGSEGV' });
});

test('a run is equal to itself, in many fields', () => {
	const { fields, different, first } = compare(program, run, run);

	expect({ different, first }).toEqual({ different: 0, first: undefined });
	expect(fields).toBeGreaterThan(100);
});

describe('what is compared', () => {
	test.each<[string, string, SeenRun]>([
		['a page count', 'active', outcome('show m', (o) =>
			({ ...o, counts: { ...o.counts, active: o.counts.active + 1 } }))],
		['the flags of a page', 'flags', outcome('show m[3]', (o) =>
			({ ...o, flags: [...o.flags, 'ACTIVE'] }))],
		['memory.stat', 'pgsteal', outcome('stat A all', (o) =>
			({ ...o, values: o.values.map(([key, value]) =>
				[key, value + Number(key === 'pgsteal')]) }))],
		['a file', 'low', outcome('cat A/memory.events', (o) =>
			({ ...o, text: o.text.replace('low 0', 'low 1') }))],
		['growth in /proc/vmstat', 'pswpout', swappedOut(1, program.statements.length - 2)],
		['a line of the trace', 'line[1]', outcome('trace', (o) =>
			({ ...o, lines: [...o.lines].with(1, o.lines[1]!.replace(/nr_taken=\d+/,
				'nr_taken=99')) }))],
		['a line of the trace as it came', 'trace[0]', but('reclaim A 40', (seen) =>
			({ ...seen, trace: seen.trace!.slice(1) }))],
		['a line more', `trace[${at('reclaim A 40').trace!.length}]`,
			but('reclaim A 40', (seen) =>
				({ ...seen, trace: [...seen.trace!, 'mm_x: 1'] }))],
		['a signal', 'error', outcome('a: write m[0]', (o) => ({ ...o, error: 'SIGBUS' }))],
		['whether it was refused', 'outcome', outcome('a: munmap m[0..1]', () =>
			({ kind: 'refused', error: 'ENOMEM', where: '', asked: false }))],
		['whether an expectation held', 'held', outcome('expect m present=2', (o) =>
			({ ...o, held: !o.held }))],
		['faults', 'pgfault', outcome('stat A all', (o) => ({ ...o, values: o.values.map(
			([key, value]) =>
				[key, value + Number(key === 'pgfault')]) }))],
		['who was killed', 'killed', but('a: write m', (seen) =>
			({ ...seen, killed: ['a'] }))],
		['a statement that never came', 'outcome', { ...run,
			statements: run.statements.filter((_, i) => i !== 4) }],
		['an early end', 'end of the run',
			{ ...run, ended: { atPlace: 9, reason: 'panic' } }],
	])('%s', (_, field, other) => {
		expect(differs(other)).toBe(field);
	});
});

describe('what is not', () => {
	test.each<[string, SeenRun]>([
		['young', outcome('show m', (o) => ({ ...o, counts: { ...o.counts, young: 9 } }))],
		['an expectation about young', outcome('expect m young=0', (o) =>
			({ ...o, held: !o.held }))],
		['pfns and struct pages', but('reclaim A 40', (seen) => ({ ...seen,
			trace: seen.trace!.map((line) => line.replace(/page=\S+ pfn=\d+/,
				'page=00000000d4c0ffee pfn=777')) }))],
		['slab shrinkers', but('reclaim A 40', (seen) => ({ ...seen,
			trace: ['mm_shrink_slab_start: super_cache_scan: nid: 0',
				...seen.trace!] }))],
		['what /proc/vmstat was at first', swappedOut(1000)],
		['the words of a refusal', outcome('a: write m[0]', (o) =>
			({ ...o, where: 'elsewhere', asked: true }))],
		['what a guard excludes', outcome('show m', () => ({ kind: 'skipped' }))],
		['the name of the kernel', { ...run, kernel: '5.10.0-32-cloud-amd64' }],
	])('%s', (_, other) => {
		expect(differs(other)).toBeUndefined();
	});

	test('is one table, which the documentation has', () => {
		const docs = readFileSync(new URL('../../docs/oracle.md', import.meta.url), 'utf8');

		expect(docs).toContain(notComparedTable());
		expect(NOT_COMPARED.every(({ names, why }) => names.length && why)).toBe(true);
	});
});

test('the first difference is the earliest', () => {
	const later = outcome('stat A all', (o) => ({ ...o, values: [] }));
	const both: SeenRun = { ...later, statements: later.statements.map((seen) =>
		seen.place === placeOf('show m') ? { place: seen.place, outcome: { kind: 'done' } }
			: seen) };
	const { first, different } = compare(program, both, run);

	expect(first).toMatchObject({ place: placeOf('show m'), field: 'outcome',
		theirs: 'done', ours: 'show' });
	expect(different).toBeGreaterThan(20);
});

test('both ended early at the same place: equal up to there', () => {
	const cut = (reason: string): SeenRun => ({ ...run, ended: { atPlace: 5, reason },
		statements: run.statements.slice(0, 5) });

	expect(compare(program, cut('panic'), cut('no way')).different).toBe(0);
	expect(compare(program, cut('panic'), run).first).toMatchObject(
		{ place: 5, field: 'end of the run', theirs: 'panic' });
});

test('a trace line without what is chance', () => {
	expect(comparableTrace('mm_vmscan_writepage: page=00000000d4c0ffee pfn=5120 flags=X'))
		.toBe('mm_vmscan_writepage: flags=X');
	expect(comparableTrace('mm_vmscan_lru_isolate: isolate_mode=0 classzone=4 order=0'))
		.toBe('mm_vmscan_lru_isolate: isolate_mode=0 order=0');
	expect(comparableTrace('mm_shrink_slab_end: x')).toBeUndefined();
});
