// SPDX-License-Identifier: GPL-2.0-only
/*
 * The litmus language: text to a checked program. Everything that can be wrong without running it
 * is found here, so that a wrong program never half runs. docs/litmus.md is its manual.
 */
import { CALLBACKS } from '../../kvm/notifier_log.ts';
import { RAM_BYTES_MAX, DISK_BYTES_MAX } from '../../lib/arena.ts';
import { POINTS, point, type PointName } from '../../lib/points.ts';
import { RAM_BYTES_MIN } from '../../mm/mm_init.ts';
import { MAX_NUMNODES, NR_CPUS } from '../../mm/mmzone.ts';
import { TRACE_EVENTS } from '../../mm/trace_vmscan.ts';
import { FILES_PAGES, SWAP_BYTES_DEFAULT } from '../disks.ts';
import { KernelNameError, findCommit } from '../kernels.ts';
import { ADVICE, FILE_ADVICE, OUTCOME_NAMES, PAGE_COUNTS, SLOTS_MAX, SPTE_COUNTS,
	type Action, type Expectation, type FileRef, type Guard, type MachineSettings,
	type PageCount, type Program, type Protection, type RangeRef, type Statement }
	from './ast.ts';
import { DEVICE_WORDS, ProgramDevices } from './devices.ts';
import { MEMORY_STAT_KEYS, checkKnob, checkReadable, checkValue, inTask, isKnobLike, type Names }
	from './knobs.ts';
import { LitmusError, didYouMean, oneOf, quoted, type Span } from './source.ts';
import { Cursor, lines, type Word } from './words.ts';

const MiB = 1024 * 1024;
const PAGE = 4096;
/** Limits of a program, so that no text makes the parser slow or large. */
export const STATEMENTS_MAX = 10_000, SOURCE_BYTES_MAX = 1024 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_-]*$/;
const NAME_MAX = 15;		/* TASK_COMM_LEN - 1 */
const CGROUP_DEPTH_MAX = 8;
const NAME_EXPECTED = `a letter or _, then letters, digits, _ or -, at most ${NAME_MAX}`;

interface FileInfo { slot: number; pages: number; disk: boolean }
interface MappingInfo { slot: number; pages: number }
interface TaskInfo { slot: number; mappings: Map<string, MappingInfo> }

const STATEMENTS = ['machine', 'cgroup', 'rmdir', 'memfd', 'file', 'close', 'truncate', 'fsync',
	'sync', 'complete', 'swapon', 'swapoff', 'task', 'drain', 'compact', 'reclaim', 'show',
	'stat', 'trace', 'notifiers', 'expect', 'cat', 'at',
	...DEVICE_WORDS];
const TASK_STATEMENTS = ['mmap', 'munmap', 'mremap', 'read', 'write', 'mprotect', 'madvise',
	'mlock', 'munlock', 'mlockall', 'munlockall', 'pread', 'pwrite', 'fadvise', 'migrate',
	'idle', 'clear_refs', 'fork', 'exit', 'move'];
/* The name of the machine's own swap device in swapon and swapoff. */
const SWAP = 'swap';
/* Devices for swap besides: /dev/ram2 and /dev/ram3 of the four that brd makes unless told more. */
const SWAPS_MAX = 2;
/* Pages of all files on the disk: what a file system of 64 MiB has room for besides its own. */
const FILE_PAGES_MAX = 15_000;
const SWAP_PRIO_MAX = 32767;
/* Names that would make a line hard to read. */
const RESERVED = new Set([...STATEMENTS, ...TASK_STATEMENTS, 'init', 'anon',
	'value', 'errno', SWAP]);
const CALLBACK_NAMES = CALLBACKS.filter((name) => name !== '');
/* Points that are about no one page. */
const PAGELESS: readonly PointName[] = ['isolate_lru_pages.return', 'try_to_unmap_flush',
	'shrink_inactive_list.putback', 'shrink_active_list.putback'];

