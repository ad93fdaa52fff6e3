/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_EVICT_H
#define MOCKGPU_EVICT_H

struct drm_device;
struct drm_file;
struct mockgpu_device;

void mockgpu_evict_for_unbind(struct mockgpu_device *mdev);
int mockgpu_evict_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);

#endif
