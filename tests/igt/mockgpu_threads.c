// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Threads and processes use the same memory at once, by CPU and by device. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define WORKERS	8
#define ROUNDS	12
/* Memory that is moved while it is used takes some of the kernels a second each. */
#define MOVES	6
#define PAGES	64
#define SIZE	(PAGES * PAGE)

/* Which word of which page is a worker's in a round: nobody else writes it. */
struct pattern {
	const char *name;
	const char *describe;
	size_t (*word)(unsigned int worker, unsigned int round);
};

/* All in the first page. */
static size_t same_page(unsigned int worker, unsigned int round)
{
	(void)round;
	return worker * 8;
}

static size_t own_pages(unsigned int worker, unsigned int round)
{
	return (worker * (PAGES / WORKERS) + round % (PAGES / WORKERS)) * PAGE;
}

/* Neighbours in each page. */
static size_t interleaved(unsigned int worker, unsigned int round)
{
	return (round * 5 % PAGES) * PAGE + 1024 + worker * 8;
}

static const struct pattern patterns[] = {
	{ "same-page", "all use one page", same_page },
	{ "own-pages", "each has pages of its own", own_pages },
	{ "interleaved", "each has a word in every page", interleaved },
};

struct variant {
	const char *name;
	/* Each has a VM of its own. */
	bool own_vm;
	/* All begin each round together. */
	bool together;
	/* The CPU writes in between. */
	bool cpu;
	/* Memory is moved in between. */
	bool moves;
	unsigned int needs;
};

static const struct variant variants[] = {
	{ "shared-vm", false, false, false, false, 0 },
	{ "own-vm", true, false, false, false, 0 },
	{ "shared-vm-barrier", false, true, false, false, 0 },
	{ "shared-vm-cpu-race", false, false, true, false, 0 },
	{ "shared-vm-vram", false, false, true, true, NEED_VRAM },
	{ "own-vm-vram", true, true, true, true, NEED_VRAM },
};

struct cell {
	const struct pattern *pattern;
	const struct variant *variant;
};

struct work {
	const struct cell *cell;
	const struct gpu *gpu;
	struct buffer buffer;
	pthread_barrier_t barrier;
	atomic_uint next;
	uint64_t last[WORKERS];
};

static void move(const struct work *work, unsigned int worker, unsigned int round)
{
	int ret;

	if (round % WORKERS != worker)
		return;
	ret = round % 2 ? gpu_evict_vm(work->gpu, work->buffer.vm) :
			  buffer_try_populate(&work->buffer);
	CHECK(!ret || ret == -EBUSY || ret == -ENOSPC);
}

/* What it wrote last must be there, whoever else was in the page. */
static void check_word(const struct buffer *view, size_t at, uint64_t want)
{
	uint64_t got = 0;

	CHECK_OK(gpu_read(view->gpu, view->vm, view->mem + at, sizeof(got), &got));
	if (got != want)
		FAIL("the word at %#zx is %#llx, not %#llx", at, (unsigned long long)got,
		     (unsigned long long)want);
}

static void *worker(void *arg)
{
	struct work *work = arg;
	const struct variant *variant = work->cell->variant;
	unsigned int me = atomic_fetch_add(&work->next, 1);
	unsigned int rounds = variant->moves ? MOVES : ROUNDS;
	struct buffer view = variant->own_vm ? buffer_as_seen_by(&work->buffer, work->gpu) :
					       work->buffer;

	for (unsigned int round = 0; round < rounds; round++) {
		size_t at = work->cell->pattern->word(me, round);
		uint64_t value = new_value();

		if (variant->together)
			pthread_barrier_wait(&work->barrier);
		if (variant->moves)
			move(work, me, round);
		if (variant->cpu && round % 3 == 0)
			*(volatile uint64_t *)(view.mem + at) = value;
		else
			CHECK_OK(gpu_fill(view.gpu, view.vm, view.mem + at, 8, value));
		check_word(&view, at, value);
		memcpy(view.shadow + at, &value, sizeof(value));
	}
	return NULL;
}

