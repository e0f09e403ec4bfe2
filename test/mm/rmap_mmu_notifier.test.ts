// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmu_notifier: who is called, in which order, and the sequence numbers of interval notifiers.
 * Expectations: Documentation/vm/mmu_notifier.rst and the comments of include/linux/mmu_notifier.h
 * and mm/mmu_notifier.c of v5.10, named beside each test.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { PAGE_SIZE } from '../../src/arch/page.ts';
import { WouldBlock } from '../../src/lib/bug.ts';
import { MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS }
	from '../../src/lib/commits.ts';
import { kmem_cache_free, kmem_cache_zalloc, nr_live } from '../../src/lib/struct.ts';
import { mms, NULL, VM_LOCKED, VM_READ, vmas, type mm_struct, type page, type vm_area_struct }
	from '../../src/mm/mm_types.ts';
import * as mn from '../../src/mm/mmu_notifier.ts';
import { page_referenced, try_to_unmap } from '../../src/mm/rmap.ts';
import { ACCESSED, BASE, boot, mapFilePage, newFile, newFileArea, newFilePage, newMm, OLD, pte,
	ptepOf, YOUNG } from './rmap_machine.ts';

const log: string[] = [];
/* What the callbacks answer, by subscription. */
const young = new Map<mn.mmu_notifier, number>();
const start_ret = new Map<mn.mmu_notifier, number>();
let on_release: (sub: mn.mmu_notifier, mm: mm_struct) => void = () => {};
let on_start: (sub: mn.mmu_notifier) => void = () => {};
const at = (address: number): number => (address - BASE) / PAGE_SIZE;

const full: mn.mmu_notifier_ops = {
	name: 'full',
	release(sub, mm) { log.push(`release ${sub}`); on_release(sub, mm); },
	clear_flush_young(sub, _mm, start, end) {
		log.push(`clear_flush_young ${sub} ${at(start)}-${at(end)}`);
		return young.get(sub) ?? 0;
	},
	clear_young(sub, _mm, start, end) {
		log.push(`clear_young ${sub} ${at(start)}-${at(end)}`);
		return young.get(sub) ?? 0;
	},
	test_young(sub, _mm, address) {
		log.push(`test_young ${sub} ${at(address)}`);
		return young.get(sub) ?? 0;
	},
	change_pte(sub, _mm, address, entry, hi) {
		log.push(`change_pte ${sub} ${at(address)} ${entry} ${hi}`);
	},
	invalidate_range_start(sub, range) {
		log.push(`start ${sub} ${at(range.start)}-${at(range.end)}`);
		on_start(sub);
		return start_ret.get(sub) ?? 0;
	},
	invalidate_range_end(sub, range) {
		log.push(`end ${sub} ${at(range.start)}-${at(range.end)}`);
	},
	invalidate_range(sub, _mm, start, end) {
		log.push(`invalidate_range ${sub} ${at(start)}-${at(end)}`);
	},
	arch_invalidate_secondary_tlbs(sub, _mm, start, end) {
		log.push(`secondary_tlbs ${sub} ${at(start)}-${at(end)}`);
	},
	invalidate_page(sub, _mm, address) {
		log.push(`invalidate_page ${sub} ${at(address)}`);
	},
	alloc_notifier: () => kmem_cache_zalloc(mn.mmu_notifiers),
	free_notifier(sub) {
		log.push(`free ${sub}`);
		kmem_cache_free(mn.mmu_notifiers, sub);
	},
};
const FULL = mn.register_mmu_notifier_ops(full);
/* May fail to start, and so has no end: the rule of struct mmu_notifier_ops. */
const START_ONLY = mn.register_mmu_notifier_ops({ name: 'start only',
	invalidate_range_start: full.invalidate_range_start });
