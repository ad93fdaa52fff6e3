// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The pages calls: one path from a range of addresses to what a device can use.
 *
 * Locks: a pages object's lock is inside of the driver's and outside of the
 * notifier lock; it is only held from preparing to mapping, not while pages are
 * faulted in. mmap_lock is not held together with either.
 *
 * Whoever holds the notifier lock, for reading, and sees that pages are valid may
 * use their addresses until it lets go. So what is mapped is unmapped with that
 * lock held for writing only, whoever wants it.
 */
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include <drm/drm_device.h>

#include "compat/compat.h"
#include "compat/dma.h"
#include "evict.h"
#include "get.h"
#include "gpusvm.h"
#include "map.h"
#include "notifier.h"
#include "slow.h"
#include "trace.h"

/* Losing a race does not end a call before the time is up. */
#define GSB_GET_MS		HMM_RANGE_DEFAULT_TIMEOUT
/* The same trouble twice with nothing changed in between is there to stay. */
#define GSB_GET_SLOW_MOST	2
#define GSB_GET_FETCH_MOST	3

/* So many pages are looked for without memory for it. */
#define GSB_GET_FEW		16UL

static void gsb_get_restart_clock(struct gsb_get *get)
{
	get->deadline = jiffies + msecs_to_jiffies(GSB_GET_MS);
}

/* What needs memory, before the lock that reclaim takes. */
static int gsb_get_prepare(struct gsb_get *get)
{
	const struct drm_gpusvm_map *map = get->pages->map;

	lockdep_assert_held(&get->pages->lock);
	/* An attempt that failed leaves what the object had before. */
	if (get->map && get->map->npages != get->npages) {
		kvfree(get->map);
		get->map = NULL;
	}
	if (!get->map && (!map || map->npages != get->npages)) {
		get->map = gsb_map_alloc(get->npages);
		if (!get->map)
			return -ENOMEM;
	}
	/* A single page has nothing to share a reservation with. */
	if (get->npages > 1 && !gsb_iova_in_use(&get->iova))
		gsb_iova_reserve(&get->iova, get->pages->drm->dev,
				 get->npages << PAGE_SHIFT);
	return 0;
}

static int gsb_get_map_locked(struct gsb_get *get)
{
	int err;

	if (mmu_interval_read_retry(get->notifier, get->seq))
		return -EAGAIN;
	if (get->pages->flags.unmapped ||
	    !gsb_notifier_covers(get->notifier, get->start, get->end))
		return -EFAULT;
	if (gsb_map_covers(get))
		return 0;
	err = gsb_sort(get);
	return err ?: gsb_map_pages(get);
}

/* With what is there already, if it will do, or with nothing mapped. */
static void gsb_get_lock(struct gsb_get *get)
{
	struct drm_gpusvm *gpusvm = get->gpusvm;
	struct drm_gpusvm_pages_flags flags = {
		.__flags = READ_ONCE(get->pages->flags.__flags),
	};

	lockdep_assert_held(&get->pages->lock);
	if (!flags.has_dma_mapping) {
		drm_gpusvm_notifier_lock(gpusvm);
		return;
	}
	down_write(&gpusvm->notifier_lock);
	if (!gsb_map_covers(get))
		gsb_map_take_down(gpusvm, get->pages);
	downgrade_write(&gpusvm->notifier_lock);
}

static int gsb_get_map(struct gsb_get *get)
{
	int err;

	if (mutex_lock_killable(&get->pages->lock))
		return -EINTR;
	err = gsb_get_prepare(get);
	if (!err) {
		gsb_get_lock(get);
		err = gsb_get_map_locked(get);
		if (!err)
			get->pages->notifier_seq = get->seq;
		drm_gpusvm_notifier_unlock(get->gpusvm);
	}
	mutex_unlock(&get->pages->lock);
	return err;
}

static int gsb_get_attempt(struct gsb_get *get)
{
	int err;

	get->attempts++;
	get->stuck = false;
	get->missing = false;
	get->shared = false;
	get->seq = mmu_interval_read_begin(get->notifier);
	err = gsb_fault(get);
	return err ?: gsb_get_map(get);
}

/* What came, but is gone again when it is looked for, has lost a race, too. */
static int gsb_get_slowly(struct gsb_get *get)
{
	bool again = get->slow++ >= GSB_GET_SLOW_MOST;
	int err;

	if (again && !get->missing)
		return -EFAULT;
	if (again && time_after(jiffies, get->deadline))
		return -EBUSY;
	err = gsb_slow_fault(get);
	if (!err && !again)
		gsb_get_restart_clock(get);
	return err;
}

static int gsb_get_fetch(struct gsb_get *get)
{
	int err;

	if (get->fetched++ == GSB_GET_FETCH_MOST)
		return -EBUSY;
	err = gsb_bring_span_home(get->mm, get->start, get->end,
				  get->ctx->device_private_page_owner);
	if (!err)
		gsb_get_restart_clock(get);
	return err;
}

