// SPDX-License-Identifier: GPL-2.0-only
/* Programs on a real kernel: many in one boot, each with tasks, cgroups and swap of its own. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { PAGE_SIZE } from '../arch/page.ts';
import { parseKernel, type Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { MACHINE_DEFAULTS } from '../sim/machine.ts';
import type { VmFormat } from '../sim/vm.ts';
import { cacheFolder, keepEntry } from './cache.ts';
import { compact, usesDisk, vmFormat } from './compact.ts';
import { ext4Head } from './ext4.ts';
import { OracleError } from './fault.ts';
import type { KernelImage } from './kernels.ts';
import { bootGuest, type BootResult } from './qemu.ts';
import { resourcePath } from './resources.ts';
import { StreamError, readStream, seenRun } from './stream.ts';
import { requireTools, runTool, toolVersions } from './tools.ts';
import type { RealRunOptions, RealRuns, SeenRun } from './types.ts';

/* No library, no start files, nothing that a fault or a fork would have to copy. */
const CFLAGS = ['-static', '-nostdlib', '-ffreestanding', '-fno-builtin', '-O2', '-fno-pie',
	'-no-pie', '-fno-stack-protector', '-mno-red-zone', '-fcf-protection=none',
	'-Wl,--build-id=none'];
/*
 * Every run begins alike: no address is random, no switch to the kernel empties a TLB, and the
 * pages of the guest's own file are not swapped.
 */
const APPEND = 'norandmaps vdso=0 pti=off rootfstype=ramfs';
/* How KVM maps the memory of guests, by kvm-amd's parameters; of those that are compared. */
const KVM_APPEND: Readonly<Record<VmFormat, string>> = {
	npt: 'kvm_amd.npt=1', shadow: 'kvm_amd.npt=0', ept: '', 'ept-noad': '' };
/* What guards go by on a kernel that is none of ours. */
const LATEST = 'v5.10.223';

/* What ext4 needs, where it is not built in. */
const DISK_MODULES = ['crc32c-generic', 'ext4'];

/* In one boot; more boots share the processors. */
const PROGRAMS_MAX = 64;
/* Memory of the guest's own: its stacks and tables with some room, and the programs. */
const GUEST_BYTES = 20 * 2 ** 20, OWN_UNIT = 32 * 2 ** 20;
const QUIET_MS = 60_000, BOOT_MS = 120_000, PROGRAM_MS = 20_000;

/** The guest's executable, compiled if it is not in the cache. @throws OracleError */
async function guestExecutable(cache: string): Promise<string> {
	const folder = resourcePath('guest');
	const files = readdirSync(folder).toSorted();
	const hash = createHash('sha256').update(CFLAGS.join(' '));

	for (const file of files)
		hash.update(readFileSync(join(folder, file)));
	return await keepEntry(cache, join(cache, 'guest', hash.digest('hex').slice(0, 16)),
		async (path) => {
			requireTools('run');
			const sources = files.filter((file) => file.endsWith('.c'));
			const { status, stderr } = await runTool('gcc', [...CFLAGS, '-o', path,
				...sources.map((file) => join(folder, file))]);
			if (status !== 0)
				throw new OracleError('failed', 'gcc could not compile ' +
					`the guest program: ${stderr.trim()}`);
		});
}

/* Machines that programs need: those of one can run in one boot. */
function machineOf(program: Program): string {
	const { ram, cpus, nodes } = { ...MACHINE_DEFAULTS, ...program.machine };

	return [ram, cpus, nodes, vmFormat(program) ?? '', usesDisk(program)].join(' ');
}

/* One program on its way: what it is, and where its result goes. */
interface Job {
	readonly program: Program;
	readonly place: number;
}

/* As many boots as share the programs evenly, none with too many. */
function batches(jobs: readonly Job[]): Job[][] {
	const count = Math.max(Math.ceil(jobs.length / PROGRAMS_MAX), Math.min(2, jobs.length));
	const size = Math.ceil(jobs.length / count);

	return Array.from({ length: Math.ceil(jobs.length / size) }, (_, i) =>
		jobs.slice(i * size, (i + 1) * size));
}

