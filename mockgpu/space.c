// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * An address space that one device mirrors, or several that share its ranges. A
 * device takes a seat; each range has for each seat the pages of that device. Who
 * owns what: a range belongs to the SVM module's tree, its pages to us; they are
 * unmapped before the range is removed.
 *
 * Locks: mockgpu_space.lock (the driver lock of the SVM module) -> mmap_lock ->
 * notifier lock of the SVM module -> those of the MMUs for flushes;
 * mockgpu_space.garbage_lock is a leaf inside of all. Invalidations come with the
 * notifier lock held for writing, and may come from reclaim: nothing is allocated
 * under it. The garbage collector takes mockgpu_space.lock, so it is a worker.
 * mockgpu_spaces_lock, for finding and forgetting spaces, is not held together
 * with any of these.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "device.h"
#include "hw/hw.h"
#include "space.h"
#include "svm.h"

#define MOCKGPU_SPACE_NOTIFIER_SIZE	SZ_512M

static struct workqueue_struct *mockgpu_space_queue;

static DEFINE_MUTEX(mockgpu_spaces_lock);
static LIST_HEAD(mockgpu_spaces);

static const unsigned long mockgpu_space_chunks[] = {
	SZ_2M, SZ_64K, PAGE_SIZE
};

static struct mockgpu_space *to_mockgpu_space(struct drm_gpusvm *base)
{
	return container_of(base, struct mockgpu_space, base);
}

static struct drm_gpusvm_range *mockgpu_range_alloc(struct drm_gpusvm *base)
{
	struct mockgpu_space *space = to_mockgpu_space(base);
	struct mockgpu_range *range;
	unsigned int seat;

	lockdep_assert_held(&space->lock);
	range = kzalloc(struct_size(range, pages, space->count),
			GFP_KERNEL_ACCOUNT);
	if (!range)
		return NULL;

	for (seat = 0; seat < space->count; seat++)
		if (space->seats[seat])
			drm_gpusvm_init_pages(&range->pages[seat],
					      &space->seats[seat]->mdev->drm);
	INIT_LIST_HEAD(&range->garbage);
	return &range->base;
}

static void mockgpu_range_free(struct drm_gpusvm_range *base)
{
	struct mockgpu_space *space = to_mockgpu_space(base->gpusvm);
	struct mockgpu_range *range = to_mockgpu_range(base);
	unsigned int seat;

	for (seat = 0; seat < space->count; seat++)
		drm_gpusvm_free_pages(base->gpusvm, &range->pages[seat],
				      mockgpu_range_npages(range));
	kfree(range);
}

static void mockgpu_space_unmap(struct mockgpu_svm *svm, u64 start, u64 end)
{
	if (!READ_ONCE(svm->mdev->knobs.skip_unmap))
		mockgpu_hw_mmu_unmap(svm->mmu, start, end);
}

static void mockgpu_space_flush(struct mockgpu_svm *svm, u64 start, u64 end)
{
	if (!READ_ONCE(svm->mdev->knobs.skip_flush))
		mockgpu_hw_mmu_flush(svm->mmu, start, end);
}

/**
 * mockgpu_space_unbind() - have nothing lead to what a device has of a range
 * @space: the address space
 * @range: the range
 * @seat: the device's, which is taken
 *
 * Context: The notifier lock held.
 */
void mockgpu_space_unbind(struct mockgpu_space *space,
			  struct mockgpu_range *range, unsigned int seat)
{
	struct mockgpu_svm *svm = space->seats[seat];
	u64 start = drm_gpusvm_range_start(&range->base);
	u64 end = drm_gpusvm_range_end(&range->base);

	mockgpu_space_unmap(svm, start, end);
	mockgpu_space_flush(svm, start, end);
}

static void mockgpu_range_discard(struct mockgpu_space *space,
				  struct mockgpu_range *range,
				  const struct mmu_notifier_range *mmu_range)
{
	drm_gpusvm_range_set_unmapped(&range->base, range->pages, space->count,
				      mmu_range);

	spin_lock(&space->garbage_lock);
	if (list_empty(&range->garbage))
		list_add_tail(&range->garbage, &space->garbage);
	spin_unlock(&space->garbage_lock);
	queue_work(mockgpu_space_queue, &space->garbage_work);
}

/*
 * First out of the page table, then once out of the TLB. What the device has no pages
 * of is not in its page table: whoever unmaps a huge range page by page does not pay
 * for the whole of it each time.
 */
