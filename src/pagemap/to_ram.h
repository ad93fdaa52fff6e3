/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_TO_RAM_H
#define GSB_PAGEMAP_TO_RAM_H

#include <linux/types.h>

struct drm_pagemap_zdd;
struct gsb_job;
struct page;

bool gsb_to_ram_wanted(unsigned long src, const struct drm_pagemap_zdd *zdd);
bool gsb_to_ram_can_move(unsigned long src, const struct drm_pagemap_zdd *zdd);
void gsb_to_ram_place(struct gsb_job *job, unsigned long i, struct page *from,
		      struct page *to);
void gsb_to_ram_account(struct gsb_job *job);

#endif
