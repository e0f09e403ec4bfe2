// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must hold of a machine between two statements, whatever ran before. Everything is counted
 * anew from page tables, lists and trees, and held against what the kernel keeps as numbers.
 */
import { mmu_pcid, tlb_entries } from '../arch/mmu.ts';
import { PAGE_SIZE, PGDIR_SIZE, PMD_SIZE, PTRS_PER_PTE, PUD_SIZE } from '../arch/page.ts';
import { NX_HI, pte_dirty, pte_none, pte_pfn, pte_present, pte_write } from '../arch/pgtable.ts';
import { _PAGE_PRESENT } from '../arch/pgtable_types.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { non_swap_entry, pte_to_swp_entry, swp_entry } from '../arch/swap.ts';
import { TLB_NR_DYN_ASIDS, cpu_tlbstate, mm_contexts, tlb_ubcs } from '../arch/tlb.ts';
import { allRegions } from '../lib/arena.ts';
import { KernelBug } from '../lib/bug.ts';
import { MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY, applied } from '../lib/commits.ts';
import { list_heads_entered } from '../lib/stack.ts';
import { allTables, list_heads, live, nr_live, nr_rows, rb_nodes, type list_head,
	type rb_node } from '../lib/struct.ts';
import { XA_INDEX_MAX, xa_find, xa_is_value, xa_load, xa_node_of, xa_nodes, xa_to_pointer,
	type xa_node } from '../lib/xarray.ts';
import { DISKFS_AOPS, SHMEM_AOPS, SWAP_AOPS } from '../mm/a_ops.ts';
import { bdevs, blk_pending, blkdev_ram_pages } from '../mm/blkdev.ts';
import { buffer_dirty, buffer_mapped, buffer_uptodate } from '../mm/buffer.ts';
import { current, nr_cpu_ids, smp_processor_id } from '../mm/current.ts';
import { cpu_curr } from '../mm/fork.ts';
import { is_data_mapping, is_exec_mapping, is_stack_mapping } from '../mm/internal.ts';
import { mem_cgroup_from_id } from '../mm/memcontrol.ts';
import { MEMCG_NR_STAT, MEMCG_SWAP, cgroups, mem_cgroup_per_nodes, memcg_stocks, memcgs,
	page_counters, swap_cgroup_ids, ROOT_MEM_CGROUP, type cgroup, type mem_cgroup_per_node,
	type memcg_stock_pcp } from '../mm/memcontrol_types.ts';
import { follow_pte, is_zero_pfn } from '../mm/memory.ts';
import { page_lru } from '../mm/mm_inline.ts';
import { EXIT_ZOMBIE, MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, NR_MM_COUNTERS,
	PAGE_MAPPING_ANON, PF_KSWAPD, PF_MEMALLOC, VM_EXEC, VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE,
	address_spaces, anon_vmas, avcs, files, mms, pages, tasks, vmas, type address_space,
	type anon_vma, type anon_vma_chain, type mem_cgroup, type mm_struct, type page,
	type task_struct, type vm_area_struct } from '../mm/mm_types.ts';
import { find_vma, validate_mm } from '../mm/mmap.ts';
import { mmu_interval_notifiers, mmu_notifiers } from '../mm/mmu_notifier.ts';
import { CPU_PAGEVECS, MAX_NR_ZONES, MAX_NUMNODES, MAX_ORDER, MIGRATE_PCPTYPES, MIGRATE_TYPES,
	NODE_DATA, NR_ANON_MAPPED, NR_CPUS, NR_FILE_DIRTY, NR_FILE_MAPPED, NR_FILE_PAGES,
	NR_FREE_PAGES, NR_ISOLATED_ANON, NR_ISOLATED_FILE, NR_LRU_BASE, NR_LRU_LISTS, NR_MLOCK,
	NR_PAGETABLE, NR_SHMEM, NR_VM_NODE_STAT_ITEMS, NR_VM_ZONE_STAT_ITEMS, NR_WRITEBACK,
	NR_ZONE_LRU_BASE, NR_ZONE_WRITE_PENDING, PAGEVEC_SIZE, WORKINGSET_NODES, first_zone,
	lru_names, lruvecs, next_zone, nr_online_nodes, pagevecs, pgdats, zone_name, zones,
	type lruvec, type pagevec, type zone } from '../mm/mmzone.ts';
import { PG_dirty, PG_locked, PG_lru, PG_mlocked, PG_reserved, PG_swapbacked, PG_writeback,
	PageAnon, PageBuddy, PageDirty, PageLRU, PagePrivate, PageSwapBacked, PageSwapCache,
	PageTable, PageUptodate, anon_vma_pointer, mapping_pointer,
	page_has_type } from '../mm/page_flags.ts';
import { max_pfn } from '../mm/page_alloc.ts';
import { mapping_can_writeback } from '../mm/page-writeback.ts';
import { linear_page_index } from '../mm/pagemap.ts';
import { radix_to_swp_entry } from '../mm/shmem.ts';
import { COUNT_CONTINUED, SWAP_HAS_CACHE, SWAP_MAP_BAD, SWAP_MAP_SHMEM, SWAP_SLOTS_CACHE_SIZE,
	SWP_USED, SWP_WRITEOK, nr_swap_pages, nr_swapfiles, swap_info, swap_infos, swap_map,
	swap_slot, swp_slots, total_swap_pages } from '../mm/swap_types.ts';
import { swp_swapcount } from '../mm/swapfile.ts';
import { node_stat_name, zone_stat_name } from '../mm/vmstat.ts';
import { statementDepth } from './actors.ts';
import { checkKvm, kvmHolds, countKvmPages } from './invariants_kvm.ts';

const { next: list_next } = list_heads;
const { flags: page_flags, _refcount, _mapcount, mapping: page_mapping, mem_cgroup: page_memcg,
	zone_node } = pages;
const map = swap_map, BAD = SWAP_MAP_BAD;
const WORD_BITS = 12;
const LRU = 1 << PG_lru, RESERVED = 1 << PG_reserved;
const isTyped = page_has_type, isTable = PageTable, isSwapCache = PageSwapCache, lruOf = page_lru;

/** What does not hold, by name, and of what. */
export class InvariantError extends Error {
	/** As in `rmap`: the first word of the message. */
	readonly invariant: string;
	constructor(invariant: string, what: string) {
		super(`invariant ${invariant}: ${what}`);
		this.name = 'InvariantError';
		this.invariant = invariant;
	}
}

