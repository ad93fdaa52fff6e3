/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_LINGER_H
#define MOCKGPU_LINGER_H

#include <linux/types.h>

struct mockgpu_device;

int mockgpu_linger_init(void);
void mockgpu_linger_exit(void);
bool mockgpu_linger_start(struct mockgpu_device *mdev);
bool mockgpu_linger_is_there(unsigned int index);

#endif
