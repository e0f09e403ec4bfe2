// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual machines and devices by their outside: what KVM refuses and with which errno, exits,
 * dirty logs, aging, and that no byte is lost between the host, guests and devices.
 */
import { describe, expect, test } from 'vitest';
import { page_idle_bitmap_read, page_idle_bitmap_write } from '../../src/mm/page_idle.ts';
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
