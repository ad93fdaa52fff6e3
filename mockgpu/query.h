/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_QUERY_H
#define MOCKGPU_QUERY_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct mockgpu_device;

void mockgpu_query_counters(struct mockgpu_device *mdev, u64 *values);
int mockgpu_query_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file);
int mockgpu_counters_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
