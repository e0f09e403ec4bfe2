// SPDX-License-Identifier: GPL-2.0-only
/* What running a program means: refusals, signals, killed tasks, guards, hooks, the step budget. */
import { describe, expect, test } from 'vitest';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { ResumeError, Runner, runProgram, type Outcome, type RunOptions }
	from '../../src/sim/litmus/runner.ts';
import { boot } from '../../src/sim/machine.ts';

const program = (text: string) => parseLitmus(text, 'p.litmus');
function run(text: string, kernel = 'v5.10.223', options: RunOptions = {}): Runner {
	const runner = runProgram(
		program(`machine ram=32M swap=8M\n${text}`), parseKernel(kernel), options);

	if (runner.observations.every(({ outcome }) => outcome.kind !== 'endless'))
		runner.machine.checkInvariants();
	return runner;
}

/* Outcomes by line (machine is line 1), those of hooks' bodies by the line of the `at`. */
function outcomes(runner: Runner): Record<number, Outcome> {
	return Object.fromEntries(runner.observations.map(({ place, outcome }) =>
		[runner.program.statements[place]!.span.line, outcome]));
}
const ANON = 'task a\na: m = mmap anon 8 rw private\na: write m\n';

/*
 * A's pages are met by reclaim in turn; b is another task with memory of its own. 64 pages are two
 * batches of the charge stock, so lowering memory.high by 32 pages reclaims as many at least.
 */
const HOOKED = `cgroup A
task a cgroup=A
a: m = mmap anon 64 rw private
a: write m
task b
b: n = mmap anon 4 rw private
b: write n
drain
a: clear_refs
`;

describe('refusals', () => {
	test('an access beyond its protection ends the task, and the run fails', () => {
		const runner = run('task a\na: m = mmap anon 1 r private\na: write m\na: read m');
		const seen = outcomes(runner);

		expect(seen[4]).toEqual(
			{ kind: 'refused', error: 'SIGSEGV', where: 'write', asked: false });
		expect(seen[5]).toEqual(
			{ kind: 'refused', error: 'ESRCH', where: 'task a', asked: false });
		expect(runner.failed).toBe(2);
	});

	test('unless an expect errno follows', () => {
		const runner = run('task a\na: m = mmap anon 1 r private\na: write m\ntrace\n' +
			'expect errno SIGSEGV\nexpect errno OK');
		const seen = outcomes(runner);

		expect(seen[4]).toMatchObject({ kind: 'refused', error: 'SIGSEGV', asked: true });
		expect(seen[6]).toEqual({ kind: 'expect', held: true, got: 'SIGSEGV' });
		expect(seen[7]).toEqual({ kind: 'expect', held: false, got: 'SIGSEGV' });
		expect(runner.failed).toBe(1);
	});

	test('an expect errno for other kernels does not count', () => {
		const text = 'vm.swappiness = 201\nexpect [-013339df116c] errno EINVAL';

		expect(run(text).failed).toBe(1);
		expect(run(text, 'v5.10').failed).toBe(0);
	});

	test('a system call', () => {
		const runner = run('task a\na: m = mmap anon 4 rw private\na: munmap m[1]\n' +
			'a: mprotect m r\nexpect errno ENOMEM\na: read m[0]\nexpect errno OK');
		expect(runner.failed).toBe(0);
	});

	test('a file of the kernel that this kernel has not', () => {
		const text = 'cgroup A\nA/memory.reclaim = 4096\nexpect errno ENOENT';
		expect(run(text).failed).toBe(0);
		expect(run(text, 'v5.10.223+94968384dde1').failed).toBeGreaterThan(0);
	});

	test('an expectation of a task that is gone does not hold', () => {
		const runner = run(
			'task a\na: m = mmap anon 1 r private\na: write m\nexpect errno SIGSEGV\n' +
			'expect m present=0\nshow m');
		const seen = outcomes(runner);
		expect(seen[6]).toMatchObject({ kind: 'expect', held: false });
		expect(seen[7]).toMatchObject({ kind: 'refused', error: 'ESRCH' });
	});
});

test('the OOM killer names its victims', () => {
	const runner = runProgram(program(`machine ram=32M swap=0
		cgroup A
		A/memory.max = 512K
		task big cgroup=A
		big: m = mmap anon 100 rw private
		big: write m
		task a cgroup=A
		a: m = mmap anon 32 rw private
		a: write m`), undefined);
	const last = runner.observations.at(-1)!;

	/* oom_badness(): the one with more pages; of its 100 faults the first 64 are counted */
	expect(last).toMatchObject({ outcome: { kind: 'done' }, killed: ['big'] });
	expect(runner.failed).toBe(0);
	runner.machine.checkInvariants();
});

