// SPDX-License-Identifier: GPL-2.0-only
/*
 * A machine as user space sees it: tasks that make system calls and access memory, files below
 * /proc and /sys. There is one machine a JS realm; all its state lies in the arena, so these
 * objects hold names only: a PID, a path, a descriptor.
 */
import { MMU_READ, MMU_USER, MMU_WRITE, mmu_access } from '../arch/mmu.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { RAM_BYTES_MAX, DISK_BYTES_MAX, carve } from '../lib/arena.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { EINVAL, ENOENT, ESRCH } from '../lib/errno.ts';
import { hash as arenaHash, restore as restoreArena, snapshot as takeSnapshot }
	from '../lib/snapshot.ts';
import { global_f64, global_s32 } from '../lib/struct.ts';
import { notifier_log_written } from '../kvm/notifier_log.ts';
import { ROOT_CGROUP, cgroup_get_from_path, cgroup_mkdir, cgroup_rmdir } from '../mm/cgroup.ts';
import { current, nr_cpu_ids, smp_processor_id } from '../mm/current.ts';
import { FAULT_OOM, FAULT_SIGKILL, FAULT_WOULD_BLOCK, fault_result } from '../mm/fault.ts';
import { exec_init, find_task_by_vpid, init_task } from '../mm/fork.ts';
import { ram_bytes } from '../mm/fs.ts';
import { GFP_KERNEL } from '../mm/gfp.ts';
import { ROOT_MEM_CGROUP, type cgroup } from '../mm/memcontrol_types.ts';
import { mm_boot, RAM_BYTES_MIN } from '../mm/mm_init.ts';
import { tasks, type page, type task_struct } from '../mm/mm_types.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_EXEC, PROT_READ, PROT_WRITE }
	from '../mm/mmap.ts';
import { MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '../mm/mremap.ts';
import { MAX_NUMNODES, NR_CPUS, nr_online_nodes } from '../mm/mmzone.ts';
import { max_pfn } from '../mm/page_alloc.ts';
import { lru_add_drain_all } from '../mm/swap.ts';
import { try_to_free_mem_cgroup_pages } from '../mm/vmscan.ts';
import { actorsInit, exitTask, returnToUser, runStatement, statementDepth, step }
	from './actors.ts';
import { task_comm } from './comm.ts';
import { createDevice, type Device } from './device_ops.ts';
import { deviceNotifiers, type DeviceKind } from './devices.ts';
import { SWAP_BYTES_DEFAULT, addSwapDisk, completeIo, disksInit, sys_swapoff, sys_swapon }
	from './disks.ts';
import { BlockedError, MachineError, StepBudgetError } from './errors.ts';
import { PAGE_IDLE_BITMAP, hasFile, readBytes, readText, readWhole, writeBytes, writeText }
	from './files.ts';
import { KPF, PAGEMAP_ENTRY_BYTES, pagemapFrame, type KpfName } from './formats.ts';
import { traceMark, traceSwitch, traceText } from './ftrace.ts';
import { checkInvariants } from './invariants.ts';
import { kernelChanges, parseKernel, type Kernel } from './kernels.ts';
import { kpageflags, pagemapWords, pteYoung } from './pageinfo.ts';
import * as sys from './syscalls.ts';
import { createVm, type Vm, type VmOptions } from './vm.ts';

export { BlockedError, MachineError, PanicError, StepBudgetError } from './errors.ts';

const MiB = 1024 * 1024;

/** What a machine is made of. */
export interface MachineOptions {
	/** Bytes of RAM, a multiple of 4096, 2 MiB to 4 GiB. Default 512 MiB. */
	readonly ram?: number;
	/** Bytes of swap, a multiple of 4096, on a RAM disk (brd); 0: none. Default 64 MiB. */
	readonly swap?: number;
	/** CPUs, 1 to 32. Default 1. */
	readonly cpus?: number;
	/** NUMA nodes, 1 to 8; RAM and CPUs are split evenly. Default 1. */
	readonly nodes?: number;
	/** The kernel, by name (kernels.ts). Default `v5.10.223`. */
	readonly kernel?: string | Kernel;
	/**
	 * When its disks and swap devices do I/O: `now`, as RAM disks; `later`, one request after
	 * another when somebody waits for one, or by complete(). Default `now`.
	 */
	readonly io?: 'now' | 'later';
	/** Whether it uses PCIDs; without, a switch of tasks empties the TLB. Default no. */
	readonly pcid?: boolean;
	/** Seed of the machine's random numbers, any integer. Default 1. */
	readonly seed?: number;
	/** Statements and page accesses until StepBudgetError; 0: no end. Default 100 million. */
	readonly stepBudget?: number;
	/** Trace events that are on: systems or names. Default those of `vmscan`. */
	readonly events?: readonly string[];
}
/** What a machine is unless it is told otherwise. */
export const MACHINE_DEFAULTS = {
	ram: 512 * MiB, swap: SWAP_BYTES_DEFAULT, cpus: 1, nodes: 1, kernel: 'v5.10.223',
		pcid: false, io: 'now' as 'now' | 'later', seed: 1,
	stepBudget: 1e8, events: ['vmscan'],
} as const;

/** Pages of a task's memory: plain values, which say nothing about what is there. */
export interface Range {
	readonly pid: number;
	/** Address of the first page. */
	readonly start: number;
	/** How many pages. */
	readonly pages: number;
}

/** A memfd: a descriptor of init. */
export interface Memfd {
	readonly fd: number;
	readonly pages: number;
}

/** `r`, `w` and `x` in any order, or `none`. */
export type Prot =
	string | { readonly read: boolean; readonly write: boolean; readonly exec: boolean };

/** A file on the disk: a descriptor of init. Each task opens it for itself at its first use. */
export interface DiskFile {
	readonly fd: number;
	/** How large it can be. */
	readonly pages: number;
}

/** Pages first to last of a file, both 0-based. */
export interface FileRange {
	readonly fd: number;
	readonly first: number;
	readonly last: number;
}

export interface MmapOptions {
	/** Of what file, a memfd or one on the disk; undefined: anonymous memory. */
	readonly memfd?: Memfd | DiskFile | { readonly fd: number };
	readonly pages: number;
	readonly prot: Prot;
	readonly shared: boolean;
	/** MAP_FIXED at this address; undefined: where the kernel likes. */
	readonly fixedAt?: number;
	/** First page of the file. Default 0. */
	readonly pgoff?: number;
}

/**
 * Of the pages of a range, how many are what; from `lru` on as in /proc/kpageflags, and of the zero
 * page nothing.
 */
export interface PageCounts {
	present: number;
	swapped: number;
	lru: number;
	active: number;
	referenced: number;
	unevictable: number;
	dirty: number;
	writeback: number;
	/** Its page-table entry has the accessed bit: what no file of Linux tells. */
	young: number;
	mlocked: number;
	anon: number;
	swapcache: number;
	/** As /proc/kpageflags says, without looking at the accessed bits. */
	idle: number;
}

/** The keys of memory.stat that stat() gives unless told otherwise. */
export const STAT_KEYS: readonly string[] = ['anon', 'file', 'shmem', 'inactive_anon',
	'active_anon', 'inactive_file', 'active_file', 'unevictable', 'pgscan', 'pgsteal',
	'pgactivate', 'pgdeactivate', 'pgrefill', 'pglazyfreed', 'workingset_refault_anon',
	'workingset_activate_anon', 'workingset_refault_file', 'workingset_activate_file'];

/** What madvise(2) can be told, by name. */
export const ADVICE: Readonly<Record<string, number>> = {
	normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4, free: 8, remove: 9,
		dontfork: 10,
	dofork: 11, wipeonfork: 18, keeponfork: 19, cold: 20, pageout: 21,
};

/** What posix_fadvise(2) can be told, by name. */
export const FADVICE: Readonly<Record<string, number>> = {
	normal: 0, random: 1, sequential: 2, willneed: 3, dontneed: 4, noreuse: 5,
};

/* What of the machine no port knows. */
const KERNEL_NAME_MAX = 1024;
const kernel_name = carve('sim.kernel_name', Uint8Array, KERNEL_NAME_MAX, () => KERNEL_NAME_MAX);
const swap_bytes = global_f64('sim.swap_bytes');
const booted = global_s32('sim.booted');

function keepKernelName(name: string): void {
	const bytes = new TextEncoder().encode(name);

	if (bytes.length > KERNEL_NAME_MAX)
		throw new MachineError('kernel name', EINVAL);
	kernel_name.set(bytes);
}

function keptKernelName(): string {
	const end = kernel_name.indexOf(0);

	return new TextDecoder().decode(kernel_name.subarray(0, end < 0 ? undefined : end));
}

/* The realm's machine; a Machine that is not this one is of an earlier boot. */
let present: Machine | undefined;

function checkOptions(o: Required<Omit<MachineOptions, 'kernel'>>): void {
	const whole = (
		name: string, value: number, least: number, most: number, unit = 1,
	): void => {
		if (!Number.isInteger(value) || value < least || value > most || value % unit !== 0)
			throw new RangeError(`${name} is ${value}; expected ${least} to ${most}` +
				(unit > 1 ? `, a multiple of ${unit}` : ''));
	};

	whole('ram', o.ram, RAM_BYTES_MIN, RAM_BYTES_MAX, PAGE_SIZE);
	whole('swap', o.swap, 0, DISK_BYTES_MAX, PAGE_SIZE);
	whole('cpus', o.cpus, 1, NR_CPUS);
	whole('nodes', o.nodes, 1, MAX_NUMNODES);
	whole('seed', o.seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
	whole('stepBudget', o.stepBudget, 0, Number.MAX_SAFE_INTEGER);
}

/**
 * Boot a machine in this realm. One that ran before is gone.
 * @throws RangeError for an option that no machine can have, KernelNameError
 */
export function boot(options: MachineOptions = {}): Machine {
	const set = { ...MACHINE_DEFAULTS, ...options };
	const { ram, swap, cpus, nodes, pcid, io, seed, stepBudget, events } = set;
	const kernel = typeof set.kernel === 'string' ? parseKernel(set.kernel) : set.kernel;

	checkOptions(set);
	mm_boot({ ramBytes: ram, cpus, nodes, commits: kernelChanges(kernel), seed, pcid });
	exec_init();
	actorsInit(stepBudget);
	keepKernelName(kernel.name);
	disksInit(io === 'later');
	swap_bytes.v = swap;
	if (swap) {
		refuse('mkswap', addSwapDisk(swap / PAGE_SIZE, 0));
		refuse('swapon', sys_swapon(0));
	}
	for (const name of events)
		if (!traceSwitch(name, true))
			throw new RangeError(`no trace event or system of them is called ${name}`);
	booted.v = 1;
	present = new Machine(kernel);
	return present;
}

/* A system call's result, or its errno thrown. */
function refuse(where: string, result: number): number {
	if (result < 0)
		throw new MachineError(where, -result);
	return result;
}

const prot = (p: Prot): number => {
	const has = (letter: string): boolean =>
		typeof p === 'string' && p !== 'none' && p.includes(letter);
	const read = typeof p === 'string' ? has('r') : p.read;
	const write = typeof p === 'string' ? has('w') : p.write;
	const exec = typeof p === 'string' ? has('x') : p.exec;

	if (typeof p === 'string' && !/^(none|[rwx]{1,3})$/.test(p))
		throw new MachineError(`protection ${p}`, EINVAL);
	return (read ? PROT_READ : 0) | (write ? PROT_WRITE : 0) | (exec ? PROT_EXEC : 0);
};

/** The pages from the first to the last of a range, both 0-based. */
export function subrange(range: Range, first: number, last = first): Range {
	if (first < 0 || last >= range.pages || first > last)
		throw new RangeError(`pages ${first} to ${last} of ${range.pages}`);
	return { pid: range.pid, start: range.start + first * PAGE_SIZE, pages: last - first + 1 };
}

/** A task, by its PID. */
export class Task {
	readonly pid: number;
	readonly #machine: Machine;

	constructor(machine: Machine, pid: number) {
		this.#machine = machine;
		this.pid = pid;
	}

	/** The row of its task_struct. @throws MachineError ESRCH once it is gone */
	get row(): task_struct {
		this.#machine.assertPresent();
		const task = find_task_by_vpid(this.pid);

		if (!task)
			throw new MachineError(`task ${this.pid}`, ESRCH);
		return task;
	}

	/** Its name: /proc/PID/comm. */
	get name(): string {
		return task_comm(this.row);
	}

	get alive(): boolean {
		this.#machine.assertPresent();
		return find_task_by_vpid(this.pid) !== 0;
	}

	/**
	 * Do something as this task, in one statement.
	 * @throws BlockedError, MachineError if it was killed meanwhile
	 */
	run<T>(what: string, body: () => T): T {
		return runStatement(this.row, what, body);
	}

	#call(what: string, body: () => number): number {
		return refuse(what, this.run(what, body));
	}

	/** fork(2): a child with a copy of its memory, in its cgroup. */
	fork(name: string): Task {
		const row = this.#call('fork', () => sys.sys_fork(name));

		return new Task(this.#machine, tasks.pid[row as task_struct]);
	}

	/** exit(2). Its parent ignores SIGCHLD, so it is gone at once. */
	exit(code = 0): void {
		this.run('exit', () => exitTask(code));
	}

	/** Go to a cgroup: what it has allocated stays charged where it was. */
	move(path: string): void {
		refuse(path, this.#machine.writeFile(
			`${cgroupDir(path)}/cgroup.procs`, '0', this));
	}

	/** mmap(2) */
	mmap(options: MmapOptions): Range {
		const { memfd, pages: nrPages, shared, fixedAt, pgoff = 0 } = options;
		const flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (memfd ? 0 : MAP_ANONYMOUS) |
			(fixedAt === undefined ? 0 : MAP_FIXED);
		const start = this.#call('mmap', () => withFd(memfd?.fd, (fd) => sys.sys_mmap(
			fixedAt ?? 0, nrPages * PAGE_SIZE, prot(options.prot), flags, fd,
			pgoff * PAGE_SIZE)));

		return { pid: this.pid, start, pages: nrPages };
	}

	/** munmap(2) */
	munmap({ start, pages: nrPages }: Range): void {
		this.#call('munmap', () => sys.sys_munmap(start, nrPages * PAGE_SIZE));
	}

	/** mprotect(2) */
	mprotect({ start, pages: nrPages }: Range, p: Prot): void {
		this.#call('mprotect', () => sys.sys_mprotect(start, nrPages * PAGE_SIZE, prot(p)));
	}

	/** mremap(2): where the mapping is afterwards. */
	mremap(range: Range, nrPages: number,
		{ mayMove = true, fixedAt, dontUnmap = false }:
		{ mayMove?: boolean; fixedAt?: number; dontUnmap?: boolean } = {}): Range {
		const flags = (mayMove ? MREMAP_MAYMOVE : 0) | (dontUnmap ? MREMAP_DONTUNMAP : 0) |
			(fixedAt === undefined ? 0 : MREMAP_FIXED);
		const start = this.#call('mremap', () => sys.sys_mremap(range.start,
			range.pages * PAGE_SIZE, nrPages * PAGE_SIZE, flags, fixedAt ?? 0));

		return { pid: this.pid, start, pages: nrPages };
	}

	/** madvise(2); the advice by the name in ADVICE. */
	madvise({ start, pages: nrPages }: Range, advice: string): void {
		const behavior = ADVICE[advice];

		if (behavior === undefined)
			throw new MachineError(`madvise ${advice}`, EINVAL);
		this.#call('madvise', () => sys.sys_madvise(start, nrPages * PAGE_SIZE, behavior));
	}

	/** mlock(2), or mlock2(2) with MLOCK_ONFAULT */
	mlock({ start, pages: nrPages }: Range, onFault = false): void {
		this.#call('mlock', () => onFault ? sys.sys_mlock2(start, nrPages * PAGE_SIZE, 1)
			: sys.sys_mlock(start, nrPages * PAGE_SIZE));
	}

	/** munlock(2) */
	munlock({ start, pages: nrPages }: Range): void {
		this.#call('munlock', () => sys.sys_munlock(start, nrPages * PAGE_SIZE));
	}

	/** mlockall(2), of MCL_* flags: 1 current, 2 future, 4 on fault */
	mlockall(flags: number): void {
		this.#call('mlockall', () => sys.sys_mlockall(flags));
	}

	/** munlockall(2) */
	munlockall(): void {
		this.#call('munlockall', () => sys.sys_munlockall());
	}

	/**
	 * move_pages(2) of pages of its own to a node.
	 * @param all those too that others map
	 * @returns how many were not moved though they could have been
	 */
	movePages({ start, pages: nrPages }: Range, node: number, all = false): number {
		return this.#call('move_pages', () => sys.sys_move_pages(start, nrPages, node,
			all ? sys.MPOL_MF_MOVE_ALL : sys.MPOL_MF_MOVE));
	}

	/** pread(2) of pages of a file on the disk, in one call: bytes read. */
	pread({ fd, first, last }: FileRange): number {
		return this.#call('pread', () => withFd(fd, (own) => sys.sys_pread(own,
			(last - first + 1) * PAGE_SIZE, first * PAGE_SIZE)));
	}

	/** pwrite(2) of whole pages of a file on the disk, in one call, every byte the same. */
	pwrite({ fd, first, last }: FileRange, value: number): number {
		return this.#call('pwrite', () => withFd(fd, (own) => sys.sys_pwrite(own,
			(last - first + 1) * PAGE_SIZE, first * PAGE_SIZE, () => value)));
	}

	/** posix_fadvise(2) of pages of a file on the disk, or all of it; advice as in FADVICE. */
	fadvise(file: FileRange | { readonly fd: number }, advice: string): void {
		const nr = FADVICE[advice];
		const { first, last } = 'first' in file ? file : { first: 0, last: -1 };

		if (nr === undefined)
			throw new MachineError(`fadvise ${advice}`, EINVAL);
		this.#call('fadvise', () => withFd(file.fd, (own) => sys.sys_fadvise(own,
			first * PAGE_SIZE, (last - first + 1) * PAGE_SIZE, nr)));
	}

	/** Write its own /proc/self/clear_refs: 1 all, 2 anonymous, 3 files, 4 soft-dirty. */
	clearRefs(kind = 1): void {
		refuse('clear_refs',
			this.#machine.writeFile('/proc/self/clear_refs', `${kind}`, this));
	}

	/**
	 * Read the first byte of each page, ascending.
	 * @throws MachineError with the signal that killed it; BlockedError with how far it came
	 */
	read(range: Range): Uint8Array {
		const bytes = new Uint8Array(range.pages);

		this.#access('read', range, MMU_READ, (at, i) => { bytes[i] = ram_bytes[at]!; });
		return bytes;
	}

	/** Write a byte to the first byte of each page, ascending. @throws as read() */
	write(range: Range, value = 1): void {
		this.#access('write', range, MMU_WRITE, (at) => { ram_bytes[at] = value; });
	}

	#access(
		what: string, range: Range, kind: number, touch: (at: number, page: number) => void,
	): void {
		let done = 0;

		try {
			runStatement(this.row, what, () => {
				for (; done < range.pages; done++) {
					const address = range.start + done * PAGE_SIZE;
					const at = userAccess(what, address, kind);
					if (at < 0)
						return;
					touch(at, done);
					/* The page may go as soon as somebody else can run. */
					if (!returnToUser())
						return;
				}
			}, true);
		} catch (error) {
			if (error instanceof BlockedError)
				throw error.after(done);
			throw error;
		}
	}
}

