/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_PLACE_H
#define GSB_PAGEMAP_PLACE_H

#include <linux/migrate.h>
#include <linux/types.h>

#include "job.h"

struct drm_pagemap_zdd;

/*
 * Say what one source entry of a job is, after its pages have been collected.
 * Returns how many pages it stands for.
 */
static inline unsigned long gsb_sort_entry(struct gsb_job *job,
					   unsigned long i, enum gsb_kind kind)
{
	struct page *page = migrate_pfn_to_page(job->src[i]);
	unsigned long k, n = gsb_src_pages(job->src[i]);

	for (k = i; k < i + n; k++) {
		gsb_job_set_kind(job, k, kind);
		job->other[k] = page ? page++ : NULL;
	}
	return n;
}

/* Is a page, which was sorted, to move? */
static inline bool gsb_moves(const struct gsb_job *job, unsigned long i)
{
	return job->kind[i] == GSB_PAGE_HOLE ||
	       job->kind[i] == GSB_PAGE_SYSTEM || job->kind[i] == GSB_PAGE_PEER;
}

unsigned long gsb_wanted(const struct gsb_job *job);
int gsb_place_and_copy(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
		       bool packed);
unsigned long gsb_account_placed(const struct gsb_job *job);

#endif
