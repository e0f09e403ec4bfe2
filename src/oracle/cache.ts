// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user's cache folder. An entry is a file or a folder that is there whole or not at all: it is
 * made below tmp/ and renamed into place. Who makes one holds its lock, so that two runs at once
 * do not make it twice. A lock names its process; that of a dead one is taken over.
 *	kernels/	unpacked kernels			guest/	compiled guest programs
 *	apt/		apt's state for each suite		build/	kernel builds under way
 *	tmp/		entries being made, PID-N
 */
import { linkSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync,
	unlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { OracleError, codeOf, messageOf, undoAtExit } from './fault.ts';

/**
 * Where everything is kept: VMMU_CACHE, else vmmu/ in XDG_CACHE_HOME, else ~/.cache/vmmu.
 * @throws OracleError if VMMU_CACHE is no absolute path
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
	const own = env['VMMU_CACHE'];
	const base = env['XDG_CACHE_HOME'];

	if (own) {
		if (!isAbsolute(own))
			throw new OracleError('usage',
				`VMMU_CACHE=${own}: expected an absolute path`);
		return own;
	}
	/* The specification has a relative one ignored. */
	return join(base && isAbsolute(base) ? base : join(homedir(), '.cache'), 'vmmu');
}

/** A failed write into the cache, in words. What was begun is gone when this is thrown. */
export function cacheError(path: string, error: unknown): OracleError {
	if (error instanceof OracleError)
		return error;
	const elsewhere = 'or set VMMU_CACHE to another folder';
	switch (codeOf(error)) {
	case 'ENOSPC':
	case 'EDQUOT':
		return new OracleError('failed', `${path}: no space left on the disk; what was ` +
			`begun is removed, what was there is kept. Free some, ${elsewhere}`,
			{ cause: error });
	case 'EACCES':
	case 'EPERM':
	case 'EROFS':
		return new OracleError('failed', `${path}: cannot be written ` +
			`(${codeOf(error)}). Make it writable, ${elsewhere}`, { cause: error });
	case 'ENOTDIR':
	case 'EEXIST':
		return new OracleError('failed', `${path}: a file is in the way of a folder. ` +
			`Remove it, ${elsewhere}`, { cause: error });
	default:
		return new OracleError('failed', `${path}: ${messageOf(error)}`, { cause: error });
	}
}

/* -- Processes -------------------------------------------------------------------------------- */

/*
 * When a process began, in clock ticks since boot: with the pid, a name that is not used twice.
 * Undefined for a dead one, '' where there is no /proc. See proc(5), field 22 of stat.
 */
function startOf(pid: number): string | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
		const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return state === 'Z' ? undefined : rest[18];
	} catch {
		try {
			process.kill(pid, 0);
			return '';
		} catch (error) {
			return codeOf(error) === 'EPERM' ? '' : undefined;
		}
	}
}

const self = (): string => `${process.pid} ${startOf(process.pid) ?? ''}\n`;

/* Whether the process that wrote `PID START` lives. */
function isAlive(written: string): boolean {
	const [pid, start] = written.trim().split(' ');
	const now = /^[1-9]\d*$/.test(pid!) ? startOf(Number(pid)) : undefined;

	return now !== undefined && (now === '' || !start || now === start);
}

/* -- Temporary folders ------------------------------------------------------------------------ */

let made = 0;

/* Folders of processes that were killed before they could remove them. */
function sweep(tmp: string): void {
	for (const name of readdirSync(tmp)) {
		const pid = Number(/^(\d+)-/.exec(name)?.[1]);
		if (pid && startOf(pid) === undefined)
			rmSync(join(tmp, name), { recursive: true, force: true });
	}
}

/**
 * Do some work with a new folder below tmp/ of the cache; afterwards it is gone, also if the
 * process is ended.
 * @throws OracleError if it cannot be made
 */
export async function withTemporary<T>(
	cache: string, work: (folder: string) => Promise<T>,
): Promise<T> {
	const tmp = join(cache, 'tmp');
	const folder = join(tmp, `${process.pid}-${++made}`);
	const remove = () => rmSync(folder, { recursive: true, force: true });
	let forget = (): void => {};

	try {
		mkdirSync(tmp, { recursive: true });
		sweep(tmp);
		forget = undoAtExit(remove);
		/* One of an earlier process of this number may be left. */
		remove();
		mkdirSync(folder);
	} catch (error) {
		forget();
		throw cacheError(tmp, error);
	}
	try {
		return await work(folder);
	} finally {
		remove();
		forget();
	}
}

/* -- Locks ------------------------------------------------------------------------------------ */

