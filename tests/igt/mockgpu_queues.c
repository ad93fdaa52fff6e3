// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Jobs on every kind of memory, in the order that queues and sync objects say. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm/drm.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "queue.h"
#include "suite.h"

#define PAGES	16
#define SIZE	(PAGES * PAGE)
#define CHAIN	12
#define WAIT_MS	9000

static uint64_t *shadow_word(const struct buffer *buffer, size_t at)
{
	return (uint64_t *)(buffer->shadow + at);
}

/* A command of each kind that writes, and what it makes of the shadow. */
static void all_commands(const struct buffer *buffer, struct job *job)
{
	char *mem = buffer->mem;
	uint64_t value = new_value();

	job_add(job, cmd_fill(mem + PAGE, 2 * PAGE, value));
	for (size_t at = PAGE; at < 3 * PAGE; at += 8)
		*shadow_word(buffer, at) = value;
	job_add(job, cmd_copy(mem + 4 * PAGE + 3, mem + 2 * PAGE - 5, PAGE + 1));
	memcpy(buffer->shadow + 4 * PAGE + 3, buffer->shadow + 2 * PAGE - 5, PAGE + 1);
	job_add(job, cmd_add(mem + 7 * PAGE, 5, (uint64_t *)(mem + 7 * PAGE + 8)));
	*shadow_word(buffer, 7 * PAGE + 8) = *shadow_word(buffer, 7 * PAGE);
	*shadow_word(buffer, 7 * PAGE) += 5;
	job_add(job, cmd_exchange(mem + 8 * PAGE - 8, value + 1, NULL));
	*shadow_word(buffer, 8 * PAGE - 8) = value + 1;
	job_add(job, cmd_add_strided(mem + 9 * PAGE, 4 * PAGE, 3, 100, 264));
	for (size_t n = 0; n < 100; n++)
		*shadow_word(buffer, 9 * PAGE + n * 264 % (4 * PAGE)) += 3;
	job_add(job, cmd_add_random(mem + 9 * PAGE, 4 * PAGE, 7, 50, value));
	for (size_t n = 0; n < 50; n++)
		*shadow_word(buffer, 9 * PAGE + device_random(value, n) % (PAGE / 2) * 8) += 7;
	job_add(job, cmd_checksum(mem, 14 * PAGE, (uint64_t *)(mem + 15 * PAGE)));
	*shadow_word(buffer, 15 * PAGE) = device_sum(shadow_word(buffer, 0), 14 * PAGE / 8);
}

static void run_commands(const struct buffer *buffer, uint32_t queue)
{
	struct job job = { };

	all_commands(buffer, &job);
	job_start(&job, buffer->gpu, queue);
	CHECK_OK(job_end(&job));
	CHECK_EQ(job.result->command, job.count);
}

/* What faults in is found by the job that comes next. */
static void commands(struct gpu *gpu, const struct kind *kind, bool in_vram)
{
	struct buffer buffer = kind_buffer(kind, gpu, SIZE, NULL);
	uint32_t queue = queue_new(gpu, buffer.vm);
	uint64_t faults = counter(gpu, MOCKGPU_COUNTER_DEVICE_FAULTS), more;

	if (in_vram)
		buffer_populate(&buffer);
	run_commands(&buffer, queue);
	more = counter(gpu, MOCKGPU_COUNTER_DEVICE_FAULTS);
	CHECK(more > faults);
	run_commands(&buffer, queue);
	/* Its result may be in memory that is new to the device. */
	CHECK(counter(gpu, MOCKGPU_COUNTER_DEVICE_FAULTS) <= more + 1);
	buffer_check(&buffer);
	buffer_cpu_touch(&buffer);
	run_commands(&buffer, queue);
	buffer_check(&buffer);
}

static void commands_in_place(struct gpu *gpu, const void *arg)
{
	commands(gpu, arg, false);
}

static void commands_in_vram(struct gpu *gpu, const void *arg)
{
	commands(gpu, arg, true);
}

