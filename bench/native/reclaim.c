// SPDX-License-Identifier: GPL-2.0-only
/*
 * What reclaim costs on the kernel that this runs on: pages of 4 KiB taken away, of a kind, timed.
 *
 *	reclaim KIND PAGES FOLDER
 *
 * KIND: unmapped	clean pages of a file that nobody maps, by a cgroup's limit (v1 or v2)
 *	 mapped		clean pages of a file, mapped once, by MADV_PAGEOUT
 *	 anon		dirty anonymous pages with swap on zram, by MADV_PAGEOUT
 * FOLDER: where a sparse file is made, and removed again; it must be of a disk file system.
 *
 * Prints "PAGES NANOSECONDS", pages that are really gone, and exits with 0; or a sentence, why it
 * cannot be measured here, and exits with 77. What it changes (a cgroup, a swap device) it undoes.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE 4096UL
#define CHUNK (64UL << 20)

static char cgroup[256], file_name[4096], zram[64];
static int zram_id = -1, swap_is_on;

static void undo(void)
{
	int fd;

	if (swap_is_on)
		swapoff(zram);
	if (zram_id >= 0) {
		fd = open("/sys/class/zram-control/hot_remove", O_WRONLY | O_CLOEXEC);
		if (fd >= 0) {
			dprintf(fd, "%d", zram_id);
			close(fd);
		}
	}
	if (cgroup[0]) {
		/* Charges may keep it for a while. */
		for (int i = 0; i < 100 && rmdir(cgroup) && errno == EBUSY; i++)
			usleep(10000);
	}
	if (file_name[0])
		unlink(file_name);
}

static void skip(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	undo();
	_exit(77);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), bad;

	if (fd < 0)
		return -1;
	bad = write(fd, text, strlen(text)) < 0;
	return close(fd) || bad ? -1 : 0;
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* How many pages of a mapping are in memory. */
static unsigned long resident(char *map, unsigned long pages)
{
	static unsigned char vec[CHUNK / PAGE];
	unsigned long sum = 0;

	for (unsigned long at = 0; at < pages; at += CHUNK / PAGE) {
		unsigned long n = pages - at < CHUNK / PAGE ? pages - at : CHUNK / PAGE;

		if (mincore(map + at * PAGE, n * PAGE, vec))
			skip("mincore: %s", strerror(errno));
		for (unsigned long i = 0; i < n; i++)
			sum += vec[i] & 1;
	}
	return sum;
}

static int sparse_file(const char *folder, unsigned long pages)
{
	int fd;

	snprintf(file_name, sizeof file_name, "%s/vmmu-bench-XXXXXX", folder);
	fd = mkostemp(file_name, O_CLOEXEC);
	if (fd < 0) {
		file_name[0] = 0;
		skip("no file in %s: %s", folder, strerror(errno));
	}
	if (ftruncate(fd, pages * PAGE))
		skip("ftruncate: %s", strerror(errno));
	return fd;
}

/* All of a file into memory, each page by itself, so that no large folios are made. */
static void read_in(int fd, unsigned long pages)
{
	static char buffer[PAGE];

	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	for (unsigned long i = 0; i < pages; i++)
		if (pread(fd, buffer, PAGE, i * PAGE) != PAGE)
			skip("pread: %s", strerror(errno));
}

static void report(unsigned long before, unsigned long after, double ns)
{
	if (before - after < before / 2)
		skip("only %lu of %lu pages went", before - after, before);
	printf("%lu %.0f\n", before - after, ns);
}

