// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Queues: jobs wait here for the fences they depend on, and then go to the
 * device, in order.
 *
 * The kernel has a scheduler for that, but one whose interface differs in each of
 * our kernels; and what it is for, resetting a device that hangs and sharing it
 * fairly, is not to be had or not needed here.
 *
 * Locks: mockgpu_device.queues_lock -> mockgpu_queue.lock -> those of the engine.
 * mockgpu_queue.lock is taken in any context, with interrupts off: fences take it
 * when they are signalled, so that none may be signalled inside of it. Waiting for
 * jobs is allowed inside of queues_lock, as no job needs that.
 */
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/mockgpu_drm.h>

#include "device.h"
#include "fault.h"
#include "fence.h"
#include "file.h"
#include "hw/hw.h"
#include "job.h"
#include "queue.h"
#include "vm.h"

/* A file that wants more makes a mistake. */
#define MOCKGPU_MAX_QUEUES	64
#define MOCKGPU_MAX_JOBS	256

/* The device gets what is ready, and all once that is to end. */
static void mockgpu_queue_advance_locked(struct mockgpu_queue *queue)
{
	struct mockgpu_job *job, *next;

	lockdep_assert_held(&queue->lock);

	list_for_each_entry_safe(job, next, &queue->waiting, link) {
		if (!queue->cancelled && !mockgpu_job_is_ready(job))
			break;
		list_del(&job->link);
		mockgpu_hw_ring_submit(queue->ring, &job->hw);
	}
}

/**
 * mockgpu_queue_advance() - a job does not wait any more
 * @queue: its queue
 *
 * Context: Any.
 */
