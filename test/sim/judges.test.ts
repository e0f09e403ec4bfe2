// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of the kernel's own tree read what the machine shows. Where VMMU_KERNEL_SOURCES names
 * kernel trees (separated by colons; the script of v5.10 itself cannot read v5.10's events, so one
 * of v7.2 comes first), and perl and gcc are at hand, they are run; elsewhere what they said stands
 * in judges/, with how it was made, and is compared.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { list_heads, nr_rows } from '../../src/lib/struct.ts';
import { lruvecs, NR_LRU_LISTS, type lruvec } from '../../src/mm/mmzone.ts';
import { boot, type Task } from '../../src/sim/machine.ts';

const sources = process.env['VMMU_KERNEL_SOURCES']?.split(':');
/* The first tree that has all these files. */
const treeWith = (...paths: readonly string[]): string => {
	const tree = sources!.find((one) => paths.every((path) => existsSync(join(one, path))));

	if (tree === undefined)
		throw new Error(`VMMU_KERNEL_SOURCES: no tree has ${paths.join(', ')}`);
	return tree;
};
const recorded = (name: string): string =>
	readFileSync(fileURLToPath(new URL(`judges/${name}`, import.meta.url)), 'utf8');

const { next } = list_heads;
const MiB = 1024 * 1024;

interface Shown {
	/** Growth of /proc/vmstat over the run. */
	readonly delta: (name: string) => number;
	/** Pages on the LRU lists at its end, of each kind, in the kernel's order. */
	readonly lists: readonly number[];
	readonly trace: string;
	readonly kpageflags: Uint8Array;
}

/* The entries on one LRU list of all cgroups and nodes. */
function pagesOf(lru: number): number {
	let count = 0;

	for (let lruvec = 1 as lruvec; lruvec < nr_rows(lruvecs); lruvec++) {
		const head = lruvecs.lists(lruvec, lru);
		for (let at = next[head]; at && at !== head; at = next[at])
			count++;
	}
	return count;
}

/* 16 MiB, files read through it by direct reclaim, then more anonymous memory than there is RAM. */
function pressure(): Shown {
	const machine = boot({ ram: 16 * MiB, swap: 16 * MiB, io: 'later' });
	const files = Array.from({ length: 6 }, (_, i) => machine.file(`f${i}`, 1000));
	const a = machine.task('a'), b = machine.task('b');
	const used = a.mmap({ pages: 800, prot: 'rw', shared: false });
	const vmstat = (): Map<string, number> => new Map(
		machine.readFile('/proc/vmstat').trimEnd().split('\n').map((line) => {
			const [name, value] = line.split(' ') as [string, string];
			return [name, Number(value)];
		}));

	a.write(used);
	machine.drain();
	const before = vmstat(), mark = machine.traceMark();
	for (const { fd } of files) {
		b.pread({ fd, first: 0, last: 999 });
		a.read({ ...used, pages: 200 });
	}
	b.write(b.mmap({ pages: 3000, prot: 'rw', shared: false }));
	machine.drain();
	machine.checkInvariants();
	const after = vmstat();
	return {
		delta: (name) => after.get(name)! - before.get(name)!,
		lists: Array.from({ length: NR_LRU_LISTS }, (_, lru) => pagesOf(lru)),
		trace: machine.traceLines(mark).join('\n') + '\n',
		kpageflags: machine.readWhole('/proc/kpageflags') as Uint8Array,
	};
}

let shown: Shown;
beforeAll(() => { shown = pressure(); });

/* What the script's summary says of something. */
function summary(): (line: string) => number {
	const script = 'Documentation/trace/postprocess/trace-vmscan-postprocess.pl';
	const text = sources === undefined ? recorded('trace-vmscan-postprocess.txt')
		: spawnSync('perl', [join(treeWith(script), script)],
			{ input: shown.trace, encoding: 'utf8', maxBuffer: 64 * MiB }).stdout;

	return (line) => Number(new RegExp(`^${line}:?\\s+(\\d+)`, 'm').exec(text)?.[1]);
}

test('trace-vmscan-postprocess.pl counts in the trace what /proc/vmstat counts', () => {
	const { delta } = shown, says = summary();
	const direct = (what: string) => says(`Direct reclaim ${what}`);
	const kswapd = (what: string) => says(`Kswapd ${what}`);

	expect(says('Direct reclaims')).toBe(['dma', 'dma32', 'normal', 'movable']
		.reduce((sum, zone) => sum + delta(`allocstall_${zone}`), 0));
	expect(direct('pages scanned')).toBe(delta('pgscan_direct'));
	expect(direct('pages reclaimed')).toBe(delta('pgsteal_direct'));
	/* Each run of kswapd: those that it was woken for, and those it went on with. */
	expect(kswapd('wakeups') + says('kswapd0-\\d+\\s+\\d+')).toBe(delta('pageoutrun'));
	expect(kswapd('pages scanned')).toBe(delta('pgscan_kswapd'));
	expect(kswapd('pages reclaimed')).toBe(delta('pgsteal_kswapd'));
	for (const kind of ['file', 'anon']) {
		expect(direct(`${kind} pages scanned`) + kswapd(`${kind} pages scanned`))
			.toBe(delta(`pgscan_${kind}`));
		expect(direct(`${kind} pages reclaimed`) + kswapd(`${kind} pages reclaimed`))
			.toBe(delta(`pgsteal_${kind}`));
	}
	expect(direct('write anon async I/O') + kswapd('reclaim write anon async I/O'))
		.toBe(delta('pswpout'));
	expect(direct('write file async I/O') + kswapd('reclaim write file async I/O')).toBe(0);
	/* Both ways of reclaim were there. */
	expect(delta('pgsteal_direct')).toBeGreaterThan(1000);
	expect(delta('pgsteal_kswapd')).toBeGreaterThan(1000);
});

