// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Two devices that share a process's memory, and what the process does with it. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "swap.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define WORKERS		8
#define WORDS		64
#define SHARED_SIZE	(4 * MIB)

static void read_and_written(struct gpu *gpu)
{
	char *mem = mem_map(8 * MIB, 0, MEM_SMALL);
	struct gpusvm_test_args args;

	(void)gpu;
	svm_open();
	pattern_fill(mem, 8 * MIB, 1);
	for (size_t at = 0; at < 8 * MIB; at += PAGE)
		CHECK_EQ(svm_value(mem + at), (long long)word_at(mem + at));
	for (size_t at = 0; at < 8 * MIB; at += PAGE)
		CHECK_OK(svm_write(mem + at + 8, at + 2));
	for (size_t at = 0; at < 8 * MIB; at += PAGE)
		CHECK_EQ(word_at(mem + at + 8), (long long)at + 2);
	CHECK_OK(svm_fault_args(mem + 3 * MIB, 0, &args));
	CHECK_EQ(args.start, (long long)(uintptr_t)mem + 2 * MIB);
	CHECK_EQ(args.size, (long long)HUGE_PAGE);
}

static void scanned_and_removed(struct gpu *gpu)
{
	char *mem = mem_map(2 * MIB, 0, MEM_SMALL);
	struct gpusvm_test_args args;

	(void)gpu;
	svm_open();
	pattern_fill(mem, 2 * MIB, 1);
	CHECK_OK(svm_fault(mem, 0));
	CHECK_EQ(svm_stat("live_mapped"), 2 * (2 * MIB / PAGE));
	CHECK_OK(svm_call(GPUSVM_TEST_SCAN, mem, 0, &args));
	CHECK_EQ(args.result, 3);
	CHECK_OK(svm_call(GPUSVM_TEST_EVICT, mem, 0, &args));
	CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
	CHECK_NOTHING_MAPPED();
	CHECK_RET(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args), -ENXIO);
	CHECK_EQ(svm_stat("live_ranges"), 0);
	CHECK_EQ(svm_stat("live_notifiers"), 0);
}

/* A read finds the page of zeroes, and a write must find another one. */
static void read_then_written(struct gpu *gpu)
{
	char *mem = mem_map(64 * PAGE, 0, MEM_SMALL), *other = mem_map(64 * PAGE, 0, MEM_SMALL);
	uint64_t value = 9;

	(void)gpu;
	svm_open();
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_EQ(svm_value(mem + at), 0);
	CHECK_RET(svm_touch(mem, &value, sizeof(value), WRITES, 1), -EACCES);
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_OK(svm_write(mem + at, 7));
	for (size_t at = 0; at < 64 * PAGE; at += PAGE) {
		CHECK_EQ(word_at(mem + at), 7);
		CHECK_EQ(word_at(other + at), 0);
		CHECK_EQ(svm_value(other + at), 0);
	}
}

/* Each process has what it wrote, by CPU or device, whoever read it before. */
static void read_then_written_child(void *arg)
{
	char *mem = arg;

	svm_open();
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_EQ(svm_value(mem + at), 1);
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_OK(svm_write(mem + at, 2));
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_EQ(word_at(mem + at), 2);
}

static void shared_then_written(struct gpu *gpu)
{
	char *mem = mem_map(64 * PAGE, 0, MEM_SMALL);

	(void)gpu;
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		set_word(mem + at, 1);
	test_join(test_fork(read_then_written_child, mem));
	for (size_t at = 0; at < 64 * PAGE; at += PAGE)
		CHECK_EQ(word_at(mem + at), 1);
}

static void unmapped(struct gpu *gpu)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_SMALL);

	(void)gpu;
	svm_open();
	memset(mem, 1, HUGE_PAGE);
	CHECK_OK(svm_write(mem, 1));
	CHECK(svm_has(mem + MIB));
	CHECK_SYS(munmap(mem + MIB, PAGE));
	CHECK(!svm_has(mem + MIB));
	CHECK(!svm_has(mem));
	CHECK_RET(svm_fault(mem + MIB, 0), -ENOENT);
	CHECK_EQ(svm_value(mem), 1);
	CHECK_OK(svm_write(mem + MIB + PAGE, 3));
	CHECK_EQ(word_at(mem + MIB + PAGE), 3);
	CHECK_SYS(munmap(mem, HUGE_PAGE));
	CHECK_RET(svm_fault(mem, 0), -ENOENT);
	svm_collect();
	CHECK_EQ(svm_stat("live_ranges"), 0);
}

