// SPDX-License-Identifier: GPL-2.0-only
/*
 * History as switches: the commits that change the behaviour of what is ported. Unmarked code is
 * v5.10.0. A commit that came later is a guard whose taken side is off there; one that v5.10 has
 * already is a guard whose other side is what older kernels do. The set that a machine's kernel has
 * is part of the machine, so it lies in the arena.
 */
import { carve } from './arena.ts';

/** Another commit that a commit cannot be without. */
export interface Need {
	readonly id: string;
	/** Why, as the end of a sentence: "... because `because`". */
	readonly because: string;
}

export interface Commit {
	/** Abbreviated to 12 hexadecimal digits, as in a Fixes: tag. */
	readonly id: string;
	readonly subject: string;
	/** First mainline release that has it. */
	readonly release: string;
	/** First stable release of v5.10.y that has it; undefined: none has, or v5.10 has it. */
	readonly stable: string | undefined;
	/** Day on which it was written (author date), `2020-12-14`; undefined: not verified. */
	readonly date?: string;
	/** Functions that it changes, of those ported, as the base version calls them. */
	readonly where: readonly string[];
	/** What it changes, in a sentence. */
	readonly changes: string;
	/** Commits that it cannot be without. */
	readonly needs?: readonly Need[];
	/** Programs below test/litmus whose outcome changes with it, without their ending. */
	readonly programs?: readonly string[];
}

const table: Commit[] = [];
function commit(
	id: string, release: string, stable: string | undefined, subject: string,
	more: Pick<Commit, 'date' | 'where' | 'changes' | 'needs' | 'programs'>,
): number {
	return table.push({ id, release, stable, subject, ...more }) - 1;
}

export const MEMCG_MAKE_PAGE_REFERENCED_CGROUP_AWARE = commit(
	'bed7161a519a', 'v2.6.25', undefined,
	'Memory controller: make page_referenced() cgroup aware', {
		date: '2008-02-07',
		where: ['mm/rmap.c:page_referenced'],
		changes: 'Reclaim of a cgroup neither counts nor clears the accessed ' +
			"bits of other cgroups' mappings.",
		programs: ['history/bed7161a519a-foreign-mapping'],
	});
export const MM_DONT_WASTE_SWAP_ON_LOCKED_PAGES = commit(
	'5a9bbdcd29ad', 'v2.6.25', undefined,
	"mm: don't waste swap on locked pages", {
		date: '2008-02-04',
		where: ['mm/rmap.c:page_referenced_one'],
		changes: 'A page that reclaim finds in a VM_LOCKED area counts as ' +
			'referenced, before it gets a place in swap.',
		programs: ['history/5a9bbdcd29ad-swap-for-a-locked-page'],
	});
export const MMU_NOTIFIERS_CORE = commit(
	'cddb8a5c14aa', 'v2.6.27', undefined,
	'mmu-notifiers: core', {
		date: '2008-07-28',
		where: [
			'include/linux/mmu_notifier.h:ptep_clear_flush_young_notify',
			'mm/rmap.c:try_to_unmap_one',
		],
		changes: 'Secondary MMUs are asked for their accessed bits, and told ' +
			'of what is unmapped.',
		programs: ['history/cddb8a5c14aa-a-guest'],
	});
export const MLOCK_MLOCKED_PAGES_ARE_UNEVICTABLE = commit(
	'b291f000393f', 'v2.6.28', undefined,
	'mlock: mlocked pages are unevictable', {
		date: '2008-10-18',
		where: [
			'mm/mlock.c:mlock_vma_page',
			'mm/swap.c:lru_cache_add_inactive_or_unevictable',
			'mm/rmap.c:page_referenced_one',
			'mm/rmap.c:try_to_unmap_one',
		],
		changes: 'Pages of VM_LOCKED areas get PG_mlocked and leave the LRU ' +
			'lists that reclaim scans.',
		needs: [{ id: '5a9bbdcd29ad',
			because: 'it changes what that did with a VM_LOCKED area' }],
		programs: ['history/b291f000393f-mlock'],
	});
export const MM_MORE_LIKELY_RECLAIM_MADV_SEQUENTIAL_MAPPINGS = commit(
	'4917e5d0499b', 'v2.6.29', undefined,
	'mm: more likely reclaim MADV_SEQUENTIAL mappings', {
		date: '2009-01-06',
		where: ['mm/rmap.c:page_referenced_one'],
		changes: 'The accessed bit of a MADV_SEQUENTIAL mapping is cleared but' +
			' not counted.',
		programs: ['history/4917e5d0499b-sequential'],
	});
export const VMSCAN_MAKE_MAPPED_EXECUTABLE_PAGES_THE_FIRST_CLASS_CITIZEN = commit(
	'8cab4754d24a', 'v2.6.31', undefined,
	'vmscan: make mapped executable pages the first class citizen', {
		date: '2009-06-16',
		where: ['mm/vmscan.c:shrink_active_list'],
		changes: 'Referenced file pages of executable mappings stay on the ' +
			'active list.',
		programs: ['history/8cab4754d24a-executable'],
	});
export const MM_FIX_FOR_INFINITE_CHURNING_OF_MLOCKED_PAGES = commit(
	'03ef83af5288', 'v2.6.31', undefined,
	'mm: fix for infinite churning of mlocked pages', {
		date: '2009-08-26',
		where: ['mm/rmap.c:page_referenced_one', 'mm/vmscan.c:page_check_references'],
		changes: 'A VM_LOCKED area makes reclaim go on to try_to_unmap() ' +
			'though the page is referenced, which culls it.',
		needs: [{ id: 'b291f000393f',
			because: 'without it try_to_unmap() does not cull such a page' }],
		programs: ['history/03ef83af5288-locked-in-the-window'],
	});
