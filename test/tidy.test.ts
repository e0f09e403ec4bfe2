// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of the code, held against every file of the project: tools/tidy.ts says what each rule
 * is. Each check is also shown a small tree that breaks its rule, and must say where.
 */
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { fidelity, FIDELITY_PATH, listProblems } from '../tools/fidelity.ts';
import { readTree } from '../tools/source.ts';
import * as tidy from '../tools/tidy.ts';
import type { Project, StateException } from '../tools/tidy.ts';

const registers = 'a table of code, which modules add to while they load';
const local = 'a local of one kernel function, dead when it returns';
const result = 'the out parameters of one function, read right after it returns';
const layout = 'the layout of the arena itself, complete when the modules have loaded';

/* Module-level values that are no machine state though they change. */
const STATE_EXCEPTIONS: readonly StateException[] = [
	{ file: 'src/lib/arena.ts', name: 'names', reason: layout },
	{ file: 'src/lib/arena.ts', name: 'carved', reason: layout },
	{ file: 'src/lib/arena.ts', name: 'regions', reason: layout },
	{ file: 'src/lib/arena.ts', name: 'words', reason: 'a view of the arena itself' },
	{ file: 'src/lib/snapshot.ts', name: 'hashed', reason: layout },
	{ file: 'src/lib/struct.ts', name: 'tables', reason: layout },
	{ file: 'src/lib/commits.ts', name: 'table', reason: 'the constant table of commits, ' +
		'filled by its own module while it loads' },
	{ file: 'src/lib/commits.ts', name: 'asked', reason: 'what was asked for, of which ' +
		'nothing in the machine depends' },
	{ file: 'src/lib/trace.ts', name: 'traceHandler', reason: 'a place for one call, set ' +
		'and cleared around a run' },
	{ file: 'src/arch/tlb.ts', name: 'new_asid', reason: result },
	{ file: 'src/arch/tlb.ts', name: 'need_flush', reason: result },
	{ file: 'src/mm/mmu_notifier.ts', name: 'notifier_ops', reason: registers },
	{ file: 'src/mm/mmu_notifier.ts', name: 'interval_ops', reason: registers },
	{ file: 'src/mm/vm_ops.ts', name: 'table', reason: registers },
	{ file: 'src/mm/fs.ts', name: 'file_ops', reason: registers },
	{ file: 'src/kvm/kvm_main.ts', name: 'guest_word', reason: result },
	{ file: 'src/kvm/mmu.ts', name: 'map_writable', reason: result },
	{ file: 'src/kvm/mmu.ts', name: 'prefetched', reason: local },
	{ file: 'src/kvm/mmu.ts', name: 'old_spte', reason: result },
	{ file: 'src/kvm/spte.ts', name: 'spte_hi', reason: result },
	{ file: 'src/kvm/spte.ts', name: 'make_spte_ret', reason: result },
	{ file: 'src/kvm/x86.ts', name: 'running', reason: 'what the guest does with the bytes ' +
		'that it reaches, of one KVM_RUN; put back when it returns' },
	{ file: 'src/mm/memcontrol.ts', name: 'ug', reason: local },
	{ file: 'src/mm/memory.ts', name: 'rss_vec', reason: local },
	{ file: 'src/mm/mmap.ts', name: 'info', reason: local },
	{ file: 'src/mm/mmap.ts', name: 'link', reason: result },
	{ file: 'src/mm/mmu_gather.ts', name: 'batch_pages', reason: local },
	{ file: 'src/mm/swap_slots.ts', name: 'batch', reason: local },
	{ file: 'src/mm/swap_slots.ts', name: 'one', reason: local },
	{ file: 'src/mm/vmscan.ts', name: 'wbc', reason: local },
	{ file: 'src/mm/vmscan.ts', name: 'fraction', reason: local },
	{ file: 'src/mm/vmscan.ts', name: 'nr_zone_taken', reason: local },
	{ file: 'src/mm/vmscan.ts', name: 'zone_skipped', reason: local },
	{ file: 'src/mm/workingset.ts', name: 'unpacked', reason: result },
];