/* Words of things like thread-local variables need not be where commands want them. */
static bool is_aligned(const struct kind *kind)
{
	return strcmp(kind->name, "malloc") && strcmp(kind->name, "thread-local");
}

static void places(const void *arg)
{
	const struct kind *kind = arg;

	dynamic(kind->needs, commands_in_place, kind, "in-place");
	if (kind->flags & KIND_MOVES)
		dynamic(kind->needs | NEED_VRAM, commands_in_vram, kind, "populated");
}

/* Queues that work on the same words, some of them of another VM or device. */
struct line {
	struct gpu gpus[3];
	struct buffer views[3];
	uint32_t queues[3];
};

static void line_new(struct line *line, struct gpu *gpu, bool own_vms, bool two_devices)
{
	line->views[0] = buffer_new(gpu, SIZE, MEM_SMALL);
	for (unsigned int i = 0; i < 3; i++) {
		line->gpus[i] = *gpu;
		if (two_devices && i == 1)
			CHECK_OK(gpu_open(&line->gpus[i], gpu->index ? 0 : 1));
		if (i)
			line->views[i] = line->views[0];
		line->views[i].gpu = &line->gpus[i];
		if (i && (own_vms || two_devices))
			line->views[i].vm = vm_new(&line->gpus[i]);
		line->queues[i] = queue_new(&line->gpus[i], line->views[i].vm);
	}
}

static volatile uint64_t *word(const struct line *line, unsigned int i)
{
	return (volatile uint64_t *)line->views[0].mem + i;
}

/* The same sync object as the file of another device knows it. */
static uint32_t hand_over(const struct gpu *from, const struct gpu *to, uint32_t handle)
{
	struct drm_syncobj_handle args = { .handle = handle };

	if (from->fd == to->fd)
		return handle;
	CHECK_OK(gpu_ioctl(from, DRM_IOCTL_SYNCOBJ_HANDLE_TO_FD, &args));
	CHECK_OK(gpu_ioctl(to, DRM_IOCTL_SYNCOBJ_FD_TO_HANDLE, &args));
	close(args.fd);
	return args.handle;
}

/*
 * Each job takes the number that the one before it left. The first one waits until all
 * of them are in their queues.
 */
static void chain(struct line *line, bool timeline)
{
	struct job *jobs = calloc(CHAIN, sizeof(*jobs));
	struct drm_mockgpu_sync in = { }, out = { };
	uint32_t last = 0;

	if (timeline)
		CHECK_OK(sync_create(&line->gpus[0], &last));
	for (unsigned int i = 0; i < CHAIN; i++) {
		const struct gpu *gpu = &line->gpus[i % 3];
		struct drm_mockgpu_exec exec = {
			.in_syncs = (uintptr_t)&in, .in_count = i > 0,
			.out_syncs = (uintptr_t)&out, .out_count = timeline,
		};

		if (i) {
			in.handle = hand_over(&line->gpus[timeline ? 0 : (i - 1) % 3], gpu, last);
			in.point = timeline ? i : 0;
		}
		if (timeline) {
			out.handle = hand_over(&line->gpus[0], gpu, last);
			out.point = i + 1;
		}
		if (!i)
			job_add(&jobs[i], cmd_wait_equal((void *)word(line, 1), 1, WAIT_MS));
		job_add(&jobs[i], cmd_compare_exchange((void *)word(line, 0), i, i + 1, NULL));
		CHECK_OK(job_try_start(&jobs[i], gpu, line->queues[i % 3], &exec));
		if (!timeline)
			last = jobs[i].sync;
	}
	CHECK_EQ(*word(line, 0), 0);
	*word(line, 1) = 1;
	for (unsigned int i = 0; i < CHAIN; i++)
		CHECK_OK(job_end(&jobs[i]));
	CHECK_EQ(*word(line, 0), CHAIN);
	free(jobs);
}

struct order {
	const char *name;
	bool own_vms, two_devices, timeline;
	unsigned int needs;
};

