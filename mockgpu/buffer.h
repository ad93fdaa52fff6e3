/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_BUFFER_H
#define MOCKGPU_BUFFER_H

#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>

#include <drm/drm_gem.h>

struct mem_cgroup;
struct mockgpu_alloc;
struct mockgpu_device;
struct mockgpu_hw_addr;
struct sg_table;

/**
 * struct mockgpu_buffer - a GEM buffer
 * @base: what DRM knows of it
 * @link: place in &mockgpu_device.buffers
 * @lock: protects all below but @memcg; see buffer.c
 * @memcg: its maker's, whom its memory is charged to if there is room; NULL for
 *	nobody, as of an imported one
 * @wants_vram: it goes into VRAM when the device uses it
 * @home_until: but not before (jiffies), as the CPU uses it
 * @pins: those who have it in system memory for themselves
 * @pages: its pages in system memory, or NULL
 * @alloc: its pages in VRAM, or NULL
 * @dma: an address for each page for the device, or NULL
 * @imported: it is from elsewhere
 * @import: of such a buffer, its pages mapped for the device, until unbind
 * @bind_count: how often it is bound
 * @mapped_binds: those bindings that may be in page tables
 */
struct mockgpu_buffer {
	struct drm_gem_object base;
	struct list_head link;
	struct mutex lock;		/* see buffer.c */
	struct mem_cgroup *memcg;
	bool wants_vram;
	unsigned long home_until;
	unsigned int pins;
	struct page **pages;
	struct mockgpu_alloc *alloc;
	dma_addr_t *dma;
	bool imported;
	struct sg_table *import;
	unsigned int bind_count;
	struct list_head mapped_binds;
};

static inline struct mockgpu_buffer *
to_mockgpu_buffer(struct drm_gem_object *obj)
{
	return container_of(obj, struct mockgpu_buffer, base);
}

static inline unsigned long
mockgpu_buffer_npages(const struct mockgpu_buffer *buffer)
{
	return buffer->base.size >> PAGE_SHIFT;
}

struct mockgpu_buffer *mockgpu_buffer_new(struct mockgpu_device *mdev,
					  u64 size, bool wants_vram);
struct mockgpu_buffer *mockgpu_buffer_import(struct mockgpu_device *mdev,
					     u64 size, struct sg_table *sgt);
int mockgpu_buffer_prepare(struct mockgpu_buffer *buffer);
struct mockgpu_hw_addr mockgpu_buffer_addr(const struct mockgpu_buffer *buffer,
					   unsigned long page);
int mockgpu_buffer_pin(struct mockgpu_buffer *buffer);
void mockgpu_buffer_unpin(struct mockgpu_buffer *buffer);
int mockgpu_buffer_evict(struct mockgpu_alloc *alloc);
void mockgpu_buffer_free(struct drm_gem_object *obj);
vm_fault_t mockgpu_buffer_cpu_fault(struct mockgpu_buffer *buffer,
				    struct vm_area_struct *vma,
				    struct vm_fault *vmf);
void mockgpu_buffer_close_all(struct mockgpu_device *mdev);

#endif
