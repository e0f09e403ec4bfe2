// SPDX-License-Identifier: GPL-2.0-only
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { resetArena } from '../../src/lib/arena.ts';
import { applyCommits, MEMCG_MEMORY_RECLAIM, MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS,
	MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2,
	MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH } from '../../src/lib/commits.ts';
import { EAGAIN, EBUSY, EEXIST, EINTR, EINVAL, ENAMETOOLONG, ENODEV, ENOENT, ENOMEM }
	from '../../src/lib/errno.ts';
import { kmem_cache_zalloc, nr_live, use_rows } from '../../src/lib/struct.ts';
import { clock_ns } from '../../src/lib/trace.ts';
import * as cg from '../../src/mm/cgroup.ts';
import { nr_cpu_ids, set_current, set_smp_processor_id } from '../../src/mm/current.ts';
import { GFP_KERNEL } from '../../src/mm/gfp.ts';
import * as mc from '../../src/mm/memcontrol.ts';
import { cgroups, MEMCG_HIGH, MEMCG_LOW, MEMCG_MAX, MEMCG_NR_MEMORY_EVENTS, MEMCG_OOM,
	MEMCG_OOM_KILL, MEMCG_PERCPU_B, MEMCG_SWAP, memcg_stocks, memcgs, PAGE_COUNTER_MAX,
	page_counters, ROOT_MEM_CGROUP, type cgroup, type mem_cgroup }
	from '../../src/mm/memcontrol_types.ts';
import { MM_ANONPAGES, mms, NR_MM_COUNTERS, pages, tasks, type mm_struct, type page,
	type task_struct } from '../../src/mm/mm_types.ts';
import { lruvecs, NR_ACTIVE_ANON, NR_FILE_PAGES, NR_INACTIVE_ANON, pgdats, type pglist_data }
	from '../../src/mm/mmzone.ts';
import { oomHandler } from '../../src/mm/oom_kill.ts';
import { ClearPageSwapCache, PG_locked, SetPageSwapBacked, SetPageSwapCache }
	from '../../src/mm/page_flags.ts';
import { page_counter_charge, page_counter_read, page_counter_set_low, page_counter_uncharge }
	from '../../src/mm/page_counter.ts';
import { lookup_swap_cgroup_id, swap_cgroup_cmpxchg, swap_cgroup_swapon }
	from '../../src/mm/swap_cgroup.ts';
import { swap_info, swap_infos, total_swap_pages } from '../../src/mm/swap_types.ts';
import { PGPGOUT, PGSCAN_DIRECT, PGSTEAL_DIRECT, vm_event, OOM_KILL }
	from '../../src/mm/vmstat.ts';

/* What reclaim does is not the question here: a test says what it gives back. */
type Reclaim = (memcg: mem_cgroup, nr_pages: number, gfp: number, may_swap: boolean) => number;
const reclaim = vi.hoisted(() => ({ run: (() => 0) as unknown as Reclaim }));
vi.mock('../../src/mm/vmscan.ts', async (importOriginal) => ({
	...await importOriginal<object>(),
	try_to_free_mem_cgroup_pages: (...args: Parameters<Reclaim>) => reclaim.run(...args),
}));

const NODE = 1 as pglist_data;
const PAGE = 4096;
let next_page: number, next_pid: number;

function new_task(pid = next_pid++): task_struct {
	const task = kmem_cache_zalloc(tasks);
	const mm = kmem_cache_zalloc(mms);

	tasks.pid[task] = pid;
	tasks.mm[task] = mm;
	mms.owner[mm] = task;
	mms.mm_users[mm] = mms.mm_count[mm] = 1;
	cg.cgroup_fork(task);
	cg.cgroup_post_fork(task);
	return task;
}

function mkdir(path: string): mem_cgroup {
	const at = path.lastIndexOf('/');
	const parent = cg.cgroup_get_from_path(path.slice(0, Math.max(at, 0)));
	const cgrp = { v: 0 as cgroup };

	expect(parent).not.toBe(0);
	expect(cg.cgroup_subtree_control_write(parent, '+memory')).toBe(0);
	expect(cg.cgroup_mkdir(parent, path.slice(at + 1), cgrp)).toBe(0);
	return cgroups.memcg[cgrp.v];
}

/** A task in the cgroup of a memcg, which becomes the running one. */
function enter(memcg: mem_cgroup): task_struct {
	const task = new_task();

	expect(cg.cgroup_attach_task(memcgs.cgroup[memcg], task)).toBe(0);
	set_current(task);
	return task;
}

function charge(task: task_struct, n = 1): page[] {
	const charged: page[] = [];

	for (let i = 0; i < n; i++) {
		const page = next_page++ as page;
		expect(mc.mem_cgroup_charge(page, tasks.mm[task], GFP_KERNEL)).toBe(0);
		charged.push(page);
	}
	return charged;
}

const usage = (memcg: mem_cgroup) => page_counter_read(memcgs.memory[memcg]);
const lruvec = (memcg: mem_cgroup) => mc.mem_cgroup_lruvec(memcg, NODE);
const events = (memcg: mem_cgroup, event: number) =>
	memcgs.memory_events[memcg * MEMCG_NR_MEMORY_EVENTS + event]!;
const local_events = (memcg: mem_cgroup, event: number) =>
	memcgs.memory_events_local[memcg * MEMCG_NR_MEMORY_EVENTS + event]!;
const file_names = (memcg: mem_cgroup) => mc.mem_cgroup_files(memcg).map(({ name }) => name);
function stat(memcg: mem_cgroup, key: string): number {
	const line = mc.memory_stat_format(memcg).split('\n').find((l) => l.startsWith(`${key} `));
	return Number(line?.split(' ')[1]);
}

const walk = (root: mem_cgroup) => {
	const seen: mem_cgroup[] = [];
	for (let m = mc.mem_cgroup_iter(root, 0 as mem_cgroup, null); m;
		m = mc.mem_cgroup_iter(root, m, null))
		seen.push(m);
	return seen;
};

/* Type 1, so that its slots do not start at 0. */
const slot = (n: number) => 1 << 26 | n;

function with_rss(memcg: mem_cgroup, rss: number, adj = 0): task_struct {
	const task = new_task();
	cg.cgroup_attach_task(memcgs.cgroup[memcg], task);
	mms.rss_stat[tasks.mm[task] * NR_MM_COUNTERS + MM_ANONPAGES] = rss;
	tasks.oom_score_adj[task] = adj;
	return task;
}
const killed = (list: task_struct[]) => list.map((task) => tasks.sigkill[task]);

