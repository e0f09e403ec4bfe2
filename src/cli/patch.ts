// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch of one's own: applied to a copy of the files that it changes, which the type checker
 * checks and compiles beside what the build has made of all others (dist/patch: a module and its
 * declarations for each), and run in a process of its own. The sources themselves stay as they are.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync }
	from 'node:fs';
import { SourceMap, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Cell, Job } from './job.ts';
import { complain, readInput } from './output.ts';
import { PatchError, applyPatch, readPatch, type Patched } from './patchfile.ts';
import type { Frame } from './stuck.ts';

/* The package: the command lies in its dist. */
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const BUILT = join(PACKAGE, 'dist/patch'), RUNNER = join(PACKAGE, 'dist/patched.cjs');

/** A patch that applies. */
export interface ReadyPatch {
	/** As it was given. */
	readonly file: string;
	readonly files: ReadonlyMap<string, Patched>;
}

/**
 * Read a patch and apply it, in memory.
 * @throws PatchError, UsageError
 */
export function preparePatch(file: string): ReadyPatch {
	const files = new Map(readPatch(file, readInput(file)).map((patch) => {
		let text;
		try {
			text = readFileSync(join(PACKAGE, patch.path), 'utf8');
		} catch {
			throw new PatchError(file, patch.at,
				`${patch.path}: no such file in the package`);
		}
		return [patch.path, applyPatch(file, text, patch)] as const;
	}));

	return { file, files };
}

/* Where a line of a patched file was written: `v2.diff:12 (src/mm/rmap.ts:930)`. */
function placeOf({ file, files }: ReadyPatch, path: string, line: number): string | undefined {
	const from = files.get(path)?.origins[line - 1];

	return from === undefined ? undefined : `${file}:${from} (${path}:${line})`;
}

interface Ran {
	readonly status: number | null;
	readonly out: string;
	readonly errors: string;
	/** What it wrote to its third pipe. */
	readonly cells: string;
	/** Whether its time was over. */
	readonly endless: boolean;
}

/* USER_HZ of x86 and of all else that node runs on. */
const TICK_MS = 10;
/* What it may take where others are at work too, or where it waits for what never comes. */
const PATIENCE = 30;
const POLL_MS = 250;

/* Processor time of a process so far; undefined where there is no /proc. */
function cpuMs(pid: number): number | undefined {
	try {
		const [, fields = ''] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ');
		const [utime, stime] = fields.split(' ').slice(11, 13).map(Number);
		return (utime! + stime!) * TICK_MS;
	} catch {
		return undefined;
	}
}

/* What it may take to say where it is. */
const ANSWER_MS = 20_000;

/*
 * Run a program. When nothing came to its third pipe for a time, it is asked where it is, which it
 * says there, and killed. The time is its own, of the processor, where that is known.
 */
function run(
	program: string, words: readonly string[], cwd: string, input?: string, timeoutMs?: number,
): Promise<Ran> {
	return new Promise((resolve, reject) => {
		const child = spawn(program, words, { cwd, stdio: ['pipe', 'pipe', 'pipe',
			'pipe'] });
		const said = { out: '', errors: '', cells: '' };
		let patience: NodeJS.Timeout | undefined;
		let began = 0, beganCpu = 0;
		const restart = (): void => {
			began = performance.now();
			beganCpu = cpuMs(child.pid!) ?? 0;
		};
		const timer = timeoutMs === undefined ? undefined : setInterval(() => {
			const wall = performance.now() - began;
			const used = (cpuMs(child.pid!) ?? beganCpu + wall) - beganCpu;
			if (used < timeoutMs && wall < timeoutMs * PATIENCE)
				return;
			clearInterval(timer);
			child.kill('SIGUSR2');
			patience = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS);
		}, Math.min(timeoutMs / 4, POLL_MS));
		restart();
		for (const [name, fd] of [['out', 1], ['errors', 2], ['cells', 3]] as const)
			(child.stdio[fd] as Readable).setEncoding('utf8')
				.on('data', (part: string) => {
					said[name] += part;
					if (name === 'cells')
						restart();
					if (name === 'cells' && patience && part.endsWith('\n'))
						child.kill('SIGKILL');
				});
		child.on('error', reject).on('close', (status) => {
			clearInterval(timer);
			clearTimeout(patience);
			resolve({ status, ...said, endless: patience !== undefined });
		});
		child.stdin.on('error', () => {}).end(input ?? '');
	});
}

const require = createRequire(import.meta.url);

/* -- Type check and compilation --------------------------------------------------------------- */

/* The type checker itself, without the script that looks for it. */
function typeChecker(): string {
	const platform = `@typescript/typescript-${process.platform}-${process.arch}`;
	const within = createRequire(require.resolve('typescript/package.json'));

	return join(dirname(within.resolve(`${platform}/package.json`)), 'lib',
		process.platform === 'win32' ? 'tsc.exe' : 'tsc');
}

