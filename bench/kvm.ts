// SPDX-License-Identifier: GPL-2.0-only
/*
 * Secondary MMUs: a guest's access by the TLB against the host's, the two-dimensional walk against
 * one written out by hand for that format alone, aging and zapping of a slot, and the dispatch of
 * notifiers that nobody has subscribed to. It prints its rows; npm run bench does not run it.
 */
import { MMU_READ, MMU_USER, mmu_translate } from '../src/arch/mmu.ts';
import { guest_translate, guest_walk, guest_cpus } from '../src/arch/nested.ts';
import { ram } from '../src/arch/ram.ts';
import { kvm_age_hva, kvm_unmap_hva_range } from '../src/kvm/mmu.ts';
import { kvm_flush_remote_tlbs } from '../src/kvm/kvm_main.ts';
import { kvm_get_vcpu } from '../src/kvm/kvm_host.ts';
import { smp_processor_id } from '../src/mm/current.ts';
import { mmu_notifier_clear_young } from '../src/mm/mmu_notifier.ts';
import { tasks } from '../src/mm/mm_types.ts';
import { boot } from '../src/sim/machine.ts';

const GPA = 0x10000, PAGES = 512, ROUNDS = 400;

function nanoseconds(n: number, body: () => void): number {
	let best = Infinity;
	for (let i = 0; i < 9; i++) {
		const start = process.hrtime.bigint();
		body();
		best = Math.min(best, Number(process.hrtime.bigint() - start) / n);
	}
	return best;
}

/* NPT alone, of a long-mode guest, all present; unrolled, an entry at a time. */
function handNested(top: number, gpa: number): number {
	const lo = gpa | 0, hi = Math.floor(gpa * 2 ** -32) | 0;
	const p4 = top + (hi >>> 6 & 0x3fe), e4 = ram[p4]!;
	if ((e4 & 0x87) !== 7 || ram[p4 + 1]! & 0xfffff)
		return 0;
	if (!(e4 & 0x20))
		ram[p4] = e4 | 0x20;
	const p3 = (e4 >>> 2 & ~0x3ff) + ((hi << 3 | lo >>> 29) & 0x3fe), e3 = ram[p3]!;
	if ((e3 & 0x87) !== 7 || ram[p3 + 1]! & 0xfffff)
		return 0;
	if (!(e3 & 0x20))
		ram[p3] = e3 | 0x20;
	const p2 = (e3 >>> 2 & ~0x3ff) + (lo >>> 20 & 0x3fe), e2 = ram[p2]!;
	if ((e2 & 0x87) !== 7 || ram[p2 + 1]! & 0xfffff)
		return 0;
	if (!(e2 & 0x20))
		ram[p2] = e2 | 0x20;
	const p1 = (e2 >>> 2 & ~0x3ff) + (lo >>> 11 & 0x3fe), e1 = ram[p1]!;
	if ((e1 & 7) !== 7 || ram[p1 + 1]! & 0xfffff)
		return 0;
	if (!(e1 & 0x20))
		ram[p1] = e1 | 0x20;
	return e1 & ~0xfff;
}
/* A guest's entry of one level: its frame is the next table's. */
function handEntry(top: number, gpa: number): number {
	const frame = handNested(top, gpa);
	if (!frame)
		return 0;
	const at = (frame >>> 2) + ((gpa & 0xfff) >> 2), entry = ram[at]!;
	if (!(entry & 1) || ram[at + 1]! & 0xfffff)
		return 0;
	if (!(entry & 0x20))
		ram[at] = entry | 0x20;
	return (entry & ~0xfff) >>> 0;
}
function handWalk(top: number, cr3: number, gva: number): number {
	const lo = gva | 0, hi = Math.floor(gva * 2 ** -32) | 0;
	const t3 = handEntry(top, cr3 + (hi >>> 7 & 0x1ff) * 8);
	const t2 = handEntry(top, t3 + ((hi << 2 | lo >>> 30) & 0x1ff) * 8);
	const t1 = handEntry(top, t2 + (lo >>> 21 & 0x1ff) * 8);
	return handNested(top, handEntry(top, t1 + (lo >>> 12 & 0x1ff) * 8));
}

const machine = boot({ ram: 256 << 20, swap: 0 });
const q = machine.task('q');
const m = q.mmap({ pages: PAGES, prot: 'rw', shared: false });
q.write(m);
const v = machine.vm('v', { task: q, format: 'npt' });
v.slot(GPA, m);
v.write(GPA, PAGES);
v.read(GPA, PAGES);
const vcpu = kvm_get_vcpu(v.row, 0), cpu = smp_processor_id();
const host = q.run('host', () => {
	const touch = (): number => {
		let sum = 0;
		for (let r = 0; r < ROUNDS; r++)
			for (let i = 0; i < PAGES; i++)
				sum += mmu_translate(cpu, m.start + i * 4096, MMU_READ | MMU_USER);
		return sum;
	};
	touch();
	return nanoseconds(ROUNDS * PAGES, touch);
});
const guest = nanoseconds(ROUNDS * PAGES, () => {
	for (let r = 0; r < ROUNDS; r++)
		for (let i = 0; i < PAGES; i++)
			guest_translate(cpu, vcpu, GPA + i * 4096, MMU_READ);
});
const root = guest_cpus.root[vcpu], cr3 = guest_cpus.cr3[vcpu];
let sums = 0;
const walk = nanoseconds(100 * PAGES, () => {
	for (let r = 0; r < 100; r++)
		for (let i = 0; i < PAGES; i++)
			sums += guest_walk(vcpu, GPA + i * 4096, MMU_READ) >>> 12;
});
let handSums = 0;
const hand = nanoseconds(100 * PAGES, () => {
	for (let r = 0; r < 100; r++)
		for (let i = 0; i < PAGES; i++)
			handSums += handWalk(root * 1024, cr3, GPA + i * 4096) >>> 12;
});
const mm = tasks.mm[q.row];
const end = m.start + PAGES * 4096;
const age = nanoseconds(PAGES, () => { kvm_age_hva(v.row, m.start, end); });
const other = tasks.mm[machine.init.row];
const none = nanoseconds(1e6, () => {
	for (let i = 0; i < 1e6; i++)
		mmu_notifier_clear_young(other, 0, 4096);
});
let zapNs = 0, zapped = 0;
for (let i = 0; i < 400; i++) {
	if (i === 200) {
		zapNs = 0;
		zapped = 0;
	}
	v.write(GPA, PAGES);
	const start = process.hrtime.bigint();
	kvm_unmap_hva_range(v.row, m.start, end);
	kvm_flush_remote_tlbs(v.row);
	zapNs += Number(process.hrtime.bigint() - start);
	zapped += PAGES;
}
console.log(`guest TLB hit ${guest.toFixed(2)} ns, host ${host.toFixed(2)} ns: ` +
	`${(guest / host).toFixed(2)} (bound 1.5)`);
console.log(`two-dimensional walk ${walk.toFixed(1)} ns, by hand ${hand.toFixed(1)} ns: ` +
	`${(walk / hand).toFixed(2)} (bound 1.3)`);
console.log(`aging ${(1000 / age).toFixed(1)} M SPTEs a second (bound 5)`);
console.log(`zap ${(1000 * zapped / zapNs).toFixed(1)} M pages a second (bound 5)`);
console.log(`dispatch to nobody ${none.toFixed(2)} ns`);
if (sums !== handSums || mm === 0)
	throw new Error(`the walks differ: ${sums}, ${handSums}`);