/**
 * Run programs on a real kernel, each from a fresh state.
 * Preconditions: incomparable() has nothing against any of them.
 * @throws OracleError for what is wrong around the kernel. A kernel that panics or hangs ends the
 *	run of the program that it was at; the others have their own.
 */
export async function runOnKernel(
	programs: readonly Program[], image: KernelImage, options: RealRunOptions = {},
): Promise<RealRuns> {
	const cache = cacheFolder();
	const init = await guestExecutable(cache);
	const kernel = parseKernel(image.emulated ?? LATEST);
	const groups = new Map<string, Job[]>();
	const runs: SeenRun[] = [];
	let commandLine: readonly string[] = [], done = 0;

	programs.forEach((program, place) => {
		const machine = machineOf(program);
		groups.set(machine, [...groups.get(machine) ?? [], { program, place }]);
	});
	const boot = async (jobs: readonly Job[]): Promise<void> => {
		for (let left = jobs; left.length;) {
			const result = await bootOnce(left, kernel, image, init, options, cache);
			commandLine = shortened(result.commandLine);
			const finished = takeResults(left, kernel, result, runs);
			done += finished;
			options.onProgress?.(done, programs.length);
			left = left.slice(finished);
		}
	};
	await Promise.all([...groups.values()].flatMap(batches).map(boot));
	return { runs, commandLine, tools: toolVersions() };
}

async function bootOnce(
	jobs: readonly Job[], kernel: Kernel, image: KernelImage, init: string,
	{ append, cpus, timeoutMs }: RealRunOptions, cache: string,
): Promise<BootResult> {
	const { ram, nodes, cpus: own } = { ...MACHINE_DEFAULTS, ...jobs[0]!.program.machine };
	const vms = vmFormat(jobs[0]!.program);
	const disk = usesDisk(jobs[0]!.program);
	const programs = jobs.map(({ program }, number) => compact(program, number, kernel,
		(program.machine.swap ?? MACHINE_DEFAULTS.swap) / PAGE_SIZE)).join('');

	return await bootGuest(image, {
		init, files: new Map<string, string | Uint8Array>([['programs', programs],
			...(disk ? [['disk', ext4Head()] as const] : [])]),
		ramBytes: ram,
		ownBytes: Math.ceil((GUEST_BYTES + programs.length) / OWN_UNIT) * OWN_UNIT,
		cpus: cpus ?? own, nodes, ramDisks: disk ? 2 : 1,
		modules: ['brd', ...(disk ? DISK_MODULES : []), ...vms ? ['kvm-amd'] : []],
		append: [APPEND, ...vms ? [KVM_APPEND[vms]] : [], append ?? ''].join(' ').trim(),
		timeoutMs: { quiet: QUIET_MS,
			total: timeoutMs ?? BOOT_MS + jobs.length * PROGRAM_MS },
	}, cache);
}

/* Put down what a boot showed of its programs; returns of how many there is a result now. */
function takeResults(
	jobs: readonly Job[], kernel: Kernel, result: BootResult, runs: SeenRun[],
): number {
	let stream;

	try {
		stream = readStream(result.output);
	} catch (error) {
		if (!(error instanceof StreamError))
			throw error;
		throw new OracleError('failed',
			`the guest's results are garbage: ${error.message}` +
			(result.problem ? `; ${result.problem}` : ''), { cause: error });
	}
	/* Not even the first program has begun: no other would. */
	if (!stream.programs.has(0))
		throw new OracleError('failed', result.problem ?? (stream.trouble.length
			? `the guest could not be set up: ${stream.trouble.join('; ')}`
			: 'the guest ended before the first program'));
	const broken = jobs.findIndex((_, number) => !stream.programs.get(number)?.ended);
	const finished = broken < 0 ? jobs.length : broken + 1;

	for (const [number, { program, place }] of jobs.slice(0, finished).entries())
		runs[place] = seenRun(program, kernel, stream, number,
			number === broken ? result.problem ?? 'the guest ended early' : undefined);
	return finished;
}

/* A command line without the folders of this machine. */
function shortened(commandLine: readonly string[]): string[] {
	return commandLine.map((word) => word.replace(/(^|[=,])(\/[^\s,=]+)/g,
		(_, before: string, path: string) => before + basename(path)));
}
