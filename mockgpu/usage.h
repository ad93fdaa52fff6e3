/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_USAGE_H
#define MOCKGPU_USAGE_H

#include <linux/types.h>

struct drm_file;
struct drm_printer;
struct file;
struct mockgpu_device;
struct seq_file;

/**
 * struct mockgpu_usage_region - how much memory of one kind, in pages
 * @total: in all; a buffer that has no memory yet is to be in VRAM, if it may
 * @resident: what there is of it now
 * @shared: of @total, buffers that others have as well
 */
struct mockgpu_usage_region {
	unsigned long total;
	unsigned long resident;
	unsigned long shared;
};

/**
 * struct mockgpu_usage - how much memory somebody uses
 * @vram: VRAM
 * @system: system memory: buffers, and what the device may use just now
 */
struct mockgpu_usage {
	struct mockgpu_usage_region vram;
	struct mockgpu_usage_region system;
};

void mockgpu_usage_read(struct mockgpu_device *mdev, struct drm_file *file,
			struct mockgpu_usage *usage);
void mockgpu_usage_show(struct drm_printer *printer, struct drm_file *file);
void mockgpu_usage_show_file(struct seq_file *seq, struct file *file);

#endif
