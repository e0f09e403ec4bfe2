// SPDX-License-Identifier: GPL-2.0-only
/*
 * A unified diff against the ports, as `git diff` writes it: read, checked, and applied to text.
 * Each line of the result knows the line of the diff that it came from, so that whatever goes wrong
 * there can be shown where it was written.
 */
import { UsageError } from './arguments.ts';

/** A diff that cannot be used: exit status 64, with `file:line`. */
export class PatchError extends UsageError {
	constructor(file: string, line: number, reason: string) {
		super(`${file}:${line}: ${reason}`);
		this.name = 'PatchError';
	}
}

interface HunkLine {
	readonly kind: ' ' | '-' | '+';
	readonly text: string;
	/** Line of the diff, 1-based. */
	readonly at: number;
}
interface Hunk {
	readonly at: number;
	/** First line in the old file, 1-based. */
	readonly start: number;
	readonly lines: readonly HunkLine[];
}
export interface FilePatch {
	/** `src/mm/rmap.ts` */
	readonly path: string;
	readonly at: number;
	readonly hunks: readonly Hunk[];
}

/** What a diff may change: the ports, as they lie in the package. */
const PORTS = /^src\/(?:mm|kvm|arch)\/[A-Za-z0-9_-]+\.ts$/;
const HEADER = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/;

function pathOf(file: string, at: number, line: string, letter: string): string {
	const path = line.slice(4).replace(/\t.*$/, '');
	const expected = 'expected a file of src/mm, src/kvm or src/arch';

	if (path === '/dev/null')
		throw new PatchError(file, at,
			'a file is made or removed; a patch can only change files');
	if (path.startsWith('"') || path.includes('\\'))
		throw new PatchError(file, at, `${path} is no file of the ports; ${expected}`);
	if (!path.startsWith(`${letter}/`))
		throw new PatchError(file, at,
			`'${path}' does not begin with ${letter}/, as git diff has it`);
	const inside = path.slice(2);
	if (inside.split('/').includes('..'))
		throw new PatchError(file, at, `'${path}' leads out of the package; ${expected}`);
	if (!PORTS.test(inside))
		throw new PatchError(file, at, `'${inside}' is no file of the ports; ${expected}`);
	return inside;
}

/* Reads a diff line by line. */
class Reader {
	readonly file: string;
	readonly #lines: readonly string[];
	#next = 0;

	constructor(file: string, text: string) {
		this.file = file;
		const lines = text.split(/\r?\n/);
		if (lines.at(-1) === '')
			lines.pop();
		this.#lines = lines;
	}

	/** The next line, undefined at the end. */
	get line(): string | undefined {
		return this.#lines[this.#next];
	}
	/** Its number, 1-based. */
	get at(): number {
		return this.#next + 1;
	}
	advance(): void {
		this.#next++;
	}
	fail(reason: string): never {
		throw new PatchError(this.file, this.at, reason);
	}
}

/* Between the files: what git writes there, and mail headers before the first. */
function skipProse(reader: Reader, inside: boolean): void {
	for (let { line } = reader; line !== undefined && !line.startsWith('--- '); { line } =
		reader) {
		if (/^(?:GIT binary patch|Binary files .* differ)$/.test(line))
			reader.fail('is binary; a patch changes lines of text');
		if (/^(?:rename|copy) (?:from|to) |^(?:new|deleted) file mode |^old mode /.test(
			line))
			reader.fail(`'${line}': a patch can only change lines`);
		if (HEADER.test(line))
			reader.fail('a hunk without the two lines that name its file');
		if (inside && /^[-+]/.test(line) && line !== '-- ')
			reader.fail(
				'a line that belongs to no hunk: the counts of the hunk are wrong');
		reader.advance();
	}
}

function readHunk(reader: Reader): Hunk {
	const { at } = reader;
	const header = HEADER.exec(reader.line!)!;
	const count = (text: string | undefined): number => text === undefined ? 1 : Number(text);
	let old = count(header[2]), fresh = count(header[4]);
	const lines: HunkLine[] = [];

	reader.advance();
	while (old > 0 || fresh > 0) {
		const { line } = reader;
		const kind = line === '' ? ' ' : line?.[0];
		if (line === undefined || (kind !== ' ' && kind !== '-' && kind !== '+' &&
			kind !== '\\'))
			reader.fail(
				`the hunk of line ${at} ends too soon: ${old} old and ${fresh} ` +
				'new lines are missing');
		if (kind === '\\') {
			reader.advance();
			continue;
		}
		if (kind !== '+')
			old--;
		if (kind !== '-')
			fresh--;
		if (old < 0 || fresh < 0)
			reader.fail(`the hunk of line ${at} has more lines than its header says`);
		lines.push({ kind, text: line.slice(1), at: reader.at });
		reader.advance();
	}
	if (reader.line?.startsWith('\\'))
		reader.advance();
	return { at, start: Number(header[1]) || 1, lines };
}

