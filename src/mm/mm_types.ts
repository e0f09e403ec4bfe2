// SPDX-License-Identifier: GPL-2.0-only
/*
 * include/linux/mm_types.h, rmap.h, fs.h, sched.h: the structs that the ports share. Fields are
 * grouped by the lock that protects them in the kernel; here a single order of events stands for
 * all of them but those whose trylock can fail.
 */
import { MAX_PFN } from '../arch/ram.ts';
import { array, f64, first_list, list, named, rb, s32, struct, to, u8, type list_head, type ptr }
	from '../lib/struct.ts';
import { pageflag_names } from './page_flags_names.ts';

/** A page pointer is its pfn; pfn 0 is reserved, so 0 is NULL. */
export type page = ptr<'page'>;
export type mm_struct = ptr<'mm_struct'>;
export type vm_area_struct = ptr<'vm_area_struct'>;
export type anon_vma = ptr<'anon_vma'>;
export type anon_vma_chain = ptr<'anon_vma_chain'>;
export type address_space = ptr<'address_space'>;
export type inode = ptr<'inode'>;
export type file = ptr<'file'>;
export type task_struct = ptr<'task_struct'>;
export type mem_cgroup = ptr<'mem_cgroup'>;
export type cgroup = ptr<'cgroup'>;

/** Low word of a page-table entry, by value. */
export type pte_t = number;
/** Index in `ram` of an entry's low word. */
export type ptep = number;
/** type << 26 | offset; 0 is no entry (offset 0 of a device is its header). */
export type swp_entry_t = number;

export const NULL = 0 as never;

export const pages = struct<page>()('page', MAX_PFN, {
	/* atomic */
	flags: named(s32, pageflag_names),
	/* -1: not mapped; below -128: a page_type, see page_flags.ts */
	_mapcount: s32,
	_refcount: s32,
	/* lruvec's lru_lock while PageLRU; zone->lock while PageBuddy; else the holder's own */
	lru: first_list,
	/*
	 * page lock. Row << 2 | PAGE_MAPPING_* bits: an anon_vma with PAGE_MAPPING_ANON, else an
	 * address_space
	 */
	mapping: s32,
	/* offset in the mapping, in pages */
	index: f64,
	/* swp_entry_t while PageSwapCache; order while PageBuddy; its buffer while PagePrivate */
	private: s32,
	/* buffer_head->b_state of its one buffer, while PagePrivate; see buffer.ts */
	b_state: u8,
	mem_cgroup: to<mem_cgroup>(),
	/* node << 4 | zone index; constant after boot */
	zone_node: u8,
	/* migratetype of the page's pageblock, kept at each page's block head only */
	pageblock_mt: u8,
});

export const PAGE_MAPPING_ANON = 1;
export const PAGE_MAPPING_MOVABLE = 2;
export const PAGE_MAPPING_FLAGS = 3;
/** A pointer in page->mapping is the row shifted by this. */
export const PAGE_MAPPING_SHIFT = 2;

/* mm_struct.rss_stat */
export const MM_FILEPAGES = 0, MM_ANONPAGES = 1, MM_SWAPENTS = 2, MM_SHMEMPAGES = 3,
	NR_MM_COUNTERS = 4;

/** Row of an mm is also the row of its mm_context_t in arch/tlb.ts. */
export const MMS = 8192;
export const mms = struct<mm_struct>()('mm_struct', MMS, {
	mm_users: s32,
	mm_count: s32,
	/* first task of the mm; its cgroup is whom mm_match_cgroup() asks */
	owner: to<task_struct>(),
	flags: s32,
	/* mmap_lock */
	mmap: to<vm_area_struct>(),
	mm_rb: s32,
	map_count: s32,
	mmap_base: f64,
	highest_vm_end: f64,
	total_vm: f64,
	data_vm: f64,
	exec_vm: f64,
	stack_vm: f64,
	locked_vm: f64,
	def_flags: s32,
	start_brk: f64,
	brk: f64,
	/* pfn of the top table */
	pgd: to<page>(),
	/* page_table_lock */
	pgtables_bytes: f64,
	hiwater_rss: f64,
	hiwater_vm: f64,
	rss_stat: array(s32, NR_MM_COUNTERS),
	/* FOLL_PIN was used on this mm: fork then looks for pinned pages */
	has_pinned: s32,
	/* mmlist_lock: swap-out has put entries into these tables */
	mmlist: list,
	tlb_flush_batched: u8,
	tlb_flush_pending: s32,
	/* row of mmu_notifier subscriptions, 0 for none */
	notifier_subscriptions: s32,
	/* 0 free, > 0 readers, -1 a writer */
	mmap_lock: s32,
});

