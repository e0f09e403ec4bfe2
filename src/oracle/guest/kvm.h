/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Statements about virtual machines, through /dev/kvm. Part of init.c, which includes it.
 *
 * A guest's program and tables, its boot memory, lie at BOOT_GPA in a memfd that init has made and
 * filled, so that they are charged to no cgroup of a program: page 0 the program, 1 the PML4, 2 the
 * page-directory-pointer table, 3 to 6 the page directories, then 32 page tables. They map each
 * address to itself, by 4 KiB pages below 64 MiB and by 2 MiB pages above, without accessed and
 * dirty bits. src/sim/vm.ts makes the same.
 *
 * What a task maps to talk to KVM lies far from all else, so that its mappings are where they would
 * be without.
 */
#define BOOT_GPA	0xfff00000UL
#define BOOT_PAGES	39
enum { PML4 = 1, PDPT = 2, PD = 3, PT = 7, PTS = 32, PRESENT_WRITE = 3, LARGE = 0x80 };
#define RUN_AT		0x620000000000UL
#define RUN_PAGES	16

/*
 * At READ_PROGRAM and WRITE_PROGRAM, the same in 64-bit and in 32-bit mode:
 *
 *	1:	mov	(%rsi),%al		or	mov	%al,(%rsi)
 *		add	$0x1000,%esi
 *		dec	%ecx
 *		jnz	1b
 *		hlt
 */
enum { READ_PROGRAM = 0, WRITE_PROGRAM = 0x10 };
static const unsigned char vm_programs[] = {
	0x8a, 0x06, 0x81, 0xc6, 0x00, 0x10, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xf4, 0xf4, 0, 0, 0,
	0x88, 0x06, 0x81, 0xc6, 0x00, 0x10, 0x00, 0x00, 0xff, 0xc9, 0x75, 0xf4, 0xf4,
};

/* Answered with an errno, or GUEST_EXIT and why it came back before its program's end. */
#define GUEST_EXIT	2000

static void fill_boot_page(unsigned long page, volatile unsigned long *at)
{
	if (page == 0) {
		for (unsigned long i = 0; i < sizeof(vm_programs); i++)
			((volatile unsigned char *)at)[i] = vm_programs[i];
	} else if (page == PML4) {
		at[0] = BOOT_GPA + PDPT * PAGE + PRESENT_WRITE;
	} else if (page == PDPT) {
		for (unsigned long i = 0; i < 4; i++)
			at[i] = BOOT_GPA + (PD + i) * PAGE + PRESENT_WRITE;
	} else if (page < PT) {
		for (unsigned long i = 0, first = (page - PD) * 512; i < 512; i++)
			at[i] = first + i < PTS ? BOOT_GPA + (PT + i) * PAGE + PRESENT_WRITE
				: (first + i) << 21 | PRESENT_WRITE | LARGE;
	} else {
		for (unsigned long i = 0; i < 512; i++)
			at[i] = ((page - PT) * 512 + i) * PAGE + PRESENT_WRITE;
	}
}

/* By init, for a task: VM TASK */
static long do_vmboot(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	int task = number(a);
	long fd, at;

	if (!S->pid[task] || is_dead(S->pid[task]))
		return -ESRCH;
	fd = sys_memfd_create("kvm", 0);
	if (fd < 0)
		return fd;
	sys_ftruncate(fd, BOOT_PAGES * PAGE);
	at = sys_mmap(0, BOOT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at < 0 && at > -4096)
		return at;
	for (unsigned long page = 0; page < BOOT_PAGES; page++)
		fill_boot_page(page, (unsigned long *)(at + page * PAGE));
	sys_munmap(at, BOOT_PAGES * PAGE);
	vm->boot = fd + 1;
	return 0;
}

/* By init, once the task has it: VM */
static long do_vmbooted(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];

	if (vm->boot)
		sys_close(vm->boot - 1);
	vm->boot = 0;
	return 0;
}

