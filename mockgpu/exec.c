// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * EXEC: putting a job into a queue.
 *
 * Whatever can fail is done before the job has a fence. From then on it is for the
 * queue to end it.
 */
#include <linux/dma-fence-chain.h>
#include <linux/dma-fence.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_syncobj.h>
#include <drm/mockgpu_drm.h>

#include "args.h"
#include "command.h"
#include "exec.h"
#include "hw/hw.h"
#include "job.h"
#include "queue.h"

/* A sync object to be signalled; @chain is for a point of a timeline. */
struct mockgpu_exec_out {
	struct drm_syncobj *syncobj;
	struct dma_fence_chain *chain;
	u64 point;
};

/* One command on its way; after success the job is the queue's. */
struct mockgpu_exec {
	struct drm_file *file;
	struct mockgpu_job *job;
	struct mockgpu_exec_out *outs;
	u32 out_count;
};

static int mockgpu_exec_check(const struct drm_mockgpu_exec *args)
{
	if (args->flags || args->timeout_ms > MOCKGPU_EXEC_MAX_MS ||
	    !args->command_count ||
	    args->command_count > MOCKGPU_EXEC_MAX_COMMANDS ||
	    args->in_count > MOCKGPU_EXEC_MAX_SYNCS ||
	    args->out_count > MOCKGPU_EXEC_MAX_SYNCS)
		return -EINVAL;

	if (!args->result)
		return 0;
	return mockgpu_args_range_is_valid(args->result,
					   sizeof(struct drm_mockgpu_result),
					   sizeof(u64)) ? 0 : -EINVAL;
}

static int mockgpu_exec_load_commands(struct mockgpu_job *job,
				      const struct drm_mockgpu_exec *args)
{
	const struct drm_mockgpu_command __user *from =
		u64_to_user_ptr(args->commands);
	struct drm_mockgpu_command command;
	u32 i;
	int ret = 0;

	for (i = 0; i < args->command_count && !ret; i++) {
		if (copy_from_user(&command, &from[i], sizeof(command)))
			return -EFAULT;
		ret = mockgpu_command_load(&job->commands[i], &command);
	}
	return ret;
}

static int mockgpu_exec_load_sync(struct drm_mockgpu_sync *sync, u64 array,
				  u32 i)
{
	const struct drm_mockgpu_sync __user *from = u64_to_user_ptr(array);

	if (copy_from_user(sync, &from[i], sizeof(*sync)))
		return -EFAULT;
	return sync->pad ? -EINVAL : 0;
}

static int mockgpu_exec_load_in(struct mockgpu_exec *exec, u64 array, u32 i)
{
	struct drm_mockgpu_sync sync;
	struct dma_fence *fence;
	int ret;

	ret = mockgpu_exec_load_sync(&sync, array, i);
	if (ret)
		return ret;
	ret = drm_syncobj_find_fence(exec->file, sync.handle, sync.point, 0,
				     &fence);
	if (ret)
		return ret;

	mockgpu_job_add_dep(exec->job, fence);
	return 0;
}

static int mockgpu_exec_load_out(struct mockgpu_exec *exec, u64 array, u32 i)
{
	struct mockgpu_exec_out *out = &exec->outs[exec->out_count];
	struct drm_mockgpu_sync sync;
	int ret;

	ret = mockgpu_exec_load_sync(&sync, array, i);
	if (ret)
		return ret;

	out->syncobj = drm_syncobj_find(exec->file, sync.handle);
	if (!out->syncobj)
		return -ENOENT;
	exec->out_count++;

	out->point = sync.point;
	if (out->point)
		out->chain = dma_fence_chain_alloc();
	return out->point && !out->chain ? -ENOMEM : 0;
}

static int mockgpu_exec_load(struct mockgpu_exec *exec,
			     const struct drm_mockgpu_exec *args)
{
	u32 i;
	int ret;

	exec->job = mockgpu_job_new(args->command_count, args->in_count);
	exec->outs = kcalloc(args->out_count + 1, sizeof(*exec->outs),
			     GFP_KERNEL);
	if (!exec->job || !exec->outs)
		return -ENOMEM;

	exec->job->hw.timeout_ms = args->timeout_ms ?: MOCKGPU_EXEC_MAX_MS;
	exec->job->hw.result = args->result;
	ret = mockgpu_exec_load_commands(exec->job, args);
	for (i = 0; i < args->in_count && !ret; i++)
		ret = mockgpu_exec_load_in(exec, args->in_syncs, i);
	for (i = 0; i < args->out_count && !ret; i++)
		ret = mockgpu_exec_load_out(exec, args->out_syncs, i);
	return ret;
}

static void mockgpu_exec_attach(struct mockgpu_exec *exec,
				struct dma_fence *fence)
{
	struct mockgpu_exec_out *out;
	u32 i;

	for (i = 0; i < exec->out_count; i++) {
		out = &exec->outs[i];
		if (out->chain)
			drm_syncobj_add_point(out->syncobj, out->chain, fence,
					      out->point);
		else
			drm_syncobj_replace_fence(out->syncobj, fence);
		out->chain = NULL;
	}
}

static void mockgpu_exec_fini(struct mockgpu_exec *exec)
{
	u32 i;

	for (i = 0; i < exec->out_count; i++) {
		dma_fence_chain_free(exec->outs[i].chain);
		drm_syncobj_put(exec->outs[i].syncobj);
	}
	kfree(exec->outs);
	if (exec->job)
		mockgpu_job_free(exec->job);
}

static int mockgpu_exec_submit(struct mockgpu_exec *exec,
			       struct mockgpu_queue *queue)
{
	struct dma_fence *fence;
	int ret;

	ret = mockgpu_queue_submit(queue, exec->job, &fence);
	if (ret)
		return ret;

	exec->job = NULL;
	mockgpu_exec_attach(exec, fence);
	dma_fence_put(fence);
	return 0;
}

static int mockgpu_exec_queue(struct mockgpu_queue *queue,
			      struct drm_file *file,
			      const struct drm_mockgpu_exec *args)
{
	struct mockgpu_exec exec = { .file = file };
	int ret;

	ret = mockgpu_exec_load(&exec, args);
	if (!ret)
		ret = mockgpu_exec_submit(&exec, queue);
	mockgpu_exec_fini(&exec);
	return ret;
}

/**
 * mockgpu_exec_ioctl() - DRM_IOCTL_MOCKGPU_EXEC
 * @drm: the device
 * @data: a struct drm_mockgpu_exec
 * @file: the file
 *
 * Context: Process context, may sleep.
 * Return: 0, -EINVAL, -ENOENT or -EPERM for the queue, -ENOENT for a sync object,
 * -EFAULT bad array, -EBUSY the queue is full, -ECANCELED it was cancelled,
 * -ENOMEM, -ENODEV.
 */
int mockgpu_exec_ioctl(struct drm_device *drm, void *data,
		       struct drm_file *file)
{
	const struct drm_mockgpu_exec *args = data;
	struct mockgpu_queue *queue;
	int ret;

	ret = mockgpu_exec_check(args);
	if (ret)
		return ret;

	queue = mockgpu_queue_lookup(file, args->queue_id);
	if (IS_ERR(queue))
		return PTR_ERR(queue);

	ret = mockgpu_exec_queue(queue, file, args);
	mockgpu_queue_put(queue);
	return ret;
}
