// SPDX-License-Identifier: GPL-2.0-only
/* The cache: entries whole or not at all, one maker at a time, nothing left behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cacheError, cacheFolder, keepEntry, makeEntry, withLock, withTemporary }
	from '../../src/oracle/cache.ts';
import { OracleError } from '../../src/oracle/fault.ts';
import { program, sandbox, type Sandbox } from './fakes.ts';

let box: Sandbox;
beforeEach(() => {
	box = sandbox();
});
afterEach(() => box.remove());

const DEAD = 2 ** 22 + 1;		/* above the kernel's greatest pid, PID_MAX_LIMIT */

test('where it is', () => {
	expect(cacheFolder({ VMMU_CACHE: '/a', XDG_CACHE_HOME: '/b' })).toBe('/a');
	expect(cacheFolder({ XDG_CACHE_HOME: '/b' })).toBe('/b/vmmu');
	/* XDG Base Directory Specification: a relative path is ignored. */
	expect(cacheFolder({ XDG_CACHE_HOME: 'b' })).toBe(join(homedir(), '.cache/vmmu'));
	expect(cacheFolder({})).toBe(join(homedir(), '.cache/vmmu'));
	expect(() => cacheFolder({ VMMU_CACHE: 'a' })).toThrow(
		'VMMU_CACHE=a: expected an absolute path');
});

test('an entry is there whole, or not at all', async () => {
	const entry = join(box.cache, 'kernels/one');
	const failing = makeEntry(box.cache, entry, async (path) => {
		mkdirSync(path);
		writeFileSync(join(path, 'half'), '');
		expect(existsSync(entry)).toBe(false);
		throw new Error('cut off');
	});

	await expect(failing).rejects.toThrow('cut off');
	expect(box.left()).toEqual([]);
	for (const text of ['first', 'second']) {
		await makeEntry(box.cache, entry, async (path) => {
			mkdirSync(path);
			writeFileSync(join(path, text), text);
		});
		expect(box.left()).toEqual([`kernels/one/${text}`]);
	}
});

test('no space: what was there is kept, what was begun is not', async () => {
	const entry = join(box.cache, 'guest/one');
	await makeEntry(box.cache, entry, async (path) => writeFileSync(path, 'old'));
	const full = makeEntry(box.cache, entry, async (path) => {
		writeFileSync(path, 'new');
		throw Object.assign(new Error('write'), { code: 'ENOSPC' });
	});

	await expect(full).rejects.toThrow(
		`${entry}: no space left on the disk; what was begun is ` +
		'removed, what was there is kept. Free some, or set VMMU_CACHE to another folder');
	expect(readFileSync(entry, 'utf8')).toBe('old');
	expect(box.left()).toEqual(['guest/one']);
});

test('a cache that cannot be written is told', async () => {
	const blocked = join(box.folder, 'file');
	writeFileSync(blocked, '');

	await expect(withTemporary(blocked, async () => 0)).rejects.toThrow(
		'a file is in the way of a folder');
	await expect(withLock(join(blocked, 'x'), async () => 0)).rejects.toThrow(OracleError);
	expect(cacheError('/c', Object.assign(new Error(), { code: 'EROFS' })).message)
		.toBe('/c: cannot be written (EROFS). Make it writable, ' +
			'or set VMMU_CACHE to another folder');
});

test('an entry that stays is made once', async () => {
	let times = 0;
	const make = async (path: string) => writeFileSync(path, String(++times));
	const path = join(box.cache, 'guest/hash');
	const paths = await Promise.all([1, 2, 3].map(() => keepEntry(box.cache, path, make)));

	expect(paths).toEqual([path, path, path]);
	expect(readFileSync(path, 'utf8')).toBe('1');
	expect(box.left()).toEqual(['guest/hash']);
});

