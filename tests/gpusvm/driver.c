// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a driver can do wrong, or ask for that cannot be had. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

static void arguments(struct gpu *gpu)
{
	(void)gpu;
	svm_open();
	CHECK_SYS(ioctl(svm_fd, GPUSVM_TEST_ARGUMENTS));
}

static void check_pages_only(char *mem, size_t size)
{
	struct gpusvm_test_args args = { .addr = (uintptr_t)mem, .size = size };

	CHECK_OK(svm_ioctl(GPUSVM_TEST_PAGES_ONLY, &args));
	CHECK_NOTHING_MAPPED();
}

static void pages_only(struct gpu *gpu)
{
	char *mem = mem_map(64 * PAGE, 0, MEM_SMALL);

	(void)gpu;
	svm_open();
	pattern_fill(mem, 64 * PAGE, 3);
	check_pages_only(mem, 64 * PAGE);
	check_pages_only(mem, PAGE);
	check_pages_only(mem + 5 * PAGE, 7 * PAGE);
}

/* What the CPU has as one page begins before what is asked for, and ends behind it. */
static void pages_only_huge(struct gpu *gpu)
{
	char *mem = mem_map(4 * MIB, 0, MEM_HUGE);

	(void)gpu;
	svm_open();
	pattern_fill(mem, 4 * MIB, 3);
	check_pages_only(mem, 4 * MIB);
	check_pages_only(mem + PAGE, MIB);
	check_pages_only(mem + HUGE_PAGE - 5 * PAGE, 7 * PAGE);
	check_pages_only(mem + HUGE_PAGE - 64 * PAGE, 129 * PAGE);
}

/* The driver has no memory for an object of its own; once it has, all is well. */
static void check_alloc_fails(unsigned int how)
{
	char *mem = anonymous(PAGE);

	svm_open();
	svm_trouble(how);
	*mem = 1;
	for (int i = 0; i < 3; i++)
		CHECK_RET(svm_fault(mem, 0), -ENOMEM);
	svm_trouble(0);
	CHECK_EQ(svm_stat("live_ranges"), 0);
	CHECK_EQ(svm_stat("live_notifiers"), 0);
	CHECK_OK(svm_write(mem, 5));
	CHECK_EQ(word_at(mem), 5);
	svm_close();
}

static void alloc_fails(struct gpu *gpu)
{
	(void)gpu;
	check_alloc_fails(GPUSVM_TEST_RANGE_NULL);
	check_alloc_fails(GPUSVM_TEST_NOTIFIER_NULL);
}

/* The callbacks return NULL or an error: both are in use. */
static void alloc_fails_with_error(struct gpu *gpu)
{
	(void)gpu;
	check_alloc_fails(GPUSVM_TEST_RANGE_ERROR);
	check_alloc_fails(GPUSVM_TEST_NOTIFIER_ERROR);
}

/* The ends of what may be used, and addresses that are none. */
static void borders(struct gpu *gpu)
{
	struct gpusvm_test_args args;
	unsigned int i;
	static const struct {
		uintptr_t addr;
		int result;
	} cases[] = {
		{ 0, -EINVAL },
		{ 0xf000, -EINVAL },
		{ 0xffff, -EINVAL },
		{ 0x10000, -ENOENT },
		{ (1UL << 47) - 1, -ENOENT },
		{ 1UL << 47, -EINVAL },
		{ (1UL << 47) + 1, -EINVAL },
		{ 1UL << 63, -EINVAL },
		{ -4096UL, -EINVAL },
		{ -1UL, -EINVAL },
	};

	(void)gpu;
	svm_open();
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if (svm_fault((void *)cases[i].addr, 0) != cases[i].result)
			FAIL("%#lx: %s, not %s", cases[i].addr,
			     errno_name(svm_fault((void *)cases[i].addr, 0)),
			     errno_name(cases[i].result));
	CHECK_EQ(svm_stat("live_notifiers"), 0);
	CHECK_OK(svm_fault_args(&args, 0, &args));
	CHECK(args.start <= (uintptr_t)&args && args.start + args.size > (uintptr_t)&args);
}

static int fault_in_window(char *addr, char *start, char *end, struct gpusvm_test_args *args)
{
	*args = (struct gpusvm_test_args) {
		.addr = (uintptr_t)addr,
		.window_start = (uintptr_t)start,
		.window_end = (uintptr_t)end,
	};
	return svm_ioctl(GPUSVM_TEST_FAULT, args);
}

/* Each chunk size is tried against both ends of the device's window. */
static void windows(struct gpu *gpu)
{
	char *mem = mem_map(8 * MIB, 0, MEM_HUGE), *big = mem + 4 * MIB;
	struct gpusvm_test_args args;

	(void)gpu;
	svm_open();
	pattern_fill(mem, 8 * MIB, 9);
	CHECK_RET(fault_in_window(mem, mem + 1, mem + PAGE, &args), -EINVAL);
	CHECK_RET(fault_in_window(mem + PAGE, mem, mem + PAGE, &args), -EINVAL);
	CHECK_RET(fault_in_window(mem, mem, mem + PAGE - 1, &args), -EINVAL);
	CHECK_OK(fault_in_window(mem + 5 * PAGE, mem + 3 * PAGE, mem + 6 * PAGE, &args));
	CHECK_EQ(args.start, (long long)(uintptr_t)mem + 5 * PAGE);
	CHECK_EQ(args.size, (long long)PAGE);
	CHECK_OK(fault_in_window(mem + 64 * KIB + 9, mem + PAGE, mem + HUGE_PAGE - 1, &args));
	CHECK_EQ(args.start, (long long)(uintptr_t)mem + 64 * KIB);
	CHECK_EQ(args.size, (long long)(64 * KIB));
	CHECK_OK(fault_in_window(big + HUGE_PAGE - 1, big, big + HUGE_PAGE, &args));
	CHECK_EQ(args.size, (long long)HUGE_PAGE);
	for (size_t at = 0; at < 8 * MIB; at += 64 * KIB) {
		CHECK_EQ(svm_value(mem + at), (long long)word_at(mem + at));
		CHECK_OK(svm_write(mem + at, at));
		CHECK_EQ(word_at(mem + at), (long long)at);
	}
}

