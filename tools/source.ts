// SPDX-License-Identifier: GPL-2.0-only
/*
 * The project's own source as data, for the tidy checks and for FIDELITY.md: files, imports,
 * functions with their fidelity tags, and the guards of history switches.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { parseSync, visitorKeys, type Comment } from 'oxc-parser';

/** Text by path from the root, with / between names. */
export type Tree = ReadonlyMap<string, string>;

/** A node of the ESTree; what it has beside its type and place depends on the type. */
export interface Node {
	readonly type: string;
	/** UTF-16 offsets in the file: the first character, and the one behind the last. */
	readonly start: number;
	readonly end: number;
	// oxlint-disable-next-line typescript/no-explicit-any
	readonly [key: string]: any;
}

export const TAGS = ['ported', 'reduced', 'custom', 'stub'] as const;
export type TagName = typeof TAGS[number];

export interface Tag {
	readonly name: TagName;
	/** The tag's own words, without version and kernel function; '' if it has none. */
	readonly reason: string;
	/** The version that it claims, `v5.10`; '' if none. */
	readonly version: string;
	/** The kernel's file and function where the tag names them. */
	readonly file: string | undefined;
	readonly func: string | undefined;
}

export interface Func {
	readonly name: string;
	readonly line: number;
	/** All its tags; the rules want exactly one. */
	readonly tags: readonly Tag[];
	/** The text of its doc comment before the first tag. */
	readonly description: string;
}

export interface Import {
	/** As written: './list.ts', 'node:fs', 'cac'. */
	readonly specifier: string;
	/** Path of the file meant, for a relative one. */
	readonly target: string | undefined;
	readonly typeOnly: boolean;
	readonly line: number;
	/** Local name -> the name exported by the target; '*' for a namespace. */
	readonly names: ReadonlyMap<string, string>;
}

/** A place where a commit's constant stands: `applied(NAME)`, or a table that applied() reads. */
export interface Guard {
	/** The commit's constant, or what else is the argument of applied(). */
	readonly name: string;
	/** What the comment beside it says; undefined where there is none. */
	readonly id: string | undefined;
	readonly release: string | undefined;
	readonly line: number;
}

export interface Module {
	readonly path: string;
	readonly text: string;
	readonly program: Node;
	readonly comments: readonly Comment[];
	readonly errors: readonly { readonly line: number; readonly message: string }[];
	readonly imports: readonly Import[];
	readonly functions: readonly Func[];
	readonly guards: readonly Guard[];
	readonly deviations: readonly { readonly line: number; readonly text: string }[];
	/** Kernel files that it is a port of, says its header comment; the first is the chief. */
	readonly ports: readonly string[];
	lineOf(offset: number): number;
}

export const COMMITS_PATH = 'src/lib/commits.ts';
/** A commit's constant, not the name of some variable. */
export const CONSTANT = /^[A-Z][A-Z0-9_]*$/;

/* -- Files ------------------------------------------------------------------------------------ */

/** The files of a work tree that its .gitignore, whose entries are plain names, does not name. */
export function readTree(root: string): Tree {
	const ignored = readFileSync(join(root, '.gitignore'), 'utf8').split('\n')
		.map((line) => line.replace(/^\/|\/$/g, ''));
	const skip = new Set(['.git', ...ignored]);
	const tree = new Map<string, string>();
	const walk = (dir: string) => {
		for (const name of readdirSync(join(root, dir)).toSorted()) {
			const path = posix.join(dir, name);
			if (skip.has(name) || name.endsWith('.log'))
				continue;
			if (statSync(join(root, path)).isDirectory())
				walk(path);
			else
				tree.set(path, readFileSync(join(root, path), 'utf8'));
		}
	};
	walk('.');
	return tree;
}

/** The layer a file is in: `mm` for src/mm/rmap.ts, '' outside src or directly in it. */
export function layerOf(path: string): string {
	return /^src\/(\w+)\//.exec(path)?.[1] ?? '';
}

