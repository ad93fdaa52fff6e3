/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_FOREIGN_H
#define MOCKGPU_FOREIGN_H

#include <linux/dma-direction.h>
#include <linux/types.h>

struct mockgpu_alloc;
struct mockgpu_device;
struct mockgpu_hw_work;
struct page;

int mockgpu_foreign_access(struct mockgpu_device *mdev, struct page *page,
			   unsigned int offset, unsigned int size,
			   const struct mockgpu_hw_work *work,
			   enum dma_data_direction dir);
struct mockgpu_alloc *mockgpu_foreign_get(struct page *page);
int mockgpu_foreign_bring_home(struct mockgpu_alloc *alloc);

#endif
