// SPDX-License-Identifier: GPL-2.0-only
/*
 * Booting a real kernel under QEMU's own emulation (TCG), with a program as its init. The program
 * writes its results to port 0xe9, QEMU's debug console, byte by byte; the kernel's console is
 * ttyS0 and kept apart. With instructions as the clock, a fixed date and a fixed seed, a machine of
 * one CPU runs the same way each time.
 */
import type { ChildProcess } from 'node:child_process';
import { closeSync, fstatSync, openSync, readFileSync, readSync, readdirSync, writeFileSync }
	from 'node:fs';
import { basename, join } from 'node:path';
import { cacheError, cacheFolder, withTemporary } from './cache.ts';
import { OracleError, codeOf, messageOf, undoAtExit } from './fault.ts';
import { cpioArchive } from './initrd.ts';
import { moduleDepends, moduleName, type KernelImage } from './kernels.ts';
import { findTool, killGroup, processes, requireTools } from './tools.ts';

/** The port that a guest writes its results to. */
export const OUT_PORT = 0xe9;

/** What is to be run in a kernel. */
export interface GuestJob {
	/** Path of a static executable: /init in the guest. */
	readonly init: string;
	/** More files, by path in the guest, without a leading /. */
	readonly files: ReadonlyMap<string, string | Uint8Array>;
	/** Memory of the machine, a multiple of 1 KiB. */
	readonly ramBytes: number;
	/**
	 * Memory more than that, a multiple of 1 MiB, which the kernel leaves alone; default 0. The
	 * guest finds its physical address and its bytes, as decimal numbers, in /memory.
	 */
	readonly ownBytes?: number;
	readonly cpus: number;
	/** NUMA nodes, 1 for no NUMA; memory and CPUs are dealt out, a node may have no CPU. */
	readonly nodes: number;
	/** RAM disks, /dev/ram0 and on; default 8. Memory is taken as they are written. */
	readonly ramDisks?: number;
	/** The size that each has, default 4 GiB. */
	readonly ramDiskBytes?: number;
	/**
	 * The modules of the image to be loaded with their dependencies, by name; default all. The
	 * guest finds them listed in /modules, in load order, one a line: its path and parameters.
	 */
	readonly modules?: readonly string[];
	/** QEMU's -cpu, default CPU_DEFAULT. */
	readonly cpu?: string;
	/** More kernel arguments. */
	readonly append?: string;
	readonly timeoutMs: {
		/**
		 * Time of the host without any new output of guest or kernel, but not that in which
		 * QEMU waited for a processor.
		 */
		readonly quiet: number;
		/** Time of the host in all. */
		readonly total: number;
	};
	/** For each piece of output as it comes. What it throws ends the run. */
	readonly onOutput?: (bytes: Uint8Array) => void;
	/** Ends the run early: bootGuest() then throws its reason. */
	readonly signal?: AbortSignal;
}

/** How a run went. */
export interface BootResult {
	/** All that the guest wrote to OUT_PORT. */
	readonly output: Uint8Array;
	/** The kernel's console. */
	readonly console: string;
	/**
	 *	poweroff	the guest ended it
	 *	panic		the kernel gave up
	 *	hang		no output, or no end, for too long; QEMU was killed
	 *	died		QEMU ended itself, was killed by others, or the machine was reset
	 */
	readonly ended: 'poweroff' | 'panic' | 'hang' | 'died';
	/** Whether the same job gives the same result each time: with one CPU. */
	readonly determined: boolean;
	/** QEMU's; null where a signal ended it. */
	readonly exitCode: number | null;
	readonly seconds: number;
	/** What was run; with temporary paths in it. */
	readonly commandLine: readonly string[];
	/** In words, with the last lines of the console, unless it was a poweroff. */
	readonly problem: string | undefined;
}

/** A CPU with SVM and nested paging; not LA57: a nested kernel without five levels would hang. */
export const CPU_DEFAULT = 'max,+svm,+npt,-la57';
const RAM_DISKS_DEFAULT = 8;
const KIB = 1024;
const RAM_DISK_DEFAULT = 4 * KIB * KIB * KIB;

/*
 * What makes two runs the same: above all, instructions are the clock. With that a second CPU never
 * comes up (QEMU 7.2), so that a machine of several has the host's clock, and its runs differ.
 */
const QEMU_FIXED = ['-rtc', 'base=2020-11-05,clock=vm', '-seed', '1'];
const ONE_CPU = ['-accel', 'tcg', '-icount', 'shift=2,sleep=off'];
const MORE_CPUS = ['-accel', 'tcg,thread=single'];
/* And what keeps the machine small and the memory of a cgroup free of the kernel's own. */
const KERNEL_FIXED = ['console=ttyS0', 'panic=1', 'quiet', 'loglevel=3', 'nopcid', 'nokaslr',
	'cgroup.memory=nokmem', 'transparent_hugepage=never'];

