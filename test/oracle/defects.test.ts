// SPDX-License-Identifier: GPL-2.0-only
/*
 * The judge can fail: with one line of a port changed, a recording of a real kernel differs. Each
 * mutant is bundled from the sources with that line replaced, and runs in a process of its own.
 */
import { build, type Plugin } from 'esbuild';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, test } from 'vitest';
import { recordingsIn } from './replay.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'test/oracle/recordings');
const recordings = recordingsIn(folder);
const scratch = mkdtempSync(join(tmpdir(), 'vmmu-defects-'));
afterAll(() => rmSync(scratch, { recursive: true }));

interface Defect {
	readonly name: string;
	readonly file: string;
	/** What the file has, once, and what stands there instead. */
	readonly line: string;
	readonly instead: string;
	/** Recordings that are likely to show it, by a part of their names: they go first. */
	readonly near: RegExp;
}

const defects: readonly Defect[] = [
	{ name: 'page_check_references() activates at the first reference',
		file: 'src/mm/vmscan.ts',
		line: 'if (referenced_page || (referenced_ptes > 1 &&',
		instead: 'if (referenced_page || (referenced_ptes > 0 &&', near: /page_check/ },
	{ name: 'page_referenced() counts strangers', file: 'src/mm/rmap.ts',
		line: '? invalid_page_referenced_vma : null;',
		instead: '? null : null;', near: /foreign/ },
	{ name: 'try_to_unmap() looks at no accessed bit before 013339df116c',
		file: 'src/mm/rmap.ts',
		line: 'if (ptep_clear_flush_young_notify(vma, address, pte)) {',
		instead: 'if (ptep_clear_flush_young_notify(vma, address, pte) && !pte) {',
		near: /prepatch/ },
	{ name: 'get_scan_count() takes the other fraction', file: 'src/mm/vmscan.ts',
		line: 'scan = scan * fraction[file]! / denominator;',
		instead: 'scan = scan * fraction[1 - file]! / denominator;',
		near: /scan_count|fract/ },
	{ name: 'move_pages_to_lru() adds at the tail', file: 'src/mm/vmscan.ts',
		line: 'list_move(page_lru_node(page), lists(lruvec, lru));\n\n' +
			'\t\tif (put_page_testzero',
		instead: 'list_move(page_lru_node(page), prev[lists(lruvec, lru)]!);\n\n' +
			'\t\tif (put_page_testzero', near: /shrink|order/ },
	{ name: 'inactive_is_low() wants half as many inactive pages', file: 'src/mm/vmscan.ts',
		line: 'const inactive_ratio = gb ? int_sqrt(10 * gb) : 1;',
		instead: 'const inactive_ratio = gb ? int_sqrt(10 * gb) : 2;', near: /active/ },
	{ name: 'a charge takes one page less into the stock', file: 'src/mm/memcontrol.ts',
		line: 'let batch = Math.max(MEMCG_CHARGE_BATCH, nr_pages);',
		instead: 'let batch = Math.max(MEMCG_CHARGE_BATCH - 1, nr_pages);', near: /stock/ },
	{ name: 'memory.stat is kept back for one page less', file: 'src/mm/memcontrol.ts',
		line: 'if (x > threshold || x < -threshold) {\n\t\tvmstats_local_stat',
		instead: 'if (x >= threshold || x <= -threshold) {\n\t\tvmstats_local_stat',
		near: /foreign/ },
	{ name: 'a refault at any distance is activated', file: 'src/mm/workingset.ts',
		line: 'if (refault_distance > workingset_size)',
		instead: 'if (refault_distance > workingset_size + 10000)',
		near: /refault|workingset/ },
	{ name: 'a rescued page keeps its swap slot', file: 'src/mm/vmscan.ts',
		line: 'try_to_free_swap(page);', instead: ';', near: /swap|rescue|mlock/ },
	{ name: 'clear_refs leaves PG_referenced', file: 'src/mm/task_mmu.ts',
		line: 'ClearPageReferenced(page);', instead: ';', near: /clear_refs|referenc/ },
	{ name: 'a pagevec holds 14 pages', file: 'src/mm/mmzone.ts',
		line: 'export const PAGEVEC_SIZE = 15;', instead: 'export const PAGEVEC_SIZE = 14;',
		near: /pagevec|drain/ },
];

/* The sources with one line changed. @throws Error where it is not there, or several times */
function planted({ file, line, instead }: Defect): Plugin {
	const path = join(root, file);

	return { name: 'defect', setup({ onLoad }) {
		onLoad({ filter: /\.ts$/ }, ({ path: loaded }) => {
			if (loaded !== path)
				return undefined;
			const parts = readFileSync(path, 'utf8').split(line);
			if (parts.length !== 2)
				throw new Error(
					`${file} has '${line}' ${parts.length - 1} times; ` +
					'expected it once');
			return { contents: parts.join(instead), loader: 'ts' };
		});
	} };
}

interface Differing { readonly file: string; readonly line: number; readonly field: string }

/* The recordings that differ, of the sources with a defect or as they are. */
async function differing(name: string, defect?: Defect): Promise<Differing[]> {
	const script = join(scratch, `${name}.mjs`);
	const order = recordings.toSorted((a, b) =>
		Number(defect?.near.test(b)) - Number(defect?.near.test(a)));

	await build({ absWorkingDir: root, entryPoints: ['test/oracle/replay_child.ts'],
		outfile: script, bundle: true, platform: 'node', format: 'esm', target: 'node20.19',
		logLevel: 'silent', plugins: defect ? [planted(defect)] : [] });
	const { stdout } = await promisify(execFile)(process.execPath,
		[script, folder, defect ? 'first' : 'all', ...order], { maxBuffer: 1 << 26 });
	return JSON.parse(stdout) as Differing[];
}

describe('a defect is found', () => {
	test('there are twelve, in several files', () => {
		expect(new Set(defects.map(({ name }) => name)).size).toBe(12);
		expect(new Set(defects.map(({ file }) => file)).size).toBeGreaterThan(4);
	});

	test.concurrent.each(defects)('$name', async (defect) => {
		const found = await differing(`defect-${defects.indexOf(defect)}`, defect);
		expect(found).toHaveLength(1);
	});

	test('and none without one', async () => {
		expect(await differing('unchanged')).toEqual([]);
	});

	test('a line that is not there is told', async () => {
		await expect(differing('odd', { ...defects[0]!, line: 'no such line' }))
			.rejects.toThrow(/src\/mm\/vmscan\.ts has 'no such line' 0 times/);
	});
});
