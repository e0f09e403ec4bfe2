// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a checked litmus program on a machine, a statement at a time. What it must know to go on
 * lies in the arena (state.ts), so that a snapshot taken after any statement can be resumed, in
 * another process too, with the same program.
 */
import { PAGE_SIZE } from '../../arch/page.ts';
import { KernelBug } from '../../lib/bug.ts';
import { armPoint, disarmPoint, pointHandler } from '../../lib/points.ts';
import { nr_live } from '../../lib/struct.ts';
import { trace_first, trace_record, trace_ring, trace_written, RECORD_HEADER_WORDS }
	from '../../lib/trace.ts';
import { find_task_by_vpid } from '../../mm/fork.ts';
import { tasks } from '../../mm/mm_types.ts';
import { TRACE_EVENTS } from '../../mm/trace_vmscan.ts';
import { statementDepth } from '../actors.ts';
import { deviceOf } from '../device_ops.ts';
import { outcomeCode, outcomeName } from '../errors.ts';
import { eventPart } from '../ftrace.ts';
import { kernelHas, type Kernel } from '../kernels.ts';
import { BlockedError, Machine, MachineError, STAT_KEYS, StepBudgetError, boot, type FileRange,
	type PageCounts, type Range, type Task } from '../machine.ts';
import { Vm } from '../vm.ts';
import type { Action, Expectation, FileRef, Program, RangeRef, Statement } from './ast.ts';
import { askNotifiers, isDeviceAction, pagesText, runDevice, spteText, toldSinceAsked }
	from './devices.ts';
import { checkCached, checkErrno, checkNotifiers, checkPages, checkSptes, checkStat, checkTrace,
	checkValue, type Verdict } from './expect.ts';
import { filePath, inTask } from './knobs.ts';
import { isInRange } from './match.ts';
import * as state from './state.ts';

/** What a statement showed. */
export type Outcome =
	/** It ran, and shows nothing. */
	| { readonly kind: 'done' }
	/** A guard excludes this kernel. */
	| { readonly kind: 'skipped' }
	/**
	 * The kernel refused it (`error` is an errno's name) or its task died of it (a signal's).
	 * `asked`: an `expect errno` follows.
	 */
	| { readonly kind: 'refused'; readonly error: string; readonly where: string;
	    readonly asked: boolean }
	/** It never came to its end, so the run is over. */
	| { readonly kind: 'endless'; readonly message: string }
	/** `flags`, of a single page: as in /proc/kpageflags. */
	| { readonly kind: 'show'; readonly pages: number; readonly counts: PageCounts;
	    readonly flags?: readonly string[] }
	/** Of pages of a file, how many are in memory. */
	| { readonly kind: 'cached'; readonly pages: number; readonly cached: number }
	| { readonly kind: 'stat'; readonly values: readonly (readonly [string, number])[] }
	/** From the event's name on. */
	| { readonly kind: 'trace'; readonly lines: readonly string[] }
	| { readonly kind: 'notifiers' | 'lines'; readonly lines: readonly string[] }
	| { readonly kind: 'cat'; readonly text: string }
	/** `got` is what was found of what was expected, in the same words. */
	| { readonly kind: 'expect'; readonly held: boolean; readonly got: string }
	/** A hook whose point was not met before the program's end. */
	| { readonly kind: 'never met' };

export interface Observation {
	readonly statement: Statement;
	/** Place in the program of the statement; for a hook's body, of its `at`. */
	readonly place: number;
	readonly outcome: Outcome;
	/** Of a hook's body: the place of the statement in whose middle it ran, or after which. */
	readonly during?: number;
	/** Names of tasks that the OOM killer killed meanwhile. */
	readonly killed?: readonly string[];
}

/** A snapshot that cannot be resumed with this program. */
export class ResumeError extends Error {
	constructor(reason: string) {
		super(reason);
		this.name = 'ResumeError';
	}
}

