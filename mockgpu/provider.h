/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PROVIDER_H
#define MOCKGPU_PROVIDER_H

/*
 * The SVM module that the driver is built against: this project's, or for a
 * comparison the kernel's own (MOCKGPU_KERNEL_SVM in Kbuild). What only this
 * project has is asked for through these functions; of the other it is not
 * there, and every one says so.
 */
#include <linux/errno.h>
#include <linux/kconfig.h>

#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>

#ifdef DRM_GPUSVM_BACKPORT_API

#include <drm/drm_gpusvm_backport.h>

#define MOCKGPU_PROVIDER_HAS_PARTIAL	true
/* Initialisers of fields that the other one does not have. */
#define MOCKGPU_PROVIDER_ALLOW_MULTIPLE	.allow_multiple = true,
#define MOCKGPU_PROVIDER_CLEAR(op)	.clear_devmem = (op),

static inline bool mockgpu_provider_has_private(void)
{
	return drm_gpusvm_backport_has_tier(DRM_GPUSVM_BACKPORT_TIER_PRIVATE);
}

static inline bool mockgpu_provider_has_coherent(void)
{
	return drm_gpusvm_backport_has_tier(DRM_GPUSVM_BACKPORT_TIER_COHERENT);
}

/* Can the device use memory where it is: 0, or why not. */
static inline int mockgpu_provider_check_dma(struct device *dev)
{
	return drm_gpusvm_backport_check_dma(dev);
}

static inline void
mockgpu_provider_ask(struct drm_pagemap_migrate_details *details, bool partial,
		     struct drm_pagemap_migrate_report *report)
{
	details->partial = partial;
	details->report = report;
}

/* What came of it, if the module did not say. */
static inline void
mockgpu_provider_tell(struct drm_pagemap_migrate_report *report,
		      unsigned long npages, int error)
{
}

/* Is the device told to copy a page that has nothing on the other side? */
static inline bool
mockgpu_provider_is_hole(const struct drm_pagemap_addr *addr)
{
	return false;
}

/* How many pages of the device one entry stands for. */
static inline unsigned long
mockgpu_provider_npages(struct page *page, const struct drm_pagemap_addr *addr)
{
	return NR_PAGES(addr->order);
}

#else

#define MOCKGPU_PROVIDER_HAS_PARTIAL	false
#define MOCKGPU_PROVIDER_ALLOW_MULTIPLE
#define MOCKGPU_PROVIDER_CLEAR(op)

/* Names and fields of the one there is not. */
struct drm_pagemap_migrate_report {
	unsigned long moved;
	unsigned long resident;
	unsigned long stayed;
};

struct drm_gpusvm_backport_stats {
	u64 pages_to_device;
	u64 pages_cleared;
	u64 pages_to_ram;
	u64 cpu_faults;
	u64 live_pages;
	u64 live_zdd;
};

static inline void
drm_gpusvm_backport_get_stats(struct drm_gpusvm_backport_stats *stats)
{
	*stats = (struct drm_gpusvm_backport_stats){};
}

static inline bool mockgpu_provider_has_private(void)
{
	return IS_ENABLED(CONFIG_DEVICE_PRIVATE);
}

static inline bool mockgpu_provider_has_coherent(void)
{
	return false;
}

static inline int mockgpu_provider_check_dma(struct device *dev)
{
	return 0;
}

static inline void
mockgpu_provider_ask(struct drm_pagemap_migrate_details *details, bool partial,
		     struct drm_pagemap_migrate_report *report)
{
}

static inline void
mockgpu_provider_tell(struct drm_pagemap_migrate_report *report,
		      unsigned long npages, int error)
{
	report->moved = error ? 0 : npages;
	report->stayed = npages - report->moved;
}

/* It gives no address for what was never written, or does not move. */
static inline bool
mockgpu_provider_is_hole(const struct drm_pagemap_addr *addr)
{
	return !addr->addr;
}

/* Nor an order for a large page that was never written. */
static inline unsigned long
mockgpu_provider_npages(struct page *page, const struct drm_pagemap_addr *addr)
{
	return page && !addr->addr ? compound_nr(page) : NR_PAGES(addr->order);
}

#endif

#endif
