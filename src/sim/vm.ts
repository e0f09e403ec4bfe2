// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual machines as user space has them: a task that opens /dev/kvm, gives it slots of its
 * memory, and a thread for each vCPU. The guest is a small long-mode program that touches pages in
 * a row; it identity-maps its memory by tables of its own, below 64 MiB by 4 KiB pages, above by
 * 2 MiB ones.
 *
 * Program and tables lie at the top of the guest-physical addresses, in a memfd of init's that the
 * task maps shared, so that they are charged to the root cgroup: page 0 the program, 1 the PML4,
 * 2 the page-directory-pointer table, 3 to 6 the page directories, then 32 page tables.
 */
import { EFER_LMA, EFER_LME, EFER_NX, MMU_READ, MMU_USER, MMU_WRITE, X86_CR0_PE, X86_CR0_PG,
	X86_CR0_WP, X86_CR4_PAE, mmu_access } from '../arch/mmu.ts';
import { NESTED_EPT, NESTED_EPT_AD, NESTED_NONE, NESTED_NPT, guest_cpus }
	from '../arch/nested.ts';
import { PAGE_SIZE } from '../arch/page.ts';
import { pte_dirty, pte_present, pte_young } from '../arch/pgtable.ts';
import { ram } from '../arch/ram.ts';
import { VM_BUG_ON } from '../lib/bug.ts';
import { EBUSY, EINVAL, ENOENT, ESRCH } from '../lib/errno.ts';
import { KVM_EXIT_HLT, KVM_MEM_LOG_DIRTY_PAGES, KVM_MEM_READONLY, kvm_get_vcpu,
	kvm_memory_slots, kvm_vcpus, kvms, memslot_at, peek_memslot, __gfn_to_hva_memslot,
	type kvm, type kvm_memory_slot, type kvm_vcpu } from '../kvm/kvm_host.ts';
import { id_to_memslot, kvm_create_vm, kvm_put_kvm, kvm_vcpu_ioctl_run, kvm_vcpu_ioctl_set_sregs,
	kvm_vm_ioctl_create_vcpu, kvm_vm_ioctl_get_dirty_log, kvm_vm_ioctl_set_memory_region,
	type kvm_userspace_memory_region } from '../kvm/kvm_main.ts';
import { __gfn_to_rmap, rmap_at, rmap_begin, rmap_next } from '../kvm/mmu.ts';
import { is_access_track_spte, is_accessed_spte, is_dirty_spte, is_writable_pte }
	from '../kvm/spte.ts';
import { guest_programs, kvm_module, kvm_module_load } from '../kvm/x86.ts';
import { current, smp_processor_id } from '../mm/current.ts';
import { find_task_by_vpid } from '../mm/fork.ts';
import { anon_file, ram_bytes, register_file_operations } from '../mm/fs.ts';
import { count_memcg_event_mm } from '../mm/memcontrol.ts';
import { follow_pte } from '../mm/memory.ts';
import { files, PF_EXITING, tasks, type task_struct } from '../mm/mm_types.ts';
import { PGFAULT, count_vm_event } from '../mm/vmstat.ts';
import { runStatement, step } from './actors.ts';
import { DEVICE_VM, addDevice, findDevice, sim_devices } from './devices.ts';
import { BlockedError, GuestExit, MachineError } from './errors.ts';
import type { Machine, Memfd, Range, Task } from './machine.ts';
import { fdInstall, sys_clone_thread } from './syscalls.ts';

/** How guest memory is mapped, by the names of the language. */
export const VM_FORMATS = { npt: NESTED_NPT, ept: NESTED_EPT_AD, 'ept-noad': NESTED_EPT,
	shadow: NESTED_NONE } as const;
export type VmFormat = keyof typeof VM_FORMATS;

/** Guest-physical address of the guest's program and tables, and how many pages they have. */
export const VM_BOOT_GPA = 0xfff00000, VM_BOOT_PAGES = 39;
const WRITE_PROGRAM = 0x10;
const PML4 = 1, PDPT = 2, PD = 3, PT = 7, PTS = 32;
const PRESENT_WRITE = 0x3, LARGE = 0x80;

/** What of the pages of a guest-physical range KVM has mapped, and the task's own table. */
export interface SpteCounts {
	/** Of the shadow entries: one a page at most is counted. */
	present: number;
	accessed: number;
	dirty: number;
	/** Without access, so that the next one is seen: EPT without A/D bits. */
	tracked: number;
	writable: number;
	/** Of the task's page-table entries. */
	pte_present: number;
	pte_young: number;
	pte_dirty: number;
}

