/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_ATTR_H
#define MOCKGPU_ATTR_H

#include <linux/rbtree.h>
#include <linux/types.h>

#include <drm/mockgpu_drm.h>

struct drm_device;
struct drm_file;

/**
 * struct mockgpu_attrs - what the user wants of parts of an address space
 * @trees: for each attribute, the ranges where it is not 0
 * @count: how many these are together
 * @changes: how often something else was wanted
 *
 * Changed under &mockgpu_space.lock; @changes may be read without.
 */
struct mockgpu_attrs {
	struct rb_root trees[MOCKGPU_ATTR_COUNT];
	unsigned int count;
	unsigned long changes;
};

/**
 * struct mockgpu_attr_values - what the user wants of an address
 * @values: by &enum drm_mockgpu_attr
 * @start: start of the range around it that has the same values
 * @end: its end
 * @changes: &mockgpu_attrs.changes at that time
 */
struct mockgpu_attr_values {
	u64 values[MOCKGPU_ATTR_COUNT];
	unsigned long start;
	unsigned long end;
	unsigned long changes;
};

void mockgpu_attrs_init(struct mockgpu_attrs *attrs);
void mockgpu_attrs_fini(struct mockgpu_attrs *attrs);
void mockgpu_attrs_look(struct mockgpu_attrs *attrs, unsigned long addr,
			struct mockgpu_attr_values *values);
int mockgpu_attrs_store(struct mockgpu_attrs *attrs,
			enum drm_mockgpu_attr attr, unsigned long start,
			unsigned long end, u64 value);
int mockgpu_set_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);
int mockgpu_get_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file);

#endif