test('the lock of a dead process is taken over, that of a living one waited for', async () => {
	const entry = join(box.cache, 'x');
	writeFileSync(`${entry}.lock`, `${DEAD} 1\n`);
	expect(await withLock(entry, async () => existsSync(`${entry}.lock`))).toBe(true);
	/* This process lives, but one of another start time had its pid. */
	writeFileSync(`${entry}.lock`, `${process.pid} 1\n`);
	expect(await withLock(entry, async () => 1)).toBe(1);
	writeFileSync(`${entry}.lock`, 'garbage\n');
	expect(await withLock(entry, async () => 2)).toBe(2);

	const order: string[] = [], waits: number[] = [];
	let release = (): void => {};
	const first = withLock(entry, () => new Promise<void>((resolve) => {
		release = () => {
			order.push('first');
			resolve();
		};
	}));
	const second = withLock(entry, async () => void order.push('second'), (pid) => {
		waits.push(pid);
		release();
	});
	await Promise.all([first, second]);
	expect(order).toEqual(['first', 'second']);
	expect(waits).toEqual([process.pid]);
	expect(box.left()).toEqual([]);
});

test('a take-over that was itself cut off is taken over', async () => {
	const entry = join(box.cache, 'x');
	const { utimesSync } = await import('node:fs');

	writeFileSync(`${entry}.lock`, `${DEAD} 1\n`);
	writeFileSync(`${entry}.lock.takeover`, `${DEAD} 1\n`);
	utimesSync(`${entry}.lock.takeover`, 0, 0);
	expect(await withLock(entry, async () => 1)).toBe(1);
	expect(box.left()).toEqual([]);
});

/* Each adds one to a number in a file, slowly, below a lock that a dead process has left. */
test('many processes at once', async () => {
	const path = await program(box, 'add', `
		import { readFileSync, writeFileSync } from 'node:fs';
		import { setTimeout as sleep } from 'node:timers/promises';
		import { withLock } from './cache.ts';
		const [entry] = process.argv.slice(2);
		for (let i = 0; i < 5; i++)
			await withLock(entry, async () => {
				const n = Number(readFileSync(entry, 'utf8'));
				await sleep(2);
				writeFileSync(entry, String(n + 1));
			});`);
	const entry = join(box.cache, 'number');

	writeFileSync(entry, '0');
	writeFileSync(`${entry}.lock`, `${DEAD} 1\n`);
	const statuses = await Promise.all(Array.from({ length: 4 }, async () =>
		(await once(spawn(process.execPath, [path, entry], { stdio: 'inherit' }),
			'exit'))[0]));
	expect(statuses).toEqual([0, 0, 0, 0]);
	expect(readFileSync(entry, 'utf8')).toBe('20');
	expect(box.left()).toEqual(['number']);
});

test('a process that is ended takes its lock and its files with it', async () => {
	const path = await program(box, 'hold', `
		import { writeFileSync } from 'node:fs';
		import { withLock, withTemporary } from './cache.ts';
		const [cache, how] = process.argv.slice(2);
		await withLock(cache + '/x', () => withTemporary(cache, async (folder) => {
			writeFileSync(folder + '/half', '');
			if (how === 'throw')
				setTimeout(() => { throw new Error('nobody catches this'); });
			process.stdout.write('ready');
			await new Promise((resolve) => setTimeout(resolve, 60_000));
		}));`);
	const end = async (how: 'throw' | NodeJS.Signals) => {
		const child = spawn(process.execPath, [path, box.cache, how],
			{ stdio: ['ignore', 'pipe', 'ignore'] });
		await once(child.stdout, 'data');
		if (how !== 'throw')
			child.kill(how);
		return (await once(child, 'exit')) as [number | null, string | null];
	};

	expect(await end('SIGTERM')).toEqual([null, 'SIGTERM']);
	expect(box.left()).toEqual([]);
	expect(await end('SIGINT')).toEqual([null, 'SIGINT']);
	expect(box.left()).toEqual([]);
	expect((await end('throw'))[0]).toBe(1);
	expect(box.left()).toEqual([]);
	/* One that is killed cannot; the next that comes does. */
	expect(await end('SIGKILL')).toEqual([null, 'SIGKILL']);
	expect(box.left()).toHaveLength(3);
	await withLock(join(box.cache, 'x'), () => withTemporary(box.cache, async () => {}));
	expect(box.left()).toEqual([]);
});
