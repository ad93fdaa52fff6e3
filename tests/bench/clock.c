// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The clock. In a machine started with scripts/vm --icount a nanosecond is an
 * instruction of the guest, kernel and program alike, and reading it takes the same
 * number of them every time.
 */
#include <time.h>

#include "bench.h"

uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}
