// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/rmap.c, v5.10, and the inlines of include/linux/rmap.h that call it
 * Left out, with their places kept by a word: hugetlb pages, KSM, device-private memory, poisoned
 *	pages, userfaultfd, huge mappings by PMD (page_flags.ts says that no page is compound):
 *	none of these exists here. Cache flushes, which x86 has none of.
 * Lock order modelled: mmap_lock > page lock > i_mmap_rwsem > anon_vma root rwsem. The page-table
 *	lock, lru_lock and those below them are one order of events.
 *
 *	page->mapping (anon) --------------> anon_vma --rb_root--> avc, avc, avc  by page offset
 *	                                      ^  |root              |    |    |
 *	vma->anon_vma_chain --> avc ----------+  v                  v    v    v
 *	                       (newest first)   anon_vma (lock)    vma  vma  vma
 *
 * An area is linked to its own anon_vma, where its new pages go, and to those of its ancestors,
 * where pages lie that it got by fork.
 */
import { pte_dirty, pte_hi, pte_mkclean, pte_pfn, pte_soft_dirty, pte_write, pte_wrprotect,
	pgd_none, pgd_offset_pgd, pmd_dirty, pmd_mkclean, pmd_offset, pmd_present, pmd_trans_huge,
	pmd_write, pmd_wrprotect, ptep_get_and_clear, pud_none, pud_offset, set_pmd_at, set_pte_at }
	from '../arch/pgtable.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { ram } from '../arch/ram.ts';
import { make_migration_entry, pte_swp_mksoft_dirty, swp_entry_to_pte_hi, swp_entry_to_pte_lo }
	from '../arch/swap.ts';
import { arch_tlbbatch_add_mm, arch_tlbbatch_flush, flush_tlb_mm, mm_cpumask, tlb_ubcs }
	from '../arch/tlb.ts';
import { BUG_ON, VM_BUG_ON, VM_BUG_ON_PAGE, WARN_ON_ONCE } from '../lib/bug.ts';
import { applied, MEMCG_MAKE_PAGE_REFERENCED_CGROUP_AWARE, MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE,
	MM_ADD_VMA_HAS_RECENCY, MM_CONVERT_TRY_TO_UNMAP_ONE_TO_USE_PAGE_VMA_MAPPED_WALK,
	MM_DONT_BE_STUCK_TO_RMAP_LOCK_ON_RECLAIM_PATH, MM_DONT_WASTE_SWAP_ON_LOCKED_PAGES,
	MM_FIX_FOR_INFINITE_CHURNING_OF_MLOCKED_PAGES, MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO,
	MM_MMU_NOTIFIER_AVOID_DOUBLE_NOTIFICATION, MM_MORE_LIKELY_RECLAIM_MADV_SEQUENTIAL_MAPPINGS,
	MM_MOVE_ALL_MMU_NOTIFIER_INVOCATIONS_OUTSIDE_THE_PT_LOCK,
	MM_MUNLOCK_RMAP_CALL_MLOCK_VMA_PAGE, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS,
	MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY, MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2,
	MM_SHRINK_SKIP_FOLIO_MAPPED_BY_AN_EXITING_PROCESS,
	VMSCAN_DETECT_MAPPED_FILE_PAGES_USED_ONLY_ONCE } from '../lib/commits.ts';
import { EFAULT, ENOMEM } from '../lib/errno.ts';
import { list_add, list_del, list_empty } from '../lib/list.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { global_s32, kmem_cache_free, kmem_cache_zalloc, list_heads, type out }
	from '../lib/struct.ts';
import { current, smp_processor_id } from './current.ts';
import { __vma_address, vma_address } from './internal.ts';
import { anon_vma_interval_tree_insert, anon_vma_interval_tree_iter_first,
	anon_vma_interval_tree_iter_next, anon_vma_interval_tree_remove,
	vma_interval_tree_iter_first, vma_interval_tree_iter_next } from './interval_tree.ts';
import { __mod_lruvec_page_state, lock_page_memcg, mm_match_cgroup, unlock_page_memcg }
	from './memcontrol.ts';
import { clear_page_mlock, mlock_vma_page } from './mlock.ts';
import { dec_mm_counter, inc_mm_counter, mm_counter_file, page_anon_vma, page_mapcount,
	page_mapped, page_mapping, page_private, page_ref_count, page_rmapping, page_size, put_page,
	total_mapcount, update_hiwater_rss, vma_is_temporary_stack } from './mm.ts';
import { check_stable_address_space } from './memory.ts';
import { vma_has_recency } from './mm_inline.ts';
import { anon_vmas, avcs, files, MM_ANONPAGES, MM_SWAPENTS, mms, NULL, PAGE_MAPPING_ANON,
	PAGE_MAPPING_FLAGS, pages, VM_LOCKED, VM_SEQ_READ, VM_SHARED, vmas, type anon_vma,
	type anon_vma_chain, type mem_cgroup, type mm_struct, type page, type pte_t, type ptep,
	type vm_area_struct } from './mm_types.ts';
import { find_mergeable_anon_vma } from './mmap.ts';
import { MMU_NOTIFY_CLEAR, MMU_NOTIFY_PROTECTION_PAGE, mmu_notifier_invalidate_page,
	mmu_notifier_invalidate_range,
	mmu_notifier_invalidate_range_end, mmu_notifier_invalidate_range_start,
	mmu_notifier_range_init, pmdp_clear_flush_young_notify, ptep_clear_flush_young_notify }
	from './mmu_notifier.ts';
import { NR_ANON_MAPPED, NR_FILE_MAPPED } from './mmzone.ts';
import { anon_vma_pointer, clear_page_idle, compound_head, mapping_pointer, PageAnon,
	PageCompound, PageDirty, PageKsm, PageLocked, PageLRU, PageMlocked, PageSwapBacked,
	PageSwapCache, PageTransCompound, SetPageSwapBacked, set_page_anon_vma,
	test_and_clear_page_young, TestClearPageReferenced, thp_nr_pages } from './page_flags.ts';
import { set_page_dirty } from './page-writeback.ts';
import { page_vma_mapped_walk } from './page_vma_mapped.ts';
import { ptl_held_address, ptl_held_mm, ptl_hold, ptl_release } from './ptlock.ts';
import { linear_page_index, page_to_pgoff, trylock_page, unlock_page } from './pagemap.ts';
import { pmdp_invalidate, ptep_clear_flush } from './pgtable-generic.ts';
import { anon_vma_lock_read, anon_vma_lock_write, anon_vma_unlock_read, anon_vma_unlock_write,
	down_read_trylock, down_write, get_anon_vma, i_mmap_lock_read, i_mmap_trylock_read,
	i_mmap_unlock_read,
	mmu_notifier_range, page_vma_mapped_walk as pvmw_t, page_vma_mapped_walk_done,
	page_vma_mapped_walk_init, PVMW_SYNC, rmap_walk_control, RMAP_COMPOUND, RMAP_EXCLUSIVE,
	rwsem_is_locked, TTU_BATCH_FLUSH, TTU_IGNORE_ACCESS, TTU_IGNORE_MLOCK, TTU_MIGRATION,
	TTU_MUNLOCK, TTU_RMAP_LOCKED, TTU_SPLIT_FREEZE, TTU_SPLIT_HUGE_PMD, up_read, up_write }
	from './rmap_types.ts';