/* -- Walking ---------------------------------------------------------------------------------- */

/** The nodes directly below, in source order. */
export function children(node: Node): Node[] {
	const below: Node[] = [];
	for (const key of visitorKeys[node.type] ?? []) {
		const value: unknown = node[key];
		for (const child of Array.isArray(value) ? value : [value]) {
			if (child !== null && typeof child === 'object')
				below.push(child as Node);
		}
	}
	return below;
}

/** Visit a node and all below it; `visit` returning false leaves out what is below. */
export function walk(
	node: Node, visit: (node: Node, parents: readonly Node[]) => boolean | void,
	parents: Node[] = [],
): void {
	if (visit(node, parents) === false)
		return;
	parents.push(node);
	for (const child of children(node))
		walk(child, visit, parents);
	parents.pop();
}

export function isFunction(node: Node): boolean {
	return node.type === 'FunctionDeclaration' || node.type === 'FunctionExpression' ||
		node.type === 'ArrowFunctionExpression';
}

/** An expression without the parentheses, casts and ! around it. */
export function bare(node: Node): Node {
	const wraps = ['ParenthesizedExpression', 'TSAsExpression', 'TSNonNullExpression',
		'TSSatisfiesExpression', 'TSTypeAssertion', 'ChainExpression'];
	while (wraps.includes(node.type))
		node = node['expression'];
	return node;
}

/** The declarations at the top of a module, each with the statement it stands in. */
export function topDeclarations(program: Node): { statement: Node; declaration: Node }[] {
	return (program['body'] as Node[]).map((statement) => {
		const exported = statement.type === 'ExportNamedDeclaration' ||
			statement.type === 'ExportDefaultDeclaration';
		return { statement, declaration: exported && statement['declaration']
			? statement['declaration'] as Node : statement };
	});
}

/** The names that a binding pattern declares. */
export function boundNames(pattern: Node): string[] {
	switch (pattern.type) {
	case 'Identifier':
		return [pattern['name']];
	case 'ObjectPattern':
		return pattern['properties'].flatMap((p: Node) =>
			boundNames(p.type === 'RestElement' ? p['argument'] : p['value']));
	case 'ArrayPattern':
		return pattern['elements'].flatMap((p: Node | null) => p ? boundNames(p) : []);
	case 'AssignmentPattern':
		return boundNames(pattern['left']);
	case 'RestElement':
		return boundNames(pattern['argument']);
	default:
		return [];
	}
}

/* -- Comments --------------------------------------------------------------------------------- */

/** A comment's words on one line: no stars, no line ends. */
function flat(comment: string): string {
	return comment.split('\n').map((line) => line.replace(/^\s*\*+ ?/, '').trim())
		.join(' ').replace(/^\*+/, '').replace(/\s+/g, ' ').trim();
}

const TAG = new RegExp(`@(${TAGS.join('|')})\\b`, 'g');
const KERNEL_FILE = String.raw`[\w-]+(?:/[\w.-]+)+\.[chS]`;
const TAG_TEXT = new RegExp(
	String.raw`^(v\d+(?:\.\d+){1,2}\b)?[;,:]?\s*(?:static\b)?[;,:]?\s*(?:(${KERNEL_FILE})` +
	String.raw`(?::(\w+)(?:\(\))?)?)?[;,:.]?\s*(.*)$`);

/** The fidelity tags of a doc comment. */
export function tagsOf(comment: string): { tags: Tag[]; description: string } {
	const text = flat(comment);
	const starts = [...text.matchAll(TAG)];
	const tags = starts.map((match) => {
		const body = text.slice(match.index + match[0].length);
		const own = body.replace(/(^|\s)@[a-z]\w*\b.*$/, '').trim();
		const [, version, file, func, reason] = TAG_TEXT.exec(own)!;
		return { name: match[1] as TagName, version: version ?? '', file, func,
			reason: reason ?? '' };
	});
	return { tags, description: text.slice(0, starts[0]?.index ?? text.length).trim() };
}

