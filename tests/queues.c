// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Jobs in their queues: in which order they run, what they wait for and signal, and
 * how they end when what they need goes away.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knob.h"
#include "queue.h"

#define VALUE	0x1b873593cc9e2d51ULL
/* Longer than any test looks at it. */
#define LONG_MS	10000
/* What must happen soon, although jobs could go on for LONG_MS. */
#define SOON	3

/* A VM with a page of words, and a queue. */
struct ground {
	struct area area;
	uint64_t *words;
	uint32_t queue;
};

static struct ground ground_new(const struct gpu *gpu)
{
	struct ground ground = { .area = area_new(gpu, 64 * PAGE, 0, MEM_SMALL) };

	memset(ground.area.mem, 0, ground.area.size);
	ground.words = (uint64_t *)ground.area.mem;
	ground.queue = queue_new(gpu, ground.area.vm);
	return ground;
}

static struct drm_mockgpu_sync sync_new(const struct gpu *gpu, uint64_t point)
{
	struct drm_mockgpu_sync sync = { .point = point };

	CHECK_OK(sync_create(gpu, &sync.handle));
	return sync;
}

static int is_over(const struct job *job)
{
	int ret = sync_wait(job->gpu, job->sync, 0, 0);

	CHECK(!ret || ret == -ETIME);
	return !ret;
}

/* Waits until the CPU stores VALUE in a word. */
static void start_waiter(struct job *job, const struct ground *ground, size_t word)
{
	job_add(job, cmd_wait_equal(ground->words + word, VALUE, LONG_MS));
	job_start(job, ground->area.gpu, ground->queue);
}

static void let_go(const struct ground *ground, size_t word)
{
	__atomic_store_n(ground->words + word, VALUE, __ATOMIC_SEQ_CST);
}

static void with_in(struct drm_mockgpu_exec *exec, const struct drm_mockgpu_sync *in)
{
	exec->in_syncs = (uintptr_t)in;
	exec->in_count = 1;
}

static void with_out(struct drm_mockgpu_exec *exec, const struct drm_mockgpu_sync *out)
{
	exec->out_syncs = (uintptr_t)out;
	exec->out_count = 1;
}

/* EXEC returns while the job runs; it ends when it is let go, not before. */
static void asynchronous(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct job job = { };

	start_waiter(&job, &ground, 0);
	CHECK_RET(sync_wait(gpu, job.sync, 0, 0.2), -ETIME);
	CHECK_EQ(sync_status(gpu, job.sync), 1);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS), 1);
	let_go(&ground, 0);
	CHECK_OK(job_end(&job));
	CHECK_EQ(job.result->command, 1);
}

/* Each job finds what the one before it left. */
static void in_order(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	static struct job jobs[100];

	for (uint64_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		job_add(&jobs[i], cmd_compare_exchange(ground.words, i, i + 1, NULL));
		job_start(&jobs[i], gpu, ground.queue);
	}
	CHECK_OK(job_end(&jobs[ARRAY_SIZE(jobs) - 1]));
	CHECK_EQ(ground.words[0], ARRAY_SIZE(jobs));
	for (size_t i = 0; i < ARRAY_SIZE(jobs) - 1; i++) {
		CHECK(is_over(&jobs[i]));
		CHECK_OK(job_end(&jobs[i]));
	}
}

/* Jobs of different queues wait for each other in turn. */
static void side_by_side(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	uint32_t other = queue_new(gpu, ground.area.vm);
	struct job jobs[2] = { };

	for (uint64_t turn = 0; turn < JOB_COMMANDS / 2; turn++)
		for (uint64_t i = 0; i < 2; i++) {
			job_add(&jobs[i], cmd_wait_equal(ground.words, 2 * turn + i, LONG_MS));
			job_add(&jobs[i], cmd_add(ground.words, 1, NULL));
		}
	job_start(&jobs[1], gpu, other);
	job_start(&jobs[0], gpu, ground.queue);
	CHECK_OK(job_end(&jobs[0]));
	CHECK_OK(job_end(&jobs[1]));
	CHECK_EQ(ground.words[0], JOB_COMMANDS);
}

