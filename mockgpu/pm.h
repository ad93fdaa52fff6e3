/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PM_H
#define MOCKGPU_PM_H

#include <linux/types.h>

struct dev_pm_ops;
struct mockgpu_device;

bool mockgpu_pm_is_saved(const struct mockgpu_device *mdev);

extern const struct dev_pm_ops mockgpu_pm_ops;

#endif
