// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * DMA as the kernel does it for real devices: through an IOMMU, or by copies in
 * bounce buffers. For a device with dma_device=.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define FLIP		0x3c6ef372fe94f82bULL
#define SIZE		(4 * MIB)
#define STATS		"/sys/kernel/debug/drm_gpusvm_backport/stats"

static unsigned long shared_ranges(void)
{
	unsigned long value = 0;
	char line[64];
	FILE *stats = fopen(STATS, "r");

	CHECK(stats);
	while (fgets(line, sizeof(line), stats))
		sscanf(line, "iova_shared %lu", &value);
	fclose(stats);
	return value;
}

/* Is that how the device's DMA is done, as the suite says? */
static bool kind_is(const char *kind)
{
	const char *said = getenv("DMA_KIND");

	return said && !strcmp(said, kind);
}

/*
 * Must there be one range of device addresses for all runs?  What the kernel needs for that
 * is exported, and the device is behind an IOMMU.
 */
static bool must_share(void)
{
	bool found = false;
	char line[256];
	FILE *symbols;

	if (!kind_is("iommu"))
		return false;
	symbols = fopen("/proc/kallsyms", "r");
	CHECK(symbols);
	while (!found && fgets(line, sizeof(line), symbols))
		found = strstr(line, " __ksymtab_dma_iova_try_alloc\n") ||
			strstr(line, " dma_iova_try_alloc\n");
	fclose(symbols);
	return found;
}

/* Every second page is far from its neighbour, in RAM: many runs. */
static struct area torn_area(struct gpu *gpu)
{
	struct area area = area_new(gpu, SIZE, 0, MEM_SMALL);

	for (size_t at = 0; at < SIZE; at += 2 * PAGE)
		area.mem[at] = 1;
	area_fill(&area);
	return area;
}

/* One range of device addresses for all runs, where the kernel can. */
static void one_range(struct gpu *gpu)
{
	unsigned long before = shared_ranges();
	struct area area = torn_area(gpu);

	area_populate(&area);
	if (shared_ranges() == before && !must_share())
		test_skip("this kernel maps each run by itself");
	CHECK(shared_ranges() > before);
	area_device_flip(&area, FLIP);
	/* What it comes home to may be one run, which needs nothing to share. */
	area_evict(&area);
	area_check_cpu(&area);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_DEVICE_ERRORS), 0);
}

static void there_and_back(struct gpu *gpu)
{
	struct area area = torn_area(gpu);
	double end = seconds_now() + brief_seconds();

	do {
		area_populate(&area);
		area_check_cpu(&area);
		area_populate(&area);
		area_evict(&area);
		area_check_cpu(&area);
		area_fill(&area);
	} while (seconds_now() < end);
}

static void holes(struct gpu *gpu)
{
	struct area area = area_new(gpu, SIZE, 0, MEM_SMALL);
	struct mismatch bad;

	for (size_t at = 0; at < SIZE; at += 3 * PAGE)
		memset(area.mem + at, 1, PAGE);
	area_populate(&area);
	area_evict(&area);
	for (size_t at = 0; at < SIZE; at += PAGE) {
		uint64_t word = at % (3 * PAGE) ? 0 : 0x0101010101010101;

		CHECK_DATA(words_are(area.mem + at, PAGE, word, &bad), bad);
	}
}

struct writers {
	struct area area;
	atomic_uint next;
	atomic_bool stop;
};

/* Counts in words of its own; each must have all of them in the end. */
static void *write_words(void *arg)
{
	struct writers *writers = arg;
	unsigned int me = atomic_fetch_add(&writers->next, 1);
	volatile uint64_t *words = (volatile uint64_t *)writers->area.mem;
	const size_t step = PAGE / sizeof(*words);
	uint64_t round;

	for (round = 1; !atomic_load(&writers->stop); round++)
		for (size_t at = me; at < SIZE / sizeof(*words); at += step) {
			if (words[at] != round - 1)
				FAIL("page %zu: word %u is %llu, not %llu", at / step, me,
				     (unsigned long long)words[at],
				     (unsigned long long)(round - 1));
			words[at] = round;
		}
	return NULL;
}

/* What the CPU writes the moment a page is back must not be overwritten. */
static void written_at_once(struct gpu *gpu)
{
	struct writers writers = { .area = area_new(gpu, SIZE, 0, MEM_SMALL) };
	double end = seconds_now() + brief_seconds();
	uint64_t before = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE), moved;
	struct crew crew;
	int ret;

	crew_start(&crew, 4, write_words, &writers);
	do {
		check_bound("one migration", end);
		ret = gpu_populate(gpu, writers.area.vm, writers.area.mem, SIZE);
		CHECK(!ret || ret == -EBUSY);
		moved = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE) - before;
		ret = gpu_evict_vm(gpu, writers.area.vm);
		CHECK(!ret || ret == -EBUSY);
	} while (seconds_now() < end || !moved);
	printf("# %llu pages moved\n", (unsigned long long)moved);
	atomic_store(&writers.stop, true);
	crew_join(&crew);
}

/* The CPU and the device would have different memory, in RAM. VRAM can be moved. */
static void copies_refused(struct gpu *gpu)
{
	char copy[PAGE];
	struct area area;

	if (!kind_is("bounce"))
		test_skip("DMA is not bounced here, or the suite does not say so");
	area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	CHECK_RET(gpu_fill(gpu, area.vm, area.mem, PAGE, 1), -EOPNOTSUPP);
	CHECK_RET(gpu_read(gpu, area.vm, area.mem, PAGE, copy), -EOPNOTSUPP);
	area_check_cpu(&area);
	area_populate(&area);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_evict(&area);
	area_check_cpu(&area);
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

static const struct test tests[] = {
	{ "one-range", one_range, NEEDS, 0 },
	{ "there-and-back", there_and_back, NEEDS, 0 },
	{ "holes", holes, NEEDS, 0 },
	{ "written-at-once", written_at_once, NEEDS, 0 },
	{ "copies-refused", copies_refused, NEEDS, 0 },
};

HARNESS_MAIN(tests)
