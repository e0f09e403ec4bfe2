/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files on a disk: ext4 on /dev/ram1, made anew for each program that uses them. /disk is the head
 * of the file system (../ext4.ts), the rest of which is free blocks. init has each file open from
 * its statement on; a task opens it when it first uses it, at OWN_FD + its slot, and keeps it open.
 */
#define DISK		"/dev/ram1"
#define DISK_AT		"/files"
#define OWN_FD		512
#define OWN_FDS		512
#define IOV_MAX		1024
/* Blocks are allocated when they are written to, not when they are written back. */
#define DISK_OPTIONS	"nodelalloc,errors=panic"
/*
 * Where files are mapped by slot, to be asked for pages in memory and never touched. They stay: to
 * unmap something drains the LRU batches.
 */
#define LOOK		0x620000000000UL
#define LOOK_SIZE	(1UL << 30)

/*
 * With blkio on a hierarchy of its own writeback is the machine's, not each cgroup's: the flusher's
 * limits are those of all memory.
 */
static void set_up_disk(void)
{
	long fd = sys_open("/disk", O_RDONLY, 0), err;

	if (fd < 0)
		return;
	sys_close(fd);
	sys_mkdir(DISK_AT, 0755);
	sys_mkdir("/blkio", 0755);
	err = sys_mount_with("cgroup", "/blkio", "cgroup", 0, "blkio");
	if (err)
		trouble("mount", "/blkio", err);
}

/* 0 or -errno. */
static long disk_on(void)
{
	long from = sys_open("/disk", O_RDONLY, 0), to = sys_open(DISK, O_RDWR, 0), got, err;

	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	while ((got = sys_read(from, S->text, sizeof(S->text))) > 0)
		if (sys_write(to, S->text, got) != got)
			return -EAGAIN;
	sys_close(from);
	err = sys_fsync(to);
	sys_close(to);
	if (!err)
		err = put_file("/sys/block/ram1/queue/read_ahead_kb", "128");
	/* What wakes the flusher is rarely preempted by it. */
	if (!err)
		err = put_file("/sys/bus/workqueue/devices/writeback/nice", "19");
	return err ? err : sys_mount_with(DISK, DISK_AT, "ext4", MS_NOATIME, DISK_OPTIONS);
}

static void disk_off(void)
{
	long err;

	sys_munmap(LOOK, SLOTS * LOOK_SIZE);
	err = sys_umount(DISK_AT);

	if (err)
		trouble("umount", DISK_AT, err);
}

/* As many pages as a call takes at most, of one buffer. */
static struct iovec *all_of(char *page, unsigned long pages)
{
	for (unsigned long i = 0; i < pages; i++)
		S->iov[i].base = page, S->iov[i].length = PAGE;
	return S->iov;
}

static char *filled(unsigned char value)
{
	for (unsigned long i = 0; i < PAGE; i++)
		S->text[i] = value;
	return S->text;
}

static long do_disk_file(struct args *a)
{
	int slot = number(a);
	unsigned long pages = number(a);
	long fd;

	put_number(put_text(S->path, DISK_AT "/"), slot);
	fd = sys_open(S->path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0)
		return fd;
	S->fd[slot] = fd + 1;
	S->on_disk[slot] = 1;
	for (unsigned long i = 0; i < pages; i++) {
		long done = sys_pwrite(fd, filled(i + 1), PAGE, i * PAGE);
		if (done < 0)
			return done;
	}
	sys_fsync(fd);
	return sys_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

/* Another open file of what init has open. */
static long open_of_init(int slot)
{
	if (!S->fd[slot])
		return -EBADF;
	put_number(put_text(S->path, "/proc/1/fd/"), S->fd[slot] - 1);
	return sys_open(S->path, O_RDWR, 0);
}

/* The file as whoever runs has it open. */
static long own_fd(int slot)
{
	long fd, err;

	if (S->me < 0)
		return S->fd[slot] - 1;
	if (slot >= OWN_FDS)
		return -E2BIG;
	if (sys_fcntl(OWN_FD + slot, F_GETFD) >= 0)
		return OWN_FD + slot;
	fd = open_of_init(slot);
	if (fd < 0)
		return fd;
	err = sys_dup2(fd, OWN_FD + slot);
	sys_close(fd);
	return err;
}

/* A call that did something says how much. */
static long no_more(long done)
{
	return done < 0 ? done : 0;
}

static long do_pread(struct args *a)
{
	long fd = own_fd(number(a));
	unsigned long first = number(a), pages = number(a);

	if (fd < 0)
		return fd;
	if (pages > IOV_MAX)
		return -E2BIG;
	return no_more(sys_preadv(fd, all_of(S->text, pages), pages, first * PAGE));
}

static long do_pwrite(struct args *a)
{
	long fd = own_fd(number(a));
	unsigned long first = number(a), pages = number(a);

	if (fd < 0)
		return fd;
	if (pages > IOV_MAX)
		return -E2BIG;
	return no_more(sys_pwritev(fd, all_of(filled(number(a)), pages), pages, first * PAGE));
}

static long do_fadvise(struct args *a)
{
	long fd = own_fd(number(a));
	unsigned long first = number(a), pages = number(a);

	return fd < 0 ? fd : sys_fadvise(fd, first * PAGE, pages * PAGE, number(a));
}

static long do_fsync(struct args *a)
{
	int fd = S->fd[number(a)] - 1;

	return fd < 0 ? -EBADF : sys_fsync(fd);
}

static long do_sync(struct args *a)
{
	(void)a;
	sys_sync();
	return 0;
}

/* Of each page of a file, whether it is in memory. */
static long do_cached(struct args *a)
{
	int slot = number(a);
	unsigned long at = LOOK + slot * LOOK_SIZE;
	unsigned long first = number(a), pages = number(a), before = 0, count = 0;
	long fd = open_of_init(slot), err;

	if (fd < 0)
		return fd;
	if (pages > sizeof(S->text))
		return -E2BIG;
	sys_mmap(at, LOOK_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
	sys_close(fd);
	err = sys_mincore(at + first * PAGE, pages * PAGE, S->text);
	if (err)
		return err;
	say("x", a->place);
	for (unsigned long i = 0; i <= pages; i++, count++) {
		unsigned long present = S->text[i] & 1;

		if (count && (i == pages || present != before)) {
			out_text(" "), out_number(before), out_text("*"), out_number(count);
			count = 0;
		}
		before = present;
	}
	out_text("\n");
	return 0;
}
