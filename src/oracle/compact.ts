// SPDX-License-Identifier: GPL-2.0-only
/*
 * A litmus program in the form that the guest reads (guest/init.c): one statement a line, with
 * numbers for names. A new statement is one entry here and one there.
 */
import type { Action, Expectation, FileRef, Program, RangeRef, Statement, StatementKind }
	from '../sim/litmus/ast.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { isDeviceAction } from '../sim/litmus/devices.ts';
import { filePath } from '../sim/litmus/knobs.ts';
import { isFor } from '../sim/litmus/runner.ts';
import { kernelHas, type Kernel } from '../sim/kernels.ts';
import { ADVICE, FADVICE, MACHINE_DEFAULTS } from '../sim/machine.ts';
import { MEMCG_MEMORY_RECLAIM } from '../lib/commits.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE }
	from '../mm/mmap.ts';
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '../mm/mremap.ts';
import type { Incomparable } from './types.ts';

/* Who runs a statement: a slot, or */
const INIT = -1, WHOEVER_RAN_LAST = -2;

/* Slots of tasks by name, as the names stand at a statement. */
type Tasks = ReadonlyMap<string, number>;

interface Line {
	readonly actor: number;
	readonly words: readonly (string | number)[];
}

const prot = ({ read, write, exec }: {
	readonly read: boolean; readonly write: boolean; readonly exec: boolean;
}): number => (read ? PROT_READ : 0) | (write ? PROT_WRITE : 0) | (exec ? PROT_EXEC : 0);

const pages = ({ slot, first, last }: RangeRef): readonly number[] =>
	[slot, Math.min(first, last), Math.abs(last - first) + 1];
const ofFile = ({ slot, first, last }: FileRef): readonly number[] =>
	[slot, first, last - first + 1];
const directed = ({ slot, first, last }: RangeRef): readonly number[] => [slot, first, last];
const memoryStat = (cgroup: string): string => filePath(`${cgroup}/memory.stat`);

const MLOCK_ONFAULT = 1;

/* What the task or init does, by kind of statement: its words in the guest's program. */
const ACTIONS: {
	readonly [K in StatementKind]?: (action: Extract<Action, { kind: K }>) =>
		readonly (string | number)[]
} = {
	cgroup: ({ path }) => [path],
	rmdir: ({ path }) => [path],
	memfd: ({ slot, pages: count }) => [slot, count],
	file: ({ slot, pages: count }) => [slot, count],
	close: ({ slot }) => [slot],
	fsync: ({ slot }) => [slot],
	sync: () => [],
	pread: ({ file }) => ofFile(file),
	pwrite: ({ file, value }) => [...ofFile(file), value],
	fadvise: ({ file, advice }) => [
		...file.whole ? [file.slot, 0, 0] : ofFile(file), FADVICE[advice]!],
	task: ({ slot, cgroup }) => [slot, cgroup ?? '-'],
	fork: ({ slot, inherits }) => [slot, ...inherits.flat()],
	exit: () => [],
	move: ({ cgroup }) => [cgroup],
	mmap: ({ slot, memfd, pages: count, protection, shared, offset, address }) => [
		slot, memfd ?? -1, count, prot(protection),
		(shared ? MAP_SHARED : MAP_PRIVATE) | (memfd === undefined ? MAP_ANONYMOUS : 0) |
			(address === undefined ? 0 : MAP_FIXED),
		offset, address ?? 0],
	munmap: ({ range, forgets }) => [...pages(range), forgets ? 1 : 0],
	truncate: ({ slot, pages: count }) => [slot, count],
	mremap: ({ range, pages: count, mayMove, dontUnmap, address }) => [
		...pages(range), count,
		(mayMove ? MREMAP_MAYMOVE : 0) | (dontUnmap ? MREMAP_DONTUNMAP : 0) |
			(address === undefined ? 0 : MREMAP_FIXED),
		address ?? 0],
	mprotect: ({ range, protection }) => [...pages(range), prot(protection)],
	madvise: ({ range, advice }) => [...pages(range), ADVICE[advice]!],
	mlock: ({ range, onfault }) => [...pages(range), onfault ? MLOCK_ONFAULT : 0],
	munlock: ({ range }) => pages(range),
	read: ({ ranges }) => ranges.flatMap(directed),
	write: ({ ranges, value }) => [value, ...ranges.flatMap(directed)],
	clear_refs: ({ what }) => [what],
	drain: () => [],
	reclaim: ({ cgroup, pages: count }) => [cgroup, count],
	knob: ({ path, value }) => [filePath(path), value],
};

/* What has to be looked at for an expectation; undefined: it is known already. */
function expectation(expected: Expectation, tasks: Tasks): Line | undefined {
	switch (expected.of) {
	case 'counts': case 'flags':
		return { actor: WHOEVER_RAN_LAST, words: ['show', ...pages(expected.range)] };
	case 'stat':
		return { actor: WHOEVER_RAN_LAST, words: ['text', memoryStat(expected.cgroup)] };
	case 'cached':
		return { actor: WHOEVER_RAN_LAST, words: ['cached', ...ofFile(expected.file)] };
	case 'value':
		return { actor: tasks.get(expected.range.task)!,
			words: ['value', ...pages(expected.range)] };
	default:
		return undefined;
	}
}

