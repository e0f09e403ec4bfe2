// SPDX-License-Identifier: GPL-2.0-only
/* Tasks, the address spaces they share or copy, and what is left when they are gone. */
import { beforeEach, describe, expect, test } from 'vitest';
import { MM_FIX_CLEAR_REFS_WRITE_LOCKING as LOCKING, applyCommits,
	MM_PROC_INVALIDATE_TLB_AFTER_CLEARING_SOFT_DIRTY as SOFT_DIRTY_FLUSH }
	from '../../src/lib/commits.ts';
import { ECHILD, EAGAIN } from '../../src/lib/errno.ts';
import { current, smp_processor_id } from '../../src/mm/current.ts';
import { CLONE_VM, context_switch, cpu_curr, do_exit, find_task_by_vpid, idle_task, init_task,
	kernel_wait4, kthread_create } from '../../src/mm/fork.ts';
import { get_user_pages_remote, pin_user_pages_remote, unpin_user_page, type page_array }
	from '../../src/mm/gup.ts';
import { root_mem_cgroup } from '../../src/mm/memcontrol_types.ts';
import { FOLL_FORCE, FOLL_WRITE, mmap_read_lock, mmap_read_unlock, page_count, put_page }
	from '../../src/mm/mm.ts';
import { memfd_create } from '../../src/mm/memfd.ts';
import { EXIT_ZOMBIE, files, mms, tasks, vmas, type file, type mm_struct, type page }
	from '../../src/mm/mm_types.ts';
import { MAP_PRIVATE, MAP_SHARED, PROT_READ, sys_munmap } from '../../src/mm/mmap.ts';
import { shmem_setattr } from '../../src/mm/shmem.ts';
import { vm_mmap_pgoff } from '../../src/mm/util.ts';
import { CLEAR_REFS_ALL, CLEAR_REFS_SOFT_DIRTY, clear_refs_write, mem_size_stats, pagemap_read,
	pagemapread, PM_FILE, PM_MMAP_EXCLUSIVE, PM_PRESENT, PM_SOFT_DIRTY, smap_gather_stats }
	from '../../src/mm/task_mmu.ts';
import { find_vma } from '../../src/mm/mmap.ts';
import { lru_add_drain } from '../../src/mm/swap.ts';
import { pte_soft_dirty, pte_young } from '../../src/arch/pgtable.ts';
import { shmem_pageout, swap_device } from './swap_machine.ts';
import { boot, exitAndWait, fork, frameAt, freePages, mappingRows, mmapAnon, PAGE, pteAt, read32,
	run, RW, write32 } from './task_machine.ts';

beforeEach(() => boot({ cpus: 2 }));
const mm = (): mm_struct => tasks.mm[current()];

describe('tasks', () => {
	test('init is PID 1, in the root cgroup, and runs', () => {
		expect(current()).toBe(init_task());
		expect(tasks.pid[current()]).toBe(1);
		expect(tasks.memcg[current()]).toBe(root_mem_cgroup);
		expect(find_task_by_vpid(1)).toBe(current());
		expect(mms.owner[mm()]).toBe(current());
		expect(mms.mm_users[mm()]).toBe(1);
	});

	test('PIDs grow', () => {
		const a = fork(), thread = kthread_create('kthread'), b = fork();

		expect(tasks.pid[a]).toBeGreaterThan(1);
		expect(tasks.pid[thread]).toBe(tasks.pid[a] + 1);
		expect(tasks.pid[b]).toBe(tasks.pid[a] + 2);
		exitAndWait(a);
		expect(tasks.pid[fork()]).toBe(tasks.pid[b] + 1);
	});

	test('a zombie waits for its parent; orphans are init\'s', () => {
		const child = fork();

		expect(kernel_wait4(child)).toBe(-EAGAIN);
		run(child);
		const grandchild = fork();
		expect(kernel_wait4(child)).toBe(-ECHILD);
		do_exit(7);
		expect(tasks.state[child]).toBe(EXIT_ZOMBIE);
		expect(tasks.mm[child]).toBe(0);
		expect(current()).toBe(idle_task(smp_processor_id()));
		expect(tasks.parent[grandchild]).toBe(init_task());
		run(init_task());
		expect(kernel_wait4(child)).toBe(7);
		expect(find_task_by_vpid(2)).not.toBe(child);
	});

	test('an idle CPU keeps the last address space alive until it switches', () => {
		const before = mappingRows();
		const child = fork();

		context_switch(1, child);
		const child_mm = tasks.mm[child];
		context_switch(1, idle_task(1));
		expect(tasks.active_mm[idle_task(1)]).toBe(child_mm);
		context_switch(0, init_task());
		run(child);	/* on CPU 0 */
		do_exit(0);
		run(init_task());
		kernel_wait4(child);
		expect(mms.mm_users[child_mm]).toBe(0);
		expect(mms.mm_count[child_mm]).toBe(1);
		const other = fork();
		context_switch(1, other);
		expect(mms.mm_count[child_mm]).toBe(0);
		context_switch(0, init_task());
		exitAndWait(other);
		context_switch(1, idle_task(1));
		context_switch(0, init_task());
		expect(mappingRows()[1]).toBe(before[1]);
	});

	test('a task that moves leaves its old CPU idle', () => {
		const child = fork();

		context_switch(1, child);
		expect(cpu_curr(1)).toBe(child);
		context_switch(0, child);
		expect([cpu_curr(0), cpu_curr(1)]).toEqual([child, idle_task(1)]);
	});
});