/* -- Command lines ---------------------------------------------------------------------------- */

/** The kernel's command line for a job, without what the image or the job appends. */
export function kernelArguments(
	{ ramDisks = RAM_DISKS_DEFAULT, ramDiskBytes = RAM_DISK_DEFAULT }: Pick<GuestJob,
		'ramDisks' | 'ramDiskBytes'>,
): string[] {
	return [...KERNEL_FIXED, `brd.rd_nr=${ramDisks}`, `brd.rd_size=${ramDiskBytes / KIB}`];
}

/* That the kernel leaves alone what is the guest's own. */
function ownArguments({ ramBytes, ownBytes }: GuestJob): string[] {
	return ownBytes
		? [`memmap=${ownBytes / KIB}K$${ownAddress(ramBytes, ownBytes) / KIB}K`] : [];
}

/* A module's parameters are arguments of a kernel that has it built in. */
function moduleParameters(name: string, args: readonly string[]): string {
	return args.filter((word) => word.replaceAll('_', '-').startsWith(`${name}.`))
		.map((word) => word.slice(name.length + 1)).join(' ');
}

/*
 * Where that memory lies. QEMU puts what does not fit below its devices above 4 GiB
 * (hw/i386/pc_piix.c:pc_init1()). The BIOS has its tables in the last 128 KiB of what does, so below
 * it begins so much earlier, where they would be without it: the kernel has the same memory.
 */
const BELOW_DEVICES_MAX = 0xe000_0000, BELOW_DEVICES = 0xc000_0000, ABOVE_DEVICES = 0x1_0000_0000;
const BIOS_TABLES = 128 * KIB;

function ownAddress(ramBytes: number, ownBytes: number): number {
	return ramBytes + ownBytes < BELOW_DEVICES_MAX ? ramBytes - BIOS_TABLES
		: ABOVE_DEVICES + Math.max(ramBytes - BELOW_DEVICES, 0);
}

function memoryArguments({ ramBytes, ownBytes = 0, cpus, nodes }: GuestJob): string[] {
	const total = ['-m', `${(ramBytes + ownBytes) / KIB}K`, '-smp', String(cpus)];

	if (nodes <= 1)
		return total;
	if (ramBytes % (nodes * KIB * KIB) !== 0)
		throw new OracleError('usage',
			`a machine with ${nodes} nodes: its memory must be ` +
			`a multiple of ${nodes} MiB`);
	/* The first ones have one more, or the only ones. */
	const firstCpu = (node: number) => Math.ceil(node * cpus / nodes);
	return [...total, ...Array.from({ length: nodes }, (_, i) => {
		const first = firstCpu(i), last = firstCpu(i + 1) - 1;
		const bytes = ramBytes / nodes + (i + 1 < nodes ? 0 : ownBytes);
		return ['-object', `memory-backend-ram,id=ram${i},size=${bytes / KIB}K`,
			'-numa', `node,nodeid=${i},memdev=ram${i}` +
				(last < first ? '' : `,cpus=${first}-${last}`)];
	}).flat()];
}

/* -- One at a time, or two --------------------------------------------------------------------- */

const BOOTS_MAX = 2;
let running = 0;
const waiting: (() => void)[] = [];

async function takeTurn<T>(work: () => Promise<T>): Promise<T> {
	if (running >= BOOTS_MAX)
		await new Promise<void>((resolve) => waiting.push(resolve));
	else
		running++;
	try {
		return await work();
	} finally {
		const next = waiting.shift();
		if (next)
			next();
		else
			running--;
	}
}

/* -- Booting ---------------------------------------------------------------------------------- */

const CONSOLE_LINES = 15;

