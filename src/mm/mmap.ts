// SPDX-License-Identifier: GPL-2.0-only
/*
 * mm/mmap.c, arch/x86/mm/mmap.c and arch/x86/kernel/sys_x86_64.c, v5.10
 * Left out: memory policies, userfaultfd, uprobes, hugetlb, special mappings (vdso), security
 * modules, the vma cache, i_mmap nesting for hypervisors (mm_take_all_locks). The address space is
 * laid out as with randomize_va_space 0: top-down from mmap_base.
 * Lock order modelled: mmap_lock > i_mmap_rwsem > anon_vma rwsem.
 */
import { PAGE_ALIGN, PAGE_SIZE, TASK_SIZE, offset_in_page, page_align_down } from '../arch/page.ts';
import { vm_get_page_prot, vm_get_page_prot_nx } from '../arch/pgtable.ts';
import { BUG, BUG_ON, VM_BUG_ON } from '../lib/bug.ts';
import { EACCES, EAGAIN, EEXIST, EINTR, EINVAL, ENOMEM, EOVERFLOW, EPERM } from '../lib/errno.ts';
import { list_is_singular } from '../lib/list.ts';
import { rb_erase_augmented, rb_first, rb_insert_augmented, rb_last, rb_link_node, rb_next,
	rb_propagate, type Augment } from '../lib/rbtree.ts';
import { global_f64, global_s32, list_heads, rb_nodes, type out, type rb_node }
	from '../lib/struct.ts';
import { current } from './current.ts';
import { ext4_file_mmap } from './ext4.ts';
import { CAP_IPC_LOCK, capable, vm_area_alloc, vm_area_dup, vm_area_free } from './fork.ts';
import { FMODE_READ, FMODE_WRITE, fput, get_file, mapping_allow_writable, mapping_map_writable,
	mapping_unmap_writable } from './fs.ts';
import { mm_populate, populate_vma_page_range } from './gup.ts';
import { munlock_vma_pages_all } from './internal.ts';
import { anon_vma_interval_tree_insert, anon_vma_interval_tree_remove, vma_interval_tree_insert,
	vma_interval_tree_remove } from './interval_tree.ts';
import { free_pgtables, unmap_vmas } from './memory.ts';
import { can_do_mlock, munlock_would_wait } from './mlock.ts';
import { MMF_OOM_SKIP, find_vma_intersection, mmap_read_unlock, mmap_write_downgrade,
	mmap_write_lock, mmap_write_lock_killable, mmap_write_unlock, update_hiwater_rss,
	update_hiwater_vm, vm_end_gap, vm_start_gap, vma_is_accessible, vma_is_anonymous,
	vma_pages, vma_set_anonymous } from './mm.ts';
import { VM_ACCESS_FLAGS, VM_ACCOUNT, VM_DENYWRITE, VM_EXEC, VM_GROWSDOWN, VM_LOCKED,
	VM_LOCKED_CLEAR_MASK, VM_MAYEXEC, VM_MAYREAD, VM_MAYSHARE, VM_MAYWRITE, VM_NORESERVE,
	VM_PFNMAP, VM_READ, VM_SHARED, VM_SOFTDIRTY, VM_SPECIAL, VM_WRITE, avcs, files, mms,
	tasks, vmas, type address_space, type anon_vma, type file, type mm_struct,
	type vm_area_struct } from './mm_types.ts';
import { ULONG_MAX, tlb_finish_mmu, tlb_gather_mmu } from './mmu_gather.ts';
import { mmu_notifier_release } from './mmu_notifier.ts';
import { __oom_reap_task_mm, mm_is_oom_victim } from './oom_kill.ts';
import { mapping_can_writeback } from './page-writeback.ts';
import { anon_vma_clone, anon_vma_merge, anon_vma_prepare, unlink_anon_vmas } from './rmap.ts';
import { anon_vma_lock_write, anon_vma_unlock_write, i_mmap_lock_write, i_mmap_unlock_write }
	from './rmap_types.ts';
import { shmem_mapping, shmem_mmap, shmem_zero_setup } from './shmem.ts';
import { lru_add_drain } from './swap.ts';
import { OVERCOMMIT_NEVER, __vm_enough_memory, __vma_link_list, __vma_unlink_list,
	sysctl_overcommit_memory, vm_unacct_memory } from './util.ts';
import { vm_operations } from './vm_ops.ts';

/* uapi/asm-generic/mman*.h */
export const PROT_NONE = 0, PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4,
	PROT_GROWSDOWN = 0x01000000, PROT_GROWSUP = 0x02000000;
export const MAP_SHARED = 0x1, MAP_PRIVATE = 0x2, MAP_SHARED_VALIDATE = 0x3, MAP_TYPE = 0xf,
	MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20, MAP_32BIT = 0x40, MAP_GROWSDOWN = 0x100,
	MAP_DENYWRITE = 0x800, MAP_EXECUTABLE = 0x1000, MAP_LOCKED = 0x2000,
	MAP_NORESERVE = 0x4000, MAP_POPULATE = 0x8000, MAP_NONBLOCK = 0x10000, MAP_STACK = 0x20000,
	MAP_HUGETLB = 0x40000, MAP_SYNC = 0x80000, MAP_FIXED_NOREPLACE = 0x100000;

/* One mapping for each 16 of the ELF format's limit of 65535 sections, less a margin. */
export const sysctl_max_map_count = global_s32('sysctl_max_map_count');
/* Bytes that must stay free below a stack. */
export const stack_guard_gap = global_f64('stack_guard_gap');
/* Lowest address that user space may map, in bytes. */
export const mmap_min_addr = global_f64('mmap_min_addr');
const DEFAULT_MAX_MAP_COUNT = 65535 - 5;
const RLIMIT_STACK_BYTES = 8 * 1024 * 1024;
const DEFAULT_MAP_WINDOW = TASK_SIZE;
const SIZE_128M = 128 * 1024 * 1024;

const { vm_start, vm_end, vm_next, vm_prev, vm_rb, rb_subtree_gap, vm_mm, vm_flags, vm_pgoff,
	vm_file, vm_ops, anon_vma: vm_anon_vma } = vmas;
const { left: rb_left, right: rb_right, parent: rb_parent } = rb_nodes;

/** Sysctls of this file, at boot. @custom the kernel initialises them statically */
export function mmap_init(): void {
	sysctl_max_map_count.v = DEFAULT_MAX_MAP_COUNT;
	stack_guard_gap.v = 256 * PAGE_SIZE;
	mmap_min_addr.v = 65536;
}

/** Recompute the protection bits of the vma's entries from its flags. @ported v5.10 */
export function vma_set_page_prot(vma: vm_area_struct): void {
	let flags = vm_flags[vma];

	if (vma_wants_writenotify(vma, vm_get_page_prot(flags), vm_get_page_prot_nx(flags)))
		/* The protection of a private mapping has no write bit. */
		flags &= ~VM_SHARED;
	vmas.vm_page_prot[vma] = vm_get_page_prot(flags);
	vmas.vm_page_prot_nx[vma] = vm_get_page_prot_nx(flags);
}

/** @reduced write access to executables is not counted: nothing is executed by the kernel */
function __remove_shared_vm_struct(vma: vm_area_struct, mapping: address_space): void {
	if (vm_flags[vma] & VM_SHARED)
		mapping_unmap_writable(mapping);
	vma_interval_tree_remove(vma, mapping);
}

/** @ported v5.10 */
export function unlink_file_vma(vma: vm_area_struct): void {
	const file = vm_file[vma];

	if (file) {
		const mapping = files.f_mapping[file];
		i_mmap_lock_write(mapping);
		__remove_shared_vm_struct(vma, mapping);
		i_mmap_unlock_write(mapping);
	}
}

/** Free a vma that is on no list any more; returns the next one. @ported v5.10 static */
function remove_vma(vma: vm_area_struct): vm_area_struct {
	const next = vm_next[vma];

	vm_operations(vm_ops[vma]).close?.(vma);
	if (vm_file[vma])
		fput(vm_file[vma]);
	vm_area_free(vma);
	return next;
}

/**
 * brk(2) of the running task: the new end of the heap, or the old one if it cannot be moved.
 * @ported v5.10 mm/mmap.c:SYSCALL_DEFINE1(brk)
 */
