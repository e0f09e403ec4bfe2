// SPDX-License-Identifier: GPL-2.0-only
/*
 * arch/x86/mm/tlb.c, include/asm/tlbflush.h, and init_new_context() of mmu_context.h; v5.10
 * Left out: page-table isolation and kernel addresses, since only user space is translated;
 *	branch-predictor barriers, LDTs, PKRU and CR4.PCE on a switch, which have no state here;
 *	the tlb_flush trace event; CPU hotplug; NR_TLB_* events (CONFIG_DEBUG_TLBFLUSH is off).
 * Lock order modelled: none. An interrupt to another CPU is a call, and has been served when it
 *	returns.
 *
 * A flush raises mm->context.tlb_gen and asks each CPU that has the mm loaded to catch up; a CPU
 * that was asked late finds that it already has. A lazy CPU (it runs a kernel thread on a borrowed
 * mm) is not asked, unless tables are freed: it compares generations when it goes back.
 *
 * The mm of kernel threads, init_mm, is 0. Its top table is frame 0, which is empty.
 */
import { BUG, VM_BUG_ON, WARN_ON_ONCE } from '../lib/bug.ts';
import { applied, MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS }
	from '../lib/commits.ts';
import { array, f64, global_f64, global_s32, nr_rows, s32, struct, u8, use_rows }
	from '../lib/struct.ts';
import { trace_cpu } from '../lib/trace.ts';
import { invlpg, invpcid, mmu_cpus, mmu_init, mmu_pcid, NR_CPUS, read_cr3, write_cr3, write_cr4,
	X86_CR4_PGE } from './mmu.ts';
import { PAGE_SHIFT, PAGE_SIZE } from './page.ts';

/** The end of a range that is everything; ~0UL in the kernel. */
export const TLB_FLUSH_ALL = -1;
export const TLB_NR_DYN_ASIDS = 6;
const init_mm = 0;
const INIT_CTX_ID = 1;

const MM_CONTEXTS = 8192;
const TASKS = 8192;

/** mm->context, by row of the mm; row 0 is init_mm's. */
export const mm_contexts = struct<number>()('mm_context', MM_CONTEXTS, {
	/* unique, never used again */
	ctx_id: f64,
	/* raised by each flush */
	tlb_gen: f64,
	/* CPUs that have the mm loaded, lazily or not: mm_cpumask() */
	cpumask: s32,
	/* frame of the top table */
	pgd: s32,
});
const { ctx_id, tlb_gen, cpumask, pgd } = mm_contexts;

/** cpu_tlbstate, by CPU. */
export const cpu_tlbstate = struct<number>()('cpu_tlbstate', NR_CPUS, {
	loaded_mm: s32,
	loaded_mm_asid: s32,
	next_asid: s32,
	is_lazy: u8,
	/* which context, and which generation of it, each ASID has */
	ctxs_ctx_id: array(f64, TLB_NR_DYN_ASIDS),
	ctxs_tlb_gen: array(f64, TLB_NR_DYN_ASIDS),
	/* irq_stat.irq_tlb_count: "TLB" of /proc/interrupts */
	irq_tlb_count: s32,
});
const { loaded_mm, loaded_mm_asid, next_asid, is_lazy, ctxs_ctx_id, ctxs_tlb_gen, irq_tlb_count } =
	cpu_tlbstate;

/** struct flush_tlb_info: one for each CPU, and the last one that flushes everything. */
const flush_tlb_infos = struct<number>()('flush_tlb_info', NR_CPUS + 1, {
	mm: s32,
	start: f64,
	end: f64,
	new_tlb_gen: f64,
	stride_shift: s32,
	freed_tables: u8,
});
const full_flush_tlb_info = NR_CPUS;

/** task->tlb_ubc, by row of the task: flushes that reclaim has put off. */
export const tlb_ubcs = struct<number>()('tlb_ubc', TASKS, {
	/* arch.cpumask */
	cpumask: s32,
	flush_required: u8,
	writable: u8,
});

const last_mm_ctx_id = global_f64('last_mm_ctx_id');
/** Pages up to which a range is flushed one by one. */
export const tlb_single_page_flush_ceiling = global_s32('tlb_single_page_flush_ceiling');

