// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A process as the device sees it: ranges of its memory, made where the device
 * goes, and for each of them the pages that are mapped for the device.
 *
 * The device reads what is there, it never writes. It is not a real one: where
 * a real one would have the addresses in its page table, and fetch the bytes
 * over the bus, a processor reads what those addresses stand for.
 *
 * Locks: vm->lock is taken first, for all that ranges are made, mapped and
 * removed with. mmap_lock and the notifier lock follow, both taken by drm_gpusvm
 * and the latter here too. An invalidation only ever has the notifier lock.
 */
#include <linux/bits.h>
#include <linux/dma-direct.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_device.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>

#include "svmsum_drm.h"
#include "vm.h"

#define SVMSUM_VA_SIZE		BIT(47)
/* How often a range is looked at again that the process keeps changing. */
#define SVMSUM_TRIES		100

struct svmsum_vm {
	struct drm_gpusvm svm;
	struct drm_device *drm;
	struct mutex lock;	/* protects the ranges of svm */
	/* Unmapped by the process; changed under the notifier lock. */
	struct list_head unmapped;
	u64 invalidations;	/* under the notifier lock */
};

struct svmsum_range {
	struct drm_gpusvm_range base;
	struct svmsum_vm *vm;
	/* The driver's own: one for each device that maps the range. */
	struct drm_gpusvm_pages pages;
	/* Place in vm->unmapped; while it is there it counts as a reference. */
	struct list_head link;
};

static const unsigned long svmsum_chunks[] = {
	SZ_4M, SZ_2M, SZ_64K, PAGE_SIZE
};

static struct svmsum_vm *to_vm(struct drm_gpusvm *svm)
{
	return container_of(svm, struct svmsum_vm, svm);
}

static struct svmsum_range *to_range(struct drm_gpusvm_range *base)
{
	return container_of(base, struct svmsum_range, base);
}

static unsigned long svmsum_range_pages(struct svmsum_range *range)
{
	return drm_gpusvm_range_size(&range->base) >> PAGE_SHIFT;
}

static struct drm_gpusvm_range *svmsum_range_alloc(struct drm_gpusvm *svm)
{
	struct svmsum_range *range = kzalloc(sizeof(*range), GFP_KERNEL);

	if (!range)
		return NULL;
	range->vm = to_vm(svm);
	INIT_LIST_HEAD(&range->link);
	drm_gpusvm_init_pages(&range->pages, range->vm->drm);
	return &range->base;
}

static void svmsum_range_free(struct drm_gpusvm_range *base)
{
	struct svmsum_range *range = to_range(base);

	drm_gpusvm_free_pages(&range->vm->svm, &range->pages,
			      svmsum_range_pages(range));
	kfree(range);
}

/* Removing is for whoever has vm->lock; here the notifier lock is held. */
static void svmsum_range_unmapped(struct svmsum_range *range,
				  const struct mmu_notifier_range *event)
{
	drm_gpusvm_range_set_unmapped(&range->base, &range->pages, 1, event);
	if (!list_empty(&range->link))
		return;
	drm_gpusvm_range_get(&range->base);
	list_add_tail(&range->link, &range->vm->unmapped);
}

/*
 * The process's memory changes: on return the device must not reach the pages
 * any more. A real device's page table entries would go first, and its TLB be
 * flushed. Readers have the notifier lock, so none is on its way.
 */
static void svmsum_invalidate(struct drm_gpusvm *svm,
			      struct drm_gpusvm_notifier *notifier,
			      const struct mmu_notifier_range *event)
{
	struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	struct drm_gpusvm_range *base = NULL;
	struct svmsum_range *range;

	drm_gpusvm_for_each_range(base, notifier, event->start, event->end) {
		range = to_range(base);
		to_vm(svm)->invalidations++;
		drm_gpusvm_unmap_pages(svm, &range->pages,
				       svmsum_range_pages(range), &ctx);
		if (event->event == MMU_NOTIFY_UNMAP)
			svmsum_range_unmapped(range, event);
	}
}

static const struct drm_gpusvm_ops svmsum_ops = {
	.range_alloc = svmsum_range_alloc,
	.range_free = svmsum_range_free,
	.invalidate = svmsum_invalidate,
};

static struct svmsum_range *svmsum_vm_first_unmapped(struct svmsum_vm *vm)
{
	struct svmsum_range *range;

	drm_gpusvm_notifier_lock(&vm->svm);
	range = list_first_entry_or_null(&vm->unmapped, struct svmsum_range,
					 link);
	drm_gpusvm_notifier_unlock(&vm->svm);
	return range;
}

