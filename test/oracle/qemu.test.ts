// SPDX-License-Identifier: GPL-2.0-only
/*
 * Booting, with a shell script in place of QEMU that does what one can go through: the end of a
 * program, a panic, a hang, a death, garbage. And the initial RAM disk, read back.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cpioArchive } from '../../src/oracle/initrd.ts';
import type { KernelImage } from '../../src/oracle/kernels.ts';
import { bootGuest, type GuestJob } from '../../src/oracle/qemu.ts';
import { findTool } from '../../src/oracle/tools.ts';
import { lives, program, sandbox, type Sandbox } from './fakes.ts';

let box: Sandbox;
let image: KernelImage;
beforeEach(() => {
	box = sandbox();
	writeFileSync(join(box.folder, 'init'), 'the program');
	image = { name: '5.10', bzImage: '/b', modules: [], release: '5.10', version: '5.10',
		emulated: undefined };
});
afterEach(() => box.remove());

const job = (more: Partial<GuestJob> = {}): GuestJob => ({
	init: join(box.folder, 'init'), files: new Map(), ramBytes: 64 << 20, cpus: 1, nodes: 1,
	timeoutMs: { quiet: 30_000, total: 60_000 }, ...more });
const boot = (more?: Partial<GuestJob>) => bootGuest(image, job(more), box.cache);
/* The paths of the two files, and what is done with them. */
const qemu = (script: string) => box.fake('qemu-system-x86_64', `
	for word; do case $word in
		file,id=out,path=*) out=\${word#file,id=out,path=};;
		file,id=console,path=*) console=\${word#file,id=console,path=};;
		*/initrd) initrd=$word;;
	esac; done
	echo $$ > ${box.folder}/pid
	${script}`);
const pid = () => Number(readFileSync(join(box.folder, 'pid'), 'utf8'));
const isGone = () => !lives(pid(), (path) => readFileSync(path, 'utf8'));

describe('initial RAM disk', () => {
	const files = new Map([['init', Buffer.from('program')], ['etc/a', Buffer.alloc(5, 1)],
		['etc/deep/b', Buffer.alloc(0)]]);
	const archive = cpioArchive(files, new Set(['init']));

	/* buffer-format.rst: a header of 6 + 13 * 8 characters, name and bytes, padded to 4. */
	test('newc, as the kernel documents it', () => {
		const found: [string, string, string][] = [];
		for (let at = 0; at < archive.length;) {
			const field = (i: number) => parseInt(
				archive.toString('latin1', at + 6 + 8 * i, at + 14 + 8 * i), 16);
			expect(archive.toString('latin1', at, at + 6)).toBe('070701');
			const name = archive.toString('latin1', at + 110, at + 110 + field(11) - 1);
			expect(archive[at + 110 + field(11) - 1]).toBe(0);
			const data = Math.ceil((at + 110 + field(11)) / 4) * 4;
			found.push([name, field(1).toString(8),
				archive.toString('latin1', data, data + field(6))]);
			at = Math.ceil((data + field(6)) / 4) * 4;
		}
		expect(found).toEqual([['init', '100755', 'program'], ['etc', '40755', ''],
			['etc/a', '100644', '\x01\x01\x01\x01\x01'], ['etc/deep', '40755', ''],
			['etc/deep/b', '100644', ''], ['TRAILER!!!', '0', '']]);
	});

	test('cpio, where there is one, reads it', () => {
		const listed = findTool('cpio') === undefined ? undefined
			: spawnSync('cpio', ['-t', '--quiet'],
				{ input: archive, encoding: 'utf8' });
		expect(listed?.stdout ?? 'init\netc\netc/a\netc/deep\netc/deep/b\n')
			.toBe('init\netc\netc/a\netc/deep\netc/deep/b\n');
		expect(listed?.status ?? 0).toBe(0);
	});
});

