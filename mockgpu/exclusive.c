// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Pages of system memory that the device has for itself, for atomic operations.
 *
 * The kernel takes such a page from the CPU's page tables. When the CPU, or anybody
 * else, wants it back, the notifier of the page says so, and the device loses it
 * before that goes on. The SVM module knows nothing of these pages: to look at one
 * means to take it away from the device.
 *
 * Locks: mockgpu_exclusives.lock -> mmap_lock -> page lock -> mockgpu_exclusive.lock
 * -> that of the MMU for flushes; mockgpu_exclusives.lock -> mockgpu_svm.binds_lock;
 * mockgpu_space.lock, with which attributes change -> mockgpu_exclusives.lock.
 * The notifier comes from reclaim as well, and takes the last two of the first line:
 * nothing is allocated inside of them. Notifiers are added and removed with none but
 * these two held.
 */
#include <linux/dma-mapping.h>
#include <linux/hmm.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/userfaultfd_k.h>

#include "bind.h"
#include "compat/exclusive.h"
#include "delay.h"
#include "device.h"
#include "exclusive.h"
#include "gpusvm/vma.h"
#include "hw/hw.h"
#include "patience.h"
#include "svm.h"
#include "space.h"

/* More than that cannot be had at once by an address space of a device. */
#define MOCKGPU_EXCLUSIVE_MAX		512
/* Other devices may still have it mapped. */
#define MOCKGPU_EXCLUSIVE_ATTRS		DMA_ATTR_SKIP_CPU_SYNC

struct mockgpu_exclusive {
	struct mmu_interval_notifier notifier;
	struct mockgpu_svm *svm;
	unsigned long addr;
	struct mutex lock;	/* protects the rest */
	dma_addr_t dma;
	bool mapped;
};

/**
 * mockgpu_exclusive_supported() - can the kernel do that
 *
 * Context: Any.
 * Return: true if it can.
 */
bool mockgpu_exclusive_supported(void)
{
#ifdef GSB_HAVE_EXCLUSIVE
	return true;
#else
	return false;
#endif
}

/**
 * mockgpu_exclusives_init() - the device has no such pages
 * @exclusives: filled
 *
 * Context: Any.
 */
void mockgpu_exclusives_init(struct mockgpu_exclusives *exclusives)
{
	mutex_init(&exclusives->lock);
	xa_init(&exclusives->pages);
	exclusives->count = 0;
}

static struct device *mockgpu_exclusive_dma(struct mockgpu_exclusive *exclusive)
{
	return exclusive->svm->mdev->drm.dev;
}

static void mockgpu_exclusive_unmap(struct mockgpu_exclusive *exclusive)
{
	struct mockgpu_hw_mmu *mmu = exclusive->svm->mmu;
	unsigned long end = exclusive->addr + PAGE_SIZE;

	lockdep_assert_held(&exclusive->lock);

	if (!exclusive->mapped)
		return;
	mockgpu_hw_mmu_unmap(mmu, exclusive->addr, end);
	mockgpu_hw_mmu_flush(mmu, exclusive->addr, end);
	dma_unmap_page_attrs(mockgpu_exclusive_dma(exclusive), exclusive->dma,
			     PAGE_SIZE, DMA_BIDIRECTIONAL,
			     MOCKGPU_EXCLUSIVE_ATTRS);
	exclusive->mapped = false;
}

/* That the device gets it is no reason to take it from the device. */
static bool mockgpu_exclusive_invalidate(struct mmu_interval_notifier *notifier,
					 const struct mmu_notifier_range *range,
					 unsigned long seq)
{
	struct mockgpu_exclusive *exclusive =
		container_of(notifier, struct mockgpu_exclusive, notifier);

	if (range->event == MMU_NOTIFY_EXCLUSIVE &&
	    range->owner == exclusive->svm)
		return true;
	if (mmu_notifier_range_blockable(range))
		mutex_lock(&exclusive->lock);
	else if (!mutex_trylock(&exclusive->lock))
		return false;

	mmu_interval_set_seq(notifier, seq);
	mockgpu_exclusive_unmap(exclusive);
	mutex_unlock(&exclusive->lock);
	return true;
}

