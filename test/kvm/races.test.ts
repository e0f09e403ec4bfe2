// SPDX-License-Identifier: GPL-2.0-only
/*
 * A fault of a guest, or of a mirror, against an invalidation, at every place where one can meet
 * the other: afterwards no secondary entry leads to a page that its address does not. With one part
 * of the protocol taken away, the invariants find the entry that is stale: so they can.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { armPoint, point, pointHandler, type PointName } from '../../src/lib/points.ts';
import { deviceEntries, devices } from '../../src/kvm/device_pt.ts';
import { kvms } from '../../src/kvm/kvm_host.ts';
import { follow_pte } from '../../src/mm/memory.ts';
import { page_idle_bitmap_write } from '../../src/mm/page_idle.ts';
import { mmu_interval_notifiers } from '../../src/mm/mmu_notifier.ts';
import { tasks } from '../../src/mm/mm_types.ts';
import { ram } from '../../src/arch/ram.ts';
import type { Device } from '../../src/sim/device_ops.ts';
import { BlockedError, MachineError } from '../../src/sim/errors.ts';
import { boot, subrange, type Machine, type Range, type Task } from '../../src/sim/machine.ts';
import type { Vm, VmFormat } from '../../src/sim/vm.ts';

const GPA = 0x10000, PAGES = 16;
const FORMATS: readonly VmFormat[] = ['npt', 'ept', 'ept-noad', 'shadow'];
const hit = pointHandler.hit;
afterEach(() => { pointHandler.hit = hit; });

interface Setup { machine: Machine; q: Task; m: Range; v: Vm }
function setup(format: VmFormat): Setup {
	const machine = boot({ ram: 64 << 20, swap: 16 << 20, cpus: 2, kernel: 'v5.10' });
	machine.cgroup('A');
	const q = machine.task('q', { cgroup: 'A' });
	const m = q.mmap({ pages: PAGES, prot: 'rw', shared: false });
	q.write(m, 3);
	const v = machine.vm('v', { task: q, format, vcpus: 2 });
	v.slot(GPA, m);
	/* The guest's program and tables are mapped, and the last pages; the first are not. */
	v.read(GPA + (PAGES - 1) * 4096, 1);
	return { machine, q, m, v };
}

/* Do something once, at the first meeting of a point; what cannot go on there comes after. */
function at(name: PointName, deed: () => void): { met: boolean; after: () => void } {
	const seen = { met: false, waits: false, after: () => { if (seen.waits) deed(); } };

	armPoint(point(name));
	pointHandler.hit = (id) => {
		if (seen.met || id !== point(name))
			return;
		seen.met = true;
		try {
			deed();
		} catch (error) {
			if (!(error instanceof BlockedError))
				throw error;
			seen.waits = true;
		}
	};
	return seen;
}

const checkSound = (machine: Machine): void => machine.checkInvariants();

/* What a guest's access may end with where its memory has gone. */
function guest(deed: () => void): void {
	try {
		deed();
	} catch (error) {
		if (!(error instanceof MachineError))
			throw error;
	}
}

const INVALIDATIONS: Readonly<Record<string, (s: Setup) => void>> = {
	dontneed: ({ q, m }) => q.madvise(m, 'dontneed'),
	munmap: ({ q, m }) => q.munmap(m),
	'mprotect r': ({ q, m }) => q.mprotect(m, 'r'),
	pageout: ({ q, m }) => q.madvise(m, 'pageout'),
	fork: ({ q }) => { q.fork('child'); },
	mremap: ({ q, m }) => { q.mremap(m, 2 * PAGES); },
	reclaim: ({ machine }) => { machine.reclaim('A', 64); },
};
const names = Object.keys(INVALIDATIONS);
const seqPoint = (format: VmFormat): PointName[] => format === 'shadow'
	? ['paging64_page_fault.mmu_seq', 'paging64_page_fault.pfn']
	: ['direct_page_fault.mmu_seq', 'direct_page_fault.pfn', 'handle_pte_fault'];

describe.each(FORMATS)('%s', (format) => {
	test.each(names)('%s in the middle of a fault', (name) => {
		for (const place of seqPoint(format)) {
			const s = setup(format);
			if (place === 'handle_pte_fault')
				s.q.madvise(s.m, 'pageout');
			const seen = at(place, () => INVALIDATIONS[name]!(s));
			guest(() => s.v.write(GPA, 1, 9));
			seen.after();
			expect({ place, met: seen.met }).toEqual({ place, met: true });
			checkSound(s.machine);
		}
	});

	test.each(names)('a fault in the middle of %s', (name) => {
		for (const place of ['invalidate_range_start.return', 'invalidate_range_end',
			'try_to_unmap_one.pte_cleared'] as const) {
			const s = setup(format);
			s.v.read(GPA, 4);
			s.machine.drain();
			s.q.clearRefs();
			const seen = at(place, () => guest(() => s.v.read(GPA, PAGES, 1)));
			INVALIDATIONS[name]!(s);
			guest(() => seen.after());
			checkSound(s.machine);
		}
	});
});

