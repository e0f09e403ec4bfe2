// SPDX-License-Identifier: GPL-2.0-only
/*
 * FIDELITY.md: what of the kernel is here, function by function, made from the tags of the source.
 * Run as a program it writes the file; test/tidy.test.ts compares the file with what it would be.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
	commitTable, isPort, parseTree, readTree, TAGS, type Func, type Module, type Tag,
	type TagName, type Tree,
} from './source.ts';

/** Kernel file -> names of its functions at v5.10, in order; of the files that are ported whole. */
const FUNCTIONS_PATH = 'tools/kernel-functions.json';
/** Kernel file -> function -> why it is not here. */
const LEFT_OUT_PATH = 'tools/left-out.json';
const DEVIATIONS_PATH = 'docs/deviations.md';
export const FIDELITY_PATH = 'FIDELITY.md';

type KernelFunctions = Readonly<Record<string, readonly string[]>>;
type LeftOut = Readonly<Record<string, Readonly<Record<string, string>>>>;

interface Entry {
	readonly kernelFile: string;
	/** The name in the kernel. */
	readonly kernelName: string;
	readonly func: Func;
	readonly tag: Tag | undefined;
	readonly module: Module;
}

function read<T>(tree: Tree, path: string): T {
	const text = tree.get(path);
	if (text === undefined)
		throw new Error(`no ${path}`);
	return JSON.parse(text) as T;
}

/** Every function of the ports, and every tagged one elsewhere, with the kernel's file and name. */
function entriesOf(modules: readonly Module[], known: KernelFunctions): Entry[] {
	const entries: Entry[] = [];
	for (const module of modules) {
		if (!module.path.startsWith('src/'))
			continue;
		for (const func of module.functions) {
			const [tag] = func.tags;
			if (!tag && !isPort(module))
				continue;
			const kernelName = tag?.func ?? func.name;
			const kernelFile = tag?.file ??
				module.ports.find((file) => known[file]?.includes(kernelName)) ??
				module.ports[0] ?? 'none';
			entries.push({ kernelFile, kernelName, func, tag, module });
		}
	}
	return entries;
}

/** What disagrees between the lists of functions and the source; one line each. */
export function listProblems(tree: Tree): string[] {
	const known = read<KernelFunctions>(tree, FUNCTIONS_PATH);
	const leftOut = read<LeftOut>(tree, LEFT_OUT_PATH);
	const entries = entriesOf(parseTree(tree), known);
	const found: string[] = [];
	for (const [file, functions] of Object.entries(leftOut)) {
		for (const [name, reason] of Object.entries(functions)) {
			const where = `${LEFT_OUT_PATH}:1: ${file}:${name}()`;
			const here = entries.find(({ kernelFile, kernelName }) =>
				kernelFile === file && kernelName === name);
			if (!known[file]?.includes(name))
				found.push(`${where} is not in ${FUNCTIONS_PATH}`);
			if (here)
				found.push(`${where} is not left out: ` +
					`${here.module.path}:${here.func.line}`);
			if (!/\w+\W+\w+\W+\w+/.test(reason))
				found.push(`${where} has no reason of a few words`);
		}
	}
	return found;
}

/* -- Markdown --------------------------------------------------------------------------------- */

const cell = (text: string) => text.replaceAll('|', String.raw`\|`);
const row = (...cells: (string | number)[]) => `| ${cells.map(String).map(cell).join(' | ')} |`;
const place = (path: string, line: number) => `[${path}:${line}](${path}#L${line})`;

function table(head: readonly string[], rows: readonly string[]): string[] {
	return rows.length ? [row(...head), row(...head.map(() => '---')), ...rows, ''] : [];
}

type Count = TagName | 'untagged' | 'left out' | 'missing';
const COUNTS: readonly Count[] = [...TAGS, 'untagged', 'left out', 'missing'];

function describe({ func, kernelName, tag }: Entry): string {
	const reason = tag?.name === 'ported' && !tag.reason ? '' : tag?.reason || func.description;
	const version = tag?.version && tag.version !== 'v5.10' ? `${tag.version}. ` : '';
	const ours = func.name === kernelName ? '' : `as \`${func.name}()\`. `;
	return (ours + version + reason).trim();
}