import { init_mm_mmlist } from './swap_types.ts';
import { swap_duplicate } from './swapfile.ts';

const { _mapcount, mapping: page_mapping_word, index: page_index_ } = pages;
const { vm_mm, vm_flags: vma_flags, vm_start, vm_end, vm_file, anon_vma: vma_anon_vma } = vmas;
const { root: anon_vma_root, rwsem, refcount, degree, num_children, num_active_vmas,
	parent: anon_vma_parent, rb_root } = anon_vmas;
const { vma: avc_vma, anon_vma: avc_anon_vma } = avcs;
const { pgd: mm_pgd, mm_users, tlb_flush_batched } = mms;
const { next, prev } = list_heads;
const { flush_required, writable: ubc_writable } = tlb_ubcs;

const PAGE_REFERENCED_RETURN = point('page_referenced.return');
const RANGE_START_RETURN = point('try_to_unmap_one.range_start.return');
const RMAP_LOCKED = point('rmap_walk.locked');
const PTE_LOCKED = point('try_to_unmap_one.pte_locked');
const PTE_CLEARED = point('try_to_unmap_one.pte_cleared');
const INVALIDATE_PAGE_RETURN = point('try_to_unmap_one.invalidate_page.return');
const RANGE_END = point('try_to_unmap_one.range_end');
const TRY_TO_UNMAP_FLUSH = point('try_to_unmap_flush');

/** struct page_referenced_arg */
export class page_referenced_arg {
	mapcount = 0;
	referenced = 0;
	vm_flags = 0;
	memcg = 0 as mem_cgroup;
}

/*
 * What C keeps on the stack of one walk. A walk within a walk happens when another actor runs at a
 * scheduling point of the first; each has a frame of its own.
 */
const WALKS_MAX = 64;
class rmap_frame {
	readonly pra = new page_referenced_arg();
	readonly cleaned: out<number> = { v: 0 };
	readonly pvmw = new pvmw_t();
	readonly range = new mmu_notifier_range();
	readonly page_referenced = new rmap_walk_control(this.pra, page_referenced_one);
	readonly page_mkclean = new rmap_walk_control(this.cleaned, page_mkclean_one);
	/* the argument is ttu_flags */
	readonly try_to_unmap = new rmap_walk_control<number>(0, try_to_unmap_one);
	readonly try_to_munlock = new rmap_walk_control<number>(TTU_MUNLOCK,
		try_to_unmap_one);

	constructor() {
		this.page_referenced.anon_lock = page_lock_anon_vma_read;
		this.page_mkclean.invalid_vma = invalid_mkclean_vma;
		this.try_to_unmap.done = page_mapcount_is_zero;
		this.try_to_unmap.anon_lock = page_lock_anon_vma_read;
		this.try_to_munlock.done = page_not_mapped;
		this.try_to_munlock.anon_lock = page_lock_anon_vma_read;
	}
}
const frames: readonly rmap_frame[] = Array.from({ length: WALKS_MAX }, () => new rmap_frame());
const walks = global_s32('rmap_walks');

/** @custom the frame of the innermost walk; C has it on the stack */
function rmap_frame_current(): rmap_frame {
	return frames[walks.v - 1]!;
}

/** @custom begin a walk; rmap_frame_leave() ends it */
function rmap_frame_enter(): rmap_frame {
	BUG_ON(walks.v >= WALKS_MAX, 'scheduling points nest too deep: no frame for a walk');
	return frames[walks.v++]!;
}

/** @custom the innermost walk ends; C pops its stack */
function rmap_frame_leave(): void {
	walks.v--;
}

/** @ported v5.10 static */
function anon_vma_alloc(): anon_vma {
	const anon_vma = kmem_cache_zalloc(anon_vmas);

	if (anon_vma) {
		refcount[anon_vma] = 1;
		degree[anon_vma] = 1;	/* the first area */
		anon_vma_parent[anon_vma] = anon_vma;
		/*
		 * The root is itself; fork, which is the only one to make others, sets the root of
		 * the parent's tree.
		 */
		anon_vma_root[anon_vma] = anon_vma;
	}
	return anon_vma;
}

/** @ported v5.10 static */
function anon_vma_free(anon_vma: anon_vma): void {
	VM_BUG_ON(refcount[anon_vma] !== 0, 'an anon_vma is freed with references to it');
	/* page_lock_anon_vma_read() may have got its lock before it saw the page unmapped. */
	if (rwsem_is_locked(rwsem, anon_vma_root[anon_vma])) {
		anon_vma_lock_write(anon_vma);
		anon_vma_unlock_write(anon_vma);
	}
	kmem_cache_free(anon_vmas, anon_vma);
}

/** @ported v5.10 static */
function anon_vma_chain_alloc(): anon_vma_chain {
	return kmem_cache_zalloc(avcs);
}

/** @ported v5.10 static */
function anon_vma_chain_free(anon_vma_chain: anon_vma_chain): void {
	kmem_cache_free(avcs, anon_vma_chain);
}

/** @ported v5.10 static */
function anon_vma_chain_link(vma: vm_area_struct, avc: anon_vma_chain, anon_vma: anon_vma): void {
	avc_vma[avc] = vma;
	avc_anon_vma[avc] = anon_vma;
	list_add(avcs.same_vma(avc), vmas.anon_vma_chain(vma));
	anon_vma_interval_tree_insert(avc, anon_vma);
}

/**
 * Make sure that an area has an anon_vma: one next door that it can share, or a new one. Returns 0
 * or -ENOMEM. The caller holds mmap_lock for reading.
 * @ported v5.10
 */
export function __anon_vma_prepare(vma: vm_area_struct): number {
	let avc = anon_vma_chain_alloc();

	if (!avc)
		return -ENOMEM;

	let anon_vma = find_mergeable_anon_vma(vma);
	let allocated: anon_vma = NULL;
	if (!anon_vma) {
		anon_vma = anon_vma_alloc();
		if (!anon_vma) {
			anon_vma_chain_free(avc);
			return -ENOMEM;
		}
		num_children[anon_vma]++;	/* a root is its own child */
		allocated = anon_vma;
	}

	try {
		anon_vma_lock_write(anon_vma);
	} catch (error) {
		/* A walk that this interrupts holds the neighbour's: come again after it. */
		anon_vma_chain_free(avc);
		throw error;
	}
	if (!vma_anon_vma[vma]) {
		vma_anon_vma[vma] = anon_vma;
		anon_vma_chain_link(vma, avc, anon_vma);
		/* A new root has counted its first area; this is then for itself, its own child. */
		degree[anon_vma]++;
		num_active_vmas[anon_vma]++;
		allocated = NULL;
		avc = NULL;
	}
	anon_vma_unlock_write(anon_vma);

	if (allocated)
		put_anon_vma(allocated);
	if (avc)
		anon_vma_chain_free(avc);
	return 0;
}

