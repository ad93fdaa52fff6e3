// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The CPU touches a device-private page: bring it, and its neighbours, home.
 *
 * Lock order: mmap_lock (read, the fault's) -> page locks -> the driver's
 * engine lock. Nothing else may be taken here: a CPU fault happens anywhere,
 * also inside a driver's own copy_from_user().
 *
 * Kernels before 6.15 do not lock the page that faults. Each thread that
 * waits for it holds a reference, and each reference makes the page look
 * pinned to all others, so nobody may wait or do slow work before the page
 * is locked by the collection.
 */
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "drain.h"
#include "job.h"
#include "large.h"
#include "lists.h"
#include "ops.h"
#include "to_ram.h"
#include "vma.h"
#include "zdd.h"
#include "../stats.h"

/* What one fault brings home. */
struct gsb_window {
	unsigned long start;
	unsigned long end;
};

/*
 * The allocation as it would lie if the mapping had not moved since. Only a
 * hint: which of the pages in the window belong to it is checked for each.
 */
static struct gsb_window gsb_window_whole(const struct vm_fault *vmf,
					  const struct drm_pagemap_devmem *devmem)
{
	unsigned long size = roundup_pow_of_two(devmem->size);
	unsigned long start = ALIGN_DOWN(vmf->address, size);
	struct gsb_window window = {
		.start = max(start, vmf->vma->vm_start),
		.end = min(start + size, vmf->vma->vm_end),
	};

	return window;
}

/* The aligned part of a window, of at most @size bytes, that has the address. */
static struct gsb_window gsb_window_part(const struct vm_fault *vmf,
					 struct gsb_window window,
					 unsigned long size)
{
	unsigned long start = ALIGN_DOWN(vmf->address, size);

	window.start = max(window.start, start);
	window.end = min(window.end, start + size);
	return window;
}

/* Which page of a window that starts at @start. */
static unsigned long gsb_fault_index(const struct vm_fault *vmf,
				     unsigned long start)
{
	return ((vmf->address & PAGE_MASK) - start) >> PAGE_SHIFT;
}

/* The entry that has it: that of its large page, if it is in one. */
static unsigned long gsb_fault_entry(const struct gsb_job *job,
				     const struct vm_fault *vmf,
				     unsigned long start)
{
	unsigned long i = gsb_fault_index(vmf, start);
	unsigned long in_large = (vmf->address >> PAGE_SHIFT) % GSB_LARGE_PAGES;

	if (in_large <= i && gsb_src_pages(job->src[i - in_large]) > 1)
		return i - in_large;
	return i;
}

/* With @ram, only if memory is easy to have. */
static bool gsb_fault_place_entry(struct gsb_job *job,
				  const struct vm_fault *vmf,
				  unsigned long start, unsigned long i,
				  struct gsb_ram *ram)
{
	struct page *from = migrate_pfn_to_page(job->src[i]);
	struct page *page = NULL;
	gfp_t gfp = GFP_HIGHUSER_MOVABLE;

	if (gsb_src_pages(job->src[i]) > 1)
		return gsb_large_place(job, i, from, ram ? GFP_TRANSHUGE_LIGHT :
							   GFP_TRANSHUGE);
	if (ram) {
		gfp |= __GFP_NORETRY | __GFP_NOWARN;
		page = gsb_ram_take(ram, job->npages - i);
	}
	if (!page)
		page = alloc_page_vma(gfp, vmf->vma, start + (i << PAGE_SHIFT));
	if (!page)
		return false;
	gsb_to_ram_place(job, i, from, page);
	return true;
}

static void gsb_fault_place_others(struct gsb_job *job,
				   const struct vm_fault *vmf,
				   unsigned long start, unsigned long wanted)
{
	struct drm_pagemap_zdd *zdd = gsb_page_zdd(vmf->page);
	struct gsb_ram ram;
	unsigned long i;

	gsb_ram_init(&ram, vmf->vma);
	for (i = 0; i < job->npages; i += gsb_src_pages(job->src[i])) {
		gsb_job_breathe(i);
		if (i != wanted && gsb_to_ram_can_move(job->src[i], zdd) &&
		    !gsb_fault_place_entry(job, vmf, start, i, &ram))
			break;
	}
	gsb_ram_fini(&ram);
}

/*
 * The page that faulted must move, and is worth reclaim. Its neighbours are
 * brought along while memory is easy to have.
 */
static int gsb_fault_alloc(struct gsb_job *job, const struct vm_fault *vmf,
			   unsigned long start)
{
	const unsigned long wanted = gsb_fault_entry(job, vmf, start);

	if (!gsb_to_ram_wanted(job->src[wanted], gsb_page_zdd(vmf->page)))
		return 0;
	gsb_drain_wait_again(vmf->page);
	if (!gsb_fault_place_entry(job, vmf, start, wanted, NULL))
		return -ENOMEM;
	if (job->npages > 1)
		gsb_fault_place_others(job, vmf, start, wanted);
	return 0;
}

static int gsb_fault_place(struct gsb_job *job, const struct vm_fault *vmf,
			   unsigned long start)
{
	u64 begun = gsb_trace_start();

	return gsb_trace_step(job, GSB_STEP_PLACE, begun,
			      gsb_fault_alloc(job, vmf, start));
}

/* Nothing that sleeps or takes long may come before this (drain.c). */
static int gsb_fault_collect(struct gsb_job *job, const struct vm_fault *vmf,
			     struct migrate_vma *migrate)
{
	struct gsb_drain drain;
	int err;

	gsb_drain_wrongly();
	gsb_drain_begin(&drain, vmf->page,
			&job->src[gsb_fault_index(vmf, migrate->start)]);
	err = gsb_collect_vma(job, migrate);
	gsb_drain_end(&drain);
	return err;
}

/*
 * A race that was lost is no error: somebody else has moved the page or is
 * at it, and the access is simply tried again. If it stayed as somebody holds it, of
 * whom collecting lets one pass that the commit does not, it may be a list.
 */
static int gsb_fault_move(struct gsb_job *job, struct vm_fault *vmf,
			  struct gsb_window window)
{
	struct dev_pagemap *pagemap = gsb_page_pgmap(vmf->page);
	struct migrate_vma migrate = {
		.vma = vmf->vma,
		.start = window.start,
		.end = window.end,
		.src = job->src,
		.dst = job->dst,
		.pgmap_owner = pagemap->owner,
		/* Core mm would split what is not selected, and cannot in a fault. */
		.flags = MIGRATE_VMA_SELECT_DEVICE_PRIVATE |
			 (gsb_large_enabled() ? GSB_SELECT_COMPOUND : 0),
		.fault_page = vmf->page,
	};
	int err;

	err = gsb_fault_collect(job, vmf, &migrate);
	if (err)
		return err;

	err = gsb_fault_place(job, vmf, window.start);
	if (!err)
		err = gsb_job_transfer(job);
	if (err)
		gsb_job_unplace(job);
	gsb_commit_vma(job, &migrate);
	gsb_to_ram_account(job);
	gsb_finalize_vma(job, &migrate);
	gsb_trace_migrate(job, err);
	if (!err && !gsb_job_has_moved(job, gsb_fault_entry(job, vmf, window.start)))
		gsb_lists_empty_sometimes();
	return err;
}

static int gsb_fault_window(struct vm_fault *vmf,
			    struct drm_pagemap_devmem *devmem,
			    struct gsb_window window)
{
	unsigned long npages = (window.end - window.start) >> PAGE_SHIFT;
	struct gsb_job job;
	int err;

	err = gsb_job_init(&job, devmem, npages, GSB_CAUSE_CPU_FAULT,
			   GSB_FAULT_GFP | __GFP_NOWARN);
	if (err)
		return err;
	err = gsb_fault_move(&job, vmf, window);
	gsb_job_fini(&job);
	return err;
}

/*
 * A large job can lack memory, or room to map it for the device's engine, that a
 * smaller one does not need. For any other trouble there is the page itself only.
 */
static int gsb_fault_windows(struct vm_fault *vmf,
			     struct drm_pagemap_devmem *devmem)
{
	static const unsigned long sizes[] = { SZ_2M, SZ_64K, PAGE_SIZE };
	struct gsb_window window = gsb_window_whole(vmf, devmem);
	int err = gsb_fault_window(vmf, devmem, window);
	unsigned int i;

	if (err == -ENOMEM)
		gsb_large_split_later(vmf);
	for (i = 0; err && i < ARRAY_SIZE(sizes); i++) {
		if (window.end - window.start <= sizes[i] ||
		    (err != -ENOMEM && sizes[i] > PAGE_SIZE))
			continue;
		window = gsb_window_part(vmf, window, sizes[i]);
		err = gsb_fault_window(vmf, devmem, window);
	}
	return err;
}

static bool gsb_in_timeslice(const struct drm_pagemap_devmem *devmem)
{
	return time_before64(get_jiffies_64(),
			     READ_ONCE(devmem->timeslice_expiration));
}

#ifdef GSB_FAULT_PAGE_IS_LOCKED
/* In ticks, as an eviction, which waits for the page, may end it. */
static void gsb_fault_wait(const struct drm_pagemap_devmem *devmem)
{
	while (gsb_in_timeslice(devmem) && !fatal_signal_pending(current))
		schedule_timeout_killable(1);
}
#endif

/*
 * Keep the pages where they are for the rest of their timeslice, which is
 * short. An access by the kernel is not made to wait: it may hold anything.
 * On kernels that did not lock the page the fault is just taken again.
 */
static bool gsb_fault_must_wait(const struct vm_fault *vmf,
				const struct drm_pagemap_devmem *devmem)
{
	if (!gsb_in_timeslice(devmem) || !(vmf->flags & FAULT_FLAG_USER) ||
	    fatal_signal_pending(current))
		return false;
#ifdef GSB_FAULT_PAGE_IS_LOCKED
	gsb_fault_wait(devmem);
	return false;
#else
	return true;
#endif
}

#ifndef GSB_FAULT_PAGE_IS_LOCKED
/*
 * Who has the page locked may wait for this very processor. A user's access is taken
 * again by way of user space, where he gets it; hmm_range_fault() takes it again at
 * once, for as long as it is refused.
 */
static bool gsb_fault_is_taken(const struct vm_fault *vmf)
{
	if (!PageLocked(vmf->page))
		return false;
	if (!(vmf->flags & FAULT_FLAG_USER))
		cond_resched();
	return true;
}
#else
static bool gsb_fault_is_taken(const struct vm_fault *vmf)
{
	return false;
}
#endif

static vm_fault_t gsb_fault_result(int err)
{
	if (!err)
		return 0;
	return err == -ENOMEM ? VM_FAULT_OOM : VM_FAULT_SIGBUS;
}

/**
 * gsb_cpu_fault() - bring home what the CPU wants
 * @vmf: the fault; core mm has a reference on its page, which keeps the
 *	allocation behind it alive
 *
 * The whole allocation comes; when that cannot be done, an aligned part of it, at
 * last the one page.
 *
 * Context: mmap_lock held for reading. May sleep.
 * Return: 0 when the access is to be tried again, VM_FAULT_OOM when not even
 * one page is to be had, VM_FAULT_SIGBUS when the contents cannot be read.
 */
vm_fault_t gsb_cpu_fault(struct vm_fault *vmf)
{
	struct drm_pagemap_zdd *zdd = gsb_page_zdd(vmf->page);
	struct drm_pagemap_devmem *devmem = zdd->devmem;

	if (gsb_fault_is_taken(vmf) || gsb_large_is_splitting(zdd) ||
	    gsb_fault_must_wait(vmf, devmem))
		return 0;

	gsb_stat_add(GSB_STAT_CPU_FAULTS, 1);
	return gsb_fault_result(gsb_fault_windows(vmf, devmem));
}
