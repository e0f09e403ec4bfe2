// SPDX-License-Identifier: GPL-2.0-only
/* Devices that watch a task's memory, as the language has them: made, and used, by their names. */
import { PAGE_SIZE } from '../arch/page.ts';
import { applied, MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2 } from '../lib/commits.ts';
import { EBUSY, EINVAL, ENODEV, ENOENT, ENOMEM } from '../lib/errno.ts';
import { devices, type device } from '../kvm/device_pt.ts';
import { amd_iommu_bind_pasid, iommu_access } from '../kvm/iommu_v2.ts';
import { openPinCache, openZapper, pinPages, unpinPages, zapperAccess } from '../kvm/pins.ts';
import { dmirror_access, dmirror_fops_open, dmirror_snapshot } from '../kvm/test_hmm.ts';
import { kthread_create, mmgrab } from '../mm/fork.ts';
import { ram_bytes } from '../mm/fs.ts';
import { tasks } from '../mm/mm_types.ts';
import { runStatement, step } from './actors.ts';
import { DEVICE_KINDS, addDevice, findDevice, sim_devices, type DeviceKind } from './devices.ts';
import { BlockedError, MachineError } from './errors.ts';
import type { Machine, Range, Task } from './machine.ts';

/** Make a device of a task's memory. @throws MachineError */
export function createDevice(
	machine: Machine, name: string, kind: DeviceKind, task: Task, keeps = false,
): Device {
	if (findDevice(name))
		throw new MachineError(`${kind} ${name}`, EBUSY);
	/* What kernels before it tell of a page, interval notifiers are not told. */
	if (kind === 'mirror' && !applied(MM_RMAP_UPDATE_TO_NEW_MMU_NOTIFIER_SEMANTIC_V2))
		throw new MachineError(`${kind} ${name}`, ENODEV);
	const made = task.run(`${kind} ${name}`, () => {
		const mm = tasks.mm[task.row];

		return kind === 'sva' ? amd_iommu_bind_pasid(mm)
			: kind === 'mirror' ? dmirror_fops_open(mm)
			: kind === 'pin' ? openPinCache(mm, keeps) : openZapper(mm);
	});
	if (!made)
		throw new MachineError(`${kind} ${name}`, ENOMEM);
	/* Its table of names outlives the task: so does what it names. */
	mmgrab(devices.mm[made]);
	devices.worker[made] = kthread_create(name);
	addDevice(name, DEVICE_KINDS.indexOf(kind) + 2, made, task.pid,
		devices.interval[made] ? -devices.interval[made] : devices.notifier[made]);
	return new Device(machine, name);
}

/** The device of a name. */
export function deviceOf(machine: Machine, name: string): Device {
	return new Device(machine, name);
}

/** A device, by its name. */
export class Device {
	readonly name: string;
	readonly #machine: Machine;

	constructor(machine: Machine, name: string) {
		this.#machine = machine;
		this.name = name;
	}

	/** Its row. @throws MachineError ENOENT */
	get row(): device {
		this.#machine.assertPresent();
		const found = findDevice(this.name);

		if (!found || sim_devices.kind[found] < 2)
			throw new MachineError(`device ${this.name}`, ENOENT);
		return sim_devices.row[found] as device;
	}

	get kind(): DeviceKind {
		return DEVICE_KINDS[sim_devices.kind[findDevice(this.name)] - 2]!;
	}

	/** `read`, `write`, `snapshot`, `pin` or `unpin` pages. @throws MachineError,
		BlockedError */
	use(deed: string, range: Range, value = 1): number[] {
		switch (deed) {
		case 'read': return [...this.read(range)];
		case 'write':
			this.write(range, value);
			return [];
		case 'snapshot': return this.snapshot(range);
		case 'pin': case 'unpin': {
			const { row } = this, { start, pages } = range;
			const act = deed === 'pin' ? pinPages : unpinPages;
			const r = runStatement(devices.worker[row], deed, () =>
				act(row, start, start + pages * PAGE_SIZE));
			if (r < 0)
				throw new MachineError(deed, -r);
			return [];
		}
		default: throw new MachineError(deed, EINVAL);
		}
	}

	/** The device reads the first byte of each page. @throws MachineError, BlockedError */
	read(range: Range): Uint8Array {
		const bytes = new Uint8Array(range.pages);

		this.#touch('read', range, false, (at, i) => { bytes[i] = ram_bytes[at]!; });
		return bytes;
	}

	/** The device writes the first byte of each page. @throws as read() */
	write(range: Range, value = 1): void {
		this.#touch('write', range, true, (at) => { ram_bytes[at] = value; });
	}

	/** Of a mirror: HMM_DMIRROR_PROT_* of each page. */
	snapshot({ start, pages }: Range): number[] {
		const { row } = this;
		const codes = runStatement(devices.worker[row], 'snapshot', () =>
			dmirror_snapshot(row, start, start + pages * PAGE_SIZE));

		if (typeof codes === 'number')
			throw new MachineError('snapshot', -codes);
		return codes;
	}

	#touch(
		what: string, { start, pages }: Range, write: boolean,
		touch: (at: number, page: number) => void,
	): void {
		const { row, kind } = this;
		let done = 0;

		try {
			const r = runStatement(devices.worker[row], what, () => {
				if (kind === 'mirror')
					return dmirror_access(row, start, start +
						pages * PAGE_SIZE, write,
						(at, page) => {
							step();
							touch(at, page);
							done = page + 1;
						});
				for (; done < pages; done++) {
					step();
					const address = start + done * PAGE_SIZE;
					const at = kind === 'sva' ? iommu_access(row, address,
						write)
						: zapperAccess(row, address, write);
					if (at < 0)
						return at;
					touch(at, done);
				}
				return 0;
			}, true);
			if (r < 0)
				throw new MachineError(what, -r);
		} catch (error) {
			if (error instanceof BlockedError)
				throw error.after(done);
			throw error;
		}
	}
}
