// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An address space that devices share with a process.
 *
 * The locks are in gpusvm.h.
 */
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "gpusvm.h"
#include "map.h"
#include "notifier.h"
#include "range.h"

/*
 * Sizes below a page are passed over, as a driver's list can have them on
 * kernels with larger pages; one that can be used there must be.
 */
static bool gsb_chunks_valid(const struct drm_gpusvm *gpusvm)
{
	const unsigned long *sizes = gpusvm->chunk_sizes;
	unsigned long limit = gpusvm->notifier_size;
	int i;

	for (i = 0; i < gpusvm->num_chunks; i++) {
		if (!is_power_of_2(sizes[i]) || sizes[i] > limit)
			return false;
		limit = sizes[i] / 2;
	}
	return gpusvm->num_chunks > 0 && sizes[0] >= PAGE_SIZE;
}

static bool gsb_window_valid(const struct drm_gpusvm *gpusvm)
{
	return PAGE_ALIGNED(gpusvm->mm_start | gpusvm->mm_range) &&
	       gsb_window_end(gpusvm) > gpusvm->mm_start;
}

static bool gsb_full_mode_valid(const struct drm_gpusvm *gpusvm)
{
	const struct drm_gpusvm_ops *ops = gpusvm->ops;

	return ops && ops->invalidate && gpusvm->chunk_sizes &&
	       is_power_of_2(gpusvm->notifier_size) &&
	       gpusvm->notifier_size >= PAGE_SIZE &&
	       gsb_window_valid(gpusvm) && gsb_chunks_valid(gpusvm);
}

static bool gsb_pages_mode_valid(const struct drm_gpusvm *gpusvm)
{
	return !gpusvm->ops && !gpusvm->chunk_sizes && !gpusvm->num_chunks &&
	       !gpusvm->mm_start && !gpusvm->mm_range &&
	       !gpusvm->notifier_size;
}

