// SPDX-License-Identifier: GPL-2.0-only
/*
 * A user access in the middle of reclaim, or of another access, meets what that one holds. It is
 * left then as if it had not begun, and run again when the other has ended.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { MMU_READ, MMU_USER, MMU_WRITE, mmu_access } from '../../src/arch/mmu.ts';
import { pmd_offset, pte_none, pte_offset_map, pte_present, pud_offset }
	from '../../src/arch/pgtable.ts';
import { ram } from '../../src/arch/ram.ts';
import { pte_to_swp_entry, swp_offset } from '../../src/arch/swap.ts';
import { flush_tlb_mm } from '../../src/arch/tlb.ts';
import { COMMITS, applyCommits } from '../../src/lib/commits.ts';
import { POINTS, armPoint, disarmPoint, point, pointHandler, type PointName }
	from '../../src/lib/points.ts';
import { list_heads_entered } from '../../src/lib/stack.ts';
import { xa_is_value, xa_load, xa_to_pointer } from '../../src/lib/xarray.ts';
import { BLKDEV_DISK, BLKDEV_PMEM, blk_complete, blk_pending } from '../../src/mm/blkdev.ts';
import { current, smp_processor_id } from '../../src/mm/current.ts';
import { FAULT_WOULD_BLOCK, fault_result } from '../../src/mm/fault.ts';
import { unlock_page } from '../../src/mm/filemap.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import { ROOT_MEM_CGROUP } from '../../src/mm/memcontrol_types.ts';
import { page_count } from '../../src/mm/mm.ts';
import { MADV_DONTNEED, sys_madvise } from '../../src/mm/madvise.ts';
import { memfd_create } from '../../src/mm/memfd.ts';
import { VM_LOCKED, files, mms, pages, tasks, vmas, type file as file_t, type mm_struct, type page,
	type task_struct } from '../../src/mm/mm_types.ts';
import { sys_mlock } from '../../src/mm/mlock.ts';
import { MAP_FIXED, MAP_PRIVATE, MAP_SHARED, find_vma, sys_munmap } from '../../src/mm/mmap.ts';
import { PageLocked } from '../../src/mm/page_flags.ts';
import { lock_page } from '../../src/mm/pagemap.ts';
import { pgd_offset } from '../../src/mm/pgtable.ts';
import { ptl_hold, ptl_release } from '../../src/mm/ptlock.ts';
import { shmem_setattr } from '../../src/mm/shmem.ts';
import { lru_add_drain_all, page_cluster } from '../../src/mm/swap.ts';
import { swap_address_space, type block_device } from '../../src/mm/swap_types.ts';
import { swapoff } from '../../src/mm/swapfile.ts';
import { CLEAR_REFS_ALL, clear_refs_write } from '../../src/mm/task_mmu.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { try_to_free_mem_cgroup_pages } from '../../src/mm/vmscan.ts';
import { PGFAULT, vm_event } from '../../src/mm/vmstat.ts';
import { checkInvariants } from '../../src/sim/invariants.ts';
import { swap_device, swap_slots_referenced } from './swap_machine.ts';
import { boot, exitAndWait, fork, frameAt, freePages, mappingRows, mmapAnon, PAGE, read32, run,
	RW, write32 } from './task_machine.ts';

const NR = 24, BASE = 0x10000000, MiB = 1024 * 1024;
const IN_FAULTS: readonly PointName[] =
	['handle_pte_fault', 'do_swap_page.page_found', 'wp_page_copy.copied'];
/*
 * Nothing migrates here, nothing is active: those in test/litmus-lang/statements.test.ts. Nor have
 * these machines secondary page tables: see test/kvm/races.test.ts.
 */
const SECONDARY =
	/^(direct_page_fault|fast_page_fault|paging64_page_fault|dmirror|zapper|invalidate_range)/;
const HERE = POINTS.filter((name) => !SECONDARY.test(name) &&
	!['__unmap_and_move.unmapped', 'shrink_active_list.putback',
		/* before 369ea8242c0f alone */
		'try_to_unmap_one.invalidate_page.return'].includes(name));