static void threads(struct gpu *gpu, const void *arg)
{
	struct work work = { .cell = arg, .gpu = gpu };
	struct crew crew;

	work.buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	CHECK_EQ(pthread_barrier_init(&work.barrier, NULL, WORKERS), 0);
	crew_start(&crew, WORKERS, worker, &work);
	crew_join(&crew);
	buffer_check(&work.buffer);
}

/* One process each: of the same shared pages, or each of its own memory. */
static void worker_process(void *arg)
{
	struct work *work = arg;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, work->gpu->index));
	work->gpu = &gpu;
	work->buffer = buffer_as_seen_by(&work->buffer, &gpu);
	worker(work);
}

static void *shared_memory(size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(mem != MAP_FAILED);
	return mem;
}

static void processes(struct gpu *gpu, const void *arg)
{
	static const struct variant variant = { .cpu = true };
	const struct cell cell = { arg, &variant };
	struct work *work = shared_memory(sizeof(*work));
	pid_t pids[WORKERS];

	work->cell = &cell;
	work->gpu = gpu;
	work->buffer = buffer_at(gpu, shared_memory(SIZE), SIZE);
	work->buffer.shadow = shared_memory(SIZE);
	for (unsigned int i = 0; i < WORKERS; i++) {
		struct work *mine = malloc(sizeof(*mine));

		*mine = *work;
		mine->next = i;
		pids[i] = test_fork(worker_process, mine);
	}
	for (unsigned int i = 0; i < WORKERS; i++)
		test_join(pids[i]);
	buffer_check(&work->buffer);
}

static void own_memory_process(void *arg)
{
	struct gpu gpu;
	struct buffer buffer;

	CHECK_OK(gpu_open(&gpu, ((struct gpu *)arg)->index));
	buffer = buffer_filled(&gpu, SIZE, MEM_SMALL);
	for (int round = 0; round < 4; round++) {
		if (gpu_has_vram(&gpu))
			buffer_try_populate(&buffer);
		buffer_dev_xor(&buffer, 0, SIZE, new_value());
		buffer_cpu_touch(&buffer);
	}
	buffer_check(&buffer);
}

static void processes_own_memory(struct gpu *gpu, const void *arg)
{
	pid_t pids[WORKERS];

	(void)arg;
	for (unsigned int i = 0; i < WORKERS; i++)
		pids[i] = test_fork(own_memory_process, gpu);
	for (unsigned int i = 0; i < WORKERS; i++)
		test_join(pids[i]);
}

/* CPU faults of many on what is in VRAM, at the same moment. */
struct storm {
	struct buffer buffer;
	pthread_barrier_t *barrier;
	atomic_uint next;
	bool same;
};

static void read_pages(const struct storm *storm, unsigned int me)
{
	for (size_t page = storm->same ? 0 : me; page < PAGES; page += storm->same ? 1 : WORKERS) {
		size_t at = page * PAGE + me * 16;

		if (storm->same)
			pthread_barrier_wait(storm->barrier);
		if (memcmp(storm->buffer.mem + at, storm->buffer.shadow + at, 16))
			FAIL("page %zu is not what it was", page);
	}
}

static void *read_by_thread(void *arg)
{
	struct storm *storm = arg;

	read_pages(storm, atomic_fetch_add(&storm->next, 1));
	return NULL;
}

static void read_by_process(void *arg)
{
	struct storm *storm = arg;

	read_pages(storm, storm->next);
}

static struct storm storm_new(struct gpu *gpu, bool same)
{
	struct storm storm = { .same = same };
	pthread_barrierattr_t attr;

