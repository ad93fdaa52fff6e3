// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory comes home by CPU fault and by eviction, whoever is in the way. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"
#include "inject.h"

#define FLIP		0x2718281828459045ULL
#define HUGE_PAGES	(HUGE_PAGE / PAGE)
/* How long the CPU waits for a page at most; it is 50 ms on a machine with nothing else. */
#define STAY_SECONDS	1

static struct area populated(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	area_populate(&area);
	area_device_flip(&area, FLIP);
	return area;
}

/*
 * A copy fails thousands of times, in and out: nothing stays mapped for DMA,
 * where the first address the device can have is 0.
 */
static void fail_copy_often(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 8 * PAGE, 0, MEM_SMALL);
	struct drm_mockgpu_populate populate = {
		.vm_id = area.vm, .addr = (uintptr_t)area.mem, .size = area.size,
	};
	double deadline = seconds_now() + 4 * brief_seconds();
	unsigned int rounds = 0, tries;

	for (; rounds < 5000 && seconds_now() < deadline; rounds++) {
		CHECK_OK(knob_set(gpu, "fail_copy", rounds % 8 + 1));
		CHECK_RET(gpu_populate_patiently(gpu, &populate, &tries), -EIO);
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
		if (rounds % 10)
			continue;
		area_populate(&area);
		CHECK_OK(knob_set(gpu, "fail_copy", rounds % 8 + 1));
		/* Another attempt may follow, which does not fail. */
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DMA_PAGES), 0);
	}
	CHECK_OK(knob_set(gpu, "fail_copy", 0));
	printf("# %u rounds\n", rounds);
	area_check_cpu(&area);
	area_populate(&area);
	area_check_device(&area);
}

/* Device and CPU change the same words in turn; each sees what the other did. */
static void by_turns(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	double deadline = seconds_now() + brief_seconds();
	uint64_t *words = (uint64_t *)area.mem;
	unsigned int rounds = 0;

	for (; seconds_now() < deadline; rounds++) {
		area_populate(&area);
		area_device_flip(&area, FLIP + rounds);
		/* The first access brings the page home, the write must survive that. */
		for (size_t i = 0; i < area.size / 8; i += PAGE / 8)
			words[i] ^= FLIP;
		for (size_t i = 0; i < area.size / 8; i++)
			words[i] ^= i % (PAGE / 8) ? FLIP : 0;
		area.flip ^= FLIP;
		area_check_cpu(&area);
		if (rounds % 2)
			area_check_device(&area);
	}
	printf("# %u rounds\n", rounds);
	area_check_cpu(&area);
}

/*
 * Pages that must stay for very long are wanted by the CPU: it does not wait
 * for longer than a bound, in user space and in system calls. Eviction does not
 * wait at all.
 */
static void timeslice_populate(const struct area *area)
{
	area_move(area, 1000000000);
}

static void timeslice_bounded(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	double begin = seconds_now();

	timeslice_populate(&area);
	area_check_cpu(&area);
	check_bound("a CPU access", begin);
	area_fill(&area);
	timeslice_populate(&area);
	begin = seconds_now();
	area_evict(&area);
	check_bound("an eviction", begin);
	area_check_cpu(&area);
}

/* How long the CPU waits for a page that came for so many ms, and took so long in all. */
struct stay {
	double waited, all;
};

static struct stay stay(struct area *area, unsigned int ms)
{
	double begin = seconds_now(), there;

	area_move(area, ms);
	there = seconds_now();
	(void)*(volatile char *)area->mem;
	return (struct stay){ seconds_now() - there, seconds_now() - begin };
}

/*
 * The page stays for as long as was asked for, but for no longer than a bound if that is
 * long. A slow machine may need most of the time to tell that the page is there: the
 * longest wait counts, and never is all of it shorter.
 */
static void timeslice_kept(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	double longest = 0;

	for (int i = 0; i < 10; i++) {
		struct stay some = stay(&area, 40), endless = stay(&area, 1000000000);

		longest = some.waited > longest ? some.waited : longest;
		CHECK(some.all >= 0.030 && endless.all >= 0.030);
		CHECK(some.waited < patience(STAY_SECONDS));
		CHECK(endless.waited < patience(STAY_SECONDS));
	}
	printf("# the CPU waited up to %.1f ms\n", longest * 1000);
	CHECK(longest >= 0.030);
	area_check_cpu(&area);
}

