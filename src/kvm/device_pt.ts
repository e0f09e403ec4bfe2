// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tables of devices that map a task's memory: which page, and whether it may be written, by
 * address. A table has as many entries as its device, each for the addresses that are equal modulo
 * that number of pages: what has no room makes room, and is faulted in again.
 */
import { array, f64, global_s32, kmem_cache_free, kmem_cache_zalloc, s32, struct, to, u8,
	type ptr } from '../lib/struct.ts';
import type { mm_struct, page, task_struct } from '../mm/mm_types.ts';
import { mmu_notifier_register, mmu_notifiers, type mmu_interval_notifier, type mmu_notifier }
	from '../mm/mmu_notifier.ts';

export type device = ptr<'device'>;
export const DEVICE_ENTRIES = 1024;
/** Beyond all addresses. */
export const EVERYTHING = 2 ** 52;

export const devices = struct<device>()('device', 256, {
	mm: to<mm_struct>(),
	/* the kernel thread that does its work */
	worker: to<task_struct>(),
	notifier: to<mmu_notifier>(),
	interval: to<mmu_interval_notifier>(),
	/* entries in use: 64 of a TLB, or all */
	entries: s32,
	/* by entry: page number of the address plus 1 (0: empty), the page, and 1 if writable */
	vpn: array(f64, DEVICE_ENTRIES),
	pfn: array(s32, DEVICE_ENTRIES),
	writable: array(u8, DEVICE_ENTRIES),
	/* of the zapper: invalidations under way, and how many have ended */
	count: s32,
	seq: f64,
	/* 1: its address space is gone */
	released: u8,
	/* of the pinned cache: each entry is a pin; 1 if it keeps them when told */
	pins: u8,
	keeps: u8,
});
const { entries, vpn, pfn, writable } = devices;
/** TLB misses of devices, for tests. */
export const device_misses = global_s32('device_misses');

export function newDevice(nrEntries: number): device {
	const row = kmem_cache_zalloc(devices);

	if (row)
		entries[row] = nrEntries;
	return row;
}

/**
 * A device that is told of a task's memory by a notifier; 0, and nothing kept, for no memory, or
 * where it could not subscribe.
 */
export function subscribeDevice(nrEntries: number, mm: mm_struct, ops: number): device {
	const device = newDevice(nrEntries), mn = kmem_cache_zalloc(mmu_notifiers);

	if (device && mn) {
		mmu_notifiers.ops[mn] = ops;
		mmu_notifiers.container[mn] = device;
		devices.mm[device] = mm;
		devices.notifier[device] = mn;
		if (mmu_notifier_register(mn, mm) === 0)
			return device;
	}
	if (mn)
		kmem_cache_free(mmu_notifiers, mn);
	return dropDevice(device);
}

/** Take back a device that could not be made; 0. */
export function dropDevice(device: device): device {
	if (device)
		kmem_cache_free(devices, device);
	return 0 as device;
}

/** Whose subscription it is. */
export function deviceOfNotifier(mn: mmu_notifier): device {
	return mmu_notifiers.container[mn] as device;
}

/* The index of an address's entry. */
function at(device: device, address: number): number {
	return device * DEVICE_ENTRIES + Math.floor(address / 4096) % entries[device];
}

/** The page of an address, for reading or writing; 0 for none. */
export function deviceLookUp(device: device, address: number, write: boolean): page {
	const i = at(device, address);

	if (vpn[i] !== Math.floor(address / 4096) + 1 || (write && !writable[i]))
		return 0 as page;
	return pfn[i]! as page;
}

/** The page that had to make room, 0 for none. */
export function deviceMap(
	device: device, address: number, page: number, canWrite: boolean,
): page {
	const i = at(device, address), old = vpn[i] ? pfn[i]! : 0;

	vpn[i] = Math.floor(address / 4096) + 1;
	pfn[i] = page;
	writable[i] = canWrite ? 1 : 0;
	return old as page;
}

/** Empty the entries of [start, end); each is told before it goes. */
export function deviceUnmap(
	device: device, start: number, end: number, gone: (page: page) => void = () => {},
): void {
	const first = Math.floor(start / 4096) + 1, last = Math.ceil(end / 4096);

	for (let i = device * DEVICE_ENTRIES; i < device * DEVICE_ENTRIES + entries[device]; i++) {
		if (!vpn[i] || vpn[i]! < first || vpn[i]! > last)
			continue;
		const page = pfn[i]! as page;
		vpn[i] = 0;
		pfn[i] = 0;
		writable[i] = 0;
		gone(page);
	}
}

/** Empty all: the address space is gone. */
export function releaseDevice(device: device, gone?: (page: page) => void): void {
	deviceUnmap(device, 0, EVERYTHING, gone);
	devices.released[device] = 1;
}

/** What a device has mapped, for checks and tests. */
export function deviceEntries(
	device: device,
): { address: number; page: page; writable: boolean }[] {
	const found: { address: number; page: page; writable: boolean }[] = [];

	for (let i = device * DEVICE_ENTRIES; i < device * DEVICE_ENTRIES + entries[device]; i++)
		if (vpn[i])
			found.push({ address: (vpn[i]! - 1) * 4096, page: pfn[i]! as page,
				writable: writable[i] === 1 });
	return found;
}
