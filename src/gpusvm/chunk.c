// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How large a new range is. */
#include <linux/mm.h>

#include "gpusvm.h"
#include "peek.h"
#include "range.h"

/* @last is the last address of the chunk: its end could be 0. */
static bool gsb_chunk_inside(unsigned long first, unsigned long last,
			     unsigned long start, unsigned long end)
{
	return first >= start && last < end;
}

static bool gsb_chunk_fits(const struct gsb_lookup *lookup,
			   unsigned long chunk)
{
	const struct vm_area_struct *vma = lookup->vma;
	const struct drm_gpusvm_notifier *notifier = lookup->notifier;
	unsigned long first = ALIGN_DOWN(lookup->addr, chunk);
	unsigned long last = first + (chunk - 1);

	return gsb_chunk_inside(first, last, vma->vm_start, vma->vm_end) &&
	       gsb_chunk_inside(first, last, lookup->gpuva_start,
				lookup->gpuva_end) &&
	       first >= notifier->itree.start && last <= notifier->itree.last;
}

static bool gsb_chunk_overlaps(const struct gsb_lookup *lookup,
			       unsigned long chunk)
{
	unsigned long first = ALIGN_DOWN(lookup->addr, chunk);

	/* No range has the address, so none has its page. */
	if (chunk == PAGE_SIZE)
		return false;
	return drm_gpusvm_range_find(lookup->notifier, first, first + chunk);
}

/*
 * A chunk of many pages next to a few that are in use would bring in pages the
 * process never asked for. The one page that was asked for is always right.
 */
static bool gsb_chunk_is_populated(const struct gsb_lookup *lookup,
				   unsigned long chunk)
{
	unsigned long first = ALIGN_DOWN(lookup->addr, chunk);

	if (chunk == PAGE_SIZE || chunk > lookup->ctx->check_pages_threshold)
		return true;
	return gsb_peek_all_present(lookup->gpusvm->mm,
				    lookup->ctx->device_private_page_owner,
				    first, first + chunk);
}

/**
 * gsb_chunk_choose() - the largest chunk that will do
 * @lookup: a lookup that found no range; mmap_lock held for reading
 *
 * What the presence check refuses may still be the smallest there is: then it is
 * taken all the same.
 *
 * Context: May sleep. tree_lock held.
 * Return: Size in bytes; 0 when none fits.
 */
unsigned long gsb_chunk_choose(const struct gsb_lookup *lookup)
{
	const struct drm_gpusvm *gpusvm = lookup->gpusvm;
	unsigned long unpopulated = 0;
	int i;

	for (i = 0; i < gpusvm->num_chunks; i++) {
		unsigned long chunk = gpusvm->chunk_sizes[i];

		if (chunk < PAGE_SIZE)
			break;
		if (!gsb_chunk_fits(lookup, chunk) ||
		    gsb_chunk_overlaps(lookup, chunk))
			continue;
		if (gsb_chunk_is_populated(lookup, chunk))
			return chunk;
		unpopulated = chunk;
	}
	return unpopulated;
}
