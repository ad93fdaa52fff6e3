// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * A driver without a device: drm_gpusvm seen from a program.
 *
 * Two devices share each address space. What they read and write goes through
 * the DMA addresses they were given, which without an IOMMU are where the memory
 * is.
 *
 * Locks, from the outside in: gpusvm_test_file.lock -> the notifier lock ->
 * gpusvm_test_file.dead_lock.
 */
#include <linux/dma-mapping.h>
#include <linux/file.h>
#include <linux/highmem.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_file.h>
#include <drm/drm_gpusvm.h>
#include <drm/drm_pagemap.h>

#include "device.h"
#include "gpusvm_test.h"

#define DEVICES	2

struct gpusvm_test_file {
	struct drm_gpusvm gpusvm;
	struct mutex lock;		/* around the ranges */
	spinlock_t dead_lock;		/* for @dead */
	struct list_head dead;
	struct work_struct collect;
	bool closed;
	struct drm_device *drm;		/* a reference */
	void *owner;
};

struct gpusvm_test_range {
	struct drm_gpusvm_range base;
	struct drm_gpusvm_pages pages[DEVICES];
	struct list_head dead;
};

static const struct drm_driver gpusvm_test_driver = {
	.name = "gpusvm_test",
	.desc = "test of drm_gpusvm",
	.major = 1,
};

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device, "PCI device to be, as 0000:00:1e.0 (default: one of its own)");

static uint mask = 64;
module_param(mask, uint, 0444);
MODULE_PARM_DESC(mask, "Bits of a DMA address");

static struct platform_device *gpusvm_test_pdev;
static struct device *gpusvm_test_dev;
static struct drm_device *gpusvm_test_drm;
static const unsigned long gpusvm_test_chunks[] = { SZ_2M, SZ_64K, SZ_4K };

static struct gpusvm_test_file *to_test_file(struct drm_gpusvm *gpusvm)
{
	return container_of(gpusvm, struct gpusvm_test_file, gpusvm);
}

static struct gpusvm_test_range *to_test_range(struct drm_gpusvm_range *range)
{
	return container_of(range, struct gpusvm_test_range, base);
}

static unsigned long range_pages(struct drm_gpusvm_range *range)
{
	return drm_gpusvm_range_size(range) >> PAGE_SHIFT;
}

static struct drm_gpusvm_range *test_range_alloc(struct drm_gpusvm *gpusvm)
{
	struct gpusvm_test_range *range = kzalloc(sizeof(*range), GFP_KERNEL);
	struct drm_device *drm = to_test_file(gpusvm)->drm;
	int i;

	if (!range)
		return NULL;
	INIT_LIST_HEAD(&range->dead);
	for (i = 0; i < DEVICES; i++)
		drm_gpusvm_init_pages(&range->pages[i], drm);
	return &range->base;
}

static void test_range_free(struct drm_gpusvm_range *base)
{
	struct gpusvm_test_range *range = to_test_range(base);
	int i;

	for (i = 0; i < DEVICES; i++)
		drm_gpusvm_free_pages(base->gpusvm, &range->pages[i],
				      range_pages(base));
	kfree(range);
}

static void test_unmap(struct drm_gpusvm_range *base, bool in_notifier)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = in_notifier };
	struct gpusvm_test_range *range = to_test_range(base);
	int i;

	for (i = 0; i < DEVICES; i++)
		drm_gpusvm_unmap_pages(base->gpusvm, &range->pages[i],
				       range_pages(base), &ctx);
}

static void test_bury(struct drm_gpusvm_range *base)
{
	struct gpusvm_test_file *file = to_test_file(base->gpusvm);
	struct gpusvm_test_range *range = to_test_range(base);

	spin_lock(&file->dead_lock);
	if (list_empty(&range->dead) && !file->closed) {
		drm_gpusvm_range_get(base);
		list_add_tail(&range->dead, &file->dead);
		queue_work(system_unbound_wq, &file->collect);
	}
	spin_unlock(&file->dead_lock);
}

