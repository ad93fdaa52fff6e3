// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Several devices want the same memory. */
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x4669201609102990ULL
/* A livelock never ends; many threads on a busy machine only take long. */
#define TURN_SECONDS	80
#define MOST_DEVICES	4

/* A range with a VM of each device. */
struct table {
	struct gpu gpus[MOST_DEVICES];
	struct area areas[MOST_DEVICES];
	unsigned int count;
	atomic_uint next;
	atomic_bool stop;
	atomic_ulong moved[MOST_DEVICES], used[MOST_DEVICES];
};

static struct table *table_new(size_t size, enum mem_thp thp)
{
	struct table *table = calloc(1, sizeof(*table));
	unsigned int i;

	CHECK(table);
	for (i = 0; i < MOST_DEVICES && !gpu_open(&table->gpus[i], i); i++) {
		table->areas[i].gpu = &table->gpus[i];
		table->areas[i].vm = vm_new(&table->gpus[i]);
	}
	table->count = i;
	table->areas[0].mem = mem_map(size, 0, thp);
	CHECK(table->areas[0].mem);
	table->areas[0].size = size;
	area_fill(&table->areas[0]);
	for (i = 1; i < table->count; i++) {
		table->areas[i].mem = table->areas[0].mem;
		table->areas[i].size = size;
		table->areas[i].seed = table->areas[0].seed;
	}
	return table;
}

/* What one device changed, all know. */
static void flip_by(struct table *table, unsigned int who, uint64_t flip)
{
	area_device_flip(&table->areas[who], flip);
	for (unsigned int i = 0; i < table->count; i++)
		table->areas[i].flip = table->areas[who].flip;
}

