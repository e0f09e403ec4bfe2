// SPDX-License-Identifier: GPL-2.0-only
/*
 * Real kernels to boot: Debian's, unpacked into the cache, the one of build.ts, and any image of
 * the user's own.
 */
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, readSync, readdirSync, rmSync,
	statSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { STABLE_MAX } from '../sim/kernels.ts';
import { packageSource, withSuite, type Apt, type Package, type PackageSource, type Progress }
	from './apt.ts';
import { cacheFolder, makeEntry, withLock } from './cache.ts';
import { OracleError, codeOf, messageOf } from './fault.ts';
import { requireTools, runTool } from './tools.ts';

/** A kernel that can be booted. */
export interface KernelImage {
	/** `5.10`, `6.1`, `6.12`, `7.2`, `5.10-prepatch`, or the path of the user's own image. */
	readonly name: string;
	/** Path of the image. */
	readonly bzImage: string;
	/** Paths of the modules, in the order in which they are loaded. */
	readonly modules: readonly string[];
	/** What `uname -r` prints in it: `5.10.0-32-cloud-amd64`. */
	readonly release: string;
	/** What it was made from: the version of the Debian package, or what the image says. */
	readonly version: string;
	/** The name of the same kernel here (src/sim/kernels.ts); undefined where there is none. */
	readonly emulated: string | undefined;
	/** Kernel arguments that it needs to be that kernel. */
	readonly append?: string;
}

/* Debian's suites, by the series of their kernel. */
const SUITES: Readonly<Record<string, string>> = {
	'5.10': 'bullseye', '6.1': 'bookworm', '6.12': 'trixie', '7.2': 'sid',
};
/** The series that can be fetched. */
export const SERIES: readonly string[] = ['5.10', '6.1', '6.12', '7.2'];
/** The kernel that build.ts builds: with 013339df116c taken out by `append`. */
export const PREPATCH = '5.10-prepatch';

/* Modules that a guest uses; what they depend on is loaded before them. */
const MODULES = ['brd', 'zram', 'kvm-amd', 'crc32c-generic', 'ext4'];

const kernelFolder = (cache: string, name: string) => join(cache, 'kernels', name);

/** kernel.json, beside an image in the cache. */
interface Entry {
	readonly release: string;
	readonly version: string;
	/** File names, in the order in which they are loaded. */
	readonly modules: readonly string[];
	readonly emulated?: string;
	readonly append?: string;
	/** SHA256 of the packages that it is from, by name. */
	readonly packages: Readonly<Record<string, string>>;
}

/** `v5.10.223` for a version 5.10.223-1 or 5.10.223; undefined for what is not modelled. */
function emulatedBy(version: string): string | undefined {
	const [, release, sublevel] = /^(5\.10(?:\.(\d+))?)(?![\d.])/.exec(version) ?? [];

	return release !== undefined && Number(sublevel ?? 0) <= STABLE_MAX
		? `v${release.replace(/\.0$/, '')}` : undefined;
}

/* -- The image itself ------------------------------------------------------------------------- */

/* Documentation/x86/boot.rst: the magic number of the header, and where the version's text is. */
const HEADER = 0x202, VERSION = 0x20e, SETUP = 0x200, VERSION_BYTES = 512;

/**
 * What a bzImage says of itself: `5.10.223 (user@host) #1 SMP ...`.
 * @throws OracleError if it is none
 */
export function imageVersion(path: string): string {
	const head = Buffer.alloc(0x10000 + SETUP + VERSION_BYTES);
	let length = 0;

	try {
		const fd = openSync(path, 'r');
		try {
			length = readSync(fd, head, 0, head.length, 0);
		} finally {
			closeSync(fd);
		}
	} catch (error) {
		throw new OracleError('usage', `${path}: ` +
			(codeOf(error) === 'ENOENT' ? 'no such file' : messageOf(error)));
	}
	if (length < VERSION + 2 || head.toString('latin1', HEADER, HEADER + 4) !== 'HdrS')
		throw new OracleError('usage', `${path}: not a kernel image for x86 (bzImage); ` +
			'expected what a build leaves in arch/x86/boot/bzImage, or a vmlinuz');
	const at = head.readUInt16LE(VERSION) + SETUP;
	const end = head.indexOf(0, at);
	return head.toString('latin1', at, Math.min(end < 0 ? length : end, at + VERSION_BYTES));
}

