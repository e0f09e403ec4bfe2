// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/migrate.c, v5.10
 * Left out: huge pages, hugetlb, KSM, device memory, movable pages that are no LRU page, buffer
 * heads, writing back what has no ->migratepage(), page owners, NUMA balancing, migrate_vma_*() for
 * devices, the trace event.
 * Lock order modelled: mmap_lock > page lock (old, then new) > what rmap.c takes
 */
import { BUG_ON, VM_BUG_ON_PAGE } from '../lib/bug.ts';
import { EACCES, EAGAIN, EBUSY, EFAULT, ENODEV, ENOENT, ENOMEM } from '../lib/errno.ts';
import { list_add_tail, list_del, list_empty } from '../lib/list.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { list_head_enter, list_head_leave } from '../lib/stack.ts';
import { list_heads, type list_head } from '../lib/struct.ts';
import { xa_load, xa_mk_pointer, xa_store } from '../lib/xarray.ts';
import { pte_hi, pte_mkold, pte_mksoft_dirty, mk_pte, set_pte_at, update_mmu_cache, NX_HI }
	from '../arch/pgtable.ts';
import { copy_frame, ram } from '../arch/ram.ts';
import { is_write_migration_entry, pte_swp_soft_dirty, pte_to_swp_entry } from '../arch/swap.ts';
import { has_migratepage } from './a_ops.ts';
import { buffer_locked, lock_buffer, page_buffers, page_has_buffers, try_to_free_buffers,
	unlock_buffer } from './buffer.ts';
import { current } from './current.ts';
import { end_page_writeback, mapping_set_update, xa_to_page } from './filemap.ts';
import { follow_page } from './gup.ts';
import { GFP_HIGHUSER_MOVABLE, __GFP_THISNODE, type gfp_t } from './gfp.ts';
import { mem_cgroup_lruvec, mem_cgroup_migrate, __mod_lruvec_state } from './memcontrol.ts';
import { FOLL_DUMP, FOLL_GET, get_page, maybe_mkwrite, mmap_read_lock, mmap_read_unlock, page_count,
	page_index, page_mapcount, page_mapped, page_mapping, page_pgdat, page_private,
	page_ref_add, page_ref_freeze, page_ref_unfreeze, page_to_nid, page_zone, put_page,
	set_page_private } from './mm.ts';
import { page_is_file_lru } from './mm_inline.ts';
import { mlock_vma_page } from './mlock.ts';
import { NULL, PAGE_MAPPING_FLAGS, pages, PF_MEMALLOC, PF_SWAPWRITE, tasks, VM_IO, VM_LOCKED,
	VM_PFNMAP, vmas, type address_space, type mm_struct, type page, type vm_area_struct }
	from './mm_types.ts';
import { find_vma } from './mmap.ts';
import { MAX_NUMNODES, NODE_DATA, NR_FILE_DIRTY, NR_FILE_PAGES, NR_ISOLATED_ANON, NR_SHMEM,
	NR_ZONE_WRITE_PENDING, nr_online_nodes, zones } from './mmzone.ts';
import { __alloc_pages_nodemask } from './page_alloc.ts';
import { ClearPageActive, ClearPageDirty, ClearPagePrivate, ClearPageSwapCache,
	ClearPageUnevictable, page_has_private, PageAnon, PageDirty, PageError, PageKsm, PageLocked,
	PageMappedToDisk, PageReadahead, PageReferenced, PageSwapBacked, PageSwapCache,
	PageTransCompound, PageUnevictable, PageUptodate, PageWorkingset, PageWriteback,
	page_is_idle, page_is_young, SetPageActive, SetPageDirty, SetPageError,
	SetPageMappedToDisk, SetPageReadahead, SetPageReferenced, SetPageSwapBacked,
	SetPageSwapCache, SetPageUnevictable, SetPageUptodate, SetPageWorkingset, set_page_idle,
	set_page_young, TestClearPageActive, TestClearPageUnevictable, thp_nr_pages }
	from './page_flags.ts';
import { attach_page_private, detach_page_private, lock_page, trylock_page, unlock_page }
	from './pagemap.ts';
import { mapping_can_writeback, wait_on_page_writeback } from './page-writeback.ts';
import { page_vma_mapped_walk } from './page_vma_mapped.ts';
import { page_add_anon_rmap, page_add_file_rmap, page_get_anon_vma, put_anon_vma, rmap_walk,
	rmap_walk_locked, try_to_unmap } from './rmap.ts';
