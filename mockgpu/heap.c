// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The VRAM allocator.
 *
 * An allocation starts without pages, gets them once it is known how many are
 * needed, and keeps them until its last reference is dropped. So whoever brings
 * it home with a reference of his own never finds pages of somebody else where
 * its pages were, and whoever walks the list finds the next from the one before.
 *
 * Locks: the last reference on an allocation can go in an interrupt, so
 * mockgpu_heap.lock is taken with interrupts off, and nothing is taken and
 * nothing sleeps inside of it.
 */
#include <linux/gcd.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "buffer.h"
#include "clear.h"
#include "devmem.h"
#include "device.h"
#include "heap.h"
#include "hw/hw.h"
#include "pagemap.h"

/* How long a new allocation does not make room for others of its kind. */
#define MOCKGPU_HEAP_FRESH	max(HZ / 50, 1)

/* Far away, and without a common factor: in the end each page is met. */
static unsigned long mockgpu_heap_scatter_step(unsigned long npages)
{
	unsigned long step = (npages - npages * 3 / 8) | 1;

	while (gcd(step, npages) != 1)
		step += 2;
	return step;
}

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
	INIT_LIST_HEAD(&heap->lru);
	mutex_init(&heap->room_lock);
	if (!npages)
		return;

	heap->npages = npages;
	heap->scatter_step = mockgpu_heap_scatter_step(npages);
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

static struct mockgpu_alloc *mockgpu_heap_new_any(struct mockgpu_device *mdev)
{
	struct mockgpu_alloc *alloc = kzalloc(sizeof(*alloc), GFP_KERNEL);

	if (!alloc)
		return NULL;

	alloc->mdev = mdev;
	INIT_LIST_HEAD(&alloc->link);
	INIT_LIST_HEAD(&alloc->lru);
	alloc->busy_until = jiffies;
	refcount_set(&alloc->refs, 1);
	return alloc;
}

/**
 * mockgpu_heap_new_plain() - make an allocation for a buffer, without pages yet
 * @mdev: the device
 *
 * Context: Process context, may sleep.
 * Return: an allocation with a reference for the caller, or NULL.
 */
struct mockgpu_alloc *mockgpu_heap_new_plain(struct mockgpu_device *mdev)
{
	struct mockgpu_alloc *alloc = mockgpu_heap_new_any(mdev);

	if (alloc)
		alloc->plain = true;
	return alloc;
}

/**
 * mockgpu_heap_set_buffer() - which buffer is in an allocation
 * @alloc: the allocation, made by mockgpu_heap_new_plain()
 * @buffer: the buffer, or NULL
 *
 * Context: Process context.
 */
void mockgpu_heap_set_buffer(struct mockgpu_alloc *alloc,
			     struct mockgpu_buffer *buffer)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	alloc->buffer = buffer;
	spin_unlock_irqrestore(&heap->lock, flags);
}

/**
 * mockgpu_heap_get_buffer() - find the buffer that is in an allocation
 * @alloc: the allocation; the caller has a reference
 *
 * Context: Process context.
 * Return: the buffer with a reference, or NULL.
 */
struct mockgpu_buffer *mockgpu_heap_get_buffer(struct mockgpu_alloc *alloc)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	struct mockgpu_buffer *buffer;
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	buffer = alloc->buffer;
	if (buffer && !kref_get_unless_zero(&buffer->base.refcount))
		buffer = NULL;
	spin_unlock_irqrestore(&heap->lock, flags);
	return buffer;
}

/**
 * mockgpu_heap_new() - make an allocation that has no pages yet
 * @dpagemap: the drm_pagemap of the device; the caller has a reference
 * @mm: the process it is for
 * @npages: how many it may need
 * @vm_serial: the VM this is for, or 0
 *
 * Context: Process context, may sleep.
 * Return: an allocation whose one reference is for the SVM module to consume,
 * or -ENOMEM.
 */
struct mockgpu_alloc *mockgpu_heap_new(struct drm_pagemap *dpagemap,
				       struct mm_struct *mm,
				       unsigned long npages, u64 vm_serial)
{
	struct mockgpu_device *mdev = mockgpu_pagemap_device(dpagemap);
	struct mockgpu_alloc *alloc = mockgpu_heap_new_any(mdev);

	if (!alloc)
		return ERR_PTR(-ENOMEM);

	alloc->vm_serial = vm_serial;
	drm_pagemap_devmem_init(&alloc->devmem,
				mockgpu_hw_dma_device(mdev->hw), mm,
				mockgpu_devmem_ops(mdev), dpagemap,
				npages << PAGE_SHIFT, NULL);
	return alloc;
}

static void mockgpu_heap_forget(struct mockgpu_heap *heap,
				struct mockgpu_alloc *alloc)
{
	unsigned long flags;
	unsigned long i;

	spin_lock_irqsave(&heap->lock, flags);
	for (i = 0; i < alloc->nblocks; i++)
		if (drm_mm_node_allocated(&alloc->blocks[i].node))
			drm_mm_remove_node(&alloc->blocks[i].node);
	spin_unlock_irqrestore(&heap->lock, flags);
}

