// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process of its own for the recordings: prints, as JSON, those that differ.
 *	node replay_child.js FOLDER all|first FILE...
 */
import { replay } from './replay.ts';

const [folder, extent, ...files] = process.argv.slice(2);
const differ: { file: string; line: number; field: string }[] = [];

for (const file of files) {
	const { first, recording: { program } } = replay(folder!, file, false);
	if (first)
		differ.push({ file, line: program.statements[first.place]!.span.line,
			field: first.field });
	if (first && extent === 'first')
		break;
}
process.stdout.write(JSON.stringify(differ));
