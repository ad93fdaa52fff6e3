// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Many threads at once on the same memory: CPU and device read and write it
 * while it is moved to and fro. Nothing anybody wrote may be lost.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"

#define MAX_THREADS	16
#define SHARED_PAGES	256
#define SLOT_WORDS	8

static double run_seconds(void)
{
	const char *seconds = getenv("TEST_SECONDS");

	return seconds ? atof(seconds) : 4;
}

static unsigned int thread_count(void)
{
	long count = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	return count < 4 ? 4 : count > MAX_THREADS ? MAX_THREADS : count;
}

/* What all threads of a test share. */
struct shared {
	struct area area;
	double deadline;
	pthread_barrier_t barrier;
	unsigned int threads, rounds;
	atomic_bool moved;
	bool stop;
};

/*
 * A thread owns one slot of every page and knows what is in it. Slots of all
 * threads share the pages, so pages are wanted everywhere at once.
 */
struct worker {
	struct shared *shared;
	unsigned int number;
	uint64_t random;
	uint64_t values[SHARED_PAGES];
	unsigned long steps, busy, moves;
	pthread_t thread;
};

static uint64_t *slot(const struct worker *worker, size_t page)
{
	uint64_t *words = (uint64_t *)(worker->shared->area.mem + page * PAGE);

	return words + worker->number * SLOT_WORDS;
}

static void check_slot(const struct worker *worker, const uint64_t *words, size_t page,
		       const char *who)
{
	for (int i = 0; i < SLOT_WORDS; i++) {
		uint64_t got = ((const volatile uint64_t *)words)[i];

		if (got != worker->values[page])
			FAIL("%s of thread %u: page %zu, word %d: got %#llx, want %#llx", who,
			     worker->number, page, i, (unsigned long long)got,
			     (unsigned long long)worker->values[page]);
	}
}

static void cpu_read(struct worker *worker, size_t page)
{
	check_slot(worker, slot(worker, page), page, "CPU read");
}

static void cpu_write(struct worker *worker, size_t page)
{
	worker->values[page] = random_next(&worker->random) << 20 | page;
	for (int i = 0; i < SLOT_WORDS; i++)
		((volatile uint64_t *)slot(worker, page))[i] = worker->values[page];
}

/* While others keep moving the page the device may give up: nothing is done then. */
static void access_slot(struct worker *worker, struct drm_mockgpu_access *access, size_t page)
{
	int ret;

	access->vm_id = worker->shared->area.vm;
	access->addr = (uintptr_t)slot(worker, page);
	access->size = SLOT_WORDS * sizeof(uint64_t);
	while ((ret = gpu_access(worker->shared->area.gpu, access)) == -EBUSY) {
		CHECK_EQ(access->done, 0);
		worker->busy++;
	}
	CHECK_OK(ret);
	CHECK_EQ(access->done, access->size);
}

static void device_read(struct worker *worker, size_t page)
{
	uint64_t copy[SLOT_WORDS];
	struct drm_mockgpu_access access = {
		.op = MOCKGPU_ACCESS_READ, .data = (uintptr_t)copy,
	};

	access_slot(worker, &access, page);
	check_slot(worker, copy, page, "device read");
}

static void device_fill(struct worker *worker, size_t page)
{
	struct drm_mockgpu_access access = { .op = MOCKGPU_ACCESS_FILL };

	worker->values[page] = random_next(&worker->random) << 24 | page;
	access.value = worker->values[page];
	access_slot(worker, &access, page);
}

static void device_xor(struct worker *worker, size_t page)
{
	struct drm_mockgpu_access access = { .op = MOCKGPU_ACCESS_XOR };

	access.value = random_next(&worker->random);
	access_slot(worker, &access, page);
	worker->values[page] ^= access.value;
}

static void populate_some(struct worker *worker, size_t page)
{
	const struct area *area = &worker->shared->area;
	size_t pages = random_next(&worker->random) % 64 + 1;
	int ret;

	if (pages > area->size / PAGE - page)
		pages = area->size / PAGE - page;
	ret = gpu_populate(area->gpu, area->vm, area->mem + page * PAGE, pages * PAGE);
	if (ret && ret != -EBUSY && ret != -ENOSPC)
		FAIL("populate answers %s", errno_name(ret));
	worker->moves += !ret;
	if (!ret)
		atomic_store(&worker->shared->moved, true);
}

static void evict_some(struct worker *worker, size_t page)
{
	const struct area *area = &worker->shared->area;
	int ret;

	if (random_next(&worker->random) % 4)
		ret = gpu_evict_at(area->gpu, area->vm, area->mem + page * PAGE);
	else
		ret = gpu_evict_vm(area->gpu, area->vm);
	if (ret && ret != -EBUSY && ret != -ENOENT)
		FAIL("evict answers %s", errno_name(ret));
}

/* So many threads may need longer until one of them has moved something. */
static bool go_on(struct shared *shared)
{
	double left = shared->deadline - seconds_now();

	return left > 0 || (gpu_has_vram(shared->area.gpu) && !atomic_load(&shared->moved) &&
			    left > -patience(20));
}

