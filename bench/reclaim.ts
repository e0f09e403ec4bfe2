// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim of a Mi of pages against the kernel that this runs on (native/reclaim.c), a walk of a
 * page's mappings, and what a scanned page costs as there are more of them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PAGE_SIZE } from '../src/arch/page.ts';
import { pgd_offset_pgd, pmd_offset, pte_offset_map, pud_offset } from '../src/arch/pgtable.ts';
import { _PAGE_ACCESSED } from '../src/arch/pgtable_types.ts';
import { ram } from '../src/arch/ram.ts';
import { list_heads, type out } from '../src/lib/struct.ts';
import { BLKDEV_PMEM, blkdev_add } from '../src/mm/blkdev.ts';
import { cgroup_get_from_path } from '../src/mm/cgroup.ts';
import { diskfs_create, diskfs_open } from '../src/mm/diskfs.ts';
import { GFP_KERNEL } from '../src/mm/gfp.ts';
import { mem_cgroup_lruvec } from '../src/mm/memcontrol.ts';
import { cgroups, type mem_cgroup } from '../src/mm/memcontrol_types.ts';
import { get_page } from '../src/mm/mm.ts';
import { lru_to_page, mms, pages, tasks, type page } from '../src/mm/mm_types.ts';
import { LRU_INACTIVE_FILE, lruvecs, NODE_DATA } from '../src/mm/mmzone.ts';
import { page_referenced } from '../src/mm/rmap.ts';
import { mkswap, swapon } from '../src/mm/swapfile.ts';
import { try_to_free_mem_cgroup_pages } from '../src/mm/vmscan.ts';
import { fdInstall } from '../src/sim/syscalls.ts';
import { boot, type DiskFile, type Machine, type Task } from '../src/sim/machine.ts';
import { median, type Quantity, type Row } from './pairs.ts';

const GiB = 2 ** 30;
const Ki = 1024, Mi = Ki * Ki;

/* A machine has room for 4 GiB: a Mi of pages and what the machine needs are two rounds of half. */
const ROUNDS = 2, ROUND_PAGES = Mi / ROUNDS;
/* Until the compiler has done its work. */
const WARM_UP_PAGES = 64 * Ki, WARM_UP_SCANS = 3;
/* More mappings lie further apart in the caches; a walk that is not linear would be ten times. */
const LINEAR = 2;

/* With files and swap on devices that cost it no RAM, and no trace: as the kernel is measured. */
function bareMachine(): Machine {
	return boot({ ram: 4 * GiB, swap: 0, events: [], stepBudget: 0 });
}

function addSwap(machine: Machine, nrPages: number): void {
	const error = machine.init.run('swapon', () => {
		const bdev = blkdev_add(BLKDEV_PMEM, nrPages);
		return mkswap(bdev) || swapon(bdev, 0);
	});

	if (error)
		throw new Error(`swapon: ${error}`);
}

/* A file that was never written: its pages read as zeros. */
function addFile(machine: Machine, nrPages: number): DiskFile {
	const fd = machine.init.run('creat', () =>
		fdInstall(diskfs_open(diskfs_create(
			blkdev_add(BLKDEV_PMEM, nrPages), nrPages * PAGE_SIZE))));

	if (fd < 0)
		throw new Error(`creat: ${fd}`);
	return { fd, pages: nrPages };
}

interface Kind {
	/** As native/reclaim.c calls it. */
	readonly native: string;
	readonly name: string;
	/** Have so many pages in memory; it returns what takes them away. */
	readonly prepare: (machine: Machine, nrPages: number) => () => void;
}

const kinds: readonly Kind[] = [{
	native: 'unmapped', name: 'reclaim of clean file pages',
	prepare: (machine, nrPages) => {
		const a = machine.cgroup('A');
		readIn(machine.task('a', { cgroup: a }), addFile(machine, nrPages));
		return () => void a.write('memory.max', '1M');
	},
}, {
	native: 'mapped', name: 'reclaim of file pages mapped once',
	prepare: (machine, nrPages) => {
		const file = addFile(machine, nrPages), a = machine.task('a');
		readIn(a, file);
		const map = a.mmap({ memfd: file, pages: nrPages, prot: 'r', shared: true });
		a.read(map);
		return () => a.madvise(map, 'pageout');
	},
}, {
	native: 'anon', name: 'reclaim of anonymous pages',
	prepare: (machine, nrPages) => {
		addSwap(machine, nrPages + nrPages / 8);
		const a = machine.task('a');
		const map = a.mmap({ pages: nrPages, prot: 'rw', shared: false });
		a.write(map);
		return () => a.madvise(map, 'pageout');
	},
}];

