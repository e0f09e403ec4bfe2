// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bundle bench/main.ts and run it under plain node; the arguments are its own. A bundle, because
 * loose modules and a test runner's module wrappers are several times slower than what is shipped.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundle, root } from './bundle.mjs';

const output = 'dist/bench/main.js';

/* The command's own start is measured too: that of these sources. */
execFileSync(process.execPath, [join(root, 'tools/build.mjs'), '--if-stale']);
await bundle({ source: 'bench/main.ts', output });
const { status, signal, error } = spawnSync(
	process.execPath, ['--enable-source-maps', join(root, output), ...process.argv.slice(2)],
	{ stdio: 'inherit' });
if (error)
	throw error;
if (signal)
	console.error(`bench: ended by ${signal}`);
process.exitCode = status ?? 1;
