// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the code, as checks over a tree of files. Each check returns its findings, one line
 * each: `path:line: what is wrong`. test/tidy.test.ts runs them over the project.
 */
import { entries } from './entries.mjs';
import {
	bare, boundNames, COMMITS_PATH, commitTable,
	CONSTANT, isFunction, isPort, layerOf, parseTree,
	topDeclarations, walk, type CommitEntry, type Module, type Node, type Tree,
} from './source.ts';

export interface Project {
	readonly tree: Tree;
	readonly modules: readonly Module[];
	readonly byPath: ReadonlyMap<string, Module>;
}

export function project(tree: Tree): Project {
	const modules = parseTree(tree);
	return { tree, modules, byPath: new Map(modules.map((m) => [m.path, m])) };
}

const inSource = ({ path }: Module) => path.startsWith('src/');
const at = (module: Module, node: { readonly start: number }, message: string) =>
	`${module.path}:${module.lineOf(node.start)}: ${message}`;

/* -- Imports ---------------------------------------------------------------------------------- */

const LAYERS = ['lib', 'arch', 'mm', 'kvm', 'sim', 'oracle', 'cli'];
/* Layers that run wherever JavaScript does: nothing of node's. */
const PURE_LAYERS = ['lib', 'arch', 'mm', 'kvm'];
/* The layers in which everything is machine. */
const MACHINE_LAYERS = PURE_LAYERS;

function rankOf(path: string): number {
	return path === entries.api.source ? LAYERS.length - 1 : LAYERS.indexOf(layerOf(path));
}

/**
 * lib <- arch <- mm <- kvm <- sim <- oracle <- cli and index.ts; nothing in src imports from
 * outside.
 */
export function importDirection({ modules }: Project): string[] {
	const found: string[] = [];
	for (const module of modules.filter(inSource)) {
		const rank = rankOf(module.path);
		if (rank < 0) {
			found.push(`${module.path}:1: is in no layer (${LAYERS.join(', ')})`);
			continue;
		}
		for (const { target, specifier, line } of module.imports) {
			const where = `${module.path}:${line}: imports ${specifier}`;
			if (!target)
				continue;
			if (!target.startsWith('src/'))
				found.push(`${where}, outside src`);
			else if (rankOf(target) > rank)
				found.push(`${where}, to its right`);
		}
	}
	return found;
}

interface Manifest {
	readonly dependencies?: Readonly<Record<string, string>>;
	readonly devDependencies?: Readonly<Record<string, string>>;
}

function manifestOf({ tree }: Project): Manifest {
	return JSON.parse(tree.get('package.json') ?? '{}') as Manifest;
}

const packageOf = (specifier: string) =>
	specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/');

/** A relative import names its file with .ts; another one is a declared dependency or node's. */
export function importSpecifiers(project: Project): string[] {
	const { dependencies = {}, devDependencies = {} } = manifestOf(project);
	const found: string[] = [];
	for (const module of project.modules) {
		const layer = layerOf(module.path);
		const declared = inSource(module)
			? dependencies : { ...dependencies, ...devDependencies };
		for (const { specifier, target, line } of module.imports) {
			const where = `${module.path}:${line}: import of ${specifier}`;
			if (target) {
				if (!/\.(ts|mjs|json)$/.test(specifier))
					found.push(`${where}: has no .ts`);
				else if (!project.tree.has(target))
					found.push(`${where}: there is no such file`);
			} else if (specifier.startsWith('node:')) {
				if (PURE_LAYERS.includes(layer))
					found.push(`${where}: ${layer} uses nothing of node's`);
			} else if (!(packageOf(specifier) in declared)) {
				found.push(`${where}: not among the dependencies of package.json`);
			}
		}
	}
	return found;
}

