// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two runs of one program, statement by statement and field by field. All that both show is
 * compared, but for what NOT_COMPARED names.
 */
import type { Expectation, Program, Statement } from '../sim/litmus/ast.ts';
import { isFailure, type Outcome } from '../sim/litmus/runner.ts';
import type { SeenRun, SeenStatement } from './types.ts';

/** Where a field that is not compared stands. */
export type Area =
	/** A property of pages, in `show` and `expect`. */
	| 'pages'
	/** A line of memory.stat, in `stat`, `cat` and `expect`. */
	| 'memory.stat'
	/** A line of memory.events, in `cat`. */
	| 'memory.events'
	/** A file, in `cat`. */
	| 'file'
	/** An event of the trace, a whole line. */
	| 'trace event'
	/** A field of a trace line. */
	| 'trace field'
	/** The rest. */
	| 'run';

export interface NotCompared {
	readonly area: Area;
	/** Names, as Linux or the language has them. */
	readonly names: readonly string[];
	readonly why: string;
}

/** What is not compared. docs/oracle.md has this table. */
export const NOT_COMPARED: readonly NotCompared[] = [
	{ area: 'pages', names: ['young'],
		why: 'the accessed bit of a page-table entry: no file of Linux shows it' },
	{ area: 'memory.stat', names: ['kernel_stack', 'percpu', 'sock', 'slab_reclaimable',
		'slab_unreclaimable', 'slab'], why: 'kernel memory is not modelled' },
	{ area: 'memory.events', names: ['oom'],
		why: 'how often one who is over the limit tries again until the victim is gone' },
	{ area: 'file', names: ['/proc/meminfo', '/proc/zoneinfo', '/proc/buddyinfo',
		'/proc/swaps'], why: 'of the whole machine, whose other parts are not modelled' },
	{ area: 'file', names: ['cgroup.procs'],
		why: 'the PIDs in it; how many there are is compared' },
	{ area: 'file', names: ['/proc/vmstat'],
		why: 'but how much these have grown since the program first showed the file: ' +
			'pswpin, pswpout, pgrefill, pgsteal_*, pgscan_*, pgactivate, ' +
			'pgdeactivate, pglazyfree, pglazyfreed, pgrotated, oom_kill, ' +
			'unevictable_pgs_*; the rest moves by itself, or is kept per CPU' },
	{ area: 'trace event', names: ['mm_shrink_slab_start', 'mm_shrink_slab_end'],
		why: 'slab is not modelled' },
	{ area: 'trace field', names: ['page', 'pfn'],
		why: 'where in memory a page lies is chance' },
	{ area: 'trace field', names: ['classzone', 'reclaim_idx'],
		why: "the number of the highest zone, by the kernel's configuration" },
	{ area: 'run', names: ['the bit P beside RSVD in the error code of kvm_page_fault'],
		why: "QEMU's processor leaves it out, a real one sets it" },
	{ area: 'run', names: ['what KVM has mapped, and notifiers'],
		why: 'no file of Linux shows it' },
	{ area: 'run', names: ['the name of mm_vmscan_writepage'],
		why: 'mm_vmscan_write_folio on kernels with folios, which says the same' },
	{ area: 'run', names: ['the flag MAPPEDTODISK of an anonymous page'],
		why: 'from v5.19 on it is PG_anon_exclusive, by which a write to a private ' +
			'page decides whether to copy it' },
	{ area: 'run', names: ['the flags of the zero page'],
		why: 'one page for all programs of a boot; that it is the zero page is compared' },
	{ area: 'run', names: ['task, CPU, flags and time of a trace line'],
		why: 'they say when, not what; lines are compared from the name of the event on' },
	{ area: 'run', names: ['the trace of a statement in whose middle a task was killed'],
		why: 'until the victim is gone, the one that asked tries again; how often is ' +
			"the scheduler's" },
	{ area: 'run', names: ['the words of a refusal and of a failed expectation'],
		why: "the errno or signal is compared, and whether an expectation held" },
	{ area: 'run', names: ['a statement that a guard excludes from one of the kernels'],
		why: 'it shows nothing there' },
];

const namesOf = (area: Area): ReadonlySet<string> =>
	new Set(NOT_COMPARED.flatMap((one) => one.area === area ? one.names : []));
const PAGES_LEFT_OUT = namesOf('pages'), STAT_LEFT_OUT = namesOf('memory.stat'),
	FILES_LEFT_OUT = namesOf('file'), EVENTS_FILE_LEFT_OUT = namesOf('memory.events'),
	EVENTS_LEFT_OUT = namesOf('trace event');
