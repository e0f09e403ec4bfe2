// SPDX-License-Identifier: GPL-2.0-only
/*
 * The histories of foreign-half.c and foreign-reference.c, run through the API, against what real
 * kernels printed: every line of the recordings, in order.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { boot, subrange, type Machine, type Range, type Task } from '../../src/sim/machine.ts';
import { eventPart } from '../../src/sim/ftrace.ts';

const PAGES = 64, HALF = 32;
const AT = 0x1000000000;

/** The recorded kernels, by the names of the files, and which of ours each is. */
const KERNELS = [
	{ recorded: '5.10', name: 'v5.10.223' },
	{ recorded: '5.10-prepatch', name: 'v5.10.223-013339df116c' },
] as const;

const read = (name: string): string =>
	readFileSync(new URL(`recordings/${name}`, import.meta.url), 'utf8').trimEnd();

/*
 * The lines between the kernel's release and the end. The kernel that was built has no
 * ZONE_DEVICE and no ZONE_MOVABLE, so its highest zone is 2.
 */
function recording(program: string, kernel: string): string[] {
	return read(`${program}.${kernel}.txt`).split('\n').slice(1, -1)
		.map((line) => line.replace('classzone=2', 'classzone=4'));
}

/** What oracle.h prints, from a machine of ours. */
class Printer {
	readonly lines: string[] = [];
	readonly machine: Machine;
	constructor(machine: Machine) {
		this.machine = machine;
	}
	title(text: string): void {
		this.lines.push(`-- ${text}`);
	}
	pages(when: string, who: string, range: Range): void {
		const { present, swapped, lru, active, referenced, unevictable } =
			this.machine.show(range);
		this.lines.push(`${when} ${who}: present=${present} swapped=${swapped} ` +
			`lru=${lru} active=${active} referenced=${referenced} ` +
			`unevictable=${unevictable}`);
	}
	statOf(cgroup: string): void {
		const items = this.machine.stat(cgroup).map(([key, value]) => ` ${key} ${value},`);
		this.lines.push(`memory.stat ${cgroup}:${items.join('')}`);
	}
	reclaim(cgroup: string, pages: number): void {
		const mark = this.machine.traceMark();
		assert.equal(this.machine.reclaim(cgroup, pages), 0);
		for (const line of this.machine.traceLines(mark))
			if (!line.includes('writepage'))
				this.lines.push(`trace ${eventPart(line)}`);
	}
}

function start(kernel: string): Printer {
	const machine = boot({ ram: 512 << 20, swap: 64 << 20, kernel });

	assert.equal(machine.writeFile('/sys/kernel/debug/fault_around_bytes', '4096'), 0);
	machine.cgroup('A');
	machine.cgroup('B');
	return new Printer(machine);
}

/* A task of a cgroup with the memfd mapped where the C programs map it. */
function mapper(machine: Machine, name: string, cgroup: string, memfd: { fd: number }): {
	task: Task; range: Range; map: () => Range;
} {
	const task = machine.task(name, { cgroup });
	const map = (): Range =>
		task.mmap({ memfd, pages: PAGES, prot: 'rw', shared: true, fixedAt: AT });

	return { task, range: map(), map };
}

function foreignHalf(kernel: string, lru: number[]): string[] {
	const out = start(kernel), { machine } = out;
	const memfd = machine.memfd('x', PAGES);
	const a = mapper(machine, 'a', 'A', memfd);
	/* In the order of the recorded list: what is written first is met first by reclaim. */
	for (const page of lru)
		a.task.write(subrange(a.range, page));
	const b = mapper(machine, 'b', 'B', memfd);
	b.task.read(b.range);
	machine.drain();
	a.task.clearRefs();
	b.task.clearRefs();
	b.task.munmap(b.range);
	b.task.read(subrange(b.map(), 0, HALF - 1));

	out.statOf('A');
	out.reclaim('A', HALF);
	const first = (range: Range): Range => subrange(range, 0, HALF - 1);
	out.pages('after, the 32 that B referenced', 'A', first(a.range));
	out.pages('after, the 32 that B referenced', 'B', first(b.range));
	out.pages('after, the other 32', 'A', subrange(a.range, HALF, PAGES - 1));
	out.statOf('A');
	machine.checkInvariants();
	return out.lines;
}

function foreignReference(kernel: string): string[] {
	const out = start(kernel), { machine } = out;

	for (let round = 0; round < 2; round++) {
		const memfd = machine.memfd('x', PAGES);
		const a = mapper(machine, 'a', 'A', memfd);
		a.task.write(a.range);
		const b = mapper(machine, 'b', 'B', memfd);
		b.task.read(b.range);
		machine.drain();
		a.task.clearRefs();
		b.task.clearRefs();
		if (round === 1) {
			b.task.munmap(b.range);
			b.task.read(b.map());
		}
		const who = round ? 'B referenced every page' : 'nobody referenced';
		out.title(`round ${round}: ${who}`);
		out.pages('before', 'A', a.range);
		out.pages('before', 'B', b.range);
		out.statOf('A');
		out.reclaim('A', PAGES);
		out.pages('after', 'A', a.range);
		out.pages('after', 'B', b.range);
		out.statOf('A');
		a.task.exit();
		b.task.exit();
		machine.closeMemfd(memfd);
		machine.checkInvariants();
	}
	return out.lines;
}

describe('real kernels printed the same', () => {
	for (const { recorded, name } of KERNELS) {
		test(`foreign-half on ${recorded}`, () => {
			const lru = read(`foreign-half.${recorded}.lru.txt`).split(' ').map(Number);
			expect(foreignHalf(name, lru)).toEqual(recording('foreign-half', recorded));
		});

		test(`foreign-reference on ${recorded}`, () => {
			/* One slab page was freed while reclaim ran: recordings/README.md. */
			const lines = recording('foreign-reference', recorded)
				.map((line) => line.replace('nr_reclaimed=65', 'nr_reclaimed=64'));
			expect(foreignReference(name)).toEqual(lines);
		});
	}

	test('the two kernels differ', () => {
		for (const program of ['foreign-half', 'foreign-reference'])
			expect(recording(program, '5.10')).not.toEqual(
				recording(program, '5.10-prepatch'));
	});
});
