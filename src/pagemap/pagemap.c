// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Life of a drm_pagemap: a counted object that keeps its device and the
 * device's module.
 *
 * The last reference can go in atomic context, in reclaim, or inside code of
 * the very module it keeps. So a hold is only ever released by a worker, and
 * our module exit waits for that worker. No locks; the list is lockless.
 */
#include <linux/kernel.h>
#include <linux/llist.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_pagemap_util.h>

#include "compat/compat.h"
#include "drain.h"
#include "pagemap.h"
#include "../stats.h"

struct drm_pagemap_dev_hold {
	struct llist_node node;
	struct drm_device *drm;
	struct module *owner;
};

static void gsb_holds_release(struct work_struct *work);

static LLIST_HEAD(gsb_dead_holds);
static DECLARE_WORK(gsb_holds_work, gsb_holds_release);

static void gsb_holds_release(struct work_struct *work)
{
	struct llist_node *list = llist_del_all(&gsb_dead_holds);
	struct drm_pagemap_dev_hold *hold, *next;

	llist_for_each_entry_safe(hold, next, list, node) {
		struct module *owner = hold->owner;

		drm_dev_put(hold->drm);
		kfree(hold);
		gsb_stat_sub(GSB_STAT_LIVE_HOLDS, 1);
		module_put(owner);
	}
}

static struct drm_pagemap_dev_hold *gsb_hold_create(struct drm_device *drm)
{
	struct drm_pagemap_dev_hold *hold;

	hold = kzalloc_obj(*hold);
	if (!hold)
		return ERR_PTR(-ENOMEM);

	hold->owner = drm->driver->fops->owner;
	if (!try_module_get(hold->owner)) {
		kfree(hold);
		return ERR_PTR(-ENODEV);
	}
	drm_dev_get(drm);
	hold->drm = drm;
	gsb_stat_add(GSB_STAT_LIVE_HOLDS, 1);
	return hold;
}

static void gsb_hold_release(struct drm_pagemap_dev_hold *hold)
{
	if (llist_add(&hold->node, &gsb_dead_holds))
		schedule_work(&gsb_holds_work);
}

/* Called once no provider is left: each hold keeps its provider loaded. */
void gsb_pagemap_flush(void)
{
	flush_work(&gsb_holds_work);
}

/**
 * drm_pagemap_init() - make a pagemap object with one reference
 * @dpagemap: memory for it, embedded in an object of the driver
 * @pagemap: the pages, with the ops of drm_pagemap_pagemap_ops_get()
 * @drm: device that has the memory; held until the object has died
 * @ops: what the driver can do; @ops->destroy must be set
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, or -ENODEV when the device's module is on its way out.
 */
int drm_pagemap_init(struct drm_pagemap *dpagemap, struct dev_pagemap *pagemap,
		     struct drm_device *drm, const struct drm_pagemap_ops *ops)
{
	*dpagemap = (struct drm_pagemap) {
		.ops = ops,
		.drm = drm,
		.pagemap = pagemap,
	};
	INIT_LIST_HEAD(&dpagemap->shrink_link);
	return drm_pagemap_reinit(dpagemap);
}
EXPORT_SYMBOL_GPL(drm_pagemap_init);

/**
 * drm_pagemap_reinit() - bring a dead object back with one reference
 * @dpagemap: object whose destroy callback has run
 *
 * The driver makes sure that only one caller does this at a time.
 *
 * Context: May sleep.
 * Return: 0, -ENOMEM, or -ENODEV when the device's module is on its way out.
 */
int drm_pagemap_reinit(struct drm_pagemap *dpagemap)
{
	struct drm_pagemap_dev_hold *hold = gsb_hold_create(dpagemap->drm);

	if (IS_ERR(hold))
		return PTR_ERR(hold);
	dpagemap->dev_hold = hold;
	kref_init(&dpagemap->ref);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_pagemap_reinit);

/**
 * drm_pagemap_destroy() - end a pagemap object
 * @dpagemap: object without references; may be freed or revived on return
 * @is_atomic_or_reclaim: sleeping and allocating are out of the question
 *
 * Context: Any if @is_atomic_or_reclaim, else may sleep.
 */
void drm_pagemap_destroy(struct drm_pagemap *dpagemap,
			 bool is_atomic_or_reclaim)
{
	if (!is_atomic_or_reclaim) {
		dpagemap->ops->destroy(dpagemap, false);
		return;
	}
	/* A callback that sleeps is found even where it could have. */
	non_block_start();
	dpagemap->ops->destroy(dpagemap, true);
	non_block_end();
}
EXPORT_SYMBOL_GPL(drm_pagemap_destroy);

