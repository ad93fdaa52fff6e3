// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* Whoever walks over an interval meets all that overlaps it, in order, and no more. */
#include <linux/interval_tree.h>

#include <drm/drm_gpusvm.h>

#include "suites.h"

/* Addresses are small numbers: nobody looks at memory. */
#define END	24

/* Of each range or window the first address and the last. */
struct span {
	unsigned long first, last;
};

static const struct span spans[] = {
	{ 1, 1 }, { 2, 4 }, { 6, 6 }, { 8, 11 }, { 12, 12 }, { 17, 21 }, { 23, 23 },
};

struct world {
	struct drm_gpusvm gpusvm;
	struct drm_gpusvm_notifier notifiers[ARRAY_SIZE(spans)];
	struct drm_gpusvm_range ranges[ARRAY_SIZE(spans)];
};

static void link_notifier(struct world *world, unsigned int i)
{
	struct drm_gpusvm_notifier *notifier = &world->notifiers[i];

	notifier->gpusvm = &world->gpusvm;
	notifier->root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&notifier->range_list);
	notifier->itree.start = spans[i].first;
	notifier->itree.last = spans[i].last;
	interval_tree_insert(&notifier->itree, &world->gpusvm.root);
	list_add_tail(&notifier->entry, &world->gpusvm.notifier_list);
}

/* They are all in the first notifier, however small that is. */
static void link_range(struct world *world, unsigned int i)
{
	struct drm_gpusvm_notifier *notifier = &world->notifiers[0];
	struct drm_gpusvm_range *range = &world->ranges[i];

	range->gpusvm = &world->gpusvm;
	range->notifier = notifier;
	range->itree.start = spans[i].first;
	range->itree.last = spans[i].last;
	interval_tree_insert(&range->itree, &notifier->root);
	list_add_tail(&range->entry, &notifier->range_list);
}

static struct world *world_new(struct kunit *test)
{
	struct world *world = kunit_kzalloc(test, sizeof(*world), GFP_KERNEL);
	unsigned int i;

	KUNIT_ASSERT_NOT_NULL(test, world);
	world->gpusvm.root = RB_ROOT_CACHED;
	INIT_LIST_HEAD(&world->gpusvm.notifier_list);
	for (i = 0; i < ARRAY_SIZE(spans); i++)
		link_notifier(world, i);
	for (i = 0; i < ARRAY_SIZE(spans); i++)
		link_range(world, i);
	return world;
}

static void remove_range(struct drm_gpusvm_range *range)
{
	interval_tree_remove(&range->itree, &range->notifier->root);
	list_del(&range->entry);
}

/* A bit for each span that overlaps. */
static unsigned int overlapping(unsigned long start, unsigned long end)
{
	unsigned int i, bits = 0;

	for (i = 0; i < ARRAY_SIZE(spans); i++)
		if (start < end && spans[i].first < end && spans[i].last >= start)
			bits |= BIT(i);
	return bits;
}

/* Notes a span that was met: it must be behind those that were met before. */
static void meet(struct kunit *test, unsigned int *bits, unsigned int i)
{
	KUNIT_EXPECT_LT(test, *bits, BIT(i));
	*bits |= BIT(i);
}

static unsigned int walk_ranges(struct kunit *test, struct world *world,
				unsigned long start, unsigned long end)
{
	struct drm_gpusvm_range *range = NULL;
	unsigned int bits = 0;

	drm_gpusvm_for_each_range(range, &world->notifiers[0], start, end)
		meet(test, &bits, range - world->ranges);
	return bits;
}

static unsigned int walk_notifiers(struct kunit *test, struct world *world,
				   unsigned long start, unsigned long end)
{
	struct drm_gpusvm_notifier *notifier;
	unsigned int bits = 0;

	drm_gpusvm_for_each_notifier(notifier, &world->gpusvm, start, end)
		meet(test, &bits, notifier - world->notifiers);
	return bits;
}

static unsigned int remove_notifiers(struct kunit *test, struct world *world,
				     unsigned long start, unsigned long end)
{
	struct drm_gpusvm_notifier *notifier, *next;
	unsigned int bits = 0;

	drm_gpusvm_for_each_notifier_safe(notifier, next, &world->gpusvm, start, end) {
		meet(test, &bits, notifier - world->notifiers);
		interval_tree_remove(&notifier->itree, &world->gpusvm.root);
		list_del(&notifier->entry);
	}
	return bits;
}

static unsigned int remove_ranges(struct kunit *test, struct world *world,
				  unsigned long start, unsigned long end)
{
	struct drm_gpusvm_range *range, *next;
	unsigned int bits = 0;

	drm_gpusvm_for_each_range_safe(range, next, &world->notifiers[0], start, end) {
		meet(test, &bits, range - world->ranges);
		remove_range(range);
	}
	return bits;
}

/* Over every interval there is. */
static void all_intervals(struct kunit *test)
{
	struct world *world = world_new(test);
	unsigned long start, end;

	for (start = 0; start <= END; start++) {
		for (end = 0; end <= END; end++) {
			unsigned int want = overlapping(start, end);

			KUNIT_EXPECT_EQ_MSG(test, walk_ranges(test, world, start, end), want,
					    "ranges in %lu-%lu", start, end);
			KUNIT_EXPECT_EQ_MSG(test, walk_notifiers(test, world, start, end), want,
					    "notifiers in %lu-%lu", start, end);
		}
	}
}

/* The body may remove what it is at; the others stay. */
static void removal(struct kunit *test)
{
	const unsigned int all = BIT(ARRAY_SIZE(spans)) - 1;
	unsigned long start, end;

	for (start = 0; start <= END; start += 3) {
		for (end = start; end <= END; end += 2) {
			struct world *world = world_new(test);
			unsigned int want = overlapping(start, end);

			KUNIT_EXPECT_EQ(test, remove_ranges(test, world, start, end), want);
			KUNIT_EXPECT_EQ(test, walk_ranges(test, world, 0, END), all & ~want);
			KUNIT_EXPECT_EQ(test, remove_notifiers(test, world, start, end), want);
			KUNIT_EXPECT_EQ(test, walk_notifiers(test, world, 0, END), all & ~want);
		}
	}
}

/* A walk may begin with a range that is known. */
static void from_the_middle(struct kunit *test)
{
	struct world *world = world_new(test);
	struct drm_gpusvm_range *range = &world->ranges[3];
	unsigned int bits = 0;

	drm_gpusvm_for_each_range(range, &world->notifiers[0], 0, 18)
		meet(test, &bits, range - world->ranges);
	KUNIT_EXPECT_EQ(test, bits, (unsigned int)(BIT(3) | BIT(4) | BIT(5)));
}

static void nothing_there(struct kunit *test)
{
	struct world *world = world_new(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(spans); i++)
		remove_range(&world->ranges[i]);
	KUNIT_EXPECT_EQ(test, walk_ranges(test, world, 0, ULONG_MAX), 0U);
	KUNIT_EXPECT_PTR_EQ(test, drm_gpusvm_notifier_find(&world->gpusvm, 22, 23),
			    (struct drm_gpusvm_notifier *)NULL);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(all_intervals),
	KUNIT_CASE(removal),
	KUNIT_CASE(from_the_middle),
	KUNIT_CASE(nothing_there),
	{ }
};

struct kunit_suite walking_suite = {
	.name = "gpusvm-walking",
	.test_cases = cases,
};
