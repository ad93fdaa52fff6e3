// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What copying alone takes: done here the way the kernel's memcpy() does it on this
 * processor, which is what the mock device copies with. When instructions are
 * counted, each repetition of a string instruction is one: rep movsb is one for
 * every byte.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ROUNDS	5

/* Whether /proc/cpuinfo has "fsrm", as the kernel asks for. */
static bool has_fast_strings(void)
{
	static int answer = -1;
	char line[8192];
	FILE *file;

	if (answer >= 0)
		return answer;
	answer = 0;
	file = fopen("/proc/cpuinfo", "r");
	while (file && !answer && fgets(line, sizeof(line), file))
		answer = !strncmp(line, "flags", 5) && strstr(line, " fsrm");
	if (file)
		fclose(file);
	return answer;
}

const char *copy_kind(void)
{
	return has_fast_strings() ? "rep movsb" : "32 bytes at a time";
}

static void copy_string(void *to, const void *from, size_t size)
{
	asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void copy_words(void *to, const void *from, size_t size)
{
	asm volatile("1:\n\t"
		     "subq $32, %2\n\t"
		     "movq 0(%1), %%r8\n\tmovq 8(%1), %%r9\n\t"
		     "movq 16(%1), %%r10\n\tmovq 24(%1), %%r11\n\t"
		     "leaq 32(%1), %1\n\t"
		     "movq %%r8, 0(%0)\n\tmovq %%r9, 8(%0)\n\t"
		     "movq %%r10, 16(%0)\n\tmovq %%r11, 24(%0)\n\t"
		     "leaq 32(%0), %0\n\t"
		     "jnz 1b"
		     : "+r"(to), "+r"(from), "+r"(size)
		     : : "memory", "r8", "r9", "r10", "r11", "cc");
}

/* For one buffer that was touched before; from it, so many bytes. */
static uint64_t time_of(size_t size)
{
	char *buffer = aligned_alloc(PAGE, 2 * size);
	uint64_t best = UINT64_MAX;

	if (!buffer)
		return 0;
	memset(buffer, 1, 2 * size);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = clock_now(), took;

		if (has_fast_strings())
			copy_string(buffer + size, buffer, size);
		else
			copy_words(buffer + size, buffer, size);
		took = clock_now() - begin;
		best = took < best ? took : best;
	}
	free(buffer);
	return best;
}

/* Without what reading the clock takes. */
uint64_t copy_time(size_t bytes)
{
	static uint64_t large, small;

	if (!large) {
		large = time_of(HUGE_PAGE);
		small = time_of(PAGE);
	}
	if (!bytes || large <= small)
		return 0;
	return (double)(large - small) * bytes / (HUGE_PAGE - PAGE);
}
