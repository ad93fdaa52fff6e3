/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_EXEC_H
#define MOCKGPU_EXEC_H

struct drm_device;
struct drm_file;

int mockgpu_exec_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file);

#endif
