// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * stress [SECONDS [SEED]]: everything at once, at random, against a shadow copy.
 *
 * Four threads each own a part of one mapping and know what is in it. They write
 * to it by CPU and device, move it, change its mapping and rights, fork, and move
 * what belongs to others to and from VRAM as well. As root, a helper takes devices
 * away and brings them back. The same seed gives each thread the same dice.
 *
 * Prints one result, a line "ok stress" or "not ok stress: reason".
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define WORKERS		4
#define MOST_DEVICES	4
#define OWN_PAGES	700
#define OWN_SIZE	(OWN_PAGES * PAGE)
#define MOST_PAGES	64
#define ASIDE_SIZE	((MOST_PAGES + 4) * PAGE)
#define MOST_STEPS	16
/* A step that takes longer hangs, and so does an unbind. */
#define STEP_SECONDS	60
#define UNBIND_SECONDS	30
/* In that time each kind of step should have been taken by somebody. */
#define ALL_KINDS_SECONDS	20

struct worker {
	unsigned int number;
	uint64_t dice;
	char *mem;
	char *shadow;
	/* Where pages are put for a moment when they are moved. */
	char *aside;
	struct gpu gpus[MOST_DEVICES];
	uint32_t vms[MOST_DEVICES];
	bool open[MOST_DEVICES];
	const char *step;
	_Atomic double since;
	/* Of each kind of step: how many, how long they all took, and the longest. */
	unsigned long times[MOST_STEPS];
	double seconds[MOST_STEPS], longest[MOST_STEPS];
	unsigned long moved, gone;
	atomic_bool done;
	pthread_t thread;
};

static struct worker workers[WORKERS];
static unsigned int devices;
static char *arena;
static atomic_bool stop;
/* What the devices had caught before; see errors_of_all(). */
static long long errors_before;

static _Noreturn void not_ok(const struct worker *worker, const char *reason, long long detail)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&said)) {
		printf("not ok stress: thread %u, %s: %s (%lld)\n", worker->number,
		       worker->step ?: "start",
		       reason, detail);
		fflush(stdout);
	}
	_exit(1);
}

static unsigned int dice(struct worker *worker, unsigned int sides)
{
	return random_next(&worker->dice) % sides;
}

/* Some pages of the worker's own. */
struct pages {
	size_t start;
	size_t size;
};

static struct pages some_pages(struct worker *worker)
{
	size_t count = dice(worker, MOST_PAGES) + 1, first = dice(worker, OWN_PAGES - count + 1);

	return (struct pages){ first * PAGE, count * PAGE };
}

static void compare(const struct worker *worker, const char *mem, struct pages pages)
{
	struct mismatch bad;

	if (!words_match(mem, worker->shadow + pages.start, pages.size, &bad)) {
		printf("# offset %#zx: got %#llx, want %#llx\n", pages.start + bad.offset,
		       (unsigned long long)bad.got, (unsigned long long)bad.want);
		not_ok(worker, "wrong data", pages.start + bad.offset);
	}
}

/* The device may be gone for now. */
static const struct gpu *some_device(struct worker *worker, uint32_t *vm)
{
	unsigned int i = dice(worker, devices);

	if (!worker->open[i]) {
		if (gpu_open(&worker->gpus[i], i))
			return NULL;
		if (gpu_vm_create(&worker->gpus[i], &worker->vms[i])) {
			gpu_close(&worker->gpus[i]);
			return NULL;
		}
		worker->open[i] = true;
	}
	*vm = worker->vms[i];
	return &worker->gpus[i];
}

static void forget(struct worker *worker, const struct gpu *gpu)
{
	unsigned int i = gpu - worker->gpus;

	gpu_close(&worker->gpus[i]);
	worker->open[i] = false;
}

/* What any command may answer here; a device that is gone is opened again later. */
static void judge(struct worker *worker, const struct gpu *gpu, int ret)
{
	switch (ret) {
	case 0:
	case -EBUSY:
		break;
	case -ENODEV:
		worker->gone++;
		forget(worker, gpu);
		break;
	default:
		not_ok(worker, "the command fails", ret);
	}
}

