/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_FILE_H
#define MOCKGPU_FILE_H

#include <linux/xarray.h>

/**
 * struct mockgpu_file - what a user of the device has
 * @vms: its VMs, by id
 * @queues: its queues, by id
 * @client: no other file has or had the same
 * @busy_ns: how long its jobs ran, without those that are running
 * @busy_shown: with those, what was told last; under the lock of @queues
 */
struct mockgpu_file {
	struct xarray vms;
	struct xarray queues;
	u64 client;
	atomic64_t busy_ns;
	u64 busy_shown;
};

#endif
