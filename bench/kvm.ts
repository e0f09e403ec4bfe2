// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secondary MMUs: a guest's access by the TLB against the host's, the two-dimensional walk against
 * one written out by hand for NPT alone, what a notifier costs that nobody has subscribed to, and
 * the aging and zapping of 1 Mi entries.
 */
import { freemem } from 'node:os';
import { MMU_READ, MMU_USER, mmu_translate } from '../src/arch/mmu.ts';
import { guest_cpus, guest_translate, two_dimensional_walk } from '../src/arch/nested.ts';
import { ptep_test_and_clear_young } from '../src/arch/pgtable.ts';
import { ram } from '../src/arch/ram.ts';
import { kvm_get_vcpu } from '../src/kvm/kvm_host.ts';
import { smp_processor_id } from '../src/mm/current.ts';
import { follow_pte } from '../src/mm/memory.ts';
import { find_vma } from '../src/mm/mmap.ts';
import type { mem_cgroup } from '../src/mm/memcontrol_types.ts';
import { tasks, type page } from '../src/mm/mm_types.ts';
import { MMU_NOTIFY_CLEAR, mmu_notifier_clear_young, mmu_notifier_invalidate_range_end,
	mmu_notifier_invalidate_range_start, mmu_notifier_range_init, ptep_clear_young_notify }
	from '../src/mm/mmu_notifier.ts';
import { page_referenced } from '../src/mm/rmap.ts';
import { mmu_notifier_range } from '../src/mm/rmap_types.ts';
import { boot } from '../src/sim/machine.ts';
import { median, type Quantity, type Tasks } from './pairs.ts';

export const KVM_BATCH = 4096;
const GPA = 0x200000, PAGES = 512, WALK_PAGES = 64;

/*
 * The 24 references of a read by a long-mode guest, each written out: index, test P, W, U, size and
 * reserved bits, set A; the entry that maps a guest's table D too, because that counts as written.
 * All guest-physical addresses lie below 4 GiB.
 */