/* One device may be unable to reach the coherent memory of another. */
static void judge_access(struct worker *worker, const struct gpu *gpu, int ret)
{
	if (ret != -EFAULT || gpu->tier != MOCKGPU_TIER_COHERENT)
		judge(worker, gpu, ret);
}

static void cpu_read(struct worker *worker)
{
	struct pages pages = some_pages(worker);

	compare(worker, worker->mem + pages.start, pages);
}

static void cpu_write(struct worker *worker)
{
	struct pages pages = some_pages(worker);
	uint64_t seed = dice(worker, 1 << 30);

	pattern_fill(worker->mem + pages.start, pages.size, seed);
	pattern_fill(worker->shadow + pages.start, pages.size, seed);
}

static void cpu_touch(struct worker *worker)
{
	size_t word = dice(worker, OWN_SIZE / 8);

	((volatile uint64_t *)worker->mem)[word]++;
	((uint64_t *)worker->shadow)[word]++;
}

static void device_read(struct worker *worker)
{
	static _Thread_local uint64_t copy[MOST_PAGES * PAGE / 8];
	struct pages pages = some_pages(worker);
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_READ, .data = (uintptr_t)copy,
		.addr = (uintptr_t)worker->mem + pages.start, .size = pages.size,
	};

	if (!gpu)
		return;
	judge_access(worker, gpu, gpu_access(gpu, &access));
	pages.size = access.done;
	compare(worker, (char *)copy, pages);
}

/* Whatever stops it, what was done is done. */
static void device_write(struct worker *worker)
{
	struct pages pages = some_pages(worker);
	uint64_t value = random_next(&worker->dice) << 30 ^ random_next(&worker->dice);
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_XOR, .value = value,
		.addr = (uintptr_t)worker->mem + pages.start, .size = pages.size,
	};

	if (!gpu)
		return;
	judge_access(worker, gpu, gpu_access(gpu, &access));
	for (size_t i = 0; i < access.done / 8; i++)
		((uint64_t *)(worker->shadow + pages.start))[i] ^= value;
}

/* Of the whole mapping, whoever owns it; a part that will do, or all. */
static void populate(struct worker *worker)
{
	size_t count = dice(worker, 4) ? dice(worker, MOST_PAGES) + 1 : dice(worker, 1024) + 1;
	size_t first = dice(worker, WORKERS * OWN_PAGES - count);
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);
	struct drm_mockgpu_populate populate = {
		.vm_id = vm, .addr = (uintptr_t)arena + first * PAGE, .size = count * PAGE,
		.timeslice_ms = dice(worker, 3),
	};
	int ret;

	if (!gpu)
		return;
#ifdef MOCKGPU_POPULATE_PARTIAL
	if (dice(worker, 2))
		populate.flags = MOCKGPU_POPULATE_PARTIAL;
#endif
	ret = gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate);
	worker->moved += !ret;
	/* The device may be full, and its owner may just have unmapped a part. */
	if (ret != -ENOSPC && ret != -ENOENT)
		judge(worker, gpu, ret);
}

static void evict(struct worker *worker)
{
	char *at = arena + dice(worker, WORKERS * OWN_PAGES) * PAGE;
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);
	unsigned int kind = dice(worker, 16);
	int ret;

	if (!gpu)
		return;
	if (kind == 0 && !geteuid())
		ret = gpu_evict_device(gpu, vm);
	else if (kind < 4)
		ret = gpu_evict_vm(gpu, vm);
	else
		ret = gpu_evict_at(gpu, vm, at);
	/* There may be nothing of this device at the address. */
	if (ret != -ENOENT)
		judge(worker, gpu, ret);
}

static void look(struct worker *worker)
{
	uint8_t map[MOST_PAGES];
	struct pages pages = some_pages(worker);
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);

	if (gpu)
		judge(worker, gpu, gpu_residency(gpu, vm, worker->mem + pages.start, pages.size,
						 map));
}

static void reopen(struct worker *worker)
{
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);

	if (gpu)
		forget(worker, gpu);
}

static void map_anew(struct worker *worker, struct pages pages)
{
	char *mem = worker->mem + pages.start;

	if (mmap(mem, pages.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		 -1, 0) != mem)
		not_ok(worker, "mmap", errno);
	memset(worker->shadow + pages.start, 0, pages.size);
}

