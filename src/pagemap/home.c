// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Bring the device pages of a range home, private or coherent.
 *
 * A CPU access does that for private pages only: coherent ones are there for
 * the CPU already. The pages of a range may belong to several allocations,
 * each with its own engine, so one pass moves those of one allocation.
 *
 * Lock order: as for a migration to the device, to_device.c.
 */
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm_pagemap.h>

#include "home.h"
#include "job.h"
#include "large.h"
#include "to_ram.h"
#include "vma.h"
#include "zdd.h"

/* What is looked through again for each allocation; no large page is cut in two. */
#define GSB_HOME_STEP	max_t(unsigned long, SZ_2M, PMD_SIZE)

struct gsb_home {
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	void *owner;
	const struct drm_pagemap *except;
};

static struct drm_pagemap_zdd *gsb_home_zdd(const struct gsb_home *home,
					    unsigned long src)
{
	struct page *page = migrate_pfn_to_page(src);
	struct drm_pagemap_zdd *zdd = page ? gsb_page_zdd(page) : NULL;

	if (!zdd || zdd->dpagemap == home->except ||
	    !gsb_to_ram_can_move(src, zdd))
		return NULL;
	return zdd;
}

/* Any allocation that still has pages here, and where the first of them end. */
static struct drm_pagemap_zdd *gsb_home_pick(const struct gsb_home *home,
					     const struct gsb_job *job,
					     unsigned long *behind)
{
	struct drm_pagemap_zdd *zdd = NULL;
	unsigned long i;

	for (i = 0; i < job->npages; i += gsb_src_pages(job->src[i])) {
		struct drm_pagemap_zdd *this = gsb_home_zdd(home, job->src[i]);

		if (zdd && this != zdd)
			break;
		zdd = this;
	}
	*behind = home->start + (i << PAGE_SHIFT);
	return zdd;
}

static void gsb_home_unplace(struct gsb_job *job, unsigned long i)
{
	unlock_page(job->other[i]);
	put_page(job->other[i]);
	job->dst[i] = 0;
	job->device[i] = NULL;
	job->other[i] = NULL;
}

/* @count small pages, for as many device pages from @from on, or none. */
static bool gsb_home_place_small(const struct gsb_home *home,
				 struct gsb_job *job, unsigned long i,
				 struct page *from, unsigned long count,
				 struct gsb_ram *ram)
{
	unsigned long k;

	for (k = i; k < i + count; k++) {
		struct page *page = gsb_ram_take(ram, job->npages - k);

		if (!page)
			page = alloc_page_vma(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN,
					      home->vma,
					      home->start + (k << PAGE_SHIFT));
		if (!page)
			break;
		gsb_to_ram_place(job, k, from++, page);
	}
	if (k == i + count)
		return true;
	while (k-- > i)
		gsb_home_unplace(job, k);
	return false;
}

/* Core mm splits a large folio that finds small pages at its destination. */
static bool gsb_home_place_entry(const struct gsb_home *home,
				 struct gsb_job *job, unsigned long i,
				 struct gsb_ram *ram)
{
	struct page *from = migrate_pfn_to_page(job->src[i]);
	unsigned long count = gsb_src_pages(job->src[i]);

	if (count > 1 && gsb_large_place(job, i, from, GFP_TRANSHUGE_LIGHT))
		return true;
	return gsb_home_place_small(home, job, i, from, count, ram);
}

static void gsb_home_place(const struct gsb_home *home, struct gsb_job *job,
			   const struct drm_pagemap_zdd *zdd)
{
	struct gsb_ram ram;
	unsigned long i;

	gsb_ram_init(&ram, home->vma);
	for (i = 0; i < job->npages; i += gsb_src_pages(job->src[i])) {
		gsb_job_breathe(i);
		if (gsb_to_ram_can_move(job->src[i], zdd) &&
		    !gsb_home_place_entry(home, job, i, &ram))
			break;
	}
	gsb_ram_fini(&ram);
}

/*
 * Returns how many pages came home: 0 when none is left, or none would move. Those of
 * other allocations, which the next pass looks at, may.
 */
static unsigned long gsb_home_move(struct gsb_home *home, struct gsb_job *job)
{
	struct migrate_vma migrate = {
		.vma = home->vma,
		.start = home->start,
		.end = home->end,
		.src = job->src,
		.dst = job->dst,
		.pgmap_owner = home->owner,
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			 MIGRATE_VMA_SELECT_DEVICE_COHERENT |
			 (gsb_large_enabled() ? GSB_SELECT_COMPOUND : 0),
	};
	unsigned long behind = home->end;
	struct drm_pagemap_zdd *zdd;

	if (gsb_collect_vma(job, &migrate)) {
		home->start = home->end;
		return 0;
	}
	zdd = gsb_home_pick(home, job, &behind);
	if (zdd) {
		job->devmem = zdd->devmem;
		gsb_home_place(home, job, zdd);
		if (gsb_job_transfer(job))
			gsb_job_unplace(job);
		gsb_commit_vma(job, &migrate);
		gsb_to_ram_account(job);
	}
	gsb_finalize_vma(job, &migrate);
	gsb_trace_migrate(job, 0);
	if (!gsb_job_moved(job))
		home->start = behind;
	return gsb_job_moved(job);
}

static unsigned long gsb_home_pass(struct gsb_home *home)
{
	unsigned long npages = (home->end - home->start) >> PAGE_SHIFT;
	unsigned long moved;
	struct gsb_job job;

	if (gsb_job_init(&job, NULL, npages, GSB_CAUSE_EVICTION, GFP_KERNEL)) {
		home->start = home->end;
		return 0;
	}
	moved = gsb_home_move(home, &job);
	gsb_job_fini(&job);
	return moved;
}

/* All that a step has, with as many passes as there are allocations. */
static bool gsb_home_step(struct gsb_home *home)
{
	unsigned long passes = (home->end - home->start) >> PAGE_SHIFT;
	bool moved = false;

	while (passes-- && home->start < home->end &&
	       !fatal_signal_pending(current)) {
		moved |= gsb_home_pass(home);
		cond_resched();
	}
	return moved;
}

/**
 * gsb_bring_home() - bring device pages of a range to RAM, as far as they go
 * @vma: mapping of the range, mmap_lock held for reading
 * @start: first user address, page aligned
 * @end: user address behind the last byte
 * @owner: owner field of the pagemaps to look at; nobody unregisters them
 *	meanwhile
 * @except: pagemap whose pages stay, or NULL
 *
 * It goes in steps, each of which ends with a pass that found nothing. So that others
 * who move the same pages back cannot keep this going, there are no more passes than
 * pages. What cannot be moved, as its copy fails, does not keep the rest from it.
 *
 * Context: May sleep. No lock may be held that a page release or the driver's
 * copy engine needs.
 * Return: true if any page came home.
 */
bool gsb_bring_home(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, void *owner,
		    const struct drm_pagemap *except)
{
	struct gsb_home home = { vma, start, end, owner, except };
	bool moved = false;

	for (; home.start < end; home.start = home.end) {
		home.end = min(end, ALIGN(home.start + 1, GSB_HOME_STEP));
		moved |= gsb_home_step(&home);
	}
	return moved;
}
