// SPDX-License-Identifier: GPL-2.0-only
/* Fuzzing: random programs held against a judge, or against the invariants alone. */
import type { Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { parseLitmus } from '../sim/litmus/parser.ts';
import { compare, type Divergence } from './compare.ts';
import { generator, randomProgram } from './fuzz.ts';
import { randomVmProgram } from './fuzz_vms.ts';
import type { Judge } from './judge.ts';
import { runOurs } from './ours.ts';
import { shrink } from './shrink.ts';
import type { RealRunOptions, SeenRun } from './types.ts';

export interface CampaignOptions {
	/** Program n has seed + n, so each can be made by itself. */
	readonly seed: number;
	readonly count: number;
	/** Of each program, besides those that set it up and that look: from, to. */
	readonly statements: readonly [number, number];
	/** With virtual machines; where no real kernel judges, with hooks and other devices. */
	readonly vms?: boolean;
	/** Programs with files on a disk for a real kernel too; others have them anyway. */
	readonly files?: boolean;
	/** Whom to hold the kernels against; undefined: their invariants alone. */
	readonly judge: Judge | undefined;
	readonly kernels: readonly Kernel[];
	/** At most so many divergent programs are shrunk. */
	readonly limit: number;
	readonly real?: RealRunOptions;
	/** Called with what is being done and how far it is. */
	readonly onProgress?: (step: string, percent?: number) => void;
	/** Called as each divergent program is found, or shrunk. */
	readonly onFinding?: (finding: Finding) => void;
}

/** Where a kernel of ours does not do what it is held against. */
export interface Difference {
	readonly kernel: Kernel;
	/** Of the judge; undefined: an invariant, or an assertion of a port, did not hold. */
	readonly theirs: SeenRun | undefined;
	readonly ours: SeenRun;
	readonly first: Divergence;
}

export interface Finding extends Difference {
	readonly seed: number;
	readonly source: string;
	readonly program: Program;
	/** Where two runs of the real kernel differ themselves: `ours` is the second. */
	readonly undetermined: Divergence | undefined;
	readonly shrunk: boolean;
}

export interface Campaign {
	readonly programs: number;
	/** Of all programs, those that only look with them. */
	readonly statements: number;
	/** Programs that a real kernel cannot run. */
	readonly incomparable: number;
	readonly findings: readonly Finding[];
}

/* Programs in one boot; and page accesses until one is taken to be without end. */
const BATCH = 100, STEP_BUDGET = 1e7;

/* What in one run of ours is wrong by itself. */
function defectOf(kernel: Kernel, ours: SeenRun): Difference | undefined {
	const { ended } = ours;

	return ended !== 'whole' && ended.reason.startsWith('defect')
		? { kernel, theirs: undefined, ours, first: { place: ended.atPlace,
			field: 'defect', theirs: undefined, ours: ended.reason } } : undefined;
}

class Runner {
	readonly #options: CampaignOptions;

	constructor(options: CampaignOptions) {
		this.#options = options;
	}

	/* The first difference of each program, if it has one. */
	async differences(programs: readonly Program[]): Promise<(Difference | undefined)[]> {
		const { judge, kernels, real = {} } = this.#options;
		const runs = judge ? (await judge.run(programs, real)).runs : [];

		return programs.map((program, i) => {
			for (const kernel of kernels) {
				const ours = runOurs(program, kernel,
					{ invariants: !judge, stepBudget: STEP_BUDGET });
				const found = defectOf(kernel, ours) ??
					(judge && this.#against(program, kernel, runs[i]!, ours));
				if (found)
					return found;
			}
			return undefined;
		});
	}

	#against(
		program: Program, kernel: Kernel, theirs: SeenRun, ours: SeenRun,
	): Difference | undefined {
		const { first } = compare(program, theirs, ours);

		return first && { kernel, theirs, ours, first };
	}

	/*
	 * Which of these a real kernel does not run the same way twice, and where: the second time
	 * other programs come before.
	 */
	async undetermined(
		found: readonly Pick<Finding, 'program' | 'theirs'>[],
	): Promise<Map<Program, Divergence>> {
		const { judge, real = {} } = this.#options;
		const asked = found.filter(({ theirs }) => theirs).toReversed();

		if (!judge?.real || asked.length === 0)
			return new Map();
		const { runs } = await judge.run(asked.map(({ program }) => program), real);
		return new Map(asked.flatMap(({ program, theirs }, i) => {
			const { first } = compare(program, theirs!, runs[i]!);
			return first ? [[program, first] as const] : [];
		}));
	}

	async shrunk(finding: Finding): Promise<Finding> {
		const { seed, program, source } = finding;
		const parse = (text: string): Program => parseLitmus(text, program.file);
		const smallest = await shrink(upTo(source, program, finding.first.place),
			async (sources) => (await this.differences(sources.map(parse)))
				.map((one) => one !== undefined));
		const small = parse(smallest);
		const [difference] = await this.differences([small]);

		/* One that only shows in company stays as it is. */
		return difference ? { ...difference, seed, source: smallest, program: small,
			undetermined: undefined, shrunk: true } : finding;
	}
}

/* A program up to a statement: what comes later cannot matter to it. */
function upTo(source: string, { statements }: Program, place: number): string {
	const { line } = statements[place]!.span;

	return `${source.split('\n').slice(0, line).join('\n')}\n`;
}

/* How many statements the program of a seed has. */
function lengthOf(seed: number, [least, most]: readonly [number, number]): number {
	return least + generator(~seed)(most - least + 1);
}

/** Run a campaign; divergent programs are shrunk as they are found. */
export async function fuzzCampaign(options: CampaignOptions): Promise<Campaign> {
	const { seed, count, statements, vms = false, files, judge, limit, onProgress, onFinding } =
		options;
	const runner = new Runner(options);
	const findings: Finding[] = [];
	let ran = 0, incomparable = 0;

	for (let first = 0; first < count; first += BATCH) {
		onProgress?.(`programs ${first} of ${count}`, first / count * 100);
		const made = Array.from({ length: Math.min(BATCH, count - first) }, (_, i) => {
			const own = seed + first + i;
			const length = lengthOf(own, statements);
			const source = vms && !judge?.real ? randomVmProgram(own, length)
				: randomProgram(own, length, { real: judge?.real ?? false,
					looks: judge !== undefined, vms,
					...files ? { files } : {} });
			return { seed: own, source,
				program: parseLitmus(source, `fuzz-${own}.litmus`) };
		});
		const batch = made.filter(({ program }) =>
			!judge || judge.incomparable(program).length === 0);
		incomparable += made.length - batch.length;
		ran += batch.reduce((sum, { program }) => sum + program.statements.length, 0);
		const differences = await runner.differences(batch.map(({ program }) => program));
		const found = batch.flatMap((one, i) => differences[i]
			? [{ ...one, ...differences[i] }] : []);
		const undetermined = await runner.undetermined(found);
		for (const one of found) {
			let finding: Finding = { ...one, shrunk: false,
				undetermined: undetermined.get(one.program) };
			onProgress?.(`seed ${one.seed}`);
			if (!finding.undetermined &&
				findings.filter(({ shrunk }) => shrunk).length < limit)
				finding = await runner.shrunk(finding);
			findings.push(finding);
			onFinding?.(finding);
		}
	}
	return { programs: count, statements: ran, incomparable, findings };
}