/** A defect of the emulator, with the statement that showed it. */
export class StatementBug extends Error {
	readonly statement: Statement;
	readonly place: number;
	constructor(statement: Statement, place: number, cause: unknown) {
		super(cause instanceof Error ? cause.message : String(cause), { cause });
		this.name = 'StatementBug';
		this.statement = statement;
		this.place = place;
	}
}

/* Pages that all observations of a run can look at: what the step budget is for statements. */
const OBSERVED_PAGES_MAX = 1e8;
/* Hooks within hooks; deeper ones wait. */
const DEPTH_MAX = 200;
const ASKING: ReadonlySet<string> = new Set(
	['show', 'showguest', 'cached', 'stat', 'trace', 'notifiers', 'cat', 'expect', 'at']);

/** Whether a statement only looks, or waits to look. */
export function isAsking({ kind }: Statement): boolean {
	return ASKING.has(kind);
}

/** Whether the guards let a statement run on a kernel. */
export function isFor(kernel: Kernel, { guards }: Statement): boolean {
	return guards.every(({ has, commit }) => kernelHas(kernel, commit) === has);
}

const DONE: Outcome = { kind: 'done' };
const SKIPPED: Outcome = { kind: 'skipped' };

/** Whether an outcome makes the run fail. */
export function isFailure(outcome: Outcome): boolean {
	switch (outcome.kind) {
	case 'refused': return !outcome.asked;
	case 'expect': return !outcome.held;
	case 'endless': return true;
	default: return false;
	}
}

/** Whether an `expect errno` that `isFor` a kernel stands before the next statement that acts. */
export function isErrnoAsked(
	{ statements }: Program, place: number, isFor: (statement: Statement) => boolean,
): boolean {
	for (let next = place + 1; next < statements.length; next++) {
		const statement = statements[next]!;
		if (!isAsking(statement))
			return false;
		if (statement.kind === 'expect' && statement.expectation.of === 'errno' &&
		    isFor(statement))
			return true;
	}
	return false;
}

export interface RunOptions {
	/** Go on from this snapshot, taken by a run of the same program. */
	readonly from?: Uint8Array;
	/** Trace events that are on; default `vmscan`. Not with `from`. */
	readonly events?: readonly string[];
	/** Statements and page accesses until the run is given up. Not with `from`. */
	readonly stepBudget?: number;
	/** Called after each statement, when the machine is at rest. */
	readonly onStatement?: (runner: Runner, place: number) => void;
	/** Stop before the statement with this place. */
	readonly until?: number;
}

/* The runner of the realm's machine: a program and its machine, no state of their own. */
let running: Runner | undefined;
function attach(runner: Runner): void {
	running = runner;
}
pointHandler.hit = (point, page, address) => running?.met(point, page, address);

