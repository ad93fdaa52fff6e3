// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Steps of a migration fail on purpose, at the first, a middle and the last
 * place: an error is told, no page is lost, no data changes, and the next try
 * works.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "knob.h"

/* More than a migration can have of anything. */
#define NEVER	1000000

/* Which pages of an area have data: all, or one of every few; the rest are holes. */
static const struct shape {
	const char *name;
	size_t size;
	size_t offset;
	enum mem_thp thp;
	unsigned int every;
} shapes[] = {
	{ "one page", PAGE, 0, MEM_SMALL, 1 },
	{ "small pages", HUGE_PAGE, 0, MEM_SMALL, 1 },
	{ "huge page", HUGE_PAGE, 0, MEM_HUGE, 1 },
	{ "holes between", HUGE_PAGE, 0, MEM_SMALL, 2 },
	{ "three pieces", 3 * MIB, HUGE_PAGE - 64 * KIB, MEM_SMALL, 1 },
	{ "pieces with holes", 3 * MIB, HUGE_PAGE - 64 * KIB, MEM_SMALL, 3 },
};

/* An area and what must be in it. */
struct victim {
	struct area area;
	char *shadow;
};

static struct victim victim_new(const struct gpu *gpu, const struct shape *shape)
{
	struct victim victim = { .area = area_new(gpu, shape->size, shape->offset, shape->thp) };
	char *mem = victim.area.mem;

	victim.shadow = calloc(1, shape->size);
	CHECK(victim.shadow);
	for (size_t page = 0; page < shape->size / PAGE; page += shape->every) {
		pattern_fill(mem + page * PAGE, PAGE, page);
		memcpy(victim.shadow + page * PAGE, mem + page * PAGE, PAGE);
	}
	return victim;
}

static void victim_free(struct victim *victim)
{
	CHECK_OK(gpu_vm_destroy(victim->area.gpu, victim->area.vm));
	CHECK_SYS(munmap(victim->area.mem, victim->area.size));
	free(victim->shadow);
}

static void victim_check(const struct victim *victim)
{
	const struct area *area = &victim->area;
	char *copy = malloc(area->size);
	struct mismatch bad;

	CHECK(copy);
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, area->size, copy));
	CHECK_DATA(words_match(copy, victim->shadow, area->size, &bad), bad);
	CHECK_DATA(words_match(area->mem, victim->shadow, area->size, &bad), bad);
	free(copy);
}

/* Memory that nobody works on: pages put back that were not ours would hurt it. */
struct canary {
	char *mem;
	uint64_t sum;
};

#define CANARY_SIZE	(32 * MIB)

static struct canary canary_new(void)
{
	struct canary canary = { .mem = mem_map(CANARY_SIZE, 0, MEM_SMALL) };

	CHECK(canary.mem);
	pattern_fill(canary.mem, CANARY_SIZE, 99);
	canary.sum = mem_checksum(canary.mem, CANARY_SIZE);
	return canary;
}

static void canary_check(const struct canary *canary)
{
	CHECK(mem_checksum(canary->mem, CANARY_SIZE) == canary->sum);
}

/* The ways a page can go, each with the preparation it needs. */
struct way {
	const char *name;
	void (*prepare)(const struct victim *victim);
	int (*go)(const struct victim *victim);
	/* The failure must be told; else there may be another attempt behind it. */
	bool must_tell;
};

static void prepare_nothing(const struct victim *victim)
{
	(void)victim;
}

static int go_to_device(const struct victim *victim)
{
	const struct area *area = &victim->area;

	return gpu_populate(area->gpu, area->vm, area->mem, area->size);
}

static void prepare_on_device(const struct victim *victim)
{
	area_populate(&victim->area);
}

static int go_home(const struct victim *victim)
{
	return gpu_evict_vm(victim->area.gpu, victim->area.vm);
}

static sigjmp_buf fault_return;

static void on_bus_error(int signal)
{
	(void)signal;
	siglongjmp(fault_return, 1);
}

/* A CPU access to every page; -EFAULT if one of them could not be had. */
static int go_home_by_fault(const struct victim *victim)
{
	struct sigaction action = { .sa_handler = on_bus_error };
	volatile int ret = 0;

	CHECK_SYS(sigaction(SIGBUS, &action, NULL));
	for (volatile size_t at = 0; at < victim->area.size; at += PAGE) {
		if (sigsetjmp(fault_return, 1))
			ret = -EFAULT;
		else
			(void)*(volatile char *)(victim->area.mem + at);
	}
	signal(SIGBUS, SIG_DFL);
	return ret;
}

static const struct way to_device = { "to device", prepare_nothing, go_to_device, true };
static const struct way by_evict = { "evict", prepare_on_device, go_home, false };
static const struct way by_fault = { "CPU fault", prepare_on_device, go_home_by_fault, false };

