// SPDX-License-Identifier: GPL-2.0-only
/*
 * A processor that runs a guest: its registers, the two-dimensional walk (guest tables in guest
 * memory, each step translated by the nested tables) and the TLB for guests of each CPU.
 *	EPT: Intel SDM, volume 3C, chapter 28 (28.2.4 accessed and dirty flags, 28.3 caching)
 *	NPT: AMD APM, volume 2, 15.25 (15.25.6 faults, 15.16 ASIDs)
 * Left out: guests with 32-bit or PAE paging of their own, PCIDs, protection keys, SMEP and SMAP of
 *	a guest, paging-structure caches, execute-only EPT entries, page-modification logs. All
 *	frames lie below 4 GiB, so bits 51:32 of every entry are reserved.
 *
 * Accessed and dirty. A nested entry that a walk uses gets A, the last one D if the access writes,
 * in NPT and in EPT with its A/D bits on; without, nothing. A nested walk that faults sets nothing.
 * An access to a guest table is a write for the nested tables in NPT, and in EPT with A/D bits on;
 * in EPT without, it is a write only where the processor then sets A or D in the guest's entry.
 * Guest entries get A and D when the guest's tables let the access through, before its last
 * nested walk.
 *
 *	 63  62      52 51          32 31          12 11 10  9 8 7 6 5 4 3 2 1 0
 *	+--+-----------+--------------+--------------+-----+-+-+-+-+-+-+-+-+-+-+
 *	|  | ignored   | reserved     | frame        | ign.|D|A|S|I| MT  |X|W|R|	EPT
 *	+--+-----------+--------------+--------------+-----+-+-+-+-+-+-+-+-+-+-+
 *	|NX| ignored   | reserved     | frame        | ign.|.|G|S|D|A|C|T|U|W|P|	NPT
 *	+--+-----------+--------------+--------------+-----+-+-+-+-+-+-+-+-+-+-+
 *	high word                      low word
 *
 * A slot of the TLB is a tag and a word, as in mmu.ts. What a tag has beside the page number is the
 * number of a space: one for each pair of VPID or ASID and nested root.
 */
import { BUG, VM_BUG_ON } from '../lib/bug.ts';
import { carve } from '../lib/arena.ts';
import { f64, global_s32, nr_rows, s32, struct, use_rows, type ptr } from '../lib/struct.ts';
import { entry_reserved, EFER_LMA, EFER_NX, mmu_cpus, MMU_FETCH, MMU_WRITE, NR_CPUS, X86_CR0_PG,
	X86_PF_INSTR, X86_PF_PROT, X86_PF_RSVD, X86_PF_USER, X86_PF_WRITE } from './mmu.ts';
import { _PAGE_ACCESSED, _PAGE_DIRTY, _PAGE_PRESENT, _PAGE_PSE, _PAGE_RW, _PAGE_USER, NX_HI,
	PFN_HI_MASK } from './pgtable_types.ts';
import { ram, ram_hi } from './ram.ts';

/** A virtual CPU's state in the processor: what a VMCS or VMCB holds. */
export type guest_cpu = ptr<'guest_cpu'>;

/** How guest-physical addresses become physical ones. */
export const NESTED_NONE = 0, NESTED_NPT = 1, NESTED_EPT = 2, NESTED_EPT_AD = 3;

/** Why a guest was left. */
export const EXIT_NONE = 0;
/** NPT: #VMEXIT(NPF), exit_code being its error code. */
export const EXIT_NPF = 1;
/** EPT violation, exit_code being the exit qualification. */
export const EXIT_EPT_VIOLATION = 2;
export const EXIT_EPT_MISCONFIG = 3;
/** #PF of the guest: of its own tables if they are nested, else of those that KVM made. */
export const EXIT_PF = 4;

export const VMX_EPT_READABLE_MASK = 0x1, VMX_EPT_WRITABLE_MASK = 0x2,
	VMX_EPT_EXECUTABLE_MASK = 0x4, VMX_EPT_IPAT_BIT = 0x40, VMX_EPT_ACCESS_BIT = 0x100,
	VMX_EPT_DIRTY_BIT = 0x200, VMX_EPT_MT_EPTE_SHIFT = 3;
export const VMX_EPT_RWX_MASK = 0x7, MTRR_TYPE_WRBACK = 6;
/* exit qualification of an EPT violation */
export const EPT_VIOLATION_ACC_READ = 1, EPT_VIOLATION_ACC_WRITE = 2, EPT_VIOLATION_ACC_INSTR = 4,
	EPT_VIOLATION_READABLE = 8, EPT_VIOLATION_WRITABLE = 0x10,
	EPT_VIOLATION_EXECUTABLE = 0x20, EPT_VIOLATION_GVA_IS_VALID = 0x80,
	EPT_VIOLATION_GVA_TRANSLATED = 0x100;