import { page_vma_mapped_walk as pvmw_t, page_vma_mapped_walk_init, PVMW_MIGRATION, PVMW_SYNC,
	rmap_walk_control, TTU_IGNORE_ACCESS, TTU_IGNORE_MLOCK, TTU_MIGRATION }
	from './rmap_types.ts';
import { lru_add_drain_all } from './swap.ts';
import { isolate_lru_page, putback_lru_page } from './vmscan.ts';
import { __mod_zone_page_state, count_vm_events, mod_node_page_state, PGMIGRATE_FAIL,
	PGMIGRATE_SUCCESS } from './vmstat.ts';

/* enum migrate_mode */
export const MIGRATE_ASYNC = 0, MIGRATE_SYNC_LIGHT = 1, MIGRATE_SYNC = 2;
export const MIGRATEPAGE_SUCCESS = 0;

const { next } = list_heads;

const UNMAPPED = point('__unmap_and_move.unmapped');

/** Where a page is to go, or NULL. */
type new_page_t = (page: page) => page;

/** @ported v5.10 */
export function migrate_prep(): void {
	/* isolate_lru_page() does not find what is in a batch */
	lru_add_drain_all();
}

/** Put isolated pages back on the LRU. @ported v5.10; but for huge pages */
export function putback_movable_pages(l: list_head): void {
	for (let pos = next[l], n = next[pos]; pos !== l; pos = n, n = next[pos]) {
		const page = pages.lru.container_of(pos);

		list_del(pos);
		mod_node_page_state(page_pgdat(page), NR_ISOLATED_ANON + page_is_file_lru(page),
			-thp_nr_pages(page));
		putback_lru_page(page);
	}
}

/**
 * Put ordinary entries that map `page` in the place of migration entries for `old`.
 * @ported v5.10 static; but for huge pages, hugetlb, KSM, device memory and userfaultfd
 */
function remove_migration_pte(
	page: page, vma: vm_area_struct, addr: number, { old, pvmw }: migration_walk,
): boolean {
	page_vma_mapped_walk_init(pvmw, old, vma, addr, PVMW_SYNC | PVMW_MIGRATION);
	while (page_vma_mapped_walk(pvmw)) {
		const ptep = pvmw.pte;

		get_page(page);
		let pte = pte_mkold(mk_pte(page, vmas.vm_page_prot[vma]));
		if (pte_swp_soft_dirty(ram[ptep]!))
			pte = pte_mksoft_dirty(pte);

		/* recheck VMA as permissions can change since migration started */
		if (is_write_migration_entry(pte_to_swp_entry(ram[ptep]!, pte_hi(ptep))))
			pte = maybe_mkwrite(pte, vma);

		set_pte_at(vmas.vm_mm[vma], pvmw.address, ptep, pte,
			vmas.vm_page_prot_nx[vma] ? NX_HI : 0);
		if (PageAnon(page))
			page_add_anon_rmap(page, vma, pvmw.address, false);
		else
			page_add_file_rmap(page, false);
		if ((vmas.vm_flags[vma] & VM_LOCKED) && !PageTransCompound(page))
			mlock_vma_page(page);

		/* no TLB entry can be there: none is made of what is not present */
		update_mmu_cache(vma, pvmw.address, ptep);
	}
	return true;
}

/** What C has on the stack of remove_migration_ptes(). */
interface migration_walk {
	readonly old: page;
	readonly pvmw: pvmw_t;
}

/**
 * Get rid of all migration entries for `old`: they map `new_` from now on.
 * @ported v5.10
 */
export function remove_migration_ptes(old: page, new_: page, locked: boolean): void {
	const rwc = new rmap_walk_control<migration_walk>({ old, pvmw: new pvmw_t() },
		remove_migration_pte);

	if (locked)
		rmap_walk_locked(new_, rwc);
	else
		rmap_walk(new_, rwc);
}

/** @ported v5.10 static; but for device memory */
function expected_page_refs(mapping: address_space, page: page): number {
	let expected_count = 1;

	if (mapping)
		expected_count += thp_nr_pages(page) + page_has_private(page);
	return expected_count;
}

