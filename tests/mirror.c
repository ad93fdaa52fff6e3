// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The device has the process's memory in its own page table for as long as nothing
 * changes. Whatever the process does to its mappings must take effect there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define FLIP	0x2545f4914f6cdd1dULL

static int use(const struct area *area, size_t page, uint64_t value)
{
	return gpu_fill(area->gpu, area->vm, area->mem + page * PAGE, PAGE, value);
}

static int look(const struct area *area, size_t page, uint64_t *value)
{
	return gpu_read(area->gpu, area->vm, area->mem + page * PAGE, sizeof(*value), value);
}

static void check_word(const struct area *area, size_t page, uint64_t want)
{
	uint64_t value = 0;

	CHECK_OK(look(area, page, &value));
	if (value != want)
		FAIL("page %zu: the device reads %#llx, not %#llx", page,
		     (unsigned long long)value, (unsigned long long)want);
}

static void check_no_errors(const struct gpu *gpu)
{
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_DEVICE_ERRORS), 0);
}

/* A large range that the device has in its page table. */
static struct area mapped_area(struct gpu *gpu, enum mem_thp thp)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, thp);

	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, FLIP));
	return area;
}

/* One page goes out of the middle of what the device has as one. */
static void check_unmapped(struct gpu *gpu, enum mem_thp thp)
{
	struct area area = mapped_area(gpu, thp);
	char *page = area.mem + 100 * PAGE;

	CHECK_SYS(munmap(page, PAGE));
	CHECK_RET(use(&area, 100, 1), -EFAULT);
	for (size_t i = 0; i < area.size / PAGE; i++)
		if (i != 100)
			check_word(&area, i, FLIP);
	CHECK(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == page);
	check_word(&area, 100, 0);
	CHECK_OK(use(&area, 100, 7));
	CHECK_EQ(*(uint64_t *)page, 7);
	check_no_errors(gpu);
}

static void unmapped_page(struct gpu *gpu)
{
	check_unmapped(gpu, MEM_SMALL);
}

static void unmapped_huge(struct gpu *gpu)
{
	check_unmapped(gpu, MEM_HUGE);
}

/* Something else comes to the same address, and is what the device sees. */
static void replaced(struct gpu *gpu)
{
	struct area area = mapped_area(gpu, MEM_SMALL);

	for (uint64_t round = 1; round <= 20; round++) {
		CHECK(mmap(area.mem, area.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.mem);
		*(uint64_t *)(area.mem + 3 * PAGE) = round;
		check_word(&area, 3, round);
		check_word(&area, 4, 0);
		CHECK_OK(use(&area, 5, round));
	}
	check_no_errors(gpu);
}

static void protected(struct gpu *gpu)
{
	struct area area = mapped_area(gpu, MEM_SMALL);
	uint64_t value;

	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ));
	CHECK_RET(use(&area, 9, 1), -EFAULT);
	check_word(&area, 9, FLIP);
	CHECK_RET(use(&area, 9, 1), -EFAULT);
	CHECK_SYS(mprotect(area.mem + 8 * PAGE, 2 * PAGE, PROT_NONE));
	CHECK_RET(look(&area, 9, &value), -EFAULT);
	check_word(&area, 10, FLIP);
	CHECK_SYS(mprotect(area.mem, area.size, PROT_READ | PROT_WRITE));
	CHECK_OK(use(&area, 9, 2));
	CHECK_EQ(*(uint64_t *)(area.mem + 9 * PAGE), 2);
	check_no_errors(gpu);
}

/* Read first, which is the page of zeroes, then written, which must be another. */
static void read_then_written(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct area other = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);

	for (size_t i = 0; i < 64; i++) {
		check_word(&area, i, 0);
		check_word(&other, i, 0);
		CHECK_OK(use(&area, i, i + 1));
		check_word(&area, i, i + 1);
	}
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(*(uint64_t *)(area.mem + i * PAGE), (long long)(i + 1));
		CHECK_EQ(*(uint64_t *)(other.mem + i * PAGE), 0);
	}
	check_no_errors(gpu);
}

static int file_new(size_t size)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK_SYS(fd);
	CHECK_SYS(ftruncate(fd, size));
	return fd;
}

static struct area file_area(struct gpu *gpu, int fd, size_t size, int flags)
{
	struct area area = { .gpu = gpu, .vm = vm_new(gpu), .size = size };

	area.mem = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);
	CHECK(area.mem != MAP_FAILED);
	return area;
}

