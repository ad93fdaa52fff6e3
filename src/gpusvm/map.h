/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_MAP_H
#define GSB_GPUSVM_MAP_H

#include <linux/dma-direction.h>
#include <linux/interval_tree.h>
#include <linux/types.h>

#include <drm/drm_pagemap.h>

#include "compat/iova.h"
#include "policy.h"

struct drm_gpusvm;
struct drm_gpusvm_ctx;
struct drm_gpusvm_pages;
struct gsb_get;
struct mmu_interval_notifier;

/*
 * What is mapped of a pages object, recorded at the moment it is. The first
 * @mapped pages are: each of the first @entries entries stands for 2^order of
 * them, one after the other without gaps, as drivers expect it. Its
 * provider, with a reference, took part; none for system memory, which is either
 * in the reservation, if that is in use, or has a mapping of its own. Taking
 * down walks this record and nothing else.
 *
 * Changes with the pages object's lock and the notifier lock held, or with the
 * notifier lock held for writing.
 */
struct drm_gpusvm_map {
	struct drm_gpusvm_pages *pages;
	struct mmu_interval_notifier *notifier;
	struct interval_tree_node node;	/* addresses, in gpusvm->mapped */
	unsigned long npages;		/* length of the arrays */
	unsigned long mapped;
	unsigned long entries;
	enum dma_data_direction dir;
	struct gsb_mix mix;
	struct gsb_iova iova;
	struct drm_pagemap **providers;
	struct drm_pagemap_addr addr[];
};

struct drm_gpusvm_map *gsb_map_alloc(unsigned long npages);
int gsb_map_pages(struct gsb_get *get);
bool gsb_map_covers(const struct gsb_get *get);
void gsb_map_take_down(struct drm_gpusvm *gpusvm,
		       struct drm_gpusvm_pages *pages);
bool gsb_map_revoke(struct drm_gpusvm *gpusvm,
		    const struct mmu_interval_notifier *notifier,
		    unsigned long first, unsigned long last);

#endif
