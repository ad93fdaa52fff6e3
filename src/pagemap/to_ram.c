// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a CPU fault and an eviction have in common on the way home. */
#include <linux/migrate.h>
#include <linux/pagemap.h>

#include <drm/drm_pagemap.h>

#include "job.h"
#include "large.h"
#include "to_ram.h"
#include "zdd.h"
#include "../stats.h"

/**
 * gsb_to_ram_wanted() - does this collected page go home with the others?
 * @src: migrate entry of a collected page
 * @zdd: the allocation that is brought home
 *
 * After mremap() a window of addresses can show pages of other allocations,
 * and a page can be alive although its contents have long moved: neither may
 * be copied.
 *
 * Context: The page is locked.
 * Return: true if it is one to move.
 */
bool gsb_to_ram_wanted(unsigned long src, const struct drm_pagemap_zdd *zdd)
{
	struct page *page = migrate_pfn_to_page(src);

	if (!page || !(src & MIGRATE_PFN_MIGRATE))
		return false;
	return gsb_page_zdd(page) == zdd && !gsb_page_retired(page);
}

/**
 * gsb_to_ram_can_move() - and can it, without a CPU fault's reference on it?
 * @src: migrate entry of a collected page
 * @zdd: the allocation that is brought home
 *
 * Context: The page is locked.
 * Return: true if it is one to move and nobody else holds it.
 */
bool gsb_to_ram_can_move(unsigned long src, const struct drm_pagemap_zdd *zdd)
{
	return gsb_to_ram_wanted(src, zdd) &&
	       !gsb_page_is_held(migrate_pfn_to_page(src));
}

/**
 * gsb_to_ram_place() - give one device page its place in RAM
 * @job: job towards RAM
 * @i: index of the device page
 * @from: the device page
 * @to: fresh RAM page, owned by the job from now on
 *
 * Context: May sleep, though nobody else can have the lock.
 */
void gsb_to_ram_place(struct gsb_job *job, unsigned long i, struct page *from,
		      struct page *to)
{
	lock_page(to);
	job->dst[i] = migrate_pfn(page_to_pfn(to));
	job->device[i] = from;
	job->other[i] = to;
}

/**
 * gsb_to_ram_account() - after the commit: retire and count what moved
 * @job: job towards RAM, committed but not finalized
 *
 * A reference that somebody still holds keeps a device page alive for a while;
 * it is marked so that everyone knows that there is nothing left in it to move.
 *
 * Context: The pages are still locked.
 */
void gsb_to_ram_account(struct gsb_job *job)
{
	unsigned long i, n, moved = 0, large = 0;

	for (i = 0; i < job->npages; i += n) {
		n = gsb_dst_pages(job->dst[i]);
		if (!gsb_job_has_moved(job, i))
			continue;
		gsb_page_retire(job->device[i]);
		moved += n;
		large += n > 1;
	}
	gsb_stat_add(GSB_STAT_PAGES_TO_RAM, moved);
	gsb_stat_add(GSB_STAT_LARGE_TO_RAM, large);
}
