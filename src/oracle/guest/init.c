// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs litmus programs on a real kernel, as its init, without a C library. None of its memory is
 * the kernel's: code, this struct, the stacks and the programs lie in a part of the machine's
 * memory that the kernel was told not to use, mapped from /dev/mem. Such a mapping is whole from
 * the start, fork() copies it, and it has no struct page. So no task ever takes a fault there; none
 * of it is charged, counted in an mm's RSS, on a list, or looked at by clear_refs; and all faults
 * and pages of a task are those of its program.
 *
 * /memory says where that part is: its physical address and its size in bytes, decimal.
 *
 * /programs holds all programs of this boot, one statement a line:
 *
 *	program NUMBER SWAP_PAGES CPUS TASKS DISK	so many slots of tasks; 1: has files
 *	PLACE ACTOR NAME ARGUMENT...		place in the program; slot of a task, -1 init,
 *						-2 whoever ran last; numbers are decimal
 *	end
 *
 * What is seen goes to QEMU's debug console, port 0xe9:
 *
 *	b NUMBER			a program begins
 *	s PLACE CODE			a statement ended: 0, an errno, 1000 + a signal, or 2000 +
 *					a guest's exit; one of several parts says so of each
 *	k PLACE SLOT			the task was found dead after that statement
 *	p PLACE WORD*COUNT ...		pages: `-` none, `s` swapped, else kpageflags in hex
 *	x PLACE BYTE*COUNT ...		first bytes of pages; of a dirty log, whether they are
 *	f PLACE LENGTH, t PLACE LENGTH	a file, trace lines; so many bytes follow, and a newline
 *	e NUMBER			a program is over
 *	! TEXT				what should not have happened
 *	z				all are over
 *
 * The tasks hand control on by stopping themselves, which init sees as it sees their deaths. A task
 * goes on by itself as long as the next statements are its own, since a switch to init would empty
 * the TLB. After every statement it sleeps, so that whatever runs in the background is done.
 */
#include "sys.h"
#include "kvm_abi.h"

#define PAGE		4096UL
#define SLOTS		10000
#define TASKS_MAX	1024
#define STACK		(4 * PAGE)
#define CONSOLE		0xe9
#define SETTLE_MS	2

struct shared {
	/* Next statement, and where the text ends. */
	const char *next;
	const char *end;
	int program;
	int trace_fd;
	int nr_cpus;
	/* Slots of tasks that the program uses. */
	int nr_slots;
	/* The task that runs: its slot, -1 for init. Place of the statement that ended last. */
	int me, last_place;
	/* A task that was made is ready. */
	volatile int ready;
	/* By slot: PID, 0 for none or dead; stack. */
	int pid[SLOTS];
	int stack[SLOTS];
	/* Of a memfd or file: descriptor of init + 1, 0 for none. */
	int fd[SLOTS];
	char on_disk[SLOTS];
	struct { int pid; unsigned long start, pages; } map[SLOTS];
	char stack_used[TASKS_MAX];
	struct vm vm[VMS];
	unsigned char swap_header[PAGE];
	char text[64 * 1024];
	char path[512], path2[512];
	/* Of a read or write. */
	struct iovec iov[1024];
	/* The program has files on a disk. */
	int disk;
};
#define AT	0x600000000000UL
#define S	((struct shared *)AT)
#define STACKS	(AT + (sizeof(struct shared) + PAGE - 1) / PAGE * PAGE)
#define TEXT	(STACKS + TASKS_MAX * STACK)
/* A page that nobody ever touches: MADV_COLD of it drains this CPU's LRU batches. */
#define COLD	0x610000000000UL
/* From here up are 128 MiB for the stack that exec() makes; mmap() takes what is below. */
#define ABOVE	0x7ffff8000000UL
#define TASK_SIZE 0x7ffffffff000UL

/* -- Saying --------------------------------------------------------------------------------- */

static void out(const char *p, unsigned long n)
{
	asm volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(CONSOLE) : "memory");
}

static unsigned long length(const char *p)
{
	unsigned long n = 0;

	while (p[n])
		n++;
	return n;
}

static void out_text(const char *p)
{
	out(p, length(p));
}

static char *digits(char *end, unsigned long n, unsigned base)
{
	*--end = 0;
	do
		*--end = "0123456789abcdef"[n % base];
	while (n /= base);
	return end;
}

static void out_hex(unsigned long n)
{
	char b[24];

	out_text(digits(b + sizeof(b), n, 16));
}

static void out_number(long n)
{
	char b[24];

	if (n < 0)
		out_text("-");
	out_text(digits(b + sizeof(b), n < 0 ? -n : n, 10));
}