static void test_invalidate(struct drm_gpusvm *gpusvm,
			    struct drm_gpusvm_notifier *notifier,
			    const struct mmu_notifier_range *event)
{
	struct drm_gpusvm_range *range = NULL;

	drm_gpusvm_for_each_range(range, notifier, event->start, event->end) {
		test_unmap(range, true);
		if (event->event != MMU_NOTIFY_UNMAP)
			continue;
		drm_gpusvm_range_set_unmapped(range,
					      to_test_range(range)->pages,
					      DEVICES, event);
		test_bury(range);
	}
}

static const struct drm_gpusvm_ops gpusvm_test_ops = {
	.range_alloc = test_range_alloc,
	.range_free = test_range_free,
	.invalidate = test_invalidate,
};

static struct gpusvm_test_range *test_next_dead(struct gpusvm_test_file *file)
{
	struct gpusvm_test_range *range;

	spin_lock(&file->dead_lock);
	range = list_first_entry_or_null(&file->dead, struct gpusvm_test_range,
					 dead);
	if (range)
		list_del_init(&range->dead);
	spin_unlock(&file->dead_lock);
	return range;
}

static void test_collect(struct gpusvm_test_file *file)
{
	struct gpusvm_test_range *range;

	while ((range = test_next_dead(file))) {
		mutex_lock(&file->lock);
		drm_gpusvm_range_remove(&file->gpusvm, &range->base);
		mutex_unlock(&file->lock);
		drm_gpusvm_range_put(&range->base);
	}
}

static void test_collect_work(struct work_struct *work)
{
	test_collect(container_of(work, struct gpusvm_test_file, collect));
}

static int test_open(struct inode *inode, struct file *filp)
{
	struct gpusvm_test_file *file = kzalloc(sizeof(*file), GFP_KERNEL);
	int err;

	if (!file)
		return -ENOMEM;
	mutex_init(&file->lock);
	spin_lock_init(&file->dead_lock);
	INIT_LIST_HEAD(&file->dead);
	INIT_WORK(&file->collect, test_collect_work);
	err = drm_gpusvm_init(&file->gpusvm, "test", current->mm, SZ_64K,
			      BIT(47) - SZ_64K, SZ_512M, &gpusvm_test_ops,
			      gpusvm_test_chunks,
			      ARRAY_SIZE(gpusvm_test_chunks));
	if (err) {
		kfree(file);
		return err;
	}
	drm_dev_get(gpusvm_test_drm);
	file->drm = gpusvm_test_drm;
	filp->private_data = file;
	return 0;
}

static int test_release(struct inode *inode, struct file *filp)
{
	struct gpusvm_test_file *file = filp->private_data;

	spin_lock(&file->dead_lock);
	file->closed = true;
	spin_unlock(&file->dead_lock);
	flush_work(&file->collect);
	test_collect(file);

	mutex_lock(&file->lock);
	drm_gpusvm_fini(&file->gpusvm);
	mutex_unlock(&file->lock);
	drm_dev_put(file->drm);
	kfree(file);
	return 0;
}

static int test_borrow(struct gpusvm_test_file *file,
		       const struct gpusvm_test_args *args)
{
	struct file *filp = fget(args->device);
	struct mockgpu_device *mdev;
	struct drm_file *priv;

	if (!filp)
		return -EBADF;
	priv = filp->private_data;
	mdev = container_of(priv->minor->dev, struct mockgpu_device, drm);
	drm_dev_get(&mdev->drm);
	drm_dev_put(file->drm);
	file->drm = &mdev->drm;
	file->owner = mdev->vram.peer.owner;
	fput(filp);
	return 0;
}

static int test_get_pages(struct drm_gpusvm_range *base,
			  const struct drm_gpusvm_ctx *ctx,
			  struct gpusvm_test_args *args)
{
	struct gpusvm_test_range *range = to_test_range(base);
	struct drm_gpusvm *gpusvm = base->gpusvm;
	int i, err = 0;

