// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page of a cgroup that reclaim meets, and who has touched it last: the mm's own table, that of a
 * stranger, or a guest of either; before reclaim, or in the window between page_referenced() and
 * try_to_unmap(). What must become of it is derived beside each row.
 */
import { describe, expect, test } from 'vitest';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { isFailure, runProgram, type Runner } from '../../src/sim/litmus/runner.ts';

const OLD = 'v5.10', NEW = 'v5.10.4';

function checkRun(source: string, kernel: string): Runner {
	const runner = runProgram(parseLitmus(source, 'scenario'), parseKernel(kernel), {
		onStatement: ({ machine }) => machine.checkInvariants() });
	const failed = runner.observations.filter(({ outcome }) => isFailure(outcome))
		.map(({ statement, outcome }) => ({ text: statement.text, outcome }));

	expect(failed).toEqual([]);
	return runner;
}

/* What the last `notifiers` showed. */
const told = (runner: Runner): readonly string[] => {
	const { outcome } = runner.observations.findLast(({ statement }) =>
		statement.kind === 'notifiers')!;

	return outcome.kind === 'notifiers' ? outcome.lines : [];
};

/*
 * A's page is shared with F, a stranger; both have it young and then old. F maps it afresh where
 * its own entry is to be touched: a plain read would be hidden by the TLB.
 */
const SHARED = `machine ram=64M swap=16M
cgroup M
memfd f 64
task a cgroup=M
task x
a: m = mmap f 64 rw shared
x: m = mmap f 64 rw shared
a: write m
x: read m
`;
const AGE = 'drain\na: clear_refs\nx: clear_refs\n';
const vm = (task: string, format: string): string =>
	`vm v task=${task} ${format}\nv: slot 0x10000 m\n`;
/* The guest's entry is there and old, as the host's: clear_refs asks no secondary MMU. */
const OLD_GUEST = 'v: read 0x10000\n';

describe.each([OLD, NEW])('on %s', (kernel) => {
	const before = kernel === OLD;
	const gone = 'expect a.m[0] present=0\n', kept = 'expect x.m[0] present=1 active=1\n';

	test("1: global reclaim sees the stranger's entry", () => {
		checkRun(`${SHARED}${AGE}x: munmap m\nx: m = mmap f 64 rw shared\nx: read m[0]\n` +
			'reclaim / 1\nexpect x.m[0] present\n', kernel);
	});

	test("2: reclaim of M does not see it; the old unmap is stopped by it", () => {
		checkRun(`${SHARED}${AGE}x: munmap m\nx: m = mmap f 64 rw shared\nx: read m[0]\n` +
			'reclaim M 32\n' +
			(before ? kept : `${gone}expect x.m[0] present=0\n`), kernel);
	});

	test.each(['npt', 'ept', 'ept-noad', 'shadow'])(
		"3: a stranger's guest alone: zapped at the start, so reclaimed (%s)", (format) => {
			checkRun(`${SHARED}${vm('x', format)}${OLD_GUEST}${AGE}v: read 0x10000\n` +
				`reclaim M 32\n${gone}expect x.m[0] present=0\n` +
				'expect v[0x10000] present=0\n', kernel);
		});

	test("4: the same with the stranger's own entry young from the fault", () => {
		/* The entry is made anew by KVM's fault, which leaves it young. */
		checkRun(`${SHARED}${vm('x', 'npt')}${AGE}x: madvise m[0] dontneed\n` +
			'v: read 0x10000\n' +
			`reclaim M 32\n${before ? kept : `${gone}expect x.m[0] present=0\n`}` +
			'expect v[0x10000] present=0\n', kernel);
	});

	test("5: a guest of M's own is seen by page_referenced()", () => {
		const runner = checkRun(`${SHARED}${vm('a', 'npt')}${OLD_GUEST}${AGE}` +
			'v: read 0x10000\n' +
			'notifiers v\nreclaim M 32\nnotifiers v\nexpect a.m[0] present\n', kernel);
		expect(told(runner)).toContain('clear_flush_young a.m[0] young');
	});

	const ANON = `machine ram=64M swap=16M
cgroup M
task a cgroup=M
a: m = mmap anon 64 rw private
a: write m
vm v task=a npt
v: slot 0x10000 m
drain
a: clear_refs
`;
	/* Page 0 is young in neither table: its SPTE is not there yet. */
	const window = (who: string): string =>
		`${ANON}at page_check_references.return m[0]: ${who}\nreclaim M 32\n`;

	test("6: the window, by the CPU: rescued before 013339df116c, lost after", () => {
		checkRun(`${window('a: read m[0]')}expect m[0] ` +
			`${before ? 'present active' : 'swapped'}\n`, kernel);
	});

	test("7: the window, by the guest alone: lost on both", () => {
		checkRun(`${window('v: read 0x10000')}expect m[0] swapped\n` +
			'expect v[0x10000] present=0\n', kernel);
	});

	test('8: a stranger that has it locked: mlocked where it is to be unmapped', () => {
		checkRun(`${SHARED}${AGE}x: mlock m\nx: munlock m\n`, kernel);
		checkRun(`${SHARED}x: mlock m[0]\ndrain\na: clear_refs\nreclaim M 32\n` +
			'expect x.m[0] present unevictable\n', kernel);
	});

	test('9: its own lock: never unmapped', () => {
		checkRun('machine ram=64M swap=16M\ncgroup M\ntask a cgroup=M\n' +
			'a: m = mmap anon 64 rw private\na: write m\na: mlock m[0]\ndrain\n' +
			'reclaim M 32\nexpect m[0] present unevictable\n', kernel);
	});
});

