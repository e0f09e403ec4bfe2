// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory-management unit of each CPU: IA-32e paging with four levels (Intel SDM, volume 3A,
 * chapter 4), its registers, its TLB, and the #PF that it raises.
 * Left out: five levels, protection keys, shadow stacks, and paging-structure caches: a walk reads
 *	all four levels anew, which is one of the behaviours that the manual allows (4.10.3). No
 *	translation is cached ahead of an access to it.
 *
 * One TLB holds translations for data and instructions, in one set-associative array for each page
 * size. A slot is a tag and a word:
 *
 *	tag	page number + 2^35 + 1 + PCID * 2^37, for a global page as of PCID 4096; 0 for none
 *	word	frame | TLB_* bits, the rights being the combination of all levels
 *
 * What a cached translation allows depends on registers too, so each CPU has for each kind of
 * access a set of 16 bits: which combinations of W, U, X and D let it through. A change of
 * registers makes the sets anew, and a hit costs one look at the set.
 */
import { BUG, VM_BUG_ON } from '../lib/bug.ts';
import { carve } from '../lib/arena.ts';
import { f64, global_s32, nr_rows, s32, struct, u8, use_rows } from '../lib/struct.ts';
import { is_canonical, PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT } from './page.ts';
import { _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_PSE, _PAGE_USER, NX_HI,
	PFN_HI_MASK } from './pgtable_types.ts';
import { ram, ram_hi } from './ram.ts';

/** CPUs that a machine can have: a mask of them is an int32. */
export const NR_CPUS = 32;

/** Kinds of access: one of the first three, for supervisor mode unless with MMU_USER. */
export const MMU_READ = 0, MMU_WRITE = 1, MMU_FETCH = 2;
export const MMU_USER = 4;
/** An access that the processor makes for itself (to a descriptor table): always supervisor. */
export const MMU_IMPLICIT = 8;
const KIND = 3;

/** The error code of #PF (4.7). */
export const X86_PF_PROT = 1, X86_PF_WRITE = 2, X86_PF_USER = 4, X86_PF_RSVD = 8, X86_PF_INSTR = 16;
export const X86_TRAP_GP = 13, X86_TRAP_PF = 14;

export const X86_CR0_PE = 0x1, X86_CR0_WP = 0x10000, X86_CR0_PG = 0x80000000 | 0;
export const X86_CR4_PSE = 0x10, X86_CR4_PAE = 0x20, X86_CR4_PGE = 0x80, X86_CR4_LA57 = 0x1000,
	X86_CR4_PCIDE = 0x20000, X86_CR4_SMEP = 0x100000, X86_CR4_SMAP = 0x200000,
	X86_CR4_PKE = 0x400000, X86_CR4_CET = 0x800000;
export const EFER_SCE = 0x1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NX = 0x800;
const CR0_VALID = 0xe005003f | 0;
/* TSD, PVI, VME, DE, MCE, PCE, OSFXSR, OSXMMEXCPT, UMIP, FSGSBASE, OSXSAVE have no effect here. */
const CR4_VALID = 0x00050f4f | X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_PCIDE |
	X86_CR4_SMEP | X86_CR4_SMAP;
const EFER_VALID = EFER_SCE | EFER_LME | EFER_LMA | EFER_NX;
const CR3_PCID_MASK = 0xfff;

/**
 * Physical addresses have 32 bits, as CPUID says: no frame lies above 4 GiB. So bits 51:32 of every
 * entry are reserved.
 */
export const MAXPHYADDR = 32;

/** The registers of each CPU that bear on paging. Write them by the write_*() functions. */
export const mmu_cpus = struct<number>()('mmu_cpu', NR_CPUS, {
	cr0: s32,
	/* the linear address of the last #PF */
	cr2: f64,
	/* bits 51:0 */
	cr3: f64,
	cr4: s32,
	efer: s32,
	/* RFLAGS.AC: 1 while the kernel means to touch user memory */
	ac: u8,
	/* vector and error code of the last access that failed */
	fault_vector: s32,
	fault_code: s32,

	/* Slots filled since the TLB was last emptied; of these with large pages, and global. */
	nr_filled: s32,
	nr_large: s32,
	nr_global: s32,
});
const { cr0, cr2, cr3, cr4, efer, ac, fault_vector, fault_code, nr_filled, nr_large, nr_global } =
	mmu_cpus;

/** Whether the kernel uses PCIDs: 0 as with `nopcid`. */
export const mmu_pcid = global_s32('mmu_pcid');

