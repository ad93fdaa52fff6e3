// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Windows of an address space that core mm tells about.
 *
 * Inserting one may take mmap_lock for writing and removing one waits for its
 * callbacks: neither mmap_lock nor notifier_lock is held then. tree_lock is,
 * which no callback takes.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "compat/compat.h"
#include "gpusvm.h"
#include "notifier.h"
#include "../delay.h"
#include "../stats.h"
#include "trace.h"

/*
 * Core mm's side is changed first and without condition. Refusing when the
 * caller must not block changes nothing at all.
 */
static bool gsb_notifier_invalidate(struct mmu_interval_notifier *core,
				    const struct mmu_notifier_range *event,
				    unsigned long seq)
{
	struct drm_gpusvm_notifier *notifier =
		container_of(core, struct drm_gpusvm_notifier, notifier);
	struct drm_gpusvm *gpusvm = notifier->gpusvm;

	if (!mmu_notifier_range_blockable(event))
		return false;

	gsb_delay();
	down_write(&gpusvm->notifier_lock);
	mmu_interval_set_seq(core, seq);
	gsb_delay();
	gpusvm->ops->invalidate(gpusvm, notifier, event);
	gsb_delay();
	up_write(&gpusvm->notifier_lock);

	gsb_stat_add(GSB_STAT_INVALIDATIONS, 1);
	trace_gsb_invalidate(gpusvm, event);
	return true;
}

static const struct mmu_interval_notifier_ops gsb_notifier_ops = {
	.invalidate = gsb_notifier_invalidate,
};

/* For a failure drivers return NULL, or an error: both were in use. */
static struct drm_gpusvm_notifier *
gsb_notifier_alloc(const struct drm_gpusvm_ops *ops)
{
	struct drm_gpusvm_notifier *fresh = NULL;

	if (!ops->notifier_alloc)
		return kzalloc_obj(*fresh);
	fresh = ops->notifier_alloc();
	return IS_ERR(fresh) ? NULL : fresh;
}

/**
 * gsb_notifier_put() - drop a reference
 * @notifier: the notifier, whose gpusvm may be gone already
 * @ops: that gpusvm's
 *
 * Context: May sleep, as the driver's callback may.
 */
void gsb_notifier_put(struct drm_gpusvm_notifier *notifier,
		      const struct drm_gpusvm_ops *ops)
{
	if (!refcount_dec_and_test(&notifier->refs))
		return;
	if (ops->notifier_free)
		ops->notifier_free(notifier);
	else
		kfree(notifier);
}

/* The window around an address, cut to what may be used at all. */
static void gsb_notifier_set_window(struct drm_gpusvm_notifier *notifier,
				    unsigned long addr)
{
	const struct drm_gpusvm *gpusvm = notifier->gpusvm;
	unsigned long first = ALIGN_DOWN(addr, gpusvm->notifier_size);

	notifier->itree.start = max(first, gpusvm->mm_start);
	notifier->itree.last = min(first + (gpusvm->notifier_size - 1),
				   gsb_window_end(gpusvm) - 1);
}

static struct drm_gpusvm_notifier *
gsb_notifier_create(struct drm_gpusvm *gpusvm, unsigned long addr)
{
	struct drm_gpusvm_notifier *notifier = gsb_notifier_alloc(gpusvm->ops);

	if (!notifier)
		return NULL;
	notifier->gpusvm = gpusvm;
	notifier->root = RB_ROOT_CACHED;
	notifier->flags.removed = false;
	INIT_LIST_HEAD(&notifier->range_list);
	refcount_set(&notifier->refs, 1);
	gsb_notifier_set_window(notifier, addr);
	return notifier;
}

/* What comes before it in the list, which has the order of the tree. */
static struct list_head *
gsb_notifier_predecessor(struct drm_gpusvm_notifier *notifier)
{
	struct rb_node *left = rb_prev(&notifier->itree.rb);

	if (!left)
		return &notifier->gpusvm->notifier_list;
	return &rb_entry(left, struct drm_gpusvm_notifier, itree.rb)->entry;
}

static void gsb_notifier_link(struct drm_gpusvm_notifier *notifier)
{
	struct drm_gpusvm *gpusvm = notifier->gpusvm;

	down_write(&gpusvm->notifier_lock);
	interval_tree_insert(&notifier->itree, &gpusvm->root);
	list_add(&notifier->entry, gsb_notifier_predecessor(notifier));
	up_write(&gpusvm->notifier_lock);

	gsb_stat_add(GSB_STAT_LIVE_NOTIFIERS, 1);
	trace_gsb_notifier(notifier, true);
}