/*
 * What KVM is told of one 4 KiB page, callback by callback. CFY clear_flush_young (one by
 * page_referenced(), one by try_to_unmap_one() before 013339df116c), S and E range_start and _end,
 * IR invalidate_range: right after the entry of an anonymous page became a swap entry, and once
 * more by range_end for all that have it.
 */
describe('what KVM is told of a page that is unmapped', () => {
	const CFY = 'clear_flush_young', S = 'invalidate_range_start', IR = 'invalidate_range',
		E = 'invalidate_range_end';
	const names = (runner: Runner): string[] => told(runner)
		.filter((line) => line.includes('a.m[0]')).map((line) => line.split(' ')[0]!);
	const anon = 'machine ram=64M swap=16M\ncgroup M\ntask a cgroup=M\n' +
		'a: m = mmap anon 64 rw private\na: write m\nvm v task=a npt\nv: slot 0x10000 m\n' +
		'drain\na: clear_refs\n';
	const shared = `${SHARED}${vm('a', 'npt')}${AGE}`;

	test.each([
		['anonymous, swapped out', anon, 'reclaim M 32\n', OLD, [CFY, S, CFY, IR, IR, E]],
		['anonymous, swapped out', anon, 'reclaim M 32\n', NEW, [CFY, S, IR, IR, E]],
		['of a file', shared, 'reclaim M 32\n', OLD, [CFY, S, CFY, IR, E]],
		['of a file', shared, 'reclaim M 32\n', NEW, [CFY, S, IR, E]],
		['rescued by the CPU', anon,
			'at page_check_references.return m[0]: a: read m[0]\n' +
			'reclaim M 32\n', OLD, [CFY, S, CFY, IR, E]],
	])('%s (%#)', (_, setup, reclaim, kernel, callbacks) => {
		const program = `${setup}notifiers v\n${reclaim}notifiers v\n`;
		const runner = checkRun(program, kernel as string);
		expect(names(runner)).toEqual(callbacks);
	});
});

/*
 * The argument in two programs that differ in one line. v5.10: a reference in the window rescues
 * the page if the CPU made it, and not if a guest did, because range_start has zapped it.
 */
describe('one line apart', () => {
	const program = (line: string): string => `machine ram=64M swap=16M
cgroup A
task q cgroup=A
q: m = mmap anon 64 rw private
q: write m
vm v task=q npt
v: slot 0x10000 m
drain
q: clear_refs
at page_check_references.return m[0]: ${line}
reclaim A 32
show m[0]
`;
	const at0 = (line: string, kernel: string): unknown =>
		checkRun(program(line), kernel).observations.at(-1)!.outcome;

	test('the CPU rescues on v5.10 alone', () => {
		expect(at0('q: read m[0]', OLD))
			.toMatchObject({ counts: { present: 1, active: 1 } });
		expect(at0('q: read m[0]', NEW)).toMatchObject({ counts: { swapped: 1 } });
	});
	test('the guest rescues on neither', () => {
		/* Its fault finds the host's entry there and old: it sets no accessed bit in it. */
		expect(at0('v: read 0x10000', OLD)).toMatchObject({ counts: { swapped: 1 } });
		expect(at0('v: read 0x10000', NEW)).toMatchObject({ counts: { swapped: 1 } });
	});
});

/*
 * exit_mmap() undoes mlock by rmap_walk(), when the vCPUs' threads have exited: the guest does not
 * run there, and mm_count, which the invariants count, is not held by who is dead.
 */
test('a guest of a task that exits does not run', () => {
	const runner = runProgram(parseLitmus(`machine ram=64M swap=16M
memfd f 4
task t
task u
t: m = mmap f 4 rw shared
u: n = mmap f 4 rw shared
t: write m
u: read n
vm v task=t ept
v: slot 0x10000 m
v: read 0x10000 4
t: mlock m
drain
at rmap_walk.locked: v: read 0x10000
t: exit
`, 'exit'), parseKernel(NEW), { onStatement: ({ machine }) => machine.checkInvariants() });

	expect(runner.observations.flatMap(({ outcome, statement }) =>
		outcome.kind === 'refused' ? [`${statement.text}: ${outcome.error}`] : []))
		.toEqual(['v: read 0x10000: ESRCH']);
});

/*
 * KVM_RUN of a vCPU that runs takes its mutex: the second waits, and the first goes on where it
 * was. Both values must be there afterwards.
 */
test.each(['npt', 'ept', 'ept-noad', 'shadow'])(
	'a guest that is run while it runs waits (%s)', (format) => {
		checkRun(`machine ram=64M swap=16M
task q
q: m = mmap anon 4 rw private
vm v task=q ${format}
v: slot 0x10000 m
at handle_pte_fault: v: write 0x12000 1 9
v: write 0x10000 2 5
expect value q.m[0..1] = 5
expect value q.m[2] = 9
`, NEW);
	});