/*
 * The low bits of a cached word: rights X (no execute), W, U and D as a number of 4 bits; valid (so
 * that no word is 0), the size if it is not 4 KiB, and global. W, U, valid and G lie where an entry
 * has R/W, U/S, A and G.
 */
export const TLB_NX = 1, TLB_W = 2, TLB_U = 4, TLB_D = 8;
export const TLB_VALID = 0x20, TLB_2M = 0x40, TLB_1G = 0x80, TLB_G = 0x100;
const RIGHTS = TLB_W | TLB_U | TLB_NX | TLB_D;

const VPN_BIAS = 2 ** 35 + 1;
const PCID_STEP = 2 ** 37;
const GLOBAL_TAG = VPN_BIAS + 4096 * PCID_STEP;

/* Slots of a CPU: those for 4 KiB, 2 MiB and 1 GiB pages, as many as can be configured. */
const SLOTS_SHIFT = 12;
const SLOTS = 1 << SLOTS_SHIFT;
const FIRST_SLOT = [64, 2112, 3136];
const SLOTS_MAX = [2048, 1024, 64];

/*
 * Before the slots, so that a hit reads two arrays and no more, lies what is made from the
 * registers. In tlb_word: for each kind of access the combinations of rights that let it through;
 * by size of page sets - 1 and ways; the word index of the top table; the bits of a high word that
 * are reserved. In tlb_tag: the counts, and what the tag of a page has beside its number.
 */
const ALLOWED = 0, SET_MASK = 16, WAYS = 19, TOP = 22, RESERVED_HI = 23;
const EVENTS = 0, TAG_BASE = 16;

const slots_used = () => nr_rows(mmu_cpus) << SLOTS_SHIFT;
const tlb_tag = carve('tlb.tag', Float64Array, NR_CPUS << SLOTS_SHIFT, slots_used);
const tlb_word = carve('tlb.word', Int32Array, NR_CPUS << SLOTS_SHIFT, slots_used);
/* The way of a set that is replaced next, at the set's first slot. */
const tlb_victim = carve('tlb.victim', Uint8Array, NR_CPUS << SLOTS_SHIFT, slots_used);

/** What is counted for each CPU, by the names of perf(1) where it has one. */
export const MMU_EVENTS = {
	'dTLB-loads': 0, 'dTLB-stores': 1, 'iTLB-loads': 2,
	'dTLB-load-misses': 4, 'dTLB-store-misses': 5, 'iTLB-load-misses': 6,
	'dtlb_load_misses.walk_completed': 8, 'dtlb_store_misses.walk_completed': 9,
	'itlb_misses.walk_completed': 10,
	'page-faults': 12, 'tlb_flush.stlb_any': 13, 'invlpg': 14,
} as const;
export type MmuEvent = keyof typeof MMU_EVENTS;
const MISS = EVENTS + 4, WALK = EVENTS + 8, FAULTS = EVENTS + 12, FLUSH = EVENTS + 13,
	INVLPG = EVENTS + 14;

/** How often an event has happened on a CPU since boot. */
export function mmu_event(cpu: number, name: MmuEvent): number {
	return tlb_tag[(cpu << SLOTS_SHIFT) + EVENTS + MMU_EVENTS[name]]!;
}

/**
 * What the operating system does about a #PF; it registers it when it loads. 0: the access is run
 * again; else it is given up.
 */
export const faultHandler: {
	page_fault: (cpu: number, addr: number, error_code: number) => number;
} = {
	page_fault: () => 1,
};

/* More faults of one access than that: what handles them makes no progress. */
const FAULTS_MAX = 1 << 16;

/*
 * Rights (4.6).
 */

/** Whether a translation with these rights lets an access through, as the registers are. */
function may_access(cpu: number, access: number, rights: number): boolean {
	const kind = access & KIND;
	const no_execute = (rights & TLB_NX) !== 0 && (efer[cpu] & EFER_NX) !== 0;

	if (kind === KIND || (kind === MMU_FETCH && no_execute))
		return false;
	/* So that a write sets D, a translation cached without D does not serve it. */
	if (kind === MMU_WRITE && !(rights & TLB_D))
		return false;
	if ((access & (MMU_USER | MMU_IMPLICIT)) === MMU_USER)
		return (rights & TLB_U) !== 0 && (kind !== MMU_WRITE || (rights & TLB_W) !== 0);
	if (rights & TLB_U) {
		if (kind === MMU_FETCH && cr4[cpu] & X86_CR4_SMEP)
			return false;
		if (kind !== MMU_FETCH && cr4[cpu] & X86_CR4_SMAP &&
		    (!ac[cpu] || (access & MMU_IMPLICIT) !== 0))
			return false;
	}
	return kind !== MMU_WRITE || (rights & TLB_W) !== 0 || !(cr0[cpu] & X86_CR0_WP);
}