static void mockgpu_space_take_away(struct mockgpu_space *space,
				    unsigned int seat,
				    struct drm_gpusvm_notifier *notifier,
				    const struct mmu_notifier_range *mmu_range)
{
	struct drm_gpusvm_range *range = NULL;
	u64 first = U64_MAX, last = 0;

	drm_gpusvm_for_each_range(range, notifier, mmu_range->start,
				  mmu_range->end) {
		if (!to_mockgpu_range(range)->pages[seat].flags.has_dma_mapping)
			continue;
		first = min_t(u64, first, drm_gpusvm_range_start(range));
		last = drm_gpusvm_range_end(range);
		mockgpu_space_unmap(space->seats[seat],
				    drm_gpusvm_range_start(range), last);
	}
	if (first < last)
		mockgpu_space_flush(space->seats[seat], first, last);
}

static void mockgpu_range_unmap(struct mockgpu_space *space,
				struct mockgpu_range *range)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	unsigned int seat;

	for (seat = 0; seat < space->count; seat++)
		drm_gpusvm_unmap_pages(&space->base, &range->pages[seat],
				       mockgpu_range_npages(range), &ctx);
}

static void mockgpu_space_invalidate(struct drm_gpusvm *base,
				     struct drm_gpusvm_notifier *notifier,
				     const struct mmu_notifier_range *mmu_range)
{
	struct mockgpu_space *space = to_mockgpu_space(base);
	struct drm_gpusvm_range *range = NULL;
	unsigned int seat;

	for (seat = 0; seat < space->count; seat++)
		if (space->seats[seat])
			mockgpu_space_take_away(space, seat, notifier,
						mmu_range);

	drm_gpusvm_for_each_range(range, notifier, mmu_range->start,
				  mmu_range->end) {
		mockgpu_range_unmap(space, to_mockgpu_range(range));
		if (mmu_range->event == MMU_NOTIFY_UNMAP)
			mockgpu_range_discard(space, to_mockgpu_range(range),
					      mmu_range);
	}
}

static const struct drm_gpusvm_ops mockgpu_space_ops = {
	.range_alloc = mockgpu_range_alloc,
	.range_free = mockgpu_range_free,
	.invalidate = mockgpu_space_invalidate,
};

/* What one device has of a range goes; the others keep theirs. */
static void mockgpu_range_leave(struct mockgpu_space *space,
				struct mockgpu_range *range, unsigned int seat)
{
	const struct drm_gpusvm_ctx ctx = {};

	drm_gpusvm_notifier_lock(&space->base);
	mockgpu_space_unbind(space, range, seat);
	drm_gpusvm_notifier_unlock(&space->base);
	drm_gpusvm_unmap_pages(&space->base, &range->pages[seat],
			       mockgpu_range_npages(range), &ctx);
}

/**
 * mockgpu_space_remove() - take a range from the device, and out of the tree
 * @space: the address space
 * @range: the range, which may be gone on return
 *
 * Once it is out of the tree no invalidation finds it to be garbage again.
 *
 * Context: May sleep. space->lock held.
 */
void mockgpu_space_remove(struct mockgpu_space *space,
			  struct mockgpu_range *range)
{
	unsigned int seat;

	lockdep_assert_held(&space->lock);

	drm_gpusvm_range_get(&range->base);
	for (seat = 0; seat < space->count; seat++)
		if (space->seats[seat])
			mockgpu_range_leave(space, range, seat);
	drm_gpusvm_range_remove(&space->base, &range->base);

	spin_lock(&space->garbage_lock);
	list_del_init(&range->garbage);
	spin_unlock(&space->garbage_lock);
	drm_gpusvm_range_put(&range->base);
}

static struct mockgpu_range *
mockgpu_space_first_garbage(struct mockgpu_space *space)
{
	struct mockgpu_range *range;

	spin_lock(&space->garbage_lock);
	range = list_first_entry_or_null(&space->garbage, struct mockgpu_range,
					 garbage);
	spin_unlock(&space->garbage_lock);
	return range;
}

/**
 * mockgpu_space_collect_garbage() - remove ranges of which something was unmapped
 * @space: the address space
 *
 * Context: May sleep. space->lock held.
 */
void mockgpu_space_collect_garbage(struct mockgpu_space *space)
{
	struct mockgpu_range *range;

	while ((range = mockgpu_space_first_garbage(space)))
		mockgpu_space_remove(space, range);
}

