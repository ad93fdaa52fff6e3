// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* As a driver uses the macros; see ../interface.sh. */
#include <drm/drm_pagemap.h>

static_assert(__same_type(NR_PAGES(1), 1U));
static_assert(NR_PAGES(3) == 8);

static unsigned int __used uses_order(const struct drm_pagemap_addr *addr)
{
	return NR_PAGES(addr->order);
}