	for (i = 0; i < DEVICES && !err; i++)
		err = drm_gpusvm_get_pages(gpusvm, &range->pages[i], gpusvm->mm,
					   &base->notifier->notifier,
					   drm_gpusvm_range_start(base),
					   drm_gpusvm_range_end(base), ctx);
	args->start = drm_gpusvm_range_start(base);
	args->size = drm_gpusvm_range_size(base);
	return err;
}

static int test_fault_locked(struct gpusvm_test_file *file,
			     struct gpusvm_test_args *args)
{
	const struct drm_gpusvm_ctx ctx = {
		.read_only = !!(args->flags & GPUSVM_TEST_READ_ONLY),
		.check_pages_threshold = SZ_64K,
		.devmem_only = !!(args->flags & GPUSVM_TEST_DEVMEM_ONLY),
		.allow_mixed = !!(args->flags & GPUSVM_TEST_MIXED),
		.allow_multiple = !!(args->flags & GPUSVM_TEST_MULTIPLE),
		.device_private_page_owner =
			args->flags & GPUSVM_TEST_OWNER ? file->owner : NULL,
		.take_ref = true,
	};
	struct drm_gpusvm_range *range;
	int err;

	range = drm_gpusvm_range_find_or_insert(&file->gpusvm, args->addr,
						args->window_start,
						args->window_end ?: ULONG_MAX,
						&ctx);
	if (IS_ERR(range))
		return PTR_ERR(range);
	/* What was unmapped is in the way of what is there now. */
	if (READ_ONCE(range->flags.__flags) && range->flags.unmapped) {
		drm_gpusvm_range_remove(&file->gpusvm, range);
		err = -EAGAIN;
	} else {
		err = test_get_pages(range, &ctx, args);
	}
	drm_gpusvm_range_put(range);
	return err;
}

static int test_fault(struct gpusvm_test_file *file,
		      struct gpusvm_test_args *args)
{
	int err;

	if (args->flags & GPUSVM_TEST_PARALLEL)
		return test_fault_locked(file, args);
	mutex_lock(&file->lock);
	err = test_fault_locked(file, args);
	mutex_unlock(&file->lock);
	return err;
}

/* Under the notifier lock, so not the last one. */
static struct drm_gpusvm_range *test_find(struct gpusvm_test_file *file,
					  unsigned long addr)
{
	struct drm_gpusvm_notifier *notifier =
		drm_gpusvm_notifier_find(&file->gpusvm, addr, addr + 1);

	return notifier ? drm_gpusvm_range_find(notifier, addr, addr + 1) :
			  NULL;
}

static phys_addr_t test_phys(dma_addr_t dma)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(gpusvm_test_dev);

	return domain ? iommu_iova_to_phys(domain, dma) : dma;
}

static void test_copy(dma_addr_t dma, void *buffer, size_t size, bool write)
{
	struct page *page = pfn_to_page(PHYS_PFN(test_phys(dma)));
	void *memory = kmap_local_page(page) + offset_in_page(dma);

	if (write)
		memcpy(memory, buffer, size);
	else
		memcpy(buffer, memory, size);
	kunmap_local(memory);
}

/* Find the entry for a page, and check the others on the way. */
static int test_translate(struct drm_gpusvm_range *base,
			  const struct drm_gpusvm_pages *pages,
			  unsigned long addr, bool write, dma_addr_t *dma,
			  __u32 *entries)
{
	unsigned long wanted = (addr - drm_gpusvm_range_start(base)) >>
			       PAGE_SHIFT;
	const struct drm_pagemap_addr *entry = pages->dma_addr;
	unsigned long i, npages = range_pages(base);
	int err = -EINVAL;

	*entries = 0;
	for (i = 0; i < npages; i += NR_PAGES(entry->order), entry++) {
		++*entries;
		if (wanted < i || wanted >= i + NR_PAGES(entry->order))
			continue;
		if (write && entry->dir == DMA_TO_DEVICE)
			return -EACCES;
		*dma = entry->addr + ((wanted - i) << PAGE_SHIFT) +
		       offset_in_page(addr);
		err = 0;
	}
	return i == npages ? err : -EINVAL;
}

