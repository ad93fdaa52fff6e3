/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_GET_H
#define GSB_GPUSVM_GET_H

#include <linux/hmm.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/types.h>

#include "compat/iova.h"
#include "policy.h"

struct drm_gpusvm;
struct drm_gpusvm_ctx;
struct drm_gpusvm_map;
struct drm_gpusvm_pages;
struct mm_struct;
struct mmu_interval_notifier;

/*
 * One call of drm_gpusvm_get_pages(), over all its attempts.
 *
 * An attempt faults the pages in, takes the locks, sees whether what it found is
 * still so, and maps. What it prepared before it could know is here, and given
 * back at its end unless the mapping took it over.
 */
struct gsb_get {
	struct drm_gpusvm *gpusvm;
	struct drm_gpusvm_pages *pages;
	const struct drm_gpusvm_ctx *ctx;
	struct mm_struct *mm;
	struct mmu_interval_notifier *notifier;
	unsigned long start;
	unsigned long end;
	unsigned long npages;

	unsigned long *pfns;		/* of hmm_range_fault() */
	unsigned long seq;		/* of the notifier, at the fault */
	struct gsb_mix mix;		/* what the pages turned out to be */

	struct drm_gpusvm_map *map;	/* prepared, not used yet */
	struct gsb_iova iova;		/* likewise */

	unsigned long deadline;		/* jiffies; no attempt begins later */
	unsigned int attempts;
	unsigned int slow;		/* times a fault could not be had at once */
	unsigned int fetched;		/* times pages were brought home */
	unsigned int unshared;		/* times its own pages had to be copied */
	bool stuck;			/* the last fault was refused */
	bool missing;			/* for what is missing only, which may come */
	bool shared;			/* the last one found pages to be copied */
};

/*
 * How many pages from page @i on the CPU has as one: they lie side by side in one
 * folio, and what holds for one of them holds for all. What the CPU maps as one can
 * begin before the range and end behind it.
 */
static inline unsigned long gsb_get_block(const struct gsb_get *get,
					  unsigned long i)
{
	unsigned long npages = 1UL << hmm_pfn_to_map_order(get->pfns[i]);
	unsigned long within = ((get->start >> PAGE_SHIFT) + i) & (npages - 1);

	return min(npages - within, get->npages - i);
}

int gsb_fault(struct gsb_get *get);
int gsb_sort(struct gsb_get *get);

#endif
