// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is wanted of ranges of addresses: it is remembered whatever is mapped there,
 * and the device's faults and prefetches do as it says.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "knob.h"
#include "queue.h"

/* So many ranges, of all attributes together, a VM may have. */
#define MOST_RANGES	65536
/* What is more takes too long to fill. */
#define MOST_VRAM	(64 * MIB)
#define VALUE	0x6c62272e07bb0142ULL

static int set(const struct area *area, unsigned int attr, size_t start, size_t size,
	       uint64_t value)
{
	struct area part = area_part(area, start, size);

	return area_set_attr(&part, attr, value);
}

static struct drm_mockgpu_attr_range get(const struct area *area, unsigned int attr, size_t at)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = area->vm, .attr = attr, .addr = (uintptr_t)area->mem + at,
	};

	CHECK_OK(gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &args));
	return args;
}

static int perform(const struct area *area, struct drm_mockgpu_command command)
{
	return job_do(area->gpu, queue_new(area->gpu, area->vm), command);
}

/*
 * The device reads a word of a page, which is where faults come from. The CPU does
 * not, as that could bring it home.
 */
static void touch(const struct area *area, size_t page)
{
	uint64_t sum;

	CHECK_OK(perform(area, cmd_checksum(area->mem + page * PAGE, 8, &sum)));
	CHECK(sum == pattern_word(area->seed, page * PAGE / 8));
}

static void check_get(const struct area *area, unsigned int attr, size_t at, size_t start,
		      size_t size, uint64_t value)
{
	struct drm_mockgpu_attr_range args = get(area, attr, at);

	if (args.addr != (uintptr_t)area->mem + start || args.size != size || args.value != value)
		FAIL("at %#zx: %#llx + %#llx is %llu", at,
		     (unsigned long long)args.addr - (uintptr_t)area->mem,
		     (unsigned long long)args.size, (unsigned long long)args.value);
}

/* Ranges are cut and joined as they are set. */
static void remembered(struct gpu *gpu)
{
	struct area area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL);
	const unsigned int attr = MOCKGPU_ATTR_TIMESLICE_MS;

	CHECK_OK(set(&area, attr, 0, 64 * PAGE, 5));
	check_get(&area, attr, 9 * PAGE + 7, 0, 64 * PAGE, 5);
	CHECK_OK(set(&area, attr, 16 * PAGE, 16 * PAGE, 6));
	check_get(&area, attr, 0, 0, 16 * PAGE, 5);
	check_get(&area, attr, 16 * PAGE, 16 * PAGE, 16 * PAGE, 6);
	check_get(&area, attr, 63 * PAGE, 32 * PAGE, 32 * PAGE, 5);
	CHECK_OK(set(&area, MOCKGPU_ATTR_READ_ONLY, 40 * PAGE, PAGE, 1));
	check_get(&area, attr, 33 * PAGE, 32 * PAGE, 8 * PAGE, 5);
	check_get(&area, MOCKGPU_ATTR_READ_ONLY, 40 * PAGE, 40 * PAGE, PAGE, 1);
	CHECK_OK(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, 64 * PAGE, 0));
	CHECK_OK(set(&area, attr, 8 * PAGE, 48 * PAGE, 7));
	check_get(&area, attr, 20 * PAGE, 8 * PAGE, 48 * PAGE, 7);
	CHECK_SYS(munmap(area.mem, 32 * PAGE));
	check_get(&area, attr, 20 * PAGE, 8 * PAGE, 48 * PAGE, 7);
	CHECK_EQ(get(&area, attr, -PAGE).value, 0);
	CHECK_EQ(get(&area, attr, 64 * PAGE).value, 0);
}