/**
 * Replace a page in its mapping, where nobody may hold it besides mapping and isolation.
 * @returns MIGRATEPAGE_SUCCESS, or -EAGAIN with nothing changed
 * @ported v5.10; but for huge pages
 */
export function migrate_page_move_mapping(
	mapping: address_space, newpage: page, page: page, extra_count: number,
): number {
	const expected_count = expected_page_refs(mapping, page) + extra_count;
	const nr = thp_nr_pages(page);

	if (!mapping) {
		/* anonymous, without a place in swap */
		if (page_count(page) !== expected_count)
			return -EAGAIN;

		pages.index[newpage] = pages.index[page];
		pages.mapping[newpage] = pages.mapping[page];
		if (PageSwapBacked(page))
			SetPageSwapBacked(newpage);

		return MIGRATEPAGE_SUCCESS;
	}

	const oldzone = page_zone(page), newzone = page_zone(newpage);
	const index = page_index(page);

	if (page_count(page) !== expected_count || xa_to_page(xa_load(mapping, index)) !== page)
		return -EAGAIN;

	if (!page_ref_freeze(page, expected_count))
		return -EAGAIN;

	pages.index[newpage] = pages.index[page];
	pages.mapping[newpage] = pages.mapping[page];
	page_ref_add(newpage, nr);
	if (PageSwapBacked(page)) {
		SetPageSwapBacked(newpage);
		if (PageSwapCache(page)) {
			SetPageSwapCache(newpage);
			set_page_private(newpage, page_private(page));
		}
	} else {
		VM_BUG_ON_PAGE(PageSwapCache(page), page, 'is in the swap cache, not swap-backed');
	}

	/* the mark in the mapping stays with the slot */
	const dirty = PageDirty(page);
	if (dirty) {
		ClearPageDirty(page);
		SetPageDirty(newpage);
	}

	xa_store(mapping, index, xa_mk_pointer(newpage), mapping_set_update(mapping));

	page_ref_unfreeze(page, expected_count - nr);

	if (newzone !== oldzone) {
		const memcg = pages.mem_cgroup[page];
		const old_lruvec = mem_cgroup_lruvec(memcg, zones.zone_pgdat[oldzone]);
		const new_lruvec = mem_cgroup_lruvec(memcg, zones.zone_pgdat[newzone]);

		__mod_lruvec_state(old_lruvec, NR_FILE_PAGES, -nr);
		__mod_lruvec_state(new_lruvec, NR_FILE_PAGES, nr);
		if (PageSwapBacked(page) && !PageSwapCache(page)) {
			__mod_lruvec_state(old_lruvec, NR_SHMEM, -nr);
			__mod_lruvec_state(new_lruvec, NR_SHMEM, nr);
		}
		if (dirty && mapping_can_writeback(mapping)) {
			__mod_lruvec_state(old_lruvec, NR_FILE_DIRTY, -nr);
			__mod_zone_page_state(oldzone, NR_ZONE_WRITE_PENDING, -nr);
			__mod_lruvec_state(new_lruvec, NR_FILE_DIRTY, nr);
			__mod_zone_page_state(newzone, NR_ZONE_WRITE_PENDING, nr);
		}
	}

	return MIGRATEPAGE_SUCCESS;
}

/** The new page gets what the old one was. @ported v5.10; but for huge pages and KSM */
export function migrate_page_states(newpage: page, page: page): void {
	if (PageError(page))
		SetPageError(newpage);
	if (PageReferenced(page))
		SetPageReferenced(newpage);
	if (PageUptodate(page))
		SetPageUptodate(newpage);
	if (TestClearPageActive(page)) {
		VM_BUG_ON_PAGE(PageUnevictable(page), page, 'is both active and unevictable');
		SetPageActive(newpage);
	} else if (TestClearPageUnevictable(page)) {
		SetPageUnevictable(newpage);
	}
	if (PageWorkingset(page))
		SetPageWorkingset(newpage);
	if (PageMappedToDisk(page))
		SetPageMappedToDisk(newpage);

	/* anonymous pages without a mapping too, which move_mapping did not deal with */
	if (PageDirty(page))
		SetPageDirty(newpage);

	if (page_is_young(page))
		set_page_young(newpage);
	if (page_is_idle(page))
		set_page_idle(newpage);

	if (PageSwapCache(page))
		ClearPageSwapCache(page);
	ClearPagePrivate(page);
	set_page_private(page, 0);

	/* its writeback ended while the old page waited for it */
	if (PageWriteback(newpage))
		end_page_writeback(newpage);

	/* after that: the bit is PG_reclaim too, which it clears */
	if (PageReadahead(page))
		SetPageReadahead(newpage);

	mem_cgroup_migrate(page, newpage);
}

