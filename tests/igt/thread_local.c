// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The kind of memory "thread-local". To begin a thread is to clear all of it, so it is
 * only in those programs that try all kinds.
 */
#include "kinds.h"

void *map_thread_local(size_t size, int *fd)
{
	static _Thread_local char mem[KIND_STATIC_SIZE] __attribute__((aligned(8)));

	(void)fd;
	CHECK(size <= sizeof(mem));
	return mem;
}
