// SPDX-License-Identifier: GPL-2.0-only
/*
 * The litmus language: what is wrong with a program is said with its line and column, what was
 * expected there, and the nearest word that would have been right.
 */
import { describe, expect, test } from 'vitest';
import { RAM_BYTES_MAX } from '../../src/lib/arena.ts';
import { findCommit } from '../../src/sim/kernels.ts';
import { boot } from '../../src/sim/machine.ts';
import { MEMORY_STAT_KEYS } from '../../src/sim/litmus/knobs.ts';
import { SOURCE_BYTES_MAX, STATEMENTS_MAX, parseLitmus } from '../../src/sim/litmus/parser.ts';
import { LitmusError } from '../../src/sim/litmus/source.ts';

const FILE = 'p.litmus';

function wrong(source: string | Uint8Array): LitmusError {
	try {
		parseLitmus(source, FILE);
	} catch (error) {
		if (error instanceof LitmusError)
			return error;
		throw error;
	}
	throw new Error('the program is right');
}

/* A task with a mapping of 8 pages, on lines 1 and 2. */
const A = 'task a\na: m = mmap anon 8 rw private\n';

/* source, line, column, what the message has in it (all of them) */
const cases: [name: string, source: string, line: number, column: number, ...says: string[]][] = [
	['no statement', 'foo', 1, 1, "'foo' is no statement"],
	['a misspelt statement', 'cgruop A', 1, 1, "did you mean 'cgroup'?"],
	['another case', 'Drain', 1, 1, "did you mean 'drain'?"],
	['a statement after blanks', '\t  shwo m', 1, 4, "did you mean 'show'?"],
	["a task's statement without a task", 'read m', 1, 1, "expected 'TASK: read ...'"],
	["a misspelt task's statement", `${A}a: raed m`, 3, 4, "did you mean 'read'?"],
	['no blank after the task', `${A}a:read m`, 3, 1, "expected 'a: read ...'"],
	['nothing after the task', `${A}a:`, 3, 3, 'the line ends here'],
	['a task that is not there', 'b: read m', 1, 1, "expected a 'task NAME' before"],
	['a misspelt task', 'task worker\nwroker: exit', 2, 1, "did you mean 'worker'?"],
	['a task that has exited', `${A}a: exit\na: read m`, 4, 1, "task 'a' does not exist"],
	['a task twice', 'task a\ntask a', 2, 6, 'exists already'],
	['a task named as a statement', 'task at', 1, 6, 'a word of the language'],
	['a task called init', 'task init', 1, 6, 'a word of the language'],
	['a name with a digit first', 'task 1a', 1, 6, "'1a' is no name", 'expected a letter'],
	['a name that is too long', 'task a234567890123456', 1, 6, 'at most 15'],
	['a task in no cgroup', 'task a cgroup=A', 1, 8, "expected a 'cgroup NAME' before"],
	['a task in a misspelt cgroup', 'cgroup work\ntask a cgroup=wrok', 2, 8,
		"did you mean 'work'?"],
	['a strange setting of a task', 'cgroup A\ntask a A', 2, 8, 'expected cgroup=PATH'],
	['a word too much', 'cgroup A B', 1, 10, "'B' is too much"],
	['a cgroup twice', 'cgroup A\ncgroup A', 2, 8, 'exists already'],
	['a cgroup without its parent', 'cgroup A/B', 1, 8, "expected 'cgroup A' before"],
	['a cgroup path with an empty part', 'cgroup A//B', 1, 8, 'is no cgroup path'],
	['a cgroup that is too deep', 'cgroup a/a/a/a/a/a/a/a/a', 1, 8, 'at most 8 levels'],
	['rmdir of a parent', 'cgroup A\ncgroup A/B\nrmdir A', 3, 7, 'has children'],
	['a cgroup after rmdir', 'cgroup A\nrmdir A\nreclaim A 1', 3, 9,
	"cgroup 'A' does not exist"],
	['a guard before a declaration', '[+013339df116c] cgroup A', 1, 24, 'under a guard'],
	['a file that is a memfd', 'memfd f 8\ntask a\na: pread f', 3, 10,
		"file 'f' does not exist", "expected a 'file NAME PAGES' before"],
	['a misspelt file', 'file data 8\nfsync dta', 2, 7, "did you mean 'data'?"],
	['a file twice', 'memfd f 8\nfile f 8', 2, 6, 'exists already'],
	['a part of a file beyond its end', 'file f 8\nshow f[4..8]', 2, 6,
		"not within f's 8 pages"],
	['a file that is descending', 'file f 8\ntask a\na: pread f[4..2]', 3, 10,
		'the lower first'],
	['files that are too large together', 'file f 14000\nfile g 1001', 2, 8,
		'at most 15000'],
	['files where swap takes all', 'machine swap=4G\nfile f 1', 2, 8, 'less swap'],
	['a truncate that grows', 'file f 8\ntruncate f 9', 2, 12, '0 to 8'],
	['an unknown advice about a file', 'file f 8\ntask a\na: fadvise f dontned', 3, 14,
		"did you mean 'dontneed'?"],
	['a property of a file', 'file f 8\nexpect f present=8', 2, 10, 'expected cached'],
	['more of a file in memory than it has', 'file f 8\nexpect f cached=9', 2, 10,
		'expected at most so many'],
	['a swap device without a size', 'swapon s', 1, 9, 'expected its size'],
	['a swap device of no size', 'swapon s 4095', 1, 10, 'in steps of 4K'],
	['a swap device that is on', 'swapon swap', 1, 8, 'is on already'],
	['a swap device that is off', 'swapoff swap\nswapoff swap', 2, 9, 'is off already'],
	['a swap device that the machine has not', 'machine swap=0\nswapoff swap', 2, 9,
		"swap device 'swap' does not exist"],
	['a third swap device', 'swapon s 1M\nswapon t 1M\nswapon u 1M', 3, 8, 'at most 2'],
	['a priority that is too high', 'swapon s 1M prio=32768', 1, 13, 'prio=32767'],
	['a flag of mlockall', 'task a\na: mlockall now', 2, 13, 'current, future or onfault'],
	['a flag of mlockall twice', 'task a\na: mlockall future future', 2, 20, 'each once'],
	['a node that is not there', `${A}a: migrate m 1`, 3, 14, '0 to 0'],
	['mremap in place and elsewhere', `${A}a: mremap m 8 inplace at=0x100000`, 3, 23,
		'inplace alone'],
	['dontunmap of another size', `${A}a: mremap m 9 dontunmap`, 3, 15, 'as many pages'],
	['a file of a task that is not there', 'cat /proc/b/smaps', 1, 5,
		"task 'b' does not exist"],
	['an unknown file of a task', 'task a\ncat /proc/a/smap', 2, 5, "did you mean 'smaps'?"],
	['an io that is neither', 'machine io=soon', 1, 9, 'io=now or io=later'],
	['a guard before a task', '[+013339df116c] task a', 1, 17, "'task' under a guard"],
	['machine not first', 'drain\nmachine ram=64M', 2, 1, 'expected it once, first'],
	['machine twice', 'machine ram=64M\nmachine ram=64M', 2, 1, 'once, first'],
	['machine under a guard', '[-013339df116c] machine', 1, 17, 'cannot have a guard'],
	['a misspelt setting', 'machine cpu=2', 1, 9, "did you mean 'cpus'?"],
	['a setting twice', 'machine cpus=1 cpus=2', 1, 16, 'set twice'],
	['too little RAM', 'machine ram=1M', 1, 9, `2M to ${RAM_BYTES_MAX / 1048576}M`],
	['RAM that is no number', 'machine ram=lots', 1, 9, 'expected ram='],
	['half a page of swap', 'machine swap=2048', 1, 9, 'in steps of 4K'],
	['no CPU', 'machine cpus=0', 1, 9, 'expected cpus= 1 to 32'],
	['a memfd twice', 'memfd f 1\nmemfd f 1', 2, 7, 'exists already'],
	['a memfd without pages', 'memfd f', 1, 8, 'the line ends here; expected a number'],
	['a memfd of no pages', 'memfd f 0', 1, 9, 'expected a number from 1'],
	['a negative number', 'memfd f -1', 1, 9, "'-1' stands here"],
	['a closed memfd', 'memfd f 1\nclose f\ntask a\na: m = mmap f 1 r shared', 4, 13,
		"memfd 'f' does not exist"],
	['a mapping beyond its file', 'memfd f 4\ntask a\na: m = mmap f 8 r shared', 3, 13,
		'has 4 pages, not 8'],
	['an offset beyond the file', 'memfd f 4\ntask a\na: m = mmap f 4 r shared offset=1', 3, 13,
		'has 4 pages, not 5'],
	['an offset of anonymous memory', 'task a\na: m = mmap anon 4 r shared offset=1', 2, 13,
		'of a memfd or file only'],
	['a protection', 'task a\na: m = mmap anon 4 wr shared', 2, 20, 'expected r, rw, rx'],
	['neither shared nor private', 'task a\na: m = mmap anon 4 rw', 2, 22,
		"expected 'shared' or 'private'"],
	['an address between pages', 'task a\na: m = mmap anon 4 rw shared at=0x10001', 2, 30,
		'page-aligned'],
	['a mapping twice', `${A}a: m = mmap anon 8 rw private`, 3, 4, 'exists already'],
	['a mapping called value', 'task a\na: value = mmap anon 8 rw private', 2, 4,
		'a word of the language'],
	['a mapping that is not there', `${A}show n`, 3, 6, 'no task has a mapping n', 'expected m',
		"did you mean 'm'?"],
	['a mapping of several tasks', `${A}task b\nb: m = mmap anon 8 rw private\nshow m`, 5, 6,
		'expected a.m or b.m'],
	['an unmapped mapping', `${A}a: munmap m\na: read m`, 4, 9, 'a has no mapping m'],
	["another task's mapping", `${A}task b\nb: read a.m`, 4, 9, 'belongs to a'],
	['a page beyond the mapping', `${A}show m[8]`, 3, 6, "beyond m's 8 pages",
	'expected 0 to 7'],
	['a range beyond the mapping', `${A}show a.m[0..8]`, 3, 6, 'page 8 is beyond'],
	['a page number without end', `${A}show m[${'9'.repeat(400)}]`, 3, 6, 'beyond'],
	['a descending range', `${A}show m[3..1]`, 3, 6, 'is descending'],
	['half a range', `${A}show m[3..`, 3, 6, 'is no range of pages'],
	['part of a mapping to mremap', `${A}a: mremap m[0..3] 4`, 3, 11,
	'expected the whole mapping m'],
	['a page gone by mremap', `${A}a: mremap m 4\nshow m[5]`, 4, 6, "beyond m's 4 pages"],
	['an advice', `${A}a: madvise m wilneed`, 3, 14, "did you mean 'willneed'?"],
	['a byte', `${A}a: write m 256`, 3, 12, 'from 0 to 255'],
	['clear_refs of what', `${A}a: clear_refs 6`, 3, 15, 'from 1 to 5'],
	['an unknown knob', 'vm.swapiness = 10', 1, 1, "did you mean 'vm.swappiness'?"],
	['an unknown knob of a cgroup', 'cgroup A\nA/memory.hihg = 1', 2, 1,
		"did you mean 'memory.high'?"],
	['a file that only is read', 'cgroup A\nA/memory.current = 1', 2, 1,
	'is no knob of a cgroup'],
	['a knob of no cgroup', 'A/memory.high = 1', 1, 1, "cgroup 'A' does not exist"],
	['a knob without blanks', 'vm.swappiness=10', 1, 1, "expected 'vm.swappiness = 10'"],
	['a knob without a value', 'vm.swappiness =', 1, 16, 'expected a value'],
	['a knob alone', 'vm.swappiness', 1, 1, "expected 'vm.swappiness = VALUE'"],
	['a number that is none', 'vm.swappiness = much', 1, 17, 'expected a number'],
	['a limit that is none', 'cgroup A\nA/memory.max = 64Q', 2, 16, "or 'max'"],
	['a file to read', 'cat /proc/vmstta', 1, 5, "did you mean '/proc/vmstat'?"],
	['a key of memory.stat', 'cgroup A\nstat A pgscann', 2, 8, "did you mean 'pgscan'?"],
	['a key of memory.stat to expect', 'cgroup A\nexpect stat A pgscann=1', 2, 15,
		"did you mean 'pgscan'?"],
	['nothing to expect', 'expect', 1, 7, 'expected what is expected'],
	['a property of pages', `${A}expect m presnet=8`, 3, 10, "did you mean 'present'?"],
	['a property of pages as a flag', `${A}expect m !actve`, 3, 10, "did you mean 'active'?"],
	['a property twice', `${A}expect m present=1 present=2`, 3, 20, 'stands twice'],
	['a count that never can be', `${A}expect m[0..3] present=5`, 3, 16, 'at most 4'],
	['a count without a number', `${A}expect m present=x`, 3, 10, 'expected key=number'],
	['a value without =', `${A}expect value m 7`, 3, 16, "expected '='"],
	['an errno', `${A}expect errno EAGIAN`, 3, 14, "did you mean 'EAGAIN'?"],
	['a number of a trace line', 'expect trace nr_unmap_fial=1', 1, 14,
		"did you mean 'nr_unmap_fail'?"],
	['a number of several events', 'expect trace nr_scanned=1', 1, 14, 'several events have',
		'lru_isolate or lru_shrink_inactive'],
	['an event', 'expect trace lru_isolat nr_taken=1', 1, 14, "did you mean 'lru_isolate'?"],
	['a scheduling point', `${A}at page_refrenced.return: a: read m`, 3, 4,
		"did you mean 'page_referenced.return'?"],
	['a point about no page', `${A}at try_to_unmap_flush m: a: read m`, 3, 23,
		'about no one page'],
	['a hook without a body', `${A}at handle_pte_fault m`, 3, 22, "expected ':'"],
	['a hook that declares', `${A}at handle_pte_fault: a: n = mmap anon 1 r shared`, 3, 25,
		'declares a name'],
	['a hook without a task', `${A}at handle_pte_fault: drain`, 3, 22,
	"expected a task's statement"],
	['a hook in a hook', `${A}at handle_pte_fault: at handle_pte_fault: a: read m`, 3, 22,
		"expected a task's statement"],
	['a commit', `[+013339df116d] drain`, 1, 1, 'is not modelled', '013339df116c'],
	['a commit with few digits', '[+0133] drain', 1, 1, '7 to 40 hexadecimal digits'],
	['a commit twice', '[+013339df116c -013339df116c] drain', 1, 16, 'in the guard already'],
	['a guard without end', '[+013339df116c drain', 1, 16, "'drain' is no guard"],
	['a guard alone', '[+013339df116c]', 1, 16, 'expected a statement'],
	['a secondary MMU', 'notifiers v', 1, 11, 'is no secondary MMU'],
	['a tab as a column', 'task a\n\t\ta: exit now', 2, 11, "'now' is too much"],
	['a continued line', 'cgroup A\ntask a \\\n\tcgroup=B', 3, 2, "cgroup 'B' does not exist"],
	['nothing to continue with', 'drain \\', 1, 7, 'no line follows'],
	['text that is not ASCII', 'task \u00e4', 1, 6, 'U+00E4', 'plain ASCII outside comments'],
	['a control character', 'drain\u0007', 1, 6, 'U+0007'],
	['a control character in a comment', 'drain # \u00e4\u001b[31m', 1, 10, 'U+001B',
		'no control characters'],
	['half a character', 'drain # \ud800', 1, 9, 'U+D800'],
	['CR alone', 'drain\rdrain', 1, 6, 'U+000D'],
];

