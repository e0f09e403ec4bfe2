// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { applyPatch, readPatch } from '../../src/cli/patchfile.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const HEAD = '--- a/src/mm/rmap.ts\n+++ b/src/mm/rmap.ts\n';
const read = (text: string) => readPatch('p.diff', bytes(text));
const apply = (text: string, patch: string) => applyPatch('p.diff', text, read(patch)[0]!);

describe('a diff', () => {
	test('of git applies, and each new line knows where it was written', () => {
		const patch = 'a mail\n\ndiff --git a/src/mm/rmap.ts b/src/mm/rmap.ts\n' +
			`index 1..2 100644\n${HEAD}@@ -2,3 +2,3 @@ f()\n b\n-c\n+C\n d\n`;
		expect(apply('a\nb\nc\nd\ne\n', patch)).toEqual({ text: 'a\nb\nC\nd\ne\n',
			origins: [undefined, 8, 10, 11, undefined, undefined] });
	});
	test('applies where lines were added above, at the nearest place that fits', () => {
		const patch = `${HEAD}@@ -2,2 +2,3 @@\n b\n+n\n c\n`;
		expect(apply('x\ny\na\nb\nc\n', patch).text).toBe('x\ny\na\nb\nn\nc\n');
	});
	test('with carriage returns applies as without', () => {
		const patch = `${HEAD}@@ -1,2 +1,2 @@\n a\n-b\n+c\n`
			.replaceAll('\n', '\r\n');
		expect(apply('a\nb\n', patch).text).toBe('a\nc\n');
	});
	test('of several hunks applies in order', () => {
		const patch = `${HEAD}@@ -1 +1,2 @@\n a\n+b\n@@ -3 +4 @@\n-c\n+d\n`;
		expect(apply('a\nx\nc\n', patch).text).toBe('a\nb\nx\nd\n');
	});
	test.each([
		['a hunk that does not apply', `${HEAD}@@ -2,2 +2,2 @@\n b\n-q\n+r\n`,
			/p\.diff:5: the hunk of line 3 does not apply: \S+:3 is 'c'; expected 'q'/],
		['a context line that is another', `${HEAD}@@ -2,2 +2,1 @@\n B\n-c\n`,
			/p\.diff:4: .*'b'; expected 'B'/],
		['a hunk twice', `${HEAD}${'@@ -2,2 +2,3 @@\n b\n+n\n c\n'.repeat(2)}`,
			/p\.diff:7: the hunk of line 7 does not apply: .*before the end of the h/],
	])('%s is refused', (_, patch, message) => {
		expect(() => apply('a\nb\nc\nd\n', patch)).toThrow(message);
	});
	test.each([
		['nothing', '', /p\.diff:1: changes nothing/],
		['bytes', '--- a/\0', /p\.diff:1: is binary/],
		['a binary file', 'Binary files a/x and b/x differ\n', /:1: is binary/],
		['another file',
			'--- a/src/sim/machine.ts\n+++ b/src/sim/machine.ts\n@@ -1 +1 @@\n',
			/:1: '\S+machine\.ts' is no file of the ports; expected a file of src\/mm/],
		['a way out', '--- a/src/mm/../../x.ts\n+++ b/src/mm/../../x.ts\n',
			/:1: .*leads out of the package/],
		['an absolute path', '--- /etc/passwd\n+++ /etc/passwd\n',
			/does not begin with a\//],
		['a new file', '--- /dev/null\n+++ b/src/mm/x.ts\n', /a file is made or removed/],
		['a new file by git', 'new file mode 100644\n--- /dev/null\n',
			/can only change lines/],
		['a file less', '--- a/src/mm/x.ts\n+++ /dev/null\n',
			/:2: a file is made or removed/],
		['a rename', 'rename from a\nrename to b\n', /can only change lines/],
		['two names', '--- a/src/mm/rmap.ts\n+++ b/src/mm/swap.ts\n',
			/:2: renames src\/mm\/rmap\.ts/],
		['no hunk', HEAD, /:3: expected a hunk/],
		['a hunk without a file', '@@ -1 +1 @@\n a\n', /:1: a hunk without/],
		['a hunk that ends too soon', `${HEAD}@@ -1,3 +1,3 @@\n a\n`,
			/the hunk of line 3 ends too soon/],
		['a hunk with too much', `${HEAD}@@ -1 +1 @@\n a\n+b\n`,
			/:5: a line that belongs to no hunk/],
		['a file twice', `${HEAD}@@ -1 +1 @@\n-a\n+b\n${HEAD}@@ -1 +1 @@\n-a\n+b\n`,
			/twice/],
	])('of %s is refused', (_, patch, message) => {
		expect(() => read(patch)).toThrow(message);
	});
});