export const VMSCAN_FACTOR_OUT_PAGE_REFERENCE_CHECKS = commit(
	'dfc8d636cdb9', 'v2.6.34', undefined,
	'vmscan: factor out page reference checks', {
		date: '2010-03-05',
		where: ['mm/vmscan.c:page_check_references'],
		changes: 'A page of a VM_LOCKED area is written though it is ' +
			'referenced; before, a dirty one was kept.',
		needs: [{ id: '03ef83af5288',
			because: 'it moves the test that this one brought' }],
		programs: ['history/dfc8d636cdb9-unlocked-again'],
	});
export const VMSCAN_DETECT_MAPPED_FILE_PAGES_USED_ONLY_ONCE = commit(
	'645747462435', 'v2.6.34', undefined,
	'vmscan: detect mapped file pages used only once', {
		where: ['mm/vmscan.c:page_check_references', 'mm/rmap.c:page_referenced'],
		changes: 'A mapped file page that was referenced once stays on the ' +
			'inactive list; before, any reference activated it.',
		needs: [{ id: 'dfc8d636cdb9',
			because: 'it is about the function that this one makes' }],
		programs: ['history/645747462435-used-once'],
	});
export const MM_VMSCAN_CONVERT_GLOBAL_RECLAIM_TO_PER_MEMCG_LRU_LISTS = commit(
	'b95a2f2d486d', 'v3.3', undefined,
	'mm: vmscan: convert global reclaim to per-memcg LRU lists', {
		where: ['mm/vmscan.c:page_check_references', 'mm/vmscan.c:shrink_active_list'],
		changes: 'Global reclaim, too, ignores references from outside of the ' +
			"page's own cgroup, by an oversight.",
		needs: [{ id: 'bed7161a519a',
			because: 'it is about the filter that this one brought' }],
		programs: ['history/b95a2f2d486d-stranger-under-pressure'],
	});
export const VMSCAN_PROMOTE_SHARED_FILE_MAPPED_PAGES = commit(
	'34dbc67a644f', 'v3.3', undefined,
	'vmscan: promote shared file mapped pages', {
		where: ['mm/vmscan.c:page_check_references'],
		changes: 'A page that two areas have referenced is activated at once.',
		needs: [{ id: '645747462435',
			because: 'before it every reference activated' }],
		programs: ['history/34dbc67a644f-shared'],
	});
export const VMSCAN_ACTIVATE_EXECUTABLE_PAGES_AFTER_FIRST_USAGE = commit(
	'c909e99364c8', 'v3.3', undefined,
	'vmscan: activate executable pages after first usage', {
		where: ['mm/vmscan.c:page_check_references'],
		changes: 'A file page that an executable mapping has referenced is ' +
			'activated at once.',
		needs: [{ id: '645747462435',
			because: 'before it every reference activated' }],
		programs: ['history/c909e99364c8-executable'],
	});
export const MM_MEMCG_COUNT_PTE_REFERENCES_FROM_EVERY_MEMBER = commit(
	'c3ac9a8ade65', 'v3.5', undefined,
	'mm: memcg: count pte references from every member of the reclaimed hierarchy', {
		where: [
			'include/linux/memcontrol.h:mm_match_cgroup',
			'mm/vmscan.c:page_check_references',
			'mm/vmscan.c:shrink_active_list',
		],
		changes: 'References count from all of the subtree that is reclaimed; ' +
			"before, from the page's own cgroup alone.",
		needs: [{ id: 'b95a2f2d486d',
			because: 'it sets right what that broke' }],
		programs: ['history/c3ac9a8ade65-reference-from-a-sibling'],
	});
export const MM_CONSIDER_ALL_SWAPPED_BACK_PAGES_IN_USED_ONCE_LOGIC = commit(
	'e48982734ea0', 'v3.5', undefined,
	'mm: consider all swapped back pages in used-once logic', {
		where: ['mm/vmscan.c:page_check_references'],
		changes: 'Pages of shmem are activated by their first reference, as ' +
			'anonymous ones are (until b518154e59aa).',
		needs: [{ id: '645747462435',
			because: 'it exempts pages from what that brought' }],
		programs: ['history/e48982734ea0-shmem'],
	});
export const MM_MOVE_ALL_MMU_NOTIFIER_INVOCATIONS_OUTSIDE_THE_PT_LOCK = commit(
	'2ec74c3ef2d8', 'v3.7', undefined,
	'mm: move all mmu notifier invocations to be done outside the PT lock', {
		where: ['mm/rmap.c:try_to_unmap_one'],
		changes: 'try_to_unmap_one() tells secondary MMUs after it dropped the' +
			' page-table lock.',
		needs: [{ id: 'cddb8a5c14aa',
			because: 'it moves calls that this one brought' }],
		programs: ['history/2ec74c3ef2d8-after-the-lock'],
	});
export const MM_CONVERT_TRY_TO_UNMAP_ONE_TO_USE_PAGE_VMA_MAPPED_WALK = commit(
	'c7ab0d2fdc84', 'v4.11', undefined,
	'mm: convert try_to_unmap_one() to use page_vma_mapped_walk()', {
		where: ['mm/rmap.c:try_to_unmap_one'],
		changes: 'try_to_unmap_one() tells secondary MMUs of each entry, under' +
			' the page-table lock, after the reference is dropped.',
		needs: [{ id: '2ec74c3ef2d8',
			because: 'it moves the same call again' }],
		programs: ['history/c7ab0d2fdc84-under-the-lock'],
	});
export const MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2 = commit(
	'369ea8242c0f', 'v4.13', undefined,
	'mm/rmap: update to new mmu_notifier semantic v2', {
		date: '2017-08-31',
		where: ['mm/rmap.c:try_to_unmap_one', 'mm/rmap.c:page_mkclean_one'],
		changes: 'Secondary MMUs drop the range before its accessed bits are ' +
			'tested: those of a guest cannot rescue a page any more.',
		needs: [{ id: 'c7ab0d2fdc84',
			because: 'it replaces the call that this one placed' }],
		programs: ['history/369ea8242c0f-guest-in-the-window'],
	});