const NOTHING = mn.register_mmu_notifier_ops({ name: 'nothing' });
/* false: would sleep */
let interval_ret = true;
const INTERVAL = mn.register_mmu_interval_notifier_ops({
	name: 'interval',
	invalidate(sub, range, cur_seq) {
		log.push(`invalidate ${sub} event ${range.event} seq ${cur_seq}`);
		if (!interval_ret)
			return false;
		mn.mmu_interval_set_seq(sub, cur_seq);
		return true;
	},
});

beforeEach(() => {
	boot();
	log.length = 0;
	young.clear();
	start_ret.clear();
	on_release = () => {};
	on_start = () => {};
	interval_ret = true;
});

function subscribe(mm: mm_struct, ops = FULL): mn.mmu_notifier {
	const sub = kmem_cache_zalloc(mn.mmu_notifiers);

	mn.mmu_notifiers.ops[sub] = ops;
	expect(mn.mmu_notifier_register(sub, mm)).toBe(0);
	return sub;
}

function watch(mm: mm_struct, from: number, nr: number): mn.mmu_interval_notifier {
	const sub = kmem_cache_zalloc(mn.mmu_interval_notifiers);

	expect(mn.mmu_interval_notifier_insert(sub, mm, BASE + from * PAGE_SIZE, nr * PAGE_SIZE,
		INTERVAL)).toBe(0);
	return sub;
}

function range(mm: mm_struct, from: number, to: number, event = mn.MMU_NOTIFY_CLEAR):
	mn.mmu_notifier_range {
	const r = new mn.mmu_notifier_range();

	mn.mmu_notifier_range_init(r, event, 0, NULL, mm, BASE + from * PAGE_SIZE,
		BASE + to * PAGE_SIZE);
	return r;
}

const seqOf = (mm: mm_struct): number =>
	mn.notifier_subscriptions.invalidate_seq[
		mms.notifier_subscriptions[mm] as mn.mmu_notifier_subscriptions];
const taken = (): string[] => log.splice(0);

describe('subscribers of a whole mm', () => {
	test('are called in the reverse order of registration, each with the range', () => {
		/* hlist_add_head_rcu() in __mmu_notifier_register() */
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm), c = subscribe(mm);
		const r = range(mm, 2, 5);

		mn.mmu_notifier_invalidate_range_start(r);
		expect(taken()).toEqual([c, b, a].map((s) => `start ${s} 2-5`));
		expect(mn.mmu_notifier_range_blockable(r)).toBe(true);
		mn.mmu_notifier_invalidate_range(mm, BASE, BASE + PAGE_SIZE);
		expect(taken()).toEqual([c, b, a].map((s) => `invalidate_range ${s} 0-1`));
	});

	test('at the end each gets invalidate_range() and then its end', () => {
		/* mn_hlist_invalidate_end(): invalidate_range() is skipped by only_end callers */
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm);
		const r = range(mm, 0, 1);

		mn.mmu_notifier_invalidate_range_end(r);
		expect(taken()).toEqual([`invalidate_range ${b} 0-1`, `end ${b} 0-1`,
			`invalidate_range ${a} 0-1`, `end ${a} 0-1`]);
		mn.mmu_notifier_invalidate_range_only_end(r);
		expect(taken()).toEqual([`end ${b} 0-1`, `end ${a} 0-1`]);
	});

	test('young: all are asked to clear, the first yes ends a test', () => {
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm), c = subscribe(mm);

		young.set(b, 1);
		expect(mn.mmu_notifier_clear_flush_young(mm, BASE, BASE + PAGE_SIZE)).toBe(1);
		expect(taken()).toEqual([c, b, a].map((s) => `clear_flush_young ${s} 0-1`));
		expect(mn.mmu_notifier_clear_young(mm, BASE, BASE + PAGE_SIZE)).toBe(1);
		expect(taken()).toEqual([c, b, a].map((s) => `clear_young ${s} 0-1`));
		expect(mn.mmu_notifier_test_young(mm, BASE)).toBe(1);
		expect(taken()).toEqual([`test_young ${c} 0`, `test_young ${b} 0`]);
		young.clear();
		expect(mn.mmu_notifier_test_young(mm, BASE)).toBe(0);
		expect(taken().length).toBe(3);
	});

	test('those without a callback are passed over', () => {
		const mm = newMm();
		const a = subscribe(mm), r = range(mm, 0, 1);
		subscribe(mm, NOTHING);

		mn.mmu_notifier_invalidate_range_start(r);
		mn.mmu_notifier_invalidate_range_end(r);
		expect(mn.mmu_notifier_clear_flush_young(mm, BASE, BASE + PAGE_SIZE)).toBe(0);
		mn.mmu_notifier_change_pte(mm, BASE, 7, 0);
		expect(taken()).toEqual([`start ${a} 0-1`, `invalidate_range ${a} 0-1`,
			`end ${a} 0-1`, `clear_flush_young ${a} 0-1`, `change_pte ${a} 0 7 0`]);
	});

	test('nobody is told of another mm', () => {
		const mm = newMm(), other = newMm();
		subscribe(mm);

		mn.mmu_notifier_invalidate_range_start(range(other, 0, 1));
		mn.mmu_notifier_release(other);
		expect(mn.mmu_notifier_test_young(other, BASE)).toBe(0);
		expect(log).toEqual([]);
		expect(mn.mm_has_notifiers(other)).toBe(false);
		expect(mn.mm_has_notifiers(mm)).toBe(true);
	});

	test('set_pte_at_notify(): the subscriber is told before the entry is there', () => {
		const mm = newMm();
		const sub = subscribe(mm);
		const ptep = ptepOf(mm, BASE);
		const file = newFile();
		const vma = newFileArea(mm, file, 1);

		mn.set_pte_at_notify(mm, BASE, ptep, 5 << 12 | OLD, 0);
		expect(taken()).toEqual([`change_pte ${sub} 0 ${5 << 12 | OLD} 0`]);
		expect(pte(vma)).toBe(5 << 12 | OLD);
	});
});