/* error code of a nested page fault, bits 32 and 33 */
export const NPF_GUEST_FINAL = 2 ** 32, NPF_GUEST_PAGE = 2 ** 33;

const GUEST_CPUS = 1024;
export const guest_cpus = struct<guest_cpu>()('guest_cpu', GUEST_CPUS, {
	cr0: s32,
	/* guest-physical; with NESTED_NONE what KVM has loaded: physical */
	cr3: f64,
	cr4: s32,
	efer: s32,
	/* NESTED_* */
	format: s32,
	/* frame of the nested tables' root, 0 for none */
	root: s32,
	/* VPID or ASID, 1 up */
	asid: s32,
	/* 1 + row of nested_spaces of the pair (asid, root) that is loaded; 0 none */
	space: s32,
	/* what a tag of that space has beside the page number */
	tag_base: f64,

	/* the last exit: EXIT_*, its code, and the guest-physical or (EXIT_PF) linear address */
	exit_reason: s32,
	exit_code: f64,
	exit_address: f64,
});
const { cr0, cr3, efer, format, root, asid, space, tag_base, exit_reason, exit_code,
	exit_address } =
	guest_cpus;

/* Pairs of VPID or ASID and nested root that translations are cached for. */
type nested_space = ptr<'nested_space'>;
const SPACES = 4096;
const nested_spaces = struct<nested_space>()('nested_space', SPACES, { asid: s32, root: s32 });
const nr_spaces = global_s32('nested_spaces');

/* The low bits of a cached word. */
export const NTLB_W = 1, NTLB_U = 2, NTLB_NX = 4, NTLB_D = 8, NTLB_VALID = 0x20;

/* 1,024 small pages in 8 ways: large ones are cached a small page at a time. */
const SETS = 128, WAYS_SHIFT = 3, SLOTS_SHIFT = 10;
const WAYS = 1 << WAYS_SHIFT;
const SPACE_STEP = 2 ** 37, VPN_BIAS = 2 ** 35 + 1;
const slots_used = (): number => nr_rows(mmu_cpus) << SLOTS_SHIFT;
const ntlb_tag = carve('nested_tlb.tag', Float64Array, NR_CPUS << SLOTS_SHIFT, slots_used);
const ntlb_word = carve('nested_tlb.word', Int32Array, NR_CPUS << SLOTS_SHIFT, slots_used);
const ntlb_victim = carve('nested_tlb.victim', Uint8Array, NR_CPUS * SETS,
	() => nr_rows(mmu_cpus) * SETS);
/* Slots of each CPU that are filled since it was emptied. */
const ntlb_filled = carve('nested_tlb.filled', Int32Array, NR_CPUS, () => NR_CPUS);
/* By CPU: hits, misses, flushes. */
const EVENTS = 4;
const ntlb_events = carve('nested_tlb.events', Float64Array, NR_CPUS * EVENTS,
	() => NR_CPUS * EVENTS);

/** What is counted for the guests of a CPU since boot. */
export const NESTED_EVENTS = { hits: 0, walks: 1, flushes: 2 } as const;
export function nested_event(cpu: number, name: keyof typeof NESTED_EVENTS): number {
	return ntlb_events[cpu * EVENTS + NESTED_EVENTS[name]]!;
}

/** A processor's state for a virtual CPU, all zero; 0 if there is no row left. */
export function use_guest_cpu(row: number): guest_cpu {
	use_rows(guest_cpus, row + 1);
	return row as guest_cpu;
}

/**
 * What a VM entry loads: the nested root and the VPID or ASID. Translations of another pair that
 * are cached stay, and are not used.
 */
export function load_nested_root(guest: guest_cpu, new_root: number, new_asid: number): void {
	if (root[guest] === new_root && asid[guest] === new_asid && space[guest])
		return;
	root[guest] = new_root;
	asid[guest] = new_asid;
	space[guest] = 1 + space_of(new_asid, new_root);
	tag_base[guest] = space[guest] * SPACE_STEP + VPN_BIAS;
}

function space_of(of_asid: number, of_root: number): number {
	for (let row = 0; row < nr_spaces.v; row++)
		if (nested_spaces.asid[row as nested_space] === of_asid &&
		    nested_spaces.root[row as nested_space] === of_root)
			return row;
	/* Numbers are given out again when all are: of translations nothing is left then. */
	if (nr_spaces.v === SPACES) {
		for (let cpu = 0; cpu < nr_rows(mmu_cpus); cpu++)
			nested_flush_all(cpu);
		for (let row = 1; row < nr_rows(guest_cpus); row++)
			space[row as guest_cpu] = 0;
		nr_spaces.v = 0;
	}
	const row = nr_spaces.v++ as nested_space;
	use_rows(nested_spaces, row + 1);
	nested_spaces.asid[row] = of_asid;
	nested_spaces.root[row] = of_root;
	return row;
}