describe('a wrong program', () => {
	test.each(cases)('%s', (_name, source, line, column, ...says) => {
		const error = wrong(source);

		expect(error.message).toMatch(new RegExp(`^p\\.litmus:${line}:${column}: `));
		expect(error.message).toMatch(/expected/);
		for (const part of says)
			expect(error.message).toContain(part);
		expect(error.span.endColumn).toBeGreaterThan(error.span.column);
	});

	test('each case is wrong only where it says', () => {
		for (const [name, source, line] of cases) {
			const before = source.split('\n').slice(0, line - 1)
				.filter((text) => !text.endsWith('\\')).join('\n');
			expect(() => parseLitmus(before, name)).not.toThrow();
		}
	});

	test('bytes that are no UTF-8 are found in their line', () => {
		const bytes = new Uint8Array(
			[...new TextEncoder().encode('drain # \u00e4\n  '), 0xff, 0x0a]);
		expect(wrong(bytes).message).toMatch(
			/^p\.litmus:2:3: a byte that is no UTF-8; expected/);
	});

	test('limits: statements, bytes, mappings', () => {
		expect(wrong('drain\n'.repeat(STATEMENTS_MAX + 1)).message)
			.toMatch(
			new RegExp(
			`^p\\.litmus:${STATEMENTS_MAX + 1}:1: more than 10000 statements`));
		expect(wrong(' '.repeat(SOURCE_BYTES_MAX + 1)).message).toMatch(
			/expected at most 1048576/);
		const maps = Array.from(
			{ length: 100 }, (_, i) => `a: m${i} = mmap anon 1 r shared`);
		const forks = Array.from({ length: 100 }, (_, i) => `a: fork t${i}`);
		expect(wrong(['task a', ...maps, ...forks].join('\n')).message)
			.toMatch(/^p\.litmus:201:4: more than 10000 mappings/);
	});
});

