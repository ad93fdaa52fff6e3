/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_DEVMEM_H
#define MOCKGPU_DEVMEM_H

struct drm_pagemap_devmem_ops;
struct mockgpu_device;

const struct drm_pagemap_devmem_ops *
mockgpu_devmem_ops(const struct mockgpu_device *mdev);

#endif
