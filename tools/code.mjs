// SPDX-License-Identifier: GPL-2.0-only
/*
 * code.mjs SCRIPT ARGUMENT...: runs the command's script, and keeps beside it what V8 has compiled,
 * for src/cli/start.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Script } from 'node:vm';

const [path] = process.argv.splice(2, 1);
const script = new Script(readFileSync(path, 'latin1'), { filename: path });
process.on('exit', () => writeFileSync(`${path}.code`, script.createCachedData()));
script.runInThisContext()(createRequire(path), path);