class Parser {
	readonly #file: string;
	readonly #cgroups = new Set<string>();
	/* memfds, and files on the disk */
	readonly #memfds = new Map<string, FileInfo>();
	/* devices for swap, by name; on: swapon was the last said of it */
	readonly #swaps = new Map<string, { minor: number; on: boolean }>();
	#filePages = 0;
	/* bytes of block devices that the program has so far */
	#deviceBytes = 0;
	readonly #tasks = new Map<string, TaskInfo>();
	readonly #taskNames: string[] = [];
	/* The tasks that have a mapping of a name. */
	readonly #owners = new Map<string, Set<string>>();
	readonly #mappingNames: string[] = [];
	readonly #devices = new ProgramDevices({
		newName: (c, what) => this.#newName(c, what, (n) => this.#tasks.has(n) ||
			this.#devices.has(n)),
		taskSlot: (c, word, name) => this.#tasks.get(name)?.slot ?? c.fail(word,
			`task ${quoted(name)} does not exist; expected ` + (this.#tasks.size
			? oneOf([...this.#tasks.keys()]) : "a 'task NAME' before")),
		taskOfSlot: (slot) =>
			[...this.#tasks].find(([, task]) => task.slot === slot)?.[0],
		range: (c, task) => this.#range(c, task),
		number: (c, low, high) => this.#number(c, low, high),
	});
	#hooks = 0;
	#memfdSlots = 0;
	#machine: MachineSettings = {};
	/* 'machine' must come before anything that runs. */
	#started = false;

	constructor(file: string) {
		this.#file = file;
	}

	program(source: string): Program {
		const statements: Statement[] = [];

		for (const { words, text } of lines(source, this.#file)) {
			const cursor = new Cursor(this.#file, words);
			const statement = this.#line(cursor, text);
			if (statement && statements.push(statement) > STATEMENTS_MAX)
				cursor.fail(words[0]!,
					`more than ${STATEMENTS_MAX} statements; ` +
					`expected at most so many`);
		}
		return {
			file: this.#file, hash: textHash(source), machine: this.#machine,
				statements,
			taskNames: this.#taskNames, mappingNames: this.#mappingNames,
			slots: { tasks: this.#taskNames.length, mappings: this.#mappingNames.length,
				memfds: this.#memfdSlots, hooks: this.#hooks },
		};
	}

	#line(c: Cursor, text: string): Statement | undefined {
		const first = c.here();
		const guards = this.#guards(c);
		const word = c.peek();

		if (word?.text === 'machine') {
			if (this.#started || guards.length)
				c.fail(word, guards.length
					? "'machine' cannot have a guard; " +
					"expected it plain, once, first"
					: "'machine' stands after a statement; " +
					"expected it once, first");
			c.take('machine');
			this.#machine = this.#settings(c);
			this.#start();
			return undefined;
		}
		if (!this.#started)
			this.#start();
		return this.#statement(c, first, text, guards, false);
	}

	/* The machine is known. */
	#start(): void {
		const { swap = SWAP_BYTES_DEFAULT } = this.#machine;

		this.#started = true;
		this.#deviceBytes = swap;
		if (swap)
			this.#swaps.set(SWAP, { minor: 0, on: true });
	}

	#statement(
		c: Cursor, first: Span, text: string, before: readonly Guard[], hooked: boolean,
	): Statement {
		const word = c.peek() ?? c.take('a statement');
		let task: string | undefined;

		const device = c.peek(1)?.text === ':' && this.#devices.has(word.text);
		if (device) {
			c.take('a device');
			c.require(':');
		} else if (c.peek(1)?.text === ':' && word.text !== 'at') {
			task = this.#taskName(c);
			c.require(':');
		}
		const guards = [...before];
		const taskSlot = task === undefined ? undefined : this.#tasks.get(task)!.slot;
		const action = device ? this.#devices.statement(c, word) : task === undefined
			? this.#plain(c, guards, hooked)
			: this.#ofTask(c, task, guards, hooked);
		c.end();
		/* A statement can go over several lines; its span is that of the first. */
		const last = c.words.findLast(({ line }) => line === first.line)!;
		return {
			...action, guards, text,
			span: { line: first.line, column: first.column, endColumn: last.endColumn },
			...(task === undefined ? {} : { task, taskSlot }),
		} as Statement;
	}

	/* [-013339df116c +feb889fb40fa] */
	#guards(c: Cursor): Guard[] {
		const guards: Guard[] = [];

		while (/^\[[+-]/.test(c.peek()?.text ?? '')) {
			for (let open = true, start = true; open; start = false) {
				const word = c.take("']' after the guard");
				const match = /^(\[?)([+-])([^[\]]*)(\]?)$/.exec(word.text);
				if (!match || (match[1] !== '') !== start)
					c.fail(word,
						`${quoted(word.text)} is no guard; ` +
						`expected [+ID], [-ID] or [+ID -ID]`);
				const guard = { has: match[2] === '+',
					commit: this.#commit(c, word, match[3]!) };
				if (guards.some(({ commit }) => commit === guard.commit))
					c.fail(word,
						`commit ${match[3]} is in the guard already; ` +
						'expected each commit once');
				guards.push(guard);
				open = !match[4];
			}
		}
		return guards;
	}

	#commit(c: Cursor, word: Word, id: string): number {
		try {
			return findCommit(id);
		} catch (error) {
			if (error instanceof KernelNameError)
				c.fail(word, error.message);
			throw error;
		}
	}

	#settings(c: Cursor): MachineSettings {
		const settings: Record<string, number | boolean | string> = {};
		const keys = ['ram', 'swap', 'cpus', 'nodes', 'io', 'pcid', 'seed'];

		while (!c.done) {
			const word = c.take('key=value');
			const match = /^([^=]*)=(.*)$/.exec(word.text);
			const key = match?.[1] ?? word.text, value = match?.[2] ?? '';
			if (!keys.includes(key))
				c.fail(word,
					`${quoted(key)} is no setting of a machine; ` +
					`expected ${oneOf(keys)}` +
					didYouMean(key, keys));
			if (key in settings)
				c.fail(word,
					`${quoted(key)} is set twice; expected each setting once`);
			settings[key] = this.#setting(c, word, key, value);
		}
		return settings as MachineSettings;
	}

	#setting(c: Cursor, word: Word, key: string, value: string): number | boolean | string {
		const bounded = (
			low: number, high: number, n: number | undefined, what: string) => {
			if (n === undefined || n < low || n > high)
				c.fail(word,
					`${quoted(word.text)} stands here; ` +
					`expected ${key}= ${what}`);
			return n;
		};
		switch (key) {
		case 'ram': return bounded(RAM_BYTES_MIN, RAM_BYTES_MAX, size(value, PAGE),
			`${RAM_BYTES_MIN / MiB}M to ${RAM_BYTES_MAX / MiB}M in steps of 4K`);
		case 'swap': return bounded(0, DISK_BYTES_MAX, size(value, PAGE),
			`0 to ${DISK_BYTES_MAX / MiB}M in steps of 4K`);
		case 'cpus': return bounded(1, NR_CPUS, integer(value), `1 to ${NR_CPUS}`);
		case 'nodes': return bounded(
			1, MAX_NUMNODES, integer(value), `1 to ${MAX_NUMNODES}`);
		case 'io':
			if (value !== 'now' && value !== 'later')
				c.fail(word, `${quoted(word.text)} stands here; ` +
					'expected io=now or io=later');
			return value;
		case 'seed': return bounded(0, 2 ** 31 - 1, integer(value), '0 to 2147483647');
		default: return bounded(0, 1, integer(value), '0 or 1') === 1;
		}
	}

	#plain(c: Cursor, guards: Guard[], hooked: boolean): Action {
		const word = c.take('a statement');

		if (hooked)
			c.fail(word,
				`${quoted(word.text)} cannot run at a point; ` +
				`expected a task's statement`);
		if (c.peek()?.text === '=')
			return this.#knob(c, word);
		switch (word.text) {
		case 'cgroup': return { kind: 'cgroup', path: this.#newCgroup(c, guards) };
		case 'rmdir': {
			this.#declares(c, word, guards);
			const at = c.here();
			const path = this.#cgroup(c, false);
			if ([...this.#cgroups].some((p) => p.startsWith(`${path}/`)))
				c.fail(at,
					`cgroup ${path} has children; expected them removed first`);
			this.#cgroups.delete(path);
			return { kind: 'rmdir', path };
		}
		case 'memfd': return this.#memfd(c, word, guards);
		case 'file': return this.#diskFile(c, word, guards);
		case 'truncate': {
			const { name, slot, pages } = this.#memfdRef(c);
			return { kind: 'truncate', name, slot, pages: this.#number(c, 0, pages) };
		}
		case 'fsync': {
			const { name, slot } = this.#memfdRef(c, true);
			return { kind: 'fsync', name, slot };
		}
		case 'sync': return { kind: 'sync' };
		case 'complete': return { kind: 'complete', ...(c.done ? {}
			: { requests: this.#number(c, 1, 2 ** 31 - 1) }) };
		case 'swapon': return this.#swapon(c, guards);
		case 'swapoff': {
			const at = c.here();
			const { name, info } = this.#swapRef(c);
			/* under a guard, some kernels have it on still */
			if (!info.on && !guards.length)
				c.fail(at, `swap device ${name} is off already; ` +
					"expected 'swapon' before");
			info.on &&= guards.length !== 0;
			return { kind: 'swapoff', name, minor: info.minor };
		}
		case 'compact': return { kind: 'compact' };
		case 'close': {
			this.#declares(c, word, guards);
			const { name, slot } = this.#memfdRef(c);
			this.#memfds.delete(name);
			return { kind: 'close', name, slot };
		}
		case 'task': return this.#task(c, word, guards);
		case 'drain': return { kind: 'drain' };
		case 'reclaim':
			return { kind: 'reclaim', cgroup: this.#cgroup(c, true),
				pages: this.#pages(c) };
		case 'show':
			if (this.#devices.isGuest(c.peek()))
				return { kind: 'showguest', guest: this.#devices.guest(c) };
			return this.#isFile(c)
				? { kind: 'cached', file: this.#fileRange(c, true) }
				: { kind: 'show', range: this.#range(c) };
		case 'vm': case 'sva': case 'mirror': case 'pin': case 'zapper':
			this.#declares(c, word, guards);
			return this.#devices.declaration(c, word);
		case 'stat': return this.#stat(c);
		case 'trace': return { kind: 'trace' };
		case 'notifiers': return { kind: 'notifiers', ...this.#devices.named(c),
			only: this.#callbacks(c) };
		case 'expect': {
			guards.push(...this.#guards(c));
			return { kind: 'expect', expectation: this.#expectation(c) };
		}
		case 'cat': {
			const path = c.take('a path');
			this.#check(c, path, checkReadable(path.text, this.#names));
			return { kind: 'cat', path: path.text, ...this.#taskOf(path.text) };
		}
		case 'at': return this.#at(c);
		case 'machine': return c.fail(
			word, "'machine' stands after a statement; expected it first");
		}
		return this.#noStatement(c, word);
	}

	/* Say what is wrong with a line that begins with no statement. */
	#noStatement(c: Cursor, word: Word): never {
		const colon = /^([A-Za-z_][\w-]*):(.+)$/.exec(word.text);

		if (colon)
			c.fail(word, `no blank after ${quoted(`${colon[1]}:`)}; expected ` +
				`'${colon[1]}: ${colon[2]} ...'`);
		if (isKnobLike(word.text))
			c.fail(word, word.text.includes('=')
				? `no blanks around the '='; ` +
				`expected '${word.text.replace(/=/, ' = ')}'`
				: `${quoted(word.text)} is no statement; ` +
				`expected '${word.text} = VALUE' or ` +
					`'cat ${word.text}'`);
		if (TASK_STATEMENTS.includes(word.text))
			c.fail(word,
				`${quoted(word.text)} is a task's statement; ` +
				`expected 'TASK: ${word.text} ...'`);
		return c.fail(
			word, `${quoted(word.text)} is no statement; ` +
			`expected ${oneOf(STATEMENTS)}, ` +
			`'TASK: STATEMENT' or 'KNOB = VALUE'` +
			didYouMean(word.text, [...STATEMENTS, ...TASK_STATEMENTS]));
	}

	#check(c: Cursor, word: Word, problem: string | undefined): void {
		if (problem)
			c.fail(word, problem);
	}

	/* A name that only some kernels' runs would have cannot be checked. */
	#declares(c: Cursor, word: Word, guards: readonly Guard[]): void {
		if (guards.length)
			c.fail(word,
				`${quoted(word.text)} under a guard; ` +
				`expected no guard before what declares ` +
				'or removes a name');
	}

	#newName(c: Cursor, what: string, taken: (name: string) => boolean): string {
		const word = c.take(`the name of a ${what}`);

		this.#isName(c, word);
		if (taken(word.text))
			c.fail(word, `${what} ${word.text} exists already; expected another name`);
		return word.text;
	}

	#isName(c: Cursor, word: Word): void {
		if (!NAME.test(word.text) || word.text.length > NAME_MAX)
			c.fail(word, `${quoted(word.text)} is no name; expected ${NAME_EXPECTED}`);
		if (RESERVED.has(word.text))
			c.fail(word,
				`'${word.text}' is a word of the language; expected another name`);
	}

	#newCgroup(c: Cursor, guards: readonly Guard[]): string {
		const word = c.take('the path of a cgroup');

		this.#declares(c, word, guards);
		const parts = word.text.split('/');
		if (!parts.every((part) => NAME.test(part) && part.length <= NAME_MAX)
		    || parts.length > CGROUP_DEPTH_MAX)
			c.fail(word,
				`${quoted(word.text)} is no cgroup path; ` +
				`expected names joined by /, ` +
				`each at most ${NAME_MAX} characters, at most ` +
				`${CGROUP_DEPTH_MAX} levels`);
		if (this.#cgroups.has(word.text))
			c.fail(word, `cgroup ${word.text} exists already; expected another path`);
		const parent = parts.slice(0, -1).join('/');
		if (parent && !this.#cgroups.has(parent))
			c.fail(word,
				`cgroup ${parent} does not exist; ` +
				`expected 'cgroup ${parent}' before`);
		this.#cgroups.add(word.text);
		return word.text;
	}

	#cgroup(c: Cursor, root: boolean): string {
		const word = c.take(root ? "a cgroup, or '/'" : 'a cgroup');

		this.#isCgroup(c, word, word.text, root);
		return word.text;
	}

	#isCgroup(c: Cursor, word: Word, path: string, root = false): void {
		if (root && path === '/' || this.#cgroups.has(path))
			return;
		const known = [...this.#cgroups, ...(root ? ['/'] : [])];
		c.fail(word, `cgroup ${quoted(path)} does not exist; expected ` +
			(known.length ? oneOf(known) : "a 'cgroup NAME' before") +
			didYouMean(path, known));
	}

	#memfd(c: Cursor, word: Word, guards: readonly Guard[]): Action {
		this.#declares(c, word, guards);
		const name = this.#newName(c, 'memfd', (n) => this.#memfds.has(n));
		const pages = this.#pages(c);
		const slot = this.#memfdSlots++;

		this.#memfds.set(name, { slot, pages, disk: false });
		return { kind: 'memfd', name, pages, slot };
	}

	#diskFile(c: Cursor, word: Word, guards: readonly Guard[]): Action {
		this.#declares(c, word, guards);
		const name = this.#newName(c, 'file', (n) => this.#memfds.has(n));
		const at = c.here();
		const pages = this.#pages(c);
		const slot = this.#memfdSlots++;

		if (!this.#filePages)
			this.#device(c, at, FILES_PAGES * PAGE, 'the file system');
		this.#filePages += pages;
		if (this.#filePages > FILE_PAGES_MAX)
			c.fail(at, `the files have ${this.#filePages} pages together; ` +
				`expected at most ${FILE_PAGES_MAX}`);
		this.#memfds.set(name, { slot, pages, disk: true });
		return { kind: 'file', name, pages, slot };
	}

	/* One more block device. */
	#device(c: Cursor, at: Span, bytes: number, what: string): void {
		this.#deviceBytes += bytes;
		if (this.#deviceBytes > DISK_BYTES_MAX)
			c.fail(at, `${what} takes ${bytes / MiB}M, all block devices ` +
				`together ${this.#deviceBytes / MiB}M; expected at most ` +
				`${DISK_BYTES_MAX / MiB}M, less swap`);
	}

	#memfdRef(c: Cursor, disk = false): FileInfo & { name: string } {
		const what = disk ? 'file' : 'memfd';
		const word = c.take(disk ? 'a file' : 'a memfd or file');
		const known = [...this.#memfds].filter(([, info]) => info.disk || !disk)
			.map(([name]) => name);
		const info = this.#memfds.get(word.text);

		if (!info || (disk && !info.disk))
			c.fail(word, `${what} ${quoted(word.text)} does not exist; expected ` +
				(known.length ? oneOf(known) : `a '${what} NAME PAGES' before`) +
				didYouMean(word.text, known));
		return { name: word.text, ...info };
	}

	/* Whether what comes is a file on the disk, or pages of one, and no mapping. */
	#isFile(c: Cursor): boolean {
		const name = /^([\w-]+)(?:\[|$)/.exec(c.peek()?.text ?? '')?.[1] ?? '';

		return this.#memfds.get(name)?.disk === true && !this.#owners.get(name)?.size;
	}

	/* f, f[5], f[0..31] */
	#fileRange(c: Cursor, disk: boolean): FileRef {
		const word = c.take('a file, f[5] or f[0..31]');
		const match = /^([A-Za-z_][\w-]*)(?:\[(\d+)(?:\.\.(\d+))?\])?$/.exec(word.text);

		if (!match)
			c.fail(word, `${quoted(word.text)} is no part of a file; ` +
				'expected f, f[5] or f[0..31]');
		const name = match[1]!, info = this.#memfds.get(name);
		const known = [...this.#memfds].filter(([, one]) => one.disk || !disk)
			.map(([one]) => one);
		if (!info || (disk && !info.disk))
			c.fail(word, `file ${quoted(name)} does not exist; expected ` +
				(known.length ? oneOf(known) : "a 'file NAME PAGES' before") +
				didYouMean(name, known));
		const first = match[2] === undefined ? 0 : Number(match[2]);
		const last = match[3] !== undefined ? Number(match[3])
			: match[2] !== undefined ? first : info.pages - 1;
		if (last >= info.pages || first > last)
			c.fail(word, `${quoted(word.text)} is not within ${name}'s ${info.pages} ` +
				`pages; expected 0 to ${info.pages - 1}, the lower first`);
		return { span: word, text: word.text, name, slot: info.slot, first, last,
			whole: match[2] === undefined };
	}

	/* swapon NAME [SIZE] [prio=N] */
	#swapon(c: Cursor, guards: readonly Guard[]): Action {
		const word = c.peek() ?? c.take('a swap device');
		const old = this.#swaps.get(word.text);
		let pages: number | undefined;

		if (!old) {
			this.#declares(c, word, guards);
			this.#newName(c, 'swap device', () => false);
			const at = c.take('its size: 16M');
			const bytes = size(at.text, PAGE);
			if (bytes === undefined || bytes < 2 * PAGE || bytes > DISK_BYTES_MAX)
				c.fail(at, `${quoted(at.text)} stands here; expected the size of ` +
					`swap device ${word.text}: 8K to ` +
					`${DISK_BYTES_MAX / MiB}M in steps of 4K`);
			this.#device(c, at, bytes, `swap device ${word.text}`);
			pages = bytes / PAGE;
		} else {
			c.take('a swap device');
			if (old.on && !guards.length)
				c.fail(word, `swap device ${word.text} is on already; ` +
					"expected 'swapoff' before");
		}
		const prio = c.peek();
		if (prio) {
			c.take('prio=N');
			const n = /^prio=(\d{1,5})$/.exec(prio.text);
			if (!n || Number(n[1]) > SWAP_PRIO_MAX)
				c.fail(prio, `${quoted(prio.text)} stands here; ` +
					`expected prio=0 to prio=${SWAP_PRIO_MAX}, or the end`);
		}
		const further = this.#swaps.size - (this.#swaps.has(SWAP) ? 1 : 0);
		if (!old && further >= SWAPS_MAX)
			c.fail(word, `${word.text} is one swap device too many; ` +
				`expected at most ${SWAPS_MAX} besides the machine's`);
		const info = old ?? { minor: 2 + further, on: true };
		info.on = true;
		this.#swaps.set(word.text, info);
		return { kind: 'swapon', name: word.text, minor: info.minor,
			...(pages === undefined ? {} : { pages }),
			...(prio ? { prio: Number(prio.text.slice('prio='.length)) } : {}) };
	}

	#swapRef(c: Cursor): { name: string; info: { minor: number; on: boolean } } {
		const word = c.take('a swap device');
		const info = this.#swaps.get(word.text);

		if (!info)
			c.fail(word, `swap device ${quoted(word.text)} does not exist; expected ` +
				(this.#swaps.size ? oneOf([...this.#swaps.keys()])
				: "a 'swapon NAME SIZE' before") +
				didYouMean(word.text, this.#swaps.keys()));
		return { name: word.text, info };
	}

	get #names(): Names {
		return { cgroups: this.#cgroups, tasks: this.#tasks };
	}

	/* The task that a path names. */
	#taskOf(path: string): { of?: { name: string; slot: number } } {
		const name = inTask(path)?.task;

		return name === undefined ? {}
			: { of: { name, slot: this.#tasks.get(name)!.slot } };
	}

	#newTask(name: string): TaskInfo {
		const task = { slot: this.#taskNames.push(name) - 1, mappings: new Map() };

		this.#tasks.set(name, task);
		return task;
	}

	#task(c: Cursor, word: Word, guards: readonly Guard[]): Action {
		this.#declares(c, word, guards);
		const name = this.#newName(c, 'task', (n) => this.#tasks.has(n) ||
			this.#devices.has(n));
		let cgroup: string | undefined;

		const setting = c.peek();
		if (setting) {
			c.take('cgroup=PATH');
			const match = /^cgroup=(.+)$/.exec(setting.text);
			if (!match)
				c.fail(setting,
					`${quoted(setting.text)} stands here; ` +
					`expected cgroup=PATH or the end`);
			cgroup = match[1]!;
			this.#isCgroup(c, setting, cgroup);
		}
		const { slot } = this.#newTask(name);
		return { kind: 'task', name, slot, ...(cgroup === undefined ? {} : { cgroup }) };
	}

	#taskName(c: Cursor): string {
		const word = c.take('a task');

		if (!this.#tasks.has(word.text))
			c.fail(word, `task ${quoted(word.text)} does not exist; expected ` +
				(this.#tasks.size ? oneOf([...this.#tasks.keys()])
				: "a 'task NAME' before") +
				didYouMean(word.text, this.#tasks.keys()));
		return word.text;
	}

	#ofTask(c: Cursor, task: string, guards: readonly Guard[], hooked: boolean): Action {
		const word = c.take("a task's statement");
		const info = this.#tasks.get(task)!;

		if (c.peek()?.text === '=') {
			if (hooked)
				c.fail(word,
					"'mmap' declares a name; " +
					"expected a statement that does not");
			this.#declares(c, word, guards);
			return this.#mmap(c, word, task, info);
		}
		switch (word.text) {
		case 'munmap': {
			const range = this.#range(c, task);
			const mapping = info.mappings.get(range.name)!;
			const whole = range.first === 0 && range.last === mapping.pages - 1;
			const forgets = whole && !hooked && guards.length === 0;
			if (forgets)
				this.#forget(task, range.name);
			return { kind: 'munmap', range, forgets };
		}
		case 'mremap': {
			if (hooked)
				c.fail(word,
					"'mremap' changes what a name is; " +
					"expected a statement that does not");
			this.#declares(c, word, guards);
			const at = c.here();
			const range = this.#range(c, task);
			const mapping = info.mappings.get(range.name)!;
			if (range.first !== 0 || range.last !== mapping.pages - 1)
				c.fail(at,
					`${range.text} is a part; ` +
					`expected the whole mapping ${range.name}`);
			const pages = this.#pages(c);
			const how = this.#mremapOptions(c, pages, mapping.pages);
			info.mappings.set(range.name, { slot: mapping.slot, pages });
			return { kind: 'mremap', range, pages, ...how };
		}
		case 'mlock': {
			const range = this.#range(c, task);
			return { kind: 'mlock', range, onfault: c.accept('onfault') };
		}
		case 'munlock': return { kind: 'munlock', range: this.#range(c, task) };
		case 'mlockall': {
			const flags = { current: false, future: false, onfault: false };
			do {
				const flag = c.take('current, future or onfault');
				const key = this.#oneOfWords(c, flag, flag.text,
					['current', 'future', 'onfault'], 'flag of mlockall');
				if (flags[key])
					c.fail(flag,
						`${key} stands twice; expected each once`);
				flags[key] = true;
			} while (!c.done);
			return { kind: 'mlockall', ...flags };
		}
		case 'munlockall': return { kind: 'munlockall' };
		case 'pread': return { kind: 'pread', file: this.#fileRange(c, true) };
		case 'pwrite': {
			const file = this.#fileRange(c, true);
			return { kind: 'pwrite', file, value: c.done ? 1 : this.#byte(c) };
		}
		case 'fadvise': {
			const file = this.#fileRange(c, true);
			const advice = c.take('an advice');
			return { kind: 'fadvise', file, advice: this.#oneOfWords(
				c, advice, advice.text, FILE_ADVICE, 'advice about a file') };
		}
		case 'migrate': {
			const range = this.#range(c, task);
			const node = this.#number(c, 0, (this.#machine.nodes ?? 1) - 1);
			return { kind: 'migrate', range, node, all: c.accept('all') };
		}
		case 'idle': {
			const range = this.#range(c, task);
			return { kind: 'idle', range, check: c.accept('check') };
		}
		case 'read': {
			const ranges = this.#ranges(c, task);
			return { kind: 'read', ranges };
		}
		case 'write': {
			const ranges = this.#ranges(c, task);
			const value = c.done ? 1 : this.#byte(c);
			return { kind: 'write', ranges, value };
		}
		case 'mprotect':
			return { kind: 'mprotect', range: this.#range(c, task),
				protection: this.#protection(c) };
		case 'madvise': {
			const range = this.#range(c, task);
			const advice = c.take('an advice');
			const known = ADVICE.find((a) => a === advice.text);
			if (!known)
				c.fail(advice,
					`${quoted(advice.text)} is no advice; ` +
					`expected ${oneOf(ADVICE)}` +
					didYouMean(advice.text, ADVICE));
			return { kind: 'madvise', range, advice: known };
		}
		case 'clear_refs': return { kind: 'clear_refs', what: c.done ? 1
			: this.#number(c, 1, 5) };
		case 'fork': {
			if (hooked)
				c.fail(word,
					"'fork' declares a name; " +
					"expected a statement that does not");
			this.#declares(c, word, guards);
			const name = this.#newName(c, 'task', (n) => this.#tasks.has(n));
			const { slot: child } = this.#newTask(name);
			const inherits: [number, number][] = [];
			for (const [mapping, { slot, pages }] of info.mappings)
				inherits.push(
					[slot, this.#newMapping(c, word, name, mapping, pages)]);
			return { kind: 'fork', name, slot: child, inherits };
		}
		case 'exit':
			if (hooked)
				c.fail(word,
					"'exit' removes a name; " +
					"expected a statement that does not");
			this.#declares(c, word, guards);
			for (const name of info.mappings.keys())
				this.#forget(task, name);
			this.#tasks.delete(task);
			return { kind: 'exit' };
		case 'move': return { kind: 'move', cgroup: this.#cgroup(c, true) };
		}
		return c.fail(word, `${quoted(word.text)} is no statement of a task; expected ` +
			`${oneOf(TASK_STATEMENTS)}` +
			(word.text.includes('=') ? "; blanks stand around an '='"
				: didYouMean(word.text, TASK_STATEMENTS)));
	}

	/* [inplace] [dontunmap] [at=ADDRESS] */
	#mremapOptions(
		c: Cursor, pages: number, oldPages: number,
	): { mayMove: boolean; dontUnmap: boolean; address?: number } {
		let mayMove = true, dontUnmap = false, address: number | undefined;

		while (!c.done) {
			const option = c.take('inplace, dontunmap or at=ADDRESS');
			const at = /^at=(.*)$/.exec(option.text);
			const n = at ? integer(at[1]!) : undefined;
			if (option.text === 'inplace' && mayMove && !dontUnmap &&
			    address === undefined)
				mayMove = false;
			else if (option.text === 'dontunmap' && mayMove && !dontUnmap)
				dontUnmap = true;
			else if (n !== undefined && isPlace(n, pages) && mayMove &&
			         address === undefined)
				address = n;
			else
				c.fail(option, `${quoted(option.text)} stands here; expected ` +
					'inplace alone, or dontunmap and at=ADDRESS ' +
					'(a page-aligned user address), each once');
			if (dontUnmap && pages !== oldPages)
				c.fail(option, `dontunmap of ${oldPages} pages to ${pages}; ` +
					'expected as many pages as there are');
		}
		return { mayMove, dontUnmap, ...(address === undefined ? {} : { address }) };
	}

	#newMapping(c: Cursor, word: Word, task: string, name: string, pages: number): number {
		const slot = this.#mappingNames.push(`${task}.${name}`) - 1;

		if (slot >= SLOTS_MAX)
			c.fail(word,
				`more than ${SLOTS_MAX} mappings in the program, those that ` +
				`children ` +
				'inherit with them; expected at most so many');
		this.#tasks.get(task)!.mappings.set(name, { slot, pages });
		const owners = this.#owners.get(name);
		if (owners)
			owners.add(task);
		else
			this.#owners.set(name, new Set([task]));
		return slot;
	}

	/* A mapping is gone, by munmap or with its task. */
	#forget(task: string, name: string): void {
		this.#tasks.get(task)!.mappings.delete(name);
		this.#owners.get(name)!.delete(task);
	}

	/* m = mmap f 64 rw shared [offset=N] [at=ADDRESS] */
	#mmap(c: Cursor, word: Word, task: string, info: TaskInfo): Action {
		this.#isName(c, word);
		if (info.mappings.has(word.text))
			c.fail(word,
				`mapping ${word.text} exists already; expected it unmapped first`);
		c.require('=');
		c.require('mmap');
		const source = c.peek();
		const memfd = c.accept('anon') ? undefined : this.#memfdRef(c);
		const pages = this.#pages(c);
		const protection = this.#protection(c);
		const sharing = c.take("'shared' or 'private'");
		if (sharing.text !== 'shared' && sharing.text !== 'private')
			c.fail(sharing,
				`${quoted(sharing.text)} stands here; ` +
				`expected 'shared' or 'private'`);
		let offset = 0, address: number | undefined;
		while (!c.done) {
			const option = c.take('offset=PAGES or at=ADDRESS');
			const match = /^(offset|at)=(.*)$/.exec(option.text);
			const n = match ? integer(match[2]!) : undefined;
			if (match?.[1] === 'offset' && n !== undefined && n <= 2 ** 31)
				offset = n;
			else if (match?.[1] === 'at' && n !== undefined && isPlace(n, pages))
				address = n;
			else
				c.fail(option,
					`${quoted(option.text)} stands here; ` +
					`expected offset=PAGES or ` +
					'at=ADDRESS (a page-aligned user address)');
		}
		if (memfd && offset + pages > memfd.pages)
			c.fail(source!,
				`${memfd.disk ? 'file' : 'memfd'} ${memfd.name} has ` +
				`${memfd.pages} pages, not ` +
				`${offset + pages}; expected a part of it`);
		if (!memfd && offset)
			c.fail(source!, 'offset= of anonymous memory; ' +
				'expected it of a memfd or file only');
		const slot = this.#newMapping(c, word, task, word.text, pages);
		return { kind: 'mmap', name: word.text, slot, pages, protection,
			shared: sharing.text === 'shared', offset,
			...(memfd ? { memfd: memfd.slot } : {}),
			...(address === undefined ? {} : { address }) };
	}

	#protection(c: Cursor): Protection {
		const word = c.take("'r', 'rw', 'rx', 'rwx' or 'none'");

		if (!/^(?:r?w?x?|none)$/.test(word.text))
			c.fail(word,
				`${quoted(word.text)} is no protection; ` +
				`expected r, rw, rx, rwx or none`);
		const has = (letter: string) => word.text !== 'none' && word.text.includes(letter);
		return { read: has('r'), write: has('w'), exec: has('x') };
	}

	#number(c: Cursor, low: number, high: number): number {
		const word = c.take(`a number from ${low} to ${high}`);
		const n = integer(word.text);

		if (n === undefined || n < low || n > high)
			c.fail(word,
				`${quoted(word.text)} stands here; ` +
				`expected a number from ${low} to ${high}`);
		return n;
	}

	#byte(c: Cursor): number {
		return this.#number(c, 0, 255);
	}

	#pages(c: Cursor): number {
		return this.#number(c, 1, RAM_BYTES_MAX / PAGE);
	}

	/* One range or more, up to the end or a number. */
	#ranges(c: Cursor, task: string): RangeRef[] {
		const ranges = [this.#range(c, task, true)];

		while (!c.done && !/^\d/.test(c.peek()!.text))
			ranges.push(this.#range(c, task, true));
		return ranges;
	}

	/* [TASK.]NAME, [TASK.]NAME[i], [TASK.]NAME[i..j] */
	#range(c: Cursor, task?: string, descending = false): RangeRef {
		const word = c.take('a mapping, m[5], m[0..31] or TASK.m');
		const match =
			/^(?:([A-Za-z_][\w-]*)\.)?([A-Za-z_][\w-]*)(?:\[(\d+)(?:\.\.(\d+))?\])?$/
			.exec(word.text);

		if (!match)
			c.fail(word,
				`${quoted(word.text)} is no range of pages; ` +
				`expected m, m[5], m[0..31] ` +
				'or TASK.m');
		const name = match[2]!;
		const owner = this.#owner(c, word, name, match[1] ?? task);
		const { slot, pages } = this.#tasks.get(owner)!.mappings.get(name)!;
		const first = match[3] === undefined ? 0 : Number(match[3]);
		const last = match[4] !== undefined ? Number(match[4])
			: match[3] !== undefined ? first : pages - 1;
		if (Math.max(first, last) >= pages)
			c.fail(word,
				`page ${Math.max(first, last)} is beyond ${name}'s ${pages} ` +
				`pages; ` +
				`expected 0 to ${pages - 1}`);
		if (first > last && !descending)
			c.fail(word,
				`${first}..${last} is descending; expected the lower page first`);
		if (task !== undefined && match[1] !== undefined && match[1] !== task)
			c.fail(word,
				`${word.text} belongs to ${match[1]}; ` +
				`expected a mapping of ${task}`);
		return { span: word, text: word.text, task: owner, name, slot, first, last };
	}

	/* The task that has the mapping: the one named, or the only one. */
	#owner(c: Cursor, word: Word, name: string, named: string | undefined): string {
		if (named !== undefined) {
			const task = this.#tasks.get(named);
			if (!task)
				c.fail(word, `task ${named} does not exist` +
					`${didYouMean(named, this.#tasks.keys())}; ` +
					`expected a live task before the '.'`);
			if (!task.mappings.has(name))
				c.fail(word, `${named} has no mapping ${name}; expected ` +
					(task.mappings.size ? oneOf([...task.mappings.keys()])
						: `'${named}: ${name} = mmap ...' before`) +
					didYouMean(name, task.mappings.keys()));
			return named;
		}
		const owners = [...this.#owners.get(name) ?? []];
		if (owners.length === 1)
			return owners[0]!;
		if (owners.length)
			c.fail(word, `several tasks have a mapping ${name}; expected ` +
				oneOf(owners.map((task) => `${task}.${name}`)));
		const known = [...this.#owners].flatMap(([mapping, tasks]) => tasks.size ? [mapping]
			: []);
		return c.fail(word, `no task has a mapping ${name}; expected ` +
			(known.length ? oneOf(known) : `'TASK: ${name} = mmap ...' before`) +
			didYouMean(name, known));
	}

	/* CGROUP/FILE = VALUE, vm.NAME = VALUE, /PATH = VALUE */
	#knob(c: Cursor, path: Word): Action {
		this.#check(c, path, checkKnob(path.text, this.#names));
		c.require('=');
		const value = c.take('a value');
		this.#check(c, value, checkValue(path.text, value.text));
		return { kind: 'knob', path: path.text, value: value.text,
			...this.#taskOf(path.text) };
	}

	#stat(c: Cursor): Action {
		const cgroup = this.#cgroup(c, false);
		const keys: string[] = [];

		if (c.peek()?.text === 'all' && !c.peek(1)) {
			c.take('all');
			return { kind: 'stat', cgroup, keys: MEMORY_STAT_KEYS };
		}
		while (!c.done) {
			const word = c.take('a key of memory.stat');
			keys.push(this.#oneOfWords(c, word, word.text, MEMORY_STAT_KEYS,
				'key of memory.stat'));
		}
		return { kind: 'stat', cgroup, keys };
	}

	#oneOfWords<T extends string>(
		c: Cursor, word: Word, text: string, known: readonly T[], what: string,
	): T {
		const found = known.find((one) => one === text);

		if (found === undefined)
			c.fail(word, `${quoted(text)} is no ${what}; expected ${oneOf(known)}` +
				didYouMean(text, known));
		return found;
	}

	#expectation(c: Cursor): Expectation {
		const word = c.peek() ?? c.take('what is expected');

		switch (word.text) {
		case 'stat':
			c.take('stat');
			return { of: 'stat', cgroup: this.#cgroup(c, false),
				keys: this.#keyValues(c, (at, key) =>
					this.#oneOfWords(
					c, at, key, MEMORY_STAT_KEYS, 'key of memory.stat')) };
		case 'trace':
			return this.#expectTrace(c);
		case 'notifiers':
			return this.#expectNotifiers(c);
		case 'value': {
			c.take('value');
			const range = this.#range(c);
			c.require('=');
			return { of: 'value', range, value: this.#byte(c) };
		}
		case 'errno': {
			c.take('errno');
			const name = c.take("an errno's name, or OK");
			return { of: 'errno',
				name: this.#oneOfWords(
				c, name, name.text, OUTCOME_NAMES, 'errno or signal') };
		}
		}
		if (this.#devices.isGuest(word)) {
			const guest = this.#devices.guest(c);
			return { of: 'spte', guest, counts: this.#keyValues(c, (at, key) =>
				this.#oneOfWords(c, at, key, SPTE_COUNTS,
					"property of a guest's pages")) };
		}
		if (this.#isFile(c)) {
			const file = this.#fileRange(c, true);
			const [{ value }] = this.#keyValues(c, (at, key, n) => {
				this.#oneOfWords(c, at, key, ['cached'], 'property of a file');
				if (n > file.last - file.first + 1)
					c.fail(at, `${file.text} has ` +
						`${file.last - file.first + 1} pages; ` +
						'expected at most so many');
				return key;
			}) as [{ key: string; value: number }];
			return { of: 'cached', file, value };
		}
		const range = this.#range(c);
		const first = c.peek() ?? c.take('present=N, or present, !active, ...');
		if (first.text.includes('='))
			return { of: 'counts', range, counts: this.#counts(c, range) };
		const flags: { key: PageCount; set: boolean }[] = [];
		while (!c.done) {
			const flag = c.take('a property of pages');
			const set = !flag.text.startsWith('!');
			const key = this.#pageCount(c, flag, set ? flag.text : flag.text.slice(1));
			if (flags.some((other) => other.key === key))
				c.fail(flag, `${key} stands twice; expected each property once`);
			flags.push({ key, set });
		}
		return { of: 'flags', range, flags };
	}

	#counts(c: Cursor, range: RangeRef): { key: PageCount; value: number }[] {
		const pages = range.last - range.first + 1;

		return this.#keyValues(c, (word, key, value) => {
			const known = this.#pageCount(c, word, key);
			if (value > pages)
				c.fail(word,
					`${range.text} has ${pages} ` +
					`page${pages === 1 ? '' : 's'}, never ` +
					`${quoted(word.text)}; expected at most ${pages}`);
			return known;
		});
	}

