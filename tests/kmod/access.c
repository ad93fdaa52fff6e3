// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The driver's own devices: what they read and write goes through the DMA
 * addresses they were given, which without an IOMMU are where the memory is.
 */
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/uaccess.h>

#include <drm/drm_pagemap.h>

#include "space.h"

/* Under the notifier lock, so not the last one. */
struct drm_gpusvm_range *test_find(struct test_space *space, unsigned long addr)
{
	struct drm_gpusvm_notifier *notifier =
		drm_gpusvm_notifier_find(&space->gpusvm, addr, addr + 1);

	return notifier ? drm_gpusvm_range_find(notifier, addr, addr + 1) :
			  NULL;
}

static phys_addr_t test_phys(dma_addr_t dma)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(test_device);

	return domain ? iommu_iova_to_phys(domain, dma) : dma;
}

void test_copy(dma_addr_t dma, void *buffer, size_t size, bool write)
{
	struct page *page = pfn_to_page(PHYS_PFN(test_phys(dma)));
	void *memory = kmap_local_page(page) + offset_in_page(dma);

	if (write)
		memcpy(memory, buffer, size);
	else
		memcpy(buffer, memory, size);
	kunmap_local(memory);
}

/*
 * Find the address of page @wanted, and check on the way that the entries follow
 * each other and end where the range does.
 */
int test_translate(const struct drm_gpusvm_pages *pages, unsigned long npages,
		   unsigned long wanted, struct drm_pagemap_addr *found,
		   __u32 *entries)
{
	const struct drm_pagemap_addr *entry = pages->dma_addr;
	unsigned long i;

	*entries = 0;
	for (i = 0; i < npages; i += NR_PAGES(entry->order), entry++) {
		++*entries;
		if (wanted < i || wanted >= i + NR_PAGES(entry->order))
			continue;
		*found = *entry;
		found->addr += (wanted - i) << PAGE_SHIFT;
	}
	return i == npages && wanted < npages ? 0 : -EINVAL;
}

static int test_access_locked(struct test_space *space,
			      struct gpusvm_test_args *args, void *buffer)
{
	struct drm_gpusvm_range *range = test_find(space, args->addr);
	bool write = args->flags & GPUSVM_TEST_WRITE;
	struct drm_pagemap_addr found = {};
	struct drm_gpusvm_pages *pages;
	unsigned long offset;
	int err;

	if (!range)
		return -ENXIO;
	pages = &to_test_range(range)->pages[args->device];
	if (!drm_gpusvm_pages_valid(&space->gpusvm, pages))
		return -ENXIO;
	offset = args->addr - drm_gpusvm_range_start(range);
	err = test_translate(pages, test_range_pages(range),
			     offset >> PAGE_SHIFT, &found, &args->entries);
	if (err)
		return err;
	if (write && found.dir == DMA_TO_DEVICE)
		return -EACCES;
	args->dma = found.addr;
	test_copy(found.addr + offset_in_page(offset), buffer, args->size,
		  write);
	return 0;
}

int test_access(struct test_space *space, struct gpusvm_test_args *args)
{
	bool write = args->flags & GPUSVM_TEST_WRITE;
	void __user *user = u64_to_user_ptr(args->buffer);
	u8 buffer[64];
	int err;

	if (args->device >= GPUSVM_TEST_DEVICES ||
	    args->size > sizeof(buffer) ||
	    offset_in_page(args->addr) + args->size > PAGE_SIZE)
		return -EINVAL;
	if (write && copy_from_user(buffer, user, args->size))
		return -EFAULT;
	drm_gpusvm_notifier_lock(&space->gpusvm);
	err = test_access_locked(space, args, buffer);
	drm_gpusvm_notifier_unlock(&space->gpusvm);
	if (!err && !write && copy_to_user(user, buffer, args->size))
		return -EFAULT;
	return err;
}

static void test_count(const struct drm_gpusvm_pages *pages,
		       unsigned long npages, struct gpusvm_test_args *args)
{
	struct drm_pagemap *provider, *last = NULL;
	unsigned long i, at;

	args->entries = 0;
	args->linked = 0;
	args->providers = 0;
	for (i = 0, at = 0; at < npages; at += NR_PAGES(pages->dma_addr[i++].order)) {
		args->entries++;
		provider = drm_gpusvm_backport_provider(pages, i);
		if (!provider)
			continue;
		args->linked++;
		args->providers += provider != last;
		last = provider;
	}
	if (pages->dpagemap != (args->providers == 1 ? last : NULL) ||
	    pages->flags.has_devmem_pages != !!args->linked || at != npages)
		args->providers = 99;
}

int test_inspect(struct test_space *space, struct gpusvm_test_args *args)
{
	struct drm_gpusvm_pages *pages;
	struct drm_gpusvm_range *range;
	int err = -ENXIO;

	if (args->device >= GPUSVM_TEST_DEVICES)
		return -EINVAL;
	drm_gpusvm_notifier_lock(&space->gpusvm);
	range = test_find(space, args->addr);
	if (range) {
		pages = &to_test_range(range)->pages[args->device];
		if (drm_gpusvm_pages_valid(&space->gpusvm, pages)) {
			test_count(pages, test_range_pages(range), args);
			err = 0;
		}
	}
	drm_gpusvm_notifier_unlock(&space->gpusvm);
	return err;
}

int test_reach(struct gpusvm_test_args *args)
{
	if (!iommu_get_domain_for_dev(test_device))
		return -ENODEV;
	args->result = !!test_phys(args->dma);
	return 0;
}
