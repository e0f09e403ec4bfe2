// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/mm/tlb.c: who is flushed when. What is expected comes from the comments of that file and
 * of asm/tlbflush.h: ctx_id and tlb_gen, lazy mode, the ceiling of Documentation/x86/tlb.rst.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import * as mmu from '../../src/arch/mmu.ts';
import { mmHooks, pmdp_clear_flush_young, pte_accessible, ptep_clear_flush_young }
	from '../../src/arch/pgtable.ts';
import { ram } from '../../src/arch/ram.ts';
import * as tlb from '../../src/arch/tlb.ts';
import { resetArena } from '../../src/lib/arena.ts';
import { trace_cpu } from '../../src/lib/trace.ts';
import { Frames, map } from './tables.ts';

const READ = mmu.MMU_READ | mmu.MMU_USER, WRITE = mmu.MMU_WRITE | mmu.MMU_USER;
const P = 1, W = 2, U = 4, A = 0x20, PS = 0x80;
const ADDR = 0x5555_0000_0000, PAGE = 4096;
const X = 1, Y = 2;

let frames: Frames;
const tops: number[] = [];
function start(cpus: number, pcid = false, mms = 2): void {
	resetArena();
	tlb.tlb_init(cpus, pcid);
	frames = new Frames(16);
	for (let mm = 1; mm <= mms; mm++) {
		tops[mm] = frames.take();
		tlb.init_new_context(mm, tops[mm]!);
	}
}
beforeEach(() => start(3));

const run = (cpu: number, mm: number) =>
	tlb.switch_mm_irqs_off(tlb.cpu_tlbstate.loaded_mm[cpu], mm, cpu);
const as = <T>(cpu: number, what: () => T): T => {
	trace_cpu.v = cpu;
	const result = what();
	trace_cpu.v = 0;
	return result;
};
/** Map n pages of an mm and read them on a CPU. */
function touch(cpu: number, mm: number, n: number): void {
	for (let i = 0; i < n; i++)
		map(frames, tops[mm]!, ADDR + i * PAGE, 0x1000 * mm + i, P | W | U);
	for (let i = 0; i < n; i++)
		mmu.mmu_translate(cpu, ADDR + i * PAGE, READ);
}
const cached = (cpu: number) => mmu.tlb_entries(cpu).map((e) => (e.address - ADDR) / PAGE)
	.sort((a, b) => a - b);
const flushes = (cpu: number) => mmu.mmu_event(cpu, 'tlb_flush.stlb_any');
const invlpgs = (cpu: number) => mmu.mmu_event(cpu, 'invlpg');
const gen = (mm: number) => tlb.mm_contexts.tlb_gen[mm];
const { irq_tlb_count, loaded_mm, is_lazy } = tlb.cpu_tlbstate;
const ipis = () => [0, 1, 2].map((cpu) => irq_tlb_count[cpu]);

describe('switch_mm_irqs_off() without PCIDs', () => {
	test('every switch to another mm flushes; to the same one does nothing', () => {
		run(0, X);
		touch(0, X, 3);
		run(0, X);
		expect(cached(0)).toEqual([0, 1, 2]);
		run(0, Y);
		expect(cached(0)).toEqual([]);
		touch(0, Y, 1);
		run(0, X);
		expect(cached(0)).toEqual([]);
		expect(mmu.read_cr3(0)).toBe(tops[X]! * 4096);
	});
	test('mm_cpumask() has the CPUs that have it loaded', () => {
		run(0, X);
		run(1, X);
		run(2, Y);
		expect([tlb.mm_cpumask(X), tlb.mm_cpumask(Y)]).toEqual([0b011, 0b100]);
		run(1, Y);
		expect([tlb.mm_cpumask(X), tlb.mm_cpumask(Y)]).toEqual([0b001, 0b110]);
		run(0, 0);
		expect(tlb.mm_cpumask(X)).toBe(0);
		expect(mmu.read_cr3(0)).toBe(0);
	});
	test('CPU 31 is in the mask as any other', () => {
		start(32);
		run(31, X);
		touch(31, X, 2);
		tlb.flush_tlb_mm(X);
		expect([tlb.mm_cpumask(X) >>> 0, cached(31)]).toEqual([2 ** 31, []]);
	});
	test('an mm may die only when no CPU has it loaded', () => {
		run(0, X);
		expect(() => tlb.destroy_context(X)).toThrow('kernel BUG');
		run(0, 0);
		tlb.destroy_context(X);
		tlb.init_new_context(X, tops[X]!);
		/* ctx_ids are never used again: init_mm has 1, the first two 2 and 3. */
		expect(tlb.mm_contexts.ctx_id[X]).toBe(4);
	});
});

