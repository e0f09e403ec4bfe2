// SPDX-License-Identifier: GPL-2.0-only
/* The programs of the machine that the oracle runs: which are missing, and how they are run. */
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { OracleError, codeOf, messageOf, undoAtExit } from './fault.ts';

/**
 * node:child_process, loaded when a program is first run: few uses of the command run one, and it
 * is a good part of what node loads.
 */
export const processes = () => process.getBuiltinModule('node:child_process');

/* -- Running one ------------------------------------------------------------------------------ */

export interface Ran {
	readonly status: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly stdout: Buffer;
	/** What it said on stderr, without blanks at its ends. */
	readonly stderr: string;
}

export interface RunOptions {
	readonly cwd?: string;
	readonly env?: NodeJS.ProcessEnv;
	/** For each piece of stdout as it comes; then `stdout` of the result is empty. */
	readonly onStdout?: (bytes: Buffer) => void;
	/** For each piece that is written to file descriptor 3. */
	readonly onStatus?: (text: string) => void;
	/** Written to a file, if given; then `stdout` of the result is empty. */
	readonly stdoutFile?: number;
	/** Niceness to run with. */
	readonly nice?: number;
}

/**
 * Run a program to its end, in a process group of its own; the group is killed if this process is
 * ended before.
 * @throws OracleError if there is no such program
 */
export function runTool(
	name: string, words: readonly string[], options: RunOptions = {},
): Promise<Ran> {
	const { cwd, env, onStdout, onStatus, stdoutFile, nice } = options;
	const [program, args] = nice === undefined ? [name, words]
		: ['nice', ['-n', String(nice), name, ...words]];

	return new Promise((resolve, reject) => {
		const child = processes().spawn(program, args, {
			cwd, env: { ...process.env, LC_ALL: 'C', ...env }, detached: true,
			stdio: ['ignore', stdoutFile ?? 'pipe', 'pipe',
				...(onStatus ? ['pipe' as const] : [])],
		});
		const forget = undoAtExit(() => killGroup(child.pid));
		const out: Buffer[] = [], complaints: Buffer[] = [];

		child.stdout?.on('data', onStdout ?? ((bytes: Buffer) => out.push(bytes)));
		child.stderr!.on('data', (bytes: Buffer) => complaints.push(bytes));
		child.stdio[3]?.on('data', (bytes: Buffer) => onStatus!(bytes.toString()));
		child.on('error', (error) => {
			forget();
			reject(codeOf(error) === 'ENOENT' ? missing(program)
				: new OracleError('failed', `${program}: ${messageOf(error)}`));
		});
		child.on('close', (status, signal) => {
			forget();
			resolve({ status, signal, stdout: Buffer.concat(out),
				stderr: Buffer.concat(complaints).toString().trim() });
		});
	});
}

/** Kill a child that leads a process group, and what it has started. */
export function killGroup(pid: number | undefined): void {
	try {
		if (pid !== undefined)
			process.kill(-pid, 'SIGKILL');
	} catch {
		/* It is gone. */
	}
}

/** Where a program is on PATH; undefined if nowhere. */
export function findTool(name: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
	const paths = isAbsolute(name) ? [name]
		: (env['PATH'] ?? '').split(delimiter).filter(Boolean)
			.map((dir) => join(dir, name));

	return paths.find((path) => {
		try {
			accessSync(path, constants.X_OK);
			return statSync(path).isFile();
		} catch {
			return false;
		}
	});
}

/* -- What is needed --------------------------------------------------------------------------- */

interface Need {
	/** A program, or what `present` looks for. */
	readonly name: string;
	/** What for. */
	readonly use: string;
	/** The Debian package that has it. */
	readonly package: string;
	readonly present?: () => boolean;
}