/**
 * A walk over one area's anon_vmas takes a lock only once: it is the root's, which they share.
 * @ported v5.10 static
 */
function lock_anon_vma_root(root: anon_vma, anon_vma: anon_vma): anon_vma {
	const new_root = anon_vma_root[anon_vma];

	if (new_root !== root) {
		if (WARN_ON_ONCE(root !== NULL, 'the anon_vmas of an area have two roots'))
			up_write(rwsem, root);
		root = new_root;
		down_write(rwsem, root);
	}
	return root;
}

/** @ported v5.10 static */
function unlock_anon_vma_root(root: anon_vma): void {
	if (root)
		up_write(rwsem, root);
}

/**
 * Put dst on all anon_vmas that src is on. Returns 0, or -ENOMEM with dst on none.
 *
 * Splits and moves want an exact copy, and have set dst->anon_vma to that of src. Fork has set it
 * to NULL: then an ancestor that has nobody left but one child may become dst's own, so that a
 * task that forks and exits for ever does not grow an endless chain.
 * @ported v5.10
 */
export function anon_vma_clone(dst: vm_area_struct, src: vm_area_struct): number {
	let root: anon_vma = NULL;
	const head = vmas.anon_vma_chain(src);

	for (let pos = prev[head]; pos !== head; pos = prev[pos]) {
		const pavc = avcs.same_vma.container_of(pos);
		const avc = anon_vma_chain_alloc();

		if (!avc) {
			unlock_anon_vma_root(root);
			/*
			 * unlink_anon_vmas() takes dst off the counts of dst->anon_vma, to which it
			 * was not added yet.
			 */
			vma_anon_vma[dst] = NULL;
			unlink_anon_vmas(dst);
			return -ENOMEM;
		}
		const anon_vma = avc_anon_vma[pavc];
		root = lock_anon_vma_root(root, anon_vma);
		anon_vma_chain_link(dst, avc, anon_vma);

		/*
		 * Reused is neither a root, which is its own child and has at least one more, nor
		 * the one that src puts new pages on. Before 2555283eb40d the sum of both counts
		 * could be one because of an area and not of a child.
		 */
		if (!vma_anon_vma[dst] && vma_anon_vma[src]) {
			if (applied(MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY /* 2555283eb40d, v6.0 */)
				? num_children[anon_vma] < 2 && num_active_vmas[anon_vma] === 0
				: anon_vma !== vma_anon_vma[src] && degree[anon_vma] < 2)
				vma_anon_vma[dst] = anon_vma;
		}
	}
	if (vma_anon_vma[dst]) {
		degree[vma_anon_vma[dst]]++;
		num_active_vmas[vma_anon_vma[dst]]++;
	}
	unlock_anon_vma_root(root);
	return 0;
}

/**
 * Attach vma to the anon_vmas of pvma, which it is forked from, and to one of its own. Returns 0 or
 * -ENOMEM.
 * @ported v5.10
 */
export function anon_vma_fork(vma: vm_area_struct, pvma: vm_area_struct): number {
	if (!vma_anon_vma[pvma])
		return 0;

	/* NULL lets anon_vma_clone() choose one for reuse. */
	vma_anon_vma[vma] = NULL;

	/* Pages from before the fork are on these, and stay there until they are copied. */
	const error = anon_vma_clone(vma, pvma);
	if (error)
		return error;

	if (vma_anon_vma[vma])
		return 0;

	const anon_vma = anon_vma_alloc();
	if (!anon_vma) {
		unlink_anon_vmas(vma);
		return -ENOMEM;
	}
	num_active_vmas[anon_vma]++;
	const avc = anon_vma_chain_alloc();
	if (!avc) {
		put_anon_vma(anon_vma);
		unlink_anon_vmas(vma);
		return -ENOMEM;
	}

	anon_vma_root[anon_vma] = anon_vma_root[vma_anon_vma[pvma]];
	anon_vma_parent[anon_vma] = vma_anon_vma[pvma];
	/* Its lock is the root's, which must not be freed before it. */
	get_anon_vma(anon_vma_root[anon_vma]);
	vma_anon_vma[vma] = anon_vma;
	anon_vma_lock_write(anon_vma);
	anon_vma_chain_link(vma, avc, anon_vma);
	degree[anon_vma_parent[anon_vma]]++;
	num_children[anon_vma_parent[anon_vma]]++;
	anon_vma_unlock_write(anon_vma);
	return 0;
}

/** Detach an area from all its anon_vmas; those that nobody else has are freed. @ported v5.10 */
export function unlink_anon_vmas(vma: vm_area_struct): void {
	const head = vmas.anon_vma_chain(vma);
	let root: anon_vma = NULL;

	/* The oldest, the root, comes last: the others need its lock. */
	for (let pos = next[head], n = next[pos]; pos !== head; pos = n, n = next[pos]) {
		const avc = avcs.same_vma.container_of(pos);
		const anon_vma = avc_anon_vma[avc];

		root = lock_anon_vma_root(root, anon_vma);
		anon_vma_interval_tree_remove(avc, anon_vma);

		/* To be freed below: that can take the lock which is held here. */
		if (!rb_root[anon_vma]) {
			degree[anon_vma_parent[anon_vma]]--;
			num_children[anon_vma_parent[anon_vma]]--;
			continue;
		}
		list_del(pos);
		anon_vma_chain_free(avc);
	}
	if (vma_anon_vma[vma]) {
		degree[vma_anon_vma[vma]]--;
		num_active_vmas[vma_anon_vma[vma]]--;
	}
	unlock_anon_vma_root(root);

	for (let pos = next[head], n = next[pos]; pos !== head; pos = n, n = next[pos]) {
		const avc = avcs.same_vma.container_of(pos);
		const anon_vma = avc_anon_vma[avc];

		VM_BUG_ON(degree[anon_vma] !== 0, 'an anon_vma without areas has users');
		put_anon_vma(anon_vma);
		list_del(pos);
		anon_vma_chain_free(avc);
	}
}

/**
 * A reference to the anon_vma of a page that is mapped; NULL if it is not, or has none.
 * @ported v5.10
 */
export function page_get_anon_vma(page: page): anon_vma {
	if ((page_mapping_word[page] & PAGE_MAPPING_FLAGS) !== PAGE_MAPPING_ANON)
		return NULL;
	if (!page_mapped(page))
		return NULL;

	const anon_vma = anon_vma_pointer(page);
	if (refcount[anon_vma] === 0)
		return NULL;
	refcount[anon_vma]++;
	return anon_vma;
}

