// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Eviction: bring an allocation home without asking where it is mapped.
 *
 * Works from frame numbers; core mm finds all mappings by itself. So it needs
 * no mm (the process that made the allocation may be gone while a child still
 * uses the pages), no mmap_lock, and works while the device is unplugged.
 */
#include <linux/completion.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/sched.h>

#include <drm/drm_pagemap.h>

#include "compat/anon_vma.h"
#include "compat/compat.h"
#include "evict.h"
#include "job.h"
#include "large.h"
#include "lists.h"
#include "to_ram.h"
#include "zdd.h"

/*
 * One job's worth: bounds its memory, and the time until it reschedules. It has
 * to hold a large folio, which is larger where base pages are.
 */
#define GSB_EVICT_CHUNK		max(512UL, (unsigned long)GSB_LARGE_PAGES)
/* So many pages are evicted without memory for it. */
#define GSB_EVICT_FEW		8UL
/* A page somebody uses for a moment is worth waiting for, a pin is not. */
#define GSB_EVICT_ATTEMPTS	5
/* After this one it may be a processor's list that has the page. */
#define GSB_EVICT_PATIENT	2
#define GSB_EVICT_PAUSE_MS	4

/* Without a VMA core mm cannot split a folio: for a large one only a huge page. */
static bool gsb_evict_place_entry(struct gsb_job *job, unsigned long i,
				  struct page *from, struct gsb_ram *ram)
{
	struct page *page;

	if (gsb_src_pages(job->src[i]) > 1)
		return gsb_large_place(job, i, from,
				       GFP_TRANSHUGE | __GFP_RETRY_MAYFAIL);
	page = gsb_ram_take(ram, job->npages - i);
	if (!page)
		page = alloc_page(GFP_HIGHUSER_MOVABLE | __GFP_NOWARN);
	if (!page)
		return false;
	gsb_to_ram_place(job, i, from, page);
	return true;
}

/*
 * Which pages can be collected is only known once they are locked; whose they
 * are decides about each. A frame whose page is free has nothing behind it.
 */
static int gsb_evict_alloc(struct gsb_job *job, struct gsb_ram *ram)
{
	unsigned long i;

	for (i = 0; i < job->npages; i += gsb_src_pages(job->src[i])) {
		struct page *from = migrate_pfn_to_page(job->src[i]);
		struct drm_pagemap_zdd *zdd = from ? gsb_page_zdd(from) : NULL;

		if (!zdd || zdd->devmem != job->devmem ||
		    !gsb_to_ram_can_move(job->src[i], zdd))
			continue;
		if (!gsb_evict_place_entry(job, i, from, ram))
			return -ENOMEM;
	}
	return 0;
}

static void gsb_evict_collect(struct gsb_job *job)
{
	u64 start = gsb_trace_start();

	gsb_migrate_device_pfns(job->src, job->npages);
	gsb_trace_step(job, GSB_STEP_COLLECT, start, 0);
}

static int gsb_evict_place(struct gsb_job *job)
{
	u64 start = gsb_trace_start();
	struct gsb_ram ram;
	int err;

	gsb_ram_init(&ram, NULL);
	err = gsb_evict_alloc(job, &ram);
	gsb_ram_fini(&ram);
	return gsb_trace_step(job, GSB_STEP_PLACE, start, err);
}

static void gsb_evict_commit(struct gsb_job *job)
{
	u64 start = gsb_trace_start();

	migrate_device_pages(job->src, job->dst, job->npages);
	gsb_to_ram_account(job);
	gsb_trace_step(job, GSB_STEP_COMMIT, start, 0);

	start = gsb_trace_start();
	migrate_device_finalize(job->src, job->dst, job->npages);
	gsb_trace_step(job, GSB_STEP_FINALIZE, start, 0);
}

/*
 * What leads to the mappings of a chunk's pages, kept until all entries in page
 * tables are restored: the last process may end at any time. Neighbours mostly
 * share it.
 */
struct gsb_evict_pins {
	struct anon_vma **pin;		/* room for two for each page of a chunk */
	unsigned long count;
	unsigned long at;		/* the one that was found last */
};

