/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
#ifndef GSB_PAGEMAP_JOB_H
#define GSB_PAGEMAP_JOB_H

#include <linux/dma-direction.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint-defs.h>
#include <linux/types.h>

#include "compat/compat.h"
#include "compat/iova.h"
#include "delay.h"

struct device;
struct dma_fence;
struct drm_pagemap_addr;
struct drm_pagemap_devmem;
struct page;

/*
 * One attempt to move memory.
 *
 * Whoever collects the pages (a VMA range, a CPU fault, an eviction) fills
 * @src; whoever places them fills @dst and @device. The stages in job.c do
 * the rest and know nothing about where the pages came from. Nothing of an
 * attempt lives outside of its job, so a retry starts clean.
 */

/* Why memory moves. */
enum gsb_cause {
	GSB_CAUSE_POPULATE,
	GSB_CAUSE_CPU_FAULT,
	GSB_CAUSE_EVICTION,
};

/* The stages of a job, for those who watch. */
enum gsb_step {
	GSB_STEP_COLLECT,
	GSB_STEP_PLACE,
	GSB_STEP_MAP,
	GSB_STEP_COPY,
	GSB_STEP_UNMAP,
	GSB_STEP_COMMIT,
	GSB_STEP_FINALIZE,
};

/* What one page of the job is. */
enum gsb_kind {
	GSB_PAGE_STAYS,		/* not ours to move, or cannot be moved */
	GSB_PAGE_ABSENT,	/* could be moved after a CPU access */
	GSB_PAGE_LINKED,	/* in the memory of a device with a fast link */
	GSB_PAGE_FOREIGN,	/* in coherent memory of any other device */
	GSB_PAGE_RESIDENT,	/* already where it should go */
	GSB_PAGE_HOLE,		/* nothing to copy from: to be cleared */
	GSB_PAGE_SYSTEM,	/* copied through a DMA mapping */
	GSB_PAGE_PEER,		/* copied from a linked device's memory */
	GSB_PAGE_KINDS,
};

/*
 * A run of pages of one kind, contiguous on both sides: one DMA mapping, or one
 * that a peer gave, which is kept in the job's addr array. @mapped is set the
 * moment there is one; taking down walks this record and nothing else. What is
 * part of the job's gsb_iova has no mapping of its own.
 */
struct gsb_segment {
	unsigned long first;	/* index of the first page */
	unsigned long count;	/* pages */
	dma_addr_t dma;
	u8 kind;		/* enum gsb_kind */
	bool mapped;
};

struct gsb_job {
	struct drm_pagemap_devmem *devmem;
	enum gsb_cause cause;
	enum dma_data_direction dir;
	u64 started;			/* for tracing */

	unsigned long npages;
	unsigned long *src;		/* migrate entries, owned by core mm */
	unsigned long *dst;		/* migrate entries of placed pages, or 0 */
	struct page **device;		/* device page, or NULL if none is placed */
	struct page **other;		/* its other side, or NULL for a hole */
	struct drm_pagemap_addr *addr;	/* what the copy callbacks are given */
	unsigned long *pfn;		/* frame numbers; in the memory of @addr */
	u8 *kind;			/* enum gsb_kind, see gsb_job_set_kind() */
	unsigned long sorted[GSB_PAGE_KINDS];	/* how many there are of each */
	void *arrays;			/* all of the above, unless @single */

	struct gsb_iova iova;		/* of runs of system pages, if in use */
	struct gsb_segment *segs;
	unsigned long nsegs;
	unsigned long system_runs;	/* segments of system memory */
	unsigned long system_pages;	/* and how many pages are in them */
	u8 kinds;			/* BIT(enum gsb_kind) of all segments */
	dma_addr_t zero_dma;		/* page of zeroes, for holes */
	bool zero_mapped;

	/* A job of one page must not need memory: it may be the way out. */
	struct {
		unsigned long src, dst;
		u64 addr[2];
		struct page *device;
		struct page *other;
		struct gsb_segment seg;
		u8 kind;
	} single;
};

/* In loops over pages, at page @i: a job can have a great many of them. */
static inline void gsb_job_breathe(unsigned long i)
{
	if (i % 512 == 511)
		cond_resched();
}

/* For a page that has not been sorted. */
static inline void gsb_job_set_kind(struct gsb_job *job, unsigned long i,
				    enum gsb_kind kind)
{
	job->kind[i] = kind;
	job->sorted[kind]++;
}

/* Of those that were sorted. */
static inline unsigned long gsb_job_count(const struct gsb_job *job,
					  enum gsb_kind kind)
{
	return job->sorted[kind];
}

/* How many pages a source entry stands for: the next ones are empty. */
static inline unsigned long gsb_src_pages(unsigned long src)
{
	return src & GSB_PFN_COMPOUND ? GSB_LARGE_PAGES : 1;
}

/* And a destination entry: a large source can get small destinations. */
static inline unsigned long gsb_dst_pages(unsigned long dst)
{
	return dst & GSB_PFN_COMPOUND ? GSB_LARGE_PAGES : 1;
}

int gsb_job_init(struct gsb_job *job, struct drm_pagemap_devmem *devmem,
		 unsigned long npages, enum gsb_cause cause, gfp_t gfp);
void gsb_job_fini(struct gsb_job *job);
int gsb_job_transfer(struct gsb_job *job);
void gsb_job_forget_frames(struct gsb_job *job);
void gsb_job_unplace(struct gsb_job *job);
bool gsb_job_has_moved(const struct gsb_job *job, unsigned long i);
unsigned long gsb_job_moved(const struct gsb_job *job);

void gsb_trace_say_step(const struct gsb_job *job, enum gsb_step step,
			u64 start, int err);
void gsb_trace_migrate(const struct gsb_job *job, int err);

DECLARE_TRACEPOINT(gsb_step);
DECLARE_TRACEPOINT(gsb_migrate);

/* A stage begins: what gsb_trace_step() wants. Mostly nobody traces. */
static inline u64 gsb_trace_start(void)
{
	return tracepoint_enabled(gsb_step) || tracepoint_enabled(gsb_migrate) ?
		       ktime_get_ns() : 0;
}

/* A stage is done, with @err, which is returned. Sleeps in a build with delays. */
static inline int gsb_trace_step(const struct gsb_job *job, enum gsb_step step,
				 u64 start, int err)
{
	if (tracepoint_enabled(gsb_step))
		gsb_trace_say_step(job, step, start, err);
	gsb_delay();
	return err;
}

#endif
