// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How large a new range becomes: the largest chunk that nothing forbids. */
#include <linux/sizes.h>

#include "../../src/gpusvm/chunk.c"

#include "suites.h"

/* Where it all takes place: a window of 8 MiB. */
#define BASE	BIT(32)
#define WINDOW	SZ_8M

/* What the process has, as the last lookup was told. */
static struct {
	unsigned long start, end;
	unsigned int asked;
} present;

/* In place of the look at the page tables. */
bool gsb_peek_all_present(struct mm_struct *mm, void *owner,
			  unsigned long start, unsigned long end)
{
	present.asked++;
	return start >= present.start && end <= present.end;
}

/* A place with nothing in the way, for a fault in the middle of it. */
struct place {
	struct drm_gpusvm gpusvm;
	struct drm_gpusvm_notifier notifier;
	struct vm_area_struct vma;
	struct drm_gpusvm_ctx ctx;
	struct drm_gpusvm_range range;
	struct gsb_lookup lookup;
};

static const unsigned long three_sizes[] = { SZ_2M, SZ_64K, SZ_4K };

static struct place *place_new(struct kunit *test)
{
	struct place *place = kunit_kzalloc(test, sizeof(*place), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, place);
	place->gpusvm.chunk_sizes = three_sizes;
	place->gpusvm.num_chunks = ARRAY_SIZE(three_sizes);
	place->notifier.gpusvm = &place->gpusvm;
	place->notifier.root = RB_ROOT_CACHED;
	place->notifier.itree.start = BASE;
	place->notifier.itree.last = BASE + WINDOW - 1;
	place->vma.vm_start = BASE - WINDOW;
	place->vma.vm_end = BASE + 2 * WINDOW;
	place->lookup = (struct gsb_lookup){
		.gpusvm = &place->gpusvm,
		.addr = BASE + SZ_4M + SZ_1M,
		.gpuva_start = 0,
		.gpuva_end = ULONG_MAX,
		.ctx = &place->ctx,
		.notifier = &place->notifier,
		.vma = &place->vma,
	};
	present.start = 0;
	present.end = ULONG_MAX;
	present.asked = 0;
	return place;
}

/* Somebody has a range there already. */
static void place_take(struct place *place, unsigned long start, unsigned long size)
{
	place->range.itree.start = start;
	place->range.itree.last = start + size - 1;
	interval_tree_insert(&place->range.itree, &place->notifier.root);
}

static void expect_size(struct kunit *test, const struct place *place,
			unsigned long size)
{
	KUNIT_EXPECT_EQ(test, gsb_chunk_choose(&place->lookup), size);
}

static void nothing_in_the_way(struct kunit *test)
{
	struct place *place = place_new(test);

	expect_size(test, place, SZ_2M);
	/* At both ends of the window, too. */
	place->lookup.addr = BASE;
	expect_size(test, place, SZ_2M);
	place->lookup.addr = BASE + WINDOW - SZ_4K;
	expect_size(test, place, SZ_2M);
}

static void mapping_ends(struct kunit *test)
{
	struct place *place = place_new(test);
	unsigned long addr = place->lookup.addr;

	place->vma.vm_start = ALIGN_DOWN(addr, SZ_2M) + SZ_4K;
	expect_size(test, place, SZ_64K);
	place->vma.vm_start = ALIGN_DOWN(addr, SZ_2M);
	expect_size(test, place, SZ_2M);
	place->vma.vm_end = place->vma.vm_start + SZ_2M;
	expect_size(test, place, SZ_2M);
	place->vma.vm_end -= SZ_4K;
	expect_size(test, place, SZ_64K);
	place->vma.vm_start = addr;
	place->vma.vm_end = addr + SZ_4K;
	expect_size(test, place, SZ_4K);
}

static void device_window_ends(struct kunit *test)
{
	struct place *place = place_new(test);
	unsigned long addr = place->lookup.addr;

	place->lookup.gpuva_start = addr - SZ_64K;
	place->lookup.gpuva_end = addr + SZ_64K;
	expect_size(test, place, SZ_64K);
	place->lookup.gpuva_end = addr + SZ_64K - SZ_4K;
	expect_size(test, place, SZ_4K);
	place->lookup.gpuva_start = addr + SZ_4K;
	expect_size(test, place, 0);
}

