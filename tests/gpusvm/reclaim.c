// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a device wrote must survive reclaim, which only looks at what the CPU did.
 * Wants some place to swap to.
 */
#include <sys/mman.h>

#include "common.h"
#include "swap.h"

#define SIZE		(256 * PAGE)

static void fill(char *mem, uint64_t add)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		set_word(mem + at, at + add);
}

static void check_words(char *mem, uint64_t add)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		CHECK_EQ(word_at(mem + at), (long long)(at + add));
}

static void device_fills(char *mem, uint64_t add)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		CHECK_OK(svm_write(mem + at, at + add));
}

static char *filled(void)
{
	char *mem = mem_map(SIZE, 0, MEM_SMALL);

	need_swap();
	svm_open();
	fill(mem, 1);
	return mem;
}

/* The device faults in what it finds swapped out. */
static void swapped_in(struct gpu *gpu)
{
	char *mem = filled();

	(void)gpu;
	swap_out(mem, SIZE);
	for (size_t at = 0; at < SIZE; at += PAGE)
		CHECK_EQ(svm_value(mem + at), (long long)at + 1);
	swap_out(mem, SIZE);
	device_fills(mem, 2);
	check_words(mem, 2);
}

/*
 * A CPU read brings pages back that are clean: there is a copy of them in the swap.
 * Then only the device writes.
 */
static void clean_when_mapped(struct gpu *gpu)
{
	char *mem = filled();

	(void)gpu;
	for (uint64_t round = 1; round < 4; round++) {
		swap_out(mem, SIZE);
		check_words(mem, round);
		device_fills(mem, round + 1);
		swap_out(mem, SIZE);
		check_words(mem, round + 1);
	}
}

/* The process said that it does not need them; then the device writes to them. */
static void freed_lazily(struct gpu *gpu)
{
	char *mem = filled();

	(void)gpu;
	CHECK_SYS(madvise(mem, SIZE, MADV_FREE));
	device_fills(mem, 5);
	for (int i = 0; i < 3; i++)
		CHECK_SYS(madvise(mem, SIZE, MADV_PAGEOUT));
	check_words(mem, 5);
	CHECK_SYS(madvise(mem, SIZE, MADV_DONTNEED));
	CHECK(!svm_has(mem));
	CHECK_EQ(svm_value(mem), 0);
}

/* Mapped already when the process says so. */
static void freed_while_mapped(struct gpu *gpu)
{
	char *mem = filled();

	(void)gpu;
	for (uint64_t round = 1; round < 5; round++) {
		device_fills(mem, round);
		CHECK_SYS(madvise(mem, SIZE, MADV_FREE));
		device_fills(mem, round + 1);
		for (int i = 0; i < 3; i++)
			CHECK_SYS(madvise(mem, SIZE, MADV_PAGEOUT));
		check_words(mem, round + 1);
	}
}

/* A page that was read-only for the device is not written to behind its back. */
static void read_while_reclaimed(struct gpu *gpu)
{
	char *mem = filled();

	(void)gpu;
	for (int round = 0; round < 4; round++) {
		for (size_t at = 0; at < SIZE; at += PAGE)
			CHECK_EQ(svm_value(mem + at), (long long)at + 1);
		swap_out(mem, SIZE);
		for (size_t at = 0; at < SIZE; at += PAGE)
			CHECK(!page_is_swapped(mem + at) || !svm_has(mem + at));
	}
	check_words(mem, 1);
}

static const struct test tests[] = {
	{ "swapped-in", swapped_in, NEED_ROOT, 0 },
	{ "clean-when-mapped", clean_when_mapped, NEED_ROOT, 0 },
	{ "freed-lazily", freed_lazily, NEED_ROOT, 0 },
	{ "freed-while-mapped", freed_while_mapped, NEED_ROOT, 0 },
	{ "read-while-reclaimed", read_while_reclaimed, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