function fail(invariant: string, what: string): never {
	throw new InvariantError(invariant, what);
}

/* got === wanted, of something that `of` names */
function equal(invariant: string, of: string | (() => string), got: number, wanted: number): void {
	if (got !== wanted)
		fail(invariant,
			`${typeof of === 'string' ? of : of()} is ${got}, counted ${wanted}`);
}

/* The entries of a list; one that does not come back to its head is refused. */
function* entries(invariant: string, head: list_head, what: string): Generator<list_head> {
	let before = head;

	for (let at = list_next[head]; at !== head; at = list_next[at]) {
		if (!at || list_heads.prev[at] !== before)
			fail(invariant, `${what}: the links at node ${before} are broken`);
		yield at;
		before = at;
	}
}

const global = (name: string): number =>
	allRegions().find((region) => region.name === `global.${name}`)!.array[0]!;
const globalArray = (name: string): ArrayLike<number> =>
	allRegions().find((region) => region.name === name)!.array;

/* ---- What is counted ------------------------------------------------------------------- */

/* What the pages and tables of the machine add up to. */
class Census {
	/* by pfn */
	readonly mapped = new Int32Array(max_pfn.v);
	readonly refs = new Int32Array(max_pfn.v);
	readonly tables = new Uint8Array(max_pfn.v);
	readonly free = new Uint8Array(max_pfn.v);
	/** Large free blocks, first page and end of each; and all that lies between them. */
	readonly idle: (readonly [number, number])[] = [];
	readonly spans: readonly (readonly [number, number])[];
	/* by swap slot: entries in page tables and shmem files, and cached pages */
	readonly swapRefs = new Map<number, number>();
	readonly swapShmem = new Set<number>();
	readonly swapCached = new Set<number>();
	tablePages = 0;
	pageCache = 0;
	swapCache = 0;
	shadowNodes = 0;

	constructor() {
		for (const mm of live(mms))
			countTables(this, mm);
		for (const mapping of live(address_spaces))
			countMapping(this, mapping);
		countPagevecs(this);
		countFree(this);
		countKvmPages(this.refs);
		this.spans = between(this.idle, max_pfn.v);
	}
}

/* What of the pages from 1 to end - 1 lies in none of some blocks, which are put in order. */
function between(
	blocks: (readonly [number, number])[], end: number,
): (readonly [number, number])[] {
	const spans: (readonly [number, number])[] = [];
	let from = 1;

	for (const [start, after] of blocks.sort(([one], [other]) => one - other)) {
		if (start > from)
			spans.push([from, start]);
		from = after;
	}
	if (end > from)
		spans.push([from, end]);
	return spans;
}

/*
 * rmap, rss, vma, pgtables: the tables of an mm, each entry within a vma by which rmap would find
 * it.
 */
function countTables(census: Census, mm: mm_struct): void {
	const rss = new Int32Array(NR_MM_COUNTERS);
	let bytes = 0;
	/* The present entries of a table, and the range that each stands for. */
	const table = (pfn: number, level: 1 | 2 | 3): void => {
		if (census.tables[pfn]++)
			fail('pgtables', `page ${pfn} is a page table twice`);
		census.refs[pfn]!++;
		bytes += level < 4 ? PAGE_SIZE : 0;
		if (level <= 2 && !PageTable(pfn as page))
			fail('pgtables',
				`page ${pfn} is a page table of mm ${mm} without PageTable`);
		census.tablePages += level <= 2 ? 1 : 0;
	};
	const walk = (pfn: number, address: number, level: number): void => {
		const span = [0, PAGE_SIZE, PMD_SIZE, PUD_SIZE, PGDIR_SIZE][level]!;
		const at = pfn << FRAME_WORDS_SHIFT;
		for (let i = 0; i < PTRS_PER_PTE; i++) {
			const entry = ram[at + 2 * i]!;
			if (pte_none(entry) && ram[at + 2 * i + 1] === 0)
				continue;
			if (level === 1) {
				countEntry(census, mm, address + i * PAGE_SIZE, at + 2 * i, rss);
				continue;
			}
			table(pte_pfn(entry), level - 1 as 1 | 2 | 3);
			walk(pte_pfn(entry), address + i * span, level - 1);
		}
	};

	census.refs[mms.pgd[mm]]!++;
	/* Nobody uses it any more, but a CPU has it loaded: its mappings are gone. */
	if (!mms.mm_users[mm]) {
		walk(mms.pgd[mm], 0, 4);
		equal('pgtables', `pgtables_bytes of mm ${mm}, which nobody uses`, bytes, 0);
		return;
	}
	try {
		/* A child that inherited no mapping keeps its parent's highest_vm_end. */
		if (mms.mmap[mm] || mms.map_count[mm])
			validate_mm(mm);
	} catch (error) {
		fail('vma', `mm ${mm}: ${(error as Error).message}`);
	}
	walk(mms.pgd[mm], 0, 4);
	equal('pgtables', `pgtables_bytes of mm ${mm}`, mms.pgtables_bytes[mm], bytes);
	for (let i = 0; i < NR_MM_COUNTERS; i++) {
		let kept = mms.rss_stat[mm * NR_MM_COUNTERS + i]!;
		for (const task of live(tasks))
			if (tasks.mm[task] === mm)
				kept += tasks.rss_stat[task * NR_MM_COUNTERS + i]!;
		equal('rss', `counter ${i} of mm ${mm}`, kept, rss[i]!);
	}
}

function addSwapRef(census: Census, entry: number): void {
	const slot = swap_slot(entry);

	census.swapRefs.set(slot, (census.swapRefs.get(slot) ?? 0) + 1);
}