const tree = readTree(fileURLToPath(new URL('..', import.meta.url)));
const whole = tidy.project(tree);
const stateOutsideArena = (project: Project) =>
	tidy.stateOutsideArena(project, project === whole ? STATE_EXCEPTIONS : []);

const SPDX = '// SPDX-License-Identifier: GPL-2.0-only\n';
const PORT = `${SPDX}/*\n * mm/rmap.c, v5.10\n */\n`;
const COMMITS = `${SPDX}export const A_FIX = commit(\n` +
	"\t'0123456789ab', 'v5.11', undefined, 'mm: a fix');\n";
const MANIFEST = '{ "dependencies": { "used": "1" }, "devDependencies": { "dev": "1" } }';

interface Rule {
	readonly rule: string;
	readonly check: (project: Project) => string[];
	/** A tree that breaks the rule. */
	readonly broken: Readonly<Record<string, string>>;
	/** `path:line` of what the check must find, in order. */
	readonly places: readonly string[];
}

const rules: readonly Rule[] = [
	{
		rule: 'every file parses',
		check: tidy.syntax,
		broken: { 'src/lib/a.ts': `${SPDX}const = 1;\n` },
		places: ['src/lib/a.ts:2'],
	},
	{
		rule: 'imports point left: lib, arch, mm, kvm, sim, cli',
		check: tidy.importDirection,
		broken: {
			'src/lib/a.ts': `${SPDX}import { b } from '../mm/b.ts';\n`,
			'src/mm/b.ts': `${SPDX}import { a } from '../lib/a.ts';\n` +
				"import type { c } from '../kvm/c.ts';\n" +
				"export * from '../../test/t.ts';\n",
			'src/kvm/c.ts': `${SPDX}import { i } from '../index.ts';\n`,
			'src/index.ts': `${SPDX}import '../src/cli/main.ts';\n`,
			'src/other/d.ts': SPDX,
		},
		places: ['src/lib/a.ts:2', 'src/mm/b.ts:3', 'src/mm/b.ts:4', 'src/kvm/c.ts:2',
			'src/other/d.ts:1'],
	},
	{
		rule: 'an import is relative with .ts, or a declared dependency',
		check: tidy.importSpecifiers,
		broken: {
			'package.json': MANIFEST,
			'src/sim/a.ts': `${SPDX}import u from 'used/x';\nimport d from 'dev';\n` +
				"import n from '@not/declared';\n" +
				"import './b';\n" +
				"import './gone.ts';\n" +
				"import 'node:fs';\n",
			'src/lib/b.ts': `${SPDX}import 'node:fs';\n`,
			'test/a.test.ts': `${SPDX}import d from 'dev';\nimport n from 'not';\n`,
		},
		places: ['src/sim/a.ts:3', 'src/sim/a.ts:4', 'src/sim/a.ts:5', 'src/sim/a.ts:6',
			'src/lib/b.ts:2', 'test/a.test.ts:3'],
	},
	{
		rule: 'every dependency is used',
		check: tidy.dependenciesUsed,
		broken: { 'package.json': MANIFEST, 'test/a.test.ts': `${SPDX}import 'used';\n` },
		places: ['package.json:1'],
	},
	{
		rule: 'files that import one another use nothing of each other while they load',
		check: tidy.circularImports,
		broken: {
			'src/mm/a.ts': `${SPDX}import { b, f } from './b.ts';\n` +
				'export const a = b;\n' +
				'export const table = { f };\n' +
				'f();\n' +
				'export const g = () => b + f();\n',
			'src/mm/b.ts': `${SPDX}import { a } from './a.ts';\n` +
				`import { c } from './c.ts';\n` +
				'export const b = c;\nexport function f() {\n\treturn a;\n}\n',
			'src/mm/c.ts': `${SPDX}import type { a } from './a.ts';\n` +
				'export const c = 1;\n',
		},
		places: ['src/mm/a.ts:3', 'src/mm/a.ts:5'],
	},
	{
		rule: 'the licence is the first line of every source file',
		check: tidy.licences,
		broken: { 'src/lib/a.ts': SPDX, 'src/lib/b.ts': `\n${SPDX}`, 'tools/c.mjs': '' },
		places: ['src/lib/b.ts:1', 'tools/c.mjs:1'],
	},
	{
		rule: 'every file of src/mm and src/kvm has a header comment',
		check: tidy.headers,
		broken: { 'src/mm/a.ts': PORT, 'src/kvm/b.ts': `${SPDX}export {};\n` },
		places: ['src/kvm/b.ts:2'],
	},
	{
		rule: 'every function of a port has one fidelity tag, and its reason',
		check: tidy.fidelityTags,
		broken: {
			'src/mm/a.ts': `${PORT}/** @ported v5.10 static */\nfunction good() {}\n` +
				'function untagged() {}\n' +
				'/** @ported v5.10 @custom ours, in its place */\n' +
				'export function two() {}\n' +
				'/** @ported */\nconst noVersion = () => 0;\n' +
				'/** @reduced v5.10 mm/b.c:b() */\nfunction noReason() {}\n' +
				'/** @reduced huge pages, which are not modelled */\n' +
				'function reason() {}\n' +
				'/** @custom */\nfunction ours() {}\n' +
				'/** @ported v5.10 */\n\nconst x = 1;\nfunction farAway() {}\n' +
				'/** @ported v5.10; but for huge pages and KSM */\n' +
				'function inScope() {}\n' +
				'/** @ported v5.10; but for KSM and the hard part */\n' +
				'function tooMuch() {}\n',
			'src/mm/b.ts': `${SPDX}/* Ours alone. */\nfunction free() {}\n`,
		},
		places: ['src/mm/a.ts:7', 'src/mm/a.ts:9', 'src/mm/a.ts:11', 'src/mm/a.ts:13',
			'src/mm/a.ts:17', 'src/mm/a.ts:21', 'src/mm/a.ts:25'],
	},
	{
		rule: 'nothing uses a @stub',
		check: tidy.stubsCalled,
		broken: {
			'src/mm/a.ts': `${PORT}/** @stub */\nexport function s() {}\n` +
				'/** @stub */\nexport function unused() {}\n',
			'src/mm/b.ts': `${PORT}import { s as t, unused } from './a.ts';\n` +
				"import * as a from './a.ts';\nexport const f = () => t();\n" +
				'export const g = () => a.s();\n' +
				'export const h = (t: number) => t;\n',
		},
		places: ['src/mm/b.ts:7', 'src/mm/b.ts:8'],
	},
	{
		rule: 'a history switch in a port names a commit, with its id and release',
		check: tidy.guards,
		broken: {
			'src/lib/commits.ts': COMMITS,
			'src/mm/a.ts': PORT +
				"import { applied, A_FIX, NO_FIX } from '../lib/commits.ts';\n" +
				'applied(A_FIX /* 0123456789ab, v5.11 */);\napplied(A_FIX);\n' +
				'applied(A_FIX /* 0123456789ac, v5.11 */);\n' +
				'applied(A_FIX /* 0123456789ab, v5.12 */);\n' +
				'applied(NO_FIX /* 0123456789ab, v5.11 */);\n' +
				'const table = [{ commit: A_FIX }, ' +
				'{ commit: A_FIX /* 0123456789ab, v5.11 */ }];\n' +
				'applied(\n\tA_FIX\n\t/* 0123456789ab, v5.11 */);\n',
		},
		places: ['src/mm/a.ts:7', 'src/mm/a.ts:8', 'src/mm/a.ts:9', 'src/mm/a.ts:10',
			'src/mm/a.ts:11'],
	},
	{
		rule: 'every commit is well formed, in the table once, and switches something',
		check: tidy.commits,
		broken: {
			'src/lib/commits.ts': COMMITS +
				"export const B = commit('xyz', 'v5.11', undefined, '');\n" +
				"export const C = commit('0123456789ab', '5.11', undefined, '');\n",
			'src/mm/a.ts': PORT +
				"import { applied, A_FIX, B } from '../lib/commits.ts';\n" +
				'applied(A_FIX /* 0123456789ab, v5.11 */);\napplied(B);\n',
		},
		places: ['src/lib/commits.ts:4', 'src/lib/commits.ts:5', 'src/lib/commits.ts:5',
			'src/lib/commits.ts:5'],
	},
	{
		rule: 'all machine state is in the arena',
		check: stateOutsideArena,
		broken: {
			'src/lib/a.ts': `${SPDX}let n = 0;\nexport const map = new Map();\n` +
				'const list: number[] = [];\n' +
				'export const shared = { a: 0, deep: { b: [0] } };\n' +
				'const constant = [1, 2];\n' +
				'const filled: number[] = [];\n' +
				'filled.push(1);\n' +
				'const v: out<number> = { v: 0 };\n' +
				'const words = new Int32Array(4).fill(0);\n' +
				'const view = new Uint8Array(words.buffer);\n' +
				'const cache: number[] = [];\n' +
				'export function f(constant: number[]) {\n' +
				'\tlist.push(n);\n' +
				'\tv.v = 1;\n' +
				'\tconstant[0] = 1;\n\tview[0] = 1;\n}\n' +
				'export const g = () => { [cache[0]] = [1]; };\nf.calls = 0;\n' +
				'class K {\n\tstatic n = 0;\n\tstatic readonly m = 0;\n}\n' +
				'export const scratch = new K();\n',
			'src/sim/b.ts': SPDX +
				"import { map, shared, scratch as s } from '../lib/a.ts';\n" +
				"import * as a from '../lib/a.ts';\nexport function f() {\n" +
				'\tshared.deep.b[0]++;\n\ts.x = 1;\n\ta.shared.a = 1;\n}\n' +
				'let fine = new Map([[map, 1]]);\n',
			'src/mm/c.ts': `${PORT}import { f } from '../lib/a.ts';\n` +
				'export const h = () => { delete f.calls; ' +
				'Object.assign(h, {}); };\n',
		},
		places: ['src/lib/a.ts:2', 'src/lib/a.ts:3', 'src/lib/a.ts:10', 'src/lib/a.ts:22',
			'src/lib/a.ts:14', 'src/lib/a.ts:19', 'src/sim/b.ts:5', 'src/sim/b.ts:6',
			'src/mm/c.ts:6', 'src/mm/c.ts:6'],
	},
	{
		rule: 'a line has at most 100 columns, with tabs of 8',
		check: tidy.lineLength,
		broken: {
			'src/lib/a.ts': `\t${'x'.repeat(92)}\n` +
				`\t${'x'.repeat(93)}\n` +
				`${'é'.repeat(100)}\n`,
			'test/litmus/a.litmus': `${'x'.repeat(101)}\n`,
			'README.md': `${'x'.repeat(200)}\n`,
		},
		places: ['src/lib/a.ts:2', 'test/litmus/a.litmus:1'],
	},
	{
		rule: 'no white space at the end of a line; one line end at the end of a file',
		check: tidy.whiteSpace,
		broken: {
			'src/lib/a.ts': 'x \n\ty\n', 'README.md': 'x\r\n', '.ci/run': 'x',
			'tools/a.sh': 'x\n\n', 'test/oracle/recordings/a.txt': 'x \n',
		},
		places: ['src/lib/a.ts:1', 'README.md:1', '.ci/run:1', 'tools/a.sh:3'],
	},
	{
		rule: 'nothing is left for later, no test is left out',
		check: tidy.bannedWords,
		broken: {
			'src/lib/a.ts': `// ${'TO'}DO: more\n` +
				`const ${'FIX'}ME = 1;\n` +
				`const PREFIX${'X'}XX = 1;\n`,
			'test/a.test.ts': `${'test'}.skip('x', () => {});\n` +
				`${'describe'}.only('x');\n`,
		},
		places: ['src/lib/a.ts:1', 'src/lib/a.ts:2',
			'test/a.test.ts:1', 'test/a.test.ts:2'],
	},
	{
		rule: 'only the command, the benchmarks and the tools print',
		check: tidy.printing,
		broken: {
			'src/mm/a.ts': "console.log('x');\n", 'src/cli/b.ts': "console.log('x');\n",
			'bench/c.ts': "console.log('x');\n",
			'test/d.test.ts': "\nconsole.error('x');\n",
		},
		places: ['src/mm/a.ts:1', 'test/d.test.ts:2'],
	},
	{
		rule: 'every source file is reached from the command or the API',
		check: tidy.deadFiles,
		broken: {
			'src/index.ts': "export * from './sim/a.ts';\n",
			'src/sim/a.ts': "new Worker(new URL('./b.ts', import.meta.url));\n",
			'src/sim/b.ts': "await import('./c.ts');\n", 'src/sim/c.ts': '',
			'src/sim/d.ts': "import './e.ts';\n", 'src/sim/e.ts': '',
			'test/a.test.ts': "import '../src/sim/d.ts';\n",
		},
		places: ['src/cli/start.ts:1', 'src/cli/main.ts:1', 'src/cli/patched.ts:1',
			'src/sim/d.ts:1', 'src/sim/e.ts:1'],
	},
];