/* Say it before it happens the first time: reclaim takes this lock. */
static void gsb_annotate_reclaim(struct drm_gpusvm *gpusvm)
{
	fs_reclaim_acquire(GFP_KERNEL);
	might_lock(&gpusvm->notifier_lock);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * drm_gpusvm_init() - prepare an address space to be shared
 * @gpusvm: memory for it, embedded in an object of the driver
 * @label: for people; not copied
 * @mm: the address space of the process, or NULL for an object that is only
 *	used for pages; then all that follows is 0
 * @first: first user address that may be used, page aligned
 * @length: bytes from there on, a multiple of the page size
 * @window: bytes one notifier watches, a power of 2 of at least a page
 * @callbacks: what the driver does for it; invalidate is required
 * @chunks: sizes of ranges in bytes: powers of 2, largest first, none larger
 *	than @window; those below a page are not used; not copied
 * @count: number of sizes
 *
 * Context: May sleep.
 * Return: 0, or -EINVAL when the arguments do not fit together.
 */
int drm_gpusvm_init(struct drm_gpusvm *gpusvm, const char *label,
		    struct mm_struct *mm, unsigned long first,
		    unsigned long length, unsigned long window,
		    const struct drm_gpusvm_ops *callbacks,
		    const unsigned long *chunks, int count)
{
	*gpusvm = (struct drm_gpusvm) {
		.mm = mm,
		.mm_start = first,
		.mm_range = length,
		.notifier_size = window,
		.chunk_sizes = chunks,
		.num_chunks = count,
		.ops = callbacks,
		.name = label,
		.root = RB_ROOT_CACHED,
		.mapped = RB_ROOT_CACHED,
	};
	if (mm ? !gsb_full_mode_valid(gpusvm) : !gsb_pages_mode_valid(gpusvm))
		return -EINVAL;

	INIT_LIST_HEAD(&gpusvm->notifier_list);
	init_rwsem(&gpusvm->notifier_lock);
	mutex_init(&gpusvm->tree_lock);
	spin_lock_init(&gpusvm->mapped_lock);
	gsb_annotate_reclaim(gpusvm);
	if (mm)
		mmgrab(mm);
	return 0;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_init);

/*
 * Take a range out, of the first notifier that is left. What is still mapped
 * is unmapped while core mm still tells of changes: later the process could
 * give pages away that a device still reaches.
 */
static struct drm_gpusvm_range *gsb_take_first_range(struct drm_gpusvm *gpusvm)
{
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *range;

	notifier = drm_gpusvm_notifier_find(gpusvm, 0, ULONG_MAX);
	if (!notifier)
		return NULL;
	if (!notifier->flags.removed) {
		down_write(&gpusvm->notifier_lock);
		gsb_map_revoke(gpusvm, &notifier->notifier,
			       notifier->itree.start, notifier->itree.last);
		up_write(&gpusvm->notifier_lock);
		gsb_notifier_silence(notifier);
	}
	range = list_first_entry(&notifier->range_list,
				 struct drm_gpusvm_range, entry);
	gsb_range_unlink(range);
	return range;
}

static void gsb_remove_all(struct drm_gpusvm *gpusvm)
{
	struct drm_gpusvm_range *range;

	do {
		mutex_lock(&gpusvm->tree_lock);
		range = gsb_take_first_range(gpusvm);
		mutex_unlock(&gpusvm->tree_lock);
		/* The driver's callback may take locks of its own. */
		if (range)
			drm_gpusvm_range_put(range);
	} while (range);
}

/**
 * drm_gpusvm_fini() - stop sharing an address space
 * @gpusvm: the address space
 *
 * Removes all ranges. The device uses none of them any more, and nobody calls
 * anything with @gpusvm but drm_gpusvm_range_put() for references that are left.
 *
 * Context: May sleep. The driver's lock held; neither mmap_lock nor any lock
 * that @ops->invalidate takes.
 */
void drm_gpusvm_fini(struct drm_gpusvm *gpusvm)
{
	if (gpusvm->mm) {
		gsb_remove_all(gpusvm);
		mmdrop(gpusvm->mm);
	}
	/* Pages objects outside of ranges are the driver's to free. */
	WARN_ON(!RB_EMPTY_ROOT(&gpusvm->mapped.rb_root));
}
EXPORT_SYMBOL_GPL(drm_gpusvm_fini);

/**
 * drm_gpusvm_find_vma_start() - where does the process have something mapped?
 * @gpusvm: the address space
 * @start: first user address to look at
 * @end: user address behind the last
 *
 * Context: May sleep; mmap_lock is taken for reading.
 * Return: Start address of the first mapping that has a part in the interval,
 * which can be below @start; ULONG_MAX when there is none, or no address space
 * any more, or the caller was killed.
 */
unsigned long drm_gpusvm_find_vma_start(struct drm_gpusvm *gpusvm,
					unsigned long start, unsigned long end)
{
	unsigned long found = ULONG_MAX;
	struct vm_area_struct *vma;

	if (start >= end || !gpusvm->mm || !mmget_not_zero(gpusvm->mm))
		return found;
	if (!mmap_read_lock_killable(gpusvm->mm)) {
		vma = find_vma_intersection(gpusvm->mm, start, end);
		if (vma)
			found = vma->vm_start;
		mmap_read_unlock(gpusvm->mm);
	}
	mmput_async(gpusvm->mm);
	return found;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_find_vma_start);

/**
 * drm_gpusvm_has_mapping() - are there ranges in an interval?
 * @gpusvm: the address space
 * @from: first user address to look at
 * @to: user address behind the last
 *
 * Context: The driver's lock or the notifier lock held.
 * Return: true if there is one.
 */
bool drm_gpusvm_has_mapping(struct drm_gpusvm *gpusvm, unsigned long from,
			    unsigned long to)
{
	struct drm_gpusvm_notifier *window;
	bool found = false;

	drm_gpusvm_for_each_notifier(window, gpusvm, from, to) {
		found = drm_gpusvm_range_find(window, from, to);
		if (found)
			break;
	}
	return found;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_has_mapping);
