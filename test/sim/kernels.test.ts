// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { COMMITS, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS as TTU, isInBase }
	from '../../src/lib/commits.ts';
import { RELEASES, kernelChanges, kernelHas, parseKernel, trustOf, unmetNeeds }
	from '../../src/sim/kernels.ts';

const has = (name: string, id: string): boolean =>
	kernelHas(parseKernel(name), COMMITS.findIndex((commit) => commit.id === id));

describe('kernel names', () => {
	/* Stable releases that took 013339df116c and its followers: kernel-history of 5.10.y. */
	test.each([
		['v5.10', false], ['v5.10.3', false], ['v5.10.4', true], ['v5.10.223', true],
		['v5.10.223-013339df116c', false], ['v5.10+013339d', true], ['v5.11', true],
		['v5.9', false],
	])('%s has 013339df116c: %s', (name, had) => {
		expect(kernelHas(parseKernel(name), TTU)).toBe(had);
	});
	test('v5.10 is the base: it has what was there, and differs from itself in nothing', () => {
		const before = COMMITS.flatMap((commit, nr) => isInBase(commit) ? [nr] : []);
		expect(parseKernel('v5.10').commits).toEqual(before);
		expect(kernelChanges(parseKernel('v5.10'))).toEqual([]);
		expect(kernelChanges(parseKernel('v5.10+013339df116c'))).toEqual([TTU]);
	});
	test('v5.10.223 has over v5.10 every commit that a stable release of 5.10 took', () => {
		const stable = COMMITS.flatMap((c, nr) => c.stable ? [nr] : []);
		expect(kernelChanges(parseKernel('v5.10.223'))).toEqual(stable);
	});
	/* By `git describe --contains` in kernel trees, and kernel-history. */
	test.each([
		['bed7161a519a', 'v2.6.24', 'v2.6.25'], ['5a9bbdcd29ad', 'v2.6.24', 'v2.6.25'],
		['b291f000393f', 'v2.6.25', 'v2.6.28'], ['8cab4754d24a', 'v2.6.28', 'v2.6.34'],
		['645747462435', 'v2.6.28', 'v2.6.34'], ['c3ac9a8ade65', 'v2.6.34', 'v3.5'],
		['369ea8242c0f', 'v4.12', 'v4.13'], ['0f10851ea475', 'v4.13', 'v4.15'],
		['1431d4d11abb', 'v4.15', 'v5.8'], ['b518154e59aa', 'v5.8', 'v5.9'],
		['94968384dde1', 'v5.18', 'v6.1'], ['c495b97624d0', 'v6.1', 'v6.12'],
	])('%s is not in %s and is in %s', (id, before, after) => {
		expect([has(before, id), has(after, id)]).toEqual([false, true]);
	});
	test('a later release lacks nothing that an earlier mainline release has', () => {
		const mainline = RELEASES.filter(({ name }) => !name.startsWith('v5.10.'))
			.map(({ name }) => new Set(parseKernel(name).commits));
		for (const [i, commits] of mainline.entries())
			expect([...mainline[i - 1] ?? []].filter((nr) => !commits.has(nr))).toEqual(
				[]);
	});
	test('every release has what its commits need, and says how far it can be trusted', () => {
		for (const { name } of RELEASES) {
			const kernel = parseKernel(name);
			expect(unmetNeeds(new Set(kernel.commits))).toEqual([]);
			expect(trustOf(kernel).missing === undefined)
				.toBe(trustOf(kernel).trust !== 'partial');
		}
	});
	test('a commit needs only commits of the table that are not later', () => {
		COMMITS.forEach(({ needs = [] }, nr) => {
			for (const { id } of needs)
				expect(COMMITS.slice(0, nr).map((one) => one.id)).toContain(id);
		});
	});
	test.each([
		['5.10', /did you mean v5\.10\?/],
		['v5.6', /no kernel that is modelled; did you mean 'v5\.4'\?/],
		['v5.10.224', /v5\.10\.223/],
		['', /expected v2\.6\.24, .* or v7\.2, v5\.10\.1 to v5\.10\.223/],
		['v5.10-013339df116c', /v5\.10 does not have 013339df116c/],
		['v5.10.4+013339df116c', /already has/],
		['v5.10+', /is no commit id/],
		['v5.10+0133', /7 to 40/],
		['v5.10+deadbeefdead', /not modelled/],
		['v5.10+013339df116d', /not modelled; did you mean '013339df116c'\?/],
		['v5.10+013339d-013339d', /013339df116c is named twice/],
		['v5.10.', /no kernel/],
		/* sets that no kernel could be */
		['v5.10-369ea8242c0f',
			/0f10851ea475 cannot be without 369ea8242c0f: .*-0f10851ea475/],
		['v5.10+32d4f4b782bb',
			/32d4f4b782bb cannot be without f56ce412a59d: .*\+f56ce412a59d/],
	])('%j is refused', (name, message) => {
		expect(() => parseKernel(name)).toThrow(message);
	});
	test('what cannot be apart can be taken out together', () => {
		expect(has('v5.10-0f10851ea475-369ea8242c0f', '369ea8242c0f')).toBe(false);
	});
});
