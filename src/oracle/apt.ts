// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packages of another Debian suite, from the package source that this machine's apt already uses.
 * apt keeps a state of its own for it in the cache: the lists of the machine stay as they are. The
 * source is read from the machine's configuration, sources.list(5), and nothing else names one.
 */
import { createReadStream, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync }
	from 'node:fs';
import { join } from 'node:path';
import { cacheError, withLock } from './cache.ts';
import { OracleError } from './fault.ts';
import { runTool, systemOf, type Ran } from './tools.ts';

/* -- The machine's sources -------------------------------------------------------------------- */

/** One entry of sources.list(5). */
export interface Source {
	/** Where it was read: file and line. */
	readonly where: string;
	readonly types: readonly string[];
	readonly uris: readonly string[];
	readonly suites: readonly string[];
	readonly components: readonly string[];
	/** Other fields as they are in deb822 form, name and value: Signed-By, Trusted ... */
	readonly options: readonly (readonly [name: string, value: string])[];
	readonly enabled: boolean;
}

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

/**
 * Read a .sources file: stanzas of `Field: value`; a line that begins with a blank goes on with
 * the field before, one that begins with `#` is a comment.
 */
export function parseDeb822(text: string, file: string): Source[] {
	const found: Source[] = [];
	let fields = new Map<string, { name: string; value: string }>();
	let first = 0, last: { name: string; value: string } | undefined;
	const end = () => {
		const take = (name: string) => words(fields.get(name)?.value ?? '');
		const known = ['types', 'uris', 'suites', 'components', 'enabled'];
		if (fields.size)
			found.push({ where: `${file}:${first}`, types: take('types'),
				uris: take('uris'), suites: take('suites'),
				components: take('components'),
				options: [...fields].filter(([key]) => !known.includes(key))
					.map(([, { name, value }]) => [name, value] as const),
				enabled: !/^(no|false|without|off|disable|0)$/i.test(
					fields.get('enabled')?.value.trim() ?? '') });
		fields = new Map();
		last = undefined;
	};

	text.split('\n').forEach((line, i) => {
		if (line.startsWith('#'))
			return;
		if (line.trim() === '') {
			end();
			return;
		}
		const field = /^([^\s:]+):[ \t]*(.*)$/.exec(line);
		if (field) {
			if (fields.size === 0)
				first = i + 1;
			last = { name: field[1]!, value: field[2]!.trimEnd() };
			fields.set(last.name.toLowerCase(), last);
		} else if (last && /^[ \t]/.test(line)) {
			last.value += `\n${line.trimEnd()}`;
		}
	});
	end();
	return found;
}

/** The deb822 field of an option of a one-line entry: `signed-by` is Signed-By. */
const FIELDS: Readonly<Record<string, string>> = {
	arch: 'Architectures', lang: 'Languages', target: 'Targets', pdiffs: 'PDiffs',
	'by-hash': 'By-Hash', 'allow-insecure': 'Allow-Insecure', 'allow-weak': 'Allow-Weak',
	'allow-downgrade-to-insecure': 'Allow-Downgrade-To-Insecure', trusted: 'Trusted',
	'signed-by': 'Signed-By', 'check-valid-until': 'Check-Valid-Until',
	'valid-until-min': 'Valid-Until-Min', 'valid-until-max': 'Valid-Until-Max',
	'check-date': 'Check-Date', 'date-max-future': 'Date-Max-Future',
	'inrelease-path': 'InRelease-Path', snapshot: 'Snapshot',
};

