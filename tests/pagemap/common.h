/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What the tests of device memory have in common. */
#ifndef _TESTS_PAGEMAP_COMMON_H_
#define _TESTS_PAGEMAP_COMMON_H_

#include <pthread.h>

#include "check.h"
#include "knob.h"

/* What has a bound takes no longer than this, if the machine is not a slow one. */
#define BOUND_SECONDS	20
#define MOST_THREADS	128

/* How long a test goes on that goes by time: a quarter of TEST_SECONDS. */
double brief_seconds(void);

/* Fails the test if what began then has taken longer than a bound allows. */
void check_bound(const char *what, double begin);

/* Threads that do the same thing. */
struct crew {
	pthread_t threads[MOST_THREADS];
	unsigned int count;
};

void crew_start(struct crew *crew, unsigned int count, void *(*work)(void *arg), void *arg);
void crew_join(struct crew *crew);

/* Pages that somebody holds, because they lie in a pipe: at most 256. */
struct pins {
	int fds[2];
};

struct pins pins_new(void);
void pins_add(const struct pins *pins, const char *page);
void pins_drop(const struct pins *pins);

/* Some counters get there only when workers have done their work. */
void wait_for_counter(const struct gpu *gpu, unsigned int which, uint64_t value);

/* Until pages are mapped for the copy engine, which is slow or held. */
void wait_for_copy(const struct gpu *gpu);

/* Files of the device in debugfs. */
void device_file(const struct gpu *gpu, const char *name, char *path, size_t size);

/* Where each page of an area is, an enum drm_mockgpu_residency_kind; to be freed. */
uint8_t *area_map(const struct area *area);
/* Exactly the pages for which stays() is true are in system memory, the rest in VRAM. */
void check_all_but(const struct area *area, bool (*stays)(size_t page));

/* How much of the mapping is huge pages that are mapped as such. */
size_t huge_kib(const char *mem);
/* How many huge pages the kernel has split into small ones since it was booted. */
unsigned long huge_pages_split(void);
/*
 * Can a huge page move that is mapped page by page? Core mm cuts it up from 6.19 on,
 * before that it stays where it is.
 */
bool torn_pages_move(void);

/* A control group with a limit on memory. Needs root and the unified hierarchy. */
struct group {
	char path[64];
};

/* Skips the test where there is no such thing. */
struct group group_new(void);
void group_enter(const struct group *group);
void group_set(const struct group *group, const char *file, uint64_t value);
uint64_t group_get(const struct group *group, const char *file);
void group_remove(const struct group *group);

/* Is this process a thing that ends by itself within the bound? */
void join_in_time(pid_t pid, const char *what);

#endif
