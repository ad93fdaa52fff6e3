// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * More memory wants to be in VRAM than there is: what is not used goes, what is used
 * stays, nothing is lost, and everybody gets on.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knob.h"
#include "queue.h"

/* What is more takes too long to fill. */
#define MOST_VRAM	(64 * MIB)
#define BLOCK		HUGE_PAGE
#define THREADS		4
#define SLOT_WORDS	8
/* What a thread does at least, however slow the machine is. */
#define STEPS		60
/* Longer than new memory is left alone. */
#define AGE_MS		60
/* To try 512 that are held takes longer, wherever that is. */
#define HELD_SECONDS	5
#define KILL_SECONDS	2
/* What a job that waits for a fault must not delay: it waits for ten. */
#define STALL_SECONDS	5

static double run_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return seconds ? atof(seconds) : 3;
}

static void skip_if_large(const struct gpu *gpu)
{
	if (gpu->vram_size > MOST_VRAM)
		test_skip("there is more VRAM than %zu MiB to fill", MOST_VRAM / MIB);
}

static struct area block(const struct area *area, size_t i)
{
	return area_part(area, i * BLOCK, BLOCK);
}

static void populate_block(const struct area *area, size_t i)
{
	struct area part = block(area, i);

	area_move(&part, 0);
}

static size_t block_pages(const struct area *area, size_t i)
{
	struct area part = block(area, i);

	return area_pages(&part, MOCKGPU_PAGE_DEVICE);
}

/* VRAM is full, with an allocation for each block, and the last block is not in it. */
static struct area full_area(const struct gpu *gpu)
{
	struct area area;

	skip_if_large(gpu);
	area = area_filled(gpu, gpu->vram_size + BLOCK, 0, MEM_SMALL);
	for (size_t i = 0; i < gpu->vram_size / BLOCK; i++)
		populate_block(&area, i);
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), gpu->vram_size / PAGE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_ALLOCATIONS), gpu->vram_size / BLOCK);
	return area;
}

/* The oldest that was not used goes, and nothing else. */
static void least_recently_used(struct gpu *gpu)
{
	struct area area = full_area(gpu);
	size_t last = gpu->vram_size / BLOCK;
	uint64_t evictions = counter(gpu, MOCKGPU_COUNTER_EVICTIONS), word;

	CHECK_OK(gpu_read(gpu, area.vm, area.mem, sizeof(word), &word));
	CHECK_OK(gpu_read(gpu, area.vm, area.mem + 2 * BLOCK - 8, sizeof(word), &word));
	populate_block(&area, last);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_EVICTIONS), evictions + 1);
	for (size_t i = 0; i <= last; i++)
		CHECK_EQ(block_pages(&area, i), i == 2 ? 0 : BLOCK / PAGE);
	/* Those that were asked before have had their chance. */
	CHECK_OK(gpu_read(gpu, area.vm, area.mem + 3 * BLOCK, sizeof(word), &word));
	populate_block(&area, 2);
	for (size_t i = 0; i <= last; i++)
		CHECK_EQ(block_pages(&area, i), i == 4 ? 0 : BLOCK / PAGE);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* What a command has brought does not go for the rest of the same command. */
static void not_its_own(struct gpu *gpu)
{
	struct area area;

	skip_if_large(gpu);
	area = area_filled(gpu, 2 * gpu->vram_size, 0, MEM_SMALL);
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -ENOSPC);
	area.size = gpu->vram_size;
	CHECK_EQ(area_pages(&area, MOCKGPU_PAGE_DEVICE), area.size / PAGE);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Who holds pages of the oldest makes the next one go. */
static void busy_stays(struct gpu *gpu)
{
	struct area area;
	size_t last = gpu->vram_size / BLOCK;

	skip_if_large(gpu);
	area = area_filled(gpu, gpu->vram_size + BLOCK, 0, MEM_SMALL);
	populate_block(&area, 0);
	populate_block(&area, 1);
	CHECK_OK(knob_write(gpu, "hold_page", "all"));
	for (size_t i = 2; i < last; i++)
		populate_block(&area, i);
	populate_block(&area, last);
	for (size_t i = 0; i <= last; i++)
		CHECK_EQ(block_pages(&area, i), i == 2 ? 0 : BLOCK / PAGE);
	CHECK_OK(knob_set(gpu, "hold_page", 0));
	area_check_device(&area);
	area_check_cpu(&area);
}

