// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Memory is put where it is wanted: into VRAM, home, and there only as much as fits. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../pagemap/common.h"
#include "kinds.h"
#include "suite.h"

#define SIZE	(64 * PAGE)

static void fill_vram(const struct buffer *buffer)
{
	buffer_populate(buffer);
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

static int populate_counted(const struct buffer *buffer, struct drm_mockgpu_populate *populate)
{
	unsigned int tries;

	populate->vm_id = buffer->vm;
	populate->addr = (uintptr_t)buffer->mem;
	populate->size = buffer->size;
	return gpu_populate_patiently(buffer->gpu, populate, &tries);
}

/* Prefetched memory costs no copy when it is used, and none when asked for again. */
static void once_is_enough(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct drm_mockgpu_populate populate = { };
	uint64_t in;

	(void)arg;
	buffer_populate(&buffer);
	in = counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_IN);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	CHECK_OK(populate_counted(&buffer, &populate));
	CHECK_EQ(populate.moved, 0);
	CHECK_EQ(populate.resident, SIZE / PAGE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_BYTES_COPIED_IN), in);
	buffer_check(&buffer);
}

/* Of what is partly there only the rest is copied. */
static void only_the_rest(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct buffer half = buffer_part(&buffer, 0, SIZE / 2);

	(void)arg;
	fill_vram(&half);
	buffer_populate(&buffer);
	buffer_check(&buffer);
	buffer_populate(&half);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void never_touched(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_new(gpu, SIZE, MEM_SMALL);
	uint64_t cleared = counter(gpu, MOCKGPU_COUNTER_PAGES_CLEARED);

	(void)arg;
	buffer_populate(&buffer);
	CHECK(counter(gpu, MOCKGPU_COUNTER_PAGES_CLEARED) >= cleared + SIZE / PAGE);
	buffer_check(&buffer);
}

/* Freed VRAM has somebody's data in it: the next owner must not see that. */
static void cleared_for_the_next(struct gpu *gpu, const void *arg)
{
	(void)arg;
	for (int round = 0; round < 4; round++) {
		struct buffer secret = buffer_filled(gpu, SIZE, MEM_SMALL);
		struct buffer next = buffer_new(gpu, SIZE, MEM_SMALL);

		fill_vram(&secret);
		buffer_end(&secret);
		wait_for_counter(gpu, MOCKGPU_COUNTER_LIVE_VRAM_PAGES, 0);
		buffer_populate(&next);
		buffer_check_dev(&next);
		buffer_check_cpu(&next);
		buffer_end(&next);
	}
}

/* At, around and across the borders of huge pages. */
struct span {
	const char *name;
	size_t start, size;
};

static const struct span spans[] = {
	{ "one-page", 0, PAGE },
	{ "last-page", HUGE_PAGE - PAGE, PAGE },
	{ "across-border", HUGE_PAGE - PAGE, 2 * PAGE },
	{ "64k", 64 * KIB, 64 * KIB },
	{ "64k-askew", 64 * KIB + PAGE, 64 * KIB },
	{ "huge-page", 0, HUGE_PAGE },
	{ "huge-page-askew", PAGE, HUGE_PAGE },
	{ "all", 0, 2 * HUGE_PAGE },
};

static void span_moves(struct gpu *gpu, const struct span *span, enum mem_thp thp)
{
	struct buffer buffer = buffer_filled(gpu, 2 * HUGE_PAGE, thp);
	struct buffer part = buffer_part(&buffer, span->start, span->size);

	buffer_populate(&part);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), span->size / PAGE);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	buffer_check_dev(&buffer);
	buffer_evict(&part);
	buffer_check(&buffer);
}

static void span_small(struct gpu *gpu, const void *arg)
{
	span_moves(gpu, arg, MEM_SMALL);
}

static void span_huge(struct gpu *gpu, const void *arg)
{
	span_moves(gpu, arg, MEM_HUGE);
}

static void span_cells(const void *arg)
{
	dynamic(NEED_VRAM, span_small, arg, "small-pages");
	dynamic(NEED_VRAM | NEED_THP, span_huge, arg, "huge-pages");
}

/* Two mappings with different rights beside each other move as one. */
static void many_mappings(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	for (size_t at = 0; at < SIZE; at += 4 * PAGE)
		CHECK_SYS(mprotect(buffer.mem + at, 2 * PAGE, PROT_READ));
	buffer_populate(&buffer);
	buffer_check_dev(&buffer);
	CHECK_SYS(mprotect(buffer.mem, SIZE, PROT_READ | PROT_WRITE));
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

/* A page that cannot move costs the others nothing, if they may move alone. */
static void with_a_pinned_page(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	struct drm_mockgpu_populate populate = { };
	struct pins pins = pins_new();

	(void)arg;
	pins_add(&pins, buffer.mem + 7 * PAGE);
	CHECK_RET(populate_counted(&buffer, &populate), -EBUSY);
	populate.flags = MOCKGPU_POPULATE_PARTIAL;
	CHECK_OK(populate_counted(&buffer, &populate));
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), SIZE / PAGE - 1);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check_dev(&buffer);
	pins_drop(&pins);
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

