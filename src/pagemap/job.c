// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * The stages every migration shares: plan, map, copy or clear, unmap.
 *
 * No locks of our own are taken here. The pages of a job are locked by core
 * mm (sources) and by whoever placed them (destinations) for as long as the
 * job lasts; the callbacks of the driver may take its engine lock inside.
 */
#include <linux/dma-mapping.h>
#include <linux/migrate.h>
#include <linux/pagemap.h>
#include <linux/slab.h>

#include <drm/drm_pagemap.h>

#include "job.h"
#include "../stats.h"
#include "zdd.h"

static_assert(sizeof_field(struct gsb_job, single.addr) ==
	      sizeof(struct drm_pagemap_addr));

static void gsb_job_use_single(struct gsb_job *job)
{
	job->src = &job->single.src;
	job->dst = &job->single.dst;
	job->device = &job->single.device;
	job->other = &job->single.other;
	job->addr = (struct drm_pagemap_addr *)job->single.addr;
	job->pfn = (unsigned long *)job->single.addr;
	job->kind = &job->single.kind;
}

/*
 * The frame numbers have the memory of the addresses, which are only known when
 * the frames are pages: that keeps 2 MiB of small pages below 32 KiB.
 */
static int gsb_job_alloc_arrays(struct gsb_job *job, gfp_t gfp)
{
	const size_t per_page = sizeof(*job->src) + sizeof(*job->dst) +
				sizeof(*job->device) + sizeof(*job->other) +
				sizeof(*job->addr) + sizeof(*job->kind);
	void *pos = kvcalloc(job->npages, per_page, gfp | __GFP_NOWARN);

	if (!pos)
		return -ENOMEM;

	job->arrays = pos;
	job->addr = pos;
	job->pfn = pos;
	job->src = pos += job->npages * sizeof(*job->addr);
	job->dst = pos += job->npages * sizeof(*job->src);
	job->device = pos += job->npages * sizeof(*job->dst);
	job->other = pos += job->npages * sizeof(*job->device);
	job->kind = pos += job->npages * sizeof(*job->other);
	return 0;
}

/**
 * gsb_job_init() - start an attempt with nothing collected
 * @job: memory for it, usually on the stack
 * @devmem: the allocation pages move into or out of
 * @npages: pages it may cover, at least 1
 * @cause: why, which also says in which direction
 * @gfp: how to allocate; nothing is allocated for a single page
 *
 * Context: As @gfp allows.
 * Return: 0 or -ENOMEM. On success gsb_job_fini() ends the job.
 */
int gsb_job_init(struct gsb_job *job, struct drm_pagemap_devmem *devmem,
		 unsigned long npages, enum gsb_cause cause, gfp_t gfp)
{
	memset(job, 0, sizeof(*job));
	job->devmem = devmem;
	job->npages = npages;
	job->cause = cause;
	job->dir = cause == GSB_CAUSE_POPULATE ? DMA_TO_DEVICE :
						 DMA_FROM_DEVICE;
	job->started = gsb_trace_start();

	if (npages > 1)
		return gsb_job_alloc_arrays(job, gfp);
	gsb_job_use_single(job);
	return 0;
}

/**
 * gsb_job_forget_frames() - the frames are placed: what follows are addresses
 * @job: job that does not need @pfn any more
 *
 * Context: Any.
 */
void gsb_job_forget_frames(struct gsb_job *job)
{
	memset(job->addr, 0, job->npages * sizeof(*job->addr));
}

/**
 * gsb_job_fini() - free what the job allocated for itself
 * @job: the job; nothing of it is mapped any more
 *
 * Context: Process context.
 */
void gsb_job_fini(struct gsb_job *job)
{
	if (job->segs != &job->single.seg)
		kvfree(job->segs);
	kvfree(job->arrays);
}

static bool gsb_job_to_device(const struct gsb_job *job)
{
	return job->dir == DMA_TO_DEVICE;
}

static enum gsb_kind gsb_job_kind(const struct gsb_job *job, unsigned long i)
{
	if (!job->device[i])
		return GSB_PAGE_STAYS;
	if (!job->other[i])
		return GSB_PAGE_HOLE;
	return is_zone_device_page(job->other[i]) ? GSB_PAGE_PEER :
						    GSB_PAGE_SYSTEM;
}

/* VRAM of two peers can lie side by side, and each maps its own only. */
static bool gsb_job_same_provider(const struct gsb_job *job, unsigned long i,
				  unsigned long k)
{
	return gsb_page_pgmap(job->other[i]) == gsb_page_pgmap(job->other[k]);
}

