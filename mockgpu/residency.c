// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * RESIDENCY: where pages are.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "device.h"
#include "mirror.h"
#include "residency.h"
#include "vm.h"

struct mockgpu_residency {
	const struct mockgpu_device *mdev;
	struct mockgpu_mirror mirror;
	u8 kinds[MOCKGPU_MIRROR_PAGES];
};

static u8 mockgpu_residency_kind(const struct mockgpu_device *mdev,
				 unsigned long pfn)
{
	struct page *page;

	if (!(pfn & HMM_PFN_VALID))
		return MOCKGPU_PAGE_NONE;

	page = hmm_pfn_to_page(pfn);
	if (mockgpu_vram_owns(&mdev->vram, page))
		return MOCKGPU_PAGE_DEVICE;
	if (is_device_private_page(page) || is_device_coherent_page(page))
		return MOCKGPU_PAGE_OTHER;
	return MOCKGPU_PAGE_SYSTEM;
}

/* Fills in what is not known yet; true if something still is not. */
static bool mockgpu_residency_note(struct mockgpu_residency *residency,
				   unsigned long count)
{
	bool unknown = false;
	unsigned long i;
	u8 *kind;

	for (i = 0; i < count; i++) {
		kind = &residency->kinds[i];
		if (*kind == MOCKGPU_PAGE_NONE)
			*kind = mockgpu_residency_kind(residency->mdev,
						       residency->mirror.pfns[i]);
		unknown |= *kind == MOCKGPU_PAGE_NONE;
	}
	return unknown;
}

/* Looks with the eyes of one device: private pages are shown to owners only. */
static int mockgpu_residency_look(struct mockgpu_residency *residency,
				  unsigned long start, unsigned long end,
				  unsigned int index, bool *unknown)
{
	struct mockgpu_mirror *mirror = &residency->mirror;
	int ret;

	ret = mockgpu_mirror_lock(mirror, start, end,
				  mockgpu_vram_owner(index));
	if (ret)
		return ret;

	*unknown = mockgpu_residency_note(residency,
					  (end - start) >> PAGE_SHIFT);
	mockgpu_mirror_unlock(mirror);
	return 0;
}

static int mockgpu_residency_look_all(struct mockgpu_residency *residency,
				      unsigned long start, unsigned long end)
{
	const struct mockgpu_device_config *config = &residency->mdev->config;
	unsigned int i;
	bool unknown;
	int ret;

	memset(residency->kinds, MOCKGPU_PAGE_NONE, sizeof(residency->kinds));
	ret = mockgpu_residency_look(residency, start, end, config->index,
				     &unknown);
	if (config->tier != MOCKGPU_TIER_PRIVATE)
		return ret;

	for (i = 0; i < MOCKGPU_MAX_DEVICES && !ret && unknown; i++)
		if (i != config->index && mockgpu_vram_owner(i))
			ret = mockgpu_residency_look(residency, start, end, i,
						     &unknown);
	return ret;
}

static int mockgpu_residency_chunk(struct mockgpu_residency *residency,
				   struct mm_struct *mm,
				   unsigned long start, unsigned long end,
				   u8 __user *data)
{
	int ret;

	ret = mockgpu_mirror_open(&residency->mirror, mm, start, end);
	if (ret)
		return ret;

	ret = mockgpu_residency_look_all(residency, start, end);
	mockgpu_mirror_close(&residency->mirror);
	if (ret)
		return ret;

	return copy_to_user(data, residency->kinds,
			    (end - start) >> PAGE_SHIFT) ? -EFAULT : 0;
}

static int mockgpu_residency_run(struct mockgpu_residency *residency,
				 struct mm_struct *mm,
				 const struct drm_mockgpu_residency *args)
{
	u8 __user *data = u64_to_user_ptr(args->data);
	unsigned long end = args->addr + args->size;
	unsigned long start, next;
	int ret = 0;

	for (start = args->addr; start < end && !ret; start = next) {
		if (fatal_signal_pending(current))
			return -EINTR;

		next = mockgpu_args_chunk_end(start, end);
		ret = mockgpu_residency_chunk(residency, mm, start, next, data);
		data += (next - start) >> PAGE_SHIFT;
		cond_resched();
	}
	return ret;
}

static int mockgpu_residency_vm(struct mockgpu_vm *vm,
				const struct drm_mockgpu_residency *args)
{
	struct mockgpu_residency *residency =
		kzalloc(sizeof(*residency), GFP_KERNEL);
	int ret = -EFAULT;

	if (!residency)
		return -ENOMEM;
	residency->mdev = vm->mdev;

	/* A VM keeps its address space from being freed, not from its end. */
	if (mmget_not_zero(vm->mm)) {
		ret = mockgpu_residency_run(residency, vm->mm, args);
		mmput(vm->mm);
	}

	kfree(residency);
	return ret;
}

/**
 * mockgpu_residency_ioctl() - DRM_IOCTL_MOCKGPU_RESIDENCY
 * @drm: the device
 * @data: a struct drm_mockgpu_residency
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EFAULT bad buffer, -EBUSY
 * the mapping kept changing, -ENOMEM, -EINTR.
 */
int mockgpu_residency_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	const struct drm_mockgpu_residency *args = data;
	struct mockgpu_vm *vm;
	int ret;

	if (args->pad ||
	    !mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = mockgpu_residency_vm(vm, args);
	mockgpu_vm_put(vm);
	return ret;
}
