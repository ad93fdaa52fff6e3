/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_RESIDENCY_H
#define MOCKGPU_RESIDENCY_H

struct drm_device;
struct drm_file;

int mockgpu_residency_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file);

#endif
