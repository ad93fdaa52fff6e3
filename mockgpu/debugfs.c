// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Files in debugfs, for root: what is where, and the test knobs.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>

#include <drm/drm_file.h>
#include <drm/mockgpu_drm.h>

#include "debugfs.h"
#include "device.h"
#include "heap.h"
#include "hold.h"
#include "hw/hw.h"
#include "inspect.h"
#include "pagemap.h"
#include "query.h"

static const char * const mockgpu_counter_names[MOCKGPU_COUNTER_COUNT] = {
	[MOCKGPU_COUNTER_PAGES_TO_DEVICE] = "pages_to_device",
	[MOCKGPU_COUNTER_PAGES_CLEARED] = "pages_cleared",
	[MOCKGPU_COUNTER_PAGES_TO_RAM] = "pages_to_ram",
	[MOCKGPU_COUNTER_CPU_FAULTS] = "cpu_faults",
	[MOCKGPU_COUNTER_BYTES_COPIED_IN] = "bytes_copied_in",
	[MOCKGPU_COUNTER_BYTES_COPIED_OUT] = "bytes_copied_out",
	[MOCKGPU_COUNTER_BYTES_ACCESSED] = "bytes_accessed",
	[MOCKGPU_COUNTER_DEVICE_ERRORS] = "device_errors",
	[MOCKGPU_COUNTER_LIVE_VRAM_PAGES] = "live_vram_pages",
	[MOCKGPU_COUNTER_LIVE_ALLOCATIONS] = "live_allocations",
	[MOCKGPU_COUNTER_LIVE_DMA_PAGES] = "live_dma_pages",
	[MOCKGPU_COUNTER_LIVE_VMS] = "live_vms",
	[MOCKGPU_COUNTER_LIVE_DEVICE_PAGES] = "live_device_pages",
	[MOCKGPU_COUNTER_LIVE_ZDD] = "live_zdd",
	[MOCKGPU_COUNTER_LIVE_PEER_PAGES] = "live_peer_pages",
	[MOCKGPU_COUNTER_LIVE_QUEUES] = "live_queues",
	[MOCKGPU_COUNTER_LIVE_JOBS] = "live_jobs",
	[MOCKGPU_COUNTER_DEVICE_FAULTS] = "device_faults",
	[MOCKGPU_COUNTER_STALE_FAULTS] = "stale_faults",
	[MOCKGPU_COUNTER_EVICTIONS] = "evictions",
	[MOCKGPU_COUNTER_LIVE_BUFFERS] = "live_buffers",
	[MOCKGPU_COUNTER_LIVE_BINDS] = "live_binds",
};

/*
 * First and last page, size, VM (0 for none) of each allocation; of a scattered
 * one those are in no order.
 */
static int mockgpu_debugfs_vram_show(struct seq_file *seq, void *unused)
{
	struct mockgpu_device *mdev = seq->private;
	struct mockgpu_alloc *alloc = NULL;

	while ((alloc = mockgpu_heap_next(&mdev->heap, alloc)))
		seq_printf(seq, "%lu-%lu %lu KiB vm %llu%s%s\n",
			   mockgpu_heap_page(alloc, 0),
			   mockgpu_heap_page(alloc, alloc->npages - 1),
			   alloc->npages * (PAGE_SIZE / SZ_1K),
			   alloc->vm_serial,
			   alloc->plain ? " buffer" : "",
			   alloc->nblocks > 1 ? " scattered" : "");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_debugfs_vram);

