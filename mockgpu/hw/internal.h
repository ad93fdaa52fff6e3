/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_HW_INTERNAL_H
#define MOCKGPU_HW_INTERNAL_H

#include <linux/atomic.h>
#include <linux/compiler_attributes.h>
#include <linux/dma-direction.h>
#include <linux/dma-map-ops.h>
#include <linux/spinlock.h>

#include <drm/drm_mm.h>

#include "hw.h"

/**
 * struct mockgpu_hw_iommu - the translations the device may use
 * @ops: what the DMA API calls; inside, so that it leads back to the IOMMU
 * @lock: protects @space and the mappings in it
 * @space: I/O virtual addresses
 * @live_pages: pages mapped now
 */
struct mockgpu_hw_iommu {
	const struct dma_map_ops ops;
	spinlock_t lock;	/* taken with interrupts off, a leaf */
	struct drm_mm space;
	atomic64_t live_pages;
};

/**
 * struct mockgpu_hw_vram - the memory of the device
 * @base: where it is
 * @npages: how much
 * @set_aside: it is the device's own and to be freed
 * @lock: protects @used and @written
 * @used: a bit for each page that the driver has given out
 * @written: a bit for each page that has contents since then
 */
struct mockgpu_hw_vram {
	void *base;
	unsigned long npages;
	bool set_aside;
	spinlock_t lock;	/* taken with interrupts off, a leaf */
	unsigned long *used;
	unsigned long *written;
};

struct mockgpu_hw {
	struct device *dev;
	struct mockgpu_hw_iommu iommu;
	struct mockgpu_hw_vram vram;
	struct mockgpu_hw_knobs knobs;
	atomic64_t bytes_copied_in;
	atomic64_t bytes_copied_out;
	atomic64_t bytes_accessed;
	atomic64_t errors;
};

__printf(2, 3)
void mockgpu_hw_error(struct mockgpu_hw *hw, const char *format, ...);

void mockgpu_hw_iommu_init(struct mockgpu_hw_iommu *iommu);
void mockgpu_hw_iommu_fini(struct mockgpu_hw_iommu *iommu);
void *mockgpu_hw_dma_begin(struct mockgpu_hw *hw, dma_addr_t iova, size_t size,
			   enum dma_data_direction dir);
int mockgpu_hw_dma_end(struct mockgpu_hw *hw, dma_addr_t iova, size_t size,
		       enum dma_data_direction dir, const void *memory);
void mockgpu_hw_vram_init(struct mockgpu_hw_vram *vram);
bool mockgpu_hw_vram_has(struct mockgpu_hw *hw, u64 offset, u64 size);
void *mockgpu_hw_vram_begin(struct mockgpu_hw *hw, u64 offset, u64 size,
			    enum dma_data_direction dir);
void mockgpu_hw_vram_end(struct mockgpu_hw *hw, u64 offset, u64 size,
			 enum dma_data_direction dir);

#endif
