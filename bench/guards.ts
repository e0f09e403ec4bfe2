// SPDX-License-Identifier: GPL-2.0-only
/* A reclaim whose time tools/bench-guards.mjs compares: guards asked, and guards folded away. */
import { boot } from '../src/index.ts';

const PAGES = 4096, ROUNDS = 4;

/** Milliseconds of reclaim alone. @param kernel whose guards are folded in the other bundle */
export function reclaimMs(kernel: string): number {
	const machine = boot({ ram: 256 << 20, swap: 64 << 20, kernel, events: [] });
	let ms = 0;

	machine.cgroup('A');
	const file = machine.memfd('f', PAGES);
	const tasks = ['a', 'b'].map((name) => machine.task(name, { cgroup: 'A' }));
	const ranges = tasks.map((task) =>
		task.mmap({ memfd: file, pages: PAGES, prot: 'rw', shared: true }));
	for (let round = 0; round < ROUNDS; round++) {
		tasks.forEach((task, i) => task.write(ranges[i]!));
		machine.drain();
		for (const task of tasks)
			task.clearRefs();
		const began = performance.now();
		machine.reclaim('A', PAGES / 2);
		ms += performance.now() - began;
	}
	return ms;
}
