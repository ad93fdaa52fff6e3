// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A driver for a device that adds up bytes of a process, to show how little it
 * takes to let a device see a process's memory. Who opens the render node lets
 * it see his.
 *
 * This source knows nothing of a backport: it is written for Linux 7.3.
 */
#include <linux/dma-mapping.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/platform_device.h>

#include <drm/drm.h>
#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_ioctl.h>

#include "svmsum_drm.h"
#include "vm.h"

static int svmsum_open(struct drm_device *drm, struct drm_file *file)
{
	struct svmsum_vm *vm = svmsum_vm_create(drm);

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	file->driver_priv = vm;
	return 0;
}

static void svmsum_postclose(struct drm_device *drm, struct drm_file *file)
{
	svmsum_vm_destroy(file->driver_priv);
}

static int svmsum_sum_ioctl(struct drm_device *drm, void *data,
			    struct drm_file *file)
{
	struct drm_svmsum_sum *args = data;

	return svmsum_vm_sum(file->driver_priv, args->addr, args->size,
			     &args->sum);
}

static int svmsum_state_ioctl(struct drm_device *drm, void *data,
			      struct drm_file *file)
{
	svmsum_vm_state(file->driver_priv, data);
	return 0;
}

static const struct drm_ioctl_desc svmsum_ioctls[] = {
	DRM_IOCTL_DEF_DRV(SVMSUM_SUM, svmsum_sum_ioctl, DRM_RENDER_ALLOW),
	DRM_IOCTL_DEF_DRV(SVMSUM_STATE, svmsum_state_ioctl, DRM_RENDER_ALLOW),
};

static const struct file_operations svmsum_fops = {
	.owner = THIS_MODULE,
	.open = drm_open,
	.release = drm_release,
	.unlocked_ioctl = drm_ioctl,
	.compat_ioctl = drm_compat_ioctl,
	.llseek = noop_llseek,
#ifdef FOP_UNSIGNED_OFFSET
	.fop_flags = FOP_UNSIGNED_OFFSET,
#endif
};

static const struct drm_driver svmsum_drm_driver = {
	.driver_features = DRIVER_RENDER,
	.open = svmsum_open,
	.postclose = svmsum_postclose,
	.ioctls = svmsum_ioctls,
	.num_ioctls = ARRAY_SIZE(svmsum_ioctls),
	.fops = &svmsum_fops,
	.name = KBUILD_MODNAME,
	.desc = "adds up bytes of a process",
	.major = 1,
};

static void svmsum_unregister(void *drm)
{
	drm_dev_unregister(drm);
}

struct svmsum_device {
	struct drm_device drm;
};

static int svmsum_probe(struct platform_device *pdev)
{
	struct svmsum_device *sum;
	int err;

	err = dma_set_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	sum = devm_drm_dev_alloc(&pdev->dev, &svmsum_drm_driver,
				 struct svmsum_device, drm);
	if (IS_ERR(sum))
		return PTR_ERR(sum);
	err = drm_dev_register(&sum->drm, 0);
	if (err)
		return err;
	return devm_add_action_or_reset(&pdev->dev, svmsum_unregister,
					&sum->drm);
}

/* The device is there for as long as the module, which open files hold. */
static struct platform_driver svmsum_driver = {
	.probe = svmsum_probe,
	.driver = {
		.name = KBUILD_MODNAME,
		.suppress_bind_attrs = true,
	},
};

static struct platform_device *svmsum_pdev;

static int __init svmsum_init(void)
{
	int err = platform_driver_register(&svmsum_driver);

	if (err)
		return err;
	svmsum_pdev = platform_device_register_simple(KBUILD_MODNAME,
						      PLATFORM_DEVID_NONE,
						      NULL, 0);
	if (IS_ERR(svmsum_pdev)) {
		platform_driver_unregister(&svmsum_driver);
		return PTR_ERR(svmsum_pdev);
	}
	return 0;
}

static void __exit svmsum_exit(void)
{
	platform_device_unregister(svmsum_pdev);
	platform_driver_unregister(&svmsum_driver);
}

module_init(svmsum_init);
module_exit(svmsum_exit);

MODULE_DESCRIPTION("Example: a device that adds up bytes of a process");
MODULE_AUTHOR("The drm-gpusvm-backport authors");
MODULE_LICENSE("Dual MIT/GPL");
