/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What most tests do with the device; a step that goes wrong ends the test. */
#ifndef _TESTS_CHECK_H_
#define _TESTS_CHECK_H_

#include <errno.h>

#include "harness.h"

/* A virtual range of the process in a VM of the device. */
struct area {
	const struct gpu *gpu;
	uint32_t vm;
	char *mem;
	size_t size;
	/* Its words are the pattern of seed, exclusive-or flip. */
	uint64_t seed;
	uint64_t flip;
};

uint32_t vm_new(const struct gpu *gpu);

/* New memory with a VM of its own, not touched yet. */
struct area area_new(const struct gpu *gpu, size_t size, size_t offset, enum mem_thp thp);
struct area area_part(const struct area *area, size_t start, size_t size);
/* Writes the pattern of a new seed. */
void area_fill(struct area *area);
struct area area_filled(const struct gpu *gpu, size_t size, size_t offset, enum mem_thp thp);

/*
 * All of it goes into VRAM, at the first or a later try. area_move() does not look
 * where it is afterwards. Both return how many tries it took.
 */
unsigned int area_move(const struct area *area, unsigned int timeslice_ms);
unsigned int area_populate(const struct area *area);
void area_evict(const struct area *area);
/* The device changes every word, or writes the pattern of a seed. */
void area_device_flip(struct area *area, uint64_t flip);
void area_device_fill(struct area *area, uint64_t seed);

/* Both return 0 or a negative errno: an attribute of all of it, where it is to be. */
int area_set_attr(const struct area *area, unsigned int attr, uint64_t value);
int area_prefetch(const struct area *area, unsigned int location);

/* Every word is right: as the device sees it, as the CPU does. */
void area_check_device(const struct area *area);
void area_check_cpu(const struct area *area);

/* How many pages are of that kind, an enum drm_mockgpu_residency_kind. */
size_t area_pages(const struct area *area, unsigned int kind);

#define CHECK_PLACE(area, kind)	CHECK_EQ(area_pages(area, kind), (area)->size / PAGE)

uint64_t counter(const struct gpu *gpu, unsigned int which);

/* All VRAM that the device has, in bytes, at most limit. */
size_t vram_bytes(const struct gpu *gpu, size_t limit);

/* A counter of drm_gpusvm_backport, in debugfs. Needs root. */
unsigned long svm_stat(const char *name);

#endif
