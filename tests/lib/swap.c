// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "knob.h"
#include "mem.h"
#include "swap.h"

#define PAGEMAP_SWAPPED	(1ULL << 62)

/* Who holds a page but for a moment, as a daemon of the kernel does, lets go meanwhile. */
#define TRIES		100
#define PAUSE_MS	10

size_t swap_free_kib(void)
{
	return file_number("/proc/meminfo", "SwapFree:");
}

void need_swap(void)
{
	if (!swap_free_kib())
		test_skip("there is nothing to swap to");
}

unsigned long pages_swapped_out(void)
{
	return file_number("/proc/vmstat", "pswpout ");
}

size_t swapped_pages(const char *mem, size_t size)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	size_t length = size / PAGE * sizeof(uint64_t), count = 0;
	uint64_t *entries = malloc(length);

	CHECK_SYS(fd);
	CHECK(entries);
	CHECK_EQ(pread(fd, entries, length, (uintptr_t)mem / PAGE * sizeof(*entries)), length);
	for (size_t i = 0; i < size / PAGE; i++)
		count += !!(entries[i] & PAGEMAP_SWAPPED);
	free(entries);
	close(fd);
	return count;
}

bool page_is_swapped(const char *page)
{
	return swapped_pages(page, PAGE);
}

size_t pages_in_memory(char *mem, size_t size)
{
	unsigned char *map = malloc(size / PAGE);
	size_t count = 0;

	CHECK(map);
	CHECK_SYS(mincore(mem, size, map));
	for (size_t i = 0; i < size / PAGE; i++)
		count += map[i] & 1;
	free(map);
	return count;
}

/*
 * A page that somebody has a reference on is unmapped like any other, but stays where it
 * is, in the swap cache. So does a page for a while that is written to a file; in zram it
 * is at once.
 */
static size_t pages_out(char *mem, size_t size)
{
	const char *kind = getenv("SWAP_KIND");

	if (kind && !strcmp(kind, "zram"))
		return size / PAGE - pages_in_memory(mem, size);
	return swapped_pages(mem, size);
}

/* Reclaim takes what it can get; another look finds more. */
void swap_out(char *mem, size_t size)
{
	size_t pages = size / PAGE, out = pages_out(mem, size);

	for (unsigned int i = 0; i < TRIES && out < pages; i++) {
		/* All of it soon, or as much as must be after a while. */
		if (i >= 5 && out >= pages / 2)
			break;
		if (i)
			sleep_ms(PAUSE_MS);
		CHECK_SYS(madvise(mem, size, MADV_PAGEOUT));
		out = pages_out(mem, size);
	}
	printf("# %zu of %zu pages are swapped out\n", out, pages);
	if (out < pages / 2)
		FAIL("only %zu of %zu pages can be swapped out", out, pages);
}
