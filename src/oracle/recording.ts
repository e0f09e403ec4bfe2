// SPDX-License-Identifier: GPL-2.0-only
/*
 * Recordings: what a program showed on a real kernel, in a file, so that the emulator can be held
 * against it without one. JSON, laid out for diff(1): a statement a line, its trace lines below it.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync }
	from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { KernelNameError, parseKernel, type Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { parseLitmus } from '../sim/litmus/parser.ts';
import { LitmusError } from '../sim/litmus/source.ts';
import type { SeenRun, SeenStatement } from './types.ts';

/** Version of the form; another one is refused. */
export const RECORDING_SCHEMA = 1;

export interface Recording {
	/** Of the program: recordingName(). */
	readonly name: string;
	/** The real kernel as the oracle calls it: `5.10`. */
	readonly on: string;
	/** The kernel of ours that must show the same: `v5.10.223`. */
	readonly emulated: string;
	/** QEMU's command line. */
	readonly commandLine: readonly string[];
	/** Versions of tools by name. */
	readonly tools: Readonly<Record<string, string>>;
	/** The program's text. */
	readonly source: string;
	/** What it showed: always a whole run. */
	readonly run: SeenRun;
}

/** A file that is no recording, or cannot be read or written. */
export class RecordingError extends Error {
	constructor(file: string, reason: string, options?: ErrorOptions) {
		super(`${file}: ${reason}`, options);
		this.name = 'RecordingError';
	}
}

/**
 * The name of a program: its path without `.litmus`, below the last folder called litmus, if there
 * is one.
 */
export function recordingName(file: string): string {
	const path = file.replace(/\.litmus$/, '').split('/');
	const below = path.lastIndexOf('litmus');

	return (below < 0 ? path.slice(-1) : path.slice(below + 1)).join('/');
}

/** `foreign-half.5.10.json` */
export function recordingFile({ name, on }: Pick<Recording, 'name' | 'on'>): string {
	return `${name}.${on}.json`;
}

/* -- Writing ---------------------------------------------------------------------------------- */

/* A list of lines below its key. */
const block = (lines: readonly string[], indent: string): string =>
	lines.length === 0 ? '[]'
		: `[\n${lines.map((line) => `${indent}\t${line}`).join(',\n')}\n${indent}]`;
const strings = (lines: readonly string[], indent: string): string =>
	block(lines.map((line) => JSON.stringify(line)), indent);

function statementText({ trace, outcome, ...rest }: SeenStatement): string {
	const [most, lines] = 'lines' in outcome
		? [{ kind: outcome.kind }, outcome.lines] : [outcome, undefined];
	const head = JSON.stringify({ ...rest, outcome: most });

	/* What is long goes to the end, on lines of its own. */
	return head.slice(0, -1) +
		(lines ? `,"lines":${strings(lines, '\t\t')}` : '') +
		(trace ? `,"trace":${strings(trace, '\t\t')}` : '') + '}';
}

/** A recording as text. @throws RecordingError if its run is not whole */
export function recordingText(recording: Recording): string {
	const { name, on, emulated, commandLine, tools, source, run } = recording;
	const { kernel, statements, ended } = run;
	const field = (key: string, value: unknown): string =>
		`\t${JSON.stringify(key)}: ${JSON.stringify(value)}`;

	if (ended !== 'whole')
		throw new RecordingError(recordingFile(recording), `the run on ${kernel} did not ` +
			`come to its end (${ended.reason}); only a whole one is recorded`);
	return `{\n${[
		field('schema', RECORDING_SCHEMA), field('name', name), field('on', on),
		field('kernel', kernel), field('emulated', emulated),
		`\t"tools": {\n${Object.entries(tools).map((tool) =>
			`\t${field(...tool)}`).join(',\n')}\n\t}`,
		`\t"commandLine": ${strings(commandLine, '\t')}`,
		`\t"program": ${strings(source.replace(/\n$/, '').split('\n'), '\t')}`,
		`\t"statements": ${block(statements.map(statementText), '\t')}`,
	].join(',\n')}\n}\n`;
}

/**
 * Write a file whole or not at all: under another name beside it, then renamed.
 * @throws RecordingError with the file as it was
 */
