// SPDX-License-Identifier: GPL-2.0-only
/*
 * A patch of one's own: applied to a copy of the sources that the package carries, checked by the
 * type checker, bundled, and run in a process of its own. The sources themselves stay as they are.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync }
	from 'node:fs';
import { SourceMap, createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { build as Build } from 'esbuild';
import type { Cell, Job } from './job.ts';
import { readInput } from './output.ts';
import { PatchError, applyPatch, readPatch, type Patched } from './patchfile.ts';
import { whereIs, type Frame } from './stuck.ts';

/* The package: the command lies in its dist. */
const PACKAGE = fileURLToPath(new URL('..', import.meta.url));
const ENTRY = 'src/cli/patched.ts', BUNDLE = 'patched.mjs', BUILD_INFO = 'patch.tsbuildinfo';

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
	/** Where it was when its time was over. */
	readonly stuck?: readonly Frame[];
}

/* Run a script; after its time it is asked where it is, and killed. */
function run(
	words: readonly string[], cwd: string, input?: string, timeoutMs?: number,
): Promise<Ran> {
	return new Promise((resolve, reject) => {
		const child = spawn(process.execPath, words, { cwd, stdio: ['pipe', 'pipe',
			'pipe'] });
		let out = '', errors = '', stuck: readonly Frame[] | undefined;
		const timer = timeoutMs === undefined ? undefined : setTimeout(() => {
			whereIs(child, (frames) => {
				stuck = frames;
				child.kill('SIGKILL');
			});
		}, timeoutMs);
		child.stdout.setEncoding('utf8').on('data', (part: string) => { out += part; });
		child.stderr.setEncoding('utf8').on('data', (part: string) => { errors += part; });
		child.on('error', reject).on('close', (status) => {
			clearTimeout(timer);
			resolve({ status, out, errors, ...stuck ? { stuck } : {} });
		});
		child.stdin.on('error', () => {}).end(input ?? '');
	});
}

const require = createRequire(import.meta.url);

/* The copy: sources with the patch, and what the type checker wants beside them. */
function makeCopy(patch: ReadyPatch): string {
	const copy = mkdtempSync(join(tmpdir(), 'vmmu-patch-'));

	cpSync(join(PACKAGE, 'src'), join(copy, 'src'), { recursive: true, dereference: true });
	for (const name of ['package.json', 'tsconfig.json', 'tsconfig.patch.json'])
		cpSync(join(PACKAGE, name), join(copy, name));
	for (const [path, { text }] of patch.files)
		writeFileSync(join(copy, path), text);
	/* what the unpatched sources were found to be; without it all is checked anew */
	try {
		cpSync(join(PACKAGE, 'dist', BUILD_INFO), join(copy, BUILD_INFO));
	} catch {
		/* slower */
	}
	mkdirSync(join(copy, 'node_modules/@types'), { recursive: true });
	for (const name of ['@types/node', 'undici-types', 'buffer-layout'])
		symlinkSync(dirname(require.resolve(`${name}/package.json`)),
			join(copy, 'node_modules', name), 'dir');
	return copy;
}