const MiB = 256;
/** Children of /P by usage and memory.low, in pages. */
function tree(parent: mem_cgroup, children: readonly (readonly [number, number])[]) {
	return children.map(([used, low], i) => {
		const child = mkdir(`P/c${i}`);
		page_counter_set_low(memcgs.memory[child], low);
		page_counter_charge(memcgs.memory[child], used);
		expect(memcgs.parent[child]).toBe(parent);
		return child;
	});
}
const elow = (memcg: mem_cgroup) => page_counters.elow[memcgs.memory[memcg]];

beforeEach(() => {
	resetArena();
	nr_cpu_ids.v = 2;
	next_page = 100;
	next_pid = 100;
	use_rows(pages, 10000);
	use_rows(pgdats, 2);
	pgdats.node_present_pages[NODE] = 10000;
	reclaim.run = () => 0;
	oomHandler.victim_runs = () => false;
	mc.mem_cgroup_init();
	cg.cgroup_init();
	set_current(new_task(1));
});

/* The increments are those of foreign-half on 5.10.223, whose memory.stat the oracle recorded. */
describe('what a CPU has not flushed yet is not seen', () => {
	test('of 64 pages 33 are, after the 33rd', () => {
		const A = mkdir('A');
		for (let i = 1; i <= 64; i++) {
			mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 1);
			const seen = i <= 32 ? 0 : 33;
			expect(mc.memcg_page_state(A, NR_FILE_PAGES)).toBe(seen);
			expect(mc.lruvec_page_state(lruvec(A), NR_FILE_PAGES)).toBe(seen);
			expect(mc.lruvec_page_state_local(lruvec(A), NR_FILE_PAGES)).toBe(i);
			expect(mc.memcg_page_state(ROOT_MEM_CGROUP, NR_FILE_PAGES)).toBe(seen);
		}
		expect(stat(A, 'file')).toBe(135168);
		/* 32 are reclaimed one by one: 31 kept back less 32 */
		for (let i = 0; i < 32; i++)
			mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, -1);
		expect(stat(A, 'file')).toBe(135168);
	});
	test('inactive_anon shows 33 pages, then 0, active_anon none of 32', () => {
		const A = mkdir('A');
		for (let i = 0; i < 64; i++)
			mc.__mod_lruvec_state(lruvec(A), NR_INACTIVE_ANON, 1);
		expect(stat(A, 'inactive_anon')).toBe(135168);
		for (const taken of [1, 1, 3, 5, 32, 22])
			mc.__mod_lruvec_state(lruvec(A), NR_INACTIVE_ANON, -taken);
		for (const activated of [14, 18])
			mc.__mod_lruvec_state(lruvec(A), NR_ACTIVE_ANON, activated);
		expect(stat(A, 'inactive_anon')).toBe(0);
		expect(stat(A, 'active_anon')).toBe(0);
	});
	test('pgscan shows 42 of 64, pgsteal none of 32', () => {
		const A = mkdir('A');
		for (const scanned of [1, 1, 3, 5, 32, 22])
			mc.__count_memcg_events(A, PGSCAN_DIRECT, scanned);
		for (const reclaimed of [1, 1, 3, 5, 18, 4])
			mc.__count_memcg_events(A, PGSTEAL_DIRECT, reclaimed);
		expect(stat(A, 'pgscan')).toBe(42);
		expect(stat(A, 'pgsteal')).toBe(0);
		expect(mc.memcg_events_local(A, PGSCAN_DIRECT)).toBe(42);
	});
	test('each CPU keeps its own', () => {
		const A = mkdir('A');
		for (const cpu of [0, 1]) {
			set_smp_processor_id(cpu);
			mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 32);
		}
		expect(stat(A, 'file')).toBe(0);
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 1);
		expect(stat(A, 'file')).toBe(33 * PAGE);
	});
	test('each level of the hierarchy gets what is flushed below it', () => {
		const A = mkdir('A'), B = mkdir('A/B');
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 32);
		mc.__mod_lruvec_state(lruvec(B), NR_FILE_PAGES, 40);
		const seen = () => [B, A, ROOT_MEM_CGROUP].map((m) => stat(m, 'file') / PAGE);
		expect(seen()).toEqual([40, 40, 40]);
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 1);
		expect(seen()).toEqual([40, 73, 73]);
	});
	test('items in bytes are kept back up to 32 pages of them', () => {
		const A = mkdir('A');
		mc.__mod_memcg_state(A, MEMCG_PERCPU_B, 32 * PAGE);
		expect(stat(A, 'percpu')).toBe(0);
		mc.__mod_memcg_state(A, MEMCG_PERCPU_B, 1);
		expect(stat(A, 'percpu')).toBe(32 * PAGE + 1);
	});
	test('a negative sum reads as 0', () => {
		const A = mkdir('A');
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, -33);
		expect(stat(A, 'file')).toBe(0);
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 35);
		expect(stat(A, 'file')).toBe(2 * PAGE);
	});
	test('a memcg that is freed leaves it to its ancestors', () => {
		const A = mkdir('A'), B = mkdir('A/B');
		mc.__mod_lruvec_state(lruvec(B), NR_FILE_PAGES, 5);
		mc.__count_memcg_events(B, PGSCAN_DIRECT, 7);
		expect(cg.cgroup_rmdir(memcgs.cgroup[B])).toBe(0);
		expect(stat(A, 'file')).toBe(5 * PAGE);
		expect(mc.lruvec_page_state(lruvec(A), NR_FILE_PAGES)).toBe(5);
		expect(stat(A, 'pgscan')).toBe(7);
	});
});

describe('memory.stat', () => {
	test('has the lines of 5.10 in their order', () => {
		const keys = mc.memory_stat_format(ROOT_MEM_CGROUP).trim().split('\n')
			.map((line) => line.split(' ')[0]);
		expect(keys.join(' ')).toBe([
			'anon file kernel_stack percpu sock shmem file_mapped file_dirty',
			'file_writeback',
			'anon_thp inactive_anon active_anon inactive_file active_file unevictable',
			'slab_reclaimable slab_unreclaimable slab workingset_refault_anon',
			'workingset_refault_file workingset_activate_anon workingset_activate_file',
			'workingset_restore_anon workingset_restore_file workingset_nodereclaim',
			'pgfault',
			'pgmajfault pgrefill pgscan pgsteal pgactivate pgdeactivate pglazyfree',
			'pglazyfreed thp_fault_alloc thp_collapse_alloc',
		].join(' '));
	});
	test('memory.numa_stat has the node counters alone', () => {
		const A = mkdir('A');
		mc.__mod_lruvec_state(lruvec(A), NR_FILE_PAGES, 33);
		const lines = mc.memory_numa_stat_show(A).trim().split('\n');
		expect(lines).toContain('file N0=135168');
		expect(lines.map((line) => line.split(' ')[0])).not.toContain('percpu');
	});
});