export interface VmOptions {
	readonly task: Task;
	readonly format: VmFormat;
	/** 1 to 288. Default 1. */
	readonly vcpus?: number;
	/** Whether the guest pages, by tables of its own. Default yes. */
	readonly paging?: boolean;
}

/* The file of a VM: with the last reference the VM goes. */
const KVM_VM_FOPS = register_file_operations({
	release: (file) => kvm_put_kvm(files.private_data[file] as kvm),
});

function check(what: string, result: number): number {
	if (result < 0)
		throw new MachineError(what, -result);
	return result;
}

/** Make a virtual machine. @throws MachineError */
export function createVm(machine: Machine, name: string, options: VmOptions): Vm {
	const { task, format, vcpus = 1, paging = true } = options;

	/* A kernel has one module loaded, with one set of parameters. */
	if (kvm_module.v && kvm_module.v !== VM_FORMATS[format] + 1)
		throw new MachineError(`vm ${name} ${format}`, EBUSY);
	if (findDevice(name))
		throw new MachineError(`vm ${name}`, EBUSY);
	if (!kvm_module.v)
		kvm_module_load(VM_FORMATS[format]);
	const boot = bootMemory(machine, task);
	const kvm = task.run('KVM_CREATE_VM', () => {
		const made = check('KVM_CREATE_VM', kvm_create_vm());
		const file = anon_file(KVM_VM_FOPS, made);
		VM_BUG_ON(!file, 'no row for the file of a VM');
		check('KVM_CREATE_VM', fdInstall(file));
		return made as kvm;
	});
	addDevice(name, DEVICE_VM, kvm, task.pid, kvms.mmu_notifier[kvm]);
	const vm = new Vm(machine, name);
	vm.setMemoryRegion({ slot: 0, flags: 0, guest_phys_addr: VM_BOOT_GPA,
		memory_size: boot.pages * PAGE_SIZE, userspace_addr: boot.start });
	for (let id = 0; id < vcpus; id++) {
		const thread = task.run('clone', () => check('clone',
			sys_clone_thread(`${name}.${id}`))) as task_struct;
		const vcpu = task.run('KVM_CREATE_VCPU', () => check('KVM_CREATE_VCPU',
			kvm_vm_ioctl_create_vcpu(kvm, id))) as kvm_vcpu;
		task.run('kvm_run', faultInRun);
		kvm_vcpus.task[vcpu] = thread;
		guest_cpus.format[vcpu] = VM_FORMATS[format];
		guest_programs.guest_code[vcpu] = VM_BOOT_GPA;
		runStatement(thread, 'KVM_SET_SREGS', () => check('KVM_SET_SREGS',
			kvm_vcpu_ioctl_set_sregs(vcpu,
				paging ? X86_CR0_PE | X86_CR0_WP | X86_CR0_PG : X86_CR0_PE |
					X86_CR0_WP,
				paging ? VM_BOOT_GPA + PML4 * PAGE_SIZE : 0, X86_CR4_PAE,
				paging ? EFER_LME | EFER_LMA | EFER_NX : 0)));
	}
	return vm;
}

/*
 * The task maps the vCPU's struct kvm_run, a page of the kernel's, and uses it: one fault, counted
 * as any (compare mm/memory.c:handle_mm_fault()). The page itself is on no list.
 */
function faultInRun(): void {
	count_vm_event(PGFAULT);
	count_memcg_event_mm(tasks.mm[current()], PGFAULT);
}

/* Program and tables, written by init, mapped by the task. */
function bootMemory(machine: Machine, task: Task): Range {
	const memfd: Memfd = machine.memfd('kvm', VM_BOOT_PAGES);
	const own = machine.init.mmap({ memfd, pages: VM_BOOT_PAGES, prot: 'rw', shared: true });
	const gpa = (page: number): number => VM_BOOT_GPA + page * PAGE_SIZE;

	machine.init.run('guest tables', () => {
		for (let page = 0; page < VM_BOOT_PAGES; page++) {
			step();
			const at = mmu_access(smp_processor_id(), own.start + page * PAGE_SIZE,
				MMU_WRITE | MMU_USER);
			if (at < 0)
				throw new MachineError('guest tables', EINVAL);
			fillBootPage(page, at / 4, gpa);
		}
	});
	machine.init.munmap(own);
	const mapped = task.mmap({ memfd, pages: VM_BOOT_PAGES, prot: 'rw', shared: true });
	/* That its pages are young does not matter when the task exits. */
	task.madvise(mapped, 'sequential');
	machine.closeMemfd(memfd);
	return mapped;
}