/* `src/mm/rmap.ts(12,3): error TS2304: ...` */
const TYPE_ERROR = /^(src\/[^(]+)\((\d+),(\d+)\): error (TS\d+): (.*)$/gm;

async function check(patch: ReadyPatch, copy: string): Promise<void> {
	const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
	const { status, out } = await run(
		[tsc, '-p', 'tsconfig.patch.json', '--pretty', 'false'], copy);

	if (status === 0)
		return;
	const errors = [...out.matchAll(TYPE_ERROR)].map(([, path, line, , code, message]) => {
		const place = placeOf(patch, path!, Number(line)) ??
			`${patch.file}: (${path}:${line})`;
		return `${place}: ${code}: ${message}`;
	});
	throw new TypeErrors(errors.length ? errors : [`${patch.file}: ${out.trim()}`]);
}

/** A patch whose types do not check; the message has a line for each error. */
export class TypeErrors extends PatchError {
	constructor(errors: readonly string[]) {
		super('', 0, '');
		this.message = errors.join('\n      ');
		this.name = 'TypeErrors';
	}
}

async function bundle(patch: ReadyPatch, copy: string): Promise<void> {
	const { build } = require('esbuild') as { build: typeof Build };
	const result = await build({ absWorkingDir: copy, entryPoints: [ENTRY], outfile: BUNDLE,
		bundle: true, platform: 'node', format: 'esm', target: 'node20.19',
		sourcemap: 'external', sourcesContent: false, logLevel: 'silent' })
		.catch((error: { errors?: readonly { text: string;
			location: { file: string; line: number } | null }[] }) => error);

	const [first] = 'errors' in result && result.errors ? result.errors : [];
	if (first) {
		const place = first.location &&
			placeOf(patch, first.location.file, first.location.line);
		throw new TypeErrors([`${place ?? patch.file}: ${first.text}`]);
	}
}

/* Finds in the diff what a stack says in the places of the bundle. */
class Places {
	readonly #map: SourceMap;
	readonly #patch: ReadyPatch;

	constructor(patch: ReadyPatch, copy: string) {
		this.#patch = patch;
		this.#map = new SourceMap(JSON.parse(
			readFileSync(join(copy, `${BUNDLE}.map`), 'utf8')) as
			ConstructorParameters<typeof SourceMap>[0]);
	}

	/** The innermost frame that is a line of the diff, or else of a patched file. */
	find(frames: readonly Frame[]): string {
		const entries = frames.flatMap(({ name, line, column }) => {
			const entry = this.#map.findEntry(line, column);
			return 'originalSource' in entry && entry.originalSource
				? [{ name, path: entry.originalSource, line: entry.originalLine +
					1 }]
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

/* `    at try_to_unmap_one (file:///.../patched.mjs:123:45)` */
const FRAME = /^\s+at (?:(?:async |new )?(\S+)(?: \[as \S+\])? \()?[^()]*?:(\d+):(\d+)\)?$/gm;
const framesOf = (stack: string): Frame[] => [...stack.matchAll(FRAME)].map(
	([, name = 'anonymous', line, column]) =>
		({ name: name.replace(/^.*\./, ''), line: Number(line) - 1, column: Number(
			column) - 1 }));

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
	const copy = makeCopy(patch);

	try {
		/* What does not type-check may run meanwhile: nobody will see what it shows. */
		const [checked, ran] = await Promise.allSettled([check(patch, copy),
			bundle(patch, copy).then(() => run(['--inspect-port=0', BUNDLE], copy,
				JSON.stringify(job), timeoutMs))]);
		if (checked.status === 'rejected')
			throw checked.reason;
		if (ran.status === 'rejected')
			throw ran.reason;
		const { out, errors, stuck } = ran.value;
		const places = new Places(patch, copy);
		/* the last line is not whole if it was killed while it wrote */
		const cells = out.split('\n').slice(0, -1).map((line) =>
			(JSON.parse(line) as { cell: Cell }).cell);
		const found = cells.map((cell) => cell.broken === undefined ? cell : { ...cell,
			broken: `${places.find(framesOf(cell.stack ?? ''))}: ${cell.broken}` });
		return complete(found, job, stuck
			? `${places.find(stuck)}: still runs after ${timeoutMs / 1000} s`
			: `${places.find(framesOf(errors))}: ` +
				(errors.trim().split('\n')[0] || 'ends the process'));
	} finally {
		rmSync(copy, { recursive: true, force: true });
	}
}

/* What came to no end, or was not come to. */
function complete(cells: readonly Cell[], { programs, kernels }: Job, why: string): Cell[] {
	const wanted = programs.flatMap(({ file }) => kernels.map((kernel) => ({ file, kernel })));

	return wanted.map(({ file, kernel }, i) => cells[i] ?? { file, kernel, held: 0, failed: 1,
		skipped: 0, failures: [], outcome: '', shown: [],
		broken: i === cells.length ? why : `was not run: ${why}` });
}
