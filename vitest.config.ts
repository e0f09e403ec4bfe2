// SPDX-License-Identifier: GPL-2.0-only
/*
 * There is one machine a JS realm, so each test file has a process of its own. The arena reserves
 * several GiB of address space in each: two at once, whatever the host has.
 */
import { defineConfig } from 'vitest/config';
import { buildSources, nativeSources } from './tools/vitest_src.mjs';

await buildSources();

export default defineConfig({
	plugins: [nativeSources()],
	test: {
		include: ['test/**/*.test.ts'],
		environment: 'node',
		pool: 'forks',
		isolate: true,
		maxWorkers: 2,
		testTimeout: 60_000,
		allowOnly: false,
	},
});
