// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * How long work on much device memory keeps a processor at a stretch, where the kernel
 * is not interrupted for what is more urgent. An observer on the same processor, who is
 * more urgent and wants it twice in a millisecond, looks how much of the worker's time
 * has gone by whenever it gets it. Time that the machine has for others counts, too: in
 * one of scripts/vm --icount there is none.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "common.h"

/* To go through all pages without letting go takes ten times that. */
#define STRETCH_SECONDS	0.05
#define PREEMPT		"/sys/kernel/debug/sched/preempt"
#define PAUSE_NS	500000

/* Both see this: what the observer looks at is only what is marked. */
struct worker {
	struct gpu *gpu;
	struct area area;
	void (*work)(struct worker *worker);
	atomic_bool marked;
};

static void begin(struct worker *worker)
{
	atomic_store(&worker->marked, true);
}

static void end(struct worker *worker)
{
	atomic_store(&worker->marked, false);
}

static void stay_on_last_processor(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sysconf(_SC_NPROCESSORS_ONLN) - 1, &set);
	CHECK_SYS(sched_setaffinity(0, sizeof(set), &set));
}

static void be_urgent(void)
{
	struct sched_param param = { .sched_priority = 1 };

	stay_on_last_processor();
	CHECK_SYS(sched_setscheduler(0, SCHED_FIFO, &param));
}

static double seconds_on(clockid_t clock)
{
	struct timespec now;

	CHECK_SYS(clock_gettime(clock, &now));
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Until the worker ends, which is part of its work. */
static double longest_stretch(const struct worker *worker, pid_t pid)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };
	double longest = 0, before = 0, now;
	bool was_marked = false;
	clockid_t clock;
	siginfo_t info = { };

	CHECK_OK(-clock_getcpuclockid(pid, &clock));
	while (!info.si_pid) {
		now = seconds_on(clock);
		if (was_marked && now - before > longest)
			longest = now - before;
		was_marked = atomic_load(&worker->marked);
		before = now;
		nanosleep(&pause, NULL);
		CHECK_SYS(waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT));
	}
	return longest;
}

static void do_work(void *arg)
{
	struct worker *worker = arg;
	struct sched_param param = { };

	CHECK_SYS(sched_setscheduler(0, SCHED_OTHER, &param));
	CHECK_OK(gpu_open(worker->gpu, worker->gpu->index));
	worker->area = area_filled(worker->gpu, worker->gpu->vram_size, 0, MEM_SMALL);
	worker->work(worker);
}

/* Whatever the kernel allows was asked for by whoever booted it; this is the worst. */
static char *preempt_least(void)
{
	static char before[64];
	char text[64], *word;

	word = strchr(file_line(PREEMPT, text, sizeof(text)), '(');
	if (!word)
		return NULL;
	CHECK(sscanf(word, "(%63[^)]", before) == 1);
	if (strstr(text, "none"))
		CHECK_OK(file_write(PREEMPT, "none"));
	return before;
}

static double observe(struct worker *worker)
{
	double stretch;
	pid_t pid = test_fork(do_work, worker);

	stretch = longest_stretch(worker, pid);
	test_join(pid);
	printf("# %.1f ms at most\n", stretch * 1000);
	CHECK(stretch > 0);
	return stretch;
}

static void check_stretch(struct gpu *gpu, void (*work)(struct worker *worker))
{
	struct worker *worker = mmap(NULL, sizeof(*worker), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char *preempt = preempt_least();
	double stretch;

	CHECK(worker != MAP_FAILED);
	worker->gpu = gpu;
	worker->work = work;
	be_urgent();
	stretch = observe(worker);
	if (preempt)
		CHECK_OK(file_write(PREEMPT, preempt));
	if (stretch > patience(STRETCH_SECONDS))
		FAIL("the processor was kept for %.1f ms", stretch * 1000);
}

static void work_populate(struct worker *worker)
{
	begin(worker);
	area_populate(&worker->area);
	end(worker);
}

static void populate(struct gpu *gpu)
{
	check_stretch(gpu, work_populate);
}

static void work_use(struct worker *worker)
{
	area_populate(&worker->area);
	begin(worker);
	area_device_flip(&worker->area, 1);
	CHECK_PLACE(&worker->area, MOCKGPU_PAGE_DEVICE);
	end(worker);
}

static void use(struct gpu *gpu)
{
	check_stretch(gpu, work_use);
}

static void work_evict(struct worker *worker)
{
	work_use(worker);
	begin(worker);
	area_evict(&worker->area);
	end(worker);
}

static void evict(struct gpu *gpu)
{
	check_stretch(gpu, work_evict);
}

static void work_evict_device(struct worker *worker)
{
	work_use(worker);
	begin(worker);
	CHECK_OK(gpu_evict_device(worker->gpu, worker->area.vm));
	end(worker);
}

static void evict_device(struct gpu *gpu)
{
	check_stretch(gpu, work_evict_device);
}

static void work_protect(struct worker *worker)
{
	work_use(worker);
	begin(worker);
	CHECK_SYS(mprotect(worker->area.mem, worker->area.size, PROT_READ));
	end(worker);
}

static void protect(struct gpu *gpu)
{
	check_stretch(gpu, work_protect);
}

static void work_unmap(struct worker *worker)
{
	work_use(worker);
	begin(worker);
	CHECK_SYS(munmap(worker->area.mem, worker->area.size));
	end(worker);
}

static void unmap(struct gpu *gpu)
{
	check_stretch(gpu, work_unmap);
}

static void work_exit(struct worker *worker)
{
	work_use(worker);
	begin(worker);
}

static void process_end(struct gpu *gpu)
{
	check_stretch(gpu, work_exit);
}

static void work_buffer(struct worker *worker)
{
	const struct gpu *gpu = worker->gpu;
	uint32_t handle;

	begin(worker);
	CHECK_OK(gem_create(gpu, gpu->vram_size, MOCKGPU_GEM_VRAM, &handle));
	CHECK_OK(gem_bind(gpu, worker->area.vm, handle, 0, worker->area.mem, gpu->vram_size));
	area_device_fill(&worker->area, 1);
	area_check_device(&worker->area);
	CHECK_OK(gem_close(gpu, handle));
	end(worker);
}

static void buffer(struct gpu *gpu)
{
	check_stretch(gpu, work_buffer);
}

static void work_unbind(struct worker *worker)
{
	work_use(worker);
	begin(worker);
	CHECK_OK(device_unbind(worker->gpu->index));
	end(worker);
	CHECK_OK(device_bind(worker->gpu->index));
}

static void unbind(struct gpu *gpu)
{
	check_stretch(gpu, work_unbind);
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

static const struct test tests[] = {
	{ "populate", populate, NEEDS, 0 },
	{ "use", use, NEEDS, 0 },
	{ "evict", evict, NEEDS, 0 },
	{ "evict-device", evict_device, NEEDS, 0 },
	{ "protect", protect, NEEDS, 0 },
	{ "unmap", unmap, NEEDS, 0 },
	{ "process-end", process_end, NEEDS, 0 },
	{ "buffer", buffer, NEEDS, 0 },
	{ "unbind", unbind, NEEDS, 0 },
};

HARNESS_MAIN(tests)