/* What is the same is one range, however it was set. */
static void merged(struct gpu *gpu)
{
	struct area area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL);
	const unsigned int attr = MOCKGPU_ATTR_TIMESLICE_MS;

	CHECK_OK(set(&area, attr, 0, 16 * PAGE, 5));
	CHECK_OK(set(&area, attr, 16 * PAGE, 16 * PAGE, 5));
	check_get(&area, attr, 0, 0, 32 * PAGE, 5);
	check_get(&area, attr, 31 * PAGE, 0, 32 * PAGE, 5);
	CHECK_OK(set(&area, attr, 48 * PAGE, 16 * PAGE, 5));
	check_get(&area, attr, 40 * PAGE, 32 * PAGE, 16 * PAGE, 0);
	CHECK_OK(set(&area, attr, 24 * PAGE, 24 * PAGE, 5));
	check_get(&area, attr, 50 * PAGE, 0, 64 * PAGE, 5);
	CHECK_OK(set(&area, attr, 20 * PAGE, PAGE, 5));
	check_get(&area, attr, 20 * PAGE, 0, 64 * PAGE, 5);
	CHECK_OK(set(&area, attr, 8 * PAGE, PAGE, 0));
	CHECK_OK(set(&area, attr, 9 * PAGE, PAGE, 0));
	check_get(&area, attr, 8 * PAGE, 8 * PAGE, 2 * PAGE, 0);
	check_get(&area, attr, 10 * PAGE, 10 * PAGE, 54 * PAGE, 5);
	CHECK_OK(set(&area, attr, 8 * PAGE, PAGE, 6));
	CHECK_OK(set(&area, attr, 9 * PAGE, PAGE, 5));
	check_get(&area, attr, 8 * PAGE, 8 * PAGE, PAGE, 6);
	check_get(&area, attr, 9 * PAGE, 9 * PAGE, 55 * PAGE, 5);
	for (size_t page = 64; page--;)
		CHECK_OK(set(&area, attr, page * PAGE, PAGE, 7));
	check_get(&area, attr, 33 * PAGE, 0, 64 * PAGE, 7);
}

/* Against an array, page by page, with whatever comes. */
static void at_random(struct gpu *gpu)
{
	struct area area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL);
	unsigned int want[64] = { };
	uint64_t random = 3;

	for (unsigned int round = 0; round < 3000; round++) {
		size_t start = random_next(&random) % 64;
		size_t count = 1 + random_next(&random) % (64 - start);
		size_t at = random_next(&random) % 64, first = at, end = at + 1;
		uint64_t value = random_next(&random) % 4;

		CHECK_OK(set(&area, MOCKGPU_ATTR_TIMESLICE_MS, start * PAGE, count * PAGE, value));
		for (size_t page = start; page < start + count; page++)
			want[page] = value;
		while (first && want[first - 1] == want[at])
			first--;
		while (end < 64 && want[end] == want[at])
			end++;
		/* Around the area there are zeroes, too. */
		if (want[at] || (first && end < 64))
			check_get(&area, MOCKGPU_ATTR_TIMESLICE_MS, at * PAGE, first * PAGE,
				  (end - first) * PAGE, want[at]);
		else
			CHECK_EQ(get(&area, MOCKGPU_ATTR_TIMESLICE_MS, at * PAGE).value, 0);
	}
}

/* As many ranges as may be, of two attributes: the first one has three pages. */
static void set_all(const struct area *area)
{
	CHECK_OK(set(area, MOCKGPU_ATTR_TIMESLICE_MS, 0, 3 * PAGE, 1));
	for (size_t i = 1; i < MOST_RANGES; i++)
		CHECK_OK(set(area, i % 2 ? MOCKGPU_ATTR_READ_ONLY : MOCKGPU_ATTR_TIMESLICE_MS,
			     (i / 2 * 2 + 4) * PAGE, PAGE, 1));
}

