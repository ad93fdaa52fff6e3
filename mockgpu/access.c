// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ACCESS: the device works on a virtual range.
 *
 * The range is done in chunks. What user space gives or gets goes through a
 * buffer, and that is filled or emptied while nothing at all is locked: the
 * buffer of the caller may itself be in VRAM.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/mockgpu_drm.h>

#include "access.h"
#include "args.h"
#include "device.h"
#include "hw/hw.h"
#include "patience.h"
#include "place.h"
#include "svm.h"
#include "vm.h"

/* One command: what is left of a chunk is [@start, @end), with @data in @buffer. */
struct mockgpu_access {
	struct mockgpu_vm *vm;
	struct mockgpu_hw_work work;
	u64 user_data;
	unsigned long start;
	unsigned long end;
	void *buffer;
};

static bool mockgpu_access_uses_data(u32 op)
{
	return op == MOCKGPU_ACCESS_READ || op == MOCKGPU_ACCESS_WRITE;
}

static int mockgpu_access_check(const struct drm_mockgpu_access *args)
{
	bool uses_data;

	if (args->op > MOCKGPU_ACCESS_XOR || args->flags)
		return -EINVAL;

	uses_data = mockgpu_access_uses_data(args->op);
	if (uses_data ? args->value : args->data)
		return -EINVAL;

	return mockgpu_args_range_is_valid(args->addr, args->size,
					   uses_data ? 1 : sizeof(u64)) ?
	       0 : -EINVAL;
}

static enum mockgpu_hw_op mockgpu_access_op(u32 op)
{
	switch (op) {
	case MOCKGPU_ACCESS_READ:
		return MOCKGPU_HW_READ;
	case MOCKGPU_ACCESS_WRITE:
		return MOCKGPU_HW_WRITE;
	case MOCKGPU_ACCESS_FILL:
		return MOCKGPU_HW_FILL;
	default:
		return MOCKGPU_HW_XOR;
	}
}

/* Moves @start and the data on by what was done; -EFAULT is the device's fault. */
static int mockgpu_access_pages(struct mockgpu_access *access)
{
	unsigned int size;
	int ret = 0;

	while (access->start < access->end && !ret) {
		size = min(access->end - access->start,
			   PAGE_SIZE - offset_in_page(access->start));
		ret = mockgpu_hw_access(access->vm->svm.mmu, access->start, size,
					&access->work);
		if (ret)
			break;

		access->start += size;
		if (access->work.data)
			access->work.data += size;
	}
	return ret;
}

static int mockgpu_access_or_fault(struct mockgpu_access *access)
{
	int ret = mockgpu_access_pages(access);

	if (ret != -EFAULT)
		return ret;
	ret = mockgpu_place_on_fault(access->vm, access->start);
	if (ret)
		return ret;
	ret = mockgpu_svm_fault(&access->vm->svm, access->start,
				access->work.op != MOCKGPU_HW_READ);
	return ret ?: -EAGAIN;
}

/* While this runs the device cannot go away; in between it can. */
static int mockgpu_access_bound(struct mockgpu_access *access)
{
	int idx, ret;

	if (!drm_dev_enter(&access->vm->mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_access_or_fault(access);
	drm_dev_exit(idx);

	return ret;
}

/* Gives up after faults for a while without getting anywhere. */
static int mockgpu_access_reach(struct mockgpu_access *access)
{
	struct mockgpu_patience patience;
	unsigned long start = access->start;
	int ret;

	mockgpu_patience_begin(&patience);
	do {
		ret = mockgpu_access_bound(access);
		if (ret != -EAGAIN)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (start != access->start)
			mockgpu_patience_begin(&patience);
		start = access->start;
		cond_resched();
	} while (mockgpu_patience_left(&patience));

	return -EBUSY;
}

/* What was done counts only once the caller has the data. */
static int mockgpu_access_chunk(struct mockgpu_access *access)
{
	void __user *data = u64_to_user_ptr(access->user_data);
	unsigned long start = access->start;
	int ret;

	if (access->work.op == MOCKGPU_HW_WRITE &&
	    copy_from_user(access->buffer, data, access->end - start))
		return -EFAULT;

	access->work.data = access->buffer;
	ret = mockgpu_access_reach(access);
	if (access->work.op == MOCKGPU_HW_READ &&
	    copy_to_user(data, access->buffer, access->start - start)) {
		access->start = start;
		ret = -EFAULT;
	}
	access->user_data += access->start - start;
	return ret;
}

static int mockgpu_access_run(struct mockgpu_access *access,
			      struct drm_mockgpu_access *args)
{
	unsigned long end = args->addr + args->size;
	int ret = 0;

	access->start = args->addr;
	while (!ret && access->start < end) {
		if (fatal_signal_pending(current))
			return -EINTR;

		access->end = mockgpu_args_chunk_end(access->start, end);
		ret = mockgpu_access_chunk(access);
		args->done = access->start - args->addr;
		cond_resched();
	}
	return ret;
}

static struct mockgpu_access *
mockgpu_access_new(struct mockgpu_vm *vm, const struct drm_mockgpu_access *args)
{
	struct mockgpu_access *access = kzalloc(sizeof(*access), GFP_KERNEL);

	if (!access)
		return NULL;

	access->vm = vm;
	access->work.op = mockgpu_access_op(args->op);
	access->work.value = args->value;
	access->user_data = args->data;
	if (!mockgpu_access_uses_data(args->op))
		return access;

	access->buffer = kvmalloc(min_t(u64, args->size, SZ_2M), GFP_KERNEL);
	if (!access->buffer) {
		kfree(access);
		return NULL;
	}
	return access;
}

static void mockgpu_access_free(struct mockgpu_access *access)
{
	kvfree(access->buffer);
	kfree(access);
}

static int mockgpu_access_vm(struct mockgpu_vm *vm,
			     struct drm_mockgpu_access *args)
{
	struct mockgpu_access *access = mockgpu_access_new(vm, args);
	int ret = -EFAULT;

	if (!access)
		return -ENOMEM;

	/* A VM keeps its address space from being freed, not from its end. */
	if (mmget_not_zero(vm->mm)) {
		ret = mockgpu_access_run(access, args);
		mmput(vm->mm);
	}

	mockgpu_access_free(access);
	return ret;
}

/**
 * mockgpu_access_ioctl() - DRM_IOCTL_MOCKGPU_ACCESS
 * @drm: the device
 * @data: a struct drm_mockgpu_access
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EFAULT no mapping, no
 * permission, bad buffer or memory of another device that does not come home,
 * -EBUSY the mapping kept changing, -EIO the device caught a bad address,
 * -ENOMEM, -ENODEV, -EINTR.
 */
int mockgpu_access_ioctl(struct drm_device *drm, void *data,
			 struct drm_file *file)
{
	struct drm_mockgpu_access *args = data;
	struct mockgpu_vm *vm;
	int ret;

	args->done = 0;
	ret = mockgpu_access_check(args);
	if (ret)
		return ret;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = mockgpu_access_vm(vm, args);
	mockgpu_vm_put(vm);
	return ret;
}