describe('guards', () => {
	const text = `${ANON}[+013339df116c] a: madvise m dontneed
		[-013339df116c] a: clear_refs
		[+013339df116c -feb889fb40fa] drain
		show m`;

	test('choose by what the kernel has', () => {
		const after = outcomes(run(text)), before = outcomes(run(text, 'v5.10.3'));

		expect([5, 6, 7].map((line) => after[line]!.kind)).toEqual(
			['done', 'skipped', 'skipped']);
		expect([5, 6, 7].map((line) => before[line]!.kind)).toEqual(
			['skipped', 'done', 'skipped']);
		expect(outcomes(run(text, 'v5.10.4'))[7]!.kind).toBe('done');
		expect(after[8]).toMatchObject({ kind: 'show', pages: 8, counts: { present: 0 } });
		expect(before[8]).toMatchObject({ kind: 'show', counts: { present: 8 } });
	});
});

describe('what is asked', () => {
	test('counts, flags, values, errno', () => {
		const runner = run(`${ANON}a: write m[2..3] 7
			expect m present=8 anon=8 young=8
			expect m present !swapped
			expect value m[2..3] = 7
			expect value m = 7
			expect m present=7 anon=8
			expect m[0] swapped
			expect m !present`);
		const seen = outcomes(runner);

		expect([6, 7, 8].map((line) => seen[line])).toEqual([
			{ kind: 'expect', held: true, got: 'present=8 anon=8 young=8' },
			{ kind: 'expect', held: true, got: 'present=8 swapped=0' },
			{ kind: 'expect', held: true, got: 'm[2] = 7' }]);
		expect([9, 10, 11, 12].map((line) => seen[line])).toEqual([
			{ kind: 'expect', held: false, got: 'm[0] = 1' },
			{ kind: 'expect', held: false, got: 'present=8 anon=8' },
			{ kind: 'expect', held: false, got: '!swapped' },
			{ kind: 'expect', held: false, got: 'present=8' }]);
		expect(runner.failed).toBe(4);
	});

	test('a page that is read after it was swapped out has its value', () => {
		const runner = run(`${ANON}a: write m[5] 55
			drain
			a: clear_refs
			a: madvise m pageout
			expect m swapped=8
			expect value m[5] = 55
			expect m[5] present`);
		expect(runner.failed).toBe(0);
	});

	test('trace shows each line once; expect trace sums those of the last reclaim', () => {
		const runner = run(`${HOOKED}reclaim A 32
			trace
			trace
			show m
			expect trace memcg_reclaim_begin lines=1`);
		const seen = outcomes(runner);
		const [first, second] = [seen[12]!, seen[13]!];

		expect(first).toMatchObject({ kind: 'trace' });
		expect(first.kind === 'trace' && first.lines[0])
			.toBe('mm_vmscan_memcg_reclaim_begin: order=0 ' +
			'gfp_flags=GFP_HIGHUSER_MOVABLE');
		expect(second).toEqual({ kind: 'trace', lines: [] });
		expect(seen[15]).toEqual({ kind: 'expect', held: true, got: 'lines=1' });
	});

	test('fork: the child has the parent\'s memory, and from then on its own', () => {
		expect(run(`${ANON}a: fork b
			a: write m 2
			expect value b.m = 1
			expect value a.m = 2
			b: munmap m
			expect a.m present=8`).failed).toBe(0);
	});

	test('mremap: the name stands for the new place', () => {
		expect(run(`${ANON}a: n = mmap anon 1 rw private
			a: mremap m 32
			a: write m[31] 3
			expect value m[0] = 1
			expect value m[31] = 3
			a: mremap m 2
			expect m present=2`).failed).toBe(0);
	});
});