static bool gsb_evict_pin(struct gsb_evict_pins *pins, struct folio *folio)
{
	struct anon_vma *anon;

	if (pins->count &&
	    gsb_anon_vma_leads_to(pins->pin[pins->count - 1], folio))
		return true;
	anon = gsb_anon_vma_get(folio);
	if (!anon)
		return false;
	pins->pin[pins->count++] = anon;
	return true;
}

static bool gsb_evict_is_pinned(struct gsb_evict_pins *pins,
				struct folio *folio)
{
	unsigned long n;

	for (n = 0; n < pins->count; n++) {
		if (gsb_anon_vma_was(pins->pin[pins->at], folio))
			return true;
		pins->at = (pins->at + 1) % pins->count;
	}
	return false;
}

static void gsb_evict_pin_again(struct gsb_evict_pins *pins,
				struct folio *folio)
{
	struct anon_vma *anon;

	if (gsb_evict_is_pinned(pins, folio))
		return;
	anon = gsb_anon_vma_get_again(folio, pins->pin[0]);
	if (anon)
		pins->pin[pins->count++] = anon;
}

/*
 * Before a page was locked its last process may have made it its own by writing to
 * it, and then another way leads to it than the one that was kept.
 */
static void gsb_evict_pin_collected(struct gsb_job *job,
				    struct gsb_evict_pins *pins)
{
	unsigned long i;

	pins->at = 0;
	for (i = 0; i < job->npages; i += gsb_src_pages(job->src[i])) {
		struct page *page = migrate_pfn_to_page(job->src[i]);

		if (page && (job->src[i] & MIGRATE_PFN_MIGRATE))
			gsb_evict_pin_again(pins, page_folio(page));
	}
}

static void gsb_evict_unpin(struct gsb_evict_pins *pins)
{
	while (pins->count)
		gsb_anon_vma_put(pins->pin[--pins->count]);
}

/*
 * How many frames from @pfn on are decided about as one: a large folio goes as a
 * whole, or not at all, as core mm moves all of it whatever is asked for. None if
 * the frame is free, or not the first of its folio; a free one can still look like
 * a part of the folio it last was in, and would make core mm pass over others.
 */
static unsigned long gsb_evict_unit(struct folio *folio, unsigned long pfn)
{
	if (folio_pfn(folio) != pfn || !folio_ref_count(folio))
		return 0;
	return folio_nr_pages(folio);
}

/*
 * Only frames that are in use and mapped are collected; those in between, as
 * somebody else moves them, are left for another attempt.
 */
static void gsb_evict_select(struct gsb_job *job, const unsigned long *pfn,
			     struct gsb_evict_pins *pins)
{
	unsigned long i, unit, n = 0;

	for (i = 0; i < job->npages; i += max(unit, 1UL)) {
		struct folio *folio = page_folio(pfn_to_page(pfn[i]));

		unit = gsb_evict_unit(folio, pfn[i]);
		if (!unit || unit > job->npages - i ||
		    !gsb_evict_pin(pins, folio))
			continue;
		memcpy(job->src + n, pfn + i, unit * sizeof(*pfn));
		n += unit;
	}
	job->npages = n;
}

static int gsb_evict_selected(struct gsb_job *job, struct gsb_evict_pins *pins)
{
	int err, short_of_memory;

	gsb_evict_collect(job);
	gsb_evict_pin_collected(job, pins);
	short_of_memory = gsb_evict_place(job);
	/* What has a place goes home all the same. */
	err = gsb_job_transfer(job);
	if (err)
		gsb_job_unplace(job);
	gsb_evict_commit(job);

	err = err ?: short_of_memory;
	gsb_trace_migrate(job, err);
	return err;
}

static int gsb_evict_chunk(struct drm_pagemap_devmem *devmem,
			   const unsigned long *pfn, unsigned long npages,
			   struct gsb_evict_pins *pins)
{
	struct gsb_job job;
	int err;

	err = gsb_job_init(&job, devmem, npages, GSB_CAUSE_EVICTION, GFP_KERNEL);
	if (err)
		return err;

	pins->count = 0;
	gsb_evict_select(&job, pfn, pins);
	gsb_delay();
	if (job.npages)
		err = gsb_evict_selected(&job, pins);
	gsb_evict_unpin(pins);
	gsb_job_fini(&job);
	return err;
}

