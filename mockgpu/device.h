/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_DEVICE_H
#define MOCKGPU_DEVICE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>

#include "config.h"
#include "heap.h"
#include "hold.h"
#include "vram.h"

struct drm_pagemap_cache;
struct mockgpu_hw;

/**
 * struct mockgpu_knobs - ways to make the driver misbehave
 * @fail_populate: the n-th allocation from now on has no pages; 0 is off
 * @fail_device_map: the n-th mapping of its VRAM for another device from now
 *	on is refused; 0 is off
 * @clear_delay_ms: new allocations are overwritten, then cleared, that much
 *	later; 0 is off
 * @scatter: no two pages of an allocation are neighbours
 * @no_clear_op: the SVM module is not told that the device can clear
 * @hold_faults: page faults of jobs are not handled, for at most 30 s
 * @skip_unmap: mistake: what goes stays in the page table
 * @skip_flush: mistake: what goes stays in the TLB
 * @skip_copy: mistake: memory goes into VRAM without its data
 * @skip_clear: mistake: VRAM is handed out with the data of its last owner
 * @map_writable: mistake: what is mapped to be read can be written as well
 *
 * Tests that do not see one of the mistakes are not worth much.
 */
struct mockgpu_knobs {
	atomic_t fail_populate;
	atomic_t fail_device_map;
	u32 clear_delay_ms;
	bool scatter;
	bool no_clear_op;
	bool hold_faults;
	bool skip_unmap;
	bool skip_flush;
	bool skip_copy;
	bool skip_clear;
	bool map_writable;
};

/**
 * struct mockgpu_device - the driver's side of one device
 * @drm: the DRM device; all of this lives as long as it does
 * @config: what the device was to be
 * @hw: the device itself
 * @share_error: 0, or why it cannot use memory where it is
 * @vram: its memory as device pages
 * @heap: who uses which part of @vram
 * @pagemap_cache: where the drm_pagemap is found and rests; goes with unbind
 * @pagemaps: how many drm_pagemaps there are, in use or not; 0 or 1
 * @vms_lock: protects @vms; see vm.c
 * @vms: the VMs
 * @dying_vms: those that are no longer in @vms and may still have something mapped
 * @dying_wait: where the last of them is waited for
 * @live_vms: how many there are now
 * @vm_serial: last number given to a VM
 * @queues_lock: protects @queues; see queue.c
 * @queues: the queues
 * @live_queues: how many there are now
 * @live_jobs: how many of their jobs have not ended
 * @live_faults: queues, and those that went while somebody was at their page fault
 * @buffers_lock: protects @buffers; see buffer.c
 * @buffers: the GEM buffers
 * @live_buffers: how many there are now
 * @live_binds: how often they are bound now
 * @faults: page faults of jobs that were handled
 * @stale_faults: those that nobody waited for any more
 * @populate_lock: protects @populate_serial and @populate_calls
 * @populate_serial: last number given to a POPULATE command
 * @populate_calls: POPULATE commands that are running
 * @linger_link: place in the list of those whose VRAM outlives their unbinding
 * @linger_work: what ends that
 * @knobs: for tests
 * @clear_queue: for tests, clears that are still to happen; NULL without knobs
 * @hold: for tests, device pages that are kept from moving
 */
struct mockgpu_device {
	struct drm_device drm;
	struct mockgpu_device_config config;
	struct mockgpu_hw *hw;
	int share_error;
	struct mockgpu_vram vram;
	struct mockgpu_heap heap;
	struct drm_pagemap_cache *pagemap_cache;
	atomic_t pagemaps;
	struct mutex vms_lock;		/* see vm.c */
	struct list_head vms;
	atomic_t dying_vms;
	wait_queue_head_t dying_wait;
	atomic_t live_vms;
	atomic64_t vm_serial;
	struct mutex queues_lock;	/* see queue.c */
	struct list_head queues;
	atomic_t live_queues;
	atomic_t live_jobs;
	atomic_t live_faults;
	struct mutex buffers_lock;	/* see buffer.c */
	struct list_head buffers;
	atomic_t live_buffers;
	atomic_t live_binds;
	atomic64_t faults;
	atomic64_t stale_faults;
	spinlock_t populate_lock;	/* a leaf inside of mmap_lock */
	u64 populate_serial;
	struct list_head populate_calls;
	struct list_head linger_link;
	struct delayed_work linger_work;
	struct mockgpu_knobs knobs;
	struct workqueue_struct *clear_queue;
	struct mockgpu_hold hold;
};

static inline struct mockgpu_device *
mockgpu_device_from_drm(struct drm_device *drm)
{
	return container_of(drm, struct mockgpu_device, drm);
}

static inline bool mockgpu_device_has_vram(const struct mockgpu_device *mdev)
{
	return mdev->config.tier != MOCKGPU_TIER_SYSTEM;
}

#endif
