// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The mirror of an address space: ranges, their pages, and the device's page
 * table. It grows by faults of the device, and shrinks when the kernel says that
 * something changes. Who owns what: a range belongs to the SVM module's tree, its
 * pages to us; they are unmapped before the range is removed.
 *
 * Locks: mockgpu_svm.lock (the driver lock of the SVM module) -> mmap_lock ->
 * notifier lock of the SVM module -> that of the MMU for flushes;
 * mockgpu_svm.garbage_lock is a leaf inside of all. Invalidations come with the
 * notifier lock held for writing, and may come from reclaim: nothing is allocated
 * under it. The garbage collector takes mockgpu_svm.lock, so it is a worker.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "device.h"
#include "hw/hw.h"
#include "pagemap.h"
#include "svm.h"

#define MOCKGPU_SVM_NOTIFIER_SIZE	SZ_512M

/* How long a range may keep changing before its user gives up. */
#define MOCKGPU_SVM_PATIENCE	(2 * HZ)
/* How long after a race that was lost no large ranges are tried. */
#define MOCKGPU_SVM_SMALL	HZ

static struct workqueue_struct *mockgpu_svm_queue;

static const unsigned long mockgpu_svm_chunks[] = { SZ_2M, SZ_64K, PAGE_SIZE };

/*
 * @pages are the device's; @writable says for what they are in the page table, as
 * long as they are valid; @garbage is not empty when the range is to go.
 */
struct mockgpu_range {
	struct drm_gpusvm_range base;
	struct drm_gpusvm_pages pages;
	bool writable;			/* under the notifier lock */
	struct list_head garbage;
};

static struct mockgpu_svm *to_mockgpu_svm(struct drm_gpusvm *base)
{
	return container_of(base, struct mockgpu_svm, base);
}

static struct mockgpu_range *to_mockgpu_range(struct drm_gpusvm_range *base)
{
	return container_of(base, struct mockgpu_range, base);
}

static unsigned long mockgpu_range_npages(struct mockgpu_range *range)
{
	return drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT;
}

static struct drm_gpusvm_range *mockgpu_range_alloc(struct drm_gpusvm *base)
{
	struct mockgpu_svm *svm = to_mockgpu_svm(base);
	struct mockgpu_range *range = kzalloc(sizeof(*range),
					      GFP_KERNEL_ACCOUNT);

	if (!range)
		return NULL;

	drm_gpusvm_init_pages(&range->pages, &svm->mdev->drm);
	INIT_LIST_HEAD(&range->garbage);
	return &range->base;
}

static void mockgpu_range_free(struct drm_gpusvm_range *base)
{
	struct mockgpu_range *range = to_mockgpu_range(base);

	drm_gpusvm_free_pages(base->gpusvm, &range->pages,
			      mockgpu_range_npages(range));
	kfree(range);
}

/* With the notifier lock held: nothing leads to the pages any more. */
static void mockgpu_range_unbind(struct mockgpu_svm *svm,
				 struct mockgpu_range *range)
{
	u64 start = drm_gpusvm_range_start(&range->base);
	u64 end = drm_gpusvm_range_end(&range->base);

	mockgpu_hw_mmu_unmap(svm->mmu, start, end);
	mockgpu_hw_mmu_flush(svm->mmu, start, end);
}

static void mockgpu_range_discard(struct mockgpu_svm *svm,
				  struct mockgpu_range *range,
				  const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(&range->base, &range->pages, 1,
				      mmu_range);

	spin_lock(&svm->garbage_lock);
	if (list_empty(&range->garbage))
		list_add_tail(&range->garbage, &svm->garbage);
	spin_unlock(&svm->garbage_lock);
	queue_work(mockgpu_svm_queue, &svm->garbage_work);
}

/* First out of the page table, then once out of the TLB, and then unmapped. */
static void mockgpu_svm_invalidate(struct drm_gpusvm *base,
				   struct drm_gpusvm_notifier *notifier,
				   const struct mmu_notifier_range *mmu_range)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	unsigned long start = mmu_range->start, end = mmu_range->end;
	struct mockgpu_svm *svm = to_mockgpu_svm(base);
	struct drm_gpusvm_range *range = NULL;
	unsigned long first = ULONG_MAX, last = 0;

	drm_gpusvm_for_each_range(range, notifier, start, end) {
		first = min(first, drm_gpusvm_range_start(range));
		last = drm_gpusvm_range_end(range);
		mockgpu_hw_mmu_unmap(svm->mmu, drm_gpusvm_range_start(range),
				     last);
	}
	if (first > last)
		return;
	mockgpu_hw_mmu_flush(svm->mmu, first, last);

	range = NULL;
	drm_gpusvm_for_each_range(range, notifier, start, end) {
		drm_gpusvm_unmap_pages(base, &to_mockgpu_range(range)->pages,
				       drm_gpusvm_range_size(range) >>
				       PAGE_SHIFT, &ctx);
		if (mmu_range->event == MMU_NOTIFY_UNMAP)
			mockgpu_range_discard(svm, to_mockgpu_range(range),
					      mmu_range);
	}
}

