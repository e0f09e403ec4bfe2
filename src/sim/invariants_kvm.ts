// SPDX-License-Identifier: GPL-2.0-only
/*
 * What must hold of KVM between two statements: each shadow entry maps what its user address maps,
 * lists and entries lead to each other, formats are those of the mode, and guests' TLBs hold
 * nothing that is not so or about to be flushed.
 */
import { NESTED_EPT, NESTED_EPT_AD, NESTED_NONE, guest_tlb_entries }
	from '../arch/nested.ts';
import { pte_pfn, pte_present, pte_write } from '../arch/pgtable.ts';
import { NX_HI, PFN_HI_MASK } from '../arch/pgtable_types.ts';
import { FRAME_WORDS_SHIFT, ram } from '../arch/ram.ts';
import { live } from '../lib/struct.ts';
import { deviceEntries, devices } from '../kvm/device_pt.ts';
import { INVALID_PAGE, KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE, KVM_REQ_MMU_RELOAD, KVM_REQ_TLB_FLUSH,
	KVM_REQ_TLB_FLUSH_CURRENT, ROLE_DIRECT, ROLE_INVALID, __gfn_to_hva_memslot,
	kvm_memory_slots, kvm_mmu_pages, kvm_vcpus, kvm_words, kvms, memslot_at, pte_list_descs,
	PTE_LIST_EXT, peek_memslot, type kvm, type kvm_mmu_page, type kvm_vcpu }
	from '../kvm/kvm_host.ts';
import { __gfn_to_rmap, kvm_mmu_page_get_gfn, rmap_at, rmap_begin, rmap_next, sp_level, spt_of,
	to_shadow_page } from '../kvm/mmu.ts';
import { SPTE_AD_DISABLED_MASK, SPTE_HOST_WRITEABLE, SPTE_MMU_WRITEABLE, SPTE_SPECIAL_MASK,
	is_access_track_spte, is_mmio_spte, is_shadow_present_pte, is_writable_pte }
	from '../kvm/spte.ts';
import { kvm_module } from '../kvm/x86.ts';
import { nr_cpu_ids } from '../mm/current.ts';
import { follow_pte } from '../mm/memory.ts';
import { GUP_PIN_COUNTING_BIAS } from '../mm/mm.ts';
import { mms, pages, type mm_struct } from '../mm/mm_types.ts';

type Fail = (invariant: string, what: string) => never;

/** The pages that KVM has: each has one reference. */
export function countKvmPages(refs: Int32Array): void {
	for (const sp of live(kvm_mmu_pages)) {
		refs[kvm_mmu_pages.spt[sp]]!++;
		if (kvm_mmu_pages.gfns[sp])
			refs[kvm_mmu_pages.gfns[sp]]!++;
	}
	for (const device of live(devices))
		if (devices.pins[device])
			for (const { page } of deviceEntries(device))
				refs[page]! += GUP_PIN_COUNTING_BIAS;
	for (const vcpu of live(kvm_vcpus)) {
		const at = vcpu * KVM_ARCH_NR_OBJS_PER_MEMORY_CACHE;
		if (kvm_vcpus.pae_root[vcpu])
			refs[kvm_vcpus.pae_root[vcpu]]!++;
		for (let i = 0; i < kvm_vcpus.nr_shadow_page_cache[vcpu]; i++)
			refs[kvm_vcpus.mmu_shadow_page_cache[at + i]!]!++;
		for (let i = 0; i < kvm_vcpus.nr_gfn_array_cache[vcpu]; i++)
			refs[kvm_vcpus.mmu_gfn_array_cache[at + i]!]!++;
	}
}

/* How often an SPTE is in a list. */
function timesIn(head: number, sptep: number): number {
	let times = 0;

	for (let i = rmap_begin(head), at; (at = rmap_at(head, i)) !== 0; i = rmap_next(i))
		times += at === sptep ? 1 : 0;
	return times;
}

