// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What runs when the module is loaded. */
#include <linux/module.h>

#include "suites.h"

kunit_test_suites(&mixing_suite, &chunks_suite, &encoding_suite,
		  &segments_suite, &walking_suite, &mappings_suite);

MODULE_DESCRIPTION("KUnit tests of drm_gpusvm_backport");
MODULE_LICENSE("Dual MIT/GPL");
