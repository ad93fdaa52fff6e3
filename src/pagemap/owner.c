// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Groups of devices that reach each other's memory.
 *
 * Lock order: the owner list's mutex is outermost of ours; the driver's
 * link callback runs under it.
 */
#include <linux/export.h>
#include <linux/kref.h>
#include <linux/slab.h>

#include <drm/drm_pagemap_util.h>

/* Its address is what counts; members have a reference each. */
struct drm_pagemap_owner {
	struct kref ref;
};

static void gsb_owner_free(struct kref *ref)
{
	kfree(container_of(ref, struct drm_pagemap_owner, ref));
}

static struct drm_pagemap_owner *gsb_owner_create(void)
{
	struct drm_pagemap_owner *owner = kmalloc(sizeof(*owner), GFP_KERNEL);

	if (owner)
		kref_init(&owner->ref);
	return owner;
}

/* A group is only joined by a device that has a link to all its members. */
static bool gsb_owner_fits(struct drm_pagemap_peer *peer,
			   const struct drm_pagemap_owner *owner,
			   struct drm_pagemap_owner_list *list,
			   bool (*linked)(struct drm_pagemap_peer *,
					  struct drm_pagemap_peer *))
{
	struct drm_pagemap_peer *member;

	list_for_each_entry(member, &list->peers, link)
		if (member->owner == owner && !linked(peer, member))
			return false;
	return true;
}

static struct drm_pagemap_owner *
gsb_owner_find(struct drm_pagemap_peer *peer,
	       struct drm_pagemap_owner_list *list,
	       bool (*linked)(struct drm_pagemap_peer *,
			      struct drm_pagemap_peer *))
{
	struct drm_pagemap_peer *member;

	list_for_each_entry(member, &list->peers, link) {
		if (gsb_owner_fits(peer, member->owner, list, linked)) {
			kref_get(&member->owner->ref);
			return member->owner;
		}
	}
	return gsb_owner_create();
}

/**
 * drm_pagemap_acquire_owner() - join the group of devices with a fast link
 * @peer: the device; its owner field is set
 * @list: devices to look among
 * @linked: tells whether two devices have a link
 *
 * Context: May sleep.
 * Return: 0 or -ENOMEM.
 */
int drm_pagemap_acquire_owner(struct drm_pagemap_peer *peer,
			      struct drm_pagemap_owner_list *list,
			      bool (*linked)(struct drm_pagemap_peer *,
					     struct drm_pagemap_peer *))
{
	mutex_lock(&list->lock);
	peer->owner = gsb_owner_find(peer, list, linked);
	if (peer->owner) {
		peer->list = list;
		list_add_tail(&peer->link, &list->peers);
	}
	mutex_unlock(&list->lock);
	return peer->owner ? 0 : -ENOMEM;
}
EXPORT_SYMBOL_GPL(drm_pagemap_acquire_owner);

/**
 * drm_pagemap_release_owner() - leave the group
 * @peer: the device; nothing happens if it is in no group
 *
 * Its pagemap is gone by now: the address of an owner can be used again.
 *
 * Context: May sleep.
 */
void drm_pagemap_release_owner(struct drm_pagemap_peer *peer)
{
	struct drm_pagemap_owner_list *list = peer->list;

	if (!list)
		return;

	mutex_lock(&list->lock);
	list_del(&peer->link);
	mutex_unlock(&list->lock);

	kref_put(&peer->owner->ref, gsb_owner_free);
	peer->owner = NULL;
	peer->list = NULL;
}
EXPORT_SYMBOL_GPL(drm_pagemap_release_owner);