/**
 * Who flushes the TLBs of devices together with those of the CPUs.
 * @param end first address behind it, or TLB_FLUSH_ALL
 * @custom mm/mmu_notifier.c puts its function here, for imports point left
 */
export const secondaryTlbs: { invalidate: (mm: number, start: number, end: number) => void } = {
	invalidate: () => {},
};

/** The PCID of an ASID; 0 is for those who know of none. @ported v5.10 static */
function kern_pcid(asid: number): number {
	if (asid >= TLB_NR_DYN_ASIDS)
		BUG(`ASID ${asid}`);
	return asid + 1;
}

/** @ported v5.10 static */
function build_cr3(pgd_pfn: number, asid: number): number {
	if (mmu_pcid.v)
		return pgd_pfn * PAGE_SIZE + kern_pcid(asid);
	VM_BUG_ON(asid !== 0, 'an ASID without PCIDs');
	return pgd_pfn * PAGE_SIZE;
}

/* The out parameters of choose_new_asid(). */
const new_asid = { v: 0 };
const need_flush = { v: false };

/** @reduced no ASID is ever invalidated on the quiet: that is table isolation's */
function choose_new_asid(
	cpu: number, next: number, next_tlb_gen: number, new_asid: { v: number },
	need_flush: { v: boolean },
): void {
	if (!mmu_pcid.v) {
		new_asid.v = 0;
		need_flush.v = true;
		return;
	}

	for (let asid = 0; asid < TLB_NR_DYN_ASIDS; asid++) {
		const slot = cpu * TLB_NR_DYN_ASIDS + asid;
		if (ctxs_ctx_id[slot] !== ctx_id[next])
			continue;
		new_asid.v = asid;
		need_flush.v = ctxs_tlb_gen[slot]! < next_tlb_gen;
		return;
	}

	/* This CPU has no ASID for it: the oldest. */
	new_asid.v = next_asid[cpu]++;
	if (new_asid.v >= TLB_NR_DYN_ASIDS) {
		new_asid.v = 0;
		next_asid[cpu] = 1;
	}
	need_flush.v = true;
}

/** @reduced no user half of the ASID to flush: that is table isolation's */
function load_new_mm_cr3(cpu: number, pgdir: number, asid: number, flush: boolean): void {
	const done = write_cr3(cpu, build_cr3(pgdir, asid), !flush);

	VM_BUG_ON(!done, 'CR3 was refused');
}

/** Go to init_mm from a lazily borrowed mm. @ported v5.10 */
export function leave_mm(cpu: number): void {
	if (loaded_mm[cpu] === init_mm)
		return;
	WARN_ON_ONCE(!is_lazy[cpu], 'leave_mm() of a CPU that is not lazy');
	switch_mm(0, init_mm, cpu);
}

/** @ported v5.10 */
export function switch_mm(prev: number, next: number, cpu: number): void {
	switch_mm_irqs_off(prev, next, cpu);
}

/**
 * Make `next` (0 for init_mm) the mm that a CPU has loaded.
 * @reduced the task's branch-predictor state, LDT and CR4.PCE, none of which is emulated
 */
export function switch_mm_irqs_off(_prev: number, next: number, cpu: number): void {
	const real_prev = loaded_mm[cpu];
	const prev_asid = loaded_mm_asid[cpu];
	const was_lazy = is_lazy[cpu] !== 0;
	const bit = 1 << cpu;
	let next_tlb_gen: number;

	VM_BUG_ON(read_cr3(cpu) !== build_cr3(pgd[real_prev], prev_asid),
		'CR3 is not of the mm that is loaded');
	is_lazy[cpu] = 0;

	if (real_prev === next) {
		const slot = cpu * TLB_NR_DYN_ASIDS + prev_asid;

		VM_BUG_ON(ctxs_ctx_id[slot] !== ctx_id[next], 'an ASID is of another context');
		WARN_ON_ONCE(real_prev !== init_mm && (cpumask[next] & bit) === 0,
			'a CPU is not in the mask of its mm');

		/* Never lazy: it took part in all flushes meanwhile. */
		if (!was_lazy)
			return;

		/* What was flushed while the CPU was lazy? */
		next_tlb_gen = tlb_gen[next];
		if (ctxs_tlb_gen[slot] === next_tlb_gen)
			return;
		new_asid.v = prev_asid;
		need_flush.v = true;
	} else {
		if (real_prev !== init_mm) {
			VM_BUG_ON((cpumask[real_prev] & bit) === 0,
				'a CPU is not in the mask of its mm');
			cpumask[real_prev] &= ~bit;
		}
		if (next !== init_mm)
			cpumask[next] |= bit;
		next_tlb_gen = tlb_gen[next];
		choose_new_asid(cpu, next, next_tlb_gen, new_asid, need_flush);
	}

	if (need_flush.v) {
		const slot = cpu * TLB_NR_DYN_ASIDS + new_asid.v;
		ctxs_ctx_id[slot] = ctx_id[next];
		ctxs_tlb_gen[slot] = next_tlb_gen;
		load_new_mm_cr3(cpu, pgd[next], new_asid.v, true);
	} else {
		load_new_mm_cr3(cpu, pgd[next], new_asid.v, false);
	}

	loaded_mm[cpu] = next;
	loaded_mm_asid[cpu] = new_asid.v;
}