static int mockgpu_debugfs_counters_show(struct seq_file *seq, void *unused)
{
	u64 values[MOCKGPU_COUNTER_COUNT];
	unsigned int i;

	mockgpu_query_counters(seq->private, values);
	for (i = 0; i < MOCKGPU_COUNTER_COUNT; i++)
		seq_printf(seq, "%s %llu\n", mockgpu_counter_names[i],
			   values[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_debugfs_counters);

static int mockgpu_debugfs_pagemap_show(struct seq_file *seq, void *unused)
{
	seq_printf(seq, "%s\n", mockgpu_pagemap_state(seq->private));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(mockgpu_debugfs_pagemap);

static int mockgpu_debugfs_hold_copy_get(void *data, u64 *value)
{
	struct mockgpu_device *mdev = data;

	*value = READ_ONCE(mockgpu_hw_knobs(mdev->hw)->hold_copy);
	return 0;
}

static int mockgpu_debugfs_hold_copy_set(void *data, u64 value)
{
	struct mockgpu_device *mdev = data;

	if (value > 1)
		return -EINVAL;
	mockgpu_hw_hold_copy(mdev->hw, value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(mockgpu_debugfs_hold_copy_fops,
			 mockgpu_debugfs_hold_copy_get,
			 mockgpu_debugfs_hold_copy_set, "%llu\n");

static int mockgpu_debugfs_asleep_get(void *data, u64 *value)
{
	struct mockgpu_device *mdev = data;

	*value = mockgpu_hw_is_asleep(mdev->hw);
	return 0;
}

/* As suspend and resume do, but alone. */
static int mockgpu_debugfs_asleep_set(void *data, u64 value)
{
	struct mockgpu_device *mdev = data;

	if (value > 1)
		return -EINVAL;
	if (value)
		mockgpu_hw_sleep(mdev->hw);
	else
		mockgpu_hw_wake(mdev->hw);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(mockgpu_debugfs_asleep_fops,
			 mockgpu_debugfs_asleep_get,
			 mockgpu_debugfs_asleep_set, "%llu\n");

static void mockgpu_debugfs_add_mistakes(struct mockgpu_device *mdev,
					 struct dentry *root)
{
	struct mockgpu_knobs *knobs = &mdev->knobs;

	debugfs_create_bool("skip_unmap", 0600, root, &knobs->skip_unmap);
	debugfs_create_bool("skip_flush", 0600, root, &knobs->skip_flush);
	debugfs_create_bool("skip_copy", 0600, root, &knobs->skip_copy);
	debugfs_create_bool("skip_clear", 0600, root, &knobs->skip_clear);
	debugfs_create_bool("map_writable", 0600, root, &knobs->map_writable);
	debugfs_create_bool("skip_dma_unmap", 0600, root,
			    &mockgpu_hw_knobs(mdev->hw)->skip_dma_unmap);
}

static void mockgpu_debugfs_add_knobs(struct mockgpu_device *mdev,
				      struct dentry *root)
{
	struct mockgpu_hw_knobs *knobs = mockgpu_hw_knobs(mdev->hw);

	debugfs_create_atomic_t("fail_populate", 0600, root,
				&mdev->knobs.fail_populate);
	debugfs_create_atomic_t("fail_device_map", 0600, root,
				&mdev->knobs.fail_device_map);
	debugfs_create_u32("clear_delay_ms", 0600, root,
			   &mdev->knobs.clear_delay_ms);
	debugfs_create_bool("scatter", 0600, root, &mdev->knobs.scatter);
	debugfs_create_bool("no_clear_op", 0600, root,
			    &mdev->knobs.no_clear_op);
	debugfs_create_bool("hold_faults", 0600, root,
			    &mdev->knobs.hold_faults);
	mockgpu_hold_add_file(mdev, root);
	/* On PCI, DMA is not the device's to refuse. */
	if (!mdev->config.is_pci)
		debugfs_create_atomic_t("fail_dma_map", 0600, root,
					&knobs->fail_dma_map);
	debugfs_create_atomic_t("fail_copy", 0600, root, &knobs->fail_copy);
	debugfs_create_u32("copy_delay_us", 0600, root, &knobs->copy_delay_us);
	debugfs_create_bool("poison", 0600, root, &knobs->poison);
	debugfs_create_bool("vram_loses_power", 0600, root,
			    &knobs->vram_loses_power);
	debugfs_create_file_unsafe("hold_copy", 0600, root, mdev,
				   &mockgpu_debugfs_hold_copy_fops);
	debugfs_create_file_unsafe("asleep", 0600, root, mdev,
				   &mockgpu_debugfs_asleep_fops);
	debugfs_create_atomic_t("copies_held", 0400, root,
				&knobs->copies_held);
	mockgpu_debugfs_add_mistakes(mdev, root);
}

/**
 * mockgpu_debugfs_init() - add the files of a device
 * @minor: one of its nodes; the files are with the primary node
 *
 * Context: Process context, may sleep.
 */
void mockgpu_debugfs_init(struct drm_minor *minor)
{
	struct mockgpu_device *mdev = mockgpu_device_from_drm(minor->dev);
	struct dentry *root = minor->debugfs_root;

	if (minor->type != DRM_MINOR_PRIMARY)
		return;

	debugfs_create_file("vram", 0400, root, mdev,
			    &mockgpu_debugfs_vram_fops);
	debugfs_create_file("counters", 0400, root, mdev,
			    &mockgpu_debugfs_counters_fops);
	debugfs_create_file("pagemap", 0400, root, mdev,
			    &mockgpu_debugfs_pagemap_fops);
	mockgpu_inspect_add_files(mdev, root);
	if (mdev->config.test_knobs)
		mockgpu_debugfs_add_knobs(mdev, root);
}