export const MM_MMU_NOTIFIER_AVOID_DOUBLE_NOTIFICATION = commit(
	'0f10851ea475', 'v4.15', undefined,
	'mm/mmu_notifier: avoid double notification when it is useless', {
		date: '2017-11-15',
		where: ['mm/rmap.c:try_to_unmap_one'],
		changes: 'invalidate_range() is called for swapped and lazily freed ' +
			'pages alone, and before the reference is dropped.',
		needs: [{ id: '369ea8242c0f',
			because: 'it leaves out calls that this one brought' }],
		programs: ['history/0f10851ea475-file-page'],
	});
export const MM_MMU_NOTIFIER_AVOID_CALL_TO_INVALIDATE_RANGE_IN_RANGE_END = commit(
	'4645b9fe84bf', 'v4.15', undefined,
	'mm/mmu_notifier: avoid call to invalidate_range() in range_end()', {
		where: ['mm/memory.c:wp_page_copy'],
		changes: 'A copy on write tells secondary MMUs once by invalidate_range(); ' +
			'before, a second time at the end of its range.',
		programs: ['history/4645b9fe84bf-copy'],
	});
export const MM_VMSCAN_DO_NOT_SHARE_CGROUP_ITERATION_BETWEEN_RECLAIMERS = commit(
	'1ba6fc9af35b', 'v5.4', undefined,
	'mm: vmscan: do not share cgroup iteration between reclaimers', {
		where: ['mm/vmscan.c:shrink_node_memcgs'],
		changes: 'Each reclaim goes through all cgroups; before, one cgroup ' +
			'after another in turn until it had enough.',
		programs: ['history/1ba6fc9af35b-one-group-after-another'],
	});
export const MM_VMSCAN_DETECT_FILE_THRASHING_AT_THE_RECLAIM_ROOT = commit(
	'b910718a948a', 'v5.5', undefined,
	'mm: vmscan: detect file thrashing at the reclaim root', {
		date: '2019-11-30',
		where: ['mm/vmscan.c:snapshot_refaults', 'mm/vmscan.c:shrink_list'],
		changes: 'Whether file pages thrash is seen at the root of the ' +
			'reclaim; before, in each cgroup by itself.',
		programs: ['history/b910718a948a-thrashing-next-door'],
	});
export const MM_VMSCAN_ENFORCE_INACTIVE_ACTIVE_RATIO_AT_THE_RECLAIM_ROOT = commit(
	'b91ac374346b', 'v5.5', undefined,
	'mm: vmscan: enforce inactive:active ratio at the reclaim root', {
		where: [
			'mm/vmscan.c:shrink_list',
			'mm/vmscan.c:get_scan_count',
			'mm/vmscan.c:shrink_lruvec',
		],
		changes: 'Whether active pages are aged is decided at the root of the ' +
			'reclaim; before, in each cgroup by itself.',
		needs: [{ id: 'b910718a948a',
			because: 'it decides by the refaults that this one moved' }],
		programs: ['history/b91ac374346b-balanced-as-a-whole'],
	});
export const MM_BASE_LRU_BALANCING_ON_AN_EXPLICIT_COST_MODEL = commit(
	'1431d4d11abb', 'v5.8', undefined,
	'mm: base LRU balancing on an explicit cost model', {
		date: '2020-06-03',
		where: [
			'mm/vmscan.c:get_scan_count',
			'mm/vmscan.c:shrink_inactive_list',
			'mm/vmscan.c:shrink_active_list',
			'mm/swap.c:lru_note_cost',
		],
		changes: 'Anonymous and file pages are balanced by their cost; before,' +
			' by how many of the pages scanned were rotated.',
		programs: ['history/1431d4d11abb-nothing-was-rotated'],
	});
export const MM_BALANCE_LRU_LISTS_BASED_ON_RELATIVE_THRASHING = commit(
	'314b57fb0460', 'v5.8', undefined,
	'mm: balance LRU lists based on relative thrashing', {
		date: '2020-06-03',
		where: ['mm/vmscan.c:shrink_inactive_list', 'mm/workingset.c:workingset_refault'],
		changes: 'The cost is the refaults of the working set; before, the ' +
			'rotations.',
		needs: [{ id: '1431d4d11abb',
			because: 'it is about the cost that this one brought' }],
		programs: ['history/314b57fb0460-rotated-is-no-cost'],
	});
export const MM_VMSCAN_DETERMINE_ANON_FILE_PRESSURE_BALANCE_AT_THE_RECLAIM_ROOT = commit(
	'7cf111bc39f6', 'v5.8', undefined,
	'mm: vmscan: determine anon/file pressure balance at the reclaim root', {
		date: '2020-06-03',
		where: ['mm/vmscan.c:get_scan_count', 'mm/swap.c:lru_note_cost'],
		changes: 'The balance is taken from the root of the reclaim; before, ' +
			'from each cgroup by itself.',
		needs: [{ id: '314b57fb0460',
			because: 'it is of the same series and moves what that counts' }],
		programs: ['history/7cf111bc39f6-cost-next-door'],
	});
export const MM_VMSCAN_RECLAIM_WRITEPAGE_IS_IO_COST = commit(
	'96f8bf4fb1dd', 'v5.8', undefined,
	'mm: vmscan: reclaim writepage is IO cost', {
		date: '2020-06-03',
		where: ['mm/vmscan.c:shrink_inactive_list'],
		changes: 'Pages that reclaim writes are cost too.',
		needs: [{ id: '7cf111bc39f6',
			because: 'it is of the same series and comes after it' }],
		programs: ['history/96f8bf4fb1dd-writes-are-cost'],
	});
