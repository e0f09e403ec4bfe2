// SPDX-License-Identifier: GPL-2.0-only
/*
 * Physical memory: 4 KiB frames in one Int32Array. A frame's contents are zero until something is
 * written. Each section of 16 MiB knows how many of its frames, from the first, were ever handed
 * out; only they are copied or hashed.
 */
import { carve, namePart, RAM_BYTES_MAX } from '../lib/arena.ts';
import { PAGE_SHIFT } from './page.ts';

export const FRAME_WORDS_SHIFT = PAGE_SHIFT - 2;
export const FRAME_WORDS = 1 << FRAME_WORDS_SHIFT;
/** Frames that a machine can have at most: one more than the highest pfn. */
export const MAX_PFN = RAM_BYTES_MAX / 4096;

const SECTION_SHIFT = 12;
const SECTION_FRAMES = 1 << SECTION_SHIFT;
const SECTIONS = MAX_PFN / SECTION_FRAMES;

/* One more than the last frame of each section that was ever handed out, counted in the section. */
const section_used = carve('ram.section_used', Int32Array, SECTIONS, () => SECTIONS);

/* A word more, so that both views below have one length: then one check of an index serves both. */
const words = carve('ram', Int32Array, (MAX_PFN << FRAME_WORDS_SHIFT) + 1, () => 0);
/** All of RAM by 32-bit words, little endian; frame pfn starts at pfn << FRAME_WORDS_SHIFT. */
export const ram = words.subarray(0, -1);
/** The same from its second word: ram_hi[p] is the high half of the entry at ram[p]. */
export const ram_hi = words.subarray(1);

for (let section = 0; section < SECTIONS; section++) {
	const first = section << SECTION_SHIFT + FRAME_WORDS_SHIFT;

	const words = ram.subarray(first, first + (SECTION_FRAMES << FRAME_WORDS_SHIFT));

	namePart(`ram.${section}`, words, FRAME_WORDS,
		() => section_used[section]! << FRAME_WORDS_SHIFT);
}

/** Note that a frame is handed out, so that its contents count as machine state. */
export function use_frame(pfn: number): void {
	const section = pfn >>> SECTION_SHIFT, used = (pfn & (SECTION_FRAMES - 1)) + 1;

	if (used > section_used[section]!)
		section_used[section] = used;
}

/** Whether a frame may hold something: false if it was never handed out, so is zero. */
export function frame_was_used(pfn: number): boolean {
	return (pfn & (SECTION_FRAMES - 1)) < section_used[pfn >>> SECTION_SHIFT]!;
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
