/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* The kinds of memory that a process can have. */
#ifndef _TESTS_IGT_KINDS_H_
#define _TESTS_IGT_KINDS_H_

#include "buffer.h"

/* What has its size when the program is built must be as large as any test wants. */
#define KIND_STATIC_SIZE	(9 * MIB)

enum kind_flags {
	/* It can be put into VRAM. */
	KIND_MOVES = 1 << 0,
	/* The CPU has not written to it when the device comes. */
	KIND_UNTOUCHED = 1 << 1,
	/* What is written to it is seen through its file descriptor. */
	KIND_FILE = 1 << 2,
};

struct kind {
	const char *name;
	const char *describe;
	unsigned int flags;
	/* Of harness.h. */
	unsigned int needs;
	/* Memory full of zeros; fd is where it is seen through a file, if it is. */
	void *(*map)(size_t size, int *fd);
};

extern const struct kind kinds[];
extern const unsigned int kind_count;

/* NULL when there is none of that name. */
const struct kind *kind_find(const char *name);

/* fd may be NULL. */
struct buffer kind_buffer(const struct kind *kind, const struct gpu *gpu, size_t size, int *fd);

int file_temporary(size_t size);

void *map_thread_local(size_t size, int *fd);

#endif
