// SPDX-License-Identifier: GPL-2.0-only
/* Each invariant is broken on purpose, in the ways that a defect would, and must be reported. */
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ram } from '../../src/arch/ram.ts';
import { mm_contexts } from '../../src/arch/tlb.ts';
import { restore } from '../../src/lib/snapshot.ts';
import { list_heads } from '../../src/lib/struct.ts';
import { xa_nodes, xa_node_of } from '../../src/lib/xarray.ts';
import { current } from '../../src/mm/current.ts';
import { cgroups, mem_cgroup_per_nodes, memcg_stocks, memcgs, page_counters, swap_cgroup_ids,
	type memcg_stock_pcp } from '../../src/mm/memcontrol_types.ts';
import { follow_pte } from '../../src/mm/memory.ts';
import { address_spaces, anon_vmas, mms, pages, tasks, vmas, type anon_vma, type mem_cgroup,
	type mm_struct, type page } from '../../src/mm/mm_types.ts';
import { find_vma } from '../../src/mm/mmap.ts';
import { LRU_INACTIVE_ANON, MAX_NR_ZONES, NODE_DATA, NR_ANON_MAPPED, NR_CPUS, NR_FREE_PAGES,
	NR_LRU_LISTS, NR_VM_NODE_STAT_ITEMS, NR_VM_ZONE_STAT_ITEMS, lruvecs, pgdats, zones,
	type lruvec, type zone } from '../../src/mm/mmzone.ts';
import { PageBuddy, PG_active, PG_locked, PG_lru, anon_vma_pointer, mapping_pointer }
	from '../../src/mm/page_flags.ts';
import { nr_swap_pages, swap_infos, swap_map, swap_slot, type swap_info_struct }
	from '../../src/mm/swap_types.ts';
import { pte_to_swp_entry } from '../../src/arch/swap.ts';
import { list_head_enter } from '../../src/lib/stack.ts';
import { InvariantError, checkInvariants } from '../../src/sim/invariants.ts';
import { boot, subrange, type Machine, type Range, type Task } from '../../src/sim/machine.ts';
import { swap_active_head } from '../../src/mm/swap_types.ts';

let machine: Machine, image: Uint8Array;
let a: Task, anon: Range, shared: Range, swapped: Range;

/* A machine with something of everything: cgroups, a fork, shmem, swap, locked pages. */
beforeAll(() => {
	machine = boot({ ram: 64 << 20, swap: 16 << 20, cpus: 2, kernel: 'v5.10.223' });
	machine.cgroup('A');
	machine.cgroup('A/B');
	const memfd = machine.memfd('f', 80);
	a = machine.task('a', { cgroup: 'A/B' });
	anon = a.mmap({ pages: 80, prot: 'rw', shared: false });
	shared = a.mmap({ memfd, pages: 80, prot: 'rw', shared: true });
	swapped = a.mmap({ pages: 40, prot: 'rw', shared: false });
	a.write(swapped);
	machine.drain();
	a.clearRefs();
	machine.reclaim('A/B', 40);
	a.write(anon);
	a.write(shared);
	a.mlock(subrange(anon, 0, 3));
	a.fork('b');
	a.read(subrange(anon, 10, 20));
	machine.drain();
	a.read(subrange(anon, 30, 40));
	checkInvariants();
	if (machine.show(swapped).swapped <= 8)
		throw new Error('too little is swapped');
	image = machine.snapshot();
});
beforeEach(() => restore(image));

const mmOf = (task: Task): mm_struct => tasks.mm[task.row];
const anonVmaOf = (range: Range): anon_vma =>
	vmas.anon_vma[find_vma(mmOf(a), range.start)];
const ptep = (range: Range): number => follow_pte(tasks.mm[a.row], range.start);
const pageOf = (range: Range): page => machine.pfn(range) as page;
const memcgOf = (): mem_cgroup => tasks.memcg[a.row];
const lruvecOf = (): lruvec => memcgs.nodeinfo[memcgOf() * 8]! as lruvec;
/* Slot in swap_map of the first swapped page. */
function slot(): number {
	for (let i = 0; i < swapped.pages; i++) {
		const range = subrange(swapped, i);
		if (!machine.show(range).swapped)
			continue;
		const table = follow_pte(mmOf(a), range.start) || entryAt(range.start);
		return swap_slot(pte_to_swp_entry(ram[table]!, ram[table + 1]!));
	}
	throw new Error('nothing is swapped');
}
/* The entry of an address that is not present: the neighbour of one that is. */
function entryAt(address: number): number {
	const near = anon.start - (anon.start % 0x200000) === address - (address % 0x200000)
		? anon.start : shared.start;
	return follow_pte(mmOf(a), near) + (address - near) / 4096 * 2;
}