/*
 * The nested walk of one guest-physical address.
 */

function nested_exit(guest: guest_cpu, reason: number, code: number, address: number): number {
	exit_reason[guest] = reason;
	exit_code[guest] = code;
	exit_address[guest] = address;
	return 0;
}

/** Whether a present EPT entry makes a misconfiguration (28.2.3.1). */
export function ept_misconfigured(level: number, lo: number, hi: number): boolean {
	const rwx = lo & VMX_EPT_RWX_MASK;

	if (rwx === VMX_EPT_WRITABLE_MASK || rwx === 6 || rwx === VMX_EPT_EXECUTABLE_MASK ||
	    (hi & PFN_HI_MASK) !== 0)
		return true;
	const leaf = level === 1 || (level <= 3 && (lo & _PAGE_PSE) !== 0);
	if (!leaf)
		return (lo & (level === 4 ? 0xf8 : 0x78)) !== 0;
	if (level > 1 && (lo & (level === 3 ? 0x3ffff000 : 0x1ff000)) !== 0)
		return true;
	const type = lo >> VMX_EPT_MT_EPTE_SHIFT & 7;
	return type === 2 || type === 3 || type === 7;
}

/**
 * Translate a guest-physical address for one access (MMU_READ, _WRITE or _FETCH), setting A and D.
 * Returns the word of the frame: frame | NTLB_* of the nested tables; 0 where it exits.
 * @param final whether it is the address of the access itself, not of a guest table
 */
export function nested_walk(
	guest: guest_cpu, gpa: number, access: number, final: boolean, gva: number,
): number {
	const ept = format[guest] !== NESTED_NPT;
	const lo = gpa | 0, hi = Math.floor(gpa * 2 ** -32) | 0;
	const p4 = (root[guest] << 10) + (hi >>> 6 & 0x3fe), e4 = ram[p4]!;
	const p3 = (e4 >>> 2 & ~0x3ff) + ((hi << 3 | lo >>> 29) & 0x3fe), e3 = ram[p3]!;
	const p2 = (e3 >>> 2 & ~0x3ff) + (lo >>> 20 & 0x3fe), e2 = ram[p2]!;
	const p1 = (e2 >>> 2 & ~0x3ff) + (lo >>> 11 & 0x3fe), e1 = ram[p1]!;
	const high = ram[p4 + 1]! | ram[p3 + 1]! | ram[p2 + 1]! | ram[p1 + 1]!;
	const all = e4 & e3 & e2 & e1;

	/*
	 * The common case: four levels, nothing reserved; read at once and judged together. In EPT
	 * R, W and X of all, and memory type 6 in the leaf only; in NPT P, W and U of all. An entry
	 * that is not present names some frame, reading which does no harm.
	 */
	if (ept) {
		const need = access === MMU_FETCH ? 5 : access === MMU_WRITE ? 3 : 1;
		if ((all & need) === need && (high & PFN_HI_MASK) === 0 &&
		    ((e4 | e3 | e2) & 0xf8) === 0 && (e1 & 0x38) === 0x30) {
			if (format[guest] === NESTED_EPT)
				return e1 & ~0xfff | all >>> 1 & NTLB_W | ~all & NTLB_NX |
					NTLB_VALID | NTLB_D;
			if (!(all & VMX_EPT_ACCESS_BIT) || (access === MMU_WRITE &&
			    !(e1 & VMX_EPT_DIRTY_BIT))) {
				ram[p4] = e4 | VMX_EPT_ACCESS_BIT;
				ram[p3] = e3 | VMX_EPT_ACCESS_BIT;
				ram[p2] = e2 | VMX_EPT_ACCESS_BIT;
				ram[p1] = e1 | VMX_EPT_ACCESS_BIT |
					(access === MMU_WRITE ? VMX_EPT_DIRTY_BIT : 0);
			}
			return e1 & ~0xfff | all >>> 1 & NTLB_W | ~all & NTLB_NX | NTLB_VALID |
				ram[p1]! >>> 6 & NTLB_D;
		}
	} else {
		const need = access === MMU_WRITE ? 7 : 5;
		if ((all & need) === need && (high & (PFN_HI_MASK |
		    (access === MMU_FETCH ? NX_HI : 0))) === 0 && ((e4 | e3 | e2) & 0x80) === 0) {
			if (!(all & _PAGE_ACCESSED) || (access === MMU_WRITE &&
				!(e1 & _PAGE_DIRTY))) {
				ram[p4] = e4 | _PAGE_ACCESSED;
				ram[p3] = e3 | _PAGE_ACCESSED;
				ram[p2] = e2 | _PAGE_ACCESSED;
				ram[p1] = e1 | _PAGE_ACCESSED |
					(access === MMU_WRITE ? _PAGE_DIRTY : 0);
			}
			return e1 & ~0xfff | all >>> 1 & NTLB_W | high >>> 31 << 2 | NTLB_VALID |
				ram[p1]! >>> 3 & NTLB_D;
		}
	}
	return nested_walk_by_level(guest, gpa, access, final, gva);
}

