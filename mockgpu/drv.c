// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The driver: bind, unbind, and the DRM device in between and beyond.
 *
 * What a file, a VM or a device page can still reach after unbind belongs to
 * the DRM device and goes with its last reference; the rest goes with unbind.
 */
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>

#include <drm/drm.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gem.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_managed.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/mockgpu_drm.h>

#include "access.h"
#include "attr.h"
#include "bind.h"
#include "buffer.h"
#include "clear.h"
#include "compat/compat.h"
#include "compat/fdinfo.h"
#include "debugfs.h"
#include "device.h"
#include "drv.h"
#include "evict.h"
#include "exec.h"
#include "fault.h"
#include "gem.h"
#include "hw/hw.h"
#include "linger.h"
#include "pagemap.h"
#include "pci.h"
#include "place.h"
#include "pm.h"
#include "populate.h"
#include "provider.h"
#include "query.h"
#include "queue.h"
#include "residency.h"
#include "sysfs.h"
#include "usage.h"
#include "vm.h"

static const struct drm_ioctl_desc mockgpu_ioctls[] = {
	DRM_IOCTL_DEF_DRV(MOCKGPU_QUERY, mockgpu_query_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_VM_CREATE, mockgpu_vm_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_VM_DESTROY, mockgpu_vm_destroy_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_POPULATE, mockgpu_populate_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_ACCESS, mockgpu_access_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_EVICT, mockgpu_evict_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_RESIDENCY, mockgpu_residency_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_COUNTERS, mockgpu_counters_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_QUEUE_CREATE, mockgpu_queue_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_QUEUE_DESTROY, mockgpu_queue_destroy_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_EXEC, mockgpu_exec_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_SET_ATTR, mockgpu_set_attr_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_GET_ATTR, mockgpu_get_attr_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_PREFETCH, mockgpu_prefetch_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_GEM_CREATE, mockgpu_gem_create_ioctl,
			  DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_GEM_MMAP_OFFSET,
			  mockgpu_gem_mmap_offset_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(MOCKGPU_VM_BIND, mockgpu_vm_bind_ioctl,
			  DRM_RENDER_ALLOW),
};

static const struct file_operations mockgpu_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.poll = drm_poll,
	.read = drm_read,
	.llseek = noop_llseek,
	GSB_FILE_SHOW_FDINFO(mockgpu_usage_show_file)
	.mmap = mockgpu_gem_mmap,
#ifdef FOP_UNSIGNED_OFFSET
	.fop_flags = FOP_UNSIGNED_OFFSET,
#endif
};

static const struct drm_driver mockgpu_drm_driver = {
	.driver_features = DRIVER_GEM | DRIVER_RENDER | DRIVER_SYNCOBJ |
			   DRIVER_SYNCOBJ_TIMELINE,
	.open = mockgpu_vm_open_file,
	.postclose = mockgpu_vm_close_file,
	.debugfs_init = mockgpu_debugfs_init,
	GSB_DRIVER_SHOW_FDINFO(mockgpu_usage_show)
	.dumb_create = mockgpu_gem_dumb_create,
	.prime_handle_to_fd = mockgpu_gem_handle_to_fd,
	.prime_fd_to_handle = drm_gem_prime_fd_to_handle,
#ifdef GSB_HAVE_GEM_PRIME_MMAP
	.gem_prime_mmap = drm_gem_prime_mmap,
#endif
	.gem_prime_import = mockgpu_gem_import,
	.gem_prime_import_sg_table = mockgpu_gem_import_sg_table,
	.ioctls = mockgpu_ioctls,
	.num_ioctls = ARRAY_SIZE(mockgpu_ioctls),
	.fops = &mockgpu_fops,
	.name = MOCKGPU_NAME,
	.desc = "GPU that does not exist",
#ifdef GSB_HAVE_DRM_DRIVER_DATE
	.date = "20260801",
#endif
	.major = 1,
	.minor = 0,
};

static void mockgpu_drv_destroy_hw(struct drm_device *drm, void *hw)
{
	mockgpu_hw_destroy(hw);
}

static void mockgpu_drv_destroy_heap(struct drm_device *drm, void *heap)
{
	mockgpu_heap_fini(heap);
}

/* What lives as long as the DRM device does. */
static int mockgpu_drv_init(struct mockgpu_device *mdev)
{
	const struct mockgpu_device_config *config = &mdev->config;
	int ret;

	spin_lock_init(&mdev->populate_lock);
	INIT_LIST_HEAD(&mdev->populate_calls);
	mutex_init(&mdev->vms_lock);
	INIT_LIST_HEAD(&mdev->vms);
	init_waitqueue_head(&mdev->dying_wait);
	mutex_init(&mdev->queues_lock);
	INIT_LIST_HEAD(&mdev->queues);
	mutex_init(&mdev->buffers_lock);
	INIT_LIST_HEAD(&mdev->buffers);

	mockgpu_heap_init(&mdev->heap, config->vram_size >> PAGE_SHIFT);
	ret = drmm_add_action_or_reset(&mdev->drm, mockgpu_drv_destroy_heap,
				       &mdev->heap);
	if (ret)
		return ret;

	mdev->hw = mockgpu_hw_create(mdev->drm.dev, config->dma_device);
	if (!mdev->hw)
		return -ENOMEM;
	ret = drmm_add_action_or_reset(&mdev->drm, mockgpu_drv_destroy_hw,
				       mdev->hw);
	if (ret)
		return ret;

	ret = mockgpu_fault_device_init(mdev);
	if (!ret)
		ret = mockgpu_hold_init(mdev);
	return ret ?: mockgpu_clear_init(mdev);
}