/** A kernel thread runs on the CPU, and borrows the mm that is loaded. @ported v5.10 */
export function enter_lazy_tlb(_mm: number, cpu: number): void {
	if (loaded_mm[cpu] === init_mm)
		return;
	is_lazy[cpu] = 1;
}

/** A CPU comes up: ASID 0, nothing cached. @ported v5.10 */
export function initialize_tlbstate_and_flush(cpu: number): void {
	const mm = loaded_mm[cpu];

	const done = write_cr3(cpu, build_cr3(pgd[mm], 0));
	VM_BUG_ON(!done, 'CR3 was refused');
	loaded_mm_asid[cpu] = 0;
	next_asid[cpu] = 1;
	ctxs_ctx_id[cpu * TLB_NR_DYN_ASIDS] = ctx_id[mm];
	ctxs_tlb_gen[cpu * TLB_NR_DYN_ASIDS] = tlb_gen[init_mm];
	for (let i = 1; i < TLB_NR_DYN_ASIDS; i++)
		ctxs_ctx_id[cpu * TLB_NR_DYN_ASIDS + i] = 0;
}

/** @reduced neither trace event nor vm events (see the head of the file) */
function flush_tlb_func_common(f: number, cpu: number): void {
	const mm = loaded_mm[cpu];
	const slot = cpu * TLB_NR_DYN_ASIDS + loaded_mm_asid[cpu];
	const mm_tlb_gen = tlb_gen[mm];
	const local_tlb_gen = ctxs_tlb_gen[slot]!;
	const { start, end, new_tlb_gen, stride_shift } = flush_tlb_infos;

	if (mm === init_mm)
		return;
	VM_BUG_ON(ctxs_ctx_id[slot] !== ctx_id[mm], 'an ASID is of another context');

	if (is_lazy[cpu]) {
		/* Cheaper than a flush, and no table can be read any more that is being freed. */
		switch_mm_irqs_off(0, init_mm, cpu);
		return;
	}

	/* Another flush has caught up for this one. */
	if (local_tlb_gen === mm_tlb_gen)
		return;
	WARN_ON_ONCE(local_tlb_gen > mm_tlb_gen, 'a CPU is ahead of the generation');
	WARN_ON_ONCE(new_tlb_gen[f] > mm_tlb_gen, 'a flush is ahead of the generation');

	/*
	 * A range is enough only if it is all that lies between this CPU and the newest
	 * generation.
	 */
	if (end[f] !== TLB_FLUSH_ALL && new_tlb_gen[f] === local_tlb_gen + 1 &&
	    new_tlb_gen[f] === mm_tlb_gen) {
		const stride = 2 ** stride_shift[f];
		for (let addr = start[f]; addr < end[f]; addr += stride)
			flush_tlb_one_user(addr, cpu);
	} else {
		flush_tlb_local(cpu);
	}

	ctxs_tlb_gen[slot] = mm_tlb_gen;
}

/** @ported v5.10 static */
function flush_tlb_func_local(f: number, cpu: number): void {
	flush_tlb_func_common(f, cpu);
}

/** @ported v5.10 static */
function flush_tlb_func_remote(f: number, cpu: number): void {
	const { mm } = flush_tlb_infos;

	irq_tlb_count[cpu]++;
	if (mm[f] && mm[f] !== loaded_mm[cpu])
		return;
	flush_tlb_func_common(f, cpu);
}