describe('a right program', () => {
	test('UTF-8 in comments, CRLF, a byte order mark, no last newline', () => {
		const text = '\ufeffcgroup A # \u00e4\u4e2d\u{1f600}\r\n# caf\u00e9\r\nreclaim A 1';
		expect(parseLitmus(text, FILE).statements.map(({ kind }) => kind))
			.toEqual(['cgroup', 'reclaim']);
		expect(parseLitmus(new TextEncoder().encode(text), FILE).statements).toHaveLength(
			2);
	});

	test('a # within a word is no comment', () => {
		expect(wrong('cgroup A#B').message).toContain("'A#B' is no cgroup path");
		expect(parseLitmus('#drain\n\t# drain\ndrain\t#x', FILE).statements).toHaveLength(
			1);
	});

	test('a statement knows where it stands, over several lines too', () => {
		const { statements } = parseLitmus(
			`${A}\n  a: write m[0..3] \\\n\t m[7..4] 9  # c\n`, FILE);
		expect(statements[2]).toMatchObject(
			{ kind: 'write', text: 'a: write m[0..3] m[7..4] 9', value: 9,
			span: { line: 4, column: 3, endColumn: 19 },
			ranges: [{ task: 'a', name: 'm', first: 0, last: 3 },
				{ task: 'a', name: 'm', first: 7, last: 4 }] });
	});

	test('guards, before a statement and after expect', () => {
		const { statements } = parseLitmus(
			`${A}[+013339df116c -feb889fb40fa] expect [+f56ce412a59d] m present=8`,
			FILE);
		expect(statements[2]).toMatchObject({ kind: 'expect',
			guards: [{ has: true, commit: findCommit('013339df116c') },
			{ has: false, commit: findCommit('feb889fb40fa') },
			{ has: true, commit: findCommit('f56ce412a59d') }] });
	});

	test('expectations', () => {
		const { statements } = parseLitmus(`${A}cgroup A
			expect m[0..3] present=4 active=0
			expect a.m present !active
			expect value m[2] = 0x10
			expect stat A pgscan=42
			expect trace nr_unmap_fail=14
			expect trace mm_vmscan_lru_isolate nr_taken=3 lines=2
			expect errno EAGAIN`, FILE);
		expect(statements.slice(
			3).map((one) => one.kind === 'expect' && one.expectation)).toEqual([
			{ of: 'counts', range: expect.objectContaining({ first: 0, last: 3 }),
				counts: [{ key: 'present', value: 4 },
				{ key: 'active', value: 0 }] },
			{ of: 'flags',
			range: expect.objectContaining({ task: 'a', first: 0, last: 7 }),
				flags: [{ key: 'present', set: true },
				{ key: 'active', set: false }] },
			{ of: 'value', range: expect.objectContaining({ first: 2, last: 2 }),
			value: 16 },
			{ of: 'stat', cgroup: 'A', keys: [{ key: 'pgscan', value: 42 }] },
			{ of: 'trace',
			sums: [{ event: 'lru_shrink_inactive', key: 'nr_unmap_fail', value: 14 }] },
			{ of: 'trace', sums: [{ event: 'lru_isolate', key: 'nr_taken', value: 3 },
				{ event: 'lru_isolate', key: 'lines', value: 2 }] },
			{ of: 'errno', name: 'EAGAIN' },
		]);
	});

	test('a child of fork has the names of its parent, and its own', () => {
		const { statements, slots, mappingNames } = parseLitmus(
			`${A}a: fork b\nb: munmap m\nb: m = mmap anon 2 rw private\nshow ` +
			`b.m[1]\nshow a.m[7]`, FILE);
		expect(statements[2]).toMatchObject(
			{ kind: 'fork', taskSlot: 0, slot: 1, inherits: [[0, 1]] });
		expect(slots).toEqual({ tasks: 2, mappings: 3, memfds: 0, hooks: 0 });
		expect(mappingNames).toEqual(['a.m', 'b.m', 'b.m']);
	});

	test('a hook', () => {
		const { statements } = parseLitmus(
			`${A}at page_referenced.return m[1..2]: a: write m[1] 9`, FILE);
		expect(statements[2]).toMatchObject(
			{ kind: 'at', slot: 0, range: { first: 1, last: 2 },
			body: { kind: 'write', text: 'a: write m[1] 9', task: 'a', taskSlot: 0,
			value: 9,
				span: { line: 3, column: 36 } } });
	});

	test('programs of different texts have different hashes', () => {
		const hashes = ['', ' ', 'drain', 'drain\n', 'drain\ndrain'].map((text) =>
			parseLitmus(text, FILE).hash);
		expect(new Set(hashes).size).toBe(hashes.length);
		expect(hashes).not.toContain(0);
	});

	test('the keys of memory.stat are those of the machine', () => {
		const machine = boot({ ram: 32 * 1048576 });
		const { path } = machine.cgroup('A');
		const keys = machine.readFile(`/sys/fs/cgroup/${path}/memory.stat`).trimEnd().split(
			'\n')
			.map((line) => line.split(' ')[0]);
		expect(keys).toEqual([...MEMORY_STAT_KEYS]);
	});

	test('many names are no slow program', () => {
		const tasks = Array.from({ length: 3000 }, (_, i) => `task t${i}`);
		const maps = Array.from(
			{ length: 3000 }, (_, i) => `t${i}: m${i} = mmap anon 1 rw private`);
		const reads = Array.from({ length: 3000 }, (_, i) => `show m${i}`);
		const start = performance.now();
		expect(parseLitmus([...tasks, ...maps, ...reads].join('\n'), FILE).statements)
			.toHaveLength(9000);
		expect(performance.now() - start).toBeLessThan(2000);
	});
});