/** Every package that is shipped for is imported. */
export function dependenciesUsed(project: Project): string[] {
	const used = new Set(project.modules.filter(inSource).flatMap(({ imports }) =>
		imports.map(({ specifier }) => packageOf(specifier))));
	return Object.keys(manifestOf(project).dependencies ?? {})
		.filter((name) => !used.has(name) && !isNamed(project, name))
		.map((name) => `package.json:1: dependency ${name} is imported nowhere in src`);
}

/* Whether a source names a package as it does where it is run and not imported. */
function isNamed({ modules }: Project, name: string): boolean {
	return modules.filter(inSource).some(({ text }) =>
		text.includes(`'${name}'`) || text.includes(`'${name}/package.json'`));
}

/** The src modules reached from a module by imports of values. */
function reach({ byPath }: Project, from: Module): Set<Module> {
	const reached = new Set<Module>();
	const todo = [from];
	for (let module = todo.pop(); module; module = todo.pop()) {
		for (const { target, typeOnly } of module.imports) {
			const next = typeOnly || !target ? undefined : byPath.get(target);
			if (next && !reached.has(next)) {
				reached.add(next);
				todo.push(next);
			}
		}
	}
	return reached;
}

function declaresFunction({ program }: Module, name: string): boolean {
	return topDeclarations(program).some(({ declaration }) =>
		declaration.type === 'FunctionDeclaration' && declaration['id']?.name === name);
}

/**
 * Modules that import one another run in an order that depends on who was imported first. Their
 * functions are there from the start, their values are not: what runs at load may use neither a
 * value of, nor call a function of, a module in the same circle.
 */
export function circularImports(project: Project): string[] {
	const found: string[] = [];
	const reached = new Map(
		project.modules.filter(inSource).map((m) => [m, reach(project, m)]));

	for (const [module, below] of reached) {
		if (!below.has(module))
			continue;
		const circle = new Map<string, { from: Module; name: string }>();
		for (const { target, typeOnly, names } of module.imports) {
			const from = target && !typeOnly ? project.byPath.get(target) : undefined;
			if (!from || !reached.get(from)?.has(module))
				continue;
			for (const [local, name] of names)
				circle.set(local, { from, name });
		}
		walk(module.program, (node, parents) => {
			if (isFunction(node) || node.type === 'ImportDeclaration')
				return false;
			if (node.type === 'PropertyDefinition' && !node['static'])
				return false;
			if (node.type.startsWith('TS') && bare(node) === node)
				return false;
			if (node.type !== 'Identifier' || !circle.has(node['name']))
				return true;
			const parent = parents.at(-1)!;
			const isKey = !parent['computed'] && !parent['shorthand'] &&
				(parent['property'] === node || parent['key'] === node);
			if (isKey || parent.type === 'ExportSpecifier')
				return true;
			const { from, name } = circle.get(node['name'])!;
			const called =
				parent.type === 'CallExpression' && parent['callee'] === node;
			if (called || !declaresFunction(from, name))
				found.push(at(module, node, `${name} of ${from.path}, which ` +
					'imports this file in turn, is used at load'));
			return true;
		});
	}
	return found;
}

/* -- Ports and their tags --------------------------------------------------------------------- */