/** The kernel files that a header comment is about: those it names before what is left out. */
export function portsOf(header: string): string[] {
	const about = flat(header).split(/Left out\b|Lock order modelled\b/)[0]!;
	const paths = about.match(new RegExp(String.raw`\b${KERNEL_FILE}\b`, 'g')) ?? [];
	return [...new Set(paths)];
}

/* -- A module --------------------------------------------------------------------------------- */

function importsOf(path: string, program: Node, lineOf: Module['lineOf']): Import[] {
	const imports: Import[] = [];
	const add = (source: Node, typeOnly: boolean, names: Map<string, string>) => {
		const specifier: string = source['value'];
		const target = specifier.startsWith('.')
			? posix.join(dirname(path), specifier) : undefined;
		imports.push({ specifier, target, typeOnly, names, line: lineOf(source.start) });
	};
	const nameOf = (node: Node): string => node['name'] ?? node['value'];

	walk(program, (node) => {
		switch (node.type) {
		case 'ImportDeclaration': {
			const names = new Map<string, string>();
			let values = node['specifiers'].length === 0;
			for (const s of node['specifiers'] as Node[]) {
				if (s['importKind'] !== 'type')
					values = true;
				names.set(s['local']['name'],
					s.type === 'ImportSpecifier' ? nameOf(s['imported'])
					: s.type === 'ImportDefaultSpecifier' ? 'default' : '*');
			}
			add(node['source'], node['importKind'] === 'type' || !values, names);
			return false;
		}
		case 'ExportAllDeclaration':
		case 'ExportNamedDeclaration':
			if (node['source'])
				add(node['source'], node['exportKind'] === 'type', new Map());
			return true;
		case 'ImportExpression':
			if (node['source'].type === 'Literal')
				add(node['source'], false, new Map());
			return true;
		case 'NewExpression':
			/* new Worker(new URL('./worker.ts', import.meta.url)) */
			if (node['callee']['name'] === 'URL' && node['arguments'].length === 2 &&
			    /^\.{1,2}\/.*\.ts$/.test(String(node['arguments'][0]['value'])))
				add(node['arguments'][0], false, new Map());
			return true;
		default:
			return true;
		}
	});
	return imports;
}

function guardsOf(
	program: Node, text: string, comments: readonly Comment[], lineOf: Module['lineOf'],
	constants: ReadonlySet<string>,
): Guard[] {
	const guards: Guard[] = [];
	walk(program, (node, parents) => {
		if (node.type === 'ImportDeclaration' || node.type === 'VariableDeclarator' &&
		    node['init']?.['callee']?.['name'] === 'commit')
			return false;
		const parent = parents.at(-1);
		const argument = parent?.type === 'CallExpression' &&
			parent['callee']['name'] === 'applied' && parent['arguments'][0] === node;
		const member = parent?.type === 'MemberExpression' && parent['property'] === node;
		if (!argument && (!constants.has(node['name']) || member))
			return true;
		/* the comment is beside the constant, or on the next line */
		const next = comments.find((c) => c.start >= node.end);
		const beside = next && /^[\s,]*$/.test(text.slice(node.end, next.start)) &&
			lineOf(next.start) - lineOf(node.end) <= 1 ? next.value : '';
		const [, id, release] = /^\s*([0-9a-f]{12}), (v\d+(?:\.\d+){1,2})\s*$/.exec(
			beside) ?? [];
		guards.push({ name: text.slice(node.start, node.end), id, release,
			line: lineOf(node.start) });
		return true;
	});
	return guards;
}