/* Part of a mapping has no file behind it; the rest is none the worse for it. */
/*
 * The process has seen all of it, as the page of zeroes: each page has to be copied
 * for the device, which changes what the device is about to map.
 */
static void zeroes_then_written(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL);

	for (size_t i = 0; i < area.size; i += PAGE)
		CHECK_EQ(*(volatile uint64_t *)(area.mem + i), 0);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, FLIP));
	for (size_t i = 0; i < area.size; i += PAGE)
		CHECK_EQ(*(volatile uint64_t *)(area.mem + i), FLIP);
	check_no_errors(gpu);
}

static void end_of_file(struct gpu *gpu)
{
	int fd = file_new(5 * PAGE);
	struct area area = file_area(gpu, fd, MIB, MAP_SHARED);
	uint64_t value;

	CHECK_OK(use(&area, 4, 1));
	CHECK_RET(look(&area, 5, &value), -EFAULT);
	CHECK_RET(use(&area, 100, 1), -EFAULT);
	CHECK_SYS(ftruncate(fd, 200 * PAGE));
	CHECK_OK(use(&area, 100, 2));
	check_word(&area, 5, 0);
	CHECK_SYS(ftruncate(fd, 50 * PAGE));
	CHECK_RET(look(&area, 100, &value), -EFAULT);
	check_word(&area, 4, 1);
	check_no_errors(gpu);
}

/* A private mapping of a file: what the device writes is the process's alone. */
static void private_file(struct gpu *gpu)
{
	int fd = file_new(MIB);
	struct area area;
	uint64_t word = FLIP;

	for (size_t at = 0; at < MIB; at += PAGE)
		CHECK_EQ(pwrite(fd, &word, sizeof(word), at), sizeof(word));
	area = file_area(gpu, fd, MIB, MAP_PRIVATE);
	check_word(&area, 7, FLIP);
	CHECK_OK(use(&area, 7, 1));
	check_word(&area, 7, 1);
	check_word(&area, 8, FLIP);
	CHECK_EQ(pread(fd, &word, sizeof(word), 7 * PAGE), sizeof(word));
	CHECK(word == FLIP);
	CHECK_EQ(*(uint64_t *)(area.mem + 7 * PAGE), 1);
	check_no_errors(gpu);
}

/* Written back is clean, and what the device writes then must be written back again. */
static void written_back(struct gpu *gpu)
{
	int fd = file_new(MIB);
	struct area area = file_area(gpu, fd, MIB, MAP_SHARED);
	uint64_t *word = aligned_alloc(PAGE, PAGE);
	int disk;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	disk = open(path, O_RDONLY | O_DIRECT);
	CHECK_SYS(disk);
	CHECK(word);
	for (uint64_t round = 1; round <= 10; round++) {
		CHECK_OK(use(&area, round, round));
		CHECK_OK(use(&area, 0, round));
		CHECK_SYS(msync(area.mem, area.size, MS_SYNC));
		CHECK_EQ(pread(disk, word, PAGE, 0), PAGE);
		CHECK_EQ(*word, round);
		CHECK_EQ(pread(disk, word, PAGE, round * PAGE), PAGE);
		CHECK_EQ(*word, round);
	}
	check_no_errors(gpu);
}

struct child {
	struct area area;
	int told[2];
};

static void check_when_told(void *arg)
{
	struct child *child = arg;
	char byte;

	CHECK_EQ(read(child->told[0], &byte, 1), 1);
	for (size_t i = 0; i < child->area.size / PAGE; i++)
		CHECK(*(uint64_t *)(child->area.mem + i * PAGE) == FLIP);
}

/* After fork() the device's page table still has what both share now. */
static void forked(struct gpu *gpu)
{
	struct child child = { .area = mapped_area(gpu, MEM_SMALL) };
	pid_t pid;

	for (uint64_t round = 0; round < 5; round++) {
		CHECK_OK(gpu_fill(gpu, child.area.vm, child.area.mem, child.area.size, FLIP));
		CHECK_SYS(pipe(child.told));
		pid = test_fork(check_when_told, &child);
		CHECK_OK(gpu_fill(gpu, child.area.vm, child.area.mem, child.area.size, round));
		CHECK_EQ(write(child.told[1], "", 1), 1);
		test_join(pid);
		close(child.told[0]);
		close(child.told[1]);
		check_word(&child.area, 77, round);
	}
	check_no_errors(gpu);
}

struct churn {
	struct area area;
	atomic_bool stop;
};