describe('charges', () => {
	test('are taken by 32 pages, of which 31 stay with the CPU', () => {
		const A = mkdir('A'), task = enter(A);
		const [page] = charge(task);
		expect(mc.memory_current_read(A)).toBe('131072\n');
		expect(memcg_stocks.nr_pages[mc.memcg_stock(0)]).toBe(31);
		expect(memcg_stocks.cached[mc.memcg_stock(0)]).toBe(A);
		expect(mc.page_cgroup_ino(page!)).toBe(cgroups.ino[memcgs.cgroup[A]]);
		charge(task, 31);
		expect(usage(A)).toBe(32);
		expect(memcg_stocks.nr_pages[mc.memcg_stock(0)]).toBe(0);
		charge(task);
		expect(usage(A)).toBe(64);
	});
	test('the stock is given back when another memcg charges', () => {
		const A = mkdir('A'), B = mkdir('B');
		const a = enter(A), b = enter(B);
		charge(a);
		charge(b);
		expect([usage(A), usage(B)]).toEqual([1, 32]);
	});
	test('drain_all_stock() empties those of the subtree on every CPU', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), B = mkdir('B');
		charge(enter(A1));
		set_smp_processor_id(1);
		charge(enter(B));
		expect([usage(A), usage(A1), usage(B)]).toEqual([32, 32, 32]);
		mc.drain_all_stock(A);
		expect([usage(A), usage(A1), usage(B)]).toEqual([1, 1, 32]);
		mc.drain_all_stock(ROOT_MEM_CGROUP);
		expect(usage(B)).toBe(1);
	});
	test('of the root are not counted', () => {
		const task = new_task();
		const [page] = charge(task);
		expect(usage(ROOT_MEM_CGROUP)).toBe(0);
		expect(pages.mem_cgroup[page!]).toBe(ROOT_MEM_CGROUP);
	});
	test('are given back when the page is freed', () => {
		const A = mkdir('A'), task = enter(A);
		const charged = charge(task, 64);
		for (const page of charged)
			mc.mem_cgroup_uncharge(page);
		expect(usage(A)).toBe(0);
		expect(charged.map((page) => pages.mem_cgroup[page])).toEqual(charged.map(() => 0));
		/* 33 seen of 64 */
		expect(mc.memcg_events(A, PGPGOUT)).toBe(33);
	});
	test('go on to a replacement, beyond the limit', () => {
		const A = mkdir('A'), task = enter(A);
		const [oldpage] = charge(task, 32), newpage = next_page++ as page;
		mc.memory_max_write(A, '128k');
		pages.flags[oldpage!] = pages.flags[newpage] = 1 << PG_locked;
		mc.mem_cgroup_migrate(oldpage!, newpage);
		expect(pages.mem_cgroup[newpage]).toBe(A);
		expect(usage(A)).toBe(33);
	});
	test('move with no task', () => {
		const A = mkdir('A'), B = mkdir('B'), task = enter(A);
		charge(task, 32);
		expect(cg.cgroup_attach_task(memcgs.cgroup[B], task)).toBe(0);
		charge(task, 32);
		expect([usage(A), usage(B)]).toEqual([32, 32]);
	});
});

describe('memory.max', () => {
	test('retries without the batch, then reclaims from the one that is at its limit', () => {
		const A = mkdir('A'), B = mkdir('A/B'), task = enter(B);
		page_counters.max[memcgs.memory[A]] = 10;
		const held = charge(task, 10);
		expect(usage(A)).toBe(10);
		const calls: unknown[] = [];
		reclaim.run = (memcg, nr_pages, _gfp, may_swap) => {
			calls.push([memcg, nr_pages, may_swap]);
			mc.mem_cgroup_uncharge(held.pop()!);
			return 1;
		};
		charge(task);
		expect(calls).toEqual([[A, 1, true]]);
		expect(events(A, MEMCG_MAX)).toBe(1);
		expect(events(B, MEMCG_MAX)).toBe(0);
	});
	/* One round before the drain, 16 retries after it, and the one that has no retry left. */
	test('calls the killer when 18 rounds of reclaim gave nothing', () => {
		const A = mkdir('A'), task = enter(A);
		page_counters.max[memcgs.memory[A]] = 1;
		charge(task);
		let rounds = 0;
		reclaim.run = () => (rounds++, 0);
		const page = next_page++ as page;
		tasks.oom_score_adj[task] = -1000;
		expect(mc.mem_cgroup_charge(page, tasks.mm[task], GFP_KERNEL)).toBe(0);
		expect(rounds).toBe(18);
		expect(events(A, MEMCG_MAX)).toBe(18);
		expect(events(A, MEMCG_OOM)).toBe(1);
		expect(events(A, MEMCG_OOM_KILL)).toBe(0);
		/* nobody to kill: forced */
		expect(usage(A)).toBe(2);
	});
	test('fails with -ENOMEM then, since a4ebf1b6ca1e', () => {
		applyCommits([MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS]);
		const A = mkdir('A'), task = enter(A);
		page_counters.max[memcgs.memory[A]] = 1;
		charge(task);
		tasks.oom_score_adj[task] = -1000;
		const page = next_page++ as page;
		expect(mc.mem_cgroup_charge(page, tasks.mm[task], GFP_KERNEL)).toBe(-ENOMEM);
		expect(usage(A)).toBe(1);
		expect(pages.mem_cgroup[page]).toBe(0);
	});
	test('lets a task that is dying pass, before a4ebf1b6ca1e', () => {
		const A = mkdir('A'), task = enter(A);
		page_counters.max[memcgs.memory[A]] = 1;
		tasks.sigkill[task] = 1;
		charge(task, 3);
		expect(usage(A)).toBe(3);
		expect(events(A, MEMCG_MAX)).toBe(0);
	});
	test('written below usage: drain, 16 fruitless rounds, then kills until it fits', () => {
		const A = mkdir('A'), a = enter(A), b = enter(A);
		set_current(new_task());
		const held = new Map([[a, charge(a, 40)], [b, charge(b, 24)]]);
		for (const [task, own] of held)
			mms.rss_stat[tasks.mm[task] * NR_MM_COUNTERS + MM_ANONPAGES] = own.length;
		let rounds = 0;
		reclaim.run = () => (rounds++, 0);
		const killed: task_struct[] = [];
		oomHandler.victim_runs = (victim) => {
			killed.push(victim);
			for (const page of held.get(victim)!)
				mc.mem_cgroup_uncharge(page);
			cg.cgroup_exit(victim);
			tasks.mm[victim] = 0 as mm_struct;
			tasks.sigkill[victim] = 0;
			return true;
		};
		expect(mc.memory_max_write(A, `${30 * PAGE}\n`)).toBe(0);
		expect(rounds).toBe(16);
		expect(killed).toEqual([a]);
		expect(usage(A)).toBe(24);
		/*
		 * The victim dies where the writer, who has counted once more, waits for oom_lock:
		 * Debian's 5.10 has oom 3 after two kills.
		 */
		expect(mc.memory_events_show(A)).toBe('low 0\nhigh 0\nmax 0\noom 2\noom_kill 1\n');
		expect(vm_event(OOM_KILL)).toBe(1);
		expect(mc.memory_max_show(A)).toBe('122880\n');
	});
});

