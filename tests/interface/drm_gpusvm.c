// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* As a driver uses the macros; see ../interface.sh. */
#include <drm/drm_gpusvm.h>

struct uses_vm {
	struct drm_gpusvm gpusvm;
	struct mutex lock;	/* protects the ranges */
};

static void __used uses_set_lock(struct uses_vm *vm)
{
	mutex_init(&vm->lock);
	drm_gpusvm_driver_set_lock(&vm->gpusvm, &vm->lock);
}

/* The iterator starts at the range it is set to, or looks for the first. */
static unsigned long __used uses_notifier(struct drm_gpusvm_notifier *notifier)
{
	struct drm_gpusvm_range *range = NULL;
	unsigned long size = 0;

	drm_gpusvm_for_each_range(range, notifier, drm_gpusvm_notifier_start(notifier),
				  drm_gpusvm_notifier_end(notifier))
		size += drm_gpusvm_range_size(range);
	return size;
}

static unsigned long __used uses_all(struct uses_vm *vm)
{
	struct drm_gpusvm_notifier *notifier;
	unsigned long size = 0;

	drm_gpusvm_notifier_lock(&vm->gpusvm);
	drm_gpusvm_for_each_notifier(notifier, &vm->gpusvm, 0, ULONG_MAX)
		size += uses_notifier(notifier);
	drm_gpusvm_notifier_unlock(&vm->gpusvm);
	return size;
}

static void __used uses_remove(struct uses_vm *vm)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	struct drm_gpusvm_range *range, *next;

	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &vm->gpusvm, 0, ULONG_MAX)
		drm_gpusvm_for_each_range_safe(range, next, notifier, 0, ULONG_MAX)
			drm_gpusvm_range_remove(&vm->gpusvm, range);
}
