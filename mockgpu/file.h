/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef MOCKGPU_FILE_H
#define MOCKGPU_FILE_H

#include <linux/xarray.h>

/**
 * struct mockgpu_file - what a user of the device has
 * @vms: its VMs, by id
 * @queues: its queues, by id
 */
struct mockgpu_file {
	struct xarray vms;
	struct xarray queues;
};

#endif