export function sys_brk(brk: number): number {
	const mm = tasks.mm[current()];
	let populate = false;

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	const origbrk = mms.brk[mm];
	const newbrk = PAGE_ALIGN(brk), oldbrk = PAGE_ALIGN(origbrk);
	out: try {
		if (brk < mms.start_brk[mm])
			return origbrk;
		if (oldbrk === newbrk) {
			mms.brk[mm] = brk;
			break out;
		}
		if (brk <= origbrk) {
			mms.brk[mm] = brk;
			if (do_munmap(mm, newbrk, oldbrk - newbrk) < 0) {
				mms.brk[mm] = origbrk;
				return origbrk;
			}
			break out;
		}
		const next = find_vma(mm, oldbrk);
		if (next && newbrk + PAGE_SIZE > vm_start_gap(next))
			return origbrk;
		if (do_brk_flags(oldbrk, newbrk - oldbrk, 0) < 0)
			return origbrk;
		mms.brk[mm] = brk;
		populate = (mms.def_flags[mm] & VM_LOCKED) !== 0;
	} finally {
		mmap_write_unlock(mm);
	}
	if (populate)
		mm_populate(oldbrk, newbrk - oldbrk);
	return brk;
}

/** Free bytes between a vma and the one below it. @ported v5.10 static */
function vma_compute_gap(vma: vm_area_struct): number {
	let gap = vm_start_gap(vma);

	if (vm_prev[vma]) {
		const prev_end = vm_end_gap(vm_prev[vma]);
		gap = gap > prev_end ? gap - prev_end : 0;
	}
	return gap;
}

/** @ported v5.10 static */
function vma_compute_subtree_gap(vma: vm_area_struct): number {
	const node = vm_rb(vma);
	let max = vma_compute_gap(vma);

	if (rb_left[node]) {
		const subtree_gap = rb_subtree_gap[vm_rb.container_of(rb_left[node])];
		if (subtree_gap > max)
			max = subtree_gap;
	}
	if (rb_right[node]) {
		const subtree_gap = rb_subtree_gap[vm_rb.container_of(rb_right[node])];
		if (subtree_gap > max)
			max = subtree_gap;
	}
	return max;
}

/**
 * The mm's list and tree agree with each other and with its counters; for tests.
 * @reduced CONFIG_DEBUG_VM_RB: the interval trees of the anon_vmas are not verified
 * @throws KernelBug if they do not
 */
export function validate_mm(mm: mm_struct): void {
	let i = 0, highest_address = 0, prev = 0 as vm_area_struct;
	let node = rb_first(mms.mm_rb[mm] as rb_node);

	for (let vma = mms.mmap[mm]; vma; vma = vm_next[vma]) {
		BUG_ON(vm_prev[vma] !== prev, `vma ${vma}: vm_prev is not the one before`);
		BUG_ON(vm_rb(vma) !== node, `vma ${vma}: the tree has another order than the list`);
		BUG_ON(vm_start[vma] >= vm_end[vma] || vm_start[vma] < highest_address,
			`vma ${vma}: overlaps, or is empty`);
		BUG_ON(rb_subtree_gap[vma] !== vma_compute_subtree_gap(vma),
			`vma ${vma}: free gap`);
		highest_address = vm_end_gap(vma);
		prev = vma;
		node = rb_next(node);
		i++;
	}
	BUG_ON(node !== 0, 'the tree has more vmas than the list');
	BUG_ON(i !== mms.map_count[mm], `map_count ${mms.map_count[mm]}, but ${i} on the list`);
	BUG_ON(highest_address !== mms.highest_vm_end[mm], 'highest_vm_end');
}

const vma_gap_callbacks: Augment = {
	compute(node: rb_node): boolean {
		const vma = vm_rb.container_of(node);
		const gap = vma_compute_subtree_gap(vma);

		if (rb_subtree_gap[vma] === gap)
			return false;
		rb_subtree_gap[vma] = gap;
		return true;
	},
};

/** The gap below the vma has changed: tell the nodes above. @ported v5.10 static */
function vma_gap_update(vma: vm_area_struct): void {
	rb_propagate(vm_rb(vma), 0 as rb_node, vma_gap_callbacks);
}

/** @ported v5.10 static */
function vma_rb_insert(vma: vm_area_struct, mm: mm_struct): void {
	mms.mm_rb[mm] = rb_insert_augmented(
		vm_rb(vma), mms.mm_rb[mm] as rb_node, vma_gap_callbacks);
}

/** @ported v5.10 static */
function vma_rb_erase(vma: vm_area_struct, mm: mm_struct): void {
	mms.mm_rb[mm] = rb_erase_augmented(
		vm_rb(vma), mms.mm_rb[mm] as rb_node, vma_gap_callbacks);
}

/** Out of the trees before the bounds change, in again after. @ported v5.10 static */
function anon_vma_interval_tree_pre_update_vma(vma: vm_area_struct): void {
	const head = vmas.anon_vma_chain(vma);

	for (let l = list_heads.next[head]; l !== head; l = list_heads.next[l]) {
		const avc = avcs.same_vma.container_of(l);
		anon_vma_interval_tree_remove(avc, avcs.anon_vma[avc]);
	}
}

/** @ported v5.10 static */
function anon_vma_interval_tree_post_update_vma(vma: vm_area_struct): void {
	const head = vmas.anon_vma_chain(vma);

	for (let l = list_heads.next[head]; l !== head; l = list_heads.next[l]) {
		const avc = avcs.same_vma.container_of(l);
		anon_vma_interval_tree_insert(avc, avcs.anon_vma[avc]);
	}
}

/* *pprev, *rb_link and *rb_parent of find_vma_links(): where a new vma goes. Used up at once. */
const link = { prev: 0 as vm_area_struct, rb_parent: 0 as rb_node, rb_link: 0 };

/** Fill `link` for a mapping of [addr, end); -ENOMEM if something is there. @ported v5.10 static */
function find_vma_links(mm: mm_struct, addr: number, end: number): number {
	let node = mms.mm_rb[mm] as rb_node;
	let before = 0 as rb_node;

	link.rb_parent = 0 as rb_node;
	link.rb_link = 0;
	while (node) {
		const vma_tmp = vm_rb.container_of(node);

		link.rb_parent = node;
		if (vm_end[vma_tmp] > addr) {
			if (vm_start[vma_tmp] < end)
				return -ENOMEM;
			link.rb_link = 0;
			node = rb_left[node];
		} else {
			before = node;
			link.rb_link = 1;
			node = rb_right[node];
		}
	}
	link.prev = before ? vm_rb.container_of(before) : 0 as vm_area_struct;
	return 0;
}

/** @ported v5.10 static */
function vma_next(mm: mm_struct, vma: vm_area_struct): vm_area_struct {
	return vma ? vm_next[vma] : mms.mmap[mm];
}

/** Unmap what overlaps, then fill `link`. @ported v5.10 static */
function munmap_vma_range(mm: mm_struct, start: number, len: number): number {
	while (find_vma_links(mm, start, start + len))
		if (do_munmap(mm, start, len))
			return -ENOMEM;
	return 0;
}

/** @ported v5.10 static */
function count_vma_pages_range(mm: mm_struct, addr: number, end: number): number {
	let vma = find_vma_intersection(mm, addr, end);

	if (!vma)
		return 0;
	let nr_pages = (Math.min(end, vm_end[vma]) - Math.max(addr, vm_start[vma])) / PAGE_SIZE;
	for (vma = vm_next[vma]; vma; vma = vm_next[vma]) {
		if (vm_start[vma] > end)
			break;
		nr_pages += (Math.min(end, vm_end[vma]) - vm_start[vma]) / PAGE_SIZE;
	}
	return nr_pages;
}

/** Hang the vma into the tree under `parent`; it is on the list already. @ported v5.10 */
export function __vma_link_rb(
	mm: mm_struct, vma: vm_area_struct, rb_link: number, parent: rb_node,
): void {
	if (vm_next[vma])
		vma_gap_update(vm_next[vma]);
	else
		mms.highest_vm_end[mm] = vm_end_gap(vma);

	/*
	 * The gap of the new node starts from 0, so that vma_gap_update() carries its value up
	 * and the rebalancing works on a tree that is right.
	 */
	rb_link_node(vm_rb(vma), parent, rb_link);
	rb_subtree_gap[vma] = 0;
	vma_gap_update(vma);
	vma_rb_insert(vma, mm);
}

/** @reduced write access to executables is not counted */
function __vma_link_file(vma: vm_area_struct): void {
	const file = vm_file[vma];

	if (file) {
		const mapping = files.f_mapping[file];
		if (vm_flags[vma] & VM_SHARED)
			mapping_allow_writable(mapping);
		vma_interval_tree_insert(vma, mapping);
	}
}

