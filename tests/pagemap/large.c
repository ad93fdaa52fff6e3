// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Huge pages that stay whole in VRAM. Off unless drm_gpusvm_backport was loaded
 * with large_folios=1, and on kernels where it can be.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x6a09e667f3bcc908ULL
#define SIZE		(4 * HUGE_PAGE)
#define PIECES		(SIZE / HUGE_PAGE)
#define MODULE		"/sys/module/drm_gpusvm_backport/parameters/"
#define STATS		"/sys/kernel/debug/drm_gpusvm_backport/stats"
/* More than any test needs. */
#define NEVER		"1000000"

static void need_large_folios(void)
{
	char line[8];

	if (strcmp(file_line(MODULE "large_folios", line, sizeof(line)), "Y"))
		test_skip("large device folios are off");
}

static unsigned long stat_value(const char *name)
{
	unsigned long value;
	char line[64], found[32];
	FILE *stats = fopen(STATS, "r");

	CHECK(stats);
	while (fgets(line, sizeof(line), stats))
		if (sscanf(line, "%31s %lu", found, &value) == 2 && !strcmp(found, name)) {
			fclose(stats);
			return value;
		}
	FAIL("there is no counter %s", name);
}

/* Huge pages in RAM can be had, or not. Not with each test: it may end before. */
static void huge_pages_in_ram(const char *missing)
{
	CHECK_OK(file_write(MODULE "fail_large", missing));
}

/* As many large folios went there meanwhile. */
struct large_moves {
	unsigned long to_device;
	unsigned long to_ram;
	unsigned long split;
};

static struct large_moves moves_now(void)
{
	return (struct large_moves){
		.to_device = stat_value("large_to_device"),
		.to_ram = stat_value("large_to_ram"),
		.split = stat_value("large_split"),
	};
}

static struct large_moves moves_since(struct large_moves before)
{
	struct large_moves now = moves_now();

	return (struct large_moves){
		.to_device = now.to_device - before.to_device,
		.to_ram = now.to_ram - before.to_ram,
		.split = now.split - before.split,
	};
}

/* All of it is in VRAM, changed by the device, in large folios only. */
static struct area large_area(struct gpu *gpu)
{
	struct area area;
	struct large_moves before;
	size_t kib;

	need_large_folios();
	huge_pages_in_ram("0");
	area = area_filled(gpu, SIZE, 0, MEM_HUGE);
	kib = huge_kib(area.mem);
	if (kib < SIZE / KIB)
		test_skip("%zu of %zu KiB are huge pages in RAM to begin with", kib, SIZE / KIB);
	before = moves_now();
	area_populate(&area);
	CHECK_EQ(moves_since(before).to_device, PIECES);
	area_device_flip(&area, FLIP);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	return area;
}

static void evicted(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	struct large_moves before = moves_now();

	area_evict(&area);
	CHECK_EQ(moves_since(before).to_ram, PIECES);
	CHECK_EQ(moves_since(before).split, 0);
	area_check_cpu(&area);
}

static void cpu_fault(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	struct large_moves before = moves_now();

	area_check_cpu(&area);
	CHECK_EQ(moves_since(before).to_ram, PIECES);
	CHECK_EQ(moves_since(before).split, 0);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
}

static void holes(struct gpu *gpu)
{
	struct area area;
	struct large_moves before;
	struct mismatch bad;
	char *copy = malloc(SIZE);

	need_large_folios();
	CHECK(copy);
	area = area_new(gpu, SIZE, 0, MEM_HUGE);
	before = moves_now();
	area_populate(&area);
	CHECK_EQ(moves_since(before).to_device, PIECES);
	CHECK_OK(gpu_read(gpu, area.vm, area.mem, SIZE, copy));
	CHECK_DATA(words_are(copy, SIZE, 0, &bad), bad);
	CHECK_DATA(words_are(area.mem, SIZE, 0, &bad), bad);
	free(copy);
}

/* No huge page in RAM: the CPU gets its data all the same, page by page. */
static void fault_without_huge_page(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	struct large_moves before = moves_now();
	double begin = seconds_now();

	huge_pages_in_ram(NEVER);
	area_check_cpu(&area);
	huge_pages_in_ram("0");
	check_bound("reading it all", begin);
	CHECK_EQ(moves_since(before).to_ram, 0);
	CHECK_EQ(moves_since(before).split, PIECES);
}

static void *read_all(void *arg)
{
	area_check_cpu(arg);
	return NULL;
}

static void crowd_without_huge_page(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	double begin = seconds_now();
	struct crew crew;

	huge_pages_in_ram(NEVER);
	crew_start(&crew, 16, read_all, &area);
	crew_join(&crew);
	huge_pages_in_ram("0");
	check_bound("reading it all", begin);
}

/* Another device wants it, and it goes there by RAM, in small pages. */
static void other_device(struct gpu *gpu)
{
	struct area area = large_area(gpu), there;
	struct gpu other;

	CHECK_OK(gpu_open(&other, 1));
	there = area;
	there.gpu = &other;
	there.vm = vm_new(&other);
	huge_pages_in_ram(NEVER);
	area_populate(&there);
	huge_pages_in_ram("0");
	area_check_device(&there);
	area_check_cpu(&there);
}