const IN_RECLAIM = HERE.filter((name) => !IN_FAULTS.includes(name));
const KERNELS: readonly [string, readonly number[]][] = [
	['v5.10.0', []],
	['v5.10.223', COMMITS.flatMap(({ stable }, nr) => stable ? [nr] : [])],
];
type Who = 'another task' | 'the same task';
type Kind = 'read' | 'write';

/* Of a machine in which nothing has run. */
let free: number, rows: number[];
let bdev: block_device;
let parent: task_struct, child: task_struct;
/* What each page holds, by task; of shared memory one for both. */
let values: Map<task_struct, number[]>;
/* Accesses that were left: to be run again. */
let left: (() => void)[];
let disarm: () => void = () => {};
afterEach(() => {
	disarm();
	pointHandler.hit = () => {};
});

/* The page that the swap cache has of what was swapped out of an address, 0 for none. */
function cached(mm: mm_struct, i: number): page {
	const at = BASE + i * PAGE;
	const pte = pte_offset_map(pmd_offset(pud_offset(pgd_offset(mm, at), at), at), at);

	if (pte_present(ram[pte]!) || pte_none(ram[pte]!))
		return 0 as page;
	const entry = pte_to_swp_entry(ram[pte]!, ram[pte + 1]!);
	const found = xa_load(swap_address_space(entry), swp_offset(entry));
	return found && !xa_is_value(found) ? xa_to_pointer(found) as page : 0 as page;
}

/* Pages of tables of PTEs and above that the task has, below the top one. */
function tablesOf(task: task_struct): number {
	return mms.pgtables_bytes[tasks.mm[task]] / PAGE;
}

/* What an access that is left must leave as it was. */
function held(found: page): unknown[] {
	return [PageLocked(found), list_heads_entered(), mms.mmap_lock[tasks.mm[parent]],
		mms.mmap_lock[tasks.mm[child]], page_count(found),
		pages.mapping[found], pages._mapcount[found]];
}

/* False if it is left. */
function access(i: number, kind: Kind, value: number): boolean {
	const bits = (kind === 'read' ? MMU_READ : MMU_WRITE) | MMU_USER;
	const at = mmu_access(smp_processor_id(), BASE + i * PAGE, bits);

	if (at < 0) {
		expect(fault_result.v).toBe(FAULT_WOULD_BLOCK);
		return false;
	}
	if (kind === 'read') {
		expect(ram[at >>> 2]).toBe(values.get(current())![i]);
	} else {
		ram[at >>> 2] = value;
		values.get(current())![i] = value;
	}
	return true;
}

/* Each has a CPU of its own, so that reclaim by one has TLBs of others to flush. */
function cpuOf(task: task_struct): number {
	return task === parent ? 0 : 1;
}

function asTask<T>(task: task_struct, body: () => T): T {
	const outer = current();

	if (task !== outer)
		run(task, cpuOf(task));
	try {
		return body();
	} finally {
		if (task !== outer)
			run(outer, cpuOf(outer));
	}
}

/* At a point: touch the page that it is about. How many accesses were left. */
function hookAt(name: PointName, who: Who, kind: Kind): { hits: number; blocked: number } {
	const seen = { hits: 0, blocked: 0 };
	let inside = false;

	pointHandler.hit = (_id, pfn, address) => {
		const found = pfn as page;

		if (inside)
			return;
		inside = true;
		const index = address >= 0 ? (address - BASE) / PAGE
			: found ? pages.index[found] % (BASE / PAGE) : seen.hits % NR;
		if (index >= 0 && index < NR) {
			const task = (who === 'the same task') === (current() === parent)
				? parent : child;
			const value = 1000 + seen.hits;

			seen.hits++;
			asTask(task, () => {
				const about = found || frameAt(tasks.mm[task], BASE + index * PAGE);
				const before = about ? held(about) : [];

				if (access(index, kind, value))
					return;
				seen.blocked++;
				expect(about ? held(about) : []).toEqual(before);
				left.push(() => asTask(task, () =>
					expect(access(index, kind, value)).toBe(true)));
			});
		}
		inside = false;
	};
	armPoint(point(name));
	disarm = () => {
		disarmPoint(point(name));
		disarm = () => {};
	};
	return seen;
}

