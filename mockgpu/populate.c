// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * POPULATE: moving a range into VRAM.
 *
 * The ioctl calls the SVM module, which takes mmap_lock and calls back. Who
 * called is noted in between, because the callback does not say: that gives
 * the allocations their VM, and the callback a way to see what is in VRAM
 * already, which must be set up before mmap_lock is taken.
 *
 * When VRAM is full, what others have there goes, but nothing that the same
 * command has just brought: a range that is larger than VRAM does not fit.
 *
 * While the SVM module calls back the device cannot be unbound, nor can any other of
 * the machine: the callback returns after a while, and the command calls again for
 * the rest.
 *
 * Locks: mmap_lock (read) -> mockgpu_device.populate_lock, a leaf for the list
 * of running commands.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_pagemap.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "device.h"
#include "heap.h"
#include "mirror.h"
#include "pagemap.h"
#include "populate.h"
#include "provider.h"
#include "room.h"
#include "vm.h"

/* How often room that was made may be taken by others. */
#define MOCKGPU_POPULATE_ROUNDS	8
/* How long a command goes on at a time, if there is more than one piece to do. */
#define MOCKGPU_POPULATE_TURN	(HZ / 10)

/*
 * A command that is running; nobody but its own task uses it. @firm says that it
 * wants room more than others do who came but moments ago; @wanted is how many
 * pages there was no room for. It has come as far as @pos. @lost is time that
 * making room took in vain, for all pieces of all turns.
 */
struct mockgpu_populate_call {
	struct list_head link;
	struct task_struct *task;
	u64 serial;
	u64 vm_serial;
	bool partial;
	bool firm;
	unsigned long pos;
	unsigned long wanted;
	unsigned long lost;
	struct mockgpu_mirror mirror;
	struct drm_pagemap_migrate_report total;
};

/*
 * What the callback is doing; @call is NULL when it was not our ioctl. What
 * comes of a piece is in @report, what came of those before in @total. It is to
 * end at @deadline, if it has a call to go on for it. @lost is for when it has
 * none.
 */
struct mockgpu_populate {
	struct drm_pagemap *dpagemap;
	struct mockgpu_device *mdev;
	struct mm_struct *mm;
	struct mockgpu_populate_call *call;
	bool partial;
	unsigned long deadline;
	unsigned long lost;
	struct drm_pagemap_migrate_details details;
	struct drm_pagemap_migrate_report report;
	struct drm_pagemap_migrate_report total;
};

static struct mockgpu_populate_call *
mockgpu_populate_find_call(struct mockgpu_device *mdev)
{
	struct mockgpu_populate_call *call, *found = NULL;

	spin_lock(&mdev->populate_lock);
	list_for_each_entry(call, &mdev->populate_calls, link)
		if (call->task == current)
			found = call;
	spin_unlock(&mdev->populate_lock);

	return found;
}

static bool mockgpu_populate_is_resident(struct mockgpu_populate *populate,
					 unsigned long start, unsigned long end)
{
	struct mockgpu_device *mdev = populate->mdev;
	unsigned long count = (end - start) >> PAGE_SHIFT;
	struct mockgpu_mirror *mirror;
	unsigned long i;

	if (!populate->call)
		return false;

	mirror = &populate->call->mirror;
	if (mockgpu_mirror_try_look(mirror, start, end,
				    mockgpu_vram_owner(mdev->config.index)))
		return false;

	for (i = 0; i < count; i++)
		if (!(mirror->pfns[i] & HMM_PFN_VALID) ||
		    !mockgpu_vram_owns(&mdev->vram,
				       hmm_pfn_to_page(mirror->pfns[i])))
			break;
	mockgpu_mirror_unlock(mirror);

	return i == count;
}

