// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Ranges: found or made for a fault, and removed.
 *
 * The locks are in gpusvm.h.
 */
#include <linux/fs.h>
#include <linux/hugetlb.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "gpusvm.h"
#include "map.h"
#include "notifier.h"
#include "range.h"
#include "../delay.h"
#include "../stats.h"
#include "trace.h"
#include "vma.h"

static void gsb_range_free(struct kref *ref)
{
	struct drm_gpusvm_range *range =
		container_of(ref, struct drm_gpusvm_range, refcount);
	struct drm_gpusvm_notifier *notifier = range->notifier;
	const struct drm_gpusvm_ops *ops = range->gpusvm->ops;

	/* A driver's range may be what keeps its gpusvm. */
	if (ops->range_free)
		ops->range_free(range);
	else
		kfree(range);
	gsb_notifier_put(notifier, ops);
	gsb_stat_sub(GSB_STAT_LIVE_RANGES, 1);
}

/**
 * drm_gpusvm_range_get() - take one more reference
 * @known: a range the caller has a reference on, or keeps in the tree
 *
 * Context: Any.
 * Return: @known.
 */
struct drm_gpusvm_range *drm_gpusvm_range_get(struct drm_gpusvm_range *known)
{
	kref_get(&known->refcount);
	return known;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_get);

/**
 * drm_gpusvm_range_put() - drop a reference
 * @range: the range
 *
 * With the last one the driver's callback frees the pages, for which it needs
 * the notifier lock: whoever holds that leaves the put to a worker.
 *
 * Context: May sleep. The notifier lock not held.
 */
void drm_gpusvm_range_put(struct drm_gpusvm_range *range)
{
	lockdep_assert_not_held(&range->gpusvm->notifier_lock);
	kref_put(&range->refcount, gsb_range_free);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_put);

/* For a failure drivers return NULL, or an error: both were in use. */
static struct drm_gpusvm_range *gsb_range_alloc(struct drm_gpusvm *gpusvm)
{
	struct drm_gpusvm_range *fresh = NULL;

	if (!gpusvm->ops->range_alloc)
		return kzalloc_obj(*fresh);
	fresh = gpusvm->ops->range_alloc(gpusvm);
	return IS_ERR(fresh) ? NULL : fresh;
}

static bool gsb_range_can_migrate(const struct gsb_lookup *lookup)
{
	return lookup->ctx->devmem_possible &&
	       vma_is_anonymous(lookup->vma) &&
	       !is_vm_hugetlb_page(lookup->vma);
}

static void gsb_range_init(struct drm_gpusvm_range *range,
			   const struct gsb_lookup *lookup,
			   unsigned long chunk)
{
	unsigned long start = ALIGN_DOWN(lookup->addr, chunk);

	range->gpusvm = lookup->gpusvm;
	range->notifier = lookup->notifier;
	refcount_inc(&lookup->notifier->refs);
	kref_init(&range->refcount);
	range->itree.start = start;
	range->itree.last = start + (chunk - 1);
	range->flags.__flags = 0;
	range->flags.migrate_devmem = gsb_range_can_migrate(lookup);
}

/* What comes before it in the list, which has the order of the tree. */
static struct list_head *gsb_range_predecessor(struct drm_gpusvm_range *range)
{
	struct rb_node *left = rb_prev(&range->itree.rb);

	if (!left)
		return &range->notifier->range_list;
	return &rb_entry(left, struct drm_gpusvm_range, itree.rb)->entry;
}

static void gsb_range_link(struct drm_gpusvm_range *range)
{
	struct rw_semaphore *lock = &range->gpusvm->notifier_lock;

	down_write(lock);
	interval_tree_insert(&range->itree, &range->notifier->root);
	list_add(&range->entry, gsb_range_predecessor(range));
	up_write(lock);

	gsb_stat_add(GSB_STAT_LIVE_RANGES, 1);
	trace_gsb_range(range, GSB_RANGE_INSERTED);
}

static struct drm_gpusvm_range *
gsb_range_insert(const struct gsb_lookup *lookup)
{
	unsigned long chunk = gsb_chunk_choose(lookup);
	struct drm_gpusvm_range *range;

	if (!chunk)
		return ERR_PTR(-EINVAL);
	range = gsb_range_alloc(lookup->gpusvm);
	if (!range)
		return ERR_PTR(-ENOMEM);
	gsb_range_init(range, lookup, chunk);
	gsb_range_link(range);
	return range;
}

