// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The drm_pagemap of a device rests in a cache when nobody uses it, until memory
 * is short or the device goes. Every test is run by a program of its own, as the
 * device may be another one afterwards.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"

#define FLIP	0x5851f42d4c957f2dULL

static void check_state(const struct gpu *gpu, const char *state)
{
	double begin = seconds_now();
	char path[128], line[32];

	device_file(gpu, "pagemap", path, sizeof(path));
	while (strcmp(file_line(path, line, sizeof(line)), state)) {
		if (seconds_now() - begin > patience(BOUND_SECONDS))
			FAIL("the pagemap is %s, not %s", line, state);
		sleep_ms(10);
	}
}

/* As the kernel does when memory is short: caches and such are asked for theirs. */
static void shrink(void)
{
	CHECK_OK(file_write("/proc/sys/vm/drop_caches", "2"));
}

/* One without users is kept, is found again, and goes when memory is wanted. */
static void shrunk(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

	for (int i = 0; i < 3; i++) {
		area_populate(&area);
		check_state(gpu, "active");
		shrink();
		check_state(gpu, "active");
		area_check_device(&area);
		area_evict(&area);
		area_check_cpu(&area);
		CHECK_OK(gpu_vm_destroy(gpu, area.vm));
		check_state(gpu, "cached");
		if (i) {
			shrink();
			check_state(gpu, "none");
		}
		area.vm = vm_new(gpu);
	}
}

/* Pages in VRAM are users, although no VM and no file is left. */
static void pages_keep_it(struct gpu *gpu)
{
	struct area area;
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, gpu->index));
	area = area_filled(&mine, MIB, 0, MEM_SMALL);
	area_populate(&area);
	gpu_close(&mine);
	shrink();
	check_state(gpu, "active");
	CHECK_SYS(munmap(area.mem, area.size));
	check_state(gpu, "cached");
}

struct race {
	unsigned int index;
	atomic_bool stop;
	atomic_ulong vms;
};

static bool may_say(int ret)
{
	return !ret || ret == -EBUSY || ret == -ENODEV || ret == -ENOSPC;
}

static void use_vm(struct race *race, struct gpu *gpu, struct area *area)
{
	int ret = gpu_vm_create(gpu, &area->vm);

	CHECK(may_say(ret));
	if (ret)
		return;
	area->gpu = gpu;
	CHECK(may_say(gpu_populate(gpu, area->vm, area->mem, area->size)));
	CHECK(may_say(gpu_evict_vm(gpu, area->vm)));
	area_check_cpu(area);
	CHECK(may_say(gpu_vm_destroy(gpu, area->vm)));
	atomic_fetch_add(&race->vms, 1);
}

/* VMs come and go, so the pagemap is looked up, made and left all the time. */
static void *come_and_go(void *arg)
{
	struct race *race = arg;
	struct area area;
	struct gpu gpu;

	memset(&area, 0, sizeof(area));
	area.size = 16 * PAGE;
	area.mem = mem_map(area.size, 0, MEM_SMALL);
	area_fill(&area);
	while (!atomic_load(&race->stop)) {
		if (gpu_open(&gpu, race->index)) {
			sleep_ms(1);
			continue;
		}
		use_vm(race, &gpu, &area);
		gpu_close(&gpu);
	}
	CHECK_SYS(munmap(area.mem, area.size));
	return NULL;
}

static void *shrink_often(void *arg)
{
	struct race *race = arg;

	while (!atomic_load(&race->stop))
		shrink();
	return NULL;
}

/* Unbinding in the midst of it must end, and leave a device that can come back. */
static void raced(struct gpu *gpu)
{
	double deadline = seconds_now() + 4 * brief_seconds();
	struct race race = { .index = gpu->index };
	struct crew users, shrinker;
	unsigned int rounds = 0;
	double begin;

	crew_start(&users, 4, come_and_go, &race);
	crew_start(&shrinker, 1, shrink_often, &race);
	for (; rounds < 3 || seconds_now() < deadline; rounds++) {
		sleep_ms(rounds * 37 % 200);
		begin = seconds_now();
		CHECK_OK(device_unbind(gpu->index));
		check_bound("unbinding", begin);
		CHECK_OK(device_bind(gpu->index));
	}
	sleep_ms(500);
	atomic_store(&race.stop, true);
	crew_join(&users);
	crew_join(&shrinker);
	CHECK(atomic_load(&race.vms));
	printf("# %u times unbound, %lu VMs\n", rounds, atomic_load(&race.vms));
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

static const struct test tests[] = {
	{ "shrunk", shrunk, NEEDS, 0 },
	{ "pages-keep-it", pages_keep_it, NEEDS, 0 },
	{ "raced", raced, NEEDS, 300 },
};

HARNESS_MAIN(tests)
