// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/memcontrol.c, include/linux/memcontrol.h, v5.10
 * Left out: cgroup v1 (use_hierarchy is always true; no memsw, soft limit, thresholds, userspace
 * OOM handling, moving of charges), kernel memory and sockets (booted with cgroup.memory=nokmem,
 * nosocket), vmpressure and shrinker maps (nothing listens, no shrinker shrinks), writeback
 * domains, notification of pollers, CPU and memory hotplug, charges from interrupts (and with
 * them high_work, which only these schedule), the text in the kernel log.
 * Lock order modelled: none; percpu_charge_mutex and oom_lock are never contended.
 */
import { PAGE_SHIFT, PAGE_SIZE } from '../arch/page.ts';
import { VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { applied, MEMCG_INCREASE_MEMCG_CHARGE_BATCH_TO_64, MEMCG_MEMORY_RECLAIM,
	MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS,
	MEMCG_SWITCH_LRUVEC_STATS_TO_RSTAT, MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2,
	MM_MEMCG_COUNT_PTE_REFERENCES_FROM_EVERY_MEMBER,
	MM_MEMCG_FIX_STALE_PROTECTION_OF_RECLAIM_TARGET_MEMCG,
	MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH, MM_SWITCH_TO_RSTAT }
	from '../lib/commits.ts';
import { EAGAIN, EINTR, EINVAL, ENOMEM, ERANGE } from '../lib/errno.ts';
import { INIT_LIST_HEAD, list_empty } from '../lib/list.ts';
import { kmem_cache_free, kmem_cache_zalloc, list_heads, nr_rows, use_rows, global_s32,
	type list_head, type out } from '../lib/struct.ts';
import { clock_ns } from '../lib/trace.ts';
import { cgrp_dfl_root_flags, CGRP_ROOT_MEMORY_LOCAL_EVENTS, CGRP_ROOT_MEMORY_RECURSIVE_PROT,
	css_get, css_next_descendant_pre, css_put, css_task_iter_next, css_tryget,
	css_tryget_online, strstrip } from './cgroup.ts';
import { current, nr_cpu_ids, smp_processor_id } from './current.ts';
import { __GFP_ATOMIC, __GFP_NOFAIL, __GFP_NORETRY, __GFP_RETRY_MAYFAIL, GFP_KERNEL,
	gfpflags_allow_blocking, type gfp_t } from './gfp.ts';
import { MAX_RECLAIM_RETRIES, PAGE_ALLOC_COSTLY_ORDER } from './internal.ts';
import { cgroups, CSS_ONLINE, MEM_CGROUP_ID_MAX, mem_cgroup_idr, mem_cgroup_idr_max,
	mem_cgroup_per_nodes, MEMCG_CHARGE_BATCH, MEMCG_EVENTS, MEMCG_HIGH, MEMCG_LOW, MEMCG_MAX,
	MEMCG_NR_MEMORY_EVENTS, MEMCG_NR_STAT, MEMCG_OOM, MEMCG_OOM_KILL, MEMCG_PERCPU_B,
	MEMCG_SOCK, memcg_stocks, MEMCG_SWAP, MEMCG_SWAP_FAIL, MEMCG_SWAP_HIGH, MEMCG_SWAP_MAX,
	memcgs, PAGE_COUNTER_MAX, page_counters, ROOT_MEM_CGROUP, root_mem_cgroup,
	stats_flush_threshold, stats_updates, type mem_cgroup,
	type mem_cgroup_per_node, type mem_cgroup_reclaim_cookie, type memcg_stock_pcp,
	type page_counter } from './memcontrol_types.ts';
import { page_count, page_pgdat, page_private, page_to_nid } from './mm.ts';
import { mms, pages, PF_EXITING, PF_MEMALLOC, tasks, type mm_struct, type page,
	type swp_entry_t, type task_struct } from './mm_types.ts';
import { lruvecs, MAX_NR_ZONES, MAX_NUMNODES, NR_ACTIVE_ANON, NR_ACTIVE_FILE, NR_ANON_MAPPED,
	NR_ANON_THPS, NR_CPUS, NR_FILE_DIRTY, NR_FILE_MAPPED, NR_FILE_PAGES, NR_INACTIVE_ANON,
	NR_INACTIVE_FILE, NR_KERNEL_STACK_KB, NR_LRU_LISTS, NR_SHMEM, NR_SLAB_RECLAIMABLE_B,
	NR_SLAB_UNRECLAIMABLE_B, NR_UNEVICTABLE, NR_VM_NODE_STAT_ITEMS, NR_WRITEBACK, pgdats,
	vmstat_item_in_bytes, WORKINGSET_ACTIVATE_ANON, WORKINGSET_ACTIVATE_FILE,
	WORKINGSET_NODERECLAIM, WORKINGSET_REFAULT_ANON, WORKINGSET_REFAULT_FILE,
	WORKINGSET_RESTORE_ANON, WORKINGSET_RESTORE_FILE, type lruvec, type pglist_data }
	from './mmzone.ts';
import { let_victims_run, oom_control, out_of_memory, tsk_is_oom_victim } from './oom_kill.ts';
import { compound_head, compound_nr, PageAnon, PageLocked, PageLRU, PageSwapCache, PageTransHuge,
	thp_nr_pages } from './page_flags.ts';
import { page_counter_charge, page_counter_init, page_counter_memparse, page_counter_read,
	page_counter_set_high, page_counter_set_low, page_counter_set_max, page_counter_set_min,
	page_counter_try_charge, page_counter_uncharge } from './page_counter.ts';
import { lru_add_drain_all } from './swap.ts';
import { lookup_swap_cgroup_id, swap_cgroup_record } from './swap_cgroup.ts';
import { get_nr_swap_pages, SWAP_CLUSTER_MAX, total_swap_pages, vm_swap_full }
	from './swap_types.ts';
import { try_to_free_mem_cgroup_pages, vm_swappiness } from './vmscan.ts';
import { __mod_node_page_state, NR_VM_EVENT_ITEMS, PGACTIVATE, PGDEACTIVATE, PGFAULT, PGLAZYFREE,
	PGLAZYFREED, PGMAJFAULT, PGPGIN, PGPGOUT, PGREFILL, PGSCAN_DIRECT, PGSCAN_KSWAPD,
	PGSTEAL_DIRECT, PGSTEAL_KSWAPD, THP_COLLAPSE_ALLOC, THP_FAULT_ALLOC } from './vmstat.ts';

const { parent: memcg_parent, level: memcg_level, css_flags, memory: memcg_memory, swap: memcg_swap,
	vmstats, vmevents, memory_events, memory_events_local, vmstats_local_stat,
	vmstats_local_events, vmstats_percpu_stat, vmstats_percpu_events, nodeinfo, id_id, id_ref,
	oom_group } = memcgs;
const { memcg: pn_memcg, lru_zone_size, lruvec_stat, lruvec_stat_local, lruvec_stat_cpu,
	iter_position, iter_generation } = mem_cgroup_per_nodes;
const { min: counter_min, low: counter_low, high: counter_high, max: counter_max, emin, elow,
	children_min_usage, children_low_usage, container } = page_counters;
const { mem_cgroup: page_mem_cgroup } = pages;
const { pgdat: lruvec_pgdat } = lruvecs;
const { memcg: task_memcg } = tasks;
const { owner: mm_owner } = mms;

const NONE = 0 as mem_cgroup;
const HZ = 250;
const JIFFY_NS = 1e9 / HZ;
const HPAGE_PMD_SIZE = 512 * PAGE_SIZE;

/** 1 where the swap controller is off, as with swapaccount=0. */
export const cgroup_memory_noswap = global_s32('cgroup_memory_noswap');

/** @reduced is always on */
export function mem_cgroup_disabled(): boolean {
	return false;
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_is_root() */
export function mem_cgroup_is_root(memcg: mem_cgroup): boolean {
	return memcg === ROOT_MEM_CGROUP;
}

/** @ported v5.10 include/linux/memcontrol.h:memcg_stat_item_in_bytes() */
export function memcg_stat_item_in_bytes(idx: number): boolean {
	return idx === MEMCG_PERCPU_B || vmstat_item_in_bytes(idx);
}

/**
 * What of a memcg reclaim of root must leave alone, in pages; nothing of the target itself.
 * Before f56ce412a59d the callers had max(min, low), or min alone on the second pass.
 * @ported v5.10 include/linux/memcontrol.h:mem_cgroup_protection()
 */
export function mem_cgroup_protection(
	root: mem_cgroup, memcg: mem_cgroup, min: out<number>, low: out<number>,
): void {
	min.v = low.v = 0;
	/* the target's own are not worked out in its walk: they may be of an earlier one */
	if (root === memcg)
		return;
	min.v = emin[memcg_memory[memcg]];
	low.v = elow[memcg_memory[memcg]];
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_supports_protection() */
export function mem_cgroup_supports_protection(memcg: mem_cgroup): boolean {
	/* its usage is not counted */
	return !mem_cgroup_is_root(memcg);
}

/**
 * Whether a group does not protect itself: from a reclaim that aims at it, in 6.2's words.
 * @param target 0: the root
 * @ported v6.2 include/linux/memcontrol.h:mem_cgroup_unprotected()
 */
function mem_cgroup_unprotected(target: mem_cgroup, memcg: mem_cgroup): boolean {
	return !mem_cgroup_supports_protection(memcg) || (memcg === target &&
		applied(MM_MEMCG_FIX_STALE_PROTECTION_OF_RECLAIM_TARGET_MEMCG
		/* adb8213014b2, v6.2 */));
}

/** @ported v6.2 include/linux/memcontrol.h:mem_cgroup_below_low(); v5.10 has no target */
export function mem_cgroup_below_low(target: mem_cgroup, memcg: mem_cgroup): boolean {
	if (mem_cgroup_unprotected(target, memcg))
		return false;
	return elow[memcg_memory[memcg]] >= page_counter_read(memcg_memory[memcg]);
}

/** @ported v6.2 include/linux/memcontrol.h:mem_cgroup_below_min(); v5.10 has no target */
export function mem_cgroup_below_min(target: mem_cgroup, memcg: mem_cgroup): boolean {
	if (mem_cgroup_unprotected(target, memcg))
		return false;
	return emin[memcg_memory[memcg]] >= page_counter_read(memcg_memory[memcg]);
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_nodeinfo() */
export function mem_cgroup_nodeinfo(memcg: mem_cgroup, nid: number): mem_cgroup_per_node {
	return nodeinfo[memcg * MAX_NUMNODES + nid]! as mem_cgroup_per_node;
}

/**
 * LRU lists of a memcg (0: the root) on a node.
 * @ported v5.10 include/linux/memcontrol.h:mem_cgroup_lruvec()
 */
export function mem_cgroup_lruvec(memcg: mem_cgroup, pgdat: pglist_data): lruvec {
	if (!memcg)
		memcg = ROOT_MEM_CGROUP;
	const lruvec = nodeinfo[memcg * MAX_NUMNODES + pgdat - 1]! as lruvec;
	if (lruvec_pgdat[lruvec] !== pgdat)
		lruvec_pgdat[lruvec] = pgdat;
	return lruvec;
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_put() */
export function mem_cgroup_put(memcg: mem_cgroup): void {
	if (memcg)
		css_put(memcg);
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_from_counter() */
export function mem_cgroup_from_counter(counter: page_counter): mem_cgroup {
	return container[counter];
}

/**
 * ID of a memcg, 1..65535; 0 once it is given back.
 * @ported v5.10 include/linux/memcontrol.h:mem_cgroup_id()
 */
export function mem_cgroup_id(memcg: mem_cgroup): number {
	return id_id[memcg];
}

/** @ported v5.10 include/linux/memcontrol.h:lruvec_memcg() */
export function lruvec_memcg(lruvec: lruvec): mem_cgroup {
	return pn_memcg[lruvec as number as mem_cgroup_per_node];
}

/** @ported v5.10 include/linux/memcontrol.h:parent_mem_cgroup() */
export function parent_mem_cgroup(memcg: mem_cgroup): mem_cgroup {
	return memcg_parent[memcg];
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_is_descendant() */
export function mem_cgroup_is_descendant(memcg: mem_cgroup, root: mem_cgroup): boolean {
	for (let depth = memcg_level[memcg] - memcg_level[root]; depth > 0; depth--)
		memcg = memcg_parent[memcg];
	return memcg === root;
}

/**
 * Whether the memcg of the mm's owner is this one, or below it.
 * @ported v5.10 include/linux/memcontrol.h:mm_match_cgroup()
 */
export function mm_match_cgroup(mm: mm_struct, memcg: mem_cgroup): boolean {
	const owner_memcg = mem_cgroup_from_task(mm_owner[mm]);

	if (!applied(MM_MEMCG_COUNT_PTE_REFERENCES_FROM_EVERY_MEMBER /* c3ac9a8ade65, v3.5 */))
		return owner_memcg === memcg;
	return owner_memcg !== 0 && mem_cgroup_is_descendant(owner_memcg, memcg);
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_online() */
export function mem_cgroup_online(memcg: mem_cgroup): boolean {
	return (css_flags[memcg] & CSS_ONLINE) !== 0;
}

/** @ported v5.10 include/linux/memcontrol.h:mem_cgroup_get_zone_lru_size() */
export function mem_cgroup_get_zone_lru_size(
	lruvec: lruvec, lru: number, zone_idx: number,
): number {
	return lru_zone_size[
		(lruvec * MAX_NR_ZONES + zone_idx) * NR_LRU_LISTS + lru]!;
}

/**
 * Pages that a CPU charges at once, and keeps back of a counter.
 * @custom MEMCG_CHARGE_BATCH of the machine's kernel
 */
function charge_batch(): number {
	return applied(MEMCG_INCREASE_MEMCG_CHARGE_BATCH_TO_64 /* 1813e51eece0, v6.1 */)
		? 2 * MEMCG_CHARGE_BATCH : MEMCG_CHARGE_BATCH;
}

/**
 * Whether so much is too much for a CPU to keep back.
 * @custom as it stands in functions of the kernel, its batch asked for last
 */
function is_beyond(x: number, threshold: number): boolean {
	return (x > threshold || x < -threshold) && (charge_batch() === MEMCG_CHARGE_BATCH ||
		x > 2 * threshold || x < -2 * threshold);
}

/**
 * A counter of the subtree as far as the CPUs have flushed it: up to MEMCG_CHARGE_BATCH pages
 * off for each CPU and memcg.
 * @ported v5.10 include/linux/memcontrol.h:memcg_page_state()
 */
export function memcg_page_state(memcg: mem_cgroup, idx: number): number {
	const x = vmstats[memcg * MEMCG_NR_STAT + idx]!;

	return x < 0 ? 0 : x;
}

/** @ported v5.10 include/linux/memcontrol.h:memcg_page_state_local() */
export function memcg_page_state_local(memcg: mem_cgroup, idx: number): number {
	const x = vmstats_local_stat[memcg * MEMCG_NR_STAT + idx]!;

	return x < 0 ? 0 : x;
}

/** @ported v5.10 include/linux/memcontrol.h:mod_memcg_state() */
export function mod_memcg_state(memcg: mem_cgroup, idx: number, val: number): void {
	__mod_memcg_state(memcg, idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:__mod_memcg_page_state() */
export function __mod_memcg_page_state(page: page, idx: number, val: number): void {
	if (page_mem_cgroup[page])
		__mod_memcg_state(page_mem_cgroup[page], idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:mod_memcg_page_state() */
export function mod_memcg_page_state(page: page, idx: number, val: number): void {
	if (page_mem_cgroup[page])
		__mod_memcg_state(page_mem_cgroup[page], idx, val);
}

/**
 * As memcg_page_state(), on one node.
 * @ported v5.10 include/linux/memcontrol.h:lruvec_page_state()
 */
export function lruvec_page_state(lruvec: lruvec, idx: number): number {
	const x = lruvec_stat[lruvec * NR_VM_NODE_STAT_ITEMS + idx]!;

	return x < 0 ? 0 : x;
}

/**
 * A counter of this memcg alone on one node, exact.
 * @ported v5.10 include/linux/memcontrol.h:lruvec_page_state_local()
 */
export function lruvec_page_state_local(lruvec: lruvec, idx: number): number {
	const x = lruvec_stat_local[lruvec * NR_VM_NODE_STAT_ITEMS + idx]!;

	return x < 0 ? 0 : x;
}

/** @ported v5.10 include/linux/memcontrol.h:mod_memcg_lruvec_state() */
export function mod_memcg_lruvec_state(lruvec: lruvec, idx: number, val: number): void {
	__mod_memcg_lruvec_state(lruvec, idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:mod_lruvec_state() */
export function mod_lruvec_state(lruvec: lruvec, idx: number, val: number): void {
	__mod_lruvec_state(lruvec, idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:__mod_lruvec_page_state() */
export function __mod_lruvec_page_state(page: page, idx: number, val: number): void {
	const memcg = page_mem_cgroup[compound_head(page)];
	const pgdat = page_pgdat(page);

	/* not charged: only the node counts it */
	if (!memcg) {
		__mod_node_page_state(pgdat, idx, val);
		return;
	}
	__mod_lruvec_state(mem_cgroup_lruvec(memcg, pgdat), idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:mod_lruvec_page_state() */
export function mod_lruvec_page_state(page: page, idx: number, val: number): void {
	__mod_lruvec_page_state(page, idx, val);
}

/** @ported v5.10 include/linux/memcontrol.h:count_memcg_events() */
export function count_memcg_events(memcg: mem_cgroup, idx: number, count: number): void {
	__count_memcg_events(memcg, idx, count);
}

/** @ported v5.10 include/linux/memcontrol.h:count_memcg_page_event() */
export function count_memcg_page_event(page: page, idx: number): void {
	if (page_mem_cgroup[page])
		__count_memcg_events(page_mem_cgroup[page], idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:count_memcg_event_mm() */
export function count_memcg_event_mm(mm: mm_struct, idx: number): void {
	count_memcg_events_mm(mm, idx, 1);
}
/** @custom count_memcg_event_mm() of any number */
export function count_memcg_events_mm(mm: mm_struct, idx: number, count: number): void {
	const memcg = mem_cgroup_from_task(mm_owner[mm]);

	if (memcg)
		__count_memcg_events(memcg, idx, count);
}

/**
 * Count an event of memory.events or memory.swap.events, here and in the ancestors.
 * @reduced the wake-up of who polls the files
 */
export function memcg_memory_event(memcg: mem_cgroup, event: number): void {
	memory_events_local[memcg * MEMCG_NR_MEMORY_EVENTS + event]!++;
	do {
		memory_events[memcg * MEMCG_NR_MEMORY_EVENTS + event]!++;
		if ((cgrp_dfl_root_flags.v & CGRP_ROOT_MEMORY_LOCAL_EVENTS) !== 0)
			break;
		memcg = parent_mem_cgroup(memcg);
	} while (memcg && !mem_cgroup_is_root(memcg));
}

/** @ported v5.10 include/linux/memcontrol.h:memcg_memory_event_mm() */
export function memcg_memory_event_mm(mm: mm_struct, event: number): void {
	const memcg = mem_cgroup_from_task(mm_owner[mm]);

	if (memcg)
		memcg_memory_event(memcg, event);
}

/** @ported v5.10 include/linux/memcontrol.h:__inc_memcg_state() */
export function __inc_memcg_state(memcg: mem_cgroup, idx: number): void {
	__mod_memcg_state(memcg, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:__dec_memcg_state() */
export function __dec_memcg_state(memcg: mem_cgroup, idx: number): void {
	__mod_memcg_state(memcg, idx, -1);
}

/** @ported v5.10 include/linux/memcontrol.h:__inc_lruvec_state() */
export function __inc_lruvec_state(lruvec: lruvec, idx: number): void {
	__mod_lruvec_state(lruvec, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:__dec_lruvec_state() */
export function __dec_lruvec_state(lruvec: lruvec, idx: number): void {
	__mod_lruvec_state(lruvec, idx, -1);
}

/** @ported v5.10 include/linux/memcontrol.h:__inc_lruvec_page_state() */
export function __inc_lruvec_page_state(page: page, idx: number): void {
	__mod_lruvec_page_state(page, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:__dec_lruvec_page_state() */
export function __dec_lruvec_page_state(page: page, idx: number): void {
	__mod_lruvec_page_state(page, idx, -1);
}

/** @ported v5.10 include/linux/memcontrol.h:inc_memcg_state() */
export function inc_memcg_state(memcg: mem_cgroup, idx: number): void {
	__mod_memcg_state(memcg, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:dec_memcg_state() */
export function dec_memcg_state(memcg: mem_cgroup, idx: number): void {
	__mod_memcg_state(memcg, idx, -1);
}

/** @ported v5.10 include/linux/memcontrol.h:inc_lruvec_state() */
export function inc_lruvec_state(lruvec: lruvec, idx: number): void {
	__mod_lruvec_state(lruvec, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:dec_lruvec_state() */
export function dec_lruvec_state(lruvec: lruvec, idx: number): void {
	__mod_lruvec_state(lruvec, idx, -1);
}

/** @ported v5.10 include/linux/memcontrol.h:inc_lruvec_page_state() */
export function inc_lruvec_page_state(page: page, idx: number): void {
	__mod_lruvec_page_state(page, idx, 1);
}

/** @ported v5.10 include/linux/memcontrol.h:dec_lruvec_page_state() */
export function dec_lruvec_page_state(page: page, idx: number): void {
	__mod_lruvec_page_state(page, idx, -1);
}

/**
 * The lruvec of the parent memcg on the same node, 0 for the root's.
 * @ported v5.10 include/linux/memcontrol.h:parent_lruvec()
 */
export function parent_lruvec(lruvec: lruvec): lruvec {
	const memcg = parent_mem_cgroup(lruvec_memcg(lruvec));

	return memcg ? mem_cgroup_lruvec(memcg, lruvec_pgdat[lruvec]) : 0 as lruvec;
}

/** @ported v5.10 static; should_force_charge() before a4ebf1b6ca1e */
export function task_is_dying(): boolean {
	const task = current();

	return tsk_is_oom_victim(task) || fatal_signal_pending(task) ||
		(tasks.flags[task] & PF_EXITING) !== 0;
}

/** @reduced SIGKILL is the only signal that is modelled, so this is signal_pending() too */
function fatal_signal_pending(task: task_struct): boolean {
	return tasks.sigkill[task] !== 0;
}

/**
 * Number of the closest online ancestor's directory, 0 for a page that is not charged.
 * @ported v5.10
 */
export function page_cgroup_ino(page: page): number {
	let memcg = page_mem_cgroup[page];

	while (memcg && (css_flags[memcg] & CSS_ONLINE) === 0)
		memcg = parent_mem_cgroup(memcg);
	return memcg ? cgroups.ino[memcgs.cgroup[memcg]] : 0;
}

/** @ported v5.10 static */
export function mem_cgroup_page_nodeinfo(memcg: mem_cgroup, page: page): mem_cgroup_per_node {
	return mem_cgroup_nodeinfo(memcg, page_to_nid(page));
}

/** @ported v5.10 */
export function __mod_memcg_state(memcg: mem_cgroup, idx: number, val: number): void {
	const threshold = memcg_stat_item_in_bytes(idx)
		? MEMCG_CHARGE_BATCH << PAGE_SHIFT : MEMCG_CHARGE_BATCH;
	const at = (memcg * NR_CPUS + smp_processor_id()) * MEMCG_NR_STAT + idx;
	const x = val + vmstats_percpu_stat[at]!;

	/* who reads flushes first since then: to keep nothing back is the same */
	if (is_beyond(x, threshold) || applied(MM_SWITCH_TO_RSTAT /* 2d146aa3aa84, v5.13 */)) {
		vmstats_local_stat[memcg * MEMCG_NR_STAT + idx]! += x;
		for (let mi = memcg; mi; mi = memcg_parent[mi])
			vmstats[mi * MEMCG_NR_STAT + idx]! += x;
		vmstats_percpu_stat[at] = 0;
		return;
	}
	vmstats_percpu_stat[at] = x;
}

/** @ported v5.10 static */
export function parent_nodeinfo(pn: mem_cgroup_per_node, nid: number): mem_cgroup_per_node {
	const parent = memcg_parent[pn_memcg[pn]];

	return parent ? mem_cgroup_nodeinfo(parent, nid) : 0 as mem_cgroup_per_node;
}

/** @ported v5.10 */
export function __mod_memcg_lruvec_state(lruvec: lruvec, idx: number, val: number): void {
	const pn = lruvec as number as mem_cgroup_per_node;

	__mod_memcg_state(pn_memcg[pn], idx, val);

	lruvec_stat_local[pn * NR_VM_NODE_STAT_ITEMS + idx]! += val;

	const threshold = vmstat_item_in_bytes(idx)
		? MEMCG_CHARGE_BATCH << PAGE_SHIFT : MEMCG_CHARGE_BATCH;
	const at = (pn * NR_CPUS + smp_processor_id()) * NR_VM_NODE_STAT_ITEMS + idx;
	const x = val + lruvec_stat_cpu[at]!;
	if (applied(MEMCG_SWITCH_LRUVEC_STATS_TO_RSTAT /* 7e1c0d6f5820, v5.15 */)) {
		memcg_rstat_updated(val);
	} else if (is_beyond(x, threshold)) {
		const nid = lruvec_pgdat[lruvec] - 1;

		for (let pi = pn; pi; pi = parent_nodeinfo(pi, nid))
			lruvec_stat[pi * NR_VM_NODE_STAT_ITEMS + idx]! += x;
		lruvec_stat_cpu[at] = 0;
		return;
	}
	lruvec_stat_cpu[at] = x;
}

/**
 * Counters of a memcg have changed.
 * @param val by how much; 0 is no change
 * @reduced v6.1 static; which memcgs have changes: a flush looks through all
 */
function memcg_rstat_updated(val: number): void {
	const cpu = smp_processor_id();
	const x = stats_updates[cpu]! + Math.abs(val);

	if (x > charge_batch()) {
		if (stats_flush_threshold.v <= nr_cpu_ids.v)
			stats_flush_threshold.v += Math.trunc(x / charge_batch());
		stats_updates[cpu] = 0;
		return;
	}
	stats_updates[cpu] = x;
}

/**
 * A page of page tables was charged or uncharged.
 * @custom what a charge of kernel memory changes: MEMCG_KMEM and NR_PAGETABLE, of which only how
 * many changes there were is kept
 */
export function count_kmem_page(): void {
	if (applied(MEMCG_SWITCH_LRUVEC_STATS_TO_RSTAT /* 7e1c0d6f5820, v5.15 */))
		memcg_rstat_updated(2);
}

/** @reduced v6.1 static; the counters of memcgs, which are not kept back */
function __mem_cgroup_flush_stats(): void {
	const rows = nr_rows(mem_cgroup_per_nodes), cpus = nr_cpu_ids.v;

	for (let row = 1; row < rows; row++) {
		const pn = row as mem_cgroup_per_node;
		if (!pn_memcg[pn])
			continue;
		const nid = lruvec_pgdat[pn as number as lruvec] - 1;
		for (let cpu = 0; cpu < cpus; cpu++) {
			const first = (pn * NR_CPUS + cpu) * NR_VM_NODE_STAT_ITEMS;
			for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++) {
				const delta = lruvec_stat_cpu[first + i]!;
				if (delta === 0)
					continue;
				lruvec_stat_cpu[first + i] = 0;
				for (let pi = pn; pi; pi = parent_nodeinfo(pi, nid))
					lruvec_stat[pi * NR_VM_NODE_STAT_ITEMS + i]! += delta;
			}
		}
	}
	stats_flush_threshold.v = 0;
}

/**
 * What the CPUs have counted of lruvecs, to these and their ancestors'; not if few changes have
 * come since the last flush.
 * @reduced v6.1; that every two seconds all is flushed
 */
export function mem_cgroup_flush_stats(): void {
	if (stats_flush_threshold.v > nr_cpu_ids.v)
		__mem_cgroup_flush_stats();
}

/**
 * A change of a node counter that a memcg's pages make: the node's, the memcg's and the lruvec's.
 * @ported v5.10
 */
export function __mod_lruvec_state(lruvec: lruvec, idx: number, val: number): void {
	__mod_node_page_state(lruvec_pgdat[lruvec], idx, val);

	__mod_memcg_lruvec_state(lruvec, idx, val);
}

/** @ported v5.10 */
export function __count_memcg_events(memcg: mem_cgroup, idx: number, count: number): void {
	const at = (memcg * NR_CPUS + smp_processor_id()) * MEMCG_EVENTS + idx;
	const x = count + vmstats_percpu_events[at]!;

	if (is_beyond(x, MEMCG_CHARGE_BATCH) ||
	    applied(MM_SWITCH_TO_RSTAT /* 2d146aa3aa84, v5.13 */)) {
		if (applied(MEMCG_SWITCH_LRUVEC_STATS_TO_RSTAT /* 7e1c0d6f5820, v5.15 */))
			memcg_rstat_updated(count);
		vmstats_local_events[memcg * MEMCG_EVENTS + idx]! += x;
		for (let mi = memcg; mi; mi = memcg_parent[mi])
			vmevents[mi * MEMCG_EVENTS + idx]! += x;
		vmstats_percpu_events[at] = 0;
		return;
	}
	vmstats_percpu_events[at] = x;
}

/** @ported v5.10 static */
export function memcg_events(memcg: mem_cgroup, event: number): number {
	return vmevents[memcg * MEMCG_EVENTS + event]!;
}

/** @ported v5.10 static */
export function memcg_events_local(memcg: mem_cgroup, event: number): number {
	return vmstats_local_events[memcg * MEMCG_EVENTS + event]!;
}

/** @reduced nr_page_events, which pace the thresholds and the soft limit of cgroup v1 */
export function mem_cgroup_charge_statistics(memcg: mem_cgroup, nr_pages: number): void {
	/* One event, however many base pages it has. */
	__count_memcg_events(memcg, nr_pages > 0 ? PGPGIN : PGPGOUT, 1);
}

/** @ported v5.10 */
export function mem_cgroup_from_task(p: task_struct): mem_cgroup {
	if (!p)
		return NONE;
	return task_memcg[p];
}

/**
 * The memcg of an mm's owner, or the root, with a css reference.
 * @param mm may be 0
 * @ported v5.10
 */
export function get_mem_cgroup_from_mm(mm: mm_struct): mem_cgroup {
	let memcg: mem_cgroup;

	do {
		if (!mm) {
			memcg = ROOT_MEM_CGROUP;
		} else {
			memcg = mem_cgroup_from_task(mm_owner[mm]);
			if (!memcg)
				memcg = ROOT_MEM_CGROUP;
		}
	} while (!css_tryget(memcg));
	return memcg;
}

/** @ported v5.10 */
export function get_mem_cgroup_from_page(page: page): mem_cgroup {
	const memcg = page_mem_cgroup[page];

	/* A memcg that is going has no reference to give: the root stands in. */
	if (!memcg || !css_tryget(memcg))
		return ROOT_MEM_CGROUP;
	return memcg;
}

/**
 * Walk a hierarchy, parents first, in the order in which the groups were made.
 * @param root whose subtree, 0 for all; visited first
 * @param prev what the call before returned, whose reference this one puts; 0 to begin
 * @param reclaim the walk that all reclaimers of a node share; null for one of our own
 * @returns with a reference (but root), or 0 after the last; give up with mem_cgroup_iter_break()
 * @reduced non-hierarchical trees; another reclaimer cannot move the position meanwhile
 */
export function mem_cgroup_iter(
	root: mem_cgroup, prev: mem_cgroup, reclaim: mem_cgroup_reclaim_cookie | null,
): mem_cgroup {
	let mz = 0 as mem_cgroup_per_node;
	let css = NONE, memcg = NONE, pos = NONE;

	if (!root)
		root = root_mem_cgroup;

	if (prev && !reclaim)
		pos = prev;

	out_unlock: {
		if (reclaim) {
			mz = mem_cgroup_nodeinfo(root, reclaim.pgdat - 1);
			if (prev && reclaim.generation !== iter_generation[mz])
				break out_unlock;
			for (;;) {
				pos = iter_position[mz];
				if (!pos || css_tryget(pos))
					break;
				iter_position[mz] = NONE;
			}
		}

		css = pos;
		for (;;) {
			css = css_next_descendant_pre(css, root);
			if (!css) {
				/*
				 * Who joins a walk after its last group would get nothing: he
				 * starts it anew.
				 */
				if (!prev)
					continue;
				break;
			}
			/* The caller holds the root. */
			if (css === root || css_tryget(css)) {
				memcg = css;
				break;
			}
		}

		if (reclaim) {
			if (iter_position[mz] === pos)
				iter_position[mz] = memcg;
			if (pos)
				css_put(pos);
			if (!memcg)
				iter_generation[mz]++;
			else if (!prev)
				reclaim.generation = iter_generation[mz];
		}
	}
	if (prev && prev !== root)
		css_put(prev);
	return memcg;
}

/**
 * Leave a walk before its end.
 * @ported v5.10
 */
export function mem_cgroup_iter_break(root: mem_cgroup, prev: mem_cgroup): void {
	if (!root)
		root = root_mem_cgroup;
	if (prev && prev !== root)
		css_put(prev);
}

/** @ported v5.10 static */
export function __invalidate_reclaim_iterators(from: mem_cgroup, dead_memcg: mem_cgroup): void {
	for (let nid = 0; nid < MAX_NUMNODES; nid++) {
		const mz = mem_cgroup_nodeinfo(from, nid);
		if (mz && iter_position[mz] === dead_memcg)
			iter_position[mz] = NONE;
	}
}

/** @reduced non-hierarchical trees, which are of cgroup v1 */
export function invalidate_reclaim_iterators(dead_memcg: mem_cgroup): void {
	for (let memcg = dead_memcg; memcg; memcg = parent_mem_cgroup(memcg))
		__invalidate_reclaim_iterators(memcg, dead_memcg);
}

/**
 * Call fn for every task of a memcg and its descendants until it returns non-zero.
 * @param memcg not the root
 * @returns what fn returned last
 * @ported v5.10
 */
export function mem_cgroup_scan_tasks<A>(
	memcg: mem_cgroup, fn: (task: task_struct, arg: A) => number, arg: A,
): number {
	let ret = 0;

	VM_BUG_ON(memcg === root_mem_cgroup, 'mem_cgroup_scan_tasks: of the root');
	for (let iter = mem_cgroup_iter(memcg, NONE, null); iter;
		iter = mem_cgroup_iter(memcg, iter, null)) {
		let task = css_task_iter_next(iter, 0 as task_struct);
		while (!ret && task) {
			const next = css_task_iter_next(iter, task);
			ret = fn(task, arg);
			task = next;
		}
		if (ret) {
			mem_cgroup_iter_break(memcg, iter);
			break;
		}
	}
	return ret;
}

/**
 * The lruvec for a page on the LRU, or on its way there; a page that is not charged (yet), as one
 * of swap-in readahead, is on the root's.
 * @ported v5.10
 */
export function mem_cgroup_page_lruvec(page: page, pgdat: pglist_data): lruvec {
	const memcg = page_mem_cgroup[page] || ROOT_MEM_CGROUP;
	const lruvec = nodeinfo[memcg * MAX_NUMNODES + page_to_nid(page)]! as lruvec;

	if (lruvec_pgdat[lruvec] !== pgdat)
		lruvec_pgdat[lruvec] = pgdat;
	return lruvec;
}

/**
 * Count nr_pages onto (positive, before they are added) or off (negative, after) an LRU list.
 * @ported v5.10
 */
export function mem_cgroup_update_lru_size(
	lruvec: lruvec, lru: number, zid: number, nr_pages: number,
): void {
	const at = (lruvec * MAX_NR_ZONES + zid) * NR_LRU_LISTS + lru;
	const size = lru_zone_size[at]! + nr_pages;

	VM_BUG_ON(size < 0, 'mem_cgroup_update_lru_size: lru_size below 0');
	lru_zone_size[at] = size;
}

/**
 * Pages that can still be charged.
 * @ported v5.10 static
 */
export function mem_cgroup_margin(memcg: mem_cgroup): number {
	const count = page_counter_read(memcg_memory[memcg]);
	const limit = counter_max[memcg_memory[memcg]];

	return count < limit ? limit - count : 0;
}

/* Name, bytes a unit, item. */
const memory_stats: readonly (readonly [name: string, ratio: number, idx: number])[] = [
	['anon', PAGE_SIZE, NR_ANON_MAPPED],
	['file', PAGE_SIZE, NR_FILE_PAGES],
	['kernel_stack', 1024, NR_KERNEL_STACK_KB],
	['percpu', 1, MEMCG_PERCPU_B],
	['sock', PAGE_SIZE, MEMCG_SOCK],
	['shmem', PAGE_SIZE, NR_SHMEM],
	['file_mapped', PAGE_SIZE, NR_FILE_MAPPED],
	['file_dirty', PAGE_SIZE, NR_FILE_DIRTY],
	['file_writeback', PAGE_SIZE, NR_WRITEBACK],
	['anon_thp', HPAGE_PMD_SIZE, NR_ANON_THPS],
	['inactive_anon', PAGE_SIZE, NR_INACTIVE_ANON],
	['active_anon', PAGE_SIZE, NR_ACTIVE_ANON],
	['inactive_file', PAGE_SIZE, NR_INACTIVE_FILE],
	['active_file', PAGE_SIZE, NR_ACTIVE_FILE],
	['unevictable', PAGE_SIZE, NR_UNEVICTABLE],
	['slab_reclaimable', 1, NR_SLAB_RECLAIMABLE_B],
	['slab_unreclaimable', 1, NR_SLAB_UNRECLAIMABLE_B],
	['workingset_refault_anon', 1, WORKINGSET_REFAULT_ANON],
	['workingset_refault_file', 1, WORKINGSET_REFAULT_FILE],
	['workingset_activate_anon', 1, WORKINGSET_ACTIVATE_ANON],
	['workingset_activate_file', 1, WORKINGSET_ACTIVATE_FILE],
	['workingset_restore_anon', 1, WORKINGSET_RESTORE_ANON],
	['workingset_restore_file', 1, WORKINGSET_RESTORE_FILE],
	['workingset_nodereclaim', 1, WORKINGSET_NODERECLAIM],
];

/**
 * The text of memory.stat, sizes in bytes.
 * @ported v5.10 static
 */
export function memory_stat_format(memcg: mem_cgroup): string {
	let text = '';

	mem_cgroup_flush_stats();
	for (const [name, ratio, idx] of memory_stats) {
		text += `${name} ${memcg_page_state(memcg, idx) * ratio}\n`;
		if (idx === NR_SLAB_UNRECLAIMABLE_B) {
			const slab = memcg_page_state(memcg, NR_SLAB_RECLAIMABLE_B) +
				memcg_page_state(memcg, NR_SLAB_UNRECLAIMABLE_B);
			text += `slab ${slab}\n`;
		}
	}
	const event = (name: string, ...items: number[]): void => {
		const sum = items.reduce((n, item) => n + memcg_events(memcg, item), 0);
		text += `${name} ${sum}\n`;
	};
	event('pgfault', PGFAULT);
	event('pgmajfault', PGMAJFAULT);
	event('pgrefill', PGREFILL);
	event('pgscan', PGSCAN_KSWAPD, PGSCAN_DIRECT);
	event('pgsteal', PGSTEAL_KSWAPD, PGSTEAL_DIRECT);
	event('pgactivate', PGACTIVATE);
	event('pgdeactivate', PGDEACTIVATE);
	event('pglazyfree', PGLAZYFREE);
	event('pglazyfreed', PGLAZYFREED);
	event('thp_fault_alloc', THP_FAULT_ALLOC);
	event('thp_collapse_alloc', THP_COLLAPSE_ALLOC);
	return text;
}

/**
 * Most pages of memory and swap that a memcg may have.
 * @ported v5.10
 */
export function mem_cgroup_get_max(memcg: mem_cgroup): number {
	let max = counter_max[memcg_memory[memcg]];

	if (mem_cgroup_swappiness(memcg))
		max += Math.min(counter_max[memcg_swap[memcg]], total_swap_pages.v);
	return max;
}

/**
 * cgroup v2 has no swappiness of its own.
 * @ported v5.10 include/linux/swap.h:mem_cgroup_swappiness()
 */
export function mem_cgroup_swappiness(_memcg: mem_cgroup): number {
	return vm_swappiness.v;
}

/**
 * Pages charged to a memcg.
 * @ported v5.10
 */
export function mem_cgroup_size(memcg: mem_cgroup): number {
	return page_counter_read(memcg_memory[memcg]);
}

/** @reduced the killable wait for oom_lock, which is free */
export function mem_cgroup_out_of_memory(
	memcg: mem_cgroup, gfp_mask: gfp_t, order: number,
): boolean {
	/* mutex_lock_killable() may sleep */
	let_victims_run();
	if (mem_cgroup_margin(memcg) >= 1 << order)
		return true;
	if (task_is_dying())
		return true;
	const oc = new oom_control();
	oc.memcg = memcg;
	oc.gfp_mask = gfp_mask;
	oc.order = order;
	return out_of_memory(oc);
}

/* enum oom_status */
export const OOM_SUCCESS = 0, OOM_FAILED = 1, OOM_ASYNC = 2, OOM_SKIPPED = 3;

/**
 * @reduced the OOM handling in user space of cgroup v1, and with it the marks on the hierarchy
 * that only its waiters look at
 */
export function mem_cgroup_oom(memcg: mem_cgroup, mask: gfp_t, order: number): number {
	if (order > PAGE_ALLOC_COSTLY_ORDER)
		return OOM_SKIPPED;
	memcg_memory_event(memcg, MEMCG_OOM);
	return mem_cgroup_out_of_memory(memcg, mask, order) ? OOM_SUCCESS : OOM_FAILED;
}

/** @reduced to nothing: only cgroup v1 asks whether a charge comes from a fault of user mode */
export function mem_cgroup_enter_user_fault(): void {}

/** @reduced to nothing, as mem_cgroup_enter_user_fault() is */
export function mem_cgroup_exit_user_fault(): void {}

/** @reduced to false: on cgroup v2 no OOM waits for the end of the fault */
export function task_in_memcg_oom(_p: task_struct): boolean {
	return false;
}

/** @reduced to false, as task_in_memcg_oom() is */
export function mem_cgroup_oom_synchronize(_handle: boolean): boolean {
	return false;
}

/**
 * The highest group with memory.oom.group between a victim and the domain that is out of memory.
 * @param oom_domain 0 when the system is
 * @returns 0, or a memcg for mem_cgroup_put()
 * @ported v5.10
 */
export function mem_cgroup_get_oom_group(
	victim: task_struct, oom_domain: mem_cgroup,
): mem_cgroup {
	let group = NONE;

	if (!oom_domain)
		oom_domain = root_mem_cgroup;
	let memcg = mem_cgroup_from_task(victim);
	if (memcg === root_mem_cgroup)
		return NONE;
	/* The victim may have moved out of the domain. */
	if (!mem_cgroup_is_descendant(memcg, oom_domain))
		return NONE;
	for (; memcg; memcg = parent_mem_cgroup(memcg)) {
		if (oom_group[memcg])
			group = memcg;
		if (memcg === oom_domain)
			break;
	}
	if (group)
		css_get(group);
	return group;
}

/** @reduced no page moves between memcgs, so there is nothing to lock out */
export function lock_page_memcg(page: page): mem_cgroup {
	return page_mem_cgroup[compound_head(page)];
}

/** @reduced no page moves between memcgs, see lock_page_memcg() */
export function __unlock_page_memcg(_memcg: mem_cgroup): void {}

/** @reduced no page moves between memcgs, see lock_page_memcg() */
export function unlock_page_memcg(_page: page): void {}

const { cached: stock_cached, nr_pages: stock_nr_pages } = memcg_stocks;

/** @custom per_cpu_ptr(&memcg_stock, cpu) */
export function memcg_stock(cpu: number): memcg_stock_pcp {
	return cpu + 1 as memcg_stock_pcp;
}

/**
 * Take a charge from what this CPU has in reserve.
 * @ported v5.10 static
 */
export function consume_stock(memcg: mem_cgroup, nr_pages: number): boolean {
	if (nr_pages > charge_batch())
		return false;

	const stock = memcg_stock(smp_processor_id());
	if (memcg === stock_cached[stock] && stock_nr_pages[stock] >= nr_pages) {
		stock_nr_pages[stock] -= nr_pages;
		return true;
	}
	return false;
}

/**
 * Give a CPU's reserve back.
 * @ported v5.10 static
 */
export function drain_stock(stock: memcg_stock_pcp): void {
	const old = stock_cached[stock];

	if (!old)
		return;
	if (stock_nr_pages[stock]) {
		page_counter_uncharge(memcg_memory[old], stock_nr_pages[stock]);
		stock_nr_pages[stock] = 0;
	}
	stock_cached[stock] = NONE;
	css_put(old);
}

/** @reduced to the reserve of pages; the work of a CPU is told which one */
export function drain_local_stock(stock: memcg_stock_pcp): void {
	drain_stock(stock);
}

/** @ported v5.10 static */
export function refill_stock(memcg: mem_cgroup, nr_pages: number): void {
	const stock = memcg_stock(smp_processor_id());

	if (stock_cached[stock] !== memcg) {
		drain_stock(stock);
		css_get(memcg);
		stock_cached[stock] = memcg;
	}
	stock_nr_pages[stock] += nr_pages;
	if (stock_nr_pages[stock] > charge_batch())
		drain_stock(stock);
}

/**
 * Give back what all CPUs have in reserve for a memcg and its descendants.
 * @reduced the work on another CPU is done at once, where the kernel queues it
 */
export function drain_all_stock(root_memcg: mem_cgroup): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		const stock = memcg_stock(cpu);
		const memcg = stock_cached[stock];
		if (memcg && stock_nr_pages[stock] && mem_cgroup_is_descendant(memcg, root_memcg))
			drain_local_stock(stock);
	}
}

/** @ported v5.10 static */
export function reclaim_high(memcg: mem_cgroup, nr_pages: number, gfp_mask: gfp_t): number {
	let nr_reclaimed = 0;

	do {
		const counter = memcg_memory[memcg];
		if (page_counter_read(counter) > counter_high[counter]) {
			memcg_memory_event(memcg, MEMCG_HIGH);
			nr_reclaimed += try_to_free_mem_cgroup_pages(
				memcg, nr_pages, gfp_mask, true);
		}
		memcg = parent_mem_cgroup(memcg);
	} while (memcg && !mem_cgroup_is_root(memcg));
	return nr_reclaimed;
}

const MEMCG_MAX_HIGH_DELAY_JIFFIES = 2 * HZ;
const MEMCG_DELAY_PRECISION_SHIFT = 20, MEMCG_DELAY_SCALING_SHIFT = 14;

/**
 * By how much usage is above high, in 2^-20 of high.
 * @ported v5.10 static
 */
export function calculate_overage(usage: number, high: number): number {
	if (usage <= high)
		return 0;
	/* a limit of 0 counts as one of a page */
	high = Math.max(high, 1);
	return Math.floor((usage - high) * 2 ** MEMCG_DELAY_PRECISION_SHIFT / high);
}

/** @ported v5.10 static */
export function mem_find_max_overage(memcg: mem_cgroup): number {
	let max_overage = 0;

	do {
		const counter = memcg_memory[memcg];
		const overage = calculate_overage(
			page_counter_read(counter), counter_high[counter]);
		max_overage = Math.max(overage, max_overage);
		memcg = parent_mem_cgroup(memcg);
	} while (memcg && !mem_cgroup_is_root(memcg));
	return max_overage;
}

/** @ported v5.10 static */
export function swap_find_max_overage(memcg: mem_cgroup): number {
	let max_overage = 0;

	do {
		const counter = memcg_swap[memcg];
		const overage = calculate_overage(
			page_counter_read(counter), counter_high[counter]);
		if (overage)
			memcg_memory_event(memcg, MEMCG_SWAP_HIGH);
		max_overage = Math.max(overage, max_overage);
		memcg = parent_mem_cgroup(memcg);
	} while (memcg && !mem_cgroup_is_root(memcg));
	return max_overage;
}

/** @custom x * y / z of unsigned longs: the product wraps at 2^64 */
function mul_div(x: number, y: number, z: number): number {
	const product = x * y;

	if (product <= Number.MAX_SAFE_INTEGER)
		return Math.floor(product / z);
	return Number(BigInt.asUintN(64, BigInt(x) * BigInt(y)) / BigInt(z));
}

/**
 * Jiffies that a task has to wait for charging nr_pages above the limit.
 * @ported v5.10 static
 */
export function calculate_high_delay(
	_memcg: mem_cgroup, nr_pages: number, max_overage: number,
): number {
	if (!max_overage)
		return 0;
	/* Squared, so small overages cost next to nothing. The product wraps as in the kernel. */
	const square = BigInt(max_overage) * BigInt(max_overage) * BigInt(HZ);
	const penalty_jiffies = Number(BigInt.asUintN(64, square) >>
		BigInt(MEMCG_DELAY_PRECISION_SHIFT + MEMCG_DELAY_SCALING_SHIFT));
	return mul_div(penalty_jiffies, nr_pages, charge_batch());
}

/**
 * What try_charge() left to be done when the task returns to user mode: reclaim down to
 * memory.high, and wait if that does not help. The clock goes on by the wait.
 * @ported v5.10
 */
export function mem_cgroup_handle_over_high(): void {
	const task = current();
	const nr_pages = tasks.memcg_nr_pages_over_high[task];
	let nr_retries = MAX_RECLAIM_RETRIES;
	let in_retry = false;

	if (!nr_pages)
		return;

	const memcg = get_mem_cgroup_from_mm(tasks.mm[task]);
	tasks.memcg_nr_pages_over_high[task] = 0;

	out: {
		let penalty_jiffies: number;
		for (;;) {
			const nr_reclaimed = reclaim_high(
				memcg, in_retry ? SWAP_CLUSTER_MAX : nr_pages, GFP_KERNEL);

			/*
			 * By how much it is still above memory.high decides how long the task
			 * waits.
			 */
			penalty_jiffies = calculate_high_delay(
				memcg, nr_pages, mem_find_max_overage(memcg));
			penalty_jiffies += calculate_high_delay(
				memcg, nr_pages, swap_find_max_overage(memcg));
			penalty_jiffies = Math.min(penalty_jiffies, MEMCG_MAX_HIGH_DELAY_JIFFIES);

			/* Not worth a sleep. */
			if (penalty_jiffies <= Math.trunc(HZ / 100))
				break out;
			/* Rather reclaim on than sleep, while it gets anywhere. */
			if (nr_reclaimed || nr_retries--) {
				in_retry = true;
				continue;
			}
			break;
		}
		/* schedule_timeout_killable() */
		if (!fatal_signal_pending(task))
			clock_ns.v += penalty_jiffies * JIFFY_NS;
	}
	css_put(memcg);
}

const try_charge_counter: out<page_counter> = { v: 0 as page_counter };

/**
 * Charge nr_pages; reclaim, and kill, for room.
 * @returns 0 or -ENOMEM
 * @reduced the waits for charges that are being moved, and those of the dying for others' reclaim
 */
export function try_charge(memcg: mem_cgroup, gfp_mask: gfp_t, nr_pages: number): number {
	let batch = Math.max(charge_batch(), nr_pages);
	let nr_retries = MAX_RECLAIM_RETRIES;
	let passed_oom = false, drained = false;

	if (mem_cgroup_is_root(memcg))
		return 0;

	force: {
		nomem: {
			done_restock: {
				retry: for (;;) {
					if (consume_stock(memcg, nr_pages))
						return 0;
					if (page_counter_try_charge(
						memcg_memory[memcg], batch, try_charge_counter))
						break done_restock;
					const mem_over_limit =
						mem_cgroup_from_counter(try_charge_counter.v);

					if (batch > nr_pages) {
						batch = nr_pages;
						continue retry;
					}
					/*
					 * Who cannot wait goes over the limit; others reclaim for
					 * it.
					 */
					if ((gfp_mask & __GFP_ATOMIC) !== 0)
						break force;
					const may_exceed = !applied(
						MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS
						/* a4ebf1b6ca1e, v5.16 */);
					/* Let the dying exit quickly. */
					if (may_exceed && task_is_dying())
						break force;
					/* Reclaim itself allocates. */
					if ((tasks.flags[current()] & PF_MEMALLOC) !== 0)
						break force;
					if (!gfpflags_allow_blocking(gfp_mask))
						break nomem;

					memcg_memory_event(mem_over_limit, MEMCG_MAX);
					const over = memcg_memory[mem_over_limit];
					const usage = page_counter_read(over);
					const nr_reclaimed = try_to_free_mem_cgroup_pages(
						mem_over_limit, nr_pages, gfp_mask, true);

					if (mem_cgroup_margin(mem_over_limit) >= nr_pages)
						continue retry;
					if (!drained) {
						drain_all_stock(mem_over_limit);
						drained = true;
						continue retry;
					}
					if ((gfp_mask & __GFP_NORETRY) !== 0)
						break nomem;
					/* Worth another round before anybody is killed. */
					if (nr_reclaimed &&
						nr_pages <= 1 << PAGE_ALLOC_COSTLY_ORDER) {
						/*
						 * The dying are told so, too, if others have
						 * isolated many pages. Those are interrupted
						 * here: the wait for them would never end.
						 */
						if (passed_oom && task_is_dying() &&
							page_counter_read(over) >= usage)
							break nomem;
						continue retry;
					}
					if (nr_retries--)
						continue retry;
					if ((gfp_mask & __GFP_RETRY_MAYFAIL) !== 0)
						break nomem;
					if ((gfp_mask & __GFP_NOFAIL) !== 0)
						break force;

					if (may_exceed && fatal_signal_pending(current()))
						break force;
					/*
					 * The killer, too, leaves it alone: without this it would
					 * come here for ever.
					 */
					if (!may_exceed && passed_oom && task_is_dying())
						break nomem;
					const oom_status = mem_cgroup_oom(
						mem_over_limit, gfp_mask, get_order(nr_pages));
					if (oom_status === OOM_SUCCESS) {
						passed_oom = true;
						nr_retries = MAX_RECLAIM_RETRIES;
						continue retry;
					}
					if (oom_status === OOM_FAILED && may_exceed)
						break force;
					break nomem;
				}
			}
			if (batch > nr_pages)
				refill_stock(memcg, batch - nr_pages);
			/* Above memory.high, reclaim when the task returns to user mode. */
			do {
				const memory = memcg_memory[memcg], swap = memcg_swap[memcg];
				if (page_counter_read(memory) > counter_high[memory] ||
					page_counter_read(swap) > counter_high[swap]) {
					tasks.memcg_nr_pages_over_high[current()] += batch;
					break;
				}
				memcg = parent_mem_cgroup(memcg);
			} while (memcg);
			return 0;
		}
		if ((gfp_mask & __GFP_NOFAIL) === 0)
			return -ENOMEM;
	}
	/* It must not fail, or the pages are back soon: past the limit. */
	page_counter_charge(memcg_memory[memcg], nr_pages);
	return 0;
}

/** @ported v5.10 include/asm-generic/getorder.h:get_order(), of a number of pages */
function get_order(nr_pages: number): number {
	return 32 - Math.clz32(nr_pages - 1);
}

/** @ported v5.10 static */
export function cancel_charge(memcg: mem_cgroup, nr_pages: number): void {
	if (mem_cgroup_is_root(memcg))
		return;
	page_counter_uncharge(memcg_memory[memcg], nr_pages);
}

/** @ported v5.10 static */
export function commit_charge(page: page, memcg: mem_cgroup): void {
	VM_BUG_ON_PAGE(page_mem_cgroup[page] !== 0, page, 'commit_charge: is charged already');
	page_mem_cgroup[page] = memcg;
}

/** @custom the nodes of the machine, where the kernel walks all possible ones */
function node_exists(nid: number): boolean {
	return pgdats.node_present_pages[nid + 1 as pglist_data] > 0;
}

/**
 * What the CPUs of a memcg that goes have not flushed, to it and its ancestors.
 * @ported v5.10 static
 */
export function memcg_flush_percpu_vmstats(memcg: mem_cgroup): void {
	for (let i = 0; i < MEMCG_NR_STAT; i++) {
		let stat = 0;
		for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
			stat += vmstats_percpu_stat[(memcg * NR_CPUS + cpu) * MEMCG_NR_STAT + i]!;
		for (let mi = memcg; mi; mi = parent_mem_cgroup(mi))
			vmstats[mi * MEMCG_NR_STAT + i]! += stat;
	}
	for (let node = 0; node < MAX_NUMNODES; node++) {
		const pn = mem_cgroup_nodeinfo(memcg, node);
		if (!pn)
			continue;
		for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++) {
			let stat = 0;
			for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
				stat += lruvec_stat_cpu[
					(pn * NR_CPUS + cpu) * NR_VM_NODE_STAT_ITEMS + i]!;
			}
			for (let pi = pn; pi; pi = parent_nodeinfo(pi, node))
				lruvec_stat[pi * NR_VM_NODE_STAT_ITEMS + i]! += stat;
		}
	}
}

/** @ported v5.10 static */
export function memcg_flush_percpu_vmevents(memcg: mem_cgroup): void {
	for (let i = 0; i < MEMCG_EVENTS; i++) {
		let events = 0;
		for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
			events += vmstats_percpu_events[
				(memcg * NR_CPUS + cpu) * MEMCG_EVENTS + i]!;
		}
		for (let mi = memcg; mi; mi = parent_mem_cgroup(mi))
			vmevents[mi * MEMCG_EVENTS + i]! += events;
	}
}

/** @ported v5.10 static */
export function mem_cgroup_id_remove(memcg: mem_cgroup): void {
	if (id_id[memcg] > 0) {
		mem_cgroup_idr[id_id[memcg]] = 0;
		id_id[memcg] = 0;
	}
}

/** @ported v5.10 static */
export function mem_cgroup_id_get_many(memcg: mem_cgroup, n: number): void {
	id_ref[memcg] += n;
}

/** @ported v5.10 static */
export function mem_cgroup_id_put_many(memcg: mem_cgroup, n: number): void {
	id_ref[memcg] -= n;
	VM_BUG_ON(id_ref[memcg] < 0, 'mem_cgroup_id: more puts than gets');
	if (id_ref[memcg] === 0) {
		mem_cgroup_id_remove(memcg);
		/* the one that the ID held */
		css_put(memcg);
	}
}

/** @ported v5.10 static */
export function mem_cgroup_id_put(memcg: mem_cgroup): void {
	mem_cgroup_id_put_many(memcg, 1);
}

/**
 * The memcg of an ID, 0 for an ID that is free.
 * @ported v5.10
 */
export function mem_cgroup_from_id(id: number): mem_cgroup {
	return mem_cgroup_idr[id]! as mem_cgroup;
}

/** @ported v5.10 mm/mmzone.c:lruvec_init() */
export function lruvec_init(lruvec: lruvec): void {
	for (const { array, width } of lruvecs.table.columns)
		array.fill(0, lruvec * width, (lruvec + 1) * width);
	for (let lru = 0; lru < NR_LRU_LISTS; lru++)
		INIT_LIST_HEAD(lruvecs.lists(lruvec, lru));
}

/**
 * @returns 0, or 1 without memory.
 * @ported v5.10 static
 */
export function alloc_mem_cgroup_per_node_info(memcg: mem_cgroup, node: number): number {
	const pn = kmem_cache_zalloc(mem_cgroup_per_nodes);

	if (!pn)
		return 1;
	use_rows(lruvecs, pn + 1);
	lruvec_init(pn as number as lruvec);
	pn_memcg[pn] = memcg;
	nodeinfo[memcg * MAX_NUMNODES + node] = pn;
	return 0;
}

/** @ported v5.10 static */
export function free_mem_cgroup_per_node_info(memcg: mem_cgroup, node: number): void {
	const pn = mem_cgroup_nodeinfo(memcg, node);

	if (!pn)
		return;
	for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
		VM_BUG_ON(!list_empty(lruvecs.lists(pn as number as lruvec, lru)),
			'a memcg is freed with pages on its LRU lists');
	}
	lruvec_init(pn as number as lruvec);
	kmem_cache_free(mem_cgroup_per_nodes, pn);
}

/** @ported v5.10 static */
export function __mem_cgroup_free(memcg: mem_cgroup): void {
	for (let node = 0; node < MAX_NUMNODES; node++)
		free_mem_cgroup_per_node_info(memcg, node);
	if (memcg_memory[memcg])
		kmem_cache_free(page_counters, memcg_memory[memcg]);
	if (memcg_swap[memcg])
		kmem_cache_free(page_counters, memcg_swap[memcg]);
	kmem_cache_free(memcgs, memcg);
}

/** @ported v5.10 static */
export function mem_cgroup_free(memcg: mem_cgroup): void {
	/* The ancestors keep what the memcg has counted. */
	memcg_flush_percpu_vmstats(memcg);
	memcg_flush_percpu_vmevents(memcg);
	__mem_cgroup_free(memcg);
}

/** @custom idr_alloc(): the lowest ID that is free, 0 for none */
function mem_cgroup_id_alloc(): number {
	for (let id = 1; id < MEM_CGROUP_ID_MAX; id++) {
		if (!mem_cgroup_idr[id])
			return id;
	}
	return 0;
}

/**
 * @returns 0 without memory.
 * @ported v5.10 static
 */
export function mem_cgroup_alloc(): mem_cgroup {
	const memcg = kmem_cache_zalloc(memcgs);

	if (!memcg)
		return NONE;
	fail: {
		const id = mem_cgroup_id_alloc();
		if (!id)
			break fail;
		id_id[memcg] = id;
		for (let node = 0; node < MAX_NUMNODES; node++) {
			if (node_exists(node) && alloc_mem_cgroup_per_node_info(memcg, node))
				break fail;
		}
		memcg_memory[memcg] = kmem_cache_zalloc(page_counters);
		memcg_swap[memcg] = kmem_cache_zalloc(page_counters);
		if (!memcg_memory[memcg] || !memcg_swap[memcg])
			break fail;
		container[memcg_memory[memcg]] = memcg;
		container[memcg_swap[memcg]] = memcg;
		if (id > mem_cgroup_idr_max.v)
			mem_cgroup_idr_max.v = id;
		mem_cgroup_idr[id] = memcg;
		return memcg;
	}
	mem_cgroup_id_remove(memcg);
	__mem_cgroup_free(memcg);
	return NONE;
}

/**
 * @returns 0 without memory.
 * @ported v5.10 static
 */
export function mem_cgroup_css_alloc(parent: mem_cgroup): mem_cgroup {
	const memcg = mem_cgroup_alloc();
	const none = 0 as page_counter;

	if (!memcg)
		return NONE;
	page_counter_set_high(memcg_memory[memcg], PAGE_COUNTER_MAX);
	page_counter_set_high(memcg_swap[memcg], PAGE_COUNTER_MAX);
	page_counter_init(memcg_memory[memcg], parent ? memcg_memory[parent] : none);
	page_counter_init(memcg_swap[memcg], parent ? memcg_swap[parent] : none);
	return memcg;
}

/** @ported v5.10 static */
export function mem_cgroup_css_online(memcg: mem_cgroup): number {
	/* One on the ID while it is online; the ID has one on the css. */
	id_ref[memcg] = 1;
	css_get(memcg);
	return 0;
}

/** @ported v5.10 static */
export function mem_cgroup_css_offline(memcg: mem_cgroup): void {
	page_counter_set_min(memcg_memory[memcg], 0);
	page_counter_set_low(memcg_memory[memcg], 0);
	drain_all_stock(memcg);
	mem_cgroup_id_put(memcg);
}

/** @ported v5.10 static */
export function mem_cgroup_css_released(memcg: mem_cgroup): void {
	invalidate_reclaim_iterators(memcg);
}

/** @ported v5.10 static */
export function mem_cgroup_css_free(memcg: mem_cgroup): void {
	mem_cgroup_free(memcg);
}

/**
 * Back to no limits and no protection.
 * @ported v5.10 static
 */
export function mem_cgroup_css_reset(memcg: mem_cgroup): void {
	page_counter_set_max(memcg_memory[memcg], PAGE_COUNTER_MAX);
	page_counter_set_max(memcg_swap[memcg], PAGE_COUNTER_MAX);
	page_counter_set_min(memcg_memory[memcg], 0);
	page_counter_set_low(memcg_memory[memcg], 0);
	page_counter_set_high(memcg_memory[memcg], PAGE_COUNTER_MAX);
	page_counter_set_high(memcg_swap[memcg], PAGE_COUNTER_MAX);
}

/** @ported v5.10 static */
export function seq_puts_memcg_tunable(value: number): string {
	return value === PAGE_COUNTER_MAX ? 'max\n' : `${value * PAGE_SIZE}\n`;
}

const parsed: out<number> = { v: 0 };

/** @ported v5.10 static */
export function memory_current_read(memcg: mem_cgroup): string {
	return `${page_counter_read(memcg_memory[memcg]) * PAGE_SIZE}\n`;
}

/** @ported v5.10 static */
export function memory_min_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_min[memcg_memory[memcg]]);
}

/** @ported v5.10 static */
export function memory_min_write(memcg: mem_cgroup, text: string): number {
	const err = page_counter_memparse(strstrip(text), 'max', parsed);

	if (err)
		return err;
	page_counter_set_min(memcg_memory[memcg], parsed.v);
	return 0;
}

/** @ported v5.10 static */
export function memory_low_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_low[memcg_memory[memcg]]);
}

/** @ported v5.10 static */
export function memory_low_write(memcg: mem_cgroup, text: string): number {
	const err = page_counter_memparse(strstrip(text), 'max', parsed);

	if (err)
		return err;
	page_counter_set_low(memcg_memory[memcg], parsed.v);
	return 0;
}

/** @ported v5.10 static */
export function memory_high_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_high[memcg_memory[memcg]]);
}

/**
 * Set memory.high, and reclaim down to it. The reserves of the CPUs are given back first.
 * @ported v5.10 static
 */
export function memory_high_write(memcg: mem_cgroup, text: string): number {
	const counter = memcg_memory[memcg];
	let nr_retries = MAX_RECLAIM_RETRIES;
	let drained = false;

	const err = page_counter_memparse(strstrip(text), 'max', parsed);
	if (err)
		return err;
	const high = parsed.v;

	if (applied(MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH
		/* e82553c10b08, v5.11 */))
		page_counter_set_high(counter, high);
	for (;;) {
		const nr_pages = page_counter_read(counter);

		if (nr_pages <= high)
			break;
		if (fatal_signal_pending(current()))
			break;
		if (!drained) {
			drain_all_stock(memcg);
			drained = true;
			continue;
		}
		const reclaimed = try_to_free_mem_cgroup_pages(
			memcg, nr_pages - high, GFP_KERNEL, true);
		if (!reclaimed && !nr_retries--)
			break;
	}
	if (!applied(MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH
		/* e82553c10b08, v5.11 */))
		page_counter_set_high(counter, high);
	return 0;
}

/** @ported v5.10 static */
export function memory_max_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_max[memcg_memory[memcg]]);
}

/**
 * Set memory.max; reclaim down to it, and kill where that is not enough.
 * @ported v5.10 static
 */
export function memory_max_write(memcg: mem_cgroup, text: string): number {
	const counter = memcg_memory[memcg];
	let nr_reclaims = MAX_RECLAIM_RETRIES;
	let drained = false;

	const err = page_counter_memparse(strstrip(text), 'max', parsed);
	if (err)
		return err;
	const max = parsed.v;

	counter_max[counter] = max;
	for (;;) {
		const nr_pages = page_counter_read(counter);

		if (nr_pages <= max)
			break;
		if (fatal_signal_pending(current()))
			break;
		if (!drained) {
			drain_all_stock(memcg);
			drained = true;
			continue;
		}
		if (nr_reclaims) {
			if (!try_to_free_mem_cgroup_pages(memcg, nr_pages - max, GFP_KERNEL, true))
				nr_reclaims--;
			continue;
		}
		memcg_memory_event(memcg, MEMCG_OOM);
		if (!mem_cgroup_out_of_memory(memcg, GFP_KERNEL, 0))
			break;
	}
	return 0;
}

/** @ported v5.10 static */
export function __memory_events_show(
	memcg: mem_cgroup, events: { readonly [i: number]: number },
): string {
	const at = memcg * MEMCG_NR_MEMORY_EVENTS;

	return `low ${events[at + MEMCG_LOW]}\n` +
		`high ${events[at + MEMCG_HIGH]}\n` +
		`max ${events[at + MEMCG_MAX]}\n` +
		`oom ${events[at + MEMCG_OOM]}\n` +
		`oom_kill ${events[at + MEMCG_OOM_KILL]}\n`;
}

/** @ported v5.10 static */
export function memory_events_show(memcg: mem_cgroup): string {
	return __memory_events_show(memcg, memory_events);
}

/** @ported v5.10 static */
export function memory_events_local_show(memcg: mem_cgroup): string {
	return __memory_events_show(memcg, memory_events_local);
}

/** @ported v5.10 static */
export function memory_stat_show(memcg: mem_cgroup): string {
	return memory_stat_format(memcg);
}

/** @ported v5.10 static */
export function memory_numa_stat_show(memcg: mem_cgroup): string {
	let text = '';

	mem_cgroup_flush_stats();
	for (const [name, ratio, idx] of memory_stats) {
		if (idx >= NR_VM_NODE_STAT_ITEMS)
			continue;
		text += name;
		for (let nid = 0; nid < MAX_NUMNODES; nid++) {
			if (!node_exists(nid))
				continue;
			const lruvec = mem_cgroup_lruvec(memcg, nid + 1 as pglist_data);
			text += ` N${nid}=${lruvec_page_state(lruvec, idx) * ratio}`;
		}
		text += '\n';
	}
	return text;
}

/** @ported v5.10 static */
export function memory_oom_group_show(memcg: mem_cgroup): string {
	return `${oom_group[memcg]}\n`;
}

/** @ported v5.10 static */
export function memory_oom_group_write(memcg: mem_cgroup, text: string): number {
	/* kstrtoint(): a C number, within an int */
	const number = /^([+-]?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)$/i.exec(strstrip(text));

	if (!number)
		return -EINVAL;
	const digits = number[2]!;
	const value = Number(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
	if (value > 0x7fffffff)
		return -ERANGE;
	if (value !== 0 && (value !== 1 || number[1] === '-'))
		return -EINVAL;
	oom_group[memcg] = value;
	return 0;
}

/**
 * memory.reclaim: reclaim so many bytes.
 * @returns 0, -EINVAL, -EINTR, or -EAGAIN when less was there
 * @ported v5.19 mm/memcontrol.c:memory_reclaim()
 */
export function memory_reclaim(memcg: mem_cgroup, text: string): number {
	let nr_retries = MAX_RECLAIM_RETRIES;
	let nr_reclaimed = 0;

	const err = page_counter_memparse(strstrip(text), '', parsed);
	if (err)
		return err;
	const nr_to_reclaim = parsed.v;

	while (nr_reclaimed < nr_to_reclaim) {
		if (fatal_signal_pending(current()))
			return -EINTR;
		/* The last attempt: pages in the CPUs' pagevecs can be reclaimed too. */
		if (!nr_retries)
			lru_add_drain_all();
		const reclaimed = try_to_free_mem_cgroup_pages(
			memcg, nr_to_reclaim - nr_reclaimed, GFP_KERNEL, true);
		if (!reclaimed && !nr_retries--)
			return -EAGAIN;
		nr_reclaimed += reclaimed;
	}
	return 0;
}

/** A file of the memory controller: struct cftype. */
export interface cftype {
	/** With the name of the controller: `memory.max`. */
	readonly name: string;
	/** CFTYPE_*, or'ed. */
	readonly flags: number;
	/** The text of the file; undefined: it cannot be read. */
	readonly show?: (memcg: mem_cgroup) => string;
	/** Returns 0 or a negative errno; undefined: it cannot be written. */
	readonly write?: (memcg: mem_cgroup, text: string) => number;
	/** The commit that brings the file; undefined: v5.10 has it. */
	readonly commit?: number;
}
export const CFTYPE_NOT_ON_ROOT = 1 << 1, CFTYPE_NS_DELEGATABLE = 1 << 2;

export const memory_files: readonly cftype[] = [
	{ name: 'memory.current', flags: CFTYPE_NOT_ON_ROOT, show: memory_current_read },
	{ name: 'memory.min', flags: CFTYPE_NOT_ON_ROOT, show: memory_min_show,
		write: memory_min_write },
	{ name: 'memory.low', flags: CFTYPE_NOT_ON_ROOT, show: memory_low_show,
		write: memory_low_write },
	{ name: 'memory.high', flags: CFTYPE_NOT_ON_ROOT, show: memory_high_show,
		write: memory_high_write },
	{ name: 'memory.max', flags: CFTYPE_NOT_ON_ROOT, show: memory_max_show,
		write: memory_max_write },
	{ name: 'memory.events', flags: CFTYPE_NOT_ON_ROOT, show: memory_events_show },
	{ name: 'memory.events.local', flags: CFTYPE_NOT_ON_ROOT, show: memory_events_local_show },
	{ name: 'memory.stat', flags: 0, show: memory_stat_show },
	{ name: 'memory.numa_stat', flags: 0, show: memory_numa_stat_show },
	{ name: 'memory.oom.group', flags: CFTYPE_NOT_ON_ROOT | CFTYPE_NS_DELEGATABLE,
		show: memory_oom_group_show, write: memory_oom_group_write },
	{ name: 'memory.reclaim', flags: CFTYPE_NS_DELEGATABLE, write: memory_reclaim,
		commit: MEMCG_MEMORY_RECLAIM /* 94968384dde1, v5.19 */ },
];

/**
 * @returns how much of its usage a memcg is protected for, in pages
 * @ported v5.10 static
 */
export function effective_protection(
	usage: number, parent_usage: number, setting: number, parent_effective: number,
	siblings_protected: number,
): number {
	const protected_pages = Math.min(usage, setting);

	/* Claimed and used by all together is more than the parent has: shares. */
	if (siblings_protected > parent_effective)
		return mul_div(protected_pages, parent_effective, siblings_protected);

	let ep = protected_pages;
	if ((cgrp_dfl_root_flags.v & CGRP_ROOT_MEMORY_RECURSIVE_PROT) === 0)
		return ep;
	/* What nobody claims, in proportion to what each uses unprotected. */
	if (parent_effective > siblings_protected && parent_usage > siblings_protected &&
		usage > protected_pages) {
		ep += mul_div(parent_effective - siblings_protected, usage - protected_pages,
			parent_usage - siblings_protected);
	}
	return ep;
}

/**
 * Work out emin and elow of a memcg in a walk from root (0: all) down; the parent's are right.
 * @ported v5.10
 */
export function mem_cgroup_calculate_protection(root: mem_cgroup, memcg: mem_cgroup): void {
	if (!root)
		root = root_mem_cgroup;
	/* mem_cgroup_protection() does not read the target's own. */
	if (memcg === root)
		return;

	const counter = memcg_memory[memcg];
	const usage = page_counter_read(counter);
	if (!usage)
		return;

	const parent = parent_mem_cgroup(memcg);
	if (!parent)
		return;
	if (parent === root) {
		emin[counter] = counter_min[counter];
		elow[counter] = counter_low[counter];
		return;
	}
	const parent_counter = memcg_memory[parent];
	const parent_usage = page_counter_read(parent_counter);
	emin[counter] = effective_protection(usage, parent_usage, counter_min[counter],
		emin[parent_counter], children_min_usage[parent_counter]);
	elow[counter] = effective_protection(usage, parent_usage, counter_low[counter],
		elow[parent_counter], children_low_usage[parent_counter]);
}

/**
 * Charge a new page, or one of the swap cache, to the memcg of its swap slot or else of mm.
 * @param mm may be 0
 * @returns 0 or -ENOMEM
 * @ported v5.10
 */
export function mem_cgroup_charge(page: page, mm: mm_struct, gfp_mask: gfp_t): number {
	const nr_pages = thp_nr_pages(page);
	let memcg = NONE;

	if (PageSwapCache(page)) {
		VM_BUG_ON_PAGE(!PageLocked(page), page, 'mem_cgroup_charge: not locked');
		/* charged by an earlier fault on it */
		if (page_mem_cgroup[compound_head(page)])
			return 0;
		memcg = mem_cgroup_from_id(lookup_swap_cgroup_id(page_private(page)));
		if (memcg && !css_tryget_online(memcg))
			memcg = NONE;
	}
	if (!memcg)
		memcg = get_mem_cgroup_from_mm(mm);

	const ret = try_charge(memcg, gfp_mask, nr_pages);
	if (!ret) {
		css_get(memcg);
		commit_charge(page, memcg);
		mem_cgroup_charge_statistics(memcg, nr_pages);
		/*
		 * The charge of the swap slot goes when the slot does. The base lets it go here,
		 * and so counts too little of a slot that stays in use.
		 */
		if (!applied(MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2 /* 2d1c498072de, v5.12 */) &&
			PageSwapCache(page))
			mem_cgroup_uncharge_swap(page_private(page), nr_pages);
	}
	css_put(memcg);
	return ret;
}

/* struct uncharge_gather: dead when the outermost uncharge returns. */
const ug = { memcg: NONE, nr_pages: 0, pgpgout: 0 };

/** @ported v5.10 static */
export function uncharge_gather_clear(): void {
	ug.memcg = NONE;
	ug.nr_pages = 0;
	ug.pgpgout = 0;
}

/** @reduced the wake-up of those who wait for user space to handle an OOM */
export function uncharge_batch(): void {
	if (!mem_cgroup_is_root(ug.memcg))
		page_counter_uncharge(memcg_memory[ug.memcg], ug.nr_pages);
	__count_memcg_events(ug.memcg, PGPGOUT, ug.pgpgout);
	/* the batch's, of uncharge_page() */
	css_put(ug.memcg);
}

/** @reduced kernel pages, which are not charged (nokmem) */
export function uncharge_page(page: page): void {
	const memcg = page_mem_cgroup[page];

	VM_BUG_ON_PAGE(PageLRU(page), page, 'uncharge_page: is on the LRU');
	if (!memcg)
		return;
	if (ug.memcg !== memcg) {
		if (ug.memcg) {
			uncharge_batch();
			uncharge_gather_clear();
		}
		ug.memcg = memcg;
		/* kept until the batch is done */
		css_get(memcg);
	}
	ug.nr_pages += compound_nr(page);
	ug.pgpgout++;
	page_mem_cgroup[page] = NONE;
	css_put(memcg);
}

const { next: list_next } = list_heads;

/** @ported v5.10 static */
export function uncharge_list(page_list: list_head): void {
	uncharge_gather_clear();
	let next = list_next[page_list];
	do {
		const page = pages.lru.container_of(next);
		next = list_next[next];
		uncharge_page(page);
	} while (next !== page_list);
	if (ug.memcg)
		uncharge_batch();
}

/** @ported v5.10 */
export function mem_cgroup_uncharge(page: page): void {
	if (!page_mem_cgroup[page])
		return;
	uncharge_gather_clear();
	uncharge_page(page);
	uncharge_batch();
}

/**
 * Uncharge the pages of a list, linked by page->lru; they stay on it.
 * @ported v5.10
 */
export function mem_cgroup_uncharge_list(page_list: list_head): void {
	if (!list_empty(page_list))
		uncharge_list(page_list);
}

/**
 * Charge newpage as the replacement of oldpage, which is uncharged when it is freed.
 * @ported v5.10
 */
export function mem_cgroup_migrate(oldpage: page, newpage: page): void {
	VM_BUG_ON_PAGE(!PageLocked(oldpage), oldpage, 'mem_cgroup_migrate: not locked');
	VM_BUG_ON_PAGE(!PageLocked(newpage), newpage, 'mem_cgroup_migrate: not locked');
	VM_BUG_ON_PAGE(PageAnon(oldpage) !== PageAnon(newpage), newpage,
		'mem_cgroup_migrate: anon and file');
	VM_BUG_ON_PAGE(PageTransHuge(oldpage) !== PageTransHuge(newpage), newpage,
		'mem_cgroup_migrate: huge and not');

	/* charged when it came into the page cache */
	if (page_mem_cgroup[newpage])
		return;
	/* read ahead from swap: nobody's yet */
	const memcg = page_mem_cgroup[oldpage];
	if (!memcg)
		return;

	/* Past the limit if need be: the old page's charge goes with it. */
	const nr_pages = thp_nr_pages(newpage);
	page_counter_charge(memcg_memory[memcg], nr_pages);
	css_get(memcg);
	commit_charge(newpage, memcg);
	mem_cgroup_charge_statistics(memcg, nr_pages);
}

/**
 * The per-CPU stocks, and the defaults of the boot parameters. Comes before cgroup_init().
 * @reduced the works and the soft limit trees
 */
export function mem_cgroup_init(): void {
	VM_BUG_ON(NR_VM_EVENT_ITEMS > MEMCG_EVENTS, 'mem_cgroup_init: MEMCG_EVENTS is too small');
	use_rows(memcg_stocks, 1 + NR_CPUS);
	cgroup_memory_noswap.v = 0;
	cgrp_dfl_root_flags.v = 0;
}

/**
 * The nearest ancestor, or the memcg itself, that still has its ID; with a reference to it.
 * @ported v5.10 static
 */
export function mem_cgroup_id_get_online(memcg: mem_cgroup): mem_cgroup {
	while (id_ref[memcg] === 0)
		memcg = parent_mem_cgroup(memcg) || root_mem_cgroup;
	id_ref[memcg]++;
	return memcg;
}

/**
 * @reduced to nothing, as on cgroup v2: the page keeps its charge until it is freed
 */
export function mem_cgroup_swapout(page: page, _entry: swp_entry_t): void {
	VM_BUG_ON_PAGE(PageLRU(page), page, 'mem_cgroup_swapout: is on the LRU');
	VM_BUG_ON_PAGE(page_count(page) !== 0, page, 'mem_cgroup_swapout: has references');
}

const charge_swap_counter: out<page_counter> = { v: 0 as page_counter };

/**
 * Charge the swap slots that a page is to have.
 * @param entry the first of them; 0 for none was free
 * @returns 0 or -ENOMEM
 * @ported v5.10
 */
export function mem_cgroup_try_charge_swap(page: page, entry: swp_entry_t): number {
	const nr_pages = thp_nr_pages(page);
	let memcg = page_mem_cgroup[page];

	/* read ahead from swap: nobody's yet */
	if (!memcg)
		return 0;
	if (!entry) {
		memcg_memory_event(memcg, MEMCG_SWAP_FAIL);
		return 0;
	}

	memcg = mem_cgroup_id_get_online(memcg);
	if (!cgroup_memory_noswap.v && !mem_cgroup_is_root(memcg) &&
		!page_counter_try_charge(memcg_swap[memcg], nr_pages, charge_swap_counter)) {
		memcg_memory_event(memcg, MEMCG_SWAP_MAX);
		memcg_memory_event(memcg, MEMCG_SWAP_FAIL);
		mem_cgroup_id_put(memcg);
		return -ENOMEM;
	}
	/* one for each slot; the first is there */
	if (nr_pages > 1)
		mem_cgroup_id_get_many(memcg, nr_pages - 1);
	const oldid = swap_cgroup_record(entry, mem_cgroup_id(memcg), nr_pages);
	VM_BUG_ON_PAGE(oldid !== 0, page, 'mem_cgroup_try_charge_swap: slot is charged already');
	mod_memcg_state(memcg, MEMCG_SWAP, nr_pages);
	return 0;
}

/** @ported v5.10 */
export function mem_cgroup_uncharge_swap(entry: swp_entry_t, nr_pages: number): void {
	const id = swap_cgroup_record(entry, 0, nr_pages);
	const memcg = mem_cgroup_from_id(id);

	if (memcg) {
		if (!cgroup_memory_noswap.v && !mem_cgroup_is_root(memcg))
			page_counter_uncharge(memcg_swap[memcg], nr_pages);
		mod_memcg_state(memcg, MEMCG_SWAP, -nr_pages);
		mem_cgroup_id_put_many(memcg, nr_pages);
	}
}

/**
 * Swap slots that a memcg (0: the root) can still get.
 * @ported v5.10
 */
export function mem_cgroup_get_nr_swap_pages(memcg: mem_cgroup): number {
	let nr_swap_pages = get_nr_swap_pages();

	if (cgroup_memory_noswap.v)
		return nr_swap_pages;
	for (; memcg && memcg !== root_mem_cgroup; memcg = parent_mem_cgroup(memcg)) {
		const swap = memcg_swap[memcg];
		nr_swap_pages = Math.min(
			nr_swap_pages, counter_max[swap] - page_counter_read(swap));
	}
	return nr_swap_pages;
}

/**
 * Whether swap slots are scarce, so that a page in memory should not keep its own.
 * @ported v5.10
 */
export function mem_cgroup_swap_full(page: page): boolean {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'mem_cgroup_swap_full: not locked');
	if (vm_swap_full())
		return true;
	if (cgroup_memory_noswap.v)
		return false;
	for (let memcg = page_mem_cgroup[page]; memcg && memcg !== root_mem_cgroup;
		memcg = parent_mem_cgroup(memcg)) {
		const swap = memcg_swap[memcg];
		const usage = page_counter_read(swap);
		if (usage * 2 >= counter_high[swap] || usage * 2 >= counter_max[swap])
			return true;
	}
	return false;
}

/** @ported v5.10 static */
export function swap_current_read(memcg: mem_cgroup): string {
	return `${page_counter_read(memcg_swap[memcg]) * PAGE_SIZE}\n`;
}

/** @ported v5.10 static */
export function swap_high_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_high[memcg_swap[memcg]]);
}

/** @ported v5.10 static */
export function swap_high_write(memcg: mem_cgroup, text: string): number {
	const err = page_counter_memparse(strstrip(text), 'max', parsed);

	if (err)
		return err;
	page_counter_set_high(memcg_swap[memcg], parsed.v);
	return 0;
}

/** @ported v5.10 static */
export function swap_max_show(memcg: mem_cgroup): string {
	return seq_puts_memcg_tunable(counter_max[memcg_swap[memcg]]);
}

/** @ported v5.10 static */
export function swap_max_write(memcg: mem_cgroup, text: string): number {
	const err = page_counter_memparse(strstrip(text), 'max', parsed);

	if (err)
		return err;
	counter_max[memcg_swap[memcg]] = parsed.v;
	return 0;
}

/** @ported v5.10 static */
export function swap_events_show(memcg: mem_cgroup): string {
	const at = memcg * MEMCG_NR_MEMORY_EVENTS;

	return `high ${memory_events[at + MEMCG_SWAP_HIGH]}\n` +
		`max ${memory_events[at + MEMCG_SWAP_MAX]}\n` +
		`fail ${memory_events[at + MEMCG_SWAP_FAIL]}\n`;
}

export const swap_files: readonly cftype[] = [
	{ name: 'memory.swap.current', flags: CFTYPE_NOT_ON_ROOT, show: swap_current_read },
	{ name: 'memory.swap.high', flags: CFTYPE_NOT_ON_ROOT, show: swap_high_show,
		write: swap_high_write },
	{ name: 'memory.swap.max', flags: CFTYPE_NOT_ON_ROOT, show: swap_max_show,
		write: swap_max_write },
	{ name: 'memory.swap.events', flags: CFTYPE_NOT_ON_ROOT, show: swap_events_show },
];

/**
 * The files that a memcg's directory has on the running machine.
 * @custom css_populate_dir()
 */
export function mem_cgroup_files(memcg: mem_cgroup): cftype[] {
	const files = cgroup_memory_noswap.v ? memory_files : [...memory_files, ...swap_files];

	return files.filter(({ flags, commit }) =>
		(commit === undefined || applied(commit)) &&
		!(mem_cgroup_is_root(memcg) && (flags & CFTYPE_NOT_ON_ROOT) !== 0));
}