static void *work(void *arg)
{
	static void (*const kinds[])(struct worker *worker, size_t page) = {
		cpu_read, cpu_write, cpu_read, cpu_write, device_read, device_read,
		device_fill, device_xor, device_xor, populate_some, populate_some, evict_some,
	};
	struct worker *worker = arg;
	size_t pages = worker->shared->area.size / PAGE;

	while (go_on(worker->shared)) {
		unsigned int kind = random_next(&worker->random) % ARRAY_SIZE(kinds);

		kinds[kind](worker, random_next(&worker->random) % pages);
		worker->steps++;
	}
	return NULL;
}

static void start(struct worker *workers, struct shared *shared, void *(*fn)(void *arg))
{
	for (unsigned int i = 0; i < shared->threads; i++) {
		workers[i].shared = shared;
		workers[i].number = i;
		workers[i].random = i + 1;
		CHECK_EQ(pthread_create(&workers[i].thread, NULL, fn, &workers[i]), 0);
	}
}

static void join(struct worker *workers, const struct shared *shared)
{
	for (unsigned int i = 0; i < shared->threads; i++)
		CHECK_EQ(pthread_join(workers[i].thread, NULL), 0);
}

static struct worker *workers_new(struct shared *shared)
{
	struct worker *workers;

	shared->threads = thread_count();
	shared->deadline = seconds_now() + run_seconds();
	workers = calloc(shared->threads, sizeof(*workers));
	CHECK(workers);
	CHECK_EQ(pthread_barrier_init(&shared->barrier, NULL, shared->threads), 0);
	return workers;
}

static void everything(struct gpu *gpu, size_t pages, enum mem_thp thp)
{
	struct shared shared = { .area = area_new(gpu, pages * PAGE, 0, thp) };
	struct worker *workers = workers_new(&shared);
	unsigned long steps = 0, busy = 0, moves = 0;

	start(workers, &shared, work);
	join(workers, &shared);
	for (unsigned int i = 0; i < shared.threads; i++) {
		for (size_t page = 0; page < pages; page++)
			cpu_read(&workers[i], page);
		steps += workers[i].steps;
		busy += workers[i].busy;
		moves += workers[i].moves;
	}
	printf("# %u threads, %lu steps, %lu populates, %lu times busy\n", shared.threads, steps,
	       moves, busy);
	if (gpu_has_vram(gpu))
		CHECK(moves);
}

static void everything_small(struct gpu *gpu)
{
	everything(gpu, SHARED_PAGES, MEM_SMALL);
}

/* So few pages that somebody always wants what another one is moving. */
static void everything_hot(struct gpu *gpu)
{
	everything(gpu, 2, MEM_SMALL);
}

static void everything_huge(struct gpu *gpu)
{
	everything(gpu, SHARED_PAGES, MEM_HUGE);
}

/* One thread prepares each round, then all do the same thing at once. */
static bool next_round(struct worker *worker, void (*prepare)(const struct area *area))
{
	struct shared *shared = worker->shared;

	pthread_barrier_wait(&shared->barrier);
	if (!worker->number) {
		shared->stop = seconds_now() > shared->deadline;
		if (!shared->stop) {
			prepare(&shared->area);
			shared->rounds++;
		}
	}
	pthread_barrier_wait(&shared->barrier);
	return !shared->stop;
}

static void in_rounds(struct gpu *gpu, void *(*fn)(void *arg))
{
	struct shared shared = { .area = area_filled(gpu, MIB, 0, MEM_SMALL) };
	struct worker *workers = workers_new(&shared);

	start(workers, &shared, fn);
	join(workers, &shared);
	printf("# %u threads, %u rounds\n", shared.threads, shared.rounds);
	area_check_device(&shared.area);
	area_check_cpu(&shared.area);
	CHECK(shared.rounds);
}

/* Another thread may still be on its way out of the last round: then it is busy. */
static void bring_home(const struct area *area)
{
	int ret;

	while ((ret = gpu_evict_vm(area->gpu, area->vm)) == -EBUSY)
		sleep_ms(1);
	CHECK_OK(ret);
}

static void bring_to_device(const struct area *area)
{
	int ret;

	bring_home(area);
	while ((ret = gpu_populate(area->gpu, area->vm, area->mem, area->size)) == -EBUSY)
		sleep_ms(1);
	CHECK_OK(ret);
}

/* The last thread evicts what the CPUs want to have. */
static void maybe_evict(const struct worker *worker)
{
	const struct shared *shared = worker->shared;

	if (worker->number == shared->threads - 1 && shared->rounds % 2)
		gpu_evict_at(shared->area.gpu, shared->area.vm, shared->area.mem);
}

/* All CPUs want the same page at the same moment. */
static void *fault_same_page(void *arg)
{
	struct worker *worker = arg;
	struct area page = area_part(&worker->shared->area, 0, PAGE);

	while (next_round(worker, bring_to_device)) {
		maybe_evict(worker);
		area_check_cpu(&page);
	}
	return NULL;
}

