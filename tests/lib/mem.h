/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory of the process: mappings in a known place, and data that can be recognised. */
#ifndef _TESTS_MEM_H_
#define _TESTS_MEM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KIB		((size_t)1 << 10)
#define MIB		((size_t)1 << 20)
#define PAGE		((size_t)4096)
#define HUGE_PAGE	(2 * MIB)

enum mem_thp {
	MEM_SMALL,	/* no huge pages */
	MEM_HUGE,	/* huge pages wherever they fit */
};

/*
 * Anonymous memory that starts offset bytes behind a multiple of 2 MiB, with
 * inaccessible address space around it. NULL when there is none.
 */
void *mem_map(size_t size, size_t offset, enum mem_thp thp);

/* The word at an index of the pattern of a seed; neighbours differ. */
uint64_t pattern_word(uint64_t seed, size_t index);
void pattern_fill(void *mem, size_t size, uint64_t seed);

struct mismatch {
	size_t offset;
	uint64_t got;
	uint64_t want;
};

/* Is every word of the memory that of the pattern, exclusive-or flip? */
bool pattern_matches(const void *mem, size_t size, uint64_t seed, uint64_t flip,
		     struct mismatch *bad);
bool words_match(const void *mem, const void *shadow, size_t size, struct mismatch *bad);
bool words_are(const void *mem, size_t size, uint64_t value, struct mismatch *bad);

uint64_t mem_checksum(const void *mem, size_t size);

/* A small generator of pseudo-random numbers, the same in every run. */
uint64_t random_next(uint64_t *state);

double seconds_now(void);
void sleep_ms(unsigned int ms);

#endif