static void check_dependent(struct gpu *gpu, uint64_t point)
{
	struct drm_mockgpu_sync sync = sync_new(gpu, point);
	struct ground ground = ground_new(gpu);
	uint32_t other = queue_new(gpu, ground.area.vm);
	struct job first = { }, second = { };
	struct drm_mockgpu_exec exec = { };

	job_add(&first, cmd_wait_equal(ground.words, VALUE, LONG_MS));
	job_add(&first, cmd_fill(ground.words + 8, 8, 7));
	job_add(&second, cmd_wait_equal(ground.words + 8, 7, 1));
	with_in(&exec, &sync);
	CHECK_RET(job_try_start(&second, gpu, other, &exec), -EINVAL);
	exec = (struct drm_mockgpu_exec){ };
	with_out(&exec, &sync);
	CHECK_OK(job_try_start(&first, gpu, ground.queue, &exec));
	exec = (struct drm_mockgpu_exec){ };
	with_in(&exec, &sync);
	CHECK_OK(job_try_start(&second, gpu, other, &exec));
	CHECK_RET(sync_wait(gpu, second.sync, 0, 0.1), -ETIME);
	let_go(&ground, 0);
	CHECK_OK(job_end(&second));
	CHECK_OK(job_end(&first));
	CHECK_OK(sync_wait(gpu, sync.handle, point, 0));
}

/* A job of one queue waits for one of another. */
static void binary_sync(struct gpu *gpu)
{
	check_dependent(gpu, 0);
}

static void timeline_sync(struct gpu *gpu)
{
	check_dependent(gpu, 3);
}

/* A timeline goes on point by point, signalled by jobs and by the CPU. */
static void timeline_points(struct gpu *gpu)
{
	struct drm_mockgpu_sync sync = sync_new(gpu, 0);
	struct ground ground = ground_new(gpu);
	struct job jobs[4] = { };
	uint64_t point;

	for (uint64_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct drm_mockgpu_exec exec = { };

		job_add(&jobs[i], cmd_wait_equal(ground.words + i, VALUE, LONG_MS));
		sync.point = 10 * (i + 1);
		with_out(&exec, &sync);
		CHECK_OK(job_try_start(&jobs[i], gpu, ground.queue, &exec));
	}
	for (uint64_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		CHECK_OK(sync_query(gpu, sync.handle, &point));
		CHECK_EQ(point, 10 * i);
		CHECK_RET(sync_wait(gpu, sync.handle, 10 * (i + 1), 0), -ETIME);
		let_go(&ground, i);
		CHECK_OK(sync_wait(gpu, sync.handle, 10 * i + 1, patience(10)));
		CHECK_OK(job_end(&jobs[i]));
	}
	CHECK_OK(sync_signal(gpu, sync.handle, 50));
	CHECK_OK(sync_query(gpu, sync.handle, &point));
	CHECK_EQ(point, 50);
}

/* Many jobs wait for one, and one for many. */
static void many_syncs(struct gpu *gpu)
{
	struct drm_mockgpu_sync start = sync_new(gpu, 0), ends[16];
	struct ground ground = ground_new(gpu);
	struct job first = { }, jobs[16] = { }, last = { };
	struct drm_mockgpu_exec exec = { };

	with_out(&exec, &start);
	job_add(&first, cmd_wait_equal(ground.words, VALUE, LONG_MS));
	CHECK_OK(job_try_start(&first, gpu, ground.queue, &exec));
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		ends[i] = sync_new(gpu, i % 2 ? i : 0);
		exec = (struct drm_mockgpu_exec){ };
		with_in(&exec, &start);
		with_out(&exec, &ends[i]);
		job_add(&jobs[i], cmd_add(ground.words + 1, 1, NULL));
		CHECK_OK(job_try_start(&jobs[i], gpu, queue_new(gpu, ground.area.vm), &exec));
	}
	exec = (struct drm_mockgpu_exec){
		.in_syncs = (uintptr_t)ends, .in_count = ARRAY_SIZE(ends),
	};
	job_add(&last, cmd_exchange(ground.words + 1, 0, ground.words + 2));
	CHECK_OK(job_try_start(&last, gpu, ground.queue, &exec));
	CHECK_EQ(ground.words[1], 0);
	let_go(&ground, 0);
	CHECK_OK(job_end(&last));
	CHECK_EQ(ground.words[2], ARRAY_SIZE(jobs));
}