static void unmapped(const char *folder, unsigned long pages)
{
	char path[512], text[64], *map;
	unsigned long before;
	double start, ns;
	int fd, v2 = 0;

	snprintf(cgroup, sizeof cgroup, "/sys/fs/cgroup/memory/vmmu-bench-%d", getpid());
	if (mkdir(cgroup, 0755)) {
		put("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
		snprintf(cgroup, sizeof cgroup, "/sys/fs/cgroup/vmmu-bench-%d", getpid());
		if (mkdir(cgroup, 0755)) {
			int error = errno;
			cgroup[0] = 0;
			skip("no cgroup: %s", strerror(error));
		}
		snprintf(path, sizeof path, "%s/memory.max", cgroup);
		v2 = 1;
		if (access(path, W_OK))
			skip("no memory controller");
	}
	/* Only who reads is in it, and is gone when its pages go. */
	fd = sparse_file(folder, pages);
	fflush(stdout);
	pid_t reader = fork();
	if (reader == 0) {
		snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
		snprintf(text, sizeof text, "%d", getpid());
		if (put(path, text))
			_exit(1);
		read_in(fd, pages);
		_exit(0);
	}
	int status;
	if (waitpid(reader, &status, 0) < 0 || status)
		skip("nobody may enter %s", cgroup);
	map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		skip("mmap: %s", strerror(errno));
	before = resident(map, pages);
	snprintf(path, sizeof path, "%s/%s", cgroup, v2 ? "memory.max" : "memory.limit_in_bytes");
	start = now_ns();
	/* It may be refused when all but a few are gone: what went is counted below. */
	put(path, "1048576");
	ns = now_ns() - start;
	report(before, resident(map, pages), ns);
}

static void page_out(char *map, unsigned long pages)
{
	unsigned long before = resident(map, pages);
	double start = now_ns(), ns;

	if (madvise(map, pages * PAGE, MADV_PAGEOUT))
		skip("MADV_PAGEOUT: %s", strerror(errno));
	ns = now_ns() - start;
	report(before, resident(map, pages), ns);
}

static void mapped(const char *folder, unsigned long pages)
{
	int fd = sparse_file(folder, pages);
	volatile char sum = 0;
	char *map;

	read_in(fd, pages);
	map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		skip("mmap: %s", strerror(errno));
	madvise(map, pages * PAGE, MADV_NOHUGEPAGE);
	for (unsigned long i = 0; i < pages; i++)
		sum += map[i * PAGE];
	page_out(map, pages);
}

/* The header that mkswap(8) writes. */
static void mkswap(const char *device, unsigned long pages)
{
	static char header[PAGE];
	unsigned int info[3] = { 1, pages - 1, 0 };
	int fd = open(device, O_RDWR | O_CLOEXEC);

	memcpy(header + 1024, info, sizeof info);
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	if (fd < 0 || write(fd, header, sizeof header) != sizeof header || fsync(fd) || close(fd))
		skip("%s: %s", device, strerror(errno));
}

static void anon(unsigned long pages)
{
	char path[128], text[64];
	char *map;
	FILE *hot = fopen("/sys/class/zram-control/hot_add", "re");

	if (!hot || fscanf(hot, "%d", &zram_id) != 1)
		skip("no zram");
	fclose(hot);
	snprintf(zram, sizeof zram, "/dev/zram%d", zram_id);
	snprintf(path, sizeof path, "/sys/block/zram%d/disksize", zram_id);
	snprintf(text, sizeof text, "%lu", (pages + pages / 8 + 1024) * PAGE);
	if (put(path, text))
		skip("%s: %s", path, strerror(errno));
	mkswap(zram, pages + pages / 8 + 1024);
	if (swapon(zram, SWAP_FLAG_PREFER | 32767))
		skip("swapon: %s", strerror(errno));
	swap_is_on = 1;
	map = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		skip("mmap: %s", strerror(errno));
	madvise(map, pages * PAGE, MADV_NOHUGEPAGE);
	/* One word all over: what zram writes without compressing it, and what is not zero. */
	memset(map, 1, pages * PAGE);
	page_out(map, pages);
	munmap(map, pages * PAGE);
}

int main(int argc, char **argv)
{
	unsigned long pages = argc == 4 ? strtoul(argv[2], NULL, 0) : 0;

	if (!pages || pages > 1UL << 24) {
		fprintf(stderr, "usage: reclaim unmapped|mapped|anon PAGES FOLDER\n");
		return 64;
	}
	if (geteuid() != 0)
		skip("not run by root");
	if (sysconf(_SC_PAGESIZE) != PAGE)
		skip("pages of %ld bytes", sysconf(_SC_PAGESIZE));
	if ((double)sysconf(_SC_AVPHYS_PAGES) < pages * 1.25)
		skip("too little free memory for %lu pages", pages);
	if (!strcmp(argv[1], "unmapped"))
		unmapped(argv[3], pages);
	else if (!strcmp(argv[1], "mapped"))
		mapped(argv[3], pages);
	else if (!strcmp(argv[1], "anon"))
		anon(pages);
	else
		return 64;
	undo();
	return 0;
}
