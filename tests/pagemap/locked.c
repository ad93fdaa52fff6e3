// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Memory that mlock() keeps from being swapped out comes home like any other.
 *
 * A page that leaves such a mapping gets on a list of the processor, which has a reference
 * on it until there is a reason to go through the list. Nobody is to wait for that.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x3c6ef372fe94f82bULL
#define ROUNDS		5
#define PAGES		64
/* After that a thread is sent back, and the page may come. */
#define STUCK_SECONDS	8

static struct area locked_area(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	CHECK_SYS(mlock(area.mem, area.size));
	return area;
}

static double touch_seconds(struct area *area)
{
	double begin;

	area_populate(area);
	area_device_flip(area, FLIP);
	begin = seconds_now();
	area_check_cpu(area);
	return seconds_now() - begin;
}

static double best_touch(struct area *area)
{
	double seconds, best = touch_seconds(area);

	for (unsigned int round = 1; round < ROUNDS; round++) {
		seconds = touch_seconds(area);
		best = seconds < best ? seconds : best;
	}
	return best;
}

/* The fastest of some, in the same run; what is waited for in vain is a second each. */
static void as_fast(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	double plain = best_touch(&area), locked;

	CHECK_SYS(mlock(area.mem, area.size));
	locked = best_touch(&area);
	printf("# %.1f ms, locked %.1f ms\n", plain * 1000, locked * 1000);
	CHECK(locked < 10 * plain + 0.2);
}

/* A thread that another one sends from processor to processor. */
struct traveller {
	pid_t tid;
	cpu_set_t processors[2];
	atomic_uint round;		/* one begins */
	atomic_uint done;		/* it has ended */
	atomic_bool stop;
	unsigned int trips;
	unsigned int stuck;
};

static void send_away(struct traveller *traveller)
{
	const cpu_set_t *there = &traveller->processors[++traveller->trips % 2];

	CHECK_SYS(sched_setaffinity(traveller->tid, sizeof(*there), there));
}

static void pass_time(double seconds)
{
	double begin = seconds_now();

	while (seconds_now() - begin < seconds)
		;
}

static void wait_for_round(const struct traveller *traveller, unsigned int round)
{
	double begin = seconds_now();

	while (atomic_load(&traveller->done) < round &&
	       seconds_now() - begin < patience(STUCK_SECONDS))
		sleep_ms(1);
}

/* Once in each round, at some moment; then it is left alone. */
static void *send_around(void *arg)
{
	struct traveller *traveller = arg;
	unsigned int round = 0, seed = 1;

	while (!atomic_load(&traveller->stop)) {
		if (atomic_load(&traveller->round) == round) {
			sched_yield();
			continue;
		}
		round = atomic_load(&traveller->round);
		pass_time(rand_r(&seed) % 1000 / 1e6);
		send_away(traveller);
		wait_for_round(traveller, round);
		if (atomic_load(&traveller->done) >= round)
			continue;
		traveller->stuck++;
		while (atomic_load(&traveller->done) < round) {
			send_away(traveller);
			sleep_ms(10);
		}
	}
	return NULL;
}

/* The first two processors of those there are. */
static void find_processors(struct traveller *traveller)
{
	cpu_set_t all;
	unsigned int found = 0;

	CHECK_SYS(sched_getaffinity(0, sizeof(all), &all));
	for (unsigned int i = 0; i < CPU_SETSIZE && found < 2; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&traveller->processors[found]);
		CPU_SET(i, &traveller->processors[found++]);
	}
	if (found < 2)
		test_skip("there is one processor only");
}

static void go_to(const cpu_set_t *processor)
{
	CHECK_SYS(sched_setaffinity(0, sizeof(*processor), processor));
}

/* Somebody else's memory, too, which a process waits to read. */
struct reader {
	struct area area;
	const cpu_set_t *processor;
	int go[2];
};

static void read_when_told(void *arg)
{
	struct reader *reader = arg;
	char byte;

	go_to(reader->processor);
	CHECK_EQ(read(reader->go[0], &byte, 1), 1);
	area_check_cpu(&reader->area);
}

/* The mapping goes, on a processor that does nothing else; a child still has the pages. */
static void unmap_once(struct gpu *gpu, const cpu_set_t processors[2])
{
	struct reader reader = { .processor = &processors[0] };
	double begin;
	pid_t pid;

	reader.area = locked_area(gpu, PAGES * PAGE);
	CHECK_SYS(pipe(reader.go));
	area_populate(&reader.area);
	area_device_flip(&reader.area, FLIP);
	pid = test_fork(read_when_told, &reader);
	go_to(&processors[1]);
	CHECK_SYS(munmap(reader.area.mem, reader.area.size));
	begin = seconds_now();
	CHECK_EQ(write(reader.go[1], "", 1), 1);
	join_in_time(pid, "to read what somebody else had locked");
	printf("# after %.0f ms\n", (seconds_now() - begin) * 1000);
	test_join(pid);
	CHECK_SYS(close(reader.go[0]));
	CHECK_SYS(close(reader.go[1]));
}

/* More than once, as something else may empty the list in time. */
static void unmapped(struct gpu *gpu)
{
	struct traveller cpus = { };

	find_processors(&cpus);
	for (unsigned int round = 0; round < ROUNDS; round++)
		unmap_once(gpu, cpus.processors);
}

static void end_with_locked(void *arg)
{
	const cpu_set_t *processor = arg;
	struct area area;
	struct gpu gpu;

	go_to(processor);
	CHECK_OK(gpu_open(&gpu, 0));
	area = locked_area(&gpu, PAGES * PAGE);
	area_populate(&area);
}

/* Eviction does not wait for a processor that does nothing else, either. */
static void ended(struct gpu *gpu)
{
	struct traveller cpus = { };
	uint32_t vm = vm_new(gpu);

	find_processors(&cpus);
	go_to(&cpus.processors[0]);
	test_join(test_fork(end_with_locked, &cpus.processors[1]));
	printf("# left behind: %llu pages\n",
	       (unsigned long long)counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES));
	CHECK_OK(gpu_evict_device(gpu, vm));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

static void other_processor(struct gpu *gpu)
{
	struct traveller traveller = { .tid = gettid() };
	double deadline = seconds_now() + 8 * brief_seconds();
	struct area area;
	struct crew crew;

	find_processors(&traveller);
	area = locked_area(gpu, PAGES * PAGE);
	crew_start(&crew, 1, send_around, &traveller);
	while (seconds_now() < deadline) {
		area_populate(&area);
		area_device_flip(&area, FLIP);
		atomic_fetch_add(&traveller.round, 1);
		area_check_cpu(&area);
		atomic_fetch_add(&traveller.done, 1);
	}
	atomic_store(&traveller.stop, true);
	crew_join(&crew);
	printf("# sent away %u times in %u rounds\n", traveller.trips,
	       atomic_load(&traveller.done));
	CHECK_EQ(traveller.stuck, 0);
}

static const struct test tests[] = {
	{ "as-fast", as_fast, NEED_VRAM, 0 },
	{ "other-processor", other_processor, NEED_VRAM, 0 },
	{ "unmapped", unmapped, NEED_VRAM, 0 },
	{ "ended", ended, NEED_VRAM, 0 },
};

HARNESS_MAIN(tests)
