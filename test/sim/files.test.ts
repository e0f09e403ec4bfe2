// SPDX-License-Identifier: GPL-2.0-only
/* Names and formats of the files, against what Linux's manual and sources say they are. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MachineError, boot, subrange, type Machine, type Range, type Task }
	from '../../src/sim/machine.ts';
import { decodeKpageflags, decodePagemap } from '../../src/sim/formats.ts';
import { VM_SYSCTLS } from '../../src/sim/sysctl.ts';

const EACCES = 13, EINVAL = 22, ENOENT = 2, ESRCH = 3;
let machine: Machine, a: Task, anon: Range, shared: Range;

beforeEach(() => {
	machine = boot({ ram: 64 << 20, swap: 8 << 20 });
	machine.cgroup('A');
	a = machine.task('a', { cgroup: 'A' });
	anon = a.mmap({ pages: 16, prot: 'rw', shared: false });
	shared = a.mmap({ memfd: machine.memfd('f', 8), pages: 8, prot: 'rw', shared: true });
	a.write(anon);
	a.write(shared);
	machine.drain();
});

function errnoOf(body: () => unknown): number {
	try {
		body();
	} catch (error) {
		if (error instanceof MachineError)
			return error.errno;
		throw error;
	}
	return 0;
}
const fields = (text: string, pattern: RegExp): Record<string, number> => Object.fromEntries(
	[...text.matchAll(pattern)].map(([, key, value]) => [key, Number(value)]));

test('paths that are not there are refused, and so is the wrong way to use one', () => {
	for (const path of ['/proc/nothing', '/proc/1/nothing', '/proc/sys/vm/nothing',
		'/sys/fs/cgroup/A/nothing', '/sys/fs/cgroup/Z/memory.max', 'memory.max',
		'/sys/kernel/tracing/events/nothing/enable', '/proc/sys/vm/constructor'])
		expect([path, errnoOf(() => machine.readFile(path))]).toEqual([path, ENOENT]);
	expect(errnoOf(() => machine.readFile('/proc/99/status'))).toBe(ESRCH);
	expect(errnoOf(() => machine.readFile('/proc/sys/vm/compact_memory'))).toBe(EACCES);
	expect(errnoOf(() => machine.readFile('/proc/kpageflags'))).toBe(EACCES);
	expect(machine.writeFile('/proc/vmstat', '1')).toBe(-EACCES);
	expect(machine.writeFile('/proc/nothing', '1')).toBe(-ENOENT);
	expect(machine.writeFile('/sys/fs/cgroup/A/memory.current', '1')).toBe(-EACCES);
});

describe('pagemap and kpage*', () => {
	const words = (path: string, page: number): Uint8Array =>
		machine.readFileBytes(path, page * 8, 8);

	test('a word says what Documentation/admin-guide/mm/pagemap.rst says', () => {
		const pagemap = `/proc/${a.pid}/pagemap`;
		const own = decodePagemap(words(pagemap, anon.start / 4096), 0);
		expect(own).toMatchObject({ present: true, swapped: false, filePageOrShared: false,
			exclusive: true, softDirty: true });
		expect(own.pfnLow).toBe(machine.pfn(anon));
		const file = decodePagemap(words(pagemap, shared.start / 4096), 0);
		expect(file).toMatchObject({ present: true, filePageOrShared: true,
			exclusive: true });
		a.clearRefs(4);
		expect(decodePagemap(words(pagemap, anon.start / 4096), 0).softDirty).toBe(false);
		a.madvise(anon, 'pageout');
		const swapped = decodePagemap(words(pagemap, anon.start / 4096), 0);
		expect(swapped).toMatchObject({ present: false, swapped: true });
		/* Bits 0-4 are the type, 0; bits 5-54 the offset. */
		expect(swapped.pfnLow % 32).toBe(0);
		expect(swapped.pfnLow >>> 5).toBeGreaterThan(0);
	});

	test('flags, counts and cgroups of pages', () => {
		const pfn = machine.pfn(shared), b = a.fork('b');
		b.read({ ...shared, pid: b.pid });
		const flags = decodeKpageflags(words('/proc/kpageflags', pfn), 0);
		expect(flags).toEqual(['UPTODATE', 'DIRTY', 'LRU', 'MMAP', 'SWAPBACKED']);
		expect(decodeKpageflags(words('/proc/kpageflags', machine.pfn(anon)), 0))
			.toEqual(['UPTODATE', 'LRU', 'MMAP', 'ANON', 'SWAPBACKED']);
		expect(new DataView(words('/proc/kpagecount', pfn).buffer).getUint32(0,
			true)).toBe(2);
		expect(new DataView(words('/proc/kpagecgroup', pfn).buffer).getUint32(0,
			true)).toBe(2);
		/* The files end at a whole section of 128 MiB; what is beyond RAM is no page. */
		expect(decodeKpageflags(words('/proc/kpageflags', 20000), 0)).toEqual(['NOPAGE']);
		expect(machine.readFileBytes('/proc/kpageflags', 32768 * 8, 8)).toHaveLength(0);
	});

	test('offsets are multiples of 8', () => {
		for (const [offset, length] of [[4, 8], [8, 7], [-8, 8]] as const)
			expect(errnoOf(() =>
				machine.readFileBytes('/proc/kpageflags', offset, length)))
				.toBe(EINVAL);
	});
});