/* A chunk ends before a large folio that does not fit into it: none is cut in two. */
static unsigned long gsb_evict_chunk_pages(const unsigned long *pfn,
					   unsigned long npages)
{
	unsigned long most = min(npages, GSB_EVICT_CHUNK);
	unsigned long i;

	if (!gsb_large_enabled() || most == npages)
		return most;
	for (i = most - 1; i; i--)
		if (IS_ALIGNED(pfn[i], GSB_LARGE_PAGES))
			return most - i < GSB_LARGE_PAGES ? i : most;
	return most;
}

static int gsb_evict_pfns(struct drm_pagemap_devmem *devmem,
			  const unsigned long *pfn, unsigned long npages,
			  struct gsb_evict_pins *pins)
{
	unsigned long i, n;
	int ret = 0;

	for (i = 0; i < npages; i += n) {
		int err;

		n = gsb_evict_chunk_pages(pfn + i, npages - i);
		err = gsb_evict_chunk(devmem, pfn + i, n, pins);
		/* The others may well move: go on, report the first. */
		if (err && !ret)
			ret = err;
		cond_resched();
	}
	return ret;
}

/* @room is for the frames and, of a chunk, for what leads to their mappings. */
static int gsb_evict_all(struct drm_pagemap_devmem *devmem,
			 unsigned long npages, unsigned long *room)
{
	struct gsb_evict_pins pins = {
		.pin = (struct anon_vma **)(room + npages),
	};
	int err;

	err = devmem->ops->populate_devmem_pfn(devmem, npages, room);
	return err ?: gsb_evict_pfns(devmem, room, npages, &pins);
}

/**
 * gsb_evict_once() - one attempt to bring every page of an allocation home
 * @devmem: the allocation; the caller keeps it alive
 *
 * Context: May sleep. No lock that a page release or the driver's copy engine
 * needs may be held.
 * Return: 0 when nothing went wrong, which does not mean that all pages could
 * be collected; -ENOMEM, or what the driver's callbacks returned.
 */
int gsb_evict_once(struct drm_pagemap_devmem *devmem)
{
	unsigned long npages = devmem->size >> PAGE_SHIFT;
	unsigned long few[3 * GSB_EVICT_FEW], *room = few;
	int err;

	if (npages > GSB_EVICT_FEW)
		room = kvmalloc_array(npages + 2 * min(npages, GSB_EVICT_CHUNK),
				      sizeof(*room), GFP_KERNEL | __GFP_NOWARN);
	if (!room)
		return -ENOMEM;
	err = gsb_evict_all(devmem, npages, room);
	if (room != few)
		kvfree(room);
	return err;
}

static bool gsb_evict_done(struct drm_pagemap_devmem *devmem)
{
	return wait_for_completion_timeout(&devmem->detached,
					   msecs_to_jiffies(GSB_EVICT_PAUSE_MS));
}

/**
 * drm_pagemap_evict_to_ram() - bring an allocation home
 * @devmem_allocation: allocation a migration was started for; the caller has
 *	a reference of its own on the driver's object
 *
 * Pages that somebody else holds are tried again a few times. Nothing is
 * promised about which pages have moved when an error is returned; each page
 * is whole, at one place or the other.
 *
 * Context: May sleep, for a bounded time. No lock that a page release or the
 * driver's copy engine needs may be held.
 * Return: 0 once no page of the allocation is in use; -EBUSY when somebody
 * keeps pages; -ENOMEM; or what the driver's callbacks returned.
 */
int drm_pagemap_evict_to_ram(struct drm_pagemap_devmem *devmem_allocation)
{
	int attempt, err = 0;

	/* Who keeps pages in place for the rest of it gives them up. */
	WRITE_ONCE(devmem_allocation->timeslice_expiration, 0);
	for (attempt = 0; attempt < GSB_EVICT_ATTEMPTS; attempt++) {
		if (completion_done(&devmem_allocation->detached))
			return 0;
		err = gsb_evict_once(devmem_allocation);
		if (gsb_evict_done(devmem_allocation))
			return 0;
		if (attempt == GSB_EVICT_PATIENT)
			gsb_lists_empty_all();
	}
	return err ?: -EBUSY;
}
EXPORT_SYMBOL_GPL(drm_pagemap_evict_to_ram);