static void trouble(const char *what, const char *which, long err)
{
	out_text("! "), out_text(what), out_text(" "), out_text(which), out_text(": ");
	out_number(err), out_text("\n");
}

static void say(const char *letter, int place)
{
	out_text(letter), out_text(" "), out_number(place);
}

static void say_bytes(const char *letter, int place, const char *p, unsigned long n)
{
	say(letter, place), out_text(" "), out_number(n), out_text("\n");
	out(p, n), out_text("\n");
}

/* -- Reading a statement -------------------------------------------------------------------- */

struct args {
	const char *at;
	int place;
};

/* The next word, ended by a 0 in a buffer. */
static char *word_to(struct args *a, char *to, unsigned long room)
{
	unsigned long n = 0;

	while (*a->at == ' ')
		a->at++;
	while (*a->at != ' ' && *a->at != '\n' && n + 1 < room)
		to[n++] = *a->at++;
	to[n] = 0;
	return to;
}

static long number(struct args *a)
{
	int minus = 0;
	unsigned long n = 0;

	while (*a->at == ' ')
		a->at++;
	if (*a->at == '-')
		minus = 1, a->at++;
	while (*a->at >= '0' && *a->at <= '9')
		n = n * 10 + (*a->at++ - '0');
	return minus ? -n : n;
}

static int more(struct args *a)
{
	while (*a->at == ' ')
		a->at++;
	return *a->at != '\n';
}

static int same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static char *put_text(char *at, const char *text)
{
	while ((*at = *text++))
		at++;
	return at;
}

static char *put_number(char *at, unsigned long n)
{
	char b[24];

	return put_text(at, digits(b + sizeof(b), n, 10));
}

/* -- Files ---------------------------------------------------------------------------------- */

static long write_file(const char *path, const char *text, unsigned long n)
{
	long fd = sys_open(path, O_WRONLY, 0), done;

	if (fd < 0)
		return fd;
	done = sys_write(fd, text, n);
	sys_close(fd);
	return done < 0 ? done : 0;
}

static long put_file(const char *path, const char *text)
{
	return write_file(path, text, length(text));
}

static void must(const char *path, const char *text)
{
	long err = put_file(path, text);

	if (err)
		trouble(path, text, err);
}

static long read_file(const char *path, char *to, unsigned long room)
{
	long fd = sys_open(path, O_RDONLY, 0), got, n = 0;

	if (fd < 0)
		return fd;
	while ((got = sys_read(fd, to + n, room - n)) > 0)
		n += got;
	sys_close(fd);
	return got < 0 ? got : n;
}

static unsigned long parse(const char *p)
{
	unsigned long n = 0;

	while (*p >= '0' && *p <= '9')
		n = n * 10 + (*p++ - '0');
	return n;
}

static const char *cgroup_file(const char *cgroup, const char *file)
{
	char *at = put_text(S->path2, "/sys/fs/cgroup/");

	at = put_text(at, same(cgroup, "/") ? "" : cgroup);
	at = put_text(at, "/");
	put_text(at, file);
	return S->path2;
}

static void settle(void)
{
	struct timespec t = { 0, SETTLE_MS * 1000000L };

	sys_nanosleep(&t);
}

static void drain_cpu(void)
{
	sys_madvise(COLD, PAGE, MADV_COLD);
}

/* -- What statements do: 0 or -errno -------------------------------------------------------- */

#include "disk.h"

static long do_cgroup(struct args *a)
{
	char *name = word_to(a, S->text, 400), *slash = 0;

	for (char *p = name; *p; p++)
		if (*p == '/')
			slash = p;
	if (slash) {
		long err;
		*slash = 0;
		err = put_file(cgroup_file(name, "cgroup.subtree_control"), "+memory");
		*slash = '/';
		if (err)
			return err;
	}
	return sys_mkdir(cgroup_file(name, ""), 0755);
}

static long do_rmdir(struct args *a)
{
	return sys_rmdir(cgroup_file(word_to(a, S->text, 400), ""));
}

static long do_memfd(struct args *a)
{
	int slot = number(a);
	unsigned long pages = number(a);
	long fd = sys_memfd_create("memfd", 0), err;

	if (fd < 0)
		return fd;
	err = sys_ftruncate(fd, pages * PAGE);
	S->fd[slot] = fd + 1;
	return err;
}

static long do_truncate(struct args *a)
{
	int fd = S->fd[number(a)] - 1;

	return fd < 0 ? -EBADF : sys_ftruncate(fd, number(a) * PAGE);
}

static long do_close(struct args *a)
{
	int slot = number(a);
	int fd = S->fd[slot] - 1;

	if (fd < 0)
		return -EBADF;
	S->fd[slot] = 0;
	return sys_close(fd);
}

static void run(void);

