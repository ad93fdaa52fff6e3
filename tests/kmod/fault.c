// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What a driver does with the ranges of its address spaces. */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/sizes.h>

#include <drm/drm_drv.h>
#include <drm/drm_file.h>

#include "device.h"
#include "space.h"

/* How device @i means it. */
static struct drm_gpusvm_ctx test_ctx(const struct test_space *space,
				      const struct gpusvm_test_args *args,
				      int i)
{
	return (struct drm_gpusvm_ctx){
		.read_only = !!(args->flags & GPUSVM_TEST_READ_ONLY),
		.check_pages_threshold =
			args->flags & GPUSVM_TEST_WHOLE ? 0 : SZ_64K,
		.devmem_only = !!(args->flags & GPUSVM_TEST_DEVMEM_ONLY),
		.allow_mixed = !!(args->flags & GPUSVM_TEST_MIXED),
		.allow_multiple = !!(args->flags & GPUSVM_TEST_MULTIPLE),
		.device_private_page_owner =
			args->flags & GPUSVM_TEST_OWNER ?
				space->devices[i].owner : NULL,
		.take_ref = true,
	};
}

static int test_get_pages(struct drm_gpusvm_range *base,
			  const struct gpusvm_test_args *args, int i)
{
	struct drm_gpusvm *gpusvm = base->gpusvm;
	const struct drm_gpusvm_ctx ctx =
		test_ctx(to_test_space(gpusvm), args, i);

	return drm_gpusvm_get_pages(gpusvm, &to_test_range(base)->pages[i],
				    gpusvm->mm, &base->notifier->notifier,
				    drm_gpusvm_range_start(base),
				    drm_gpusvm_range_end(base), &ctx);
}

static int test_get_all(struct drm_gpusvm_range *base,
			struct gpusvm_test_args *args)
{
	struct test_range *range = to_test_range(base);
	int i, err = 0;

	args->start = drm_gpusvm_range_start(base);
	args->size = drm_gpusvm_range_size(base);
	mutex_lock(&range->lock);
	if (range->removed)
		err = -EAGAIN;
	for (i = 0; i < GPUSVM_TEST_DEVICES && !err; i++)
		err = test_get_pages(base, args, i);
	mutex_unlock(&range->lock);
	return err;
}

static int test_fault_locked(struct test_space *space,
			     struct gpusvm_test_args *args)
{
	const struct drm_gpusvm_ctx ctx = test_ctx(space, args, 0);
	struct drm_gpusvm_range *range;
	int err;

	range = drm_gpusvm_range_find_or_insert(&space->gpusvm, args->addr,
						args->window_start,
						args->window_end ?: ULONG_MAX,
						&ctx);
	if (IS_ERR(range))
		return PTR_ERR(range);
	/* What was unmapped is in the way of what is there now. */
	if (READ_ONCE(range->flags.__flags) && range->flags.unmapped) {
		drm_gpusvm_range_remove(&space->gpusvm, range);
		err = -EAGAIN;
	} else {
		err = test_get_all(range, args);
	}
	drm_gpusvm_range_put(range);
	return err;
}

int test_fault(struct test_space *space, struct gpusvm_test_args *args)
{
	int err;

	if (args->flags & GPUSVM_TEST_PARALLEL)
		return test_fault_locked(space, args);
	mutex_lock(&space->lock);
	err = test_fault_locked(space, args);
	mutex_unlock(&space->lock);
	return err;
}

/* No range is there yet, so nobody looks at the devices. */
int test_borrow(struct test_space *space, const struct gpusvm_test_args *args)
{
	struct file *file = fget(args->fd);
	struct mockgpu_device *mdev;
	struct test_device *slot;
	struct drm_file *priv;

	if (!file)
		return -EBADF;
	if (args->device < GPUSVM_TEST_DEVICES) {
		priv = file->private_data;
		mdev = mockgpu_device_from_drm(priv->minor->dev);
		slot = &space->devices[args->device];
		slot->owner = mdev->vram.peer.owner;
		if (!(args->flags & GPUSVM_TEST_REACH_ONLY)) {
			drm_dev_get(&mdev->drm);
			drm_dev_put(slot->drm);
			slot->drm = &mdev->drm;
		}
	}
	fput(file);
	return args->device < GPUSVM_TEST_DEVICES ? 0 : -EINVAL;
}

static struct drm_gpusvm_range *test_find_get(struct test_space *space,
					      unsigned long addr)
{
	struct drm_gpusvm_range *range;

	drm_gpusvm_notifier_lock(&space->gpusvm);
	range = test_find(space, addr);
	if (range)
		drm_gpusvm_range_get(range);
	drm_gpusvm_notifier_unlock(&space->gpusvm);
	return range;
}

/* Nobody maps anything of it between the two steps. */
static void test_remove_range(struct test_space *space,
			      struct test_range *range)
{
	mutex_lock(&range->lock);
	range->removed = true;
	test_range_unmap(&range->base, false);
	drm_gpusvm_range_remove(&space->gpusvm, &range->base);
	mutex_unlock(&range->lock);
}

int test_remove(struct test_space *space, struct gpusvm_test_args *args)
{
	struct drm_gpusvm_range *range = test_find_get(space, args->addr);

	if (!range)
		return -ENXIO;
	if (!(args->flags & GPUSVM_TEST_PARALLEL))
		mutex_lock(&space->lock);
	test_remove_range(space, to_test_range(range));
	if (!(args->flags & GPUSVM_TEST_PARALLEL))
		mutex_unlock(&space->lock);
	drm_gpusvm_range_put(range);
	return 0;
}

/* A range that somebody has a reference on, and on nothing else. */
static struct drm_gpusvm_range *test_kept;

int test_keep(struct test_space *space, unsigned long addr)
{
	struct drm_gpusvm_range *range = test_find_get(space, addr);

	if (!range)
		return -ENXIO;
	if (!cmpxchg(&test_kept, NULL, range))
		return 0;
	drm_gpusvm_range_put(range);
	return -EBUSY;
}

void test_let_go(void)
{
	struct drm_gpusvm_range *range = xchg(&test_kept, NULL);

	if (range)
		drm_gpusvm_range_put(range);
}

int test_look(struct test_space *space, struct gpusvm_test_args *args,
	      bool evict)
{
	struct drm_gpusvm_range *range = test_find_get(space, args->addr);
	int err = 0;

	if (!range)
		return -ENXIO;
	if (evict)
		err = drm_gpusvm_range_evict(&space->gpusvm, range);
	else
		args->result = drm_gpusvm_scan_mm(range, space->devices[0].owner,
						  NULL);
	drm_gpusvm_range_put(range);
	return err;
}