/*
 * An idle pagemap in a cache does not keep its module either: what destroys it
 * later, the shrinker or the device's unbinding, runs while that is loaded.
 */
static void gsb_pagemap_last_put(struct kref *ref)
{
	struct drm_pagemap *dpagemap =
		container_of(ref, struct drm_pagemap, ref);
	/* Either call may hand the object to its next user at once. */
	struct drm_pagemap_dev_hold *hold = dpagemap->dev_hold;

	if (dpagemap->cache)
		drm_pagemap_shrinker_add(dpagemap);
	else
		drm_pagemap_destroy(dpagemap, true);
	gsb_hold_release(hold);
}

/**
 * drm_pagemap_put() - drop a reference
 * @dpagemap: the object, or NULL
 *
 * Context: Any; the last reference may go under a spinlock, in an interrupt
 * or in reclaim.
 */
void drm_pagemap_put(struct drm_pagemap *dpagemap)
{
	if (!dpagemap)
		return;
	drm_pagemap_shrinker_might_lock(dpagemap);
	kref_put(&dpagemap->ref, gsb_pagemap_last_put);
}
EXPORT_SYMBOL_GPL(drm_pagemap_put);

/**
 * gsb_pagemap_pfns_from() - how many frames are the pagemap's, from one on?
 * @dpagemap: the pagemap
 * @pfn: any page frame number
 *
 * Context: Any.
 * Return: Pages from @pfn to the end of the range of the pagemap that has it; 0 if
 * none has.
 */
unsigned long gsb_pagemap_pfns_from(const struct drm_pagemap *dpagemap,
				    unsigned long pfn)
{
	const struct dev_pagemap *pagemap = dpagemap->pagemap;
	int i;

	for (i = 0; i < pagemap->nr_range; i++)
		if (pfn >= PHYS_PFN(pagemap->ranges[i].start) &&
		    pfn <= PHYS_PFN(pagemap->ranges[i].end))
			return PHYS_PFN(pagemap->ranges[i].end) - pfn + 1;
	return 0;
}

/* One call of drm_pagemap_populate_mm(). */
struct gsb_populate {
	struct drm_pagemap *provider;
	struct mm_struct *mm;
	unsigned long first;
	unsigned long end;
	unsigned long keep_ms;
};

static int gsb_populate_bound(const struct gsb_populate *call)
{
	struct drm_pagemap *provider = call->provider;
	int err, idx;

	if (!drm_dev_enter(provider->drm, &idx))
		return -ENODEV;
	err = provider->ops->populate_mm(provider, call->first, call->end,
					 call->mm, call->keep_ms);
	drm_dev_exit(idx);
	return err;
}

static int gsb_populate_locked(const struct gsb_populate *call)
{
	int err;

	if (mmap_read_lock_killable(call->mm))
		return -EINTR;
	err = gsb_populate_bound(call);
	mmap_read_unlock(call->mm);
	return err;
}

/**
 * drm_pagemap_populate_mm() - fill a part of an address space with device memory
 * @provider: pagemap to fill it from
 * @first: first user address, page aligned
 * @end: user address behind the last byte, page aligned
 * @mm: the address space; a user reference is taken for the call
 * @keep_ms: how long pages stay at least before the CPU may have them, ms
 *
 * Best effort: what was moved may already be on its way back on return.
 *
 * Context: May sleep; mmap_lock is taken for reading. The user reference is
 * dropped from a worker, so the caller may hold any lock that nests outside
 * of mmap_lock.
 * Return: 0; -EINVAL for a bad range; -EOPNOTSUPP when the provider cannot
 * populate; -EFAULT when the address space is gone; -EINTR when killed;
 * -ENODEV when the device is unbound; else what the provider returned.
 */
int drm_pagemap_populate_mm(struct drm_pagemap *provider, unsigned long first,
			    unsigned long end, struct mm_struct *mm,
			    unsigned long keep_ms)
{
	const struct gsb_populate call = {
		.provider = provider,
		.mm = mm,
		.first = first,
		.end = end,
		.keep_ms = keep_ms,
	};
	int err;

	if (!PAGE_ALIGNED(first | end) || first >= end)
		return -EINVAL;
	if (!provider->ops->populate_mm)
		return -EOPNOTSUPP;
	if (!mmget_not_zero(mm))
		return -EFAULT;

	err = gsb_drain_attach(mm);
	if (!err)
		err = gsb_populate_locked(&call);
	mmput_async(mm);
	return err;
}
EXPORT_SYMBOL_GPL(drm_pagemap_populate_mm);
