// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mmu_notifier.c and include/linux/mmu_notifier.h, v5.10
 * Left out: barriers and the spinlock of the subscriptions, since one order of events stands for
 *	them; mm_take_all_locks(), for the same reason. SRCU is a count of running dispatches:
 *	what waits for them to end is run by the last one.
 * Lock order modelled: mmap_lock, for registering.
 *
 * A subscription is a row of mmu_notifiers or mmu_interval_notifiers, and lies in the arena; what
 * is called is code, in a table that is filled when the modules load.
 */
/* First: files that import it from here make ranges while they load. */
export { mmu_notifier_range } from './rmap_types.ts';
import { pmdp_clear_flush_young, pmdp_test_and_clear_young, ptep_clear_flush_young,
	ptep_test_and_clear_young, set_pte_at } from '../arch/pgtable.ts';
import { PAGE_SIZE, PMD_SIZE, align_down, page_align_down } from '../arch/page.ts';
import { secondaryTlbs } from '../arch/tlb.ts';
import { BUG, BUG_ON, WARN_ON_ONCE, WouldBlock } from '../lib/bug.ts';
import { applied, MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START, MMU_NOTIFIERS_CORE,
	MMU_NOTIFIERS_DONT_INVALIDATE_SECONDARY_TLBS_IN_RANGE_END } from '../lib/commits.ts';
import { EAGAIN, EINVAL, ENOMEM, ENOSYS, EOVERFLOW } from '../lib/errno.ts';
import { INTERVAL_TREE } from '../lib/interval_tree.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { f64, global_s32, kmem_cache_free, kmem_cache_zalloc, rb, s32, struct, to, u8, type column,
	type ptr, type rb_node } from '../lib/struct.ts';
import { mmdrop, mmgrab } from './fork.ts';
import { mmap_assert_write_locked, mmap_write_lock, mmap_write_unlock } from './mm.ts';
import { mms, MMS, NULL, VM_READ, vmas, type mm_struct, type pte_t, type ptep,
	type vm_area_struct } from './mm_types.ts';
import { pmdp_huge_clear_flush, ptep_clear_flush } from './pgtable-generic.ts';
import { mmu_notifier_range } from './rmap_types.ts';

export type mmu_notifier_subscriptions = ptr<'mmu_notifier_subscriptions'>;
export type mmu_notifier = ptr<'mmu_notifier'>;
export type mmu_interval_notifier = ptr<'mmu_interval_notifier'>;

/* enum mmu_notifier_event */
/** munmap() or mremap() that moves the range */
export const MMU_NOTIFY_UNMAP = 0;
/** an entry is cleared, for many reasons */
export const MMU_NOTIFY_CLEAR = 1;
/** the protection of the whole area changes */
export const MMU_NOTIFY_PROTECTION_VMA = 2;
/** the protection of single pages changes */
export const MMU_NOTIFY_PROTECTION_PAGE = 3;
/** same page, same protection, but soft-dirty is cleared */
export const MMU_NOTIFY_SOFT_DIRTY = 4;
/** the address space is about to go */
export const MMU_NOTIFY_RELEASE = 5;
/** pages migrate to or from device memory */
export const MMU_NOTIFY_MIGRATE = 6;

const POINT_START = point('invalidate_range_start.return');
const POINT_END = point('invalidate_range_end');

/** The callee may sleep. */
export const MMU_NOTIFIER_RANGE_BLOCKABLE = 1 << 0;

/** The end of everything, in place of ULONG_MAX; exact, and above every user address. */
const RANGE_END_MAX = 2 ** 52;

/** struct mmu_notifier_ops; null for what the subscriber does not want to be told. */
export interface mmu_notifier_ops {
	/** shown in traces of callbacks */
	readonly name: string;
	readonly release: ((subscription: mmu_notifier, mm: mm_struct) => void) | null;
	/** Nonzero: the secondary MMU has used the range. Like all young callbacks. */
	readonly clear_flush_young: ((subscription: mmu_notifier, mm: mm_struct,
		start: number, end: number) => number) | null;
	readonly clear_young: ((subscription: mmu_notifier, mm: mm_struct,
		start: number, end: number) => number) | null;
	readonly test_young:
		((subscription: mmu_notifier, mm: mm_struct, address: number) => number) | null;
	/** The entry of one address is about to become `pte`, given by its two words. */
	readonly change_pte: ((subscription: mmu_notifier, mm: mm_struct, address: number,
		pte: pte_t, pte_hi: number) => void) | null;
	/** 0, or -EAGAIN if it would have to sleep and the range is not blockable. */
	readonly invalidate_range_start:
		((subscription: mmu_notifier, range: mmu_notifier_range) => number) | null;
	readonly invalidate_range_end:
		((subscription: mmu_notifier, range: mmu_notifier_range) => void) | null;
	readonly invalidate_range: ((subscription: mmu_notifier, mm: mm_struct,
		start: number, end: number) => void) | null;
	/** The CPUs' TLBs are flushed; what invalidate_range() is called since 6bbd42e2df8f. */
	readonly arch_invalidate_secondary_tlbs: ((subscription: mmu_notifier, mm: mm_struct,
		start: number, end: number) => void) | null;
	/** The page at an address was unmapped; only before 369ea8242c0f. */
	readonly invalidate_page:
		((subscription: mmu_notifier, mm: mm_struct, address: number) => void) | null;
	/** A new row of mmu_notifiers, 0 if there is none. */
	readonly alloc_notifier: ((mm: mm_struct) => mmu_notifier) | null;
	readonly free_notifier: ((subscription: mmu_notifier) => void) | null;
}