/* The whole nested walk, an entry at a time. Beyond the RAM there is nothing: ones. */
function nested_walk_by_level(
	guest: guest_cpu, gpa: number, access: number, final: boolean, gva: number,
): number {
	const ept = format[guest] !== NESTED_NPT, ad = format[guest] !== NESTED_EPT;
	const used = [0, 0, 0, 0, 0];
	let table = root[guest] << 10, all = -1, any_hi = 0, level = 4, entry = 0;

	for (;; level--) {
		const index = Math.floor(gpa / 2 ** (12 + 9 * (level - 1))) % 512;
		const at = table + 2 * index;
		entry = ram[at] ?? -1;
		const hi = ram[at + 1] ?? -1;
		used[level] = at;
		if (ept ? !(entry & VMX_EPT_RWX_MASK) : !(entry & _PAGE_PRESENT))
			return nested_fault(guest, gpa, access, final, gva, 0, 0);
		if (ept ? ept_misconfigured(level, entry, hi)
			: entry_reserved(level, entry, hi, PFN_HI_MASK))
			return ept ? nested_exit(guest, EXIT_EPT_MISCONFIG, 0, gpa)
				: nested_fault(guest, gpa, access, final, gva,
					X86_PF_PROT | X86_PF_RSVD, 0);
		all &= entry;
		any_hi |= hi;
		if (level === 1 || entry & _PAGE_PSE)
			break;
		table = entry >>> 2 & ~0x3ff;
	}
	const kind = access & 3;
	const refused = ept
		? !(all & (kind === MMU_FETCH ? 4 : kind === MMU_WRITE ? 2 : 1))
		: !(all & _PAGE_USER) || (kind === MMU_WRITE && !(all & _PAGE_RW)) ||
			(kind === MMU_FETCH && (any_hi & NX_HI) !== 0);
	if (refused)
		return nested_fault(guest, gpa, access, final, gva, X86_PF_PROT, all & 7);

	const accessed = ept ? VMX_EPT_ACCESS_BIT : _PAGE_ACCESSED;
	const dirty = ept ? VMX_EPT_DIRTY_BIT : _PAGE_DIRTY;
	if (ad) {
		for (let l = 4; l >= level; l--)
			ram[used[l]!]! |= accessed;
		if (kind === MMU_WRITE)
			ram[used[level]!]! |= dirty;
	}
	const size = 2 ** (12 + 9 * (level - 1));
	const frame = (entry & ~(size - 1)) | (gpa | 0) & (size - 1) & ~0xfff;
	const isDirty = !ad || (ram[used[level]!]! & dirty) !== 0;
	const nx = ept ? !(all & 4) : (any_hi & NX_HI) !== 0;
	return frame | all >>> 1 & NTLB_W | (nx ? NTLB_NX : 0) | NTLB_VALID |
		(isDirty ? NTLB_D : 0);
}

/**
 * A nested page fault or EPT violation.
 * @param cause 0, or X86_PF_PROT with X86_PF_RSVD or without
 * @param rights of EPT: R, W, X that all entries have
 */
function nested_fault(
	guest: guest_cpu, gpa: number, access: number, final: boolean, gva: number,
	cause: number, rights: number,
): number {
	const kind = access & 3;

	if (format[guest] === NESTED_NPT) {
		const code = cause | X86_PF_USER | (kind === MMU_WRITE ? X86_PF_WRITE : 0) |
			(kind === MMU_FETCH ? X86_PF_INSTR : 0);
		return nested_exit(guest, EXIT_NPF,
			code + (final ? NPF_GUEST_FINAL : NPF_GUEST_PAGE), gpa);
	}
	/* A read of a guest table that is a write for A/D bits is both (28.2.3.2, table 27-7). */
	const how = kind === MMU_FETCH ? EPT_VIOLATION_ACC_INSTR
		: kind === MMU_WRITE ? EPT_VIOLATION_ACC_WRITE |
			(final ? 0 : EPT_VIOLATION_ACC_READ)
		: EPT_VIOLATION_ACC_READ;
	return nested_exit(guest, EXIT_EPT_VIOLATION, how | rights << 3 |
		(gva >= 0 ? EPT_VIOLATION_GVA_IS_VALID : 0) |
		(final ? EPT_VIOLATION_GVA_TRANSLATED : 0), gpa);
}

/*
 * The walk of a guest's own tables.
 */

/*
 * The error code of a #PF for an access in supervisor or user mode. Shadow entries are walked with
 * EFER.NX set, whatever the guest has (svm/svm.c:svm_set_efer()).
 */
