/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* Memory that is swapped out. */
#ifndef _TESTS_SWAP_H_
#define _TESTS_SWAP_H_

#include <stdbool.h>
#include <stddef.h>

/* How much there is to swap to. */
size_t swap_free_kib(void);

/*
 * Skips the test if there is nothing to swap to, which nothing else may: to be called
 * before anything is done with memory that is to be swapped out later.
 */
void need_swap(void);

/* How many pages the kernel has swapped out since it was booted. */
unsigned long pages_swapped_out(void);

/* Also of a file, whoever has brought it there. */
size_t pages_in_memory(char *mem, size_t size);

/* Both need root. */
bool page_is_swapped(const char *page);
size_t swapped_pages(const char *mem, size_t size);

/*
 * At least half of it is swapped out, or the test fails: somebody holds the pages. Where
 * SWAP_KIND in the environment is zram they have left memory, too.
 */
void swap_out(char *mem, size_t size);

#endif