export const MM_VMSCAN_LIMIT_THE_RANGE_OF_LRU_TYPE_BALANCING = commit(
	'd483a5dd009a', 'v5.8', undefined,
	'mm: vmscan: limit the range of LRU type balancing', {
		date: '2020-06-03',
		where: ['mm/vmscan.c:get_scan_count'],
		changes: 'The costlier type gets at least a third of the scanning.',
		needs: [{ id: '96f8bf4fb1dd',
			because: 'it is of the same series and comes after it' }],
		programs: ['history/d483a5dd009a-not-below-a-third'],
	});
export const KVM_FIX_APIC_PAGE_INVALIDATION_RACE = commit(
	'e649b3f0188f', 'v5.8', undefined,
	'KVM: x86: Fix APIC page invalidation race', {
		where: ['virt/kvm/kvm_main.c:kvm_init_mmu_notifier'],
		changes: 'KVM has an invalidate_range(), for the page of its APIC.',
		programs: ['history/e649b3f0188f-invalidate-range'],
	});
export const MM_VMSCAN_PROTECT_THE_WORKINGSET_ON_ANONYMOUS_LRU = commit(
	'b518154e59aa', 'v5.9', undefined,
	'mm/vmscan: protect the workingset on anonymous LRU', {
		date: '2020-08-11',
		where: [
			'mm/vmscan.c:page_check_references',
			'mm/swap.c:lru_cache_add_inactive_or_unevictable',
			'mm/memory.c:do_swap_page',
		],
		changes: 'New anonymous pages begin on the inactive list and are ' +
			'activated when they are referenced twice; before, they began active.',
		needs: [{ id: 'e48982734ea0',
			because: 'it lifts the exemption that this one widened' }],
		programs: ['history/b518154e59aa-new-pages'],
	});
export const MM_SWAP_IMPLEMENT_WORKINGSET_DETECTION_FOR_ANONYMOUS_LRU = commit(
	'aae466b0052e', 'v5.9', undefined,
	'mm/swap: implement workingset detection for anonymous LRU', {
		date: '2020-08-11',
		where: [
			'mm/vmscan.c:__remove_mapping',
			'mm/swap_state.c:__read_swap_cache_async',
			'mm/memory.c:do_swap_page',
		],
		changes: 'A page that is swapped out leaves a shadow entry, so that ' +
			'its refault can activate it.',
		needs: [{ id: 'b518154e59aa',
			because: 'it tells which of those inactive pages are of the working set' }],
		programs: ['history/aae466b0052e-refault'],
	});
export const MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS = commit(
	'013339df116c', 'v5.11', 'v5.10.4',
	'mm/rmap: always do TTU_IGNORE_ACCESS', {
		where: ['mm/rmap.c:try_to_unmap_one'],
		changes: 'try_to_unmap() takes a page away whatever its accessed bits ' +
			'say: neither a foreign reference nor one in the window rescues it.',
		programs: ['foreign-half', 'window', 'history/013339df116c-window'],
	});
export const MM_DONT_PUT_PINNED_PAGES_INTO_THE_SWAP_CACHE = commit(
	'feb889fb40fa', 'v5.11', 'v5.10.9',
	"mm: don't put pinned pages into the swap cache", {
		where: ['mm/vmscan.c:shrink_page_list'],
		changes: 'Reclaim leaves an anonymous page alone that may be pinned ' +
			'for DMA.',
		programs: ['history/feb889fb40fa-pinned'],
	});
export const MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH = commit(
	'e82553c10b08', 'v5.11', 'v5.10.16',
	'Revert "mm: memcontrol: avoid workload stalls when lowering memory.high"', {
		where: ['mm/memcontrol.c:memory_high_write'],
		changes: 'memory.high is set before the reclaim that a write to it does.',
		programs: ['history/e82553c10b08-high-first'],
	});
export const MM_FIX_CLEAR_REFS_WRITE_LOCKING = commit(
	'29a951dfb3c3', 'v5.11', 'v5.10.9',
	'mm: fix clear_refs_write locking', {
		where: ['fs/proc/task_mmu.c:clear_refs_write'],
		changes: 'clear_refs holds mmap_lock for writing all the time.',
	});
export const MM_DONT_PLAY_GAMES_WITH_PINNED_PAGES_IN_CLEAR_PAGE_REFS = commit(
	'9348b73c2e1b', 'v5.11', 'v5.10.9',
	"mm: don't play games with pinned pages in clear_page_refs", {
		where: ['fs/proc/task_mmu.c:clear_soft_dirty'],
		changes: 'clear_refs 4 leaves pages alone that may be pinned.',
		programs: ['history/9348b73c2e1b-pinned'],
	});
export const MM_WORKINGSET_CLARIFY_EVICTION_ORDER_AND_DISTANCE_CALCULATION = commit(
	'aeddcee6c17b', 'v5.12', undefined,
	'mm: workingset: clarify eviction order and distance calculation', {
		where: ['mm/workingset.c:workingset_eviction'],
		changes: 'A refault counts as one page further away: the eviction of the page ' +
			'itself is counted.',
		programs: ['history/aeddcee6c17b-one-page-further'],
	});
export const MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START = commit(
	'c2655835fd8c', 'v5.12', 'v5.10.27',
	'mm/mmu_notifiers: ensure range_end() is paired with range_start()', {
		where: ['mm/mmu_notifier.c:mn_hlist_invalidate_range_start'],
		changes: 'When a start fails, those that did start are told the end.',
	});
export const KVM_CONSIDER_THE_HVA_IN_MMU_NOTIFIER_RETRY = commit(
	'4a42d848db95', 'v5.12', undefined,
	'KVM: x86/mmu: Consider the hva in mmu_notifier retry', {
		where: ['include/linux/kvm_host.h:is_page_fault_stale'],
		changes: "A guest's fault waits for an invalidation that is under way only if it " +
			'is about the same addresses; before, for any of the task.',
		programs: ['history/4a42d848db95-another-page'],
	});
