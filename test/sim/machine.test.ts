// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { point, armPoint, disarmPoint, pointHandler } from '../../src/lib/points.ts';
import { SnapshotError } from '../../src/lib/snapshot.ts';
import { BlockedError, Machine, MachineError, PanicError, StepBudgetError, boot, subrange,
	type MachineOptions, type Range, type Task } from '../../src/sim/machine.ts';

const MiB = 1 << 20;
const small = (options: MachineOptions = {}): Machine =>
	boot({ ram: 16 * MiB, swap: 4 * MiB, ...options });
const anon = (task: Task, pages: number): Range => task.mmap({ pages, prot: 'rw', shared: false });

function errnoOf(body: () => unknown): number {
	try {
		body();
	} catch (error) {
		if (error instanceof MachineError)
			return error.errno;
		throw error;
	}
	return 0;
}
function signalOf(body: () => unknown): number {
	try {
		body();
	} catch (error) {
		if (error instanceof MachineError)
			return error.signal;
		throw error;
	}
	return 0;
}
const ENOENT = 2, ESRCH = 3, EBUSY = 16, EEXIST = 17, EINVAL = 22, ENOMEM = 12;
const SIGKILL = 9, SIGSEGV = 11;

describe('boot', () => {
	test('has the defaults that are documented', () => {
		const machine = boot();
		expect(machine.options).toEqual({ ram: 512 * MiB, swap: 64 * MiB, cpus: 1,
			nodes: 1 });
		expect(machine.kernel.name).toBe('v5.10.223');
		expect(machine.init.name).toBe('init');
		expect(machine.readFile('/proc/swaps')).toMatch(/^\/dev\/ram0 .*\t65532\t/m);
	});

	test('the same options give the same machine, another seed another one', () => {
		const hash = small().hash();
		expect(small().hash()).toBe(hash);
		expect(small({ seed: 2 }).hash()).not.toBe(hash);
	});

	test.each([
		[{ ram: 1000 }, 'ram'], [{ ram: 8 * 1024 * MiB }, 'ram'], [{ swap: 5 }, 'swap'],
		[{ cpus: 0 }, 'cpus'], [{ cpus: 33 }, 'cpus'], [{ nodes: 9 }, 'nodes'],
		[{ seed: 0.5 }, 'seed'], [{ stepBudget: -1 }, 'stepBudget'],
			[{ events: ['x'] }, 'x'],
	] as [MachineOptions, string][])('refuses %j, and says what it expected', (options, word) =>
		{
		expect(() => boot(options)).toThrow(RangeError);
		expect(() => boot(options)).toThrow(word);
	});

	test('a machine of an earlier boot is gone', () => {
		const old = small(), task = old.task('a');
		small();
		expect(() => old.hash()).toThrow('another');
		expect(() => task.pid && task.name).toThrow('another');
	});
});

