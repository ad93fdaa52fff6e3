// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Between libigt, which picks and reports, and tests/lib, which runs. A subtest's
 * process never returns into libigt: only its parent, the thread that libigt knows,
 * says how it ended.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <drm/drm.h>

#include "abi.h"
#include "suite.h"

#define LIBIGT_ANY_DEVICE	(-1)
#define MOST_CARDS		64
#define NAME_SIZE		96

/* The device that libigt picked. */
static unsigned int device_index;

/* Of the subtest that runs; its process inherits it. */
static struct {
	body_fn body;
	const void *arg;
} current;

static bool is_mockgpu(const struct gpu *gpu)
{
	char name[16] = "";
	struct drm_driver_version version = {
		.name = { .size = sizeof(name) - 1, .buffer = name },
	};

	return !gpu_ioctl(gpu, DRM_IOCTL_VERSION, &version) && !strcmp(name, "mockgpu");
}

static bool is_first_mockgpu(const char *path)
{
	struct gpu gpu = { .fd = open(path, O_RDWR | O_CLOEXEC) };
	uint64_t index = 0;
	bool is;

	if (gpu.fd < 0)
		return false;
	is = is_mockgpu(&gpu) && !gpu_query(&gpu, MOCKGPU_PARAM_DEVICE_INDEX, &index) &&
	     index == 0;
	gpu_close(&gpu);
	return is;
}

/* libigt without a filter takes whatever device comes first. */
static void filter_default(void)
{
	static const char filter[] = "drm:";
	char text[40];

	for (unsigned int i = 0; i < MOST_CARDS; i++) {
		snprintf(text, sizeof(text), "%s/dev/dri/card%u", filter, i);
		if (is_first_mockgpu(text + strlen(filter))) {
			setenv("IGT_DEVICE", text, 0);
			return;
		}
	}
	/* Names no device, but keeps libigt from looking for others. */
	setenv("IGT_DEVICE", "drm:/dev/dri/mockgpu", 0);
}

/* Keeps libigt from loading the modules of all GPUs there are. */
static void force_driver(void)
{
	setenv("IGT_FORCE_DRIVER", "mockgpu", 0);
}

static void pick_device(void)
{
	struct gpu gpu = { .fd = drm_open_driver(LIBIGT_ANY_DEVICE) };
	uint64_t index;
	int ret;

	if (gpu.fd < 0)
		igt_skip("there is no such device\n");
	if (!is_mockgpu(&gpu))
		igt_skip("the device is not one of mockgpu\n");
	ret = gpu_query(&gpu, MOCKGPU_PARAM_DEVICE_INDEX, &index);
	if (ret) {
		printf("reason: the device does not answer: %s\n", errno_name(ret));
		fflush(stdout);
		__igt_fail_assert("mockgpu", __FILE__, __LINE__, __func__, "the device answers",
				  "it says %s\n", errno_name(ret));
	}
	gpu_close(&gpu);
	device_index = index;
}

static void fixture(void)
{
	if (!__igt_fixture() || sigsetjmp(igt_subtest_jmpbuf, 1))
		return;
	pick_device();
	__igt_fixture_complete();
}

/* libigt catches signals to go on with the next subtest; here the process ends. */
static void body_in_process(struct gpu *gpu)
{
	static const int fatal[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTERM, SIGINT };

	for (size_t i = 0; i < ARRAY_SIZE(fatal); i++)
		signal(fatal[i], SIG_DFL);
	current.body(gpu, current.arg);
}

static void run(const char *name, unsigned int needs, body_fn body, const void *arg)
{
	const struct test test = { .name = name, .run = body_in_process, .needs = needs };
	struct verdict verdict;

	current.body = body;
	current.arg = arg;
	harness_watch();
	harness_run(&test, device_index, &verdict);
	/* For igt-run, which has no other way to know. */
	if (*verdict.reason)
		printf("reason: %s\n", verdict.reason);
	fflush(stdout);
	if (verdict.failed)
		__igt_fail_assert("mockgpu", __FILE__, __LINE__, name, "the test passes", "%s\n",
				  verdict.reason);
	if (verdict.skipped)
		igt_skip("%s\n", verdict.reason);
	igt_success();
}

static void declare(const char *describe, const char *format, va_list args, char *name)
{
	if (vsnprintf(name, NAME_SIZE, format, args) >= NAME_SIZE)
		abort();
	igt_describe_f("%s", describe);
}

void subtest(const char *describe, unsigned int needs, body_fn body, const void *arg,
	     const char *format, ...)
{
	char name[NAME_SIZE];
	va_list args;

	va_start(args, format);
	declare(describe, format, args, name);
	va_end(args);
	if (__igt_run_subtest(name, __FILE__, __LINE__) && !sigsetjmp(igt_subtest_jmpbuf, 1))
		run(name, needs, body, arg);
}

void subtest_of(const char *describe, void (*cells)(const void *arg), const void *arg,
		const char *format, ...)
{
	char name[NAME_SIZE];
	va_list args;

	va_start(args, format);
	declare(describe, format, args, name);
	va_end(args);
	if (!__igt_run_subtest(name, __FILE__, __LINE__) || sigsetjmp(igt_subtest_jmpbuf, 1))
		return;
	__igt_enter_dynamic_container();
	cells(arg);
	igt_success();
}

void dynamic(unsigned int needs, body_fn body, const void *arg, const char *format, ...)
{
	char name[NAME_SIZE];
	va_list args;

	va_start(args, format);
	if (vsnprintf(name, sizeof(name), format, args) >= NAME_SIZE)
		abort();
	va_end(args);
	if (__igt_run_dynamic_subtest(name) && !sigsetjmp(igt_dynamic_jmpbuf, 1))
		run(name, needs, body, arg);
}

void singles(const struct single *table, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		subtest(table[i].describe, table[i].needs, table[i].body, NULL, "%s",
			table[i].name);
}

int suite_main(int argc, char **argv, void (*subtests)(void))
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGPIPE, SIG_IGN);
	filter_default();
	force_driver();
	/* Over that, igt_runner would get what libigt says and not what we print. */
	unsetenv("IGT_RUNNER_SOCKET_FD");
	igt_subtest_init_parse_opts(&argc, argv, "", NULL, NULL, NULL, NULL);
	fixture();
	subtests();
	igt_exit();
}
