// SPDX-License-Identifier: GPL-2.0-only
/* The files that a program may write (knobs) and read, by the names it uses for them. */
import { didYouMean, oneOf, quoted } from './source.ts';

/** Files of a cgroup that can be written. */
export const CGROUP_KNOBS = ['memory.min', 'memory.low', 'memory.high', 'memory.max',
	'memory.oom.group', 'memory.swap.high', 'memory.swap.max', 'memory.reclaim'] as const;
/** Files of a cgroup that can be read. */
export const CGROUP_FILES = [...CGROUP_KNOBS.filter((k) => k !== 'memory.reclaim'),
	'memory.current', 'memory.stat', 'memory.numa_stat', 'memory.events', 'memory.events.local',
	'memory.swap.current', 'memory.swap.events', 'cgroup.procs'] as const;
/** /proc/sys/vm, as `vm.NAME`. */
export const SYSCTLS = ['vm.swappiness', 'vm.page-cluster', 'vm.watermark_scale_factor',
	'vm.watermark_boost_factor', 'vm.min_free_kbytes', 'vm.overcommit_memory',
	'vm.overcommit_ratio', 'vm.drop_caches', 'vm.compact_memory', 'vm.dirty_ratio',
	'vm.dirty_background_ratio', 'vm.dirty_bytes', 'vm.dirty_background_bytes',
	'vm.laptop_mode', 'vm.max_map_count', 'vm.oom_kill_allocating_task'] as const;
/** Knobs by their whole path. */
export const PATH_KNOBS = ['/sys/kernel/debug/fault_around_bytes',
	'/sys/block/ram1/queue/read_ahead_kb',
	'/sys/kernel/tracing/events/kvm/kvm_age_page/enable',
	'/sys/kernel/tracing/events/kvm/kvm_page_fault/enable'] as const;
/** Files of a task, as `/proc/TASK/NAME`, that can be written. */
export const TASK_KNOBS = ['oom_score_adj'] as const;
/** Those that can be read; pagemap is no text. */
export const TASK_PATHS = ['smaps', 'smaps_rollup', 'maps', 'status', 'statm', 'comm', 'cgroup',
	'oom_score', ...TASK_KNOBS] as const;
/** Files that can be read, by their whole path. */
export const PATHS = ['/proc/vmstat', '/proc/meminfo', '/proc/swaps', '/proc/zoneinfo',
	'/proc/buddyinfo', ...PATH_KNOBS] as const;

/** The lines of memory.stat, in its order. */
export const MEMORY_STAT_KEYS = ['anon', 'file', 'kernel_stack', 'percpu', 'sock', 'shmem',
	'file_mapped', 'file_dirty', 'file_writeback', 'anon_thp', 'inactive_anon', 'active_anon',
	'inactive_file', 'active_file', 'unevictable', 'slab_reclaimable', 'slab_unreclaimable',
	'slab', 'workingset_refault_anon', 'workingset_refault_file', 'workingset_activate_anon',
	'workingset_activate_file', 'workingset_restore_anon', 'workingset_restore_file',
	'workingset_nodereclaim', 'pgfault', 'pgmajfault', 'pgrefill', 'pgscan', 'pgsteal',
	'pgactivate', 'pgdeactivate', 'pglazyfree', 'pglazyfreed', 'thp_fault_alloc',
	'thp_collapse_alloc'] as const;

/** What a path can name. */
export interface Names {
	readonly cgroups: ReadonlySet<string>;
	readonly tasks: ReadonlyMap<string, unknown>;
}

/* `A/B/memory.high` apart; undefined if it has no slash or starts with one. */
function inCgroup(path: string): { cgroup: string; file: string } | undefined {
	const at = path.lastIndexOf('/');

	return at > 0 && !path.startsWith('/')
		? { cgroup: path.slice(0, at), file: path.slice(at + 1) } : undefined;
}

/** `/proc/TASK/FILE` apart; undefined for another path. A task may be called as a file is. */
export function inTask(path: string): { task: string; file: string } | undefined {
	const match = /^\/proc\/([A-Za-z_][\w-]*)\/([a-z_]+)$/.exec(path);

	return match ? { task: match[1]!, file: match[2]! } : undefined;
}

function check(
	path: string, { cgroups, tasks }: Names, files: readonly string[],
	paths: readonly string[], taskFiles: readonly string[], what: string,
): string | undefined {
	const parts = inCgroup(path), ofTask = inTask(path);

	if (ofTask) {
		const { task, file } = ofTask;
		if (!tasks.has(task))
			return `task ${quoted(task)} does not exist; expected ` +
				(tasks.size ? oneOf([...tasks.keys()]) : "a 'task NAME' before") +
				didYouMean(task, tasks.keys());
		return taskFiles.includes(file) ? undefined
			: `${quoted(file)} is no ${what} of a task; expected ${oneOf(taskFiles)}` +
				didYouMean(file, taskFiles);
	}
	if (parts) {
		const { cgroup, file } = parts;
		if (!cgroups.has(cgroup))
			return `cgroup ${quoted(cgroup)} does not exist; expected ` +
				(cgroups.size ? oneOf([...cgroups]) : "a 'cgroup NAME' before") +
				didYouMean(cgroup, cgroups);
		return files.includes(file) ? undefined
			: `${quoted(file)} is no ${what} of a cgroup; expected ${oneOf(files)}` +
				didYouMean(file, files);
	}
	if (paths.includes(path))
		return undefined;
	return `${quoted(path)} is no ${what}; expected CGROUP/FILE or one of ${oneOf(paths)}` +
		didYouMean(path, paths);
}

/** What is wrong with a knob's name, undefined if nothing is. */
export function checkKnob(path: string, names: Names): string | undefined {
	return check(path, names, CGROUP_KNOBS, [...SYSCTLS, ...PATH_KNOBS], TASK_KNOBS, 'knob');
}

/** What is wrong with the name of a file to read. */
export function checkReadable(path: string, names: Names): string | undefined {
	return check(path, names, CGROUP_FILES, [...SYSCTLS, ...PATHS], TASK_PATHS,
		'file that can be read');
}

/** Whether a word that begins a line was meant as a knob. */
export function isKnobLike(word: string): boolean {
	return /^(?:vm\.|\/|[\w-]+(?:\/[\w-]+)*\/memory\.)/.test(word);
}

const BYTES = /^(?:max|\d{1,15}[kKmMgGtT]?|0x[0-9a-fA-F]{1,13})$/;
const NUMBER = /^-?\d{1,15}$/;

/**
 * What is wrong with the form of a knob's value. Whether the kernel takes it shows when it runs.
 */
export function checkValue(path: string, value: string): string | undefined {
	const bytes = inCgroup(path)?.file !== 'memory.oom.group' && inCgroup(path);

	if ((bytes ? BYTES : NUMBER).test(value))
		return undefined;
	return `${quoted(value)} is no value of ${path}; expected ` +
		(bytes ? "bytes (64M, 262144) or 'max'" : 'a number');
}

/** The path of the file as the machine has it. */
export function filePath(path: string): string {
	if (path.startsWith('vm.'))
		return `/proc/sys/vm/${path.slice(3)}`;
	return path.startsWith('/') ? path : `/sys/fs/cgroup/${path}`;
}
