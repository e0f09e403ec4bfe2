// SPDX-License-Identifier: GPL-2.0-only
/* The words of a command line: operands, and the options that a command knows. */
import { didYouMean, oneOf } from '../sim/litmus/source.ts';

/** A wrong command line, or a file that cannot be used: exit status 64. */
export class UsageError extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'UsageError';
	}
}

/** `flag` stands alone, `value` takes a word, `values` can be given several times. */
export type OptionKind = 'flag' | 'value' | 'values';

type Given<K extends OptionKind> = K extends 'flag' ? boolean
	: K extends 'value' ? string | undefined : readonly string[];
export type Options<S extends Readonly<Record<string, OptionKind>>> =
	{ readonly [name in keyof S]: Given<S[name]> };

/**
 * Take a command line apart: `--name VALUE`, `--name=VALUE`; `--` ends the options.
 * @throws UsageError
 */
export function parseArguments<S extends Readonly<Record<string, OptionKind>>>(
	command: string, known: S, words: readonly string[],
): { operands: string[]; options: Options<S> } {
	const names = Object.keys(known);
	const flags = new Set<string>(), values = new Map<string, string[]>();
	const operands: string[] = [];

	for (let i = 0; i < words.length; i++) {
		const word = words[i]!;
		if (word === '--') {
			operands.push(...words.slice(i + 1));
			break;
		}
		if (!word.startsWith('-') || word === '-') {
			operands.push(word);
			continue;
		}
		const [name, inline] = splitOption(word);
		const kind = known[name];
		if (!Object.hasOwn(known, name))
			throw new UsageError(`${command}: ${word} is no option; expected ` +
				oneOf(names.map((one) => `--${one}`)) +
				didYouMean(`--${name}`, names.map((one) => `--${one}`)));
		if (kind === 'flag') {
			if (inline !== undefined)
				throw new UsageError(`${command}: --${name} takes no value`);
			flags.add(name);
			continue;
		}
		const value = inline ?? words[++i];
		if (value === undefined || value === '')
			throw new UsageError(`${command}: --${name} needs a value`);
		const before = values.get(name) ?? [];
		if (kind === 'value' && before.length)
			throw new UsageError(`${command}: --${name} is given twice`);
		values.set(name, [...before, value]);
	}
	const options = Object.fromEntries(names.map((name) => [name,
		known[name] === 'flag' ? flags.has(name)
		: known[name] === 'value' ? values.get(name)?.[0] : values.get(name) ?? []]));
	return { operands, options: options as Options<S> };
}

function splitOption(word: string): [name: string, inline: string | undefined] {
	const name = word.replace(/^--?/, '');
	const at = name.indexOf('=');

	return at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}
