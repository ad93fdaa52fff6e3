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
 * Nor can the system hibernate before, if VRAM is nothing that it saves: without a
 * driver nobody is asked to bring it home when the devices are frozen.
 *
 * Locks: mockgpu_linger_lock protects the list and mockgpu_linger_hibernates, and is
 * a leaf.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/suspend.h>
#include <linux/workqueue.h>

#include <drm/drm_drv.h>
#include <drm/drm_print.h>

#include "device.h"
#include "drv.h"
#include "evict.h"
#include "linger.h"
#include "pm.h"

#define MOCKGPU_LINGER_PAUSE	(HZ / 10)

static LIST_HEAD(mockgpu_linger_list);
static DEFINE_SPINLOCK(mockgpu_linger_lock);
static bool mockgpu_linger_hibernates;
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

/*
 * The system may have begun to hibernate while there was still hope. It cannot freeze
 * whoever unbinds the device and is here, so it has to give up.
 */
static void mockgpu_linger_add(struct mockgpu_device *mdev)
{
	spin_lock(&mockgpu_linger_lock);
	while (mockgpu_linger_hibernates && !mockgpu_pm_is_saved(mdev)) {
		spin_unlock(&mockgpu_linger_lock);
		pm_system_wakeup();
		schedule_timeout_idle(MOCKGPU_LINGER_PAUSE);
		spin_lock(&mockgpu_linger_lock);
	}
	list_add(&mdev->linger_link, &mockgpu_linger_list);
	spin_unlock(&mockgpu_linger_lock);
}

/**
 * mockgpu_linger_start() - have the rest of an unbinding done later
 * @mdev: the device, unplugged, with VRAM in use
 *
 * Waits while the system hibernates.
 *
 * Context: Process context, of a task that can be frozen, but for this.
 * Return: true if it will be done; false when the module is being unloaded,
 * which cannot be as long as somebody uses VRAM.
 */
bool mockgpu_linger_start(struct mockgpu_device *mdev)
{
	if (!try_module_get(THIS_MODULE))
		return false;
	drm_dev_get(&mdev->drm);
	mockgpu_linger_add(mdev);

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

/* -EBUSY if something would be lost; if not, it stays so until the end. */
static int mockgpu_linger_hibernate(void)
{
	struct mockgpu_device *mdev;
	int ret = 0;

	spin_lock(&mockgpu_linger_lock);
	list_for_each_entry(mdev, &mockgpu_linger_list, linger_link) {
		if (mockgpu_pm_is_saved(mdev))
			continue;
		drm_warn(&mdev->drm, "no hibernation: it was unbound and somebody holds VRAM, which would be lost\n");
		ret = -EBUSY;
	}
	mockgpu_linger_hibernates = !ret;
	spin_unlock(&mockgpu_linger_lock);
	return ret;
}

static void mockgpu_linger_wake(void)
{
	spin_lock(&mockgpu_linger_lock);
	mockgpu_linger_hibernates = false;
	spin_unlock(&mockgpu_linger_lock);
}

static int mockgpu_linger_notify(struct notifier_block *notifier,
				 unsigned long event, void *unused)
{
	switch (event) {
	case PM_HIBERNATION_PREPARE:
		return notifier_from_errno(mockgpu_linger_hibernate());
	case PM_POST_HIBERNATION:
		mockgpu_linger_wake();
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static struct notifier_block mockgpu_linger_notifier = {
	.notifier_call = mockgpu_linger_notify,
};

/**
 * mockgpu_linger_init() - make the worker, and be asked before the system hibernates
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_linger_init(void)
{
	int ret;

	mockgpu_linger_queue = alloc_workqueue("mockgpu_linger", WQ_UNBOUND, 0);
	if (!mockgpu_linger_queue)
		return -ENOMEM;
	ret = register_pm_notifier(&mockgpu_linger_notifier);
	if (ret)
		destroy_workqueue(mockgpu_linger_queue);
	return ret;
}

/**
 * mockgpu_linger_exit() - undo mockgpu_linger_init()
 *
 * Context: Module exit: nobody holds the module, so nothing lingers.
 */
void mockgpu_linger_exit(void)
{
	unregister_pm_notifier(&mockgpu_linger_notifier);
	destroy_workqueue(mockgpu_linger_queue);
}
