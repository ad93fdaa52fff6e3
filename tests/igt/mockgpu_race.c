// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The device works on memory while something else happens to it. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

/*
 * Two halves of one range: in the first the event happens, the second stays as it is
 * and has the device's data in the end.
 */
struct stage {
	struct gpu *gpu;
	struct buffer calm;
	char *mem;
	size_t size;
	uint32_t vm;
	atomic_bool stop;
	unsigned int rounds;
	atomic_uint used;
};

/* One event; may fail with what the CPU's own accesses could cause it to. */
struct event {
	const char *name;
	const char *describe;
	void (*happen)(struct stage *stage, unsigned int round);
	unsigned int needs;
};

static void map_over(char *mem, size_t size)
{
	CHECK(mmap(mem, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		   -1, 0) == mem);
}

static void do_munmap(struct stage *stage, unsigned int round)
{
	size_t at = round % 7 * PAGE;

	CHECK_SYS(munmap(stage->mem + at, stage->size / 2));
	sched_yield();
	map_over(stage->mem + at, stage->size / 2);
}

static void do_replace(struct stage *stage, unsigned int round)
{
	(void)round;
	map_over(stage->mem, stage->size);
	stage->mem[round % 16 * PAGE] = 1;
}

static void do_mremap(struct stage *stage, unsigned int round)
{
	char *to = mem_map(stage->size, 0, MEM_SMALL);

	(void)round;
	CHECK(to && mremap(stage->mem, stage->size, stage->size, MREMAP_MAYMOVE | MREMAP_FIXED,
			   to) == to);
	CHECK(mremap(to, stage->size, stage->size, MREMAP_MAYMOVE | MREMAP_FIXED, stage->mem) ==
	      stage->mem);
}

static void do_mprotect(struct stage *stage, unsigned int round)
{
	CHECK_SYS(mprotect(stage->mem, stage->size, round % 2 ? PROT_READ : PROT_NONE));
	CHECK_SYS(mprotect(stage->mem, stage->size, PROT_READ | PROT_WRITE));
}

static void end_at_once(void *arg)
{
	(void)arg;
}

static void do_fork(struct stage *stage, unsigned int round)
{
	(void)round;
	test_join(test_fork(end_at_once, stage));
}

static void write_and_end(void *arg)
{
	struct stage *stage = arg;

	for (size_t at = 0; at < stage->size; at += PAGE)
		stage->mem[at] = 1;
}

static void do_fork_write(struct stage *stage, unsigned int round)
{
	(void)round;
	test_join(test_fork(write_and_end, stage));
}