/* What a job waits for may have failed; what failed is no hindrance for the next. */
static void after_failure(struct gpu *gpu)
{
	struct drm_mockgpu_sync sync = sync_new(gpu, 0);
	struct ground ground = ground_new(gpu);
	struct drm_mockgpu_exec exec = { };
	struct job bad = { }, good = { };

	with_out(&exec, &sync);
	job_add(&bad, cmd_fill(ground.words, PAGE, 1));
	job_add(&bad, cmd_fill((void *)PAGE, PAGE, 1));
	job_add(&bad, cmd_fill(ground.words, PAGE, 2));
	CHECK_OK(job_try_start(&bad, gpu, ground.queue, &exec));
	CHECK_RET(job_end(&bad), -EFAULT);
	CHECK_EQ(bad.result->command, 1);
	CHECK_EQ(bad.result->addr, PAGE);
	CHECK_RET(sync_status(gpu, sync.handle), -EFAULT);
	CHECK_EQ(ground.words[0], 1);
	exec = (struct drm_mockgpu_exec){ };
	with_in(&exec, &sync);
	job_add(&good, cmd_fill(ground.words, PAGE, 3));
	CHECK_OK(job_try_start(&good, gpu, ground.queue, &exec));
	CHECK_OK(job_end(&good));
	CHECK_EQ(ground.words[511], 3);
}

/* A result that cannot be stored keeps nobody waiting. */
static void bad_result(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct drm_mockgpu_command command = cmd_fill(ground.words, 8, 1);
	struct drm_mockgpu_sync out = sync_new(gpu, 0);
	struct drm_mockgpu_exec exec = {
		.queue_id = ground.queue, .commands = (uintptr_t)&command, .command_count = 1,
		.result = PAGE,
	};

	with_out(&exec, &out);
	CHECK_OK(gpu_exec(gpu, &exec));
	CHECK_OK(sync_wait(gpu, out.handle, 0, patience(10)));
	CHECK_EQ(sync_status(gpu, out.handle), 0);
	CHECK_EQ(ground.words[0], 1);
}

/* The time of a job is limited, and counts from its start. */
static void job_time(struct gpu *gpu)
{
	struct drm_mockgpu_exec exec = { .timeout_ms = 300 };
	struct ground ground = ground_new(gpu);
	struct job jobs[3] = { };
	double start = seconds_now();

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		job_add(&jobs[i], cmd_wait_equal(ground.words + (i < 2), VALUE, LONG_MS));
		CHECK_OK(job_try_start(&jobs[i], gpu, ground.queue, &exec));
	}
	let_go(&ground, 0);
	CHECK_RET(job_end(&jobs[0]), -ETIME);
	CHECK(jobs[0].result->addr == (uintptr_t)(ground.words + 1));
	CHECK_RET(job_end(&jobs[1]), -ETIME);
	CHECK(seconds_now() - start > 0.5);
	CHECK(seconds_now() - start < patience(5));
	CHECK_OK(job_end(&jobs[2]));
}

/* Jobs that run, that are behind those, and that wait for a fence end at once. */
struct doomed {
	struct ground ground;
	uint32_t other;
	struct job running, behind, dependent;
};

static struct doomed *doomed_new(struct gpu *gpu)
{
	struct doomed *doomed = calloc(1, sizeof(*doomed));
	struct drm_mockgpu_sync sync = sync_new(gpu, 0);
	struct drm_mockgpu_exec exec = { };

	doomed->ground = ground_new(gpu);
	doomed->other = queue_new(gpu, doomed->ground.area.vm);
	with_out(&exec, &sync);
	job_add(&doomed->running, cmd_wait_equal(doomed->ground.words, VALUE, LONG_MS));
	CHECK_OK(job_try_start(&doomed->running, gpu, doomed->ground.queue, &exec));
	job_add(&doomed->behind, cmd_fill(doomed->ground.words + 1, 8, 1));
	job_start(&doomed->behind, gpu, doomed->ground.queue);
	exec = (struct drm_mockgpu_exec){ };
	with_in(&exec, &sync);
	job_add(&doomed->dependent, cmd_fill(doomed->ground.words + 2, 8, 1));
	CHECK_OK(job_try_start(&doomed->dependent, gpu, doomed->other, &exec));
	return doomed;
}

