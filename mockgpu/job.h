/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_JOB_H
#define MOCKGPU_JOB_H

#include <linux/atomic.h>
#include <linux/dma-fence.h>
#include <linux/list.h>

#include "hw/hw.h"

struct mockgpu_queue;

/**
 * struct mockgpu_job_dep - a fence that a job waits for
 * @cb: what the fence calls
 * @fence: the fence, with a reference
 * @job: the job
 */
struct mockgpu_job_dep {
	struct dma_fence_cb cb;
	struct dma_fence *fence;
	struct mockgpu_job *job;
};

/**
 * struct mockgpu_job - commands of a user
 * @hw: what the device runs
 * @queue: the queue, which stays until the job is freed
 * @commands: those of @hw
 * @link: place among those of the queue that wait for fences
 * @fence: what is signalled at its end
 * @deps: what it waits for
 * @dep_count: how many there are
 * @deps_left: how many are still to be signalled
 */
struct mockgpu_job {
	struct mockgpu_hw_job hw;
	struct mockgpu_queue *queue;
	struct mockgpu_hw_command *commands;
	struct list_head link;
	struct dma_fence *fence;
	struct mockgpu_job_dep *deps;
	u32 dep_count;
	atomic_t deps_left;
};

struct mockgpu_job *mockgpu_job_new(u32 commands, u32 deps);
void mockgpu_job_add_dep(struct mockgpu_job *job, struct dma_fence *fence);
void mockgpu_job_watch_deps(struct mockgpu_job *job);
void mockgpu_job_free(struct mockgpu_job *job);

static inline struct mockgpu_job *mockgpu_job_from_hw(struct mockgpu_hw_job *hw)
{
	return container_of(hw, struct mockgpu_job, hw);
}

static inline bool mockgpu_job_is_ready(const struct mockgpu_job *job)
{
	return !atomic_read(&job->deps_left);
}

#endif