static struct mockgpu_alloc *
mockgpu_populate_alloc(struct mockgpu_populate *populate, unsigned long npages)
{
	u64 vm_serial = populate->call ? populate->call->vm_serial : 0;
	struct mockgpu_alloc *alloc;
	int ret;

	alloc = mockgpu_heap_new(populate->dpagemap, populate->mm, npages,
				 vm_serial);
	if (IS_ERR(alloc))
		return alloc;

	alloc->call = populate->call ? populate->call->serial : 0;
	if (populate->partial)
		return alloc;

	ret = mockgpu_heap_take(alloc, npages);
	if (!ret)
		return alloc;

	mockgpu_heap_put(alloc);
	return ERR_PTR(ret);
}

static int mockgpu_populate_try(struct mockgpu_populate *populate,
				unsigned long start, unsigned long end)
{
	unsigned long npages = (end - start) >> PAGE_SHIFT;
	struct mockgpu_alloc *alloc;
	int ret;

	populate->report = (struct drm_pagemap_migrate_report){
		.stayed = npages,
	};
	alloc = mockgpu_populate_alloc(populate, npages);
	if (IS_ERR(alloc))
		return PTR_ERR(alloc);

	/* Consumes the allocation, whatever comes of it. */
	ret = drm_pagemap_migrate_to_devmem(&alloc->devmem, populate->mm,
					    start, end, &populate->details);
	mockgpu_provider_tell(&populate->report, npages, ret);
	if (!ret)
		return 0;

	/* What had moved was brought home. */
	populate->report.stayed += populate->report.moved;
	populate->report.moved = 0;
	return ret;
}

/* Others may be faster, but not for ever. */
static int mockgpu_populate_fit(struct mockgpu_populate *populate,
				unsigned long start, unsigned long end)
{
	struct mockgpu_populate_call *call = populate->call;
	struct mockgpu_room room = {
		.last = mockgpu_heap_serial(&populate->mdev->heap),
		.call = call ? call->serial : 0,
		.firm = call && call->firm,
		.lost = call ? &call->lost : &populate->lost,
	};
	unsigned int rounds = MOCKGPU_POPULATE_ROUNDS;
	int ret, made = 0;

	do {
		ret = mockgpu_populate_try(populate, start, end);
		if (ret != -ENOSPC)
			return ret;

		room.npages = populate->partial ? call->wanted :
						  (end - start) >> PAGE_SHIFT;
		made = mockgpu_room_make(populate->mdev, &room);
	} while (!made && rounds--);

	return made == -EINTR ? -EINTR : -ENOSPC;
}

/* Half of it, rounded down to whole pages. */
static unsigned long mockgpu_populate_half(unsigned long start,
					   unsigned long end)
{
	return start + PAGE_ALIGN_DOWN((end - start) / 2);
}

/* Moves *@end down to where it got to, which is never nowhere. */
static int mockgpu_populate_piece(struct mockgpu_populate *populate,
				  unsigned long start, unsigned long *end)
{
	int ret;

	if (mockgpu_populate_is_resident(populate, start, *end)) {
		populate->total.resident += (*end - start) >> PAGE_SHIFT;
		return 0;
	}

	/* All of it, or when VRAM is fragmented, as much as there is room for. */
	ret = mockgpu_populate_fit(populate, start, *end);
	while (ret == -ENOSPC && *end - start > PAGE_SIZE) {
		*end = mockgpu_populate_half(start, *end);
		ret = mockgpu_populate_fit(populate, start, *end);
	}

	populate->total.moved += populate->report.moved;
	populate->total.resident += populate->report.resident;
	populate->total.stayed += populate->report.stayed;
	return ret;
}

/* While this runs the device cannot go away; in between it can. */
static int mockgpu_populate_bound(struct mockgpu_populate *populate,
				  unsigned long start, unsigned long *end)
{
	int idx, ret;

	if (!drm_dev_enter(&populate->mdev->drm, &idx))
		return -ENODEV;
	ret = mockgpu_populate_piece(populate, start, end);
	drm_dev_exit(idx);

	return ret;
}

/* Errors of one place that do not keep the others from being moved. */
static bool mockgpu_populate_goes_on(int error)
{
	return !error || error == -ENOENT || error == -EBUSY;
}

