// SPDX-License-Identifier: GPL-2.0-only
/* The judge that a command line names. */
import { emulatedJudge, type Judge } from '../oracle/judge.ts';
import { realJudge } from '../oracle/real.ts';
import type { RealRunOptions } from '../oracle/types.ts';
import { parseKernel } from '../sim/kernels.ts';
import { UsageError } from './arguments.ts';
import { withProgress } from './progress.ts';

/** The options that name a judge. */
export const JUDGE_OPTIONS = {
	on: 'value', bzimage: 'value', modules: 'value', append: 'value', help: 'flag',
} as const;

/**
 * Find the judge.
 * @throws UsageError, KernelNameError; OracleError where it is not there: how to get it
 */
export async function findJudge(command: string, { on, bzimage, modules, append }: {
	readonly on: string | undefined; readonly bzimage: string | undefined;
	readonly modules: string | undefined; readonly append: string | undefined;
}): Promise<Judge> {
	if ((on === undefined) === (bzimage === undefined))
		throw new UsageError(on === undefined
			? `${command}: expected a real kernel: --on 5.10 or --bzimage PATH`
			: `${command}: --on and --bzimage exclude each other`);
	if (on?.startsWith('v')) {
		if (modules !== undefined || append !== undefined)
			throw new UsageError(`${command}: --on ${on} is the emulator; --modules ` +
				'and --append go with a real kernel');
		return emulatedJudge(parseKernel(on));
	}
	return await realJudge(on ?? '', { bzimage, modules });
}

/** Have work done that is given the options of a judge's runs; a terminal shows how far it is. */
export function withRealOptions<T>(
	{ append }: { readonly append: string | undefined },
	work: (options: RealRunOptions) => Promise<T>,
): Promise<T> {
	return withProgress((onProgress) => work({
		...(append === undefined ? {} : { append }),
		onProgress: (done, all) => onProgress(`${done} of ${all} programs`),
	}));
}
