// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every packaged 5.10 has 013339df116c as a backport. The kernel before it is built here: the
 * packaged source with the test of the young bits in try_to_unmap() back behind a kernel argument,
 * ttu_check_access=1. Without the argument it is the kernel with the commit.
 */
import { readFileSync, renameSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { withSuite, type Package, type Progress } from './apt.ts';
import { cacheError, cacheFolder, makeEntry, withLock } from './cache.ts';
import { OracleError } from './fault.ts';
import { findBuilt, keepBuilt, kernelPath, PREPATCH, type Fetched } from './kernels.ts';
import { resourcePath } from './resources.ts';
import { requireTools, runTool, type Ran } from './tools.ts';

const SUITE = 'bullseye', SERIES = '5.10', PACKAGE = `linux-source-${SERIES}`;
const COMMIT = '013339df116c', SWITCH = 'ttu_check_access';
/* Source, objects and a little room; measured 2.2 GB at the end of a build. */
const DISK_BYTES = 3.5e9;
const NICENESS = 10;

/** A place in a source file, and the lines that go before or behind it. */
export interface Edit {
	readonly file: string;
	/** It is found exactly once. */
	readonly anchor: RegExp;
	readonly before?: string;
	readonly behind?: string;
}

/*
 * The flag is set where reclaim unmaps for itself: as before the commit not in
 * reclaim_clean_pages_from_list(), whose references are ignored altogether.
 */
export const EDITS: readonly Edit[] = [
	{ file: 'include/linux/rmap.h', anchor: /^enum ttu_flags \{\n/m,
		behind: '\tTTU_CHECK_ACCESS\t= 0x200,\n' },
	{ file: 'mm/vmscan.c', anchor: /enum ttu_flags flags = TTU_BATCH_FLUSH(?=;)/,
		behind: ' |\n\t\t\t\t(ignore_references ? 0 : TTU_CHECK_ACCESS)' },
	{ file: 'mm/rmap.c', anchor: /^#include <linux\/mm\.h>\n/m,
		behind: '#include <linux/moduleparam.h>\n' },
	{ file: 'mm/rmap.c', anchor: /^static bool try_to_unmap_one\(/m,
		before: `static int ${SWITCH};\ncore_param(${SWITCH}, ${SWITCH}, int, 0644);\n\n` },
	/* Just before the entry is cleared: the first should_defer_flush() of that function. */
	{ file: 'mm/rmap.c',
		anchor: /^\t\t\/\*[^\n]*\*\/\n[^\n]*\n\t\tif \(should_defer_flush\(mm, flags\)/m,
		before: `\t\tif (${SWITCH} && (flags & TTU_CHECK_ACCESS) &&\n` +
			'\t\t    ptep_clear_flush_young_notify(vma, address, pvmw.pte)) {\n' +
			'\t\t\tpage_vma_mapped_walk_done(&pvmw);\n' +
			'\t\t\tret = false;\n\t\t\tbreak;\n\t\t}\n\n' },
];

/**
 * A text with an edit made.
 * @throws OracleError if the place is not there exactly once
 */
export function applyEdit(text: string, { file, anchor, before = '', behind = '' }: Edit): string {
	const found = [...text.matchAll(new RegExp(anchor.source, `g${anchor.flags}`))];
	const [match] = found;

	if (found.length !== 1)
		throw new OracleError('failed', `${PACKAGE}: ${file} has the place of the edit ` +
			`${found.length} times; expected a 5.10.y that has ${COMMIT}`);
	const end = match!.index + match![0].length;
	return text.slice(0, match!.index) + before + match![0] + behind + text.slice(end);
}

/* The last errors that a step printed. */
function errors({ stderr, stdout, signal, status }: Ran): string {
	const lines = `${stdout.toString()}\n${stderr}`.split('\n').filter((line) => line.trim());
	const told = lines.filter((line) =>
		/\b(error|fatal|Error \d|No space|Killed)\b/i.test(line));

	return (told.length ? told : lines).slice(-6).join('\n') ||
		(signal ? `killed by ${signal}` : `exit status ${status}`);
}

async function step(name: string, words: readonly string[], cwd: string): Promise<void> {
	const ran = await runTool(name, words, { cwd });

	if (ran.status !== 0)
		throw new OracleError('failed',
			`${name} ${words.map((word) => basename(word)).join(' ')}: ${errors(ran)}`);
}

/* A tree of the packaged source, with the edits made. */
async function unpackSource(
	cache: string, tree: string, onProgress: Progress,
): Promise<void> {
	await withSuite(cache, SUITE, onProgress, async (apt) => {
		const source = await apt.show(PACKAGE);
		if (source === undefined)
			throw new OracleError('failed',
				`${SUITE} of this machine's package source ` +
				`has no ${PACKAGE}; nothing was changed`);
		const [path] = await apt.download([source], onProgress);
		onProgress(`${PREPATCH}: unpacking the source of ${source.version}`);
		await makeEntry(cache, tree, async (to) => {
			const folder = `${to}.package`;
			await step('dpkg-deb', ['-x', path!, folder], '/');
			await step('tar', ['-xJf', join(folder, 'usr/src', `${PACKAGE}.tar.xz`),
				'-C', folder], '/');
			const root = join(folder, PACKAGE);
			for (const edit of EDITS) {
				const file = join(root, edit.file);
				writeFileSync(file, applyEdit(readFileSync(file, 'utf8'), edit));
			}
			writeFileSync(join(root, '.package'), JSON.stringify(source));
			renameSync(root, to);
		});
		rmSync(path!);
	});
}

/* Names of options, by what they are set to. */
const settings = (text: string): Map<string, string> =>
	new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map(
		([, name, value]) => [name!, value!]));

async function configure(tree: string): Promise<void> {
	const config = join(tree, '.config');
	const wanted = readFileSync(resourcePath('prepatch.config'), 'utf8');

	await step('make', ['-s', 'tinyconfig'], tree);
	writeFileSync(config, `${readFileSync(config, 'utf8')}\n${wanted}`);
	await step('make', ['-s', 'olddefconfig'], tree);
	const got = settings(readFileSync(config, 'utf8'));
	const other = [...settings(wanted)].filter(([name, value]) =>
		(got.get(name) ?? 'n') !== value);
	if (other.length)
		throw new OracleError('failed', `${PREPATCH}: the kernel's configuration refuses ` +
			other.map(([name, value]) => `${name}=${value}`).join(', '));
}

/* Steps that `make bzImage` prints; measured, to show how far it is. */
const STEPS = 2300;

async function make(tree: string, onProgress: Progress): Promise<void> {
	let steps = 0;
	const jobs = availableParallelism();
	const name = `${PREPATCH}: building (about ${Math.ceil(20 / jobs)} minutes)`;
	const ran = await runTool('make', [`-j${jobs}`, 'bzImage'], {
		cwd: tree, nice: NICENESS,
		env: { KBUILD_BUILD_TIMESTAMP: '2020-11-05', KBUILD_BUILD_USER: 'vmmu',
			KBUILD_BUILD_HOST: 'vmmu' },
		onStdout: (bytes) => {
			steps += bytes.toString('latin1').split('\n').length - 1;
			onProgress(name, Math.min(99, 100 * steps / STEPS));
		},
	});
	if (ran.status !== 0)
		throw new OracleError('failed',
			`${PREPATCH} could not be built:\n${errors(ran)}\n` +
			`The tree is kept in ${tree}. Run the same command again to go on`);
}

/**
 * Build the kernel before 013339df116c into the cache, if it is not there. Takes about 10 minutes
 * on two CPUs; a build that is cut off goes on the next time.
 * @throws OracleError
 */
export async function buildPrepatch(
	onProgress: Progress = () => {}, cache = cacheFolder(),
): Promise<Fetched> {
	requireTools('fetch');
	requireTools('build');
	return await withLock(kernelPath(PREPATCH, cache), async () => {
		const there = findBuilt(PREPATCH, cache);
		if (there)
			return { image: there, kept: true };
		const tree = join(cache, 'build', PREPATCH);
		if (!statSync(tree, { throwIfNoEntry: false })) {
			const { bavail, bsize } = statfsSync(cache);
			if (bavail * bsize < DISK_BYTES)
				throw new OracleError('failed', `${cache}: ${Math.floor(
					bavail * bsize / 1e6)} MB are free, a build needs ` +
					`${DISK_BYTES / 1e6} MB. Nothing was begun; free some, ` +
					'or set VMMU_CACHE to another folder');
			await unpackSource(cache, tree, onProgress);
		}
		await configure(tree);
		await make(tree, onProgress);
		const { name, version, sha256 } = JSON.parse(
			readFileSync(join(tree, '.package'), 'utf8')) as Package;
		const image = await keepBuilt(PREPATCH, join(tree, 'arch/x86/boot/bzImage'), {
			version, append: `${SWITCH}=1`,
			emulated: `v${version.replace(/-.*/, '')}-${COMMIT}`,
			packages: { [name]: sha256 },
		}, cache);
		try {
			rmSync(tree, { recursive: true, force: true });
		} catch (error) {
			throw cacheError(tree, error);
		}
		return { image, kept: false };
	}, (pid) => onProgress(`${PREPATCH}: waiting for process ${pid}, which builds it`));
}
