/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_PLACE_H
#define GSB_PAGEMAP_PLACE_H

#include <linux/types.h>

#include "job.h"

struct drm_pagemap_zdd;

unsigned long gsb_sort_entry(struct gsb_job *job, unsigned long i,
			     enum gsb_kind kind);
unsigned long gsb_wanted(const struct gsb_job *job);
int gsb_place_and_copy(struct gsb_job *job, struct drm_pagemap_zdd *zdd,
		       bool packed);
unsigned long gsb_account_placed(const struct gsb_job *job);

#endif
