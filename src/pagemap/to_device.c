// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Migration into device memory.
 *
 * Lock order: mmap_lock (read, the caller's) -> page locks -> the driver's
 * engine lock. The pages are locked by migrate_vma_setup() and stay so until
 * migrate_vma_finalize().
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "evict.h"
#include "home.h"
#include "job.h"
#include "large.h"
#include "lists.h"
#include "linked.h"
#include "place.h"
#include "residency.h"
#include "vma.h"
#include "zdd.h"

/* Longer than this a process must not be kept from its own memory. */
#define GSB_TIMESLICE_MAX_MS	50UL

/* Who holds a page for a moment is waited for, who pins it is not. */
#define GSB_COLLECT_ATTEMPTS	3
#define GSB_COLLECT_PAUSE_US	500

/* So many owners of coherent memory in a range are told apart. */
#define GSB_FOREIGN_OWNERS	4

/* One call of drm_pagemap_migrate_to_devmem(), over all its attempts. */
struct gsb_to_device {
	struct drm_pagemap_devmem *devmem;
	struct drm_pagemap_zdd *zdd;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	bool partial;
	bool gather;		/* also what is in other allocations of ours */
	bool fetched;		/* what lay elsewhere, once is enough */
	bool again;		/* another attempt may do better */
	unsigned long linked;	/* pages that came over a link */
	unsigned long *used;	/* bitmap: frames that those have, or had */
	unsigned int attempts;
	struct drm_pagemap_migrate_report report;
};

static bool gsb_ops_complete(const struct drm_pagemap_devmem_ops *ops)
{
	return ops->populate_devmem_pfn && ops->copy_to_devmem &&
	       ops->copy_to_ram;
}

static int gsb_find_vma(struct gsb_to_device *call)
{
	unsigned long size = call->end - call->start;

	if (!PAGE_ALIGNED(call->start | call->end) ||
	    call->start >= call->end || size > call->devmem->size)
		return -EINVAL;

	call->vma = vma_lookup(call->mm, call->start);
	if (!call->vma)
		return -ENOENT;
	if (call->end > call->vma->vm_end)
		return -EINVAL;
	if (!vma_is_anonymous(call->vma))
		return -EBUSY;
	return 0;
}

/*
 * A page in the swap cache is left alone on every kernel: from 6.6 to 7.1 the
 * commit step frees its swap slot and then works on with what the slot left
 * behind, which leaks the page. No probe can tell a repaired kernel.
 */
static enum gsb_kind gsb_source_kind(unsigned long src)
{
	struct page *page = migrate_pfn_to_page(src);

	if (!(src & MIGRATE_PFN_MIGRATE))
		return GSB_PAGE_STAYS;
	if (!page)
		return GSB_PAGE_HOLE;
	return folio_test_swapcache(page_folio(page)) ? GSB_PAGE_STAYS :
							GSB_PAGE_SYSTEM;
}

/*
 * What KSM has merged must not even be collected: core mm finds its way back to
 * the mapping through what ksmd knows of it, which ksmd learns after it merged
 * the page, and forgets when it comes by during a migration. Of a mapping that
 * may have such pages only what is no page of RAM is taken.
 */
static bool gsb_may_be_merged(const struct vm_area_struct *vma)
{
	return vma->vm_flags & VM_MERGEABLE;
}

static void gsb_sort(struct gsb_job *job)
{
	unsigned long i = 0;

	while (i < job->npages)
		i += gsb_sort_entry(job, i, gsb_source_kind(job->src[i]));
}

/* Pages of ours, but not all: the rest of the range will not be with them. */
static bool gsb_scattered(const struct gsb_to_device *call,
			  const struct gsb_job *job)
{
	unsigned long resident = gsb_job_count(job, GSB_PAGE_RESIDENT);

	return call->gather && resident && resident < job->npages;
}

static bool gsb_can_fetch(const struct gsb_to_device *call,
			  const struct gsb_job *job)
{
	if (call->fetched)
		return false;
	return gsb_job_count(job, GSB_PAGE_ABSENT) ||
	       gsb_job_count(job, GSB_PAGE_LINKED) ||
	       gsb_job_count(job, GSB_PAGE_FOREIGN) ||
	       gsb_scattered(call, job);
}

/*
 * Some pages were not collected. Those that are in the right memory already
 * are fine. Those that lie elsewhere are fetched, before another attempt. Any
 * other spoils the range, unless a part of it will do: it may be in use for a
 * moment only, by compaction or in a list of pages on their way to the LRU.
 */
static int gsb_check_stayed(struct gsb_to_device *call, struct gsb_job *job)
{
	if (!gsb_job_count(job, GSB_PAGE_STAYS) &&
	    !gsb_job_count(job, GSB_PAGE_ABSENT))
		return 0;
	if (gsb_residency_sort(job, call->mm, call->start))
		return -EBUSY;

	call->again = gsb_can_fetch(call, job);
	if (call->again)
		return -EBUSY;
	if (call->partial || gsb_job_count(job, GSB_PAGE_RESIDENT) +
				     gsb_wanted(job) == job->npages)
		return 0;
	call->again = call->attempts < GSB_COLLECT_ATTEMPTS &&
		      !gsb_may_be_merged(call->vma);
	return -EBUSY;
}

static void gsb_report(struct gsb_to_device *call, const struct gsb_job *job,
		       unsigned long moved)
{
	unsigned long resident = gsb_job_count(job, GSB_PAGE_RESIDENT);
	/* What came over a link was found in its place by this attempt. */
	unsigned long linked = min(call->linked, resident);

	call->report.moved = moved + linked;
	call->report.resident = resident - linked;
	call->report.stayed = job->npages - moved - resident;
}

/* What came of it: all that was asked for, or enough of it. */
static int gsb_judge(const struct gsb_to_device *call)
{
	if (!call->report.stayed)
		return 0;
	return call->partial && call->report.moved ? 0 : -EBUSY;
}

/*
 * What came over a link is in its frame, and may be in use there even when the range
 * has another page by now: of a process that shares it, or of a pipe.
 */
static bool gsb_frames_are_fresh(const struct gsb_to_device *call,
				 const struct gsb_job *job)
{
	unsigned long i;

	if (!call->used)
		return true;
	for_each_set_bit(i, call->used, job->npages)
		if (gsb_moves(job, i))
			return false;
	return true;
}

/* Between collecting and finalizing. */
static int gsb_move_collected(struct gsb_to_device *call, struct gsb_job *job,
			      struct migrate_vma *migrate)
{
	unsigned long moved = 0;
	int err;

	gsb_sort(job);
	err = gsb_check_stayed(call, job);
	if (err)
		return err;
	if (!gsb_frames_are_fresh(call, job))
		return -EBUSY;

	if (gsb_wanted(job)) {
		err = gsb_place_and_copy(job, call->zdd, call->partial);
		if (err)
			return err;
		gsb_commit_vma(job, migrate);
		moved = gsb_account_placed(job);
	}
	gsb_report(call, job, moved);
	return gsb_judge(call);
}

static int gsb_attempt(struct gsb_to_device *call, struct gsb_job *job)
{
	struct migrate_vma migrate = {
		.vma = call->vma,
		.start = call->start,
		.end = call->end,
		.src = job->src,
		.dst = job->dst,
		.pgmap_owner = call->devmem->dpagemap->pagemap->owner,
		.flags = gsb_large_select(call->vma,
					  call->devmem->dpagemap->pagemap),
	};
	int err;

	if (!gsb_may_be_merged(call->vma))
		migrate.flags |= MIGRATE_VMA_SELECT_SYSTEM;
	err = gsb_collect_vma(job, &migrate);
	if (err)
		return err;

	err = gsb_move_collected(call, job, &migrate);
	gsb_finalize_vma(job, &migrate);
	gsb_trace_migrate(job, err);
	return err;
}

/* One write access of the CPU, if it may, to each page that is not present. */
static void gsb_fault_in_once(struct gsb_to_device *call,
			      const struct gsb_job *job)
{
	unsigned int flags = call->vma->vm_flags & VM_WRITE ? FAULT_FLAG_WRITE :
							      0;
	unsigned long i;

	for (i = 0; i < job->npages; i++) {
		if (job->kind[i] != GSB_PAGE_ABSENT)
			continue;
		if (fatal_signal_pending(current) ||
		    fixup_user_fault(call->mm, call->start + (i << PAGE_SHIFT),
				     flags, NULL))
			return;
	}
}

static void gsb_fault_in(struct gsb_to_device *call, const struct gsb_job *job)
{
	gsb_fault_in_once(call, job);
	if (gsb_large_wait_for_splits())
		gsb_fault_in_once(call, job);
}

/* The pagemap of page @i, with a reference, if it is a device's without a link. */
static struct dev_pagemap *gsb_foreign_pagemap(const struct gsb_job *job,
					       unsigned long i)
{
	if (job->kind[i] != GSB_PAGE_FOREIGN)
		return NULL;
	return gsb_get_dev_pagemap(job->pfn[i] & ~HMM_PFN_FLAGS);
}

/*
 * Coherent pages of devices without a link: nothing else would move them. All that an
 * owner has comes at once, so of a range there are as many calls as owners; when
 * these are more than a few it may be asked of some again.
 */
static void gsb_fetch_foreign(struct gsb_to_device *call,
			      const struct gsb_job *job)
{
	void *asked[GSB_FOREIGN_OWNERS] = { };
	unsigned int n = 0, k;
	unsigned long i;

	for (i = 0; i < job->npages; i++) {
		struct dev_pagemap *pagemap = gsb_foreign_pagemap(job, i);

		if (!pagemap)
			continue;
		for (k = 0; k < ARRAY_SIZE(asked); k++)
			if (asked[k] == pagemap->owner)
				break;
		if (k == ARRAY_SIZE(asked)) {
			asked[n++ % ARRAY_SIZE(asked)] = pagemap->owner;
			gsb_bring_home(call->vma, call->start + (i << PAGE_SHIFT),
				       call->end, pagemap->owner, NULL);
		}
		put_dev_pagemap(pagemap);
	}
}

/*
 * A peer's pages come over the link, or home if they do not. Of a partial
 * migration the driver was promised to be asked for frames once: home.
 */
static void gsb_fetch_linked(struct gsb_to_device *call,
			     const struct gsb_job *job)
{
	const struct drm_pagemap *dpagemap = call->devmem->dpagemap;
	bool scattered = gsb_scattered(call, job);

	if (!gsb_job_count(job, GSB_PAGE_LINKED) && !scattered)
		return;
	if (!call->partial)
		call->used = bitmap_zalloc((call->end - call->start) >> PAGE_SHIFT,
					   GFP_KERNEL);
	if (call->used)
		call->linked = gsb_move_linked(call->zdd, call->vma,
					       call->start, call->end,
					       scattered, call->used);
	gsb_bring_home(call->vma, call->start, call->end,
		       dpagemap->pagemap->owner, dpagemap);
}

/* Before another attempt: what can be done about the pages that stayed. */
static void gsb_help(struct gsb_to_device *call, const struct gsb_job *job)
{
	if (!gsb_can_fetch(call, job)) {
		gsb_lists_empty_sometimes();
		usleep_range(GSB_COLLECT_PAUSE_US, 2 * GSB_COLLECT_PAUSE_US);
		return;
	}
	gsb_fault_in(call, job);
	gsb_fetch_foreign(call, job);
	gsb_fetch_linked(call, job);
	call->fetched = true;
}

static int gsb_run(struct gsb_to_device *call)
{
	unsigned long npages = (call->end - call->start) >> PAGE_SHIFT;
	struct gsb_job job;
	int err;

	err = gsb_job_init(&job, call->devmem, npages, GSB_CAUSE_POPULATE,
			   GFP_KERNEL);
	if (err)
		return err;
	call->attempts++;
	call->again = false;
	err = gsb_attempt(call, &job);
	if (call->again)
		gsb_help(call, &job);
	gsb_job_fini(&job);
	return err;
}

/*
 * All or nothing: what moved although another page did not comes home. Our
 * reference is the only one while no page is in use.
 */
static void gsb_evict_leftovers(struct gsb_to_device *call)
{
	if (refcount_read(&call->zdd->refs) > 1)
		gsb_evict_once(call->devmem);
}

static int gsb_migrate(struct gsb_to_device *call)
{
	int err = gsb_find_vma(call);

	if (err)
		return err;
	do {
		err = gsb_run(call);
	} while (call->again && !fatal_signal_pending(current));
	if (err)
		gsb_evict_leftovers(call);
	return err;
}

/**
 * drm_pagemap_migrate_to_devmem() - move a range into an allocation
 * @devmem: where to; consumed, whatever the outcome: a caller that
 *	still needs its object afterwards has a reference of its own
 * @mm: address space of the range, mmap_lock held for reading
 * @start: first user address, page aligned
 * @end: user address behind the last byte, page aligned; the range lies in one
 *	mapping and is not larger than the allocation
 * @details: how to do it
 *
 * Pages without contents of their own are cleared. Pages that are in memory
 * of the same pagemap already count as moved, in whichever allocation.
 *
 * Context: May sleep. No lock may be held that a CPU fault, a page release or
 * the driver's copy engine needs.
 * Return: 0 if every page of the range is in device memory, or with
 * @details->partial at least one of them went there; -EOPNOTSUPP when a
 * required callback is missing; -EINVAL for a bad range; -ENOENT when nothing
 * is mapped at @start; -EBUSY when the mapping is not anonymous, or a page is
 * in use, was touched meanwhile or may be merged with others (MADV_MERGEABLE);
 * -ENOMEM; or what the driver's callbacks returned. After an error no page has
 * stayed in the allocation but one that somebody else holds.
 */
int drm_pagemap_migrate_to_devmem(struct drm_pagemap_devmem *devmem,
				  struct mm_struct *mm,
				  unsigned long start, unsigned long end,
				  const struct drm_pagemap_migrate_details *details)
{
	struct gsb_to_device call = {
		.devmem = devmem,
		.mm = mm,
		.start = start,
		.end = end,
		.partial = details->partial,
		.gather = details->can_migrate_same_pagemap &&
			  !details->partial,
		.report.stayed = (end - start) >> PAGE_SHIFT,
	};
	int err = -EOPNOTSUPP;

	mmap_assert_locked(mm);
	if (!gsb_ops_complete(devmem->ops))
		goto drop;

	err = -ENOMEM;
	call.zdd = gsb_zdd_create(devmem);
	if (!call.zdd)
		goto drop;

	call.zdd->timeslice_ms = min(details->timeslice_ms,
				     GSB_TIMESLICE_MAX_MS);
	err = gsb_migrate(&call);
	bitmap_free(call.used);
	if (details->report)
		*details->report = call.report;
	gsb_zdd_put(call.zdd);
	return err;

drop:
	gsb_devmem_drop(devmem);
	return err;
}
EXPORT_SYMBOL_GPL(drm_pagemap_migrate_to_devmem);
