// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* How the pages of a migration are cut into runs that are mapped and copied at once. */
#include <linux/dma-mapping.h>
#include <linux/memremap.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/tracepoint-defs.h>

/* Here nobody traces, and the device has the limits that a test gives it. */
#undef tracepoint_enabled
#define tracepoint_enabled(tracepoint)	false
static size_t mapping_limit;
#define dma_max_mapping_size(dev)	((void)(dev), mapping_limit)

#include "../../src/pagemap/job.c"

#include "suites.h"

/* What else is called there, but not by what is tested. */
DEFINE_PER_CPU(struct gsb_stats, gsb_stats);

const struct dev_pagemap_ops gsb_pagemap_ops;

void gsb_trace_say_step(const struct gsb_job *job, enum gsb_step step, u64 start, int err)
{
}

#ifdef GSB_HAVE_DMA_IOVA
bool gsb_iova_reserve(struct gsb_iova *iova, struct device *dev, size_t size)
{
	return false;
}

int gsb_iova_link(struct gsb_iova *iova, struct device *dev, struct page *page,
		  size_t size, enum dma_data_direction dir, dma_addr_t *addr)
{
	return -EOPNOTSUPP;
}

int gsb_iova_sync(struct gsb_iova *iova, struct device *dev)
{
	return -EOPNOTSUPP;
}

void gsb_iova_release(struct gsb_iova *iova, struct device *dev,
		      enum dma_data_direction dir)
{
}
#endif

#define MOST_PAGES	32
#define NO_LIMIT	(MOST_PAGES * PAGE_SIZE)

/* Structures of pages without memory. Those that are neighbours follow each other. */
struct stage {
	struct gsb_job job;
	struct drm_pagemap_devmem devmem;
	struct dev_pagemap peers[2];
	struct page *device, *other;
};

/*
 * What each page is: S in system memory, A or B in memory of a peer, a hole (-), or one
 * that stays (.). A small letter is like its large one, but not behind the page before
 * it in memory. In the second text each ^ is a page of the device's that is not behind
 * the one before it. Then the runs that are expected, each as first+count, and for
 * what is cut off at a limit of pages, 0 if there is none.
 */
struct row {
	const char *pages;
	const char *device;
	const char *runs;
	unsigned int limit;
};

static const struct row rows[] = {
	{ "S", "", "0+1", 0 },
	{ "SSSSSSSS", "", "0+8", 0 },
	{ "--------", "", "0+8", 0 },
	{ "........", "", "", 0 },
	{ "", "", "", 0 },
	/* Gaps on one side or the other. */
	{ "SSSsSSS", "", "0+3 3+4", 0 },
	{ "SSSSSSS", "   ^", "0+3 3+4", 0 },
	{ "SSSsSSS", "   ^", "0+3 3+4", 0 },
	{ "ssss", "", "0+1 1+1 2+1 3+1", 0 },
	{ "SSSS", " ^^^", "0+1 1+1 2+1 3+1", 0 },
	/* Holes have no other side, but a place in VRAM. */
	{ "----", "  ^", "0+2 2+2", 0 },
	{ "SS--SS", "", "0+2 2+2 4+2", 0 },
	{ "S-S-", "", "0+1 1+1 2+1 3+1", 0 },
	/* What stays is in no run and ends those around it. */
	{ "..SS", "", "2+2", 0 },
	{ "SS..", "", "0+2", 0 },
	{ "SS.SS", "", "0+2 3+2", 0 },
	{ ".-.S.A.", "", "1+1 3+1 5+1", 0 },
	/* Peers are asked by powers of two, and each for its own. */
	{ "AAAA", "", "0+4", 0 },
	{ "AAAAAAA", "", "0+4 4+2 6+1", 0 },
	{ "AABB", "", "0+2 2+2", 0 },
	{ "AAABBB", "", "0+2 2+1 3+2 5+1", 0 },
	{ "SSAASS", "", "0+2 2+2 4+2", 0 },
	{ "AAaA", "", "0+2 2+2", 0 },
	/* No run is larger than the device can map. */
	{ "SSSSSSSS", "", "0+3 3+3 6+2", 3 },
	{ "--------", "", "0+3 3+3 6+2", 3 },
	{ "AAAAAAAA", "", "0+2 2+2 4+2 6+2", 3 },
	{ "SSSS", "", "0+1 1+1 2+1 3+1", 1 },
	{ "SSsSS", "", "0+2 2+2 4+1", 2 },
};

static struct page *page_array(struct kunit *test)
{
	/* Aligned like the kernel's own, of which the distance counts. */
	struct page *pages = kunit_kzalloc(test, roundup_pow_of_two(2 * MOST_PAGES *
								    sizeof(struct page)),
					   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, pages);
	return pages;
}

static struct stage *stage_new(struct kunit *test, unsigned long npages)
{
	struct stage *stage = kunit_kzalloc(test, sizeof(*stage), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, stage);
	stage->device = page_array(test);
	stage->other = page_array(test);
	KUNIT_ASSERT_EQ(test, 0, gsb_job_init(&stage->job, &stage->devmem, max(npages, 1UL),
					      GSB_CAUSE_POPULATE, GFP_KERNEL));
	return stage;
}

static void make_peer_page(struct page *page, struct dev_pagemap *peer)
{
	set_page_zone(page, ZONE_DEVICE);
#ifdef GSB_HAVE_PAGE_PGMAP_FN
	page_folio(page)->pgmap = peer;
#else
	page->pgmap = peer;
#endif
}

