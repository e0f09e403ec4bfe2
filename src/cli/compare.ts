// SPDX-License-Identifier: GPL-2.0-only
/* vmmu diff of a program on two kernels: where they part, and in what they differ at the end. */
import { readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { COMMITS, unwatchCommits, watchCommits } from '../lib/commits.ts';
import { traceHandler } from '../lib/trace.ts';
import { differences } from '../sim/bisect.ts';
import { eventPart } from '../sim/ftrace.ts';
import { kernelHas, parseKernel, type Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { mapping } from '../sim/litmus/state.ts';
import { runProgram, type Runner } from '../sim/litmus/runner.ts';
import { subrange } from '../sim/machine.ts';
import { UsageError } from './arguments.ts';
import { print } from './output.ts';
import { EX_FAILED, EX_OK, readProgram } from './programs.ts';
import { json } from './report.ts';
import { wrap } from './table.ts';
import { countsText } from './text.ts';

const WIDTH = 100;
/* What is traced unless asked otherwise: LRU lists as well as reclaim. */
const EVENTS = ['vmscan', 'pagemap'];
const FRAMES_MAX = 8;

/** A place of a port that runs. */
interface Place { readonly name: string; readonly path: string; readonly line: number }

interface Side {
	readonly events: readonly string[];
	/** By what it is about (`page a.m[3]`, `cgroup A pgscan`): what it is. */
	readonly state: ReadonlyMap<string, string>;
}

function stateOf({ machine, program }: Runner): Map<string, string> {
	const state = new Map<string, string>();
	const lines = (what: string, path: string): void => {
		try {
			for (const line of machine.readFile(path).trimEnd().split('\n')) {
				const at = line.lastIndexOf(' ');
				state.set(`${what} ${line.slice(0, Math.max(at, 0))}`.trimEnd(),
					line.slice(at + 1));
			}
		} catch {
			/* removed, or never made */
		}
	};

	program.mappingNames.forEach((name, slot) => {
		const { pid, start, pages } = mapping(slot);
		if (!pid)
			return;
		for (let i = 0; i < pages; i++) {
			const page = subrange({ pid, start, pages }, i);
			try {
				const counts = machine.show(page);
				state.set(`page ${name}[${i}]`, counts.present
					? `present: ${machine.pageFlags(page).join(' ')}` +
						(counts.young ? ' young' : '') : countsText(
							counts));
			} catch {
				/* its task is gone */
			}
		}
	});
	for (const statement of program.statements)
		if (statement.kind === 'cgroup') {
			lines(`cgroup ${statement.path}`,
				`/sys/fs/cgroup/${statement.path}/memory.stat`);
			for (const file of ['memory.current', 'memory.swap.current'])
				lines(`cgroup ${statement.path} ${file}`,
					`/sys/fs/cgroup/${statement.path}/${file}`);
			lines(`cgroup ${statement.path} events`,
				`/sys/fs/cgroup/${statement.path}/memory.events`);
		}
	lines('counter', '/proc/vmstat');
	return state;
}

function sideOf(program: Program, kernel: Kernel, events: readonly string[]): Side {
	const runner = runProgram(program, kernel, { events });

	return { events: runner.machine.traceLines(runner.traceFrom).map(eventPart),
		state: stateOf(runner) };
}

/* What ran between an event and the next: where the next one was, and which commits were asked. */
function causeOf(
	program: Program, kernel: Kernel, events: readonly string[], event: number,
): { places: Place[]; commits: number[] } {
	let stack = '';
	let asked: number[] = [];

	traceHandler.hit = () => {
		if (traceHandler.at < event) {
			watchCommits();
			traceHandler.at = event;
			return;
		}
		asked = unwatchCommits();
		({ stack = '' } = new Error('here'));
		traceHandler.at = -1;
	};
	traceHandler.at = Math.max(event - 1, 0);
	watchCommits();
	const limit = Error.stackTraceLimit;
	Error.stackTraceLimit = 40;
	try {
		runProgram(program, kernel, { events });
		/* there is no such event: what was asked to the end */
		if (!stack)
			asked = unwatchCommits();
	} finally {
		unwatchCommits();
		Error.stackTraceLimit = limit;
		traceHandler.at = -1;
		traceHandler.hit = () => {};
	}
	return { places: placesOf(stack), commits: asked };
}

/* `    at shrink_page_list (/.../dist/vmmu.script.js:640:20)` */
const FRAME = /^\s+at (?:new )?(\S+)(?: \[as \S+\])? \((\S+):(\d+):(\d+)\)$/gm;
const PORT = /src\/(?:mm|kvm|arch)\/[^/]+\.ts$/;

/* The map of the bundle that this is in; undefined where it runs as it was written. */
function sourceMap(): SourceMap | undefined {
	try {
		return new SourceMap(JSON.parse(
			readFileSync(fileURLToPath(`${import.meta.url}.map`), 'utf8')) as
			ConstructorParameters<typeof SourceMap>[0]);
	} catch {
		return undefined;
	}
}

/* The frames of ports, innermost first. */
function placesOf(stack: string): Place[] {
	const map = stack ? sourceMap() : undefined;

	return [...stack.matchAll(FRAME)].flatMap(([, name, file, line, column]): Place[] => {
		const entry = map?.findEntry(Number(line) - 1, Number(column) - 1);
		const at = entry && 'originalSource' in entry
			? { path: entry.originalSource, line: entry.originalLine + 1 }
			: { path: file!, line: Number(line) };
		const path = PORT.exec(at.path)?.[0];
		return path && !name!.startsWith('trace_')
			? [{ name: name!.replace(/^.*\./, ''), path, line: at.line }] : [];
	}).slice(0, FRAMES_MAX);
}

/* Differences of the state, those of pages in a row together. */
function stateDifferences(a: Side, b: Side): { what: string; one: string; other: string }[] {
	const found: { what: string; one: string; other: string; name?: string; last?: number }[] =
		[];

	for (const what of new Set([...a.state.keys(), ...b.state.keys()])) {
		const one = a.state.get(what) ?? 'none', other = b.state.get(what) ?? 'none';
		if (one === other)
			continue;
		const page = /^page (.*)\[(\d+)\]$/.exec(what);
		const before = found.at(-1);
		if (page && before?.name === page[1] && before.last === Number(page[2]) - 1 &&
		    before.one === one && before.other === other) {
			before.last++;
			before.what = before.what.replace(/\[(\d+).*\]$/, `[$1..${before.last}]`);
		} else {
			found.push({ what, one, other,
				...page ? { name: page[1]!, last: Number(page[2]) } : {} });
		}
	}
	return found.map(({ what, one, other }) => ({ what, one, other }));
}

const describe = (nr: number): string => `${COMMITS[nr]!.id} ${COMMITS[nr]!.subject}`;

/**
 * Run a program on two kernels and print where they part.
 * @throws UsageError, KernelNameError, StatementBug
 */
export function compareKernels(file: string, { kernel, events, limit, asJson }: {
	readonly kernel: readonly string[]; readonly events: readonly string[] | undefined;
	readonly limit: number; readonly asJson: boolean }): number {
	if (kernel.length !== 2)
		throw new UsageError(
			'diff: expected two kernels: --kernel A --kernel B; or two snapshots');
	const [a, b] = kernel.map(parseKernel) as [Kernel, Kernel];
	const program = readProgram(file);
	const traced = events ?? EVENTS;

	const one = sideOf(program, a, traced), other = sideOf(program, b, traced);
	const length = Math.max(one.events.length, other.events.length);
	let event = 0;
	while (event < length && one.events[event] === other.events[event])
		event++;
	const parts = event < length;
	const inOne = parts ? causeOf(program, a, traced, event) : { places: [], commits: [] };
	const inOther = parts ? causeOf(program, b, traced, event) : { places: [], commits: [] };
	const apart = new Set(differences(a, b));
	const asked = [...new Set([...inOne.commits, ...inOther.commits])]
		.filter((nr) => apart.has(nr)).sort((x, y) => x - y);
	const state = stateDifferences(one, other);

	if (asJson) {
		print(json({ command: 'diff', file, kernels: [a.name, b.name],
			event: parts ? { number: event + 1,
				texts: [one.events[event] ?? null, other.events[event] ?? null],
				places: [inOne.places, inOther.places],
				commits: asked.map((nr) => COMMITS[nr]!.id) } : null,
			state: state.slice(0, limit) }));
	} else {
		print(`[1] ${a.name}\n[2] ${b.name}\n\n` + (parts
			? eventText(event, one, other, inOne.places, inOther.places) +
				guardText(asked, b, apart)
			: `all ${length} events are the same\n`) +
			(
				state.length ? `\n${stateText(state, limit)}`
				: '\nthe end is the same\n'));
	}
	return parts || state.length ? EX_FAILED : EX_OK;
}

function eventText(
	event: number, one: Side, other: Side, placesOne: readonly Place[],
	placesOther: readonly Place[],
): string {
	const lines = [event === 0 ? 'the first event differs:'
		: `${event} events are the same; event ${event + 1} differs:`];

	for (const [label, side, places] of [
		['[1]', one, placesOne], ['[2]', other, placesOther]] as const) {
		lines.push(...wrap(side.events[event] ?? 'no more events', WIDTH - 6)
			.map((part, i) => `  ${i === 0 ? label : '   '} ${part}`));
		places.forEach(({ name, path, line }, i) =>
			lines.push(`      ${i === 0 ? 'in' : 'by'} ${name}() ${path}:${line}`));
	}
	return lines.map((line) => `${line}\n`).join('');
}

function guardText(asked: readonly number[], b: Kernel, apart: ReadonlySet<number>): string {
	if (asked.length === 0)
		return '\nno commit in which they differ was asked for since the event before\n';
	return `\nof the ${apart.size} commits in which they differ, ` +
		'asked for since the event before:\n' +
		asked.map((nr) => `  ${kernelHas(b, nr) ? '+' : '-'}${describe(nr)}\n` +
			wrap(COMMITS[nr]!.where.map((place) => place.replace(/^.*:/, '') +
				'()').join(', '),
				WIDTH - 15).map((line) => `${' '.repeat(15)}${line}\n`).join(
					'')).join('');
}

function stateText(
	state: readonly { what: string; one: string; other: string }[], limit: number,
): string {
	const lines = state.slice(0, limit).flatMap(({ what, one, other }) => wrap(
		what.startsWith('page') ? `${what}: [1] ${one}; [2] ${other}`
			: `${what}: ${one} ${other}`, WIDTH - 4)
		.map((line, i) => i === 0 ? line : `    ${line}`));

	return 'at the end:\n' + lines.map((line) => `  ${line}\n`).join('') +
		(state.length > limit ? `  and ${state.length - limit} more (--limit)\n` : '');
}