struct told {
	char *mem;
	int go[2], done[2];
};

/* The parent's device has written meanwhile. */
static void child_keeps(void *arg)
{
	struct told *told = arg;
	char byte;

	CHECK_EQ(read(told->go[0], &byte, 1), 1);
	for (size_t at = 0; at < 16 * PAGE; at += PAGE)
		CHECK_EQ(word_at(told->mem + at), 1);
	for (size_t at = 0; at < 16 * PAGE; at += PAGE)
		set_word(told->mem + at, 3);
	CHECK_EQ(write(told->done[1], &byte, 1), 1);
}

static void forked(struct gpu *gpu)
{
	struct told told = { .mem = mem_map(16 * PAGE, 0, MEM_SMALL) };
	char byte = 0;
	pid_t pid;

	(void)gpu;
	svm_open();
	for (size_t at = 0; at < 16 * PAGE; at += PAGE)
		CHECK_OK(svm_write(told.mem + at, 1));
	CHECK_SYS(pipe(told.go));
	CHECK_SYS(pipe(told.done));
	pid = test_fork(child_keeps, &told);
	CHECK(!svm_has(told.mem));
	CHECK_EQ(svm_value(told.mem), 1);
	for (size_t at = 0; at < 16 * PAGE; at += PAGE)
		CHECK_OK(svm_write(told.mem + at, 2));
	CHECK_EQ(write(told.go[1], &byte, 1), 1);
	CHECK_EQ(read(told.done[0], &byte, 1), 1);
	for (size_t at = 0; at < 16 * PAGE; at += PAGE)
		CHECK_EQ(svm_value(told.mem + at), 2);
	test_join(pid);
}

/* Huge pages, also where the range begins or ends in the middle of one. */
static void huge(struct gpu *gpu)
{
	char *mem = mem_map(4 * MIB, 0, MEM_HUGE);
	struct gpusvm_test_args args = { .addr = (uintptr_t)mem, .size = 8 };
	uint64_t value;

	(void)gpu;
	svm_open();
	pattern_fill(mem, 4 * MIB, 2);
	CHECK_EQ(svm_value(mem + MIB), (long long)word_at(mem + MIB));
	args.buffer = (uintptr_t)&value;
	CHECK_OK(svm_ioctl(GPUSVM_TEST_ACCESS, &args));
	printf("# %u entries for 2 MiB of huge pages\n", args.entries);
	CHECK_OK(svm_ioctl(GPUSVM_TEST_REMOVE, &args));
	for (size_t at = 0; at < HUGE_PAGE; at += 64 * KIB) {
		args = (struct gpusvm_test_args) {
			.addr = (uintptr_t)mem + at,
			.window_start = (uintptr_t)mem + at,
			.window_end = (uintptr_t)mem + at + (at % (128 * KIB) ? PAGE : 64 * KIB),
		};
		CHECK_OK(svm_ioctl(GPUSVM_TEST_FAULT, &args));
		CHECK_EQ(args.size, at % (128 * KIB) ? 4096 : 65536);
	}
	for (size_t at = 0; at < 4 * MIB; at += PAGE) {
		CHECK_EQ(svm_value(mem + at), (long long)word_at(mem + at));
		CHECK_OK(svm_write(mem + at, at + 9));
		CHECK_EQ(word_at(mem + at), (long long)at + 9);
	}
}

/* Threads of a device write with what they have, and never fault. */
struct stale {
	char *mem;
	atomic_bool stop;
	atomic_ulong writes, refused;
};

static void *write_blindly(void *arg)
{
	struct stale *stale = arg;
	uint64_t junk = -1UL;

	while (!atomic_load(&stale->stop)) {
		if (svm_touch(stale->mem, &junk, sizeof(junk), WRITES, 1))
			atomic_fetch_add(&stale->refused, 1);
		else
			atomic_fetch_add(&stale->writes, 1);
	}
	return NULL;
}