function handWalk(root: number, cr3: number, gva: number): number {
	const lo = gva | 0, hi = Math.floor(gva * 2 ** -32) | 0;
	let gpa = cr3 + (hi >>> 7 & 0x1ff) * 8 | 0;

	const a4 = root, e4 = ram[a4]!;
	if ((e4 & 0x87) !== 7 || (ram[a4 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(e4 & 0x20))
		ram[a4] = e4 | 0x20;
	const a3 = (e4 >>> 12 << 10) + (gpa >>> 29 & 6), e3 = ram[a3]!;
	if ((e3 & 0x87) !== 7 || (ram[a3 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(e3 & 0x20))
		ram[a3] = e3 | 0x20;
	const a2 = (e3 >>> 12 << 10) + (gpa >>> 20 & 0x3fe), e2 = ram[a2]!;
	if ((e2 & 0x87) !== 7 || (ram[a2 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(e2 & 0x20))
		ram[a2] = e2 | 0x20;
	const a1 = (e2 >>> 12 << 10) + (gpa >>> 11 & 0x3fe), e1 = ram[a1]!;
	if ((e1 & 7) !== 7 || (ram[a1 + 1]! & 0xfffff) !== 0)
		return 0;
	if ((e1 & 0x60) !== 0x60)
		ram[a1] = e1 | 0x60;
	const ga = (e1 >>> 12 << 10) + ((gpa & 0xfff) >> 2), g4 = ram[ga]!;
	if ((g4 & 0x81) !== 1 || (ram[ga + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(g4 & 0x20))
		ram[ga] = g4 | 0x20;
	gpa = (g4 & ~0xfff) + ((hi << 2 | lo >>> 30) & 0x1ff) * 8;

	const ab4 = root, eb4 = ram[ab4]!;
	if ((eb4 & 0x87) !== 7 || (ram[ab4 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(eb4 & 0x20))
		ram[ab4] = eb4 | 0x20;
	const ab3 = (eb4 >>> 12 << 10) + (gpa >>> 29 & 6), eb3 = ram[ab3]!;
	if ((eb3 & 0x87) !== 7 || (ram[ab3 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(eb3 & 0x20))
		ram[ab3] = eb3 | 0x20;
	const ab2 = (eb3 >>> 12 << 10) + (gpa >>> 20 & 0x3fe), eb2 = ram[ab2]!;
	if ((eb2 & 0x87) !== 7 || (ram[ab2 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(eb2 & 0x20))
		ram[ab2] = eb2 | 0x20;
	const ab1 = (eb2 >>> 12 << 10) + (gpa >>> 11 & 0x3fe), eb1 = ram[ab1]!;
	if ((eb1 & 7) !== 7 || (ram[ab1 + 1]! & 0xfffff) !== 0)
		return 0;
	if ((eb1 & 0x60) !== 0x60)
		ram[ab1] = eb1 | 0x60;
	const gb = (eb1 >>> 12 << 10) + ((gpa & 0xfff) >> 2), g3 = ram[gb]!;
	if ((g3 & 0x81) !== 1 || (ram[gb + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(g3 & 0x20))
		ram[gb] = g3 | 0x20;
	gpa = (g3 & ~0xfff) + (lo >>> 21 & 0x1ff) * 8;

	const ac4 = root, ec4 = ram[ac4]!;
	if ((ec4 & 0x87) !== 7 || (ram[ac4 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ec4 & 0x20))
		ram[ac4] = ec4 | 0x20;
	const ac3 = (ec4 >>> 12 << 10) + (gpa >>> 29 & 6), ec3 = ram[ac3]!;
	if ((ec3 & 0x87) !== 7 || (ram[ac3 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ec3 & 0x20))
		ram[ac3] = ec3 | 0x20;
	const ac2 = (ec3 >>> 12 << 10) + (gpa >>> 20 & 0x3fe), ec2 = ram[ac2]!;
	if ((ec2 & 0x87) !== 7 || (ram[ac2 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ec2 & 0x20))
		ram[ac2] = ec2 | 0x20;
	const ac1 = (ec2 >>> 12 << 10) + (gpa >>> 11 & 0x3fe), ec1 = ram[ac1]!;
	if ((ec1 & 7) !== 7 || (ram[ac1 + 1]! & 0xfffff) !== 0)
		return 0;
	if ((ec1 & 0x60) !== 0x60)
		ram[ac1] = ec1 | 0x60;
	const gc = (ec1 >>> 12 << 10) + ((gpa & 0xfff) >> 2), g2 = ram[gc]!;
	if ((g2 & 0x81) !== 1 || (ram[gc + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(g2 & 0x20))
		ram[gc] = g2 | 0x20;
	gpa = (g2 & ~0xfff) + (lo >>> 12 & 0x1ff) * 8;

	const ad4 = root, ed4 = ram[ad4]!;
	if ((ed4 & 0x87) !== 7 || (ram[ad4 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ed4 & 0x20))
		ram[ad4] = ed4 | 0x20;
	const ad3 = (ed4 >>> 12 << 10) + (gpa >>> 29 & 6), ed3 = ram[ad3]!;
	if ((ed3 & 0x87) !== 7 || (ram[ad3 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ed3 & 0x20))
		ram[ad3] = ed3 | 0x20;
	const ad2 = (ed3 >>> 12 << 10) + (gpa >>> 20 & 0x3fe), ed2 = ram[ad2]!;
	if ((ed2 & 0x87) !== 7 || (ram[ad2 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ed2 & 0x20))
		ram[ad2] = ed2 | 0x20;
	const ad1 = (ed2 >>> 12 << 10) + (gpa >>> 11 & 0x3fe), ed1 = ram[ad1]!;
	if ((ed1 & 7) !== 7 || (ram[ad1 + 1]! & 0xfffff) !== 0)
		return 0;
	if ((ed1 & 0x60) !== 0x60)
		ram[ad1] = ed1 | 0x60;
	const gd = (ed1 >>> 12 << 10) + ((gpa & 0xfff) >> 2), g1 = ram[gd]!;
	if (!(g1 & 1) || (ram[gd + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(g1 & 0x20))
		ram[gd] = g1 | 0x20;
	gpa = g1 & ~0xfff | lo & 0xfff;

	const af4 = root, ef4 = ram[af4]!;
	if ((ef4 & 0x87) !== 7 || (ram[af4 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ef4 & 0x20))
		ram[af4] = ef4 | 0x20;
	const af3 = (ef4 >>> 12 << 10) + (gpa >>> 29 & 6), ef3 = ram[af3]!;
	if ((ef3 & 0x87) !== 7 || (ram[af3 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ef3 & 0x20))
		ram[af3] = ef3 | 0x20;
	const af2 = (ef3 >>> 12 << 10) + (gpa >>> 20 & 0x3fe), ef2 = ram[af2]!;
	if ((ef2 & 0x87) !== 7 || (ram[af2 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ef2 & 0x20))
		ram[af2] = ef2 | 0x20;
	const af1 = (ef2 >>> 12 << 10) + (gpa >>> 11 & 0x3fe), ef1 = ram[af1]!;
	if ((ef1 & 5) !== 5 || (ram[af1 + 1]! & 0xfffff) !== 0)
		return 0;
	if (!(ef1 & 0x20))
		ram[af1] = ef1 | 0x20;
	return ef1 & ~0xfff;
}

/**
 * Add the tasks: pairs of one of a guest, or that tells secondary MMUs, and one that is not.
 * Of a TLB hit both sides sum up the offset in the page, which a fault would not leave.
 */
export function addKvmTasks(bench: Tasks): void {
	const machine = boot({ ram: 64 << 20, swap: 0 });
	const q = machine.task('q'), nobody = machine.task('nobody');
	const m = q.mmap({ pages: PAGES, prot: 'rw', shared: false });
	q.write(m);
	const v = machine.vm('v', { task: q, format: 'npt' });
	v.slot(GPA, m);
	v.write(GPA, PAGES);
	const vcpu = kvm_get_vcpu(v.row, 0);
	const root = guest_cpus.root[vcpu] * 1024, cr3 = guest_cpus.cr3[vcpu];
	const n = nobody.mmap({ pages: PAGES, prot: 'rw', shared: false });
	nobody.write(n);
	nobody.read(n);
	const cpu = smp_processor_id();

	bench.add('guest TLB hit', () => {
		let sum = 0;
		for (let i = 0; i < KVM_BATCH; i++)
			sum += guest_translate(cpu, vcpu, GPA + (i & PAGES - 1) * 4096 + 8,
				MMU_READ) & 0xfff;
		return sum;
	});
	bench.add('host TLB hit', () => {
		let sum = 0;
		for (let i = 0; i < KVM_BATCH; i++)
			sum += mmu_translate(cpu, n.start + (i & PAGES - 1) * 4096 + 8,
				MMU_READ | MMU_USER) & 0xfff;
		return sum;
	});
	bench.add('two-dimensional walk', () => {
		let sum = 0;
		for (let i = 0; i < KVM_BATCH; i++)
			sum += two_dimensional_walk(vcpu, GPA + (i & WALK_PAGES - 1) * 4096,
				MMU_READ) >>> 12;
		return sum;
	});
	bench.add('two-dimensional walk by hand', () => {
		let sum = 0;
		for (let i = 0; i < KVM_BATCH; i++)
			sum += handWalk(root, cr3, GPA + (i & WALK_PAGES - 1) * 4096) >>> 12;
		return sum;
	});
}

/** Pairs of a task and what it is measured against, with the largest ratio of their times. */
export const kvmBounds = [
	['guest TLB hit', 'host TLB hit', 1.5],
	['two-dimensional walk', 'two-dimensional walk by hand', 1.3],
] as const;

/* Times of several tasks in ns an operation; they take turns, and the median counts. */
const ROUNDS = 60, WARM_UP = 20;
function medians(tasks: readonly (() => number)[]): number[] {
	const times = tasks.map((): number[] => []);

	for (let round = -WARM_UP; round < ROUNDS; round++)
		tasks.forEach((task, i) => {
			const start = performance.now(), n = task();
			if (round >= 0)
				times[i]!.push((performance.now() - start) * 1e6 / n);
		});
	return times.map(median);
}

/*
 * What it costs page_referenced() that it asks notifiers, where nobody has subscribed: the
 * difference that the question makes to an entry, as a part of what one mapping costs.
 */
function dispatchRow(): Quantity {
	const machine = boot({ ram: 64 << 20, swap: 0 });
	const q = machine.task('q');
	const m = q.mmap({ pages: PAGES, prot: 'rw', shared: false });
	q.write(m);
	machine.drain();
	const mm = tasks.mm[q.row], vma = find_vma(mm, m.start);
	const entries = Int32Array.from({ length: PAGES },
		(_, i) => follow_pte(mm, m.start + i * 4096));
	const mapped = entries.map((ptep) => ram[ptep]! >>> 12), vm_flags = { v: 0 };
	const [asked = 0, alone = 0, whole = 0] = medians([
		() => {
			for (let i = 0; i < KVM_BATCH; i++) {
				const ptep = entries[i & PAGES - 1]!;
				ram[ptep]! |= 0x20;
				ptep_clear_young_notify(vma, m.start, ptep);
			}
			return KVM_BATCH;
		},
		() => {
			for (let i = 0; i < KVM_BATCH; i++) {
				const ptep = entries[i & PAGES - 1]!;
				ram[ptep]! |= 0x20;
				ptep_test_and_clear_young(vma, m.start, ptep);
			}
			return KVM_BATCH;
		},
		() => {
			for (let i = 0; i < KVM_BATCH; i++)
				page_referenced(mapped[i & PAGES - 1]! as page, 1, 0 as mem_cgroup,
					vm_flags);
			return KVM_BATCH;
		},
	]);

	return { name: 'notifiers nobody has subscribed to', unit: '% of page_referenced()',
		bound: 3, value: (asked - alone) / whole * 100,
		note: `${(asked - alone).toFixed(2)} ns of ${whole.toFixed(0)}` };
}

/*
 * Entries that are all young and dirty. A machine has at most 1 Mi frames, so 1 Mi of entries are
 * those of two guests of one task, each with a slot of the same pages.
 */
/* Processor time, ns: these are bounded by themselves, whatever else the machine does. */
function since(start: NodeJS.CpuUsage): number {
	const { user, system } = process.cpuUsage(start);

	return (user + system) * 1000;
}

const SLOT_PAGES = 512 * 1024, GUESTS = 2, BULK_ROUNDS = 2;
function bulkRows(): Quantity[] {
	/* Each page takes as much of the machine that this runs on. */
	const pages = freemem() > 2 * SLOT_PAGES * 4096 ? SLOT_PAGES : SLOT_PAGES / 8;
	const machine = boot({ ram: pages * 4096 + (256 << 20), swap: 0 });
	const q = machine.task('q');
	const m = q.mmap({ pages, prot: 'rw', shared: false });
	q.write(m);
	const guests = Array.from({ length: GUESTS }, (_, i) => {
		const v = machine.vm(`v${i}`, { task: q, format: 'npt' });
		v.slot(GPA, m);
		return v;
	});
	const mm = tasks.mm[q.row], end = m.start + pages * 4096;
	const entries = pages * GUESTS, aged: number[] = [], zapped: number[] = [];
	const count = (): number =>
		guests.reduce((sum, v) => sum + v.spteCounts(GPA, pages).accessed, 0);

	for (let round = 0; round < BULK_ROUNDS; round++) {
		for (let times = 0; times < BULK_ROUNDS; times++) {
			for (const v of guests)
				v.write(GPA, pages);
			if (count() !== entries)
				throw new Error('not all entries are young');
			const start = process.cpuUsage();
			let young = 0;
			for (let at = m.start; at < end; at += 4096)
				young += mmu_notifier_clear_young(mm, at, at + 4096);
			aged.push(since(start) / entries);
			if (young !== pages || count() !== 0)
				throw new Error(`${young} of ${pages} pages were young`);
		}
		/* So that zapping has accessed bits to hand on. */
		for (const v of guests)
			v.write(GPA, pages);
		const range = new mmu_notifier_range();
		mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, 0, 0 as never, mm, m.start, end);
		const start = process.cpuUsage();
		mmu_notifier_invalidate_range_start(range);
		zapped.push(since(start) / entries);
		mmu_notifier_invalidate_range_end(range);
	}
	const note = `${entries / 1024} Ki entries of ${GUESTS} guests`;
	return [
		{ name: 'aging entries by clear_young', unit: 'ns each', bound: 200,
			value: median(aged), note },
		{ name: 'zapping a slot', unit: 'ns an entry', bound: 200, value: median(zapped),
			note },
	];
}

export function kvmRows(): Quantity[] {
	return [dispatchRow(), ...bulkRows()];
}