static void all_pages_pinned(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, 16 * PAGE, MEM_SMALL);
	struct pins pins = pins_new();

	(void)arg;
	for (size_t at = 0; at < buffer.size; at += PAGE)
		pins_add(&pins, buffer.mem + at);
	CHECK_RET(buffer_try_populate(&buffer), -EBUSY);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_dev_xor(&buffer, 0, buffer.size, new_value());
	buffer_check(&buffer);
	pins_drop(&pins);
	buffer_populate(&buffer);
	buffer_check(&buffer);
}

/* There and back, often. */
static void ping_pong(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, *(const size_t *)arg, MEM_SMALL);

	for (int round = 0; round < 16; round++) {
		buffer_populate(&buffer);
		buffer_dev_xor(&buffer, 0, buffer.size, new_value());
		if (round % 2)
			buffer_evict(&buffer);
		buffer_cpu_touch(&buffer);
	}
	buffer_check(&buffer);
}

/* Each half is in another place every time. */
static void flip_halves(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	for (int round = 0; round < 10; round++) {
		struct buffer half = buffer_part(&buffer, round % 2 * SIZE / 2, SIZE / 2);

		CHECK_OK(gpu_evict_vm(gpu, buffer.vm));
		buffer_populate(&half);
		CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), SIZE / 2 / PAGE);
		buffer_dev_xor(&buffer, 0, SIZE, new_value());
		buffer_check_dev(&buffer);
	}
	buffer_check(&buffer);
}

static void evict_by_address(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, 2 * HUGE_PAGE, MEM_SMALL);
	struct buffer first = buffer_part(&buffer, 0, HUGE_PAGE);
	struct buffer second = buffer_part(&buffer, HUGE_PAGE, HUGE_PAGE);

	(void)arg;
	fill_vram(&buffer);
	CHECK_OK(gpu_evict_at(gpu, buffer.vm, first.mem + 5 * PAGE + 3));
	CHECK_EQ(buffer_pages(&first, MOCKGPU_PAGE_DEVICE), 0);
	CHECK_ALL(&second, MOCKGPU_PAGE_DEVICE);
	CHECK_RET(gpu_evict_at(gpu, buffer.vm, first.mem), -ENOENT);
	buffer_check(&buffer);
}

/* Where a page is nobody may change by asking. */
static void asking_moves_nothing(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);
	uint64_t home;

	(void)arg;
	fill_vram(&buffer);
	home = counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM);
	for (int i = 0; i < 20; i++)
		CHECK_ALL(&buffer, MOCKGPU_PAGE_DEVICE);
	CHECK_EQ(counter(gpu, MOCKGPU_COUNTER_PAGES_TO_RAM), home);
	buffer_check(&buffer);
}

/* One page of it is used by the CPU, and all is right whatever comes home. */
static void one_cpu_fault(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, HUGE_PAGE, MEM_SMALL);
	uint64_t faults;

	(void)arg;
	fill_vram(&buffer);
	faults = counter(gpu, MOCKGPU_COUNTER_CPU_FAULTS);
	CHECK(((volatile char *)buffer.mem)[99 * PAGE] == buffer.shadow[99 * PAGE]);
	CHECK(counter(gpu, MOCKGPU_COUNTER_CPU_FAULTS) > faults);
	CHECK(buffer_pages(&buffer, MOCKGPU_PAGE_SYSTEM) >= 1);
	buffer_check(&buffer);
}

static void read_in_place(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	fill_vram(&buffer);
	buffer_check_cpu(&buffer);
	buffer_cpu_write(&buffer);
	CHECK_ALL(&buffer, MOCKGPU_PAGE_DEVICE);
	buffer_check(&buffer);
}

/* A timeslice delays the CPU, for a bounded time. */
static void timeslice(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, 16 * PAGE, MEM_SMALL);
	struct drm_mockgpu_populate populate = { .timeslice_ms = *(const unsigned int *)arg };
	double begin;

	CHECK_OK(populate_counted(&buffer, &populate));
	begin = seconds_now();
	buffer_cpu_touch(&buffer);
	check_bound("a CPU access", begin);
	buffer_check(&buffer);
}

