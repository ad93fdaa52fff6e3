// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * GEM: how user space, DRM and other devices get at buffers.
 */
#include <linux/dma-buf.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/vmalloc.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_prime.h>
#include <drm/mockgpu_drm.h>

#include "buffer.h"
#include "device.h"
#include "gem.h"
#include "hw/hw.h"

/* As displays want the lines of what they show. */
#define MOCKGPU_GEM_PITCH	64

static vm_fault_t mockgpu_gem_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;

	return mockgpu_buffer_cpu_fault(to_mockgpu_buffer(obj), vmf->vma, vmf);
}

static const struct vm_operations_struct mockgpu_gem_vm_ops = {
	.fault = mockgpu_gem_fault,
	.open = drm_gem_vm_open,
	.close = drm_gem_vm_close,
};

static int mockgpu_gem_pin(struct drm_gem_object *obj)
{
	return mockgpu_buffer_pin(to_mockgpu_buffer(obj));
}

static void mockgpu_gem_unpin(struct drm_gem_object *obj)
{
	mockgpu_buffer_unpin(to_mockgpu_buffer(obj));
}

/* Whoever asks has it pinned. */
static struct sg_table *mockgpu_gem_get_sg_table(struct drm_gem_object *obj)
{
	return drm_prime_pages_to_sg(obj->dev, to_mockgpu_buffer(obj)->pages,
				     obj->size >> PAGE_SHIFT);
}

static int mockgpu_gem_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct mockgpu_buffer *buffer = to_mockgpu_buffer(obj);
	void *addr;
	int ret;

	if (to_mockgpu_buffer(obj)->imported)
		return -EOPNOTSUPP;
	ret = mockgpu_buffer_pin(buffer);
	if (ret)
		return ret;

	addr = vmap(buffer->pages, obj->size >> PAGE_SHIFT, VM_MAP,
		    PAGE_KERNEL);
	if (!addr) {
		mockgpu_buffer_unpin(buffer);
		return -ENOMEM;
	}
	iosys_map_set_vaddr(map, addr);
	return 0;
}

static void mockgpu_gem_vunmap(struct drm_gem_object *obj,
			       struct iosys_map *map)
{
	vunmap(map->vaddr);
	mockgpu_buffer_unpin(to_mockgpu_buffer(obj));
}

const struct drm_gem_object_funcs mockgpu_gem_funcs = {
	.free = mockgpu_buffer_free,
	.pin = mockgpu_gem_pin,
	.unpin = mockgpu_gem_unpin,
	.get_sg_table = mockgpu_gem_get_sg_table,
	.vmap = mockgpu_gem_vmap,
	.vunmap = mockgpu_gem_vunmap,
	.vm_ops = &mockgpu_gem_vm_ops,
};

/**
 * mockgpu_gem_mmap() - map a buffer for the CPU
 * @file: the file
 * @vma: with the offset of the buffer
 *
 * Context: mmap_lock held for writing.
 * Return: 0, -EINVAL also for a private mapping, or what drm_gem_mmap() says.
 */
int mockgpu_gem_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* One that copies on write. */
	if ((vma->vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE)
		return -EINVAL;
	return drm_gem_mmap(file, vma);
}

/**
 * mockgpu_gem_handle_to_fd() - export a buffer
 * @drm: the device
 * @file: the file
 * @handle: the buffer
 * @flags: of the file descriptor
 * @fd: the file descriptor
 *
 * Once the device is gone nobody looks at the attachment of an imported one here.
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENODEV, or what drm_gem_prime_handle_to_fd() says.
 */
int mockgpu_gem_handle_to_fd(struct drm_device *drm, struct drm_file *file,
			     u32 handle, u32 flags, int *fd)
{
	int idx, ret;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	ret = drm_gem_prime_handle_to_fd(drm, file, handle, flags, fd);
	drm_dev_exit(idx);
	return ret;
}

/**
 * mockgpu_gem_import() - make a buffer of a dma-buf
 * @drm: the device
 * @dma_buf: the dma-buf; its own ones are found again
 *
 * Context: Process context, may sleep.
 * Return: the GEM object with a reference, or what the exporter says.
 */
struct drm_gem_object *mockgpu_gem_import(struct drm_device *drm,
					  struct dma_buf *dma_buf)
{
	struct mockgpu_device *mdev = mockgpu_device_from_drm(drm);
	struct drm_gem_object *obj;
	int idx;

