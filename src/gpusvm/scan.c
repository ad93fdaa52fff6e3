// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Where the memory of a range is: a hint for whoever decides to move it. */
#include <linux/hmm.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "compat/compat.h"
#include "gpusvm.h"
#include "peek.h"

struct gsb_scan {
	void *owner;
	const struct dev_pagemap *first;	/* pagemap found first; a tag only */
	bool several;
	bool device;
	bool system;
	bool absent;
};

/* Memory of a device without a link is as far away as system memory. */
static void gsb_scan_page(struct gsb_scan *scan, unsigned long pfn)
{
	struct dev_pagemap *pagemap = gsb_get_dev_pagemap(pfn);

	if (!pagemap || pagemap->owner != scan->owner) {
		scan->system = true;
	} else {
		scan->device = true;
		if (!scan->first)
			scan->first = pagemap;
		scan->several |= scan->first != pagemap;
	}
	if (pagemap)
		put_dev_pagemap(pagemap);
}

static void gsb_scan_some(struct gsb_scan *scan, const struct gsb_peek *peek)
{
	unsigned long i;

	for (i = 0; i < peek->npages; i++) {
		if (gsb_peek_has(peek, i))
			gsb_scan_page(scan, gsb_peek_pfn(peek, i));
		else
			scan->absent = true;
	}
}

/* A page that is missing decides it; there is no need to look any further. */
static void gsb_scan_all(struct gsb_scan *scan, struct mm_struct *mm,
			 unsigned long start, unsigned long end)
{
	struct gsb_peek peek = { .mm = mm, .owner = scan->owner };

	for (; start < end && !scan->absent; start = gsb_peek_end(&peek)) {
		if (gsb_peek(&peek, start, end))
			scan->absent = true;
		else
			gsb_scan_some(scan, &peek);
		cond_resched();
	}
}

static enum drm_gpusvm_scan_result
gsb_scan_judge(const struct gsb_scan *scan, const struct dev_pagemap *pagemap)
{
	if (scan->absent)
		return DRM_GPUSVM_SCAN_UNPOPULATED;
	if (!scan->device)
		return DRM_GPUSVM_SCAN_SYSTEM;
	if (scan->system)
		return DRM_GPUSVM_SCAN_MIXED;
	if (scan->several)
		return DRM_GPUSVM_SCAN_MIXED_DEVICE;
	return scan->first == pagemap ? DRM_GPUSVM_SCAN_EQUAL :
					DRM_GPUSVM_SCAN_OTHER;
}

/**
 * drm_gpusvm_scan_mm() - where is the memory of a range?
 * @range: the range
 * @dev_private_owner: owner of the pagemaps that count as device memory; what is
 *	in coherent memory of others counts as system memory
 * @pagemap: pagemap to tell from the others, or NULL
 *
 * Nothing is faulted in. The answer may be out of date on return.
 *
 * Context: May sleep; mmap_lock is taken for reading. The notifier lock not held.
 * Return: One of the results; DRM_GPUSVM_SCAN_UNPOPULATED also when the address
 * space is gone or the caller was killed.
 */
enum drm_gpusvm_scan_result
drm_gpusvm_scan_mm(struct drm_gpusvm_range *range, void *dev_private_owner,
		   const struct dev_pagemap *pagemap)
{
	struct gsb_scan scan = { .owner = dev_private_owner };
	struct mm_struct *mm = range->gpusvm->mm;

	gsb_might_use_mm(range->gpusvm, mm);
	if (!mmget_not_zero(mm))
		return DRM_GPUSVM_SCAN_UNPOPULATED;
	if (mmap_read_lock_killable(mm)) {
		scan.absent = true;
	} else {
		gsb_scan_all(&scan, mm, range->itree.start,
			     range->itree.last + 1);
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
	return gsb_scan_judge(&scan, pagemap);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_scan_mm);
