// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A pagemap nobody uses waits in its cache for the next user, or for memory
 * pressure, whichever comes first.
 *
 * Lock order: cache->lookup (mutex, the driver's look-up and creation) ->
 * shrinker->lock (spinlock). The spinlock protects the state of all caches of
 * one shrinker and is taken with interrupts off, since the last reference to a
 * pagemap can be dropped in one. A pagemap is destroyed with no lock held.
 *
 * A pagemap outlives the device's binding if a process still has its pages, so
 * the objects here are counted: a pagemap keeps its cache, a cache its
 * shrinker, whatever the device's managed resources did meanwhile.
 */
#include <linux/device.h>
#include <linux/kref.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include <drm/drm_device.h>
#include <drm/drm_pagemap.h>
#include <drm/drm_pagemap_util.h>

#include "compat/compat.h"
#include "compat/shrinker.h"

struct drm_pagemap_shrinker {
	struct kref ref;
	struct drm_device *drm;
	struct shrinker *shrinker;
	spinlock_t lock;		/* of this list and all its caches */
	struct list_head idle;		/* dpagemap->shrink_link */
	unsigned long nr_idle;
};

enum gsb_cache_state {
	GSB_CACHE_EMPTY,
	GSB_CACHE_ACTIVE,	/* in use, or its last user is just leaving */
	GSB_CACHE_IDLE,		/* on the shrinker's list */
	GSB_CACHE_DYING,	/* being destroyed */
};

struct drm_pagemap_cache {
	struct kref ref;
	struct drm_pagemap_shrinker *shrinker;
	struct mutex lookup;		/* one look-up or creation at a time */
	wait_queue_head_t changed;
	/* below: under shrinker->lock */
	struct drm_pagemap *dpagemap;
	enum gsb_cache_state state;
	bool gone;		/* the device was unbound: keep nothing */
};

static void gsb_shrinker_free(struct kref *ref)
{
	kfree(container_of(ref, struct drm_pagemap_shrinker, ref));
}

static void gsb_cache_free(struct kref *ref)
{
	struct drm_pagemap_cache *cache =
		container_of(ref, struct drm_pagemap_cache, ref);

	kref_put(&cache->shrinker->ref, gsb_shrinker_free);
	kfree(cache);
}

static void gsb_cache_take_idle(struct drm_pagemap_cache *cache,
				enum gsb_cache_state next)
{
	lockdep_assert_held(&cache->shrinker->lock);
	list_del_init(&cache->dpagemap->shrink_link);
	cache->shrinker->nr_idle--;
	cache->state = next;
}

/* The pagemap is nobody's any more: no reference, and not on the list. */
static void gsb_cache_kill(struct drm_pagemap_cache *cache,
			   struct drm_pagemap *dpagemap, bool atomic_or_reclaim)
{
	unsigned long flags;

	drm_pagemap_destroy(dpagemap, atomic_or_reclaim);

	spin_lock_irqsave(&cache->shrinker->lock, flags);
	cache->dpagemap = NULL;
	cache->state = GSB_CACHE_EMPTY;
	wake_up_all(&cache->changed);
	spin_unlock_irqrestore(&cache->shrinker->lock, flags);
	kref_put(&cache->ref, gsb_cache_free);
}

/* Returns false when the cache keeps nothing any more. */
static bool gsb_cache_park(struct drm_pagemap_cache *cache,
			   struct drm_pagemap *dpagemap)
{
	struct drm_pagemap_shrinker *to = cache->shrinker;
	unsigned long flags;
	bool keep;

	spin_lock_irqsave(&to->lock, flags);
	keep = !cache->gone;
	cache->state = keep ? GSB_CACHE_IDLE : GSB_CACHE_DYING;
	if (keep) {
		to->nr_idle++;
		list_add_tail(&dpagemap->shrink_link, &to->idle);
		wake_up_all(&cache->changed);
	}
	spin_unlock_irqrestore(&to->lock, flags);
	return keep;
}

/**
 * drm_pagemap_shrinker_add() - the last user of a cached pagemap has left
 * @dpagemap: pagemap with a cache and without references
 *
 * Called by drm_pagemap_put(). The pagemap becomes idle; if its device was
 * unbound meanwhile it is destroyed.
 *
 * Context: Any.
 */
void drm_pagemap_shrinker_add(struct drm_pagemap *dpagemap)
{
	struct drm_pagemap_cache *cache = dpagemap->cache;

	if (!gsb_cache_park(cache, dpagemap))
		gsb_cache_kill(cache, dpagemap, true);
}
EXPORT_SYMBOL_GPL(drm_pagemap_shrinker_add);

#ifdef CONFIG_PROVE_LOCKING
/**
 * drm_pagemap_shrinker_might_lock() - tell lockdep what the last put would take
 * @dpagemap: pagemap, with a cache or without
 *
 * Context: Any.
 */
void drm_pagemap_shrinker_might_lock(struct drm_pagemap *dpagemap)
{
	unsigned long flags;

	if (!dpagemap->cache)
		return;
	/* As it would really be taken: the last put can be in an interrupt. */
	local_irq_save(flags);
	might_lock(&dpagemap->cache->shrinker->lock);
	local_irq_restore(flags);
}
EXPORT_SYMBOL_GPL(drm_pagemap_shrinker_might_lock);
#endif

/* Take one idle pagemap away from look-ups. The cache is kept by it. */
static struct drm_pagemap *gsb_shrinker_pick(struct drm_pagemap_shrinker *shrinker)
{
	struct drm_pagemap *dpagemap;
	unsigned long flags;

	spin_lock_irqsave(&shrinker->lock, flags);
	dpagemap = list_first_entry_or_null(&shrinker->idle, struct drm_pagemap,
					    shrink_link);
	if (dpagemap)
		gsb_cache_take_idle(dpagemap->cache, GSB_CACHE_DYING);
	spin_unlock_irqrestore(&shrinker->lock, flags);
	return dpagemap;
}

static unsigned long gsb_shrinker_scan(void *private, unsigned long nr_to_scan)
{
	struct drm_pagemap *dpagemap;
	unsigned long freed = 0;

	while (freed < nr_to_scan && (dpagemap = gsb_shrinker_pick(private))) {
		gsb_cache_kill(dpagemap->cache, dpagemap, true);
		freed++;
	}
	return freed;
}

static unsigned long gsb_shrinker_count(void *private)
{
	struct drm_pagemap_shrinker *shrinker = private;

	return READ_ONCE(shrinker->nr_idle);
}

static void gsb_shrinker_devm_release(void *data)
{
	struct drm_pagemap_shrinker *shrinker = data;

	gsb_shrinker_destroy(shrinker->shrinker);
	kref_put(&shrinker->ref, gsb_shrinker_free);
}

/**
 * drm_pagemap_shrinker_create_devm() - a list of idle pagemaps under pressure
 * @drm: device; the shrinker goes when the device is unbound
 *
 * Context: May sleep.
 * Return: The shrinker, or ERR_PTR(-ENOMEM).
 */
struct drm_pagemap_shrinker *
drm_pagemap_shrinker_create_devm(struct drm_device *drm)
{
	struct drm_pagemap_shrinker *shrinker;
	int err;

	shrinker = kzalloc_obj(*shrinker);
	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	kref_init(&shrinker->ref);
	shrinker->drm = drm;
	spin_lock_init(&shrinker->lock);
	INIT_LIST_HEAD(&shrinker->idle);

	shrinker->shrinker = gsb_shrinker_create("drm-pagemap",
						 gsb_shrinker_count,
						 gsb_shrinker_scan, shrinker);
	if (!shrinker->shrinker) {
		kfree(shrinker);
		return ERR_PTR(-ENOMEM);
	}

	err = devm_add_action_or_reset(drm->dev, gsb_shrinker_devm_release,
				       shrinker);
	return err ? ERR_PTR(err) : shrinker;
}
EXPORT_SYMBOL_GPL(drm_pagemap_shrinker_create_devm);

static bool gsb_cache_settled(struct drm_pagemap_cache *cache)
{
	return READ_ONCE(cache->state) != GSB_CACHE_DYING;
}

/* Look-ups may still run in other threads' hands: only mark, and empty. */
static void gsb_cache_devm_release(void *data)
{
	struct drm_pagemap_cache *cache = data;
	struct drm_pagemap *idle = NULL;
	unsigned long flags;

	spin_lock_irqsave(&cache->shrinker->lock, flags);
	cache->gone = true;
	if (cache->state == GSB_CACHE_IDLE) {
		idle = cache->dpagemap;
		gsb_cache_take_idle(cache, GSB_CACHE_DYING);
	}
	spin_unlock_irqrestore(&cache->shrinker->lock, flags);

	if (idle)
		gsb_cache_kill(cache, idle, false);
	wait_event(cache->changed, gsb_cache_settled(cache));
	kref_put(&cache->ref, gsb_cache_free);
}

/**
 * drm_pagemap_cache_create_devm() - a place for one idle pagemap
 * @shrinker: frees it under memory pressure
 *
 * The cache belongs to the device of the shrinker. When that is unbound an
 * idle pagemap is destroyed, one in use will be with its last reference.
 *
 * Context: May sleep.
 * Return: The cache, or ERR_PTR(-ENOMEM).
 */
struct drm_pagemap_cache *
drm_pagemap_cache_create_devm(struct drm_pagemap_shrinker *shrinker)
{
	struct drm_pagemap_cache *cache;
	int err;

	cache = kzalloc_obj(*cache);
	if (!cache)
		return ERR_PTR(-ENOMEM);
	kref_init(&cache->ref);
	mutex_init(&cache->lookup);
	init_waitqueue_head(&cache->changed);
	kref_get(&shrinker->ref);
	cache->shrinker = shrinker;

	err = devm_add_action_or_reset(shrinker->drm->dev,
				       gsb_cache_devm_release, cache);
	return err ? ERR_PTR(err) : cache;
}
EXPORT_SYMBOL_GPL(drm_pagemap_cache_create_devm);

/**
 * drm_pagemap_cache_lock_lookup() - exclude other look-ups and creations
 * @cache: the cache
 *
 * Context: May sleep.
 * Return: 0, or -EINTR on a signal.
 */
int drm_pagemap_cache_lock_lookup(struct drm_pagemap_cache *cache)
{
	return mutex_lock_interruptible(&cache->lookup);
}
EXPORT_SYMBOL_GPL(drm_pagemap_cache_lock_lookup);

/**
 * drm_pagemap_cache_unlock_lookup() - let others look up again
 * @cache: the cache
 *
 * Context: Any that may sleep.
 */
void drm_pagemap_cache_unlock_lookup(struct drm_pagemap_cache *cache)
{
	mutex_unlock(&cache->lookup);
}
EXPORT_SYMBOL_GPL(drm_pagemap_cache_unlock_lookup);

/**
 * drm_pagemap_cache_set_pagemap() - give a new pagemap its cache
 * @cache: empty cache, look-up lock held
 * @dpagemap: pagemap with a reference that is the caller's
 *
 * Context: May sleep.
 */
void drm_pagemap_cache_set_pagemap(struct drm_pagemap_cache *cache,
				   struct drm_pagemap *dpagemap)
{
	unsigned long flags;

	lockdep_assert_held(&cache->lookup);
	if (WARN_ON_ONCE(cache->dpagemap))
		return;

	kref_get(&cache->ref);
	spin_lock_irqsave(&cache->shrinker->lock, flags);
	dpagemap->cache = cache;
	cache->dpagemap = dpagemap;
	cache->state = GSB_CACHE_ACTIVE;
	spin_unlock_irqrestore(&cache->shrinker->lock, flags);
}
EXPORT_SYMBOL_GPL(drm_pagemap_cache_set_pagemap);

/**
 * drm_pagemap_get_from_cache_if_active() - the cached pagemap, if it has users
 * @cache: the cache
 *
 * Context: Any.
 * Return: The pagemap with one more reference, or NULL.
 */
struct drm_pagemap *
drm_pagemap_get_from_cache_if_active(struct drm_pagemap_cache *cache)
{
	struct drm_pagemap *dpagemap = NULL;
	unsigned long flags;

	spin_lock_irqsave(&cache->shrinker->lock, flags);
	if (cache->state == GSB_CACHE_ACTIVE)
		dpagemap = drm_pagemap_get_unless_zero(cache->dpagemap);
	spin_unlock_irqrestore(&cache->shrinker->lock, flags);
	return dpagemap;
}
EXPORT_SYMBOL_GPL(drm_pagemap_get_from_cache_if_active);

/*
 * One look. Between the last put of a pagemap and its arrival on the idle
 * list, and while it is destroyed, there is nothing to do but wait.
 */
static bool gsb_cache_look(struct drm_pagemap_cache *cache,
			   struct drm_pagemap **found, bool *idle)
{
	unsigned long flags;
	bool settled = true;

	*found = NULL;
	*idle = false;
	spin_lock_irqsave(&cache->shrinker->lock, flags);
	switch (cache->state) {
	case GSB_CACHE_EMPTY:
		break;
	case GSB_CACHE_ACTIVE:
		*found = drm_pagemap_get_unless_zero(cache->dpagemap);
		settled = *found;
		break;
	case GSB_CACHE_IDLE:
		*found = cache->dpagemap;
		*idle = true;
		gsb_cache_take_idle(cache, GSB_CACHE_ACTIVE);
		break;
	case GSB_CACHE_DYING:
		settled = false;
		break;
	}
	spin_unlock_irqrestore(&cache->shrinker->lock, flags);
	return settled;
}

/**
 * drm_pagemap_get_from_cache() - the cached pagemap, revived if need be
 * @cache: the cache, look-up lock held
 *
 * Context: May sleep, for as long as destroying a pagemap takes.
 * Return: The pagemap with a reference for the caller; NULL if there is none,
 * then the caller may make one; ERR_PTR(-ENOMEM) or ERR_PTR(-ENODEV) when it
 * could not be revived.
 */
struct drm_pagemap *drm_pagemap_get_from_cache(struct drm_pagemap_cache *cache)
{
	struct drm_pagemap *dpagemap;
	bool idle;
	int err;

	lockdep_assert_held(&cache->lookup);
	wait_event(cache->changed, gsb_cache_look(cache, &dpagemap, &idle));
	if (!idle)
		return dpagemap;

	err = drm_pagemap_reinit(dpagemap);
	if (!err)
		return dpagemap;
	drm_pagemap_shrinker_add(dpagemap);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_GPL(drm_pagemap_get_from_cache);