/* Whether the format of a present entry is the module's. */
function formatProblem(lo: number, hi: number, leaf: boolean): string | undefined {
	const mode = kvm_module.v - 1, kind = hi & SPTE_SPECIAL_MASK;
	const ept = mode === NESTED_EPT || mode === NESTED_EPT_AD;

	if (hi & PFN_HI_MASK)
		return 'has reserved bits';
	if ((kind === SPTE_AD_DISABLED_MASK) !== (mode === NESTED_EPT))
		return 'is of the wrong kind';
	if (!ept)
		return !(lo & 1) ? 'is not present for the processor'
			: hi & ~(NX_HI | SPTE_SPECIAL_MASK) ? 'has saved bits' : undefined;
	if (hi & NX_HI)
		return 'has NX';
	if (leaf && is_access_track_spte(lo, hi))
		return lo & 7 ? 'is tracked, but accessible' : undefined;
	if (!(lo & 1) || (leaf ? (lo & 0x78) !== 0x70 : (lo & 0xf8) !== 0))
		return 'is a misconfiguration';
	return mode === NESTED_EPT && hi & 5 << 22 ? 'has saved bits though it is accessible'
		: undefined;
}

function checkLeaf(
	fail: Fail, kvm: kvm, sp: kvm_mmu_page, sptep: number, index: number,
): void {
	const lo = ram[sptep]!, hi = ram[sptep + 1]!, gfn = kvm_mmu_page_get_gfn(sp, index);
	const what = `SPTE ${index} of page ${sp} for gfn 0x${gfn.toString(16)} of VM ${kvm}`;
	const slot = peek_memslot(kvm, gfn);

	if (!slot)
		fail('spte', `${what} is in no slot`);
	if (timesIn(__gfn_to_rmap(gfn, sp_level(sp), slot), sptep) !== 1)
		fail('spte_rmap', `${what} is not once in its list`);
	const problem = formatProblem(lo, hi, true);
	if (problem)
		fail('spte_format', `${what} ${problem}`);
	if (is_writable_pte(lo) && (lo & SPTE_HOST_WRITEABLE) === 0)
		fail('spte_format', `${what} is writable, though the host's mapping is not`);
	if (is_writable_pte(lo) && (lo & SPTE_MMU_WRITEABLE) === 0)
		fail('spte_format', `${what} is writable, though KVM may not make it so`);
	if (kvms.mmu_notifier_count[kvm])
		return;
	const ptep = follow_pte(kvms.mm[kvm], __gfn_to_hva_memslot(slot, gfn));
	const pte = ptep ? ram[ptep]! : 0;
	if (!pte_present(pte) || pte_pfn(pte) !== lo >>> 12)
		fail('spte', `${what} maps page ${lo >>> 12}, its user address ` +
			(pte_present(pte) ? `page ${pte_pfn(pte)}` : 'none'));
	if (is_writable_pte(lo) && !pte_write(pte))
		fail('spte', `${what} is writable, its user address is not`);
}

