/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_HOLD_H
#define MOCKGPU_HOLD_H

#include <linux/mutex.h>

struct dentry;
struct mockgpu_device;

/**
 * struct mockgpu_hold - device pages that a test has a reference on
 * @lock: protects @pages
 * @pages: a bit for each VRAM page; NULL without test knobs
 */
struct mockgpu_hold {
	struct mutex lock;	/* page references are dropped inside of it */
	unsigned long *pages;
};

int mockgpu_hold_init(struct mockgpu_device *mdev);
void mockgpu_hold_drop(struct mockgpu_device *mdev);
void mockgpu_hold_add_file(struct mockgpu_device *mdev, struct dentry *root);

#endif
