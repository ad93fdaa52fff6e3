/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Named tests, each in a process of its own with a time limit. Results are
 * lines "ok NAME", "not ok NAME: reason (file:line)" and "skip NAME: reason";
 * lines that start with "# " are for the reader. After each test nothing of it
 * may be alive in the driver and no device may have seen a wrong access, not even
 * one that went. Devices must answer, but for those that the test itself took away and
 * gave back (device_unbind()).
 */
#ifndef _TESTS_HARNESS_H_
#define _TESTS_HARNESS_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gpu.h"
#include "mem.h"

/* What a test cannot do without; it is skipped where that is missing. */
enum need {
	NEED_VRAM = 1 << 0,
	NEED_PRIVATE = 1 << 1,
	NEED_COHERENT = 1 << 2,
	NEED_ROOT = 1 << 3,
	NEED_KNOBS = 1 << 4,
	NEED_THP = 1 << 5,
	NEED_TWO_DEVICES = 1 << 6,
};

struct test {
	const char *name;
	/* The device is open; what the test leaves behind goes with the process. */
	void (*run)(struct gpu *gpu);
	unsigned int needs;
	/* Time limit on a machine of the usual speed; 0 stands for the usual one. */
	unsigned int seconds;
};

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof(*(array)))

#define HARNESS_MAIN(tests)						\
int main(int argc, char **argv)						\
{									\
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));	\
}

int harness_main(int argc, char **argv, const struct test *tests, unsigned int count);

/* How a test ended; with neither it passed. */
struct verdict {
	bool failed, skipped;
	char reason[512];
};

/*
 * For those who have a main() of their own: all devices of now are watched from now
 * on, and a test is one of them that leaves things as they were then.
 */
void harness_watch(void);
void harness_run(const struct test *test, unsigned int index, struct verdict *verdict);

/* Ends the test. To be called from any process or thread of it. */
_Noreturn void test_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define FAIL(...)	test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(cond)						\
	do {							\
		if (!(cond))					\
			FAIL("%s is not true", #cond);		\
	} while (0)

#define CHECK_EQ(expr, want)					\
	do {							\
		long long _got = (expr), _want = (want);	\
								\
		if (_got != _want)				\
			FAIL("%s is %lld, not %lld", #expr, _got, _want);	\
	} while (0)

/* For calls that answer 0 or a negative errno. */
#define CHECK_RET(call, want)					\
	do {							\
		int _got = (call), _want = (want);		\
								\
		if (_got != _want)				\
			FAIL("%s answers %s, not %s", #call, errno_name(_got), errno_name(_want));	\
	} while (0)

#define CHECK_OK(call)	CHECK_RET(call, 0)

/* For system calls that answer -1 and set errno. */
#define CHECK_SYS(call)						\
	do {							\
		if ((call) == -1)				\
			FAIL("%s: %s", #call, errno_name(errno));	\
	} while (0)

/* The data that is wrong first. */
#define CHECK_DATA(matches, bad)				\
	do {							\
		if (!(matches))					\
			FAIL("%s: offset %#zx: got %#llx, want %#llx", #matches, (bad).offset,	\
			     (unsigned long long)(bad).got, (unsigned long long)(bad).want);	\
	} while (0)

/*
 * How long to wait on this machine for what takes so many seconds on one of the usual
 * speed, at most: TEST_SLOW in the environment says how many times slower this one is.
 */
double patience(double seconds);

/* "0" or "-EBUSY" for 0 or a negative errno, "EBUSY" for an errno. */
const char *errno_name(int ret);

/* A process of the test. It ends with fn; its failure is that of the test. */
pid_t test_fork(void (*fn)(void *arg), void *arg);
void test_join(pid_t pid);

#endif
