/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_DMA_H
#define GSB_COMPAT_DMA_H

#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>

#include "compat/compat.h"

#ifdef GSB_HAVE_USE_DMA_IOMMU
#include <linux/iommu-dma.h>
#endif

/* Nothing between the device and the memory but, perhaps, a bounce buffer. */
static inline bool gsb_dma_is_direct(struct device *dev)
{
#ifdef GSB_HAVE_USE_DMA_IOMMU
	if (use_dma_iommu(dev))
		return false;
#endif
	return !get_dma_ops(dev);
}

/*
 * Is what was mapped a copy? Behind an IOMMU whole pages never are, although
 * dma_need_sync() does not know it there.
 */
static inline bool gsb_dma_bounces(struct device *dev, dma_addr_t addr)
{
	return gsb_dma_is_direct(dev) && dma_need_sync(dev, addr);
}

/* Are there pages of which it would be, or which need to be synced? */
static inline bool gsb_dma_is_limited(struct device *dev)
{
	return !dev_is_dma_coherent(dev) || dma_addressing_limited(dev);
}

/*
 * Says that a device and the CPU always see the same, whatever other devices of the
 * machine do. On most architectures there is nothing else.
 */
static inline void gsb_dma_set_coherent(struct device *dev)
{
#ifdef GSB_HAVE_DEV_SET_DMA_COHERENT
	dev_set_dma_coherent(dev);
#elif defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_DEVICE) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU) || \
	defined(CONFIG_ARCH_HAS_SYNC_DMA_FOR_CPU_ALL)
	dev->dma_coherent = true;
#endif
}

#endif