/*
 * Does one piece at *@addr or, where nothing is mapped, goes on to the next
 * mapping. Moves *@addr to behind what was done.
 */
static int mockgpu_populate_step(struct mockgpu_populate *populate,
				 unsigned long *addr, unsigned long end)
{
	unsigned long start = *addr, next;
	struct vm_area_struct *vma;
	int ret;

	vma = find_vma_intersection(populate->mm, start, end);
	if (!vma || vma->vm_start > start) {
		*addr = vma ? vma->vm_start : end;
		return -ENOENT;
	}

	next = mockgpu_args_chunk_end(start, min(end, vma->vm_end));
	ret = mockgpu_populate_bound(populate, start, &next);
	*addr = next;
	return ret;
}

static bool mockgpu_populate_is_due(const struct mockgpu_populate *populate)
{
	return populate->call && time_after(jiffies, populate->deadline);
}

/*
 * Moves *@addr to behind what was done. Returns the first error that counts; of a
 * partial one -EBUSY does not.
 */
static int mockgpu_populate_range(struct mockgpu_populate *populate,
				  unsigned long *addr, unsigned long end)
{
	int ret, first = 0;

	do {
		if (fatal_signal_pending(current))
			return -EINTR;

		ret = mockgpu_populate_step(populate, addr, end);
		if (!mockgpu_populate_goes_on(ret))
			return ret;
		if (ret != -EBUSY || !populate->partial)
			first = first ?: ret;
		cond_resched();
	} while (*addr < end && !mockgpu_populate_is_due(populate));
	return first;
}

static void mockgpu_populate_add(struct drm_pagemap_migrate_report *total,
				 const struct drm_pagemap_migrate_report *part)
{
	total->moved += part->moved;
	total->resident += part->resident;
	total->stayed += part->stayed;
}

static bool
mockgpu_populate_was_futile(const struct drm_pagemap_migrate_report *total)
{
	return total->stayed && !total->moved && !total->resident;
}

/**
 * mockgpu_populate_mm() - the SVM module wants a range in VRAM
 * @dpagemap: the device's
 * @start: start of the range, a multiple of the page size
 * @end: end of the range, likewise
 * @mm: the address space
 * @timeslice_ms: how long pages stay at least
 *
 * If it is for a command of ours, it may return before all is done.
 *
 * Context: Process context, may sleep, mmap_lock of @mm held for reading.
 * Return: 0, -ENOENT or -EBUSY when some could not be moved, -ENOSPC, -ENOMEM,
 * -ENODEV, -EINTR; what was moved by then stays.
 */
int mockgpu_populate_mm(struct drm_pagemap *dpagemap, unsigned long start,
			unsigned long end, struct mm_struct *mm,
			unsigned long timeslice_ms)
{
	struct mockgpu_device *mdev = mockgpu_pagemap_device(dpagemap);
	struct mockgpu_populate populate = {
		.dpagemap = dpagemap,
		.mdev = mdev,
		.mm = mm,
		.call = mockgpu_populate_find_call(mdev),
		.deadline = jiffies + MOCKGPU_POPULATE_TURN,
		.details.timeslice_ms = timeslice_ms,
	};
	int ret;

	populate.partial = populate.call && populate.call->partial;
	mockgpu_provider_ask(&populate.details, populate.partial,
			     &populate.report);
	ret = mockgpu_populate_range(&populate, &start, end);
	if (populate.call) {
		populate.call->pos = start;
		mockgpu_populate_add(&populate.call->total, &populate.total);
		return ret;
	}
	if (!ret && mockgpu_populate_was_futile(&populate.total))
		ret = -EBUSY;
	return ret;
}

/**
 * mockgpu_populate_want() - there is no room for what the SVM module wants to move
 * @mdev: the device
 * @npages: how many pages it is
 *
 * Only in a partial migration it is not known before.
 *
 * Context: Process context of the task whose command it is.
 */
void mockgpu_populate_want(struct mockgpu_device *mdev, unsigned long npages)
{
	struct mockgpu_populate_call *call = mockgpu_populate_find_call(mdev);

	if (call)
		call->wanted = npages;
}

