/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Device memory of a process: the drm_pagemap interface of Linux 7.3.
 *
 * Names, types and signatures are those the kernel publishes. What was added
 * stands at the end of its structure and is marked "Addition".
 */
#ifndef _DRM_GPUSVM_BACKPORT_PAGEMAP_H_
#define _DRM_GPUSVM_BACKPORT_PAGEMAP_H_

#ifdef _DRM_PAGEMAP_H_
#error "the kernel's own header came first: put our include/ before it in LINUXINCLUDE"
#endif
/* A later include of the kernel's header must not mix in a second set. */
#define _DRM_PAGEMAP_H_

#include <linux/bits.h>
#include <linux/completion.h>
#include <linux/dma-direction.h>
#include <linux/hmm.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/types.h>

#include <drm/drm_gpusvm_backport.h>

#define NR_PAGES(order) (1U << (order))

struct device;
struct dma_fence;
struct drm_device;
struct drm_pagemap;
struct drm_pagemap_cache;
struct drm_pagemap_dev_hold;
struct drm_pagemap_devmem;
struct drm_pagemap_zdd;

/**
 * enum drm_interconnect_protocol - how a device reaches a page
 * @DRM_INTERCONNECT_SYSTEM: through the DMA API, a system page
 * @DRM_INTERCONNECT_DRIVER: through a link only the driver understands
 *
 * Drivers number links of their own upwards from the last value.
 */
enum drm_interconnect_protocol {
	DRM_INTERCONNECT_SYSTEM,
	DRM_INTERCONNECT_DRIVER,
};

/**
 * struct drm_pagemap_addr - one address as a device sees it
 * @addr: DMA address, or whatever the driver's own link uses
 * @proto: an &enum drm_interconnect_protocol or a driver's own value
 * @order: the entry covers PAGE_SIZE << order bytes
 * @dir: the &enum dma_data_direction it was mapped for
 */
struct drm_pagemap_addr {
	dma_addr_t addr;
	u64 proto : 54;
	u64 order : 8;
	u64 dir : 2;
};

/**
 * drm_pagemap_addr_encode() - put the parts of an address together
 * @addr: DMA address, or whatever the driver's own link uses
 * @proto: how the address is reached
 * @order: the entry covers PAGE_SIZE << order bytes
 * @dir: direction of the mapping
 *
 * Context: Any.
 * Return: The filled entry.
 */
static inline struct drm_pagemap_addr
drm_pagemap_addr_encode(dma_addr_t addr, enum drm_interconnect_protocol proto,
			unsigned int order, enum dma_data_direction dir)
{
	struct drm_pagemap_addr entry = { .addr = addr };

	entry.proto = proto;
	entry.order = order;
	entry.dir = dir;
	return entry;
}

/**
 * struct drm_pagemap_ops - what a provider of device memory can do
 */
struct drm_pagemap_ops {
	/**
	 * @device_map: Make @page of this provider reachable for @dev.
	 *
	 * @order: 2^order pages are asked for. @dir: direction of access.
	 * The entry that comes back is later given to @device_unmap.
	 */
	struct drm_pagemap_addr (*device_map)(struct drm_pagemap *dpagemap,
					      struct device *dev,
					      struct page *page,
					      unsigned int order,
					      enum dma_data_direction dir);

	/**
	 * @device_unmap: Take back one mapping made by @device_map.
	 */
	void (*device_unmap)(struct drm_pagemap *dpagemap, struct device *dev,
			     const struct drm_pagemap_addr *addr);

	/**
	 * @populate_mm: Fill [@start, @end) of @mm with memory of this
	 * provider; what was there before moves along.
	 *
	 * Called with a user reference on @mm and its mmap_lock held for
	 * reading. Nothing promises that the pages are still there on return.
	 * A provider whose device is gone returns -ENODEV.
	 */
	int (*populate_mm)(struct drm_pagemap *dpagemap,
			   unsigned long start, unsigned long end,
			   struct mm_struct *mm, unsigned long timeslice_ms);

	/**
	 * @destroy: The last reference is gone. Free the object, or keep it
	 * for drm_pagemap_reinit().
	 *
	 * With @is_atomic_or_reclaim set the call may not sleep or allocate;
	 * a provider that needs to do either queues work and flushes it in
	 * its module exit. May run after the device was unbound.
	 */
	void (*destroy)(struct drm_pagemap *dpagemap,
			bool is_atomic_or_reclaim);
};

