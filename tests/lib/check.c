// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

/* So often is looked for a page before it is nowhere. */
#define LOOKS		5
#define LOOK_PAUSE_US	2000

uint32_t vm_new(const struct gpu *gpu)
{
	uint32_t vm;

	CHECK_OK(gpu_vm_create(gpu, &vm));
	return vm;
}

struct area area_new(const struct gpu *gpu, size_t size, size_t offset, enum mem_thp thp)
{
	struct area area = { .gpu = gpu, .size = size };

	area.vm = vm_new(gpu);
	area.mem = mem_map(size, offset, thp);
	CHECK(area.mem);
	return area;
}

struct area area_part(const struct area *area, size_t start, size_t size)
{
	struct area part = *area;

	part.mem += start;
	part.size = size;
	return part;
}

void area_fill(struct area *area)
{
	static uint64_t seed = 1;

	area->seed = seed++ + ((uint64_t)getpid() << 8);
	area->flip = 0;
	pattern_fill(area->mem, area->size, area->seed);
}

struct area area_filled(const struct gpu *gpu, size_t size, size_t offset, enum mem_thp thp)
{
	struct area area = area_new(gpu, size, offset, thp);

	area_fill(&area);
	return area;
}

unsigned int area_move(const struct area *area, unsigned int timeslice_ms)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = area->vm, .timeslice_ms = timeslice_ms,
		.addr = (uintptr_t)area->mem, .size = area->size,
	};
	unsigned int tries;
	int ret = gpu_populate_patiently(area->gpu, &populate, &tries);

	if (tries > 1)
		printf("# populate needed %u tries\n", tries);
	CHECK_OK(ret);
	return tries;
}

unsigned int area_populate(const struct area *area)
{
	unsigned int tries = area_move(area, 0);

	CHECK_PLACE(area, MOCKGPU_PAGE_DEVICE);
	return tries;
}

void area_evict(const struct area *area)
{
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
	CHECK_PLACE(area, MOCKGPU_PAGE_SYSTEM);
}

void area_device_flip(struct area *area, uint64_t flip)
{
	CHECK_OK(gpu_xor(area->gpu, area->vm, area->mem, area->size, flip));
	area->flip ^= flip;
}

void area_device_fill(struct area *area, uint64_t seed)
{
	char *data = malloc(area->size);

	CHECK(data);
	area->seed = seed;
	area->flip = 0;
	pattern_fill(data, area->size, seed);
	CHECK_OK(gpu_write(area->gpu, area->vm, area->mem, area->size, data));
	free(data);
}

int area_set_attr(const struct area *area, unsigned int attr, uint64_t value)
{
	struct drm_mockgpu_attr_range args = {
		.vm_id = area->vm, .attr = attr, .addr = (uintptr_t)area->mem,
		.size = area->size, .value = value,
	};

	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_SET_ATTR, &args);
}

int area_prefetch(const struct area *area, unsigned int location)
{
	struct drm_mockgpu_prefetch args = {
		.vm_id = area->vm, .location = location, .addr = (uintptr_t)area->mem,
		.size = area->size,
	};

	return gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_PREFETCH, &args);
}

void area_check_device(const struct area *area)
{
	char *copy = malloc(area->size);
	struct mismatch bad;

	CHECK(copy);
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, area->size, copy));
	CHECK_DATA(pattern_matches(copy, area->size, area->seed, area->flip, &bad), bad);
	free(copy);
}

void area_check_cpu(const struct area *area)
{
	struct mismatch bad;

	CHECK_DATA(pattern_matches(area->mem, area->size, area->seed, area->flip, &bad), bad);
}

/* Fills in what is not known yet; true when that is all of it. */
static bool look_where(const struct area *area, uint8_t *map, uint8_t *now)
{
	bool known = true;

	CHECK_OK(gpu_residency(area->gpu, area->vm, area->mem, area->size, now));
	for (size_t i = 0; i < area->size / PAGE; i++) {
		if (map[i] == MOCKGPU_PAGE_NONE)
			map[i] = now[i];
		known &= map[i] != MOCKGPU_PAGE_NONE;
	}
	return known;
}

/* A page that the kernel is moving, to compact memory, is nowhere for a moment. */
size_t area_pages(const struct area *area, unsigned int kind)
{
	size_t pages = area->size / PAGE, count = 0;
	uint8_t *map = calloc(2, pages);

	CHECK(map);
	for (unsigned int look = 0; look < LOOKS; look++) {
		if (look_where(area, map, map + pages))
			break;
		usleep(LOOK_PAUSE_US);
	}
	for (size_t i = 0; i < pages; i++)
		count += map[i] == kind;
	free(map);
	return count;
}

uint64_t counter(const struct gpu *gpu, unsigned int which)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT];

	CHECK_OK(gpu_counters(gpu, values));
	return values[which];
}

size_t vram_bytes(const struct gpu *gpu, size_t limit)
{
	return gpu->vram_size < limit ? gpu->vram_size : limit;
}

unsigned long svm_stat(const char *name)
{
	FILE *stats = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long value, found = -1UL;
	char word[64];

	CHECK(stats);
	while (fscanf(stats, "%63s %lu", word, &value) == 2)
		if (!strcmp(word, name))
			found = value;
	fclose(stats);
	if (found == -1UL)
		FAIL("there is no counter %s", name);
	return found;
}
