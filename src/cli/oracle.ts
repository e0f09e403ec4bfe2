// SPDX-License-Identifier: GPL-2.0-only
/* vmmu oracle: the commands around real kernels; judge.ts has those that run programs. */
import { buildPrepatch } from '../oracle/build.ts';
import { cacheFolder } from '../oracle/cache.ts';
import type { OracleError } from '../oracle/fault.ts';
import { fetchKernels, knownKernels, PREPATCH, SERIES, type Fetched } from '../oracle/kernels.ts';
import { doctor, toolVersions, type Purpose } from '../oracle/tools.ts';
import { didYouMean, oneOf } from '../sim/litmus/source.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { oracleDiff, oracleRecord, oracleRun } from './judge.ts';
import { print } from './output.ts';
import { EX_FAILED, EX_OK, EX_USAGE } from './programs.ts';
import { withProgress } from './progress.ts';
import { json } from './report.ts';

/* kselftest's for a skipped test */
const EX_SKIPPED = 4;

/** The exit status for what went wrong around a real kernel; 4 is kselftest's for skipped. */
export function oracleStatus({ kind }: OracleError): number {
	return kind === 'usage' ? EX_USAGE : kind === 'missing' ? EX_SKIPPED : EX_FAILED;
}

/* -- fetch, build-prepatch --------------------------------------------------------------------- */

function fetchedText({ image, kept }: Fetched): string {
	return `${image.name.padEnd(15)}${image.version.padEnd(15)}${image.release.padEnd(25)} ` +
		`${kept ? 'was there already' : 'is there now'}\n`;
}

function printFetched(command: string, all: readonly Fetched[], asJson: boolean): void {
	const kernels = all.map(({ image, kept }) => ({ ...image, kept }));

	print(asJson ? json({ command, kernels }) : all.map(fetchedText).join(''));
}

async function fetch(words: readonly string[]): Promise<number> {
	const { operands, options } = parseArguments('oracle fetch',
		{ json: 'flag', help: 'flag' } as const, words);
	const fetched: Fetched[] = [];

	try {
		await withProgress((onProgress) => fetchKernels(
			[...new Set(operands.length ? operands : SERIES)], onProgress,
			(one) => fetched.push(one)));
	} finally {
		/* Those that came stay, and are told, also if a later one did not. */
		if (fetched.length)
			printFetched('oracle fetch', fetched, options.json);
	}
	return EX_OK;
}

async function build(words: readonly string[]): Promise<number> {
	const { operands, options } = parseArguments('oracle build-prepatch',
		{ json: 'flag', help: 'flag' } as const, words);

	if (operands.length)
		throw new UsageError(`oracle build-prepatch: ${operands[0]} is too much`);
	const built = await withProgress((onProgress) => buildPrepatch(onProgress));
	printFetched('oracle build-prepatch', [built], options.json);
	return EX_OK;
}

/* -- doctor ----------------------------------------------------------------------------------- */

const PURPOSES: readonly (readonly [Purpose, string])[] = [
	['run', 'to run programs on a real kernel'],
	['fetch', 'to fetch kernels'],
	['build', `to build ${PREPATCH}`],
];

/* Status 1 where what is needed to fetch and run is missing; few need to build. */
function diagnose(words: readonly string[]): number {
	const { operands, options } = parseArguments('oracle doctor',
		{ json: 'flag', help: 'flag' } as const, words);

	if (operands.length)
		throw new UsageError(`oracle doctor: ${operands[0]} is too much`);
	const needed = doctor(['run', 'fetch']), builder = doctor(['build']);
	const tools = [...needed.tools, ...builder.tools];
	const kernels = knownKernels();
	const status = needed.install === undefined ? EX_OK : EX_FAILED;

	if (options.json) {
		print(json({ command: 'oracle doctor', passed: status === EX_OK, tools,
			install: needed.install ?? null, installToBuild: builder.install ?? null,
			versions: toolVersions(), cache: cacheFolder(), kernels }));
		return status;
	}
	const versions = Object.values(toolVersions());
	print(PURPOSES.map(([purpose, what]) => `${what}\n` + tools
		.filter((tool) => tool.purpose === purpose)
		.map(({ name, use, present }) =>
			`  ${present ? 'present' : 'MISSING'}  ${name.padEnd(20)} ${use}\n`)
		.join(''))
		.join('') +
		versions.map((version) => `${version}\n`).join('') +
		`kernels in ${cacheFolder()}\n` +
		[...SERIES, PREPATCH].map((name) => {
			const image = kernels.find((one) => one.name === name);
			return image ? `  ${name.padEnd(15)}${image.version.padEnd(15)}` +
				`${image.release}\n`
				: `  ${name.padEnd(15)}not there; vmmu oracle ` + (name === PREPATCH
					? 'build-prepatch' : `fetch ${name}`) + '\n';
		}).join('') +
		(needed.install ? `\nInstall what is missing:\n\n  ${needed.install}\n` : '') +
		(builder.install ? `\n${needed.install ? 'And to' : 'To'} build ${PREPATCH}:\n\n` +
			`  ${builder.install}\n` : ''));
	return status;
}

/* -- The command ------------------------------------------------------------------------------ */

type Subcommand = (words: readonly string[]) => number | Promise<number>;
const SUBCOMMANDS: Readonly<Record<string, Subcommand>> = {
	fetch, doctor: diagnose, 'build-prepatch': build,
	run: oracleRun, diff: oracleDiff, record: oracleRecord,
};

/** `vmmu oracle SUBCOMMAND ...` */
export async function oracle([command, ...words]: readonly string[]): Promise<number> {
	const names = Object.keys(SUBCOMMANDS);

	if (command === undefined)
		throw new UsageError(
			`oracle: expected ${oneOf(names)}; vmmu help oracle says more`);
	if (!Object.hasOwn(SUBCOMMANDS, command))
		throw new UsageError(`oracle: ${command} is no command; expected ${oneOf(names)}` +
			didYouMean(command, names));
	return await SUBCOMMANDS[command]!(words);
}
