// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command. stdout is written once, when everything is known, so that an error leaves nothing on
 * it. Of modules only the colours are loaded when they are needed: a bundle makes of each that is a
 * function, and of its constants variables.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { COMMITS } from '../lib/commits.ts';
import { SnapshotError, diff, formatDifference } from '../lib/snapshot.ts';
import { trace_first } from '../lib/trace.ts';
import { TRACE_EVENTS } from '../mm/trace_vmscan.ts';
import { KernelNameError, RELEASES, STABLE_MAX, type Kernel, type Release }
	from '../sim/kernels.ts';
import { Machine, MachineError } from '../sim/machine.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { ResumeError, StatementBug, runProgram, type Runner } from '../sim/litmus/runner.ts';
import { LitmusError, didYouMean, oneOf } from '../sim/litmus/source.ts';
import { OracleError } from '../oracle/fault.ts';
import { RecordingError } from '../oracle/recording.ts';
import { UsageError, parseArguments } from './arguments.ts';
import { OutputError, complain, print, readInput, reasonOf } from './output.ts';
import { bisect } from './bisect.ts';
import { compareKernels } from './compare.ts';
import { fuzz } from './fuzz.ts';
import { history } from './history.ts';
import { matrix } from './matrix.ts';
import { helpText } from './help.ts';
import { oracle, oracleStatus } from './oracle.ts';
import { DEFAULT_KERNEL, EX_FAILED, EX_IOERR, EX_OK, EX_SOFTWARE, EX_USAGE, kernelsOf,
	readProgram, styleOf } from './programs.ts';
import { json, runsJson, runsKtap } from './report.ts';
import { machineJson, machineText } from './state.ts';
import { PLAIN, Table, wrap } from './table.ts';
import { failureLines, shellWord, traceText, type Run } from './text.ts';

const DIFFERENCES_MAX = 200;

/* A defect, with the line that shows it again. */
class Defect extends Error {
	constructor(message: string, options: ErrorOptions) {
		super(message, options);
		this.name = 'Defect';
	}
}

/* Run, with a defect told as one. */
function attempt(reproduce: string, run: () => Runner): Runner {
	try {
		return run();
	} catch (error) {
		if (!(error instanceof StatementBug))
			throw error;
		const { span, text } = error.statement;
		throw new Defect(`line ${span.line}: ${text}: ${error.message}\n` +
			`run it again: ${reproduce}`, { cause: error.cause });
	}
}

/* -- run -------------------------------------------------------------------------------------- */

const RUN_OPTIONS = { kernel: 'values', trace: 'flag', events: 'value', json: 'flag', ktap: 'flag',
	resume: 'value', help: 'flag' } as const;

interface RunFlags {
	readonly resume: string | undefined;
	readonly events: string | undefined;
	readonly trace: boolean;
	readonly json: boolean;
}

function runOnce(
	file: string, program: Program, kernel: Kernel | undefined,
	{ resume, events, trace, json: asJson }: RunFlags,
	snapshot: Uint8Array | undefined,
): Run {
	const reproduce = ['vmmu run', shellWord(file),
		...(resume === undefined ? [`--kernel ${kernel!.name}`]
		: [`--resume ${shellWord(resume)}`]),
		...(events === undefined ? [] : [`--events ${shellWord(events)}`])].join(' ');
	const runner = attempt(reproduce, () => runProgram(program, kernel, {
		...(snapshot ? { from: snapshot } : {}),
		...(events === undefined ? {} : { events: events.split(',') }) }));
	const { machine, observations, failed } = runner;

	return {
		file: program.file, kernel: machine.kernel.name, commits: machine.kernel.commits,
		statements: program.statements, observations, failed, reproduce,
		traceLines: trace ? machine.traceLines(runner.traceFrom) : [],
		traceLost: Math.max(0, trace_first() - runner.traceFrom),
		hash: asJson ? machine.hash() : '',
	};
}

async function run(words: readonly string[]): Promise<number> {
	const { operands: files, options } = parseArguments('run', RUN_OPTIONS, words);
	const { ktap, trace, resume, events } = options;

	if (files.length === 0)
		throw new UsageError('run: expected a litmus program; vmmu help run has examples');
	if (options.json && ktap || ktap && trace)
		throw new UsageError(
			`run: --ktap and --${trace ? 'trace' : 'json'} exclude each other`);
	if (resume !== undefined &&
		(files.length > 1 || options.kernel.length || events !== undefined))
		throw new UsageError(
			'run: --resume goes with one program and without --kernel and ' +
			'--events, which are in the snapshot');
	/* All that can be wrong is found before anything runs. */
	const kernels = kernelsOf(options.kernel);
	const snapshot = resume === undefined ? undefined : readInput(resume);
	if (events !== undefined)
		checkEvents(events.split(','));
	const programs = files.map(readProgram);
	const style = options.json || ktap || trace ? PLAIN : await styleOf();

	const runs = programs.map((program, i) =>
		(snapshot ? [undefined] : kernels).map((kernel) =>
			runOnce(files[i]!, program, kernel, options, snapshot)));
	const all = runs.flat();
	if (options.json)
		print(runsJson(all, trace));
	else if (ktap)
		print(runsKtap(all));
	else if (trace)
		print(traceText(all, files.length > 1));
	else
		print(runs.map((each) => new Table(each, style).text()).join('\n'));
	if (trace && !options.json)
		for (const one of all) {
			failureLines(one).forEach((line) => complain(line));
			if (one.traceLost)
				complain(
					`vmmu: ${one.traceLost} trace lines were overwritten ` +
					`before they were read`);
		}
	return all.some(({ failed }) => failed > 0) ? EX_FAILED : EX_OK;
}