static void *remove_all_the_time(void *arg)
{
	struct stale *stale = arg;
	struct gpusvm_test_args args;
	uint64_t state = 1;

	while (!atomic_load(&stale->stop)) {
		svm_call(GPUSVM_TEST_REMOVE, stale->mem, PARALLEL, &args);
		sleep_ms(random_next(&state) % 3);
	}
	return NULL;
}

/* What comes to the address of something the device had is not written to. */
static void removed_while_written(struct gpu *gpu)
{
	struct stale stale = { .mem = mem_map(16 * PAGE, 0, MEM_SMALL) };
	double end = seconds_now() + brief_seconds() / 2;
	pthread_t threads[3];
	unsigned int rounds = 0;

	(void)gpu;
	svm_open();
	CHECK_EQ(pthread_create(&threads[0], NULL, write_blindly, &stale), 0);
	CHECK_EQ(pthread_create(&threads[1], NULL, write_blindly, &stale), 0);
	CHECK_EQ(pthread_create(&threads[2], NULL, remove_all_the_time, &stale), 0);
	for (; rounds < 20 || seconds_now() < end; rounds++) {
		int err = svm_fault(stale.mem, PARALLEL);

		CHECK(!err || err == -EBUSY || err == -EFAULT);
		sleep_ms(1);
		CHECK(mmap(stale.mem, 16 * PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == stale.mem);
		set_word(stale.mem, rounds);
		sleep_ms(1);
		CHECK_EQ(word_at(stale.mem), rounds);
	}
	atomic_store(&stale.stop, true);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	printf("# %u rounds, %lu writes, %lu refused\n", rounds, atomic_load(&stale.writes),
	       atomic_load(&stale.refused));
	CHECK(atomic_load(&stale.writes) > 0);
}

struct faulter {
	char *mem;
	atomic_bool stop;
	atomic_ulong faults;
};

static void *fault_all_the_time(void *arg)
{
	struct faulter *faulter = arg;

	while (!atomic_load(&faulter->stop)) {
		int err = svm_fault(faulter->mem, PARALLEL);

		CHECK(!err || err == -EBUSY);
		atomic_fetch_add(&faulter->faults, !err);
	}
	return NULL;
}

/* A fault that was under way does not give the device what was there before. */
static void emptied_while_faulted(struct gpu *gpu)
{
	struct faulter faulter = { .mem = mem_map(16 * PAGE, 0, MEM_SMALL) };
	double end = seconds_now() + 2 * brief_seconds();
	unsigned long rounds, seen = 0;
	uint64_t value, state = 1;
	pthread_t threads[2];

	(void)gpu;
	svm_open();
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, fault_all_the_time, &faulter), 0);
	for (rounds = 1; rounds < 20 || seconds_now() < end; rounds++) {
		CHECK_SYS(madvise(faulter.mem, 16 * PAGE, MADV_DONTNEED));
		set_word(faulter.mem, rounds);
		/* Not so many each time that the faults have always ended before. */
		for (int i = random_next(&state) % 8; i > 0; i--) {
			if (svm_touch(faulter.mem, &value, sizeof(value), 0, i % 2))
				continue;
			CHECK_EQ(value, (long long)rounds);
			seen++;
		}
	}
	atomic_store(&faulter.stop, true);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	printf("# %lu rounds, %lu faults, %lu looks\n", rounds, atomic_load(&faulter.faults), seen);
	CHECK(seen > 0);
}

/* Threads of a device read with what they have, and never fault. */
struct looker {
	char *word;
	atomic_bool stop;
	atomic_ulong looks;
};

static void *look_all_the_time(void *arg)
{
	struct looker *looker = arg;
	uint64_t value;

	while (!atomic_load(&looker->stop)) {
		if (svm_touch(looker->word, &value, sizeof(value), 0, 1))
			continue;
		CHECK_EQ(value, 11);
		atomic_fetch_add(&looker->looks, 1);
	}
	return NULL;
}

