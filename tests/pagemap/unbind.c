// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A device goes away while it is used. Each test leaves it bound again.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define FLIP		0x4142135623730950ULL
#define UNBIND_SECONDS	30
#define KILL_SECONDS	4

static struct area populated(struct gpu *gpu, size_t size)
{
	struct area area = area_filled(gpu, size, 0, MEM_SMALL);

	area_populate(&area);
	area_device_flip(&area, FLIP);
	return area;
}

/* How long it took. */
static double unbind_in_time(unsigned int index)
{
	double begin = seconds_now();

	CHECK_OK(device_unbind(index));
	if (seconds_now() - begin > patience(UNBIND_SECONDS))
		FAIL("unbind took %.1f s", seconds_now() - begin);
	return seconds_now() - begin;
}

/*
 * The device is there again and works, and nothing of its last life is left. What it
 * caught when it went the harness finds out.
 */
static void check_bound_again(unsigned int index)
{
	struct gpu gpu;
	struct area area;

	CHECK_OK(device_bind(index));
	CHECK_OK(gpu_open(&gpu, index));
	wait_for_counter(&gpu, MOCKGPU_COUNTER_LIVE_DEVICE_PAGES, 0);
	wait_for_counter(&gpu, MOCKGPU_COUNTER_LIVE_ZDD, 0);
	area = populated(&gpu, 4 * MIB);
	area_check_cpu(&area);
	area_populate(&area);
	area_evict(&area);
	area_check_cpu(&area);
	CHECK_OK(gpu_vm_destroy(&gpu, area.vm));
	gpu_close(&gpu);
}

/* VRAM that somebody held is in use for a moment longer. */
static void bind_in_time(unsigned int index)
{
	double begin = seconds_now();
	int ret;

	while ((ret = device_bind(index)) == -EBUSY) {
		check_bound("the end of the last binding", begin);
		sleep_ms(10);
	}
	CHECK_OK(ret);
}

static void test_join_in_time(pid_t pid, const char *what)
{
	join_in_time(pid, what);
	test_join(pid);
}

struct storm {
	struct gpu *gpu;
	atomic_bool stop;
	atomic_uint next;
	atomic_ulong moved;
};

/* The device may be gone at any step; the data may not. */
static bool may_say(int ret)
{
	return !ret || ret == -EBUSY || ret == -ENODEV || ret == -ENOSPC;
}

static void *storm(void *arg)
{
	struct storm *storm = arg;
	struct area area = area_filled(storm->gpu, MIB, 0, MEM_SMALL);
	struct drm_mockgpu_access access = {
		.vm_id = area.vm, .op = MOCKGPU_ACCESS_XOR, .value = FLIP,
		.addr = (uintptr_t)area.mem, .size = area.size,
	};
	unsigned int kind = atomic_fetch_add(&storm->next, 1);
	int ret;

	while (!atomic_load(&storm->stop)) {
		switch (kind++ % 4) {
		case 0:
		case 2:
			ret = gpu_populate(area.gpu, area.vm, area.mem, area.size);
			CHECK(may_say(ret));
			atomic_fetch_add(&storm->moved, !ret);
			break;
		case 1:
			access.done = 0;
			ret = gpu_access(area.gpu, &access);
			CHECK(may_say(ret));
			/* What the device did before it went is done. */
			for (size_t i = 0; i < access.done / 8; i++)
				((uint64_t *)area.mem)[i] ^= FLIP;
			break;
		default:
			ret = gpu_evict_vm(area.gpu, area.vm);
			CHECK(may_say(ret));
		}
		area_check_cpu(&area);
		/* What follows is the driver's; no need to fight it for processors. */
		if (ret == -ENODEV)
			sleep_ms(20);
	}
	area_check_cpu(&area);
	CHECK_SYS(munmap(area.mem, area.size));
	return NULL;
}

static void storm_round(unsigned int index, unsigned int ms, double *worst)
{
	struct gpu gpu;
	struct storm shared = { .gpu = &gpu };
	struct crew crew;
	double took;

	CHECK_OK(gpu_open(&gpu, index));
	crew_start(&crew, 16, storm, &shared);
	while (atomic_load(&shared.next) < 16)
		sleep_ms(1);
	sleep_ms(ms);
	took = unbind_in_time(index);
	*worst = took > *worst ? took : *worst;
	atomic_store(&shared.stop, true);
	crew_join(&crew);
	gpu_close(&gpu);
	check_bound_again(index);
}

