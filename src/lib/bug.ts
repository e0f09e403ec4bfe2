// SPDX-License-Identifier: GPL-2.0-only
/*
 * Assertions. A failed one is a defect of the emulator, or a state that the kernel too would call
 * a bug; it names the invariant. Never used for bad input of a user.
 */

/** An invariant of the machine does not hold. */
export class KernelBug extends Error {
	constructor(invariant: string) {
		super(`kernel BUG: ${invariant}`);
		this.name = 'KernelBug';
	}
}

/** The kernel gives up, as it would on real hardware: no defect. */
export class KernelPanic extends Error {
	constructor(message: string) {
		super(message);
		this.name = 'KernelPanic';
	}
}

/** @throws KernelPanic always */
export function panic(message: string): never {
	throw new KernelPanic(message);
}

/** @throws KernelBug always */
export function BUG(invariant: string): never {
	throw new KernelBug(invariant);
}

/** @throws KernelBug when `condition` holds */
export function BUG_ON(condition: boolean, invariant: string): void {
	if (condition)
		BUG(invariant);
}

/** As BUG_ON; the kernel compiles it out without CONFIG_DEBUG_VM, here it is always on. */
export function VM_BUG_ON(condition: boolean, invariant: string): void {
	if (condition)
		BUG(invariant);
}

/** VM_BUG_ON about one page, whose pfn the message carries. */
export function VM_BUG_ON_PAGE(condition: boolean, page: number, invariant: string): void {
	if (condition)
		BUG(`page ${page}: ${invariant}`);
}

/**
 * The kernel prints a warning and goes on; a port that reaches one has gone astray, so here it
 * stops.
 */
export function WARN_ON_ONCE(condition: boolean, invariant: string): boolean {
	if (condition)
		BUG(`WARN_ON_ONCE: ${invariant}`);
	return condition;
}

/**
 * The running actor would sleep for something that only another one can give: a page lock held by
 * the reclaim it interrupted. Paths that can retry test first; who catches this runs the statement
 * again later.
 */
export class WouldBlock extends Error {
	constructor(what: string) {
		super(`would sleep for ${what}`);
		this.name = 'WouldBlock';
	}
}
