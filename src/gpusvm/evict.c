// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Bring the device memory of a range home, private and coherent.
 *
 * Private pages come by themselves when the CPU wants them. Coherent pages are
 * there for the CPU already and have to be moved; a look at the page table says
 * where they are, and for whom.
 *
 * Lock order: mmap_lock (read) -> page locks, as for any migration.
 */
#include <linux/delay.h>
#include <linux/hmm.h>
#include <linux/jiffies.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include <drm/drm_pagemap.h>

#include "compat/compat.h"
#include "evict.h"
#include "gpusvm.h"
#include "pagemap/home.h"
#include "pagemap/lists.h"
#include "peek.h"
#include "trace.h"

#define GSB_EVICT_MS		HMM_RANGE_DEFAULT_TIMEOUT
#define GSB_EVICT_PAUSE_US	1000

/* One pass over the coherent pages of an interval. */
struct gsb_span {
	struct mm_struct *mm;
	struct vm_area_struct *vma;
	unsigned long start;
	unsigned long end;
	void *except;			/* owner whose pages stay, or NULL */
	unsigned long deadline;		/* jiffies */
	bool held;			/* a page did not come */
	bool foreign;			/* a page is not ours to move */
};

/* Returns true if anything moved: then what is known is out of date. */
static bool gsb_span_move(struct gsb_span *span, struct dev_pagemap *pagemap,
			  unsigned long addr, unsigned long end)
{
	if (pagemap->owner == span->except)
		return false;
	if (pagemap->ops != drm_pagemap_pagemap_ops_get()) {
		span->foreign = true;
		return false;
	}
	if (time_before(jiffies, span->deadline) &&
	    gsb_bring_home(span->vma, addr, end, pagemap->owner, NULL))
		return true;
	span->held = true;
	return false;
}

/*
 * The pagemap does not go away while there is a reference, and it is only used
 * to find those who are to be asked.
 */
static bool gsb_span_page(struct gsb_span *span, const struct gsb_peek *peek,
			  unsigned long i, unsigned long end)
{
	struct dev_pagemap *pagemap;
	bool moved;

	if (!gsb_peek_has(peek, i))
		return false;
	pagemap = gsb_get_dev_pagemap(gsb_peek_pfn(peek, i));
	if (!pagemap)
		return false;
	moved = gsb_span_move(span, pagemap, peek->start + (i << PAGE_SHIFT),
			      end);
	put_dev_pagemap(pagemap);
	return moved;
}