static const struct order orders[] = {
	{ "binary", false, false, false, 0 },
	{ "timeline", false, false, true, 0 },
	{ "binary-own-vms", true, false, false, 0 },
	{ "timeline-own-vms", true, false, true, 0 },
	{ "binary-two-devices", true, true, false, NEED_TWO_DEVICES },
	{ "timeline-two-devices", true, true, true, NEED_TWO_DEVICES },
};

static void across_queues(struct gpu *gpu, const void *arg)
{
	const struct order *order = arg;
	struct line line;

	line_new(&line, gpu, order->own_vms, order->two_devices);
	chain(&line, order->timeline);
}

static void order_cells(const void *arg)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++)
		dynamic(orders[i].needs, across_queues, &orders[i], "%s", orders[i].name);
}

/* Nothing but the queue says in which order. */
static void in_order(struct gpu *gpu, const void *arg)
{
	struct job *jobs = calloc(CHAIN, sizeof(*jobs));
	struct line line;

	(void)arg;
	line_new(&line, gpu, false, false);
	for (unsigned int i = 0; i < CHAIN; i++) {
		job_add(&jobs[i], cmd_compare_exchange((void *)word(&line, 0), i, i + 1,
						       (uint64_t *)word(&line, 8 + i)));
		job_start(&jobs[i], gpu, line.queues[0]);
	}
	for (unsigned int i = 0; i < CHAIN; i++)
		CHECK_OK(job_end(&jobs[i]));
	CHECK_EQ(*word(&line, 0), CHAIN);
	for (unsigned int i = 0; i < CHAIN; i++)
		CHECK_EQ(*word(&line, 8 + i), i);
	free(jobs);
}

/* What a job waits for may fail: it runs all the same, and so does its queue. */
static void after_a_failure(struct gpu *gpu, const void *arg)
{
	struct drm_mockgpu_sync in = { };
	struct drm_mockgpu_exec exec = { .in_syncs = (uintptr_t)&in, .in_count = 1 };
	struct job bad = { }, behind = { }, dependent = { };
	struct line line;

	(void)arg;
	line_new(&line, gpu, true, false);
	CHECK_SYS(munmap(line.views[0].mem + 8 * PAGE, PAGE));
	job_add(&bad, cmd_fill(line.views[0].mem + 7 * PAGE, 2 * PAGE, 1));
	job_start(&bad, gpu, line.queues[0]);
	in.handle = bad.sync;
	job_add(&behind, cmd_add((void *)word(&line, 0), 1, NULL));
	job_start(&behind, gpu, line.queues[0]);
	job_add(&dependent, cmd_copy((void *)word(&line, 16), line.views[0].mem + 7 * PAGE, 64));
	CHECK_OK(job_try_start(&dependent, gpu, line.queues[1], &exec));
	CHECK_OK(job_end(&behind));
	CHECK_OK(job_end(&dependent));
	CHECK_RET(job_end(&bad), -EFAULT);
	CHECK(bad.result->addr == (uintptr_t)line.views[0].mem + 8 * PAGE);
	CHECK_EQ(*word(&line, 0), 1);
	CHECK_EQ(*word(&line, 16), 1);
}

/* A queue goes: none of its jobs does anything any more, and all have an end. */
static void cancelled(struct gpu *gpu, const void *arg)
{
	struct job jobs[6] = { };
	struct line line;
	double begin;

	(void)arg;
	line_new(&line, gpu, false, false);
	job_add(&jobs[0], cmd_wait_equal((void *)word(&line, 1), 1, WAIT_MS));
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++) {
		job_add(&jobs[i], cmd_add((void *)word(&line, 0), 1, NULL));
		job_start(&jobs[i], gpu, line.queues[0]);
	}
	begin = seconds_now();
	CHECK_OK(gpu_queue_destroy(gpu, line.queues[0]));
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++)
		CHECK_RET(job_end(&jobs[i]), -ECANCELED);
	CHECK(seconds_now() - begin < patience(WAIT_MS / 1000 / 2));
	CHECK_EQ(*word(&line, 0), 0);
	/* The others are none the worse. */
	CHECK_OK(job_do(gpu, line.queues[1], cmd_add((void *)word(&line, 0), 1, NULL)));
	CHECK_EQ(*word(&line, 0), 1);
}

