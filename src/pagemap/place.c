// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Device pages for what was collected, and its contents into them. */
#include <linux/migrate.h>
#include <linux/mm.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "job.h"
#include "pagemap.h"
#include "place.h"
#include "zdd.h"
#include "../stats.h"

/**
 * gsb_wanted() - how many pages of a job are to move
 * @job: job whose pages were sorted
 *
 * Context: Any.
 * Return: Number of pages.
 */
unsigned long gsb_wanted(const struct gsb_job *job)
{
	return gsb_job_count(job, GSB_PAGE_HOLE) +
	       gsb_job_count(job, GSB_PAGE_SYSTEM) +
	       gsb_job_count(job, GSB_PAGE_PEER);
}

/* How many of these frames follow each other. */
static unsigned long gsb_frames_in_row(const unsigned long *pfn,
				       unsigned long count)
{
	unsigned long n = 1;

	while (n < count && pfn[n] == pfn[0] + n)
		n++;
	return n;
}

/* The first @count frames of the allocation. */
static int gsb_get_frames(struct gsb_job *job, unsigned long count)
{
	struct drm_pagemap_devmem *devmem = job->devmem;
	unsigned long i, n;
	int err;

	err = devmem->ops->populate_devmem_pfn(devmem, count, job->pfn);
	if (err)
		return err;

	/* A frame the pagemap does not have would be somebody else's page. */
	for (i = 0; i < count; i += n) {
		n = gsb_pagemap_pfns_from(devmem->dpagemap, job->pfn[i]);
		if (WARN_ON_ONCE(!n))
			return -EINVAL;
		n = gsb_frames_in_row(job->pfn + i, min(n, count - i));
	}
	return 0;
}

static void gsb_place_page(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
			   unsigned long i, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);

	gsb_device_page_init(page, zdd->dpagemap->pagemap, 0);
	gsb_page_set_zdd(page, zdd);
	job->device[i] = page;
	job->dst[i] = migrate_pfn(pfn);
}

/* Do these frames make one large page? The driver gives them as it likes. */
static bool gsb_frames_are_large(const unsigned long *pfn)
{
	return GSB_LARGE_ORDER && IS_ALIGNED(pfn[0], GSB_LARGE_PAGES) &&
	       gsb_frames_in_row(pfn, GSB_LARGE_PAGES) == GSB_LARGE_PAGES;
}

static void gsb_place_large(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
			    unsigned long i, unsigned long pfn)
{
	struct page *page = pfn_to_page(pfn);
	unsigned long k;

	gsb_device_page_init(page, zdd->dpagemap->pagemap, GSB_LARGE_ORDER);
	gsb_page_set_zdd(page, zdd);
	for (k = 0; k < GSB_LARGE_PAGES; k++)
		job->device[i + k] = page + k;
	job->dst[i] = migrate_pfn(pfn) | GSB_PFN_COMPOUND;
}

/*
 * One source entry, into the frames that start at index @frame. Core mm splits
 * what is large at the source and finds small pages at the destination.
 */
static void gsb_place_entry(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
			    unsigned long i, unsigned long frame)
{
	unsigned long k, n = gsb_src_pages(job->src[i]);

	if (n > 1 && gsb_frames_are_large(job->pfn + frame)) {
		gsb_place_large(job, zdd, i, job->pfn[frame]);
		return;
	}
	for (k = 0; k < n; k++)
		gsb_place_page(job, zdd, i + k, job->pfn[frame + k]);
}

/*
 * From here on each placed page is one that finalize or gsb_job_unplace()
 * gives back through its free callback, which drops its reference.
 */
static void gsb_place(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
		      unsigned long count, bool packed)
{
	unsigned long i, n, placed = 0;

	gsb_zdd_get_many(zdd, count);
	gsb_stat_add(GSB_STAT_LIVE_PAGES, count);
	for (i = 0; placed < count; i += n) {
		n = gsb_src_pages(job->src[i]);
		gsb_job_breathe(i);
		if (!gsb_moves(job, i))
			continue;
		gsb_place_entry(job, zdd, i, packed ? placed : i);
		placed += n;
	}
}

static int gsb_get_and_place(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
			     bool packed)
{
	unsigned long count = gsb_wanted(job);
	size_t size = job->devmem->size;
	int err;

	/* As soon as the driver has frames, others may evict just these. */
	if (packed)
		job->devmem->size = count << PAGE_SHIFT;
	err = gsb_get_frames(job, packed ? count : job->npages);
	if (err) {
		job->devmem->size = size;
		return err;
	}
	gsb_place(job, zdd, count, packed);
	gsb_job_forget_frames(job);
	return 0;
}

/* The slice begins with the pages, whatever they had to wait for. */
static void gsb_start_timeslice(const struct drm_pagemap_zdd *zdd)
{
	u64 end = get_jiffies_64();

	if (zdd->timeslice_ms)
		end += msecs_to_jiffies(zdd->timeslice_ms) + 1;
	WRITE_ONCE(zdd->devmem->timeslice_expiration, end);
}

/**
 * gsb_place_and_copy() - place the pages that are to move, and fill them
 * @job: job whose pages were sorted
 * @zdd: the allocation they move into
 * @packed: ask the driver for just as many frames as will be used; else page
 *	i of the job has frame i of the allocation
 *
 * Context: May sleep.
 * Return: 0, then the commit follows; -ENOMEM, or what the driver's callbacks
 * returned: then nothing is placed.
 */
int gsb_place_and_copy(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
		       bool packed)
{
	u64 start = gsb_trace_start();
	int err = gsb_get_and_place(job, zdd, packed);

	gsb_trace_step(job, GSB_STEP_PLACE, start, err);
	if (err)
		return err;

	err = gsb_job_transfer(job);
	if (err) {
		gsb_job_unplace(job);
		return err;
	}
	gsb_start_timeslice(zdd);
	/* It was waited for; who brings the pages home does not look for it. */
	gsb_devmem_drop_fence(job->devmem);
	return 0;
}

/*
 * What the process gave up with MADV_FREE goes when it is clean, and nobody sees the
 * device write to it. The mark follows the contents wherever they are moved.
 */
static void gsb_keep_contents(const struct gsb_job *job, unsigned long i)
{
	folio_set_dirty(page_folio(job->device[i]));
}

/**
 * gsb_account_placed() - after the commit: mark and count what moved
 * @job: the job
 *
 * Context: Any; the pages are still locked.
 * Return: Number of pages that moved.
 */
unsigned long gsb_account_placed(const struct gsb_job *job)
{
	unsigned long moved = 0, large = 0, cleared = 0, i, n;

	for (i = 0; i < job->npages; i += n) {
		n = gsb_dst_pages(job->dst[i]);
		if (!gsb_job_has_moved(job, i))
			continue;
		gsb_keep_contents(job, i);
		moved += n;
		large += n > 1;
		if (job->kind[i] == GSB_PAGE_HOLE)
			cleared += n;
	}
	gsb_stat_add(GSB_STAT_PAGES_TO_DEVICE, moved);
	gsb_stat_add(GSB_STAT_LARGE_TO_DEVICE, large);
	gsb_stat_add(GSB_STAT_PAGES_CLEARED, cleared);
	return moved;
}
