// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Who uses how much, for fdinfo.
 *
 * Memory that is shared with the device belongs to an address space, and neither to
 * a file nor to a VM: of all files with VMs of an address space, the one with the
 * oldest VM tells all of it, and the others nothing. So it is told once. Buffers are
 * told by each file that has a handle, and say if there can be several.
 *
 * Locks: mockgpu_device.vms_lock, only to find the VMs, so that who creates or
 * destroys some does not wait while their pages are counted.
 */
#include <linux/bitmap.h>
#include <linux/compiler.h>
#include <linux/idr.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_print.h>

#include "compat/fdinfo.h"
#include "bind.h"
#include "buffer.h"
#include "device.h"
#include "drv.h"
#include "file.h"
#include "heap.h"
#include "hw/hw.h"
#include "queue.h"
#include "usage.h"
#include "vm.h"

/*
 * An address space of which the file tells the memory; @seen says which of it counts
 * no more.
 */
struct mockgpu_usage_space {
	struct xarray seen;
};

/*
 * What the file tells of: @spaces is by address of the mm, with a value instead of a
 * struct where another file tells it, and @vms are those of such spaces, with
 * references.
 */
struct mockgpu_usage_walk {
	u64 client;
	struct xarray spaces;
	struct xarray vms;
	unsigned long vm_count;
};

static struct mockgpu_usage_space *
mockgpu_usage_look(struct mockgpu_usage_walk *walk, const struct mm_struct *mm)
{
	void *entry = xa_load(&walk->spaces, (unsigned long)mm);

	return xa_is_value(entry) ? NULL : entry;
}

/* For the oldest VM of an address space. */
static int mockgpu_usage_add_space(struct mockgpu_usage_walk *walk,
				   const struct mockgpu_vm *vm)
{
	struct mockgpu_usage_space *space = NULL;
	int ret;

	if (vm->client == walk->client) {
		space = kzalloc(sizeof(*space), GFP_KERNEL);
		if (!space)
			return -ENOMEM;
		xa_init(&space->seen);
	}
	ret = xa_err(xa_store(&walk->spaces, (unsigned long)vm->mm,
			      space ?: xa_mk_value(0), GFP_KERNEL));
	if (ret)
		kfree(space);
	return ret;
}

static int mockgpu_usage_add_vm(struct mockgpu_usage_walk *walk,
				struct mockgpu_vm *vm)
{
	int ret = 0;

	if (!xa_load(&walk->spaces, (unsigned long)vm->mm))
		ret = mockgpu_usage_add_space(walk, vm);
	if (ret || !mockgpu_usage_look(walk, vm->mm))
		return ret;

	ret = xa_err(xa_store(&walk->vms, walk->vm_count, vm, GFP_KERNEL));
	if (ret)
		return ret;
	mockgpu_vm_get(vm);
	walk->vm_count++;
	return 0;
}

/* Without memory for it less is told. */
static void mockgpu_usage_begin(struct mockgpu_device *mdev,
				struct mockgpu_usage_walk *walk)
{
	struct mockgpu_vm *vm;

	xa_init(&walk->spaces);
	xa_init(&walk->vms);
	mutex_lock(&mdev->vms_lock);
	list_for_each_entry(vm, &mdev->vms, link) {
		if (mockgpu_usage_add_vm(walk, vm))
			break;
		cond_resched();
	}
	mutex_unlock(&mdev->vms_lock);
}

static void mockgpu_usage_free_seen(struct xarray *seen)
{
	unsigned long index, *map;

	xa_for_each(seen, index, map)
		bitmap_free(map);
	xa_destroy(seen);
}

static void mockgpu_usage_end(struct mockgpu_usage_walk *walk)
{
	struct mockgpu_vm *vm;
	unsigned long index;
	void *entry;

	xa_for_each(&walk->vms, index, vm)
		mockgpu_vm_put(vm);
	xa_destroy(&walk->vms);
	xa_for_each(&walk->spaces, index, entry) {
		if (xa_is_value(entry))
			continue;
		mockgpu_usage_free_seen(&((struct mockgpu_usage_space *)entry)->seen);
		kfree(entry);
	}
	xa_destroy(&walk->spaces);
}

static unsigned long mockgpu_usage_vram(struct mockgpu_device *mdev,
					struct mockgpu_usage_walk *walk)
{
	struct mockgpu_alloc *alloc = NULL;
	unsigned long npages = 0;

