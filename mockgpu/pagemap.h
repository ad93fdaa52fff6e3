/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PAGEMAP_H
#define MOCKGPU_PAGEMAP_H

struct drm_pagemap;
struct mockgpu_device;

int mockgpu_pagemap_init(struct mockgpu_device *mdev);
struct drm_pagemap *mockgpu_pagemap_get(struct mockgpu_device *mdev);
struct mockgpu_device *mockgpu_pagemap_device(struct drm_pagemap *dpagemap);
const char *mockgpu_pagemap_state(struct mockgpu_device *mdev);

#endif