static void exec_true(void *arg)
{
	(void)arg;
	execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

static void do_exec(struct stage *stage, unsigned int round)
{
	(void)stage;
	(void)round;
	test_join(test_fork(exec_true, NULL));
}

static void advise(struct stage *stage, int advice)
{
	/* Some answer differently from kernel to kernel; the race is what counts. */
	if (madvise(stage->mem, stage->size, advice))
		CHECK(errno == EINVAL || errno == EAGAIN || errno == EBUSY || errno == ENOMEM);
}

static void do_dontneed(struct stage *stage, unsigned int round)
{
	(void)round;
	advise(stage, MADV_DONTNEED);
}

static void do_free(struct stage *stage, unsigned int round)
{
	(void)round;
	advise(stage, MADV_FREE);
}

static void do_pageout(struct stage *stage, unsigned int round)
{
	(void)round;
	advise(stage, MADV_PAGEOUT);
}

static void do_collapse(struct stage *stage, unsigned int round)
{
	(void)round;
	advise(stage, MADV_HUGEPAGE);
	advise(stage, MADV_COLLAPSE);
	advise(stage, MADV_NOHUGEPAGE);
}

static void do_merge(struct stage *stage, unsigned int round)
{
	advise(stage, round % 2 ? MADV_MERGEABLE : MADV_UNMERGEABLE);
}

static void do_lock(struct stage *stage, unsigned int round)
{
	if (round % 2)
		munlock(stage->mem, stage->size);
	else
		mlock(stage->mem, stage->size);
}

static void do_touch(struct stage *stage, unsigned int round)
{
	for (size_t at = 0; at < stage->size; at += PAGE)
		((volatile char *)stage->mem)[at + round % PAGE]++;
}

/* Somebody may hold a page, or all of VRAM. */
static void check_populated(int ret)
{
	if (ret && ret != -EBUSY && ret != -ENOSPC)
		FAIL("populate answers %s", errno_name(ret));
}

static void do_populate(struct stage *stage, unsigned int round)
{
	struct drm_mockgpu_populate populate = {
		.vm_id = stage->vm, .flags = MOCKGPU_POPULATE_PARTIAL,
		.addr = (uintptr_t)stage->mem, .size = stage->size,
	};

	check_populated(gpu_ioctl(stage->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &populate));
	if (round % 4 == 3)
		do_touch(stage, round);
}

static void do_evict(struct stage *stage, unsigned int round)
{
	int ret;

	do_populate(stage, round);
	ret = gpu_evict_vm(stage->gpu, stage->vm);
	if (ret && ret != -EBUSY)
		FAIL("evict answers %s", errno_name(ret));
}

static void do_populate_other(struct stage *stage, unsigned int round)
{
	static struct gpu other;
	static uint32_t vm;
	struct drm_mockgpu_populate populate = {
		.flags = MOCKGPU_POPULATE_PARTIAL,
		.addr = (uintptr_t)stage->mem, .size = stage->size,
	};

	if (!vm) {
		CHECK_OK(gpu_open(&other, stage->gpu->index ? 0 : 1));
		vm = vm_new(&other);
	}
	populate.vm_id = vm;
	check_populated(gpu_ioctl(&other, DRM_IOCTL_MOCKGPU_POPULATE, &populate));
	do_populate(stage, round);
}

static void do_vm(struct stage *stage, unsigned int round)
{
	uint32_t vm = vm_new(stage->gpu);

	CHECK_OK(gpu_fill(stage->gpu, vm, stage->mem + round % 16 * PAGE, PAGE, round));
	CHECK_OK(gpu_vm_destroy(stage->gpu, vm));
}

static void do_close(struct stage *stage, unsigned int round)
{
	struct gpu mine;
	uint32_t vm;

	CHECK_OK(gpu_open(&mine, stage->gpu->index));
	vm = vm_new(&mine);
	CHECK_OK(gpu_fill(&mine, vm, stage->mem + round % 16 * PAGE, PAGE, round));
	gpu_close(&mine);
}

static void do_drop_caches(struct stage *stage, unsigned int round)
{
	(void)stage;
	file_write("/proc/sys/vm/drop_caches", round % 2 ? "1" : "2");
}

static void do_compact(struct stage *stage, unsigned int round)
{
	(void)stage;
	if (round % 8 == 0)
		file_write("/proc/sys/vm/compact_memory", "1");
}

static void do_clear_refs(struct stage *stage, unsigned int round)
{
	(void)stage;
	file_write("/proc/self/clear_refs", round % 2 ? "4" : "1");
}

static const struct event events[] = {
	{ "munmap", "half of it is unmapped and mapped", do_munmap, 0 },
	{ "replace", "other memory is mapped over it", do_replace, 0 },
	{ "mremap", "it moves away and back", do_mremap, 0 },
	{ "mprotect", "its rights come and go", do_mprotect, 0 },
	{ "fork", "the process forks", do_fork, 0 },
	{ "fork-write", "the process forks and its child writes", do_fork_write, 0 },
	{ "exec", "a child becomes another program", do_exec, 0 },
	{ "dontneed", "its pages are dropped", do_dontneed, 0 },
	{ "madv-free", "its pages may be dropped", do_free, 0 },
	{ "pageout", "the kernel is to swap it out", do_pageout, 0 },
	{ "collapse", "the kernel makes huge pages of it", do_collapse, NEED_THP },
	{ "merge", "its pages may be merged or not", do_merge, 0 },
	{ "mlock", "it is locked and unlocked", do_lock, 0 },
	{ "cpu-write", "the CPU writes to it", do_touch, 0 },
	{ "populate", "it moves into VRAM", do_populate, NEED_VRAM },
	{ "evict", "it moves into VRAM and back", do_evict, NEED_VRAM },
	{ "other-device", "it moves between devices", do_populate_other,
	  NEED_VRAM | NEED_TWO_DEVICES },
	{ "vm", "VMs come and go", do_vm, 0 },
	{ "close", "files of the device are opened and closed", do_close, 0 },
	{ "drop-caches", "the kernel drops what it can", do_drop_caches, NEED_ROOT },
	{ "compact", "the kernel moves pages in memory", do_compact, NEED_ROOT },
	{ "clear-refs", "the kernel forgets what was used", do_clear_refs, 0 },
};

/* The device works on both halves. */
static void *use_device(void *arg)
{
	struct stage *stage = arg;
	uint64_t state = 7, word;

	while (!atomic_load(&stage->stop)) {
		size_t page = random_next(&state) % (stage->size / PAGE);
		char *at = stage->mem + page * PAGE;
		int ret = page % 2 ? gpu_xor(stage->gpu, stage->vm, at, PAGE, page) :
				     gpu_read(stage->gpu, stage->vm, at, sizeof(word), &word);

		if (ret && ret != -EBUSY && ret != -EFAULT)
			FAIL("an access answers %s", errno_name(ret));
		buffer_dev_xor(&stage->calm, page * PAGE, PAGE, new_value());
		if (page % 8 == 0)
			buffer_check_cpu(&stage->calm);
		atomic_fetch_add(&stage->used, 1);
	}
	return NULL;
}

static struct stage stage_new(struct gpu *gpu, enum mem_thp thp)
{
	struct buffer all = buffer_filled(gpu, 64 * PAGE, thp);
	struct stage stage = {
		.gpu = gpu, .mem = all.mem, .size = all.size / 2, .vm = all.vm,
		.calm = buffer_part(&all, all.size / 2, all.size / 2),
	};

	buffer_dev_xor(&all, 0, all.size, new_value());
	return stage;
}

/* At least so many of both, and not for ever. */
static bool go_on(struct stage *stage, unsigned int round, double begin)
{
	if (seconds_now() - begin > patience(20))
		return false;
	return round < 20 || atomic_load(&stage->used) < 20 ||
	       seconds_now() - begin < brief_seconds() / 2;
}

static void race(struct gpu *gpu, const void *arg)
{
	const struct event *event = arg;
	struct stage stage = stage_new(gpu, MEM_SMALL);
	double begin = seconds_now();
	struct crew crew;
	unsigned int round = 0;

	crew_start(&crew, 1, use_device, &stage);
	for (; go_on(&stage, round, begin); round++)
		event->happen(&stage, round);
	atomic_store(&stage.stop, true);
	crew_join(&crew);
	CHECK(round >= 3);
	CHECK(stage.used >= 3);
	buffer_check(&stage.calm);
	/* The other half is usable memory again. */
	CHECK_OK(gpu_fill(gpu, stage.vm, stage.mem, stage.size, 77));
	for (size_t i = 0; i < stage.size / 8; i++)
		CHECK_EQ(((uint64_t *)stage.mem)[i], 77);
}

/* A process that has the device work all the time. */
static void work_for_ever(void *arg)
{
	struct gpu gpu;
	struct buffer buffer;
	bool moves;

	CHECK_OK(gpu_open(&gpu, ((struct gpu *)arg)->index));
	moves = gpu_has_vram(&gpu);
	buffer = buffer_filled(&gpu, 64 * PAGE, MEM_SMALL);
	for (;;) {
		if (moves)
			buffer_try_populate(&buffer);
		gpu_xor(&gpu, buffer.vm, buffer.mem, buffer.size, 3);
		gpu_evict_vm(&gpu, buffer.vm);
	}
}

static void killed(struct gpu *gpu, const void *arg)
{
	int status;

	(void)arg;
	for (unsigned int round = 0; round < 10; round++) {
		pid_t pid = test_fork(work_for_ever, gpu);

		sleep_ms(10 + round * 3);
		CHECK_SYS(kill(pid, SIGKILL));
		join_in_time(pid, "the end of a process that was killed");
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
}

static void *work_in_thread(void *arg)
{
	work_for_ever(arg);
	return NULL;
}

/* A process with threads at work says that it is about to end, or to be another program. */
static volatile bool *leaves;

static void work_in_threads(void *gpu)
{
	struct crew crew;

	crew_start(&crew, 4, work_in_thread, gpu);
	sleep_ms(60);
	*leaves = true;
}

static void exit_with_threads(void *arg)
{
	work_in_threads(arg);
	_exit(0);
}

/* To begin threads while others work takes a while, which is not what this is about. */
static void leave_in_time(struct gpu *gpu, void (*leave)(void *arg), const char *what)
{
	double deadline = seconds_now() + patience(100);
	siginfo_t ended = { };
	pid_t pid;

	leaves = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(leaves != MAP_FAILED);
	pid = test_fork(leave, gpu);
	while (!*leaves && !ended.si_pid && seconds_now() < deadline) {
		sleep_ms(1);
		CHECK_SYS(waitid(P_PID, pid, &ended, WEXITED | WNOHANG | WNOWAIT));
	}
	join_in_time(pid, what);
	test_join(pid);
	CHECK_SYS(munmap((void *)leaves, PAGE));
}

static void exits(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (unsigned int round = 0; round < 3; round++)
		leave_in_time(gpu, exit_with_threads, "the end of a process with threads at work");
}

static void exec_with_threads(void *arg)
{
	work_in_threads(arg);
	execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

static void execs(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (unsigned int round = 0; round < 3; round++)
		leave_in_time(gpu, exec_with_threads,
			      "another program in the place of one with threads at work");
}

static void on_alarm(int number)
{
	(void)number;
}

/* Signals come from now on, the first one at once. */
static void signals_start(unsigned int first_us)
{
	struct itimerval often = { { 0, 2000 }, { 0, first_us } };
	struct sigaction action = { .sa_handler = on_alarm };

	CHECK_SYS(sigaction(SIGALRM, &action, NULL));
	CHECK_SYS(setitimer(ITIMER_REAL, &often, NULL));
}

static void signals_stop(void)
{
	struct itimerval never = { };

	CHECK_SYS(setitimer(ITIMER_REAL, &never, NULL));
}

/* Signals that do not kill change nothing. */
static void signals(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, 64 * PAGE, MEM_SMALL);

	(void)arg;
	signals_start(2000);
	for (int round = 0; round < 20; round++) {
		check_populated(gpu_has_vram(gpu) ? buffer_try_populate(&buffer) : 0);
		buffer_dev_xor(&buffer, 0, buffer.size, new_value());
		buffer_check_dev(&buffer);
	}
	signals_stop();
	buffer_check(&buffer);
}

struct newcomer {
	unsigned int index, first_us;
	bool populates;
};

/* Its first command is the first that anybody does with its address space. */
static void first_command(void *arg)
{
	const struct newcomer *newcomer = arg;
	struct buffer buffer;
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, newcomer->index));
	buffer = buffer_filled(&gpu, 16 * PAGE, MEM_SMALL);
	signals_start(newcomer->first_us);
	if (newcomer->populates && gpu_has_vram(&gpu))
		check_populated(buffer_try_populate(&buffer));
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	signals_stop();
	buffer_check(&buffer);
}

static void signals_first(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (unsigned int round = 0; round < 40; round++) {
		struct newcomer newcomer = {
			.index = gpu->index, .first_us = 5 + round * 12, .populates = round % 2,
		};

		test_join(test_fork(first_command, &newcomer));
	}
}

static const struct single others[] = {
	{ "killed", "A process is killed at any moment", killed, 0 },
	{ "exit", "A process ends while its threads have the device work", exits, 0 },
	{ "exec-threads", "The same, by becoming another program", execs, 0 },
	{ "signals", "Signals come all the time", signals, 0 },
	{ "signals-first", "A signal comes when the device is used for the first time",
	  signals_first, 0 },
};

static void subtests(void)
{
	char describe[120];

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		snprintf(describe, sizeof(describe), "While the device works on memory, %s",
			 events[i].describe);
		subtest(describe, events[i].needs, race, &events[i], "%s", events[i].name);
	}
	singles(others, ARRAY_SIZE(others));
}

SUITE("The device works on memory to which something happens", subtests)
