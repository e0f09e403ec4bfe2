/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls of x86-64 Linux, numbers and all, for a program without a C library. */

enum {
	NR_read, NR_write, NR_open, NR_close, NR_poll = 7, NR_lseek, NR_mmap, NR_mprotect,
	NR_munmap, NR_ioctl = 16, NR_pread64, NR_pwrite64, NR_mremap = 25, NR_mincore = 27,
	NR_madvise, NR_dup2 = 33, NR_nanosleep = 35, NR_getpid = 39, NR_clone = 56, NR_exit = 60,
	NR_wait4, NR_kill, NR_fcntl = 72, NR_fsync = 74, NR_ftruncate = 77, NR_mkdir = 83,
	NR_rmdir, NR_mlock = 149, NR_munlock, NR_sync = 162, NR_mount = 165, NR_umount2, NR_swapon,
	NR_swapoff, NR_reboot, NR_ioperm = 173, NR_sched_setaffinity = 203, NR_getdents64 = 217,
	NR_fadvise64 = 221, NR_preadv = 295, NR_pwritev, NR_finit_module = 313,
	NR_memfd_create = 319, NR_mlock2 = 325, NR_pidfd_open = 434,
};

enum {
	ENOENT = 2, ESRCH, EINTR, E2BIG = 7, EBADF = 9, EAGAIN = 11, EBUSY = 16, EINVAL = 22,
};
enum { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT = 0100, O_TRUNC = 01000, O_NONBLOCK = 04000,
	O_DIRECTORY = 0200000 };
enum { PROT_READ = 1, PROT_WRITE = 2, PROT_EXEC = 4 };
enum { MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_FIXED = 0x10, MAP_ANONYMOUS = 0x20,
	MAP_FIXED_NOREPLACE = 0x100000 };
enum { MADV_SEQUENTIAL = 2, MADV_COLD = 20, MADV_PAGEOUT, SEEK_END = 2 };
enum { MS_NOATIME = 1024, F_GETFD = 1, POSIX_FADV_DONTNEED = 4 };
enum { SIGKILL = 9, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19 };
enum { WNOHANG = 1, WUNTRACED = 2, CLONE_PARENT = 0x8000, POLLIN = 1, DT_DIR = 4 };
#define RB_POWER_OFF 0x4321fedcUL

struct timespec { long tv_sec, tv_nsec; };
struct iovec { void *base; unsigned long length; };
struct pollfd { int fd; short events, revents; };

static inline long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 asm("r10") = d, r8 asm("r8") = e, r9 asm("r9") = f;
	long ret;

	asm volatile("syscall" : "=a"(ret)
		: "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
		: "rcx", "r11", "memory");
	return ret;
}

#define call(nr, a, b, c) call6(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)

#define sys_read(fd, p, n)		call(NR_read, fd, p, n)
#define sys_write(fd, p, n)		call(NR_write, fd, p, n)
#define sys_open(path, flags, mode)	call(NR_open, path, flags, mode)
#define sys_close(fd)			call(NR_close, fd, 0, 0)
#define sys_poll(p, n, ms)		call(NR_poll, p, n, ms)
#define sys_lseek(fd, at, whence)	call(NR_lseek, fd, at, whence)
#define sys_mprotect(p, n, prot)	call(NR_mprotect, p, n, prot)
#define sys_munmap(p, n)		call(NR_munmap, p, n, 0)
#define sys_ioctl(fd, what, arg)	call(NR_ioctl, fd, what, arg)
#define sys_pread(fd, p, n, at)		call6(NR_pread64, fd, (long)(p), n, at, 0, 0)
#define sys_pwrite(fd, p, n, at)	call6(NR_pwrite64, fd, (long)(p), n, at, 0, 0)
#define sys_preadv(fd, v, n, at)	call6(NR_preadv, fd, (long)(v), n, at, 0, 0)
#define sys_pwritev(fd, v, n, at)	call6(NR_pwritev, fd, (long)(v), n, at, 0, 0)
#define sys_mincore(p, n, to)		call(NR_mincore, p, n, to)
#define sys_dup2(fd, to)		call(NR_dup2, fd, to, 0)
#define sys_fcntl(fd, what)		call(NR_fcntl, fd, what, 0)
#define sys_sync()			call(NR_sync, 0, 0, 0)
#define sys_fadvise(fd, at, n, advice)	call6(NR_fadvise64, fd, at, n, advice, 0, 0)
#define sys_umount(at)			call(NR_umount2, at, 0, 0)
#define sys_mount_with(what, at, type, flags, data) \
	call6(NR_mount, (long)(what), (long)(at), (long)(type), flags, (long)(data), 0)
