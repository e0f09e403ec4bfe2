// SPDX-License-Identifier: GPL-2.0-only
/* How far something is that takes long: one line on stderr, on a terminal only. */
import { isatty } from 'node:tty';

const STDERR = 2;
const INTERVAL_MS = 100;
const WIDTH_DEFAULT = 80;
const CLEAR = '\r\x1b[K';

/**
 * Do some work that tells how far it is: a step, and percent of it where that is known.
 * @returns what it returned; the line is gone then
 */
export async function withProgress<T>(
	work: (onProgress: (step: string, percent?: number) => void) => Promise<T>,
	stream: NodeJS.WriteStream = process.stderr, shown = isatty(STDERR),
): Promise<T> {
	let last = 0, lastStep = '';

	try {
		return await work((step, percent) => {
			const now = Date.now();
			if (!shown || step === lastStep && now - last < INTERVAL_MS)
				return;
			last = now;
			lastStep = step;
			const text = percent === undefined ? step
				: `${step} ${Math.floor(percent)}%`;
			stream.write(CLEAR + text.slice(0, (stream.columns ?? WIDTH_DEFAULT) - 1));
		});
	} finally {
		if (lastStep)
			stream.write(CLEAR);
	}
}
