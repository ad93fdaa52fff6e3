// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Each thing that the kernel asks for on behalf of a process, memory above all, is
 * refused once: the first, then the second, until there is nothing left to refuse. A
 * step that is hit may fail, with an error that says so, but data stays what it was and
 * nothing is lost.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "failnth.h"
#include "inject.h"

/* More than any step asks for. */
#define MOST_FAILURES	10000
/* So many are tried one by one; behind that are rows of the same, as of pages. */
#define EACH_FAILURE	40
#define RELEASE_SECONDS	10
#define MOST_TESTS	160

char *arena;

static void map_arena(size_t at, size_t size, int protection)
{
	CHECK(mmap(arena + at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		   0) == arena + at);
}

void map_small(size_t at)
{
	map_arena(at, SMALL_ROOM, PROT_READ | PROT_WRITE);
	CHECK_SYS(madvise(arena + at, SMALL_ROOM, MADV_NOHUGEPAGE));
}

void fresh_memory(struct area *area, enum mem_thp thp)
{
	if (!arena)
		arena = mem_map(HUGE_PAGE, 0, thp);
	CHECK(arena);
	area->mem = arena;
	area->size = thp == MEM_HUGE ? HUGE_PAGE : SMALL_SIZE;
	map_arena(0, HUGE_PAGE, thp == MEM_HUGE ? PROT_READ | PROT_WRITE : PROT_NONE);
	if (thp == MEM_HUGE)
		CHECK_SYS(madvise(arena, HUGE_PAGE, MADV_HUGEPAGE));
	else
		map_small(0);
}

void round_begin(struct round *round, const struct gpu *gpu, const struct scene *scene)
{
	*round = (struct round){ .other.fd = -1, .done = UNKNOWN };
	CHECK_OK(gpu_open(&round->gpu, gpu->index));
	round->area.gpu = &round->gpu;
	round->area.vm = vm_new(&round->gpu);
	if (scene->two) {
		CHECK_OK(gpu_open(&round->other, gpu->index ? 0 : 1));
		round->other_vm = vm_new(&round->other);
	}
	fresh_memory(&round->area, scene->thp);
}

static void round_end(struct round *round)
{
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	if (round->other.fd >= 0)
		gpu_close(&round->other);
	if (round->gpu.fd >= 0)
		gpu_close(&round->gpu);
	for (size_t i = 0; i < ARRAY_SIZE(round->jobs); i++)
		free(round->jobs[i].result);
}

/* What may be answered when something was refused. */
static bool is_refusal(int ret)
{
	switch (ret) {
	case 0:
	case -ENOMEM:
	case -EFAULT:
	case -EBUSY:
	/* VRAM was there, but not what says so. */
	case -ENOSPC:
		return true;
	default:
		return false;
	}
}

struct alive alive_now(const struct gpu *gpu)
{
	struct alive alive = { .gpu = gpu };

	CHECK_OK(gpu_counters(gpu, alive.counters));
	return alive;
}

static const char *find_leak(const struct alive *before, uint64_t *count)
{
	struct alive now = alive_now(before->gpu);

	for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++) {
		*count = now.counters[i] - before->counters[i];
		if (gpu_counter_is_live(i) && now.counters[i] > before->counters[i])
			return gpu_counter_name(i);
	}
	CHECK_EQ(now.counters[MOCKGPU_COUNTER_DEVICE_ERRORS],
		 before->counters[MOCKGPU_COUNTER_DEVICE_ERRORS]);
	return NULL;
}

void check_leaks(const struct alive *before, unsigned int nth)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);
	const char *leak;
	uint64_t count;

	while ((leak = find_leak(before, &count)) && seconds_now() < deadline)
		sleep_ms(5);
	if (leak)
		FAIL("failure %u leaves %llu %s more", nth, (unsigned long long)count, leak);
}

static unsigned int next_failure(unsigned int nth)
{
	unsigned int next = nth < EACH_FAILURE ? nth + 1 : nth + nth / 4;

	CHECK(next < MOST_FAILURES);
	return next;
}

