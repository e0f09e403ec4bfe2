// SPDX-License-Identifier: GPL-2.0-only
/* Counters with per-CPU differences: what they read, and when they lag. */
import { beforeEach, describe, expect, test } from 'vitest';
import { set_smp_processor_id } from '../../src/mm/current.ts';
import { __GFP_BITS_MASK, gfp_allowed_mask, GFP_HIGHUSER_MOVABLE } from '../../src/mm/gfp.ts';
import { mm_core_init } from '../../src/mm/mm_init.ts';
import { NODE_DATA, NR_ANON_MAPPED, NR_CPUS, NR_FREE_PAGES, NR_INACTIVE_ANON, NR_MLOCK,
	NR_PAGETABLE, NR_SLAB_RECLAIMABLE_B, NR_VM_NODE_STAT_ITEMS, NR_VM_ZONE_STAT_ITEMS,
	NUMA_FOREIGN, NUMA_HIT, NUMA_LOCAL, NUMA_MISS, NUMA_OTHER, pgdats, zones, type zone }
	from '../../src/mm/mmzone.ts';
import { __alloc_pages, alloc_page, init_per_zone_wmark_min, zone_watermark_ok_safe }
	from '../../src/mm/page_alloc.ts';
import { __dec_node_state, __dec_zone_state, __inc_zone_state, __mod_node_page_state,
	__mod_zone_page_state, calculate_pressure_threshold, count_vm_event, global_node_page_state,
	global_node_page_state_pages, global_zone_page_state, inc_node_state, init_mm_internals,
	KSWAPD_LOW_WMARK_HIT_QUICKLY, mod_node_page_state, mod_zone_page_state, node_page_state,
	node_stat_name, NR_VM_EVENT_ITEMS, NR_VMSTAT_ITEMS, OOM_KILL, PGALLOC_NORMAL, PGFAULT,
	PGSCAN_SKIP_MOVABLE, PGSTEAL_FILE, quiet_vmstat, set_pgdat_percpu_threshold,
	sum_zone_numa_state, SWAP_RA_HIT, THP_SWPOUT_FALLBACK, UNEVICTABLE_PGSTRANDED, vm_event,
	vm_event_name, vmstat_refresh, vmstat_shepherd, vmstat_text, zone_page_state,
	zone_page_state_snapshot, zone_stat_name } from '../../src/mm/vmstat.ts';

const MiB = 1024 * 1024;
const DMA32 = 2 as zone;
const NODE = NODE_DATA(0);

/** A NUMA counter of both nodes. */
function state(item: number): number[] {
	return [0, 1].map((nid) => sum_zone_numa_state(nid, item));
}

/** A second passes in which something changes. */
function second(): void {
	mod_zone_page_state(1 as zone, NR_MLOCK, 1);
	vmstat_shepherd();
}

function boot(ramBytes: number, cpus: number, nodes = 1): void {
	mm_core_init({ ramBytes, cpus, nodes });
	gfp_allowed_mask.v = __GFP_BITS_MASK;
	init_per_zone_wmark_min();
	init_mm_internals();
}

describe('thresholds', () => {
	test.each([
		/* The table above calculate_normal_threshold(): CPUs, MiB of zone, threshold. */
		[2, 96 + 16, 4],
		[2, 960 + 16, 16],
		[2, 1500 + 16, 20],
		[2, 3000 + 16, 24],
		[8, 960 + 16, 32],
		[8, 1500 + 16, 40],
		[16, 64 + 16, 10],
		[16, 960 + 16, 40],
	])('%d CPUs, %d MiB: %d', (cpus, mib, threshold) => {
		boot(mib * MiB, cpus);
		expect(zones.stat_threshold[DMA32]).toBe(threshold);
		/* A node's is that of its largest zone. */
		expect(pgdats.stat_threshold[NODE]).toBe(threshold);
	});
	test('never above 125', () => {
		boot(4096 * MiB, 32);
		/* 2 * fls(32) * (1 + fls(31)) = 2 * 6 * 6 */
		expect(zones.stat_threshold[DMA32]).toBe(72);
	});
	test('under pressure the drift of all CPUs is kept below that of the watermarks', () => {
		boot(64 * MiB, 8);
		/* min_free_kbytes 1015; 12288 of 16128 pages: min 192, a quarter 48; 48 / 8 */
		expect(calculate_pressure_threshold(DMA32)).toBe(6);
		/* 8 * 2 * 4 > 48: such a zone has a drift mark */
		expect(zones.stat_threshold[DMA32]).toBe(8);
		expect(zones.percpu_drift_mark[DMA32]).toBe(192 + 2 * 48 + 8 * 8);
		set_pgdat_percpu_threshold(NODE, calculate_pressure_threshold);
		expect(zones.stat_threshold[DMA32]).toBe(6);
	});
});