describe('a task', () => {
	test('reads what it wrote, and a child has its own copy', () => {
		const machine = small();
		const a = machine.task('a'), range = anon(a, 4);
		a.write(range, 7);
		const b = a.fork('b'), copy = { ...range, pid: b.pid };
		b.write(subrange(copy, 1), 9);
		expect([...a.read(range)]).toEqual([7, 7, 7, 7]);
		expect([...b.read(copy)]).toEqual([7, 9, 7, 7]);
		expect(machine.readFile(`/proc/${b.pid}/status`)).toContain(`PPid:\t${a.pid}\n`);
		machine.checkInvariants();
	});

	test('reads from swap what it wrote before', () => {
		const machine = small(), a = machine.task('a'), range = anon(a, 200);
		for (let i = 0; i < range.pages; i++)
			a.write(subrange(range, i), i);
		machine.drain();
		a.clearRefs();
		for (let i = 0; i < 20; i++)
			machine.reclaim('/', 100);
		expect(machine.show(range).swapped).toBe(200);
		expect([...a.read(range)]).toEqual(Array.from({ length: 200 }, (_, i) => i));
		machine.checkInvariants();
	});

	test('shares a memfd made after it was born', () => {
		const machine = small(), a = machine.task('a'), b = machine.task('b');
		const memfd = machine.memfd('f', 3);
		const map = (task: Task, pgoff: number): Range =>
			task.mmap({ memfd, pages: 2, prot: 'rw', shared: true, pgoff });
		const one = map(a, 0), two = map(b, 1);
		a.write(one, 5);
		expect([...b.read(two)]).toEqual([5, 0]);
		machine.closeMemfd(memfd);
		expect([...a.read(one)]).toEqual([5, 5]);
		a.exit();
		b.exit();
		machine.checkInvariants();
	});

	test('dies of an access that it must not make', () => {
		const machine = small();
		for (const access of [
			(task: Task) => task.read({ pid: task.pid, start: 0x1000, pages: 1 }),
			(task: Task) =>
				task.write(task.mmap({ pages: 1, prot: 'r', shared: false })),
			(task: Task) =>
				task.read(task.mmap({ pages: 1, prot: 'none', shared: false })),
		]) {
			const task = machine.task('a');
			expect(signalOf(() => access(task))).toBe(SIGSEGV);
			expect(task.alive).toBe(false);
			expect(errnoOf(() => task.fork('b'))).toBe(ESRCH);
		}
		machine.checkInvariants();
	});

	test('gets SIGBUS beyond the end of a file', () => {
		const machine = small(), a = machine.task('a'), memfd = machine.memfd('f', 1);
		const range = a.mmap({ memfd, pages: 2, prot: 'rw', shared: true });
		expect(signalOf(() => a.read(range))).toBe(7);
	});

	test('system calls are refused with their errno', () => {
		const machine = small(), a = machine.task('a'), range = anon(a, 4);
		expect(errnoOf(() => a.mmap({ pages: 0, prot: 'rw', shared: false }))).toBe(EINVAL);
		expect(errnoOf(() => a.mmap({ pages: 1, prot: 'q', shared: false }))).toBe(EINVAL);
		expect(errnoOf(() => a.madvise(range, 'nonsense'))).toBe(EINVAL);
		expect(errnoOf(() => a.mremap(anon(a, 1), 8, { mayMove: false }))).toBe(ENOMEM);
		a.munmap(subrange(range, 1));
		expect(errnoOf(() => a.mprotect(range, 'r'))).toBe(ENOMEM);
		expect(errnoOf(() => a.mlock(range))).toBe(ENOMEM);
		expect(errnoOf(() => a.clearRefs(9))).toBe(EINVAL);
		expect(a.mmap({ pages: 1, prot: 'r', shared: false, fixedAt: 0x100000 }).start)
			.toBe(0x100000);
	});

	test('moves its mapping with what is in it', () => {
		const machine = small(), a = machine.task('a'), range = anon(a, 4);
		a.write(range, 3);
		anon(a, 1);
		const moved = a.mremap(range, 6);
		expect(moved.pages).toBe(6);
		expect([...a.read(moved)]).toEqual([3, 3, 3, 3, 0, 0]);
		machine.checkInvariants();
	});

	test('a switch of tasks empties the TLB without PCIDs, and keeps it with them', () => {
		for (const pcid of [false, true]) {
			const machine = small({ pcid }), a = machine.task('a'), range = anon(a, 1);
			a.write(range);
			a.clearRefs();
			a.read(range);
			/* Its TLB still had the translation, so no accessed bit was set. */
			expect(machine.show(range).young).toBe(0);
			machine.task('b').exit();
			a.read(range);
			expect(machine.show(range).young).toBe(pcid ? 0 : 1);
		}
	});
});

