/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_COMPAT_EXCLUSIVE_H
#define GSB_COMPAT_EXCLUSIVE_H

#include <linux/err.h>
#include <linux/mm.h>
#include <linux/rmap.h>

#include "compat/features.h"

#if defined(GSB_HAVE_MAKE_EXCLUSIVE) || defined(GSB_HAVE_MAKE_EXCLUSIVE_RANGE)
#define GSB_HAVE_EXCLUSIVE	1
#endif

/*
 * Take a page of anonymous memory from the CPU until it wants it back, for one
 * device. There was a function for ranges, and now there is one for a page; kernels
 * without CONFIG_DEVICE_PRIVATE have neither.
 *
 * With mmap_lock held for reading. Returns the page, locked and with a reference.
 */
static inline struct page *gsb_make_exclusive(struct mm_struct *mm,
					      unsigned long addr, void *owner)
{
#if defined(GSB_HAVE_MAKE_EXCLUSIVE)
	struct folio *folio;

	return make_device_exclusive(mm, addr, owner, &folio);
#elif defined(GSB_HAVE_MAKE_EXCLUSIVE_RANGE)
	struct vm_area_struct *vma = vma_lookup(mm, addr);
	struct page *page = NULL;
	int ret;

	/* It would not tell memory that it cannot take from a page that is busy. */
	if (vma && vma->vm_flags & VM_SHARED)
		return ERR_PTR(-EOPNOTSUPP);
	ret = make_device_exclusive_range(mm, addr, addr + PAGE_SIZE, &page,
					  owner);
	if (ret < 0)
		return ERR_PTR(ret);
	return page ?: ERR_PTR(-EBUSY);
#else
	return ERR_PTR(-EOPNOTSUPP);
#endif
}

/*
 * Can a page of a huge page be taken? The function for ranges takes the first page only,
 * and has the huge page mapped in small pages first, after which it cannot be migrated to
 * a device either.
 */
static inline bool gsb_exclusive_takes_parts(void)
{
#if defined(GSB_HAVE_MAKE_EXCLUSIVE)
	return true;
#else
	return false;
#endif
}

#endif