/* The gap may be closed at once, or stay for a while. */
static void unmap(struct worker *worker)
{
	struct pages pages = some_pages(worker);

	if (dice(worker, 2)) {
		if (munmap(worker->mem + pages.start, pages.size))
			not_ok(worker, "munmap", errno);
		usleep(dice(worker, 1000));
	}
	map_anew(worker, pages);
}

static void discard(struct worker *worker)
{
	struct pages pages = some_pages(worker);

	if (madvise(worker->mem + pages.start, pages.size, MADV_DONTNEED))
		not_ok(worker, "madvise", errno);
	memset(worker->shadow + pages.start, 0, pages.size);
}

/* Hints; the data stays. */
static void advise(struct worker *worker)
{
	static const int hints[] = {
		MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED,
	};
	struct pages pages = some_pages(worker);

	madvise(worker->mem + pages.start, pages.size, hints[dice(worker, ARRAY_SIZE(hints))]);
}

static void protect(struct worker *worker)
{
	struct pages pages = some_pages(worker);
	char *mem = worker->mem + pages.start;
	uint32_t vm;
	const struct gpu *gpu = some_device(worker, &vm);
	struct drm_mockgpu_access access = {
		.vm_id = vm, .op = MOCKGPU_ACCESS_FILL, .value = 1,
		.addr = (uintptr_t)mem, .size = pages.size,
	};

	if (mprotect(mem, pages.size, PROT_READ))
		not_ok(worker, "mprotect", errno);
	compare(worker, mem, pages);
	if (gpu) {
		int ret = gpu_access(gpu, &access);

		if (!ret || access.done)
			not_ok(worker, "the device writes to what is read-only", access.done);
		if (ret != -EFAULT)
			judge(worker, gpu, ret);
	}
	if (mprotect(mem, pages.size, PROT_READ | PROT_WRITE))
		not_ok(worker, "mprotect", errno);
}