/* Each range is memory of the kernel: what would be more is refused as a whole. */
static void most(struct gpu *gpu)
{
	const unsigned int attr = MOCKGPU_ATTR_TIMESLICE_MS;
	struct area area = area_new(gpu, (MOST_RANGES + 8) * PAGE, 0, MEM_SMALL);
	size_t last = (MOST_RANGES + 6) * PAGE;

	set_all(&area);
	CHECK_RET(set(&area, attr, last, PAGE, 1), -EBUSY);
	CHECK_RET(set(&area, MOCKGPU_ATTR_GRANULARITY, last, PAGE, PAGE), -EBUSY);
	CHECK_EQ(get(&area, attr, last).value, 0);
	CHECK_RET(set(&area, attr, PAGE, PAGE, 0), -EBUSY);
	CHECK_RET(set(&area, attr, PAGE, PAGE, 2), -EBUSY);
	check_get(&area, attr, PAGE, 0, 3 * PAGE, 1);
	/* What needs no more ranges than there were. */
	CHECK_OK(set(&area, attr, 0, 3 * PAGE, 2));
	CHECK_OK(set(&area, attr, 3 * PAGE, PAGE, 2));
	check_get(&area, attr, PAGE, 0, 4 * PAGE, 2);
	CHECK_OK(set(&area, attr, 0, 4 * PAGE, 0));
	CHECK_OK(set(&area, attr, last, PAGE, 1));
	CHECK_RET(set(&area, attr, 0, PAGE, 1), -EBUSY);
	CHECK_OK(set(&area, attr, 0, area.size, 0));
	CHECK_OK(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, area.size, 0));
	set_all(&area);
	CHECK_RET(set(&area, attr, last, PAGE, 1), -EBUSY);
	/* Another VM has its own. */
	area.vm = vm_new(gpu);
	CHECK_OK(set(&area, attr, last, PAGE, 1));
}

/* The device may not write, although the process may. */
static void read_only(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	char *mem = area.mem;
	uint64_t sum = 0;

	CHECK_OK(perform(&area, cmd_fill(mem, MIB, VALUE)));
	CHECK_OK(set(&area, MOCKGPU_ATTR_READ_ONLY, 8 * PAGE, 4 * PAGE, 1));
	CHECK_RET(perform(&area, cmd_fill(mem, MIB, 1)), -EFAULT);
	CHECK_EQ(*(uint64_t *)(mem + 8 * PAGE - 8), 1);
	CHECK(*(uint64_t *)(mem + 8 * PAGE) == VALUE);
	CHECK_RET(perform(&area, cmd_add(mem + 12 * PAGE - 8, 1, NULL)), -EFAULT);
	CHECK_OK(perform(&area, cmd_fill(mem + 12 * PAGE, PAGE, 2)));
	CHECK_OK(perform(&area, cmd_checksum(mem + 9 * PAGE, 8, &sum)));
	CHECK(sum == VALUE);
	CHECK_RET(gpu_fill(gpu, area.vm, mem + 9 * PAGE, 8, 1), -EFAULT);
	CHECK_SYS(munmap(mem, MIB));
	CHECK(mmap(mem, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == mem);
	CHECK_RET(perform(&area, cmd_fill(mem + 9 * PAGE, 8, 1)), -EFAULT);
	CHECK_OK(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, MIB, 0));
	CHECK_OK(perform(&area, cmd_fill(mem + 9 * PAGE, 8, 1)));
	CHECK_EQ(*(uint64_t *)(mem + 9 * PAGE), 1);
}

/* A fault moves as much as the granularity says, and never what is not wanted. */
static void preferred_device(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	struct area half = area_part(&area, 0, MIB), rest = area_part(&area, MIB, MIB);

	touch(&area, 3);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	CHECK_OK(set(&area, MOCKGPU_ATTR_PREFERRED, 0, MIB, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(set(&area, MOCKGPU_ATTR_GRANULARITY, 0, MIB, 16 * PAGE));
	touch(&area, 3);
	CHECK_EQ(area_pages(&half, MOCKGPU_PAGE_DEVICE), 16);
	touch(&area, 15);
	CHECK_EQ(area_pages(&half, MOCKGPU_PAGE_DEVICE), 16);
	touch(&area, 16);
	CHECK_EQ(area_pages(&half, MOCKGPU_PAGE_DEVICE), 32);
	CHECK_OK(set(&area, MOCKGPU_ATTR_GRANULARITY, 0, MIB, 0));
	touch(&area, 100);
	CHECK_PLACE(&half, MOCKGPU_PAGE_DEVICE);
	touch(&area, 300);
	CHECK_PLACE(&rest, MOCKGPU_PAGE_SYSTEM);
	area_check_cpu(&area);
}

/* It moves again after it came home, and after something else was mapped. */
static void preferred_again(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 64 * PAGE, 0, MEM_SMALL);

	CHECK_OK(set(&area, MOCKGPU_ATTR_PREFERRED, 0, area.size, MOCKGPU_PREFER_DEVICE));
	for (int i = 0; i < 3; i++) {
		touch(&area, 5);
		CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
		area_evict(&area);
		CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	}
	CHECK(mmap(area.mem, area.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.mem);
	area_fill(&area);
	touch(&area, 5);
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	area_check_cpu(&area);
}

/* What comes home may take its whole allocation with it, so there are two. */
static void preferred_system(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 64 * PAGE, 0, MEM_SMALL);
	struct area half = area_part(&area, 0, 32 * PAGE);
	struct area rest = area_part(&area, 32 * PAGE, 32 * PAGE);

	area_populate(&half);
	area_populate(&rest);
	CHECK_OK(set(&area, MOCKGPU_ATTR_PREFERRED, 0, 32 * PAGE, MOCKGPU_PREFER_SYSTEM));
	for (size_t page = 0; page < 32; page++)
		touch(&area, page);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_SYSTEM), 32);
	touch(&area, 50);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), 32);
	area_check_cpu(&area);
}

