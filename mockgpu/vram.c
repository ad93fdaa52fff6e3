// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * VRAM as device pages, from bind to unbind.
 */
#include <linux/ioport.h>
#include <linux/range.h>
#include <linux/sizes.h>
#include <linux/topology.h>

#include <drm/drm_pagemap.h>
#include <drm/drm_print.h>

#include "device.h"
#include "hw/hw.h"
#include "vram.h"

static DRM_PAGEMAP_OWNER_LIST_DEFINE(mockgpu_vram_peers);

/*
 * Of the devices that have pages; those that reach all of each other's share
 * one. Only its address counts, so it does no harm if it is a little old.
 */
static void *mockgpu_vram_owners[MOCKGPU_MAX_DEVICES];

/**
 * mockgpu_vram_owner() - whose pages are those of a device
 * @index: which device
 *
 * Context: Any.
 * Return: what dev_pagemap.owner of that device is, NULL if it has no pages.
 */
void *mockgpu_vram_owner(unsigned int index)
{
	return READ_ONCE(mockgpu_vram_owners[index]);
}

static bool mockgpu_vram_is_linked(struct drm_pagemap_peer *one,
				   struct drm_pagemap_peer *other)
{
	const struct mockgpu_device *mdev = one->private;
	const struct mockgpu_device *peer = other->private;

	return mdev->config.links & BIT(peer->config.index);
}

/* Before there are pages. */
static int mockgpu_vram_join(struct mockgpu_device *mdev)
{
	struct drm_pagemap_peer *peer = &mdev->vram.peer;
	int ret;

	peer->private = mdev;
	ret = drm_pagemap_acquire_owner(peer, &mockgpu_vram_peers,
					mockgpu_vram_is_linked);
	if (ret)
		return ret;

	WRITE_ONCE(mockgpu_vram_owners[mdev->config.index], peer->owner);
	return 0;
}

/* When there are none any more. */
static void mockgpu_vram_leave(struct mockgpu_device *mdev)
{
	WRITE_ONCE(mockgpu_vram_owners[mdev->config.index], NULL);
	drm_pagemap_release_owner(&mdev->vram.peer);
}

static int mockgpu_vram_add_pages(struct mockgpu_device *mdev, u64 start,
				  enum memory_type type)
{
	struct dev_pagemap *pagemap = &mdev->vram.pagemap;
	u64 size = mdev->config.vram_size;
	void *base;
	int ret = 0;

	pagemap->type = type;
	pagemap->range = (struct range){ start, start + size - 1 };
	pagemap->nr_range = 1;
	pagemap->ops = drm_pagemap_pagemap_ops_get();
	pagemap->owner = mdev->vram.peer.owner;

	base = memremap_pages(pagemap, numa_mem_id());
	if (IS_ERR(base))
		return PTR_ERR(base);

	mdev->vram.first_pfn = PHYS_PFN(start);
	mdev->vram.npages = size >> PAGE_SHIFT;
	if (type == MEMORY_DEVICE_COHERENT)
		ret = mockgpu_hw_vram_use(mdev->hw, base, mdev->vram.npages);
	if (ret)
		memunmap_pages(pagemap);
	return ret;
}

/* Nothing is at the addresses of private pages; the contents are elsewhere. */
static int mockgpu_vram_init_private(struct mockgpu_device *mdev)
{
	u64 size = mdev->config.vram_size;
	struct resource *resource;
	int ret;

	if (mdev->config.is_pci)
		ret = mockgpu_hw_vram_map(mdev->hw, mdev->config.vram_base,
					  size >> PAGE_SHIFT);
	else
		ret = mockgpu_hw_vram_set_aside(mdev->hw, size >> PAGE_SHIFT);
	if (ret)
		return ret;

	resource = request_free_mem_region(&iomem_resource, size, "mockgpu");
	if (IS_ERR(resource)) {
		ret = PTR_ERR(resource);
		goto drop;
	}

	ret = mockgpu_vram_add_pages(mdev, resource->start,
				     MEMORY_DEVICE_PRIVATE);
	if (ret)
		goto release;

	mdev->vram.resource = resource;
	return 0;

release:
	release_mem_region(resource->start, resource_size(resource));
drop:
	mockgpu_hw_vram_drop(mdev->hw);
	return ret;
}

static int mockgpu_vram_init_pages(struct mockgpu_device *mdev)
{
	if (mdev->config.tier == MOCKGPU_TIER_PRIVATE)
		return mockgpu_vram_init_private(mdev);
	return mockgpu_vram_add_pages(mdev, mdev->config.vram_base,
				      MEMORY_DEVICE_COHERENT);
}

/**
 * mockgpu_vram_init() - make VRAM usable for processes
 * @mdev: the device; nothing happens when it has no VRAM
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, or what the kernel has against device pages here.
 */
int mockgpu_vram_init(struct mockgpu_device *mdev)
{
	int ret;

	if (!mockgpu_device_has_vram(mdev))
		return 0;

	ret = mockgpu_vram_join(mdev);
	if (ret)
		return ret;

	ret = mockgpu_vram_init_pages(mdev);
	if (ret) {
		drm_err(&mdev->drm, "no device pages for %llu MiB of VRAM: error %d\n",
			mdev->config.vram_size / SZ_1M, ret);
		mockgpu_vram_leave(mdev);
		return ret;
	}

	mockgpu_hw_link_attach(mdev->hw, mdev->config.index,
			       mdev->config.links);
	return 0;
}

/**
 * mockgpu_vram_fini() - undo mockgpu_vram_init()
 * @mdev: the device
 *
 * Waits until the last reference on a device page is gone, however long that
 * takes; pages that can be brought home were.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_vram_fini(struct mockgpu_device *mdev)
{
	struct resource *resource = mdev->vram.resource;

	if (!mockgpu_device_has_vram(mdev))
		return;

	memunmap_pages(&mdev->vram.pagemap);
	mdev->vram.npages = 0;
	mockgpu_hw_vram_drop(mdev->hw);

	/* More than was asked for: the kernel rounds up to whole sections. */
	if (resource)
		release_mem_region(resource->start, resource_size(resource));
	mockgpu_vram_leave(mdev);
}