function readIn(task: Task, { fd, pages: nrPages }: DiskFile): void {
	task.pread({ fd, first: 0, last: nrPages - 1 });
}

/* /proc/vmstat's nr_free_pages */
function freePages(machine: Machine): number {
	return Number(/^nr_free_pages (\d+)$/m.exec(machine.readFile('/proc/vmstat'))![1]);
}

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

interface Measured {
	/** Of a page that went. */
	readonly ns: number;
	readonly heapBytes: number;
}

function reclaim(kind: Kind, nrPages: number): Measured {
	const machine = bareMachine();
	const go = kind.prepare(machine, nrPages);
	const free = freePages(machine);

	collect();
	const before = process.memoryUsage().heapUsed, start = process.cpuUsage();
	go();
	const { user, system } = process.cpuUsage(start);
	const heapBytes = process.memoryUsage().heapUsed - before;
	const gone = freePages(machine) - free;
	if (gone < nrPages / 2)
		throw new Error(`${kind.name}: only ${gone} of ${nrPages} pages went`);
	return { ns: (user + system) * 1e3 / gone, heapBytes };
}


/* Time of this process in its work, in ns: what else runs on the machine does not count. */
function cpuNs(work: () => void): number {
	const start = process.cpuUsage();

	work();
	const { user, system } = process.cpuUsage(start);
	return (user + system) * 1e3;
}

function memcgOf(path: string): mem_cgroup {
	return cgroups.memcg[cgroup_get_from_path(path)];
}

interface Scan {
	/** Of a page that is looked at. */
	readonly ns: number;
	/** Of a page in a bare sweep over its columns, in the same order. */
	readonly sweepNs: number;
	/** Growth of the heap, a Mi of scanned pages. */
	readonly heapKB: number;
}

const { prev } = list_heads;
const { flags, mapping, index, _refcount, _mapcount } = pages;

/*
 * Pages of a file that somebody has a reference of: each is isolated, locked, found unused, not to
 * be freed, and put back. So they can be scanned again and again.
 */
function scan(nrPages: number): Scan {
	const machine = bareMachine();
	const a = machine.cgroup('A');
	readIn(machine.task('a', { cgroup: a }), addFile(machine, nrPages));
	machine.drain();
	const memcg = memcgOf('A');
	const head = lruvecs.lists(mem_cgroup_lruvec(memcg, NODE_DATA(0)), LRU_INACTIVE_FILE);
	const sweep = (): number => {
		let sum = 0;
		for (let node = prev[head]; node !== head; node = prev[node]) {
			const page = lru_to_page(node);
			sum += flags[page] + mapping[page] + index[page] + _refcount[page] +
				_mapcount[page];
			_refcount[page]++;
			_refcount[page]--;
		}
		return sum;
	};
	for (let node = prev[head]; node !== head; node = prev[node])
		get_page(lru_to_page(node));
	const rounds = Math.ceil(Mi / nrPages / 2);
	const scanned = (): number => machine.stat(a, ['pgscan'])[0]![1];
	const shrink = (): void => void machine.init.run('reclaim', () => {
		for (let i = 0; i < rounds; i++)
			try_to_free_mem_cgroup_pages(memcg, 32, GFP_KERNEL, true);
	});

	for (let i = 0; i < WARM_UP_SCANS; i++)
		shrink();
	collect();
	const before = scanned(), heap = process.memoryUsage().heapUsed;
	const ns = cpuNs(shrink);
	const heapBytes = process.memoryUsage().heapUsed - heap;
	const nr = scanned() - before;
	let sum = 0;
	const sweepNs = cpuNs(() => {
		for (let i = 0; i < 2 * rounds; i++)
			sum += sweep();
	});

	if (nr < Mi / 2 || !sum)
		throw new Error(`only ${nr} pages were scanned`);
	return { ns: ns / nr, sweepNs: sweepNs / (2 * rounds * nrPages),
		heapKB: heapBytes / Ki / (nr / Mi) };
}

