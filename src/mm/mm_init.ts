// SPDX-License-Identifier: GPL-2.0-only
/*
 * init/main.c and mm/mm_init.c, v5.10: memory management comes up, in the kernel's order.
 * Left out: the memory that the kernel's own image, its struct pages and its slabs would take; RAM
 *	is the machine's but for the first MiB, which firmware owns.
 */
import { MAX_PFN } from '../arch/ram.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { tlb_init } from '../arch/tlb.ts';
import { resetArena } from '../lib/arena.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { applyCommits } from '../lib/commits.ts';
import { seedRandom } from '../lib/rng.ts';
import { use_rows } from '../lib/struct.ts';
import { blkdev_init } from './blkdev.ts';
import { cgroup_init } from './cgroup.ts';
import { nr_cpu_ids } from './current.ts';
import { init_task_setup } from './fork.ts';
import { __GFP_BITS_MASK, gfp_allowed_mask } from './gfp.ts';
import { GFP_BOOT_MASK } from './internal.ts';
import { mem_cgroup_init } from './memcontrol.ts';
import { init_zero_pfn } from './memory.ts';
import { mmap_init } from './mmap.ts';
import { pages } from './mm_types.ts';
import { MAX_NR_ZONES, MAX_NUMNODES, MAX_ORDER_NR_PAGES, MAX_ZONELISTS, NR_CPUS, nr_online_nodes,
	pgdats, set_cpu_to_node, zonelists, zones } from './mmzone.ts';
import { build_all_zonelists, free_area_init, init_per_zone_wmark_min, memblock_free_all,
	page_alloc_init, reserve_low_memory, setup_per_cpu_pageset } from './page_alloc.ts';
import { page_writeback_init } from './page-writeback.ts';
import { shmem_init } from './shmem.ts';
import { lru_pvecs_init } from './swap.ts';
import { swap_state_init } from './swap_state.ts';
import { swapfile_init } from './swapfile.ts';
import { util_init } from './util.ts';
import { kswapd_init, vmscan_init } from './vmscan.ts';
import { init_mm_internals } from './vmstat.ts';
import { workingset_init } from './workingset.ts';

/** What a machine is made of. */
export interface MachineOptions {
	/** Bytes of RAM, a multiple of 4096, from 2 MiB to 4 GiB. */
	readonly ramBytes: number;
	/** NUMA nodes, 1 to 8; RAM and CPUs are split evenly. Default 1. */
	readonly nodes?: number;
	/** CPUs, 1 to 32. Default 1. */
	readonly cpus?: number;
	/** In which commits (lib/commits.ts) its kernel differs from v5.10. Default none. */
	readonly commits?: Iterable<number>;
	/** Whether its kernel uses PCIDs; if not, an mm switch flushes the TLB. Default false. */
	readonly pcid?: boolean;
	/** Seed of the machine's random numbers. Default 1. */
	readonly seed?: number;
}

export const RAM_BYTES_MIN = 2 * 1024 * 1024;

/**
 * The machine's memory, from power-on to a page allocator that works: setup_arch() and mm_init().
 * @custom what boot code does with firmware tables is given by `options`
 */
export function mm_core_init(options: MachineOptions): void {
	const { ramBytes, nodes = 1, cpus = 1, commits = [], pcid = false, seed = 1 } = options;
	const end_pfn = Math.floor(ramBytes / PAGE_SIZE);

	VM_BUG_ON(ramBytes < RAM_BYTES_MIN || end_pfn > MAX_PFN, `${ramBytes} bytes of RAM`);
	VM_BUG_ON(nodes < 1 || nodes > MAX_NUMNODES, `${nodes} nodes`);
	VM_BUG_ON(cpus < 1 || cpus > NR_CPUS, `${cpus} CPUs`);
	resetArena();
	applyCommits(commits);
	seedRandom(seed);

	/* setup_arch() */
	nr_cpu_ids.v = cpus;
	nr_online_nodes.v = nodes;
	for (let cpu = 0; cpu < cpus; cpu++)
		set_cpu_to_node(cpu, Math.floor(cpu * nodes / cpus));
	tlb_init(cpus, pcid);
	use_rows(pages, end_pfn);
	use_rows(pgdats, nodes + 1);
	use_rows(zones, 1 + nodes * MAX_NR_ZONES);
	use_rows(zonelists, 1 + nodes * MAX_ZONELISTS);
	free_area_init(node_start_pfns(end_pfn, nodes));

	/* start_kernel() */
	gfp_allowed_mask.v = GFP_BOOT_MASK;
	page_alloc_init();
	build_all_zonelists();
	reserve_low_memory();
	memblock_free_all();
	setup_per_cpu_pageset();
}

/** @custom first pfn of each node, whole blocks of the highest order; then the end of the last */
function node_start_pfns(end_pfn: number, nodes: number): number[] {
	const starts = [];

	for (let nid = 0; nid < nodes; nid++) {
		const pfn = Math.floor(end_pfn * nid / nodes);
		starts.push(pfn - pfn % MAX_ORDER_NR_PAGES);
	}
	return [...starts, end_pfn];
}

/**
 * Boot: all machine state becomes that of a machine just started, with only init running.
 * @custom start_kernel() to the last initcall, as far as memory management goes
 */
export function mm_boot(options: MachineOptions): void {
	mm_core_init(options);

	/* what the kernel's image has in its variables */
	lru_pvecs_init();
	vmscan_init();
	swap_state_init();

	/* start_kernel() after mm_init() */
	mmap_init();
	shmem_init();
	page_writeback_init();
	mem_cgroup_init();
	cgroup_init();

	/* rest_init(), kernel_init_freeable() */
	init_task_setup();
	gfp_allowed_mask.v = __GFP_BITS_MASK;
	init_mm_internals();

	/* initcalls, by their levels: core, postcore, subsys, device */
	init_zero_pfn();
	init_per_zone_wmark_min();
	util_init();
	swapfile_init();
	blkdev_init();
	kswapd_init();
	workingset_init();
}