/** struct mmu_interval_notifier_ops */
export interface mmu_interval_notifier_ops {
	/** shown in traces of callbacks */
	readonly name: string;
	/** False only if it would have to sleep and the range is not blockable. */
	readonly invalidate: (interval_sub: mmu_interval_notifier, range: mmu_notifier_range,
		cur_seq: number) => boolean;
}

const no_ops: mmu_notifier_ops = {
	name: '', release: null, clear_flush_young: null, clear_young: null, test_young: null,
	change_pte: null, invalidate_range_start: null, invalidate_range_end: null,
	invalidate_range: null, arch_invalidate_secondary_tlbs: null, invalidate_page: null,
	alloc_notifier: null, free_notifier: null,
};
/* Tables of code; element 0 is nobody's. Filled while modules load, constant after that. */
const notifier_ops: mmu_notifier_ops[] = [no_ops];
const interval_ops: mmu_interval_notifier_ops[] = [{ name: '', invalidate: () => true }];

/**
 * Make operations known, when the module that has them loads. Returns the index that subscriptions
 * carry in their ops field.
 * @custom C stores a pointer to code in the subscription
 */
export function register_mmu_notifier_ops(
	ops: Partial<mmu_notifier_ops> & { readonly name: string },
): number {
	return notifier_ops.push({ ...no_ops, ...ops }) - 1;
}

/**
 * The same for interval notifiers.
 * @custom C stores a pointer to code in the subscription
 */
export function register_mmu_interval_notifier_ops(ops: mmu_interval_notifier_ops): number {
	return interval_ops.push(ops) - 1;
}

/** The operations of an index. @custom C follows a pointer to code */
export function mmu_notifier_ops_of(index: number): mmu_notifier_ops {
	return notifier_ops[index]!;
}

/** The operations of an index. @custom C follows a pointer to code */
export function mmu_interval_notifier_ops_of(index: number): mmu_interval_notifier_ops {
	return interval_ops[index]!;
}

export const mmu_notifiers = struct<mmu_notifier>()('mmu_notifier', 8192, {
	/* subscriptions->lock; pprev: 0 on no list, -1 first of one, else the one before */
	hlist_next: to<mmu_notifier>(),
	hlist_pprev: s32,
	/* index of register_mmu_notifier_ops() */
	ops: s32,
	mm: to<mm_struct>(),
	/* the next one that waits for SRCU to be freed */
	rcu: to<mmu_notifier>(),
	users: s32,
	/* row of the struct that the notifier is embedded in: container_of() */
	container: s32,
});

export const mmu_interval_notifiers =
	struct<mmu_interval_notifier>()('mmu_interval_notifier', 8192, {
		/* struct interval_tree_node; in_itree is !RB_EMPTY_NODE() */
		rb: rb,
		start: f64,
		last: f64,
		subtree_last: f64,
		in_itree: u8,
		/* index of register_mmu_interval_notifier_ops() */
		ops: s32,
		mm: to<mm_struct>(),
		deferred_next: to<mmu_interval_notifier>(),
		deferred_pprev: s32,
		/* always odd */
		invalidate_seq: f64,
		/* what a removal that has begun waits to pass; 0: none has */
		remove_seq: f64,
		/* row of the struct that the notifier is embedded in: container_of() */
		container: s32,
	});

export const notifier_subscriptions =
	struct<mmu_notifier_subscriptions>()('mmu_notifier_subscriptions', MMS, {
		/* first of the list: the last one registered */
		list: to<mmu_notifier>(),
		has_itree: u8,
		/* lock */
		invalidate_seq: f64,
		active_invalidate_ranges: s32,
		itree: s32,
		deferred_list: to<mmu_interval_notifier>(),
	});

const { hlist_next, hlist_pprev, ops: sub_ops, mm: sub_mm, rcu, users } = mmu_notifiers;
const { in_itree, ops: isub_ops, mm: isub_mm, deferred_next, deferred_pprev, remove_seq } =
	mmu_interval_notifiers;
const isub_seq = mmu_interval_notifiers.invalidate_seq;
const { list: subs_list, has_itree, invalidate_seq, active_invalidate_ranges, itree: subs_itree,
	deferred_list } = notifier_subscriptions;
const mm_subs = mms.notifier_subscriptions as
	column<mm_struct> as unknown as column<mm_struct, mmu_notifier_subscriptions>;
const { vm_mm, vm_flags } = vmas;

const itree = INTERVAL_TREE<mmu_interval_notifier>({
	rb: mmu_interval_notifiers.rb,
	container_of: mmu_interval_notifiers.rb.container_of,
	subtree_last: mmu_interval_notifiers.subtree_last,
	start: (row) => mmu_interval_notifiers.start[row],
	last: (row) => mmu_interval_notifiers.last[row],
});

/* include/linux/list.h: hlists of rows. Deleting keeps the entry's next, for who is walking. */

/** @ported v5.10 include/linux/list.h:hlist_add_head() */
function hlist_add_head<P extends number, H extends number>(
	n: P, h: H, first: column<H, P>, next: column<P, P>, pprev: column<P>,
): void {
	const old = first[h];

	next[n] = old;
	if (old)
		pprev[old] = n;
	first[h] = n;
	pprev[n] = -1;
}

/** @ported v5.10 include/linux/list.h:hlist_del_init() */
function hlist_del_init<P extends number, H extends number>(
	n: P, h: H, first: column<H, P>, next: column<P, P>, pprev: column<P>,
): void {
	const before = pprev[n];

	if (!before)
		return;
	if (before < 0)
		first[h] = next[n];
	else
		next[before as P] = next[n];
	if (next[n])
		pprev[next[n]] = before;
	pprev[n] = 0;
}