function line(statement: Statement, tasks: Tasks): Line | undefined {
	switch (statement.kind) {
	case 'show':
		return { actor: WHOEVER_RAN_LAST, words: ['show', ...pages(statement.range)] };
	case 'cached':
		return { actor: WHOEVER_RAN_LAST, words: ['cached', ...ofFile(statement.file)] };
	case 'stat':
		return { actor: WHOEVER_RAN_LAST, words: ['text', memoryStat(statement.cgroup)] };
	case 'cat':
		return { actor: WHOEVER_RAN_LAST, words: ['text', filePath(statement.path)] };
	case 'expect': return expectation(statement.expectation, tasks);
	}
	const words = ACTIONS[statement.kind] as
		((action: Action) => readonly (string | number)[]) | undefined;

	return words && { actor: statement.taskSlot ?? INIT,
		words: [statement.kind, ...words(statement)] };
}

const SECONDARY = 'the guest drives no secondary MMU, and no file shows what one has mapped';
const COMPACTION = 'compaction moves pages by where they lie, which differs from boot to boot';

/* Why a statement has no meaning on a real kernel. */
function obstacle(statement: Statement, kernel: Kernel): string | undefined {
	switch (statement.kind) {
	case 'compact':
		return COMPACTION;
	case 'mlockall':
		return "a real task would lock its program's own pages too";
	case 'migrate':
		return 'the guest has one node';
	case 'idle':
		return 'kernels as they are packaged have no page_idle bitmap';
	case 'swapon': case 'swapoff':
		return 'the guest has one swap device, on from the start';
	case 'at':
		return "'at' stops the kernel in the middle of its work, " +
			'which no real one lets be done';
	case 'notifiers':
		return 'what a secondary MMU was told is not seen from outside';
	case 'reclaim':
		return statement.cgroup === '/' && !kernelHas(kernel, MEMCG_MEMORY_RECLAIM)
			? 'this kernel has no file that reclaims from the root cgroup' : undefined;
	case 'knob': case 'cat':
		if (statement.of)
			return `the guest does not reach ${statement.path}`;
		return statement.path === 'vm.compact_memory' ? COMPACTION : undefined;
	case 'expect':
		return statement.expectation.of === 'spte' ? SECONDARY : undefined;
	case 'trace': case 'show': case 'stat': case 'cached':
		return undefined;
	default:
		if (isDeviceAction(statement))
			return SECONDARY;
		return ACTIONS[statement.kind] ? undefined
			: `the guest has no '${statement.kind}'`;
	}
}

/*
 * Bytes of swap from which the first slot is that of a whole cluster (SWAPFILE_CLUSTER, 512 pages),
 * the first of which has the header in it: below, slots are given from a random one on.
 */
const SWAP_DETERMINED = 2 * 512 * PAGE_SIZE;

/* Whether swap-ins read no more than the page that they are for, from the first one on. */
function readsOnePage({ statements }: Program): boolean {
	for (const statement of statements) {
		if (statement.kind === 'knob' && statement.path === 'vm.page-cluster')
			return statement.value === '0' && statements.every((other) =>
				other.kind !== 'knob' || other.path !== 'vm.page-cluster' ||
				other.value === '0');
		if (statement.kind === 'read' || statement.kind === 'write' ||
		    statement.kind === 'reclaim')
			return false;
	}
	return true;
}

/**
 * What keeps a program from a real kernel, or its outcome there from being determined.
 * @param kernel what that kernel is here, for the guards
 * @returns empty if nothing does
 */
export function incomparable(program: Program, kernel: Kernel): Incomparable[] {
	const { cpus, nodes, pcid, swap, io } = { ...MACHINE_DEFAULTS, ...program.machine };
	const found: Incomparable[] = [];

	if (cpus > 1)
		found.push({ place: -1, reason: 'several CPUs run at once: undetermined' });
	if (nodes > 1)
		found.push({ place: -1,
			reason: 'where pages lie on several nodes is undetermined' });
	if (swap > 0 && swap < SWAP_DETERMINED && !readsOnePage(program))
		found.push({ place: -1, reason: 'which slots of a swap of less than 4M lie ' +
			'together is random; without vm.page-cluster = 0 that decides what is ' +
			'read ahead' });
	if (io === 'later')
		found.push({ place: -1, reason: 'a RAM disk completes requests at once' });
	if (pcid)
		found.push({ place: -1, reason: "QEMU's own CPU has no PCIDs" });
	program.statements.forEach((statement, place) => {
		const reason = isFor(kernel, statement) && obstacle(statement, kernel);
		if (reason)
			found.push({ place, reason });
	});
	return found;
}

/** Whether a program has files on a disk, or does something to it. */
export function usesDisk({ statements }: Program): boolean {
	return statements.some((statement) => statement.kind === 'file' ||
		statement.kind === 'knob' && statement.path.startsWith('/sys/block/ram1/'));
}

/**
 * A program as the guest reads it.
 * @param number its number in this boot
 * @param swapPages pages of the swap device; 0: none
 */
export function compact(
	program: Program, number: number, kernel: Kernel, swapPages: number,
): string {
	const tasks = new Map<string, number>();
	const lines = [`program ${number} ${swapPages} ${program.machine.cpus ?? 1} ` +
		`${program.slots.tasks} ${usesDisk(program) ? 1 : 0}`];

	program.statements.forEach((statement, place) => {
		if (statement.kind === 'task' || statement.kind === 'fork')
			tasks.set(statement.name, statement.slot);
		const made = isFor(kernel, statement) ? line(statement, tasks) : undefined;
		if (made)
			lines.push([place, made.actor, ...made.words].join(' '));
	});
	return `${lines.join('\n')}\nend\n`;
}