static void in_a_storm(struct gpu *gpu)
{
	double deadline = seconds_now() + 3 * brief_seconds(), worst = 0;
	unsigned int rounds = 0;
	uint64_t state = 5;

	for (; rounds < 200 && (rounds < 3 || seconds_now() < deadline); rounds++)
		storm_round(gpu->index, 50 + random_next(&state) % 500, &worst);
	printf("# %u rounds, unbind took up to %.2f s\n", rounds, worst);
}

/* The last pages go with a process that is killed while the device goes away. */
struct victim {
	struct area area;
	pid_t pid;
	int ready[2];
	unsigned int delay_us;
};

static void have_last_pages(void *arg)
{
	struct victim *victim = arg;

	CHECK_EQ(write(victim->ready[1], "", 1), 1);
	for (;;)
		pause();
}

static void *kill_victim(void *arg)
{
	struct victim *victim = arg;

	usleep(victim->delay_us);
	CHECK_SYS(kill(victim->pid, SIGKILL));
	CHECK_EQ(waitpid(victim->pid, NULL, 0), victim->pid);
	return NULL;
}

static void exit_round(unsigned int index, unsigned int delay_us)
{
	struct victim victim = { .delay_us = delay_us };
	struct crew crew;
	struct gpu gpu;
	char byte;

	CHECK_OK(gpu_open(&gpu, index));
	victim.area = populated(&gpu, 16 * MIB);
	gpu_close(&gpu);
	CHECK_SYS(pipe(victim.ready));
	victim.pid = test_fork(have_last_pages, &victim);
	CHECK_EQ(read(victim.ready[0], &byte, 1), 1);
	CHECK_SYS(munmap(victim.area.mem, victim.area.size));
	close(victim.ready[0]);
	close(victim.ready[1]);
	crew_start(&crew, 1, kill_victim, &victim);
	unbind_in_time(index);
	crew_join(&crew);
	check_bound_again(index);
}

static void exit_meanwhile(struct gpu *gpu)
{
	double deadline = seconds_now() + 2 * brief_seconds();
	unsigned int rounds = 0;
	uint64_t state = 9;

	for (; rounds < 3 || seconds_now() < deadline; rounds++)
		exit_round(gpu->index, random_next(&state) % 60000);
	printf("# %u rounds\n", rounds);
}

/* Mappings go away, at the same time and one after the other. */
static void *unmap_slowly(void *arg)
{
	struct area *area = arg;

	for (size_t at = 0; at < area->size; at += 16 * PAGE)
		CHECK_SYS(munmap(area->mem + at, 16 * PAGE));
	return NULL;
}

static void unmap_meanwhile(struct gpu *gpu)
{
	for (int i = 0; i < 3; i++) {
		struct gpu mine;
		struct crew crew;
		struct area area;

		CHECK_OK(gpu_open(&mine, gpu->index));
		area = populated(&mine, 16 * MIB);
		gpu_close(&mine);
		crew_start(&crew, 1, unmap_slowly, &area);
		unbind_in_time(gpu->index);
		crew_join(&crew);
		check_bound_again(gpu->index);
	}
}

static void unbind_in_child(void *arg)
{
	unbind_in_time(((struct gpu *)arg)->index);
}

static bool log_has(const char *text)
{
	int size = klogctl(10, NULL, 0);
	char *log = calloc(1, size + 1);
	bool found;

	CHECK(log);
	CHECK_SYS(klogctl(3, log, size));
	found = strstr(log, text);
	free(log);
	return found;
}

static void check_pipe(const struct pins *pins, const struct area *area, size_t page)
{
	uint64_t words[PAGE / 8];

	CHECK_EQ(read(pins->fds[0], words, PAGE), (long long)PAGE);
	for (size_t i = 0; i < PAGE / 8; i++)
		CHECK(words[i] == (pattern_word(area->seed, page * (PAGE / 8) + i) ^ area->flip));
}

/*
 * A page lies in a pipe. If that is VRAM the device goes all the same, and says
 * so; it cannot come back before the page is out of there, and nothing is lost.
 */
