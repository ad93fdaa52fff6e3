/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What these tests use of Debian's libigt.so.0, which comes without headers. It is
 * the same in the versions 1.27 to 2.5. What is not, is not here.
 */
#ifndef _TESTS_IGT_ABI_H_
#define _TESTS_IGT_ABI_H_

#include <setjmp.h>
#include <stdbool.h>

struct option;

/* Where a (dynamic) subtest ends, whatever its end; to be set with sigsetjmp(buf, 1). */
extern sigjmp_buf igt_subtest_jmpbuf, igt_dynamic_jmpbuf;

/* Defined by a program: what it is for. */
extern const char *__igt_test_description;

int igt_subtest_init_parse_opts(int *argc, char **argv, const char *short_options,
				const struct option *long_options, const char *help,
				int (*handler)(int option, int index, void *data), void *data);

/* For the subtest that comes next. */
void igt_describe_f(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* False when only names are wanted, or another subtest. */
bool __igt_fixture(void);
void __igt_fixture_complete(void);
bool __igt_run_subtest(const char *name, const char *file, int line);
void __igt_enter_dynamic_container(void);
bool __igt_run_dynamic_subtest(const char *name);

/* The ends. In a fixture the last two are those of all subtests that follow. */
void igt_success(void);
_Noreturn void igt_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void __igt_fail_assert(const char *domain, const char *file, int line,
				 const char *function, const char *assertion,
				 const char *format, ...)
	__attribute__((format(printf, 6, 7)));
_Noreturn void igt_exit(void);

/*
 * A DRM device: with all bits set in chipset and a filter (--device or IGT_DEVICE),
 * the one that the filter names. Skips if there is none.
 */
int drm_open_driver(int chipset);

#endif