/** @ported v5.10 static */
function __vma_link(
	mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, rb_link: number, parent: rb_node,
): void {
	__vma_link_list(mm, vma, prev);
	__vma_link_rb(mm, vma, rb_link, parent);
}

/** @ported v5.10 static */
function vma_link(
	mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, rb_link: number, parent: rb_node,
): void {
	let mapping = 0 as address_space;

	if (vm_file[vma]) {
		mapping = files.f_mapping[vm_file[vma]];
		i_mmap_lock_write(mapping);
	}
	__vma_link(mm, vma, prev, rb_link, parent);
	__vma_link_file(vma);
	if (mapping)
		i_mmap_unlock_write(mapping);
	mms.map_count[mm]++;
}

/** @ported v5.10 static */
function __insert_vm_struct(mm: mm_struct, vma: vm_area_struct): void {
	if (find_vma_links(mm, vm_start[vma], vm_end[vma]))
		BUG('a part of a mapping overlaps another one');
	__vma_link(mm, vma, link.prev, link.rb_link, link.rb_parent);
	mms.map_count[mm]++;
}

/** @ported v5.10 static */
function __vma_unlink(mm: mm_struct, vma: vm_area_struct): void {
	vma_rb_erase(vma, mm);
	__vma_unlink_list(mm, vma);
}

/**
 * Move the bounds of `vma`, taking from or giving to its neighbour, or with `insert`, the other
 * half of a split. `expand` is the vma of a merge that grows, where that matters.
 * @ported v5.10
 * @returns 0 or -ENOMEM
 */
export function __vma_adjust(
	vma: vm_area_struct, start: number, end: number, pgoff: number, insert: vm_area_struct,
	expand: vm_area_struct,
): number {
	const mm = vm_mm[vma];
	let next = vm_next[vma];
	let mapping = 0 as address_space;
	let anon_vma = 0 as anon_vma;
	const file = vm_file[vma];
	let start_changed = false, end_changed = false;
	let adjust_next = 0;
	let remove_next = 0;

	if (next && !insert) {
		let exporter = 0 as vm_area_struct, importer = 0 as vm_area_struct;

		if (end >= vm_end[next]) {
			/* vma swallows all of next, or next one of vma's: mprotect case 6, 7, 8. */
			if (next === expand) {
				VM_BUG_ON(end !== vm_end[next], '__vma_adjust: grows beyond next');
				remove_next = 3;
				VM_BUG_ON(file !== vm_file[next], '__vma_adjust: files differ');
				const tmp = vma;
				vma = next;
				next = tmp;
			} else {
				VM_BUG_ON(expand !== vma, '__vma_adjust: who grows?');
				/* 2: the one after next is swallowed too. */
				remove_next = 1 + (end > vm_end[next] ? 1 : 0);
				VM_BUG_ON(remove_next === 2 && end !== vm_end[vm_next[next]],
					'__vma_adjust: swallows a part');
				/* First the one, then the other. */
				end = vm_end[next];
			}
			exporter = next;
			importer = vma;
			if (remove_next === 2 && !vm_anon_vma[next])
				exporter = vm_next[next];
		} else if (end > vm_start[next]) {
			/* vma takes the start of next: mprotect case 5. */
			adjust_next = end - vm_start[next];
			exporter = next;
			importer = vma;
			VM_BUG_ON(expand !== importer, '__vma_adjust: who grows?');
		} else if (end < vm_end[vma]) {
			/* next takes the end of vma: mprotect case 4. */
			adjust_next = -(vm_end[vma] - end);
			exporter = vma;
			importer = next;
			VM_BUG_ON(expand !== importer, '__vma_adjust: who grows?');
		}

		/* Pages come along only if the one that grows has their anon_vma too. */
		if (exporter && vm_anon_vma[exporter] && !vm_anon_vma[importer]) {
			vm_anon_vma[importer] = vm_anon_vma[exporter];
			const error = anon_vma_clone(importer, exporter);
			if (error)
				return error;
		}
	}
	again: for (;;) {
		if (file) {
			mapping = files.f_mapping[file];
			i_mmap_lock_write(mapping);
			if (insert) {
				/* In before the bounds change, so that rmap misses no page. */
				__vma_link_file(insert);
			}
		}

		anon_vma = vm_anon_vma[vma];
		if (!anon_vma && adjust_next)
			anon_vma = vm_anon_vma[next];
		if (anon_vma) {
			VM_BUG_ON(adjust_next !== 0 && vm_anon_vma[next] !== 0 &&
				anon_vma !== vm_anon_vma[next], '__vma_adjust: anon_vmas differ');
			anon_vma_lock_write(anon_vma);
			anon_vma_interval_tree_pre_update_vma(vma);
			if (adjust_next)
				anon_vma_interval_tree_pre_update_vma(next);
		}

		if (file) {
			vma_interval_tree_remove(vma, mapping);
			if (adjust_next)
				vma_interval_tree_remove(next, mapping);
		}

		if (start !== vm_start[vma]) {
			vm_start[vma] = start;
			start_changed = true;
		}
		if (end !== vm_end[vma]) {
			vm_end[vma] = end;
			end_changed = true;
		}
		vm_pgoff[vma] = pgoff;
		if (adjust_next) {
			vm_start[next] += adjust_next;
			vm_pgoff[next] += adjust_next / PAGE_SIZE;
		}

		if (file) {
			if (adjust_next)
				vma_interval_tree_insert(next, mapping);
			vma_interval_tree_insert(vma, mapping);
		}

		if (remove_next) {
			/* vma has swallowed next. */
			__vma_unlink(mm, next);
			if (file)
				__remove_shared_vm_struct(next, mapping);
		} else if (insert) {
			__insert_vm_struct(mm, insert);
		} else {
			if (start_changed)
				vma_gap_update(vma);
			if (end_changed) {
				if (!next)
					mms.highest_vm_end[mm] = vm_end_gap(vma);
				else if (!adjust_next)
					vma_gap_update(next);
			}
		}

		if (anon_vma) {
			anon_vma_interval_tree_post_update_vma(vma);
			if (adjust_next)
				anon_vma_interval_tree_post_update_vma(next);
			anon_vma_unlock_write(anon_vma);
		}

		if (file)
			i_mmap_unlock_write(mapping);

		if (remove_next) {
			if (file)
				fput(file);
			if (vm_anon_vma[next])
				anon_vma_merge(vma, next);
			mms.map_count[mm]--;
			vm_area_free(next);
			/* With 3 the two were swapped, so vma is after what was removed. */
			next = remove_next !== 3 ? vm_next[vma] : vma;
			if (remove_next === 2) {
				remove_next = 1;
				end = vm_end[next];
				continue again;
			} else if (next) {
				vma_gap_update(next);
			} else {
				VM_BUG_ON(mms.highest_vm_end[mm] !== vm_end_gap(vma),
					'__vma_adjust: highest_vm_end');
			}
		}
		break;
	}
	return 0;
}

/** @ported v5.10 include/linux/mm.h:vma_adjust() */
export function vma_adjust(
	vma: vm_area_struct, start: number, end: number, pgoff: number, insert: vm_area_struct,
): number {
	return __vma_adjust(vma, start, end, pgoff, insert, 0 as vm_area_struct);
}

/** @reduced no userfaultfd contexts to compare */
function is_mergeable_vma(vma: vm_area_struct, file: file, flags: number): boolean {
	/* VM_SOFTDIRTY differs often and may: the merged area is dirty. */
	if ((vm_flags[vma] ^ flags) & ~VM_SOFTDIRTY)
		return false;
	if (vm_file[vma] !== file)
		return false;
	if (vm_operations(vm_ops[vma]).close)
		return false;
	return true;
}

/** @ported v5.10 static */
function is_mergeable_anon_vma(
	anon_vma1: anon_vma, anon_vma2: anon_vma, vma: vm_area_struct,
): boolean {
	/* One may lack an anon_vma, unless the other shares its own with a parent or child. */
	if ((!anon_vma1 || !anon_vma2) &&
	    (!vma || list_is_singular(vmas.anon_vma_chain(vma))))
		return true;
	return anon_vma1 === anon_vma2;
}

/** Whether what is at vm_pgoff can be put in front of vma. @ported v5.10 static */
function can_vma_merge_before(
	vma: vm_area_struct, flags: number, anon_vma: anon_vma, file: file, pgoff: number,
): boolean {
	return is_mergeable_vma(vma, file, flags) &&
		is_mergeable_anon_vma(anon_vma, vm_anon_vma[vma], vma) &&
		vm_pgoff[vma] === pgoff;
}

