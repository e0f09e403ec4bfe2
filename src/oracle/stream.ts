// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest says (guest/init.c), read into the observations that the emulator's runs have.
 */
import { BUG } from '../lib/bug.ts';
import type { PageCount, Program, Statement } from '../sim/litmus/ast.ts';
import { isDeviceAction, pagesText } from '../sim/litmus/devices.ts';
import { checkCached, checkErrno, checkPages, checkStat, checkTrace, checkValue, type Verdict }
	from '../sim/litmus/expect.ts';
import { isAsking, isErrnoAsked, isFor, type Outcome } from '../sim/litmus/runner.ts';
import { outcomeName } from '../sim/errors.ts';
import { KPF, type KpfName } from '../sim/formats.ts';
import { eventPart } from '../sim/ftrace.ts';
import type { Kernel } from '../sim/kernels.ts';
import { STAT_KEYS, type PageCounts } from '../sim/machine.ts';
import type { SeenRun, SeenStatement } from './types.ts';

/** The guest said something that it cannot say. */
export class StreamError extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'StreamError';
	}
}

/* What was said of one statement. */
interface Said {
	code?: number;
	readonly killed: number[];
	/* Words of pages with their counts. */
	pages?: string[];
	bytes?: number[];
	file?: string;
	trace: string;
}

interface SaidOfProgram {
	readonly statements: Map<number, Said>;
	ended: boolean;
	readonly trouble: string[];
}

/** All that a guest said. */
export interface Stream {
	/** uname -r; empty if it never came so far. */
	readonly release: string;
	readonly programs: ReadonlyMap<number, SaidOfProgram>;
	/** Complaints outside programs. */
	readonly trouble: readonly string[];
	/** It came to its end. */
	readonly whole: boolean;
}

/* `A*3 B` -> A A A B; at most so many */
function repeated(text: string): string[] {
	return text.split(' ').filter(Boolean).flatMap((word) => {
		const [what, count] = word.split('*');
		const times = Number(count);
		if (!what || !Number.isInteger(times) || times < 1 || times > 2 ** 20)
			throw new StreamError(`'${word}' is no run of pages`);
		return Array<string>(times).fill(what);
	});
}

/**
 * Read what a guest said.
 * @throws StreamError
 */
export function readStream(bytes: Uint8Array): Stream {
	const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
	const programs = new Map<number, SaidOfProgram>();
	const trouble: string[] = [];
	let present: SaidOfProgram | undefined;
	let release = '', whole = false;

	const said = (place: number): Said => {
		if (!present)
			throw new StreamError(`statement ${place} of no program`);
		let one = present.statements.get(place);
		if (!one)
			present.statements.set(place, one = { killed: [], trace: '' });
		return one;
	};
	for (let at = 0; at < buffer.length;) {
		const end = buffer.indexOf(0x0a, at);
		/* A line that was cut off says nothing. */
		if (end < 0)
			break;
		const text = buffer.toString('latin1', at, end);
		const [letter, first = '', ...rest] = text.split(' ');
		const place = Number(first);
		at = end + 1;
		switch (letter) {
		case 'r': release = first; break;
		case 'b':
			programs.set(place, present = { statements: new Map(), ended: false,
				trouble: [] });
			break;
		case 'e':
			if (present)
				present.ended = true;
			present = undefined;
			break;
		/* Of one in several parts, the first that failed. */
		case 's': said(place).code ||= Number(rest[0]); break;
		case 'k': said(place).killed.push(Number(rest[0])); break;
		case 'p': said(place).pages = repeated(rest.join(' ')); break;
		case 'x': said(place).bytes = repeated(rest.join(' ')).map(Number); break;
		case 'f': case 't': {
			const length = Number(rest[0]);
			if (!Number.isInteger(length) || length < 0)
				throw new StreamError(`'${text}' has no length`);
			if (at + length >= buffer.length) {
				at = buffer.length;
				break;
			}
			const content = buffer.toString('latin1', at, at + length);
			at += length + 1;
			if (letter === 'f')
				said(place).file = content;
			else
				said(place).trace += content;
			break;
		}
		case '!': (present?.trouble ?? trouble).push(text.slice(2)); break;
		case 'z': whole = true; break;
		default:
			throw new StreamError(
				`'${text.slice(0, 80)}' begins with no known letter`);
		}
	}
	return { release, programs, trouble, whole };
}