static const struct drm_gpusvm_ops mockgpu_svm_ops = {
	.range_alloc = mockgpu_range_alloc,
	.range_free = mockgpu_range_free,
	.invalidate = mockgpu_svm_invalidate,
};

/* Once it is out of the tree no invalidation finds it to be garbage again. */
static void mockgpu_range_remove(struct mockgpu_svm *svm,
				 struct mockgpu_range *range)
{
	const struct drm_gpusvm_ctx ctx = {};

	lockdep_assert_held(&svm->lock);

	drm_gpusvm_range_get(&range->base);
	drm_gpusvm_notifier_lock(&svm->base);
	mockgpu_range_unbind(svm, range);
	drm_gpusvm_notifier_unlock(&svm->base);
	drm_gpusvm_unmap_pages(&svm->base, &range->pages,
			       mockgpu_range_npages(range), &ctx);
	drm_gpusvm_range_remove(&svm->base, &range->base);

	spin_lock(&svm->garbage_lock);
	list_del_init(&range->garbage);
	spin_unlock(&svm->garbage_lock);
	drm_gpusvm_range_put(&range->base);
}

static struct mockgpu_range *mockgpu_svm_first_garbage(struct mockgpu_svm *svm)
{
	struct mockgpu_range *range;

	spin_lock(&svm->garbage_lock);
	range = list_first_entry_or_null(&svm->garbage, struct mockgpu_range,
					 garbage);
	spin_unlock(&svm->garbage_lock);
	return range;
}

static void mockgpu_svm_collect_garbage(struct mockgpu_svm *svm)
{
	struct mockgpu_range *range;

	while ((range = mockgpu_svm_first_garbage(svm)))
		mockgpu_range_remove(svm, range);
}

static void mockgpu_svm_garbage_work(struct work_struct *work)
{
	struct mockgpu_svm *svm = container_of(work, struct mockgpu_svm,
					       garbage_work);

	mutex_lock(&svm->lock);
	mockgpu_svm_collect_garbage(svm);
	mutex_unlock(&svm->lock);
}

/**
 * mockgpu_svm_init() - begin to mirror an address space
 * @svm: filled
 * @mdev: the device; both have to stay
 * @mm: the address space, which is kept
 *
 * Context: Process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_svm_init(struct mockgpu_svm *svm, struct mockgpu_device *mdev,
		     struct mm_struct *mm)
{
	int ret;

	svm->mdev = mdev;
	svm->small_until = jiffies;
	mutex_init(&svm->lock);
	spin_lock_init(&svm->garbage_lock);
	INIT_LIST_HEAD(&svm->garbage);
	INIT_WORK(&svm->garbage_work, mockgpu_svm_garbage_work);

	svm->mmu = mockgpu_hw_mmu_create(mdev->hw);
	if (!svm->mmu)
		return -ENOMEM;

	ret = drm_gpusvm_init(&svm->base, "mockgpu", mm, 0, mm->task_size,
			      MOCKGPU_SVM_NOTIFIER_SIZE, &mockgpu_svm_ops,
			      mockgpu_svm_chunks,
			      ARRAY_SIZE(mockgpu_svm_chunks));
	if (ret) {
		mockgpu_hw_mmu_destroy(svm->mmu);
		return ret;
	}
	drm_gpusvm_driver_set_lock(&svm->base, &svm->lock);
	return 0;
}

/**
 * mockgpu_svm_clear() - forget all that the device had of the address space
 * @svm: the mirror
 *
 * Context: Process context, may sleep; no lock of @svm held.
 */
void mockgpu_svm_clear(struct mockgpu_svm *svm)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	struct drm_gpusvm_range *range, *next;

	mutex_lock(&svm->lock);
	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &svm->base,
					  0, ULONG_MAX)
		drm_gpusvm_for_each_range_safe(range, next, notifier, 0,
					       ULONG_MAX)
			mockgpu_range_remove(svm, to_mockgpu_range(range));
	mutex_unlock(&svm->lock);
}