/**
 * The anon_vma of a page that is mapped, locked for reading; NULL if it is not mapped, or has none.
 * @param rwc where a walk that does not wait notes that it would have to; null: it waits
 * @ported v5.10
 * @throws WouldBlock if a writer holds the lock
 */
export function page_lock_anon_vma_read(
	page: page, rwc: { try_lock: boolean; contended: boolean } | null = null,
): anon_vma {
	if ((page_mapping_word[page] & PAGE_MAPPING_FLAGS) !== PAGE_MAPPING_ANON)
		return NULL;
	if (!page_mapped(page))
		return NULL;

	const anon_vma = anon_vma_pointer(page);
	const root_anon_vma = anon_vma_root[anon_vma];
	if (down_read_trylock(rwsem, root_anon_vma)) {
		/* Unmapped: the anon_vma may be another's by now. */
		if (!page_mapped(page)) {
			up_read(rwsem, root_anon_vma);
			return NULL;
		}
		return anon_vma;
	}

	/* since 6d4675e60135 */
	if (rwc?.try_lock) {
		rwc.contended = true;
		return NULL;
	}

	/* To sleep for it, it must be kept from going. */
	if (refcount[anon_vma] === 0)
		return NULL;
	refcount[anon_vma]++;
	if (!page_mapped(page)) {
		put_anon_vma(anon_vma);
		return NULL;
	}
	try {
		anon_vma_lock_read(anon_vma);
	} catch (error) {
		put_anon_vma(anon_vma);
		throw error;
	}
	if (--refcount[anon_vma] === 0) {
		/* The last one: __put_anon_vma() takes the lock itself. */
		anon_vma_unlock_read(anon_vma);
		__put_anon_vma(anon_vma);
		return NULL;
	}
	return anon_vma;
}

/** @ported v5.10 */
export function page_unlock_anon_vma_read(anon_vma: anon_vma): void {
	anon_vma_unlock_read(anon_vma);
}

/** Flush the TLBs of what this task has unmapped and not flushed yet. @ported v5.10 */
export function try_to_unmap_flush(): void {
	const tlb_ubc = current();

	if (!flush_required[tlb_ubc])
		return;

	scheduling_point(TRY_TO_UNMAP_FLUSH, 0, -1);
	arch_tlbbatch_flush(tlb_ubc);
	flush_required[tlb_ubc] = 0;
	ubc_writable[tlb_ubc] = 0;
}

/** Before I/O: flush if a CPU may still write to the pages through its TLB. @ported v5.10 */
export function try_to_unmap_flush_dirty(): void {
	if (ubc_writable[current()])
		try_to_unmap_flush();
}

/** @ported v5.10 static */
function set_tlb_ubc_flush_pending(mm: mm_struct, writable: boolean): void {
	const tlb_ubc = current();

	arch_tlbbatch_add_mm(tlb_ubc, mm);
	flush_required[tlb_ubc] = 1;
	tlb_flush_batched[mm] = 1;

	/* Who calls this knows only whether it was dirty, which takes a write permission. */
	if (writable)
		ubc_writable[tlb_ubc] = 1;
}

/**
 * Whether the flush of an entry waits for the end of the batch: it does if another CPU needs it.
 * @ported v5.10 static
 */
export function should_defer_flush(mm: mm_struct, flags: number): boolean {
	if (!(flags & TTU_BATCH_FLUSH))
		return false;

	return (mm_cpumask(mm) & ~(1 << smp_processor_id())) !== 0;
}

/**
 * Who changes or removes entries of an mm calls this first: an entry that reclaim took away may
 * still be in a TLB.
 * @ported v5.10
 */
export function flush_tlb_batched_pending(mm: mm_struct): void {
	if (tlb_flush_batched[mm]) {
		flush_tlb_mm(mm);
		tlb_flush_batched[mm] = 0;
	}
}

/**
 * The address of a page in an area, mapped or not; -EFAULT if it is not of the area.
 * @ported v5.10
 */
export function page_address_in_vma(page: page, vma: vm_area_struct): number {
	if (PageAnon(page)) {
		const page__anon_vma = page_anon_vma(page);

		if (!vma_anon_vma[vma] || !page__anon_vma ||
		    anon_vma_root[vma_anon_vma[vma]] !== anon_vma_root[page__anon_vma])
			return -EFAULT;
	} else if (page_mapping_word[page]) {
		if (!vm_file[vma] || files.f_mapping[vm_file[vma]] !== mapping_pointer(page))
			return -EFAULT;
	} else {
		return -EFAULT;
	}
	const address = __vma_address(page, vma);
	if (address < vm_start[vma] || address >= vm_end[vma])
		return -EFAULT;
	return address;
}

/** The PMD entry of an address if it points to a table of PTEs; 0 if not. @ported v5.10 */
export function mm_find_pmd(mm: mm_struct, address: number): ptep {
	const pgd = pgd_offset_pgd(mm_pgd[mm], address);
	if (pgd_none(ram[pgd]!))
		return 0;

	const pud = pud_offset(pgd, address);
	if (pud_none(ram[pud]!))
		return 0;

	const pmd = pmd_offset(pud, address);
	const pmde = ram[pmd]!;
	if (!pmd_present(pmde) || pmd_trans_huge(pmde))
		return 0;
	return pmd;
}

/** @ported v5.10 static */
export function page_referenced_one(
	page: page, vma: vm_area_struct, address: number, pra: page_referenced_arg,
): boolean {
	const { pvmw } = rmap_frame_current();
	let referenced = 0;

	page_vma_mapped_walk_init(pvmw, page, vma, address, 0);
	while (page_vma_mapped_walk(pvmw)) {
		address = pvmw.address;

		if ((vma_flags[vma] & VM_LOCKED) &&
		    applied(MM_DONT_WASTE_SWAP_ON_LOCKED_PAGES /* 5a9bbdcd29ad, v2.6.25 */)) {
			/* the mark that was missed */
			if (applied(MM_MUNLOCK_RMAP_CALL_MLOCK_VMA_PAGE /* cea86fe246b6, v5.18 */))
				mlock_vma_page(page);
			page_vma_mapped_walk_done(pvmw);
			if (applied(MM_FIX_FOR_INFINITE_CHURNING_OF_MLOCKED_PAGES
			    /* 03ef83af5288, v2.6.31 */))
				pra.vm_flags |= VM_LOCKED;
			if (!applied(MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE
			    /* b291f000393f, v2.6.28 */))
				pra.referenced++;
			return false;
		}

		/* Its exit is about to free the page: to swap it out would be for nothing. */
		if (applied(MM_SHRINK_SKIP_FOLIO_MAPPED_BY_AN_EXITING_PROCESS
		    /* c495b97624d0, v6.12 */) &&
		    (!mm_users[vm_mm[vma]] || check_stable_address_space(vm_mm[vma])) &&
		    PageAnon(page) && PageSwapBacked(page) && page_mapcount(page) === 1) {
			pra.referenced = -1;
			page_vma_mapped_walk_done(pvmw);
			return false;
		}

		if (pvmw.pte) {
			if (ptep_clear_flush_young_notify(vma, address, pvmw.pte)) {
				/*
				 * A stream that passes through says nothing about who wants the
				 * page again; other mappings have bits of their own.
				 */
				if (!(vma_flags[vma] & VM_SEQ_READ) ||
				    !applied(MM_MORE_LIKELY_RECLAIM_MADV_SEQUENTIAL_MAPPINGS
				    /* 4917e5d0499b, v2.6.29 */))
					referenced++;
			}
		} else if (pmdp_clear_flush_young_notify(vma, address, pvmw.pmd)) {
			referenced++;
		}

		pra.mapcount--;
	}

	if (referenced)
		clear_page_idle(page);
	if (test_and_clear_page_young(page))
		referenced++;

	if (referenced) {
		pra.referenced++;
		pra.vm_flags |= vma_flags[vma];
	}

	if (!pra.mapcount)
		return false;

	return true;
}