/* SRCU: dispatches that run now, and the notifiers that wait for all of them to end. */
const srcu_readers = global_s32('mmu_notifier.srcu_readers');
const srcu_callbacks = global_s32('mmu_notifier.srcu_callbacks');

/** @reduced kernel/rcu/srcutree.c: a count, see the head of the file */
function srcu_read_lock(): void {
	srcu_readers.v++;
}

/** @reduced kernel/rcu/srcutree.c: a count, see the head of the file */
function srcu_read_unlock(): void {
	if (--srcu_readers.v !== 0)
		return;
	while (srcu_callbacks.v) {
		const subscription = srcu_callbacks.v as mmu_notifier;

		srcu_callbacks.v = rcu[subscription];
		rcu[subscription] = NULL;
		mmu_notifier_free_rcu(subscription);
	}
}

/**
 * @reduced kernel/rcu/srcutree.c: a sleep is an exception
 * @throws WouldBlock while a dispatch runs
 */
function synchronize_srcu(): void {
	if (srcu_readers.v !== 0)
		throw new WouldBlock('running mmu notifiers');
}

/** @ported v5.10 static */
function mn_itree_is_invalidating(subscriptions: mmu_notifier_subscriptions): boolean {
	return invalidate_seq[subscriptions] % 2 !== 0;
}

/**
 * Begin an invalidation: the first interval that the range meets, 0 for none. The sequence number
 * for its callbacks is then subscriptions->invalidate_seq, which nobody changes until the end.
 * @ported v5.10 static; C gives the number through a pointer
 */
function mn_itree_inv_start_range(
	subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range,
): mmu_interval_notifier {
	active_invalidate_ranges[subscriptions]++;
	const node = itree.iter_first(subs_itree[subscriptions] as rb_node, range.start,
		range.end - 1);
	if (node && !mn_itree_is_invalidating(subscriptions))
		invalidate_seq[subscriptions]++;
	return node;
}

/** @ported v5.10 static */
function mn_itree_inv_next(
	interval_sub: mmu_interval_notifier, range: mmu_notifier_range,
): mmu_interval_notifier {
	return itree.iter_next(interval_sub, range.start, range.end - 1);
}

/** @ported v5.10 static */
function mn_itree_inv_end(subscriptions: mmu_notifier_subscriptions): void {
	if (--active_invalidate_ranges[subscriptions] !== 0 ||
	    !mn_itree_is_invalidating(subscriptions))
		return;

	/* even: the tree may change again */
	invalidate_seq[subscriptions]++;

	/* what had to wait for that */
	for (let sub = deferred_list[subscriptions], next; sub; sub = next) {
		next = deferred_next[sub];
		if (!in_itree[sub])
			interval_tree_insert(sub, subscriptions);
		else
			interval_tree_remove(sub, subscriptions);
		hlist_del_init(sub, subscriptions, deferred_list, deferred_next, deferred_pprev);
	}
}

/** @ported v5.10 lib/interval_tree.c */
function interval_tree_insert(
	sub: mmu_interval_notifier, subscriptions: mmu_notifier_subscriptions,
): void {
	subs_itree[subscriptions] = itree.insert(sub, subs_itree[subscriptions] as rb_node);
	in_itree[sub] = 1;
}

/** @ported v5.10 lib/interval_tree.c */
function interval_tree_remove(
	sub: mmu_interval_notifier, subscriptions: mmu_notifier_subscriptions,
): void {
	subs_itree[subscriptions] = itree.remove(sub, subs_itree[subscriptions] as rb_node);
	in_itree[sub] = 0;
}

/**
 * Begin to set up secondary entries of an interval. Returns the number for
 * mmu_interval_read_retry().
 * @reduced a sleep is an exception, thrown before anything is done
 * @throws WouldBlock while the interval is being invalidated
 */
export function mmu_interval_read_begin(interval_sub: mmu_interval_notifier): number {
	const subscriptions = mm_subs[isub_mm[interval_sub]];
	const seq = isub_seq[interval_sub];

	/* The interval's number is odd, so it can equal the mm's only while that one is. */
	if (seq === invalidate_seq[subscriptions])
		throw new WouldBlock('the invalidation of an interval');
	return seq;
}

/** @ported v5.10 static */
function mn_itree_release(subscriptions: mmu_notifier_subscriptions, mm: mm_struct): void {
	const range = new mmu_notifier_range();

	range.flags = MMU_NOTIFIER_RANGE_BLOCKABLE;
	range.event = MMU_NOTIFY_RELEASE;
	range.mm = mm;
	range.start = 0;
	range.end = RANGE_END_MAX;

	let interval_sub = mn_itree_inv_start_range(subscriptions, range);
	const cur_seq = invalidate_seq[subscriptions];
	for (; interval_sub; interval_sub = mn_itree_inv_next(interval_sub, range)) {
		const ops = interval_ops[isub_ops[interval_sub]]!;
		const ret = ops.invalidate(interval_sub, range, cur_seq);

		WARN_ON_ONCE(!ret, 'an interval notifier fails in a range that may block');
	}

	mn_itree_inv_end(subscriptions);
}

