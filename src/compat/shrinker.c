// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Shrinkers are allocated by the kernel since c42d50aefd17 ("mm: shrinker: add
 * infrastructure for dynamically allocating shrinker"); before, the caller
 * embeds and registers them.
 */
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>

#include "compat.h"
#include "shrinker.h"

struct gsb_shrinker {
#ifndef GSB_HAVE_SHRINKER_ALLOC
	struct shrinker embedded;
#endif
	struct shrinker *base;
	gsb_shrinker_count_fn count;
	gsb_shrinker_scan_fn scan;
	void *private;
};

#ifdef GSB_HAVE_SHRINKER_ALLOC

static struct gsb_shrinker *to_gsb(struct shrinker *shrinker)
{
	return shrinker->private_data;
}

static int gsb_shrinker_alloc_base(struct gsb_shrinker *gsb, const char *name)
{
	gsb->base = shrinker_alloc(0, "%s", name);
	if (!gsb->base)
		return -ENOMEM;
	gsb->base->private_data = gsb;
	return 0;
}

static int gsb_shrinker_register(struct gsb_shrinker *gsb, const char *name)
{
	shrinker_register(gsb->base);
	return 0;
}

static void gsb_shrinker_unregister(struct gsb_shrinker *gsb)
{
	shrinker_free(gsb->base);
}

#else

static struct gsb_shrinker *to_gsb(struct shrinker *shrinker)
{
	return container_of(shrinker, struct gsb_shrinker, embedded);
}

static int gsb_shrinker_alloc_base(struct gsb_shrinker *gsb, const char *name)
{
	gsb->base = &gsb->embedded;
	return 0;
}

static int gsb_shrinker_register(struct gsb_shrinker *gsb, const char *name)
{
	return register_shrinker(gsb->base, "%s", name);
}

static void gsb_shrinker_unregister(struct gsb_shrinker *gsb)
{
	unregister_shrinker(gsb->base);
}

#endif

static unsigned long gsb_shrinker_count_objects(struct shrinker *shrinker,
						struct shrink_control *sc)
{
	struct gsb_shrinker *gsb = to_gsb(shrinker);

	return gsb->count(gsb->private) ?: SHRINK_EMPTY;
}

static unsigned long gsb_shrinker_scan_objects(struct shrinker *shrinker,
					       struct shrink_control *sc)
{
	struct gsb_shrinker *gsb = to_gsb(shrinker);

	return gsb->scan(gsb->private, sc->nr_to_scan) ?: SHRINK_STOP;
}

/**
 * gsb_shrinker_create() - make and register a shrinker
 * @name: shown in debugfs
 * @count: how many objects could be freed
 * @scan: frees up to a number of objects, returns how many it freed
 * @private: passed to both
 *
 * Context: May sleep.
 * Return: The shrinker, or NULL without memory.
 */
struct shrinker *gsb_shrinker_create(const char *name,
				     gsb_shrinker_count_fn count,
				     gsb_shrinker_scan_fn scan, void *private)
{
	struct gsb_shrinker *gsb = kzalloc_obj(*gsb);

	if (!gsb)
		return NULL;
	gsb->count = count;
	gsb->scan = scan;
	gsb->private = private;
	if (gsb_shrinker_alloc_base(gsb, name))
		goto free;

	gsb->base->count_objects = gsb_shrinker_count_objects;
	gsb->base->scan_objects = gsb_shrinker_scan_objects;
	gsb->base->seeks = DEFAULT_SEEKS;
	if (gsb_shrinker_register(gsb, name))
		goto free;
	return gsb->base;

free:
	kfree(gsb);
	return NULL;
}

/**
 * gsb_shrinker_destroy() - the callbacks are not called any more on return
 * @shrinker: what gsb_shrinker_create() returned
 *
 * Context: May sleep.
 */
void gsb_shrinker_destroy(struct shrinker *shrinker)
{
	struct gsb_shrinker *gsb = to_gsb(shrinker);

	gsb_shrinker_unregister(gsb);
	kfree(gsb);
}