describe('a start that must not sleep', () => {
	/*
	 * Order of calls: c, b, a. b says -EAGAIN. All are called all the same; the caller does not
	 * call the end then. With c2655835fd8c those that have an end get it, so that their starts
	 * and ends are paired; before, nobody does.
	 */
	test.each([
		['v5.10.0', [], false],
		['with c2655835fd8c', [MM_MMU_NOTIFIERS_PAIR_RANGE_END_WITH_RANGE_START], true],
	])('%s', (_name, commits, paired) => {
		boot(commits);
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm, START_ONLY), c = subscribe(mm);
		const r = range(mm, 0, 1);

		start_ret.set(b, -11);
		expect(mn.mmu_notifier_invalidate_range_start_nonblock(r)).toBe(-11);
		expect(mn.mmu_notifier_range_blockable(r)).toBe(false);
		expect(taken()).toEqual([`start ${c} 0-1`, `start ${b} 0-1`, `start ${a} 0-1`,
			...paired ? [`end ${c} 0-1`, `end ${a} 0-1`] : []]);
		start_ret.clear();
		expect(mn.mmu_notifier_invalidate_range_start_nonblock(r)).toBe(0);
	});

	test('an interval that would sleep ends it at once, with its sequence number done', () => {
		/* mn_itree_invalidate(): out_would_block; the hlist is not reached */
		const mm = newMm();
		subscribe(mm);
		watch(mm, 0, 4);
		const before = seqOf(mm);

		interval_ret = false;
		expect(mn.mmu_notifier_invalidate_range_start_nonblock(range(mm, 0, 1))).toBe(-11);
		expect(log.filter((line) => line.startsWith('start'))).toEqual([]);
		/* odd while active, even again: + 2 */
		expect(seqOf(mm)).toBe(before + 2);
	});

	test('one that may sleep must not fail', () => {
		const mm = newMm();
		const a = subscribe(mm, START_ONLY);

		start_ret.set(a, -11);
		expect(() => mn.mmu_notifier_invalidate_range_start(range(mm, 0, 1)))
			.toThrow('start only');
	});
});