#define sys_mremap(p, n, m, flags, at)	call6(NR_mremap, p, n, m, flags, at, 0)
#define sys_mlock2(p, n, flags)		call(NR_mlock2, p, n, flags)
#define sys_madvise(p, n, advice)	call(NR_madvise, p, n, advice)
#define sys_nanosleep(t)		call(NR_nanosleep, t, 0, 0)
#define sys_getpid()			call(NR_getpid, 0, 0, 0)
#define sys_exit(code)			call(NR_exit, code, 0, 0)
#define sys_wait4(pid, status, options)	call6(NR_wait4, pid, (long)(status), options, 0, 0, 0)
#define sys_kill(pid, signal)		call(NR_kill, pid, signal, 0)
#define sys_fsync(fd)			call(NR_fsync, fd, 0, 0)
#define sys_ftruncate(fd, n)		call(NR_ftruncate, fd, n, 0)
#define sys_mkdir(path, mode)		call(NR_mkdir, path, mode, 0)
#define sys_rmdir(path)			call(NR_rmdir, path, 0, 0)
#define sys_mlock(p, n)			call(NR_mlock, p, n, 0)
#define sys_munlock(p, n)		call(NR_munlock, p, n, 0)
#define sys_mount(what, at, type)	call6(NR_mount, (long)(what), (long)(at), (long)(type), \
						0, 0, 0)
#define sys_swapon(path)		call(NR_swapon, path, 0, 0)
#define sys_swapoff(path)		call(NR_swapoff, path, 0, 0)
#define sys_reboot(how)			call(NR_reboot, 0xfee1dead, 0x28121969, how)
#define sys_ioperm(port, n, on)		call(NR_ioperm, port, n, on)
#define sys_sched_setaffinity(pid, n, p) call(NR_sched_setaffinity, pid, n, p)
#define sys_getdents64(fd, p, n)	call(NR_getdents64, fd, p, n)
#define sys_finit_module(fd, text)	call(NR_finit_module, fd, text, 0)
#define sys_memfd_create(name, flags)	call(NR_memfd_create, name, flags, 0)
#define sys_pidfd_open(pid)		call(NR_pidfd_open, pid, 0, 0)

static inline long sys_mmap(unsigned long at, unsigned long n, long prot, long flags, long fd,
			    unsigned long offset)
{
	return call6(NR_mmap, at, n, prot, flags, fd, offset);
}

/* A child that runs fn(arg) on a stack of its own, and never returns from it. */
static inline long spawn(unsigned long flags, unsigned long stack, void (*fn)(long), long arg)
{
	unsigned long *top = (unsigned long *)stack - 2;
	long ret;

	top[0] = (unsigned long)fn;
	top[1] = arg;
	asm volatile("xor %%r10d, %%r10d\n\t"
		"xor %%r8d, %%r8d\n\t"
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"pop %%rax\n\t"
		"pop %%rdi\n\t"
		"xor %%ebp, %%ebp\n\t"
		"call *%%rax\n\t"
		"1:"
		: "=a"(ret) : "a"(NR_clone), "D"(flags), "S"(top), "d"(0)
		: "rcx", "r8", "r10", "r11", "memory");
	return ret;
}

/* fn(arg) on another stack, for good. */
static inline void call_on(unsigned long stack, void (*fn)(long), long arg)
{
	asm volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
		: : "r"(stack), "r"(fn), "D"(arg) : "memory");
	__builtin_unreachable();
}

asm(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall start\n\thlt");
