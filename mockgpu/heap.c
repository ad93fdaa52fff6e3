// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The VRAM allocator.
 *
 * An allocation has two lives. Its pages are its own until the SVM module
 * says that the last of them is free; the object itself stays, and stays in
 * the list, until the last reference is dropped, so that whoever walks the
 * list with a reference on one object finds the next.
 *
 * Locks: the last page of an allocation can be freed in an interrupt, so
 * mockgpu_heap.lock is taken with interrupts off, and nothing is taken and
 * nothing sleeps inside of it.
 */
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "devmem.h"
#include "device.h"
#include "heap.h"
#include "hw/hw.h"
#include "pagemap.h"

/**
 * mockgpu_heap_init() - all of VRAM is free
 * @heap: the heap
 * @npages: how much VRAM there is, may be 0
 *
 * Context: Process context.
 */
void mockgpu_heap_init(struct mockgpu_heap *heap, unsigned long npages)
{
	spin_lock_init(&heap->lock);
	INIT_LIST_HEAD(&heap->allocs);
	if (npages)
		drm_mm_init(&heap->space, 0, npages);
}

/**
 * mockgpu_heap_fini() - undo mockgpu_heap_init()
 * @heap: with nothing allocated
 *
 * Context: Process context.
 */
void mockgpu_heap_fini(struct mockgpu_heap *heap)
{
	if (drm_mm_initialized(&heap->space))
		drm_mm_takedown(&heap->space);
}

/* What could be one huge page should be able to be one in VRAM too. */
static int mockgpu_heap_insert(struct mockgpu_heap *heap,
			       struct mockgpu_alloc *alloc)
{
	unsigned long huge = SZ_2M >> PAGE_SHIFT;
	int ret = -ENOSPC;

	lockdep_assert_held(&heap->lock);

	if (alloc->npages == huge)
		ret = drm_mm_insert_node_generic(&heap->space, &alloc->node,
						 huge, huge, 0,
						 DRM_MM_INSERT_BEST);
	if (ret)
		ret = drm_mm_insert_node(&heap->space, &alloc->node,
					 alloc->npages);
	return ret;
}

static int mockgpu_heap_add(struct mockgpu_heap *heap,
			    struct mockgpu_alloc *alloc)
{
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&heap->lock, flags);
	ret = mockgpu_heap_insert(heap, alloc);
	if (!ret) {
		alloc->first = alloc->node.start;
		alloc->serial = ++heap->serial;
		list_add_tail(&alloc->link, &heap->allocs);
		heap->live_pages += alloc->npages;
		heap->live_allocs++;
	}
	spin_unlock_irqrestore(&heap->lock, flags);

	return ret;
}

/**
 * mockgpu_heap_alloc() - take a piece of VRAM for a process
 * @dpagemap: the drm_pagemap of the device; the caller has a reference
 * @mm: the process
 * @npages: how much, in one piece
 * @vm_serial: the VM this is for, or 0
 *
 * Context: Process context, may sleep.
 * Return: an allocation whose one reference is for the SVM module to consume,
 * or -ENOSPC when no free piece is that large, or -ENOMEM.
 */
struct mockgpu_alloc *mockgpu_heap_alloc(struct drm_pagemap *dpagemap,
					 struct mm_struct *mm,
					 unsigned long npages, u64 vm_serial)
{
	struct mockgpu_device *mdev = mockgpu_pagemap_device(dpagemap);
	struct mockgpu_alloc *alloc = kzalloc(sizeof(*alloc), GFP_KERNEL);
	int ret;

	if (!alloc)
		return ERR_PTR(-ENOMEM);

	alloc->mdev = mdev;
	alloc->npages = npages;
	alloc->vm_serial = vm_serial;
	refcount_set(&alloc->refs, 1);
	/* Before it is in the list: eviction takes whatever it finds there. */
	drm_pagemap_devmem_init(&alloc->devmem, mdev->drm.dev, mm,
				&mockgpu_devmem_ops, dpagemap,
				npages << PAGE_SHIFT, NULL);

	ret = mockgpu_heap_add(&mdev->heap, alloc);
	if (ret) {
		kfree(alloc);
		return ERR_PTR(ret);
	}
	mockgpu_hw_vram_taken(mdev->hw, alloc->first, npages);
	return alloc;
}