function countEntry(
	census: Census, mm: mm_struct, address: number, ptep: number, rss: Int32Array,
): void {
	const pte = ram[ptep]!;
	const vma = find_vma(mm, address);

	if (!vma || vmas.vm_start[vma] > address)
		fail('rmap',
			`mm ${mm} has an entry at 0x${address.toString(16)} outside of all vmas`);
	if (!pte_present(pte)) {
		const entry = pte_to_swp_entry(pte, ram[ptep + 1]!);
		if (!non_swap_entry(entry)) {
			rss[MM_SWAPENTS]!++;
			addSwapRef(census, entry);
		}
		return;
	}
	const page = pte_pfn(pte) as page;
	checkRights(vma, address, pte, ram[ptep + 1]!);
	if (is_zero_pfn(page))
		return;
	if (page >= max_pfn.v)
		fail('rmap', `mm ${mm} maps page ${page}, which is beyond RAM`);
	census.mapped[page]!++;
	census.refs[page]!++;
	const where = (): string => `page ${page} at 0x${address.toString(16)} of mm ${mm}`;
	if (PageAnon(page)) {
		rss[MM_ANONPAGES]!++;
		if (!vmaIsInAnonVma(vma, anon_vma_pointer(page)))
			fail('rmap', `${where()}: its anon_vma does not lead to vma ${vma}`);
	} else {
		rss[PageSwapBacked(page) ? MM_SHMEMPAGES : MM_FILEPAGES]!++;
		const mapping = files.f_mapping[vmas.vm_file[vma]];
		if (!vmas.vm_file[vma] || mapping_pointer(page) !== mapping)
			fail('rmap', `${where()}: vma ${vma} does not map its file`);
		if (!isInTree(vmas.shared(vma), address_spaces.i_mmap[mapping] as rb_node))
			fail('rmap', `${where()}: i_mmap of mapping ${mapping} has no vma ${vma}`);
	}
	equal('rmap', () => `index of ${where()}`, pages.index[page],
		linear_page_index(vma, address));
}

/*
 * rights: an entry lets nobody do what its area forbids; of a private mapping it is writable only
 * where nobody else has the page, of a file on a disk only where the page is dirty.
 */
function checkRights(vma: vm_area_struct, address: number, pte: number, high: number): void {
	const flags = vmas.vm_flags[vma], page = pte_pfn(pte) as page;
	const where = (): string => `page ${page} at 0x${address.toString(16)} of vma ${vma}`;

	if ((flags & VM_EXEC) === 0 && (pte & _PAGE_PRESENT) && (high & NX_HI) === 0)
		fail('rights', `${where()} can be executed`);
	if ((flags & (VM_READ | VM_WRITE | VM_EXEC)) === 0 && (pte & _PAGE_PRESENT))
		fail('rights', `${where()} can be accessed`);
	if (!pte_write(pte))
		return;
	if (!(flags & VM_WRITE))
		fail('rights', `${where()} is writable`);
	if (is_zero_pfn(page))
		fail('rights', `${where()} is writable, the page of zeros`);
	if (!(flags & VM_SHARED) && (!PageAnon(page) || _mapcount[page] !== 0))
		fail('rights', `${where()} is writable, and private to ${_mapcount[page] + 1}`);
	if (flags & VM_SHARED && mapping_can_writeback(mapping_pointer(page)) && !PageDirty(page))
		fail('rights', `${where()} is writable though the page is clean`);
}

/* Whether a node's parents lead to the root. */
function isInTree(node: rb_node, root: rb_node): boolean {
	while (node && rb_nodes.parent[node])
		node = rb_nodes.parent[node];
	return node !== 0 && node === root;
}

function vmaIsInAnonVma(vma: vm_area_struct, anon_vma: anon_vma): boolean {
	const head = vmas.anon_vma_chain(vma);

	for (const at of entries('rmap', head, `anon_vma_chain of vma ${vma}`)) {
		const avc: anon_vma_chain = avcs.same_vma.container_of(at);
		if (avcs.anon_vma[avc] === anon_vma)
			return avcs.vma[avc] === vma &&
				isInTree(avcs.rb(avc), anon_vmas.rb_root[anon_vma] as rb_node);
	}
	return false;
}

/* cache: a page cache or a swap cache */
function countMapping(census: Census, mapping: address_space): void {
	const isSwap = address_spaces.a_ops[mapping] === SWAP_AOPS;
	const nodes = new Map<xa_node, { count: number; values: number }>();
	let nrpages = 0, values = 0;

	for (let index = xa_find(mapping, 0, XA_INDEX_MAX, -1); index >= 0;
		index = index === XA_INDEX_MAX ? -1
			: xa_find(mapping, index + 1, XA_INDEX_MAX, -1)) {
		const entry = xa_load(mapping, index);
		const node = xa_node_of(mapping, index);
		const counts = nodes.get(node) ?? { count: 0, values: 0 };
		nodes.set(node, counts);
		counts.count++;
		if (xa_is_value(entry)) {
			counts.values++;
			values++;
			if (address_spaces.a_ops[mapping] === SHMEM_AOPS)
				countShmemEntry(census, mapping, index, radix_to_swp_entry(entry));
			continue;
		}
		nrpages++;
		countCached(census, mapping, index, xa_to_pointer(entry) as page, isSwap);
	}
	equal('cache', `nrpages of mapping ${mapping}`, address_spaces.nrpages[mapping], nrpages);
	/* A file of shmem has swap entries in its place, which are not counted. */
	if (address_spaces.a_ops[mapping] !== SHMEM_AOPS)
		equal('cache', `nrexceptional of mapping ${mapping}`,
			address_spaces.nrexceptional[mapping], values);
	for (const [node, { count, values: inNode }] of nodes) {
		if (!node)
			continue;
		equal('cache', `count of xa_node ${node}`, xa_nodes.count[node], count);
		equal('cache', `nr_values of xa_node ${node}`, xa_nodes.nr_values[node], inNode);
		if (list_next[xa_nodes.private_list(node)] !== xa_nodes.private_list(node))
			census.shadowNodes++;
	}
}

function countShmemEntry(
	census: Census, mapping: address_space, index: number, entry: number,
): void {
	const slot = swap_slot(entry);

	if (census.swapShmem.has(slot))
		fail('swap',
			`slot ${slot} is at index ${index} of mapping ${mapping} and elsewhere`);
	census.swapShmem.add(slot);
}

/* buffers: a page has them if a file system hangs them on it, and is clean where they are */
function countBuffers(census: Census, mapping: address_space, page: page): void {
	if (!PagePrivate(page)) {
		if (pages.b_state[page] !== 0)
			fail('buffers', `page ${page} has no buffer, but one's state`);
		return;
	}
	census.refs[page]!++;
	if (address_spaces.a_ops[mapping] !== DISKFS_AOPS || pages.private[page] !== page)
		fail('buffers', `page ${page} has a buffer, but is no page of a file on a disk`);
	if (buffer_dirty(page) && !PageDirty(page))
		fail('buffers', `page ${page} is clean, but its buffer is dirty`);
	if (PageUptodate(page) && buffer_mapped(page) && !buffer_uptodate(page) &&
	    PageDirty(page))
		fail('buffers', `page ${page} is dirty, but its buffer was never filled`);
}