static int gsb_span_vma(struct gsb_span *span, unsigned long pos,
			unsigned long end)
{
	struct gsb_peek peek = { .mm = span->mm };
	unsigned long i;
	int err;

	while (pos < end) {
		err = gsb_peek(&peek, pos, end);
		if (err)
			return err;
		for (i = 0; i < peek.npages; i++)
			if (gsb_span_page(span, &peek, i, end))
				break;
		/* Another look, from the page on that was just dealt with. */
		pos += i << PAGE_SHIFT;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static int gsb_span_run(struct gsb_span *span)
{
	unsigned long pos = span->start, end;
	int err = 0;

	while (!err && pos < span->end) {
		span->vma = find_vma_intersection(span->mm, pos, span->end);
		if (!span->vma)
			break;
		end = min(span->vma->vm_end, span->end);
		err = gsb_span_vma(span, max(pos, span->vma->vm_start), end);
		pos = end;
	}
	if (err)
		return err;
	if (span->foreign)
		return -EOPNOTSUPP;
	if (!span->held)
		return 0;
	/* For the next attempt, if that is why. */
	gsb_lists_empty_sometimes();
	return -EBUSY;
}

static int gsb_bring_span_home_locked(struct mm_struct *mm,
				      unsigned long start, unsigned long end,
				      void *except)
{
	struct gsb_span span = {
		.mm = mm,
		.start = start,
		.end = end,
		.except = except,
		.deadline = jiffies + msecs_to_jiffies(GSB_EVICT_MS),
	};

	return gsb_span_run(&span);
}

/**
 * gsb_bring_span_home() - bring coherent pages of an interval home
 * @mm: the address space, with a user reference
 * @start: first user address, page aligned
 * @end: user address behind the last
 * @except: owner whose pages stay where they are, or NULL
 *
 * Context: May sleep, for a bounded time; mmap_lock is taken for reading. No lock
 * may be held that a page release or a driver's copy engine needs.
 * Return: 0 when none is left; -EBUSY when somebody holds pages; -EOPNOTSUPP for
 * pages of a provider that does not use this module; -EINTR when killed.
 */
int gsb_bring_span_home(struct mm_struct *mm, unsigned long start,
			unsigned long end, void *except)
{
	int err;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	err = gsb_bring_span_home_locked(mm, start, end, except);
	mmap_read_unlock(mm);
	return err;
}

/* What came of the access to pages that are missing. */
struct gsb_missing {
	bool tried;		/* they may have come */
	bool refused;		/* some cannot be accessed: those behind may */
};

/*
 * Nothing is waited for: what is on its way from swap, or to be filled through
 * userfaultfd, is not in a device. -EAGAIN tells so, and mmap_lock is still held.
 */
static int gsb_access(struct vm_area_struct *vma, unsigned long addr)
{
	vm_fault_t ret = handle_mm_fault(vma, addr, FAULT_FLAG_REMOTE |
					 FAULT_FLAG_ALLOW_RETRY |
					 FAULT_FLAG_RETRY_NOWAIT, NULL);

	if (ret & VM_FAULT_ERROR)
		return vm_fault_to_errno(ret, 0);
	return ret & VM_FAULT_RETRY ? -EAGAIN : 0;
}

/*
 * Have the CPU access what it does not have. Pages nobody has touched yet become
 * pages of zeroes by this, which costs nothing worth a closer look.
 */
static int gsb_access_missing(struct vm_area_struct *vma,
			      const struct gsb_peek *peek,
			      struct gsb_missing *missing)
{
	unsigned long i;
	int err;

	for (i = 0; i < peek->npages; i++) {
		if (gsb_peek_has(peek, i))
			continue;
		err = gsb_access(vma, peek->start + (i << PAGE_SHIFT));
		if (err && err != -EFAULT && err != -EAGAIN)
			return err;
		missing->tried |= !err;
		missing->refused |= err == -EFAULT;
	}
	return 0;
}

/*
 * Only a second look tells whether a page came: it stays as long as somebody
 * holds it, or it has not been in the device for long enough. Then, and only
 * then, it is worth a pause.
 */
static int gsb_evict_private_vma(struct vm_area_struct *vma,
				 unsigned long pos, unsigned long end)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(GSB_EVICT_MS);
	struct gsb_peek peek = { .mm = vma->vm_mm };
	struct gsb_missing missing;
	bool refused = false, again = false;
	int err;

	while (pos < end) {
		missing = (struct gsb_missing){ };
		err = gsb_peek(&peek, pos, end) ?:
		      gsb_access_missing(vma, &peek, &missing);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (!missing.tried) {
			pos = gsb_peek_end(&peek);
			refused |= missing.refused;
			deadline = jiffies + msecs_to_jiffies(GSB_EVICT_MS);
			again = false;
			continue;
		}
		if (time_after(jiffies, deadline))
			return -EBUSY;
		if (again)
			usleep_range(GSB_EVICT_PAUSE_US, 2 * GSB_EVICT_PAUSE_US);
		again = true;
	}
	return refused ? -EFAULT : 0;
}

static int gsb_evict_private(struct mm_struct *mm, unsigned long pos,
			     unsigned long end)
{
	struct vm_area_struct *vma;
	unsigned long next;
	int err = 0;

	for (; pos < end && (!err || err == -EFAULT); pos = next) {
		vma = find_vma_intersection(mm, pos, end);
		if (!vma)
			break;
		next = min(vma->vm_end, end);
		/* Only such memory is ever in a device. */
		if (vma_is_anonymous(vma) && (vma->vm_flags & VM_READ))
			err = gsb_evict_private_vma(vma, max(pos, vma->vm_start),
						    next) ?: err;
	}
	return err;
}

static int gsb_evict_locked(struct mm_struct *mm, unsigned long start,
			    unsigned long end)
{
	int err = 0, coherent;

	if (IS_ENABLED(CONFIG_DEVICE_PRIVATE))
		err = gsb_evict_private(mm, start, end);
	if (err && err != -EFAULT)
		return err;
	coherent = gsb_bring_span_home_locked(mm, start, end, NULL);
	return err ?: coherent;
}

/**
 * drm_gpusvm_range_evict() - bring all device memory of a range home
 * @gpusvm: the address space
 * @range: the range
 *
 * Whichever devices it is in. Nothing keeps it from moving away again. Of a mapping
 * that must not be read (PROT_NONE) private device memory stays where it is.
 *
 * Context: May sleep, for a bounded time; mmap_lock is taken for reading. The
 * notifier lock not held, and no lock that a CPU fault, a page release or a
 * driver's copy engine needs.
 * Return: 0 when none was left; -EFAULT when the address space is gone or memory
 * of it cannot be accessed, while what can is home; -EBUSY when somebody holds
 * pages; -EOPNOTSUPP for coherent memory of a provider that does not use this
 * module; -ENOMEM; -EINTR when killed.
 */
int drm_gpusvm_range_evict(struct drm_gpusvm *gpusvm,
			   struct drm_gpusvm_range *range)
{
	struct mm_struct *mm = gpusvm->mm;
	int err = -EINTR;

	gsb_might_use_mm(gpusvm, mm);
	if (!mmget_not_zero(mm))
		return -EFAULT;
	if (!mmap_read_lock_killable(mm)) {
		err = gsb_evict_locked(mm, range->itree.start,
				       range->itree.last + 1);
		mmap_read_unlock(mm);
	}
	mmput_async(mm);
	trace_gsb_range(range, GSB_RANGE_EVICTED);
	return err;
}
EXPORT_SYMBOL_GPL(drm_gpusvm_range_evict);
