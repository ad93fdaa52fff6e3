// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Which kinds of pages may lie in one range.
 *
 * Three things are asked for, independent of each other: system pages beside
 * device pages (allow_mixed), device pages of several pagemaps
 * (allow_multiple), and no system pages at all (devmem_only). Nothing depends
 * on the order in which the kinds follow each other.
 */
#include <linux/errno.h>

#include <drm/drm_gpusvm.h>

#include "policy.h"

/**
 * gsb_mix_add_device() - count device pages
 * @mix: the count
 * @provider: their pagemap
 * @npages: how many
 *
 * Context: Any.
 */
void gsb_mix_add_device(struct gsb_mix *mix, struct drm_pagemap *provider,
			unsigned long npages)
{
	mix->device += npages;
	if (!mix->provider)
		mix->provider = provider;
	else if (mix->provider != provider)
		mix->several = true;
}

/**
 * gsb_mix_check() - does the caller accept these pages?
 * @mix: what they are
 * @ctx: what the caller wants
 *
 * Context: Any.
 * Return: 0; -EFAULT when there are system pages and only device memory will do;
 * -EOPNOTSUPP for a mix that was not allowed.
 */
int gsb_mix_check(const struct gsb_mix *mix, const struct drm_gpusvm_ctx *ctx)
{
	if (mix->system && ctx->devmem_only)
		return -EFAULT;
	if (mix->system && mix->device && !ctx->allow_mixed)
		return -EOPNOTSUPP;
	if (mix->several && !ctx->allow_multiple)
		return -EOPNOTSUPP;
	return 0;
}
