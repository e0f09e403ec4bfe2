// SPDX-License-Identifier: GPL-2.0-only
/** What is bundled: the source files from which everything in src is reached, and where they go. */
export const entries = /** @type {const} */ ({
	start: { source: 'src/cli/start.ts', output: 'dist/vmmu.cjs' },
	command: { source: 'src/cli/main.ts', output: 'dist/vmmu.script.js' },
	api: { source: 'src/index.ts', output: 'dist/index.js' },
	/* what runs a patch of one's own, see src/cli/patch.ts */
	patched: { source: 'src/cli/patched.ts', output: 'dist/patched.cjs' },
});

/** Files and folders of src/oracle that are no TypeScript; the build copies them to dist/oracle. */
export const shipped = ['prepatch.config', 'guest'];