/* Kept alive by the process after the VM that moved it is gone. */
static void outlives_its_vm(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	fill_vram(&buffer);
	CHECK_OK(gpu_vm_destroy(gpu, buffer.vm));
	buffer.vm = vm_new(gpu);
	CHECK_ALL(&buffer, MOCKGPU_PAGE_DEVICE);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void outlives_its_file(struct gpu *gpu, const void *arg)
{
	struct gpu other;
	struct buffer buffer;

	(void)arg;
	CHECK_OK(gpu_open(&other, gpu->index));
	buffer = buffer_filled(&other, SIZE, MEM_SMALL);
	fill_vram(&buffer);
	gpu_close(&other);
	buffer_check_cpu(&buffer);
	buffer.gpu = gpu;
	buffer.vm = vm_new(gpu);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

static void no_vram(struct gpu *gpu, const void *arg)
{
	struct buffer buffer = buffer_filled(gpu, SIZE, MEM_SMALL);

	(void)arg;
	if (gpu_has_vram(gpu))
		test_skip("the device has VRAM");
	CHECK_RET(buffer_try_populate(&buffer), -EOPNOTSUPP);
	buffer_dev_xor(&buffer, 0, SIZE, new_value());
	buffer_check(&buffer);
}

/*
 * A batch that touches blocks far apart, each of them somewhere else.
 */
static void scattered_blocks(struct gpu *gpu, const void *arg)
{
	struct buffer blocks[4];

	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		blocks[i] = buffer_new(gpu, 16 * PAGE, i % 2 ? MEM_HUGE : MEM_SMALL);
		if (i < 3)
			buffer_cpu_write(&blocks[i]);
		if (i > 1 && gpu_has_vram(gpu))
			buffer_populate(&blocks[i]);
	}
	for (int round = 0; round < 8; round++)
		for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
			buffer_dev_write(&blocks[i], round * PAGE + 100, PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		buffer_check(&blocks[i]);
}

static const size_t small_size = 16 * PAGE, large_size = HUGE_PAGE;
static const unsigned int short_slice = 20, long_slice = 1000000;

static void ping_pong_small(struct gpu *gpu, const void *arg)
{
	(void)arg;
	ping_pong(gpu, &small_size);
}

static void ping_pong_large(struct gpu *gpu, const void *arg)
{
	(void)arg;
	ping_pong(gpu, &large_size);
}

static void timeslice_short(struct gpu *gpu, const void *arg)
{
	(void)arg;
	timeslice(gpu, &short_slice);
}

static void timeslice_long(struct gpu *gpu, const void *arg)
{
	(void)arg;
	timeslice(gpu, &long_slice);
}

static const struct single others[] = {
	{ "once-is-enough", "What is there is not copied again", once_is_enough, NEED_VRAM },
	{ "only-the-rest", "Of what is partly there the rest moves", only_the_rest, NEED_VRAM },
	{ "never-touched", "Pages that were nowhere are cleared in VRAM", never_touched,
	  NEED_VRAM },
	{ "cleared-for-the-next", "No data of the last owner is left in VRAM",
	  cleared_for_the_next, NEED_VRAM },
	{ "many-mappings", "A range of many mappings moves as one", many_mappings, NEED_VRAM },
	{ "with-a-pinned-page", "A page that is held stays alone", with_a_pinned_page,
	  NEED_VRAM },
	{ "all-pages-pinned", "Pages that are held stay", all_pages_pinned, NEED_VRAM },
	{ "ping-pong", "64 KiB go there and back", ping_pong_small, NEED_VRAM },
	{ "ping-pong-large", "2 MiB go there and back", ping_pong_large, NEED_VRAM },
	{ "flip-halves", "Halves change places", flip_halves, NEED_VRAM },
	{ "evict-by-address", "What an address is part of comes home", evict_by_address,
	  NEED_VRAM },
	{ "asking-moves-nothing", "To ask where pages are moves none", asking_moves_nothing,
	  NEED_VRAM },
	{ "one-cpu-fault", "The CPU reads one page in VRAM", one_cpu_fault, NEED_PRIVATE },
	{ "read-in-place", "The CPU reads and writes VRAM in place", read_in_place,
	  NEED_COHERENT },
	{ "timeslice", "The CPU waits for a short timeslice", timeslice_short, NEED_VRAM },
	{ "timeslice-bounded", "The CPU does not wait for a very long one", timeslice_long,
	  NEED_VRAM },
	{ "outlives-its-vm", "Memory stays in VRAM when the VM goes", outlives_its_vm,
	  NEED_VRAM },
	{ "outlives-its-file", "Memory in VRAM is not lost with the file", outlives_its_file,
	  NEED_VRAM },
	{ "no-vram", "A device without VRAM refuses to move memory", no_vram, 0 },
	{ "scattered-blocks", "Blocks in different places are used in turn", scattered_blocks,
	  0 },
};

static void subtests(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
		subtest_of("A part of 4 MiB moves, exactly", span_cells, &spans[i], "span-%s",
			   spans[i].name);
	singles(others, ARRAY_SIZE(others));
}

SUITE("Memory is where it was asked to be", subtests)