describe('memory.high', () => {
	test('written below usage: drain first, then reclaim the rest in one call', () => {
		applyCommits([MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH]);
		const A = mkdir('A'), task = enter(A);
		const held = charge(task, 65);
		expect(usage(A)).toBe(96);
		const calls: number[] = [], seen: number[] = [];
		reclaim.run = (_memcg, nr_pages) => {
			calls.push(nr_pages);
			seen.push(page_counters.high[memcgs.memory[A]]);
			for (let i = 0; i < 20; i++)
				mc.mem_cgroup_uncharge(held.pop()!);
			return 20;
		};
		/* 96 - 31 of the stock = 65: 25 above 40, then 5 */
		expect(mc.memory_high_write(A, `${40 * PAGE}`)).toBe(0);
		expect(calls).toEqual([25, 5]);
		expect(seen).toEqual([40, 40]);
		expect(mc.memory_high_show(A)).toBe('163840\n');
		expect(mc.memory_high_write(A, 'max')).toBe(0);
		expect(mc.memory_high_show(A)).toBe('max\n');
	});
	test('takes effect after the reclaim, before e82553c10b08', () => {
		const A = mkdir('A'), task = enter(A);
		charge(task, 64);
		const seen: number[] = [];
		reclaim.run = () => (seen.push(page_counters.high[memcgs.memory[A]]), 0);
		expect(mc.memory_high_write(A, '0')).toBe(0);
		expect(seen).toEqual(Array(17).fill(PAGE_COUNTER_MAX));
		expect(mc.memory_high_show(A)).toBe('0\n');
	});
	test('stops for a signal', () => {
		const A = mkdir('A'), task = enter(A);
		charge(task, 64);
		tasks.sigkill[task] = 1;
		reclaim.run = () => { throw new Error('reclaims'); };
		expect(mc.memory_high_write(A, '0')).toBe(0);
	});
	test('puts reclaim off to the return to user mode', () => {
		const A = mkdir('A'), B = mkdir('A/B'), task = enter(B);
		page_counters.high[memcgs.memory[A]] = 40;
		charge(task, 33);
		/* the second batch took A to 64 */
		expect(tasks.memcg_nr_pages_over_high[task]).toBe(32);
		const calls: unknown[] = [];
		reclaim.run = (memcg, nr_pages) => {
			calls.push([memcg, nr_pages]);
			page_counter_uncharge(memcgs.memory[B], 30);
			return 30;
		};
		const before = clock_ns.v;
		mc.mem_cgroup_handle_over_high();
		expect(calls).toEqual([[A, 32]]);
		expect(tasks.memcg_nr_pages_over_high[task]).toBe(0);
		expect([events(A, MEMCG_HIGH), events(B, MEMCG_HIGH)]).toEqual([1, 0]);
		expect(clock_ns.v).toBe(before);
	});
	test('throttles for two seconds at most when reclaim fails', () => {
		const A = mkdir('A'), task = enter(A);
		page_counters.high[memcgs.memory[A]] = 10;
		charge(task);
		const sizes: number[] = [];
		reclaim.run = (_memcg, nr_pages) => (sizes.push(nr_pages), 0);
		const before = clock_ns.v;
		mc.mem_cgroup_handle_over_high();
		/* once, and 16 retries of SWAP_CLUSTER_MAX */
		expect(sizes).toEqual(Array(17).fill(32));
		expect(clock_ns.v - before).toBe(2e9);
	});
	/* The table in mm/memcontrol.c, for a high of 100 MiB; a jiffy is 4 ms. */
	test.each([
		[101, 6], [102, 25], [103, 57], [104, 102], [105, 159], [106, 230], [107, 313],
		[108, 409], [109, 518], [110, 639], [111, 774], [112, 921], [113, 1081],
		[114, 1254], [115, 1439], [116, 1638], [117, 1849],
	])('costs a batch at %i MiB about %i ms', (mib, ms) => {
		const overage = mc.calculate_overage(mib * 256, 100 * 256);
		const jiffies = mc.calculate_high_delay(ROOT_MEM_CGROUP, 32, overage);
		expect(Math.abs(jiffies * 4 - ms)).toBeLessThanOrEqual(4);
	});
	/* A high of 0 counts as 1, before it is taken off the usage; 2^20 is 100 %. */
	test.each([[0, 0], [1, 0], [2, 2 ** 20], [77, 76 * 2 ** 20]])(
		'of 0: %i pages are above it by %i', (usage, overage) => {
			expect(mc.calculate_overage(usage, 0)).toBe(overage);
		});
	test('an overage whose square passes 2^64 wraps as in C', () => {
		/* (2^36)^2 * 250 mod 2^64 is 250 * 2^72 mod 2^64 = 0 */
		expect(mc.calculate_high_delay(ROOT_MEM_CGROUP, 32, 2 ** 36)).toBe(0);
		/* (2^31)^2 * 250 = 62 * 2^64 + 2^63; 2^63 >> 34 = 2^29 */
		expect(mc.calculate_high_delay(ROOT_MEM_CGROUP, 32, 2 ** 31)).toBe(2 ** 29);
	});
});

