// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Prints how many times slower the kernel of this machine is than a usual one: a
 * whole number from 1 on, for TEST_SLOW. A usual one is Debian's, emulated without
 * help of the processor; one that checks itself takes many times as long.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem.h"

#define ROUNDS		7
#define PAGES		2048
/* What it takes to get and give back so many pages, at most, on a usual machine. */
#define USUAL_SECONDS	0.040
#define MOST_TIMES	20

static double touch_pages(void)
{
	double begin = seconds_now();
	char *mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);

	if (mem == MAP_FAILED)
		exit(1);
	madvise(mem, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (size_t page = 0; page < PAGES; page++)
		mem[page * PAGE] = 1;
	munmap(mem, PAGES * PAGE);
	return seconds_now() - begin;
}

/* The best of some rounds: something else may have run during the others. */
int main(void)
{
	double best = touch_pages();
	int times;

	for (int i = 1; i < ROUNDS; i++) {
		double seconds = touch_pages();

		best = seconds < best ? seconds : best;
	}
	times = best / USUAL_SECONDS + 0.5;
	fprintf(stderr, "# %d pages in %.1f ms\n", PAGES, best * 1000);
	printf("%d\n", times < 1 ? 1 : times > MOST_TIMES ? MOST_TIMES : times);
	return 0;
}
