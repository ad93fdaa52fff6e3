// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Devices and the driver go away and come back, also while they are used. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define SIZE	(64 * PAGE)

static void unbind(const struct gpu *gpu)
{
	double begin = seconds_now();

	CHECK_OK(device_unbind(gpu->index));
	check_bound("to unbind", begin);
}

/* A page that somebody held may be there for a moment longer. */
static void bind(unsigned int index)
{
	double begin = seconds_now();
	int ret;

	while ((ret = device_bind(index)) == -EBUSY) {
		check_bound("the end of the last binding", begin);
		sleep_ms(10);
	}
	CHECK_OK(ret);
}

/* The node appears a little after the device. */
static void check_works(unsigned int index)
{
	double begin = seconds_now();
	struct buffer buffer;
	struct gpu gpu;

	while (gpu_open(&gpu, index)) {
		check_bound("the device's node", begin);
		sleep_ms(5);
	}
	buffer = buffer_filled(&gpu, SIZE, MEM_SMALL);
	if (gpu_has_vram(&gpu))
		buffer_populate(&buffer);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
	buffer_end(&buffer);
	gpu_close(&gpu);
}

static void idle(struct gpu *gpu, const void *arg)
{
	unsigned int index = gpu->index;

	(void)arg;
	gpu_close(gpu);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(device_unbind(index));
		CHECK_RET(gpu_open(gpu, index), -ENODEV);
		bind(index);
		check_works(index);
	}
}

/* What was in VRAM is the process's still. */
static void resident(struct gpu *gpu, const void *arg)
{
	enum mem_thp thp = arg ? MEM_HUGE : MEM_SMALL;
	struct buffer buffer = buffer_filled(gpu, HUGE_PAGE, thp);

	buffer_populate(&buffer);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	unbind(gpu);
	buffer_check_cpu(&buffer);
	bind(gpu->index);
	check_works(gpu->index);
	buffer_check_cpu(&buffer);
}

static void resident_huge(struct gpu *gpu, const void *arg)
{
	(void)arg;
	resident(gpu, gpu);
}

/* Each command on the file of a device that is gone says so. */
static void old_file(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	uint8_t map[SIZE / PAGE];
	uint32_t vm;
	int ret;

	(void)arg;
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	unbind(gpu);
	CHECK_RET(gpu_fill(gpu, buffer.vm, buffer.mem, SIZE, 1), -ENODEV);
	CHECK_RET(gpu_vm_create(gpu, &vm), -ENODEV);
	CHECK_RET(buffer_try_populate(&buffer), -ENODEV);
	ret = gpu_residency(gpu, buffer.vm, buffer.mem, SIZE, map);
	CHECK(!ret || ret == -ENODEV);
	buffer_check_cpu(&buffer);
	buffer_cpu_write(&buffer);
	CHECK_SYS(madvise(buffer.mem, SIZE, MADV_DONTNEED));
	CHECK_SYS(munmap(buffer.mem, SIZE));
	bind(gpu->index);
	check_works(gpu->index);
}

static void other_devices(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL), seen;
	struct gpu other;

	(void)arg;
	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	seen = buffer_as_seen_by(&buffer, &other);
	buffer_populate(&buffer);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	unbind(gpu);
	buffer_check_dev(&seen);
	buffer_populate(&seen);
	buffer_dev_xor(&seen, 0, SIZE, new_value());
	buffer_check(&seen);
	bind(gpu->index);
	check_works(gpu->index);
}

/* A process that works with the device until that is gone. */
struct worker {
	unsigned int index;
	int ready[2];
	bool moves;
};

static void work_until_gone(void *arg)
{
	struct worker *worker = arg;
	struct buffer buffer;
	struct gpu gpu;
	int ret = 0;

	CHECK_OK(gpu_open(&gpu, worker->index));
	buffer = buffer_filled(&gpu, SIZE, MEM_SMALL);
	CHECK_EQ(write(worker->ready[1], "", 1), 1);
	while (ret != -ENODEV) {
		uint64_t value = new_value();

		if (worker->moves) {
			ret = buffer_try_populate(&buffer);
			CHECK(!ret || ret == -EBUSY || ret == -ENODEV || ret == -ENOSPC);
		}
		/* All of a page's words or none: one page is one step. */
		ret = gpu_xor(&gpu, buffer.vm, buffer.mem, PAGE, value);
		CHECK(!ret || ret == -EBUSY || ret == -ENODEV || ret == -EFAULT);
		for (size_t i = 0; !ret && i < PAGE / 8; i++)
			((uint64_t *)buffer.shadow)[i] ^= value;
	}
	buffer_check_cpu(&buffer);
}