describe('memory.reclaim', () => {
	test('asks for the remainder until it has all', () => {
		const A = mkdir('A');
		const calls: number[] = [];
		reclaim.run = (_memcg, nr_pages) => (calls.push(nr_pages), 20);
		expect(mc.memory_reclaim(A, `${50 * PAGE}\n`)).toBe(0);
		expect(calls).toEqual([50, 30, 10]);
	});
	test('gives up after 17 fruitless rounds', () => {
		const A = mkdir('A');
		let rounds = 0;
		reclaim.run = () => (rounds++, 0);
		expect(mc.memory_reclaim(A, '4096')).toBe(-EAGAIN);
		expect(rounds).toBe(17);
		expect(mc.memory_reclaim(A, 'max')).toBe(-EINVAL);
		tasks.sigkill[enter(A)] = 1;
		expect(mc.memory_reclaim(A, '4096')).toBe(-EINTR);
	});
	test('is there with its commit', () => {
		expect(file_names(mkdir('A'))).toEqual([
			'memory.current', 'memory.min', 'memory.low', 'memory.high', 'memory.max',
			'memory.events', 'memory.events.local', 'memory.stat', 'memory.numa_stat',
			'memory.oom.group', 'memory.swap.current', 'memory.swap.high',
			'memory.swap.max', 'memory.swap.events',
		]);
		applyCommits([MEMCG_MEMORY_RECLAIM]);
		expect(file_names(mkdir('B'))).toContain('memory.reclaim');
		expect(file_names(ROOT_MEM_CGROUP)).toEqual(
			['memory.stat', 'memory.numa_stat', 'memory.reclaim']);
	});
});

describe('protection', () => {
	/* The example in include/linux/memcontrol.h above mem_cgroup_protection(). */
	test('global reclaim and reclaim of the parent', () => {
		const GiB = 1024 * MiB;
		const A = mkdir('P');
		const [B, C] = tree(A, [[GiB / 2, GiB], [2.5 * GiB, GiB]]) as
			[mem_cgroup, mem_cgroup];
		page_counter_set_low(memcgs.memory[A], 2 * GiB);
		expect(page_counters.children_low_usage[memcgs.memory[A]]).toBe(1.5 * GiB);
		for (const memcg of [ROOT_MEM_CGROUP, A, B, C])
			mc.mem_cgroup_calculate_protection(0 as mem_cgroup, memcg);
		expect([elow(A), elow(B), elow(C)]).toEqual([2 * GiB, GiB / 2, GiB]);
		expect([B, C].map((memcg) => mc.mem_cgroup_below_low(A, memcg)))
			.toEqual([true, false]);
		for (const memcg of [A, B, C])
			mc.mem_cgroup_calculate_protection(A, memcg);
		expect([elow(B), elow(C)]).toEqual([GiB, GiB]);
		/* the target's own values are stale, and are not used */
		expect(elow(A)).toBe(2 * GiB);
		const min = { v: -1 }, low = { v: -1 };
		mc.mem_cgroup_protection(A, A, min, low);
		expect([min.v, low.v]).toEqual([0, 0]);
		mc.mem_cgroup_protection(A, C, min, low);
		expect([min.v, low.v]).toEqual([0, GiB]);
	});
	/*
	 * test_memcontrol.c: 50 MiB for children that claim 75, 25, 0 and 500, with 50 cached in
	 * three of them
	 */
	test('overcommitted claims share by use: 33 and 17 of 50 MiB', () => {
		const P = mkdir('P');
		const children = tree(P, [[50 * MiB, 75 * MiB], [50 * MiB, 25 * MiB], [50 * MiB, 0],
			[0, 500 * MiB]]);
		page_counter_set_low(memcgs.memory[P], 50 * MiB);
		for (const memcg of [P, ...children])
			mc.mem_cgroup_calculate_protection(0 as mem_cgroup, memcg);
		expect(children.map((child) => Math.round(elow(child) / MiB)))
			.toEqual([33, 17, 0, 0]);
	});
	/*
	 * memcg_protection.m (6.1) settles at c = 28.781 21.05 0.127 0 and, with what nobody claims
	 * given out by use, e = 28.781 21.05 0.169 0 MB.
	 */
	test('memory_recursiveprot gives the unclaimed part to the one that uses most', () => {
		const c = [28.781, 21.05, 0.127, 0].map((mb) => Math.round(mb * MiB));
		const total = c.reduce((a, b) => a + b, 0);
		const n = [75, 25, 0, 500].map((mb) => mb * MiB);
		const siblings = c.reduce((sum, used, i) => sum + Math.min(used, n[i]!), 0);
		const e = () => c.map((used, i) =>
			mc.effective_protection(used, total, n[i]!, 50 * MiB, siblings));
		expect(e()).toEqual([c[0], c[1], 0, 0]);
		cg.cgrp_dfl_root_flags.v = cg.CGRP_ROOT_MEMORY_RECURSIVE_PROT;
		const worked = [28.781, 21.05, 0.169, 0].map((mb) => mb * MiB);
		const off = e().map((used, i) => Math.abs(used - worked[i]!));
		expect(Math.max(...off)).toBeLessThanOrEqual(1);
	});
	test('a product beyond 2^64 wraps as in C', () => {
		cg.cgrp_dfl_root_flags.v = cg.CGRP_ROOT_MEMORY_RECURSIVE_PROT;
		/* (2^51 - 1) * 2^14 = 2^65 - 2^14: 2^64 - 2^14 in 64 bits, of it a 2^15th */
		expect(mc.effective_protection(2 ** 14, 2 ** 15, 0, PAGE_COUNTER_MAX, 0))
			.toBe(2 ** 49 - 1);
	});
	test('goes when the group goes', () => {
		const P = mkdir('P');
		const [child] = tree(P, [[10, 10]]) as [mem_cgroup];
		mc.memory_min_write(child, '4k');
		expect(page_counters.children_low_usage[memcgs.memory[P]]).toBe(10);
		expect(page_counters.children_min_usage[memcgs.memory[P]]).toBe(1);
		cg.css_get(child);
		cg.cgroup_rmdir(memcgs.cgroup[child]);
		expect(page_counters.children_low_usage[memcgs.memory[P]]).toBe(0);
		expect(page_counters.children_min_usage[memcgs.memory[P]]).toBe(0);
	});
});