static void mockgpu_space_garbage_work(struct work_struct *work)
{
	struct mockgpu_space *space = container_of(work, struct mockgpu_space,
						   garbage_work);

	mutex_lock(&space->lock);
	mockgpu_space_collect_garbage(space);
	mutex_unlock(&space->lock);
}

static struct mockgpu_space *mockgpu_space_new(struct mm_struct *mm,
					       unsigned int count)
{
	struct mockgpu_space *space = kzalloc(sizeof(*space),
					      GFP_KERNEL_ACCOUNT);
	int ret;

	if (!space)
		return ERR_PTR(-ENOMEM);

	INIT_LIST_HEAD(&space->link);
	space->users = 1;
	space->count = count;
	space->small_until = jiffies;
	mockgpu_attrs_init(&space->attrs);
	mutex_init(&space->lock);
	spin_lock_init(&space->garbage_lock);
	INIT_LIST_HEAD(&space->garbage);
	INIT_WORK(&space->garbage_work, mockgpu_space_garbage_work);

	ret = drm_gpusvm_init(&space->base, "mockgpu", mm, 0, mm->task_size,
			      MOCKGPU_SPACE_NOTIFIER_SIZE, &mockgpu_space_ops,
			      mockgpu_space_chunks,
			      ARRAY_SIZE(mockgpu_space_chunks));
	if (ret) {
		kfree(space);
		return ERR_PTR(ret);
	}
	drm_gpusvm_driver_set_lock(&space->base, &space->lock);
	return space;
}

static struct mockgpu_space *mockgpu_space_find(struct mm_struct *mm)
{
	struct mockgpu_space *space;

	lockdep_assert_held(&mockgpu_spaces_lock);
	list_for_each_entry(space, &mockgpu_spaces, link)
		if (space->base.mm == mm)
			return space;
	return NULL;
}

static struct mockgpu_space *mockgpu_space_get_shared(struct mm_struct *mm)
{
	struct mockgpu_space *space;

	mutex_lock(&mockgpu_spaces_lock);
	space = mockgpu_space_find(mm);
	if (space) {
		space->users++;
	} else {
		space = mockgpu_space_new(mm, MOCKGPU_MAX_DEVICES);
		if (!IS_ERR(space))
			list_add(&space->link, &mockgpu_spaces);
	}
	mutex_unlock(&mockgpu_spaces_lock);
	return space;
}

/**
 * mockgpu_space_get() - what devices are to mirror an address space with
 * @mm: the address space, which is kept
 * @shared: together with all who say so, or alone
 *
 * Context: Process context, may sleep.
 * Return: the space, with a reference; -ENOMEM.
 */
struct mockgpu_space *mockgpu_space_get(struct mm_struct *mm, bool shared)
{
	return shared ? mockgpu_space_get_shared(mm) : mockgpu_space_new(mm, 1);
}

/**
 * mockgpu_space_put() - drop a reference
 * @space: the address space, in which the caller has no seat
 *
 * Context: Process context, may sleep.
 */
void mockgpu_space_put(struct mockgpu_space *space)
{
	unsigned int users;

	mutex_lock(&mockgpu_spaces_lock);
	users = --space->users;
	if (!users)
		list_del(&space->link);
	mutex_unlock(&mockgpu_spaces_lock);
	if (users)
		return;

	drm_gpusvm_fini(&space->base);
	/* With no notifier left nobody queues it again. */
	cancel_work_sync(&space->garbage_work);
	mockgpu_attrs_fini(&space->attrs);
	kfree(space);
}

/* Calls @each for every range there is, which may remove it. */
static void mockgpu_space_walk(struct mockgpu_space *space, unsigned int seat,
			       void (*each)(struct mockgpu_space *space,
					    struct mockgpu_range *range,
					    unsigned int seat))
{
	struct drm_gpusvm_notifier *notifier, *next_notifier;
	struct drm_gpusvm_range *range, *next;

	lockdep_assert_held(&space->lock);
	drm_gpusvm_for_each_notifier_safe(notifier, next_notifier, &space->base,
					  0, ULONG_MAX)
		drm_gpusvm_for_each_range_safe(range, next, notifier, 0,
					       ULONG_MAX)
			each(space, to_mockgpu_range(range), seat);
}