static const struct mmu_interval_notifier_ops mockgpu_exclusive_ops = {
	.invalidate = mockgpu_exclusive_invalidate,
};

static void mockgpu_exclusive_free(struct mockgpu_exclusive *exclusive)
{
	struct mockgpu_exclusives *all = &exclusive->svm->exclusives;

	lockdep_assert_held(&all->lock);

	xa_erase(&all->pages, exclusive->addr >> PAGE_SHIFT);
	all->count--;
	/* First, or the page could be freed meanwhile with nobody told. */
	mutex_lock(&exclusive->lock);
	mockgpu_exclusive_unmap(exclusive);
	mutex_unlock(&exclusive->lock);
	gsb_delay();
	mmu_interval_notifier_remove(&exclusive->notifier);
	kfree(exclusive);
}

static void mockgpu_exclusive_make_room(struct mockgpu_exclusives *all)
{
	struct mockgpu_exclusive *exclusive;
	unsigned long index;

	if (all->count < MOCKGPU_EXCLUSIVE_MAX)
		return;
	xa_for_each(&all->pages, index, exclusive) {
		mockgpu_exclusive_free(exclusive);
		break;
	}
}

static int mockgpu_exclusive_watch(struct mockgpu_exclusive *exclusive)
{
	struct mockgpu_svm *svm = exclusive->svm;
	struct mockgpu_exclusives *all = &svm->exclusives;
	int ret;

	ret = mmu_interval_notifier_insert(&exclusive->notifier,
					   svm->space->base.mm, exclusive->addr,
					   PAGE_SIZE, &mockgpu_exclusive_ops);
	if (ret)
		return ret;
	ret = xa_err(xa_store(&all->pages, exclusive->addr >> PAGE_SHIFT,
			      exclusive, GFP_KERNEL_ACCOUNT));
	if (ret)
		mmu_interval_notifier_remove(&exclusive->notifier);
	else
		all->count++;
	return ret;
}

static struct mockgpu_exclusive *mockgpu_exclusive_new(struct mockgpu_svm *svm,
						       unsigned long addr)
{
	struct mockgpu_exclusive *exclusive;
	int ret;

	mockgpu_exclusive_make_room(&svm->exclusives);
	exclusive = kzalloc(sizeof(*exclusive), GFP_KERNEL_ACCOUNT);
	if (!exclusive)
		return ERR_PTR(-ENOMEM);

	exclusive->svm = svm;
	exclusive->addr = addr;
	mutex_init(&exclusive->lock);
	ret = mockgpu_exclusive_watch(exclusive);
	if (!ret)
		return exclusive;

	kfree(exclusive);
	return ERR_PTR(ret);
}

/* The kernel counts it as clean, so it is made dirty while that is ours to do. */
static int mockgpu_exclusive_map(struct mockgpu_exclusive *exclusive,
				 struct page *page)
{
	struct device *dev = mockgpu_exclusive_dma(exclusive);
	struct mockgpu_hw_addr to = { .bus = MOCKGPU_HW_BUS_DMA };

	lockdep_assert_held(&exclusive->lock);

	mockgpu_exclusive_unmap(exclusive);
	/* Meanwhile in VRAM, which has no need of this and is not mapped like that. */
	if (is_zone_device_page(page))
		return -E2BIG;
	to.addr = dma_map_page_attrs(dev, page, 0, PAGE_SIZE, DMA_BIDIRECTIONAL,
				     MOCKGPU_EXCLUSIVE_ATTRS);
	if (dma_mapping_error(dev, to.addr))
		return -ENOMEM;

	set_page_dirty(page);
	exclusive->dma = to.addr;
	exclusive->mapped = true;
	mockgpu_hw_mmu_map(exclusive->svm->mmu, exclusive->addr, 1, to,
			   MOCKGPU_HW_MAP_WRITE);
	return 0;
}

