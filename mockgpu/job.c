// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Jobs: what they need and what they wait for.
 */
#include <linux/mm.h>
#include <linux/slab.h>

#include "fence.h"
#include "job.h"
#include "queue.h"

/**
 * mockgpu_job_new() - memory for a job
 * @commands: how many commands it has
 * @deps: how many fences it waits for
 *
 * Context: Process context, may sleep.
 * Return: the job, with neither yet, or NULL when there is no memory.
 */
struct mockgpu_job *mockgpu_job_new(u32 commands, u32 deps)
{
	struct mockgpu_job *job = kzalloc(sizeof(*job), GFP_KERNEL_ACCOUNT);

	if (!job)
		return NULL;

	job->commands = kvcalloc(commands, sizeof(*job->commands),
				 GFP_KERNEL_ACCOUNT);
	job->deps = kvcalloc(deps ?: 1, sizeof(*job->deps), GFP_KERNEL_ACCOUNT);
	job->fence = mockgpu_fence_alloc();
	if (job->commands && job->deps && job->fence) {
		job->hw.commands = job->commands;
		job->hw.count = commands;
		return job;
	}

	mockgpu_job_free(job);
	return NULL;
}

/**
 * mockgpu_job_add_dep() - have a job wait for a fence
 * @job: the job, with room for it
 * @fence: the fence; the reference is the job's now
 *
 * Context: Any.
 */
void mockgpu_job_add_dep(struct mockgpu_job *job, struct dma_fence *fence)
{
	struct mockgpu_job_dep *dep = &job->deps[job->dep_count++];

	dep->fence = fence;
	dep->job = job;
	INIT_LIST_HEAD(&dep->cb.node);
}

/* The job stays: its end waits for this in dma_fence_remove_callback(). */
static void mockgpu_job_dep_signalled(struct dma_fence *fence,
				      struct dma_fence_cb *cb)
{
	struct mockgpu_job_dep *dep = container_of(cb, struct mockgpu_job_dep,
						   cb);

	if (atomic_dec_and_test(&dep->job->deps_left))
		mockgpu_queue_advance(dep->job->queue);
}

/**
 * mockgpu_job_watch_deps() - notice when the fences are signalled
 * @job: the job, with a queue, not in it yet
 *
 * Context: Process context, no lock held.
 */
void mockgpu_job_watch_deps(struct mockgpu_job *job)
{
	u32 i;

	atomic_set(&job->deps_left, job->dep_count);
	for (i = 0; i < job->dep_count; i++)
		if (dma_fence_add_callback(job->deps[i].fence, &job->deps[i].cb,
					   mockgpu_job_dep_signalled))
			atomic_dec(&job->deps_left);
}

static void mockgpu_job_put_deps(struct mockgpu_job *job)
{
	u32 i;

	for (i = 0; i < job->dep_count; i++) {
		dma_fence_remove_callback(job->deps[i].fence, &job->deps[i].cb);
		dma_fence_put(job->deps[i].fence);
	}
	kvfree(job->deps);
}

/**
 * mockgpu_job_free() - the end of a job
 * @job: the job; its fence was ended, and @fence is NULL, or was never armed
 *
 * Context: Process context; the engine calls this.
 */
void mockgpu_job_free(struct mockgpu_job *job)
{
	mockgpu_job_put_deps(job);
	if (job->fence)
		mockgpu_fence_free(job->fence);
	kvfree(job->commands);
	kfree(job);
}