static void mockgpu_range_open(struct mockgpu_space *space,
			       struct mockgpu_range *range, unsigned int seat)
{
	drm_gpusvm_init_pages(&range->pages[seat],
			      &space->seats[seat]->mdev->drm);
}

static void mockgpu_range_close(struct mockgpu_space *space,
				struct mockgpu_range *range, unsigned int seat)
{
	mockgpu_range_leave(space, range, seat);
	drm_gpusvm_free_pages(&space->base, &range->pages[seat],
			      mockgpu_range_npages(range));

	drm_gpusvm_notifier_lock(&space->base);
	memset(&range->pages[seat], 0, sizeof(range->pages[seat]));
	drm_gpusvm_notifier_unlock(&space->base);
}

static void mockgpu_range_end(struct mockgpu_space *space,
			      struct mockgpu_range *range, unsigned int seat)
{
	mockgpu_space_remove(space, range);
}

static void mockgpu_space_seat(struct mockgpu_space *space, unsigned int seat,
			       struct mockgpu_svm *svm)
{
	drm_gpusvm_notifier_lock(&space->base);
	space->seats[seat] = svm;
	drm_gpusvm_notifier_unlock(&space->base);
}

static unsigned int mockgpu_space_free_seat(const struct mockgpu_space *space)
{
	unsigned int seat = 0;

	while (seat < space->count && space->seats[seat])
		seat++;
	return seat;
}

/**
 * mockgpu_space_sit() - a device begins to mirror an address space
 * @space: the address space
 * @svm: the device's mirror, complete but for its seat, which is set
 *
 * Context: Process context, may sleep.
 * Return: 0, or -EBUSY when all seats are taken.
 */
int mockgpu_space_sit(struct mockgpu_space *space, struct mockgpu_svm *svm)
{
	int ret = -EBUSY;

	mutex_lock(&space->lock);
	mockgpu_space_collect_garbage(space);
	svm->seat = mockgpu_space_free_seat(space);
	if (svm->seat < space->count) {
		mockgpu_space_seat(space, svm->seat, svm);
		mockgpu_space_walk(space, svm->seat, mockgpu_range_open);
		ret = 0;
	}
	mutex_unlock(&space->lock);
	return ret;
}

static bool mockgpu_space_is_alone(const struct mockgpu_space *space,
				   const struct mockgpu_svm *svm)
{
	unsigned int seat;

	for (seat = 0; seat < space->count; seat++)
		if (space->seats[seat] && space->seats[seat] != svm)
			return false;
	return true;
}

/**
 * mockgpu_space_rise() - a device mirrors an address space no longer
 * @space: the address space
 * @svm: the device's mirror
 *
 * Context: Process context, may sleep.
 */
void mockgpu_space_rise(struct mockgpu_space *space, struct mockgpu_svm *svm)
{
	mutex_lock(&space->lock);
	if (mockgpu_space_is_alone(space, svm))
		mockgpu_space_walk(space, svm->seat, mockgpu_range_end);
	else
		mockgpu_space_walk(space, svm->seat, mockgpu_range_close);
	mockgpu_space_seat(space, svm->seat, NULL);
	mutex_unlock(&space->lock);
}

/**
 * mockgpu_space_clear() - a device forgets all it had of an address space
 * @space: the address space
 * @svm: the device's mirror, which keeps its seat
 *
 * Context: Process context, may sleep.
 */
void mockgpu_space_clear(struct mockgpu_space *space, struct mockgpu_svm *svm)
{
	mutex_lock(&space->lock);
	if (mockgpu_space_is_alone(space, svm))
		mockgpu_space_walk(space, svm->seat, mockgpu_range_end);
	else
		mockgpu_space_walk(space, svm->seat, mockgpu_range_leave);
	mutex_unlock(&space->lock);
}

/**
 * mockgpu_space_module_init() - make the queue of the garbage collectors
 *
 * Context: Module init.
 * Return: 0 or -ENOMEM.
 */
int mockgpu_space_module_init(void)
{
	mockgpu_space_queue = alloc_workqueue("mockgpu_svm", WQ_UNBOUND, 0);
	return mockgpu_space_queue ? 0 : -ENOMEM;
}

/**
 * mockgpu_space_module_exit() - undo mockgpu_space_module_init()
 *
 * Context: Module exit: there are no spaces any more.
 */
void mockgpu_space_module_exit(void)
{
	destroy_workqueue(mockgpu_space_queue);
}
