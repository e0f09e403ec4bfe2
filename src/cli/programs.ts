// SPDX-License-Identifier: GPL-2.0-only
/* What commands have in common: exit statuses, and the words that name programs and kernels. */
import { parseKernel, type Kernel } from '../sim/kernels.ts';
import type { Program } from '../sim/litmus/ast.ts';
import { parseLitmus } from '../sim/litmus/parser.ts';
import { UsageError } from './arguments.ts';
import { readInput, wantsColours } from './output.ts';
import { PLAIN, type Style } from './table.ts';

/** As in sysexits.h, but for 1: something was checked and did not hold. */
export const EX_OK = 0, EX_FAILED = 1, EX_USAGE = 64, EX_SOFTWARE = 70, EX_IOERR = 74;

/** The kernel of a run for which none is named. */
export const DEFAULT_KERNEL = 'v5.10.223';

/** The kernels that --kernel names, or the default. @throws UsageError, KernelNameError */
export const kernelsOf = (names: readonly string[]): Kernel[] => {
	const twice = names.find((name, i) => names.indexOf(name) !== i);

	if (twice !== undefined)
		throw new UsageError(`--kernel ${twice} is given twice`);
	return (names.length ? names : [DEFAULT_KERNEL]).map(parseKernel);
};

/** A program from its file; `-` is standard input. @throws UsageError, LitmusError */
export const readProgram = (file: string): Program =>
	parseLitmus(readInput(file), file === '-' ? '<stdin>' : file);

/** Colours on a terminal only. */
export async function styleOf(): Promise<Style> {
	return wantsColours() ? (await import('picocolors')).default.createColors(true) : PLAIN;
}