describe('walks', () => {
	test('go parents first, children in the order of their making', () => {
		const A = mkdir('A'), B = mkdir('B'), B1 = mkdir('B/B1'), A1 = mkdir('A/A1');
		const A2 = mkdir('A/A2'), A11 = mkdir('A/A1/A11');
		const refs = () => [A, B, B1, A1, A2, A11].map((m) => memcgs.css_refcnt[m]);
		const before = refs();
		expect(walk(0 as mem_cgroup)).toEqual([ROOT_MEM_CGROUP, A, A1, A11, A2, B, B1]);
		expect(walk(A)).toEqual([A, A1, A11, A2]);
		expect(refs()).toEqual(before);
	});
	test('visit a removed group while it has charges', () => {
		const A = mkdir('A'), B = mkdir('A/B'), task = enter(B);
		const [page] = charge(task);
		cg.cgroup_exit(task);
		expect(cg.cgroup_rmdir(memcgs.cgroup[B])).toBe(0);
		expect(mc.mem_cgroup_online(B)).toBe(false);
		expect(walk(A)).toEqual([A, B]);
		/* the reserve of the CPU is given back, the charge stays */
		expect([usage(A), usage(B)]).toEqual([1, 1]);
		expect(mc.page_cgroup_ino(page!)).toBe(cgroups.ino[memcgs.cgroup[A]]);
		mc.mem_cgroup_uncharge(page!);
		expect(walk(A)).toEqual([A]);
		expect(usage(A)).toBe(0);
	});
	test('that are shared go on where the last one stopped', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), A2 = mkdir('A/A2');
		const mine = { pgdat: NODE, generation: 0 }, other = { pgdat: NODE, generation: 0 };
		const none = 0 as mem_cgroup;
		let m = mc.mem_cgroup_iter(A, none, mine);
		expect(m).toBe(A);
		let o = mc.mem_cgroup_iter(A, none, other);
		expect(o).toBe(A1);
		m = mc.mem_cgroup_iter(A, m, mine);
		expect(m).toBe(A2);
		/* the round is over: both stop, and a new one begins at the top */
		m = mc.mem_cgroup_iter(A, m, mine);
		expect(m).toBe(none);
		o = mc.mem_cgroup_iter(A, o, other);
		expect(o).toBe(none);
		expect(mc.mem_cgroup_iter(A, none, mine)).toBe(A);
	});
	test('forget a position that is freed', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), A2 = mkdir('A/A2');
		const cookie = { pgdat: NODE, generation: 0 };
		const top = mc.mem_cgroup_iter(A, 0 as mem_cgroup, cookie);
		const first = mc.mem_cgroup_iter(A, top, cookie);
		expect(first).toBe(A1);
		mc.mem_cgroup_iter_break(A, first);
		cg.cgroup_rmdir(memcgs.cgroup[A1]);
		expect(mc.mem_cgroup_iter(A, 0 as mem_cgroup, cookie)).toBe(A);
		expect(walk(A)).toEqual([A, A2]);
	});
	test('over tasks end with the first answer', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), A2 = mkdir('A/A2');
		const t = [enter(A2), enter(A1), enter(A1)];
		const seen: task_struct[] = [];
		expect(mc.mem_cgroup_scan_tasks(A, (task) => (seen.push(task), 0), null)).toBe(0);
		expect(seen).toEqual([t[1], t[2], t[0]]);
		expect(mc.mem_cgroup_scan_tasks(A, (task) => tasks.pid[task], null))
			.toBe(tasks.pid[t[1]!]);
	});
});