export function parseModule(path: string, text: string): Module {
	const lineStarts = [0];
	for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
		lineStarts.push(at + 1);
	const lineOf = (offset: number) => {
		let low = 0, high = lineStarts.length;
		while (high - low > 1) {
			const middle = (low + high) >> 1;
			if (lineStarts[middle]! <= offset)
				low = middle;
			else
				high = middle;
		}
		return low + 1;
	};

	const result = parseSync(path, text, { sourceType: 'module' });
	const program = result.program as unknown as Node;
	const { comments } = result;
	const docBefore = (start: number) => {
		const doc = comments.findLast((c) => c.end <= start);
		return doc?.type === 'Block' && doc.value.startsWith('*') &&
			text.slice(doc.end, start).trim() === '' ? doc.value : '';
	};

	const functions: Func[] = [];
	for (const { statement, declaration } of topDeclarations(program)) {
		const add = (name: string, at: Node) => functions.push({
			name, line: lineOf(at.start), ...tagsOf(docBefore(statement.start)) });
		if (declaration.type === 'FunctionDeclaration')
			add(declaration['id']?.name ?? 'default', declaration);
		else if (declaration.type === 'VariableDeclaration') {
			const tagged = tagsOf(docBefore(statement.start)).tags.length > 0;
			for (const d of declaration['declarations'] as Node[]) {
				/* the tag of a table of functions (PAGEFLAG()) is each one's */
				if (tagged || d['init'] && isFunction(bare(d['init'])))
					boundNames(d['id']).forEach((name) => add(name, d));
			}
		}
	}

	const deviations = comments.flatMap((c) => {
		const match = /@deviation\s+(.*?)(?=\s@[a-z]+\b|$)/.exec(flat(c.value));
		return match ? [{ line: lineOf(c.start), text: match[1]! }] : [];
	});
	const imports = importsOf(path, program, lineOf);
	const constants = new Set(imports.filter(({ target }) => target === COMMITS_PATH)
		.flatMap(({ names }) => [...names.keys()].filter((name) => CONSTANT.test(name))));
	const header = comments.find((c) => c.type === 'Block');
	const first = (program['body'] as Node[])[0];
	return {
		path, text, program, comments, lineOf, functions, deviations,
		errors: result.errors.map((e) => ({
			line: lineOf(e.labels[0]?.start ?? 0), message: e.message })),
		imports,
		guards: guardsOf(program, text, comments, lineOf, constants),
		ports: header && (!first || header.end <= first.start) ? portsOf(header.value) : [],
	};
}

/** Every TypeScript file of the tree, parsed; declaration files are left out. */
export function parseTree(tree: Tree): Module[] {
	return [...tree].filter(([path]) => path.endsWith('.ts') && !path.endsWith('.d.ts'))
		.map(([path, text]) => parseModule(path, text));
}

/** Whether the rules for ports hold for it: it stands for a kernel file. */
export function isPort(module: Module): boolean {
	return ['mm', 'kvm'].includes(layerOf(module.path)) && module.ports.length > 0;
}

/* -- The commit table ------------------------------------------------------------------------- */

export interface CommitEntry {
	readonly name: string;
	readonly id: string;
	readonly release: string;
	readonly subject: string;
	readonly line: number;
}

/** The constants of src/lib/commits.ts: `NAME = commit(id, release, stable, subject)`. */
export function commitTable(modules: readonly Module[]): CommitEntry[] {
	const module = modules.find(({ path }) => path === COMMITS_PATH);
	if (!module)
		throw new Error(`no ${COMMITS_PATH}`);
	const entries: CommitEntry[] = [];
	for (const { declaration } of topDeclarations(module.program)) {
		if (declaration.type !== 'VariableDeclaration')
			continue;
		for (const d of declaration['declarations'] as Node[]) {
			const init: Node | null = d['init'];
			if (init?.type !== 'CallExpression' || init['callee']['name'] !== 'commit')
				continue;
			const [id, release, , subject] = init['arguments'] as Node[];
			entries.push({ name: d['id']['name'], id: id?.['value'],
				release: release?.['value'], subject: subject?.['value'],
				line: module.lineOf(d.start) });
		}
	}
	return entries;
}
