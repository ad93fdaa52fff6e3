// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The driver makes a mistake on purpose, and the device catches it: it says which one
 * it was, in its counters, in the log and in its error state, and nothing else.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>

#include "knob.h"
#include "queue.h"

#define VALUE	0x2545f4914f6cdd1dULL

enum { KLOG_READ_ALL = 3, KLOG_SIZE = 10 };

static void begin(struct gpu *gpu)
{
	CHECK_OK(knob_write(gpu, "errors", "0\n"));
	CHECK_OK(knob_write(gpu, "error_state", "0\n"));
}

/* Has the log a line about it? Older ones are of other tests and other names. */
static bool is_in_log(const char *name)
{
	int size = klogctl(KLOG_SIZE, NULL, 0);
	char *log = calloc(1, size + 1), line[64];
	bool found;

	CHECK(log && klogctl(KLOG_READ_ALL, log, size) >= 0);
	snprintf(line, sizeof(line), "device error: %s: ", name);
	found = strstr(log, line);
	free(log);
	return found;
}

/* The counter of that name has grown, and no other. */
static void check_caught(struct gpu *gpu, const char *name)
{
	char *text = knob_text(gpu, "errors"), *state = knob_text(gpu, "error_state"), *rest;
	bool found = false;

	CHECK(text && state);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char kind[64];
		unsigned long long count;

		CHECK_EQ(sscanf(line, "%63s %llu", kind, &count), 2);
		if (!strcmp(kind, name))
			found = count;
		else if (count)
			FAIL("the device says %s: %llu, not %s", kind, count, name);
	}
	if (!found)
		FAIL("the device does not say %s", name);
	CHECK(is_in_log(name));
	if (!strstr(state, name))
		FAIL("no %s in the error state: %s", name, state);
	free(text);
	free(state);
}

/* What the mistake left behind goes, and what the device has said about it. */
static void end(const struct area *area)
{
	knobs_off(area->gpu);
	if (area->vm)
		CHECK_OK(gpu_vm_destroy(area->gpu, area->vm));
	CHECK_OK(knob_write(area->gpu, "errors", "0\n"));
}

static void cheat(const struct area *area, const char *knob)
{
	CHECK_OK(knob_set(area->gpu, knob, 1));
}

static int touch(const struct area *area)
{
	uint64_t word;

	return gpu_read(area->gpu, area->vm, area->mem, sizeof(word), &word);
}

/* All of it comes home, and what it had in VRAM is free. */
static void evict_all(const struct area *area)
{
	double deadline = seconds_now() + patience(10);

	area_evict(area);
	while (counter(area->gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES)) {
		CHECK(seconds_now() < deadline);
		sleep_ms(1);
	}
}

/* Something else is at the same addresses. */
static void replace(const struct area *area)
{
	CHECK(mmap(area->mem, area->size, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == area->mem);
}

static void skipped_flush(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	begin(gpu);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_flush");
	replace(&area);
	CHECK_RET(touch(&area), -EIO);
	check_caught(gpu, "stale_translation");
	end(&area);
}

static void skipped_flush_vram(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	begin(gpu);
	area_populate(&area);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_flush");
	evict_all(&area);
	CHECK_RET(touch(&area), -EIO);
	check_caught(gpu, "stale_translation");
	end(&area);
}

static void skipped_unmap(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	begin(gpu);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_unmap");
	replace(&area);
	CHECK_RET(touch(&area), -EIO);
	check_caught(gpu, "dma_unmapped");
	end(&area);
}

/* The DMA address is somebody else's by then. */
static void wrong_generation(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	struct area other = area;

	other.mem = mem_map(PAGE, 0, MEM_SMALL);
	CHECK(other.mem);
	begin(gpu);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_unmap");
	replace(&area);
	CHECK_OK(touch(&other));
	CHECK_RET(touch(&area), -EIO);
	check_caught(gpu, "wrong_generation");
	end(&area);
}

/* The page table still leads to it. */
static void freed_while_mapped(struct gpu *gpu)
{
	struct area area = area_filled(gpu, 16 * PAGE, 0, MEM_SMALL);

	begin(gpu);
	area_populate(&area);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_unmap");
	evict_all(&area);
	check_caught(gpu, "vram_freed_mapped");
	end(&area);
}

/* Nobody notices until the pages are free. */
static void skipped_dma_unmap(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);

	begin(gpu);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, VALUE));
	cheat(&area, "skip_dma_unmap");
	CHECK_SYS(munmap(area.mem, area.size));
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	area.vm = 0;
	check_caught(gpu, "dma_left_mapped");
	end(&area);
}