/**
 * struct drm_pagemap - a &struct dev_pagemap with an owner and a life
 * @ops: what the provider can do
 * @ref: reference count
 * @drm: the DRM device that has the memory
 * @pagemap: the pages
 * @dev_hold: keeps the device and its module while @ref is not zero
 * @cache: cache this object rests in when idle, or NULL
 * @shrink_link: place in that cache's list of idle objects
 */
struct drm_pagemap {
	const struct drm_pagemap_ops *ops;
	struct kref ref;
	struct drm_device *drm;
	struct dev_pagemap *pagemap;
	struct drm_pagemap_dev_hold *dev_hold;
	struct drm_pagemap_cache *cache;
	struct list_head shrink_link;
};

/**
 * struct drm_pagemap_devmem_ops - what a driver does for one allocation
 *
 * A range of pages reaches the copy callbacks as two arrays of @npages
 * entries: device pages, and addresses of system memory. An address of order
 * n stands for 2^n pages, contiguous on both sides, and the next 2^n - 1
 * entries are empty. Every other entry is valid; an address of 0 is an
 * address. The copy is complete when the callback returns.
 */
struct drm_pagemap_devmem_ops {
	/**
	 * @devmem_release: The last page is gone; free the allocation
	 * (optional). Must not sleep: it can run under a page table lock or
	 * in an interrupt. A @pre_migrate_fence that is still set is the
	 * callback's to drop.
	 */
	void (*devmem_release)(struct drm_pagemap_devmem *devmem_allocation);

	/**
	 * @populate_devmem_pfn: Write the frame numbers of the first @npages
	 * device pages to @pfn (required). The same answer every time.
	 */
	int (*populate_devmem_pfn)(struct drm_pagemap_devmem *devmem_allocation,
				   unsigned long npages, unsigned long *pfn);

	/**
	 * @copy_to_devmem: Copy from @pagemap_addr to @pages (required),
	 * once @pre_migrate_fence, if there is one, has signalled.
	 */
	int (*copy_to_devmem)(struct page **pages,
			      struct drm_pagemap_addr *pagemap_addr,
			      unsigned long npages,
			      struct dma_fence *pre_migrate_fence);

	/**
	 * @copy_to_ram: Copy from @pages to @pagemap_addr (required), once
	 * @pre_migrate_fence, if there is one, has signalled.
	 */
	int (*copy_to_ram)(struct page **pages,
			   struct drm_pagemap_addr *pagemap_addr,
			   unsigned long npages,
			   struct dma_fence *pre_migrate_fence);

	/**
	 * @clear_devmem: Addition. Fill @pages with zeroes (optional), once
	 * @pre_migrate_fence, if there is one, has signalled.
	 *
	 * Without it a page that has nothing to copy from is cleared by
	 * @copy_to_devmem, from a page of zeroes.
	 */
	int (*clear_devmem)(struct page **pages, unsigned long npages,
			    struct dma_fence *pre_migrate_fence);
};

int drm_pagemap_init(struct drm_pagemap *dpagemap, struct dev_pagemap *pagemap,
		     struct drm_device *drm, const struct drm_pagemap_ops *ops);
int drm_pagemap_reinit(struct drm_pagemap *dpagemap);
void drm_pagemap_put(struct drm_pagemap *dpagemap);
void drm_pagemap_destroy(struct drm_pagemap *dpagemap,
			 bool is_atomic_or_reclaim);
struct drm_pagemap *drm_pagemap_page_to_dpagemap(struct page *page);

/**
 * drm_pagemap_get() - take one more reference
 * @dpagemap: object the caller already has a reference on, or NULL
 *
 * Context: Any.
 * Return: @dpagemap.
 */
static inline struct drm_pagemap *drm_pagemap_get(struct drm_pagemap *dpagemap)
{
	if (dpagemap)
		kref_get(&dpagemap->ref);
	return dpagemap;
}

/**
 * drm_pagemap_get_unless_zero() - take a reference on what may be dying
 * @dpagemap: object whose memory is there but whose count may be 0, or NULL
 *
 * Context: Any.
 * Return: @dpagemap, or NULL when it was NULL or already dead.
 */
