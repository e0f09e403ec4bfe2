// SPDX-License-Identifier: GPL-2.0-only
/* madvise(2), by what its manual page promises and mm/madvise.c of v5.10 does. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MADV_KEEPONFORK, MADV_WIPEONFORK, do_madvise, sys_madvise }
	from '../../src/mm/madvise.ts';
import { tasks } from '../../src/mm/mm_types.ts';
import { MachineError, boot, subrange, type Machine, type Range, type Task }
	from '../../src/sim/machine.ts';

const EACCES = 13, EINVAL = 22, ENOMEM = 12, SIGSEGV = 11;
let machine: Machine, a: Task;

beforeEach(() => {
	machine = boot({ ram: 64 << 20, swap: 8 << 20 });
	a = machine.task('a');
});

const anon = (pages: number): Range => a.mmap({ pages, prot: 'rw', shared: false });
function refused(body: () => unknown): number {
	try {
		body();
	} catch (error) {
		if (error instanceof MachineError)
			return error.errno || 1000 + error.signal;
		throw error;
	}
	return 0;
}
/* But for the stack. */
const maps = (): number =>
	machine.readFile(`/proc/${a.pid}/maps`).trimEnd().split('\n').length - 1;
const done = (): void => machine.checkInvariants();

describe('MADV_DONTNEED', () => {
	test('private memory reads as zeros afterwards, the rest is kept', () => {
		const range = anon(4);
		a.write(range, 7);
		a.madvise(subrange(range, 1, 2), 'dontneed');
		expect(machine.show(range).present).toBe(2);
		expect([...a.read(range)]).toEqual([7, 0, 0, 7]);
		done();
	});

	test('of a shared file only the mapping goes', () => {
		const memfd = machine.memfd('f', 2);
		const range = a.mmap({ memfd, pages: 2, prot: 'rw', shared: true });
		a.write(range, 5);
		a.madvise(range, 'dontneed');
		expect(machine.show(range).present).toBe(0);
		expect([...a.read(range)]).toEqual([5, 5]);
		done();
	});

	test('a swapped page is forgotten', () => {
		const range = anon(8);
		a.write(range, 3);
		a.madvise(range, 'pageout');
		expect(machine.show(range).swapped).toBe(8);
		a.madvise(range, 'dontneed');
		expect(machine.show(range).swapped).toBe(0);
		expect(machine.readFile(`/proc/${a.pid}/status`)).toMatch(/^VmSwap:\s+0 kB/m);
		done();
	});

	test('locked memory is refused', () => {
		const range = anon(2);
		a.mlock(range);
		for (const advice of ['dontneed', 'free', 'cold', 'pageout'])
			expect(refused(() => a.madvise(range, advice))).toBe(EINVAL);
	});
});

describe('MADV_FREE', () => {
	test('the page is dropped by reclaim without a write, unless it was written again', () => {
		const range = anon(30);
		a.write(range, 9);
		machine.drain();
		a.madvise(range, 'free');
		machine.drain();
		/* It is clean, and waits on the inactive file list. */
		expect(machine.pageFlags(range)).not.toContain('SWAPBACKED');
		a.write(subrange(range, 0, 9), 4);
		machine.reclaim('/', 30);
		const { present, swapped } = machine.show(range);
		expect({ present, swapped }).toEqual({ present: 10, swapped: 0 });
		expect([...a.read(subrange(range, 9, 10))]).toEqual([4, 0]);
		expect(machine.readFile('/proc/vmstat')).toMatch(/^pglazyfreed 20$/m);
		done();
	});

	test('is for private anonymous memory only', () => {
		const range = a.mmap({ pages: 1, prot: 'rw', shared: true });
		expect(refused(() => a.madvise(range, 'free'))).toBe(EINVAL);
	});

	test('a swapped page is forgotten', () => {
		const range = anon(4);
		a.write(range, 3);
		a.madvise(range, 'pageout');
		a.madvise(range, 'free');
		expect(machine.show(range).swapped).toBe(0);
		done();
	});
});

describe('MADV_COLD and MADV_PAGEOUT', () => {
	test('cold deactivates, and takes the accessed bits', () => {
		const range = anon(20);
		a.write(range);
		/* References by two processes activate. */
		const b = a.fork('b');
		b.read({ ...range, pid: b.pid });
		machine.drain();
		machine.reclaim('/', 1);
		b.exit();
		const { active } = machine.show(range);
		a.madvise(range, 'cold');
		machine.drain();
		expect(active).toBeGreaterThan(0);
		expect(machine.show(range)).toMatchObject({ active: 0, young: 0, referenced: 0 });
		done();
	});

	test('pageout swaps out, and not what others map too', () => {
		const range = anon(10);
		a.write(range, 6);
		const shared = subrange(range, 0, 4);
		const b = a.fork('b');
		a.write(subrange(range, 5, 9), 6);
		a.madvise(range, 'pageout');
		expect(machine.show(shared)).toMatchObject({ present: 5, swapped: 0 });
		expect(machine.show(subrange(range, 5, 9))).toMatchObject({ present: 0,
			swapped: 5 });
		expect([...a.read(range)]).toEqual(Array<number>(10).fill(6));
		expect(b.alive).toBe(true);
		done();
	});
});

