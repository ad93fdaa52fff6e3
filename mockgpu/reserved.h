/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_RESERVED_H
#define MOCKGPU_RESERVED_H

#include <linux/types.h>

struct range;

int mockgpu_reserved_find(bool as_pmem, u64 base, u64 size,
			  struct range *region);

#endif
