// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The ranges of an address space, made, invalidated and collected. */
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_drv.h>

#include "space.h"

static uint trouble;
module_param(trouble, uint, 0644);
MODULE_PARM_DESC(trouble, "What goes wrong: GPUSVM_TEST_RANGE_NULL and so on");

const unsigned long test_chunks[] = { SZ_2M, SZ_64K, SZ_4K };

static struct workqueue_struct *test_wq;

int test_spaces_init(void)
{
	test_wq = alloc_workqueue("gpusvm_test", WQ_UNBOUND, 0);
	return test_wq ? 0 : -ENOMEM;
}

void test_spaces_fini(void)
{
	destroy_workqueue(test_wq);
}

static struct drm_gpusvm_notifier *test_notifier_alloc(void)
{
	if (trouble & GPUSVM_TEST_NOTIFIER_NULL)
		return NULL;
	if (trouble & GPUSVM_TEST_NOTIFIER_ERROR)
		return ERR_PTR(-ENOMEM);
	return kzalloc(sizeof(struct drm_gpusvm_notifier), GFP_KERNEL);
}

static void test_notifier_free(struct drm_gpusvm_notifier *notifier)
{
	kfree(notifier);
}

/* Ranges keep their space, which so may end with the last of them. */
static void test_space_free(struct kref *ref)
{
	struct test_space *space = container_of(ref, struct test_space, refs);
	int i;

	for (i = 0; i < GPUSVM_TEST_DEVICES; i++)
		drm_dev_put(space->devices[i].drm);
	kfree(space);
}

static struct drm_gpusvm_range *test_range_alloc(struct drm_gpusvm *gpusvm)
{
	struct test_range *range;
	int i;

	if (trouble & GPUSVM_TEST_RANGE_NULL)
		return NULL;
	if (trouble & GPUSVM_TEST_RANGE_ERROR)
		return ERR_PTR(-ENOMEM);
	range = kzalloc(sizeof(*range), GFP_KERNEL);
	if (!range)
		return NULL;
	mutex_init(&range->lock);
	INIT_LIST_HEAD(&range->dead);
	for (i = 0; i < GPUSVM_TEST_DEVICES; i++)
		drm_gpusvm_init_pages(&range->pages[i],
				      to_test_space(gpusvm)->devices[i].drm);
	kref_get(&to_test_space(gpusvm)->refs);
	return &range->base;
}

static void test_range_free(struct drm_gpusvm_range *base)
{
	struct test_space *space = to_test_space(base->gpusvm);
	struct test_range *range = to_test_range(base);
	int i;

	for (i = 0; i < GPUSVM_TEST_DEVICES; i++)
		drm_gpusvm_free_pages(base->gpusvm, &range->pages[i],
				      test_range_pages(base));
	kfree(range);
	kref_put(&space->refs, test_space_free);
}

void test_range_unmap(struct drm_gpusvm_range *base, bool in_notifier)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = in_notifier };
	struct test_range *range = to_test_range(base);
	int i;

	for (i = 0; i < GPUSVM_TEST_DEVICES; i++)
		drm_gpusvm_unmap_pages(base->gpusvm, &range->pages[i],
				       test_range_pages(base), &ctx);
}

/* Its last reference must not go here, so a worker does the rest. */
static void test_bury(struct drm_gpusvm_range *base)
{
	struct test_space *space = to_test_space(base->gpusvm);
	struct test_range *range = to_test_range(base);

	if (trouble & GPUSVM_TEST_NO_COLLECT)
		return;
	spin_lock(&space->dead_lock);
	if (list_empty(&range->dead) && !space->closed) {
		drm_gpusvm_range_get(base);
		list_add_tail(&range->dead, &space->dead);
		queue_work(test_wq, &space->collect);
	}
	spin_unlock(&space->dead_lock);
}

static void test_check_unmapped(const struct test_range *range)
{
	int i;

	WARN_ON(!range->base.flags.unmapped);
	for (i = 0; i < GPUSVM_TEST_DEVICES; i++)
		WARN_ON(!range->pages[i].flags.unmapped);
}

static void test_invalidate(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_notifier *notifier,
			    const struct mmu_notifier_range *event)
{
	struct drm_gpusvm_range *range = NULL;

	drm_gpusvm_for_each_range(range, notifier, event->start, event->end) {
		test_range_unmap(range, true);
		if (event->event != MMU_NOTIFY_UNMAP)
			continue;
		drm_gpusvm_range_set_unmapped(range,
					      to_test_range(range)->pages,
					      GPUSVM_TEST_DEVICES, event);
		test_check_unmapped(to_test_range(range));
		test_bury(range);
	}
}

const struct drm_gpusvm_ops test_ops = {
	.notifier_alloc = test_notifier_alloc,
	.notifier_free = test_notifier_free,
	.range_alloc = test_range_alloc,
	.range_free = test_range_free,
	.invalidate = test_invalidate,
};

static struct test_range *test_next_dead(struct test_space *space)
{
	struct test_range *range;

	spin_lock(&space->dead_lock);
	range = list_first_entry_or_null(&space->dead, struct test_range, dead);
	if (range)
		list_del_init(&range->dead);
	spin_unlock(&space->dead_lock);
	return range;
}

static void test_collect(struct test_space *space)
{
	struct test_range *range;

	while ((range = test_next_dead(space))) {
		mutex_lock(&space->lock);
		drm_gpusvm_range_remove(&space->gpusvm, &range->base);
		mutex_unlock(&space->lock);
		drm_gpusvm_range_put(&range->base);
	}
}

static void test_collect_work(struct work_struct *work)
{
	test_collect(container_of(work, struct test_space, collect));
}

void test_space_collect(struct test_space *space)
{
	flush_work(&space->collect);
}

static void test_devices_init(struct test_space *space)
{
	int i;

	for (i = 0; i < GPUSVM_TEST_DEVICES; i++) {
		drm_dev_get(test_drm);
		space->devices[i].drm = test_drm;
	}
}

struct test_space *test_space_new(void)
{
	struct test_space *space = kzalloc(sizeof(*space), GFP_KERNEL);
	int err;

	if (!space)
		return ERR_PTR(-ENOMEM);
	kref_init(&space->refs);
	mutex_init(&space->lock);
	spin_lock_init(&space->dead_lock);
	INIT_LIST_HEAD(&space->dead);
	INIT_WORK(&space->collect, test_collect_work);
	err = drm_gpusvm_init(&space->gpusvm, "test", current->mm, SZ_64K,
			      BIT(47) - SZ_64K, SZ_512M, &test_ops,
			      test_chunks, ARRAY_SIZE(test_chunks));
	if (err) {
		kfree(space);
		return ERR_PTR(err);
	}
	test_devices_init(space);
	return space;
}

void test_space_close(struct test_space *space)
{
	spin_lock(&space->dead_lock);
	space->closed = true;
	spin_unlock(&space->dead_lock);
	flush_work(&space->collect);
	test_collect(space);

	mutex_lock(&space->lock);
	drm_gpusvm_fini(&space->gpusvm);
	mutex_unlock(&space->lock);
	kref_put(&space->refs, test_space_free);
}