	while ((alloc = mockgpu_heap_next(&mdev->heap, alloc))) {
		if (mockgpu_usage_look(walk, alloc->devmem.mm))
			npages += alloc->npages;
		cond_resched();
	}
	return npages;
}

/*
 * Pages that several VMs lead to count once, and buffers not at all. An address where
 * one VM has a buffer is not looked at in the others either.
 */
static unsigned long mockgpu_usage_system(struct mockgpu_usage_walk *walk)
{
	struct mockgpu_usage_space *space;
	unsigned long index, npages = 0;
	struct mockgpu_vm *vm;
	int ret = 0;

	xa_for_each(&walk->vms, index, vm) {
		space = mockgpu_usage_look(walk, vm->mm);
		if (!ret)
			ret = mockgpu_bind_mark(&vm->svm, &space->seen);
		cond_resched();
	}
	xa_for_each(&walk->vms, index, vm) {
		space = mockgpu_usage_look(walk, vm->mm);
		if (!ret)
			ret = mockgpu_hw_mmu_collect(vm->svm.mmu,
						     MOCKGPU_HW_BUS_DMA,
						     &space->seen, &npages);
	}
	return npages;
}

static void mockgpu_usage_add_mirrored(struct mockgpu_usage_region *region,
				       unsigned long npages)
{
	region->total += npages;
	region->resident += npages;
}

static void mockgpu_usage_read_vms(struct mockgpu_device *mdev, u64 client,
				   struct mockgpu_usage *usage)
{
	struct mockgpu_usage_walk walk = { .client = client };

	mockgpu_usage_begin(mdev, &walk);
	if (walk.vm_count) {
		mockgpu_usage_add_mirrored(&usage->vram,
					   mockgpu_usage_vram(mdev, &walk));
		mockgpu_usage_add_mirrored(&usage->system,
					   mockgpu_usage_system(&walk));
	}
	mockgpu_usage_end(&walk);
}

/* It may move meanwhile, which changes the figures and nothing else. */
static void mockgpu_usage_add_buffer(struct mockgpu_usage *usage,
				     const struct mockgpu_buffer *buffer)
{
	unsigned long npages = mockgpu_buffer_npages(buffer);
	bool in = READ_ONCE(buffer->alloc);
	bool home = buffer->imported || READ_ONCE(buffer->pages);
	struct mockgpu_usage_region *region =
		in || (buffer->wants_vram && !home) ? &usage->vram :
						      &usage->system;

	region->total += npages;
	if (in || home)
		region->resident += npages;
	if (buffer->imported || buffer->base.dma_buf ||
	    buffer->base.handle_count > 1)
		region->shared += npages;
}

static void mockgpu_usage_read_buffers(struct drm_file *file,
				       struct mockgpu_usage *usage)
{
	struct drm_gem_object *obj;
	int id;

	spin_lock(&file->table_lock);
	idr_for_each_entry(&file->object_idr, obj, id)
		mockgpu_usage_add_buffer(usage, to_mockgpu_buffer(obj));
	spin_unlock(&file->table_lock);
}

/**
 * mockgpu_usage_read() - how much memory does a file use
 * @mdev: the device
 * @file: the file
 * @usage: filled
 *
 * Context: Process context, may sleep.
 */
void mockgpu_usage_read(struct mockgpu_device *mdev, struct drm_file *file,
			struct mockgpu_usage *usage)
{
	const struct mockgpu_file *mfile = file->driver_priv;

	*usage = (struct mockgpu_usage){};
	mockgpu_usage_read_vms(mdev, mfile->client, usage);
	mockgpu_usage_read_buffers(file, usage);
}

static void mockgpu_usage_show_pages(struct drm_printer *printer,
				     const char *what, const char *region,
				     unsigned long npages)
{
	drm_printf(printer, "drm-%s-%s:\t%lu KiB\n", what, region,
		   npages * (PAGE_SIZE / SZ_1K));
}

static void mockgpu_usage_show_region(struct drm_printer *printer,
				      const char *name,
				      const struct mockgpu_usage_region *region)
{
	mockgpu_usage_show_pages(printer, "total", name, region->total);
	mockgpu_usage_show_pages(printer, "shared", name, region->shared);
	mockgpu_usage_show_pages(printer, "resident", name, region->resident);
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

	mockgpu_usage_read(mdev, file, &usage);
	drm_printf(printer, "drm-engine-compute:\t%llu ns\n",
		   mockgpu_queue_busy_ns(mfile));
	mockgpu_usage_show_region(printer, "vram", &usage.vram);
	mockgpu_usage_show_region(printer, "system", &usage.system);
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
