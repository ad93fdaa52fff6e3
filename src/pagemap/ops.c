// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What core mm calls for a device page: it became free, or the CPU wants it. */
#include <linux/memremap.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "ops.h"
#include "zdd.h"
#include "../stats.h"

/* Any context: references on coherent pages are dropped in interrupts too. */
static void gsb_page_free(struct page *page)
{
	struct drm_pagemap_zdd *zdd = drm_pagemap_page_zone_device_data(page);

	gsb_device_page_scrub(page);
	gsb_stat_sub(GSB_STAT_LIVE_PAGES, 1);
	gsb_zdd_put(zdd);
}

#ifdef GSB_HAVE_FOLIO_FREE
static void gsb_folio_free(struct folio *folio)
{
	gsb_page_free(folio_page(folio, 0));
}
#endif

static const struct dev_pagemap_ops gsb_pagemap_ops = {
#ifdef GSB_HAVE_FOLIO_FREE
	.folio_free = gsb_folio_free,
#else
	.page_free = gsb_page_free,
#endif
	.migrate_to_ram = gsb_cpu_fault,
};

/**
 * drm_pagemap_pagemap_ops_get() - the callbacks a provider gives core mm
 *
 * They go into &struct dev_pagemap.ops before memremap_pages(). They are also
 * how a page of ours is told from one of any other provider.
 *
 * Context: Any.
 * Return: The callbacks.
 */
const struct dev_pagemap_ops *drm_pagemap_pagemap_ops_get(void)
{
	return &gsb_pagemap_ops;
}
EXPORT_SYMBOL_GPL(drm_pagemap_pagemap_ops_get);