describe('address spaces', () => {
	test('CLONE_VM shares it, and it survives its owner', () => {
		const at = mmapAnon(2);
		const child = fork();

		run(child);
		write32(at, 5);
		const thread = fork(CLONE_VM);
		expect(tasks.mm[thread]).toBe(mm());
		const shared = mm();
		expect(mms.mm_users[shared]).toBe(2);
		expect(mms.owner[shared]).toBe(child);
		do_exit(0);
		/* mm_update_next_owner(): the task that is left */
		expect(mms.owner[shared]).toBe(thread);
		run(thread);
		expect(read32(at)).toBe(5);
	});

	test('a chain of forks gives everything back', () => {
		const rows = mappingRows(), before = freePages();
		const at = 0x10000000;
		const chain = [fork()];

		run(chain[0]!);
		mmapAnon(20, at);
		for (let i = 0; i < 20; i++)
			write32(at + i * PAGE, i);
		for (let depth = 1; depth < 6; depth++) {
			chain.push(fork());
			run(chain[depth]!);
			for (let i = depth; i < 20; i += depth + 1)
				write32(at + i * PAGE, 1000 * depth + i);
		}
		/* The first in the middle, then the rest: pages have lost and kept owners. */
		for (const depth of [2, 0, 5, 1, 4, 3]) {
			run(chain[depth]!);
			for (let i = 0; i < 20; i++) {
				let value = i;
				for (let d = 1; d <= depth; d++)
					if (i >= d && (i - d) % (d + 1) === 0)
						value = 1000 * d + i;
				expect([depth, i, read32(at + i * PAGE)])
					.toEqual([depth, i, value]);
			}
			do_exit(0);
		}
		/* Orphans went to init when their parents went; those it reaps itself. */
		run(init_task());
		for (const task of chain)
			if (tasks.table.live[task] && tasks.state[task] === EXIT_ZOMBIE)
				kernel_wait4(task);
		expect(mappingRows()).toEqual(rows);
		expect(freePages()).toBe(before);
	});
});

