// SPDX-License-Identifier: GPL-2.0-only
/*
 * A litmus program in the form that the guest reads (guest/init.c): one statement a line, with
 * numbers for names. A new statement is one entry here and one there.
 */
import { BUG } from '../lib/bug.ts';
import type { Action, DeviceAction, Expectation, FileRef, Program, RangeRef, Statement,
	StatementKind }
	from '../sim/litmus/ast.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { isDeviceAction } from '../sim/litmus/devices.ts';
import { KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY } from '../kvm/kvm_host.ts';
import { filePath } from '../sim/litmus/knobs.ts';
import { isFor } from '../sim/litmus/runner.ts';
import { kernelHas, type Kernel } from '../sim/kernels.ts';
import { ADVICE, FADVICE, MACHINE_DEFAULTS } from '../sim/machine.ts';
import { MEMCG_MEMORY_RECLAIM } from '../lib/commits.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE }
	from '../mm/mmap.ts';
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '../mm/mremap.ts';
import type { VmFormat } from '../sim/vm.ts';
import type { Incomparable } from './types.ts';

/* Who runs a statement: a slot, or */
const INIT = -1, WHOEVER_RAN_LAST = -2;

interface Line {
	readonly actor: number;
	readonly words: readonly (string | number)[];
}

/* A virtual machine as it stands at a statement: its place there, and the slot of its task. */
interface VmAt { readonly device: number; readonly owner: number }

/* What names stand for at a statement. */
interface Names { readonly tasks: Map<string, number>; readonly vms: Map<string, VmAt> }

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
function expectation(expected: Expectation, { tasks }: Names): Line | undefined {
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

/* What the task of a virtual machine does; `vm` itself has parts that init does. */
function vmWords(action: DeviceAction, device: number): (string | number)[] {
	switch (action.kind) {
	case 'vm': return ['vm', device, action.vcpus, action.paging ? 1 : 0];
	case 'slot':
		return ['slot', device, action.address, (action.readonly ? KVM_MEM_READONLY : 0) |
			(action.log ? KVM_MEM_LOG_DIRTY_PAGES : 0), ...pages(action.range)];
	case 'unslot': return ['unslot', device, action.address];
	case 'moveslot': return ['moveslot', device, action.address, action.to];
	case 'logslot': return ['log', device, action.address, 1];
	case 'unlogslot': return ['log', device, action.address, 0];
	case 'dirtylog': return ['dirtylog', device, action.address];
	case 'guest':
		return ['guest', device, action.vcpu, action.access === 'write' ? 1 : 0,
			action.value, action.address, action.pages];
	case 'device': case 'use': case 'showguest':
		return BUG(`incomparable() lets no '${action.kind}' through`);
	}
}

function vmLines(action: DeviceAction, { vms }: Names): Line[] {
	if (action.kind === 'showguest')
		return [];
	const { device, owner } = vms.get(action.name)!;
	const own = { actor: owner, words: vmWords(action, device) };

	return action.kind !== 'vm' ? [own] : [
		{ actor: INIT, words: ['vmboot', device, owner] }, own,
		{ actor: INIT, words: ['vmbooted', device] }];
}

function lines(statement: Statement, names: Names): readonly (Line | undefined)[] {
	switch (statement.kind) {
	case 'show':
		return [{ actor: WHOEVER_RAN_LAST, words: ['show', ...pages(statement.range)] }];
	case 'cached':
		return [{ actor: WHOEVER_RAN_LAST, words: ['cached', ...ofFile(statement.file)] }];
	case 'stat':
		return [{ actor: WHOEVER_RAN_LAST, words: ['text', memoryStat(statement.cgroup)] }];
	case 'cat':
		return [{ actor: WHOEVER_RAN_LAST, words: ['text', filePath(statement.path)] }];
	case 'expect': return [expectation(statement.expectation, names)];
	}
	if (isDeviceAction(statement))
		return vmLines(statement, names);
	const words = ACTIONS[statement.kind] as
		((action: Action) => readonly (string | number)[]) | undefined;

	return [words && { actor: statement.taskSlot ?? INIT,
		words: [statement.kind, ...words(statement)] }];
}

const FORMATS: Readonly<Record<VmFormat, string | undefined>> = {
	npt: undefined, shadow: undefined,
	ept: "EPT is of Intel's processors, and QEMU emulates KVM on AMD's alone",
	'ept-noad': "EPT is of Intel's processors, and QEMU emulates KVM on AMD's alone",
};
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
	case 'reclaim':
		return statement.cgroup === '/' && !kernelHas(kernel, MEMCG_MEMORY_RECLAIM)
			? 'this kernel has no file that reclaims from the root cgroup' : undefined;
	case 'knob': case 'cat':
		if (statement.of)
			return `the guest does not reach ${statement.path}`;
		return statement.path === 'vm.compact_memory' ? COMPACTION : undefined;
	case 'vm':
		return FORMATS[statement.format];
	case 'device': case 'use':
		return 'a packaged kernel has no such device, or the machine has not';
	case 'expect': case 'trace': case 'show': case 'stat': case 'cached':
	case 'notifiers':
		return undefined;
	default:
		if (isDeviceAction(statement))
			return undefined;
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
	const names: Names = { tasks: new Map(), vms: new Map() };
	const text = [`program ${number} ${swapPages} ${program.machine.cpus ?? 1} ` +
		`${program.slots.tasks} ${usesDisk(program) ? 1 : 0}`];

	program.statements.forEach((statement, place) => {
		if (statement.kind === 'task' || statement.kind === 'fork')
			names.tasks.set(statement.name, statement.slot);
		if (statement.kind === 'vm')
			names.vms.set(statement.name, statement);
		for (const made of isFor(kernel, statement) ? lines(statement, names) : [])
			if (made)
				text.push([place, made.actor, ...made.words].join(' '));
	});
	return `${text.join('\n')}\nend\n`;
}

/** How the virtual machines of a program are mapped; undefined: it has none. */
export function vmFormat({ statements }: Program): VmFormat | undefined {
	return statements.find((one) => one.kind === 'vm')?.format;
}
