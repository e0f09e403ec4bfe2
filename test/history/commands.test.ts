// SPDX-License-Identifier: GPL-2.0-only
/* vmmu history, diff, bisect and matrix as they are shipped, with patches of one's own. */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { command, root, type Command } from '../cli/command.ts';

let vmmu: Command;
beforeAll(async () => { vmmu = await command(true); }, 60_000);
afterAll(() => rmSync(vmmu.folder, { recursive: true, force: true }));

const HALF = 'test/litmus/foreign-half.litmus', WINDOW = 'test/litmus/window.litmus';
const EXAMPLE = 'docs/examples/2020-ttu-ignore-access';
const said = (words: readonly string[], status: number): string => {
	const result = vmmu(words);
	expect({ words, status: result.status, stderr: result.stderr })
		.toEqual({ words, status, stderr: '' });
	return result.stdout;
};
/* What a refusal says; anything else than a refusal says so. */
const refusal = (...words: string[]): string => {
	const { status, stdout, stderr } = vmmu(words);
	return status === 64 && stdout === '' ? stderr : `status ${status}: ${stdout}${stderr}`;
};

/*
 * What each expects of each era was written from the tables of the kernels' history: who is told
 * what of a page that is unmapped, and whose reference keeps a page. Only that KVM has a callback
 * invalidate_range() from v5.8 to v6.4 alone is from its sources, and that since v6.0 the fault of
 * a guest activates its page.
 */
test('eras: who is told what, and whose reference counts, as one matrix', () => {
	const eras = ['v4.12', 'v4.13', 'v4.15', 'v5.8', 'v5.10', 'v5.10.4', 'v5.18', 'v6.1',
		'v6.12', 'v7.2'];
	const files = readdirSync(join(root, 'test/litmus/eras')).sort()
		.map((name) => `test/litmus/eras/${name}`);
	const cells = said(['matrix', ...files, '--ktap',
		...eras.flatMap((name) => ['--kernel', name])], 0);

	expect(files).toHaveLength(13);
	expect(cells.match(/^ *ok /gm)!.length).toBeGreaterThanOrEqual(files.length * eras.length);
	expect(cells).not.toMatch(/^ *not ok /m);
});

describe('history', () => {
	test('lists all, of a file, of a function, between kernels, and one', () => {
		expect(said(['history'], 0).match(/^[0-9a-f]{12} /gm)!.length).toBeGreaterThan(50);
		for (const word of ['mm/rmap.c', 'rmap.c', 'src/mm/rmap.ts', 'try_to_unmap_one'])
			expect(said(['history', word], 0)).toMatch(
				/^013339df116c .* mm\/rmap: always/m);
		expect(said(['history', 'v4.12..v4.13'], 0)).toMatch(/^\+369ea8242c0f .*\n$/);
		expect(said(['history', 'v4.13..v4.12'], 0)).toMatch(/^-369ea8242c0f /);
		expect(said(['history', 'show', '013339d'], 0))
			.toMatch(
				/^commit 013339df116c\n[^]*and v5\.10\.4[^]*_unmap_one\(\)/);
	});
	test('refuses what is not there, with what is near', () => {
		expect(refusal('history', 'try_to_unmap_on'))
			.toMatch(/did you mean 'try_to_unmap_one'\?/);
		expect(refusal('history', 'show', 'deadbeef'))
			.toMatch(/not modelled/);
		expect(refusal('history', 'v5.10..'))
			.toMatch(/expected KERNEL\.\.KERNEL/);
		expect(refusal('history', 'a', 'b'))
			.toMatch(/b is too much/);
	});
});

describe('diff of kernels', () => {
	test('names the event, its place and the commit whose guard was asked', () => {
		const text = said(['diff', WINDOW, '--kernel', 'v5.10', '--kernel', 'v5.10.4'], 1);
		expect(text).toMatch(/^3 events are the same; event 4 differs:$/m);
		expect(text).toMatch(/^ +in shrink_inactive_list\(\) src\/mm\/vmscan\.ts:\d+$/m);
		const [, line] = /in pageout\(\) src\/mm\/vmscan\.ts:(\d+)/.exec(text)!;
		expect(readFileSync(join(root, 'src/mm/vmscan.ts'), 'utf8').split('\n')[Number(
			line) - 1])
			.toContain('trace_mm_vmscan_writepage');
		expect(text).toMatch(/^ {2}\+013339df116c mm\/rmap: always do TTU_IGNORE_ACCESS$/m);
		expect(text).toMatch(
			/^ {2}page a\.m\[0\]: \[1\] present: .* \[2\] present=0 swapped=1$/ms);
		expect(text).toMatch(/^ {2}counter pswpout: 0 1$/m);
	});
	test('says so where nothing differs', () => {
		expect(said(['diff', WINDOW, '--kernel', 'v5.10.4', '--kernel', 'v5.10.5'], 0))
			.toMatch(/events are the same\n\nthe end is the same/);
	});
	test('wants two kernels', () => {
		expect(refusal('diff', WINDOW))
			.toMatch(/expected two kernels/);
		expect(refusal('diff', WINDOW, '--kernel', 'v5.10'))
			.toMatch(/expected two kernels/);
	});
});