/* -- Modules ---------------------------------------------------------------------------------- */

/* A module's name with - for _: kvm-amd and kvm_amd are one. */
export const moduleName = (path: string): string =>
	basename(path).replace(/\.ko(\.\w+)?$/, '').replaceAll('_', '-');

/* `name=value` texts of the .modinfo section. */
function moduleInfo(bytes: Buffer, name: string): string | undefined {
	const at = bytes.indexOf(`\0${name}=`, 0, 'latin1');
	const from = at + name.length + 2;

	return at < 0 ? undefined : bytes.toString('latin1', from, bytes.indexOf(0, from));
}

/** The names of the modules that one, uncompressed, depends on. */
export function moduleDepends(path: string): string[] {
	return (moduleInfo(readFileSync(path), 'depends') ?? '').split(',').filter(Boolean)
		.map(moduleName);
}

function filesBelow(folder: string): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => join(entry.parentPath, entry.name));
}

/*
 * Uncompressed copies in `to` of the modules among `files` that a guest uses, in load order.
 */
async function gatherModules(files: readonly string[], to: string): Promise<string[]> {
	const byName = new Map(files.filter((file) => /\.ko(\.xz)?$/.test(file))
		.map((file) => [moduleName(file), file]));
	const taken: string[] = [];
	const seen = new Set<string>();

	async function take(name: string): Promise<void> {
		const file = byName.get(name);
		if (seen.has(name) || file === undefined)
			return;
		seen.add(name);
		const copy = join(to, `${name}.ko`);
		if (file.endsWith('.xz')) {
			const fd = openSync(copy, 'w');
			try {
				const { status, stderr } =
					await runTool('xz', ['-dc', file], { stdoutFile: fd });
				if (status !== 0)
					throw new OracleError('failed', `${file}: ${stderr}`);
			} finally {
				closeSync(fd);
			}
		} else {
			copyFileSync(file, copy);
		}
		for (const one of moduleDepends(copy))
			await take(one);
		taken.push(`${name}.ko`);
	}
	for (const name of MODULES)
		await take(name);
	return taken;
}

/* -- Fetching --------------------------------------------------------------------------------- */

export interface Fetched {
	readonly image: KernelImage;
	/** It was there already, of this version. */
	readonly kept: boolean;
}

/** `linux-image-5.10.0-32-cloud-amd64` of a suite, and the packages that its parts are in. */
async function kernelPackages(apt: Apt, series: string): Promise<[string, Package[]]> {
	const meta = await apt.show('linux-image-cloud-amd64');
	const name = meta?.depends.find((one) => /^linux-image-\d/.test(one));
	const release = name?.slice('linux-image-'.length) ?? '';
	const image = name === undefined ? undefined : await apt.show(name);

	if (image === undefined)
		throw new OracleError('failed',
			`${series}: ${apt.suite} of this machine's package ` +
			'source has no linux-image-cloud-amd64. It may be a partial mirror; ' +
			'nothing was changed');
	if (!image.version.startsWith(`${series}.`) && !image.version.startsWith(`${series}~`)) {
		const has = /^\d+\.\d+/.exec(image.version)?.[0] ?? image.version;
		throw new OracleError('failed',
			`${series}: ${apt.suite} of this machine's package ` +
			`source has ${has} (${name}) by now. Nothing was changed; bring an image ` +
			'of your own: --bzimage PATH');
	}
	/* Newer ones have the image or the modules in packages of their own. */
	const parts = await Promise.all([`linux-binary-${release}`, `linux-modules-${release}`]
		.map((one) => apt.show(one)));
	return [release, [image, ...parts.filter((one) => one !== undefined)]];
}

/* Unpack packages below a folder, and take from there what is booted. */
async function unpack(
	paths: readonly string[], release: string, folder: string, to: string,
): Promise<string[]> {
	mkdirSync(folder);
	for (const path of paths) {
		const { status, stderr } = await runTool('dpkg-deb', ['-x', path, folder]);
		if (status !== 0)
			throw new OracleError('failed',
				`${basename(path)} could not be unpacked: ${stderr}\n` +
				(/No space left/.test(stderr) ? 'Free some, or set VMMU_CACHE to ' +
					'another folder. ' : '') +
				'What was begun is removed; the package itself is kept');
	}
	const files = filesBelow(folder);
	/* /boot/vmlinuz-RELEASE, or vmlinuz among the modules. */
	const image = files.find((file) => /^vmlinuz(-|$)/.test(basename(file)));
	if (image === undefined)
		throw new OracleError('failed',
			`no vmlinuz in ${paths.map((path) => basename(path)).join(', ')}`);
	copyFileSync(image, join(to, 'bzImage'));
	imageVersion(join(to, 'bzImage'));
	return await gatherModules(files, to);
}