/* Does page @i go on where @n pages of the run end, on both sides? */
static bool gsb_job_extends(const struct gsb_job *job,
			    const struct gsb_segment *seg, unsigned long n)
{
	unsigned long first = seg->first, i = first + n;
	bool hole = seg->kind == GSB_PAGE_HOLE;

	if (!job->device[i] || hole == !!job->other[i] ||
	    page_to_pfn(job->device[i]) != page_to_pfn(job->device[first]) + n)
		return false;
	if (hole)
		return true;
	if (page_to_pfn(job->other[i]) != page_to_pfn(job->other[first]) + n ||
	    gsb_job_kind(job, i) != seg->kind)
		return false;
	return seg->kind != GSB_PAGE_PEER ||
	       gsb_job_same_provider(job, i, first);
}

/* How many pages the run is that starts where @seg does. */
static unsigned long gsb_job_run(const struct gsb_job *job,
				 const struct gsb_segment *seg,
				 unsigned long limit)
{
	unsigned long n = 1;

	limit = min(limit, job->npages - seg->first);
	while (n < limit && gsb_job_extends(job, seg, n))
		n++;
	/* A peer is asked for pages by order. */
	return seg->kind == GSB_PAGE_PEER ? rounddown_pow_of_two(n) : n;
}

/*
 * One run is the usual case and needs no memory. When there are more it is had
 * for as many as the pages from @i on can possibly make: what is not used is
 * neither touched nor kept for long.
 */
static int gsb_job_alloc_segs(struct gsb_job *job, unsigned long i)
{
	struct gsb_segment *segs;

	segs = kvmalloc_array(job->nsegs + job->npages - i, sizeof(*segs),
			      GFP_KERNEL | __GFP_NOWARN);
	if (!segs)
		return -ENOMEM;
	segs[0] = job->single.seg;
	job->segs = segs;
	return 0;
}

static struct gsb_segment *gsb_job_new_segment(struct gsb_job *job,
					       unsigned long first,
					       enum gsb_kind kind)
{
	struct gsb_segment *seg;

	if (job->nsegs == 1 && gsb_job_alloc_segs(job, first))
		return NULL;
	seg = &job->segs[job->nsegs++];
	seg->first = first;
	seg->kind = kind;
	seg->mapped = false;
	job->kinds |= BIT(kind);
	return seg;
}

/* Cut the placed pages into runs. */
static int gsb_job_plan(struct gsb_job *job)
{
	unsigned long limit, i = 0;

	limit = max(dma_max_mapping_size(job->devmem->dev) >> PAGE_SHIFT, 1UL);
	job->segs = &job->single.seg;
	while (i < job->npages) {
		enum gsb_kind kind = gsb_job_kind(job, i);
		struct gsb_segment *seg;

		if (kind == GSB_PAGE_STAYS) {
			i++;
			continue;
		}
		seg = gsb_job_new_segment(job, i, kind);
		if (!seg)
			return -ENOMEM;
		seg->count = gsb_job_run(job, seg, limit);
		i += seg->count;
		if (kind == GSB_PAGE_SYSTEM) {
			job->system_runs++;
			job->system_pages += seg->count;
		}
	}
	return 0;
}

/* Describe one mapping as entries of 2^n pages. */
static void gsb_job_fill_addr(struct gsb_job *job,
			      const struct gsb_segment *seg)
{
	unsigned long done = 0;

	while (done < seg->count) {
		unsigned int order = ilog2(seg->count - done);

		job->addr[seg->first + done] =
			drm_pagemap_addr_encode(seg->dma + (done << PAGE_SHIFT),
						DRM_INTERCONNECT_SYSTEM, order,
						job->dir);
		done += 1UL << order;
	}
}

static int gsb_job_map_system(struct gsb_job *job, struct gsb_segment *seg)
{
	struct page *page = job->other[seg->first];
	size_t size = seg->count << PAGE_SHIFT;
	struct device *dev = job->devmem->dev;

	if (gsb_iova_in_use(&job->iova))
		return gsb_iova_link(&job->iova, dev, page, size, job->dir,
				     &seg->dma);
	seg->dma = dma_map_page(dev, page, 0, size, job->dir);
	if (dma_mapping_error(dev, seg->dma))
		return -ENOMEM;
	seg->mapped = true;
	gsb_stat_add(GSB_STAT_LIVE_DMA, 1);
	return 0;
}

