// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* As a driver uses the macros; see ../interface.sh. */
#include <drm/drm_pagemap_util.h>

static DRM_PAGEMAP_OWNER_LIST_DEFINE(uses_owner_list);

static bool __used uses_list(void)
{
	return list_empty(&uses_owner_list.peers) && !mutex_is_locked(&uses_owner_list.lock);
}