/* Codes above are signals, and exits of guests. */
const SIGNAL = 1000, GUEST_EXIT = 2000;

/* Bits of kpageflags that are counted. */
const COUNTED: readonly (readonly [PageCount, KpfName])[] = [['lru', 'LRU'], ['active', 'ACTIVE'],
	['referenced', 'REFERENCED'], ['unevictable', 'UNEVICTABLE'], ['dirty', 'DIRTY'],
	['writeback', 'WRITEBACK'], ['mlocked', 'MLOCKED'], ['anon', 'ANON'],
	['swapcache', 'SWAPCACHE'], ['idle', 'IDLE']];

const hasFlag = (flags: bigint, name: KpfName): boolean => (flags >> BigInt(KPF[name]) & 1n) !== 0n;

function pageCounts(pages: readonly string[]): PageCounts {
	const counts: PageCounts = { present: 0, swapped: 0, lru: 0, active: 0, referenced: 0,
		unevictable: 0, dirty: 0, writeback: 0, young: 0, mlocked: 0, anon: 0,
		swapcache: 0, idle: 0 };

	for (const page of pages) {
		if (page === 's')
			counts.swapped++;
		if (page === 's' || page === '-')
			continue;
		const flags = BigInt(`0x${page}`);
		counts.present++;
		/* Its flags are what all that ever ran has left there. */
		if (hasFlag(flags, 'ZERO_PAGE'))
			continue;
		for (const [key, name] of COUNTED)
			if (hasFlag(flags, name))
				counts[key]++;
	}
	return counts;
}

function flagNames(page: string): string[] {
	if (page === 's' || page === '-')
		return [];
	return (Object.keys(KPF) as KpfName[]).filter((name) => hasFlag(BigInt(`0x${page}`), name));
}

/* `key value` lines */
function statValues(text: string): Map<string, number> {
	return new Map(text.split('\n').filter(Boolean).map((line) => {
		const [key, value] = line.split(' ');
		return [key!, Number(value)];
	}));
}

/* The lines of events, from the event's name on; other lines are about the buffer itself. */
const traceLines = (text: string): string[] =>
	text.split('\n').filter((line) => /: (?:mm|kvm)_\w+: /.test(line)).map(eventPart);

/* The sum of a number over the lines of an event, or their number. */
function sumOf(lines: readonly string[], event: string, key: string): number {
	let sum = 0;

	for (const line of lines) {
		const [name, text = ''] = line.split(/: (.*)/s);
		const short = name!.replace(/^mm_vmscan_/, '')
			.replace(/^write_folio$/, 'writepage');
		if (short === event)
			sum += key === 'lines' ? 1
				: Number(new RegExp(`(?:^| )${key}=(\\d+)`).exec(text)?.[1] ?? 0);
	}
	return sum;
}

/** Whether it asks what a secondary MMU has mapped or was told: no file of Linux shows it. */
export const isOursAlone = (statement: Statement): boolean =>
	statement.kind === 'showguest' || statement.kind === 'notifiers' ||
	statement.kind === 'expect' && ['spte', 'notifiers'].includes(statement.expectation.of);

/* Of pages of a file, how many are in memory. */
const countOf = (present: readonly number[]): number => present.filter((one) => one !== 0).length;

/* A run on its way through the program, as the emulator's runner has it. */
class Reading {
	readonly #program: Program;
	readonly #kernel: Kernel;
	readonly #said: ReadonlyMap<number, Said>;
	/* Lines since the last `trace`, and of the last statement that left any. */
	#sinceAsked: string[] = [];
	#last: string[] = [];
	#code = 0;

	constructor(program: Program, kernel: Kernel, said: ReadonlyMap<number, Said>) {
		this.#program = program;
		this.#kernel = kernel;
		this.#said = said;
	}

