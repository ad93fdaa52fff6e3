/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_LARGE_H
#define GSB_PAGEMAP_LARGE_H

#include "compat/compat.h"
#include "job.h"
#include "zdd.h"

struct vm_area_struct;
struct vm_fault;

#ifdef GSB_HAVE_LARGE_FOLIOS

int gsb_large_init(void);
void gsb_large_exit(void);
bool gsb_large_enabled(void);
unsigned long gsb_large_select(const struct vm_area_struct *vma,
			       const struct dev_pagemap *pagemap);
bool gsb_large_place(struct gsb_job *job, unsigned long i, struct page *from,
		     gfp_t gfp);
void gsb_large_split_later(struct vm_fault *vmf);
bool gsb_large_wait_for_splits(void);

/* A worker needs the folio for a moment without anybody else at it. */
static inline bool gsb_large_is_splitting(const struct drm_pagemap_zdd *zdd)
{
	return READ_ONCE(zdd->splitting);
}

#else

/* This kernel is never asked for large folios, so none are ever seen. */
static inline int gsb_large_init(void)
{
	return 0;
}

static inline void gsb_large_exit(void)
{
}

static inline bool gsb_large_enabled(void)
{
	return false;
}

static inline unsigned long gsb_large_select(const struct vm_area_struct *vma,
					     const struct dev_pagemap *pagemap)
{
	return 0;
}

static inline bool gsb_large_place(struct gsb_job *job, unsigned long i,
				   struct page *from, gfp_t gfp)
{
	return false;
}

static inline void gsb_large_split_later(struct vm_fault *vmf)
{
}

static inline bool gsb_large_wait_for_splits(void)
{
	return false;
}

static inline bool gsb_large_is_splitting(const struct drm_pagemap_zdd *zdd)
{
	return false;
}

#endif

#endif
