// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Where atomic operations of the device may be done, as the attributes say.
 *
 * In VRAM nobody else is at a page: of private VRAM the CPU has no mapping, and it uses
 * coherent VRAM in place, with the same cache lines. In system memory the device
 * takes a page for itself, if the kernel can give it.
 */
#include <drm/mockgpu_drm.h>

#include "atomic.h"
#include "attr.h"
#include "device.h"
#include "exclusive.h"
#include "hw/hw.h"
#include "place.h"
#include "svm.h"
#include "vm.h"

/**
 * mockgpu_atomic_is_offered() - can a range have this mode
 * @mdev: the device
 * @mode: an &enum drm_mockgpu_atomic
 *
 * Context: Any.
 * Return: true if it can.
 */
bool mockgpu_atomic_is_offered(const struct mockgpu_device *mdev, u64 mode)
{
	switch (mode) {
	case MOCKGPU_ATOMIC_DEVICE:
		return mockgpu_device_has_vram(mdev);
	case MOCKGPU_ATOMIC_SYSTEM:
		return mdev->config.tier == MOCKGPU_TIER_COHERENT ||
		       mockgpu_exclusive_supported();
	default:
		return true;
	}
}

/* -EBUSY if it is somewhere else, or again: the device will say so. */
static int mockgpu_atomic_in_vram(struct mockgpu_vm *vm, unsigned long addr)
{
	int ret;

	ret = mockgpu_place_for_atomics(vm, addr);
	if (!ret)
		ret = mockgpu_svm_fault(&vm->svm, addr, true);
	if (!ret && !mockgpu_hw_mmu_allows_atomics(vm->svm.mmu, addr))
		ret = -EBUSY;
	return ret;
}

/*
 * VRAM that the CPU uses in place is as good, and nobody has to give it back. Where it
 * is preferred, that may be for another device.
 */
static int mockgpu_atomic_anywhere(struct mockgpu_vm *vm, unsigned long addr,
				   const struct mockgpu_attr_values *values)
{
	bool coherent = vm->mdev->config.tier == MOCKGPU_TIER_COHERENT;
	bool prefer = mockgpu_device_has_vram(vm->mdev) &&
		      values->values[MOCKGPU_ATTR_PREFERRED] ==
		      MOCKGPU_PREFER_DEVICE;
	int ret;

	if (coherent || prefer) {
		ret = mockgpu_atomic_in_vram(vm, addr);
		if (ret != -EBUSY || !mockgpu_exclusive_supported())
			return ret;
	}
	ret = mockgpu_exclusive_get(&vm->svm, addr, values);
	switch (ret) {
	case -ENOENT:
		return mockgpu_svm_fault(&vm->svm, addr, true) ?: -EBUSY;
	case -E2BIG:
		/* To move a page means to split the huge page; or it is in VRAM. */
		return mockgpu_device_has_vram(vm->mdev) ?
		       mockgpu_atomic_in_vram(vm, addr) : -EOPNOTSUPP;
	default:
		return ret;
	}
}

/**
 * mockgpu_atomic_fault() - the device wants to do something atomic
 * @vm: the VM; the caller has a user reference on its address space
 * @addr: user address
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0 to try again, -EBUSY likewise, -EACCES when that is not wanted there,
 * -EOPNOTSUPP when it is not possible there, or as from mockgpu_svm_fault().
 */
int mockgpu_atomic_fault(struct mockgpu_vm *vm, unsigned long addr)
{
	struct mockgpu_attr_values values;
	int ret;

	ret = mockgpu_svm_look_placement(&vm->svm, addr, &values);
	/* A buffer is where it is, whatever is wanted of the process's memory. */
	if (ret == -ENOENT)
		return mockgpu_svm_fault(&vm->svm, addr, true);
	if (ret)
		return ret;
	if (values.values[MOCKGPU_ATTR_READ_ONLY])
		return -EFAULT;

	switch (values.values[MOCKGPU_ATTR_ATOMIC]) {
	case MOCKGPU_ATOMIC_NONE:
		return -EACCES;
	case MOCKGPU_ATOMIC_DEVICE:
		return mockgpu_atomic_in_vram(vm, addr);
	case MOCKGPU_ATOMIC_SYSTEM:
		return mockgpu_atomic_anywhere(vm, addr, &values);
	default:
		ret = mockgpu_place_on_fault(vm, addr);
		return ret ?: mockgpu_svm_fault(&vm->svm, addr, true);
	}
}

/**
 * mockgpu_atomic_map_flags() - how to map memory for a mode
 * @mode: an &enum drm_mockgpu_atomic
 * @bus: where it is
 *
 * Context: Any.
 * Return: MOCKGPU_HW_MAP_NO_ATOMICS, or 0.
 */
unsigned int mockgpu_atomic_map_flags(u64 mode, enum mockgpu_hw_bus bus)
{
	switch (mode) {
	case MOCKGPU_ATOMIC_NONE:
		return MOCKGPU_HW_MAP_NO_ATOMICS;
	case MOCKGPU_ATOMIC_DEVICE:
	case MOCKGPU_ATOMIC_SYSTEM:
		return bus == MOCKGPU_HW_BUS_VRAM ? 0 :
		       MOCKGPU_HW_MAP_NO_ATOMICS;
	default:
		return 0;
	}
}
