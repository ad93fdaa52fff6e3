// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Attributes: what a user wants of parts of its address space.
 *
 * They belong to addresses, not to what is mapped there: memory that is unmapped
 * and mapped again has those that were set before.
 */
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/xarray.h>

#include <drm/drm.h>

#include "args.h"
#include "atomic.h"
#include "attr.h"
#include "device.h"
#include "svm.h"
#include "vm.h"

/**
 * mockgpu_attrs_init() - all attributes are 0 everywhere
 * @attrs: filled
 *
 * Context: Any.
 */
void mockgpu_attrs_init(struct mockgpu_attrs *attrs)
{
	unsigned int i;

	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		mt_init(&attrs->trees[i]);
	attrs->changes = 0;
}

/**
 * mockgpu_attrs_fini() - undo mockgpu_attrs_init()
 * @attrs: the attributes
 *
 * Context: Process context.
 */
void mockgpu_attrs_fini(struct mockgpu_attrs *attrs)
{
	unsigned int i;

	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		mtree_destroy(&attrs->trees[i]);
}

/* Makes the range no larger than where the attribute has this value. */
static u64 mockgpu_attrs_look_at(struct maple_tree *tree, unsigned long addr,
				 struct mockgpu_attr_values *values)
{
	MA_STATE(mas, tree, addr, addr);
	void *entry;

	mas_lock(&mas);
	entry = mas_walk(&mas);
	values->start = max(values->start, mas.index);
	values->end = min(values->end - 1, mas.last) + 1;
	mas_unlock(&mas);

	return entry ? xa_to_value(entry) : 0;
}

/**
 * mockgpu_attrs_look() - what is wanted of an address
 * @attrs: the attributes; the caller has &mockgpu_space.lock
 * @addr: user address
 * @values: filled
 *
 * Context: Process context.
 */
void mockgpu_attrs_look(struct mockgpu_attrs *attrs, unsigned long addr,
			struct mockgpu_attr_values *values)
{
	unsigned int i;

	values->start = 0;
	values->end = TASK_SIZE_MAX;
	values->changes = attrs->changes;
	for (i = 0; i < MOCKGPU_ATTR_COUNT; i++)
		values->values[i] = mockgpu_attrs_look_at(&attrs->trees[i],
							  addr, values);
}

/**
 * mockgpu_attrs_store() - something else is wanted of a range
 * @attrs: the attributes; the caller has &mockgpu_space.lock
 * @attr: which
 * @start: user address
 * @end: user address
 * @value: what
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_attrs_store(struct mockgpu_attrs *attrs,
			enum drm_mockgpu_attr attr, unsigned long start,
			unsigned long end, u64 value)
{
	WRITE_ONCE(attrs->changes, attrs->changes + 1);
	return mtree_store_range(&attrs->trees[attr], start, end - 1,
				 value ? xa_mk_value(value) : NULL,
				 GFP_KERNEL_ACCOUNT);
}

static bool mockgpu_attr_value_is_valid(const struct drm_mockgpu_attr_range *args)
{
	switch (args->attr) {
	case MOCKGPU_ATTR_PREFERRED:
		return args->value <= MOCKGPU_PREFER_DEVICE;
	case MOCKGPU_ATTR_GRANULARITY:
		return !args->value || (is_power_of_2(args->value) &&
					args->value >= PAGE_SIZE &&
					args->value <= SZ_2M);
	case MOCKGPU_ATTR_TIMESLICE_MS:
		return args->value <= U32_MAX;
	case MOCKGPU_ATTR_READ_ONLY:
		return args->value <= 1;
	case MOCKGPU_ATTR_ATOMIC:
		return args->value <= MOCKGPU_ATOMIC_SYSTEM;
	default:
		return false;
	}
}

static bool mockgpu_attr_is_offered(const struct mockgpu_device *mdev,
				    const struct drm_mockgpu_attr_range *args)
{
	switch (args->attr) {
	case MOCKGPU_ATTR_PREFERRED:
		return args->value != MOCKGPU_PREFER_DEVICE ||
		       mockgpu_device_has_vram(mdev);
	case MOCKGPU_ATTR_ATOMIC:
		return mockgpu_atomic_is_offered(mdev, args->value);
	default:
		return true;
	}
}

/**
 * mockgpu_set_attr_ioctl() - DRM_IOCTL_MOCKGPU_SET_ATTR
 * @drm: the device
 * @data: a struct drm_mockgpu_attr_range
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EOPNOTSUPP what the device
 * or the kernel cannot do, -ENOMEM, -EINTR.
 */
int mockgpu_set_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	const struct drm_mockgpu_attr_range *args = data;
	struct mockgpu_vm *vm;
	int ret = -EOPNOTSUPP;

	if (!mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE) ||
	    !mockgpu_attr_value_is_valid(args))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (mockgpu_attr_is_offered(vm->mdev, args))
		ret = mockgpu_svm_set_attr(&vm->svm, args->attr, args->addr,
					   args->addr + args->size,
					   args->value);
	mockgpu_vm_put(vm);
	return ret;
}

/**
 * mockgpu_get_attr_ioctl() - DRM_IOCTL_MOCKGPU_GET_ATTR
 * @drm: the device
 * @data: a struct drm_mockgpu_attr_range
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EINTR.
 */
int mockgpu_get_attr_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_mockgpu_attr_range *args = data;
	struct mockgpu_attr_values values;
	struct mockgpu_vm *vm;
	int ret;

	if (args->attr >= MOCKGPU_ATTR_COUNT || args->size || args->value ||
	    !mockgpu_args_range_is_valid(args->addr, 1, 1))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = mockgpu_svm_look_attr(&vm->svm, args->addr, &values);
	if (!ret) {
		args->addr = values.start;
		args->size = values.end - values.start;
		args->value = values.values[args->attr];
	}
	mockgpu_vm_put(vm);
	return ret;
}
