// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine's modules for tests as node itself loads them. In vitest's own loader each use of an
 * imported name is a property read from the module's object: the machine runs at half its speed.
 */
import { readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import { root } from './bundle.mjs';

const LAYERS = ['lib', 'arch', 'mm', 'kvm', 'sim'];
/* Beneath node_modules, so that vitest leaves them to node. */
const output = join(root, 'node_modules/.vmmu-test');

const sources = LAYERS.flatMap((layer) =>
	readdirSync(join(root, 'src', layer), { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
		.map((name) => join('src', layer, name)));
const natives = new Map(sources.map((source) => [join(root, source),
	join(output, relative('src', source)).replace(/ts$/, 'mjs')]));

/** Built once a run: `vitest run`, not its watch mode. */
export async function buildSources() {
	const made = await rolldown({
		cwd: root,
		input: sources,
		platform: 'node',
		external: /^[^./](?!rc\/)/,
		transform: { target: 'node20.19' },
		treeshake: false,
	});
	await made.write({ dir: output, format: 'esm', preserveModules: true,
		preserveModulesRoot: join(root, 'src'), entryFileNames: '[name].mjs',
		sourcemap: true, minify: false });
	await made.close();
}

/** @returns {import('vite').Plugin} */
export const nativeSources = () => ({
	name: 'native-sources',
	enforce: 'pre',
	resolveId(id, importer) {
		const native = importer && id.startsWith('.') &&
			natives.get(resolve(dirname(importer.replace(/\?.*/, '')), id));
		return native ? { id: native, external: true } : null;
	},
});
