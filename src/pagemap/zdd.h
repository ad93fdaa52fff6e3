/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_ZDD_H
#define GSB_PAGEMAP_ZDD_H

#include <linux/refcount.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "ops.h"

/*
 * What all device pages of one allocation share, reached through
 * page->zone_device_data. Each page in use holds a reference, and so does
 * the migration that made the object. It only points to what lives as long
 * as the device and its module do: pages outlive files, VMs and processes.
 */
struct drm_pagemap_zdd {
	refcount_t refs;
	struct drm_pagemap_devmem *devmem;
	struct drm_pagemap *dpagemap;	/* counted */
	unsigned int timeslice_ms;	/* how long its pages stay at least */
#ifdef GSB_HAVE_LARGE_FOLIOS
	bool splitting;			/* a worker is at one of its folios */
#endif
};

struct drm_pagemap_zdd *gsb_zdd_create(struct drm_pagemap_devmem *devmem);
void gsb_zdd_put_many(struct drm_pagemap_zdd *zdd, unsigned long count);
void gsb_devmem_drop(struct drm_pagemap_devmem *devmem);
void gsb_devmem_drop_fence(struct drm_pagemap_devmem *devmem);

/*
 * What stands behind a page that the caller keeps from being freed, or NULL for a page
 * that is not one of ours. Another provider keeps something else in the same field,
 * so whose page it is gets checked first.
 */
static inline struct drm_pagemap_zdd *gsb_page_zdd(struct page *page)
{
	if (!is_zone_device_page(page) ||
	    gsb_page_pgmap(page)->ops != &gsb_pagemap_ops)
		return NULL;
	return drm_pagemap_page_zone_device_data(page);
}

static inline void gsb_zdd_get_many(struct drm_pagemap_zdd *zdd,
				    unsigned long count)
{
	refcount_add(count, &zdd->refs);
}

static inline void gsb_zdd_put(struct drm_pagemap_zdd *zdd)
{
	gsb_zdd_put_many(zdd, 1);
}

/* Attach a folio, by its head, after its init; this also unretires it. */
static inline void gsb_page_set_zdd(struct page *page,
				    struct drm_pagemap_zdd *zdd)
{
	page->zone_device_data = zdd;
}

static inline void gsb_page_retire(struct page *page)
{
	struct page *head = compound_head(page);
	unsigned long data = (unsigned long)head->zone_device_data;

	head->zone_device_data =
		(void *)(data | DRM_PAGEMAP_ZDD_FLAG_MIGRATED);
}

/*
 * Of a device page that was collected: does somebody else hold it? Collecting
 * lets one reference too many pass, the commit after the copy does not.
 */
static inline bool gsb_page_is_held(const struct page *page)
{
	return page_count(page) > 1;
}

static inline bool gsb_page_retired(const struct page *page)
{
	return (unsigned long)compound_head(page)->zone_device_data &
	       DRM_PAGEMAP_ZDD_FLAG_MIGRATED;
}

#endif