/* Faults in a row that the kernel ends with "try again", until that is taken for ever. */
const OOM_TRIES_MAX = 200;

/*
 * One access of the running task: its physical address; -1 if a SIGKILL is pending, which its
 * return to user mode will deal with.
 */
function userAccess(what: string, address: number, kind: number): number {
	for (let tries = 0; ; tries++) {
		if (tries > OOM_TRIES_MAX)
			throw new StepBudgetError(
				'a page fault is out of memory for ever, with nobody to kill');
		step();
		const at = mmu_access(smp_processor_id(), address, kind | MMU_USER);
		if (at >= 0)
			return at;
		const result = fault_result.v;
		if (result === FAULT_SIGKILL)
			return -1;
		if (result === FAULT_WOULD_BLOCK)
			throw new BlockedError('what the interrupted statement holds');
		if (result !== FAULT_OOM) {
			exitTask(result);
			throw new MachineError(what, 0, result);
		}
	}
}

/*
 * A descriptor of the running task for the file of init's: its own, inherited, or a new one. A file
 * on the disk stays open, with the readahead state of whoever opened it, so init's is not shared.
 */
function withFd(initFd: number | undefined, body: (fd: number) => number): number {
	if (initFd === undefined)
		return body(-1);
	const file = sys.fget(init_task(), initFd);
	if (file && sys.isDiskFile(file)) {
		const own = current() === init_task() ? initFd : sys.fdOfInode(file);
		const fd = own < 0 ? sys.sys_open_proc_fd(1, initFd) : own;
		return fd < 0 ? fd : body(fd);
	}
	if (file && sys.fget(current(), initFd) === file)
		return body(initFd);
	const fd = sys.sys_open_proc_fd(1, initFd);
	if (fd < 0)
		return fd;
	try {
		return body(fd);
	} finally {
		sys.sys_close(fd);
	}
}

