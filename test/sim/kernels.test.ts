// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, test } from 'vitest';
import { COMMITS, MM_RMAP_ALWAYS_TTU_IGNORE_ACCESS as TTU } from '../../src/lib/commits.ts';
import { kernelHas, parseKernel } from '../../src/sim/kernels.ts';

describe('kernel names', () => {
	/* Stable releases that took 013339df116c and its followers: kernel-history of 5.10.y. */
	test.each([
		['v5.10', false], ['v5.10.3', false], ['v5.10.4', true], ['v5.10.223', true],
		['v5.10.223-013339df116c', false], ['v5.10+013339d', true],
	])('%s has 013339df116c: %s', (name, has) => {
		expect(kernelHas(parseKernel(name), TTU)).toBe(has);
	});
	test('v5.10 is the base: it has none of the commits', () => {
		expect(parseKernel('v5.10').commits).toEqual([]);
	});
	test('v5.10.223 has every commit that a stable release of 5.10 took', () => {
		const stable = COMMITS.flatMap((c, nr) => c.stable ? [nr] : []);
		expect(parseKernel('v5.10.223').commits).toEqual(stable);
	});
	test.each([
		['5.10', /did you mean v5\.10\?/],
		['v5.9', /no kernel that is modelled/],
		['v5.10.224', /v5\.10\.223/],
		['', /expected v5\.10/],
		['v5.10-013339df116c', /v5\.10 does not have 013339df116c/],
		['v5.10.4+013339df116c', /already has/],
		['v5.10+', /is no commit id/],
		['v5.10+0133', /7 to 40/],
		['v5.10+deadbeefdead', /not modelled/],
		['v5.10.', /no kernel/],
	])('%j is refused', (name, message) => {
		expect(() => parseKernel(name)).toThrow(message);
	});
});
