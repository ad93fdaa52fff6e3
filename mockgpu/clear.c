// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * For tests: VRAM that is cleared some time after it was given out.
 *
 * A driver with a slow engine hands out VRAM with a fence that says when the
 * contents of the last user are gone. Who writes it earlier loses what was
 * written, and who reads it earlier reads what is not zero; here both happen on
 * purpose, for the whole delay.
 *
 * Locks: mockgpu_clear.lock is the fence's own.
 */
#include <linux/dma-fence.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_managed.h>

#include "clear.h"
#include "compat/compat.h"
#include "device.h"
#include "drv.h"
#include "heap.h"
#include "hw/hw.h"

/* Those who wait for it cannot be killed. */
#define MOCKGPU_CLEAR_MAX_MS	10000U

/* The fence is first, because who drops its last reference frees the whole. */
struct mockgpu_clear {
	struct dma_fence fence;
	spinlock_t lock;	/* for the fence */
	struct delayed_work work;
	struct mockgpu_alloc *alloc;
	u32 delay_ms;
};

static const char *mockgpu_clear_driver_name(struct dma_fence *fence)
{
	return MOCKGPU_NAME;
}

static const char *mockgpu_clear_timeline_name(struct dma_fence *fence)
{
	return "clear";
}

static const struct dma_fence_ops mockgpu_clear_fence_ops = {
	.get_driver_name = mockgpu_clear_driver_name,
	.get_timeline_name = mockgpu_clear_timeline_name,
};

static void mockgpu_clear_destroy_queue(struct drm_device *drm, void *queue)
{
	destroy_workqueue(queue);
}

/**
 * mockgpu_clear_init() - prepare for slow clears
 * @mdev: the device; nothing happens without test knobs
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_clear_init(struct mockgpu_device *mdev)
{
	if (!mdev->config.test_knobs)
		return 0;

	mdev->clear_queue = alloc_workqueue("mockgpu-clear",
					    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!mdev->clear_queue)
		return -ENOMEM;

	return drmm_add_action_or_reset(&mdev->drm,
					mockgpu_clear_destroy_queue,
					mdev->clear_queue);
}

static void mockgpu_clear_work(struct work_struct *work)
{
	struct mockgpu_clear *clear =
		container_of(to_delayed_work(work), struct mockgpu_clear, work);
	struct mockgpu_alloc *alloc = clear->alloc;
	unsigned long i;

	for (i = 0; i < alloc->nblocks; i++)
		mockgpu_hw_vram_scrub(alloc->mdev->hw,
				      alloc->blocks[i].node.start,
				      alloc->blocks[i].node.size);
	dma_fence_signal(&clear->fence);

	mockgpu_heap_put(alloc);
	dma_fence_put(&clear->fence);
}

/**
 * mockgpu_clear_new() - shall an allocation be cleared later
 * @alloc: the allocation, before it has pages
 *
 * Context: Process context, may sleep.
 * Return: the clear, for mockgpu_clear_start() or kfree(); NULL when there is
 * none, or -ENOMEM.
 */
struct mockgpu_clear *mockgpu_clear_new(struct mockgpu_alloc *alloc)
{
	u32 delay_ms = READ_ONCE(alloc->mdev->knobs.clear_delay_ms);
	struct mockgpu_clear *clear;

	if (!delay_ms)
		return NULL;

	clear = kzalloc_obj(*clear);
	if (!clear)
		return ERR_PTR(-ENOMEM);

	clear->alloc = alloc;
	clear->delay_ms = min(delay_ms, MOCKGPU_CLEAR_MAX_MS);
	return clear;
}

/**
 * mockgpu_clear_start() - clear an allocation when its time has come
 * @clear: the clear; consumed
 *
 * The allocation keeps its pages until it is done. The SVM module finds the
 * fence in it.
 *
 * Context: Process context.
 */
void mockgpu_clear_start(struct mockgpu_clear *clear)
{
	struct mockgpu_alloc *alloc = clear->alloc;

	BUILD_BUG_ON(offsetof(struct mockgpu_clear, fence));

	/* They end in any order, so each is a timeline of its own. */
	spin_lock_init(&clear->lock);
	dma_fence_init(&clear->fence, &mockgpu_clear_fence_ops, &clear->lock,
		       dma_fence_context_alloc(1), 1);
	alloc->devmem.pre_migrate_fence = dma_fence_get(&clear->fence);
	refcount_inc(&alloc->refs);

	INIT_DELAYED_WORK(&clear->work, mockgpu_clear_work);
	queue_delayed_work(alloc->mdev->clear_queue, &clear->work,
			   msecs_to_jiffies(clear->delay_ms));
}
