// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual machines and devices by their outside: what KVM refuses and with which errno, exits,
 * dirty logs, aging, and that no byte is lost between the host, guests and devices.
 */
import { describe, expect, test } from 'vitest';
import { MMU_FETCH, MMU_READ, MMU_WRITE } from '../../src/arch/mmu.ts';
import { EXIT_EPT_MISCONFIG, EXIT_EPT_VIOLATION, EXIT_NONE, EXIT_NPF, EXIT_PF, NESTED_EPT,
	NESTED_NPT, NTLB_D, NTLB_NX, NTLB_U, NTLB_W, guest_cpus, two_dimensional_walk,
	type guest_cpu } from '../../src/arch/nested.ts';
import { ram } from '../../src/arch/ram.ts';
import { devices } from '../../src/kvm/device_pt.ts';
import { kvm_get_vcpu, kvms } from '../../src/kvm/kvm_host.ts';
import { MMU_NOTIFIERS_CORE, applyCommits } from '../../src/lib/commits.ts';
import { nr_live } from '../../src/lib/struct.ts';
import { mmu_interval_notifiers, mmu_notifiers } from '../../src/mm/mmu_notifier.ts';
import { page_idle_bitmap_read, page_idle_bitmap_write } from '../../src/mm/page_idle.ts';
import { generator } from '../../src/oracle/fuzz.ts';
import { boot, subrange, type Machine, type Range, type Task } from '../../src/sim/machine.ts';
import { VM_FORMATS, type Vm, type VmFormat } from '../../src/sim/vm.ts';

const GPA = 0x10000, FORMATS = Object.keys(VM_FORMATS) as VmFormat[];

interface Setup { machine: Machine; q: Task; m: Range; v: Vm }
function setup(format: VmFormat, pages = 64, kernel = 'v5.10.223'): Setup {
	const machine = boot({ ram: 64 << 20, swap: 32 << 20, cpus: 2, kernel });
	machine.cgroup('A');
	const q = machine.task('q', { cgroup: 'A' });
	const m = q.mmap({ pages, prot: 'rw', shared: false });
	q.write(m, 3);
	const v = machine.vm('v', { task: q, format, vcpus: 2 });
	v.slot(GPA, m);
	return { machine, q, m, v };
}