/* The time that the copy takes is not the page's. */
static void timeslice_after_copy(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	double longest = 0;

	CHECK_OK(knob_set(gpu, "copy_delay_us", 100000));
	for (int i = 0; i < 5; i++) {
		struct stay some = stay(&area, 40);

		longest = some.waited > longest ? some.waited : longest;
	}
	CHECK_OK(knob_set(gpu, "copy_delay_us", 0));
	printf("# the CPU waited up to %.1f ms\n", longest * 1000);
	/* The copy home takes as long again. */
	CHECK(longest >= 0.130);
	area_check_cpu(&area);
}

/* Nor for the CPU, which waits for the page and has it locked meanwhile. */
static void *touch(void *arg)
{
	return (void *)(uintptr_t)*(volatile char *)arg;
}

static void timeslice_evicted(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL);
	pthread_t thread;

	for (unsigned int n = 0; n < 20; n++) {
		timeslice_populate(&area);
		CHECK(!pthread_create(&thread, NULL, touch, area.mem));
		sleep_ms(2);
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		CHECK_PLACE(&area, MOCKGPU_PAGE_SYSTEM);
		CHECK(!pthread_join(thread, NULL));
	}
	area_check_cpu(&area);
}

static void timeslice_system_call(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);
	double begin;

	CHECK_SYS(fd);
	for (int i = 0; i < 3; i++) {
		timeslice_populate(&area);
		begin = seconds_now();
		CHECK_EQ(pwrite(fd, area.mem, area.size, 0), (long long)area.size);
		check_bound("to write from VRAM", begin);
		timeslice_populate(&area);
		begin = seconds_now();
		CHECK_EQ(pread(fd, area.mem, area.size, 0), (long long)area.size);
		check_bound("to read into VRAM", begin);
		area_check_cpu(&area);
	}
}

static void timeslice_other_device(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL), seen = area;
	struct gpu other;
	double begin;

	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	seen.gpu = &other;
	seen.vm = vm_new(&other);
	timeslice_populate(&area);
	begin = seconds_now();
	area_populate(&seen);
	check_bound("another device's migration", begin);
	area_check_device(&seen);
	area_check_cpu(&area);
}

/* No mapping's address says any more where its pages are in their allocation. */
static void remapped(struct gpu *gpu)
{
	static const size_t moves[] = { 64 * KIB + PAGE, PAGE, MIB - PAGE, 3 * 64 * KIB };
	uint64_t state = 17;

	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		struct area area = area_filled(gpu, 2 * HUGE_PAGE, 0, MEM_SMALL), moved = area;
		size_t pages = area.size / PAGE;
		char *place = mem_map(area.size, moves[i], MEM_SMALL);

		area_populate(&area);
		CHECK(place);
		moved.mem = mremap(area.mem, area.size, area.size, MREMAP_MAYMOVE | MREMAP_FIXED,
				   place);
		CHECK(moved.mem == place);
		CHECK_PLACE(&moved, MOCKGPU_PAGE_DEVICE);
		for (int n = 0; n < 100; n++) {
			size_t word = random_next(&state) % pages * (PAGE / 8);

			CHECK(((volatile uint64_t *)moved.mem)[word] == pattern_word(area.seed, word));
		}
		area_check_device(&moved);
		CHECK_OK(gpu_evict_vm(gpu, area.vm));
		CHECK_EQ(area_pages(&moved, MOCKGPU_PAGE_DEVICE), 0);
		area_check_cpu(&moved);
		area_populate(&moved);
		area_device_flip(&moved, FLIP);
		area_check_cpu(&moved);
	}
}