/** @ported v5.10; but for huge pages */
export function migrate_page_copy(newpage: page, page: page): void {
	copy_frame(newpage, page);

	migrate_page_states(newpage, page);
}

/**
 * Move a page that has no private data: ->migratepage() of swap, shmem and our files.
 * @reduced no MIGRATE_SYNC_NO_COPY, which devices ask for
 */
export function migrate_page(
	mapping: address_space, newpage: page, page: page, _mode: number,
): number {
	BUG_ON(PageWriteback(page), 'a page moves while it is written');

	const rc = migrate_page_move_mapping(mapping, newpage, page, 0);
	if (rc !== MIGRATEPAGE_SUCCESS)
		return rc;

	migrate_page_copy(newpage, page);
	return MIGRATEPAGE_SUCCESS;
}

/**
 * Move a page with its buffers, to which nobody can have a reference.
 * @reduced __buffer_migrate_page() for one buffer a page, locked at once or not at all
 */
export function buffer_migrate_page(
	mapping: address_space, newpage: page, page: page, mode: number,
): number {
	if (!page_has_buffers(page))
		return migrate_page(mapping, newpage, page, mode);

	if (page_count(page) !== expected_page_refs(mapping, page) ||
	    buffer_locked(page_buffers(page)))
		return -EAGAIN;
	lock_buffer(page_buffers(page));

	const rc = migrate_page_move_mapping(mapping, newpage, page, 0);
	if (rc === MIGRATEPAGE_SUCCESS) {
		pages.b_state[newpage] = pages.b_state[page];
		pages.b_state[page] = 0;
		detach_page_private(page);
		attach_page_private(newpage, newpage);
		migrate_page_copy(newpage, page);
		unlock_buffer(page_buffers(newpage));
	} else {
		unlock_buffer(page_buffers(page));
	}
	return rc;
}

/**
 * Move a page that nothing maps any more; both are locked.
 * @reduced LRU pages alone; every mapping here has a ->migratepage(), so none is written back first
 */
function move_to_new_page(newpage: page, page: page, mode: number): number {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'moves unlocked');
	VM_BUG_ON_PAGE(!PageLocked(newpage), newpage, 'is moved to unlocked');

	const mapping = page_mapping(page);
	VM_BUG_ON_PAGE(mapping !== 0 && !has_migratepage(mapping), page, 'has no ->migratepage()');
	const rc = buffer_migrate_page(mapping, newpage, page, mode);

	/* of an anonymous page it stays: statistics go by it until the page is freed */
	if (rc === MIGRATEPAGE_SUCCESS && !(pages.mapping[page] & PAGE_MAPPING_FLAGS))
		pages.mapping[page] = 0;
	return rc;
}

/** @ported v5.10 static; but for huge pages and KSM */
function __unmap_and_move(page: page, newpage: page, force: boolean, mode: number): number {
	let rc = -EAGAIN;
	let page_was_mapped = false;
	let anon_vma = NULL as ReturnType<typeof page_get_anon_vma>;

	out: {
		if (!trylock_page(page)) {
			if (!force || mode === MIGRATE_ASYNC)
				break out;

			/* reclaim may hold other pages' locks, and read ahead those of a range */
			if (tasks.flags[current()] & PF_MEMALLOC)
				break out;

			lock_page(page);
		}

		out_unlock: {
			if (PageWriteback(page)) {
				/* who may wait at all waits for I/O, and not in the first passes */
				if (mode !== MIGRATE_SYNC) {
					rc = -EBUSY;
					break out_unlock;
				}
				if (!force)
					break out_unlock;
				wait_on_page_writeback(page);
			}

			/* unmapped below, its anon_vma must stay for the entries to come back */
			if (PageAnon(page) && !PageKsm(page))
				anon_vma = page_get_anon_vma(page);

			if (!trylock_page(newpage))
				break out_unlock;

			out_unlock_both: {
				if (!pages.mapping[page]) {
					/* truncated, but for its buffers */
					VM_BUG_ON_PAGE(PageAnon(page), page, 'has no mapping');
					if (page_has_private(page)) {
						try_to_free_buffers(page);
						break out_unlock_both;
					}
				} else if (page_mapped(page)) {
					VM_BUG_ON_PAGE(
						PageAnon(page) && !PageKsm(page) && !anon_vma,
						page, 'is mapped and has no anon_vma');
					try_to_unmap(page, TTU_MIGRATION | TTU_IGNORE_MLOCK |
						TTU_IGNORE_ACCESS);
					page_was_mapped = true;
				}
				scheduling_point(UNMAPPED, page, -1);

				if (!page_mapped(page))
					rc = move_to_new_page(newpage, page, mode);

				if (page_was_mapped)
					remove_migration_ptes(page,
						rc === MIGRATEPAGE_SUCCESS ? newpage : page, false);
			}
			unlock_page(newpage);
		}
		if (anon_vma)
			put_anon_vma(anon_vma);
		unlock_page(page);
	}
	/* without a reference of ours it could be freed before it is on the LRU */
	if (rc === MIGRATEPAGE_SUCCESS)
		putback_lru_page(newpage);

	return rc;
}

