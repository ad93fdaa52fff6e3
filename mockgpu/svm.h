/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_SVM_H
#define MOCKGPU_SVM_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_gpusvm.h>

struct mm_struct;
struct mockgpu_device;
struct mockgpu_hw_mmu;

/**
 * struct mockgpu_svm - an address space as the device sees it
 * @base: what the SVM module knows of it
 * @mdev: the device
 * @mmu: the device's page table
 * @lock: one change of ranges at a time; see svm.c
 * @small_until: until then (jiffies) ranges are but a page, as others tear at
 *	the memory
 * @garbage_lock: protects @garbage
 * @garbage: ranges of which something was unmapped
 * @garbage_work: removes them
 */
struct mockgpu_svm {
	struct drm_gpusvm base;
	struct mockgpu_device *mdev;
	struct mockgpu_hw_mmu *mmu;
	struct mutex lock;		/* see svm.c */
	unsigned long small_until;
	spinlock_t garbage_lock;	/* a leaf */
	struct list_head garbage;
	struct work_struct garbage_work;
};

int mockgpu_svm_init(struct mockgpu_svm *svm, struct mockgpu_device *mdev,
		     struct mm_struct *mm);
void mockgpu_svm_clear(struct mockgpu_svm *svm);
void mockgpu_svm_fini(struct mockgpu_svm *svm);
int mockgpu_svm_module_init(void);
void mockgpu_svm_module_exit(void);
int mockgpu_svm_fault(struct mockgpu_svm *svm, unsigned long addr, bool write);

#endif
