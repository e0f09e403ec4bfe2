// SPDX-License-Identifier: GPL-2.0-only
/* Places in a litmus program, and messages about them. */

/** Where something stands: 1-based line and columns, the last column excluded. */
export interface Span {
	readonly line: number;
	readonly column: number;
	readonly endColumn: number;
}

/** A wrong program: `file:line:column: message`. */
export class LitmusError extends Error {
	readonly file: string;
	readonly span: Span;
	readonly reason: string;
	constructor(file: string, span: Span, reason: string) {
		super(`${file}:${span.line}:${span.column}: ${reason}`);
		this.name = 'LitmusError';
		this.file = file;
		this.span = span;
		this.reason = reason;
	}
}

/* Edits (insert, delete, replace, swap neighbours) that make b of a. */
function distance(a: string, b: string): number {
	let before: number[] = [], row = Array.from({ length: b.length + 1 }, (_, i) => i);

	for (let i = 1; i <= a.length; i++) {
		const next = [i];
		for (let j = 1; j <= b.length; j++) {
			const same = a[i - 1] === b[j - 1];
			next[j] = Math.min(
				row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (same ? 0 : 1));
			if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
				next[j] = Math.min(next[j]!, before[j - 2]! + 1);
		}
		before = row;
		row = next;
	}
	return row[b.length]!;
}

const NEAR_MAX = 40;

/** `; did you mean 'X'?` for the known word nearest to what was written, or nothing. */
export function didYouMean(written: string, known: Iterable<string>): string {
	let best = '', least = Infinity;

	if (written.length > NEAR_MAX)
		return '';
	for (const word of known) {
		const enough = Math.max(1, Math.floor(word.length / 3));
		if (Math.abs(word.length - written.length) > Math.min(enough, least - 1))
			continue;
		const edits = distance(written.toLowerCase(), word.toLowerCase());
		/* A word that differs in the case of its letters only is nearest. */
		if (edits < least && edits <= enough && word !== written) {
			least = edits;
			best = word;
		}
	}
	return best ? `; did you mean '${best}'?` : '';
}

const LISTED_MAX = 24;

/** `a, b or c`; of very many the first ones. */
export function oneOf(words: readonly string[]): string {
	if (words.length > LISTED_MAX)
		return `${words.slice(0, LISTED_MAX).join(', ')} or ${words.length - LISTED_MAX} ` +
			`others`;
	return words.length > 1
		? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words.join('');
}

const WRITTEN_MAX = 40;

/** A word of the program, quoted; of a very long one the start. */
export function quoted(text: string): string {
	return text.length > WRITTEN_MAX ? `'${text.slice(0, WRITTEN_MAX)}...'` : `'${text}'`;
}
