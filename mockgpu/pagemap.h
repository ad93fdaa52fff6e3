/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PAGEMAP_H
#define MOCKGPU_PAGEMAP_H

#include <linux/completion.h>
#include <linux/mutex.h>

#include <drm/drm_pagemap.h>

struct mockgpu_device;

/**
 * struct mockgpu_pagemap - the drm_pagemap of a device, dead or alive
 * @base: what the SVM module sees
 * @lock: one revival at a time
 * @dead: holds one token while nobody has a reference on @base
 * @initialised: @base has been alive before
 */
struct mockgpu_pagemap {
	struct drm_pagemap base;
	struct mutex lock;	/* outermost */
	struct completion dead;
	bool initialised;
};

void mockgpu_pagemap_init(struct mockgpu_pagemap *pagemap);
int mockgpu_pagemap_get(struct mockgpu_device *mdev);
struct mockgpu_device *mockgpu_pagemap_device(struct drm_pagemap *dpagemap);

#endif
