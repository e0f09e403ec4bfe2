// SPDX-License-Identifier: GPL-2.0-only
/* The machine as a reader wants to see it: tasks, areas, pages, cgroups, LRU lists, swap. */
import { PAGE_SIZE } from '../arch/page.ts';
import { list_heads, nr_rows } from '../lib/struct.ts';
import { cgroup_next_live_descendant_pre, cgroup_path, ROOT_CGROUP } from '../mm/cgroup.ts';
import { get_mm_counter } from '../mm/mm.ts';
import { PAGE_COUNTER_MAX, cgroups, memcgs, page_counters, type cgroup }
	from '../mm/memcontrol_types.ts';
import { MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, PF_KTHREAD,
	VM_EXEC, VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE, files, inodes, mms, pages, tasks, vmas,
	type page, type task_struct, type vm_area_struct } from '../mm/mm_types.ts';
import { MAX_NUMNODES, NR_LRU_LISTS, first_online_pgdat, lru_names, lruvecs,
	next_online_pgdat, pgdats, type lruvec } from '../mm/mmzone.ts';
import { task_comm } from '../sim/comm.ts';
import { decodePagemap, type KpfName, KPF } from '../sim/formats.ts';
import { mapping, taskPid } from '../sim/litmus/state.ts';
import type { Runner } from '../sim/litmus/runner.ts';
import { kpageflags, pagemapWords, pteYoung } from '../sim/pageinfo.ts';
import { wrap } from './table.ts';

const WIDTH = 100;
const MiB = 1024 * 1024;

interface PageRun { readonly first: number; readonly last: number; readonly state: string }
interface Area {
	readonly start: string; readonly pages: number; readonly flags: string;
	readonly backing: string; readonly names: readonly string[];
	readonly runs: readonly PageRun[];
}
interface TaskState {
	readonly pid: number; readonly name: string; readonly cgroup: string;
	readonly rss: { readonly anon: number; readonly file: number; readonly shmem: number;
		readonly swap: number };
	readonly areas: readonly Area[];
}
interface CgroupState {
	readonly path: string;
	/** In pages; null: max. */
	readonly current: number; readonly swap: number;
	readonly min: number | null; readonly low: number | null;
	readonly high: number | null; readonly max: number | null;
}
interface LruState {
	readonly node: number; readonly cgroup: string; readonly list: string;
	/** The pages, the first that reclaim meets first. */
	readonly pages: readonly string[];
}
interface MachineState {
	readonly kernel: string; readonly line: number; readonly hash: string;
	readonly ram: number; readonly cpus: number; readonly nodes: number;
	readonly tasks: readonly TaskState[];
	readonly cgroups: readonly CgroupState[];
	readonly lru: readonly LruState[];
	readonly swaps: readonly string[];
}

const SHOWN_FLAGS: readonly KpfName[] = ['LOCKED', 'REFERENCED', 'ACTIVE', 'DIRTY', 'WRITEBACK',
	'SWAPCACHE', 'UNEVICTABLE', 'MLOCKED'];

/* What there is to say about a page of a task. */
function pageStates(
	task: task_struct, start: number, count: number,
): { pfn: number; state: string }[] {
	const words = pagemapWords(task, start, count);

	return Array.from({ length: words.length / 8 }, (_, i) => {
		const entry = decodePagemap(words, i);
		if (entry.swapped)
			return { pfn: 0, state: 'swapped' };
		if (!entry.present)
			return { pfn: 0, state: 'not present' };
		const pfn = entry.pfnLow as page;
		const { low, high } = kpageflags(pfn);
		const has = (name: KpfName) =>
			(((KPF[name] < 32 ? low : high) >>> (KPF[name] % 32)) & 1) !== 0;
		const flags = SHOWN_FLAGS.filter(has).map((name) => name.toLowerCase());
		return { pfn, state: ['present', ...(has('LRU') ? [] : ['off-lru']), ...flags,
			...(pteYoung(task, start + i * PAGE_SIZE) ? ['young'] : [])].join(' ') };
	});
}

function runsOf(states: readonly { state: string }[]): PageRun[] {
	const runs: PageRun[] = [];

	states.forEach(({ state }, i) => {
		const run = runs.at(-1);
		if (run?.state === state)
			runs[runs.length - 1] = { ...run, last: i };
		else
			runs.push({ first: i, last: i, state });
	});
	return runs;
}

function areaFlags(vma: vm_area_struct): string {
	const flags = vmas.vm_flags[vma];
	const letter = (flag: number, text: string) => (flags & flag) !== 0 ? text : '-';

	return letter(VM_READ, 'r') + letter(VM_WRITE, 'w') + letter(VM_EXEC, 'x') +
		((flags & VM_SHARED) !== 0 ? 's' : 'p') +
		((flags & VM_LOCKED) !== 0 ? ' locked' : '');
}

