// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where memory is to be: as its attributes say when the device faults, and as a
 * command says ahead of that.
 */
#include <linux/align.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include <drm/drm.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "attr.h"
#include "device.h"
#include "place.h"
#include "populate.h"
#include "svm.h"
#include "vm.h"

/* A part of an address space that is to be somewhere. */
struct mockgpu_place {
	struct mockgpu_vm *vm;
	unsigned long start;
	unsigned long end;
	u32 timeslice_ms;
	bool stuck;		/* there is memory in it that does not come */
};

static int mockgpu_place_on_device(const struct mockgpu_place *place, bool firm)
{
	struct drm_mockgpu_populate args = {
		.timeslice_ms = place->timeslice_ms,
		.addr = place->start,
		.size = place->end - place->start,
		.flags = MOCKGPU_POPULATE_PARTIAL,
	};

	return mockgpu_populate_vm(place->vm, &args, firm);
}

static unsigned long mockgpu_place_granularity(const struct mockgpu_attr_values *values)
{
	return values->values[MOCKGPU_ATTR_GRANULARITY] ?: SZ_2M;
}

static int mockgpu_place_around(struct mockgpu_vm *vm, unsigned long addr,
				const struct mockgpu_attr_values *values,
				bool firm)
{
	unsigned long granularity = mockgpu_place_granularity(values);
	unsigned long start = ALIGN_DOWN(addr, granularity);
	const struct mockgpu_place place = {
		.vm = vm,
		.start = max(values->start, start),
		.end = min(values->end, start + granularity),
		.timeslice_ms = values->values[MOCKGPU_ATTR_TIMESLICE_MS],
	};

	return mockgpu_place_on_device(&place, firm);
}

/**
 * mockgpu_place_on_fault() - move memory to where the user prefers it
 * @vm: the VM; the caller has a user reference on its address space
 * @addr: user address where the device has a fault
 *
 * Memory that cannot be moved is used where it is; so is memory for which VRAM
 * would have to lose what came but moments ago. Another device may have set the
 * attribute of a space that it shares with one that has no VRAM.
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0, or -EINTR when the caller was killed.
 */
int mockgpu_place_on_fault(struct mockgpu_vm *vm, unsigned long addr)
{
	struct mockgpu_attr_values values;
	int ret;

	if (!mockgpu_device_has_vram(vm->mdev))
		return 0;
	ret = mockgpu_svm_look_placement(&vm->svm, addr, &values);
	if (ret == -ENOENT)
		return 0;
	if (ret || values.values[MOCKGPU_ATTR_PREFERRED] != MOCKGPU_PREFER_DEVICE)
		return ret;

	mockgpu_place_around(vm, addr, &values, false);
	return 0;
}

/**
 * mockgpu_place_for_atomics() - move memory to the device, wherever it is preferred
 * @vm: the VM; the caller has a user reference on its address space
 * @addr: user address where the device has a fault
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0; -EOPNOTSUPP the device has no VRAM, -EBUSY when it cannot be moved now,
 * -ENOSPC VRAM is full, -ENOMEM, -EINTR the caller was killed.
 */
int mockgpu_place_for_atomics(struct mockgpu_vm *vm, unsigned long addr)
{
	struct mockgpu_attr_values values;
	int ret;

	if (!mockgpu_device_has_vram(vm->mdev))
		return -EOPNOTSUPP;
	ret = mockgpu_svm_look_attr(&vm->svm, addr, &values);
	if (ret)
		return ret;
	ret = mockgpu_place_around(vm, addr, &values, true);
	/* Something around is not mapped; if it is @addr, that is for others to say. */
	return ret == -ENOENT ? 0 : ret;
}

/*
 * The first piece that is mapped, however far away. What is not mapped costs nothing,
 * so that a call for all there can be ends.
 */
static int mockgpu_place_find_vma(struct mockgpu_place *place)
{
	struct mm_struct *mm = place->vm->mm;
	struct vm_area_struct *vma;
	unsigned long end;
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;
	vma = find_vma_intersection(mm, place->start, place->end);
	if (vma) {
		place->start = max(place->start, vma->vm_start);
		end = min(place->end, vma->vm_end);
		place->end = mockgpu_args_chunk_end(place->start, end);
	}
	mmap_read_unlock(mm);
	return vma ? 0 : -ENOENT;
}

