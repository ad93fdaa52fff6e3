// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Whose the pages are that a fault found. */
#include <linux/hmm.h>
#include <linux/mm.h>

#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "get.h"

static bool gsb_is_reachable(const struct gsb_get *get, struct page *page,
			     const struct drm_pagemap *provider)
{
	return gsb_page_pgmap(page)->owner ==
	       get->ctx->device_private_page_owner &&
	       provider->ops->device_map;
}

/*
 * Private pages of others never come here, the fault brought them home. Coherent
 * ones do, whoever's they are: what another module keeps behind its pages is not
 * looked at.
 */
static int gsb_sort_device_page(struct gsb_get *get, struct page *page,
				unsigned long npages)
{
	struct drm_pagemap *provider = drm_pagemap_page_to_dpagemap(page);

	if (!provider)
		return -EOPNOTSUPP;
	if (!gsb_is_reachable(get, page, provider))
		return -EXDEV;
	gsb_mix_add_device(&get->mix, provider, npages);
	return 0;
}

/* @npages pages that the CPU has as one. */
static int gsb_sort_block(struct gsb_get *get, unsigned long hmm_pfn,
			  unsigned long npages)
{
	struct page *page;

	if (!(hmm_pfn & HMM_PFN_VALID))
		return -EFAULT;
	/* The caller's own private page, shared since a fork: only a fault copies it. */
	if (!get->ctx->read_only && !(hmm_pfn & HMM_PFN_WRITE)) {
		get->shared = true;
		return -EFAULT;
	}
	page = hmm_pfn_to_page(hmm_pfn);
	if (is_zone_device_page(page))
		return gsb_sort_device_page(get, page, npages);
	get->mix.system += npages;
	return 0;
}

/**
 * gsb_sort() - count the pages by kind
 * @get: the call; its mix is filled
 *
 * Context: The notifier lock held, and the sequence number is current: only
 * then do the pages not go away.
 * Return: 0; -EXDEV for a page in device memory the device does not reach, which
 * has to come home first; -EOPNOTSUPP for memory of another kind of provider,
 * or a mix the caller does not want; -EFAULT for a page that cannot be had, or
 * system memory where it will not do.
 */
int gsb_sort(struct gsb_get *get)
{
	unsigned long i, n;
	int err = 0;

	lockdep_assert_held(&get->gpusvm->notifier_lock);
	memset(&get->mix, 0, sizeof(get->mix));
	for (i = 0; i < get->npages && !err; i += n) {
		n = gsb_get_block(get, i);
		err = gsb_sort_block(get, get->pfns[i], n);
	}
	return err ?: gsb_mix_check(&get->mix, get->ctx);
}