static void piped_page(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	struct pins pins = pins_new();
	pid_t pid;

	pins_add(&pins, area.mem + 7 * PAGE);
	pid = test_fork(unbind_in_child, gpu);
	test_join_in_time(pid, "an unbinding");
	CHECK_RET(gpu_populate(gpu, area.vm, area.mem, area.size), -ENODEV);
	if (gpu->tier == MOCKGPU_TIER_COHERENT) {
		CHECK(log_has("are still held by somebody"));
		CHECK_RET(device_bind(gpu->index), -EBUSY);
	}
	area_check_cpu(&area);
	check_pipe(&pins, &area, 7);
	pins_drop(&pins);
	bind_in_time(gpu->index);
	CHECK_OK(device_unbind(gpu->index));
	check_bound_again(gpu->index);
	area_check_cpu(&area);
}

/* Who unbinds does not want to wait for those who hold pages. */
static void killed(struct gpu *gpu)
{
	struct area area = populated(gpu, 2 * MIB);
	struct pins pins = pins_new();
	double begin;
	pid_t pid;

	pins_add(&pins, area.mem);
	pid = fork();
	CHECK_SYS(pid);
	if (!pid)
		_exit(device_unbind(gpu->index) ? 1 : 0);
	while (gpu_populate(gpu, area.vm, area.mem, area.size) != -ENODEV)
		sleep_ms(1);
	sleep_ms(100);
	begin = seconds_now();
	CHECK_SYS(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	if (seconds_now() - begin > patience(KILL_SECONDS))
		FAIL("dying took %.1f s", seconds_now() - begin);
	CHECK_RET(device_bind(gpu->index), -EBUSY);
	pins_drop(&pins);
	bind_in_time(gpu->index);
	CHECK_OK(device_unbind(gpu->index));
	check_bound_again(gpu->index);
	area_check_cpu(&area);
}

/* All devices that have pages of one range go, one after the other. */
static void both(struct gpu *gpu)
{
	struct area area = populated(gpu, 4 * MIB), half = area_part(&area, 0, 2 * MIB);
	struct gpu other;

	CHECK_OK(gpu_open(&other, gpu->index ? 0 : 1));
	half.gpu = &other;
	half.vm = vm_new(&other);
	area_populate(&half);
	unbind_in_time(gpu->index);
	CHECK_PLACE(&half, MOCKGPU_PAGE_DEVICE);
	area_check_device(&half);
	unbind_in_time(other.index);
	area_check_cpu(&area);
	gpu_close(&other);
	check_bound_again(gpu->index);
	check_bound_again(gpu->index ? 0 : 1);
	area_check_cpu(&area);
}

/*
 * The process gave its memory up, and then the device wrote to it: that counts, also when
 * the kernel looks for pages to free. In pages that nothing was in before, as those have
 * marks of their last contents.
 */
static void freed_lazily(struct gpu *gpu)
{
	struct gpu fresh;
	struct area area;

	unbind_in_time(gpu->index);
	bind_in_time(gpu->index);
	CHECK_OK(gpu_open(&fresh, gpu->index));
	area = area_filled(&fresh, 2 * MIB, 0, MEM_SMALL);
	CHECK_SYS(madvise(area.mem, area.size, MADV_FREE));
	area_populate(&area);
	area_device_fill(&area, 12345);
	if (fresh.tier == MOCKGPU_TIER_PRIVATE)
		area_check_cpu(&area);
	else
		area_evict(&area);
	for (int i = 0; i < 3; i++)
		CHECK_SYS(madvise(area.mem, area.size, MADV_PAGEOUT));
	area_check_cpu(&area);
	CHECK_OK(gpu_vm_destroy(&fresh, area.vm));
	gpu_close(&fresh);
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

static const struct test tests[] = {
	{ "in-a-storm", in_a_storm, NEEDS, 600 },
	{ "exit-meanwhile", exit_meanwhile, NEEDS, 300 },
	{ "unmap-meanwhile", unmap_meanwhile, NEEDS, 300 },
	{ "piped-page", piped_page, NEEDS, 0 },
	{ "killed", killed, NEEDS | NEED_COHERENT, 0 },
	{ "freed-lazily", freed_lazily, NEEDS, 0 },
	{ "both", both, NEEDS | NEED_TWO_DEVICES, 0 },
};

HARNESS_MAIN(tests)