/* What cannot be moved is used where it is. */
static void cannot_move(struct gpu *gpu)
{
	struct area area = area_new(gpu, 16 * PAGE, 0, MEM_SMALL);

	CHECK(mmap(area.mem, area.size, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area.mem);
	CHECK_OK(set(&area, MOCKGPU_ATTR_PREFERRED, 0, area.size, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(perform(&area, cmd_fill(area.mem, area.size, VALUE)));
	CHECK(*(uint64_t *)(area.mem + 15 * PAGE) == VALUE);
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_DEVICE), -EBUSY);
}

/* After a prefetch the device finds all that it needs. */
static void check_ready(const struct area *area)
{
	uint64_t faults = counter(area->gpu, MOCKGPU_COUNTER_DEVICE_FAULTS), sum = 0;
	uint32_t queue = queue_new(area->gpu, area->vm);

	CHECK_OK(job_do(area->gpu, queue, cmd_checksum(area->mem, 8, &sum)));
	faults = counter(area->gpu, MOCKGPU_COUNTER_DEVICE_FAULTS);
	CHECK_OK(job_do(area->gpu, queue, cmd_compare(area->mem, area->mem, area->size)));
	/* Its result is new memory. */
	CHECK(counter(area->gpu, MOCKGPU_COUNTER_DEVICE_FAULTS) - faults <= 1);
}

static void prefetched_to_device(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * HUGE_PAGE, 64 * PAGE, MEM_SMALL);

	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_DEVICE));
	CHECK_PLACE(&area, MOCKGPU_PAGE_DEVICE);
	check_ready(&area);
	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_SYSTEM));
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	check_ready(&area);
	CHECK_OK(set(&area, MOCKGPU_ATTR_PREFERRED, 0, MIB, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_NONE));
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), MIB / PAGE);
	check_ready(&area);
	area_check_cpu(&area);
}

/* What finds no room is made ready where it is, to the end. */
static void prefetched_although_full(struct gpu *gpu)
{
	struct area area, part;

	if (gpu->vram_size > MOST_VRAM)
		test_skip("there is more VRAM than %zu MiB to fill", MOST_VRAM / MIB);
	area = area_filled(gpu, gpu->vram_size + 4 * HUGE_PAGE, 0, MEM_SMALL);
	for (size_t at = 0; at < gpu->vram_size; at += HUGE_PAGE) {
		part = area_part(&area, at, HUGE_PAGE);
		area_move(&part, 0);
	}
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), gpu->vram_size / PAGE);
	CHECK_OK(knob_write(gpu, "hold_page", "all"));
	part = area_part(&area, gpu->vram_size, 4 * HUGE_PAGE);
	CHECK_RET(area_prefetch(&part, MOCKGPU_PREFER_DEVICE), -ENOSPC);
	CHECK_PLACE(&part, MOCKGPU_PAGE_SYSTEM);
	check_ready(&part);
	CHECK_OK(knob_set(gpu, "hold_page", 0));
	area_check_device(&area);
	area_check_cpu(&area);
}

static void prefetched_where_it_is(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 2 * HUGE_PAGE, 64 * PAGE, MEM_SMALL);

	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_NONE));
	CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
	check_ready(&area);
	CHECK_OK(area_prefetch(&area, MOCKGPU_PREFER_SYSTEM));
	CHECK_SYS(munmap(area.mem + MIB, PAGE));
	CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_NONE), -ENOENT);
	CHECK_SYS(munmap(area.mem, area.size));
	CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_NONE), -ENOENT);
}