function backing(vma: vm_area_struct): string {
	const file = vmas.vm_file[vma];

	return file ? `inode ${inodes.i_ino[files.f_inode[file]]} page ${vmas.vm_pgoff[vma]}`
		: 'anon';
}

/* The program's names for pages: of tasks' mappings by address. */
interface Names {
	readonly ofTask: ReadonlyMap<number, string>;
	readonly mappings: readonly { readonly name: string; readonly pid: number;
		readonly start: number; readonly pages: number }[];
}

function namesOf({ program }: Runner): Names {
	const ofTask = new Map<number, string>();
	program.taskNames.forEach((name, slot) => ofTask.set(taskPid(slot), name));
	const known = program.mappingNames.map((name, slot) => ({ name, ...mapping(slot) }));
	return { ofTask,
		mappings: known.filter(({ name, pid }) =>
			pid && ofTask.get(pid) === name.split('.')[0]) };
}

function areasOf(task: task_struct, names: Names, named: Map<number, string>): Area[] {
	const areas: Area[] = [];
	const own = names.mappings.filter(({ pid }) => pid === tasks.pid[task]);

	for (let vma = mms.mmap[tasks.mm[task]]; vma; vma = vmas.vm_next[vma]) {
		const start = vmas.vm_start[vma], end = vmas.vm_end[vma];
		const count = (end - start) / PAGE_SIZE;
		const states = pageStates(task, start, count);
		const here = own.filter((one) =>
			one.start < end && one.start + one.pages * PAGE_SIZE > start);
		states.forEach(({ pfn }, i) => {
			const address = start + i * PAGE_SIZE;
			const by = here.find((one) => address >= one.start &&
				address < one.start + one.pages * PAGE_SIZE);
			if (pfn && by && !named.has(pfn))
				named.set(pfn, `${by.name}[${(address - by.start) / PAGE_SIZE}]`);
		});
		areas.push({ start: `0x${start.toString(16)}`, pages: count, flags: areaFlags(vma),
			backing: backing(vma), names: here.map(({ name }) => name),
			runs: runsOf(states) });
	}
	return areas;
}

const limit = (value: number): number | null => value >= PAGE_COUNTER_MAX ? null : value;

function cgroupStates(): CgroupState[] {
	const found: CgroupState[] = [];

	for (let at = cgroup_next_live_descendant_pre(0 as cgroup, ROOT_CGROUP); at;
		at = cgroup_next_live_descendant_pre(at, ROOT_CGROUP)) {
		const memcg = cgroups.memcg[at];
		if (!memcg)
			continue;
		const memory = memcgs.memory[memcg];
		found.push({ path: cgroup_path(at), current: page_counters.usage[memory],
			swap: page_counters.usage[memcgs.swap[memcg]],
			min: limit(page_counters.min[memory]),
			low: limit(page_counters.low[memory]),
			high: limit(page_counters.high[memory]),
			max: limit(page_counters.max[memory]) });
	}
	return found;
}

function lruStates(named: ReadonlyMap<number, string>): LruState[] {
	const found: LruState[] = [];

	for (let at = cgroup_next_live_descendant_pre(0 as cgroup, ROOT_CGROUP); at;
		at = cgroup_next_live_descendant_pre(at, ROOT_CGROUP))
		for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat)) {
			if (!cgroups.memcg[at])
				continue;
			/* Not by mem_cgroup_lruvec(), which may write to the lruvec. */
			const lruvec = memcgs.nodeinfo[
				cgroups.memcg[at] * MAX_NUMNODES + pgdats.node_id[pgdat]] as lruvec;
			for (let lru = 0; lru < NR_LRU_LISTS; lru++) {
				const head = lruvecs.lists(lruvec, lru);
				const members: string[] = [];
				/* Reclaim takes from the tail. */
				for (let node = list_heads.prev[head]; node !== head;
					node = list_heads.prev[node]) {
					const pfn = pages.lru.container_of(node);
					members.push(named.get(pfn) ?? `pfn ${pfn}`);
				}
				if (members.length)
					found.push(
						{ node: pgdats.node_id[pgdat],
						cgroup: cgroup_path(at),
						list: lru_names[lru]!, pages: compress(members) });
			}
		}
	return found;
}