function checkEvents(names: readonly string[]): void {
	const known = new Set(TRACE_EVENTS.flatMap((event) =>
		event ? [event.system, event.name, `${event.system}:${event.name}`] : []));
	const odd = names.find((name) => !known.has(name));

	if (odd !== undefined)
		throw new UsageError(`run: --events: ${odd} is no trace event; expected ` +
			oneOf([...known].filter((name) => !name.includes(':'))) +
			didYouMean(odd, known));
}

/* -- show, cat, hash: a program run up to a line ----------------------------------------------- */

const AT_OPTIONS = { kernel: 'value', at: 'value', help: 'flag' } as const;

function runUpTo(command: string, file: string, { kernel, at }: {
	readonly kernel: string | undefined; readonly at: string | undefined }): Runner {
	const program = readProgram(file);
	const [used] = kernelsOf(kernel === undefined ? [] : [kernel]) as [Kernel];
	const line = at === undefined ? Infinity : /^\d{1,9}$/.test(at) ? Number(at) : NaN;

	if (Number.isNaN(line))
		throw new UsageError(`${command}: --at ${at}: expected the number of a line`);
	const next = program.statements.findIndex(({ span }) => span.line > line);
	const reproduce = `vmmu run ${shellWord(file)} --kernel ${used.name}`;
	return attempt(reproduce, () => runProgram(program, used, next < 0 ? {} : { until: next }));
}

function oneOperand(command: string, operands: readonly string[], what: string): string {
	if (operands.length !== 1)
		throw new UsageError(
			`${command}: expected ${what}; vmmu help ${command} has examples`);
	return operands[0]!;
}

function show(words: readonly string[]): number {
	const { operands, options } = parseArguments('show',
		{ ...AT_OPTIONS, save: 'value', json: 'flag' } as const, words);
	const file = oneOperand('show', operands, 'a litmus program');
	const runner = runUpTo('show', file, options);
	const text = options.json ? json({ command: 'show', ...machineJson(runner) })
		: machineText(runner);

	if (options.save !== undefined) {
		try {
			writeFileSync(options.save, runner.machine.snapshot());
		} catch (error) {
			throw new UsageError(`${options.save}: ${reasonOf(error)}`);
		}
	}
	print(text);
	return EX_OK;
}

function cat(words: readonly string[]): number {
	const { operands, options } = parseArguments('cat', AT_OPTIONS, words);
	const [file, path, ...more] = operands;

	if (file === undefined || path === undefined || more.length)
		throw new UsageError('cat: expected a litmus program and a path; ' +
			'vmmu help cat has examples');
	const runner = runUpTo('cat', file, options);
	try {
		print(runner.readFile(path));
	} catch (error) {
		if (error instanceof MachineError)
			throw new UsageError(`cat: ${error.message}`);
		throw error;
	}
	return EX_OK;
}

function hash(words: readonly string[]): number {
	const { operands, options } = parseArguments('hash', AT_OPTIONS, words);
	const file = oneOperand('hash', operands, 'a litmus program or a snapshot');

	if (file !== '-' && existsSync(file) && isSnapshot(readInput(file))) {
		if (options.at !== undefined || options.kernel !== undefined)
			throw new UsageError(
				'hash: --at and --kernel go with a program, not with a snapshot');
		print(`${Machine.restore(readInput(file)).hash()}\n`);
	} else {
		print(`${runUpTo('hash', file, options).machine.hash()}\n`);
	}
	return EX_OK;
}

const isSnapshot = (bytes: Uint8Array): boolean =>
	Buffer.from(bytes.subarray(0, 4)).toString('latin1') === 'VMMU';

/* -- diff, kernels ---------------------------------------------------------------------------- */