describe.each(FORMATS)('%s', (format) => {
	test('what one wrote the other reads, whatever reclaim does', () => {
		const { machine, q, m, v } = setup(format);
		for (let round = 0; round < 4; round++) {
			v.write(GPA, 32, 10 + round, round % 2);
			q.write(subrange(m, 32, 63), 20 + round);
			machine.drain();
			machine.reclaim('A', 64);
			machine.checkInvariants();
			expect([...q.read(m)]).toEqual([...v.read(GPA, 64, 1)]);
			expect([...q.read(m)]).toEqual(Array.from({ length: 64 }, (_, i) =>
				(i < 32 ? 10 : 20) + round));
			machine.checkInvariants();
		}
	});

	test('a dirty log has what was written since, each page once', () => {
		const { machine, v } = setup(format);
		v.write(GPA, 64, 1);
		v.changeSlot(GPA, { log: true });
		v.read(GPA, 64);
		expect(v.dirtyLog(GPA)).toEqual([]);
		v.write(GPA + 5 * 4096, 2, 7);
		expect(v.dirtyLog(GPA)).toEqual([5, 6]);
		expect(v.dirtyLog(GPA)).toEqual([]);
		v.write(GPA + 6 * 4096, 1, 8, 1);
		expect(v.dirtyLog(GPA)).toEqual([6]);
		v.changeSlot(GPA, { log: false });
		expect(() => v.dirtyLog(GPA)).toThrow('ENOENT');
		machine.checkInvariants();
	});

	test('slots go, move and come back; what is in none exits to user space', () => {
		const { machine, v, m } = setup(format);
		v.write(GPA, 1, 9);
		expect(() => v.read(0x8000, 1)).toThrow('KVM_EXIT_MMIO');
		v.changeSlot(GPA, { to: 0x200000 });
		expect(() => v.read(GPA, 1)).toThrow('KVM_EXIT_MMIO');
		expect(() => v.write(GPA, 1)).toThrow('KVM_EXIT_MMIO');
		expect([...v.read(0x200000, 2)]).toEqual([9, 3]);
		v.changeSlot(0x200000, { delete: true });
		expect(() => v.read(0x200000, 1)).toThrow('KVM_EXIT_MMIO');
		machine.checkInvariants();
		v.slot(GPA, m, { readonly: true });
		expect([...v.read(GPA, 1)]).toEqual([9]);
		expect(() => v.write(GPA, 1)).toThrow('KVM_EXIT_MMIO');
		machine.checkInvariants();
	});

	test('memory of the host that goes away, or cannot be written', () => {
		const { machine, q, m, v } = setup(format);
		v.write(GPA, 4, 9);
		q.mprotect(m, 'r');
		expect([...v.read(GPA, 1)]).toEqual([9]);
		expect(() => v.write(GPA, 1)).toThrow('EFAULT');
		q.mprotect(m, 'rw');
		v.write(GPA, 1, 8);
		q.munmap(subrange(m, 0, 3));
		expect(() => v.read(GPA, 1)).toThrow('EFAULT');
		machine.checkInvariants();
		q.exit();
		expect(() => v.read(GPA, 1)).toThrow('ESRCH');
		machine.checkInvariants();
	});

	test('after a full touch, fewer than a tenth of the pages read idle', () => {
		/* clear_young() flushes no TLB: an access by a cached translation is not seen. */
		const { machine, q, m, v } = setup(format, 2048);
		v.read(GPA, 2048);
		machine.drain();
		q.clearRefs();
		const words = new Uint8Array((64 << 20) / 4096 / 8).fill(0xff);
		page_idle_bitmap_write(words, 0);
		const idle = (): number => {
			const found = new Uint8Array(words.length);
			page_idle_bitmap_read(found, 0);
			let count = 0;
			for (let i = 0; i < m.pages; i++) {
				const pfn = machine.pfn(subrange(m, i));
				count += found[pfn >>> 3]! >>> (pfn & 7) & 1;
			}
			return count;
		};
		const marked = idle();
		expect(marked).toBeGreaterThan(2048 * 0.9);
		v.read(GPA, 2048);
		const still = idle();
		expect(still).toBeLessThan(2048 / 10);
		machine.checkInvariants();
	});
});

test("KVM's errno for bad slots", () => {
	const { v, m } = setup('npt');
	const base = { slot: 2, flags: 0, guest_phys_addr: 0x100000, memory_size: 0x1000,
		userspace_addr: m.start };
	for (const [change, errno] of [
		[{ guest_phys_addr: 0x100001 }, 'EINVAL'], [{ memory_size: 0x1001 }, 'EINVAL'],
		[{ userspace_addr: m.start + 1 }, 'EINVAL'], [{ flags: 4 }, 'EINVAL'],
		[{ slot: 509 }, 'EINVAL'], [{ slot: 0x20001 }, 'EINVAL'],
		[{ guest_phys_addr: GPA + 0x3000 }, 'EEXIST'], [{ memory_size: 0 }, 'EINVAL'],
		[{ memory_size: 2 ** 46, userspace_addr: 2 ** 46 + 4096 * 8 }, 'EINVAL'],
		[{ memory_size: 2 ** 43, userspace_addr: 0x10000 }, 'EINVAL'],
		[{ guest_phys_addr: 2 ** 33, memory_size: 2 ** 40,
			userspace_addr: 0x10000 }, 'ENOMEM'],
	] as const)
		expect(() => v.setMemoryRegion({ ...base, ...change })).toThrow(errno);
	v.setMemoryRegion(base);
	v.setMemoryRegion(base);
	expect(() => v.setMemoryRegion({ ...base, flags: 2 })).toThrow('EINVAL');
	expect(() => v.setMemoryRegion({ ...base, memory_size: 0x2000 })).toThrow('EINVAL');
});

/* An entry that KVM never makes: KVM_RUN fails, as handle_mmio_page_fault() has it. */
test.each(['npt', 'ept', 'ept-noad'] as const)('a reserved bit in an SPTE (%s)', (format) => {
	const { machine, v } = setup(format);
	v.read(GPA, 4);
	const leaf = new Reference(kvm_get_vcpu(v.row, 0)).entries(GPA).at(-1)!;
	ram[leaf + 1]! ^= 1 << 10;
	expect(() => v.read(GPA, 1, 1)).toThrow('KVM_RUN: EINVAL');
	ram[leaf + 1]! ^= 1 << 10;
	expect([...v.read(GPA, 1, 1)]).toEqual([3]);
	machine.checkInvariants();
});

