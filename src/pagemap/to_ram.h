/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_TO_RAM_H
#define GSB_PAGEMAP_TO_RAM_H

#include <linux/migrate.h>
#include <linux/types.h>

#include "zdd.h"

struct gsb_job;
struct page;
struct vm_area_struct;

/*
 * RAM pages for a job. Some that lie side by side are had at a time: that is one
 * allocation, and later one DMA mapping. What is not used is given back.
 */
struct gsb_ram {
	struct page *next;
	unsigned long left;	/* pages from @next on */
	bool apart;		/* side by side there are none, or not wanted */
};

void gsb_ram_init(struct gsb_ram *ram, const struct vm_area_struct *vma);
void gsb_ram_fini(struct gsb_ram *ram);
struct page *gsb_ram_take(struct gsb_ram *ram, unsigned long most);

/*
 * Does this collected page go home with the others of the allocation? After mremap()
 * a window of addresses can show pages of other allocations, and a page can be alive
 * although its contents have long moved: neither may be copied.
 */
static inline bool gsb_to_ram_wanted(unsigned long src,
				     const struct drm_pagemap_zdd *zdd)
{
	struct page *page = migrate_pfn_to_page(src);

	if (!page || !(src & MIGRATE_PFN_MIGRATE))
		return false;
	return gsb_page_zdd(page) == zdd && !gsb_page_retired(page);
}

/* And can it, without a CPU fault's reference on it, as nobody else holds it? */
static inline bool gsb_to_ram_can_move(unsigned long src,
				       const struct drm_pagemap_zdd *zdd)
{
	return gsb_to_ram_wanted(src, zdd) &&
	       !gsb_page_is_held(migrate_pfn_to_page(src));
}

void gsb_to_ram_place(struct gsb_job *job, unsigned long i, struct page *from,
		      struct page *to);
void gsb_to_ram_account(struct gsb_job *job);

#endif