	/* expect trace [EVENT] key=number ...: sums over the lines of the event that has the key */
	#expectTrace(c: Cursor): Expectation {
		c.take('trace');
		const events = TRACE_EVENTS.flatMap((event) => event ? [event] : []);
		const word = c.peek() ?? c.take('an event, or key=number');
		const named = !word.text.includes('=');
		const name = (event: { name: string }) => event.name.replace(/^mm_vmscan_/, '');
		let event: string | undefined;
		if (named) {
			c.take('an event');
			event = this.#oneOfWords(c, word, word.text.replace(/^mm_vmscan_/, ''),
				events.map(name), 'event');
		}
		/* Only numbers can be summed. */
		const fields = events.filter((one) => !named || name(one) === event)
			.flatMap((one) => [{ event: name(one), key: 'lines' }, ...one.fields
				.filter(({ format }) => format === 'd' || format === 'u')
				.map((field) => ({ event: name(one), key: field.name }))]);
		const keys = [...new Set(fields.map(({ key }) => key))];
		const sums: { event: string; key: string; value: number }[] = [];
		this.#keyValues(c, (at, text, value) => {
			const key = this.#oneOfWords(c, at, text, keys, 'number of a trace line');
			const having = fields.filter((one) => one.key === key);
			if (having.length > 1)
				c.fail(at,
					`several events have ${key}; ` +
					`expected one of them before it: ` +
					oneOf(having.map((one) => one.event)));
			sums.push({ event: having[0]!.event, key, value });
			return key;
		});
		return { of: 'trace', sums };
	}

	/* expect notifiers DEVICE CALLBACK ..., CALLBACK=N ... or none */
	#expectNotifiers(c: Cursor): Expectation {
		c.take('notifiers');
		const device = this.#devices.named(c);
		const first = c.peek() ?? c.take('callbacks in their order, callback=N, or none');
		if (first.text.includes('='))
			return { of: 'notifiers', ...device, order: undefined,
				counts: this.#keyValues(c, (at, key) =>
					this.#oneOfWords(c, at, key, CALLBACK_NAMES,
						'callback')) };
		if (first.text === 'none') {
			c.take('none');
			return { of: 'notifiers', ...device, order: [], counts: [] };
		}
		return { of: 'notifiers', ...device, order: this.#callbacks(c), counts: [] };
	}

	/* The rest of the line: names of callbacks. */
	#callbacks(c: Cursor): string[] {
		const names: string[] = [];

		while (!c.done) {
			const word = c.take('a callback');
			names.push(this.#oneOfWords(c, word, word.text, CALLBACK_NAMES,
				'callback'));
		}
		return names;
	}

	/* key=number ...: each key known, and once */
	#keyValues<K extends string>(
		c: Cursor, known: (word: Word, key: string, value: number) => K,
	): { key: K; value: number }[] {
		const found: { key: K; value: number }[] = [];

		do {
			const word = c.take('key=number');
			const match = /^([^=]+)=(.*)$/.exec(word.text);
			const value = match ? integer(match[2]!) : undefined;
			if (!match || value === undefined)
				c.fail(word,
					`${quoted(word.text)} stands here; expected key=number`);
			const key = known(word, match[1]!, value);
			if (found.some((other) => other.key === key))
				c.fail(word, `${key} stands twice; expected each key once`);
			found.push({ key, value });
		} while (!c.done);
		return found;
	}

	#pageCount(c: Cursor, word: Word, key: string): PageCount {
		return this.#oneOfWords(c, word, key, PAGE_COUNTS, 'property of pages');
	}

	/* at POINT [RANGE] : TASK: STATEMENT */
	#at(c: Cursor): Action {
		const word = c.take('a scheduling point');
		const name = this.#oneOfWords(c, word, word.text, POINTS, 'scheduling point');
		const here = c.here();
		const range = c.peek()?.text === ':' ? undefined : this.#range(c);

		if (range && PAGELESS.includes(name))
			c.fail(here,
				`${name} is about no one page; ` +
				`expected ':' and a task's statement`);
		c.require(':', "':' and a task's statement");
		const first = c.here();
		const body = this.#statement(c, first, c.rest(), [], true);
		return { kind: 'at', point: point(name), slot: this.#hooks++, body,
			...(range ? { range } : {}) };
	}
}

