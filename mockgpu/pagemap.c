// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The drm_pagemap of a device, and the cache it rests in.
 *
 * A drm_pagemap has users from the first VM to the last VM or device page, and
 * while it does it holds the device and this module. Then it stays in the
 * cache, holding nothing, until the next VM, memory pressure or unbind.
 *
 * Locks: the look-up lock of the cache is outermost, taken by VM_CREATE only.
 * A drm_pagemap can go in an interrupt, and takes no lock.
 */
#include <linux/dma-mapping.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_pagemap_util.h>

#include "device.h"
#include "pagemap.h"
#include "populate.h"

struct mockgpu_pagemap {
	struct drm_pagemap base;
	struct mockgpu_device *mdev;
};

static struct mockgpu_pagemap *to_mockgpu_pagemap(struct drm_pagemap *dpagemap)
{
	return container_of(dpagemap, struct mockgpu_pagemap, base);
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
	return to_mockgpu_pagemap(dpagemap)->mdev;
}

static void mockgpu_pagemap_destroy(struct drm_pagemap *dpagemap,
				    bool is_atomic_or_reclaim)
{
	struct mockgpu_pagemap *pagemap = to_mockgpu_pagemap(dpagemap);

	atomic_dec(&pagemap->mdev->pagemaps);
	kfree(pagemap);
}

static bool mockgpu_pagemap_is_local(struct mockgpu_device *mdev,
				     const struct device *dev)
{
	return dev == mdev->drm.dev || dev == mockgpu_hw_dma_device(mdev->hw);
}

/* Where a device finds its own VRAM, or over a link that of another one. */
static int mockgpu_pagemap_find(struct mockgpu_device *mdev,
				const struct device *dev,
				const struct mockgpu_hw_window *window,
				dma_addr_t *addr)
{
	if (dev != mdev->drm.dev &&
	    mockgpu_hw_knob_hits(&mdev->knobs.fail_device_map))
		return -ENOMEM;
	if (mockgpu_pagemap_is_local(mdev, dev)) {
		*addr = window->offset;
		return 0;
	}
	return mockgpu_hw_link_map(mdev->hw, dev, window, addr);
}

/* Without a link it has to move. */
static struct drm_pagemap_addr
mockgpu_pagemap_device_map(struct drm_pagemap *dpagemap, struct device *dev,
			   struct page *page, unsigned int order,
			   enum dma_data_direction dir)
{
	struct mockgpu_device *mdev = mockgpu_pagemap_device(dpagemap);
	const struct mockgpu_hw_window window = {
		.offset = (u64)mockgpu_vram_index(&mdev->vram, page) <<
			  PAGE_SHIFT,
		.size = PAGE_SIZE << order,
		.dir = dir,
	};
	dma_addr_t addr;

	if (mockgpu_pagemap_find(mdev, dev, &window, &addr))
		addr = DMA_MAPPING_ERROR;
	return drm_pagemap_addr_encode(addr,
				       mockgpu_pagemap_is_local(mdev, dev) ?
				       MOCKGPU_PAGEMAP_LOCAL :
				       MOCKGPU_PAGEMAP_LINK, order, dir);
}

static void mockgpu_pagemap_device_unmap(struct drm_pagemap *dpagemap,
					 struct device *dev,
					 const struct drm_pagemap_addr *addr)
{
	struct mockgpu_device *mdev = mockgpu_pagemap_device(dpagemap);

	if (addr->proto == MOCKGPU_PAGEMAP_LINK)
		mockgpu_hw_link_unmap(mdev->hw, dev, addr->addr,
				      PAGE_SIZE << addr->order, addr->dir);
}

static const struct drm_pagemap_ops mockgpu_pagemap_ops = {
	.device_map = mockgpu_pagemap_device_map,
	.device_unmap = mockgpu_pagemap_device_unmap,
	.populate_mm = mockgpu_populate_mm,
	.destroy = mockgpu_pagemap_destroy,
};

/**
 * mockgpu_pagemap_init() - make the cache, until unbind
 * @mdev: the device; nothing happens when it has no VRAM
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_pagemap_init(struct mockgpu_device *mdev)
{
	struct drm_pagemap_shrinker *shrinker;
	struct drm_pagemap_cache *cache;

	if (!mockgpu_device_has_vram(mdev))
		return 0;

	shrinker = drm_pagemap_shrinker_create_devm(&mdev->drm);
	if (IS_ERR(shrinker))
		return PTR_ERR(shrinker);

	cache = drm_pagemap_cache_create_devm(shrinker);
	if (IS_ERR(cache))
		return PTR_ERR(cache);

	mdev->pagemap_cache = cache;
	return 0;
}

/* With the cache empty and its look-up lock held. */
static struct drm_pagemap *mockgpu_pagemap_new(struct mockgpu_device *mdev)
{
	struct mockgpu_pagemap *pagemap = kzalloc(sizeof(*pagemap), GFP_KERNEL);
	int ret;

