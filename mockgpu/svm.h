/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_SVM_H
#define MOCKGPU_SVM_H

#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include <drm/mockgpu_drm.h>

#include "exclusive.h"

struct mm_struct;
struct mockgpu_attr_values;
struct mockgpu_device;
struct mockgpu_hw_mmu;
struct mockgpu_space;

/**
 * struct mockgpu_svm - an address space as a device sees it
 * @mdev: the device
 * @mmu: the device's page table
 * @space: the address space
 * @seat: the device's place in it
 * @exclusives: pages that the device has for itself
 * @binds_lock: for @binds; see bind.c
 * @binds: buffers that are bound
 * @bind_count: how often
 */
struct mockgpu_svm {
	struct mockgpu_device *mdev;
	struct mockgpu_hw_mmu *mmu;
	struct mockgpu_space *space;
	unsigned int seat;
	struct mockgpu_exclusives exclusives;
	struct mutex binds_lock;	/* see bind.c */
	struct rb_root_cached binds;
	unsigned int bind_count;
};

int mockgpu_svm_init(struct mockgpu_svm *svm, struct mockgpu_device *mdev,
		     struct mm_struct *mm, bool shared);
void mockgpu_svm_clear(struct mockgpu_svm *svm);
void mockgpu_svm_forget(struct mockgpu_svm *svm, unsigned long start,
			unsigned long end);
void mockgpu_svm_fini(struct mockgpu_svm *svm);
int mockgpu_svm_set_attr(struct mockgpu_svm *svm, enum drm_mockgpu_attr attr,
			 unsigned long start, unsigned long end, u64 value);
int mockgpu_svm_look_attr(struct mockgpu_svm *svm, unsigned long addr,
			  struct mockgpu_attr_values *values);
int mockgpu_svm_look_placement(struct mockgpu_svm *svm, unsigned long addr,
			       struct mockgpu_attr_values *values);
int mockgpu_svm_map(struct mockgpu_svm *svm, unsigned long start,
		    unsigned long end, bool home);
int mockgpu_svm_fault(struct mockgpu_svm *svm, unsigned long addr, bool write);

#endif