/* Two halves of one allocation, far from each other, the second first. */
static void remapped_apart(struct gpu *gpu)
{
	struct area area = populated(gpu, HUGE_PAGE);
	char *place = mem_map(MIB, 5 * PAGE, MEM_SMALL);

	CHECK(place);
	CHECK(mremap(area.mem, MIB, MIB, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place);
	for (size_t i = area.size / 8; i-- > 0;) {
		const char *half = i < MIB / 8 ? place : area.mem;

		CHECK(((volatile uint64_t *)half)[i] == (pattern_word(area.seed, i) ^ area.flip));
	}
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
}

/* A CPU access does not bring coherent memory home, so somebody else must. */
static void go_home(const struct area *area)
{
	int ret = 0;

	if (area->gpu->tier == MOCKGPU_TIER_COHERENT)
		ret = gpu_evict_vm(area->gpu, area->vm);
	CHECK(!ret || ret == -EBUSY);
}

struct pull {
	struct area area;
	atomic_bool stop;
	atomic_ulong reads;
	bool random;
};

static void read_some_word(struct pull *pull, uint64_t *state)
{
	size_t pages = pull->area.size / PAGE;
	size_t word = pull->random ? random_next(state) % pages * (PAGE / 8) : 0;
	uint64_t got = ((volatile uint64_t *)pull->area.mem)[word];

	if (got != (pattern_word(pull->area.seed, word) ^ pull->area.flip))
		FAIL("word %zu: got %#llx", word, (unsigned long long)got);
	/* Who moves the memory needs a processor, too. */
	if (atomic_fetch_add(&pull->reads, 1) % 4096 == 0)
		sleep_ms(1);
}

static void *read_for_ever(void *arg)
{
	struct pull *pull = arg;
	uint64_t state = (uintptr_t)&state;

	while (!atomic_load(&pull->stop))
		read_some_word(pull, &state);
	return NULL;
}

/* Whoever loses a race for a page reads it all the same; a signal would end the test. */
static void pull_back(struct gpu *gpu, size_t size, bool at_random)
{
	struct pull pull = {
		.area = area_filled(gpu, size, 0, MEM_SMALL), .random = at_random,
	};
	struct area *area = &pull.area;
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned long moved = 0, refused = 0;
	struct crew crew;

	crew_start(&crew, 64, read_for_ever, &pull);
	/* So many threads leave this one little time. */
	while (moved < 3 || seconds_now() < deadline) {
		int ret = gpu_populate(gpu, area->vm, area->mem, area->size);

		CHECK(!ret || ret == -EBUSY);
		moved += !ret;
		refused += !!ret;
		go_home(area);
	}
	atomic_store(&pull.stop, true);
	crew_join(&crew);
	printf("# %lu reads, moved %lu times, refused %lu times\n", (unsigned long)pull.reads,
	       moved, refused);
	area_check_device(area);
	area_check_cpu(area);
}

static void pull_back_page(struct gpu *gpu)
{
	pull_back(gpu, PAGE, false);
}

static void pull_back_range(struct gpu *gpu)
{
	pull_back(gpu, HUGE_PAGE, true);
}

/* A part is unmapped: VRAM is held as long as a page of it is in use, and not longer. */
static void part_unmapped(struct gpu *gpu, size_t start, size_t size, bool touch)
{
	struct area area = populated(gpu, HUGE_PAGE);
	struct area low = area_part(&area, 0, start);

	CHECK_SYS(munmap(area.mem + start, size));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, HUGE_PAGES - size / PAGE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES), HUGE_PAGES);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_ZDD), 1);
	if (touch && start)
		area_check_cpu(&low);
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_ZDD, 0);
	area_check_cpu(&low);
	for (size_t i = (start + size) / 8; i < area.size / 8; i++)
		CHECK(((uint64_t *)area.mem)[i] == (pattern_word(area.seed, i) ^ area.flip));
}

static void partly_unmapped(struct gpu *gpu)
{
	static const size_t parts[][2] = {
		{ 0, MIB }, { MIB, MIB }, { MIB / 2, MIB }, { PAGE, PAGE },
		{ PAGE, HUGE_PAGE - 2 * PAGE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		part_unmapped(gpu, parts[i][0], parts[i][1], false);
		part_unmapped(gpu, parts[i][0], parts[i][1], true);
	}
}

/* What all threads of a crowd know of the round they are in. */
struct crowd {
	struct area area;
	pthread_barrier_t gate;
	atomic_uint next;
	unsigned int round;
	bool random, stop;
};

static void read_page(const struct crowd *crowd, size_t page)
{
	struct area part = area_part(&crowd->area, page * PAGE, PAGE);
	const volatile uint64_t *words = (uint64_t *)part.mem;

	for (size_t i = 0; i < PAGE / 8; i += 64)
		CHECK(words[i] == pattern_word(crowd->area.seed, page * (PAGE / 8) + i));
}

static void *stand_in_crowd(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t state = atomic_fetch_add(&crowd->next, 1) + 1;
	size_t pages = crowd->area.size / PAGE;

	for (;;) {
		pthread_barrier_wait(&crowd->gate);
		if (crowd->stop)
			return NULL;
		if (!crowd->random)
			read_page(crowd, 0);
		for (int i = 0; crowd->random && i < 16; i++)
			read_page(crowd, random_next(&state) % pages);
		pthread_barrier_wait(&crowd->gate);
	}
}

/* A thread may still be on its way out of the last round. */
static void move_in(const struct area *area)
{
	double begin = seconds_now();
	int ret;

	while ((ret = gpu_populate(area->gpu, area->vm, area->mem, area->size)) == -EBUSY)
		check_bound("to move in", begin);
	CHECK_OK(ret);
}

static double crowd_round(struct crowd *crowd)
{
	double begin;

	move_in(&crowd->area);
	begin = seconds_now();
	pthread_barrier_wait(&crowd->gate);
	go_home(&crowd->area);
	pthread_barrier_wait(&crowd->gate);
	check_bound("a round", begin);
	return seconds_now() - begin;
}

/* That many threads want the same page, or any of one allocation, at the same moment. */
static void crowd_of(struct gpu *gpu, unsigned int threads, bool at_random)
{
	struct crowd crowd = {
		.area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL), .random = at_random,
	};
	double deadline = seconds_now() + brief_seconds() / 2, worst = 0;
	unsigned int rounds = 0;
	struct crew crew;

	CHECK_EQ(pthread_barrier_init(&crowd.gate, NULL, threads + 1), 0);
	crew_start(&crew, threads, stand_in_crowd, &crowd);
	for (; !rounds || seconds_now() < deadline; rounds++) {
		double seconds = crowd_round(&crowd);

		if (seconds > worst)
			worst = seconds;
	}
	crowd.stop = true;
	pthread_barrier_wait(&crowd.gate);
	crew_join(&crew);
	printf("# %u threads, %u rounds, the longest took %.3f s\n", threads, rounds, worst);
	area_check_cpu(&crowd.area);
}

