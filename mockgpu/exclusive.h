/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_EXCLUSIVE_H
#define MOCKGPU_EXCLUSIVE_H

#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/xarray.h>

struct mockgpu_attr_values;
struct mockgpu_svm;

/**
 * struct mockgpu_exclusives - pages that a device has, or had, for itself
 * @lock: one change at a time; see exclusive.c
 * @pages: by page number
 * @count: how many there are
 * @taken: how often one was taken
 */
struct mockgpu_exclusives {
	struct mutex lock;	/* see exclusive.c */
	struct xarray pages;
	unsigned int count;
	u64 taken;
};

bool mockgpu_exclusive_supported(void);
void mockgpu_exclusives_init(struct mockgpu_exclusives *exclusives);
int mockgpu_exclusive_get(struct mockgpu_svm *svm, unsigned long addr,
			  const struct mockgpu_attr_values *values);
void mockgpu_exclusives_drop(struct mockgpu_svm *svm, unsigned long start,
			     unsigned long end);

#endif
