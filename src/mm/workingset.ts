// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/workingset.c, v5.10
 * Left out: the shrinker of shadow nodes, since slab reclaim is not modelled. With
 * cgroup.memory=nokmem only global reclaim calls it, and it acts only when there are more nodes of
 * nothing but shadows than an eighth of the pages that the root itself is charged for.
 * Lock order modelled: none; the kernel's is the mapping's i_pages lock > lru_lock.
 *
 * A shadow entry, in the kernel (CONFIG_NODES_SHIFT 10) and here:
 *
 *	 62                 27 26      11 10      1 0
 *	+---------------------+----------+---------+----------+
 *	| eviction counter 36 | memcg 16 | node 10 | workingset |
 *	+---------------------+----------+---------+----------+
 *
 *	 49                 16 15       4 3       1 0
 *	+---------------------+----------+---------+----------+
 *	| eviction counter 34 | memcg 12 | node 3  | workingset |
 *	+---------------------+----------+---------+----------+
 */
import { VM_BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { fls } from '../lib/bitops.ts';
import { applied, MM_WORKINGSET_CLARIFY_EVICTION_ORDER_AND_DISTANCE_CALCULATION }
	from '../lib/commits.ts';
import { INIT_LIST_HEAD, list_add_tail, list_del_init, list_empty } from '../lib/list.ts';
import { global_s32, list, s32, struct, use_rows, type ptr } from '../lib/struct.ts';
import { xa_mk_value, xa_nodes, xa_to_value, type xa_node } from '../lib/xarray.ts';
import { inc_lruvec_state, lruvec_memcg, lruvec_page_state, mem_cgroup_from_id,
	mem_cgroup_get_nr_swap_pages, mem_cgroup_id, mem_cgroup_lruvec, mem_cgroup_page_lruvec,
	parent_lruvec } from './memcontrol.ts';
import { page_count, page_memcg, page_pgdat, totalram_pages } from './mm.ts';
import { page_is_file_lru } from './mm_inline.ts';
import type { mem_cgroup, page } from './mm_types.ts';
import { lruvecs, NODE_DATA, NR_ACTIVE_ANON, NR_ACTIVE_FILE, NR_INACTIVE_ANON, NR_INACTIVE_FILE,
	pgdats, WORKINGSET_ACTIVATE_BASE, WORKINGSET_NODES, WORKINGSET_REFAULT_BASE,
	WORKINGSET_RESTORE_BASE, type lruvec, type pglist_data } from './mmzone.ts';
import { PageLocked, PageLRU, PageWorkingset, SetPageActive, SetPageWorkingset, thp_nr_pages }
	from './page_flags.ts';
import { lru_note_cost_page } from './swap.ts';
import { __mod_node_page_state } from './vmstat.ts';

const { nonresident_age } = lruvecs;

/* log2 of the values that each part of a shadow can have */
const EVICTION_BITS = 34, ID_BITS = 12, NODE_BITS = 3;
const EVICTIONS = 2 ** EVICTION_BITS, IDS = 2 ** ID_BITS, NODES = 2 ** NODE_BITS;

/** Evictions are counted in buckets of 2^bucket_order; 0 unless memory outgrows the counter. */
const bucket_order = global_s32('bucket_order');

/* A C function's out parameters: what unpack_shadow() found. */
const unpacked = { memcgid: 0, pgdat: 0 as pglist_data, eviction: 0, workingset: false };

/**
 * The value of an xarray entry.
 * @reduced 34 bits of counter and 12 of memcg ID instead of 36 and 16: the counter wraps after 64
 * TiB of evictions in the life of one shadow instead of 256, and IDs are below the number of
 * memcgs that there can be
 */
function pack_shadow(
	memcgid: number, pgdat: pglist_data, eviction: number, workingset: boolean,
): number {
	VM_BUG_ON(memcgid >= IDS, 'a memcg ID does not fit a shadow entry');
	eviction = Math.floor(eviction / (1 << bucket_order.v));
	/* the remainder of such numbers is a call */
	if (eviction >= EVICTIONS)
		eviction %= EVICTIONS;
	eviction = eviction * IDS + memcgid;
	eviction = eviction * NODES + pgdats.node_id[pgdat];
	eviction = eviction * 2 + (workingset ? 1 : 0);

	return xa_mk_value(eviction);
}

/** @reduced fewer bits of counter and memcg ID, as in pack_shadow() */
function unpack_shadow(shadow: number): void {
	let entry = xa_to_value(shadow);

	unpacked.workingset = entry % 2 === 1;
	entry = Math.floor(entry / 2);
	unpacked.pgdat = NODE_DATA(entry % NODES);
	entry = Math.floor(entry / NODES);
	unpacked.memcgid = entry % IDS;
	unpacked.eviction = Math.floor(entry / IDS) * 2 ** bucket_order.v;
}

/**
 * Pages that are not in memory age as those on the LRU do: in the lruvec and in every ancestor,
 * whose lists are the children's together.
 * @ported v5.10
 */
export function workingset_age_nonresident(lruvec: lruvec, nr_pages: number): void {
	do {
		nonresident_age[lruvec] += nr_pages;
	} while ((lruvec = parent_lruvec(lruvec)));
}

/**
 * The shadow entry to leave in the place of a page that reclaim takes out.
 * @param target_memcg whose reclaim it is; 0 for global reclaim
 * @ported v5.10
 */
export function workingset_eviction(page: page, target_memcg: mem_cgroup): number {
	const pgdat = page_pgdat(page);

	VM_BUG_ON_PAGE(PageLRU(page), page, 'is evicted while on the LRU');
	VM_BUG_ON_PAGE(page_count(page) !== 0, page, 'is evicted while it has references');
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is evicted without its lock');

	const lruvec = mem_cgroup_lruvec(target_memcg, pgdat);
	const before = nonresident_age[lruvec];
	workingset_age_nonresident(lruvec, thp_nr_pages(page));
	const memcgid = mem_cgroup_id(lruvec_memcg(lruvec));
	const eviction = applied(MM_WORKINGSET_CLARIFY_EVICTION_ORDER_AND_DISTANCE_CALCULATION
	    /* aeddcee6c17b, v5.12 */) ? before : nonresident_age[lruvec];
	return pack_shadow(memcgid, pgdat, eviction, PageWorkingset(page));
}

/**
 * Activate a page that comes back before as many others were evicted or activated as the working
 * set has pages.
 * @param shadow the entry that workingset_eviction() left
 * @ported v5.10
 */
export function workingset_refault(page: page, shadow: number): void {
	const file = page_is_file_lru(page);

	unpack_shadow(shadow);
	const pgdat = unpacked.pgdat, eviction = unpacked.eviction;
	const workingset = unpacked.workingset;

	const eviction_memcg = mem_cgroup_from_id(unpacked.memcgid);
	if (!eviction_memcg)
		return;
	const eviction_lruvec = mem_cgroup_lruvec(eviction_memcg, pgdat);
	const refault = nonresident_age[eviction_lruvec];

	let refault_distance = (refault - eviction) % EVICTIONS;
	if (refault_distance < 0)
		refault_distance += EVICTIONS;

	/* decided where the eviction was, counted where the page is now */
	const memcg = page_memcg(page);
	const lruvec = mem_cgroup_lruvec(memcg, pgdat);

	inc_lruvec_state(lruvec, WORKINGSET_REFAULT_BASE + file);

	let workingset_size = lruvec_page_state(eviction_lruvec, NR_ACTIVE_FILE);
	if (!file)
		workingset_size += lruvec_page_state(eviction_lruvec, NR_INACTIVE_FILE);
	if (mem_cgroup_get_nr_swap_pages(memcg) > 0) {
		workingset_size += lruvec_page_state(eviction_lruvec, NR_ACTIVE_ANON);
		if (file)
			workingset_size += lruvec_page_state(eviction_lruvec, NR_INACTIVE_ANON);
	}
	if (refault_distance > workingset_size)
		return;

	SetPageActive(page);
	workingset_age_nonresident(lruvec, thp_nr_pages(page));
	inc_lruvec_state(lruvec, WORKINGSET_ACTIVATE_BASE + file);

	/* the page was active before its eviction */
	if (workingset) {
		SetPageWorkingset(page);
		lru_note_cost_page(page);
		inc_lruvec_state(lruvec, WORKINGSET_RESTORE_BASE + file);
	}
}

/** @ported v5.10 */
export function workingset_activation(page: page): void {
	/* pages that nobody is charged for (page tables, the zero page) have no lruvec */
	if (!page_memcg(page))
		return;
	const lruvec = mem_cgroup_page_lruvec(page, page_pgdat(page));
	workingset_age_nonresident(lruvec, thp_nr_pages(page));
}

type list_lru = ptr<'list_lru'>;
const list_lrus = struct<list_lru>()('list_lru', 2, { list: list, nr_items: s32 });
const shadow_nodes = 1 as list_lru;
/* Tree nodes are rows and lie in no NUMA node's memory. */
const SHADOW_NODES_PGDAT = NODE_DATA(0);

/**
 * Keep the list of the tree nodes that hold shadows and nothing else; for xarray.ts to call when
 * the counts of a node have changed.
 * @reduced one list, since nodes are not charged to cgroups (cgroup.memory=nokmem)
 */
export function workingset_update_node(node: xa_node): void {
	const item = xa_nodes.private_list(node);

	if (xa_nodes.count[node] && xa_nodes.count[node] === xa_nodes.nr_values[node]) {
		if (list_empty(item)) {
			list_add_tail(item, list_lrus.list(shadow_nodes));
			list_lrus.nr_items[shadow_nodes]++;
			__mod_node_page_state(SHADOW_NODES_PGDAT, WORKINGSET_NODES, 1);
		}
	} else {
		if (!list_empty(item)) {
			list_del_init(item);
			list_lrus.nr_items[shadow_nodes]--;
			__mod_node_page_state(SHADOW_NODES_PGDAT, WORKINGSET_NODES, -1);
		}
	}
}

/** @reduced no shrinker is registered; see the top of the file */
export function workingset_init(): void {
	const max_order = fls(totalram_pages() - 1);

	bucket_order.v = max_order > EVICTION_BITS ? max_order - EVICTION_BITS : 0;
	use_rows(list_lrus, shadow_nodes + 1);
	INIT_LIST_HEAD(list_lrus.list(shadow_nodes));
}