describe('cgroups', () => {
	test('are made and removed as directories are', () => {
		const machine = small();
		machine.cgroup('A');
		machine.cgroup('A/B');
		expect(errnoOf(() => machine.cgroup('A'))).toBe(EEXIST);
		expect(errnoOf(() => machine.cgroup('C/D'))).toBe(ENOENT);
		expect(errnoOf(() => machine.rmdir('A'))).toBe(EBUSY);
		/* No processes in an inner cgroup. */
		expect(errnoOf(() => machine.task('a', { cgroup: 'A' }))).toBe(EBUSY);
		const b = machine.task('b', { cgroup: 'A/B' });
		expect(machine.readFile(`/proc/${b.pid}/cgroup`)).toBe('0::/A/B\n');
		expect(errnoOf(() => machine.rmdir('A/B'))).toBe(EBUSY);
		b.move('/');
		machine.rmdir('A/B');
		expect(errnoOf(() => machine.rmdir('A/B'))).toBe(ENOENT);
	});

	test('memory.max kills: the task that allocates, or a bigger one', () => {
		const machine = small({ swap: 0 });
		machine.cgroup('A');
		const big = machine.task('big', { cgroup: 'A' }), a =
			machine.task('a', { cgroup: 'A' });
		big.write(anon(big, 100));
		expect(machine.writeFile('/sys/fs/cgroup/A/memory.max', `${150 * 4096}`)).toBe(0);
		a.write(anon(a, 90));
		expect(big.alive).toBe(false);
		expect(signalOf(() => a.write(anon(a, 90)))).toBe(SIGKILL);
		expect(a.alive).toBe(false);
		expect(machine.readFile('/sys/fs/cgroup/A/memory.events'))
			.toContain('oom_kill 2\n');
		machine.checkInvariants();
	});

	test('memory.high makes whoever goes over it reclaim, and wait, but does not kill', () => {
		const machine = small();
		machine.cgroup('A');
		const a = machine.task('a', { cgroup: 'A' });
		machine.writeFile('/sys/fs/cgroup/A/memory.high', `${64 * 4096}`);
		a.write(anon(a, 300));
		const current = Number(machine.readFile('/sys/fs/cgroup/A/memory.current'));
		expect(current).toBeLessThanOrEqual((64 + 32) * 4096);
		expect(machine.readFile('/sys/fs/cgroup/A/memory.events')).toMatch(/^high [1-9]/m);
		machine.checkInvariants();
	});

	test('reclaim asks for more than there is', () => {
		const machine = small();
		machine.cgroup('A');
		const a = machine.task('a', { cgroup: 'A' }), range = anon(a, 10);
		a.write(range);
		machine.drain();
		expect(machine.reclaim('A', 1000)).toBe(0);
		expect(machine.readFile('/sys/fs/cgroup/A/memory.high')).toBe('max\n');
		expect(machine.show(range).swapped).toBe(10);
		const newer = small({ kernel: 'v5.10.223+94968384dde1' });
		newer.cgroup('A');
		expect(newer.reclaim('A', 1)).toBe(-11);
	});
});

describe('global memory', () => {
	test('runs out: kswapd and direct reclaim swap, then somebody is killed', () => {
		const machine = small({ swap: 2 * MiB });
		const a = machine.task('a'), b = machine.task('b');
		a.write(anon(a, 3200));
		/* What is swapped to a RAM disk takes RAM there, so it does not help. */
		const range = anon(b, 800);
		for (let i = 0; i < range.pages; i += 50)
			b.write(subrange(range, i, i + 49));
		const vmstat = machine.readFile('/proc/vmstat');
		expect(vmstat).toMatch(/^pswpout [1-9]/m);
		expect(vmstat).toMatch(/^pgscan_kswapd [1-9]/m);
		expect(vmstat).toMatch(/^oom_kill 1$/m);
		expect([a.alive, b.alive]).toEqual([false, true]);
		expect(signalOf(() => b.write(anon(b, 4000)))).toBe(SIGKILL);
		machine.checkInvariants();
	});

	test('a machine with nobody left to kill panics, and does nothing any more', () => {
		const machine = boot({ ram: 4 * MiB, swap: 0 });
		const { init } = machine;
		const range = anon(init, 700), more = anon(init, 700);
		init.write(range);
		expect(() => init.write(more)).toThrow(PanicError);
		expect(() => init.read(range)).toThrow(PanicError);
	});

	test('a fault that goes on for ever is given up', () => {
		const machine = small();
		machine.cgroup('A');
		const a = machine.task('a', { cgroup: 'A' }), range = anon(a, 8);
		a.write(range);
		machine.drain();
		machine.reclaim('A', 8);
		a.move('/');
		/* The pages to be swapped in are A's, who has no room and nobody to kill. */
		machine.writeFile('/sys/fs/cgroup/A/memory.max', '0');
		expect(() => a.read(range)).toThrow(StepBudgetError);
		machine.checkInvariants();
	});

	test('the step budget ends a run', () => {
		const machine = small({ stepBudget: 100 }), a = machine.task('a');
		expect(() => a.write(anon(a, 200))).toThrow(StepBudgetError);
	});
});

/* Run `body` when a point is met for the first time. */
function at(name: Parameters<typeof point>[0], body: () => void): void {
	const id = point(name);
	armPoint(id);
	pointHandler.hit = () => {
		disarmPoint(id);
		body();
	};
}