function countCached(
	census: Census, mapping: address_space, index: number, page: page, isSwap: boolean,
): void {
	census.refs[page]!++;
	if (!isSwap) {
		countBuffers(census, mapping, page);
		census.pageCache++;
		if (PageAnon(page) || mapping_pointer(page) !== mapping ||
		    pages.index[page] !== index)
			fail('cache', `page ${page} is at index ${index} of mapping ${mapping}, ` +
				`but says index ${pages.index[page]} of ${mapping_pointer(page)}`);
		return;
	}
	census.swapCache++;
	const entry = pages.private[page];
	census.swapCached.add(swap_slot(entry));
	if (!PageSwapCache(page) || (entry & (1 << 26) - 1) !== index)
		fail('cache',
			`page ${page} is cached for swap offset ${index}, but says entry ${entry}`);
}

/* pagevec: what the batches of the CPUs hold a reference to */
function countPagevecs(census: Census): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		for (let name = 0; name < CPU_PAGEVECS; name++) {
			const pvec = 1 + cpu * CPU_PAGEVECS + name as pagevec;
			for (let i = 0; i < pagevecs.nr[pvec]; i++) {
				const page = pagevecs.pages[pvec * PAGEVEC_SIZE + i]! as page;
				census.refs[page]!++;
				if (name === 0 && PageLRU(page))
					fail('lru', `page ${page} waits for the LRU but is on it`);
			}
		}
	}
}

/* free: the buddy lists and the CPUs' lists */
/* Blocks from here on are looked at as a whole. */
const IDLE_ORDER = 6;

function countFree(census: Census): void {
	for (let zone = first_zone(); zone; zone = next_zone(zone)) {
		let freePages = 0;
		const take = (page: page, order: number): void => {
			const end = page + (1 << order);
			const twice = census.free.subarray(page, end).indexOf(1);
			if (twice >= 0)
				fail('free', `page ${page + twice} is free twice`);
			census.free.fill(1, page, end);
			if (order >= IDLE_ORDER)
				census.idle.push([page, end]);
		};
		for (let order = 0; order < MAX_ORDER; order++) {
			let blocks = 0;
			for (let mt = 0; mt < MIGRATE_TYPES; mt++) {
				const head = zones.free_list(zone, order * MIGRATE_TYPES + mt);
				for (const at of entries('free', head,
					`free list ${order}/${mt} of zone ${zone}`)) {
					const page = pages.lru.container_of(at);
					if (!PageBuddy(page) || pages.private[page] !== order)
						fail('free', `page ${page} is on a list of order ` +
							`${order}, but is no free block of it`);
					take(page, order);
					blocks++;
				}
			}
			equal('free', () => `nr_free of order ${order} of ${zone_name(zone)}`,
				zones.nr_free[zone * MAX_ORDER + order]!, blocks);
			freePages += blocks << order;
		}
		for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
			let count = 0;
			for (let mt = 0; mt < MIGRATE_PCPTYPES; mt++) {
				const head = zones.pcp_list(zone, cpu * MIGRATE_PCPTYPES + mt);
				for (const at of entries('free', head,
					`pcp list ${mt} of zone ${zone}`)) {
					take(pages.lru.container_of(at), 0);
					count++;
				}
			}
			equal('free', `pcp count of CPU ${cpu} of zone ${zone}`,
				zones.pcp_count[zone * NR_CPUS + cpu]!, count);
		}
		equal('free', `nr_free_pages of zone ${zone}`, zoneState(zone, NR_FREE_PAGES),
			freePages);
	}
}

/* ---- What the numbers say --------------------------------------------------------------- */

/* A counter with what the CPUs have not folded into it. */
function zoneState(zone: zone, item: number): number {
	let sum = zones.vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + item]!;

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		sum += zones.vm_stat_diff[
			zone * NR_CPUS * NR_VM_ZONE_STAT_ITEMS + cpu * NR_VM_ZONE_STAT_ITEMS +
				item]!;
	return sum;
}

function nodeState(nid: number, item: number): number {
	const pgdat = NODE_DATA(nid);
	let sum = pgdats.vm_stat[pgdat * NR_VM_NODE_STAT_ITEMS + item]!;

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		sum += pgdats.vm_node_stat_diff[
			pgdat * NR_CPUS * NR_VM_NODE_STAT_ITEMS + cpu * NR_VM_NODE_STAT_ITEMS +
				item]!;
	return sum;
}

/* locks: nothing is held or under way between statements */
function checkAtRest(): void {
	const zero = (what: string, n: number): void => {
		if (n !== 0)
			fail('locks', `${what}: ${n}`);
	};

	zero('statements in the middle', statementDepth());
	zero('list heads on the stack', list_heads_entered());
	zero('pagevecs on the stack', global('stack_pagevecs.depth'));
	zero('struct mmu_gather in use',
		nr_live({ table: allTables().find(({ name }) => name === 'mmu_gather')! }));
	for (const mm of live(mms)) {
		zero(`mmap_lock of mm ${mm}`, mms.mmap_lock[mm]);
		zero(`tlb_flush_pending of mm ${mm}`, mms.tlb_flush_pending[mm]);
	}
	for (const mapping of live(address_spaces))
		zero(`i_mmap_rwsem of mapping ${mapping}`, address_spaces.i_mmap_rwsem[mapping]);
	for (const anon_vma of live(anon_vmas))
		zero(`rwsem of anon_vma ${anon_vma}`, anon_vmas.rwsem[anon_vma]);
	for (const task of live(tasks)) {
		zero(`reclaim_state of task ${task}`, tasks.reclaim_state[task]);
		zero(`put-off TLB flush of task ${task}`, tlb_ubcs.flush_required[task]!);
		if (!(tasks.flags[task] & PF_KSWAPD))
			zero(`PF_MEMALLOC of task ${task}`, tasks.flags[task] & PF_MEMALLOC);
	}
	if (cpu_curr(smp_processor_id()) !== current())
		fail('locks',
			`task ${current()} is the running one but CPU ${smp_processor_id()} ` +
			`runs ${cpu_curr(smp_processor_id())}`);
}