static void mockgpu_heap_free_blocks(struct mockgpu_alloc *alloc)
{
	if (alloc->blocks != &alloc->block)
		kfree(alloc->blocks);
	alloc->blocks = NULL;
	alloc->nblocks = 0;
}

static int mockgpu_heap_new_blocks(struct mockgpu_alloc *alloc,
				   unsigned long count)
{
	unsigned long i;

	alloc->blocks = &alloc->block;
	if (count > 1)
		alloc->blocks = kcalloc(count, sizeof(*alloc->blocks),
					GFP_KERNEL | __GFP_NOWARN);
	if (!alloc->blocks)
		return -ENOMEM;

	alloc->nblocks = count;
	for (i = 0; i < count; i++)
		alloc->blocks[i].alloc = alloc;
	return 0;
}

/* What could be one huge page should be able to be one in VRAM too. */
static int mockgpu_heap_insert(struct mockgpu_heap *heap,
			       struct drm_mm_node *node, unsigned long npages)
{
	unsigned long huge = SZ_2M >> PAGE_SHIFT;
	unsigned long flags;
	int ret = -ENOSPC;

	spin_lock_irqsave(&heap->lock, flags);
	if (npages == huge)
		ret = drm_mm_insert_node_generic(&heap->space, node, huge,
						 huge, 0, DRM_MM_INSERT_BEST);
	if (ret)
		ret = drm_mm_insert_node(&heap->space, node, npages);
	spin_unlock_irqrestore(&heap->lock, flags);

	return ret;
}

static int mockgpu_heap_insert_next(struct mockgpu_heap *heap,
				    struct drm_mm_node *node)
{
	unsigned long flags;
	int ret;

	spin_lock_irqsave(&heap->lock, flags);
	node->start = heap->scatter_next;
	node->size = 1;
	heap->scatter_next = (heap->scatter_next + heap->scatter_step) %
			     heap->npages;
	ret = drm_mm_reserve_node(&heap->space, node);
	spin_unlock_irqrestore(&heap->lock, flags);

	return ret;
}

/* One page, anywhere but near the one before. */
static int mockgpu_heap_insert_single(struct mockgpu_heap *heap,
				      struct drm_mm_node *node)
{
	unsigned long tries = heap->npages;

	while (tries--) {
		if (!mockgpu_heap_insert_next(heap, node))
			return 0;
		cond_resched();
	}
	return -ENOSPC;
}

static bool mockgpu_heap_has_room(struct mockgpu_heap *heap,
				  unsigned long npages)
{
	unsigned int allocs;
	unsigned long used;

	mockgpu_heap_read_live(heap, &used, &allocs);
	return npages <= heap->npages - used;
}

static int mockgpu_heap_insert_scattered(struct mockgpu_heap *heap,
					 struct mockgpu_alloc *alloc)
{
	unsigned long i;
	int ret = 0;

	if (!mockgpu_heap_has_room(heap, alloc->nblocks))
		return -ENOSPC;

	for (i = 0; i < alloc->nblocks && !ret; i++)
		ret = mockgpu_heap_insert_single(heap, &alloc->blocks[i].node);
	if (ret)
		mockgpu_heap_forget(heap, alloc);
	return ret;
}

/**
 * mockgpu_heap_fits() - is there room for pages in one piece just now
 * @heap: the heap
 * @npages: how many
 *
 * Context: Any.
 * Return: true if so.
 */
bool mockgpu_heap_fits(struct mockgpu_heap *heap, unsigned long npages)
{
	struct drm_mm_node node = {};
	unsigned long flags;
	bool fits;

	spin_lock_irqsave(&heap->lock, flags);
	fits = !drm_mm_insert_node(&heap->space, &node, npages);
	if (fits)
		drm_mm_remove_node(&node);
	spin_unlock_irqrestore(&heap->lock, flags);

	return fits;
}

static int mockgpu_heap_find_room(struct mockgpu_alloc *alloc,
				  unsigned long npages)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	bool scatter = READ_ONCE(alloc->mdev->knobs.scatter);
	int ret;

	ret = mockgpu_heap_new_blocks(alloc, scatter ? npages : 1);
	if (ret)
		return ret;

	if (scatter)
		ret = mockgpu_heap_insert_scattered(heap, alloc);
	else
		ret = mockgpu_heap_insert(heap, &alloc->block.node, npages);
	if (ret)
		mockgpu_heap_free_blocks(alloc);
	return ret;
}

/* From here on eviction finds it. */
static void mockgpu_heap_publish(struct mockgpu_heap *heap,
				 struct mockgpu_alloc *alloc)
{
	unsigned long flags;

