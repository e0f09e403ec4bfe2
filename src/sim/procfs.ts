// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text files below /proc: fs/proc/{meminfo,array,task_mmu}.c, mm/{vmstat,swapfile}.c. Lines about
 * what is not modelled (credentials, signals, the direct map) are left out.
 */
import { EINVAL, ESRCH } from '../lib/errno.ts';
import { list_heads } from '../lib/struct.ts';
import { cgroup_path } from '../mm/cgroup.ts';
import { nr_cpu_ids } from '../mm/current.ts';
import { bdevs } from '../mm/blkdev.ts';
import { diskfs_bdev } from '../mm/diskfs.ts';
import { DISKFS_SB, file_inode } from '../mm/fs.ts';
import { get_mm_counter, get_mm_hiwater_rss, get_mm_hiwater_vm, get_mm_rss, mm_pgtables_bytes,
	mmap_read_lock, mmap_read_unlock } from '../mm/mm.ts';
import { EXIT_ZOMBIE, MM_ANONPAGES, MM_FILEPAGES, MM_SHMEMPAGES, MM_SWAPENTS, VM_EXEC, VM_MAYSHARE,
	VM_READ, VM_WRITE, inodes, mms, tasks, vmas, type mm_struct, type task_struct,
	type vm_area_struct } from '../mm/mm_types.ts';
import { LRU_ACTIVE_ANON, LRU_ACTIVE_FILE, LRU_INACTIVE_ANON, LRU_INACTIVE_FILE, LRU_UNEVICTABLE,
	MAX_NR_ZONES, MAX_ORDER, NR_ANON_MAPPED, NR_BOUNCE, NR_CPUS, NR_FILE_DIRTY, NR_FILE_MAPPED,
	NR_FILE_PAGES, NR_FREE_PAGES, NR_KERNEL_MISC_RECLAIMABLE, NR_KERNEL_STACK_KB, NR_LRU_BASE,
	NR_MLOCK, NR_PAGETABLE, NR_SLAB_RECLAIMABLE_B, NR_SLAB_UNRECLAIMABLE_B,
	NR_VM_NODE_STAT_ITEMS, NR_VM_NUMA_STAT_ITEMS, NR_VM_ZONE_STAT_ITEMS, NR_WRITEBACK,
	NR_WRITEBACK_TEMP, first_online_pgdat, high_wmark_pages, low_wmark_pages, min_wmark_pages,
	next_online_pgdat, pgdats, populated_zone, zone_name, zones, type pglist_data, type zone }
	from '../mm/mmzone.ts';
import { oom_badness } from '../mm/oom_kill.ts';
import { si_mem_available, si_meminfo } from '../mm/page_alloc.ts';
import { total_swapcache_pages } from '../mm/swap_state.ts';
import { swap_active_head, swap_infos, total_swap_pages } from '../mm/swap_types.ts';
import { si_swapinfo } from '../mm/swapfile.ts';
import { PSS_SHIFT, clear_refs_write, mem_size_stats, smap_gather_stats } from '../mm/task_mmu.ts';
import { vm_commit_limit, vm_memory_committed } from '../mm/util.ts';
import { NR_VMSTAT_ITEMS, global_node_page_state, global_node_page_state_pages,
	global_zone_page_state, node_page_state_pages, node_stat_name, numa_stat_name, vmstat_start,
	vmstat_text, zone_numa_state_snapshot, zone_page_state, zone_stat_name }
	from '../mm/vmstat.ts';
import { task_comm } from './comm.ts';
import type { VirtualFile } from './files.ts';
import { pagemapBytes } from './pageinfo.ts';

const KB_PER_PAGE = 4;
const PAGE_SIZE = 4096;
/* (unsigned long)VMALLOC_TOTAL >> 10 of four-level tables */
const VMALLOC_TOTAL_KB = 34359738367;
const MAX_RECLAIM_RETRIES = 16;

/* A line of a value in kB, in 8 columns. */
const kb = (label: string, value: number, columns = 8): string =>
	`${label}${String(value).padStart(columns)} kB\n`;

function vmstat(): string {
	const values = new Float64Array(NR_VMSTAT_ITEMS);

	vmstat_start(values);
	return vmstat_text.map((name, i) => `${name} ${values[i]}\n`).join('') + 'nr_unstable 0\n';
}