describe('leaving', () => {
	test('exit: release() of all in order, then nobody is left to be told', () => {
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm);
		const count = mms.mm_count[mm];

		mn.mmu_notifier_release(mm);
		expect(taken()).toEqual([`release ${b}`, `release ${a}`]);
		mn.mmu_notifier_invalidate_range_start(range(mm, 0, 1));
		expect(taken()).toEqual([]);
		/* unregistering afterwards calls release() no second time, but drops the mm */
		mn.mmu_notifier_unregister(a, mm);
		mn.mmu_notifier_unregister(b, mm);
		expect(taken()).toEqual([]);
		expect(mms.mm_count[mm]).toBe(count - 2);
	});

	test('unregister calls release(), and is gone', () => {
		const mm = newMm();
		const a = subscribe(mm), b = subscribe(mm), c = subscribe(mm);

		mn.mmu_notifier_unregister(b, mm);
		expect(taken()).toEqual([`release ${b}`]);
		mn.mmu_notifier_invalidate_range_start(range(mm, 0, 1));
		expect(taken()).toEqual([`start ${c} 0-1`, `start ${a} 0-1`]);
		mn.mmu_notifier_unregister(c, mm);
		mn.mmu_notifier_unregister(a, mm);
		taken();
		expect(mms.mm_count[mm]).toBe(1);
		mn.mmu_notifier_subscriptions_destroy(mm);
		expect(mn.mm_has_notifiers(mm)).toBe(false);
		expect(nr_live(mn.notifier_subscriptions)).toBe(0);
	});

	test('unregister waits for callbacks that run: it cannot be called in one', () => {
		/* synchronize_srcu() */
		const mm = newMm();
		const a = subscribe(mm);

		on_start = () => {
			expect(() => mn.mmu_notifier_unregister(a, mm)).toThrow(WouldBlock);
			expect(() => mn.mmu_notifier_synchronize()).toThrow(WouldBlock);
		};
		mn.mmu_notifier_invalidate_range_start(range(mm, 0, 1));
		on_start = () => {};
		expect(taken()).toEqual([`start ${a} 0-1`]);
		mn.mmu_notifier_synchronize();
		mn.mmu_notifier_unregister(a, mm);
	});

	test('get finds the one there is; the last put frees it, without release()', () => {
		const mm = newMm();
		const a = mn.mmu_notifier_get(FULL, mm), b = mn.mmu_notifier_get(FULL, mm);

		expect(b).toBe(a);
		expect(mn.mmu_notifiers.users[a]).toBe(2);
		expect(mms.mm_count[mm]).toBe(2);
		mn.mmu_notifier_put(a);
		expect(taken()).toEqual([]);
		mn.mmu_notifier_put(a);
		expect(taken()).toEqual([`free ${a}`]);
		expect(mms.mm_count[mm]).toBe(1);
	});

	test('a put in a callback: gone at once, freed when the running calls end', () => {
		/* "This function can be called from the ops->release callback": call_srcu() */
		const mm = newMm();
		const a = mn.mmu_notifier_get(FULL, mm);
		const b = subscribe(mm);

		on_release = (sub) => {
			if (sub !== b)
				return;
			mn.mmu_notifier_put(a);
			expect(log).not.toContain(`free ${a}`);
		};
		mn.mmu_notifier_release(mm);
		/* b is walked first; a was taken off the list before its turn */
		expect(taken()).toEqual([`release ${b}`, `free ${a}`]);
	});
});