static void task_main(long slot)
{
	S->me = slot;
	S->ready = 1;
	for (;;) {
		sys_kill(sys_getpid(), SIGSTOP);
		/* init is told that it goes on, and runs for that: now, not after a statement. */
		settle();
		S->me = slot;
		run();
	}
}

static long new_task(int slot, unsigned long flags)
{
	int n = 0, me = S->me;
	long pid;

	while (S->stack_used[n])
		if (++n == TASKS_MAX)
			return -EAGAIN;
	S->stack_used[n] = 1;
	S->stack[slot] = n;
	S->ready = 0;
	pid = spawn(flags, STACKS + (n + 1) * STACK, task_main, slot);
	if (pid < 0) {
		S->stack_used[n] = 0;
		return pid;
	}
	S->pid[slot] = pid;
	do
		settle();
	while (!S->ready);
	/* and it has stopped */
	settle();
	S->me = me;
	return 0;
}

static long enter_cgroup(const char *cgroup, int pid)
{
	char b[24];

	return put_file(cgroup_file(cgroup, "cgroup.procs"), digits(b + sizeof(b), pid, 10));
}

static void forget(int slot)
{
	S->stack_used[S->stack[slot]] = 0;
	S->pid[slot] = 0;
}

/* Wait until a task has stopped or died; what it died of, or 0. */
static int wait_for(int slot)
{
	int status = 0;
	long pid;

	do
		pid = sys_wait4(S->pid[slot], &status, WUNTRACED);
	while (pid == -EINTR);
	if (pid < 0)
		return trouble("wait4", "", pid), forget(slot), 9;
	if ((status & 0xff) == 0x7f)
		return 0;
	forget(slot);
	return status & 0x7f ? status & 0x7f : -1;
}

static long do_task(struct args *a)
{
	int slot = number(a);
	char *cgroup = word_to(a, S->text, 400);
	long err = new_task(slot, SIGCHLD);

	if (err)
		return err;
	wait_for(slot);
	if (same(cgroup, "-"))
		return 0;
	err = enter_cgroup(cgroup, S->pid[slot]);
	if (err) {
		sys_kill(S->pid[slot], SIGKILL);
		sys_wait4(S->pid[slot], 0, 0);
		forget(slot);
	}
	return err;
}

static long do_fork(struct args *a)
{
	int slot = number(a);
	long err = new_task(slot, CLONE_PARENT | SIGCHLD);

	while (!err && more(a)) {
		int parents = number(a), childs = number(a);

		if (S->map[parents].pid) {
			S->map[childs] = S->map[parents];
			S->map[childs].pid = S->pid[slot];
		}
	}
	return err;
}

static long do_move(struct args *a)
{
	return enter_cgroup(word_to(a, S->text, 400), 0);
}

static long do_mmap(struct args *a)
{
	int slot = number(a), file = number(a);
	unsigned long pages = number(a), prot = number(a), flags = number(a);
	unsigned long offset = number(a), address = number(a);
	long fd = -1, at;

	if (file >= 0) {
		fd = S->on_disk[file] ? own_fd(file) : open_of_init(file);
		if (fd < 0)
			return fd;
	}
	at = sys_mmap(address, pages * PAGE, prot, flags, fd, offset * PAGE);
	if (fd >= 0 && !S->on_disk[file])
		sys_close(fd);
	if (at < 0 && at > -4096)
		return at;
	S->map[slot].pid = S->pid[S->me];
	S->map[slot].start = at;
	S->map[slot].pages = pages;
	return 0;
}

/* A mapping's pages, as `SLOT FIRST COUNT`. */
struct range {
	int slot;
	unsigned long start, pages;
};

static int range(struct args *a, struct range *r)
{
	unsigned long first;

	r->slot = number(a);
	first = number(a);
	r->pages = number(a);
	r->start = S->map[r->slot].start + first * PAGE;
	return S->map[r->slot].pid != 0;
}

static long do_munmap(struct args *a)
{
	struct range r;
	long err;

	if (!range(a, &r))
		return -ENOENT;
	err = sys_munmap(r.start, r.pages * PAGE);
	/* whether its name is free now */
	if (!err && number(a))
		S->map[r.slot].pid = 0;
	return err;
}

static long do_mremap(struct args *a)
{
	struct range r;
	unsigned long pages, flags;
	long at;

	if (!range(a, &r))
		return -ENOENT;
	pages = number(a);
	flags = number(a);
	at = sys_mremap(r.start, r.pages * PAGE, pages * PAGE, flags, number(a));
	if (at < 0 && at > -4096)
		return at;
	S->map[r.slot].start = at;
	S->map[r.slot].pages = pages;
	return 0;
}

