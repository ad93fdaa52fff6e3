// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* The parts of a device address do not get in each other's way. */
#include <linux/dma-mapping.h>

#include <drm/drm_pagemap.h>

#include "suites.h"

#define LAST_PROTOCOL	((1ULL << 54) - 1)
#define LAST_ORDER	255

/* Drivers number their own upwards. */
static const unsigned int protocols[] = {
	DRM_INTERCONNECT_SYSTEM, DRM_INTERCONNECT_DRIVER, DRM_INTERCONNECT_DRIVER + 1, 0x7fffffff,
};

static const enum dma_data_direction directions[] = {
	DMA_BIDIRECTIONAL, DMA_TO_DEVICE, DMA_FROM_DEVICE, DMA_NONE,
};

static const dma_addr_t addresses[] = {
	0, PAGE_SIZE, 0xfedcba987654321ULL & ~(u64)DMA_BIT_MASK(4), DMA_BIT_MASK(32),
	(dma_addr_t)~0ULL,
};

static void check_parts(struct kunit *test, dma_addr_t addr, unsigned int protocol,
			unsigned int order, enum dma_data_direction direction)
{
	const struct drm_pagemap_addr entry =
		drm_pagemap_addr_encode(addr, protocol, order, direction);

	KUNIT_EXPECT_EQ(test, (u64)entry.addr, (u64)addr);
	KUNIT_EXPECT_EQ(test, (u64)entry.order, (u64)order);
	KUNIT_EXPECT_EQ(test, (u64)entry.dir, (u64)direction);
	KUNIT_EXPECT_EQ(test, (u64)entry.proto, (u64)protocol);
}

/* All of each, with all of the others. */
static void parts(struct kunit *test)
{
	unsigned int a, p, d, order;

	for (a = 0; a < ARRAY_SIZE(addresses); a++)
		for (p = 0; p < ARRAY_SIZE(protocols); p++)
			for (d = 0; d < ARRAY_SIZE(directions); d++)
				for (order = 0; order <= LAST_ORDER; order += 15)
					check_parts(test, addresses[a], protocols[p],
						    order, directions[d]);
}

/* The field is wider than the enum is. */
static void wide_protocol(struct kunit *test)
{
	struct drm_pagemap_addr entry =
		drm_pagemap_addr_encode(0, 0, LAST_ORDER, DMA_NONE);

	entry.proto = LAST_PROTOCOL;
	KUNIT_EXPECT_EQ(test, (u64)entry.proto, LAST_PROTOCOL);
	KUNIT_EXPECT_EQ(test, (u64)entry.order, (u64)LAST_ORDER);
	KUNIT_EXPECT_EQ(test, (u64)entry.dir, (u64)DMA_NONE);
	entry.order = 0;
	entry.dir = 0;
	KUNIT_EXPECT_EQ(test, (u64)entry.proto, LAST_PROTOCOL);
}

/* It is part of the interface that arrays of them have no gaps. */
static void size(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, sizeof(struct drm_pagemap_addr), sizeof(dma_addr_t) + 8);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(parts),
	KUNIT_CASE(wide_protocol),
	KUNIT_CASE(size),
	{ }
};

struct kunit_suite encoding_suite = {
	.name = "gpusvm-encoding",
	.test_cases = cases,
};