export function writeWhole(path: string, text: string): void {
	const temporary = join(dirname(path), `.${basename(path)}.${process.pid}`);

	try {
		const bytes = Buffer.from(text);
		const fd = openSync(temporary, 'wx');
		try {
			for (let at = 0; at < bytes.length;)
				at += writeSync(fd, bytes, at);
			fsyncSync(fd);
		} finally {
			closeSync(fd);
		}
		renameSync(temporary, path);
	} catch (error) {
		rmSync(temporary, { force: true });
		throw new RecordingError(path, `not written, and what was there is kept: ` +
			(error as Error).message, { cause: error });
	}
	/* The new name itself; a file system that cannot do that has done what it can. */
	try {
		const folder = openSync(dirname(path), 'r');
		try {
			fsyncSync(folder);
		} finally {
			closeSync(folder);
		}
	} catch {
		/* As above. */
	}
}

/** Write a recording into a folder. @returns its path. @throws RecordingError */
export function writeRecording(folder: string, recording: Recording): string {
	const path = join(folder, recordingFile(recording));
	const text = recordingText(recording);

	try {
		mkdirSync(dirname(path), { recursive: true });
	} catch (error) {
		throw new RecordingError(path, `not written: ${(error as Error).message}`,
			{ cause: error });
	}
	writeWhole(path, text);
	return path;
}

/* -- Reading ---------------------------------------------------------------------------------- */

/* What a value must be: a message if it is not. */
type Check = (value: unknown, where: string) => string | undefined;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);
const scalar = (type: 'string' | 'number' | 'boolean'): Check => (value, where) =>
	typeof value === type ? undefined : `${where} is ${show(value)}; expected a ${type}`;
const string = scalar('string'), number = scalar('number'), boolean = scalar('boolean');
const list = (of: Check): Check => (value, where) => {
	if (!Array.isArray(value))
		return `${where} is ${show(value)}; expected a list`;
	for (const [i, one] of value.entries()) {
		const problem = of(one, `${where}[${i}]`);
		if (problem !== undefined)
			return problem;
	}
	return undefined;
};
const valuesOf = (of: Check): Check => (value, where) => isObject(value)
	? list(of)(Object.values(value), where) : `${where} is ${show(value)}; expected an object`;
const statPair: Check = (value, where) =>
	Array.isArray(value) && value.length === 2 && typeof value[0] === 'string' &&
	typeof value[1] === 'number' ? undefined
		: `${where} is ${show(value)}; expected a name and a number`;

/* Fields of an object; one that ends in ? may be missing. */
const fields = (of: Readonly<Record<string, Check>>): Check => (value, where) => {
	if (!isObject(value))
		return `${where} is ${show(value)}; expected an object`;
	for (const [name, check] of Object.entries(of)) {
		const key = name.replace(/\?$/, '');
		if (value[key] === undefined && key !== name)
			continue;
		const problem = check(value[key], `${where}.${key}`);
		if (problem !== undefined)
			return problem;
	}
	const odd = Object.keys(value).find((key) => !(key in of) && !(`${key}?` in of));
	return odd === undefined ? undefined : `${where}.${odd} is not known; expected ` +
		Object.keys(of).map((key) => key.replace(/\?$/, '')).join(', ');
};

const kind: Check = () => undefined;
/* By kind; an outcome that ends a run is in no recording. */
const OUTCOMES: Readonly<Record<string, Check>> = {
	done: fields({ kind }),
	skipped: fields({ kind }),
	refused: fields({ kind, error: string, where: string, asked: boolean }),
	show: fields({ kind, pages: number, counts: valuesOf(number), 'flags?': list(string) }),
	stat: fields({ kind, values: list(statPair) }),
	cached: fields({ kind, pages: number, cached: number }),
	trace: fields({ kind }),
	notifiers: fields({ kind }),
	lines: fields({ kind }),
	cat: fields({ kind, text: string }),
	expect: fields({ kind, held: boolean, got: string }),
};
const outcome: Check = (value, where) => {
	const of = isObject(value) && typeof value['kind'] === 'string'
		? OUTCOMES[value['kind']] : undefined;
	return of ? of(value, where) : `${where} is ${show(value)}; expected one of a kind of ` +
		Object.keys(OUTCOMES).join(', ');
};
const statement = fields({ place: number, outcome, 'during?': number, 'killed?': list(string),
	'lines?': list(string), 'trace?': list(string) });
