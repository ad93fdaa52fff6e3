// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The module: from the configuration to the devices.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/panic.h>
#include <linux/platform_device.h>

#include "config.h"
#include "drv.h"
#include "exclusive.h"
#include "fault.h"
#include "fence.h"
#include "hw/hw.h"
#include "linger.h"
#include "pci.h"
#include "space.h"

static struct mockgpu_config mockgpu_config;
static struct platform_device *mockgpu_devices[MOCKGPU_MAX_DEVICES];

static void mockgpu_remove_devices(unsigned int count)
{
	while (count--)
		platform_device_unregister(mockgpu_devices[count]);
}

static struct platform_device *mockgpu_add_device(unsigned int index)
{
	struct mockgpu_device_config config;
	struct platform_device_info info = {
		.name = MOCKGPU_NAME,
		.id = index,
		.data = &config,
		.size_data = sizeof(config),
	};
	struct platform_device *pdev;

	mockgpu_config_device(&mockgpu_config, index, &config);
	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev))
		return pdev;

	/* The driver is there, so a device without one was refused by it. */
	if (!platform_get_drvdata(pdev)) {
		platform_device_unregister(pdev);
		return ERR_PTR(-ENODEV);
	}
	return pdev;
}

static int mockgpu_add_devices(void)
{
	struct platform_device *pdev;
	unsigned int i;

	for (i = 0; i < mockgpu_config.devices; i++) {
		pdev = mockgpu_add_device(i);
		if (IS_ERR(pdev)) {
			pr_err("device %u could not be made: %pe\n", i, pdev);
			mockgpu_remove_devices(i);
			return PTR_ERR(pdev);
		}
		mockgpu_devices[i] = pdev;
	}
	return 0;
}

static void mockgpu_announce(void)
{
	mockgpu_config_log(&mockgpu_config);
	if (!mockgpu_exclusive_supported())
		pr_info("no system-wide atomics but in coherent VRAM: the kernel cannot give a device pages for itself (CONFIG_DEVICE_PRIVATE)\n");
	if (!mockgpu_config.test_knobs)
		return;

	add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	pr_warn("test_knobs: devices fail when told to in debugfs; the kernel is tainted\n");
}

static int __init mockgpu_init(void)
{
	int ret;

	if (!mockgpu_hw_supported()) {
		pr_err("this kernel lets no driver replace the DMA API of a device (CONFIG_ARCH_HAS_DMA_OPS), which the IOMMU of a mock GPU needs: use another kernel\n");
		return -EOPNOTSUPP;
	}

	ret = mockgpu_config_build(&mockgpu_config);
	if (ret)
		return ret;

	ret = mockgpu_linger_init();
	if (ret)
		goto release;

	ret = mockgpu_space_module_init();
	if (ret)
		goto end_linger;

	ret = platform_driver_register(&mockgpu_platform_driver);
	if (ret)
		goto end_space;

	ret = mockgpu_add_devices();
	if (ret)
		goto unregister;

	ret = mockgpu_pci_init(&mockgpu_config);
	if (ret)
		goto remove;

	mockgpu_announce();
	return 0;

remove:
	mockgpu_remove_devices(mockgpu_config.devices);
unregister:
	platform_driver_unregister(&mockgpu_platform_driver);
	mockgpu_fault_module_exit();
	mockgpu_fence_module_exit();
end_space:
	mockgpu_space_module_exit();
end_linger:
	mockgpu_linger_exit();
release:
	mockgpu_config_release(&mockgpu_config);
	return ret;
}

static void __exit mockgpu_exit(void)
{
	mockgpu_pci_exit();
	mockgpu_remove_devices(mockgpu_config.devices);
	platform_driver_unregister(&mockgpu_platform_driver);
	mockgpu_fault_module_exit();
	mockgpu_fence_module_exit();
	mockgpu_space_module_exit();
	mockgpu_linger_exit();
	mockgpu_config_release(&mockgpu_config);
}

module_init(mockgpu_init);
module_exit(mockgpu_exit);

MODULE_DESCRIPTION("DRM driver for a GPU that does not exist, to test shared virtual memory");
MODULE_AUTHOR("drm-gpusvm-backport maintainers");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(GSB_VERSION);