/* Whether a word of kpageflags has a flag. */
function hasFlag({ low, high }: { low: number; high: number }, name: KpfName): boolean {
	const bit = KPF[name];

	return ((bit < 32 ? low >>> bit : high >>> (bit - 32)) & 1) !== 0;
}

const CGROUP_ROOT = '/sys/fs/cgroup';
/* `A/B`, `/A/B`, `/` as a directory. */
function cgroupDir(path: string): string {
	const inner = path.replace(/^\/+|\/+$/g, '');

	return inner === '' ? CGROUP_ROOT : `${CGROUP_ROOT}/${inner}`;
}

/** A cgroup, by its path. */
export class Cgroup {
	/** `A/B`; the root's is `/`. */
	readonly path: string;
	readonly #machine: Machine;

	constructor(machine: Machine, path: string) {
		this.#machine = machine;
		this.path = path;
	}

	/** Write a file of it; 0 or -errno. */
	write(file: string, text: string): number {
		return this.#machine.writeFile(`${cgroupDir(this.path)}/${file}`, text);
	}

	read(file: string): string {
		return this.#machine.readFile(`${cgroupDir(this.path)}/${file}`);
	}
}

export class Machine {
	readonly kernel: Kernel;
	readonly init: Task;

	/** Use boot() or Machine.restore(). */
	constructor(kernel: Kernel) {
		this.kernel = kernel;
		this.init = new Task(this, 1);
	}

