// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Device folios of the size of a huge page.
 *
 * They are young in core mm and therefore off unless asked for. One thing is
 * still missing there (7.3): a CPU fault comes with a reference on the folio,
 * and a folio with a reference too many is not split. So when there is no huge
 * page in RAM for it, a worker, who has no such reference, brings one of its
 * pages home, which splits it; what the CPU does until then is fault again.
 *
 * Lock order of the worker: page locks. It is waited for with mmap_lock held, so
 * it only tries to take that.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/workqueue.h>

#include <drm/drm_pagemap.h>

#include "home.h"
#include "large.h"

#ifdef GSB_HAVE_LARGE_FOLIOS

static bool gsb_large_folios;
module_param_named(large_folios, gsb_large_folios, bool, 0444);
MODULE_PARM_DESC(large_folios,
		 "Keep huge pages whole in device-private memory (default off)");

static unsigned int gsb_fail_large;
module_param_named_unsafe(fail_large, gsb_fail_large, uint, 0644);
MODULE_PARM_DESC(fail_large,
		 "For tests: so many huge pages in RAM are not to be had");

/* Threads that fault meanwhile are in the way, each for a moment. */
#define GSB_SPLIT_ATTEMPTS	1000
#define GSB_SPLIT_PAUSE_US	100

struct gsb_split {
	struct work_struct work;
	struct mm_struct *mm;		/* grabbed */
	struct drm_pagemap_zdd *zdd;	/* counted */
	unsigned long address;
};

static struct workqueue_struct *gsb_splits;
static atomic_t gsb_splits_pending = ATOMIC_INIT(0);

/**
 * gsb_large_init() - make what splits folios
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int gsb_large_init(void)
{
	if (!gsb_large_folios)
		return 0;
	gsb_splits = alloc_workqueue("gsb_split", WQ_UNBOUND, 0);
	return gsb_splits ? 0 : -ENOMEM;
}

/**
 * gsb_large_exit() - wait for the last split
 *
 * Context: Module exit.
 */
void gsb_large_exit(void)
{
	if (gsb_splits)
		destroy_workqueue(gsb_splits);
}

/**
 * gsb_large_enabled() - are large device folios made at all?
 *
 * Context: Any.
 * Return: true if they are.
 */
bool gsb_large_enabled(void)
{
	return gsb_large_folios;
}

/**
 * gsb_large_select() - is this mapping to be collected by the huge page?
 * @vma: the mapping
 * @pagemap: where its pages go
 *
 * Context: mmap_lock held for reading.
 * Return: A flag for &struct migrate_vma, or 0.
 */
unsigned long gsb_large_select(const struct vm_area_struct *vma,
			       const struct dev_pagemap *pagemap)
{
	if (!gsb_large_folios || pagemap->type != MEMORY_DEVICE_PRIVATE ||
	    (vma->vm_flags & VM_NOHUGEPAGE))
		return 0;
	return GSB_SELECT_COMPOUND;
}

static bool gsb_large_fails(void)
{
	if (likely(!READ_ONCE(gsb_fail_large)))
		return false;
	gsb_fail_large--;
	return true;
}

/**
 * gsb_large_place() - give a large device folio its place in RAM
 * @job: job towards RAM
 * @i: index of the folio's first page
 * @from: that page
 * @gfp: how to allocate
 *
 * Context: As @gfp allows.
 * Return: true if it has one; false when there is no huge page to be had.
 */
bool gsb_large_place(struct gsb_job *job, unsigned long i, struct page *from,
		     gfp_t gfp)
{
	struct folio *to;
	unsigned long k;

	to = gsb_large_fails() ? NULL : folio_alloc(gfp, GSB_LARGE_ORDER);
	if (!to)
		return false;
	folio_lock(to);
	for (k = 0; k < GSB_LARGE_PAGES; k++) {
		job->device[i + k] = from + k;
		job->other[i + k] = folio_page(to, k);
	}
	job->dst[i] = migrate_pfn(folio_pfn(to)) | GSB_PFN_COMPOUND;
	return true;
}

/* Anything but a large folio of the allocation means that it is done. */
static bool gsb_split_try(const struct gsb_split *split)
{
	struct dev_pagemap *pagemap = split->zdd->dpagemap->pagemap;
	struct vm_area_struct *vma;
	bool done = true;

	if (!mmap_read_trylock(split->mm))
		return false;
	vma = vma_lookup(split->mm, split->address);
	if (vma && vma_is_anonymous(vma))
		done = gsb_bring_home(vma, split->address,
				      split->address + PAGE_SIZE,
				      pagemap->owner, NULL);
	mmap_read_unlock(split->mm);
	return done;
}

static void gsb_split_run(const struct gsb_split *split)
{
	unsigned int i;

	for (i = 0; i < GSB_SPLIT_ATTEMPTS; i++) {
		if (gsb_split_try(split))
			return;
		usleep_range(GSB_SPLIT_PAUSE_US, 2 * GSB_SPLIT_PAUSE_US);
	}
}

static void gsb_split_work(struct work_struct *work)
{
	struct gsb_split *split = container_of(work, struct gsb_split, work);

	if (mmget_not_zero(split->mm)) {
		gsb_split_run(split);
		mmput_async(split->mm);
	}
	WRITE_ONCE(split->zdd->splitting, false);
	gsb_zdd_put(split->zdd);
	mmdrop(split->mm);
	kfree(split);
	atomic_dec(&gsb_splits_pending);
}

/**
 * gsb_large_split_later() - have the folio of a CPU fault split
 * @vmf: the fault; no huge page was to be had for its folio
 *
 * Without memory nothing happens, and the fault that follows asks again.
 *
 * Context: The CPU fault's.
 */
void gsb_large_split_later(struct vm_fault *vmf)
{
	struct drm_pagemap_zdd *zdd = gsb_page_zdd(vmf->page);
	struct gsb_split *split;

	if (!folio_test_large(page_folio(vmf->page)))
		return;
	split = kzalloc_obj(*split);
	if (!split)
		return;
	if (cmpxchg(&zdd->splitting, false, true)) {
		kfree(split);
		return;
	}
	split->mm = vmf->vma->vm_mm;
	mmgrab(split->mm);
	gsb_zdd_get_many(zdd, 1);
	split->zdd = zdd;
	split->address = vmf->address & PAGE_MASK;
	INIT_WORK(&split->work, gsb_split_work);
	atomic_inc(&gsb_splits_pending);
	queue_work(gsb_splits, &split->work);
}

/**
 * gsb_large_wait_for_splits() - wait for the folios of earlier faults
 *
 * Context: May sleep, for a bounded time; mmap_lock may be held for reading.
 * Return: true if there was one to wait for: faults are worth trying again.
 */
bool gsb_large_wait_for_splits(void)
{
	if (!atomic_read(&gsb_splits_pending))
		return false;
	flush_workqueue(gsb_splits);
	return true;
}

#endif