static void stage_fill(struct stage *stage, const struct row *row)
{
	struct page *device = stage->device, *other = stage->other;
	unsigned long i, marks = strlen(row->device);

	for (i = 0; row->pages[i]; i++, device++, other++) {
		char page = row->pages[i];

		if (page >= 'a' && page <= 'z') {
			page += 'A' - 'a';
			other++;
		}
		if (i < marks && row->device[i] == '^')
			device++;
		if (page == '.')
			continue;
		stage->job.device[i] = device;
		if (page != '-')
			stage->job.other[i] = other;
		if (page == 'A' || page == 'B')
			make_peer_page(other, &stage->peers[page - 'A']);
	}
}

static void runs_of(const struct gsb_job *job, char *text, size_t size)
{
	unsigned long i;
	size_t used = 0;

	*text = '\0';
	for (i = 0; i < job->nsegs; i++)
		used += scnprintf(text + used, size - used, "%s%lu+%lu", i ? " " : "",
				  job->segs[i].first, job->segs[i].count);
}

static void check_kinds(struct kunit *test, const struct gsb_job *job, const char *pages)
{
	unsigned long i;
	u8 kinds = 0;

	for (i = 0; i < job->nsegs; i++) {
		char page = pages[job->segs[i].first];
		enum gsb_kind want = page == '-' ? GSB_PAGE_HOLE :
				     page == 'S' || page == 's' ? GSB_PAGE_SYSTEM :
								  GSB_PAGE_PEER;

		KUNIT_EXPECT_EQ(test, (int)job->segs[i].kind, (int)want);
		KUNIT_EXPECT_FALSE(test, job->segs[i].mapped);
		kinds |= BIT(want);
	}
	KUNIT_EXPECT_EQ(test, job->kinds, kinds);
}

static void plans(struct kunit *test)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stage *stage = stage_new(test, strlen(rows[i].pages));
		char runs[128];

		stage_fill(stage, &rows[i]);
		mapping_limit = rows[i].limit ? rows[i].limit * PAGE_SIZE : NO_LIMIT;
		KUNIT_EXPECT_EQ(test, 0, gsb_job_plan(&stage->job));
		runs_of(&stage->job, runs, sizeof(runs));
		KUNIT_EXPECT_STREQ_MSG(test, runs, rows[i].runs, "pages \"%s\" device \"%s\"",
				       rows[i].pages, rows[i].device);
		check_kinds(test, &stage->job, rows[i].pages);
		gsb_job_fini(&stage->job);
	}
}

/* A device that says it can map less than a page gets one page at a time. */
static void hardly_any_limit(struct kunit *test)
{
	static const struct row row = { "SS", "", "", 0 };
	struct stage *stage = stage_new(test, 2);

	stage_fill(stage, &row);
	mapping_limit = PAGE_SIZE - 1;
	KUNIT_EXPECT_EQ(test, 0, gsb_job_plan(&stage->job));
	KUNIT_EXPECT_EQ(test, stage->job.nsegs, 2UL);
	gsb_job_fini(&stage->job);
}

/* A run of any length is described by entries of 2^n pages that have no gaps. */
static void addresses(struct kunit *test)
{
	const dma_addr_t dma = 0x123456789ULL << PAGE_SHIFT;
	struct stage *stage = stage_new(test, MOST_PAGES);
	unsigned long count, first = 1;

	for (count = 1; count < MOST_PAGES; count++) {
		const struct gsb_segment seg = { .first = first, .count = count, .dma = dma };
		unsigned long done = 0;

		gsb_job_fill_addr(&stage->job, &seg);
		while (done < count) {
			const struct drm_pagemap_addr *addr = &stage->job.addr[first + done];

			KUNIT_EXPECT_EQ(test, (u64)addr->addr,
					(u64)(dma + (done << PAGE_SHIFT)));
			KUNIT_EXPECT_EQ(test, (u64)addr->proto, (u64)DRM_INTERCONNECT_SYSTEM);
			KUNIT_EXPECT_EQ(test, (u64)addr->dir, (u64)DMA_TO_DEVICE);
			done += 1UL << addr->order;
		}
		KUNIT_EXPECT_EQ(test, done, count);
	}
	gsb_job_fini(&stage->job);
}

/* What core mm really moved is what counts, however it was asked. */
static void moved(struct kunit *test)
{
	struct stage *stage = stage_new(test, 8);
	struct gsb_job *job = &stage->job;
	unsigned long i;

	for (i = 0; i < 8; i++) {
		job->dst[i] = i % 2 ? migrate_pfn(i + 1) : 0;
		job->src[i] = i % 4 ? MIGRATE_PFN_MIGRATE : 0;
		gsb_job_set_kind(job, i, i < 3 ? GSB_PAGE_SYSTEM : GSB_PAGE_HOLE);
	}
	job->src[5] = 0;
	KUNIT_EXPECT_EQ(test, gsb_job_moved(job), 3UL);
	KUNIT_EXPECT_TRUE(test, gsb_job_has_moved(job, 1));
	KUNIT_EXPECT_FALSE(test, gsb_job_has_moved(job, 2));
	KUNIT_EXPECT_FALSE(test, gsb_job_has_moved(job, 5));
	KUNIT_EXPECT_EQ(test, gsb_job_count(job, GSB_PAGE_SYSTEM), 3UL);
	KUNIT_EXPECT_EQ(test, gsb_job_count(job, GSB_PAGE_HOLE), 5UL);
	gsb_job_fini(job);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(plans),
	KUNIT_CASE(hardly_any_limit),
	KUNIT_CASE(addresses),
	KUNIT_CASE(moved),
	{ }
};

struct kunit_suite segments_suite = {
	.name = "gpusvm-segments",
	.test_cases = cases,
};