export const vmas = struct<vm_area_struct>()('vm_area_struct', 1 << 18, {
	vm_start: f64,
	vm_end: f64,
	vm_next: to<vm_area_struct>(),
	vm_prev: to<vm_area_struct>(),
	vm_rb: rb,
	/* largest gap below any vma of the subtree, in bytes */
	rb_subtree_gap: f64,
	vm_mm: to<mm_struct>(),
	/* low word of the protection bits of a pte, and bit 63 apart */
	vm_page_prot: s32,
	vm_page_prot_nx: u8,
	vm_flags: s32,
	/* i_mmap_rwsem: mapping->i_mmap */
	shared: rb,
	shared_subtree_last: f64,
	/* mmap_lock and page_table_lock */
	anon_vma_chain: list,
	anon_vma: to<anon_vma>(),
	/* 0 none (anonymous), else an index of the vm_operations table */
	vm_ops: s32,
	/* offset in the file, or address, in pages */
	vm_pgoff: f64,
	vm_file: to<file>(),
	vm_private_data: s32,
	/* address of the last swap readahead | window << 6 | hits; 0 none */
	swap_readahead_info: f64,
});

export const anon_vmas = struct<anon_vma>()('anon_vma', 1 << 18, {
	root: to<anon_vma>(),
	/* 0 free, > 0 readers, -1 a writer; the root's counts for all */
	rwsem: s32,
	refcount: s32,
	/* areas whose anon_vma it is, and anon_vmas whose parent it is, itself among them */
	degree: s32,
	/* the two counted apart, as they are since 2555283eb40d */
	num_children: s32,
	num_active_vmas: s32,
	parent: to<anon_vma>(),
	rb_root: s32,
});

export const avcs = struct<anon_vma_chain>()('anon_vma_chain', 1 << 19, {
	vma: to<vm_area_struct>(),
	anon_vma: to<anon_vma>(),
	same_vma: list,
	rb: rb,
	rb_subtree_last: f64,
});

export const address_spaces = struct<address_space>()('address_space', 1 << 15, {
	host: to<inode>(),
	/* i_pages is the xarray of the same row, see lib/xarray.ts */
	gfp_mask: s32,
	i_mmap_writable: s32,
	i_mmap: s32,
	/* 0 free, > 0 readers, -1 a writer */
	i_mmap_rwsem: s32,
	nrpages: f64,
	nrexceptional: f64,
	writeback_index: f64,
	/* index of the address_space_operations table */
	a_ops: s32,
	flags: s32,
	wb_err: s32,
});

export const inodes = struct<inode>()('inode', 1 << 14, {
	i_ino: s32,
	i_mode: s32,
	i_count: s32,
	i_nlink: s32,
	i_size: f64,
	i_blocks: f64,
	/* index of the super block table: 1 shmem, 2 the disk file system */
	i_sb: s32,
	i_mapping: to<address_space>(),
	/* shmem_inode_info; info->lock */
	alloced: f64,
	swapped: f64,
	seals: s32,
	shmem_flags: s32,
	swaplist: list,
	stop_eviction: s32,
	/* a disk file: row of its extent */
	i_private: s32,
});

export const files = struct<file>()('file', 1 << 15, {
	f_count: s32,
	f_mode: s32,
	f_flags: s32,
	f_pos: f64,
	f_inode: to<inode>(),
	/* index of the file_operations table, 0 for a file of an inode, and what they work on */
	f_op: s32,
	private_data: s32,
	f_mapping: to<address_space>(),
	/* file_ra_state, in pages; prev_pos in bytes, -1 none */
	ra_start: f64,
	ra_size: s32,
	ra_async_size: s32,
	ra_pages: s32,
	ra_mmap_miss: s32,
	ra_prev_pos: f64,
});

