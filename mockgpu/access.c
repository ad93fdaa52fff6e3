// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * ACCESS: the device works on a virtual range.
 *
 * The range is done in chunks. What user space gives or gets goes through a
 * buffer, and that is filled or emptied while nothing at all is locked: the
 * buffer of the caller may itself be in VRAM.
 */
#include <linux/dma-mapping.h>
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
#include "foreign.h"
#include "hw/hw.h"
#include "mirror.h"
#include "vm.h"

/* Pages of other devices may come back as fast as they are brought home. */
#define MOCKGPU_ACCESS_TRIES	20
/* Longer than a device usually needs to go away, all tries together. */
#define MOCKGPU_ACCESS_PAUSE	(HZ / 10)

/*
 * One command: what is left of a chunk is [@start, @end), with @data in
 * @buffer. @foreign is what has to come home first.
 */
struct mockgpu_access {
	struct mockgpu_device *mdev;
	struct mm_struct *mm;
	struct mockgpu_mirror mirror;
	enum mockgpu_hw_op op;
	u64 value;
	u64 user_data;
	unsigned long start;
	unsigned long end;
	void *buffer;
	void *data;
	struct mockgpu_alloc *foreign;
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

static enum dma_data_direction mockgpu_access_direction(enum mockgpu_hw_op op)
{
	switch (op) {
	case MOCKGPU_HW_READ:
		return DMA_TO_DEVICE;
	case MOCKGPU_HW_WRITE:
	case MOCKGPU_HW_FILL:
		return DMA_FROM_DEVICE;
	default:
		return DMA_BIDIRECTIONAL;
	}
}

/*
 * The memory is shared: others map, use and write it at the same time. Only a
 * copy that is read may be made (in a bounce buffer); it is none too old.
 */
static unsigned long mockgpu_access_attrs(enum dma_data_direction dir)
{
	return dir == DMA_TO_DEVICE ? 0 : DMA_ATTR_SKIP_CPU_SYNC;
}

static int mockgpu_access_system(struct mockgpu_access *access,
				 struct page *page, unsigned int offset,
				 unsigned int size,
				 const struct mockgpu_hw_work *work)
{
	enum dma_data_direction dir = mockgpu_access_direction(work->op);
	struct device *dev = mockgpu_hw_dma_device(access->mdev->hw);
	struct mockgpu_hw_addr addr = { .bus = MOCKGPU_HW_BUS_DMA };
	int ret;

	addr.addr = dma_map_page_attrs(dev, page, offset, size, dir,
				       mockgpu_access_attrs(dir));
	if (dma_mapping_error(dev, addr.addr))
		return -ENOMEM;

	/* What is written to a copy comes back over what the CPU wrote since. */
	if (dir != DMA_TO_DEVICE && dma_need_sync(dev, addr.addr))
		ret = -EOPNOTSUPP;
	else
		ret = mockgpu_hw_access_bus(access->mdev->hw, addr, size, work);
	dma_unmap_page_attrs(dev, addr.addr, size, dir, mockgpu_access_attrs(dir));

	/* It is still mapped writable, so nobody has truncated it. */
	if (!ret && work->op != MOCKGPU_HW_READ)
		folio_mark_dirty(page_folio(page));
	return ret;
}

/* Over the link; where there is none, -EXDEV with what has to come home. */
static int mockgpu_access_foreign(struct mockgpu_access *access,
				  struct page *page, unsigned int offset,
				  unsigned int size,
				  const struct mockgpu_hw_work *work)
{
	int ret;

	ret = mockgpu_foreign_access(access->mdev, page, offset, size, work,
				     mockgpu_access_direction(work->op));
	if (ret == -EXDEV) {
		access->foreign = mockgpu_foreign_get(page);
		if (!access->foreign)
			ret = -EFAULT;
	}
	return ret;
}

/* @page is what the locked mirror says is at the address. */
static int mockgpu_access_page(struct mockgpu_access *access,
			       struct page *page, unsigned int offset,
			       unsigned int size,
			       const struct mockgpu_hw_work *work)
{
	const struct mockgpu_vram *vram = &access->mdev->vram;
	u64 first;

	if (mockgpu_vram_owns(vram, page)) {
		first = mockgpu_vram_index(vram, page);
		return mockgpu_hw_access_vram(access->mdev->hw,
					      (first << PAGE_SHIFT) + offset,
					      size, work);
	}

	if (is_device_private_page(page) || is_device_coherent_page(page))
		return mockgpu_access_foreign(access, page, offset, size,
					      work);

	return mockgpu_access_system(access, page, offset, size, work);
}

/* With the mirror locked. Moves @start and @data on by what was done. */
static int mockgpu_access_pages(struct mockgpu_access *access)
{
	unsigned long first = PAGE_ALIGN_DOWN(access->start);
	struct mockgpu_hw_work work = {
		.op = access->op,
		.value = access->value,
	};
	unsigned int offset, size;
	struct page *page;
	int ret;

	while (access->start < access->end) {
		offset = offset_in_page(access->start);
		size = min(access->end - access->start, PAGE_SIZE - offset);
		page = hmm_pfn_to_page(access->mirror.pfns[(access->start -
							    first) >>
							   PAGE_SHIFT]);
		work.data = access->data;
		ret = mockgpu_access_page(access, page, offset, size, &work);
		if (ret)
			return ret;

		access->start += size;
		if (access->data)
			access->data += size;
	}
	return 0;
}

static int mockgpu_access_mirror(struct mockgpu_access *access)
{
	unsigned long start = PAGE_ALIGN_DOWN(access->start);
	unsigned long end = PAGE_ALIGN(access->end);
	int ret;

	ret = mockgpu_mirror_open(&access->mirror, access->mm, start, end);
	if (ret)
		return ret;

	ret = mockgpu_mirror_lock(&access->mirror, start, end,
				  access->op == MOCKGPU_HW_READ ?
				  MOCKGPU_MIRROR_READ : MOCKGPU_MIRROR_WRITE,
				  mockgpu_vram_owner(access->mdev->config.index));
	if (!ret) {
		ret = mockgpu_access_pages(access);
		mockgpu_mirror_unlock(&access->mirror);
	}

	mockgpu_mirror_close(&access->mirror);
	return ret;
}

/* While this runs the device cannot go away; in between it can. */
static int mockgpu_access_bound(struct mockgpu_access *access)
{
	int idx, ret;

	if (!drm_dev_enter(&access->mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_access_mirror(access);
	drm_dev_exit(idx);

	return ret;
}

/*
 * A device that goes away brings its pages home by itself. It waits for all
 * who are bound to any device, so that this must not be.
 */
static int mockgpu_access_bring_home(struct mockgpu_access *access)
{
	int ret = mockgpu_foreign_bring_home(access->foreign);

	access->foreign = NULL;
	if (ret == -ENODEV) {
		schedule_timeout_killable(MOCKGPU_ACCESS_PAUSE);
		ret = 0;
	}
	if (fatal_signal_pending(current))
		return -EINTR;
	return ret ? -EFAULT : 0;
}

/* Gives up after that many times without getting anywhere. */
static int mockgpu_access_reach(struct mockgpu_access *access)
{
	unsigned int tries = 0;
	unsigned long start;
	int ret;

	do {
		start = access->start;
		ret = mockgpu_access_bound(access);
		if (ret != -EXDEV)
			return ret;

		ret = mockgpu_access_bring_home(access);
		if (ret)
			return ret;
		if (start != access->start)
			tries = 0;
	} while (tries++ < MOCKGPU_ACCESS_TRIES);

	return -EFAULT;
}

/* What was done counts only once the caller has the data. */
static int mockgpu_access_chunk(struct mockgpu_access *access)
{
	void __user *data = u64_to_user_ptr(access->user_data);
	unsigned long start = access->start;
	int ret;

	if (access->op == MOCKGPU_HW_WRITE &&
	    copy_from_user(access->buffer, data, access->end - start))
		return -EFAULT;

	access->data = access->buffer;
	ret = mockgpu_access_reach(access);
	if (access->op == MOCKGPU_HW_READ &&
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

	access->mdev = vm->mdev;
	access->mm = vm->mm;
	access->op = mockgpu_access_op(args->op);
	access->value = args->value;
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