static int test_access_locked(struct gpusvm_test_file *file,
			      struct gpusvm_test_args *args, void *buffer)
{
	struct drm_gpusvm_range *range = test_find(file, args->addr);
	bool write = args->flags & GPUSVM_TEST_WRITE;
	struct drm_gpusvm_pages *pages;
	dma_addr_t dma = 0;
	int err;

	if (!range)
		return -ENXIO;
	pages = &to_test_range(range)->pages[args->device];
	if (!drm_gpusvm_pages_valid(&file->gpusvm, pages))
		return -ENXIO;
	err = test_translate(range, pages, args->addr, write, &dma,
			     &args->entries);
	if (!err)
		test_copy(dma, buffer, args->size, write);
	return err;
}

static int test_access(struct gpusvm_test_file *file,
		       struct gpusvm_test_args *args)
{
	bool write = args->flags & GPUSVM_TEST_WRITE;
	void __user *user = u64_to_user_ptr(args->buffer);
	u8 buffer[64];
	int err;

	if (args->device >= DEVICES || args->size > sizeof(buffer) ||
	    offset_in_page(args->addr) + args->size > PAGE_SIZE)
		return -EINVAL;
	if (write && copy_from_user(buffer, user, args->size))
		return -EFAULT;
	drm_gpusvm_notifier_lock(&file->gpusvm);
	err = test_access_locked(file, args, buffer);
	drm_gpusvm_notifier_unlock(&file->gpusvm);
	if (!err && !write && copy_to_user(user, buffer, args->size))
		return -EFAULT;
	return err;
}

static struct drm_gpusvm_range *test_find_get(struct gpusvm_test_file *file,
					      unsigned long addr)
{
	struct drm_gpusvm_range *range;

	drm_gpusvm_notifier_lock(&file->gpusvm);
	range = test_find(file, addr);
	if (range)
		drm_gpusvm_range_get(range);
	drm_gpusvm_notifier_unlock(&file->gpusvm);
	return range;
}

static int test_remove(struct gpusvm_test_file *file,
		       struct gpusvm_test_args *args)
{
	struct drm_gpusvm_range *range = test_find_get(file, args->addr);

	if (!range)
		return -ENXIO;
	if (!(args->flags & GPUSVM_TEST_PARALLEL))
		mutex_lock(&file->lock);
	test_unmap(range, false);
	drm_gpusvm_range_remove(&file->gpusvm, range);
	if (!(args->flags & GPUSVM_TEST_PARALLEL))
		mutex_unlock(&file->lock);
	drm_gpusvm_range_put(range);
	return 0;
}

static int test_look(struct gpusvm_test_file *file,
		     struct gpusvm_test_args *args, bool evict)
{
	struct drm_gpusvm_range *range = test_find_get(file, args->addr);
	int err = 0;

	if (!range)
		return -ENXIO;
	if (evict)
		err = drm_gpusvm_range_evict(&file->gpusvm, range);
	else
		args->result = drm_gpusvm_scan_mm(range, file->owner, NULL);
	drm_gpusvm_range_put(range);
	return err;
}

static void test_count(const struct drm_gpusvm_pages *pages,
		       unsigned long npages, struct gpusvm_test_args *args)
{
	struct drm_pagemap *provider, *last = NULL;
	unsigned long i;

	args->entries = 0;
	args->linked = 0;
	args->providers = 0;
	for (i = 0; i < npages; i += NR_PAGES(pages->dma_addr[i].order)) {
		args->entries++;
		provider = drm_gpusvm_backport_provider(pages, i);
		if (!provider)
			continue;
		args->linked++;
		args->providers += provider != last;
		last = provider;
	}
	if (pages->dpagemap != (args->providers == 1 ? last : NULL) ||
	    pages->flags.has_devmem_pages != (args->linked > 0) || i != npages)
		args->providers = 99;
}

static int test_inspect(struct gpusvm_test_file *file,
			struct gpusvm_test_args *args)
{
	struct drm_gpusvm_range *range;
	int err = -ENXIO;

