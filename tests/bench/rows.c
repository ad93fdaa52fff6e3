// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What is measured. Each row has its memory in one place: prepare() maps it anew, so
 * that nothing of the round before is left, and fills it as the row wants it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench.h"

/* How many of many ranges fault. */
#define FAULTS		256
/* Every other piece of so many bytes is in VRAM already, where only a part is. */
#define RESIDENT_PIECE	(64 * KIB)

/* The device takes away what was unmapped before it maps anything new. */
static int settle(struct bench *bench)
{
	static uint64_t side;
	uint64_t word;

	return gpu_read(&bench->gpu, bench->vm, &side, sizeof(side), &word);
}

static int prepare_system(struct bench *bench)
{
	int err = map_anew(bench);

	if (err)
		return err;
	touch_all(bench);
	return settle(bench);
}

static int populate_part(struct bench *bench, size_t offset, size_t size, uint64_t flags)
{
	struct drm_mockgpu_populate args = {
		.vm_id = bench->vm,
		.addr = (uintptr_t)bench->mem + offset,
		.size = size,
		.flags = flags,
	};

	return gpu_ioctl(&bench->gpu, DRM_IOCTL_MOCKGPU_POPULATE, &args);
}

static int populate(struct bench *bench, uint64_t flags)
{
	return populate_part(bench, 0, bench->size, flags);
}

static int populate_part_patiently(struct bench *bench, size_t offset, size_t size)
{
	int err, tries = 20;

	do {
		err = populate_part(bench, offset, size, 0);
	} while (err == -EBUSY && --tries);
	return err;
}

static int populate_patiently(struct bench *bench)
{
	return populate_part_patiently(bench, 0, bench->size);
}

static int prepare_device(struct bench *bench)
{
	int err = prepare_system(bench);

	return err ? err : populate_patiently(bench);
}

static int run_populate(struct bench *bench)
{
	bench->calls = pieces_of(bench);
	return populate(bench, 0);
}

/* Holes, and pages that are there. */
static int prepare_half(struct bench *bench)
{
	int err = map_anew(bench);

	for (size_t i = 0; !err && i < pages_of(bench); i += 2)
		bench->mem[i * PAGE] = 1;
	return err ? err : settle(bench);
}

static int prepare_holes(struct bench *bench)
{
	int err = map_anew(bench);

	return err ? err : settle(bench);
}

static void close_pipe(struct bench *bench)
{
	if (bench->pipe[0] > 0) {
		close(bench->pipe[0]);
		close(bench->pipe[1]);
	}
	bench->pipe[0] = bench->pipe[1] = 0;
}

/* Some is there already. */
static int prepare_half_resident(struct bench *bench)
{
	int err = prepare_system(bench);

	for (size_t at = 0; !err && at < bench->size; at += 2 * RESIDENT_PIECE)
		err = populate_part_patiently(bench, at, RESIDENT_PIECE);
	return err;
}

/* All is there, page by page, so that one alone can come home. */
static int prepare_pages_apart(struct bench *bench)
{
	int err = prepare_system(bench);

	for (size_t at = 0; !err && at < bench->size; at += PAGE)
		err = populate_part_patiently(bench, at, PAGE);
	return err;
}

/* A page in a pipe cannot move. */
static int prepare_stuck(struct bench *bench)
{
	struct iovec page = {
		.iov_base = bench->mem + pages_of(bench) / 2 * PAGE,
		.iov_len = PAGE,
	};
	int err;

	close_pipe(bench);
	err = prepare_system(bench);
	if (err)
		return err;
	if (pipe(bench->pipe) || vmsplice(bench->pipe[1], &page, 1, 0) != (ssize_t)PAGE)
		return -errno;
	return 0;
}

/* Who cannot leave the page behind gets the whole range or nothing. */
static int run_populate_partial(struct bench *bench)
{
	int err;

	bench->calls = pieces_of(bench);
	err = populate(bench, MOCKGPU_POPULATE_PARTIAL);
	return err == -EOPNOTSUPP ? populate(bench, 0) : err;
}

/* The driver looks whether it is there already, and it is. */
static int entry_populate(struct bench *bench)
{
	return populate(bench, 0);
}

static int run_cpu_fault(struct bench *bench)
{
	bench->calls = pieces_of(bench);
	for (size_t i = 0; i < bench->calls; i++)
		((volatile char *)bench->mem)[i * HUGE_PAGE]++;
	return 0;
}

static int run_cpu_fault_once(struct bench *bench)
{
	bench->calls = 1;
	((volatile char *)bench->mem)[bench->size / 2]++;
	return 0;
}

static int run_evict(struct bench *bench)
{
	bench->calls = pieces_of(bench);
	return bench->calls > 1 ? gpu_evict_vm(&bench->gpu, bench->vm) :
				  gpu_evict_at(&bench->gpu, bench->vm, bench->mem);
}