describe('MADV_WILLNEED', () => {
	test('reads anonymous memory into the swap cache', () => {
		const range = anon(6);
		a.write(range, 8);
		a.madvise(range, 'pageout');
		a.madvise(range, 'willneed');
		expect(machine.readFile('/proc/meminfo')).toMatch(/^SwapCached:\s+24 kB$/m);
		const major = /^pgmajfault (\d+)/m.exec(machine.readFile('/proc/vmstat'))![1];
		expect([...a.read(range)]).toEqual([8, 8, 8, 8, 8, 8]);
		expect(machine.readFile('/proc/vmstat')).toContain(`pgmajfault ${major}\n`);
		done();
	});

	test('reads shmem into the swap cache', () => {
		const memfd = machine.memfd('f', 6);
		const range = a.mmap({ memfd, pages: 6, prot: 'rw', shared: true });
		a.write(range, 8);
		machine.drain();
		a.madvise(range, 'pageout');
		expect(machine.show(range).present).toBe(0);
		a.madvise(range, 'willneed');
		expect(machine.readFile('/proc/meminfo')).toMatch(/^SwapCached:\s+24 kB$/m);
		expect([...a.read(range)]).toEqual([8, 8, 8, 8, 8, 8]);
		done();
	});
});

describe('MADV_REMOVE', () => {
	test('makes a hole in the file, for all who map it', () => {
		const memfd = machine.memfd('f', 4), b = machine.task('b');
		const options = { memfd, pages: 4, prot: 'rw', shared: true } as const;
		const range = a.mmap(options), other = b.mmap(options);
		a.write(range, 2);
		b.read(other);
		a.madvise(subrange(range, 1, 2), 'remove');
		expect([...b.read(other)]).toEqual([2, 0, 0, 2]);
		done();
	});

	test('is refused for private and for locked memory', () => {
		const memfd = machine.memfd('f', 1);
		const own = a.mmap({ memfd, pages: 1, prot: 'rw', shared: false });
		expect(refused(() => a.madvise(own, 'remove'))).toBe(EACCES);
		expect(refused(() => a.madvise(anon(1), 'remove'))).toBe(EINVAL);
		const shared = a.mmap({ memfd, pages: 1, prot: 'rw', shared: true });
		a.mlock(shared);
		expect(refused(() => a.madvise(shared, 'remove'))).toBe(EINVAL);
	});
});

describe('advice about a mapping', () => {
	test('splits it, and joins it again', () => {
		const range = anon(6);
		expect(maps()).toBe(1);
		a.madvise(subrange(range, 2, 3), 'random');
		expect(maps()).toBe(3);
		a.madvise(subrange(range, 2, 3), 'sequential');
		expect(maps()).toBe(3);
		a.madvise(range, 'normal');
		expect(maps()).toBe(1);
		done();
	});

	test('a child does not get what is MADV_DONTFORK', () => {
		const range = anon(3);
		a.write(range, 1);
		a.madvise(subrange(range, 1), 'dontfork');
		const b = a.fork('b'), there = { ...range, pid: b.pid };
		expect([...b.read(subrange(there, 0))]).toEqual([1]);
		expect(refused(() => b.read(subrange(there, 1)))).toBe(1000 + SIGSEGV);
		a.madvise(range, 'dofork');
		expect(maps()).toBe(1);
		done();
	});

	test('a child gets zeros for what is MADV_WIPEONFORK', () => {
		const range = anon(2);
		const advise = (behavior: number): number =>
			a.run('madvise', () => sys_madvise(range.start, 8192, behavior));
		a.write(range, 1);
		expect(advise(MADV_WIPEONFORK)).toBe(0);
		const b = a.fork('b');
		expect([...b.read({ ...range, pid: b.pid })]).toEqual([0, 0]);
		expect(advise(MADV_KEEPONFORK)).toBe(0);
		const c = a.fork('c');
		expect([...c.read({ ...range, pid: c.pid })]).toEqual([1, 1]);
		done();
	});
});

describe('arguments', () => {
	test('what is not mapped is passed over, and reported', () => {
		const range = anon(5);
		a.write(range, 7);
		a.munmap(subrange(range, 2));
		expect(refused(() => a.madvise(range, 'dontneed'))).toBe(ENOMEM);
		expect(machine.show(range).present).toBe(0);
	});

	test('are checked', () => {
		const { start } = anon(1), mm = tasks.mm[a.row];
		expect(do_madvise(mm, start + 1, 4096, 4)).toBe(-EINVAL);
		expect(do_madvise(mm, start, 4096, 99)).toBe(-EINVAL);
		expect(do_madvise(mm, start, 0, 4)).toBe(0);
		expect(a.run('madvise', () => do_madvise(mm, start, 1, 4))).toBe(0);
	});
});