function fillBootPage(page: number, at: number, gpa: (page: number) => number): void {
	const set = (index: number, entry: number): void => {
		ram[at + 2 * index] = entry;
	};

	if (page === 0)
		/*
		 * At 0, and at WRITE_PROGRAM with a store: mov (%rsi),%al; add $0x1000,%esi;
		 * dec %ecx; jnz; hlt. The same in 64-bit and in 32-bit mode.
		 */
		[0xc681068a, 0x00001000, 0xf475c9ff, 0x000000f4,
			0xc6810688, 0x00001000, 0xf475c9ff, 0x000000f4].forEach((word, i) => {
			ram[at + i] = word;
		});
	else if (page === PML4)
		set(0, gpa(PDPT) | PRESENT_WRITE);
	else if (page === PDPT)
		for (let i = 0; i < 4; i++)
			set(i, gpa(PD + i) | PRESENT_WRITE);
	else if (page < PT)
		for (let i = 0; i < 512; i++) {
			const directory = page - PD;
			set(i, directory === 0 && i < PTS ? gpa(PT + i) | PRESENT_WRITE
				: (directory * 512 + i) << 21 | PRESENT_WRITE | LARGE);
		}
	else
		for (let i = 0; i < 512; i++)
			set(i, ((page - PT) * 512 + i) << 12 | PRESENT_WRITE);
}

/** A virtual machine, by its name. */
export class Vm {
	readonly name: string;
	readonly #machine: Machine;

	constructor(machine: Machine, name: string) {
		this.#machine = machine;
		this.name = name;
	}

	/** The row of its struct kvm. @throws MachineError ENOENT, ESRCH once its task is gone */
	get row(): kvm {
		this.#machine.assertPresent();
		const device = findDevice(this.name);

		if (!device || sim_devices.kind[device] !== DEVICE_VM)
			throw new MachineError(`vm ${this.name}`, ENOENT);
		const kvm = sim_devices.row[device] as kvm;
		const owner = find_task_by_vpid(sim_devices.pid[device]);
		/* Of one that exits the vCPUs' threads are gone already. */
		if (!owner || tasks.flags[owner] & PF_EXITING ||
		    !kvms.table.live[kvm] || kvms.mmu_notifier[kvm] !==
		    sim_devices.subscription[device])
			throw new MachineError(`vm ${this.name}`, ESRCH);
		return kvm;
	}

	/** The task whose memory it has. */
	get task(): Task {
		return this.#machine.taskOf(sim_devices.pid[findDevice(this.name)]);
	}