/* Each CPU wants another page of one allocation. */
static void *fault_own_page(void *arg)
{
	struct worker *worker = arg;

	while (next_round(worker, bring_to_device)) {
		const uint64_t *words = (uint64_t *)worker->shared->area.mem;

		maybe_evict(worker);
		for (size_t page = worker->number; page < SHARED_PAGES; page += worker->shared->threads) {
			size_t index = page * PAGE / 8;

			CHECK(words[index] == pattern_word(worker->shared->area.seed, index));
		}
	}
	return NULL;
}

static void *populate_together(void *arg)
{
	struct worker *worker = arg;
	const struct area *area = &worker->shared->area;

	while (next_round(worker, bring_home)) {
		int ret = gpu_populate(area->gpu, area->vm, area->mem, area->size);

		if (ret && ret != -EBUSY)
			FAIL("populate answers %s", errno_name(ret));
	}
	return NULL;
}

static void *evict_together(void *arg)
{
	struct worker *worker = arg;
	const struct area *area = &worker->shared->area;

	while (next_round(worker, bring_to_device)) {
		int ret = gpu_evict_vm(area->gpu, area->vm);

		if (ret && ret != -EBUSY)
			FAIL("evict answers %s", errno_name(ret));
	}
	return NULL;
}

static void same_page(struct gpu *gpu)
{
	in_rounds(gpu, fault_same_page);
}

static void own_page(struct gpu *gpu)
{
	in_rounds(gpu, fault_own_page);
}

static void populate_race(struct gpu *gpu)
{
	in_rounds(gpu, populate_together);
}

static void evict_race(struct gpu *gpu)
{
	in_rounds(gpu, evict_together);
}

/* The device works on memory that comes and goes. */
static void *use_changing(void *arg)
{
	struct worker *worker = arg;
	const struct area *area = &worker->shared->area;

	while (seconds_now() < worker->shared->deadline) {
		int ret = random_next(&worker->random) % 2 ?
			gpu_populate(area->gpu, area->vm, area->mem, area->size) :
			gpu_fill(area->gpu, area->vm, area->mem, area->size, worker->number);

		if (ret && ret != -EBUSY && ret != -EFAULT && ret != -ENOENT && ret != -ENOSPC)
			FAIL("answer %s", errno_name(ret));
		worker->steps++;
	}
	return NULL;
}

static void change_mapping(const struct area *area, unsigned int how)
{
	switch (how % 4) {
	case 0:
		CHECK_SYS(munmap(area->mem, area->size));
		break;
	case 1:
		CHECK_SYS(madvise(area->mem, area->size, MADV_DONTNEED));
		break;
	case 2:
		CHECK_SYS(mprotect(area->mem, area->size / 2, PROT_READ));
		break;
	}
	CHECK(mmap(area->mem, area->size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area->mem);
}

static void unmap_race(struct gpu *gpu)
{
	struct shared shared = { .area = area_filled(gpu, MIB, 0, MEM_SMALL) };
	struct worker *workers = workers_new(&shared);

	start(workers, &shared, use_changing);
	for (unsigned int i = 0; seconds_now() < shared.deadline; i++) {
		change_mapping(&shared.area, i);
		sleep_ms(i % 8);
	}
	join(workers, &shared);
	area_fill(&shared.area);
	area_check_device(&shared.area);
	area_check_cpu(&shared.area);
}

static void *move_for_ever(void *arg)
{
	struct worker *worker = arg;

	while (seconds_now() < worker->shared->deadline) {
		size_t page = random_next(&worker->random) % SHARED_PAGES;

		if (worker->number % 2)
			evict_some(worker, page);
		else
			populate_some(worker, page);
	}
	return NULL;
}

static void check_in_child(void *arg)
{
	struct area *area = arg;

	area_check_cpu(area);
	area_fill(area);
	area_check_cpu(area);
}

/* Processes are forked from memory that is on the move. */
static void fork_race(struct gpu *gpu)
{
	struct shared shared = { .area = area_filled(gpu, MIB, 0, MEM_SMALL) };
	struct worker *workers = workers_new(&shared);
	unsigned int forks = 0;

	start(workers, &shared, move_for_ever);
	for (; seconds_now() < shared.deadline; forks++)
		test_join(test_fork(check_in_child, &shared.area));
	join(workers, &shared);
	printf("# %u forks\n", forks);
	area_check_cpu(&shared.area);
}

static const struct test tests[] = {
	{ "everything-small", everything_small, 0, 0 },
	{ "everything-hot", everything_hot, 0, 0 },
	{ "everything-huge", everything_huge, NEED_THP, 0 },
	{ "same-page", same_page, NEED_VRAM, 0 },
	{ "own-page", own_page, NEED_VRAM, 0 },
	{ "populate-race", populate_race, NEED_VRAM, 0 },
	{ "evict-race", evict_race, NEED_VRAM, 0 },
	{ "unmap-race", unmap_race, NEED_VRAM, 0 },
	{ "fork-race", fork_race, NEED_VRAM, 0 },
};

HARNESS_MAIN(tests)
