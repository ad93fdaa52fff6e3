// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Virtual ranges that came from user space.
 */
#include <linux/align.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "args.h"

/**
 * mockgpu_args_range_is_valid() - can this be a range of user addresses
 * @addr: start
 * @size: bytes
 * @granule: both have to be multiples of this power of two
 *
 * Context: Process context of the caller the range is from.
 * Return: true if so; that says nothing about what is mapped there.
 */
bool mockgpu_args_range_is_valid(u64 addr, u64 size, u64 granule)
{
	u64 end;

	return size && IS_ALIGNED(addr | size, granule) &&
	       !check_add_overflow(addr, size, &end) && end <= TASK_SIZE;
}

/**
 * mockgpu_args_chunk_end() - where to stop when a range is done in chunks
 * @addr: where the chunk starts
 * @end: end of the range
 *
 * Context: Any.
 * Return: the next multiple of 2 MiB, or @end when that comes first.
 */
unsigned long mockgpu_args_chunk_end(unsigned long addr, unsigned long end)
{
	return min(end, ALIGN_DOWN(addr, SZ_2M) + SZ_2M);
}
