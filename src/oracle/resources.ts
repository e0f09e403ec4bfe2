// SPDX-License-Identifier: GPL-2.0-only
/* Files that are shipped beside the code: as they are in src/oracle, and in dist/oracle. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { BUG } from '../lib/bug.ts';

/** Path of a file or folder of src/oracle that is no TypeScript: `prepatch.config`, `guest`. */
export function resourcePath(name: string): string {
	for (const beside of ['./', './oracle/']) {
		const path = fileURLToPath(new URL(beside + name, import.meta.url));
		if (existsSync(path))
			return path;
	}
	return BUG(`oracle/${name} is shipped with the code`);
}