static void at_work(struct gpu *gpu, bool moves, unsigned int count)
{
	struct worker worker = { .index = gpu->index, .moves = moves };
	pid_t pids[4];
	char byte;

	gpu_close(gpu);
	for (unsigned int round = 0; round < 3; round++) {
		CHECK_SYS(pipe(worker.ready));
		for (unsigned int i = 0; i < count; i++)
			pids[i] = test_fork(work_until_gone, &worker);
		for (unsigned int i = 0; i < count; i++)
			CHECK_EQ(read(worker.ready[0], &byte, 1), 1);
		sleep_ms(20 * round);
		unbind(gpu);
		for (unsigned int i = 0; i < count; i++)
			test_join(pids[i]);
		bind(gpu->index);
	}
	check_works(gpu->index);
}

static void access_at_work(struct gpu *gpu, const void *arg)
{
	(void)arg;
	at_work(gpu, false, 2);
}

static void populate_at_work(struct gpu *gpu, const void *arg)
{
	(void)arg;
	at_work(gpu, true, 1);
}

static void storm(struct gpu *gpu, const void *arg)
{
	(void)arg;
	at_work(gpu, true, 4);
}

/* The process whose memory is in VRAM is stopped, or dead and not yet gone. */
static void have_memory(void *arg)
{
	struct worker *worker = arg;
	struct buffer buffer;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, worker->index));
	buffer = buffer_filled(&gpu, SIZE, MEM_SMALL);
	buffer_populate(&buffer);
	CHECK_EQ(write(worker->ready[1], "", 1), 1);
	pause();
}

static void owner(struct gpu *gpu, int signal_sent)
{
	struct worker worker = { .index = gpu->index };
	int status;
	char byte;
	pid_t pid;

	CHECK_SYS(pipe(worker.ready));
	pid = test_fork(have_memory, &worker);
	CHECK_EQ(read(worker.ready[0], &byte, 1), 1);
	CHECK_SYS(kill(pid, signal_sent));
	unbind(gpu);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	bind(gpu->index);
	check_works(gpu->index);
}

static void owner_stopped(struct gpu *gpu, const void *arg)
{
	(void)arg;
	owner(gpu, SIGSTOP);
}

static void owner_killed(struct gpu *gpu, const void *arg)
{
	(void)arg;
	owner(gpu, SIGKILL);
}

static void child_of(void *arg)
{
	struct buffer *buffer = arg;

	buffer_check_cpu(buffer);
	buffer_cpu_write(buffer);
	buffer_check_cpu(buffer);
}

static void shared_with_child(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	pid_t pid;

	(void)arg;
	buffer_populate(&buffer);
	pid = test_fork(child_of, &buffer);
	unbind(gpu);
	test_join(pid);
	buffer_check_cpu(&buffer);
	bind(gpu->index);
	check_works(gpu->index);
}

static void many_times(struct gpu *gpu, const void *arg)
{
	unsigned int index = gpu->index;

	(void)arg;
	gpu_close(gpu);
	for (int round = 0; round < 10; round++) {
		CHECK_OK(device_unbind(index));
		bind(index);
	}
	check_works(index);
}

/* Nothing to take away twice. */
static void unbind_twice(struct gpu *gpu, const void *arg)
{
	(void)arg;
	unbind(gpu);
	CHECK_RET(device_unbind(gpu->index), -ENODEV);
	bind(gpu->index);
	CHECK(device_bind(gpu->index) != 0);
	check_works(gpu->index);
}

static const struct single hotplugs[] = {
	{ "idle", "A device goes that nobody uses", idle, NEED_ROOT },
	{ "resident", "A device goes with memory in its VRAM", resident, NEED_ROOT | NEED_VRAM },
	{ "resident-huge", "A device goes with huge pages in its VRAM", resident_huge,
	  NEED_ROOT | NEED_VRAM | NEED_THP },
	{ "old-file", "Commands to a device that is gone", old_file, NEED_ROOT },
	{ "other-devices", "A device goes, another goes on with the memory", other_devices,
	  NEED_ROOT | NEED_VRAM | NEED_TWO_DEVICES },
	{ "access", "A device goes while it works", access_at_work, NEED_ROOT },
	{ "populate", "A device goes while memory moves", populate_at_work,
	  NEED_ROOT | NEED_VRAM },
	{ "storm", "A device goes while four processes use it", storm, NEED_ROOT | NEED_VRAM },
	{ "owner-stopped", "A device goes, who has its VRAM does not run", owner_stopped,
	  NEED_ROOT | NEED_VRAM },
	{ "owner-killed", "A device goes, who has its VRAM is killed", owner_killed,
	  NEED_ROOT | NEED_VRAM },
	{ "shared-with-child", "A device goes with memory that two processes share",
	  shared_with_child, NEED_ROOT | NEED_VRAM },
	{ "many-times", "A device comes and goes", many_times, NEED_ROOT },
	{ "unbind-twice", "What is gone cannot go", unbind_twice, NEED_ROOT },
};

static void subtests(void)
{
	singles(hotplugs, ARRAY_SIZE(hotplugs));
}

SUITE("Devices go away and come back", subtests)