describe('a run', () => {
	test('that ends itself: all that it wrote, and the console apart', async () => {
		qemu(`printf 'one\\n' > $out; printf '\\033[2Jhello\\r\\n' > $console
			cp "$initrd" ${box.folder}/initrd
			printf 'two\\001\\377' >> $out; echo 'reboot: Power down' >> $console`);
		const pieces: Uint8Array[] = [];
		const files = new Map<string, string | Uint8Array>(
			[['job', 'text'], ['raw', new Uint8Array(3)]]);
		const result = await boot({ files, onOutput: (bytes) => pieces.push(bytes) });

		expect(result).toMatchObject({ ended: 'poweroff', exitCode: 0, problem: undefined,
			console: 'hello\nreboot: Power down\n' });
		expect(Buffer.from(result.output).toString('latin1')).toBe('one\ntwo\x01\xff');
		expect(Buffer.concat(pieces)).toEqual(result.output);
		expect(readFileSync(join(box.folder, 'initrd'))).toEqual(cpioArchive(new Map([
			['init', Buffer.from('the program')], ['modules', Buffer.from('')],
			['job', Buffer.from('text')], ['raw', Buffer.alloc(3)],
		]), new Set(['init'])));
		expect(box.left()).toEqual([]);
	});

	test('the command line', async () => {
		qemu("echo 'reboot: Power down' > $console");
		image = { ...image, append: 'ttu_check_access=1' };
		const { commandLine } = await boot({ append: 'quiet2', ramDisks: 2,
			ramDiskBytes: 2 ** 20 });
		const after = (name: string) => commandLine[commandLine.indexOf(name) + 1];

		expect(after('-icount')).toBe('shift=2,sleep=off');
		expect(after('-m')).toBe('65536K');
		expect(after('-append')).toBe(
			'console=ttyS0 panic=1 quiet loglevel=3 nopcid nokaslr ' +
			'cgroup.memory=nokmem transparent_hugepage=never ' +
			'brd.rd_nr=2 brd.rd_size=1024 ' +
			'ttu_check_access=1 quiet2');
		expect(commandLine).not.toContain('-numa');

		/* Where the BIOS's tables are without it, or above 4 GiB. */
		const own = (await boot({ ownBytes: 32 << 20 })).commandLine.join(' ');
		expect(own).toContain('-m 98304K');
		expect(own).toContain(' memmap=32768K$65408K');
		const above = (await boot({ ramBytes: 3.5 * 2 ** 30, ownBytes: 32 << 20 }))
			.commandLine.join(' ');
		expect(above).toContain(' memmap=32768K$4718592K');

		const two = (await boot({ cpus: 4, nodes: 2 })).commandLine.join(' ');
		expect(two).toContain('-smp 4 -object memory-backend-ram,id=ram0,size=32768K ' +
			'-numa node,nodeid=0,memdev=ram0,cpus=0-1 ' +
			'-object memory-backend-ram,id=ram1,size=32768K ' +
			'-numa node,nodeid=1,memdev=ram1,cpus=2-3');
		/* A second CPU never comes up when instructions are the clock. */
		expect(two).not.toContain('-icount');
		const one = await boot({ nodes: 2 });
		expect(one.determined).toBe(true);
		expect(one.commandLine.join(' ')).toContain(
			'node,nodeid=0,memdev=ram0,cpus=0-0 -object ' +
			'memory-backend-ram,id=ram1,size=32768K -numa node,nodeid=1,memdev=ram1 ');
		await expect(boot({ ramBytes: 65 << 20, nodes: 2 })).rejects.toThrow(
			'its memory must be a multiple of 2 MiB');
	});

	test('modules: those asked for, what they need, in order, their parameters', async () => {
		const module = (name: string, depends: string) => {
			const path = join(box.folder, `${name}.ko`);
			writeFileSync(path, `ELF\0name=${name}\0depends=${depends}\0`);
			return path;
		};
		image = { ...image, modules: [module('brd', ''), module('zsmalloc', ''),
			module('zram', 'zsmalloc'), module('kvm', ''), module('kvm-amd', 'kvm')] };
		qemu(`cp "$initrd" ${box.folder}/initrd`);
		const listed = async (modules?: string[]) => {
			await boot(modules ? { modules } : {});
			return /(\/lib\/[ -~]*\n)+/.exec(
				readFileSync(join(box.folder, 'initrd'), 'latin1'))![0];
		};

		expect(await listed()).toBe(
			'/lib/brd.ko rd_nr=8 rd_size=4194304\n/lib/zsmalloc.ko\n' +
			'/lib/zram.ko\n/lib/kvm.ko\n/lib/kvm-amd.ko\n');
		expect(await listed(['kvm-amd', 'brd'])).toBe(
			'/lib/brd.ko rd_nr=8 rd_size=4194304\n/lib/kvm.ko\n/lib/kvm-amd.ko\n');
	});

	test('that panics', async () => {
		qemu(`printf 'partial' > $out; printf '%s\\n' 'before' '[1.0] BUG: bad page' \\
			'Call Trace:' '[1.1] Kernel panic - not syncing: Fatal' \\
			'[1.2] reboot: Restarting' > $console`);
		const result = await boot();

		expect(result.ended).toBe('panic');
		expect(Buffer.from(result.output).toString()).toBe('partial');
		expect(result.problem).toBe('the kernel panicked; 7 bytes of results had come; ' +
			"the kernel's console:\n  [1.0] BUG: bad page\n  Call Trace:\n" +
			'  [1.1] Kernel panic - not syncing: Fatal\n  [1.2] reboot: Restarting');
	});

	test('that hangs, silent or not', async () => {
		qemu("echo stuck > $console; exec sleep 60");
		const silent = await boot({ timeoutMs: { quiet: 300, total: 60_000 } });
		expect(silent).toMatchObject({ ended: 'hang', exitCode: null, problem:
			'no output for ' +
			"0.3 s, and QEMU was stopped; 0 bytes of results had come; the kernel's " +
			'console:\n  stuck' });
		expect(isGone()).toBe(true);

		qemu("while :; do echo again >> $out; sleep 0.05; done");
		const busy = await boot({ timeoutMs: { quiet: 30_000, total: 500 } });
		expect(busy.ended).toBe('hang');
		expect(busy.problem).toMatch(/^not at its end after 0\.5 s, and QEMU was stopped/);
		expect(isGone()).toBe(true);
		expect(box.left()).toEqual([]);
	});

	test('that dies', async () => {
		qemu("echo 'qemu: could not load kernel' >&2; exit 1");
		expect(await boot()).toMatchObject({ ended: 'died', exitCode: 1, problem:
			'QEMU ended with status 1: qemu: could not load kernel; ' +
			"0 bytes of results had come; the kernel's console is empty" });
		qemu('printf x > $out; kill -9 $$');
		expect(await boot()).toMatchObject({ ended: 'died', exitCode: null, problem:
			'QEMU was ended by SIGKILL; 1 bytes of results had come; ' +
			"the kernel's console is empty" });
		qemu("echo 'reboot: Restarting system' > $console");
		expect((await boot()).problem).toMatch(/^the machine was reset; /);
		expect(box.left()).toEqual([]);
	});

	test('whose output is garbage is handed over as it is', async () => {
		const garbage = Buffer.from(
			Array.from({ length: 70_000 }, (_, i) => i * i >> 3 & 255));
		writeFileSync(join(box.folder, 'garbage'), garbage);
		qemu(`cat ${box.folder}/garbage > $out; printf '\\000\\377\\033' > $console`);
		const result = await boot();

		expect(Buffer.compare(result.output, garbage)).toBe(0);
		expect(result.console).toBe('???');
		expect(result.problem).toMatch(/^the machine was reset; 70000 bytes /);
	});

	test('is ended by its reader, or by a signal', async () => {
		qemu('echo wrong > $out; exec sleep 60');
		await expect(boot({ onOutput: () => {
			throw new Error('not the stream that was expected');
		} })).rejects.toThrow('not the stream that was expected');
		expect(isGone()).toBe(true);

		const abort = new AbortController();
		const ended = boot({ signal: abort.signal,
			onOutput: () => abort.abort(new Error('enough')) });
		await expect(ended).rejects.toThrow('enough');
		expect(isGone()).toBe(true);
		expect(box.left()).toEqual([]);
	});

	test('at most two at once', async () => {
		qemu(`echo $$ >> ${box.folder}/begun; n=0; until [ -e ${box.folder}/go ]; do
			sleep 0.02; done; echo 'reboot: Power down' > $console`);
		const begun = () =>
			readFileSync(join(box.folder, 'begun'), 'utf8').match(/\n/g)!.length;
		let most = 0;
		const all = Promise.all([1, 2, 3, 4, 5].map(() => boot()));
		for (let i = 0; i < 20; i++) {
			await new Promise((resolve) => setTimeout(resolve, 20));
			try {
				most = Math.max(most, begun());
			} catch {
				/* None has begun. */
			}
		}
		expect(most).toBe(2);
		writeFileSync(join(box.folder, 'go'), '');
		expect((await all).map(({ ended }) => ended)).toEqual(Array(5).fill('poweroff'));
		expect(begun()).toBe(5);
	});

	test('dies with the process that began it', async () => {
		qemu('echo ready > $out; exec sleep 60');
		const path = await program(box, 'boot', `
			import { bootGuest } from './qemu.ts';
			const [image, job, cache] = process.argv.slice(2);
			await bootGuest(JSON.parse(image), { ...JSON.parse(job), files: new Map(),
				onOutput: () => process.stdout.write('ready') }, cache);`);
		const end = async (signal: NodeJS.Signals) => {
			const child = spawn(process.execPath, [path, JSON.stringify(image),
				JSON.stringify(job()), box.cache],
			{ stdio: ['ignore', 'pipe', 'inherit'] });
			await once(child.stdout, 'data');
			child.kill(signal);
			expect((await once(child, 'exit'))[1]).toBe(signal);
			for (let i = 0; i < 100 && !isGone(); i++)
				await new Promise((resolve) => setTimeout(resolve, 20));
			return isGone();
		};

		expect(await end('SIGTERM')).toBe(true);
		expect(box.left()).toEqual([]);
		expect(await end('SIGINT')).toBe(true);
		expect(box.left()).toEqual([]);
	});

	test('without QEMU: which is missing, and how to install it', async () => {
		process.env['PATH'] = join(box.folder, 'bin');
		await expect(boot()).rejects.toThrow(
			/^qemu-system-x86_64, .*missing; install with: .*qemu-system-x86/);
	});
});
