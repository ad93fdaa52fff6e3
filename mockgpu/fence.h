/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_FENCE_H
#define MOCKGPU_FENCE_H

#include <linux/types.h>

struct dma_fence;

struct dma_fence *mockgpu_fence_alloc(void);
void mockgpu_fence_free(struct dma_fence *fence);
void mockgpu_fence_arm(struct dma_fence *fence, u64 context, u64 seqno);
void mockgpu_fence_end(struct dma_fence *fence, int error);
void mockgpu_fence_module_exit(void);

#endif