static void crowd_one_page(struct gpu *gpu)
{
	static const unsigned int sizes[] = { 8, 16, 32, 64, 128 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		crowd_of(gpu, sizes[i], false);
}

static void crowd_random_pages(struct gpu *gpu)
{
	static const unsigned int sizes[] = { 8, 32, 128 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		crowd_of(gpu, sizes[i], true);
}

/* Users of the same pages, each in a way of its own, and how often that worked. */
struct user {
	struct pull *pull;
	atomic_ulong successes;
	/* This machine does not have what it takes. */
	atomic_bool absent;
};

static void write_to(struct user *user, int fd)
{
	const struct area *area = &user->pull->area;

	while (!atomic_load(&user->pull->stop)) {
		CHECK_EQ(pwrite(fd, area->mem, area->size, 0), (long long)area->size);
		atomic_fetch_add(&user->successes, 1);
	}
	close(fd);
}

static void *write_from(void *arg)
{
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR, 0600);

	CHECK_SYS(fd);
	write_to(arg, fd);
	return NULL;
}

static void *write_directly_from(void *arg)
{
	struct user *user = arg;
	int fd = open("/var/tmp", O_TMPFILE | O_RDWR | O_DIRECT, 0600);

	if (fd < 0)
		atomic_store(&user->absent, true);
	else
		write_to(user, fd);
	return NULL;
}

/*
 * For private memory that brings it home, page by page. Coherent memory stays, out of
 * reach: then it is enough that the answer says so.
 */
static void read_by(struct user *user, const struct area *seen)
{
	bool may_be_out_of_reach = seen->gpu->tier == MOCKGPU_TIER_COHERENT;
	char *copy = malloc(seen->size);
	struct mismatch bad;

	CHECK(copy);
	while (!atomic_load(&user->pull->stop)) {
		int ret = gpu_read(seen->gpu, seen->vm, seen->mem, seen->size, copy);

		CHECK(!ret || ret == -EBUSY || ret == -EFAULT);
		if (!ret)
			CHECK_DATA(pattern_matches(copy, seen->size, seen->seed, 0, &bad), bad);
		if (!ret || (ret == -EFAULT && may_be_out_of_reach))
			atomic_fetch_add(&user->successes, 1);
	}
	free(copy);
}

static void *read_by_other_device(void *arg)
{
	struct user *user = arg;
	struct area seen = user->pull->area;
	struct gpu other;

	if (gpu_open(&other, seen.gpu->index ? 0 : 1)) {
		atomic_store(&user->absent, true);
		return NULL;
	}
	seen.gpu = &other;
	seen.vm = vm_new(&other);
	read_by(user, &seen);
	return NULL;
}

static void *read_by_cpu(void *arg)
{
	struct user *user = arg;
	uint64_t state = (uintptr_t)&state;

	while (!atomic_load(&user->pull->stop)) {
		read_some_word(user->pull, &state);
		atomic_fetch_add(&user->successes, 1);
	}
	return NULL;
}

static const struct kind {
	const char *name;
	void *(*work)(void *arg);
} kinds[] = {
	{ "written to a file", write_from },
	{ "written to a file by direct I/O", write_directly_from },
	{ "read by another device", read_by_other_device },
	{ "read", read_by_cpu },
	{ "read", read_by_cpu },
	{ "read", read_by_cpu },
	{ "read", read_by_cpu },
};

static bool all_had_their_way(struct user *users)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!atomic_load(&users[i].absent) && !atomic_load(&users[i].successes))
			return false;
	return true;
}

