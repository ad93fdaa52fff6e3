// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The kernel's own HMM test module moves the same pages: there is nothing of a driver
 * in it, and no DMA mapping. Its command that moves pages to the device reads them
 * back at the end, twice; reading alone is measured as the driver's own part.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"

#define DEVICE	"/dev/hmm_dmirror0"

/* What its commands are given. */
struct hmm_command {
	uint64_t addr;
	uint64_t ptr;
	uint64_t npages;
	uint64_t cpages;
	uint64_t faults;
};

#define HMM_READ		_IOWR('H', 0x00, struct hmm_command)
#define HMM_TO_DEVICE		_IOWR('H', 0x02, struct hmm_command)
#define HMM_TO_SYSTEM		_IOWR('H', 0x03, struct hmm_command)

/* Where it reads to. */
static char *buffer;

static int command(struct bench *bench, unsigned long request)
{
	struct hmm_command args = {
		.addr = (uintptr_t)bench->mem,
		.ptr = (uintptr_t)buffer,
		.npages = pages_of(bench),
	};

	if (ioctl(bench->hmm, request, &args))
		return -errno;
	if (args.cpages != args.npages)
		return -EBUSY;
	if (request != HMM_READ)
		bench->hmm_copied += bench->size;
	return 0;
}

static int prepare_system(struct bench *bench)
{
	int err = map_anew(bench);

	if (!err)
		touch_all(bench);
	return err;
}

static int run_to_device(struct bench *bench)
{
	bench->calls = pieces_of(bench);
	return command(bench, HMM_TO_DEVICE);
}

static int prepare_device(struct bench *bench)
{
	int err = prepare_system(bench);

	return err ? err : command(bench, HMM_TO_DEVICE);
}

static int run_read(struct bench *bench)
{
	return command(bench, HMM_READ);
}

static int run_to_system(struct bench *bench)
{
	bench->calls = pieces_of(bench);
	return command(bench, HMM_TO_SYSTEM);
}

/* It brings home what the CPU has as one: a page, or a huge page. */
static int run_cpu_fault(struct bench *bench)
{
	bench->calls = bench->thp == MEM_HUGE ? pieces_of(bench) : pages_of(bench);
	for (size_t i = 0; i < bench->calls; i++)
		((volatile char *)bench->mem)[i * (bench->size / bench->calls)]++;
	bench->hmm_copied += bench->size;
	return 0;
}

static int open_device(struct bench *bench)
{
	bench->vram_size = 2 * HUGE_PAGE;
	buffer = aligned_alloc(PAGE, HUGE_PAGE);
	if (!buffer || access(DEVICE, R_OK | W_OK))
		return -errno;
	memset(buffer, 1, HUGE_PAGE);
	return 0;
}

static void close_device(struct bench *bench)
{
	(void)bench;
	free(buffer);
}

static int begin(struct bench *bench)
{
	bench->hmm = open(DEVICE, O_RDWR);
	return bench->hmm < 0 ? -errno : 0;
}

static void end(struct bench *bench)
{
	close(bench->hmm);
}

static uint64_t copied(const struct bench *bench)
{
	return bench->hmm_copied;
}

static const struct row rows[] = {
	{ .name = "to-device", .prepare = prepare_system, .run = run_to_device,
	  .entry = run_read, .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "cpu-fault", .prepare = prepare_device, .run = run_cpu_fault,
	  .largest = HUGE_PAGE, .needs_vram = true },
	{ .name = "evict", .prepare = prepare_device, .run = run_to_system,
	  .largest = HUGE_PAGE, .needs_vram = true },
};

const struct target hmm_target = {
	.name = "hmm",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.open = open_device,
	.close = close_device,
	.begin = begin,
	.end = end,
	.copied = copied,
	.copy_time = copy_time_of_pages,
};
