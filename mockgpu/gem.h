/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_GEM_H
#define MOCKGPU_GEM_H

#include <linux/types.h>

struct dma_buf;
struct dma_buf_attachment;
struct drm_device;
struct drm_file;
struct drm_gem_object;
struct drm_gem_object_funcs;
struct drm_mode_create_dumb;
struct file;
struct sg_table;
struct vm_area_struct;

extern const struct drm_gem_object_funcs mockgpu_gem_funcs;

int mockgpu_gem_mmap(struct file *file, struct vm_area_struct *vma);
int mockgpu_gem_handle_to_fd(struct drm_device *drm, struct drm_file *file,
			     u32 handle, u32 flags, int *fd);
struct drm_gem_object *mockgpu_gem_import(struct drm_device *drm,
					  struct dma_buf *dma_buf);
struct drm_gem_object *
mockgpu_gem_import_sg_table(struct drm_device *drm,
			    struct dma_buf_attachment *attach,
			    struct sg_table *sgt);
int mockgpu_gem_dumb_create(struct drm_file *file, struct drm_device *drm,
			    struct drm_mode_create_dumb *args);
int mockgpu_gem_create_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file);
int mockgpu_gem_mmap_offset_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file);

#endif
