// SPDX-License-Identifier: GPL-2.0-only
/*
 * lib/test_hmm.c, v5.10: a device that mirrors an address space by HMM
 * Left out: migration to memory of the device, which there is none of, and with it device-private
 *	entries; the file it is opened by; batches of 64 pages (a range is looked up whole).
 * Lock order modelled: mmap_lock > the mirror's mutex, which is never waited for.
 */
import { EBUSY, EFAULT, ENOENT } from '../lib/errno.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { kmem_cache_free, kmem_cache_zalloc } from '../lib/struct.ts';
import { HMM_PFN_ERROR, HMM_PFN_MASK, HMM_PFN_REQ_FAULT, HMM_PFN_REQ_WRITE, HMM_PFN_VALID,
	HMM_PFN_WRITE, hmm_range_fault, type hmm_range } from '../mm/hmm.ts';
import { is_zero_pfn } from '../mm/memory.ts';
import { mmap_read_lock, mmap_read_unlock } from '../mm/mm.ts';
import { mms, type mm_struct, type page } from '../mm/mm_types.ts';
import { mmu_interval_notifier_insert, mmu_interval_notifiers, mmu_interval_read_begin,
	mmu_interval_read_retry, mmu_interval_set_seq, register_mmu_interval_notifier_ops,
	type mmu_interval_notifier } from '../mm/mmu_notifier.ts';
import type { mmu_notifier_range } from '../mm/rmap_types.ts';
import { DEVICE_ENTRIES, deviceLookUp, deviceMap, devices, deviceUnmap, dropDevice, newDevice,
	type device } from './device_pt.ts';
import { logged_interval } from './notifier_log.ts';

/* uapi: what a snapshot says of a page */
export const HMM_DMIRROR_PROT_ERROR = 0xff, HMM_DMIRROR_PROT_NONE = 0x00,
	HMM_DMIRROR_PROT_READ = 0x01, HMM_DMIRROR_PROT_WRITE = 0x02, HMM_DMIRROR_PROT_ZERO = 0x10;

const POINT_SEQ = point('dmirror_range_fault.seq');
const POINT_WALKED = point('dmirror_range_fault.walked');
/* The whole address space. */
const ALL = 2 ** 51;

/** @ported v5.10 static */
function dmirror_do_update(dmirror: device, start: number, end: number): void {
	deviceUnmap(dmirror, start, end);
}

/** @ported v5.10 static; the mutex is free */
function dmirror_interval_invalidate(
	mni: mmu_interval_notifier, range: mmu_notifier_range, cur_seq: number,
): boolean {
	mmu_interval_set_seq(mni, cur_seq);
	dmirror_do_update(mmu_interval_notifiers.container[mni] as device, range.start, range.end);
	return true;
}

const dmirror_min_ops = register_mmu_interval_notifier_ops(logged_interval({
	name: 'test_hmm', invalidate: dmirror_interval_invalidate }));

/** A mirror of an address space, 0 for no memory. @ported v5.10 static */
export function dmirror_fops_open(mm: mm_struct): device {
	const dmirror = newDevice(DEVICE_ENTRIES);
	const notifier = kmem_cache_zalloc(mmu_interval_notifiers);

	if (dmirror && notifier) {
		devices.mm[dmirror] = mm;
		devices.interval[dmirror] = notifier;
		mmu_interval_notifiers.container[notifier] = dmirror;
		if (mmu_interval_notifier_insert(notifier, mm, 0, ALL, dmirror_min_ops) === 0)
			return dmirror;
	}
	if (notifier)
		kmem_cache_free(mmu_interval_notifiers, notifier);
	return dropDevice(dmirror);
}

/** @ported v5.10 static */
function dmirror_do_fault(dmirror: device, range: hmm_range): number {
	let addr = range.start;

	for (const entry of range.hmm_pfns) {
		/* HMM has said that they are there. */
		deviceMap(dmirror, addr, entry & HMM_PFN_MASK, (entry & HMM_PFN_WRITE) !== 0);
		addr += 4096;
	}
	return 0;
}

