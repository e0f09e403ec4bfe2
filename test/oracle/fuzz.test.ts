// SPDX-License-Identifier: GPL-2.0-only
/* Random programs by seed, what a real kernel can be asked of them, and shrinking. */
import { describe, expect, test } from 'vitest';
import { ram } from '../../src/arch/ram.ts';
import { Bytes } from '../../src/oracle/bytes.ts';
import { fuzzCampaign, type CampaignOptions } from '../../src/oracle/campaign.ts';
import { compare } from '../../src/oracle/compare.ts';
import { incomparable } from '../../src/oracle/compact.ts';
import { randomProgram } from '../../src/oracle/fuzz.ts';
import { emulatedJudge, type Judge } from '../../src/oracle/judge.ts';
import { runOurs } from '../../src/oracle/ours.ts';
import { shrink } from '../../src/oracle/shrink.ts';
import { parseKernel } from '../../src/sim/kernels.ts';
import { parseLitmus } from '../../src/sim/litmus/parser.ts';
import { Runner } from '../../src/sim/litmus/runner.ts';
import { subrange } from '../../src/sim/machine.ts';

const REAL = { real: true, looks: true };
const NOW = parseKernel('v5.10.223'), BEFORE = parseKernel('v5.10.223-013339df116c');

describe('random programs', () => {
	test('the same seed, the same program; another one, another', () => {
		for (const options of [{}, REAL]) {
			const make = () => [7, 8, 2 ** 31 - 1].map((seed) =>
				randomProgram(seed, 30, options));
			const made = make();
			expect(make()).toEqual(made);
			expect(new Set(made).size).toBe(3);
		}
	});

	test('a program for a real kernel can run there, and kills nobody', () => {
		const reclaims: number[] = [];

		for (let seed = 1; seed <= 12; seed++) {
			const program = parseLitmus(randomProgram(seed, 40, REAL), `seed ${seed}`);
			const { statements, ended } = runOurs(program, NOW);
			expect(incomparable(program, NOW)).toEqual([]);
			expect(ended).toBe('whole');
			const odd = statements.filter(({ outcome, killed }) => killed ||
				outcome.kind === 'refused' &&
					!/^E(?:INVAL|AGAIN)$/.test(outcome.error));
			expect({ seed, odd }).toEqual({ seed, odd: [] });
			reclaims.push(statements.flatMap(({ trace = [] }) => trace)
				.filter((line) => line.startsWith('mm_vmscan_lru_shrink')).length);
		}
		/* Most of them do what this is about. */
		expect(reclaims.filter((n) => n > 3).length).toBeGreaterThan(7);
	});

	test('with virtual machines: comparable, and most guests do what they are told', () => {
		let guests = 0, done = 0;

		for (let seed = 1; seed <= 8; seed++) {
			const program = parseLitmus(
				randomProgram(seed, 30, { ...REAL, vms: true }), `seed ${seed}`);
			const { statements, ended } = runOurs(program, NOW);
			expect(incomparable(program, NOW)).toEqual([]);
			expect(ended).toBe('whole');
			for (const { place, outcome } of statements) {
				if (program.statements[place]!.kind !== 'guest')
					continue;
				guests++;
				done += outcome.kind === 'done' ? 1 : 0;
			}
		}
		expect(guests).toBeGreaterThan(40);
		expect(done).toBeGreaterThan(guests / 2);
	});

	test('of tables of Intel processors no real kernel is asked', () => {
		const program = parseLitmus('task q\nq: m = mmap anon 1 rw private\n' +
			'vm v task=q ept\nv: slot 0x10000 m\nsva s task=q\ns: read m\n', 'x');

		expect(incomparable(program, NOW).map(({ place }) => place)).toEqual([2, 4, 5]);
	});
});

