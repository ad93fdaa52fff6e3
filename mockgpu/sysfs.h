/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_SYSFS_H
#define MOCKGPU_SYSFS_H

struct attribute_group;

extern const struct attribute_group *mockgpu_sysfs_groups[];
extern const struct attribute_group *mockgpu_sysfs_driver_groups[];

#endif