function fileSection(
	file: string, entries: readonly Entry[], known: readonly string[] | undefined,
	leftOut: Readonly<Record<string, string>>,
): { lines: string[]; counts: Map<Count, number> } {
	const counts = new Map<Count, number>();
	const count = (what: Count) => counts.set(what, (counts.get(what) ?? 0) + 1);
	const rows: string[] = [];
	const add = (entry: Entry) => {
		const what = entry.tag?.name ?? 'untagged';
		count(what);
		rows.push(row(`\`${entry.kernelName}()\``, what,
			place(entry.module.path, entry.func.line), describe(entry)));
	};

	for (const name of known ?? []) {
		const here = entries.filter(({ kernelName }) => kernelName === name);
		const reason = leftOut[name];
		here.forEach(add);
		if (here.length)
			continue;
		count(reason === undefined ? 'missing' : 'left out');
		rows.push(row(`\`${name}()\``,
			reason === undefined ? '**missing**' : 'left out', '', reason ?? ''));
	}
	entries.filter(({ kernelName }) => !known?.includes(kernelName)).forEach(add);
	return { counts, lines: [`### ${file}`, '',
		...table(['Function', 'Tag', 'Here', 'What differs'], rows)] };
}

function historySection(modules: readonly Module[]): string[] {
	const rows = commitTable(modules).map(({ name, id, release, subject }) => {
		const guards = modules.flatMap((module) => module.path.startsWith('src/')
			? module.guards.filter((guard) => guard.name === name)
				.map(({ line }) => place(module.path, line)) : []);
		return row(`\`${id}\``, release, subject, guards.join(', '));
	});
	return ['## History', '',
		'The base is v5.10. Each of these commits is a switch; with it on, the places',
		"named take the commit's side.", '',
		...table(['Commit', 'Release', 'Subject', 'Where'], rows)];
}

function deviationSection(modules: readonly Module[], written: string | undefined): string[] {
	const tagged = modules.filter(({ path }) => path.startsWith('src/'))
		.flatMap(({ path, deviations }) =>
			deviations.map(({ line, text }) => `- ${place(path, line)}: ${text}`));
	const lines = [...tagged, ...tagged.length && written ? [''] : [],
		...written ? [written.trim()] : []];
	return ['## Known deviations', '', ...lines.length ? lines : ['None.'], ''];
}

/** The text of FIDELITY.md for a tree. */
export function fidelity(tree: Tree): string {
	const modules = parseTree(tree);
	const known = read<KernelFunctions>(tree, FUNCTIONS_PATH);
	const leftOut = read<LeftOut>(tree, LEFT_OUT_PATH);
	const entries = entriesOf(modules, known);
	const files = [...new Set([...Object.keys(known), ...entries.map((e) => e.kernelFile)])]
		.filter((file) => file !== 'none').toSorted();
	const sections = files.map((file) => ({ file, ...fileSection(file,
		entries.filter((e) => e.kernelFile === file), known[file], leftOut[file] ?? {}) }));
	const totals = COUNTS.map((what) =>
		sections.reduce((sum, { counts }) => sum + (counts.get(what) ?? 0), 0));

	return [
		'# Fidelity',
		'',
		'What of Linux v5.10 is here, function by function. Made by `npm run fidelity`',
		'from the tags in the source; not edited by hand.',
		'',
		'- **ported**: the logic of the kernel\'s function, whole; "but for" names what no',
		'  machine here has',
		'- **reduced**: without a part of it; which, and why that cannot matter here',
		'- **custom**: written for this project, in the place of what the kernel has',
		'- **stub**: there for the reader only; nothing calls it',
		'- **left out**: a function of a file that is otherwise ported, not here, and why',
		'- **missing**: not here yet',
		'',
		'Left-out functions are listed for the files whose functions are listed in',
		`\`${FUNCTIONS_PATH}\`; of the other files only what is here.`,
		'',
		'## Files',
		'',
		...table(['Kernel file', ...COUNTS], [
			...sections.map(({ file, counts }) =>
				row(file, ...COUNTS.map((what) => counts.get(what) ?? 0))),
			row('**all**', ...totals),
		]),
		...deviationSection(modules, tree.get(DEVIATIONS_PATH)),
		...historySection(modules),
		'## Functions',
		'',
		...sections.flatMap(({ lines }) => lines),
	].join('\n').trimEnd() + '\n';
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
	const root = fileURLToPath(new URL('..', import.meta.url));
	const text = fidelity(readTree(root));
	const path = join(root, FIDELITY_PATH);
	let before = '';
	try {
		before = readFileSync(path, 'utf8');
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
			throw error;
	}
	if (text !== before)
		writeFileSync(path, text);
	console.log(text === before ? `${FIDELITY_PATH} is up to date` : `wrote ${FIDELITY_PATH}`);
}