/* @returns pages that nobody known has */
function checkSpan(
	{ free, refs, mapped, tables }: Census, [start, end]: readonly [number, number],
): number {
	const io = blk_pending() > 0;
	const busy = 1 << PG_locked | 1 << PG_writeback;
	let owned = 0;

	for (let pfn = start; pfn < end; pfn++) {
		const page = pfn as page, flags = page_flags[page], count = _refcount[page];
		if (free[pfn]) {
			if (count || refs[pfn])
				fail('refcount', `page ${pfn} is free with ${count} references, ` +
					`${refs[pfn]} found`);
			if (flags & LRU || page_memcg[page])
				fail('free', `page ${pfn} is free, but on the LRU or charged`);
			continue;
		}
		if (flags & RESERVED)
			continue;
		if (_mapcount[page] + 1 !== mapped[pfn]) {
			if (isTable(page) && !tables[pfn])
				fail('pgtables',
					`page ${pfn} is PageTable, but no table leads to it`);
			if (!isTyped(page))
				equal('mapcount', `_mapcount of page ${pfn}, plus 1,`,
					_mapcount[page] + 1, mapped[pfn]!);
		}
		if (flags & busy && !io)
			fail('locks',
				`page ${pfn} is locked or under writeback, and no I/O is pending`);
		/* A page of a RAM disk, or on the list of a swap count that is continued. */
		if (count === 1 && !refs[pfn] && !page_mapping[page] && !flags) {
			owned += list_next[pages.lru(page)] ? 0 : 1;
			continue;
		}
		if (count !== refs[pfn])
			equal('refcount', `_refcount of page ${pfn}`, count, refs[pfn]!);
	}
	return owned;
}

/* Whether no page of a free block is in use in any way. */
function isIdle(refs: Int32Array, [start, end]: readonly [number, number]): boolean {
	let used = 0;

	for (let pfn = start; pfn < end; pfn++)
		used |= refs[pfn]! | _refcount[pfn as page] | page_memcg[pfn as page] |
			page_flags[pfn as page] & LRU;
	return used === 0;
}

/* refcount, mapcount, and what a page is: each page of RAM */
function checkPages(census: Census): void {
	let owned = 0;

	for (const block of census.idle)
		if (!isIdle(census.refs, block))
			checkSpan(census, block);
	for (const span of census.spans)
		owned += checkSpan(census, span);
	let disks = 0;
	for (const bdev of live(bdevs))
		disks += blkdev_ram_pages(bdev);
	if (owned !== disks)
		fail('refcount',
			`${owned} pages are in use by nobody known, RAM disks have ${disks}`);
}

const LRU_ITEMS = Array.from({ length: NR_LRU_LISTS }, (_, lru) => lru);

/* lru: the lists, their sizes, and who is on them */
function checkLru({ spans }: Census): void {
	const seen = new Uint8Array(max_pfn.v);

	for (const pn of live(mem_cgroup_per_nodes)) {
		const lruvec = pn as number as lruvec, memcg = mem_cgroup_per_nodes.memcg[pn];
		for (const lru of LRU_ITEMS) {
			const sizes = new Int32Array(MAX_NR_ZONES);
			const name = `${lru_names[lru]} of memcg ${memcg}`;
			for (const at of entries('lru', lruvecs.lists(lruvec, lru), name)) {
				const page = pages.lru.container_of(at);
				if (seen[page]++)
					fail('lru',
						`page ${page} is on ${name}, and on a list before`);
				if (!PageLRU(page) || page_lru(page) !== lru)
					fail('lru',
						`page ${page} is on ${name}, which its flags deny`);
				if ((pages.mem_cgroup[page] || ROOT_MEM_CGROUP) !== memcg)
					fail('lru', `page ${page} is on ${name}, ` +
						`but charged to memcg ${pages.mem_cgroup[page]}`);
				sizes[pages.zone_node[page] & 15]!++;
			}
			for (let zid = 0; zid < MAX_NR_ZONES; zid++)
				equal('lru', `lru_zone_size of ${name} in zone ${zid}`,
					mem_cgroup_per_nodes.lru_zone_size[
						pn * MAX_NR_ZONES * NR_LRU_LISTS +
							zid * NR_LRU_LISTS + lru]!,
					sizes[zid]!);
		}
	}
	for (const [start, end] of spans)
		for (let pfn = start; pfn < end; pfn++)
			if (page_flags[pfn as page] & LRU && !seen[pfn])
				fail('lru', `page ${pfn} is PageLRU, but on no list`);
}

/* The states of its node and memcg that a page can count for. */
const PAGE_STATES = [...LRU_ITEMS.map((lru) => NR_LRU_BASE + lru), NR_ANON_MAPPED, NR_FILE_MAPPED,
	NR_FILE_DIRTY, NR_WRITEBACK, NR_SHMEM, NR_FILE_PAGES];

/* Those that it does count for; the swap cache's pages are no file's. */
function statesOf(page: page, states: number[]): void {
	const flags = page_flags[page];
	const isAnon = (page_mapping[page] & PAGE_MAPPING_ANON) !== 0;
	const isFile = !isAnon && page_mapping[page] !== 0;

	states.length = 0;
	if (flags & LRU)
		states.push(NR_LRU_BASE + lruOf(page));
	if (_mapcount[page] >= 0)
		states.push(isAnon ? NR_ANON_MAPPED : NR_FILE_MAPPED);
	if (flags & 1 << PG_writeback)
		states.push(NR_WRITEBACK);
	if (!isFile)
		return;
	states.push(NR_FILE_PAGES);
	if (flags & 1 << PG_swapbacked)
		states.push(NR_SHMEM);
	else if (flags & 1 << PG_dirty)
		states.push(NR_FILE_DIRTY);
}