/* ns a mapping that page_referenced() of a page takes which n tasks have mapped and used. */
function referenced(n: number): number {
	const machine = boot({ ram: GiB, swap: 0, events: [], stepBudget: 0 });
	const memfd = machine.memfd('f', 1);
	const entries = new Int32Array(n);
	let page = 0 as page;

	for (let i = 0; i < n; i++) {
		const task = machine.task(`t${i}`);
		const map = task.mmap({ memfd, pages: 1, prot: 'r', shared: true });
		const { start } = map;
		task.read(map);
		page = machine.pfn(map) as page;
		entries[i] = pte_offset_map(pmd_offset(pud_offset(pgd_offset_pgd(
			mms.pgd[tasks.mm[task.row]], start), start), start), start);
	}
	const vm_flags: out<number> = { v: 0 };
	const walks = Math.ceil(100_000 / n);
	const use = (): void => {
		for (let i = 0; i < n; i++)
			ram[entries[i]!]! |= _PAGE_ACCESSED;
	};
	const times: number[] = [];
	for (let round = -4; round < 8; round++) {
		let found = 0;
		const uses = cpuNs(() => {
			for (let walk = 0; walk < walks; walk++)
				use();
		});
		const both = cpuNs(() => {
			for (let walk = 0; walk < walks; walk++) {
				use();
				found += page_referenced(page, 0, 0 as mem_cgroup, vm_flags);
			}
		});
		if (found !== n * walks)
			throw new Error(`${found / walks} of ${n} mappings were found used`);
		if (round >= 0)
			times.push((both - uses) / walks / n);
	}
	return median(times);
}

/* The kernel's program, compiled; or why there is none. */
function nativeProgram(folder: string): { path: string } | { why: string } {
	const source = fileURLToPath(new URL('../../bench/native/reclaim.c', import.meta.url));
	const path = join(folder, 'reclaim');
	const { status, error, stderr } = spawnSync('gcc', ['-O2', '-o', path, source]);

	if (error)
		return { why: 'no gcc' };
	return status === 0 ? { path } : { why: `gcc: ${stderr}` };
}

interface Reclaims {
	readonly ratios: readonly Row[];
	readonly quantities: readonly Quantity[];
	/** What the machine's own kernel could not be asked, and why. */
	readonly skipped: readonly string[];
}

function againstNative(ratios: Row[], skipped: string[]): void {
	/* Not in the folder of temporary files, which may itself be in memory. */
	const folder = mkdtempSync(fileURLToPath(new URL('native-', import.meta.url)));

	try {
		const program = nativeProgram(folder);
		for (const kind of kinds) {
			const native = 'why' in program ? undefined
				: spawnSync(program.path, [kind.native, `${Mi}`, folder],
					{ encoding: 'utf8' });
			if (!native || native.status !== 0) {
				const why = 'why' in program ? program.why : native!.stdout.trim();
				skipped.push(`${kind.name}: ${why}`);
				continue;
			}
			const [gone, ns] = native.stdout.split(' ').map(Number) as [number, number];
			reclaim(kind, WARM_UP_PAGES);
			const ours = Array.from({ length: ROUNDS },
				() => reclaim(kind, ROUND_PAGES).ns);
			const nsTask = ours.reduce((a, b) => a + b) / ROUNDS, nsBase = ns / gone;
			ratios.push({ name: `${kind.name}, 1 Mi`, nsTask, nsBase,
				ratio: nsTask / nsBase, bound: 1 });
		}
	} finally {
		rmSync(folder, { recursive: true });
	}
}

/** All rows about reclaim; times are those of this process, and of the native one. */
export function reclaimRows(): Reclaims {
	const ratios: Row[] = [], skipped: string[] = [];
	const few = referenced(100), many = referenced(1000);
	const sizes = [4 * Ki, 64 * Ki, ROUND_PAGES * 3 / 2].map((n) => ({ n, ...scan(n) }));
	const small = sizes[0]!;

	for (const { n, ns, sweepNs } of sizes.slice(1)) {
		const grows = ns - small.ns, sweepGrows = sweepNs - small.sweepNs;
		ratios.push({
			name: `growth from 4 Ki to ${n / Ki} Ki pages`, bound: 1,
			nsTask: grows, nsBase: sweepGrows,
			ratio: (ns / small.ns) / (sweepNs / small.sweepNs),
		});
	}
	againstNative(ratios, skipped);
	return { ratios, skipped, quantities: [
		{ name: 'page_referenced() of 1,000 mappings', unit: 'ns a mapping', bound: 60,
			value: many },
		{ name: 'the same, against 100 mappings', unit: 'times', bound: LINEAR,
			value: many / few, note: `${few.toFixed(0)} ns a mapping of 100` },
		{ name: 'heap growth of a Mi of scanned pages', unit: 'KB', bound: 100,
			value: Math.max(...sizes.map((s) => s.heapKB)) },
	] };
}
