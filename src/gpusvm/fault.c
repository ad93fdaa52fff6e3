// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Have the CPU's page table filled and read it.
 *
 * hmm_range_fault_unlocked_timeout() of Linux 7.3 is not used, although it can
 * wait for a userfaultfd: it does so without limit. See slow.c and vma.h.
 */
#include <linux/hmm.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/oom.h>
#include <linux/sched/signal.h>

#include <drm/drm_gpusvm.h>

#include "get.h"
#include "vma.h"

/* As many as are faulted in without letting others run. */
#define GSB_FAULT_PAGES	512UL

/* Is that so of any of the mappings? */
static bool gsb_fault_any(const struct gsb_get *get,
			  bool (*is_so)(const struct vm_area_struct *vma))
{
	unsigned long pos = get->start;
	struct vm_area_struct *vma;

	while (pos < get->end) {
		vma = find_vma_intersection(get->mm, pos, get->end);
		if (!vma)
			return false;
		if (is_so(vma))
			return true;
		pos = vma->vm_end;
	}
	return false;
}

static unsigned long gsb_fault_wanted(const struct gsb_get *get)
{
	return HMM_PFN_REQ_FAULT |
	       (get->ctx->read_only ? 0 : HMM_PFN_REQ_WRITE);
}

static int gsb_fault_some(const struct gsb_get *get, unsigned long first,
			  unsigned long count, unsigned long wanted)
{
	struct hmm_range range = {
		.notifier = get->notifier,
		.notifier_seq = get->seq,
		.start = get->start + (first << PAGE_SHIFT),
		.end = get->start + ((first + count) << PAGE_SHIFT),
		.hmm_pfns = get->pfns + first,
		.default_flags = wanted,
		.dev_private_owner = get->ctx->device_private_page_owner,
	};

	/* Some kernels keep bits of what they find in it. */
	memset(range.hmm_pfns, 0, count * sizeof(*range.hmm_pfns));
	return hmm_range_fault(&range);
}

/* What is there already? */
static int gsb_fault_look(const struct gsb_get *get)
{
	unsigned long i, n;
	int err = 0;

	for (i = 0; i < get->npages && !err; i += n) {
		n = min(get->npages - i, GSB_FAULT_PAGES);
		err = gsb_fault_some(get, i, n, 0);
		cond_resched();
	}
	return err;
}

/* What is asked for is answered in the same bits. */
static bool gsb_fault_has(const struct gsb_get *get, unsigned long i)
{
	unsigned long wanted = gsb_fault_wanted(get);

	return (get->pfns[i] & wanted) == wanted;
}

/* The first page from @i on that is not there, or not as it is wanted. */
static unsigned long gsb_fault_next(const struct gsb_get *get, unsigned long i)
{
	while (i < get->npages && gsb_fault_has(get, i))
		i += gsb_get_block(get, i);
	return i;
}

/* What was found may be gone by now, and the memory of a device with its pages. */
static bool gsb_fault_is_ram(const struct gsb_get *get, unsigned long i)
{
	return pfn_to_online_page(get->pfns[i] & ~HMM_PFN_FLAGS);
}

/*
 * How many pages to fault in at once from page @i on, which is missing. Of a stretch with one
 * missing page core mm faults all that follow, too. That does not matter to RAM, and is
 * less than to look for the next one that is missing; but private device memory would
 * come home.
 */
static unsigned long gsb_fault_stretch(const struct gsb_get *get,
				       unsigned long i)
{
	unsigned long most = min(get->npages, i + GSB_FAULT_PAGES);
	unsigned long end = i + 1, pos = i + 1;

	while (pos < most) {
		if (!gsb_fault_has(get, pos)) {
			end = ++pos;
			continue;
		}
		if (!gsb_fault_is_ram(get, pos))
			break;
		pos += gsb_get_block(get, pos);
	}
	return end - i;
}

static int gsb_fault_missing(const struct gsb_get *get, unsigned long first)
{
	unsigned long i, n;
	int err = 0;

	for (i = first; i < get->npages && !err; i = gsb_fault_next(get, i + n)) {
		n = gsb_fault_stretch(get, i);
		err = gsb_fault_some(get, i, n, gsb_fault_wanted(get));
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return err;
}

/* It is not waited for with mmap_lock held. What is no memory never comes. */
static int gsb_fault_refuse(struct gsb_get *get, unsigned long first)
{
	get->missing = !(get->pfns[first] & HMM_PFN_ERROR);
	return -EFAULT;
}

static int gsb_fault_find(struct gsb_get *get)
{
	unsigned long first;
	int err;

	err = gsb_fault_look(get);
	if (err)
		return err;
	first = gsb_fault_next(get, 0);
	if (first == get->npages)
		return 0;
	return gsb_fault_any(get, gsb_vma_may_wait) ?
	       gsb_fault_refuse(get, first) : gsb_fault_missing(get, first);
}

static int gsb_fault_locked(struct gsb_get *get)
{
	int err;

	/* The OOM killer is at it: what is read now may not be what was. */
	if (check_stable_address_space(get->mm))
		return -EFAULT;
	if (gsb_fault_any(get, gsb_vma_is_secret))
		return -EFAULT;
	/* Core mm knows only that it can be written to somehow. */
	if (!get->ctx->read_only && gsb_fault_any(get, gsb_vma_is_shadow_stack))
		return -EPERM;

	err = gsb_fault_find(get);
	get->stuck = err == -EFAULT;
	return err;
}

/**
 * gsb_fault() - one attempt to find all pages of a call
 * @get: the call; its pfns are filled and, for a fault that was refused, its
 *	stuck and missing are set
 *
 * What was found is only good as long as the call's sequence number is current.
 *
 * Context: May sleep; mmap_lock is taken for reading.
 * Return: 0; -EBUSY when something changed meanwhile; -EINTR when killed; -EFAULT,
 * -EPERM, -ENOMEM or another error of hmm_range_fault().
 */
int gsb_fault(struct gsb_get *get)
{
	int err;

	if (mmap_read_lock_killable(get->mm))
		return -EINTR;
	err = gsb_fault_locked(get);
	mmap_read_unlock(get->mm);
	return err;
}
