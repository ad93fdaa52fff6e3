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
 * struct mockgpu_usage - how much memory somebody uses
 * @vram: pages of VRAM
 * @system: pages of system memory that the device may use just now
 */
struct mockgpu_usage {
	unsigned long vram;
	unsigned long system;
};

void mockgpu_usage_read(struct mockgpu_device *mdev, u64 client,
			struct mockgpu_usage *usage);
void mockgpu_usage_show(struct drm_printer *printer, struct drm_file *file);
void mockgpu_usage_show_file(struct seq_file *seq, struct file *file);

#endif
