/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_POPULATE_H
#define MOCKGPU_POPULATE_H

struct drm_device;
struct drm_file;
struct drm_mockgpu_populate;
struct drm_pagemap;
struct mm_struct;
struct mockgpu_device;
struct mockgpu_vm;

int mockgpu_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			unsigned long end, struct mm_struct *mm,
			unsigned long timeslice_ms);
void mockgpu_populate_want(struct mockgpu_device *mdev, unsigned long npages);
int mockgpu_populate_vm(struct mockgpu_vm *vm,
			struct drm_mockgpu_populate *args, bool firm);
int mockgpu_populate_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
