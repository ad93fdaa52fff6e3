// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Fences that say that a job has ended.
 *
 * Others may keep one for as long as they like, and then it calls into this
 * module. So each of them keeps the module, until its memory is free.
 */
#include <linux/dma-fence.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "drv.h"
#include "fence.h"

struct mockgpu_fence {
	struct dma_fence base;
	spinlock_t lock;	/* that of @base; the kernel's to take */
};

static struct mockgpu_fence *to_mockgpu_fence(struct dma_fence *base)
{
	return container_of(base, struct mockgpu_fence, base);
}

static const char *mockgpu_fence_driver_name(struct dma_fence *base)
{
	return MOCKGPU_NAME;
}

static const char *mockgpu_fence_timeline_name(struct dma_fence *base)
{
	return "queue";
}

static void mockgpu_fence_free_rcu(struct rcu_head *rcu)
{
	mockgpu_fence_free(container_of(rcu, struct dma_fence, rcu));
	module_put(THIS_MODULE);
}

static void mockgpu_fence_release(struct dma_fence *base)
{
	call_rcu(&base->rcu, mockgpu_fence_free_rcu);
}

static const struct dma_fence_ops mockgpu_fence_ops = {
	.get_driver_name = mockgpu_fence_driver_name,
	.get_timeline_name = mockgpu_fence_timeline_name,
	.release = mockgpu_fence_release,
};

/**
 * mockgpu_fence_alloc() - memory for a fence
 *
 * Context: Process context, may sleep.
 * Return: what is to be given to mockgpu_fence_arm() or mockgpu_fence_free(), or
 * NULL when there is no memory.
 */
struct dma_fence *mockgpu_fence_alloc(void)
{
	struct mockgpu_fence *fence = kzalloc(sizeof(*fence),
					      GFP_KERNEL_ACCOUNT);

	if (!fence)
		return NULL;

	spin_lock_init(&fence->lock);
	return &fence->base;
}

/**
 * mockgpu_fence_free() - undo mockgpu_fence_alloc()
 * @fence: not armed
 *
 * Context: Any.
 */
void mockgpu_fence_free(struct dma_fence *fence)
{
	kfree(to_mockgpu_fence(fence));
}

/**
 * mockgpu_fence_arm() - from now on it is a fence, and has to be ended
 * @fence: from mockgpu_fence_alloc()
 * @context: of all fences of a queue
 * @seqno: greater than those before
 *
 * Context: Any; the caller is an ioctl, which keeps the module.
 */
void mockgpu_fence_arm(struct dma_fence *fence, u64 context, u64 seqno)
{
	__module_get(THIS_MODULE);
	dma_fence_init(fence, &mockgpu_fence_ops, &to_mockgpu_fence(fence)->lock,
		       context, seqno);
}

/**
 * mockgpu_fence_end() - the job has ended
 * @fence: armed; the reference that came with that is dropped
 * @error: 0 or a negative errno
 *
 * Context: Any.
 */
void mockgpu_fence_end(struct dma_fence *fence, int error)
{
	if (error)
		dma_fence_set_error(fence, error);
	dma_fence_signal(fence);
	dma_fence_put(fence);
}

/**
 * mockgpu_fence_module_exit() - wait for the memory of the last fences
 *
 * Context: Module exit: no fence is left that keeps the module.
 */
void mockgpu_fence_module_exit(void)
{
	rcu_barrier();
}