	#ioctl(what: string, body: () => number): number {
		return check(what, this.task.run(what, body));
	}

	/** KVM_SET_USER_MEMORY_REGION as it is. @throws MachineError */
	setMemoryRegion(mem: kvm_userspace_memory_region): void {
		const kvm = this.row;

		this.#ioctl('KVM_SET_USER_MEMORY_REGION',
			() => kvm_vm_ioctl_set_memory_region(kvm, mem));
	}

	/**
	 * A slot of the task's memory at a guest-physical address, under the lowest free number.
	 * @throws MachineError
	 */
	slot(gpa: number, range: Range, { readonly = false, log = false } = {}): void {
		const kvm = this.row;
		let slot = 1;

		while (id_to_memslot(kvm, slot))
			slot++;
		this.setMemoryRegion({ slot, guest_phys_addr: gpa, userspace_addr: range.start,
			memory_size: range.pages * PAGE_SIZE,
			flags: (readonly ? KVM_MEM_READONLY : 0) | (log
				? KVM_MEM_LOG_DIRTY_PAGES : 0) });
	}

	/* The slot that begins at an address. */
	#slotAt(gpa: number): kvm_memory_slot {
		const kvm = this.row;

		for (let i = 0; i < kvms.used_slots[kvm]; i++) {
			const slot = memslot_at(kvm, i);
			if (kvm_memory_slots.base_gfn[slot] * PAGE_SIZE === gpa)
				return slot;
		}
		throw new MachineError(`slot 0x${gpa.toString(16)} of ${this.name}`, ENOENT);
	}

	/** Delete, move (to) or change the flags of the slot that begins at an address. */
	changeSlot(gpa: number, change: { delete?: boolean; to?: number; log?: boolean }): void {
		const slot = this.#slotAt(gpa), { flags, id, npages, userspace_addr } =
			kvm_memory_slots;
		const { log = (flags[slot] & KVM_MEM_LOG_DIRTY_PAGES) !== 0, to = gpa } = change;

		this.setMemoryRegion({ slot: id[slot], guest_phys_addr: to,
			userspace_addr: userspace_addr[slot],
			memory_size: change.delete ? 0 : npages[slot] * PAGE_SIZE,
			flags: flags[slot] & KVM_MEM_READONLY | (log ? KVM_MEM_LOG_DIRTY_PAGES
				: 0) });
	}

	/** KVM_GET_DIRTY_LOG of the slot at an address: page numbers,
		ascending; then it is empty. */
	dirtyLog(gpa: number): number[] {
		const kvm = this.row, log: number[] = [], slot = this.#slotAt(gpa);

		this.#ioctl('KVM_GET_DIRTY_LOG', () =>
			kvm_vm_ioctl_get_dirty_log(kvm, kvm_memory_slots.id[slot], log));
		return log.flatMap((word, i) => Array.from({ length: 32 }, (_, bit) => bit)
			.filter((bit) => word >>> bit & 1).map((bit) => i * 32 + bit));
	}

	/** The guest reads the first byte of each page. @throws MachineError, GuestExit,
		BlockedError */
	read(gpa: number, pages: number, vcpu = 0): Uint8Array {
		const bytes = new Uint8Array(pages);

		this.#touch('read', gpa, pages, vcpu, MMU_READ, (at, i) => { bytes[i] =
			ram_bytes[at]!; });
		return bytes;
	}

	/** The guest writes the first byte of each page. @throws as read() */
	write(gpa: number, pages: number, value = 1, vcpu = 0): void {
		this.#touch('write', gpa, pages, vcpu, MMU_WRITE, (at) => { ram_bytes[at] =
			value; });
	}

	#touch(
		what: string, gpa: number, pages: number, id: number, access: number,
		touch: (at: number, page: number) => void,
	): void {
		const kvm = this.row, vcpu = kvm_get_vcpu(kvm, id);
		const { guest_addr, guest_count, guest_access } = guest_programs;
		let done = 0;

		if (!vcpu)
			throw new MachineError(`vcpu ${id} of ${this.name}`, ENOENT);
		try {
			runStatement(kvm_vcpus.task[vcpu], what, () => {
				guest_addr[vcpu] = gpa;
				guest_count[vcpu] = pages;
				guest_access[vcpu] = access;
				guest_programs.guest_code[vcpu] = VM_BOOT_GPA +
					(access === MMU_WRITE ? WRITE_PROGRAM : 0);
				let r: number;
				try {
					r = kvm_vcpu_ioctl_run(vcpu, (at) => {
						step();
						touch(at, done);
						done++;
					});
				} finally {
					/* Not for who has to wait for the vCPU: it runs another. */
					guest_count[vcpu] = 0;
				}
				if (r < 0 && !tasks.sigkill[current()])
					throw new MachineError('KVM_RUN', -r);
				const reason = kvm_vcpus.exit_reason[vcpu];
				if (r === 0 && reason !== KVM_EXIT_HLT)
					throw new GuestExit(`${this.name}.${id}`, reason);
			}, true);
		} catch (error) {
			throw error instanceof BlockedError ? error.after(done) : error;
		}
	}

	/** What KVM has mapped of a guest-physical range. */
	spteCounts(gpa: number, pages: number): SpteCounts {
		const kvm = this.row, mm = tasks.mm[this.task.row];
		const counts: SpteCounts = { present: 0, accessed: 0, dirty: 0, tracked: 0,
			writable: 0,
			pte_present: 0, pte_young: 0, pte_dirty: 0 };

		for (let gfn = gpa / PAGE_SIZE; gfn < gpa / PAGE_SIZE + pages; gfn++) {
			const slot = peek_memslot(kvm, gfn);
			if (!slot)
				continue;
			const entries: [number, number][] = [], head = __gfn_to_rmap(gfn, 1, slot);
			for (let i = rmap_begin(head), sptep; (sptep = rmap_at(head, i)) !== 0;
				i = rmap_next(i))
				entries.push([ram[sptep]!, ram[sptep + 1]!]);
			const any = (test: (lo: number, hi: number) => boolean): number =>
				entries.some(([lo, hi]) => test(lo, hi)) ? 1 : 0;
			counts.present += any(() => true);
			counts.accessed += any(is_accessed_spte);
			counts.dirty += any(is_dirty_spte);
			counts.tracked += any(is_access_track_spte);
			counts.writable += any(is_writable_pte);
			const ptep = follow_pte(mm, __gfn_to_hva_memslot(slot, gfn));
			if (!ptep || !pte_present(ram[ptep]!))
				continue;
			counts.pte_present++;
			counts.pte_young += pte_young(ram[ptep]!) ? 1 : 0;
			counts.pte_dirty += pte_dirty(ram[ptep]!) ? 1 : 0;
		}
		return counts;
	}
}