static long do_mprotect(struct args *a)
{
	struct range r;

	return range(a, &r) ? sys_mprotect(r.start, r.pages * PAGE, number(a)) : -ENOENT;
}

static long do_madvise(struct args *a)
{
	struct range r;

	return range(a, &r) ? sys_madvise(r.start, r.pages * PAGE, number(a)) : -ENOENT;
}

static long do_mlock(struct args *a)
{
	struct range r;
	long flags;

	if (!range(a, &r))
		return -ENOENT;
	flags = number(a);
	return flags ? sys_mlock2(r.start, r.pages * PAGE, flags)
		: sys_mlock(r.start, r.pages * PAGE);
}

static long do_munlock(struct args *a)
{
	struct range r;

	return range(a, &r) ? sys_munlock(r.start, r.pages * PAGE) : -ENOENT;
}

/* Ranges one after another, each `SLOT FIRST LAST`; from the last down if FIRST is higher. */
static long touch(struct args *a, int write, char value)
{
	while (more(a)) {
		int slot = number(a);
		long first = number(a), last = number(a), step = first <= last ? 1 : -1;

		if (!S->map[slot].pid)
			return -ENOENT;
		for (long i = first; i != last + step; i += step) {
			volatile char *p = (char *)(S->map[slot].start + i * PAGE);
			if (write)
				*p = value;
			else
				(void)*p;
		}
	}
	return 0;
}

static long do_read(struct args *a)
{
	return touch(a, 0, 0);
}

static long do_write(struct args *a)
{
	char value = number(a);

	return touch(a, 1, value);
}

static long do_clear_refs(struct args *a)
{
	return put_file("/proc/self/clear_refs", word_to(a, S->text, 8));
}

static long do_drain(struct args *a)
{
	for (int cpu = 0; cpu < S->nr_cpus; cpu++) {
		unsigned long mask = 1UL << cpu;
		if (S->nr_cpus > 1)
			sys_sched_setaffinity(0, sizeof(mask), &mask);
		drain_cpu();
	}
	return 0;
}

/* memory.reclaim where there is one, else memory.high below what is used. */
static long do_reclaim(struct args *a)
{
	char *cgroup = word_to(a, S->text, 400), *p = S->text + 512;
	unsigned long bytes = number(a) * PAGE, used;
	long err;

	put_number(p, bytes);
	err = put_file(cgroup_file(cgroup, "memory.reclaim"), p);
	if (err != -ENOENT)
		return err;
	err = read_file(cgroup_file(cgroup, "memory.current"), p, 64);
	if (err < 0)
		return err;
	used = parse(p);
	put_number(p, used > bytes ? used - bytes : 0);
	err = put_file(cgroup_file(cgroup, "memory.high"), p);
	return err ? err : put_file(S->path2, "max");
}

static long do_knob(struct args *a)
{
	word_to(a, S->path, sizeof(S->path));
	return put_file(S->path, word_to(a, S->text, 64));
}

static int is_dead(int pid)
{
	struct pollfd p = { sys_pidfd_open(pid), POLLIN, 0 };
	int dead;

	if (p.fd < 0)
		return 1;
	sys_poll(&p, 1, 0);
	dead = p.revents != 0;
	sys_close(p.fd);
	return dead;
}

/* -- What statements ask -------------------------------------------------------------------- */

/* Of a page: none, swapped, else PRESENT and its kpageflags. */
#define NOT_MAPPED	1UL
#define SWAPPED		2UL
#define PRESENT		(1UL << 63)

static unsigned long word_at(long fd, unsigned long index)
{
	unsigned long word = 0;

	return sys_pread(fd, &word, 8, index * 8) == 8 ? word : 0;
}

static unsigned long look_at(long pagemap, long kpageflags, unsigned long page)
{
	unsigned long e = word_at(pagemap, page);

	if (e >> 63)
		return word_at(kpageflags, e & ((1UL << 55) - 1)) | PRESENT;
	return e >> 62 & 1 ? SWAPPED : NOT_MAPPED;
}

static void out_pages(unsigned long what, unsigned long count)
{
	out_text(" ");
	if (what & PRESENT)
		out_hex(what & ~PRESENT);
	else
		out_text(what == SWAPPED ? "s" : "-");
	out_text("*"), out_number(count);
}