/*
 * Called with vm->lock held, once for each range: drm_gpusvm takes a range for
 * granted to be in the tree. Until it leaves the tree the process can unmap it
 * and so put it on the list; afterwards no event finds it.
 */
static void svmsum_vm_remove(struct svmsum_vm *vm, struct svmsum_range *range)
{
	bool listed;

	drm_gpusvm_range_get(&range->base);
	drm_gpusvm_range_remove(&vm->svm, &range->base);
	drm_gpusvm_notifier_lock(&vm->svm);
	listed = !list_empty(&range->link);
	list_del_init(&range->link);
	drm_gpusvm_notifier_unlock(&vm->svm);
	if (listed)
		drm_gpusvm_range_put(&range->base);
	drm_gpusvm_range_put(&range->base);
}

/* Called with vm->lock held. What is still there of a range gets a new one. */
static void svmsum_vm_remove_unmapped(struct svmsum_vm *vm)
{
	struct svmsum_range *range;

	while ((range = svmsum_vm_first_unmapped(vm)))
		svmsum_vm_remove(vm, range);
}

/* Nothing may be mapped when a range leaves the tree: nobody could find it. */
static void svmsum_vm_remove_all(struct svmsum_vm *vm)
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	struct drm_gpusvm_range *base, *next;
	struct drm_gpusvm_ctx ctx = { };

	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &vm->svm, 0,
					  SVMSUM_VA_SIZE) {
		drm_gpusvm_for_each_range_safe(base, next, notifier, 0,
					       SVMSUM_VA_SIZE) {
			struct svmsum_range *range = to_range(base);

			drm_gpusvm_unmap_pages(&vm->svm, &range->pages,
					       svmsum_range_pages(range), &ctx);
			svmsum_vm_remove(vm, range);
		}
	}
}

/**
 * svmsum_vm_create() - let the device see the calling process
 * @drm: the device
 *
 * Return: What to give to the other functions, or an error pointer.
 */
struct svmsum_vm *svmsum_vm_create(struct drm_device *drm)
{
	struct svmsum_vm *vm = kzalloc(sizeof(*vm), GFP_KERNEL);
	int err;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	vm->drm = drm;
	mutex_init(&vm->lock);
	INIT_LIST_HEAD(&vm->unmapped);
	err = drm_gpusvm_init(&vm->svm, "svmsum", current->mm, 0,
			      SVMSUM_VA_SIZE, SZ_512M, &svmsum_ops,
			      svmsum_chunks, ARRAY_SIZE(svmsum_chunks));
	if (err) {
		kfree(vm);
		return ERR_PTR(err);
	}
	drm_gpusvm_driver_set_lock(&vm->svm, &vm->lock);
	return vm;
}

/**
 * svmsum_vm_destroy() - the device forgets the process
 * @vm: what svmsum_vm_create() returned
 */
void svmsum_vm_destroy(struct svmsum_vm *vm)
{
	mutex_lock(&vm->lock);
	svmsum_vm_remove_all(vm);
	drm_gpusvm_fini(&vm->svm);
	mutex_unlock(&vm->lock);
	kfree(vm);
}

/* The memory that the device's address stands for. */
static struct page *svmsum_reach(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	if (domain)
		return pfn_to_page(PHYS_PFN(iommu_iova_to_phys(domain, addr)));
	return pfn_to_page(PHYS_PFN(dma_to_phys(dev, addr)));
}

/* All within one page. */
static u64 svmsum_read(struct device *dev, dma_addr_t addr, size_t size)
{
	const u8 *bytes = kmap_local_page(svmsum_reach(dev, addr));
	u64 sum = 0;
	size_t i;

	for (i = 0; i < size; i++)
		sum += bytes[offset_in_page(addr) + i];
	kunmap_local(bytes);
	return sum;
}

/* Bytes that one entry of the array of addresses stands for. */
static u64 svmsum_read_entry(struct device *dev,
			     const struct drm_pagemap_addr *entry,
			     unsigned long from, unsigned long to)
{
	u64 sum = 0;

	while (from < to) {
		size_t size = min(to - from, PAGE_SIZE - offset_in_page(from));

		sum += svmsum_read(dev, entry->addr + from, size);
		from += size;
	}
	return sum;
}

/*
 * Called with the notifier lock held and valid pages. An entry can stand for
 * many pages; the next entry is for what comes after them.
 */
