/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_TO_RAM_H
#define GSB_PAGEMAP_TO_RAM_H

#include <linux/types.h>

struct drm_pagemap_zdd;
struct gsb_job;
struct page;
struct vm_area_struct;

/*
 * RAM pages for a job. Some that lie side by side are had at a time: that is one
 * allocation, and later one DMA mapping. What is not used is given back.
 */
struct gsb_ram {
	struct page *next;
	unsigned long left;	/* pages from @next on */
	bool apart;		/* side by side there are none, or not wanted */
};

void gsb_ram_init(struct gsb_ram *ram, const struct vm_area_struct *vma);
void gsb_ram_fini(struct gsb_ram *ram);
struct page *gsb_ram_take(struct gsb_ram *ram, unsigned long most);

bool gsb_to_ram_wanted(unsigned long src, const struct drm_pagemap_zdd *zdd);
bool gsb_to_ram_can_move(unsigned long src, const struct drm_pagemap_zdd *zdd);
void gsb_to_ram_place(struct gsb_job *job, unsigned long i, struct page *from,
		      struct page *to);
void gsb_to_ram_account(struct gsb_job *job);

#endif
