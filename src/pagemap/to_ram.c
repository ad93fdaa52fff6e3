// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a CPU fault and an eviction have in common on the way home. */
#include <linux/gfp.h>
#include <linux/log2.h>
#include <linux/mempolicy.h>
#include <linux/migrate.h>
#include <linux/mm.h>
#include <linux/pagemap.h>

#include <drm/drm_pagemap.h>

#include "job.h"
#include "large.h"
#include "to_ram.h"
#include "zdd.h"
#include "../stats.h"

/*
 * As large as a block can be that nobody has to make room for: larger ones are for
 * those who need them whole.
 */
#define GSB_RAM_ORDER	PAGE_ALLOC_COSTLY_ORDER
#define GSB_RAM_GFP	((GFP_HIGHUSER_MOVABLE & ~__GFP_RECLAIM) | __GFP_NOWARN)

/**
 * gsb_ram_init() - begin to take RAM pages for a job
 * @ram: filled
 * @vma: the mapping they are for; one that says on which node each page is to be
 *	has none side by side. NULL if that is not known
 *
 * Context: Any; mmap_lock held for reading if there is a mapping.
 */
void gsb_ram_init(struct gsb_ram *ram, const struct vm_area_struct *vma)
{
	*ram = (struct gsb_ram){ .apart = vma && vma_policy(vma) };
}

/**
 * gsb_ram_fini() - give back what was not used
 * @ram: what pages were taken from
 *
 * Context: Any.
 */
void gsb_ram_fini(struct gsb_ram *ram)
{
	for (; ram->left; ram->left--)
		put_page(ram->next++);
}

/* The pages of a block are each on their own from the beginning. */
static void gsb_ram_refill(struct gsb_ram *ram, unsigned int order)
{
	struct page *block = alloc_pages(GSB_RAM_GFP, order);

	ram->apart = !block;
	if (!block)
		return;
	split_page(block, order);
	ram->next = block;
	ram->left = 1UL << order;
}

/**
 * gsb_ram_take() - a page beside the one that was taken before
 * @ram: what pages are taken from
 * @most: how many can still be needed, with this one
 *
 * Nothing is reclaimed for it.
 *
 * Context: May allocate, does not sleep.
 * Return: A page with one reference; NULL when it has to be had alone.
 */
struct page *gsb_ram_take(struct gsb_ram *ram, unsigned long most)
{
	if (!ram->left && !ram->apart && most > 1)
		gsb_ram_refill(ram, min_t(unsigned int, ilog2(most),
					  GSB_RAM_ORDER));
	if (!ram->left)
		return NULL;
	ram->left--;
	return ram->next++;
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