/** @ported v5.10 static */
function mn_hlist_release(subscriptions: mmu_notifier_subscriptions, mm: mm_struct): void {
	srcu_read_lock();
	for (let sub = subs_list[subscriptions]; sub; sub = hlist_next[sub]) {
		/* What a subscriber has mapped must be gone before the pages are. */
		const { release } = notifier_ops[sub_ops[sub]]!;

		if (release)
			release(sub, mm);
	}

	/* Whoever unregisters later has nothing left to do. */
	for (let sub = subs_list[subscriptions]; sub; sub = subs_list[subscriptions])
		hlist_del_init(sub, subscriptions, subs_list, hlist_next, hlist_pprev);
	srcu_read_unlock();

	synchronize_srcu();
}

/** @ported v5.10 */
export function __mmu_notifier_release(mm: mm_struct): void {
	const subscriptions = mm_subs[mm];

	if (has_itree[subscriptions])
		mn_itree_release(subscriptions, mm);

	if (subs_list[subscriptions])
		mn_hlist_release(subscriptions, mm);
}

/** All subscribers are asked, whatever the first ones say. @ported v5.10 */
export function __mmu_notifier_clear_flush_young(
	mm: mm_struct, start: number, end: number,
): number {
	let young = 0;

	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { clear_flush_young } = notifier_ops[sub_ops[sub]]!;

		if (clear_flush_young)
			young |= clear_flush_young(sub, mm, start, end);
	}
	srcu_read_unlock();
	return young;
}

/** @ported v5.10 */
export function __mmu_notifier_clear_young(mm: mm_struct, start: number, end: number): number {
	let young = 0;

	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { clear_young } = notifier_ops[sub_ops[sub]]!;

		if (clear_young)
			young |= clear_young(sub, mm, start, end);
	}
	srcu_read_unlock();
	return young;
}

/** Ends at the first subscriber that says yes. @ported v5.10 */
export function __mmu_notifier_test_young(mm: mm_struct, address: number): number {
	let young = 0;

	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { test_young } = notifier_ops[sub_ops[sub]]!;

		if (test_young) {
			young = test_young(sub, mm, address);
			if (young)
				break;
		}
	}
	srcu_read_unlock();
	return young;
}

/** @ported v5.10 */
export function __mmu_notifier_change_pte(
	mm: mm_struct, address: number, pte: pte_t, pte_hi: number,
): void {
	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { change_pte } = notifier_ops[sub_ops[sub]]!;

		if (change_pte)
			change_pte(sub, mm, address, pte, pte_hi);
	}
	srcu_read_unlock();
}

/** @ported v4.12 */
export function __mmu_notifier_invalidate_page(mm: mm_struct, address: number): void {
	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { invalidate_page } = notifier_ops[sub_ops[sub]]!;

		if (invalidate_page)
			invalidate_page(sub, mm, address);
	}
	srcu_read_unlock();
}

/** @ported v5.10 static */
function mn_itree_invalidate(
	subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range,
): number {
	let interval_sub = mn_itree_inv_start_range(subscriptions, range);
	const cur_seq = invalidate_seq[subscriptions];

	for (; interval_sub; interval_sub = mn_itree_inv_next(interval_sub, range)) {
		const ops = interval_ops[isub_ops[interval_sub]]!;
		const ret = ops.invalidate(interval_sub, range, cur_seq);

		if (!ret) {
			if (WARN_ON_ONCE(mmu_notifier_range_blockable(range),
				'an interval notifier fails in a range that may block'))
				continue;
			/* would_block: who gets -EAGAIN does not call invalidate_range_end() */
			mn_itree_inv_end(subscriptions);
			return -EAGAIN;
		}
	}
	return 0;
}

/** @ported v5.10 static */
function mn_hlist_invalidate_range_start(
	subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range,
): number {
	const paired = applied(MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START
		/* c2655835fd8c, v5.12 */);
	let ret = 0;

	srcu_read_lock();
	for (let sub = subs_list[subscriptions]; sub; sub = hlist_next[sub]) {
		const ops = notifier_ops[sub_ops[sub]]!;

		if (ops.invalidate_range_start) {
			const _ret = ops.invalidate_range_start(sub, range);

			if (_ret) {
				WARN_ON_ONCE(mmu_notifier_range_blockable(range) ||
					_ret !== -EAGAIN,
					`the notifier ${ops.name} fails in a range that may block`);
				/*
				 * All are called all the same, and later all ends: a subscriber
				 * cannot tell there that its own start failed, so it must not have
				 * both.
				 */
				if (paired)
					WARN_ON_ONCE(ops.invalidate_range_end !== null,
						`${ops.name} can fail to start and has an end`);
				ret = _ret;
			}
		}
	}

	if (ret && paired) {
		/* The caller will not end what did not start: those that did are told here. */
		for (let sub = subs_list[subscriptions]; sub; sub = hlist_next[sub]) {
			const { invalidate_range_end } = notifier_ops[sub_ops[sub]]!;

			if (!invalidate_range_end)
				continue;
			invalidate_range_end(sub, range);
		}
	}
	srcu_read_unlock();

	return ret;
}

/** @ported v5.10 */
export function __mmu_notifier_invalidate_range_start(range: mmu_notifier_range): number {
	const subscriptions = mm_subs[range.mm];

	if (has_itree[subscriptions]) {
		const ret = mn_itree_invalidate(subscriptions, range);

		if (ret)
			return ret;
	}
	if (subs_list[subscriptions])
		return mn_hlist_invalidate_range_start(subscriptions, range);
	return 0;
}

