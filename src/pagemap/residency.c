// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Where the pages are that a migration could not collect. */
#include <linux/hmm.h>
#include <linux/mmu_notifier.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "job.h"
#include "pagemap.h"
#include "residency.h"

/*
 * Of a snapshot only the kind of each page is used, and only as a hint. So
 * nobody needs to be told when it gets stale, and a notifier that is not
 * registered anywhere, which never sees an invalidation, is enough.
 */
static int gsb_snapshot(struct gsb_job *job, struct mm_struct *mm,
			unsigned long start)
{
	struct mmu_interval_notifier never_called = { .mm = mm };
	struct hmm_range range = {
		.notifier = &never_called,
		.start = start,
		.end = start + (job->npages << PAGE_SHIFT),
		.hmm_pfns = job->pfn,
		.dev_private_owner = job->devmem->dpagemap->pagemap->owner,
	};

	memset(job->pfn, 0, job->npages * sizeof(*job->pfn));
	return hmm_range_fault(&range);
}

/*
 * The page may be another provider's and going away: of the page itself only
 * the number counts, and its pagemap is looked at with a reference.
 */
static enum gsb_kind gsb_residency_elsewhere(const struct drm_pagemap *to,
					     unsigned long pfn)
{
	struct dev_pagemap *pagemap = gsb_get_dev_pagemap(pfn);
	enum gsb_kind kind = GSB_PAGE_STAYS;

	if (!pagemap)
		return kind;
	if (pagemap->ops == drm_pagemap_pagemap_ops_get())
		kind = pagemap->owner == to->pagemap->owner ? GSB_PAGE_LINKED :
							      GSB_PAGE_FOREIGN;
	put_dev_pagemap(pagemap);
	return kind;
}

/*
 * Nothing valid is a page that was swapped out, or one in private memory of a
 * device without a link: a CPU access brings both.
 */
static enum gsb_kind gsb_residency_kind(const struct gsb_job *job,
					unsigned long hmm_pfn)
{
	const struct drm_pagemap *to = job->devmem->dpagemap;
	unsigned long pfn = hmm_pfn & ~HMM_PFN_FLAGS;

	if (!(hmm_pfn & HMM_PFN_VALID))
		return GSB_PAGE_ABSENT;
	if (gsb_pagemap_has_pfn(to, pfn))
		return GSB_PAGE_RESIDENT;
	return gsb_residency_elsewhere(to, pfn);
}

/**
 * gsb_residency_sort() - why could some pages not be collected?
 * @job: job whose GSB_PAGE_STAYS pages are looked at; its pfn array is used
 * @mm: address space, mmap_lock held for reading
 * @start: user address of the job's first page
 *
 * A page in the memory of the job's pagemap, whichever allocation it belongs
 * to, becomes GSB_PAGE_RESIDENT; others what can be done about them.
 *
 * Context: May sleep.
 * Return: 0, or an error of hmm_range_fault().
 */
int gsb_residency_sort(struct gsb_job *job, struct mm_struct *mm,
		       unsigned long start)
{
	unsigned long i;
	int err;

	mmap_assert_locked(mm);
	err = gsb_snapshot(job, mm, start);
	if (err)
		return err;

	for (i = 0; i < job->npages; i++) {
		if (job->kind[i] != GSB_PAGE_STAYS)
			continue;
		job->sorted[GSB_PAGE_STAYS]--;
		gsb_job_set_kind(job, i,
				 gsb_residency_kind(job, job->pfn[i]));
	}
	return 0;
}