/* Nobody else may be given the place that pages have left. */
static void keep_aside(struct worker *worker)
{
	if (mmap(worker->aside, ASIDE_SIZE, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != worker->aside)
		not_ok(worker, "mmap", errno);
}

/* Away, looked at there, and back again. */
static void move(struct worker *worker)
{
	struct pages pages = some_pages(worker);
	char *mem = worker->mem + pages.start, *aside = worker->aside + dice(worker, 4) * PAGE;

	if (mremap(mem, pages.size, pages.size, MREMAP_MAYMOVE | MREMAP_FIXED, aside) != aside) {
		/* Older kernels move no more than one mapping. */
		if (errno != EFAULT)
			not_ok(worker, "mremap away", errno);
		keep_aside(worker);
		return;
	}
	if (dice(worker, 2))
		compare(worker, aside, pages);
	usleep(dice(worker, 500));
	if (mremap(aside, pages.size, pages.size, MREMAP_MAYMOVE | MREMAP_FIXED, mem) != mem)
		not_ok(worker, "mremap back", errno);
	keep_aside(worker);
}

/* A child has the memory as it is now, whatever it then does to it. */
static void child(struct worker *worker, struct pages pages)
{
	compare(worker, worker->mem + pages.start, pages);
	memset(worker->mem + pages.start, 0x5a, pages.size);
	if (dice(worker, 2))
		usleep(dice(worker, 20000));
	_exit(0);
}

static void fork_child(struct worker *worker)
{
	struct pages pages = some_pages(worker);
	pid_t pid = fork();
	int status;

	if (pid < 0)
		not_ok(worker, "fork", errno);
	if (!pid)
		child(worker, pages);
	if (dice(worker, 2))
		cpu_touch(worker);
	if (waitpid(pid, &status, 0) != pid || status)
		not_ok(worker, "the child failed", status);
}

static const struct step {
	const char *name;
	void (*take)(struct worker *worker);
	unsigned int weight;
} steps[] = {
	{ "CPU read", cpu_read, 10 },
	{ "CPU write", cpu_write, 8 },
	{ "CPU touch", cpu_touch, 10 },
	{ "device read", device_read, 10 },
	{ "device write", device_write, 10 },
	{ "populate", populate, 20 },
	{ "evict", evict, 6 },
	{ "residency", look, 3 },
	{ "close and open", reopen, 1 },
	{ "unmap", unmap, 3 },
	{ "discard", discard, 2 },
	{ "advise", advise, 2 },
	{ "protect", protect, 3 },
	{ "move", move, 4 },
	{ "fork", fork_child, 1 },
};

static const struct step *some_step(struct worker *worker)
{
	unsigned int total = 0, i = 0, n;

	for (size_t j = 0; j < ARRAY_SIZE(steps); j++)
		total += steps[j].weight;
	for (n = dice(worker, total); n >= steps[i].weight; i++)
		n -= steps[i].weight;
	return &steps[i];
}

static_assert(ARRAY_SIZE(steps) <= MOST_STEPS, "too many kinds of steps");

static void take(struct worker *worker, const struct step *step)
{
	size_t kind = step - steps;
	double begin = seconds_now(), seconds;

	worker->step = step->name;
	atomic_store(&worker->since, begin);
	step->take(worker);
	seconds = seconds_now() - begin;
	worker->times[kind]++;
	worker->seconds[kind] += seconds;
	if (seconds > worker->longest[kind])
		worker->longest[kind] = seconds;
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	while (!atomic_load(&stop))
		take(worker, some_step(worker));
	worker->step = "the end";
	compare(worker, worker->mem, (struct pages){ 0, OWN_SIZE });
	for (unsigned int i = 0; i < devices; i++)
		if (worker->open[i])
			forget(worker, &worker->gpus[i]);
	atomic_store(&worker->done, true);
	return NULL;
}

static void check_progress(const struct worker *worker)
{
	if (!atomic_load(&worker->done) &&
	    seconds_now() - atomic_load(&worker->since) > patience(STEP_SECONDS))
		not_ok(worker, "no end of a step", STEP_SECONDS);
}

/* Also as a device goes, when it can no longer be asked itself. */
static void check_errors(const struct worker *helper)
{
	long long errors = errors_of_all();

	if (errors < 0)
		not_ok(helper, "nobody tells what devices caught", errors);
	if (errors > errors_before)
		not_ok(helper, "devices caught wrong accesses", errors - errors_before);
}

static void take_away(struct worker *helper, unsigned int index)
{
	double begin = seconds_now();

	atomic_store(&helper->since, begin);
	if (device_unbind(index))
		not_ok(helper, "cannot unbind", index);
	check_errors(helper);
	sleep_ms(dice(helper, 100));
	if (device_bind(index))
		not_ok(helper, "cannot bind", index);
	if (seconds_now() - begin > patience(UNBIND_SECONDS))
		not_ok(helper, "takes too long", index);
	atomic_store(&helper->since, seconds_now());
	helper->moved++;
}

/* Takes a device away now and then, and gives it back. */
static void *unplug(void *arg)
{
	struct worker *helper = arg;

	helper->step = "unbind";
	while (!atomic_load(&stop)) {
		sleep_ms(500 + dice(helper, 2000));
		take_away(helper, dice(helper, devices));
	}
	atomic_store(&helper->done, true);
	return NULL;
}

static void set_up(uint64_t seed)
{
	struct gpu gpu;

	while (devices < MOST_DEVICES && !gpu_open(&gpu, devices)) {
		gpu_close(&gpu);
		devices++;
	}
	if (!devices) {
		printf("skip stress: there is no device\n");
		exit(0);
	}
	/* Owners' parts begin and end anywhere in allocations. */
	arena = mem_map(WORKERS * OWN_SIZE, 13 * PAGE, MEM_HUGE);
	for (unsigned int i = 0; i < WORKERS; i++) {
		workers[i].number = i;
		workers[i].dice = seed * WORKERS + i;
		workers[i].mem = arena + i * OWN_SIZE;
		workers[i].shadow = calloc(1, OWN_SIZE);
		workers[i].aside = mem_map(ASIDE_SIZE, 0, MEM_SMALL);
		if (!arena || !workers[i].shadow || !workers[i].aside)
			not_ok(&workers[i], "no memory", 0);
	}
}

/* The last pages are released by workers of the kernel. */
static bool nothing_left(unsigned int index)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT];
	double begin = seconds_now();
	struct gpu gpu;
	int leak;

	if (gpu_open(&gpu, index)) {
		printf("not ok stress: device %u is gone\n", index);
		return false;
	}
	do {
		leak = 0;
		gpu_counters(&gpu, values);
		for (int i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
			leak = gpu_counter_is_live(i) && values[i] ? i : leak;
		sleep_ms(10);
	} while (leak && seconds_now() - begin < patience(BOUND_SECONDS));
	gpu_close(&gpu);
	if (leak)
		printf("not ok stress: leak: device %u has %llu %s\n", index,
		       (unsigned long long)values[leak], gpu_counter_name(leak));
	return !leak;
}

