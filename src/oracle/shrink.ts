// SPDX-License-Identifier: GPL-2.0-only
/*
 * The smallest program that still shows something: delta debugging over its statements, then over
 * its numbers. All candidates of a round are asked about at once, for a boot costs more than a
 * program.
 */
import { parseLitmus } from '../sim/litmus/parser.ts';
import { LitmusError } from '../sim/litmus/source.ts';

/** Of programs, which still show it; one answer for each, in order. */
export type StillShows = (sources: readonly string[]) => Promise<readonly boolean[]>;

/* Lines by their index, and what they become; undefined: they go. */
type Edit = ReadonlyMap<number, string | undefined>;
interface Candidate { readonly edit: Edit; readonly lines: readonly string[] }

const textOf = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');

/* The line that the parser stumbles over, 0-based; undefined: the program is right. */
function wrongLine(lines: readonly string[]): number | undefined {
	try {
		parseLitmus(textOf(lines), 'candidate');
		return undefined;
	} catch (error) {
		if (error instanceof LitmusError)
			return error.span.line - 1;
		throw error;
	}
}

/* What a program becomes: what cannot stand without what is gone goes too. */
function apply(lines: readonly string[], edit: Edit): Candidate {
	const kept = lines.flatMap((line, at) => {
		const text = edit.has(at) ? edit.get(at) : line;
		return text === undefined ? [] : [{ at, text }];
	});
	const whole = new Map(edit);

	for (;;) {
		const wrong = wrongLine(kept.map(({ text }) => text));
		if (wrong === undefined || wrong >= kept.length)
			return { edit: whole, lines: kept.map(({ text }) => text) };
		whole.set(kept[wrong]!.at, undefined);
		kept.splice(wrong, 1);
	}
}

/* Fewer statements, then smaller numbers, then less text. */
function cost(lines: readonly string[]): readonly number[] {
	const text = lines.join('\n');

	return [lines.length, [...text.matchAll(/(?<![\w.])\d+/g)]
		.reduce((sum, [n]) => sum + Math.min(Number(n), 2 ** 20), 0), text.length];
}

function isLess(a: readonly string[], b: readonly string[]): boolean {
	const [x, y] = [cost(a), cost(b)];
	const at = x.findIndex((n, i) => n !== y[i]);

	return at >= 0 && x[at]! < y[at]!;
}

/* Several edits at once; where two are of one line the first counts, but that it goes. */
function union(candidates: readonly Candidate[]): Edit {
	const merged = new Map<number, string | undefined>();

	for (const { edit } of candidates)
		for (const [at, text] of edit)
			if (!merged.has(at) || text === undefined)
				merged.set(at, text);
	return merged;
}

class Shrinker {
	readonly #shows: StillShows;
	/* What was asked about, and did not show it. */
	readonly #refuted = new Set<string>();
	lines: readonly string[];

	constructor(source: string, shows: StillShows) {
		this.lines = source.replace(/\n+$/, '').split('\n');
		this.#shows = shows;
	}

	/* Those that still show it. */
	async #ask(candidates: readonly Candidate[]): Promise<Candidate[]> {
		const fresh = new Map(candidates.flatMap((one) => {
			const text = textOf(one.lines);
			return one.lines.length === 0 || this.#refuted.has(text) ||
				!isLess(one.lines, this.lines) ? [] : [[text, one]];
		}));
		const sources = [...fresh.keys()];
		const answers = sources.length ? await this.#shows(sources) : [];

		return sources.flatMap((source, i) => {
			if (answers[i])
				return [fresh.get(source)!];
			this.#refuted.add(source);
			return [];
		});
	}

	/* Take the best of these edits, several at once if they go together. */
	async round(edits: readonly Edit[]): Promise<boolean> {
		const good = await this.#ask(edits.map((edit) => apply(this.lines, edit)));

		if (good.length === 0)
			return false;
		const together: Candidate[] = [];
		for (let n = good.length; n > 1; n = Math.floor(n / 2))
			together.push(apply(this.lines, union(good.slice(0, n))));
		const all = [...await this.#ask(together), ...good];
		this.lines = all.reduce((best, one) => isLess(one.lines, best) ? one.lines : best,
			all[0]!.lines);
		return true;
	}

	/* Leave out runs of statements, halves first. */
	async statements(from: number): Promise<void> {
		for (let size = from; size >= 1;) {
			const edits: Edit[] = [];
			for (let at = 0; at < this.lines.length; at += size)
				edits.push(new Map(Array.from({ length: size },
					(_, i) => [at + i, undefined])));
			if (!await this.round(edits))
				size = size === 1 ? 0 : Math.ceil(size / 2);
			else
				size = Math.min(size, Math.ceil(this.lines.length / 2));
		}
	}

	async numbers(): Promise<void> {
		while (await this.round(this.lines.flatMap((line, at) =>
			smaller(line).map((text): Edit => new Map([[at, text]])))))
			;
	}
}

/* Smaller numbers in place of one. */
const less = (n: number): number[] =>
	[...new Set([1, n >> 1, n - 1])].filter((one) => one >= 1 && one < n);

/* A line with one thing in it smaller. */
function smaller(line: string): string[] {
	const found: string[] = [];
	const each = (pattern: RegExp, options: (match: RegExpExecArray) => readonly string[]): void => {
		for (const match of line.matchAll(pattern))
			for (const text of options(match))
				found.push(line.slice(0, match.index) + text +
					line.slice(match.index + match[0].length));
	};

	each(/(?<=(?:mmap \w+|memfd \w+|reclaim [\w/]+) )\d+/g, ([n]) => less(Number(n)).map(String));
	each(/\[(\d+)\.\.(\d+)\]/g, ([, a, b]) => {
		const [first, last] = [Number(a), Number(b)];
		const middle = first + last >> 1;
		return [`[${first}]`, `[${last}]`,
			...(Math.abs(last - first) > 1 ? [`[${first}..${middle}]`,
				`[${last > first ? middle + 1 : middle}..${last}]`] : []),
			...(first > 0 && last > 0 ? [`[${first - 1}..${last - 1}]`,
				`[${first >> 1}..${last - first + (first >> 1)}]`] : [])]
			.filter((text) => !text.includes('-'));
	});
	each(/\[(\d+)\]/g, ([, n]) => [0, ...less(Number(n))].filter((one) => one < Number(n))
		.map((one) => `[${one}]`));
	/* Of several ranges one less; a byte, an offset. */
	each(/(?<=(?:read|write)(?: \S+)*) [A-Za-z_][\w.[\]]*(?=.)/g, () => ['']);
	each(/(?<=write .*) \d+$/g, () => ['']);
	each(/ offset=\d+/g, () => ['']);
	return found;
}

/**
 * Shrink a program of one statement a line.
 * @param source it shows what is looked for
 * @param shows whether candidates do
 */
export async function shrink(source: string, shows: StillShows): Promise<string> {
	const shrinker = new Shrinker(source, shows);

	await shrinker.statements(Math.ceil(shrinker.lines.length / 2));
	await shrinker.numbers();
	await shrinker.statements(1);
	return textOf(shrinker.lines);
}
