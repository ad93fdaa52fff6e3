// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * EVICT, and bringing everything home before the device goes away.
 */
#include <linux/capability.h>
#include <linux/jiffies.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_print.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "buffer.h"
#include "device.h"
#include "evict.h"
#include "heap.h"
#include "mirror.h"
#include "vm.h"

#define MOCKGPU_EVICT_PAUSE	(HZ / 20)
#define MOCKGPU_EVICT_PATIENCE	(10 * HZ)

static int mockgpu_evict_any(struct mockgpu_alloc *alloc)
{
	return alloc->plain ? mockgpu_buffer_evict(alloc) :
			      drm_pagemap_evict_to_ram(&alloc->devmem);
}

/**
 * mockgpu_evict_alloc() - bring one allocation home
 * @alloc: the allocation
 *
 * Context: Process context, may sleep for a bounded time.
 * Return: 0, -EBUSY when somebody holds pages, -ENOMEM, -EINTR, -EIO, or
 * -ENODEV when the device is going away, which brings it home too.
 */
int mockgpu_evict_alloc(struct mockgpu_alloc *alloc)
{
	int idx, ret;

	/* The frames are looked at, free or not, so they have to be there. */
	if (!drm_dev_enter(&alloc->mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_evict_any(alloc);
	drm_dev_exit(idx);

	return ret;
}

static void mockgpu_evict_count(struct drm_mockgpu_evict *args, int ret)
{
	if (ret)
		args->busy++;
	else
		args->evicted++;
}

/* Of @vm_serial, or of all when it is 0. What comes later is left alone. */
static int mockgpu_evict_many(struct mockgpu_device *mdev, u64 vm_serial,
			      struct drm_mockgpu_evict *args)
{
	u64 last = mockgpu_heap_serial(&mdev->heap);
	struct mockgpu_alloc *alloc = NULL;
	int ret = 0;

	while ((alloc = mockgpu_heap_next(&mdev->heap, alloc)) &&
	       alloc->serial <= last) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		if (vm_serial && alloc->vm_serial != vm_serial)
			continue;

		mockgpu_evict_count(args, mockgpu_evict_alloc(alloc));
		cond_resched();
	}
	mockgpu_heap_put(alloc);

	return ret;
}

/* Finds the allocation behind a page, or NULL. */
static struct mockgpu_alloc *
mockgpu_evict_find(struct mockgpu_device *mdev, struct mockgpu_mirror *mirror)
{
	struct page *page;

	if (!(mirror->pfns[0] & HMM_PFN_VALID))
		return NULL;

	page = hmm_pfn_to_page(mirror->pfns[0]);
	if (!mockgpu_vram_owns(&mdev->vram, page))
		return NULL;

	return mockgpu_heap_find(&mdev->heap,
				 mockgpu_vram_index(&mdev->vram, page));
}

static struct mockgpu_alloc *
mockgpu_evict_look_up(struct mockgpu_vm *vm, struct mockgpu_mirror *mirror,
		      unsigned long start)
{
	struct mockgpu_device *mdev = vm->mdev;
	unsigned long end = start + PAGE_SIZE;
	struct mockgpu_alloc *alloc;
	int ret;

	ret = mockgpu_mirror_open(mirror, vm->mm, start, end);
	if (ret)
		return ERR_PTR(ret);

	ret = mockgpu_mirror_lock(mirror, start, end,
				  mockgpu_vram_owner(mdev->config.index));
	if (ret) {
		alloc = ERR_PTR(ret);
	} else {
		alloc = mockgpu_evict_find(mdev, mirror);
		mockgpu_mirror_unlock(mirror);
	}

	mockgpu_mirror_close(mirror);
	return alloc ?: ERR_PTR(-ENOENT);
}

static int mockgpu_evict_addr(struct mockgpu_vm *vm,
			      struct drm_mockgpu_evict *args)
{
	struct mockgpu_mirror *mirror = kzalloc(sizeof(*mirror), GFP_KERNEL);
	struct mockgpu_alloc *alloc;

	if (!mirror)
		return -ENOMEM;

	alloc = mockgpu_evict_look_up(vm, mirror, PAGE_ALIGN_DOWN(args->addr));
	kfree(mirror);
	if (IS_ERR(alloc))
		return PTR_ERR(alloc);

	mockgpu_evict_count(args, mockgpu_evict_alloc(alloc));
	mockgpu_heap_put(alloc);
	return 0;
}

static int mockgpu_evict_vm(struct mockgpu_vm *vm,
			    struct drm_mockgpu_evict *args)
{
	int ret;

	switch (args->scope) {
	case MOCKGPU_EVICT_ADDR:
		if (!mmget_not_zero(vm->mm))
			return -EFAULT;
		ret = mockgpu_evict_addr(vm, args);
		mmput(vm->mm);
		break;
	case MOCKGPU_EVICT_VM:
		ret = mockgpu_evict_many(vm->mdev, vm->serial, args);
		break;
	default:
		ret = mockgpu_evict_many(vm->mdev, 0, args);
		break;
	}

	if (!ret && args->busy)
		ret = -EBUSY;
	return ret;
}

static int mockgpu_evict_check(const struct drm_mockgpu_evict *args)
{
	switch (args->scope) {
	case MOCKGPU_EVICT_ADDR:
		return mockgpu_args_range_is_valid(args->addr, 1, 1) ?
		       0 : -EINVAL;
	case MOCKGPU_EVICT_VM:
		return args->addr ? -EINVAL : 0;
	case MOCKGPU_EVICT_DEVICE:
		if (args->addr)
			return -EINVAL;
		return capable(CAP_SYS_ADMIN) ? 0 : -EPERM;
	default:
		return -EINVAL;
	}
}

/**
 * mockgpu_evict_ioctl() - DRM_IOCTL_MOCKGPU_EVICT
 * @drm: the device
 * @data: a struct drm_mockgpu_evict
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EPERM for the scope,
 * -EOPNOTSUPP without VRAM, -ENOENT no page of the device, -EBUSY somebody
 * holds pages or they kept changing, -ENOMEM, -EINTR.
 */
int mockgpu_evict_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct drm_mockgpu_evict *args = data;
	struct mockgpu_vm *vm;
	int ret;

	args->evicted = 0;
	args->busy = 0;
	ret = mockgpu_evict_check(args);
	if (ret)
		return ret;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (mockgpu_device_has_vram(vm->mdev))
		ret = mockgpu_evict_vm(vm, args);
	else
		ret = -EOPNOTSUPP;
	mockgpu_vm_put(vm);
	return ret;
}