static bool nothing_caught(void)
{
	long long errors = errors_of_all();

	if (errors == errors_before)
		return true;
	printf("not ok stress: devices caught %lld wrong accesses\n", errors - errors_before);
	return false;
}

static void report_step(size_t kind)
{
	double seconds = 0, longest = 0;
	unsigned long times = 0;

	for (unsigned int i = 0; i < WORKERS; i++) {
		times += workers[i].times[kind];
		seconds += workers[i].seconds[kind];
		if (workers[i].longest[kind] > longest)
			longest = workers[i].longest[kind];
	}
	printf("# %8lu %s, %.2f ms each, up to %.0f ms\n", times, steps[kind].name,
	       times ? seconds / times * 1000 : 0, longest * 1000);
}

/* A run that was long enough, but did not do all that it is for, says nothing. */
static bool all_kinds(const struct worker *helper, unsigned long gone)
{
	for (size_t kind = 0; kind < ARRAY_SIZE(steps); kind++) {
		unsigned long times = 0;

		for (unsigned int i = 0; i < WORKERS; i++)
			times += workers[i].times[kind];
		if (!times) {
			printf("not ok stress: no step was a %s\n", steps[kind].name);
			return false;
		}
	}
	if (geteuid() || (helper->moved && gone))
		return true;
	printf("not ok stress: no device went away\n");
	return false;
}

static bool report(const struct worker *helper, double seconds)
{
	unsigned long moved = 0, gone = 0;

	for (size_t kind = 0; kind < ARRAY_SIZE(steps); kind++)
		report_step(kind);
	for (unsigned int i = 0; i < WORKERS; i++) {
		moved += workers[i].moved;
		gone += workers[i].gone;
	}
	printf("# moved %lu times, a device was found gone %lu times and taken away %lu times\n",
	       moved, gone, helper->moved);
	if (!moved) {
		printf("not ok stress: nothing moved\n");
		return false;
	}
	return seconds < patience(ALL_KINDS_SECONDS) || all_kinds(helper, gone);
}

static void start(struct worker *worker, void *(*fn)(void *arg))
{
	worker->since = seconds_now();
	if (pthread_create(&worker->thread, NULL, fn, worker))
		not_ok(worker, "no thread", errno);
}

static bool all_done(const struct worker *helper)
{
	for (unsigned int i = 0; i < WORKERS; i++)
		if (!atomic_load(&workers[i].done))
			return false;
	return atomic_load(&helper->done);
}

static void run(struct worker *helper, double seconds)
{
	double deadline = seconds_now() + seconds;

	for (unsigned int i = 0; i < WORKERS; i++)
		start(&workers[i], work);
	if (geteuid())
		atomic_store(&helper->done, true);
	else
		start(helper, unplug);
	while (!all_done(helper)) {
		sleep_ms(100);
		if (seconds_now() > deadline)
			atomic_store(&stop, true);
		for (unsigned int i = 0; i < WORKERS; i++)
			check_progress(&workers[i]);
		check_progress(helper);
	}
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 16 * brief_seconds();
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) % 1000000;
	struct worker helper = { .number = WORKERS, .dice = ~seed, .step = "start" };
	bool ok;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("# stress %.0f %llu\n", seconds, (unsigned long long)seed);
	errors_before = errors_of_all();
	set_up(seed);
	run(&helper, seconds);
	munmap(arena, WORKERS * OWN_SIZE);
	ok = report(&helper, seconds);
	for (unsigned int i = 0; i < devices; i++)
		ok &= nothing_left(i);
	ok &= nothing_caught();
	if (ok)
		printf("ok stress\n");
	return !ok;
}