describe('lag', () => {
	/* Two CPUs, 512 MiB: threshold 2 * 2 * 3 = 12. */
	beforeEach(() => boot(512 * MiB, 2));

	test('a change of one is seen when it passes the threshold, with half of it on top', () => {
		for (let i = 0; i < 12; i++)
			__inc_zone_state(DMA32, NR_MLOCK);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(0);
		expect(zone_page_state_snapshot(DMA32, NR_MLOCK)).toBe(12);
		__inc_zone_state(DMA32, NR_MLOCK);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(13 + 6);
		expect(zone_page_state_snapshot(DMA32, NR_MLOCK)).toBe(13);
		/* So 19 more fit before the next fold: from -6 to 12. */
		for (let i = 0; i < 18; i++)
			__inc_zone_state(DMA32, NR_MLOCK);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(19);
		__inc_zone_state(DMA32, NR_MLOCK);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(19 + 19);
	});
	test('downwards likewise, and below zero reads as zero', () => {
		for (let i = 0; i < 13; i++)
			__dec_zone_state(DMA32, NR_MLOCK);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(0);
		expect(zones.vm_stat[DMA32 * NR_VM_ZONE_STAT_ITEMS + NR_MLOCK]).toBe(-19);
		expect(global_zone_page_state(NR_MLOCK)).toBe(0);
	});
	test('a change of many is folded whole, without the half on top', () => {
		__mod_zone_page_state(DMA32, NR_MLOCK, 12);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(0);
		__mod_zone_page_state(DMA32, NR_MLOCK, 1);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(13);
		mod_zone_page_state(DMA32, NR_MLOCK, -13);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(0);
		expect(zone_page_state_snapshot(DMA32, NR_MLOCK)).toBe(0);
	});
	test('each CPU has a difference of its own', () => {
		for (let cpu = 0; cpu < 2; cpu++) {
			set_smp_processor_id(cpu);
			mod_node_page_state(NODE, NR_ANON_MAPPED, 12);
		}
		expect(node_page_state(NODE, NR_ANON_MAPPED)).toBe(0);
		set_smp_processor_id(0);
		inc_node_state(NODE, NR_ANON_MAPPED);
		expect(node_page_state(NODE, NR_ANON_MAPPED)).toBe(13 + 6);
	});
	test('items in bytes are kept in pages', () => {
		__mod_node_page_state(NODE, NR_SLAB_RECLAIMABLE_B, 20 * 4096);
		expect(global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B)).toBe(20);
		expect(() => global_node_page_state(NR_SLAB_RECLAIMABLE_B)).toThrow(/bytes/);
		expect(() => __dec_node_state(NODE, NR_SLAB_RECLAIMABLE_B)).toThrow(/bytes/);
		expect(() => __mod_node_page_state(NODE, NR_SLAB_RECLAIMABLE_B, 100))
			.toThrow(/part of a page/);
	});
	test('free pages lag by what the CPUs took, and the safe check sees through it', () => {
		boot(64 * MiB, 8);
		const free = zone_page_state(DMA32, NR_FREE_PAGES);
		const snapshot = zone_page_state_snapshot(DMA32, NR_FREE_PAGES);
		for (let cpu = 0; cpu < 8; cpu++) {
			set_smp_processor_id(cpu);
			__mod_zone_page_state(DMA32, NR_FREE_PAGES, -7);
		}
		expect(zone_page_state(DMA32, NR_FREE_PAGES)).toBe(free);
		expect(zone_page_state_snapshot(DMA32, NR_FREE_PAGES)).toBe(snapshot - 56);
		expect(zone_watermark_ok_safe(DMA32, 0, free - 50, 2)).toBe(true);
		zones.percpu_drift_mark[DMA32] = free + 1;
		expect(zone_watermark_ok_safe(DMA32, 0, free - 50, 2)).toBe(false);
	});
});