describe('shrinking', () => {
	const shrinkWhile = async (source: string, shows: (text: string) => boolean) => {
		let rounds = 0;
		const smallest = await shrink(source, async (sources) => {
			rounds++;
			for (const one of sources)
				parseLitmus(one, 'every candidate is right');
			return sources.map(shows);
		});
		return { smallest, rounds };
	};

	test('keeps what matters and what that needs, with small numbers', async () => {
		const { smallest, rounds } = await shrinkWhile(randomProgram(4, 60, REAL), (text) =>
			/reclaim \S+ ([2-9]\d|[3-9])/.test(text) && /: write \S+/.test(text));

		expect(smallest).toMatch(/^reclaim \S+ 3$/m);
		expect(smallest).toMatch(/^(t\d+): (m\d+) = mmap \w+ 1 .*\n\1: write \2$/m);
		/* Those, a cgroup, a task, and perhaps a memfd. */
		expect(smallest.trimEnd().split('\n').length).toBeLessThanOrEqual(6);
		expect(rounds).toBeLessThan(40);
	});

	test('what cannot be less stays as it is', async () => {
		const source = 'cgroup A\nreclaim A 1\n';

		const { smallest } = await shrinkWhile(source, (text) => text === source);
		expect(smallest).toBe(source);
	});

	test('to a program that still differs, of a real commit', async () => {
		const differs = (source: string) => {
			const program = parseLitmus(source, 'x');
			return compare(program, runOurs(program, BEFORE), runOurs(program, NOW))
				.different > 0;
		};
		const padded = 'cgroup A\ncgroup B\nmemfd f 16\ntask a cgroup=A\n' +
			'task x cgroup=B\n' +
			'x: n = mmap anon 3 rw private\nx: write n\na: m = mmap f 16 rw shared\n' +
			'a: write m\ndrain\ntask b cgroup=B\nb: m = mmap f 16 rw shared\n' +
			'b: read m\n' +
			'a: clear_refs\nstat A\nshow x.n\nreclaim A 32\nshow a.m\n';
		expect(differs(padded)).toBe(true);
		const { smallest } = await shrinkWhile(padded, differs);
		expect(differs(smallest)).toBe(true);
		expect(smallest).not.toMatch(/task x|stat|show/);
		expect(smallest.split('\n').length).toBeLessThanOrEqual(13);
	});
});

describe('a campaign', () => {
	const base: CampaignOptions = { seed: 1, count: 12, statements: [25, 25], judge: undefined,
		kernels: [NOW], limit: 1 };

	test('of the invariants alone finds nothing', async () => {
		const { programs, statements, findings } = await fuzzCampaign(base);

		expect({ programs, findings }).toEqual({ programs: 12, findings: [] });
		expect(statements).toBeGreaterThan(12 * 25);
	});

	test('finds a judge that lies, shrinks it, and tells an undetermined one', async () => {
		let asked = 0;
		/* It says that each munlock kills. */
		const lying = (when: (program: string) => boolean): Judge => ({
			...emulatedJudge(NOW), name: 'liar', real: true,
			async run(programs) {
				asked++;
				const { runs, ...rest } = await emulatedJudge(NOW).run(programs);
				return { ...rest, runs: runs.map((run, i) => {
					const { file, statements } = programs[i]!;
					return { ...run, statements: run.statements.map((seen) =>
						when(file) &&
						statements[seen.place]!.kind === 'munlock'
							? { ...seen, killed: ['nobody'] } : seen) };
				}) };
			} });
		const liar = await fuzzCampaign({ ...base, judge: lying(() => true) });
		const [first, ...others] = liar.findings;

		expect(first).toMatchObject({ shrunk: true, undetermined: undefined,
			first: { field: 'killed', theirs: 'nobody', ours: undefined } });
		expect(first!.source).toMatch(/munlock m\d+(?:\[0\])?\n$/);
		expect(first!.source.split('\n').length).toBeLessThanOrEqual(5);
		expect(others.every(({ shrunk }) => !shrunk)).toBe(true);

		asked = 0;
		const moody = await fuzzCampaign({ ...base, judge: lying(() => asked === 1) });
		expect(moody.findings.length).toBe(liar.findings.length);
		expect(moody.findings[0]).toMatchObject(
			{ undetermined: { field: 'killed', theirs: 'nobody' }, shrunk: false });
	});
});

test('a byte that changes and was not written is found, mapped or swapped', () => {
	const program = parseLitmus(`machine ram=64M swap=16M
task a
a: m = mmap anon 2 rw private
a: write m 7
a: madvise m[1] pageout
drain
`, 'bytes');
	for (const page of [0, 1]) {
		const runner = new Runner(program, NOW), bytes = new Bytes(runner);
		while (!runner.done) {
			const before = runner.observations.length;
			runner.step();
			bytes.check(runner.observations.slice(before));
		}
		expect(runner.machine.show(runner.rangeOf('a.m')).swapped).toBe(1);
		/* The swap device keeps its pages in the machine's own memory. */
		const mapped = runner.machine.pfn(subrange(runner.rangeOf('a.m'), 0));
		const frames = Array.from({ length: 64 * 256 }, (_, pfn) => pfn)
			.filter((pfn) => ram[pfn * 1024] === 7);
		for (const pfn of frames)
			if ((pfn === mapped) === (page === 0))
				ram[pfn * 1024] = 8;
		expect(() => bytes.check([]))
			.toThrow(/bytes: 0x[0-9a-f]+ of process \d+ is 8, but was 7/);
	}
});