/* Pages that are mapped anew, for writing, are not half mapped for who looks. */
static void remapped_while_read(struct gpu *gpu)
{
	char *mem = mem_map(HUGE_PAGE, 0, MEM_SMALL);
	struct looker looker = { .word = mem + HUGE_PAGE - 8 };
	double end = seconds_now() + brief_seconds();
	struct gpusvm_test_args args;
	unsigned int rounds = 0;
	pthread_t threads[2];

	(void)gpu;
	svm_open();
	memset(mem, 1, HUGE_PAGE);
	set_word(looker.word, 11);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, look_all_the_time, &looker), 0);
	for (; rounds < 10 || seconds_now() < end; rounds++) {
		CHECK_OK(svm_fault(mem, READS));
		CHECK_OK(svm_fault(mem, 0));
		CHECK_OK(svm_call(GPUSVM_TEST_REMOVE, mem, 0, &args));
	}
	atomic_store(&looker.stop, true);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	printf("# %u rounds, %lu looks\n", rounds, atomic_load(&looker.looks));
	CHECK(atomic_load(&looker.looks) > 0);
}

/* Counters that the CPU and the devices increment by turns, while memory moves. */
struct stress {
	char *mem;
	unsigned int flags;
	atomic_bool stop;
	atomic_ulong rounds, busy;
};

struct worker {
	struct stress *stress;
	unsigned int index;
	pthread_t thread;
};

static bool stress_access(struct worker *worker, uint64_t *word, uint64_t *value, bool write)
{
	struct stress *stress = worker->stress;
	unsigned int flags = stress->flags | (write ? WRITES : 0);
	int err = svm_access(word, value, sizeof(*value), flags, (worker->index + write) & 1);

	if (err != -EBUSY)
		CHECK_OK(err);
	else
		atomic_fetch_add(&stress->busy, 1);
	return !err;
}

static void *count_up(void *arg)
{
	struct worker *worker = arg;
	struct stress *stress = worker->stress;
	uint64_t count[WORDS] = { 0 }, value, state = worker->index;

	while (!atomic_load(&stress->stop)) {
		size_t i = random_next(&state) % WORDS;
		char *place = stress->mem + i * (SHARED_SIZE / WORDS);
		uint64_t *word = (uint64_t *)place + worker->index;

		CHECK_EQ(word_at((char *)word), (long long)count[i]);
		if (!stress_access(worker, word, &value, false))
			continue;
		CHECK_EQ(value, (long long)count[i]);
		value++;
		if (!stress_access(worker, word, &value, true))
			continue;
		count[i]++;
		if (random_next(&state) % 2)
			set_word((char *)word, ++count[i]);
		atomic_fetch_add(&stress->rounds, 1);
	}
	return NULL;
}

static void overwrite(void *arg)
{
	memset(arg, 0xff, SHARED_SIZE);
}

