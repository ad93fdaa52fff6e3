/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Helpers for providers of device memory: who may reach whose pages, and a
 * place where an idle pagemap waits for its next user. The interface is that
 * of Linux 7.3.
 */
#ifndef _DRM_GPUSVM_BACKPORT_PAGEMAP_UTIL_H_
#define _DRM_GPUSVM_BACKPORT_PAGEMAP_UTIL_H_

#ifdef _DRM_PAGEMAP_UTIL_H_
#error "the kernel's own header came first: put our include/ before it in LINUXINCLUDE"
#endif
#define _DRM_PAGEMAP_UTIL_H_

#include <linux/list.h>
#include <linux/mutex.h>

#include <drm/drm_gpusvm_backport.h>

struct drm_device;
struct drm_pagemap;
struct drm_pagemap_cache;
struct drm_pagemap_owner;
struct drm_pagemap_shrinker;

/**
 * struct drm_pagemap_peer - one device among those with a fast link
 * @list: owner list it is on, or NULL
 * @link: place in that list
 * @owner: what &struct dev_pagemap.owner is set to, the same for all devices
 *	that reach each other's memory
 * @private: for the driver
 */
struct drm_pagemap_peer {
	struct drm_pagemap_owner_list *list;
	struct list_head link;
	struct drm_pagemap_owner *owner;
	void *private;
};

/**
 * struct drm_pagemap_owner_list - devices among which links are looked for
 * @lock: protects @peers
 * @peers: the &struct drm_pagemap_peer on the list
 *
 * Usually one for a whole driver.
 */
struct drm_pagemap_owner_list {
	struct mutex lock;	/* protects @peers */
	struct list_head peers;
};

/* Defines an owner list that is ready for use. */
#define DRM_PAGEMAP_OWNER_LIST_DEFINE(_name)			\
	struct drm_pagemap_owner_list _name = {			\
		.lock = __MUTEX_INITIALIZER((_name).lock),	\
		.peers = LIST_HEAD_INIT((_name).peers),		\
	}

int drm_pagemap_acquire_owner(struct drm_pagemap_peer *peer,
			      struct drm_pagemap_owner_list *owner_list,
			      bool (*has_interconnect)(struct drm_pagemap_peer *peer1,
						       struct drm_pagemap_peer *peer2));
void drm_pagemap_release_owner(struct drm_pagemap_peer *peer);

struct drm_pagemap_shrinker *drm_pagemap_shrinker_create_devm(struct drm_device *drm);
void drm_pagemap_shrinker_add(struct drm_pagemap *dpagemap);
#ifdef CONFIG_PROVE_LOCKING
void drm_pagemap_shrinker_might_lock(struct drm_pagemap *dpagemap);
#else
static inline void
drm_pagemap_shrinker_might_lock(struct drm_pagemap *dpagemap)
{
}
#endif

struct drm_pagemap_cache *
drm_pagemap_cache_create_devm(struct drm_pagemap_shrinker *shrinker);
int drm_pagemap_cache_lock_lookup(struct drm_pagemap_cache *cache);
void drm_pagemap_cache_unlock_lookup(struct drm_pagemap_cache *cache);
void drm_pagemap_cache_set_pagemap(struct drm_pagemap_cache *cache,
				   struct drm_pagemap *dpagemap);
struct drm_pagemap *drm_pagemap_get_from_cache(struct drm_pagemap_cache *cache);
struct drm_pagemap *
drm_pagemap_get_from_cache_if_active(struct drm_pagemap_cache *cache);

#endif