function machine(commits: readonly number[], device: number): void {
	boot({ ramBytes: 4 * MiB, cpus: 2 });
	applyCommits(commits);
	free = freePages();
	rows = mappingRows();
	bdev = swap_device(1, device);
	parent = current();
	left = [];
}
/* Both tasks map the pages, and have not used them for long. */
function map(shared: boolean): void {
	expect(mmapAnon(NR, BASE, RW, shared)).toBe(BASE);
	for (let i = 0; i < NR; i++)
		write32(BASE + i * PAGE, i + 1);
	child = fork();
	const mine = Array.from({ length: NR }, (_, i) => i + 1);
	values = new Map([[parent, mine], [child, shared ? mine : [...mine]]]);
	asTask(child, () => {
		for (let i = 0; i < NR; i += 2)
			read32(BASE + i * PAGE);
	});
	cool();
}
function cool(): void {
	lru_add_drain_all();
	for (const task of [parent, child]) {
		expect(clear_refs_write(task, CLEAR_REFS_ALL)).toBe(0);
		flush_tlb_mm(tasks.mm[task]);
	}
}
function reclaim(): void {
	try_to_free_mem_cgroup_pages(ROOT_MEM_CGROUP, NR, GFP_KERNEL, true);
}

/* The hook is gone: run again what was left; all is right, and all is given back. */
function finish(): void {
	disarm();
	expect(list_heads_entered()).toBe(0);
	blk_complete(blk_pending());
	checkInvariants();
	for (const again of left)
		again();
	checkInvariants();
	for (const task of [parent, child])
		asTask(task, () => {
			for (let i = 0; i < NR; i++)
				expect(read32(BASE + i * PAGE)).toBe(values.get(task)![i]);
		});
	exitAndWait(child);
	/* The idle task of its CPU has borrowed its address space. */
	run(parent, 1);
	run(parent, 0);
	sys_munmap(BASE, NR * PAGE);
	blk_complete(blk_pending());
	expect(swap_slots_referenced()).toBe(0);
	expect(mappingRows()).toEqual(rows);
	/* A page that was copied for a write can be left alone in the swap cache. */
	expect(swapoff(bdev)).toBe(0);
	checkInvariants();
	expect(free - freePages()).toBe(tablesOf(parent));
}

const met = new Set<string>();
let blockedAtAll = 0;

describe.each(KERNELS)('%s', (_kernel, commits) => {
	test.each(IN_RECLAIM)('accesses at %s', (name) => {
		for (const shared of [false, true])
			for (const device of [BLKDEV_PMEM, BLKDEV_DISK])
				for (const who of ['another task', 'the same task'] as const)
					for (const kind of ['read', 'write'] as const) {
						machine(commits, device);
						map(shared);
						const seen = hookAt(name, who, kind);
						reclaim();
						reclaim();
						finish();
						if (seen.hits)
							met.add(name);
						expect(seen.blocked).toBeLessThanOrEqual(seen.hits);
						blockedAtAll += seen.blocked;
					}
	});

	test.each(IN_FAULTS)('accesses and reclaim at %s', (name) => {
		for (const shared of [false, true])
			for (const device of [BLKDEV_PMEM, BLKDEV_DISK])
				for (const who of ['another task', 'the same task'] as const)
					for (const kind of ['read', 'write'] as const)
						for (const reclaims of [false, true]) {
							machine(commits, device);
							map(shared);
							reclaim();
							blk_complete(blk_pending());
							reclaim();
							const seen = hookAt(name, who, kind);
							const touch = pointHandler.hit;
							let reclaiming = false;
							if (reclaims)
								pointHandler.hit = (...about) => {
									if (reclaiming)
										return;
									reclaiming = true;
									asTask(child, reclaim);
									touch(...about);
									reclaiming = false;
								};
							for (let i = 0; i < NR; i++)
								expect(access(i,
									i % 3 ? 'write' : 'read',
									2000 + i)).toBe(true);
							finish();
							if (seen.hits)
								met.add(name);
						}
	});
});