const POLL_MS = 50;
/* A take-over is a few system calls: one that is older and whose process is dead was cut off. */
const TAKEOVER_MS = 10_000;

/* Make a file that does not exist yet, whole from its first moment. */
function createLock(path: string): boolean {
	const mine = `${path}.${process.pid}-${++made}`;

	try {
		writeFileSync(mine, self());
		linkSync(mine, path);
		return true;
	} catch (error) {
		if (codeOf(error) !== 'EEXIST')
			throw error;
		return false;
	} finally {
		rmSync(mine, { force: true });
	}
}

function readLock(path: string): string | undefined {
	try {
		return readFileSync(path, 'utf8');
	} catch (error) {
		if (codeOf(error) !== 'ENOENT')
			throw error;
		return undefined;
	}
}

/*
 * Remove the lock of a dead process. Of several that find it only one may, for the next already
 * holds the lock by the time that another comes to remove it: the right to remove is a lock too.
 */
function takeOver(path: string): void {
	const right = `${path}.takeover`;

	if (!createLock(right)) {
		const age = Date.now() -
			(statSync(right, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
		if (age > TAKEOVER_MS && !isAlive(readLock(right) ?? self()))
			rmSync(right, { force: true });
		return;
	}
	try {
		const holder = readLock(path);
		if (holder !== undefined && !isAlive(holder))
			unlinkSync(path);
	} finally {
		unlinkSync(right);
	}
}

/**
 * Do some work that no other process does at the same time on the same entry. Waits while a living
 * process holds the lock; the lock is gone afterwards, also if the process is ended.
 * @param entry path of the entry; the lock is a file beside it
 * @param onWait called once, with the pid of who holds the lock, before waiting
 * @throws OracleError if the lock cannot be written
 */
export async function withLock<T>(
	entry: string, work: () => Promise<T>, onWait: (pid: number) => void = () => {},
): Promise<T> {
	const path = `${entry}.lock`;
	let waiting = false;

	for (;;) {
		let holder: string | undefined;
		try {
			mkdirSync(dirname(path), { recursive: true });
			if (createLock(path))
				break;
			holder = readLock(path);
			if (holder !== undefined && !isAlive(holder)) {
				takeOver(path);
				continue;
			}
		} catch (error) {
			throw cacheError(path, error);
		}
		if (!waiting && holder !== undefined) {
			waiting = true;
			onWait(parseInt(holder, 10));
		}
		await new Promise((resolve) => setTimeout(resolve, POLL_MS));
	}
	const remove = () => rmSync(path, { force: true });
	const forget = undoAtExit(remove);
	try {
		return await work();
	} finally {
		remove();
		forget();
	}
}

/* -- Entries ---------------------------------------------------------------------------------- */

/**
 * Put a file or a folder, made below tmp/, into its place; one that is there already is replaced.
 * Preconditions: the caller holds the entry's lock, or no one else makes this entry.
 */
function place(cache: string, ready: string, entry: string): void {
	const old = join(cache, 'tmp', `${process.pid}-${++made}`);

	mkdirSync(dirname(entry), { recursive: true });
	if (statSync(entry, { throwIfNoEntry: false })?.isDirectory()) {
		/* A folder with something in it cannot be renamed over. */
		renameSync(entry, old);
		try {
			renameSync(ready, entry);
		} catch (error) {
			renameSync(old, entry);
			throw error;
		}
		rmSync(old, { recursive: true, force: true });
	} else {
		renameSync(ready, entry);
	}
}

/**
 * Make an entry, whole or not at all.
 * @param entry its path in the cache
 * @param make writes a file or a folder at the path that it is given
 * @throws OracleError, what `make` threw
 */
export async function makeEntry(
	cache: string, entry: string, make: (path: string) => Promise<void>,
): Promise<void> {
	await withTemporary(cache, async (folder) => {
		const path = join(folder, 'entry');
		try {
			await make(path);
			place(cache, path, entry);
		} catch (error) {
			throw codeOf(error) ? cacheError(entry, error) : error;
		}
	});
}

/**
 * The path of an entry that stays the same once it is made, such as one whose name is a hash of
 * what it is made from. It is made if it is not there.
 * @throws OracleError, what `make` threw
 */
export async function keepEntry(
	cache: string, entry: string, make: (path: string) => Promise<void>,
	onWait?: (pid: number) => void,
): Promise<string> {
	const isThere = () => statSync(entry, { throwIfNoEntry: false }) !== undefined;

	if (!isThere())
		await withLock(entry, async () => {
			if (!isThere())
				await makeEntry(cache, entry, make);
		}, onWait);
	return entry;
}
