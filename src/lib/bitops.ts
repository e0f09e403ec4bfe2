// SPDX-License-Identifier: GPL-2.0-only
/* include/linux/bitops.h, log2.h, int_sqrt.c: of int32 words. */

/** Number of the lowest bit that is set; the word must not be 0. */
export function __ffs(word: number): number {
	return 31 - Math.clz32(word & -word);
}

/** Number of the highest bit that is set, plus 1; 0 for 0. */
export function fls(word: number): number {
	return 32 - Math.clz32(word);
}

/** Bits set in an int32. */
export function hweight32(word: number): number {
	word -= (word >>> 1) & 0x55555555;
	word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
	return Math.imul((word + (word >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Floor of the base-2 logarithm of an integer from 1 to 2^53. */
export function ilog2(n: number): number {
	return n >= 0x100000000 ? 32 + ilog2(Math.floor(n / 0x100000000)) : 31 - Math.clz32(n);
}

/** Floor of the square root of an integer from 0 to 2^52. */
export function int_sqrt(n: number): number {
	let root = Math.floor(Math.sqrt(n));

	while (root * root > n)
		root--;
	while ((root + 1) * (root + 1) <= n)
		root++;
	return root;
}
