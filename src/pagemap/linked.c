// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Fetch pages straight from the memory of a device with a fast link.
 *
 * This is a collection of its own, of device pages only: on kernels from 6.15
 * to 7.0 one that mixes device and system pages can wait for a processor that
 * is busy retrying a fault on one of them.
 *
 * Lock order: as for a migration to the device, to_device.c.
 */
#include <linux/bitmap.h>
#include <linux/migrate.h>
#include <linux/mm.h>

#include <drm/drm_pagemap.h>

#include "job.h"
#include "large.h"
#include "linked.h"
#include "place.h"
#include "vma.h"
#include "zdd.h"

static enum gsb_kind gsb_linked_kind(const struct drm_pagemap *to,
				     unsigned long src, bool gather)
{
	struct page *page = migrate_pfn_to_page(src);
	struct drm_pagemap_zdd *zdd;

	if (!page || !(src & MIGRATE_PFN_MIGRATE))
		return GSB_PAGE_STAYS;
	zdd = gsb_page_zdd(page);
	if (!zdd || gsb_page_retired(page) || gsb_page_is_held(page))
		return GSB_PAGE_STAYS;
	if (zdd->dpagemap == to && !gather)
		return GSB_PAGE_RESIDENT;
	return zdd->dpagemap->ops->device_map ? GSB_PAGE_PEER : GSB_PAGE_STAYS;
}

static void gsb_linked_retire(const struct gsb_job *job, unsigned long *used)
{
	unsigned long i, n;

	for (i = 0; i < job->npages; i += n) {
		n = gsb_dst_pages(job->dst[i]);
		if (!gsb_job_has_moved(job, i))
			continue;
		gsb_page_retire(job->other[i]);
		bitmap_set(used, i, n);
	}
}

static unsigned long gsb_linked_move(struct gsb_job *job,
				     struct drm_pagemap_zdd *zdd,
				     struct migrate_vma *migrate, bool gather,
				     unsigned long *used)
{
	unsigned long i = 0;

	while (i < job->npages)
		i += gsb_sort_entry(job, i, gsb_linked_kind(zdd->dpagemap,
							    job->src[i],
							    gather));
	if (!gsb_job_count(job, GSB_PAGE_PEER) ||
	    gsb_place_and_copy(job, zdd, false))
		return 0;
	gsb_commit_vma(job, migrate);
	gsb_linked_retire(job, used);
	return gsb_account_placed(job);
}

/**
 * gsb_move_linked() - move what a peer has of a range, as far as it goes
 * @zdd: allocation to move into
 * @vma: mapping of the range, mmap_lock held for reading
 * @start: first user address, page aligned
 * @end: user address behind the last byte
 * @gather: also what is in other allocations of the same pagemap
 * @used: bitmap, where the frames of those that moved are set
 *
 * What could not be moved is where it was; the caller looks again.
 *
 * Context: May sleep. No lock may be held that a page release or the driver's
 * copy engine needs.
 * Return: Number of pages that moved.
 */
unsigned long gsb_move_linked(struct drm_pagemap_zdd *zdd,
			      struct vm_area_struct *vma, unsigned long start,
			      unsigned long end, bool gather,
			      unsigned long *used)
{
	struct migrate_vma migrate = {
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			 MIGRATE_VMA_SELECT_DEVICE_COHERENT |
			 gsb_large_select(vma, zdd->dpagemap->pagemap),
		.pgmap_owner = zdd->dpagemap->pagemap->owner,
		.start = start,
		.end = end,
		.vma = vma,
	};
	unsigned long moved = 0;
	struct gsb_job job;

	if (gsb_job_init(&job, zdd->devmem, (end - start) >> PAGE_SHIFT,
			 GSB_CAUSE_POPULATE, GFP_KERNEL))
		return 0;
	migrate.src = job.src;
	migrate.dst = job.dst;
	if (!gsb_collect_vma(&job, &migrate)) {
		moved = gsb_linked_move(&job, zdd, &migrate, gather, used);
		gsb_finalize_vma(&job, &migrate);
		gsb_trace_migrate(&job, 0);
	}
	gsb_job_fini(&job);
	return moved;
}
