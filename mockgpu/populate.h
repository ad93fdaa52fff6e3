/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_POPULATE_H
#define MOCKGPU_POPULATE_H

struct drm_device;
struct drm_file;
struct drm_pagemap;
struct mm_struct;

int mockgpu_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			unsigned long end, struct mm_struct *mm,
			unsigned long timeslice_ms);
int mockgpu_populate_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
