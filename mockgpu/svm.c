// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * What a device has of an address space: it grows by faults of the device, and
 * shrinks when the kernel says that something changes, which is in space.c; the
 * locks are explained there.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "atomic.h"
#include "bind.h"
#include "device.h"
#include "hw/hw.h"
#include "pagemap.h"
#include "patience.h"
#include "provider.h"
#include "space.h"
#include "svm.h"

/* How long after a race that was lost no large ranges are tried. */
#define MOCKGPU_SVM_SMALL	HZ

static struct drm_gpusvm *mockgpu_svm_base(const struct mockgpu_svm *svm)
{
	return &svm->space->base;
}

/**
 * mockgpu_svm_init() - begin to mirror an address space
 * @svm: filled
 * @mdev: the device; both have to stay
 * @mm: the address space, which is kept
 * @shared: have the same ranges as others that mirror it and say so
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOMEM, or -EBUSY when too many share the ranges.
 */
int mockgpu_svm_init(struct mockgpu_svm *svm, struct mockgpu_device *mdev,
		     struct mm_struct *mm, bool shared)
{
	int ret;

	svm->mdev = mdev;
	mockgpu_exclusives_init(&svm->exclusives);
	mutex_init(&svm->binds_lock);
	svm->binds = RB_ROOT_CACHED;
	svm->bind_count = 0;
	svm->mmu = mockgpu_hw_mmu_create(mdev->hw);
	if (!svm->mmu)
		return -ENOMEM;

	svm->space = mockgpu_space_get(mm, shared);
	if (IS_ERR(svm->space)) {
		ret = PTR_ERR(svm->space);
		goto destroy_mmu;
	}
	ret = mockgpu_space_sit(svm->space, svm);
	if (!ret)
		return 0;

	mockgpu_space_put(svm->space);
destroy_mmu:
	mockgpu_hw_mmu_destroy(svm->mmu);
	return ret;
}

/**
 * mockgpu_svm_forget() - forget what the device had of a range
 * @svm: the mirror; the caller has the lock of its space
 * @start: user address, a multiple of the page size
 * @end: user address, likewise
 *
 * Context: Process context, may sleep.
 */
void mockgpu_svm_forget(struct mockgpu_svm *svm, unsigned long start,
			unsigned long end)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	struct mockgpu_space *space = svm->space;
	struct drm_gpusvm_range *range, *next;

	lockdep_assert_held(&space->lock);

	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &space->base,
					  start, end)
		drm_gpusvm_for_each_range_safe(range, next, notifier, start,
					       end)
			mockgpu_space_remove(space, to_mockgpu_range(range));
}

/**
 * mockgpu_svm_clear() - forget all that the device had of the address space
 * @svm: the mirror
 *
 * Context: Process context, may sleep; no lock of the address space held.
 */
void mockgpu_svm_clear(struct mockgpu_svm *svm)
{
	mockgpu_exclusives_drop(svm, 0, ULONG_MAX);
	mockgpu_space_clear(svm->space, svm);
}

/* Of all VMs that share the address space, as they share what is wanted of it. */
static void mockgpu_svm_drop_exclusives(struct mockgpu_space *space,
					unsigned long start, unsigned long end)
{
	unsigned int seat;

	lockdep_assert_held(&space->lock);

	for (seat = 0; seat < space->count; seat++)
		if (space->seats[seat])
			mockgpu_exclusives_drop(space->seats[seat], start, end);
}

/**
 * mockgpu_svm_set_attr() - from now on something else is wanted of a range
 * @svm: the mirror
 * @attr: which attribute
 * @start: user address, a multiple of the page size
 * @end: user address, likewise
 * @value: what is wanted
 *
 * What the device has of the range goes, so that it comes back as wanted; no
 * range has more than one value.
 *
 * Context: Process context, may sleep; no lock of @svm held.
 * Return: 0, -EBUSY too many ranges, -ENOMEM, -EINTR the caller was killed.
 */
int mockgpu_svm_set_attr(struct mockgpu_svm *svm, enum drm_mockgpu_attr attr,
			 unsigned long start, unsigned long end, u64 value)
{
	int ret;

	ret = mutex_lock_killable(&svm->space->lock);
	if (ret)
		return ret;
	mockgpu_svm_forget(svm, start, end);
	ret = mockgpu_attrs_store(&svm->space->attrs, attr, start, end, value);
	if (attr == MOCKGPU_ATTR_ATOMIC || attr == MOCKGPU_ATTR_READ_ONLY)
		mockgpu_svm_drop_exclusives(svm->space, start, end);
	mutex_unlock(&svm->space->lock);
	return ret;
}