async function fetchKernel(
	cache: string, apt: Apt, series: string, onProgress: Progress,
): Promise<Fetched> {
	const [release, packages] = await kernelPackages(apt, series);
	const { version } = packages[0]!;
	const there = readEntry(cache, series);

	if (there?.version === version)
		return { image: imageOf(cache, series, there), kept: true };
	const entry: Entry = {
		release, version, modules: [], ...given('emulated', emulatedBy(version)),
		packages: Object.fromEntries(packages.map(({ name, sha256 }) => [name, sha256])),
	};
	const paths = await apt.download(packages, onProgress);
	onProgress(`${series}: unpacking ${release}`);
	await makeEntry(cache, kernelFolder(cache, series), async (to) => {
		mkdirSync(to);
		const modules = await unpack(paths, release, `${to}.root`, to);
		writeFileSync(join(to, 'kernel.json'),
			`${JSON.stringify({ ...entry, modules }, undefined, '\t')}\n`);
	});
	for (const path of paths)
		rmSync(path);
	return { image: imageOf(cache, series, readEntry(cache, series)!), kept: false };
}

/* A property that is left out where it has no value. */
const given = <K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } =>
	(value === undefined ? {} : { [name]: value }) as { [name in K]?: V };

/**
 * Get Debian's kernels into the cache, one after the other; those that came stay, also if a later
 * one does not.
 * @param names of SERIES
 * @param onFetched called for each as it is there
 * @throws OracleError
 */
export async function fetchKernels(
	names: readonly string[], onProgress: Progress = () => {},
	onFetched: (fetched: Fetched) => void = () => {}, cache = cacheFolder(),
	machine: PackageSource = packageSource(),
): Promise<void> {
	const odd = names.find((name) => !SERIES.includes(name));

	if (odd !== undefined)
		throw new OracleError('usage', odd === PREPATCH
			? `${PREPATCH} is no package; it is built: vmmu oracle build-prepatch`
			: `${odd} is no kernel that can be fetched; expected ` +
				`${SERIES.slice(0, -1).join(', ')} or ${SERIES.at(-1)}`);
	requireTools('fetch');
	for (const series of names) {
		onFetched(await withLock(kernelFolder(cache, series),
			() => withSuite(cache, SUITES[series]!, onProgress,
				(apt) => fetchKernel(cache, apt, series, onProgress), machine),
			(pid) => onProgress(
				`${series}: waiting for process ${pid}, which fetches it`)));
	}
}

/* -- Finding ---------------------------------------------------------------------------------- */

function readEntry(cache: string, name: string): Entry | undefined {
	try {
		return JSON.parse(readFileSync(
			join(kernelFolder(cache, name), 'kernel.json'), 'utf8')) as Entry;
	} catch (error) {
		if (codeOf(error) === 'ENOENT')
			return undefined;
		throw new OracleError('failed',
			`${kernelFolder(cache, name)}: ${messageOf(error)}. ` +
			'Remove it and fetch it again', { cause: error });
	}
}

function imageOf(cache: string, name: string, entry: Entry): KernelImage {
	const at = (file: string) => join(kernelFolder(cache, name), file);
	const { release, version, modules, emulated, append } = entry;

	return { name, bzImage: at('bzImage'), modules: modules.map(at), release, version, emulated,
		...given('append', append) };
}

/**
 * Put an image that was built here into the cache.
 * Preconditions: the caller holds the lock of kernels/NAME.
 * @throws OracleError
 */
export async function keepBuilt(
	name: string, bzImage: string,
	built: Pick<Entry, 'version' | 'emulated' | 'append' | 'packages'>,
	cache = cacheFolder(),
): Promise<KernelImage> {
	const entry: Entry = { release: imageVersion(bzImage).split(' ')[0]!, modules: [],
		...built };

	await makeEntry(cache, kernelFolder(cache, name), async (to) => {
		mkdirSync(to);
		copyFileSync(bzImage, join(to, 'bzImage'));
		writeFileSync(join(to, 'kernel.json'),
			`${JSON.stringify(entry, undefined, '\t')}\n`);
	});
	return imageOf(cache, name, entry);
}

