// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Looking at the pages of an address space, and keeping them for a moment.
 *
 * Locks: mmap_lock (read) -> nothing; mockgpu_mirror.lock is taken after
 * mmap_lock was given back, and inside of mmap_lock by the notifier callback
 * only. As reclaim calls that, nothing that allocates with GFP_KERNEL or
 * touches user memory may be done with mockgpu_mirror.lock held. Opening and
 * closing wait for callbacks: neither with any of these locks held.
 */
#include <linux/mm.h>
#include <linux/mmap_lock.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mirror.h"
#include "patience.h"

static bool mockgpu_mirror_invalidate(struct mmu_interval_notifier *notifier,
				      const struct mmu_notifier_range *range,
				      unsigned long seq)
{
	struct mockgpu_mirror *mirror =
		container_of(notifier, struct mockgpu_mirror, notifier);

	if (mmu_notifier_range_blockable(range))
		mutex_lock(&mirror->lock);
	else if (!mutex_trylock(&mirror->lock))
		return false;

	mmu_interval_set_seq(notifier, seq);
	mutex_unlock(&mirror->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mockgpu_mirror_ops = {
	.invalidate = mockgpu_mirror_invalidate,
};

/**
 * mockgpu_mirror_open() - begin to watch a range
 * @mirror: any memory
 * @mm: the address space; the caller has a user reference on it
 * @start: start of the range, a multiple of the page size
 * @end: end of the range, likewise
 *
 * Context: Process context, may sleep, mmap_lock not held.
 * Return: 0 or -ENOMEM; without mockgpu_mirror_prepare() before also -EINTR when a
 * signal came.
 */
int mockgpu_mirror_open(struct mockgpu_mirror *mirror, struct mm_struct *mm,
			unsigned long start, unsigned long end)
{
	mirror->mm = mm;
	mutex_init(&mirror->lock);
	return mmu_interval_notifier_insert(&mirror->notifier, mm, start,
					    end - start, &mockgpu_mirror_ops);
}

/**
 * mockgpu_mirror_close() - undo mockgpu_mirror_open()
 * @mirror: not locked
 *
 * Context: Process context, may sleep, mmap_lock not held.
 */
void mockgpu_mirror_close(struct mockgpu_mirror *mirror)
{
	mmu_interval_notifier_remove(&mirror->notifier);
}

/**
 * mockgpu_mirror_prepare() - from now on no signal keeps a range from being watched
 * @mm: the address space; the caller has a user reference on it
 *
 * Who is the first to watch an address space takes the locks of all of its mappings,
 * which any signal interrupts. That is to happen here and not to a command, and not
 * in the middle of a fault.
 *
 * Context: Process context, may sleep, mmap_lock not held.
 * Return: 0, -ENOMEM, or -EINTR when a signal came.
 */
int mockgpu_mirror_prepare(struct mm_struct *mm)
{
	struct mockgpu_mirror *mirror =
		kmalloc(sizeof(*mirror), GFP_KERNEL);
	int ret;

	if (!mirror)
		return -ENOMEM;

	ret = mockgpu_mirror_open(mirror, mm, 0, PAGE_SIZE);
	if (!ret)
		mockgpu_mirror_close(mirror);
	kfree(mirror);
	return ret;
}

/* Takes the lock if what was found still holds, else -EBUSY. */
static int mockgpu_mirror_confirm(struct mockgpu_mirror *mirror,
				  unsigned long seq)
{
	mutex_lock(&mirror->lock);
	if (!mmu_interval_read_retry(&mirror->notifier, seq))
		return 0;

	mutex_unlock(&mirror->lock);
	return -EBUSY;
}

static int mockgpu_mirror_walk(struct mockgpu_mirror *mirror,
			       struct hmm_range *range)
{
	memset(mirror->pfns, 0, sizeof(mirror->pfns));
	range->notifier = &mirror->notifier;
	range->hmm_pfns = mirror->pfns;
	return hmm_range_fault(range);
}

/* One attempt; the lock is held when it succeeds. */
static int mockgpu_mirror_try(struct mockgpu_mirror *mirror,
			      struct hmm_range *range)
{
	int ret;

	range->notifier_seq = mmu_interval_read_begin(&mirror->notifier);

	ret = mmap_read_lock_killable(mirror->mm);
	if (ret)
		return ret;
	ret = mockgpu_mirror_walk(mirror, range);
	mmap_read_unlock(mirror->mm);

	return ret ?: mockgpu_mirror_confirm(mirror, range->notifier_seq);
}

/**
 * mockgpu_mirror_lock() - look which pages a range has, and keep them there
 * @mirror: open
 * @start: start, inside of what is watched
 * @end: end, at most 2 MiB after @start
 * @owner: whose device-private pages to report
 *
 * Until mockgpu_mirror_unlock(), &mockgpu_mirror.pfns are the pages of the
 * range, and who wants to change that waits.
 *
 * Context: Process context, may sleep, mmap_lock not held.
 * Return: 0 with the lock held; -EBUSY the range kept changing, -EINTR the
 * caller was killed, or another errno of hmm_range_fault().
 */
int mockgpu_mirror_lock(struct mockgpu_mirror *mirror,
			unsigned long start, unsigned long end,
			void *owner)
{
	struct hmm_range range = {
		.start = start,
		.end = end,
		.dev_private_owner = owner,
	};
	struct mockgpu_patience patience;
	int ret;

	mockgpu_patience_begin(&patience);
	do {
		ret = mockgpu_mirror_try(mirror, &range);
		if (!ret)
			return 0;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (ret == -EBUSY && mockgpu_patience_left(&patience));

	return ret;
}

/**
 * mockgpu_mirror_try_look() - look once, for who has mmap_lock already
 * @mirror: open
 * @start: start, inside of what is watched
 * @end: end, at most 2 MiB after @start
 * @owner: whose device-private pages to report
 *
 * Context: Process context, may sleep, mmap_lock held for reading.
 * Return: 0 with the lock held as from mockgpu_mirror_lock(), -EBUSY when the
 * range is changing, or another errno of hmm_range_fault().
 */
int mockgpu_mirror_try_look(struct mockgpu_mirror *mirror,
			    unsigned long start, unsigned long end,
			    void *owner)
{
	struct hmm_range range = {
		.start = start,
		.end = end,
		.dev_private_owner = owner,
	};
	int ret;

	mmap_assert_locked(mirror->mm);

	range.notifier_seq = mmu_interval_read_begin(&mirror->notifier);
	ret = mockgpu_mirror_walk(mirror, &range);
	return ret ?: mockgpu_mirror_confirm(mirror, range.notifier_seq);
}

/**
 * mockgpu_mirror_unlock() - let the pages go
 * @mirror: locked by mockgpu_mirror_lock() or mockgpu_mirror_try_look()
 *
 * Context: Process context.
 */
void mockgpu_mirror_unlock(struct mockgpu_mirror *mirror)
{
	mutex_unlock(&mirror->lock);
}
