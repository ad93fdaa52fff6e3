// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a program sees of a driver that shares its memory: with gpusvm_test.ko. */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gpusvm_test.h"

#define MIB	(1UL << 20)

static int fd;
static size_t page;
static int failed;

static void report(int line, const char *what, long got)
{
	printf("# line %d: not so: %s (%ld, errno %d)\n", line, what, got, errno);
	failed = 1;
}

#define CHECK(condition)						\
do {									\
	if (!(condition))						\
		report(__LINE__, #condition, 0);			\
} while (0)

#define IS(call, wanted)						\
do {									\
	long got___ = (call);						\
									\
	if (got___ != (long)(wanted))					\
		report(__LINE__, #call " == " #wanted, got___);		\
} while (0)

static int test_ioctl(unsigned long cmd, struct gpusvm_test_args *args)
{
	return ioctl(fd, cmd, args) ? -errno : 0;
}

static int fault_args(void *addr, unsigned int flags, struct gpusvm_test_args *args)
{
	int err;

	do {
		memset(args, 0, sizeof(*args));
		args->addr = (uintptr_t)addr;
		args->flags = flags;
		err = test_ioctl(GPUSVM_TEST_FAULT, args);
	} while (err == -EAGAIN);
	return err;
}

static int fault(void *addr, unsigned int flags)
{
	struct gpusvm_test_args args;

	return fault_args(addr, flags, &args);
}

static int touch(void *addr, void *buffer, size_t size, unsigned int flags, int device)
{
	struct gpusvm_test_args args = {
		.addr = (uintptr_t)addr,
		.size = size,
		.buffer = (uintptr_t)buffer,
		.flags = flags,
		.device = device,
	};

	return test_ioctl(GPUSVM_TEST_ACCESS, &args);
}

/* As a device does it: when it cannot, it faults. */
static int dev_access(void *addr, void *buffer, size_t size, unsigned int flags, int device)
{
	int err, tries = 1000;

	for (;;) {
		err = touch(addr, buffer, size, flags, device);
		if ((err != -ENXIO && err != -EACCES) || !tries--)
			return err;
		err = fault(addr, (flags & GPUSVM_TEST_PARALLEL) |
			    (flags & GPUSVM_TEST_WRITE ? 0 : GPUSVM_TEST_READ_ONLY));
		if (err && err != -EBUSY)
			return err;
	}
}

static int dev_read(void *addr, uint64_t *value)
{
	return dev_access(addr, value, sizeof(*value), 0, 0);
}

static int dev_write(void *addr, uint64_t value)
{
	return dev_access(addr, &value, sizeof(value), GPUSVM_TEST_WRITE, 1);
}

static uint64_t dev_value(void *addr)
{
	uint64_t value = 0;
	int err = dev_read(addr, &value);

	if (err)
		report(__LINE__, "dev_read", err);
	return value;
}

static bool dev_has(void *addr)
{
	uint64_t value;

	return touch(addr, &value, sizeof(value), 0, 0) != -ENXIO;
}

static void *map(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* Aligned, as huge pages are. */
static char *map_aligned(size_t size)
{
	char *all = map(size + 2 * MIB);
	char *start = (char *)(((uintptr_t)all + 2 * MIB - 1) & -(2 * MIB));

	munmap(all, start - all);
	munmap(start + size, all + 2 * MIB - start);
	return start;
}

static unsigned long stat(const char *name)
{
	FILE *f = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long value, found = -1UL;
	char word[64];

	if (!f)
		return found;
	while (fscanf(f, "%63s %lu", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	fclose(f);
	return found;
}

static void collect(void)
{
	ioctl(fd, GPUSVM_TEST_COLLECT);
}

static void test_arguments(void)
{
	IS(ioctl(fd, GPUSVM_TEST_ARGUMENTS), 0);
}

static void test_pages_only(void)
{
	struct gpusvm_test_args args = { .size = 64 * page };
	char *memory = map(args.size);

	memset(memory, 1, args.size);
	args.addr = (uintptr_t)memory;
	IS(test_ioctl(GPUSVM_TEST_PAGES_ONLY, &args), 0);
	munmap(memory, args.size);
}

static void test_basic(void)
{
	char *memory = map_aligned(8 * MIB);
	struct gpusvm_test_args args;
	uint64_t *word;
	size_t at;

	for (at = 0; at < 8 * MIB; at += page)
		*(uint64_t *)(memory + at) = at + 1;
	for (at = 0; at < 8 * MIB; at += page)
		IS(dev_value(memory + at), at + 1);
	for (at = 0; at < 8 * MIB; at += page)
		IS(dev_write(memory + at + 8, at + 2), 0);
	for (at = 0; at < 8 * MIB; at += page) {
		word = (uint64_t *)(memory + at);
		IS(word[0], at + 1);
		IS(word[1], at + 2);
	}
	IS(fault_args(memory + 3 * MIB, 0, &args), 0);
	IS(args.start, (uintptr_t)memory + 2 * MIB);
	IS(args.size, 2 * MIB);
	CHECK(stat("live_mapped") == 2 * 8 * MIB / page);
	IS(stat("live_ranges"), 4);
	args.addr = (uintptr_t)memory;
	IS(test_ioctl(GPUSVM_TEST_SCAN, &args), 0);
	IS(args.result, 3);
	IS(test_ioctl(GPUSVM_TEST_EVICT, &args), 0);
	IS(test_ioctl(GPUSVM_TEST_REMOVE, &args), 0);
	IS(test_ioctl(GPUSVM_TEST_REMOVE, &args), -ENXIO);
	munmap(memory, 8 * MIB);
	collect();
	IS(stat("live_ranges"), 0);
	IS(stat("live_mapped"), 0);
	IS(stat("live_notifiers"), 0);
}

static void test_untouched(void)
{
	char *memory = map(64 * page), *other;
	size_t at;

	for (at = 0; at < 64 * page; at += page)
		IS(dev_value(memory + at), 0);
	for (at = 0; at < 64 * page; at += page)
		IS(dev_write(memory + at, 7), 0);
	for (at = 0; at < 64 * page; at += page)
		IS(*(uint64_t *)(memory + at), 7);
	other = map(64 * page);
	for (at = 0; at < 64 * page; at += page)
		IS(*(uint64_t *)(other + at), 0);
	munmap(memory, 64 * page);
	munmap(other, 64 * page);
}

static void test_unmapped(void)
{
	char *memory = map_aligned(2 * MIB);

	memset(memory, 1, 2 * MIB);
	IS(dev_write(memory, 1), 0);
	CHECK(dev_has(memory + MIB));
	munmap(memory + MIB, page);
	CHECK(!dev_has(memory + MIB));
	CHECK(!dev_has(memory));
	IS(fault(memory + MIB, 0), -ENOENT);
	IS(dev_value(memory), 1);
	IS(dev_write(memory + MIB + page, 3), 0);
	IS(*(uint64_t *)(memory + MIB + page), 3);
	munmap(memory, 2 * MIB);
	IS(fault(memory, 0), -ENOENT);
	collect();
	IS(stat("live_ranges"), 0);
}

static void test_protected(void)
{
	char *memory = map(4 * page);
	uint64_t value = 1;

	memset(memory, 1, 4 * page);
	IS(dev_write(memory, 5), 0);
	mprotect(memory, 4 * page, PROT_READ);
	CHECK(!dev_has(memory));
	IS(dev_value(memory), 5);
	IS(dev_access(memory, &value, 8, GPUSVM_TEST_WRITE, 0), -EPERM);
	mprotect(memory, 4 * page, PROT_NONE);
	CHECK(!dev_has(memory));
	IS(fault(memory, 0), -EPERM);
	IS(fault(memory, GPUSVM_TEST_READ_ONLY), -EPERM);
	mprotect(memory, 4 * page, PROT_READ | PROT_WRITE);
	IS(dev_write(memory, 6), 0);
	IS(*(uint64_t *)memory, 6);
	munmap(memory, 4 * page);
}

static void test_fork(void)
{
	char *memory = map(16 * page);
	int status, pipes[2][2];
	char c = 0;
	pid_t pid;
	size_t at;

	for (at = 0; at < 16 * page; at += page)
		IS(dev_write(memory + at, 1), 0);
	IS(pipe(pipes[0]) | pipe(pipes[1]), 0);
	pid = fork();
	if (!pid) {
		int bad = 0;

		if (read(pipes[0][0], &c, 1) != 1)
			bad = 1;
		for (at = 0; at < 16 * page; at += page)
			bad |= *(uint64_t *)(memory + at) != 1;
		for (at = 0; at < 16 * page; at += page)
			*(uint64_t *)(memory + at) = 3;
		if (write(pipes[1][1], &c, 1) != 1)
			bad = 1;
		_exit(bad);
	}
	CHECK(!dev_has(memory));
	IS(dev_value(memory), 1);
	for (at = 0; at < 16 * page; at += page)
		IS(dev_write(memory + at, 2), 0);
	IS(write(pipes[0][1], &c, 1), 1);
	IS(read(pipes[1][0], &c, 1), 1);
	for (at = 0; at < 16 * page; at += page)
		IS(dev_value(memory + at), 2);
	waitpid(pid, &status, 0);
	IS(status, 0);
	munmap(memory, 16 * page);
}

static void test_huge(void)
{
	char *memory = map_aligned(4 * MIB);
	struct gpusvm_test_args args;
	uint64_t value;
	size_t at;

	madvise(memory, 4 * MIB, MADV_HUGEPAGE);
	for (at = 0; at < 4 * MIB; at += page)
		*(uint64_t *)(memory + at) = at;
	IS(dev_value(memory + MIB), MIB);
	args = (struct gpusvm_test_args) {
		.addr = (uintptr_t)memory, .size = 8, .buffer = (uintptr_t)&value,
	};
	IS(test_ioctl(GPUSVM_TEST_ACCESS, &args), 0);
	printf("# %u entries for 2 MiB of huge pages\n", args.entries);
	IS(test_ioctl(GPUSVM_TEST_REMOVE, &args), 0);
	/* A window of the device that begins and ends inside of a huge page. */
	args = (struct gpusvm_test_args) {
		.addr = (uintptr_t)memory + 5 * page,
		.window_start = (uintptr_t)memory + 3 * page,
		.window_end = (uintptr_t)memory + 64 * 1024 + 37 * page,
	};
	IS(test_ioctl(GPUSVM_TEST_FAULT, &args), 0);
	IS(args.start, args.addr);
	IS(args.size, page);
	args.addr = (uintptr_t)memory + 64 * 1024;
	IS(test_ioctl(GPUSVM_TEST_FAULT, &args), 0);
	IS(args.size, 64 * 1024);
	args.addr = args.window_end;
	IS(test_ioctl(GPUSVM_TEST_FAULT, &args), -EINVAL);
	args.addr = args.window_end - 1;
	IS(test_ioctl(GPUSVM_TEST_FAULT, &args), 0);
	for (at = 0; at < 4 * MIB; at += page) {
		IS(dev_value(memory + at), at);
		IS(dev_write(memory + at, at + 9), 0);
	}
	for (at = 0; at < 4 * MIB; at += page)
		IS(*(uint64_t *)(memory + at), at + 9);
	munmap(memory, 4 * MIB);
	collect();
	IS(stat("live_mapped"), 0);
}

static void test_borders(void)
{
	struct gpusvm_test_args args;

	IS(fault(NULL, 0), -EINVAL);
	IS(fault((void *)0xf000, 0), -EINVAL);
	IS(fault((void *)0x10000, 0), -ENOENT);
	IS(fault((void *)(1UL << 47), 0), -EINVAL);
	IS(fault((void *)((1UL << 47) - 1), 0), -ENOENT);
	IS(fault((void *)-1UL, 0), -EINVAL);
	IS(fault_args((void *)&args, 0, &args), 0);
	CHECK(args.start <= (uintptr_t)&args && args.start + args.size > (uintptr_t)&args);
	memset(&args, 0, sizeof(args));
	args.addr = (uintptr_t)&args;
	args.window_start = args.addr + 1;
	IS(test_ioctl(GPUSVM_TEST_FAULT, &args), -EINVAL);
}

static void test_files(void)
{
	int file = memfd_create("test", 0);
	uint64_t value = 0;
	char *memory;

	IS(ftruncate(file, 3 * page), 0);
	memory = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	IS(dev_value(memory + page), 0);
	IS(dev_write(memory + page, 77), 0);
	IS(pread(file, &value, 8, page), 8);
	IS(value, 77);
	IS(fault(memory + 3 * page, 0), -EFAULT);
	IS(fault(memory + 3 * page, GPUSVM_TEST_READ_ONLY), -EFAULT);
	IS(ftruncate(file, page), 0);
	CHECK(!dev_has(memory + page));
	IS(fault(memory + page, 0), -EFAULT);
	IS(dev_write(memory, 3), 0);
	munmap(memory, 4 * page);

	memory = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	IS(dev_value(memory), 3);
	IS(dev_write(memory, 4), 0);
	IS(*(uint64_t *)memory, 4);
	IS(pread(file, &value, 8, 0), 8);
	IS(value, 3);
	munmap(memory, page);
	close(file);
}

static void test_special(void)
{
	FILE *f = fopen("/proc/self/maps", "r");
	unsigned long start;
	char line[256];

	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx", &start) != 1)
			continue;
		/* Newer kernels do not call it I/O memory any more. */
		if (strstr(line, "[vvar]") &&
		    fault((void *)start, GPUSVM_TEST_READ_ONLY) != -EIO)
			IS(fault((void *)start, GPUSVM_TEST_READ_ONLY), -EFAULT);
		if (strstr(line, "[vdso]")) {
			IS(fault((void *)start, 0), -EPERM);
			IS(fault((void *)start, GPUSVM_TEST_READ_ONLY), 0);
		}
	}
	fclose(f);
}

static void test_free(void)
{
	char *memory = map(64 * page);
	size_t at;

	memset(memory, 1, 64 * page);
	madvise(memory, 64 * page, MADV_FREE);
	for (at = 0; at < 64 * page; at += page)
		IS(dev_write(memory + at, 9), 0);
	madvise(memory, 64 * page, MADV_PAGEOUT);
	for (at = 0; at < 64 * page; at += page)
		IS(*(uint64_t *)(memory + at), 9);
	madvise(memory, 64 * page, MADV_DONTNEED);
	CHECK(!dev_has(memory));
	IS(dev_value(memory), 0);
	munmap(memory, 64 * page);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000UL + t.tv_nsec / 1000000;
}

static int uffd_open(char *memory, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { (uintptr_t)memory, size }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (uffd < 0 || ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		return -1;
	return uffd;
}

static void *uffd_serve(void *arg)
{
	int uffd = *(int *)arg;
	struct uffd_msg msg;
	char *content = aligned_alloc(page, page);

	memset(content, 0x55, page);
	while (read(uffd, &msg, sizeof(msg)) == sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & -page,
			.src = (uintptr_t)content,
			.len = page,
		};

		usleep(20000);
		ioctl(uffd, UFFDIO_COPY, &copy);
	}
	free(content);
	return NULL;
}

static void test_uffd(void)
{
	char *memory = map_aligned(2 * MIB);
	int uffd = uffd_open(memory, 8 * page);
	pthread_t thread;
	uint64_t start;

	if (uffd < 0) {
		printf("# no userfaultfd\n");
		munmap(memory, 2 * MIB);
		return;
	}
	start = now_ms();
	IS(fault(memory, 0), -EBUSY);
	IS(fault(memory + page, 0), -EBUSY);
	CHECK(now_ms() - start < 4000);
	pthread_create(&thread, NULL, uffd_serve, &uffd);
	IS(dev_value(memory + 2 * page), 0x5555555555555555);
	IS(dev_value(memory), 0x5555555555555555);
	IS(dev_write(memory + 3 * page, 8), 0);
	IS(*(uint64_t *)(memory + 3 * page), 8);
	munmap(memory, 2 * MIB);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	close(uffd);
}

/* Nobody serves it, and the process goes away. */
static void test_uffd_exit(void)
{
	pid_t pid = fork();

	if (!pid) {
		char *memory = map_aligned(2 * MIB);

		fd = open("/dev/gpusvm_test", O_RDWR);
		if (uffd_open(memory, 8 * page) >= 0)
			fault(memory, 0);
		_exit(0);
	}
	waitpid(pid, NULL, 0);

	pid = fork();
	if (!pid) {
		char *memory = map_aligned(2 * MIB);

		fd = open("/dev/gpusvm_test", O_RDWR);
		if (uffd_open(memory, 8 * page) >= 0)
			for (;;)
				fault(memory, 0);
		_exit(0);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_exit(void)
{
	int i, status;

	for (i = 0; i < 10; i++) {
		pid_t pid = fork();

		if (!pid) {
			char *memory = map_aligned(4 * MIB);

			fd = open("/dev/gpusvm_test", O_RDWR);
			memset(memory, 1, 2 * MIB);
			for (;;) {
				dev_write(memory, 1);
				dev_write(memory + 3 * MIB, 1);
				if (i & 1)
					_exit(0);
			}
		}
		usleep(20000);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
}

/* A file that outlives the program whose memory it is about. */
static void test_gone(void)
{
	int pipes[2], saved = fd, status;
	static char *memory;
	pid_t pid;

	IS(pipe(pipes), 0);
	memory = map(page);
	fd = -1;
	pid = fork();
	if (!pid) {
		fd = open("/dev/gpusvm_test", O_RDWR);
		dev_write(memory, 1);
		pid = fork();
		if (pid)
			_exit(0);
		/* The child's own memory is not what the file is about. */
		usleep(200000);
		status = fault(memory, 0) == -EFAULT;
		if (write(pipes[1], &status, sizeof(status)) != sizeof(status))
			_exit(1);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	status = 0;
	IS(read(pipes[0], &status, sizeof(status)), sizeof(status));
	IS(status, 1);
	fd = saved;
	munmap(memory, page);
	close(pipes[0]);
	close(pipes[1]);
}

/* Counters the CPU and the device increment by turns, while memory moves. */
#define WORKERS	4
#define WORDS	64
static char *shared;
static volatile bool stop;
static unsigned int stress_flags;
static unsigned long rounds;

static void *stress_worker(void *arg)
{
	size_t me = (size_t)arg;
	uint64_t count[WORDS] = { 0 }, value;
	unsigned int seed = me;

	while (!stop) {
		size_t i = rand_r(&seed) % WORDS;
		uint64_t *word = (uint64_t *)(shared + i * (4 * MIB / WORDS)) + me;
		int err;

		if (*word != count[i])
			report(__LINE__, "the CPU's value", *word - count[i]);
		err = dev_access(word, &value, 8, stress_flags, me & 1);
		if (err == -EBUSY)
			continue;
		if (err || value != count[i])
			report(__LINE__, "the device's value", err ?: (long)(value - count[i]));
		value++;
		err = dev_access(word, &value, 8, stress_flags | GPUSVM_TEST_WRITE, !(me & 1));
		if (err == -EBUSY)
			continue;
		if (err)
			report(__LINE__, "the device's write", err);
		else
			count[i]++;
		if (rand_r(&seed) % 2) {
			++*word;
			count[i]++;
		}
		__sync_fetch_and_add(&rounds, 1);
	}
	return NULL;
}

static void stress_disturb(unsigned int *seed)
{
	size_t at = rand_r(seed) % (4 * MIB / page) * page;
	pid_t pid;

	switch (rand_r(seed) % 6) {
	case 0:
		pid = fork();
		if (!pid) {
			memset(shared, 0xff, 4 * MIB);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		break;
	case 1:
		madvise(shared, 4 * MIB, MADV_PAGEOUT);
		break;
	case 2:
		madvise(shared, 4 * MIB, 25 /* MADV_COLLAPSE */);
		break;
	case 3:
		mprotect(shared + at, page, PROT_READ | PROT_WRITE | PROT_EXEC);
		mprotect(shared, 4 * MIB, PROT_READ | PROT_WRITE);
		break;
	case 4: {
		struct gpusvm_test_args args = { .addr = (uintptr_t)shared + at };

		test_ioctl(stress_flags ? GPUSVM_TEST_SCAN : GPUSVM_TEST_REMOVE, &args);
		break;
	}
	case 5: {
		char *other = map(MIB);
		uint64_t value = 1;

		dev_access(other, &value, 8, stress_flags | GPUSVM_TEST_WRITE, 0);
		if (*(uint64_t *)other != 1)
			report(__LINE__, "another mapping's value", *(long *)other);
		munmap(other, MIB);
		break;
	}
	}
}

static void stress(unsigned int flags, int seconds)
{
	uint64_t end = now_ms() + seconds * 1000;
	pthread_t threads[WORKERS];
	unsigned int seed = flags;
	size_t i;

	shared = map_aligned(4 * MIB);
	stress_flags = flags;
	stop = false;
	rounds = 0;
	for (i = 0; i < WORKERS; i++)
		pthread_create(&threads[i], NULL, stress_worker, (void *)i);
	while (now_ms() < end && !failed)
		stress_disturb(&seed);
	stop = true;
	for (i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	munmap(shared, 4 * MIB);
	printf("# %lu rounds, %lu invalidations\n", rounds, stat("invalidations"));
}

static int stress_seconds = 10;

static void test_stress(void)
{
	stress(0, stress_seconds);
}

static void test_stress_parallel(void)
{
	stress(GPUSVM_TEST_PARALLEL, stress_seconds);
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{ "arguments", test_arguments },
	{ "pages-only", test_pages_only },
	{ "basic", test_basic },
	{ "untouched", test_untouched },
	{ "unmapped", test_unmapped },
	{ "protected", test_protected },
	{ "fork", test_fork },
	{ "huge", test_huge },
	{ "borders", test_borders },
	{ "files", test_files },
	{ "special", test_special },
	{ "free", test_free },
	{ "uffd", test_uffd },
	{ "uffd-exit", test_uffd_exit },
	{ "exit", test_exit },
	{ "gone", test_gone },
	{ "stress", test_stress },
	{ "stress-parallel", test_stress_parallel },
};

/* A device that does not reach all memory directly. */
static int run_refused(void)
{
	char *memory = map(64 * page);

	fd = open("/dev/gpusvm_test", O_RDWR);
	IS(fault(memory, 0), -EOPNOTSUPP);
	IS(fault(memory, GPUSVM_TEST_READ_ONLY), -EOPNOTSUPP);
	IS(stat("live_mapped"), 0);
	printf("%s refused\n", failed ? "FAIL" : "PASS");
	return failed;
}

int main(int argc, char **argv)
{
	unsigned int i, bad = 0;

	page = sysconf(_SC_PAGESIZE);
	if (argc > 1 && !strcmp(argv[1], "refused"))
		return run_refused();
	if (argc > 1)
		stress_seconds = atoi(argv[1]);
	setvbuf(stdout, NULL, _IONBF, 0);
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		failed = 0;
		fd = open("/dev/gpusvm_test", O_RDWR);
		if (fd < 0) {
			perror("/dev/gpusvm_test");
			return 1;
		}
		tests[i].run();
		close(fd);
		printf("%s %s\n", failed ? "FAIL" : "PASS", tests[i].name);
		bad += failed;
	}
	usleep(500000);
	if (stat("live_ranges") || stat("live_notifiers") || stat("live_mapped")) {
		printf("FAIL leak: %lu ranges, %lu notifiers, %lu pages\n", stat("live_ranges"),
		       stat("live_notifiers"), stat("live_mapped"));
		bad++;
	}
	return bad > 0;
}