describe('lazy TLB mode', () => {
	test('a kernel thread keeps the mm loaded; without a flush, going back is free', () => {
		run(0, X);
		touch(0, X, 2);
		tlb.enter_lazy_tlb(X, 0);
		expect([is_lazy[0], loaded_mm[0], tlb.mm_cpumask(X)]).toEqual([1, X, 1]);
		const before = flushes(0);
		run(0, X);
		expect([is_lazy[0], flushes(0), cached(0)]).toEqual([0, before, [0, 1]]);
	});
	test('a lazy CPU is not interrupted for a flush, and catches up when it goes back', () => {
		run(0, X);
		run(1, X);
		touch(1, X, 3);
		tlb.enter_lazy_tlb(X, 1);
		tlb.flush_tlb_page(X, ADDR);
		expect([ipis(), cached(1)]).toEqual([[0, 0, 0], [0, 1, 2]]);
		run(1, X);
		expect(cached(1)).toEqual([]);
		expect(tlb.cpu_tlbstate.ctxs_tlb_gen[tlb.TLB_NR_DYN_ASIDS]).toBe(gen(X));
	});
	test('unless tables are freed: then it leaves the mm', () => {
		run(0, X);
		run(1, X);
		touch(1, X, 3);
		tlb.enter_lazy_tlb(X, 1);
		tlb.flush_tlb_mm_range(X, ADDR, ADDR + PAGE, 12, true);
		expect(ipis()).toEqual([0, 1, 0]);
		expect([loaded_mm[1], is_lazy[1], cached(1)]).toEqual([0, 0, []]);
		expect(tlb.mm_cpumask(X)).toBe(1);
	});
	test('init_mm is never lazy; leave_mm() of a lazy CPU loads it', () => {
		tlb.enter_lazy_tlb(0, 0);
		expect(is_lazy[0]).toBe(0);
		run(0, X);
		expect(() => tlb.leave_mm(0)).toThrow('not lazy');
		tlb.enter_lazy_tlb(X, 0);
		tlb.leave_mm(0);
		expect([loaded_mm[0], tlb.mm_cpumask(X)]).toEqual([0, 0]);
	});
});

