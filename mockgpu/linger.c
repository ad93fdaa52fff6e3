// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * VRAM that is still in use after its device was unbound.
 *
 * User space can hold pages for as long as it likes, in a pipe for example, and
 * unbinding must not wait for it. So what is behind the pages, the part of the
 * device that can copy included, stays until a worker has brought the last one
 * home; the device cannot be bound again before. Each one that lingers holds
 * its DRM device and this module.
 *
 * Locks: mockgpu_linger_lock protects the list and is a leaf.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "device.h"
#include "drv.h"
#include "evict.h"
#include "linger.h"

#define MOCKGPU_LINGER_PAUSE	(HZ / 10)

static LIST_HEAD(mockgpu_linger_list);
static DEFINE_SPINLOCK(mockgpu_linger_lock);
static struct workqueue_struct *mockgpu_linger_queue;

static void mockgpu_linger_end(struct mockgpu_device *mdev)
{
	mockgpu_drv_stop(mdev);
	drm_info(&mdev->drm, "the last page of VRAM came home\n");

	spin_lock(&mockgpu_linger_lock);
	list_del(&mdev->linger_link);
	spin_unlock(&mockgpu_linger_lock);

	drm_dev_put(&mdev->drm);
	/* Its exit waits for this worker. */
	module_put(THIS_MODULE);
}

static void mockgpu_linger_work(struct work_struct *work)
{
	struct mockgpu_device *mdev = container_of(to_delayed_work(work),
						   struct mockgpu_device,
						   linger_work);

	if (mockgpu_evict_round(mdev))
		queue_delayed_work(mockgpu_linger_queue, &mdev->linger_work,
				   MOCKGPU_LINGER_PAUSE);
	else
		mockgpu_linger_end(mdev);
}

/**
 * mockgpu_linger_start() - have the rest of an unbinding done later
 * @mdev: the device, unplugged, with VRAM in use
 *
 * Context: Process context.
 * Return: true if it will be done; false when the module is being unloaded,
 * which cannot be as long as somebody uses VRAM.
 */
bool mockgpu_linger_start(struct mockgpu_device *mdev)
{
	if (!try_module_get(THIS_MODULE))
		return false;
	drm_dev_get(&mdev->drm);

	spin_lock(&mockgpu_linger_lock);
	list_add(&mdev->linger_link, &mockgpu_linger_list);
	spin_unlock(&mockgpu_linger_lock);

	INIT_DELAYED_WORK(&mdev->linger_work, mockgpu_linger_work);
	queue_delayed_work(mockgpu_linger_queue, &mdev->linger_work,
			   MOCKGPU_LINGER_PAUSE);
	return true;
}

/**
 * mockgpu_linger_is_there() - is VRAM of this device still in use
 * @index: number of the device
 *
 * Context: Process context.
 * Return: true if it is.
 */
bool mockgpu_linger_is_there(unsigned int index)
{
	struct mockgpu_device *mdev;
	bool found = false;

	spin_lock(&mockgpu_linger_lock);
	list_for_each_entry(mdev, &mockgpu_linger_list, linger_link)
		found |= mdev->config.index == index;
	spin_unlock(&mockgpu_linger_lock);
	return found;
}

/**
 * mockgpu_linger_init() - make the worker
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_linger_init(void)
{
	mockgpu_linger_queue = alloc_workqueue("mockgpu_linger", WQ_UNBOUND, 0);
	return mockgpu_linger_queue ? 0 : -ENOMEM;
}

/**
 * mockgpu_linger_exit() - undo mockgpu_linger_init()
 *
 * Context: Module exit: nobody holds the module, so nothing lingers.
 */
void mockgpu_linger_exit(void)
{
	destroy_workqueue(mockgpu_linger_queue);
}