/* page-types of the tree, compiled; what it prints of an image. */
function pageTypes(image: Uint8Array): string {
	const folder = mkdtempSync(join(tmpdir(), 'vmmu-judge-'));
	const root = treeWith('tools/vm/page-types.c', 'tools/lib/api/fs/fs.c');
	const tree = (path: string) => join(root, 'tools', path);
	const program = join(folder, 'page-types'), file = join(folder, 'kpageflags');

	try {
		const made = spawnSync('gcc', ['-w', '-D_GNU_SOURCE', '-o', program,
			tree('vm/page-types.c'),
			...['lib', 'lib/api', 'include'].map((path) => `-I${tree(path)}`),
			...['lib/api/fs/fs.c', 'lib/api/debug.c', 'lib/str_error_r.c'].map(tree)],
		{ encoding: 'utf8' });
		expect(made.stderr).toBe('');
		writeFileSync(file, image);
		return spawnSync(program, ['-F', file], { encoding: 'utf8' }).stdout;
	} finally {
		rmSync(folder, { recursive: true });
	}
}

test('page-types finds in /proc/kpageflags the pages of each LRU list', () => {
	const text = sources === undefined ? recorded('page-types.txt')
		: pageTypes(shown.kpageflags);
	/* flags, pages, MB, letters, names */
	const rows = [...text.matchAll(/^0x[0-9a-f]+\s+(\d+)\s+\d+\s+\S+\s+(\S+)/gm)]
		.map(([, pages, names]) => ({ pages: Number(pages), names: names!.split(',') }));
	const count = (has: readonly string[], hasNot: readonly string[]): number => rows
		.filter(({ names }) => has.every((name) => names.includes(name)) &&
			!hasNot.some((name) => names.includes(name)))
		.reduce((sum, { pages }) => sum + pages, 0);

	expect(rows.length).toBeGreaterThan(5);
	expect(rows.reduce((sum, { pages }) => sum + pages, 0)).toBeLessThanOrEqual(
		shown.kpageflags.length / 8);
	expect([
		count(['lru', 'swapbacked'], ['active', 'unevictable']),
		count(['lru', 'swapbacked', 'active'], ['unevictable']),
		count(['lru'], ['swapbacked', 'active', 'unevictable']),
		count(['lru', 'active'], ['swapbacked', 'unevictable']),
		count(['lru', 'unevictable'], []),
	]).toEqual(shown.lists);
});

/*
 * What selftests/mm's rmap.c asks: a tree of processes of 5 levels, each with up to 3 children,
 * that all have one page mapped; a random one has it migrated; all see the new one. The random
 * numbers are a linear congruence's, with the constants of Numerical Recipes.
 */
describe('a page that is migrated is found in every process of a fork tree', () => {
	const LEVELS = 5, CHILDREN_MAX = 3;

	test.each([['anon', 1], ['shmem', 2], ['file', 3]] as const)('%s', (kind, seed) => {
		let state = seed;
		const random = (below: number): number => {
			state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
			return Math.floor(state / 2 ** 32 * below);
		};
		const machine = boot({ ram: 128 * MiB, nodes: 2, cpus: 2 });
		const memfd = kind === 'anon' ? {} : { memfd: kind === 'shmem'
			? machine.memfd('f', 1) : machine.file('f', 1) };
		const first = machine.task('t');
		const { start } = first.mmap({ pages: 1, prot: 'rw', shared: kind !== 'anon',
			...memfd });
		const range = (task: Task) => ({ pid: task.pid, start, pages: 1 });
		const tree = [first];

		first.write(range(first), 7);
		for (let level = [first], depth = 1; depth < LEVELS; depth++) {
			level = level.flatMap((task) => Array.from(
				{ length: 1 + random(CHILDREN_MAX) },
				(_, i) => task.fork(`t${depth}.${i}`)));
			tree.push(...level);
		}
		/* A child maps pages of files when it touches them. */
		for (const task of tree)
			expect(task.read(range(task))[0]).toBe(7);
		for (let round = 0; round < 2; round++) {
			const before = machine.pfn(range(first));
			const node = before * 4096 < 64 * MiB ? 1 : 0;
			const worker = tree[random(tree.length)]!;
			expect(worker.movePages(range(worker), node, true)).toBe(0);
			const after = machine.pfn(range(worker));
			expect(after).not.toBe(before);
			expect(tree.map((task) => machine.pfn(range(task))))
				.toEqual(tree.map(() => after));
		}
		for (const task of tree)
			expect(task.read(range(task))[0]).toBe(7);
		machine.checkInvariants();
	});
});