	/** @throws Error if another machine was booted or restored since */
	assertPresent(): void {
		if (present !== this)
			throw new Error('this machine is gone: another was booted in its place');
	}

	/** What it was booted with, as far as it can be asked. */
	get options(): { ram: number; swap: number; cpus: number; nodes: number } {
		this.assertPresent();
		return { ram: max_pfn.v * PAGE_SIZE, swap: swap_bytes.v, cpus: nr_cpu_ids.v,
			nodes: nr_online_nodes.v };
	}

	/** mkdir in the cgroup file system, with the memory controller on at every level above. */
	cgroup(path: string): Cgroup {
		this.assertPresent();
		const names = path.split('/').filter((name) => name !== '');
		const name = names.pop();
		const parent = names.join('/');

		if (name === undefined)
			return new Cgroup(this, '/');
		const dir = cgroupDir(parent);
		/* The root's too: what init(1) of a distribution does. */
		if (this.readFile(`${dir}/cgroup.subtree_control`) === '\n')
			refuse(`${dir}/cgroup.subtree_control`,
				this.writeFile(`${dir}/cgroup.subtree_control`, '+memory'));
		refuse(`mkdir ${path}`, this.init.run('mkdir', () => {
			const at = cgroup_get_from_path(parent);
			return at ? cgroup_mkdir(at, name, { v: 0 as cgroup }) : -ENOENT;
		}));
		return new Cgroup(this, [...names, name].join('/'));
	}

