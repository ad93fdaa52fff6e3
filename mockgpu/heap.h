/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_HEAP_H
#define MOCKGPU_HEAP_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include <drm/drm_mm.h>
#include <drm/drm_pagemap.h>

struct mockgpu_buffer;
struct mockgpu_device;

/**
 * struct mockgpu_heap - which part of VRAM is whose
 * @lock: protects everything below but @room_lock
 * @space: the VRAM pages
 * @allocs: allocations that have pages, oldest first
 * @lru: the same, first those that are to go when room is needed; see room.c
 * @lap: number of the last look for some that can go
 * @room_lock: one at a time makes room; see room.c
 * @npages: VRAM pages there are
 * @scatter_next: where the next single page is looked for
 * @scatter_step: how far it is from one to the next, so that all are found
 * @serial: number of the newest allocation
 * @evictions: allocations that went to make room
 * @live_pages: VRAM pages in use
 * @live_allocs: allocations that have pages
 */
struct mockgpu_heap {
	spinlock_t lock;	/* taken with interrupts off, a leaf */
	struct drm_mm space;
	struct list_head allocs;
	struct list_head lru;
	u64 lap;
	struct mutex room_lock;	/* one makes room at a time */
	unsigned long npages;
	unsigned long scatter_next;
	unsigned long scatter_step;
	u64 serial;
	u64 evictions;
	unsigned long live_pages;
	unsigned int live_allocs;
};

/**
 * struct mockgpu_block - VRAM pages in one piece
 * @node: place in &mockgpu_heap.space
 * @alloc: whose they are
 */
struct mockgpu_block {
	struct drm_mm_node node;
	struct mockgpu_alloc *alloc;
};

/**
 * struct mockgpu_alloc - VRAM that a process uses
 * @devmem: what the SVM module sees
 * @plain: it is not the SVM module's but a buffer's
 * @buffer: the buffer's, once it uses it and until it does not any more
 * @mdev: the device; it stays while there are pages
 * @refs: references: the SVM module's until devmem_release, those of whoever
 *	found it, and that of a clear that is still to happen
 * @link: place in &mockgpu_heap.allocs, if it has pages
 * @serial: ever growing with each allocation
 * @vm_serial: the VM it was populated through, 0 for none
 * @call: the command it was populated by, 0 for none
 * @lru: place in &mockgpu_heap.lru, if it has pages
 * @lap: &mockgpu_heap.lap when it was last found to be in use
 * @fresh_until: it has just come (jiffies)
 * @busy_until: it could not go (jiffies)
 * @pick: place among those that may have to go now
 * @scanned: how many of @blocks are part of a scan
 * @npages: how many pages it has; it gets them once and keeps them
 * @nblocks: in how many pieces of the same size
 * @blocks: the pieces: @block, or an array
 * @block: the only one, as it should be
 */
struct mockgpu_alloc {
	struct drm_pagemap_devmem devmem;
	bool plain;
	struct mockgpu_buffer *buffer;
	struct mockgpu_device *mdev;
	refcount_t refs;
	struct list_head link;
	u64 serial;
	u64 vm_serial;
	u64 call;
	struct list_head lru;
	u64 lap;
	unsigned long fresh_until;
	unsigned long busy_until;
	struct list_head pick;
	unsigned long scanned;
	unsigned long npages;
	unsigned long nblocks;
	struct mockgpu_block *blocks;
	struct mockgpu_block block;
};

void mockgpu_heap_init(struct mockgpu_heap *heap, unsigned long npages);
void mockgpu_heap_fini(struct mockgpu_heap *heap);
struct mockgpu_alloc *mockgpu_heap_new(struct drm_pagemap *dpagemap,
				       struct mm_struct *mm,
				       unsigned long npages, u64 vm_serial);
struct mockgpu_alloc *mockgpu_heap_new_plain(struct mockgpu_device *mdev);
void mockgpu_heap_set_buffer(struct mockgpu_alloc *alloc,
			     struct mockgpu_buffer *buffer);
struct mockgpu_buffer *mockgpu_heap_get_buffer(struct mockgpu_alloc *alloc);
int mockgpu_heap_take(struct mockgpu_alloc *alloc, unsigned long npages);
unsigned long mockgpu_heap_page(const struct mockgpu_alloc *alloc,
				unsigned long i);
void mockgpu_heap_put(struct mockgpu_alloc *alloc);
struct mockgpu_alloc *mockgpu_heap_find(struct mockgpu_heap *heap,
					unsigned long page);
struct mockgpu_alloc *mockgpu_heap_next(struct mockgpu_heap *heap,
					struct mockgpu_alloc *prev);
bool mockgpu_heap_fits(struct mockgpu_heap *heap, unsigned long npages);
u64 mockgpu_heap_serial(struct mockgpu_heap *heap);
u64 mockgpu_heap_evictions(struct mockgpu_heap *heap);
void mockgpu_heap_read_live(struct mockgpu_heap *heap, unsigned long *pages,
			    unsigned int *allocs);

static inline struct mockgpu_alloc *
mockgpu_alloc_from_devmem(struct drm_pagemap_devmem *devmem)
{
	return container_of(devmem, struct mockgpu_alloc, devmem);
}

#endif
