// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Migration into device memory.
 *
 * Lock order: mmap_lock (read, the caller's) -> page locks -> the driver's
 * engine lock. The pages are locked by migrate_vma_setup() and stay so until
 * migrate_vma_finalize().
 */
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "evict.h"
#include "job.h"
#include "pagemap.h"
#include "residency.h"
#include "vma.h"
#include "zdd.h"
#include "../stats.h"

/* Longer than this a process must not be kept from its own memory. */
#define GSB_TIMESLICE_MAX_MS	50UL

/* One call of drm_pagemap_migrate_to_devmem(), over all its attempts. */
struct gsb_to_device {
	struct drm_pagemap_devmem *devmem;
	struct drm_pagemap_zdd *zdd;
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	bool partial;
	bool last_attempt;
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
static enum gsb_kind gsb_sort_entry(unsigned long src)
{
	struct page *page = migrate_pfn_to_page(src);

	if (!(src & MIGRATE_PFN_MIGRATE))
		return GSB_PAGE_STAYS;
	if (!page)
		return GSB_PAGE_HOLE;
	return folio_test_swapcache(page_folio(page)) ? GSB_PAGE_STAYS :
							GSB_PAGE_SYSTEM;
}

static void gsb_sort(struct gsb_job *job)
{
	unsigned long i;

	for (i = 0; i < job->npages; i++)
		job->kind[i] = gsb_sort_entry(job->src[i]);
}

static bool gsb_moves(const struct gsb_job *job, unsigned long i)
{
	return job->kind[i] == GSB_PAGE_HOLE || job->kind[i] == GSB_PAGE_SYSTEM;
}

static unsigned long gsb_wanted(const struct gsb_job *job)
{
	return gsb_job_count(job, GSB_PAGE_HOLE) +
	       gsb_job_count(job, GSB_PAGE_SYSTEM);
}

/* The first @count frames of the allocation. */
static int gsb_get_frames(struct gsb_job *job, unsigned long count)
{
	struct drm_pagemap_devmem *devmem = job->devmem;
	unsigned long i;
	int err;

	err = devmem->ops->populate_devmem_pfn(devmem, count, job->pfn);
	if (err)
		return err;

	/* A frame the pagemap does not have would be somebody else's page. */
	for (i = 0; i < count; i++)
		if (WARN_ON_ONCE(!gsb_pagemap_has_pfn(devmem->dpagemap,
						      job->pfn[i])))
			return -EINVAL;
	return 0;
}

/*
 * From here on each placed page is one that finalize or gsb_job_unplace()
 * gives back through its free callback, which drops its reference. @packed:
 * the allocation has no frames for pages that do not move.
 */
static void gsb_place(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
		      unsigned long count, bool packed)
{
	struct dev_pagemap *pagemap = job->devmem->dpagemap->pagemap;
	unsigned long i, placed = 0;

	gsb_zdd_get_many(zdd, count);
	gsb_stat_add(GSB_STAT_LIVE_PAGES, count);
	for (i = 0; placed < count; i++) {
		unsigned long pfn = job->pfn[packed ? placed : i];
		struct page *page = pfn_to_page(pfn);

		if (!gsb_moves(job, i))
			continue;
		gsb_device_page_init(page, pagemap);
		gsb_page_set_zdd(page, zdd);
		job->device[i] = page;
		job->dst[i] = migrate_pfn(pfn);
		placed++;
	}
}

static int gsb_get_and_place(struct gsb_to_device *call, struct gsb_job *job)
{
	unsigned long count = gsb_wanted(job);
	int err;

	err = gsb_get_frames(job, call->partial ? count : job->npages);
	if (err)
		return err;
	if (call->partial)
		call->devmem->size = count << PAGE_SHIFT;
	gsb_place(job, call->zdd, count, call->partial);
	return 0;
}

static int gsb_place_and_copy(struct gsb_to_device *call, struct gsb_job *job)
{
	u64 start = gsb_trace_start();
	int err = gsb_get_and_place(call, job);

	gsb_trace_step(job, GSB_STEP_PLACE, start, err);
	if (err)
		return err;

	err = gsb_job_transfer(job);
	if (err)
		gsb_job_unplace(job);
	return err;
}

static unsigned long gsb_account_moved(const struct gsb_job *job)
{
	unsigned long moved = gsb_job_moved(job), cleared = 0, i;

	for (i = 0; i < job->npages; i++)
		cleared += job->kind[i] == GSB_PAGE_HOLE &&
			   gsb_job_has_moved(job, i);
	gsb_stat_add(GSB_STAT_PAGES_TO_DEVICE, moved);
	gsb_stat_add(GSB_STAT_PAGES_CLEARED, cleared);
	return moved;
}

/*
 * Some pages were not collected. Those that are in the right memory already
 * are fine. Those a CPU access would help get one, before another attempt.
 * Any other spoils the range, unless a part of it will do.
 */
static int gsb_check_stayed(struct gsb_to_device *call, struct gsb_job *job)
{
	if (!gsb_job_count(job, GSB_PAGE_STAYS))
		return 0;
	if (gsb_residency_sort(job, call->mm, call->start))
		return -EBUSY;
	if (gsb_job_count(job, GSB_PAGE_ABSENT) && !call->last_attempt)
		return -EAGAIN;
	if (call->partial)
		return 0;
	return gsb_job_count(job, GSB_PAGE_STAYS) ||
	       gsb_job_count(job, GSB_PAGE_ABSENT) ? -EBUSY : 0;
}

static void gsb_report(struct gsb_to_device *call, const struct gsb_job *job,
		       unsigned long moved)
{
	call->report.moved = moved;
	call->report.resident = gsb_job_count(job, GSB_PAGE_RESIDENT);
	call->report.stayed = job->npages - moved - call->report.resident;
}

/* What came of it: all that was asked for, or enough of it. */
static int gsb_judge(const struct gsb_to_device *call)
{
	if (!call->report.stayed)
		return 0;
	return call->partial && call->report.moved ? 0 : -EBUSY;
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

	if (gsb_wanted(job)) {
		err = gsb_place_and_copy(call, job);
		if (err)
			return err;
		gsb_commit_vma(job, migrate);
		moved = gsb_account_moved(job);
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
		.flags = MIGRATE_VMA_SELECT_SYSTEM,
	};
	int err;

	err = gsb_collect_vma(job, &migrate);
	if (err)
		return err;

	err = gsb_move_collected(call, job, &migrate);
	gsb_finalize_vma(job, &migrate);
	gsb_trace_migrate(job, err);

	/* All or nothing: what moved although another page did not comes home. */
	if (err && gsb_job_moved(job))
		gsb_evict_once(call->devmem);
	return err;
}

/* One write access of the CPU, if it may, to each page that is not present. */
static void gsb_fault_in(struct gsb_to_device *call, const struct gsb_job *job)
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

static int gsb_run(struct gsb_to_device *call)
{
	unsigned long npages = (call->end - call->start) >> PAGE_SHIFT;
	struct gsb_job job;
	int err;

	err = gsb_job_init(&job, call->devmem, npages, GSB_CAUSE_POPULATE,
			   GFP_KERNEL);
	if (err)
		return err;
	err = gsb_attempt(call, &job);
	if (err == -EAGAIN)
		gsb_fault_in(call, &job);
	gsb_job_fini(&job);
	return err;
}

static u64 gsb_timeslice_end(const struct drm_pagemap_migrate_details *details)
{
	unsigned long ms = min(details->timeslice_ms, GSB_TIMESLICE_MAX_MS);

	return get_jiffies_64() + msecs_to_jiffies(ms);
}

static int gsb_migrate(struct gsb_to_device *call)
{
	int err = gsb_find_vma(call);

	if (err)
		return err;
	err = gsb_run(call);
	if (err == -EAGAIN) {
		call->last_attempt = true;
		err = gsb_run(call);
	}
	if (!err) {
		dma_fence_put(call->devmem->pre_migrate_fence);
		call->devmem->pre_migrate_fence = NULL;
	}
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
 * in use or was touched meanwhile; -ENOMEM; or what the driver's callbacks
 * returned. After an error no page has stayed in the allocation but one that
 * somebody else holds.
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

	devmem->timeslice_expiration = gsb_timeslice_end(details);
	err = gsb_migrate(&call);
	if (details->report)
		*details->report = call.report;
	gsb_zdd_put(call.zdd);
	return err;

drop:
	gsb_devmem_drop(devmem);
	return err;
}
EXPORT_SYMBOL_GPL(drm_pagemap_migrate_to_devmem);
