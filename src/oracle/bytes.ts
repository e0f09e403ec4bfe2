// SPDX-License-Identifier: GPL-2.0-only
/*
 * That no byte is lost: what each page of each task and file holds changes by nothing but what a
 * statement, or the body of a hook that ran in its middle, wrote, dropped or mapped. Reclaim, swap,
 * fork, migration and what secondary MMUs are told change none. At the end of a program all is read
 * back, by tasks, guests and devices.
 */
import { PAGE_SIZE } from '../arch/page.ts';
import { disarmPoint } from '../lib/points.ts';
import { kvm_memory_slots, kvms, memslot_at, type kvm } from '../kvm/kvm_host.ts';
import { find_task_by_vpid } from '../mm/fork.ts';
import { NULL, VM_READ, VM_WIPEONFORK, tasks, vmas } from '../mm/mm_types.ts';
import { find_vma } from '../mm/mmap.ts';
import { Contents, ownKey, type PageKey } from '../sim/contents.ts';
import { deviceOf } from '../sim/device_ops.ts';
import { DEVICE_VM, findDevice, sim_devices } from '../sim/devices.ts';
import { MachineError, StepBudgetError } from '../sim/errors.ts';
import { InvariantError } from '../sim/invariants.ts';
import type { RangeRef, Statement } from '../sim/litmus/ast.ts';
import type { Observation, Runner } from '../sim/litmus/runner.ts';
import * as state from '../sim/litmus/state.ts';
import { VM_BOOT_GPA, Vm } from '../sim/vm.ts';

/* Pages of a guest, and whose memory is behind them. */
interface GuestSlot {
	readonly name: string;
	readonly pid: number;
	readonly gpa: number;
	readonly pages: number;
	readonly address: number;
}

/* What the names of a program stand for at a time. */
interface Names {
	readonly pids: readonly number[];
	readonly mappings: readonly state.MappingState[];
	readonly slots: readonly GuestSlot[];
}

/* Statements that end or replace mappings, and those whose effect on bytes is not followed. */
const REMAPS: ReadonlySet<string> = new Set(['mmap', 'munmap', 'mremap']);
const NOT_FOLLOWED: ReadonlySet<string> = new Set(['mremap', 'truncate', 'pwrite', 'close']);

/* What a statement may have done to pages. */
class Effects {
	/* Values that a page may have now, but for the one it had. */
	readonly values = new Map<PageKey, Set<number>>();
	/* Pages that were written and must have one of the values. */
	readonly written = new Set<PageKey>();
	/* Addresses at which a private page of a file may be the file's again. */
	readonly dropped = new Set<PageKey>();
	/* Pages of which the kernel does not know that they were written. */
	readonly unsure = new Set<PageKey>();
	/* Pages that the task said it can do without, until it writes to them. */
	readonly freed = new Set<PageKey>();

	may(key: PageKey, value: number): void {
		const values = this.values.get(key) ?? new Set();

		this.values.set(key, values.add(value));
	}
}

/** Follows the bytes of a run. */
export class Bytes {
	readonly #runner: Runner;
	#names: Names;
	#contents: Contents;
	/* Private pages that may turn zero at any time: MADV_FREE. */
	readonly #free = new Set<PageKey>();
	/*
	 * What a mirror wrote through an entry that a read has made: lib/test_hmm.c marks no page
	 * dirty, so reclaim may drop it as clean.
	 */
	readonly #unsure = new Set<PageKey>();
	readonly #mirrors: ReadonlySet<string>;
	/* Pages in which the processor sets bits of its own: guests' tables. */
	readonly #tables = new Set<PageKey>();

