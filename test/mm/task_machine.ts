// SPDX-License-Identifier: GPL-2.0-only
/* A booted machine with init running, and what a program does: map, read, write. */
import { expect } from 'vitest';
import { MMU_FETCH, MMU_READ, MMU_USER, MMU_WRITE, mmu_access } from '../../src/arch/mmu.ts';
import { ram } from '../../src/arch/ram.ts';
import { nr_live } from '../../src/lib/struct.ts';
import { lru_add_drain_all } from '../../src/mm/swap.ts';
import { current, smp_processor_id } from '../../src/mm/current.ts';
import { fault_result } from '../../src/mm/fault.ts';
import { context_switch, do_exit, kernel_clone, kernel_wait4 } from '../../src/mm/fork.ts';
import { follow_pte } from '../../src/mm/memory.ts';
import { mm_boot, type MachineOptions } from '../../src/mm/mm_init.ts';
import { anon_vmas, avcs, mms, tasks, vmas, type file, type mm_struct, type page,
	type task_struct } from '../../src/mm/mm_types.ts';
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, MAP_SHARED, PROT_READ, PROT_WRITE, validate_mm }
	from '../../src/mm/mmap.ts';
import { drain_all_pages } from '../../src/mm/page_alloc.ts';
import { NR_FREE_PAGES, type zone } from '../../src/mm/mmzone.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { global_zone_page_state, vmstat_refresh } from '../../src/mm/vmstat.ts';

export const PAGE = 4096;
export const RW = PROT_READ | PROT_WRITE;

export function boot(options: Partial<MachineOptions> = {}): void {
	mm_boot({ ramBytes: 64 * 1024 * 1024, ...options });
}

/** mmap() of anonymous memory; at `addr` if it is given, else where the kernel likes. */
export function mmapAnon(nrPages: number, addr = 0, prot = RW, shared = false): number {
	const flags = MAP_ANONYMOUS | (shared ? MAP_SHARED : MAP_PRIVATE) | (addr ? MAP_FIXED : 0);
	return vm_mmap_pgoff(0 as file, addr, nrPages * PAGE, prot, flags, 0);
}

function access(addr: number, kind: number): number {
	const phys = mmu_access(smp_processor_id(), addr, kind | MMU_USER);
	if (phys < 0)
		throw new Error(`fault ${fault_result.v}`);
	return phys;
}
export function write32(addr: number, value: number): void {
	ram[access(addr, MMU_WRITE) >>> 2] = value;
}
export function read32(addr: number): number {
	return ram[access(addr, MMU_READ) >>> 2]!;
}
/** What the access of the kind is refused with, 0 if it is not. */
export function refused(addr: number, kind: 'read' | 'write' | 'fetch'): number {
	const bits = { read: MMU_READ, write: MMU_WRITE, fetch: MMU_FETCH }[kind];
	return mmu_access(smp_processor_id(), addr, bits | MMU_USER) < 0 ? fault_result.v : 0;
}

/** Low word of the entry at an address, 0 if it is not present. */
export function pteAt(mm: mm_struct, addr: number): number {
	const ptep = follow_pte(mm, addr);
	return ptep ? ram[ptep]! : 0;
}
/** The frame at an address, 0 for none. */
export function frameAt(mm: mm_struct, addr: number): page {
	return (pteAt(mm, addr) >>> 12) as page;
}

/** fork() of the running task, which goes on running. */
export function fork(flags = 0): task_struct {
	const child = kernel_clone(flags);
	if (child <= 0)
		throw new Error(`fork: ${child}`);
	return child as task_struct;
}
export function run(task: task_struct, cpu = smp_processor_id()): void {
	context_switch(cpu, task);
}
/** The task exits and its parent reaps it; the parent runs afterwards. */
export function exitAndWait(task: task_struct): void {
	const parent = tasks.parent[task];
	run(task);
	do_exit(0);
	run(parent);
	expect(kernel_wait4(task)).toBe(0);
}

/** Free pages of the machine, with nothing cached anywhere. */
export function freePages(): number {
	lru_add_drain_all();
	drain_all_pages(0 as zone);
	vmstat_refresh();
	return global_zone_page_state(NR_FREE_PAGES);
}

/** Which rows of the structs that describe mappings are in use. */
export function mappingRows(): number[] {
	return [nr_live(mms), nr_live(vmas), nr_live(anon_vmas), nr_live(avcs), nr_live(tasks)];
}

/**
 * The mappings of `nrPages` pages from `base` as a strip, a character a page: '.' is unmapped, A
 * the first vma, B the second and so on.
 */
export function strip(base: number, nrPages: number, mm = tasks.mm[current()]): string {
	let text = '';
	validate_mm(mm);
	for (let i = 0; i < nrPages; i++) {
		const addr = base + i * PAGE;
		let letter = '.', n = 0;
		for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma]) {
			if (vmas.vm_end[vma] <= base)
				continue;
			if (vmas.vm_start[vma] <= addr && addr < vmas.vm_end[vma])
				letter = String.fromCharCode(65 + n);
			n++;
		}
		text += letter;
	}
	return text;
}