/**
 * mockgpu_svm_fini() - undo mockgpu_svm_init()
 * @svm: the mirror, cleared, which nobody uses any more
 *
 * Context: Process context, may sleep.
 */
void mockgpu_svm_fini(struct mockgpu_svm *svm)
{
	drm_gpusvm_fini(&svm->base);
	/* With no notifier left nobody queues it again. */
	cancel_work_sync(&svm->garbage_work);
	mockgpu_hw_mmu_destroy(svm->mmu);
}

/* With the notifier lock held, for pages that are valid. */
static void mockgpu_range_bind(struct mockgpu_svm *svm,
			       struct mockgpu_range *range, bool write)
{
	const struct drm_pagemap_addr *addr = range->pages.dma_addr;
	unsigned long pos = drm_gpusvm_range_start(&range->base);
	unsigned long end = drm_gpusvm_range_end(&range->base);

	while (pos < end) {
		mockgpu_hw_mmu_map(svm->mmu, pos, 1UL << addr->order,
				   mockgpu_pagemap_bus(addr), write);
		pos += PAGE_SIZE << addr->order;
		addr++;
	}
	range->writable = write;
}

static int mockgpu_range_bind_valid(struct mockgpu_svm *svm,
				    struct mockgpu_range *range, bool write)
{
	int ret = -EBUSY;

	drm_gpusvm_notifier_lock(&svm->base);
	if (drm_gpusvm_pages_valid(&svm->base, &range->pages)) {
		mockgpu_range_bind(svm, range, write);
		ret = 0;
	}
	drm_gpusvm_notifier_unlock(&svm->base);
	return ret;
}

/*
 * Has somebody else's fault done it already? If what there is does not suffice
 * it goes, because its pages are to be mapped anew.
 */
static bool mockgpu_range_serves(struct mockgpu_svm *svm,
				 struct mockgpu_range *range, bool write)
{
	bool serves;

	drm_gpusvm_notifier_lock(&svm->base);
	serves = drm_gpusvm_pages_valid(&svm->base, &range->pages) &&
		 (range->writable || !write);
	if (!serves)
		mockgpu_range_unbind(svm, range);
	drm_gpusvm_notifier_unlock(&svm->base);
	return serves;
}

static int mockgpu_range_make_valid(struct mockgpu_svm *svm,
				    struct mockgpu_range *range,
				    const struct drm_gpusvm_ctx *ctx)
{
	unsigned long start = drm_gpusvm_range_start(&range->base);
	unsigned long end = drm_gpusvm_range_end(&range->base);
	int ret;

	ret = mockgpu_hw_mmu_prepare(svm->mmu, start, end);
	if (!ret)
		ret = drm_gpusvm_get_pages(&svm->base, &range->pages,
					   svm->base.mm,
					   &range->base.notifier->notifier,
					   start, end, ctx);
	return ret ?: mockgpu_range_bind_valid(svm, range, !ctx->read_only);
}

/* Unmapped meanwhile: it will be collected, and what is there now is another. */
static bool mockgpu_range_is_gone(const struct mockgpu_range *range)
{
	struct drm_gpusvm_range_flags flags = {
		.__flags = READ_ONCE(range->base.flags.__flags),
	};

	return flags.unmapped;
}

static bool mockgpu_range_has_vram(struct mockgpu_svm *svm,
				   struct mockgpu_range *range, void *owner)
{
	switch (drm_gpusvm_scan_mm(&range->base, owner,
				   &svm->mdev->vram.pagemap)) {
	case DRM_GPUSVM_SCAN_UNPOPULATED:
	case DRM_GPUSVM_SCAN_SYSTEM:
		return false;
	default:
		return true;
	}
}

/*
 * What spoiled the range? VRAM that cannot be mapped, as there is no room in the
 * window of a link, comes home. Of what is in use all the time, or cannot be had
 * at all, as behind the end of a file, it may be but a part: smaller ranges will
 * tell.
 */
