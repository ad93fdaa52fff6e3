/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GPUSVM_KUNIT_SUITES_H
#define GPUSVM_KUNIT_SUITES_H

#include <kunit/test.h>

extern struct kunit_suite mixing_suite;
extern struct kunit_suite chunks_suite;
extern struct kunit_suite encoding_suite;
extern struct kunit_suite segments_suite;
extern struct kunit_suite walking_suite;
extern struct kunit_suite mappings_suite;

#endif