describe('flush_tlb_mm_range()', () => {
	test('this CPU and those of the mask, page by page; others are left alone', () => {
		run(0, X);
		run(1, X);
		run(2, Y);
		touch(0, X, 4);
		touch(1, X, 4);
		touch(2, Y, 4);
		const full = [0, 1, 2].map(flushes);
		tlb.flush_tlb_range(X, ADDR + PAGE, ADDR + 3 * PAGE);
		expect([0, 1, 2].map(cached)).toEqual([[0, 3], [0, 3], [0, 1, 2, 3]]);
		expect([ipis(), [0, 1, 2].map(invlpgs)]).toEqual([[0, 1, 0], [2, 2, 0]]);
		expect([0, 1, 2].map(flushes)).toEqual(full);
	});
	test('from a CPU that does not have it loaded', () => {
		run(1, X);
		touch(1, X, 2);
		as(2, () => tlb.flush_tlb_page(X, ADDR));
		expect([cached(1), ipis()]).toEqual([[1], [0, 1, 0]]);
	});
	test.each([[33, 33, 0], [34, 0, 1]])('%d pages: %d by one, %d full', (pages, one, full) => {
		run(0, X);
		touch(0, X, 40);
		const before = flushes(0);
		tlb.flush_tlb_range(X, ADDR, ADDR + pages * PAGE);
		expect([invlpgs(0), flushes(0) - before]).toEqual([one, full]);
		expect(cached(0)).toHaveLength(full ? 0 : 40 - pages);
	});
	test('the ceiling counts strides, and can be set', () => {
		run(0, X);
		map(frames, tops[X]!, 0x4000_0000, 0x200, P | U | PS, 2);
		mmu.mmu_translate(0, 0x4000_0000, READ);
		tlb.flush_tlb_mm_range(X, 0x4000_0000, 0x4000_0000 + 4 * 2 ** 21, 21, false);
		expect([invlpgs(0), cached(0)]).toEqual([4, []]);
		tlb.tlb_single_page_flush_ceiling.v = 3;
		tlb.flush_tlb_mm_range(X, 0x4000_0000, 0x4000_0000 + 4 * 2 ** 21, 21, false);
		expect(invlpgs(0)).toBe(4);
	});
	test('a CPU that missed a generation gets a full flush', () => {
		run(0, X);
		touch(0, X, 4);
		tlb.inc_mm_tlb_gen(X);
		const before = flushes(0);
		tlb.flush_tlb_page(X, ADDR);
		expect([invlpgs(0), flushes(0) - before, cached(0)]).toEqual([0, 1, []]);
		tlb.flush_tlb_page(X, ADDR);
		expect(invlpgs(0)).toBe(1);
	});
	test('flush_tlb_mm() of the whole', () => {
		run(0, X);
		run(1, X);
		touch(0, X, 4);
		touch(1, X, 4);
		tlb.flush_tlb_mm(X);
		expect([cached(0), cached(1), gen(X)]).toEqual([[], [], 1]);
	});
	test('flush_tlb_all() empties every CPU, whatever it has loaded', () => {
		run(0, X);
		run(1, Y);
		touch(0, X, 2);
		touch(1, Y, 2);
		tlb.flush_tlb_all();
		expect([cached(0), cached(1)]).toEqual([[], []]);
	});
});

describe('arch_tlbbatch_flush()', () => {
	const BATCH = 5;
	test('all CPUs that had any mm of it, once, and in full', () => {
		run(0, X);
		run(1, Y);
		touch(0, X, 2);
		touch(1, Y, 2);
		tlb.arch_tlbbatch_add_mm(BATCH, X);
		tlb.arch_tlbbatch_add_mm(BATCH, X);
		tlb.arch_tlbbatch_add_mm(BATCH, Y);
		expect([cached(0), cached(1), gen(X), gen(Y)]).toEqual([[0, 1], [0, 1], 2, 1]);
		const before = [0, 1, 2].map(flushes);
		tlb.arch_tlbbatch_flush(BATCH);
		expect([cached(0), cached(1), ipis()]).toEqual([[], [], [0, 1, 0]]);
		expect([0, 1, 2].map((cpu) => flushes(cpu) - before[cpu]!)).toEqual([1, 1, 0]);
		expect(tlb.tlb_ubcs.cpumask[BATCH]).toBe(0);
		tlb.arch_tlbbatch_flush(BATCH);
		expect(ipis()).toEqual([0, 1, 0]);
	});
	test('a CPU that has caught up by a flush between is not flushed again', () => {
		run(0, Y);
		run(1, X);
		touch(1, X, 2);
		tlb.arch_tlbbatch_add_mm(BATCH, X);
		tlb.flush_tlb_page(X, ADDR + 9 * PAGE);
		/* The generation before was missed: that was a full flush. */
		expect(cached(1)).toEqual([]);
		touch(1, X, 1);
		tlb.arch_tlbbatch_flush(BATCH);
		expect([cached(1), ipis()]).toEqual([[0], [0, 2, 0]]);
	});
	test('a lazy CPU waits until it goes back', () => {
		run(1, X);
		touch(1, X, 2);
		tlb.enter_lazy_tlb(X, 1);
		tlb.arch_tlbbatch_add_mm(BATCH, X);
		tlb.arch_tlbbatch_flush(BATCH);
		expect([cached(1), ipis()]).toEqual([[0, 1], [0, 0, 0]]);
		run(1, X);
		expect(cached(1)).toEqual([]);
	});
});

