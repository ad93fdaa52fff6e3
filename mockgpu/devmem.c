// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What the SVM module has the device do with an allocation.
 *
 * Works until memunmap_pages() is done, also when the device is unplugged:
 * pages must be able to come home.
 */
#include <linux/dma-fence.h>

#include <drm/drm_pagemap.h>

#include "devmem.h"
#include "device.h"
#include "heap.h"
#include "hw/hw.h"
#include "pagemap.h"
#include "populate.h"
#include "provider.h"
#include "vram.h"

typedef int (*mockgpu_copy_fn)(struct mockgpu_hw *hw, unsigned long first,
			       struct mockgpu_hw_addr addr,
			       unsigned long npages);

static struct mockgpu_device *mockgpu_devmem_device(struct page *page)
{
	return mockgpu_pagemap_device(drm_pagemap_page_to_dpagemap(page));
}

static int mockgpu_devmem_wait(struct dma_fence *fence)
{
	return fence ? dma_fence_wait(fence, false) : 0;
}

/* A hole becomes zeroes in VRAM, and is nothing on the way out of it. */
static int mockgpu_devmem_copy_hole(struct mockgpu_device *mdev,
				    struct page *page, unsigned long npages,
				    mockgpu_copy_fn copy)
{
	if (!page || copy != mockgpu_hw_copy_in)
		return 0;
	return mockgpu_hw_clear(mdev->hw, mockgpu_vram_index(&mdev->vram, page),
				npages);
}

static int mockgpu_devmem_copy_entry(struct mockgpu_device *mdev,
				     struct page *page, unsigned long npages,
				     const struct drm_pagemap_addr *addr,
				     mockgpu_copy_fn copy)
{
	if (mockgpu_provider_is_hole(addr))
		return mockgpu_devmem_copy_hole(mdev, page, npages, copy);
	return copy(mdev->hw, mockgpu_vram_index(&mdev->vram, page),
		    mockgpu_pagemap_bus(addr), npages);
}

/* The kernel's own leaves out what does not move. */
static struct page *mockgpu_devmem_first(struct page **pages)
{
	while (!*pages)
		pages++;
	return *pages;
}

static int mockgpu_devmem_copy(struct page **pages,
			       const struct drm_pagemap_addr *addr,
			       unsigned long npages, struct dma_fence *fence,
			       mockgpu_copy_fn copy)
{
	struct mockgpu_device *mdev =
		mockgpu_devmem_device(mockgpu_devmem_first(pages));
	unsigned long i, n;
	int ret;

	ret = mockgpu_devmem_wait(fence);
	if (ret)
		return ret;

	ret = mockgpu_hw_copy_begin(mdev->hw);
	for (i = 0; i < npages && !ret; i += n) {
		n = mockgpu_provider_npages(pages[i], &addr[i]);
		ret = mockgpu_devmem_copy_entry(mdev, pages[i], n, &addr[i],
						copy);
	}
	return ret;
}

static int mockgpu_devmem_copy_in(struct page **pages,
				  struct drm_pagemap_addr *addr,
				  unsigned long npages,
				  struct dma_fence *fence)
{
	struct mockgpu_device *mdev = mockgpu_devmem_device(pages[0]);

	if (READ_ONCE(mdev->knobs.skip_copy))
		return 0;
	return mockgpu_devmem_copy(pages, addr, npages, fence,
				   mockgpu_hw_copy_in);
}

static int mockgpu_devmem_copy_out(struct page **pages,
				   struct drm_pagemap_addr *addr,
				   unsigned long npages,
				   struct dma_fence *fence)
{
	return mockgpu_devmem_copy(pages, addr, npages, fence,
				   mockgpu_hw_copy_out);
}

/* How many pages from the first on are one piece of VRAM. */
static unsigned long mockgpu_devmem_run(struct page **pages,
					unsigned long npages)
{
	unsigned long first = page_to_pfn(pages[0]);
	unsigned long run = 1;

	while (run < npages && page_to_pfn(pages[run]) == first + run)
		run++;
	return run;
}

static int __maybe_unused
mockgpu_devmem_clear(struct page **pages, unsigned long npages,
		     struct dma_fence *fence)
{
	struct mockgpu_device *mdev = mockgpu_devmem_device(pages[0]);
	unsigned long i, run;
	int ret;

	ret = mockgpu_devmem_wait(fence);
	if (ret || READ_ONCE(mdev->knobs.skip_clear))
		return ret;

	ret = mockgpu_hw_copy_begin(mdev->hw);
	for (i = 0; i < npages && !ret; i += run) {
		run = mockgpu_devmem_run(pages + i, npages - i);
		ret = mockgpu_hw_clear(mdev->hw,
				       mockgpu_vram_index(&mdev->vram, pages[i]),
				       run);
	}
	return ret;
}

/* In a partial migration it is only now known how many pages will move. */
static int mockgpu_devmem_populate(struct drm_pagemap_devmem *devmem,
				   unsigned long npages, unsigned long *pfn)
{
	struct mockgpu_alloc *alloc = mockgpu_alloc_from_devmem(devmem);
	struct mockgpu_device *mdev = alloc->mdev;
	unsigned long i;
	int ret;

	if (mockgpu_hw_knob_hits(&mdev->knobs.fail_populate))
		return -ENOMEM;

	ret = alloc->npages ? 0 : mockgpu_heap_take(alloc, npages);
	if (ret == -ENOSPC)
		mockgpu_populate_want(mdev, npages);
	if (ret)
		return ret;
	if (npages > alloc->npages)
		return -EINVAL;

	for (i = 0; i < npages; i++)
		pfn[i] = mdev->vram.first_pfn + mockgpu_heap_page(alloc, i);
	return 0;
}

static void mockgpu_devmem_release(struct drm_pagemap_devmem *devmem)
{
	/* Still there if no migration succeeded. */
	dma_fence_put(devmem->pre_migrate_fence);
	devmem->pre_migrate_fence = NULL;
	mockgpu_heap_put(mockgpu_alloc_from_devmem(devmem));
}

static const struct drm_pagemap_devmem_ops mockgpu_devmem_ops_clearing = {
	.devmem_release = mockgpu_devmem_release,
	.populate_devmem_pfn = mockgpu_devmem_populate,
	.copy_to_devmem = mockgpu_devmem_copy_in,
	.copy_to_ram = mockgpu_devmem_copy_out,
	MOCKGPU_PROVIDER_CLEAR(mockgpu_devmem_clear)
};

/* The SVM module then has the device copy zeroes. */
static const struct drm_pagemap_devmem_ops mockgpu_devmem_ops_copying = {
	.devmem_release = mockgpu_devmem_release,
	.populate_devmem_pfn = mockgpu_devmem_populate,
	.copy_to_devmem = mockgpu_devmem_copy_in,
	.copy_to_ram = mockgpu_devmem_copy_out,
};

/**
 * mockgpu_devmem_ops() - what the SVM module is to know of the device
 * @mdev: the device
 *
 * Context: Any.
 * Return: the operations for the next allocation.
 */
const struct drm_pagemap_devmem_ops *
mockgpu_devmem_ops(const struct mockgpu_device *mdev)
{
	return READ_ONCE(mdev->knobs.no_clear_op) ?
	       &mockgpu_devmem_ops_copying : &mockgpu_devmem_ops_clearing;
}