/**
 * mockgpu_evict_round() - one round over what is left
 * @mdev: the device; nothing new can be populated
 *
 * Context: Process context, may sleep.
 * Return: how many pages are left then.
 */
unsigned long mockgpu_evict_round(struct mockgpu_device *mdev)
{
	struct mockgpu_alloc *alloc = NULL;
	unsigned int allocs;
	unsigned long pages;

	while ((alloc = mockgpu_heap_next(&mdev->heap, alloc))) {
		mockgpu_evict_any(alloc);
		cond_resched();
	}

	mockgpu_heap_read_live(&mdev->heap, &pages, &allocs);
	return pages;
}

/**
 * mockgpu_evict_for_unbind() - bring home all there is
 * @mdev: the device; nothing new can be populated
 *
 * Pages somebody holds, in a pipe for example, cannot be brought home before
 * they are given back. Some time is given for that, unless the caller is killed.
 *
 * Context: Process context, may sleep.
 * Return: true if no page is left.
 */
bool mockgpu_evict_for_unbind(struct mockgpu_device *mdev)
{
	unsigned long deadline = jiffies + MOCKGPU_EVICT_PATIENCE;
	unsigned long pages;

	while ((pages = mockgpu_evict_round(mdev))) {
		if (fatal_signal_pending(current) || time_after(jiffies, deadline)) {
			drm_warn(&mdev->drm, "%lu pages of VRAM are still held by somebody\n",
				 pages);
			return false;
		}
		schedule_timeout_killable(MOCKGPU_EVICT_PAUSE);
	}
	return true;
}
