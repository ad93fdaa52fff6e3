/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_CLEAR_H
#define MOCKGPU_CLEAR_H

struct mockgpu_alloc;
struct mockgpu_clear;
struct mockgpu_device;

int mockgpu_clear_init(struct mockgpu_device *mdev);
struct mockgpu_clear *mockgpu_clear_new(struct mockgpu_alloc *alloc);
void mockgpu_clear_start(struct mockgpu_clear *clear);

#endif