const byRule = rules.map((rule) => [rule.rule, rule] as const);
const placesOf = (findings: readonly string[]) =>
	findings.map((finding) => finding.slice(0, finding.indexOf(': ')));

describe('the project', () => {
	test.each(byRule)('%s', (_, { check }) => {
		expect(check(whole)).toEqual([]);
	});

	test('the functions that are left out are known, are not here, and have a reason', () => {
		expect(listProblems(tree)).toEqual([]);
	});

	test('FIDELITY.md is what `npm run fidelity` makes', () => {
		expect(tree.get(FIDELITY_PATH)).toBe(fidelity(tree));
	});
});

describe('the check sees a breach', () => {
	test.each(byRule)('%s', (_, { check, broken, places }) => {
		const findings = check(tidy.project(new Map(Object.entries(broken))));
		expect(placesOf(findings)).toEqual(places);
	});

	test('an exception for state that is gone, or without a reason, is a finding', () => {
		const project = tidy.project(new Map([['src/lib/a.ts', `${SPDX}let n = 0;\n`]]));
		const file = 'src/lib/a.ts';
		expect(tidy.stateOutsideArena(project, [{ file, name: 'n', reason: local }]))
			.toEqual([]);
		expect(tidy.stateOutsideArena(project, [{ file, name: 'n', reason: 'because' }]))
			.toHaveLength(1);
		expect(tidy.stateOutsideArena(project, [
			{ file, name: 'n', reason: local }, { file, name: 'gone', reason: local },
		])).toHaveLength(1);
	});

	test('a left-out function that is unknown, is here, or has no reason', () => {
		const problems = listProblems(new Map([
			['tools/kernel-functions.json', '{ "mm/rmap.c": ["here", "gone"] }'],
			['tools/left-out.json', '{ "mm/rmap.c": { "here": "is not needed here",' +
				' "gone": "why", "unknown": "is not needed here" } }'],
			['src/mm/a.ts', `${PORT}/** @ported v5.10 */\nfunction here() {}\n`],
		]));
		expect(problems).toHaveLength(3);
	});
});