describe('a process', () => {
	test('smaps and status add up', () => {
		const smaps = machine.readFile(`/proc/${a.pid}/smaps`);
		const areas = smaps.split(/^(?=[0-9a-f]+-)/m);
		/* the stack is the third: 33 pages */
		const STACK = 132;
		expect(areas).toHaveLength(3);
		expect(areas[0]).toMatch(
			/^[0-9a-f]+-[0-9a-f]+ rw-s 00000000 00:01 \d+ +\/memfd:\d+ \(deleted\)\n/);
		expect(areas[1]).toMatch(/^[0-9a-f]+-[0-9a-f]+ rw-p 00000000 00:00 0 \n/);
		/* Names and order of fs/proc/task_mmu.c of v5.10. */
		expect(areas[1]!.match(/^\w+(?=:)/gm)).toEqual(['Size', 'KernelPageSize',
			'MMUPageSize', 'Rss', 'Pss', 'Shared_Clean', 'Shared_Dirty',
				'Private_Clean',
			'Private_Dirty', 'Referenced', 'Anonymous', 'LazyFree', 'AnonHugePages',
			'ShmemPmdMapped', 'FilePmdMapped', 'Shared_Hugetlb', 'Private_Hugetlb',
				'Swap',
			'SwapPss', 'Locked', 'THPeligible', 'VmFlags']);
		expect(areas[1]).toContain('Rss:                  64 kB\n');
		expect(areas[1]).toContain('Private_Hugetlb:       0 kB\n');
		expect(areas[1]).toContain('VmFlags: rd wr mr mw me ac sd \n');
		const status = (): Record<string, number> =>
			fields(machine.readFile(`/proc/${a.pid}/status`), /^(\w+):\t\s*(\d+) kB/gm);
		/*
		 * A task adds what it has to its mm's counters at its 66th fault, for
		 * TASK_RSS_EVENTS_THRESH is 64. There were 16 and 2 * 8: a write fault of a shared
		 * file dirties the page, drops the mmap lock, and comes again
		 * (fault_dirty_shared_page()). So it is at the 34th of the next 40, which has 24
		 * and
		 * 33 pages to add.
		 */
		expect(status()).toMatchObject({ VmSize: 96 + STACK, VmRSS: 0, VmPTE: 12,
			VmSwap: 0 });
		const more = a.mmap({ pages: 40, prot: 'rw', shared: false });
		a.write(more);
		expect(status()).toMatchObject({ VmSize: 256 + STACK, VmRSS: 57 * 4,
			RssAnon: 49 * 4, RssShmem: 32 });
		expect(machine.readFile(`/proc/${a.pid}/statm`)).toBe('97 57 8 0 0 89 0\n');
		a.munmap(more);
		const rollup = machine.readFile(`/proc/${a.pid}/smaps_rollup`);
		expect(rollup).toMatch(/^[0-9a-f]+-[0-9a-f]+ ---p 00000000 00:00 0 +\[rollup\]\n/);
		expect(rollup).toContain('Pss_Shmem:            32 kB\n');
	});

	test('referenced memory, as clear_refs measures it', () => {
		const path = `/proc/${a.pid}/smaps_rollup`;
		const referenced = (): number =>
			Number(/^Referenced: +(\d+)/m.exec(machine.readFile(path))![1]);
		expect(referenced()).toBe(96);
		expect(machine.writeFile(`/proc/${a.pid}/clear_refs`, '1\n')).toBe(0);
		expect(referenced()).toBe(0);
		/* init wrote the file, so a switch emptied the TLB. */
		a.read(subrange(anon, 0, 3));
		expect(referenced()).toBe(16);
		for (const wrong of ['0', '6', 'x', ''])
			expect(machine.writeFile(`/proc/${a.pid}/clear_refs`, wrong)).toBe(-EINVAL);
	});

	test('its name, its cgroup, its score', () => {
		expect(machine.readFile(`/proc/${a.pid}/comm`)).toBe('a\n');
		expect(machine.readFile('/proc/self/comm')).toBe('init\n');
		expect(machine.readFile('/proc/self/comm', a)).toBe('a\n');
		expect(machine.readFile(`/proc/${a.pid}/cgroup`)).toBe('0::/A\n');
		expect(machine.writeFile(`/proc/${a.pid}/oom_score_adj`, '-1000')).toBe(0);
		expect(machine.readFile(`/proc/${a.pid}/oom_score`)).toBe('0\n');
		expect(machine.writeFile(`/proc/${a.pid}/oom_score_adj`, '1001')).toBe(-EINVAL);
		/* A kernel thread has no memory. */
		expect(machine.readFile('/proc/2/comm')).toBe('kswapd0\n');
		expect(machine.readFile('/proc/2/maps')).toBe('');
		expect(errnoOf(() => machine.readFile('/proc/2/smaps_rollup'))).toBe(ESRCH);
	});
});

