/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_PM_H
#define MOCKGPU_PM_H

struct dev_pm_ops;

extern const struct dev_pm_ops mockgpu_pm_ops;

#endif