function meminfo(): string {
	const i = { totalram: 0, sharedram: 0, freeram: 0, freeswap: 0, totalswap: 0 };
	const lru = (n: number): number => global_node_page_state(NR_LRU_BASE + n);
	const pages = (label: string, n: number): string =>
		kb(`${label}:`.padEnd(16), n * KB_PER_PAGE);

	si_meminfo(i);
	si_swapinfo(i);
	const cached = Math.max(0, global_node_page_state(NR_FILE_PAGES) - total_swapcache_pages());
	const sreclaimable = global_node_page_state_pages(NR_SLAB_RECLAIMABLE_B);
	const sunreclaim = global_node_page_state_pages(NR_SLAB_UNRECLAIMABLE_B);

	return pages('MemTotal', i.totalram) +
		pages('MemFree', i.freeram) +
		pages('MemAvailable', si_mem_available()) +
		pages('Buffers', 0) +
		pages('Cached', cached) +
		pages('SwapCached', total_swapcache_pages()) +
		pages('Active', lru(LRU_ACTIVE_ANON) + lru(LRU_ACTIVE_FILE)) +
		pages('Inactive', lru(LRU_INACTIVE_ANON) + lru(LRU_INACTIVE_FILE)) +
		pages('Active(anon)', lru(LRU_ACTIVE_ANON)) +
		pages('Inactive(anon)', lru(LRU_INACTIVE_ANON)) +
		pages('Active(file)', lru(LRU_ACTIVE_FILE)) +
		pages('Inactive(file)', lru(LRU_INACTIVE_FILE)) +
		pages('Unevictable', lru(LRU_UNEVICTABLE)) +
		pages('Mlocked', global_zone_page_state(NR_MLOCK)) +
		pages('SwapTotal', i.totalswap) +
		pages('SwapFree', i.freeswap) +
		pages('Dirty', global_node_page_state(NR_FILE_DIRTY)) +
		pages('Writeback', global_node_page_state(NR_WRITEBACK)) +
		pages('AnonPages', global_node_page_state(NR_ANON_MAPPED)) +
		pages('Mapped', global_node_page_state(NR_FILE_MAPPED)) +
		pages('Shmem', i.sharedram) +
		pages('KReclaimable',
			sreclaimable + global_node_page_state(NR_KERNEL_MISC_RECLAIMABLE)) +
		pages('Slab', sreclaimable + sunreclaim) +
		pages('SReclaimable', sreclaimable) +
		pages('SUnreclaim', sunreclaim) +
		kb('KernelStack:    ', global_node_page_state(NR_KERNEL_STACK_KB)) +
		pages('PageTables', global_zone_page_state(NR_PAGETABLE)) +
		pages('NFS_Unstable', 0) +
		pages('Bounce', global_zone_page_state(NR_BOUNCE)) +
		pages('WritebackTmp', global_node_page_state(NR_WRITEBACK_TEMP)) +
		pages('CommitLimit', vm_commit_limit()) +
		pages('Committed_AS', vm_memory_committed()) +
		kb('VmallocTotal:   ', VMALLOC_TOTAL_KB) +
		pages('VmallocUsed', 0) +
		pages('VmallocChunk', 0) +
		pages('Percpu', 0);
}

function swaps(): string {
	let text = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';
	const tab = (n: number): string => n < 10_000_000 ? '\t' : '';

	for (let at = list_heads.next[swap_active_head]; at !== swap_active_head;
		at = list_heads.next[at]) {
		const si = swap_infos.list.container_of(at);
		const size = swap_infos.pages[si] * KB_PER_PAGE;
		const used = swap_infos.inuse_pages[si] * KB_PER_PAGE;
		text += `/dev/ram${bdevs.minor[swap_infos.bdev[si]]}`.padEnd(40) + 'partition' +
			`\t${size}\t${tab(size)}${used}\t${tab(used)}${swap_infos.prio[si]}\n`;
	}
	return text;
}

/* walk_zones_in_node() of all nodes */
function eachZone(print: (pgdat: pglist_data, zone: zone) => string): string {
	let text = '';

	for (let pgdat = first_online_pgdat(); pgdat; pgdat = next_online_pgdat(pgdat))
		for (let i = 0; i < MAX_NR_ZONES; i++)
			text += print(pgdat, pgdats.node_zones[pgdat] + i as zone);
	return text;
}

const zoneHead = (pgdat: pglist_data, zone: zone): string =>
	`Node ${pgdats.node_id[pgdat]}, zone ${zone_name(zone).padStart(8)}`;