/* Several runs of system pages can share one range of device addresses. */
static void gsb_job_reserve_iova(struct gsb_job *job)
{
	if (job->system_runs <= 1 ||
	    !gsb_iova_reserve(&job->iova, job->devmem->dev,
			      job->system_pages << PAGE_SHIFT))
		return;
	gsb_stat_add(GSB_STAT_IOVA_SHARED, 1);
	gsb_stat_add(GSB_STAT_LIVE_DMA, 1);
}

static bool gsb_job_driver_clears(const struct gsb_job *job)
{
	return job->devmem->ops->clear_devmem;
}

/* A driver that cannot clear copies zeroes: one mapping serves all holes. */
static int gsb_job_map_hole(struct gsb_job *job, struct gsb_segment *seg)
{
	struct device *dev = job->devmem->dev;
	unsigned long i;

	if (gsb_job_driver_clears(job))
		return 0;
	if (!job->zero_mapped) {
		job->zero_dma = dma_map_page(dev, ZERO_PAGE(0), 0, PAGE_SIZE,
					     DMA_TO_DEVICE);
		if (dma_mapping_error(dev, job->zero_dma))
			return -ENOMEM;
		job->zero_mapped = true;
		gsb_stat_add(GSB_STAT_LIVE_DMA, 1);
	}
	for (i = seg->first; i < seg->first + seg->count; i++)
		job->addr[i] = drm_pagemap_addr_encode(job->zero_dma,
						       DRM_INTERCONNECT_SYSTEM,
						       0, DMA_TO_DEVICE);
	return 0;
}

static int gsb_job_map_peer(struct gsb_job *job, struct gsb_segment *seg)
{
	struct device *dev = job->devmem->dev;
	struct page *page = job->other[seg->first];
	struct drm_pagemap *peer = gsb_page_zdd(page)->dpagemap;
	struct drm_pagemap_addr addr;

	addr = peer->ops->device_map(peer, dev, page, ilog2(seg->count),
				     DMA_TO_DEVICE);
	if (dma_mapping_error(dev, addr.addr))
		return -ENOMEM;
	job->addr[seg->first] = addr;
	seg->mapped = true;
	gsb_stat_add(GSB_STAT_LIVE_DMA, 1);
	return 0;
}

static void gsb_job_unmap_peer(struct gsb_job *job,
			       const struct gsb_segment *seg)
{
	struct page *page = job->other[seg->first];
	struct drm_pagemap *peer = gsb_page_zdd(page)->dpagemap;

	if (peer->ops->device_unmap)
		peer->ops->device_unmap(peer, job->devmem->dev,
					&job->addr[seg->first]);
}

static int gsb_job_map_segment(struct gsb_job *job, struct gsb_segment *seg)
{
	int err;

	switch (seg->kind) {
	case GSB_PAGE_HOLE:
		return gsb_job_map_hole(job, seg);
	case GSB_PAGE_PEER:
		return gsb_job_map_peer(job, seg);
	default:
		err = gsb_job_map_system(job, seg);
		if (!err)
			gsb_job_fill_addr(job, seg);
		return err;
	}
}

static void gsb_job_unmap_segment(struct gsb_job *job, struct gsb_segment *seg)
{
	if (!seg->mapped)
		return;
	if (seg->kind == GSB_PAGE_PEER)
		gsb_job_unmap_peer(job, seg);
	else
		dma_unmap_page(job->devmem->dev, seg->dma,
			       seg->count << PAGE_SHIFT, job->dir);
	seg->mapped = false;
	gsb_stat_sub(GSB_STAT_LIVE_DMA, 1);
}

static int gsb_job_map(struct gsb_job *job)
{
	u64 start = gsb_trace_start();
	unsigned long i;
	int err = 0;

	gsb_job_reserve_iova(job);
	for (i = 0; i < job->nsegs && !err; i++)
		err = gsb_job_map_segment(job, &job->segs[i]);
	if (!err && gsb_iova_in_use(&job->iova))
		err = gsb_iova_sync(&job->iova, job->devmem->dev);
	return gsb_trace_step(job, GSB_STEP_MAP, start, err);
}