const TRACE_FIELDS_LEFT_OUT =
	new RegExp(` (?:${[...namesOf('trace field')].join('|')})=\\S+`, 'g');
/* What of /proc/vmstat is compared, as growth. */
const VMSTAT_COMPARED = new RegExp('^(?:pswpin|pswpout|pgrefill|pg(?:steal|scan)_\\w+|' +
	'pg(?:de)?activate|pglazyfreed?|pgrotated|oom_kill|unevictable_pgs_\\w+)$');

/** NOT_COMPARED, as docs/oracle.md has it. */
export function notComparedTable(): string {
	return '| where | what | why |\n| --- | --- | --- |\n' +
		NOT_COMPARED.map(({ area, names, why }) => `| ${area} | ` +
			`${names.map((name) => area === 'run' ? name : `\`${name}\``).join(', ')}` +
			` | ${why} |\n`).join('');
}

type Value = string | number | boolean;
/** A field of what a statement showed, by a name that is the same in both runs. */
type Field = readonly [name: string, value: Value];

/** A trace line, from the event's name on, without what is not compared; undefined: all of it. */
export function comparableTrace(line: string): string | undefined {
	const event = /^\w+/.exec(line)?.[0] ?? '';

	return EVENTS_LEFT_OUT.has(event) ? undefined : line.replace(TRACE_FIELDS_LEFT_OUT, '')
		.replace(/^mm_vmscan_write_folio:/, 'mm_vmscan_writepage:')
		.replace(/^(kvm_page_fault: .* error_code [0-9a-f]*)([9bdf])$/, (_, all, last) =>
			all + (parseInt(last, 16) & ~1).toString(16));
}

const traceFields = (name: string, lines: readonly string[]): Field[] =>
	lines.flatMap((line) => comparableTrace(line) ?? [])
		.map((line, i): Field => [`${name}[${i}]`, line]);

const statFields = (values: readonly (readonly [string, number])[]): Field[] =>
	values.filter(([key]) => !STAT_LEFT_OUT.has(key));

const keyValues = (text: string): [string, number][] =>
	text.split('\n').filter((line) => line).map((line) => {
		const [key = '', value] = line.split(' ');
		return [key, Number(value)];
	});

/* Files of the same path that were shown before, by path. */
type FirstShown = Map<string, string>;

function fileFields(path: string, text: string, first: FirstShown): Field[] {
	const name = path.slice(path.lastIndexOf('/') + 1);

	if (path === '/proc/vmstat') {
		const before = new Map(keyValues(first.get(path) ?? text));
		first.set(path, first.get(path) ?? text);
		return keyValues(text).filter(([key]) => VMSTAT_COMPARED.test(key))
			.map(([key, value]) => [key, value - (before.get(key) ?? 0)]);
	}
	if (name === 'memory.stat')
		return statFields(keyValues(text));
	if (name.startsWith('memory.events'))
		return keyValues(text).filter(([key]) => !EVENTS_FILE_LEFT_OUT.has(key));
	const lines = text.split('\n').filter((line) => line);
	if (FILES_LEFT_OUT.has(name))
		return [['lines', lines.length]];
	return FILES_LEFT_OUT.has(path) ? []
		: lines.map((line, i): Field => [`line ${i + 1}`, line]);
}

function isComparable(expectation: Expectation): boolean {
	switch (expectation.of) {
	case 'counts': return !expectation.counts.some(({ key }) => PAGES_LEFT_OUT.has(key));
	case 'flags': return !expectation.flags.some(({ key }) => PAGES_LEFT_OUT.has(key));
	case 'stat': return !expectation.keys.some(({ key }) => STAT_LEFT_OUT.has(key));
	default: return true;
	}
}

const ZERO_PAGE = 'ZERO_PAGE';
const flagsText = (flags: readonly string[]): string =>
	flags.includes(ZERO_PAGE) ? ZERO_PAGE
		: flags.filter((flag) => flag !== 'MAPPEDTODISK' || !flags.includes('ANON'))
			.join(' ');

function outcomeFields(statement: Statement, outcome: Outcome, first: FirstShown): Field[] {
	switch (outcome.kind) {
	case 'refused': return [['error', outcome.error]];
	case 'show':
		return [...Object.entries(outcome.counts)
			.filter(([key]) => !PAGES_LEFT_OUT.has(key)),
			...(outcome.flags ? [['flags', flagsText(outcome.flags)] as const] : [])];
	case 'stat': return statFields(outcome.values);
	case 'cached': return [['cached', outcome.cached]];
	case 'trace': return traceFields('line', outcome.lines);
	case 'notifiers': case 'lines':
		return outcome.lines.map((line, i): Field => [`line[${i}]`, line]);
	case 'cat':
		return statement.kind === 'cat'
			? fileFields(statement.path, outcome.text, first) : [];
	case 'expect':
		return statement.kind === 'expect' && isComparable(statement.expectation)
			? [['held', outcome.held]] : [];
	case 'done': case 'skipped': case 'endless': case 'never met': return [];
	}
}

function fieldsOf(statement: Statement, seen: SeenStatement, first: FirstShown): Field[] {
	const { outcome, during, killed, trace } = seen;

	return [
		['outcome', outcome.kind],
		...(during === undefined ? [] : [['met during', during] as const]),
		...(killed ? [['killed', killed.toSorted().join(' ')] as const] : []),
		...(killed ? [] : traceFields('trace', trace ?? [])),
		...outcomeFields(statement, outcome, first),
	];
}

/** A field in which two runs differ. */
export interface Divergence {
	/** Place in the program of the statement that showed it. */
	readonly place: number;
	/** `present`, `pgscan`, `trace[3]` ... */
	readonly field: string;
	/** What each showed; undefined: nothing. */
	readonly theirs: Value | undefined;
	readonly ours: Value | undefined;
}

export interface Comparison {
	/** Fields that were compared. */
	readonly fields: number;
	/** Of them, how many differ. */
	readonly different: number;
	/** The first that differs. */
	readonly first?: Divergence;
}

/* All of a run's fields by statement. */
function allFields({ statements }: Program, run: SeenRun): Map<number, Field[]> {
	const first: FirstShown = new Map();

	return new Map(run.statements.map((seen) =>
		[seen.place, fieldsOf(bodyOf(statements[seen.place]!), seen, first)]));
}

/* What a hook shows is what its body does. */
const bodyOf = (statement: Statement): Statement =>
	statement.kind === 'at' ? statement.body : statement;

/** How a run ended, where it did not reach the program's end. */
function endOf({ ended }: SeenRun): { place: number; reason: string } | undefined {
	return ended === 'whole' ? undefined : { place: ended.atPlace, reason: ended.reason };
}

const isSkipped = (fields: readonly Field[] | undefined): boolean =>
	fields?.[0]![1] === 'skipped';

/** Hold two runs of one program against each other. */
export function compare(program: Program, theirs: SeenRun, ours: SeenRun): Comparison {
	const [a, b] = [allFields(program, theirs), allFields(program, ours)];
	const [endA, endB] = [endOf(theirs), endOf(ours)];
	const stop = Math.min(endA?.place ?? Infinity, endB?.place ?? Infinity);
	let count = 0, different = 0, first: Divergence | undefined;

	const check = (one: Divergence): void => {
		count++;
		if (one.theirs === one.ours)
			return;
		different++;
		first ??= one;
	};
	program.statements.forEach((_, place) => {
		const [seenA, seenB] = [a.get(place), b.get(place)];
		if (place >= stop || isSkipped(seenA) || isSkipped(seenB))
			return;
		const [valuesA, valuesB] = [new Map(seenA), new Map(seenB)];
		for (const field of new Set([...valuesA.keys(), ...valuesB.keys()]))
			check({ place, field, theirs: valuesA.get(field),
				ours: valuesB.get(field) });
	});
	/* What comes after the end of one of them is no difference of its own. */
	check({ place: Math.min(stop, program.statements.length - 1), field: 'end of the run',
		theirs: endA && (endA.place === endB?.place ? 'here' : endA.reason),
		ours: endB && (endA?.place === endB.place ? 'here' : endB.reason) });
	return { fields: count, different, ...(first ? { first } : {}) };
}

/** What a run showed of the statement with a place; undefined: it did not come so far. */
export function seenAt({ statements }: SeenRun, place: number): SeenStatement | undefined {
	return statements.find((seen) => seen.place === place);
}

/** Expectations that failed, and refusals that nobody expected. */
export function failures({ statements, ended }: SeenRun): number {
	return statements.filter(({ outcome }) => isFailure(outcome)).length +
		(ended === 'whole' || statements.at(-1)?.outcome.kind === 'endless' ? 0 : 1);
}
