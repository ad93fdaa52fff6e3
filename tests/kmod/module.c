// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A driver that is nothing but a user of drm_gpusvm: who opens its file shares
 * the address space with two devices, and commands let a program see what that
 * does. The devices are the driver's own, or borrowed mock devices.
 */
#include <linux/dma-mapping.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>

#include <drm/drm_drv.h>

#include "space.h"

static const struct drm_driver gpusvm_test_driver = {
	.name = "gpusvm_test",
	.desc = "test of drm_gpusvm",
	.major = 1,
};

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "PCI device to be, as 0000:00:1e.0 (default: one of its own)");

static uint mask = 64;
module_param(mask, uint, 0444);
MODULE_PARM_DESC(mask, "Bits of a DMA address");

static struct platform_device *test_pdev;
struct device *test_device;
struct drm_device *test_drm;

static int test_open(struct inode *inode, struct file *filp)
{
	struct test_space *space = test_space_new();

	if (IS_ERR(space))
		return PTR_ERR(space);
	filp->private_data = space;
	return 0;
}

static int test_release(struct inode *inode, struct file *filp)
{
	test_space_close(filp->private_data);
	return 0;
}

static int test_call(struct test_space *space, unsigned int cmd,
		     struct gpusvm_test_args *args)
{
	switch (cmd) {
	case GPUSVM_TEST_FAULT:
		return test_fault(space, args);
	case GPUSVM_TEST_ACCESS:
		return test_access(space, args);
	case GPUSVM_TEST_REMOVE:
		return test_remove(space, args);
	case GPUSVM_TEST_SCAN:
		return test_look(space, args, false);
	case GPUSVM_TEST_EVICT:
		return test_look(space, args, true);
	case GPUSVM_TEST_BORROW:
		return test_borrow(space, args);
	case GPUSVM_TEST_INSPECT:
		return test_inspect(space, args);
	case GPUSVM_TEST_REACH:
		return test_reach(args);
	case GPUSVM_TEST_KEEP:
		return test_keep(space, args->addr);
	case GPUSVM_TEST_PAGES_ONLY:
		return test_pages_only(args);
	default:
		return -ENOTTY;
	}
}

static long test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct test_space *space = filp->private_data;
	void __user *user = (void __user *)arg;
	struct gpusvm_test_args args;
	int err;

	if (cmd == GPUSVM_TEST_COLLECT) {
		test_space_collect(space);
		return 0;
	}
	if (cmd == GPUSVM_TEST_LET_GO) {
		test_let_go();
		return 0;
	}
	if (cmd == GPUSVM_TEST_ARGUMENTS)
		return test_arguments_run();
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	err = test_call(space, cmd, &args);
	if (copy_to_user(user, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static const struct file_operations gpusvm_test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_release,
	.unlocked_ioctl = test_ioctl,
};

static struct miscdevice gpusvm_test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpusvm_test",
	.fops = &gpusvm_test_fops,
};

static struct device *test_device_get(void)
{
	if (device)
		return bus_find_device_by_name(&pci_bus_type, NULL, device);
	return get_device(&test_pdev->dev);
}

static int test_set_mask(void)
{
	u64 bits = DMA_BIT_MASK(mask);

	if (device)
		return dma_set_mask_and_coherent(test_device, bits);
	return dma_coerce_mask_and_coherent(test_device, bits);
}

static int test_register(void)
{
	int err = test_set_mask();

	if (err)
		return err;
	pr_info("check of DMA: %d\n",
		drm_gpusvm_backport_check_dma(test_device));
	test_drm = drm_dev_alloc(&gpusvm_test_driver, test_device);
	if (IS_ERR(test_drm))
		return PTR_ERR(test_drm);
	err = misc_register(&gpusvm_test_misc);
	if (err)
		drm_dev_put(test_drm);
	return err;
}

static int test_start(void)
{
	int err = -ENODEV;

	test_device = test_device_get();
	if (test_device)
		err = test_register();
	if (err)
		put_device(test_device);
	return err;
}

static int __init gpusvm_test_init(void)
{
	int err = test_spaces_init();

	if (err)
		return err;
	test_pdev = platform_device_register_simple("gpusvm_test", -1, NULL, 0);
	err = PTR_ERR_OR_ZERO(test_pdev);
	if (err)
		goto fini;
	err = test_start();
	if (!err)
		return 0;
	platform_device_unregister(test_pdev);
fini:
	test_spaces_fini();
	return err;
}

static void __exit gpusvm_test_exit(void)
{
	misc_deregister(&gpusvm_test_misc);
	test_let_go();
	drm_dev_put(test_drm);
	put_device(test_device);
	platform_device_unregister(test_pdev);
	test_spaces_fini();
}

module_init(gpusvm_test_init);
module_exit(gpusvm_test_exit);

MODULE_DESCRIPTION("Test of drm_gpusvm from a program");
MODULE_AUTHOR("The drm-gpusvm-backport authors");
MODULE_LICENSE("Dual MIT/GPL");
