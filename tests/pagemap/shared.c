// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Devices that share the ranges of an address space, where each has pages and a
 * page table of its own. Every test is run by a program of its own, as devices go.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common.h"
#include "queue.h"

#define FLIP		0x3c6ef372fe94f82bULL
/* As many may share. */
#define MOST_SHARING	16

/* The same memory for two devices. */
struct pair {
	struct gpu gpus[2];
	struct area areas[2];
};

static struct pair pair_of(const unsigned int devices[2], size_t size, uint32_t flags)
{
	struct pair pair;

	for (unsigned int i = 0; i < 2; i++)
		CHECK_OK(gpu_open(&pair.gpus[i], devices[i]));
	pair.areas[0] = area_new(&pair.gpus[0], size, 0, MEM_SMALL);
	CHECK_OK(gpu_vm_destroy(&pair.gpus[0], pair.areas[0].vm));
	area_fill(&pair.areas[0]);
	pair.areas[1] = pair.areas[0];
	for (unsigned int i = 0; i < 2; i++) {
		pair.areas[i].gpu = &pair.gpus[i];
		CHECK_OK(gpu_vm_create_with(&pair.gpus[i], flags, &pair.areas[i].vm));
	}
	return pair;
}

static struct pair pair_new(size_t size, uint32_t flags)
{
	return pair_of((const unsigned int[]){ 0, 1 }, size, flags);
}

/* The first one has VRAM, the other has none. */
static struct pair pair_mixed(size_t size)
{
	unsigned int devices[2], found = 0;
	struct gpu gpu;

	for (unsigned int i = 0; found != 3 && !gpu_open(&gpu, i); i++) {
		devices[!gpu_has_vram(&gpu)] = i;
		found |= gpu_has_vram(&gpu) ? 1 : 2;
		gpu_close(&gpu);
	}
	if (found != 3)
		test_skip("needs a device with VRAM and one without");
	return pair_of(devices, size, MOCKGPU_VM_SHARED);
}

/* Pointers go along when it is copied. */
static void pair_mend(struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++)
		pair->areas[i].gpu = &pair->gpus[i];
}

static void pair_flip(struct pair *pair, unsigned int who, uint64_t flip)
{
	const struct area *area = &pair->areas[who];

	CHECK_OK(gpu_xor(area->gpu, area->vm, area->mem, area->size, flip));
	for (unsigned int i = 0; i < 2; i++)
		pair->areas[i].flip ^= flip;
}

static void check_no_errors(const struct pair *pair)
{
	for (unsigned int i = 0; i < 2; i++)
		CHECK_EQ(counter(&pair->gpus[i], MOCKGPU_COUNTER_DEVICE_ERRORS), 0);
}

static unsigned long live_ranges(void)
{
	FILE *file = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long value = 0;
	char name[64];

	CHECK(file);
	while (fscanf(file, "%63s %lu", name, &value) == 2 && strcmp(name, "live_ranges"))
		;
	fclose(file);
	CHECK(!strcmp(name, "live_ranges"));
	return value;
}

static unsigned long ranges_of_pair(uint32_t flags)
{
	unsigned long before = live_ranges();
	struct pair pair = pair_new(HUGE_PAGE, flags);

	pair_mend(&pair);
	for (unsigned int i = 0; i < 4; i++)
		pair_flip(&pair, i % 2, FLIP + i);
	area_check_cpu(&pair.areas[0]);
	check_no_errors(&pair);
	return live_ranges() - before;
}

/* Two devices on the same memory have half as many ranges when they share them. */
static void one_range(struct gpu *gpu)
{
	unsigned long apart, together;

	(void)gpu;
	together = ranges_of_pair(MOCKGPU_VM_SHARED);
	apart = ranges_of_pair(0);
	CHECK(together > 0);
	CHECK_EQ(apart, 2 * together);
}

/* What the process unmaps neither of them has any more. */
static void unmapped(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);
	uint64_t word;

	(void)gpu;
	pair_mend(&pair);
	pair_flip(&pair, 0, FLIP);
	pair_flip(&pair, 1, 1);
	CHECK_SYS(munmap(pair.areas[0].mem + HUGE_PAGE - PAGE, PAGE));
	for (unsigned int i = 0; i < 2; i++) {
		struct area *area = &pair.areas[i];

		area->size = HUGE_PAGE - PAGE;
		CHECK_RET(gpu_read(area->gpu, area->vm, area->mem + area->size, 8, &word),
			  -EFAULT);
		area_check_device(area);
	}
	check_no_errors(&pair);
}

/* One only reads, which says nothing about what the other may do. */
static void read_by_one(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);

	(void)gpu;
	pair_mend(&pair);
	for (unsigned int i = 0; i < 6; i++) {
		area_check_device(&pair.areas[i % 2]);
		pair_flip(&pair, !(i % 2), FLIP + i);
		area_check_device(&pair.areas[i % 2]);
	}
	area_check_cpu(&pair.areas[0]);
	check_no_errors(&pair);
}

