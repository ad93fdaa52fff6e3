/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_EVICT_H
#define GSB_PAGEMAP_EVICT_H

struct drm_pagemap_devmem;

int gsb_evict_once(struct drm_pagemap_devmem *devmem);

#endif
