/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Every difference between kernels, and nothing else.
 *
 * The words GSB_HAVE_* come from the probes (probe.sh) and from macros the
 * kernel itself defines, never from version numbers: distributions backport.
 */
#ifndef GSB_COMPAT_H
#define GSB_COMPAT_H

#include <linux/bits.h>
#include <linux/memremap.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat/features.h"

/*
 * 1afaeb8293c9 ("mm/migrate: Trylock device page in do_swap_page") made core
 * mm lock the page before the CPU fault callback. It cannot be probed, but it
 * came with the release that also brought migrate_device_pfns().
 */
#ifdef GSB_HAVE_MIGRATE_DEVICE_PFNS
#define GSB_FAULT_PAGE_IS_LOCKED 1
#define GSB_FAULT_GFP	GFP_KERNEL
#else
#define GSB_FAULT_GFP	GFP_NOWAIT	/* no waiting with a stray reference */
#ifdef CONFIG_DEVICE_PRIVATE
#define GSB_NEEDS_DRAIN 1
#endif
#endif

/*
 * Large device folios came in 6.19 and were not right for some releases: stale
 * orders, a look at the folio after its free callback, leaks on the way into
 * the page table. No probe can see that; the first release that had all of the
 * fixes from the start also brought hmm_range_fault_unlocked_timeout().
 */
#if defined(GSB_HAVE_FOLIO_SPLIT) && defined(GSB_HAVE_HMM_FAULT_UNLOCKED) && \
	defined(GSB_HAVE_ZONE_DEVICE_PAGE_INIT_ORDER) && \
	defined(MIGRATE_PFN_COMPOUND) && defined(CONFIG_DEVICE_PRIVATE) && \
	defined(CONFIG_TRANSPARENT_HUGEPAGE) && \
	(defined(CONFIG_ARCH_HAS_PMD_SOFTLEAVES) || \
	 defined(CONFIG_ARCH_ENABLE_THP_MIGRATION))
#define GSB_HAVE_LARGE_FOLIOS	1
#define GSB_PFN_COMPOUND	MIGRATE_PFN_COMPOUND
#define GSB_SELECT_COMPOUND	MIGRATE_VMA_SELECT_COMPOUND
#define GSB_LARGE_ORDER		HPAGE_PMD_ORDER
#else
#define GSB_PFN_COMPOUND	0
#define GSB_SELECT_COMPOUND	0
#define GSB_LARGE_ORDER		0
#endif
#define GSB_LARGE_PAGES		BIT(GSB_LARGE_ORDER)

/* Typed allocation, and its first argument, are all that is used of it. */
#ifndef kzalloc_obj
#define kzalloc_obj(obj)	kzalloc(sizeof(obj), GFP_KERNEL)
#endif

/* Before Linux 6.6 there is none. */
#ifndef VM_SHADOW_STACK
#define VM_SHADOW_STACK	VM_NONE
#endif

/* The name was another, which now means a thread that does not run yet. */
#ifndef kthread_run_worker
#define kthread_run_worker	kthread_create_worker
#endif

/* The DMA API of a device can be replaced by its driver. */
#if defined(CONFIG_ARCH_HAS_DMA_OPS) || defined(CONFIG_DMA_OPS)
#define GSB_HAVE_DMA_OPS 1
#endif

/* 82ba975e4c43 ("mm: allow compound zone device pages") hid page->pgmap. */
static inline struct dev_pagemap *gsb_page_pgmap(const struct page *page)
{
#ifdef GSB_HAVE_PAGE_PGMAP_FN
	return page_pgmap(page);
#else
	return page->pgmap;
#endif
}

/* The pagemap of a device page with a reference, or NULL; it had a hint once. */
static inline struct dev_pagemap *gsb_get_dev_pagemap(unsigned long pfn)
{
#ifdef GSB_HAVE_GET_DEV_PAGEMAP_PFN
	return get_dev_pagemap(pfn);
#else
	return get_dev_pagemap(pfn, NULL);
#endif
}

/* Of a page of order 0. page_mapcount() is gone from newer kernels. */
static inline int gsb_page_mapcount(const struct page *page)
{
	return atomic_read(&page->_mapcount) + 1;
}

/*
 * Free device pages become a folio in use, locked. An eviction may have a second
 * reference for a moment. Large device folios gave the function two more
 * arguments; without, @order is 0.
 */
static inline void gsb_device_page_init(struct page *page,
					struct dev_pagemap *pgmap,
					unsigned int order)
{
#ifdef GSB_HAVE_ZONE_DEVICE_PAGE_INIT_ORDER
	zone_device_page_init(page, pgmap, order);
	if (order)
		folio_set_large_rmappable(page_folio(page));
#else
	zone_device_page_init(page);
#endif
	/* What migration relies on, should a kernel yet come to differ. */
	WARN_ON_ONCE(page_count(page) < 1 || !PageLocked(page));
}

/*
 * Flags a device page got from its last contents would go over to the next.
 * The newer zone_device_page_init() resets the page by itself.
 */
static inline void gsb_device_page_scrub(struct page *page)
{
#ifndef GSB_HAVE_ZONE_DEVICE_PAGE_INIT_ORDER
	struct folio *folio = page_folio(page);

	folio_clear_dirty(folio);
	folio_clear_referenced(folio);
	folio_clear_uptodate(folio);
	folio_clear_workingset(folio);
#endif
}

void gsb_migrate_device_pfns(unsigned long *pfns, unsigned long npages);

#endif
