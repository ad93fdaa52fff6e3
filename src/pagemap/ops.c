// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What core mm calls for a device page: it became free, or the CPU wants it. */
#include <linux/memremap.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "ops.h"
#include "zdd.h"
#include "../stats.h"

/*
 * Any context: references on coherent pages are dropped in interrupts too.
 *
 * When the page is used again it has a reference before it is locked, and until
 * then an eviction that comes by may lock it and look whose it is: nobody's.
 */
static void gsb_pages_free(struct page *page, unsigned long count)
{
	struct drm_pagemap_zdd *zdd = drm_pagemap_page_zone_device_data(page);

	WRITE_ONCE(page->zone_device_data, NULL);
	gsb_device_page_scrub(page);
	gsb_stat_sub(GSB_STAT_LIVE_PAGES, count);
	gsb_zdd_put_many(zdd, count);
}

#ifdef GSB_HAVE_FOLIO_FREE
static void gsb_folio_free(struct folio *folio)
{
	gsb_pages_free(folio_page(folio, 0), folio_nr_pages(folio));
}
#else
static void gsb_page_free(struct page *page)
{
	gsb_pages_free(page, 1);
}
#endif

#ifdef GSB_HAVE_LARGE_FOLIOS
/*
 * References are counted by the page, so a split changes none; each piece has
 * to find its way by itself. At the end the head is told once more, alone.
 */
static void gsb_folio_split(struct folio *head, struct folio *tail)
{
	if (!tail) {
		gsb_stat_add(GSB_STAT_LARGE_SPLIT, 1);
		return;
	}
	tail->page.mapping = head->page.mapping;
	tail->pgmap = head->pgmap;
	tail->page.zone_device_data = head->page.zone_device_data;
}
#endif

const struct dev_pagemap_ops gsb_pagemap_ops = {
#ifdef GSB_HAVE_FOLIO_FREE
	.folio_free = gsb_folio_free,
#else
	.page_free = gsb_page_free,
#endif
#ifdef GSB_HAVE_LARGE_FOLIOS
	.folio_split = gsb_folio_split,
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