/* Looked at 2 MiB at a time, it would not end: what is unmapped costs nothing. */
static void prefetched_across_a_hole(struct gpu *gpu)
{
	struct area area = area_new(gpu, MIB, 0, MEM_SMALL), all = area;
	uint32_t to = gpu_has_vram(gpu) ? MOCKGPU_PREFER_DEVICE : MOCKGPU_PREFER_SYSTEM;

	all.size = 1ULL << 45;
	all.mem = mmap(NULL, all.size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	CHECK(all.mem != MAP_FAILED);
	CHECK_SYS(munmap(all.mem, all.size));
	CHECK(mmap(all.mem + all.size - area.size, area.size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED);

	for (unsigned int i = 0; i < 100; i++)
		CHECK_RET(area_prefetch(&all, to), -ENOENT);
	area.mem = all.mem + all.size - area.size;
	check_ready(&area);
	CHECK_SYS(munmap(area.mem, area.size));
}

static void bad_arguments(struct gpu *gpu)
{
	struct area area = area_new(gpu, MIB, 0, MEM_SMALL), bad = area;
	struct drm_mockgpu_attr_range args = { .vm_id = area.vm, .addr = (uintptr_t)area.mem };

	CHECK_RET(set(&area, MOCKGPU_ATTR_COUNT, 0, MIB, 0), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_PREFERRED, 0, MIB, 3), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, MIB, 2), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_TIMESLICE_MS, 0, MIB, 1ULL << 32), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_GRANULARITY, 0, MIB, 2048), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_GRANULARITY, 0, MIB, 3 * PAGE), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_GRANULARITY, 0, MIB, 2 * HUGE_PAGE), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_READ_ONLY, 8, MIB, 1), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, 0, 1), -EINVAL);
	CHECK_RET(set(&area, MOCKGPU_ATTR_READ_ONLY, 0, -PAGE, 1), -EINVAL);
	if (!gpu_has_vram(gpu)) {
		CHECK_RET(set(&area, MOCKGPU_ATTR_PREFERRED, 0, MIB, MOCKGPU_PREFER_DEVICE),
			  -EOPNOTSUPP);
		CHECK_RET(area_prefetch(&area, MOCKGPU_PREFER_DEVICE), -EOPNOTSUPP);
	}
	CHECK_RET(area_prefetch(&area, 3), -EINVAL);
	bad.vm++;
	CHECK_RET(set(&bad, MOCKGPU_ATTR_READ_ONLY, 0, MIB, 1), -ENOENT);
	CHECK_RET(area_prefetch(&bad, 0), -ENOENT);
	bad = area_part(&area, 0, 1);
	CHECK_RET(area_prefetch(&bad, 0), -EINVAL);
	args.attr = MOCKGPU_ATTR_COUNT;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &args), -EINVAL);
	args.attr = 0;
	args.size = PAGE;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_GET_ATTR, &args), -EINVAL);
	CHECK_EQ(get(&area, MOCKGPU_ATTR_READ_ONLY, 0).value, 0);
}

static const struct test tests[] = {
	{ "remembered", remembered, 0, 0 },
	{ "merged", merged, 0, 0 },
	{ "at-random", at_random, 0, 0 },
	{ "most", most, 0, 120 },
	{ "read-only", read_only, 0, 0 },
	{ "preferred-device", preferred_device, NEED_VRAM, 0 },
	{ "preferred-again", preferred_again, NEED_VRAM, 0 },
	{ "preferred-system", preferred_system, NEED_VRAM, 0 },
	{ "cannot-move", cannot_move, NEED_VRAM, 0 },
	{ "prefetched-to-device", prefetched_to_device, NEED_VRAM, 0 },
	{ "prefetched-although-full", prefetched_although_full, NEED_VRAM | NEED_KNOBS, 60 },
	{ "prefetched-where-it-is", prefetched_where_it_is, 0, 0 },
	{ "prefetched-across-a-hole", prefetched_across_a_hole, 0, 0 },
	{ "bad-arguments", bad_arguments, 0, 0 },
};

HARNESS_MAIN(tests)
