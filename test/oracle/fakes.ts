// SPDX-License-Identifier: GPL-2.0-only
/* A folder for a test, with fake programs on PATH and the parts of src/oracle as a bundle. */
import { build } from 'esbuild';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from '../cli/command.ts';

export interface Sandbox {
	readonly folder: string;
	/** A cache folder, empty at first. */
	readonly cache: string;
	/** Put a shell script on PATH. */
	fake(name: string, script: string): void;
	/** What is in the cache: paths of files, sorted. */
	left(): string[];
	/** Take the fakes off PATH, and everything away. */
	remove(): void;
}

export function sandbox(): Sandbox {
	const folder = mkdtempSync(join(tmpdir(), 'vmmu-oracle-'));
	const bin = join(folder, 'bin'), cache = join(folder, 'cache');
	const path = process.env['PATH'];

	mkdirSync(bin);
	mkdirSync(cache);
	process.env['PATH'] = bin + delimiter + path;
	return {
		folder, cache,
		fake(name, script) {
			writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
			chmodSync(join(bin, name), 0o755);
		},
		left: () => readdirSync(cache, { recursive: true, withFileTypes: true })
			.filter((entry) => !entry.isDirectory() || entry.parentPath.endsWith('tmp'))
			.map((entry) => join(entry.parentPath, entry.name).slice(cache.length + 1))
			.sort(),
		remove() {
			process.env['PATH'] = path;
			rmSync(folder, { recursive: true });
		},
	};
}

/** A program that imports from src/oracle, as a file that node runs. */
export async function program({ folder }: Sandbox, name: string, text: string): Promise<string> {
	const outfile = join(folder, `${name}.mjs`);

	await build({ stdin: { contents: text, loader: 'ts', resolveDir: join(root, 'src/oracle') },
		absWorkingDir: root, outfile, bundle: true, platform: 'node', format: 'esm',
		target: 'node20.19', logLevel: 'error' });
	return outfile;
}

/** Whether a process lives; one that is dead and not waited for does not. */
export function lives(pid: number, read: (path: string) => string): boolean {
	try {
		return !/^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`));
	} catch {
		return false;
	}
}
