// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Every kind of mapping that a process can have. Each has one result, which comes
 * in time, and after each the device can go on with other memory.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "swap.h"

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

/* Whatever went wrong before, this works. */
static void check_usable(void)
{
	char *mem = anonymous(PAGE);

	CHECK_OK(svm_write(mem, 11));
	CHECK_EQ(word_at(mem), 11);
	CHECK_EQ(svm_value(mem), 11);
	CHECK_SYS(munmap(mem, PAGE));
}

/* Reading and writing end in the same error, in time, and nothing stays of it. */
static void check_refused(char *mem, int reads, int writes)
{
	CHECK_RET(svm_fault_bounded(mem, READS), reads);
	CHECK_RET(svm_fault_bounded(mem, 0), writes);
	CHECK_NOTHING_MAPPED();
	check_usable();
}

static int memory_file(size_t size)
{
	int fd = memfd_create("kinds", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, size));
	return fd;
}

static char *map_file(int fd, size_t size, int protection, int flags)
{
	char *mem = mmap(NULL, size, protection, flags, fd, 0);

	CHECK(mem != MAP_FAILED);
	return mem;
}

static uint64_t file_word(int fd, size_t at)
{
	uint64_t value;

	CHECK_EQ(pread(fd, &value, sizeof(value), at), sizeof(value));
	return value;
}

static void shared_file(struct gpu *gpu)
{
	int fd = memory_file(64 * PAGE);
	char *mem = map_file(fd, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	(void)gpu;
	svm_open();
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(svm_value(mem + i * PAGE), 0);
		CHECK_OK(svm_write(mem + i * PAGE, i + 1));
		CHECK_EQ(file_word(fd, i * PAGE), (long long)i + 1);
	}
}