describe('folding', () => {
	beforeEach(() => boot(512 * MiB, 2));

	test('a write to stat_refresh folds all CPUs', () => {
		set_smp_processor_id(1);
		mod_node_page_state(NODE, NR_INACTIVE_ANON, 5);
		mod_zone_page_state(DMA32, NR_PAGETABLE, 3);
		set_smp_processor_id(0);
		expect(vmstat_refresh()).toBe(0);
		expect(global_node_page_state(NR_INACTIVE_ANON)).toBe(5);
		expect(zone_page_state(DMA32, NR_PAGETABLE)).toBe(3);
		for (const diffs of [zones.vm_stat_diff, pgdats.vm_node_stat_diff])
			expect(Array.from(diffs as unknown as ArrayLike<number>).some(Boolean))
				.toBe(false);
	});
	test('a counter below zero is told', () => {
		mod_zone_page_state(DMA32, NR_MLOCK, -1);
		expect(vmstat_refresh()).toBe(-22);
	});
	test('the shepherd folds a CPU with zone differences; node ones do not wake it', () => {
		vmstat_refresh();
		mod_node_page_state(NODE, NR_ANON_MAPPED, 5);
		vmstat_shepherd();
		/* need_update() looks at zones only */
		expect(node_page_state(NODE, NR_ANON_MAPPED)).toBe(0);
		mod_zone_page_state(DMA32, NR_MLOCK, 2);
		vmstat_shepherd();
		expect(node_page_state(NODE, NR_ANON_MAPPED)).toBe(5);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(2);
		/* Its work is queued again, since there were changes: now others count. */
		mod_node_page_state(NODE, NR_ANON_MAPPED, 1);
		vmstat_shepherd();
		expect(node_page_state(NODE, NR_ANON_MAPPED)).toBe(6);
	});
	test('going idle folds only while work is queued', () => {
		vmstat_refresh();
		mod_zone_page_state(DMA32, NR_MLOCK, 2);
		quiet_vmstat();
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(0);
		vmstat_shepherd();
		mod_zone_page_state(DMA32, NR_MLOCK, 2);
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(2);
		quiet_vmstat();
		expect(zone_page_state(DMA32, NR_MLOCK)).toBe(4);
	});
	test('pages of another node go back after three idle seconds', () => {
		boot(128 * MiB, 2, 2);
		const remote = 7 as zone;
		set_smp_processor_id(0);
		__alloc_pages(GFP_HIGHUSER_MOVABLE, 0, 1);
		alloc_page(GFP_HIGHUSER_MOVABLE);
		const { pcp_count } = zones;
		const local = pcp_count[DMA32 * NR_CPUS], away = pcp_count[remote * NR_CPUS]!;
		expect(away).toBeGreaterThan(0);
		/* Seconds count only while the CPU's work runs: as long as something changes. */
		/* The first one folds the differences and starts the count of three at 2. */
		second();
		second();
		expect(pcp_count[remote * NR_CPUS]).toBe(away);
		second();
		expect(pcp_count[remote * NR_CPUS]).toBe(0);
		expect(pcp_count[DMA32 * NR_CPUS]).toBe(local);
	});
});

describe('NUMA', () => {
	test('hits and misses by who asked and who gave', () => {
		boot(128 * MiB, 2, 2);
		const items = [NUMA_HIT, NUMA_MISS, NUMA_FOREIGN, NUMA_LOCAL, NUMA_OTHER];
		const before = items.map(state);
		set_smp_processor_id(0);
		alloc_page(GFP_HIGHUSER_MOVABLE);
		/* Node 1 was asked for and gave, but the CPU is on node 0. */
		__alloc_pages(GFP_HIGHUSER_MOVABLE, 0, 1);
		const after = items.map(state);
		expect(after.map((pair, i) => pair.map((n, nid) => n - before[i]![nid]!))).toEqual(
			[[1, 1], [0, 0], [0, 0], [1, 0], [0, 1]]);
	});
});

describe('names', () => {
	test('each item has its line', () => {
		expect(vmstat_text.length).toBe(NR_VMSTAT_ITEMS);
		expect(new Set(vmstat_text).size).toBe(NR_VMSTAT_ITEMS);
		expect(zone_stat_name(NR_MLOCK)).toBe('nr_mlock');
		expect(zone_stat_name(NR_PAGETABLE)).toBe('nr_page_table_pages');
		expect(node_stat_name(NR_ANON_MAPPED)).toBe('nr_anon_pages');
		expect(node_stat_name(NR_VM_NODE_STAT_ITEMS - 1)).toBe('nr_kernel_stack');
		for (const [item, name] of [
			[PGALLOC_NORMAL, 'pgalloc_normal'], [PGSCAN_SKIP_MOVABLE, 'pgskip_movable'],
			[PGFAULT, 'pgfault'], [PGSTEAL_FILE, 'pgsteal_file'],
			[OOM_KILL, 'oom_kill'],
			[KSWAPD_LOW_WMARK_HIT_QUICKLY, 'kswapd_low_wmark_hit_quickly'],
			[UNEVICTABLE_PGSTRANDED, 'unevictable_pgs_stranded'],
			[THP_SWPOUT_FALLBACK, 'thp_swpout_fallback'], [SWAP_RA_HIT, 'swap_ra_hit'],
		] as const)
			expect(vm_event_name(item)).toBe(name);
		expect(SWAP_RA_HIT).toBe(NR_VM_EVENT_ITEMS - 1);
	});
	test('events of all CPUs are summed', () => {
		boot(64 * MiB, 4);
		for (let cpu = 0; cpu < 4; cpu++) {
			set_smp_processor_id(cpu);
			count_vm_event(PGFAULT);
		}
		expect(vm_event(PGFAULT)).toBe(4);
	});
});