/* How often the step happens when nothing fails. */
static uint32_t count_steps(struct gpu *gpu, const struct way *way, const char *knob,
			    const struct shape *shape)
{
	struct victim victim = victim_new(gpu, shape);
	uint32_t left;
	int ret;

	way->prepare(&victim);
	CHECK_OK(knob_set(gpu, knob, NEVER));
	for (int i = 0; (ret = way->go(&victim)) == -EBUSY && i < 20; i++) {
		sleep_ms(10);
		CHECK_OK(knob_set(gpu, knob, NEVER));
	}
	CHECK_OK(ret);
	CHECK_OK(knob_get(gpu, knob, &left));
	CHECK_OK(knob_set(gpu, knob, 0));
	victim_check(&victim);
	victim_free(&victim);
	return NEVER - left;
}

/* What must hold after a step has failed. */
static void check_after_failure(const struct victim *victim)
{
	const struct area *area = &victim->area;

	CHECK_EQ(counter(area->gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
	victim_check(victim);
	area_populate(area);
	victim_check(victim);
	CHECK_OK(gpu_evict_vm(area->gpu, area->vm));
	CHECK_EQ(area_pages(area, MOCKGPU_PAGE_DEVICE), 0);
	victim_check(victim);
}

/* The n-th step fails; after that all is as if nobody had tried. Returns what is left of n. */
static uint32_t fail_step(struct gpu *gpu, const struct way *way, const char *knob,
			  const struct shape *shape, uint32_t n)
{
	struct victim victim = victim_new(gpu, shape);
	uint32_t left;
	int ret;

	way->prepare(&victim);
	CHECK_OK(knob_set(gpu, knob, n));
	ret = way->go(&victim);
	CHECK_OK(knob_get(gpu, knob, &left));
	CHECK_OK(knob_set(gpu, knob, 0));
	if (!left && !ret && way->must_tell)
		FAIL("%s, %s: step %u failed, but the call did not", way->name, shape->name, n);
	check_after_failure(&victim);
	victim_free(&victim);
	return left;
}

/*
 * Neighbours are mapped as one, so the number of steps is not always the same. There
 * are none at all if somebody holds a page just then.
 */
static void fail_at(struct gpu *gpu, const struct way *way, const char *knob,
		    const struct shape *shape, uint32_t n)
{
	for (int i = 0; i < 10; i++) {
		uint32_t left = fail_step(gpu, way, knob, shape, n);

		if (!left)
			return;
		if (left < n)
			n -= left;
		else
			sleep_ms(10);
	}
	FAIL("%s, %s: step %u never came", way->name, shape->name, n);
}

static void fail_shape(struct gpu *gpu, const struct way *way, const char *knob,
		       const struct shape *shape)
{
	uint32_t steps = count_steps(gpu, way, knob, shape);

	printf("# %s, %s, %s: %u steps\n", way->name, knob, shape->name, steps);
	CHECK(steps);
	fail_at(gpu, way, knob, shape, 1);
	if (steps > 2)
		fail_at(gpu, way, knob, shape, steps / 2);
	if (steps > 1)
		fail_at(gpu, way, knob, shape, steps);
}

/* The kernel's own DMA does not fail when a test wants it to. */
static void need_knob(const struct gpu *gpu, const char *knob)
{
	uint32_t value;

	if (knob_get(gpu, knob, &value))
		test_skip("this device has no knob %s", knob);
}

static void fail_everywhere(struct gpu *gpu, const struct way *way, const char *knob)
{
	need_knob(gpu, knob);
	struct canary canary = canary_new();

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		fail_shape(gpu, way, knob, &shapes[i]);
	canary_check(&canary);
}

static void populate_pages(struct gpu *gpu)
{
	fail_everywhere(gpu, &to_device, "fail_populate");
}

static void populate_dma_map(struct gpu *gpu)
{
	fail_everywhere(gpu, &to_device, "fail_dma_map");
}

static void populate_copy(struct gpu *gpu)
{
	fail_everywhere(gpu, &to_device, "fail_copy");
}

static void evict_dma_map(struct gpu *gpu)
{
	fail_everywhere(gpu, &by_evict, "fail_dma_map");
}

static void evict_copy(struct gpu *gpu)
{
	fail_everywhere(gpu, &by_evict, "fail_copy");
}

static void fault_dma_map(struct gpu *gpu)
{
	fail_everywhere(gpu, &by_fault, "fail_dma_map");
}

static void fault_copy(struct gpu *gpu)
{
	fail_everywhere(gpu, &by_fault, "fail_copy");
}

/* What one failure loses may be too little to see. */
static void many_times(struct gpu *gpu)
{
	static const char *const knobs[] = { "fail_populate", "fail_dma_map", "fail_copy" };
	struct victim victim = victim_new(gpu, &shapes[3]);
	struct canary canary = canary_new();

	need_knob(gpu, "fail_dma_map");
	for (unsigned int i = 0; i < 300; i++) {
		CHECK_OK(knob_set(gpu, knobs[i % 3], i % 3 ? i % 100 + 1 : 1));
		CHECK(go_to_device(&victim) < 0);
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
	}
	area_populate(&victim.area);
	victim_check(&victim);
	canary_check(&canary);
}

/* A populate in a thread of its own. */
struct populate {
	const struct area *area;
	int ret;
};

static void *populate_in_thread(void *arg)
{
	struct populate *populate = arg;
	const struct area *area = populate->area;

	populate->ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
	return NULL;
}

/*
 * While the copy engine is at work, the CPU writes to a hole and to a page with
 * data. It must not be told that all pages moved if one of them did not.
 */
static void touched_meanwhile(struct gpu *gpu)
{
	static const size_t holes[] = { 1, 255, 511 };
	struct victim victim = victim_new(gpu, &shapes[3]);
	struct populate populate = { .area = &victim.area };
	size_t device;
	pthread_t thread;

	/* For each command of the engine, which may be a copy of one page. */
	CHECK_OK(knob_set(gpu, "copy_delay_us", 1000));
	CHECK_EQ(pthread_create(&thread, NULL, populate_in_thread, &populate), 0);
	sleep_ms(50);
	for (size_t i = 0; i < ARRAY_SIZE(holes); i++) {
		victim.area.mem[holes[i] * PAGE + 8] = 7;
		victim.shadow[holes[i] * PAGE + 8] = 7;
	}
	victim.area.mem[100 * PAGE] = 9;
	victim.shadow[100 * PAGE] = 9;
	CHECK_EQ(pthread_join(thread, NULL), 0);
	CHECK_OK(knob_set(gpu, "copy_delay_us", 0));
	device = area_pages(&victim.area, MOCKGPU_PAGE_DEVICE);
	printf("# populate %s, %zu of 512 pages in VRAM\n", errno_name(populate.ret), device);
	CHECK(!populate.ret || populate.ret == -EBUSY);
	/* Where the CPU can touch VRAM nothing it does takes a page away again. */
	if (!populate.ret && gpu->tier == MOCKGPU_TIER_COHERENT)
		CHECK_EQ(device, 512);
	check_after_failure(&victim);
}

/* The device cannot map what it shall work on. */
static void access_dma_map(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL), done, rest;
	struct drm_mockgpu_access access = {
		.vm_id = area.vm, .op = MOCKGPU_ACCESS_XOR, .value = 0x1234567812345678ULL,
		.addr = (uintptr_t)area.mem, .size = area.size,
	};
	uint32_t left;

	need_knob(gpu, "fail_dma_map");
	/* It is mapped by 64 KiB, with one mapping or more for each. */
	CHECK_OK(knob_set(gpu, "fail_dma_map", 10));
	CHECK(gpu_access(gpu, &access) < 0);
	CHECK_OK(knob_get(gpu, "fail_dma_map", &left));
	CHECK_EQ(left, 0);
	/* What it could map stays mapped for the next access. */
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), access.done / PAGE);
	CHECK(access.done < area.size && access.done % PAGE == 0);
	done = area_part(&area, 0, access.done);
	done.flip = access.value;
	area_check_cpu(&done);
	rest = area_part(&area, access.done, area.size - access.done);
	for (size_t i = 0; i < rest.size / 8; i++)
		CHECK(((uint64_t *)rest.mem)[i] == pattern_word(area.seed, access.done / 8 + i));
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
}

static const struct test tests[] = {
	{ "populate-pages", populate_pages, NEED_VRAM | NEED_KNOBS, 0 },
	{ "populate-dma-map", populate_dma_map, NEED_VRAM | NEED_KNOBS, 0 },
	{ "populate-copy", populate_copy, NEED_VRAM | NEED_KNOBS, 0 },
	{ "evict-dma-map", evict_dma_map, NEED_VRAM | NEED_KNOBS, 0 },
	{ "evict-copy", evict_copy, NEED_VRAM | NEED_KNOBS, 0 },
	{ "fault-dma-map", fault_dma_map, NEED_PRIVATE | NEED_KNOBS, 0 },
	{ "fault-copy", fault_copy, NEED_PRIVATE | NEED_KNOBS, 0 },
	{ "many-times", many_times, NEED_VRAM | NEED_KNOBS, 0 },
	{ "touched-meanwhile", touched_meanwhile, NEED_VRAM | NEED_KNOBS, 0 },
	{ "access-dma-map", access_dma_map, NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