	/** rmdir in the cgroup file system. */
	rmdir(path: string): void {
		refuse(`rmdir ${path}`, this.init.run('rmdir', () => {
			const cgrp = cgroup_get_from_path(path);
			return cgrp ? cgroup_rmdir(cgrp) : -ENOENT;
		}));
	}

	/** memfd_create(2) and ftruncate(2) by init. */
	memfd(_name: string, nrPages: number): Memfd {
		const fd = refuse('memfd_create', this.init.run('memfd_create',
			() => sys.sys_memfd_create(0)));

		refuse('ftruncate', this.init.run('ftruncate',
			() => sys.sys_ftruncate(fd, nrPages * PAGE_SIZE)));
		return { fd, pages: nrPages };
	}

	/**
	 * A file on the disk, made by init: every byte of page n is (n + 1) & 255. It was written,
	 * and none of its pages is in memory.
	 */
	file(_name: string, nrPages: number): DiskFile {
		const bytes = nrPages * PAGE_SIZE;
		const fd = refuse('creat', this.init.run('creat', () => sys.sys_creat(bytes)));
		const call = (what: string, body: () => number): void => {
			refuse(what, this.init.run(what, body));
		};

		call('pwrite', () => sys.sys_pwrite(fd, bytes, 0, (pgoff) => pgoff + 1 & 255));
		call('fsync', () => sys.sys_fsync(fd));
		call('fadvise', () => sys.sys_fadvise(fd, 0, 0, FADVICE.dontneed!));
		return { fd, pages: nrPages };
	}

	/** ftruncate(2) of a memfd or a file, by init. */
	truncate({ fd }: { readonly fd: number }, nrPages: number): void {
		refuse('ftruncate', this.init.run('ftruncate',
			() => sys.sys_ftruncate(fd, nrPages * PAGE_SIZE)));
	}

	/** fsync(2) by init. */
	fsync({ fd }: { readonly fd: number }): void {
		refuse('fsync', this.init.run('fsync', () => sys.sys_fsync(fd)));
	}

	/** sync(2) by init: all that is dirty is written. */
	sync(): void {
		this.init.run('sync', () => sys.sys_sync());
	}

	/** How many pages of a file are in memory: what mincore(2) of a mapping of it says. */
	cached({ fd, first, last }: FileRange): number {
		this.assertPresent();
		return sys.cachedPages(init_task(), fd, first, last);
	}

	/** The disks complete up to so many requests, the oldest first: how many they did. */
	complete(requests: number): number {
		return this.init.run('complete', () => completeIo(requests));
	}

	/** A RAM disk /dev/ramN with a swap header, for swapon(). */
	addSwap(nrPages: number, minor: number): void {
		refuse(`mkswap /dev/ram${minor}`, this.init.run('mkswap',
			() => addSwapDisk(nrPages, minor)));
	}

	/** swapon(2) of /dev/ramN by init; a priority of 0 to 32767, or the kernel's choice. */
	swapon(minor: number, prio?: number): void {
		refuse(`swapon /dev/ram${minor}`, this.init.run('swapon',
			() => sys_swapon(minor, prio)));
	}

	/** swapoff(2) of /dev/ramN by init. */
	swapoff(minor: number): void {
		refuse(`swapoff /dev/ram${minor}`, this.init.run('swapoff',
			() => sys_swapoff(minor)));
	}

	/** close(2) of init's descriptor; tasks that inherited it keep theirs. */
	closeMemfd({ fd }: { readonly fd: number }): void {
		refuse('close', this.init.run('close', () => sys.sys_close(fd)));
	}

	/** A task forked from init, which then writes its PID to cgroup.procs. */
	task(name: string, { cgroup: path }: { cgroup?: string | Cgroup } = {}): Task {
		const task = this.init.fork(name);

		if (path !== undefined)
			task.move(typeof path === 'string' ? path : path.path);
		return task;
	}

	/** The task of a PID. @throws MachineError ESRCH */
	taskOf(pid: number): Task {
		const task = new Task(this, pid);

		if (!task.alive)
			throw new MachineError(`task ${pid}`, ESRCH);
		return task;
	}

