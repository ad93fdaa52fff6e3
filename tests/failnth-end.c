// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The end of VMs, files, processes and devices that are in use.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "failnth.h"
#include "inject.h"
#include "knob.h"

#define RELEASE_SECONDS	10

/* The end of a process that has memory in VRAM and in the page table of the device. */
struct end {
	const struct gpu *gpu;
	void (*prepare)(struct round *round);
	unsigned int nth;
	struct alive before;
};

static void end_in_use(void *arg)
{
	static const struct scene scene = { };
	const struct end *end = arg;
	static struct round round;

	round_begin(&round, end->gpu, &scene);
	end->prepare(&round);
	inject_arm(end->nth);
	_exit(0);
}

static bool end_round(void *arg, unsigned int nth)
{
	struct end *end = arg;
	siginfo_t info;
	bool fired;
	pid_t pid;

	end->nth = nth;
	pid = test_fork(end_in_use, end);
	CHECK_SYS(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	fired = inject_fired(pid);
	test_join(pid);
	return fired;
}

static void check_end(void *arg, unsigned int nth)
{
	check_leaks(&((struct end *)arg)->before, nth);
}

static void end_process(struct gpu *gpu, void (*prepare)(struct round *round))
{
	struct end end = { .gpu = gpu, .prepare = prepare, .before = alive_now(gpu) };

	CHECK(run_rounds(&(struct rounds){ end_round, check_end, &end }));
}

static void process_end(struct gpu *gpu)
{
	end_process(gpu, fill_used);
}

static void process_end_busy(struct gpu *gpu)
{
	end_process(gpu, fill_busy);
}

/* The driver is taken from a device and given to it again. */

static bool is_bound(unsigned int index)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/bus/platform/drivers/mockgpu/mockgpu.%u", index);
	return !access(path, F_OK);
}

/* What is alive in the SVM module, whoever uses it. */
static unsigned long long live_total(void)
{
	FILE *file = fopen("/sys/kernel/debug/drm_gpusvm_backport/stats", "r");
	unsigned long long total = 0, value;
	char name[64];

	CHECK(file);
	while (fscanf(file, "%63s %llu", name, &value) == 2)
		if (!strncmp(name, "live_", 5))
			total += value;
	fclose(file);
	return total;
}

/* It is a device that works. */
static void use_device(unsigned int index, struct area *area)
{
	struct gpu gpu;

	CHECK_OK(gpu_open(&gpu, index));
	*area = (struct area){ .gpu = &gpu, .vm = vm_new(&gpu) };
	fresh_memory(area, MEM_SMALL);
	area_fill(area);
	area_populate(area);
	area_device_flip(area, FLIP);
	gpu_close(&gpu);
	area->gpu = NULL;
}

/* What makes the file for it may be refused something, and nobody is told. */
static bool has_node(unsigned int index)
{
	struct gpu gpu;

	if (gpu_open(&gpu, index))
		return false;
	gpu_close(&gpu);
	return true;
}

struct driver {
	unsigned int index;
	unsigned long long before;
};

/* A device that is not there yet is there afterwards, or not at all. */
static bool bind_round(void *arg, unsigned int nth)
{
	unsigned int index = ((struct driver *)arg)->index;
	struct area area;
	bool fired;
	int ret;

	inject_arm(nth);
	ret = device_bind(index);
	fired = inject_disarm();
	if (!fired)
		CHECK_OK(ret);
	CHECK_EQ(is_bound(index), !ret);
	if (fired && !ret && !has_node(index)) {
		CHECK_OK(device_unbind(index));
		ret = -ENOMEM;
	}
	if (ret)
		CHECK_OK(device_bind(index));
	use_device(index, &area);
	area_check_cpu(&area);
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	CHECK_OK(device_unbind(index));
	return fired;
}