describe('bisect', () => {
	test('names the commit, and what it turns', () => {
		const text = said(['bisect', HALF, '--good', 'v5.11', '--bad', 'v5.9'], 0);
		expect(text).toMatch(
			/this commit turns the outcome:\n\n\+013339df116c mm\/rmap: always/);
		expect(text).toMatch(/--kernel v5\.9 --kernel v5\.9\+013339df116c\n$/);
		const { commits } = JSON.parse(
			said(['bisect', HALF, '--good', 'v5.9', '--bad', 'v5.11', '--json'], 0)) as
			{ commits: { id: string; added: boolean }[] };
		expect(commits).toMatchObject([{ id: '013339df116c', added: false }]);
	});
	test('says so where nothing differs', () => {
		expect(said(['bisect', HALF, '--good', 'v5.10.4', '--bad', 'v5.10.5'], 1))
			.toMatch(/shows the same/);
	});
	test('wants a program and two kernels', () => {
		expect(refusal('bisect', HALF, '--good', 'v5.11'))
			.toMatch(/expected two kernels/);
		expect(refusal('bisect', HALF, '--good', 'v5.11', '--bad', 'v5.6'))
			.toMatch(/did you mean 'v5\.\d+'\?/);
		expect(refusal('bisect', '--good', 'v5.11', '--bad', 'v5.9'))
			.toMatch(/expected one litmus program/);
	});
});

describe('matrix', () => {
	const kernels = ['--kernel', 'v5.10', '--kernel', 'v5.11'];
	test('has a row for each program, a column for each kernel', () => {
		const text = said(['matrix', HALF, WINDOW, ...kernels], 0);
		expect(text).toMatch(/^test\/litmus\/foreign-half\.litmus +ok \(3\) +ok \(2\) !$/m);
		expect(text).toMatch(
			/^! test\/litmus\/window\.litmus: line 14: .*: present=0 swapped=1; was/m);
	});
	test('as KTAP, JUnit and JSON', () => {
		expect(said(['matrix', HALF, WINDOW, ...kernels, '--ktap'], 0).split('\n')).toEqual(
			[
			'KTAP version 1', '1..2', '    KTAP version 1', '    1..2',
				`    ok 1 ${HALF}`,
			`    ok 2 ${WINDOW}`, 'ok 1 v5.10', '    KTAP version 1', '    1..2',
			`    ok 1 ${HALF}`, `    ok 2 ${WINDOW}`, 'ok 2 v5.11', '']);
		expect(said(['matrix', HALF, ...kernels, '--junit'], 0))
			.toContain('<testsuite name="v5.11" tests="1" failures="0">');
		expect(JSON.parse(said(['matrix', HALF, ...kernels, '--json'], 0))).toMatchObject({
			schema: 1, command: 'matrix', passed: true,
			columns: [{ kernel: 'v5.10' }, { kernel: 'v5.11',
				programs: [{ file: HALF, passed: true, differs: true }] }] });
	});
	test('refuses before it runs', () => {
		expect(refusal('matrix'))
			.toMatch(/expected litmus programs/);
		expect(refusal('matrix', WINDOW, '--ktap', '--json'))
			.toMatch(/exclude each other/);
		expect(refusal('matrix', WINDOW, '--timeout', '0'))
			.toMatch(/expected seconds/);
		expect(refusal('matrix', WINDOW, '--patch', 'no.diff'))
			.toMatch(/no\.diff: no such file/);
	});
});