static u64 svmsum_range_read(struct svmsum_range *range, unsigned long start,
			     unsigned long end)
{
	const struct drm_pagemap_addr *entry = range->pages.dma_addr;
	unsigned long pos = drm_gpusvm_range_start(&range->base);
	unsigned long size;
	u64 sum = 0;

	for (; pos < end; pos += size, entry++) {
		size = PAGE_SIZE << entry->order;
		if (pos + size > start)
			sum += svmsum_read_entry(range->pages.drm->dev, entry,
						 max(start, pos) - pos,
						 min(end, pos + size) - pos);
	}
	return sum;
}

/*
 * The range at start is mapped and read, at most to end; *end is then where it
 * was left. -EAGAIN if the process changed it meanwhile.
 */
static int svmsum_vm_try(struct svmsum_vm *vm, unsigned long start,
			 unsigned long *end, u64 *sum)
{
	struct drm_gpusvm_ctx ctx = { .read_only = true };
	struct drm_gpusvm_range *base;
	struct svmsum_range *range;
	int err;

	svmsum_vm_remove_unmapped(vm);
	base = drm_gpusvm_range_find_or_insert(&vm->svm,
					       ALIGN_DOWN(start, PAGE_SIZE), 0,
					       SVMSUM_VA_SIZE, &ctx);
	if (IS_ERR(base))
		return PTR_ERR(base) == -ENOENT ? -EFAULT : PTR_ERR(base);
	range = to_range(base);
	err = drm_gpusvm_get_pages(&vm->svm, &range->pages, vm->svm.mm,
				   &base->notifier->notifier,
				   drm_gpusvm_range_start(base),
				   drm_gpusvm_range_end(base), &ctx);
	if (err)
		return err;

	drm_gpusvm_notifier_lock(&vm->svm);
	if (drm_gpusvm_pages_valid(&vm->svm, &range->pages)) {
		*end = min(*end, drm_gpusvm_range_end(base));
		*sum += svmsum_range_read(range, start, *end);
	} else {
		err = -EAGAIN;
	}
	drm_gpusvm_notifier_unlock(&vm->svm);
	return err;
}

/*
 * A range that was just torn cannot be mapped; the next try finds what is left
 * of it. Where nothing is left, the first error is not a race.
 */
static int svmsum_vm_sum_range(struct svmsum_vm *vm, unsigned long start,
			       unsigned long *end, u64 *sum)
{
	int err = -EAGAIN, tries;

	for (tries = 0; tries < SVMSUM_TRIES; tries++) {
		if (mutex_lock_killable(&vm->lock))
			return -EINTR;
		err = svmsum_vm_try(vm, start, end, sum);
		mutex_unlock(&vm->lock);
		if (err != -EAGAIN && !(err == -EFAULT && tries < 3))
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return err;
}

/**
 * svmsum_vm_sum() - let the device add up bytes
 * @vm: the process
 * @addr: where they begin
 * @size: how many
 * @sum: the sum
 *
 * Return: 0 or a negative error.
 */
int svmsum_vm_sum(struct svmsum_vm *vm, u64 addr, u64 size, u64 *sum)
{
	unsigned long pos, end;
	int err;

	if (current->mm != vm->svm.mm)
		return -EPERM;
	if (addr >= SVMSUM_VA_SIZE || size > SVMSUM_VA_SIZE - addr)
		return -EFAULT;
	*sum = 0;
	for (pos = addr; pos < addr + size; pos = end) {
		end = addr + size;
		err = svmsum_vm_sum_range(vm, pos, &end, sum);
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/**
 * svmsum_vm_state() - what the device knows of the process
 * @vm: the process
 * @state: where to tell it
 */
void svmsum_vm_state(struct svmsum_vm *vm, struct drm_svmsum_state *state)
{
	struct drm_gpusvm_notifier *notifier;
	struct drm_gpusvm_range *base;

	mutex_lock(&vm->lock);
	svmsum_vm_remove_unmapped(vm);
	drm_gpusvm_notifier_lock(&vm->svm);
	*state = (struct drm_svmsum_state){ .invalidations = vm->invalidations };
	drm_gpusvm_for_each_notifier(notifier, &vm->svm, 0, SVMSUM_VA_SIZE) {
		base = NULL;
		drm_gpusvm_for_each_range(base, notifier, 0, SVMSUM_VA_SIZE) {
			struct svmsum_range *range = to_range(base);

			state->ranges++;
			if (drm_gpusvm_pages_valid(&vm->svm, &range->pages))
				state->pages += svmsum_range_pages(range);
		}
	}
	drm_gpusvm_notifier_unlock(&vm->svm);
	mutex_unlock(&vm->lock);
}