/* The end of the console, as it is shown: without escape sequences and carriage returns. */
function consoleText(bytes: string): string {
	// oxlint-disable-next-line no-control-regex
	return bytes.replace(/\x1b\[[0-9;?]*[A-Za-z]|\x1bc|\r/g, '')
		.replace(/[^\n\t -~]/g, '?');
}

function lastLines(text: string, count: number): string {
	const lines = text.split('\n').filter((line) => line.trim() !== '');

	return lines.slice(-count).map((line) => `  ${line}`).join('\n');
}

/* From the panic on, where there is one. */
function consoleExcerpt(text: string): string {
	const at = text.indexOf('Kernel panic');
	const bug = /^.*(BUG:|Oops|general protection|kernel BUG|unable to handle)/m.exec(text);
	const from = bug && bug.index < at ? bug.index : at;

	return from < 0 ? lastLines(text, CONSOLE_LINES)
		: text.slice(text.lastIndexOf('\n', from) + 1).split('\n')
			.filter((line) => line.trim()).slice(0, CONSOLE_LINES)
			.map((line) => `  ${line}`).join('\n');
}

interface End {
	readonly exitCode: number | null;
	readonly signal: NodeJS.Signals | null;
	readonly hang: string | undefined;
	readonly stderr: string;
	readonly console: string;
	readonly output: Uint8Array;
}

function judge(end: End): { ended: BootResult['ended']; problem: string | undefined } {
	const { console: printed, exitCode, signal, hang, stderr, output } = end;
	const shown = consoleExcerpt(printed);
	const rest = `${output.length} bytes of results had come; ` +
		(shown ? `the kernel's console:\n${shown}` : "the kernel's console is empty");

	if (printed.includes('Kernel panic'))
		return { ended: 'panic', problem: `the kernel panicked; ${rest}` };
	if (hang !== undefined)
		return { ended: 'hang', problem: `${hang}, and QEMU was stopped; ${rest}` };
	if (exitCode !== 0)
		return { ended: 'died', problem:
			(signal ? `QEMU was ended by ${signal}`
			: `QEMU ended with status ${exitCode}`) +
			(stderr ? `: ${stderr}` : '') + `; ${rest}` };
	/* Printed whatever the log level; a kernel without printk prints nothing at all. */
	if (!printed.includes('reboot: Power down') && printed.trim() !== '')
		return { ended: 'died', problem: `the machine was reset; ${rest}` };
	return { ended: 'poweroff', problem: undefined };
}

/* QEMU dies with this process even if that is killed, where util-linux is there. */
function qemuCommand(): string[] {
	return findTool('setpriv') === undefined ? ['qemu-system-x86_64']
		: ['setpriv', '--pdeathsig', 'KILL', 'qemu-system-x86_64'];
}

/* A file that QEMU writes, read as it grows: a pipe would wake this process for each byte. */
class GrowingFile {
	readonly #fd: number;
	readonly #pieces: Uint8Array[] = [];
	#length = 0;

	constructor(path: string) {
		this.#fd = openSync(path, 'a+');
	}

	/** What has come since the last time. */
	grow(): Uint8Array {
		const piece = Buffer.alloc(fstatSync(this.#fd).size - this.#length);

		for (let at = 0; at < piece.length;)
			at += readSync(this.#fd, piece, at, piece.length - at, this.#length + at);
		this.#length += piece.length;
		if (piece.length)
			this.#pieces.push(piece);
		return piece;
	}
	/** All of it. */
	bytes(): Buffer {
		this.grow();
		return Buffer.concat(this.#pieces);
	}
	close(): void {
		closeSync(this.#fd);
	}
}

/*
 * Milliseconds that a process has waited for a processor, of its threads the one that did longest; 0
 * where that is not known. A busy host makes no guest hang.
 */
function waitedMs(pid: number | undefined): number {
	try {
		const threads = `/proc/${pid}/task`;

		return Math.max(...readdirSync(threads).map((thread) =>
			Number(readFileSync(join(threads, thread, 'schedstat'), 'latin1')
				.split(' ')[1]) / 1e6 || 0));
	} catch {
		return 0;
	}
}

const WATCH_MS = 100;

/* Wait for QEMU's end, collecting what comes. */
function watch(
	child: ChildProcess, output: GrowingFile, tty: GrowingFile, job: GuestJob,
): Promise<End> {
	const { timeoutMs: { quiet, total }, onOutput, signal } = job;
	const kill = () => killGroup(child.pid);
	const forget = undoAtExit(kill);

	return new Promise((resolve, reject) => {
		const complaints: Uint8Array[] = [];
		const begun = performance.now();
		/* When the last output came, and how long QEMU had waited then. */
		let last = begun, waited = 0, hang: string | undefined;
		/* What ended it from this side, in an array as it may be anything. */
		const thrown: unknown[] = [];
		const fail = (error: unknown) => {
			thrown.push(error);
			kill();
		};
		const abort = () => fail(signal!.reason);
		const collect = (): boolean => {
			const bytes = output.grow();
			if (bytes.length && thrown.length === 0)
				try {
					onOutput?.(bytes);
				} catch (error) {
					fail(error);
				}
			return tty.grow().length + bytes.length > 0;
		};

		child.stderr!.on('data', (bytes: Uint8Array) => complaints.push(bytes));
		const timer = setInterval(() => {
			const now = performance.now();
			if (collect()) {
				last = now;
				waited = waitedMs(child.pid);
			}
			if (now - begun > total)
				hang = `not at its end after ${total / 1000} s`;
			else if (now - last > quiet &&
				 now - last - (waitedMs(child.pid) - waited) > quiet)
				hang = `no output for ${quiet / 1000} s`;
			if (hang !== undefined)
				kill();
		}, WATCH_MS);
		const done = () => {
			clearInterval(timer);
			signal?.removeEventListener('abort', abort);
			forget();
		};
		child.on('error', (error) => {
			done();
			reject(error);
		});
		child.on('close', (exitCode, endSignal) => {
			done();
			collect();
			if (thrown.length)
				reject(thrown[0]);
			else
				resolve({ exitCode, signal: endSignal, hang,
					stderr: Buffer.concat(complaints).toString().trim(),
					console: consoleText(tty.bytes().toString('latin1')),
					output: output.bytes() });
		});
		signal?.addEventListener('abort', abort);
		if (signal?.aborted)
			abort();
	});
}

/* The modules that are asked for, and what they depend on, in load order. */
function chosenModules(
	{ modules }: KernelImage, wanted: readonly string[] | undefined,
): readonly string[] {
	const chosen = new Set<string>();
	const choose = (one: string): void => {
		const path = modules.find((file) => moduleName(file) === one);
		if (path === undefined || chosen.has(path))
			return;
		chosen.add(path);
		moduleDepends(path).forEach(choose);
	};

	wanted?.forEach(choose);
	return wanted === undefined ? modules : modules.filter((path) => chosen.has(path));
}

function initrdOf(image: KernelImage, job: GuestJob, args: readonly string[]): Buffer {
	const modules = chosenModules(image, job.modules);
	const files = new Map<string, Uint8Array>([['init', readFileSync(job.init)]]);

	files.set('modules', Buffer.from(modules.map((path) =>
		`${`/lib/${basename(path)} ${moduleParameters(moduleName(path), args)}`.trim()}\n`)
		.join('')));
	for (const path of modules)
		files.set(`lib/${basename(path)}`, readFileSync(path));
	if (job.ownBytes)
		files.set('memory', Buffer.from(
			`${ownAddress(job.ramBytes, job.ownBytes)} ${job.ownBytes}\n`));
	for (const [path, bytes] of job.files)
		files.set(path, typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
	return cpioArchive(files, new Set(['init']));
}

/**
 * Boot a kernel with a program as its init, and wait for its end. At most two run at once, others
 * wait. Nothing is left of it afterwards.
 * @throws OracleError where QEMU or the cache cannot be used, what `job.onOutput` threw, the reason
 *	of `job.signal`; a guest that fails is a result
 */
export async function bootGuest(
	image: KernelImage, job: GuestJob, cache = cacheFolder(),
): Promise<BootResult> {
	if (findTool('qemu-system-x86_64') === undefined)
		requireTools('run');
	return await takeTurn(() => withTemporary(cache, async (folder) => {
		const at = (name: string) => join(folder, name);
		const args = [...kernelArguments(job), ...ownArguments(job), image.append ?? '',
			job.append ?? ''].flatMap((words) => words.split(' ')).filter(Boolean);
		let output: GrowingFile, tty: GrowingFile;
		try {
			writeFileSync(at('initrd'), initrdOf(image, job, args));
			output = new GrowingFile(at('output'));
			tty = new GrowingFile(at('console'));
		} catch (error) {
			throw cacheError(folder, error);
		}
		const commandLine = [...qemuCommand(),
			...(job.cpus === 1 ? ONE_CPU : MORE_CPUS), ...QEMU_FIXED,
			'-cpu', job.cpu ?? CPU_DEFAULT, ...memoryArguments(job),
			'-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot',
			'-chardev', `file,id=console,path=${at('console')}`,
			'-serial', 'chardev:console',
			'-chardev', `file,id=out,path=${at('output')}`,
			'-device', `isa-debugcon,iobase=0x${OUT_PORT.toString(16)},chardev=out`,
			'-kernel', image.bzImage, '-initrd', at('initrd'),
			'-append', args.join(' ')];
		const begun = performance.now();
		try {
			const child = processes().spawn(commandLine[0]!, commandLine.slice(1),
				{ stdio: ['ignore', 'ignore', 'pipe'], detached: true });
			const end = await watch(child, output, tty, job);
			return { output: end.output, console: end.console, ...judge(end),
				exitCode: end.exitCode, commandLine, determined: job.cpus === 1,
				seconds: (performance.now() - begun) / 1000 };
		} catch (error) {
			throw error instanceof OracleError || !codeOf(error) ? error
				: new OracleError('failed', `QEMU: ${messageOf(error)}`,
					{ cause: error });
		} finally {
			output.close();
			tty.close();
		}
	}));
}