export const MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2 = commit(
	'2d1c498072de', 'v5.12', 'v5.10.20',
	'mm: memcontrol: fix swap undercounting in cgroup2', {
		where: ['mm/memcontrol.c:mem_cgroup_charge'],
		changes: 'A page that is swapped in keeps the charge of its swap slot ' +
			'as long as it has the slot.',
		programs: ['history/2d1c498072de-swapped-in'],
	});
export const MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY = commit(
	'912efa17e512', 'v5.12', 'v5.10.20',
	'mm: proc: Invalidate TLB after clearing soft-dirty page state', {
		where: ['fs/proc/task_mmu.c:clear_refs_write'],
		changes: 'clear_refs 4 flushes the TLB.',
		programs: ['history/912efa17e512-stale-entry'],
	});
export const MM_SWITCH_TO_RSTAT = commit(
	'2d146aa3aa84', 'v5.13', undefined,
	'mm: memcontrol: switch to rstat', {
		date: '2021-04-29',
		where: [
			'mm/memcontrol.c:__mod_memcg_state',
			'mm/memcontrol.c:__count_memcg_events',
		],
		changes: 'memory.stat is exact; before, up to 32 pages of each counter were ' +
			'kept back by each CPU.',
		programs: ['history/2d146aa3aa84-exact-statistics'],
	});
export const MM_FIX_OOMS_DUE_TO_PROPORTIONAL_MEMORY_LOW = commit(
	'f56ce412a59d', 'v5.14', 'v5.10.61',
	'mm: memcontrol: fix occasional OOMs due to proportional memory.low reclaim', {
		where: ['mm/vmscan.c:get_scan_count'],
		changes: 'Pages that memory.low spares in part are noted, so that ' +
			'reclaim comes back for them before it gives up.',
	});
export const MM_AVOID_DIVIDE_BY_ZERO_IN_MEMORY_LOW = commit(
	'32d4f4b782bb', 'v5.14', 'v5.10.67',
	'mm, memcg: avoid potential divide by zero in proportional reclaim', {
		where: ['mm/vmscan.c:get_scan_count'],
		changes: 'The divisor of the protected share is one page more.',
		needs: [{ id: 'f56ce412a59d',
			because: 'it changes the divisor where that put it' }],
	});
export const KVM_DONT_TAKE_MMU_LOCK_FOR_RANGE_INVALIDATION = commit(
	'071064f14d87', 'v5.15', undefined,
	"KVM: Don't take mmu_lock for range invalidation unless necessary", {
		where: [
			'virt/kvm/kvm_main.c:kvm_mmu_notifier_invalidate_range_start',
			'virt/kvm/kvm_main.c:kvm_mmu_notifier_invalidate_range_end',
		],
		changes: 'An invalidation of what is in no slot of a guest turns back none of ' +
			'its faults; and while one is under way, no slot comes or goes.',
		needs: [{ id: '4a42d848db95',
			because: 'it rests on the ranges that this one notes' }],
		programs: ['history/071064f14d87-in-no-slot'],
	});
export const KVM_ENABLE_TDP_MMU_BY_DEFAULT = commit(
	'71ba3f3189c7', 'v5.15', undefined,
	'KVM: x86: enable TDP MMU by default', {
		where: ['arch/x86/kvm/mmu/mmu.c:direct_pte_prefetch'],
		changes: 'With EPT or NPT a fault maps its own page alone; before, also those ' +
			'beside it that the task has.',
		programs: ['history/71ba3f3189c7-one-page-a-fault'],
	});
export const MEMCG_SWITCH_LRUVEC_STATS_TO_RSTAT = commit(
	'7e1c0d6f5820', 'v5.15', undefined,
	'memcg: switch lruvec stats to rstat', {
		where: ['mm/memcontrol.c:__mod_memcg_lruvec_state'],
		changes: 'What reclaim reads of the lengths of LRU lists and of refaults is as ' +
			'old as the last flush; before, each CPU kept back up to 32 pages.',
		needs: [{ id: '2d146aa3aa84',
			because: 'it is flushed together with what that made' }],
		programs: ['history/7e1c0d6f5820-read-before'],
	});
export const MEMCG_INFRASTRUCTURE_TO_FLUSH_MEMCG_STATS = commit(
	'aa48e47e3906', 'v5.15', undefined,
	'memcg: infrastructure to flush memcg stats', {
		where: ['mm/vmscan.c:shrink_node'],
		changes: 'Reclaim flushes the counters of cgroups before it reads them.',
		needs: [{ id: '7e1c0d6f5820',
			because: 'it flushes what that made' }],
		programs: ['history/aa48e47e3906-short-lists'],
	});
export const MM_PAGEFAULT_OOM_DONT_FORCE_GLOBAL_OOM_FOR_DYING_TASKS = commit(
	'0b28179a6138', 'v5.16', 'v5.10.80',
	"mm, oom: pagefault_out_of_memory: don't force global OOM for dying tasks", {
		where: ['mm/oom_kill.c:pagefault_out_of_memory'],
		changes: 'A fault of a task that is killed already calls no OOM killer.',
	});
export const MM_OOM_DO_NOT_TRIGGER_OUT_OF_MEMORY_FROM_THE_PF = commit(
	'60e2793d440a', 'v5.16', 'v5.10.80',
	'mm, oom: do not trigger out_of_memory from the #PF', {
		where: ['mm/oom_kill.c:pagefault_out_of_memory'],
		changes: 'A fault without memory is tried again; it does not call the ' +
			'OOM killer itself.',
	});
export const MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS = commit(
	'a4ebf1b6ca1e', 'v5.16', 'v5.10.80',
	'memcg: prohibit unconditional exceeding the limit of dying tasks', {
		where: ['mm/memcontrol.c:try_charge'],
		changes: 'A task that is killed may not charge past the limit without ' +
			'an end.',
	});
export const MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO = commit(
	'6c8e2a256915', 'v5.17', 'v5.10.111',
	'mm: fix race between MADV_FREE reclaim and blkdev direct IO read', {
		where: ['mm/rmap.c:try_to_unmap_one'],
		changes: 'A lazily freed page is discarded only if nobody but its ' +
			'mappings holds it.',
		programs: ['history/6c8e2a256915-pinned'],
	});