describe('how much of reclaim is whole', () => {
	const leftOut = JSON.parse(tree.get('tools/left-out.json')!) as
		Record<string, Record<string, string>>;
	const known = JSON.parse(tree.get('tools/kernel-functions.json')!) as
		Record<string, readonly string[]>;
	const tags = new Map(whole.modules
		.filter(({ path }) => /^src\/mm\/(?:rmap|vmscan)\.ts$/.test(path))
		.flatMap(({ functions }) => functions.map(({ name, tags: [tag] }) =>
			[name, tag?.name] as const)));

	/* at least 95 of 100 of the functions within scope, and none that only stands there */
	test.each(['mm/rmap.c', 'mm/vmscan.c'])('of %s', (file) => {
		const inScope = known[file]!.filter((name) => !leftOut[file]![name]);
		const ported = inScope.filter((name) => tags.get(name) === 'ported');
		expect(inScope.filter((name) => !tags.has(name) || tags.get(name) === 'stub'))
			.toEqual([]);
		expect(ported.length / inScope.length).toBeGreaterThanOrEqual(0.95);
	});
});

describe('FIDELITY.md', () => {
	const text = fidelity(new Map([
		['tools/kernel-functions.json',
			'{ "mm/rmap.c": ["first", "second", "third", "fourth"] }'],
		['tools/left-out.json', '{ "mm/rmap.c": { "third": "nothing | calls it" } }'],
		['docs/deviations.md', 'A hand-written one.\n'],
		['src/lib/commits.ts', COMMITS],
		['src/mm/rmap.ts', `${PORT}/**\n` +
			' * @reduced without huge\n' +
			' *   pages, none is here\n' +
			' */\n' +
			'export function second() {}\n' +
			'\n' +
			'/** @ported v5.10 */\n' +
			'function first() {}\n' +
			'/** @ported v5.10 include/linux/rmap.h:their_name() */\n' +
			'function ourName() {}\n' +
			'/**\n' +
			' * Ours.\n' +
			' * @custom in place of a lock\n' +
			' * @deviation counts twice\n' +
			' */\n' +
			'const extra = () => applied(A_FIX /* 0123456789ab, v5.11 */);\n' +
			"import { A_FIX } from '../lib/commits.ts';\n"],
	]));

	test.each([
		['functions in the order of the kernel file, with tag, place and reason',
			'| `first()` | ported | [src/mm/rmap.ts:12](src/mm/rmap.ts#L12) |  |\n' +
			'| `second()` | reduced | [src/mm/rmap.ts:9](src/mm/rmap.ts#L9) ' +
			'| without huge pages, none is here |\n' +
			String.raw`| ${'`third()`'} | left out |  | nothing \| calls it |` + '\n' +
			'| `fourth()` | **missing** |  |  |\n' +
			'| `extra()` | custom | [src/mm/rmap.ts:20](src/mm/rmap.ts#L20) ' +
			'| in place of a lock |\n'],
		['a function of another file, under the name it has there',
			'### include/linux/rmap.h\n\n| Function | Tag | Here | What differs |\n' +
			'| --- | --- | --- | --- |\n| `their_name()` | ported | ' +
			'[src/mm/rmap.ts:14](src/mm/rmap.ts#L14) | as `ourName()`. |\n'],
		['counts by file', '| mm/rmap.c | 1 | 1 | 1 | 0 | 0 | 1 | 1 |\n'],
		['deviations, tagged and written',
			'- [src/mm/rmap.ts:15](src/mm/rmap.ts#L15): counts twice\n' +
			'\n' +
			'A hand-written one.\n'],
		['history, with the places of each switch',
			'| `0123456789ab` | v5.11 | mm: a fix | ' +
			'[src/mm/rmap.ts:20](src/mm/rmap.ts#L20) |\n'],
	])('%s', (_, part) => {
		expect(text).toContain(part);
	});
});
