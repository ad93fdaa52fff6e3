// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The pages calls without ranges: with a notifier of the driver's own. */
#include <linux/mmu_notifier.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include <drm/drm_pagemap.h>

#include "space.h"

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

static int test_watch_get(struct test_watch *watch,
			  struct drm_gpusvm_pages *pages, unsigned long from,
			  unsigned long to, bool read_only)
{
	const struct drm_gpusvm_ctx ctx = { .read_only = read_only };

	return drm_gpusvm_get_pages(&watch->gpusvm, pages, current->mm,
				    &watch->notifier, from, to, &ctx);
}

static bool test_watch_valid(struct test_watch *watch)
{
	bool valid;

	drm_gpusvm_notifier_lock(&watch->gpusvm);
	valid = drm_gpusvm_pages_valid(&watch->gpusvm, &watch->pages);
	drm_gpusvm_notifier_unlock(&watch->gpusvm);
	return valid;
}

/* What the device reads at page @i: -EAGAIN when it has lost the pages. */
static int test_watch_word(struct test_watch *watch, unsigned long npages,
			   unsigned long i, u64 *word)
{
	struct drm_pagemap_addr found = {};
	__u32 entries;
	int err = -EAGAIN;

	drm_gpusvm_notifier_lock(&watch->gpusvm);
	if (drm_gpusvm_pages_valid(&watch->gpusvm, &watch->pages))
		err = test_translate(&watch->pages, npages, i, &found, &entries);
	if (!err)
		test_copy(found.addr, word, sizeof(*word), false);
	drm_gpusvm_notifier_unlock(&watch->gpusvm);
	return err;
}

/* Each page, by its address, is the process's page, and nothing lies behind. */
static int test_watch_compare(struct test_watch *watch, unsigned long from,
			      unsigned long to)
{
	unsigned long i, npages = (to - from) >> PAGE_SHIFT;
	u64 word, seen = 0;
	int err;

	for (i = 0; i < npages; i++) {
		EXPECT(!get_user(word, (u64 __user *)from +
				 i * (PAGE_SIZE / sizeof(word))));
		do {
			EXPECT(!test_watch_get(watch, &watch->pages, from, to,
					       false));
			err = test_watch_word(watch, npages, i, &seen);
		} while (err == -EAGAIN);
		EXPECT(!err && seen == word);
	}
	return 0;
}

static int test_watch_refused(struct test_watch *watch, unsigned long addr,
			      unsigned long size)
{
	struct drm_gpusvm_pages never = {}, *pages = &watch->pages;
	const struct drm_gpusvm_ctx ctx = {};
	unsigned long end = addr + size;

	EXPECT(test_watch_get(watch, &never, addr, end, false) == -EINVAL);
	drm_gpusvm_unmap_pages(&watch->gpusvm, &never, 1, &ctx);
	drm_gpusvm_free_pages(&watch->gpusvm, &never, 1);
	EXPECT(test_watch_get(watch, pages, addr + 1, end, false) == -EINVAL);
	EXPECT(test_watch_get(watch, pages, addr, end - 1, false) == -EINVAL);
	EXPECT(test_watch_get(watch, pages, addr, addr, false) == -EINVAL);
	EXPECT(test_watch_get(watch, pages, end, addr, false) == -EINVAL);
	EXPECT(test_watch_get(watch, pages, addr, end + PAGE_SIZE, false) ==
	       -EINVAL);
	EXPECT(test_watch_get(watch, pages, addr - PAGE_SIZE, end, false) ==
	       -EINVAL);
	EXPECT(!test_watch_valid(watch));
	return 0;
}

/* What was mapped for reading will do for reading only. */
static int test_watch_upgraded(struct test_watch *watch, unsigned long addr,
			       unsigned long size)
{
	struct drm_gpusvm_pages *pages = &watch->pages;
	const struct drm_gpusvm_ctx ctx = {};
	unsigned long end = addr + size;

	EXPECT(!test_watch_get(watch, pages, addr, end, true));
	EXPECT(test_watch_valid(watch));
	EXPECT(pages->dma_addr[0].dir == DMA_TO_DEVICE);
	EXPECT(!test_watch_get(watch, pages, addr, end, false));
	EXPECT(test_watch_valid(watch));
	EXPECT(pages->dma_addr[0].dir == DMA_BIDIRECTIONAL);
	EXPECT(!test_watch_get(watch, pages, addr, end, true));
	EXPECT(pages->dma_addr[0].dir == DMA_BIDIRECTIONAL);
	EXPECT(!mmu_interval_check_retry(&watch->notifier,
					 pages->notifier_seq));
	drm_gpusvm_unmap_pages(&watch->gpusvm, pages, 0, &ctx);
	EXPECT(!test_watch_valid(watch));
	drm_gpusvm_unmap_pages(&watch->gpusvm, pages, 0, &ctx);
	return 0;
}

/* Unaligned to anything but pages, also inside of what the CPU has as one. */
static int test_watch_odd(struct test_watch *watch, unsigned long addr,
			  unsigned long size)
{
	static const unsigned int pieces[][2] = {
		{ 0, 1 }, { 1, 1 }, { 1, 2 }, { 3, 5 }, { 7, 9 }, { 1, 31 },
		{ 15, 17 }, { 31, 33 }, { 0, 64 }, { 1, 63 },
	};
	unsigned long from;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(pieces); i++) {
		from = addr + pieces[i][0] * PAGE_SIZE;
		if (from + pieces[i][1] * PAGE_SIZE > addr + size)
			continue;
		err = test_watch_compare(watch, from,
					 from + pieces[i][1] * PAGE_SIZE);
		if (err)
			return err;
	}
	return test_watch_compare(watch, addr, addr + size);
}

static int test_watch_freed(struct test_watch *watch, unsigned long addr,
			    unsigned long size)
{
	struct drm_gpusvm_pages *pages = &watch->pages;

	drm_gpusvm_free_pages(&watch->gpusvm, pages, 0);
	EXPECT(!pages->dma_addr);
	drm_gpusvm_free_pages(&watch->gpusvm, pages, 0);
	EXPECT(!test_watch_get(watch, pages, addr, addr + size, false));
	EXPECT(test_watch_valid(watch));
	return 0;
}

static int test_watch_run(struct test_watch *watch, unsigned long addr,
			  unsigned long size)
{
	return test_watch_refused(watch, addr, size) ?:
	       test_watch_upgraded(watch, addr, size) ?:
	       test_watch_odd(watch, addr, size) ?:
	       test_watch_freed(watch, addr, size);
}

static int test_watch_with(struct test_watch *watch,
			   struct gpusvm_test_args *args)
{
	int err;

	drm_gpusvm_init_pages(&watch->pages, test_drm);
	err = mmu_interval_notifier_insert(&watch->notifier, current->mm,
					   args->addr, args->size,
					   &test_watch_ops);
	if (err)
		return err;
	err = test_watch_run(watch, args->addr, args->size);
	drm_gpusvm_free_pages(&watch->gpusvm, &watch->pages, 0);
	mmu_interval_notifier_remove(&watch->notifier);
	return err;
}

int test_pages_only(struct gpusvm_test_args *args)
{
	struct test_watch *watch = kzalloc(sizeof(*watch), GFP_KERNEL);
	int err;

	if (!watch)
		return -ENOMEM;
	err = drm_gpusvm_init(&watch->gpusvm, "pages", NULL, 0, 0, 0, NULL,
			      NULL, 0);
	if (!err) {
		err = test_watch_with(watch, args);
		drm_gpusvm_fini(&watch->gpusvm);
	}
	kfree(watch);
	return err;
}