	drm_gpusvm_notifier_lock(&file->gpusvm);
	range = test_find(file, args->addr);
	if (range && drm_gpusvm_pages_valid(&file->gpusvm,
					    to_test_range(range)->pages)) {
		test_count(to_test_range(range)->pages, range_pages(range),
			   args);
		err = 0;
	}
	drm_gpusvm_notifier_unlock(&file->gpusvm);
	return err;
}

/* Without ranges: a notifier of the driver's own. */
struct test_watch {
	struct mmu_interval_notifier notifier;
	struct drm_gpusvm gpusvm;
	struct drm_gpusvm_pages pages;
	unsigned int events;
};

static bool test_watch_event(struct mmu_interval_notifier *notifier,
			     const struct mmu_notifier_range *event,
			     unsigned long seq)
{
	const struct drm_gpusvm_ctx ctx = { .in_notifier = true };
	struct test_watch *watch =
		container_of(notifier, struct test_watch, notifier);

	if (!mmu_notifier_range_blockable(event))
		return false;
	down_write(&watch->gpusvm.notifier_lock);
	mmu_interval_set_seq(notifier, seq);
	watch->events++;
	drm_gpusvm_unmap_pages(&watch->gpusvm, &watch->pages, 0, &ctx);
	up_write(&watch->gpusvm.notifier_lock);
	return true;
}

static const struct mmu_interval_notifier_ops test_watch_ops = {
	.invalidate = test_watch_event,
};

static bool test_watch_valid(struct test_watch *watch)
{
	bool valid;

	drm_gpusvm_notifier_lock(&watch->gpusvm);
	valid = drm_gpusvm_pages_valid(&watch->gpusvm, &watch->pages);
	drm_gpusvm_notifier_unlock(&watch->gpusvm);
	return valid;
}

