/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_NOTIFIER_H
#define GSB_GPUSVM_NOTIFIER_H

struct drm_gpusvm;
struct drm_gpusvm_notifier;
struct mmu_interval_notifier;

struct drm_gpusvm_notifier *gsb_notifier_for(struct drm_gpusvm *gpusvm,
					     unsigned long addr);
void gsb_notifier_put(struct drm_gpusvm_notifier *notifier,
		      const struct drm_gpusvm_ops *ops);
void gsb_notifier_silence(struct drm_gpusvm_notifier *notifier);
void gsb_notifier_drop_if_empty(struct drm_gpusvm_notifier *notifier);
bool gsb_notifier_covers(struct mmu_interval_notifier *core,
			 unsigned long start, unsigned long end);

#endif