static void check_refused(const struct gpu *gpu, uint32_t queue, int error)
{
	static uint64_t word;
	struct job job = { };

	job_add(&job, cmd_fill(&word, 8, 1));
	CHECK_RET(job_try_start(&job, gpu, queue, NULL), error);
}

static void queue_destroyed(struct gpu *gpu)
{
	struct doomed *doomed = doomed_new(gpu);
	double start = seconds_now();

	/* First the one that waits for the other. */
	CHECK_OK(gpu_queue_destroy(gpu, doomed->other));
	CHECK(is_over(&doomed->dependent));
	CHECK(!is_over(&doomed->running));
	CHECK_OK(gpu_queue_destroy(gpu, doomed->ground.queue));
	CHECK(is_over(&doomed->running) && is_over(&doomed->behind));
	CHECK(seconds_now() - start < patience(SOON));
	CHECK_RET(job_end(&doomed->dependent), -ECANCELED);
	CHECK_RET(job_end(&doomed->running), -ECANCELED);
	CHECK_RET(job_end(&doomed->behind), -ECANCELED);
	CHECK(!doomed->ground.words[1] && !doomed->ground.words[2]);
	CHECK_RET(gpu_queue_destroy(gpu, doomed->other), -ENOENT);
	check_refused(gpu, doomed->other, -ENOENT);
}

static void vm_destroyed(struct gpu *gpu)
{
	struct doomed *doomed = doomed_new(gpu);
	double start = seconds_now();
	uint32_t queue;
	int ret;

	CHECK_OK(gpu_vm_destroy(gpu, doomed->ground.area.vm));
	CHECK(is_over(&doomed->running) && is_over(&doomed->behind) &&
	      is_over(&doomed->dependent));
	CHECK(seconds_now() - start < patience(SOON));
	CHECK_RET(job_end(&doomed->running), -ECANCELED);
	CHECK_RET(job_end(&doomed->behind), -ECANCELED);
	/* It may have had its chance between one queue's end and the other's. */
	ret = job_end(&doomed->dependent);
	CHECK(!ret || ret == -ECANCELED);
	check_refused(gpu, doomed->other, -ECANCELED);
	CHECK_RET(gpu_queue_create(gpu, doomed->ground.area.vm, &queue), -ENOENT);
	CHECK_OK(gpu_queue_destroy(gpu, doomed->other));
}

static void file_closed(struct gpu *gpu)
{
	double start = seconds_now();
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, gpu->index));
	doomed_new(&mine);
	gpu_close(&mine);
	CHECK(seconds_now() - start < patience(SOON));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS), 0);
}

static void start_and_hang(void *arg)
{
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, ((struct gpu *)arg)->index));
	doomed_new(&mine);
	for (;;)
		pause();
}

static int jobs_are(const struct gpu *gpu, uint64_t count, double seconds)
{
	double end = seconds_now() + patience(seconds);

	while (counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS) != count && seconds_now() < end)
		sleep_ms(2);
	return counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS) == count;
}

static void killed(struct gpu *gpu)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = test_fork(start_and_hang, gpu);
		double start;
		int status;

		CHECK(jobs_are(gpu, 3, 10));
		start = seconds_now();
		CHECK_SYS(kill(pid, SIGKILL));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(jobs_are(gpu, 0, SOON));
		CHECK(seconds_now() - start < patience(SOON));
	}
}

static void start_and_leave(void *arg)
{
	struct ground ground = ground_new(arg);
	struct job job = { };

	start_waiter(&job, &ground, 0);
	CHECK_RET(sync_wait(arg, job.sync, 0, 0.1), -ETIME);
}

/* The file stays open with somebody else, but the memory is gone. */
static void orphaned(struct gpu *gpu)
{
	struct gpu mine;

	CHECK_OK(gpu_open(&mine, gpu->index));
	test_join(test_fork(start_and_leave, &mine));
	CHECK(jobs_are(gpu, 0, SOON));
	gpu_close(&mine);
}

