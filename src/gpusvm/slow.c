// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Faults that cannot be handled with mmap_lock held, as of memory that another
 * process fills through userfaultfd, or of a file that a server has.
 *
 * That process may take its time, or never do it, and who waits for it can only
 * be stopped by a signal, which a driver's worker does not get. So a thread of
 * ours waits for it, and the caller waits for the thread as long as it likes.
 * Who asks for the same again joins the thread that is already at it; and an
 * address space that has many of them waiting gets no more. It is a thread for
 * each, and not a work queue, because that runs some hundred at once: a few
 * processes could keep all others from it.
 *
 * Locks: gsb_slow_lock is innermost, for the list of faults.
 */
#include <linux/completion.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_gpusvm.h>

#include "compat/compat.h"
#include "get.h"
#include "peek.h"
#include "slow.h"

#define GSB_SLOW_MS		HMM_RANGE_DEFAULT_TIMEOUT
#define GSB_SLOW_MOST_PER_MM	16
/* More than races lose. */
#define GSB_SLOW_TRIES		16

struct gsb_slow {
	struct list_head link;		/* on gsb_slows, until it is done */
	struct completion done;
	refcount_t refs;
	struct mm_struct *mm;		/* user reference, until it is done */
	void *owner;
	unsigned long start;
	unsigned long end;
	bool write;
	int err;
};

static LIST_HEAD(gsb_slows);
static DEFINE_SPINLOCK(gsb_slow_lock);

static void gsb_slow_put(struct gsb_slow *slow)
{
	if (refcount_dec_and_test(&slow->refs))
		kfree(slow);
}

static bool gsb_slow_wants(const struct gsb_slow *slow,
			   const struct gsb_peek *peek, unsigned long i)
{
	unsigned long needed = HMM_PFN_VALID;

	if (slow->write)
		needed |= HMM_PFN_WRITE;
	return (peek->pfns[i] & needed) != needed;
}

/* Returns -EAGAIN when mmap_lock was dropped, and taken again, for a page to come. */
static int gsb_slow_try(const struct gsb_slow *slow, unsigned long addr)
{
	unsigned int flags = FAULT_FLAG_REMOTE | FAULT_FLAG_ALLOW_RETRY |
			     FAULT_FLAG_KILLABLE;
	struct vm_area_struct *vma = vma_lookup(slow->mm, addr);
	vm_fault_t ret;

	if (!vma || !(vma->vm_flags & (slow->write ? VM_WRITE : VM_READ)))
		return -EFAULT;
	if (slow->write)
		flags |= FAULT_FLAG_WRITE;
	ret = handle_mm_fault(vma, addr, flags, NULL);
	if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) {
		mmap_read_lock(slow->mm);
		return ret & VM_FAULT_RETRY ? -EAGAIN : 0;
	}
	return ret & VM_FAULT_ERROR ? vm_fault_to_errno(ret, 0) : 0;
}

/*
 * Each attempt is like the first. To core mm the second would be the last, at which it
 * waits with mmap_lock held: for ever, if the server failed at first and is silent then.
 * fixup_user_fault() does that. What is read in vain so often cannot be read.
 */
static int gsb_slow_one(const struct gsb_slow *slow, unsigned long addr)
{
	unsigned int tries = 0;
	int err;

	do {
		err = gsb_slow_try(slow, addr);
	} while (err == -EAGAIN && ++tries < GSB_SLOW_TRIES);
	return err == -EAGAIN ? -EFAULT : err;
}

static int gsb_slow_some(const struct gsb_slow *slow,
			 const struct gsb_peek *peek)
{
	unsigned long i;
	int err = 0;

	for (i = 0; i < peek->npages && !err; i++)
		if (gsb_slow_wants(slow, peek, i))
			err = gsb_slow_one(slow,
					   peek->start + (i << PAGE_SHIFT));
	return err;
}

static int gsb_slow_all(const struct gsb_slow *slow)
{
	struct gsb_peek peek = { .mm = slow->mm, .owner = slow->owner };
	unsigned long pos = slow->start;
	int err = 0;

	mmap_read_lock(slow->mm);
	for (; pos < slow->end && !err; pos = gsb_peek_end(&peek)) {
		err = gsb_peek(&peek, pos, slow->end);
		if (!err)
			err = gsb_slow_some(slow, &peek);
	}
	mmap_read_unlock(slow->mm);
	return err;
}