/* It is only looked for, with mmap_lock held. */
static int mockgpu_exclusive_look(struct mockgpu_exclusive *exclusive,
				  unsigned long *pfn)
{
	struct hmm_range range = {
		.notifier = &exclusive->notifier,
		.notifier_seq = mmu_interval_read_begin(&exclusive->notifier),
		.start = exclusive->addr,
		.end = exclusive->addr + PAGE_SIZE,
		.hmm_pfns = pfn,
	};

	*pfn = 0;
	return hmm_range_fault(&range);
}

/*
 * Core mm takes a page only after a fault of its own, and waits in that for a file's
 * server as long as it takes, with mmap_lock held. It may have to even for the process's
 * own copy of a page, as another thread can let go of that in between.
 */
static bool mockgpu_exclusive_may_take(const struct vm_area_struct *vma)
{
	return !(vma->vm_flags & VM_SHARED) && !gsb_vma_has_server(vma);
}

/* What another process has to provide may take as long as it likes: no wait here. */
static int mockgpu_exclusive_may_prepare(struct mockgpu_exclusive *exclusive)
{
	const unsigned long needed = HMM_PFN_VALID | HMM_PFN_WRITE;
	struct mm_struct *mm = exclusive->svm->space->base.mm;
	struct vm_area_struct *vma = vma_lookup(mm, exclusive->addr);
	unsigned long pfn;
	int ret;

	if (!vma)
		return -EFAULT;
	if (!mockgpu_exclusive_may_take(vma))
		return -EOPNOTSUPP;
	if (!userfaultfd_armed(vma))
		return 0;
	ret = mockgpu_exclusive_look(exclusive, &pfn);
	if (ret)
		return ret;
	return (pfn & needed) == needed ? 0 : -ENOENT;
}

/*
 * The CPU has it before, so that what gives it back or unshares it happens before the
 * notifier is asked, and not after.
 */
static int mockgpu_exclusive_prepare(struct mockgpu_exclusive *exclusive)
{
	struct mm_struct *mm = exclusive->svm->space->base.mm;
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;
	ret = mockgpu_exclusive_may_prepare(exclusive);
	if (!ret)
		ret = fixup_user_fault(mm, exclusive->addr, FAULT_FLAG_WRITE,
				       NULL);
	mmap_read_unlock(mm);
	return ret;
}

/* What is not there any more is for the next step to find. */
static int mockgpu_exclusive_check(struct mockgpu_exclusive *exclusive)
{
	struct mm_struct *mm = exclusive->svm->space->base.mm;
	unsigned long pfn;
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ret;
	ret = mockgpu_exclusive_look(exclusive, &pfn);
	mmap_read_unlock(mm);
	if (ret || !(pfn & HMM_PFN_VALID))
		return ret;
	return PageCompound(hmm_pfn_to_page(pfn)) ? -E2BIG : 0;
}

static struct page *mockgpu_exclusive_take(struct mockgpu_exclusive *exclusive)
{
	struct mockgpu_svm *svm = exclusive->svm;
	struct mm_struct *mm = svm->space->base.mm;
	/* If something else is mapped there by now, the next attempt sees to it. */
	struct page *page = ERR_PTR(-EBUSY);
	struct vm_area_struct *vma;
	int ret;

	ret = mmap_read_lock_killable(mm);
	if (ret)
		return ERR_PTR(ret);
	vma = vma_lookup(mm, exclusive->addr);
	if (vma && mockgpu_exclusive_may_take(vma))
		page = gsb_make_exclusive(mm, exclusive->addr, svm);
	mmap_read_unlock(mm);
	return page;
}

