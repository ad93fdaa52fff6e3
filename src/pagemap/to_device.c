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

static int gsb_get_frames(struct gsb_job *job)
{
	struct drm_pagemap_devmem *devmem = job->devmem;
	unsigned long i;
	int err;

	err = devmem->ops->populate_devmem_pfn(devmem, job->npages, job->pfn);
	if (err)
		return err;

	/* A frame the pagemap does not have would be somebody else's page. */
	for (i = 0; i < job->npages; i++)
		if (WARN_ON_ONCE(!gsb_pagemap_has_pfn(devmem->dpagemap,
						      job->pfn[i])))
			return -EINVAL;
	return 0;
}

/*
 * From here on each placed page is one that finalize or gsb_job_unplace()
 * gives back through its free callback, which drops its reference.
 */
static void gsb_place(struct gsb_job *job, struct drm_pagemap_zdd *zdd)
{
	struct dev_pagemap *pagemap = job->devmem->dpagemap->pagemap;
	unsigned long i, placed = 0;

	gsb_zdd_get_many(zdd, job->npages);
	for (i = 0; i < job->npages; i++) {
		struct page *page;

		if (!gsb_moves(job, i))
			continue;
		page = pfn_to_page(job->pfn[i]);
		gsb_device_page_init(page, pagemap);
		gsb_page_set_zdd(page, zdd);
		job->device[i] = page;
		job->dst[i] = migrate_pfn(job->pfn[i]);
		placed++;
	}
	if (placed < job->npages)
		gsb_zdd_put_many(zdd, job->npages - placed);
	gsb_stat_add(GSB_STAT_LIVE_PAGES, placed);
}

static int gsb_place_and_copy(struct gsb_job *job, struct drm_pagemap_zdd *zdd)
{
	u64 start = gsb_trace_start();
	int err;

	err = gsb_get_frames(job);
	if (!err)
		gsb_place(job, zdd);
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
 * All or nothing: a page that cannot move spoils the range, unless it is in
 * the right memory already. Returns how many pages are to be moved.
 */
static long gsb_check_complete(struct gsb_to_device *call, struct gsb_job *job)
{
	int err;

	if (gsb_job_count(job, GSB_PAGE_STAYS)) {
		err = gsb_residency_mark(job, call->mm, call->start);
		if (err)
			return -EBUSY;
		if (gsb_job_count(job, GSB_PAGE_STAYS))
			return -EBUSY;
	}
	return job->npages - gsb_job_count(job, GSB_PAGE_RESIDENT);
}

/* Between setup and finalize: returns an error, or 0 if all pages moved. */
static int gsb_move_collected(struct gsb_to_device *call, struct gsb_job *job,
			      struct migrate_vma *migrate)
{
	long wanted;
	int err;

	gsb_sort(job);
	wanted = gsb_check_complete(call, job);
	if (wanted <= 0)
		return wanted;

	err = gsb_place_and_copy(job, call->zdd);
	if (err)
		return err;

	gsb_commit_vma(job, migrate);
	return gsb_account_moved(job) == wanted ? 0 : -EBUSY;
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

/*
 * A page that was swapped out cannot be collected. Neither can one that lies
 * in the memory of another device, which a CPU access brings home.
 */
static void gsb_fault_in(struct gsb_to_device *call, const struct gsb_job *job)
{
	unsigned int flags = call->vma->vm_flags & VM_WRITE ? FAULT_FLAG_WRITE :
							      0;
	unsigned long i;

	for (i = 0; i < job->npages; i++) {
		if (job->kind[i] != GSB_PAGE_STAYS)
			continue;
		if (fatal_signal_pending(current) ||
		    fixup_user_fault(call->mm, call->start + (i << PAGE_SHIFT),
				     flags, NULL))
			return;
	}
}

static int gsb_run(struct gsb_to_device *call, bool fault_in)
{
	unsigned long npages = (call->end - call->start) >> PAGE_SHIFT;
	struct gsb_job job;
	int err;

	err = gsb_job_init(&job, call->devmem, npages, GSB_CAUSE_POPULATE,
			   GFP_KERNEL);
	if (err)
		return err;
	err = gsb_attempt(call, &job);
	if (err == -EBUSY && fault_in)
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
	err = gsb_run(call, true);
	if (err == -EBUSY)
		err = gsb_run(call, false);
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
 * Return: 0 if every page of the range is in device memory; -EOPNOTSUPP when
 * a required callback is missing; -EINVAL for a bad range; -ENOENT when
 * nothing is mapped at @start; -EBUSY when the mapping is not anonymous, or a
 * page is in use or was touched meanwhile; -ENOMEM; or what the driver's
 * callbacks returned. After an error no page has stayed in the allocation but
 * one that somebody else holds.
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
	gsb_zdd_put(call.zdd);
	return err;

drop:
	gsb_devmem_drop(devmem);
	return err;
}
EXPORT_SYMBOL_GPL(drm_pagemap_migrate_to_devmem);
