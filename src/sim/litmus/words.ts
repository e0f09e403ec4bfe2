// SPDX-License-Identifier: GPL-2.0-only
/* A litmus program as lines of words between blanks, and a cursor over the words of one line. */
import { LitmusError, quoted, type Span } from './source.ts';

export interface Word extends Span {
	readonly text: string;
}

/** One statement's words, and its text with single blanks. */
export interface Line {
	readonly words: readonly Word[];
	readonly text: string;
}

/* Where a line's comment begins: a `#` at its start or after a blank; its end if it has none. */
function commentAt(line: string): number {
	for (let at = line.indexOf('#'); at >= 0; at = line.indexOf('#', at + 1))
		if (at === 0 || line[at - 1] === ' ' || line[at - 1] === '\t')
			return at;
	return line.length;
}

/* A character that cannot stand: in a comment any text can, but no control character. */
const NOT_CODE = /[^\t\x20-\x7e]/;
// eslint-disable-next-line no-control-regex
const NOT_COMMENT = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]|[\ud800-\udfff]/u;

function checkCharacters(
	file: string, text: string, from: number, line: number, bad: RegExp): void {
	const odd = bad.exec(from ? text.slice(from) : text);

	if (!odd)
		return;
	/* in characters, of which some are two code units */
	const column = Array.from(text.slice(0, from + odd.index)).length + 1;
	const code = odd[0].codePointAt(0)!.toString(16).padStart(4, '0').toUpperCase();
	throw new LitmusError(file, { line, column, endColumn: column + 1 },
		`character U+${code}; expected ${bad === NOT_CODE
			? 'plain ASCII outside comments' : 'no control characters'}`);
}

/** Split a line; the `:` that ends a task's or a hook's name is a word of its own. */
function splitWords(text: string, line: number, into: Word[]): void {
	for (let at = 0; at < text.length;) {
		if (text[at] === ' ' || text[at] === '\t') {
			at++;
			continue;
		}
		let end = at + 1;
		while (end < text.length && text[end] !== ' ' && text[end] !== '\t')
			end++;
		const colon = end - at > 1 && text[end - 1] === ':';
		const last = colon ? end - 1 : end;
		into.push(
			{ text: text.slice(at, last), line, column: at + 1, endColumn: last + 1 });
		if (colon)
			into.push({ text: ':', line, column: last + 1, endColumn: end + 1 });
		at = end;
	}
}

/**
 * The lines of a program that have words, one at a time. A line that ends in a `\` of its own is
 * one with the next.
 * @throws LitmusError for a character that cannot stand
 */
export function* lines(source: string, file: string): Generator<Line> {
	const raw = source.split('\n');

	for (let i = 0; i < raw.length; i++) {
		const words: Word[] = [], texts: string[] = [];
		for (let more = true; more; i += more ? 1 : 0) {
			const whole = raw[i]!.endsWith('\r') ? raw[i]!.slice(0, -1) : raw[i]!;
			const end = commentAt(whole);
			const code = whole.slice(0, end);
			checkCharacters(file, code, 0, i + 1, NOT_CODE);
			if (end < whole.length)
				checkCharacters(file, whole, end, i + 1, NOT_COMMENT);
			splitWords(code, i + 1, words);
			more = words.at(-1)?.text === '\\' && words.at(-1)!.line === i + 1;
			const text = code.trim();
			texts.push(more ? text.slice(0, -1).trimEnd() : text);
			const slash = more ? words.pop()! : undefined;
			if (slash && i + 1 === raw.length)
				throw new LitmusError(file, slash,
					"no line follows this '\\'; expected one that goes on");
		}
		if (words.length)
			yield { words, text: texts.filter((text) => text).join(' ') };
	}
}

/** Reads the words of one statement from left to right. */
export class Cursor {
	readonly file: string;
	readonly words: readonly Word[];
	#next = 0;

	constructor(file: string, words: readonly Word[]) {
		this.file = file;
		this.words = words;
	}

	/** @throws LitmusError always */
	fail(span: Span, reason: string): never {
		throw new LitmusError(this.file, span, reason);
	}

	/** Where the next word stands, or would. */
	here(): Span {
		const { line, endColumn } = this.words.at(-1)!;

		return this.words[this.#next] ?? { line, column: endColumn, endColumn: endColumn +
			1 };
	}

	peek(ahead = 0): Word | undefined {
		return this.words[this.#next + ahead];
	}

	/** The words that are left, as they would be written. */
	rest(): string {
		return this.words.slice(this.#next).map(({ text }) => text).join(' ').replace(
			/ :/g, ':');
	}

	/** @throws LitmusError at the end of the line, where `expected` should stand */
	take(expected: string): Word {
		const word = this.words[this.#next];

		if (!word)
			this.fail(this.here(), `the line ends here; expected ${expected}`);
		this.#next++;
		return word;
	}

	/** Take the next word if it is `text`. */
	accept(text: string): boolean {
		if (this.peek()?.text !== text)
			return false;
		this.#next++;
		return true;
	}

	/** @throws LitmusError if the next word is not `text` */
	require(text: string, expected = `'${text}'`): Word {
		const word = this.take(expected);

		if (word.text !== text)
			this.fail(word, `${quoted(word.text)} stands here; expected ${expected}`);
		return word;
	}

	get done(): boolean {
		return this.#next >= this.words.length;
	}

	/** @throws LitmusError if words are left */
	end(): void {
		const word = this.peek();

		if (word)
			this.fail(
				word, `${quoted(word.text)} is too much; ` +
				`expected the end of the line`);
	}
}
