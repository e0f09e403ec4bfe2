// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a patch of one's own is run with (src/cli/patch.ts): each module as a function, and its
 * declarations, so that only what the patch changes is checked and compiled; and the script that
 * puts them together.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { bundle, root } from './bundle.mjs';
import { entries } from './entries.mjs';

/**
 * @param {string} folder gets a folder `dist` with it
 * @param {readonly string[]} [words] more for the compiler
 */
export async function buildPatched(folder, words = []) {
	const tsc = join(root, 'node_modules/typescript/bin/tsc');
	const { source, output } = entries.patched;

	await Promise.all([
		new Promise((resolve, reject) => {
			spawn(process.execPath, [tsc, '-p', join(root, 'tsconfig.patch.json'),
				'--outDir', join(folder, 'dist/patch'), ...words],
			{ stdio: 'inherit' })
				.on('error', reject)
				.on('close', (code) => code === 0 ? resolve(undefined)
					: reject(new Error('tsc of tsconfig.patch.json failed')));
		}),
		bundle({ source, output: join(folder, output) }, {},
			{ format: 'cjs', sourcemap: false }),
	]);
}
