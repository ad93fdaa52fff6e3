/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_ARGS_H
#define MOCKGPU_ARGS_H

#include <linux/types.h>

bool mockgpu_args_range_is_valid(u64 addr, u64 size, u64 granule);
unsigned long mockgpu_args_chunk_end(unsigned long addr, unsigned long end);

#endif