function checkVm(fail: Fail, kvm: kvm): void {
	let used = 0, leaves = 0, indirect = 0, listed = 0;
	const tracked = new Map<number, number>();
	const zero = (what: string, n: number): void => {
		if (n !== 0)
			fail('locks', `${what} of VM ${kvm}: ${n}`);
	};

	zero('mmu_lock', kvms.mmu_lock[kvm]);
	zero('readers of srcu', kvms.srcu[kvm]);
	zero('invalidations under way', kvms.mmu_notifier_count[kvm]);
	for (const sp of live(kvm_mmu_pages)) {
		if (kvm_mmu_pages.kvm[sp] !== kvm)
			continue;
		used++;
		if (pages.private[kvm_mmu_pages.spt[sp]] !== sp)
			fail('spte',
				`page ${kvm_mmu_pages.spt[sp]} does not say that it is of ${sp}`);
		const role = kvm_mmu_pages.role[sp], level = sp_level(sp);
		if (!(role & (ROLE_DIRECT | ROLE_INVALID))) {
			indirect++;
			if (level > 1) {
				const gfn = kvm_mmu_pages.gfn[sp];
				tracked.set(gfn, (tracked.get(gfn) ?? 0) + 1);
			}
		}
		for (let i = 0; i < 512; i++) {
			const sptep = spt_of(sp) + 2 * i, lo = ram[sptep]!, hi = ram[sptep + 1]!;
			if (!(lo | hi) || is_mmio_spte(hi))
				continue;
			if (level === 1) {
				leaves++;
				checkLeaf(fail, kvm, sp, sptep, i);
				continue;
			}
			const problem = formatProblem(lo, hi, false);
			if (problem && kvm_module.v - 1 !== NESTED_NONE)
				fail('spte_format',
					`entry ${i} of page ${sp} of level ${level} ${problem}`);
			const child = to_shadow_page(lo);
			if (!kvm_mmu_pages.table.live[child] || sp_level(child) !== level - 1 ||
			    timesIn(child, sptep) !== 1)
				fail('spte_rmap',
					`entry ${i} of page ${sp} does not lead to a child ` +
					'that knows it');
		}
		for (let i = rmap_begin(sp), at; (at = rmap_at(sp, i)) !== 0; i = rmap_next(i))
			if (!is_shadow_present_pte(ram[at]!, ram[at + 1]!) ||
				to_shadow_page(ram[at]!) !== sp)
				fail('spte_rmap',
					`page ${sp} has a parent that does not lead to it`);
	}
	for (let i = 0; i < kvms.used_slots[kvm]; i++) {
		const slot = memslot_at(kvm, i), { base_gfn, npages, rmap_4k, gfn_track } =
			kvm_memory_slots;
		for (let page = 0; page < npages[slot]; page++) {
			const head = rmap_4k[slot] + page, gfn = base_gfn[slot] + page;
			if (kvm_words[head])
				for (let n = rmap_begin(head); rmap_at(head, n) !== 0;
					n = rmap_next(n))
					listed++;
			if (kvm_words[gfn_track[slot] + page] !== (tracked.get(gfn) ?? 0))
				fail('spte', `gfn 0x${gfn.toString(16)} of VM ${kvm} is tracked ` +
					`${kvm_words[gfn_track[slot] + page]} times, counted ` +
					`${tracked.get(gfn) ?? 0}`);
		}
		if (i && base_gfn[slot] + npages[slot] > base_gfn[memslot_at(kvm, i - 1)])
			fail('slots', `slots ${i - 1} and ${i} of VM ${kvm} are not in order`);
	}
	if (listed !== leaves)
		fail('spte_rmap',
			`the lists of VM ${kvm} have ${listed} SPTEs, its tables ${leaves}`);
	if (kvms.n_used_mmu_pages[kvm] !== used)
		fail('spte', `n_used_mmu_pages of VM ${kvm} is ${kvms.n_used_mmu_pages[kvm]}, ` +
			`counted ${used}`);
	if (kvms.indirect_shadow_pages[kvm] !== indirect)
		fail('spte', `indirect_shadow_pages of VM ${kvm} is ` +
			`${kvms.indirect_shadow_pages[kvm]}, counted ${indirect}`);
	if (!mms.mm_users[kvms.mm[kvm]] && leaves)
		fail('spte', `VM ${kvm} of an address space that is gone maps ${leaves} pages`);
}

/* What devices have mapped that pin nothing is what the task maps. */
function checkDevices(fail: Fail): void {
	for (const device of live(devices)) {
		const mm = devices.mm[device];
		if (devices.pins[device])
			continue;
		for (const { address, page, writable } of deviceEntries(device)) {
			const ptep = mms.mm_users[mm] ? follow_pte(mm, address) : 0;
			const pte = ptep ? ram[ptep]! : 0;
			const where = `0x${address.toString(16)}`;
			const what = `device ${device} maps page ${page} at ${where}`;
			if (!pte_present(pte) || pte_pfn(pte) !== page)
				fail('device', `${what}, its task ` + (pte_present(pte)
					? `page ${pte_pfn(pte)}` : 'none'));
			if (writable && !pte_write(pte))
				fail('device', `${what} as writable, its task may not write`);
		}
	}
}

