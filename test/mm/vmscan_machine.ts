// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine with memory and cgroups but without tasks' memory: as much as the LRU lists and the
 * decisions of reclaim need.
 */
import { resetArena } from '../../src/lib/arena.ts';
import { applyCommits } from '../../src/lib/commits.ts';
import { kmem_cache_zalloc, use_rows, type out } from '../../src/lib/struct.ts';
import { cgroup_init, cgroup_mkdir, cgroup_subtree_control_write, ROOT_CGROUP }
	from '../../src/mm/cgroup.ts';
import { nr_cpu_ids, set_current, set_smp_processor_id } from '../../src/mm/current.ts';
import { mem_cgroup_init, mem_cgroup_lruvec } from '../../src/mm/memcontrol.ts';
import { cgroups, mem_cgroup_per_nodes, type cgroup } from '../../src/mm/memcontrol_types.ts';
import { pages, tasks, type mem_cgroup, type page } from '../../src/mm/mm_types.ts';
import { MAX_NR_ZONES, NODE_DATA, NR_VM_NODE_STAT_ITEMS, nr_online_nodes, pgdats, ZONE_DMA32,
	zones, type lruvec, type zone } from '../../src/mm/mmzone.ts';
import { nr_swap_pages, total_swap_pages } from '../../src/mm/swap_types.ts';
import { lru_pvecs_init } from '../../src/mm/swap.ts';
import { vmscan_init } from '../../src/mm/vmscan.ts';
import { workingset_init } from '../../src/mm/workingset.ts';

export const NODE = NODE_DATA(0);
const FIRST_PFN = 4096, LAST_PFN = 131072;

/** 512 MiB on one node, all in DMA32, two CPUs, v5.10.0 with `commits`, swap of 64 MiB. */
export function makeMachine(commits: Iterable<number> = []): void {
	resetArena();
	applyCommits(commits);
	nr_cpu_ids.v = 2;
	set_smp_processor_id(0);
	nr_online_nodes.v = 1;
	use_rows(pgdats, NODE + 1);
	use_rows(zones, 1 + MAX_NR_ZONES);
	use_rows(pages, LAST_PFN);
	pgdats.node_id[NODE] = 0;
	pgdats.node_present_pages[NODE] = LAST_PFN;
	pgdats.node_zones[NODE] = 1 as zone;
	for (let zid = 0; zid < MAX_NR_ZONES; zid++) {
		const zone = 1 + zid as zone;
		zones.zone_pgdat[zone] = NODE;
		zones.zone_idx[zone] = zid;
		zones.managed_pages[zone] = zid === ZONE_DMA32 ? LAST_PFN - FIRST_PFN : 0;
	}
	lru_pvecs_init();
	mem_cgroup_init();
	cgroup_init();
	workingset_init();
	vmscan_init();
	total_swap_pages.v = nr_swap_pages.v = 16384;
	set_current(kmem_cache_zalloc(tasks));
}

/** A cgroup below `parent` (the root unless told), with the memory controller. */
export function makeCgroup(name: string, parent: cgroup = ROOT_CGROUP): cgroup {
	const made: out<cgroup> = { v: 0 as cgroup };

	if (cgroup_subtree_control_write(parent, '+memory') !== 0)
		throw new Error('no memory controller below the parent');
	if (cgroup_mkdir(parent, name, made) !== 0)
		throw new Error(`no cgroup ${name}`);
	return made.v;
}

export function memcgOf(cgroup: cgroup): mem_cgroup {
	return cgroups.memcg[cgroup];
}

export function lruvecOf(memcg: mem_cgroup): lruvec {
	return mem_cgroup_lruvec(memcg, NODE);
}

/** Page number `i` of the machine's: in DMA32, one reference, charged to `memcg`. */
export function makePage(i: number, memcg: mem_cgroup, flags = 0): page {
	const page = FIRST_PFN + i as page;

	pages.zone_node[page] = ZONE_DMA32;
	pages._mapcount[page] = -1;
	pages._refcount[page] = 1;
	pages.mem_cgroup[page] = memcg;
	pages.flags[page] = flags;
	return page;
}

/** Make a counter of an lruvec read `value`. */
export function setLruvecState(lruvec: lruvec, item: number, value: number): void {
	mem_cgroup_per_nodes.lruvec_stat[lruvec * NR_VM_NODE_STAT_ITEMS + item] = value;
}
