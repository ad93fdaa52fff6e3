// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The memory of a row. */
#include <errno.h>
#include <sys/mman.h>

#include "bench.h"

/* Pages are touched in steps of so many, to be no neighbours in memory. */
#define SCATTER		5

size_t pages_of(const struct bench *bench)
{
	return bench->size / PAGE;
}

/* The pieces in which the device has the memory. */
size_t pieces_of(const struct bench *bench)
{
	return (bench->size + HUGE_PAGE - 1) / HUGE_PAGE;
}

int map_anew(struct bench *bench)
{
	int advice = bench->thp == MEM_HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
	void *mem = mmap(bench->mem, bench->size, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

	if (mem == MAP_FAILED || madvise(mem, bench->size, advice))
		return -errno;
	return 0;
}

void touch_all(struct bench *bench)
{
	size_t count = pages_of(bench), step = bench->scattered && count % SCATTER ? SCATTER : 1;

	for (size_t i = 0; i < count; i++)
		bench->mem[i * step % count * PAGE] = 1 + i;
}