const whole = fields({ schema: number, name: string, on: string, kernel: string, emulated: string,
	tools: valuesOf(string), commandLine: list(string), program: list(string),
	statements: list(statement) });

const SHOWN_MAX = 40;
function show(value: unknown): string {
	const text = value === undefined ? 'missing' : JSON.stringify(value);

	return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}...` : text;
}

type StatementJson = Omit<SeenStatement, 'outcome'> & {
	readonly outcome: SeenStatement['outcome'] & { readonly kind: string };
	readonly lines?: readonly string[];
};
interface RecordingJson extends Omit<Recording, 'source' | 'run'> {
	readonly schema: number;
	readonly kernel: string;
	readonly program: readonly string[];
	readonly statements: readonly StatementJson[];
}

/** A recording that was read, with what it is about. */
export interface ReadRecording extends Recording {
	readonly program: Program;
	readonly ours: Kernel;
}

const statementOf = ({ lines, outcome: { ...most }, ...rest }: StatementJson): SeenStatement => ({
	...rest, outcome: (lines ? { ...most, lines } : most) as SeenStatement['outcome'] });

/**
 * A recording from its text.
 * @param file what messages call it
 * @throws RecordingError where it is not one: what is wrong, and what was expected
 */
export function parseRecording(text: string, file: string): ReadRecording {
	let json: unknown;

	try {
		json = JSON.parse(text);
	} catch (error) {
		throw new RecordingError(file, `no JSON: ${(error as Error).message}; ` +
			'expected a recording that vmmu oracle record has written');
	}
	if (isObject(json) && typeof json['schema'] === 'number' &&
		json['schema'] !== RECORDING_SCHEMA)
		throw new RecordingError(file, `schema ${json['schema']}; ` +
			`expected ${RECORDING_SCHEMA}: record it again`);
	const problem = whole(json, 'recording');
	if (problem !== undefined)
		throw new RecordingError(file, problem);
	const { program: lines, statements, kernel, name, on, emulated, commandLine, tools } =
		json as RecordingJson;
	const source = `${lines.join('\n')}\n`;
	const program = ofText(file, () => parseLitmus(source, `${file}: program`));
	const ours = ofText(file, () => parseKernel(emulated));
	checkStatements(file, program, statements);
	return { name, on, emulated, commandLine, tools, source, program, ours,
		run: { kernel, statements: statements.map(statementOf), ended: 'whole' } };
}

function ofText<T>(file: string, parse: () => T): T {
	try {
		return parse();
	} catch (error) {
		if (error instanceof LitmusError || error instanceof KernelNameError)
			throw new RecordingError(file, error.message, { cause: error });
		throw error;
	}
}

/* One for each statement of the program, in order, of a kind that it can show. */
function checkStatements(
	file: string, { statements }: Program, seen: readonly StatementJson[],
): void {
	if (seen.length !== statements.length)
		throw new RecordingError(file, `${seen.length} statements were recorded; ` +
			`expected ${statements.length}, as the program has`);
	seen.forEach(({ place, outcome: { kind: shown }, lines }, i) => {
		const { text, kind: asked } = statements[i]!;
		/* What a statement that acts shows besides: the dirty log of a slot. */
		const lined = shown === 'trace' || shown === 'notifiers' || shown === 'lines';
		const own = shown === 'lines' ? asked === 'dirtylog'
			: ['done', 'skipped', 'refused'].includes(shown) || shown === asked;
		if (place !== i || !own)
			throw new RecordingError(file, `recording.statements[${i}] says ` +
				`${shown} of statement ${place}; expected statement ${i}, ${text}`);
		if ((lines !== undefined) !== lined)
			throw new RecordingError(file, `recording.statements[${i}] (${text}) has ` +
				`${lines ? '' : 'no '}lines; ` +
				'expected them of trace, notifiers and dirty');
	});
}

/** Read a recording. @throws RecordingError */
export function readRecording(path: string): ReadRecording {
	let text: string;

	try {
		text = readFileSync(path, 'utf8');
	} catch (error) {
		throw new RecordingError(path, (error as Error).message, { cause: error });
	}
	return parseRecording(text, path);
}