export const OOM_KILL_DELAY_THE_OOM_REAPER = commit(
	'e4a38402c36e', 'v5.18', 'v5.10.113',
	'oom_kill.c: futex: delay the OOM reaper to allow time for proper futex cleanup', {
		where: ['mm/oom_kill.c:queue_oom_reaper'],
		changes: 'The OOM reaper waits two seconds before it takes memory.',
	});
export const MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED = commit(
	'5abfd71d936a', 'v5.18', 'v5.10.111',
	"mm: don't skip swap entry even if zap_details specified", {
		where: ['mm/memory.c:zap_pte_range'],
		changes: 'Swap entries of private copies go too when a file is truncated.',
		programs: ['history/5abfd71d936a-private-copy'],
	});
export const MM_MUNLOCK_RMAP_CALL_MLOCK_VMA_PAGE = commit(
	'cea86fe246b6', 'v5.18', undefined,
	'mm/munlock: rmap call mlock_vma_page() munlock_vma_page()', {
		date: '2022-02-14',
		where: ['mm/rmap.c:page_referenced_one', 'mm/rmap.c:try_to_unmap_one'],
		changes: 'page_referenced_one() that meets a VM_LOCKED area mlocks the' +
			' page itself.',
		programs: ['history/cea86fe246b6-locked-and-active'],
	});
export const MM_THP_SHRINK_PAGE_LIST_AVOID_SPLITTING_VM_LOCKED = commit(
	'47d4f3ee4dfc', 'v5.18', undefined,
	'mm/thp: shrink_page_list() avoid splitting VM_LOCKED THP', {
		where: ['mm/vmscan.c:page_check_references'],
		changes: 'A page of a VM_LOCKED area is not sent to try_to_unmap() any' +
			' more: no place in swap, no call of a secondary MMU.',
		needs: [{ id: 'cea86fe246b6',
			because: 'it relies on the page being mlocked already' }],
		programs: ['history/47d4f3ee4dfc-locked-in-the-window'],
	});
export const MEMCG_MEMORY_RECLAIM = commit(
	'94968384dde1', 'v5.19', undefined,
	'memcg: introduce per-memcg reclaim interface', {
		where: ['mm/memcontrol.c:memory_reclaim'],
		changes: 'There is a file memory.reclaim.',
		programs: ['history/94968384dde1-memory-reclaim'],
	});
export const MM_DONT_BE_STUCK_TO_RMAP_LOCK_ON_RECLAIM_PATH = commit(
	'6d4675e60135', 'v5.19', undefined,
	"mm: don't be stuck to rmap lock on reclaim path", {
		where: [
			'mm/rmap.c:page_referenced',
			'mm/rmap.c:rmap_walk_anon',
			'mm/rmap.c:rmap_walk_file',
			'mm/vmscan.c:page_check_references',
		],
		changes: 'Reclaim keeps a page whose rmap lock is contended; before, ' +
			'it waited.',
	});
export const KVM_DONT_SET_ACCESSED_DIRTY_BITS_FOR_ZERO_PAGE = commit(
	'a1040b0d42ac', 'v6.0', 'v5.10.137',
	"KVM: Don't set Accessed/Dirty bits for ZERO_PAGE", {
		where: ['virt/kvm/kvm_main.c:kvm_set_pfn_accessed'],
		changes: 'What a guest did with the zero page marks neither it nor ' +
			'its reference; before, it got PG_referenced and PG_dirty.',
		programs: ['history/a1040b0d42ac-zero-page'],
	});
export const KVM_AVOID_PFN_TO_PAGE_WHEN_RELEASING_PAGES = commit(
	'8e1c69149f27', 'v6.0', undefined,
	'KVM: Avoid pfn_to_page() and vice versa when releasing pages', {
		where: ['virt/kvm/kvm_main.c:kvm_release_pfn_clean'],
		changes: "A fault of a guest marks its page accessed once more when it is done " +
			'with it, so that one fault activates a page.',
		needs: [{ id: 'a1040b0d42ac',
			because: 'it uses what that made of the test for pages that are marked' }],
		programs: ['history/8e1c69149f27-one-fault-activates'],
	});
export const MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY = commit(
	'2555283eb40d', 'v6.0', 'v5.10.141',
	'mm/rmap: Fix anon_vma->degree ambiguity leading to double-reuse', {
		where: ['mm/rmap.c:anon_vma_clone'],
		changes: 'Which anon_vma fork may reuse is decided by children and ' +
			'areas apart.',
	});
export const MEMCG_INCREASE_MEMCG_CHARGE_BATCH_TO_64 = commit(
	'1813e51eece0', 'v6.1', undefined,
	'memcg: increase MEMCG_CHARGE_BATCH to 64', {
		where: ['mm/memcontrol.c:try_charge'],
		changes: 'A CPU charges 64 pages at once; before, 32.',
		programs: ['history/1813e51eece0-64-at-once'],
	});
export const MM_VMSCAN_FIX_EXTREME_OVERRECLAIM = commit(
	'f53af4285d77', 'v6.1', 'v5.10.157',
	'mm: vmscan: fix extreme overreclaim and swap floods', {
		where: ['mm/vmscan.c:shrink_lruvec'],
		changes: 'Reclaim stops when it has enough, also after its targets ' +
			'were adjusted once.',
	});
export const MM_MEMCG_FIX_STALE_PROTECTION_OF_RECLAIM_TARGET_MEMCG = commit(
	'adb8213014b2', 'v6.2', undefined,
	'mm: memcg: fix stale protection of reclaim target memcg', {
		where: [
			'include/linux/memcontrol.h:mem_cgroup_below_min',
			'include/linux/memcontrol.h:mem_cgroup_below_low',
		],
		changes: "A cgroup's own memory.min and memory.low do not protect it " +
			'from a reclaim that aims at it.',
		programs: ['history/adb8213014b2-stale-protection'],
	});
