// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Before Linux 6.15 threads that fault on one device page can keep each other
 * from it for ever. The tests crowd-... and same-page show that they do not. Here
 * is their control: with the remedy off, on purpose, nobody gets the page.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>

#include "common.h"

#define FLIP		0xbb67ae8584caa73bULL
#define NO_DRAIN	"/sys/module/drm_gpusvm_backport/parameters/no_drain"
#define THREADS		16
#define STUCK_MS	5000

struct crowd {
	struct area area;
	pthread_barrier_t start;
	atomic_uint done;
};

static void *read_page(void *arg)
{
	struct crowd *crowd = arg;

	pthread_barrier_wait(&crowd->start);
	area_check_cpu(&crowd->area);
	atomic_fetch_add(&crowd->done, 1);
	return NULL;
}

static void without_drain(struct gpu *gpu)
{
	struct crowd crowd = { .area = area_filled(gpu, PAGE, 0, MEM_SMALL) };
	unsigned int done;
	struct crew crew;
	double begin;

	if (file_write(NO_DRAIN, "0"))
		test_skip("nothing to switch off: core mm locks the page that faults");
	area_populate(&crowd.area);
	area_device_flip(&crowd.area, FLIP);
	CHECK_EQ(pthread_barrier_init(&crowd.start, NULL, THREADS), 0);

	CHECK_OK(file_write(NO_DRAIN, "1"));
	crew_start(&crew, THREADS, read_page, &crowd);
	sleep_ms(STUCK_MS);
	done = atomic_load(&crowd.done);
	CHECK_OK(file_write(NO_DRAIN, "0"));
	begin = seconds_now();
	crew_join(&crew);
	check_bound("getting the page in the end", begin);
	printf("# stuck for %d ms, then all had the page in %.0f ms\n", STUCK_MS,
	       (seconds_now() - begin) * 1000);
	CHECK_EQ(done, 0);
}

static const struct test tests[] = {
	{ "without-drain", without_drain, NEED_PRIVATE | NEED_ROOT, 0 },
};

HARNESS_MAIN(tests)
