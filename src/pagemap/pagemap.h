/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_PAGEMAP_H
#define GSB_PAGEMAP_PAGEMAP_H

#include <linux/types.h>

struct drm_pagemap;

void gsb_pagemap_flush(void);
unsigned long gsb_pagemap_pfns_from(const struct drm_pagemap *dpagemap,
				    unsigned long pfn);

static inline bool gsb_pagemap_has_pfn(const struct drm_pagemap *dpagemap,
				       unsigned long pfn)
{
	return gsb_pagemap_pfns_from(dpagemap, pfn) > 0;
}

#endif