/**
 * mockgpu_svm_look_attr() - what is wanted of an address
 * @svm: the mirror
 * @addr: user address
 * @values: filled
 *
 * Context: Process context, may sleep; no lock of @svm held.
 * Return: 0, -EINTR the caller was killed.
 */
int mockgpu_svm_look_attr(struct mockgpu_svm *svm, unsigned long addr,
			  struct mockgpu_attr_values *values)
{
	int ret;

	ret = mutex_lock_killable(&svm->space->lock);
	if (ret)
		return ret;
	mockgpu_attrs_look(&svm->space->attrs, addr, values);
	values->end = min(values->end, mockgpu_svm_base(svm)->mm->task_size);
	mutex_unlock(&svm->space->lock);
	return 0;
}

/**
 * mockgpu_svm_look_placement() - where is memory to be around an address
 * @svm: the mirror
 * @addr: user address
 * @values: filled; of the range, no part is bound to a buffer
 *
 * Context: Process context, may sleep; no lock of @svm held.
 * Return: 0, -ENOENT a buffer is bound at @addr, -EINTR the caller was killed.
 */
int mockgpu_svm_look_placement(struct mockgpu_svm *svm, unsigned long addr,
			       struct mockgpu_attr_values *values)
{
	struct mockgpu_bind_gap gap;
	int ret;

	ret = mutex_lock_killable(&svm->space->lock);
	if (ret)
		return ret;
	gap = mockgpu_bind_look(svm, addr);
	mockgpu_attrs_look(&svm->space->attrs, addr, values);
	values->start = max(values->start, gap.start);
	values->end = min(values->end, gap.end);
	mutex_unlock(&svm->space->lock);
	return gap.bound ? -ENOENT : 0;
}

/**
 * mockgpu_svm_fini() - undo mockgpu_svm_init()
 * @svm: the mirror, which nobody uses any more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_svm_fini(struct mockgpu_svm *svm)
{
	mockgpu_exclusives_drop(svm, 0, ULONG_MAX);
	mockgpu_space_rise(svm->space, svm);
	mockgpu_space_put(svm->space);
	mockgpu_hw_mmu_destroy(svm->mmu);
}

static struct drm_gpusvm_pages *mockgpu_svm_pages(const struct mockgpu_svm *svm,
						  struct mockgpu_range *range)
{
	return &range->pages[svm->seat];
}

/* With the notifier lock held, for pages that are valid. */
static void mockgpu_range_bind(struct mockgpu_svm *svm,
			       struct mockgpu_range *range, bool write,
			       u64 atomics)
{
	const struct drm_pagemap_addr *addr = mockgpu_svm_pages(svm, range)->dma_addr;
	unsigned long pos = drm_gpusvm_range_start(&range->base);
	unsigned long end = drm_gpusvm_range_end(&range->base);
	unsigned int how = write || READ_ONCE(svm->mdev->knobs.map_writable) ?
			   MOCKGPU_HW_MAP_WRITE : 0;
	struct mockgpu_hw_addr to;

	while (pos < end) {
		to = mockgpu_pagemap_bus(addr);
		mockgpu_hw_mmu_map(svm->mmu, pos, 1UL << addr->order, to,
				   how | mockgpu_atomic_map_flags(atomics,
								  to.bus));
		pos += PAGE_SIZE << addr->order;
		addr++;
	}
	__assign_bit(svm->seat, &range->writable, write);
}

static int mockgpu_range_bind_valid(struct mockgpu_svm *svm,
				    struct mockgpu_range *range, bool write)
{
	struct mockgpu_attr_values attrs;
	int ret = -EBUSY;

	mockgpu_attrs_look(&svm->space->attrs,
			   drm_gpusvm_range_start(&range->base), &attrs);
	drm_gpusvm_notifier_lock(mockgpu_svm_base(svm));
	if (drm_gpusvm_pages_valid(mockgpu_svm_base(svm), mockgpu_svm_pages(svm, range))) {
		mockgpu_range_bind(svm, range, write,
				   attrs.values[MOCKGPU_ATTR_ATOMIC]);
		ret = 0;
	}
	drm_gpusvm_notifier_unlock(mockgpu_svm_base(svm));
	return ret;
}

/*
 * Has somebody else's fault done it already? If what there is does not suffice
 * it goes, because its pages are to be mapped anew.
 */
static bool mockgpu_range_serves(struct mockgpu_svm *svm,
				 struct mockgpu_range *range, bool write)
{
	bool serves;