#define EXPECT(condition)						\
do {									\
	if (!(condition)) {						\
		pr_err("line %d: not so: %s\n", __LINE__, #condition);	\
		return -EILSEQ;						\
	}								\
} while (0)

static int test_watch_run(struct test_watch *watch, unsigned long addr,
			  unsigned long size)
{
	const struct drm_gpusvm_ctx ctx = {}, reads = { .read_only = true };
	struct drm_gpusvm_pages never = {};
	struct drm_gpusvm *svm = &watch->gpusvm;
	struct mm_struct *mm = current->mm;

#define GET(pages, from, to, how) \
	drm_gpusvm_get_pages(svm, pages, mm, &watch->notifier, from, to, how)
	EXPECT(GET(&never, addr, addr + size, &ctx) == -EINVAL);
	drm_gpusvm_unmap_pages(svm, &never, 1, &ctx);
	drm_gpusvm_free_pages(svm, &never, 1);
	EXPECT(GET(&watch->pages, addr + 1, addr + size, &ctx) == -EINVAL);
	EXPECT(GET(&watch->pages, addr, addr, &ctx) == -EINVAL);
	EXPECT(GET(&watch->pages, addr + size, addr, &ctx) == -EINVAL);
	EXPECT(GET(&watch->pages, addr, addr + size + PAGE_SIZE, &ctx) ==
	       -EINVAL);
	EXPECT(GET(&watch->pages, addr - PAGE_SIZE, addr + size, &ctx) ==
	       -EINVAL);
	EXPECT(!test_watch_valid(watch));
	EXPECT(!GET(&watch->pages, addr, addr + size, &reads));
	EXPECT(test_watch_valid(watch));
	EXPECT(watch->pages.dma_addr[0].dir == DMA_TO_DEVICE);
	EXPECT(!GET(&watch->pages, addr, addr + size, &ctx));
	EXPECT(test_watch_valid(watch));
	EXPECT(watch->pages.dma_addr[0].dir == DMA_BIDIRECTIONAL);
	EXPECT(!GET(&watch->pages, addr, addr + size, &reads));
	EXPECT(watch->pages.dma_addr[0].dir == DMA_BIDIRECTIONAL);
	EXPECT(!mmu_interval_check_retry(&watch->notifier,
					 watch->pages.notifier_seq));
	drm_gpusvm_unmap_pages(svm, &watch->pages, 0, &ctx);
	EXPECT(!test_watch_valid(watch));
	drm_gpusvm_unmap_pages(svm, &watch->pages, 0, &ctx);
	/* Another size. */
	EXPECT(!GET(&watch->pages, addr + PAGE_SIZE, addr + size, &ctx));
	EXPECT(!GET(&watch->pages, addr, addr + PAGE_SIZE, &ctx));
	drm_gpusvm_free_pages(svm, &watch->pages, 0);
	EXPECT(!watch->pages.dma_addr);
	drm_gpusvm_free_pages(svm, &watch->pages, 0);
	EXPECT(!GET(&watch->pages, addr, addr + size, &ctx));
	drm_gpusvm_free_pages(svm, &watch->pages, 0);
#undef GET
	return 0;
}

static int test_pages_only(struct gpusvm_test_args *args)
{
	struct test_watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	int err;

	if (!watch)
		return -ENOMEM;
	err = drm_gpusvm_init(&watch->gpusvm, "pages", NULL, 0, 0, 0, NULL,
			      NULL, 0);
	if (err)
		goto free;
	drm_gpusvm_init_pages(&watch->pages, gpusvm_test_drm);
	err = mmu_interval_notifier_insert(&watch->notifier, current->mm,
					   args->addr, args->size,
					   &test_watch_ops);
	if (err)
		goto fini;
	err = test_watch_run(watch, args->addr, args->size);
	drm_gpusvm_free_pages(&watch->gpusvm, &watch->pages, 0);
	mmu_interval_notifier_remove(&watch->notifier);
fini:
	drm_gpusvm_fini(&watch->gpusvm);
free:
	kfree(watch);
	return err;
}

static int test_arguments(struct drm_gpusvm *svm)
{
	static const struct drm_gpusvm_ops nothing;
	static const unsigned long rising[] = { SZ_4K, SZ_64K };
	static const unsigned long odd[] = { SZ_64K + SZ_4K, SZ_4K };
	static const unsigned long small[] = { SZ_2K };
	static const unsigned long twice[] = { SZ_4K, SZ_4K };
	static const unsigned long with_small[] = { SZ_64K, PAGE_SIZE, SZ_1K };
	struct mm_struct *mm = current->mm;

#define INIT(...) drm_gpusvm_init(svm, "arguments", __VA_ARGS__)
#define GOOD gpusvm_test_chunks, 3
	EXPECT(INIT(NULL, 1, 0, 0, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, SZ_4K, 0, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, SZ_4K, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, 0, &gpusvm_test_ops, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, 0, NULL, GOOD) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, NULL, GOOD) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &nothing, GOOD) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, NULL, 0) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, rising, 2) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, odd, 2) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, small, 1) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, twice, 2) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_1M, &gpusvm_test_ops, GOOD) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_1M * 3, &gpusvm_test_ops, GOOD) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, 0, SZ_512M, &gpusvm_test_ops, GOOD) == -EINVAL);
	EXPECT(INIT(mm, 1, SZ_1G, SZ_512M, &gpusvm_test_ops, GOOD) == -EINVAL);
	EXPECT(INIT(mm, -SZ_4K, SZ_8K, SZ_512M, &gpusvm_test_ops, GOOD) ==
	       -EINVAL);
	EXPECT(!INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, with_small, 3));
	drm_gpusvm_fini(svm);
	EXPECT(!INIT(mm, 0, SZ_1G, SZ_512M, &gpusvm_test_ops, GOOD));
	EXPECT(!drm_gpusvm_has_mapping(svm, 0, ULONG_MAX));
	EXPECT(!drm_gpusvm_notifier_find(svm, 0, ULONG_MAX));
	EXPECT(drm_gpusvm_find_vma_start(svm, 0, SZ_4K) == ULONG_MAX);
	EXPECT(drm_gpusvm_find_vma_start(svm, 0, ULONG_MAX) < ULONG_MAX);
	drm_gpusvm_fini(svm);
	EXPECT(!drm_gpusvm_backport_check_dma(gpusvm_test_dev));