describe('get_user_pages', () => {
	test('reads and writes another task\'s memory, by force even where it may not', () => {
		const at = mmapAnon(2);
		const found: page_array = [];

		write32(at, 1);
		const child = fork();
		const child_mm = tasks.mm[child];
		mmap_read_lock(child_mm);
		expect(get_user_pages_remote(child_mm, at, 1, FOLL_WRITE, found, null)).toBe(1);
		/* A write breaks the sharing: the page is the child's own. */
		expect(found[0]).toBe(frameAt(child_mm, at));
		expect(found[0]).not.toBe(frameAt(mm(), at));
		put_page(found[0]!);
		expect(get_user_pages_remote(child_mm, at + 2 * PAGE, 1, 0, found, null)).toBe(-14);
		mmap_read_unlock(child_mm);

		const ro = mmapAnon(1, 0x30000000, PROT_READ);
		mmap_read_lock(mm());
		expect(get_user_pages_remote(mm(), ro, 1, FOLL_WRITE, found, null)).toBe(-14);
		const force = FOLL_WRITE | FOLL_FORCE;
		expect(get_user_pages_remote(mm(), ro, 1, force, found, null)).toBe(1);
		put_page(found[0]!);
		mmap_read_unlock(mm());
	});

	test('a pinned page is copied at fork: the device goes on writing to the parent', () => {
		const at = mmapAnon(2);
		const found: page_array = [];

		write32(at, 1);
		write32(at + PAGE, 2);
		mmap_read_lock(mm());
		expect(pin_user_pages_remote(mm(), at, 1, FOLL_WRITE, found, null)).toBe(1);
		mmap_read_unlock(mm());
		lru_add_drain();
		const pinned = found[0]! as page;
		/* GUP_PIN_COUNTING_BIAS and the mapping */
		expect(page_count(pinned)).toBe(1025);
		const child = fork();
		expect(frameAt(mm(), at)).toBe(pinned);
		expect(frameAt(tasks.mm[child], at)).not.toBe(pinned);
		expect(frameAt(tasks.mm[child], at + PAGE)).toBe(frameAt(mm(), at + PAGE));
		run(child);
		expect([read32(at), read32(at + PAGE)]).toEqual([1, 2]);
		unpin_user_page(pinned);
		expect(page_count(pinned)).toBe(1);
	});
});

test('a child inherits what fork copies whole: swap readahead, a flush that is owed', () => {
	const at = mmapAnon(2);
	write32(at, 1);
	vmas.swap_readahead_info[find_vma(mm(), at)] = at + 3 * 64 + 2;
	mms.tlb_flush_batched[mm()] = 1;
	const child = tasks.mm[fork()];
	expect(vmas.swap_readahead_info[find_vma(child, at)]).toBe(at + 3 * 64 + 2);
	expect(mms.tlb_flush_batched[child]).toBe(1);
});

/* v5.10.153: a copy of a file's page would need an anon_vma, which the vma need not have. */
test('a pinned page of a file is shared with a child', () => {
	const fd = memfd_create(0) as file;
	shmem_setattr(files.f_inode[fd], 2 * PAGE);
	const at = vm_mmap_pgoff(fd, 0, 2 * PAGE, RW, MAP_PRIVATE, 0);
	read32(at);
	write32(at + PAGE, 1);
	const got: page_array = [];
	expect(pin_user_pages_remote(mm(), at, 1, 0, got, null)).toBe(1);
	const child = tasks.mm[fork()];
	expect(frameAt(child, at)).toBe(frameAt(mm(), at));
	unpin_user_page(got[0]!);
});

