/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_ATOMIC_H
#define MOCKGPU_ATOMIC_H

#include <linux/types.h>

#include "hw/hw.h"

struct mockgpu_device;
struct mockgpu_vm;

bool mockgpu_atomic_is_offered(const struct mockgpu_device *mdev, u64 mode);
int mockgpu_atomic_fault(struct mockgpu_vm *vm, unsigned long addr);
unsigned int mockgpu_atomic_map_flags(u64 mode, enum mockgpu_hw_bus bus);

#endif