/* Unmaps and maps pages of it all the time. */
static void *churn(void *arg)
{
	struct churn *churn = arg;
	uint64_t state = 5;

	while (!atomic_load(&churn->stop)) {
		size_t page = random_next(&state) % (churn->area.size / PAGE - 4);
		char *at = churn->area.mem + page * PAGE;

		CHECK_SYS(munmap(at, 4 * PAGE));
		CHECK(mmap(at, 4 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at);
	}
	return NULL;
}

/* A VM goes, with the file or before it, while ranges of it become garbage. */
static void closed_while_unmapping(struct gpu *gpu)
{
	const char *seconds = getenv("TEST_SECONDS");
	double end = seconds_now() + (seconds ? atof(seconds) : 4) / 2;
	struct churn state = { .area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL) };
	unsigned int rounds = 0;
	pthread_t thread;

	CHECK_EQ(pthread_create(&thread, NULL, churn, &state), 0);
	for (; rounds < 5 || seconds_now() < end; rounds++) {
		struct area area = state.area;
		struct gpu mine;
		int ret;

		CHECK_OK(gpu_open(&mine, gpu->index));
		area.gpu = &mine;
		CHECK_OK(gpu_vm_create(&mine, &area.vm));
		for (int i = 0; i < 4; i++) {
			ret = use(&area, rounds * 4 % 500 + i, 1);
			CHECK(!ret || ret == -EFAULT || ret == -EBUSY);
		}
		if (rounds % 2)
			CHECK_OK(gpu_vm_destroy(&mine, area.vm));
		gpu_close(&mine);
	}
	atomic_store(&state.stop, true);
	CHECK_EQ(pthread_join(thread, NULL), 0);
	check_no_errors(gpu);
	printf("# %u rounds\n", rounds);
}

/* Several VMs and devices have the same memory, and lose it together. */
static void many_vms(struct gpu *gpu)
{
	struct area area = area_new(gpu, HUGE_PAGE, 0, MEM_SMALL), areas[8];
	struct gpu other;

	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
		areas[i] = area;
		areas[i].gpu = i % 2 ? &other : gpu;
		areas[i].vm = vm_new(areas[i].gpu);
	}
	for (uint64_t round = 1; round <= 10; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(areas); i++) {
			CHECK_OK(use(&areas[i], i, round));
			for (size_t k = 0; k < ARRAY_SIZE(areas); k++)
				check_word(&areas[k], i, round);
		}
		CHECK_SYS(madvise(area.mem, area.size, MADV_DONTNEED));
		for (size_t i = 0; i < ARRAY_SIZE(areas); i++)
			check_word(&areas[i], i, 0);
	}
	check_no_errors(gpu);
	check_no_errors(&other);
}

static bool is_mapped(const struct area *area)
{
	return counter(area->gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES) >= area->size / PAGE;
}

/* What the kernel moves meanwhile, to compact memory, is mapped again when it is used. */
static void leave_mapped(void *arg)
{
	struct area area;
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, ((struct gpu *)arg)->index));
	area = mapped_area(&mine, MEM_SMALL);
	for (int tries = 0; tries < 100 && !is_mapped(&area); tries++)
		CHECK_OK(gpu_fill(&mine, area.vm, area.mem, area.size, FLIP));
	CHECK(is_mapped(&area));
	_exit(0);
}

/* Who ends without a word leaves nothing mapped. */
static void exits(struct gpu *gpu)
{
	for (int i = 0; i < 5; i++)
		test_join(test_fork(leave_mapped, gpu));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
	check_no_errors(gpu);
}

static const struct test tests[] = {
	{ "unmapped-page", unmapped_page, 0, 0 },
	{ "unmapped-huge", unmapped_huge, NEED_THP, 0 },
	{ "replaced", replaced, 0, 0 },
	{ "protected", protected, 0, 0 },
	{ "read-then-written", read_then_written, 0, 0 },
	{ "zeroes-then-written", zeroes_then_written, 0, 0 },
	{ "end-of-file", end_of_file, 0, 0 },
	{ "private-file", private_file, 0, 0 },
	{ "written-back", written_back, 0, 0 },
	{ "forked", forked, 0, 0 },
	{ "closed-while-unmapping", closed_while_unmapping, 0, 0 },
	{ "many-vms", many_vms, NEED_TWO_DEVICES, 0 },
	{ "exits", exits, 0, 0 },
};

HARNESS_MAIN(tests)
