// SPDX-License-Identifier: GPL-2.0-only
/*
 * What statements do to the machine, each with why beside it. Every program runs on both sides of
 * the modelled history, with the invariants after each statement, and all it expects must hold.
 */
import { describe, expect, test } from 'vitest';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { isFailure, runProgram, type Runner } from '../../src/sim/litmus/runner.ts';

function run(text: string, kernel: string): Runner {
	return runProgram(parseLitmus(text, 'p.litmus'), parseKernel(kernel),
		{ onStatement: ({ machine }) => machine.checkInvariants() });
}

function expectHolds(text: string, seen?: (runner: Runner) => void): void {
	for (const kernel of ['v5.10', 'v5.10.223']) {
		const runner = run(text, kernel);
		expect(runner.observations.filter(({ outcome }) => isFailure(outcome))
			.map(({ statement, outcome }) => [statement.text, outcome])).toEqual([]);
		seen?.(runner);
	}
}

const SMALL = 'machine ram=32M swap=4M\n';
const NO_READAHEAD = '/sys/block/ram1/queue/read_ahead_kb = 0\n';

/* every hook was met */
function met({ observations }: Runner): void {
	expect(observations.filter(({ outcome }) => outcome.kind === 'never met')).toEqual([]);
}

describe('points', () => {
	/* read twice, pages of a file are active; of active ones alone reclaim ages some */
	test('where active pages are put back', () => expectHolds(`${SMALL}cgroup A
		file f 64
		task a cgroup=A
		a: pread f
		drain
		a: pread f
		drain
		at shrink_active_list.putback: a: pread f[0..7]
		reclaim A 16
		a: m = mmap f 64 r shared
		expect value a.m[0] = 1`, met));

	/* munmap needs the lock of the anon_vma for writing: it waits for the end of the walk */
	test('where rmap has its lock', () => expectHolds(`${SMALL}cgroup A
		task a cgroup=A
		a: m = mmap anon 80 rw private
		a: write m 4
		drain
		a: clear_refs
		at rmap_walk.locked m[3]: a: munmap m[3]
		at try_to_unmap_one.pte_locked m[5]: a: write m[5] 9
		at shrink_page_list.unlock m[6]: a: write m[6] 8
		at shrink_inactive_list.putback: a: read m[0]
		reclaim A 64
		expect value a.m[5] = 9
		expect value a.m[6] = 8
		expect value a.m[0] = 4
		expect m[3] present=0 swapped=0`, met));
});

