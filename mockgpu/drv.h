/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_DRV_H
#define MOCKGPU_DRV_H

#include <linux/platform_device.h>

#define MOCKGPU_NAME	"mockgpu"

struct mockgpu_device;
struct mockgpu_device_config;

extern struct platform_driver mockgpu_platform_driver;

struct mockgpu_device *
mockgpu_drv_bind(struct device *dev,
		 const struct mockgpu_device_config *config);
void mockgpu_drv_unbind(struct mockgpu_device *mdev);
void mockgpu_drv_stop(struct mockgpu_device *mdev);

#endif