const wordCount = (text: string) => text.split(/[^\w'()-]+/).filter(Boolean).length;
const REASON_WORDS_MIN = 3;
/**
 * What a @ported function may be whole "but for": what no machine here has, named in the header of
 * its file.
 */
const OUT_OF_SCOPE: readonly string[] = ['huge pages', 'hugetlb', 'KSM', 'device memory',
	'poisoned pages', 'userfaultfd', 'shrinkers', 'vmpressure', 'the soft limit',
	'hibernation'];

/** Every function of a port carries exactly one fidelity tag, with what the tag wants. */
export function fidelityTags({ modules }: Project): string[] {
	const found: string[] = [];
	for (const module of modules.filter(isPort)) {
		for (const { name, line, tags, description } of module.functions) {
			const where = `${module.path}:${line}: ${name}()`;
			const [tag] = tags;
			if (!tag) {
				found.push(`${where} has no @ported, @reduced, @custom or @stub`);
				continue;
			}
			if (tags.length > 1)
				found.push(`${where} has ${tags.length} fidelity tags`);
			if (tag.name === 'ported' && !tag.version)
				found.push(`${where}: @ported names no version`);
			const without = tag.name === 'ported'
				? /^but for (.+)$/.exec(tag.reason)?.[1] : undefined;
			for (const part of without?.split(/, | and /) ?? [])
				if (!OUT_OF_SCOPE.includes(part))
					found.push(`${where}: @ported but for ${part}, which is ` +
						`not out of scope; expected @reduced`);
			/* what our own function is may stand before its tag */
			const reason = tag.name === 'custom'
				? `${description} ${tag.reason}` : tag.reason;
			if ((tag.name === 'reduced' || tag.name === 'custom') &&
			    wordCount(reason) < REASON_WORDS_MIN)
				found.push(`${where}: @${tag.name} has no reason of a few words`);
		}
	}
	return found;
}

/** A header comment of src/mm and src/kvm is there to say which kernel file it is, or what else. */
export function headers({ modules }: Project): string[] {
	return modules.filter(({ path }) => ['mm', 'kvm'].includes(layerOf(path)))
		.filter(({ text }) => !/^\/\/ SPDX[^\n]*\n\/\*/.test(text))
		.map(({ path }) => `${path}:2: no header comment below the licence`);
}

/** The declaration (module and name) that a name used at a module's level stands for. */
function resolve(
	{ byPath }: Project, module: Module, name: string,
): { module: Module; name: string } | undefined {
	for (const { target, names } of module.imports) {
		const imported = names.get(name);
		if (imported === undefined)
			continue;
		const from = target ? byPath.get(target) : undefined;
		return from && { module: from, name: imported };
	}
	return { module, name };
}

/** Nothing refers to a function that is a @stub: it would be a wrong answer, not a missing one. */
export function stubsCalled(project: Project): string[] {
	const stubs = new Set(project.modules.filter(inSource).flatMap(({ path, functions }) =>
		functions.filter(({ tags }) => tags.some((tag) => tag.name === 'stub'))
			.map(({ name }) => `${path}:${name}`)));
	const found: string[] = [];
	if (!stubs.size)
		return found;
	for (const module of project.modules) {
		walk(module.program, (node, parents) => {
			if (node.type === 'ImportDeclaration' || node.type === 'ExportSpecifier')
				return false;
			if (node.type !== 'Identifier')
				return true;
			const name: string = node['name'];
			const parent = parents.at(-1)!;
			const member = parent.type === 'MemberExpression' && !parent['computed'] &&
				parent['property'] === node;
			const object = member && parent['object'].type === 'Identifier'
				? resolve(project, module, parent['object']['name']) : undefined;
			if (member && object?.name !== '*' || parent['id'] === node)
				return true;
			const meant = object ? { module: object.module, name }
				: resolve(project, module, name);
			if (meant && stubs.has(`${meant.module.path}:${meant.name}`) &&
			    !isShadowed(name, parents))
				found.push(at(module, node, `${name}() is a @stub, and used`));
			return true;
		});
	}
	return found;
}

/* -- History switches ------------------------------------------------------------------------- */

/** Where a commit's constant stands in a port, a comment gives the commit's id and release. */
export function guards({ modules }: Project): string[] {
	const table = new Map<string, CommitEntry>(commitTable(modules).map((c) => [c.name, c]));
	const found: string[] = [];
	for (const module of modules.filter(inSource)) {
		/* a list of commits is no guard, outside the ports */
		const ported = MACHINE_LAYERS.includes(layerOf(module.path));
		for (const { name, id, release, line } of module.guards) {
			const where = `${module.path}:${line}: ${name}`;
			const commit = table.get(name);
			if (!CONSTANT.test(name) || name === 'COMMITS')
				continue;
			if (!ported && id === undefined)
				continue;
			if (!commit)
				found.push(`${where}: no such commit in ${COMMITS_PATH}`);
			else if (id === undefined)
				found.push(`${where}: no /* ${commit.id}, ${commit.release} */`);
			else if (id !== commit.id || release !== commit.release)
				found.push(`${where}: says ${id}, ${release}; ` +
					`the table says ${commit.id}, ${commit.release}`);
		}
	}
	return found;
}

/** Every commit of the table is looked at somewhere, once in the table, with a well-formed id. */
export function commits({ modules }: Project): string[] {
	const table = commitTable(modules);
	const found: string[] = [];
	const used = new Set(modules.filter(inSource).filter(({ path }) => path !== COMMITS_PATH)
		.flatMap((module) => module.guards.map(({ name }) => name)));
	const seen = new Set<string>();
	for (const { name, id, release, line } of table) {
		const where = `${COMMITS_PATH}:${line}: ${name}`;
		if (!/^[0-9a-f]{12}$/.test(id))
			found.push(`${where}: ${id} is not 12 hexadecimal digits`);
		if (!/^v\d+(?:\.\d+){1,2}$/.test(release))
			found.push(`${where}: ${release} is not a release`);
		if (seen.has(id))
			found.push(`${where}: ${id} is in the table twice`);
		seen.add(id);
		if (!used.has(name))
			found.push(`${where}: named nowhere else, so it switches nothing`);
	}
	return found;
}

/* -- State ------------------------------------------------------------------------------------ */

/** Module-level values outside the arena that are no machine state; with why. */
export interface StateException {
	readonly file: string;
	readonly name: string;
	readonly reason: string;
}

const CONTAINERS = new Set(['Map', 'Set', 'WeakMap', 'WeakSet', 'Array', 'ArrayBuffer',
	'SharedArrayBuffer', 'Int8Array', 'Uint8Array', 'Uint8ClampedArray', 'Int16Array',
	'Uint16Array', 'Int32Array', 'Uint32Array', 'Float32Array', 'Float64Array',
	'BigInt64Array', 'BigUint64Array']);
/* Classes whose objects are handles of values in the arena. */
const ARENA_CLASSES = new Set(['Global']);
const MUTATORS = new Set(['push', 'pop', 'shift', 'unshift', 'splice', 'sort', 'reverse', 'fill',
	'copyWithin', 'set', 'add', 'delete', 'clear']);

/** Names declared by the statements of a block, not deeper. */
function blockNames(body: readonly Node[]): string[] {
	return body.flatMap((statement) => {
		if (statement.type === 'VariableDeclaration')
			return statement['declarations'].flatMap((d: Node) => boundNames(d['id']));
		return /^(Function|Class)Declaration$/.test(statement.type) && statement['id']
			? [statement['id']['name'] as string] : [];
	});
}

/** Whether a name, used below these nodes, means something nearer than the module's own. */
function isShadowed(name: string, parents: readonly Node[]): boolean {
	return parents.some((node) => {
		if (isFunction(node))
			return node['params'].flatMap(boundNames).includes(name);
		switch (node.type) {
		case 'BlockStatement':
			return blockNames(node['body']).includes(name);
		case 'SwitchStatement':
			return blockNames(node['cases'].flatMap((c: Node) => c['consequent']))
				.includes(name);
		case 'ForStatement':
			return node['init'] !== null && blockNames([node['init']]).includes(name);
		case 'ForOfStatement':
		case 'ForInStatement':
			return blockNames([node['left']]).includes(name);
		case 'CatchClause':
			return node['param'] !== null && boundNames(node['param']).includes(name);
		default:
			return false;
		}
	});
}

/** `a.b[c]` as root a and path b, *; undefined where the root is no name. */
function memberPath(node: Node): { root: Node; path: string[] } | undefined {
	const path: string[] = [];
	let here = bare(node);
	while (here.type === 'MemberExpression') {
		path.unshift(here['computed'] ? '*' : here['property']['name']);
		here = bare(here['object']);
	}
	return here.type === 'Identifier' ? { root: here, path } : undefined;
}

/** What a node changes in place: the container itself, as a member path. */
function mutated(node: Node): { root: Node; path: string[] }[] {
	const targets = (pattern: Node): Node[] => {
		switch (pattern.type) {
		case 'ArrayPattern':
			return pattern['elements'].flatMap((p: Node | null) => p ? targets(p) : []);
		case 'ObjectPattern':
			return pattern['properties'].flatMap((p: Node) =>
				targets(p.type === 'RestElement' ? p['argument'] : p['value']));
		case 'AssignmentPattern':
			return targets(pattern['left']);
		default:
			return [pattern];
		}
	};
	const holders = (places: Node[]) => places.flatMap((place) => {
		const member = memberPath(place);
		return member && member.path.length
			? [{ root: member.root, path: member.path.slice(0, -1) }] : [];
	});

	if (node.type === 'AssignmentExpression')
		return holders(targets(node['left']));
	if (node.type === 'UpdateExpression' ||
	    node.type === 'UnaryExpression' && node['operator'] === 'delete')
		return holders([node['argument']]);
	if (node.type !== 'CallExpression')
		return [];
	const callee = memberPath(node['callee']);
	const method = callee?.path.at(-1);
	if (!callee || method === undefined)
		return [];
	if (callee.root['name'] === 'Object' && /^(assign|defineProper)/.test(method)) {
		const whole = node['arguments'][0] && memberPath(node['arguments'][0]);
		return whole ? [whole] : [];
	}
	return MUTATORS.has(method) ? [{ root: callee.root, path: callee.path.slice(0, -1) }] : [];
}

/** `new Uint8Array(ram.buffer)`: another view of what is in the arena. */
function isView(construction: Node): boolean {
	return construction['arguments'][0]?.['property']?.['name'] === 'buffer';
}

/** Whether the value at `path` inside an initialiser is an object made there. */
function madeHere(init: Node | null | undefined, path: readonly string[]): boolean {
	if (!init)
		return false;
	const value = bare(init);
	const [key, ...rest] = path;
	switch (value.type) {
	case 'ObjectExpression':
		return key === undefined || value['properties'].some((p: Node) =>
			p.type === 'Property' && (key === '*' || p['computed'] ||
				(p['key']['name'] ?? p['key']['value']) === key) &&
			madeHere(p['value'], rest));
	case 'ArrayExpression':
		return key === undefined ||
			value['elements'].some((e: Node | null) => madeHere(e, rest));
	case 'NewExpression':
		return key === undefined && !ARENA_CLASSES.has(value['callee']['name']) &&
			!isView(value);
	case 'CallExpression': {
		const callee = memberPath(value['callee']);
		const name = callee && `${callee.root['name']}.${callee.path.join('.')}`;
		return key === undefined &&
			['Array.from', 'Array.of', 'Object.fromEntries', 'Object.create']
				.includes(name ?? '');
	}
	default:
		return isFunction(value) && key === undefined;
	}
}

/** The container that an initialiser makes by `new`, also in `new Array(n).fill(0)`. */
function newContainer(init: Node): string | undefined {
	let value = bare(init);
	while (value.type === 'CallExpression' && bare(value['callee']).type === 'MemberExpression')
		value = bare(bare(value['callee'])['object']);
	if (value.type !== 'NewExpression')
		return undefined;
	const name: string | undefined = value['callee']['name'];
	return name !== undefined && CONTAINERS.has(name) && !isView(value) ? name : undefined;
}

/** `out<V>`: a C function's out parameter, dead when the call's results are read. */
function isOut(id: Node): boolean {
	return id['typeAnnotation']?.['typeAnnotation']?.['typeName']?.['name'] === 'out';
}

/**
 * All of the machine lies in the arena. Outside it a module may hold nothing that changes after it
 * has loaded: no let, no container made by new, no literal that some function changes.
 */
export function stateOutsideArena(
	project: Project, exceptions: readonly StateException[],
): string[] {
	const found: string[] = [];
	const excused = new Set<string>();
	const allowed = new Set(exceptions.map(({ file, name }) => `${file}:${name}`));
	const reported = new Set<string>();
	const report = (owner: Module, name: string, where: string, message: string) => {
		const key = `${owner.path}:${name}`;
		if (allowed.has(key))
			excused.add(key);
		else if (!reported.has(key))
			found.push(`${where}: ${message}`);
		reported.add(key);
	};
	/* What could be changed: literals and functions, by file:name. */
	const values = new Map<string, { module: Module; init: Node }>();

	for (const module of project.modules) {
		if (!MACHINE_LAYERS.includes(layerOf(module.path)))
			continue;
		const line = (node: Node) => `${module.path}:${module.lineOf(node.start)}`;
		for (const { declaration } of topDeclarations(module.program)) {
			if (declaration.type === 'FunctionDeclaration' && declaration['id'])
				values.set(`${module.path}:${declaration['id']['name']}`,
					{ module, init: declaration });
			if (declaration.type === 'ClassDeclaration') {
				for (const member of declaration['body']['body'] as Node[]) {
					if (member.type === 'PropertyDefinition' &&
					    member['static'] && !member['readonly'])
						report(module, declaration['id']['name'],
							line(member), 'static field of a class');
				}
			}
			if (declaration.type !== 'VariableDeclaration')
				continue;
			for (const d of declaration['declarations'] as Node[]) {
				const name = boundNames(d['id']).join(', ');
				if (declaration['kind'] !== 'const') {
					report(module, name, line(d),
						`${declaration['kind']} ${name} at module level`);
					continue;
				}
				if (!d['init'] || isOut(d['id']))
					continue;
				const container = newContainer(d['init']);
				if (container)
					report(module, name, line(d),
						`${name} is a new ${container} at module level`);
				else if (d['id'].type === 'Identifier')
					values.set(`${module.path}:${name}`,
						{ module, init: d['init'] });
			}
		}
	}

	for (const module of project.modules.filter(inSource)) {
		const machine = MACHINE_LAYERS.includes(layerOf(module.path));
		walk(module.program, (node, parents) => {
			/* While a module loads, it may fill its constant tables. */
			if (!parents.some(isFunction))
				return;
			const where = `${module.path}:${module.lineOf(node.start)}`;
			for (const { root, path } of mutated(node)) {
				const name: string = root['name'];
				if (name === 'globalThis' && machine)
					report(module, name, where, 'changes globalThis');
				const meant = isShadowed(name, parents)
					? undefined : resolve(project, module, name);
				if (!meant)
					continue;
				/* table.name of `import * as table` */
				const inside = meant.name === '*' ? path.slice(1) : path;
				const named = meant.name === '*' ? path[0] ?? '*' : meant.name;
				const value = values.get(`${meant.module.path}:${named}`);
				if (value && madeHere(value.init, inside))
					report(meant.module, named, where,
						`changes ${[named, ...inside].join('.')} of ` +
						`${meant.module.path}, which is not in the arena`);
			}
		});
	}
	for (const { file, name, reason } of exceptions) {
		if (!excused.has(`${file}:${name}`))
			found.push(`${file}:1: ${name} needs no exception any more`);
		if (wordCount(reason) < REASON_WORDS_MIN)
			found.push(`${file}:1: the exception for ${name} gives no reason`);
	}
	return found;
}

/* -- Text ------------------------------------------------------------------------------------- */

const CODE = /(\.(ts|mjs|js|c|h|sh|litmus)|^\.ci\/run)$/;
const TEXT = /(\.(ts|mjs|js|c|h|sh|litmus|md|json|yml)|^\.ci\/run|^\.\w+(rc)?)$/;
const TAB_WIDTH = 8;
const COLUMNS_MAX = 100;

function columns(line: string): number {
	let width = 0;
	for (const char of line)
		width = char === '\t' ? (Math.floor(width / TAB_WIDTH) + 1) * TAB_WIDTH : width + 1;
	return width;
}

function* linesOf(tree: Tree, kind: RegExp): Generator<[where: string, line: string, at: string]> {
	for (const [path, text] of tree) {
		if (!kind.test(path))
			continue;
		for (const [i, line] of text.split('\n').entries())
			yield [`${path}:${i + 1}`, line, path];
	}
}

/** The licence is the first line of every TypeScript and JavaScript file. */
export function licences({ tree }: Project): string[] {
	return [...tree].filter(([path, text]) => /\.(ts|mjs)$/.test(path) &&
		!text.startsWith('// SPDX-License-Identifier: GPL-2.0-only\n'))
		.map(([path]) => `${path}:1: is not // SPDX-License-Identifier: GPL-2.0-only`);
}

/** At most 100 columns, a tab being 8. */
export function lineLength({ tree }: Project): string[] {
	return [...linesOf(tree, CODE)].filter(([, line]) => columns(line) > COLUMNS_MAX)
		.map(([where, line]) => `${where}: ${columns(line)} columns`);
}

/** No white space before the end of a line; a line end at the end of a file, and one only. */
export function whiteSpace({ tree }: Project): string[] {
	const found = [...linesOf(tree, TEXT)].filter(([, line]) => /\s$/.test(line))
		.map(([where]) => `${where}: white space at the end`);
	for (const [path, text] of tree) {
		if (TEXT.test(path) && text !== '' && !/[^\n]\n$/.test(text))
			found.push(`${path}:${text.split('\n').length}: ` +
				'does not end with one line end');
	}
	return found;
}

/* Written so that this file does not contain them. */
const BANNED = /\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b/;
const SKIPPED = /\b(it|test|describe|bench)\.(skip|only|todo|skipIf|runIf)\b/;

/** No work left for later, no test that does not run. */
export function bannedWords({ tree }: Project): string[] {
	const found: string[] = [];
	for (const [where, line, path] of linesOf(tree, CODE)) {
		const word = BANNED.exec(line) ??
			(path.endsWith('.ts') ? SKIPPED.exec(line) : null);
		if (word)
			found.push(`${where}: ${word[0]}`);
	}
	return found;
}

/** Only the command, the benchmarks and the tools print. */
export function printing({ modules }: Project): string[] {
	const found: string[] = [];
	for (const module of modules) {
		if (/^(src\/cli|bench|tools)\//.test(module.path))
			continue;
		walk(module.program, (node) => {
			if (node.type === 'MemberExpression' &&
			    node['object']['name'] === 'console')
				found.push(at(module, node, 'prints to the console'));
		});
	}
	return found;
}

/** Every file in src is reached from the command or the API. */
export function deadFiles(project: Project): string[] {
	const found: string[] = [];
	const live = new Set<string>();
	const visit = (path: string) => {
		const module = project.byPath.get(path);
		if (!module || live.has(path))
			return;
		live.add(path);
		for (const { target } of module.imports) {
			if (target)
				visit(target);
		}
	};
	for (const { source } of Object.values(entries)) {
		if (!project.byPath.has(source))
			found.push(`${source}:1: the entry point is missing`);
		visit(source);
	}
	for (const module of project.modules.filter(inSource)) {
		if (!live.has(module.path))
			found.push(`${module.path}:1: is imported by nothing that is shipped`);
	}
	return found;
}

/** Every file parses. */
export function syntax({ modules }: Project): string[] {
	return modules.flatMap(({ path, errors }) =>
		errors.map(({ line, message }) => `${path}:${line}: ${message}`));
}