/* What lives while the driver is bound. */
static int mockgpu_drv_start(struct mockgpu_device *mdev)
{
	int ret;

	ret = mockgpu_pagemap_init(mdev);
	if (ret)
		return ret;

	ret = mockgpu_hw_plug(mdev->hw);
	if (ret)
		goto unplug;
	mdev->share_error =
		mockgpu_provider_check_dma(mockgpu_hw_dma_device(mdev->hw));

	ret = mockgpu_vram_init(mdev);
	if (ret)
		goto unplug;

	ret = drm_dev_register(&mdev->drm, 0);
	if (ret)
		goto fini;
	return 0;

fini:
	mockgpu_vram_fini(mdev);
unplug:
	mockgpu_hw_unplug(mdev->hw);
	return ret;
}

/**
 * mockgpu_drv_bind() - make the DRM device of a device
 * @dev: what the driver is bound to
 * @config: what the device is to be
 *
 * Context: Process context, may sleep.
 * Return: the device, or what is against it: -ENOMEM, -EIO and others.
 */
struct mockgpu_device *
mockgpu_drv_bind(struct device *dev, const struct mockgpu_device_config *config)
{
	struct mockgpu_device *mdev;
	int ret;

	mdev = devm_drm_dev_alloc(dev, &mockgpu_drm_driver,
				  struct mockgpu_device, drm);
	if (IS_ERR(mdev))
		return mdev;

	mdev->config = *config;
	ret = mockgpu_drv_init(mdev);
	if (!ret)
		ret = mockgpu_drv_start(mdev);
	return ret ? ERR_PTR(ret) : mdev;
}

/**
 * mockgpu_drv_stop() - the end of an unbinding
 * @mdev: the device, unplugged, with no VRAM in use
 *
 * Context: Process context, may sleep.
 */
void mockgpu_drv_stop(struct mockgpu_device *mdev)
{
	mockgpu_vram_fini(mdev);
	mockgpu_hw_unplug(mdev->hw);
	if (mdev->config.is_pci)
		mockgpu_pci_release(to_pci_dev(mdev->drm.dev), &mdev->config);
}

/*
 * A PCI device may take its BAR along when it goes, so what is in there has to
 * be out before; unless whoever waits for that is killed.
 */
static bool mockgpu_drv_may_linger(const struct mockgpu_device *mdev)
{
	return !mdev->config.is_pci || fatal_signal_pending(current);
}

/**
 * mockgpu_drv_unbind() - undo mockgpu_drv_bind()
 * @mdev: the device
 *
 * Of VRAM that somebody holds, mockgpu_drv_stop() may come later.
 *
 * Context: Process context, may sleep.
 */
void mockgpu_drv_unbind(struct mockgpu_device *mdev)
{
	/* Waits for commands, and they may wait for the copy engine. */
	mockgpu_hw_hold_copy(mdev->hw, false);
	mockgpu_hw_wake(mdev->hw);
	drm_dev_unplug(&mdev->drm);

	/* The knobs are gone, so that this is the last time. */
	mockgpu_hw_hold_copy(mdev->hw, false);
	mockgpu_hw_wake(mdev->hw);
	WRITE_ONCE(mdev->knobs.hold_faults, false);
	mockgpu_hold_drop(mdev);
	mockgpu_queue_end_all(mdev);
	mockgpu_vm_clear_all(mdev);
	mockgpu_buffer_close_all(mdev);
	while (!mockgpu_evict_for_unbind(mdev))
		if (mockgpu_drv_may_linger(mdev) && mockgpu_linger_start(mdev))
			return;
	mockgpu_drv_stop(mdev);
}

static int mockgpu_drv_probe(struct platform_device *pdev)
{
	const struct mockgpu_device_config *config = dev_get_platdata(&pdev->dev);
	struct mockgpu_device *mdev;

	if (mockgpu_linger_is_there(config->index)) {
		dev_err(&pdev->dev, "VRAM is still in use from before: try again when it is not\n");
		return -EBUSY;
	}

	mdev = mockgpu_drv_bind(&pdev->dev, config);
	if (IS_ERR(mdev))
		return PTR_ERR(mdev);

	platform_set_drvdata(pdev, mdev);
	return 0;
}

static void mockgpu_drv_remove(struct platform_device *pdev)
{
	mockgpu_drv_unbind(platform_get_drvdata(pdev));
}

#ifndef GSB_HAVE_PLATFORM_REMOVE_VOID
static int mockgpu_drv_remove_int(struct platform_device *pdev)
{
	mockgpu_drv_remove(pdev);
	return 0;
}
#endif

struct platform_driver mockgpu_platform_driver = {
	.probe = mockgpu_drv_probe,
#ifdef GSB_HAVE_PLATFORM_REMOVE_VOID
	.remove = mockgpu_drv_remove,
#else
	.remove = mockgpu_drv_remove_int,
#endif
	.driver = {
		.name = MOCKGPU_NAME,
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		.groups = mockgpu_sysfs_driver_groups,
		.dev_groups = mockgpu_sysfs_groups,
		.pm = pm_sleep_ptr(&mockgpu_pm_ops),
	},
};
