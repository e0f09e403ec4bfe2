// SPDX-License-Identifier: GPL-2.0-only
/* The command as it is shipped: bundled anew from the sources, run as a process. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from '../../tools/bundle.mjs';
import { buildCommand } from '../../tools/command.mjs';
import { entries, shipped } from '../../tools/entries.mjs';
import { buildPatched } from '../../tools/patched.mjs';

export { root };

export interface Result {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}
export interface Command {
	/** A folder for the test's files. */
	readonly folder: string;
	/** Path of the bundle. */
	readonly path: string;
	(words: readonly string[], input?: string, env?: Readonly<Record<string, string>>): Result;
}

/**
 * Build the command; the returned function runs it in the project's folder.
 * @param patches with what --patch needs
 */
export async function command(patches = false): Promise<Command> {
	const folder = mkdtempSync(join(tmpdir(), 'vmmu-cli-'));
	const path = join(folder, entries.start.output);
	await Promise.all([buildCommand(folder),
		...patches ? [buildPatched(folder, ['--noCheck'])] : []]);
	/* what --patch takes copies of */
	for (const name of ['src', 'node_modules', 'tsconfig.json', 'tsconfig.patch.json'])
		symlinkSync(join(root, name), join(folder, name));
	copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
	for (const name of shipped) {
		const from = join(root, 'src/oracle', name);
		if (existsSync(from))
			cpSync(from, join(folder, 'dist/oracle', name), { recursive: true });
	}
	/* Beside the bundle, so that node takes it for a module. */
	const { PATH = '' } = process.env;
	const run = (
		words: readonly string[], input = '', env: Readonly<Record<string,
		string>> = {}) => {
		const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...words],
			{ cwd: root, encoding: 'utf8', input, env: { PATH, ...env },
			maxBuffer: 1 << 28 });
		return { status, stdout, stderr };
	};
	return Object.assign(run, { folder, path });
}