/** @ported v5.10 static */
function mn_hlist_invalidate_end(
	subscriptions: mmu_notifier_subscriptions, range: mmu_notifier_range, only_end: boolean,
): void {
	srcu_read_lock();
	for (let sub = subs_list[subscriptions]; sub; sub = hlist_next[sub]) {
		const ops = notifier_ops[sub_ops[sub]]!;

		/*
		 * For subscribers with nothing but invalidate_range(), this is the end too. After
		 * only_end they were told when the entries changed.
		 */
		if (!only_end && ops.invalidate_range &&
		    !applied(MMU_NOTIFIERS_DONT_INVALIDATE_SECONDARY_TLBS_IN_RANGE_END
			/* ec8832d007cb, v6.6 */))
			ops.invalidate_range(sub, range.mm, range.start, range.end);
		if (ops.invalidate_range_end)
			ops.invalidate_range_end(sub, range);
	}
	srcu_read_unlock();
}

/** @ported v5.10 */
export function __mmu_notifier_invalidate_range_end(
	range: mmu_notifier_range, only_end: boolean,
): void {
	const subscriptions = mm_subs[range.mm];

	if (has_itree[subscriptions])
		mn_itree_inv_end(subscriptions);

	if (subs_list[subscriptions])
		mn_hlist_invalidate_end(subscriptions, range, only_end);
}

/** @ported v5.10 */
export function __mmu_notifier_invalidate_range(
	mm: mm_struct, start: number, end: number,
): void {
	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { invalidate_range } = notifier_ops[sub_ops[sub]]!;

		if (invalidate_range)
			invalidate_range(sub, mm, start, end);
	}
	srcu_read_unlock();
}

/** @ported v6.12 */
function __mmu_notifier_arch_invalidate_secondary_tlbs(
	mm: mm_struct, start: number, end: number,
): void {
	srcu_read_lock();
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		const { arch_invalidate_secondary_tlbs } = notifier_ops[sub_ops[sub]]!;

		if (arch_invalidate_secondary_tlbs)
			arch_invalidate_secondary_tlbs(sub, mm, start, end);
	}
	srcu_read_unlock();
}

/** @ported v6.12 include/linux/mmu_notifier.h; a negative end is that of everything */
function mmu_notifier_arch_invalidate_secondary_tlbs(
	mm: number, start: number, end: number,
): void {
	if (mm_subs[mm as mm_struct])
		__mmu_notifier_arch_invalidate_secondary_tlbs(mm as mm_struct, start,
			end < 0 ? RANGE_END_MAX : end);
}
secondaryTlbs.invalidate = mmu_notifier_arch_invalidate_secondary_tlbs;

/**
 * mmu_notifier_register() of a caller that holds mmap_lock for writing.
 * @param subscription 0: only prepare for interval notifiers
 * @reduced mm_take_all_locks(), see the head of the file; -ENOSYS from kernels without notifiers,
 * where a secondary MMU could but pin its pages
 */
export function __mmu_notifier_register(subscription: mmu_notifier, mm: mm_struct): number {
	mmap_assert_write_locked(mm);
	BUG_ON(mms.mm_users[mm] <= 0, 'a notifier is registered on an mm without users');
	if (!applied(MMU_NOTIFIERS_CORE /* cddb8a5c14aa, v2.6.27 */))
		return -ENOSYS;

	if (!mm_subs[mm]) {
		const subscriptions = kmem_cache_zalloc(notifier_subscriptions);

		if (!subscriptions)
			return -ENOMEM;
		invalidate_seq[subscriptions] = 2;
		mm_subs[mm] = subscriptions;
	}

	if (subscription) {
		/* kept as long as the subscription */
		mmgrab(mm);
		sub_mm[subscription] = mm;
		users[subscription] = 1;
		hlist_add_head(subscription, mm_subs[mm], subs_list, hlist_next, hlist_pprev);
	} else {
		has_itree[mm_subs[mm]] = 1;
	}
	return 0;
}

/**
 * Subscribe to an mm. The row's `ops` is set by the caller. 0 or -ENOMEM. To be undone by
 * mmu_notifier_unregister() or mmu_notifier_put().
 * @ported v5.10
 */
export function mmu_notifier_register(subscription: mmu_notifier, mm: mm_struct): number {
	mmap_write_lock(mm);
	const ret = __mmu_notifier_register(subscription, mm);
	mmap_write_unlock(mm);
	return ret;
}

/** @reduced static; users cannot overflow: there are fewer rows than that */
function find_get_mmu_notifier(mm: mm_struct, ops: number): mmu_notifier {
	for (let sub = subs_list[mm_subs[mm]]; sub; sub = hlist_next[sub]) {
		if (sub_ops[sub] !== ops)
			continue;
		users[sub]++;
		return sub;
	}
	return NULL;
}

/**
 * The one notifier of an mm with these operations: the one there is, or a new one from
 * ops->alloc_notifier(). 0 if there is no memory. To be undone by mmu_notifier_put(). The caller
 * holds mmap_lock for writing.
 * @param ops index of register_mmu_notifier_ops()
 * @ported v5.10; NULL stands for ERR_PTR(-ENOMEM), the only error
 */
export function mmu_notifier_get_locked(ops: number, mm: mm_struct): mmu_notifier {
	mmap_assert_write_locked(mm);

	if (mm_subs[mm]) {
		const subscription = find_get_mmu_notifier(mm, ops);

		if (subscription)
			return subscription;
	}

	const { alloc_notifier, free_notifier, name } = notifier_ops[ops]!;
	if (!alloc_notifier || !free_notifier)
		return BUG(`the notifier ${name} cannot be allocated and freed`);
	const subscription = alloc_notifier(mm);
	if (!subscription)
		return NULL;
	sub_ops[subscription] = ops;
	if (__mmu_notifier_register(subscription, mm)) {
		free_notifier(subscription);
		return NULL;
	}
	return subscription;
}