describe('a statement in the middle of another', () => {
	/* A page whose owner can be asked to touch it while it is being reclaimed. */
	function scene(kernel: string): { machine: Machine; a: Task; range: Range } {
		const machine = small({ kernel }), a = machine.task('a'), range = anon(a, 1);
		a.write(range);
		machine.drain();
		a.clearRefs();
		return { machine, a, range };
	}

	test('window: a reference between page_referenced() and try_to_unmap()', () => {
		for (const [kernel, swapped] of [['v5.10.223', 1], ['v5.10.3', 0]] as const) {
			const { machine, a, range } = scene(kernel);
			at('page_check_references.return', () => a.read(range));
			machine.reclaim('/', 1);
			const { present, active, swapped: gone } = machine.show(range);
			expect({ gone, present, active }).toEqual(
				{ gone: swapped, present: 1 - swapped, active: 1 - swapped });
			machine.checkInvariants();
		}
	});

	test('waits for the page that is locked, and runs afterwards', () => {
		const { machine, a, range } = scene('v5.10.223');
		let blocked: unknown;
		at('shrink_page_list.try_to_unmap.return', () => {
			try {
				a.write(range, 9);
			} catch (error) {
				blocked = error;
			}
		});
		machine.reclaim('/', 1);
		expect(blocked).toBeInstanceOf(BlockedError);
		expect((blocked as BlockedError).done).toBe(0);
		expect(machine.show(range).swapped).toBe(1);
		a.write(range, 9);
		expect([...a.read(range)]).toEqual([9]);
		machine.checkInvariants();
	});

	test('that cannot begin leaves everything as it was', () => {
		const machine = small(), a = machine.task('a'), memfd = machine.memfd('f', 1);
		const range = a.mmap({ memfd, pages: 1, prot: 'rw', shared: true });
		a.write(range);
		machine.drain();
		a.clearRefs();
		const states: string[] = [];
		at('shrink_page_list.page_locked', () => {
			states.push(machine.hash());
			/* init is in the middle of a statement itself. */
			expect(() => machine.init.mlock(range)).toThrow(BlockedError);
			/* Truncation waits for the lock of the page, with others held. */
			expect(() => a.madvise(range, 'remove')).toThrow(BlockedError);
			states.push(machine.hash());
		});
		machine.reclaim('/', 1);
		expect(states).toHaveLength(2);
		expect(states[1]).toBe(states[0]);
		expect(a.read(range)).toEqual(Uint8Array.of(1));
		machine.checkInvariants();
	});

	test('may be a system call: the page is unmapped while it is reclaimed', () => {
		const { machine, a, range } = scene('v5.10.223');
		at('shrink_page_list.page_locked', () => a.munmap(range));
		machine.reclaim('/', 1);
		expect(machine.show(range)).toMatchObject({ present: 0, swapped: 0 });
		machine.checkInvariants();
	});

	test('may end its task', () => {
		const { machine, a, range } = scene('v5.10.223');
		at('page_check_references.return', () => a.exit());
		machine.reclaim('/', 1);
		expect(a.alive).toBe(false);
		expect(range.pid).toBe(a.pid);
		machine.checkInvariants();
	});

	test('runs on another CPU where there is one', () => {
		for (const [cpus, cpu] of [[1, '[000]'], [2, '[001]']] as const) {
			const machine = small({ cpus }), a = machine.task('a'), range =
				anon(a, 300);
			machine.cgroup('A');
			a.move('A');
			a.write(range);
			machine.drain();
			machine.traceEvents(['vmscan'], false);
			machine.traceEvents(['mm_lru_insertion'], true);
			at('page_check_references.return', () => a.write(anon(a, 20)));
			const mark = machine.traceMark();
			machine.reclaim('A', 40);
			expect(machine.traceLines(mark).some((line) =>
				line.includes(`a-${a.pid}`) &&
				line.includes(cpu))).toBe(true);
			machine.checkInvariants();
		}
	});
});

describe('snapshots', () => {
	test('go back, and on again in the same way', () => {
		const machine = small(), a = machine.task('a'), range = anon(a, 30);
		a.write(range);
		const image = machine.snapshot(), hash = machine.hash();
		const rest = (from: Machine): string => {
			from.drain();
			from.reclaim('/', 10);
			from.taskOf(range.pid).read(range);
			return from.hash();
		};
		const end = rest(machine);
		expect(end).not.toBe(hash);
		const again = Machine.restore(image);
		expect(again.hash()).toBe(hash);
		expect(again.kernel.name).toBe('v5.10.223');
		expect(rest(again)).toBe(end);
		expect(() => machine.hash()).toThrow('another');
	});

	test('one that is damaged changes nothing', () => {
		const machine = small(), image = machine.snapshot(), hash = machine.hash();
		image[image.length - 100]! ^= 1;
		expect(() => Machine.restore(image)).toThrow(SnapshotError);
		expect(machine.hash()).toBe(hash);
	});

	test('keep the kernel with its commits', () => {
		const machine = small({ kernel: 'v5.10.223-013339df116c' });
		expect(Machine.restore(machine.snapshot()).kernel).toEqual(machine.kernel);
	});
});
