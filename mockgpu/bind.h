/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_BIND_H
#define MOCKGPU_BIND_H

#include <linux/types.h>

struct drm_device;
struct drm_file;
struct mockgpu_buffer;
struct mockgpu_svm;
struct xarray;

/**
 * struct mockgpu_bind_gap - addresses around one that all are bound, or are not
 * @start: the first one
 * @end: the one after the last one
 * @bound: are they
 */
struct mockgpu_bind_gap {
	unsigned long start;
	unsigned long end;
	bool bound;
};

struct mockgpu_bind_gap mockgpu_bind_look(struct mockgpu_svm *svm,
					  unsigned long addr);
bool mockgpu_bind_covers(struct mockgpu_svm *svm, unsigned long addr);
int mockgpu_bind_mark(struct mockgpu_svm *svm, struct xarray *seen);
int mockgpu_bind_fault(struct mockgpu_svm *svm, unsigned long addr);
void mockgpu_bind_zap(struct mockgpu_buffer *buffer);
void mockgpu_bind_remove_all(struct mockgpu_svm *svm);
int mockgpu_vm_bind_ioctl(struct drm_device *drm, void *data,
			  struct drm_file *file);

#endif