/*
 * A fault on such a page brings it home, unless somebody else is at the page right
 * now, such as an eviction. That is a race like others, but one that does not show
 * in the sequence number.
 */
static int gsb_get_unshare(struct gsb_get *get)
{
	if (time_after(jiffies, get->deadline))
		return -EBUSY;
	if (get->unshared++)
		schedule_timeout_killable(1);
	return gsb_slow_fault(get);
}

/*
 * Was it a race? Then another attempt may do better, for a while. If nothing has
 * changed since the attempt began, the error is not going to go away by itself.
 */
static int gsb_get_help(struct gsb_get *get, int err)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	if (err == -EAGAIN || err == -EBUSY ||
	    mmu_interval_check_retry(get->notifier, get->seq))
		return time_after(jiffies, get->deadline) ? -EBUSY : 0;
	if (err == -EXDEV)
		return gsb_get_fetch(get);
	if (get->shared)
		return gsb_get_unshare(get);
	return get->stuck ? gsb_get_slowly(get) : err;
}

static int gsb_get_run(struct gsb_get *get)
{
	int err;

	gsb_get_restart_clock(get);
	do {
		err = gsb_get_attempt(get);
		if (!err)
			return 0;
		err = gsb_get_help(get, err);
		cond_resched();
	} while (!err);
	return err;
}

/* Pages that are mapped already, well enough. */
static bool gsb_get_has(struct gsb_get *get)
{
	struct drm_gpusvm_pages_flags flags = {
		.__flags = READ_ONCE(get->pages->flags.__flags),
	};
	bool has;

	/* Mostly there is nothing; who maps just now is not missed later. */
	if (!flags.has_dma_mapping)
		return false;
	get->seq = mmu_interval_read_begin(get->notifier);
	mutex_lock(&get->pages->lock);
	drm_gpusvm_notifier_lock(get->gpusvm);
	has = gsb_map_covers(get) &&
	      !mmu_interval_read_retry(get->notifier, get->seq);
	if (has)
		get->pages->notifier_seq = get->seq;
	drm_gpusvm_notifier_unlock(get->gpusvm);
	mutex_unlock(&get->pages->lock);
	return has;
}

static int gsb_get_with_mm(struct gsb_get *get)
{
	unsigned long few[GSB_GET_FEW];
	int err;

	get->pfns = few;
	if (get->npages > GSB_GET_FEW)
		get->pfns = kvmalloc_array(get->npages, sizeof(*get->pfns),
					   GFP_KERNEL | __GFP_NOWARN);
	if (!get->pfns)
		return -ENOMEM;
	/* Last, so that there is one way out. */
	err = -EFAULT;
	if (mmget_not_zero(get->mm)) {
		err = gsb_get_run(get);
		mmput_async(get->mm);
	}
	if (gsb_iova_in_use(&get->iova))
		gsb_iova_release(&get->iova, get->pages->drm->dev,
				 DMA_BIDIRECTIONAL);
	kvfree(get->map);
	if (get->pfns != few)
		kvfree(get->pfns);
	return err;
}

/* Changes outside of its window a notifier does not tell of. */
static bool gsb_get_is_watched(const struct gsb_get *get)
{
	const struct interval_tree_node *window = &get->notifier->interval_tree;

	return get->notifier->mm == get->mm &&
	       get->start >= ALIGN_DOWN(window->start, PAGE_SIZE) &&
	       get->end - 1 <= (window->last | ~PAGE_MASK);
}

static bool gsb_get_valid(const struct gsb_get *get)
{
	return get->pages->drm && PAGE_ALIGNED(get->start | get->end) &&
	       get->start < get->end && gsb_get_is_watched(get);
}

static int gsb_get(struct gsb_get *get)
{
	if (!gsb_get_valid(get))
		return -EINVAL;
	if (gsb_dma_is_limited(get->pages->drm->dev))
		return -EOPNOTSUPP;
	return gsb_get_has(get) ? 0 : gsb_get_with_mm(get);
}

/**
 * drm_gpusvm_get_pages() - have a device reach the pages of a range
 * @gpusvm: the address space
 * @pages: pages object the addresses go to, after drm_gpusvm_init_pages()
 * @mm: address space the pages are of; a user reference is taken for the call
 * @notifier: notifier that tells of changes of the range
 * @start: first user address, page aligned
 * @end: user address behind the last, page aligned
 * @ctx: read_only, devmem_only, allow_mixed, allow_multiple and
 *	device_private_page_owner
 *
 * Pages the process has not touched yet are faulted in, with write access
 * unless ctx->read_only. What is mapped already is kept if it gives all that is
 * asked for; else, as when the device wants to write what it only read before,
 * it is unmapped and mapped anew, and the driver has taken it from the device's
 * page table before it calls.
 *
 * Memory the device does not reach, of providers of this module without a link,
 * is brought home. On return the pages may be invalid again: that is decided by
 * drm_gpusvm_pages_valid(), under the notifier lock.
 *
 * Several may call for the same object at once.
 *
 * Context: May sleep; mmap_lock is taken for reading. The notifier lock not
 * held, and no lock that a CPU fault needs.
 * Return: 0; -EINVAL for an object that was not prepared or a range that is not
 * page aligned or outside of the notifier's window; -EBUSY when the race against
 * changes was not won, or the fault handled, within a second, or somebody holds
 * memory that has to come home; -EFAULT when there is nothing the process could
 * read (or write), the range was unmapped or removed, the address space is gone,
 * or with ctx->devmem_only for system memory; -EPERM for a mapping the process
 * cannot write; -EOPNOTSUPP for a mix ctx does not allow, device memory of
 * others, or a device that does not reach all memory directly; -ENOMEM; -EINTR
 * when killed; or what an IOMMU said. Nothing the call mapped stays after an
 * error; what had been mapped before it may have stayed.
 */