	if (!pagemap)
		return ERR_PTR(-ENOMEM);

	ret = drm_pagemap_init(&pagemap->base, &mdev->vram.pagemap, &mdev->drm,
			       &mockgpu_pagemap_ops);
	if (ret) {
		kfree(pagemap);
		return ERR_PTR(ret);
	}

	pagemap->mdev = mdev;
	atomic_inc(&mdev->pagemaps);
	drm_pagemap_cache_set_pagemap(mdev->pagemap_cache, &pagemap->base);
	return &pagemap->base;
}

static struct drm_pagemap *mockgpu_pagemap_look_up(struct mockgpu_device *mdev)
{
	struct drm_pagemap *dpagemap;
	int ret;

	ret = drm_pagemap_cache_lock_lookup(mdev->pagemap_cache);
	if (ret)
		return ERR_PTR(ret);

	dpagemap = drm_pagemap_get_from_cache(mdev->pagemap_cache);
	if (!dpagemap)
		dpagemap = mockgpu_pagemap_new(mdev);

	drm_pagemap_cache_unlock_lookup(mdev->pagemap_cache);
	return dpagemap;
}

/**
 * mockgpu_pagemap_get() - take a reference on the drm_pagemap of a device
 * @mdev: the device
 *
 * Context: Process context, may sleep.
 * Return: the drm_pagemap, NULL when the device has no VRAM, or -ENODEV the
 * device is gone, -ENOMEM, -EINTR.
 */
struct drm_pagemap *mockgpu_pagemap_get(struct mockgpu_device *mdev)
{
	struct drm_pagemap *dpagemap;
	int idx;

	if (!mockgpu_device_has_vram(mdev))
		return NULL;

	/* The cache goes with unbind. */
	if (!drm_dev_enter(&mdev->drm, &idx))
		return ERR_PTR(-ENODEV);
	dpagemap = mockgpu_pagemap_look_up(mdev);
	drm_dev_exit(idx);

	return dpagemap;
}

static bool mockgpu_pagemap_is_active(struct mockgpu_device *mdev)
{
	struct drm_pagemap *dpagemap;
	int idx;

	if (!drm_dev_enter(&mdev->drm, &idx))
		return false;
	dpagemap = drm_pagemap_get_from_cache_if_active(mdev->pagemap_cache);
	drm_dev_exit(idx);

	drm_pagemap_put(dpagemap);
	return dpagemap;
}

/**
 * mockgpu_pagemap_is_ours() - is it the drm_pagemap of one of our devices
 * @dpagemap: any drm_pagemap, or NULL
 *
 * Context: Any.
 * Return: true if it is.
 */
bool mockgpu_pagemap_is_ours(const struct drm_pagemap *dpagemap)
{
	return dpagemap && dpagemap->ops == &mockgpu_pagemap_ops;
}

/**
 * mockgpu_pagemap_bus() - from an address of the SVM module to the device's
 * @addr: of system memory, of its own VRAM or that of a linked device
 *
 * Context: Any.
 * Return: the address as the device has to be given it.
 */
struct mockgpu_hw_addr mockgpu_pagemap_bus(const struct drm_pagemap_addr *addr)
{
	struct mockgpu_hw_addr to = { .addr = addr->addr };

	switch (addr->proto) {
	case MOCKGPU_PAGEMAP_LOCAL:
		to.bus = MOCKGPU_HW_BUS_VRAM;
		break;
	case MOCKGPU_PAGEMAP_LINK:
		to.bus = MOCKGPU_HW_BUS_LINK;
		break;
	default:
		to.bus = MOCKGPU_HW_BUS_DMA;
		break;
	}
	return to;
}

/**
 * mockgpu_pagemap_state() - is there a drm_pagemap just now
 * @mdev: the device
 *
 * Context: Process context.
 * Return: "none", "cached" for one without users, or "active".
 */
const char *mockgpu_pagemap_state(struct mockgpu_device *mdev)
{
	if (!atomic_read(&mdev->pagemaps))
		return "none";
	return mockgpu_pagemap_is_active(mdev) ? "active" : "cached";
}