describe('interval notifiers', () => {
	test('are called before the others, in order of their start, for ranges they meet', () => {
		/* __mmu_notifier_invalidate_range_start(): has_itree first */
		const mm = newMm();
		const sub = subscribe(mm);
		const high = watch(mm, 8, 8), low = watch(mm, 0, 10), far = watch(mm, 100, 1);

		mn.mmu_notifier_invalidate_range_start(range(mm, 9, 10));
		expect(taken()).toEqual([`invalidate ${low} event 1 seq 3`,
			`invalidate ${high} event 1 seq 3`, `start ${sub} 9-10`]);
		mn.mmu_notifier_invalidate_range_end(range(mm, 9, 10));
		taken();
		/* both ends are of the interval: 100 is in [100, 100], 101 is not */
		mn.mmu_notifier_invalidate_range_start(range(mm, 100, 101));
		expect(taken()).toEqual([`invalidate ${far} event 1 seq 5`,
			`start ${sub} 100-101`]);
		mn.mmu_notifier_invalidate_range_end(range(mm, 100, 101));
		taken();
		mn.mmu_notifier_invalidate_range_start(range(mm, 101, 102));
		expect(taken()).toEqual([`start ${sub} 101-102`]);
	});

	test('sequence: 2 at first, odd while one is hit, even and greater after it', () => {
		/* the comment on the subscriptions' struct: seq |= 1 begins, seq++ releases */
		const mm = newMm();
		const sub = watch(mm, 0, 4);
		const hit = range(mm, 0, 1), miss = range(mm, 50, 51);

		expect(seqOf(mm)).toBe(2);
		/* "should be odd, not equal to the current invalidate_seq" */
		expect(mn.mmu_interval_notifiers.invalidate_seq[sub]).toBe(1);
		mn.mmu_notifier_invalidate_range_start(miss);
		expect(seqOf(mm)).toBe(2);
		mn.mmu_notifier_invalidate_range_start(hit);
		expect(seqOf(mm)).toBe(3);
		expect(mn.mmu_interval_notifiers.invalidate_seq[sub]).toBe(3);
		/* ranges nest: the number is released by the last end */
		mn.mmu_notifier_invalidate_range_end(hit);
		expect(seqOf(mm)).toBe(3);
		mn.mmu_notifier_invalidate_range_end(miss);
		expect(seqOf(mm)).toBe(4);
	});

	test('a reader that meets an invalidation must retry; one that does not is done', () => {
		/* the diagram in mmu_interval_read_begin() */
		const mm = newMm();
		const sub = watch(mm, 0, 4), other = watch(mm, 10, 4);
		const r = range(mm, 0, 1);

		let seq = mn.mmu_interval_read_begin(sub);
		const other_seq = mn.mmu_interval_read_begin(other);
		expect(mn.mmu_interval_read_retry(sub, seq)).toBe(false);
		mn.mmu_notifier_invalidate_range_start(r);
		expect(mn.mmu_interval_check_retry(sub, seq)).toBe(true);
		expect(mn.mmu_interval_read_retry(sub, seq)).toBe(true);
		/* a new reader of it waits for the end; a reader of another does not */
		expect(() => mn.mmu_interval_read_begin(sub)).toThrow(WouldBlock);
		expect(mn.mmu_interval_read_begin(other)).toBe(other_seq);
		mn.mmu_notifier_invalidate_range_end(r);
		seq = mn.mmu_interval_read_begin(sub);
		expect(mn.mmu_interval_read_retry(sub, seq)).toBe(false);
		expect(mn.mmu_interval_read_retry(other, other_seq)).toBe(false);
	});

	test('added in an invalidation: it counts as hit, and is in the tree after the end', () => {
		/* "we must assume this new range is included" */
		const mm = newMm();
		watch(mm, 0, 4);
		const r = range(mm, 0, 1);
		mn.mmu_notifier_invalidate_range_start(r);
		taken();
		const late = watch(mm, 20, 1);
		expect(mn.mmu_interval_notifiers.in_itree[late]).toBe(0);
		expect(() => mn.mmu_interval_read_begin(late)).toThrow(WouldBlock);
		/* not in the tree: nested ranges do not reach it */
		const nested = range(mm, 20, 21);
		mn.mmu_notifier_invalidate_range_start(nested);
		expect(taken()).toEqual([]);
		mn.mmu_notifier_invalidate_range_end(nested);
		mn.mmu_notifier_invalidate_range_end(r);
		expect(mn.mmu_interval_notifiers.in_itree[late]).toBe(1);
		const seq = mn.mmu_interval_read_begin(late);
		mn.mmu_notifier_invalidate_range_start(nested);
		expect(taken().length).toBe(1);
		expect(mn.mmu_interval_read_retry(late, seq)).toBe(true);
	});

	test('added while a range that meets none is active: the number is odd at once', () => {
		const mm = newMm();
		watch(mm, 0, 4);
		const miss = range(mm, 50, 51);
		mn.mmu_notifier_invalidate_range_start(miss);
		expect(seqOf(mm)).toBe(2);
		const late = watch(mm, 50, 1);
		expect(seqOf(mm)).toBe(3);
		expect(mn.mmu_interval_notifiers.in_itree[late]).toBe(1);
		expect(() => mn.mmu_interval_read_begin(late)).toThrow(WouldBlock);
		mn.mmu_notifier_invalidate_range_end(miss);
		expect(seqOf(mm)).toBe(4);
		mn.mmu_interval_read_begin(late);
	});

	test('removed in an invalidation: called until its end, gone after it', () => {
		const mm = newMm();
		const sub = watch(mm, 0, 4);
		const r = range(mm, 0, 1), nested = range(mm, 1, 2);
		const count = mms.mm_count[mm];

		mn.mmu_notifier_invalidate_range_start(r);
		expect(() => mn.mmu_interval_notifier_remove(sub)).toThrow(WouldBlock);
		expect(() => mn.mmu_interval_notifier_remove(sub)).toThrow(WouldBlock);
		taken();
		mn.mmu_notifier_invalidate_range_start(nested);
		expect(taken().length).toBe(1);
		mn.mmu_notifier_invalidate_range_end(nested);
		mn.mmu_notifier_invalidate_range_end(r);
		mn.mmu_interval_notifier_remove(sub);
		expect(mms.mm_count[mm]).toBe(count - 1);
		mn.mmu_notifier_invalidate_range_start(r);
		expect(taken()).toEqual([]);
	});

	test('added and removed in one invalidation: never in the tree', () => {
		const mm = newMm();
		watch(mm, 0, 4);
		const r = range(mm, 0, 1);
		mn.mmu_notifier_invalidate_range_start(r);
		const late = watch(mm, 0, 1);
		mn.mmu_interval_notifier_remove(late);
		mn.mmu_notifier_invalidate_range_end(r);
		expect(mn.mmu_interval_notifiers.in_itree[late]).toBe(0);
		taken();
		mn.mmu_notifier_invalidate_range_start(r);
		expect(taken().length).toBe(1);
	});

	test('exit tells each once, with event RELEASE', () => {
		const mm = newMm();
		const a = watch(mm, 0, 1), b = watch(mm, 2 ** 20, 1);

		mn.mmu_notifier_release(mm);
		expect(taken()).toEqual([`invalidate ${a} event 5 seq 3`,
			`invalidate ${b} event 5 seq 3`]);
		expect(seqOf(mm)).toBe(4);
		mn.mmu_interval_notifier_remove(a);
		mn.mmu_interval_notifier_remove(b);
		expect(mms.mm_count[mm]).toBe(1);
	});

	test('an empty or impossible interval is refused', () => {
		const mm = newMm();
		const sub = kmem_cache_zalloc(mn.mmu_interval_notifiers);

		expect(mn.mmu_interval_notifier_insert(sub, mm, BASE, 0, INTERVAL)).toBe(-75);
		expect(mn.mmu_interval_notifier_insert(sub, mm, BASE, 2 ** 60, INTERVAL)).toBe(-75);
	});
});