static void gsb_slow_end(struct gsb_slow *slow, int err)
{
	slow->err = err;

	spin_lock(&gsb_slow_lock);
	list_del(&slow->link);
	spin_unlock(&gsb_slow_lock);
	complete_all(&slow->done);
	mmput(slow->mm);
	gsb_slow_put(slow);
}

static int gsb_slow_thread(void *arg)
{
	struct gsb_slow *slow = arg;

	gsb_slow_end(slow, gsb_slow_all(slow));
	module_put_and_kthread_exit(0);
}

/* The caller has a user reference, so there is one to be had for the thread. */
static void gsb_slow_start(struct gsb_slow *slow)
{
	struct task_struct *thread;

	mmget(slow->mm);
	__module_get(THIS_MODULE);
	thread = kthread_run(gsb_slow_thread, slow, "gpusvm_slow");
	if (!IS_ERR(thread))
		return;
	/* If it is a kill it is not that of those who have joined. */
	gsb_slow_end(slow, PTR_ERR(thread) == -ENOMEM ? -ENOMEM : -EBUSY);
	module_put(THIS_MODULE);
}

static bool gsb_slow_is_same(const struct gsb_slow *slow,
			     const struct gsb_get *get)
{
	return slow->mm == get->mm && slow->start == get->start &&
	       slow->end == get->end &&
	       slow->owner == get->ctx->device_private_page_owner &&
	       slow->write == !get->ctx->read_only;
}

static struct gsb_slow *gsb_slow_alloc(const struct gsb_get *get)
{
	struct gsb_slow *slow = kzalloc_obj(*slow);

	if (!slow)
		return NULL;
	init_completion(&slow->done);
	/* The thread's and the caller's. */
	refcount_set(&slow->refs, 2);
	slow->mm = get->mm;
	slow->owner = get->ctx->device_private_page_owner;
	slow->start = get->start;
	slow->end = get->end;
	slow->write = !get->ctx->read_only;
	return slow;
}

/* Returns the one to wait for, which is @fresh if it was put on the list. */
static struct gsb_slow *gsb_slow_join_locked(struct gsb_slow *fresh,
					     const struct gsb_get *get)
{
	unsigned int count = 0;
	struct gsb_slow *slow;

	lockdep_assert_held(&gsb_slow_lock);
	list_for_each_entry(slow, &gsb_slows, link) {
		if (gsb_slow_is_same(slow, get)) {
			refcount_inc(&slow->refs);
			return slow;
		}
		count += slow->mm == get->mm;
	}
	if (count >= GSB_SLOW_MOST_PER_MM)
		return NULL;
	list_add_tail(&fresh->link, &gsb_slows);
	return fresh;
}

static struct gsb_slow *gsb_slow_join(struct gsb_slow *fresh,
				      const struct gsb_get *get)
{
	struct gsb_slow *slow;

	spin_lock(&gsb_slow_lock);
	slow = gsb_slow_join_locked(fresh, get);
	spin_unlock(&gsb_slow_lock);

	if (slow == fresh)
		gsb_slow_start(slow);
	else
		kfree(fresh);
	return slow;
}

/**
 * gsb_slow_fault() - fault in what a call could not get at once
 * @get: the call, with a user reference on its mm
 *
 * Context: May sleep; mmap_lock not held.
 * Return: 0 when all pages were there at one time; -EFAULT, -ENOMEM or another
 * error of the fault; -EBUSY when it takes longer than a second, or too many
 * faults of that kind are pending; -EINTR when killed.
 */
int gsb_slow_fault(const struct gsb_get *get)
{
	struct gsb_slow *slow;
	long left;
	int err = -EBUSY;

	slow = gsb_slow_alloc(get);
	if (!slow)
		return -ENOMEM;
	slow = gsb_slow_join(slow, get);
	if (!slow)
		return -EBUSY;

	left = wait_for_completion_killable_timeout(&slow->done,
						    msecs_to_jiffies(GSB_SLOW_MS));
	if (left < 0)
		err = -EINTR;
	else if (left)
		err = slow->err;
	gsb_slow_put(slow);
	return err;
}