/* All of it goes from one device to the next and is changed by each. */
static void round_trip(enum mem_thp thp)
{
	struct table *table = table_new(4 * MIB, thp);

	for (unsigned int n = 0; n < 4 * table->count; n++) {
		unsigned int i = n % table->count;

		area_populate(&table->areas[i]);
		area_check_device(&table->areas[i]);
		flip_by(table, i, FLIP + n);
		CHECK_PLACE(&table->areas[(i + 1) % table->count], MOCKGPU_PAGE_OTHER);
		CHECK_EQ(counter(&table->gpus[i], MOCKGPU_COUNTER_LIVE_VRAM_PAGES),
			 table->areas[i].size / PAGE);
		wait_for_counter(&table->gpus[(i + 1) % table->count],
				 MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	}
	area_check_cpu(&table->areas[0]);
	CHECK_SYS(munmap(table->areas[0].mem, table->areas[0].size));
	free(table);
}

static void from_device_to_device(struct gpu *gpu)
{
	(void)gpu;
	round_trip(MEM_SMALL);
	round_trip(MEM_HUGE);
}

/* A range that is here, there, at home and nowhere; all of it is wanted here. */
static void from_everywhere(struct gpu *gpu)
{
	struct table *table = table_new(4 * MIB, MEM_SMALL);
	struct area *area = &table->areas[0], data = *area;
	struct area here = area_part(area, 0, MIB + PAGE);
	struct area there = area_part(&table->areas[1], MIB + PAGE, MIB);
	struct mismatch bad;

	(void)gpu;
	data.size = 3 * MIB;
	CHECK_SYS(madvise(area->mem + data.size, MIB, MADV_DONTNEED));
	area_populate(&here);
	area_populate(&there);
	area_populate(area);
	area_check_device(&data);
	CHECK_PLACE(&there, MOCKGPU_PAGE_OTHER);
	wait_for_counter(&table->gpus[1], MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_evict(area);
	area_check_cpu(&data);
	CHECK_DATA(words_are(area->mem + data.size, MIB, 0, &bad), bad);
}

/* Every other page is with the other device, of several allocations of it. */
static void in_pieces(struct gpu *gpu)
{
	struct table *table = table_new(128 * PAGE, MEM_SMALL);
	const struct area *there = &table->areas[1];

	(void)gpu;
	for (size_t at = 0; at < there->size; at += 2 * PAGE) {
		struct area page = area_part(there, at, PAGE);

		area_populate(&page);
	}
	area_populate(&table->areas[0]);
	area_check_device(&table->areas[0]);
	wait_for_counter(there->gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	area_evict(&table->areas[0]);
	area_check_cpu(&table->areas[0]);
}

/*
 * All that another device has comes home at once: those who have it mapped are not told
 * for each page of it.
 */
static void at_once(struct gpu *gpu)
{
	struct table *table = table_new(HUGE_PAGE, MEM_SMALL);
	const struct area *there = &table->areas[1];
	unsigned long told;

	(void)gpu;
	area_populate(there);
	area_check_device(there);
	told = svm_stat("invalidations");
	area_populate(&table->areas[0]);
	told = svm_stat("invalidations") - told;
	printf("# %lu invalidations\n", told);
	CHECK(told < 50);
	area_check_device(&table->areas[0]);
	area_check_cpu(&table->areas[0]);
}

/* A device uses memory that is with another one, which may only slow it down. */
static void use_foreign(struct gpu *gpu)
{
	struct table *table = table_new(MIB, MEM_SMALL);
	int ret;

	for (unsigned int n = 0; n < 8; n++) {
		const struct area *user = &table->areas[(n + 1) % table->count];

		area_populate(&table->areas[n % table->count]);
		ret = gpu_xor(user->gpu, user->vm, user->mem, user->size, FLIP + n);
		if (ret == -EFAULT && gpu->tier == MOCKGPU_TIER_COHERENT) {
			area_populate(user);
			ret = gpu_xor(user->gpu, user->vm, user->mem, user->size, FLIP + n);
		}
		CHECK_OK(ret);
		for (unsigned int i = 0; i < table->count; i++)
			table->areas[i].flip ^= FLIP + n;
		area_check_device(user);
	}
	area_check_cpu(&table->areas[0]);
}

static void check_turn(const char *what, double begin)
{
	double seconds = seconds_now() - begin;

	if (seconds > patience(TURN_SECONDS))
		FAIL("%s took %.1f s", what, seconds);
}

/* Slots of each thread in every page, as their counts are known to it alone. */
static void *pull_and_count(void *arg)
{
	struct table *table = arg;
	unsigned int number = atomic_fetch_add(&table->next, 1), who = number % table->count;
	const struct area *area = &table->areas[who];
	size_t pages = area->size / PAGE;
	uint64_t *counts = calloc(pages, sizeof(*counts)), state = number + 1;

	CHECK(counts);
	while (!atomic_load(&table->stop)) {
		size_t page = random_next(&state) % pages;
		uint64_t *slot = (uint64_t *)(area->mem + page * PAGE) + 8 * number;
		struct drm_mockgpu_access access = {
			.vm_id = area->vm, .op = MOCKGPU_ACCESS_FILL, .value = counts[page] + 1,
			.addr = (uintptr_t)slot, .size = 8,
		};
		double begin = seconds_now();
		int ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);

		CHECK(!ret || ret == -EBUSY || ret == -ENOSPC);
		atomic_fetch_add(&table->moved[who], !ret);
		ret = gpu_access(area->gpu, &access);
		CHECK(!ret || ret == -EBUSY || ret == -EFAULT);
		CHECK_EQ(access.done, ret ? 0 : 8);
		atomic_fetch_add(&table->used[who], !ret);
		counts[page] += !ret;
		check_turn("a device's turn", begin);
		CHECK_EQ(*(volatile uint64_t *)slot, counts[page]);
	}
	for (size_t page = 0; page < pages; page++)
		CHECK_EQ(((uint64_t *)(area->mem + page * PAGE))[8 * number], counts[page]);
	free(counts);
	return NULL;
}

/* Not one that only used what others had moved. */
static bool all_had_turns(const struct table *table)
{
	for (unsigned int i = 0; i < table->count; i++)
		if (!table->moved[i])
			return false;
	return true;
}

static void contest(size_t size, unsigned int threads_each, unsigned int devices)
{
	struct table *table = table_new(size, MEM_SMALL);
	double begin = seconds_now();
	struct crew crew;

	memset(table->areas[0].mem, 0, size);
	if (table->count > devices)
		table->count = devices;
	crew_start(&crew, threads_each * table->count, pull_and_count, table);
	while (seconds_now() - begin < 2 * brief_seconds() || !all_had_turns(table)) {
		check_turn("a turn for each device", begin + 2 * brief_seconds());
		sleep_ms(5);
	}
	atomic_store(&table->stop, true);
	crew_join(&crew);
	for (unsigned int i = 0; i < table->count; i++)
		printf("# device %u: moved %lu times, used %lu times\n", i,
		       (unsigned long)table->moved[i], (unsigned long)table->used[i]);
}

/* Two devices tear at one range, while the CPU looks at it. */
static void ping_pong(struct gpu *gpu)
{
	(void)gpu;
	contest(64 * PAGE, 1, 2);
}

static void four_by_four(struct gpu *gpu)
{
	(void)gpu;
	contest(HUGE_PAGE, 4, 4);
}

/* On one processor: who waits for a page must not keep its owner from going on. */
static void on_one_processor(struct gpu *gpu)
{
	cpu_set_t one;

	(void)gpu;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_SYS(sched_setaffinity(0, sizeof(one), &one));
	contest(64 * PAGE, 2, 2);
}

/*
 * Pages are shared with a child, some in VRAM and some not. A thread moves all of
 * it, another device reads it on the same processor.
 */
static void sleep_in_child(void *arg)
{
	(void)arg;
	for (;;)
		pause();
}

static void *read_shared(void *arg)
{
	struct table *table = arg;
	const struct area *area = &table->areas[1];
	char *copy = malloc(area->size), *want = malloc(area->size);

	CHECK(copy && want);
	pattern_fill(want, area->size, area->seed);
	/* By turns all of it, which may never be still for long enough, and one page. */
	for (unsigned int n = 0; !atomic_load(&table->stop); n++) {
		size_t at = n % 2 ? n / 2 * 7 * PAGE % area->size : 0;
		size_t size = n % 2 ? PAGE : area->size;
		int ret = gpu_read(area->gpu, area->vm, area->mem + at, size, copy);

		CHECK(!ret || ret == -EBUSY || ret == -EFAULT);
		CHECK(ret || !memcmp(copy, want + at, size));
		table->used[1] += !ret;
	}
	free(want);
	free(copy);
	return NULL;
}

static void shared_and_mixed(struct gpu *gpu)
{
	struct table *table = table_new(MIB, MEM_SMALL);
	struct area *area = &table->areas[0], half = area_part(area, 0, MIB / 2);
	double deadline = seconds_now() + 2 * brief_seconds(), begin;
	struct crew crew;
	uint64_t before, moved;
	cpu_set_t one;
	pid_t child;

	(void)gpu;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	CHECK_SYS(sched_setaffinity(0, sizeof(one), &one));
	area_populate(&half);
	child = test_fork(sleep_in_child, NULL);
	before = counter(area->gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE);
	crew_start(&crew, 2, read_shared, table);
	do {
		int ret;

		check_turn("a migration and a read", deadline);
		begin = seconds_now();
		ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);
		CHECK(!ret || ret == -EBUSY);
		ret = gpu_evict_at(area->gpu, area->vm, area->mem);
		CHECK(!ret || ret == -EBUSY || ret == -ENOENT);
		check_bound("a migration of shared pages", begin);
		moved = counter(area->gpu, MOCKGPU_COUNTER_PAGES_TO_DEVICE) - before;
	} while (seconds_now() < deadline || !moved || !atomic_load(&table->used[1]));
	atomic_store(&table->stop, true);
	crew_join(&crew);
	CHECK_SYS(kill(child, SIGKILL));
	printf("# %llu pages moved, read %lu times\n", (unsigned long long)moved,
	       (unsigned long)table->used[1]);
	area_check_cpu(area);
}

/* A device is full: it gives up something, and another one may have what it has. */
static void overflow(struct gpu *gpu)
{
	size_t vram = vram_bytes(gpu, 512 * MIB);
	struct table *table = table_new(vram, MEM_SMALL);
	struct area *area = &table->areas[0], rest;

	area_populate(area);
	rest = area_filled(gpu, 8 * MIB, 0, MEM_SMALL);
	area_populate(&rest);
	CHECK(area_pages(area, MOCKGPU_PAGE_DEVICE) <= (vram - rest.size) / PAGE);
	area_check_device(area);
	rest.gpu = &table->gpus[1];
	rest.vm = table->areas[1].vm;
	area_populate(&rest);
	area_check_device(&rest);
	area_check_device(area);
	area_check_cpu(&rest);
	area_check_cpu(area);
}

#define NEEDS	(NEED_VRAM | NEED_TWO_DEVICES)

static const struct test tests[] = {
	{ "from-device-to-device", from_device_to_device, NEEDS, 0 },
	{ "from-everywhere", from_everywhere, NEEDS, 0 },
	{ "in-pieces", in_pieces, NEEDS, 0 },
	{ "at-once", at_once, NEEDS | NEED_ROOT, 0 },
	{ "use-foreign", use_foreign, NEEDS, 0 },
	{ "ping-pong", ping_pong, NEEDS, 0 },
	{ "four-by-four", four_by_four, NEEDS, 300 },
	{ "on-one-processor", on_one_processor, NEEDS, 0 },
	{ "shared-and-mixed", shared_and_mixed, NEEDS, 0 },
	{ "overflow", overflow, NEEDS, 0 },
};

HARNESS_MAIN(tests)