function zoneinfo(): string {
	return eachZone((pgdat, zone) => {
		let text = zoneHead(pgdat, zone);
		const stat = (name: string, value: number): void => {
			text += `\n      ${name.padEnd(12)} ${value}`;
		};
		const field = (name: string, value: number): void => {
			text += `\n        ${name.padEnd(8)} ${value}`;
		};

		if (isFirstPopulated(pgdat, zone)) {
			text += '\n  per-node stats';
			for (let i = 0; i < NR_VM_NODE_STAT_ITEMS; i++)
				stat(node_stat_name(i), node_page_state_pages(pgdat, i));
		}
		text += `\n  pages free     ${zone_page_state(zone, NR_FREE_PAGES)}`;
		field('min', min_wmark_pages(zone));
		field('low', low_wmark_pages(zone));
		field('high', high_wmark_pages(zone));
		field('spanned', zones.spanned_pages[zone]);
		field('present', zones.present_pages[zone]);
		field('managed', zones.managed_pages[zone]);
		const reserve = Array.from({ length: MAX_NR_ZONES },
			(_, i) => zones.lowmem_reserve[zone * MAX_NR_ZONES + i]);
		text += `\n        protection: (${reserve.join(', ')})`;
		if (!populated_zone(zone))
			return `${text}\n`;
		for (let i = 0; i < NR_VM_ZONE_STAT_ITEMS; i++)
			stat(zone_stat_name(i), zone_page_state(zone, i));
		for (let i = 0; i < NR_VM_NUMA_STAT_ITEMS; i++)
			stat(numa_stat_name(i), zone_numa_state_snapshot(zone, i));
		text += '\n  pagesets' + pagesets(zone);
		const unreclaimable = pgdats.kswapd_failures[pgdat] >= MAX_RECLAIM_RETRIES ? 1 : 0;
		return text + `\n  node_unreclaimable:  ${unreclaimable}` +
			`\n  start_pfn:           ${zones.zone_start_pfn[zone]}\n`;
	});
}

function pagesets(zone: zone): string {
	let text = '';

	for (let cpu = 0; cpu < nr_cpu_ids.v; cpu++)
		text += `\n    cpu: ${cpu}` +
			`\n              count: ${zones.pcp_count[zone * NR_CPUS + cpu]}` +
			`\n              high:  ${zones.pcp_high[zone]}` +
			`\n              batch: ${zones.pcp_batch[zone]}` +
			`\n  vm stats threshold: ${zones.stat_threshold[zone]}`;
	return text;
}

function isFirstPopulated(pgdat: pglist_data, zone: zone): boolean {
	for (let i = 0; i < MAX_NR_ZONES; i++) {
		const first = pgdats.node_zones[pgdat] + i as zone;
		if (populated_zone(first))
			return first === zone;
	}
	return false;
}

function buddyinfo(): string {
	return eachZone((pgdat, zone) => {
		if (!populated_zone(zone))
			return '';
		let text = `${zoneHead(pgdat, zone)} `;
		for (let order = 0; order < MAX_ORDER; order++)
			text += `${String(zones.nr_free[zone * MAX_ORDER + order]).padStart(6)} `;
		return `${text}\n`;
	});
}

/** Text files of /proc that are not a task's. */
export const PROC_FILES: Readonly<Record<string, VirtualFile>> = {
	'/proc/vmstat': { read: vmstat },
	'/proc/meminfo': { read: meminfo },
	'/proc/swaps': { read: swaps },
	'/proc/zoneinfo': { read: zoneinfo },
	'/proc/buddyinfo': { read: buddyinfo },
};

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/* show_vma_header_prefix() */
function vmaHeader(
	start: number, end: number, flags: number, offset: number, ino: number,
	dev = ino ? '00:01' : '00:00',
): string {
	return `${hex(start, 8)}-${hex(end, 8)} ` +
		(flags & VM_READ ? 'r' : '-') + (flags & VM_WRITE ? 'w' : '-') +
		(flags & VM_EXEC ? 'x' : '-') + (flags & VM_MAYSHARE ? 's' : 'p') +
		` ${hex(offset, 8)} ${dev} ${ino} `;
}

const NAME_COLUMN = 72, RAMDISK_MAJOR = 1;

/* show_map_vma(): files have no names here but their inode's number */
function mapsLine(mm: mm_struct, vma: vm_area_struct): string {
	const { vm_start, vm_end, vm_flags, vm_file, vm_pgoff } = vmas;
	const file = vm_file[vma];
	const ino = file ? inodes.i_ino[file_inode(file)] : 0;
	const dev = file && inodes.i_sb[file_inode(file)] === DISKFS_SB
		? `${hex(RAMDISK_MAJOR, 2)}:${hex(bdevs.minor[diskfs_bdev(file_inode(file))], 2)}`
		: undefined;
	const header = vmaHeader(vm_start[vma], vm_end[vma], vm_flags[vma],
		file ? vm_pgoff[vma] * PAGE_SIZE : 0, ino, dev);
	let name = '';

	if (file)
		name = dev ? `/files/${ino}` : `/memfd:${ino} (deleted)`;
	else if (vm_start[vma] <= mms.brk[mm] && vm_end[vma] >= mms.start_brk[mm])
		name = '[heap]';
	return name ? `${header.padEnd(NAME_COLUMN)} ${name}\n` : `${header}\n`;
}

