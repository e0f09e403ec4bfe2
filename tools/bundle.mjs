// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is shipped, tested and measured is a bundle, made here. Its constants stay `const`, or
 * become the numbers that they are: the compiler of V8 takes a column for a constant only where
 * the variable that names it cannot change, and then its code is half as long.
 */
import { rolldown } from 'rolldown';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * @param {{ readonly source: string; readonly output: string }} entry paths, from the project's
 *	folder
 * @param {Pick<import('rolldown').InputOptions, 'external' | 'plugins'>} [input]
 * @param {Pick<import('rolldown').OutputOptions, 'format' | 'banner' | 'postBanner' |
 *	'postFooter' | 'sourcemap' | 'minify'>} [output]
 */
export async function bundle(entry, input, output) {
	const made = await rolldown({
		cwd: root,
		input: entry.source,
		platform: 'node',
		transform: { target: 'node20.19' },
		optimization: { inlineConst: { mode: 'all', pass: 3 } },
		...input,
	});
	await made.write({
		file: resolve(root, entry.output),
		format: 'esm',
		codeSplitting: false,
		comments: false,
		sourcemap: true,
		sourcemapExcludeSources: true,
		...output,
	});
	await made.close();
}