describe('/proc/PID', () => {
	beforeEach(() => applyCommits([SOFT_DIRTY_FLUSH]));

	/* 912efa17e512: the gather of clear_refs_write() had nothing to flush. */
	test('without the flush, a write through the TLB is not seen by soft-dirty', () => {
		for (const [commits, seen] of [[[], false], [[SOFT_DIRTY_FLUSH], true]] as const) {
			applyCommits(commits);
			const at = mmapAnon(1);
			write32(at, 1);
			clear_refs_write(current(), CLEAR_REFS_SOFT_DIRTY);
			write32(at, 2);
			expect(pte_soft_dirty(pteAt(mm(), at))).toBe(seen);
		}
	});

	/* 29a951dfb3c3: it was the read lock, but while mappings change */
	test('clear_refs and the mmap lock', () => {
		for (const fixed of [false, true]) {
			applyCommits(fixed ? [LOCKING] : []);
			const at = mmapAnon(1);
			write32(at, 1);
			mmap_read_lock(mm());
			const clear = (type: number) => () => clear_refs_write(current(), type);
			if (fixed)
				expect(clear(CLEAR_REFS_ALL)).toThrow('mmap_lock');
			else
				expect(clear(CLEAR_REFS_ALL)()).toBe(0);
			expect(pte_young(pteAt(mm(), at))).toBe(fixed);
			expect(clear(CLEAR_REFS_SOFT_DIRTY)).toThrow('mmap_lock');
			expect(mms.mmap_lock[mm()]).toBe(1);
			mmap_read_unlock(mm());
			expect(clear(CLEAR_REFS_SOFT_DIRTY)()).toBe(0);
			expect([mms.mmap_lock[mm()], mms.tlb_flush_pending[mm()],
				mms.mm_users[mm()]]).toEqual([0, 0, 1]);
		}
	});

	test('smaps counts swapped pages of shared memory in bytes', () => {
		const fd = memfd_create(0) as file;
		shmem_setattr(files.f_inode[fd], 8 * PAGE);
		swap_device(1);
		const at = vm_mmap_pgoff(fd, 0, 8 * PAGE, RW, MAP_SHARED, 0);
		const mapping = files.f_mapping[fd];
		for (let i = 0; i < 8; i++)
			write32(at + i * PAGE, i);
		sys_munmap(at, 8 * PAGE);
		for (let i = 0; i < 3; i++)
			shmem_pageout(mapping, i);
		const whole = new mem_size_stats(), part = new mem_size_stats();
		const all = vm_mmap_pgoff(fd, 0, 8 * PAGE, RW, MAP_SHARED, 0);
		mmap_read_lock(mm());
		smap_gather_stats(find_vma(mm(), all), whole);
		mmap_read_unlock(mm());
		const two = vm_mmap_pgoff(fd, 0, 4 * PAGE, RW, MAP_SHARED, 2);
		mmap_read_lock(mm());
		smap_gather_stats(find_vma(mm(), two), part);
		mmap_read_unlock(mm());
		expect([whole.swap, part.swap]).toEqual([3 * PAGE, PAGE]);
	});

	test('clear_refs 1 clears accessed bits, 4 soft-dirty bits', () => {
		const at = mmapAnon(2);

		write32(at, 1);
		expect(pte_young(pteAt(mm(), at))).toBe(true);
		expect(clear_refs_write(current(), CLEAR_REFS_ALL)).toBe(0);
		expect(pte_young(pteAt(mm(), at))).toBe(false);
		expect(pte_soft_dirty(pteAt(mm(), at))).toBe(true);
		expect(clear_refs_write(current(), CLEAR_REFS_SOFT_DIRTY)).toBe(0);
		expect(pte_soft_dirty(pteAt(mm(), at))).toBe(false);
		write32(at, 2);
		expect(pte_soft_dirty(pteAt(mm(), at))).toBe(true);
		expect(clear_refs_write(current(), 0)).toBe(-22);
		expect(clear_refs_write(current(), 6)).toBe(-22);
	});

	test('pagemap and smaps', () => {
		const at = mmapAnon(3, 0x10000000);
		const shared = mmapAnon(1, 0x10000000 + 4 * PAGE, 3, true);
		const pm = new pagemapread(6);

		write32(at, 1);
		read32(at + PAGE);
		write32(shared, 2);
		lru_add_drain();
		clear_refs_write(current(), CLEAR_REFS_SOFT_DIRTY);
		expect(pagemap_read(current(), at, pm)).toBe(0);
		expect(pm.pos).toBe(6);
		expect([...pm.flags]).toEqual([
			PM_PRESENT | PM_MMAP_EXCLUSIVE,
			PM_PRESENT,		/* the zero page */
			0,
			0,			/* nothing mapped */
			PM_PRESENT | PM_FILE | PM_MMAP_EXCLUSIVE,
			0,
		]);
		expect(pm.frame[0]).toBe(frameAt(mm(), at));
		write32(at, 2);
		pagemap_read(current(), at, pm);
		expect(pm.flags[0]! & PM_SOFT_DIRTY).toBe(PM_SOFT_DIRTY);

		const child = fork();
		const mss = new mem_size_stats();
		mmap_read_lock(mm());
		smap_gather_stats(find_vma(mm(), at), mss);
		mmap_read_unlock(mm());
		/* One page, in two address spaces: half of it each. */
		expect([mss.resident, mss.anonymous]).toEqual([PAGE, PAGE]);
		expect(mss.pss / 4096).toBe(PAGE / 2);
		expect([mss.shared_dirty, mss.private_dirty]).toEqual([PAGE, 0]);
		exitAndWait(child);
	});
});