/* Whether the preprocessor finds a header. */
function compilerIncludes(header: string): boolean {
	return processes().spawnSync('gcc', ['-E', '-x', 'c', '-'],
		{ input: `#include <${header}>\n`,
			stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
}

const RUN: readonly Need[] = [
	{ name: 'qemu-system-x86_64', use: 'boots the kernels', package: 'qemu-system-x86' },
	{ name: 'gcc', use: 'compiles the guest program', package: 'gcc' },
];
const FETCH: readonly Need[] = [
	{ name: 'apt-get', use: 'gets packages, from the source that this machine uses',
		package: 'apt' },
	{ name: 'apt-cache', use: 'tells which packages there are', package: 'apt' },
	{ name: 'dpkg-deb', use: 'unpacks packages', package: 'dpkg' },
	{ name: 'tar', use: 'unpacks packages', package: 'tar' },
	{ name: 'xz', use: 'unpacks kernel modules and sources', package: 'xz-utils' },
];
const BUILD: readonly Need[] = [
	{ name: 'make', use: 'builds a kernel', package: 'make' },
	{ name: 'flex', use: 'builds a kernel', package: 'flex' },
	{ name: 'bison', use: 'builds a kernel', package: 'bison' },
	{ name: 'bc', use: 'builds a kernel', package: 'bc' },
	{ name: 'gelf.h', use: 'builds a kernel', package: 'libelf-dev',
		present: () => compilerIncludes('gelf.h') },
];

/** `run` boots kernels, `fetch` gets them, `build` builds one. */
export type Purpose = 'run' | 'fetch' | 'build';
const NEEDS: Readonly<Record<Purpose, readonly Need[]>> = { run: RUN, fetch: FETCH, build: BUILD };

export interface ToolState {
	readonly name: string;
	readonly use: string;
	readonly package: string;
	readonly purpose: Purpose;
	readonly present: boolean;
}

export interface Diagnosis {
	readonly tools: readonly ToolState[];
	/** The command that installs what is missing; undefined where nothing is. */
	readonly install: string | undefined;
}

function installCommand(packages: readonly string[]): string | undefined {
	const sudo = process.getuid?.() === 0 ? '' : 'sudo ';

	return packages.length === 0 ? undefined
		: `${sudo}apt-get install -y --no-install-recommends ` +
			[...new Set(packages)].join(' ');
}

/** What is there and what is missing for some purposes. */
export function doctor(purposes: readonly Purpose[] = ['run', 'fetch']): Diagnosis {
	const tools = purposes.flatMap((purpose) => NEEDS[purpose].map((need) => ({
		name: need.name, use: need.use, package: need.package, purpose,
		present: need.present ? need.present() : findTool(need.name) !== undefined })));
	const packages = tools.filter(({ present }) => !present).map((tool) => tool.package);

	return { tools, install: installCommand(packages) };
}

function missing(name: string): OracleError {
	const need = Object.values(NEEDS).flat().find((one) => one.name === name);
	const command = need && installCommand([need.package]);

	return new OracleError('missing', `${name} is not installed` +
		(need ? ` (${need.use}); install it with: ${command}` : ''));
}

/** @throws OracleError with the command that installs what is missing for a purpose */
export function requireTools(purpose: Purpose): void {
	const { tools, install } = doctor([purpose]);
	const absent = tools.filter(({ present }) => !present).map(({ name }) => name);

	if (absent.length)
		throw new OracleError('missing', `${absent.join(', ')} ` +
			`${absent.length > 1 ? 'are' : 'is'} missing; install with: ${install}`);
}

/* -- Versions --------------------------------------------------------------------------------- */

/* The first line of what it says to --version; undefined if it is not there. */
function versionOf(name: string): string | undefined {
	const { status, stdout } = processes().spawnSync(name, ['--version'],
		{ encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' },
			stdio: ['ignore', 'pipe', 'ignore'] });
	return status === 0 ? stdout.split('\n')[0]!.trim() : undefined;
}

/** The versions of the tools that a run depends on, as they tell them; for recordings. */
export function toolVersions(): Readonly<Record<string, string>> {
	return Object.fromEntries([['qemu', 'qemu-system-x86_64'], ['gcc', 'gcc']]
		.flatMap(([key, name]) => {
			const version = versionOf(name!);
			return version === undefined ? [] : [[key!, version]];
		}));
}

/** The system of this machine: ID and VERSION_CODENAME of os-release(5). */
export function systemOf(path = '/etc/os-release'): { id: string; like: string; codename: string } {
	let text = '';
	try {
		text = readFileSync(path, 'utf8');
	} catch {
		/* It says nothing of itself. */
	}
	const get = (key: string) =>
		new RegExp(`^${key}=(["']?)(.*)\\1$`, 'm').exec(text)?.[2] ?? '';
	return { id: get('ID'), like: get('ID_LIKE'), codename: get('VERSION_CODENAME') };
}