	drm_gpusvm_notifier_lock(mockgpu_svm_base(svm));
	serves = drm_gpusvm_pages_valid(mockgpu_svm_base(svm), mockgpu_svm_pages(svm, range)) &&
		 (test_bit(svm->seat, &range->writable) || !write);
	if (!serves)
		mockgpu_space_unbind(svm->space, range, svm->seat);
	drm_gpusvm_notifier_unlock(mockgpu_svm_base(svm));
	return serves;
}

static int mockgpu_range_make_valid(struct mockgpu_svm *svm,
				    struct mockgpu_range *range,
				    const struct drm_gpusvm_ctx *ctx)
{
	unsigned long start = drm_gpusvm_range_start(&range->base);
	unsigned long end = drm_gpusvm_range_end(&range->base);
	int ret;

	ret = mockgpu_hw_mmu_prepare(svm->mmu, start, end);
	if (!ret)
		ret = drm_gpusvm_get_pages(mockgpu_svm_base(svm), mockgpu_svm_pages(svm, range),
					   mockgpu_svm_base(svm)->mm,
					   &range->base.notifier->notifier,
					   start, end, ctx);
	return ret ?: mockgpu_range_bind_valid(svm, range, !ctx->read_only);
}

/* Unmapped meanwhile: it will be collected, and what is there now is another. */
static bool mockgpu_range_is_gone(const struct mockgpu_range *range)
{
	struct drm_gpusvm_range_flags flags = {
		.__flags = READ_ONCE(range->base.flags.__flags),
	};

	return flags.unmapped;
}

static bool mockgpu_range_has_vram(struct mockgpu_svm *svm,
				   struct mockgpu_range *range, void *owner)
{
	switch (drm_gpusvm_scan_mm(&range->base, owner,
				   &svm->mdev->vram.pagemap)) {
	case DRM_GPUSVM_SCAN_UNPOPULATED:
	case DRM_GPUSVM_SCAN_SYSTEM:
		return false;
	default:
		return true;
	}
}

/*
 * What spoiled the range? VRAM that cannot be mapped, as there is no room in the
 * window of a link, comes home. Of what is in use all the time, or cannot be had
 * at all, as behind the end of a file, or not for writing, it may be but a part:
 * smaller ranges will tell.
 */
static int mockgpu_range_help(struct mockgpu_svm *svm,
			      struct mockgpu_range *range, int error,
			      const struct drm_gpusvm_ctx *ctx)
{
	if (mockgpu_range_is_gone(range))
		return -EBUSY;
	if (error == -ENOMEM &&
	    mockgpu_range_has_vram(svm, range, ctx->device_private_page_owner))
		return drm_gpusvm_range_evict(mockgpu_svm_base(svm), &range->base) ?:
		       -EBUSY;
	if ((error == -EFAULT || error == -EPERM || error == -EBUSY) &&
	    mockgpu_range_npages(range) > 1) {
		if (error == -EBUSY)
			svm->space->small_until = jiffies + MOCKGPU_SVM_SMALL;
		mockgpu_space_remove(svm->space, range);
		return -E2BIG;
	}
	return error;
}

/*
 * What is wanted: that the device can use @addr. @home says that it is to be in
 * system memory, as far as that is possible; @end is where the range ends that
 * it is in then.
 */
struct mockgpu_want {
	unsigned long addr;
	bool write;
	bool home;
	unsigned long end;
};

static int mockgpu_svm_fault_in(struct mockgpu_svm *svm,
				struct mockgpu_want *want,
				unsigned long start, unsigned long end,
				const struct drm_gpusvm_ctx *ctx)
{
	struct drm_gpusvm_range *base;
	struct mockgpu_range *range;
	int ret;

	base = drm_gpusvm_range_find_or_insert(mockgpu_svm_base(svm),
					       want->addr, start, end, ctx);
	if (IS_ERR(base))
		return PTR_ERR(base);

	range = to_mockgpu_range(base);
	want->end = drm_gpusvm_range_end(base);
	if (want->home &&
	    mockgpu_range_has_vram(svm, range, ctx->device_private_page_owner))
		drm_gpusvm_range_evict(mockgpu_svm_base(svm), base);
	if (mockgpu_range_serves(svm, range, !ctx->read_only))
		return 0;
	ret = mockgpu_range_make_valid(svm, range, ctx);
	return ret ? mockgpu_range_help(svm, range, ret, ctx) : 0;
}