/* When all is held the answer comes soon. */
static void all_busy(struct gpu *gpu)
{
	struct area area = full_area(gpu), last = block(&area, gpu->vram_size / BLOCK);
	double begin;

	CHECK_OK(knob_write(gpu, "hold_page", "all"));
	begin = seconds_now();
	CHECK_RET(gpu_populate(gpu, area.vm, last.mem, last.size), -ENOSPC);
	CHECK(seconds_now() - begin < patience(20));
	CHECK_OK(knob_set(gpu, "hold_page", 0));
	area_check_device(&area);
	area_check_cpu(&area);
}

/* VRAM is full and all of it is held, a part of it in pieces of a page. */
static struct area held_area(const struct gpu *gpu)
{
	struct area area, part;

	skip_if_large(gpu);
	area = area_filled(gpu, gpu->vram_size + BLOCK, 0, MEM_SMALL);
	for (size_t at = 0; at < BLOCK; at += PAGE) {
		part = area_part(&area, at, PAGE);
		area_move(&part, 0);
	}
	for (size_t i = 1; i < gpu->vram_size / BLOCK; i++)
		populate_block(&area, i);
	CHECK_OK(knob_write(gpu, "hold_page", "all"));
	return area;
}

/* The more pieces there are, the longer it would take to try them all. */
static void many_busy(struct gpu *gpu)
{
	struct area area = held_area(gpu), last = block(&area, gpu->vram_size / BLOCK);
	double begin = seconds_now();

	CHECK_RET(gpu_populate(gpu, area.vm, last.mem, last.size), -ENOSPC);
	printf("# the answer took %.3f s\n", seconds_now() - begin);
	CHECK(seconds_now() - begin < HELD_SECONDS);
	CHECK_OK(knob_set(gpu, "hold_page", 0));
	area_check_device(&area);
	area_check_cpu(&area);
}

static void want_room(void *arg)
{
	struct gpu *other = arg, gpu;
	struct area area;

	CHECK_OK(gpu_open(&gpu, other->index));
	area = area_filled(&gpu, BLOCK, 0, MEM_SMALL);
	for (;;)
		CHECK_RET(gpu_populate(&gpu, area.vm, area.mem, area.size), -ENOSPC);
}