/**
 * mockgpu_heap_release() - the SVM module is done with an allocation
 * @alloc: the allocation; its pages are free and the reference is dropped
 *
 * Context: Any, also an interrupt.
 */
void mockgpu_heap_release(struct mockgpu_alloc *alloc)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	unsigned long flags;

	mockgpu_hw_vram_freed(alloc->mdev->hw, alloc->first, alloc->npages);

	spin_lock_irqsave(&heap->lock, flags);
	drm_mm_remove_node(&alloc->node);
	heap->live_pages -= alloc->npages;
	heap->live_allocs--;
	spin_unlock_irqrestore(&heap->lock, flags);

	mockgpu_heap_put(heap, alloc);
}

/**
 * mockgpu_heap_put() - drop a reference on an allocation
 * @heap: where it is from
 * @alloc: the allocation, or NULL
 *
 * Context: Any, also an interrupt.
 */
void mockgpu_heap_put(struct mockgpu_heap *heap, struct mockgpu_alloc *alloc)
{
	unsigned long flags;
	bool last;

	if (!alloc)
		return;

	spin_lock_irqsave(&heap->lock, flags);
	last = refcount_dec_and_test(&alloc->refs);
	if (last)
		list_del(&alloc->link);
	spin_unlock_irqrestore(&heap->lock, flags);

	if (last)
		kfree(alloc);
}

/**
 * mockgpu_heap_find() - which allocation has a page
 * @heap: the heap
 * @page: number of the VRAM page
 *
 * Context: Any.
 * Return: the allocation with a reference for the caller, or NULL.
 */
struct mockgpu_alloc *mockgpu_heap_find(struct mockgpu_heap *heap,
					unsigned long page)
{
	struct mockgpu_alloc *alloc = NULL;
	struct drm_mm_node *node;
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	drm_mm_for_each_node_in_range(node, &heap->space, page, page + 1) {
		alloc = container_of(node, struct mockgpu_alloc, node);
		refcount_inc(&alloc->refs);
	}
	spin_unlock_irqrestore(&heap->lock, flags);

	return alloc;
}

/**
 * mockgpu_heap_next() - walk the allocations that have pages, oldest first
 * @heap: the heap
 * @prev: where the walk is, NULL to begin; its reference is dropped
 *
 * Context: Any.
 * Return: the next one with a reference for the caller, or NULL at the end.
 */
struct mockgpu_alloc *mockgpu_heap_next(struct mockgpu_heap *heap,
					struct mockgpu_alloc *prev)
{
	struct mockgpu_alloc *next = NULL;
	struct list_head *link;
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	link = prev ? &prev->link : &heap->allocs;
	while (!next && (link = link->next) != &heap->allocs) {
		next = list_entry(link, struct mockgpu_alloc, link);
		if (!drm_mm_node_allocated(&next->node))
			next = NULL;
	}
	if (next)
		refcount_inc(&next->refs);
	spin_unlock_irqrestore(&heap->lock, flags);

	mockgpu_heap_put(heap, prev);
	return next;
}

/**
 * mockgpu_heap_serial() - a mark to end a walk at
 * @heap: the heap
 *
 * Context: Any.
 * Return: the serial of the newest allocation.
 */
u64 mockgpu_heap_serial(struct mockgpu_heap *heap)
{
	unsigned long flags;
	u64 serial;

	spin_lock_irqsave(&heap->lock, flags);
	serial = heap->serial;
	spin_unlock_irqrestore(&heap->lock, flags);

	return serial;
}

/**
 * mockgpu_heap_read_live() - how much is in use
 * @heap: the heap
 * @pages: VRAM pages
 * @allocs: allocations
 *
 * Context: Any.
 */
void mockgpu_heap_read_live(struct mockgpu_heap *heap, unsigned long *pages,
			    unsigned int *allocs)
{
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	*pages = heap->live_pages;
	*allocs = heap->live_allocs;
	spin_unlock_irqrestore(&heap->lock, flags);
}