	/* It is mapped for the device, until unbind. */
	if (!drm_dev_enter(drm, &idx))
		return ERR_PTR(-ENODEV);
	obj = drm_gem_prime_import_dev(drm, dma_buf,
				       mockgpu_hw_dma_device(mdev->hw));
	drm_dev_exit(idx);
	return obj;
}

/**
 * mockgpu_gem_import_sg_table() - make a buffer of mapped memory
 * @drm: the device
 * @attach: of the dma-buf
 * @sgt: the memory
 *
 * Context: Process context, may sleep.
 * Return: the GEM object with a reference, -EINVAL, -ENOMEM.
 */
struct drm_gem_object *
mockgpu_gem_import_sg_table(struct drm_device *drm,
			    struct dma_buf_attachment *attach,
			    struct sg_table *sgt)
{
	struct mockgpu_buffer *buffer;

	buffer = mockgpu_buffer_import(mockgpu_device_from_drm(drm),
				       attach->dmabuf->size, sgt);
	return IS_ERR(buffer) ? ERR_CAST(buffer) : &buffer->base;
}

static int mockgpu_gem_create(struct drm_file *file, struct drm_device *drm,
			      u64 size, bool wants_vram, u32 *handle)
{
	struct mockgpu_buffer *buffer;
	int idx, ret;

	if (!drm_dev_enter(drm, &idx))
		return -ENODEV;
	buffer = mockgpu_buffer_new(mockgpu_device_from_drm(drm), size,
				    wants_vram);
	drm_dev_exit(idx);
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);

	/* From here on the handle keeps it. */
	ret = drm_gem_handle_create(file, &buffer->base, handle);
	drm_gem_object_put(&buffer->base);
	return ret;
}

/**
 * mockgpu_gem_dumb_create() - make a buffer for a picture
 * @file: the file
 * @drm: the device
 * @args: its sizes; the rest is filled
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOMEM.
 */
int mockgpu_gem_dumb_create(struct drm_file *file, struct drm_device *drm,
			    struct drm_mode_create_dumb *args)
{
	u64 bits;

	if (check_mul_overflow((u64)args->width, (u64)args->bpp, &bits) ||
	    bits > (u64)(U32_MAX - MOCKGPU_GEM_PITCH) * BITS_PER_BYTE)
		return -EINVAL;
	args->pitch = ALIGN(DIV_ROUND_UP_ULL(bits, BITS_PER_BYTE),
			    MOCKGPU_GEM_PITCH);
	if (check_mul_overflow((u64)args->pitch, (u64)args->height,
			       &args->size))
		return -EINVAL;
	args->size = PAGE_ALIGN(args->size);
	if (!args->size)
		return -EINVAL;
	return mockgpu_gem_create(file, drm, args->size, false, &args->handle);
}

/**
 * mockgpu_gem_create_ioctl() - DRM_IOCTL_MOCKGPU_GEM_CREATE
 * @drm: the device
 * @data: a struct drm_mockgpu_gem_create
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, or what struct drm_mockgpu_gem_create says.
 */
int mockgpu_gem_create_ioctl(struct drm_device *drm, void *data,
			     struct drm_file *file)
{
	struct drm_mockgpu_gem_create *args = data;
	bool wants_vram = args->flags & MOCKGPU_GEM_VRAM;

	if (args->flags & ~MOCKGPU_GEM_VRAM || args->handle || args->pad || !args->size ||
	    !PAGE_ALIGNED(args->size))
		return -EINVAL;
	if (wants_vram && !mockgpu_device_has_vram(mockgpu_device_from_drm(drm)))
		return -EOPNOTSUPP;
	return mockgpu_gem_create(file, drm, args->size, wants_vram,
				  &args->handle);
}

/**
 * mockgpu_gem_mmap_offset_ioctl() - DRM_IOCTL_MOCKGPU_GEM_MMAP_OFFSET
 * @drm: the device
 * @data: a struct drm_mockgpu_gem_mmap_offset
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, or what struct drm_mockgpu_gem_mmap_offset says.
 */
int mockgpu_gem_mmap_offset_ioctl(struct drm_device *drm, void *data,
				  struct drm_file *file)
{
	struct drm_mockgpu_gem_mmap_offset *args = data;
	struct drm_gem_object *obj;
	int ret = 0;

	if (args->pad || args->offset)
		return -EINVAL;
	obj = drm_gem_object_lookup(file, args->handle);
	if (!obj)
		return -ENOENT;

	if (to_mockgpu_buffer(obj)->imported)
		ret = -EOPNOTSUPP;
	else
		args->offset = drm_vma_node_offset_addr(&obj->vma_node);
	drm_gem_object_put(obj);
	return ret;
}