/** mmu_notifier_get_locked() of a caller without mmap_lock. @ported v5.10 */
export function mmu_notifier_get(ops: number, mm: mm_struct): mmu_notifier {
	mmap_write_lock(mm);
	const ret = mmu_notifier_get_locked(ops, mm);
	mmap_write_unlock(mm);
	return ret;
}

/** The mm is freed: nobody subscribes to it any more. @ported v5.10 */
export function __mmu_notifier_subscriptions_destroy(mm: mm_struct): void {
	BUG_ON(subs_list[mm_subs[mm]] !== NULL, 'an mm is freed with notifiers registered');
	kmem_cache_free(notifier_subscriptions, mm_subs[mm]);
	mm_subs[mm] = NULL;
}

/**
 * End a subscription, after a call of its release() if that has not been. May free the mm.
 * @reduced a sleep is an exception, thrown before anything is done
 * @throws WouldBlock while a dispatch runs
 */
export function mmu_notifier_unregister(subscription: mmu_notifier, mm: mm_struct): void {
	BUG_ON(mms.mm_count[mm] <= 0, 'a notifier of a freed mm is unregistered');
	synchronize_srcu();

	if (hlist_pprev[subscription]) {
		const { release } = notifier_ops[sub_ops[subscription]]!;

		srcu_read_lock();
		if (release)
			release(subscription, mm);
		srcu_read_unlock();

		hlist_del_init(subscription, mm_subs[mm], subs_list, hlist_next, hlist_pprev);
	}

	BUG_ON(mms.mm_count[mm] <= 0, 'a notifier of a freed mm is unregistered');
	mmdrop(mm);
}

/** @ported v5.10 static */
function mmu_notifier_free_rcu(subscription: mmu_notifier): void {
	const mm = sub_mm[subscription];
	const { free_notifier } = notifier_ops[sub_ops[subscription]]!;

	free_notifier!(subscription);
	mmdrop(mm);
}

/**
 * Give back what mmu_notifier_get() gave. With the last one the notifier goes, without a call of
 * release(), and free_notifier() is called when no dispatch runs any more.
 * @ported v5.10
 */
export function mmu_notifier_put(subscription: mmu_notifier): void {
	const mm = sub_mm[subscription];

	if (WARN_ON_ONCE(users[subscription] === 0, 'a notifier is put more often than got') ||
	    --users[subscription] !== 0)
		return;
	hlist_del_init(subscription, mm_subs[mm], subs_list, hlist_next, hlist_pprev);

	rcu[subscription] = srcu_callbacks.v as mmu_notifier;
	srcu_callbacks.v = subscription;
	srcu_read_lock();
	srcu_read_unlock();
}

/** @ported v5.10 static */
function __mmu_interval_notifier_insert(
	interval_sub: mmu_interval_notifier, mm: mm_struct,
	subscriptions: mmu_notifier_subscriptions, start: number, length: number, ops: number,
): number {
	isub_mm[interval_sub] = mm;
	isub_ops[interval_sub] = ops;
	in_itree[interval_sub] = 0;
	remove_seq[interval_sub] = 0;
	mmu_interval_notifiers.start[interval_sub] = start;
	/* The end is contained in the interval. */
	if (length === 0 || start + length > RANGE_END_MAX)
		return -EOVERFLOW;
	mmu_interval_notifiers.last[interval_sub] = start + (length - 1);

	if (WARN_ON_ONCE(mms.mm_users[mm] <= 0, 'an interval notifier on an mm without users'))
		return -EINVAL;

	/* kept until mmu_interval_notifier_remove() */
	mmgrab(mm);

	/*
	 * Which range a running invalidation is about is not known here: the new interval counts
	 * as in it. While the tree is being walked the insertion waits. The interval's number is
	 * odd in all cases, see mmu_interval_read_begin().
	 */
	if (active_invalidate_ranges[subscriptions]) {
		if (mn_itree_is_invalidating(subscriptions)) {
			hlist_add_head(interval_sub, subscriptions, deferred_list, deferred_next,
				deferred_pprev);
		} else {
			invalidate_seq[subscriptions]++;
			interval_tree_insert(interval_sub, subscriptions);
		}
		isub_seq[interval_sub] = invalidate_seq[subscriptions];
	} else {
		WARN_ON_ONCE(mn_itree_is_invalidating(subscriptions),
			'the sequence number is odd without an invalidation');
		isub_seq[interval_sub] = invalidate_seq[subscriptions] - 1;
		interval_tree_insert(interval_sub, subscriptions);
	}
	return 0;
}

/**
 * Watch the addresses [start, start + length) of an mm. 0, -EOVERFLOW for an empty or impossible
 * interval, -ENOMEM. The caller then sets its entries up through mmu_interval_read_begin().
 * @param ops index of register_mmu_interval_notifier_ops()
 * @ported v5.10
 */
export function mmu_interval_notifier_insert(
	interval_sub: mmu_interval_notifier, mm: mm_struct, start: number, length: number,
	ops: number,
): number {
	let subscriptions = mm_subs[mm];

	if (!subscriptions || !has_itree[subscriptions]) {
		const ret = mmu_notifier_register(NULL, mm);

		if (ret)
			return ret;
		subscriptions = mm_subs[mm];
	}
	return __mmu_interval_notifier_insert(interval_sub, mm, subscriptions, start, length, ops);
}

