// SPDX-License-Identifier: GPL-2.0-only
/* Page tables for tests, in frames from a counter; no allocator is needed. */
import { pgd_none, pgd_offset_pgd, pgd_populate, pmd_none, pmd_offset, pmd_populate, pte_offset_map,
	pud_none, pud_offset, pud_populate, set_pte, type ptep } from '../../src/arch/pgtable.ts';
import { clear_frame, ram, use_frame } from '../../src/arch/ram.ts';

/** Hands out empty frames from `first` on. */
export class Frames {
	#next: number;
	constructor(first: number) {
		this.#next = first;
	}
	take(): number {
		const pfn = this.#next++;
		use_frame(pfn);
		clear_frame(pfn);
		return pfn;
	}
}

/** The entry of an address at a level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB), with the tables above it. */
export function entryFor(frames: Frames, top: number, addr: number, level: 1 | 2 | 3 = 1): ptep {
	const pgd = pgd_offset_pgd(top, addr);
	if (pgd_none(ram[pgd]!))
		pgd_populate(pgd, frames.take());
	const pud = pud_offset(pgd, addr);
	if (level === 3)
		return pud;
	if (pud_none(ram[pud]!))
		pud_populate(pud, frames.take());
	const pmd = pmd_offset(pud, addr);
	if (level === 2)
		return pmd;
	if (pmd_none(ram[pmd]!))
		pmd_populate(pmd, frames.take());
	return pte_offset_map(pmd, addr);
}

/** Map a page (of any size: `level`) to a frame with flags; returns its entry. */
export function map(
	frames: Frames, top: number, addr: number, pfn: number, flags: number, level: 1 | 2 | 3 = 1,
): ptep {
	const at = entryFor(frames, top, addr, level);

	set_pte(at, pfn << 12 | flags, 0);
	return at;
}