/** @reduced LRU pages alone, and for no memory failure */
function unmap_and_move(
	get_new_page: new_page_t, page: page, force: boolean, mode: number,
): number {
	let rc = MIGRATEPAGE_SUCCESS;
	let newpage: page = NULL;

	if (page_count(page) === 1) {
		/* freed by all but us: nothing is left to move */
		ClearPageActive(page);
		ClearPageUnevictable(page);
	} else {
		newpage = get_new_page(page);
		if (!newpage)
			return -ENOMEM;

		rc = __unmap_and_move(page, newpage, force, mode);
	}

	/* moved, or not to be moved: it leaves the list; else it is tried again */
	if (rc !== -EAGAIN) {
		list_del(pages.lru(page));
		mod_node_page_state(page_pgdat(page), NR_ISOLATED_ANON + page_is_file_lru(page),
			-thp_nr_pages(page));
	}

	if (rc === MIGRATEPAGE_SUCCESS) {
		put_page(page);
	} else {
		if (rc !== -EAGAIN)
			putback_lru_page(page);
		put_page(newpage);
	}
	return rc;
}

/**
 * Move isolated pages of a list; those that could not be moved for now are left on it.
 * @param mode MIGRATE_*: what may be waited for
 * @returns 0, how many were not moved, or -ENOMEM
 * @reduced no huge pages to split or to count, no trace event
 */
export function migrate_pages(from: list_head, get_new_page: new_page_t, mode: number): number {
	const task = current();
	const swapwrite = tasks.flags[task] & PF_SWAPWRITE;
	let retry = 1;
	let nr_failed = 0, nr_succeeded = 0;
	let rc = 0;

	tasks.flags[task] |= PF_SWAPWRITE;

	out: {
		for (let pass = 0; pass < 10 && retry; pass++) {
			retry = 0;

			for (let pos = next[from], n = next[pos]; pos !== from;
			     pos = n, n = next[pos]) {
				const page = pages.lru.container_of(pos);

				rc = unmap_and_move(get_new_page, page, pass > 2, mode);
				switch (rc) {
				case -ENOMEM:
					nr_failed++;
					break out;
				case -EAGAIN:
					retry++;
					break;
				case MIGRATEPAGE_SUCCESS:
					nr_succeeded++;
					break;
				default:
					/* -EBUSY and others: it is on the LRU again */
					nr_failed++;
				}
			}
		}
		nr_failed += retry;
		rc = nr_failed;
	}
	count_vm_events(PGMIGRATE_SUCCESS, nr_succeeded);
	count_vm_events(PGMIGRATE_FAIL, nr_failed);

	if (!swapwrite)
		tasks.flags[task] &= ~PF_SWAPWRITE;

	return rc;
}

/**
 * A page on a node for what is to go there.
 * @ported v5.10; but for huge pages and hugetlb
 */
export function alloc_migration_target(page: page, nid: number, gfp_mask: gfp_t): page {
	if (nid < 0)
		nid = page_to_nid(page);

	/* what is in high memory, of which there is none, could stay there */
	return __alloc_pages_nodemask(gfp_mask, 0, nid, 0);
}