static int mockgpu_exclusive_try(struct mockgpu_exclusive *exclusive)
{
	unsigned long seq;
	struct page *page;
	int ret;

	ret = mockgpu_exclusive_prepare(exclusive);
	if (!ret && !gsb_exclusive_takes_parts())
		ret = mockgpu_exclusive_check(exclusive);
	if (ret)
		return ret;

	seq = mmu_interval_read_begin(&exclusive->notifier);
	page = mockgpu_exclusive_take(exclusive);
	if (IS_ERR(page))
		return PTR_ERR(page);

	mutex_lock(&exclusive->lock);
	ret = mmu_interval_read_retry(&exclusive->notifier, seq) ?
	      -EBUSY : mockgpu_exclusive_map(exclusive, page);
	mutex_unlock(&exclusive->lock);
	unlock_page(page);
	put_page(page);
	return ret;
}

static int mockgpu_exclusive_get_locked(struct mockgpu_svm *svm,
					unsigned long addr)
{
	struct mockgpu_exclusive *exclusive;
	struct mockgpu_patience patience;
	int ret;

	exclusive = xa_load(&svm->exclusives.pages, addr >> PAGE_SHIFT);
	if (!exclusive)
		exclusive = mockgpu_exclusive_new(svm, addr);
	if (IS_ERR(exclusive))
		return PTR_ERR(exclusive);

	ret = mockgpu_hw_mmu_prepare(svm->mmu, addr, addr + PAGE_SIZE);
	if (ret)
		return ret;
	mockgpu_patience_begin(&patience);
	do {
		ret = mockgpu_exclusive_try(exclusive);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (ret == -EBUSY && mockgpu_patience_left(&patience));

	svm->exclusives.taken += !ret;
	return ret;
}

/* Who binds a buffer or wants something else drops what there is of them after that. */
static bool mockgpu_exclusive_is_late(struct mockgpu_svm *svm,
				      unsigned long addr,
				      const struct mockgpu_attr_values *values)
{
	return mockgpu_bind_covers(svm, addr) ||
	       READ_ONCE(svm->space->attrs.changes) != values->changes;
}

/**
 * mockgpu_exclusive_get() - give the device a page for atomic operations
 * @svm: the mirror; the caller has a user reference on its address space
 * @addr: user address
 * @values: what is wanted there, and allows it
 *
 * When it returns, the device may already have lost the page again.
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0, -EFAULT no mapping or no permission, -EBUSY others want it, too, a buffer
 * is bound there by now, or something else is wanted,
 * -E2BIG it has to be moved: it is a huge page and this kernel cannot give those, or in
 * coherent VRAM, -ENOENT somebody has to provide it first, which may take long,
 * -EOPNOTSUPP not with such memory or not on this kernel, -ENOMEM, -EINTR the caller was
 * killed.
 */
int mockgpu_exclusive_get(struct mockgpu_svm *svm, unsigned long addr,
			  const struct mockgpu_attr_values *values)
{
	int ret;

	if (!mockgpu_exclusive_supported())
		return -EOPNOTSUPP;
	if (svm->mdev->share_error)
		return svm->mdev->share_error;
	ret = mutex_lock_killable(&svm->exclusives.lock);
	if (ret)
		return ret;
	if (mockgpu_exclusive_is_late(svm, addr, values))
		ret = -EBUSY;
	else
		ret = mockgpu_exclusive_get_locked(svm, PAGE_ALIGN_DOWN(addr));
	mutex_unlock(&svm->exclusives.lock);
	return ret;
}

/**
 * mockgpu_exclusives_drop() - take all such pages from the device
 * @svm: the mirror
 * @start: user address
 * @end: user address
 *
 * Context: Process context, may sleep; no lock held but that of the address space.
 */
void mockgpu_exclusives_drop(struct mockgpu_svm *svm, unsigned long start,
			     unsigned long end)
{
	struct mockgpu_exclusives *all = &svm->exclusives;
	struct mockgpu_exclusive *exclusive;
	unsigned long index;

	mutex_lock(&all->lock);
	xa_for_each_range(&all->pages, index, exclusive, start >> PAGE_SHIFT,
			  (end - 1) >> PAGE_SHIFT)
		mockgpu_exclusive_free(exclusive);
	mutex_unlock(&all->lock);
}