static int mockgpu_svm_fault_locked(struct mockgpu_svm *svm,
				    struct mockgpu_want *want)
{
	struct drm_gpusvm_ctx ctx = {
		.device_private_page_owner =
			mockgpu_vram_owner(svm->mdev->config.index),
		.read_only = !want->write,
		.devmem_possible = mockgpu_device_has_vram(svm->mdev),
		.allow_mixed = true,
		MOCKGPU_PROVIDER_ALLOW_MULTIPLE
	};
	unsigned long task_size = mockgpu_svm_base(svm)->mm->task_size;
	unsigned long page = PAGE_ALIGN_DOWN(want->addr);
	struct mockgpu_attr_values attrs;
	struct mockgpu_bind_gap gap;
	int ret = -E2BIG;

	gap = mockgpu_bind_look(svm, want->addr);
	if (gap.bound) {
		want->end = gap.end;
		return mockgpu_bind_fault(svm, want->addr);
	}
	mockgpu_attrs_look(&svm->space->attrs, want->addr, &attrs);
	attrs.start = max(attrs.start, gap.start);
	attrs.end = min(attrs.end, gap.end);
	if (attrs.values[MOCKGPU_ATTR_READ_ONLY] && want->write)
		return -EFAULT;
	if (attrs.values[MOCKGPU_ATTR_PREFERRED] == MOCKGPU_PREFER_SYSTEM &&
	    attrs.values[MOCKGPU_ATTR_ATOMIC] != MOCKGPU_ATOMIC_DEVICE)
		want->home = true;

	mockgpu_space_collect_garbage(svm->space);
	if (time_after_eq(jiffies, svm->space->small_until))
		ret = mockgpu_svm_fault_in(svm, want, attrs.start,
					   min(attrs.end, task_size), &ctx);
	/* The first one may still find a large range that is there. */
	if (ret == -E2BIG)
		ret = mockgpu_svm_fault_in(svm, want, page, page + PAGE_SIZE,
					   &ctx);
	if (ret == -E2BIG)
		ret = mockgpu_svm_fault_in(svm, want, page, page + PAGE_SIZE,
					   &ctx);
	return ret;
}

static int mockgpu_svm_fault_once(struct mockgpu_svm *svm,
				  struct mockgpu_want *want)
{
	int ret;

	ret = mutex_lock_killable(&svm->space->lock);
	if (ret)
		return ret;
	ret = mockgpu_svm_fault_locked(svm, want);
	mutex_unlock(&svm->space->lock);
	return ret;
}

static int mockgpu_svm_get(struct mockgpu_svm *svm, struct mockgpu_want *want)
{
	struct mockgpu_patience patience;
	int ret = svm->mdev->share_error;

	if (ret)
		return ret;
	mockgpu_patience_begin(&patience);
	do {
		ret = mockgpu_svm_fault_once(svm, want);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while ((ret == -EBUSY || ret == -EAGAIN) &&
		 mockgpu_patience_left(&patience));

	switch (ret) {
	case -EAGAIN:
		return -EBUSY;
	case -EINVAL:
	case -ENOENT:
	case -EPERM:
	case -EIO:
		return -EFAULT;
	default:
		return ret;
	}
}

/**
 * mockgpu_svm_fault() - the device wants to use an address
 * @svm: the mirror; the caller has a user reference on its address space
 * @addr: user address
 * @write: does it want to write
 *
 * When it returns, the device may already have lost the page again.
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0, -EFAULT no mapping or no permission, -EBUSY the range kept
 * changing, -EOPNOTSUPP the memory cannot be shared with the device, -ENOMEM,
 * -EINTR the caller was killed.
 */
int mockgpu_svm_fault(struct mockgpu_svm *svm, unsigned long addr, bool write)
{
	struct mockgpu_want want = { .addr = addr, .write = write };

	return mockgpu_svm_get(svm, &want);
}

/* While this runs no device of the machine can go away; in between it can. */
static int mockgpu_svm_get_bound(struct mockgpu_svm *svm,
				 struct mockgpu_want *want)
{
	int idx, ret;

	if (!drm_dev_enter(&svm->mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_svm_get(svm, want);
	drm_dev_exit(idx);

	return ret;
}

/**
 * mockgpu_svm_map() - have the device ready to read a range
 * @svm: the mirror; the caller has a user reference on its address space
 * @start: user address
 * @end: user address
 * @home: bring it to system memory before, as far as that is possible
 *
 * Context: Process context, may sleep, no lock held.
 * Return: as mockgpu_svm_fault(), or -ENODEV the device is gone.
 */
int mockgpu_svm_map(struct mockgpu_svm *svm, unsigned long start,
		    unsigned long end, bool home)
{
	struct mockgpu_want want = { .addr = start, .home = home };
	int ret = 0;

	while (want.addr < end && !ret) {
		ret = mockgpu_svm_get_bound(svm, &want);
		want.addr = want.end;
	}
	return ret;
}