/** @ported v5.10 static */
function tlb_is_not_lazy(cpu: number): boolean {
	return !is_lazy[cpu];
}

/**
 * Ask the other CPUs of a mask.
 * @ported v5.10 native_flush_tlb_others()
 */
export function flush_tlb_others(mask: number, info: number): void {
	const this_cpu = trace_cpu.v;

	for (let cpu = 0; cpu < nr_cpus(); cpu++) {
		if (cpu === this_cpu || (mask & (1 << cpu)) === 0)
			continue;
		/* A lazy CPU can wait, unless tables go that it could still read. */
		if (flush_tlb_infos.freed_tables[info] || tlb_is_not_lazy(cpu))
			flush_tlb_func_remote(info, cpu);
	}
}

/** @custom nr_cpu_ids, of the CPUs whose MMUs are in use */
function nr_cpus(): number {
	return nr_rows(mmu_cpus);
}

/** @ported v5.10 static */
function get_flush_tlb_info(
	mm: number, start: number, end: number, stride_shift: number,
	freed_tables: boolean | number, new_tlb_gen: number,
): number {
	const info = trace_cpu.v;

	flush_tlb_infos.start[info] = start;
	flush_tlb_infos.end[info] = end;
	flush_tlb_infos.mm[info] = mm;
	flush_tlb_infos.stride_shift[info] = stride_shift;
	flush_tlb_infos.freed_tables[info] = freed_tables ? 1 : 0;
	flush_tlb_infos.new_tlb_gen[info] = new_tlb_gen;
	return info;
}

/**
 * Flush a range of an mm on all CPUs that have it loaded.
 * @param end first address behind it, or TLB_FLUSH_ALL
 * @param stride_shift log2 of the size of the pages in it
 * @param freed_tables tables are freed too, so that lazy CPUs cannot wait
 * @ported v5.10
 */
export function flush_tlb_mm_range(
	mm: number, start: number, end: number, stride_shift: number,
	freed_tables: boolean | number,
): void {
	const cpu = trace_cpu.v;

	/* Beyond so many pages, it is cheaper to empty the TLB. */
	if (end === TLB_FLUSH_ALL ||
	    Math.floor((end - start) / 2 ** stride_shift) > tlb_single_page_flush_ceiling.v) {
		start = 0;
		end = TLB_FLUSH_ALL;
	}

	const new_tlb_gen = inc_mm_tlb_gen(mm);
	const info = get_flush_tlb_info(mm, start, end, stride_shift, freed_tables, new_tlb_gen);

	if (mm === loaded_mm[cpu])
		flush_tlb_func_local(info, cpu);
	if ((cpumask[mm] & ~(1 << cpu)) !== 0)
		flush_tlb_others(cpumask[mm], info);
	if (applied(MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS
		/* 6bbd42e2df8f, v6.6 */))
		secondaryTlbs.invalidate(mm, start, end);
}

/** Everything of an mm. @ported v5.10 arch/x86/include/asm/tlbflush.h:flush_tlb_mm() */
export function flush_tlb_mm(mm: number): void {
	flush_tlb_mm_range(mm, 0, TLB_FLUSH_ALL, 0, true);
}

/**
 * A range of small pages, by its mm.
 * @reduced hugetlb areas, whose stride is larger: there are none
 */
export function flush_tlb_range(mm: number, start: number, end: number): void {
	flush_tlb_mm_range(mm, start, end, PAGE_SHIFT, false);
}

/** One page. @ported v5.10 arch/x86/include/asm/tlbflush.h:flush_tlb_page() */
export function flush_tlb_page(mm: number, a: number): void {
	flush_tlb_mm_range(mm, a, a + PAGE_SIZE, PAGE_SHIFT, false);
}

/** @ported v5.10 arch/x86/include/asm/tlbflush.h:inc_mm_tlb_gen() */
export function inc_mm_tlb_gen(mm: number): number {
	return ++tlb_gen[mm];
}

/** @ported v5.10 static */
function do_flush_tlb_all(cpu: number): void {
	__flush_tlb_all(cpu);
}

/** Everything on all CPUs. @ported v5.10 */
export function flush_tlb_all(): void {
	for (let cpu = 0; cpu < nr_cpus(); cpu++)
		do_flush_tlb_all(cpu);
}

