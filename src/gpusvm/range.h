/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_RANGE_H
#define GSB_GPUSVM_RANGE_H

#include <linux/types.h>

struct drm_gpusvm;
struct drm_gpusvm_ctx;
struct drm_gpusvm_notifier;
struct drm_gpusvm_range;
struct vm_area_struct;

/* One call of drm_gpusvm_range_find_or_insert(). */
struct gsb_lookup {
	struct drm_gpusvm *gpusvm;
	unsigned long addr;
	unsigned long gpuva_start;
	unsigned long gpuva_end;
	const struct drm_gpusvm_ctx *ctx;
	struct drm_gpusvm_notifier *notifier;
	struct vm_area_struct *vma;
};

bool gsb_range_unlink(struct drm_gpusvm_range *range);

unsigned long gsb_chunk_choose(const struct gsb_lookup *lookup);

#endif