function guest_fault(guest: guest_cpu, gva: number, access: number, cause: number): number {
	const kind = access & 3;

	return nested_exit(guest, EXIT_PF, cause | (kind === MMU_WRITE ? X86_PF_WRITE : 0) |
		(access & 4 ? X86_PF_USER : 0) |
		(kind === MMU_FETCH && (format[guest] === NESTED_NONE || efer[guest] & EFER_NX)
			? X86_PF_INSTR : 0), gva);
}

/* Set bits of a guest table's entry; false where the nested tables do not let it be written. */
function mark_guest_entry(
	guest: guest_cpu, at: number, gpa: number, bits: number, gva: number,
): boolean {
	const entry = ram[at]!;

	if ((entry & bits) === bits)
		return true;
	if (format[guest] === NESTED_EPT && !nested_walk(guest, gpa, MMU_WRITE, false, gva))
		return false;
	ram[at] = entry | bits;
	return true;
}

/**
 * The two-dimensional walk of a long-mode guest: up to 24 references. Returns the word to cache,
 * or 0 with the exit noted.
 *
 * Here the common case: a read or write, all in order, the tables in use. One loop, so that it
 * stays in one function: five nested walks, of the guest's four tables and of the address itself,
 * all below 4 GiB. An entry that is not present names some frame, reading which does no harm. What
 * is set by the time that another case shows, is what that sets first.
 */
export function two_dimensional_walk(guest: guest_cpu, gva: number, access: number): number {
	const npt = format[guest] === NESTED_NPT, ad = format[guest] !== NESTED_EPT;
	const lo = gva | 0, hi = Math.floor(gva * 2 ** -30) | 0, guest_top = cr3[guest];
	const top = root[guest] << 10, accessed = npt ? _PAGE_ACCESSED : VMX_EPT_ACCESS_BIT;
	/* A table: all rights, A (but EPT without A/D); no S, in EPT nothing of bits 7:3. */
	const table = npt ? 0x27 : ad ? 0x107 : 7, judged = npt ? 0xa7 : ad ? 0x1ff : 0xff;
	/* A leaf: P and U; in EPT R and memory type 6. If it is written, W too, and D. */
	const leaf = npt ? 5 : 0x31, leaf_judged = npt ? 5 : 0x39;
	const writes = access & 3;
	let write = ad ? 2 : 0, mark = ad ? accessed * 3 : 0;
	let gpa = guest_top & ~0xfff | hi >>> 6 & 0xff8, next = hi & 0x1ff;
	let all = -1, any_hi = 0, present = 0xa1, entry = 0;

	if (writes === MMU_FETCH || guest_top >= 2 ** 32)
		return two_dimensional_walk_by_level(guest, gva, access);
	for (let level = 4; ; level--) {
		const e4 = ram[top]!;
		const p3 = e4 >>> 12 << 10 | gpa >>> 29 & 6, e3 = ram[p3]!;
		const p2 = e3 >>> 12 << 10 | gpa >>> 20 & 0x3fe, e2 = ram[p2]!;
		const p1 = e2 >>> 12 << 10 | gpa >>> 11 & 0x3fe, e1 = ram[p1]!;
		const high = ram_hi[top]! | ram_hi[p3]! | ram_hi[p2]! | ram_hi[p1]!;

		if (((e4 ^ table | e3 ^ table | e2 ^ table) & judged | high & PFN_HI_MASK |
		    (e1 ^ (leaf | write)) & (leaf_judged | write)) !== 0)
			break;
		const marked = e1 | mark;
		if (marked !== e1)
			ram[p1] = marked;
		if (level === 0) {
			const nx = npt ? high >>> 31 << 2 : ~e1 & NTLB_NX;
			const dirty = npt ? marked >>> 3 : ad ? marked >>> 6 : NTLB_D;

			return marked & ~0xfff | marked >>> 1 & all >>> 1 & NTLB_W |
				all >>> 1 & NTLB_U | nx | any_hi >>> 31 << 2 |
				dirty & entry >>> 3 & NTLB_D | NTLB_VALID;
		}

		/* The guest's own: P, A, no S in a table; of the last also D if it is written. */
		const at = e1 >>> 12 << 10 | gpa >>> 2 & 0x3ff;
		entry = ram[at]!;
		if (((entry ^ 0x21) & present | ram_hi[at]! & PFN_HI_MASK) !== 0)
			break;
		all &= entry;
		any_hi |= ram_hi[at]!;
		gpa = entry & ~0xfff | next << 3;
		if (level === 4) {
			next = lo >>> 21 & 0x1ff;
		} else if (level === 3) {
			next = lo >>> 12 & 0x1ff;
		} else if (level === 2) {
			present = 0x21;
		} else {
			const need = (access & 4) | writes << 1;

			if ((all & need) !== need || (entry & writes << 6) !== writes << 6)
				break;
			gpa = entry & ~0xfff;
			write = writes << 1;
			mark = ad ? accessed | accessed << 1 & -writes : 0;
		}
	}
	return two_dimensional_walk_by_level(guest, gva, access);
}