/* Who has the file but not the memory may not use its queues. */
static void use_foreign(void *arg)
{
	struct ground *ground = arg;

	check_refused(ground->area.gpu, ground->queue, -EPERM);
	CHECK_RET(gpu_queue_destroy(ground->area.gpu, ground->queue), -EPERM);
}

static void other_process(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);

	test_join(test_fork(use_foreign, &ground));
	CHECK_OK(job_do(gpu, ground.queue, cmd_fill(ground.words, 8, 1)));
}

static void full(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	static struct job jobs[256];
	uint32_t queue, queues = 1;
	int ret;

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		start_waiter(&jobs[i], &ground, 0);
	check_refused(gpu, ground.queue, -EBUSY);
	let_go(&ground, 0);
	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++)
		CHECK_OK(job_end(&jobs[i]));
	CHECK_OK(job_do(gpu, ground.queue, cmd_fill(ground.words, 8, 1)));
	while (!(ret = gpu_queue_create(gpu, ground.area.vm, &queue)))
		queues++;
	CHECK_RET(ret, -EBUSY);
	CHECK_EQ(queues, 64);
	CHECK_OK(gpu_queue_destroy(gpu, ground.queue));
	CHECK_OK(gpu_queue_create(gpu, ground.area.vm, &queue));
}

/* What EXEC itself is given is in VRAM when it is read, and when it is written. */
static void arguments_in_vram(struct gpu *gpu)
{
	struct area area = area_new(gpu, 16 * PAGE, 0, MEM_SMALL);
	struct drm_mockgpu_command *commands = (void *)area.mem;
	struct drm_mockgpu_sync *out = (void *)(area.mem + 4 * PAGE);
	struct drm_mockgpu_result *result = (void *)(area.mem + 8 * PAGE);
	struct drm_mockgpu_exec exec = {
		.queue_id = queue_new(gpu, area.vm), .commands = (uintptr_t)commands,
		.command_count = MOCKGPU_EXEC_MAX_COMMANDS, .result = (uintptr_t)result,
	};
	uint64_t *word = (void *)(area.mem + 12 * PAGE);

	for (int i = 0; i < MOCKGPU_EXEC_MAX_COMMANDS; i++)
		commands[i] = cmd_add(word, i, NULL);
	*out = sync_new(gpu, 0);
	*word = 0;
	with_out(&exec, out);
	area_populate(&area);
	CHECK_OK(gpu_exec(gpu, &exec));
	CHECK_OK(sync_wait(gpu, out->handle, 0, patience(10)));
	CHECK_EQ(result->done, 1);
	CHECK_EQ(result->error, 0);
	CHECK_EQ(*word, 255 * 128);
}

static void hold_faults(struct gpu *gpu, bool hold)
{
	CHECK_OK(knob_set(gpu, "hold_faults", hold));
}