function* vmasOf(mm: mm_struct): Generator<vm_area_struct> {
	for (let vma = mms.mmap[mm]; vma; vma = vmas.vm_next[vma])
		yield vma;
}

/* __show_smap() */
function smapLines(mss: mem_size_stats, rollup: boolean): string {
	const line = (label: string, bytes: number, columns = 8): string =>
		kb(`${label}:`.padEnd(16), Math.floor(bytes / 1024), columns);
	const pss = (value: number): number => Math.floor(value / 2 ** PSS_SHIFT);

	return line('Rss', mss.resident) +
		line('Pss', pss(mss.pss)) +
		(rollup ? line('Pss_Anon', pss(mss.pss_anon)) +
			line('Pss_File', pss(mss.pss_file)) +
			line('Pss_Shmem', pss(mss.pss_shmem)) : '') +
		line('Shared_Clean', mss.shared_clean) +
		line('Shared_Dirty', mss.shared_dirty) +
		line('Private_Clean', mss.private_clean) +
		line('Private_Dirty', mss.private_dirty) +
		line('Referenced', mss.referenced) +
		line('Anonymous', mss.anonymous) +
		line('LazyFree', mss.lazyfree) +
		line('AnonHugePages', 0) +
		line('ShmemPmdMapped', 0) +
		line('FilePmdMapped', 0) +
		line('Shared_Hugetlb', 0) +
		kb('Private_Hugetlb: ', 0, 7) +
		line('Swap', mss.swap) +
		line('SwapPss', pss(mss.swap_pss)) +
		line('Locked', pss(mss.pss_locked));
}

/* show_smap_vma_flags(), by bit */
const MNEMONICS = ['rd', 'wr', 'ex', 'sh', 'mr', 'mw', 'me', 'ms', 'gd', 'um', 'pf', 'dw', 'uw',
	'lo', 'io', 'sr', 'rr', 'dc', 'de', '??', 'ac', 'nr', 'ht', 'sf', 'ar', 'wf', 'dd', 'sd',
	'mm', 'hg', 'nh', 'mg'];

function vmFlagsLine(flags: number): string {
	const set = MNEMONICS.filter((_, bit) => flags & 1 << bit);

	return `VmFlags: ${set.map((mnemonic) => `${mnemonic} `).join('')}\n`;
}

function smaps(mm: mm_struct): string {
	let text = '';

	for (const vma of vmasOf(mm)) {
		const mss = new mem_size_stats();
		smap_gather_stats(vma, mss);
		text += mapsLine(mm, vma) +
			kb('Size:           ', (vmas.vm_end[vma] - vmas.vm_start[vma]) / 1024) +
			kb('KernelPageSize: ', KB_PER_PAGE) + kb('MMUPageSize:    ', KB_PER_PAGE) +
			smapLines(mss, false) + 'THPeligible:    0\n' +
				vmFlagsLine(vmas.vm_flags[vma]);
	}
	return text;
}

function smapsRollup(mm: mm_struct): string {
	const mss = new mem_size_stats();
	let end = 0;

	for (const vma of vmasOf(mm)) {
		smap_gather_stats(vma, mss);
		end = vmas.vm_end[vma];
	}
	const start = mms.mmap[mm] ? vmas.vm_start[mms.mmap[mm]] : 0;
	return `${vmaHeader(start, end, 0, 0, 0).padEnd(NAME_COLUMN)} [rollup]\n` +
		smapLines(mss, true);
}

function status(task: task_struct): string {
	const mm = tasks.mm[task];
	const state = tasks.state[task] === EXIT_ZOMBIE ? 'Z (zombie)' : 'S (sleeping)';
	const parent = tasks.parent[task];

	return `Name:\t${task_comm(task)}\nState:\t${state}\nTgid:\t${tasks.pid[task]}\n` +
		`Pid:\t${tasks.pid[task]}\nPPid:\t${parent ? tasks.pid[parent] : 0}\n` +
		(mm ? taskMem(mm) : '');
}