/* vmstat: counters of zones and nodes; memcg: those of memory cgroups */
function checkCounters(census: Census): void {
	const nodes = nr_online_nodes.v, items = NR_VM_NODE_STAT_ITEMS;
	const ofNode = new Float64Array(nodes * items);
	const ofZone = new Float64Array((nodes * MAX_NR_ZONES + 1) * NR_VM_ZONE_STAT_ITEMS);
	/* [memcg * nodes + nid][item], without descendants */
	const ofMemcg = new Float64Array(nr_rows(memcgs) * nodes * items);
	const charged = new Float64Array(nr_rows(memcgs));

	const { free, spans } = census, states: number[] = [];
	const count = (page: page): void => {
		if (free[page] || (!page_mapping[page] && !page_memcg[page] &&
		    _mapcount[page] === -1 && !(page_flags[page] & LRU)))
			return;
		const nid = zone_node[page] >>> 4, zid = zone_node[page] & 15;
		const zone = (1 + nid * MAX_NR_ZONES + zid) * NR_VM_ZONE_STAT_ITEMS;
		const memcg = page_memcg[page];
		charged[memcg]!++;
		statesOf(page, states);
		for (let i = 0; i < states.length; i++) {
			const item = states[i]!;
			ofNode[nid * items + item]!++;
			if (memcg)
				ofMemcg[(memcg * nodes + nid) * items + item]!++;
			if (item < NR_LRU_LISTS)
				ofZone[zone + NR_ZONE_LRU_BASE + item]!++;
			if (item === NR_FILE_DIRTY || item === NR_WRITEBACK)
				ofZone[zone + NR_ZONE_WRITE_PENDING]!++;
		}
		/* The node's count of file pages has the swap cache with it, a memcg's has not. */
		if (isSwapCache(page))
			ofNode[nid * items + NR_FILE_PAGES]!++;
		ofZone[zone + NR_MLOCK]! += page_flags[page] & 1 << PG_mlocked ? 1 : 0;
		ofZone[zone + NR_PAGETABLE]! += _mapcount[page] < -1 && isTable(page) ? 1 : 0;
	};
	for (const [start, end] of spans)
		for (let pfn = start; pfn < end; pfn++)
			count(pfn as page);
	checkVmstat(census, ofNode, ofZone);
	checkMemcgs(ofMemcg, charged);
}

function checkVmstat(census: Census, ofNode: Float64Array, ofZone: Float64Array): void {
	const nodes = nr_online_nodes.v, items = NR_VM_NODE_STAT_ITEMS;
	let shadowNodes = 0;

	for (let nid = 0; nid < nodes; nid++) {
		for (const item of PAGE_STATES)
			equal('vmstat', () => `${node_stat_name(item)} of node ${nid}`,
				nodeState(nid, item), ofNode[nid * items + item]!);
		for (const item of [NR_ISOLATED_ANON, NR_ISOLATED_FILE])
			equal('vmstat', () => `${node_stat_name(item)} of node ${nid}`,
				nodeState(nid, item), 0);
		shadowNodes += nodeState(nid, WORKINGSET_NODES);
	}
	equal('vmstat', 'workingset_nodes of all nodes', shadowNodes, census.shadowNodes);
	const zoneItems = [NR_MLOCK, NR_PAGETABLE, NR_ZONE_WRITE_PENDING,
		...LRU_ITEMS.map((lru) => NR_ZONE_LRU_BASE + lru)];
	for (let zone = first_zone(); zone; zone = next_zone(zone))
		for (const item of zoneItems)
			equal('vmstat', () => `${zone_stat_name(item)} of zone ${zone}`,
				zoneState(zone, item),
				ofZone[zone * NR_VM_ZONE_STAT_ITEMS + item]!);
	/* The machine's counters are the sums of the folded ones. */
	const ofAll = globalArray('vm_zone_stat'), ofAllNodes = globalArray('vm_node_stat');
	for (let item = 0; item < NR_VM_ZONE_STAT_ITEMS; item++) {
		let sum = 0;
		for (let zone = 1; zone <= nodes * MAX_NR_ZONES; zone++)
			sum += zones.vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + item]!;
		equal('vmstat', () => `${zone_stat_name(item)} of the machine`, ofAll[item]!, sum);
	}
	for (let item = 0; item < items; item++) {
		let sum = 0;
		for (let nid = 0; nid < nodes; nid++)
			sum += pgdats.vm_stat[NODE_DATA(nid) * items + item]!;
		equal('vmstat', () => `${node_stat_name(item)} of the machine`, ofAllNodes[item]!,
			sum);
	}
}

function isBelow(memcg: mem_cgroup, top: mem_cgroup): boolean {
	for (; memcg; memcg = memcgs.parent[memcg])
		if (memcg === top)
			return true;
	return false;
}

function checkMemcgs(ofMemcg: Float64Array, charged: Float64Array): void {
	const nodes = nr_online_nodes.v, items = NR_VM_NODE_STAT_ITEMS;
	const all = [...live(memcgs)];
	const stocks = new Float64Array(nr_rows(memcgs));
	const swapped = new Float64Array(nr_rows(memcgs));

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		const stock = cpu + 1 as memcg_stock_pcp;
		if (memcg_stocks.cached[stock])
			stocks[memcg_stocks.cached[stock]]! += memcg_stocks.nr_pages[stock];
	}
	for (const slot of usedSlots()) {
		const id = swap_cgroup_ids[slot]!;
		if (id && !mem_cgroup_from_id(id))
			fail('memcg',
				`swap slot ${slot} is charged to memcg ID ${id}, which nobody has`);
		if (id)
			swapped[mem_cgroup_from_id(id)]!++;
	}
	for (const memcg of all) {
		const below = all.filter((other) => isBelow(other, memcg));
		let usage = 0, swap = 0, pendingSwap = 0, allSwapped = 0;
		for (const one of below) {
			/* What is charged to the root itself is not counted. */
			if (one !== ROOT_MEM_CGROUP) {
				usage += charged[one]! + stocks[one]!;
				swap += swapped[one]!;
			}
			allSwapped += swapped[one]!;
			for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
				pendingSwap += memcgs.vmstats_percpu_stat[
					one * NR_CPUS * MEMCG_NR_STAT + cpu * MEMCG_NR_STAT +
						MEMCG_SWAP]!;
		}
		/* mem_cgroup_migrate() charges the root too, which nobody takes off again */
		const kept = page_counters.usage[memcgs.memory[memcg]];
		if (memcg !== ROOT_MEM_CGROUP || kept < usage)
			equal('memcg', `memory.current of memcg ${memcg}, in pages`, kept, usage);
		equal('memcg', `memory.swap.current of memcg ${memcg}, in pages`,
			page_counters.usage[memcgs.swap[memcg]], swap);
		equal('memcg', `MEMCG_SWAP of memcg ${memcg}`,
			memcgs.vmstats[memcg * MEMCG_NR_STAT + MEMCG_SWAP]! + pendingSwap,
			allSwapped);
		for (const item of PAGE_STATES)
			checkMemcgItem(memcg, below, item, ofMemcg, nodes, items);
	}
}