/* Nothing that has no pages, or whose pages are not the kernel's to give. */
static bool gsb_vma_is_special(struct vm_area_struct *vma)
{
	return gsb_vma_is_device(vma) || vma_is_dax(vma) ||
	       gsb_vma_is_secret(vma);
}

static int gsb_lookup_vma(struct gsb_lookup *lookup)
{
	lookup->vma = vma_lookup(lookup->gpusvm->mm, lookup->addr);
	if (!lookup->vma)
		return -ENOENT;
	if (gsb_vma_is_special(lookup->vma))
		return -EIO;
	return gsb_vma_allows(lookup->vma, !lookup->ctx->read_only) ? 0 : -EPERM;
}

static struct drm_gpusvm_range *
gsb_lookup_locked(struct gsb_lookup *lookup)
{
	struct drm_gpusvm_range *range;
	int err;

	err = gsb_lookup_vma(lookup);
	if (err)
		return ERR_PTR(err);
	range = drm_gpusvm_range_find(lookup->notifier, lookup->addr,
				      lookup->addr + 1);
	return range ?: gsb_range_insert(lookup);
}

static struct drm_gpusvm_range *gsb_lookup_run(struct gsb_lookup *lookup)
{
	struct drm_gpusvm_range *range = ERR_PTR(-EINTR);
	struct mm_struct *mm = lookup->gpusvm->mm;

	lookup->notifier = gsb_notifier_for(lookup->gpusvm, lookup->addr);
	if (IS_ERR(lookup->notifier))
		return ERR_CAST(lookup->notifier);

	if (!mmap_read_lock_killable(mm)) {
		range = gsb_lookup_locked(lookup);
		mmap_read_unlock(mm);
	}
	if (IS_ERR(range))
		gsb_notifier_drop_if_empty(lookup->notifier);
	else if (lookup->ctx->take_ref)
		drm_gpusvm_range_get(range);
	return range;
}

static bool gsb_lookup_valid(const struct gsb_lookup *lookup)
{
	const struct drm_gpusvm *gpusvm = lookup->gpusvm;

	return gpusvm->mm && lookup->addr >= gpusvm->mm_start &&
	       lookup->addr < gsb_window_end(gpusvm) &&
	       lookup->addr >= lookup->gpuva_start &&
	       lookup->addr < lookup->gpuva_end;
}

/**
 * drm_gpusvm_range_find_or_insert() - the range for an address the device wants
 * @gpusvm: the address space
 * @addr: user address
 * @first: first user address the device's own mapping allows
 * @end: user address behind the last
 * @ctx: read_only, devmem_possible, check_pages_threshold, take_ref
 *
 * A new range is the largest aligned chunk around @addr that lies in one
 * mapping of the process, in the notifier's window and in that of the device,
 * and overlaps no other range. The presence check only makes it smaller.
 *
 * Calls for one address space wait for each other, whether the driver has a lock
 * around them or not. A driver without sets ctx->take_ref, as the range could
 * otherwise be gone when it looks at it.
 *
 * Context: May sleep; mmap_lock is taken. The driver's lock held, if it has one;
 * the notifier lock not held.
 * Return: The range; -EINVAL outside of the address space or the window of the
 * device, or when no chunk fits; -EFAULT when the address space is gone;
 * -ENOENT when nothing is mapped there; -EIO for I/O memory and other mappings
 * without pages of their own; -EPERM for memory that cannot be read, or not be
 * written unless ctx->read_only; -ENOMEM; -EINTR when killed.
 */
struct drm_gpusvm_range *
drm_gpusvm_range_find_or_insert(struct drm_gpusvm *gpusvm,
				unsigned long addr, unsigned long first,
				unsigned long end,
				const struct drm_gpusvm_ctx *ctx)
{
	struct gsb_lookup lookup = {
		.ctx = ctx,
		.gpusvm = gpusvm,
		.addr = addr,
		.gpuva_start = first,
		.gpuva_end = end,
	};
	struct drm_gpusvm_range *range = ERR_PTR(-EINTR);

	gsb_assert_driver_lock(gpusvm);
	if (!gsb_lookup_valid(&lookup))
		return ERR_PTR(-EINVAL);
	gsb_might_use_mm(gpusvm, gpusvm->mm);
	if (!mmget_not_zero(gpusvm->mm))
		return ERR_PTR(-EFAULT);

	if (!mutex_lock_killable(&gpusvm->tree_lock)) {
		range = gsb_lookup_run(&lookup);
		mutex_unlock(&gpusvm->tree_lock);
	}
	/* Not the last one here, where the driver may hold what exit needs. */
	mmput_async(gpusvm->mm);
	return range;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_find_or_insert);

