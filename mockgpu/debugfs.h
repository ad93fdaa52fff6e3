/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_DEBUGFS_H
#define MOCKGPU_DEBUGFS_H

struct drm_minor;

void mockgpu_debugfs_init(struct drm_minor *minor);

#endif
