// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* See fuzz-cover.h, and dev-tools/kcov.rst in the kernel's documentation. */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/kcov.h>

#include "fuzz-cover.h"
#include "mem.h"

/* What one command runs through, in words of KCOV; the rest of longer ways is lost. */
#define WAY		(1U << 16)
/* Twice as much as there are places, or more of them are not counted. */
#define PLACES		(1U << 18)
#define SAMPLES		1024

/* How many, then where. */
static _Thread_local uint64_t *way;
static _Atomic uint64_t seen[PLACES];
static atomic_uint places;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sample corpus[SAMPLES];
static unsigned int samples;

bool cover_start(void)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	void *area = MAP_FAILED;

	if (fd < 0)
		return false;
	if (!ioctl(fd, KCOV_INIT_TRACE, WAY))
		area = mmap(NULL, WAY * sizeof(*way), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (area == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		close(fd);
		return false;
	}
	/* The file stays open: with it the thread's way would end. */
	way = area;
	return true;
}

void cover_forget(void)
{
	way = NULL;
}

void cover_begin(void)
{
	if (way)
		__atomic_store_n(way, 0, __ATOMIC_RELAXED);
}

/* Nobody was there before? */
static bool add_place(uint64_t place)
{
	uint64_t at = (place * 0x9e3779b97f4a7c15ULL) >> 46;

	if (atomic_load(&places) >= PLACES / 2)
		return false;
	for (;; at = (at + 1) % PLACES) {
		uint64_t there = 0;

		if (atomic_compare_exchange_strong(&seen[at], &there, place)) {
			atomic_fetch_add(&places, 1);
			return true;
		}
		if (there == place)
			return false;
	}
}

bool cover_end(void)
{
	uint64_t steps = way ? __atomic_load_n(way, __ATOMIC_RELAXED) : 0;
	bool found = false;

	for (uint64_t i = 1; i <= steps; i++)
		found |= add_place(way[i]);
	return found;
}

unsigned int cover_places(void)
{
	return atomic_load(&places);
}

/* When there are many the new one takes the place of the oldest. */
void corpus_add(const struct sample *sample)
{
	pthread_mutex_lock(&lock);
	corpus[samples++ % SAMPLES] = *sample;
	pthread_mutex_unlock(&lock);
}

unsigned int corpus_size(void)
{
	return samples < SAMPLES ? samples : SAMPLES;
}

bool corpus_pick(struct sample *sample, uint64_t *random)
{
	bool any;

	/* In a new process nobody may be left who gives back the lock. */
	if (!way)
		return false;
	pthread_mutex_lock(&lock);
	any = samples;
	if (any)
		*sample = corpus[random_next(random) % corpus_size()];
	pthread_mutex_unlock(&lock);
	return any;
}
