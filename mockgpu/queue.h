/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_QUEUE_H
#define MOCKGPU_QUEUE_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

struct drm_device;
struct drm_file;
struct dma_fence;
struct mockgpu_device;
struct mockgpu_fault;
struct mockgpu_file;
struct mockgpu_hw_ring;
struct mockgpu_job;
struct mockgpu_vm;

/**
 * struct mockgpu_queue - an ordered queue of jobs
 * @refs: references
 * @link: place in the device's list of queues
 * @vm: the VM, with a reference
 * @file: whose it is, which it does not outlive
 * @ring: where the device takes its jobs from
 * @fault: for the page faults of the job that runs
 * @context: of its fences
 * @lock: protects what follows
 * @waiting: jobs that wait for fences, and those behind them
 * @cancelled: all jobs are to end, and there will be no more
 * @seqno: of the last job's fence
 * @jobs: how many have not ended
 * @idle: @jobs is 0
 */
struct mockgpu_queue {
	struct kref refs;
	struct list_head link;
	struct mockgpu_vm *vm;
	struct mockgpu_file *file;
	struct mockgpu_hw_ring *ring;
	struct mockgpu_fault *fault;
	u64 context;
	spinlock_t lock;	/* see queue.c */
	struct list_head waiting;
	bool cancelled;
	u64 seqno;
	unsigned int jobs;
	wait_queue_head_t idle;
};

struct mockgpu_queue *mockgpu_queue_lookup(struct drm_file *file, u32 id);
void mockgpu_queue_put(struct mockgpu_queue *queue);
int mockgpu_queue_submit(struct mockgpu_queue *queue, struct mockgpu_job *job,
			 struct dma_fence **fence);
void mockgpu_queue_advance(struct mockgpu_queue *queue);
void mockgpu_queue_end_vm(struct mockgpu_vm *vm);
void mockgpu_queue_end_all(struct mockgpu_device *mdev);
u64 mockgpu_queue_busy_ns(struct mockgpu_file *mfile);
void mockgpu_queue_close_file(struct mockgpu_file *mfile);
int mockgpu_queue_create_ioctl(struct drm_device *drm, void *data,
			       struct drm_file *file);
int mockgpu_queue_destroy_ioctl(struct drm_device *drm, void *data,
				struct drm_file *file);

#endif