/** @ported v5.10 static */
export function invalid_page_referenced_vma(
	vma: vm_area_struct, pra: page_referenced_arg,
): boolean {
	/* the zap of such a mapping is no reference either */
	if (applied(MM_ADD_VMA_HAS_RECENCY /* 8788f6781486, v6.3 */) && !vma_has_recency(vma))
		return true;

	if (pra.memcg && !mm_match_cgroup(vm_mm[vma], pra.memcg))
		return true;

	return false;
}

/**
 * Test and clear the accessed bit in all mappings of a page.
 * @param is_locked 1 if the caller holds the page lock
 * @param memcg count areas of its tasks and of its descendants' only; 0 for all
 * @param vm_flags out: the flags of the areas that referenced the page
 * @returns how many areas referenced it; 1 if the page could not be locked; -1 if the rmap lock is
 * contended (from 6d4675e60135 on)
 * @ported v5.10
 */
export function page_referenced(
	page: page, is_locked: number, memcg: mem_cgroup, vm_flags: out<number>,
): number {
	let we_locked = false;
	const mapcount = total_mapcount(page);
	/* both kinds of reference in one number, until they were told apart */
	const used = applied(VMSCAN_DETECT_MAPPED_FILE_PAGES_USED_ONLY_ONCE
		/* 645747462435, v2.6.34 */) ? 0 : TestClearPageReferenced(page) ? 1 : 0;

	vm_flags.v = 0;
	if (!mapcount)
		return used;

	if (!page_rmapping(page))
		return used;

	if (!is_locked && (!PageAnon(page) || PageKsm(page))) {
		we_locked = trylock_page(page);
		if (!we_locked)
			return used + 1;
	}

	const frame = rmap_frame_enter();
	const { pra, page_referenced: rwc } = frame;
	pra.mapcount = mapcount;
	pra.referenced = 0;
	pra.vm_flags = 0;
	/* For a cgroup, only what its own tasks use is of interest. */
	pra.memcg = applied(MEMCG_MAKE_PAGE_REFERENCED_CGROUP_AWARE /* bed7161a519a, v2.6.25 */)
		? memcg : NULL;
	rwc.invalid_vma =
		pra.memcg || applied(MM_ADD_VMA_HAS_RECENCY /* 8788f6781486, v6.3 */)
		? invalid_page_referenced_vma : null;
	rwc.try_lock =
		applied(MM_DONT_BE_STUCK_TO_RMAP_LOCK_ON_RECLAIM_PATH /* 6d4675e60135, v5.19 */);
	rwc.contended = false;

	rmap_walk(page, rwc);
	const referenced = rwc.contended ? -1 : pra.referenced + used;
	vm_flags.v = pra.vm_flags;
	rmap_frame_leave();

	if (we_locked)
		unlock_page(page);

	scheduling_point(PAGE_REFERENCED_RETURN, page, -1);
	return referenced;
}

/** @ported v5.10 static */
function page_mkclean_one(
	page: page, vma: vm_area_struct, address: number, cleaned: out<number>,
): boolean {
	const { pvmw, range } = rmap_frame_current();
	const mm = vm_mm[vma];
	const bracketed = applied(MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2
		/* 369ea8242c0f, v4.13 */);
	const selective = applied(MM_MMU_NOTIFIER_AVOID_DOUBLE_NOTIFICATION
		/* 0f10851ea475, v4.15 */);

	page_vma_mapped_walk_init(pvmw, page, vma, address, PVMW_SYNC);
	if (bracketed) {
		mmu_notifier_range_init(range, MMU_NOTIFY_PROTECTION_PAGE, 0, vma, mm, address,
			Math.min(vm_end[vma], address + page_size(page)));
		mmu_notifier_invalidate_range_start(range);
	}

	while (page_vma_mapped_walk(pvmw)) {
		address = pvmw.address;
		if (pvmw.pte) {
			const { pte } = pvmw;
			const old = ram[pte]!;

			if (!pte_dirty(old) && !pte_write(old))
				continue;
			const hi = pte_hi(pte);
			let entry = ptep_clear_flush(vma, address, pte);
			entry = pte_wrprotect(entry);
			entry = pte_mkclean(entry);
			set_pte_at(mm, address, pte, entry, hi);
		} else {
			const { pmd } = pvmw;
			const old = ram[pmd]!;

			if (!pmd_dirty(old) && !pmd_write(old))
				continue;
			const hi = pte_hi(pmd);
			let entry = pmdp_invalidate(vma, address, pmd);
			entry = pmd_wrprotect(entry);
			entry = pmd_mkclean(entry);
			set_pmd_at(mm, address, pmd, entry, hi);
		}

		/* No invalidate_range(): the translation stays, only its rights shrink. */
		if (!bracketed)
			mmu_notifier_invalidate_page(mm, address);
		else if (!selective)
			mmu_notifier_invalidate_range(mm, address, address + PAGE_SIZE);
		cleaned.v++;
	}

	if (bracketed)
		mmu_notifier_invalidate_range_end(range);
	return true;
}

/** @ported v5.10 static */
function invalid_mkclean_vma(vma: vm_area_struct): boolean {
	if (vma_flags[vma] & VM_SHARED)
		return false;

	return true;
}

/**
 * Clean and write-protect the entries of all shared mappings of a file page, which is locked.
 * Returns how many entries changed.
 * @ported v5.10
 */
export function page_mkclean(page: page): number {
	BUG_ON(!PageLocked(page), 'page_mkclean() of a page that is not locked');

	if (!page_mapped(page))
		return 0;

	if (!page_mapping(page))
		return 0;

	const { cleaned, page_mkclean: rwc } = rmap_frame_enter();
	cleaned.v = 0;
	rmap_walk(page, rwc);
	const n = cleaned.v;
	rmap_frame_leave();
	return n;
}

/**
 * A locked page is this area's alone, as after copy-on-write: from now on rmap need not look beyond
 * the area's own anon_vma.
 * @ported v5.10
 */