/* The whole two-dimensional walk, a table at a time. */
function two_dimensional_walk_by_level(
	guest: guest_cpu, gva: number, access: number,
): number {
	const lo = gva | 0, hi = Math.floor(gva * 2 ** -32) | 0;
	const table_access = format[guest] === NESTED_EPT ? 0 : MMU_WRITE;
	const kind = access & 3;
	const top = cr3[guest] - cr3[guest] % 4096;
	let all = -1, any_hi = 0;
	let at4 = 0, at3 = 0, at2 = 0, gpa4 = 0, gpa3 = 0, gpa2 = 0;
	let at: number, entry: number, level = 4, entry_gpa: number;

	descend: {
		entry_gpa = top + (hi >>> 7 & 0x1ff) * 8;
		let word = nested_walk(guest, entry_gpa, table_access, false, gva);
		if (!word)
			return 0;
		at = (word >>> 2 & ~0x3ff) + ((entry_gpa & 0xfff) >> 2);
		entry = ram[at]!;
		if (!(entry & _PAGE_PRESENT))
			return guest_fault(guest, gva, access, 0);
		if (entry_reserved(4, entry, ram[at + 1]!, PFN_HI_MASK))
			return guest_fault(guest, gva, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= ram[at + 1]!;
		at4 = at;
		gpa4 = entry_gpa;

		level = 3;
		entry_gpa = ((entry & ~0xfff) >>> 0) + ((hi << 2 | lo >>> 30) & 0x1ff) * 8;
		word = nested_walk(guest, entry_gpa, table_access, false, gva);
		if (!word)
			return 0;
		at = (word >>> 2 & ~0x3ff) + ((entry_gpa & 0xfff) >> 2);
		entry = ram[at]!;
		if (!(entry & _PAGE_PRESENT))
			return guest_fault(guest, gva, access, 0);
		if (entry_reserved(3, entry, ram[at + 1]!, PFN_HI_MASK))
			return guest_fault(guest, gva, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= ram[at + 1]!;
		if (entry & _PAGE_PSE)
			break descend;
		at3 = at;
		gpa3 = entry_gpa;

		level = 2;
		entry_gpa = ((entry & ~0xfff) >>> 0) + (lo >>> 21 & 0x1ff) * 8;
		word = nested_walk(guest, entry_gpa, table_access, false, gva);
		if (!word)
			return 0;
		at = (word >>> 2 & ~0x3ff) + ((entry_gpa & 0xfff) >> 2);
		entry = ram[at]!;
		if (!(entry & _PAGE_PRESENT))
			return guest_fault(guest, gva, access, 0);
		if (entry_reserved(2, entry, ram[at + 1]!, PFN_HI_MASK))
			return guest_fault(guest, gva, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= ram[at + 1]!;
		if (entry & _PAGE_PSE)
			break descend;
		at2 = at;
		gpa2 = entry_gpa;

		level = 1;
		entry_gpa = ((entry & ~0xfff) >>> 0) + (lo >>> 12 & 0x1ff) * 8;
		word = nested_walk(guest, entry_gpa, table_access, false, gva);
		if (!word)
			return 0;
		at = (word >>> 2 & ~0x3ff) + ((entry_gpa & 0xfff) >> 2);
		entry = ram[at]!;
		if (!(entry & _PAGE_PRESENT))
			return guest_fault(guest, gva, access, 0);
		if (entry_reserved(1, entry, ram[at + 1]!, PFN_HI_MASK))
			return guest_fault(guest, gva, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= ram[at + 1]!;
	}

	/* CR0.WP is set in all guests: a write needs W in supervisor mode too. */
	if ((kind === MMU_WRITE && !(all & _PAGE_RW)) || ((access & 4) !== 0 &&
		!(all & _PAGE_USER)) ||
	    (kind === MMU_FETCH && (any_hi & NX_HI) !== 0 && (efer[guest] & EFER_NX) !== 0))
		return guest_fault(guest, gva, access, X86_PF_PROT);

	if (!mark_guest_entry(guest, at4, gpa4, _PAGE_ACCESSED, gva) ||
	    (at3 !== 0 && !mark_guest_entry(guest, at3, gpa3, _PAGE_ACCESSED, gva)) ||
	    (at2 !== 0 && !mark_guest_entry(guest, at2, gpa2, _PAGE_ACCESSED, gva)) ||
	    !mark_guest_entry(guest, at, entry_gpa,
		kind === MMU_WRITE ? _PAGE_ACCESSED | _PAGE_DIRTY : _PAGE_ACCESSED, gva))
		return 0;

	const size_mask = level === 1 ? 0xfff : level === 2 ? 0x1fffff : 0x3fffffff;
	const final_gpa = ((entry & ~size_mask) | lo & size_mask) >>> 0;
	const word = nested_walk(guest, final_gpa, kind, true, gva);
	if (!word)
		return 0;
	const guest_rights = all >>> 1 & (NTLB_W | NTLB_U);
	const nx = word & NTLB_NX | any_hi >>> 31 << 2;
	const dirty = word & NTLB_D && ram[at]! & _PAGE_DIRTY ? NTLB_D : 0;
	return word & ~0xfff | word & guest_rights & NTLB_W | guest_rights & NTLB_U | nx | dirty |
		NTLB_VALID;
}

/*
 * A guest without nested tables: the processor walks what KVM has made of the guest's, four levels,
 * or with PAE format's three below `root` if the guest does not page.
 */
function shadow_walk(guest: guest_cpu, gva: number, access: number): number {
	const kind = access & 3, paging = (cr0[guest] & X86_CR0_PG) !== 0;
	const used = [0, 0, 0, 0, 0];
	let table = root[guest] << 10, all = -1, any_hi = 0, level = paging ? 4 : 3, entry = 0;
	const top = level;

	for (;; level--) {
		const index = Math.floor(gva / 2 ** (12 + 9 * (level - 1)));
		const at = table + 2 * (((index % 512) + 512) % 512);
		entry = ram[at] ?? -1;
		const hi = ram[at + 1] ?? -1;
		used[level] = at;
		if (!(entry & _PAGE_PRESENT))
			return guest_fault(guest, gva, access, 0);
		/* The page-directory-pointer table of PAE has no rights, and no large pages. */
		if (top === 3 && level === 3) {
			table = entry >>> 2 & ~0x3ff;
			continue;
		}
		if (entry_reserved(level, entry, hi, PFN_HI_MASK))
			return guest_fault(guest, gva, access, X86_PF_PROT | X86_PF_RSVD);
		all &= entry;
		any_hi |= hi;
		if (level === 1 || entry & _PAGE_PSE)
			break;
		table = entry >>> 2 & ~0x3ff;
	}
	if ((kind === MMU_WRITE && !(all & _PAGE_RW)) || ((access & 4) !== 0 &&
		!(all & _PAGE_USER)) ||
	    (kind === MMU_FETCH && (any_hi & NX_HI) !== 0))
		return guest_fault(guest, gva, access, X86_PF_PROT);
	for (let l = top === 3 ? 2 : 4; l >= level; l--)
		ram[used[l]!]! |= _PAGE_ACCESSED;
	if (kind === MMU_WRITE)
		ram[used[level]!]! |= _PAGE_DIRTY;
	const size = 2 ** (12 + 9 * (level - 1));
	const frame = (entry & ~(size - 1)) | (gva | 0) & (size - 1) & ~0xfff;
	return frame | all >>> 1 & (NTLB_W | NTLB_U) | any_hi >>> 31 << 2 |
		ram[used[level]!]! >>> 3 & NTLB_D | NTLB_VALID;
}

/**
 * Translate for one access of a guest, with all that the hardware does on the way.
 * @param cpu whose TLB
 * @param gva linear address of the guest
 * @param access MMU_READ, MMU_WRITE or MMU_FETCH; | MMU_USER
 * @returns the physical address in bytes, or -1 where the guest is left; then guest_cpus says why
 */
export function guest_translate(
	cpu: number, guest: guest_cpu, gva: number, access: number,
): number {
	const lo = gva | 0;
	const tag = Math.floor(gva / 4096) + tag_base[guest];
	let slot = (cpu << SLOTS_SHIFT) + ((lo >>> 12 & SETS - 1) << WAYS_SHIFT);
	/* What the word must have, NX turned round: W and D of a write, X of a fetch, U. */
	const need = (access & MMU_WRITE) * (NTLB_W | NTLB_D) | (access & MMU_FETCH) << 1 |
		access >>> 1 & NTLB_U;

	for (const end = slot + WAYS; slot < end; slot++) {
		if (ntlb_tag[slot] !== tag)
			continue;
		const word = ntlb_word[slot]!;
		if (((word ^ NTLB_NX) & need) !== need)
			break;
		ntlb_events[cpu * EVENTS]!++;
		return (word & ~0xfff | lo & 0xfff) >>> 0;
	}
	return guest_translate_slowly(cpu, guest, gva, access);
}

/*
 * guest_translate() of what is not cached: walk and fill. In one piece, and so too long for the
 * compiler to make it part of every access.
 */
function guest_translate_slowly(
	cpu: number, guest: guest_cpu, gva: number, access: number,
): number {
	if (!space[guest])
		BUG('a guest runs with no root loaded');
	const tag = Math.floor(gva / 4096) + tag_base[guest];
	const set = (gva | 0) >>> 12 & SETS - 1;
	const first = (cpu << SLOTS_SHIFT) + (set << WAYS_SHIFT);
	let word: number;

	if (format[guest] === NESTED_NONE) {
		word = shadow_walk(guest, gva, access);
	} else if (!(cr0[guest] & X86_CR0_PG)) {
		word = nested_walk(guest, gva, access & 3, true, gva);
	} else {
		VM_BUG_ON(!(efer[guest] & EFER_LMA), 'a guest pages that is not in long mode');
		word = two_dimensional_walk(guest, gva, access);
	}
	ntlb_events[cpu * EVENTS + 1]!++;
	if (!word) {
		/* A fault drops what is cached for the address (28.3.3.1). */
		for (let slot = first; slot < first + WAYS; slot++) {
			if (ntlb_tag[slot] !== tag)
				continue;
			ntlb_tag[slot] = 0;
			ntlb_word[slot] = 0;
		}
		return -1;
	}
	let at = -1;
	for (let slot = first; slot < first + WAYS; slot++) {
		if (ntlb_tag[slot] === tag) {
			at = slot;
			break;
		}
		if (at < 0 && ntlb_tag[slot] === 0)
			at = slot;
	}
	if (at < 0) {
		const row = cpu * SETS + set, way = ntlb_victim[row]!;
		ntlb_victim[row] = way + 1 & WAYS - 1;
		at = first + way;
	}
	ntlb_tag[at] = tag;
	ntlb_word[at] = word;
	ntlb_filled[cpu]!++;
	return (word & ~0xfff | (gva | 0) & 0xfff) >>> 0;
}

/*
 * Invalidation.
 */

function clear(slot: number): void {
	ntlb_tag[slot] = 0;
	ntlb_word[slot] = 0;
}

/* The space of a tag. */
function tag_space(tag: number): nested_space {
	return Math.floor((tag - VPN_BIAS + SPACE_STEP / 2) / SPACE_STEP) - 1 as nested_space;
}

function flush_if(cpu: number, meant: (of: nested_space) => boolean): void {
	ntlb_events[cpu * EVENTS + 2]!++;
	if (!ntlb_filled[cpu])
		return;
	const base = cpu << SLOTS_SHIFT;
	for (let slot = base; slot < base + (1 << SLOTS_SHIFT); slot++) {
		const tag = ntlb_tag[slot]!;
		if (tag !== 0 && meant(tag_space(tag)))
			clear(slot);
	}
}

/** INVEPT of all contexts, or an entry with TLB_CONTROL of all ASIDs. */
export function nested_flush_all(cpu: number): void {
	flush_if(cpu, () => true);
	ntlb_filled[cpu] = 0;
}

/** INVVPID of a VPID, or an entry with TLB_CONTROL of the ASID. */
export function nested_flush_asid(cpu: number, of_asid: number): void {
	flush_if(cpu, (row) => nested_spaces.asid[row] === of_asid);
}

/** INVEPT of one nested root. */
export function nested_flush_root(cpu: number, of_root: number): void {
	flush_if(cpu, (row) => nested_spaces.root[row] === of_root);
}

/** INVLPGA, or INVVPID of one address. */
export function nested_flush_address(cpu: number, of_asid: number, gva: number): void {
	const set = (gva | 0) >>> 12 & SETS - 1;
	const first = (cpu << SLOTS_SHIFT) + (set << WAYS_SHIFT);

	for (let slot = first; slot < first + WAYS; slot++) {
		const tag = ntlb_tag[slot]!;
		if (!tag)
			continue;
		const row = tag_space(tag);
		if (nested_spaces.asid[row] === of_asid &&
		    tag === Math.floor(gva / 4096) + (row + 1) * SPACE_STEP + VPN_BIAS)
			clear(slot);
	}
}

/** A cached translation of a guest, for checks and dumps. */
export interface GuestTlbEntry {
	/** Linear address of the guest. */
	readonly address: number;
	readonly asid: number;
	/** Frame of the nested root. */
	readonly root: number;
	readonly pfn: number;
	readonly writable: boolean;
	readonly executable: boolean;
	readonly dirty: boolean;
}

/** What a CPU has cached for guests, by slot. */
export function guest_tlb_entries(cpu: number): GuestTlbEntry[] {
	const found: GuestTlbEntry[] = [], base = cpu << SLOTS_SHIFT;

	for (let slot = base; slot < base + (1 << SLOTS_SHIFT); slot++) {
		const tag = ntlb_tag[slot]!, word = ntlb_word[slot]!;
		if (!tag)
			continue;
		const row = tag_space(tag);
		found.push({
			address: (tag - VPN_BIAS - (row + 1) * SPACE_STEP) * 4096,
			asid: nested_spaces.asid[row], root: nested_spaces.root[row],
			pfn: word >>> 12, writable: (word & NTLB_W) !== 0,
			executable: (word & NTLB_NX) === 0, dirty: (word & NTLB_D) !== 0,
		});
	}
	return found;
}