describe('a file on the disk', () => {
	test('has contents, and nothing in memory', () => expectHolds(`${SMALL}file f 300
		expect f cached=0
		task a
		a: m = mmap f 300 r shared
		expect value a.m[0] = 1
		expect value a.m[254] = 255
		expect value a.m[299] = 44`));			/* 300 & 255 */

	/* force_page_cache_ra() reads what was asked for, where there is no readahead */
	test('is read without readahead', () => expectHolds(`${SMALL}${NO_READAHEAD}file f 64
		task a
		a: pread f[5]
		expect f cached=1
		expect f[5] cached=1`));

	/* POSIX_FADV_RANDOM: as many as the call asks for, at once */
	test('is read at random', () => expectHolds(`${SMALL}file f 64
		task a
		a: fadvise f random
		a: pread f[8..11]
		expect f cached=4`));

	/*
	 * 32 pages of readahead: the first window of one page is 4 (get_init_ra_size(1, 32): 1 * 4,
	 * as 1 is at most 32 / 32); page 1, where it is marked, brings the next, twice as long
	 */
	test('is read ahead', () => expectHolds(`${SMALL}file f 64
		task a
		a: pread f[0]
		expect f cached=4
		a: pread f[1]
		expect f cached=12`));

	/* do_sync_mmap_readahead() reads 32 around; fault-around maps the aligned 16 of them */
	test('is mapped around a fault', () => expectHolds(`${SMALL}file f 64
		task a
		a: m = mmap f 64 r shared
		a: read m[0]
		expect f cached=32
		expect m present=16
		/sys/kernel/debug/fault_around_bytes = 4096
		a: read m[20]
		expect m present=17`));

	/* VM_RAND_READ: neither; MADV_SEQUENTIAL: the whole of the limit from there on */
	test('is mapped by advice', () => expectHolds(`${SMALL}file f 64
		/sys/kernel/debug/fault_around_bytes = 4096
		task a
		a: m = mmap f 64 r shared
		a: madvise m random
		a: read m[9]
		expect f cached=1
		a: madvise m sequential
		a: read m[32]
		expect f[32..63] cached=32`));

	test('keeps what is written, through the cache and through a mapping', () => expectHolds(
		`${SMALL}${NO_READAHEAD}file f 16
		task a
		a: pwrite f[0..3] 7
		a: m = mmap f 16 rw shared
		a: write m[4..5] 9
		a: read m
		expect m dirty=6			# page_mkwrite() has set two
		fsync f
		expect m dirty=0
		a: munmap m
		vm.drop_caches = 1
		expect f cached=0
		a: m = mmap f 16 r private
		expect value m[0..3] = 7
		expect value m[4] = 9
		expect value m[6] = 7`));			/* untouched: 6 + 1 */

	/* dirty pages stay in the cache: only sync makes them go */
	test('is dropped when it is clean', () => expectHolds(`${SMALL}file f 16
		task a
		a: pwrite f 1
		vm.drop_caches = 1
		expect f cached=16
		sync
		vm.drop_caches = 1
		expect f cached=0
		a: pread f
		a: fadvise f dontneed
		expect f cached=0
		a: fadvise f[0..7] willneed
		expect f cached=8`));

	test('ends where it is truncated', () => expectHolds(`${SMALL}file f 16
		task a
		a: m = mmap f 16 rw shared
		a: read m
		truncate f 4
		expect m present=4
		expect f[0..15] cached=4
		a: read m[4]
		expect errno SIGBUS`));

	test('grows again with zeros', () => expectHolds(`${SMALL}file f 16
		truncate f 4
		truncate f 16
		task a
		a: m = mmap f 16 r shared
		expect value m[3] = 4
		expect value m[4] = 0`));

	/*
	 * each task has its own open file: advice to a says nothing about what b reads, and a child
	 * has its parent's
	 */
	test('is open once in each task', () => expectHolds(`${SMALL}file f 64
		task a
		task b
		a: fadvise f random
		b: pread f[0]
		expect f cached=4
		drain				# what is in a batch is not dropped
		vm.drop_caches = 1
		a: fork c
		c: pread f[0]
		expect f cached=1`));

	test('on a disk that takes its time', () => expectHolds(`machine ram=32M swap=4M io=later
		file f 16
		task a
		a: pwrite f[0..3] 7
		a: m = mmap f 16 r shared
		a: read m[0..3]
		a: fadvise f dontneed			# starts to write them
		expect m[0..3] writeback=4 dirty=0
		complete 1
		expect m[0..3] writeback=3
		complete
		expect m[0..3] writeback=0
		a: pread f[8..15]
		expect value a.m[15] = 16`));

	test('in a memfd, truncate', () => expectHolds(`${SMALL}memfd f 8
		task a
		a: m = mmap f 8 rw shared
		a: write m
		truncate f 3
		expect m present=3`));
});

describe('swap devices', () => {
	/* the device of the higher priority first; swapoff brings all back */
	test('by priority', () => expectHolds(`${SMALL}cgroup A
		task a cgroup=A
		a: m = mmap anon 64 rw private
		a: write m 5
		swapon s 1M prio=7
		a: madvise m[0..31] pageout
		expect m[0..31] swapped=32
		cat /proc/swaps
		swapoff s
		expect m[0..31] swapped=0
		swapoff swap
		a: madvise m pageout
		expect m swapped=0 present=64		# no swap, no anonymous page goes
		swapon swap
		a: madvise m pageout
		expect m swapped=64
		expect value m = 5`, (runner) => {
		const text = runner.observations.map(({ outcome }) =>
			outcome.kind === 'cat' ? outcome.text : '').join('');
		/* in order of priority; s has 255 pages besides its header, and took the 32 */
		const lines = text.split('\n').slice(1, 3);
		expect(lines.map((line) => line.split(/\s+/))).toMatchObject([
			['/dev/ram2', 'partition', '1020', expect.any(String), '7'],
			['/dev/ram0', 'partition', '4092', '0', '-2']]);
	}));
});

