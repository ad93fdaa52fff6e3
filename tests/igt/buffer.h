/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Memory that device and CPU work on, with a shadow that says what must be in it.
 * A step that goes wrong ends the test.
 */
#ifndef _TESTS_IGT_BUFFER_H_
#define _TESTS_IGT_BUFFER_H_

#include "check.h"

struct buffer {
	const struct gpu *gpu;
	uint32_t vm;
	char *mem;
	size_t size;
	/* Memory of its own that nothing but these functions touches. */
	char *shadow;
};

/* New memory in a VM of its own; all zeros. It need not begin or end with a page. */
struct buffer buffer_at(const struct gpu *gpu, void *mem, size_t size);
/* The usual memory: small pages or huge ones, aligned to 2 MiB. */
struct buffer buffer_new(const struct gpu *gpu, size_t size, enum mem_thp thp);
struct buffer buffer_filled(const struct gpu *gpu, size_t size, enum mem_thp thp);
/* The same memory as another VM or device sees it. */
struct buffer buffer_as_seen_by(const struct buffer *buffer, const struct gpu *gpu);
struct buffer buffer_part(const struct buffer *buffer, size_t at, size_t size);
/* Ends the mapping and the VM. */
void buffer_end(struct buffer *buffer);

/* The CPU writes words that were nowhere before. */
void buffer_cpu_write(const struct buffer *buffer);
/* The CPU changes one word of each page. */
void buffer_cpu_touch(const struct buffer *buffer);
/* All of it goes back to zeros, as after MADV_DONTNEED. */
void buffer_expect_zeros(const struct buffer *buffer);

/* The device writes, changes or fills; the last two want multiples of 8. */
void buffer_dev_write(const struct buffer *buffer, size_t at, size_t size);
void buffer_dev_xor(const struct buffer *buffer, size_t at, size_t size, uint64_t value);
void buffer_dev_fill(const struct buffer *buffer, size_t at, size_t size, uint64_t value);
/* An access that must be refused, and change nothing. */
void buffer_dev_denied(const struct buffer *buffer, size_t at, unsigned int op, int error);

/* Is all of it what it must be? */
void buffer_check_dev(const struct buffer *buffer);
void buffer_check_cpu(const struct buffer *buffer);
/* The device first, then the CPU, which may bring it home. */
void buffer_check(const struct buffer *buffer);

/* Its whole pages into VRAM: all that can move do so. */
int buffer_try_populate(const struct buffer *buffer);
/* Every one of them must be there then. */
void buffer_populate(const struct buffer *buffer);
void buffer_evict(const struct buffer *buffer);

size_t buffer_pages(const struct buffer *buffer, unsigned int kind);
#define CHECK_ALL(buffer, kind)							\
	CHECK_EQ(buffer_pages(buffer, kind), buffer_pages(buffer, PAGE_ANY))
#define PAGE_ANY	0xff

/* A number that was not there before, in any process. */
uint64_t new_value(void);

#endif