export function page_move_anon_rmap(page: page, vma: vm_area_struct): void {
	const anon_vma = vma_anon_vma[vma];

	page = compound_head(page);
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'moves to an anon_vma unlocked');
	VM_BUG_ON(!anon_vma, 'an area without anon_vma gets a page');
	set_page_anon_vma(page, anon_vma);
}

/** @ported v5.10 static */
function __page_set_anon_rmap(
	page: page, vma: vm_area_struct, address: number, exclusive: number,
): void {
	let anon_vma = vma_anon_vma[vma];

	BUG_ON(!anon_vma, 'an area without anon_vma gets an anonymous page');

	if (PageAnon(page))
		return;

	/* Others may map it too: they all are on the root. */
	if (!exclusive)
		anon_vma = anon_vma_root[anon_vma];

	set_page_anon_vma(page, anon_vma);
	page_index_[page] = linear_page_index(vma, address);
}

/** @ported v5.10 static */
function __page_check_anon_rmap(page: page, vma: vm_area_struct, address: number): void {
	VM_BUG_ON_PAGE(anon_vma_root[page_anon_vma(page)] !== anon_vma_root[vma_anon_vma[vma]],
		page, 'is mapped by an area of another anon_vma tree');
	VM_BUG_ON_PAGE(page_to_pgoff(page) !== linear_page_index(vma, address), page,
		'is mapped at an address that is not its index');
}

/**
 * An anonymous page, which is locked, gets one more mapping.
 * @param compound the mapping is of the huge page
 * @ported v5.10
 */
export function page_add_anon_rmap(
	page: page, vma: vm_area_struct, address: number, compound: boolean,
): void {
	do_page_add_anon_rmap(page, vma, address, compound ? RMAP_COMPOUND : 0);
}

/**
 * page_add_anon_rmap() with flags: do_swap_page() can say that no other area has the page.
 * @param flags RMAP_*
 * @ported v5.10; but for huge pages and KSM
 */
export function do_page_add_anon_rmap(
	page: page, vma: vm_area_struct, address: number, flags: number,
): void {
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'gets an anonymous mapping unlocked');
	VM_BUG_ON_PAGE((flags & RMAP_COMPOUND) !== 0, page, 'is mapped huge and is not');
	const first = ++_mapcount[page] === 0;

	if (first)
		__mod_lruvec_page_state(page, NR_ANON_MAPPED, 1);

	/* No assertion on the address: migration may meet an area whose bounds move just now. */
	if (first)
		__page_set_anon_rmap(page, vma, address, flags & RMAP_EXCLUSIVE);
	else
		__page_check_anon_rmap(page, vma, address);
}

/**
 * page_add_anon_rmap() for a page that nobody has seen yet; it need not be locked.
 * @ported v5.10; but for huge pages
 */
export function page_add_new_anon_rmap(
	page: page, vma: vm_area_struct, address: number, compound: boolean,
): void {
	const nr = compound ? thp_nr_pages(page) : 1;

	VM_BUG_ON(address < vm_start[vma] || address >= vm_end[vma],
		'a new page is mapped outside of its area');
	SetPageSwapBacked(page);
	VM_BUG_ON_PAGE(compound, page, 'is mapped huge and is not');
	VM_BUG_ON_PAGE(PageTransCompound(page), page, 'is huge and is mapped by an entry');
	/* from -1: nobody else counts it yet */
	_mapcount[page] = 0;
	__mod_lruvec_page_state(page, NR_ANON_MAPPED, nr);
	__page_set_anon_rmap(page, vma, address, 1);
}

/**
 * A page of a file gets one more mapping.
 * @ported v5.10; but for huge pages
 */
export function page_add_file_rmap(page: page, compound: boolean): void {
	const nr = 1;

	VM_BUG_ON_PAGE(compound, page, 'is mapped huge and is not');
	lock_page_memcg(page);
	if (++_mapcount[page] === 0)
		__mod_lruvec_page_state(page, NR_FILE_MAPPED, nr);
	unlock_page_memcg(page);
}

/** @ported v5.10 static; but for huge pages and hugetlb */
function page_remove_file_rmap(page: page, compound: boolean): void {
	const nr = 1;

	VM_BUG_ON_PAGE(compound, page, 'is mapped huge and is not');

	if (--_mapcount[page] >= 0)
		return;

	__mod_lruvec_page_state(page, NR_FILE_MAPPED, -nr);

	if (PageMlocked(page))
		clear_page_mlock(page);
}

/**
 * Take a mapping off a page.
 * @param compound the mapping is of the huge page
 * @ported v5.10; but for huge pages
 */
export function page_remove_rmap(page: page, compound: boolean): void {
	lock_page_memcg(page);

	out: {
		if (!PageAnon(page)) {
			page_remove_file_rmap(page, compound);
			break out;
		}

		VM_BUG_ON_PAGE(compound, page, 'is mapped huge and is not');

		if (--_mapcount[page] >= 0)
			break out;

		__mod_lruvec_page_state(page, NR_ANON_MAPPED, -1);

		if (PageMlocked(page))
			clear_page_mlock(page);

		/* page->mapping is left: swapoff finds by it who had the page. */
	}
	unlock_page_memcg(page);
}

/**
 * Remove the entries by which one area maps a page. False: it could not, or should not.
 * @ported v5.10 static; but for huge pages, hugetlb, device memory, poisoned pages and userfaultfd
 */
