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

/* Sizes of runs of statements in one round; of edits that go, how many are tried together. */
const SIZES_AT_ONCE = 16, KEPT = 0.75;
const LOOKS = /^(?:show|stat|trace|cat|expect) /;

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
		const good = (await this.#ask(edits.map((edit) => apply(this.lines, edit))))
			.toSorted((a, b) => isLess(a.lines, b.lines) ? -1 : 1);

		if (good.length === 0)
			return false;
		/* All, all but some, the best two ... */
		const together: Candidate[] = [];
		for (let n = good.length; n > 1; n = Math.floor(n * KEPT))
			together.push(apply(this.lines, union(good.slice(0, n))));
		const all = [...await this.#ask(together), ...good];
		this.lines = all.reduce((best, one) => isLess(one.lines, best) ? one.lines : best,
			all[0]!.lines);
		return true;
	}

	/* All that only looks, but for the last statement, which shows it. */
	async looks(): Promise<void> {
		const last = this.lines.length - 1;
		const looking = this.lines.flatMap((line, at) => at < last && LOOKS.test(line)
			? [at] : []);
		const edit = (lines: readonly number[]): Edit =>
			new Map(lines.map((at) => [at, undefined]));

		await this.round([edit(looking),
			edit(looking.slice(looking.length >> 1)),
			edit(looking.slice(0, looking.length >> 1))]);
	}

	/* Leave out runs of statements, of several sizes at once: a round costs a boot. */
	async statements(): Promise<void> {
		for (let most = 2; ;) {
			const { length } = this.lines;
			const edits: Edit[] = [];
			for (let parts = most; parts < most * SIZES_AT_ONCE; parts *= 2) {
				const size = Math.max(1, Math.floor(length / parts));
				for (let at = 0; at < length; at += size)
					edits.push(new Map(Array.from(
						{ length: Math.min(size, length - at) },
						(_, i) => [at + i, undefined])));
			}
			if (await this.round(edits))
				most = Math.max(2, most / 2);
			else if (most * SIZES_AT_ONCE / 2 >= length)
				return;
			else
				most *= SIZES_AT_ONCE;
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
	[...new Set([1, 2, n >> 2, n >> 1, n * 3 >> 2, n - 1])]
		.filter((one) => one >= 1 && one < n);

/* A line with one thing in it smaller. */
function smaller(line: string): string[] {
	const found: string[] = [];
	const each = (
		pattern: RegExp, options: (match: RegExpExecArray) => readonly string[],
	): void => {
		for (const match of line.matchAll(pattern))
			for (const text of options(match))
				found.push(line.slice(0, match.index) + text +
					line.slice(match.index + match[0].length));
	};

	each(/(?<=(?:mmap \w+|memfd \w+|reclaim [\w/]+) )\d+/g, ([n]) =>
		less(Number(n)).map(String));
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

	await shrinker.looks();
	await shrinker.statements();
	await shrinker.numbers();
	await shrinker.statements();
	return textOf(shrinker.lines);
}
