// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two more kinds of notifier user, as drivers of v5.10 are:
 *	a cache of pinned pages (i915's userptr, hfi1's mmu_rb), which drops its pins when a range
 *	is invalidated, or keeps them until it is told to (a memory region of RDMA);
 *	a device that unmaps when a range is invalidated, with a count and a sequence number as KVM
 *	has, but that cannot say what it has accessed.
 * They are models, not ports: each driver has more to it, but not towards memory management.
 */
import { WouldBlock } from '../lib/bug.ts';
import { EAGAIN, EFAULT } from '../lib/errno.ts';
import { point, scheduling_point } from '../lib/points.ts';
import { get_user_pages_remote, pin_user_pages_remote, unpin_user_page } from '../mm/gup.ts';
import { FOLL_WRITE, mmap_read_lock, mmap_read_unlock, put_page } from '../mm/mm.ts';
import { mms, type mm_struct, type page } from '../mm/mm_types.ts';
import { mmu_notifier_range_blockable, register_mmu_notifier_ops, type mmu_notifier }
	from '../mm/mmu_notifier.ts';
import { set_page_dirty } from '../mm/page-writeback.ts';
import { trylock_page, unlock_page } from '../mm/pagemap.ts';
import type { mmu_notifier_range } from '../mm/rmap_types.ts';
import { DEVICE_ENTRIES, deviceLookUp, deviceMap, deviceOfNotifier, devices, deviceUnmap,
	releaseDevice, subscribeDevice, type device } from './device_pt.ts';
import { logged } from './notifier_log.ts';

const POINT_PAGE = point('zapper_fault.page');

/** The device may have written it; who cannot have its lock leaves it. @custom */
function putPinned(page: page): void {
	if (trylock_page(page)) {
		set_page_dirty(page);
		unlock_page(page);
	}
	unpin_user_page(page);
}

/* Pinned caches. */

/** @custom see the head of the file */
function pinStart(mn: mmu_notifier, range: mmu_notifier_range): number {
	const device = deviceOfNotifier(mn);

	if (devices.keeps[device])
		return 0;
	if (!mmu_notifier_range_blockable(range))
		return -EAGAIN;
	deviceUnmap(device, range.start, range.end, putPinned);
	return 0;
}

/** What kernels before 369ea8242c0f tell instead, of one page. @custom */
function pinPage(mn: mmu_notifier, _mm: mm_struct, address: number): void {
	const device = deviceOfNotifier(mn);

	if (!devices.keeps[device])
		deviceUnmap(device, address, address + 4096, putPinned);
}

/** @custom see the head of the file */
function pinRelease(mn: mmu_notifier, _mm: mm_struct): void {
	releaseDevice(deviceOfNotifier(mn), putPinned);
}

const pin_ops = register_mmu_notifier_ops(logged({
	name: 'pin', release: pinRelease, invalidate_range_start: pinStart,
	invalidate_page: pinPage }));

/** A cache of pins; `keeps`: it drops none when it is told of an invalidation. @custom */
export function openPinCache(mm: mm_struct, keeps: boolean): device {
	const device = subscribeDevice(DEVICE_ENTRIES, mm, pin_ops);

	if (device) {
		devices.pins[device] = 1;
		devices.keeps[device] = keeps ? 1 : 0;
	}
	return device;
}

/** Pin pages, for writing: 0 or -errno. Those that are pinned already stay as they are. @custom */
export function pinPages(device: device, start: number, end: number): number {
	const mm = devices.mm[device];

	if (devices.released[device])
		return -EFAULT;
	for (let addr = start; addr < end; addr += 4096) {
		if (deviceLookUp(device, addr, true))
			continue;
		const found: page[] = [0 as page];
		mmap_read_lock(mm);
		try {
			const ret = pin_user_pages_remote(mm, addr, 1, FOLL_WRITE, found, null);
			if (ret < 1)
				return ret || -EFAULT;
		} finally {
			mmap_read_unlock(mm);
		}
		if (devices.released[device]) {
			unpin_user_page(found[0]!);
			return -EFAULT;
		}
		const old = deviceMap(device, addr, found[0]!, true);
		if (old)
			putPinned(old);
	}
	return 0;
}

/** @custom */
export function unpinPages(device: device, start: number, end: number): number {
	deviceUnmap(device, start, end, putPinned);
	return 0;
}

/* Devices that only unmap. */

/** @custom see the head of the file */
function zapStart(mn: mmu_notifier, range: mmu_notifier_range): number {
	const device = deviceOfNotifier(mn);

	devices.count[device]++;
	deviceUnmap(device, range.start, range.end);
	return 0;
}

/** @custom see the head of the file */
function zapEnd(mn: mmu_notifier, _range: mmu_notifier_range): void {
	const device = deviceOfNotifier(mn);

	devices.seq[device]++;
	devices.count[device]--;
}

/** What kernels before 369ea8242c0f tell instead, of one page. @custom */
function zapPage(mn: mmu_notifier, _mm: mm_struct, address: number): void {
	const device = deviceOfNotifier(mn);

	devices.seq[device]++;
	deviceUnmap(device, address, address + 4096);
}

/** @custom see the head of the file */
function zapRelease(mn: mmu_notifier, _mm: mm_struct): void {
	releaseDevice(deviceOfNotifier(mn));
}

const zapper_ops = register_mmu_notifier_ops(logged({
	name: 'zapper', release: zapRelease, invalidate_range_start: zapStart,
	invalidate_range_end: zapEnd, invalidate_page: zapPage }));

/** @custom */
export function openZapper(mm: mm_struct): device {
	return subscribeDevice(DEVICE_ENTRIES, mm, zapper_ops);
}

/**
 * An access of the device: the physical address, or -errno. While an invalidation is under way it
 * waits.
 * @throws WouldBlock
 * @custom
 */
export function zapperAccess(device: device, address: number, write: boolean): number {
	const mm = devices.mm[device];

	for (;;) {
		if (devices.released[device] || !mms.mm_users[mm])
			return -EFAULT;
		const mapped = deviceLookUp(device, address, write);
		if (mapped)
			return mapped * 4096 + address % 4096;
		const seq = devices.seq[device], found: page[] = [0 as page];
		mmap_read_lock(mm);
		try {
			const ret = get_user_pages_remote(mm, address, 1, write ? FOLL_WRITE : 0,
				found, null);
			if (ret < 1)
				return ret || -EFAULT;
		} finally {
			mmap_read_unlock(mm);
		}
		scheduling_point(POINT_PAGE, found[0]!, address);
		if (devices.count[device]) {
			put_page(found[0]!);
			throw new WouldBlock('the invalidation of a range');
		}
		if (devices.seq[device] === seq && !devices.released[device])
			deviceMap(device, address, found[0]!, write);
		/* The table holds no reference: notifiers see to that. */
		put_page(found[0]!);
	}
}