/* Is unbound, with something refused meanwhile, and bound again, whatever came of it. */
static bool unbind_once(unsigned int index, unsigned int nth)
{
	bool fired;
	int ret;

	inject_arm(nth);
	ret = device_unbind(index);
	fired = inject_disarm();
	if (!fired)
		CHECK_OK(ret);
	CHECK_EQ(is_bound(index), !!ret);
	if (ret)
		CHECK_OK(device_unbind(index));
	return fired;
}

/* What processes have there comes home, whatever is refused to who sends it there. */
static bool unbind_round(void *arg, unsigned int nth)
{
	unsigned int index = ((struct driver *)arg)->index;
	struct area area;
	bool fired;

	use_device(index, &area);
	fired = unbind_once(index, nth);
	area_check_cpu(&area);
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	CHECK_OK(device_bind(index));
	return fired;
}

/* The same while a file of the device is open, with all kinds of things. */
static bool unbind_busy_round(void *arg, unsigned int nth)
{
	static const struct scene scene = { };
	struct gpu gpu = { .index = ((struct driver *)arg)->index };
	static struct round round;
	bool fired;

	round_begin(&round, &gpu, &scene);
	fill_busy(&round);
	fired = unbind_once(gpu.index, nth);
	gpu_close(&round.gpu);
	verify_busy_closed(&round, 0);
	CHECK_SYS(munmap(arena, HUGE_PAGE));
	CHECK_OK(device_bind(gpu.index));
	return fired;
}

static void check_driver(void *arg, unsigned int nth)
{
	double deadline = seconds_now() + patience(RELEASE_SECONDS);
	unsigned long long total, want = ((struct driver *)arg)->before;

	while ((total = live_total()) > want && seconds_now() < deadline)
		sleep_ms(5);
	if (total > want)
		FAIL("failure %u leaves %llu things alive, not %llu", nth, total, want);
}

static void run_driver(struct gpu *gpu, bool (*round)(void *arg, unsigned int nth))
{
	struct driver driver = { .index = gpu->index ? 0 : 1, .before = live_total() };

	CHECK(run_rounds(&(struct rounds){ round, check_driver, &driver }) > 0);
}

static void unbind_device(struct gpu *gpu)
{
	run_driver(gpu, unbind_round);
}

static void unbind_busy(struct gpu *gpu)
{
	run_driver(gpu, unbind_busy_round);
}

/*
 * When memory for the name of a minor is refused, DRM of 6.12 drops a reference on the
 * error instead of the device (drm_minor_alloc_release()), of which the kernel dies.
 */
static void bind_device(struct gpu *gpu)
{
	if (!getenv("FAILNTH_BIND"))
		test_skip("the kernel may not survive it (set FAILNTH_BIND to try)");
	CHECK_OK(device_unbind(gpu->index ? 0 : 1));
	run_driver(gpu, bind_round);
	CHECK_OK(device_bind(gpu->index ? 0 : 1));
}

/* What is mapped would keep the file. */
static void fill_busy_unmapped(struct round *round)
{
	fill_busy(round);
	CHECK_SYS(munmap(round->bound.mem, round->bound.size));
}

SCENE(vm_destroy_busy, .prepare = fill_busy, .act = act_vm_destroy,
      .verify = verify_busy_destroyed)
SCENE(close_busy, .prepare = fill_busy_unmapped, .act = act_close, .verify = verify_closed)

static const struct test tests[] = {
	{ "vm-destroy-busy", vm_destroy_busy, NEEDS, SECONDS },
	{ "close-busy", close_busy, NEEDS, SECONDS },
	{ "process-end", process_end, NEEDS, SECONDS },
	{ "process-end-busy", process_end_busy, NEEDS, SECONDS },
	/* Last, because others see the device that there was at first. */
	{ "unbind", unbind_device, NEEDS_TWO, SECONDS },
	{ "unbind-busy", unbind_busy, NEEDS_TWO, SECONDS },
	{ "bind", bind_device, NEEDS_TWO, SECONDS },
};

const struct tests end_tests = { tests, ARRAY_SIZE(tests) };