/* The memory of one, used by the other, and the other way round. */
static void in_vram(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);

	(void)gpu;
	pair_mend(&pair);
	for (unsigned int i = 0; i < 6; i++) {
		area_populate(&pair.areas[i % 2]);
		pair_flip(&pair, i % 2, FLIP + i);
		area_check_device(&pair.areas[i % 2]);
		if (gpu->tier == MOCKGPU_TIER_COHERENT)
			area_evict(&pair.areas[i % 2]);
		pair_flip(&pair, !(i % 2), i + 1);
		area_check_device(&pair.areas[!(i % 2)]);
	}
	area_check_cpu(&pair.areas[0]);
	check_no_errors(&pair);
}

/* Who leaves takes nothing from the other, and who comes finds what there is. */
static void comes_and_goes(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);

	(void)gpu;
	pair_mend(&pair);
	for (unsigned int i = 0; i < 6; i++) {
		struct area *area = &pair.areas[i % 2];

		pair_flip(&pair, 0, FLIP + i);
		pair_flip(&pair, 1, i + 1);
		CHECK_OK(gpu_vm_destroy(area->gpu, area->vm));
		area_check_device(&pair.areas[!(i % 2)]);
		pair_flip(&pair, !(i % 2), FLIP - i);
		CHECK_OK(gpu_vm_create_with(area->gpu, MOCKGPU_VM_SHARED, &area->vm));
		area_check_device(area);
	}
	area_check_cpu(&pair.areas[0]);
	check_no_errors(&pair);
}

struct user {
	struct pair *pair;
	atomic_bool stop;
	atomic_ulong rounds;
};

static void *use_first(void *arg)
{
	struct user *user = arg;

	while (!atomic_load(&user->stop)) {
		pair_flip(user->pair, 0, FLIP);
		area_check_device(&user->pair->areas[0]);
		atomic_fetch_add(&user->rounds, 1);
	}
	return NULL;
}

/* A device is taken away, while the other goes on with the same ranges. */
static void unplugged(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);
	struct user user = { .pair = &pair };
	struct crew crew;
	uint64_t word;

	(void)gpu;
	pair_mend(&pair);
	crew_start(&crew, 1, use_first, &user);
	for (unsigned int i = 0; i < 5; i++) {
		struct area *other = &pair.areas[1];
		unsigned long rounds = atomic_load(&user.rounds);
		double begin = seconds_now();

		CHECK_OK(gpu_read(other->gpu, other->vm, other->mem, 8, &word));
		CHECK_OK(device_unbind(1));
		check_bound("unbinding", begin);
		CHECK_RET(gpu_read(other->gpu, other->vm, other->mem, 8, &word), -ENODEV);
		while (atomic_load(&user.rounds) < rounds + 2) {
			check_bound("the other device", begin);
			sleep_ms(1);
		}
		gpu_close(&pair.gpus[1]);
		CHECK_OK(device_bind(1));
		CHECK_OK(gpu_open(&pair.gpus[1], 1));
		CHECK_OK(gpu_vm_create_with(other->gpu, MOCKGPU_VM_SHARED, &other->vm));
	}
	atomic_store(&user.stop, true);
	crew_join(&crew);
	area_check_cpu(&pair.areas[0]);
	area_check_device(&pair.areas[1]);
}

static void too_many(struct gpu *gpu)
{
	uint32_t vms[MOST_SHARING], one_more;

	for (unsigned int i = 0; i < MOST_SHARING; i++)
		CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &vms[i]));
	CHECK_RET(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &one_more), -EBUSY);
	CHECK_OK(gpu_vm_create_with(gpu, 0, &one_more));
	CHECK_OK(gpu_vm_destroy(gpu, vms[3]));
	CHECK_OK(gpu_vm_create_with(gpu, MOCKGPU_VM_SHARED, &vms[3]));
}

static void use_own(void *arg)
{
	struct area *area = arg;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, 1));
	area->gpu = &gpu;
	CHECK_OK(gpu_vm_create_with(&gpu, MOCKGPU_VM_SHARED, &area->vm));
	area_device_flip(area, FLIP);
	area_check_cpu(area);
	gpu_close(&gpu);
}

/* Another process has other memory at the same address. */
static void other_process(struct gpu *gpu)
{
	struct pair pair = pair_new(HUGE_PAGE, MOCKGPU_VM_SHARED);
	struct area copy = pair.areas[0];

	(void)gpu;
	pair_mend(&pair);
	pair_flip(&pair, 0, FLIP);
	copy.flip = pair.areas[0].flip;
	test_join(test_fork(use_own, &copy));
	area_check_cpu(&pair.areas[0]);
	area_check_device(&pair.areas[1]);
	check_no_errors(&pair);
}

