/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_FAULT_H
#define MOCKGPU_FAULT_H

#include <linux/refcount.h>
#include <linux/workqueue.h>

#include "hw/hw.h"

struct mockgpu_device;
struct mockgpu_vm;

/**
 * struct mockgpu_fault - a page fault of a queue, which it may outlive
 * @hw: what the device says
 * @mdev: the device
 * @refs: references: the queue's, and one while it is handled
 * @work: handles it
 * @vm: the address space, with a reference while it is handled
 */
struct mockgpu_fault {
	struct mockgpu_hw_fault hw;
	struct mockgpu_device *mdev;
	refcount_t refs;
	struct work_struct work;
	struct mockgpu_vm *vm;
};

struct mockgpu_fault *mockgpu_fault_new(struct mockgpu_device *mdev);
void mockgpu_fault_put(struct mockgpu_fault *fault);
void mockgpu_fault_raise(struct mockgpu_fault *fault, struct mockgpu_vm *vm);
int mockgpu_fault_device_init(struct mockgpu_device *mdev);
void mockgpu_fault_module_exit(void);

#endif
