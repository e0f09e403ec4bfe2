// SPDX-License-Identifier: GPL-2.0-only
/* Random litmus programs, valid by construction: the same seed gives the same program. */
import { ADVICE } from '../src/sim/litmus/ast.ts';
import { POINTS } from '../src/lib/points.ts';

/* mulberry32 */
export function generator(seed: number): (n: number) => number {
	let state = seed | 0;

	return (n) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

/* What a signal would follow is rare, or tasks would not live long. */
interface Mapping { name: string; pages: number; readable: boolean; writable: boolean }
interface Task { name: string; mappings: Mapping[] }

const TASKS_MAX = 5;

/** A program of so many statements after those that set it up. */
export function randomProgram(seed: number, statements: number): string {
	const below = generator(seed);
	const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
	const chance = (percent: number): boolean => below(100) < percent;
	const lines = [`machine ram=${pick([64, 96])}M swap=${pick([0, 1, 16])}M ` +
		`cpus=${1 + below(3)} pcid=${below(2)} seed=${seed}`, 'cgroup A', 'cgroup B',
		'memfd f 24', 'memfd g 9'];
	const memfds = [{ name: 'f', pages: 24 }, { name: 'g', pages: 9 }];
	const tasks: Task[] = [];
	let names = 0;

	const newTask = (): void => {
		const name = `t${names++}`;
		const cgroup = pick(['', ' cgroup=A', ' cgroup=B']);
		tasks.push({ name, mappings: [] });
		lines.push(`task ${name}${cgroup}`);
	};
	const range = ({ name, pages }: Mapping): string => {
		if (chance(50))
			return name;
		const first = below(pages), last = first + below(pages - first);
		return chance(30) ? `${name}[${first}]` : `${name}[${first}..${last}]`;
	};
	/* What a task can do that declares and removes no name. */
	const deed = (task: Task): string | undefined => {
		const mapping = task.mappings.length ? pick(task.mappings) : undefined;
		if (!mapping)
			return undefined;
		const r = range(mapping), wrong = chance(1);
		if (chance(45) && (mapping.readable || wrong))
			return `${task.name}: ` + (chance(60) && (mapping.writable || wrong)
				? `write ${r} ${below(256)}` : `read ${r}`);
		return `${task.name}: ` + pick([
			() => `madvise ${r} ${pick(ADVICE)}`,
			() => `clear_refs ${pick([1, 1, 2, 3, 4])}`,
			() => `mlock ${r}`, () => `munlock ${r}`,
			() => {
				const prot = pick(['r', 'rw', 'rw', 'none']);
				mapping.readable = prot !== 'none';
				mapping.writable = prot === 'rw';
				return `mprotect ${mapping.name} ${prot}`;
			},
		])();
	};
	const map = (task: Task): void => {
		const name = `m${names++}`;
		const memfd = chance(40) ? pick(memfds) : undefined;
		const pages = memfd ? 1 + below(memfd.pages) : 1 + below(40);
		const offset = memfd ? below(memfd.pages - pages + 1) : 0;
		const prot = pick(['rw', 'rw', 'rw', 'r', 'rwx']);
		lines.push(`${task.name}: ${name} = mmap ${memfd?.name ?? 'anon'} ${pages} ` +
			`${prot} ${pick(['shared', 'private'])}` +
			(memfd ? ` offset=${offset}` : ''));
		task.mappings.push({ name, pages, readable: true, writable: prot !== 'r' });
	};

	newTask();
	map(tasks[0]!);
	for (let i = 0; i < statements; i++) {
		const task = tasks.length ? pick(tasks) : undefined;
		const kind = below(100);

		if (!task || (kind < 4 && tasks.length < TASKS_MAX)) {
			newTask();
		} else if (kind < 12) {
			map(task);
		} else if (kind < 15 && tasks.length < TASKS_MAX) {
			const name = `t${names++}`;
			lines.push(`${task.name}: fork ${name}`);
			tasks.push({ name, mappings: task.mappings.map((m) => ({ ...m })) });
		} else if (kind < 17) {
			lines.push(`${task.name}: exit`);
			tasks.splice(tasks.indexOf(task), 1);
		} else if (kind < 20 && task.mappings.length) {
			const mapping = pick(task.mappings);
			const part = chance(50) && mapping.pages > 2;
			lines.push(`${task.name}: munmap ${mapping.name}${part ? '[1]' : ''}`);
			task.mappings.splice(task.mappings.indexOf(mapping), 1);
		} else if (kind < 40) {
			lines.push(`reclaim ${pick(['A', 'B', 'A', '/'])} ${1 + below(40)}`);
		} else if (kind < 45) {
			lines.push('drain');
		} else if (kind < 49) {
			lines.push(`${pick(['A', 'B'])}/memory.${pick(['max', 'high', 'low', 'min',
				'swap.max'])} = ${pick(['max', 'max', '1M', '256K', '64K'])}`);
		} else if (kind < 51) {
			lines.push(`vm.swappiness = ${pick([0, 10, 60, 100])}`);
		} else if (kind < 55) {
			const body = deed(task);
			if (body)
				lines.push(`at ${pick(POINTS)}: ${body}`);
		} else if (kind < 58) {
			lines.push(pick(['stat A', 'stat B', 'trace', 'cat /proc/vmstat']));
		} else {
			const body = deed(task);
			if (body)
				lines.push(body);
		}
	}
	return `${lines.join('\n')}\n`;
}