test('every point was met, and some accesses had to wait', () => {
	expect([...met].sort()).toEqual([...HERE].sort());
	expect(blockedAtAll).toBeGreaterThan(0);
});

/* An allocation that must reclaim lets others run; what they do must not be taken for its own. */
describe('in the middle of an allocation', () => {
	const FILL = 0x20000000, NR_FILL = 2200, NR_TABLES = 300;

	function fillMemory(): void {
		for (let i = 0; i < NR_FILL; i++)
			write32(FILL + i * PAGE, i);
	}
	function full(): void {
		boot({ ramBytes: 8 * MiB, cpus: 2 });
		bdev = swap_device(24, BLKDEV_DISK);
		parent = current();
		left = [];
	}
	function arm(): void {
		armPoint(point('page_referenced.return'));
		disarm = () => {
			disarmPoint(point('page_referenced.return'));
			disarm = () => {};
		};
	}

	/* page_cluster 0: no readahead, so what the other task reads last is the page itself */
	test.each([0, 3])('another task swaps in the same page; page_cluster %i', (cluster) => {
		full();
		page_cluster.v = cluster;
		mmapAnon(NR_FILL, FILL);
		fillMemory();
		child = fork();
		expect(swap_slots_referenced()).toBeGreaterThan(NR_FILL / 4);
		arm();
		let at = FILL, inside = false, ran = 0;
		pointHandler.hit = () => {
			if (inside)
				return;
			inside = true;
			ran++;
			asTask(child, () => expect(read32(at)).toBe((at - FILL) / PAGE));
			inside = false;
		};
		for (; at < FILL + NR_FILL * PAGE; at += PAGE)
			expect(read32(at)).toBe((at - FILL) / PAGE);
		expect(ran).toBeGreaterThan(0);
		disarm();
		blk_complete(blk_pending());
		checkInvariants();
	});

	test('a fork has a table allocated while another task unmaps', () => {
		full();
		child = fork();
		asTask(child, () => {
			mmapAnon(64, BASE);
			for (let i = 0; i < 64; i++)
				write32(BASE + i * PAGE, i);
		});
		mmapAnon(NR_FILL, FILL);
		/* a table for each of these */
		for (let i = 0; i < NR_TABLES; i++)
			write32(mmapAnon(1, 0x40000000 + i * 2 * MiB), i);
		fillMemory();
		arm();
		let unmapped = 0;
		pointHandler.hit = () => {
			if (unmapped < 64 && current() === parent)
				asTask(child, () =>
					expect(sys_munmap(BASE + unmapped++ * PAGE, PAGE)).toBe(0));
		};
		const other = fork();
		expect(unmapped).toBeGreaterThan(0);
		disarm();
		blk_complete(blk_pending());
		checkInvariants();
		asTask(other, () => {
			for (let i = 0; i < NR_TABLES; i++)
				expect(read32(0x40000000 + i * 2 * MiB)).toBe(i);
		});
	});
});

