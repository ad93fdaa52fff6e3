// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory that no CPU has touched is put into VRAM that was somebody else's:
 * it must read zero, on the device and at home.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include "check.h"
#include "knob.h"

#define SECRET		0x5ec2e75ec2e75ec2ULL
#define MOST_VRAM	(512 * MIB)

/* Leaves the secret in all VRAM of the device. */
static void leave_secret(void *arg)
{
	struct gpu *gpu = arg;
	struct area area = area_new(gpu, vram_bytes(gpu, MOST_VRAM), 0, MEM_SMALL);

	area_populate(&area);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, SECRET));
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
}

static void wait_for_free_vram(struct gpu *gpu)
{
	double deadline = seconds_now() + 20;

	while (counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES)) {
		CHECK(seconds_now() < deadline);
		sleep_ms(5);
	}
}

static void spread_secret(struct gpu *gpu)
{
	test_join(test_fork(leave_secret, gpu));
	wait_for_free_vram(gpu);
}

/* Pages before CPU pages in "every other" tests. */
static bool is_touched(size_t page, size_t every)
{
	return every && page % every == 0;
}

/* Zeros, but for the pages that were touched. */
static void check_pages(const char *mem, const struct area *area, size_t every)
{
	for (size_t page = 0; page < area->size / PAGE; page++) {
		uint64_t want = is_touched(page, every) ? page + 1 : 0;
		struct mismatch bad;

		if (!words_are(mem + page * PAGE, PAGE, want, &bad))
			FAIL("page %zu, offset %#zx: got %#llx, want %#llx", page, bad.offset,
			     (unsigned long long)bad.got, (unsigned long long)bad.want);
	}
}

static void touch_pages(const struct area *area, size_t every)
{
	for (size_t page = 0; page < area->size / PAGE; page++) {
		uint64_t *words = (uint64_t *)(area->mem + page * PAGE);

		for (size_t i = 0; is_touched(page, every) && i < PAGE / sizeof(*words); i++)
			words[i] = page + 1;
	}
}

/* The device looks before the CPU does; then the CPU looks, and once more at home. */
static void check_area(const struct area *area, size_t every)
{
	char *copy = malloc(area->size);

	CHECK(copy);
	area_populate(area);
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, area->size, copy));
	CHECK_PLACE(area, MOCKGPU_PAGE_DEVICE);
	check_pages(copy, area, every);
	check_pages(area->mem, area, every);
	area_populate(area);
	area_evict(area);
	check_pages(area->mem, area, every);
	free(copy);
}

static void untouched(struct gpu *gpu)
{
	struct area area = area_new(gpu, vram_bytes(gpu, 32 * MIB), 0, MEM_SMALL);
	uint64_t cleared = counter(gpu, MOCKGPU_COUNTER_PAGES_CLEARED);

	spread_secret(gpu);
	cleared = counter(gpu, MOCKGPU_COUNTER_PAGES_CLEARED);
	area_populate(&area);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_CLEARED) - cleared, area.size / PAGE);
	check_area(&area, 0);
}

static void untouched_huge(struct gpu *gpu)
{
	struct area area = area_new(gpu, 16 * MIB, 0, MEM_HUGE);

	spread_secret(gpu);
	check_area(&area, 0);
}

static void every_other_page(struct gpu *gpu)
{
	struct area two = area_new(gpu, 8 * MIB, 0, MEM_SMALL);
	struct area odd = area_new(gpu, 8 * MIB - 3 * PAGE, 5 * PAGE, MEM_SMALL);

	spread_secret(gpu);
	touch_pages(&two, 2);
	check_area(&two, 2);
	touch_pages(&odd, 7);
	check_area(&odd, 7);
}

/* A read alone maps the zero page, small or huge. */
static void zero_page(struct gpu *gpu)
{
	struct area area = area_new(gpu, 8 * MIB, 0, MEM_SMALL);

	spread_secret(gpu);
	check_pages(area.mem, &area, 0);
	check_area(&area, 0);
}

static void huge_zero_page(struct gpu *gpu)
{
	struct area area = area_new(gpu, 8 * MIB, 0, MEM_HUGE);

	spread_secret(gpu);
	check_pages(area.mem, &area, 0);
	check_area(&area, 0);
}

/* Holes, zero pages and pages with data side by side. */
static void all_kinds(struct gpu *gpu)
{
	struct area area = area_new(gpu, 8 * MIB, 0, MEM_SMALL);

	spread_secret(gpu);
	touch_pages(&area, 3);
	for (size_t page = 1; page < area.size / PAGE; page += 3)
		CHECK_EQ(*(volatile char *)(area.mem + page * PAGE), 0);
	check_area(&area, 3);
}

/* Memory given back reads zero when it is used again. */
static void given_back(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 8 * MIB, 0, MEM_SMALL);

	area_populate(&area);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, SECRET));
	CHECK_SYS(madvise(area.mem, area.size, MADV_DONTNEED));
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_NONE), area.size / PAGE);
	check_area(&area, 0);
}

/* The device paints VRAM that is given back and counts who reads the paint. */
static void poisoned(struct gpu *gpu)
{
	struct area area = area_new(gpu, 8 * MIB, 0, MEM_SMALL);

	CHECK_OK(knob_set(gpu, "poison", 1));
	spread_secret(gpu);
	touch_pages(&area, 5);
	check_area(&area, 5);
	CHECK_OK(knob_set(gpu, "poison", 0));
}

static const struct test tests[] = {
	{ "untouched", untouched, NEED_VRAM, 300 },
	{ "untouched-huge", untouched_huge, NEED_VRAM | NEED_THP, 300 },
	{ "every-other-page", every_other_page, NEED_VRAM, 300 },
	{ "zero-page", zero_page, NEED_VRAM, 300 },
	{ "huge-zero-page", huge_zero_page, NEED_VRAM | NEED_THP, 300 },
	{ "all-kinds", all_kinds, NEED_VRAM, 300 },
	{ "given-back", given_back, NEED_VRAM, 0 },
	{ "poisoned", poisoned, NEED_VRAM | NEED_KNOBS, 300 },
};

HARNESS_MAIN(tests)