/** Make anew what is made from the registers. */
function registers_changed(cpu: number): void {
	const pcid = cr4[cpu] & X86_CR4_PCIDE ? cr3[cpu] & CR3_PCID_MASK : 0;
	const base = cpu << SLOTS_SHIFT;

	for (let access = 0; access < 16; access++) {
		let set = 0;
		for (let rights = 0; rights < 16; rights++) {
			if (may_access(cpu, access, rights))
				set |= 1 << rights;
		}
		tlb_word[base + ALLOWED + access] = set;
	}
	tlb_word[base + TOP] = table_at(cr3[cpu]);
	tlb_word[base + RESERVED_HI] = efer[cpu] & EFER_NX ? PFN_HI_MASK : PFN_HI_MASK | NX_HI;
	tlb_tag[base + TAG_BASE] = VPN_BIAS + pcid * PCID_STEP;
}

/*
 * The walk (4.5). What a two-dimensional walk needs too is apart: entry_reserved() for one entry,
 * page_fault_code() for the outcome.
 *
 * Accessed and dirty (4.8): "Whenever the processor uses a paging-structure entry as part of
 * linear-address translation, it sets the accessed flag in that entry". An access that faults has
 * no translation that it may use (4.7), so here it sets nothing, at any level; the manual does not
 * forbid a processor to have set A above the entry that stopped it. An access that goes through
 * sets A in all entries from the top to the leaf, top first, and if it writes, D in the leaf, the
 * entry "that identifies the final physical address", in one store with its A. A walk for a fetch
 * or a read leaves D as it is.
 */

/** Whether a present entry of a level (4 the top, 1 the lowest) has a reserved bit set. */
export function entry_reserved(level: number, lo: number, hi: number, reserved: number): boolean {
	if (hi & reserved)
		return true;
	if (!(lo & _PAGE_PSE))
		return false;
	switch (level) {
	case 4:
		return true;
	case 3:
		return (lo & 0x3fffe000) !== 0;
	case 2:
		return (lo & 0x001fe000) !== 0;
	default:
		return false;
	}
}

/** The error code of an access that fails; `cause` is 0 or of X86_PF_PROT and X86_PF_RSVD. */
export function page_fault_code(cpu: number, access: number, cause: number): number {
	let code = cause;

	if ((access & KIND) === MMU_WRITE)
		code |= X86_PF_WRITE;
	if ((access & (MMU_USER | MMU_IMPLICIT)) === MMU_USER)
		code |= X86_PF_USER;
	/* PAE is on wherever these tables are used. */
	if ((access & KIND) === MMU_FETCH && (efer[cpu] & EFER_NX || cr4[cpu] & X86_CR4_SMEP))
		code |= X86_PF_INSTR;
	return code;
}

/** Note a #PF. It drops what is cached for the address (4.10.4.1). Returns 0: no translation. */
function page_fault(cpu: number, addr: number, access: number, cause: number): number {
	fault_vector[cpu] = X86_TRAP_PF;
	fault_code[cpu] = page_fault_code(cpu, access, cause);
	cr2[cpu] = addr;
	tlb_tag[(cpu << SLOTS_SHIFT) + FAULTS]!++;
	if (nr_filled[cpu])
		invalidate(cpu, addr, tag_base(cpu), true);
	return 0;
}

/** Set A in a table's entry. */
function mark_used(ptep: number, entry: number): void {
	if (!(entry & _PAGE_ACCESSED))
		ram[ptep] = entry | _PAGE_ACCESSED;
}

/** Word index of the frame that an entry names. */
function table_at(entry: number): number {
	return entry >>> 12 << 10;
}

/**
 * The whole walk, an entry at a time: for large pages and for everything that faults. Beyond the
 * RAM there is nothing, which reads as ones.
 */
