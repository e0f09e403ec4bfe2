// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whatever reclaim, fork, mremap and madvise do to the pages: a task reads what was last written,
 * by itself or by those who share the memory. Held against plain arrays.
 */
import assert from 'node:assert/strict';
import { expect, test } from 'vitest';
import { MachineError, PanicError, boot, subrange, type Machine, type Range, type Task }
	from '../../src/sim/machine.ts';

interface Mapping { range: Range; readonly values: Uint8Array; readonly offset: number }
interface Actor { readonly task: Task; readonly mappings: Mapping[] }
const TASKS_MAX = 6, MAPPINGS_MAX = 5;

class World {
	readonly machine: Machine;
	readonly files: { fd: number; pages: number; values: Uint8Array }[] = [];
	actors: Actor[] = [];
	#state: number;

	constructor(seed: number) {
		this.#state = seed * 7919 + 1;
		this.machine = boot({
			ram: this.pick([8, 16, 32]) << 20, swap: this.pick([4, 16]) << 20,
			kernel: this.pick(['v5.10', 'v5.10.223', 'v5.10.223-013339df116c']),
			cpus: this.pick([1, 2, 4]), pcid: this.below(2) === 0, seed, events: [],
		});
		this.machine.cgroup('A');
		this.machine.cgroup('B');
		for (let i = 0; i < 3; i++) {
			const pages = 20 + this.below(200);
			this.files.push({ ...this.machine.memfd('f', pages),
				values: new Uint8Array(pages) });
		}
	}

	below(n: number): number {
		this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
		return Math.floor(this.#state / 0x100000000 * n);
	}

	pick<T>(choices: readonly T[]): T {
		return choices[this.below(choices.length)]!;
	}

	isShared({ values }: Mapping): boolean {
		return this.files.some((file) => file.values === values);
	}

	spawn(): void {
		const task = this.machine.task('t', { cgroup: this.pick(['A', 'B']) });
		this.actors.push({ task, mappings: [] });
	}

	fork({ task, mappings }: Actor): void {
		const child = task.fork('c');
		this.actors.push({ task: child, mappings: mappings.map((mapping) => ({
			range: { ...mapping.range, pid: child.pid }, offset: mapping.offset,
			values: this.isShared(mapping) ? mapping.values
			: mapping.values.slice() })) });
	}

	map({ task, mappings }: Actor): void {
		if (this.below(2)) {
			const pages = 1 + this.below(250);
			const range = task.mmap({ pages, prot: 'rw', shared: false });
			mappings.push({ range, values: new Uint8Array(pages), offset: 0 });
			return;
		}
		const file = this.pick(this.files);
		const offset = this.below(file.pages), pages = 1 + this.below(file.pages - offset);
		const range =
			task.mmap({ memfd: file, pages, prot: 'rw', shared: true, pgoff: offset });
		mappings.push({ range, values: file.values, offset });
	}

	write({ task }: Actor, mapping: Mapping, first: number, last: number): void {
		const value = 1 + this.below(255);
		for (let page = first; page <= last; page++) {
			task.write(subrange(mapping.range, page), value);
			mapping.values[mapping.offset + page] = value;
		}
	}

	check({ task }: Actor, { range, values, offset }: Mapping, first: number,
		last: number): void {
		assert.deepEqual(task.read(subrange(range, first, last)),
			values.slice(offset + first, offset + last + 1));
	}

	advise({ task }: Actor, mapping: Mapping): void {
		const advice = this.pick(['cold', 'pageout', 'willneed', 'dontneed', 'random']);
		task.madvise(mapping.range, advice);
		if (advice === 'dontneed' && !this.isShared(mapping))
			mapping.values.fill(0);
	}

	/* One random step. */
	step(): void {
		const actor = this.pick(this.actors), { task, mappings } = actor;
		const few = this.actors.length < TASKS_MAX;

		switch (this.below(14)) {
		case 0: return few ? this.spawn() : undefined;
		case 1: return few ? this.fork(actor) : undefined;
		case 2: return this.actors.length > 2 ? task.exit() : undefined;
		case 3: return mappings.length < MAPPINGS_MAX ? this.map(actor) : undefined;
		case 4:
			this.machine.reclaim(this.pick(['A', 'B', '/']), 1 + this.below(300));
			return;
		case 5:
			this.machine.drain();
			return task.clearRefs(1 + this.below(4));
		case 6: {
			const high = this.below(2) ? 'max' : `${this.below(1 << 21)}`;
			this.machine.writeFile('/sys/fs/cgroup/A/memory.high', high);
			return;
		}
		}
		if (mappings.length === 0)
			return;
		const mapping = this.pick(mappings), { pages } = mapping.range;
		const first = this.below(pages), last = first + this.below(pages - first);
		switch (this.below(8)) {
		case 0: return this.advise(actor, mapping);
		case 1:
			if (first)
				mapping.range = task.mremap(mapping.range, first);
			return;
		case 2: case 3: case 4: return this.check(actor, mapping, first, last);
		default: return this.write(actor, mapping, first, last);
		}
	}

	/* The OOM killer may have been at work. */
	bury(): void {
		this.actors = this.actors.filter(({ task }) => task.alive);
		while (this.actors.length < 2)
			this.spawn();
	}
}

test('what is read is what was written, whatever reclaim does between', () => {
	let checked = 0;

	for (let seed = 1; seed <= 40; seed++) {
		const world = new World(seed);
		world.bury();
		try {
			for (let i = 0; i < 300; i++) {
				try {
					world.step();
				} catch (error) {
					if (!(error instanceof MachineError))
						throw error;
				}
				world.bury();
			}
			world.machine.checkInvariants();
			checked++;
		} catch (error) {
			if (!(error instanceof PanicError))
				throw new Error(`seed ${seed}`, { cause: error });
		}
	}
	expect(checked).toBeGreaterThan(30);
});
