// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Life of an allocation behind its device pages.
 *
 * The last page can go away under a page table lock or in an interrupt that
 * completes I/O on a coherent page: nothing here sleeps or takes a lock.
 */
#include <linux/dma-fence.h>
#include <linux/kernel.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "ops.h"
#include "zdd.h"
#include "../delay.h"
#include "../stats.h"

/**
 * gsb_devmem_drop() - let go of an allocation no page refers to
 * @devmem: the allocation; its release callback may free it
 *
 * Context: Any.
 */
void gsb_devmem_drop(struct drm_pagemap_devmem *devmem)
{
	const struct drm_pagemap_devmem_ops *ops = devmem->ops;

	gsb_delay_atomic();
	complete_all(&devmem->detached);
	gsb_delay_atomic();
	if (!ops->devmem_release)
		return;
	/* A callback that sleeps is found even where it could have. */
	non_block_start();
	ops->devmem_release(devmem);
	non_block_end();
}

/**
 * gsb_devmem_drop_fence() - what an allocation's memory waited for is over
 * @devmem: the allocation
 *
 * Context: Any, as long as nobody has seen pages of it that were filled after that.
 */
void gsb_devmem_drop_fence(struct drm_pagemap_devmem *devmem)
{
	dma_fence_put(xchg(&devmem->pre_migrate_fence, NULL));
}

/**
 * gsb_zdd_create() - make the object device pages will point to
 * @devmem: allocation; the caller's reference goes to the object
 *
 * Context: May sleep.
 * Return: An object with one reference, or NULL without memory; then the
 * allocation is still the caller's.
 */
struct drm_pagemap_zdd *gsb_zdd_create(struct drm_pagemap_devmem *devmem)
{
	struct drm_pagemap_zdd *zdd = kzalloc_obj(*zdd);

	if (!zdd)
		return NULL;
	refcount_set(&zdd->refs, 1);
	zdd->devmem = devmem;
	zdd->dpagemap = drm_pagemap_get(devmem->dpagemap);
	gsb_stat_add(GSB_STAT_LIVE_ZDD, 1);
	return zdd;
}

/**
 * gsb_zdd_put_many() - drop references; the last one frees the allocation
 * @zdd: the object
 * @count: references to drop
 *
 * Context: Any.
 */
void gsb_zdd_put_many(struct drm_pagemap_zdd *zdd, unsigned long count)
{
	struct drm_pagemap *dpagemap = zdd->dpagemap;

	if (!refcount_sub_and_test(count, &zdd->refs))
		return;
	gsb_devmem_drop(zdd->devmem);
	kfree(zdd);
	gsb_stat_sub(GSB_STAT_LIVE_ZDD, 1);
	drm_pagemap_put(dpagemap);
}

/**
 * drm_pagemap_page_to_dpagemap() - the pagemap a device page belongs to
 * @page: a page the caller keeps from being freed
 *
 * Context: Any.
 * Return: The pagemap, without a reference of its own; NULL for a page whose
 * provider does not use this module.
 */
struct drm_pagemap *drm_pagemap_page_to_dpagemap(struct page *page)
{
	struct drm_pagemap_zdd *zdd = gsb_page_zdd(page);

	return zdd ? zdd->dpagemap : NULL;
}
EXPORT_SYMBOL_GPL(drm_pagemap_page_to_dpagemap);

/**
 * drm_pagemap_devmem_init() - prepare an allocation for migration
 * @devmem: allocation, embedded in the driver's own object
 * @dev: device whose engine copies; the DMA API is called on it
 * @owner: address space it is meant for, as a tag only
 * @callbacks: what the driver does for it; they outlive the allocation
 * @provider: whose pages they are; the caller has a reference
 * @bytes: size, a multiple of the page size
 * @fence: to be waited for before the pages are written, or NULL; the
 *	reference goes with it
 *
 * Context: Any.
 */
void drm_pagemap_devmem_init(struct drm_pagemap_devmem *devmem,
			     struct device *dev, struct mm_struct *owner,
			     const struct drm_pagemap_devmem_ops *callbacks,
			     struct drm_pagemap *provider, size_t bytes,
			     struct dma_fence *fence)
{
	memset(devmem, 0, sizeof(*devmem));
	devmem->dpagemap = provider;
	devmem->size = bytes;
	devmem->ops = callbacks;
	devmem->dev = dev;
	devmem->mm = owner;
	devmem->pre_migrate_fence = fence;
	init_completion(&devmem->detached);
}
EXPORT_SYMBOL_GPL(drm_pagemap_devmem_init);