static void report_users(struct user *users)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned long successes = atomic_load(&users[i].successes);

		if (atomic_load(&users[i].absent)) {
			printf("# %s: not on this machine\n", kinds[i].name);
			continue;
		}
		printf("# %s: %lu times\n", kinds[i].name, successes);
		CHECK(successes > 0);
	}
}

static void crowd_of_kinds(struct gpu *gpu)
{
	struct pull pull = { .area = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL), .random = true };
	struct user users[ARRAY_SIZE(kinds)] = { };
	double deadline = seconds_now() + 2 * brief_seconds(), begin;
	struct crew crews[ARRAY_SIZE(kinds)];
	unsigned long moved = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		users[i].pull = &pull;
		crew_start(&crews[i], 1, kinds[i].work, &users[i]);
	}
	while (seconds_now() < deadline || !moved || !all_had_their_way(users)) {
		int ret;

		check_bound("one migration, and one success of each, in the crowd", deadline);
		begin = seconds_now();
		ret = gpu_populate(gpu, pull.area.vm, pull.area.mem, pull.area.size);
		CHECK(!ret || ret == -EBUSY);
		check_bound("a migration", begin);
		moved += !ret;
	}
	atomic_store(&pull.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		crew_join(&crews[i]);
	report_users(users);
	printf("# moved %lu times\n", moved);
	area_check_device(&pull.area);
	area_check_cpu(&pull.area);
}

/* All but a little of what a control group may have is in VRAM: it comes home. */
static void with_little_memory(void *arg)
{
	struct group group = *(struct group *)arg;
	struct gpu gpu;
	struct area area;

	group_enter(&group);
	CHECK_OK(gpu_open(&gpu, 0));
	area = area_filled(&gpu, 16 * MIB, 0, MEM_SMALL);
	for (int i = 0; i < 3; i++) {
		area_populate(&area);
		area_device_flip(&area, FLIP);
		group_set(&group, "memory.max", group_get(&group, "memory.current") + MIB);
		area_check_cpu(&area);
		area_fill(&area);
		area_move(&area, 0);
		area_evict(&area);
		area_check_cpu(&area);
		CHECK_OK(file_write("/sys/fs/cgroup/cgroup.procs", "0"));
		group_enter(&group);
	}
}

static void little_memory(struct gpu *gpu)
{
	struct group group = group_new();

	(void)gpu;
	test_join(test_fork(with_little_memory, &group));
	group_remove(&group);
}

/* The kernel's own fault injection, where it has it. */
#define FAIL_PAGES	"/sys/kernel/debug/fail_page_alloc/"
#define FAIL_SLAB	"/sys/kernel/debug/failslab/"
/* More often than that nothing is refused in a test. */
#define MOST_REFUSED	1000000000

static void inject_set(const char *where, const char *file, unsigned long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "%s%s", where, file);
	snprintf(text, sizeof(text), "%lu", value);
	CHECK_OK(file_write(path, text));
}

static void inject_into(const char *where, unsigned long percent)
{
	inject_set(where, "interval", 1);
	inject_set(where, "verbose", 0);
	inject_set(where, "task-filter", 1);
	inject_set(where, "times", MOST_REFUSED);
	inject_set(where, "probability", percent);
}

/* Of every ten allocations of a task that wants it one fails, wherever it is from. */
static void injection_begin(void)
{
	const char *missing = inject_missing();

	if (missing)
		test_skip("%s", missing);
	inject_into(FAIL_PAGES, 10);
	inject_into(FAIL_SLAB, 10);
}

static unsigned long refused_pages(void)
{
	char line[32];

	return MOST_REFUSED - strtoul(file_line(FAIL_PAGES "times", line, sizeof(line)), NULL, 0);
}

static void injection_end(void)
{
	inject_into(FAIL_PAGES, 0);
	inject_into(FAIL_SLAB, 0);
}