/** Whether what is at vm_pgoff can be put behind vma. @ported v5.10 static */
function can_vma_merge_after(
	vma: vm_area_struct, flags: number, anon_vma: anon_vma, file: file, pgoff: number,
): boolean {
	return is_mergeable_vma(vma, file, flags) &&
		is_mergeable_anon_vma(anon_vma, vm_anon_vma[vma], vma) &&
		vm_pgoff[vma] + vma_pages(vma) === pgoff;
}

/**
 * Grow a neighbour over [addr, end), which is unmapped or the part of a mapping that changes.
 * The kernel's numbers of the cases, with the vma that gets the range:
 *
 *	range			prev and next	prev	next
 *	a hole			1		2	3
 *	the end of prev		-		-	4
 *	the start of next	-		5	-
 *	all of a vma between	6		7	8
 *
 * "Prev and next" become one vma. A range over the border of two vmas is never merged.
 * @ported v5.10
 * @returns the vma that grew, 0 if none can
 */
export function vma_merge(
	mm: mm_struct, prev: vm_area_struct, addr: number, end: number, flags: number,
	anon_vma: anon_vma, file: file, pgoff: number,
): vm_area_struct {
	const pglen = (end - addr) / PAGE_SIZE;
	let err: number;

	if (flags & VM_SPECIAL)
		return 0 as vm_area_struct;

	let next = vma_next(mm, prev);
	let area = next;
	if (area && vm_end[area] === end)		/* 6, 7 or 8 */
		next = vm_next[next];

	VM_BUG_ON(prev !== 0 && addr <= vm_start[prev], 'vma_merge: prev is not before');
	VM_BUG_ON(area !== 0 && end > vm_end[area], 'vma_merge: reaches into the area after');
	VM_BUG_ON(addr >= end, 'vma_merge: an empty range');

	/* prev grows upwards */
	if (prev && vm_end[prev] === addr &&
	    can_vma_merge_after(prev, flags, anon_vma, file, pgoff)) {
		/* and swallows next too */
		if (next && end === vm_start[next] &&
		    can_vma_merge_before(next, flags, anon_vma, file, pgoff + pglen) &&
		    is_mergeable_anon_vma(
			vm_anon_vma[prev], vm_anon_vma[next], 0 as vm_area_struct)) {
			/* 1 or 6 */
			err = __vma_adjust(prev, vm_start[prev], vm_end[next], vm_pgoff[prev],
				0 as vm_area_struct, prev);
		} else {
			/* 2, 5 or 7 */
			err = __vma_adjust(prev, vm_start[prev], end, vm_pgoff[prev],
				0 as vm_area_struct, prev);
		}
		return err ? 0 as vm_area_struct : prev;
	}

	/* next grows downwards */
	if (next && end === vm_start[next] &&
	    can_vma_merge_before(next, flags, anon_vma, file, pgoff + pglen)) {
		if (prev && addr < vm_end[prev]) {	/* 4 */
			err = __vma_adjust(prev, vm_start[prev], addr, vm_pgoff[prev],
				0 as vm_area_struct, next);
		} else {				/* 3 or 8 */
			err = __vma_adjust(area, addr, vm_end[next], vm_pgoff[next] - pglen,
				0 as vm_area_struct, next);
			/* After case 8 the old area is freed; with case 3 it was next all along. */
			area = next;
		}
		return err ? 0 as vm_area_struct : area;
	}
	return 0 as vm_area_struct;
}

/** Two neighbours that could become one but for their access rights. @ported v5.10 static */
function anon_vma_compatible(a: vm_area_struct, b: vm_area_struct): boolean {
	return vm_end[a] === vm_start[b] &&
		vm_file[a] === vm_file[b] &&
		!((vm_flags[a] ^ vm_flags[b]) & ~(VM_ACCESS_FLAGS | VM_SOFTDIRTY)) &&
		vm_pgoff[b] === vm_pgoff[a] + (vm_start[b] - vm_start[a]) / PAGE_SIZE;
}

/** @ported v5.10 static */
function reusable_anon_vma(
	old: vm_area_struct, a: vm_area_struct, b: vm_area_struct,
): anon_vma {
	if (anon_vma_compatible(a, b)) {
		const anon_vma = vm_anon_vma[old];

		if (anon_vma && list_is_singular(vmas.anon_vma_chain(old)))
			return anon_vma;
	}
	return 0 as anon_vma;
}

/**
 * The anon_vma of a neighbour that the vma may take, so that they can be merged later; 0 if none.
 * @ported v5.10
 */
export function find_mergeable_anon_vma(vma: vm_area_struct): anon_vma {
	let anon_vma = 0 as anon_vma;

	if (vm_next[vma]) {
		anon_vma = reusable_anon_vma(vm_next[vma], vma, vm_next[vma]);
		if (anon_vma)
			return anon_vma;
	}
	if (vm_prev[vma])
		anon_vma = reusable_anon_vma(vm_prev[vma], vm_prev[vma], vma);
	return anon_vma;
}

/** @ported v5.10 static */
function round_hint_to_min(hint: number): number {
	hint = page_align_down(hint);
	if (hint !== 0 && hint < mmap_min_addr.v)
		return PAGE_ALIGN(mmap_min_addr.v);
	return hint;
}

/** @ported v5.10 static */
function mlock_future_check(mm: mm_struct, flags: number, len: number): number {
	if (flags & VM_LOCKED) {
		const locked = len / PAGE_SIZE + mms.locked_vm[mm];
		const lock_limit = Math.floor(tasks.rlimit_memlock[current()] / PAGE_SIZE);

		if (locked > lock_limit && !capable(CAP_IPC_LOCK))
			return -EAGAIN;
	}
	return 0;
}

/* MAX_LFS_FILESIZE: more than any page offset that is exact here. */
const MAX_LFS_FILESIZE = 2 ** 63;

/** @ported v5.10 static */
function file_mmap_ok(_file: file, pgoff: number, len: number): boolean {
	return pgoff <= Math.floor((MAX_LFS_FILESIZE - len) / PAGE_SIZE);
}

/** @ported v5.10 include/linux/mman.h:calc_vm_prot_bits() */
function calc_vm_prot_bits(prot: number): number {
	return (prot & PROT_READ ? VM_READ : 0) | (prot & PROT_WRITE ? VM_WRITE : 0) |
		(prot & PROT_EXEC ? VM_EXEC : 0);
}

/** @ported v5.10 include/linux/mman.h:calc_vm_flag_bits() */
function calc_vm_flag_bits(flags: number): number {
	return (flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0) |
		(flags & MAP_DENYWRITE ? VM_DENYWRITE : 0) |
		(flags & MAP_LOCKED ? VM_LOCKED : 0);
}

/**
 * Map `len` bytes of `file`, or anonymous memory for 0, into the running task; the mmap lock is
 * held for writing.
 * @param pgoff page offset in the file
 * @param populate how many bytes the caller shall fault in afterwards
 * @returns the address, or -errno
 * @reduced no protection keys, hugetlb, leases or append-only files
 */