export const MM_ADD_VMA_HAS_RECENCY = commit(
	'8788f6781486', 'v6.3', undefined,
	'mm: add vma_has_recency()', {
		date: '2022-12-30',
		where: [
			'mm/rmap.c:invalid_page_referenced_vma',
			'mm/rmap.c:page_referenced_one',
			'mm/memory.c:zap_pte_range',
		],
		changes: 'Accessed bits of MADV_RANDOM mappings count no more than ' +
			'those of MADV_SEQUENTIAL ones, and neither are cleared.',
		needs: [{ id: '4917e5d0499b',
			because: 'it widens what that brought' }],
		programs: ['history/8788f6781486-random'],
	});
export const MM_VMSCAN_MAKE_ROTATIONS_A_SECONDARY_FACTOR = commit(
	'0538a82c39e9', 'v6.4', undefined,
	'mm: vmscan: make rotations a secondary factor in balancing anon vs file', {
		where: [
			'mm/swap.c:lru_note_cost',
			'mm/vmscan.c:shrink_inactive_list',
			'mm/vmscan.c:shrink_active_list',
		],
		changes: 'Pages that were scanned in vain are cost, too, 32 of them as' +
			' much as one that was read or written.',
		needs: [{ id: 'd483a5dd009a',
			because: 'it adds to the cost of that series' }],
		programs: ['history/0538a82c39e9-in-32nds'],
	});
export const KVM_USE_STANDARD_HOOKS_FOR_APIC_ACCESS_PAGE = commit(
	'0a8a5f2c8c26', 'v6.5', undefined,
	'KVM: x86: Use standard mmu_notifier invalidate hooks for APIC access page', {
		where: ['virt/kvm/kvm_main.c:kvm_init_mmu_notifier'],
		changes: 'KVM has no invalidate_range() any more.',
		needs: [{ id: 'e649b3f0188f', because: 'it takes away what that brought' }],
		programs: ['history/0a8a5f2c8c26-no-invalidate-range'],
	});
export const MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS = commit(
	'6bbd42e2df8f', 'v6.6', undefined,
	'mmu_notifiers: call invalidate_range() when invalidating TLBs', {
		where: [
			'arch/x86/mm/tlb.c:flush_tlb_mm_range',
			'arch/x86/mm/tlb.c:arch_tlbbatch_add_mm',
			'mm/mmu_gather.c:tlb_flush_mmu_tlbonly',
		],
		changes: "The TLBs of devices are flushed whenever a CPU's is, also where a " +
			'protection shrinks or a bit is cleared.',
		needs: [{ id: '0a8a5f2c8c26',
			because: "invalidate_range() is a matter of TLBs, which KVM's was not" }],
		programs: ['history/6bbd42e2df8f-with-the-tlb'],
	});
export const MMU_NOTIFIERS_DONT_INVALIDATE_SECONDARY_TLBS_IN_RANGE_END = commit(
	'ec8832d007cb', 'v6.6', undefined,
	"mmu_notifiers: don't invalidate secondary TLBs as part of " +
	'mmu_notifier_invalidate_range_end()', {
		where: [
			'mm/mmu_notifier.c:mn_hlist_invalidate_end',
			'mm/rmap.c:try_to_unmap_one',
			'mm/memory.c:wp_page_copy',
		],
		changes: 'The TLBs of devices are flushed with those of the CPUs, and ' +
			'nowhere else.',
		needs: [{ id: '6bbd42e2df8f',
			because: 'it leaves to that what it takes away' }],
		programs: ['history/ec8832d007cb-once'],
	});
export const KVM_USE_GFN_FOR_MMU_NOTIFIER_RETRY = commit(
	'8569992d64b8', 'v6.8', undefined,
	'KVM: Use gfn instead of hva for mmu_notifier_retry', {
		date: '2023-10-27',
		where: [
			'virt/kvm/kvm_main.c:kvm_mmu_invalidate_begin',
			'include/linux/kvm_host.h:is_page_fault_stale',
		],
		changes: "Which of a guest's faults wait for an invalidation is decided by the " +
			"guest's addresses; before, by the task's.",
		needs: [{ id: '071064f14d87',
			because: 'a range of no slot would have no guest addresses' }],
		programs: ['history/8569992d64b8-between-two-slots'],
	});
export const KVM_DELETE_CHANGE_PTE_MMU_NOTIFIER_CALLBACK = commit(
	'f3b65bbaed7c', 'v6.10', undefined,
	'KVM: delete .change_pte MMU notifier callback', {
		where: ['virt/kvm/kvm_main.c:kvm_init_mmu_notifier'],
		changes: 'KVM is not told of the new entry of a copy on write.',
		programs: ['history/f3b65bbaed7c-copy'],
	});
export const MM_MADVISE_PAGEOUT_IGNORE_REFERENCES = commit(
	'2864f3d0f583', 'v6.10', undefined,
	'mm: madvise: pageout: ignore references rather than clearing young', {
		where: [
			'mm/vmscan.c:reclaim_pages',
			'mm/madvise.c:madvise_cold_or_pageout_pte_range',
		],
		changes: 'MADV_PAGEOUT reclaims whoever has referenced the page, a ' +
			'guest too; accessed bits stay.',
		programs: ['history/2864f3d0f583-pageout'],
	});
export const MM_VMSCAN_RESTORE_INCREMENTAL_CGROUP_ITERATION = commit(
	'b82b530740b9', 'v6.11', undefined,
	'mm: vmscan: restore incremental cgroup iteration', {
		where: ['mm/vmscan.c:shrink_node_memcgs', 'mm/vmscan.c:do_try_to_free_pages'],
		changes: 'Direct reclaim goes from cgroup to cgroup only until it has ' +
			'enough, and goes on there the next time.',
		needs: [{ id: '1ba6fc9af35b',
			because: 'it brings back a part of what that took away' }],
		programs: ['history/b82b530740b9-as-far-as-needed'],
	});