	/**
	 * The LRU batches of all CPUs go to their lists: lru_add_drain_all(). On a real kernel
	 * madvise(MADV_COLD) of an empty mapping does that for the CPU it runs on.
	 */
	drain(): void {
		this.init.run('drain', () => lru_add_drain_all());
	}

	/**
	 * Reclaim pages from a cgroup by itself: by memory.reclaim where the kernel has it, else by
	 * lowering memory.high, as test programs on real kernels do. From the root, where neither
	 * is there, by reclaim's own function, called once.
	 * @returns 0, or what memory.reclaim said: -EAGAIN if it got less
	 */
	reclaim(target: Cgroup | string, nrPages: number): number {
		const path = typeof target === 'string' ? target : target.path;
		const dir = cgroupDir(path);

		this.assertPresent();
		if (hasFile(`${dir}/memory.reclaim`))
			return this.writeFile(`${dir}/memory.reclaim`, `${nrPages * PAGE_SIZE}`);
		if (dir === CGROUP_ROOT) {
			this.init.run('reclaim', () =>
				try_to_free_mem_cgroup_pages(
					ROOT_MEM_CGROUP, nrPages, GFP_KERNEL, true));
			return 0;
		}
		const usage = Number(this.readFile(`${dir}/memory.current`));
		const high = Math.max(0, usage - nrPages * PAGE_SIZE);
		refuse(`${dir}/memory.high`, this.writeFile(`${dir}/memory.high`, `${high}`));
		return this.writeFile(`${dir}/memory.high`, 'max');
	}

	/**
	 * The text of a file, as cat(1) shows it.
	 * @param task who reads it, in a statement of its own; undefined: nobody does, and the
	 * machine stays as it is
	 * @throws MachineError
	 */
	readFile(path: string, task?: Task): string {
		this.assertPresent();
		if (!task)
			return readText(path, init_task());
		return task.run(path, () => readText(path, task.row));
	}

	/** Bytes of a file (pagemap, kpageflags ...) from an offset on; fewer at its end. */
	readFileBytes(path: string, offset: number, length: number): Uint8Array {
		this.assertPresent();
		return readBytes(path, init_task(), offset, length);
	}

	/**
	 * A file whole, as cat(1) shows it, one of words as its bytes.
	 * @throws MachineError; EINVAL for pagemap, whose end is that of all addresses
	 */
	readWhole(path: string): string | Uint8Array {
		this.assertPresent();
		return readWhole(path, init_task());
	}

