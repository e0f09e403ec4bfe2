// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reclaim of a Mi of pages against the kernel that this runs on (native/reclaim.c), a walk of a
 * page's mappings, and what a scanned page costs as there are more of them.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PAGE_SIZE } from '../src/arch/page.ts';
import { pgd_offset_pgd, pmd_offset, pte_offset_map, pud_offset } from '../src/arch/pgtable.ts';
import { _PAGE_ACCESSED } from '../src/arch/pgtable_types.ts';
import { ram } from '../src/arch/ram.ts';
import { list_heads, type list_head } from '../src/lib/struct.ts';
import { BLKDEV_PMEM, blkdev_add } from '../src/mm/blkdev.ts';
import { cgroup_get_from_path } from '../src/mm/cgroup.ts';
import { diskfs_create, diskfs_open } from '../src/mm/diskfs.ts';
import { cgroups, type mem_cgroup } from '../src/mm/memcontrol_types.ts';
import { mem_cgroup_lruvec } from '../src/mm/memcontrol.ts';
import { GFP_KERNEL } from '../src/mm/gfp.ts';
import { get_page } from '../src/mm/mm.ts';
import { lru_to_page, mms, pages, tasks, type page, type ptep } from '../src/mm/mm_types.ts';
import { LRU_INACTIVE_FILE, lruvecs, NODE_DATA } from '../src/mm/mmzone.ts';
import { page_referenced } from '../src/mm/rmap.ts';
import { mkswap, swapon } from '../src/mm/swapfile.ts';
import { try_to_free_mem_cgroup_pages } from '../src/mm/vmscan.ts';
import { fdInstall } from '../src/sim/syscalls.ts';
import { boot, type DiskFile, type Machine, type Range, type Task } from '../src/sim/machine.ts';
import { median, type Quantity, type Row } from './pairs.ts';

const GiB = 2 ** 30;
const Ki = 1024, Mi = Ki * Ki;

/* A machine has room for 4 GiB: a Mi of pages and what the machine needs are two rounds of half. */
const ROUNDS = 2, ROUND_PAGES = Mi / ROUNDS;

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

for (const kind of kinds)
	for (const n of [4 * Ki, 64 * Ki, 64 * Ki, ROUND_PAGES, ROUND_PAGES])
		console.log(kind.name, n, reclaim(kind, n));
