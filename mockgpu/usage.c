// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who uses how much, for fdinfo.
 *
 * Memory that is shared with the device belongs to an address space, and neither to
 * a file nor to a VM: of all files with VMs of an address space, the one with the
 * oldest VM tells all of it, and the others nothing. So it is told once.
 */
#include <linux/bitmap.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>
#include <drm/drm_print.h>

#include "compat/fdinfo.h"
#include "device.h"
#include "drv.h"
#include "file.h"
#include "heap.h"
#include "hw/hw.h"
#include "queue.h"
#include "usage.h"
#include "vm.h"

static bool mockgpu_usage_tells(struct mockgpu_device *mdev,
				const struct mockgpu_vm *vm)
{
	const struct mockgpu_vm *older;

	lockdep_assert_held(&mdev->vms_lock);

	list_for_each_entry(older, &mdev->vms, link)
		if (older->mm == vm->mm)
			return older == vm;
	return false;
}

static unsigned long mockgpu_usage_vram(struct mockgpu_device *mdev,
					const struct mm_struct *mm)
{
	struct mockgpu_alloc *alloc = NULL;
	unsigned long npages = 0;

	while ((alloc = mockgpu_heap_next(&mdev->heap, alloc)))
		if (alloc->devmem.mm == mm)
			npages += alloc->npages;
	return npages;
}

static void mockgpu_usage_free_seen(struct xarray *seen)
{
	unsigned long index, *map;

	xa_for_each(seen, index, map)
		bitmap_free(map);
	xa_destroy(seen);
}

/* Pages that several VMs lead to count once. */
static unsigned long mockgpu_usage_system(struct mockgpu_device *mdev,
					  const struct mm_struct *mm)
{
	unsigned long npages = 0;
	struct mockgpu_vm *vm;
	struct xarray seen;
	int ret = 0;

	lockdep_assert_held(&mdev->vms_lock);

	xa_init(&seen);
	list_for_each_entry(vm, &mdev->vms, link)
		if (vm->mm == mm && !ret)
			ret = mockgpu_hw_mmu_collect(vm->svm.mmu,
						     MOCKGPU_HW_BUS_DMA, &seen,
						     &npages);
	mockgpu_usage_free_seen(&seen);
	return npages;
}

/**
 * mockgpu_usage_read() - how much memory does a file use
 * @mdev: the device
 * @client: &mockgpu_file.client of the file
 * @usage: filled
 *
 * Context: Process context, may sleep.
 */
void mockgpu_usage_read(struct mockgpu_device *mdev, u64 client,
			struct mockgpu_usage *usage)
{
	const struct mockgpu_vm *vm;

	*usage = (struct mockgpu_usage){};
	mutex_lock(&mdev->vms_lock);
	list_for_each_entry(vm, &mdev->vms, link) {
		if (vm->client != client || !mockgpu_usage_tells(mdev, vm))
			continue;
		usage->vram += mockgpu_usage_vram(mdev, vm->mm);
		usage->system += mockgpu_usage_system(mdev, vm->mm);
	}
	mutex_unlock(&mdev->vms_lock);
}

static void mockgpu_usage_show_region(struct drm_printer *printer,
				      const char *region, unsigned long npages)
{
	unsigned long kib = npages * (PAGE_SIZE / SZ_1K);

	drm_printf(printer, "drm-total-%s:\t%lu KiB\n", region, kib);
	drm_printf(printer, "drm-resident-%s:\t%lu KiB\n", region, kib);
}

/**
 * mockgpu_usage_show() - the driver's lines of fdinfo
 * @printer: where to
 * @file: the file
 *
 * Context: Process context, may sleep.
 */
void mockgpu_usage_show(struct drm_printer *printer, struct drm_file *file)
{
	struct mockgpu_device *mdev = mockgpu_device_from_drm(file->minor->dev);
	struct mockgpu_file *mfile = file->driver_priv;
	struct mockgpu_usage usage;

	mockgpu_usage_read(mdev, mfile->client, &usage);
	drm_printf(printer, "drm-engine-compute:\t%llu ns\n",
		   mockgpu_queue_busy_ns(mfile));
	mockgpu_usage_show_region(printer, "vram", usage.vram);
	mockgpu_usage_show_region(printer, "system", usage.system);
}

#ifndef GSB_HAVE_DRM_SHOW_FDINFO
/**
 * mockgpu_usage_show_file() - all of fdinfo, where the kernel does not help
 * @seq: where to
 * @file: the file
 *
 * Context: Process context, may sleep.
 */
void mockgpu_usage_show_file(struct seq_file *seq, struct file *file)
{
	struct drm_printer printer = drm_seq_file_printer(seq);
	struct drm_file *drm_file = file->private_data;
	struct mockgpu_file *mfile = drm_file->driver_priv;

	drm_printf(&printer, "drm-driver:\t%s\n", MOCKGPU_NAME);
	drm_printf(&printer, "drm-client-id:\t%llu\n", mfile->client);
	mockgpu_usage_show(&printer, drm_file);
}
#endif