/* Nobody can ask a device that is gone, but the driver still says what it caught. */
static void skipped_dma_unmap_unbound(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	long long before;

	begin(gpu);
	before = errors_of_all();
	CHECK(before >= 0);
	CHECK_OK(gpu_fill(gpu, area.vm, area.mem, area.size, VALUE));
	cheat(&area, "skip_dma_unmap");
	CHECK_OK(device_unbind(gpu->index));
	errors_on_purpose(errors_of_all() - before);
	CHECK(errors_of_all() > before);
	CHECK_OK(device_bind(gpu->index));
}

static void skipped_clear(struct gpu *gpu)
{
	struct area area = area_new(gpu, PAGE, 0, MEM_SMALL);

	begin(gpu);
	cheat(&area, "skip_clear");
	area_populate(&area);
	CHECK_RET(touch(&area), -EIO);
	check_caught(gpu, "vram_not_cleared");
	CHECK_SYS(munmap(area.mem, area.size));
	end(&area);
}

/* What was mapped to be read is written. */
static void wrong_direction(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);

	begin(gpu);
	cheat(&area, "map_writable");
	CHECK_OK(touch(&area));
	CHECK_RET(gpu_fill(gpu, area.vm, area.mem, PAGE, VALUE), -EIO);
	check_caught(gpu, "dma_direction");
	area_check_cpu(&area);
	end(&area);
}

/* The error state says where it was, for jobs too, and is emptied by writing to it. */
static void error_state(struct gpu *gpu)
{
	struct area area = area_filled(gpu, PAGE, 0, MEM_SMALL);
	uint32_t queue = queue_new(gpu, area.vm);
	char where[64], *state;
	uint64_t sum;

	begin(gpu);
	CHECK_OK(touch(&area));
	cheat(&area, "skip_flush");
	replace(&area);
	CHECK_RET(job_do(gpu, queue, cmd_checksum(area.mem, PAGE, &sum)), -EIO);
	snprintf(where, sizeof(where), " address %#lx: ", (unsigned long)area.mem);
	state = knob_text(gpu, "error_state");
	CHECK(state);
	if (!strstr(state, where) || !strstr(state, " vm ") || !strstr(state, "stale_translation"))
		FAIL("no%s in %s", where, state);
	CHECK_OK(knob_write(gpu, "error_state", "0\n"));
	state = knob_text(gpu, "error_state");
	CHECK(!state || !*state);
	end(&area);
}

/* Without a mistake there is nothing to be said. */
static void honest(struct gpu *gpu)
{
	struct area area = area_filled(gpu, MIB, 0, MEM_SMALL);
	char *text;

	begin(gpu);
	CHECK_OK(touch(&area));
	area_device_flip(&area, VALUE);
	replace(&area);
	CHECK_OK(touch(&area));
	CHECK_OK(gpu_vm_destroy(gpu, area.vm));
	text = knob_text(gpu, "errors");
	CHECK(text && strstr(text, "stale_translation 0\n"));
	for (char *digit = strpbrk(text, "123456789"); digit; digit = NULL)
		FAIL("caught at something: %s", text);
}

static const struct test tests[] = {
	{ "honest", honest, NEED_KNOBS, 0 },
	{ "skipped-flush", skipped_flush, NEED_KNOBS, 0 },
	{ "skipped-flush-vram", skipped_flush_vram, NEED_KNOBS | NEED_VRAM, 0 },
	{ "skipped-unmap", skipped_unmap, NEED_KNOBS, 0 },
	{ "wrong-generation", wrong_generation, NEED_KNOBS, 0 },
	{ "freed-while-mapped", freed_while_mapped, NEED_KNOBS | NEED_VRAM, 0 },
	{ "skipped-dma-unmap", skipped_dma_unmap, NEED_KNOBS, 0 },
	{ "skipped-clear", skipped_clear, NEED_KNOBS | NEED_VRAM, 0 },
	{ "wrong-direction", wrong_direction, NEED_KNOBS, 0 },
	{ "error-state", error_state, NEED_KNOBS, 0 },
	{ "skipped-dma-unmap-unbound", skipped_dma_unmap_unbound, NEED_KNOBS, 0 },
};

HARNESS_MAIN(tests)