/** mmu_interval_notifier_insert() of a caller that holds mmap_lock for writing. @ported v5.10 */
export function mmu_interval_notifier_insert_locked(
	interval_sub: mmu_interval_notifier, mm: mm_struct, start: number, length: number,
	ops: number,
): number {
	let subscriptions = mm_subs[mm];

	mmap_assert_write_locked(mm);
	if (!subscriptions || !has_itree[subscriptions]) {
		const ret = __mmu_notifier_register(NULL, mm);

		if (ret)
			return ret;
		subscriptions = mm_subs[mm];
	}
	return __mmu_interval_notifier_insert(interval_sub, mm, subscriptions, start, length, ops);
}

/** @ported v5.10 static */
function mmu_interval_seq_released(
	subscriptions: mmu_notifier_subscriptions, seq: number,
): boolean {
	return invalidate_seq[subscriptions] !== seq;
}

/**
 * End watching. While the tree is being walked the removal is queued; until it is done, calls
 * throw, and one after that returns.
 * @reduced a sleep is an exception; the removal that has begun is remembered in remove_seq
 * @throws WouldBlock until the running invalidation has ended
 */
export function mmu_interval_notifier_remove(interval_sub: mmu_interval_notifier): void {
	const mm = isub_mm[interval_sub];
	const subscriptions = mm_subs[mm];
	let seq = remove_seq[interval_sub];

	if (seq) {
		/* was called before, and slept */
	} else if (mn_itree_is_invalidating(subscriptions)) {
		/* Inserted during the same invalidation: it is not in the tree yet. */
		if (!in_itree[interval_sub]) {
			hlist_del_init(interval_sub, subscriptions, deferred_list, deferred_next,
				deferred_pprev);
		} else {
			hlist_add_head(interval_sub, subscriptions, deferred_list, deferred_next,
				deferred_pprev);
			seq = invalidate_seq[subscriptions];
		}
	} else {
		WARN_ON_ONCE(!in_itree[interval_sub], 'an interval notifier is removed twice');
		interval_tree_remove(interval_sub, subscriptions);
	}

	if (seq && !mmu_interval_seq_released(subscriptions, seq)) {
		remove_seq[interval_sub] = seq;
		throw new WouldBlock('the invalidation of an interval');
	}
	remove_seq[interval_sub] = 0;

	mmdrop(mm);
}

/** Wait until all notifiers that were put are freed. @ported v5.10 */
export function mmu_notifier_synchronize(): void {
	synchronize_srcu();
}

/** Whether a range is only losing write permission. @ported v5.10 */
export function mmu_notifier_range_update_to_read_only(range: mmu_notifier_range): boolean {
	if (!range.vma || range.event !== MMU_NOTIFY_PROTECTION_VMA)
		return false;
	/* PROT_NONE takes more away than that */
	return (vm_flags[range.vma] & VM_READ) !== 0;
}

/* include/linux/mmu_notifier.h */

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mm_has_notifiers(mm: mm_struct): boolean {
	return mm_subs[mm] !== 0;
}

/**
 * What an interval notifier's invalidate() always does with the number it gets, which is odd.
 * @ported v5.10 include/linux/mmu_notifier.h
 */
export function mmu_interval_set_seq(interval_sub: mmu_interval_notifier, cur_seq: number): void {
	isub_seq[interval_sub] = cur_seq;
}

/**
 * End setting up entries: true if an invalidation came in between, and all must be done again.
 * @ported v5.10 include/linux/mmu_notifier.h
 */
export function mmu_interval_read_retry(
	interval_sub: mmu_interval_notifier, seq: number,
): boolean {
	return isub_seq[interval_sub] !== seq;
}

