// SPDX-License-Identifier: GPL-2.0-only
/*
 * The build: two bundles, and the types of the API.
 *	dist/vmmu.cjs	the command, with dist/vmmu.script.js and what V8 made of that
 *	dist/index.js	the API
 *	dist/types	its declarations
 *	dist/patched.cjs	what runs a patch of one's own, of dist/patch
 *	dist/oracle	what they read at run time: the guest's C source, a kernel configuration
 * Exit status 1 where a source file does not compile or does not type-check.
 * --if-stale builds only where a source is newer than the last build: npm runs `prepare` not only
 * at installation, but also at the first npx in a directory.
 */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync }
	from 'node:fs';
import { join } from 'node:path';
import { bundle, root } from './bundle.mjs';
import { buildCommand } from './command.mjs';
import { entries, shipped } from './entries.mjs';
import { buildPatched } from './patched.mjs';

/** @returns {Promise<void>} rejected when tsc finds an error; it prints what */
const declarations = () => new Promise((resolve, reject) => {
	const tsc = join(root, 'node_modules/typescript/bin/tsc');
	spawn(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
		.on('error', reject)
		.on('close', (code) => code === 0 ? resolve() : reject(new Error('tsc failed')));
});

const stamp = join(root, 'dist/.built');
const sources = ['src', 'tools', 'package-lock.json', 'package.json', 'tsconfig.json',
	'tsconfig.build.json', 'tsconfig.patch.json'];

/** @param {string} path @returns {number} when it, or the newest file below it, was changed */
function newest(path) {
	const status = statSync(path);
	if (!status.isDirectory())
		return status.mtimeMs;
	const below = readdirSync(path).map((name) => newest(join(path, name)));
	return Math.max(status.mtimeMs, ...below);
}

function isFresh() {
	const built = statSync(stamp, { throwIfNoEntry: false })?.mtimeMs ?? 0;
	return sources.every((path) => newest(join(root, path)) < built);
}

if (process.argv.includes('--if-stale') && isFresh())
	process.exit();
rmSync(join(root, 'dist'), { recursive: true, force: true });
const { api } = entries;
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const results = await Promise.allSettled([
	buildCommand(root),
	bundle(api, { external: Object.keys(dependencies) }),
	declarations(),
	buildPatched(root),
]);
for (const result of results) {
	if (result.status === 'rejected') {
		console.error(`build: ${result.reason.message}`);
		process.exitCode = 1;
	}
}
for (const name of shipped) {
	const path = join(root, 'src/oracle', name);
	if (existsSync(path))
		cpSync(path, join(root, 'dist/oracle', name), { recursive: true });
}
if (!process.exitCode)
	writeFileSync(stamp, '');
