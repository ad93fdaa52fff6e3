/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_VRAM_H
#define MOCKGPU_VRAM_H

#include <linux/memremap.h>
#include <linux/mm.h>

#include <drm/drm_pagemap_util.h>

struct mockgpu_device;

/**
 * struct mockgpu_vram - VRAM as pages of the kernel
 * @pagemap: the device pages
 * @peer: the device among those that may have links to it
 * @resource: for the private tier: the addresses that stand for VRAM
 * @first_pfn: frame number of VRAM page 0
 * @npages: how many
 */
struct mockgpu_vram {
	struct dev_pagemap pagemap;
	struct drm_pagemap_peer peer;
	struct resource *resource;
	unsigned long first_pfn;
	unsigned long npages;
};

int mockgpu_vram_init(struct mockgpu_device *mdev);
void mockgpu_vram_fini(struct mockgpu_device *mdev);
void *mockgpu_vram_owner(unsigned int index);

/**
 * mockgpu_vram_owns() - is this a page of this VRAM
 * @vram: the VRAM
 * @page: any page
 *
 * Context: Any.
 * Return: true if it is.
 */
static inline bool mockgpu_vram_owns(const struct mockgpu_vram *vram,
				     const struct page *page)
{
	return page_to_pfn(page) - vram->first_pfn < vram->npages;
}

/**
 * mockgpu_vram_index() - from a device page to its number in VRAM
 * @vram: the VRAM
 * @page: a page it owns
 *
 * Context: Any.
 * Return: the number of the VRAM page.
 */
static inline unsigned long mockgpu_vram_index(const struct mockgpu_vram *vram,
					       const struct page *page)
{
	return page_to_pfn(page) - vram->first_pfn;
}

#endif
