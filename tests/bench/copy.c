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

typedef void (*copy_fn)(void *to, const void *from, size_t size);

/* Whether the kernel knows the processor to have something. */
static bool has_flag(const char *flag)
{
	char line[8192];
	bool answer = false;
	FILE *file;

	file = fopen("/proc/cpuinfo", "r");
	while (file && !answer && fgets(line, sizeof(line), file))
		answer = !strncmp(line, "flags", 5) && strstr(line, flag);
	if (file)
		fclose(file);
	return answer;
}

/* As the kernel asks, before it copies memory. */
static bool has_fast_strings(void)
{
	static int answer = -1;

	if (answer < 0)
		answer = has_flag(" fsrm");
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

/* What the kernel has for whole pages. */
static void copy_long_string(void *to, const void *from, size_t size)
{
	size /= 8;
	asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
}

static void copy_lines(void *to, const void *from, size_t size)
{
	size /= 64;
	asm volatile("1:\n\t"
		     "decq %2\n\t"
		     "prefetcht0 320(%1)\n\t"
		     "movq 0(%1), %%rax\n\tmovq 8(%1), %%rbx\n\t"
		     "movq 16(%1), %%rdx\n\tmovq 24(%1), %%r8\n\t"
		     "movq 32(%1), %%r9\n\tmovq 40(%1), %%r10\n\t"
		     "movq 48(%1), %%r11\n\tmovq 56(%1), %%r12\n\t"
		     "movq %%rax, 0(%0)\n\tmovq %%rbx, 8(%0)\n\t"
		     "movq %%rdx, 16(%0)\n\tmovq %%r8, 24(%0)\n\t"
		     "movq %%r9, 32(%0)\n\tmovq %%r10, 40(%0)\n\t"
		     "movq %%r11, 48(%0)\n\tmovq %%r12, 56(%0)\n\t"
		     "leaq 64(%1), %1\n\tleaq 64(%0), %0\n\t"
		     "jnz 1b"
		     : "+r"(to), "+r"(from), "+r"(size)
		     : : "memory", "rax", "rbx", "rdx", "r8", "r9", "r10", "r11", "r12", "cc");
}

/* For one buffer that was touched before; from it, so many bytes. */
static uint64_t time_of(copy_fn copy, size_t size)
{
	char *buffer = aligned_alloc(PAGE, 2 * size);
	uint64_t best = UINT64_MAX;

	if (!buffer)
		return 0;
	memset(buffer, 1, 2 * size);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = clock_now(), took;

		copy(buffer + size, buffer, size);
		took = clock_now() - begin;
		best = took < best ? took : best;
	}
	free(buffer);
	return best;
}

/* Without what reading the clock takes. */
static uint64_t time_by(copy_fn copy, size_t bytes)
{
	uint64_t large = time_of(copy, HUGE_PAGE), small = time_of(copy, PAGE);

	if (!bytes || large <= small)
		return 0;
	return (double)(large - small) * bytes / (HUGE_PAGE - PAGE);
}

uint64_t copy_time(size_t bytes)
{
	return time_by(has_fast_strings() ? copy_string : copy_words, bytes);
}

uint64_t copy_time_of_pages(size_t bytes)
{
	return time_by(has_flag(" rep_good") ? copy_long_string : copy_lines, bytes);
}
