/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A process as the device sees it. */
#ifndef _SVMSUM_VM_H_
#define _SVMSUM_VM_H_

#include <linux/types.h>

struct drm_device;
struct drm_svmsum_state;
struct svmsum_vm;

struct svmsum_vm *svmsum_vm_create(struct drm_device *drm);
void svmsum_vm_destroy(struct svmsum_vm *vm);
int svmsum_vm_sum(struct svmsum_vm *vm, u64 addr, u64 size, u64 *sum);
void svmsum_vm_state(struct svmsum_vm *vm, struct drm_svmsum_state *state);

#endif
