// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory that was swapped out, or is still in the swap cache. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "swap.h"

#define PAGEMAP_PRESENT		(1ULL << 63)
#define PAGEMAP_PFN		((1ULL << 55) - 1)
#define KPAGEFLAGS_SWAPCACHE	(1ULL << 13)

#define FLIP	0x7700770077007700ULL

static uint64_t read_word(const char *path, uint64_t index)
{
	int fd = open(path, O_RDONLY);
	uint64_t word = 0;

	CHECK_SYS(fd);
	CHECK_EQ(pread(fd, &word, sizeof(word), index * sizeof(word)), sizeof(word));
	close(fd);
	return word;
}

static uint64_t pagemap(const char *mem)
{
	return read_word("/proc/self/pagemap", (uintptr_t)mem / PAGE);
}

static bool in_swap_cache(const char *mem)
{
	uint64_t entry = pagemap(mem);

	return entry & PAGEMAP_PRESENT &&
	       read_word("/proc/kpageflags", entry & PAGEMAP_PFN) & KPAGEFLAGS_SWAPCACHE;
}

static size_t cached_pages(const struct area *area)
{
	size_t count = 0;

	for (size_t at = 0; at < area->size; at += PAGE)
		count += in_swap_cache(area->mem + at);
	return count;
}

static void area_swap_out(const struct area *area)
{
	swap_out(area->mem, area->size);
}

/* Memory that can be swapped out, on a machine that has a place for it. */
static struct area swappable_area(const struct gpu *gpu, size_t size)
{
	need_swap();
	return area_filled(gpu, size, 0, MEM_SMALL);
}

/* What is read from a fast place to swap to, as zram, passes the swap cache by. */
static bool cache_is_used(void)
{
	const char *kind = getenv("SWAP_KIND");

	return kind && !strcmp(kind, "file");
}

/*
 * Pages that cannot move stay; what moved and what did not must be right. Returns how many
 * were in the swap cache.
 */
static size_t populate_and_check(struct area *area)
{
	size_t cached = cached_pages(area), swapped = swapped_pages(area->mem, area->size);
	int ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);

	printf("# %zu in the swap cache, %zu swapped out: populate %s, %zu of %zu moved\n",
	       cached, swapped, errno_name(ret), area_pages(area, MOCKGPU_PAGE_DEVICE),
	       area->size / PAGE);
	CHECK(!ret || ret == -EBUSY);
	if (!ret)
		CHECK_PLACE(area, MOCKGPU_PAGE_DEVICE);
	area_check_device(area);
	area_device_flip(area, FLIP);
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), 0);
	area_check_cpu(area);
	return cached;
}

static void swapped_out(struct gpu *gpu)
{
	struct area area = swappable_area(gpu, 4 * MIB);

	area_swap_out(&area);
	populate_and_check(&area);
}

/* The device faults in what it finds swapped out. */
static void device_access(struct gpu *gpu)
{
	struct area area = swappable_area(gpu, 4 * MIB);

	area_swap_out(&area);
	area_check_device(&area);
	area_swap_out(&area);
	area_device_flip(&area, FLIP);
	area_check_cpu(&area);
}

/* A read brings a page back, but its place in the swap stays taken. */
static void swap_cache(struct gpu *gpu)
{
	struct area area = swappable_area(gpu, 4 * MIB);
	size_t cached = 0;

	for (int i = 0; i < 5; i++) {
		area_swap_out(&area);
		area_check_cpu(&area);
		cached += populate_and_check(&area);
	}
	CHECK(cached || !cache_is_used());
}

struct family {
	struct area area;
	int go[2], done[2];
};

static void child_of_family(void *arg)
{
	struct family *family = arg;
	char byte;

	close(family->go[1]);
	CHECK_EQ(read(family->go[0], &byte, 1), 1);
	area_check_cpu(&family->area);
	CHECK_EQ(write(family->done[1], "", 1), 1);
	CHECK_EQ(read(family->go[0], &byte, 1), 1);
	area_check_cpu(&family->area);
}

/* With two owners of a place in the swap, a page read back is in the swap cache. */
static void swap_cache_shared(struct gpu *gpu)
{
	struct family family = { .area = swappable_area(gpu, MIB) };
	struct area *area = &family.area;
	pid_t child;
	char byte;

	CHECK_SYS(pipe(family.go));
	CHECK_SYS(pipe(family.done));
	area_swap_out(area);
	child = test_fork(child_of_family, &family);
	close(family.done[1]);
	area_check_cpu(area);
	CHECK_EQ(write(family.go[1], "", 1), 1);
	CHECK_EQ(read(family.done[0], &byte, 1), 1);
	CHECK(populate_and_check(area) || !cache_is_used());
	CHECK_EQ(write(family.go[1], "", 1), 1);
	test_join(child);
}

static void read_all(void *arg)
{
	area_check_cpu(arg);
}

/* One process reads pages back and so holds them a moment, another moves them. */
static void swap_cache_race(struct gpu *gpu)
{
	struct area area = swappable_area(gpu, MIB);
	size_t moved = 0, cached = 0;

	for (int i = 0; i < 8; i++) {
		pid_t child;
		int ret;

		area_swap_out(&area);
		child = test_fork(read_all, &area);
		for (size_t at = 0; at < area.size; at += PAGE) {
			(void)*(volatile char *)(area.mem + at);
			cached += in_swap_cache(area.mem + at);
			ret = gpu_populate(gpu, area.vm, area.mem + at, PAGE);
			CHECK(!ret || ret == -EBUSY);
		}
		test_join(child);
		moved += area_pages(&area, MOCKGPU_PAGE_DEVICE);
		area_check_device(&area);
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 0);
		area_check_cpu(&area);
	}
	printf("# %zu pages were in the swap cache, %zu moved\n", cached, moved);
	CHECK(cached || !cache_is_used());
}

/* The kernel is asked to swap out memory that is in VRAM. */
static void pageout_of_vram(struct gpu *gpu)
{
	struct area area = swappable_area(gpu, 4 * MIB);

	area_populate(&area);
	CHECK_SYS(madvise(area.mem, area.size, MADV_PAGEOUT));
	area_check_device(&area);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	area_swap_out(&area);
	area_check_cpu(&area);
}

static const struct test tests[] = {
	{ "swapped-out", swapped_out, NEED_VRAM | NEED_ROOT, 0 },
	{ "device-access", device_access, NEED_ROOT, 0 },
	{ "swap-cache", swap_cache, NEED_VRAM | NEED_ROOT, 0 },
	{ "swap-cache-shared", swap_cache_shared, NEED_VRAM | NEED_ROOT, 0 },
	{ "swap-cache-race", swap_cache_race, NEED_VRAM | NEED_ROOT, 0 },
	{ "pageout-of-vram", pageout_of_vram, NEED_VRAM | NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