/* What is preferred may be so for another device, which has VRAM. */
static bool mockgpu_prefetch_moves(const struct mockgpu_place *place,
				   u32 location)
{
	return location == MOCKGPU_PREFER_DEVICE &&
	       mockgpu_device_has_vram(place->vm->mdev);
}

/* Errors of one piece that leave something to be done, in this one and others. */
static bool mockgpu_prefetch_stays(int error)
{
	return !error || error == -EBUSY || error == -ENOSPC ||
	       error == -ENOENT;
}

/* One piece of a mapping that has the same attributes everywhere. */
static int mockgpu_prefetch_piece(struct mockgpu_place *place, u32 location)
{
	struct mockgpu_svm *svm = &place->vm->svm;
	struct mockgpu_attr_values values;
	int ret, mapped;

	ret = mockgpu_svm_look_attr(svm, place->start, &values);
	if (ret)
		return ret;
	place->end = min(place->end, values.end);
	place->timeslice_ms = values.values[MOCKGPU_ATTR_TIMESLICE_MS];
	if (!location)
		location = values.values[MOCKGPU_ATTR_PREFERRED];

	if (mockgpu_prefetch_moves(place, location))
		ret = mockgpu_place_on_device(place, true);
	if (!mockgpu_prefetch_stays(ret))
		return ret;
	/* What has not moved is used where it is. */
	mapped = mockgpu_svm_map(svm, place->start, place->end,
				 location == MOCKGPU_PREFER_SYSTEM);
	place->stuck = mapped == -EBUSY;
	return ret ?: mapped;
}

static bool mockgpu_prefetch_goes_on(int error)
{
	return mockgpu_prefetch_stays(error) || error == -EFAULT;
}

/*
 * Does what can be done, and returns the first error. That takes seconds where memory
 * does not come, so there is no other piece after one of these.
 */
static int mockgpu_prefetch_run(struct mockgpu_vm *vm,
				const struct drm_mockgpu_prefetch *args)
{
	unsigned long pos = args->addr, end = args->addr + args->size;
	struct mockgpu_place place = { .vm = vm };
	int ret, first = 0;

	for (; pos < end; pos = place.end) {
		if (fatal_signal_pending(current))
			return -EINTR;
		place.start = pos;
		place.end = end;
		ret = mockgpu_place_find_vma(&place);
		if (ret)
			return first ?: ret;
		if (place.start > pos)
			first = first ?: -ENOENT;
		ret = mockgpu_prefetch_piece(&place, args->location);
		first = first ?: ret;
		if (!mockgpu_prefetch_goes_on(ret))
			return ret;
		if (place.stuck)
			return first;
		cond_resched();
	}
	return first;
}

static int mockgpu_prefetch_vm(struct mockgpu_vm *vm,
			       const struct drm_mockgpu_prefetch *args)
{
	int ret = -EFAULT;

	/* A VM keeps its address space from being freed, not from its end. */
	if (mmget_not_zero(vm->mm)) {
		ret = mockgpu_prefetch_run(vm, args);
		mmput(vm->mm);
	}
	return ret;
}

/**
 * mockgpu_prefetch_ioctl() - DRM_IOCTL_MOCKGPU_PREFETCH
 * @drm: the device
 * @data: a struct drm_mockgpu_prefetch
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EOPNOTSUPP without VRAM, or
 * what struct drm_mockgpu_prefetch says.
 */
int mockgpu_prefetch_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	const struct drm_mockgpu_prefetch *args = data;
	struct mockgpu_vm *vm;
	int ret = -EOPNOTSUPP;

	if (args->location > MOCKGPU_PREFER_DEVICE ||
	    !mockgpu_args_range_is_valid(args->addr, args->size, PAGE_SIZE))
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	if (args->location != MOCKGPU_PREFER_DEVICE ||
	    mockgpu_device_has_vram(vm->mdev))
		ret = mockgpu_prefetch_vm(vm, args);
	mockgpu_vm_put(vm);
	return ret;
}