static inline struct drm_pagemap * __must_check
drm_pagemap_get_unless_zero(struct drm_pagemap *dpagemap)
{
	if (!dpagemap || !kref_get_unless_zero(&dpagemap->ref))
		return NULL;
	return dpagemap;
}

/**
 * struct drm_pagemap_devmem - one allocation of device memory
 * @dev: device whose engine copies, used for DMA mapping
 * @mm: tag of the address space it was made for; never dereferenced
 * @detached: complete when no page of the allocation is in use any more
 * @ops: what the driver does for it
 * @dpagemap: provider of the pages
 * @size: size in bytes
 * @timeslice_expiration: until then CPU faults leave it alone (jiffies64)
 * @pre_migrate_fence: to be signalled before the pages may be written; dropped
 *	and set to NULL by the first migration that succeeds
 */
struct drm_pagemap_devmem {
	struct device *dev;
	struct mm_struct *mm;
	struct completion detached;
	const struct drm_pagemap_devmem_ops *ops;
	struct drm_pagemap *dpagemap;
	size_t size;
	u64 timeslice_expiration;
	struct dma_fence *pre_migrate_fence;
};

/**
 * struct drm_pagemap_migrate_report - what came of a migration (Addition)
 * @moved: pages that went into the allocation
 * @resident: pages that were in the same pagemap's memory before
 * @stayed: pages that are where they were
 */
struct drm_pagemap_migrate_report {
	unsigned long moved;
	unsigned long resident;
	unsigned long stayed;
};

/**
 * struct drm_pagemap_migrate_details - how a migration to the device is done
 * @timeslice_ms: how long the pages stay at least, in ms (more than 50 count as 50)
 * @can_migrate_same_pagemap: the copy callback can copy between two
 *	allocations of this pagemap
 * @partial: Addition. Move what can be moved and leave the rest. The driver is
 *	asked once, by @populate_devmem_pfn, for just as many pages as will
 *	move, and may allocate them only then; the allocation's size becomes
 *	what was used.
 * @report: Addition. Where to tell what came of it; or NULL
 */
struct drm_pagemap_migrate_details {
	unsigned long timeslice_ms;
	u32 can_migrate_same_pagemap : 1;
	u32 partial : 1;
	struct drm_pagemap_migrate_report *report;
};

/* Set in zone_device_data once the page's contents have moved elsewhere. */
#define DRM_PAGEMAP_ZDD_FLAG_MIGRATED	BIT(0)
#define DRM_PAGEMAP_ZDD_FLAG_MASK	DRM_PAGEMAP_ZDD_FLAG_MIGRATED

void drm_pagemap_devmem_init(struct drm_pagemap_devmem *devmem_allocation,
			     struct device *dev, struct mm_struct *mm,
			     const struct drm_pagemap_devmem_ops *ops,
			     struct drm_pagemap *dpagemap, size_t size,
			     struct dma_fence *pre_migrate_fence);
int drm_pagemap_migrate_to_devmem(struct drm_pagemap_devmem *devmem_allocation,
				  struct mm_struct *mm,
				  unsigned long start, unsigned long end,
				  const struct drm_pagemap_migrate_details *mdetails);
int drm_pagemap_evict_to_ram(struct drm_pagemap_devmem *devmem_allocation);
int drm_pagemap_populate_mm(struct drm_pagemap *dpagemap,
			    unsigned long start, unsigned long end,
			    struct mm_struct *mm, unsigned long timeslice_ms);
const struct dev_pagemap_ops *drm_pagemap_pagemap_ops_get(void);

/**
 * drm_pagemap_page_zone_device_data() - what stands behind a device page
 * @page: page whose dev_pagemap uses drm_pagemap_pagemap_ops_get()
 *
 * The caller has checked whose page it is; of any other provider's page the
 * field means something else.
 *
 * Context: Any; the page must not be free.
 * Return: The object all pages of the allocation share.
 */
static inline struct drm_pagemap_zdd *
drm_pagemap_page_zone_device_data(struct page *page)
{
	unsigned long data = (unsigned long)compound_head(page)->zone_device_data;

	return (struct drm_pagemap_zdd *)(data & ~DRM_PAGEMAP_ZDD_FLAG_MASK);
}

#endif