	constructor(runner: Runner) {
		this.#runner = runner;
		this.#mirrors = new Set(runner.program.statements.flatMap((statement) =>
			statement.kind === 'device' && statement.what === 'mirror'
				? [statement.name] : []));
		this.#names = this.#look();
		this.#contents = new Contents(this.#names.pids);
	}

	#look(): Names {
		const { slots } = this.#runner.program;

		return {
			pids: Array.from({ length: slots.tasks }, (_, i) => state.taskPid(i))
				.filter((pid) => pid && find_task_by_vpid(pid)),
			mappings: Array.from({ length: slots.mappings },
				(_, i) => state.mapping(i)),
			slots: this.#guestSlots(),
		};
	}

	#guestSlots(): GuestSlot[] {
		const names = new Set(this.#runner.program.statements.flatMap((statement) =>
			statement.kind === 'vm' ? [statement.name] : []));

		return [...names].flatMap((name) => {
			const device = findDevice(name);
			const vm = sim_devices.row[device] as kvm, pid = sim_devices.pid[device];
			if (!device || sim_devices.kind[device] !== DEVICE_VM ||
				!find_task_by_vpid(pid) || !kvms.table.live[vm])
				return [];
			return Array.from({ length: kvms.used_slots[vm] }, (_, i) => {
				const slot = memslot_at(vm, i);
				const { base_gfn, npages, userspace_addr } = kvm_memory_slots;
				return { name, pid, gpa: base_gfn[slot] * PAGE_SIZE,
					pages: npages[slot], address: userspace_addr[slot] };
			});
		});
	}

	/**
	 * Hold the machine's contents against those before the last statement.
	 * @param seen what it showed, and the hooks that ran meanwhile
	 * @throws InvariantError
	 */
	check(seen: readonly Observation[]): void {
		const before = this.#contents, names = this.#names;
		const effects = new Effects();

		this.#names = this.#look();
		this.#contents = new Contents(this.#names.pids);
		const ran = seen.filter(({ outcome }) =>
			outcome.kind === 'done' || outcome.kind === 'refused');
		for (const { statement, outcome } of ran)
			this.#effect(statement, outcome.kind === 'done', [names, this.#names],
				before, effects);
		for (const key of effects.freed)
			this.#free.add(key);
		for (const key of effects.unsure)
			this.#unsure.add(key);
		if (!ran.some(({ statement }) => NOT_FOLLOWED.has(statement.kind)))
			this.#compare(before, effects, ran.map(({ statement }) => statement));
		for (const key of effects.written)
			if (!effects.freed.has(key))
				this.#free.delete(key);
		for (const key of effects.written)
			if (!effects.unsure.has(key))
				this.#unsure.delete(key);
	}

	/* The keys of a page by what it was before and is after the statement. */
	#keys(pid: number, address: number, before: Contents): PageKey[] {
		const own = ownKey(pid, address);

		return [...new Set([before, this.#contents].map((contents) =>
			contents.unwritten.has(own) ? own : contents.ofFile.get(own) ?? own))];
	}

	#effect(
		statement: Statement, done: boolean, times: readonly Names[], before: Contents,
		effects: Effects,
	): void {
		const pagesOf = (ref: RangeRef): [number, number][] => {
			const places = times.map(({ mappings }) => mappings[ref.slot]!)
				.filter(({ pid }) => pid);
			const first = Math.min(ref.first, ref.last);
			return places.flatMap(({ pid, start }) =>
				Array.from({ length: Math.abs(ref.last - ref.first) + 1 },
					(_, i): [number, number] =>
						[pid, start + (first + i) * PAGE_SIZE]));
		};
		const write = (pages: readonly [number, number][], value: number): void => {
			for (const [pid, address] of pages) {
				const keys = this.#keys(pid, address, before);
				for (const key of keys) {
					effects.may(key, value);
					if (done && keys.length === 1)
						effects.written.add(key);
				}
			}
		};

		switch (statement.kind) {
		case 'write':
			for (const range of statement.ranges)
				write(pagesOf(range), statement.value);
			break;
		case 'use':
			if (statement.deed !== 'write')
				break;
			write(pagesOf(statement.range), statement.value);
			if (this.#mirrors.has(statement.name))
				for (const [pid, address] of pagesOf(statement.range))
					for (const key of this.#keys(pid, address, before))
						effects.unsure.add(key);
			break;
		case 'guest': {
			const { name, address, pages, value, access } = statement;
			if (access !== 'write')
				break;
			for (const { slots } of times)
				for (const slot of slots)
					if (slot.name === name)
						write(overlap(slot, address, pages), value);
			break;
		}
		case 'madvise':
			for (const [pid, address] of pagesOf(statement.range))
				this.#advice(statement.advice, pid, address, before, effects);
			break;
		}
	}

	#advice(
		advice: string, pid: number, address: number, before: Contents, effects: Effects,
	): void {
		const own = ownKey(pid, address);

		for (const key of this.#keys(pid, address, before)) {
			/*
			 * Where fork shares a clean page without a swap slot, v5.10 takes the
			 * advice of one for all: it is gone for the other too.
			 */
			if (advice === 'free' && key === own)
				for (const sharer of this.#names.pids)
					effects.freed.add(ownKey(sharer, address));
			if ((advice === 'dontneed' && key === own) || advice === 'remove')
				effects.may(key, 0);
		}
		if (advice === 'dontneed')
			effects.dropped.add(own);
	}

	#compare(before: Contents, effects: Effects, ran: readonly Statement[]): void {
		const now = this.#contents;
		const remapped = ran.some(({ kind }) => REMAPS.has(kind));
		const parents = new Map(ran.flatMap((statement) => statement.kind === 'fork'
			? [[state.taskPid(statement.slot),
				state.taskPid(statement.taskSlot!)] as const] : []));

		for (const [key, byte] of now.bytes) {
			/* A file that is new: of a VM, it has the guest's program and tables. */
			if (key < 0 && !before.bytes.has(key) &&
			    ran.some(({ kind }) => kind === 'vm'))
				this.#tables.add(key);
			if (this.#tables.has(key) || this.#unsure.has(key) ||
			    (key < 0 && !before.bytes.has(key)))
				continue;
			const was = this.#was(key, before, parents, remapped);
			const values = effects.values.get(key);
			if (values?.has(byte) || (byte === was && !effects.written.has(key)))
				continue;
			if (byte === 0 && (this.#free.has(key) || was === WIPED))
				continue;
			/* A private page of a file is copied as the file is by then. */
			const file = before.ofFile.get(key);
			if (file !== undefined && now.bytes.get(file) === byte &&
			    !effects.written.has(key))
				continue;
			fail(key, `${byte}, ` + (effects.written.has(key)
				? `but was written as ${[...values!].join(' or ')}`
				: `but was ${was}, and nobody wrote it`));
		}
		if (remapped)
			return;
		for (const key of before.bytes.keys())
			if (now.unwritten.has(key) && !effects.dropped.has(key))
				fail(key, 'what its file has, though its task wrote to it');
	}

	/* What a page held before the statement, a new one what it begins with. */
	#was(
		key: PageKey, before: Contents, parents: ReadonlyMap<number, number>,
		remapped: boolean,
	): number {
		const was = before.bytes.get(before.unwritten.has(key)
			? before.ofFile.get(key)! : key);

		if (was !== undefined && !(remapped && before.ofFile.has(key)))
			return was;
		const { pid, address } = placeOf(key), parent = parents.get(pid);
		if (parent === undefined)
			return 0;
		const of = ownKey(parent, address);
		if (this.#free.has(of))
			this.#free.add(key);
		if (this.#unsure.has(of))
			this.#unsure.add(key);
		const vma = find_vma(tasks.mm[find_task_by_vpid(pid)], address);
		return vmas.vm_flags[vma] & VM_WIPEONFORK ? WIPED : before.at(parent, address) ?? 0;
	}

	/**
	 * Read all that tasks, guests and devices can reach; this changes the machine.
	 * @returns pages that were read
	 * @throws InvariantError where a byte is not what was last written
	 */
	readBack(): number {
		const { machine, program } = this.#runner, { mappings, slots } = this.#names;
		let read = 0;
		/* No hook that has not been met is met now. */
		for (const statement of program.statements) {
			if (statement.kind !== 'at' ||
			    state.hookState(statement.slot) !== state.HOOK_ARMED)
				continue;
			state.disarmHook(statement.slot, false, 0);
			disarmPoint(statement.point);
		}
		const compare = (
			who: string, pid: number, address: number, bytes: ArrayLike<number>,
		): void => {
			for (let i = 0; i < bytes.length; i++) {
				const at = address + i * PAGE_SIZE, own = ownKey(pid, at);
				const key = this.#contents.ofFile.get(own) ?? own;
				if (this.#unsure.has(key))
					continue;
				const kept = this.#contents.at(pid, at);
				if (bytes[i] === kept || (bytes[i] === 0 && this.#free.has(own)))
					continue;
				fail(key, `${bytes[i]} to ${who}, but was ${kept}`);
			}
			read += bytes.length;
		};
		const attempt = (body: () => void): void => {
			try {
				body();
			} catch (error) {
				/* Gone, not to be reached, no memory: so the program has it. */
				if (!(error instanceof MachineError ||
				    error instanceof StepBudgetError))
					throw error;
			}
		};

		const each = (pages: number, body: (offset: number) => void): void => {
			for (let i = 0; i < pages; i++)
				attempt(() => body(i * PAGE_SIZE));
		};

		for (const { name, pid, gpa, pages, address } of slots)
			if (gpa < VM_BOOT_GPA)
				each(pages, (at) => compare(`guest ${name}`, pid, address + at,
					new Vm(machine, name).read(gpa + at, 1)));
		for (const statement of program.statements) {
			if (statement.kind !== 'device' || statement.what === 'pin')
				continue;
			const owner = state.taskPid(statement.owner);
			const device = deviceOf(machine, statement.name);
			for (const { pid, start, pages } of mappings)
				if (pid && pid === owner)
					each(pages, (at) => compare(statement.name, pid, start + at,
						device.read({ pid, start: start + at, pages: 1 })));
		}
		for (const { pid, start, pages } of mappings)
			each(pid ? pages : 0, (at) => {
				if (isReadable(pid, start + at))
					compare('its task', pid, start + at, machine.taskOf(pid)
						.read({ pid, start: start + at, pages: 1 }));
			});
		return read;
	}
}

/* In place of a byte: the child's page begins empty. */
const WIPED = -1;

/* The addresses behind pages of a guest, as far as they lie in a slot. */
function overlap(slot: GuestSlot, gpa: number, pages: number): [number, number][] {
	const first = Math.max(gpa, slot.gpa);
	const end = Math.min(gpa + pages * PAGE_SIZE, slot.gpa + slot.pages * PAGE_SIZE);

	return Array.from({ length: Math.max(0, (end - first) / PAGE_SIZE) }, (_, i) =>
		[slot.pid, slot.address + first - slot.gpa + i * PAGE_SIZE]);
}

/* A read elsewhere would be the end of the task. */
function isReadable(pid: number, address: number): boolean {
	const task = find_task_by_vpid(pid), vma = task ? find_vma(tasks.mm[task], address) : NULL;

	return vma !== NULL && vmas.vm_start[vma] <= address &&
		(vmas.vm_flags[vma] & VM_READ) !== 0;
}

const PAGES_MAX = 2 ** 36;
function placeOf(key: PageKey): { pid: number; address: number } {
	return { pid: Math.floor(key / PAGES_MAX), address: key % PAGES_MAX * PAGE_SIZE };
}

function fail(key: PageKey, what: string): never {
	const { pid, address } = placeOf(key);

	const where = key < 0 ? `page ${-key % 2 ** 24} of file ${Math.floor(-key / 2 ** 24)}`
		: `0x${address.toString(16)} of process ${pid}`;

	throw new InvariantError('bytes', `${where} is ${what}`);
}
