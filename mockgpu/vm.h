/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_VM_H
#define MOCKGPU_VM_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/types.h>

#include "svm.h"

struct drm_device;
struct drm_file;
struct drm_pagemap;
struct mockgpu_device;
struct mm_struct;

/**
 * struct mockgpu_vm - an address space that a device may use
 * @refs: references
 * @link: place in the device's list of VMs
 * @mdev: the device
 * @svm: the mirror
 * @dpagemap: its drm_pagemap, with a reference; NULL if it has no VRAM
 * @mm: the address space that made it; its memory, not its users, is kept
 * @serial: no other VM of the device has or had the same
 * @client: &mockgpu_file.client of the file that made it
 * @pid: who made it
 * @ended: it was destroyed; under &mockgpu_device.queues_lock
 */
struct mockgpu_vm {
	struct kref refs;
	struct list_head link;
	struct mockgpu_device *mdev;
	struct mockgpu_svm svm;
	struct drm_pagemap *dpagemap;
	struct mm_struct *mm;
	u64 serial;
	u64 client;
	pid_t pid;
	bool ended;
};

struct mockgpu_vm *mockgpu_vm_lookup(struct drm_file *file, u32 id);
void mockgpu_vm_get(struct mockgpu_vm *vm);
void mockgpu_vm_put(struct mockgpu_vm *vm);
struct mockgpu_vm *mockgpu_vm_next(struct mockgpu_device *mdev,
				   struct mockgpu_vm *vm);
void mockgpu_vm_clear_all(struct mockgpu_device *mdev);

int mockgpu_vm_open_file(struct drm_device *drm, struct drm_file *file);
void mockgpu_vm_close_file(struct drm_device *drm, struct drm_file *file);
int mockgpu_vm_create_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file);
int mockgpu_vm_destroy_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file);

#endif