describe('with PCIDs', () => {
	beforeEach(() => start(2, true, 8));
	const asid = (cpu: number) => tlb.cpu_tlbstate.loaded_mm_asid[cpu];

	test('going back to an mm keeps what the TLB has of it; CR3 has ASID + 1', () => {
		run(0, X);
		touch(0, X, 2);
		run(0, Y);
		touch(0, Y, 2);
		expect(mmu.tlb_entries(0)).toHaveLength(4);
		const before = mmu.mmu_event(0, 'dtlb_load_misses.walk_completed');
		run(0, X);
		mmu.mmu_translate(0, ADDR, READ);
		expect(mmu.mmu_event(0, 'dtlb_load_misses.walk_completed')).toBe(before);
		expect(mmu.read_cr3(0)).toBe(tops[X]! * 4096 + asid(0) + 1);
	});
	test('a flush while it was away is caught up with', () => {
		run(0, X);
		touch(0, X, 2);
		run(0, Y);
		tlb.flush_tlb_page(X, ADDR);
		expect(mmu.tlb_entries(0)).toHaveLength(2);
		run(0, X);
		expect(mmu.tlb_entries(0)).toHaveLength(0);
	});
	test('six ASIDs, taken in turn; the seventh mm takes the oldest and flushes that', () => {
		/* init_mm has ASID 0 since the CPU came up; next_asid is 1. */
		for (let mm = 1; mm <= 5; mm++) {
			run(0, mm);
			touch(0, mm, 1);
			expect(asid(0)).toBe(mm);
		}
		run(0, 6);
		touch(0, 6, 1);
		expect(asid(0)).toBe(0);
		expect(mmu.tlb_entries(0).map((e) => e.pcid).sort()).toEqual([1, 2, 3, 4, 5, 6]);
		run(0, 7);
		expect(asid(0)).toBe(1);
		expect(mmu.tlb_entries(0).map((e) => e.pcid).sort()).toEqual([1, 3, 4, 5, 6]);
		/* The first mm has lost its ASID. */
		run(0, 1);
		expect(asid(0)).toBe(2);
	});
	test('a row of an mm that is used again is another context', () => {
		run(0, X);
		touch(0, X, 2);
		run(0, Y);
		tlb.destroy_context(X);
		tlb.init_new_context(X, tops[3]!);
		run(0, X);
		expect(mmu.mmu_translate(0, ADDR, READ)).toBe(-1);
	});
	test('flush_tlb_all() reaches ASIDs that are not loaded', () => {
		run(0, X);
		touch(0, X, 2);
		run(0, Y);
		tlb.flush_tlb_all();
		expect(mmu.tlb_entries(0)).toEqual([]);
	});
});

describe('arch/x86/mm/pgtable.c', () => {
	test('ptep_clear_flush_young() does not flush: the next access leaves A clear', () => {
		run(0, X);
		const pte = map(frames, tops[X]!, ADDR, 0x100, P | W | U);
		mmu.mmu_translate(0, ADDR, WRITE);
		expect(ptep_clear_flush_young(1, ADDR, pte)).toBe(true);
		mmu.mmu_translate(0, ADDR, WRITE);
		expect([ram[pte]! & A, ptep_clear_flush_young(1, ADDR, pte)]).toEqual([0, false]);
		run(0, Y);
		run(0, X);
		mmu.mmu_translate(0, ADDR, READ);
		expect(ram[pte]! & A).toBe(A);
	});
	test('pmdp_clear_flush_young() does, of the mm of its vma', () => {
		run(0, X);
		const pmd = map(frames, tops[X]!, 0x4000_0000, 0x200, P | W | U | PS, 2);
		mmu.mmu_translate(0, 0x4000_0000, READ);
		const { vm_mm } = mmHooks;
		mmHooks.vm_mm = (vma) => vma === 77 ? X : 0;
		expect(pmdp_clear_flush_young(77, 0x4000_0000, pmd)).toBe(true);
		mmHooks.vm_mm = vm_mm;
		expect([mmu.tlb_entries(0), gen(X)]).toEqual([[], 1]);
	});
	test('pte_accessible(): present, or PROT_NONE while a flush is pending', () => {
		const { mm_tlb_flush_pending } = mmHooks;
		mmHooks.mm_tlb_flush_pending = (mm) => mm === Y;
		expect([pte_accessible(X, 0x25), pte_accessible(X, 0x120), pte_accessible(Y, 0x120),
			pte_accessible(Y, 0x200)]).toEqual([true, false, true, false]);
		mmHooks.mm_tlb_flush_pending = mm_tlb_flush_pending;
	});
});