describe('what a subscriber is told of one page, by reclaim', () => {
	/*
	 * page_referenced() and then try_to_unmap() of a clean file page; S = range_start, E = end,
	 * CFY = clear_flush_young, IR = invalidate_range. From try_to_unmap_one(): the range is
	 * opened before anything is looked at; a file page has no invalidate_range() of its own
	 * (the page lock keeps it in the cache); the end calls invalidate_range() for all.
	 */
	const short: Record<string, string> = { start: 'S', end: 'E', clear_flush_young: 'CFY',
		invalidate_range: 'IR' };
	const trace = (): string => taken().map((line) => short[line.split(' ')[0]!]).join(' ');

	function mapped(bits: number, commits: number[]):
		{ page: page; vma: vm_area_struct; mm: mm_struct } {
		boot(commits);
		const mm = newMm(), file = newFile();
		const vma = newFileArea(mm, file, 4);
		const page = newFilePage(file, 2);

		mapFilePage(vma, 2, page, bits);
		subscribe(mm);
		return { page, vma, mm };
	}
	const ALWAYS = [MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS];
	const vm_flags = { v: 0 };

	test.each([
		['v5.10.0', [], 'S CFY IR E'],
		['013339df116c', ALWAYS, 'S IR E'],
	])('unmapped: %s', (_name, commits, expected) => {
		const { page } = mapped(OLD, commits);

		page_referenced(page, 1, NULL, vm_flags);
		expect(trace()).toBe('CFY');
		expect(try_to_unmap(page, 0)).toBe(true);
		expect(trace()).toBe(expected);
	});

	test('v5.10.0: saved by a young entry, yet told as if it were gone', () => {
		const { page, vma } = mapped(YOUNG, []);

		expect(try_to_unmap(page, 0)).toBe(false);
		expect(trace()).toBe('S CFY IR E');
		expect(pte(vma, 2) & ACCESSED).toBe(0);
	});

	test('v5.10.0: saved by the secondary MMU alone', () => {
		const { page, mm } = mapped(OLD, []);
		const sub = mn.notifier_subscriptions.list[
			mms.notifier_subscriptions[mm] as mn.mmu_notifier_subscriptions];

		young.set(sub, 1);
		expect(try_to_unmap(page, 0)).toBe(false);
		young.clear();
		expect(try_to_unmap(page, 0)).toBe(true);
	});

	test('VM_LOCKED: the range is opened and closed all the same', () => {
		const { page, vma } = mapped(YOUNG, ALWAYS);

		vmas.vm_flags[vma] |= VM_LOCKED;
		page_referenced(page, 1, NULL, vm_flags);
		expect(trace()).toBe('');
		expect(try_to_unmap(page, 0)).toBe(false);
		expect(trace()).toBe('S IR E');
	});

	test('areas that do not map the page are told too, until the page is unmapped', () => {
		/* rmap_walk_file(): done() is asked after each area */
		boot(ALWAYS);
		const file = newFile();
		const [first, second, third] = [newMm(), newMm(), newMm()];
		newFileArea(first, file, 4);
		const vma = newFileArea(second, file, 4);
		newFileArea(third, file, 4);
		const page = newFilePage(file, 2);
		mapFilePage(vma, 2, page);
		const [a, b] = [first, second, third].map((mm) => subscribe(mm));

		expect(try_to_unmap(page, 0)).toBe(true);
		expect(taken()).toEqual([a, b].flatMap((s) => [`start ${s} 2-3`,
			`invalidate_range ${s} 2-3`, `end ${s} 2-3`]));
	});

	test('a range that only loses write permission', () => {
		const { vma, mm } = mapped(OLD, []);
		const r = range(mm, 0, 1, mn.MMU_NOTIFY_PROTECTION_VMA);

		expect(mn.mmu_notifier_range_update_to_read_only(r)).toBe(false);
		r.vma = vma;
		expect(mn.mmu_notifier_range_update_to_read_only(r)).toBe(true);
		vmas.vm_flags[vma] &= ~VM_READ;
		expect(mn.mmu_notifier_range_update_to_read_only(r)).toBe(false);
		vmas.vm_flags[vma] |= VM_READ;
		r.event = mn.MMU_NOTIFY_CLEAR;
		expect(mn.mmu_notifier_range_update_to_read_only(r)).toBe(false);
	});
});