/** A page of what this CPU has loaded. @ported v5.10 native_flush_tlb_one_user() without PTI */
export function flush_tlb_one_user(addr: number, cpu = trace_cpu.v): void {
	invlpg(cpu, addr);
}

/** Everything on a CPU, global pages too. @ported v5.10 native_flush_tlb_global() */
export function __flush_tlb_global(cpu = trace_cpu.v): void {
	if (mmu_pcid.v) {
		/* INVPCID came with PCIDs that were worth using. */
		invpcid(cpu, 2, 0, 0);
		return;
	}
	const cr4 = mmu_cpus.cr4[cpu];
	write_cr4(cpu, cr4 ^ X86_CR4_PGE);
	write_cr4(cpu, cr4);
}

/** What this CPU has of the mm that is loaded. @ported v5.10 native_flush_tlb_local() */
export function flush_tlb_local(cpu = trace_cpu.v): void {
	write_cr3(cpu, read_cr3(cpu));
}

/** @ported v5.10; the CPU has PGE */
export function __flush_tlb_all(cpu = trace_cpu.v): void {
	__flush_tlb_global(cpu);
}

/** Note that the CPUs of an mm are to be flushed. @ported v5.10 arch/x86/include/asm/tlbflush.h */
export function arch_tlbbatch_add_mm(batch: number, mm: number): void {
	use_rows(tlb_ubcs, batch + 1);
	inc_mm_tlb_gen(mm);
	tlb_ubcs.cpumask[batch] |= cpumask[mm];
	/* Devices at once: a batch is of CPUs. */
	if (applied(MMU_NOTIFIERS_CALL_INVALIDATE_RANGE_WHEN_INVALIDATING_TLBS
		/* 6bbd42e2df8f, v6.6 */))
		secondaryTlbs.invalidate(mm, 0, TLB_FLUSH_ALL);
}

/** Flush them all, each once. @ported v5.10 */
export function arch_tlbbatch_flush(batch: number): void {
	const cpu = trace_cpu.v;
	const mask = tlb_ubcs.cpumask[batch];

	if ((mask & (1 << cpu)) !== 0)
		flush_tlb_func_local(full_flush_tlb_info, cpu);
	if ((mask & ~(1 << cpu)) !== 0)
		flush_tlb_others(mask, full_flush_tlb_info);
	tlb_ubcs.cpumask[batch] = 0;
}

/** CPUs that have the mm loaded. @ported v5.10 include/linux/mm_types.h:mm_cpumask() */
export function mm_cpumask(mm: number): number {
	return cpumask[mm];
}

/**
 * A new mm with its top table.
 * @ported v5.10 arch/x86/include/asm/mmu_context.h:init_new_context(), and mm_init_cpumask()
 */
export function init_new_context(mm: number, pgd_pfn: number): number {
	use_rows(mm_contexts, mm + 1);
	ctx_id[mm] = ++last_mm_ctx_id.v;
	tlb_gen[mm] = 0;
	cpumask[mm] = 0;
	pgd[mm] = pgd_pfn;
	return 0;
}

/** @reduced nothing to free: that is LDTs'. No CPU can have it loaded any more */
export function destroy_context(mm: number): void {
	VM_BUG_ON(cpumask[mm] !== 0, 'an mm dies that a CPU has loaded');
	ctx_id[mm] = 0;
	tlb_gen[mm] = 0;
	pgd[mm] = 0;
}

/**
 * Boot: CPUs with their MMUs, all on init_mm.
 * @custom what setup_arch() and cpu_init() do of it
 */
export function tlb_init(cpus: number, pcid: boolean): void {
	mmu_init(cpus, pcid);
	use_rows(mm_contexts, 1);
	use_rows(cpu_tlbstate, cpus);
	use_rows(flush_tlb_infos, NR_CPUS + 1);
	last_mm_ctx_id.v = INIT_CTX_ID;
	ctx_id[init_mm] = INIT_CTX_ID;
	tlb_single_page_flush_ceiling.v = 33;
	flush_tlb_infos.end[full_flush_tlb_info] = TLB_FLUSH_ALL;
	for (let cpu = 0; cpu < cpus; cpu++)
		initialize_tlbstate_and_flush(cpu);
}