void mockgpu_queue_advance(struct mockgpu_queue *queue)
{
	unsigned long flags;

	spin_lock_irqsave(&queue->lock, flags);
	mockgpu_queue_advance_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void mockgpu_queue_fault(struct mockgpu_hw_job *hw)
{
	struct mockgpu_job *job = mockgpu_job_from_hw(hw);

	mockgpu_fault_raise(job->queue->fault, job->queue->vm);
}

static void mockgpu_queue_drop(struct mockgpu_queue *queue)
{
	unsigned long flags;

	atomic_dec(&queue->vm->mdev->live_jobs);

	/* Woken inside: it may be freed as soon as there are none left. */
	spin_lock_irqsave(&queue->lock, flags);
	if (!--queue->jobs)
		wake_up_all(&queue->idle);
	spin_unlock_irqrestore(&queue->lock, flags);
}

static void mockgpu_queue_done(struct mockgpu_hw_job *hw)
{
	struct mockgpu_job *job = mockgpu_job_from_hw(hw);
	struct mockgpu_queue *queue = job->queue;

	atomic64_add(hw->busy_ns, &queue->file->busy_ns);
	mockgpu_fence_end(job->fence, hw->error);
	job->fence = NULL;
	mockgpu_job_free(job);
	mockgpu_queue_drop(queue);
}

static const struct mockgpu_hw_ring_ops mockgpu_queue_ring_ops = {
	.fault = mockgpu_queue_fault,
	.done = mockgpu_queue_done,
};

static int mockgpu_queue_push(struct mockgpu_queue *queue,
			      struct mockgpu_job *job, struct dma_fence **fence)
{
	lockdep_assert_held(&queue->lock);

	if (queue->cancelled)
		return -ECANCELED;
	if (queue->jobs >= MOCKGPU_MAX_JOBS)
		return -EBUSY;

	mockgpu_fence_arm(job->fence, queue->context, ++queue->seqno);
	*fence = dma_fence_get(job->fence);
	queue->jobs++;
	atomic_inc(&queue->vm->mdev->live_jobs);
	list_add_tail(&job->link, &queue->waiting);
	mockgpu_queue_advance_locked(queue);
	return 0;
}

/**
 * mockgpu_queue_submit() - put a job into a queue
 * @queue: the queue
 * @job: the job, which is the queue's after success
 * @fence: filled after success: the job's fence, with a reference
 *
 * Context: Process context, no lock held.
 * Return: 0, -ECANCELED the queue was cancelled, -EBUSY it is full.
 */
int mockgpu_queue_submit(struct mockgpu_queue *queue, struct mockgpu_job *job,
			 struct dma_fence **fence)
{
	unsigned long flags;
	int ret;

	job->queue = queue;
	job->hw.mmu = queue->vm->svm.mmu;
	job->hw.fault = &queue->fault->hw;
	mockgpu_job_watch_deps(job);

	spin_lock_irqsave(&queue->lock, flags);
	ret = mockgpu_queue_push(queue, job, fence);
	spin_unlock_irqrestore(&queue->lock, flags);
	return ret;
}

static bool mockgpu_queue_is_idle(struct mockgpu_queue *queue)
{
	unsigned long flags;
	bool idle;

	spin_lock_irqsave(&queue->lock, flags);
	idle = !queue->jobs;
	spin_unlock_irqrestore(&queue->lock, flags);

	return idle;
}

/* Waits for all jobs; none takes longer than an access to a page now. */
static void mockgpu_queue_end(struct mockgpu_queue *queue)
{
	unsigned long flags;

	mockgpu_hw_ring_cancel(queue->ring);
	spin_lock_irqsave(&queue->lock, flags);
	queue->cancelled = true;
	mockgpu_queue_advance_locked(queue);
	spin_unlock_irqrestore(&queue->lock, flags);

	wait_event(queue->idle, mockgpu_queue_is_idle(queue));
}

/*
 * All of @vm, or all there are when it is NULL. What a job waits for may be
 * cancelled; it is not to run because of that.
 */
static void mockgpu_queue_end_many(struct mockgpu_device *mdev,
				   const struct mockgpu_vm *vm)
{
	struct mockgpu_queue *queue;

	lockdep_assert_held(&mdev->queues_lock);

	list_for_each_entry(queue, &mdev->queues, link)
		if (!vm || queue->vm == vm)
			mockgpu_hw_ring_cancel(queue->ring);
	list_for_each_entry(queue, &mdev->queues, link)
		if (!vm || queue->vm == vm)
			mockgpu_queue_end(queue);
}

/**
 * mockgpu_queue_end_vm() - cancel all queues of a VM, and wait for that
 * @vm: the VM, which gets no more queues
 *
 * Context: Process context, may sleep.
 */
void mockgpu_queue_end_vm(struct mockgpu_vm *vm)
{
	struct mockgpu_device *mdev = vm->mdev;

	mutex_lock(&mdev->queues_lock);
	vm->ended = true;
	mockgpu_queue_end_many(mdev, vm);
	mutex_unlock(&mdev->queues_lock);
}

/**
 * mockgpu_queue_end_all() - cancel all queues of a device, and wait for that
 * @mdev: the device, unplugged, so that it gets no more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_queue_end_all(struct mockgpu_device *mdev)
{
	mutex_lock(&mdev->queues_lock);
	mockgpu_queue_end_many(mdev, NULL);
	mutex_unlock(&mdev->queues_lock);
}

static void mockgpu_queue_free(struct kref *refs)
{
	struct mockgpu_queue *queue = container_of(refs, struct mockgpu_queue,
						   refs);
	struct mockgpu_device *mdev = queue->vm->mdev;

	mutex_lock(&mdev->queues_lock);
	mockgpu_queue_end(queue);
	list_del(&queue->link);
	mutex_unlock(&mdev->queues_lock);

	mockgpu_hw_ring_destroy(queue->ring);
	mockgpu_fault_put(queue->fault);
	atomic_dec(&mdev->live_queues);
	mockgpu_vm_put(queue->vm);
	kfree(queue);
}

/**
 * mockgpu_queue_put() - drop a reference
 * @queue: the queue
 *
 * Context: Process context, may sleep. The caller has the file of the queue open
 * or is closing it.
 */
void mockgpu_queue_put(struct mockgpu_queue *queue)
{
	kref_put(&queue->refs, mockgpu_queue_free);
}

/**
 * mockgpu_queue_lookup() - find the queue an ioctl is about
 * @file: the file
 * @id: the id user space gave
 *
 * Context: Process context.
 * Return: the queue with a reference for the caller; -ENOENT when the id is
 * unknown, -EPERM when its VM is of another address space.
 */
struct mockgpu_queue *mockgpu_queue_lookup(struct drm_file *file, u32 id)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct mockgpu_queue *queue;

	xa_lock(&mfile->queues);
	queue = xa_load(&mfile->queues, id);
	if (!queue)
		queue = ERR_PTR(-ENOENT);
	else if (queue->vm->mm != current->mm)
		queue = ERR_PTR(-EPERM);
	else
		kref_get(&queue->refs);
	xa_unlock(&mfile->queues);

	return queue;
}

/* Fails when the VM has just come to its end. */
static int mockgpu_queue_join(struct mockgpu_queue *queue)
{
	struct mockgpu_device *mdev = queue->vm->mdev;
	int ret = -ENOENT;

	mutex_lock(&mdev->queues_lock);
	if (!queue->vm->ended) {
		list_add_tail(&queue->link, &mdev->queues);
		ret = 0;
	}
	mutex_unlock(&mdev->queues_lock);
	return ret;
}

static int mockgpu_queue_init(struct mockgpu_queue *queue,
			      struct mockgpu_vm *vm)
{
	int ret = -ENOMEM;

	queue->fault = mockgpu_fault_new(vm->mdev);
	if (IS_ERR(queue->fault))
		return PTR_ERR(queue->fault);
	queue->ring = mockgpu_hw_ring_create(vm->mdev->hw,
					     &mockgpu_queue_ring_ops);
	if (!queue->ring)
		goto put_fault;