/* Mapped, and the file goes: the device reaches nothing any more. */
static void closed_while_mapped(struct gpu *gpu)
{
	char *mem = mem_map(4 * MIB, 0, MEM_SMALL);

	(void)gpu;
	for (int i = 0; i < 5; i++) {
		svm_open();
		CHECK_OK(svm_write(mem, 1));
		CHECK_OK(svm_write(mem + 3 * MIB, 1));
		CHECK(svm_stat("live_mapped") > 0);
		svm_close();
		check_gone("live_mapped");
		check_gone("live_ranges");
		check_gone("live_notifiers");
	}
}

struct leaver {
	char *mem;
	bool by_itself;
};

static void leave(void *arg)
{
	struct leaver *leaver = arg;

	svm_open();
	memset(leaver->mem, 1, HUGE_PAGE);
	do {
		svm_write(leaver->mem, 1);
		svm_write(leaver->mem + 3 * MIB, 1);
	} while (!leaver->by_itself);
}

/* A process ends, by itself or not, in the middle of it. */
static void exits(struct gpu *gpu)
{
	struct leaver leaver = { .mem = mem_map(4 * MIB, 0, MEM_SMALL) };
	int i, status;
	pid_t pid;

	(void)gpu;
	for (i = 0; i < 20; i++) {
		leaver.by_itself = i % 4 == 0;
		pid = test_fork(leave, &leaver);
		sleep_ms(i * 3);
		kill(pid, SIGKILL);
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	}
	check_gone("live_mapped");
	check_gone("live_notifiers");
}

struct heir {
	char *mem;
	pid_t parent;
};

static void use_inherited(void *arg)
{
	struct heir *heir = arg;
	struct gpusvm_test_args args;

	while (getppid() == heir->parent)
		sleep_ms(1);
	CHECK_RET(svm_fault(heir->mem, 0), -EFAULT);
	CHECK_RET(svm_call(GPUSVM_TEST_EVICT, heir->mem, 0, &args), -EFAULT);
	CHECK_OK(svm_call(GPUSVM_TEST_SCAN, heir->mem, 0, &args));
	CHECK_EQ(args.result, 0);
	CHECK(!svm_has(heir->mem));
	svm_trouble(0);
}

static void leave_heir(void *arg)
{
	struct heir heir = { .mem = arg, .parent = getpid() };

	svm_open();
	svm_trouble(GPUSVM_TEST_NO_COLLECT);
	CHECK_OK(svm_write(heir.mem, 1));
	test_fork(use_inherited, &heir);
}

/* A file that outlives the program whose memory it is about. */
static void gone(struct gpu *gpu)
{
	(void)gpu;
	test_join(test_fork(leave_heir, anonymous(PAGE)));
	check_gone("live_ranges");
}

struct sibling {
	char *mem;
	int told[2];
};

static void use_parents(void *arg)
{
	struct sibling *sibling = arg;

	/* Its own memory is a copy; the file is about the parent's. */
	set_word(sibling->mem, 7);
	CHECK_EQ(svm_value(sibling->mem), 1);
	CHECK_OK(svm_write(sibling->mem, 2));
	CHECK_EQ(word_at(sibling->mem), 7);
}

static void inherited(struct gpu *gpu)
{
	struct sibling sibling = { .mem = anonymous(PAGE) };

	(void)gpu;
	svm_open();
	set_word(sibling.mem, 1);
	test_join(test_fork(use_parents, &sibling));
	CHECK_EQ(word_at(sibling.mem), 2);
}

/* The last that is left of a driver's address space is a range. */
static void range_kept(struct gpu *gpu)
{
	struct gpusvm_test_args args = { };
	char *mem = anonymous(PAGE);

	(void)gpu;
	svm_open();
	CHECK_OK(svm_write(mem, 5));
	args.addr = (uintptr_t)mem;
	CHECK_OK(svm_ioctl(GPUSVM_TEST_KEEP, &args));
	CHECK_SYS(munmap(mem, PAGE));
	svm_collect();
	CHECK_NOTHING_MAPPED();
	svm_close();
	CHECK_EQ(svm_stat("live_ranges"), 1);
	svm_open();
	CHECK_SYS(ioctl(svm_fd, GPUSVM_TEST_LET_GO));
	CHECK_EQ(svm_stat("live_ranges"), 0);
}

static const struct test tests[] = {
	{ "arguments", arguments, NEED_ROOT, 0 },
	{ "pages-only", pages_only, NEED_ROOT, 0 },
	{ "pages-only-huge", pages_only_huge, NEED_ROOT | NEED_THP, 0 },
	{ "alloc-fails", alloc_fails, NEED_ROOT, 0 },
	{ "alloc-fails-with-error", alloc_fails_with_error, NEED_ROOT, 0 },
	{ "borders", borders, NEED_ROOT, 0 },
	{ "windows", windows, NEED_ROOT | NEED_THP, 0 },
	{ "closed-while-mapped", closed_while_mapped, NEED_ROOT, 0 },
	{ "exits", exits, NEED_ROOT, 0 },
	{ "gone", gone, NEED_ROOT, 0 },
	{ "inherited", inherited, NEED_ROOT, 0 },
	{ "range-kept", range_kept, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