/* 52 bits that name a text, by two multiply-xor lanes; not 0. */
function textHash(text: string): number {
	let low = 0x811c9dc5 | 0, high = 0x9747b28c | 0;

	for (let i = 0; i < text.length; i++) {
		const code = text.charCodeAt(i);
		low = Math.imul(low ^ code, 0x01000193);
		high = Math.imul((high << 13 | high >>> 19) ^ code, 0x5bd1e995);
	}
	return (low >>> 0) * 2 ** 20 + (high >>> 12) || 1;
}

/* Whether a fixed mapping of so many pages can start at an address. */
function isPlace(address: number, pages: number): boolean {
	return address % PAGE === 0 && address >= 0x10000 &&
		address <= 2 ** 47 - (pages + 1) * PAGE;
}

/** A whole number, decimal or 0x, below 2^53. */
function integer(text: string): number | undefined {
	if (!/^(?:\d{1,15}|0x[0-9a-fA-F]{1,13})$/.test(text))
		return undefined;
	return Number(text);
}

/** Bytes with a suffix K, M or G, a multiple of `step`. */
function size(text: string, step: number): number | undefined {
	const match = /^(\d{1,12})([KMGkmg]?)$/.exec(text);

	if (!match)
		return undefined;
	const bytes = Number(match[1]) * { '': 1, K: 1024, M: MiB, G: 1024 * MiB }[
		match[2]!.toUpperCase() as 'K'];
	return bytes % step === 0 ? bytes : undefined;
}