export function do_mmap(
	file: file, addr: number, len: number, prot: number, flags: number, pgoff: number,
	populate: out<number>,
): number {
	const mm = tasks.mm[current()];

	populate.v = 0;
	if (!len)
		return -EINVAL;
	/* MAP_FIXED_NOREPLACE is MAP_FIXED, but for what is there. */
	if (flags & MAP_FIXED_NOREPLACE)
		flags |= MAP_FIXED;
	if (!(flags & MAP_FIXED))
		addr = round_hint_to_min(addr);
	len = PAGE_ALIGN(len);
	if (mms.map_count[mm] > sysctl_max_map_count.v)
		return -ENOMEM;

	addr = get_unmapped_area(file, addr, len, pgoff, flags);
	if (addr < 0)
		return addr;

	if (flags & MAP_FIXED_NOREPLACE) {
		const vma = find_vma(mm, addr);
		if (vma && vm_start[vma] < addr + len)
			return -EEXIST;
	}

	let vm_flags_new = calc_vm_prot_bits(prot) | calc_vm_flag_bits(flags) | mms.def_flags[mm] |
		VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC;

	if (flags & MAP_LOCKED)
		if (!can_do_mlock())
			return -EPERM;
	if (mlock_future_check(mm, vm_flags_new, len))
		return -EAGAIN;

	if (file) {
		const f_mode = files.f_mode[file];

		if (!file_mmap_ok(file, pgoff, len))
			return -EOVERFLOW;
		switch (flags & MAP_TYPE) {
		case MAP_SHARED:
		case MAP_SHARED_VALIDATE:
			if (prot & PROT_WRITE) {
				if (!(f_mode & FMODE_WRITE))
					return -EACCES;
			}
			vm_flags_new |= VM_SHARED | VM_MAYSHARE;
			if (!(f_mode & FMODE_WRITE))
				vm_flags_new &= ~(VM_MAYWRITE | VM_SHARED);
			if (!(f_mode & FMODE_READ))
				return -EACCES;
			if (vm_flags_new & VM_GROWSDOWN)
				return -EINVAL;
			break;
		case MAP_PRIVATE:
			if (!(f_mode & FMODE_READ))
				return -EACCES;
			if (vm_flags_new & VM_GROWSDOWN)
				return -EINVAL;
			break;
		default:
			return -EINVAL;
		}
	} else {
		switch (flags & MAP_TYPE) {
		case MAP_SHARED:
			if (vm_flags_new & VM_GROWSDOWN)
				return -EINVAL;
			/* pgoff is of the shmem file that will be made. */
			pgoff = 0;
			vm_flags_new |= VM_SHARED | VM_MAYSHARE;
			break;
		case MAP_PRIVATE:
			/* rmap finds anonymous pages by address. */
			pgoff = addr / PAGE_SIZE;
			break;
		default:
			return -EINVAL;
		}
	}

	if ((flags & MAP_NORESERVE) && sysctl_overcommit_memory.v !== OVERCOMMIT_NEVER)
		vm_flags_new |= VM_NORESERVE;

	addr = mmap_region(file, addr, len, vm_flags_new, pgoff);
	if (addr >= 0 &&
	    ((vm_flags_new & VM_LOCKED) ||
	     (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE))
		populate.v = len;
	return addr;
}

/**
 * Whether a write to a clean page of a shared mapping must be seen: its entries then lack the write
 * bit.
 * @ported v5.10
 */
export function vma_wants_writenotify(
	vma: vm_area_struct, page_prot: number, page_prot_nx: number,
): boolean {
	const flags = vm_flags[vma];

	/* Such a mapping never has the write bit. */
	if ((flags & (VM_WRITE | VM_SHARED)) !== (VM_WRITE | VM_SHARED))
		return false;

	/* The file system wants to be asked. */
	if (vm_ops[vma] && vm_operations(vm_ops[vma]).page_mkwrite)
		return true;

	/* The protection was changed by hand, or is of other flags: leave it alone. */
	if (page_prot !== vm_get_page_prot(flags) || page_prot_nx !== vm_get_page_prot_nx(flags))
		return false;

	/* Soft-dirty bits were cleared: the next write sets them. */
	if (!(flags & VM_SOFTDIRTY))
		return true;

	if (flags & VM_PFNMAP)
		return false;

	/* Only a file that is written back counts its dirty pages. */
	return vm_file[vma] !== 0 && files.f_mapping[vm_file[vma]] !== 0 &&
		mapping_can_writeback(files.f_mapping[vm_file[vma]]);
}

/** Whether the mapping counts against the commit limit. @ported v5.10 static */
function accountable_mapping(_file: file, flags: number): boolean {
	return (flags & (VM_NORESERVE | VM_SHARED | VM_WRITE)) === VM_WRITE;
}

/**
 * The address, or -errno.
 * @reduced the file's ->mmap() cannot change the vma's flags, so it is not merged again after it
 */
export function mmap_region(
	file: file, addr: number, len: number, flags: number, pgoff: number,
): number {
	const mm = tasks.mm[current()];
	let charged = 0;
	let error: number;

	if (!may_expand_vm(mm, flags, len / PAGE_SIZE)) {
		/* What MAP_FIXED replaces does not count twice. */
		const nr_pages = count_vma_pages_range(mm, addr, addr + len);
		if (!may_expand_vm(mm, flags, len / PAGE_SIZE - nr_pages))
			return -ENOMEM;
	}

	if (munmap_vma_range(mm, addr, len))
		return -ENOMEM;
	const prev = link.prev, rb_link = link.rb_link, parent = link.rb_parent;

	/* What may become private pages is promised now. */
	if (accountable_mapping(file, flags)) {
		charged = len / PAGE_SIZE;
		if (__vm_enough_memory(mm, charged, true))
			return -ENOMEM;
		flags |= VM_ACCOUNT;
	}

	let vma = vma_merge(mm, prev, addr, addr + len, flags, 0 as anon_vma, file, pgoff);
	if (!vma) {
		unacct_error: {
			vma = vm_area_alloc(mm);
			if (!vma) {
				error = -ENOMEM;
				break unacct_error;
			}
			vm_start[vma] = addr;
			vm_end[vma] = addr + len;
			vm_flags[vma] = flags;
			vmas.vm_page_prot[vma] = vm_get_page_prot(flags);
			vmas.vm_page_prot_nx[vma] = vm_get_page_prot_nx(flags);
			vm_pgoff[vma] = pgoff;

			free_vma: {
				if (file) {
					if (flags & VM_SHARED) {
						error = mapping_map_writable(files.f_mapping[file]);
						if (error)
							break free_vma;
					}
					vm_file[vma] = get_file(file);
					error = call_mmap(file, vma);
					if (error) {
						vm_file[vma] = 0 as file;
						fput(file);
						if (flags & VM_SHARED)
							mapping_unmap_writable(
								files.f_mapping[file]);
						break free_vma;
					}
					flags = vm_flags[vma];
				} else if (flags & VM_SHARED) {
					error = shmem_zero_setup(vma);
					if (error)
						break free_vma;
				} else {
					vma_set_anonymous(vma);
				}

				vma_link(mm, vma, prev, rb_link, parent);
				/* vma_link() has counted the vma itself. */
				if (file && (flags & VM_SHARED))
					mapping_unmap_writable(files.f_mapping[file]);
				error = 0;
			}
			if (error)
				vm_area_free(vma);
		}
		if (error) {
			if (charged)
				vm_unacct_memory(charged);
			return error;
		}
	}

	vm_stat_account(mm, flags, len / PAGE_SIZE);
	if (flags & VM_LOCKED) {
		if (flags & VM_SPECIAL)
			vm_flags[vma] &= VM_LOCKED_CLEAR_MASK;
		else
			mms.locked_vm[mm] += len / PAGE_SIZE;
	}

	/* New is dirty, also where it was merged, so that a tracker sees the remapping. */
	vm_flags[vma] |= VM_SOFTDIRTY;
	vma_set_page_prot(vma);
	return addr;
}

/** file->f_op->mmap(): 0 or -errno. @custom a call through the file's operations in the kernel */
function call_mmap(file: file, vma: vm_area_struct): number {
	return shmem_mapping(files.f_mapping[file])
		? shmem_mmap(file, vma) : ext4_file_mmap(file, vma);
}

/** Largest gap in a subtree, 0 for none. @custom the NULL test and rb_entry() of each use */
function subtree_gap_of(node: rb_node): number {
	return node ? rb_subtree_gap[vm_rb.container_of(node)] : 0;
}

/* struct vm_unmapped_area_info; used up at once. */
const info = { topdown: false, length: 0, low_limit: 0, high_limit: 0 };

/** @reduced no alignment beyond pages: nobody asks for any */
function unmapped_area(): number {
	const mm = tasks.mm[current()];
	const { length } = info;
	let gap_start: number, gap_end: number;

	/* Where the gap may start, and from where on it must end. */
	if (info.high_limit < length)
		return -ENOMEM;
	const high_limit = info.high_limit - length;
	if (info.low_limit > high_limit)
		return -ENOMEM;
	const low_limit = info.low_limit + length;

	found: {
		check_highest: {
			let node = mms.mm_rb[mm] as rb_node;
			if (!node)
				break check_highest;
			let vma = vm_rb.container_of(node);
			if (rb_subtree_gap[vma] < length)
				break check_highest;

			for (;;) {
				/* lower gaps first, or higher ones for the search from the top */
				gap_end = vm_start_gap(vma);
				if (gap_end >= low_limit &&
				    subtree_gap_of(rb_left[node]) >= length) {
					node = rb_left[node];
					vma = vm_rb.container_of(node);
					continue;
				}

				gap_start = vm_prev[vma] ? vm_end_gap(vm_prev[vma]) : 0;
				check_current: for (;;) {
					/* the gap in front of this vma */
					if (gap_start > high_limit)
						return -ENOMEM;
					if (gap_end >= low_limit && gap_end > gap_start &&
					    gap_end - gap_start >= length)
						break found;

					/* that side has room */
					if (subtree_gap_of(rb_right[node]) >= length) {
						node = rb_right[node];
						vma = vm_rb.container_of(node);
						break check_current;
					}

					/* up until we leave a left subtree */
					for (;;) {
						const came = node;
						if (!rb_parent[came])
							break check_highest;
						node = rb_parent[came];
						if (came === rb_left[node]) {
							vma = vm_rb.container_of(node);
							gap_start = vm_end_gap(vm_prev[vma]);
							gap_end = vm_start_gap(vma);
							continue check_current;
						}
					}
				}
			}
		}
		/* above all mappings */
		gap_start = mms.highest_vm_end[mm];
		gap_end = ULONG_MAX;
		if (gap_start > high_limit)
			return -ENOMEM;
	}
	if (gap_start < info.low_limit)
		gap_start = info.low_limit;
	return gap_start;
}

/** @reduced no alignment beyond pages: nobody asks for any */
function unmapped_area_topdown(): number {
	const mm = tasks.mm[current()];
	const { length } = info;
	let gap_start: number, gap_end: number;

	gap_end = info.high_limit;
	if (gap_end < length)
		return -ENOMEM;
	const high_limit = gap_end - length;
	if (info.low_limit > high_limit)
		return -ENOMEM;
	const low_limit = info.low_limit + length;

	found: {
		/* above all mappings */
		gap_start = mms.highest_vm_end[mm];
		if (gap_start <= high_limit)
			break found;

		let node = mms.mm_rb[mm] as rb_node;
		if (!node)
			return -ENOMEM;
		let vma = vm_rb.container_of(node);
		if (rb_subtree_gap[vma] < length)
			return -ENOMEM;

		for (;;) {
			/* that side has room */
			gap_start = vm_prev[vma] ? vm_end_gap(vm_prev[vma]) : 0;
			if (gap_start <= high_limit && subtree_gap_of(rb_right[node]) >= length) {
				node = rb_right[node];
				vma = vm_rb.container_of(node);
				continue;
			}

			check_current: for (;;) {
				/* the gap in front of this vma */
				gap_end = vm_start_gap(vma);
				if (gap_end < low_limit)
					return -ENOMEM;
				if (gap_start <= high_limit && gap_end > gap_start &&
				    gap_end - gap_start >= length) {
					if (gap_end > info.high_limit)
						gap_end = info.high_limit;
					break found;
				}

				/* lower gaps first, or higher ones for the search from the top */
				if (subtree_gap_of(rb_left[node]) >= length) {
					node = rb_left[node];
					vma = vm_rb.container_of(node);
					break check_current;
				}

				/* up until we leave a right subtree */
				for (;;) {
					const came = node;
					if (!rb_parent[came])
						return -ENOMEM;
					node = rb_parent[came];
					if (came === rb_right[node]) {
						vma = vm_rb.container_of(node);
						gap_start = vm_prev[vma]
							? vm_end_gap(vm_prev[vma]) : 0;
						continue check_current;
					}
				}
			}
		}
	}
	gap_end -= length;
	VM_BUG_ON(gap_end < info.low_limit || gap_end < gap_start, 'unmapped_area_topdown: no gap');
	return gap_end;
}

/** @ported v5.10 */
function vm_unmapped_area(): number {
	return info.topdown ? unmapped_area_topdown() : unmapped_area();
}

/** @ported v5.10 arch/x86/mm/mmap.c:mmap_base(); randomisation off */
function mmap_base(task_size: number, rlim_stack: number): number {
	const gap_min = SIZE_128M, gap_max = Math.floor(task_size / 6) * 5;
	let gap = rlim_stack + stack_guard_gap.v;

	if (gap < gap_min)
		gap = gap_min;
	else if (gap > gap_max)
		gap = gap_max;
	return PAGE_ALIGN(task_size - gap);
}

/** Choose where mappings of a new address space go. @reduced no legacy layout, none for 32 bits */
export function arch_pick_mmap_layout(mm: mm_struct): void {
	mms.mmap_base[mm] = mmap_base(DEFAULT_MAP_WINDOW, RLIMIT_STACK_BYTES);
}

/** @ported v5.10 arch/x86/kernel/sys_x86_64.c:find_start_end() and arch_get_unmapped_area() */
function arch_get_unmapped_area(addr: number, len: number, flags: number): number {
	let begin = PAGE_ALIGN(Math.floor(DEFAULT_MAP_WINDOW / 3)), end = DEFAULT_MAP_WINDOW;

	if (flags & MAP_FIXED)
		return addr;
	if (flags & MAP_32BIT) {
		begin = 0x40000000;
		end = 0x80000000;
	}
	if (len > end)
		return -ENOMEM;

	if (addr) {
		addr = PAGE_ALIGN(addr);
		const vma = find_vma(tasks.mm[current()], addr);
		if (end - len >= addr && (!vma || addr + len <= vm_start_gap(vma)))
			return addr;
	}
	info.topdown = false;
	info.length = len;
	info.low_limit = begin;
	info.high_limit = end;
	return vm_unmapped_area();
}

/** @ported v5.10 arch/x86/kernel/sys_x86_64.c:arch_get_unmapped_area_topdown() */
function arch_get_unmapped_area_topdown(addr0: number, len: number, flags: number): number {
	const mm = tasks.mm[current()];
	let addr = addr0;

	if (len > TASK_SIZE)
		return -ENOMEM;
	if (flags & MAP_FIXED)
		return addr;
	if (!(flags & MAP_32BIT)) {
		/* a hint */
		if (addr) {
			addr = page_align_down(addr);
			if (TASK_SIZE - len >= addr) {
				const vma = find_vma(mm, addr);
				if (!vma || addr + len <= vm_start_gap(vma))
					return addr;
			}
		}
		info.topdown = true;
		info.length = len;
		info.low_limit = PAGE_SIZE;
		info.high_limit = mms.mmap_base[mm];
		addr = vm_unmapped_area();
		if (addr >= 0)
			return addr;
		VM_BUG_ON(addr !== -ENOMEM, 'get_unmapped_area: what error?');
	}
	/* Nothing below mmap_base: what lies above it is reached from below. */
	return arch_get_unmapped_area(addr0, len, flags);
}

/**
 * A free place for a mapping of the running task, or with MAP_FIXED `addr` itself if it is valid.
 * @reduced no file has a ->get_unmapped_area() that differs without huge pages
 * @returns the address, or -errno
 */
export function get_unmapped_area(
	_file: file, addr: number, len: number, _pgoff: number, flags: number,
): number {
	if (len > TASK_SIZE)
		return -ENOMEM;

	addr = arch_get_unmapped_area_topdown(addr, len, flags);
	if (addr < 0)
		return flags & MAP_FIXED ? -ENOMEM : addr;

	if (addr > TASK_SIZE - len)
		return -ENOMEM;
	if (offset_in_page(addr))
		return -EINVAL;
	/* security_mmap_addr(): the lowest pages are nobody's, but root may ask for them. */
	return addr;
}

/** The first vma that ends above addr, 0 for none. @reduced without the cache of recent answers */
export function find_vma(mm: mm_struct, addr: number): vm_area_struct {
	let node = mms.mm_rb[mm] as rb_node;
	let vma = 0 as vm_area_struct;

	while (node) {
		const tmp = vm_rb.container_of(node);

		if (vm_end[tmp] > addr) {
			vma = tmp;
			if (vm_start[tmp] <= addr)
				break;
			node = rb_left[node];
		} else {
			node = rb_right[node];
		}
	}
	return vma;
}

/** @ported v5.10 */
export function find_vma_prev(
	mm: mm_struct, addr: number, pprev: out<vm_area_struct>,
): vm_area_struct {
	const vma = find_vma(mm, addr);

	if (vma) {
		pprev.v = vm_prev[vma];
	} else {
		const node = rb_last(mms.mm_rb[mm] as rb_node);
		pprev.v = node ? vm_rb.container_of(node) : 0 as vm_area_struct;
	}
	return vma;
}

/** @ported v5.10 static */
function acct_stack_growth(vma: vm_area_struct, size: number, grow: number): number {
	const mm = vm_mm[vma];

	if (!may_expand_vm(mm, vm_flags[vma], grow))
		return -ENOMEM;
	if (size > RLIMIT_STACK_BYTES)
		return -ENOMEM;
	if (vm_flags[vma] & VM_LOCKED) {
		const locked = mms.locked_vm[mm] + grow;
		const limit = Math.floor(tasks.rlimit_memlock[current()] / PAGE_SIZE);
		if (locked > limit && !capable(CAP_IPC_LOCK))
			return -ENOMEM;
	}
	if (__vm_enough_memory(mm, grow, true))
		return -ENOMEM;
	return 0;
}

/** 0 or -errno. @ported v5.10 */
export function expand_downwards(vma: vm_area_struct, address: number): number {
	const mm = vm_mm[vma];
	let error = 0;

	address = page_align_down(address);
	if (address < mmap_min_addr.v)
		return -EPERM;

	const prev = vm_prev[vma];
	if (prev && !(vm_flags[prev] & VM_GROWSDOWN) && vma_is_accessible(prev)) {
		if (address - vm_end[prev] < stack_guard_gap.v)
			return -ENOMEM;
	}

	/* rmap must be kept from the vma while it grows. */
	if (anon_vma_prepare(vma))
		return -ENOMEM;
	anon_vma_lock_write(vm_anon_vma[vma]);

	if (address < vm_start[vma]) {
		const size = vm_end[vma] - address;
		const grow = (vm_start[vma] - address) / PAGE_SIZE;

		error = -ENOMEM;
		if (grow <= vm_pgoff[vma]) {
			error = acct_stack_growth(vma, size, grow);
			if (!error) {
				if (vm_flags[vma] & VM_LOCKED)
					mms.locked_vm[mm] += grow;
				vm_stat_account(mm, vm_flags[vma], grow);
				anon_vma_interval_tree_pre_update_vma(vma);
				vm_start[vma] = address;
				vm_pgoff[vma] -= grow;
				anon_vma_interval_tree_post_update_vma(vma);
				vma_gap_update(vma);
			}
		}
	}
	anon_vma_unlock_write(vm_anon_vma[vma]);
	return error;
}

/** @ported v5.10 */
export function expand_stack(vma: vm_area_struct, address: number): number {
	return expand_downwards(vma, address);
}

/** find_vma(), growing a stack down to the address. @ported v5.10 */
export function find_extend_vma(mm: mm_struct, addr: number): vm_area_struct {
	addr = page_align_down(addr);
	const vma = find_vma(mm, addr);
	if (!vma)
		return vma;
	if (vm_start[vma] <= addr)
		return vma;
	if (!(vm_flags[vma] & VM_GROWSDOWN))
		return 0 as vm_area_struct;
	const start = vm_start[vma];
	if (expand_stack(vma, addr))
		return 0 as vm_area_struct;
	if (vm_flags[vma] & VM_LOCKED)
		populate_vma_page_range(vma, addr, start, null);
	return vma;
}

/** @ported v5.10 static */
function remove_vma_list(mm: mm_struct, vma: vm_area_struct): void {
	let nr_accounted = 0;

	update_hiwater_vm(mm);
	do {
		const nrpages = vma_pages(vma);

		if (vm_flags[vma] & VM_ACCOUNT)
			nr_accounted += nrpages;
		vm_stat_account(mm, vm_flags[vma], -nrpages);
		vma = remove_vma(vma);
	} while (vma);
	vm_unacct_memory(nr_accounted);
}

/** @ported v5.10 static */
function unmap_region(
	mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, start: number, end: number,
): void {
	const next = vma_next(mm, prev);

	lru_add_drain();
	const tlb = tlb_gather_mmu(mm, start, end);
	update_hiwater_rss(mm);
	unmap_vmas(tlb, vma, start, end);
	free_pgtables(tlb, vma, prev ? vm_end[prev] : 0, next ? vm_start[next] : 0);
	tlb_finish_mmu(tlb, start, end);
}

/**
 * Take [vma, end) off the list and the tree; false if the lock may not be downgraded.
 * @ported v5.10 static
 */
function detach_vmas_to_be_unmapped(
	mm: mm_struct, vma: vm_area_struct, prev: vm_area_struct, end: number,
): boolean {
	let tail_vma: vm_area_struct;

	vm_prev[vma] = 0 as vm_area_struct;
	do {
		vma_rb_erase(vma, mm);
		mms.map_count[mm]--;
		tail_vma = vma;
		vma = vm_next[vma];
	} while (vma && vm_start[vma] < end);
	if (prev)
		vm_next[prev] = vma;
	else
		mms.mmap[mm] = vma;
	if (vma) {
		vm_prev[vma] = prev;
		vma_gap_update(vma);
	} else {
		mms.highest_vm_end[mm] = prev ? vm_end_gap(prev) : 0;
	}
	vm_next[tail_vma] = 0 as vm_area_struct;

	/* A stack that could grow into the hole while the lock is shared. */
	if (vma && (vm_flags[vma] & VM_GROWSDOWN))
		return false;
	return true;
}

/**
 * Split `vma` at addr; the new vma is the lower part if new_below.
 * @ported v5.10
 * @returns 0 or -errno
 */
export function __split_vma(
	_mm: mm_struct, vma: vm_area_struct, addr: number, new_below: boolean,
): number {
	let err = vm_operations(vm_ops[vma]).may_split?.(vma, addr) ?? 0;
	if (err)
		return err;

	const new_ = vm_area_dup(vma);
	if (!new_)
		return -ENOMEM;

	if (new_below) {
		vm_end[new_] = addr;
	} else {
		vm_start[new_] = addr;
		vm_pgoff[new_] += (addr - vm_start[vma]) / PAGE_SIZE;
	}

	err = anon_vma_clone(new_, vma);
	if (err) {
		vm_area_free(new_);
		return err;
	}
	if (vm_file[new_])
		get_file(vm_file[new_]);
	vm_operations(vm_ops[new_]).open?.(new_);

	if (new_below)
		err = vma_adjust(vma, addr, vm_end[vma],
			vm_pgoff[vma] + (addr - vm_start[new_]) / PAGE_SIZE, new_);
	else
		err = vma_adjust(vma, vm_start[vma], addr, vm_pgoff[vma], new_);
	if (!err)
		return 0;

	vm_operations(vm_ops[new_]).close?.(new_);
	if (vm_file[new_])
		fput(vm_file[new_]);
	unlink_anon_vmas(new_);
	vm_area_free(new_);
	return err;
}

/** @ported v5.10 */
export function split_vma(
	mm: mm_struct, vma: vm_area_struct, addr: number, new_below: boolean,
): number {
	if (mms.map_count[mm] >= sysctl_max_map_count.v)
		return -ENOMEM;
	return __split_vma(mm, vma, addr, new_below);
}

/**
 * Unmap [start, start + len): 0, 1 with the mmap lock downgraded to a reader's, or -errno.
 * @ported v5.10
 */
export function __do_munmap(
	mm: mm_struct, start: number, len: number, downgrade: boolean,
): number {
	if (offset_in_page(start) || start < 0 || start > TASK_SIZE || len > TASK_SIZE - start)
		return -EINVAL;
	len = PAGE_ALIGN(len);
	const end = start + len;
	if (len === 0)
		return -EINVAL;

	let vma = find_vma(mm, start);
	if (!vma)
		return 0;
	let prev = vm_prev[vma];
	if (vm_start[vma] >= end)
		return 0;

	if (mms.locked_vm[mm])
		for (let tmp = vma; tmp && vm_start[tmp] < end; tmp = vm_next[tmp])
			if (vm_flags[tmp] & VM_LOCKED)
				munlock_would_wait(tmp, Math.max(start, vm_start[tmp]),
					Math.min(end, vm_end[tmp]));

	/* Splits come first, since only they can fail. */
	if (start > vm_start[vma]) {
		/* A hole in the middle makes one mapping more. */
		if (end < vm_end[vma] && mms.map_count[mm] >= sysctl_max_map_count.v)
			return -ENOMEM;
		const error = __split_vma(mm, vma, start, false);
		if (error)
			return error;
		prev = vma;
	}

	const last = find_vma(mm, end);
	if (last && end > vm_start[last]) {
		const error = __split_vma(mm, last, end, true);
		if (error)
			return error;
	}
	vma = vma_next(mm, prev);

	if (mms.locked_vm[mm]) {
		for (let tmp = vma; tmp && vm_start[tmp] < end; tmp = vm_next[tmp]) {
			if (vm_flags[tmp] & VM_LOCKED) {
				mms.locked_vm[mm] -= vma_pages(tmp);
				munlock_vma_pages_all(tmp);
			}
		}
	}

	if (!detach_vmas_to_be_unmapped(mm, vma, prev, end))
		downgrade = false;
	if (downgrade)
		mmap_write_downgrade(mm);
	unmap_region(mm, vma, prev, start, end);
	remove_vma_list(mm, vma);
	return downgrade ? 1 : 0;
}

/** @ported v5.10 */
export function do_munmap(mm: mm_struct, start: number, len: number): number {
	return __do_munmap(mm, start, len, false);
}

/** @ported v5.10 static */
function __vm_munmap(start: number, len: number, downgrade: boolean): number {
	const mm = tasks.mm[current()];

	if (mmap_write_lock_killable(mm))
		return -EINTR;
	try {
		const ret = __do_munmap(mm, start, len, downgrade);
		return ret === 1 ? 0 : ret;
	} finally {
		if (mms.mmap_lock[mm] > 0)
			mmap_read_unlock(mm);
		else
			mmap_write_unlock(mm);
	}
}

/** @ported v5.10 */
export function vm_munmap(start: number, len: number): number {
	return __vm_munmap(start, len, false);
}

/** munmap(2) of the running task; 0 or -errno. @ported v5.10 mm/mmap.c:SYSCALL_DEFINE2(munmap) */
export function sys_munmap(addr: number, len: number): number {
	return __vm_munmap(addr, len, true);
}

/** @ported v5.10 static */
function do_brk_flags(addr: number, len: number, flags: number): number {
	const mm = tasks.mm[current()];
	const pgoff = addr / PAGE_SIZE;

	if ((flags & ~VM_EXEC) !== 0)
		return -EINVAL;
	flags |= VM_READ | VM_WRITE | VM_MAYREAD | VM_MAYWRITE | VM_MAYEXEC | VM_ACCOUNT |
		mms.def_flags[mm];

	const mapped_addr = get_unmapped_area(0 as file, addr, len, 0, MAP_FIXED);
	if (mapped_addr < 0)
		return mapped_addr;
	const error = mlock_future_check(mm, mms.def_flags[mm], len);
	if (error)
		return error;

	if (munmap_vma_range(mm, addr, len))
		return -ENOMEM;
	const prev = link.prev, rb_link = link.rb_link, parent = link.rb_parent;

	if (!may_expand_vm(mm, flags, len / PAGE_SIZE))
		return -ENOMEM;
	if (mms.map_count[mm] > sysctl_max_map_count.v)
		return -ENOMEM;
	if (__vm_enough_memory(mm, len / PAGE_SIZE, true))
		return -ENOMEM;

	let vma = vma_merge(mm, prev, addr, addr + len, flags, 0 as anon_vma, 0 as file, pgoff);
	if (!vma) {
		vma = vm_area_alloc(mm);
		if (!vma) {
			vm_unacct_memory(len / PAGE_SIZE);
			return -ENOMEM;
		}
		vma_set_anonymous(vma);
		vm_start[vma] = addr;
		vm_end[vma] = addr + len;
		vm_pgoff[vma] = pgoff;
		vm_flags[vma] = flags;
		vmas.vm_page_prot[vma] = vm_get_page_prot(flags);
		vmas.vm_page_prot_nx[vma] = vm_get_page_prot_nx(flags);
		vma_link(mm, vma, prev, rb_link, parent);
	}
	mms.total_vm[mm] += len / PAGE_SIZE;
	mms.data_vm[mm] += len / PAGE_SIZE;
	if (flags & VM_LOCKED)
		mms.locked_vm[mm] += len / PAGE_SIZE;
	vm_flags[vma] |= VM_SOFTDIRTY;
	return 0;
}

/** Give back the whole address space; nobody uses the mm any more. @ported v5.10 */
export function exit_mmap(mm: mm_struct): void {
	let nr_accounted = 0;

	/* secondary MMUs let go of it first */
	mmu_notifier_release(mm);

	if (mm_is_oom_victim(mm)) {
		/* What the OOM reaper would take, taken now; then it must keep away. */
		__oom_reap_task_mm(mm);
		mms.flags[mm] |= 1 << MMF_OOM_SKIP;
		mmap_write_lock(mm);
		mmap_write_unlock(mm);
	}

	if (mms.locked_vm[mm]) {
		for (let vma = mms.mmap[mm]; vma; vma = vm_next[vma])
			if (vm_flags[vma] & VM_LOCKED)
				munlock_vma_pages_all(vma);
	}

	let vma = mms.mmap[mm];
	if (!vma)	/* a fork that failed early */
		return;

	lru_add_drain();
	const tlb = tlb_gather_mmu(mm, 0, ULONG_MAX);
	unmap_vmas(tlb, vma, 0, ULONG_MAX);
	free_pgtables(tlb, vma, 0, 0);
	tlb_finish_mmu(tlb, 0, ULONG_MAX);

	while (vma) {
		if (vm_flags[vma] & VM_ACCOUNT)
			nr_accounted += vma_pages(vma);
		vma = remove_vma(vma);
	}
	vm_unacct_memory(nr_accounted);
}

/** 0 or -ENOMEM. @ported v5.10 */
export function insert_vm_struct(mm: mm_struct, vma: vm_area_struct): number {
	if (find_vma_links(mm, vm_start[vma], vm_end[vma]))
		return -ENOMEM;
	const prev = link.prev, rb_link = link.rb_link, parent = link.rb_parent;
	if ((vm_flags[vma] & VM_ACCOUNT) && __vm_enough_memory(mm, vma_pages(vma), true))
		return -ENOMEM;

	/* See do_mmap(): by address. */
	if (vma_is_anonymous(vma)) {
		BUG_ON(vm_anon_vma[vma] !== 0, 'insert_vm_struct: has an anon_vma already');
		vm_pgoff[vma] = vm_start[vma] / PAGE_SIZE;
	}
	vma_link(mm, vma, prev, rb_link, parent);
	return 0;
}

/**
 * A vma for where mremap() moves `vmap` to; 0 for no memory. It may be an old one that has grown,
 * even the source itself.
 * @param need_rmap_locks rmap could meet both and miss a page on its way from one to the other
 * @ported v5.10
 */
export function copy_vma(
	vmap: out<vm_area_struct>, addr: number, len: number, pgoff: number,
	need_rmap_locks: out<boolean>,
): vm_area_struct {
	let vma = vmap.v;
	const vma_start = vm_start[vma];
	const mm = vm_mm[vma];
	let faulted_in_anon_vma = true;

	/* No page refers to the old offset: take the one of the new place, to merge well. */
	if (vma_is_anonymous(vma) && !vm_anon_vma[vma]) {
		pgoff = addr / PAGE_SIZE;
		faulted_in_anon_vma = false;
	}

	if (find_vma_links(mm, addr, addr + len))
		return 0 as vm_area_struct;	/* the destination was unmapped before */
	const prev = link.prev, rb_link = link.rb_link, parent = link.rb_parent;
	let new_vma = vma_merge(mm, prev, addr, addr + len, vm_flags[vma], vm_anon_vma[vma],
		vm_file[vma], pgoff);
	if (new_vma) {
		/* The destination has swallowed the source. */
		if (vma_start >= vm_start[new_vma] && vma_start < vm_end[new_vma]) {
			VM_BUG_ON(faulted_in_anon_vma, 'copy_vma: merged a vma that has pages');
			vma = new_vma;
			vmap.v = vma;
		}
		need_rmap_locks.v = vm_pgoff[new_vma] <= vm_pgoff[vma];
	} else {
		new_vma = vm_area_dup(vma);
		if (!new_vma)
			return new_vma;
		vm_start[new_vma] = addr;
		vm_end[new_vma] = addr + len;
		vm_pgoff[new_vma] = pgoff;
		if (anon_vma_clone(new_vma, vma)) {
			vm_area_free(new_vma);
			return 0 as vm_area_struct;
		}
		if (vm_file[new_vma])
			get_file(vm_file[new_vma]);
		vm_operations(vm_ops[new_vma]).open?.(new_vma);
		vma_link(mm, new_vma, prev, rb_link, parent);
		need_rmap_locks.v = false;
	}
	return new_vma;
}

/** @reduced RLIMIT_AS and RLIMIT_DATA are unlimited */
export function may_expand_vm(_mm: mm_struct, _flags: number, _npages: number): boolean {
	return true;
}

/** @ported v5.10 */
export function vm_stat_account(mm: mm_struct, flags: number, npages: number): void {
	mms.total_vm[mm] += npages;

	if ((flags & (VM_EXEC | VM_WRITE | VM_GROWSDOWN)) === VM_EXEC)
		mms.exec_vm[mm] += npages;
	else if (flags & VM_GROWSDOWN)
		mms.stack_vm[mm] += npages;
	else if ((flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN)) === VM_WRITE)
		mms.data_vm[mm] += npages;
}
