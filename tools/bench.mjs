// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bundle bench/main.ts and run it under plain node; the arguments are its own. A bundle, because
 * loose modules and a test runner's module wrappers are several times slower than what is shipped.
 */
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const outfile = fileURLToPath(new URL('../dist/bench/main.js', import.meta.url));

await build({
	absWorkingDir: root,
	entryPoints: ['bench/main.ts'],
	outfile,
	bundle: true,
	platform: 'node',
	format: 'esm',
	target: 'node20.19',
	sourcemap: 'linked',
	logLevel: 'warning',
});
const { status, signal, error } = spawnSync(
	process.execPath, ['--enable-source-maps', outfile, ...process.argv.slice(2)],
	{ stdio: 'inherit' });
if (error)
	throw error;
if (signal)
	console.error(`bench: ended by ${signal}`);
process.exitCode = status ?? 1;
