/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Subtests, as IGT has them, whose bodies are those of tests/lib: each in a process
 * of its own with a time limit, after which nothing of it may be alive.
 */
#ifndef _TESTS_IGT_SUITE_H_
#define _TESTS_IGT_SUITE_H_

#include "check.h"

/* The body. What it works on is handed to it; it ends as tests of tests/lib do. */
typedef void (*body_fn)(struct gpu *gpu, const void *arg);

/* needs are those of harness.h. The name is printed with what follows. */
void subtest(const char *describe, unsigned int needs, body_fn body, const void *arg,
	     const char *name, ...) __attribute__((format(printf, 5, 6)));

/* A subtest that consists of others: cells calls dynamic() for each. */
void subtest_of(const char *describe, void (*cells)(const void *arg), const void *arg,
		const char *name, ...) __attribute__((format(printf, 4, 5)));
void dynamic(unsigned int needs, body_fn body, const void *arg, const char *name, ...)
	__attribute__((format(printf, 4, 5)));

/* A row of a table of subtests that have nothing in common. */
struct single {
	const char *name;
	const char *describe;
	body_fn body;
	unsigned int needs;
};

void singles(const struct single *table, unsigned int count);

int suite_main(int argc, char **argv, void (*subtests)(void));

/* What a program is: one sentence, and what declares its subtests. */
#define SUITE(sentence, subtests)			\
const char *__igt_test_description = sentence;		\
int main(int argc, char **argv)				\
{							\
	return suite_main(argc, argv, subtests);	\
}

#endif
