// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command: a script whose dependencies are in it, what V8 made of it, and a start that runs
 * both (src/cli/start.ts).
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, root } from './bundle.mjs';
import { entries } from './entries.mjs';

/* A run of it, whose functions are compiled beforehand. */
const RUN = ['run', join(root, 'test/litmus/foreign-half.litmus')];
const MAKE_CODE = fileURLToPath(new URL('code.mjs', import.meta.url));

/** @param {string} folder gets a folder `dist` with the command */
export async function buildCommand(folder) {
	const { command, start } = entries;
	const script = join(folder, command.output), starter = join(folder, start.output);

	await Promise.all([
		bundle({ source: command.source, output: script }, {}, {
			format: 'cjs',
			postBanner: '(function (require, __filename) {', postFooter: '})',
			/* Half of a cold start is to read and to compile: less of less. */
			minify: { compress: false, mangle: { toplevel: false },
				codegen: { removeWhitespace: true } },
		}),
		bundle({ source: start.source, output: starter }, {},
			{ format: 'cjs', banner: '#!/usr/bin/env node', sourcemap: false }),
	]);
	chmodSync(starter, 0o755);
	if (/[^\0-\x7f]/.test(readFileSync(script, 'latin1')))
		throw new Error(`${command.output}: not ASCII alone, as it is read`);
	execFileSync(process.execPath, [MAKE_CODE, script, ...RUN],
		{ stdio: ['ignore', 'ignore', 'inherit'] });
}
