// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random litmus programs, valid by construction and weighted towards what reclaim sees: the same
 * seed gives the same program.
 */
import { POINTS } from '../lib/points.ts';
import { ADVICE, FILE_ADVICE } from '../sim/litmus/ast.ts';

/* mulberry32: of its own, for the machine's numbers are part of the machine. */
export function generator(seed: number): (n: number) => number {
	let state = seed | 0;

	return (n) => {
		state = (state + 0x6d2b79f5) | 0;
		let t = Math.imul(state ^ (state >>> 15), 1 | state);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return ((t ^ (t >>> 14)) >>> 0) % n;
	};
}

export interface FuzzOptions {
	/**
	 * Only what a real kernel can do, and does the same way each time: no `at`, no reclaim from
	 * the root, one CPU, no task that dies.
	 */
	readonly real?: boolean;
	/** Look at pages and counters after whatever may have changed them. */
	readonly looks?: boolean;
	/** Tasks have virtual machines, and guests use their memory. */
	readonly vms?: boolean;
	/**
	 * Files on a disk. Not usual on a real kernel: when its flusher comes, which reclaim
	 * wakes, is of the scheduler.
	 */
	readonly files?: boolean;
}

interface Mapping {
	readonly name: string;
	readonly pages: number;
	readable: boolean;
	writable: boolean;
	/* Its children may lack pages of it. */
	dontfork: boolean;
	/* Where it is shared: its file, and the first page there. */
	readonly memfd: string | undefined;
	readonly offset: number;
}
interface File { readonly name: string; readonly pages: number }
/* Pages of a slot; whether its number of them is that of a mapping that is there. */
interface Slot { gpa: number; readonly pages: number }
interface Vm { readonly name: string; readonly vcpus: number; readonly slots: Slot[] }
interface Task {
	readonly name: string; cgroup: string;
	readonly mappings: Mapping[]; readonly vms: Vm[];
}

const VMS_MAX = 3, PAGE = 4096, MIB = 2 ** 20;
/* Guest-physical addresses of slots: a guest maps by 4 KiB pages below 64 MiB, by 2 MiB above. */
const SLOT_APART = 2 * MIB, GUEST_HIGH = 128 * MIB;
const REAL_FORMATS = ['npt', 'shadow'], FORMATS = [...REAL_FORMATS, 'ept', 'ept-noad'];
const TASKS_MAX = 5, MAPPINGS_MAX = 4, PAGES_MAX = 80;
/* Sizes about which batches of the kernel begin and end: pagevecs, SWAP_CLUSTER_MAX, a stock. */
const EDGES = [1, 2, 14, 15, 16, 31, 32, 33, 63, 64, 65];
/* The finest look, at the end. */
const PIECE_PAGES = 4;

const hex = (n: number): string => `0x${n.toString(16)}`;

class Writer {
	readonly #below: (n: number) => number;
	readonly #real: boolean;
	readonly #looks: boolean;
	readonly lines: string[] = [];
	readonly #tasks: Task[] = [];
	readonly #cgroups = ['A', 'B'];
	/* Those that can have tasks: none that has children. */
	#homes = ['A', 'B'];
	readonly #memfds: File[] = [];
	/* On the disk; without any, nothing of them is done. */
	readonly #files: File[] = [];
	/* A limit that cannot be kept would kill; one that has no room for swap as well. */
	readonly #limited: 'memory' | 'swap';
	#names = 0;
	/* How guest memory is mapped; empty: no virtual machines. */
	readonly #format: string;
	#slots = 0;

	readonly #disk: boolean;

	constructor(
		seed: number,
		{ real = false, looks = false, vms = false, files = !real }: FuzzOptions,
	) {
		this.#below = generator(seed);
		this.#real = real;
		this.#looks = looks;
		this.#disk = files;
		this.#format = vms ? this.#pick(real ? REAL_FORMATS : FORMATS) : '';
		this.#limited = this.#chance(70) ? 'memory' : 'swap';
		this.#machine(seed);
	}

	#pick<T>(of: readonly T[]): T {
		return of[this.#below(of.length)]!;
	}

