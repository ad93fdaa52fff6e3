/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_VM_H
#define MOCKGPU_VM_H

#include <linux/kref.h>
#include <linux/types.h>

struct drm_device;
struct drm_file;
struct drm_pagemap;
struct mockgpu_device;
struct mm_struct;

/**
 * struct mockgpu_vm - a mirror of an address space
 * @refs: references
 * @mdev: the device
 * @dpagemap: its drm_pagemap, with a reference; NULL if it has no VRAM
 * @mm: the address space that made it; its memory, not its users, is kept
 * @serial: no other VM of the device has or had the same
 */
struct mockgpu_vm {
	struct kref refs;
	struct mockgpu_device *mdev;
	struct drm_pagemap *dpagemap;
	struct mm_struct *mm;
	u64 serial;
};

struct mockgpu_vm *mockgpu_vm_lookup(struct drm_file *file, u32 id);
void mockgpu_vm_put(struct mockgpu_vm *vm);

int mockgpu_vm_open_file(struct drm_device *drm, struct drm_file *file);
void mockgpu_vm_close_file(struct drm_device *drm, struct drm_file *file);
int mockgpu_vm_create_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file);
int mockgpu_vm_destroy_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file);

#endif