describe('a patch of one\'s own', () => {
	const leftovers = (): string[] =>
		readdirSync(tmpdir()).filter((name) => name.startsWith('vmmu-patch-'));
	const source = (): string => readFileSync(join(root, 'src/mm/rmap.ts'), 'utf8');
	/* Time enough where many tests run beside it. */
	const run = (words: readonly string[], status: number): string =>
		said(['matrix', ...words, '--kernel', 'v5.10',
			...words.includes('--timeout') ? [] : ['--timeout', '50']], status);
	/* A diff that puts lines before the one line of rmap.ts that is `anchor`. */
	const patchBefore = (name: string, anchor: string, lines: readonly string[]): string => {
		const at = source().split('\n').indexOf(anchor);
		const path = join(vmmu.folder, name);
		mkdirSync(vmmu.folder, { recursive: true });
		writeFileSync(path, `--- a/src/mm/rmap.ts\n+++ b/src/mm/rmap.ts\n` +
			`@@ -${at + 1},1 +${at + 1},${lines.length + 1} @@\n` +
			lines.map((line) => `+${line}\n`).join('') + ` ${anchor}\n`);
		return path;
	};
	const ANCHOR = '		const subpage = pte_pfn(ram[pte]!) as page;';

	/*
	 * v1 is 013339df116c, v2 asks secondary MMUs, of which there are none here, earlier; v3
	 * ignores strangers as v1 does, and keeps the window.
	 */
	test('the versions of the thread of 2020, side by side', () => {
		const before = source(), temporary = leftovers();
		const patches = [1, 2, 3].map((n) => `${EXAMPLE}/v${n}.diff`);
		const text = run([HALF, WINDOW, ...patches.flatMap((patch) => ['--patch', patch])],
			1);
		expect(text).toMatch(
			/foreign-half\.litmus +ok \(3\) +FAIL 3 of 3 +ok \(3\) +FAIL 3 of 3$/m);
		expect(text).toMatch(/window\.litmus +ok \(1\) +FAIL 1 of 1 +ok \(1\) +ok \(1\)$/m);
		expect(source()).toBe(before);
		expect(leftovers()).toEqual(temporary);
	});
	const REFERENCED = 'export function page_referenced(';
	test('can print, and export something new', () => {
		const patch = patchBefore('new.diff', REFERENCED,
			["export const more = [console.log('loaded')];"]);
		const { status, stdout, stderr } = vmmu(['matrix', WINDOW, '--kernel', 'v5.10',
			'--patch', patch, '--timeout', '50']);
		expect({ status, stderr }).toEqual({ status: 0, stderr: 'loaded\n' });
		expect(stdout).toMatch(/window\.litmus +ok \(1\) +ok \(1\)$/m);
	});
	test('that breaks what imports the changed file is refused, with the place there', () => {
		const patch = patchBefore('gone.diff', REFERENCED, []);
		writeFileSync(patch, readFileSync(patch, 'utf8').replace(` ${REFERENCED}`,
			`-${REFERENCED}\n+export function page_referenced_2(`));
		expect(refusal('matrix', WINDOW, '--patch', patch)).toMatch(
			/gone\.diff: \(src\/mm\/vmscan\.ts:\d+\): TS.*'page_referenced'/);
	});
	test('with a type error is refused, with its place in the diff', () => {
		const patch = patchBefore('type.diff', ANCHOR,
			['		const n: number = page_mapped(page);']);
		expect(refusal('matrix', WINDOW, '--patch', patch))
			.toMatch(/type\.diff:4 \(src\/mm\/rmap\S+: TS2322: Type 'boolean' is not/);
	});
	test('that throws is shown with its place in the diff', () => {
		const patch = patchBefore('throws.diff', ANCHOR,
			['		if (page_mapped(page))',
				"			throw new Error('here');"]);
		expect(run([WINDOW, '--patch', patch], 1).replaceAll(/\n {2}/g, ' ')).toMatch(
			/BROKEN .*throws\.diff:5 \(src\/mm\/rmap\S+ in try_to_unmap_one\(\): here/);
	});
	test('that loops for ever is shown with its place in the diff', () => {
		const patch = patchBefore('loops.diff', ANCHOR,
			['		while (page_mapped(page))',
				'			address = pvmw.address;']);
		expect(run([WINDOW, '--patch', patch, '--timeout', '2'], 1).replaceAll(/\n {2}/g,
			' '))
			.toMatch(
				/loops\.diff:[45] \S+ in try_to_unmap_one\(\): still runs/);
	});
	test('against another file, or that does not apply, is refused', () => {
		const path = join(vmmu.folder, 'other.diff');
		writeFileSync(path,
			'--- a/src/sim/x.ts\n+++ b/src/sim/x.ts\n@@ -1 +1 @@\n-a\n+b\n');
		expect(refusal('matrix', WINDOW, '--patch', path))
			.toMatch(/other\.diff:1: .* is no file of the ports/);
		writeFileSync(path,
			'--- a/src/mm/rmap.ts\n+++ b/src/mm/rmap.ts\n@@ -1 +1 @@\n-a\n+b\n');
		expect(refusal('matrix', WINDOW, '--patch', path))
			.toMatch(/other\.diff:4: the hunk of line 3 does not apply/);
	});
});