describe('cgroups', () => {
	test('have paths, and refuse names', () => {
		mkdir('A');
		const B = mkdir('A/bücher');
		expect(cg.cgroup_path(memcgs.cgroup[B])).toBe('/A/bücher');
		expect(cg.cgroup_path(cg.ROOT_CGROUP)).toBe('/');
		expect(cg.cgroup_get_from_path('/A/bücher/')).toBe(memcgs.cgroup[B]);
		expect(cg.cgroup_get_from_path('/A/x/y')).toBe(0);
		const out = { v: 0 as cgroup };
		expect(cg.cgroup_mkdir(cg.ROOT_CGROUP, 'A', out)).toBe(-EEXIST);
		expect(cg.cgroup_mkdir(cg.ROOT_CGROUP, 'a\nb', out)).toBe(-EINVAL);
		expect(cg.cgroup_mkdir(cg.ROOT_CGROUP, 'x'.repeat(64), out)).toBe(-ENAMETOOLONG);
	});
	test('are removed when empty', () => {
		const A = mkdir('A'), B = mkdir('A/B'), task = enter(B);
		const a = memcgs.cgroup[A], b = memcgs.cgroup[B];
		const live = nr_live(memcgs);
		expect(cg.cgroup_rmdir(b)).toBe(-EBUSY);
		expect(cg.cgroup_rmdir(a)).toBe(-EBUSY);
		cg.cgroup_attach_task(cg.ROOT_CGROUP, task);
		expect(cg.cgroup_rmdir(a)).toBe(-EBUSY);
		expect(cg.cgroup_rmdir(b)).toBe(0);
		expect(cg.cgroup_rmdir(a)).toBe(0);
		expect(nr_live(memcgs)).toBe(live - 2);
		expect(cg.cgroup_get_from_path('A')).toBe(0);
	});
	test('with a css that lives on are dead but not freed', () => {
		const A = mkdir('A'), a = memcgs.cgroup[A];
		cg.css_get(A);
		cg.cgroup_rmdir(a);
		expect(cg.cgroup_rmdir(a)).toBe(-ENODEV);
		expect(cg.cgroup_mkdir(a, 'x', { v: 0 as cgroup })).toBe(-ENODEV);
		expect(cg.css_tryget_online(A)).toBe(false);
		expect(cg.cgroup_stat_show(cg.ROOT_CGROUP))
			.toBe('nr_descendants 0\nnr_dying_descendants 1\n');
		cg.css_put(A);
		expect(cg.cgroup_stat_show(cg.ROOT_CGROUP))
			.toBe('nr_descendants 0\nnr_dying_descendants 0\n');
	});
	test('no tasks beside controlled children', () => {
		const A = mkdir('A'), a = memcgs.cgroup[A], task = enter(A);
		expect(cg.cgroup_subtree_control_write(a, '+memory')).toBe(-EBUSY);
		cg.cgroup_attach_task(cg.ROOT_CGROUP, task);
		expect(cg.cgroup_subtree_control_write(a, '+memory')).toBe(0);
		expect(cg.cgroup_attach_task(a, task)).toBe(-EBUSY);
		expect(cg.cgroup_procs_write(a, `${tasks.pid[task]}\n`)).toBe(-EBUSY);
	});
	test('without +memory above have the css of an ancestor', () => {
		const A = mkdir('A'), a = memcgs.cgroup[A], out = { v: 0 as cgroup };
		expect(cg.cgroup_mkdir(a, 'B', out)).toBe(0);
		const b = out.v;
		expect(cgroups.memcg[b]).toBe(0);
		expect(cg.cgroup_subtree_control_write(b, '+memory')).toBe(-ENOENT);
		const task = new_task();
		cg.cgroup_attach_task(b, task);
		expect(tasks.memcg[task]).toBe(A);
		const seen: task_struct[] = [];
		mc.mem_cgroup_scan_tasks(A, (t) => (seen.push(t), 0), null);
		expect(seen).toEqual([task]);
		/* given one of its own, and taken from it */
		expect(cg.cgroup_subtree_control_write(a, '+memory')).toBe(0);
		expect(tasks.memcg[task]).toBe(cgroups.memcg[b]);
		expect(tasks.memcg[task]).not.toBe(A);
		expect(cg.cgroup_subtree_control_write(cg.ROOT_CGROUP, '-memory')).toBe(-EBUSY);
		expect(cg.cgroup_subtree_control_write(a, '-memory')).toBe(0);
		expect(tasks.memcg[task]).toBe(A);
		expect(cgroups.memcg[b]).toBe(0);
		expect(cg.cgroup_subtree_control_write(a, '+io')).toBe(-EINVAL);
	});
	test('mm_match_cgroup() asks for the subtree of the owner', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), B = mkdir('B'), task = enter(A1);
		const mm = tasks.mm[task];
		expect([A, A1, B, ROOT_MEM_CGROUP].map((m) => mc.mm_match_cgroup(mm, m)))
			.toEqual([true, true, false, true]);
		mms.owner[mm] = 0 as task_struct;
		expect(mc.mm_match_cgroup(mm, ROOT_MEM_CGROUP)).toBe(false);
		expect(mc.get_mem_cgroup_from_mm(mm)).toBe(ROOT_MEM_CGROUP);
	});
	test('IDs are the lowest free, and are kept by nothing but online groups and swap', () => {
		const A = mkdir('A'), B = mkdir('B'), task = enter(A);
		expect([ROOT_MEM_CGROUP, A, B].map(mc.mem_cgroup_id)).toEqual([1, 2, 3]);
		charge(task);
		cg.cgroup_exit(task);
		cg.cgroup_rmdir(memcgs.cgroup[A]);
		expect(mc.mem_cgroup_id(A)).toBe(0);
		expect(mc.mem_cgroup_from_id(2)).toBe(0);
		expect(mc.mem_cgroup_id(mkdir('C'))).toBe(2);
	});
	test('events go up to below the root, or stay with memory_localevents', () => {
		const A = mkdir('A'), B = mkdir('A/B');
		mc.memcg_memory_event(B, MEMCG_LOW);
		expect([B, A, ROOT_MEM_CGROUP].map((m) => events(m, MEMCG_LOW))).toEqual([1, 1, 0]);
		expect([B, A].map((m) => local_events(m, MEMCG_LOW))).toEqual([1, 0]);
		cg.cgrp_dfl_root_flags.v = cg.CGRP_ROOT_MEMORY_LOCAL_EVENTS;
		mc.memcg_memory_event(B, MEMCG_LOW);
		expect([B, A].map((m) => events(m, MEMCG_LOW))).toEqual([2, 1]);
		expect(mc.memory_events_local_show(B))
			.toBe('low 2\nhigh 0\nmax 0\noom 0\noom_kill 0\n');
	});
	test.each([
		['1', 0], ['0x1', 0], [' 0\n', 0], ['-0', 0], ['2', -EINVAL], ['-1', -EINVAL],
		['', -EINVAL], ['x', -EINVAL],
	])('memory.oom.group takes %j: %i', (text, ret) => {
		expect(mc.memory_oom_group_write(mkdir('A'), text)).toBe(ret);
	});
});

