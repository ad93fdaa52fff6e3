// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * PCI devices that serve as mock GPUs.
 *
 * Any PCI device with memory in BAR 2 will do, such as QEMU's ivshmem-plain. The
 * driver names no device of its own accord: it is bound to those that root chooses
 * (driver_override or new_id in sysfs). VRAM is in the BAR, and DMA is what the
 * kernel makes of it for a device in that slot: through its IOMMU if it has one.
 */
#include <linux/bitops.h>
#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm.h>
#include <linux/sizes.h>

#include "config.h"
#include "drv.h"
#include "pci.h"
#include "pm.h"
#include "sysfs.h"

#define MOCKGPU_PCI_BAR	2

/* Set while the driver is registered. */
static const struct mockgpu_config *mockgpu_pci_config;
/* Numbers of devices that are bound, or were and still have VRAM in use. */
static unsigned long mockgpu_pci_indices;

/* The numbers up to those are the other devices'. */
static int mockgpu_pci_take_index(void)
{
	unsigned int i;

	for (i = mockgpu_pci_config->devices; i < MOCKGPU_MAX_DEVICES; i++)
		if (!test_and_set_bit(i, &mockgpu_pci_indices))
			return i;
	return -ENOSPC;
}

static int mockgpu_pci_claim_bar(struct pci_dev *pdev,
				 struct mockgpu_device_config *config)
{
	u64 available = pci_resource_len(pdev, MOCKGPU_PCI_BAR);

	if (!(pci_resource_flags(pdev, MOCKGPU_PCI_BAR) & IORESOURCE_MEM) ||
	    available < SZ_2M) {
		dev_err(&pdev->dev, "VRAM is to be in BAR %d, where there are not even 2 MiB of memory: use another device or tier=system\n",
			MOCKGPU_PCI_BAR);
		return -ENODEV;
	}
	if (config->vram_size > available) {
		dev_err(&pdev->dev, "%llu MiB of VRAM do not fit into the %llu MiB of BAR %d: lower vram_size=\n",
			config->vram_size / SZ_1M, available / SZ_1M,
			MOCKGPU_PCI_BAR);
		return -EINVAL;
	}

	config->vram_size = config->vram_size ?: available;
	config->vram_base = pci_resource_start(pdev, MOCKGPU_PCI_BAR);
	if (request_mem_region(config->vram_base, config->vram_size,
			       KBUILD_MODNAME))
		return 0;

	dev_err(&pdev->dev, "BAR %d at 0x%llx is in use, see /proc/iomem\n",
		MOCKGPU_PCI_BAR, config->vram_base);
	return -EBUSY;
}

static int mockgpu_pci_claim(struct pci_dev *pdev,
			     struct mockgpu_device_config *config)
{
	int ret;

	ret = pci_enable_device_mem(pdev);
	if (ret)
		return ret;

	if (config->tier == MOCKGPU_TIER_SYSTEM)
		config->vram_size = 0;
	else
		ret = mockgpu_pci_claim_bar(pdev, config);
	if (ret)
		goto disable;

	ret = mockgpu_pci_take_index();
	if (ret < 0) {
		dev_err(&pdev->dev, "there are %d devices already, and cannot be more\n",
			MOCKGPU_MAX_DEVICES);
		goto release;
	}
	config->index = ret;
	return 0;

release:
	if (config->vram_size)
		release_mem_region(config->vram_base, config->vram_size);
disable:
	pci_disable_device(pdev);
	return ret;
}

/**
 * mockgpu_pci_release() - give back what a device had of its bus
 * @pdev: the device
 * @config: what it was; it is not used any more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_pci_release(struct pci_dev *pdev,
			 const struct mockgpu_device_config *config)
{
	if (config->vram_size)
		release_mem_region(config->vram_base, config->vram_size);
	pci_disable_device(pdev);
	clear_bit(config->index, &mockgpu_pci_indices);
}

static void mockgpu_pci_announce(struct pci_dev *pdev,
				 const struct mockgpu_device_config *config)
{
	static const char * const tiers[] = {
		[MOCKGPU_TIER_SYSTEM] = "system",
		[MOCKGPU_TIER_COHERENT] = "coherent",
		[MOCKGPU_TIER_PRIVATE] = "private",
	};

	dev_info(&pdev->dev, "device %u, %s tier, %llu MiB of VRAM in BAR %d\n",
		 config->index, tiers[config->tier], config->vram_size / SZ_1M,
		 MOCKGPU_PCI_BAR);
}

static int mockgpu_pci_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	struct mockgpu_device_config config = {
		.tier = mockgpu_pci_config->pci_tier,
		.vram_size = mockgpu_pci_config->pci_vram_size,
		.is_pci = true,
		.dma_device = &pdev->dev,
		.test_knobs = mockgpu_pci_config->test_knobs,
	};
	struct mockgpu_device *mdev;
	int ret;

	ret = mockgpu_pci_claim(pdev, &config);
	if (ret)
		return ret;

	mdev = mockgpu_drv_bind(&pdev->dev, &config);
	if (IS_ERR(mdev)) {
		mockgpu_pci_release(pdev, &config);
		return PTR_ERR(mdev);
	}

	pci_set_drvdata(pdev, mdev);
	mockgpu_pci_announce(pdev, &config);
	return 0;
}

static void mockgpu_pci_remove(struct pci_dev *pdev)
{
	mockgpu_drv_unbind(pci_get_drvdata(pdev));
}

static struct pci_driver mockgpu_pci_driver = {
	.name = MOCKGPU_NAME,
	/* Whose device it is to be, root says: with an empty table nobody could. */
	.id_table = NULL,
	.probe = mockgpu_pci_probe,
	.remove = mockgpu_pci_remove,
	/* Not in .driver, where registration overwrites it. */
	.dev_groups = mockgpu_sysfs_groups,
	.driver = {
		.probe_type = PROBE_FORCE_SYNCHRONOUS,
		.pm = pm_sleep_ptr(&mockgpu_pm_ops),
	},
};

/**
 * mockgpu_pci_init() - from now on PCI devices can be bound
 * @config: what they are to be, stays
 *
 * Context: Module init.
 * Return: 0, or -ENOMEM.
 */
int mockgpu_pci_init(const struct mockgpu_config *config)
{
	mockgpu_pci_config = config;
	return pci_register_driver(&mockgpu_pci_driver);
}

/**
 * mockgpu_pci_exit() - unbind all of them
 *
 * Context: Module exit.
 */
void mockgpu_pci_exit(void)
{
	pci_unregister_driver(&mockgpu_pci_driver);
}