/** A kernel of the cache; undefined if it is not there. */
export function findBuilt(name: string, cache = cacheFolder()): KernelImage | undefined {
	const entry = readEntry(cache, name);

	return entry && imageOf(cache, name, entry);
}

/** Path of a kernel in the cache, there or not; for its lock and its messages. */
export const kernelPath = (name: string, cache = cacheFolder()): string =>
	kernelFolder(cache, name);

/** The kernels in the cache. */
export function knownKernels(cache = cacheFolder()): KernelImage[] {
	return [...SERIES, PREPATCH].flatMap((name) => findBuilt(name, cache) ?? []);
}

/* The user's own modules: those in DIR that a guest uses, copied where they can be unpacked. */
async function ownModules(cache: string, folder: string, release: string): Promise<string[]> {
	let files: string[];
	try {
		files = filesBelow(folder);
	} catch (error) {
		throw new OracleError('usage', `--modules ${folder}: ` +
			(codeOf(error) === 'ENOENT' ? 'no such folder' : messageOf(error)));
	}
	const to = join(cache, 'kernels', `own-${release}`);
	let names: string[] = [];
	await withLock(to, () => makeEntry(cache, to, async (path) => {
		mkdirSync(path);
		names = await gatherModules(files, path);
		for (const name of names) {
			const magic = moduleInfo(readFileSync(join(path, name)), 'vermagic') ?? '';
			if (magic.split(' ')[0] !== release)
				throw new OracleError('usage',
					`--modules ${folder}: ${name} is of ` +
					`kernel ${magic.split(' ')[0]}, the image is ${release}`);
		}
	}));
	if (names.length === 0)
		throw new OracleError('usage', `--modules ${folder}: none of ` +
			`${MODULES.map((name) => `${name}.ko`).join(', ')} is in it`);
	return names.map((name) => join(to, name));
}

/** An image of the user's own in place of one of the cache. */
export interface OwnKernel {
	/** Path of a bzImage. */
	readonly bzimage?: string | undefined;
	/** A folder with its modules, at any depth; without one brd must be built in. */
	readonly modules?: string | undefined;
}

/**
 * A kernel by name, or an image of the user's own.
 * @param name of SERIES, or PREPATCH; not looked at with `own.bzimage`
 * @throws OracleError where it is not there: how to get it
 */
export async function findKernel(
	name: string, own: OwnKernel = {}, cache = cacheFolder(),
): Promise<KernelImage> {
	if (own.bzimage !== undefined) {
		const path = resolve(own.bzimage);
		const version = imageVersion(path);
		const release = version.split(' ')[0]!;
		const debian = /\bDebian (\S+)/.exec(version)?.[1];
		if (!statSync(path).isFile())
			throw new OracleError('usage', `${own.bzimage}: not a file`);
		return { name: own.bzimage, bzImage: path, release, version: debian ?? release,
			modules: own.modules === undefined ? []
				: await ownModules(cache, resolve(own.modules), release),
			emulated: emulatedBy(debian ?? release) };
	}
	if (own.modules !== undefined)
		throw new OracleError('usage', '--modules goes with --bzimage');
	if (!SERIES.includes(name) && name !== PREPATCH)
		throw new OracleError('usage', `${name} is no kernel of the oracle; expected ` +
			`${SERIES.join(', ')} or ${PREPATCH}, or --bzimage PATH`);
	const entry = readEntry(cache, name);
	if (entry === undefined)
		throw new OracleError('missing', name === PREPATCH
			? `the kernel ${name} has not been built; build it with: ` +
				'vmmu oracle build-prepatch'
			: `the kernel ${name} has not been fetched; fetch it with: ` +
				`vmmu oracle fetch ${name}`);
	const image = imageOf(cache, name, entry);
	const gone = [image.bzImage, ...image.modules].find((path) =>
		!statSync(path, { throwIfNoEntry: false })?.isFile());
	if (gone !== undefined)
		throw new OracleError('failed', `${gone} is gone; remove ` +
			`${kernelFolder(cache, name)} and get the kernel again`);
	return image;
}