function diffSnapshots(words: readonly string[]): number {
	const { operands, options } = parseArguments('diff', { kernel: 'values', events: 'value',
		limit: 'value', json: 'flag', help: 'flag' } as const, words);
	const [one, other, ...more] = operands;
	const limit = Number(options.limit ?? DIFFERENCES_MAX);

	if (!Number.isInteger(limit) || limit < 1)
		throw new UsageError(`diff: --limit ${options.limit}: expected a number from 1`);
	if (one !== undefined && other === undefined) {
		const events = options.events?.split(',');
		checkEvents(events ?? []);
		return compareKernels(one, { kernel: options.kernel, events, limit,
			asJson: options.json });
	}
	if (one === undefined || other === undefined || more.length)
		throw new UsageError('diff: expected two snapshots, or a litmus program and two ' +
			'kernels; vmmu help diff has examples');
	if (options.kernel.length || options.events !== undefined)
		throw new UsageError('diff: --kernel and --events go with a program');
	const found = diff(readInput(one), readInput(other), limit);
	print(options.json
		? json({ command: 'diff', differences: found })
		: found.map((difference) => `${formatDifference(difference)}\n`).join(''));
	return found.length ? EX_FAILED : EX_OK;
}

function kernels(words: readonly string[]): number {
	const { operands, options } = parseArguments('kernels',
		{ json: 'flag', help: 'flag' } as const, words);

	if (operands.length)
		throw new UsageError(`kernels: ${operands[0]} is too much`);
	if (options.json) {
		print(json({ command: 'kernels', default: DEFAULT_KERNEL, releases: RELEASES,
			stable: [`v5.10.1`, `v5.10.${STABLE_MAX}`], commits: COMMITS }));
		return EX_OK;
	}
	const row = ({ name, trust, missing }: Release): string =>
		(name.padEnd(12) + trust.padEnd(10) +
			wrap(missing ? `left out: ${missing}` : '', 78)
			.join(`\n${' '.repeat(22)}`)).trimEnd() + '\n';
	print(RELEASES.map(row).join('') + `\nv5.10.1 to v5.10.${STABLE_MAX} as v5.10.4; ` +
		`the default is ${DEFAULT_KERNEL}.\n+ID adds a commit, -ID takes one out; ` +
		'vmmu history lists them.\n');
	return EX_OK;
}

/* -- The command ------------------------------------------------------------------------------ */

const COMMANDS: Readonly<Record<string, (words: readonly string[]) => number | Promise<number>>> = {
	run, show, cat, hash, diff: diffSnapshots, kernels, oracle, fuzz,
	history, bisect, matrix,
};

/* The help on a command, or on a command of that. */
function help(command?: string, subcommand?: string): number {
	const text = helpText(`${command} ${subcommand}`) ?? helpText(command);

	if (text === undefined)
		throw new UsageError(
			`${command} is no command; expected ${oneOf(Object.keys(COMMANDS))}` +
			didYouMean(command!, Object.keys(COMMANDS)));
	print(text);
	return EX_OK;
}

/* package.json stands beside dist. */
function version(): string {
	const path = fileURLToPath(new URL('../package.json', import.meta.url));

	return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
}

async function main([command, ...words]: readonly string[]): Promise<number> {
	switch (command) {
	case undefined:
		throw new UsageError(`expected a command: ${oneOf(Object.keys(COMMANDS))}; ` +
			'vmmu --help says more');
	case '--help': case '-h': return help();
	case 'help': return help(words[0], words[1]);
	case '--version': case '-V':
		print(`vmmu ${version()}\n`);
		return EX_OK;
	}
	const called = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
	const options = words.slice(0, words.includes('--') ? words.indexOf('--') : undefined);
	if (called && (options.includes('--help') || options.includes('-h')))
		return help(command, words[0]);
	if (!called)
		throw new UsageError(command.startsWith('-')
			? `${command} is no option here; expected a command, --help or --version`
			: `${command} is no command; expected ${oneOf(Object.keys(COMMANDS))}` +
				didYouMean(command, Object.keys(COMMANDS)));
	return await called(words);
}

/* Say what went wrong, and which exit status it has. */
function failure(error: unknown): number {
	if (error instanceof LitmusError) {
		complain(error.message);
		return EX_USAGE;
	}
	if (error instanceof UsageError || error instanceof KernelNameError ||
	    error instanceof SnapshotError || error instanceof ResumeError) {
		complain(`vmmu: ${error.message}`);
		return EX_USAGE;
	}
	if (error instanceof OracleError) {
		complain(`vmmu: ${error.message}`);
		return oracleStatus(error);
	}
	if (error instanceof OutputError || error instanceof RecordingError) {
		complain(`vmmu: ${error.message}`);
		return EX_IOERR;
	}
	const { message, cause, stack } = error as Error;
	complain(
		`vmmu: defect of vmmu: ` +
		`${message}\n${(cause as Error | undefined)?.stack ?? stack}`);
	return EX_SOFTWARE;
}

async function start(): Promise<void> {
	/* Stands where main() waits for what never comes. */
	process.exitCode = EX_SOFTWARE;
	process.exitCode = await main(process.argv.slice(2)).catch(failure);
}

void start();