export function try_to_unmap_one(
	page: page, vma: vm_area_struct, address: number, flags: number,
): boolean {
	const mm = vm_mm[vma];
	const { pvmw, range } = rmap_frame_current();
	let ret = true;

	page_vma_mapped_walk_init(pvmw, page, vma, address, 0);

	/* only a locked area can want the page mlocked */
	if ((flags & TTU_MUNLOCK) && !(vma_flags[vma] & VM_LOCKED))
		return true;

	if (flags & TTU_SPLIT_HUGE_PMD)
		VM_BUG_ON_PAGE(PageTransCompound(page), page, 'is to be split and cannot be huge');

	/*
	 * How secondary MMUs are told: page by page, until 369ea8242c0f put all between a start,
	 * after which they have dropped the range, and an end.
	 */
	const bracketed = applied(MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2
		/* 369ea8242c0f, v4.13 */);
	const selective = applied(MM_MMU_NOTIFIER_AVOID_DOUBLE_NOTIFICATION
		/* 0f10851ea475, v4.15 */);
	const after_ptl = applied(MM_MOVE_ALL_MMU_NOTIFIER_INVOCATIONS_OUTSIDE_THE_PT_LOCK
		/* 2ec74c3ef2d8, v3.7 */);
	const under_ptl = applied(MM_CONVERT_TRY_TO_UNMAP_ONE_TO_USE_PAGE_VMA_MAPPED_WALK
		/* c7ab0d2fdc84, v4.11 */);
	let unmapped = false;

	if (bracketed) {
		/* page_size() can be relied on: the caller's reference keeps the page. */
		mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, vma, mm, address,
			Math.min(vm_end[vma], address + page_size(page)));
		mmu_notifier_invalidate_range_start(range);
	}
	scheduling_point(RANGE_START_RETURN, page, address);

	while (page_vma_mapped_walk(pvmw)) {
		let pteval: pte_t;

		/* A locked area keeps its page, and sees to it that the page has the mark. */
		if (!(flags & TTU_IGNORE_MLOCK)) {
			if (vma_flags[vma] & VM_LOCKED) {
				if (!PageTransCompound(page))
					mlock_vma_page(page);
				ret = false;
				page_vma_mapped_walk_done(pvmw);
				break;
			}
			if (flags & TTU_MUNLOCK)
				continue;
		}

		VM_BUG_ON_PAGE(!pvmw.pte, page, 'is unmapped from a huge mapping');

		const { pte } = pvmw;
		const subpage = pte_pfn(ram[pte]!) as page;
		address = pvmw.address;
		const outer_mm = ptl_held_mm(), outer_address = ptl_held_address();
		ptl_hold(mm, address);
		scheduling_point(PTE_LOCKED, page, address);
		ptl_release(outer_mm, outer_address);

		if (!applied(MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS /* 013339df116c, v5.11 */) &&
		    !(flags & TTU_IGNORE_ACCESS)) {
			if (ptep_clear_flush_young_notify(vma, address, pte)) {
				ret = false;
				page_vma_mapped_walk_done(pvmw);
				break;
			}
		}

		const pteval_hi = pte_hi(pte);
		if (should_defer_flush(mm, flags)) {
			/*
			 * Until the flush, CPUs that have it dirty in the TLB go on writing; those
			 * that have it clean must walk the tables for the dirty bit, and fault.
			 */
			pteval = ptep_get_and_clear(mm, address, pte);
			set_tlb_ubc_flush_pending(mm, pte_dirty(pteval));
		} else {
			pteval = ptep_clear_flush(vma, address, pte);
		}
		ptl_hold(mm, address);
		if (!after_ptl) {
			mmu_notifier_invalidate_page(mm, address);
			scheduling_point(INVALIDATE_PAGE_RETURN, page, address);
		}
		scheduling_point(PTE_CLEARED, page, address);
		ptl_release(outer_mm, outer_address);

		/* only now: no walk can set it in the entry any more */
		if (pte_dirty(pteval))
			set_page_dirty(page);

		update_hiwater_rss(mm);

		discard: {
			if (flags & (TTU_MIGRATION | TTU_SPLIT_FREEZE)) {
				/*
				 * A fault that meets this entry waits in do_swap_page() for the end
				 * of the migration, and comes again.
				 */
				const entry = make_migration_entry(subpage, pte_write(pteval));
				let swp_pte = swp_entry_to_pte_lo(entry);

				if (pte_soft_dirty(pteval))
					swp_pte = pte_swp_mksoft_dirty(swp_pte);
				set_pte_at(mm, address, pte, swp_pte, swp_entry_to_pte_hi(entry));
				/* No invalidate_range(): who faults on it waits for the end. */
			} else if (PageAnon(page)) {
				const entry = page_private(subpage);

				if (WARN_ON_ONCE(PageSwapBacked(page) !== PageSwapCache(page),
					'an anonymous page is unmapped that has no swap entry')) {
					ret = false;
					/* ptep_clear_flush() does not tell secondary MMUs. */
					if (selective)
						mmu_notifier_invalidate_range(mm, address,
							address + PAGE_SIZE);
					page_vma_mapped_walk_done(pvmw);
					break;
				}

				/* lazily freed: it can go as it is, unless it was written to */
				if (!PageSwapBacked(page)) {
					/*
					 * One is the isolation's, one each mapping's. Any other may
					 * be of I/O that writes to the page.
					 */
					const refs_ok = !applied(
						MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO
						/* 6c8e2a256915, v5.17 */) ||
						page_ref_count(page) === 1 + page_mapcount(page);

					if (refs_ok && !PageDirty(page)) {
						if (selective)
							mmu_notifier_invalidate_range(mm, address,
								address + PAGE_SIZE);
						dec_mm_counter(mm, MM_ANONPAGES);
						break discard;
					}

					/* Written to again: it is an ordinary page from now on. */
					set_pte_at(mm, address, pte, pteval, pteval_hi);
					SetPageSwapBacked(page);
					ret = false;
					page_vma_mapped_walk_done(pvmw);
					break;
				}

				if (swap_duplicate(entry) < 0) {
					set_pte_at(mm, address, pte, pteval, pteval_hi);
					ret = false;
					page_vma_mapped_walk_done(pvmw);
					break;
				}
				if (list_empty(mms.mmlist(mm)))
					list_add(mms.mmlist(mm), init_mm_mmlist);
				dec_mm_counter(mm, MM_ANONPAGES);
				inc_mm_counter(mm, MM_SWAPENTS);
				let swp_pte = swp_entry_to_pte_lo(entry);
				if (pte_soft_dirty(pteval))
					swp_pte = pte_swp_mksoft_dirty(swp_pte);
				set_pte_at(mm, address, pte, swp_pte, swp_entry_to_pte_hi(entry));
				if (selective)
					mmu_notifier_invalidate_range(mm, address,
						address + PAGE_SIZE);
			} else {
				/*
				 * No invalidate_range(): the page lock keeps it in the cache, so up
				 * to range_end a device cannot miss a page that came in its place.
				 */
				dec_mm_counter(mm, mm_counter_file(page));
			}
		}
		page_remove_rmap(subpage, false);
		put_page(page);
		if (bracketed && !selective)
			mmu_notifier_invalidate_range(mm, address, address + PAGE_SIZE);
		else if (under_ptl && !bracketed) {
			ptl_hold(mm, address);
			mmu_notifier_invalidate_page(mm, address);
			scheduling_point(INVALIDATE_PAGE_RETURN, page, address);
			ptl_release(outer_mm, outer_address);
		}
		unmapped = true;
	}

	if (bracketed)
		mmu_notifier_invalidate_range_end(range);
	else if (unmapped && after_ptl && !under_ptl) {
		mmu_notifier_invalidate_page(mm, address);
		scheduling_point(INVALIDATE_PAGE_RETURN, page, address);
	}
	scheduling_point(RANGE_END, page, address);

	return ret;
}

/** @ported v5.10 static */
function invalid_migration_vma(vma: vm_area_struct): boolean {
	return vma_is_temporary_stack(vma);
}

/** @ported v5.10 static */
function page_mapcount_is_zero(page: page): boolean {
	return !total_mapcount(page);
}

/**
 * Remove all entries that map a page, which is locked. True if none is left.
 * @param flags TTU_*
 * @ported v5.10
 */