describe('the machine', () => {
	test('vmstat, meminfo, zoneinfo and buddyinfo agree', () => {
		machine.readFile('/proc/sys/vm/stat_refresh');
		const vmstat = fields(machine.readFile('/proc/vmstat'), /^(\w+) (\d+)$/gm);
		const meminfo =
			fields(machine.readFile('/proc/meminfo'), /^([\w()]+): +(\d+) kB$/gm);
		expect(meminfo['AnonPages']).toBe(vmstat['nr_anon_pages']! * 4);
		expect(meminfo['AnonPages']).toBe(64);
		expect(meminfo['Shmem']).toBe(32);
		expect(meminfo['Mapped']).toBe(32);
		expect(meminfo['Cached']).toBe(32);
		expect(meminfo['MemFree']).toBe(vmstat['nr_free_pages']! * 4);
		expect(meminfo['Inactive(anon)']).toBe(96);
		expect(meminfo['SwapTotal']).toBe(8192 - 4);
		expect(meminfo['SwapFree']).toBe(8192 - 4);
		expect(Object.keys(vmstat).at(-1)).toBe('nr_unstable');
		let free = 0;
		for (const [, , counts] of machine.readFile('/proc/buddyinfo')
			.matchAll(/^Node 0, zone +(\w+) ((?: *\d+ ){11})$/gm))
			free += counts!.trim().split(/ +/)
				.reduce((sum, n, order) => sum + Number(n) * 2 ** order, 0);
		expect(free).toBe(vmstat['nr_free_pages']);
		const zoneinfo = machine.readFile('/proc/zoneinfo');
		expect([...zoneinfo.matchAll(/^Node 0, zone +(\w+)$/gm)].map(([, zone]) => zone))
			.toEqual(['DMA', 'DMA32', 'Normal', 'Movable', 'Device']);
		expect([...zoneinfo.matchAll(/pages free +(\d+)/g)]
			.reduce((sum, [, n]) => sum + Number(n), 0)).toBe(vmstat['nr_free_pages']);
	});

	test('swaps, with the slots that a CPU takes in advance, 64 at a time', () => {
		a.madvise(anon, 'pageout');
		expect(machine.readFile('/proc/swaps')).toBe(
			'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n' +
			'/dev/ram0                               partition\t8188\t\t256\t\t-2\n');
	});
});