static void mockgpu_populate_begin_call(struct mockgpu_device *mdev,
					struct mockgpu_populate_call *call)
{
	spin_lock(&mdev->populate_lock);
	call->serial = ++mdev->populate_serial;
	list_add(&call->link, &mdev->populate_calls);
	spin_unlock(&mdev->populate_lock);
}

static void mockgpu_populate_end_call(struct mockgpu_device *mdev,
				      struct mockgpu_populate_call *call)
{
	spin_lock(&mdev->populate_lock);
	list_del(&call->link);
	spin_unlock(&mdev->populate_lock);
}

/* Returns the first error that counts. */
static int mockgpu_populate_in_turns(struct mockgpu_vm *vm,
				     struct mockgpu_populate_call *call,
				     unsigned long end, unsigned long keep_ms)
{
	int ret, first = 0;

	do {
		ret = drm_pagemap_populate_mm(vm->dpagemap, call->pos, end,
					      vm->mm, keep_ms);
		if (!mockgpu_populate_goes_on(ret))
			return ret;
		first = first ?: ret;
		cond_resched();
	} while (call->pos < end);

	if (!first && mockgpu_populate_was_futile(&call->total))
		first = -EBUSY;
	return first;
}

static int mockgpu_populate_call(struct mockgpu_vm *vm,
				 struct mockgpu_populate_call *call,
				 struct drm_mockgpu_populate *args)
{
	struct mockgpu_device *mdev = vm->mdev;
	unsigned long end = args->addr + args->size;
	int ret;

	call->task = current;
	call->pos = args->addr;
	call->vm_serial = vm->serial;
	call->partial = args->flags & MOCKGPU_POPULATE_PARTIAL;
	ret = mockgpu_mirror_open(&call->mirror, vm->mm, args->addr, end);
	if (ret)
		return ret;

	mockgpu_populate_begin_call(mdev, call);
	ret = mockgpu_populate_in_turns(vm, call, end, args->timeslice_ms);
	mockgpu_populate_end_call(mdev, call);

	args->moved = call->total.moved;
	args->resident = call->total.resident;
	args->stayed = call->total.stayed;

	mockgpu_mirror_close(&call->mirror);
	return ret;
}

/**
 * mockgpu_populate_vm() - move a range into VRAM
 * @vm: the VM; the caller has a user reference on its address space
 * @args: what user space could have asked for; the counts are filled
 * @firm: rather evict what came but moments ago than fail
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0, -EOPNOTSUPP the device has no VRAM, -ENOMEM, -EINTR, or what
 * mockgpu_populate_mm() says.
 */
int mockgpu_populate_vm(struct mockgpu_vm *vm,
			struct drm_mockgpu_populate *args, bool firm)
{
	struct mockgpu_populate_call *call;
	int ret;

	if (!mockgpu_device_has_vram(vm->mdev))
		return -EOPNOTSUPP;
	call = kzalloc(sizeof(*call), GFP_KERNEL);
	if (!call)
		return -ENOMEM;

	call->firm = firm;
	ret = mockgpu_populate_call(vm, call, args);
	kfree(call);
	return ret;
}

/**
 * mockgpu_populate_ioctl() - DRM_IOCTL_MOCKGPU_POPULATE
 * @drm: the device
 * @data: a struct drm_mockgpu_populate
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EOPNOTSUPP without VRAM,
 * or what mockgpu_populate_mm() says.
 */
int mockgpu_populate_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	struct drm_mockgpu_populate *args = data;
	struct mockgpu_vm *vm;
	int ret;

	args->moved = 0;
	args->resident = 0;
	args->stayed = 0;
	if (args->flags & ~MOCKGPU_POPULATE_PARTIAL ||
	    !mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (args->flags && !MOCKGPU_PROVIDER_HAS_PARTIAL)
		ret = -EOPNOTSUPP;
	else
		ret = mockgpu_populate_vm(vm, args, true);
	mockgpu_vm_put(vm);
	return ret;
}