function walk_by_level(cpu: number, addr: number, access: number): number {
	const lo = addr | 0, mid = Math.floor(addr / 0x20000000) | 0;
	const base = cpu << SLOTS_SHIFT;
	const reserved = tlb_word[base + RESERVED_HI]!;
	let all = -1, any_hi = 0;
	let size = 0, frame_mask = ~0xfff;
	let p3 = 0, e3 = 0, p2 = 0, e2 = 0, leaf: number, entry: number;

	const p4 = tlb_word[base + TOP]! + (mid >>> 9 & 0x3fe), e4 = ram[p4] ?? -1;
	let high = ram[p4 + 1] ?? -1;
	if (!(e4 & _PAGE_PRESENT))
		return page_fault(cpu, addr, access, 0);
	if (entry_reserved(4, e4, high, reserved))
		return page_fault(cpu, addr, access, X86_PF_PROT | X86_PF_RSVD);
	all &= e4;
	any_hi |= high;

	descend: {
		leaf = table_at(e4) + (mid & 0x3fe);
		entry = ram[leaf] ?? -1;
		high = ram[leaf + 1] ?? -1;
		if (!(entry & _PAGE_PRESENT))
			return page_fault(cpu, addr, access, 0);
		if (entry_reserved(3, entry, high, reserved))
			return page_fault(cpu, addr, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= high;
		if (entry & _PAGE_PSE) {
			size = TLB_1G;
			frame_mask = ~0x3fffffff;
			break descend;
		}

		p3 = leaf;
		e3 = entry;
		leaf = table_at(e3) + (lo >>> 20 & 0x3fe);
		entry = ram[leaf] ?? -1;
		high = ram[leaf + 1] ?? -1;
		if (!(entry & _PAGE_PRESENT))
			return page_fault(cpu, addr, access, 0);
		if (entry_reserved(2, entry, high, reserved))
			return page_fault(cpu, addr, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= high;
		if (entry & _PAGE_PSE) {
			size = TLB_2M;
			frame_mask = ~0x1fffff;
			break descend;
		}

		p2 = leaf;
		e2 = entry;
		leaf = table_at(e2) + (lo >>> 11 & 0x3fe);
		entry = ram[leaf] ?? -1;
		high = ram[leaf + 1] ?? -1;
		if (!(entry & _PAGE_PRESENT))
			return page_fault(cpu, addr, access, 0);
		if (entry_reserved(1, entry, high, reserved))
			return page_fault(cpu, addr, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= high;
	}

	const rights = all & (TLB_W | TLB_U) | any_hi >>> 31;
	if (!(tlb_word[base + ALLOWED + access]! >>> (rights | TLB_D) & 1))
		return page_fault(cpu, addr, access, X86_PF_PROT);

	mark_used(p4, e4);
	if (p3)
		mark_used(p3, e3);
	if (p2)
		mark_used(p2, e2);
	const want = access & MMU_WRITE ? _PAGE_ACCESSED | _PAGE_DIRTY : _PAGE_ACCESSED;
	if ((entry & want) !== want) {
		entry |= want;
		ram[leaf] = entry;
	}
	return entry & (frame_mask | TLB_G) | rights | entry >>> 3 & TLB_D | TLB_VALID | size;
}

/**
 * Walk the tables for an access and set A and D. Returns frame | TLB_* of the translation, or 0
 * where it faults; then fault_code and CR2 say how.
 *
 * Here the common case: a read or write of user mode, four levels, all in order, the tables in use
 * and with all rights; read at once and judged together. An entry that is not present names some
 * frame, reading which does no harm. All is written out, numbers too, because the compiler makes
 * this function part of its caller only if its bytecode is short.
 */
export function mmu_walk(cpu: number, addr: number, access: number): number {
	const base = cpu << 12, lo = addr | 0, mid = Math.floor(addr * 2 ** -29) | 0;
	const p4 = tlb_word[base + 22]! | mid >>> 9 & 0x3fe, e4 = ram[p4]!;
	const p3 = e4 >>> 12 << 10 | mid & 0x3fe, e3 = ram[p3]!;
	const p2 = e3 >>> 12 << 10 | lo >>> 20 & 0x3fe, e2 = ram[p2]!;
	const p1 = e2 >>> 12 << 10 | lo >>> 11 & 0x3fe, e1 = ram[p1]!;
	const high = ram_hi[p4]! | ram_hi[p3]! | ram_hi[p2]! | ram_hi[p1]!;
	/* P and U, and W if it writes. */
	const need = (access & 1) << 1 | 5;

	/* P, W, U and A of each table, and no S; nothing reserved. */
	if (((e4 ^ 0x27 | e3 ^ 0x27 | e2 ^ 0x27) & 0xa7) !== 0 || (e1 & need) !== need ||
	    (high & tlb_word[base + 23]!) !== 0 || (access & ~1) !== 4)
		return walk_by_level(cpu, addr, access);
	const leaf = e1 | ((access & 1) << 6 | 0x20);
	if (leaf !== e1)
		ram[p1] = leaf;
	return leaf & (~0xfff | 0x126) | high >>> 31 | leaf >>> 3 & 8;
}

/*
 * The TLB (4.10).
 */

/* By size of page: 4 KiB, 2 MiB, 1 GiB. */
const SIZE_SHIFT = [PAGE_SHIFT, PMD_SHIFT, PUD_SHIFT];

/** First slot of the set in which a page of a size would be. */
function set_of(cpu: number, size: number, vpn: number): number {
	const base = cpu << SLOTS_SHIFT, set = (vpn | 0) & tlb_word[base + SET_MASK + size]!;

	return base + FIRST_SLOT[size]! + set * tlb_word[base + WAYS + size]!;
}

function tag_base(cpu: number): number {
	return tlb_tag[(cpu << SLOTS_SHIFT) + TAG_BASE]!;
}

function ways_of(cpu: number, size: number): number {
	return tlb_word[(cpu << SLOTS_SHIFT) + WAYS + size]!;
}

/** The slot behind the last one of a size that is configured. */
function end_of(cpu: number, size: number): number {
	return set_of(cpu, size, -1) + ways_of(cpu, size);
}

/** The slot that has a tag in its set, or -1. */
function find_slot(first: number, ways: number, tag: number): number {
	for (let slot = first; slot < first + ways; slot++) {
		if (tlb_tag[slot] === tag)
			return slot;
	}
	return -1;
}

function clear_slot(slot: number): void {
	tlb_tag[slot] = 0;
	tlb_word[slot] = 0;
}

/** Drop an address's translations of one PCID, in all sizes, and maybe global ones. */
function invalidate(cpu: number, addr: number, base: number, global: boolean): void {
	const sizes = nr_large[cpu] ? 3 : 1;

	for (let size = 0; size < sizes; size++) {
		const vpn = Math.floor(addr / 2 ** SIZE_SHIFT[size]!);
		const first = set_of(cpu, size, vpn), ways = ways_of(cpu, size);
		for (let slot = first; slot < first + ways; slot++) {
			const tag = tlb_tag[slot];
			if (tag === vpn + base || (global && tag === vpn + GLOBAL_TAG))
				clear_slot(slot);
		}
	}
}

/** Empty a CPU's TLB. */
function flush_everything(cpu: number): void {
	tlb_tag[(cpu << SLOTS_SHIFT) + FLUSH]!++;
	empty(cpu);
}

function empty(cpu: number): void {
	if (!nr_filled[cpu])
		return;
	const sizes = nr_large[cpu] ? 3 : 1;
	for (let size = 0; size < sizes; size++) {
		const first = set_of(cpu, size, 0), end = end_of(cpu, size);
		tlb_tag.fill(0, first, end);
		tlb_word.fill(0, first, end);
		tlb_victim.fill(0, first, end);
	}
	nr_filled[cpu] = 0;
	nr_large[cpu] = 0;
	nr_global[cpu] = 0;
}

/** Drop the translations that are not global: of one PCID, or of all (-1). */
function flush_pcid(cpu: number, pcid: number): void {
	tlb_tag[(cpu << SLOTS_SHIFT) + FLUSH]!++;
	if (!nr_global[cpu] && (pcid < 0 || !(cr4[cpu] & X86_CR4_PCIDE))) {
		empty(cpu);
		return;
	}
	if (!nr_filled[cpu])
		return;
	const low = pcid < 0 ? 1 : pcid * PCID_STEP + 1;
	const high = pcid < 0 ? 4096 * PCID_STEP : (pcid + 1) * PCID_STEP;
	const sizes = nr_large[cpu] ? 3 : 1;
	for (let size = 0; size < sizes; size++) {
		const end = end_of(cpu, size);
		for (let slot = set_of(cpu, size, 0); slot < end; slot++) {
			const tag = tlb_tag[slot]!;
			if (tag >= low && tag < high)
				clear_slot(slot);
		}
	}
}

/**
 * Choose how many sets (a power of 2) and ways the TLBs have for a size of page (0: 4 KiB,
 * 1: 2 MiB, 2: 1 GiB). All are emptied.
 */
export function mmu_configure_tlb(size: 0 | 1 | 2, sets: number, ways: number): void {
	VM_BUG_ON(sets < 1 || (sets & (sets - 1)) !== 0 || ways < 1 || ways > 255 ||
		sets * ways > SLOTS_MAX[size]!, `a TLB of ${sets} sets of ${ways} ways`);
	for (let cpu = 0; cpu < nr_rows(mmu_cpus); cpu++) {
		empty(cpu);
		tlb_word[(cpu << SLOTS_SHIFT) + SET_MASK + size] = sets - 1;
		tlb_word[(cpu << SLOTS_SHIFT) + WAYS + size] = ways;
	}
}

/** A cached translation, for dumps and tests. */
export interface TlbEntry {
	/** First address of the page. */
	address: number;
	/** 4096, or the size of a large page. */
	bytes: number;
	/** -1 for a global page. */
	pcid: number;
	pfn: number;
	writable: boolean;
	user: boolean;
	executable: boolean;
	dirty: boolean;
}

/** What a CPU has cached, by size and slot. */
export function tlb_entries(cpu: number): TlbEntry[] {
	const found: TlbEntry[] = [];

	for (let slot = FIRST_SLOT[0]!; slot < SLOTS; slot++) {
		const tag = tlb_tag[(cpu << SLOTS_SHIFT) + slot]!;
		const word = tlb_word[(cpu << SLOTS_SHIFT) + slot]!;
		if (!tag)
			continue;
		const space = Math.floor(tag / PCID_STEP);
		const bytes = 2 ** SIZE_SHIFT[word & TLB_1G ? 2 : word & TLB_2M ? 1 : 0]!;
		found.push({
			address: (tag - space * PCID_STEP - VPN_BIAS) * bytes,
			bytes,
			pcid: space === 4096 ? -1 : space,
			pfn: word >>> 12,
			writable: (word & TLB_W) !== 0,
			user: (word & TLB_U) !== 0,
			executable: (word & TLB_NX) === 0,
			dirty: (word & TLB_D) !== 0,
		});
	}
	return found;
}

/*
 * Accesses.
 */

/** The part of a physical address that comes from a cached word. */
function physical(word: number, addr: number): number {
	if (word & TLB_2M)
		return (word & ~0xfff | (addr | 0) & 0x1fffff) >>> 0;
	if (word & TLB_1G)
		return (word & ~0xfff | (addr | 0) & 0x3fffffff) >>> 0;
	return (word & ~0xfff | (addr | 0) & 0xfff) >>> 0;
}

/**
 * mmu_translate() of what is not cached in the simplest way: look up, walk, fill. In one piece, and
 * so too long for the compiler to make it part of every access.
 */
function translate_slowly(cpu: number, addr: number, access: number): number {
	const kind = access & KIND, base = cpu << SLOTS_SHIFT;

	if (kind === KIND)
		BUG(`what access is ${access}?`);
	if (!is_canonical(addr)) {
		fault_vector[cpu] = X86_TRAP_GP;
		fault_code[cpu] = 0;
		return -1;
	}
	if (!(cr0[cpu] & X86_CR0_PG))
		return (addr | 0) >>> 0;
	tlb_tag[base + EVENTS + kind]!++;

	/* Of any size, and global ones. */
	let word: number, slot = -1;
	const sizes = !nr_filled[cpu] ? 0 : nr_large[cpu] ? 3 : 1;
	for (let size = 0; slot < 0 && size < sizes; size++) {
		const vpn = Math.floor(addr / 2 ** SIZE_SHIFT[size]!);
		const first = set_of(cpu, size, vpn), ways = ways_of(cpu, size);
		slot = find_slot(first, ways, vpn + tag_base(cpu));
		if (slot < 0 && nr_global[cpu])
			slot = find_slot(first, ways, vpn + GLOBAL_TAG);
	}
	if (slot >= 0) {
		word = tlb_word[slot]!;
		if (tlb_word[base + ALLOWED + access]! >>> (word & RIGHTS) & 1)
			return physical(word, addr);
	} else {
		tlb_tag[base + MISS + kind]!++;
	}

	/*
	 * Nothing cached, or not for this access: the tables decide. So a translation that has
	 * become more permissive is found without a fault, and a write sets D.
	 */
	tlb_tag[base + WALK + kind]!++;
	word = mmu_walk(cpu, addr, access);
	if (!word)
		return -1;

	/*
	 * Cache it in place of what the page had; else in a free way, else round robin. What the
	 * address had in another size or as a global page goes too: of two translations the
	 * processor may use either, and here it is the newer.
	 */
	if (!(cr4[cpu] & X86_CR4_PGE))
		word &= ~TLB_G;
	if (nr_large[cpu] || nr_global[cpu] || word & (TLB_G | TLB_1G | TLB_2M))
		invalidate(cpu, addr, tag_base(cpu), true);
	const size = word & TLB_1G ? 2 : word & TLB_2M ? 1 : 0;
	const vpn = Math.floor(addr / 2 ** SIZE_SHIFT[size]!);
	const tag = vpn + (word & TLB_G ? GLOBAL_TAG : tag_base(cpu));
	const first = set_of(cpu, size, vpn), ways = ways_of(cpu, size);
	slot = find_slot(first, ways, tag);
	if (slot < 0)
		slot = find_slot(first, ways, 0);
	if (slot < 0) {
		const way = tlb_victim[first]!;
		tlb_victim[first] = way + 1 < ways ? way + 1 : 0;
		slot = first + way;
	}
	tlb_tag[slot] = tag;
	tlb_word[slot] = word;
	nr_filled[cpu]++;
	if (size)
		nr_large[cpu]++;
	if (word & TLB_G)
		nr_global[cpu]++;
	return physical(word, addr);
}

/**
 * Translate for one access, as the hardware does, with all that it does on the way: TLB, accessed
 * and dirty bits, counts. Numbers are written out to keep the bytecode short.
 * @param cpu whose registers and TLB
 * @param addr linear address
 * @param access MMU_READ, MMU_WRITE or MMU_FETCH; | MMU_USER or MMU_IMPLICIT
 * @returns the physical address in bytes, or -1 where it faults; then mmu_cpus has fault_vector
 *	(X86_TRAP_PF with fault_code and cr2, or X86_TRAP_GP)
 */
export function mmu_translate(cpu: number, addr: number, access: number): number {
	if (addr >= -0x800000000000 && addr < 0x800000000000) {
		const base = cpu << 12, lo = addr | 0;
		const tag = Math.floor(addr / 4096) + tlb_tag[base + 16]!;
		const ways = tlb_word[base + 19]!;
		let slot = base + 64 + (lo >>> 12 & tlb_word[base + 16]!) * ways;
		for (const end = slot + ways; slot < end; slot++) {
			if (tlb_tag[slot] !== tag)
				continue;
			const word = tlb_word[slot]!;
			if (!(tlb_word[base + access]! >>> word & 1))
				break;
			tlb_tag[base + (access & 3)]!++;
			return (word & ~0xfff | lo & 0xfff) >>> 0;
		}
	}
	return translate_slowly(cpu, addr, access);
}

/**
 * An access of a program: mmu_translate(), and on a #PF the fault handler, until it goes through or
 * the handler refuses.
 * @returns the physical address in bytes, or -1 where it was refused, or is not canonical
 */
export function mmu_access(cpu: number, addr: number, access: number): number {
	const at = mmu_translate(cpu, addr, access);

	return at >= 0 ? at : access_after_fault(cpu, addr, access);
}

function access_after_fault(cpu: number, addr: number, access: number): number {
	for (let faults = 0; faults < FAULTS_MAX; faults++) {
		if (fault_vector[cpu] !== X86_TRAP_PF)
			return -1;
		if (faultHandler.page_fault(cpu, addr, fault_code[cpu]) !== 0)
			return -1;
		const at = mmu_translate(cpu, addr, access);
		if (at >= 0)
			return at;
	}
	return BUG(`the access to ${addr} faults for ever`);
}

/*
 * Registers. What would be #GP returns false and changes nothing.
 */

/** MOV to CR0. Paging is long mode's or none. */
export function write_cr0(cpu: number, value: number): boolean {
	const on = (value & X86_CR0_PG) !== 0, was_on = (cr0[cpu] & X86_CR0_PG) !== 0;

	if (value & ~CR0_VALID || (on && !(value & X86_CR0_PE)))
		return false;
	if (on && !was_on && !(efer[cpu] & EFER_LME && cr4[cpu] & X86_CR4_PAE))
		return false;
	if (!on && cr4[cpu] & X86_CR4_PCIDE)
		return false;
	cr0[cpu] = value;
	efer[cpu] = on ? efer[cpu] | EFER_LMA : efer[cpu] & ~EFER_LMA;
	registers_changed(cpu);
	if (was_on && !on)
		flush_everything(cpu);
	return true;
}

/**
 * MOV to CR3. Flushes what is not global: of the new PCID if there are PCIDs, and then not even
 * that with `noflush`.
 * @param value bits 51:0; without CR4.PCIDE, only PWT and PCD of bits 11:0 are not ignored
 * @param noflush bit 63, for CR4.PCIDE only
 */
export function write_cr3(cpu: number, value: number, noflush = false): boolean {
	const pcide = (cr4[cpu] & X86_CR4_PCIDE) !== 0;

	if (value < 0 || value >= 2 ** MAXPHYADDR || (noflush && !pcide))
		return false;
	const pcid = pcide ? value & CR3_PCID_MASK : 0;
	cr3[cpu] = value;
	tlb_word[(cpu << SLOTS_SHIFT) + TOP] = table_at(value);
	tlb_tag[(cpu << SLOTS_SHIFT) + TAG_BASE] = VPN_BIAS + pcid * PCID_STEP;
	if (!noflush)
		flush_pcid(cpu, pcid);
	return true;
}

export function read_cr3(cpu: number): number {
	return cr3[cpu];
}

/** MOV to CR4. Five levels and what else is not emulated are refused, as by a CPU without them. */
export function write_cr4(cpu: number, value: number): boolean {
	const old = cr4[cpu], changed = old ^ value;
	const paging = (cr0[cpu] & X86_CR0_PG) !== 0;

	if (value & ~CR4_VALID || (paging && !(value & X86_CR4_PAE)))
		return false;
	if (changed & value & X86_CR4_PCIDE && (!paging || (cr3[cpu] & CR3_PCID_MASK) !== 0))
		return false;
	cr4[cpu] = value;
	registers_changed(cpu);
	if (changed & X86_CR4_PGE || changed & old & X86_CR4_PCIDE)
		flush_everything(cpu);
	else if (changed & value & X86_CR4_SMEP)
		flush_pcid(cpu, value & X86_CR4_PCIDE ? cr3[cpu] & CR3_PCID_MASK : 0);
	return true;
}

/** WRMSR to EFER. LMA cannot be written: it follows CR0.PG. */
export function write_efer(cpu: number, value: number): boolean {
	if (value & ~EFER_VALID || (cr0[cpu] & X86_CR0_PG && (value ^ efer[cpu]) & EFER_LME))
		return false;
	efer[cpu] = value & ~EFER_LMA | efer[cpu] & EFER_LMA;
	registers_changed(cpu);
	return true;
}

/** STAC: the kernel means to touch user memory. */
export function stac(cpu: number): void {
	ac[cpu] = 1;
	registers_changed(cpu);
}

/** CLAC */
export function clac(cpu: number): void {
	ac[cpu] = 0;
	registers_changed(cpu);
}

/** INVLPG: an address's translations, of the current PCID and global ones. */
export function invlpg(cpu: number, addr: number): void {
	tlb_tag[(cpu << SLOTS_SHIFT) + INVLPG]!++;
	if (is_canonical(addr) && nr_filled[cpu])
		invalidate(cpu, addr, tag_base(cpu), true);
}

/**
 * INVPCID. Type 0: an address of a PCID; 1: a PCID; both but for global pages; 2: everything;
 * 3: everything but global pages.
 */
export function invpcid(cpu: number, type: number, pcid: number, addr: number): boolean {
	if (type < 0 || type > 3 || pcid < 0 || pcid > CR3_PCID_MASK)
		return false;
	if (type <= 1 && pcid !== 0 && !(cr4[cpu] & X86_CR4_PCIDE))
		return false;
	switch (type) {
	case 0:
		if (!is_canonical(addr))
			return false;
		invalidate(cpu, addr, VPN_BIAS + pcid * PCID_STEP, false);
		break;
	case 1:
		flush_pcid(cpu, pcid);
		break;
	case 2:
		flush_everything(cpu);
		break;
	default:
		flush_pcid(cpu, -1);
	}
	return true;
}

/*
 * Power-on.
 */

/* As Haswell: 1,024 small pages in 8 ways, 32 of 2 MiB in 4 ways, 4 of 1 GiB. */
const DEFAULT_SETS = [128, 8, 1], DEFAULT_WAYS = [8, 4, 4];

/**
 * Take `cpus` CPUs into use, with paging as the kernel has it when it has booted, and CR3 0.
 * @param pcid whether the kernel uses PCIDs (it was not booted with nopcid)
 */
export function mmu_init(cpus: number, pcid: boolean): void {
	VM_BUG_ON(cpus < 1 || cpus > NR_CPUS, `${cpus} CPUs`);
	use_rows(mmu_cpus, cpus);
	mmu_pcid.v = pcid ? 1 : 0;
	for (const size of [0, 1, 2] as const)
		mmu_configure_tlb(size, DEFAULT_SETS[size]!, DEFAULT_WAYS[size]!);
	for (let cpu = 0; cpu < cpus; cpu++) {
		const features = X86_CR4_PSE | X86_CR4_PAE | X86_CR4_PGE | X86_CR4_SMEP |
			X86_CR4_SMAP;
		const done = write_efer(cpu, EFER_SCE | EFER_LME | EFER_NX) &&
			write_cr4(cpu, features) &&
			write_cr0(cpu, X86_CR0_PE | X86_CR0_WP | X86_CR0_PG) &&
			(!pcid || write_cr4(cpu, features | X86_CR4_PCIDE));
		VM_BUG_ON(!done, 'the registers of a CPU that starts were refused');
		tlb_tag.fill(0, (cpu << SLOTS_SHIFT) + EVENTS, (cpu << SLOTS_SHIFT) + TAG_BASE);
	}
}
