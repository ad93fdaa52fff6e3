// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What drm_gpusvm_init() takes and what it refuses. */
#include <linux/sched/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "space.h"

static const unsigned long rising[] = { SZ_4K, SZ_64K };
static const unsigned long odd[] = { SZ_64K + SZ_4K, SZ_4K };
static const unsigned long small[] = { SZ_2K };
static const unsigned long twice[] = { SZ_4K, SZ_4K };
static const unsigned long with_small[] = { SZ_64K, PAGE_SIZE, SZ_1K };
static const struct drm_gpusvm_ops no_ops;

#define INIT(mm, ...) drm_gpusvm_init(svm, "arguments", mm, __VA_ARGS__)

/* Without an address space there is nothing but pages. */
static int test_pages_mode(struct drm_gpusvm *svm)
{
	EXPECT(INIT(NULL, 1, 0, 0, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, SZ_4K, 0, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, SZ_4K, NULL, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, 0, &test_ops, NULL, 0) == -EINVAL);
	EXPECT(INIT(NULL, 0, 0, 0, NULL, test_chunks, 3) == -EINVAL);
	EXPECT(!INIT(NULL, 0, 0, 0, NULL, NULL, 0));
	drm_gpusvm_fini(svm);
	return 0;
}

static int test_chunk_sizes(struct drm_gpusvm *svm, struct mm_struct *mm)
{
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, NULL, 0) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, test_chunks, 0) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, test_chunks, -1) ==
	       -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, rising, 2) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, odd, 2) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, small, 1) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, twice, 2) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_1M, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(!INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, with_small, 3));
	drm_gpusvm_fini(svm);
	return 0;
}

static int test_windows(struct drm_gpusvm *svm, struct mm_struct *mm)
{
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, NULL, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_512M, &no_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, SZ_1M * 3, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G, 0, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 0, 0, SZ_512M, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 1, SZ_1G, SZ_512M, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, 0, SZ_1G + 1, SZ_512M, &test_ops, test_chunks, 3) == -EINVAL);
	EXPECT(INIT(mm, -SZ_4K, SZ_8K, SZ_512M, &test_ops, test_chunks, 3) == -EINVAL);
	return 0;
}

static int test_empty(struct drm_gpusvm *svm, struct mm_struct *mm)
{
	EXPECT(!INIT(mm, 0, SZ_1G, SZ_512M, &test_ops, test_chunks, 3));
	EXPECT(!drm_gpusvm_has_mapping(svm, 0, ULONG_MAX));
	EXPECT(!drm_gpusvm_notifier_find(svm, 0, ULONG_MAX));
	EXPECT(drm_gpusvm_find_vma_start(svm, 0, SZ_4K) == ULONG_MAX);
	EXPECT(drm_gpusvm_find_vma_start(svm, SZ_4K, 0) == ULONG_MAX);
	EXPECT(drm_gpusvm_find_vma_start(svm, 0, ULONG_MAX) < ULONG_MAX);
	drm_gpusvm_fini(svm);
	return 0;
}

#undef INIT

int test_arguments_run(void)
{
	struct drm_gpusvm *svm = kzalloc(sizeof(*svm), GFP_KERNEL);
	struct mm_struct *mm = current->mm;
	int err;

	if (!svm)
		return -ENOMEM;
	err = test_pages_mode(svm) ?: test_chunk_sizes(svm, mm) ?:
	      test_windows(svm, mm) ?: test_empty(svm, mm);
	kfree(svm);
	return err;
}