/* What was there when the device wanted it is gone, or something else is there. */
static void stale_memory(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	char *mem = mem_map(64 * PAGE, 0, MEM_SMALL);
	uint64_t sums[2] = { };
	struct job gone = { }, other = { };

	CHECK_OK(job_do(gpu, ground.queue, cmd_fill(ground.words, 8, 1)));
	memset(mem, 1, 2 * PAGE);
	hold_faults(gpu, true);
	job_add(&gone, cmd_checksum(mem, 8, &sums[0]));
	job_start(&gone, gpu, queue_new(gpu, ground.area.vm));
	job_add(&other, cmd_checksum(mem + PAGE, 8, &sums[1]));
	job_start(&other, gpu, queue_new(gpu, ground.area.vm));
	CHECK_RET(sync_wait(gpu, gone.sync, 0, 0.2), -ETIME);
	CHECK_SYS(munmap(mem, 64 * PAGE));
	CHECK(mmap(mem + PAGE, PAGE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == mem + PAGE);
	*(uint64_t *)(mem + PAGE) = VALUE;
	hold_faults(gpu, false);
	CHECK_RET(job_end(&gone), -EFAULT);
	CHECK_OK(job_end(&other));
	CHECK(sums[1] == VALUE);
}

#define STALE_QUEUES	50

/* Jobs do not wait for faults that nobody handles, and such faults are dropped. */
static void stale_faults(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct job jobs[STALE_QUEUES] = { };
	uint64_t handled, stale = counter(gpu, MOCKGPU_COUNTER_STALE_FAULTS);
	uint32_t queues[STALE_QUEUES];
	double start;

	hold_faults(gpu, true);
	for (size_t i = 0; i < STALE_QUEUES; i++) {
		job_add(&jobs[i], cmd_fill(ground.words + i * 8, 8, 1));
		queues[i] = queue_new(gpu, ground.area.vm);
		job_start(&jobs[i], gpu, queues[i]);
	}
	sleep_ms(200);
	handled = counter(gpu, MOCKGPU_COUNTER_DEVICE_FAULTS);
	start = seconds_now();
	CHECK_OK(gpu_vm_destroy(gpu, ground.area.vm));
	CHECK(seconds_now() - start < patience(SOON));
	for (size_t i = 0; i < STALE_QUEUES; i++) {
		CHECK_RET(job_end(&jobs[i]), -ECANCELED);
		CHECK_OK(gpu_queue_destroy(gpu, queues[i]));
	}
	CHECK_OK(gpu_queue_destroy(gpu, ground.queue));
	CHECK(counter(gpu, MOCKGPU_COUNTER_LIVE_VMS) > 0);
	hold_faults(gpu, false);
	/* The last of them has the VM until then. */
	start = seconds_now();
	while (counter(gpu, MOCKGPU_COUNTER_LIVE_VMS) && seconds_now() - start < patience(10))
		sleep_ms(5);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_VMS), 0);
	CHECK(counter(gpu, MOCKGPU_COUNTER_STALE_FAULTS) > stale);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_DEVICE_FAULTS), handled);
	CHECK_EQ(ground.words[0], 0);
}

/* A fault that is not handled in time ends the job, not the queue. */
static void slow_fault(struct gpu *gpu)
{
	struct drm_mockgpu_exec exec = { .timeout_ms = 200 };
	struct ground ground = ground_new(gpu);
	struct job job = { }, next = { };

	hold_faults(gpu, true);
	job_add(&job, cmd_fill(ground.words, 8, 1));
	CHECK_OK(job_try_start(&job, gpu, ground.queue, &exec));
	CHECK_OK(sync_wait(gpu, job.sync, 0, patience(10)));
	CHECK_RET(sync_status(gpu, job.sync), -ETIME);
	job_add(&next, cmd_fill(ground.words, 8, 2));
	job_start(&next, gpu, ground.queue);
	hold_faults(gpu, false);
	CHECK_OK(job_end(&next));
	CHECK_EQ(ground.words[0], 2);
}

/* Without a place for its result, for which there could be a fault, too. */
static void start_timed(struct job *job, const struct ground *ground,
			struct drm_mockgpu_command command, uint32_t ms)
{
	const struct drm_mockgpu_exec exec = { .timeout_ms = ms };

	job_add(job, command);
	job_prepare(job, ground->area.gpu, ground->queue, &exec);
	job->exec.result = 0;
	CHECK_OK(job_submit(job));
}

static void check_status(const struct job *job, int status)
{
	CHECK_OK(sync_wait(job->gpu, job->sync, 0, patience(10)));
	CHECK_RET(sync_status(job->gpu, job->sync), status);
}

/* A queue has one fault at a time: who needs none goes on, who needs one waits for it. */
static void fault_after_stale(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct area other = area_new(gpu, PAGE, 0, MEM_SMALL);
	uint64_t *word = (uint64_t *)other.mem;
	struct job jobs[5] = { };

	*word = 0;
	CHECK_OK(job_do(gpu, ground.queue, cmd_fill(ground.words, 8, 1)));
	hold_faults(gpu, true);
	start_timed(&jobs[0], &ground, cmd_fill(word, 8, 1), 100);
	check_status(&jobs[0], -ETIME);
	start_timed(&jobs[1], &ground, cmd_fill(ground.words, 8, 2), 0);
	check_status(&jobs[1], 0);
	CHECK_EQ(ground.words[0], 2);
	start_timed(&jobs[2], &ground, cmd_add(word, 2, NULL), 100);
	check_status(&jobs[2], -ETIME);
	start_timed(&jobs[3], &ground, cmd_add(word, 3, NULL), 0);
	CHECK_RET(sync_wait(gpu, jobs[3].sync, 0, 0.2), -ETIME);
	hold_faults(gpu, false);
	check_status(&jobs[3], 0);
	start_timed(&jobs[4], &ground, cmd_add(word, 4, NULL), 0);
	check_status(&jobs[4], 0);
	CHECK_EQ(*word, 7);
}

