/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_HOME_H
#define GSB_PAGEMAP_HOME_H

struct drm_pagemap;
struct vm_area_struct;

bool gsb_bring_home(struct vm_area_struct *vma, unsigned long start,
		    unsigned long end, void *owner,
		    const struct drm_pagemap *except);

#endif
