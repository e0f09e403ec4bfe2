// SPDX-License-Identifier: GPL-2.0-only
/*
 * The secondary MMUs of a machine by their names: virtual machines, and devices that watch the
 * memory of a task. What each was told is in kvm/notifier_log.ts.
 */
import { EEXIST, ENOENT, ENOMEM } from '../lib/errno.ts';
import { array, kmem_cache_zalloc, live, s32, struct, u8, type ptr } from '../lib/struct.ts';
import { EVENT_NAMES, notifier_records, type NotifierRecord }
	from '../kvm/notifier_log.ts';
import { MachineError } from './errors.ts';

export type sim_device = ptr<'sim_device'>;

/** Devices by the words of the language; their kind is the place here, plus 2. */
export const DEVICE_KINDS = ['sva', 'mirror', 'pin', 'zapper'] as const;
export type DeviceKind = typeof DEVICE_KINDS[number];
export const DEVICE_VM = 1;

const NAME_LEN = 16;
export const sim_devices = struct<sim_device>()('sim_device', 256, {
	name: array(u8, NAME_LEN),
	/* DEVICE_* */
	kind: s32,
	/* row of the kvm, or of the device */
	row: s32,
	/* whose memory it is */
	pid: s32,
	/* row of its subscription; negative: of an interval notifier */
	subscription: s32,
});

/** The device of a name, 0 for none. */
export function findDevice(name: string): sim_device {
	for (const device of live(sim_devices))
		if (deviceName(device) === name)
			return device;
	return 0 as sim_device;
}

export function deviceName(device: sim_device): string {
	const bytes = Array.from({ length: NAME_LEN }, (_, i) =>
		sim_devices.name[device * NAME_LEN + i]!);

	return String.fromCharCode(...bytes.filter((byte) => byte));
}

/** Name a device. @throws MachineError EEXIST, ENOMEM */
export function addDevice(
	name: string, kind: number, row: number, pid: number, subscription: number,
): sim_device {
	if (findDevice(name))
		throw new MachineError(`device ${name}`, EEXIST);
	const device = kmem_cache_zalloc(sim_devices);
	if (!device)
		throw new MachineError(`device ${name}`, ENOMEM);
	for (let i = 0; i < NAME_LEN - 1 && i < name.length; i++)
		sim_devices.name[device * NAME_LEN + i] = name.charCodeAt(i);
	sim_devices.kind[device] = kind;
	sim_devices.row[device] = row;
	sim_devices.pid[device] = pid;
	sim_devices.subscription[device] = subscription;
	return device;
}

/**
 * What a device was told, oldest first.
 * @param since notifier_log_written at some time: only what it was told after
 * @param where the text of a range of addresses
 * @throws MachineError ENOENT
 */
export function deviceNotifiers(
	name: string, since: number, where: (start: number, end: number) => string = range,
): string[] {
	const device = findDevice(name);

	if (!device)
		throw new MachineError(`secondary MMU ${name}`, ENOENT);
	const subscription = sim_devices.subscription[device];
	return notifier_records(since)
		.filter((record) => record.subscription === subscription)
		.map((record) => describe(record, where));
}

/* `invalidate_range_start m[3] CLEAR`, `clear_flush_young m[3] young` */
function describe(
	{ callback, start, end, event, result }: NotifierRecord,
	where: (start: number, end: number) => string,
): string {
	const parts: string[] = [callback];

	if (end >= 0)
		parts.push(where(start, end));
	if (event >= 0)
		parts.push(EVENT_NAMES[event]!);
	if (callback.endsWith('young'))
		parts.push(result ? 'young' : 'old');
	else if (callback === 'invalidate_range_start' && result)
		parts.push('-EAGAIN');
	else if (callback === 'invalidate' && !result)
		parts.push('refused');
	return parts.join(' ');
}

function range(start: number, end: number): string {
	return end >= 2 ** 52 ? 'all'
		: `0x${start.toString(16)}+${Math.ceil((end - start) / 4096)}`;
}