static void disturb(struct stress *stress, uint64_t *state)
{
	char *place = stress->mem + random_next(state) % (SHARED_SIZE / PAGE) * PAGE;
	struct gpusvm_test_args args;
	char *other;

	switch (random_next(state) % 7) {
	case 0:
		test_join(test_fork(overwrite, stress->mem));
		break;
	case 1:
		madvise(stress->mem, SHARED_SIZE, MADV_PAGEOUT);
		break;
	case 2:
		madvise(stress->mem, SHARED_SIZE, MADV_COLLAPSE);
		break;
	case 3:
		CHECK_SYS(mprotect(place, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		CHECK_SYS(mprotect(stress->mem, SHARED_SIZE, PROT_READ | PROT_WRITE));
		break;
	case 4:
		svm_call(GPUSVM_TEST_REMOVE, place, stress->flags, &args);
		svm_call(GPUSVM_TEST_SCAN, place, stress->flags, &args);
		break;
	case 5:
		file_write("/proc/sys/vm/compact_memory", "1");
		break;
	case 6:
		other = anonymous(MIB);
		svm_access(other, state, sizeof(*state), stress->flags | WRITES, 0);
		CHECK_SYS(munmap(other, MIB));
		break;
	}
}

/* With somewhere to swap to, nothing is shown if nothing went there. */
static bool was_swapped(unsigned long before)
{
	return !swap_free_kib() || pages_swapped_out() > before;
}

/* For a while; a slow machine does little in that time. */
static void disturb_until(struct stress *stress, double end)
{
	unsigned long before = pages_swapped_out();
	uint64_t state = stress->flags + 1;

	while (seconds_now() < end || !was_swapped(before)) {
		disturb(stress, &state);
		if (seconds_now() > end + patience(20))
			FAIL("no page was swapped out");
	}
	printf("# %lu pages were swapped out\n", pages_swapped_out() - before);
}

static void run_stress(unsigned int flags)
{
	struct stress stress = { .flags = flags, .mem = mem_map(SHARED_SIZE, 0, MEM_HUGE) };
	double end = seconds_now() + 2 * brief_seconds();
	struct worker workers[WORKERS];

	svm_open();
	for (unsigned int i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker) { .stress = &stress, .index = i };
		CHECK_EQ(pthread_create(&workers[i].thread, NULL, count_up, &workers[i]), 0);
	}
	disturb_until(&stress, end);
	atomic_store(&stress.stop, true);
	for (unsigned int i = 0; i < WORKERS; i++)
		CHECK_EQ(pthread_join(workers[i].thread, NULL), 0);
	printf("# %lu rounds, %lu busy, %lu invalidations so far\n", atomic_load(&stress.rounds),
	       atomic_load(&stress.busy), svm_stat("invalidations"));
	CHECK(atomic_load(&stress.rounds) > 0);
}

static void together(struct gpu *gpu)
{
	(void)gpu;
	run_stress(0);
}

/* The driver has no lock around its ranges. */
static void together_in_parallel(struct gpu *gpu)
{
	(void)gpu;
	run_stress(PARALLEL);
}

/* Ranges next to each other and the same ones, made and removed at once. */
struct crowd {
	char *mem;
	atomic_bool stop;
	atomic_ulong made;
};

static void *make_and_remove(void *arg)
{
	struct crowd *crowd = arg;
	struct gpusvm_test_args args;
	uint64_t state = (uintptr_t)&args;

	while (!atomic_load(&crowd->stop)) {
		char *at = crowd->mem + random_next(&state) % 64 * PAGE;
		uint64_t value;
		int err;

		if (random_next(&state) % 3 == 0) {
			err = svm_call(GPUSVM_TEST_REMOVE, at, PARALLEL, &args);
			CHECK(!err || err == -ENXIO);
			continue;
		}
		err = svm_access(at, &value, sizeof(value), PARALLEL, 0);
		if (err == -EBUSY)
			continue;
		CHECK_OK(err);
		CHECK_EQ(value, 1 + (at - crowd->mem) / (long)PAGE);
		atomic_fetch_add(&crowd->made, 1);
	}
	return NULL;
}

static void neighbours(struct gpu *gpu)
{
	/* Not aligned to the larger chunks, so that there are many small ranges. */
	struct crowd crowd = { .mem = mem_map(64 * PAGE, 9 * PAGE, MEM_SMALL) };
	double end = seconds_now() + brief_seconds();
	pthread_t threads[WORKERS];

	(void)gpu;
	svm_open();
	for (size_t i = 0; i < 64; i++)
		set_word(crowd.mem + i * PAGE, i + 1);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, make_and_remove, &crowd), 0);
	while (seconds_now() < end) {
		CHECK_SYS(mprotect(crowd.mem, 64 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		CHECK_SYS(mprotect(crowd.mem, 64 * PAGE, PROT_READ | PROT_WRITE));
	}
	atomic_store(&crowd.stop, true);
	for (int i = 0; i < WORKERS; i++)
		CHECK_EQ(pthread_join(threads[i], NULL), 0);
	printf("# %lu reads\n", atomic_load(&crowd.made));
	CHECK(atomic_load(&crowd.made) > 0);
}

static const struct test tests[] = {
	{ "read-and-written", read_and_written, NEED_ROOT, 0 },
	{ "scanned-and-removed", scanned_and_removed, NEED_ROOT, 0 },
	{ "read-then-written", read_then_written, NEED_ROOT, 0 },
	{ "shared-then-written", shared_then_written, NEED_ROOT, 0 },
	{ "unmapped", unmapped, NEED_ROOT, 0 },
	{ "forked", forked, NEED_ROOT, 0 },
	{ "huge", huge, NEED_ROOT | NEED_THP, 0 },
	{ "removed-while-written", removed_while_written, NEED_ROOT, 0 },
	{ "emptied-while-faulted", emptied_while_faulted, NEED_ROOT, 0 },
	{ "remapped-while-read", remapped_while_read, NEED_ROOT, 0 },
	{ "together", together, NEED_ROOT, 0 },
	{ "together-in-parallel", together_in_parallel, NEED_ROOT, 0 },
	{ "neighbours", neighbours, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