export const TASK_FILES = 64;
export const COMM_LEN = 16;
export const tasks = struct<task_struct>()('task_struct', 8192, {
	pid: s32,
	/* bytes of the name, NUL-padded */
	comm: array(u8, COMM_LEN),
	mm: to<mm_struct>(),
	active_mm: to<mm_struct>(),
	/* the memory controller's css of the task, its cgroup, and the link in that one's tasks */
	memcg: to<mem_cgroup>(),
	cgroup: to<cgroup>(),
	cg_list: list,
	/* PF_* */
	flags: s32,
	/* TASK_RUNNING 0, EXIT_ZOMBIE 0x20 */
	state: s32,
	exit_code: s32,
	/* pending SIGKILL: fatal_signal_pending() */
	sigkill: u8,
	cpu: s32,
	parent: to<task_struct>(),
	children: list,
	sibling: list,
	thread_node: list,
	/* of a thread that is not the first of its process; 0: the task itself */
	group_leader: to<task_struct>(),
	files: array(s32, TASK_FILES),
	/* memcg_nr_pages_over_high, and which memcg it is for */
	memcg_nr_pages_over_high: s32,
	memcg_oom_order: s32,
	memcg_in_oom: to<mem_cgroup>(),
	oom_score_adj: s32,
	/* signal->oom_mm, TIF_MEMDIE, and the next in the OOM reaper's list */
	oom_mm: to<mm_struct>(),
	memdie: u8,
	oom_reaper_list: to<task_struct>(),
	/* when the OOM reaper is to be woken for it, in ns; 0 for not */
	oom_reaper_timer: f64,
	min_flt: f64,
	maj_flt: f64,
	/* address + 1 of the fault that was left in its second try, to be run again; 0 for none */
	fault_tried: f64,
	/* task_rss_stat: what the task has not yet added to its mm, and faults since it did */
	rss_stat: array(s32, NR_MM_COUNTERS),
	rss_stat_events: s32,
	/* the device that the task writes to by write(2), by inode_to_bdi(); 0 for none */
	backing_dev_info: s32,
	/* 1 while reclaim runs for this task: current->reclaim_state */
	reclaim_state: u8,
	reclaimed_slab: s32,
	/* RLIMIT_MEMLOCK, RLIMIT_DATA, RLIMIT_AS in bytes */
	rlimit_memlock: f64,
});
export const PF_EXITING = 0x4, PF_MEMALLOC = 0x800, PF_KSWAPD = 0x20000,
	PF_MEMALLOC_NOFS = 0x40000, PF_MEMALLOC_NOIO = 0x80000, PF_KTHREAD = 0x200000,
	PF_LOCAL_THROTTLE = 0x100000, PF_SWAPWRITE = 0x800000, PF_OOM_ORIGIN = 0x80000000 | 0;
export const TASK_RUNNING = 0, EXIT_ZOMBIE = 0x20;

/* include/linux/mm.h: vm_flags */
export const VM_NONE = 0, VM_READ = 0x1, VM_WRITE = 0x2, VM_EXEC = 0x4, VM_SHARED = 0x8,
	VM_MAYREAD = 0x10, VM_MAYWRITE = 0x20, VM_MAYEXEC = 0x40, VM_MAYSHARE = 0x80,
	VM_GROWSDOWN = 0x100, VM_UFFD_MISSING = 0x200, VM_PFNMAP = 0x400, VM_DENYWRITE = 0x800,
	VM_UFFD_WP = 0x1000, VM_LOCKED = 0x2000, VM_IO = 0x4000, VM_SEQ_READ = 0x8000,
	VM_RAND_READ = 0x10000, VM_DONTCOPY = 0x20000, VM_DONTEXPAND = 0x40000,
	VM_LOCKONFAULT = 0x80000, VM_ACCOUNT = 0x100000, VM_NORESERVE = 0x200000,
	VM_HUGETLB = 0x400000, VM_SYNC = 0x800000, VM_ARCH_1 = 0x1000000, VM_WIPEONFORK = 0x2000000,
	VM_DONTDUMP = 0x4000000, VM_SOFTDIRTY = 0x8000000, VM_MIXEDMAP = 0x10000000,
	VM_HUGEPAGE = 0x20000000, VM_NOHUGEPAGE = 0x40000000, VM_MERGEABLE = 0x80000000 | 0;
export const VM_SPECIAL = VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;
export const VM_LOCKED_CLEAR_MASK = ~(VM_LOCKED | VM_LOCKONFAULT);
export const VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;

/* vm_fault_t */
export const VM_FAULT_OOM = 0x1, VM_FAULT_SIGBUS = 0x2, VM_FAULT_MAJOR = 0x4,
	VM_FAULT_WRITE = 0x8, VM_FAULT_HWPOISON = 0x10, VM_FAULT_SIGSEGV = 0x40,
	VM_FAULT_NOPAGE = 0x100, VM_FAULT_LOCKED = 0x200, VM_FAULT_RETRY = 0x400,
	VM_FAULT_FALLBACK = 0x800, VM_FAULT_DONE_COW = 0x1000;
export const VM_FAULT_ERROR = VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV |
	VM_FAULT_HWPOISON | VM_FAULT_FALLBACK;
export const FAULT_FLAG_WRITE = 0x1, FAULT_FLAG_MKWRITE = 0x2, FAULT_FLAG_ALLOW_RETRY = 0x4,
	FAULT_FLAG_RETRY_NOWAIT = 0x8, FAULT_FLAG_KILLABLE = 0x10, FAULT_FLAG_TRIED = 0x20,
	FAULT_FLAG_USER = 0x40, FAULT_FLAG_REMOTE = 0x80, FAULT_FLAG_INSTRUCTION = 0x100,
	FAULT_FLAG_INTERRUPTIBLE = 0x200;

/** The page of a link; callers pass `list_heads.prev[head]`. @ported v5.10 include/linux/mm.h */
export const lru_to_page = (prev: list_head): page => pages.lru.container_of(prev);
