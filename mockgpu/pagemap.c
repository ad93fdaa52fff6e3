// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The life of the drm_pagemap.
 *
 * While it is alive it holds the device and this module; if the driver held
 * it all the time, the module could never be unloaded. So it lives from the
 * first VM to the last VM or device page, and is revived for the next.
 *
 * Locks: mockgpu_pagemap.lock is outermost, taken by VM_CREATE only. The end
 * of a life can come in an interrupt and takes no lock but the one inside of
 * the completion.
 */
#include <linux/dma-mapping.h>

#include "device.h"
#include "pagemap.h"
#include "populate.h"

static void mockgpu_pagemap_died(struct drm_pagemap *dpagemap,
				 bool is_atomic_or_reclaim)
{
	struct mockgpu_pagemap *pagemap =
		container_of(dpagemap, struct mockgpu_pagemap, base);

	complete(&pagemap->dead);
}

/* Nobody but the device itself reaches its VRAM; others get the pages home. */
static struct drm_pagemap_addr
mockgpu_pagemap_device_map(struct drm_pagemap *dpagemap, struct device *dev,
			   struct page *page, unsigned int order,
			   enum dma_data_direction dir)
{
	return drm_pagemap_addr_encode(DMA_MAPPING_ERROR,
				       DRM_INTERCONNECT_DRIVER, order, dir);
}

static const struct drm_pagemap_ops mockgpu_pagemap_ops = {
	.device_map = mockgpu_pagemap_device_map,
	.populate_mm = mockgpu_populate_mm,
	.destroy = mockgpu_pagemap_died,
};

/**
 * mockgpu_pagemap_init() - prepare for the first life
 * @pagemap: zeroed
 *
 * Context: Process context.
 */
void mockgpu_pagemap_init(struct mockgpu_pagemap *pagemap)
{
	mutex_init(&pagemap->lock);
	init_completion(&pagemap->dead);
	complete(&pagemap->dead);
}

static int mockgpu_pagemap_revive(struct mockgpu_device *mdev)
{
	struct mockgpu_pagemap *pagemap = &mdev->pagemap;
	int ret;

	if (pagemap->initialised)
		return drm_pagemap_reinit(&pagemap->base);

	ret = drm_pagemap_init(&pagemap->base, &mdev->vram.pagemap, &mdev->drm,
			       &mockgpu_pagemap_ops);
	pagemap->initialised = !ret;
	return ret;
}

/**
 * mockgpu_pagemap_get() - take a reference on the drm_pagemap of a device
 * @mdev: the device, with VRAM
 *
 * Context: Process context, may sleep.
 * Return: 0, or why the SVM module cannot have it alive, such as -ENODEV.
 */
int mockgpu_pagemap_get(struct mockgpu_device *mdev)
{
	struct mockgpu_pagemap *pagemap = &mdev->pagemap;
	int ret = 0;

	mutex_lock(&pagemap->lock);
	if (!drm_pagemap_get_unless_zero(&pagemap->base)) {
		/* Between the last reference and the end there is a moment. */
		wait_for_completion(&pagemap->dead);
		ret = mockgpu_pagemap_revive(mdev);
		if (ret)
			complete(&pagemap->dead);
	}
	mutex_unlock(&pagemap->lock);

	return ret;
}

/**
 * mockgpu_pagemap_device() - whose drm_pagemap is it
 * @dpagemap: one of ours
 *
 * Context: Any.
 * Return: the device.
 */
struct mockgpu_device *mockgpu_pagemap_device(struct drm_pagemap *dpagemap)
{
	return container_of(dpagemap, struct mockgpu_device, pagemap.base);
}