/* task_mem(): no program is loaded, so there is no text */
function taskMem(mm: mm_struct): string {
	const pages = (label: string, n: number): string => kb(`${label}:\t`, n * KB_PER_PAGE);

	return pages('VmPeak', get_mm_hiwater_vm(mm)) +
		pages('VmSize', mms.total_vm[mm]) +
		pages('VmLck', mms.locked_vm[mm]) +
		pages('VmPin', 0) +
		pages('VmHWM', get_mm_hiwater_rss(mm)) +
		pages('VmRSS', get_mm_rss(mm)) +
		pages('RssAnon', get_mm_counter(mm, MM_ANONPAGES)) +
		pages('RssFile', get_mm_counter(mm, MM_FILEPAGES)) +
		pages('RssShmem', get_mm_counter(mm, MM_SHMEMPAGES)) +
		pages('VmData', mms.data_vm[mm]) +
		pages('VmStk', mms.stack_vm[mm]) +
		pages('VmExe', 0) +
		pages('VmLib', mms.exec_vm[mm]) +
		kb('VmPTE:\t', Math.floor(mm_pgtables_bytes(mm) / 1024)) +
		pages('VmSwap', get_mm_counter(mm, MM_SWAPENTS));
}

function statm(mm: mm_struct): string {
	const shared = get_mm_counter(mm, MM_FILEPAGES) + get_mm_counter(mm, MM_SHMEMPAGES);
	const data = mms.data_vm[mm] + mms.stack_vm[mm];

	const resident = shared + get_mm_counter(mm, MM_ANONPAGES);

	return `${mms.total_vm[mm]} ${resident} ${shared} 0 0 ${data} 0\n`;
}

/* kstrtoint(strstrip(text), 10) */
function decimal(text: string): number | undefined {
	const digits = text.trim();

	return /^[+-]?\d+$/.test(digits) && Math.abs(Number(digits)) <= 0x7fffffff
		? Number(digits) : undefined;
}

function writeClearRefs(task: task_struct, text: string): number {
	const type = decimal(text);

	return type === undefined ? -EINVAL : clear_refs_write(task, type);
}

const OOM_SCORE_ADJ_MIN = -1000, OOM_SCORE_ADJ_MAX = 1000;

function writeOomScoreAdj(task: task_struct, text: string): number {
	const adj = decimal(text);

	if (adj === undefined || adj < OOM_SCORE_ADJ_MIN || adj > OOM_SCORE_ADJ_MAX)
		return -EINVAL;
	tasks.oom_score_adj[task] = adj;
	return 0;
}

/* proc_oom_score(): 0 to 2000 */
function oomScore(task: task_struct): string {
	const totalpages = totalPages();
	const badness = oom_badness(task, totalpages);

	if (!Number.isFinite(badness))
		return '0\n';
	return `${Math.trunc((1000 + Math.trunc(badness * 1000 / totalpages)) * 2 / 3)}\n`;
}

function totalPages(): number {
	const i = { totalram: 0, sharedram: 0, freeram: 0 };

	si_meminfo(i);
	return i.totalram + total_swap_pages.v;
}

function withLock(mm: mm_struct, show: (mm: mm_struct) => string): string {
	mmap_read_lock(mm);
	try {
		return show(mm);
	} finally {
		mmap_read_unlock(mm);
	}
}

/* A file that shows an address space: empty for a task without one, as a kernel thread. */
const ofMm = (show: (mm: mm_struct) => string) => (task: task_struct): VirtualFile => ({
	read: () => tasks.mm[task] ? withLock(tasks.mm[task], show) : '',
});

/** Files of /proc/PID. */
export const PID_FILES: Readonly<Record<string, (task: task_struct) => VirtualFile>> = {
	pagemap: (task) => ({ bytes: (offset, length) => pagemapBytes(task, offset, length) }),
	smaps: ofMm(smaps),
	smaps_rollup: (task) => ({
		read: () => tasks.mm[task] ? withLock(tasks.mm[task], smapsRollup) : -ESRCH,
	}),
	maps: ofMm((mm) => [...vmasOf(mm)].map((vma) => mapsLine(mm, vma)).join('')),
	status: (task) => ({ read: () => status(task) }),
	statm: (task) => ({
		read: () => tasks.mm[task] ? statm(tasks.mm[task]) : '0 0 0 0 0 0 0\n',
	}),
	comm: (task) => ({ read: () => `${task_comm(task)}\n` }),
	cgroup: (task) => ({
		read: () => `0::${tasks.cgroup[task] ? cgroup_path(tasks.cgroup[task]) : '/'}\n`,
	}),
	clear_refs: (task) => ({ write: (text) => writeClearRefs(task, text) }),
	oom_score_adj: (task) => ({
		read: () => `${tasks.oom_score_adj[task]}\n`,
		write: (text) => writeOomScoreAdj(task, text),
	}),
	oom_score: (task) => ({ read: () => oomScore(task) }),
};