export function try_to_unmap(page: page, flags: number): boolean {
	const { try_to_unmap: rwc } = rmap_frame_enter();

	rwc.arg = flags;
	/* While exec moves its stack, the area is not where the entries are. */
	rwc.invalid_vma = (flags & (TTU_MIGRATION | TTU_SPLIT_FREEZE)) !== 0 && !PageKsm(page) &&
		PageAnon(page) ? invalid_migration_vma : null;

	if (flags & TTU_RMAP_LOCKED)
		rmap_walk_locked(page, rwc);
	else
		rmap_walk(page, rwc);
	rmap_frame_leave();

	return !page_mapcount(page);
}

/** @ported v5.10 static */
function page_not_mapped(page: page): boolean {
	return !page_mapped(page);
}

/**
 * Look whether another area holds a page mlocked, which is locked and off the LRU; if one does, the
 * page is mlocked again.
 * @ported v5.10
 */
export function try_to_munlock(page: page): void {
	VM_BUG_ON_PAGE(!PageLocked(page) || PageLRU(page), page,
		'is munlocked without its lock, or on the LRU');
	VM_BUG_ON_PAGE(PageCompound(page), page, 'is compound');

	const { try_to_munlock: rwc } = rmap_frame_enter();
	rmap_walk(page, rwc);
	rmap_frame_leave();
}

/** @ported v5.10 */
export function __put_anon_vma(anon_vma: anon_vma): void {
	const root = anon_vma_root[anon_vma];

	anon_vma_free(anon_vma);
	if (root !== anon_vma && --refcount[root] === 0)
		anon_vma_free(root);
}

/** @ported v5.10 static */
function rmap_walk_anon_lock<A>(page: page, rwc: rmap_walk_control<A>): anon_vma {
	if (rwc.anon_lock)
		return rwc.anon_lock(page, rwc);

	/*
	 * Not page_lock_anon_vma_read(): migration asks for pages without a mapping. The caller
	 * keeps the anon_vma, by mmap_lock or a reference.
	 */
	const anon_vma = page_anon_vma(page);
	if (!anon_vma)
		return NULL;

	anon_vma_lock_read(anon_vma);
	return anon_vma;
}

/** Visit the areas that can map an anonymous page, in the tree's order. @ported v5.10 static */
function rmap_walk_anon<A>(page: page, rwc: rmap_walk_control<A>, locked: boolean): void {
	let anon_vma: anon_vma;

	if (locked) {
		anon_vma = page_anon_vma(page);
		VM_BUG_ON_PAGE(!anon_vma, page, 'has no anon_vma while its lock is held');
	} else {
		anon_vma = rmap_walk_anon_lock(page, rwc);
	}
	if (!anon_vma)
		return;
	scheduling_point(RMAP_LOCKED, page, -1);

	const pgoff_start = page_to_pgoff(page);
	const pgoff_end = pgoff_start + thp_nr_pages(page) - 1;
	for (let avc = anon_vma_interval_tree_iter_first(anon_vma, pgoff_start, pgoff_end); avc;
	     avc = anon_vma_interval_tree_iter_next(avc, pgoff_start, pgoff_end)) {
		const vma = avc_vma[avc];
		const address = vma_address(page, vma);

		if (rwc.invalid_vma && rwc.invalid_vma(vma, rwc.arg))
			continue;

		if (!rwc.rmap_one(page, vma, address, rwc.arg))
			break;
		if (rwc.done && rwc.done(page))
			break;
	}

	if (!locked)
		anon_vma_unlock_read(anon_vma);
}

/** Visit the areas that can map a page of a file, in the tree's order. @ported v5.10 static */
function rmap_walk_file<A>(page: page, rwc: rmap_walk_control<A>, locked: boolean): void {
	const mapping = page_mapping(page);

	/* Without it, truncation could take the mapping away meanwhile. */
	VM_BUG_ON_PAGE(!PageLocked(page), page, 'is looked up in its file unlocked');

	if (!mapping)
		return;

	const pgoff_start = page_to_pgoff(page);
	const pgoff_end = pgoff_start + thp_nr_pages(page) - 1;
	if (!locked) {
		if (rwc.try_lock && !i_mmap_trylock_read(mapping)) {
			rwc.contended = true;
			return;
		}
		if (!rwc.try_lock)
			i_mmap_lock_read(mapping);
	}
	scheduling_point(RMAP_LOCKED, page, -1);
	for (let vma = vma_interval_tree_iter_first(mapping, pgoff_start, pgoff_end); vma;
	     vma = vma_interval_tree_iter_next(vma, pgoff_start, pgoff_end)) {
		const address = vma_address(page, vma);

		if (rwc.invalid_vma && rwc.invalid_vma(vma, rwc.arg))
			continue;

		if (!rwc.rmap_one(page, vma, address, rwc.arg))
			break;
		if (rwc.done && rwc.done(page))
			break;
	}
	if (!locked)
		i_mmap_unlock_read(mapping);
}

/** Visit the areas that can map a page. @ported v5.10; but for KSM */
export function rmap_walk<A>(page: page, rwc: rmap_walk_control<A>): void {
	VM_BUG_ON_PAGE(PageKsm(page), page, 'is shared by content');
	if (PageAnon(page))
		rmap_walk_anon(page, rwc, false);
	else
		rmap_walk_file(page, rwc, false);
}

/** rmap_walk() that takes no rmap lock, since it is held already. @ported v5.10 */
export function rmap_walk_locked<A>(page: page, rwc: rmap_walk_control<A>): void {
	VM_BUG_ON_PAGE(PageKsm(page), page, 'is shared by content');
	if (PageAnon(page))
		rmap_walk_anon(page, rwc, true);
	else
		rmap_walk_file(page, rwc, true);
}

/* include/linux/rmap.h */

/** @ported v5.10 include/linux/rmap.h:put_anon_vma() */
export function put_anon_vma(anon_vma: anon_vma): void {
	if (--refcount[anon_vma] === 0)
		__put_anon_vma(anon_vma);
}

/** Make sure that an area has an anon_vma. 0 or -ENOMEM. @ported v5.10 include/linux/rmap.h */
export function anon_vma_prepare(vma: vm_area_struct): number {
	if (vma_anon_vma[vma])
		return 0;

	return __anon_vma_prepare(vma);
}

/** `next` merges into `vma`, which has the same anon_vma. @ported v5.10 include/linux/rmap.h */
export function anon_vma_merge(vma: vm_area_struct, next: vm_area_struct): void {
	VM_BUG_ON(vma_anon_vma[vma] !== vma_anon_vma[next], 'areas of two anon_vmas merge');
	unlink_anon_vmas(next);
}

/**
 * Another mapping of a page that is mapped: fork.
 * @ported v5.10 include/linux/rmap.h:page_dup_rmap(); but for huge pages
 */
export function page_dup_rmap(page: page, compound: boolean): void {
	VM_BUG_ON_PAGE(compound, page, 'is mapped huge and is not');
	_mapcount[page]++;
}