describe('mlock', () => {
	test('on fault', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 8 rw private
		a: mlock m onfault
		expect m present=0
		a: write m[0..2]
		expect m present=3 mlocked=3
		a: munlock m
		expect m present=3 mlocked=0`));

	/* MCL_CURRENT reads in all that there is, MCL_FUTURE what comes */
	test('of all', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 8 rw private
		a: mlockall current
		expect m present=8 mlocked=8
		a: n = mmap anon 4 rw private
		expect n present=0
		a: mlockall current future
		a: o = mmap anon 4 rw private
		expect o present=4 mlocked=4
		a: munlockall
		expect m mlocked=0
		a: p = mmap anon 4 rw private
		expect p present=0
		a: mlockall onfault			# needs one of the others
		expect errno EINVAL`));
});

describe('move_pages', () => {
	const NODES = 'machine ram=64M swap=4M nodes=2 cpus=2\n';
	/* node 1 begins at the middle: 8,192 pages each */
	const nodeOf = (runner: Runner, task: string, name: string): number[] => {
		const { machine, program } = runner;
		const seen = program.taskNames.indexOf(task);
		const range = runner.rangeOf(`${task}.${name}`);
		expect(seen).toBeGreaterThanOrEqual(0);
		return Array.from({ length: range.pages }, (_, i) =>
			machine.pfn({ ...range, start: range.start + i * 4096, pages: 1 }) < 8192
				? 0 : 1);
	};
	const counter = (runner: Runner, name: string): number =>
		Number(new RegExp(`^${name} (\\d+)$`, 'm')
			.exec(runner.machine.readFile('/proc/vmstat'))![1]);

	/* task a starts on CPU 1, of node 1, and so does its memory */
	test('of anonymous memory', () => expectHolds(`${NODES}task a
		a: m = mmap anon 8 rw private
		a: write m 3
		a: clear_refs 4
		a: write m[1]				# soft-dirty goes with it
		a: migrate m[0..3] 0
		expect m present=8 lru=4		# on its way to the list
		expect m[0..3] young=0		# mapped anew, and old
		drain
		expect m lru=8
		expect value m[0] = 3`, (runner) => {
		expect(nodeOf(runner, 'a', 'm')).toEqual([0, 0, 0, 0, 1, 1, 1, 1]);
		expect(counter(runner, 'pgmigrate_success')).toBe(4);
		expect(counter(runner, 'pgmigrate_fail')).toBe(0);
	}));

	/* a page that others map too is left alone, unless asked for */
	test('of shared pages', () => expectHolds(`${NODES}task a
		a: m = mmap anon 4 rw private
		a: write m 3
		a: fork b
		a: migrate m 0
		a: migrate m[2..3] 0 all
		expect value a.m = 3
		expect value b.m = 3
		b: write m 5
		expect value a.m = 3`, (runner) => {
		expect(nodeOf(runner, 'a', 'm')).toEqual([1, 1, 0, 0]);
		expect(counter(runner, 'pgmigrate_success')).toBe(2);
	}));

	test('of files, shared memory and cached swap', () => expectHolds(`${NODES}
		cgroup A
		file f 8
		memfd g 8
		task a cgroup=A
		a: m = mmap f 8 rw shared
		a: write m[0..3] 9
		a: read m
		a: n = mmap g 8 rw shared
		a: write n 8
		a: p = mmap anon 8 rw private
		a: write p 7
		a: fork b
		a: madvise p pageout
		a: read p				# b's entries still name the slots
		a: migrate m 0
		a: migrate n 0
		a: migrate p 0
		fsync f
		vm.drop_caches = 1
		expect value a.m[0] = 9
		expect value a.m[7] = 8
		expect value a.n = 8
		expect value a.p = 7
		expect value b.p = 7`, (runner) => {
		expect(nodeOf(runner, 'a', 'n')).toEqual(Array(8).fill(0));
		expect(counter(runner, 'pgmigrate_fail')).toBe(0);
	}));

	/* add_page_for_migration() finds no page, or none on the LRU */
	test('of what is not there', () => expectHolds(`${NODES}task a
		a: m = mmap anon 4 rw private
		a: migrate m 0
		expect m present=0`, (runner) => {
		expect(counter(runner, 'pgmigrate_success')).toBe(0);
	}));

	/* a mlocked page is unmapped for migration all the same, and mlocked at its new place */
	test('of mlocked pages', () => expectHolds(`${NODES}task a
		a: m = mmap anon 4 rw private
		a: mlock m
		a: migrate m 0
		expect m mlocked=4 present=4
		drain
		expect m unevictable=4`, (runner) => {
		expect(nodeOf(runner, 'a', 'm')).toEqual([0, 0, 0, 0]);
	}));

	/* between the entry's removal and the new one, others wait for the end of the migration */
	test('while another task reads', () => expectHolds(`${NODES}task a
		a: m = mmap anon 4 rw private
		a: write m 6
		a: fork b
		at try_to_unmap_one.pte_cleared b.m[1]: b: read m
		at __unmap_and_move.unmapped b.m[2]: b: write m[2..3] 5
		a: migrate m 0 all
		expect value a.m = 6
		expect value b.m[0..1] = 6
		expect value b.m[2..3] = 5`, met));
});

