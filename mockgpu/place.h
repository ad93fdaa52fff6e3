/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PLACE_H
#define MOCKGPU_PLACE_H

struct drm_device;
struct drm_file;
struct mockgpu_vm;

int mockgpu_place_on_fault(struct mockgpu_vm *vm, unsigned long addr);
int mockgpu_place_for_atomics(struct mockgpu_vm *vm, unsigned long addr);
int mockgpu_prefetch_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
