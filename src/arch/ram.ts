// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical memory: 4 KiB frames in one Int32Array. A frame's contents are zero until something is
 * written; only frames below `frames_used` were ever handed out, and only they are copied or
 * hashed.
 */
import { carve, RAM_BYTES_MAX } from '../lib/arena.ts';
import { global_s32 } from '../lib/struct.ts';
import { PAGE_SHIFT } from './page.ts';

export const FRAME_WORDS_SHIFT = PAGE_SHIFT - 2;
export const FRAME_WORDS = 1 << FRAME_WORDS_SHIFT;
/** Frames that a machine can have at most: one more than the highest pfn. */
export const MAX_PFN = RAM_BYTES_MAX / 4096;

/** One more than the highest frame that was ever handed out. */
export const frames_used = global_s32('frames_used');

/** All of RAM by 32-bit words, little endian; frame pfn starts at pfn << FRAME_WORDS_SHIFT. */
export const ram = carve('ram', Int32Array, MAX_PFN << FRAME_WORDS_SHIFT,
	() => frames_used.v << FRAME_WORDS_SHIFT, FRAME_WORDS);

/** Note that a frame is handed out, so that its contents count as machine state. */
export function use_frame(pfn: number): void {
	if (pfn >= frames_used.v)
		frames_used.v = pfn + 1;
}

/** memset(page_address(pfn), 0, PAGE_SIZE) */
export function clear_frame(pfn: number): void {
	const at = pfn << FRAME_WORDS_SHIFT;

	ram.fill(0, at, at + FRAME_WORDS);
}

/** memcpy() of one frame to another. */
export function copy_frame(to: number, from: number): void {
	const at = from << FRAME_WORDS_SHIFT;

	ram.copyWithin(to << FRAME_WORDS_SHIFT, at, at + FRAME_WORDS);
}