/* `src/mm/rmap.ts(12,3): error TS2304: ...` */
const TYPE_ERROR = /^(src\/[^(]+)\((\d+),(\d+)\): error (TS\d+): (.*)$/gm;

/** A patch whose types do not check; the message has a line for each error. */
export class TypeErrors extends PatchError {
	constructor(errors: readonly string[]) {
		super('', 0, '');
		this.message = errors.join('\n      ');
		this.name = 'TypeErrors';
	}
}

/* Of `src/mm/rmap.ts`: the name of what is made of it. */
const madeOf = (path: string, ending: '.js' | '.js.map' | '.d.ts'): string =>
	path.replace(/^src\//, '').replace(/(?:\.d)?\.ts$/, ending);

/* A folder with some of the sources, as they are or as the patch has them. */
class Copy {
	readonly folder = mkdtempSync(join(tmpdir(), 'vmmu-patch-'));
	readonly out = join(this.folder, 'out');
	readonly #patch: ReadyPatch;
	/* paths in the package of what is in it */
	readonly #files = new Set<string>();

	constructor(patch: ReadyPatch) {
		this.#patch = patch;
		this.#add(patch.files.keys());
	}

	#add(paths: Iterable<string>): void {
		for (const path of paths) {
			const to = join(this.folder, path);
			mkdirSync(dirname(to), { recursive: true });
			writeFileSync(to, this.#patch.files.get(path)?.text ??
				readFileSync(join(PACKAGE, path)));
			this.#files.add(path);
		}
	}

	/* Check and compile what is in it; the words of the first error, if there is one. */
	async #check(types: readonly string[]): Promise<string | undefined> {
		writeFileSync(join(this.folder, 'tsconfig.json'), JSON.stringify({
			extends: join(PACKAGE, 'tsconfig.patch.json'),
			compilerOptions: { rootDir: 'src', rootDirs: ['src', BUILT], outDir: 'out',
				types, typeRoots: [dirname(dirname(
					require.resolve('@types/node/package.json')))] },
			files: [...this.#files, join(PACKAGE, 'src/lib/buffer-layout.d.ts')],
		}));
		const { status, out } = await run(typeChecker(), ['--pretty', 'false'],
			this.folder);
		return status === 0 ? undefined : out.trim();
	}

	/**
	 * Check the changed files, and compile them.
	 * @throws TypeErrors
	 */
	async compile(): Promise<void> {
		/* a port needs no node, but one may print for a look at what it does */
		const errors = await this.#check([]) && await this.#check(['node']);

		if (errors)
			throw this.#errors(errors);
	}

	/**
	 * What the changed files export may have changed: then check those that import it too.
	 * @throws TypeErrors
	 */
	async checkImporters(): Promise<void> {
		for (;;) {
			const changed = [...this.#files].filter((path) => {
				const name = madeOf(path, '.d.ts');
				return readFileSync(join(this.out, name), 'utf8') !==
					readFileSync(join(BUILT, name), 'utf8');
			});
			const more = changed.length ? importersOf(changed)
				.filter((path) => !this.#files.has(path)) : [];
			if (more.length === 0)
				return;
			this.#add(more);
			const errors = await this.#check(['node']);
			if (errors)
				throw this.#errors(errors);
		}
	}

	#errors(out: string): TypeErrors {
		const { file } = this.#patch;
		const lines = [...out.matchAll(TYPE_ERROR)].map(
			([, path, line, , code, message]) => {
				const place = placeOf(this.#patch, path!, Number(line)) ??
					`${file}: (${path}:${line})`;
				return `${place}: ${code}: ${message}`;
			});
		return new TypeErrors(lines.length ? lines : [`${file}: ${out}`]);
	}

	remove(): void {
		rmSync(this.folder, { recursive: true, force: true });
	}
}

/* Modules that a source or a declaration names. */
function importsOf(path: string, text: string): string[] {
	return [...text.matchAll(/(?:from|import\()\s*'(\.[^']*)'/g)].map(([, name]) =>
		posix.join(dirname(path), name!.replace(/\.js$/, '.ts')));
}

/*
 * What imports files whose declarations have changed, or others whose declarations stand on those.
 */
function importersOf(changed: readonly string[]): string[] {
	const sources = readdirSync(join(PACKAGE, 'src'), { recursive: true, encoding: 'utf8' })
		.map((name) => `src/${name.replaceAll('\\', '/')}`)
		.filter((path) => path.endsWith('.ts') && existsSync(join(BUILT,
			madeOf(path, '.js'))));
	const declared = new Map(sources.map((path) => [path, importsOf(path,
		readFileSync(join(BUILT, madeOf(path, '.d.ts')), 'utf8'))]));
	const touched = new Set(changed);

	for (let size = 0; size < touched.size;) {
		size = touched.size;
		for (const [path, names] of declared)
			if (names.some((name) => touched.has(name)))
				touched.add(path);
	}
	return sources.filter((path) => importsOf(path,
		readFileSync(join(PACKAGE, path), 'utf8')).some((name) => touched.has(name)));
}

/* -- Places ----------------------------------------------------------------------------------- */

/* Finds in the diff what a stack says in the places of the modules. */
class Places {
	readonly #patch: ReadyPatch;
	readonly #out: string;
	readonly #maps = new Map<string, SourceMap | undefined>();

	constructor(patch: ReadyPatch, out: string) {
		this.#patch = patch;
		this.#out = out;
	}

	#map(file: string): SourceMap | undefined {
		if (!this.#maps.has(file)) {
			let map: SourceMap | undefined;
			try {
				map = new SourceMap(JSON.parse(readFileSync(`${file}.map`,
					'utf8')) as ConstructorParameters<typeof SourceMap>[0]);
			} catch {
				/* none of ours */
			}
			this.#maps.set(file, map);
		}
		return this.#maps.get(file);
	}

	/** The innermost frame that is a line of the diff, or else of a patched file. */
	find(frames: readonly Frame[]): string {
		const entries = frames.flatMap(({ name, file, line, column }) => {
			const from = [this.#out, BUILT].find((folder) => file.startsWith(folder));
			const entry = from && this.#map(file)?.findEntry(line, column);
			return from && entry && 'originalLine' in entry
				? [{ name, path: `src${file.slice(from.length)
					.replaceAll('\\', '/').replace(/\.js$/, '.ts')}`,
					line: entry.originalLine + 1 }]
				: [];
		});
		for (const { name, path, line } of entries) {
			const place = placeOf(this.#patch, path, line);
			if (place)
				return `${place} in ${name}()`;
		}
		const near = entries.find(({ path }) => this.#patch.files.has(path)) ?? entries[0];
		return near ? `${this.#patch.file}: ${near.path}:${near.line} in ${near.name}()`
			: this.#patch.file;
	}
}

/* `    at try_to_unmap_one (/.../out/mm/rmap.js:123:45)` */
const FRAME = /^\s+at (?:(?:async |new )?(\S+)(?: \[as \S+\])? \()?([^()]*?):(\d+):(\d+)\)?$/gm;
const framesOf = (stack: string): Frame[] => [...stack.matchAll(FRAME)].map(
	([, name = 'anonymous', file, line, column]) => ({ name: name.replace(/^.*\./, ''),
		file: file!, line: Number(line) - 1, column: Number(column) - 1 }));

/**
 * Run a job on patched kernels.
 * @param timeoutMs until a run is taken to be endless
 * @returns the cells, in the job's order; those that an exception or endless loop of the patch
 * kept from their end say where it is
 * @throws PatchError with a line for each type error
 */
export async function runPatched(
	patch: ReadyPatch, job: Job, timeoutMs: number,
): Promise<Cell[]> {
	const copy = new Copy(patch);

	try {
		await copy.compile();
		/* What others make of it may be wrong: then nobody will see what it shows. */
		const [checked, ran] = await Promise.allSettled([copy.checkImporters(),
			run(process.execPath, [RUNNER, copy.out], copy.folder,
				JSON.stringify(job), timeoutMs)]);
		if (checked.status === 'rejected')
			throw checked.reason;
		if (ran.status === 'rejected')
			throw ran.reason;
		const { out, errors, endless, cells } = ran.value;
		/* what the patch prints, for a look at what it does */
		if (out)
			complain(out.replace(/\n$/, ''));
		const places = new Places(patch, copy.out);
		/* the last line is not whole if it was killed while it wrote */
		let stuck: readonly Frame[] = [];
		const found = cells.split('\n').slice(0, -1).flatMap((line) => {
			const said = JSON.parse(line) as { cell: Cell } |
				{ stuck: readonly Frame[] };
			if ('stuck' in said) {
				({ stuck } = said);
				return [];
			}
			const { cell } = said;
			return cell.broken === undefined ? cell : { ...cell, broken:
				`${places.find(framesOf(cell.stack ?? ''))}: ${cell.broken}` };
		});
		return complete(found, job, () => endless
			? `${places.find(stuck)}: still runs after ${timeoutMs / 1000} s`
			: `${places.find(framesOf(errors))}: ${lastWords(errors)}`);
	} finally {
		copy.remove();
	}
}

/* What a process that ended said: after the line of source that node shows, the error. */
const lastWords = (errors: string): string =>
	/^[\w$]*(?:Error|Exception)\b.*$/m.exec(errors)?.[0] ??
	(errors.trim().split('\n')[0] || 'ends the process');

/* What came to no end, or was not come to. */
function complete(
	cells: readonly Cell[], { programs, kernels }: Job, why: () => string,
): Cell[] {
	const wanted = programs.flatMap(({ file }) => kernels.map((kernel) => ({ file, kernel })));
	const reason = cells.length < wanted.length ? why() : '';

	return wanted.map(({ file, kernel }, i) => cells[i] ?? { file, kernel, held: 0, failed: 1,
		skipped: 0, failures: [], outcome: '', shown: [],
		broken: i === cells.length ? reason : `was not run: ${reason}` });
}