/**
 * drm_gpusvm_range_find() - the first range in an interval
 * @notifier: where to look
 * @start: first user address to look at
 * @end: user address behind the last
 *
 * Context: The driver's lock or the notifier lock held.
 * Return: The range, or NULL. It has no reference of its own.
 */
struct drm_gpusvm_range *
drm_gpusvm_range_find(struct drm_gpusvm_notifier *notifier,
		      unsigned long start, unsigned long end)
{
	struct interval_tree_node *node = NULL;

	gsb_assert_trees_stable(notifier->gpusvm);
	if (start < end)
		node = interval_tree_iter_first(&notifier->root, start,
						end - 1);
	return node ? container_of(node, struct drm_gpusvm_range, itree) : NULL;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_find);

/**
 * gsb_range_unlink() - take a range out of its notifier
 * @range: a range in the tree, whose reference the caller now has; its notifier
 *	goes with the last one
 *
 * A change of the CPU's page table does not find the range from here on, so
 * nothing of it stays mapped.
 *
 * Context: May sleep. tree_lock held; no lock that @ops->invalidate takes.
 * Return: true if something had still been mapped.
 */
bool gsb_range_unlink(struct drm_gpusvm_range *range)
{
	struct drm_gpusvm_notifier *notifier = range->notifier;
	struct drm_gpusvm *gpusvm = range->gpusvm;
	bool revoked;

	lockdep_assert_held(&gpusvm->tree_lock);
	down_write(&gpusvm->notifier_lock);
	revoked = gsb_map_revoke(gpusvm, &notifier->notifier,
				 range->itree.start, range->itree.last);
	interval_tree_remove(&range->itree, &notifier->root);
	list_del_init(&range->entry);
	up_write(&gpusvm->notifier_lock);

	trace_gsb_range(range, GSB_RANGE_REMOVED);
	gsb_notifier_drop_if_empty(notifier);
	return revoked;
}

/**
 * drm_gpusvm_range_remove() - take a range out of its address space and put it
 * @gpusvm: the address space
 * @range: the range; nothing happens if another caller removed it before. The
 *	kernel's own drm_gpusvm warns then, so a driver for both removes it once
 *
 * The driver has taken it from the device's page table and called
 * drm_gpusvm_unmap_pages() for all of its pages objects: a change of the CPU's
 * page table would not find them any more. What it forgot is unmapped here, and
 * complained about. Between the two calls nobody may get pages for the range: the
 * driver's lock sees to that, or, without one, a mark under a lock of the range's
 * own, which whoever gets pages looks at.
 *
 * Context: May sleep. The driver's lock held, if it has one; neither mmap_lock
 * nor any lock that @ops->invalidate takes.
 */
void drm_gpusvm_range_remove(struct drm_gpusvm *gpusvm,
			     struct drm_gpusvm_range *range)
{
	bool mine;

	gsb_assert_driver_lock(gpusvm);
	mutex_lock(&gpusvm->tree_lock);
	mine = !list_empty(&range->entry);
	if (mine)
		WARN_ON_ONCE(gsb_range_unlink(range));
	mutex_unlock(&gpusvm->tree_lock);
	gsb_delay();
	if (mine)
		drm_gpusvm_range_put(range);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_remove);

/**
 * drm_gpusvm_range_set_unmapped() - the process has unmapped a range
 * @range: the range
 * @pages: array of its pages objects
 * @pages_count: how many there are
 * @mmu_range: the event
 *
 * No pages can be got for it from now on.
 *
 * Context: In @ops->invalidate: the notifier lock held for writing.
 */
void drm_gpusvm_range_set_unmapped(struct drm_gpusvm_range *range,
				   struct drm_gpusvm_pages *pages,
				   unsigned int pages_count,
				   const struct mmu_notifier_range *mmu_range)
{
	unsigned int i;

	lockdep_assert_held_write(&range->gpusvm->notifier_lock);

	range->flags.unmapped = true;
	if (mmu_range->start > range->itree.start ||
	    mmu_range->end <= range->itree.last)
		range->flags.partial_unmap = true;
	for (i = 0; i < pages_count; i++)
		pages[i].flags.unmapped = true;
	trace_gsb_range(range, GSB_RANGE_UNMAPPED);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_set_unmapped);
