// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What drivers can ask beyond the published calls. */
#include <linux/mm.h>

#include <drm/drm_gpusvm.h>

#include "compat/dma.h"
#include "map.h"

/**
 * drm_gpusvm_backport_check_dma() - can a device share memory with processes?
 * @dev: the device, its DMA mask is set
 *
 * Not one that needs bounce buffers for some memory, or the caches flushed: the
 * CPU and the device use shared memory at the same time. drm_gpusvm_get_pages()
 * refuses such a device; a driver that asks before can say so at once.
 *
 * Context: May sleep.
 * Return: 0; -EOPNOTSUPP when it cannot; -ENOMEM.
 */
int drm_gpusvm_backport_check_dma(struct device *dev)
{
	dma_addr_t addr;
	int err = 0;

	if (gsb_dma_is_limited(dev))
		return -EOPNOTSUPP;
	/* Whether every mapping is bounced shows with the first. */
	addr = dma_map_page(dev, ZERO_PAGE(0), 0, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr))
		return -ENOMEM;
	if (gsb_dma_bounces(dev, addr))
		err = -EOPNOTSUPP;
	dma_unmap_page(dev, addr, PAGE_SIZE, DMA_TO_DEVICE);
	return err;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_backport_check_dma);

/**
 * drm_gpusvm_backport_provider() - whose memory is behind an address?
 * @pages: a pages object that is valid
 * @i: index of an entry of its dma_addr
 *
 * For ranges with ctx->allow_multiple, where pages->dpagemap does not tell.
 *
 * Context: The notifier lock held.
 * Return: The pagemap, without a reference of its own; NULL for system memory.
 */
struct drm_pagemap *
drm_gpusvm_backport_provider(const struct drm_gpusvm_pages *pages,
			     unsigned long i)
{
	return pages->map->providers[i];
}
EXPORT_SYMBOL_GPL(drm_gpusvm_backport_provider);