describe('idle pages', () => {
	/* on one CPU without PCIDs, init's turn empties the TLB, so that an access is seen */
	test('are so until they are looked at after an access', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 4 rw private
		a: write m
		drain					# only pages on the LRU are marked
		a: idle m
		expect m idle=4 young=0
		a: read m[0]
		expect m idle=4 young=1			# kpageflags does not look at the entry
		a: idle m check
		expect m idle=3 young=0
		expect m[0] !idle`));

	/*
	 * Reclaim takes the mark of referenced pages away as well. They are the oldest, come back
	 * to the head of the list once, and 32 others go before their second turn.
	 */
	test('in reclaim', () => expectHolds(`${SMALL}cgroup A
		task a cgroup=A
		a: m = mmap anon 80 rw private
		a: write m
		drain
		a: clear_refs				# else the marks would remember the writes
		a: idle m
		a: read m[0..3]
		reclaim A 32
		expect m[0..3] present=4 idle=0`));
});

describe('mremap', () => {
	test('in place, elsewhere, and of what stays', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 4 rw private at=0x10000000
		a: n = mmap anon 4 rw private at=0x10004000
		a: write m 2
		a: mremap m 8 inplace			# n is in the way
		expect errno ENOMEM
		a: mremap n 8 inplace
		a: write n[7] 3
		expect value n[7] = 3
		a: mremap n 8 at=0x20000000
		expect value n[7] = 3
		expect value m[0..3] = 2
		a: o = mmap anon 4 rw private
		a: write o 6
		a: mremap o 8
		expect value o[0..3] = 6
		a: mremap o 8 dontunmap
		expect value o[0..3] = 6`));
});

describe('madvise', () => {
	test('remove punches a hole, also for others', () => expectHolds(`${SMALL}memfd f 8
		task a
		a: m = mmap f 8 rw shared
		a: write m 5
		a: fork b
		b: read m
		a: madvise m[2..3] remove
		expect b.m present=6
		expect value b.m[2] = 0
		expect value b.m[4] = 5`));

	test('wipeonfork', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 4 rw private
		a: write m 5
		a: madvise m wipeonfork
		a: fork b
		expect value b.m = 0
		a: madvise m keeponfork
		a: fork c
		expect value c.m = 5`));
});

describe('files of a task', () => {
	test('by its name', () => expectHolds(`${SMALL}task a
		a: m = mmap anon 4 rw private
		a: write m
		/proc/a/oom_score_adj = -500
		cat /proc/a/oom_score_adj
		cat /proc/a/smaps`, (runner) => {
		const [adj, smaps] = runner.observations.flatMap(({ outcome }) =>
			outcome.kind === 'cat' ? [outcome.text] : []);
		expect(adj).toBe('-500\n');
		expect(smaps).toMatch(/^Rss: +16 kB$/m);
		expect(runner.readFile('/proc/a/comm')).toBe('a\n');
		expect(runner.readFile('/proc/kpageflags')).toHaveLength(8 * 32768);
	}));
});