describe('/proc/sys/vm', () => {
	test('every number can be written as it was read', () => {
		for (const name of VM_SYSCTLS) {
			const path = `/proc/sys/vm/${name}`;
			if (['compact_memory', 'stat_refresh', 'drop_caches'].includes(name))
				continue;
			const value = machine.readFile(path);
			expect(value).toMatch(/^\d+(\t\d+)*\n$/);
			/* A limit of 0 bytes means that the ratio counts, and cannot be set. */
			const result = name.endsWith('_bytes') ? -EINVAL : 0;
			expect([name, machine.writeFile(path, value)]).toEqual([name, result]);
			expect([name, machine.readFile(path)]).toEqual([name, value]);
		}
	});

	test.each([
		['swappiness', 60, 0, 200], ['overcommit_memory', 0, 0, 2],
			['panic_on_oom', 0, 0, 2],
		['page-cluster', 3, 0, 0x7fffffff], ['watermark_scale_factor', 10, 1, 1000],
		['dirty_ratio', 20, 0, 100], ['max_map_count', 65530, 0, 0x7fffffff],
	])('%s is %i at boot, and takes %i to %i', (name, initial, least, most) => {
		const path = `/proc/sys/vm/${name}`;
		expect(Number(machine.readFile(path))).toBe(initial);
		for (const value of [least, most]) {
			expect(machine.writeFile(path, ` ${value}\n`)).toBe(0);
			expect(machine.readFile(path)).toBe(`${value}\n`);
		}
		for (const wrong of [least - 1, most + 1, 'x', '', '1.5'])
			expect([wrong, machine.writeFile(path, `${wrong}`)])
				.toEqual([wrong, -EINVAL]);
		expect(machine.readFile(path)).toBe(`${most}\n`);
	});

	test('of ratio and bytes, the one written last counts', () => {
		expect(machine.writeFile('/proc/sys/vm/dirty_bytes', '1048576')).toBe(0);
		expect(machine.readFile('/proc/sys/vm/dirty_ratio')).toBe('0\n');
		expect(machine.writeFile('/proc/sys/vm/dirty_ratio', '0x10')).toBe(0);
		expect(machine.readFile('/proc/sys/vm/dirty_ratio')).toBe('16\n');
		expect(machine.readFile('/proc/sys/vm/dirty_bytes')).toBe('0\n');
	});

	test('fault_around_bytes: whole pages, rounded down to a power of two', () => {
		const path = '/sys/kernel/debug/fault_around_bytes';
		expect(machine.readFile(path)).toBe('65536\n');
		expect(machine.writeFile(path, '12288')).toBe(0);
		expect(machine.readFile(path)).toBe('8192\n');
		expect(machine.writeFile(path, 'x')).toBe(-EINVAL);
	});
});