/* A counter of a memcg: its own, flushed, and what the CPUs have for it and those below. */
function checkMemcgItem(
	memcg: mem_cgroup, below: readonly mem_cgroup[], item: number, ofMemcg: Float64Array,
	nodes: number, items: number,
): void {
	const what = (): string => `${node_stat_name(item)} of memcg ${memcg}`;
	let kept = memcgs.vmstats[memcg * MEMCG_NR_STAT + item]!, counted = 0;

	for (let nid = 0; nid < nodes; nid++) {
		const pnOf = (one: mem_cgroup): mem_cgroup_per_node =>
			memcgs.nodeinfo[one * MAX_NUMNODES + nid]! as mem_cgroup_per_node;
		let onNode = mem_cgroup_per_nodes.lruvec_stat[pnOf(memcg) * items + item]!;
		let countedOnNode = 0;
		for (const one of below) {
			countedOnNode += ofMemcg[(one * nodes + nid) * items + item]!;
			for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
				onNode += mem_cgroup_per_nodes.lruvec_stat_cpu[
					pnOf(one) * NR_CPUS * items + cpu * items + item]!;
		}
		/*
		 * A page of the swap cache is not counted here, but when it migrates it is taken
		 * off the one node and added to the other: migrate_page_move_mapping().
		 */
		if (item !== NR_FILE_PAGES || nodes === 1)
			equal('memcg', () => `${what()} on node ${nid}`, onNode, countedOnNode);
		counted += countedOnNode;
	}
	for (const one of below)
		for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
			kept += memcgs.vmstats_percpu_stat[
				one * NR_CPUS * MEMCG_NR_STAT + cpu * MEMCG_NR_STAT + item]!;
	equal('memcg', what, kept, counted);
}

/* Slots of all devices, by their place in swap_map. */
function* usedSlots(): Generator<number> {
	for (let type = 0; type < nr_swapfiles.v; type++) {
		const si = swap_info(type);
		const first = swap_infos.slot_base[si], end = first + swap_infos.max[si];
		for (let slot = first + 1; slot < end; slot++)
			if (map[slot])
				yield slot;
	}
}

/* swap: the counts of the slots against page tables, shmem files and cached pages */
function checkSwap(census: Census): void {
	/* Slots that a CPU has taken in advance, or not yet given back, look cached. */
	const inReserve = new Set<number>();
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		const at = (cpu + 1) * SWAP_SLOTS_CACHE_SIZE;
		const taken = swp_slots.cur[cpu + 1 as never];
		for (let i = taken; i < taken + swp_slots.nr[cpu + 1 as never]; i++)
			inReserve.add(swap_slot(swp_slots.slots[at + i]!));
		for (let i = 0; i < swp_slots.n_ret[cpu + 1 as never]; i++)
			inReserve.add(swap_slot(swp_slots.slots_ret[at + i]!));
	}
	let free = 0, total = 0;

	for (let type = 0; type < nr_swapfiles.v; type++) {
		const si = swap_info(type), base = swap_infos.slot_base[si];
		if (!(swap_infos.flags[si] & SWP_USED))
			continue;
		const max = swap_infos.max[si], { swapRefs, swapShmem, swapCached } = census;
		const known = swapRefs.size + swapShmem.size + swapCached.size + inReserve.size;
		let inuse = 0;
		for (let offset = 1; offset < max; offset++) {
			const slot = base + offset, count = map[slot]!;
			if (count === BAD || (count === 0 && (known === 0 || !(swapRefs.has(slot) ||
			    swapShmem.has(slot) || swapCached.has(slot) || inReserve.has(slot)))))
				continue;
			inuse += count ? 1 : 0;
			checkSlot(census, slot, count, swp_entry(type, offset),
				inReserve.has(slot));
		}
		equal('swap', `inuse_pages of swap device ${type}`, swap_infos.inuse_pages[si],
			inuse);
		if (!(swap_infos.flags[si] & SWP_WRITEOK))
			continue;
		total += swap_infos.pages[si];
		free += swap_infos.pages[si] - inuse;
	}
	equal('swap', 'total_swap_pages', total_swap_pages.v, total);
	equal('swap', 'nr_swap_pages', nr_swap_pages.v, free);
}

function checkSlot(
	census: Census, slot: number, count: number, entry: number, inReserve: boolean,
): void {
	const refs = census.swapRefs.get(slot) ?? 0;
	const shmem = census.swapShmem.has(slot), cached = census.swapCached.has(slot);
	const kept = (count & ~SWAP_HAS_CACHE) === (SWAP_MAP_SHMEM & ~SWAP_HAS_CACHE)
		? SWAP_MAP_SHMEM
		: count & COUNT_CONTINUED ? swp_swapcount(entry) : count & ~SWAP_HAS_CACHE;

	equal('swap', () => `count of slot ${slot}`, kept, shmem ? SWAP_MAP_SHMEM : refs);
	if (((count & SWAP_HAS_CACHE) !== 0) !== (cached || inReserve))
		fail('swap', `slot ${slot} has count 0x${count.toString(16)}, ` +
			`a page is cached: ${cached}, in a CPU's reserve: ${inReserve}`);
}

/*
 * tlb: a cached translation is the one in the page tables, but for an accessed bit that was
 * cleared since, unless a flush of its address space is still to come.
 */
function checkTlb(): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		const mmOf = new Map<number, mm_struct>();
		for (let asid = 0; asid < TLB_NR_DYN_ASIDS; asid++) {
			const at = cpu * TLB_NR_DYN_ASIDS + asid;
			for (const mm of live(mms))
				if (mm_contexts.ctx_id[mm] === cpu_tlbstate.ctxs_ctx_id[at] &&
				    mm_contexts.tlb_gen[mm] === cpu_tlbstate.ctxs_tlb_gen[at])
					mmOf.set(mmu_pcid.v ? asid + 1 : 0, mm);
		}
		for (const entry of tlb_entries(cpu)) {
			const mm = mmOf.get(entry.pcid);
			if (!mm || (!mmu_pcid.v && cpu_tlbstate.loaded_mm[cpu] !== mm))
				continue;
			const where = `CPU ${cpu} has page ${entry.pfn} cached at ` +
				`0x${entry.address.toString(16)} of mm ${mm}`;
			const ptep = follow_pte(mm, entry.address);
			const pte = ptep ? ram[ptep]! : 0;
			if (!pte_present(pte) || pte >>> WORD_BITS !== entry.pfn)
				fail('tlb', `${where}, the table has ${pte_present(pte)
					? `page ${pte >>> WORD_BITS}` : 'none'}`);
			/* A kernel without it leaves them when soft-dirty bits are cleared. */
			if (entry.writable && !pte_write(pte) &&
			    applied(MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY
				/* 912efa17e512, v5.12 */))
				fail('tlb', `${where} as writable, the table has it read-only`);
			if (entry.dirty && !pte_dirty(pte))
				fail('tlb', `${where} as dirty, the table has it clean`);
		}
	}
}

