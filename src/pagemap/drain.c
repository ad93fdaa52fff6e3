// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Many threads fault on one device-private page, before Linux 6.15.
 *
 * There each of them comes to the fault callback with a reference on the page
 * and without its lock. One collects the page; the references of the others
 * make it look pinned, the collection is refused, all try again: none ever
 * gets it. But once the collecting thread has put its migration entry into the
 * page table no more references can come, and those there are go away as the
 * others return. Core mm tells notifiers of the end of an invalidation between
 * just these two steps, entry and check, in the same thread, which may sleep
 * there. So that is where it waits.
 *
 * Locks: gsb_drain_lock is innermost, for the list of faults; gsb_attached_lock
 * inside of anything. gsb_wrong_lock is a mistake made on purpose.
 */
#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/hashtable.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait_bit.h>

#include "drain.h"
#include "lists.h"
#include "../delay.h"

#ifdef GSB_NEEDS_DRAIN

/* Long enough for a reader that lost its CPU, short enough to stay alive. */
#define GSB_DRAIN_MS		1000
#define GSB_DRAIN_AGAIN_MS	50
#define GSB_DRAIN_SPINS		50

static bool gsb_no_drain;
module_param_named_unsafe(no_drain, gsb_no_drain, bool, 0644);
MODULE_PARM_DESC(no_drain,
		 "For tests: who faults on a page waits for a mutex, as nobody may");

/* What a fault handler would naturally do, and what must show the livelock. */
static DEFINE_MUTEX(gsb_wrong_lock);
#define GSB_WRONG_MS		2

struct gsb_drain_mm {
	struct mmu_notifier notifier;
	struct hlist_node node;		/* in gsb_attached, or not hashed */
};

static DEFINE_HASHTABLE(gsb_drains, 6);
static DEFINE_SPINLOCK(gsb_drain_lock);

/* By address space. */
static DEFINE_HASHTABLE(gsb_attached, 6);
static DEFINE_SPINLOCK(gsb_attached_lock);
/* Those there are, until nothing of core mm can lead to them. */
static atomic_t gsb_drain_mms = ATOMIC_INIT(0);

static const struct gsb_drain *gsb_drain_find(const struct task_struct *task)
{
	const struct gsb_drain *found = NULL;
	struct gsb_drain *drain;

	spin_lock(&gsb_drain_lock);
	hash_for_each_possible(gsb_drains, drain, node, (unsigned long)task)
		if (drain->task == task)
			found = drain;
	spin_unlock(&gsb_drain_lock);
	return found;
}

/*
 * The fault's reference and the collection's, besides one for each mapping;
 * what is more belongs to a thread that is on its way out.
 */
static bool gsb_drained(struct page *page)
{
	return page_ref_count(page) - gsb_page_mapcount(page) <= 2;
}

static void gsb_drain_wait(struct page *page, unsigned int ms)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(ms);
	unsigned int spins;

	if (READ_ONCE(gsb_no_drain))
		return;
	for (spins = 0; spins < GSB_DRAIN_SPINS; spins++) {
		if (gsb_drained(page))
			return;
		cpu_relax();
	}
	while (!gsb_drained(page) && time_before(jiffies, deadline))
		usleep_range(10, 40);
}

static void gsb_drain_range_end(struct mmu_notifier *notifier,
				const struct mmu_notifier_range *range)
{
	const struct gsb_drain *drain;

	if (range->event != MMU_NOTIFY_MIGRATE)
		return;
	drain = gsb_drain_find(current);
	/* Who did not get the page is one of those others wait for. */
	if (!drain || !*drain->src)
		return;
	/* One may be that of a list, if the mapping is locked, see vma.c. */
	if (!gsb_drained(drain->page))
		gsb_lists_empty_here();
	gsb_drain_wait(drain->page, GSB_DRAIN_MS);
}

static struct mmu_notifier *gsb_drain_alloc(struct mm_struct *mm)
{
	struct gsb_drain_mm *entry = kzalloc_obj(*entry);

	if (!entry)
		return ERR_PTR(-ENOMEM);
	INIT_HLIST_NODE(&entry->node);
	atomic_inc(&gsb_drain_mms);
	return &entry->notifier;
}

static void gsb_drain_free(struct mmu_notifier *notifier)
{
	kfree(container_of(notifier, struct gsb_drain_mm, notifier));
	if (atomic_dec_and_test(&gsb_drain_mms))
		wake_up_var(&gsb_drain_mms);
}

/* Whoever takes an entry from the table drops its reference. */
static bool gsb_drain_unlink(struct gsb_drain_mm *entry)
{
	bool mine;

	spin_lock(&gsb_attached_lock);
	mine = hash_hashed(&entry->node);
	hash_del(&entry->node);
	spin_unlock(&gsb_attached_lock);
	return mine;
}

static void gsb_drain_mm_exits(struct mmu_notifier *notifier,
			       struct mm_struct *mm)
{
	struct gsb_drain_mm *entry =
		container_of(notifier, struct gsb_drain_mm, notifier);

