// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Somebody has all the queues that there are and keeps them busy: others do not have to
 * wait for that.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "queue.h"

/* What a device has, and a file of it. */
#define DEVICE_QUEUES	256
#define FILE_QUEUES	64
/* One more than it takes, for who finds nothing left. */
#define FILES		(DEVICE_QUEUES / FILE_QUEUES + 1)
/* For those who come later. */
#define FREE_QUEUES	2
/* What must happen soon, although jobs could go on for much longer. */
#define SOON		3
/* The same, where hundreds of jobs have to end for it. */
#define ALL_SOON	10

/* Several files of one device, and as many queues as it gives them. */
struct crowd {
	struct gpu gpus[FILES];
	struct area areas[FILES];
	uint32_t queues[FILES * FILE_QUEUES];
	unsigned int count;
};

/* Whose file it is. */
static unsigned int file_of(unsigned int queue)
{
	return queue / FILE_QUEUES;
}

static void crowd_open(struct crowd *crowd, const struct gpu *gpu)
{
	for (unsigned int i = 0; i < FILES; i++) {
		CHECK_OK(gpu_open(&crowd->gpus[i], gpu->index));
		crowd->areas[i] = area_new(&crowd->gpus[i], PAGE, 0, MEM_SMALL);
		*(uint64_t *)crowd->areas[i].mem = 0;
	}
}

static int crowd_grow(struct crowd *crowd)
{
	const struct area *area = &crowd->areas[file_of(crowd->count)];
	int ret = gpu_queue_create(area->gpu, area->vm, &crowd->queues[crowd->count]);

	crowd->count += !ret;
	return ret;
}

static void crowd_shrink(struct crowd *crowd)
{
	crowd->count--;
	CHECK_OK(gpu_queue_destroy(&crowd->gpus[file_of(crowd->count)],
				   crowd->queues[crowd->count]));
}

static struct crowd *crowd_new(const struct gpu *gpu)
{
	struct crowd *crowd = calloc(1, sizeof(*crowd));
	int ret = 0;

	CHECK(crowd);
	crowd_open(crowd, gpu);
	while (!ret && crowd->count < FILES * FILE_QUEUES)
		ret = crowd_grow(crowd);
	if (ret)
		CHECK_RET(ret, -EBUSY);
	return crowd;
}

static void device_limit(struct gpu *gpu)
{
	struct crowd *crowd = crowd_new(gpu);
	uint32_t queue;

	CHECK_EQ(crowd->count, DEVICE_QUEUES);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_QUEUES), DEVICE_QUEUES);
	CHECK_RET(gpu_queue_create(gpu, vm_new(gpu), &queue), -EBUSY);
	for (int i = 0; i < 3; i++) {
		crowd_shrink(crowd);
		CHECK_OK(crowd_grow(crowd));
		CHECK_RET(crowd_grow(crowd), -EBUSY);
	}
	/* Those of a file go with it. */
	gpu_close(&crowd->gpus[0]);
	queue = queue_new(gpu, vm_new(gpu));
	CHECK_OK(gpu_queue_destroy(gpu, queue));
}

/* Jobs that wait for what never comes, one behind the other, for longer than it takes. */
static void keep_busy(const struct area *area, uint32_t queue)
{
	struct drm_mockgpu_command command = cmd_wait_equal(area->mem, 1, MOCKGPU_EXEC_MAX_MS);
	unsigned int jobs = patience(4);

	for (unsigned int i = 0; i < jobs; i++) {
		struct drm_mockgpu_exec exec = {
			.queue_id = queue, .commands = (uintptr_t)&command, .command_count = 1,
		};

		CHECK_OK(gpu_exec(area->gpu, &exec));
	}
}

/* How a process says that it has done what it was for, and then only is there. */
struct stage {
	const struct gpu *gpu;
	int fds[2];
};

static _Noreturn void say_ready(const struct stage *stage)
{
	CHECK_EQ(write(stage->fds[1], "", 1), 1);
	for (;;)
		pause();
}

static pid_t start(void (*fn)(void *arg), const struct gpu *gpu)
{
	struct stage stage = { .gpu = gpu };
	pid_t pid;
	char byte;

	CHECK_SYS(pipe(stage.fds));
	pid = test_fork(fn, &stage);
	CHECK_SYS(close(stage.fds[1]));
	CHECK_EQ(read(stage.fds[0], &byte, 1), 1);
	CHECK_SYS(close(stage.fds[0]));
	return pid;
}

static void be_many(void *arg)
{
	const struct stage *stage = arg;
	struct crowd *crowd = crowd_new(stage->gpu);

	for (unsigned int i = 0; i < FREE_QUEUES; i++)
		crowd_shrink(crowd);
	for (unsigned int i = 0; i < crowd->count; i++)
		keep_busy(&crowd->areas[file_of(i)], crowd->queues[i]);
	printf("# %u queues are busy\n", crowd->count);
	fflush(stdout);
	say_ready(stage);
}

static void be_waiting(void *arg)
{
	const struct stage *stage = arg;
	struct area area;
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, stage->gpu->index));
	area = area_new(&mine, PAGE, 0, MEM_SMALL);
	*(uint64_t *)area.mem = 0;
	keep_busy(&area, queue_new(&mine, area.vm));
	say_ready(stage);
}

static void end_within(pid_t pid, double seconds)
{
	double end = seconds_now() + patience(seconds);
	int status;

	CHECK_SYS(kill(pid, SIGKILL));
	while (waitpid(pid, &status, WNOHANG) != pid) {
		if (seconds_now() > end)
			FAIL("process %d was killed but does not go away", pid);
		sleep_ms(2);
	}
}

/* With a page fault the first time, and without one the second time. */
static void fill_soon(const struct area *area, uint32_t queue, uint64_t value)
{
	struct job job = { };

	job_add(&job, cmd_fill(area->mem, area->size, value));
	job_start(&job, area->gpu, queue);
	CHECK_OK(sync_wait(area->gpu, job.sync, 0, patience(SOON)));
	CHECK_OK(job_end(&job));
	CHECK_EQ(((uint64_t *)area->mem)[area->size / 8 - 1], value);
}

static void wait_for_queues(const struct gpu *gpu, uint64_t count)
{
	double end = seconds_now() + patience(ALL_SOON);

	while (counter(gpu, MOCKGPU_COUNTER_LIVE_QUEUES) != count && seconds_now() < end)
		sleep_ms(5);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_QUEUES), count);
}

static void many_busy(struct gpu *gpu)
{
	struct area area = area_new(gpu, 4 * PAGE, 0, MEM_SMALL);
	pid_t many = start(be_many, gpu);
	uint32_t queue = queue_new(gpu, area.vm);

	fill_soon(&area, queue, 1);
	fill_soon(&area, queue, 2);
	end_within(start(be_waiting, gpu), SOON);
	CHECK_OK(gpu_queue_destroy(gpu, queue));
	queue = queue_new(gpu, area.vm);
	fill_soon(&area, queue, 3);
	end_within(many, ALL_SOON);
	wait_for_queues(gpu, 1);
	fill_soon(&area, queue_new(gpu, area.vm), 4);
}

static const struct test tests[] = {
	{ "device-limit", device_limit, 0, 0 },
	{ "many-busy", many_busy, 0, 0 },
};

HARNESS_MAIN(tests)