unsigned int run_rounds(const struct rounds *rounds)
{
	const char *missing = inject_missing();
	unsigned int nth = 1, count = 0;

	if (missing)
		test_skip("%s", missing);
	while (rounds->play(rounds->arg, nth)) {
		rounds->check(rounds->arg, nth);
		count++;
		nth = next_failure(nth);
	}
	rounds->check(rounds->arg, nth);
	printf("# %u failures, of up to %u\n", count, nth - 1);
	return count;
}

/* A scene and where it is played; both devices are looked at. */
struct stage {
	const struct scene *scene;
	struct alive before[2];
};

/* False when there was nothing left to be refused. */
static bool play_scene(void *arg, unsigned int nth)
{
	const struct stage *stage = arg;
	const struct scene *scene = stage->scene;
	struct round round;
	int ret;

	round_begin(&round, stage->before->gpu, scene);
	if (scene->prepare)
		scene->prepare(&round);
	if (scene->worker)
		inject_arm_worker(scene->worker, nth);
	else
		inject_arm(nth);
	ret = scene->act(&round);
	round.fired = inject_disarm();
	if (round.fired && !is_refusal(ret))
		FAIL("failure %u: the answer is %s", nth, errno_name(ret));
	if (!round.fired && ret)
		FAIL("without a failure: the answer is %s", errno_name(ret));
	if (getenv("FAILNTH_VERBOSE"))
		printf("# failure %u: %s\n", nth, round.fired ? errno_name(ret) : "none");
	scene->verify(&round, ret);
	round_end(&round);
	return round.fired;
}

static void check_stage(void *arg, unsigned int nth)
{
	const struct stage *stage = arg;

	check_leaks(&stage->before[0], nth);
	if (stage->scene->two)
		check_leaks(&stage->before[1], nth);
}

void run_scene(struct gpu *gpu, const struct scene *scene)
{
	struct stage stage = { .scene = scene, .before[0] = alive_now(gpu) };
	struct gpu other;

	if (scene->two) {
		CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
		stage.before[1] = alive_now(&other);
	}
	CHECK(run_rounds(&(struct rounds){ play_scene, check_stage, &stage }) || scene->modest);
}

void fill_system(struct round *round)
{
	area_fill(&round->area);
}

void fill_device(struct round *round)
{
	area_fill(&round->area);
	area_populate(&round->area);
}

void fill_used(struct round *round)
{
	fill_device(round);
	area_device_flip(&round->area, FLIP);
}

void verify_data(struct round *round, int ret)
{
	struct area *area = &round->area;

	(void)ret;
	area_check_device(area);
	area_check_cpu(area);
	area_populate(area);
	area_device_flip(area, FLIP);
	area_check_cpu(area);
}

void verify_alive(struct round *round, int ret)
{
	area_fill(&round->area);
	verify_data(round, ret);
}

uint64_t old_word(const struct area *area, size_t i)
{
	return pattern_word(area->seed, i) ^ area->flip;
}

uint64_t flipped_word(const struct area *area, size_t i)
{
	return old_word(area, i) ^ FLIP;
}

uint64_t filled_word(const struct area *area, size_t i)
{
	(void)area;
	(void)i;
	return FLIP;
}

void check_progress(const struct round *round, int ret,
		    uint64_t (*new_word)(const struct area *area, size_t i))
{
	const uint64_t *words = (uint64_t *)round->area.mem;
	size_t count = round->area.size / 8, i = 0;

	while (i < count && words[i] == new_word(&round->area, i))
		i++;
	if (round->done != UNKNOWN && i < round->done / 8)
		FAIL("word %zu is not new, of %llu", i, (unsigned long long)round->done / 8);
	if (!ret)
		CHECK_EQ(i, count);
	if (round->done != UNKNOWN)
		i = round->done / 8;
	for (; i < count; i++)
		if (words[i] != old_word(&round->area, i))
			FAIL("word %zu of %llu is not old", i, (unsigned long long)round->done / 8);
}

/* Last are those after which the devices are not what they were. */
static const struct tests *const files[] = {
	&memory_tests, &command_tests, &buffer_tests, &fault_tests, &end_tests,
};

int main(int argc, char **argv)
{
	static struct test all[MOST_TESTS];
	unsigned int count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		for (unsigned int n = 0; n < files[i]->count && count < MOST_TESTS; n++)
			all[count++] = files[i]->tests[n];
	return harness_main(argc, argv, all, count);
}