/* The leaf that a root has for an address, without touching anything; [0, 0] for none. */
function lookUp(vcpu: kvm_vcpu, root: number, address: number): [number, number] {
	let table = root, lo = 0, hi = 0;

	for (let level = kvm_vcpus.shadow_root_level[vcpu]; level >= 1; level--) {
		const index = Math.floor(address / 2 ** (12 + 9 * (level - 1))) % 512;
		const at = (table << FRAME_WORDS_SHIFT) + 2 * index;
		lo = ram[at]!;
		hi = ram[at + 1]!;
		if (!is_shadow_present_pte(lo, hi))
			return [0, 0];
		table = lo >>> 12;
	}
	return [lo, hi];
}

function checkGuestTlb(fail: Fail): void {
	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++) {
		for (const entry of guest_tlb_entries(cpu)) {
			const vcpu = entry.asid as kvm_vcpu;
			if (!kvm_vcpus.table.live[vcpu] ||
				kvm_vcpus.root_hpa[vcpu] === INVALID_PAGE ||
			    kvm_vcpus.root_hpa[vcpu] !== entry.root ||
				kvm_vcpus.cpu[vcpu] !== cpu ||
			    kvm_vcpus.requests[vcpu] & (KVM_REQ_TLB_FLUSH | KVM_REQ_MMU_RELOAD |
				KVM_REQ_TLB_FLUSH_CURRENT))
				continue;
			/* The guest's tables map each address to itself. */
			const [lo, hi] = lookUp(vcpu, entry.root, entry.address);
			const what = `CPU ${cpu} has page ${entry.pfn} cached at ` +
				`0x${entry.address.toString(16)} of vCPU ${vcpu}`;
			if (lo >>> 12 !== entry.pfn)
				fail('guest_tlb',
					`${what}, the tables have ${lo ? `page ${lo >>> 12}`
					: 'none'}`);
			/* clear_young() tracks without a flush. */
			if (entry.writable && entry.dirty && !is_writable_pte(lo) &&
			    !is_access_track_spte(lo, hi))
				fail('guest_tlb',
					`${what} as writable, the tables have it read-only`);
		}
	}
}

/** Each mm that a VM or a device holds, as often as it does. */
export function kvmHolds(hold: (mm: mm_struct) => void): void {
	for (const kvm of live(kvms))
		hold(kvms.mm[kvm]);
	for (const device of live(devices))
		hold(devices.mm[device]);
}

/** Hold KVM against itself and the address spaces of its tasks. */
export function checkKvm(fail: Fail): void {
	let descs = 0, listed = 0;

	for (const kvm of live(kvms))
		checkVm(fail, kvm);
	checkGuestTlb(fail);
	checkDevices(fail);
	for (const desc of live(pte_list_descs)) {
		descs++;
		if (!pte_list_descs.sptes[desc * PTE_LIST_EXT])
			fail('spte_rmap', `list entry ${desc} is in use and empty`);
	}
	const count = (val: number): void => {
		for (let desc = val >>> 1; val & 1 && desc; desc =
			pte_list_descs.more[desc as never])
			listed++;
	};
	for (const sp of live(kvm_mmu_pages))
		count(kvm_words[sp]!);
	for (const slot of live(kvm_memory_slots))
		for (let page = 0; page < kvm_memory_slots.npages[slot]; page++)
			count(kvm_words[kvm_memory_slots.rmap_4k[slot] + page]!);
	if (descs !== listed)
		fail('spte_rmap', `${descs} list entries are in use, lists have ${listed}`);
}