	/* For each page of a range that is present, its word and bit in the bitmap, by init. */
	#idleBits(range: Range, what: string, body: (offset: number, bit: number) => number): void {
		for (const { present: there, pfn } of this.#pagemap(range)) {
			if (!there)
				continue;
			refuse(what, this.init.run(what,
				() => body(Math.floor(pfn / 64) * 8, pfn % 64)));
		}
	}

	/** Mark pages idle, which clears their accessed bits: the bitmap of page_idle, by init. */
	markIdle(range: Range): void {
		this.#idleBits(range, 'page_idle', (offset, bit) => {
			const word = new Uint8Array(8);
			word[bit >> 3] = 1 << (bit & 7);
			return writeBytes(PAGE_IDLE_BITMAP, init_task(), offset, word);
		});
	}

	/**
	 * Look in the bitmap of page_idle whether pages are idle still, by init: how many are. That
	 * takes the accessed bits of all idle pages of the same words.
	 */
	checkIdle(range: Range): number {
		let idle = 0;

		this.#idleBits(range, 'page_idle', (offset, bit) => {
			const word = readBytes(PAGE_IDLE_BITMAP, init_task(), offset, 8);
			idle += word[bit >> 3]! >> (bit & 7) & 1;
			return 0;
		});
		return idle;
	}

	/** Write a file. @returns 0 or -errno */
	writeFile(path: string, text: string, task: Task = this.init): number {
		this.assertPresent();
		return task.run(path, () => writeText(path, task.row, text));
	}

	#pagemap(range: Range): { present: boolean; swapped: boolean; pfn: page }[] {
		const bytes = pagemapWords(this.taskOf(range.pid).row, range.start, range.pages);

		const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

		return Array.from({ length: bytes.length / PAGEMAP_ENTRY_BYTES },
			(_, i) => pagemapFrame(view, i) as
				{ present: boolean; swapped: boolean; pfn: page });
	}

	/** Of the pages of a range, how many are what: /proc/PID/pagemap and /proc/kpageflags. */
	show(range: Range): PageCounts {
		this.assertPresent();
		const counts: PageCounts = {
			present: 0, swapped: 0, lru: 0, active: 0, referenced: 0, unevictable: 0,
				dirty: 0,
			writeback: 0, young: 0, mlocked: 0, anon: 0, swapcache: 0, idle: 0,
		};
		const task = this.taskOf(range.pid).row;

		this.#pagemap(range).forEach(({ present: there, swapped, pfn }, i) => {
			if (swapped)
				counts.swapped++;
			if (!there)
				return;
			const flags = kpageflags(pfn);
			const bit = (name: KpfName): number => hasFlag(flags, name) ? 1 : 0;
			counts.present++;
			counts.young += pteYoung(task, range.start + i * PAGE_SIZE) ? 1 : 0;
			/* Its flags are what all that ever ran has left there. */
			if (hasFlag(flags, 'ZERO_PAGE'))
				return;
			counts.lru += bit('LRU');
			counts.active += bit('ACTIVE');
			counts.referenced += bit('REFERENCED');
			counts.unevictable += bit('UNEVICTABLE');
			counts.dirty += bit('DIRTY');
			counts.writeback += bit('WRITEBACK');
			counts.mlocked += bit('MLOCKED');
			counts.anon += bit('ANON');
			counts.swapcache += bit('SWAPCACHE');
			counts.idle += bit('IDLE');
		});
		return counts;
	}

	/** The names of the flags of one page in /proc/kpageflags; none if it is not present. */
	pageFlags(range: Range): KpfName[] {
		const [entry] = this.#pagemap(subrange(range, 0));

		if (!entry?.present)
			return [];
		const flags = kpageflags(entry.pfn);
		return (Object.keys(KPF) as KpfName[]).filter((name) => hasFlag(flags, name));
	}

	/** Page frame number of the first page of a range; 0 if it is not present. */
	pfn(range: Range): number {
		return this.#pagemap(subrange(range, 0))[0]?.pfn ?? 0;
	}

	/** Lines of a cgroup's memory.stat, in the kernel's order. */
	stat(target: Cgroup | string, keys: readonly string[] = STAT_KEYS): [string, number][] {
		const path = typeof target === 'string' ? target : target.path;
		const lines = this.readFile(`${cgroupDir(path)}/memory.stat`).trimEnd().split('\n');

		return lines.flatMap((line): [string, number][] => {
			const [key, value] = line.split(' ') as [string, string];
			return keys.includes(key) ? [[key, Number(value)]] : [];
		});
	}

	/** How much was traced so far, for traceLines(). */
	traceMark(): number {
		this.assertPresent();
		return traceMark();
	}

	/** The trace's lines, oldest first; of those after a mark if one is given. */
	traceLines(since = 0): string[] {
		this.assertPresent();
		return traceText(since);
	}

	/**
	 * Switch events, by the names of ftrace.ts.
	 * @throws MachineError ENOENT for a name it has not
	 */
	traceEvents(names: readonly string[], on: boolean): void {
		this.assertPresent();
		for (const name of names)
			if (!traceSwitch(name, on))
				throw new MachineError(`trace event ${name}`, ENOENT);
	}

	/**
	 * What a secondary MMU was told since a notifierMark(), oldest first.
	 * @throws MachineError ENOENT: there is none of that name
	 */
	notifiers(name: string, since = 0): string[] {
		this.assertPresent();
		return deviceNotifiers(name, since);
	}

	/** How much all secondary MMUs were told so far, for notifiers(). */
	notifierMark(): number {
		this.assertPresent();
		return notifier_log_written.v;
	}

	/** A virtual machine with memory of a task. @throws MachineError */
	vm(name: string, options: VmOptions): Vm {
		this.assertPresent();
		return createVm(this, name, options);
	}

	/** A device that watches the memory of a task. @throws MachineError */
	device(name: string, kind: DeviceKind, task: Task, keeps = false): Device {
		this.assertPresent();
		return createDevice(this, name, kind, task, keeps);
	}

	/** A copy of the machine; only between statements. */
	snapshot(): Uint8Array {
		this.assertPresent();
		VM_BUG_ON(statementDepth() !== 0, 'a snapshot in the middle of a statement');
		return takeSnapshot();
	}

	/**
	 * Make this realm's machine the one that the snapshot was taken of.
	 * @throws SnapshotError with the present machine unchanged
	 */
	static restore(bytes: Uint8Array): Machine {
		restoreArena(bytes);
		VM_BUG_ON(booted.v !== 1, 'a snapshot of no machine');
		present = new Machine(parseKernel(keptKernelName()));
		return present;
	}

	/** The name of the state: equal for equal machines. */
	hash(): string {
		this.assertPresent();
		return arenaHash();
	}

	/** @throws InvariantError naming what does not hold */
	checkInvariants(): void {
		this.assertPresent();
		checkInvariants();
	}
}

/** The root cgroup's row, for those who look at the machine from inside. */
export const ROOT = ROOT_CGROUP;
