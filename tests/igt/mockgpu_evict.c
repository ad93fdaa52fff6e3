// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* More memory is wanted in VRAM than there is VRAM. */
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

#define BLOCK	HUGE_PAGE
/* VRAM is filled in blocks; more than this takes too long. */
#define MOST_BLOCKS	160
#define MOST_VRAM	(128 * MIB)

/* Blocks that are more than VRAM can hold: so many eighths of it. */
struct load {
	struct buffer blocks[MOST_BLOCKS];
	unsigned int count;
};

static struct load *load_new(struct gpu *gpu, unsigned int eighths, enum mem_thp thp)
{
	struct load *load = calloc(1, sizeof(*load));

	CHECK(load);
	if (gpu->vram_size > MOST_VRAM)
		test_skip("there is more VRAM than %zu MiB to fill", MOST_VRAM / MIB);
	load->count = gpu->vram_size / BLOCK * eighths / 8;
	CHECK(load->count <= MOST_BLOCKS);
	for (unsigned int i = 0; i < load->count; i++)
		load->blocks[i] = buffer_new(gpu, BLOCK, thp);
	return load;
}

/* The whole block is used, of its data only that of a few pages is compared. */
static void mark(const struct buffer *block)
{
	for (size_t at = 0; at < BLOCK; at += 64 * PAGE)
		buffer_dev_fill(block, at, 64, new_value());
}

/* If there is no room, others have to make it: the process's own first blocks. */
static void place(struct load *load, unsigned int index)
{
	const struct buffer *block = &load->blocks[index];
	unsigned int victim = 0;
	int ret;

	while ((ret = buffer_try_populate(block)) == -ENOSPC || ret == -EBUSY) {
		if (victim == load->count)
			FAIL("nothing can be evicted for block %u", index);
		if (victim != index)
			gpu_evict_vm(block->gpu, load->blocks[victim].vm);
		victim++;
	}
	CHECK_OK(ret);
}

static void check_all(struct load *load, bool by_device)
{
	for (unsigned int i = 0; i < load->count; i++) {
		if (by_device)
			buffer_check_dev(&load->blocks[i]);
		else
			buffer_check_cpu(&load->blocks[i]);
	}
}

static void oversubscribe(struct gpu *gpu, unsigned int eighths, enum mem_thp thp)
{
	struct load *load = load_new(gpu, eighths, thp);

	for (unsigned int i = 0; i < load->count; i++) {
		place(load, i);
		mark(&load->blocks[i]);
	}
	for (unsigned int i = 0; i < load->count; i += 3)
		buffer_check_dev(&load->blocks[i]);
	check_all(load, false);
}

static void small(struct gpu *gpu, const void *arg)
{
	(void)arg;
	oversubscribe(gpu, 9, MEM_SMALL);
}

static void huge(struct gpu *gpu, const void *arg)
{
	(void)arg;
	oversubscribe(gpu, 9, MEM_HUGE);
}

static void twice(struct gpu *gpu, const void *arg)
{
	(void)arg;
	oversubscribe(gpu, 16, MEM_SMALL);
}

/* Full is full: who asks then gets an answer and loses nothing. */
static void full(struct gpu *gpu, const void *arg)
{
	struct load *load = load_new(gpu, 9, MEM_SMALL);
	unsigned int i = 0;
	int ret = 0;

	(void)arg;
	for (; i < load->count && !ret; i++) {
		ret = buffer_try_populate(&load->blocks[i]);
		mark(&load->blocks[i]);
	}
	/* Others may have been evicted for it, which is as good. */
	CHECK(!ret || ret == -ENOSPC);
	check_all(load, true);
	check_all(load, false);
}

/* What does not fit at all is refused, or comes in part. */
static void larger_than_vram(struct gpu *gpu, const void *arg)
{
	size_t size = gpu->vram_size + 4 * BLOCK;
	struct buffer buffer;
	int ret;

	(void)arg;
	if (gpu->vram_size > MOST_VRAM)
		test_skip("there is more VRAM than %zu MiB to fill", MOST_VRAM / MIB);
	buffer = buffer_new(gpu, size, MEM_HUGE);
	ret = gpu_populate(gpu, buffer.vm, buffer.mem, size);
	CHECK(ret == -ENOSPC || ret == -EBUSY || !ret);
	for (size_t at = 0; at < size; at += MIB)
		buffer_dev_fill(&buffer, at, 64, new_value());
	buffer_check_cpu(&buffer);
}

static void many_vms(struct gpu *gpu, const void *arg)
{
	struct buffer buffers[32];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = buffer_filled(gpu, 16 * PAGE, MEM_SMALL);
		buffer_populate(&buffers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i += 2)
		buffer_evict(&buffers[i]);
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		CHECK_ALL(&buffers[i], i % 2 ? MOCKGPU_PAGE_DEVICE : MOCKGPU_PAGE_SYSTEM);
		buffer_dev_xor(&buffers[i], 0, buffers[i].size, new_value());
		buffer_check(&buffers[i]);
	}
}

static void whole_device(struct gpu *gpu, const void *arg)
{
	struct buffer buffers[8];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++) {
		buffers[i] = buffer_filled(gpu, 32 * PAGE, i % 2 ? MEM_HUGE : MEM_SMALL);
		buffer_populate(&buffers[i]);
		buffer_dev_xor(&buffers[i], 0, buffers[i].size, new_value());
	}
	CHECK_OK(gpu_evict_device(gpu, buffers[0].vm));
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES), 0);
	for (size_t i = 0; i < ARRAY_SIZE(buffers); i++)
		buffer_check(&buffers[i]);
}