static long do_show(struct args *a)
{
	unsigned long before = 0, count = 0;
	struct range r;
	long pagemap, kpageflags;

	if (!range(a, &r))
		return -ENOENT;
	/* One that nobody has waited for yet still has a file. */
	if (is_dead(S->map[r.slot].pid))
		return -ESRCH;
	put_text(put_number(put_text(S->path, "/proc/"), S->map[r.slot].pid), "/pagemap");
	pagemap = sys_open(S->path, O_RDONLY, 0);
	if (pagemap < 0)
		return -ESRCH;
	kpageflags = sys_open("/proc/kpageflags", O_RDONLY, 0);
	say("p", a->place);
	for (unsigned long i = 0; i < r.pages; i++, count++) {
		unsigned long what = look_at(pagemap, kpageflags, r.start / PAGE + i);

		if (count && what != before)
			out_pages(before, count), count = 0;
		before = what;
	}
	out_pages(before, count), out_text("\n");
	sys_close(pagemap), sys_close(kpageflags);
	return 0;
}

/* Each page is read once, and said when all are: a death leaves no half line. */
static long do_value(struct args *a)
{
	unsigned long before = 0, count = 0;
	struct range r;

	if (!range(a, &r))
		return -ENOENT;
	if (r.pages >= sizeof(S->text))
		return -E2BIG;
	for (unsigned long i = 0; i < r.pages; i++)
		S->text[i] = *(volatile char *)(r.start + i * PAGE);
	say("x", a->place);
	for (unsigned long i = 0; i <= r.pages; i++, count++) {
		unsigned long byte = (unsigned char)S->text[i];

		if (count && (i == r.pages || byte != before)) {
			out_text(" "), out_number(before), out_text("*"), out_number(count);
			count = 0;
		}
		before = byte;
	}
	out_text("\n");
	return 0;
}

static long do_file(struct args *a)
{
	long n = read_file(word_to(a, S->path, sizeof(S->path)), S->text, sizeof(S->text));

	if (n < 0)
		return n;
	say_bytes("f", a->place, S->text, n);
	return 0;
}

#include "kvm.h"

/* `asks`: looks only, and is not followed by trace lines. */
static const struct statement {
	const char *name;
	long (*run)(struct args *a);
	int asks;
} statements[] = {
	{ "cgroup", do_cgroup }, { "rmdir", do_rmdir }, { "memfd", do_memfd },
	{ "close", do_close }, { "truncate", do_truncate }, { "task", do_task },
	{ "fork", do_fork }, { "move", do_move },
	{ "mmap", do_mmap }, { "munmap", do_munmap }, { "mremap", do_mremap },
	{ "mprotect", do_mprotect }, { "madvise", do_madvise }, { "mlock", do_mlock },
	{ "munlock", do_munlock }, { "read", do_read }, { "write", do_write },
	{ "clear_refs", do_clear_refs }, { "drain", do_drain }, { "reclaim", do_reclaim },
	{ "knob", do_knob },
	{ "file", do_disk_file }, { "pread", do_pread }, { "pwrite", do_pwrite },
	{ "fadvise", do_fadvise }, { "fsync", do_fsync }, { "sync", do_sync },
	{ "show", do_show, 1 }, { "value", do_value }, { "text", do_file, 1 },
	{ "cached", do_cached, 1 },
	{ "vmboot", do_vmboot }, { "vm", do_vm }, { "vmbooted", do_vmbooted },
	{ "slot", do_vmslot }, { "unslot", do_vmunslot }, { "moveslot", do_vmmove },
	{ "log", do_vmlog }, { "dirtylog", do_vmdirty }, { "guest", do_guest },
};

/* -- Running -------------------------------------------------------------------------------- */

static void say_trace(int place)
{
	unsigned long n = 0;
	long got;

	while (n < sizeof(S->text) - 1 &&
	       (got = sys_read(S->trace_fd, S->text + n, sizeof(S->text) - n)) > 0) {
		n += got;
		if (n > sizeof(S->text) - PAGE)
			say_bytes("t", place, S->text, n), n = 0;
	}
	if (n)
		say_bytes("t", place, S->text, n);
}

static void killed(int place, int slot)
{
	say("k", place), out_text(" "), out_number(slot), out_text("\n");
	forget(slot);
}

/* Tasks that went in the middle of somebody's statement. init reaps them when it runs. */
static void say_killed(int place)
{
	for (int slot = 0; slot < S->nr_slots; slot++)
		if (S->pid[slot] && slot != S->me && is_dead(S->pid[slot]))
			killed(place, slot);
}

static void ended(int place, long code)
{
	S->last_place = place;
	say("s", place), out_text(" "), out_number(code), out_text("\n");
}

/* To the line after this one. */
static void advance(void)
{
	while (*S->next++ != '\n')
		;
}

/* The next statement's place and actor, its name and arguments in `a`; 0 at the program's end. */
static int peek(struct args *a, int *actor)
{
	a->at = S->next;
	if (a->at >= S->end || *a->at == 'e' || *a->at == 'p')
		return 0;
	a->place = number(a);
	*actor = number(a);
	return 1;
}