	#chance(percent: number): boolean {
		return this.#below(100) < percent;
	}

	/* One of several, each as often as its weight says. */
	#weighted<T>(of: readonly (readonly [weight: number, what: T])[]): T {
		let at = this.#below(of.reduce((sum, [weight]) => sum + weight, 0));

		return of.find(([weight]) => (at -= weight) < 0)![1];
	}

	#pages(most = PAGES_MAX): number {
		return Math.min(most, this.#chance(50) ? this.#pick(EDGES) : 1 + this.#below(most));
	}

	#machine(seed: number): void {
		let small = false;

		if (!this.#real)
			this.lines.push(`machine ram=${this.#pick([64, 96])}M ` +
				`swap=${this.#pick([0, 1, 16])}M cpus=${1 + this.#below(3)} ` +
				`pcid=${this.#below(2)} seed=${seed}`);
		else if (this.#limited === 'swap' && (small = this.#chance(50)))
			this.lines.push(`machine swap=${this.#pick(['0', '1M', '128K'])}`);
		if (this.#chance(50))
			this.lines.push('/sys/kernel/debug/fault_around_bytes = 4096');
		/* Which slots of a small swap lie together is of the boot, not of the program. */
		if (small || this.#chance(50))
			this.lines.push('vm.page-cluster = 0');
		if (this.#chance(30))
			this.#swappiness();
		this.lines.push('cgroup A', 'cgroup B');
		if (this.#chance(25)) {
			this.lines.push('cgroup A/C');
			this.#cgroups.push('A/C');
			this.#homes = ['A/C', 'B'];
		}
		for (const name of this.#chance(60) ? ['f', 'g'] : ['f']) {
			this.#memfds.push({ name, pages: this.#pages() });
			this.lines.push(`memfd ${name} ${this.#memfds.at(-1)!.pages}`);
		}
		if (this.#format && this.#chance(50))
			for (const event of ['kvm_age_page', 'kvm_page_fault'])
				this.lines.push(
					`/sys/kernel/tracing/events/kvm/${event}/enable = 1`);
		if (this.#disk && this.#chance(40))
			this.#makeFiles();
		this.#newTask(this.#homes[0]!);
		this.#map(this.#tasks[0]!);
		if (this.#format)
			this.#newVm(this.#tasks[0]!);
	}

	#makeFiles(): void {
		if (this.#chance(40))
			this.#readAhead();
		for (const name of this.#chance(40) ? ['d', 'e'] : ['d']) {
			this.#files.push({ name, pages: this.#pages(2 * PAGES_MAX) });
			this.lines.push(`file ${name} ${this.#files.at(-1)!.pages}`);
		}
	}

	#readAhead(): void {
		this.lines.push(`/sys/block/ram1/queue/read_ahead_kb = ${
			this.#pick([0, 4, 16, 64, 128])}`);
	}

	#swappiness(): void {
		this.lines.push(`vm.swappiness = ${this.#pick([0, 1, 10, 60, 100, 200])}`);
	}

	#newTask(cgroup = this.#pick([...this.#homes, this.#homes[0]!,
		...(this.#real ? [] : ['/'])])): void {
		const name = `t${this.#names++}`;

		this.#tasks.push({ name, cgroup, mappings: [], vms: [] });
		this.lines.push(`task ${name}${cgroup === '/' ? '' : ` cgroup=${cgroup}`}`);
	}

	#map(task: Task): void {
		const name = `m${this.#names++}`;
		const memfd = this.#chance(this.#files.length ? 75 : 45)
			? this.#pick(this.#files.length && this.#chance(70) ? this.#files
				: this.#memfds) : undefined;
		const pages = this.#pages(memfd?.pages);
		const offset = memfd ? this.#below(memfd.pages - pages + 1) : 0;
		const prot = this.#pick(['rw', 'rw', 'rw', 'r', 'rx', 'rwx']);
		const shared = memfd ? this.#chance(70) : this.#chance(20);

		this.lines.push(`${task.name}: ${name} = mmap ${memfd?.name ?? 'anon'} ${pages} ` +
			`${prot} ${shared ? 'shared' : 'private'}` +
			(offset ? ` offset=${offset}` : ''));
		task.mappings.push({ name, pages, readable: true, writable: prot.includes('w'),
			dontfork: false, memfd: shared ? memfd?.name : undefined, offset });
		if (prot.includes('w') && this.#chance(60))
			this.lines.push(`${task.name}: write ${name}`);
	}

	#range({ name, pages }: File, descending = false): string {
		if (this.#chance(50))
			return name;
		const first = this.#below(pages), last = first + this.#below(pages - first);
		if (this.#chance(30) || first === last)
			return `${name}[${first}]`;
		return descending && this.#chance(30) ? `${name}[${last}..${first}]`
			: `${name}[${first}..${last}]`;
	}

	#access(task: Task, mapping: Mapping): string | undefined {
		/* What a signal would follow is rare, or tasks would not live long. */
		const wrong = !this.#real && this.#chance(1);
		const ranges = Array.from({ length: this.#chance(80) ? 1 : 2 + this.#below(2) },
			() => this.#range(mapping, true)).join(' ');

		if (!mapping.readable && !wrong)
			return undefined;
		return `${task.name}: ` + (this.#chance(60) && (mapping.writable || wrong)
			? `write ${ranges} ${this.#below(256)}` : `read ${ranges}`);
	}

	/* What a task does to a file on the disk, or is done to all of them. */
	#ofFile({ name }: Task): string {
		const file = this.#pick(this.#files);
		const range = (): string => this.#range(file);

		return this.#weighted<() => string>([
			[30, () => `${name}: pread ${range()}`],
			[20, () => `${name}: pwrite ${range()} ${this.#below(256)}`],
			[10, () => `${name}: fadvise ${this.#chance(50) ? file.name : range()} ` +
				this.#pick(FILE_ADVICE)],
			[8, () => `fsync ${file.name}`],
			[2, () => 'sync'],
			[4, () => `vm.drop_caches = ${this.#pick([1, 1, 3])}`],
		])();
	}

	/* What a task can do that declares and removes no name. */
	#deed(task: Task): string | undefined {
		const mapping = task.mappings.length ? this.#pick(task.mappings) : undefined;

		if (!mapping)
			return undefined;
		const range = () => this.#range(mapping);
		const deed = this.#weighted<() => string | undefined>([
			[45, () => this.#access(task, mapping)],
			[12, () => this.#clearRefs(task, this.#pick([1, 1, 1, 2, 3, 4]))],
			[18, () => {
				const advice = this.#weighted<string>([[2, 'cold'], [2, 'pageout'],
					[2, 'free'], [1, 'dontneed'], [3, this.#pick(ADVICE)]]);
				mapping.dontfork ||= advice === 'dontfork';
				return `${task.name}: madvise ${range()} ${advice}`;
			}],
			/* What is locked cannot be kept within a limit. */
			[!this.#real || this.#limited === 'swap' ? 4 : 0,
				() => mapping.readable || !this.#real
					? `${task.name}: mlock ${range()}` : undefined],
			[2, () => `${task.name}: munlock ${range()}`],
			[3, () => {
				const prot = this.#pick(['r', 'rw', 'rw', 'none']);
				mapping.readable = prot !== 'none';
				mapping.writable = prot === 'rw';
				return `${task.name}: mprotect ${mapping.name} ${prot}`;
			}],
		]);
		return deed();
	}

	/*
	 * What a TLB still has is of the processor: on a real kernel init runs in between, which
	 * empties it.
	 */
	#clearRefs({ name }: Task, what: number): string {
		return `${name}: clear_refs ${what}` + (this.#real ? '\nvm.page-cluster = 0' : '');
	}

	#fork(task: Task): void {
		const name = `t${this.#names++}`;

		this.lines.push(`${task.name}: fork ${name}`);
		this.#tasks.push({ name, cgroup: task.cgroup,
			mappings: task.mappings.filter(({ dontfork }) => !dontfork)
				.map((mapping) => ({ ...mapping })), vms: [] });
	}

	#newVm(task: Task): void {
		const name = `v${this.#names++}`, vcpus = this.#chance(80) ? 1 : 2;
		const vm: Vm = { name, vcpus, slots: [] };

		this.lines.push(`vm ${vm.name} task=${task.name} ${this.#format}` +
			(vm.vcpus > 1 ? ` vcpus=${vm.vcpus}` : '') +
			(this.#chance(20) ? ' nopaging' : ''));
		task.vms.push(vm);
		this.#slot(task, vm);
	}

	#slot({ mappings }: Task, vm: Vm): void {
		const mapping = this.#pick(mappings), { name, pages } = mapping;
		const gpa = (this.#chance(25) ? GUEST_HIGH : MIB) + SLOT_APART * this.#slots++ +
			PAGE * this.#below(SLOT_APART / PAGE - PAGES_MAX);
		const first = this.#chance(70) ? 0 : this.#below(pages);
		const last = this.#chance(70) ? pages - 1 : first + this.#below(pages - first);

		this.lines.push(`${vm.name}: slot ${hex(gpa)} ${name}` +
			(first === 0 && last === pages - 1 ? '' : `[${first}..${last}]`) +
			(this.#chance(8) ? ' ro' : '') + (this.#chance(15) ? ' log' : ''));
		vm.slots.push({ gpa, pages: last - first + 1 });
	}

	#changeSlot(vm: Vm): void {
		const slot = this.#pick(vm.slots), gpa = hex(slot.gpa);
		const kind = this.#weighted([[2, 'log'], [2, 'unlog'], [5, 'dirty'], [1, 'unslot'],
			[1, 'move']]);

		if (kind === 'move')
			slot.gpa += PAGE * this.#pick([-1, 1, 7]);
		else if (kind === 'unslot')
			vm.slots.splice(vm.slots.indexOf(slot), 1);
		this.lines.push(`${vm.name}: ${kind} ${gpa}` +
			(kind === 'move' ? ` ${hex(slot.gpa)}` : ''));
	}

	/*
	 * A guest's access. The processor of the real machine forgets all translations of the host
	 * when it enters or leaves a guest; a statement of init makes both forget them.
	 */
	#guest({ name, vcpus, slots }: Vm): string {
		const { gpa, pages } = this.#pick(slots), first = this.#below(pages);
		const all = this.#chance(40), beyond = this.#chance(4) ? 1 : 0;
		const count = (all ? pages : 1 + this.#below(pages - first)) + beyond;
		const vcpu = vcpus > 1 ? `${name}.${this.#below(vcpus)}` : name;
		const where = `${hex(gpa + (all ? 0 : first * PAGE))} ${count}`;

		return (this.#chance(55) ? `${vcpu}: read ${where}`
			: `${vcpu}: write ${where} ${this.#below(256)}`) +
			(this.#real ? '\nvm.laptop_mode = 0' : '');
	}

	#vmStatement(task: Task): void {
		const vms = this.#tasks.flatMap((one) => one.vms);
		const vm = vms.length ? this.#pick(vms) : undefined;
		const owner = vm && this.#tasks.find((one) => one.vms.includes(vm))!;
		const kind = this.#weighted([[vms.length < VMS_MAX ? 5 : 0, 'vm'], [5, 'slot'],
			[10, 'change'], [80, 'guest']]);

		if (kind === 'vm' && task.mappings.length)
			this.#newVm(task);
		else if (kind === 'slot' && owner?.mappings.length)
			this.#slot(owner, vm!);
		else if (kind === 'change' && vm?.slots.length)
			this.#changeSlot(vm);
		else if (vm?.slots.length)
			this.lines.push(this.#guest(vm));
	}

	/*
	 * Referenced, but not by what was mapped before: the mapping anew, for the TLB would hide a
	 * plain read from the accessed bit.
	 */
	#afresh(task: Task): void {
		const mapping = this.#pick(task.mappings);
		const { name, pages, memfd, offset } = mapping;

		this.lines.push(this.#clearRefs(task, 1));
		if (memfd !== undefined) {
			this.lines.push(`${task.name}: munmap ${name}`,
				`${task.name}: ${name} = mmap ${memfd} ${pages} rw shared` +
				(offset ? ` offset=${offset}` : ''));
			Object.assign(mapping, { readable: true, writable: true, dontfork: false });
		}
		if (mapping.readable)
			this.lines.push(`${task.name}: read ${this.#range(mapping, true)}`);
	}

	#unmap(task: Task): void {
		const mapping = this.#pick(task.mappings);
		const part = this.#chance(40) && mapping.pages > 2;

		this.lines.push(`${task.name}: munmap ${mapping.name}${part ? '[1]' : ''}`);
		task.mappings.splice(task.mappings.indexOf(mapping), 1);
	}

	#limit(): void {
		const [swap, memory] = [this.#limited === 'swap', this.#limited === 'memory'];
		const file = this.#weighted([[2, 'low'], [1, 'min'],
			[!this.#real || memory ? 2 : 0, 'high'],
			[!this.#real || memory ? 2 : 0, 'max'],
			[!this.#real || swap ? 2 : 0, 'swap.max']]);
		/* In less than a few windows of readahead a fault can push out what it has read. */
		const value = this.#pick(['max', 'max', '1M', ...(this.#files.length ? ['512K']
			: ['256K', '128K', ...(this.#real ? [] : ['64K'])])]);

		this.lines.push(`${this.#pick(this.#cgroups)}/memory.${file} = ${value}`);
	}

	/* Look at what reclaim, or one task's deed, may have changed. */
	#look(tasks: readonly Task[], cgroups: readonly string[]): void {
		for (const { name } of this.#files)
			this.lines.push(`show ${name}`);
		for (const { name, mappings } of tasks)
			for (const mapping of mappings)
				this.lines.push(`show ${name}.${mapping.name}`);
		/* The root has no memory.stat in v5.10. */
		for (const cgroup of cgroups.filter((one) => one !== '/'))
			this.lines.push(`stat ${cgroup} all`, `cat ${cgroup}/memory.current`);
	}

	#reclaim(): void {
		const cgroup = this.#pick([...this.#cgroups, 'A', ...(this.#real ? [] : ['/'])]);

		this.lines.push(`reclaim ${cgroup} ${this.#pages(64)}`);
		if (!this.#looks)
			return;
		this.lines.push('trace');
		this.#look(this.#tasks, [cgroup]);
		const task = this.#pick(this.#tasks);
		if (task.mappings.length) {
			const { name, pages } = this.#pick(task.mappings);
			this.lines.push(`show ${task.name}.${name}[${this.#below(pages)}]`);
		}
	}

	statement(): void {
		const task = this.#pick(this.#tasks);
		const { mappings } = task;
		const room = this.#tasks.length < TASKS_MAX;
		const at = this.lines.length;

		const kind = this.#weighted([
			[this.#files.length ? 25 : 0, 'file'],
			[room ? 4 : 0, 'task'], [mappings.length < MAPPINGS_MAX ? 8 : 0, 'map'],
			[room ? 3 : 0, 'fork'], [this.#tasks.length > 1 ? 2 : 0, 'exit'],
			[mappings.length ? 3 : 0, 'unmap'], [mappings.length ? 5 : 0, 'afresh'],
			[1, 'move'], [20, 'reclaim'],
			[7, 'drain'], [4, 'limit'], [2, 'swappiness'],
			[this.#real ? 0 : 4, 'hook'], [3, 'ask'], [38, 'deed'],
			[this.#format ? 40 : 0, 'vm'],
		]);
		switch (kind) {
		case 'task': this.#newTask(); break;
		case 'map': this.#map(task); break;
		case 'fork': this.#fork(task); break;
		case 'exit':
			this.lines.push(`${task.name}: exit`);
			this.#tasks.splice(this.#tasks.indexOf(task), 1);
			break;
		case 'unmap': this.#unmap(task); break;
		case 'afresh': this.#afresh(task); break;
		case 'move':
			task.cgroup = this.#pick(this.#homes);
			this.lines.push(`${task.name}: move ${task.cgroup}`);
			break;
		case 'reclaim': this.#reclaim(); break;
		case 'drain': this.lines.push('drain'); break;
		case 'limit': this.#limit(); break;
		case 'swappiness': this.#swappiness(); break;
		case 'file': this.lines.push(this.#ofFile(task)); break;
		case 'ask':
			this.lines.push(this.#pick([`stat ${this.#pick(this.#cgroups)}`, 'trace',
				`cat ${this.#pick(this.#cgroups)}/memory.${this.#pick(
					['events', 'swap.current', 'stat'])}`,
				'cat /proc/vmstat']));
			break;
		case 'vm': this.#vmStatement(task); break;
		default: {
			const guests = kind === 'hook' && this.#format && this.#chance(50)
				? this.#tasks.flatMap(({ vms }) => vms)
					.filter(({ slots }) => slots.length) : [];
			const body = guests.length ? this.#guest(this.#pick(guests))
				: this.#deed(task);
			if (body !== undefined)
				this.lines.push(kind === 'hook'
					? `at ${this.#pick(POINTS)}: ${body}` : body);
		}
		}
		if (this.#looks && this.lines.length > at && this.#chance(60) &&
			['deed', 'limit', 'unmap', 'fork', 'map', 'afresh', 'vm', 'file']
				.includes(kind))
			this.#look(this.#tasks.includes(task) ? [task] : [],
				this.#chance(30) ? [task.cgroup] : []);
	}

	/* At the end everything is looked at, in small pieces. */
	end(): void {
		if (!this.#looks)
			return;
		for (const { name, mappings } of this.#tasks)
			for (const mapping of mappings)
				for (let page = 0; page < mapping.pages; page += PIECE_PAGES)
					this.lines.push(`show ${name}.${mapping.name}[${page}..` +
						`${Math.min(page + PIECE_PAGES,
							mapping.pages) - 1}]`);
		for (const { name, pages } of this.#files)
			for (let page = 0; page < pages; page += PIECE_PAGES)
				this.lines.push(`show ${name}[${page}..` +
					`${Math.min(page + PIECE_PAGES, pages) - 1}]`);
		for (const cgroup of this.#cgroups)
			for (const file of ['stat', 'current', 'swap.current', 'events'])
				this.lines.push(`cat ${cgroup}/memory.${file}`);
	}
}

/**
 * A program of so many statements after those that set it up, and between those that look.
 * @param seed any integer of 32 bits
 */
export function randomProgram(
	seed: number, statements: number, options: FuzzOptions = {},
): string {
	const writer = new Writer(seed, options);

	for (let i = 0; i < statements; i++)
		writer.statement();
	writer.end();
	return `${writer.lines.join('\n')}\n`;
}