/* Without cddb8a5c14aa nobody can subscribe: -ENOSYS, and for devices 0. */
test('what cannot subscribe leaves nothing behind', () => {
	const { machine, q } = setup('npt');
	const rows = (): number[] =>
		[kvms, devices, mmu_notifiers, mmu_interval_notifiers].map(nr_live);
	const before = rows();
	applyCommits([MMU_NOTIFIERS_CORE]);
	const c = machine.task('c');
	expect(() => machine.vm('w', { task: c, format: 'npt' })).toThrow('ENOSYS');
	for (const kind of ['sva', 'mirror', 'pin', 'zapper'] as const)
		expect(() => machine.device('d', kind, c)).toThrow('ENOMEM');
	expect(rows()).toEqual(before);
	applyCommits([]);
	machine.device('d', 'zapper', c);
	q.exit();
	machine.checkInvariants();
});

describe('devices', () => {
	const setup2 = (): Setup & { f: Range } => {
		const s = setup('npt');
		const f = s.q.mmap({ memfd: s.machine.memfd('f', 16), pages: 16, prot: 'rw',
			shared: true });
		s.q.write(f, 4);
		return { ...s, f };
	};

	test('read and write what the task does, whatever reclaim does', () => {
		const { machine, q, m, f } = setup2();
		for (const kind of ['sva', 'mirror', 'zapper'] as const) {
			const d = machine.device(kind[0]! + 'dev', kind, q);
			for (const range of [m, f]) {
				d.write(subrange(range, 0, 7), 50);
				expect([...q.read(subrange(range, 0, 7))])
					.toEqual(new Array(8).fill(50));
				const rest = subrange(range, 8);
				expect(d.read(rest)).toEqual(q.read(rest));
				q.write(range, 60);
				machine.drain();
				machine.reclaim('A', 200);
				expect(new Set(d.read(range))).toEqual(new Set([60]));
				machine.checkInvariants();
			}
		}
		q.exit();
		machine.checkInvariants();
	});

	test('an SVA device sets the accessed bit of the task itself; its TLB is flushed', () => {
		const { machine, q, m } = setup2();
		const d = machine.device('s', 'sva', q);
		machine.drain();
		q.clearRefs();
		expect(machine.show(m).young).toBe(0);
		d.read(subrange(m, 0, 3));
		expect(machine.show(m).young).toBe(4);
		/* Once by the TLB flush of the mmu_gather, once by range_end. */
		const mark = machine.notifierMark();
		q.madvise(subrange(m, 0, 3), 'dontneed');
		expect(machine.notifiers('s', mark).map((line) => line.split(' ')[0]))
			.toEqual(['invalidate_range', 'invalidate_range']);
		expect([...d.read(subrange(m, 0, 3))]).toEqual([0, 0, 0, 0]);
	});

	test('a mirror snapshots with the codes of lib/test_hmm', () => {
		const { machine, q } = setup2();
		const h = machine.device('h', 'mirror', q);
		const w = q.mmap({ pages: 4, prot: 'rw', shared: false });
		q.write(subrange(w, 1));
		q.read(subrange(w, 2));
		/* none, writable, the zero page for reading, none */
		expect(h.snapshot(w)).toEqual([0x00, 0x02, 0x11, 0x00]);
		q.mprotect(w, 'r');
		expect(h.snapshot(w)).toEqual([0x00, 0x01, 0x11, 0x00]);
		expect(() => h.write(w)).toThrow('EPERM');
		q.munmap(w);
		expect(h.snapshot(w)).toEqual([0xff, 0xff, 0xff, 0xff]);
	});

	test.each([false, true])('pins that are kept (%s) keep their pages', (keeps) => {
		const { machine, q, m } = setup2();
		const p = machine.device('p', 'pin', q, keeps);
		p.use('pin', m);
		machine.drain();
		q.clearRefs();
		const before = machine.notifierMark();
		machine.reclaim('A', 64);
		expect(machine.notifiers('p', before).length > 0 || keeps).toBe(true);
		const { swapped } = machine.show(m);
		/* Dropped in start, a page goes as any; kept, its references keep it. */
		if (keeps)
			expect(swapped).toBeLessThanOrEqual(64);
		expect(new Set(q.read(m))).toEqual(new Set([3]));
		p.use('unpin', m);
		machine.checkInvariants();
	});
});