/* Bytes as text. @throws LitmusError at the first byte that is no UTF-8 */
function decode(bytes: Uint8Array, file: string): string {
	try {
		return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
	} catch {
		for (let start = 0, line = 1; ; line++) {
			const newline = bytes.indexOf(0x0a, start);
			const end = newline < 0 ? bytes.length : newline;
			const lax = new TextDecoder().decode(bytes.subarray(start, end));
			const column = [...lax].indexOf(String.fromCodePoint(0xfffd)) + 1;
			if (column || newline < 0)
				throw new LitmusError(file,
					{ line, column: column || 1, endColumn: (column || 1) + 1 },
					'a byte that is no UTF-8; ' +
					'expected ASCII, and UTF-8 in comments');
			start = end + 1;
		}
	}
}

/**
 * Parse and check a program.
 * @param source its text, or the bytes of its file
 * @param file what messages call it
 * @throws LitmusError for the first thing that is wrong
 */
export function parseLitmus(source: string | Uint8Array, file: string): Program {
	if (source.length > SOURCE_BYTES_MAX)
		throw new LitmusError(file, { line: 1, column: 1, endColumn: 2 },
			`the program has ${source.length} bytes; ` +
			`expected at most ${SOURCE_BYTES_MAX}`);
	const text = typeof source === 'string' ? source : decode(source, file);
	return new Parser(file).program(text.replace(/^\ufeff/, ''));
}