export const MM_SHRINK_SKIP_FOLIO_MAPPED_BY_AN_EXITING_PROCESS = commit(
	'c495b97624d0', 'v6.12', undefined,
	'mm: shrink skip folio mapped by an exiting process', {
		where: ['mm/rmap.c:page_referenced_one'],
		changes: 'A page that only an exiting or OOM-reaped process maps is ' +
			'kept, since it is about to be freed.',
		needs: [{ id: '6d4675e60135',
			because: 'it uses the answer -1 that this one brought' }],
	});

export const KVM_MARK_FOLIO_DIRTY_WHEN_CREATING_SPTE = commit(
	'aa85986e7150', 'v6.13', undefined,
	'KVM: x86/mmu: Mark folio dirty when creating SPTE, not when zapping/modifying', {
		where: [
			'arch/x86/kvm/mmu/mmu.c:mmu_spte_clear_track_bits',
			'include/linux/kvm_host.h:kvm_release_faultin_page',
		],
		changes: 'A fault of a guest on what the task may write makes the page dirty, a ' +
			'read too; before, a write, when its entry was zapped.',
		programs: ['history/aa85986e7150-read'],
	});
export const KVM_PUT_DIRECT_PREFETCHED_PAGES_VIA_RELEASE_PAGE_CLEAN = commit(
	'64d5cd99f78e', 'v6.13', undefined,
	'KVM: x86/mmu: Put direct prefetched pages via kvm_release_page_clean()', {
		where: ['arch/x86/kvm/mmu/mmu.c:direct_pte_prefetch_many'],
		changes: 'Pages that a fault of a guest maps ahead are marked accessed as its own.',
		needs: [{ id: '8e1c69149f27',
			because: 'before it kvm_release_page_clean() marked nothing' }],
		programs: ['history/64d5cd99f78e-mapped-ahead'],
	});
export const KVM_DONT_MARK_UNUSED_FAULTIN_PAGES_AS_ACCESSED = commit(
	'8eaa98004b23', 'v6.13', undefined,
	"KVM: x86/mmu: Don't mark unused faultin pages as accessed", {
		where: ['include/linux/kvm_host.h:kvm_release_faultin_page'],
		changes: 'A fault of a guest that is turned back does not mark the page it found.',
		needs: [{ id: '8e1c69149f27',
			because: 'it is about the mark that this one set' }],
		programs: ['history/8eaa98004b23-turned-back'],
	});
export const KVM_DONT_MARK_STRUCT_PAGE_ACCESSED_WHEN_ZAPPING = commit(
	'66bc627e7fee', 'v6.13', undefined,
	'KVM: x86/mmu: Don\'t mark "struct page" accessed when zapping SPTEs', {
		where: ['arch/x86/kvm/mmu/mmu.c:mmu_spte_clear_track_bits'],
		changes: 'What a guest has used is not marked accessed when its entry is zapped.',
		programs: ['history/66bc627e7fee-zapped'],
	});
export const KVM_DONT_EMIT_TLB_FLUSHES_WHEN_AGING_SPTES = commit(
	'b9883ee40d7e', 'v6.13', undefined,
	"KVM: x86: Don't emit TLB flushes when aging SPTEs for mmu_notifiers", {
		where: ['virt/kvm/kvm_main.c:kvm_mmu_notifier_clear_flush_young'],
		changes: "clear_flush_young() leaves the guest's TLB as it is, so that what is " +
			'cached there can be used unseen.',
		programs: ['history/b9883ee40d7e-hidden-by-the-tlb'],
	});

/** Every commit that can be switched, the oldest first; a commit's number is its place here. */
export const COMMITS: readonly Commit[] = table;

/* v5.10: the release that unmarked code is. */
const BASE_MAJOR = 5, BASE_MINOR = 10;

/** Whether v5.10 has a commit; without it, the machine does what kernels before it did. */
export function isInBase({ release }: Commit): boolean {
	const [major, minor] = release.slice(1).split('.').map(Number) as [number, number];

	return major < BASE_MAJOR || (major === BASE_MAJOR && minor <= BASE_MINOR);
}

const COMMITS_MAX = 128;
/* 1: v5.10 has the commit; with WATCHED: somebody wants to know when it is asked for */
const in_base = Uint8Array.from(table, (one) => isInBase(one) ? 1 : 0);
const WATCHED = 2;
/* 1: the machine's kernel has the commit if v5.10 has not, and the other way round */
const commit_changed = carve('commit_changed', Uint8Array, COMMITS_MAX, () => COMMITS_MAX);

/** Whether the running machine's kernel has the commit. */
export function applied(commit_nr: number): boolean {
	const has = commit_changed[commit_nr]! ^ in_base[commit_nr]!;

	return has < WATCHED ? has !== 0 : noted(commit_nr);
}

/* what was asked for of what is watched; no machine's state: whatever runs may be watched */
const asked = new Set<number>();

/* apart from applied(), which is inlined everywhere */
function noted(commit_nr: number): boolean {
	asked.add(commit_nr);
	in_base[commit_nr]! &= ~WATCHED;
	return applied(commit_nr);
}

/** Forget what was asked for, and note from now on what is. */
export function watchCommits(): void {
	asked.clear();
	table.forEach((_, nr) => { in_base[nr]! |= WATCHED; });
}

/** Stop noting. @returns the commits that were asked for since watchCommits(), ascending */
export function unwatchCommits(): number[] {
	table.forEach((_, nr) => { in_base[nr]! &= ~WATCHED; });
	return [...asked].sort((a, b) => a - b);
}

/** Choose the running machine's kernel: v5.10.0 but for these commits. */
export function applyCommits(changes: Iterable<number>): void {
	commit_changed.fill(0);
	for (const nr of changes)
		commit_changed[nr] = 1;
}