/* tasks: who is in which cgroup, and who uses which mm */
function checkTasks(): void {
	const users = new Map<number, number>();

	for (const task of live(tasks))
		if (tasks.mm[task])
			users.set(tasks.mm[task], (users.get(tasks.mm[task]) ?? 0) + 1);
	for (const mm of live(mms))
		equal('tasks', `mm_users of mm ${mm}`, mms.mm_users[mm], users.get(mm) ?? 0);
	for (const cgrp of live(cgroups)) {
		let count = 0;
		for (const at of entries('tasks', cgroups.tasks(cgrp), `tasks of cgroup ${cgrp}`)) {
			const task: task_struct = tasks.cg_list.container_of(at);
			if (tasks.cgroup[task] !== (cgrp as cgroup))
				fail('tasks', `task ${task} is listed in cgroup ${cgrp}, ` +
					`but says ${tasks.cgroup[task]}`);
			if (tasks.state[task] === EXIT_ZOMBIE)
				fail('tasks', `task ${task} is dead but in cgroup ${cgrp}`);
			count++;
		}
		equal('tasks', `nr_tasks of cgroup ${cgrp}`, cgroups.nr_tasks[cgrp], count);
	}
}

/*
 * mm: what an mm counts of its areas, and who holds it. A migrating mremap(MREMAP_DONTUNMAP) leaves
 * locked_vm higher than it is.
 */
function checkMms(): void {
	const holders = new Map<mm_struct, number>();
	const hold = (mm: mm_struct): void => {
		if (mm)
			holders.set(mm, (holders.get(mm) ?? 0) + 1);
	};

	for (const task of live(tasks)) {
		/* lazily, by one that has none of its own; and by a victim until it is gone */
		if (!tasks.mm[task])
			hold(tasks.active_mm[task]);
		hold(tasks.oom_mm[task]);
	}
	for (const notifier of live(mmu_notifiers))
		hold(mmu_notifiers.mm[notifier]);
	for (const notifier of live(mmu_interval_notifiers))
		hold(mmu_interval_notifiers.mm[notifier]);
	kvmHolds(hold);
	for (const mm of live(mms)) {
		equal('mm', `mm_count of mm ${mm}`, mms.mm_count[mm],
			(holders.get(mm) ?? 0) + (mms.mm_users[mm] ? 1 : 0));
		if (!mms.mm_users[mm])
			continue;
		let total = 0, data = 0, exec = 0, stack = 0, locked = 0;
		for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma]) {
			const nr = (vmas.vm_end[vma] - vmas.vm_start[vma]) / PAGE_SIZE;
			const flags = vmas.vm_flags[vma];
			total += nr;
			exec += is_exec_mapping(flags) ? nr : 0;
			stack += !is_exec_mapping(flags) && is_stack_mapping(flags) ? nr : 0;
			data += !is_exec_mapping(flags) && !is_stack_mapping(flags) &&
				is_data_mapping(flags) ? nr : 0;
			locked += flags & VM_LOCKED ? nr : 0;
		}
		equal('mm', `total_vm of mm ${mm}`, mms.total_vm[mm], total);
		equal('mm', `data_vm of mm ${mm}`, mms.data_vm[mm], data);
		equal('mm', `exec_vm of mm ${mm}`, mms.exec_vm[mm], exec);
		equal('mm', `stack_vm of mm ${mm}`, mms.stack_vm[mm], stack);
		if (mms.locked_vm[mm] < locked)
			equal('mm', `locked_vm of mm ${mm}`, mms.locked_vm[mm], locked);
	}
}

/* anon_vma: references, children and areas of each */
function checkAnonVmas(): void {
	const refs = new Map<anon_vma, number>();
	const children = new Map<anon_vma, number>();
	const areas = new Map<anon_vma, number>();
	const count = (map: Map<anon_vma, number>, of: anon_vma): void => {
		map.set(of, (map.get(of) ?? 0) + 1);
	};

	for (const one of live(anon_vmas)) {
		/* that of its tree, and one of the root for each other that uses its lock */
		if (anon_vmas.rb_root[one])
			count(refs, one);
		if (anon_vmas.root[one] !== one)
			count(refs, anon_vmas.root[one]);
		/* a root is its own child */
		if (anon_vmas.rb_root[one])
			count(children, anon_vmas.parent[one]);
	}
	/* one that nobody uses has lost its areas, but not the pointer to them */
	for (const mm of live(mms))
		for (let vma = mms.mm_users[mm] ? mms.mmap[mm] : 0 as vm_area_struct; vma;
			vma = vmas.vm_next[vma])
			if (vmas.anon_vma[vma])
				count(areas, vmas.anon_vma[vma]);
	for (const one of live(anon_vmas)) {
		const own = children.get(one) ?? 0, active = areas.get(one) ?? 0;
		equal('anon_vma', `refcount of anon_vma ${one}`, anon_vmas.refcount[one],
			refs.get(one) ?? 0);
		equal('anon_vma', `num_children of anon_vma ${one}`, anon_vmas.num_children[one],
			own);
		equal('anon_vma', `num_active_vmas of anon_vma ${one}`,
			anon_vmas.num_active_vmas[one], active);
		equal('anon_vma', `degree of anon_vma ${one}`, anon_vmas.degree[one], own + active);
	}
}

/**
 * Hold the machine against itself; between two statements only.
 * @throws InvariantError with the first invariant that does not hold, and of what
 */
export function checkInvariants(): void {
	checkAtRest();
	try {
		const census = new Census();
		checkPages(census);
		checkLru(census);
		checkSwap(census);
		checkCounters(census);
		checkTlb();
		checkTasks();
		checkMms();
		checkAnonVmas();
		checkKvm(fail);
	} catch (error) {
		/* An assertion of a port met on the way is an answer too. */
		if (error instanceof KernelBug)
			fail('assertion', error.message);
		throw error;
	}
}