/* Who moves, maps or unmaps memory does not wait for a job that waits for a fault. */
static void stalled_fault(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct area other = area_filled(gpu, 2 * MIB, 0, MEM_SMALL);
	double start = seconds_now();
	struct job job = { };

	hold_faults(gpu, true);
	job_add(&job, cmd_fill(ground.words, 8, 1));
	job_start(&job, gpu, ground.queue);
	/* All while the job waits, which it does for ten seconds. */
	for (int i = 0; i < 20 && seconds_now() - start < 5; i++) {
		char *mem = mem_map(16 * PAGE, 0, MEM_SMALL);

		memset(mem, i, 16 * PAGE);
		area_move(&other, 0);
		area_evict(&other);
		area_move(&ground.area, 0);
		CHECK_SYS(munmap(mem, 16 * PAGE));
	}
	CHECK(!is_over(&job));
	CHECK(seconds_now() - start < patience(SOON));
	hold_faults(gpu, false);
	CHECK_OK(job_end(&job));
	CHECK_EQ(ground.words[0], 1);
	area_check_cpu(&other);
}

static void refuse(const struct drm_mockgpu_exec *exec, const struct gpu *gpu, int error,
		   const char *what)
{
	struct drm_mockgpu_exec copy = *exec;
	int ret = gpu_exec(gpu, &copy);

	if (ret != error)
		FAIL("%s: %s, not %s", what, errno_name(ret), errno_name(error));
}

#define REFUSE(error, field, bad)					\
	do {								\
		struct drm_mockgpu_exec _exec = good;			\
									\
		_exec.field = (bad);					\
		refuse(&_exec, gpu, error, #field " = " #bad);		\
	} while (0)

static void bad_exec(struct gpu *gpu)
{
	struct ground ground = ground_new(gpu);
	struct drm_mockgpu_command command = cmd_fill(ground.words, 8, 1);
	struct drm_mockgpu_sync in = sync_new(gpu, 1), out = sync_new(gpu, 0);
	struct drm_mockgpu_sync unknown = { .handle = 12345 };
	struct drm_mockgpu_sync padded = { .handle = out.handle, .pad = 1 };
	struct drm_mockgpu_exec good = {
		.queue_id = ground.queue, .commands = (uintptr_t)&command, .command_count = 1,
	};

	with_in(&good, &in);
	with_out(&good, &out);
	CHECK_OK(sync_signal(gpu, in.handle, 1));
	REFUSE(-ENOENT, queue_id, 0);
	REFUSE(-ENOENT, queue_id, ground.queue + 1);
	REFUSE(-EINVAL, flags, 1);
	REFUSE(-EINVAL, timeout_ms, MOCKGPU_EXEC_MAX_MS + 1);
	REFUSE(-EINVAL, command_count, 0);
	REFUSE(-EINVAL, command_count, MOCKGPU_EXEC_MAX_COMMANDS + 1);
	REFUSE(-EINVAL, in_count, MOCKGPU_EXEC_MAX_SYNCS + 1);
	REFUSE(-EINVAL, out_count, -1);
	REFUSE(-EINVAL, result, 4);
	REFUSE(-EINVAL, result, 1ULL << 63);
	REFUSE(-EFAULT, commands, 8);
	REFUSE(-EFAULT, in_syncs, 8);
	REFUSE(-EFAULT, out_syncs, 1ULL << 63);
	REFUSE(-ENOENT, in_syncs, (uintptr_t)&unknown);
	REFUSE(-ENOENT, out_syncs, (uintptr_t)&unknown);
	REFUSE(-EINVAL, in_syncs, (uintptr_t)&padded);
	REFUSE(-EINVAL, out_syncs, (uintptr_t)&padded);
	in.point = 2;
	refuse(&good, gpu, -EINVAL, "a point nobody will signal");
	in.point = 1;
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS), 0);
	CHECK_EQ(ground.words[0], 0);
	CHECK_OK(gpu_exec(gpu, &good));
	CHECK_OK(sync_wait(gpu, out.handle, 0, patience(10)));
	CHECK_EQ(ground.words[0], 1);
}

