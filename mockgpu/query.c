// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * QUERY and COUNTERS: facts and numbers.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/uaccess.h>

#include <drm/drm.h>
#include <drm/mockgpu_drm.h>

#include "atomic.h"
#include "device.h"
#include "exclusive.h"
#include "heap.h"
#include "hw/hw.h"
#include "provider.h"
#include "query.h"

static u64 mockgpu_query_caps(const struct mockgpu_device *mdev)
{
	u64 caps = 0;

	if (mockgpu_device_has_vram(mdev))
		caps |= MOCKGPU_CAP_MIGRATION;
	if (mdev->config.test_knobs)
		caps |= MOCKGPU_CAP_TEST_KNOBS;
	if (mockgpu_atomic_is_offered(mdev, MOCKGPU_ATOMIC_SYSTEM))
		caps |= MOCKGPU_CAP_ATOMIC_SYSTEM;
	if (mockgpu_exclusive_supported())
		caps |= MOCKGPU_CAP_EXCLUSIVE;
	return caps;
}

static u64 mockgpu_query_vram_used(struct mockgpu_device *mdev)
{
	unsigned int allocs;
	unsigned long pages;

	mockgpu_heap_read_live(&mdev->heap, &pages, &allocs);
	return (u64)pages << PAGE_SHIFT;
}

/**
 * mockgpu_query_ioctl() - DRM_IOCTL_MOCKGPU_QUERY
 * @drm: the device
 * @data: a struct drm_mockgpu_query
 * @file: the file
 *
 * Context: Process context.
 * Return: 0 or -EINVAL.
 */
int mockgpu_query_ioctl(struct drm_device *drm, void *data,
			struct drm_file *file)
{
	struct mockgpu_device *mdev = mockgpu_device_from_drm(drm);
	struct drm_mockgpu_query *args = data;

	if (args->pad)
		return -EINVAL;

	switch (args->param) {
	case MOCKGPU_PARAM_UAPI_VERSION:
		args->value = MOCKGPU_UAPI_VERSION;
		return 0;
	case MOCKGPU_PARAM_TIER:
		args->value = mdev->config.tier;
		return 0;
	case MOCKGPU_PARAM_VRAM_SIZE:
		args->value = mdev->config.vram_size;
		return 0;
	case MOCKGPU_PARAM_VRAM_USED:
		args->value = mockgpu_query_vram_used(mdev);
		return 0;
	case MOCKGPU_PARAM_PAGE_SIZE:
		args->value = PAGE_SIZE;
		return 0;
	case MOCKGPU_PARAM_DEVICE_INDEX:
		args->value = mdev->config.index;
		return 0;
	case MOCKGPU_PARAM_CAPS:
		args->value = mockgpu_query_caps(mdev);
		return 0;
	default:
		return -EINVAL;
	}
}

static void mockgpu_query_svm_counters(u64 *values)
{
	struct drm_gpusvm_backport_stats stats;

	drm_gpusvm_backport_get_stats(&stats);
	values[MOCKGPU_COUNTER_PAGES_TO_DEVICE] = stats.pages_to_device;
	values[MOCKGPU_COUNTER_PAGES_CLEARED] = stats.pages_cleared;
	values[MOCKGPU_COUNTER_PAGES_TO_RAM] = stats.pages_to_ram;
	values[MOCKGPU_COUNTER_CPU_FAULTS] = stats.cpu_faults;
	values[MOCKGPU_COUNTER_LIVE_DEVICE_PAGES] = stats.live_pages;
	values[MOCKGPU_COUNTER_LIVE_ZDD] = stats.live_zdd;
}

static void mockgpu_query_hw_counters(struct mockgpu_hw *hw, u64 *values)
{
	struct mockgpu_hw_stats stats;

	mockgpu_hw_read_stats(hw, &stats);
	values[MOCKGPU_COUNTER_BYTES_COPIED_IN] = stats.bytes_copied_in;
	values[MOCKGPU_COUNTER_BYTES_COPIED_OUT] = stats.bytes_copied_out;
	values[MOCKGPU_COUNTER_BYTES_ACCESSED] = stats.bytes_accessed;
	values[MOCKGPU_COUNTER_DEVICE_ERRORS] = stats.errors;
	values[MOCKGPU_COUNTER_LIVE_DMA_PAGES] = stats.live_dma_pages;
	values[MOCKGPU_COUNTER_LIVE_PEER_PAGES] = stats.live_peer_pages;
}

/**
 * mockgpu_query_counters() - read all counters
 * @mdev: the device
 * @values: MOCKGPU_COUNTER_COUNT values to fill
 *
 * Context: Any.
 */
void mockgpu_query_counters(struct mockgpu_device *mdev, u64 *values)
{
	unsigned int allocs;
	unsigned long pages;

	mockgpu_query_svm_counters(values);
	mockgpu_query_hw_counters(mdev->hw, values);

	mockgpu_heap_read_live(&mdev->heap, &pages, &allocs);
	values[MOCKGPU_COUNTER_LIVE_VRAM_PAGES] = pages;
	values[MOCKGPU_COUNTER_LIVE_ALLOCATIONS] = allocs;
	values[MOCKGPU_COUNTER_LIVE_VMS] = atomic_read(&mdev->live_vms);
	values[MOCKGPU_COUNTER_LIVE_QUEUES] = atomic_read(&mdev->live_queues);
	values[MOCKGPU_COUNTER_LIVE_JOBS] = atomic_read(&mdev->live_jobs);
	values[MOCKGPU_COUNTER_DEVICE_FAULTS] = atomic64_read(&mdev->faults);
	values[MOCKGPU_COUNTER_STALE_FAULTS] =
		atomic64_read(&mdev->stale_faults);
	values[MOCKGPU_COUNTER_LIVE_BUFFERS] = atomic_read(&mdev->live_buffers);
	values[MOCKGPU_COUNTER_LIVE_BINDS] = atomic_read(&mdev->live_binds);
	values[MOCKGPU_COUNTER_EVICTIONS] =
		mockgpu_heap_evictions(&mdev->heap);
}

/**
 * mockgpu_counters_ioctl() - DRM_IOCTL_MOCKGPU_COUNTERS
 * @drm: the device
 * @data: a struct drm_mockgpu_counters
 * @file: the file
 *
 * Context: Process context.
 * Return: 0, -EINVAL or -EFAULT.
 */
int mockgpu_counters_ioctl(struct drm_device *drm, void *data,
			   struct drm_file *file)
{
	u64 values[MOCKGPU_COUNTER_COUNT] = {};
	struct drm_mockgpu_counters *args = data;
	u32 count;

	if (args->pad)
		return -EINVAL;

	count = min_t(u32, args->count, MOCKGPU_COUNTER_COUNT);
	args->count = MOCKGPU_COUNTER_COUNT;
	mockgpu_query_counters(mockgpu_device_from_drm(drm), values);

	return copy_to_user(u64_to_user_ptr(args->data), values,
			    count * sizeof(*values)) ? -EFAULT : 0;
}