	spin_lock_irqsave(&heap->lock, flags);
	alloc->serial = ++heap->serial;
	alloc->fresh_until = jiffies + MOCKGPU_HEAP_FRESH;
	list_add_tail(&alloc->link, &heap->allocs);
	list_add_tail(&alloc->lru, &heap->lru);
	heap->live_pages += alloc->npages;
	heap->live_allocs++;
	spin_unlock_irqrestore(&heap->lock, flags);
}

static void mockgpu_heap_tell_taken(const struct mockgpu_alloc *alloc)
{
	const struct drm_mm_node *node;
	unsigned long i;

	for (i = 0; i < alloc->nblocks; i++) {
		node = &alloc->blocks[i].node;
		mockgpu_hw_vram_taken(alloc->mdev->hw, node->start,
				      node->size);
	}
}

static void mockgpu_heap_tell_freed(const struct mockgpu_alloc *alloc)
{
	const struct drm_mm_node *node;
	unsigned long i;

	for (i = 0; i < alloc->nblocks; i++) {
		node = &alloc->blocks[i].node;
		mockgpu_hw_vram_freed(alloc->mdev->hw, node->start,
				      node->size);
	}
}

/**
 * mockgpu_heap_take() - give an allocation its pages
 * @alloc: made by mockgpu_heap_new() and without pages
 * @npages: how many, at most as many as were announced; that many it then has
 *
 * Context: Process context, may sleep.
 * Return: 0, -ENOSPC when no free piece is that large, -ENOMEM.
 */
int mockgpu_heap_take(struct mockgpu_alloc *alloc, unsigned long npages)
{
	struct mockgpu_clear *clear = mockgpu_clear_new(alloc);
	int ret;

	if (IS_ERR(clear))
		return PTR_ERR(clear);

	ret = mockgpu_heap_find_room(alloc, npages);
	if (ret) {
		kfree(clear);
		return ret;
	}

	alloc->npages = npages;
	alloc->devmem.size = npages << PAGE_SHIFT;
	mockgpu_heap_tell_taken(alloc);
	if (clear)
		mockgpu_clear_start(clear);
	mockgpu_heap_publish(&alloc->mdev->heap, alloc);
	return 0;
}

/**
 * mockgpu_heap_page() - which page of VRAM is it
 * @alloc: an allocation that has pages
 * @i: which page of the allocation
 *
 * Context: Any.
 * Return: the number of the VRAM page.
 */
unsigned long mockgpu_heap_page(const struct mockgpu_alloc *alloc,
				unsigned long i)
{
	unsigned long per_block = alloc->npages / alloc->nblocks;

	return alloc->blocks[i / per_block].node.start + i % per_block;
}

/* When nobody can find it any more. */
static void mockgpu_heap_free_pages(struct mockgpu_alloc *alloc)
{
	struct mockgpu_heap *heap = &alloc->mdev->heap;
	unsigned long flags;

	mockgpu_heap_tell_freed(alloc);
	mockgpu_heap_forget(heap, alloc);
	mockgpu_heap_free_blocks(alloc);

	spin_lock_irqsave(&heap->lock, flags);
	heap->live_pages -= alloc->npages;
	heap->live_allocs--;
	spin_unlock_irqrestore(&heap->lock, flags);
}

/**
 * mockgpu_heap_put() - drop a reference on an allocation
 * @alloc: the allocation, or NULL
 *
 * Context: Any, also an interrupt.
 */
void mockgpu_heap_put(struct mockgpu_alloc *alloc)
{
	struct mockgpu_heap *heap;
	unsigned long flags;
	bool last;

	if (!alloc)
		return;

	heap = &alloc->mdev->heap;
	spin_lock_irqsave(&heap->lock, flags);
	last = refcount_dec_and_test(&alloc->refs);
	if (last) {
		list_del(&alloc->link);
		list_del(&alloc->lru);
	}
	spin_unlock_irqrestore(&heap->lock, flags);

	if (!last)
		return;
	if (alloc->npages)
		mockgpu_heap_free_pages(alloc);
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
	drm_mm_for_each_node_in_range(node, &heap->space, page, page + 1)
		alloc = container_of(node, struct mockgpu_block, node)->alloc;
	if (alloc && !refcount_inc_not_zero(&alloc->refs))
		alloc = NULL;
	spin_unlock_irqrestore(&heap->lock, flags);

	return alloc;
}

/**
 * mockgpu_heap_next() - walk the allocations, oldest first
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
	if (!list_is_last(link, &heap->allocs)) {
		next = list_entry(link->next, struct mockgpu_alloc, link);
		refcount_inc(&next->refs);
	}
	spin_unlock_irqrestore(&heap->lock, flags);

	mockgpu_heap_put(prev);
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
 * mockgpu_heap_evictions() - how many allocations went to make room
 * @heap: the heap
 *
 * Context: Any.
 * Return: the number of them so far.
 */
u64 mockgpu_heap_evictions(struct mockgpu_heap *heap)
{
	unsigned long flags;
	u64 evictions;

	spin_lock_irqsave(&heap->lock, flags);
	evictions = heap->evictions;
	spin_unlock_irqrestore(&heap->lock, flags);

	return evictions;
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
