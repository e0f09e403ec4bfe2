// SPDX-License-Identifier: GPL-2.0-only
/* Real kernels as judges. */
import { parseKernel } from '../sim/kernels.ts';
import { incomparable } from './compact.ts';
import type { Judge } from './judge.ts';
import { findKernel, type OwnKernel } from './kernels.ts';
import { runOnKernel } from './run.ts';

/* What guards go by on a kernel that is none of ours. */
const LATEST = 'v5.10.223';

/**
 * A real kernel as a judge.
 * @param name as `vmmu oracle fetch` has it; not looked at with an image of the user's own
 * @throws OracleError where it is not there: how to get it
 */
export async function realJudge(name: string, own: OwnKernel = {}): Promise<Judge> {
	const image = await findKernel(name, own);
	const emulated = image.emulated === undefined ? undefined : parseKernel(image.emulated);

	return {
		name: image.name, emulated, real: true,
		incomparable: (program) => incomparable(program, emulated ?? parseKernel(LATEST)),
		run: (programs, options = {}) => runOnKernel(programs, image, options),
	};
}