static struct kvm_run *run_of(long vm, long vcpu)
{
	return (struct kvm_run *)(RUN_AT + (vm * VCPUS + vcpu) * RUN_PAGES * PAGE);
}

static long set_sregs(int vcpu, int paging)
{
	struct kvm_segment code = { .limit = -1, .selector = 8, .type = 11, .present = 1, .s = 1,
		.g = 1, .l = paging, .db = !paging };
	struct kvm_segment data = { .limit = -1, .selector = 16, .type = 3, .present = 1, .s = 1,
		.g = 1, .db = 1 };
	struct kvm_sregs s;
	long err = sys_ioctl(vcpu, KVM_GET_SREGS, &s);

	if (err)
		return err;
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.cr0 = CR0_PE | CR0_WP | (paging ? CR0_PG : 0);
	s.cr3 = paging ? BOOT_GPA + PML4 * PAGE : 0;
	s.cr4 = CR4_PAE;
	s.efer = paging ? EFER_LME | EFER_LMA | EFER_NX : 0;
	return sys_ioctl(vcpu, KVM_SET_SREGS, &s);
}

static long add_vcpu(long kvm, long number_of_vm, long id, int paging)
{
	struct vm *vm = &S->vm[number_of_vm];
	long size = sys_ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	long fd = sys_ioctl(vm->fd - 1, KVM_CREATE_VCPU, id), at;

	if (fd < 0)
		return fd;
	vm->vcpu[id] = fd;
	at = sys_mmap((unsigned long)run_of(number_of_vm, id), size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_FIXED, fd, 0);
	if (at < 0 && at > -4096)
		return at;
	/* The one fault that it takes: src/sim/vm.ts counts it. */
	*(volatile char *)at = 0;
	return set_sregs(fd, paging);
}

