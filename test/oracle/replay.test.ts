// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator against everything that was recorded of real kernels; and that every program which a
 * real kernel can run was recorded, as it is now.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { COMMITS, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS } from '../../src/lib/commits.ts';
import { incomparable, vmFormat } from '../../src/oracle/compact.ts';
import { readRecording, recordingFile, recordingName } from '../../src/oracle/recording.ts';
import { isOursAlone } from '../../src/oracle/stream.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import type { Program } from '../../src/sim/litmus/ast.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { isFor } from '../../src/sim/litmus/runner.ts';
import { recordingsIn, replay } from './replay.ts';

const folder = fileURLToPath(new URL('recordings/', import.meta.url));
const programsFolder = fileURLToPath(new URL('../litmus/', import.meta.url));
const recordings = recordingsIn(folder);

const AFTER = parseKernel('v5.10.223');
const BEFORE = parseKernel('v5.10.223-013339df116c');

const programs = readdirSync(programsFolder, { recursive: true, encoding: 'utf8' })
	.filter((name) => name.endsWith('.litmus')).toSorted().map((name) => {
		const source = readFileSync(join(programsFolder, name), 'utf8');
		return { source, program: parseLitmus(source, `test/litmus/${name}`) };
	});
const texts = ({ machine, statements }: Program) =>
	[JSON.stringify(machine), ...statements.map(({ text }) => text)];

describe('the emulator shows what a real kernel did', () => {
	/*
	 * With the invariants after each statement where no other test runs the same program on the
	 * same kernel with them: test/litmus.test.ts has those of topics on 5.10.223.
	 */
	const isHeldElsewhere = (file: string) => file.endsWith('.6.1.json') ||
		file.endsWith('.5.10.json') && !/^(?:history|eras)\//.test(file);
	test.each(recordings)('%s', (file) => {
		const { fields, first, recording } = replay(folder, file, !isHeldElsewhere(file));
		const { statements } = recording.program;

		expect(first && { line: statements[first.place]!.span.line,
			text: statements[first.place]!.text, ...first }).toBeUndefined();
		const asked = statements.filter((one) =>
			!isOursAlone(one) && isFor(recording.ours, one));
		expect(asked.length).toBeGreaterThan(0);
		expect(fields).toBeGreaterThanOrEqual(asked.length);
	});
});

describe('every program that a real kernel can run was recorded', () => {
	const { id } = COMMITS[MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS]!;
	const wanted = programs.flatMap(({ source, program }) => [
		...(incomparable(program, AFTER).length ? [] : [['5.10', program] as const]),
		/*
		 * What is about the commit names it, in a guard, its name or a comment; what
		 * guests' references come to goes by it as well.
		 */
		...((vmFormat(program) || `${program.file} ${source}`.includes(id)) &&
			!incomparable(program, BEFORE).length
			? [['5.10-prepatch', program] as const] : []),
	]).map(([on, program]) => ({ program,
		file: recordingFile({ name: recordingName(program.file), on }) }));

	test.each(wanted)('$file', ({ program, file }) => {
		expect(recordings).toContain(file);
		/* Another comment is no other program. */
		expect(texts(readRecording(join(folder, file)).program)).toEqual(texts(program));
	});

	test('and nothing else', () => {
		expect(recordings.filter((name) => /\.5\.10(?:-prepatch)?\.json$/.test(name) &&
			!wanted.some(({ file }) => file === name))).toEqual([]);
	});
});