	/** What one statement showed; undefined: the guest never came so far. */
	statement(statement: Statement, place: number): SeenStatement | undefined {
		const said = this.#said.get(place);
		const asking = isAsking(statement);

		if (!isFor(this.#kernel, statement)) {
			if (!asking)
				this.#code = 0;
			return { place, outcome: { kind: 'skipped' } };
		}
		if (isOursAlone(statement))
			return { place, outcome: { kind: 'skipped' } };
		const silent = statement.kind === 'trace' || statement.kind === 'expect' &&
			['trace', 'errno'].includes(statement.expectation.of);
		if (!silent && said?.code === undefined)
			return undefined;
		const trace = said ? traceLines(said.trace) : [];
		this.#sinceAsked.push(...trace);
		if (!asking && trace.length)
			this.#last = trace;
		if (!asking)
			this.#code = said!.code!;
		const killed = said?.killed.map((slot) => this.#program.taskNames[slot]!) ?? [];
		const actor = this.#actor(statement);
		if (!asking && actor !== undefined && said!.code! > SIGNAL &&
			said!.code! < GUEST_EXIT)
			killed.push(actor);
		return {
			place, outcome: this.#outcome(statement, place, said),
			...(killed.length ? { killed } : {}),
			...(trace.length ? { trace } : {}),
		};
	}

	/* The task that does it: of what a guest does, the one that has the virtual machine. */
	#actor(statement: Statement): string | undefined {
		if (!isDeviceAction(statement) || statement.kind === 'showguest')
			return statement.task;
		const made = this.#program.statements.find((one) =>
			one.kind === 'vm' && one.name === statement.name);
		return made?.kind === 'vm' ? this.#program.taskNames[made.owner] : undefined;
	}

	#outcome(statement: Statement, place: number, said: Said | undefined): Outcome {
		const { kind } = statement;

		if (said?.code) {
			const error = outcomeName(said.code);
			if (kind === 'expect')
				return { kind: 'expect', held: false, got: error };
			return { kind: 'refused', error, where: '', asked: !isAsking(statement) &&
				isErrnoAsked(this.#program, place,
					(next) => isFor(this.#kernel, next)) };
		}
		switch (kind) {
		case 'show': {
			const pages = said!.pages ?? [];
			return { kind: 'show', pages: pages.length, counts: pageCounts(pages),
				...(pages.length === 1 ? { flags: flagNames(pages[0]!) } : {}) };
		}
		case 'stat': {
			const keys = statement.keys.length ? statement.keys : STAT_KEYS;
			return { kind: 'stat', values: [...statValues(said!.file ?? '')]
				.filter(([key]) => keys.includes(key)) };
		}
		case 'cached': {
			const cached = said!.bytes ?? [];
			return { kind: 'cached', pages: cached.length, cached: countOf(cached) };
		}
		case 'cat': return { kind: 'cat', text: said!.file ?? '' };
		case 'trace': {
			const lines = this.#sinceAsked;
			this.#sinceAsked = [];
			return { kind: 'trace', lines };
		}
		case 'dirtylog':
			return { kind: 'lines', lines: [pagesText((said!.bytes ?? [])
				.flatMap((written, page) => written ? [page] : []))] };
		case 'expect': return { kind: 'expect', ...this.#verdict(statement, said) };
		default: return { kind: 'done' };
		}
	}

	#verdict(
		{ expectation }: Extract<Statement, { kind: 'expect' }>, said: Said | undefined,
	): Verdict {
		switch (expectation.of) {
		case 'counts': case 'flags':
			return checkPages(expectation, pageCounts(said?.pages ?? []));
		case 'value': return checkValue(expectation, said?.bytes ?? []);
		case 'stat': return checkStat(expectation, statValues(said?.file ?? ''));
		case 'trace':
			return checkTrace(expectation, (event, key) =>
				sumOf(this.#last, event, key));
		case 'errno': return checkErrno(expectation, outcomeName(this.#code));
		case 'cached': return checkCached(expectation, countOf(said?.bytes ?? []));
		case 'spte': case 'notifiers':
			return BUG('what is ours alone is not asked');
		}
	}
}

/**
 * What a program showed on a real kernel.
 * @param number its number in that boot
 * @param broken why the boot ended before it was done; undefined: it did not
 */
export function seenRun(
	program: Program, kernel: Kernel, stream: Stream, number: number,
	broken: string | undefined,
): SeenRun {
	const said = stream.programs.get(number);
	const reading = new Reading(program, kernel, said?.statements ?? new Map());
	const statements: SeenStatement[] = [];
	let stopped: number | undefined;

	for (const [place, statement] of program.statements.entries()) {
		const seen = reading.statement(statement, place);
		if (!seen) {
			stopped = place;
			break;
		}
		statements.push(seen);
	}
	const trouble = said?.trouble[0];
	const reason = trouble !== undefined ? `the guest says: ${trouble}`
		: broken ?? 'the guest never came so far';
	return { kernel: stream.release, statements,
		ended: stopped === undefined && trouble === undefined ? 'whole'
			: { atPlace: stopped ?? program.statements.length, reason } };
}