/** An early look whether mmu_interval_read_retry() will be true. @ported v5.10 mmu_notifier.h */
export function mmu_interval_check_retry(
	interval_sub: mmu_interval_notifier, seq: number,
): boolean {
	return isub_seq[interval_sub] !== seq;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_range_blockable(range: mmu_notifier_range): boolean {
	return (range.flags & MMU_NOTIFIER_RANGE_BLOCKABLE) !== 0;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_release(mm: mm_struct): void {
	if (mm_subs[mm])
		__mmu_notifier_release(mm);
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_clear_flush_young(mm: mm_struct, start: number, end: number): number {
	if (mm_subs[mm])
		return __mmu_notifier_clear_flush_young(mm, start, end);
	return 0;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_clear_young(mm: mm_struct, start: number, end: number): number {
	if (mm_subs[mm])
		return __mmu_notifier_clear_young(mm, start, end);
	return 0;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_test_young(mm: mm_struct, address: number): number {
	if (mm_subs[mm])
		return __mmu_notifier_test_young(mm, address);
	return 0;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_change_pte(
	mm: mm_struct, address: number, pte: pte_t, pte_hi: number,
): void {
	if (mm_subs[mm])
		__mmu_notifier_change_pte(mm, address, pte, pte_hi);
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_invalidate_range_start(range: mmu_notifier_range): void {
	if (mm_subs[range.mm]) {
		range.flags |= MMU_NOTIFIER_RANGE_BLOCKABLE;
		__mmu_notifier_invalidate_range_start(range);
		scheduling_point(POINT_START, 0, range.start);
	}
}

/**
 * 0, or -EAGAIN if someone would have to sleep; the end must not be called then.
 * @ported v5.10 include/linux/mmu_notifier.h
 */
export function mmu_notifier_invalidate_range_start_nonblock(range: mmu_notifier_range): number {
	if (mm_subs[range.mm]) {
		range.flags &= ~MMU_NOTIFIER_RANGE_BLOCKABLE;
		return __mmu_notifier_invalidate_range_start(range);
	}
	return 0;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_invalidate_range_end(range: mmu_notifier_range): void {
	if (mm_subs[range.mm]) {
		scheduling_point(POINT_END, 0, range.start);
		__mmu_notifier_invalidate_range_end(range, false);
	}
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_invalidate_range_only_end(range: mmu_notifier_range): void {
	if (mm_subs[range.mm])
		__mmu_notifier_invalidate_range_end(range, true);
}

/** @ported v5.10 include/linux/mmu_notifier.h; no caller is left since ec8832d007cb */
export function mmu_notifier_invalidate_range(mm: mm_struct, start: number, end: number): void {
	if (mm_subs[mm] && !applied(MMU_NOTIFIERS_DONT_INVALIDATE_SECONDARY_TLBS_IN_RANGE_END
		/* ec8832d007cb, v6.6 */))
		__mmu_notifier_invalidate_range(mm, start, end);
}

/** @ported v4.12 include/linux/mmu_notifier.h */
export function mmu_notifier_invalidate_page(mm: mm_struct, address: number): void {
	if (mm_subs[mm])
		__mmu_notifier_invalidate_page(mm, address);
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_subscriptions_init(mm: mm_struct): void {
	mm_subs[mm] = NULL;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_subscriptions_destroy(mm: mm_struct): void {
	if (mm_subs[mm])
		__mmu_notifier_subscriptions_destroy(mm);
}

/**
 * @param event MMU_NOTIFY_*
 * @param flags 0; whether it is blockable is said by how it is started
 * @param vma 0 if the range is not of one area
 * @ported v5.10 include/linux/mmu_notifier.h
 */
export function mmu_notifier_range_init(
	range: mmu_notifier_range, event: number, flags: number, vma: vm_area_struct, mm: mm_struct,
	start: number, end: number,
): void {
	range.vma = vma;
	range.event = event;
	range.mm = mm;
	range.start = start;
	range.end = end;
	range.flags = flags;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function mmu_notifier_range_init_migrate(
	range: mmu_notifier_range, flags: number, vma: vm_area_struct, mm: mm_struct,
	start: number, end: number, pgmap: number,
): void {
	mmu_notifier_range_init(range, MMU_NOTIFY_MIGRATE, flags, vma, mm, start, end);
	range.migrate_pgmap_owner = pgmap;
}

/**
 * Both the accessed bit of the entry and the subscribers are asked, whatever the first says; and
 * both are cleared. @ported v5.10 include/linux/mmu_notifier.h
 */
export function ptep_clear_flush_young_notify(
	vma: vm_area_struct, address: number, ptep: ptep,
): boolean {
	const young = ptep_clear_flush_young(vma, address, ptep);
	const mm = vm_mm[vma];

	if (mm_subs[mm] && __mmu_notifier_clear_flush_young(mm, address, address + PAGE_SIZE))
		return true;
	return young;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function pmdp_clear_flush_young_notify(
	vma: vm_area_struct, address: number, pmdp: ptep,
): boolean {
	const young = pmdp_clear_flush_young(vma, address, pmdp);
	const mm = vm_mm[vma];

	if (mm_subs[mm] && __mmu_notifier_clear_flush_young(mm, address, address + PMD_SIZE))
		return true;
	return young;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function ptep_clear_young_notify(
	vma: vm_area_struct, address: number, ptep: ptep,
): boolean {
	const young = ptep_test_and_clear_young(vma, address, ptep);
	const mm = vm_mm[vma];

	if (mm_subs[mm] && __mmu_notifier_clear_young(mm, address, address + PAGE_SIZE))
		return true;
	return young;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function pmdp_clear_young_notify(
	vma: vm_area_struct, address: number, pmdp: ptep,
): boolean {
	const young = pmdp_test_and_clear_young(vma, address, pmdp);
	const mm = vm_mm[vma];

	if (mm_subs[mm] && __mmu_notifier_clear_young(mm, address, address + PMD_SIZE))
		return true;
	return young;
}

/** ptep_clear_flush(), and all subscribers with invalidate_range(). @ported v5.10 mmu_notifier.h */
export function ptep_clear_flush_notify(
	vma: vm_area_struct, address: number, ptep: ptep,
): pte_t {
	const addr = page_align_down(address);
	const pte = ptep_clear_flush(vma, address, ptep);

	mmu_notifier_invalidate_range(vm_mm[vma], addr, addr + PAGE_SIZE);
	return pte;
}

/** @ported v5.10 include/linux/mmu_notifier.h */
export function pmdp_huge_clear_flush_notify(
	vma: vm_area_struct, haddr: number, pmdp: ptep,
): pte_t {
	const addr = align_down(haddr, PMD_SIZE);
	const pmd = pmdp_huge_clear_flush(vma, haddr, pmdp);

	mmu_notifier_invalidate_range(vm_mm[vma], addr, addr + PMD_SIZE);
	return pmd;
}

/**
 * Subscribers are told first: a secondary MMU must not keep the old page while the new one can be
 * written through the primary. The old entry was cleared and flushed before.
 * @ported v5.10 include/linux/mmu_notifier.h
 */
export function set_pte_at_notify(
	mm: mm_struct, address: number, ptep: ptep, pte: pte_t, pte_hi: number,
): void {
	mmu_notifier_change_pte(mm, address, pte, pte_hi);
	set_pte_at(mm, address, ptep, pte, pte_hi);
}
