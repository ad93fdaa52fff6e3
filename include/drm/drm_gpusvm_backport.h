/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef _DRM_GPUSVM_BACKPORT_H_
#define _DRM_GPUSVM_BACKPORT_H_

#include <linux/types.h>

struct device;
struct drm_gpusvm_pages;
struct drm_pagemap;

/*
 * The kernel's own drm_gpusvm_helper exports the published names, so ours
 * carry a prefix in the symbol table. Driver source never sees it.
 */
#define drm_gpusvm_find_vma_start		gsb_drm_gpusvm_find_vma_start
#define drm_gpusvm_fini				gsb_drm_gpusvm_fini
#define drm_gpusvm_free_pages			gsb_drm_gpusvm_free_pages
#define drm_gpusvm_get_pages			gsb_drm_gpusvm_get_pages
#define drm_gpusvm_has_mapping			gsb_drm_gpusvm_has_mapping
#define drm_gpusvm_init				gsb_drm_gpusvm_init
#define drm_gpusvm_notifier_find		gsb_drm_gpusvm_notifier_find
#define drm_gpusvm_pages_valid			gsb_drm_gpusvm_pages_valid
#define drm_gpusvm_range_evict			gsb_drm_gpusvm_range_evict
#define drm_gpusvm_range_find			gsb_drm_gpusvm_range_find
#define drm_gpusvm_range_find_or_insert		gsb_drm_gpusvm_range_find_or_insert
#define drm_gpusvm_range_get			gsb_drm_gpusvm_range_get
#define drm_gpusvm_range_put			gsb_drm_gpusvm_range_put
#define drm_gpusvm_range_remove			gsb_drm_gpusvm_range_remove
#define drm_gpusvm_range_set_unmapped		gsb_drm_gpusvm_range_set_unmapped
#define drm_gpusvm_scan_mm			gsb_drm_gpusvm_scan_mm
#define drm_gpusvm_unmap_pages			gsb_drm_gpusvm_unmap_pages
#define drm_pagemap_acquire_owner		gsb_drm_pagemap_acquire_owner
#define drm_pagemap_cache_create_devm		gsb_drm_pagemap_cache_create_devm
#define drm_pagemap_cache_lock_lookup		gsb_drm_pagemap_cache_lock_lookup
#define drm_pagemap_cache_set_pagemap		gsb_drm_pagemap_cache_set_pagemap
#define drm_pagemap_cache_unlock_lookup		gsb_drm_pagemap_cache_unlock_lookup
#define drm_pagemap_destroy			gsb_drm_pagemap_destroy
#define drm_pagemap_devmem_init			gsb_drm_pagemap_devmem_init
#define drm_pagemap_evict_to_ram		gsb_drm_pagemap_evict_to_ram
#define drm_pagemap_get_from_cache		gsb_drm_pagemap_get_from_cache
#define drm_pagemap_get_from_cache_if_active	gsb_drm_pagemap_get_from_cache_if_active
#define drm_pagemap_init			gsb_drm_pagemap_init
#define drm_pagemap_migrate_to_devmem		gsb_drm_pagemap_migrate_to_devmem
#define drm_pagemap_page_to_dpagemap		gsb_drm_pagemap_page_to_dpagemap
#define drm_pagemap_pagemap_ops_get		gsb_drm_pagemap_pagemap_ops_get
#define drm_pagemap_populate_mm			gsb_drm_pagemap_populate_mm
#define drm_pagemap_put				gsb_drm_pagemap_put
#define drm_pagemap_reinit			gsb_drm_pagemap_reinit
#define drm_pagemap_release_owner		gsb_drm_pagemap_release_owner
#define drm_pagemap_shrinker_add		gsb_drm_pagemap_shrinker_add
#define drm_pagemap_shrinker_create_devm	gsb_drm_pagemap_shrinker_create_devm
#define drm_pagemap_shrinker_might_lock		gsb_drm_pagemap_shrinker_might_lock

/**
 * DRM_GPUSVM_BACKPORT_API - tells the backport from the kernel's own headers
 *
 * Defined only here, so that one driver source can use the additions below
 * when it is built against the backport and do without them in a kernel tree.
 * Grows with every addition.
 */
#define DRM_GPUSVM_BACKPORT_API 2

/**
 * enum drm_gpusvm_backport_tier - kinds of device memory a kernel can offer
 * @DRM_GPUSVM_BACKPORT_TIER_SYSTEM: no device memory; everything else works
 * @DRM_GPUSVM_BACKPORT_TIER_COHERENT: device pages the CPU reads in place
 * @DRM_GPUSVM_BACKPORT_TIER_PRIVATE: device pages that fault home on CPU access
 */
enum drm_gpusvm_backport_tier {
	DRM_GPUSVM_BACKPORT_TIER_SYSTEM,
	DRM_GPUSVM_BACKPORT_TIER_COHERENT,
	DRM_GPUSVM_BACKPORT_TIER_PRIVATE,
};

bool drm_gpusvm_backport_has_tier(enum drm_gpusvm_backport_tier tier);

/**
 * struct drm_gpusvm_backport_stats - what the module did and what is alive
 * @pages_to_device: pages moved or cleared into device memory
 * @pages_cleared: those of them that had no CPU page before
 * @pages_to_ram: pages moved home, by CPU fault or eviction
 * @cpu_faults: CPU faults on device-private pages that were handled
 * @live_pages: device pages in use now
 * @live_zdd: allocations that device pages still refer to now
 * @live_dma: DMA mappings held by migrations now
 * @live_holds: references held on provider devices and modules now
 * @invalidations: changes of the CPU's page table that drivers were told of
 * @pages_mapped: pages mapped for devices by drm_gpusvm_get_pages()
 * @live_ranges: ranges now, in their trees or only referenced
 * @live_notifiers: notifiers now
 * @live_mapped: pages mapped for devices now
 *
 * All are module-wide. The live values are zero when nothing is in use.
 */
struct drm_gpusvm_backport_stats {
	u64 pages_to_device;
	u64 pages_cleared;
	u64 pages_to_ram;
	u64 cpu_faults;
	u64 live_pages;
	u64 live_zdd;
	u64 live_dma;
	u64 live_holds;
	u64 invalidations;
	u64 pages_mapped;
	u64 live_ranges;
	u64 live_notifiers;
	u64 live_mapped;
};

void drm_gpusvm_backport_get_stats(struct drm_gpusvm_backport_stats *stats);

int drm_gpusvm_backport_check_dma(struct device *dev);
struct drm_pagemap *
drm_gpusvm_backport_provider(const struct drm_gpusvm_pages *pages,
			     unsigned long i);

#endif
