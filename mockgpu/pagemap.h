/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PAGEMAP_H
#define MOCKGPU_PAGEMAP_H

#include <linux/types.h>

#include <drm/drm_pagemap.h>

#include "hw/hw.h"

struct mockgpu_device;

/* An address on a link of ours, among the &enum drm_interconnect_protocol. */
#define MOCKGPU_PAGEMAP_LINK	(DRM_INTERCONNECT_DRIVER + 1)
/* An offset into the device's own VRAM. */
#define MOCKGPU_PAGEMAP_LOCAL	(DRM_INTERCONNECT_DRIVER + 2)

int mockgpu_pagemap_init(struct mockgpu_device *mdev);
struct drm_pagemap *mockgpu_pagemap_get(struct mockgpu_device *mdev);
struct mockgpu_device *mockgpu_pagemap_device(struct drm_pagemap *dpagemap);
bool mockgpu_pagemap_is_ours(const struct drm_pagemap *dpagemap);
struct mockgpu_hw_addr mockgpu_pagemap_bus(const struct drm_pagemap_addr *addr);
const char *mockgpu_pagemap_state(struct mockgpu_device *mdev);

#endif
