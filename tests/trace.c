// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the tracepoints tell of migrations: why, which steps, how much, how it
 * ended.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "check.h"
#include "knob.h"

#define TRACING	"/sys/kernel/tracing/"
#define EVENTS	TRACING "events/drm_gpusvm_backport/enable"
#define SIZE	(64 * PAGE)

/* One job's end, and which steps were seen before. */
struct told {
	unsigned int jobs;
	unsigned long pages, moved, bytes;
	unsigned long long ns;
	int err;
	char steps[256];
	char kinds[64];
	int step_err;
};

/* Opening it for writing clears it. */
static void trace_clear(void)
{
	FILE *trace = fopen(TRACING "trace", "w");

	CHECK(trace);
	fclose(trace);
}

static void trace_start(void)
{
	/* It may be there already. */
	mount("none", TRACING, "tracefs", 0, NULL);
	/* Whose number a thread has is not asked, so the scheduler is not to note it. */
	CHECK_OK(file_write(TRACING "options/record-cmd", "0"));
	if (file_write(EVENTS, "1"))
		FAIL("there are no events of drm_gpusvm_backport");
	trace_clear();
	CHECK_OK(file_write(TRACING "tracing_on", "1"));
}

static void told_step(struct told *told, const char *line)
{
	const char *step = strstr(line, " step="), *kinds = strstr(line, " kinds=");
	unsigned long pages, bytes;
	int err;

	CHECK(step && kinds);
	CHECK_EQ(sscanf(strstr(line, " pages="), " pages=%lu bytes=%lu", &pages, &bytes), 2);
	CHECK_EQ(bytes, pages * PAGE);
	CHECK_EQ(sscanf(strstr(line, " err="), " err=%d", &err), 1);
	strncat(told->steps, step + 6, strcspn(step + 6, " ") + 1);
	if (!strncmp(step, " step=copy", 10))
		snprintf(told->kinds, sizeof(told->kinds), "%.*s",
			 (int)strcspn(kinds + 7, " "), kinds + 7);
	if (err)
		told->step_err = err;
}

static void told_end(struct told *told, const char *line)
{
	CHECK_EQ(sscanf(strstr(line, " pages="), " pages=%lu moved=%lu bytes=%lu ns=%llu err=%d",
			&told->pages, &told->moved, &told->bytes, &told->ns, &told->err), 5);
	told->jobs++;
}

/* What was told since trace_start() of jobs that began for this reason. */
static struct told trace_stop(const char *cause)
{
	struct told told;
	char line[512], match[32];
	FILE *trace;

	CHECK_OK(file_write(EVENTS, "0"));
	memset(&told, 0, sizeof(told));
	snprintf(match, sizeof(match), " cause=%s ", cause);
	trace = fopen(TRACING "trace", "r");
	CHECK(trace);
	while (fgets(line, sizeof(line), trace)) {
		if (!strstr(line, match))
			continue;
		if (strstr(line, "gsb_step:"))
			told_step(&told, line);
		else if (strstr(line, "gsb_migrate:"))
			told_end(&told, line);
	}
	fclose(trace);
	return told;
}

#define ALL_STEPS	"collect place map copy unmap commit finalize "

static void check_told(const struct told *told, const char *kinds)
{
	CHECK_EQ(told->jobs, 1);
	CHECK_EQ(told->err, 0);
	CHECK_EQ(told->step_err, 0);
	CHECK_EQ(told->pages, SIZE / PAGE);
	CHECK_EQ(told->moved, SIZE / PAGE);
	CHECK_EQ(told->bytes, SIZE);
	CHECK(told->ns > 0);
	if (strcmp(told->steps, ALL_STEPS))
		FAIL("the steps are %s", told->steps);
	if (strcmp(told->kinds, kinds))
		FAIL("the pages are %s, not %s", told->kinds, kinds);
}

static struct area small_pages(struct gpu *gpu)
{
	return area_filled(gpu, SIZE, 0, MEM_SMALL);
}

static void populate(struct gpu *gpu)
{
	struct area area = small_pages(gpu);
	struct told told;

	trace_start();
	CHECK_OK(gpu_populate(gpu, area.vm, area.mem, area.size));
	told = trace_stop("populate");
	check_told(&told, "system");
}

static void populate_hole(struct gpu *gpu)
{
	struct area area = area_new(gpu, SIZE, 0, MEM_SMALL);
	struct told told;

	memset(area.mem, 1, PAGE);
	trace_start();
	CHECK_OK(gpu_populate(gpu, area.vm, area.mem, area.size));
	told = trace_stop("populate");
	check_told(&told, "hole|system");
}

static void eviction(struct gpu *gpu)
{
	struct area area = small_pages(gpu);
	struct told told;

	area_populate(&area);
	trace_start();
	CHECK_OK(gpu_evict_vm(gpu, area.vm));
	told = trace_stop("eviction");
	check_told(&told, "system");
	area_check_cpu(&area);
}

static void cpu_fault(struct gpu *gpu)
{
	struct area area = small_pages(gpu);
	struct told told;

	area_populate(&area);
	trace_start();
	area_check_cpu(&area);
	told = trace_stop("cpu-fault");
	check_told(&told, "system");
}

/* It says which step it was that failed, and that what was mapped is not any more. */
static void failure(struct gpu *gpu)
{
	struct area area = small_pages(gpu);
	struct told told;
	int ret;

	trace_start();
	CHECK_OK(knob_set(gpu, "fail_copy", 1));
	ret = gpu_populate(gpu, area.vm, area.mem, area.size);
	told = trace_stop("populate");
	CHECK(ret);
	CHECK_EQ(told.jobs, 1);
	CHECK_EQ(told.moved, 0);
	CHECK_EQ(told.err, ret);
	CHECK_EQ(told.step_err, ret);
	CHECK(strstr(told.steps, "copy unmap "));
	CHECK(!strstr(told.steps, "commit"));
	area_check_cpu(&area);
}

#define NEEDS	(NEED_VRAM | NEED_ROOT)

static const struct test tests[] = {
	{ "populate", populate, NEEDS, 0 },
	{ "populate-hole", populate_hole, NEEDS, 0 },
	{ "eviction", eviction, NEEDS, 0 },
	{ "cpu-fault", cpu_fault, NEEDS | NEED_PRIVATE, 0 },
	{ "failure", failure, NEEDS | NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