	kref_init(&queue->refs);
	queue->vm = vm;
	queue->context = dma_fence_context_alloc(1);
	spin_lock_init(&queue->lock);
	INIT_LIST_HEAD(&queue->waiting);
	init_waitqueue_head(&queue->idle);

	ret = mockgpu_queue_join(queue);
	if (ret)
		goto destroy_ring;
	atomic_inc(&vm->mdev->live_queues);
	mockgpu_vm_get(vm);
	return 0;

destroy_ring:
	mockgpu_hw_ring_destroy(queue->ring);
put_fault:
	mockgpu_fault_put(queue->fault);
	return ret;
}

static struct mockgpu_queue *mockgpu_queue_create(struct mockgpu_file *mfile,
						  struct mockgpu_vm *vm)
{
	struct mockgpu_queue *queue = kzalloc(sizeof(*queue),
					      GFP_KERNEL_ACCOUNT);
	int idx, ret = -ENODEV;

	if (!queue)
		return ERR_PTR(-ENOMEM);

	queue->file = mfile;
	if (drm_dev_enter(&vm->mdev->drm, &idx)) {
		ret = mockgpu_queue_init(queue, vm);
		drm_dev_exit(idx);
	}
	if (!ret)
		return queue;

	kfree(queue);
	return ERR_PTR(ret);
}

static int mockgpu_queue_publish(struct mockgpu_file *mfile,
				 struct mockgpu_vm *vm, u32 *id)
{
	struct mockgpu_queue *queue = mockgpu_queue_create(mfile, vm);
	int ret;

	if (IS_ERR(queue))
		return PTR_ERR(queue);

	/* Last, because somebody else may destroy it at once. */
	ret = xa_alloc(&mfile->queues, id, queue,
		       XA_LIMIT(1, MOCKGPU_MAX_QUEUES), GFP_KERNEL_ACCOUNT);
	if (ret)
		mockgpu_queue_put(queue);
	return ret;
}

/**
 * mockgpu_queue_create_ioctl() - DRM_IOCTL_MOCKGPU_QUEUE_CREATE
 * @drm: the device
 * @data: a struct drm_mockgpu_queue
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the VM, -EBUSY when the file or the
 * device has too many, -ENOMEM, -ENODEV.
 */
int mockgpu_queue_create_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file)
{
	struct drm_mockgpu_queue *args = data;
	struct mockgpu_vm *vm;
	int ret;

	args->queue_id = 0;
	if (args->flags || args->pad)
		return -EINVAL;

	vm = mockgpu_vm_lookup(file, args->vm_id);
	if (IS_ERR(vm))
		return PTR_ERR(vm);

	ret = mockgpu_queue_publish(file->driver_priv, vm, &args->queue_id);
	mockgpu_vm_put(vm);
	return ret;
}

/**
 * mockgpu_queue_destroy_ioctl() - DRM_IOCTL_MOCKGPU_QUEUE_DESTROY
 * @drm: the device
 * @data: a struct drm_mockgpu_queue
 * @file: the file
 *
 * When it returns, all jobs have ended.
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT, -EPERM.
 */
int mockgpu_queue_destroy_ioctl(struct drm_device *drm, void *data,
				struct drm_file *file)
{
	struct mockgpu_file *mfile = file->driver_priv;
	struct drm_mockgpu_queue *args = data;
	struct mockgpu_queue *queue;
	bool mine;

	if (args->flags || args->pad || args->vm_id)
		return -EINVAL;

	queue = mockgpu_queue_lookup(file, args->queue_id);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	mine = xa_cmpxchg(&mfile->queues, args->queue_id, queue, NULL, 0) ==
	       queue;
	if (mine)
		mockgpu_queue_put(queue);
	mockgpu_queue_end(queue);
	mockgpu_queue_put(queue);
	return mine ? 0 : -ENOENT;
}

/**
 * mockgpu_queue_busy_ns() - how long did the device work for a file
 * @mfile: the file
 *
 * Context: Process context.
 * Return: the time all of its jobs have run until now; it never gets less.
 */
u64 mockgpu_queue_busy_ns(struct mockgpu_file *mfile)
{
	struct mockgpu_queue *queue;
	unsigned long id;
	u64 busy;

	xa_lock(&mfile->queues);
	busy = atomic64_read(&mfile->busy_ns);
	xa_for_each(&mfile->queues, id, queue)
		busy += mockgpu_hw_ring_running_ns(queue->ring);
	/* A job that ended in between is seen at neither place. */
	mfile->busy_shown = max(mfile->busy_shown, busy);
	busy = mfile->busy_shown;
	xa_unlock(&mfile->queues);

	return busy;
}

/**
 * mockgpu_queue_close_file() - the end of all queues of a file
 * @mfile: the file, which nobody uses any more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_queue_close_file(struct mockgpu_file *mfile)
{
	struct mockgpu_queue *queue;
	unsigned long id;

	xa_for_each(&mfile->queues, id, queue)
		mockgpu_queue_put(queue);
	xa_destroy(&mfile->queues);
}
