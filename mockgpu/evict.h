/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_EVICT_H
#define MOCKGPU_EVICT_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct mockgpu_alloc;
struct mockgpu_device;

int mockgpu_evict_alloc(struct mockgpu_alloc *alloc);
unsigned long mockgpu_evict_round(struct mockgpu_device *mdev);
bool mockgpu_evict_for_unbind(struct mockgpu_device *mdev);
int mockgpu_evict_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);

#endif