/*
 * The two-dimensional walk, written down once more, an entry at a time, from Intel's SDM 28.2 and
 * AMD's APM 15.25. What it sets it keeps apart, by index of `ram`.
 */
class Reference {
	readonly set = new Map<number, number>();
	exit = EXIT_NONE;
	readonly #guest: guest_cpu;
	constructor(guest: guest_cpu) {
		this.#guest = guest;
	}
	#word(at: number): number {
		return this.set.get(at) ?? ram[at]!;
	}
	#leave(exit: number): undefined {
		this.exit = exit;
		return undefined;
	}
	/* The frame of a guest-physical address, and what is allowed and dirty there. */
	#nested(gpa: number, kind: number): { frame: number; w: boolean; x: boolean; d: boolean } |
		undefined {
		const format = guest_cpus.format[this.#guest], ept = format !== NESTED_NPT;
		const fault = ept ? EXIT_EPT_VIOLATION : EXIT_NPF;
		const used: number[] = [];
		let table = guest_cpus.root[this.#guest], lo = -1, level = 4;
		let w = true, x = true, ok = true;
		for (; ; level--) {
			const at = table * 1024 + Math.floor(gpa / 2 ** (3 + 9 * level)) % 512 * 2;
			const hi = ram[at + 1]!, large = 2 ** (9 * (level - 1));
			lo = this.#word(at);
			if (!(lo & (ept ? 7 : 1)))
				return this.#leave(fault);
			const leaf = level === 1 || (level < 4 && (lo & 0x80) !== 0);
			const low = (lo >>> 12) % large * 4096;
			const type = lo >> 3 & 7;
			if ((hi & 0xfffff) !== 0 || (ept ? (lo & 3) === 2 || (lo & 7) === 4 ||
				(leaf ? low !== 0 || [2, 3, 7].includes(type)
					: (lo & (level === 4 ? 0xf8 : 0x78)) !== 0)
				: (level === 4 && (lo & 0x80) !== 0) ||
					(leaf && (low & ~0x1000) !== 0)))
				return this.#leave(ept ? EXIT_EPT_MISCONFIG : fault);
			ok &&= ept ? (lo & 1) !== 0 : (lo & 4) !== 0;
			w &&= (lo & 2) !== 0;
			x &&= ept ? (lo & 4) !== 0 : hi >= 0;
			used.push(at);
			if (leaf)
				break;
			table = lo >>> 12;
		}
		/* X alone can be fetched from, R is not asked for. */
		if (kind === MMU_FETCH ? !x || (!ept && !ok) : !ok || (kind === MMU_WRITE && !w))
			return this.#leave(fault);
		if (format !== NESTED_EPT) {
			const accessed = ept ? 0x100 : 0x20;
			used.forEach((at, i) => this.set.set(at, this.#word(at) | accessed |
				(kind === MMU_WRITE && i === used.length - 1 ? accessed * 2 : 0)));
			lo = this.#word(used.at(-1)!);
		}
		const size = 2 ** (9 * (level - 1));
		return { w, x,
			frame: (lo >>> 12) - (lo >>> 12) % size + Math.floor(gpa / 4096) % size,
			d: format === NESTED_EPT || (lo & (ept ? 0x200 : 0x40)) !== 0 };
	}
	/* The word to cache, 0 where the guest is left. */
	walk(gva: number, access: number): number {
		const kind = access & 3, plain = guest_cpus.format[this.#guest] === NESTED_EPT;
		const used: [number, number][] = [];
		let gpa = guest_cpus.cr3[this.#guest], lo = 0, level = 4;
		let w = true, u = true, x = true;
		for (; ; level--) {
			const place = Math.floor(gpa / 4096) * 4096 +
				Math.floor(gva / 2 ** (3 + 9 * level)) % 512 * 8;
			const found = this.#nested(place, plain ? MMU_READ : MMU_WRITE);
			if (!found)
				return 0;
			const at = found.frame * 1024 + place % 4096 / 4, hi = ram[at + 1]!;
			lo = this.#word(at);
			const leaf = level === 1 || (level < 4 && (lo & 0x80) !== 0);
			if (!(lo & 1) || (hi & 0xfffff) !== 0 ||
				(level === 4 && (lo & 0x80) !== 0) ||
				(leaf && ((lo >>> 12) % 2 ** (9 * (level - 1)) & ~1) !== 0))
				return this.#leave(EXIT_PF) ?? 0;
			w &&= (lo & 2) !== 0;
			u &&= (lo & 4) !== 0;
			x &&= hi >= 0;
			used.push([at, place]);
			gpa = (lo >>> 12) * 4096;
			if (leaf)
				break;
		}
		if ((kind === MMU_WRITE && !w) || ((access & 4) !== 0 && !u) ||
			(kind === MMU_FETCH && !x))
			return this.#leave(EXIT_PF) ?? 0;
		for (const [i, [at, place]] of used.entries()) {
			const bits = kind === MMU_WRITE && i === used.length - 1 ? 0x60 : 0x20;
			if ((this.#word(at) & bits) === bits)
				continue;
			if (plain && !this.#nested(place, MMU_WRITE))
				return 0;
			this.set.set(at, this.#word(at) | bits);
		}
		const guestDirty = (this.#word(used.at(-1)![0]) & 0x40) !== 0;
		const size = 2 ** (12 + 9 * (level - 1));
		const last = this.#nested(gpa - gpa % size + gva % size, kind);
		if (!last)
			return 0;
		return last.frame << 12 | (last.w && w ? NTLB_W : 0) | (u ? NTLB_U : 0) |
			(last.x && x ? 0 : NTLB_NX) | (last.d && guestDirty ? NTLB_D : 0) | 0x20;
	}
	/* Words of the entries that a walk of an address meets. */
	entries(gva: number): number[] {
		const at: number[] = [], frames = (gpa: number): number => {
			let table = guest_cpus.root[this.#guest];
			for (let level = 4; level > 0; level--) {
				at.push(table * 1024 +
					Math.floor(gpa / 2 ** (3 + 9 * level)) % 512 * 2);
				table = ram[at.at(-1)!]! >>> 12;
			}
			return table;
		};
		let gpa = guest_cpus.cr3[this.#guest];
		for (let level = 4; level > 0; level--) {
			const place = gpa + Math.floor(gva / 2 ** (3 + 9 * level)) % 512 * 8;
			at.push(frames(place) * 1024 + place % 4096 / 4);
			gpa = (ram[at.at(-1)!]! >>> 12) * 4096;
		}
		frames(gpa);
		return at;
	}
}

test.each(['npt', 'ept', 'ept-noad'] as const)(
	'the two-dimensional walk with any bit of any entry turned (%s)', (format) => {
		const { v } = setup(format);
		v.write(GPA, 64);
		const vcpu = kvm_get_vcpu(v.row, 0), below = generator(7), met = new Set<number>();
		for (let i = 0; i < 3000; i++) {
			const gva = GPA + below(64) * 4096, access = below(3) | below(2) << 2;
			const entries = new Reference(vcpu).entries(gva);
			const kept = new Map<number, number>();
			/* None, one or two of the 24; every other time one of the leaf's. */
			for (let n = below(3); n > 0; n--) {
				const at = entries.at(below(2) ? -1 : below(entries.length))! +
					(below(4) ? 0 : 1);
				kept.set(at, kept.get(at) ?? ram[at]!);
				ram[at]! ^= 1 << below(32);
			}
			const reference = new Reference(vcpu), wanted = reference.walk(gva, access);
			for (const at of reference.set.keys())
				kept.set(at, kept.get(at) ?? ram[at]!);
			guest_cpus.exit_reason[vcpu] = EXIT_NONE;
			const got = two_dimensional_walk(vcpu, gva, access);
			const what = { i, gva, access, set: [...reference.set.keys()].map((at) =>
				[at, ram[at]]) };
			const exit = guest_cpus.exit_reason[vcpu];
			expect({ ...what, got, exit }).toEqual({ ...what,
				set: [...reference.set], got: wanted, exit: reference.exit });
			met.add(reference.exit);
			for (const [at, word] of kept)
				ram[at] = word;
		}
		expect(met).toEqual(new Set(format === 'npt' ? [EXIT_NONE, EXIT_NPF, EXIT_PF]
			: [EXIT_NONE, EXIT_EPT_VIOLATION, EXIT_EPT_MISCONFIG, EXIT_PF]));
	});