/** A program on its way through one kernel. */
export class Runner {
	readonly program: Program;
	readonly machine: Machine;
	/** What was seen since this runner began. */
	readonly observations: Observation[] = [];
	/** Trace records written before this runner began. */
	readonly traceFrom: number;
	#endless = false;
	/* The program's hooks by point: a view of the program, not of the machine. */
	readonly #hooksAt: (
		Extract<Statement, { kind: 'at' }> & { readonly place: number })[][] = [];

	/** @throws ResumeError, SnapshotError with the present machine unchanged or gone */
	constructor(program: Program, kernel: Kernel | undefined, options: RunOptions = {}) {
		const { from, events, stepBudget } = options;

		this.program = program;
		program.statements.forEach((statement, place) => {
			if (statement.kind === 'at')
				(this.#hooksAt[statement.point] ??= []).push(
					{ ...statement, place });
		});
		if (from) {
			this.machine = Machine.restore(from);
			this.#checkResumed();
		} else {
			this.machine = boot({ ...program.machine, ...(kernel ? { kernel } : {}),
				...(events ? { events } : {}),
				...(stepBudget === undefined ? {} : { stepBudget }) });
			state.useSlots(program.slots);
			state.programHash.v = program.hash;
		}
		this.traceFrom = trace_written.v;
		attach(this);
	}

	#checkResumed(): void {
		if (state.programHash.v === 0)
			throw new ResumeError('the snapshot was not taken by a litmus program');
		if (state.programHash.v !== this.program.hash)
			throw new ResumeError('the snapshot was taken by another program');
	}

	/**
	 * A file of the machine, whole, by a path as programs have it; one of words as its bytes.
	 * @throws MachineError
	 */
	readFile(path: string): string | Uint8Array {
		const name = inTask(path)?.task;
		const slot = name === undefined ? -1 : this.program.taskNames.lastIndexOf(name);

		return this.machine.readWhole(this.#path(
			{ path, ...(slot < 0 ? {} : { of: { name: name!, slot } }) }));
	}

	/** Where a mapping is now, by its name with its task's: `a.m`. @throws MachineError */
	rangeOf(name: string): Range {
		const slot = this.program.mappingNames.lastIndexOf(name);
		const { pid, start, pages } = state.mapping(slot);

		if (slot < 0 || !pid)
			throw new MachineError(`mapping ${name}`, ENOENT);
		return { pid, start, pages };
	}

	/** Place of the statement that runs next. */
	get place(): number {
		return state.nextStatement.v;
	}

	get done(): boolean {
		return this.#endless || this.place >= this.program.statements.length;
	}

	/** Failures so far, those before a snapshot that was resumed with them. */
	get failed(): number {
		return state.failed.v;
	}

	/** Run the next statement. @throws StatementBug */
	step(): void {
		const place = this.place;
		const statement = this.program.statements[place]!;

		try {
			this.#step(statement, place);
		} catch (error) {
			throw error instanceof StatementBug ? error
				: new StatementBug(statement, place, error);
		}
	}

	#step(statement: Statement, place: number): void {
		const began = trace_written.v, alive = nr_live(tasks);

		state.nextStatement.v = place + 1;
		if (!this.#isFor(statement)) {
			if (!isAsking(statement))
				state.lastErrno.v = 0;
			this.#saw({ statement, place, outcome: SKIPPED });
		} else if (statement.kind === 'at') {
			state.armHook(statement.slot, place);
			armPoint(statement.point);
		} else {
			const outcome = this.#outcome(statement, place);
			this.#runWaiting(place);
			const killed = this.#killed(statement, outcome, alive);
			this.#saw(
				{ statement, place, outcome,
				...(killed.length ? { killed } : {}) });
		}
		if (!isAsking(statement) && trace_written.v > began)
			state.traceBegan.v = began;
		if (this.done && !this.#endless)
			this.#neverMet();
	}

	#isFor(statement: Statement): boolean {
		return isFor(this.machine.kernel, statement);
	}

	#saw(observation: Observation): void {
		this.observations.push(observation);
		if (isFailure(observation.outcome))
			state.failed.v++;
	}

	/* Tasks of the program that went though nobody told them to. */
	#killed({ kind }: Statement, outcome: Outcome, before: number): string[] {
		const more = kind === 'task' || kind === 'fork' || kind === 'device' ? 1
			: kind === 'exit' ? -1 : 0;
		const dead: string[] = [];

		if (outcome.kind === 'done' && nr_live(tasks) === before + more)
			return dead;
		for (let slot = 0; slot < this.program.slots.tasks; slot++) {
			const pid = state.taskPid(slot);
			if (!pid || find_task_by_vpid(pid))
				continue;
			dead.push(this.program.taskNames[slot]!);
			state.setTaskPid(slot, 0);
		}
		return dead;
	}

	#neverMet(): void {
		this.program.statements.forEach((statement, place) => {
			if (statement.kind === 'at' &&
				state.hookState(statement.slot) === state.HOOK_ARMED)
				this.#saw({ statement, place, outcome: { kind: 'never met' } });
		});
	}

	/* -- What a statement does ------------------------------------------------------------ */

	#outcome(statement: Statement, place: number): Outcome {
		const asking = isAsking(statement);

		try {
			const outcome = this.#ask(statement) ?? this.#act(statement);
			if (!asking)
				state.lastErrno.v = 0;
			return outcome;
		} catch (error) {
			if (error instanceof StepBudgetError) {
				this.#endless = true;
				return { kind: 'endless', message: error.message };
			}
			if (!(error instanceof MachineError))
				throw error;
			const code = outcomeCode(error);
			const name = outcomeName(code);
			if (!asking)
				state.lastErrno.v = code;
			if (statement.kind === 'expect')
				return { kind: 'expect', held: false, got: error.message };
			return { kind: 'refused', error: name, where: error.where,
				asked: !asking && isErrnoAsked(this.program, place,
					(next) => this.#isFor(next)) };
		}
	}

	#task(slot: number): Task {
		const pid = state.taskPid(slot);

		if (!pid)
			throw new MachineError(`task ${this.program.taskNames[slot]}`, ESRCH);
		return this.machine.taskOf(pid);
	}

	/* The pages of a range; where they are is known once the mapping is there. */
	#range({ slot, first, last, text }: RangeRef): Range {
		const { pid, start } = state.mapping(slot);

		if (!pid)
			throw new MachineError(`mapping ${text}`, ENOENT);
		return { pid, start: start + Math.min(first, last) * PAGE_SIZE,
			pages: Math.abs(last - first) + 1 };
	}

	/* Pages first to last; a descending range is that many ranges of one page. */
	#ordered(ref: RangeRef): Range[] {
		const range = this.#range(ref);

		if (ref.first <= ref.last)
			return [range];
		return Array.from({ length: range.pages }, (_, i) => ({
			pid: range.pid, start: range.start + (range.pages - 1 - i) * PAGE_SIZE,
				pages: 1 }));
	}

	/* Access ranges one after another, but for the first `from` pages. */
	#access(refs: readonly RangeRef[], from: number, access: (range: Range) => void): void {
		let before = 0;

		for (const { pid, start, pages } of refs.flatMap((ref) => this.#ordered(ref))) {
			const skip = Math.min(Math.max(from - before, 0), pages);
			before += skip;
			if (skip === pages)
				continue;
			try {
				access({ pid, start: start + skip * PAGE_SIZE,
					pages: pages - skip });
			} catch (error) {
				if (error instanceof BlockedError)
					throw error.after(before + error.done - from);
				throw error;
			}
			before += pages - skip;
		}
	}

	/* Do what a statement says; `from` of the pages of an access are done already. */
	#act(statement: Action & { readonly taskSlot?: number }, from = 0): Outcome {
		const { machine } = this;

		if (statement.kind === 'dirtylog')
			return { kind: 'lines', lines: [pagesText(
				new Vm(machine, statement.name).dirtyLog(statement.address))] };
		if (statement.kind === 'use' && statement.deed === 'snapshot')
			return { kind: 'lines', lines: [deviceOf(machine, statement.name)
				.use('snapshot', this.#range(statement.range))
				.map((code) => code.toString(16).padStart(2, '0')).join(' ')] };
		if (isDeviceAction(statement)) {
			runDevice(statement, machine, (slot) => this.#task(slot),
				(ref) => this.#range(ref), from);
			return DONE;
		}
		const task = statement.taskSlot === undefined ? machine.init
			: this.#task(statement.taskSlot);

		switch (statement.kind) {
		case 'cgroup': machine.cgroup(statement.path); break;
		case 'rmdir': machine.rmdir(statement.path); break;
		case 'memfd':
			state.setMemfdFd(
				statement.slot, machine.memfd(statement.name, statement.pages).fd +
				1);
			break;
		case 'file':
			state.setMemfdFd(
				statement.slot, machine.file(statement.name, statement.pages).fd +
				1);
			break;
		case 'truncate':
			machine.truncate({ fd: this.#fd(statement.slot) }, statement.pages);
			break;
		case 'fsync': machine.fsync({ fd: this.#fd(statement.slot) }); break;
		case 'sync': machine.sync(); break;
		case 'complete': machine.complete(statement.requests ?? Infinity); break;
		case 'pread': task.pread(this.#fileRange(statement.file)); break;
		case 'pwrite':
			task.pwrite(this.#fileRange(statement.file), statement.value);
			break;
		case 'fadvise': {
			const { file, advice } = statement;
			task.fadvise(file.whole ? { fd: this.#fd(file.slot) }
				: this.#fileRange(file), advice);
			break;
		}
		case 'swapon':
			if (statement.pages !== undefined)
				machine.addSwap(statement.pages, statement.minor);
			machine.swapon(statement.minor, statement.prio);
			break;
		case 'swapoff': machine.swapoff(statement.minor); break;
		case 'compact':
			refused('compact', machine.writeFile('/proc/sys/vm/compact_memory', '1'));
			break;
		case 'close': {
			machine.closeMemfd({ fd: this.#fd(statement.slot) });
			state.setMemfdFd(statement.slot, 0);
			break;
		}
		case 'task': {
			const { name, cgroup } = statement;
			const made = machine.task(name, cgroup === undefined ? {} : { cgroup });
			state.setTaskPid(statement.slot, made.pid);
			break;
		}
		case 'fork': {
			const child = task.fork(statement.name);
			state.setTaskPid(statement.slot, child.pid);
			for (const [parents, childs] of statement.inherits)
				if (state.mapping(parents).pid)
					state.setMapping(
						childs, { ...state.mapping(parents),
						pid: child.pid });
			break;
		}
		case 'exit':
			task.exit();
			state.setTaskPid(statement.taskSlot!, 0);
			break;
		case 'move': task.move(statement.cgroup); break;
		case 'mmap': {
			const { pages, protection: prot, shared, offset: pgoff, memfd, address } =
				statement;
			state.setMapping(statement.slot, task.mmap({ pages, prot, shared, pgoff,
				...(memfd === undefined ? {} : { memfd: { fd: this.#fd(memfd) } }),
				...(address === undefined ? {} : { fixedAt: address }) }));
			break;
		}
		case 'mremap': {
			const { range, pages, mayMove, dontUnmap, address } = statement;
			state.setMapping(range.slot, task.mremap(this.#range(range), pages,
				{ mayMove, dontUnmap,
				...(address === undefined ? {} : { fixedAt: address }) }));
			break;
		}
		case 'munmap':
			task.munmap(this.#range(statement.range));
			if (statement.forgets)
				state.setMapping(
					statement.range.slot, { pid: 0, start: 0, pages: 0 });
			break;
		case 'mprotect':
			task.mprotect(this.#range(statement.range), statement.protection);
			break;
		case 'madvise': task.madvise(this.#range(statement.range), statement.advice); break;
		case 'mlock':
			task.mlock(this.#range(statement.range), statement.onfault);
			break;
		case 'mlockall': {
			const { current, future, onfault } = statement;
			task.mlockall((current ? 1 : 0) | (future ? 2 : 0) | (onfault ? 4 : 0));
			break;
		}
		case 'munlockall': task.munlockall(); break;
		case 'migrate':
			task.movePages(this.#range(statement.range), statement.node, statement.all);
			break;
		case 'idle':
			if (statement.check)
				machine.checkIdle(this.#range(statement.range));
			else
				machine.markIdle(this.#range(statement.range));
			break;
		case 'munlock': task.munlock(this.#range(statement.range)); break;
		case 'read':
			this.#access(statement.ranges, from, (range) => task.read(range));
			break;
		case 'write':
			this.#access(statement.ranges, from, (range) =>
				task.write(range, statement.value));
			break;
		case 'clear_refs': task.clearRefs(statement.what); break;
		case 'drain': machine.drain(); break;
		case 'reclaim':
			refused(`reclaim ${statement.cgroup}`,
				machine.reclaim(statement.cgroup, statement.pages));
			break;
		case 'knob': {
			const path = this.#path(statement);
			refused(path, machine.writeFile(path, statement.value));
			break;
		}
		default: throw new KernelBug(`${statement.kind} is no statement that acts`);
		}
		return DONE;
	}

	#fd(slot: number): number {
		const fd = state.memfdFd(slot);

		if (!fd)
			throw new MachineError('memfd', EBADF);
		return fd - 1;
	}

	#fileRange({ slot, first, last }: FileRef): FileRange {
		return { fd: this.#fd(slot), first, last };
	}

	/* A path as the machine has it: a task's name in it stands for its PID. */
	#path({ path, of }: { path: string; of?: { name: string; slot: number } }): string {
		if (!of)
			return filePath(path);
		return path.replace(`/${of.name}/`, `/${this.#task(of.slot).pid}/`);
	}

	/* -- What a statement asks ------------------------------------------------------------ */

	#ask(statement: Statement): Outcome | undefined {
		const { machine } = this;

		switch (statement.kind) {
		case 'show': {
			const range = this.#range(statement.range);
			const counts = this.#counts(statement.range);
			return { kind: 'show', pages: range.pages, counts,
				...(range.pages === 1 ? { flags: machine.pageFlags(range) } : {}) };
		}
		case 'stat':
			return { kind: 'stat', values: machine.stat(statement.cgroup,
				statement.keys.length ? statement.keys : STAT_KEYS) };
		case 'trace': {
			const lines = machine.traceLines(state.traceAsked.v).map(eventPart);
			state.traceAsked.v = trace_written.v;
			return { kind: 'trace', lines };
		}
		case 'notifiers':
			return { kind: 'notifiers', lines: askNotifiers(statement,
				(start, end) => this.#where(start, end)) };
		case 'showguest': {
			const { name, address, pages } = statement.guest;
			return { kind: 'lines', lines: [spteText(
				new Vm(machine, name).spteCounts(address, pages))] };
		}
		case 'cat': return { kind: 'cat',
			text: machine.readFile(this.#path(statement)) };
		case 'cached': {
			const file = this.#fileRange(statement.file);
			return { kind: 'cached', pages: file.last - file.first + 1,
				cached: machine.cached(file) };
		}
		case 'expect': return { kind: 'expect', ...this.#check(statement.expectation) };
		default: return undefined;
		}
	}

	/* `q.m[3]`, `q.m[0..31]`, or the addresses as they are. */
	#where(start: number, end: number): string {
		const { mappingNames } = this.program;

		for (let slot = 0; slot < mappingNames.length; slot++) {
			const { pid, start: at, pages } = state.mapping(slot);
			if (!pid || start < at || end > at + pages * PAGE_SIZE)
				continue;
			const first = Math.floor((start - at) / PAGE_SIZE);
			const last = Math.ceil((end - at) / PAGE_SIZE) - 1;
			return `${mappingNames[slot]}[${first}${last > first ? `..${last}` : ''}]`;
		}
		return end >= 2 ** 52 ? 'all' : `${start.toString(16)}..${end.toString(16)}`;
	}

	#counts(ref: RangeRef): PageCounts {
		const range = this.#range(ref);

		state.observedPages.v += range.pages;
		if (state.observedPages.v > OBSERVED_PAGES_MAX)
			throw new StepBudgetError(
				`more than ${OBSERVED_PAGES_MAX} pages looked at`);
		return this.machine.show(range);
	}

	#check(expectation: Expectation): Verdict {
		switch (expectation.of) {
		case 'counts': case 'flags':
			return checkPages(expectation, this.#counts(expectation.range));
		case 'value': {
			const pages = this.#range(expectation.range);
			return checkValue(expectation,
				this.machine.taskOf(pages.pid).read(pages));
		}
		case 'spte': {
			const { name, address, pages } = expectation.guest;
			return checkSptes(expectation,
				new Vm(this.machine, name).spteCounts(address, pages));
		}
		case 'cached': {
			const pages = this.#fileRange(expectation.file);
			return checkCached(expectation, this.machine.cached(pages));
		}
		case 'stat':
			return checkStat(expectation, new Map(this.machine.stat(expectation.cgroup,
				expectation.keys.map(({ key }) => key))));
		case 'trace': return checkTrace(expectation, traceSum);
		case 'notifiers': return checkNotifiers(expectation,
			toldSinceAsked(expectation.name, expectation.device));
		case 'errno': return checkErrno(expectation, outcomeName(state.lastErrno.v));
		}
	}

	/* -- Hooks ---------------------------------------------------------------------------- */

	/** @internal A point was met: run the bodies of its armed hooks, in the program's order. */
	met(point: number, page: number, address: number): void {
		for (const hook of this.#hooksAt[point] ?? []) {
			if (state.hookState(hook.slot) !== state.HOOK_ARMED ||
				!this.#isMeant(hook, page, address))
				continue;
			disarmPoint(point);
			if (statementDepth() >= DEPTH_MAX) {
				state.disarmHook(hook.slot, true, 0);
				continue;
			}
			state.disarmHook(hook.slot, false, 0);
			this.#runHook(hook, this.place - 1, 0);
		}
	}

	#isMeant({ range }: { readonly range?: RangeRef }, page: number, address: number): boolean {
		if (!range)
			return true;
		const { pid, start } = state.mapping(range.slot);
		const task = pid ? find_task_by_vpid(pid) : 0;
		return task !== 0 && isInRange(task, start + range.first * PAGE_SIZE,
			start + (range.last + 1) * PAGE_SIZE, page, address);
	}

	/* Run a hook's body, from page `from` of its range on; let it wait if it must. */
	#runHook(
		{ body, slot, place }: Extract<Statement,
		{ kind: 'at' }> & { readonly place: number },
		during: number, from: number,
	): void {
		const seen = this.observations.length;
		let outcome: Outcome;

		try {
			outcome = this.#act(body, from);
		} catch (error) {
			if (error instanceof BlockedError && statementDepth() > 0) {
				/* But for accesses, all is as it was: nothing was seen. */
				if (body.kind !== 'read' && body.kind !== 'write' &&
					body.kind !== 'guest')
					this.observations.length = seen;
				state.disarmHook(slot, true, from + error.done);
				return;
			}
			if (!(error instanceof MachineError))
				throw error;
			const code = outcomeCode(error);
			outcome = { kind: 'refused', error: outcomeName(code), where: error.where,
				asked: false };
		}
		this.#saw({ statement: body, place, outcome, during });
	}

	/* The statement that they interrupted is done: those that waited run, in their order. */
	#runWaiting(during: number): void {
		if (this.#endless)
			return;
		for (let waiting = state.nextWaiting(); waiting; waiting = state.nextWaiting()) {
			const { slot, done } = waiting;
			const hook = this.#hooksAt.flat().find((one) => one?.slot === slot)!;
			this.#runHook(hook, during, done);
		}
	}
}

const ENOENT = 2, ESRCH = 3, EBADF = 9;

function refused(where: string, result: number): void {
	if (result < 0)
		throw new MachineError(where, -result);
}

/* The sum of a number over the lines of an event that the last statement which left any left. */
function traceSum(event: string, key: string): number {
	const nr = TRACE_EVENTS.findIndex((one) => one?.name.replace(/^mm_vmscan_/, '') === event);
	const word = TRACE_EVENTS[nr]!.fields.find(({ name }) => name === key)?.word;
	let sum = 0;

	for (let n = Math.max(state.traceBegan.v, trace_first()); n < trace_written.v; n++) {
		const at = trace_record(n);
		if (trace_ring[at] === nr)
			sum += word === undefined ? 1
				: trace_ring[at + RECORD_HEADER_WORDS + word]!;
	}
	return sum;
}

/**
 * Run a program on a kernel to its end.
 * @returns the runner, with what was seen and the machine as it is
 * @throws ResumeError, SnapshotError, StatementBug
 */
export function runProgram(program: Program, kernel?: Kernel, options: RunOptions = {}): Runner {
	const runner = new Runner(program, kernel, options);
	const { until = Infinity, onStatement } = options;

	while (!runner.done && runner.place < until) {
		const { place } = runner;
		runner.step();
		onStatement?.(runner, place);
	}
	return runner;
}
