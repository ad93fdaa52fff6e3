/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_ACCESS_H
#define MOCKGPU_ACCESS_H

struct drm_device;
struct drm_file;

int mockgpu_access_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file);

#endif