int drm_gpusvm_get_pages(struct drm_gpusvm *gpusvm,
			 struct drm_gpusvm_pages *pages, struct mm_struct *mm,
			 struct mmu_interval_notifier *notifier,
			 unsigned long start, unsigned long end,
			 const struct drm_gpusvm_ctx *ctx)
{
	struct gsb_get get = {
		.gpusvm = gpusvm,
		.pages = pages,
		.ctx = ctx,
		.mm = mm,
		.notifier = notifier,
		.start = start,
		.end = end,
		.npages = (end - start) >> PAGE_SHIFT,
	};
	u64 began = trace_gsb_get_pages_enabled() ? ktime_get_ns() : 0;
	int err;

	gsb_might_use_mm(gpusvm, mm);
	err = gsb_get(&get);
	trace_gsb_get_pages(&get, began, err);
	return err;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_get_pages);

/**
 * drm_gpusvm_pages_valid() - can the device use the pages now?
 * @gpusvm: the address space
 * @pages: the pages object
 *
 * The last look before the device's page table is changed; as long as the lock
 * is held, what is valid stays so and where it is.
 *
 * Context: The notifier lock held.
 * Return: true if it can.
 */
bool drm_gpusvm_pages_valid(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_pages *pages)
{
	struct drm_gpusvm_pages_flags flags = {
		/* Another reader may just have mapped them; see gsb_map_publish() */
		.__flags = smp_load_acquire(&pages->flags.__flags),
	};

	lockdep_assert_held(&gpusvm->notifier_lock);
	return flags.has_dma_mapping && !flags.unmapped;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_pages_valid);

static void gsb_unmap_unlocked(struct drm_gpusvm *gpusvm,
			       struct drm_gpusvm_pages *pages)
{
	mutex_lock(&pages->lock);
	down_write(&gpusvm->notifier_lock);
	gsb_map_take_down(gpusvm, pages);
	up_write(&gpusvm->notifier_lock);
	mutex_unlock(&pages->lock);
}

/**
 * drm_gpusvm_unmap_pages() - end a device's access to pages
 * @gpusvm: the address space
 * @pages: the pages object; with nothing mapped nothing happens
 * @npages: number of pages; not needed, what is mapped is known
 * @ctx: in_notifier
 *
 * The driver has removed the pages from the device's page table and flushed its
 * TLB. On return the IOMMU does not let the device reach them any more; pages that
 * were mapped one by one only if it is strict, see iommu.strict= of the kernel, else
 * moments later.
 *
 * Context: With ctx->in_notifier in @ops->invalidate, the notifier lock held for
 * writing; else may sleep, the notifier lock not held.
 */
void drm_gpusvm_unmap_pages(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_pages *pages,
			    unsigned long npages,
			    const struct drm_gpusvm_ctx *ctx)
{
	if (!pages->drm)
		return;
	if (ctx->in_notifier) {
		lockdep_assert_held_write(&gpusvm->notifier_lock);
		gsb_map_take_down(gpusvm, pages);
		return;
	}
	lockdep_assert_not_held(&gpusvm->notifier_lock);
	gsb_unmap_unlocked(gpusvm, pages);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_unmap_pages);

/**
 * drm_gpusvm_free_pages() - give back what a pages object has
 * @gpusvm: the address space
 * @pages: the pages object; what is still mapped is unmapped first
 * @npages: number of pages; not needed, what is mapped is known
 *
 * Can be called again, and the object can be used again.
 *
 * Context: May sleep. The notifier lock not held.
 */
void drm_gpusvm_free_pages(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_pages *pages,
			   unsigned long npages)
{
	struct drm_gpusvm_map *map;

	if (!pages->drm || !pages->map)
		return;
	lockdep_assert_not_held(&gpusvm->notifier_lock);

	mutex_lock(&pages->lock);
	down_write(&gpusvm->notifier_lock);
	gsb_map_take_down(gpusvm, pages);
	map = pages->map;
	pages->map = NULL;
	pages->dma_addr = NULL;
	up_write(&gpusvm->notifier_lock);
	mutex_unlock(&pages->lock);
	kvfree(map);
}
EXPORT_SYMBOL_GPL(drm_gpusvm_free_pages);
