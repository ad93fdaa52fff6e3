// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Faults that cannot be handled with mmap_lock held, as of memory that another
 * process fills through userfaultfd, or of a file that a server has.
 *
 * That process may take its time, or never do it, and who waits for it can only
 * be stopped by a signal, which a driver's worker does not get. So a thread of
 * ours waits for it, and the caller waits for the thread as long as it likes.
 * Who asks for the same meanwhile joins the thread that is already at it. One
 * that nobody waits for any more is killed, so there are no more of them than
 * callers; where not even that ends it, as a file's server may have taken its
 * request already, there is a limit for what an address space may leave behind.
 * It is a thread for each, and not a work queue, because that runs some hundred
 * at once: a few processes could keep all others from it.
 *
 * What a thread asks for on behalf of a process is charged to its memory cgroup.
 *
 * Locks: gsb_slow_lock is innermost, for the list of faults.
 */
#include <linux/completion.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <drm/drm_gpusvm.h>

#include "compat/compat.h"
#include "get.h"
#include "peek.h"
#include "slow.h"
#include "vma.h"

#define GSB_SLOW_MS		HMM_RANGE_DEFAULT_TIMEOUT
/* So many that nobody waits for, of one address space and of all. */
#define GSB_SLOW_MOST_LEFT	16
#define GSB_SLOW_MOST_LEFT_ALL	1024
#define GSB_SLOW_PAUSE_MS	20
/* More than races lose. */
#define GSB_SLOW_TRIES		16

struct gsb_slow {
	struct list_head link;		/* on gsb_slows, until it is done */
	struct completion done;
	refcount_t refs;
	unsigned int waiters;
	struct task_struct *thread;
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
	if (!refcount_dec_and_test(&slow->refs))
		return;
	if (slow->thread)
		put_task_struct(slow->thread);
	kfree(slow);
}

/* A kill that came before the thread allows it was for nothing. */
static bool gsb_slow_is_wanted(const struct gsb_slow *slow)
{
	return READ_ONCE(slow->waiters) && !fatal_signal_pending(current);
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

	if (!vma || gsb_vma_is_device(vma))
		return -EFAULT;
	if (!gsb_vma_allows(vma, slow->write))
		return -EPERM;
	if (slow->write)
		flags |= FAULT_FLAG_WRITE;
	ret = handle_mm_fault(vma, addr, flags, NULL);
	if (ret & (VM_FAULT_RETRY | VM_FAULT_COMPLETED)) {
		mmap_read_lock(slow->mm);
		return ret & VM_FAULT_RETRY ? -EAGAIN : 0;
	}
	return ret & VM_FAULT_ERROR ? vm_fault_to_errno(ret, 0) : 0;
}

/* What is read in vain so often cannot be read. */
static int gsb_slow_give_up(const struct gsb_slow *slow, unsigned long addr)
{
	const struct vm_area_struct *vma = vma_lookup(slow->mm, addr);

	return vma && vma->vm_file ? -EFAULT : -EBUSY;
}

/*
 * Each attempt is like the first. To core mm the second would be the last, at which it
 * waits with mmap_lock held: for ever, if the server failed at first and is silent then.
 * fixup_user_fault() does that.
 */
static int gsb_slow_one(const struct gsb_slow *slow, unsigned long addr)
{
	unsigned int tries = 0;
	int err;

	do {
		if (!gsb_slow_is_wanted(slow))
			return -EINTR;
		err = gsb_slow_try(slow, addr);
	} while (err == -EAGAIN && ++tries < GSB_SLOW_TRIES);
	return err == -EAGAIN ? gsb_slow_give_up(slow, addr) : err;
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
	/* Who was told to end should not have an address space to take down. */
	mmput_async(slow->mm);
	gsb_slow_put(slow);
}

static int gsb_slow_charged(const struct gsb_slow *slow)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(slow->mm);
	struct mem_cgroup *others = set_active_memcg(memcg);
	int err;

	err = gsb_slow_all(slow);
	set_active_memcg(others);
	mem_cgroup_put(memcg);
	return err;
}

static int gsb_slow_thread(void *arg)
{
	struct gsb_slow *slow = arg;

	allow_kernel_signal(SIGKILL);
	gsb_slow_end(slow, gsb_slow_charged(slow));
	module_put_and_kthread_exit(0);
}

/* The caller has a user reference, so there is one to be had for the thread. */
static void gsb_slow_start(struct gsb_slow *slow)
{
	struct task_struct *thread;

	mmget(slow->mm);
	__module_get(THIS_MODULE);
	thread = kthread_create(gsb_slow_thread, slow, "gpusvm_slow");
	if (!IS_ERR(thread)) {
		slow->thread = get_task_struct(thread);
		wake_up_process(thread);
		return;
	}
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
	slow->waiters = 1;
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
	unsigned int left = 0, left_all = 0;
	struct gsb_slow *slow;

	lockdep_assert_held(&gsb_slow_lock);
	list_for_each_entry(slow, &gsb_slows, link) {
		if (slow->waiters && gsb_slow_is_same(slow, get)) {
			refcount_inc(&slow->refs);
			WRITE_ONCE(slow->waiters, slow->waiters + 1);
			return slow;
		}
		left_all += !slow->waiters;
		left += slow->mm == get->mm && !slow->waiters;
	}
	if (left >= GSB_SLOW_MOST_LEFT || left_all >= GSB_SLOW_MOST_LEFT_ALL)
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

/* The caller that started it is one of them, so the thread is known to the last. */
static void gsb_slow_leave(struct gsb_slow *slow)
{
	bool last;

	spin_lock(&gsb_slow_lock);
	WRITE_ONCE(slow->waiters, slow->waiters - 1);
	last = !slow->waiters;
	spin_unlock(&gsb_slow_lock);

	if (last && slow->thread && !completion_done(&slow->done))
		send_sig(SIGKILL, slow->thread, 1);
	gsb_slow_put(slow);
}

/**
 * gsb_slow_fault() - fault in what a call could not get at once
 * @get: the call, with a user reference on its mm
 *
 * Context: May sleep; mmap_lock not held.
 * Return: 0 when all pages were there at one time; -EFAULT, -EPERM, -ENOMEM or
 * another error of the fault; -EBUSY when it takes longer than a second, or many
 * that did so cannot be ended; -EINTR when killed.
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
	if (!slow) {
		/* Who is told so mostly asks again. */
		schedule_timeout_killable(msecs_to_jiffies(GSB_SLOW_PAUSE_MS));
		return -EBUSY;
	}

	left = wait_for_completion_killable_timeout(&slow->done,
						    msecs_to_jiffies(GSB_SLOW_MS));
	if (left < 0)
		err = -EINTR;
	else if (left)
		err = slow->err;
	gsb_slow_leave(slow);
	return err;
}
