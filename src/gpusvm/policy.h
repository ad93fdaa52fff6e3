/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_POLICY_H
#define GSB_GPUSVM_POLICY_H

#include <linux/types.h>

struct drm_gpusvm_ctx;
struct drm_pagemap;

/* Of what kinds the pages of a range are. */
struct gsb_mix {
	unsigned long system;		/* pages */
	unsigned long device;		/* pages */
	struct drm_pagemap *provider;	/* of the device pages, or of the first */
	bool several;			/* they have more than one provider */
};

void gsb_mix_add_device(struct gsb_mix *mix, struct drm_pagemap *provider,
			unsigned long npages);
int gsb_mix_check(const struct gsb_mix *mix, const struct drm_gpusvm_ctx *ctx);

/* Who provides all of the device pages, or NULL. */
static inline struct drm_pagemap *gsb_mix_provider(const struct gsb_mix *mix)
{
	return mix->several ? NULL : mix->provider;
}

#endif