/** `m[5] m[6] m[7]` as `m[5..7]`, descending ones too. */
export function compress(members: readonly string[]): string[] {
	const runs: { name: string; first: number; last: number }[] = [];

	for (const member of members) {
		const match = /^(?:(.*)\[(\d+)\]|pfn (\d+))$/.exec(member)!;
		const name = match[1] ?? '', n = Number(match[2] ?? match[3]);
		const run = runs.at(-1);
		const step = run ? Math.sign(run.last - run.first) : 0;
		if (run?.name === name &&
			(step ? n === run.last + step : Math.abs(n - run.last) === 1))
			run.last = n;
		else
			runs.push({ name, first: n, last: n });
	}
	return runs.map(({ name, first, last }) => {
		const range = first === last ? `${first}` : `${first}..${last}`;
		return name ? `${name}[${range}]` : `pfn[${range}]`;
	});
}

function machineState(runner: Runner): MachineState {
	const { machine, program, place } = runner;
	const names = namesOf(runner), named = new Map<number, string>();
	const found: TaskState[] = [];

	for (let row = 1; row < nr_rows(tasks); row++) {
		const task = row as task_struct, mm = tasks.mm[task];
		if (!tasks.table.live[task] || !mm || (tasks.flags[task] & PF_KTHREAD) !== 0)
			continue;
		const rss = (counter: number) => get_mm_counter(mm, counter);
		found.push({ pid: tasks.pid[task], name: task_comm(task),
			cgroup: cgroup_path(tasks.cgroup[task]),
			rss: { anon: rss(MM_ANONPAGES), file: rss(MM_FILEPAGES),
			shmem: rss(MM_SHMEMPAGES),
				swap: rss(MM_SWAPENTS) },
			areas: areasOf(task, names, named) });
	}
	const { ram, cpus, nodes } = machine.options;
	return { kernel: machine.kernel.name, line: place ? program.statements[place - 1]!.span.line
		: 0,
		hash: machine.hash(), ram, cpus, nodes, tasks: found, cgroups: cgroupStates(),
		lru: lruStates(named),
		swaps: machine.readFile('/proc/swaps').trimEnd().split('\n').slice(1)
			.map((line) => line.replace(/\s+/g, ' ')) };
}

/** The state of a runner's machine, for JSON. */
export function machineJson(runner: Runner): object {
	return { file: runner.program.file, ...machineState(runner) };
}

const setting = (name: string, value: number | null): string =>
	`${name}=${value === null ? 'max' : value}`;

function indented(text: string, indent: number): string {
	return wrap(text, WIDTH - indent - 2)
		.map((line, i) => `${' '.repeat(indent + (i ? 2 : 0))}${line}\n`).join('');
}

/** The state of a runner's machine, for people. Numbers are pages. */
export function machineText(runner: Runner): string {
	const state = machineState(runner);
	let text =
		`${runner.program.file}, ${state.line ? `after line ${state.line}` : 'booted'}, ` +
		`${state.kernel}, ${state.ram / MiB} MiB, ${state.cpus} ` +
		`CPU${state.cpus > 1 ? 's' : ''}, ` +
		`${state.nodes} node${state.nodes > 1 ? 's' : ''}\nhash ${state.hash}\n`;

	text += '\ntasks (rss in pages)\n';
	for (const { pid, name, cgroup, rss, areas } of state.tasks) {
		text += `  ${String(pid).padStart(4)} ${name.padEnd(16)}${cgroup.padEnd(12)}` +
			Object.entries(rss).map(([key, value]) => `${key}=${value}`).join(' ') +
			'\n';
		for (const area of areas) {
			text += `       ${area.start} ${area.pages} ` +
				`page${area.pages > 1 ? 's' : ''} ` +
				`${area.flags} ${area.backing} ${area.names.join(' ')}`.trimEnd() +
				'\n';
			for (const { first, last, state: pageState } of area.runs)
				text += indented(`[${first === last ? first : `${first}..${last}`}]`
					.padEnd(12) + pageState, 9);
		}
	}
	text += '\ncgroups (pages)\n';
	for (const { path, current, swap, min, low, high, max } of state.cgroups)
		text += `  ${path.padEnd(12)}current=${current} swap=${swap} ` +
			`${[setting('min', min), setting('low', low), setting('high', high),
				setting('max', max)].join(' ')}\n`;
	text += '\nLRU lists (the page that reclaim meets first comes first)\n';
	for (const { node, cgroup, list, pages: members } of state.lru)
		text += indented(`${state.nodes > 1 ? `node ${node} ` : ''}${cgroup} ${list}: ` +
			members.join(' '), 2);
	if (!state.lru.length)
		text += '  all empty\n';
	text += '\nswap (kB)\n';
	text += state.swaps.map((line) => `  ${line}\n`).join('') || '  none\n';
	return text;
}