#undef INIT
#undef GOOD
	return 0;
}

static int test_arguments_run(void)
{
	struct drm_gpusvm *svm = kzalloc(sizeof(*svm), GFP_KERNEL);
	int err;

	if (!svm)
		return -ENOMEM;
	err = test_arguments(svm);
	kfree(svm);
	return err;
}

static int test_call(struct gpusvm_test_file *file, unsigned int cmd,
		     struct gpusvm_test_args *args)
{
	switch (cmd) {
	case GPUSVM_TEST_FAULT:
		return test_fault(file, args);
	case GPUSVM_TEST_ACCESS:
		return test_access(file, args);
	case GPUSVM_TEST_REMOVE:
		return test_remove(file, args);
	case GPUSVM_TEST_SCAN:
		return test_look(file, args, false);
	case GPUSVM_TEST_EVICT:
		return test_look(file, args, true);
	case GPUSVM_TEST_BORROW:
		return test_borrow(file, args);
	case GPUSVM_TEST_INSPECT:
		return test_inspect(file, args);
	case GPUSVM_TEST_PAGES_ONLY:
		return test_pages_only(args);
	default:
		return -ENOTTY;
	}
}

static long test_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct gpusvm_test_file *file = filp->private_data;
	void __user *user = (void __user *)arg;
	struct gpusvm_test_args args;
	int err;

	if (cmd == GPUSVM_TEST_COLLECT) {
		flush_work(&file->collect);
		return 0;
	}
	if (cmd == GPUSVM_TEST_ARGUMENTS)
		return test_arguments_run();
	if (copy_from_user(&args, user, sizeof(args)))
		return -EFAULT;
	err = test_call(file, cmd, &args);
	if (copy_to_user(user, &args, sizeof(args)))
		return -EFAULT;
	return err;
}

static const struct file_operations gpusvm_test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_release,
	.unlocked_ioctl = test_ioctl,
};

static struct miscdevice gpusvm_test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gpusvm_test",
	.fops = &gpusvm_test_fops,
};

static struct device *test_device_get(void)
{
	gpusvm_test_pdev = platform_device_register_simple("gpusvm_test", -1,
							   NULL, 0);
	if (IS_ERR(gpusvm_test_pdev))
		return NULL;
	if (device)
		return bus_find_device_by_name(&pci_bus_type, NULL, device);
	return get_device(&gpusvm_test_pdev->dev);
}

static int test_start(void)
{
	u64 bits = DMA_BIT_MASK(mask);
	int err;

	if (device)
		err = dma_set_mask_and_coherent(gpusvm_test_dev, bits);
	else
		err = dma_coerce_mask_and_coherent(gpusvm_test_dev, bits);
	if (err)
		return err;
	pr_info("check of DMA: %d\n",
		drm_gpusvm_backport_check_dma(gpusvm_test_dev));
	gpusvm_test_drm = drm_dev_alloc(&gpusvm_test_driver, gpusvm_test_dev);
	if (IS_ERR(gpusvm_test_drm))
		return PTR_ERR(gpusvm_test_drm);
	err = misc_register(&gpusvm_test_misc);
	if (err)
		drm_dev_put(gpusvm_test_drm);
	return err;
}

static int __init gpusvm_test_init(void)
{
	int err = -ENODEV;

	gpusvm_test_dev = test_device_get();
	if (gpusvm_test_dev)
		err = test_start();
	if (err) {
		put_device(gpusvm_test_dev);
		platform_device_unregister(gpusvm_test_pdev);
	}
	return err;
}

static void __exit gpusvm_test_exit(void)
{
	misc_deregister(&gpusvm_test_misc);
	drm_dev_put(gpusvm_test_drm);
	put_device(gpusvm_test_dev);
	platform_device_unregister(gpusvm_test_pdev);
}

module_init(gpusvm_test_init);
module_exit(gpusvm_test_exit);

MODULE_DESCRIPTION("Test of drm_gpusvm from a program");
MODULE_AUTHOR("The drm-gpusvm-backport authors");
MODULE_LICENSE("Dual MIT/GPL");
