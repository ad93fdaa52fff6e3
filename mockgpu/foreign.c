// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pages of one mock device that another wants to use.
 *
 * Whose page it is can be found out as long as the page stays where it is, so
 * with the mirror locked. Bringing it home needs just that lock, so it comes
 * after; in between, a reference on the drm_pagemap keeps the other device.
 */
#include <linux/dma-mapping.h>
#include <linux/mm.h>

#include <drm/drm_pagemap.h>

#include "device.h"
#include "evict.h"
#include "foreign.h"
#include "heap.h"
#include "hw/hw.h"
#include "pagemap.h"

static struct drm_pagemap *mockgpu_foreign_pagemap(struct page *page)
{
	struct drm_pagemap *dpagemap = drm_pagemap_page_to_dpagemap(page);

	return mockgpu_pagemap_is_ours(dpagemap) ? dpagemap : NULL;
}

/**
 * mockgpu_foreign_access() - work on a page of another device over a link
 * @mdev: the device
 * @page: a device page that is not its own; it stays for the call
 * @offset: first byte
 * @size: bytes
 * @work: what to do
 * @dir: DMA_TO_DEVICE to read, DMA_FROM_DEVICE to write, or both
 *
 * Context: Process context, may sleep.
 * Return: 0, -EXDEV when no link leads there, -EIO for a bad address.
 */
int mockgpu_foreign_access(struct mockgpu_device *mdev, struct page *page,
			   unsigned int offset, unsigned int size,
			   const struct mockgpu_hw_work *work,
			   enum dma_data_direction dir)
{
	struct drm_pagemap *dpagemap = mockgpu_foreign_pagemap(page);
	struct device *dev = mockgpu_hw_dma_device(mdev->hw);
	struct mockgpu_hw_addr within;
	struct drm_pagemap_addr addr;
	int ret;

	if (!dpagemap)
		return -EXDEV;

	addr = dpagemap->ops->device_map(dpagemap, dev, page, 0, dir);
	if (addr.addr == DMA_MAPPING_ERROR)
		return -EXDEV;

	within = mockgpu_pagemap_bus(&addr);
	within.addr += offset;
	ret = mockgpu_hw_access_bus(mdev->hw, within, size, work);
	dpagemap->ops->device_unmap(dpagemap, dev, &addr);
	return ret;
}

/**
 * mockgpu_foreign_get() - find the allocation behind a page of another device
 * @page: a device page; it stays for the call
 *
 * Context: Any.
 * Return: the allocation with references on it and on its drm_pagemap, for
 * mockgpu_foreign_bring_home(); NULL when it is not of a mock device.
 */
struct mockgpu_alloc *mockgpu_foreign_get(struct page *page)
{
	struct drm_pagemap *dpagemap = mockgpu_foreign_pagemap(page);
	struct mockgpu_device *owner;
	struct mockgpu_alloc *alloc;

	if (!dpagemap)
		return NULL;

	owner = mockgpu_pagemap_device(dpagemap);
	alloc = mockgpu_heap_find(&owner->heap,
				  mockgpu_vram_index(&owner->vram, page));
	if (alloc)
		drm_pagemap_get(dpagemap);
	return alloc;
}

/**
 * mockgpu_foreign_bring_home() - bring the allocation home and let go of it
 * @alloc: from mockgpu_foreign_get()
 *
 * Context: Process context, may sleep for a bounded time; no lock held that a
 * page needs to move.
 * Return: as mockgpu_evict_alloc().
 */
int mockgpu_foreign_bring_home(struct mockgpu_alloc *alloc)
{
	struct drm_pagemap *dpagemap = alloc->devmem.dpagemap;
	int ret = mockgpu_evict_alloc(alloc);

	mockgpu_heap_put(alloc);
	drm_pagemap_put(dpagemap);
	return ret;
}