/* How it is broken, and the invariant that must say so. */
const BREAKS: readonly (readonly [invariant: string, how: string, it: () => void])[] = [
	['lru', 'a page claims another list', () => {
		pages.flags[pageOf(shared)] ^= 1 << PG_active;
	}],
	['lru', 'a page on a list is not PageLRU', () => {
		pages.flags[pageOf(shared)] &= ~(1 << PG_lru);
	}],
	['lru', 'a page is PageLRU but on no list', () => {
		const node = pages.lru(pageOf(shared)), { next, prev } = list_heads;
		next[prev[node]] = next[node];
		prev[next[node]] = prev[node];
	}],
	['lru', 'a link is broken', () => {
		list_heads.prev[pages.lru(pageOf(shared))] = 0 as never;
	}],
	['lru', 'a size is off by one', () => {
		for (let zid = 0; zid < MAX_NR_ZONES; zid++)
			mem_cgroup_per_nodes.lru_zone_size[
				lruvecOf() * MAX_NR_ZONES * NR_LRU_LISTS + zid * NR_LRU_LISTS +
				LRU_INACTIVE_ANON]!++;
	}],
	['lru', 'a page is on the list of another cgroup', () => {
		pages.mem_cgroup[pageOf(shared)] = memcgs.parent[memcgOf()];
	}],
	['lru', 'a list leads nowhere', () => {
		list_heads.next[lruvecs.lists(lruvecOf(), 1)] = 0 as never;
	}],
	['mapcount', 'a mapping is not counted', () => { pages._mapcount[pageOf(anon)]--; }],
	['mapcount', 'a mapping is counted twice', () => { pages._mapcount[pageOf(shared)]++; }],
	['refcount', 'a reference is leaked', () => { pages._refcount[pageOf(shared)]++; }],
	['refcount', 'a reference is lost', () => { pages._refcount[pageOf(anon)]--; }],
	['refcount', 'a page is leaked', () => {
		let page = 300 as page;
		while (!PageBuddy(page))
			page = page + 1 as page;
		const node = pages.lru(page), order = pages.private[page];
		const { next, prev } = list_heads;
		/* Taken from its list as whole blocks are, and nobody has it. */
		next[prev[node]] = next[node];
		prev[next[node]] = prev[node];
		const zone = 1 + (pages.zone_node[page] & 15) as zone;
		zones.nr_free[zone * 11 + order]!--;
		zones.vm_stat[zone * NR_VM_ZONE_STAT_ITEMS + NR_FREE_PAGES]! -= 1 << order;
		for (let pfn = page as number; pfn < page + (1 << order); pfn++) {
			pages._mapcount[pfn as page] = -1;
			pages._refcount[pfn as page] = 1;
			pages.private[pfn as page] = 0;
			list_heads.next[pages.lru(pfn as page)] = 0 as never;
		}
	}],
	['rmap', 'an anon_vma does not lead to the area', () => {
		const anon_vma = anon_vma_pointer(pageOf(anon));
		anon_vmas.rb_root[anon_vma] = 0;
	}],
	['rmap', 'i_mmap does not lead to the area', () => {
		address_spaces.i_mmap[mapping_pointer(pageOf(shared))] = 0;
	}],
	['rmap', 'a page has another index', () => { pages.index[pageOf(anon)]++; }],
	['rmap', 'an entry is left where nothing is mapped', () => {
		const lowest = Math.min(anon.start, shared.start, swapped.start);
		ram[entryAt(lowest - 4096)] = ram[ptep(anon)]!;
	}],
	['rmap', 'an entry leads to another page', () => { ram[ptep(anon)]! += 0x1000; }],
	['rmap', 'an entry leads beyond RAM', () => { ram[ptep(anon)]! |= 0x7ff00000; }],
	['vma', 'two areas overlap', () => {
		vmas.vm_end[find_vma(mmOf(a), anon.start)] += 4096 * 500;
	}],
	['vma', 'map_count is off', () => { mms.map_count[mmOf(a)]++; }],
	['mm', 'mm_count is off', () => { mms.mm_count[mmOf(a)]++; }],
	['mm', 'total_vm is off', () => { mms.total_vm[mmOf(a)]++; }],
	['mm', 'data_vm is off', () => { mms.data_vm[mmOf(a)]--; }],
	['mm', 'exec_vm is off', () => { mms.exec_vm[mmOf(a)]++; }],
	['mm', 'stack_vm is off', () => { mms.stack_vm[mmOf(a)]++; }],
	['mm', 'locked_vm is less than what is locked', () => { mms.locked_vm[mmOf(a)]--; }],
	['anon_vma', 'a reference is leaked', () => { anon_vmas.refcount[anonVmaOf(anon)]++; }],
	['anon_vma', 'a child is not counted', () => {
		anon_vmas.num_children[anonVmaOf(anon)]--;
	}],
	['anon_vma', 'an area is counted twice', () => {
		anon_vmas.num_active_vmas[anonVmaOf(anon)]++;
	}],
	['anon_vma', 'the degree is off', () => { anon_vmas.degree[anonVmaOf(anon)]++; }],
	/* page 10 was read after the fork: b has it too */
	['rights', 'a shared page is writable in one', () => {
		ram[entryAt(anon.start + 10 * 4096)]! |= 2;
	}],
	['rights', 'an entry is executable', () => { ram[ptep(anon) + 1]! &= 0x7fffffff; }],
	['rights', 'an entry is writable in a read-only area', () => {
		vmas.vm_flags[find_vma(mmOf(a), shared.start)] &= ~2;
	}],
	['rss', 'a counter is off', () => { mms.rss_stat[mmOf(a) * 4 + 1]!++; }],
	['rss', 'a swap entry is not counted', () => { mms.rss_stat[mmOf(a) * 4 + 2]!--; }],
	['pgtables', 'pgtables_bytes is off', () => { mms.pgtables_bytes[mmOf(a)] += 4096; }],
	['pgtables', 'a page is taken for a table', () => {
		pages._mapcount[pageOf(anon)] = 0xfffffbff | 0;
	}],
	['cache', 'nrpages is off', () => {
		address_spaces.nrpages[mapping_pointer(pageOf(shared))]++;
	}],
	['cache', 'a node counts wrong', () => {
		const mapping = mapping_pointer(pageOf(shared));
		xa_nodes.count[xa_node_of(mapping, 0)]++;
	}],
	['cache', 'a cached page says another index', () => {
		const page = pageOf(shared);
		a.munmap(subrange(shared, 0));
		pages.index[page]++;
	}],
	['free', 'a free block says another order', () => {
		let page = 300 as page;
		while (!PageBuddy(page))
			page = page + 1 as page;
		pages.private[page]++;
	}],
	['free', 'nr_free_pages is off', () => {
		zones.vm_stat[2 * NR_VM_ZONE_STAT_ITEMS + NR_FREE_PAGES]!--;
	}],
	['free', 'a count of blocks is off', () => { zones.nr_free[2 * 11 + 10]!++; }],
	['free', 'a CPU counts its free pages wrong', () => { zones.pcp_count[2 * NR_CPUS]!++; }],
	['vmstat', 'a counter of the node is off', () => {
		pgdats.vm_stat[NODE_DATA(0) * NR_VM_NODE_STAT_ITEMS + NR_ANON_MAPPED]!++;
	}],
	['vmstat', 'a CPU has too much pending', () => {
		pgdats.vm_node_stat_diff[
			NODE_DATA(0) * NR_CPUS * NR_VM_NODE_STAT_ITEMS + NR_ANON_MAPPED]!++;
	}],
	['vmstat', 'a counter of a zone is off', () => {
		zones.vm_stat[2 * NR_VM_ZONE_STAT_ITEMS + 2]!++;
	}],
	['memcg', 'memory.current is off', () => {
		page_counters.usage[memcgs.memory[memcgOf()]]++;
	}],
	['memcg', 'a CPU has lost its reserve', () => {
		for (const cpu of [1, 2])
			if (memcg_stocks.cached[cpu as memcg_stock_pcp])
				memcg_stocks.nr_pages[cpu as memcg_stock_pcp] += 3;
	}],
	['memcg', 'the parent has not what its child has', () => {
		page_counters.usage[memcgs.memory[memcgs.parent[memcgOf()]]]--;
	}],
	['memcg', 'memory.swap.current is off', () => {
		page_counters.usage[memcgs.swap[memcgOf()]]--;
	}],
	['memcg', 'a statistic is off', () => {
		memcgs.vmstats[memcgOf() * (NR_VM_NODE_STAT_ITEMS + 3) + NR_ANON_MAPPED]!--;
	}],
	['memcg', 'a swapped page is charged to nobody', () => { swap_cgroup_ids[slot()] = 4000; }],
	['swap', 'a slot counts too many', () => { swap_map[slot()]!++; }],
	['swap', 'a slot is free but used', () => { swap_map[slot()] = 0; }],
	['swap', 'a slot says that a page is cached', () => { swap_map[slot()]! ^= 0x40; }],
	['swap', 'inuse_pages is off', () => {
		const si: swap_info_struct =
			swap_infos.list.container_of(list_heads.next[swap_active_head]);
		swap_infos.inuse_pages[si]++;
	}],
	['swap', 'nr_swap_pages is off', () => { nr_swap_pages.v--; }],
	['tlb', 'a page was unmapped without a flush', () => {
		a.write(subrange(anon, 35, 36));
		const one = subrange(anon, 35), other = subrange(anon, 36);
		const table = ptep(one), next = ptep(other);
		pages.index[pageOf(one)]++;
		pages.index[pageOf(other)]--;
		[ram[table], ram[next]] = [ram[next]!, ram[table]!];
	}],
	['tlb', 'a page was write-protected without a flush', () => {
		a.write(subrange(anon, 35));
		ram[follow_pte(mmOf(a), subrange(anon, 35).start)]! &= ~2;
	}],
	['tlb', 'a page was cleaned without a flush', () => {
		a.write(subrange(anon, 35));
		ram[follow_pte(mmOf(a), subrange(anon, 35).start)]! &= ~0x40;
	}],
	['locks', 'a page is left locked', () => { pages.flags[pageOf(anon)] |= 1 << PG_locked; }],
	['locks', 'the mmap lock is left held', () => { mms.mmap_lock[mmOf(a)] = 1; }],
	['locks', 'a list head is left on the stack', () => { list_head_enter(); }],
	['locks', 'a task is left in reclaim', () => { tasks.reclaim_state[current()] = 1; }],
	['locks', 'an anon_vma is left locked', () => {
		anon_vmas.rwsem[anon_vma_pointer(pageOf(anon))] = 1;
	}],
	['tasks', 'a cgroup counts a task too many', () => {
		cgroups.nr_tasks[tasks.cgroup[a.row]]++;
	}],
	['tasks', 'an mm has a user too many', () => { mms.mm_users[mmOf(a)]++; }],
	['tasks', 'a task says that it is in another cgroup', () => {
		tasks.cgroup[a.row] = cgroups.parent[tasks.cgroup[a.row]];
	}],
];

describe('a broken machine is reported', () => {
	test.each(BREAKS)('%s: %s', (invariant, _how, breakIt) => {
		checkInvariants();
		breakIt();
		let found: unknown;
		try {
			checkInvariants();
		} catch (error) {
			found = error;
		}
		expect(found).toBeInstanceOf(InvariantError);
		const { message } = found as InvariantError;
		expect(message).toMatch(new RegExp(`^invariant ${invariant}: .*\\d`));
		expect((found as InvariantError).invariant).toBe(invariant);
	});

	test('a flush that is still to come is no defect', () => {
		a.write(subrange(anon, 35));
		ram[follow_pte(mmOf(a), subrange(anon, 35).start)]! &= ~2;
		mm_contexts.tlb_gen[mmOf(a)]!++;
		expect(() => checkInvariants()).not.toThrow();
	});
});