/* Run statements as long as they are this task's. */
static void run(void)
{
	struct args a;
	char name[24];
	int actor;

	while (peek(&a, &actor) && (actor == S->me || actor == -2)) {
		const struct statement *s = statements;
		long err;

		word_to(&a, name, sizeof(name));
		if (same(name, "exit")) {
			ended(a.place, 0);
			advance();
			sys_exit(0);
		}
		while (!same(s->name, name))
			if (++s == statements + sizeof(statements) / sizeof(*s)) {
				trouble("no statement is called", name, 0);
				sys_exit(1);
			}
		err = s->run(&a);
		if (!s->asks) {
			settle();
			say_trace(a.place);
			say_killed(a.place);
		}
		ended(a.place, -err);
		advance();
	}
}

/* -- init ----------------------------------------------------------------------------------- */

static void reap(void)
{
	int status;
	long pid;

	while ((pid = sys_wait4(-1, &status, WNOHANG)) > 0)
		for (int slot = 0; slot < S->nr_slots; slot++)
			if (S->pid[slot] == pid)
				killed(S->last_place, slot);
}

/*
 * QEMU's TLB is as large as what was used of it lately: a flush doubles it if it was nearly full.
 * What does not fit is forgotten, which a real one of 1,536 entries would not do with so few pages.
 * So use more and more of it, with a flush between (the kernel flushes all for more than 33 pages),
 * before a task begins.
 */
static void widen_tlb(void)
{
	const unsigned long far = STACKS + 2048 * PAGE, size = 64 * PAGE;

	for (unsigned long pages = 64; pages <= 2048; pages *= 2) {
		for (unsigned long p = STACKS; p < STACKS + pages * PAGE; p += PAGE)
			(void)*(volatile char *)p;
		if (pages == 2048)
			break;
		sys_mprotect(far, size, PROT_READ);
		sys_mprotect(far, size, PROT_READ | PROT_WRITE);
	}
}

static void hand_to(int slot)
{
	const char *before = S->next;
	struct args a;
	int actor, signal;

	widen_tlb();
	sys_kill(S->pid[slot], SIGCONT);
	signal = wait_for(slot);
	S->me = -1;
	/* It died of a statement, unless it had said that it would. */
	if (signal && peek(&a, &actor) && (signal > 0 || S->next == before)) {
		settle();
		say_trace(a.place);
		say_killed(a.place);
		ended(a.place, 1000 + signal);
		advance();
	}
}

static void run_program(void)
{
	struct args a;
	int actor;

	while (peek(&a, &actor)) {
		if (actor < 0) {
			run();
		} else {
			reap();
			if (!S->pid[actor]) {
				ended(a.place, ESRCH);
				advance();
			} else {
				hand_to(actor);
			}
		}
	}
}

static void kill_tasks(void)
{
	int status;

	for (int slot = 0; slot < SLOTS; slot++)
		if (S->pid[slot])
			sys_kill(S->pid[slot], SIGKILL);
	while (sys_wait4(-1, &status, 0) > 0)
		;
	for (int slot = 0; slot < SLOTS; slot++) {
		if (S->pid[slot])
			forget(slot);
		if (S->fd[slot])
			sys_close(S->fd[slot] - 1);
		S->fd[slot] = S->on_disk[slot] = S->map[slot].pid = 0;
	}
	forget_vms();
}

