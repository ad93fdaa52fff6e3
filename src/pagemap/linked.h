/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_LINKED_H
#define GSB_PAGEMAP_LINKED_H

struct drm_pagemap_zdd;
struct vm_area_struct;

unsigned long gsb_move_linked(struct drm_pagemap_zdd *zdd,
			      struct vm_area_struct *vma, unsigned long start,
			      unsigned long end, bool gather,
			      unsigned long *used);

#endif