/* What one prefers in its VRAM, the other uses where it is. */
static void mixed_access(struct gpu *gpu)
{
	struct pair pair = pair_mixed(HUGE_PAGE);
	struct area *areas = pair.areas;

	(void)gpu;
	pair_mend(&pair);
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	for (unsigned int i = 0; i < 3; i++) {
		pair_flip(&pair, 1, FLIP + i);
		CHECK_PLACE(&areas[1], MOCKGPU_PAGE_SYSTEM);
		pair_flip(&pair, 0, i + 1);
		CHECK_PLACE(&areas[0], MOCKGPU_PAGE_DEVICE);
	}
	area_check_device(&areas[1]);
	area_check_cpu(&areas[0]);
	check_no_errors(&pair);
}

static void mixed_prefetch(struct gpu *gpu)
{
	struct pair pair = pair_mixed(HUGE_PAGE);
	struct area *areas = pair.areas;

	(void)gpu;
	pair_mend(&pair);
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(area_prefetch(&areas[1], MOCKGPU_PREFER_NONE));
	CHECK_RET(area_prefetch(&areas[1], MOCKGPU_PREFER_DEVICE), -EOPNOTSUPP);
	CHECK_PLACE(&areas[1], MOCKGPU_PAGE_SYSTEM);
	CHECK_OK(area_prefetch(&areas[0], MOCKGPU_PREFER_NONE));
	CHECK_PLACE(&areas[0], MOCKGPU_PAGE_DEVICE);
	area_check_device(&areas[1]);
	area_check_cpu(&areas[0]);
	check_no_errors(&pair);
}

static int add_one(const struct area *area)
{
	return job_do(area->gpu, queue_new(area->gpu, area->vm), cmd_add(area->mem, 1, NULL));
}

/* What has to be done in VRAM cannot be done by who has none. */
static void mixed_atomic(struct gpu *gpu)
{
	struct pair pair = pair_mixed(HUGE_PAGE);
	struct area *areas = pair.areas;
	volatile uint64_t *word = (uint64_t *)areas[0].mem;
	int exclusive = pair.gpus[1].caps & MOCKGPU_CAP_EXCLUSIVE ? 0 : -EOPNOTSUPP;

	(void)gpu;
	pair_mend(&pair);
	*word = 5;
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_DEVICE));
	CHECK_RET(add_one(&areas[1]), -EOPNOTSUPP);
	CHECK_OK(add_one(&areas[0]));
	CHECK_RET(add_one(&areas[1]), -EOPNOTSUPP);
	CHECK_EQ(*word, 6);
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_SYSTEM));
	CHECK_RET(add_one(&areas[1]), exclusive);
	CHECK_OK(area_set_attr(&areas[0], MOCKGPU_ATTR_ATOMIC, MOCKGPU_ATOMIC_ANY));
	CHECK_OK(add_one(&areas[1]));
	CHECK_EQ(*word, exclusive ? 7 : 8);
	check_no_errors(&pair);
}

#define CHARGED_RANGES	20000

/* What the process wants of its memory it pays for itself. */
static void set_many(void *arg)
{
	struct group *group = arg;
	uint64_t before;
	struct area area;
	struct gpu gpu;

	group_enter(group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = area_new(&gpu, 2 * CHARGED_RANGES * PAGE, 0, MEM_SMALL);
	before = group_get(group, "memory.current");
	for (size_t i = 0; i < CHARGED_RANGES; i++) {
		struct area part = area_part(&area, 2 * i * PAGE, PAGE);

		CHECK_OK(area_set_attr(&part, MOCKGPU_ATTR_READ_ONLY, 1));
	}
	CHECK(group_get(group, "memory.current") >= before + CHARGED_RANGES * 32);
	gpu_close(&gpu);
}

static void attributes_charged(struct gpu *gpu)
{
	struct group group = group_new();

	(void)gpu;
	test_join(test_fork(set_many, &group));
	group_remove(&group);
}

#define NEEDS	NEED_TWO_DEVICES

static const struct test tests[] = {
	{ "one-range", one_range, NEEDS | NEED_ROOT, 0 },
	{ "unmapped", unmapped, NEEDS, 0 },
	{ "read-by-one", read_by_one, NEEDS, 0 },
	{ "in-vram", in_vram, NEEDS | NEED_VRAM, 0 },
	{ "comes-and-goes", comes_and_goes, NEEDS, 0 },
	{ "unplugged", unplugged, NEEDS | NEED_ROOT, 0 },
	{ "too-many", too_many, 0, 0 },
	{ "other-process", other_process, NEEDS, 0 },
	{ "attributes-charged", attributes_charged, NEED_ROOT, 0 },
	{ "mixed-access", mixed_access, NEEDS, 0 },
	{ "mixed-prefetch", mixed_prefetch, NEEDS, 0 },
	{ "mixed-atomic", mixed_atomic, NEEDS, 0 },
};

HARNESS_MAIN(tests)
