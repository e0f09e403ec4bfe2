/* SPDX-License-Identifier: GPL-2.0-only */
/* KVM's ioctls and what they are handed: Documentation/virt/kvm/api.rst of Linux 5.10, x86-64. */

enum {
	KVM_CREATE_VM = 0xae01, KVM_GET_VCPU_MMAP_SIZE = 0xae04, KVM_CREATE_VCPU = 0xae41,
	KVM_GET_DIRTY_LOG = 0x4010ae42, KVM_SET_USER_MEMORY_REGION = 0x4020ae46, KVM_RUN = 0xae80,
	KVM_SET_REGS = 0x4090ae82, KVM_SET_SREGS = 0x4138ae84,
};
#define KVM_GET_SREGS	0x8138ae83UL

enum { KVM_EXIT_HLT = 5, KVM_EXIT_MMIO = 6 };
enum { KVM_MEM_LOG_DIRTY_PAGES = 1, KVM_MEM_READONLY = 2 };

enum { CR0_PE = 1, CR0_WP = 1 << 16, CR4_PAE = 1 << 5 };
enum { EFER_LME = 1 << 8, EFER_LMA = 1 << 10, EFER_NX = 1 << 11 };
#define CR0_PG		(1UL << 31)

struct kvm_memory_region {
	unsigned slot, flags;
	unsigned long guest_phys_addr, memory_size, userspace_addr;
};
struct kvm_dirty_log {
	unsigned slot, padding;
	void *dirty_bitmap;
};
struct kvm_regs {
	unsigned long rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8_to_r15[8], rip, rflags;
};
struct kvm_segment {
	unsigned long base;
	unsigned limit;
	unsigned short selector;
	unsigned char type, present, dpl, db, s, l, g, avl, unusable, padding;
};
struct kvm_dtable {
	unsigned long base;
	unsigned short limit, padding[3];
};
struct kvm_sregs {
	struct kvm_segment cs, ds, es, fs, gs, ss, tr, ldt;
	struct kvm_dtable gdt, idt;
	unsigned long cr0, cr2, cr3, cr4, cr8, efer, apic_base, interrupt_bitmap[4];
};
struct kvm_run {
	unsigned char request_interrupt_window, immediate_exit, padding[6];
	unsigned exit_reason;
};

/* A virtual machine of the program, of which the task that has made it has the descriptors. */
#define VMS		16
#define VCPUS		16
#define VM_SLOTS	509
struct vm {
	/* Descriptor + 1, 0 for none; of its boot memory in init, the same. */
	int fd, boot;
	int vcpu[VCPUS];
	/* By number; memory_size 0 for none. */
	struct kvm_memory_region slot[VM_SLOTS];
};