/* One word of each piece. */
static int run_read(struct bench *bench)
{
	uint64_t word;
	int err = 0;

	bench->calls = pieces_of(bench);
	for (size_t i = 0; !err && i < bench->calls; i++)
		err = gpu_read(&bench->gpu, bench->vm, bench->mem + i * HUGE_PAGE, sizeof(word),
			       &word);
	return err;
}

static int run_write(struct bench *bench)
{
	uint64_t word = 1;
	int err = 0;

	bench->calls = pieces_of(bench);
	for (size_t i = 0; !err && i < bench->calls; i++)
		err = gpu_write(&bench->gpu, bench->vm, bench->mem + i * HUGE_PAGE, sizeof(word),
				&word);
	return err;
}

static int protect(struct bench *bench, int protection)
{
	return mprotect(bench->mem, bench->size, protection) ? -errno : 0;
}

/* The range is there, and the pages; the mapping is gone. */
static int forget_mapping(struct bench *bench)
{
	int err = run_read(bench);

	if (!err)
		err = protect(bench, PROT_READ);
	return err ? err : protect(bench, PROT_READ | PROT_WRITE);
}

static int prepare_range_system(struct bench *bench)
{
	int err = prepare_system(bench);

	return err ? err : forget_mapping(bench);
}

static int prepare_range_device(struct bench *bench)
{
	int err = prepare_device(bench);

	return err ? err : forget_mapping(bench);
}

static int prepare_range_mixed(struct bench *bench)
{
	int err = prepare_half_resident(bench);

	return err ? err : forget_mapping(bench);
}

static int prepare_mapped(struct bench *bench)
{
	int err = prepare_system(bench);

	return err ? err : run_read(bench);
}

static int run_protect(struct bench *bench)
{
	bench->calls = 1;
	return protect(bench, PROT_READ);
}

static int entry_protect(struct bench *bench)
{
	return protect(bench, PROT_READ | PROT_WRITE);
}

static int run_unmap(struct bench *bench)
{
	bench->calls = 1;
	return munmap(bench->mem, bench->size) ? -errno : 0;
}

/* The device has the first half. */
static int prepare_neighbour(struct bench *bench)
{
	size_t size = bench->size;
	int err = prepare_system(bench);

	if (err)
		return err;
	bench->size = size / 2;
	err = run_read(bench);
	bench->size = size;
	return err;
}

static int run_unmap_second_half(struct bench *bench)
{
	bench->calls = 1;
	return munmap(bench->mem + bench->size / 2, bench->size / 2) ? -errno : 0;
}

/* Each page a mapping of its own, and so a range of its own. */
static int map_apart(struct bench *bench)
{
	int err = map_anew(bench);

	for (size_t i = 0; !err && i < pages_of(bench); i += 2)
		if (mprotect(bench->mem + i * PAGE, PAGE, PROT_READ))
			err = -errno;
	return err;
}

static int read_pages(struct bench *bench, size_t count, bool shuffled)
{
	uint64_t word;
	int err = 0;

	for (size_t i = 0; !err && i < count; i++)
		err = gpu_read(&bench->gpu, bench->vm,
			       bench->mem + (shuffled ? bench->order[i] : i) * PAGE,
			       sizeof(word), &word);
	return err;
}

static int prepare_apart(struct bench *bench)
{
	int err = map_apart(bench);
	volatile char sink;

	for (size_t i = 0; !err && i < pages_of(bench); i++)
		sink = ((volatile char *)bench->mem)[i * PAGE];
	(void)sink;
	return err ? err : settle(bench);
}

static int run_insert(struct bench *bench)
{
	bench->calls = pages_of(bench);
	return read_pages(bench, bench->calls, false);
}

static void shuffle(size_t *order, size_t count)
{
	uint64_t state = 1;

	for (size_t i = 0; i < count; i++)
		order[i] = i;
	for (size_t i = count - 1; i > 0; i--) {
		size_t k = random_next(&state) % (i + 1), swap = order[i];

		order[i] = order[k];
		order[k] = swap;
	}
}

/* Some of the ranges lose their page and have to fault. */
static int lose_some(struct bench *bench, bool shuffled)
{
	size_t count = pages_of(bench) < FAULTS ? pages_of(bench) : FAULTS;
	volatile char sink;

	for (size_t i = 0; i < count; i++) {
		char *page = bench->mem + (shuffled ? bench->order[i] : i) * PAGE;

		if (madvise(page, PAGE, MADV_DONTNEED))
			return -errno;
		sink = *(volatile char *)page;
	}
	(void)sink;
	bench->calls = count;
	return 0;
}

/* The ranges stay from one round to the next. */
static int prepare_among(struct bench *bench, bool shuffled)
{
	int err = 0;

	if (!bench->order) {
		bench->order = calloc(pages_of(bench), sizeof(*bench->order));
		if (!bench->order)
			return -ENOMEM;
		shuffle(bench->order, pages_of(bench));
		err = prepare_apart(bench);
		if (!err)
			err = read_pages(bench, pages_of(bench), false);
	}
	return err ? err : lose_some(bench, shuffled);
}