/* Remove what is below a cgroup, children first. */
static void remove_cgroups(char *path, char *end, int depth)
{
	char b[1024];
	long fd, n;

	for (int again = 1; again && depth < 10; ) {
		again = 0;
		fd = sys_open(path, O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return;
		while (!again && (n = sys_getdents64(fd, b, sizeof(b))) > 0)
			for (long i = 0; i < n && !again; i += *(unsigned short *)(b + i + 16)) {
				char *name = b + i + 19, *tail;
				if (b[i + 18] != DT_DIR || name[0] == '.')
					continue;
				tail = put_text(put_text(end, "/"), name);
				remove_cgroups(path, tail, depth + 1);
				if (!sys_rmdir(path))
					again = 1;
				else
					trouble("rmdir", path, 0);
				*end = 0;
			}
		sys_close(fd);
	}
}

static const struct { const char *path, *value; } defaults[] = {
	{ "/proc/sys/vm/swappiness", "60" }, { "/proc/sys/vm/page-cluster", "3" },
	{ "/proc/sys/vm/watermark_scale_factor", "10" },
	{ "/proc/sys/vm/overcommit_memory", "0" },
	{ "/sys/kernel/debug/fault_around_bytes", "65536" },
	{ "/proc/sys/vm/dirty_background_ratio", "10" }, { "/proc/sys/vm/dirty_ratio", "20" },
	{ "/proc/sys/vm/laptop_mode", "0" },
};

static void swap_on(unsigned long pages)
{
	long fd, err;

	if (!pages)
		return;
	*(unsigned *)(S->swap_header + 1024) = 1;
	*(unsigned *)(S->swap_header + 1028) = pages - 1;
	put_text((char *)S->swap_header + 4086, "SWAPSPACE2");
	fd = sys_open("/dev/ram0", O_RDWR, 0);
	if (fd < 0)
		return trouble("open", "/dev/ram0", fd);
	if (sys_write(fd, S->swap_header, PAGE) != PAGE || sys_fsync(fd))
		trouble("write", "/dev/ram0", 0);
	sys_close(fd);
	err = sys_swapon("/dev/ram0");
	if (err)
		trouble("swapon", "/dev/ram0", err);
}

/* Write pages of a file, and swap them out in their order. */
static void swap_out(unsigned long pages)
{
	long fd = sys_memfd_create("swapping", 0);

	sys_ftruncate(fd, pages * PAGE);
	sys_mmap(COLD + PAGE, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
	sys_close(fd);
	for (unsigned long i = 1; i <= pages; i++)
		*(volatile char *)(COLD + i * PAGE) = 1;
	drain_cpu();
	sys_madvise(COLD + PAGE, pages * PAGE, MADV_PAGEOUT);
}

static void swap_off(unsigned long pages)
{
	sys_munmap(COLD + PAGE, pages * PAGE);
	sys_swapoff("/dev/ram0");
}

/*
 * How many pages swapin_nr_pages() reads ahead depends on the swap-ins before, of all programs.
 * Bring it to where it is when a kernel has booted: four hits since the last swap-in. Pages of a
 * file are swapped out in order and read back: five that are far apart, until one page is read at a
 * time; then the next one to the last, which reads one ahead; then windows of 4 and 8, with so many
 * of the pages that were read ahead used as the next step needs.
 *
 * So does whether swap slots go through caches: get_swap_page() turns them on when there are many
 * free slots, and off, as they are at boot, when there are few.
 */
static void forget_swapping(void)
{
	static const char order[] = { 0, 8, 16, 24, 33, 34, 35, 40, 41, 42, 43, 48, 49, 50, 51,
		52 };

	swap_on(16384);
	swap_out(64);
	for (unsigned i = 0; i < sizeof(order); i++)
		(void)*(volatile char *)(COLD + (order[i] + 1) * PAGE);
	swap_off(64);
	swap_on(64);
	swap_out(1);
	swap_off(1);
}

static void prepare(struct args *a)
{
	unsigned long swap;
	long err;

	S->program = number(a);
	swap = number(a);
	S->nr_cpus = number(a);
	S->nr_slots = number(a);
	S->disk = number(a);
	S->last_place = -1;
	for (unsigned i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		must(defaults[i].path, defaults[i].value);
	/* Where KVM is loaded. */
	put_file("/sys/kernel/tracing/events/kvm/enable", "0");
	forget_swapping();
	swap_on(swap);
	err = S->disk ? disk_on() : 0;
	/* Batches of LRU pages, callbacks of RCU, works: all done before it begins. */
	for (int i = 0; i < 10; i++)
		settle();
	do_drain(a);
	while (sys_read(S->trace_fd, S->text, sizeof(S->text)) > 0)
		;
	out_text("b "), out_number(S->program), out_text("\n");
	if (err)
		trouble("mount", DISK, err);
}

static void clean_up(void)
{
	kill_tasks();
	put_text(S->path, "/sys/fs/cgroup");
	remove_cgroups(S->path, S->path + length(S->path), 0);
	sys_swapoff("/dev/ram0");
	if (S->disk)
		disk_off();
	out_text("e "), out_number(S->program), out_text("\n");
}

/* /modules: a module and its parameters a line. */
static void load_modules(void)
{
	long n = read_file("/modules", S->text, sizeof(S->text) - 1);
	char *p = S->text;

	for (long i = 0; i < n; i++)
		if (S->text[i] == '\n') {
			char *parameters = p;
			long fd, err;

			S->text[i] = 0;
			while (*parameters && *parameters != ' ')
				parameters++;
			if (*parameters)
				*parameters++ = 0;
			put_text(put_text(S->path, "/"), p);
			fd = sys_open(S->path, O_RDONLY, 0);
			err = fd < 0 ? fd : sys_finit_module(fd, parameters);
			if (err)
				trouble("insmod", p, err);
			sys_close(fd);
			p = S->text + i + 1;
		}
}

static void mount(const char *type, const char *at)
{
	long err;

	sys_mkdir(at, 0755);
	err = sys_mount(type, at, type);
	if (err && err != -EBUSY)
		trouble("mount", at, err);
}

static void set_up(void)
{
	long fd;

	mount("proc", "/proc");
	mount("sysfs", "/sys");
	mount("devtmpfs", "/dev");
	mount("tracefs", "/sys/kernel/tracing");
	mount("debugfs", "/sys/kernel/debug");
	mount("cgroup2", "/sys/fs/cgroup");
	load_modules();
	set_up_disk();
	must("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
	put_file("/sys/kernel/mm/transparent_hugepage/enabled", "never");
	/* The classic LRU, where both are built. */
	put_file("/sys/kernel/mm/lru_gen/enabled", "0");
	/* The flusher comes when it is told to, not by the clock. */
	put_file("/proc/sys/vm/dirty_writeback_centisecs", "0");
	must("/sys/kernel/tracing/events/vmscan/enable", "1");
	fd = sys_open("/sys/kernel/tracing/trace_pipe", O_RDONLY | O_NONBLOCK, 0);
	if (fd < 0)
		trouble("open", "trace_pipe", fd);
	S->trace_fd = fd;
}

static void say_release(void)
{
	long n = read_file("/proc/sys/kernel/osrelease", S->text, 256);

	out_text("r "), out(S->text, n > 0 ? n : 0);
}

static void main_of_init(long size)
{
	long fd = sys_open("/programs", O_RDONLY, 0);
	long got, n = 0;

	while (n < size && (got = sys_read(fd, (char *)TEXT + n, size - n)) > 0)
		n += got;
	sys_close(fd);
	/* The stack that exec() made: its pages would be a child's too. */
	sys_munmap(ABOVE, TASK_SIZE - ABOVE);
	S->me = -1;
	S->stack_used[0] = 1;
	set_up();
	say_release();
	S->next = (char *)TEXT;
	S->end = S->next + size;
	while (S->next < S->end) {
		struct args a = { S->next, 0 };
		char head[16];

		if (same(word_to(&a, head, sizeof(head)), "program")) {
			prepare(&a);
			advance();
			run_program();
			clean_up();
		}
		advance();
	}
	out_text("z\n");
	sys_reboot(RB_POWER_OFF);
	for (;;)
		settle();
}

/* Map so much of our memory, from an offset on, at an address. */
static void map_own(long mem, unsigned long at, unsigned long n, int prot, unsigned long offset)
{
	long err = sys_mmap(at, n, prot, MAP_SHARED | MAP_FIXED, mem, offset);

	if (err != (long)at) {
		trouble("mmap", "/dev/mem", err);
		sys_reboot(RB_POWER_OFF);
	}
}

/*
 * On the kernel's stack: move into memory of our own, and go on there. The code is copied and
 * mapped over itself.
 */
void start(void)
{
	extern char __executable_start[], end[];
	const unsigned long code = (unsigned long)__executable_start & -PAGE;
	const unsigned long code_size = ((unsigned long)end - code + PAGE - 1) & -PAGE;
	long programs = sys_open("/programs", O_RDONLY, 0), size, mem, n, err;
	unsigned long address, room, need;
	char b[64];

	sys_ioperm(CONSOLE, 1, 1);
	size = programs < 0 ? programs : sys_lseek(programs, 0, SEEK_END);
	sys_close(programs);
	n = read_file("/memory", b, sizeof(b) - 1);
	b[n < 0 ? 0 : n] = '\n';
	{
		struct args a = { b, 0 };
		address = number(&a);
		room = number(&a);
	}
	need = ((TEXT - AT + size + PAGE - 1) & -PAGE) + code_size;
	if (size <= 0 || n <= 0 || need > room) {
		trouble("start", n <= 0 ? "/memory" : "/programs", n <= 0 ? n : size);
		sys_reboot(RB_POWER_OFF);
	}
	sys_mkdir("/dev", 0755);
	err = sys_mount("devtmpfs", "/dev", "devtmpfs");
	if (err && err != -EBUSY)
		trouble("mount", "/dev", err);
	mem = sys_open("/dev/mem", O_RDWR, 0);
	if (mem < 0) {
		trouble("open", "/dev/mem", mem);
		sys_reboot(RB_POWER_OFF);
	}
	map_own(mem, AT, need, PROT_READ | PROT_WRITE, address);
	for (unsigned long *p = (unsigned long *)AT; (unsigned long)p < AT + need - code_size; p++)
		*p = 0;
	for (unsigned long i = 0; i < code_size; i += sizeof(long))
		*(unsigned long *)(AT + need - code_size + i) = *(unsigned long *)(code + i);
	map_own(mem, code, code_size, PROT_READ | PROT_EXEC, address + need - code_size);
	sys_close(mem);
	sys_mmap(COLD, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	call_on(STACKS + STACK, main_of_init, size);
}