describe('a page lock that somebody holds', () => {
	test.each(['read', 'write'] as const)('a %s of a private mapping of a file', (kind) => {
		machine([], BLKDEV_PMEM);
		const file = memfd_create(0) as file_t;
		expect(shmem_setattr(files.f_inode[file], PAGE)).toBe(0);
		const shared = vm_mmap_pgoff(file, 0, PAGE, RW, MAP_SHARED, 0);
		write32(shared, 77);
		expect(vm_mmap_pgoff(file, BASE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, 0)).toBe(BASE);
		const mm = tasks.mm[parent], found = frameAt(mm, shared);
		const pages_free = freePages();

		child = parent;
		values = new Map([[parent, [77]]]);
		lock_page(found);
		const before = [...held(found), vm_event(PGFAULT), tasks.rss_stat_events[parent]];
		expect(access(0, kind, 5)).toBe(false);
		expect([...held(found), vm_event(PGFAULT), tasks.rss_stat_events[parent]])
			.toEqual(before);
		/* A PUD and a PMD table stay; neither the copy nor the PTE table for it is lost. */
		for (let n = 0; n < 3; n++) {
			expect(pages_free - freePages()).toBe(2);
			expect(access(0, kind, 5)).toBe(false);
		}
		unlock_page(found);
		expect(access(0, kind, 5)).toBe(true);
		expect([read32(BASE), read32(shared)]).toEqual([kind === 'write' ? 5 : 77, 77]);
		sys_munmap(BASE, PAGE);
		checkInvariants();
	});

	/*
	 * do_swap_page() comes with VM_FAULT_RETRY first, which drops the mmap lock, and waits in
	 * the second try: two faults are counted, and the one that ends is a major one.
	 */
	test('a page in the swap cache', () => {
		machine([], BLKDEV_DISK);
		map(false);
		exitAndWait(child);
		child = parent;
		reclaim();
		const mm = tasks.mm[parent];
		blk_complete(blk_pending());
		reclaim();
		let i = 0;
		while (frameAt(mm, BASE + i * PAGE))
			i++;
		expect(access(i, 'read', 0)).toBe(true);
		reclaim();
		const found = [...Array(NR).keys()].map((n) => cached(mm, n)).findIndex(Boolean);
		expect(found).toBeGreaterThanOrEqual(0);
		const page = cached(mm, found);
		const count = page_count(page), faults = vm_event(PGFAULT);
		const major = tasks.maj_flt[parent], minor = tasks.min_flt[parent];

		lock_page(page);
		for (let n = 0; n < 3; n++) {
			expect(access(found, 'write', 9)).toBe(false);
			expect([page_count(page), mms.mmap_lock[mm]]).toEqual([count, 0]);
		}
		expect(vm_event(PGFAULT) - faults).toBe(1);
		unlock_page(page);
		expect(access(found, 'write', 9)).toBe(true);
		expect(vm_event(PGFAULT) - faults).toBe(2);
		expect([tasks.maj_flt[parent] - major, tasks.min_flt[parent] - minor])
			.toEqual([1, 0]);
		checkInvariants();
	});

	test.each([
		['madvise', () => sys_madvise(BASE, PAGE, MADV_DONTNEED)], ['fork', () => fork()],
		['clear_refs', () => clear_refs_write(parent, CLEAR_REFS_ALL)],
	])('%s would spin for a page-table lock, and changes no entry', (_name, what) => {
		machine([], BLKDEV_PMEM);
		map(false);
		const mm = tasks.mm[parent], found = frameAt(mm, BASE);
		ptl_hold(mm, BASE);
		expect(what).toThrow('a page-table lock');
		expect(frameAt(mm, BASE)).toBe(found);
		ptl_release(0 as mm_struct, 0);
	});

	test('munmap and munlock of mlocked pages change nothing', () => {
		machine([], BLKDEV_PMEM);
		map(false);
		exitAndWait(child);
		expect(sys_mlock(BASE, NR * PAGE)).toBe(0);
		lru_add_drain_all();
		const mm = tasks.mm[parent], found = frameAt(mm, BASE + 5 * PAGE);
		const before = [mms.locked_vm[mm], mms.map_count[mm]];

		lock_page(found);
		expect(() => sys_munmap(BASE + PAGE, 8 * PAGE)).toThrow('would sleep');
		expect([mms.locked_vm[mm], mms.map_count[mm]]).toEqual(before);
		expect(vmas.vm_flags[find_vma(mm, BASE)] & VM_LOCKED).toBe(VM_LOCKED);
		unlock_page(found);
		expect(sys_munmap(BASE + PAGE, 8 * PAGE)).toBe(0);
		expect(mms.locked_vm[mm]).toBe(NR - 8);
		checkInvariants();
	});
});