	if (!gsb_drain_unlink(entry))
		return;
	gsb_delay();
	mmu_notifier_put(notifier);
}

static const struct mmu_notifier_ops gsb_drain_ops = {
	.invalidate_range_end = gsb_drain_range_end,
	.release = gsb_drain_mm_exits,
	.alloc_notifier = gsb_drain_alloc,
	.free_notifier = gsb_drain_free,
};

static bool gsb_drain_link(struct gsb_drain_mm *entry, struct mm_struct *mm)
{
	bool fresh;

	spin_lock(&gsb_attached_lock);
	fresh = !hash_hashed(&entry->node);
	if (fresh)
		hash_add(gsb_attached, &entry->node, (unsigned long)mm);
	spin_unlock(&gsb_attached_lock);
	return fresh;
}

static bool gsb_drain_is_linked(const struct mm_struct *mm)
{
	struct gsb_drain_mm *entry;
	bool found = false;

	spin_lock(&gsb_attached_lock);
	hash_for_each_possible(gsb_attached, entry, node, (unsigned long)mm)
		if (entry->notifier.mm == mm)
			found = true;
	spin_unlock(&gsb_attached_lock);
	return found;
}

static void gsb_drain_attach_locked(struct mm_struct *mm)
{
	struct mmu_notifier *notifier;

	notifier = mmu_notifier_get_locked(&gsb_drain_ops, mm);
	if (!IS_ERR(notifier) &&
	    !gsb_drain_link(container_of(notifier, struct gsb_drain_mm,
					 notifier), mm))
		mmu_notifier_put(notifier);
}

/**
 * gsb_drain_attach() - make CPU faults in an address space wait as they must
 * @mm: the address space; the caller has a user reference
 *
 * Once is enough: it lasts until the address space or the module is gone.
 * Without memory nothing is attached and faults may have to be repeated.
 *
 * Context: May sleep; mmap_lock not held, it is taken for writing the first time.
 * Return: 0; -EINTR when killed.
 */
int gsb_drain_attach(struct mm_struct *mm)
{
	if (gsb_drain_is_linked(mm))
		return 0;
	if (mmap_write_lock_killable(mm))
		return -EINTR;
	gsb_drain_attach_locked(mm);
	mmap_write_unlock(mm);
	return 0;
}

/**
 * gsb_drain_begin() - this thread is about to collect a page that faulted
 * @drain: memory on the stack
 * @page: the page
 * @src: its entry among those collected
 *
 * Context: Any. gsb_drain_end() follows.
 */
void gsb_drain_begin(struct gsb_drain *drain, struct page *page,
		     const unsigned long *src)
{
	drain->task = current;
	drain->page = page;
	drain->src = src;
	spin_lock(&gsb_drain_lock);
	hash_add(gsb_drains, &drain->node, (unsigned long)current);
	spin_unlock(&gsb_drain_lock);
}

/**
 * gsb_drain_end() - the page has been collected, or not
 * @drain: what gsb_drain_begin() was given
 *
 * Context: Any.
 */
void gsb_drain_end(struct gsb_drain *drain)
{
	spin_lock(&gsb_drain_lock);
	hash_del(&drain->node);
	spin_unlock(&gsb_drain_lock);
}

/**
 * gsb_drain_wait_again() - one reference too many is let pass by collecting
 * @page: page that was collected
 *
 * But not by the commit, which comes after the copy: a short wait is cheaper.
 *
 * Context: May sleep.
 */
void gsb_drain_wait_again(struct page *page)
{
	gsb_drain_wait(page, GSB_DRAIN_AGAIN_MS);
}

/**
 * gsb_drain_wrongly() - for tests: do what is not to be done
 *
 * Each thread sleeps here with its reference on the page. The control that
 * shows that the tests of the livelock would see one.
 *
 * Context: May sleep.
 */
void gsb_drain_wrongly(void)
{
	if (likely(!READ_ONCE(gsb_no_drain)))
		return;
	mutex_lock(&gsb_wrong_lock);
	msleep(GSB_WRONG_MS);
	mutex_unlock(&gsb_wrong_lock);
}

static struct gsb_drain_mm *gsb_drain_first(void)
{
	struct gsb_drain_mm *entry, *found = NULL;
	int bucket;

	spin_lock(&gsb_attached_lock);
	hash_for_each(gsb_attached, bucket, entry, node)
		found = entry;
	if (found)
		hash_del(&found->node);
	spin_unlock(&gsb_attached_lock);
	return found;
}

/**
 * gsb_drain_exit() - detach from all address spaces
 *
 * A process that ends just now took its entry from the table, and mmu_notifier_put()
 * may come behind the last mmu_notifier_synchronize(): so they are counted.
 *
 * Context: Module exit.
 */
void gsb_drain_exit(void)
{
	struct gsb_drain_mm *entry;

	while ((entry = gsb_drain_first()))
		mmu_notifier_put(&entry->notifier);
	wait_var_event(&gsb_drain_mms, !atomic_read(&gsb_drain_mms));
	mmu_notifier_synchronize();
}

#endif