/** @ported v5.10 */
function do_move_pages_to_node(pagelist: list_head, node: number): number {
	const err = migrate_pages(pagelist, (page) => alloc_migration_target(page, node,
		GFP_HIGHUSER_MOVABLE | __GFP_THISNODE), MIGRATE_SYNC);

	if (err)
		putback_movable_pages(pagelist);
	return err;
}

/** @ported v5.10 include/linux/mempolicy.h:vma_migratable(); but for hugetlb and device memory */
function vma_migratable(vma: vm_area_struct): boolean {
	return (vmas.vm_flags[vma] & (VM_IO | VM_PFNMAP)) === 0;
}

/**
 * Isolate the page of an address for migration.
 * @returns 1 if it is on the list now; 0 if it is on the node already; -errno
 * @ported v5.10; but for huge pages and hugetlb
 */
function add_page_for_migration(
	mm: mm_struct, addr: number, node: number, pagelist: list_head, migrate_all: boolean,
): number {
	mmap_read_lock(mm);
	try {
		const vma = find_vma(mm, addr);
		if (!vma || addr < vmas.vm_start[vma] || !vma_migratable(vma))
			return -EFAULT;

		/* FOLL_DUMP to not be given the zero page, which has no node */
		const found = follow_page(vma, addr, FOLL_GET | FOLL_DUMP);
		if (found < 0)
			return found;
		if (!found)
			return -ENOENT;
		const page = found as page;

		try {
			if (page_to_nid(page) === node)
				return 0;

			if (page_mapcount(page) > 1 && !migrate_all)
				return -EACCES;

			const err = isolate_lru_page(page);
			if (err)
				return err;
			list_add_tail(pages.lru(page), pagelist);
			mod_node_page_state(page_pgdat(page),
				NR_ISOLATED_ANON + page_is_file_lru(page), thp_nr_pages(page));
			return 1;
		} finally {
			/* of follow_page() alone: the isolation has its own */
			put_page(page);
		}
	} finally {
		mmap_read_unlock(mm);
	}
}

/** @ported v5.10 */
function move_pages_and_store_status(
	node: number, pagelist: list_head, status: Int32Array, start: number, i: number,
	nr_pages: number,
): number {
	if (list_empty(pagelist))
		return 0;

	let err = do_move_pages_to_node(pagelist, node);
	if (err) {
		/* those that were not even tried count too */
		if (err > 0)
			err += nr_pages - i - 1;
		return err;
	}
	status.fill(node, start, i);
	return 0;
}

/**
 * Move pages of an address space each to a node of its own.
 * @param addrs of the pages; nodes, and status, by the same number
 * @param status out: the node where a page is now, or -errno
 * @param migrate_all those that others map too
 * @returns 0, how many were not moved, or -errno
 * @ported v5.10
 */
export function do_pages_move(
	mm: mm_struct, addrs: readonly number[], nodes: readonly number[], status: Int32Array,
	migrate_all: boolean,
): number {
	const nr_pages = addrs.length;
	const pagelist = list_head_enter();
	let current_node = -1;
	let start = 0, i = 0;
	let err = 0;

	migrate_prep();

	out: {
		out_flush: {
			for (; i < nr_pages; i++) {
				const node = nodes[i]!;

				err = -ENODEV;
				if (node < 0 || node >= MAX_NUMNODES || node >= nr_online_nodes.v ||
				    !NODE_DATA(node))
					break out_flush;

				if (current_node < 0) {
					current_node = node;
					start = i;
				} else if (node !== current_node) {
					err = move_pages_and_store_status(current_node, pagelist,
						status, start, i, nr_pages);
					if (err)
						break out;
					start = i;
					current_node = node;
				}

				err = add_page_for_migration(mm, addrs[i]!, current_node, pagelist,
					migrate_all);

				/* isolated: it goes with the others */
				if (err > 0)
					continue;

				/* there already, or an error: those before it go first */
				status[i] = err || current_node;
				err = move_pages_and_store_status(current_node, pagelist, status,
					start, i, nr_pages);
				if (err)
					break out;
				current_node = -1;
			}
		}
		const err1 = move_pages_and_store_status(current_node, pagelist, status, start, i,
			nr_pages);
		if (err >= 0)
			err = err1;
	}
	list_head_leave(pagelist);
	return err;
}