static int mockgpu_range_help(struct mockgpu_svm *svm,
			      struct mockgpu_range *range, int error,
			      const struct drm_gpusvm_ctx *ctx)
{
	if (mockgpu_range_is_gone(range))
		return -EBUSY;
	if (error == -ENOMEM &&
	    mockgpu_range_has_vram(svm, range, ctx->device_private_page_owner))
		return drm_gpusvm_range_evict(&svm->base, &range->base) ?:
		       -EBUSY;
	if ((error == -EFAULT || error == -EBUSY) &&
	    mockgpu_range_npages(range) > 1) {
		if (error == -EBUSY)
			svm->small_until = jiffies + MOCKGPU_SVM_SMALL;
		mockgpu_range_remove(svm, range);
		return -E2BIG;
	}
	return error;
}

static int mockgpu_svm_fault_in(struct mockgpu_svm *svm, unsigned long addr,
				unsigned long start, unsigned long end,
				const struct drm_gpusvm_ctx *ctx)
{
	struct drm_gpusvm_range *base;
	struct mockgpu_range *range;
	int ret;

	base = drm_gpusvm_range_find_or_insert(&svm->base, addr, start, end,
					       ctx);
	if (IS_ERR(base))
		return PTR_ERR(base);

	range = to_mockgpu_range(base);
	if (mockgpu_range_serves(svm, range, !ctx->read_only))
		return 0;
	ret = mockgpu_range_make_valid(svm, range, ctx);
	return ret ? mockgpu_range_help(svm, range, ret, ctx) : 0;
}

static int mockgpu_svm_fault_locked(struct mockgpu_svm *svm,
				    unsigned long addr, bool write)
{
	const struct drm_gpusvm_ctx ctx = {
		.device_private_page_owner =
			mockgpu_vram_owner(svm->mdev->config.index),
		.read_only = !write,
		.devmem_possible = mockgpu_device_has_vram(svm->mdev),
		.allow_mixed = true,
		.allow_multiple = true,
	};
	unsigned long page = PAGE_ALIGN_DOWN(addr);
	int ret = -E2BIG;

	mockgpu_svm_collect_garbage(svm);
	if (time_after_eq(jiffies, svm->small_until))
		ret = mockgpu_svm_fault_in(svm, addr, 0,
					   svm->base.mm->task_size, &ctx);
	/* The first one may still find a large range that is there. */
	if (ret == -E2BIG)
		ret = mockgpu_svm_fault_in(svm, addr, page, page + PAGE_SIZE,
					   &ctx);
	if (ret == -E2BIG)
		ret = mockgpu_svm_fault_in(svm, addr, page, page + PAGE_SIZE,
					   &ctx);
	return ret;
}

static int mockgpu_svm_fault_once(struct mockgpu_svm *svm, unsigned long addr,
				  bool write)
{
	int ret;

	ret = mutex_lock_killable(&svm->lock);
	if (ret)
		return ret;
	ret = mockgpu_svm_fault_locked(svm, addr, write);
	mutex_unlock(&svm->lock);
	return ret;
}

/**
 * mockgpu_svm_fault() - the device wants to use an address
 * @svm: the mirror; the caller has a user reference on its address space
 * @addr: user address
 * @write: does it want to write
 *
 * When it returns, the device may already have lost the page again.
 *
 * Context: Process context, may sleep, no lock held.
 * Return: 0, -EFAULT no mapping or no permission, -EBUSY the range kept
 * changing, -EOPNOTSUPP the memory cannot be shared with the device, -ENOMEM,
 * -EINTR the caller was killed.
 */
int mockgpu_svm_fault(struct mockgpu_svm *svm, unsigned long addr, bool write)
{
	unsigned long deadline = jiffies + MOCKGPU_SVM_PATIENCE;
	int ret = svm->mdev->share_error;

	if (ret)
		return ret;
	do {
		ret = mockgpu_svm_fault_once(svm, addr, write);
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while ((ret == -EBUSY || ret == -EAGAIN) &&
		 time_before(jiffies, deadline));

	switch (ret) {
	case -EAGAIN:
		return -EBUSY;
	case -EINVAL:
	case -ENOENT:
	case -EPERM:
	case -EIO:
		return -EFAULT;
	default:
		return ret;
	}
}

/**
 * mockgpu_svm_module_init() - make the queue of the garbage collectors
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_svm_module_init(void)
{
	mockgpu_svm_queue = alloc_workqueue("mockgpu_svm", WQ_UNBOUND, 0);
	return mockgpu_svm_queue ? 0 : -ENOMEM;
}

/**
 * mockgpu_svm_module_exit() - undo mockgpu_svm_module_init()
 *
 * Context: Module exit: there are no mirrors any more.
 */
void mockgpu_svm_module_exit(void)
{
	destroy_workqueue(mockgpu_svm_queue);
}