/**
 * Read a diff.
 * @param file its name, for messages
 * @throws PatchError
 */
export function readPatch(file: string, bytes: Uint8Array): FilePatch[] {
	if (bytes.includes(0))
		throw new PatchError(file, 1, 'is binary; expected a unified diff');
	const reader = new Reader(file, new TextDecoder().decode(bytes));
	const patches: FilePatch[] = [];

	for (;;) {
		skipProse(reader, patches.length > 0);
		if (reader.line === undefined)
			break;
		const { at } = reader;
		const from = pathOf(file, at, reader.line, 'a');
		reader.advance();
		if (!reader.line?.startsWith('+++ '))
			reader.fail("expected the line '+++ b/...' that names the file");
		if (pathOf(file, reader.at, reader.line, 'b') !== from)
			reader.fail(`renames ${from}; a patch can only change lines`);
		reader.advance();
		const hunks: Hunk[] = [];
		while (reader.line !== undefined && HEADER.test(reader.line))
			hunks.push(readHunk(reader));
		if (hunks.length === 0)
			reader.fail(`expected a hunk of ${from}: @@ -LINE,COUNT +LINE,COUNT @@`);
		if (patches.some(({ path }) => path === from))
			throw new PatchError(file, at, `${from} is in the diff twice`);
		patches.push({ path: from, at, hunks });
	}
	if (patches.length === 0)
		throw new PatchError(file, 1,
			'changes nothing; expected a unified diff, as git diff writes it');
	return patches;
}

/** A file after a patch. */
export interface Patched {
	readonly text: string;
	/** By line of the new file less 1: the line of the diff it is in;
		undefined: outside of hunks. */
	readonly origins: readonly (number | undefined)[];
}

const matchesAt = (lines: readonly string[], hunk: Hunk, at: number): boolean => {
	const old = hunk.lines.filter(({ kind }) => kind !== '+');

	return at >= 0 && at + old.length <= lines.length &&
		old.every(({ text }, i) => lines[at + i] === text);
};

/**
 * Apply a patch: every context line must be there as it is (no fuzz), at the place that the hunk
 * says or, where lines were added above, at the nearest place that fits.
 * @throws PatchError for the first hunk that does not apply
 */
export function applyPatch(file: string, text: string, { path, hunks }: FilePatch): Patched {
	const lines = text.split('\n');
	const out: string[] = [], origins: (number | undefined)[] = [];
	let taken = 0, drift = 0;

	for (const hunk of hunks) {
		const wanted = hunk.start - 1 + drift;
		let at = -1;
		for (let away = 0; away <= lines.length && at < 0; away++)
			for (const candidate of [wanted - away, wanted + away])
				if (at < 0 && candidate >= taken && matchesAt(lines, hunk,
					candidate))
					at = candidate;
		if (at < 0)
			throw doesNotApply(file, path, lines, hunk, wanted);
		drift += at - wanted;
		for (; taken < at; taken++) {
			out.push(lines[taken]!);
			origins.push(undefined);
		}
		for (const { kind, text: line, at: from } of hunk.lines) {
			if (kind !== '+')
				taken++;
			if (kind === '-')
				continue;
			out.push(line);
			origins.push(from);
		}
	}
	for (; taken < lines.length; taken++) {
		out.push(lines[taken]!);
		origins.push(undefined);
	}
	return { text: out.join('\n'), origins };
}

function doesNotApply(
	file: string, path: string, lines: readonly string[], hunk: Hunk, wanted: number,
): PatchError {
	const old = hunk.lines.filter(({ kind }) => kind !== '+');
	const odd = old.findIndex(({ text }, i) => lines[wanted + i] !== text);
	if (odd < 0)
		return new PatchError(file, hunk.at, `the hunk of line ${hunk.at} does not ` +
			`apply: its lines are in ${path} only before the end of the hunk above it`);
	const { at, text } = old[odd]!;
	const there = lines[wanted + odd];

	return new PatchError(file, at, `the hunk of line ${hunk.at} does not apply: ${path}:` +
		`${wanted + odd + 1} is ` +
		`${there === undefined ? 'past its end' : `'${there.trim()}'`}; ` +
		`expected '${text.trim()}'`);
}