static void bad_queue(struct gpu *gpu)
{
	struct drm_mockgpu_queue queue = { .vm_id = vm_new(gpu) }, bad = queue;

	bad.flags = 1;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_CREATE, &bad), -EINVAL);
	bad = (struct drm_mockgpu_queue){ .vm_id = queue.vm_id, .pad = 1 };
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_CREATE, &bad), -EINVAL);
	bad = (struct drm_mockgpu_queue){ .vm_id = queue.vm_id + 1 };
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_CREATE, &bad), -ENOENT);
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_CREATE, &queue));
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_DESTROY, &queue), -EINVAL);
	queue.vm_id = 0;
	queue.pad = 1;
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_DESTROY, &queue), -EINVAL);
	queue.pad = 0;
	CHECK_OK(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_DESTROY, &queue));
	CHECK_RET(gpu_ioctl(gpu, DRM_IOCTL_MOCKGPU_QUEUE_DESTROY, &queue), -ENOENT);
}

/* Of a device that has its driver. */
struct binding {
	char device[PATH_MAX];
	char driver[PATH_MAX];
};

static struct binding binding_of(const struct gpu *gpu)
{
	struct binding binding;
	char path[64];

	snprintf(path, sizeof(path), "/sys/dev/char/226:%u/device", gpu->minor);
	CHECK(realpath(path, binding.device));
	strcat(path, "/driver");
	CHECK(realpath(path, binding.driver));
	return binding;
}

static void turn_driver(const struct binding *binding, const char *what)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%s", binding->driver, what);
	CHECK_OK(file_write(path, basename(binding->device)));
}

/* The device goes while jobs run; their fences can still be asked. */
static void unbound(struct gpu *gpu)
{
	struct doomed *doomed = doomed_new(gpu);
	struct drm_mockgpu_exec exec = { .queue_id = doomed->ground.queue };
	struct binding binding = binding_of(gpu);
	double start = seconds_now();
	int status, sync_file = sync_export(gpu, doomed->running.sync);

	device_gone(gpu->index);
	turn_driver(&binding, "unbind");
	CHECK(seconds_now() - start < patience(SOON));
	/* Its page fault may have been told first. */
	status = sync_file_status(sync_file);
	CHECK(status == -ECANCELED || status == -ENODEV);
	CHECK_RET(gpu_exec(gpu, &exec), -ENODEV);
	turn_driver(&binding, "bind");
}

static const struct test tests[] = {
	{ "asynchronous", asynchronous, 0, 0 },
	{ "in-order", in_order, 0, 0 },
	{ "side-by-side", side_by_side, 0, 0 },
	{ "binary-sync", binary_sync, 0, 0 },
	{ "timeline-sync", timeline_sync, 0, 0 },
	{ "timeline-points", timeline_points, 0, 0 },
	{ "many-syncs", many_syncs, 0, 0 },
	{ "after-failure", after_failure, 0, 0 },
	{ "bad-result", bad_result, 0, 0 },
	{ "job-time", job_time, 0, 0 },
	{ "queue-destroyed", queue_destroyed, 0, 0 },
	{ "vm-destroyed", vm_destroyed, 0, 0 },
	{ "file-closed", file_closed, 0, 0 },
	{ "killed", killed, 0, 0 },
	{ "orphaned", orphaned, 0, 0 },
	{ "other-process", other_process, 0, 0 },
	{ "full", full, 0, 0 },
	{ "arguments-in-vram", arguments_in_vram, NEED_VRAM, 0 },
	{ "stale-memory", stale_memory, NEED_KNOBS, 0 },
	{ "stale-faults", stale_faults, NEED_KNOBS, 0 },
	{ "slow-fault", slow_fault, NEED_KNOBS, 0 },
	{ "fault-after-stale", fault_after_stale, NEED_KNOBS, 0 },
	{ "stalled-fault", stalled_fault, NEED_VRAM | NEED_KNOBS, 0 },
	{ "bad-exec", bad_exec, 0, 0 },
	{ "bad-queue", bad_queue, 0, 0 },
	{ "unbound", unbound, NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