static int prepare_among_shuffled(struct bench *bench)
{
	return prepare_among(bench, true);
}

static int prepare_among_sequential(struct bench *bench)
{
	return prepare_among(bench, false);
}

static int run_some_shuffled(struct bench *bench)
{
	return read_pages(bench, bench->calls, true);
}

static int run_some_sequential(struct bench *bench)
{
	return read_pages(bench, bench->calls, false);
}

static void forget_order(struct bench *bench)
{
	free(bench->order);
	bench->order = NULL;
}

static const struct row rows[] = {
	{ .name = "to-device", .prepare = prepare_system, .run = run_populate,
	  .entry = entry_populate, .needs_vram = true },
	{ .name = "to-device-half-holes", .prepare = prepare_half, .run = run_populate,
	  .entry = entry_populate, .smallest = HUGE_PAGE, .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "to-device-all-holes", .prepare = prepare_holes, .run = run_populate,
	  .entry = entry_populate, .smallest = HUGE_PAGE, .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "to-device-one-stuck", .prepare = prepare_stuck, .run = run_populate_partial,
	  .finish = close_pipe, .smallest = HUGE_PAGE, .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "to-device-half-there", .prepare = prepare_half_resident,
	  .run = run_populate_partial, .entry = entry_populate, .smallest = HUGE_PAGE,
	  .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "cpu-fault", .prepare = prepare_device, .run = run_cpu_fault,
	  .needs_vram = true },
	{ .name = "cpu-fault-one-page", .prepare = prepare_pages_apart,
	  .run = run_cpu_fault_once, .smallest = HUGE_PAGE, .largest = HUGE_PAGE,
	  .needs_vram = true },
	{ .name = "evict", .prepare = prepare_device, .run = run_evict, .needs_vram = true },
	{ .name = "get-pages-system", .prepare = prepare_range_system, .run = run_read,
	  .entry = run_read },
	{ .name = "get-pages-device", .prepare = prepare_range_device, .run = run_read,
	  .entry = run_read, .needs_vram = true },
	{ .name = "get-pages-mixed", .prepare = prepare_range_mixed, .run = run_read,
	  .entry = run_read, .smallest = HUGE_PAGE, .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "gpu-fault", .prepare = prepare_system, .run = run_read, .entry = run_read },
	{ .name = "gpu-fault-untouched", .prepare = prepare_holes, .run = run_write,
	  .entry = run_write },
	{ .name = "invalidate", .prepare = prepare_mapped, .run = run_protect,
	  .entry = entry_protect },
	{ .name = "unmap-over", .prepare = prepare_mapped, .run = run_unmap },
	{ .name = "unmap-beside", .prepare = prepare_neighbour, .run = run_unmap_second_half,
	  .smallest = 16 * PAGE },
	{ .name = "range-insert", .prepare = prepare_apart, .run = run_insert,
	  .in_ranges = true },
	{ .name = "fault-among", .prepare = prepare_among_sequential,
	  .run = run_some_sequential, .finish = forget_order, .in_ranges = true },
	{ .name = "fault-among-random", .prepare = prepare_among_shuffled,
	  .run = run_some_shuffled, .finish = forget_order, .in_ranges = true },
	{ .name = "threads-gpu-fault", .prepare = prepare_team_gpu, .run = run_team,
	  .finish = finish_team, .in_threads = true },
	{ .name = "threads-gpu-fault-apart", .prepare = prepare_team_gpu_apart,
	  .run = run_team, .finish = finish_team, .in_threads = true },
	{ .name = "threads-cpu-fault", .prepare = prepare_team_cpu, .run = run_team,
	  .finish = finish_team, .in_threads = true, .needs_vram = true },
};

static int open_device(struct bench *bench)
{
	int err = gpu_open(&bench->gpu, 0);

	if (!err && gpu_has_vram(&bench->gpu))
		bench->vram_size = bench->gpu.vram_size;
	return err;
}

static void close_device(struct bench *bench)
{
	gpu_close(&bench->gpu);
}

static int begin(struct bench *bench)
{
	return gpu_vm_create(&bench->gpu, &bench->vm);
}

static void end(struct bench *bench)
{
	gpu_vm_destroy(&bench->gpu, bench->vm);
}

static uint64_t copied(const struct bench *bench)
{
	uint64_t values[MOCKGPU_COUNTER_COUNT] = {};

	gpu_counters(&bench->gpu, values);
	return values[MOCKGPU_COUNTER_BYTES_COPIED_IN] + values[MOCKGPU_COUNTER_BYTES_COPIED_OUT];
}

const struct target mock_target = {
	.name = "mockgpu",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.open = open_device,
	.close = close_device,
	.begin = begin,
	.end = end,
	.copied = copied,
	.copy_time = copy_time,
};