	storm.buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	storm.barrier = shared_memory(PAGE);
	CHECK_EQ(pthread_barrierattr_init(&attr), 0);
	CHECK_EQ(pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	CHECK_EQ(pthread_barrier_init(storm.barrier, &attr, WORKERS), 0);
	return storm;
}

static void fault_threads(struct gpu *gpu, const void *arg)
{
	struct storm storm = storm_new(gpu, arg);
	struct crew crew;

	for (int round = 0; round < 4; round++) {
		buffer_populate(&storm.buffer);
		buffer_dev_xor(&storm.buffer, 0, SIZE, new_value());
		storm.next = 0;
		crew_start(&crew, WORKERS, read_by_thread, &storm);
		crew_join(&crew);
	}
	buffer_check(&storm.buffer);
}

static void fault_processes(struct gpu *gpu, const void *arg)
{
	struct storm storm = storm_new(gpu, arg);
	pid_t pids[WORKERS];

	for (int round = 0; round < 2; round++) {
		buffer_populate(&storm.buffer);
		buffer_dev_xor(&storm.buffer, 0, SIZE, new_value());
		for (unsigned int i = 0; i < WORKERS; i++) {
			storm.next = i;
			pids[i] = test_fork(read_by_process, &storm);
		}
		for (unsigned int i = 0; i < WORKERS; i++)
			test_join(pids[i]);
	}
	buffer_check(&storm.buffer);
}

/* A CPU that waits for what the device writes into the same page. */
struct poll_state {
	struct buffer buffer;
	atomic_bool stop;
};

static void *poll_word(void *arg)
{
	struct poll_state *state = arg;
	volatile uint64_t *word = (volatile uint64_t *)state->buffer.mem;
	uint64_t last = 0;

	while (!atomic_load(&state->stop)) {
		uint64_t now = *word;

		if (now < last)
			FAIL("the word went back from %llu to %llu", (unsigned long long)last,
			     (unsigned long long)now);
		last = now;
	}
	return NULL;
}

static void poll_while_written(struct gpu *gpu, const void *arg)
{
	struct poll_state state = { .buffer = buffer_new(gpu, 16 * PAGE, MEM_SMALL) };
	struct crew crew;

	crew_start(&crew, 2, poll_word, &state);
	for (uint64_t value = 1; value <= 40; value++) {
		if (arg)
			buffer_try_populate(&state.buffer);
		buffer_dev_fill(&state.buffer, 0, 8, value);
	}
	atomic_store(&state.stop, true);
	crew_join(&crew);
	buffer_check(&state.buffer);
}

static void cells(const void *arg)
{
	struct cell cell = { arg, NULL };

	for (size_t i = 0; i < ARRAY_SIZE(variants); i++) {
		cell.variant = &variants[i];
		dynamic(variants[i].needs, threads, &cell, "%s", variants[i].name);
	}
}

static void subtests(void)
{
	char describe[120];

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		snprintf(describe, sizeof(describe), "8 threads: %s", patterns[i].describe);
		subtest_of(describe, cells, &patterns[i], "threads-%s", patterns[i].name);
		snprintf(describe, sizeof(describe), "8 processes with shared memory: %s",
			 patterns[i].describe);
		subtest(describe, 0, processes, &patterns[i], "processes-%s", patterns[i].name);
	}
	subtest("8 processes, each with memory of its own", 0, processes_own_memory, NULL,
		"processes-own-memory");
	subtest("8 threads read pages in VRAM, each others", NEED_VRAM, fault_threads, NULL,
		"fault-threads");
	subtest("8 threads read the same page in VRAM at the same time", NEED_VRAM, fault_threads,
		patterns, "fault-threads-same-page");
	subtest("8 processes read pages in VRAM, each others", NEED_VRAM, fault_processes, NULL,
		"fault-processes");
	subtest("8 processes read the same page in VRAM at the same time", NEED_VRAM,
		fault_processes, patterns, "fault-processes-same-page");
	subtest("CPUs wait for words that the device writes", 0, poll_while_written, NULL,
		"poll-while-written");
	subtest("CPUs wait for words that the device writes in VRAM", NEED_VRAM,
		poll_while_written, patterns, "poll-while-written-vram");
}

SUITE("Threads and processes that use the same memory at once", subtests)
