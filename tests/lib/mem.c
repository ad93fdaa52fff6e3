// SPDX-License-Identifier: GPL-2.0-only OR MIT

#include <errno.h>
#include <sys/mman.h>
#include <time.h>

#include "mem.h"

/* Room for the alignment and for a gap on both sides. */
#define MARGIN	(2 * HUGE_PAGE)

/* A kernel that has no huge pages takes no advice on them. */
static bool advise_thp(void *mem, size_t size, enum mem_thp thp)
{
	int advice = thp == MEM_HUGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;

	return !madvise(mem, size, advice) || errno == EINVAL;
}

void *mem_map(size_t size, size_t offset, enum mem_thp thp)
{
	size_t whole = size + offset + 2 * MARGIN;
	char *mem = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			 -1, 0);
	uintptr_t start;

	if (mem == MAP_FAILED)
		return NULL;
	start = ((uintptr_t)mem + MARGIN) / HUGE_PAGE * HUGE_PAGE + offset;
	mem = (char *)start;
	if (!advise_thp(mem, size, thp) || mprotect(mem, size, PROT_READ | PROT_WRITE))
		return NULL;
	return mem;
}

uint64_t pattern_word(uint64_t seed, size_t index)
{
	uint64_t word = (index + 1) * 0x9e3779b97f4a7c15ULL + seed;

	return word ^ (word >> 29) ^ (seed << 40);
}

void pattern_fill(void *mem, size_t size, uint64_t seed)
{
	uint64_t *words = mem;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = pattern_word(seed, i);
}

/* Notes the first word that is wrong. */
static bool word_is(const uint64_t *words, size_t i, uint64_t want, struct mismatch *bad)
{
	/* One load: what is compared is what is reported. */
	uint64_t got = ((const volatile uint64_t *)words)[i];

	if (got == want)
		return true;
	*bad = (struct mismatch){ .offset = i * sizeof(*words), .got = got, .want = want };
	return false;
}

bool pattern_matches(const void *mem, size_t size, uint64_t seed, uint64_t flip,
		     struct mismatch *bad)
{
	for (size_t i = 0; i < size / sizeof(uint64_t); i++)
		if (!word_is(mem, i, pattern_word(seed, i) ^ flip, bad))
			return false;
	return true;
}

bool words_match(const void *mem, const void *shadow, size_t size, struct mismatch *bad)
{
	const uint64_t *want = shadow;

	for (size_t i = 0; i < size / sizeof(*want); i++)
		if (!word_is(mem, i, want[i], bad))
			return false;
	return true;
}

bool words_are(const void *mem, size_t size, uint64_t value, struct mismatch *bad)
{
	for (size_t i = 0; i < size / sizeof(value); i++)
		if (!word_is(mem, i, value, bad))
			return false;
	return true;
}

uint64_t mem_checksum(const void *mem, size_t size)
{
	const uint64_t *words = mem;
	uint64_t sum = size;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum = (sum << 7 | sum >> 57) ^ (words[i] + i);
	return sum;
}

uint64_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state >> 33;
}

double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

void sleep_ms(unsigned int ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

	nanosleep(&time, NULL);
}
