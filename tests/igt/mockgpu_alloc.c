// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Each kind of memory, in each way that the device may use it, in each place. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kinds.h"
#include "suite.h"

#define SLOTS		64
#define SLOT_SIZE	(4 * KIB + 64)
#define STRIDE		(64 * KIB + 8)

/* How the device works on a buffer: it changes it and has the shadow changed. */
struct shape {
	const char *name;
	const char *describe;
	size_t size;
	void (*work)(const struct buffer *buffer);
};

static void work_once(const struct buffer *buffer)
{
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

static void work_twice(const struct buffer *buffer)
{
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
	buffer_check_cpu(buffer);
	buffer_cpu_touch(buffer);
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

static void work_many(const struct buffer *buffer)
{
	for (size_t slot = 0; slot < SLOTS; slot++)
		buffer_dev_fill(buffer, slot * SLOT_SIZE, 64, new_value());
}

static void work_stride(const struct buffer *buffer)
{
	for (size_t at = 0; at + 8 <= buffer->size; at += STRIDE)
		buffer_dev_fill(buffer, at, 8, new_value());
}

static void work_large(const struct buffer *buffer)
{
	buffer_dev_fill(buffer, MIB / 2, buffer->size - MIB, new_value());
	buffer_dev_xor(buffer, 0, buffer->size, new_value());
}

/* No start and no length is a multiple of anything. */
static void work_odd(const struct buffer *buffer)
{
	buffer_dev_write(buffer, 1, 3);
	buffer_dev_write(buffer, PAGE - 5, 11);
	buffer_dev_write(buffer, 3 * PAGE + 1, 2 * PAGE - 3);
	buffer_dev_write(buffer, buffer->size - PAGE - 7, PAGE + 7);
}

static const struct shape shapes[] = {
	{ "once", "The device changes all of it", 16 * PAGE, work_once },
	{ "twice", "Device, CPU and device change it in turn", 16 * PAGE, work_twice },
	{ "many", "The device writes to it 64 times", SLOTS * SLOT_SIZE, work_many },
	{ "stride", "The device writes to words far apart", MIB, work_stride },
	{ "large", "The device changes more than one huge page", HUGE_PAGE + 5 * PAGE, work_large },
	{ "odd", "The device writes at odd addresses in odd lengths", 16 * PAGE, work_odd },
};

struct cell {
	const struct shape *shape;
	const struct kind *kind;
};

/* The CPU's view is the device's, and the file's if there is one. */
static void check_all(const struct buffer *buffer, int fd)
{
	struct buffer file = *buffer;

	buffer_check(buffer);
	if (fd < 0)
		return;
	file.mem = malloc(buffer->size);
	CHECK(file.mem);
	CHECK_EQ(pread(fd, file.mem, buffer->size, 0), (long long)buffer->size);
	buffer_check_cpu(&file);
}

static struct buffer begin(struct gpu *gpu, const struct cell *cell, int *fd)
{
	*fd = -1;
	return kind_buffer(cell->kind, gpu, cell->shape->size, fd);
}

static void in_place(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	int fd;
	struct buffer buffer = begin(gpu, cell, &fd);

	cell->shape->work(&buffer);
	check_all(&buffer, fd);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	/* Once more, now that both sides have it. */
	cell->shape->work(&buffer);
	check_all(&buffer, fd);
}

static void populated(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	int fd;
	struct buffer buffer = begin(gpu, cell, &fd);

	buffer_populate(&buffer);
	cell->shape->work(&buffer);
	check_all(&buffer, fd);
}

/* It comes home for the CPU, part by part, and goes again. */
static void ping_pong(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	int fd;
	struct buffer buffer = begin(gpu, cell, &fd);
	struct buffer half = buffer_part(&buffer, 0, buffer.size / 2 / PAGE * PAGE);

	for (int round = 0; round < 3; round++) {
		buffer_populate(&buffer);
		cell->shape->work(&buffer);
		buffer_cpu_touch(&half);
		buffer_check_dev(&buffer);
	}
	check_all(&buffer, fd);
}

static void evicted(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	int fd;
	struct buffer buffer = begin(gpu, cell, &fd);

	buffer_populate(&buffer);
	cell->shape->work(&buffer);
	buffer_evict(&buffer);
	check_all(&buffer, fd);
	cell->shape->work(&buffer);
	check_all(&buffer, fd);
}

/* What cannot move is refused and stays as it was, however much of it there is. */
static void refused(struct gpu *gpu, const void *arg)
{
	const struct cell *cell = arg;
	int fd;
	struct buffer buffer = begin(gpu, cell, &fd);

	CHECK_RET(buffer_try_populate(&buffer), -EBUSY);
	CHECK_EQ(buffer_pages(&buffer, MOCKGPU_PAGE_DEVICE), 0);
	buffer_check_cpu(&buffer);
	cell->shape->work(&buffer);
	CHECK_RET(buffer_try_populate(&buffer), -EBUSY);
	check_all(&buffer, fd);
}

static void places(const void *arg)
{
	const struct cell *cell = arg;
	unsigned int needs = cell->kind->needs;

	dynamic(needs, in_place, cell, "in-place");
	if (cell->kind->flags & KIND_MOVES) {
		dynamic(needs | NEED_VRAM, populated, cell, "populated");
		dynamic(needs | NEED_VRAM, ping_pong, cell, "ping-pong");
		dynamic(needs | NEED_VRAM, evicted, cell, "evicted");
	} else {
		dynamic(needs | NEED_VRAM, refused, cell, "refused");
	}
}

static void subtests(void)
{
	char describe[200];

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		for (size_t k = 0; k < kind_count; k++) {
			const struct cell cell = { &shapes[i], &kinds[k] };

			snprintf(describe, sizeof(describe), "%s: %s", shapes[i].describe,
				 kinds[k].describe);
			subtest_of(describe, places, &cell, "%s-%s", shapes[i].name,
				   kinds[k].name);
		}
	}
}

SUITE("Every kind of memory a process can have, as the device uses it", subtests)