/* Another process waits for a job of ours, of which it has a file. */
struct watcher {
	int fd;
	volatile uint64_t *word;
};

static void watch(void *arg)
{
	struct watcher *watcher = arg;
	struct pollfd end = { .fd = watcher->fd, .events = POLLIN };

	CHECK_EQ(sync_file_status(watcher->fd), 1);
	watcher->word[1] = 1;
	CHECK_EQ(poll(&end, 1, patience(60) * 1000), 1);
	CHECK_EQ(sync_file_status(watcher->fd), 0);
	CHECK_EQ(watcher->word[0], 7);
}

static void other_process(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = kind_buffer(kind_find("mmap-shared"), gpu, SIZE, NULL);
	uint32_t queue = queue_new(gpu, buffer.vm);
	uint64_t *words = (uint64_t *)buffer.mem;
	struct watcher watcher = { .word = words };
	struct job job = { };
	pid_t pid;

	(void)arg;
	words[0] = words[1] = 0;
	job_add(&job, cmd_wait_equal(words + 1, 1, WAIT_MS));
	job_add(&job, cmd_add(words, 7, NULL));
	job_start(&job, gpu, queue);
	watcher.fd = sync_export(gpu, job.sync);
	pid = test_fork(watch, &watcher);
	CHECK_OK(job_end(&job));
	test_join(pid);
}

/* Other memory lies there before each job, of another kind in turn. */
static void replaced(struct gpu *gpu, const void *arg)
{
	static const char *const names[] = { "mmap", "mmap-shared", "file-shared", "thp" };
	struct buffer buffer = buffer_new(gpu, HUGE_PAGE, MEM_SMALL);
	uint32_t queue = queue_new(gpu, buffer.vm);

	(void)arg;
	buffer.size = SIZE;
	for (unsigned int round = 0; round < 12; round++) {
		int fd = -1;
		void *mem = kind_find(names[round % 4])->map(SIZE, &fd);

		CHECK(mem && mremap(mem, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, buffer.mem) ==
			     buffer.mem);
		buffer_cpu_write(&buffer);
		run_commands(&buffer, queue);
		buffer_check(&buffer);
		if (round % 3 == 0 && gpu_has_vram(gpu))
			buffer_try_populate(&buffer);
		if (fd >= 0)
			close(fd);
	}
}

#define MANY	48

/* In the middle of many jobs: what was written to the old memory is gone with it. */
static void replaced_while_running(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, MANY * PAGE, MEM_SMALL);
	uint32_t queue = queue_new(gpu, buffer.vm);
	struct job *jobs = calloc(MANY, sizeof(*jobs));
	uint64_t *words = (uint64_t *)buffer.mem;

	(void)arg;
	for (unsigned int i = 0; i < MANY; i++) {
		job_add(&jobs[i], cmd_fill(buffer.mem + i * PAGE, PAGE, i + 1));
		job_start(&jobs[i], gpu, queue);
		if (i == MANY / 2)
			CHECK(mmap(words, MANY * PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == words);
	}
	for (unsigned int i = 0; i < MANY; i++)
		CHECK_OK(job_end(&jobs[i]));
	for (unsigned int i = 0; i < MANY; i++) {
		uint64_t got = words[i * PAGE / 8 + 9];

		if (got != i + 1 && (got || i > MANY / 2))
			FAIL("job %u left %llu", i, (unsigned long long)got);
	}
	free(jobs);
}

