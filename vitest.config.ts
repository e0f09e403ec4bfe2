// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is one machine a JS realm, so each test file has a process of its own. The arena reserves
 * several GiB of address space in each: two at once, whatever the host has.
 */
import { defineConfig } from 'vitest/config';
import { buildSources, nativeSources } from './tools/vitest_src.mjs';

await buildSources();

const TESTS = 'test/**/*.test.ts';
/* Those that put functions of their own in the place of a module's. */
const MOCKING = ['test/mm/memcontrol.test.ts', 'test/mm/vmscan.test.ts'];

export default defineConfig({
	test: {
		projects: [
			{ extends: true, plugins: [nativeSources()],
				test: { name: 'native', include: [TESTS], exclude: MOCKING } },
			{ extends: true, test: { name: 'mocking', include: MOCKING } },
		],
		environment: 'node',
		pool: 'forks',
		isolate: true,
		maxWorkers: 2,
		testTimeout: 60_000,
		allowOnly: false,
	},
});
