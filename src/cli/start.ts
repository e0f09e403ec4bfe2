// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the command starts: a script, and what V8 made of it at the build, since a third of a cold
 * start would be its compilation. Another V8 does not take that, and compiles the script anew.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

type Require = (name: string) => object;

/* Most of node's modules are not used in most runs, and some take longer to load than ours. */
const lazily = (require: Require): Require => (name) => new Proxy({}, {
	get: (_, key) => Reflect.get(require(name), key) as unknown,
});

/* What V8 made of the script: nothing where the build could not write it. */
function codeOf(path: string): Buffer | undefined {
	try {
		return readFileSync(`${path}.code`);
	} catch {
		return undefined;
	}
}

const path = fileURLToPath(new URL('vmmu.script.js', import.meta.url));
const script = new Script(readFileSync(path, 'latin1'),
	{ filename: path, cachedData: codeOf(path) });
const start = script.runInThisContext() as (require: Require, filename: string) => void;
start(lazily(createRequire(path)), path);
