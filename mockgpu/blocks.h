/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_BLOCKS_H
#define MOCKGPU_BLOCKS_H

#include <linux/types.h>

/**
 * struct mockgpu_blocks - RAM that was taken from the kernel
 * @start: physical address
 * @size: bytes, whole memory blocks; 0 when nothing was taken
 * @nid: the node it belongs to
 * @online: the kernel was using it
 * @movable: only for what can be moved away
 */
struct mockgpu_blocks {
	u64 start;
	u64 size;
	int nid;
	bool online;
	bool movable;
};

int mockgpu_blocks_take(struct mockgpu_blocks *blocks, u64 base, u64 size);
void mockgpu_blocks_give_back(struct mockgpu_blocks *blocks);

#endif
