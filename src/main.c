// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Module entry and exit, and what this kernel can do. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include <drm/drm_gpusvm_backport.h>

#include "pagemap/drain.h"
#include "pagemap/large.h"
#include "pagemap/lists.h"
#include "pagemap/pagemap.h"
#include "stats.h"

/**
 * drm_gpusvm_backport_has_tier() - can this kernel do that kind of device memory?
 * @tier: the kind
 *
 * Context: Any.
 * Return: true if a driver can register such memory.
 */
bool drm_gpusvm_backport_has_tier(enum drm_gpusvm_backport_tier tier)
{
	if (tier == DRM_GPUSVM_BACKPORT_TIER_PRIVATE)
		return IS_ENABLED(CONFIG_DEVICE_PRIVATE);
	return tier <= DRM_GPUSVM_BACKPORT_TIER_PRIVATE;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_backport_has_tier);

static int __init gsb_init(void)
{
	int err = gsb_lists_init();

	if (err)
		return err;
	err = gsb_large_init();
	if (err) {
		gsb_lists_exit();
		return err;
	}
	gsb_stats_init();
	if (drm_gpusvm_backport_has_tier(DRM_GPUSVM_BACKPORT_TIER_PRIVATE))
		pr_info("version " GSB_VERSION ", device memory tiers: private, coherent\n");
	else
		pr_info("version " GSB_VERSION ", device memory tiers: coherent (no private: the kernel has no CONFIG_DEVICE_PRIVATE)\n");
	if (gsb_large_enabled())
		pr_info("large device folios are on\n");
	return 0;
}

static void __exit gsb_exit(void)
{
	gsb_drain_exit();
	gsb_large_exit();
	gsb_pagemap_flush();
	gsb_lists_exit();
	gsb_stats_fini();
}

module_init(gsb_init);
module_exit(gsb_exit);

MODULE_DESCRIPTION("GPU shared virtual memory (drm_gpusvm of Linux 7.3) for older kernels");
MODULE_AUTHOR("The drm-gpusvm-backport authors");
MODULE_LICENSE("Dual MIT/GPL");
MODULE_VERSION(GSB_VERSION);