describe('swap', () => {
	beforeEach(() => {
		use_rows(swap_infos, 3);
		swap_infos.slot_base[swap_info(1)] = 512;
		swap_cgroup_swapon(1, 64);
		total_swap_pages.v = 63;
	});

	test('slots are charged apart from memory', () => {
		const A = mkdir('A'), task = enter(A);
		const [page] = charge(task);
		expect(mc.mem_cgroup_try_charge_swap(page!, slot(5))).toBe(0);
		expect(mc.swap_current_read(A)).toBe('4096\n');
		expect(lookup_swap_cgroup_id(slot(5))).toBe(mc.mem_cgroup_id(A));
		expect(swap_cgroup_cmpxchg(slot(5), 77, 1)).toBe(0);
		expect(swap_cgroup_cmpxchg(slot(5), 2, 2)).toBe(2);
		mc.mem_cgroup_uncharge_swap(slot(5), 1);
		expect(mc.swap_current_read(A)).toBe('0\n');
		expect(lookup_swap_cgroup_id(slot(5))).toBe(0);
	});
	test('memory.swap.max is kept without reclaim', () => {
		const A = mkdir('A'), B = mkdir('A/B'), task = enter(B);
		expect(mc.swap_max_write(A, '4k\n')).toBe(0);
		const [p, q] = charge(task, 2);
		expect(mc.mem_cgroup_try_charge_swap(p!, slot(1))).toBe(0);
		expect(mc.mem_cgroup_try_charge_swap(q!, slot(2))).toBe(-ENOMEM);
		expect(mc.mem_cgroup_try_charge_swap(q!, 0)).toBe(0);
		/* the events are those of the memcg that wants the slot */
		expect(mc.swap_events_show(B)).toBe('high 0\nmax 1\nfail 2\n');
		expect(mc.swap_events_show(A)).toBe('high 0\nmax 1\nfail 2\n');
		expect(mc.mem_cgroup_get_nr_swap_pages(B)).toBe(0);
	});
	test('a removed group keeps its ID for its slots', () => {
		const A = mkdir('A'), task = enter(A), id = mc.mem_cgroup_id(A);
		const [page] = charge(task);
		mc.mem_cgroup_try_charge_swap(page!, slot(9));
		mc.mem_cgroup_uncharge(page!);
		cg.cgroup_exit(task);
		cg.cgroup_rmdir(memcgs.cgroup[A]);
		expect(mc.mem_cgroup_from_id(id)).toBe(A);
		/* swapped in by another, it is charged to that one: A is offline */
		const B = mkdir('B'), other = enter(B), again = next_page++ as page;
		pages.flags[again] = 1 << PG_locked;
		SetPageSwapBacked(again);
		SetPageSwapCache(again);
		pages.private[again] = slot(9);
		expect(mc.mem_cgroup_charge(again, tasks.mm[other], GFP_KERNEL)).toBe(0);
		expect(pages.mem_cgroup[again]).toBe(B);
		const live = nr_live(memcgs);
		mc.mem_cgroup_uncharge_swap(slot(9), 1);
		expect(nr_live(memcgs)).toBe(live);
		expect(mc.mem_cgroup_from_id(id)).not.toBe(A);
	});
	test('what is swapped in goes back to the group that it came from', () => {
		applyCommits([MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2]);
		const A = mkdir('A'), B = mkdir('B'), a = enter(A);
		const [page] = charge(a);
		mc.mem_cgroup_try_charge_swap(page!, slot(3));
		mc.mem_cgroup_uncharge(page!);
		const b = enter(B), again = next_page++ as page;
		pages.flags[again] = 1 << PG_locked;
		SetPageSwapBacked(again);
		SetPageSwapCache(again);
		pages.private[again] = slot(3);
		expect(mc.mem_cgroup_charge(again, tasks.mm[b], GFP_KERNEL)).toBe(0);
		expect(pages.mem_cgroup[again]).toBe(A);
		/* the slot is in use until it is freed */
		expect(mc.swap_current_read(A)).toBe('4096\n');
		ClearPageSwapCache(again);
	});
	test('v5.10.0 forgets the slot at swap-in', () => {
		const A = mkdir('A'), a = enter(A), page = next_page++ as page;
		const [out] = charge(a);
		mc.mem_cgroup_try_charge_swap(out!, slot(3));
		mc.mem_cgroup_uncharge(out!);
		pages.flags[page] = 1 << PG_locked;
		SetPageSwapBacked(page);
		SetPageSwapCache(page);
		pages.private[page] = slot(3);
		expect(mc.mem_cgroup_charge(page, tasks.mm[a], GFP_KERNEL)).toBe(0);
		expect(mc.swap_current_read(A)).toBe('0\n');
		mc.mem_cgroup_uncharge_swap(slot(3), 1);
		expect(mc.swap_current_read(A)).toBe('0\n');
	});
	test('counts in its own statistic with the lag of the others', () => {
		const A = mkdir('A'), task = enter(A);
		for (const [i, page] of charge(task, 33).entries())
			mc.mem_cgroup_try_charge_swap(page, slot(i + 1));
		expect(mc.memcg_page_state(A, MEMCG_SWAP)).toBe(33);
		expect(mc.swap_current_read(A)).toBe(`${33 * PAGE}\n`);
	});
});

describe('the OOM killer', () => {
	test('takes the largest of the group, weighted by oom_score_adj', () => {
		const A = mkdir('A'), B = mkdir('B');
		page_counters.max[memcgs.memory[A]] = 1000;
		page_counter_charge(memcgs.memory[A], 1000);
		/* 1000 pages: one of oom_score_adj is one page */
		const t = [with_rss(A, 300), with_rss(A, 100, 250), with_rss(A, 900, -1000),
			with_rss(B, 5000)];
		expect(mc.mem_cgroup_out_of_memory(A, GFP_KERNEL, 0)).toBe(true);
		expect(killed(t)).toEqual([0, 1, 0, 0]);
	});
	/* test_memcontrol.c:test_memcg_oom_group_leaf_events and _parent_events */
	test('kills the whole group with memory.oom.group', () => {
		const A = mkdir('A'), A1 = mkdir('A/A1'), A2 = mkdir('A/A2');
		page_counters.max[memcgs.memory[A]] = 10;
		page_counter_charge(memcgs.memory[A1], 10);
		const t = [with_rss(A1, 6), with_rss(A1, 4), with_rss(A1, 1, -1000),
			with_rss(A2, 5)];
		mc.memory_oom_group_write(A1, '1');
		expect(mc.mem_cgroup_out_of_memory(A, GFP_KERNEL, 0)).toBe(true);
		expect(killed(t)).toEqual([1, 1, 0, 0]);
		expect(events(A1, MEMCG_OOM_KILL)).toBe(3);
		expect(events(A, MEMCG_OOM_KILL)).toBe(3);
		expect(local_events(A1, MEMCG_OOM_KILL)).toBe(3);
	});
	test('waits for a victim, and passes on when it is reaped', () => {
		const A = mkdir('A');
		page_counters.max[memcgs.memory[A]] = 10;
		page_counter_charge(memcgs.memory[A], 10);
		const t = [with_rss(A, 6), with_rss(A, 4)];
		const answers = [1, 2, 3, 4, 5].map(() => {
			const ret = mc.mem_cgroup_out_of_memory(A, GFP_KERNEL, 0);
			return [ret, ...killed(t)];
		});
		expect(answers).toEqual([
			[true, 1, 0],	/* the larger one is killed */
			[true, 1, 0],	/* is dying: reaped */
			[true, 1, 1],	/* the other one */
			[true, 1, 1],	/* reaped */
			[false, 1, 1],	/* nobody left */
		]);
	});
});

test('lists of a node are found by their lruvec', () => {
	const A = mkdir('A'), task = enter(A);
	const [page] = charge(task);
	const vec = mc.mem_cgroup_page_lruvec(page!, NODE);
	expect(vec).toBe(lruvec(A));
	expect(mc.lruvec_memcg(vec)).toBe(A);
	expect(lruvecs.pgdat[vec]).toBe(NODE);
	expect(mc.parent_lruvec(vec)).toBe(lruvec(ROOT_MEM_CGROUP));
	expect(mc.parent_lruvec(lruvec(ROOT_MEM_CGROUP))).toBe(0);
	mc.mem_cgroup_update_lru_size(vec, 2, 2, 5);
	mc.mem_cgroup_update_lru_size(vec, 2, 2, -3);
	expect(mc.mem_cgroup_get_zone_lru_size(vec, 2, 2)).toBe(2);
	expect(mc.mem_cgroup_get_zone_lru_size(vec, 2, 1)).toBe(0);
	expect(() => mc.mem_cgroup_update_lru_size(vec, 2, 1, -1)).toThrow('below 0');
});
