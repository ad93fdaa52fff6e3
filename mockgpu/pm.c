// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Suspend and hibernation.
 *
 * VRAM is RAM, so it stays what it is while the system sleeps. Hibernation saves the
 * RAM that the kernel knows, which VRAM in reserved RAM is not: it comes home before.
 */
#include <linux/device.h>
#include <linux/pm.h>

#include <drm/drm_print.h>

#include "device.h"
#include "evict.h"
#include "hw/hw.h"
#include "pm.h"

static int mockgpu_pm_suspend(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	mockgpu_hw_sleep(mdev->hw);
	return 0;
}

static int mockgpu_pm_resume(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	mockgpu_hw_wake(mdev->hw);
	return 0;
}

static int mockgpu_pm_freeze(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	if (mdev->config.tier == MOCKGPU_TIER_COHERENT &&
	    mockgpu_evict_round(mdev)) {
		drm_warn(&mdev->drm, "no hibernation: somebody holds VRAM, which would be lost\n");
		return -EBUSY;
	}
	return mockgpu_pm_suspend(dev);
}

const struct dev_pm_ops mockgpu_pm_ops = {
	.suspend = mockgpu_pm_suspend,
	.resume = mockgpu_pm_resume,
	.freeze = mockgpu_pm_freeze,
	.thaw = mockgpu_pm_resume,
	.poweroff = mockgpu_pm_suspend,
	.restore = mockgpu_pm_resume,
};
