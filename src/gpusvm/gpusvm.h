/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_GPUSVM_GPUSVM_H
#define GSB_GPUSVM_GPUSVM_H

#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/mm_types.h>

#include <drm/drm_gpusvm.h>

/*
 * What the files of this folder share about the trees of an address space.
 *
 * Locks, from the outside in: the driver's lock around its ranges (optional) ->
 * tree_lock -> mmap_lock (read) -> notifier_lock -> mapped_lock. A pages
 * object's lock is inside of the driver's, and outside of notifier_lock; neither
 * of it and tree_lock is taken inside the other. Core mm takes notifier_lock in
 * reclaim, so nothing is allocated inside.
 *
 * The trees change with tree_lock held and notifier_lock held for writing.
 * Whoever has one of them, or the driver's lock if there is one, may walk them.
 */

/* For those who watch. */
enum gsb_range_event {
	GSB_RANGE_INSERTED,
	GSB_RANGE_REMOVED,
	GSB_RANGE_UNMAPPED,
	GSB_RANGE_EVICTED,
};

/* Lockdep only: the driver's lock is held, if it told which it is. */
static inline void gsb_assert_driver_lock(const struct drm_gpusvm *gpusvm)
{
#ifdef CONFIG_LOCKDEP
	lockdep_assert(!gpusvm->lock_dep_map ||
		       lock_is_held(gpusvm->lock_dep_map));
#endif
}

/* Lockdep only: the trees cannot change. */
static inline void gsb_assert_trees_stable(const struct drm_gpusvm *gpusvm)
{
#ifdef CONFIG_LOCKDEP
	lockdep_assert(!gpusvm->lock_dep_map ||
		       lock_is_held(gpusvm->lock_dep_map) ||
		       lockdep_is_held(&gpusvm->tree_lock) ||
		       lockdep_is_held(&gpusvm->notifier_lock));
#endif
}

/* Lockdep only: mmap_lock is going to be taken, if not every time. */
static inline void gsb_might_use_mm(struct drm_gpusvm *gpusvm,
				    struct mm_struct *mm)
{
	might_sleep();
	lockdep_assert_not_held(&gpusvm->notifier_lock);
	might_lock_read(&mm->mmap_lock);
}

/* The address behind the last that may be used. */
static inline unsigned long gsb_window_end(const struct drm_gpusvm *gpusvm)
{
	return gpusvm->mm_start + gpusvm->mm_range;
}

#endif