/* The file is open already, as opening it needs memory. */
static void want_failures(int fd, bool want)
{
	CHECK_EQ(pwrite(fd, want ? "1" : "0", 1, 0), 1);
}

static int failures_file(void)
{
	int fd = open("/proc/self/make-it-fail", O_WRONLY | O_CLOEXEC);

	CHECK_SYS(fd);
	return fd;
}

static void read_all_words(const struct area *area)
{
	for (size_t i = 0; i < area->size / 8; i++)
		CHECK(((volatile uint64_t *)area->mem)[i] ==
		      (pattern_word(area->seed, i) ^ area->flip));
}

/*
 * Allocations fail at random while the CPU brings memory home, those of the pages that it
 * comes home to as well: it gets all of it.
 */
static void no_memory(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0;
	unsigned long refused;
	int fd;

	injection_begin();
	fd = failures_file();
	while (rounds < 3 || seconds_now() < deadline) {
		area_populate(&area);
		area_device_flip(&area, FLIP + rounds++);
		want_failures(fd, true);
		read_all_words(&area);
		want_failures(fd, false);
	}
	refused = refused_pages();
	injection_end();
	printf("# %u rounds, %lu pages refused\n", rounds, refused);
	/* So many are not for anything else. */
	CHECK(refused >= 16 * rounds);
	area_check_cpu(&area);
}

/* Migrations to VRAM and evictions with failing allocations: told, and nothing lost. */
static void no_memory_to_move(struct gpu *gpu)
{
	struct area area = area_filled(gpu, HUGE_PAGE, 0, MEM_SMALL);
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0, failed = 0;
	unsigned long refused;
	int fd;

	injection_begin();
	fd = failures_file();
	while (rounds < 3 || seconds_now() < deadline) {
		int ret;

		/* What does not come at all does not go home either. */
		want_failures(fd, rounds % 2);
		ret = gpu_populate(gpu, area.vm, area.mem, area.size);
		CHECK(!ret || ret == -ENOMEM || ret == -EBUSY || ret == -ENOSPC);
		failed += !!ret;
		want_failures(fd, true);
		ret = gpu_evict_vm(gpu, area.vm);
		want_failures(fd, false);
		CHECK(!ret || ret == -ENOMEM || ret == -EBUSY);
		failed += !!ret;
		area_evict(&area);
		rounds++;
	}
	refused = refused_pages();
	injection_end();
	printf("# %u rounds, %u failures, %lu pages refused\n", rounds, failed, refused);
	CHECK(failed);
	CHECK(refused >= 2 * rounds);
	area_check_cpu(&area);
	area_populate(&area);
	area_check_device(&area);
	area_evict(&area);
	area_check_cpu(&area);
}

static const struct test tests[] = {
	{ "fail-copy-often", fail_copy_often, NEED_VRAM | NEED_KNOBS, 0 },
	{ "by-turns", by_turns, NEED_VRAM, 0 },
	{ "timeslice-bounded", timeslice_bounded, NEED_VRAM, 0 },
	{ "timeslice-kept", timeslice_kept, NEED_PRIVATE, 0 },
	{ "timeslice-after-copy", timeslice_after_copy, NEED_PRIVATE | NEED_ROOT | NEED_KNOBS, 0 },
	{ "timeslice-evicted", timeslice_evicted, NEED_VRAM, 0 },
	{ "timeslice-system-call", timeslice_system_call, NEED_VRAM, 0 },
	{ "timeslice-other-device", timeslice_other_device, NEED_VRAM | NEED_TWO_DEVICES, 0 },
	{ "remapped", remapped, NEED_VRAM, 0 },
	{ "remapped-apart", remapped_apart, NEED_VRAM, 0 },
	{ "pull-back-page", pull_back_page, NEED_VRAM, 0 },
	{ "pull-back-range", pull_back_range, NEED_VRAM, 0 },
	{ "partly-unmapped", partly_unmapped, NEED_VRAM, 0 },
	{ "crowd-one-page", crowd_one_page, NEED_VRAM, 0 },
	{ "crowd-random-pages", crowd_random_pages, NEED_VRAM, 0 },
	{ "crowd-of-kinds", crowd_of_kinds, NEED_VRAM, 0 },
	{ "little-memory", little_memory, NEED_VRAM | NEED_ROOT, 0 },
	{ "no-memory", no_memory, NEED_PRIVATE | NEED_ROOT, 0 },
	{ "no-memory-to-move", no_memory_to_move, NEED_VRAM | NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