/* Who is killed while he makes room does not go on with that. */
static void many_busy_killed(struct gpu *gpu)
{
	struct area area = held_area(gpu);
	pid_t pid = test_fork(want_room, gpu);
	double begin;
	int status;

	sleep_ms(300 * patience(1));
	begin = seconds_now();
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	printf("# the end took %.3f s\n", seconds_now() - begin);
	CHECK(WIFSIGNALED(status));
	CHECK(seconds_now() - begin < KILL_SECONDS);
	CHECK_OK(knob_set(gpu, "hold_page", 0));
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Pieces of all sizes: in the end there is a large one again. */
static void fragments(struct gpu *gpu)
{
	struct area area, part;
	uint64_t random = 1;
	size_t size, at;

	skip_if_large(gpu);
	area = area_filled(gpu, 2 * gpu->vram_size, 0, MEM_SMALL);
	for (at = 0; at < area.size; at += size) {
		size = (1 + random_next(&random) % 100) * PAGE;
		size = size < area.size - at ? size : area.size - at;
		part = area_part(&area, at, size);
		area_move(&part, 0);
	}
	for (size_t i = 0; i < 4; i++) {
		populate_block(&area, i);
		CHECK_EQ(block_pages(&area, i), BLOCK / PAGE);
	}
	area_check_device(&area);
	area_check_cpu(&area);
}

/* What all threads of a test share, and what each knows of its words. */
struct shared {
	struct area area;
	double deadline;
};

struct worker {
	struct shared *shared;
	unsigned int number;
	uint32_t queue;
	uint64_t random;
	uint64_t *values;
	uint64_t old[JOB_COMMANDS];
	unsigned long accesses, jobs, prefetched;
	pthread_t thread;
};

static size_t some_page(struct worker *worker)
{
	return random_next(&worker->random) % (worker->shared->area.size / PAGE);
}

static uint64_t *slot(const struct worker *worker, size_t page)
{
	uint64_t *words = (uint64_t *)(worker->shared->area.mem + page * PAGE);

	return words + worker->number * SLOT_WORDS;
}

static void check_word(const struct worker *worker, size_t page, uint64_t got)
{
	if (got != worker->values[page])
		FAIL("page %zu: the word of thread %u is %#llx, not %#llx", page, worker->number,
		     (unsigned long long)got, (unsigned long long)worker->values[page]);
}

static void do_access(struct worker *worker)
{
	const struct area *area = &worker->shared->area;
	size_t page = some_page(worker);
	uint64_t value;

	CHECK_OK(gpu_read(area->gpu, area->vm, slot(worker, page), sizeof(value), &value));
	check_word(worker, page, value);
	value = random_next(&worker->random);
	CHECK_OK(gpu_write(area->gpu, area->vm, slot(worker, page), sizeof(value), &value));
	worker->values[page] = value;
	worker->accesses++;
}

/* Each command finds what the last one on the same word left, and says what it found. */
static void do_job(struct worker *worker)
{
	const struct area *area = &worker->shared->area;
	uint64_t value = random_next(&worker->random);
	/* Each may need a fault, and all of them have ten seconds. */
	size_t count = 1 + (JOB_COMMANDS - 1) / patience(1);
	size_t pages[JOB_COMMANDS];
	struct job job = { };

	for (size_t i = 0; i < count; i++) {
		pages[i] = some_page(worker);
		job_add(&job, cmd_exchange(slot(worker, pages[i]), value + i,
					   &worker->old[i]));
	}
	job_start(&job, area->gpu, worker->queue);
	CHECK_OK(job_end(&job));
	free(job.result);
	for (size_t i = 0; i < count; i++) {
		check_word(worker, pages[i], worker->old[i]);
		worker->values[pages[i]] = value + i;
	}
	worker->jobs++;
}

/* Of what came since, others may leave nothing that can go. */
static void do_prefetch(struct worker *worker)
{
	const struct area *area = &worker->shared->area;
	size_t at = some_page(worker) * PAGE / BLOCK * BLOCK;
	struct drm_mockgpu_prefetch args = {
		.vm_id = area->vm, .location = MOCKGPU_PREFER_DEVICE,
		.addr = (uintptr_t)area->mem + at, .size = BLOCK,
	};
	int ret = gpu_ioctl(area->gpu, DRM_IOCTL_MOCKGPU_PREFETCH, &args);

	CHECK(!ret || ret == -ENOSPC || ret == -EBUSY);
	worker->prefetched += !ret;
}

static void do_cpu(struct worker *worker)
{
	size_t page = some_page(worker);

	check_word(worker, page, *slot(worker, page));
	*slot(worker, page) = worker->values[page] = random_next(&worker->random);
}

static void *run_worker(void *arg)
{
	struct worker *worker = arg;
	unsigned int steps = 0;

	while (steps++ < STEPS || seconds_now() < worker->shared->deadline) {
		switch (random_next(&worker->random) % 16) {
		case 0:
			do_prefetch(worker);
			break;
		case 1:
			do_cpu(worker);
			break;
		case 2 ... 8:
			do_job(worker);
			break;
		default:
			do_access(worker);
		}
	}
	return NULL;
}

static void start_workers(struct worker *workers, struct shared *shared)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		workers[i].shared = shared;
		workers[i].number = i;
		workers[i].random = i + 1;
		workers[i].queue = queue_new(shared->area.gpu, shared->area.vm);
		workers[i].values = calloc(shared->area.size / PAGE, sizeof(uint64_t));
		CHECK(workers[i].values);
		CHECK(!pthread_create(&workers[i].thread, NULL, run_worker, &workers[i]));
	}
}

static void end_worker(struct worker *worker)
{
	CHECK(!pthread_join(worker->thread, NULL));
	printf("# thread %u: %lu accesses, %lu jobs, %lu prefetches\n", worker->number,
	       worker->accesses, worker->jobs, worker->prefetched);
	CHECK(worker->accesses > 0);
	CHECK(worker->jobs > 0);
}

/* As the device sees it, as the CPU does. */
static void check_all_words(struct worker *worker)
{
	const struct area *area = &worker->shared->area;
	uint64_t *copy = malloc(area->size);

	CHECK(copy);
	CHECK_OK(gpu_read(area->gpu, area->vm, area->mem, area->size, copy));
	for (size_t page = 0; page < area->size / PAGE; page++) {
		check_word(worker, page,
			   copy[page * PAGE / 8 + worker->number * SLOT_WORDS]);
		check_word(worker, page, *slot(worker, page));
	}
	free(copy);
}