describe('hooks', () => {
	test('one runs once, for a page of its range only, in the middle of a statement', () => {
		const runner = run(`${HOOKED}at page_check_references.return m[2]: b: write n 5
			at page_check_references.return b.n[0]: b: write n 6
			reclaim A 32
			expect value n = 5`);
		const seen = runner.observations.filter(({ during }) => during !== undefined);

		expect(seen).toMatchObject([{ place: 9, during: 11, outcome: { kind: 'done' },
			statement: { text: 'b: write n 5' } }]);
		expect(outcomes(runner)[12]).toEqual({ kind: 'never met' });
		expect(runner.failed).toBe(0);
	});

	test('several at one point run in the order of the program', () => {
		const runner = run(`${HOOKED}at page_check_references.return m[0]: b: write n 5
			at page_check_references.return m[0]: b: write n 6
			reclaim A 32
			expect value n = 6`);
		expect(runner.failed).toBe(0);
		expect(runner.observations.filter(({ during }) => during !== undefined)
			.map(({ place }) => place)).toEqual([9, 10]);
	});

	test('a page is known after its page-table entry is gone', () => {
		const runner = run(`${HOOKED}at try_to_unmap_one.pte_cleared m[3]: b: write n[0] 9
			at shrink_page_list.pageout.return m[4]: b: write n[1] 9
			at __remove_mapping m[5]: b: write n[2] 9
			reclaim A 32
			expect value n[0..2] = 9`);
		expect(runner.failed).toBe(0);
	});

	test("a shmem page in the swap cache is still its file's", () => {
		const runner = run(`cgroup A
			memfd f 64
			task a cgroup=A
			a: m = mmap f 64 rw shared
			a: write m
			task b
			b: n = mmap anon 1 rw private
			drain
			a: clear_refs
			at __remove_mapping m[2]: b: write n 3
			reclaim A 32
			expect value n = 3`);
		expect(runner.failed).toBe(0);
		expect(runner.observations.find(({ during }) =>
			during !== undefined)).toBeDefined();
	});

	test('an access that would block waits for the end of the statement it interrupted', () => {
		/* The page is locked and unmapped: the fault finds it in the swap cache. */
		const runner = run(
			`${HOOKED}at shrink_page_list.try_to_unmap.return m[1]: a: write m[0..3] 4
			reclaim A 32
			expect value m[0..3] = 4
			expect m[4..7] swapped`);
		const hook = runner.observations.find(({ during }) => during !== undefined)!;

		expect(hook).toMatchObject({ place: 9, during: 10, outcome: { kind: 'done' } });
		expect(runner.failed).toBe(0);
	});

	test('a system call that would block waits too, and has done nothing before', () => {
		const runner = run(`${HOOKED}at shrink_page_list.page_locked m[1]: a: munmap m[0..3]
			reclaim A 32
			a: read m[1]
			expect errno SIGSEGV`);
		expect(runner.observations.find(({ during }) => during !== undefined))
			.toMatchObject({ outcome: { kind: 'done' } });
		expect(runner.failed).toBe(0);
	});

	test('the interrupted task itself cannot run before it is done', () => {
		const runner = run(`${ANON}at handle_pte_fault m[2]: a: write m 8
			a: madvise m dontneed
			a: read m
			expect value m = 8`);
		expect(runner.failed).toBe(0);
	});

	test('a fault before its page is there is met by its address', () => {
		const runner = run(`task a
			a: m = mmap anon 4 rw private
			task b
			b: n = mmap anon 1 rw private
			at handle_pte_fault m[2]: b: write n 3
			a: write m[0..1]
			expect n present=0
			a: write m[2]
			expect value n = 3`);
		expect(runner.failed).toBe(0);
	});

	test('a copy of a page is met by the address it is made for', () => {
		const runner = run(`${ANON}a: fork b
			task c
			c: n = mmap anon 1 rw private
			at wp_page_copy.copied b.m[5]: c: write n 7
			a: write m[5] 2
			expect n present=0
			b: write b.m[5] 3
			expect value n = 7`);
		expect(runner.failed).toBe(0);
	});

	test('a signal in a hook is a failure of the hook', () => {
		const runner = run(`${HOOKED}b: munmap n[0]
			at page_check_references.return: b: read n
			reclaim A 32`);
		expect(runner.observations.find(({ during }) => during !== undefined))
			.toMatchObject({ outcome: { kind: 'refused', error: 'SIGSEGV' } });
		expect(runner.failed).toBe(1);
	});

	test('an armed hook is part of a snapshot', () => {
		const text =
			`machine ram=32M\n${HOOKED}at page_check_references.return m[2]: b: ` +
			`write n 5
			drain
			reclaim A 32
			expect value n = 5`;
		const parsed = program(text);
		const bytes = runProgram(parsed, undefined, { until: 11 }).machine.snapshot();
		boot({ ram: 32 * 1048576 });
		const rest = runProgram(parsed, undefined, { from: bytes });

		expect(rest.observations.map(({ place }) => place)).toEqual([9, 11, 12]);
		expect(rest.failed).toBe(0);
	});
});

describe('an end', () => {
	test('comes to a run that takes too many steps', () => {
		const runner = run(
			`${ANON}a: write m\nexpect m present=8`, 'v5.10.223', { stepBudget: 15 });

		expect(runner.done).toBe(true);
		expect(runner.observations.at(-1)!.outcome).toEqual({ kind: 'endless',
			message: 'more than 15 steps: a statement does not come to its end' });
		expect(runner.failed).toBe(1);
	});

	test('a snapshot of another program, or of none, is refused', () => {
		const one = runProgram(program('drain'), undefined).machine.snapshot();
		const none = boot().snapshot();

		expect(() => new Runner(program('drain '), undefined, { from: one }))
			.toThrow(new ResumeError('the snapshot was taken by another program'));
		expect(() => new Runner(program('drain'), undefined, { from: none }))
			.toThrow(new ResumeError('the snapshot was not taken by a litmus program'));
	});
});
