// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Suspend and hibernation.
 *
 * VRAM is RAM, so it stays what it is while the system sleeps, unless a test wants it
 * to lose power (vram_loses_power), as that of most devices does. Hibernation saves
 * the RAM that the kernel knows, which VRAM in reserved RAM or behind a bus is not.
 * What is in VRAM that would be lost comes home before.
 */
#include <linux/device.h>
#include <linux/pm.h>

#include <drm/drm_print.h>

#include "device.h"
#include "evict.h"
#include "hw/hw.h"
#include "pm.h"

/* How often VRAM may have been filled again by who was at it already. */
#define MOCKGPU_PM_ROUNDS	4

static bool mockgpu_pm_is_empty(struct mockgpu_device *mdev)
{
	unsigned int allocs;
	unsigned long pages;

	mockgpu_heap_read_live(&mdev->heap, &pages, &allocs);
	return !pages;
}

/*
 * Neither jobs nor those who handle their page faults are frozen. Once the jobs are
 * halted there are no more faults; but one that was being handled may bring
 * something into VRAM until the copy engine sleeps as well, so look again then.
 */
static int mockgpu_pm_sleep_empty(struct mockgpu_device *mdev)
{
	unsigned int rounds = MOCKGPU_PM_ROUNDS;

	do {
		mockgpu_hw_halt(mdev->hw);
		mockgpu_evict_round(mdev);
		mockgpu_hw_sleep(mdev->hw);
		if (mockgpu_pm_is_empty(mdev))
			return 0;
	} while (--rounds);

	mockgpu_hw_wake(mdev->hw);
	return -EBUSY;
}

static int mockgpu_pm_off(struct mockgpu_device *mdev)
{
	int ret = mockgpu_pm_sleep_empty(mdev);

	if (ret)
		drm_warn(&mdev->drm, "no sleep: somebody holds VRAM, which would be lost\n");
	else
		mockgpu_hw_power_off(mdev->hw);
	return ret;
}

static int mockgpu_pm_sleep(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	mockgpu_hw_sleep(mdev->hw);
	return 0;
}

static int mockgpu_pm_suspend(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	return READ_ONCE(mockgpu_hw_knobs(mdev->hw)->vram_loses_power) ?
	       mockgpu_pm_off(mdev) : mockgpu_pm_sleep(dev);
}

static int mockgpu_pm_resume(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	mockgpu_hw_wake(mdev->hw);
	return 0;
}

/**
 * mockgpu_pm_is_saved() - is what is in VRAM part of an image for hibernation
 * @mdev: the device
 *
 * Context: Any.
 * Return: true if it is, or if there is no VRAM.
 */
bool mockgpu_pm_is_saved(const struct mockgpu_device *mdev)
{
	return mdev->config.tier == MOCKGPU_TIER_SYSTEM ||
	       (mdev->config.tier == MOCKGPU_TIER_PRIVATE &&
		!mdev->config.is_pci);
}

static int mockgpu_pm_freeze(struct device *dev)
{
	struct mockgpu_device *mdev = dev_get_drvdata(dev);

	return mockgpu_pm_is_saved(mdev) ? mockgpu_pm_sleep(dev) :
					   mockgpu_pm_off(mdev);
}

const struct dev_pm_ops mockgpu_pm_ops = {
	.suspend = mockgpu_pm_suspend,
	.resume = mockgpu_pm_resume,
	.freeze = mockgpu_pm_freeze,
	.thaw = mockgpu_pm_resume,
	/* All there is was saved before. */
	.poweroff = mockgpu_pm_sleep,
	.restore = mockgpu_pm_resume,
};