test('an entry that is restored without the lock, and goes meanwhile', () => {
	const s = setup('ept-noad');
	s.v.read(GPA, PAGES);
	s.machine.drain();
	page_idle_bitmap_write(new Uint8Array(64 << 20 >>> 15).fill(0xff), 0);
	const tracked = s.v.spteCounts(GPA, PAGES).tracked;
	expect(tracked).toBeGreaterThan(0);
	const seen = at('fast_page_fault.cmpxchg', () => s.q.madvise(s.m, 'dontneed'));
	/* The first vCPU has them cached still: clear_young() flushes nothing. */
	s.v.read(GPA, PAGES, 1);
	expect(seen.met).toBe(true);
	checkSound(s.machine);
});

describe('a protection less', () => {
	const expectStale = ({ machine }: Setup): void =>
		expect(() => machine.checkInvariants()).toThrow(/invariant spte: SPTE/);

	test('no test whether the count is raised or the number has changed', () => {
		const s = setup('npt');
		at('direct_page_fault.pfn', () => {
			const seq = kvms.mmu_notifier_seq[s.v.row];
			s.q.madvise(s.m, 'dontneed');
			kvms.mmu_notifier_seq[s.v.row] = seq;
		});
		s.v.read(GPA, 1);
		expectStale(s);
	});
	test('the number read after the page was found', () => {
		const s = setup('npt');
		let seq = 0;
		at('direct_page_fault.pfn', () => {
			s.q.madvise(s.m, 'dontneed');
			/* Read here it would be the present one: so that is the one before. */
			seq = kvms.mmu_notifier_seq[s.v.row]--;
		});
		s.v.read(GPA, 1);
		expect(kvms.mmu_notifier_seq[s.v.row]).toBe(seq - 1);
		expectStale(s);
	});
	test('the count not raised', () => {
		const s = setup('npt');
		at('invalidate_range_start.return', () => {
			kvms.mmu_notifier_count[s.v.row]--;
			s.v.read(GPA, 1);
			kvms.mmu_notifier_count[s.v.row]++;
		});
		s.q.madvise(s.m, 'dontneed');
		expectStale(s);
	});
});

describe('a mirror', () => {
	interface Mirrored { machine: Machine; q: Task; m: Range; h: Device }
	function mirrored(): Mirrored {
		const machine = boot({ ram: 64 << 20, swap: 16 << 20, cpus: 3, kernel: 'v5.10' });
		machine.cgroup('A');
		const q = machine.task('q', { cgroup: 'A' });
		const m = q.mmap({ pages: PAGES, prot: 'rw', shared: false });
		q.write(m, 3);
		return { machine, q, m, h: machine.device('h', 'mirror', q) };
	}
	/* Entries that are not what the address maps. */
	const staleEntries = ({ q, h }: Mirrored): number => deviceEntries(h.row)
		.filter(({ address, page }) => {
			const ptep = follow_pte(tasks.mm[q.row], address);
			return !ptep || ram[ptep]! >>> 12 !== page;
		}).length;

	test.each(['dmirror_range_fault.seq', 'dmirror_range_fault.walked'] as const)(
		'an invalidation at %s', (place) => {
			for (const [name, deed] of Object.entries(INVALIDATIONS)) {
				const s = mirrored();
				const seen = at(place, () => deed({ ...s, v: undefined as never }));
				guest(() => s.h.read(subrange(s.m, 0, 3)));
				guest(() => seen.after());
				const stale = staleEntries(s);
				expect({ name, stale }).toEqual({ name, stale: 0 });
				checkSound(s.machine);
			}
		});
	test('without the look at the number it keeps what is gone', () => {
		const s = mirrored();
		at('dmirror_range_fault.walked', () => {
			const sub = devices.interval[s.h.row];
			const seq = mmu_interval_notifiers.invalidate_seq[sub];
			s.q.madvise(s.m, 'dontneed');
			mmu_interval_notifiers.invalidate_seq[sub] = seq;
		});
		s.h.read(subrange(s.m, 0, 3));
		expect(staleEntries(s)).toBe(4);
	});
});