static void notifier_ends(struct kunit *test)
{
	struct place *place = place_new(test);

	place->notifier.itree.last = place->lookup.addr + SZ_4K - 1;
	expect_size(test, place, SZ_4K);
	place->notifier.itree.last = place->lookup.addr + SZ_64K - 1;
	expect_size(test, place, SZ_64K);
	place->notifier.itree.start = place->lookup.addr + SZ_4K;
	expect_size(test, place, 0);
}

static void neighbours(struct kunit *test)
{
	static const struct {
		long distance;
		unsigned long size, expected;
	} rows[] = {
		{ -(long)SZ_1M, SZ_4K, SZ_64K },	/* the first page of the 2 MiB */
		{ SZ_1M - SZ_4K, SZ_4K, SZ_64K },	/* the last one */
		{ SZ_1M, SZ_4K, SZ_2M },		/* the one behind */
		{ SZ_64K - SZ_4K, SZ_4K, SZ_4K },
		{ SZ_4K, SZ_4K, SZ_4K },
		{ SZ_64K, SZ_64K, SZ_64K },
		{ -(long)SZ_1M - (long)SZ_2M, SZ_2M, SZ_2M },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct place *place = place_new(test);

		place_take(place, place->lookup.addr + rows[i].distance, rows[i].size);
		KUNIT_EXPECT_EQ_MSG(test, gsb_chunk_choose(&place->lookup), rows[i].expected,
				    "row %u", i);
	}
}

/* Chunks up to the threshold want all of their pages present, but one page is fine. */
static void presence(struct kunit *test)
{
	struct place *place = place_new(test);

	present.end = 0;
	expect_size(test, place, SZ_2M);
	KUNIT_EXPECT_EQ(test, present.asked, 0U);
	place->ctx.check_pages_threshold = SZ_2M;
	expect_size(test, place, SZ_4K);
	KUNIT_EXPECT_EQ(test, present.asked, 2U);
	present.start = place->lookup.addr;
	present.end = place->lookup.addr + SZ_64K;
	expect_size(test, place, SZ_64K);
	place->ctx.check_pages_threshold = SZ_64K;
	expect_size(test, place, SZ_2M);
}

/* The smallest there is has to do, present or not. */
static void smallest(struct kunit *test)
{
	static const unsigned long sizes[] = { SZ_2M, SZ_64K };
	struct place *place = place_new(test);

	place->gpusvm.chunk_sizes = sizes;
	place->gpusvm.num_chunks = ARRAY_SIZE(sizes);
	place->ctx.check_pages_threshold = SZ_2M;
	present.end = 0;
	expect_size(test, place, SZ_64K);
	place->vma.vm_end = place->lookup.addr + SZ_4K;
	expect_size(test, place, 0);
}

/* What is chosen fits and nothing larger would: over many mappings and addresses. */
static void largest(struct kunit *test)
{
	struct place *place = place_new(test);
	unsigned long start, end, addr;

	for (start = BASE; start < BASE + SZ_4M; start += 7 * SZ_64K + SZ_4K) {
		for (end = start + SZ_4K; end <= BASE + SZ_8M; end += 5 * SZ_64K + SZ_4K) {
			unsigned int i = 0;

			addr = start + ALIGN_DOWN((end - start) / 3, SZ_4K);
			place->vma.vm_start = start;
			place->vma.vm_end = end;
			place->lookup.addr = addr;
			while (ALIGN_DOWN(addr, three_sizes[i]) < start ||
			       ALIGN_DOWN(addr, three_sizes[i]) + three_sizes[i] > end)
				i++;
			expect_size(test, place, three_sizes[i]);
		}
	}
}

static struct kunit_case cases[] = {
	KUNIT_CASE(nothing_in_the_way),
	KUNIT_CASE(mapping_ends),
	KUNIT_CASE(device_window_ends),
	KUNIT_CASE(notifier_ends),
	KUNIT_CASE(neighbours),
	KUNIT_CASE(presence),
	KUNIT_CASE(smallest),
	KUNIT_CASE(largest),
	{ }
};

struct kunit_suite chunks_suite = {
	.name = "gpusvm-chunks",
	.test_cases = cases,
};