/* Processes that have all they can get at once. */
struct greed {
	unsigned int index;
	int ready[2];
	int go[2];
};

static void be_greedy(void *arg)
{
	struct greed *greed = arg;
	struct buffer blocks[8];
	struct gpu gpu;
	char byte;
	int ret;

	CHECK_OK(gpu_open(&gpu, greed->index));
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = buffer_new(&gpu, BLOCK, MEM_SMALL);
		ret = buffer_try_populate(&blocks[i]);
		CHECK(!ret || ret == -ENOSPC || ret == -EBUSY);
		mark(&blocks[i]);
	}
	CHECK_EQ(write(greed->ready[1], "", 1), 1);
	CHECK_EQ(read(greed->go[0], &byte, 1), 1);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		mark(&blocks[i]);
		buffer_check(&blocks[i]);
	}
}

static void processes(struct gpu *gpu, const void *arg)
{
	struct greed greed = { .index = gpu->index };
	unsigned int count = *(const unsigned int *)arg;
	pid_t pids[8];
	char byte;

	CHECK_SYS(pipe(greed.ready));
	CHECK_SYS(pipe(greed.go));
	for (unsigned int i = 0; i < count; i++)
		pids[i] = test_fork(be_greedy, &greed);
	for (unsigned int i = 0; i < count; i++)
		CHECK_EQ(read(greed.ready[0], &byte, 1), 1);
	for (unsigned int i = 0; i < count; i++)
		CHECK_EQ(write(greed.go[1], "", 1), 1);
	for (unsigned int i = 0; i < count; i++)
		test_join(pids[i]);
}

static void processes_two(struct gpu *gpu, const void *arg)
{
	static const unsigned int count = 2;

	(void)arg;
	processes(gpu, &count);
}

static void processes_six(struct gpu *gpu, const void *arg)
{
	static const unsigned int count = 6;

	(void)arg;
	processes(gpu, &count);
}

static void have_and_sleep(void *arg)
{
	struct greed *greed = arg;
	struct buffer buffer;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, greed->index));
	buffer = buffer_filled(&gpu, BLOCK, MEM_SMALL);
	buffer_populate(&buffer);
	CHECK_EQ(write(greed->ready[1], "", 1), 1);
	pause();
}

/* Of who is dying just now pages may still be held. */
static void evict_device_in_time(struct gpu *gpu)
{
	double deadline = seconds_now() + patience(5);
	uint32_t vm = vm_new(gpu);
	int ret;

	while ((ret = gpu_evict_device(gpu, vm)) == -EBUSY && seconds_now() < deadline)
		sleep_ms(10);
	CHECK_OK(ret);
}

/* The owner does not run, or is gone, when its memory must leave. */
static void owner_stopped(struct gpu *gpu, const void *arg)
{
	struct greed greed = { .index = gpu->index };
	int status, signal_sent = arg ? SIGKILL : SIGSTOP;
	char byte;
	pid_t pid;

	CHECK_SYS(pipe(greed.ready));
	pid = test_fork(have_and_sleep, &greed);
	CHECK_EQ(read(greed.ready[0], &byte, 1), 1);
	CHECK_SYS(kill(pid, signal_sent));
	evict_device_in_time(gpu);
	if (signal_sent == SIGSTOP)
		CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES), 0);
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
}

static void owner_killed(struct gpu *gpu, const void *arg)
{
	(void)arg;
	owner_stopped(gpu, gpu);
}

/* A page that is held keeps its allocation there, and only that. */
static void held(struct gpu *gpu, const void *arg)
{
	struct buffer one = buffer_filled(gpu, 16 * PAGE, MEM_SMALL);
	struct buffer two = buffer_filled(gpu, 16 * PAGE, MEM_SMALL);
	struct pins pins = pins_new();

	(void)arg;
	buffer_populate(&one);
	buffer_populate(&two);
	pins_add(&pins, one.mem + 3 * PAGE);
	CHECK_RET(gpu_evict_vm(gpu, one.vm), -EBUSY);
	buffer_evict(&two);
	buffer_check(&one);
	buffer_check(&two);
	pins_drop(&pins);
	buffer_evict(&one);
	buffer_check(&one);
}

static const struct single others[] = {
	{ "small", "Nine eighths of VRAM in small pages, then all is read", small, NEED_VRAM },
	{ "huge", "Nine eighths of VRAM in huge pages, then all is read", huge,
	  NEED_VRAM | NEED_THP },
	{ "twice", "Twice as much as there is VRAM", twice, NEED_VRAM },
	{ "full", "VRAM is full", full, NEED_VRAM },
	{ "larger-than-vram", "A range that never fits", larger_than_vram, NEED_VRAM | NEED_THP },
	{ "many-vms", "One VM's memory leaves, others' stays", many_vms, NEED_VRAM },
	{ "whole-device", "All of the device's VRAM is emptied", whole_device,
	  NEED_VRAM | NEED_ROOT },
	{ "processes-two", "Two processes want much of it", processes_two, NEED_VRAM },
	{ "processes-six", "Processes want more than there is", processes_six, NEED_VRAM },
	{ "owner-stopped", "The owner does not run when its memory leaves", owner_stopped,
	  NEED_VRAM | NEED_ROOT },
	{ "owner-killed", "The owner ends when its memory leaves", owner_killed,
	  NEED_VRAM | NEED_ROOT },
	{ "held", "Somebody holds a page that is to leave", held, NEED_COHERENT },
};

static void subtests(void)
{
	singles(others, ARRAY_SIZE(others));
}

SUITE("More memory than VRAM", subtests)