/* Memory moves under jobs, and no addition is lost. */
static void moving(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	uint32_t queues[2] = { queue_new(gpu, buffer.vm), queue_new(gpu, buffer.vm) };
	struct job *jobs = calloc(MANY, sizeof(*jobs));

	(void)arg;
	for (unsigned int i = 0; i < MANY; i++) {
		job_add(&jobs[i], cmd_add_strided(buffer.mem, SIZE, i, PAGES * 8, PAGE / 8));
		job_start(&jobs[i], gpu, queues[i % 2]);
		for (size_t n = 0; n < PAGES * 8; n++)
			*shadow_word(&buffer, n * PAGE / 8) += i;
		if (i % 4 == 1)
			buffer_try_populate(&buffer);
		if (i % 4 == 3)
			gpu_evict_vm(gpu, buffer.vm);
	}
	for (unsigned int i = 0; i < MANY; i++)
		CHECK_OK(job_end(&jobs[i]));
	buffer_check(&buffer);
	free(jobs);
}

/* A process forks while a job of it waits: the job is the parent's. */
static void leave(void *arg)
{
	struct line *line = arg;

	*word(line, 2) = 99;
	CHECK_RET(gpu_queue_destroy(&line->gpus[0], line->queues[2]), -EPERM);
}

static void forked(struct gpu *gpu, const void *arg)
{
	struct job job = { };
	struct line line;

	(void)arg;
	line_new(&line, gpu, false, false);
	job_add(&job, cmd_wait_equal((void *)word(&line, 1), 1, WAIT_MS));
	job_add(&job, cmd_add((void *)word(&line, 2), 5, NULL));
	job_start(&job, gpu, line.queues[0]);
	test_join(test_fork(leave, &line));
	*word(&line, 1) = 1;
	CHECK_OK(job_end(&job));
	CHECK_EQ(*word(&line, 2), 5);
}

static void start_and_wait(void *arg)
{
	struct job jobs[4] = { };
	struct line line;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, ((struct gpu *)arg)->index));
	line_new(&line, &gpu, true, false);
	for (unsigned int i = 0; i < ARRAY_SIZE(jobs); i++) {
		job_add(&jobs[i], cmd_wait_equal((void *)word(&line, 1), 1, WAIT_MS));
		job_start(&jobs[i], &line.gpus[i % 3], line.queues[i % 3]);
	}
	pause();
}

static void killed(struct gpu *gpu, const void *arg)
{
	int status;

	(void)arg;
	for (unsigned int round = 0; round < 4; round++) {
		pid_t pid = test_fork(start_and_wait, gpu);

		sleep_ms(20 + 20 * round);
		CHECK_SYS(kill(pid, SIGKILL));
		join_in_time(pid, "the end of a process with jobs");
		CHECK_EQ(waitpid(pid, &status, 0), pid);
	}
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_JOBS, 0);
	wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_QUEUES, 0);
}

static const struct single others[] = {
	{ "in-order", "Jobs of a queue run one after the other", in_order, 0 },
	{ "after-failure", "A job fails, and others wait for it or are behind it",
	  after_a_failure, 0 },
	{ "cancelled", "A queue is destroyed with jobs in it", cancelled, 0 },
	{ "other-process", "Another process waits for a job", other_process, 0 },
	{ "replaced", "Other memory is mapped before each job", replaced, NEED_THP },
	{ "replaced-running", "Other memory is mapped while jobs run", replaced_while_running, 0 },
	{ "moving", "Memory moves to and fro while jobs add to it", moving, NEED_VRAM },
	{ "forked", "A process forks while a job runs", forked, 0 },
	{ "killed", "A process is killed while its jobs run", killed, 0 },
};

static void subtests(void)
{
	char describe[160];

	for (size_t i = 0; i < kind_count; i++) {
		if (!is_aligned(&kinds[i]))
			continue;
		snprintf(describe, sizeof(describe), "Jobs on %s", kinds[i].describe);
		subtest_of(describe, places, &kinds[i], "commands-%s", kinds[i].name);
	}
	subtest_of("Jobs of three queues, each behind the one before", order_cells, NULL,
		   "across-queues");
	singles(others, ARRAY_SIZE(others));
}

SUITE("Jobs, queues and sync objects", subtests)
