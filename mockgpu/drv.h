/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_DRV_H
#define MOCKGPU_DRV_H

#include <linux/platform_device.h>

#define MOCKGPU_NAME	"mockgpu"

struct mockgpu_device;

extern struct platform_driver mockgpu_platform_driver;

void mockgpu_drv_stop(struct mockgpu_device *mdev);

#endif