/** Look up a range until nothing comes in between; 0 or -errno. @ported v5.10 static */
function dmirror_range_fault(dmirror: device, range: hmm_range): number {
	const mm = devices.mm[dmirror];

	for (;;) {
		range.notifier_seq = mmu_interval_read_begin(range.notifier);
		scheduling_point(POINT_SEQ, 0, range.start);
		mmap_read_lock(mm);
		let ret: number;
		try {
			ret = hmm_range_fault(range);
		} finally {
			mmap_read_unlock(mm);
		}
		if (ret) {
			if (ret === -EBUSY)
				continue;
			return ret;
		}
		scheduling_point(POINT_WALKED, range.hmm_pfns[0]! & HMM_PFN_MASK, range.start);
		if (mmu_interval_read_retry(range.notifier, range.notifier_seq))
			continue;
		return dmirror_do_fault(dmirror, range);
	}
}

/** @ported v5.10 static */
function dmirror_fault(dmirror: device, start: number, end: number, write: boolean): number {
	if (!mms.mm_users[devices.mm[dmirror]])
		return -EFAULT;
	return dmirror_range_fault(dmirror, {
		notifier: devices.interval[dmirror], notifier_seq: 0, start, end,
		hmm_pfns: new Array<number>((end - start) / 4096).fill(0), pfn_flags_mask: 0,
		default_flags: HMM_PFN_REQ_FAULT | (write ? HMM_PFN_REQ_WRITE : 0) });
}

/**
 * Read or write pages by the device: 0 or -errno. `touch` has each page's physical address.
 * @ported v5.10 dmirror_read(), dmirror_write()
 */
export function dmirror_access(
	dmirror: device, start: number, end: number, write: boolean,
	touch: (at: number, page: number) => void,
): number {
	let addr = start;

	for (;;) {
		let page = 0 as page;
		for (; addr < end; addr += 4096) {
			page = deviceLookUp(dmirror, addr, write);
			if (!page)
				break;
			touch(page * 4096, (addr - start) / 4096);
		}
		if (addr >= end)
			return 0;
		/* -ENOENT: from there on. */
		const ret = dmirror_fault(dmirror, addr, Math.min(end, addr + 64 * 4096), write);
		if (ret)
			return ret;
	}
}

/** @ported v5.10 static */
function dmirror_mkentry(entry: number): number {
	if (entry & HMM_PFN_ERROR)
		return HMM_DMIRROR_PROT_ERROR;
	if (!(entry & HMM_PFN_VALID))
		return HMM_DMIRROR_PROT_NONE;
	const perm = is_zero_pfn(entry & HMM_PFN_MASK) ? HMM_DMIRROR_PROT_ZERO
		: HMM_DMIRROR_PROT_NONE;

	return perm | (entry & HMM_PFN_WRITE ? HMM_DMIRROR_PROT_WRITE : HMM_DMIRROR_PROT_READ);
}

/** The protection codes of a range, or -errno; nothing is faulted in. @ported v5.10 static */
export function dmirror_snapshot(dmirror: device, start: number, end: number): number[] | number {
	const mm = devices.mm[dmirror], notifier = devices.interval[dmirror];
	const range: hmm_range = { notifier, notifier_seq: 0, start, end,
		hmm_pfns: new Array<number>((end - start) / 4096).fill(0), pfn_flags_mask: 0,
		default_flags: 0 };

	if (!mms.mm_users[mm])
		return -ENOENT;
	for (;;) {
		range.notifier_seq = mmu_interval_read_begin(notifier);
		mmap_read_lock(mm);
		let ret: number;
		try {
			ret = hmm_range_fault(range);
		} finally {
			mmap_read_unlock(mm);
		}
		if (ret === -EBUSY || (!ret && mmu_interval_read_retry(notifier,
			range.notifier_seq)))
			continue;
		return ret || range.hmm_pfns.map(dmirror_mkentry);
	}
}