/* VM VCPUS PAGING */
static long do_vm(struct args *a)
{
	long n = number(a), vcpus = number(a), paging = number(a), kvm, fd, at, err;
	struct vm *vm = &S->vm[n];

	if (!vm->boot)
		return -EBADF;
	put_number(put_text(S->path, "/proc/1/fd/"), vm->boot - 1);
	fd = sys_open(S->path, O_RDWR, 0);
	if (fd < 0)
		return fd;
	at = sys_mmap(0, BOOT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	sys_close(fd);
	if (at < 0 && at > -4096)
		return at;
	sys_madvise(at, BOOT_PAGES * PAGE, MADV_SEQUENTIAL);
	kvm = sys_open("/dev/kvm", O_RDWR, 0);
	if (kvm < 0)
		return kvm;
	fd = sys_ioctl(kvm, KVM_CREATE_VM, 0);
	if (fd < 0)
		return fd;
	vm->fd = fd + 1;
	vm->slot[0] = (struct kvm_memory_region){ 0, 0, BOOT_GPA, BOOT_PAGES * PAGE, at };
	err = sys_ioctl(fd, KVM_SET_USER_MEMORY_REGION, &vm->slot[0]);
	for (long id = 0; !err && id < vcpus; id++)
		err = add_vcpu(kvm, n, id, paging);
	sys_close(kvm);
	return err;
}

/* The slot that begins at an address; 0 for none. */
static struct kvm_memory_region *slot_at(struct vm *vm, unsigned long gpa)
{
	for (int i = 0; vm->fd && i < VM_SLOTS; i++)
		if (vm->slot[i].memory_size && vm->slot[i].guest_phys_addr == gpa)
			return &vm->slot[i];
	return 0;
}

static long set_slot(struct vm *vm, struct kvm_memory_region *slot, struct kvm_memory_region to)
{
	long err = sys_ioctl(vm->fd - 1, KVM_SET_USER_MEMORY_REGION, &to);

	if (!err)
		*slot = to;
	return err;
}

/* VM ADDRESS FLAGS RANGE, under the lowest number that is free */
static long do_vmslot(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	unsigned long gpa = number(a), flags = number(a);
	struct range r;
	int n = 1;

	if (!range(a, &r) || !vm->fd)
		return -ENOENT;
	while (vm->slot[n].memory_size)
		if (++n == VM_SLOTS)
			return -EINVAL;
	return set_slot(vm, &vm->slot[n],
		(struct kvm_memory_region){ n, flags, gpa, r.pages * PAGE, r.start });
}

static long do_vmunslot(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	struct kvm_memory_region *slot = slot_at(vm, number(a)), to;

	if (!slot)
		return -ENOENT;
	to = *slot;
	to.memory_size = 0;
	return set_slot(vm, slot, to);
}

/* VM ADDRESS TO */
static long do_vmmove(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	struct kvm_memory_region *slot = slot_at(vm, number(a)), to;

	if (!slot)
		return -ENOENT;
	to = *slot;
	to.guest_phys_addr = number(a);
	return set_slot(vm, slot, to);
}

/* VM ADDRESS LOGGED */
static long do_vmlog(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	struct kvm_memory_region *slot = slot_at(vm, number(a)), to;

	if (!slot)
		return -ENOENT;
	to = *slot;
	to.flags = (to.flags & ~KVM_MEM_LOG_DIRTY_PAGES) |
		(number(a) ? KVM_MEM_LOG_DIRTY_PAGES : 0);
	return set_slot(vm, slot, to);
}

/* VM ADDRESS: a 1 for each page that was written, else a 0 */
static long do_vmdirty(struct args *a)
{
	struct vm *vm = &S->vm[number(a)];
	struct kvm_memory_region *slot = slot_at(vm, number(a));
	struct kvm_dirty_log log = { 0, 0, S->text };
	unsigned long pages, from = 0;
	long err;

	if (!slot)
		return -ENOENT;
	pages = slot->memory_size / PAGE;
	if (pages > sizeof(S->text) * 8)
		return -E2BIG;
	log.slot = slot->slot;
	err = sys_ioctl(vm->fd - 1, KVM_GET_DIRTY_LOG, &log);
	if (err)
		return err;
	say("x", a->place);
	for (unsigned long i = 1; i <= pages; i++) {
#define DIRTY(i)	(S->text[(i) / 8] >> (i) % 8 & 1)
		if (i < pages && DIRTY(i) == DIRTY(from))
			continue;
		out_text(" "), out_number(DIRTY(from)), out_text("*"), out_number(i - from);
		from = i;
	}
	out_text("\n");
	return 0;
}

/* VM VCPU WRITE VALUE ADDRESS PAGES */
static long do_guest(struct args *a)
{
	long n = number(a), id = number(a), write = number(a), value = number(a), err;
	struct kvm_regs regs = { .rax = value, .rflags = 2,
		.rip = BOOT_GPA + (write ? WRITE_PROGRAM : READ_PROGRAM) };
	struct kvm_run *run = run_of(n, id);
	int vcpu = S->vm[n].vcpu[id];

	regs.rsi = number(a);
	regs.rcx = number(a);
	if (!S->vm[n].fd)
		return -ENOENT;
	sys_ioctl(vcpu, KVM_SET_REGS, &regs);
	do
		err = sys_ioctl(vcpu, KVM_RUN, 0);
	while (err == -EINTR);
	if (err)
		return err;
	if (run->exit_reason == KVM_EXIT_HLT)
		return 0;
	err = -GUEST_EXIT - (long)run->exit_reason;
	/* The instruction ends at the next entry, before that is cut short. */
	if (run->exit_reason == KVM_EXIT_MMIO) {
		run->immediate_exit = 1;
		sys_ioctl(vcpu, KVM_RUN, 0);
		run->immediate_exit = 0;
	}
	return err;
}

static void forget_vms(void)
{
	for (int n = 0; n < VMS; n++) {
		if (S->vm[n].boot)
			sys_close(S->vm[n].boot - 1);
		S->vm[n].fd = S->vm[n].boot = 0;
		for (int i = 0; i < VM_SLOTS; i++)
			S->vm[n].slot[i].memory_size = 0;
	}
}