/** Read a sources.list file: `deb [option=value ...] URI SUITE COMPONENT...`, one a line. */
export function parseOneLine(text: string, file: string): Source[] {
	return text.split('\n').flatMap((line, i): Source[] => {
		const entry = /^\s*(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*([^#]*)/
			.exec(line);
		if (!entry)
			return [];
		const [, type, options = '', uri, suite, components] = entry;
		return [{ where: `${file}:${i + 1}`, types: [type!], uris: [uri!],
			suites: [suite!], components: words(components!),
			options: words(options).flatMap((option) => {
				const [, name, value] = /^([\w-]+)[-+]?=(.*)$/.exec(option) ?? [];
				const field = FIELDS[name?.toLowerCase() ?? ''];
				return field ? [[field, value!.replaceAll(',', ' ')] as const] : [];
			}),
			enabled: true }];
	});
}

/** All entries of the machine, in apt's order: sources.list, then sources.list.d by name. */
export function readSources(
	list = '/etc/apt/sources.list', parts = '/etc/apt/sources.list.d',
): Source[] {
	const read = (path: string) => {
		try {
			return readFileSync(path, 'utf8');
		} catch {
			return '';
		}
	};
	let names: string[] = [];
	try {
		names = readdirSync(parts).sort();
	} catch {
		/* There may be none. */
	}
	return [...parseOneLine(read(list), list), ...names.flatMap((name) => {
		const path = join(parts, name);
		return name.endsWith('.sources') ? parseDeb822(read(path), path)
			: name.endsWith('.list') ? parseOneLine(read(path), path) : [];
	})];
}

/* Suites of which there is one for all of a release, not only for its updates. */
const GENERIC = ['oldoldstable', 'oldstable', 'stable', 'testing', 'unstable', 'sid', 'buster',
	'bullseye', 'bookworm', 'trixie', 'forky', 'duke'];

/**
 * Those entries that may be Debian's own archive, the likeliest first: packages of component main
 * for a whole release.
 */
export function debianSources(sources: readonly Source[], codename: string): Source[] {
	const whole = (suite: string) => suite === codename || GENERIC.includes(suite);
	const fitting = sources.filter(({ enabled, types, suites, components, uris }) =>
		enabled && types.includes('deb') && components.includes('main') &&
		suites.some(whole) && uris.some((uri) => !uri.startsWith('cdrom:')));
	const likely = ({ uris }: Source) => uris.some((uri) => /\/debian\/?$/.test(uri)) ? 0 : 1;

	return fitting.sort((a, b) => likely(a) - likely(b));
}

/** An entry in deb822 form, for packages of another suite. */
export function sourceText({ uris, options }: Source, suite: string): string {
	const kept = options.filter(([name]) =>
		!/^(x-.*|architectures|languages|targets|description)$/i.test(name));

	return ['Types: deb', `URIs: ${uris.filter((u) => !u.startsWith('cdrom:')).join(' ')}`,
		`Suites: ${suite}`, 'Components: main',
		...kept.map(([name, value]) => `${name}: ${value}`), ''].join('\n');
}

/* -- apt with a state of its own -------------------------------------------------------------- */

/** How far a step is: its name, and percent where that is known. */
export type Progress = (step: string, percent?: number) => void;

/** What `apt-cache show` tells of a package. */
export interface Package {
	readonly name: string;
	readonly version: string;
	readonly sha256: string;
	/** Bytes to download. */
	readonly size: number;
	/** The names of packages that it depends on. */
	readonly depends: readonly string[];
}

/** A source has no such suite, or cannot be reached. */
class SuiteError extends OracleError {}

/* The file that apt-get makes of a package: an epoch's colon is escaped in it. */
const isOf = ({ name, version }: Package, file: string): boolean =>
	file.startsWith(`${name}_${version.replaceAll(':', '%3a')}_`) && file.endsWith('.deb');

const LINES_MAX = 4;

/* The last lines that say something, for a message. */
function lastLines({ stderr, signal, status }: Ran): string {
	const lines = stderr.split('\n').filter((line) => /^[EW]: |\S/.test(line));
	const errors = lines.filter((line) => line.startsWith('E: '));

	return (errors.length ? errors : lines).slice(-LINES_MAX).join('\n') ||
		(signal ? `killed by ${signal}` : `exit status ${status}`);
}

/* A word of apt.conf(5). */
const quoted = (text: string) => `"${text}"`;

/** apt for one suite. Preconditions: the caller holds the lock of its folder. */
export class Apt {
	readonly suite: string;
	readonly #folder: string;
	readonly #options: readonly string[];

	/**
	 * @param folder where it keeps its lists, and packages until they are unpacked
	 * @throws OracleError if that cannot be written
	 */
	constructor(folder: string, suite: string, source: Source) {
		const at = (name: string) => join(folder, name);
		const settings: Readonly<Record<string, string>> = {
			'Dir::Etc::sourcelist': '/dev/null',
			'Dir::Etc::sourceparts': at('parts'),
			'Dir::Etc::preferences': '/dev/null',
			'Dir::Etc::preferencesparts': '/dev/null',
			'Dir::State::lists': at('lists'),
			'Dir::State::status': at('status'),
			'Dir::Cache': at('cache'),
			'Dir::Cache::pkgcache': 'pkgcache.bin',
			'Dir::Cache::srcpkgcache': '',
			'APT::Architecture': 'amd64',
			'APT::Default-Release': '',
			'APT::Update::Error-Mode': 'any',
			'Acquire::Languages': 'none',
			'Acquire::GzipIndexes': 'true',
			'Acquire::Retries': '2',
			...(process.getuid?.() === 0 ? { 'APT::Sandbox::User': 'root' } : {}),
		};
		/* What the machine does after an update of its own lists is not for these. */
		const cleared = ['Pre-Invoke', 'Post-Invoke', 'Post-Invoke-Success']
			.map((name) => `#clear APT::Update::${name};\n`);

		this.suite = suite;
		this.#folder = folder;
		try {
			for (const name of ['parts', 'lists/partial', 'cache/archives/partial',
				'debs'])
				mkdirSync(at(name), { recursive: true });
			writeFileSync(at('status'), '');
			writeFileSync(at('parts/vmmu.sources'), sourceText(source, suite));
			writeFileSync(at('apt.conf'), [...cleared, ...Object.entries(settings)
				.map(([name, value]) => `${name} ${quoted(value)};\n`)].join(''));
		} catch (error) {
			throw cacheError(folder, error);
		}
		this.#options = ['-qq', '-c', at('apt.conf')];
	}

	/**
	 * Get the list of packages.
	 * @throws OracleError
	 */
	async update(onProgress: Progress): Promise<void> {
		onProgress(`${this.suite}: list of packages`);
		const ran = await runTool('apt-get', [...this.#options, 'update']);

		if (ran.status !== 0)
			throw new SuiteError('failed', `the list of packages of ${this.suite} ` +
				`cannot be had:\n${lastLines(ran)}\n` +
				'What was there before is kept. Try again when the package ' +
				'source can be reached and has this suite');
	}

	/** What is known of a package; undefined if the suite has none of that name. */
	async show(name: string): Promise<Package | undefined> {
		const { status, stdout } = await runTool('apt-cache',
			[...this.#options, 'show', '--no-all-versions', name]);
		const text = stdout.toString();
		const get = (key: string) =>
			new RegExp(`^${key}: (.*)$`, 'm').exec(text)?.[1] ?? '';

		if (status !== 0 || get('Package') !== name)
			return undefined;
		return { name, version: get('Version'), sha256: get('SHA256'),
			size: Number(get('Size')),
			depends: get('Depends').split(/[,|]/).map((one) => words(one)[0] ?? '') };
	}

	/**
	 * Download packages and check each against the SHA256 of the signed list.
	 * @returns the paths of the packages, in order; remove them when they are unpacked
	 * @throws OracleError; what was downloaded is kept, and gone on with next time
	 */
	async download(packages: readonly Package[], onProgress: Progress): Promise<string[]> {
		const bytes = packages.reduce((sum, { size }) => sum + size, 0);
		const step = `${this.suite}: ${packages.map((p) => p.name).join(', ')} ` +
			`(${Math.ceil(bytes / 1e6)} MB)`;
		const folder = join(this.#folder, 'debs');

		this.#removeOthers(packages, folder);
		onProgress(step);
		const ran = await runTool('apt-get', [...this.#options,
			'-o', 'APT::Status-Fd=3', 'download',
			...packages.map(({ name, version }) => `${name}=${version}`)],
			{ cwd: folder, onStatus: (text) => {
				const percent =
					[...text.matchAll(/^dlstatus:\d+:([\d.]+):/gm)].at(-1)?.[1];
				if (percent !== undefined)
					onProgress(step, Math.min(100, Number(percent)));
			} });
		if (ran.status !== 0)
			throw this.#cutOff(packages, lastLines(ran));
		const paths: string[] = [];
		for (const wanted of packages) {
			const file = readdirSync(folder).find((name) => isOf(wanted, name));
			if (file === undefined)
				throw this.#cutOff([wanted], 'apt-get has left no file');
			paths.push(join(folder, file));
			await this.#check(wanted, join(folder, file));
		}
		return paths;
	}

	/* Older versions that were never unpacked. */
	#removeOthers(packages: readonly Package[], folder: string): void {
		for (const name of readdirSync(folder)) {
			const known = packages.find((one) => name.startsWith(`${one.name}_`));
			if (known && !isOf(known, name))
				rmSync(join(folder, name));
		}
	}

	/** Remove what is quickly made again, and is larger than the lists. */
	tidy(): void {
		rmSync(join(this.#folder, 'cache/pkgcache.bin'), { force: true });
	}

	#cutOff(packages: readonly Package[], reason: string): OracleError {
		const full = /no space left|enough free space|disk quota/i.test(reason);
		return new OracleError('failed',
			`download of ${packages.map((p) => p.name).join(', ')} failed:\n` +
			`${reason}\n` + (full ? 'The disk is full: free some, or set ' +
				'VMMU_CACHE to another folder. ' : '') +
			'The list of packages and what came so far are kept, nothing else was ' +
			'changed. Run the same command again to go on');
	}

	async #check({ name, sha256, size }: Package, path: string): Promise<void> {
		/* Loaded here, as few uses of the command need it. */
		const hash = process.getBuiltinModule('node:crypto').createHash('sha256');

		for await (const bytes of createReadStream(path))
			hash.update(bytes as Buffer);
		const found = hash.digest('hex');
		if (found === sha256)
			return;
		const got = statSync(path).size;
		rmSync(path);
		throw new OracleError('failed', `${name}: SHA256 is ${found}, ${got} bytes; the ` +
			`list of packages says ${sha256}, ${size} bytes. The file was removed, ` +
			'nothing else was changed. Run the same command again');
	}
}

/** What this machine says of its packages. */
export interface PackageSource {
	readonly sources: readonly Source[];
	readonly system: { readonly id: string; readonly like: string; readonly codename: string };
}

export const packageSource = (): PackageSource => ({ sources: readSources(), system: systemOf() });

/**
 * Work with apt for a suite, with its list of packages, from the first of the machine's sources
 * that has such a suite.
 * @param cache the cache folder
 * @throws OracleError where there is no apt, no source of Debian's, or none has the suite; what
 *	`work` threw
 */
export async function withSuite<T>(
	cache: string, suite: string, onProgress: Progress, work: (apt: Apt) => Promise<T>,
	{ sources, system }: PackageSource = packageSource(),
): Promise<T> {
	const candidates = debianSources(sources, system.codename);
	const ownKernel = 'Or bring a kernel image of your own: --bzimage PATH';
	const folder = join(cache, 'apt', suite);

	if (system.id !== 'debian' && !/\bdebian\b/.test(system.like))
		throw new OracleError('failed',
			"kernels are taken from Debian's packages, and this " +
			`machine is ${system.id || 'no Debian'}. ${ownKernel}`);
	if (candidates.length === 0)
		throw new OracleError('failed', "the machine's apt has no source of Debian's " +
			'(component main) in /etc/apt/sources.list or sources.list.d. ' +
			ownKernel);
	return await withLock(folder, async () => {
		let problem: unknown;
		for (const source of candidates) {
			try {
				const apt = new Apt(folder, suite, source);
				await apt.update(onProgress);
				const done = await work(apt);
				apt.tidy();
				return done;
			} catch (error) {
				if (!(error instanceof SuiteError))
					throw error;
				problem ??= error;
			}
		}
		throw problem;
	}, (pid) => onProgress(`${suite}: waiting for process ${pid}, which uses apt for it`));
}