static void gsb_notifier_unlink(struct drm_gpusvm_notifier *notifier)
{
	struct drm_gpusvm *gpusvm = notifier->gpusvm;

	down_write(&gpusvm->notifier_lock);
	interval_tree_remove(&notifier->itree, &gpusvm->root);
	list_del_init(&notifier->entry);
	up_write(&gpusvm->notifier_lock);

	gsb_stat_sub(GSB_STAT_LIVE_NOTIFIERS, 1);
	trace_gsb_notifier(notifier, false);
}

static struct drm_gpusvm_notifier *
gsb_notifier_insert(struct drm_gpusvm *gpusvm, unsigned long addr)
{
	struct drm_gpusvm_notifier *notifier;
	int err;

	notifier = gsb_notifier_create(gpusvm, addr);
	if (!notifier)
		return ERR_PTR(-ENOMEM);
	err = mmu_interval_notifier_insert(&notifier->notifier, gpusvm->mm,
					   notifier->itree.start,
					   drm_gpusvm_notifier_size(notifier),
					   &gsb_notifier_ops);
	if (err) {
		gsb_notifier_put(notifier, notifier->gpusvm->ops);
		return ERR_PTR(err);
	}
	gsb_notifier_link(notifier);
	return notifier;
}

/**
 * gsb_notifier_for() - the notifier of an address, made if there is none
 * @gpusvm: the address space, with a user reference on its mm
 * @addr: user address in its window
 *
 * Context: May sleep. tree_lock held, mmap_lock not held.
 * Return: The notifier; -ENOMEM, or -EINTR when killed.
 */
struct drm_gpusvm_notifier *gsb_notifier_for(struct drm_gpusvm *gpusvm,
					     unsigned long addr)
{
	lockdep_assert_held(&gpusvm->tree_lock);
	return drm_gpusvm_notifier_find(gpusvm, addr, addr + 1) ?:
	       gsb_notifier_insert(gpusvm, addr);
}

/**
 * gsb_notifier_silence() - have core mm not tell of changes any more
 * @notifier: the notifier
 *
 * Context: May sleep. tree_lock held; no lock that the callback takes.
 */
void gsb_notifier_silence(struct drm_gpusvm_notifier *notifier)
{
	struct drm_gpusvm *gpusvm = notifier->gpusvm;

	lockdep_assert_held(&gpusvm->tree_lock);
	lockdep_assert_not_held(&gpusvm->notifier_lock);

	/* Who still has a reference must not map anything from here on. */
	down_write(&gpusvm->notifier_lock);
	notifier->flags.removed = true;
	up_write(&gpusvm->notifier_lock);
	mmu_interval_notifier_remove(&notifier->notifier);
}

/**
 * gsb_notifier_drop_if_empty() - a notifier without ranges goes
 * @notifier: the notifier; gone on return, if it has no ranges
 *
 * Context: May sleep. tree_lock held; no lock that the callback takes.
 */
void gsb_notifier_drop_if_empty(struct drm_gpusvm_notifier *notifier)
{
	lockdep_assert_held(&notifier->gpusvm->tree_lock);
	if (!list_empty(&notifier->range_list))
		return;
	if (!notifier->flags.removed)
		gsb_notifier_silence(notifier);
	gsb_notifier_unlink(notifier);
	gsb_notifier_put(notifier, notifier->gpusvm->ops);
}

/**
 * gsb_notifier_covers() - would the driver be told about these addresses?
 * @core: notifier that pages are to be got with
 * @start: first user address
 * @end: user address behind the last
 *
 * Of one of ours, the driver looks for ranges in the tree: without one it would
 * not find the pages. One of the driver's own is the driver's business.
 *
 * Context: notifier_lock held.
 * Return: true if it would.
 */
bool gsb_notifier_covers(struct mmu_interval_notifier *core,
			 unsigned long start, unsigned long end)
{
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *range;

	if (core->ops != &gsb_notifier_ops)
		return true;
	notifier = container_of(core, struct drm_gpusvm_notifier, notifier);
	if (notifier->flags.removed)
		return false;
	range = drm_gpusvm_range_find(notifier, start, end);
	return range && range->itree.start <= start &&
	       range->itree.last >= end - 1 && !range->flags.unmapped;
}

/**
 * drm_gpusvm_notifier_find() - the first notifier in an interval
 * @gpusvm: the address space
 * @start: first user address to look at
 * @end: user address behind the last
 *
 * Context: The driver's lock or the notifier lock held.
 * Return: The notifier, or NULL.
 */
struct drm_gpusvm_notifier *
drm_gpusvm_notifier_find(struct drm_gpusvm *gpusvm, unsigned long start,
			 unsigned long end)
{
	struct interval_tree_node *node = NULL;

	gsb_assert_trees_stable(gpusvm);
	if (start < end)
		node = interval_tree_iter_first(&gpusvm->root, start, end - 1);
	return node ? container_of(node, struct drm_gpusvm_notifier, itree) :
		      NULL;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_notifier_find);