describe('cgroup files', () => {
	const dir = '/sys/fs/cgroup';

	test('the root has no limits, and memory.reclaim only where the kernel has it', () => {
		expect(errnoOf(() => machine.readFile(`${dir}/memory.max`))).toBe(ENOENT);
		expect(machine.readFile(`${dir}/memory.stat`)).toContain('anon 0\n');
		expect(machine.readFile(`${dir}/A/memory.max`)).toBe('max\n');
		expect(machine.writeFile(`${dir}/A/memory.reclaim`, '1M')).toBe(-ENOENT);
		const newer = boot({ ram: 16 << 20, kernel: 'v5.10.223+94968384dde1' });
		newer.cgroup('A');
		expect(newer.writeFile(`${dir}/A/memory.reclaim`, 'x')).toBe(-EINVAL);
	});

	test('sizes are bytes with suffixes, in whole pages', () => {
		for (const [text, value] of [['1M', 1048576], ['4097', 4096], ['2k', 0],
			['max\n', 'max']])
			for (const file of ['min', 'low', 'high', 'max', 'swap.max', 'swap.high']) {
				const path = `${dir}/A/memory.${file}`;
				if (file === 'max' && text !== '1M')
					continue;
				expect([file, machine.writeFile(path, `${text}`)])
					.toEqual([file, 0]);
				expect([file, machine.readFile(path)])
					.toEqual([file, `${value}\n`]);
			}
		for (const wrong of ['-1', 'x', '1M1'])
			expect([wrong, machine.writeFile(`${dir}/A/memory.high`, wrong)])
				.toEqual([wrong, -EINVAL]);
	});

	test('membership and control', () => {
		expect(machine.readFile(`${dir}/A/cgroup.procs`)).toBe(`${a.pid}\n`);
		expect(machine.readFile(`${dir}/cgroup.subtree_control`)).toBe('memory\n');
		expect(machine.readFile(`${dir}/A/cgroup.controllers`)).toBe('memory\n');
		expect(machine.readFile(`${dir}/A/cgroup.events`)).toBe('populated 1\nfrozen 0\n');
		expect(machine.writeFile(`${dir}/A/cgroup.procs`, '77')).toBe(-ESRCH);
		expect(machine.writeFile(`${dir}/A/cgroup.subtree_control`, '+cpu')).toBe(-EINVAL);
		/* Without +memory there, a child has no memory files of its own. */
		expect(errnoOf(() => machine.readFile(`${dir}/A/memory.current`))).toBe(0);
	});
});

describe('tracing', () => {
	const dir = '/sys/kernel/tracing';

	test('events are switched one by one, by system, and read back', () => {
		expect(machine.readFile(`${dir}/events/vmscan/enable`)).toBe('1\n');
		expect(machine.writeFile(`${dir}/events/vmscan/mm_vmscan_writepage/enable`,
			'0')).toBe(0);
		expect(machine.readFile(`${dir}/events/vmscan/enable`)).toBe('X\n');
		expect(machine.writeFile('/sys/kernel/debug/tracing/events/vmscan/enable',
			'0')).toBe(0);
		machine.reclaim('A', 30);
		expect(machine.traceLines()).toEqual([]);
		expect(machine.readFile(`${dir}/available_events`))
			.toContain('vmscan:mm_vmscan_lru_isolate\n');
		expect(machine.writeFile(`${dir}/events/vmscan/enable`, '2')).toBe(-EINVAL);
	});

	test('a line has the task, the CPU, the time, and the text of real kernels', () => {
		machine.reclaim('A', 30);
		const trace = machine.readFile(`${dir}/trace`);
		expect(trace).toMatch(
			/^# tracer: nop\n#\n# entries-in-buffer\/entries-written: (\d+)\/\1 /);
		expect(trace).toMatch(new RegExp('^            init-1       ' +
			'\\[000\\] \\.\\.\\.\\. +' +
			'\\d+\\.\\d{6}: mm_vmscan_memcg_reclaim_begin: order=0 ' +
			'gfp_flags=GFP_HIGHUSER_MOVABLE$', 'm'));
		expect(machine.writeFile(`${dir}/trace`, '')).toBe(0);
		expect(machine.readFile(`${dir}/trace`)).not.toContain('mm_vmscan');
	});
});
