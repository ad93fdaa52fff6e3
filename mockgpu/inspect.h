/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_INSPECT_H
#define MOCKGPU_INSPECT_H

struct dentry;
struct mockgpu_device;

void mockgpu_inspect_add_files(struct mockgpu_device *mdev,
			       struct dentry *root);

#endif
