// SPDX-License-Identifier: GPL-2.0-only
/*
 * History as switches: the commits that change the behaviour of what is ported. A machine runs
 * v5.10 with a set of them applied. The set is part of the machine, so it lies in the arena.
 */
import { carve } from './arena.ts';

export interface Commit {
	/** Abbreviated to 12 hexadecimal digits, as in a Fixes: tag. */
	readonly id: string;
	readonly subject: string;
	/** First mainline release that has it. */
	readonly release: string;
	/** First stable release of v5.10.y that has it; undefined: none has. */
	readonly stable: string | undefined;
}

const table: Commit[] = [];
function commit(id: string, release: string, stable: string | undefined, subject: string): number {
	return table.push({ id, release, stable, subject }) - 1;
}

export const MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS = commit(
	'013339df116c', 'v5.11', 'v5.10.4', 'mm/rmap: always do TTU_IGNORE_ACCESS');
export const MM_DONT_PUT_PINNED_PAGES_INTO_THE_SWAP_CACHE = commit(
	'feb889fb40fa', 'v5.11', 'v5.10.9', "mm: don't put pinned pages into the swap cache");
export const MM_FIX_OOMS_DUE_TO_PROPORTIONAL_MEMORY_LOW = commit(
	'f56ce412a59d', 'v5.14', 'v5.10.61',
	'mm: memcontrol: fix occasional OOMs due to proportional memory.low reclaim');
export const MM_AVOID_DIVIDE_BY_ZERO_IN_MEMORY_LOW = commit(
	'32d4f4b782bb', 'v5.14', 'v5.10.67',
	'mm, memcg: avoid potential divide by zero in proportional reclaim');
export const MM_FIX_RACE_BETWEEN_MADV_FREE_AND_DIRECT_IO = commit(
	'6c8e2a256915', 'v5.17', 'v5.10.111',
	'mm: fix race between MADV_FREE reclaim and blkdev direct IO read');
export const MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START = commit(
	'c2655835fd8c', 'v5.12', 'v5.10.27',
	'mm/mmu_notifiers: ensure range_end() is paired with range_start()');
export const MM_RMAP_FIX_ANON_VMA_DEGREE_AMBIGUITY = commit(
	'2555283eb40d', 'v6.0', 'v5.10.141',
	'mm/rmap: Fix anon_vma->degree ambiguity leading to double-reuse');
export const MM_VMSCAN_FIX_EXTREME_OVERRECLAIM = commit(
	'f53af4285d77', 'v6.1', 'v5.10.157',
	'mm: vmscan: fix extreme overreclaim and swap floods');
export const MEMCG_MEMORY_RECLAIM = commit(
	'94968384dde1', 'v5.19', undefined, 'memcg: introduce per-memcg reclaim interface');
export const MM_REVERT_AVOID_WORKLOAD_STALLS_WHEN_LOWERING_MEMORY_HIGH = commit(
	'e82553c10b08', 'v5.11', 'v5.10.16',
	'Revert "mm: memcontrol: avoid workload stalls when lowering memory.high"');
export const MM_FIX_SWAP_UNDERCOUNTING_IN_CGROUP2 = commit(
	'2d1c498072de', 'v5.12', 'v5.10.20',
	'mm: memcontrol: fix swap undercounting in cgroup2');
export const MM_PAGEFAULT_OOM_DONT_FORCE_GLOBAL_OOM_FOR_DYING_TASKS = commit(
	'0b28179a6138', 'v5.16', 'v5.10.80',
	"mm, oom: pagefault_out_of_memory: don't force global OOM for dying tasks");
export const MM_OOM_DO_NOT_TRIGGER_OUT_OF_MEMORY_FROM_THE_PF = commit(
	'60e2793d440a', 'v5.16', 'v5.10.80',
	'mm, oom: do not trigger out_of_memory from the #PF');
export const MEMCG_PROHIBIT_EXCEEDING_THE_LIMIT_OF_DYING_TASKS = commit(
	'a4ebf1b6ca1e', 'v5.16', 'v5.10.80',
	'memcg: prohibit unconditional exceeding the limit of dying tasks');
export const OOM_KILL_DELAY_THE_OOM_REAPER = commit(
	'e4a38402c36e', 'v5.18', 'v5.10.113',
	'oom_kill.c: futex: delay the OOM reaper to allow time for proper futex cleanup');
export const MM_DONT_SKIP_SWAP_ENTRY_EVEN_IF_ZAP_DETAILS_SPECIFIED = commit(
	'5abfd71d936a', 'v5.18', 'v5.10.111',
	"mm: don't skip swap entry even if zap_details specified");
export const MM_FIX_CLEAR_REFS_WRITE_LOCKING = commit(
	'29a951dfb3c3', 'v5.11', 'v5.10.9', 'mm: fix clear_refs_write locking');
export const MM_DONT_PLAY_GAMES_WITH_PINNED_PAGES_IN_CLEAR_PAGE_REFS = commit(
	'9348b73c2e1b', 'v5.11', 'v5.10.9',
	"mm: don't play games with pinned pages in clear_page_refs");
export const MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY = commit(
	'912efa17e512', 'v5.12', 'v5.10.20',
	'mm: proc: Invalidate TLB after clearing soft-dirty page state');
export const KVM_DONT_SET_ACCESSED_DIRTY_BITS_FOR_ZERO_PAGE = commit(
	'a1040b0d42ac', 'v6.0', 'v5.10.137',
	"KVM: Don't set Accessed/Dirty bits for ZERO_PAGE");

/** Every commit that can be switched; a commit's number is its place here. */
export const COMMITS: readonly Commit[] = table;

const COMMITS_MAX = 128;
const commit_applied = carve('commit_applied', Uint8Array, COMMITS_MAX, () => COMMITS_MAX);

/** Whether the running machine's kernel has the commit. */
export function applied(commit_nr: number): boolean {
	return commit_applied[commit_nr] !== 0;
}

/** Choose the running machine's kernel: exactly these commits over v5.10. */
export function applyCommits(numbers: Iterable<number>): void {
	commit_applied.fill(0);
	for (const nr of numbers)
		commit_applied[nr] = 1;
}