/* An eviction has no mapping to split: it says so, and nothing is lost. */
static void evict_without_huge_page(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	double begin = seconds_now();

	huge_pages_in_ram(NEVER);
	CHECK_RET(gpu_evict_vm(gpu, area.vm), -EBUSY);
	check_bound("an eviction", begin);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_check_device(&area);
	huge_pages_in_ram("0");
	area_evict(&area);
	area_check_cpu(&area);
}

/* A part of an area: as the device sees it, as the CPU does. */
static void check_part(const struct area *area, size_t start, size_t size)
{
	uint64_t *expected = malloc(area->size);
	char *copy = malloc(size);
	struct mismatch bad;

	CHECK(expected && copy);
	pattern_fill(expected, area->size, area->seed);
	for (size_t i = 0; i < area->size / sizeof(*expected); i++)
		expected[i] ^= area->flip;
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem + start, size, copy));
	CHECK_DATA(words_match(copy, (char *)expected + start, size, &bad), bad);
	CHECK_DATA(words_match(area->mem + start, (char *)expected + start, size, &bad), bad);
	free(copy);
	free(expected);
}

/* Torn in the middle by the process, each piece has to find its way. */
static void torn(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	const size_t half = HUGE_PAGE / 2;

	CHECK_SYS(munmap(area.mem + half, PAGE));
	check_part(&area, 0, half);
	check_part(&area, half + PAGE, SIZE - half - PAGE);
}

static void moved(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	char *to = mem_map(SIZE + HUGE_PAGE, 16 * PAGE, MEM_HUGE);

	CHECK(to);
	CHECK(mremap(area.mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	area.mem = to;
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

static void child_writes(void *arg)
{
	struct area *area = arg;

	area_check_cpu(area);
	memset(area->mem, 1, HUGE_PAGE + PAGE);
}

static void forked(struct gpu *gpu)
{
	struct area area = large_area(gpu);

	test_join(test_fork(child_writes, &area));
	area_check_device(&area);
	memset(area.mem + SIZE - PAGE, 1, PAGE);
	area = area_part(&area, 0, SIZE - PAGE);
	area_check_cpu(&area);
}

static void given_back(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	const size_t given = HUGE_PAGE + PAGE;

	CHECK_SYS(madvise(area.mem, given, MADV_DONTNEED));
	check_part(&area, given, SIZE - given);
}

/* The same VRAM as large folios and as small pages, by turns. */
static void by_turns(struct gpu *gpu)
{
	struct area large = large_area(gpu);
	struct area small = area_filled(gpu, SIZE - PAGE, PAGE, MEM_SMALL);
	double end = seconds_now() + brief_seconds();
	struct area *area = &large;

	area_evict(&large);
	do {
		area_populate(area);
		area_device_flip(area, area->flip ^ FLIP);
		if (random() % 2)
			area_evict(area);
		area_check_cpu(area);
		area = area == &large ? &small : &large;
	} while (seconds_now() < end);
}

/* What cannot be one aligned block of VRAM is not made one. */
static void scattered(struct gpu *gpu)
{
	struct area area, neighbour;
	struct large_moves before;

	need_large_folios();
	if (knob_write(gpu, "scatter", "1"))
		test_skip("the device has no knob scatter");
	neighbour = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	area_populate(&neighbour);
	area = area_filled(gpu, HUGE_PAGE, 0, MEM_HUGE);
	before = moves_now();
	area_populate(&area);
	CHECK_EQ(moves_since(before).to_device, 0);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_check_device(&area);
	area_check_device(&neighbour);
	area_check_cpu(&area);
	CHECK_OK(knob_write(gpu, "scatter", "0"));
}

/* Asked for no huge pages when it is in VRAM as one: it comes home all the same. */
static void unwanted(struct gpu *gpu)
{
	struct area area = large_area(gpu);
	int file = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK_SYS(file);
	CHECK_SYS(madvise(area.mem, SIZE, MADV_NOHUGEPAGE));
	area_check_cpu(&area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	CHECK_SYS(munmap(area.mem, SIZE));
	area = large_area(gpu);
	CHECK_SYS(madvise(area.mem, SIZE, MADV_NOHUGEPAGE));
	/* A fault in the kernel, which no signal ends. */
	CHECK_EQ(pwrite(file, area.mem + HUGE_PAGE, HUGE_PAGE, 0), HUGE_PAGE);
	close(file);
	area_check_cpu(&area);
}

#define NEEDS	(NEED_PRIVATE | NEED_ROOT | NEED_THP)

static const struct test tests[] = {
	{ "evicted", evicted, NEEDS, 0 },
	{ "cpu-fault", cpu_fault, NEEDS, 0 },
	{ "holes", holes, NEEDS, 0 },
	{ "fault-without-huge-page", fault_without_huge_page, NEEDS, 0 },
	{ "crowd-without-huge-page", crowd_without_huge_page, NEEDS, 0 },
	{ "other-device", other_device, NEEDS | NEED_TWO_DEVICES, 0 },
	{ "evict-without-huge-page", evict_without_huge_page, NEEDS, 0 },
	{ "torn", torn, NEEDS, 0 },
	{ "moved", moved, NEEDS, 0 },
	{ "forked", forked, NEEDS, 0 },
	{ "given-back", given_back, NEEDS, 0 },
	{ "by-turns", by_turns, NEEDS, 0 },
	{ "unwanted", unwanted, NEEDS, 0 },
	{ "scattered", scattered, NEEDS | NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
