// SPDX-License-Identifier: GPL-2.0-only
/* The machine's random numbers: xorshift32, whose state is machine state. */
import { global_s32 } from './struct.ts';

const rng_state = global_s32('rng_state');

/** Start the sequence of a seed, any integer; 0 is a seed like the others. */
export function seedRandom(seed: number): void {
	rng_state.v = (Math.imul(seed | 0, 0x9e3779b1) ^ 0x6d2b79f5) | 0 || 1;
}

/** 32 random bits, as an unsigned number: prandom_u32(). */
export function randomU32(): number {
	let x = rng_state.v;

	x ^= x << 13;
	x ^= x >>> 17;
	x ^= x << 5;
	rng_state.v = x;
	return x >>> 0;
}

/** A random integer from 0 to n - 1. */
export function randomBelow(n: number): number {
	return Math.floor(randomU32() / 0x100000000 * n);
}