/* The only place where mappings end, after success and after any error. */
static void gsb_job_unmap(struct gsb_job *job)
{
	u64 start = gsb_trace_start();
	unsigned long i;

	for (i = 0; i < job->nsegs; i++)
		gsb_job_unmap_segment(job, &job->segs[i]);
	if (gsb_iova_in_use(&job->iova)) {
		gsb_iova_release(&job->iova, job->devmem->dev, job->dir);
		gsb_stat_sub(GSB_STAT_LIVE_DMA, 1);
	}
	if (job->zero_mapped) {
		dma_unmap_page(job->devmem->dev, job->zero_dma, PAGE_SIZE,
			       DMA_TO_DEVICE);
		job->zero_mapped = false;
		gsb_stat_sub(GSB_STAT_LIVE_DMA, 1);
	}
	gsb_trace_step(job, GSB_STEP_UNMAP, start, 0);
}

static bool gsb_job_clears(const struct gsb_job *job,
			   const struct gsb_segment *seg)
{
	return seg->kind == GSB_PAGE_HOLE && gsb_job_driver_clears(job);
}

static int gsb_job_call_driver(struct gsb_job *job, bool clear,
			       unsigned long first, unsigned long count)
{
	const struct drm_pagemap_devmem_ops *ops = job->devmem->ops;
	struct dma_fence *fence = job->devmem->pre_migrate_fence;
	struct page **pages = job->device + first;

	if (clear)
		return ops->clear_devmem(pages, count, fence);
	if (gsb_job_to_device(job))
		return ops->copy_to_devmem(pages, job->addr + first, count,
					   fence);
	return ops->copy_to_ram(pages, job->addr + first, count, fence);
}

/*
 * Runs that follow each other go to the driver in one call. A gap ends the
 * call, so that the driver never has to tell an empty entry from address 0.
 */
static int gsb_job_copy(struct gsb_job *job)
{
	u64 start = gsb_trace_start();
	unsigned long i = 0;
	int err = 0;

	while (i < job->nsegs && !err) {
		unsigned long first = job->segs[i].first;
		unsigned long end = first;
		bool clear = gsb_job_clears(job, &job->segs[i]);

		do {
			end += job->segs[i].count;
		} while (++i < job->nsegs && job->segs[i].first == end &&
			 gsb_job_clears(job, &job->segs[i]) == clear);
		err = gsb_job_call_driver(job, clear, first, end - first);
	}
	return gsb_trace_step(job, GSB_STEP_COPY, start, err);
}

/**
 * gsb_job_transfer() - bring the contents of all placed pages across
 * @job: job with @dst and @device filled for the pages that move
 *
 * When it returns nothing is mapped for DMA any more, whatever happened; on
 * machines with bounce buffers only then is the data in its place, which is
 * why this comes before any page is shown to the CPU again.
 *
 * Context: May sleep. Source and destination pages are locked.
 * Return: 0, -ENOMEM, or what the copy callback returned.
 */
int gsb_job_transfer(struct gsb_job *job)
{
	int err;

	err = gsb_job_plan(job);
	if (err)
		return err;
	err = gsb_job_map(job);
	if (!err)
		err = gsb_job_copy(job);
	gsb_job_unmap(job);
	return err;
}

/**
 * gsb_job_unplace() - give all destination pages back
 * @job: job whose contents have not been committed
 *
 * Afterwards finalize restores every source page.
 *
 * Context: May sleep.
 */
void gsb_job_unplace(struct gsb_job *job)
{
	unsigned long i;

	for (i = 0; i < job->npages; i++) {
		struct page *page = migrate_pfn_to_page(job->dst[i]);

		gsb_job_breathe(i);
		if (!page)
			continue;
		unlock_page(page);
		put_page(page);
		job->dst[i] = 0;
	}
}

/**
 * gsb_job_has_moved() - did core mm really move what this entry stands for?
 * @job: job after migrate_vma_pages() or migrate_device_pages()
 * @i: index of a destination entry
 *
 * The commit can still refuse a page: only the bit it leaves behind counts.
 *
 * Context: Any, before finalize.
 * Return: true if it did.
 */
bool gsb_job_has_moved(const struct gsb_job *job, unsigned long i)
{
	return job->dst[i] && (job->src[i] & MIGRATE_PFN_MIGRATE);
}

/**
 * gsb_job_moved() - how many pages core mm really moved
 * @job: job after the commit
 *
 * Context: Any, before the job ends.
 * Return: Number of pages.
 */
unsigned long gsb_job_moved(const struct gsb_job *job)
{
	unsigned long i, n, moved = 0;

	for (i = 0; i < job->npages; i += n) {
		n = gsb_dst_pages(job->dst[i]);
		if (gsb_job_has_moved(job, i))
			moved += n;
	}
	return moved;
}