/*
 * Memory that is so many times as large as VRAM and is to be in VRAM wherever the
 * device uses it, which it does everywhere.
 */
static void random_access(struct gpu *gpu, unsigned int times)
{
	struct worker workers[THREADS] = { };
	struct shared shared = { };
	struct area first;
	uint64_t evictions;

	skip_if_large(gpu);
	shared.area = area_new(gpu, times * gpu->vram_size, 0, MEM_SMALL);
	first = area_part(&shared.area, 0, gpu->vram_size);
	area_populate(&first);
	evictions = counter(gpu, MOCKGPU_COUNTER_EVICTIONS);
	shared.deadline = seconds_now() + run_seconds();
	CHECK_OK(area_set_attr(&shared.area, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	CHECK_OK(area_set_attr(&shared.area, MOCKGPU_ATTR_GRANULARITY, 64 * KIB));
	start_workers(workers, &shared);
	for (unsigned int i = 0; i < THREADS; i++)
		end_worker(&workers[i]);
	evictions = counter(gpu, MOCKGPU_COUNTER_EVICTIONS) - evictions;
	printf("# %lu evictions\n", (unsigned long)evictions);
	CHECK(evictions > 0);
	for (unsigned int i = 0; i < THREADS; i++)
		check_all_words(&workers[i]);
}

static void random_twice(struct gpu *gpu)
{
	random_access(gpu, 2);
}

static void random_four_times(struct gpu *gpu)
{
	random_access(gpu, 4);
}

/* Moves more than there is room for through VRAM, again and again, and uses none. */
static void be_greedy(void *arg)
{
	unsigned int index = *(unsigned int *)arg;
	double deadline = seconds_now() + run_seconds();
	struct area area;
	struct gpu gpu;
	size_t i = 0;
	int ret;

	CHECK_OK(gpu_open(&gpu, index));
	area = area_filled(&gpu, 2 * gpu.vram_size, 0, MEM_SMALL);
	for (; seconds_now() < deadline || i <= gpu.vram_size / BLOCK; i++) {
		struct area part = block(&area, i % (area.size / BLOCK));

		ret = gpu_populate(&gpu, area.vm, part.mem, part.size);
		CHECK(!ret || ret == -EBUSY || ret == -ENOSPC);
	}
	printf("# %zu blocks went through VRAM\n", i);
	area_check_cpu(&area);
}

/* What is used stays in VRAM, while somebody else wants all of it. */
static void working_set(struct gpu *gpu)
{
	struct area area;
	size_t resident = 0, rounds = 0;
	double deadline;
	pid_t pid;

	skip_if_large(gpu);
	/* First, as the memory would be shared with it. */
	pid = test_fork(be_greedy, &gpu->index);
	area = area_filled(gpu, gpu->vram_size / 4, 0, MEM_SMALL);
	area_move(&area, 0);
	deadline = seconds_now() + run_seconds();
	for (; seconds_now() < deadline; rounds++) {
		area_device_flip(&area, rounds + 1);
		resident += area_pages(&area, MOCKGPU_PAGE_DEVICE);
	}
	test_join(pid);
	printf("# %zu rounds, %zu of %zu pages in VRAM at their ends\n", rounds, resident / rounds,
	       area.size / PAGE);
	/* All of it, but on a machine where it is used too seldom, for want of a processor. */
	CHECK(resident / rounds > area.size / PAGE / 4);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* A fault does not take from others what they have just got. */
static void fresh_stays(struct gpu *gpu)
{
	struct area area, last;
	uint64_t word;

	area = full_area(gpu);
	last = block(&area, gpu->vram_size / BLOCK);
	CHECK_OK(area_set_attr(&last, MOCKGPU_ATTR_PREFERRED, MOCKGPU_PREFER_DEVICE));
	sleep_ms(AGE_MS);
	CHECK_OK(gpu_read(gpu, area.vm, last.mem, sizeof(word), &word));
	CHECK_PLACE(&last, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(block_pages(&area, 0), 0);
	area_check_device(&area);
	area_check_cpu(&area);
}

/* Changes mappings of the process all the time, and counts how often. */
struct mapper {
	pthread_t thread;
	atomic_bool stop;
	atomic_ulong rounds;
};

static void *map_and_unmap(void *arg)
{
	struct mapper *mapper = arg;

	while (!atomic_load(&mapper->stop)) {
		char *mem = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		CHECK(mem != MAP_FAILED);
		memset(mem, 1, 16 * PAGE);
		CHECK_SYS(mprotect(mem + PAGE, PAGE, PROT_READ));
		CHECK_SYS(munmap(mem, 16 * PAGE));
		atomic_fetch_add(&mapper->rounds, 1);
	}
	return NULL;
}

static void wait_for_rounds(struct mapper *mapper, double begin)
{
	unsigned long before = atomic_load(&mapper->rounds);

	while (atomic_load(&mapper->rounds) < before + 2) {
		CHECK(seconds_now() - begin < patience(STALL_SECONDS));
		sleep_ms(1);
	}
}

/* Each of them is one that must go for another, and is wanted again later. */
static void make_room_often(const struct area *area, struct mapper *mapper, double begin)
{
	size_t blocks = area->size / BLOCK;
	uint64_t evictions = counter(area->gpu, MOCKGPU_COUNTER_EVICTIONS);

	for (size_t i = 0; i < 2 * blocks && i < 20; i++) {
		size_t next = (blocks - 1 + i) % blocks;

		CHECK_EQ(block_pages(area, next), 0);
		populate_block(area, next);
		CHECK_EQ(block_pages(area, next), BLOCK / PAGE);
		CHECK(counter(area->gpu, MOCKGPU_COUNTER_EVICTIONS) > evictions + i);
		wait_for_rounds(mapper, begin);
	}
}

/*
 * A job waits for a fault that nobody handles, and VRAM is full. Who moves memory, for
 * which something has to go, and who changes mappings waits for neither.
 */
static void stalled_and_full(struct gpu *gpu)
{
	struct area area = full_area(gpu), other = area_new(gpu, PAGE, 0, MEM_SMALL);
	struct mapper mapper = { };
	struct job job = { };
	double begin;

	memset(other.mem, 0, PAGE);
	CHECK_OK(knob_set(gpu, "hold_faults", 1));
	begin = seconds_now();
	job_add(&job, cmd_fill(other.mem, 8, 1));
	job_start(&job, gpu, queue_new(gpu, other.vm));
	CHECK_RET(sync_wait(gpu, job.sync, 0, 0.1), -ETIME);
	CHECK(!pthread_create(&mapper.thread, NULL, map_and_unmap, &mapper));
	make_room_often(&area, &mapper, begin);
	printf("# %lu rounds of mapping, %.3f s\n", atomic_load(&mapper.rounds),
	       seconds_now() - begin);
	CHECK(seconds_now() - begin < patience(STALL_SECONDS));
	/* It has ten seconds for it. */
	CHECK(seconds_now() - begin > 9 || sync_wait(gpu, job.sync, 0, 0) == -ETIME);
	CHECK_OK(knob_set(gpu, "hold_faults", 0));
	atomic_store(&mapper.stop, true);
	CHECK(!pthread_join(mapper.thread, NULL));
	CHECK_OK(job_end(&job));
	CHECK_EQ(*(uint64_t *)other.mem, 1);
	area_check_device(&area);
	area_check_cpu(&area);
}

static const struct test tests[] = {
	{ "least-recently-used", least_recently_used, NEED_VRAM, 0 },
	{ "not-its-own", not_its_own, NEED_VRAM, 0 },
	{ "busy-stays", busy_stays, NEED_VRAM | NEED_KNOBS, 0 },
	{ "all-busy", all_busy, NEED_VRAM | NEED_KNOBS, 0 },
	{ "many-busy", many_busy, NEED_VRAM | NEED_KNOBS, 0 },
	{ "many-busy-killed", many_busy_killed, NEED_VRAM | NEED_KNOBS, 0 },
	{ "stalled-and-full", stalled_and_full, NEED_VRAM | NEED_KNOBS, 0 },
	{ "fragments", fragments, NEED_VRAM, 0 },
	{ "fault", fresh_stays, NEED_VRAM, 0 },
	{ "random-twice", random_twice, NEED_VRAM, 0 },
	{ "random-four-times", random_four_times, NEED_VRAM, 0 },
	{ "working-set", working_set, NEED_VRAM, 0 },
};

HARNESS_MAIN(tests)