/* Another process has the same memory, in another place. */
static void shared_memory(struct gpu *gpu)
{
	char *mem = map_file(-1, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
	char *again = mremap(mem, 0, 64 * PAGE, MREMAP_MAYMOVE);

	(void)gpu;
	CHECK(again != MAP_FAILED);
	svm_open();
	for (size_t i = 0; i < 64; i++) {
		CHECK_OK(svm_write(mem + i * PAGE, i + 1));
		CHECK_EQ(svm_value(again + i * PAGE), (long long)i + 1);
		CHECK_EQ(word_at(again + i * PAGE), (long long)i + 1);
	}
}

static void private_file(struct gpu *gpu)
{
	int fd = memory_file(4 * PAGE);
	uint64_t before = 3;
	char *mem;

	(void)gpu;
	svm_open();
	CHECK_EQ(pwrite(fd, &before, sizeof(before), 0), sizeof(before));
	mem = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	CHECK_EQ(svm_value(mem), 3);
	CHECK_OK(svm_write(mem, 4));
	CHECK_EQ(word_at(mem), 4);
	CHECK_EQ(file_word(fd, 0), 3);
}

/* Of a file system that reads from somewhere, other than those in memory. */
static int disk_file(size_t size)
{
	char name[] = "/var/tmp/kinds-XXXXXX", *content = mem_map(size, 0, MEM_SMALL);
	int fd = mkstemp(name);

	CHECK_SYS(fd);
	unlink(name);
	memset(content, 7, size);
	CHECK_EQ(write(fd, content, size), (ssize_t)size);
	CHECK_SYS(fsync(fd));
	CHECK_SYS(munmap(content, size));
	return fd;
}

static void file_on_disk(struct gpu *gpu)
{
	int fd = disk_file(64 * PAGE);
	char *mem = map_file(fd, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *copy = map_file(fd, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	(void)gpu;
	svm_open();
	CHECK_EQ(svm_value(mem + 3 * PAGE), 0x0707070707070707);
	CHECK_OK(svm_write(mem, 8));
	CHECK_EQ(file_word(fd, 0), 8);
	CHECK_OK(svm_write(copy, 9));
	CHECK_EQ(word_at(copy), 9);
	CHECK_EQ(file_word(fd, 0), 8);
	CHECK_SYS(munmap(copy, 64 * PAGE));
	CHECK_SYS(mprotect(mem, 64 * PAGE, PROT_READ));
	CHECK_EQ(svm_value(mem), 8);
	CHECK_RET(svm_fault_bounded(mem, 0), -EPERM);
	CHECK_SYS(mprotect(mem, 64 * PAGE, PROT_NONE));
	check_refused(mem, -EPERM, -EPERM);
}

#define GROUP	"/sys/fs/cgroup/gpusvm-kinds"

/* Bytes of files that the processes of the group have brought to memory. */
static unsigned long long group_file_bytes(void)
{
	FILE *file = fopen(GROUP "/memory.stat", "r");
	unsigned long long bytes;
	char name[64];

	CHECK(file);
	do
		CHECK_EQ(fscanf(file, "%63s %llu", name, &bytes), 2);
	while (strcmp(name, "file"));
	fclose(file);
	return bytes;
}

/* Whoever has just written it back may still be at its pages. */
static void drop_cached(int fd, char *mem, size_t size)
{
	double begin = seconds_now();

	do {
		CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
		check_bounded("dropping a file's pages", begin);
	} while (pages_in_memory(mem, size));
}

static void read_in_group(void *arg)
{
	size_t size = 512 * PAGE;
	int fd = disk_file(size);
	char *mem = map_file(fd, size, PROT_READ, MAP_SHARED);
	unsigned long long before;

	(void)arg;
	drop_cached(fd, mem, size);
	CHECK_OK(file_write(GROUP "/cgroup.procs", "0"));
	svm_open();
	before = group_file_bytes();
	for (size_t at = 0; at < size; at += PAGE)
		CHECK_EQ(svm_value(mem + at), 0x0707070707070707);
	/* The kernel adds up what processors have counted now and then. */
	sleep_ms(patience(3) * 1000);
	if (group_file_bytes() - before < size / 2)
		FAIL("%llu bytes were charged", group_file_bytes() - before);
}

/* Who has a device read a file pays for its pages, as if he had read it himself. */
static void file_charged(struct gpu *gpu)
{
	(void)gpu;
	if (file_write("/sys/fs/cgroup/cgroup.subtree_control", "+memory"))
		test_skip("no memory controller in the unified hierarchy of control groups");
	CHECK(!mkdir(GROUP, 0755) || errno == EEXIST);
	test_join(test_fork(read_in_group, NULL));
	while (rmdir(GROUP) && errno == EBUSY)
		sleep_ms(10);
}

/* There is a mapping and nothing behind it: no try will ever change that. */
static void beyond_end(struct gpu *gpu)
{
	int fd = memory_file(3 * PAGE);
	char *mem = map_file(fd, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);

	(void)gpu;
	svm_open();
	check_refused(mem + 3 * PAGE, -EFAULT, -EFAULT);
	CHECK_OK(svm_write(mem + PAGE, 77));
	CHECK_EQ(file_word(fd, PAGE), 77);
	CHECK_SYS(ftruncate(fd, PAGE));
	CHECK(!svm_has(mem + PAGE));
	check_refused(mem + PAGE, -EFAULT, -EFAULT);
	CHECK_OK(svm_write(mem, 3));
	CHECK_SYS(ftruncate(fd, 4 * PAGE));
	CHECK_OK(svm_write(mem + 3 * PAGE, 5));
	CHECK_EQ(file_word(fd, 3 * PAGE), 5);
	CHECK_EQ(file_word(fd, PAGE), 0);
}

/* Of a program's own text, which others execute too. */
static void read_only_file(struct gpu *gpu)
{
	int fd = open("/proc/self/exe", O_RDONLY);
	char *mem = map_file(fd, PAGE, PROT_READ, MAP_SHARED);

	(void)gpu;
	svm_open();
	CHECK_EQ(svm_value(mem), (long long)file_word(fd, 0));
	CHECK_RET(svm_fault_bounded(mem, 0), -EPERM);
	CHECK_RET(svm_write(mem, 1), -EPERM);
	CHECK_EQ(svm_value(mem), (long long)file_word(fd, 0));
	check_usable();
}

static void protected(struct gpu *gpu)
{
	char *mem = anonymous(4 * PAGE);

	(void)gpu;
	svm_open();
	CHECK_OK(svm_write(mem, 5));
	CHECK_SYS(mprotect(mem, 4 * PAGE, PROT_READ));
	CHECK(!svm_has(mem));
	CHECK_EQ(svm_value(mem), 5);
	CHECK_RET(svm_write(mem, 6), -EPERM);
	CHECK_SYS(mprotect(mem, 4 * PAGE, PROT_NONE));
	CHECK(!svm_has(mem));
	check_refused(mem, -EPERM, -EPERM);
	CHECK_SYS(mprotect(mem, 4 * PAGE, PROT_WRITE));
	check_refused(mem, -EPERM, -EPERM);
	CHECK_SYS(mprotect(mem, 4 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_OK(svm_write(mem, 6));
	CHECK_EQ(word_at(mem), 6);
}

static void huge_table(struct gpu *gpu)
{
	char *mem;

	(void)gpu;
	svm_open();
	file_write("/proc/sys/vm/nr_hugepages", "4");
	mem = mmap(NULL, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
	if (mem == MAP_FAILED)
		test_skip("no huge pages in the pool: %s", errno_name(errno));
	for (size_t at = 0; at < 2 * HUGE_PAGE; at += 16 * PAGE) {
		struct gpusvm_test_args args = {
			.addr = (uintptr_t)mem + at,
			.window_start = (uintptr_t)mem + at,
			.window_end = (uintptr_t)mem + (at ? at + PAGE : HUGE_PAGE),
		};

		/* The first as a whole, of the second some pages only. */
		if (at == 0 || (at >= HUGE_PAGE && at % (64 * PAGE)))
			CHECK_OK(svm_ioctl(GPUSVM_TEST_FAULT, &args));
		CHECK_EQ(svm_value(mem + at), 0);
		CHECK_OK(svm_write(mem + at, at + 1));
		CHECK_EQ(word_at(mem + at), (long long)at + 1);
	}
	CHECK_SYS(munmap(mem, 2 * HUGE_PAGE));
	svm_collect();
	CHECK_NOTHING_MAPPED();
	file_write("/proc/sys/vm/nr_hugepages", "0");
}

static unsigned long ksm(const char *name)
{
	char path[64], line[32];

	snprintf(path, sizeof(path), "/sys/kernel/mm/ksm/%s", name);
	return strtoul(file_line(path, line, sizeof(line)), NULL, 10);
}

/* Twins become one page, which nobody may write to. */
static void merged(struct gpu *gpu)
{
	char *mem = mem_map(32 * PAGE, 0, MEM_SMALL);
	double end = seconds_now() + patience(20);

	(void)gpu;
	svm_open();
	for (size_t at = 0; at < 32 * PAGE; at += 8)
		set_word(mem + at, 0x1234);
	CHECK_OK(svm_write(mem, 0x1234));
	if (madvise(mem, 32 * PAGE, MADV_MERGEABLE))
		test_skip("this kernel does not merge pages");
	file_write("/sys/kernel/mm/ksm/sleep_millisecs", "1");
	file_write("/sys/kernel/mm/ksm/pages_to_scan", "1000");
	file_write("/sys/kernel/mm/ksm/run", "1");
	while (ksm("pages_sharing") < 30 && seconds_now() < end)
		sleep_ms(5);
	file_write("/sys/kernel/mm/ksm/run", "0");
	printf("# %lu pages are shared\n", ksm("pages_sharing"));
	CHECK(ksm("pages_sharing") >= 30);
	for (size_t at = 0; at < 32 * PAGE; at += PAGE)
		CHECK_EQ(svm_value(mem + at), 0x1234);
	for (size_t at = 0; at < 32 * PAGE; at += 2 * PAGE)
		CHECK_OK(svm_write(mem + at, at));
	for (size_t at = 0; at < 32 * PAGE; at += PAGE)
		CHECK_EQ(word_at(mem + at), at % (2 * PAGE) ? 0x1234 : (long long)at);
	file_write("/sys/kernel/mm/ksm/run", "2");
	for (size_t at = 0; at < 32 * PAGE; at += PAGE)
		CHECK_EQ(svm_value(mem + at), at % (2 * PAGE) ? 0x1234 : (long long)at);
	file_write("/sys/kernel/mm/ksm/run", "0");
}

/* The kernel's own pages in the process: I/O memory, not to be had, or read-only. */
static void vdso(struct gpu *gpu)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start;
	unsigned int seen = 0;
	char line[256];

	(void)gpu;
	svm_open();
	CHECK(maps);
	while (fgets(line, sizeof(line), maps)) {
		char *mem;
		int err;

		if (sscanf(line, "%lx", &start) != 1)
			continue;
		mem = (char *)start;
		if (strstr(line, "[vvar")) {
			/* Newer kernels have pages there, or none but do not call it I/O. */
			err = svm_fault_bounded(mem, READS);
			line[strcspn(line, "\n")] = '\0';
			printf("# %s: %s\n", strrchr(line, '['), errno_name(err));
			if (err && err != -EIO)
				CHECK_RET(err, -EFAULT);
			err = svm_fault_bounded(mem, 0);
			if (err != -EIO)
				CHECK_RET(err, -EPERM);
			seen |= 1;
		}
		if (strstr(line, "[vdso]")) {
			CHECK_EQ(svm_value(mem), (long long)word_at(mem));
			CHECK_RET(svm_fault_bounded(mem, 0), -EPERM);
			seen |= 2;
		}
	}
	fclose(maps);
	CHECK_EQ(seen, 3);
	check_usable();
}

/* The first file of a PCI device's memory that can be mapped, or MAP_FAILED. */
static char *map_device_memory(void)
{
	static const char root[] = "/sys/bus/pci/devices";
	DIR *devices = opendir(root);
	char *mem = MAP_FAILED;
	struct dirent *entry;
	char path[PATH_MAX];

	while (devices && mem == MAP_FAILED && (entry = readdir(devices))) {
		for (int i = 0; i < 6 && mem == MAP_FAILED; i++) {
			int fd;

			snprintf(path, sizeof(path), "%s/%s/resource%d", root, entry->d_name, i);
			fd = open(path, O_RDWR);
			if (fd >= 0)
				mem = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			close(fd);
		}
	}
	if (devices)
		closedir(devices);
	return mem;
}

static void device_memory(struct gpu *gpu)
{
	char *mem = map_device_memory();

	(void)gpu;
	if (mem == MAP_FAILED)
		test_skip("no PCI device's memory can be mapped");
	svm_open();
	check_refused(mem, -EIO, -EIO);
}

/* What the firmware left, through /dev/mem: frames without pages to speak of. */
static void raw_memory(struct gpu *gpu)
{
	int fd = open("/dev/mem", O_RDONLY);
	char *mem = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0xf0000);

	(void)gpu;
	if (mem == MAP_FAILED)
		test_skip("/dev/mem cannot be mapped: %s", errno_name(errno));
	svm_open();
	check_refused(mem, -EIO, -EIO);
}

/* Memory that somebody else handed out as a buffer. */
static void buffer(struct gpu *gpu)
{
	int file = memory_file(4 * PAGE), control = open("/dev/udmabuf", O_RDWR), shared;
	struct udmabuf_create create = { .memfd = file, .size = 4 * PAGE };
	char *mem;
	int err;

	(void)gpu;
	if (control < 0)
		test_skip("this kernel has no udmabuf");
	CHECK_SYS(fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK));
	shared = ioctl(control, UDMABUF_CREATE, &create);
	CHECK_SYS(shared);
	mem = map_file(shared, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	svm_open();
	err = svm_fault_bounded(mem, 0);
	if (err) {
		/* Frames without pages, since Linux 6.12. */
		check_refused(mem, -EIO, -EIO);
		return;
	}
	CHECK_OK(svm_write(mem + PAGE, 12));
	CHECK_EQ(file_word(file, PAGE), 12);
	check_usable();
}

/* Pages whose access ends a process. */
static void guarded(struct gpu *gpu)
{
	char *mem = anonymous(4 * PAGE);

	(void)gpu;
	svm_open();
	CHECK_OK(svm_write(mem + PAGE, 1));
	if (madvise(mem + PAGE, PAGE, MADV_GUARD_INSTALL))
		test_skip("this kernel has no guard pages");
	CHECK(!svm_has(mem + PAGE));
	check_refused(mem + PAGE, -EFAULT, -EFAULT);
	CHECK_OK(svm_write(mem + 3 * PAGE, 2));
	CHECK_EQ(word_at(mem + 3 * PAGE), 2);
}

/* What grows by itself is there when the CPU has been there. */
static void stack(struct gpu *gpu)
{
	char *mem = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	uint64_t here = 5;

	(void)gpu;
	CHECK(mem != MAP_FAILED);
	svm_open();
	CHECK_EQ(svm_value(&here), 5);
	CHECK_OK(svm_write(&here, 6));
	CHECK_EQ(word_at((char *)&here), 6);
	CHECK_OK(svm_write(mem, 8));
	CHECK_EQ(word_at(mem), 8);
}

struct unrest {
	char *mem;
	atomic_bool stop;
};

static void *never_rest(void *arg)
{
	struct unrest *unrest = arg;

	while (!atomic_load(&unrest->stop)) {
		CHECK_SYS(mprotect(unrest->mem, HUGE_PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		CHECK_SYS(mprotect(unrest->mem, HUGE_PAGE, PROT_READ | PROT_WRITE));
	}
	return NULL;
}

/* The mapping changes without pause: won or lost, but in time. */
static void restless(struct gpu *gpu)
{
	struct unrest unrest = { .mem = mem_map(HUGE_PAGE, 0, MEM_SMALL) };
	double end = seconds_now() + brief_seconds();
	unsigned int won = 0, lost = 0;
	pthread_t threads[2];

	(void)gpu;
	svm_open();
	memset(unrest.mem, 1, HUGE_PAGE);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, never_rest, &unrest), 0);
	while (seconds_now() < end || won + lost < 3) {
		int err = svm_fault_bounded(unrest.mem, 0);

		CHECK(!err || err == -EBUSY);
		won += !err;
		lost += !!err;
	}
	atomic_store(&unrest.stop, true);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	printf("# won %u, lost %u\n", won, lost);
	CHECK_OK(svm_write(unrest.mem, 3));
	check_usable();
}

static void *drop_for_ever(void *arg)
{
	struct unrest *unrest = arg;

	while (!atomic_load(&unrest->stop)) {
		CHECK_SYS(madvise(unrest->mem, 16 * PAGE, MADV_DONTNEED));
		usleep(50);
	}
	return NULL;
}

/* What is gone as soon as it has come is no bad address. */
static void file_dropped_while_read(struct gpu *gpu)
{
	int fd = disk_file(16 * PAGE);
	struct unrest unrest = {
		.mem = map_file(fd, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED),
	};
	double end = seconds_now() + brief_seconds();
	unsigned int won = 0, lost = 0;
	pthread_t thread;

	(void)gpu;
	svm_open();
	CHECK_EQ(pthread_create(&thread, NULL, drop_for_ever, &unrest), 0);
	while (seconds_now() < end || won + lost < 3) {
		int err = svm_fault_bounded(unrest.mem, won % 2 ? READS : 0);

		CHECK(!err || err == -EBUSY);
		won += !err;
		lost += !!err;
	}
	atomic_store(&unrest.stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	printf("# won %u, lost %u\n", won, lost);
	CHECK_EQ(svm_value(unrest.mem + PAGE), 0x0707070707070707);
	check_usable();
}

static const struct test tests[] = {
	{ "shared-file", shared_file, NEED_ROOT, 0 },
	{ "shared-memory", shared_memory, NEED_ROOT, 0 },
	{ "private-file", private_file, NEED_ROOT, 0 },
	{ "file-on-disk", file_on_disk, NEED_ROOT, 0 },
	{ "file-charged", file_charged, NEED_ROOT, 0 },
	{ "beyond-end", beyond_end, NEED_ROOT, 0 },
	{ "read-only-file", read_only_file, NEED_ROOT, 0 },
	{ "protected", protected, NEED_ROOT, 0 },
	{ "huge-table", huge_table, NEED_ROOT, 0 },
	{ "merged", merged, NEED_ROOT, 0 },
	{ "vdso", vdso, NEED_ROOT, 0 },
	{ "device-memory", device_memory, NEED_ROOT, 0 },
	{ "raw-memory", raw_memory, NEED_ROOT, 0 },
	{ "buffer", buffer, NEED_ROOT, 0 },
	{ "guarded", guarded, NEED_ROOT, 0 },
	{ "stack", stack, NEED_ROOT, 0 },
	{ "restless", restless, NEED_ROOT, 0 },
	{ "file-dropped-while-read", file_dropped_while_read, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
